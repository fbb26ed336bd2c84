"""The truncation in balls: against exact fractions, its own series, and at epsilons that no float reaches."""

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from diffbench import Stencil, parse_formula, richardson
from diffbench.errors import InputError, UncertainError
from diffbench.reference.balls import Ball
from diffbench.reference.truncation import (
    TIGHT_BITS,
    combination_of,
    gap_to_leading,
    log2_bound,
    neighbourhood,
    slope,
    truncation,
)
from diffbench.schemes.scheme import catalogue, parse_scheme

rationals = st.fractions(-3, 3, max_denominator=12)
offsets = st.lists(st.fractions(-4, 4, max_denominator=6), min_size=2, max_size=6, unique=True)


def near(formula, x):
    return neighbourhood(parse_formula(formula), Fraction(x))


def encloses(ball, exact):
    """Return whether a ball holds a rational, tightly where that is not 0."""
    distance = abs(ball.midpoint - exact)
    return distance <= ball.radius and (ball.radius <= abs(exact) / 2 ** (TIGHT_BITS - 1) or exact == 0)


def falling(n, m):
    return math.prod(n - i for i in range(m))


# laws -----------------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(offsets, st.integers(1, 4), st.integers(0, 9), rationals, st.integers(0, 400))
def test_of_monomials_it_is_the_exact_fraction(nodes, m, n, x, bits):
    assume(len(nodes) > m)
    stencil, epsilon = Stencil.fit(nodes, m), Fraction(1, 2**bits)
    exact = stencil(lambda t: t**n, x, epsilon) - (falling(n, m) * x ** (n - m) if n >= m else 0)
    assert encloses(truncation(f"x**{n}", stencil, x, epsilon), exact)


