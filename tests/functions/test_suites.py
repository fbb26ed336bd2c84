"""The catalogue of functions, and the numbers that the literature prints."""

from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from diffbench import exact_derivative
from diffbench.errors import FormulaError, InputError, UnsupportedError
from diffbench.functions.grammar import parse_formula, walk
from diffbench.functions.suites import BUILT_IN, find_function, load_suite, parse_suite
from diffbench.reference.exact import are_defined
from diffbench.rounding import exact_mpf, exact_number, round_array, round_to, unit_roundoff
from diffbench.schemes.scheme import parse_scheme

ALL = [
    (suite, line)
    for suite in BUILT_IN
    for function in load_suite(suite).functions
    if function.model is None
    for line in function.along_lines("float64")
]
IDS = [f"{suite}/{function.name}" for suite, function in ALL]


@pytest.mark.parametrize(("suite", "function"), ALL, ids=IDS)
def test_every_point_is_in_the_domain_and_f_is_defined_there(suite, function):
    assert function.points
    assert len(set(function.points)) == len(function.points)
    for point in function.points:
        assert function.domain.interval_of(point) is not None
        assert are_defined(function.formula, [point])[0]
        assert are_defined(function.formula, [round_to(point, "float64")])[0]


@pytest.mark.parametrize(("suite", "function"), ALL, ids=IDS)
def test_every_function_has_a_finite_value_in_float64(suite, function):
    values = function.compile("float64")(round_array(function.points, "float64"))
    assert np.isfinite(values).all()


def test_the_lab_is_the_notebooks():
    lab = load_suite("lab")
    assert [str(function.formula) for function in lab.functions] == ["w**2", "2*w", "w**3", "1/w", "1/w**2"]
    assert (lab.schemes, lab.epsilons) == (("forward-1",), ("0.001", "1e-9"))


CLASSES = {"polynomial", "rational", "exponential", "trigonometric", "logarithmic", "root", "special", "oscillating"}
CLASSES |= {"steep", "flat", "cancellation", "near-singularity", "badly-scaled", "removable", "not-analytic", "kinked"}


def test_the_standard_suite_is_what_the_issue_asks_for():
    functions = load_suite("standard").functions
    assert len(functions) >= 40
    assert min(len(function.points) for function in functions) >= 3
    assert {function.tags[0] for function in functions} == CLASSES
    formulas = {str(function.formula) for function in functions}
    assert formulas >= {"sin(1/x)", "sin(100*x)", "exp(100*x)", "(1 - cos(x))/x**2", "(1 + x) - 1", "exp(-1/x**2)"}
    assert formulas >= {"Abs(x)", "Max(0, x)", "Abs(x)**Rational(3, 2)", "erf(x)", "gamma(x)", "besselj(0, x)"}


def test_the_expanded_polynomial_is_the_twentieth_power():
    from math import comb

    formula = find_function("expanded-20").formula
    exact = {k: exact_derivative(formula, 0, derivative=k).value for k in range(4)}
    assert [exact[k] for k in range(4)] == [1, -20, 2 * 190, -6 * 1140]
    assert exact_derivative(formula, 1, derivative=0).value == 0
    assert exact_derivative(formula, "3/2", derivative=0).value == Fraction(1, 2**20)
    assert str(max(comb(20, k) for k in range(21))) in str(formula)


def test_the_ml_suite_has_the_activations_and_costs():
    names = {function.name for function in load_suite("ml").functions}
    assert names >= {"sigmoid", "tanh", "softplus", "gelu", "silu", "elu", "relu"}


def test_published_functions_and_numbers_have_sources():
    for function in load_suite("published").functions:
        assert function.printed, function.name
        assert len(function.source) > 10, function.name
        assert function.tags[0] in {"paper", "textbook", "library"}


# What a tag claims ----------------------------------------------------------------------------------------------------

PARITY = [
    (suite, function)
    for suite, function in ALL
    if {"even", "odd"} & set(function.tags) and function.name != "bessel-j0"
]


