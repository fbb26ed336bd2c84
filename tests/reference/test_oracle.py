"""Every kind of verdict against the oracle, at random formulas: values, refusals, kinks and one-sided derivatives.

test_random_formulas.py asks whether what is certified is true. Here what is refused must not be defined, what is said
to be nondifferentiable must not be differentiable, and the check itself is shown to fail.
"""

from collections import Counter
from fractions import Fraction

import doubles
import mpmath
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import NotRealError, UndecidedError, one_sided, value_at

from diffbench import exact_derivative, parse_formula
from diffbench.errors import InputError
from diffbench.functions.symbolic import to_unevaluated_sympy, variable_symbol
from diffbench.reference.balls import HardError
from diffbench.reference.jets import JetProgram
from diffbench.reference.program import NoBallError
from diffbench.reference.ways import ways_to

ELEMENTARY = (
    *("exp", "expm1", "log", "log1p", "sqrt", "cbrt", "sin", "cos", "tan", "cot", "sec", "csc", "sinc", "asin", "acos"),
    *("atan", "acot", "asec", "acsc", "sinh", "cosh", "tanh", "coth", "sech", "csch", "asinh", "acosh", "atanh"),
    *("acoth", "asech", "acsch"),
)
SWITCHES = ("Abs", "sign", "Heaviside")
SPECIAL = (
    *("gamma({})", "loggamma({})", "digamma({})", "factorial({})", "erf({})", "erfc({})", "erfi({})", "airyai({})"),
    *("airybi({})", "airyaiprime({})", "airybiprime({})", "Ei({})", "li({})", "Si({})", "Ci({})", "Shi({})", "Chi({})"),
    *("fresnels({})", "fresnelc({})", "LambertW({})", "erfinv({})", "erfcinv({})", "zeta({})", "elliptic_k({})"),
    *("elliptic_e({})", "besselj({order}, {})", "bessely({order}, {})", "besseli({order}, {})", "besselk({order}, {})"),
    *("besselj({half}, {})", "polygamma({order}, {})", "expint({order}, {})", "chebyshevt({order}, {})"),
    *("chebyshevu({order}, {})", "legendre({order}, {})", "hermite({order}, {})", "polylog({order}, {})"),
    *("uppergamma({half}, {})", "lowergamma({half}, {})", "beta({}, {half})", "binomial({}, {order})", "atan2({}, x)"),
    *("hyper([1, 2], [3], {})", "hyper([], [{half}], {})", "hyper([{half}], [3/2], {})", "log({}, 10)"),
)
NUMBERS = ("1", "2", "3", "1/2", "1/3", "0.1", "2.5", "pi", "E", "7", "10", "1e-3", "100")
EXPONENTS = ("2", "3", "4", "(-1)", "(-2)", "(1/2)", "(1/3)", "(3/2)", "(-1/2)", "(5/3)", "(7/2)")
CONDITIONS = ("x", "x**2", "Abs(x)", "sin(x)", "0.1*x", "x**3 - x")
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")

KINKS = st.sampled_from([Fraction(n, 2) for n in (0, 0, 1, -1, 2, -2, 4, 6)])
COMMON = doubles.between(-4, 4)
EXTREME = st.sampled_from(
    [5e-324, -5e-324, 1e-300, 1e-100, -1e-30, 1e-8, 1 - 2**-53, 1 + 2**-52, 1e5, 1e16, 1e100, 1e308, 3.141592653589793]
).map(Fraction)
ANYWHERE = st.one_of(KINKS, COMMON, EXTREME, doubles.ANY)


def powers(inner):
    return st.builds("({})**{}".format, inner, st.sampled_from(EXPONENTS))


def combined(inner):
    beside = st.one_of(inner, st.sampled_from(NUMBERS))
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), beside),
        st.builds("({} {} {})".format, beside, st.sampled_from("+-*/"), inner),
    )


def elementary(inner):
    return st.builds("{}({})".format, st.sampled_from(ELEMENTARY), inner)


