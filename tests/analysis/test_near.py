"""What is known of f near a point: Taylor coefficients, their reach, and the noise of f."""

from fractions import Fraction
from math import factorial

import numpy as np
import pytest

from diffbench import Function, parse_formula
from diffbench.analysis.near import Near
from diffbench.reference.exact import taylor_coefficients


def near(formula, x, dtype="float64", **options):
    return Near(Function("f", formula, [x], **options), float(np.array(x, dtype=dtype)), dtype)


def test_coefficients_are_those_of_the_series():
    assert taylor_coefficients(parse_formula("exp(x)"), 0.0, 20) == [
        float(Fraction(1, factorial(j))) for j in range(20)
    ]
    assert taylor_coefficients(parse_formula("(1 + x)**5"), 0.0, 8) == [1, 5, 10, 10, 5, 1, 0, 0]


def test_a_coefficient_that_cancels_to_0_is_0():
    found = taylor_coefficients(parse_formula("x*exp(-x)"), 1.0, 5)
    assert len(found) == 5
    assert found[1] == 0


def test_where_f_is_not_analytic_the_coefficients_go_as_far_as_its_derivatives():
    assert taylor_coefficients(parse_formula("Max(0, x)**3"), 0.0, 7) == [0.0, 0.0, 0.0]


def test_a_kink_has_no_series_beyond_its_value():
    assert taylor_coefficients(parse_formula("Abs(x)"), 0.0, 7) == [0.0]


@pytest.mark.parametrize(
    ("formula", "x", "singular"), [("1/x", 1.0, 1.0), ("log(x)", 0.01, 0.01), ("tan(x)", 1.5, 0.08)]
)
def test_the_reach_stays_inside_the_circle_of_convergence(formula, x, singular):
    left, right = near(formula, x).reach
    assert singular / 64 <= left <= singular
    assert singular / 64 <= right <= singular


def test_coefficients_that_overflow_end_the_series():
    there = near("sin(1/x)", 1e-6)
    assert 15 < there.series.size < 32
    assert there.reach[0] > 1e-13
    assert np.isfinite(there.slope(np.array([0.0, 1e-14]))).all()


def test_a_seam_that_no_coefficient_tells_of_ends_the_reach():
    left, right = near("Abs(x)", 0.3).reach
    assert left <= 0.3
    assert right > 100


def test_a_function_without_a_series_has_no_reach():
    assert near("Abs(x)", 0.0).reach == (0.0, 0.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_noise_of_a_well_behaved_function_is_less_than_an_ulp(dtype):
    u = np.finfo(dtype).eps / 2
    offset = np.array([0.1, 1e-3, -1e-5])
    noise = near("exp(x)", 1.0, dtype).noise(offset, np.exp(1 + offset))
    assert (noise > 0.1 * u).all()
    # numpy's float32 kernels of exp err by up to 2.5 units in the last place.
    assert (noise < (6 if dtype == "float32" else 4) * u).all()


def test_cancellation_makes_noise_that_does_not_shrink_with_f():
    """(x² − 2) near √2 is made of numbers of size 2, however small it is."""
    there = near("x**2 - 2", 1.4142135623730951)
    noise = there.noise(np.array([1e-3, 1e-6]), np.array([2.8e-3, 2.8e-6]))
    assert (noise > 2.0**-55).all()
    assert (noise < 2.0**-51).all()


def test_errors_that_vary_less_than_f_are_taken_as_they_are():
    """(x − 1)³ multiplied out: f falls by 64 over the window, its errors do not."""
    there = near("x**3 - 3*x**2 + 3*x - 1", 1.0)
    noise = there.noise(np.array([1e-4, -1e-4]), np.array([1e-12, -1e-12]))
    assert (noise > 2.0**-55).all()
    assert (noise < 2.0**-51).all()


def test_an_exact_function_has_no_noise():
    assert near("2*x", 1.0).noise(np.array([1e-3]), np.array([2.0])).tolist() == [0.0]


def test_samples_stay_inside_the_domain():
    there = near("sqrt(x)", 0.001, domain="[0, oo)")
    places = there._samples[0]
    assert places.size > 50
    assert (places >= -0.001).all()
