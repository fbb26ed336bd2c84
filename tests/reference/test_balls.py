"""Programs on balls: true enclosures, coverage, and FLINT's global precision."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import inf

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from oracle import NotRealError, UndecidedError, value_at
from witnesses import ALL, enclosed

from diffbench import parse_formula
from diffbench.functions.suites import BUILT_IN, load_suite
from diffbench.functions.symbolic import to_sympy, to_unevaluated_sympy, variable_symbol
from diffbench.reference.balls import Ball, BallProgram, HardError, precision
from diffbench.reference.program import NoBallError
from diffbench.rounding import round_to

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
    assert Ball.around(Fraction(1), Fraction(1)).contains_zero
    assert not Ball.around(Fraction(1), Fraction(1, 2)).contains_zero
    assert Ball.around(Fraction(0), Fraction(0)).contains_zero
    assert not program("sin(x)")(Fraction(3), 128).contains_zero


def test_functions_that_are_not_covered_are_named():
    with pytest.raises(NoBallError, match=r"Derivative|Subs|zeta"):
        program("zeta(x)", 1)
    with pytest.raises(NoBallError, match="floor"):
        BallProgram(sympy.floor(X), X)


@pytest.mark.parametrize("suite", [each for each in BUILT_IN if each != "models"])
def test_all_functions_of_the_suites_are_covered(suite):
    lines = [line for function in load_suite(suite).functions for line in function.along_lines("float64")[:1]]
    for function in lines:
        expression = to_sympy(function.formula).replace(sympy.sinc, lambda u: sympy.sin(u) / u)
        if expression.has(sympy.Piecewise):
            continue
        run = BallProgram(expression, variable_symbol(function.formula))
        assert any(run(point, 64).is_finite for point in function.points), function.name


def test_equal_subexpressions_run_once():
    run = program("exp(sin(x)) + cos(exp(sin(x)))*exp(sin(x))")
    assert run.size == 5


def test_the_global_precision_is_given_back():
    before = flint.ctx.prec
    program("exp(x)")(Fraction(1), 777)
    assert flint.ctx.prec == before
    BallProgram(X, X).at_points([Fraction(1)], 333)
    Ball.around(Fraction(1, 3), 0).minus(Ball.around(Fraction(1, 7), 0)).words()
    assert flint.ctx.prec == before
    with pytest.raises(ZeroDivisionError), precision(555):
        1 / 0  # noqa: B018  (it is to raise)
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


# What a ball says -----------------------------------------------------------------------------------------------------

U = Fraction(1, 2**53)
UNDERFLOW = Fraction(1, 2**1074)
TRUTHS = st.builds(
    lambda n, d, e: Fraction(n, d) * Fraction(2) ** e,
    st.integers(-(10**40), 10**40).filter(bool),
    st.integers(1, 10**40),
    st.integers(-1150, 800),
)


def pair_of(truth):
    hi = round_to(truth, "float64")
    return hi, round_to(truth - Fraction(hi), "float64")


@given(TRUTHS)
@example(Fraction(3, 2**1075))
@example(1 + Fraction(1, 2**53) + Fraction(1, 2**300))
@example(-(1 + Fraction(3, 2**53)) * 2**900)
@settings(max_examples=300)
def test_a_small_ball_has_the_words_of_its_midpoint(truth):
    ball = Ball.around(truth, 0, 512)
    assume(ball.midpoint != 0)
    words = ball.words()
    assert words == pair_of(truth)
    hi, lo = map(Fraction, words)
    assert abs(truth - hi) <= max(U * abs(truth), UNDERFLOW / 2)
    assert abs(truth - hi - lo) <= max(U * U * abs(truth), UNDERFLOW / 2)


@given(TRUTHS, st.integers(1, 10**6), st.integers(20, 400))
@settings(max_examples=200)
def test_words_are_those_of_every_number_in_the_ball(truth, n, bits):
    """Both ends of the ball, and what lies between, round to the words; if they do not, there are none."""
    radius = abs(truth) * Fraction(n, 10**6) / 2**bits
    ball = Ball.around(truth, radius)
    words, ends = ball.words(), [truth + part * radius for part in (-1, Fraction(1, 3), 1)]
    if words is not None:
        for end in ends:
            hi, lo = pair_of(end)
            assert hi == words[0]
            assert lo == words[1] or abs(truth - Fraction(hi)) < Fraction(1, 2**1000)
    elif bits > 140:
        assert any(pair_of(end) != pair_of(truth) for end in ends) or abs(truth) < UNDERFLOW or at_a_tie(truth)


def at_a_tie(truth):
    """Where rounding is undecided for so small a ball: the number, or what is left of it, is nearly between two."""
    hi, lo = (Fraction(word) for word in pair_of(truth))
    return any(
        min(abs(abs(rest) / unit - Fraction(1, 2)), abs(rest) / unit) < Fraction(1, 2**20)
        for rest, unit in ((truth - hi, 2 * U * abs(hi)), (truth - hi - lo, 2 * U * abs(lo)))
        if unit
    )


def test_a_ball_that_rounds_to_two_numbers_has_no_words():
    tie = 1 + U
    assert Ball.around(tie, 0).words() == (1.0, float(U))
    assert Ball.around(tie, U / 2**10).words() is None
    assert Ball.around(Fraction(1, 3), U / 2**50).words() is None, "lo is not settled"
    assert Ball.around(Fraction(1, 3), U / 2**120).words() == pair_of(Fraction(1, 3))


def test_an_exact_number_is_settled_by_a_vanished_rest():
    assert Ball.around(Fraction(1), Fraction(1, 2**1000)).words() is None
    assert Ball.around(Fraction(1), Fraction(1, 2**1201)).words() == (1.0, 0.0)


def test_beyond_the_range_hi_is_infinite():
    assert Ball.around(Fraction(10) ** 400, Fraction(1)).words() == (inf, 0.0)
    assert Ball.around(-(Fraction(10) ** 400), Fraction(1)).words() == (-inf, 0.0)
    largest = Fraction(np.finfo(np.float64).max)
    assert Ball.around(largest, 0).words() == (float(largest), 0.0)
    assert Ball.around(largest + Fraction(2) ** 969, 0).words() == (float(largest), 2.0**969)
    assert Ball.around(largest + Fraction(2) ** 970, 0).words() == (inf, 0.0), "half way to the next is infinity"


@given(st.fractions(-(10**6), 10**6), st.fractions(0, 1))
def test_midpoint_and_radius_are_taken_over_exactly(midpoint, radius):
    ball = Ball.around(midpoint, radius, 300)
    assert abs(ball.midpoint - midpoint) + radius <= ball.radius
    assert ball.radius - radius <= radius / 2**20 + abs(midpoint) / 2**290


def test_balls_that_differ_are_not_equal_and_equal_ones_have_the_same_hash():
    third, same, other = (Ball.around(Fraction(1, 3), radius) for radius in (0, 0, Fraction(1, 2**100)))
    assert third == same
    assert hash(third) == hash(same)
    assert third != other
    assert third != Ball.around(Fraction(1, 3), 0, 300)
    assert Ball(None, 64) == Ball(None, 64) != third
    assert third != "1/3"


@pytest.mark.parametrize(
    "ball",
    [
        Ball(None, 128),
        Ball.around(Fraction(1, 3), 0),
        Ball.around(Fraction(-7, 3), Fraction(1, 10**30), 200),
        Ball.around(Fraction(0), 0),
        Ball.around(Fraction(1, 3), inf),
        Ball.beyond_range(-1),
        BallProgram(sympy.exp(X), X)(Fraction(10**9), 128),
        BallProgram(sympy.exp(-X), X)(Fraction(10**9), 128),
        BallProgram(sympy.sin(X), X)(Fraction(1, 3), 1000),
    ],
)
def test_a_ball_comes_back_from_another_process(ball):
    again = pickle.loads(pickle.dumps(ball))  # noqa: S301  (our own ball)
    assert again == ball
    assert (again.midpoint, again.radius, again.overflow) == (ball.midpoint, ball.radius, ball.overflow)
    assert (again.certified_digits, again.has_vanished) == (ball.certified_digits, ball.has_vanished)
    third = pickle.loads(pickle.dumps(again))  # noqa: S301  (our own ball)
    assert third == ball, "FLINT rounds a radius up each time it is given one"


def test_certified_digits_are_those_of_the_radius():
    for digits in (5, 20, 100):
        radius = Fraction(1, 3 * 10**digits)
        assert digits - 2 <= Ball.around(Fraction(1, 3), radius).certified_digits <= digits
    assert Ball.around(Fraction(1, 3), 1).certified_digits == 0
    assert Ball(None, 128).certified_digits == 0
    assert Ball.around(Fraction(0), Fraction(1, 2**1300)).certified_digits == 361
    assert Ball.around(Fraction(0), Fraction(1, 2**1100)).certified_digits == 0
    assert Ball.around(Fraction(1, 2), 0, 100).certified_digits == 30, "at most those of the working precision"


def test_signs_and_overflow():
    assert [Ball.around(Fraction(n), Fraction(1, 2)).sign for n in (-1, 0, 1)] == [-1, 0, 1]
    assert Ball.around(Fraction(1), 1).sign == 0
    huge = program("exp(x)")(Fraction(10**9), 128)
    assert (huge.overflow, huge.radius, huge.midpoint > 2**131072) == (1, inf, True)
    assert Ball.around(Fraction(2) ** 1000, 0).overflow == 0
    assert Ball.beyond_range(-1).overflow == -1


def test_what_is_too_large_to_enclose_is_not_what_does_not_exist():
    assert program("exp(exp(exp(x)))")(Fraction(10), 128).is_unbounded
    for text in (
        "log(x)",
        "1/x",
        "erfinv(x + 1)",
        "atanh(1 + x)",
        "gamma(x)",
        "zeta(1 + x)",
        "tan(1/x)",
        "sqrt(x - 1)",
    ):
        assert not program(text)(Fraction(0), 128).is_unbounded, text


@pytest.mark.parametrize(
    "text",
    [
        "sign(1/x)",
        "Heaviside(log(x))",
        "sinc(1/x)",
        "cos(atan2(x/x, x))",
        "(1/x)**0",
        "(x/x)**(x - x)",
        "erfc(erfinv(1 + x))",
    ],
)
def test_what_has_no_value_has_none_inside_a_bounded_function(text):
    written = to_unevaluated_sympy(parse_formula(text))
    assert not BallProgram(written, X)(Fraction(0), 128).is_finite


NOT_SUMMED = {("hyper([1, 1, 1/2], [3/2, 2], x)", "1")}
"""FLINT has no value where the series ends to converge, though there is one."""


@pytest.mark.parametrize("witness", [each for each in ALL if each.elsewhere], ids=str)
def test_values_at_points_without_a_derivative_are_what_mpmath_says(witness):
    """Where f has a value but no derivative, such as √0, it is enclosed; where it has none, there is no ball."""
    for point in witness.elsewhere:
        if (witness.text, point) in NOT_SUMMED:
            continue
        ball = BallProgram(witness.written, X)(Fraction(point), 200)
        try:
            truth = value_at(parse_formula(witness.text), Fraction(point), 400)
        except (NotRealError, UndecidedError):
            truth = None
        if truth is None or abs(truth) > mpmath.mpf(10) ** 100:
            assert not ball.is_unbounded, "a pole, which mpmath may miss by rounding"
        else:
            assert ball.is_finite, point
            assert enclosed(ball, truth, 40), point


def test_roots_of_zero_are_zero():
    for text in ("cbrt(x)", "x**Rational(4, 3)", "x**Rational(1, 2)", "Abs(x)**Rational(7, 5)"):
        assert program(text)(Fraction(0), 128).is_zero, text
    assert not program("x**Rational(-1, 3)")(Fraction(0), 128).is_finite


@pytest.mark.parametrize("text", ["besselj(1, x)", "bessely(2, x)", "zeta(x)", "polygamma(2, x)", "hyper([1], [2], x)"])
def test_what_might_take_without_end_is_refused(text):
    assert program(text)(Fraction(7, 3), 128).is_finite
    for x, bits in ((Fraction(10**9), 128), (Fraction(7, 3), 10**5)):
        with pytest.raises(HardError):
            program(text)(x, bits)
