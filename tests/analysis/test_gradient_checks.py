"""Epsilon and tolerance for gradient checks, against the errors that were made and against the checks themselves."""

import inspect
import sys
import warnings
from importlib import import_module

import numpy as np
import pytest

from diffbench import Function, exact_derivative, gradient_check
from diffbench.analysis import gradient_checks
from diffbench.analysis.gradient_checks import CHECKERS, Checker
from diffbench.dtypes import NAMES, find_dtype
from diffbench.errors import EmptySelectionError, InputError, UncertainError, UnsupportedError
from diffbench.functions.frameworks import why_not

NARROW = [name for name in NAMES if find_dtype(name).is_narrow]
TOLERANCES = dict.fromkeys(NARROW, (1e-5, 1e-3))


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    """Put in a framework that computes with numpy, and has the defaults of torch."""
    stub = Checker("stub.check", "numpy", "1e-6", TOLERANCES)
    monkeypatch.setattr(gradient_checks, "CHECKERS", {**CHECKERS, "stub": stub})


def checked(formula, x, dtype="float32", framework="stub"):
    return gradient_check(formula, x, framework, dtype)


def difference(f, x, epsilon, dtype):
    x, epsilon = (np.array([value], dtype=dtype) for value in (x, epsilon))
    return float((((f(x + epsilon) - f(x - epsilon)) / np.array([2], dtype=dtype)) / epsilon)[0])


# without a framework --------------------------------------------------------------------------------------------------


def test_the_epsilon_and_the_defaults_have_the_errors_that_they_make():
    advice = checked("sin(x)", "1")
    assert (advice.scheme, advice.derivative, advice.check, advice.framework) == ("central-2", 1, "stub.check", "stub")
    assert 5e-4 < advice.epsilon < 2e-2
    exact = exact_derivative("sin(x)", 1.0).hi
    best, default = (abs(difference(np.sin, 1.0, e, "float32") - exact) for e in (advice.epsilon, 1e-6))
    assert advice.atol >= 4 * best
    assert advice.rtol == pytest.approx(advice.atol / exact)
    assert advice.atol < default / 10
    assert abs(advice.digits - advice.modelled_digits) < 1.2
    assert advice.digits > 4.5
    assert 0 < advice.default_digits < 3


def test_the_default_tolerances_refuse_a_right_derivative_in_float32_and_accept_it_in_float64():
    single, double = (checked("sin(x)", "1", dtype) for dtype in ("float32", "float64"))
    numerical = difference(np.sin, 1.0, 1e-6, "float32")
    exact = exact_derivative("sin(x)", 1.0).hi
    assert abs(numerical - exact) > 1e-5 + 1e-3 * abs(numerical)
    assert not single.default_accepts
    assert single.reason.endswith("digits. The default tolerances refuse the exact derivative.")
    assert double.default_accepts
    assert (
        double.reason == "The default step 1e-6 leaves 10.4 digits. The default tolerances accept the exact derivative."
    )


def test_a_step_that_is_lost_in_x_is_called_so():
    advice = checked("exp(x)", "1", "float16")
    assert (advice.default_step, advice.default_digits, advice.default_accepts) == (0, 0, False)
    assert advice.reason.startswith("The default step 1e-6 is lost in x: x + ε = x − ε = x in float16")
    assert advice.epsilon > 2.0**-9
    assert advice.digits > 2


def test_a_step_that_leaves_no_digit_is_called_so():
    advice = checked("exp(x)", "10")
    x = np.float32(10)
    assert advice.default_step == float((x + np.float32(1e-6)) - (x - np.float32(1e-6))) / 2
    advice = checked("sin(x)", "20")
    assert 0 < advice.default_step != 1e-6
    assert advice.default_digits < 1
    assert advice.reason.startswith("The default step 1e-6 leaves no digit. ")


def test_where_the_derivative_is_0_there_is_an_absolute_tolerance_only():
    advice = checked("x**2", "0")
    assert (advice.digits, advice.default_digits, advice.modelled_digits, advice.rtol) == (None, None, None, None)
    assert advice.atol > 0
    assert (
        advice.reason == "The default step 1e-6 is not lost in x. The default tolerances accept the exact derivative."
    )


def test_no_tolerance_is_below_the_rounding_of_the_derivative_itself():
    advice = checked("3*x", "1")
    assert advice.rtol >= 4 * 2.0**-24


def test_a_default_step_that_leaves_the_domain_gives_no_estimate(monkeypatch):
    monkeypatch.setitem(gradient_checks.CHECKERS, "wide", Checker("wide", "numpy", "1e-2", TOLERANCES))
    advice = checked("sqrt(x)", "1e-3", "float64", "wide")
    assert (advice.default_digits, advice.default_accepts) == (None, False)
    assert advice.reason.startswith("The default step 1e-2 gives no estimate. ")
    assert advice.epsilon < 1e-3


