"""The measured function: the formula as written, constants rounded once, no dtype slips."""

import math
import operator
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diffbench import exact_derivative, parse_formula
from diffbench.dtypes import PLAIN
from diffbench.errors import UnsupportedError
from diffbench.functions.compile import _functions, compile_formula, named_constant
from diffbench.functions.function import is_array_of
from diffbench.functions.grammar import ARITIES, Call, walk
from diffbench.rounding import round_to


def value(text, x, dtype="float64"):
    return compile_formula(parse_formula(text), dtype)(np.array([x], dtype=dtype))[0]


# As written -----------------------------------------------------------------------------------------------------------


def test_one_plus_x_minus_one_is_not_x():
    assert value("(1 + x) - 1", 1e-16) == 0
    assert value("(1 + x) - 1", 1e-10) == 1.000000082740371e-10
    assert value("1 + (x - 1)", 1e-16) == 2.0**-53
    assert value("x + (1 - 1)", 1e-16) == 1e-16


def test_like_terms_are_not_collected():
    assert value("x/3*3 - x", 5e-324) == -5e-324
    assert value("(x + 0.1) + 0.2 - (x + (0.1 + 0.2))", 0.0) == (0.1 + 0.2) - (0.1 + 0.2)
    assert value("x*x - x**2", 1e200) != value("0*x", 1e200)


def test_the_notebooks_bits():
    f = compile_formula(parse_formula("1/w**2"), "float64")
    x, epsilon = np.array([4.0]), np.array([0.001])
    assert ((f(x + epsilon) - f(x)) / epsilon)[0] == -0.031238285155041345


@pytest.mark.parametrize(
    ("text", "x", "bits"), [("w**2", 3.001, 9.006000999999998), ("w**3", 2.001, 8.012006000999998)]
)
def test_powers_are_correctly_rounded_here(text, x, bits):
    exact = round_to(Fraction(x) ** int(text[-1]), "float64")
    assert value(text, x) == pytest.approx(exact, rel=2.3e-16)
    assert exact == pytest.approx(bits, rel=1e-15)
    if text == "w**2":
        assert value(text, x) == exact == np.square(x)


FLOATS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
PLACES = st.integers(1, 20).map(lambda n: n / 7)
EXPRESSIONS = st.recursive(
    st.one_of(st.just("x"), st.sampled_from(["0.1", "3", "1e9", "0.7", "1e-9"])),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner),
    max_leaves=10,
)


def written(node):
    return node if isinstance(node, str) else f"({written(node[0])} {node[1]} {written(node[2])})"


def in_python_floats(node, x):
    if isinstance(node, str):
        return x if node == "x" else float(node)
    left, right = in_python_floats(node[0], x), in_python_floats(node[2], x)
    return FLOATS[node[1]](left, right)


@given(EXPRESSIONS, PLACES)
@example((("1", "+", "x"), "-", "1"), 1e-10)
@settings(max_examples=200)
def test_arithmetic_is_done_operation_by_operation(node, x):
    try:
        expected = in_python_floats(node, x)
        formula = parse_formula(written(node))
    except (ZeroDivisionError, ValueError):
        return
    got = compile_formula(formula, "float64")(np.array([x]))[0]
    assert got == expected or (math.isnan(got) and math.isnan(expected))


# Constants ------------------------------------------------------------------------------------------------------------

TIE = 1 + Fraction(1, 2**24) + Fraction(1, 2**54)
TIE_TEXT = f"{TIE.numerator * 5**54}e-54"


@pytest.mark.parametrize("text", [TIE_TEXT, f"Rational({TIE.numerator}, {TIE.denominator})"])
def test_constants_are_rounded_once_into_the_dtype(text):
    assert np.float32(np.float64(1 + 2.0**-24)) == 1, "by way of float64 it would be 1"
    assert value(f"{text}*x", 1, "float32") == np.float32(1 + 2**-23)


