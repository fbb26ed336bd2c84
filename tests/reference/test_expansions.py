"""One-sided expansions: limits of f and its derivatives beside a point, and signs next to it."""

from fractions import Fraction
from math import inf

import flint
import mpmath
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from oracle import NotRealError as OracleNotRealError
from oracle import value_at
from witnesses import ALL, RIGHT_DIGITS, X, enclosed

from diffbench import parse_formula
from diffbench.functions.symbolic import to_unevaluated_sympy
from diffbench.reference.balls import Ball
from diffbench.reference.expansions import NotRealError, SideProgram, UnknownError
from diffbench.reference.jets import JetProgram
from diffbench.reference.program import NoBallError

LEFT, RIGHT = -1, 1


def beside(text, x, side, highest, bits=256):
    return SideProgram(to_unevaluated_sympy(parse_formula(text, "x")), X).derivatives(Fraction(x), side, highest, bits)


def sign(text, x, side, terms=12, bits=128):
    return SideProgram(to_unevaluated_sympy(parse_formula(text, "x")), X).sign(Fraction(x), side, bits, terms)


def holds(limit, value):
    """Return whether a limit is the number, or the infinity, that it should be."""
    if isinstance(limit, Ball):
        with mpmath.workprec(400):
            return limit.radius < Fraction(1, 2**150) and enclosed(limit, exact(value), 100)
    return limit == value


def exact(value):
    """Return what a table says: a number, an infinity, or the text of a constant."""
    if isinstance(value, str):
        return value_at(parse_formula(value), Fraction(0), 400)
    return value if value in (inf, -inf) else mpmath.mpf(Fraction(value).numerator) / Fraction(value).denominator


