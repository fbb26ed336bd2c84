"""Points where plausible ways to the truth are confidently wrong, and the reference is not.

Every trap has a truth from elsewhere: a closed form whose terms do not cancel, in mpmath at 600 digits, or a rational.
Most are also shown to be traps: mpmath at 50 digits, or float64, does not see them.
"""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy

from diffbench import exact_derivative, parse_formula
from diffbench.functions.symbolic import to_sympy, variable_symbol
from diffbench.rounding import exact_mpf, exact_number, round_to

WORKING_DIGITS = 600

mp = mpmath.MPContext()
mp.dps = WORKING_DIGITS


def number(x):
    exact = exact_number(x)
    return mp.mpf(exact.numerator) / exact.denominator


def one_minus_cos(x):
    """((1 − cos x)/x²)′ = Σ (−1)^(k+1) (2k − 2) x^(2k−3)/(2k)!"""
    terms = ((-1) ** (k + 1) * (2 * k - 2) * x ** (2 * k - 3) / mp.factorial(2 * k) for k in range(2, 20))
    return mp.fsum(terms)


def log_one_plus(x):
    """((log(1 + x) − x)/x²)′ = Σ (−1)^(k+1) (k − 2) x^(k−3)/k"""
    return mp.fsum((-1) ** (k + 1) * (k - 2) * x ** (k - 3) / mp.mpf(k) for k in range(3, 30))


def sinh_minus(x):
    """((sinh x − x)/x³)′ = Σ (2k − 2) x^(2k−3)/(2k + 1)!"""
    return mp.fsum((2 * k - 2) * x ** (2 * k - 3) / mp.factorial(2 * k + 1) for k in range(2, 20))


def hypotenuse(x):
    """(√(x² + 1) − x)′ = −1/(√(x² + 1) (√(x² + 1) + x))"""
    root = mp.sqrt(x * x + 1)
    return -1 / (root * (root + x))


SEEN_BY_NOBODY = [
    # cancellation
    ("(1 - cos(x))/x**2", "1e-60", 1, one_minus_cos),
    ("(1 - cos(x))/x**2", "1e-120", 1, one_minus_cos),
    ("(1 - cos(x))/x**2", "1e-300", 1, one_minus_cos),
    ("(log(1 + x) - x)/x**2", "1e-60", 1, log_one_plus),
    ("(sinh(x) - x)/x**3", "1e-40", 1, sinh_minus),
    ("sqrt(x**2 + 1) - x", "1e110", 1, hypotenuse),
    ("sqrt(x**2 + 1) - x", "1e30", 1, hypotenuse),
    ("x - sqrt(x**2 - 1)", "1e80", 1, lambda x: -1 / (mp.sqrt(x * x - 1) * (x + mp.sqrt(x * x - 1)))),
    ("log(x + 1) - log(x)", "1e60", 1, lambda x: -1 / (x * (x + 1))),
    ("atan(x + 1) - atan(x)", "1e40", 1, lambda x: -(2 * x + 1) / ((1 + (x + 1) ** 2) * (1 + x * x))),
    ("1/x - 1/(x + 1)", "1e45", 1, lambda x: -(2 * x + 1) / (x * (x + 1)) ** 2),
    ("exp(x) - 1 - x", "1e-70", 1, lambda x: mp.fsum(x**k / mp.factorial(k) for k in range(1, 12))),
    ("x*coth(x) - 1", "1e-45", 1, lambda x: 2 * x / 3 - 4 * x**3 / 45),
    ("(1 + x)**20 - 1 - 20*x", "1e-55", 1, lambda x: 20 * mp.fsum(mp.binomial(19, k) * x**k for k in range(1, 20))),
    # saturated functions
    ("tanh(20*x)", 10, 1, lambda x: 20 / mp.cosh(20 * x) ** 2),
    (
        "exp(-x)/(1 + exp(-x)) - exp(-x)",
        200,
        1,
        lambda x: (2 * mp.exp(-2 * x) + mp.exp(-3 * x)) / (1 + mp.exp(-x)) ** 2,
    ),
    # huge arguments
    ("sin(x)", "1e300", 1, lambda _: mp.cos(mp.mpf(10) ** 300)),
    ("sin(pi*x)", "1e300", 1, lambda _: +mp.pi),
    ("cos(pi*x)", "1e200", 2, lambda _: -(mp.pi**2)),
    ("tan(x)", "1e120", 1, lambda _: 1 / mp.cos(mp.mpf(10) ** 120) ** 2),
    ("sin(exp(x))", 300, 1, lambda x: mp.exp(x) * mp.cos(mp.exp(x))),
]

