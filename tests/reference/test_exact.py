"""The exact derivative: certified, agreed, nondifferentiable or uncertain, and never confidently wrong."""

import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import factorial, inf

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracle import value_at

from diffbench import Function, exact_derivative, parse_formula
from diffbench.errors import FormulaError, InputError
from diffbench.functions.suites import load_suite
from diffbench.reference.balls import Ball
from diffbench.reference.exact import are_defined, references
from diffbench.reference.verdict import Reference, enclosing_text
from diffbench.rounding import exact_mpf, exact_number, round_to


def rational(value):
    with mpmath.workprec(20000):
        return exact_mpf(value)


def close(value, text_or_number, digits):
    """Return whether a value agrees with a number to so many digits."""
    with mpmath.workdps(digits + 30):
        expected = mpmath.mpf(text_or_number)
        return abs(value - expected) <= abs(expected) * mpmath.mpf(10) ** -digits


# Values ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "x", "value"),
    [
        ("w**2", 2, 4),
        ("w**2", 3, 6),
        ("w**2", -3, -6),
        ("2*w", 3, 2),
        ("w**3", 2, 12),
        ("1/w", 2, Fraction(-1, 4)),
        ("1/w**2", 4, Fraction(-1, 32)),
    ],
)
def test_the_notebooks_derivatives(formula, x, value):
    reference = exact_derivative(formula, x)
    assert reference.verdict == "certified"
    assert rational(reference.value) == value == Fraction(reference.hi)
    assert reference.lo == 0


def test_sixty_digits_of_the_complex_step_papers_function():
    reference = exact_derivative("exp(x)/(sin(x)^3+cos(x)^3)", "3/2", digits=60)
    assert (reference.verdict, reference.method) == ("certified", "ball")
    assert reference.certified_digits >= 60
    with mpmath.workdps(120):
        x = mpmath.mpf(3) / 2
        s, c = mpmath.sin(x), mpmath.cos(x)
        below = s**3 + c**3
        truth = mpmath.exp(x) * (below - 3 * s * c * (s - c)) / below**2
        assert close(reference.value, truth, 60)
    assert mpmath.nstr(reference.value, 30) == "3.62203370071632604259777098114"


@given(st.fractions(-5, 5, max_denominator=1000), st.integers(0, 6))
@settings(max_examples=40)
def test_polynomials_are_enclosed_by_value_and_radius(x, derivative):
    reference = exact_derivative("x**5/3 - 0.1*x**3 + 7*x - 1", x, derivative)
    terms = {5: Fraction(1, 3), 3: Fraction(-1, 10), 1: Fraction(7), 0: Fraction(-1)}
    exact = sum(
        c * factorial(n) / factorial(n - derivative) * x ** (n - derivative)
        for n, c in terms.items()
        if n >= derivative
    )
    assert reference.verdict == "certified"
    assert abs(rational(reference.value) - exact) <= rational(reference.radius)
    assert reference.hi == round_to(exact, "float64")
    assert reference.lo == round_to(exact - Fraction(reference.hi), "float64")


def test_numbers_in_a_formula_are_rational_in_the_truth():
    x = Fraction(0.7)
    reference = exact_derivative("0.1*x**3", 0.7)
    assert reference.hi == round_to(Fraction(3, 10) * x**2, "float64")
    assert abs(rational(exact_derivative("0.2*x", "0.7", 0).value) - Fraction(14, 100)) < Fraction(1, 10**50)


@pytest.mark.parametrize("derivative", range(7))
def test_derivatives_of_every_order(derivative):
    x = mpmath.mpf("0.5")
    with mpmath.workdps(60):
        sine = mpmath.sin(x + derivative * mpmath.pi / 2)
        inverse = (-1) ** derivative * mpmath.factorial(derivative) / x ** (derivative + 1)
        truths = {"sin(x)": sine, "exp(2*x)": mpmath.mpf(2) ** derivative * mpmath.e, "1/x": inverse}
    for formula, truth in truths.items():
        reference = exact_derivative(formula, "0.5", derivative)
        assert reference.certified_digits >= 50
        assert close(reference.value, truth, 50), formula