LIMITS = [
    ("Abs(x)", 0, (0, -1, 0), (0, 1, 0)),
    ("sign(x)", 0, (-1, 0), (1, 0)),
    ("Heaviside(x)", 0, (0, 0), (1, 0)),
    ("x*Abs(x)", 0, (0, 0, -2, 0), (0, 0, 2, 0)),
    ("Abs(sin(x))", 0, (0, -1, 0, 1), (0, 1, 0, -1)),
    ("Max(x, x**2)", 1, (1, 1, 0), (1, 2, 2)),
    ("Min(x, x**2, 3*x)", 0, (0, 3, 0), (0, 0, 2)),
    ("Max(x, x)", 0, (0, 1, 0), (0, 1, 0)),
    ("Piecewise((x**2, x < 1), (5, x == 1), (x**3, True))", 1, (1, 2, 2, 0), (1, 3, 6, 6)),
    ("Piecewise((1/x, x < 0), (x, True))", 0, (-inf, -inf), (0, 1)),
    ("sin(x)/x", 0, (1, 0, Fraction(-1, 3), 0), (1, 0, Fraction(-1, 3), 0)),
    ("(1 - cos(x))/x**2", 0, (Fraction(1, 2), 0, Fraction(-1, 12)), (Fraction(1, 2), 0, Fraction(-1, 12))),
    ("(exp(x) - 1 - x)/x**2", 0, (Fraction(1, 2), Fraction(1, 6)), (Fraction(1, 2), Fraction(1, 6))),
    ("Abs(x)/x", 0, (-1, 0, 0), (1, 0, 0)),
    ("x/x", 0, (1, 0), (1, 0)),
    ("1/x", 0, (-inf, -inf, -inf, -inf), (inf, -inf, inf, -inf)),
    ("1/x**2", 0, (inf, inf, inf), (inf, -inf, inf)),
    ("1/(x*Abs(x))", 0, (-inf, -inf, -inf), (inf, -inf, inf)),
    ("exp(-1/x)", 0, None, (0, 0, 0, 0)),
    ("exp(-1/x**2)", 0, (0, 0, 0), (0, 0, 0)),
    ("atan(1/x)", 0, ("-pi/2", -1, 0), ("pi/2", -1, 0)),
    ("tanh(1/x)", 0, (-1, 0, 0), (1, 0, 0)),
    ("x*tanh(1/x)", 0, (0, -1, 0), (0, 1, 0)),
    ("acot(x)", 0, ("-pi/2", -1, 0), ("pi/2", -1, 0)),
    ("atan2(x, -1)", 0, ("-pi", -1, 0), ("pi", -1, 0)),
    ("atan2(-x, -1)", 0, ("pi", 1, 0), ("-pi", 1, 0)),
    ("atan2(x, x)", 0, ("-3*pi/4", 0), ("pi/4", 0)),
    ("atan2(x**2, x)", 0, ("pi", 1), (0, 1)),
    ("sqrt(x)", 0, None, (0, inf, -inf, inf)),
    ("sqrt(-x)", 0, (0, -inf, -inf), None),
    ("x**Rational(3, 2)", 0, None, (0, 0, inf, -inf)),
    ("Abs(x)**Rational(3, 2)", 0, (0, 0, inf, inf), (0, 0, inf, -inf)),
    ("Abs(x)**Rational(1, 3)", 0, (0, -inf), (0, inf)),
    ("x**Rational(7, 3)", 0, None, (0, 0, 0, inf)),
    ("x**Rational(-1, 2)", 0, None, (inf, -inf, inf)),
    ("1 + x + 5*x**Rational(5, 2)", 0, None, (1, 1, 0, inf)),
    ("1 + x - 5*x**Rational(5, 2)", 0, None, (1, 1, 0, -inf)),
    ("sqrt(x**4 + x**6)", 0, (0, 0, 2, 0), (0, 0, 2, 0)),
    ("sqrt(x**2 + x**3)", 0, (0, -1, -1), (0, 1, 1)),
    ("sqrt(x - sin(x))", 0, None, (0, 0, inf)),
    ("asin(x)", 1, ("pi/2", inf), None),
    ("asin(x)", -1, None, ("-pi/2", inf, -inf)),
    ("acos(x)", 1, (0, -inf), None),
    ("acos(x)", -1, None, ("pi", -inf)),
    ("asin(1 - x**4)", 0, ("pi/2", 0, "-2*sqrt(2)"), ("pi/2", 0, "-2*sqrt(2)")),
    ("acos(1 - x**2)", 0, (0, "-sqrt(2)", 0), (0, "sqrt(2)", 0)),
    ("asin(x/2)", 0, (0, Fraction(1, 2), 0, Fraction(1, 8)), (0, Fraction(1, 2), 0, Fraction(1, 8))),
    ("acos(x/2)", 0, ("pi/2", Fraction(-1, 2)), ("pi/2", Fraction(-1, 2))),
    ("acosh(x)", 1, None, (0, inf, -inf)),
    ("acosh(1 + x**4)", 0, (0, 0, "2*sqrt(2)"), (0, 0, "2*sqrt(2)")),
    ("asec(x)", 1, None, (0, inf)),
    ("asec(x)", -1, ("pi", inf), None),
    ("acsc(x)", 1, None, ("pi/2", -inf)),
    ("asech(x)", 1, (0, -inf), None),
    ("acos(1/x)", 0, None, None),
    ("log(x)*0 + x", 1, (1, 1, 0), (1, 1, 0)),
    ("log(x, 10)", 1, (0, "1/log(10)"), None),
    ("zeta(Abs(x))", 0, (Fraction(-1, 2),), (Fraction(-1, 2),)),
    ("besselj(1, x)/x", 0, (Fraction(1, 2), 0, Fraction(-1, 8)), (Fraction(1, 2), 0, Fraction(-1, 8))),
    ("gamma(Abs(x) + 1)", 0, (1,), (1,)),
    ("Abs(Abs(x) - 1)", 0, (1, 1), (1, -1)),
    ("(x**2)**x", 1, (1, 2), (1, 2)),
]


@pytest.mark.parametrize(("text", "x", "left", "right"), LIMITS)
def test_limits_on_both_sides(text, x, left, right):
    for side, values in ((LEFT, left), (RIGHT, right)):
        if values is None:
            if (text, side) not in {("log(x, 10)", RIGHT), ("exp(-1/x)", LEFT)}:
                with pytest.raises(NotRealError):
                    beside(text, x, side, 2)
            continue
        limits = beside(text, x, side, len(values) - 1)
        assert len(limits) == len(values)
        for m, (limit, value) in enumerate(zip(limits, values, strict=True)):
            assert holds(limit, value), (side, m, limit)


