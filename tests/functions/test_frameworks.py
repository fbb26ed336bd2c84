"""f computed by JAX and torch: the same function as in numpy, in the dtype asked for, whatever stands beside it."""

import sys
from importlib import import_module

import numpy as np
import pytest
from test_namespaces import FORMULAS, numbers

from diffbench import Function, parse_formula
from diffbench.dtypes import find_dtype
from diffbench.errors import InputError, UnsupportedError
from diffbench.functions import frameworks
from diffbench.functions.compile import compile_formula
from diffbench.functions.frameworks import EVALUATORS, FRAMEWORKS, PIECE, check_evaluator, compile_in, why_not
from diffbench.functions.models import Model
from diffbench.functions.suites import load_suite

NOT_IN_TORCH = {
    *("Chi", "Ci", "Ei", "LambertW", "Shi", "Si", "airyaiprime", "airybi", "airybiprime", "beta", "binomial", "cbrt"),
    *("elliptic_e", "elliptic_k", "erfcinv", "erfi", "expint", "factorial", "fresnelc", "fresnels", "gamma", "li"),
    *("besseli of constant order", "besseli of order 1/3", "besselj of order 1/2", "besselj of order 2"),
    *("bessely of order 1/2", "lowergamma", "uppergamma", "polylog of order 2"),
    *("hyper of type 0F1", "hyper of type 1F1", "hyper of type 2F1"),
}

INACCURATE_IN_TORCH = {"airyai(x)": 3e-5, "bessely(1, x)": 3e-8}
"""Formulas and the tolerances that they need in float64: Ai left of −2, and all of J0, J1, Y0, Y1 right of 5."""


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    """Give the name of a framework that is installed."""
    reason = why_not(request.param)
    if reason:
        pytest.skip(reason)
    return request.param


@pytest.fixture
def bfloat16():
    """Let numpy know the dtype."""
    if find_dtype("bfloat16").unavailable:
        pytest.skip(find_dtype("bfloat16").unavailable)


def compiled(text, framework, dtype="float64"):
    return compile_in(parse_formula(text), framework, dtype)


# without a framework --------------------------------------------------------------------------------------------------