@pytest.mark.parametrize("dtype", PLAIN)
@pytest.mark.parametrize(
    ("name", "constant"),
    [("pi", "pi"), ("E", "e"), ("EulerGamma", "euler"), ("Catalan", "catalan"), ("GoldenRatio", "phi")],
)
def test_named_constants_are_rounded_to_nearest(name, constant, dtype):
    got = compile_formula(parse_formula(f"{name} + 0*x"), dtype)(np.ones(1, dtype=dtype))
    with mpmath.workprec(900):
        truth = getattr(mpmath, constant) + mpmath.mpf(0)
        sides = [np.nextafter(got, np.array([side], dtype=dtype)) for side in (0, 100)]
        assert all(abs(float(got[0]) - truth) < abs(float(side[0]) - truth) for side in sides)
        exact = named_constant(name)
        assert abs(mpmath.mpf(exact.numerator) / exact.denominator - truth) < mpmath.mpf(2) ** -395


def test_a_variable_is_no_named_constant():
    assert named_constant("x") is None


# Shapes and dtypes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", PLAIN)
@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3)])
@pytest.mark.parametrize("text", ["2", "pi", "x", "x + 1", "Piecewise((1, True))", "Piecewise((1, x < 0), (2, True))"])
def test_the_answer_has_the_shape_and_dtype_of_the_nodes(text, shape, dtype):
    x = np.linspace(1, 2, math.prod(shape)).astype(dtype).reshape(shape)
    assert is_array_of(compile_formula(parse_formula(text), dtype)(x), shape, dtype)


def test_sqrt_2_times_x_stays_float32():
    x = np.array([1.1, -3], dtype=np.float32)
    got = compile_formula(parse_formula("sqrt(2)*x"), "float32")(x)
    assert got.dtype == np.float32
    assert got.tolist() == (np.sqrt(np.array([2], dtype=np.float32)) * x).tolist()


def test_warnings_of_numpy_do_not_escape():
    assert value("1/x", 0.0) == np.inf
    assert math.isnan(value("log(x)", -1.0))
    assert value("exp(x)", 1000.0) == np.inf


# Every function of the grammar ----------------------------------------------------------------------------------------

EVERY = ["-2.25", "-0.75", "0", "0.1", "0.5", "3"]
POSITIVE = ["0.1", "0.5", "1.75", "7.25"]
INSIDE = ["-0.9", "-0.25", "0.1", "0.5"]
OUTSIDE = ["-3.5", "-1.25", "1.5", "10"]
NONZERO = ["-2.25", "-0.75", "0.1", "3"]

SAMPLES = {
    **dict.fromkeys(("exp", "expm1", "Abs", "sign", "Heaviside", "sin", "cos", "tan", "sinc", "atan"), ("", EVERY)),
    **dict.fromkeys(("sinh", "cosh", "tanh", "sech", "asinh", "erf", "erfc", "erfi", "airyai", "airybi"), ("", EVERY)),
    **dict.fromkeys(("airyaiprime", "airybiprime", "Si", "Shi", "fresnels", "fresnelc", "sec"), ("", EVERY)),
    **dict.fromkeys(("log1p", "LambertW"), ("", ["-0.25", "0", "0.1", "3"])),
    **dict.fromkeys(("sqrt", "cbrt", "log", "loggamma", "Ei", "Ci", "Chi"), ("", POSITIVE)),
    **dict.fromkeys(("asin", "acos", "atanh"), ("", INSIDE)),
    **dict.fromkeys(("asec", "acsc", "acoth"), ("", OUTSIDE)),
    **dict.fromkeys(("cot", "csc", "coth", "csch", "acot", "acsch", "gamma", "digamma", "factorial"), ("", NONZERO)),
    "acosh": ("", ["1.25", "3", "100"]),
    "asech": ("", ["0.1", "0.5", "1"]),
    "zeta": ("", ["1.5", "3", "20.5"]),
    "elliptic_k": ("", ["-3", "0", "0.5"]),
    "elliptic_e": ("", ["-3", "0", "0.5"]),
    "besselj": ("2, ", EVERY),
    "bessely": ("1, ", POSITIVE),
    "besseli": ("Rational(1, 3), ", POSITIVE),
    "besselk": ("1, ", POSITIVE),
    "polygamma": ("2, ", POSITIVE),
    "expint": ("3, ", POSITIVE),
    **dict.fromkeys(("chebyshevt", "chebyshevu", "legendre", "hermite"), ("5, ", EVERY)),
    "atan2": ("0.5, ", EVERY),
    "beta": ("1.5, ", POSITIVE),
    "binomial": ("7, ", EVERY),
    "Max": ("0.3, -1, ", EVERY),
    "Min": ("0.3, -1, ", EVERY),
    "Rational": ("1, 3)*(", EVERY),
    "Piecewise": ("(x**2, x <= 0.2), (1/x, x > 1), (", EVERY),
}

