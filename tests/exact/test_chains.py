"""A derivation can be read from the top: every line has a reason and rests on lines before it, or is refused."""

from __future__ import annotations

import pytest
from sympy import Integer

from powercount.derivations.dynamics.gradient_independence import coupling
from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import observables
from powercount.derivations.scale import ONE
from powercount.derivations.scaling_laws import lasso_risk, learning, spectra
from powercount.derivations.steps import Chain, Step, Value, values

CHAINS = {
    "loss": lambda: spectra.loss_chain().values(),
    "feature learning": lambda: learning.chain().values(),
    "lasso": lambda: lasso_risk.best_chain().values(),
    "coupling": lambda: list(coupling().steps.values()),
    "recipes": lambda: [
        step for name in NAMED for observable in observables(2) for step in derive(named_recipe(name), observable).steps
    ],
}


@pytest.mark.parametrize("name", CHAINS)
def test_every_line_has_a_reason_and_a_source(name):
    """No line is bare, whatever the chain."""
    lines = list(CHAINS[name]())
    assert lines
    assert all(line.because and line.source for line in lines)


def test_a_line_rests_on_lines_before_it():
    """A parent that comes later, or a name used twice, is refused."""
    first, second = (Value(key=key, value=Integer(1), because="given") for key in ("a", "b"))
    above = Value(key="c", value=Integer(1), because="a and b", parents=("a", "b"))
    assert list(values(first, second, above)) == ["a", "b", "c"]
    for lines in ((first, above, second), (first, first)):
        with pytest.raises(ValueError, match="repeated, or resting on unknown steps"):
            values(*lines)
    chain = Chain()
    with pytest.raises(ValueError, match="resting on unknown steps"):
        chain.add(Step(key="a", symbol="a", formula="b", because="b", scale=ONE, parents=("b",)))
