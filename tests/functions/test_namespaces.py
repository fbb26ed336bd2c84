"""The formula in the operations of autograd, JAX and mpmath: the same function, and its derivative by their means."""

import sys
from importlib import import_module

import mpmath
import numpy as np
import pytest
from test_compile import AGAINST_MPMATH, SAMPLES, sample

from diffbench import exact_derivative, parse_formula
from diffbench.errors import InputError, UnsupportedError
from diffbench.functions.compile import compile_formula
from diffbench.functions.grammar import ARITIES
from diffbench.functions.namespaces import NAMESPACES, evaluate_in

FORMULAS = [
    *map(sample, sorted(SAMPLES)),
    *((text, points) for text, points, _ in AGAINST_MPMATH),
    ("besselj(1/2, x)", ["0.5", "3"]),
    ("bessely(1/2, x)", ["0.5", "3"]),
    ("besseli(0, x)", ["-2.5", "0.5", "3"]),
    ("besseli(2 - 1, x)", ["-2.5", "0.5", "3"]),
    ("besseli(sqrt(2), x)", ["0.5", "3"]),
    ("Piecewise((x, x < 1), (x**2, x >= 2))", ["0.5", "2", "3"]),
    ("log(x, 10)", ["0.5", "3"]),
    ("log(2, x)", ["0.5", "3"]),
    ("x**-1.5 + 2**x - -x*E", ["0.5", "3"]),
    ("Piecewise((1, x == 3), (EulerGamma*Catalan, x != 0.5), (GoldenRatio*pi, False), (x, x <= 3))", ["0.5", "3", "4"]),
]

NOT_IN_AUTOGRAD = {
    *("airyai", "airyaiprime", "airybi", "airybiprime", "besselk", "binomial", "chebyshevt", "chebyshevu", "hermite"),
    *("legendre", "Chi", "Ci", "Ei", "Shi", "Si", "elliptic_e", "elliptic_k", "erfi", "expint", "fresnelc", "fresnels"),
    *("li", "zeta", "LambertW"),
    *("bessely of order 1/2", "polylog of order 2"),
    *("hyper of type 0F1", "hyper of type 1F1", "hyper of type 2F1"),
}
NOT_IN_JAX = {
    *("airyai", "airyaiprime", "airybi", "airybiprime", "besselj", "bessely", "besselk", "binomial", "chebyshevt"),
    *("chebyshevu", "hermite", "legendre", "Chi", "Shi", "elliptic_e", "elliptic_k", "erfi", "erfcinv", "LambertW"),
    *("besseli of order 1/3", "besseli of constant order", "polylog of order 2", "hyper of type 0F1"),
}


@pytest.fixture(params=["autograd", "jax"])
def arrays(request):
    """Give the name of a package of arrays that is installed."""
    package = pytest.importorskip(request.param)
    if request.param == "autograd":
        yield request.param
        return
    before = package.config.jax_enable_x64
    package.config.update("jax_enable_x64", True)
    yield request.param
    package.config.update("jax_enable_x64", before)


def in_numpy(text, x):
    return compile_formula(parse_formula(text), "float64")(np.array(x))


def numbers(points, dtype="float64"):
    return np.array([float(point) for point in points], dtype=dtype)


def lacks(namespace):
    """Return what a package says that it has not, over all formulas."""
    missing = set()
    for text, _ in FORMULAS:
        try:
            evaluate_in(parse_formula(text), namespace)
        except UnsupportedError as error:
            missing.add(str(error).removeprefix(f"{namespace} has no "))
    return missing


def test_every_function_of_the_grammar_is_asked_for():
    assert all(any(f"{name}(" in text for text, _ in FORMULAS) for name in ARITIES)


# mpmath ---------------------------------------------------------------------------------------------------------------


def test_mpmath_has_almost_everything():
    assert lacks("mpmath") == {"erfcinv"}


@pytest.mark.parametrize(("text", "points"), [formula for formula in FORMULAS if "erfcinv" not in formula[0]])
def test_values_in_mpmath_have_its_digits(text, points):
    evaluate = evaluate_in(parse_formula(text), "mpmath")
    # mpmath sums a series for Chebyshev's polynomials, and no precision shows it that the sum is exactly 0.
    for x in numbers([point for point in points if (text, point) != ("chebyshevu(5, x)", "0.5")]).tolist():
        truth = exact_derivative(text, x, 0)
        with mpmath.workdps(30):
            value, exact = evaluate(x), mpmath.mpf(truth.hi) + truth.lo
            assert type(value) is mpmath.mpf, (text, x)
            assert mpmath.almosteq(value, exact, rel_eps=1e-28, abs_eps=1e-40), (text, x)


