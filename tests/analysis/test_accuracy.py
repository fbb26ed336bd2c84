"""Somebody's derivative against the truth."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbench import Function, exact_derivative
from diffbench.analysis.accuracy import measure_derivative, measure_gradient
from diffbench.errors import InputError


class Tensor:
    """A number that is no array, as a tensor that belongs to a graph."""

    def __array__(self, *_, **__):
        raise RuntimeError("call detach first")

    def __float__(self):
        return 6.0


@pytest.mark.parametrize("answer", [6, 6.0, Fraction(6), np.float32(6), np.array([6.0]), np.array([[6]]), Tensor()])
def test_one_real_number_of_any_kind_is_taken(answer):
    (found,) = measure_derivative(lambda x: answer, "x**2", 3)
    assert (found.estimate, found.error) == (6.0, 0.0)


@pytest.mark.parametrize("answer", [[1, 2], 1j, np.array([])])
def test_anything_else_is_refused(answer):
    with pytest.raises(InputError, match="is not one real number"):
        measure_derivative(lambda x: answer, "x**2", 3)


@given(st.floats(-100, 100).filter(lambda x: abs(x) > 1e-100), st.floats(-1, 1))
def test_the_error_is_that_of_exact_arithmetic(x, off):
    (found,) = measure_derivative(lambda x: 3 * x * x + off, "x**3", x)
    exact = Fraction(3 * x * x + off) - 3 * Fraction(x) ** 2
    assert found.error == pytest.approx(float(exact), rel=1e-15, abs=1e-320)
    if exact:
        relative = float(abs(exact / (3 * Fraction(x) ** 2)))
        assert found.digits == pytest.approx(min(-math.log10(max(relative, 1e-300)), 16.2556), abs=1e-3)


@pytest.mark.parametrize(("dtype", "kind"), [("float64", float), ("float32", np.float32), ("float16", np.float16)])
def test_x_is_what_the_dtype_makes_of_it_for_both(dtype, kind):
    seen = []

    def derivative(x):
        seen.append(x)
        return 2 * x

    (found,) = measure_derivative(derivative, "x**2", "1/3", dtype=dtype)
    assert type(seen[0]) is kind
    assert found.x == float(np.dtype(dtype).type(1 / 3))
    assert found.error == 0


def test_where_the_derivative_is_0_digits_are_those_behind_the_point():
    (found,) = measure_derivative(lambda x: 1e-7, "cos(x)", 0)
    assert found.digits == pytest.approx(7)


def test_higher_derivatives_and_functions_of_suites():
    function = Function("f", "sin(x)", ["1"])
    (found,) = measure_derivative(lambda x: -math.sin(x), function, "1", derivative=2)
    assert found.digits > 15
    assert str(found).startswith("derivative 2 of sin(x) at x = 1.0 (float64): -0.84147098")


@pytest.mark.parametrize("formula", ["Abs(x)", "sign(x)"])
def test_where_there_is_no_derivative_there_are_no_digits(formula):
    (found,) = measure_derivative(lambda x: 0.0, formula, 0)
    assert found.error is found.digits is None
    assert "no exact one: nondifferentiable" in str(found)


@pytest.mark.parametrize("answer", [math.nan, math.inf, -math.inf])
def test_an_answer_that_is_not_finite_has_no_digits_though_there_is_a_truth(answer):
    (found,) = measure_derivative(lambda x: answer, "x**2", 1)
    assert found.digits is found.error is None
    assert str(found).endswith(
        f"{answer!r}, exact 2.0 (certified, {found.reference.certified_digits} digits): no digits, no ulp"
    )


@pytest.mark.parametrize("at", [["1/4", 2], ("1/4", 2), np.array([[0.25], [2.0]]), np.array([0.25, 2], "float32")])
def test_several_points_in_any_order_that_has_one(at):
    assert [each.x for each in measure_derivative(lambda x: 2 * x, "x**2", at)] == [0.25, 2.0]


def test_whole_numbers_and_one_number_in_an_array_are_points():
    assert [each.x for each in measure_derivative(lambda x: 2 * x, "x**2", range(3))] == [0.0, 1.0, 2.0]
    assert [each.x for each in measure_derivative(lambda x: 2 * x, "x**2", np.array(0.5))] == [0.5]


@pytest.mark.parametrize("at", [[], (), range(0), np.array([])])
def test_without_points_nothing_would_be_checked(at):
    with pytest.raises(InputError, match="at: no points"):
        measure_derivative(lambda x: 2 * x, "x**2", at)


def test_a_point_beyond_the_dtype_is_refused():
    with pytest.raises(InputError, match="at: '1e5' is beyond the range of float16"):
        measure_derivative(lambda x: 2 * x, "x**2", "1e5", dtype="float16")
    with pytest.raises(InputError, match="y: '1e400' is beyond the range of float64"):
        measure_gradient(lambda x, y: (y, x), "x*y", {"x": 1, "y": "1e400"})


def test_a_gradient_is_measured_variable_by_variable():
    at = {"x": "0.1", "y": 2, "x1": -3}
    found = measure_gradient(lambda x, y, x1: (y * x1, x * x1 + 1, x * y), "x*y*x1 + y", at)
    assert list(found) == ["x", "y", "x1"]
    assert all(each.digits > 15 for each in found.values())
    wrong = measure_gradient(lambda x, y, x1: (y * x1, x * x1, x * y), "x*y*x1 + y", at)
    assert wrong["y"].digits < 1 < wrong["x"].digits


def test_messages_about_a_gradient_name_the_variable():
    found = measure_gradient(lambda x, y: (y, x), "x*y", {"x": 2, "y": "1/2"})
    assert str(found["y"]).startswith("derivative 1 of (2)*y at y = 0.5 (float64): 2.0, exact 2.0")


def test_a_gradient_of_tensors_is_taken():
    found = measure_gradient(lambda x, y: (Tensor(), Tensor()), "6*x + 6*y", {"x": 1, "y": 2})
    assert [each.error for each in found.values()] == [0, 0]


def test_the_others_stand_at_their_binary_values():
    found = measure_gradient(lambda x, y: (y, x), "x*y", {"x": "0.1", "y": "0.3"})
    assert found["x"].error == found["y"].error == 0
    assert exact_derivative("x*0.3", "0.1").hi == 0.3


@pytest.mark.parametrize(
    ("call", "at", "message"),
    [
        (lambda x, y: (1.0,), {"x": 1, "y": 2}, "1 partial derivatives were answered for 2 variables"),
        (lambda x: 1.0, 3, "does not name the variables"),
        (lambda x: 1.0, {}, "does not name the variables"),
    ],
)
def test_bad_gradients_are_refused(call, at, message):
    with pytest.raises(InputError, match=message):
        measure_gradient(call, "x*y", at)
