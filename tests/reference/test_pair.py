"""Errors against two words, and the metrics made of them."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from diffbench.dtypes import PLAIN
from diffbench.reference.pair import (
    correct_digits,
    relative_error,
    signed_error,
    ulp_error,
    unit_in_last_place,
)
from diffbench.rounding import round_to, unit_roundoff

U = Fraction(1, 2**53)
UNDERFLOW = Fraction(1, 2**1074)


def pair_of(truth):
    hi = round_to(truth, "float64")
    return hi, round_to(truth - Fraction(hi), "float64")


def error_of(estimate, truth, dtype="float64"):
    hi, lo = pair_of(truth)
    return float(signed_error(np.array([estimate], dtype=dtype), np.array([hi]), np.array([lo]))[0])


def check_error(estimate, truth):
    exact = Fraction(float(estimate)) - truth
    got = error_of(estimate, truth, getattr(estimate, "dtype", "float64"))
    assert abs(Fraction(got) - exact) <= max(4 * U * abs(exact), UNDERFLOW), (estimate, float(truth))


TRUTHS = st.builds(
    lambda n, d, e: Fraction(n, d) * Fraction(2) ** e,
    st.integers(-(10**40), 10**40).filter(bool),
    st.integers(1, 10**40),
    st.integers(-900, 800),
)


@given(TRUTHS, st.integers(-3, 3))
@example(Fraction(1, 3), 0)
@example(1 - Fraction(1, 10**30), 0)
@example(1 + Fraction(1, 2**53), 1)
@settings(max_examples=300)
def test_close_estimates_have_errors_to_a_few_u_relative_to_the_error(truth, steps):
    estimate = np.array([round_to(truth, "float64")])
    for _ in range(abs(steps)):
        estimate = np.nextafter(estimate, math.copysign(math.inf, steps))
    check_error(estimate[0], truth)


@given(TRUTHS, st.floats(-1, 1), st.integers(-60, 10))
@settings(max_examples=300)
def test_far_estimates_too(truth, part, exponent):
    estimate = round_to(truth * (1 + Fraction(part) * Fraction(2) ** exponent), "float64")
    assume(math.isfinite(estimate))
    check_error(estimate, truth)


@given(TRUTHS, st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_unrelated_estimates_too(truth, estimate):
    check_error(estimate, truth)


@given(st.fractions(-100, 100, max_denominator=10**25), st.sampled_from(["float16", "float32"]), st.integers(-2, 2))
def test_estimates_of_small_dtypes_are_widened_exactly(truth, dtype, steps):
    estimate = np.array([round_to(truth, dtype)], dtype=dtype)
    for _ in range(abs(steps)):
        estimate = np.nextafter(estimate, np.array([math.copysign(math.inf, steps)], dtype=dtype))
    check_error(estimate[0], truth)


def test_where_the_estimate_is_hi_the_error_is_minus_lo():
    hi, lo = pair_of(Fraction(1, 3))
    assert lo != 0
    assert error_of(hi, Fraction(1, 3)) == -lo
    assert error_of(hi, Fraction(1, 3)) != 0, "one word alone would say that the error is 0"
    assert error_of(0.5, Fraction(1, 2)) == 0


@given(st.integers(-(2**80), 2**80), st.integers(-3, 3))
def test_subnormal_results_are_within_one_unit_of_the_smallest_number(n, steps):
    truth = Fraction(n, 2**1110)
    estimate = round_to(truth, "float64") + steps * 5e-324
    exact = Fraction(estimate) - truth
    assert abs(Fraction(error_of(estimate, truth)) - exact) <= UNDERFLOW


def test_errors_of_what_is_not_finite_are_not_finite_and_quiet():
    errors = signed_error(np.array([np.nan, np.inf, 1e308]), np.array([1.0, 1.0, -1.7e308]), np.zeros(3))
    assert np.isnan(errors[0])
    assert np.isinf(errors[1:]).all()


def test_errors_broadcast_over_schemes_points_and_epsilons():
    hi, lo = np.array([[1.0], [2.0]]), np.zeros((2, 1))
    assert signed_error(np.ones((3, 2, 4), dtype=np.float32), hi, lo).shape == (3, 2, 4)
    assert signed_error(np.ones((3, 2, 4), dtype=np.float32), hi, lo).dtype == np.float64


# Metrics --------------------------------------------------------------------------------------------------------------


def ulp_of(truth, dtype):
    """The spacing in the binade of an exact truth, from first principles."""
    info = np.finfo(dtype)
    exponent = 0
    while abs(truth) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while abs(truth) < Fraction(2) ** exponent:
        exponent -= 1
    return Fraction(2) ** max(exponent - info.nmant, int(info.minexp) - info.nmant)


@given(st.sampled_from(PLAIN), st.fractions(max_denominator=10**20).filter(bool), st.integers(-40, 40))
@example("float64", 1 - Fraction(1, 10**18), 0)
@example("float64", 1 + Fraction(1, 10**18), 0)
@example("float32", Fraction(-1) + Fraction(1, 10**18), 0)
@example("float16", Fraction(1, 3), -24)
def test_the_unit_is_that_of_the_truths_own_binade(dtype, value, exponent):
    truth = value * Fraction(2) ** exponent
    hi, lo = pair_of(truth)
    assert Fraction(float(unit_in_last_place(np.array([hi]), np.array([lo]), dtype)[0])) == ulp_of(truth, dtype)


def test_just_below_a_power_of_two_the_unit_is_the_smaller_one():
    hi, lo = np.array([1.0, 1.0, 1.0, -1.0]), np.array([-1e-20, 0.0, 1e-20, 1e-20])
    assert unit_in_last_place(hi, lo, "float64").tolist() == [2.0**-53, 2.0**-52, 2.0**-52, 2.0**-53]
    assert ulp_error(np.full(4, 2.0**-53), hi, lo, "float64").tolist() == [1, 0.5, 0.5, 1]


@pytest.mark.parametrize("dtype", PLAIN)
def test_subnormals_and_zero_have_the_smallest_unit(dtype):
    smallest = float(np.finfo(dtype).smallest_subnormal)
    hi = np.array([0.0, smallest, float(np.finfo(dtype).tiny), -smallest])
    assert unit_in_last_place(hi, np.zeros(4), dtype).tolist() == [smallest] * 4
    assert ulp_error(np.array([smallest * 3]), np.zeros(1), np.zeros(1), dtype).tolist() == [3]


@given(st.sampled_from(PLAIN), st.fractions("1/100", 100, max_denominator=10**6))
def test_a_correctly_rounded_estimate_is_within_half_a_unit(dtype, truth):
    hi, lo = (np.array([part]) for part in pair_of(truth))
    error = signed_error(np.array([round_to(truth, dtype)], dtype=dtype), hi, lo)
    assert ulp_error(error, hi, lo, dtype)[0] <= 0.5


def test_the_error_of_one_number_is_a_number():
    error = signed_error(np.float64(1), np.float64(1), np.float64(2.0**-60))
    assert isinstance(error, np.float64)
    assert error == -(2.0**-60)


def test_relative_errors_are_null_where_the_truth_is_zero():
    got = relative_error(np.array([1.0, -2.0, 0.0]), np.array([0.0, 4.0, -4.0]))
    assert np.isnan(got[0])
    assert got[1:].tolist() == [0.5, 0.0]


@pytest.mark.parametrize("dtype", PLAIN)
def test_digits_are_finite_and_end_at_half_the_unit_roundoff(dtype):
    best = -math.log10(unit_roundoff(dtype) / 2)
    digits = correct_digits(np.array([0.0, unit_roundoff(dtype) / 4, 1e-2, 1.0, 1e3, np.nan, np.inf]), dtype)
    assert digits[:2].tolist() == pytest.approx([best, best])
    assert digits[2:5].tolist() == pytest.approx([2, 0, -3])
    assert np.isnan(digits[5:]).all()
    assert not np.signbit(digits[3])


def test_an_error_of_more_units_than_there_are_floats_is_infinite_and_no_warning():
    assert ulp_error(np.array([1e300]), np.zeros(1), np.zeros(1), "float64").tolist() == [np.inf]