AGAINST_MPMATH = [
    ("li(x)", ["0.1", "0.5", "1.5", "20"], mpmath.li),
    ("erfinv(x)", ["-0.999", "-0.25", "1e-9", "0.5"], mpmath.erfinv),
    ("erfcinv(x)", ["1e-9", "0.25", "0.75", "1.5"], lambda x: mpmath.erfinv(1 - x)),
    ("polylog(1, x)", ["-3", "-1e-9", "1e-9", "0.5"], lambda x: -mpmath.log1p(-x)),
    (
        "polylog(2, x)",
        ["-20", "-1.25", "-1", "-0.5", "-1e-9", "0", "1e-9", "0.25", "0.5", "0.75", "0.999", "1"],
        lambda x: mpmath.polylog(2, x),
    ),
    ("uppergamma(Rational(1, 3), x)", ["0", "0.1", "1.75", "40"], lambda x: mpmath.gammainc(mpmath.mpf(1) / 3, x)),
    ("uppergamma(3, x)", ["0", "0.1", "1.75", "40"], lambda x: mpmath.gammainc(3, x)),
    ("lowergamma(5/2, x)", ["0", "0.1", "1.75", "40"], lambda x: mpmath.gammainc(2.5, 0, x)),
    ("lowergamma(0.01, x)", ["0", "1e-9", "1.75", "40"], lambda x: mpmath.gammainc(mpmath.mpf("0.01"), 0, x)),
    ("hyper([], [], x)", EVERY, mpmath.exp),
    ("hyper([1/2], [], x)", [*INSIDE, "-20"], lambda x: 1 / mpmath.sqrt(1 - x)),
    ("hyper([-2], [], x)", EVERY, lambda x: (1 - x) ** 2),
    ("hyper([], [3/2], x)", EVERY, lambda x: mpmath.hyp0f1(1.5, x)),
    ("hyper([-1/2], [3], x)", EVERY, lambda x: mpmath.hyp1f1(-0.5, 3, x)),
    ("hyper([1/2, 2], (-5/2,), x)", INSIDE, lambda x: mpmath.hyp2f1(0.5, 2, -2.5, x)),
    ("hyper([1, 2], [2], x)", OUTSIDE, lambda x: 1 / (1 - x)),
]

LOSES_A_FEW = {"erfi": 1e-14, "airyai": 1e-13, "airybi": 1e-13, "airyaiprime": 1e-13, "airybiprime": 1e-13}
LOSES_A_FEW |= {"besselj": 1e-13, "bessely": 1e-13, "gamma": 1e-14, "fresnels": 1e-13, "fresnelc": 1e-13}


def sample(name):
    before, points = SAMPLES[name]
    return f"{name}({before}x{', True)' if name == 'Piecewise' else ''})", points


def test_no_function_of_the_grammar_is_left_out():
    trees = [parse_formula(text).tree for text, _, _ in AGAINST_MPMATH]
    further = {node.name for tree in trees for node in walk(tree) if isinstance(node, Call)}
    assert set(SAMPLES) | further == set(ARITIES)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_numpy_agrees_with_balls(name):
    formula, points = sample(name)
    for point in points:
        x = float(point)
        truth = exact_derivative(formula, x, derivative=0, digits=20).hi
        got = value(formula, x)
        assert got == pytest.approx(truth, rel=LOSES_A_FEW.get(name, 5e-15), abs=1e-300), (formula, point)


@pytest.mark.parametrize(("formula", "points", "function"), AGAINST_MPMATH)
def test_numpy_agrees_with_mpmath(formula, points, function):
    for point in points:
        x = float(point)
        with mpmath.workdps(40):
            truth = float(function(mpmath.mpf(x)))
        assert value(formula, x) == pytest.approx(truth, rel=5e-15, abs=1e-300), (formula, point)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize(("formula", "points", "function"), AGAINST_MPMATH)