@pytest.mark.parametrize(("suite", "function"), PARITY, ids=[f"{s}/{f.name}" for s, f in PARITY])
def test_even_and_odd_functions_are(suite, function):
    sign = 1 if "even" in function.tags else -1
    for point in function.points:
        if point and function.domain.interval_of(-point) is not None:
            here, mirrored = (
                rational(exact_derivative(function, x, derivative=0, digits=30).value) for x in (point, -point)
            )
            assert abs(here - sign * mirrored) <= abs(here) * Fraction(1, 10**25)


# All others are certified, which test_verify.py shows of the standard suite.
SMOOTH_SLOW = [pytest.param(*each, marks=[] if "kinked" in each[1].tags else [pytest.mark.slow]) for each in ALL]


@pytest.mark.parametrize(("suite", "function"), SMOOTH_SLOW, ids=IDS)
def test_only_what_has_a_kink_has_uncertain_or_no_derivatives(suite, function):
    for point in function.points:
        reference = exact_derivative(function, point, digits=10)
        settled = reference.is_settled
        assert settled or ("kinked" in function.tags and reference.verdict == "nondifferentiable"), point


def test_complex_unsafe_functions_are_refused_by_complex_steps():
    for name in ("standard", "ml"):
        for function in load_suite(name).functions:
            unsafe = {"Abs", "sign", "Max", "Min", "Piecewise"} & {
                getattr(n, "name", "") for n in walk(function.formula.tree)
            }
            assert bool(unsafe) == ("complex-unsafe" in function.tags), function.name
            if unsafe:
                with pytest.raises(UnsupportedError):
                    function.compile("complex128")


# Printed numbers ------------------------------------------------------------------------------------------------------

PRINTED = [(f, printed) for f in load_suite("published").functions for printed in f.printed]
PRINTED_IDS = [
    f"{f.name}-{p.quantity}{p.derivative}-{p.point}-{p.scheme}-{p.epsilon}-{n}" for n, (f, p) in enumerate(PRINTED)
]


def agrees(value, text, slack=Fraction(0)):
    """Return whether a number, rounded or cut off, is the printed one; printed doubles may be 2 ulp off."""
    printed = Fraction(text)
    place = Fraction(10) ** Decimal(text).as_tuple().exponent
    tolerance = place / 2 + slack
    if len(Decimal(text).as_tuple().digits) in (16, 17):
        tolerance = max(tolerance, 2 * Fraction(np.spacing(abs(float(text)))) + place / 2 + slack)
    cut_off = value * printed > 0 and 0 <= abs(value) - abs(printed) < place
    return abs(value - printed) <= tolerance or cut_off


def measured(function, printed):
    """Return the estimate in float64 as the textbook computes it, and how far another libm may move it.

    Every value of f may be off by two roundings; so may what is inside of f, which moves the value by f′ times as much.
    Where nothing is subtracted, the estimate is off by a few roundings of its own.
    """
    scheme = parse_scheme(printed.scheme, printed.derivative)
    x, epsilon = (round_array([exact_number(text)], "float64") for text in (printed.point, printed.epsilon))
    values, largest = {}, 0.0
    for offset in scheme.offsets:
        node = x + float(offset.real) * epsilon
        if scheme.needs_complex:
            node = node + 1j * float(offset.imaginary) * epsilon
        values[offset] = function.compile("complex128" if scheme.needs_complex else "float64")(node)
        largest = max(largest, float(np.abs(values[offset])[0]))
    estimate = Fraction(float(scheme.combine(values, epsilon)[0]))
    u, m, step = Fraction(unit_roundoff("float64")), scheme.derivative, Fraction(float(epsilon[0]))
    slope = abs(rational(exact_derivative(function, printed.point, 1, digits=20).value))
    if not scheme.cancels:
        return estimate, 8 * u * slope
    size = Fraction(largest) + (slope if m == 1 else 0)
    return estimate, 2 * u * sum(abs(share.weight) for share in scheme.shares) * size / step**m


def truth(function, printed):
    return rational(exact_derivative(function, printed.point, printed.derivative, digits=60).value)


def rational(value):
    with mpmath.workprec(10000):
        return exact_mpf(value)