ELSEWHERE = [
    ("tan(x) - x", "1e-50", 1, lambda x: mp.tan(x) ** 2),
    ("sin(x)**2 + cos(x)**2 + x", 1, 1, lambda _: mp.mpf(1)),
    ("1/(1 + exp(-x))", 300, 1, lambda x: mp.exp(-x) / (1 + mp.exp(-x)) ** 2),
    ("coth(x)", 200, 1, lambda x: -1 / mp.sinh(x) ** 2),
    ("sqrt(1 - exp(-x)) - 1", 400, 1, lambda x: mp.exp(-x) / (2 * mp.sqrt(1 - mp.exp(-x)))),
    ("sin(x**2)", 1e160, 1, lambda x: 2 * x * mp.cos(x * x)),
    # close to poles and zeros
    ("tan(x)", 1.5707963267948966, 1, lambda x: 1 / mp.cos(x) ** 2),
    ("1/(exp(x) - 1)", 1e-200, 1, lambda x: -mp.exp(x) / mp.expm1(x) ** 2),
    ("1/(x**2 - 2)", 1.4142135623730951, 1, lambda x: -2 * x / (x * x - 2) ** 2),
    ("gamma(x)", -2.9999999999999996, 1, lambda x: mp.gamma(x) * mp.digamma(x)),
    ("cot(x)", 3.141592653589793, 1, lambda x: -1 / mp.sin(x) ** 2),
    ("log(Abs(sin(x)))", 3.141592653589793, 1, mp.cot),
    ("asin(x)", 0.9999999999999999, 1, lambda x: 1 / mp.sqrt((1 - x) * (1 + x))),
    ("acosh(x)", 1.0000000000000002, 1, lambda x: 1 / mp.sqrt((x - 1) * (x + 1))),
    ("sqrt(x)", 5e-324, 1, lambda x: 1 / (2 * mp.sqrt(x))),
    # the ends of double
    ("x**2", 5e-324, 1, lambda x: 2 * x),
    ("exp(x)", 5e-324, 2, mp.exp),
    ("log(x)", 5e-324, 1, lambda x: 1 / x),
    ("log(x)", 1.7e308, 2, lambda x: -1 / x**2),
    ("x**3", 1.7e308, 1, lambda x: 3 * x * x),
    ("1/x", 1e-300, 1, lambda x: -1 / x**2),
    ("atan(x)", 1.7e308, 1, lambda x: 1 / (1 + x * x)),
    ("exp(-x**2)", 1e2, 1, lambda x: -2 * x * mp.exp(-x * x)),
    ("exp(x)", 5e3, 3, mp.exp),
    # points of other widths
    ("exp(x)", np.float16(0.1), 1, mp.exp),
    ("exp(x)", np.float32(0.1), 1, mp.exp),
    ("exp(x)", np.longdouble(1) / 10, 1, mp.exp),
    ("exp(x)", "1/3", 4, mp.exp),
    ("0.1*x**3", 0.7, 1, lambda x: 3 * x * x / 10),
    # removable singularities
    ("sinc(x)", "1e-50", 1, lambda x: -x / 3 + x**3 / 30),
    ("sinc(pi*x)", 0, 2, lambda _: -(mp.pi**2) / 3),
    ("Piecewise((sin(x)/x, x != 0), (1, True))", 0, 4, lambda _: mp.mpf(1) / 5),
    ("Piecewise(((exp(x) - 1)/x, x != 0), (1, True))", 0, 3, lambda _: mp.mpf(1) / 4),
    ("Piecewise((log(1 + x)/x, x != 0), (1, True))", 0, 2, lambda _: mp.mpf(2) / 3),
    ("Piecewise(((x**3 - 1)/(x - 1), x != 1), (3, True))", 1, 1, lambda _: mp.mpf(3)),
    # what SymPy would rewrite or get wrong
    ("sqrt(x**2)", -2, 1, lambda _: mp.mpf(-1)),
    ("log(exp(x))", "1e5", 1, lambda _: mp.mpf(1)),
    ("asin(sin(x))", 3, 1, lambda _: mp.mpf(-1)),
    ("(x**2)**Rational(3, 2)", -2, 1, lambda _: mp.mpf(-12)),
]


def show(trap):
    return f"{trap[0]}-{trap[1]}-{trap[2]}"


@pytest.mark.parametrize("trap", [*SEEN_BY_NOBODY, *ELSEWHERE], ids=show)
def test_the_reference_sees_through(trap):
    formula, x, derivative, truth = trap
    reference = exact_derivative(formula, x, derivative, digits=40)
    assert reference.verdict == "certified", reference
    assert reference.second_opinion
    with mpmath.workdps(WORKING_DIGITS):
        expected = truth(number(x))
        assert abs(mp.mpf(reference.value) - expected) <= abs(expected) * mp.mpf(10) ** -40
    exact = exact_mpf(expected)
    assert reference.hi == round_to(exact, "float64")