def test_derivative_0_is_the_value():
    assert close(exact_derivative("gamma(x)", "1/2", 0).value, mpmath.sqrt(mpmath.pi), 14)
    assert exact_derivative("x**2", "1.5", 0).value == 2.25


def test_text_is_exact_and_a_float_its_binary_value():
    by_text, by_float = exact_derivative("x**2", "0.1"), exact_derivative("x**2", 0.1)
    assert rational(by_float.value) == 2 * Fraction(0.1)
    assert abs(rational(by_text.value) - Fraction(1, 5)) <= rational(by_text.radius) < Fraction(1, 10**50)
    for dtype in (np.float16, np.float32, np.longdouble):
        x = dtype("0.1")
        assert rational(exact_derivative("x**2", x).value) == 2 * Fraction(*x.as_integer_ratio())


def test_formulas_functions_and_texts_are_the_same():
    formula = parse_formula("sin(w)/w")
    results = [exact_derivative(each, "0.3") for each in ("sin(w)/w", formula, Function("f", formula, ["1"]))]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("digits", [1, 15, 50, 300, 1000])
def test_as_many_digits_as_were_asked_for(digits):
    reference = exact_derivative("erf(x)*gamma(x)", "7/3", digits=digits)
    assert reference.certified_digits >= digits
    assert rational(reference.radius) <= abs(rational(reference.value)) / 10**digits
    better = exact_derivative("erf(x)*gamma(x)", "7/3", digits=min(1000, digits + 20))
    assert abs(rational(better.value) - rational(reference.value)) <= rational(reference.radius) + rational(
        better.radius
    )


@pytest.mark.parametrize("function", load_suite("published").functions, ids=lambda function: function.name)
def test_hi_and_lo_are_the_value_in_two_words(function):
    for point in function.points:
        x = round_to(point, "float64")
        reference = exact_derivative(function, x, digits=60)
        exact = rational(reference.value)
        assert reference.hi == round_to(exact, "float64")
        assert abs(exact - Fraction(reference.hi) - Fraction(reference.lo)) <= abs(exact) / 2**105


# Traps: where fixed precision is confidently wrong (evidence, part 2) -------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "x", "truth"),
    [
        ("(1 - cos(x))/x**2", "1e-60", "-8.3333333333333333333333333333333e-62"),
        ("(1 - cos(x))/x**2", "1e-120", "-8.3333333333333333333333333333333e-122"),
        ("(log(1 + x) - x)/x**2", "1e-60", "0.33333333333333333333333333333333"),
        ("sqrt(x**2 + 1) - x", "1e110", "-5e-221"),
        ("sin(pi*x)", "1e300", "3.1415926535897932384626433832795"),
    ],
)
def test_cancellation_is_seen_through(formula, x, truth):
    reference = exact_derivative(formula, x, digits=30)
    assert (reference.verdict, reference.method) == ("certified", "ball")
    assert close(reference.value, truth, 28)


def test_the_expanded_polynomial_at_one_minus_1e_minus_9():
    formula = load_suite("standard").functions[[f.name for f in load_suite("standard").functions].index("expanded-20")]
    reference = exact_derivative(formula, "0.999999999")
    assert close(reference.value, "-2e-170", 45)


def test_a_saturated_tanh_is_no_zero():
    reference = exact_derivative("tanh(20*x)", 10)
    with mpmath.workdps(400):
        truth = 20 / mpmath.cosh(200) ** 2
    assert close(reference.value, truth, 49)
    assert mpmath.nstr(reference.value, 2) == "1.5e-172"


def test_a_rational_power_is_not_computed_exactly():
    x = Fraction(1.2345678901234567)
    assert exact_derivative("x**x", x).verdict == "certified"
    assert exact_derivative("(1 + x)**(1/x)", x).verdict == "certified"


def test_removable_singularities_near_and_at_the_point():
    assert close(exact_derivative("sinc(x)", "1e-50").value, "-3.3333333333333333333333333333333e-51", 30)
    assert exact_derivative("sinc(x)", 0).value == 0
    assert close(exact_derivative("sinc(x)", 0, 2).value, -mpmath.mpf(1) / 3, 14)


