"""The numbers behind the headline figures, on tables that can be worked out by hand and on small runs."""

import numpy as np
import pytest

from diffbench import Function, Spec, run
from diffbench.analysis.scheme_profiles import (
    FACTORS,
    MAX_CLASSES,
    MAX_PLACES,
    Work,
    digits_along,
    digits_by_class,
    ordinals,
    pareto_fronts,
    pools,
    profile,
    window_of,
    work_and_digits,
)
from diffbench.analysis.summary import rank, summarize

NAN = np.nan


@pytest.fixture(scope="module")
def swept():
    square = Function("square", "x**2", ["0", "1"], tags=("polynomial",))
    return run(Spec(["exp", "sin", "abs", "sqrt", square], ["forward-1", "central-2", "complex-step"]))


@pytest.fixture(scope="module")
def pool(swept):
    (pool,) = pools(swept.curves)
    return pool


def at(factor):
    return int(np.argmin(np.abs(np.log10(FACTORS / factor))))


def test_a_profile_is_the_share_within_a_factor_of_the_best():
    digits = np.array([[10.0, 8.0, NAN, NAN], [8.0, 8.0, 5.0, NAN]])
    share = profile(digits)
    assert share[:, at(1)].tolist() == [0.5, 0.5]
    assert share[:, at(10)].tolist() == [0.5, 0.5]
    assert share[:, at(100)].tolist() == [0.5, 0.75]
    assert share[:, -1].tolist() == [0.5, 0.75], "who has no answer is within no factor, and nobody is on the last"


def test_profiles_rise_and_somebody_is_best_on_every_problem_that_anybody_solves():
    rng = np.random.default_rng(1)
    digits = rng.uniform(0, 16, (6, 40))
    share = profile(digits)
    assert (np.diff(share, axis=1) >= 0).all()
    assert share[:, 0].sum() >= 1 - 1e-12
    assert (share[:, -1] == 1).all()


def test_a_profile_of_no_problem_is_0():
    assert profile(np.empty((2, 0))).tolist() == np.zeros((2, FACTORS.size)).tolist()


def test_pools_hold_what_could_be_judged(swept, pool):
    frame = swept.references()
    settled = frame[frame["verdict"].isin(["certified", "agreed"])]
    assert pool.unsettled == len(frame) - len(settled) == 1
    assert pool.zero == (settled["hi"] == 0).sum() == 1
    assert pool.x.size == pool.optimal.shape[1] == len(frame) - pool.unsettled - pool.zero
    assert pool.usual.shape == pool.optimal.shape == (3, pool.x.size)


def test_pools_hold_the_digits_of_the_tidy_table(swept, pool):
    frame = swept.to_frame()
    own = frame[(frame["function"] == "exp") & (frame["rule"] == "usual") & (frame["scheme"] == "central-2")]
    assert pool.usual[1, : len(own)].tolist() == own["digits"].tolist()


def test_a_scheme_that_cannot_treat_a_function_has_no_digits_there(pool):
    functions = np.concatenate([[part.function] * len(part.x) for part in pool.curves])
    x = np.concatenate([part.x for part in pool.curves])
    judged = np.isin(x, pool.x) & (functions == "abs") & (x != 0)
    assert judged.any()
    assert np.isnan(pool.optimal[2]).sum() == judged.sum()
    assert not np.isnan(pool.optimal[:2]).any()


def test_every_derivative_and_dtype_has_a_pool():
    found = pools(run(Spec(["exp"], ["central-2"], derivatives=[1, 2], dtypes=["float32", "float64"])).curves)
    assert {(pool.derivative, pool.dtype) for pool in found} == {(m, d) for m in (1, 2) for d in ("float32", "float64")}


def test_without_the_usual_rule_there_is_no_usual_epsilon():
    (pool,) = pools(run(Spec(["exp"], ["central-2"], rules=["fixed(1e-6)"])).curves)
    assert pool.usual is None


def test_work_and_digits_are_those_of_the_ranking(swept, pool):
    ranking = rank(swept)
    works = work_and_digits(pool)
    assert [work.scheme for work in works] == ranking["scheme"].tolist()
    assert [work.optimal for work in works] == ranking["optimal_digits"].tolist()
    assert [work.evaluations for work in works] == ranking["evaluations"].tolist()