@pytest.mark.parametrize("trap", SEEN_BY_NOBODY, ids=show)
def test_each_is_a_trap(trap):
    """Show that SymPy's derivative in mpmath at 50 digits, or in float64, keeps fewer than 15 of them."""
    formula, x, derivative, truth = trap
    parsed = parse_formula(formula)
    symbol = variable_symbol(parsed)
    derived = sympy.diff(to_sympy(parsed), symbol, derivative)
    expected = truth(number(x))
    with mpmath.workdps(50):
        exact = exact_number(x)
        wide = sympy.lambdify(symbol, derived, "mpmath")(mpmath.mpf(exact.numerator) / exact.denominator)
    with np.errstate(all="ignore"):
        double = sympy.lambdify(symbol, derived, "numpy")(np.array([float(exact)]))
    worst = max(abs(mp.mpf(float(np.ravel(double)[0])) - expected), abs(mp.mpf(mpmath.re(wide)) - expected))
    assert not worst <= abs(expected) * mp.mpf(10) ** -15


HIDDEN_ZEROS = [
    ("sin(2*x) - 2*sin(x)*cos(x)", 1, 1),
    ("cos(x)**2 + sin(x)**2", 0.7, 1),
    ("exp(x)*exp(-x)", 3.3, 1),
    ("log(x**2) - 2*log(x)", 1.1, 1),
    ("tan(x) - sin(x)/cos(x)", 0.3, 2),
    ("cosh(x)**2 - sinh(x)**2", 2.5, 1),
    ("atan(x) + atan(1/x)", 0.9, 1),
    ("gamma(x + 1) - x*gamma(x)", 2.5, 1),
]


@pytest.mark.parametrize(("formula", "x", "derivative"), HIDDEN_ZEROS)
def test_a_hidden_zero_is_0_with_a_radius(formula, x, derivative):
    reference = exact_derivative(formula, x, derivative)
    assert (reference.verdict, reference.value, reference.hi, reference.lo) == ("certified", 0, 0.0, 0.0)
    assert exact_mpf(reference.radius) <= Fraction(1, 2**1199)


NEARLY_ZERO = [
    ("exp(-exp(x))", 8, 1, lambda x: -mp.exp(x - mp.exp(x))),
    ("x**50", "1e-20", 1, lambda x: 50 * x**49),
    ("exp(-1/x**2)", "0.04", 1, lambda x: 2 * mp.exp(-1 / x**2) / x**3),
    ("erfc(x)", 20, 1, lambda x: -2 * mp.exp(-x * x) / mp.sqrt(mp.pi)),
    ("exp(-x)*sin(x)", 2000, 1, lambda x: mp.exp(-x) * (mp.cos(x) - mp.sin(x))),
]


@pytest.mark.parametrize("trap", NEARLY_ZERO, ids=show)
def test_what_is_nearly_0_is_not_0(trap):
    formula, x, derivative, truth = trap
    reference = exact_derivative(formula, x, derivative, digits=30)
    expected = truth(number(x))
    assert reference.verdict == "certified"
    assert abs(mp.mpf(reference.value) - expected) <= abs(expected) * mp.mpf(10) ** -30
    assert reference.value != 0


def test_below_all_range_the_value_is_0_and_the_radius_says_so():
    reference = exact_derivative("exp(-x**2)", 1000)
    assert (reference.verdict, reference.value, reference.lo) == ("certified", 0, 0.0)
    assert str(reference.hi) == "0.0"
    assert 0 < exact_mpf(reference.radius) <= Fraction(1, 2**131000)
    assert reference.certified_digits == 39456, "of an absolute radius"


EXACT_ZEROS = [
    *(("cos(x)", 0, 1), ("x**2", 0, 1), ("(x - 1/3)**2", "1/3", 1), ("cos(pi*x)", 12345, 1), ("cosh(x)", 0, 3)),
    *(("x**3 - 3*x", 1, 1), ("sin(pi*x)", "7/2", 1), ("besselj(0, x)", 0, 1), ("x**4", 0.1, 5), ("erf(x)", 0, 2)),
]


@pytest.mark.parametrize(("formula", "x", "derivative"), EXACT_ZEROS)
def test_an_exact_zero_is_one(formula, x, derivative):
    reference = exact_derivative(formula, x, derivative)
    assert (reference.verdict, reference.value, reference.hi, reference.lo) == ("certified", 0, 0.0, 0.0)


NOT_DEFINED = [("sin(x)/x", 0), ("(x**2 - 1)/(x - 1)", 1), ("x/x", 0), ("exp(-1/x**2)", 0), ("x*log(x)", 0)]


@pytest.mark.parametrize(("formula", "x"), NOT_DEFINED)
def test_a_removable_singularity_that_nobody_removed_is_outside(formula, x):
    from diffbench.errors import InputError

    with pytest.raises(InputError, match="is not defined, or not real"):
        exact_derivative(formula, x)