# Zeros ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "x", "m"), [("x**2", 0, 1), ("cos(x)", 0, 1), ("3", 1, 1), ("x**4", 7, 5), ("(x-1)**4", 1, 3)]
)
def test_a_zero_that_is_exact_is_exact(formula, x, m):
    reference = exact_derivative(formula, x, m)
    assert (reference.verdict, reference.value, reference.hi, reference.lo) == ("certified", 0, 0, 0)
    assert reference.radius == 0


def test_a_hidden_zero_carries_its_radius():
    reference = exact_derivative("sin(2*x) - 2*sin(x)*cos(x)", 1)
    assert (reference.verdict, reference.value, reference.hi, reference.lo) == ("certified", 0, 0, 0)
    assert 0 < rational(reference.radius) <= Fraction(1, 2**1200)


def test_a_tiny_derivative_is_no_zero():
    reference = exact_derivative("exp(-1/x**2)", "0.01")
    assert reference.value > 0
    assert reference.hi == 0, "below the range of float64"
    assert close(reference.value, 2 * mpmath.exp(-10000) * 10**6, 12)


def test_a_derivative_beyond_float64_has_an_infinite_word():
    reference = exact_derivative("exp(x)", 1000)
    assert reference.verdict == "certified"
    assert reference.hi == float("inf")
    assert close(reference.value, mpmath.exp(1000), 13)


# Kinks, jumps and seams -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "x", "left", "right"),
    [
        ("Abs(x)", 0, -1, 1),
        ("Max(0, x)", 0, 0, 1),
        ("Min(x, 2*x)", 0, 2, 1),
        ("Abs(x - 1)*3", 1, -3, 3),
        ("sqrt(x**2)", 0, -1, 1),
        ("exp(-Abs(x))", 0, 1, -1),
        ("Abs(Abs(x) - 1)", -1, -1, 1),
        ("Piecewise((0, x < 0), (x, True))", 0, 0, 1),
        ("Piecewise((x, x <= 2), (x**2 - 2, True))", 2, 1, 4),
        ("sign(x)", 0, "inf", "inf"),
        ("Heaviside(x)", 0, "inf", "inf"),
        ("-Heaviside(x)", 0, "-inf", "-inf"),
        ("Piecewise((0, x < 0), (1 + x, True))", 0, "inf", 1),
        ("Piecewise((0, x <= 0), (1 + x, True))", 0, 0, "inf"),
        ("Piecewise((2, x < 0), (x, True))", 0, "-inf", 1),
    ],
)
def test_where_the_one_sided_limits_differ_there_is_no_derivative(formula, x, left, right):
    reference = exact_derivative(formula, x)
    assert reference.verdict == "nondifferentiable"
    assert not reference.is_settled
    assert (reference.value, reference.hi, reference.lo, reference.certified_digits) == (None, None, None, 0)
    assert (reference.left, reference.right) == (mpmath.mpf(left), mpmath.mpf(right))
    assert reference.reason


@pytest.mark.parametrize(
    ("formula", "x", "m", "value"),
    [
        ("Abs(x)**Rational(3, 2)", 0, 1, 0),
        ("x*Abs(x)", 0, 1, 0),
        ("Abs(x)**3", 0, 1, 0),
        ("Abs(x)**3", 0, 2, 0),
        ("Max(0, x)**3", 0, 2, 0),
        ("Piecewise((x**2, x < 0), (x**3, True))", 0, 1, 0),
        ("Piecewise((x**2, x < 1), (2*x - 1, True))", 1, 1, 2),
        ("Piecewise((sin(x), x < 0), (x, True))", 0, 1, 1),
        ("Piecewise((sin(x), x < 0), (x, True))", 0, 2, 0),
        ("Abs(x)", 0, 0, 0),
        ("sign(x)", 0, 0, 0),
        ("Heaviside(x)", 0, 0, Fraction(1, 2)),
        ("Abs(x)", "-1e-300", 1, -1),
        ("Heaviside(x)", "1e-300", 1, 0),
        ("Piecewise((0, x < 0), (x, True))", "1e-300", 1, 1),
    ],
)
def test_where_both_sides_agree_there_is_one(formula, x, m, value):
    reference = exact_derivative(formula, x, m)
    assert reference.verdict == "certified"
    assert rational(reference.value) == value
    assert (reference.left, reference.right) == (None, None)


