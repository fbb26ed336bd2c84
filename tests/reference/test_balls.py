"""Programs on balls: true enclosures, coverage, and FLINT's global precision."""

import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import inf

import flint
import mpmath
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from diffbench import parse_formula
from diffbench.functions.suites import BUILT_IN, load_suite
from diffbench.functions.symbolic import to_sympy, variable_symbol
from diffbench.reference.balls import Ball, BallProgram, NoBallError

X = sympy.Symbol("x", real=True)


def program(text, derivative=0):
    return BallProgram(sympy.diff(to_sympy(parse_formula(text)), X, derivative), X)


def encloses(ball, value):
    """Return whether an mpmath number, right to many digits, lies in a ball (up to its own error)."""
    with mpmath.workprec(2000):
        midpoint = mpmath.mpf(ball.midpoint.numerator) / ball.midpoint.denominator
        radius = mpmath.mpf(ball.radius.numerator) / ball.radius.denominator
        return abs(midpoint - value) <= radius + abs(value) * mpmath.mpf(2) ** -400


WITNESSED = {
    "exp(x)/(sin(x)**3 + cos(x)**3)": lambda x: mpmath.exp(x) / (mpmath.sin(x) ** 3 + mpmath.cos(x) ** 3),
    "x**Rational(9, 2)": lambda x: x ** (mpmath.mpf(9) / 2),
    "x**x": lambda x: x**x,
    "gamma(x) + loggamma(x)": lambda x: mpmath.gamma(x) + mpmath.loggamma(x),
    "erf(x) + erfc(x)*erfi(x)": lambda x: mpmath.erf(x) + mpmath.erfc(x) * mpmath.erfi(x),
    "besselj(2, x) - bessely(1, x)": lambda x: mpmath.besselj(2, x) - mpmath.bessely(1, x),
    "besseli(0, x)*besselk(1, x)": lambda x: mpmath.besseli(0, x) * mpmath.besselk(1, x),
    "airyai(x) + airybi(x)": lambda x: mpmath.airyai(x) + mpmath.airybi(x),
    "airyaiprime(x)*airybiprime(x)": lambda x: mpmath.airyai(x, derivative=1) * mpmath.airybi(x, derivative=1),
    "polygamma(2, x) + digamma(x)": lambda x: mpmath.polygamma(2, x) + mpmath.digamma(x),
    "Ei(x) + Si(x) - Ci(x)": lambda x: mpmath.ei(x) + mpmath.si(x) - mpmath.ci(x),
    "Shi(x)*Chi(x)": lambda x: mpmath.shi(x) * mpmath.chi(x),
    "fresnels(x) + fresnelc(x)": lambda x: mpmath.fresnels(x) + mpmath.fresnelc(x),
    "LambertW(x)": mpmath.lambertw,
    "expint(3, x)": lambda x: mpmath.expint(3, x),
    "elliptic_k(-x) + elliptic_e(-x)": lambda x: mpmath.ellipk(-x) + mpmath.ellipe(-x),
    "beta(x, 2.5) + binomial(x, 3)": lambda x: mpmath.beta(x, 2.5) + mpmath.binomial(x, 3),
    "zeta(x + 1)": lambda x: mpmath.zeta(x + 1),
    "acot(x) + acsch(x) + asinh(x)": lambda x: mpmath.acot(x) + mpmath.acsch(x) + mpmath.asinh(x),
    "atan2(x, -2) + sec(x)*csch(x)": lambda x: mpmath.atan2(x, -2) + mpmath.sec(x) * mpmath.csch(x),
    "EulerGamma*x + Catalan/GoldenRatio": lambda x: mpmath.euler * x + mpmath.catalan / mpmath.phi,
    "log(x, 10)": lambda x: mpmath.log(x, 10),
    "factorial(x)": mpmath.factorial,
    "cbrt(x)*sqrt(x)": lambda x: x ** (mpmath.mpf(5) / 6),
}


