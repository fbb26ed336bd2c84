"""Observed orders: every scheme at every point of the standard suite, and laws on chosen functions."""

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from diffbench import Function, OpaqueScheme, Spec, Stencil, observed_order, observed_orders, parse_formula, run
from diffbench.analysis.order import NEXT_TERM, TOLERANCE, VERDICTS, Observed, find_slope, order_rows, window_exponent
from diffbench.errors import InputError
from diffbench.functions.suites import load_suite
from diffbench.reference.balls import Ball
from diffbench.reference.exact import references
from diffbench.reference.truncation import ErrorSeries, Neighbourhood, combination_of, neighbourhood
from diffbench.schemes.scheme import catalogue, parse_scheme

# the standard suite ---------------------------------------------------------------------------------------------------

COUNTS = {
    1: {"verified": 3092, "none": 527, "higher": 131, "reduced": 12, "nondifferentiable": 38, "not applicable": 19},
    2: {"verified": 3182, "none": 595, "higher": 141, "reduced": 6, "nondifferentiable": 60, "not applicable": 36},
    3: {"verified": 2835, "none": 590, "higher": 121, "nondifferentiable": 72},
    4: {"verified": 2810, "none": 612, "higher": 124, "nondifferentiable": 72},
}
"""By derivative; nothing is uncertain."""

KINKED = {"abs", "relu", "abs-3-2", "truncated-cube"}


def is_kink(function, x):
    return function.name in KINKED and x == 0


def derivatives_at_points(functions, degrees):
    """Return f^(d)(x), as the references know it, of all functions, points and degrees: 0, another number or None."""
    return {
        (function.name, x, d): None if reference is None or not reference.is_settled else reference.hi
        for function in functions
        for d in degrees
        for x, reference in zip(function.points, references(function.formula, function.points, d), strict=True)
    }


def counted(functions, derivative):
    """Check every scheme at every point against f^(m+p)(x) as the references know it; count the verdicts."""
    schemes = catalogue(derivative)
    known = derivatives_at_points(functions, {derivative + scheme.order for scheme in schemes})
    found = iter(order_rows(functions, derivatives=[derivative]))
    counts = Counter()
    for function, x, scheme in [(f, x, scheme) for f in functions for x in f.points for scheme in schemes]:
        each = next(found)
        assert (each.function, each.scheme, each.proved) == (function.name, scheme.name, scheme.order)
        counts[each.verdict] += 1
        if is_kink(function, x) or each.verdict == "not applicable":
            continue
        leading = known[function.name, x, derivative + scheme.order]
        assert (leading != 0) == (each.verdict == "verified"), each
        if each.verdict == "verified":
            assert each.deviation < TOLERANCE, each
        elif each.verdict == "higher":
            assert each.low > scheme.order + 1 - TOLERANCE, each
        else:
            assert each.verdict == "none", each
    assert next(found, None) is None
    return counts


@pytest.mark.slow
def test_every_scheme_has_its_order_at_a_point_of_every_sixteenth_standard_function():
    functions = load_suite("standard").functions[::16]
    sampled = [each.at([each.points[i % len(each.points)]]) for i, each in enumerate(functions)]
    assert counted(sampled, 1)["verified"] > 40


@pytest.mark.slow
@pytest.mark.parametrize("derivative", [1, 2, 3, 4])
def test_every_scheme_has_its_order_at_every_point_of_the_standard_suite(derivative):
    assert counted(load_suite("standard").functions, derivative) == COUNTS[derivative]


def test_the_kinks_of_the_standard_suite_have_their_verdicts():
    kinks = [function.at([Fraction(0)]) for function in load_suite("standard").functions if function.name in KINKED]
    found = {(each.function, each.scheme): each for each in order_rows(kinks)}
    for scheme in catalogue(1):
        for name in ("abs", "relu"):
            assert found[name, scheme.name].verdict == "nondifferentiable"
        rough = found["abs-3-2", scheme.name]
        if scheme.name == "complex-step":
            assert rough.verdict == "not applicable"
        elif "central" in scheme.name:
            assert (rough.verdict, rough.observed) == ("none", None)
        else:
            assert rough.verdict == "reduced"
            assert rough.low <= 0.5 <= rough.high
            assert rough.high - rough.low < 1e-14
    assert found["truncated-cube", "forward-2"].verdict == "verified"
    assert found["truncated-cube", "central-2"].verdict == "verified"
    assert found["truncated-cube", "forward-1"].observed == 2
    assert found["truncated-cube", "backward-1"].verdict == "none"