@pytest.mark.parametrize("dtype", NARROW)
def test_what_is_advised_lets_the_derivative_pass_and_refuses_a_wrong_one(dtype):
    if find_dtype(dtype).unavailable:
        pytest.skip(find_dtype(dtype).unavailable)
    for text, x in (("exp(x)/(1 + x**2)", "2"), ("log(1 + exp(x))", "3"), ("tanh(x)", "1/2")):
        advice = checked(text, x, dtype)
        assert advice.atol < abs(exact_derivative(text, advice.x).hi) / 2, "a wrong sign, or a factor 2, must not pass"
        assert advice.digits > advice.default_digits


def test_where_no_tolerance_helps_it_is_said():
    advice = checked("sin(2000000011*x)", "1")
    assert advice.rtol > 1
    assert advice.reason.endswith(" No step tells a right derivative from a wrong one in float32.")


def test_mistakes():
    with pytest.raises(InputError, match=r"^framework: 'torhc' is not one of .*; did you mean 'torch'\?$"):
        checked("x", "1", framework="torhc")
    with pytest.raises(InputError, match="a formula needs a point"):
        checked("x", None)
    with pytest.raises(InputError, match=r"^dtype: "):
        checked("x", "1", "int8")
    with pytest.raises(InputError, match="not defined"):
        checked("log(x)", "-1")
    with pytest.raises(UncertainError, match="nondifferentiable"):
        checked("Abs(x)", "0")
    with pytest.raises(UnsupportedError, match=r"^recommend: f promotes float16 to float(32|64)$"):
        checked("gamma(x)", "2", "float16")
    with pytest.raises(EmptySelectionError, match="no epsilon gives a difference"):
        gradient_check(Function("f", "x**2", ["1"], domain="[1, 2]"), framework="stub")


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_a_framework_that_is_not_installed(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnsupportedError, match=f"^recommend: {name} is not installed$"):
        checked("exp(x)", "1", framework=name)


# with one -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_defaults_of_torch_are_those_of_the_table():
    torch = pytest.importorskip("torch")
    said = {name: each.default for name, each in inspect.signature(torch.autograd.gradcheck).parameters.items()}
    checker = CHECKERS["torch"]
    assert said["eps"] == float(checker.epsilon)
    assert {(said["atol"], said["rtol"])} == set(checker.tolerances.values())


@pytest.mark.slow
def test_the_defaults_of_jax_are_those_of_the_table():
    pytest.importorskip("jax")
    source = import_module("jax._src.public_test_util")
    assert float(CHECKERS["jax"].epsilon) == source.EPS
    for dtype, (atol, rtol) in CHECKERS["jax"].tolerances.items():
        assert atol == rtol == source.default_gradient_tolerance[np.dtype(dtype)]


CASES = (("sin(x)", "1"), ("exp(x)/(1 + x**2)", "2"), ("log(1 + exp(x))", "3"), ("x**3", "10"), ("tanh(x)", "1/2"))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize(("text", "x"), CASES)
def test_gradcheck_says_what_the_advice_says_of_it(text, x, dtype):
    torch = pytest.importorskip("torch")
    evaluate_in = import_module("diffbench.functions.namespaces").evaluate_in
    advice = checked(text, x, dtype, "torch")
    f = evaluate_in(import_module("diffbench").parse_formula(text), "torch", dtype)
    point = torch.tensor([advice.x], dtype=getattr(torch, dtype), requires_grad=True)

    def passes(**options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return torch.autograd.gradcheck(f, (point,), raise_exception=False, **options)

    assert passes(eps=advice.epsilon, atol=advice.atol, rtol=0)
    assert passes() is advice.default_accepts


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("text", "x"), CASES)
def test_check_grads_accepts_what_the_advice_allows(text, x, dtype):
    if why_not("jax"):
        pytest.skip(why_not("jax"))
    jax, test_util = import_module("jax"), import_module("jax.test_util")
    evaluate_in = import_module("diffbench.functions.namespaces").evaluate_in
    advice = checked(text, x, dtype, "jax")
    with jax.enable_x64(dtype == "float64"):
        f = evaluate_in(import_module("diffbench").parse_formula(text), "jax", dtype)
        point = jax.numpy.asarray(advice.x, dtype=dtype)
        # Its direction is a random number, the same each time, by which the step and the derivative are multiplied.
        scale = abs(np.random.RandomState(0).randn())
        options = {"atol": advice.atol * scale, "rtol": advice.rtol, "eps": advice.epsilon / scale}
        test_util.check_grads(f, (point,), 1, modes=("fwd",), **options)
        if advice.default_accepts:
            test_util.check_grads(f, (point,), 1, modes=("fwd",))