@pytest.mark.parametrize(
    ("formula", "x", "m", "left", "right"),
    [
        ("x*Abs(x)", 0, 2, -2, 2),
        ("Abs(x)**3", 0, 3, -6, 6),
        ("Max(0, x)**3", 0, 3, 0, 6),
        ("Piecewise((x**2, x < 0), (x**3, True))", 0, 2, 2, 0),
        ("Piecewise((sin(x), x < 0), (x, True))", 0, 3, -1, 0),
    ],
)
def test_higher_derivatives_end_where_the_sides_part(formula, x, m, left, right):
    reference = exact_derivative(formula, x, m)
    assert reference.verdict == "nondifferentiable"
    assert reference.left == pytest.approx(left, rel=1e-30, abs=1e-30)
    assert reference.right == pytest.approx(right, rel=1e-30, abs=1e-30)
    beyond = exact_derivative(formula, x, m + 1)
    assert beyond.verdict == "nondifferentiable"
    assert beyond.value is None


def test_the_second_derivative_of_abs_is_no_zero_at_zero():
    reference = exact_derivative("Abs(x)", 0, 2)
    assert reference.verdict == "nondifferentiable"
    assert reference.value is None


@pytest.mark.parametrize(
    ("formula", "x", "m", "limits", "reason"),
    [
        ("sqrt(x)", 0, 1, (None, "inf"), "derivative 1 is infinite at 0"),
        ("sqrt(-x)", 0, 1, ("-inf", None), "derivative 1 is infinite at 0"),
        ("sqrt(1 - x/3)", 3, 1, ("-inf", None), "derivative 1 is infinite at 3"),
        ("sqrt(0.3 - 0.1*x)", 3, 1, ("-inf", None), "derivative 1 is infinite at 3"),
        ("cbrt(x)", 0, 1, (None, "inf"), "derivative 1 is infinite at 0"),
        ("cbrt(x - 1/3)", "1/3", 1, (None, "inf"), "derivative 1 is infinite at 1/3"),
        ("asin(x)", 1, 1, ("inf", None), "derivative 1 is infinite at 1"),
        ("asin(x)", -1, 1, (None, "inf"), "derivative 1 is infinite at -1"),
        ("acos(x)", 1, 1, ("-inf", None), "derivative 1 is infinite at 1"),
        ("acosh(x)", 1, 1, (None, "inf"), "derivative 1 is infinite at 1"),
        ("asec(x)", -1, 1, ("inf", None), "derivative 1 is infinite at -1"),
        ("Abs(x)**Rational(1, 2)", 0, 1, ("-inf", "inf"), "derivative 1 is infinite at 0"),
        ("Abs(x)**Rational(3, 2)", 0, 2, ("inf", "inf"), "derivative 2 is infinite at 0"),
        ("x**Rational(5, 3)", 0, 2, (None, "inf"), "derivative 2 is infinite at 0"),
        ("asin(x)", 1, 2, (None, None), "derivative 1 is infinite at 1"),
        ("Piecewise((0, x < 1), (1/(x - 1), x > 1), (0, True))", 1, 1, (0, "inf"), "f is infinite at 1"),
        ("Piecewise((1/x, x < 0), (1/x, x > 0), (7, True))", 0, 1, ("inf", "inf"), "f is infinite at 0"),
    ],
)
def test_infinite_slopes_have_their_signs(formula, x, m, limits, reason):
    reference = exact_derivative(formula, x, m)
    assert (reference.verdict, reference.value, reference.reason) == ("nondifferentiable", None, reason)
    assert [reference.left, reference.right] == [None if each is None else mpmath.mpf(each) for each in limits]