def test_evaluators_are_checked():
    assert [check_evaluator(name) for name in EVALUATORS] == ["numpy", "jax", "torch"]
    with pytest.raises(
        InputError, match=r"^evaluator: 'torhc' is not one of numpy, jax, torch; did you mean 'torch'\?$"
    ):
        check_evaluator("torhc")


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_one_that_is_not_installed_says_so(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    assert why_not(name) == f"{name} is not installed"
    with pytest.raises(UnsupportedError, match=f"^{name} is not installed$"):
        compile_in(parse_formula("x + 17"), name, "float32")


def test_numpy_is_always_there():
    assert why_not("numpy") == ""


def test_a_function_is_another_one_when_something_else_computes_it():
    function = Function("square", "x**2", ["3"])
    assert function.computed_by("numpy") is function
    other = function.computed_by("torch")
    assert other != function
    assert other.evaluator == "torch"
    assert other.at(function.points).evaluator == "torch"
    assert other.computed_by("numpy") == function
    with pytest.raises(InputError, match=r"^evaluator: jax computes formulas, and square has code of its own$"):
        Function("square", "x**2", ["3"], evaluate=np.square).computed_by("jax")


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_a_framework_sees_arrays_of_one_size_only(size, dtype):
    seen = []

    def piece(x):
        seen.append(x.shape)
        return x + 1

    x = np.arange(size, dtype=dtype).reshape(-1, 1)
    values = frameworks._in_pieces("stub", piece)(x)
    np.testing.assert_array_equal(values, x + 1)
    assert (values.dtype, values.shape) == (x.dtype, x.shape)
    assert seen == [(PIECE,)] * max(1, -(-size // PIECE))


def test_a_formula_without_its_variable_has_the_shape_and_the_dtype_of_the_nodes():
    constant = frameworks._in_pieces("stub", lambda _: np.ones(1, np.float32))
    for dtype in ("float32", "complex64"):
        assert constant(np.zeros((2, 3), dtype)).shape == (2, 3)
        assert constant(np.zeros(3, dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotImplementedError("\"bessel_j0_cpu\" not implemented for 'Half'"), "stub has no bessel_j0 in float16"),
        (TypeError("erf does not accept dtype float16. Accepted are others."), "stub has no erf in float16"),
        (RuntimeError("no\nmore"), "stub refuses float16: no"),
        (ValueError(), "stub refuses float16: "),
    ],
)
def test_what_a_framework_refuses_is_unsupported_with_the_reason(error, reason):
    def piece(_):
        raise error

    with pytest.raises(UnsupportedError) as caught:
        frameworks._in_pieces("stub", piece)(np.zeros(3, np.float16))
    assert str(caught.value) == reason


# with one -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_agrees_with_numpy(dtype):
    pytest.importorskip("torch")
    missing, u = set(), {"float32": 2e-5, "float64": 1e-12}[dtype]
    for text, points in FORMULAS:
        x = numbers(points, dtype)
        try:
            values = compiled(text, "torch", dtype)(x)
        except UnsupportedError as error:
            missing.add(str(error).removeprefix("torch has no "))
            continue
        assert values.dtype == dtype, text
        tolerance = max(u, INACCURATE_IN_TORCH.get(text, 0))
        expected = compile_formula(parse_formula(text), dtype)(x)
        np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance, err_msg=text)
    assert missing == NOT_IN_TORCH


@pytest.mark.slow
@pytest.mark.parametrize("text", ["exp(x)", "sin(x)/x", "x**3 - 2*x", "log(1 + x**2)", "Max(x, 1)", "sqrt(x) + pi"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precision_is_kept_and_bits_are_numpys_or_next_to_them(text, dtype, framework, bfloat16):
    x = np.linspace(0.5, 3, 200).astype(np.dtype(dtype))
    got, expected = compiled(text, framework, dtype)(x), compile_formula(parse_formula(text), dtype)(x)
    assert got.dtype == expected.dtype == dtype
    apart = np.abs(got.view(np.int16).astype(int) - expected.view(np.int16).astype(int))
    assert apart.max() <= 1
    assert np.count_nonzero(apart) < 20


@pytest.mark.slow
@pytest.mark.parametrize("text", ["sinh(x)", "x**2.5", "tanh(x)/x"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_no_bit_depends_on_the_numbers_beside_it(text, dtype, framework, bfloat16):
    x = np.linspace(0.1, 5, 101).astype(np.dtype(dtype))
    f = compiled(text, framework, dtype)
    alone = np.concatenate([f(x[i : i + 1]) for i in range(x.size)])
    for together in (f(x), f(x[::-1])[::-1], np.concatenate([f(x[:37]), f(x[37:])])):
        assert together.tobytes() == alone.tobytes()


@pytest.mark.slow
def test_constants_are_rounded_once_into_the_dtype(framework, bfloat16):
    assert compiled("0.1 + 0*x", framework, "float32")(np.ones(1, np.float32))[0] == np.float32(0.1)
    tenth = compiled("0.1*x", framework, "bfloat16")(np.ones(1, "bfloat16"))[0]
    assert tenth == np.array([0.1]).astype("bfloat16")[0]
    assert compiled("(1 + x) - 1", framework)(np.array([1e-10]))[0] == 1.000000082740371e-10


@pytest.mark.slow
def test_jax_has_64_bits_for_the_moment_only():
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    values = compiled("exp(x)/3", "jax")(np.linspace(0, 1, 5))
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, np.exp(np.linspace(0, 1, 5)) / 3, rtol=1e-15)
    assert jax.config.jax_enable_x64 == before
    assert compiled("exp(x)/3", "jax", "float32")(np.ones(2, np.float32)).dtype == np.float32


@pytest.mark.slow
def test_complex_steps_where_the_framework_has_complex_numbers(framework):
    step, x = 1e-200, np.array([0.5, 1.75])
    values = compiled("exp(sin(x))/x", framework, "complex128")(x + 1j * step)
    slope = np.exp(np.sin(x)) * (np.cos(x) / x - 1 / x**2)
    np.testing.assert_allclose(values.imag / step, slope, rtol=1e-14)
    for text, reason in (
        ("Abs(x)", "^needs complex values, which Abs does not take$"),
        ("Piecewise((x, x < 1), (1, True))", "^needs complex values, which "),
        ("erf(x)", f"^{framework} has no erf in complex128$"),
    ):
        with pytest.raises(UnsupportedError, match=reason):
            compiled(text, framework, "complex128")(x + 1j)


@pytest.mark.slow
def test_torch_names_what_it_has_not_in_a_dtype():
    pytest.importorskip("torch")
    with pytest.raises(UnsupportedError, match=r"^torch has no bessel_j0 in float16$"):
        compiled("besselj(0, x)", "torch", "float16")(np.ones(2, np.float16))


@pytest.mark.slow
def test_torch_differentiates_what_the_formula_says():
    torch = pytest.importorskip("torch")
    evaluate = import_module("diffbench.functions.namespaces").evaluate_in(parse_formula("sinc(x) + x**x"), "torch")
    x = torch.tensor([0.0, 1.5], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(evaluate(x)[1], x)
    assert slope[0] == 0
    expected = np.cos(1.5) / 1.5 - np.sin(1.5) / 1.5**2 + 1.5**1.5 * (1 + np.log(1.5))
    assert float(slope[1]) == pytest.approx(expected, rel=1e-14)


# costs of models ------------------------------------------------------------------------------------------------------

ODD_SAMPLES = Function.of_model("odd", Model("two-layer-network", (3, 4), samples=7, seed=2))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("cost", [*load_suite("models").functions, ODD_SAMPLES], ids=lambda cost: cost.name)
def test_costs_of_models_agree_with_numpy(cost, dtype, framework):
    last = len(cost.points) - 1
    for row in {0, last // 2, last}:
        x = float(cost.points[row]) + np.linspace(-1, 1, 5) + (1e-3j if dtype == "complex128" else 0)
        ours, theirs = (each.line(row, "float64").compile(dtype)(x) for each in (cost, cost.computed_by(framework)))
        assert theirs.dtype == dtype
        np.testing.assert_allclose(theirs, ours, rtol=8 * 2.0**-53)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64", "complex64"])
def test_no_bit_of_a_cost_depends_on_the_numbers_beside_it(dtype, framework, bfloat16):
    real = "float32" if dtype == "complex64" else dtype
    for row in (0, 16):
        f = ODD_SAMPLES.computed_by(framework).line(row, real).compile(dtype)
        x = np.linspace(-1, 1, 71).astype(dtype)
        alone = np.concatenate([f(x[i : i + 1]) for i in range(x.size)])
        assert alone.dtype == dtype
        for together in (f(x), f(x[::-1])[::-1], np.concatenate([f(x[:37]), f(x[37:])])):
            assert together.tobytes() == alone.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_at_the_parameters_of_the_model_the_cost_is_the_same_along_all(dtype, framework):
    cost = ODD_SAMPLES.computed_by(framework)
    at = np.array([float(x) for x in cost.points], dtype)
    assert len({cost.line(row, dtype).compile(dtype)(at[row : row + 1]).tobytes() for row in range(at.size)}) == 1