@pytest.mark.parametrize("text", ["sin(x)/x", "exp(x)**2", "gamma(x)", "besselj(1/3, x)", "Max(x, 1/x)", "pi**x"])
def test_mpmath_differentiates_in_its_own_arithmetic(text):
    truth = exact_derivative(text, 1.75)
    with mpmath.workdps(40):
        slope = mpmath.diff(evaluate_in(parse_formula(text), "mpmath"), 1.75)
        assert mpmath.almosteq(slope, mpmath.mpf(truth.hi) + truth.lo, rel_eps=1e-30)


def test_constants_have_the_precision_of_the_moment():
    third = evaluate_in(parse_formula("Rational(1, 3) + 0*x"), "mpmath")
    with mpmath.workdps(50):
        assert third(1) == mpmath.mpf(1) / 3
        assert evaluate_in(parse_formula("pi"), "mpmath")(1) == +mpmath.pi
    assert third(1) == mpmath.mpf(1) / 3
    for power in range(40, 80):
        sevenths = evaluate_in(parse_formula(f"Rational({3**power}, 7)"), "mpmath")
        assert sevenths(1) == 3**power / 7, "Python divides whole numbers with one rounding"


def test_mpmath_computes_as_written():
    evaluate = evaluate_in(parse_formula("(1 + x) - 1"), "mpmath")
    assert evaluate(1e-16) == 0
    with mpmath.workdps(40):
        assert evaluate(1e-16) == 1e-16


def test_what_is_not_real_in_mpmath_is_no_number():
    for text in ("cbrt(x)", "log(x)", "sqrt(x)", "loggamma(x)", "Piecewise((1, x > 0))"):
        assert mpmath.isnan(evaluate_in(parse_formula(text), "mpmath")(-8.5)), text
    assert evaluate_in(parse_formula("sqrt(x)**2"), "mpmath")(-4) == -4
    assert mpmath.almosteq(
        evaluate_in(parse_formula("log(x)"), "mpmath")(mpmath.mpc(0, 1)), mpmath.mpc(0, mpmath.pi / 2)
    )


def test_a_branch_that_is_not_taken_is_not_computed_in_mpmath():
    assert evaluate_in(parse_formula("Piecewise((0, x <= 0), (1/x, True))"), "mpmath")(0) == 0


# What there is not ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_package_that_is_not_installed_is_named(namespace, monkeypatch):
    monkeypatch.setitem(sys.modules, namespace, None)
    with pytest.raises(UnsupportedError, match=f"^{namespace} is not installed$"):
        evaluate_in(parse_formula("x"), namespace)


def test_namespaces_and_dtypes_are_checked():
    with pytest.raises(
        InputError, match=r"^namespace: 'mpmth' is not one of autograd, jax, mpmath, torch; did you mean 'mpmath'\?$"
    ):
        evaluate_in(parse_formula("x"), "mpmth")
    with pytest.raises(InputError, match=r"^dtype: 'complex128' is not one of"):
        evaluate_in(parse_formula("x"), "mpmath", "complex128")


@pytest.mark.slow
def test_what_the_others_have_not_is_named(arrays):
    assert lacks(arrays) == {"autograd": NOT_IN_AUTOGRAD, "jax": NOT_IN_JAX}[arrays]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 + sin(besselk(1, x))", "besselk"),
        ("besseli(x, 2)", "besseli of variable order"),
        ("uppergamma(-1/2, x)", "uppergamma of order -1/2"),
        ("Piecewise((x, zeta(x) < airyai(x)), (hyper([1], [2, 3], x), True))", "(zeta|airyai)"),
    ],
)
def test_the_reason_names_what_is_missing(text, reason, arrays):
    with pytest.raises(UnsupportedError, match=f"^{arrays} has no {reason}$"):
        evaluate_in(parse_formula(text), arrays)


@pytest.mark.slow
def test_jax_without_float64_refuses_it(arrays):
    package = import_module(arrays)
    if arrays == "jax":
        package.config.update("jax_enable_x64", False)
        with pytest.raises(UnsupportedError, match="jax_enable_x64"):
            evaluate_in(parse_formula("x"), "jax")
    assert evaluate_in(parse_formula("x/3"), arrays, "float32")(np.float32(1)).dtype == np.float32


# autograd and JAX -----------------------------------------------------------------------------------------------------


def supported(text, namespace, dtype="float64"):
    try:
        return evaluate_in(parse_formula(text), namespace, dtype)
    except UnsupportedError:
        return None


@pytest.mark.slow
@pytest.mark.parametrize(("text", "points"), FORMULAS)
def test_values_agree_with_numpys(text, points, arrays):
    evaluate, x = supported(text, arrays), numbers(points)
    if evaluate is not None:
        with np.errstate(all="ignore"):
            together, apart = evaluate(x), [evaluate(one) for one in x]
        assert (together.dtype, together.shape) == (x.dtype, x.shape)
        for got in (together, apart):
            np.testing.assert_allclose(got, in_numpy(text, x), rtol=1e-12, atol=1e-15)