@pytest.mark.parametrize(
    ("text", "x", "side"),
    [
        ("x**x", 0, RIGHT),
        ("x*log(x)", 0, RIGHT),
        ("log(x)", 0, RIGHT),
        ("sin(1/x)", 0, RIGHT),
        ("x**2*sin(1/x)", 0, RIGHT),
        ("exp(1/x)", 0, RIGHT),
        ("exp(-1/x)", 0, LEFT),
        ("erf(1/x)", 0, RIGHT),
        ("gamma(x)", 0, RIGHT),
        ("Abs(sin(2*x) - 2*sin(x)*cos(x))", 1, RIGHT),
        ("sqrt(1 - sin(x)**2 - cos(x)**2)", 1, RIGHT),
        ("1/(x - x)", 0, RIGHT),
        ("sign(1 - tanh(1/x))", 0, RIGHT),
        ("Piecewise((x, tanh(1/x) < 1), (2*x, True))", 0, RIGHT),
        ("x**Rational(1, 17)", 0, RIGHT),
        ("sqrt(exp(-1/x))", 0, RIGHT),
        ("bessely(0, x)", 0, RIGHT),
        ("atan2(0*x, x - 1)", 1, RIGHT),
    ],
)
def test_what_is_not_known_is_not_guessed(text, x, side):
    with pytest.raises(UnknownError):
        beside(text, x, side, 2)


def test_more_terms_find_what_fewer_do_not():
    """cos(x) − 1 + x²/2 is x⁴/24 − …: four terms see a 0 that they may not take for one."""
    text = "cos(x) - 1 + x**2/2"
    with pytest.raises(UnknownError):
        sign(text, 0, RIGHT, terms=4)
    assert sign(text, 0, RIGHT, terms=5) == 1


@pytest.mark.parametrize(
    ("text", "x", "left", "right"),
    [
        ("x", 0, -1, 1),
        ("x**2", 0, 1, 1),
        ("-x**3", 0, 1, -1),
        ("x - sin(x)", 0, -1, 1),
        ("1/x", 0, -1, 1),
        ("x**2*(x - 1)", 0, -1, -1),
        ("exp(x) - 1", 0, -1, 1),
        ("0*x", 3, None, None),
        ("3 - 3", 3, 0, 0),
        ("cos(x) - 1", 0, -1, -1),
        ("Abs(x) - x", 0, 1, None),
        ("log(x)", 1, -1, 1),
        ("x - 1/3", "1/3", None, None),
        ("x**2 - 4", 2, -1, 1),
    ],
)
def test_signs_next_to_a_point(text, x, left, right):
    for side, expected in ((LEFT, left), (RIGHT, right)):
        if expected is None:
            with pytest.raises(UnknownError):
                sign(text, x, side)
        else:
            assert sign(text, x, side) == expected, side


def test_a_saturated_tanh_is_no_constant():
    """tanh(1/t) is 1 to all powers of t, and smaller than 1."""
    for text in ("1 - tanh(1/x)", "tanh(1/x) - 1"):
        with pytest.raises(UnknownError):
            sign(text, 0, RIGHT)
    assert sign("2 - tanh(1/x)", 0, RIGHT) == 1


def test_the_larger_one_is_known_only_as_far_as_it_is_known_to_be_the_larger_one():
    """exp(−1/x)/x⁴⁰ is 0 as far as it is known, which is not far; x is not the larger of x and 2x because of that."""
    with pytest.raises(UnknownError):
        beside("Max(x, 2*x + exp(-1/x)/x**40)", 0, RIGHT, 1)
    assert holds(beside("Max(x, 2*x + exp(-1/x))", 0, RIGHT, 1)[1], 2)
    assert holds(beside("Max(x, x + exp(-1/x))", 0, RIGHT, 1)[1], 1)
    assert holds(beside("Min(x, 2*x + exp(-1/x))", 0, RIGHT, 1)[1], 1)


