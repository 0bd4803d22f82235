"""Which regime a fitted law shows, and whether its exponents along N and D agree.

Bahri et al. (arXiv 2102.06701), for loss = E + A x^(-a):

- *variance-limited*: loss - L(infinity) falls with exponent 1, to a plateau that something else sets. Here: the
  interval of a holds 1 and lies between 1/2 and 2, its nearest rivals by a factor of 2, and that of E excludes 0.
- *resolution-limited*: the loss itself falls as the data or the spectrum allows (1/d, 2/d, 4/d, alpha_K). Here: the
  interval of a lies below 1; or that of E holds 0 and that of a spans less than a factor of 2.
- *undecided*: all else, and whatever does not resolve these two.

Duality, alpha_P = alpha_D: a - b of the joint law. It holds ("agree") if the interval holds 0 and is shorter than
1/2; if it excludes 0 the exponents "differ".

Worked line: a in [.93, 1.04], E in [.08, .11] is variance-limited; the same a with E in [0, .02] resolution-limited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from powercount.decide import held, within

if TYPE_CHECKING:
    from powercount.empirical.scaling_laws.fit import AxisFit, Interval

VARIANCE, RESOLUTION, UNDECIDED = "variance-limited", "resolution-limited", "undecided"
AGREE, DIFFER = "agree", "differ"
LONGEST: Final = 0.5


def regime(exponent: Interval, offset: Interval) -> str:
    """The regime by the rule of this page."""
    low, high = exponent.low, exponent.high
    if low <= 1 <= high and offset.low > 0:
        return VARIANCE if within(low, high, 1 / 2, 2) == "AGREES" else UNDECIDED
    if high < 1 or (offset.low <= 0 and high < 2 * low):
        return RESOLUTION
    return UNDECIDED


def reason(fit: AxisFit) -> str | None:
    """Why there is no regime, with the remedy; None where there is one."""
    if regime(fit.exponent, fit.offset) != UNDECIDED:
        return None
    if fit.exponent.low > 1 and fit.offset.low > 0:
        return "the exponent is above 1 and a plateau remains, which is neither regime; add larger sizes"
    return "the interval of the exponent is too wide to tell; add runs or a wider range of sizes"


def duality(difference: Interval) -> str:
    """Whether the exponents along N and D agree."""
    said = {"AGREES": AGREE, "CONTRADICTS": DIFFER, "UNDECIDED": UNDECIDED}
    return said[held(difference.low, difference.high, 0.0, lambda: LONGEST)]
