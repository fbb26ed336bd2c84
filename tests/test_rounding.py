"""Exact numbers and their one rounding."""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diffbench.dtypes import PLAIN
from diffbench.errors import InputError
from diffbench.rounding import (
    check_dtype,
    decimal_text,
    exact_mpf,
    exact_number,
    exact_point,
    exact_text,
    real_power,
    round_array,
    round_to,
    unit_roundoff,
)

TINY16, TINY32, TINY64 = Fraction(1, 2**24), Fraction(1, 2**149), Fraction(1, 2**1074)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", Fraction(1, 10)),
        ("-1/3", Fraction(-1, 3)),
        ("2^-52", Fraction(1, 2**52)),
        ("-2^3", Fraction(-8)),
        ("10^-2", Fraction(1, 100)),
        ("+1e-3", Fraction(1, 1000)),
        (" 1.5E+2 ", Fraction(150)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("007", Fraction(7)),
        (3, Fraction(3)),
        (Fraction(2, 6), Fraction(1, 3)),
        (0.1, Fraction(3602879701896397, 2**55)),
        (np.float32(0.1), Fraction(13421773, 2**27)),
        (-0.0, Fraction(0)),
    ],
)
def test_exact_number_is_the_rational_that_was_meant(text, value):
    assert exact_number(text) == value


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        "1/0",
        "1/-3",
        "--1",
        "1e",
        "1e5001",
        "1e-5001",
        "0^2",
        "10^6000",
        "1_000",
        "٣",
        "0x10",
        "nan",
        "inf",
        "1 2",
        "1" * 1001,
        "1/2/3",
        "2^0.5",
        math.nan,
        math.inf,
        -math.inf,
        True,
        None,
        1j,
        [1],
        b"1",
    ],
)
def test_exact_number_refuses_and_names_the_argument(wrong):
    with pytest.raises(InputError, match=r"^epsilon: "):
        exact_number(wrong, "epsilon")


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(5e-324)
@example(1.7976931348623157e308)
def test_a_float_means_its_binary_value(value):
    assert exact_number(value) == Fraction(value)
    assert round_to(exact_number(value), "float64") == value
    assert round_to(exact_number(repr(value)), "float64") == value


@given(st.fractions(), st.integers(-1100, 1100))
@example(Fraction(1, 3), -1074)
def test_round_to_float64_is_correct_division(value, exponent):
    exact = value * Fraction(2) ** exponent
    try:
        expected = exact.numerator / exact.denominator
    except OverflowError:
        expected = math.inf if exact > 0 else -math.inf
    assert round_to(exact, "float64") == expected


@given(st.sampled_from(PLAIN), st.fractions(max_denominator=10**30), st.integers(-160, 130))
@example("float16", Fraction(1, 3), -24)
@example("float32", Fraction(1, 3), -149)
def test_round_to_gives_the_nearest_number(dtype, value, exponent):
    exact = value * Fraction(2) ** exponent
    rounded = np.array([round_to(exact, dtype)]).astype(dtype)
    assert float(rounded[0]) == round_to(exact, dtype), "the result has the dtype's precision"
    if not np.isfinite(rounded[0]):
        info = np.finfo(dtype)
        assert abs(exact) >= Fraction(float(info.max)) + Fraction(2) ** (int(info.maxexp) - info.nmant - 2)
        return
    distance = abs(exact - Fraction(float(rounded[0])))
    for side in (-np.inf, np.inf):
        neighbour = np.nextafter(rounded, np.array([side], dtype=dtype))[0]
        if np.isfinite(neighbour):
            assert distance <= abs(exact - Fraction(float(neighbour)))


@pytest.mark.slow
def test_every_float16_is_kept_and_every_tie_goes_to_the_even_one():
    bits = np.arange(0x7C00, dtype=np.uint16)
    numbers = [Fraction(float(value)) for value in bits.view(np.float16)]
    for index, (low, high) in enumerate(itertools.pairwise(numbers)):
        assert round_to(low, "float16") == low
        assert round_to((low + high) / 2, "float16") == (high if index % 2 else low)
        assert round_to(-(low + high) / 2, "float16") == -(high if index % 2 else low)


@pytest.mark.parametrize(("dtype", "tiny"), [("float16", TINY16), ("float32", TINY32), ("float64", TINY64)])
def test_below_half_the_smallest_number_is_zero_and_the_tie_too(dtype, tiny):
    above = tiny / 2 + tiny / 2**100
    assert round_to(tiny, dtype) == tiny
    assert round_to(tiny / 2, dtype) == 0
    assert round_to(above, dtype) == tiny
    assert round_to(tiny * 3 / 2, dtype) == 2 * tiny
    assert math.copysign(1, round_to(-tiny / 4, dtype)) == -1


@pytest.mark.parametrize("dtype", PLAIN)
def test_overflow_begins_at_the_tie_above_the_largest_number(dtype):
    info = np.finfo(dtype)
    largest = Fraction(float(info.max))
    tie = Fraction(2) ** int(info.maxexp) - Fraction(2) ** (int(info.maxexp) - info.nmant - 2)
    assert round_to(tie - Fraction(1, 10**9), dtype) == largest
    assert round_to(tie, dtype) == math.inf
    assert round_to(-tie, dtype) == -math.inf


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740993",
        "1.00000000000000011102230246251565404236316680908203125",
        "2.2250738585072011e-308",
        "2.4703282292062327208e-324",
        "2.4703282292062328e-324",
        "1.7976931348623158e308",
        "6.02214076e23",
        "1e23",
    ],
)
def test_hard_decimals_round_as_the_platform_reads_them(text):
    assert round_to(exact_number(text), "float64") == float(text)


