"""Brittle optima and steady ones, on curves made to measure and on measured ones."""

import math

import numpy as np
import pytest

from diffbench import Function, OpaqueScheme, Spec, run
from diffbench.analysis.robustness import BRITTLE, brittleness, curve_rows, robustness, robustness_rows
from diffbench.errors import EmptySelectionError


def block_of(*curves, reference=1):
    """Return results whose curves have given digits at ε = 10^-1, 10^-2, …, one at each point; None fails."""

    def call(f, x, epsilon):
        digits = curves[round(float(x)) - 1][round(-math.log10(epsilon)) - 1]
        if digits is None:
            raise ZeroDivisionError("no")
        return reference + 10.0**-digits

    points = range(1, len(curves) + 1)
    epsilons = f"1e-1:1e-{len(curves[0])}:1/decade"
    return run(Spec(Function("f", f"{reference}*x", points), [OpaqueScheme("made", call)], epsilons, rules=[]))


def only(results):
    (row,) = curve_rows(results)
    return row


def test_a_steady_optimum():
    row = only(block_of([1, 3, 5.5, 6, 6, 6, 5, 4, 3]))
    assert row["optimal_epsilon"] == 1e-4
    assert row["digits"] == pytest.approx(6)
    assert (row["luck"], row["digits_lost"]) == (pytest.approx(0, abs=1e-9), pytest.approx(0.5))
    assert row["spread"] == pytest.approx(3)
    assert row["verdict"] == "steady"


def test_one_neighbour_that_costs_more_than_a_digit_makes_an_optimum_brittle():
    row = only(block_of([1, 2, 3, 4.9, 5, 3.8, 5.1, 4.8, 2, 1]))
    assert row["optimal_epsilon"] == 1e-5
    assert row["digits"] == pytest.approx(4.9)
    assert row["digits_lost"] == pytest.approx(1.1)
    assert row["luck"] == pytest.approx(0.2)
    assert row["spread"] == pytest.approx(2.1)
    assert row["verdict"] == "brittle"
    assert only(block_of([1, 2, 3, 4.9, 5, 4, 5.1, 4.8, 2, 1]))["verdict"] == "steady"


def test_an_optimum_whose_own_cell_is_bad_is_brittle():
    """At the end of the grid the running median sees one side only."""
    row = only(block_of([2, 5, 5, 5, 3, 2, 1]))
    assert (row["optimal_epsilon"], row["digits_lost"]) == (0.1, pytest.approx(3))
    assert row["verdict"] == "brittle"


def test_a_neighbour_two_away_is_in_the_spread_but_costs_nothing():
    row = only(block_of([0, 1, 2, 5, 5.3, 5.2, 5.1, 2, 1]))
    assert row["optimal_epsilon"] == 1e-5
    assert row["digits_lost"] == pytest.approx(0.1)
    assert row["spread"] == pytest.approx(3.3)


def test_a_neighbour_that_is_not_ok_costs_all_digits():
    row = only(block_of([None, 5, 6, 6, 5, 0, 0]))
    assert row["optimal_epsilon"] == 1e-2
    assert row["digits_lost"] == pytest.approx(row["digits"])
    assert row["verdict"] == "brittle"


def test_beyond_the_end_of_the_grid_there_is_no_neighbour():
    row = only(block_of([6, 6, 6, 4, 2, 1, 0]))
    assert row["optimal_epsilon"] == 0.1
    assert row["verdict"] == "steady"
    assert row["digits_lost"] == pytest.approx(0, abs=1e-9)


def test_where_nothing_is_known_nothing_is_said():
    nothing = only(block_of([None, None, None]))
    zero = only(run(Spec(Function("f", "x**2", ["0"]), ["forward-1"], rules=[])))
    for row in (nothing, zero):
        assert [row[name] for name in ("digits", "luck", "spread", "digits_lost", "verdict")] == [None] * 5


def test_a_function_is_judged_by_the_median_over_its_points():
    steady, brittle = [3, 4.2, 5, 5, 5, 4.5, 3], [0, 0, 8, 8, 3, 8, 0]
    for curves, verdict in (([steady, steady, brittle], "steady"), ([steady, brittle, brittle], "brittle")):
        (row,) = robustness_rows(block_of(*curves))
        assert (row["points"], row["brittle_points"]) == (3, curves.count(brittle))
        assert row["verdict"] == verdict
        assert row["range_over_points"] == pytest.approx(3, abs=1e-6)
        assert row["digits_lost_worst"] > BRITTLE


def test_the_optimal_epsilon_wanders_by_so_many_decades():
    (row,) = robustness_rows(block_of([0, 0, 0, 5, 5, 5, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 5, 5, 5, 0, 0]))
    assert row["epsilon_decades_over_points"] == pytest.approx(3)
    assert row["range_over_points"] == pytest.approx(0, abs=1e-9)


@pytest.fixture(scope="module")
def standard():
    return run(Spec("standard", ["forward-1", "central-2", "central-8", "complex-step"]))


def test_columns_agree_with_the_curves_of_the_run(standard):
    for curves in standard.curves:
        found = brittleness(standard.block(*curves.key))
        known = ~np.isnan(curves.oracle_digits)
        np.testing.assert_array_equal(found.digits, curves.oracle_digits)
        np.testing.assert_array_equal(found.optimal_epsilon[known], curves.optimal_epsilon[known])
        assert (found.luck[known] >= 0).all()
        assert (found.spread[known] >= 0).all()
        # The optimum is one of the cells of its neighbourhood, so no neighbour is worse than the spread below the best.
        assert (found.digits_lost[known] <= found.spread[known] + found.luck[known]).all()


def test_high_orders_have_steep_sides_and_the_complex_step_has_none(standard):
    frame = robustness(standard)
    median = frame.groupby("scheme")["digits_lost"].median()
    assert median["forward-1"] < 0.5
    assert median["complex-step"] < 0.6  # it is all rounding of f, which another libm may change
    brittle = frame[frame["verdict"] == "brittle"].groupby("scheme").size()
    assert brittle["central-8"] > 3 * brittle.get("forward-1", 0)
    assert set(frame["verdict"].dropna()) == {"brittle", "steady"}


def test_schemes_without_epsilon_have_no_neighbours():
    alone = OpaqueScheme("alone", lambda f, x: 1.0, takes_epsilon=False)
    frame = robustness(run(Spec(Function("f", "x", ["1", "2"]), ["forward-1", alone])))
    assert frame["scheme"].tolist() == ["forward-1"]


def test_without_cells_it_says_so():
    with pytest.raises(EmptySelectionError, match="summaries only"):
        robustness(run(Spec("lab"), keep="summary"))
