"""The level of noise from a difference table, and the epsilon that is best under it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbench import Function, OpaqueScheme, Spec, Stencil, noise_level, run
from diffbench.analysis import noise
from diffbench.analysis.noise import (
    epsilon_under_noise,
    noise_estimate,
    noise_figures,
    noise_rows,
    noise_table,
    stencil_of,
)
from diffbench.errors import EmptySelectionError, InputError
from diffbench.rounding import unit_roundoff
from diffbench.schemes.scheme import catalogue, parse_scheme

SCHEMES = ["forward-1", "forward-2", "central-2", "central-4", "richardson-3(central-2)"]


# the table ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", range(1, 7))
def test_estimates_of_every_order_are_unbiased(k):
    """The squares of the coefficients of a difference of order k sum to (2k)!/(k!)²."""
    squares = [noise_estimate(np.diff(unit, k), k) ** 2 for unit in np.eye(7)]
    assert sum(squares) == pytest.approx(1, rel=1e-14)


def values_of(*values):
    """Return a function whose table at 0 with spacing 1 has these values."""
    return lambda x: values[round(x) + 3] if abs(x) < 4 and x == round(x) else math.nan


def test_columns_that_change_sign_and_agree_are_the_noise():
    found = noise_level(values_of(100, 101, 100, 101, 100, 101, 100), 0, 1)
    assert (found.verdict, found.evaluations, found.spacing) == ("detected", 7, 1)
    assert found.table[1:3] == ((1, -1, 1, -1, 1, -1), (-2, 2, -2, 2, -2))
    assert found.estimates[:2] == (math.sqrt(1 / 2), math.sqrt(4 / 6))
    assert found.level == found.estimates[0]
    assert found.relative == found.level / 101


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((100, 100, 100, 100, 100, 101, 100), "too small"),
        ((100, 100, 100, 100, 101, 100, 101), "detected"),
        ((100, 110, 100, 110, 100, 111, 100), "detected"),
        ((100, 110, 100, 110, 100, 112, 100), "too large"),
        ((1000, 1001, 1004, 1009, 1016, 1025, 1036), "too large"),
        ((0, 0, 0, 0, 0, 0, 0), "too small"),
        ((1016, 1017, 1018, 1023, 1034, 1050, 1065), "detected"),
        ((998, 1008, 1015, 1022, 1030, 1039, 1050), "too large"),
    ],
    ids=["most-equal", "three-equal", "ten-per-cent", "first-digit", "parabola", "zero", "factor-3.8", "factor-4.2"],
)
def test_the_rules_of_the_paper(values, verdict):
    columns = [np.diff(np.array(values, dtype=float), k) for k in range(7)]
    estimates = [noise_estimate(column, k) for k, column in enumerate(columns[1:], 1)]
    found, _, level = noise._judged(columns, estimates)
    assert found == verdict
    assert (level in estimates) == (verdict == "detected")


def test_a_spacing_that_does_not_serve_is_changed_a_hundredfold():
    def rounded(x):
        return round(math.exp(x), 6)

    found = noise_level(rounded, 1, 1e-9)
    assert found.verdict == "detected"
    assert found.evaluations == 3 * 7
    assert found.spacing == pytest.approx(1e-5, rel=1e-6)
    assert found.level == pytest.approx(1e-6 / math.sqrt(12), rel=1)
    coarse = noise_level(rounded, 1, 10)
    assert (coarse.verdict, coarse.evaluations) == ("detected", 3 * 7)
    assert coarse.spacing == pytest.approx(1e-3, rel=1e-6)
    assert coarse.level == pytest.approx(1e-6 / math.sqrt(12), rel=1)


def test_what_has_no_noise_has_none_and_no_spacing_below_the_distance_of_the_doubles_is_tried():
    linear, constant = noise_level(lambda x: 2 * x, 1), noise_level(lambda x: 7.0, 1)
    assert (linear.level, linear.verdict, linear.spacing) == (None, "too large", 2.0**-51)
    assert (constant.level, constant.verdict, constant.evaluations) == (None, "too small", 35)


@pytest.mark.parametrize("formula", ["exp(x)", "sin(x)", "log(1 + x)", "sqrt(x)", "besselj(0, x)"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_is_found_where_nothing_else_is(formula, dtype):
    found = [noise_level(Function("f", formula, ["1"]), 1 + k / 20, dtype=dtype) for k in range(1, 20)]
    relative = [each.relative for each in found if each.verdict == "detected"]
    assert len(relative) >= 15
    assert 0.1 < np.median(relative) / unit_roundoff(dtype) < 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("formula", "x", "noise"),
    [
        ("exp(x)", "1", "relative 1e-3"),
        ("cos(x) + sin(x)", "0.03", "absolute 1e-3"),
        ("log(x)", "0.1", "relative 1e-4"),
    ],
)
def test_stated_noise_is_found(formula, x, noise, dtype):
    ratios = []
    for seed in range(100):
        function = Function("f", formula, [x], noise=f"{noise} seed {seed}")
        value = Function("f", formula, [x]).compile("float64")(np.array([float(Fraction(x))]))[0]
        found = noise_level(function, x, dtype=dtype)
        assert found.verdict == "detected"
        ratios.append(found.level / function.noise.deviation(value))
    assert 0.85 < np.median(ratios) < 1.15
    assert np.quantile(ratios, 0.05) > 0.3
    assert max(ratios) < 2.5


def test_more_values_give_a_better_estimate():
    def spread(values):
        functions = [Function("f", "exp(x)", ["1"], noise=f"relative 1e-6 seed {seed}") for seed in range(60)]
        return np.std([noise_level(function, 1, values=values).relative for function in functions])

    assert spread(25) < 0.7 * spread(7)


def test_outside_the_domain_the_spacing_is_too_large():
    log = Function("log", "log(x)", ["1"], domain="(0, oo)", noise="relative 1e-6")
    found = noise_level(log, "1e-9")
    assert (found.verdict, found.evaluations) == ("detected", 21)
    assert found.spacing < 1e-9 / 4
    assert noise_level(math.log, 1e-9).spacing < 1e-9
    assert noise_level(lambda x: math.inf, 1).reason == "f is not finite, or outside its domain"


def fail(x):
    raise RuntimeError("no\nvalue")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((math.exp, "one"), "^x: "),
        ((math.exp, 1, 0), "^spacing: "),
        ((math.exp, 1, "wide"), "^spacing: "),
        (("exp(x)", 1), "^f: 'exp"),
        ((fail, 1), "^f: at .* RuntimeError: no value$"),
        ((Function("f", "x", ["1"], evaluate=fail), 1), "^f: at .* RuntimeError: no value$"),
        ((Function("f", "x", ["1"], evaluate=lambda x: 1.0), 1), "^f: it answered no array"),
    ],
)
def test_mistakes_are_refused(arguments, says):
    with pytest.raises(InputError, match=says):
        noise_level(*arguments)
    for options in ({"values": 3}, {"values": 7.0}, {"dtype": "float128"}):
        with pytest.raises(InputError, match=f"^{next(iter(options))}: "):
            noise_level(math.exp, 1, **options)


# the best epsilon -----------------------------------------------------------------------------------------------------


@given(level=st.floats(1e-16, 1), second=st.floats(1e-6, 1e6))
def test_for_forward_1_it_is_the_one_of_more_and_wild(level, second):
    expected = 8**0.25 * math.sqrt(level / second)
    assert epsilon_under_noise(Stencil.forward(), level, second) == pytest.approx(expected, rel=1e-14)
    assert epsilon_under_noise(Stencil.forward(), level, -second) == epsilon_under_noise(
        Stencil.forward(), level, second
    )


def test_the_bounds_of_textbooks():
    assert epsilon_under_noise(Stencil.forward(), 1e-8, 2.0, "bound") == pytest.approx(2 * math.sqrt(1e-8 / 2))
    assert epsilon_under_noise(Stencil.central(), 1e-8, 2.0, "bound") == pytest.approx((3 * 1e-8 / 2) ** (1 / 3))
    assert epsilon_under_noise(Stencil.central(2), 1e-8, 2.0, "bound") == pytest.approx((48 * 1e-8 / 2) ** (1 / 4))


@given(
    scheme=st.sampled_from([s for m in (1, 2, 3, 4) for s in catalogue(m) if stencil_of(s)]),
    level=st.floats(1e-12, 1),
    value=st.floats(1e-3, 1e3),
    away=st.floats(1.01, 3),
    criterion=st.sampled_from(["mean", "bound"]),
)
def test_it_minimises_the_error_of_the_model(scheme, level, value, away, criterion):
    stencil = stencil_of(scheme)
    weights = [float(weight) for weight in stencil.weights]

    def error(epsilon):
        truncation = abs(float(stencil.error_constant)) * value * epsilon**stencil.order
        amplified = math.hypot(*weights) if criterion == "mean" else math.fsum(map(abs, weights))
        noise = level * amplified / epsilon**stencil.derivative
        return math.hypot(truncation, noise) if criterion == "mean" else truncation + noise

    best = epsilon_under_noise(scheme, level, value, criterion)
    assert error(best) < error(best * away)
    assert error(best) < error(best / away)


def test_mean_is_the_criterion_of_independent_noise():
    """Over many draws the mean squared error of central-2 is least at the predicted epsilon."""
    level, x = 1e-3, 1.0
    grid = np.geomspace(0.02, 1, 35)
    noise = np.random.default_rng(1).normal(0, level, (4000, 2, 1))
    estimates = (np.exp(x + grid) - np.exp(x - grid) + noise[:, 0] - noise[:, 1]) / (2 * grid)
    squares = np.mean((estimates - math.e) ** 2, axis=0)
    predicted = epsilon_under_noise(Stencil.central(), level, math.e)
    assert abs(math.log(grid[np.argmin(squares)] / predicted)) < 0.15


def test_without_a_truncation_error_any_epsilon_is_too_small():
    assert epsilon_under_noise(Stencil.forward(), 1e-6, 0.0) == math.inf
    assert epsilon_under_noise(Stencil.forward(), 0.0, 1.0) == 0


def test_an_extrapolated_scheme_amounts_to_its_stencil():
    assert stencil_of(parse_scheme("richardson(central-2)")) == Stencil.central(order=4)
    assert stencil_of(parse_scheme("complex-step")) is None
    assert stencil_of(OpaqueScheme("mine", lambda f, x, e: 0.0)) is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((parse_scheme("complex-step"), 1e-6, 1.0), "scheme: complex-step amounts to no stencil"),
        ((Stencil.fit([0], 0), 1e-6, 1.0), "scheme: "),
        ((Stencil.forward(), -1.0, 1.0), "level: "),
        ((Stencil.forward(), math.nan, 1.0), "level: "),
        ((Stencil.forward(), 1.0, math.inf), "derivative_value: "),
        ((Stencil.forward(), "loud", 1.0), "level: "),
        (("forward-1", 1.0, 1.0), "scheme: "),
        ((Stencil.forward(), 1.0, 1.0, "worst"), "criterion: 'worst'"),
    ],
)
def test_what_has_no_best_epsilon_is_refused(arguments, says):
    with pytest.raises(InputError, match=says):
        epsilon_under_noise(*arguments)


# predicted and measured -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows():
    return noise_rows(run(Spec(["noisy", "exp"], [*SCHEMES, "complex-step"])))


def test_over_the_noisy_suite_the_predicted_epsilon_is_as_good_as_the_measured(rows):
    figures = noise_figures(rows)
    assert (figures.curves, figures.share_detected) == (10 * 4 * len(SCHEMES), 1.0)
    # The sixth-order scheme is exact on the polynomial of degree 5.
    assert figures.predicted == figures.curves - 4
    assert figures.share_flat >= 0.97
    assert figures.decades_apart <= 0.25
    assert figures.digits_lost <= 0.1
    assert 0.8 < figures.level_ratio < 1.25
    assert figures.least_ratio > 0.3
    assert figures.largest_ratio < 2


def test_noise_moves_the_optimal_epsilon(rows):
    plain = run(Spec({"name": "exp", "formula": "exp(x)", "points": ["1"]}, SCHEMES)).curves[0].optimal_epsilon[:, 0]
    noisy = [row for row in rows if row["function"] == "noisy-exp" and row["point"] == 2]
    assert [row["scheme"] for row in noisy] == SCHEMES
    for row, before in zip(noisy, plain, strict=True):
        assert row["measured_epsilon"] >= 10 * before
        assert row["predicted_epsilon"] >= 10 * before


def test_second_derivatives_and_float32_too():
    spec = Spec("noisy", ["forward-1-d2", "central-4-d2"], dtypes=["float32", "float64"], derivatives=[2])
    figures = noise_figures([row for row in noise_rows(run(spec)) if row["function"] != "noisy-bessel"])
    assert figures.share_flat >= 0.95
    assert figures.decades_apart <= 0.3


def test_the_table_names_what_is_known_and_leaves_out_the_rest(rows):
    opaque = OpaqueScheme("mine", lambda f, x, e: 0.0)
    own = Function("own", "exp(x)", ["1"], evaluate=np.exp, noise="relative 1e-6")
    parabola = Function("parabola", "x**2 + 1", ["1"], noise="relative 1e-6")
    frame = noise_table(run(Spec([own, parabola, "exp"], [opaque, "central-2", "forward-1"])))
    assert frame["scheme"].tolist() == ["central-2", "forward-1"]
    assert set(frame["function"]) == {"parabola"}
    assert frame["predicted_epsilon"].isna().tolist() == [True, False]
    assert set(rows[0]) == set(frame.columns)


def test_without_a_grid_or_noise_there_is_nothing_to_show():
    assert noise_rows(run(Spec("lab"))) == []
    with pytest.raises(InputError, match="rows: "):
        noise_figures([])


def test_without_cells_the_table_says_so():
    with pytest.raises(EmptySelectionError, match="summaries only"):
        noise_table(run(Spec("noisy", ["forward-1"]), keep="summary"))
