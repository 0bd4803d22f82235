r"""The deterministic equivalent of random-feature ridge regression at any finite size, target, ridge and noise.

x = Lambda^(1/2) z, y = w x + noise of variance s2, features G x of P Gaussian rows, D samples; the ridge r multiplies
D P |theta|^2. With df_1 = sum lambda/(lambda + kappa), its derivative df_1', g = sum lambda w^2 kappa/(lambda + kappa):
    kappa_2:    r = kappa_2 (1 - df_1/D)(1 - df_1/P)                 kappa_1 = kappa_2 (1 - df_1/P)
    kappa_2' = d kappa_2/d kappa_1 = 1/(1 - df_1/P - kappa_2 df_1'/P)
    gamma_1 = (df_1 + kappa_1 df_1' kappa_2')/D
    E = (g - kappa_1 g' kappa_2' + s2)/(1 - gamma_1),   g' = sum lambda^2 w^2/(lambda + kappa)^2.

Why. Data alone turn the ridge r into kappa_1, features alone kappa_1 into kappa_2; the error is the derivative of the
two training problems' free energy, d(kappa_1 g)/d kappa_1 where g is a function of kappa_1 through kappa_2, inflated by
the share of the noise the fit takes in. E counts the test noise s2.

Limits. P infinite: kappa (1 - df_1/D) = r, E = (sum lambda w^2 (kappa/(lambda + kappa))^2 + s2)/(1 - df_2/D);
D infinite, ridgeless: E = g + s2 at df_1 = P. White target, no noise: m kappa_m M/(M - m), as in ``spectra`` to 1/M.
Worked line: one mode, lambda = 1, P infinite, r = 0, D = 2: no kappa > 0 solves df_1 = 2, and the loss is 0.

Units: E in those of the loss (mean square). Exact as D, P grow at fixed ratios; the error at finite size is O(1/m).
Sources: Atanasov, Zavatone-Veth and Pehlevan (arXiv 2405.00592) review such equivalents; this form is derived here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from powercount.derivations.recipe import QuestionError

HALVINGS: Final = 200
# The solver stops where neighbouring floats do.
CLOSE: Final = Fraction(1, 2**50)


def power_law(power: Fraction | float, modes: int) -> list[float]:
    """k^(-power) for k = 1..modes."""
    return [math.pow(k, -power) for k in range(1, modes + 1)]


def power_law_tail(power: Fraction | float, modes: int) -> float:
    """The sum of k^(-power) over k > modes, by Euler and Maclaurin; the next term is modes^(-power - 3)."""
    first, s = modes + 1, power
    return math.pow(first, 1 - s) / (s - 1) + math.pow(first, -s) / 2 + s * math.pow(first, -s - 1) / 12


def resolved(kappa: float, spectrum: Sequence[float], order: int = 1) -> float:
    """df_1 or df_2: the sum of (lambda/(lambda + kappa))^order."""
    return math.fsum((value / (value + kappa)) ** order for value in spectrum)


def threshold(spectrum: Sequence[float], samples: float, features: float, ridge: float) -> float:
    """kappa_2, at ridge r >= 0; 0 where fewer modes than samples and features leave nothing unresolved."""
    least = min(samples, features)
    if least <= 0 or ridge < 0:
        raise QuestionError(f"samples and features must be positive and the ridge at least 0; got {least}, {ridge}")
    if ridge == 0 and least >= sum(value > 0 for value in spectrum):
        return 0
    # exp(-745) is the smallest float
    low, high = float(-745), math.log(ridge + math.fsum(spectrum) * (1 + 1 / least)) + 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        kappa = math.exp(middle)
        count = resolved(kappa, spectrum)
        # Below the solution one factor is negative, or the product falls short of the ridge.
        if count < least and kappa * (1 - count / samples) * (1 - count / features) >= ridge:
            high = middle
        else:
            low = middle
        if high - low < CLOSE * abs(high):
            break
    return math.exp(high)


def expected_error(
    spectrum: Sequence[float],
    target: Sequence[float],
    *,
    samples: float,
    features: float = math.inf,
    ridge: float = 0,
    noise: float = 0,
) -> float:
    """E: ``target`` is w_k^2; ``ridge`` r multiplies samples times features; either size may be infinite."""
    kappa = threshold(spectrum, samples, features, ridge)
    if kappa == 0:
        modes = len(spectrum)
        return noise * (1 + modes / (samples - modes)) if samples > modes else math.nan
    count, slope = resolved(kappa, spectrum), -math.fsum(v / (v + kappa) ** 2 for v in spectrum)
    kappa_one = kappa * (1 - count / features)
    response = 1 / (1 - count / features - kappa * slope / features)
    taken = (count + kappa_one * slope * response) / samples
    pairs = list(zip(spectrum, target, strict=True))
    left = math.fsum(v * w * kappa / (v + kappa) for v, w in pairs)
    left_slope = math.fsum(v * v * w / (v + kappa) ** 2 for v, w in pairs)
    return (left - kappa_one * left_slope * response + noise) / (1 - taken)


def one_sided_loss(spectrum: Sequence[float], count: int, tail: float = 0) -> float:
    """L(m) = m kappa_m of a white target, with modes beyond the spectrum carried as a ridge of ``tail``, their sum."""
    return count * threshold(spectrum, count, math.inf, tail / count)


def local_slope(spectrum: Sequence[float], sizes: Sequence[int], tail: float = 0) -> float:
    """The least-squares slope of log L(m) on log m."""
    x = [math.log(size) for size in sizes]
    y = [math.log(one_sided_loss(spectrum, size, tail)) for size in sizes]
    mean = math.fsum(x) / len(x)
    return math.fsum((u - mean) * v for u, v in zip(x, y, strict=True)) / math.fsum((u - mean) ** 2 for u in x)