def switching(inner):
    parts = (CONDITIONS, COMPARISONS, NUMBERS)
    compared = st.builds("{} {} {}".format, *(st.sampled_from(part) for part in parts))
    return st.one_of(
        st.builds("{}({})".format, st.sampled_from(SWITCHES), inner),
        st.builds("{}({}, {})".format, st.sampled_from(("Max", "Min")), inner, inner),
        st.builds("Piecewise(({}, {}), ({}, True))".format, inner, compared, inner),
        st.builds("atan2({}, {})".format, inner, inner),
    )


def special(inner):
    return st.builds(
        lambda form, argument, order, half: form.format(argument, order=order, half=half),
        st.sampled_from(SPECIAL),
        inner,
        st.sampled_from(("0", "1", "2", "3")),
        st.sampled_from(("1/2", "3/2", "5/3")),
    )


X = st.just("x")
SIMPLE = st.one_of(X, elementary(X), combined(X), powers(X))
SMOOTH = st.recursive(SIMPLE, lambda e: st.one_of(elementary(e), combined(e), powers(e)), max_leaves=4)
KINKED = st.recursive(
    st.one_of(SIMPLE, switching(SIMPLE)),
    lambda e: st.one_of(elementary(e), combined(e), powers(e), switching(e)),
    max_leaves=4,
)
WITH_SPECIAL = st.one_of(special(SIMPLE), combined(special(SIMPLE)), special(special(X)), switching(special(SIMPLE)))


