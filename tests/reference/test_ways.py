"""Two ways to every derivative: which are taken, and that one of them alone is not believed."""

from fractions import Fraction

import mpmath
import pytest
import sympy

from diffbench import parse_formula
from diffbench.errors import UncertainError
from diffbench.functions.symbolic import to_sympy, to_unevaluated_sympy, variable_symbol
from diffbench.reference import ways as module
from diffbench.reference.balls import Ball, BallProgram, HardError
from diffbench.reference.circles import CircleProgram
from diffbench.reference.expansions import SideProgram
from diffbench.reference.jets import JetProgram
from diffbench.reference.program import NoBallError
from diffbench.reference.ways import Ways, derived, primary, ways_to

X = sympy.Symbol("x", real=True)


def fresh(text, derivative=1):
    """Return ways that know nothing yet."""
    formula = parse_formula(text)
    return Ways(to_unevaluated_sympy(formula), to_sympy(formula), variable_symbol(formula), derivative)


def reference(text, x, derivative=1, digits=34):
    return fresh(text, derivative).references([Fraction(x)], digits)[0]


@pytest.mark.parametrize(
    ("text", "x", "derivative", "second"),
    [
        ("exp(x)*sin(x)", "1/3", 1, "jet"),
        ("exp(x)*sin(x)", "1/3", 0, "jet"),
        ("x**2", 0, 1, "jet"),
        ("sinc(x)", 0, 3, "jet"),
        ("Abs(x)", 1, 1, "jet"),
        ("Max(x, 2)", 3, 2, "jet"),
        ("Abs(x)**3", 0, 2, "symbolic"),
        ("Piecewise((x**2, x < 1), (2*x - 1, True))", 1, 1, "symbolic"),
        ("x**Rational(3, 2)", 0, 1, "symbolic"),
        ("Abs(x)", 0, 0, "symbolic"),
        ("zeta(x)", 3, 1, "circle"),
        ("besselj(sqrt(2), x)", 3, 1, "circle"),
        ("polylog(3/2, x)", "1/3", 2, "circle"),
        ("Si(x)", 0, 2, "circle"),
        ("Piecewise((1, x == 0), (sin(x)/x, True))", 0, 2, "circle"),
    ],
)
def test_the_second_opinion_is_named(text, x, derivative, second):
    found = reference(text, x, derivative)
    assert (found.verdict, found.second_opinion, found.method) == ("certified", second, "ball")
    assert "unchecked" not in found.reason


@pytest.mark.parametrize(
    ("text", "x", "derivative", "why"),
    [
        ("besselj(x, 2)", "1/2", 1, "neither a symbolic derivative nor a jet"),
        ("Piecewise((1, x == 0), (sin(x)/x, True))", 0, 1, "no second way settles it at 0"),
        ("sqrt(x**3)", 0, 1, "the branches that meet at 0 have no symbolic derivative"),
        ("acot(x)", 0, 0, "0 lies on the branch cut of acot"),
    ],
)
def test_one_way_alone_is_agreed_and_says_why(text, x, derivative, why):
    found = reference(text, x, derivative)
    assert (found.verdict, found.second_opinion) == ("agreed", "")
    assert f"derivative unchecked: {why}" in found.reason


def test_that_f_is_real_on_one_side_only_is_told_beside_what_is_unchecked():
    found = reference("sqrt(x**3)", 0)
    assert found.reason.startswith("one-sided: f is not real left of 0; derivative unchecked: ")
    assert reference("x**Rational(3, 2)", 0).reason == "one-sided: f is not real left of 0"
    assert reference("(1 - x)**Rational(3, 2)", 1).reason == "one-sided: f is not real right of 1"
    assert reference("(1 - 3*x)**Rational(3, 2)", "1/3").reason == "one-sided: f is not real right of 1/3"


# A wrong way is found out ---------------------------------------------------------------------------------------------


def shifted(ball, relative):
    with mpmath.workprec(400):
        return Ball.around(ball.midpoint * (1 + Fraction(relative)), ball.radius, ball.bits)


@pytest.fixture(params=[Fraction(1, 10**8), Fraction(-1, 3), Fraction(-2)])
def off(request):
    return request.param


def test_a_wrong_jet_contradicts_and_nothing_is_told(monkeypatch, off):
    at_points = JetProgram.at_points
    monkeypatch.setattr(JetProgram, "at_points", lambda *args: [shifted(b, off) for b in at_points(*args)])
    found = reference("exp(x)*sin(x)", "1/3")
    assert found.verdict == "uncertain"
    assert "two ways disagree: jet gives" in found.reason
    assert (found.value, found.hi, found.lo) == (None, None, None)


