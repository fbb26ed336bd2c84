"""The Taylor test: right, slightly wrong and wrong derivatives of formulas and of Python functions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffbench import Function, parse_formula, taylor_test
from diffbench.errors import InputError
from diffbench.functions.suites import load_suite
from diffbench.functions.symbolic import to_sympy, variable_symbol

# formulas -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "derivative", "x", "verdict", "order"),
    [
        ("sin(x)**2", "2*sin(x)*cos(x)", "0.3", "right", 2),
        ("sin(x)**2", "2*sin(x)*cos(x) + 1e-30", "0.3", "wrong", 1),
        ("exp(x)", "1.000001*exp(x)", 1, "wrong", 1),
        ("exp(x)", "exp(-x)", 1, "wrong", 1),
        ("sin(x)", "1", 0, "right", 3),
        ("x*exp(-x)", "(1 - x)*exp(-x)", 2, "right", 3),
        ("x**3", "3*x", 1, "right", 2),
        ("x**3", "3*x", 2, "wrong", 1),
        ("5", "0", 1, "right", None),
        ("3*x - 1", "3", "1/3", "right", None),
        ("5", "1", 1, "wrong", 1),
        ("Abs(x)", "0", 0, "wrong", 1),
        ("Abs(x)", "1", 0, "wrong", 1),
        ("Abs(x)**Rational(3, 2)", "0", 0, "right", 1.5),
        ("sqrt(x)", "1/sqrt(x)/2", 1, "right", 2),
        ("sqrt(x)", "0", 0, "wrong", 0.5),
        ("x**Rational(3, 2)", "0", 0, "right", 1.5),
        ("Piecewise((x**2*sin(1/x), x != 0), (0, True))", "0", 0, "undecided", None),
        ("besselj(x, 2)", "0", 1, "undecided", None),
    ],
)
def test_of_formulas_the_order_is_certain(f, derivative, x, verdict, order):
    found = taylor_test(f, derivative, x)
    assert (found.verdict, found.method, found.is_right) == (verdict, "balls", verdict == "right")
    assert found.reason
    if order is None:
        assert (found.order, found.low, found.high, found.window) == (None, None, None, ())
    else:
        assert found.order == pytest.approx(order, abs=1e-3)
        assert found.low <= found.order <= found.high
        assert found.high - found.low < 1e-3


def test_how_wrong_it_is_stands_in_the_reason():
    assert taylor_test("x**2", "2*x + 0.25", 3).reason.endswith("the derivative is off by 0.25")
    assert taylor_test(lambda x: x**2, lambda x: 2 * x + 0.25, 3).reason.endswith("the derivative is off by 0.25")
    assert "different limits from right and left" in taylor_test("Abs(x)", "0.5", 0).reason
    assert "different limits from right and left" in taylor_test(abs, lambda x: 0.5, 0).reason


KINKED = {"abs", "relu", "abs-3-2", "truncated-cube"}
SMOOTH = [function for function in load_suite("standard").functions if function.name not in KINKED]


@pytest.mark.parametrize("function", SMOOTH, ids=lambda function: function.name)
def test_what_sympy_derives_is_right_and_a_little_more_is_wrong(function):
    derivative = to_sympy(function.formula).diff(variable_symbol(function.formula))
    # At 0 the derivative of sinc, as SymPy writes it, is 0/0.
    for x in [x for x in function.points if x or function.name != "sinc"][:2]:
        right = taylor_test(function, parse_formula(str(derivative)), x)
        assert right.verdict == "right", (x, right)
        wrong = taylor_test(function, parse_formula(f"{derivative} + 1e-20"), x)
        assert wrong.verdict == "wrong", (x, wrong)


# Python functions -----------------------------------------------------------------------------------------------------


def staircase(x):
    """Return sin(x) computed in float32 whatever is asked for."""
    return float(np.sin(np.float32(x)))


def cancelling(x):
    return (1 - math.cos(x)) / x**2


def cancelling_slope(x):
    return math.sin(x) / x**2 - 2 * (1 - math.cos(x)) / x**3


@pytest.mark.parametrize(
    ("f", "derivative", "x", "verdict", "order"),
    [
        (math.sin, math.cos, 0.3, "right", 2),
        (math.sin, lambda x: math.cos(x) * (1 + 1e-6), 0.3, "wrong", 1),
        (math.sin, lambda x: -math.cos(x), 0.3, "wrong", 1),
        (math.sin, 0, 0.3, "wrong", 1),
        (math.sin, math.cos, 0.0, "right", 3),
        (math.cos, lambda x: -math.sin(x), 0.0, "right", 2),
        (lambda x: 5.0, lambda x: 0.0, 1.0, "right", None),
        (lambda x: 5.0, lambda x: 1.0, 1.0, "wrong", 1),
        (lambda x: 3 * x - 1, 3, 2.0, "right", None),
        (lambda x: 3 * x - 1, 3.00001, 2.0, "wrong", 1),
        (lambda x: 0.1 * x + 0.7, 0.1, 2.0, "right", None),
        (abs, 0, 0.0, "wrong", 1),
        (abs, 1, 0.0, "wrong", 1),
        (abs, 1, 2.0, "right", None),
        (lambda x: abs(x) ** 1.5, 0, 0.0, "right", 1.5),
        (abs, 1, 1e-6, "right", None),
        (abs, -1, 1e-6, "wrong", 1),
        (abs, 1, 1e-300, "right", None),
        (lambda x: float(x > 0), 0, 1e-6, "right", None),
        (lambda x: float(x > 0), 0, 0.0, "undecided", None),
        (math.sqrt, 1, 0.0, "wrong", 0.5),
        (math.sqrt, 0.5, 1.0, "right", 2),
        (math.log, lambda x: 1 / x, 1e-8, "right", 2),
        (lambda x: 1e6 + math.sin(x), math.cos, 1.0, "right", 2),
        (lambda x: math.sin(1e6 * x), lambda x: 1e6 * math.cos(1e6 * x), 1.0, "right", 2),
        (lambda x: math.sin(1e6 * x), 0, 1.0, "wrong", 1),
        (np.sin, np.cos, np.float32(0.3), "right", 2),
        (np.sin, lambda x: 1.01 * np.cos(x), np.float32(0.3), "wrong", 1),
        (np.exp, np.exp, np.float16(0.3), "undecided", None),
        (staircase, math.cos, 0.3, "right", 2),
        (lambda x: float(np.float32(3 * x - 1)), 3, 2.1, "right", None),
        (staircase, lambda x: 1.01 * math.cos(x), 0.3, "wrong", 1),
        (cancelling, cancelling_slope, 0.05, "right", 2),
        (cancelling, lambda x: 2 * cancelling_slope(x) + 1, 0.05, "wrong", 1),
        ("exp(x)", math.exp, 1.0, "right", 2),
        (math.exp, "exp(x)", 1.0, "right", 2),
        (Function("mine", "exp(x)", [1]), lambda x: 1.001 * math.exp(x), 1.0, "wrong", 1),
        (lambda x: math.log(x) if x == 1 else math.nan, 1, 1.0, "undecided", None),
    ],
)
def test_of_functions_the_order_is_found_above_the_rounding(f, derivative, x, verdict, order):
    found = taylor_test(f, derivative, x)
    assert (found.verdict, found.method) == (verdict, "floats"), found
    assert found.reason
    if order is not None:
        assert found.order == pytest.approx(order, abs=0.15)
        assert found.low <= found.order <= found.high
        assert found.window[0] < found.window[1]


FUNCTIONS = {
    "exp": (math.exp, math.exp),
    "sin": (math.sin, math.cos),
    "cubic": (lambda x: x**3 - 2 * x - 5, lambda x: 3 * x**2 - 2),
    "logistic": (lambda x: 1 / (1 + math.exp(-x)), lambda x: math.exp(-x) / (1 + math.exp(-x)) ** 2),
    "runge": (lambda x: 1 / (1 + 25 * x * x), lambda x: -50 * x / (1 + 25 * x * x) ** 2),
}


HOW_MANY = pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.slow)])


@HOW_MANY
def test_a_right_derivative_is_never_called_wrong(count):
    @settings(max_examples=count, deadline=None)
    @given(st.sampled_from(sorted(FUNCTIONS)), st.floats(-3, 3))
    def each(name, x):
        f, derivative = FUNCTIONS[name]
        assert taylor_test(f, derivative, x).verdict != "wrong"

    each()


@HOW_MANY
def test_a_wrong_derivative_is_never_called_right(count):
    @settings(max_examples=count, deadline=None)
    @given(st.sampled_from(sorted(FUNCTIONS)), st.floats(-3, 3), st.sampled_from([-1, 1e-3, 1e-2, 1]))
    def each(name, x, off):
        f, derivative = FUNCTIONS[name]
        found = taylor_test(f, lambda t: derivative(t) + off, x)
        assert found.verdict == "wrong", found

    each()


@pytest.mark.parametrize("off", [1e-3, -1])
@pytest.mark.parametrize("x", [5e-324, *(pytest.param(x, marks=pytest.mark.slow) for x in (1e-320, 1e-310, -1e-310))])
@pytest.mark.parametrize("name", ["sin", pytest.param("runge", marks=pytest.mark.slow)])
def test_a_wrong_derivative_is_never_called_right_where_the_steps_are_subnormal(name, x, off):
    """The remainder of the smallest steps is less than any float, and must not count as 0."""
    f, derivative = FUNCTIONS[name]
    assert taylor_test(f, lambda t: derivative(t) + off, x).verdict == "wrong"


def test_where_the_steps_are_subnormal_a_right_derivative_is_still_called_right():
    assert taylor_test(math.sin, math.cos, 1e-320).verdict == "right"


# mistakes -------------------------------------------------------------------------------------------------------------


def failing(x):
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("f", "derivative", "x", "message"),
    [
        ("log(x)", "1/x", -1, "function: log.x. is not defined, or not real, at -1"),
        ("x", "1/x", 0, "derivative: 1/x is not defined, or not real, at 0"),
        ("sin(", "1", 0, "formula"),
        (math.sin, failing, 0, "derivative: it gives no finite number at 0.0"),
        (failing, math.cos, 0, "function: it gives no finite number at 0.0"),
        (3, math.cos, 0, "function: 3 is neither a formula nor can it be called"),
        (math.sin, [1], 0, "derivative"),
        (math.sin, math.cos, "one", "x: 'one'"),
        (math.sin, math.cos, np.longdouble(1), "dtype: 'longdouble' is not|dtype: 'float128' is not"),
    ],
)
def test_mistakes_are_input_errors(f, derivative, x, message):
    with pytest.raises(InputError, match=message):
        taylor_test(f, derivative, x)
