r"""Gradient independence: how strongly a forward pass depends on the backward passes before it, reading by reading.

One-layer blocks, branch beta = sqrt(T) L^(-alpha), hidden rate times L^c, one step. W_l(0) has been met from the
left by delta_l (its product zeta_l = W_l^T delta_l was used to make every delta_m, m < l), and meets phi(h_{l-1})
after the step. What the two have in common is the response E d phi(h_{l-1}) / d zeta_l.

Claim. A single layer's response is L^(1 + c - 3 alpha), which is L^(-1/2) at alpha = 1/2 and c = 0 and vanishes; the
part of it that comes through the block just below adds L^(c - 4 alpha) = L^(-2) a layer; but the responses of all
layers push the stream along the slowly varying delta, coherently, by L^(2 + c - 4 alpha): relative to the update
itself, L^(1 + c - 2 alpha), this is L^(1 - 2 alpha). At alpha = 1/2 it is of order one: gradient independence
does not come back at infinite depth. It does for alpha > 1/2 (at alpha = 1 as 1/L), and is lost for alpha < 1/2.

Assumptions: infinite width before depth; delta varies slowly along depth. Second road: for linear blocks
tied/decoupled is e L (1 + e)^(L-1) / ((1 + e)^L - 1), e = T L^(-2 alpha) (``linear.one_step``), whose SymPy limit gives
the same powers. Worked line: alpha = 1/2, T = 1: the ratio tends to e/(e - 1), so decoupled is .632 of tied.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import sympy
from sympy import Expr, Integer, Rational, Symbol

from powercount.derivations.dynamics.linear import L, T, one_step
from powercount.derivations.forward import ALPHA
from powercount.derivations.scale import Scale, over_depth, product
from powercount.derivations.sources import NFD, TP6
from powercount.derivations.steps import Chain, Step

RATE: Final = Symbol("c", real=True)
READINGS: Final = ("chance", "single-layer", "adjacent", "accumulated", "relative-gap")


@lru_cache(maxsize=1)
def coupling() -> Chain:
    """The chain of scales in n and L, for symbolic alpha and c."""
    chain = Chain()
    branch = Scale(Integer(0), -ALPHA)
    chain.add(
        Step(
            key="chance",
            symbol=r"|\langle\zeta_l,\phi\rangle|/(|\zeta_l||\phi|\,n)",
            formula="n^{-1/2}",
            because="before the first step delta_l knows W_l through the layers above only: two independent directions "
            "of n coordinates overlap by chance, whatever the depth; mean square 1/n",
            scale=Scale(-Rational(1, 2)),
            source=f"{NFD}, third version: coupling O(1/n) at initialization, uniformly in depth",
        )
    )
    chain.add(
        Step(
            key="kick",
            symbol=r"\partial\delta_m/\partial\zeta_l",
            formula=r"\beta\,\phi'(h_{l-1})",
            because="delta_{l-1} = delta_l + beta phi' zeta_l, and every delta_m below carries it on",
            scale=branch,
        )
    )
    chain.add(
        Step(
            key="block-update",
            symbol=r"|\Delta h|_m",
            formula=r"\eta\,\beta^2\,L^{c}\,C_\phi\,|\delta_m|",
            because="block m's step moves the stream along delta_m (lemma aligned)",
            scale=product(branch, branch, Scale(Integer(0), RATE)),
        )
    )
    chain.add(
        Step(
            key="update",
            symbol=r"|\Delta h_L|",
            formula=r"\sum_m|\Delta h|_m",
            because="the blocks push along the slowly varying delta (lemma over_depth, coherent)",
            scale=over_depth(chain.scale("block-update"), coherent=True),
            parents=("block-update",),
        )
    )
    adjacent = product(chain.scale("block-update"), chain.scale("kick"), branch)
    chain.add(
        Step(
            key="adjacent",
            symbol=r"|\Delta h|_{l,\,m=l-1}",
            formula=r"\beta\;|\Delta h|_{l-1}\;\partial\delta/\partial\zeta_l",
            because="the response through the block just below alone, times the branch of W_l: one layer's share of "
            "the stream",
            scale=adjacent,
            parents=("block-update", "kick"),
            source=f"{NFD}, third version, prints O(L^(-2)) for the reused-weight coupling",
        )
    )
    chain.add(
        Step(
            key="adjacent-sum",
            symbol=r"\sum_l|\Delta h|_{l,\,l-1}",
            formula=r"L\,|\Delta h|_{l,\,l-1}",
            because="L such shares along delta (lemma over_depth, coherent)",
            scale=over_depth(adjacent, coherent=True),
            parents=("adjacent",),
        )
    )
    single = over_depth(product(chain.scale("block-update"), chain.scale("kick")), coherent=True)
    chain.add(
        Step(
            key="single-layer",
            symbol=r"E\,\partial\phi(h_{l-1})/\partial\zeta_l",
            formula=r"\sum_{m<l}|\Delta h|_m\,\partial\delta_m/\partial\zeta_l",
            because="all blocks below have moved along a delta that carries the same kick (lemma over_depth, coherent)",
            scale=single,
            parents=("block-update", "kick"),
            source=f"{NFD}: the coupling of a reused weight vanishes with depth",
        )
    )
    chain.add(
        Step(
            key="accumulated",
            symbol=r"|\Delta h_L|_{response}",
            formula=r"\sum_l\beta\,|\delta_l|\;E\,\partial\phi(h_{l-1})/\partial\zeta_l",
            because="every layer adds its response along delta_l, with the branch factor (lemma over_depth, coherent)",
            scale=over_depth(single * branch, coherent=True),
            parents=("single-layer",),
            source=f"{TP6}, proposition 4.4, keeps this term",
        )
    )
    chain.add(
        Step(
            key="relative-gap",
            symbol=r"|\Delta h_L|_{response}/|\Delta h_L|",
            formula=r"L^{1-2\alpha}",
            because="the response beside the update it corrects: gradient independence holds in the limit if and only "
            "if this vanishes",
            scale=product(chain.scale("accumulated"), _inverse(chain.scale("update"))),
            parents=("accumulated", "update"),
        )
    )
    return chain


def _inverse(scale: Scale) -> Scale:
    return Scale(-scale.width, -scale.depth)


def reading(key: str, *, alpha: Rational, rate: Rational = Integer(0)) -> Scale:
    """The scale of one reading at given powers of L on branch and hidden rate."""
    return coupling().scale(key).at({ALPHA: Rational(alpha), RATE: Rational(rate)})


def linear_gap(alpha: Rational) -> Expr:
    """tied/decoupled - 1 of one step of linear blocks at finite L."""
    branch = -Rational(alpha)
    return one_step(tied=True, branch=branch) / one_step(tied=False, branch=branch) - 1


def linear_gap_limit(alpha: Rational) -> Expr:
    """The limit of ``linear_gap`` over L^(1 - 2 alpha) at T = 1, by SymPy: the second road, 1/2 but at alpha = 1/2.

    L is written as y^q so that every power is whole: with L^(-3/2) SymPy's limit is wrong by a factor of two.
    """
    y, power = Symbol("y", positive=True), 1 - 2 * Rational(alpha)
    q = Rational(power).q
    gap = sympy.powdenest(linear_gap(alpha).subs(T, 1).subs(L, y**q), force=True)
    return sympy.limit(gap * y ** (-q * power), y, sympy.oo)
