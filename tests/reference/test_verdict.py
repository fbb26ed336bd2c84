"""What is known of a derivative: settled or not, its value, radius and texts."""

from fractions import Fraction
from math import inf

import mpmath
import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st

from diffbench.reference.balls import Ball, BallProgram, settled
from diffbench.reference.verdict import Reference, enclosing_text, to_mpf, uncertain
from diffbench.rounding import exact_mpf, round_to

X = sympy.Symbol("x", real=True)
RATIONALS = st.builds(
    lambda n, d, e: Fraction(n, d) * Fraction(2) ** e,
    st.integers(-(10**30), 10**30).filter(bool),
    st.integers(1, 10**30),
    st.integers(-2000, 2000),
)


def settle(ball, digits):
    return settled([ball], digits)[0]


def overflowing(sign=1):
    return BallProgram(sign * sympy.exp(X), X)(Fraction(10**9), 128)


@given(RATIONALS, st.integers(1, 120))
def test_a_tiny_ball_settles_with_its_words(value, digits):
    certain, hi, lo = settle(Ball.around(value, 0, 512), digits)
    assert certain >= digits
    assert hi == round_to(value, "float64")
    assert lo == (round_to(value - Fraction(hi), "float64") if abs(hi) < inf else 0)


@given(RATIONALS, st.integers(4, 60))
def test_a_wide_ball_does_not(value, digits):
    assume(abs(value) > Fraction(1, 2**1100))  # a smaller ball that may be 0 has vanished, and settles as 0
    assert settle(Ball.around(value, abs(value) / 10**digits), digits + 2) is None
    assert settle(Ball(None, 128), digits) is None
    assert settle(Ball.around(value, 2 * abs(value)), 1) is None


def test_what_vanished_is_zero():
    assert settle(Ball.around(Fraction(0), 0, 128), 50) == (38, 0.0, 0.0)
    assert settle(Ball.around(Fraction(0), Fraction(1, 2**1300)), 50) == (361, 0.0, 0.0)
    assert settle(Ball.around(Fraction(1, 2**1400), Fraction(1, 2**1300)), 50) == (361, 0.0, 0.0)
    assert settle(Ball.around(Fraction(0), Fraction(1, 2**1100)), 50) is None
    assert settle(Ball.around(Fraction(1, 2**1400), 0, 300), 50) == (90, 0.0, 0.0), "tiny, and not 0"


def test_what_is_beyond_all_range_is_infinite():
    assert settle(overflowing(), 50) == (0, inf, 0.0)
    assert settle(overflowing(-1), 50) == (0, -inf, 0.0)


@given(st.lists(st.one_of(RATIONALS, st.just(Fraction(0))), max_size=6), st.integers(1, 40))
def test_many_balls_are_settled_as_one_by_one(values, digits):
    balls = [Ball.around(value, abs(value) / 10**45) for value in values]
    balls += [Ball(None, 64), overflowing(), Ball.around(Fraction(1), 1)]
    assert list(settled(balls, digits)) == [settle(ball, digits) for ball in balls]


def reference(ball, verdict="certified", digits=30):
    parts = settle(ball, digits) or (0, None, None)
    return Reference(verdict, "ball", ball, *parts)


@given(RATIONALS)
def test_value_and_radius_enclose_the_truth(value):
    for radius in (Fraction(0), abs(value) / 10**40):
        found = reference(Ball.around(value, radius, 300))
        assert abs(exact_mpf(found.value) - value) + radius <= exact_mpf(found.radius)
        assert exact_mpf(found.radius) <= radius * 2 + abs(value) / 2**280


def test_a_value_is_there_only_if_it_is_settled():
    ball = Ball.around(Fraction(1, 3), 0)
    for verdict, is_settled in (
        ("certified", True),
        ("agreed", True),
        ("uncertain", False),
        ("nondifferentiable", False),
    ):
        found = reference(ball, verdict)
        assert found.is_settled == is_settled
        assert (found.value is not None) == is_settled
    assert reference(ball, "nondifferentiable").radius == mpmath.inf
    assert Reference("uncertain").radius == mpmath.inf


def test_the_value_of_what_vanished_or_overflowed():
    vanished = reference(Ball.around(Fraction(1, 2**1400), Fraction(1, 2**1300)))
    assert vanished.value == 0
    assert Fraction(1, 2**1300) < exact_mpf(vanished.radius) <= Fraction(1, 2**1300) * (1 + Fraction(1, 2**20))
    for sign in (1, -1):
        beyond = reference(overflowing(sign))
        assert (beyond.value, beyond.hi, beyond.lo, beyond.radius) == (sign * mpmath.inf, sign * inf, 0, mpmath.inf)


def test_the_bound_of_what_is_uncertain_covers_the_ball():
    """|value| is below the radius that is told, in the attribute and in the reason."""
    found = uncertain("no luck", Ball.around(Fraction(3), 1))
    assert (found.verdict, found.value, found.hi, found.lo) == ("uncertain", None, None, None)
    assert exact_mpf(found.radius) >= 4
    assert found.reason == "no luck; its absolute value is below 4.04"
    assert uncertain("no luck").reason == "no luck"
    assert uncertain("no luck", method="mpmath").method == "mpmath"


@given(st.fractions(max_denominator=10**30))
def test_rationals_become_mpmath_numbers(value):
    number = to_mpf(value)
    assert abs(exact_mpf(number) - value) <= abs(value) / 2**63
    if value.denominator & (value.denominator - 1) == 0:
        assert exact_mpf(number) == value


def test_long_binary_rationals_are_exact_whatever_the_precision_of_mpmath():
    value = Fraction(3**400, 2**300)
    with mpmath.workprec(20):
        assert exact_mpf(to_mpf(value)) == value
    assert to_mpf(inf) == mpmath.inf


@given(RATIONALS, st.integers(1, 60), st.sampled_from((0, 10**20, 10**45)))
def test_texts_enclose_the_ball(value, digits, parts):
    radius = abs(value) / parts if parts else Fraction(0)
    found = reference(Ball.around(value, radius, 300), digits=1)
    assume(found.hi is not None)
    text = enclosing_text(found, digits)
    assert abs(Fraction(text["value"]) - value) + radius <= Fraction(text["radius"])
    written = text["value"].lower().partition("e")[0].strip("-").replace(".", "").lstrip("0")
    assert len(written.rstrip("0")) <= max(digits, 1)


def test_texts_tell_no_more_digits_than_are_certain():
    text = enclosing_text(reference(Ball.around(Fraction(1, 3), Fraction(1, 10**36), 300), digits=30), 60)
    assert 30 <= len(text["value"]) <= 38
    assert text["radius"] != "0.0"


@pytest.mark.parametrize(
    ("found", "texts"),
    [
        (Reference("uncertain"), {"value": None, "radius": "+inf"}),
        (Reference("nondifferentiable", left=1, right=2), {"value": None, "radius": "+inf"}),
        (
            Reference("certified", "ball", Ball.around(Fraction(0), 0, 128), 38, 0.0, 0.0),
            {"value": "0.0", "radius": "0.0"},
        ),
        (
            Reference("certified", "ball", Ball.around(Fraction(1, 2), 0, 128), 38, 0.5, 0.0),
            {"value": "0.5", "radius": "0.0"},
        ),
        (Reference("certified", "ball", Ball.beyond_range(-1), 0, -inf, 0.0), {"value": "-inf", "radius": "+inf"}),
    ],
)
def test_texts_of_what_is_no_common_number(found, texts):
    assert enclosing_text(found, 20) == texts