@pytest.mark.parametrize("epsilon", [Fraction(1, 3), Fraction(1, 10**40)])
@pytest.mark.parametrize("x", [Fraction(0), Fraction(1, 3), Fraction(-2)])
@pytest.mark.parametrize("n", range(9))
def test_complex_steps_of_monomials_too(n, x, epsilon):
    terms = [math.comb(n, j) * x ** (n - j) * epsilon**j for j in range(n + 1)]
    # i^j and e^(iπj/4), the parts that count.
    first = sum(term * (-1) ** (j // 2) for j, term in enumerate(terms) if j % 2) / epsilon
    second = 2 * sum(-term * (-1) ** (j // 2) for j, term in enumerate(terms) if j and j % 2 == 0) / epsilon**2
    diagonal = 2 * sum(term * (-1) ** (j // 4) for j, term in enumerate(terms) if j % 4 == 2) / epsilon**2
    for name, estimate in (("complex-step", first), ("complex-step-d2", second), ("complex-step-45-d2", diagonal)):
        scheme = parse_scheme(name)
        m = scheme.derivative
        exact = estimate - (falling(n, m) * x ** (n - m) if n >= m else 0)
        assert encloses(truncation(f"x**{n}", scheme, x, epsilon), exact), name


@settings(max_examples=30)
@given(offsets, st.integers(1, 3))
def test_moments_are_those_of_the_stencil(nodes, m):
    assume(len(nodes) > m)
    stencil = Stencil.fit(nodes, m)
    formula = combination_of(stencil)
    assert formula.order == stencil.order
    assert [formula.moment(j) for j in range(12)] == [math.factorial(j) * stencil.moment(j) for j in range(12)]


@pytest.mark.parametrize("derivative", [1, 2, 3, 4])
def test_derivative_order_and_parity_of_the_catalogue(derivative):
    for scheme in catalogue(derivative):
        formula = combination_of(scheme)
        assert (formula.derivative, formula.order) == (scheme.derivative, scheme.order)
        assert [formula.moment(j) for j in range(derivative)] == [0] * derivative
        assert formula.moment(derivative) == math.factorial(derivative)
        symmetric = scheme.name.startswith(("central", "complex", "richardson(central", "richardson-3(central"))
        assert formula.parity == (derivative % 2 if symmetric else None)


def test_an_extrapolation_is_its_equivalent_stencil():
    assert combination_of(parse_scheme("richardson(central-2)")) == combination_of(richardson(Stencil.central()))


@pytest.mark.parametrize("name", ["forward-1", "central-4", "stencil(-1,0,2)", "complex-step", "complex-step-45-d2"])
@pytest.mark.parametrize("formula", ["exp(x)", "sin(1/x)", "log(x)*airyai(x)"])
def test_it_tends_to_the_leading_term_of_its_series(formula, name):
    here, combination = near(formula, "1/3"), combination_of(parse_scheme(name))
    leading = here.series(combination).terms[0]
    gaps = [
        gap_to_leading(here.truncation(combination, epsilon), leading, epsilon)
        for epsilon in (Fraction(1, 2**k) for k in (20, 40, 800))
    ]
    assert gaps[0] < 0.01
    assert gaps[1] < gaps[0] / 10**5
    # Not to its last bit: a coefficient is known to 30 bits or more.
    assert gaps[2] < 1e-9


def test_epsilons_far_below_any_float():
    ball = truncation("exp(x)", Stencil.central(order=8), 0, Fraction(1, 10**600))
    leading = Stencil.central(order=8).error_constant * Fraction(1, 10**4800)
    assert ball.midpoint / leading == pytest.approx(1, rel=1e-15)
    assert ball.radius < abs(leading) / 2**59


def test_the_slope_is_enclosed():
    first, second = Ball.around(Fraction(3), 0), Ball.around(Fraction(-1), 0)
    low, high = slope(first, second, Fraction(2))
    assert low < math.log2(3) < high or math.isclose(low, math.log2(3), rel_tol=1e-15)
    assert 0 < high - low < 1e-14
    wide = slope(Ball.around(Fraction(4), Fraction(1)), second, Fraction(2))
    assert wide[0] <= math.log2(3) < math.log2(5) <= wide[1]


def test_the_bound_of_a_magnitude():
    assert log2_bound(Ball.around(Fraction(-3), Fraction(1))) == pytest.approx(2, abs=1e-6)
    assert log2_bound(Ball.around(Fraction(1, 2**5000), 0)) == pytest.approx(-5000, abs=1e-6)
    assert log2_bound(Ball.around(Fraction(0), 0)) == -math.inf


# series ---------------------------------------------------------------------------------------------------------------


def exponents(formula, name, x):
    series = near(formula, x).series(combination_of(parse_scheme(name)))
    return [power for power, _ in series.terms], series


def test_a_series_begins_with_the_first_term_that_does_not_vanish():
    powers, series = exponents("x**5 + x**7", "central-2", 0)
    assert powers[0] == 4
    assert series.vanished == {2: True}


def test_a_zero_that_no_ball_shows_is_certified_absolutely():
    powers, series = exponents("x*exp(-x)", "forward-3", 4)
    assert powers[0] == 4
    assert series.vanished == {3: False}


def test_both_sides_make_one_series_where_f_is_not_analytic():
    assert exponents("Abs(x)**Rational(3, 2)", "forward-1", 0)[0][0] == Fraction(1, 2)
    assert exponents("Max(0, x)**3", "central-6-d2", 0)[0][0] == 1
    series = exponents("Abs(x)**Rational(3, 2)", "central-4", 0)[1]
    assert (series.terms, series.proof) == ((), "f is even about x")


@pytest.mark.parametrize(
    ("formula", "name", "x", "proof"),
    [
        ("3*x - 1", "forward-1", "1/3", "f is a polynomial of degree 1 around x"),
        ("Abs(x)", "backward-2", "1/3", "f is a polynomial of degree 1 around x"),
        ("(x - 1)**4", "central-2", 1, "f is a polynomial of degree 4 around x, whose terms all cancel"),
        ("Max(0, x)**3", "central-4", 0, "f is a polynomial of degree 3 left and right of x, whose terms all cancel"),
        ("cos(x)", "central-4", 0, "f is even about x"),
        ("7 + sin(x)", "central-4-d2", 0, "f is odd about x, up to a constant"),
        ("log(1 + exp(x))", "central-2", 0, "f is even about x, up to a polynomial whose terms all cancel"),
        ("x*erf(x) + x/2", "central-2", 0, "f is even about x, up to a polynomial whose terms all cancel"),
        (
            "Max(x, 0) + log(1 + exp(-Abs(x)))",
            "central-2",
            0,
            "f is even about x, up to a polynomial whose terms all cancel",
        ),
        ("1/(1 + exp(-x))", "central-2-d2", 0, "f is odd about x, up to a constant"),
        (
            "Piecewise((x, x > 0), (exp(x) - 1, True))",
            "forward-1",
            0,
            "f is a polynomial of degree 1 right of x, whose terms all cancel",
        ),
        ("Piecewise((exp(-1/x**2), x != 0), (0, True))", "forward-1", 0, ""),
    ],
)
def test_a_series_without_terms_says_why(formula, name, x, proof):
    _, series = exponents(formula, name, x)
    assert series.terms == ()
    assert series.proof == proof


# mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "x", "epsilon", "name", "message"),
    [
        ("exp(x)", 0, 0, "central-2", "epsilon: 0 is not above 0"),
        ("log(x)", 1, 2, "central-2", "epsilon: log.x. is not defined, or not real, at a node for 2"),
        ("sin(x)/x", 0, 1, "central-2", "x: sin.x./x is not defined, or not real, at 0"),
        ("Abs(x)", 1, 1, "complex-step", "scheme: f switches between branches"),
        (3.0, 1, 1, "complex-step", "formula: 3.0 is neither"),
    ],
)
def test_what_cannot_be_computed_is_an_input_error(formula, x, epsilon, name, message):
    with pytest.raises(InputError, match=message):
        truncation(formula, parse_scheme(name), x, epsilon)


def test_without_a_derivative_there_is_no_truncation():
    with pytest.raises(UncertainError, match="nondifferentiable: derivative 1 has a jump at 0"):
        truncation("Abs(x)", Stencil.forward(), 0, "0.1")


def test_what_is_no_scheme_is_refused():
    for scheme in ("central-2", Stencil([0], [1])):
        with pytest.raises(InputError, match="scheme"):
            truncation("x", scheme, 0, 1)