@pytest.mark.parametrize(
    ("formula", "x", "left", "right"),
    [
        ("Abs(sin(pi*x))", 3, "-pi", "pi"),
        ("Abs(sin(x))", 0, "-1", "1"),
        ("Abs(gamma(x) - 6)", 4, "-11 + 6*EulerGamma", "11 - 6*EulerGamma"),
        ("Abs(log(x))", 1, "-1", "1"),
        ("acos(1 - x**2)", 0, "-sqrt(2)", "sqrt(2)"),
        ("sqrt(1 - cos(x))", 0, "-1/sqrt(2)", "1/sqrt(2)"),
        ("zeta(Abs(x))", 0, "log(2*pi)/2", "-log(2*pi)/2"),
        ("Abs(0.1*x - 0.1)", 1, "-1/10", "1/10"),
        ("Max(0, 0.3 - 0.1*x)", 3, "-1/10", "0"),
        ("Max(0.1*x, 0.1, 0.3*x - 0.2)", 1, "0", "3/10"),
        ("Piecewise((x, 0.1*x < 0.1), (x**2, True))", 1, "1", "2"),
        ("Piecewise((0, x <= 0), (x*tanh(1/x), True))", 0, "0", "1"),
    ],
)
def test_kinks_where_the_switch_is_no_simple_one(formula, x, left, right):
    reference = exact_derivative(formula, x)
    assert (reference.verdict, reference.reason) == ("nondifferentiable", f"derivative 1 has a jump at {x}")
    for limit, text in ((reference.left, left), (reference.right, right)):
        with mpmath.workdps(40):
            assert abs(limit - value_at(parse_formula(text), Fraction(0), 200)) < mpmath.mpf(10) ** -30


@pytest.mark.parametrize(
    ("formula", "x", "m", "value"),
    [
        ("x**Rational(3, 2)", 0, 1, "0"),
        ("x**Rational(4, 3)", 0, 1, "0"),
        ("(1 - x)**Rational(5, 2)", 1, 2, "0"),
        ("acosh(1 + x**4)", 0, 2, "2*sqrt(2)"),
        ("Piecewise((1, x == 0), (sin(x)/x, True))", 0, 2, "-1/3"),
        ("Piecewise((1/2, x == 0), ((1 - cos(x))/x**2, True))", 0, 2, "-1/12"),
        ("Piecewise((1, x == 0), ((exp(x) - 1)/x, True))", 0, 1, "1/2"),
        ("Max(0.1*x, 0.2*x, 0.3)", 1, 1, "0"),
        ("binomial(x, 3)", -1, 1, "11/6"),
        ("polylog(2, x)", 0, 2, "1/2"),
        ("hyper([1, 2], [3], x)", -1, 1, "3 - 4*log(2)"),
    ],
)
def test_singular_points_that_are_certified_all_the_same(formula, x, m, value):
    reference = exact_derivative(formula, x, m)
    assert reference.verdict == "certified"
    with mpmath.workdps(60):
        assert abs(reference.value - value_at(parse_formula(value), Fraction(0), 200)) < mpmath.mpf(10) ** -45


def test_that_f_is_real_on_one_side_only_is_told():
    assert exact_derivative("x**Rational(3, 2)", 0).reason == "one-sided: f is not real left of 0"
    assert exact_derivative("Max(pi, sqrt(x))", 0).reason == "one-sided: f is not real left of 0"
    assert exact_derivative("sqrt(1 - x)**3", 1).reason.startswith("one-sided: f is not real right of 1")
    assert exact_derivative("Abs(x)**3", 0).reason == ""


def test_an_inverse_sine_is_not_taken_for_its_value_at_the_end():
    """1 − x⁴ has the jet 1 + 0 x + 0 x² at 0, of which asin is π/2; and asin(1 − x⁴) is π/2 − √2 x² + …"""
    for formula, sign in (("asin(1 - x**4)", -1), ("acos(1 - x**4)", 1), ("asec(1 + x**4)", 1)):
        reference = exact_derivative(formula, 0, 2)
        assert reference.is_settled
        assert reference.hi == pytest.approx(sign * 2 * 2**0.5, rel=1e-15)


