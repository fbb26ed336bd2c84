"""Optimal epsilon, flat region and ranking, on curves made by hand."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbench import Function, OpaqueScheme, Spec, run, summarize
from diffbench.analysis.summary import RANKING_CRITERION, rank, ranking_rows, summary_columns
from diffbench.sweep.curves import FLAT_FACTOR, NEIGHBOURS, curves_of, running_median
from diffbench.sweep.results import STATUSES, Results, Status

NAN = math.nan


def naive_median(curve):
    """Return the running median by the definition, one window after the other."""
    known = [value for value in curve if not math.isnan(value)]
    median = []
    for i, value in enumerate(curve):
        window = sorted(v for v in curve[max(0, i - 2) : i + 3] if not math.isnan(v))
        if math.isnan(value) or len(window) < min(3, len(known)):
            median.append(NAN)
        else:
            median.append((window[(len(window) - 1) // 2] + window[len(window) // 2]) / 2)
    return median


def curve_block(curves, *, references=None, status=None, function="line", scheme=None):
    """Return a block of one point whose schemes have these errors along epsilon = 1, 0.1, 0.01, …"""
    names = scheme or [f"s{i}" for i in range(len(curves))]
    epsilons = [f"1e-{k}" for k in range(len(curves[0]))]
    schemes = [
        OpaqueScheme(name, lambda f, x, e, curve=curve: 1.0 + curve[round(-math.log10(e))])
        for name, curve in zip(names, curves, strict=True)
    ]
    spec = Spec(Function(function, "x", ["2"]), schemes, epsilons, rules=[])
    (block,) = run(spec).blocks
    if status is not None:
        block = replace(block, status=np.array(status, dtype=np.uint8).reshape(block.status.shape))
    return block


def results_of(*blocks):
    keys = tuple(block.key for block in blocks)
    return Results("", blocks, [curves_of(block) for block in blocks], keys, {}, lambda: iter(()))


# running median -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "curve",
    [
        [5.0, 4.0, 3.0, 2.0, 1.0, 2.0, 3.0],
        [1.0],
        [1.0, 2.0],
        [3.0, 1.0, 2.0],
        [NAN, NAN, 1.0, NAN, NAN, 2.0, 3.0],
        [NAN, 1.0, NAN, NAN, NAN, NAN, 2.0],
        [NAN] * 6,
        [1.0, NAN, 2.0, NAN, 3.0, NAN, 4.0, NAN],
        [0.0, 0.0, 1.0, 0.0, 0.0, 9.0],
        [1e308, 1.5e308, 1.7e308, 1.6e308],
    ],
)
def test_running_median_against_the_definition(curve):
    expected = naive_median([value / 4 for value in curve])
    np.testing.assert_array_equal(running_median(np.array(curve)) / 4, expected)


@given(st.lists(st.one_of(st.just(NAN), st.integers(0, 20).map(float)), min_size=1, max_size=15))
def test_running_median_against_the_definition_on_random_curves(curve):
    np.testing.assert_array_equal(running_median(np.array(curve)), naive_median(curve))


def test_running_median_treats_every_curve_alone():
    curves = np.random.default_rng(5).random((3, 4, 11))
    together = running_median(curves)
    assert together.shape == curves.shape
    for place in np.ndindex(3, 4):
        np.testing.assert_array_equal(together[place], naive_median(list(curves[place])))


def test_five_neighbours_and_a_factor_of_ten():
    assert (NEIGHBOURS, FLAT_FACTOR) == (5, 10.0)


# optimum --------------------------------------------------------------------------------------------------------------


def test_the_optimum_is_the_least_running_median_and_not_the_luckiest_cell():
    lucky = [1.0, 0.5, 0.0, 0.5, 0.25, 0.125, 0.125, 0.25, 0.25, 1.0]
    curves = curves_of(curve_block([lucky]))
    smooth = naive_median(lucky)
    assert min(range(10), key=lambda i: (smooth[i], i)) != lucky.index(0.0)
    best = smooth.index(min(smooth))
    assert curves.optimal_epsilon[0, 0] == pytest.approx(10.0**-best)
    assert curves.oracle_error[0, 0] == smooth[best]
    assert curves.oracle_digits[0, 0] == pytest.approx(-math.log10(smooth[best]))


def test_of_equal_optima_the_largest_epsilon_is_taken():
    curve = [4.0, 4.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 1.0]
    smooth = naive_median(curve)
    assert smooth.count(min(smooth)) > 1
    curves = curves_of(curve_block([curve]))
    assert curves.oracle_error[0, 0] == 0.5
    assert curves.optimal_epsilon[0, 0] == pytest.approx(10.0 ** -smooth.index(0.5))


def test_the_sign_of_the_error_does_not_matter():
    plus = curves_of(curve_block([[0.5, 0.25, 0.125, 0.25, 0.5]]))
    minus = curves_of(curve_block([[-0.5, -0.25, 0.125, -0.25, 0.5]]))
    assert plus.oracle_error == minus.oracle_error
    assert plus.optimal_epsilon == minus.optimal_epsilon


def test_the_flat_region_holds_what_is_within_a_factor_of_ten():
    # Five equal values make the medians of windows equal to them; then two steps up beyond the factor.
    curve = [64.0, 64.0, 64.0, 8.0, 8.0, 8.0, 8.0, 8.0, 1.0, 1.0, 1.0, 1.0, 1.0, 64.0, 64.0, 64.0]
    block = curve_block([curve])
    smooth = naive_median(curve)
    flat = [i for i, value in enumerate(smooth) if value <= 10 * min(smooth)]
    assert curves_of(block).flat_decades[0, 0] == pytest.approx(flat[-1] - flat[0])
    assert flat[0] > 0


def test_a_factor_of_just_more_than_ten_is_not_flat():
    inside = curve_block([[10.0] * 5 + [1.0] * 5])
    outside = curve_block([[10.5] * 5 + [1.0] * 5])
    assert curves_of(inside).flat_decades[0, 0] == pytest.approx(9)
    assert curves_of(outside).flat_decades[0, 0] < 8


def test_only_ok_cells_count():
    statuses = [Status.OK, Status.COLLAPSED, Status.DOMAIN, Status.OK, Status.OK, Status.OK, Status.FAILED]
    errors = [1.0, 0.0, 0.0, 0.5, 0.25, 0.5, 0.0]
    curves = curves_of(curve_block([errors], status=statuses))
    smooth = naive_median([e if s == Status.OK else NAN for e, s in zip(errors, statuses, strict=True)])
    assert curves.oracle_error[0, 0] == np.nanmin(smooth)
    assert curves.optimal_epsilon[0, 0] == pytest.approx(10.0 ** -int(np.nanargmin(smooth)))


@pytest.mark.parametrize("status", [status for status in STATUSES if status != Status.OK])
def test_a_curve_without_ok_cells_has_no_optimum(status):
    curves = curves_of(curve_block([[0.5, 0.25, 0.5]], status=[status] * 3))
    assert all(np.isnan(values).all() for values in (curves.optimal_epsilon, curves.oracle_digits, curves.flat_decades))


def test_rule_cells_are_no_part_of_the_curve():
    function = Function("f", "sin(x)", ["1"])
    with_rule, without = (run(Spec(function, ["forward-1"], "1e-1:1e-3", rules=rules)) for rules in (["usual"], []))
    one, other = (curves_of(results.blocks[0]) for results in (with_rule, without))
    assert one.optimal_epsilon == other.optimal_epsilon
    assert one.oracle_error == other.oracle_error
    assert with_rule.blocks[0].digits[0, 0, -1] > one.oracle_digits[0, 0] + 2


# summary --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swept():
    return run(Spec(["exp", "abs", "sqrt", "cubic"], ["forward-1", "central-4", "complex-step"]))


def test_a_row_for_each_function_and_scheme(swept):
    frame = summarize(swept)
    assert not frame[["function", "derivative", "dtype", "scheme"]].duplicated().any()
    assert len(frame) == 4 * 3


def test_cells_by_status_add_up(swept):
    frame = summarize(swept)
    labels = [status.label for status in STATUSES]
    assert (frame[labels].sum(axis=1) == frame["planned"]).all()
    assert frame[labels].sum().to_dict() == swept.counts
    cells = swept.to_frame().groupby(["function", "scheme"]).size()
    assert all(row.planned == cells[row.function, row.scheme] for row in frame.itertuples())


def test_median_and_worst_are_over_the_points_with_a_derivative(swept):
    frame = summarize(swept).set_index(["function", "scheme"])
    for block in swept.blocks:
        curves = curves_of(block)
        for s, scheme in enumerate(block.schemes):
            digits = curves.oracle_digits[s][~np.isnan(curves.oracle_digits[s])]
            row = frame.loc[block.function, scheme]
            if digits.size:
                assert row["optimal_digits"] == np.median(digits)
                assert row["optimal_digits_worst"] == digits.min()
            else:
                assert row[["optimal_digits", "optimal_digits_worst"]].isna().all()


def test_usual_digits_are_those_of_the_rules_cells(swept):
    frame = summarize(swept).set_index(["function", "scheme"])
    cells = swept.to_frame()
    usual = cells[cells["rule"] == "usual"].groupby(["function", "scheme"])["digits"]
    for place, digits in usual:
        known = digits.dropna()
        if len(known):
            assert frame.loc[place, "usual_digits"] == np.median(known.to_numpy(float))
            assert frame.loc[place, "usual_digits_worst"] == known.min()


def test_the_optimal_epsilon_is_one_of_the_points(swept):
    frame = summarize(swept).set_index(["function", "scheme"])
    block = swept.block("exp")
    for s, scheme in enumerate(block.schemes):
        assert frame.loc[("exp", scheme), "optimal_epsilon"] in curves_of(block).optimal_epsilon[s]


def test_the_summary_has_null_and_no_nan(swept):
    for values in summary_columns(swept.curves).values():
        assert not any(isinstance(value, float) and not math.isfinite(value) for value in values)
    frame = summarize(swept)
    assert frame.loc[(frame["function"] == "abs") & (frame["scheme"] == "complex-step"), "optimal_digits"].isna().all()


def test_nothing_to_summarise_is_an_empty_frame():
    assert len(summarize(results_of())) == 0


# ranking --------------------------------------------------------------------------------------------------------------


def flat_curve(digits):
    return [10.0**-digits] * 6


def ranked(*blocks):
    return [row["scheme"] for row in ranking_rows(map(curves_of, blocks))]


def test_more_digits_come_first():
    block = curve_block([flat_curve(3), flat_curve(9), flat_curve(6)], scheme=["poor", "good", "fair"])
    rows = ranking_rows([curves_of(block)])
    assert [(row["rank"], row["scheme"]) for row in rows] == [(1, "good"), (2, "fair"), (3, "poor")]
    assert [row["optimal_digits"] for row in rows] == pytest.approx([9, 6, 3], abs=1e-3)


def test_the_ranking_goes_by_the_median_over_functions():
    names = ["steady", "moody"]
    blocks = [
        curve_block([flat_curve(steady), flat_curve(moody)], scheme=names, function=f"f{i}")
        for i, (steady, moody) in enumerate([(5, 9), (5, 1), (5, 2)])
    ]
    rows = ranking_rows(map(curves_of, blocks))
    assert [row["scheme"] for row in rows] == ["steady", "moody"]
    assert rows[1]["optimal_digits"] == pytest.approx(2, abs=1e-3)
    assert rows[1]["optimal_digits_worst"] == pytest.approx(1, abs=1e-3)


def test_a_function_without_any_ok_cell_counts_as_no_digits():
    names = ["able", "unable"]
    good = curve_block([flat_curve(5), flat_curve(8)], scheme=names, function="easy")
    hidden = [Status.OK] * 6 + [Status.UNSUPPORTED] * 6
    hard = curve_block([flat_curve(5), flat_curve(8)], scheme=names, function="hard", status=hidden)
    rows = ranking_rows([curves_of(good), curves_of(hard)])
    assert [row["scheme"] for row in rows] == names
    assert rows[1]["optimal_digits"] == pytest.approx(4, abs=1e-3)
    assert rows[1]["optimal_digits_worst"] == 0
    assert rows[1]["not_ok"] == 6


def test_of_equal_digits_fewer_evaluations_come_first_then_the_name():
    spec = Spec(
        Function("f", "x", ["2"]),
        [
            OpaqueScheme("a-dear", lambda f, x, e: 1.5 + 0 * (f(x) + f(x) + f(x))),
            OpaqueScheme("b", lambda f, x, e: 1.5 + 0 * f(x)),
            OpaqueScheme("a", lambda f, x, e: 1.5 + 0 * f(x)),
        ],
        "1:1e-5:1/decade",
    )
    assert ranked(*run(spec).blocks) == ["a", "b", "a-dear"]


def test_each_derivative_and_dtype_has_a_ranking_of_its_own():
    results = run(Spec("exp", ["forward-1", "central-4"], derivatives=[1, 2], dtypes=["float32", "float64"]))
    frame = rank(results)
    assert len(frame) == 8
    for _, group in frame.groupby(["derivative", "dtype"]):
        assert list(group["rank"]) == [1, 2]


def test_the_ranking_does_not_depend_on_the_order_of_schemes_or_functions(swept):
    rows = ranking_rows(swept.curves)
    assert ranking_rows(swept.curves[::-1]) == rows
    again = run(Spec(["cubic", "sqrt", "abs", "exp"], ["complex-step", "central-4", "forward-1"]))
    assert ranking_rows(again.curves) == rows


def test_the_criterion_says_what_is_ranked():
    assert "digits at the optimal epsilon" in RANKING_CRITERION
    assert "median over functions" in RANKING_CRITERION
    assert "0 digits" in RANKING_CRITERION


def test_the_catalogue_ranks_as_theory_says():
    rows = ranking_rows(run(Spec(["exp", "sin", "log", "atan"])).curves)
    digits = {row["scheme"]: row["optimal_digits"] for row in rows}
    assert rows[0]["scheme"] == "complex-step"
    for family in ("forward-{}", "central-{}"):
        orders = (1, 2, 3, 4) if "forward" in family else (2, 4, 6, 8)
        ladder = [digits[family.format(order)] for order in orders]
        # To 0.1 digits: where two orders are nearly as good, the libm decides which one is.
        assert all(lower < higher + 0.1 for lower, higher in pairwise(ladder))
    # u^(p/(p+1)): 8 digits for order 1, 10.6 for order 2, each within one.
    assert digits["forward-1"] == pytest.approx(8, abs=1)
    assert digits["central-2"] == pytest.approx(10.6, abs=1)


def test_a_scheme_without_epsilon_ranks_by_its_only_cells():
    oracle = OpaqueScheme("oracle", lambda f, x: float(np.exp(x)), takes_epsilon=False)
    rows = ranking_rows(run(Spec("exp", ["forward-1", oracle])).curves)
    assert rows[0]["scheme"] == "oracle"
    assert rows[0]["usual_digits"] is None


def test_the_middle_of_two_epsilons_is_the_smaller():
    results = run(Spec(Function("f", "exp(x)", ["0", "20"]), ["central-2"]))
    chosen = curves_of(results.blocks[0]).optimal_epsilon[0]
    assert chosen[0] != chosen[1]
    assert summary_columns(results.curves)["optimal_epsilon"] == [chosen.min()]