@pytest.mark.parametrize(("function", "printed"), PRINTED, ids=PRINTED_IDS)
def test_the_printed_number_is_reproduced_or_known_to_be_wrong(function, printed):
    exact, slack = truth(function, printed), Fraction(0)
    value = exact
    if printed.quantity != "derivative":
        value, slack = measured(function, printed)
    if printed.quantity.endswith("error"):
        value -= exact
    if printed.quantity == "absolute_error":
        value = abs(value)
    assert agrees(value, printed.value, slack) != printed.misprint, float(value)


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("0.54030230586", "0.5403023", True),
        ("0.54030230586", "0.5403024", False),
        ("0.54030235", "0.5403023", True),
        ("0.54030239", "0.5403023", True),
        ("0.54030239", "0.5403024", True),
        ("-22.4141606", "-22.414160", True),
        ("0.1", "-0.1", False),
        ("-9.00050e-4", "-9.0005e-4", True),
        ("-9.0007e-4", "-9.0005e-4", False),
        ("2.68811e43", "2.68805e43", False),
        ("4.9999999999217355", "4.9999999999217337", True),
        ("4.9999999999217375", "4.9999999999217337", False),
    ],
)
def test_the_comparison_itself_can_fail(value, text, expected):
    assert agrees(Fraction(value), text) == expected


def test_every_printed_quantity_occurs_and_misprints_say_why():
    assert {printed.quantity for _, printed in PRINTED} == {"derivative", "estimate", "error", "absolute_error"}
    assert len(PRINTED) > 100
    assert all(printed.note for _, printed in PRINTED if printed.misprint)


# Reading --------------------------------------------------------------------------------------------------------------

ONE = '[[functions]]\nformula = "x"\npoints = ["1"]\n'


def test_a_suite_is_a_toml_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'description = "d"\nepsilons = ["1e-3"]\n' + ONE + 'name = "line"\ntags = ["t"]\n', encoding="utf-8"
    )
    suite = load_suite(str(path))
    assert (suite.name, suite.description, suite.epsilons, suite.schemes) == ("mine", "d", ("1e-3",), ())
    assert suite.functions[0].name == "line"


def test_a_function_without_a_name_is_called_by_its_formula():
    assert parse_suite(ONE, "s").functions[0].name == "x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no functions"),
        ("functions = ", "no TOML"),
        ("functoins = 1", "unknown key 'functoins'; did you mean 'functions'"),
        (ONE + ONE, "two functions are called 'x'"),
        (ONE + "point = 1", "unknown key 'point'; did you mean 'points'"),
        ('[[functions]]\nformula = "x"', "the key 'points' is missing"),
        ('[[functions]]\nname = "f"\npoints = ["1"]', "'f': the key 'formula' is missing"),
        ('[[functions]]\nformula = "x+"\npoints = ["1"]', "position 2"),
        ('[[functions]]\nformula = "x"\npoints = "1"', "not a list of numbers"),
        (ONE + 'domain = "(2, 3)"', "outside the domain"),
        (ONE + '[[functions.printed]]\nvalu = "1"', "unknown key 'valu'; did you mean 'value'"),
    ],
)
def test_what_is_no_suite_is_refused_with_the_nearest_right_word(text, message):
    with pytest.raises(InputError, match=message):
        parse_suite(text, "s")


def test_unknown_suites_and_functions_are_refused_with_the_nearest(tmp_path):
    with pytest.raises(InputError, match="did you mean 'standard'"):
        load_suite("standart")
    with pytest.raises(InputError, match="cannot be read"):
        load_suite(str(tmp_path / "absent.toml"))
    with pytest.raises(InputError, match="did you mean 'sigmoid'"):
        find_function("sigmiod")


def test_a_suite_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        load_suite(str(path))


def test_functions_are_found_by_name_and_by_suite():
    assert find_function("runge") in load_suite("standard").functions
    assert find_function("ml/tanh") in load_suite("ml").functions
    assert find_function("published/log1p").source.startswith("NAG")


def test_a_formula_error_keeps_its_type():
    with pytest.raises(FormulaError):
        parse_suite(ONE.replace('"x"', '"x y"'), "s")
    assert parse_formula("x").variable == "x"
