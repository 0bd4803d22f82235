"""A claim as the ledger keeps it, the names of its sources, and the marks a reader is warned by.

A claim is a printed sentence, put here in our own words, with its formal statement and the exponents it gives.
``check`` is the function of the family's file that derives, measures and judges it; ``test`` the file that measures
the claim quickly under pytest, or ``ALONE`` where to decide it takes minutes. A family keeps its claims beside their
checks, as ``CLAIMS`` at the end of its file. Verdicts are never written here: they are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from powercount.ledger.finding import Evidence
    from powercount.studies.study import Study

ALONE: Final = "`tox -e claims` alone"
V1_ONLY: Final = "in the first version only"
SECOND_HAND: Final = "read at second hand"
ABSTRACT: Final = "the paper could not be read: abstracts and the notes of others alone"
V3_ONLY: Final = "in the third version only"
DYNAMICS_TEST: Final = "tests/laws/dynamics/test_claims_dynamics.py"
ONE_STEP_TEST: Final = "tests/laws/dynamics/test_claims_one_step.py"
SPECTRA_TEST: Final = "tests/laws/scaling_laws/test_exponents_kernel_spectra.py"
LASSO_TEST: Final = "tests/laws/scaling_laws/test_exponents_lasso.py"
LEARNING_TEST: Final = "tests/laws/scaling_laws/test_exponents_feature_learning.py"
INFERRED: Final = "the printed formula could not be read; ours is an inference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim: ``summary`` in our words, ``statement`` as a formula; ``conditions`` under which it is tried."""

    id: str
    source: str
    summary: str
    statement: str
    conditions: str
    check: Callable[[Study], Sequence[Evidence]] = field(repr=False)
    test: str
    marks: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The file that holds the claim and its check."""
        return self.check.__module__.rpartition(".")[2]

    @property
    def name_of_check(self) -> str:
        """As "family:function"."""
        return f"{self.family}:{self.check.__name__}"
