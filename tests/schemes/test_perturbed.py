"""A weight that is slightly wrong: the estimate is off by as much, and nothing else of the scheme is changed."""

import numpy as np
import pytest

from diffbench.schemes.perturbed import perturbed
from diffbench.schemes.scheme import parse_scheme


@pytest.mark.parametrize("name", ["forward-1", "central-4", "complex-step", "richardson-2(central-2)"])
def test_what_it_says_of_itself_is_what_the_scheme_says(name):
    scheme = parse_scheme(name)
    wrong = perturbed(scheme)
    for said in ("name", "derivative", "offsets", "order", "numbers", "equivalent_stencil", "shares", "cancels"):
        assert getattr(wrong, said) == getattr(scheme, said), said
    assert [wrong.moment(j) for j in range(5)] == [scheme.moment(j) for j in range(5)]
    assert wrong.unsupported_reason("float16") == scheme.unsupported_reason("float16")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_its_first_weight_is_two_units_too_large(dtype):
    scheme = parse_scheme("central-2")
    epsilon = np.array([0.5, 0.25], dtype=dtype)
    values = {offset: np.full(2, 3.0, dtype=dtype) for offset in scheme.offsets}
    given = {offset: each.copy() for offset, each in values.items()}
    estimates = perturbed(scheme).combine(values, epsilon)
    assert estimates.dtype == np.dtype(dtype)
    # 2u is the spacing above 1, twice that below 3 is no more than the rounding of 3(1 + 2u) to even.
    np.testing.assert_array_equal(estimates, -2 * np.finfo(dtype).eps / epsilon)
    for offset, each in values.items():
        np.testing.assert_array_equal(each, given[offset], err_msg="the values are others' too")
