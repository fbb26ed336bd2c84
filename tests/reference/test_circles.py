"""Cauchy's integral: derivatives of every function of the grammar that is analytic, and none across a cut."""

from fractions import Fraction
from itertools import islice

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from witnesses import ELEMENTARY, RIGHT_DIGITS, SPECIAL, Witness, X, enclosed, relative_radius, special_slow

from diffbench import parse_formula
from diffbench.functions.symbolic import to_sympy
from diffbench.reference.balls import HardError
from diffbench.reference.circles import CircleProgram
from diffbench.reference.program import NoBallError

BITS = 160
COVERED = [witness for witness in (*ELEMENTARY, *SPECIAL) if not witness.text.startswith(("erfinv", "erfcinv"))]
ON_THE_CUT = {("Ei(x)", "-3/2"), ("li(x)", "1/3"), ("binomial(x, 5/2)", "-3/2"), ("hyper([-2, 1], [3], x)", "1")}
"""Real on the cut of the complex function; 0/0 as SymPy writes it; where other functions of that name have a cut."""


def circles(text, x, derivative, bits=BITS, *, hole=False):
    return CircleProgram(to_sympy(parse_formula(text, "x")), X).derivatives(Fraction(x), derivative, bits, hole=hole)


def best(balls):
    return min(balls, key=lambda ball: ball.radius)


@pytest.mark.parametrize(
    ("place", "derivative"),
    [(0, 4), *(pytest.param(*each, marks=pytest.mark.slow) for each in [(0, 1), (1, 1), (1, 4)])],
)
@pytest.mark.parametrize("witness", special_slow(COVERED), ids=str)
def test_circles_enclose_what_mpmath_computes_to_sixty_digits(witness, place, derivative):
    program = CircleProgram(witness.expression, X)
    for point in witness.points[place : place + 1]:
        truth = witness.truth(point, derivative)
        found = list(islice(program.derivatives(Fraction(point), derivative, BITS), 5))
        assert all(enclosed(ball, truth, RIGHT_DIGITS) for ball in found if ball.is_finite)
        if (witness.text, point) in ON_THE_CUT:
            assert not any(ball.is_finite for ball in found)
        else:
            assert relative_radius(best(found)) < Fraction(1, 2**60)


NEAR_A_SINGULARITY = {
    "sqrt(x**2 + 1/10000)": (lambda x: mpmath.sqrt(x**2 + mpmath.mpf(10) ** -4), "0"),
    "log(x**2 + 1/1000)": (lambda x: mpmath.log(x**2 + mpmath.mpf(10) ** -3), "1/8"),
    "atan(100*x)": (lambda x: mpmath.atan(100 * x), "1/64"),
    "acot(x/100)": (lambda x: mpmath.acot(x / 100), "1"),
    "asinh(100*x)": (lambda x: mpmath.asinh(100 * x), "0"),
    "tanh(100*x)": (lambda x: mpmath.tanh(100 * x), "1/64"),
    "asin(x)": (mpmath.asin, "0.99"),
    "acos(x)": (mpmath.acos, "-0.99"),
    "atanh(x)": (mpmath.atanh, "-0.99"),
    "acosh(x)": (mpmath.acosh, "1.01"),
    "acoth(x)": (mpmath.acoth, "1.01"),
    "asec(x)": (mpmath.asec, "-1.01"),
    "acsc(x)": (mpmath.acsc, "1.01"),
    "asech(x)": (mpmath.asech, "0.99"),
    "acsch(100*x)": (lambda x: mpmath.acsch(100 * x), "1/64"),
    "LambertW(x - 1/E)": (lambda x: mpmath.lambertw(x - mpmath.exp(-1)), "0.01"),
    "(x**2 + 1/100)**Rational(1, 3)": (lambda x: mpmath.cbrt(x**2 + mpmath.mpf("0.01")), "0.5"),
    "(x**2 + 1/100)**x": (lambda x: (x**2 + mpmath.mpf("0.01")) ** x, "0.5"),
    "loggamma(x)": (mpmath.loggamma, "0.01"),
    "gamma(x)": (mpmath.gamma, "-0.99"),
    "zeta(x)": (mpmath.zeta, "1.01"),
    "polylog(3, x)": (lambda x: mpmath.polylog(3, x), "0.99"),
    "elliptic_k(x)": (mpmath.ellipk, "0.99"),
    "Chi(x**2)": (lambda x: mpmath.chi(x**2), "0.125"),
    "li(1 + x**2)": (lambda x: mpmath.li(1 + x**2), "0.125"),
    "besselj(1/3, x)": (lambda x: mpmath.besselj(mpmath.mpf(1) / 3, x), "0.01"),
    "besselk(0, x**2 + 1/100)": (lambda x: mpmath.besselk(0, x**2 + mpmath.mpf("0.01")), "0.5"),
    "expint(1, x**2)": (lambda x: mpmath.e1(x**2), "0.125"),
    "hyper([1, 1/2], [1/3], x)": (lambda x: mpmath.hyp2f1(1, 0.5, mpmath.mpf(1) / 3, x), "0.99"),
    "uppergamma(1/3, x**2)": (lambda x: mpmath.gammainc(mpmath.mpf(1) / 3, x**2), "0.125"),
    "1/(exp(x) - 1)": (lambda x: 1 / mpmath.expm1(x), "0.01"),
}