# laws -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("derivative", [1, 2, 3, 4])
def test_exp_shows_the_order_of_the_whole_catalogue(derivative):
    for scheme in catalogue(derivative):
        each = observed_order("exp(x)", scheme, "1/3")
        assert each.verdict == "verified"
        assert each.deviation < TOLERANCE / 10
        assert each.low < each.observed < each.high


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.fractions(-3, 3, max_denominator=8), min_size=2, max_size=6, unique=True),
    st.integers(1, 4),
    st.fractions(-2, 2, max_denominator=10),
)
def test_any_stencil_shows_its_order_on_exp(nodes, derivative, x):
    assume(len(nodes) > derivative)
    stencil = Stencil.fit(nodes, derivative)
    each = observed_order("exp(x)", stencil, x)
    assert (each.verdict, each.proved) == ("verified", stencil.order)
    assert each.deviation < TOLERANCE


def test_a_stencil_with_weights_of_its_own_is_no_problem():
    each = observed_order("exp(x)", Stencil([-2, -1, 1, 2], ["-1/8", "-1/4", "1/4", "1/8"]), 0)
    assert (each.verdict, each.proved) == ("verified", 2)
    assert each.scheme.startswith("weights(-2:-1/8,")


@pytest.mark.parametrize(
    ("formula", "scheme", "x", "verdict", "order"),
    [
        ("x**4", "central-2-d2", 0, "verified", 2),
        ("x**4", "central-2", 0, "none", None),
        ("x**5", "central-2", 0, "higher", 4),
        ("x**4", "forward-1", 0, "higher", 3),
        ("sin(x)", "forward-1", 0, "higher", 2),
        ("cos(x)", "forward-2", 0, "higher", 3),
        ("cos(x)", "complex-step", 0, "none", None),
        ("x**3 - 2*x - 5", "central-4", "0.1", "none", None),
        ("x**3 - 2*x - 5", "central-2", "0.1", "verified", 2),
        ("x**100", "forward-1", 0, "uncertain", None),
        ("Abs(x)**Rational(5, 2)", "forward-1", 0, "higher", 1.5),
        ("Abs(x)**Rational(5, 2)", "forward-2", 0, "reduced", 1.5),
        ("x*Abs(x)", "forward-1", 0, "verified", 1),
        ("x*Abs(x)", "central-2", 0, "reduced", 1),
        ("x**Rational(3, 2)", "forward-1", 0, "reduced", 0.5),
        ("x**Rational(3, 2)", "backward-1", 0, "not applicable", None),
        ("sqrt(x)", "forward-1", 0, "nondifferentiable", None),
        ("Abs(x)", "complex-step", 1, "not applicable", None),
        ("Piecewise((x, x < 0), (x, True))", "complex-step", 1, "not applicable", None),
        ("Abs(-2)*exp(x)", "complex-step", 1, "verified", 2),
        ("acot(x)", "complex-step", 1, "verified", 2),
        ("Piecewise((sin(x)/x, x != 0), (1, True))", "central-4-d2", 0, "verified", 4),
        ("Piecewise((exp(-1/x**2), x != 0), (0, True))", "central-2", 0, "none", None),
        ("Piecewise((exp(-1/x**2), x != 0), (0, True))", "forward-1", 0, "uncertain", None),
        ("Piecewise((x**2*sin(1/x), x != 0), (0, True))", "forward-1", 0, "uncertain", None),
        ("besselj(x, 2)", "forward-1", 1, "uncertain", None),
        # 128 bits leave hardly a bit of the leading coefficient.
        ("(1 - cos(x))/x**2", "forward-6", "0.001", "verified", 6),
        ("sin(1000000*x)*exp(-1000*x)", "richardson-3(central-2)", "0.01", "verified", 6),
        ("Max(0, x - 0.1)", "central-2", "0.1000001", "none", None),
        ("Max(0, x - 0.1)**3", "central-2", "0.1000001", "verified", 2),
    ],
)
def test_a_verdict_for_every_case(formula, scheme, x, verdict, order):
    each = observed_order(formula, scheme, x)
    assert each.verdict == verdict, each
    assert each.reason
    if order is None:
        assert (each.observed, each.low, each.high, each.window, each.deviation) == (None, None, None, (), None)
    else:
        assert each.observed == pytest.approx(order, abs=1e-3)
        assert each.low <= each.observed <= each.high
        assert 0 < each.window[0] < each.window[1] <= 1 / 16