@pytest.mark.parametrize("text", WITNESSED)
@pytest.mark.parametrize("point", ["1/3", "1.7", "4.25"])
def test_balls_enclose_what_mpmath_computes_to_more_digits(text, point):
    x = Fraction(point)
    run = program(text)
    with mpmath.workprec(460):
        truth = mpmath.re(WITNESSED[text](mpmath.mpf(x.numerator) / x.denominator))
    for bits in (64, 256):
        ball = run(x, bits)
        assert encloses(ball, truth)
        assert ball.radius < abs(ball.midpoint) / 2 ** (bits - 40)


@given(st.fractions(-20, 20, max_denominator=10**6))
def test_polynomials_are_enclosed_exactly(x):
    exact = x**3 - 2 * x / 7 + Fraction(1, 3)
    ball = program("x**3 - 2*x/7 + 1/3")(x, 128)
    assert abs(ball.midpoint - exact) <= ball.radius


def test_more_bits_make_smaller_balls():
    run = program("exp(x)*sin(x)", 2)
    radii = [run(Fraction(1, 3), bits).radius for bits in (64, 128, 256, 512)]
    assert radii == sorted(radii, reverse=True)
    assert radii[-1] < Fraction(1, 2**480)


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("log(x)", -1),
        ("sqrt(x)", -1),
        ("1/x", 0),
        ("gamma(x)", -2),
        ("asin(x)", 2),
        ("x**Rational(1, 3)", -8),
        ("acosh(x)", 0),
        ("LambertW(x)", -1),
        ("loggamma(x)", -1),
        ("elliptic_k(x)", 2),
        ("zeta(x)", 1),
        ("tan(1/x)", 0),
    ],
)
def test_where_f_is_not_finite_and_real_there_is_no_ball(text, x):
    ball = program(text)(Fraction(x), 128)
    assert not ball.is_finite
    assert ball.radius == inf
    assert ball.contains_zero


def test_a_ball_contains_zero_or_not():
    assert Ball(Fraction(1), Fraction(1), 64).contains_zero
    assert not Ball(Fraction(1), Fraction(1, 2), 64).contains_zero
    assert Ball(Fraction(0), Fraction(0), 64).contains_zero
    assert not program("sin(x)")(Fraction(3), 128).contains_zero


def test_functions_that_are_not_covered_are_named():
    with pytest.raises(NoBallError, match=r"Derivative|Subs|zeta"):
        program("zeta(x)", 1)
    with pytest.raises(NoBallError, match="floor"):
        BallProgram(sympy.floor(X), X)


@pytest.mark.parametrize("suite", BUILT_IN)
def test_all_functions_of_the_suites_are_covered(suite):
    for function in load_suite(suite).functions:
        expression = to_sympy(function.formula).replace(sympy.sinc, lambda u: sympy.sin(u) / u)
        if expression.has(sympy.Piecewise):
            continue
        run = BallProgram(expression, variable_symbol(function.formula))
        assert any(run(point, 64).is_finite for point in function.points), function.name


def test_equal_subexpressions_run_once():
    run = program("exp(sin(x)) + cos(exp(sin(x)))*exp(sin(x))")
    assert len(run._instructions) == 5


def test_the_global_precision_is_given_back():
    before = flint.ctx.prec
    program("exp(x)")(Fraction(1), 777)
    assert flint.ctx.prec == before
    broken = BallProgram(X, X)
    broken._instructions.append((lambda: 1 / 0, ()))
    with pytest.raises(ZeroDivisionError):
        broken(Fraction(1), 555)
    assert flint.ctx.prec == before


def test_threads_get_the_serial_balls():
    run = program("exp(x)/(sin(x)**3 + cos(x)**3)", 2)
    jobs = [(Fraction(n, 97), bits) for n in range(1, 60) for bits in (64, 320, 1500)]
    serial = [run(*job) for job in jobs]
    barrier = threading.Barrier(2)

    def work(order):
        barrier.wait(timeout=20)
        return {job: run(*job) for job in order}

    with ThreadPoolExecutor(2) as pool:
        results = [future.result() for future in (pool.submit(work, jobs), pool.submit(work, jobs[::-1]))]
    for result in results:
        assert [result[job] for job in jobs] == serial