def test_a_wrong_symbolic_derivative_contradicts(monkeypatch, off):
    diff = sympy.diff
    monkeypatch.setattr(sympy, "diff", lambda *args: diff(*args) * (1 + sympy.Rational(off.numerator, off.denominator)))
    module.derived.cache_clear()
    module.primary.cache_clear()
    try:
        found = reference("exp(x)*cos(x)", "1/3")
        seam = reference("Max(x, 0)**2 + 3*x", 0)
    finally:
        module.derived.cache_clear()
        module.primary.cache_clear()
    assert "two ways disagree: jet" in found.reason
    assert "two ways disagree: symbolic" in seam.reason
    assert {found.verdict, seam.verdict} == {"uncertain"}


def test_a_wrong_circle_contradicts(monkeypatch, off):
    on_circle = CircleProgram._on_circle
    monkeypatch.setattr(CircleProgram, "_on_circle", lambda *args, **rest: shifted(on_circle(*args, **rest), off))
    assert "two ways disagree: circle" in reference("zeta(x)", 3).reason
    assert "two ways disagree: circle" in reference("Piecewise((1, x == 0), (sin(x)/x, True))", 0, 2).reason


def test_wrong_expansions_contradict(monkeypatch, off):
    derivatives = SideProgram.derivatives

    def wrong(self, *args):
        return [shifted(each, off) if isinstance(each, Ball) else each for each in derivatives(self, *args)]

    monkeypatch.setattr(SideProgram, "derivatives", wrong)
    assert "two ways disagree: symbolic" in reference("x*Abs(x) + 3*x - 5*x**2", 0).reason


def test_a_jet_that_says_nothing_confirms_nothing(monkeypatch):
    at_points = JetProgram.at_points
    monkeypatch.setattr(JetProgram, "at_points", lambda *args: [shifted_wide(b) for b in at_points(*args)])
    found = reference("exp(x)*sin(x)", "1/3")
    assert (found.verdict, found.second_opinion) == ("certified", "circle"), "another way is asked"
    monkeypatch.setattr(CircleProgram, "_on_circle", lambda self, *args, **rest: Ball(None, 128))
    found = reference("exp(x)*sin(x)", "1/3")
    assert (found.verdict, found.second_opinion) == ("agreed", "")
    assert "no second way settles it" in found.reason


def shifted_wide(ball):
    return Ball.around(ball.midpoint, abs(ball.midpoint), ball.bits)


def test_a_zero_is_confirmed_by_a_zero_only(monkeypatch):
    """A jet that encloses 0 in a ball of 10⁻²⁰ does not confirm that the derivative is 0."""
    at_points = JetProgram.at_points
    near = Fraction(1, 10**20)
    monkeypatch.setattr(
        JetProgram, "at_points", lambda *args: [Ball.around(b.midpoint, near, b.bits) for b in at_points(*args)]
    )
    monkeypatch.setattr(CircleProgram, "_on_circle", lambda self, *args, **rest: Ball(None, 128))
    assert reference("cos(x)", 0).verdict == "agreed"


# Where branches meet and there is no jet ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["besselj(x, 2) + Abs(x)", "Max(0, x + besselj(x, 2)*0)", "Abs(x)*besselj(x, 2)", "besselj(x + 3, Max(x, 0) + 2)"],
)
def test_without_a_jet_a_kink_is_no_smooth_point(text):
    found = reference(text, 0)
    assert found.verdict == "uncertain"
    assert "branches meet at 0" in found.reason
    assert reference(text, 1).is_settled
    assert reference(text, 0, derivative=0).is_settled


def test_without_a_jet_a_single_value_is_no_smooth_point():
    assert reference("Piecewise((5, x == 0), (besselj(x, 2), True))", 0).verdict == "uncertain"


# Which symbolic derivative is taken -----------------------------------------------------------------------------------


def test_the_first_way_is_the_symbolic_derivative():
    way = primary(sympy.exp(X) * sympy.sin(X), X, 3)
    assert (way.is_symbolic, way.rest) == (True, 0)
    assert isinstance(way.program, BallProgram)


