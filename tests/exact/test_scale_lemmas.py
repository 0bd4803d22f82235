"""The lemmas of the algebra, each against exact Gaussian moments of linear nets at finite n and L."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from sympy import Integer, Matrix, Rational

from powercount.derivations.limits import ClosedForm, L, n, r
from powercount.derivations.named import named_recipe
from powercount.derivations.scale import ONE, ZERO, Scale, added, aligned, independent, over_depth, product

QUARTERS = st.integers(min_value=-8, max_value=8).map(lambda count: Rational(count, 4))
SCALES = st.one_of(st.just(ZERO), st.builds(Scale, QUARTERS, QUARTERS))


def matrices(count, width):
    """``count`` square matrices of symbols, and all of their entries."""
    made = [Matrix(width, width, sympy.symbols(f"w{index}_:{width * width}", real=True)) for index in range(count)]
    return made, [entry for matrix in made for entry in matrix]


def mean_square(vector):
    """|v|^2 per coordinate."""
    return vector.dot(vector) / len(vector)


def squared(scale, width, depth):
    """n^(2a) L^(2b)."""
    return Integer(width) ** (2 * scale.width) * Integer(depth) ** (2 * scale.depth)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_independent_matrix_gives_the_root_of_n(width, gaussian_mean):
    """E |W v|^2 = n s^2 |v|^2 for W of independent entries of size s: exactly (n^(1/2))^2."""
    (matrix,), normals = matrices(1, width)
    vector, s = Matrix(sympy.symbols(f"v:{width}", real=True)), sympy.Symbol("s")
    ratio = gaussian_mean(mean_square(s * matrix * vector), normals) / (s**2 * mean_square(vector))
    assert sympy.simplify(ratio) == squared(independent, width, 1)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_aligned_vectors_give_n(width, gaussian_mean):
    """<z, z> = n |z|^2, and E W W^T v = n v: the whole of v comes back, times n."""
    (matrix,), normals = matrices(1, width)
    vector = Matrix(sympy.symbols(f"v:{width}", real=True))
    back = (matrix * matrix.T * vector).applyfunc(lambda entry: gaussian_mean(entry, normals))
    n_to_the_one = Integer(width) ** aligned.width
    assert back == n_to_the_one * vector
    assert sympy.expand(vector.dot(vector) - n_to_the_one * mean_square(vector)) == 0


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_independent_blocks_add_incoherently(width, depth, gaussian_mean):
    """E |sum_l W_l v|^2 = L E |W v|^2: exactly (L^(1/2))^2."""
    blocks, normals = matrices(depth, width)
    vector = Matrix(sympy.symbols(f"v:{width}", real=True))
    one = gaussian_mean(mean_square(blocks[0] * vector), normals)
    every = gaussian_mean(mean_square(sum((block * vector for block in blocks), sympy.zeros(width, 1))), normals)
    assert sympy.expand(every - squared(over_depth(ONE, coherent=False), width, depth) * one) == 0


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_blocks_that_push_along_one_vector_add_coherently(width, depth, gaussian_mean):
    """E sum_l W_l W_l^T g = L n g, and only the fluctuation adds like L: E |sum|^2 = (L^2 n^2 + L n (n + 1)) |g|^2."""
    blocks, normals = matrices(depth, width)
    vector = Matrix(sympy.symbols(f"g:{width}", real=True))
    pushed = sum((block * block.T * vector for block in blocks), sympy.zeros(width, 1))
    mean = pushed.applyfunc(lambda entry: gaussian_mean(entry, normals))
    assert mean == depth ** over_depth(ONE, coherent=True).depth * width * vector
    square = gaussian_mean(mean_square(pushed), normals)
    exact = (depth**2 * width**2 + depth * width * (width + 1)) * mean_square(vector)
    assert sympy.expand(square - exact) == 0


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_linear_nets_have_their_closed_forms_at_finite_n(width, depth, gaussian_mean):
    """Linear, k = 1: E |h_L|^2 = q_0 r^L and tr K_L = r^L t_0 + L r^(L-1) e rho q_0 are exact at any n and L."""
    recipe = named_recipe("depth-mup", layers=1, activation="linear")
    form, sizes = ClosedForm(recipe), {n: width, L: depth, r: 1 + Rational(1, depth)}
    blocks, normals = matrices(depth, width)
    maps = [sympy.eye(width) + block / sympy.sqrt(depth * width) for block in blocks]
    stream = [Matrix([1] * width)]
    for each in maps:
        stream.append(each * stream[-1])
    assert gaussian_mean(mean_square(stream[-1]), normals) == form.stream(L).subs(sizes)

    # Rates of n: the input moves the stream by n g, a hidden matrix its own block by n |z|^2 g.
    kernel = width * sympy.eye(width)
    for each, incoming in zip(maps, stream, strict=False):
        own = Rational(width, depth) * mean_square(incoming)
        kernel = each * kernel * each.T + own * sympy.eye(width)
    trace, _ = form.kernel(frozenset(("input", "hidden1")), L)
    assert gaussian_mean(kernel.trace() / width, normals) == trace.subs(sizes)


@given(first=QUARTERS, second=QUARTERS, front=st.fractions(min_value=Fraction(1, 9), max_value=9, max_denominator=9))
def test_a_finite_sum_keeps_the_larger_power(first, second, front):
    """x^a + c x^b, c > 0: the local slope tends to max(a, b)."""
    x = sympy.Symbol("x", positive=True)
    total = x**first + Rational(front) * x**second
    slope = sympy.limit(x * total.diff(x) / total, x, sympy.oo)
    assert slope == added(Scale(first), Scale(second)).width


@given(one=SCALES, two=SCALES, three=SCALES)
def test_scales_are_an_algebra(one, two, three):
    """Products and sums commute and associate, products distribute over sums, 1 and 0 are what they should be."""
    assert product(one, two) == product(two, one)
    assert product(product(one, two), three) == product(one, product(two, three))
    assert added(one, two) == added(two, one)
    assert added(added(one, two), three) == added(one, added(two, three))
    assert added(one, one) == one
    assert one * added(two, three) == added(one * two, one * three)
    assert one * ONE == one
    assert one * ZERO == ZERO
    assert added(one, ZERO) == one
    assert one**2 == one * one
    assert over_depth(over_depth(one, coherent=False), coherent=False) == over_depth(one, coherent=True)
