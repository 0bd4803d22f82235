"""The register of claims: what the papers say about training deep and wide nets, and where each is checked.

The one list of claims, each a ``Claim``. Verdicts are never written here: they are measured. Importing this file
costs nothing.
"""

from __future__ import annotations

from typing import Final

from powercount.claims.claim import Claim
from powercount.claims.one_step import ONE_STEP
from powercount.derivations.recipe import QuestionError

__all__ = ["CLAIMS", "Claim", "claim_named"]


CLAIMS: Final[tuple[Claim, ...]] = (
    # -- exponents: one step from initialization (exponents.py, blocks.py, symmetry.py)
    *ONE_STEP,
    # -- gradient independence and the limit (coupling.py, convergence.py)
    # -- learning-rate transfer and where depth stops helping (transfer.py)
)


def claim_named(name: str) -> Claim:
    """The claim of that id, whatever its case."""
    known = {claim.id.lower(): claim for claim in CLAIMS}
    if name.lower() not in known:
        raise QuestionError(f"unknown claim {name!r}; choose one of: {', '.join(claim.id for claim in CLAIMS)}, or all")
    return known[name.lower()]
