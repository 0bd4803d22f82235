"""The register: every claim, gathered from the families that check it.

Verdicts are never written here: they are measured. To import this file is to import every check; what only lists
the ledger reads its record.
"""

from __future__ import annotations

import re
from typing import Final

from powercount.derivations.recipe import QuestionError
from powercount.ledger import (
    blocks,
    compute,
    convergence,
    coupling,
    digits,
    exponents,
    independence,
    lasso,
    learning,
    peak,
    readings,
    resolution,
    ridge,
    spectra,
    sphere,
    spread,
    symmetry,
    transfer,
    variance,
    width,
)
from powercount.ledger.claim import Claim

FAMILIES: Final = (
    # one step from initialization, gradient independence, the limit, learning rates across depth
    *(exponents, blocks, symmetry, coupling, independence, readings, convergence, transfer),
    # scaling laws: power-law spectra, finite networks, interpolation, kernels, feature learning, weight decay
    *(spectra, variance, digits, width, resolution, sphere, ridge, spread, learning, compute, lasso, peak),
)


def _place(claim: Claim) -> tuple[str, int]:
    """C1 before C2 before C10, and C before L; claims of one number stay in their family's order."""
    found = re.match(r"([A-Z])(\d+)", claim.id)
    assert found is not None, claim.id
    return found[1], int(found[2])


CLAIMS: Final[tuple[Claim, ...]] = tuple(sorted((each for family in FAMILIES for each in family.CLAIMS), key=_place))


def claim_named(name: str) -> Claim:
    """The claim of that id, whatever its case."""
    known = {claim.id.lower(): claim for claim in CLAIMS}
    if name.lower() not in known:
        raise QuestionError(f"unknown claim {name!r}; choose one of: {', '.join(claim.id for claim in CLAIMS)}, or all")
    return known[name.lower()]
