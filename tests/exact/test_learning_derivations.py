"""Feature learning in a two-layer linear network: the reduction is an identity, and every exponent has two roads."""

from __future__ import annotations

import pytest
import sympy
from sympy import Rational

from powercount.derivations.recipe import QuestionError
from powercount.derivations.scaling_laws import learning
from powercount.derivations.scaling_laws.learning import ALPHA, BETA, CHI, COMPUTE, TAU, TIME
from powercount.derivations.scaling_laws.spectra import A, B

BETAS = [Rational(1, 4), Rational(1, 2), Rational(3, 4), Rational(3, 2), Rational(2)]


@pytest.mark.parametrize("modes", [2, 3])
def test_features_and_readout_keep_one_another(modes):
    """Q Q^T - gamma p p^T does not move, whatever Q, p, w and Lambda."""
    assert learning.conserved(modes) == sympy.zeros(modes, modes)


def test_the_reduced_flow_is_exact():
    """Q^T Q + gamma |p|^2 is (1 + gamma s) I + gamma s qhat qhat^T, and |q|^2 = s (1 + gamma s)."""
    left, norm = learning.reduction()
    assert left == sympy.zeros(2, 2)
    assert norm == 0


def test_the_loss_at_the_clock_is_a_power():
    """The source's integral gives tau^(-beta) exactly."""
    assert sympy.simplify(learning.line("loss/tau^-1").value - BETA) == 0


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("gamma", [Rational(1), Rational(100)])
def test_chi_two_roads(beta, gamma):
    """beta max(1, 2/(1 + beta)) is the limit with all terms kept, and does not depend on gamma."""
    assert learning.chi_by_limit(beta, gamma) == learning.chi(beta, rich=True)


@pytest.mark.parametrize("beta", BETAS)
def test_what_has_been_learned_is_the_integral(beta):
    """|q|^2 is the integral of beta lambda^(beta - 2) over lambda from 1/tau to 1."""
    x = sympy.Symbol("x", positive=True)
    found = sympy.integrate(beta * x ** (beta - 2), (x, 1 / TAU, 1))
    assert sympy.simplify(found - learning.learned(beta)) == 0


def test_chi_is_the_weight_of_time_under_rescaling():
    """The third road: 2 beta/(1 + beta) from the symmetry of the flow, with the rank-one term in it."""
    assert sympy.simplify(learning.chi_by_scaling() - 2 * BETA / (1 + BETA)) == 0


def test_chi_is_the_loss_over_the_clock():
    """The closed form is the ratio of the lines it rests on, below one and above."""
    for beta in BETAS:
        ratio = (learning.line("loss/tau^-1").value / learning.line("t/tau").value).subs(BETA, beta)
        assert sympy.simplify(ratio - learning.chi(beta, rich=True)) == 0


def test_easy_tasks_gain_nothing():
    """Above beta = 1 rich and lazy exponents are the same, below they are not."""
    for beta in BETAS:
        gain = learning.chi(beta, rich=True) - learning.chi(beta, rich=False)
        assert (gain == 0) if beta > 1 else (gain == beta * (1 - beta) / (1 + beta))


def test_the_correction_is_the_next_term():
    """(1 + gamma s)/(sqrt(gamma) |q|) - 1 falls as |q|^(-1), with coefficient 1/2 at gamma = 1."""
    size = sympy.Symbol("size", positive=True)
    rest = learning.growth(size**2, sympy.Integer(1)) / size - 1
    assert sympy.limit(rest * size, size, sympy.oo) == Rational(1, 2)
    assert learning.correction(Rational(1, 2)) == Rational(1, 3)
    assert learning.correction(Rational(3, 2)) == Rational(1, 2)
    assert learning.correction(3) == 1


def test_the_lazy_exponent_two_roads():
    """(a - 1)/b from the source and from the loss in closed form."""
    assert sympy.simplify(learning.lazy_exponent() - (A - 1) / B) == 0
    local = -TIME * sympy.diff(sympy.log(learning.lazy_loss()), TIME)
    assert sympy.simplify(local - (A - 1) / B) == 0


def test_the_compute_optimum_two_roads():
    """alpha beta chi/(alpha beta + chi), and the least loss over that power does not depend on C; it is a minimum."""
    expected = ALPHA * BETA * CHI / (ALPHA * BETA + CHI)
    assert sympy.simplify(learning.compute_exponent() - expected) == 0
    for alpha, beta, chi in ((2, Rational(1, 2), Rational(2, 3)), (3, Rational(3, 2), Rational(3, 2))):
        values = {ALPHA: alpha, BETA: beta, CHI: chi}
        level = [learning.least_loss().subs(values).subs(COMPUTE, each) for each in (10**3, 10**6)]
        slope = sympy.log(level[0] / level[1]) / sympy.log(10**3)
        assert abs(sympy.N(slope - expected.subs(values), 30)) < Rational(1, 10**20)
        best = sympy.exp(learning.compute_optimum()).subs(values).subs(COMPUTE, 10**3)
        for moved in (best * Rational(9, 10), best * Rational(11, 10)):
            other = (10**3 / moved) ** -chi + moved ** (-alpha * beta)
            assert sympy.N(other - level[0], 30) > 0


def test_the_exponent_of_compute_at_a_point():
    """alpha = 2, beta = 1/2: 1/3 lazily, 2/5 with features that learn."""
    assert learning.compute_at(2, Rational(1, 2), rich=False) == Rational(1, 3)
    assert learning.compute_at(2, Rational(1, 2), rich=True) == Rational(2, 5)


@pytest.mark.parametrize("beta", [0, 1, -1])
def test_where_there_is_no_power_it_says_so(beta):
    """beta = 1 is a logarithm and beta <= 0 no task: a QuestionError with the reason."""
    with pytest.raises(QuestionError, match="logarithm"):
        learning.chi(beta, rich=True)