@pytest.mark.parametrize("text", NEAR_A_SINGULARITY)
def test_a_circle_that_touches_a_cut_or_a_pole_has_no_value(text):
    """Wide circles are looked at as well, which would be wrong."""
    function, point = NEAR_A_SINGULARITY[text]
    truth = Witness(text, function, (point,)).truth(point, 1)
    program = CircleProgram(to_sympy(parse_formula(text)), X)
    radii = [Fraction(1, 4**k) for k in range(9)]
    found = [program._on_circle(Fraction(point), radius, 1, 96, hole=False) for radius in radii]
    assert not found[0].is_finite
    assert all(enclosed(ball, truth, 45) for ball in found if ball.is_finite)
    assert relative_radius(best(found)) < Fraction(1, 2**40)


@given(st.fractions(-2, 2, max_denominator=50), st.fractions("1/50", 2, max_denominator=50), st.integers(0, 3))
@settings(max_examples=25)
def test_whatever_has_a_ball_is_enclosed_wherever_the_poles_lie(a, b, derivative):
    """1/((x − a)² + b²) at 1: derivatives are those of Im 1/(x − a − bi) / b."""
    power = (1, 0)
    for _ in range(derivative + 1):
        power = (power[0] * (1 - a) + power[1] * b, power[1] * (1 - a) - power[0] * b)
    factor = [1, -1, 2, -6][derivative]
    # 1/(u − bi)^n = (u + bi)^n / |u² + b²|^n, and `power` is (u − bi)^n
    exact = factor * -power[1] / ((1 - a) ** 2 + b**2) ** (derivative + 1) / b
    found = islice(circles(f"1/((x - ({a}))**2 + ({b})**2)", 1, derivative, 64), 7)
    finite = [ball for ball in found if ball.is_finite]
    assert finite
    assert all(abs(ball.midpoint - exact) <= ball.radius for ball in finite)


REMOVABLE = [
    ("sin(x)/x", "0", 2, Fraction(-1, 3)),
    ("(1 - cos(x))/x**2", "0", 2, Fraction(-1, 12)),
    ("(exp(x) - 1)/x", "0", 1, Fraction(1, 2)),
    ("log(1 + x)/x", "0", 3, Fraction(-6, 4)),
    ("(x**3 - 8)/(x - 2)", "2", 1, 6),
    ("(x**3 - 8)/(x - 2)", "2", 2, 2),
    ("x*gamma(x)*exp(EulerGamma*x)", "0", 1, 0),
    ("besselj(1, x)/x", "0", 2, Fraction(-1, 8)),
    ("x/tan(x)", "0", 2, Fraction(-2, 3)),
]


@pytest.mark.parametrize(("text", "point", "derivative", "value"), REMOVABLE)
def test_a_ring_goes_around_a_removable_singularity(text, point, derivative, value):
    assert not any(ball.is_finite for ball in islice(circles(text, point, derivative), 8))
    found = list(islice(circles(text, point, derivative, hole=True), 8))
    assert all(abs(ball.midpoint - value) <= ball.radius for ball in found if ball.is_finite)
    assert relative_radius(best(found)) < Fraction(1, 2**50)


@pytest.mark.parametrize("text", ["sqrt(x**2 + x**3)/x", "log(x)", "x**Rational(1, 3)", "atan(1/x)/acot(x)"])
def test_no_ring_goes_across_a_cut(text):
    assert not any(ball.is_finite for ball in islice(circles(text, 0, 1, 64, hole=True), 6))


@pytest.mark.parametrize("witness", [witness for witness in COVERED if witness.elsewhere], ids=str)
def test_where_f_is_not_analytic_there_is_no_circle(witness):
    program = CircleProgram(witness.expression, X)
    for point in witness.elsewhere:
        assert not any(ball.is_finite for ball in islice(program.derivatives(Fraction(point), 1, 32), 12)), point


@pytest.mark.parametrize("text", ["besselj(x, 2)", "bessely(x, 2)", "besseli(x, x)", "besselk(2*x, 1/2)"])
def test_derivatives_by_the_order_of_a_bessel_function(text):
    order, argument = {"besselj(x, 2)": (1, 0), "bessely(x, 2)": (1, 0), "besseli(x, x)": (1, 1)}.get(text, (2, 0))

    def function(x):
        z = x if argument else mpmath.mpf(1) / 2 if order == 2 else mpmath.mpf(2)
        return getattr(mpmath, text.partition("(")[0])(order * x, z)

    truth = Witness(text, function, ("1/3",)).truth("1/3", 2)
    found = best(islice(circles(text, "1/3", 2), 4))
    assert enclosed(found, truth, 55)
    assert relative_radius(found) < Fraction(1, 2**100)


def test_zeros_vanish_with_enough_nodes():
    found = next(iter(circles("exp(x) - 1 - x", 0, 1, 1400)))
    assert found.has_vanished
    assert found.contains_zero


def test_circles_shrink_and_end():
    found = list(circles("1/x", 0, 1, 16))
    assert 10 < len(found) < 100
    assert not any(ball.is_finite for ball in found)


@pytest.mark.parametrize(
    "text", ["Abs(x)", "Max(x, 1)", "erfinv(x)", "atan2(x, x + 2)", "Piecewise((x, x < 1), (2, True))"]
)
def test_what_is_not_analytic_or_not_known_is_named(text):
    with pytest.raises(NoBallError):
        circles(text, "1/2", 1)


def test_what_might_take_without_end_is_refused():
    with pytest.raises(HardError):
        list(circles("besselj(1, x)", 10**7, 1))
