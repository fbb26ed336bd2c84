"""The error model against exact arithmetic, theory and what a sweep measures."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbench import Function, Spec, run
from diffbench.analysis.model import PointModel, equivalent_stencil, power_sums
from diffbench.analysis.near import Near
from diffbench.analysis.precision import cases
from diffbench.analysis.predict import measured_curve, model_at
from diffbench.dtypes import find_dtype
from diffbench.errors import UnsupportedError
from diffbench.reference.exact import exact_derivative
from diffbench.rounding import round_exactly, unit_roundoff
from diffbench.schemes.scheme import Offset, catalogue, parse_scheme
from diffbench.sweep.results import Status

LONGDOUBLE = pytest.param(
    "longdouble", marks=pytest.mark.skipif(not find_dtype("longdouble").is_wide, reason="longdouble is double here")
)

GRID = 10.0 ** (-np.arange(0, 65) / 4)


def model(formula, x, dtype="float64", derivative=1, epsilons=GRID, **options):
    point = float(np.array(x, dtype=dtype))
    function = Function("f", formula, [point], **options)
    reference = exact_derivative(formula, point, derivative, digits=32)
    return PointModel(Near(function, point, dtype), reference, np.asarray(epsilons).astype(dtype))


@pytest.mark.parametrize("name", ["forward-1", "central-4", "richardson-3(central-2)", "central-2-d2", "backward-6"])
@pytest.mark.parametrize("x", [0.5, 2.0])
def test_truncation_is_that_of_exact_arithmetic(name, x):
    scheme = parse_scheme(name)
    stencil = equivalent_stencil(scheme)
    epsilons = np.array([1.0, 0.25, 2.0**-4, 2.0**-8])
    found = model("sin(x) + exp(x)", x, derivative=scheme.derivative, epsilons=epsilons).parts(scheme).truncation
    with mpmath.workprec(500):
        exact = exact_derivative("sin(x) + exp(x)", x, scheme.derivative, digits=100).value
        wanted = [
            float(stencil(lambda t: mpmath.sin(t) + mpmath.exp(t), mpmath.mpf(x), mpmath.mpf(e)) - exact)
            for e in epsilons
        ]
    assert found == pytest.approx(wanted, rel=1e-9)


def test_truncation_beyond_the_series_is_exact_too():
    """At ε = 2 the nodes of log(x) at 5/2 are far outside the circle of convergence of the shorter side."""
    epsilon = np.array([2.25])
    found = model("log(x)", 2.5, epsilons=epsilon).parts(parse_scheme("central-2")).truncation
    assert found == pytest.approx([(np.log(4.75) - np.log(0.25)) / 4.5 - 0.4], rel=1e-12)


@pytest.mark.parametrize("scheme", [s for m in (1, 2, 3) for s in catalogue(m)], ids=lambda s: s.name)
def test_power_sums_begin_with_the_derivative_and_the_error_constant(scheme):
    sums, m = power_sums(scheme), scheme.derivative
    factorial = float(np.prod(np.arange(1, m + 1)))
    assert sums[m] == pytest.approx(factorial)
    assert not sums[:m].any()
    assert not sums[m + 1 : m + scheme.order].any()
    assert sums[m + scheme.order]


def test_complex_step_truncates_by_the_third_derivative():
    found = model("exp(x)", 0.0).parts(parse_scheme("complex-step"))
    inside = slice(4, 20)
    assert found.truncation[inside] == pytest.approx(-(GRID[inside] ** 2) / 6, rel=0.01)
    assert (found.node == 0).all()


@given(st.floats(-1e6, 1e6), st.floats(1e-12, 10), st.sampled_from([Fraction(k) for k in (-4, -1, 1, 3, 8)]))
def test_the_displacement_of_a_node_is_exact(x, epsilon, k):
    bench = model("x", x, epsilons=[epsilon])
    found = float(bench._nodes.displacement(Offset(k))[0])
    node = Fraction(float(bench._nodes._panel.nodes[Offset(k)][0, 0]))
    wanted = node - (Fraction(x) + k * Fraction(epsilon))
    assert found == pytest.approx(float(wanted), rel=1e-10, abs=1e-300)


def test_nodes_that_are_numbers_of_the_dtype_have_no_node_part():
    found = model("exp(x)", 1.0, epsilons=2.0 ** -np.arange(0, 40)).parts(parse_scheme("central-8"))
    assert (found.node == 0).all()
    assert (model("exp(x)", 1.0).parts(parse_scheme("central-8")).node != 0).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["forward-1", "forward-4", "central-2", "central-8", "richardson-3(central-2)"])
@pytest.mark.parametrize(("formula", "x"), [("exp(x)", "1"), ("sin(100*x)", "0.7"), ("1 - exp(-x)", "0.001")])
def test_rounding_is_as_large_as_what_is_measured(formula, x, name, dtype):
    """In the median over six points and the epsilons at which hardly anything is truncated, to a factor 4.

    How accurate f is changes from one libm to the next, and at one point all of its errors can be small.
    """
    scheme, points = parse_scheme(name), [Fraction(x) * (1 + Fraction(j, 997)) for j in range(6)]
    block = run(Spec(Function("f", formula, points), scheme, GRID.tolist(), dtypes=dtype)).blocks[0]
    ratios = []
    for p, point in enumerate(block.x):
        parts = model(formula, point, dtype).parts(scheme)
        ok = (block.status[0, p, : GRID.size] == Status.OK) & (np.abs(parts.truncation) < 0.1 * parts.rounding)
        ratios.extend(np.abs(block.error[0, p, : GRID.size][ok]) / parts.error[ok])
    assert len(ratios) >= 48
    assert 1 / 4 < np.median(ratios) < 4


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", LONGDOUBLE, "mp:20"])
@pytest.mark.parametrize(
    ("formula", "x", "domain"), [("sqrt(x)", "0.25", "[0, oo)"), ("exp(x)", "1", None), ("exp(x)", "10", None)]
)
def test_what_can_be_used_is_what_a_sweep_finds_ok(formula, x, domain, dtype):
    if (x, dtype) == ("10", "float16"):
        x = "9"  # at 10 an ulp of f decides whether richardson(central-2) overflows
    function = Function("f", formula, [x], domain=domain)
    block = run(Spec(function, ["forward-1", "central-2", "central-8", "richardson(central-2)"], dtypes=dtype)).blocks[
        0
    ]
    bench = model_at(block, 0, function)
    for s, name in enumerate(block.schemes):
        ok = block.status[s, 0, : block.grid_size] == Status.OK
        assert (bench.parts(parse_scheme(name)).usable == ok).all(), name


def test_a_lucky_epsilon_does_not_make_the_smooth_error_least():
    """x³ + x⁴/… has a zero of the truncation of forward-1 at one ε; the running median passes over it."""
    parts = model("x**2 - 4*x**3", 0.0, epsilons=2.0 ** -np.arange(0, 30)).parts(parse_scheme("forward-1"))
    zero = 2
    assert parts.truncation[zero] == 0
    assert parts.smooth_error[zero] > 1e-2


def test_theory_lines_have_the_slopes_of_theory():
    lines = model("exp(x)", 1.0).lines(parse_scheme("central-4"))
    slopes = np.diff(np.log10([lines.truncation, lines.rounding])) / np.diff(np.log10(GRID))
    assert slopes[0] == pytest.approx(np.full(64, 4.0))
    assert np.median(slopes[1]) == pytest.approx(-1, abs=0.05)


def test_theory_lines_bound_the_rounding_and_meet_the_truncation():
    scheme = parse_scheme("central-2")
    bench = model("exp(x)", 1.0)
    parts, lines = bench.parts(scheme), bench.lines(scheme)
    assert (lines.rounding >= np.abs(parts.node)).all()
    assert (lines.rounding >= parts.evaluation).all()
    assert lines.truncation[10:30] == pytest.approx(np.abs(parts.truncation)[10:30], rel=1e-2)


def test_a_scheme_off_the_line_has_no_stencil():
    with pytest.raises(UnsupportedError, match="no real weights"):
        equivalent_stencil(parse_scheme("complex-step"))


def test_predicted_and_measured_curves_lie_together():
    """Over the whole grid, from pure truncation to pure rounding, in the median to 0.3 digits (0.2 here)."""
    function = Function("f", "exp(sin(x))", ["1.3"])
    block = run(Spec(function, ["forward-2", "central-4", "backward-6"])).blocks[0]
    bench = PointModel(Near(function, float(block.x[0]), "float64"), block.references[0], block.grid)
    for s, name in enumerate(block.schemes):
        apart = np.log10(measured_curve(block, s, 0) / bench.parts(parse_scheme(name)).smooth_error)
        assert np.nanmedian(np.abs(apart)) < 0.3


def test_what_has_no_series_is_truncated_in_fractions():
    """x|x| has one derivative at 0 and no second one; a central difference is off by ε."""
    epsilons = np.array([1.0, 0.25, 2.0**-8])
    parts = model("x*Abs(x)", 0.0, epsilons=epsilons).parts(parse_scheme("central-2"))
    assert parts.truncation.tolist() == epsilons.tolist()


def test_weights_that_the_dtype_has_not_leave_nothing_to_use():
    parts = model("exp(x)", 1.0, "float16", 4).parts(parse_scheme("central-8-d4"))
    assert not parts.usable.any()
    assert np.isnan(parts.error).all()


@pytest.mark.parametrize("name", ["complex-step-d2", "complex-step-45-d2", "complex-step"])
def test_schemes_off_the_line_have_theory_lines_too(name):
    scheme = parse_scheme(name)
    bench = model("exp(x)", 1.0, derivative=scheme.derivative)
    parts, lines = bench.parts(scheme), bench.lines(scheme, least=64.0)
    floor = 64 * 2.0**-53 * np.e
    assert (lines.rounding >= np.fmax(parts.rounding, floor)).all()
    np.testing.assert_array_equal(lines.truncation, np.abs(parts.truncation))
    assert scheme.cancels == (lines.rounding[-1] > 1e6 * floor)


def _modelled_complex_step(code, monkeypatch):
    monkeypatch.setattr("diffbench.functions.function.compile_in", lambda formula, evaluator, dtype: code)
    function = Function("f", "sin(x)", ["1"]).computed_by("torch")
    found = PointModel(Near(function, 1.0, "float64"), exact_derivative("sin(x)", 1.0, 1, digits=32), GRID)
    return found.parts(parse_scheme("complex-step"))


def test_complex_steps_are_as_inaccurate_as_what_computes_f(monkeypatch):
    parts = _modelled_complex_step(lambda x: np.sin(x) * (1 + 1e-6), monkeypatch)
    np.testing.assert_allclose(parts.evaluation, 1e-6 * np.cos(1), rtol=1e-6)


def test_what_computes_real_numbers_only_has_no_model_of_complex_steps(monkeypatch):
    def real_only(x):
        raise UnsupportedError("sin takes real numbers")

    assert not _modelled_complex_step(real_only, monkeypatch).usable.any()


# dtypes of more than 64 bits -----------------------------------------------------------------------------------------


def wide_model(formula, x, dtype, derivative=1, epsilons=("1/10",)):
    """Return the model at the number of the dtype next to x."""
    point, *steps = (round_exactly(Fraction(value), dtype) for value in (x, *epsilons))
    function = Function("f", formula, [point])
    reference = exact_derivative(formula, point, derivative, digits=300)
    return PointModel(Near(function, float(point), dtype, point), reference, np.array(steps, dtype=object))


@pytest.mark.parametrize("dtype", [LONGDOUBLE, "mp:40"])
@pytest.mark.parametrize("k", [Fraction(-4), Fraction(1), Fraction(1, 3)])
def test_wide_nodes_are_displaced_as_their_dtype_rounds(dtype, k):
    bench = wide_model("x", "1/3", dtype, epsilons=("1e-3", "1e-17"))
    x, found = bench.near.point, bench._nodes.displacement(Offset(k))
    for place, step in enumerate(map(bench._nodes.step, range(2))):
        node = round_exactly(x + round_exactly(k * step, dtype), dtype)
        assert found[place] == float(node - (x + k * step))
        assert 0 < abs(found[place]) <= unit_roundoff(dtype)


def test_wide_truncation_is_that_of_exact_arithmetic_beyond_the_series_too():
    """|x|³ has no series at 0, and at 1/2 none that reaches to 0."""
    scheme = parse_scheme("forward-1")
    epsilons = ("1", "1e-20", "1e-40")
    found = wide_model("Abs(x)**3 + x", "0", "mp:40", epsilons=epsilons).parts(scheme).truncation
    assert found == pytest.approx([1, 1e-40, 1e-80], rel=1e-12)
    bench = wide_model("1/(1 - x)", "1/2", "mp:40", epsilons=("3/8",))
    assert bench.parts(scheme).truncation == pytest.approx([(8 - 2) / 0.375 - 4], rel=1e-12)


def test_what_would_underflow_if_it_were_squared_is_there():
    """The errors of f are 1e-160 and less beside the root of x³."""
    bench = wide_model("x**3", "1e-20", "mp:100", epsilons=("1e-30",))
    parts = bench.parts(parse_scheme("forward-1"))
    assert 1e-133 < parts.evaluation[0] < 1e-128
    assert 1e-143 < parts.arithmetic[0] < 1e-138


@pytest.mark.parametrize("dtype", [LONGDOUBLE, "mp:30"])
@pytest.mark.parametrize("name", ["forward-1", "central-4", "complex-step", "richardson(central-2)"])
def test_wide_rounding_is_as_large_as_what_is_measured(dtype, name):
    scheme, points = parse_scheme(name), [Fraction(7, 10) + Fraction(j, 997) for j in range(3)]
    function = Function("f", "sin(10*x)", points)
    block = run(Spec(function, scheme, dtypes=dtype, rules=[])).blocks[0]
    ratios = []
    for p in range(3):
        parts = model_at(block, p, function).parts(scheme)
        ok = (block.status[0, p] == Status.OK) & (np.abs(parts.truncation) < 0.1 * parts.rounding)
        ratios.extend(np.abs(block.error[0, p][ok]) / parts.error[ok])
    assert len(ratios) >= 40
    assert 1 / 4 < np.median(ratios) < 4


@pytest.mark.parametrize("formula", ["besselj(0, x)", "zeta(x)", "erf(x)", "airyai(x)", "gamma(x)", "atan(x)"])
def test_complex_steps_in_multiple_precision_lose_what_mpmath_loses(formula):
    """It gives Im f no more digits than f in some functions, and all of them in others."""
    function = Function("f", formula, ["1.3"])
    results = run(Spec(function, "complex-step", "1:1e-20:2/decade", dtypes="mp:20", rules=[]))
    (case,) = cases(results, [function])
    assert abs(case.gap) < 1
    block = results.blocks[0]
    bench = model_at(block, 0, function)
    ends = bench.parts(parse_scheme("complex-step")).smooth_error[-1], measured_curve(block, 0, 0)[-1]
    predicted, measured = np.maximum(ends, unit_roundoff("mp:20") * abs(bench.derivative))
    assert abs(np.log10(predicted / measured)) < 1


# mixed partial derivatives -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_complex_steps_of_mixed_derivatives_are_as_accurate_as_the_model_says():
    """Re g(iε) is a difference of values as large as f, though g itself is 0 at the point."""
    gaps = []
    for formula, points in (
        ("x**2*y + sin(x*y)", [{"x": "1", "y": "2"}, {"x": "0.3", "y": "-1/3"}]),
        ("exp(x*y)/(1 + x**2)", [{"x": "-2", "y": "1.7"}]),
        ("log(x + y**2)*cos(x)", [{"x": "0.3", "y": "1.1"}]),
    ):
        function = Function("f", formula, points)
        dtypes = ["float32", "float64", "longdouble"]
        results = run(Spec(function, "complex-step-d2", "1:1e-10:3/decade", derivatives=2, dtypes=dtypes, rules=[]))
        gaps.extend(case.gap for case in cases(results, [function]) if case.x == 0)
    assert len(gaps) == 12
    assert np.quantile(np.abs(gaps), 0.9) < 1.5