def test_small_dtypes_agree_with_mpmath_or_are_detected(formula, points, function, dtype):
    x = np.array([float(point) for point in points], dtype=dtype)
    got = compile_formula(parse_formula(formula), dtype)(x)
    assert got.shape == x.shape
    if is_array_of(got, x.shape, dtype):
        with mpmath.workdps(40):
            truth = [float(function(mpmath.mpf(float(node)))) for node in x]
        assert np.allclose(got.astype(float), truth, rtol=60 * np.finfo(dtype).eps, atol=60 * np.finfo(dtype).tiny)
    else:
        assert dtype == "float16", "SciPy has every one of them in float32"
        assert got.dtype.itemsize > x.dtype.itemsize


@pytest.mark.parametrize(
    ("formula", "outside", "inside"),
    [
        ("li(x)", [-1e-9, -3], [0, 0.5, 3]),
        ("erfinv(x)", [-1.5, 1.5], [-0.5, 0.5]),
        ("erfcinv(x)", [-0.5, 2.5], [0.5, 1.5]),
        ("polylog(1, x)", [1.5, 30], [-5, 0.5]),
        ("polylog(2, x)", [1.0001, 1.5, 30], [-5, 0, 1]),
        ("uppergamma(2, x)", [-1e-9, -3], [0, 3]),
        ("lowergamma(1/2, x)", [-1e-9, -3], [0, 3]),
        ("hyper([1/3], [], x)", [1.5, 30], [-5, 0.5]),
        ("hyper([1/2, 1], [7/3], x)", [1.5, 30], [-5, 0.5, 1]),
    ],
)
def test_special_functions_end_where_they_stop_being_real(formula, outside, inside):
    evaluate = compile_formula(parse_formula(formula), "float64")
    assert not np.isfinite(evaluate(np.array(outside, dtype=float))).any()
    assert np.isfinite(evaluate(np.array(inside, dtype=float))).all()


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("polylog(3, x)", "polylog of order 3"),
        ("x + polylog(-1/2, x)", "polylog of order -1/2"),
        ("uppergamma(0, x)", "uppergamma of order 0"),
        ("lowergamma(-3/2, x)", "lowergamma of order -3/2"),
        ("hyper([1, 2, 3], [4, 5], x)", "hyper of type 3F2"),
        ("hyper([1, 1], [], x)", "hyper of type 2F0"),
        ("sin(hyper([], [1, 1], x))", "hyper of type 0F2"),
    ],
)
def test_what_scipy_has_not_is_unsupported_with_its_parameters(formula, reason, dtype):
    with pytest.raises(UnsupportedError, match=f"^no numerical implementation of {reason}$"):
        compile_formula(parse_formula(formula), dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_small_dtypes_stay_or_are_detected(name, dtype):
    formula, points = sample(name)
    x = np.array([float(point) for point in points], dtype=dtype)
    with np.errstate(all="ignore"):
        got = compile_formula(parse_formula(formula), dtype)(x)
    if is_array_of(got, x.shape, dtype):
        truth = [exact_derivative(formula, float(node), derivative=0, digits=5).hi for node in x]
        assert np.allclose(got.astype(float), truth, rtol=60 * np.finfo(dtype).eps, atol=60 * np.finfo(dtype).tiny)
    else:
        assert got.dtype.itemsize > x.dtype.itemsize
        assert name not in ELEMENTARY, "numpy has every elementary function in every dtype"


ELEMENTARY = {
    "exp",
    "expm1",
    "log",
    "log1p",
    "sqrt",
    "cbrt",
    "Abs",
    "sign",
    "Heaviside",
    "sinc",
    "Max",
    "Min",
    "Piecewise",
}
ELEMENTARY |= {
    f"{arc}{name}{h}" for arc in ("", "a") for h in ("", "h") for name in ("sin", "cos", "tan", "cot", "sec", "csc")
}
ELEMENTARY |= {"atan2", "Rational"}


def test_outside_its_real_range_the_cube_root_is_no_number():
    assert math.isnan(value("cbrt(x)", -8.0))
    assert math.isnan(value("LambertW(x)", -1.0))
    assert math.isnan(value("Piecewise((x, x < 0))", 1.0))


# Complex continuation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Abs(x)", "Max(x, 0)", "sign(x)", "Piecewise((x, x < 0), (0, True))", "x*zeta(x)"])
def test_what_is_not_analytic_refuses_complex_values(text):
    with pytest.raises(UnsupportedError, match="needs complex values"):
        compile_formula(parse_formula(text), "complex128")


@pytest.mark.parametrize(
    "text",
    [
        *("li(x)", "erfinv(x)", "erfcinv(x)", "uppergamma(2, x)", "lowergamma(2, x)"),
        *("hyper([], [1], x)", "hyper([1], [2], x)", "hyper([1, 2], [3], x)"),
    ],
)
def test_what_scipy_has_for_real_numbers_only_says_so(text):
    with pytest.raises(UnsupportedError, match=f"^needs complex values, which {text.split('(')[0]} does not take$"):
        compile_formula(parse_formula(text), "complex128")


@pytest.mark.parametrize("step", [1e-8, 1e-20, 1e-200])
@pytest.mark.parametrize(
    ("formula", "points", "slope"),
    [
        ("polylog(1, x)", ["-3", "1e-9", "0.5"], lambda x: 1 / (1 - x)),
        ("polylog(2, x)", ["-20", "-1", "-0.5", "1e-9", "0.5", "0.9"], lambda x: -mpmath.log1p(-x) / x),
        ("hyper([], [], x)", EVERY, mpmath.exp),
        ("hyper([1/2], [], x)", INSIDE, lambda x: (1 - x) ** -1.5 / 2),
        ("hyper([-2], [], x)", EVERY, lambda x: 2 * x - 2),
    ],
)
def test_continuations_give_slopes_for_the_smallest_steps(formula, points, slope, step):
    evaluate = compile_formula(parse_formula(formula), "complex128")
    for point in points:
        above = evaluate(np.array([complex(float(point), step)]))
        assert above.dtype == np.complex128
        with mpmath.workdps(40):
            truth = float(slope(mpmath.mpf(float(point))))
        assert above[0].imag / step == pytest.approx(truth, rel=1e-13), (formula, point)
        assert above[0].real == pytest.approx(value(formula, float(point)), rel=5e-15, abs=5e-15), (formula, point)


@pytest.mark.parametrize(
    "name", sorted(name for name in SAMPLES if name in _functions() and _functions()[name].accepts_complex)
)
def test_continuations_are_analytic_and_real_on_the_real_line(name):
    formula, points = sample(name)
    evaluate = compile_formula(parse_formula(formula), "complex128")
    for point in points:
        slope = exact_derivative(formula, point, digits=10)
        if slope.verdict != "certified":
            continue
        above = evaluate(np.array([complex(float(point), 1e-5)]))
        assert above.dtype == np.complex128
        assert above[0].imag / 1e-5 == pytest.approx(slope.hi, rel=1e-6, abs=1e-6), (formula, point)
        assert above[0].real == pytest.approx(float(value(formula, float(point))), rel=1e-6, abs=1e-6), (formula, point)


def test_complex_nodes_keep_their_width():
    nodes = np.array([1 + 1e-3j, 2], dtype=np.complex64)
    for text in ("sin(x)/x", "sqrt(2)*x**2", "2"):
        assert compile_formula(parse_formula(text), "complex64")(nodes).dtype == np.complex64


@pytest.mark.parametrize("name", ["loggamma", "Ci", "Chi"])
def test_left_of_zero_nothing_real_is_made_up(name):
    """SymPy's principal value is not real there; SciPy's own functions go on with another branch."""
    value = compile_formula(parse_formula(f"{name}(x)"), "float64")(np.array([-1.5, 1.5]))
    assert np.isnan(value[0])
    assert np.isfinite(value[1])


def test_complex_ei_is_continued_from_the_real_axis():
    x, step = -1.5, 1e-20
    slope = compile_formula(parse_formula("Ei(x)"), "complex128")(np.array([x + 1j * step])).imag / step
    assert slope == pytest.approx(np.exp(x) / x, rel=1e-12)


def test_a_constant_is_complex_in_a_complex_dtype():
    for size in (1, 3):
        value = compile_formula(parse_formula("2"), "complex64")(np.ones(size, np.complex64))
        assert value.dtype == np.complex64