def test_an_opaque_scheme_has_no_order():
    each = observed_order("exp(x)", OpaqueScheme("mine", lambda f, x, epsilon: 0.0), 0)
    assert (each.verdict, each.proved, each.deviation) == ("not applicable", None, None)


# what would be wrong is seen ------------------------------------------------------------------------------------------


def test_a_derivative_that_is_slightly_wrong_is_not_verified(monkeypatch):
    right = Neighbourhood.exact
    monkeypatch.setattr(Neighbourhood, "exact", lambda *given: right(*given).minus(Ball.around(Fraction(1, 10**8), 0)))
    assert observed_order("exp(x)", "central-2", "1/7").verdict == "uncertain"


def test_a_series_of_another_scheme_is_not_verified():
    near = neighbourhood(parse_formula("exp(x)"), Fraction(1, 3))
    forward, backward = (combination_of(parse_scheme(name)) for name in ("forward-1", "backward-1"))
    assert find_slope(near, forward, near.series(forward)) is not None
    # The same order with the opposite sign.
    assert find_slope(near, forward, near.series(backward)) is None


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(-300, 300)), min_size=1, max_size=8, unique_by=lambda t: t[0])
)
def test_in_the_window_the_further_terms_are_small(terms):
    rising = [(Fraction(power), Ball.around(Fraction(2) ** size, 0)) for power, size in sorted(terms)]
    epsilon = Fraction(2) ** window_exponent(ErrorSeries(tuple(rising), {}))
    first, *further = (ball.midpoint * epsilon**power for power, ball in rising)
    assert sum(further) <= Fraction(NEXT_TERM) * first
    larger = [ball.midpoint * (4 * epsilon) ** power for power, ball in rising]
    # And hardly smaller than need be.
    assert epsilon == Fraction(1, 16) or sum(larger[1:]) > Fraction(NEXT_TERM) * larger[0] / 2 ** (len(terms) + 1)


# tables and input -----------------------------------------------------------------------------------------------------


def test_a_frame_has_a_row_a_case():
    function = Function("mine", "sin(x)", ["0", "1/3"])
    frame = observed_orders([function, "exp"], ["forward-1", "central-2"], derivatives=[1, 2])
    assert list(frame.columns) == [*Observed.__dataclass_fields__, "deviation"]
    assert len(frame) == (2 + 4) * 4
    assert set(frame.function) == {"mine", "exp"}
    assert set(frame.derivative) == {1, 2}
    assert list(frame.point[:8]) == ["0"] * 4 + ["1/3"] * 4
    assert set(frame.verdict) <= set(VERDICTS)


def test_the_orders_of_a_run_are_those_of_its_spec():
    results = run(Spec(["exp"], ["central-2", "forward-1-d2"], epsilons="0.1"))
    frame = observed_orders(results)
    assert list(frame.scheme[:2]) == ["central-2", "forward-1-d2"]
    assert len(frame) == 8


def test_a_name_of_one_case():
    function = Function("mine", "sin(x)", ["0"])
    assert observed_order(function, "central-2", 1).function == "mine"
    assert observed_order(function, "central-2", 1, name="yours").function == "yours"
    assert observed_order("sin(x)", "central-2", "0.1").point == "0.1"
    assert observed_order("sin(x)", "central-2", 0, derivative=2).scheme == "central-2-d2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("log(x)", "central-2", -1), "x: log.x. is not defined, or not real, at -1"),
        (("exp(x)", 3, 0), "scheme: 3 is neither"),
        (("exp(x)", "centrl-2", 0), "did you mean"),
        (("exp(x)", "central-2", math.nan), "x: nan is not"),
        (("exp(x)", "central-2", 0, -1), "derivative: -1"),
        ((2, "central-2", 0), "formula: 2 is neither"),
    ],
)
def test_mistakes_are_input_errors(arguments, message):
    with pytest.raises(InputError, match=message):
        observed_order(*arguments)


@pytest.mark.parametrize(("functions", "message"), [(3, "functions: 3"), ("nosuch", "function: 'nosuch'")])
def test_functions_that_are_none_are_refused(functions, message):
    with pytest.raises(InputError, match=message):
        observed_orders(functions)