@pytest.mark.parametrize(
    ("formula", "x", "m"),
    [
        ("Abs(sin(2*x) - 2*sin(x)*cos(x))", 1, 1),
        ("x**x", 0, 1),
        ("besselj(x, 2) + Abs(x)", 0, 1),
        ("Max(0, besselj(x, 2)*0 + x)", 0, 1),
        ("Piecewise((0, x <= 0), (x*sign(1 - tanh(1/x)), True))", 0, 1),
        ("Piecewise((0, x <= 0), (x, tanh(1/x) < 1), (2*x, True))", 0, 1),
        ("Piecewise((0, x == 0), (x*sin(1/x), True))", 0, 1),
        ("Piecewise((0, x == 0), (x**2*sin(1/x), True))", 0, 1),
        ("sin(exp(exp(x)))", 10, 1),
        ("Piecewise((x*log(x), x > 0), (0, True))", 0, 1),
        ("hyper([1, 1], [3], x)", 1, 1),
    ],
)
def test_what_is_not_settled_is_never_a_number(formula, x, m):
    reference = exact_derivative(formula, x, m)
    assert reference.verdict == "uncertain"
    assert (reference.value, reference.hi, reference.lo, reference.certified_digits) == (None, None, None, 0)
    assert (reference.left, reference.right) == (None, None)
    assert reference.reason


# Undefined ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "x"),
    [
        ("1/x", 0),
        ("log(x)", 0),
        ("log(x)", -1),
        ("sqrt(x)", -1),
        ("asin(x)", "1.1"),
        ("sin(x)/x", 0),
        ("gamma(x)", -1),
        ("tan(1/x)", 0),
        ("zeta(x)", 1),
        ("Piecewise((x, x < 0))", 1),
        ("sqrt(-1)*x", 1),
        ("cbrt(x)", -8),
        ("acosh(x)", 0),
        ("Piecewise((1/x, x <= 0), (x, True))", 0),
        ("exp(-1/x**2)", 0),
        ("0*log(x)", -1),
        ("(x - x)*log(x)", -1),
        ("x**3*gamma(x)", 0),
        ("bessely(1, x)", 0),
        ("polygamma(3, x)", -1),
        ("polylog(-2, x)", 1),
        ("erfinv(x)", 1),
        ("cos(atan2(x/x, x))", 0),
        ("(3*x - 1)/(3*x - 1)", "1/3"),
    ],
)
@pytest.mark.parametrize("derivative", [0, 1])
def test_where_f_is_not_defined_is_a_mistake_of_the_user(formula, x, derivative):
    with pytest.raises(InputError, match="is not defined, or not real, at"):
        exact_derivative(formula, x, derivative)
    assert are_defined(parse_formula(formula), [exact_number(x)]) == [False]