SMOOTH = [
    *("exp(x)", "expm1(x)", "log(x)", "log(x, 3)", "log(3, x)", "log1p(x)", "sqrt(x)", "cbrt(x)", "sinc(x)", "1/x**2"),
    *(f"{name}{h}(x)" for name in ("sin", "cos", "tan", "cot", "sec", "csc") for h in ("", "h")),
    *("asin(x/4)", "acos(x/4)", "atan(x)", "acot(x)", "asec(x + 1)", "acsc(x + 1)"),
    *("asinh(x)", "acosh(x + 1)", "atanh(x/4)", "acoth(x + 1)", "asech(x/4)", "acsch(x)"),
    *("x**3 - 2*x", "x**2.5", "x**x", "2**-x", "pi*x**Rational(1, 3)", "(1 + x) - 1", "-x**2", "atan2(x, 2)"),
    *(
        "Abs(x - 3)",
        "sign(x)*x",
        "Heaviside(x)*x**2",
        "Max(x, 1, x**2)",
        "Min(x, 1/x)",
        "atan2(2, x)",
        "atan2(x, x**2)",
    ),
    *("Piecewise((x**2, x <= 1), (1/x, x > 5), (sin(x), True))", "Piecewise((1, x < 0), (x, True))"),
    *("erf(x)", "erfc(x)", "erfinv(x/4)", "erfcinv(x/4)", "gamma(x)", "loggamma(x)", "digamma(x)", "factorial(x)"),
    *("polygamma(0, x)", "polygamma(2, x)", "beta(x, 1.5)", "beta(1.5, x)", "uppergamma(1/3, x)", "lowergamma(2, x)"),
    *("besselj(0, x)", "besselj(3/2, x)", "bessely(0, x)", "bessely(2, x)", "besseli(0, x)", "besseli(1, x)"),
    *("besseli(1/3, x)", "polylog(1, x/4)", "hyper([], [], x)", "hyper([1/2], [], x/4)"),
    *("Ei(x)", "li(x + 1)", "expint(3, x)", "Si(x)", "Ci(x)", "fresnels(x)", "fresnelc(x)", "zeta(x + 1)"),
    *("hyper([1/2], [3], x)", "hyper([1/2, 2], [5/2], x/4)"),
]


def gradient(namespace, evaluate):
    return import_module(namespace).grad(evaluate)


@pytest.mark.slow
@pytest.mark.parametrize("text", SMOOTH)
def test_derivatives_by_automatic_differentiation_are_exact(text, arrays):
    evaluate = supported(text, arrays)
    if evaluate is None:
        return
    for x in (0.375, 1.75):
        slope = exact_derivative(text, x)
        assert float(gradient(arrays, evaluate)(x)) == pytest.approx(slope.hi, rel=1e-12, abs=1e-15), (text, x)


@pytest.mark.slow
def test_sinc_has_its_derivatives_at_0(arrays):
    function = evaluate_in(parse_formula("sinc(x)"), arrays)
    found = [float(function(0.0))]
    for _ in range(4):
        function = gradient(arrays, function)
        found.append(float(function(0.0)))
    assert found == pytest.approx([1, 0, -1 / 3, 0, 1 / 5], abs=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize(("text", "points"), FORMULAS)
def test_float32_stays_float32(text, points, arrays):
    evaluate, x = supported(text, arrays, "float32"), numbers(points, "float32")
    if evaluate is not None:
        with np.errstate(all="ignore"):
            values = [evaluate(x), evaluate(x[0])]
        assert [value.dtype for value in values] == [np.float32, np.float32]


@pytest.mark.slow
def test_constants_are_rounded_once_into_the_dtype(arrays):
    for text in ("0.1 + 0*x", "Rational(1, 10) + 0*x"):
        assert evaluate_in(parse_formula(text), arrays, "float32")(np.float32(1)) == np.float32(0.1)
    assert evaluate_in(parse_formula("(1 + x) - 1"), arrays)(np.float64(1e-10)) == 1.000000082740371e-10


@pytest.mark.slow
def test_left_of_0_there_is_no_principal_value(arrays):
    with np.errstate(all="ignore"):
        for text in ("cbrt(x)", "loggamma(x)"):
            assert np.isnan(evaluate_in(parse_formula(text), arrays)(np.float64(-1.5))), text


@pytest.mark.slow
def test_jax_compiles_it(arrays):
    if arrays == "jax":
        evaluate = import_module("jax").jit(
            evaluate_in(parse_formula("besseli(2 - 1, x) + Piecewise((x, x < 1))"), "jax")
        )
        assert float(evaluate(0.5)) == pytest.approx(float(mpmath.besseli(1, 0.5)) + 0.5, rel=1e-14)