def test_where_sympy_has_no_derivative_the_jet_of_f_takes_its_place():
    way = primary(sympy.zeta(X), X, 2)
    assert (way.is_symbolic, way.rest) == (False, 2)
    assert isinstance(way.program, JetProgram)


@pytest.mark.parametrize(
    "text", ["exp(sin(x)*cos(x))*sin(x)/(1 + x**2)**3", "tan(exp(sin(tan(x))))", "gamma(x)*erf(x)"]
)
def test_a_derivative_that_swells_is_left_to_the_jet_of_a_lower_one(monkeypatch, text):
    expected = reference(text, "1/3", 4)
    monkeypatch.setattr(module, "MAX_WEIGHT", 1)
    monkeypatch.setattr(module, "MAX_FIRST_WEIGHT", 10**6)
    module.derived.cache_clear()
    module.primary.cache_clear()
    try:
        expression = to_sympy(parse_formula(text))
        assert derived(expression, X, 1) is not None
        assert derived(expression, X, 2) is None
        assert derived(expression, X, 4) is None
        way = primary(expression, X, 4)
        assert (way.is_symbolic, way.rest) == (True, 3)
        found = reference(text, "1/3", 4)
    finally:
        module.derived.cache_clear()
        module.primary.cache_clear()
    assert (found.verdict, found.hi, found.lo) == ("certified", expected.hi, expected.lo)


@pytest.mark.slow
def test_high_derivatives_of_nested_formulas_end_soon():
    for text in ("tan(exp(sin(tan(x))))", "x**x**x", "exp(exp(exp(x/3)))", "gamma(gamma(x + 2))/gamma(x + 1)"):
        assert reference(text, "1/3", 10).verdict == "certified"


def test_an_expression_that_no_balls_cover_is_refused():
    with pytest.raises(NoBallError, match="floor"):
        primary(sympy.floor(X), X, 1)


@pytest.mark.parametrize(
    ("expression", "derivative", "verdict", "reason"),
    [
        (sympy.elliptic_f(X, sympy.Rational(1, 2)), 0, "agreed", "no ball arithmetic for elliptic_f"),
        (sympy.elliptic_f(X, sympy.Rational(1, 2)), 1, "agreed", "derivative unchecked: no second way for elliptic_f"),
        (sympy.floor(X), 1, "uncertain", "no ball arithmetic for floor, and two precisions of mpmath do not agree"),
    ],
)
def test_what_no_balls_cover_is_asked_of_mpmath_where_that_may_take_without_end(
    expression, derivative, verdict, reason, monkeypatch
):
    x = Fraction(4, 3)
    with pytest.raises(HardError):
        Ways(expression, expression, X, derivative).reference(x, 20)
    monkeypatch.setattr(module, "is_expendable", lambda: True)
    found = Ways(expression, expression, X, derivative).reference(x, 20)
    assert (found.verdict, found.reason) == (verdict, reason)
    if verdict == "agreed":
        with mpmath.workdps(40):
            point = mpmath.mpf(4) / 3
            exact = 1 / mpmath.sqrt(1 - mpmath.sin(point) ** 2 / 2) if derivative else mpmath.ellipf(point, 0.5)
            assert mpmath.almosteq(found.value, exact, rel_eps=1e-20)


# Many points ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["exp(x)/x", "Abs(x - 1)", "x**Rational(3, 2)", "zeta(x)", "sin(1000*x)*1e-200"])
def test_many_points_have_the_references_of_one(text):
    points = [Fraction(n, 2) for n in range(-2, 5)]
    together = fresh(text).references(points, 34)
    assert together == [fresh(text).references([x], 34)[0] for x in points]
    assert together == fresh(text).references([float(x) for x in points], 34)
    assert fresh(text).references(points[::-1] + points, 34) == together[::-1] + together


def test_the_fast_way_and_the_slow_one_say_the_same():
    for text in ("exp(x)/x", "x**20 - (x + 1)**3", "besselj(2, x)", "cosh(x) - sinh(x)"):
        for derivative in (0, 1, 3):
            ways, points = fresh(text, derivative), [Fraction(n, 3) for n in range(1, 9)]
            fast = ways.references(points, 34)
            slow = [fresh(text, derivative).reference(x, 34) for x in points]
            assert [(each.verdict, each.hi, each.lo) for each in fast] == [(e.verdict, e.hi, e.lo) for e in slow]