def test_inside_a_piece_that_does_not_hold_nothing_is_evaluated():
    reference = exact_derivative("Piecewise((1/x, x > 0), (x, True))", 0, 0)
    assert (reference.verdict, reference.value) == ("certified", 0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("x+", 1), FormulaError, "position 2"),
        ((3, 1), InputError, "formula: 3"),
        (("x", "one"), InputError, "x: 'one'"),
        (("x", float("nan")), InputError, "x: nan"),
        (("x", None), InputError, "x: None"),
        (("x", 1, -1), InputError, "derivative: -1"),
        (("x", 1, 11), InputError, "derivative: 11"),
        (("x", 1, 1.0), InputError, "derivative: 1.0"),
        (("x", 1, 1, 0), InputError, "digits: 0"),
        (("x", 1, 1, 1001), InputError, "digits: 1001"),
        (("x", 1, 1, "9"), InputError, "digits: '9'"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        exact_derivative(*arguments)


# What FLINT does not cover --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("derivative", [1, 2])
def test_what_sympy_cannot_differentiate_is_certified_by_jet_and_circle(derivative):
    reference = exact_derivative("zeta(x)", 3, derivative, digits=40)
    assert (reference.verdict, reference.method, reference.second_opinion) == ("certified", "ball", "circle")
    with mpmath.workdps(60):
        assert close(reference.value, mpmath.zeta(3, derivative=derivative), 40)
    assert reference.hi == round_to(rational(reference.value), "float64")


@pytest.mark.parametrize("order", ["x", "2*x"])
def test_what_has_one_way_only_is_agreed_and_says_so(order):
    reference = exact_derivative(f"besselj({order}, 2)", "1/2")
    assert (reference.verdict, reference.second_opinion) == ("agreed", "")
    assert reference.reason.startswith("derivative unchecked: ")
    with mpmath.workdps(60):
        k = 2 if order == "2*x" else 1
        truth = mpmath.diff(lambda x: mpmath.besselj(k * x, 2), mpmath.mpf(1) / 2)
        assert close(reference.value, truth, 25)


def test_the_value_of_zeta_itself_is_certified():
    assert exact_derivative("zeta(x)", 3, 0).verdict == "certified"


def test_the_fallback_gives_mpmaths_precision_back():
    before = mpmath.mp.prec
    exact_derivative("zeta(x)", "2.5")
    assert mpmath.mp.prec == before


# Determinism ----------------------------------------------------------------------------------------------------------


def test_two_threads_get_the_serial_references():
    jobs = [(f.formula, p, m) for f in load_suite("standard").functions[:20] for p in f.points for m in (1, 2)]
    serial = [exact_derivative(*job) for job in jobs]
    barrier = threading.Barrier(2)

    def work(order):
        barrier.wait(timeout=20)
        return [exact_derivative(*job) for job in order]

    with ThreadPoolExecutor(2) as pool:
        forth, back = pool.submit(work, jobs), pool.submit(work, jobs[::-1])
        assert forth.result() == serial
        assert back.result()[::-1] == serial


def test_a_reference_is_settled_or_has_a_reason():
    assert Reference("agreed", "mpmath", Ball.around(Fraction(1), Fraction(0))).is_settled
    assert not Reference("uncertain").is_settled


# All of the standard suite, against another way to the truth ----------------------------------------------------------


@pytest.mark.parametrize("derivative", [*(pytest.param(m, marks=pytest.mark.slow) for m in (1, 2, 3)), 4])
@pytest.mark.parametrize("function", load_suite("standard").functions, ids=lambda function: function.name)
def test_references_of_the_standard_suite_agree_with_mpmath_at_high_precision(function, derivative):
    import sympy

    from diffbench.functions.symbolic import to_sympy, variable_symbol

    symbol = variable_symbol(function.formula)
    expression = to_sympy(function.formula)
    if expression.has(sympy.Abs, sympy.Max, sympy.Piecewise, sympy.sinc):
        expression = expression.rewrite(sympy.Piecewise)
    value = sympy.lambdify(symbol, expression, "mpmath")
    for point in function.points:
        x = round_to(point, "float64")
        reference = exact_derivative(function, x, derivative, digits=20)
        if reference.verdict != "certified":
            assert "kinked" in function.tags or "not-analytic" in function.tags
            continue
        with mpmath.workdps(400):
            step = mpmath.mpf(10) ** -60
            nodes = [value(mpmath.mpf(x) + k * step) for k in range(-4, 5)]
            weights = central_weights(derivative)
            estimate = sum(w * node for w, node in zip(weights, nodes, strict=True)) / step**derivative
            assert abs(estimate - reference.value) <= abs(estimate) * mpmath.mpf(10) ** -18 + mpmath.mpf(10) ** -50


def central_weights(derivative):
    from diffbench import Stencil

    stencil = Stencil.fit(range(-4, 5), derivative)
    weights = dict(zip(stencil.offsets, stencil.weights, strict=True))
    return [mpmath.mpf(w.numerator) / w.denominator for w in (weights.get(k, Fraction(0)) for k in range(-4, 5))]


@pytest.mark.parametrize(
    ("formula", "left", "right"), [("atan2(x, -1)", "inf", -1), ("atan2(x, x - 1)", "inf", -1), ("acot(x)", "inf", -1)]
)
def test_on_a_branch_cut_f_jumps(formula, left, right):
    reference = exact_derivative(formula, 0)
    assert reference.verdict == "nondifferentiable"
    assert (reference.left, reference.right) == (mpmath.mpf(left), mpmath.mpf(right))
    assert reference.reason == "f has a jump at 0"


@pytest.mark.parametrize(("formula", "x"), [("zeta(Abs(x))", 0), ("zeta(Max(x, 1/2))", "1/2")])
def test_kinks_of_what_sympy_cannot_differentiate_are_seen(formula, x):
    reference = exact_derivative(formula, x)
    assert reference.verdict == "nondifferentiable"
    assert reference.left != reference.right


@pytest.mark.parametrize(
    ("formula", "x"),
    [
        ("x/x", 0),
        ("x**2/x", 0),
        ("Abs(log(x))", 0),
        ("Abs(log(x))", -1),
        ("Max(0, log(x))", -1),
        ("Max(0, 1/x)", 0),
        ("log(0)*x", 1),
    ],
)
def test_what_is_not_defined_as_written_is_refused(formula, x):
    with pytest.raises(InputError, match="not defined"):
        exact_derivative(formula, x)


def test_pieces_that_do_not_hold_do_not_matter():
    reference = exact_derivative("Piecewise((Abs(log(x)), x > 0), (0, True))", -1)
    assert (reference.verdict, reference.hi) == ("certified", 0.0)


def test_a_kink_at_a_point_that_is_not_binary():
    reference = exact_derivative("Abs(x - 1/3)", "1/3")
    assert (reference.verdict, reference.left, reference.right) == ("nondifferentiable", -1, 1)


@pytest.mark.parametrize(
    ("formula", "x", "verdict"), [("besselj(x, x)", "1/2", "agreed"), ("Abs(x-1e400)", "1e400", "nondifferentiable")]
)
def test_whatever_the_formula_there_is_a_verdict(formula, x, verdict):
    assert exact_derivative(formula, x).verdict == verdict


@pytest.mark.parametrize(
    ("formula", "x", "hi"),
    [
        ("exp(-exp(-x))", -25, 0),
        ("exp(exp(x))", 25, inf),
        ("exp(-x)", 1e15, 0),
        ("exp(x)", 1e10, inf),
        ("x**10000", 1e300, inf),
    ],
)
def test_values_beyond_all_range_are_bounded_and_cheap(formula, x, hi):
    reference = exact_derivative(formula, x)
    assert (reference.verdict, reference.hi) == ("certified", hi)
    assert reference.reason == f"its absolute value is {'above 2^131072' if hi else 'below 2^-131072'}"


@given(st.sampled_from(["exp(x)", "1/x", "sin(x)/x", "x**2", "cos(x)"]), st.fractions(-3, 3), st.integers(1, 60))
def test_value_and_radius_as_text_enclose_the_truth(formula, x, digits):
    assume(x != 0)
    shown = enclosing_text(exact_derivative(formula, x), digits)
    wide = exact_derivative(formula, x, digits=150)
    assert abs(exact_mpf(wide.value) - Fraction(shown["value"])) <= Fraction(shown["radius"]) + exact_mpf(wide.radius)


def test_threads_leave_references_and_the_precision_of_mpmath_alone():
    formulas = [parse_formula(f"zeta(x) + {i}*x") for i in range(12)]
    serial = [references(formula, [Fraction(5, 2)], 1)[0] for formula in formulas]
    before = mpmath.mp.prec
    with ThreadPoolExecutor(4) as threads:
        parallel = list(threads.map(lambda formula: references(formula, [Fraction(5, 2)], 1)[0], formulas))
    assert parallel == serial
    assert mpmath.mp.prec == before


@pytest.mark.parametrize(("formula", "x", "hi"), [("1/(exp(x)-1-x)", "1e-60", -4e180), ("log((1+x)-1)", "1e-90", 1e90)])
def test_what_is_defined_is_found_to_be_so_at_any_precision(formula, x, hi):
    assert exact_derivative(formula, x).hi == pytest.approx(hi, rel=1e-15)


def test_an_end_of_the_domain_that_is_not_binary_is_no_mistake():
    assert close(exact_derivative("asin(3*x)", "1/3", derivative=0).value, mpmath.pi / 2, 15)
    at_the_end = exact_derivative("asin(3*x)", "1/3")
    assert (at_the_end.verdict, at_the_end.left, at_the_end.right) == ("nondifferentiable", mpmath.inf, None)
    assert at_the_end.reason == "derivative 1 is infinite at 1/3"