def test_the_front_holds_what_no_other_matches_for_less():
    works = [Work("a", 2, 8.0, None), Work("b", 2, 7.0, 9.0), Work("c", 4, 8.0, None), Work("d", 5, 9.0, None)]
    assert [[work.scheme for work in front] for front in pareto_fronts(works)] == [["a", "d"]]


def test_after_a_front_of_one_comes_the_front_of_the_others():
    works = [Work("a", 1, 16.0, None), Work("b", 2, 7.0, None), Work("c", 3, 8.0, None), Work("d", 3, None, None)]
    assert [[work.scheme for work in front] for front in pareto_fronts(works)] == [["a"], ["b", "c"]]
    assert pareto_fronts([Work("d", 3, None, None)]) == []


def test_digits_by_class_are_medians_over_functions(swept, pool):
    found = digits_by_class(pool)
    assert found.what == "class"
    assert dict(zip(found.names, found.sizes, strict=True))["kinked"] == 1
    frame = summarize(swept).set_index(["function", "scheme"])["optimal_digits"]
    row = found.names.index("exponential")
    assert found.optimal[row].tolist() == [frame["exp", scheme] for scheme in pool.schemes]
    kinked = found.optimal[found.names.index("kinked")]
    assert kinked[2] == 0, "no answer counts as 0 digits"
    assert not np.isnan(kinked[:2]).any()


def test_classes_are_sorted_from_easy_to_hard(pool):
    middles = np.median(digits_by_class(pool).optimal, axis=1)
    assert (np.diff(middles) <= 0).all()


def test_functions_of_one_class_are_shown_each():
    (pool,) = pools(run(Spec([Function("f", "x**2", ["3"]), Function("g", "sin(x)", ["1"])], ["forward-1"])).curves)
    found = digits_by_class(pool)
    assert (found.what, set(found.names), found.sizes) == ("function", {"f", "g"}, (1, 1))


def test_of_very_many_classes_those_of_the_fewest_functions_are_left_out():
    functions = [Function(f"f{i}", f"x**2 + {i}", ["3"], tags=(f"t{i}",)) for i in range(MAX_CLASSES + 2)]
    functions.append(Function("last", "sin(x)", ["1"], tags=(f"t{MAX_CLASSES + 1}",)))
    (pool,) = pools(run(Spec(functions, ["forward-1"], "1e-1:1e-3")).curves)
    found = digits_by_class(pool)
    assert (len(found.names), found.left_out) == (MAX_CLASSES, 2)
    assert f"t{MAX_CLASSES + 1}" in found.names


def test_where_nobody_has_an_answer_there_are_no_classes():
    (pool,) = pools(run(Spec([Function("f", "Abs(x)", ["0"])], ["forward-1"])).curves)
    found = digits_by_class(pool)
    assert (found.names, found.optimal.shape, pool.unsettled, pool.x.size) == ((), (0, 1), 1, 0)


def test_digits_along_x_are_medians_of_a_window():
    x = np.arange(9.0)[::-1]
    digits = np.array([x, np.full(9, NAN)])
    places, along = digits_along(x, digits)
    assert places.tolist() == sorted(x.tolist())
    assert window_of(9) == 5
    assert along[0, 4] == 4
    assert along[0, 0] == 1, "at the ends a window is cut off"
    assert (along[1] == 0).all()


def test_all_problems_at_an_x_count_there():
    x = np.array([1.0] * 7 + [2.0])
    places, along = digits_along(x, np.array([[3.0, 3, 3, 3, 9, 9, 9, 0]]))
    assert (places.tolist(), along[0, 0]) == ([1.0, 2.0], 3.0)


def test_many_x_are_thinned_and_keep_their_ends():
    x = np.arange(1000.0)
    places, along = digits_along(x, x[None])
    assert (places.size, places[0], places[-1]) == (MAX_PLACES, 0, 999)
    middle = slice(10, -10)
    assert np.abs(along[0, middle] - places[middle]).max() <= 1


def test_ordinals_count_the_floating_point_numbers():
    x = np.array([-np.inf, -1.0, -5e-324, -0.0, 0.0, 5e-324, 1.0, np.nextafter(1, 2), np.inf])
    found = ordinals(x)
    assert (np.diff(found) >= 0).all()
    assert found[2:6].tolist() == [-1, 0, 0, 1]
    assert found[7] - found[6] == 1
    assert (ordinals(-x) == -found).all()
