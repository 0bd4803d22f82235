"""Law: the exponents hold under every option the command accepts: losses, data, real steps, blocks of one to eight.

A default run holds a case of each kind; ``--night`` holds all of them: seven recipes, one to three layers, linear, relu
and tanh, both data, both axes under the squared loss; one and five real steps; the signs' and the polar factor's
steps; deep blocks; wide inputs.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest

from powercount.derivations import recipe as question
from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, Optimizer, QuestionError, observable_named, observables
from powercount.derivations.translate import translated
from powercount.empirical.design import Sweep
from powercount.empirical.sweep import measure
from powercount.recipes import default_sweep, verify_axis

DEEP = 5


@dataclass(frozen=True)
class Option:
    """One way to ask ``verify``."""

    name: str
    layers: int
    activation: str
    axis: str
    optimizer: str = "sgd"
    loss: str = "cross-entropy"
    data: str = "digits"
    steps: int = 0
    wide: Fraction = Fraction(0)  # a power of the other axis that the stream starts with

    def __str__(self):
        steps = f", T = {self.steps}" if self.steps else ""
        wide = f", input x {'L' if self.axis == 'width' else 'n'}^{self.wide}" if self.wide else ""
        asked = f"{self.name} k={self.layers} {self.activation} {self.loss} {self.data} along {self.axis}{steps}{wide}"
        return asked if self.optimizer == "sgd" else f"{self.optimizer} {asked}"


ONE_OF_EACH = (
    Option("ntk", 1, "linear", "width", loss="mse"),
    Option("ntk", 2, "relu", "width", loss="mse", data="gaussian"),
    Option("mup", 2, "relu", "depth", loss="mse"),
    Option("sp", 3, "tanh", "depth", loss="mse"),
    Option("completep", 2, "relu", "depth", loss="mse"),
    Option("ntk", 1, "relu", "depth"),
    Option("mup", 1, "gelu", "depth"),
    Option("mup", 1, "tanh", "depth", wide=Fraction(1, 2)),
    Option("completep", 8, "tanh", "width"),
    Option("sp", 6, "relu", "depth"),
    Option("mup", 2, "relu", "width", optimizer="adam"),
    Option("completep", 3, "tanh", "depth", optimizer="lion", loss="mse"),
    Option("sp", 1, "tanh", "depth", optimizer="signsgd"),
    Option("depth-mup", 2, "relu", "depth", optimizer="muon"),
    Option("ntk", 1, "gelu", "width", optimizer="muon", loss="mse"),
    Option("mup", 2, "tanh", "width", optimizer="nesterov"),
    Option("completep", 1, "tanh", "width", optimizer="shampoo"),
)


def every_option():
    """What a night holds."""
    blocks = list(itertools.product(NAMED, (1, 2, 3), ("linear", "relu", "tanh"), AXES))
    for name, layers, activation, axis in blocks:
        for data in ("digits", "gaussian"):
            yield Option(name, layers, activation, axis, loss="mse", data=data)
    for name, layers, activation, axis in blocks:
        if layers < 3 and activation != "linear":
            for steps in (1, 5):
                yield Option(name, layers, activation, axis, steps=steps)
            for optimizer in ("adam", "muon"):
                yield Option(name, layers, activation, axis, optimizer=optimizer)
                yield Option(name, layers, activation, axis, optimizer=optimizer, loss="mse")
    for name, axis, optimizer in itertools.product(NAMED, AXES, ("adam", "muon", "nesterov")):
        yield Option(name, 2, "relu", axis, optimizer=optimizer, steps=3)
    for name, axis, activation in itertools.product(("sp", "completep"), AXES, ("relu", "gelu", "silu")):
        for layers in (6, 7, 8):
            yield Option(name, layers, activation, axis)
    for name, activation in itertools.product(("mup", "depth-mup"), ("erf", "tanh", "gelu", "silu")):
        yield Option(name, 1, activation, "depth", wide=Fraction(1, 2))
        yield Option(name, 1, activation, "width", wide=Fraction(3))


def pytest_generate_tests(metafunc):
    """One of each, or with ``--night`` every option."""
    if "option" in metafunc.fixturenames:
        options = list(every_option()) if metafunc.config.getoption("--night") else ONE_OF_EACH
        metafunc.parametrize("option", options, ids=[str(each) for each in options])


def test_every_option_is_held(option, powercount_laws):
    """No verdict on a recipe by its own claims is CONTRADICTS; a rare one is UNDECIDED, and says what would decide."""
    plain = Optimizer(loss=option.loss)
    recipe = named_recipe(option.name, layers=option.layers, activation=option.activation, optimizer=plain)
    recipe = translated(recipe, option.optimizer)
    recipe = recipe.shifted("input", "init_std", "depth" if option.axis == "width" else "width", option.wide)
    sweep = replace(default_sweep(recipe, option.axis, steps=option.steps), data=option.data, seed=1)
    verdicts = verify_axis(recipe, option.axis, sweep=sweep)
    assert len(verdicts) == len(observables(option.layers))
    counts = Counter(verdict.outcome for verdict in verdicts)
    measurement = verdicts[0].measurement
    powercount_laws.note(
        str(option), f"{dict(counts)}, {measurement.seeds} seeds, {measurement.cpu_seconds:.1f} CPU seconds"
    )
    for verdict in verdicts:
        assert verdict.outcome != "CONTRADICTS", verdict.story()
        assert verdict.outcome == "AGREES" or "would decide" in verdict.because or "further apart" in verdict.because
    # One by one a case may leave one verdict in eight open; all together 2 %, which the night's notes add up. Blocks of
    # six layers and more may ask for more seeds than a default sweep has: they are told how many, and what they cost.
    assert counts["UNDECIDED"] <= len(verdicts) / 8 or option.layers > DEEP


@pytest.mark.parametrize("side", ["derive", "measure", "steps"])
def test_an_optimizer_without_a_rule_is_refused(side, monkeypatch):
    """A name let through at the door is refused by both sides: no rule derives its step, and none makes it."""
    monkeypatch.setattr(question, "OPTIMIZERS", ("sgd", "soap"))
    recipe = named_recipe("mup", optimizer=Optimizer(name="soap"))
    asked = [observable_named("own-update:1", 2)]
    sweep = Sweep(axis="width", sizes=(8, 16, 32), fixed=2, steps=int(side == "steps"), examples=1)
    refused = (lambda: derive(recipe, asked[0])) if side == "derive" else (lambda: measure(recipe, asked, sweep))
    with pytest.raises(QuestionError, match="choose one of: sgd"):
        refused()