def value_of(formula, x):
    """Return the value, NotRealError where there is none, None where the oracle is silent."""
    bits = 400 + 8 * abs(x.numerator.bit_length() - x.denominator.bit_length())
    try:
        value = value_at(formula, x, bits)
        # So small a value may be what rounding leaves of 0.
        is_sure = abs(value) > mpmath.mpf(2) ** (-bits // 2) or agree(value, value_at(formula, x, bits + 200))
    except NotRealError:
        return NotRealError
    except UndecidedError:
        return None
    return value if is_sure else None


def is_number(value):
    return value is not None and value is not NotRealError


def agree(value, truth, digits=15):
    with mpmath.workprec(4000):
        if mpmath.isinf(value):
            return abs(truth) > mpmath.mpf(2) ** 100000
        gap, least = abs(value - truth), mpmath.mpf(2) ** -1199
        return gap <= max(abs(value), abs(truth)) * mpmath.mpf(10) ** -digits or gap <= least


def check_settled(found, truths, jet):
    for truth in truths:
        assert agree(found.value, truth), mpmath.nstr(truth, 20)
        if abs(found.hi) < 1e300:
            assert agree(mpmath.mpf(found.hi), truth) or abs(truth) < 1e-290
    if jet is not None and jet.is_finite:
        assert jet.agrees_with(found.ball)


def reaches_over_an_edge(formula, x):
    """Return whether f is real beside x, nearer than the oracle has looked: acosh(1 + 2⁻⁵²)."""
    return all(is_number(value_of(formula, x + side * Fraction(1, 2**1000))) for side in (-1, 1))


def jet_of(formula, x, derivative):
    try:
        return JetProgram(to_unevaluated_sympy(formula), variable_symbol(formula))(x, derivative, 256)
    except (NoBallError, HardError):
        return None


def check(text, x, derivative, ask):
    """Compare what is found with the oracle; return what became of it."""
    try:
        formula = parse_formula(text, "x")
        found = ask(formula, x, derivative)
    except InputError as error:
        if "is not defined, or not real, at" not in str(error):
            return "no formula"
        found = None
    except HardError:
        return "hard"
    here = value_of(formula, x)
    sides = [one_sided(formula, x, derivative, side) for side in (-1, 1)] if derivative and is_number(here) else [here]
    truths = [side for side in sides if is_number(side)]
    if found is None:
        # The oracle may take a pole for a huge number, but not where it has a derivative.
        assert not (len(truths) == 2 and abs(here) < 1e50), mpmath.nstr(here, 20)
        return "undefined"
    if here is NotRealError:
        assert not found.is_settled, "f is not real there"
    elif found.is_settled:
        check_settled(found, truths, jet_of(formula, x, derivative))
        if derivative and sides.count(NotRealError) == 1 and truths:
            assert "one-sided" in found.reason or reaches_over_an_edge(formula, x)
        return "confirmed" if truths else "settled"
    elif found.verdict == "nondifferentiable":
        orders = [[one_sided(formula, x, m, side) for side in (-1, 1)] for m in range(1, derivative + 1)]
        assert not all(is_number(left) and is_number(right) and agree(left, right) for left, right in orders), orders
        return "parted" if any(map(is_number, orders[0])) else "nondifferentiable"
    elif truths and mpmath.isfinite(found.radius):
        assert all(abs(truth) <= found.radius for truth in truths)
    return found.verdict


def in_process(formula, x, derivative):
    """Ask without the process that can be ended: what it would be asked, HardError says."""
    return ways_to(formula, derivative).references([x], 20)[0]


def with_child(formula, x, derivative):
    return exact_derivative(formula, x, derivative, 20, time_limit=2)


def outcomes_of(formulas, points, ask, count):
    """Check so many random formulas and return how often each outcome came up."""
    outcomes = Counter()

    @settings(max_examples=count, suppress_health_check=list(HealthCheck))
    @given(formulas, points, st.sampled_from((0, 1, 1, 1, 2, 2, 3, 4)))
    def each(text, x, derivative):
        outcomes[check(text, x, derivative, ask)] += 1

    each()
    return outcomes


def test_smooth_formulas_anywhere():
    outcomes = outcomes_of(SMOOTH, ANYWHERE, in_process, 50)
    assert outcomes["confirmed"] > 12, outcomes
    assert outcomes["undefined"] > 1, outcomes


def test_formulas_with_switches_where_they_may_switch():
    outcomes = outcomes_of(KINKED, KINKS, in_process, 30)
    assert outcomes["confirmed"] > 12, outcomes
    assert outcomes["parted"] + outcomes["nondifferentiable"] > 0, outcomes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("formulas", "points", "count"),
    [
        (SMOOTH, ANYWHERE, 5000),
        (KINKED, KINKS, 5000),
        (KINKED, ANYWHERE, 3000),
        (WITH_SPECIAL, st.one_of(KINKS, COMMON), 800),
    ],
    ids=["smooth", "switches", "switches-anywhere", "special"],
)
def test_many_formulas(formulas, points, count):
    assert outcomes_of(formulas, points, in_process, count)["confirmed"] > count / 5


@pytest.mark.slow
def test_nothing_hangs_and_nothing_else_escapes():
    # Of the other points mpmath takes minutes for some of the special functions.
    points = st.one_of(KINKS, COMMON, EXTREME)
    outcomes = outcomes_of(st.one_of(WITH_SPECIAL, KINKED), points, with_child, 400)
    assert outcomes["confirmed"] > 60, outcomes
    assert outcomes["uncertain"] < 100, outcomes


# Null tests: the check itself can fail --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "other", "x"),
    [
        ("sin(x)", "sin(x)*(1 + 1e-14)", "1/2"),
        ("exp(x)", "exp(x) + 1e-14*x", 1),
        ("Abs(x)", "x", 0),
        ("x", "Abs(x)", 0),
        ("x + sqrt(x)**4", "x + x**2", 0),
        ("log(x)", "x", 0),
        ("x", "log(x)", 2),
        ("x", "log(x)", 0),
        ("sin(x)*1e-5", "cos(x)", "1/3"),
    ],
)
def test_the_derivative_of_another_function_is_found_out(text, other, x):
    def wrong(formula, x, derivative):
        return in_process(parse_formula(other), x, derivative)

    check(text, Fraction(x), 1, in_process)
    with pytest.raises(AssertionError):
        check(text, Fraction(x), 1, wrong)