def test_a_piece_that_does_not_hold_may_fail():
    assert holds(beside("Piecewise((sqrt(x), x > 0), (x, True))", 0, LEFT, 1)[1], 1)
    assert holds(beside("Piecewise((1/(x - x), x > 0), (log(-2), x > 1), (x**2, True))", 0, LEFT, 2)[2], 2)
    with pytest.raises(NotRealError):
        beside("Piecewise((x, x > 0), (sqrt(x), True))", 0, LEFT, 1)


@pytest.mark.parametrize("witness", [each for each in ALL if "zeta" not in each.text], ids=str)
def test_where_f_is_analytic_both_sides_have_its_derivatives(witness):
    point = witness.points[0]
    for side in (LEFT, RIGHT):
        limits = SideProgram(witness.written, X).derivatives(Fraction(point), side, 2, 320)
        for m in (0, 1, 2):
            assert enclosed(limits[m], witness.truth(point, m), RIGHT_DIGITS), (side, m)
            assert limits[m].radius < Fraction(1, 2**200)


@given(
    st.integers(1, 4), st.integers(1, 12), st.fractions(-3, 3, max_denominator=9).filter(bool), st.sampled_from((-1, 1))
)
def test_powers_of_rational_exponent(root, power, factor, side):
    """f = c |x|^(p/q) and its derivatives, by the rule for powers."""
    exponent = Fraction(power, root)
    limits = beside(f"({factor})*Abs(x)**Rational({power}, {root})", 0, side, 3)
    falling = Fraction(1)
    for m in range(4):
        rest = exponent - m
        value = factor * falling * side**m
        if value == 0 or rest > 0:
            expected = 0
        elif rest == 0:
            expected = mpmath.mpf(value.numerator) / value.denominator
        else:
            expected = inf if value > 0 else -inf
        assert isinstance(limits[m], float) == (expected in (inf, -inf)), m
        if isinstance(limits[m], float):
            assert limits[m] == expected
        else:
            assert abs(limits[m].midpoint - (value if rest == 0 else 0)) <= limits[m].radius
        falling *= rest


@given(st.integers(-5, 5), st.integers(1, 6), st.sampled_from((-1, 1)))
def test_laurent_series_end_in_infinities_of_the_right_sign(residue, order, side):
    """residue/x^n + x: the sign of every derivative, from values close to 0."""
    limits = beside(f"({residue})/x**{order} + x", 0, side, 3)
    for m in range(4):
        near = residue * Fraction(side, 10**6) ** (-order - m)
        for j in range(m):
            near *= -order - j
        if residue:
            assert limits[m] == (inf if near > 0 else -inf), m
        else:
            assert enclosed(limits[m], 1 if m == 1 else 0, 30)


@pytest.mark.parametrize(
    ("text", "x", "left", "right"), [case for case in LIMITS if "exp(-" not in case[0] and "tanh" not in case[0]]
)
def test_values_close_to_the_point_tend_to_the_limits(text, x, left, right):
    """The table itself, against mpmath 1e-40 beside the point."""
    formula = parse_formula(text)
    for side, values in ((LEFT, left), (RIGHT, right)):
        if values is None:
            continue
        try:
            near = value_at(formula, x + side * Fraction(1, 10**40), 1400)
        except OracleNotRealError:
            pytest.fail(f"{text} is not real on side {side}")
        value = exact(values[0])
        if value in (inf, -inf):
            assert abs(near) > 10**11
            assert (near > 0) == (value > 0)
        else:
            assert abs(near - value) < 1e-11


def test_what_has_no_jet_is_named():
    with pytest.raises(NoBallError, match="besselj"):
        SideProgram(sympy.besselj(X, 2), X)


def test_the_global_precision_is_given_back():
    before = flint.ctx.prec, flint.ctx.cap
    beside("Abs(x)", 0, RIGHT, 1, bits=999)
    sign("x", 0, RIGHT)
    assert (flint.ctx.prec, flint.ctx.cap) == before


def test_the_expansion_of_an_analytic_function_is_its_jet():
    written = to_unevaluated_sympy(parse_formula("exp(sin(x))*atan(x) + x**5"))
    limits = SideProgram(written, X).derivatives(Fraction(1, 4), LEFT, 8, 128)
    run = JetProgram(written, X)
    for m in range(9):
        assert limits[m].agrees_with(run(Fraction(1, 4), m, 128)), m