def test_there_is_no_second_rounding_by_way_of_float64():
    above_tie = 1 + Fraction(1, 2**24) + Fraction(1, 2**54)
    assert np.float32(float(above_tie)) == 1
    assert round_to(above_tie, "float32") == 1 + 2**-23
    assert round_array([above_tie], "float32")[0] == np.float32(1 + 2**-23)


@pytest.mark.parametrize("dtype", PLAIN)
def test_round_array_has_the_dtype_and_overflows_quietly(dtype):
    array = round_array([Fraction(1, 3), Fraction(10) ** 400, Fraction(-(10**400))], dtype)
    assert array.dtype == dtype
    assert array.tolist() == [round_to(Fraction(1, 3), dtype), math.inf, -math.inf]


@pytest.mark.parametrize("dtype", PLAIN)
def test_unit_roundoff_is_half_the_gap_above_one(dtype):
    one = np.ones(1, dtype=dtype)
    gap = np.nextafter(one, np.array([2], dtype=dtype)) - one
    assert unit_roundoff(dtype) == float(gap[0]) / 2


def test_unknown_dtypes_are_refused():
    assert check_dtype("float32") == "float32"
    with pytest.raises(InputError, match="float128"):
        check_dtype("float128")


@pytest.mark.parametrize("k", range(65))
def test_the_default_epsilons_are_the_doubles_nearest_to_quarter_powers_of_ten(k):
    rounded = round_to(real_power(10, Fraction(-k, 4)), "float64")
    half = Fraction(math.ulp(rounded)) / 2
    below = Fraction(rounded) - (half / 2 if math.frexp(rounded)[0] == 0.5 else half)
    assert below**4 <= Fraction(1, 10**k) <= (Fraction(rounded) + half) ** 4


def test_whole_powers_are_exact():
    assert real_power(10, Fraction(-3)) == Fraction(1, 1000)
    assert real_power(2, Fraction(60)) == 2**60


def test_exact_mpf_loses_nothing():
    with mpmath.workprec(300):
        third = mpmath.mpf(1) / 3
        assert exact_mpf(third) == Fraction(*(int(part) for part in _ratio(third)))
        assert exact_mpf(-third) == -exact_mpf(third)
        assert abs(exact_mpf(third) - Fraction(1, 3)) < Fraction(1, 2**299)
    assert exact_mpf(mpmath.mpf(2) ** 100) == 2**100
    assert exact_mpf(mpmath.mpf(0)) == 0


def _ratio(value):
    mantissa, exponent = value.man_exp
    return mantissa, 2 ** (-exponent)


@given(st.one_of(st.fractions(), st.decimals(allow_nan=False, allow_infinity=False).map(Fraction)))
@example(Fraction(1, 3))
@example(Fraction(-1, 8))
@example(Fraction(1, 10**40))
@example(Fraction(1, 10**41))
def test_exact_text_reads_back(value):
    if abs(value.numerator) < 10**900 and value.denominator < 10**90:
        assert exact_number(exact_text(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 8), "0.125"),
        (Fraction(-3), "-3"),
        (Fraction(-1, 50), "-0.02"),
        (Fraction(1, 3), "1/3"),
        (Fraction(0), "0"),
    ],
)
def test_exact_text_is_a_decimal_where_one_is_short(value, text):
    assert exact_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3 * Fraction(2) ** -16400, "3*2^-16400"),
        (-5 * Fraction(2) ** 16383, "-5*2^16383"),
        (Fraction(-1, 2**16494), "-1*2^-16494"),
        (Fraction(2) ** -1074, str(Fraction(2) ** -1074)),
    ],
)
def test_every_number_of_a_dtype_is_a_point_that_can_be_written(value, text):
    assert exact_text(value) == text
    assert exact_point(text, "point") == value


@pytest.mark.parametrize("text", ["3*2^16501", "1*2^-99999", "1*2^-100000", "3*2^x", "1/3*2^-5", "2**3", "*2^3"])
def test_other_powers_of_two_are_no_points(text):
    with pytest.raises(InputError, match=r"^point: "):
        exact_point(text, "point")


@pytest.mark.parametrize("number", [2**4000, Fraction(1, 3**3000)], ids=["large", "small"])
def test_a_number_of_too_many_bits_is_refused_without_its_digits(number):
    says = r"^point: a number has over 3300 bits, numerator and denominator together$"
    with pytest.raises(InputError, match=says):
        exact_number(number, "point")


def test_more_digits_than_python_writes_are_told_in_a_few():
    """Python turns no whole number of over 4300 digits into a text, unless it is told to."""
    bits = 40_000
    whole = mpmath.mp.make_mpf((0, 2**bits - 1, 0, bits))
    assert decimal_text(whole, 10) == "1.584260373e+12041"
