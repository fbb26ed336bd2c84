"""Domains: which points belong, exactly, also where an end is rounded."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diffbench.dtypes import PLAIN
from diffbench.errors import FormulaError, InputError
from diffbench.functions.domain import REAL_LINE, Interval, parse_domain
from diffbench.rounding import round_to


def inside(text, values, dtype="float64"):
    (interval,) = parse_domain(text).intervals
    return interval.contains_array(np.array(values, dtype=dtype)).tolist()


@pytest.mark.parametrize(
    ("text", "within", "without"),
    [
        ("(0, 1)", ["1/2", "1e-999"], ["0", "1", "-1", "2"]),
        ("[0, 1]", ["0", "1"], ["-1e-999", "1.0000000000000000000001"]),
        ("(-oo, 0) | (0, oo)", ["-1", "1e400"], ["0"]),
        ("(-oo, oo)", ["0", "-1e400"], []),
        ("[-1/3, 1/3)", ["-1/3"], ["1/3", "-0.33333333333333333334"]),
        ("(-pi/2, pi/2)", ["1.57079632679489661923132169163975144"], ["1.57079632679489661923132169163975145"]),
        ("(1/E, 2*E - 1)", ["0.3678794411714423216", "4.436563656918"], ["0.3678794411714423215", "4.4365636569181"]),
        ("(-1 + 1e-3, EulerGamma)", ["-0.998", "0.5772156649"], ["-0.999", "0.577215665"]),
    ],
)
def test_membership_of_exact_points(text, within, without):
    domain = parse_domain(text)
    assert str(domain) == text
    assert all(domain.interval_of(Fraction(point)) is not None for point in within)
    assert all(domain.interval_of(Fraction(point)) is None for point in without)


def test_the_interval_of_a_point_is_the_one_it_lies_in():
    domain = parse_domain("(-oo, 0) | [1, 2]")
    assert domain.interval_of(Fraction(-5)) == Interval(None, Fraction(0))
    assert domain.interval_of(Fraction(1)) == Interval(Fraction(1), Fraction(2), includes_low=True, includes_high=True)
    assert REAL_LINE.interval_of(Fraction(10) ** 400) == Interval()


@pytest.mark.parametrize("bracket", ["()", "[]"])
def test_half_pi_is_above_its_double_and_below_its_single(bracket):
    text = f"{bracket[0]}-pi/2, pi/2{bracket[1]}"
    assert inside(text, [math.pi / 2, np.nextafter(math.pi / 2, 2), -math.pi / 2]) == [True, False, True]
    single = np.float32(math.pi / 2)
    assert inside(text, [single, np.nextafter(single, np.float32(0))], "float32") == [False, True]
    assert inside(text, [-single, np.nextafter(-single, np.float32(0))], "float32") == [False, True]


def test_exact_ends_follow_their_brackets():
    assert inside("(0, 1]", [0.0, -0.0, 5e-324, 1.0, np.nextafter(1, 2)]) == [False, False, True, True, False]
    assert inside("[0, 1)", [0.0, -0.0, -5e-324, 1.0, np.nextafter(1, 0)]) == [True, True, False, False, True]


@pytest.mark.parametrize("dtype", PLAIN)
def test_a_third_belongs_to_neither_side_by_rounding(dtype):
    edge = round_to(Fraction(1, 3), dtype)
    below = Fraction(edge) < Fraction(1, 3)
    assert inside("(-oo, 1/3]", [edge], dtype) == [below]
    assert inside("[1/3, oo)", [edge], dtype) == [not below]


def test_ends_beyond_the_dtype_exclude_or_include_everything():
    assert inside("(-1e10, 1e10)", [-65504, 0, 65504], "float16") == [True, True, True]
    assert inside("(1e10, oo)", [0, 65504], "float16") == [False, False]
    assert inside("(-oo, -1e10]", [0, -65504], "float16") == [False, False]
    assert inside("(0, 1e-300)", [0, 1e-45], "float32") == [False, False]
    assert inside("[-1e-300, 1e-300]", [0, 1e-45], "float32") == [True, False]


def test_infinities_and_nan_are_outside():
    assert inside("(-oo, oo)", [np.inf, -np.inf, np.nan, 1.7e308]) == [False, False, False, True]


ENDS = ["-pi/2", "-1/3", "0", "0.1", "1/3", "pi/4", "1"]


@given(
    st.sampled_from(PLAIN),
    st.sampled_from(ENDS),
    st.sampled_from(ENDS),
    st.sampled_from(["()", "[]", "(]", "[)"]),
    st.lists(st.tuples(st.sampled_from(ENDS), st.integers(-2, 2)), min_size=1, max_size=8),
)
@example("float32", "0.1", "1", "()", [("0.1", 0), ("0.1", 1), ("0.1", -1)])
def test_arrays_are_judged_as_their_exact_values(dtype, low, high, brackets, places):
    if ENDS.index(low) >= ENDS.index(high):
        return
    (interval,) = parse_domain(f"{brackets[0]}{low}, {high}{brackets[1]}").intervals
    nodes = []
    for end, steps in places:
        (at_end,) = parse_domain(f"[{end}, 5]").intervals
        node = np.array([round_to(at_end.low, dtype)], dtype=dtype)
        for _ in range(abs(steps)):
            node = np.nextafter(node, np.array([9 * steps], dtype=dtype))
        nodes.append(node)
    array = np.concatenate(nodes)
    assert interval.contains_array(array).tolist() == [Fraction(float(node)) in interval for node in array]


def test_ends_of_constants_are_enclosed_to_400_bits():
    (interval,) = parse_domain("(-pi/2, 3*pi/2)").intervals
    with mpmath.workprec(600):
        for end, factor in ((interval.low, -0.5), (interval.high, 1.5)):
            exact = mpmath.mpf(end.numerator) / end.denominator
            assert abs(exact - factor * mpmath.pi) < mpmath.mpf(2) ** -390


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0, 1",
        "(0)",
        "(0, 1, 2)",
        "(1, 0)",
        "(1, 1)",
        "[1, 1]",
        "(0, 1) |",
        "(0; 1)",
        "{0, 1}",
        "(0, x)",
        "(oo, 0)",
        "(0, sqrt(2))",
        "(0, 2**pi)",
        "(0, 1/0)",
        "(0, nan)",
        "(0, )",
        "(pi, 3)",
        "(0, 1) & (2, 3)",
    ],
)
def test_what_is_no_union_of_rising_intervals_is_refused(text):
    with pytest.raises(InputError):
        parse_domain(text)


def test_a_wrong_end_is_a_formula_error_with_a_position():
    with pytest.raises(FormulaError, match="at position 2"):
        parse_domain("(0, 1+)")


def test_a_domain_is_a_text():
    with pytest.raises(InputError, match=r"^domain: 3 is not a text such as '\(0, oo\)'$"):
        parse_domain(3)
