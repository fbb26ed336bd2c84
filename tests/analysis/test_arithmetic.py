"""Traced numbers: what is exact, what is rounded, and how large that is."""

from fractions import Fraction

import numpy as np
import pytest

from diffbench.analysis.arithmetic import Traced, rounding_variance
from diffbench.schemes.scheme import parse_scheme
from diffbench.schemes.stencil import combine


def traced(*values, dtype="float64"):
    return Traced.exact(np.array(values), dtype)


def test_powers_of_two_and_close_differences_are_exact():
    one, close = traced(1.0), traced(1.25)
    for exact in (np.array([4.0]) * one, one / np.array([0.25]), close - one, -one):
        assert exact.variance.tolist() == [0.0]


def test_other_operations_round_once():
    a, three = traced(1.0), np.array([3.0])
    ulp = 2.0**-52
    assert (three * a).variance.tolist() == [(2 * ulp) ** 2 / 12]
    assert (a / three).variance.tolist() == [(ulp / 4) ** 2 / 12]
    assert (a + traced(0.3)).variance.tolist() == [ulp**2 / 12]


def test_variances_are_carried_along_squared():
    noisy = Traced(np.array([1.0]), np.array([2.0]), "float32")
    assert (np.array([4.0]) * noisy).variance.tolist() == [32.0]
    assert (noisy / np.array([2.0])).variance.tolist() == [0.5]
    assert (noisy - noisy).variance.tolist() == [4.0]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_variance_is_that_of_rounding(dtype):
    values = np.random.default_rng(1).uniform(1, 2, 20_000)
    if dtype != "float64":
        errors = values.astype(dtype).astype(float) - values
        assert np.mean(errors**2) == pytest.approx(rounding_variance(values, dtype)[0], rel=0.05)
    assert np.sqrt(12 * rounding_variance(np.array([1.5]), dtype)[0]) == np.finfo(dtype).eps


@pytest.mark.parametrize("name", ["forward-4", "central-8", "richardson(forward-1)", "richardson-3(central-2)"])
def test_the_followed_variance_is_that_of_the_scheme_in_float32(name):
    """Against the same combination in exact fractions, over many values: to a factor of 1.5."""
    scheme = parse_scheme(name)
    rng, epsilon = np.random.default_rng(2), np.full(400, 0.3, dtype=np.float32)
    values = {k: (1 + 0.1 * rng.random(400)).astype(np.float32) for k in scheme.offsets}
    stencil = scheme.stencil if hasattr(scheme, "stencil") else scheme.tableau[-1]
    exact = [
        float(combine(stencil, [Fraction(float(values[k][i])) for k in scheme.offsets], Fraction(float(epsilon[i]))))
        for i in range(400)
    ]
    error = scheme.combine(values, epsilon).astype(float) - exact
    wide = {k: Traced.exact(value.astype(float), "float32") for k, value in values.items()}
    expected = scheme.combine(wide, epsilon.astype(float)).variance
    assert 1 / 1.5 < np.sqrt(np.mean(error**2) / np.mean(expected)) < 1.5


def test_in_wide_dtypes_the_variance_is_counted_in_squares_of_u():
    values = np.array([1.0, 1.5, 2.0, -3e-200, 0.0])
    spacing = np.array([2.0, 2.0, 4.0, 2.0 ** np.frexp(3e-200)[1], 0.0])
    assert rounding_variance(values, "mp:100").tolist() == (spacing**2 / 12).tolist()