def test_what_was_found_is_kept_until_it_is_forgotten(monkeypatch):
    ways = fresh("exp(x)*x")
    first = ways.references([Fraction(1, 3), 0.5], 34)
    monkeypatch.setattr(JetProgram, "at_points", None)
    assert ways.references([0.5, Fraction(1, 3)], 34) == first[::-1]
    ways.forget()
    with pytest.raises(TypeError):
        ways.references([0.5], 34)


def test_more_digits_are_worked_out_anew():
    ways = fresh("exp(x)")
    few, many = (ways.references([Fraction(1, 3)], digits)[0] for digits in (10, 300))
    assert few.certified_digits < 300 <= many.certified_digits
    assert ways.references([Fraction(1, 3)], 10)[0] == few


def test_the_same_formula_has_the_same_ways():
    assert ways_to(parse_formula("exp(x)"), 1) is ways_to(parse_formula("exp(x)"), 1)
    assert ways_to(parse_formula("exp(x)"), 1) is not ways_to(parse_formula("exp(x)"), 2)


# What is defined ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "x", "defined"),
    [
        ("log(x)", 0, False),
        ("0*log(x)", -1, False),
        ("(x - x)*log(x)", -1, False),
        ("x**3*gamma(x)", 0, False),
        ("x**3*cot(x)", 0, False),
        ("x**2/x", 0, False),
        ("(3*x - 1)/(3*x - 1)", "1/3", False),
        ("sign(1/x)", 0, False),
        ("cos(atan2(x/x, x))", 0, False),
        ("(1/x)**0", 0, False),
        ("x**0", 0, True),
        ("bessely(1, x)", 0, False),
        ("polygamma(3, x)", -1, False),
        ("polylog(-2, x)", 1, False),
        ("erfinv(x)", 1, False),
        ("erfc(erfinv(x))", 1, False),
        ("sqrt(0.3 - 0.1*x)", 3, True),
        ("Piecewise((x, 0.1*x < 0.1), (x**2, True))", 1, True),
        ("asin(3*x)", "1/3", True),
        ("binomial(x, 3)", -1, True),
        ("exp(exp(exp(x)))", 10, True),
        ("log((1 + x) - 1)", "1e-300", True),
        ("cbrt(x)", 0, True),
        ("Max(pi, sqrt(x))", -1, False),
        ("tan(atanh(x/x))", 0, False),
        ("binomial(1/x, 0)", 0, False),
        ("loggamma(binomial(x, 0))", -1, True),
    ],
)
def test_what_is_defined_is_judged_as_it_is_written(text, x, defined):
    assert fresh(text, 0).is_defined(Fraction(x)) == defined
    if not defined:
        assert reference(text, x, 0) is None
        assert reference(text, x, 1) is None
    else:
        assert reference(text, x, 0) is not None


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("sqrt(acos(x) - acos(x))", 0),
        ("1/(sin(x)**2 + cos(x)**2 - 1)", 1),
        ("log(exp(x) - exp(x)) + x", 2),
        ("Piecewise((x, sin(1)**2 < 1 - cos(1)**2), (x**2, True))", 2),
        ("erfinv(2 - sin(x)**2 - cos(x)**2)", 1),
    ],
)
def test_what_rounding_hides_is_not_said_to_be_undefined(text, x):
    for derivative in (0, 1):
        assert reference(text, x, derivative).verdict == "uncertain"
        assert "not settled whether f is defined" in reference(text, x, derivative).reason
    assert not fresh(text, 0).is_undefined(Fraction(x))
    assert not fresh(text, 0).is_defined(Fraction(x))


# Limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_long_formulas_at_high_precision_are_left_to_a_process_that_can_be_ended():
    text = "+".join(f"sin({n}*x)" for n in range(1, 100))
    assert reference(text, "1/3").verdict == "certified"
    with pytest.raises(HardError):
        reference(f"sin(exp(exp(x))) + {text}", 12)


def test_where_it_is_not_settled_a_bound_is_told():
    found = reference("sin(exp(exp(x)))", 10)
    assert found.verdict == "uncertain"
    assert found.reason.startswith("not settled with 16384 bits; its absolute value is below ")
    assert mpmath.isfinite(found.radius)


def test_branch_errors_are_verdicts(monkeypatch):
    def undecided(*args):
        raise UncertainError("which branch holds is not settled")

    monkeypatch.setattr(module, "branch", undecided)
    assert reference("Abs(x)", 1).reason == "which branch holds is not settled"
    assert "unchecked: which branch" in reference("x*Abs(x)", 0).reason
