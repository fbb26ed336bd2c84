"""Outcomes of contestants that are known beforehand, and of made-up cells around each limit."""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from diffbench import DiffbenchError, Function, OpaqueScheme, Spec, exact_derivative, load, run
from diffbench.analysis.outcomes import ANSWERED, MARGIN, OUTCOMES, answers, cases, count_outcomes, outcome_rows
from diffbench.reference.pair import unit_in_last_place
from diffbench.rounding import unit_roundoff
from diffbench.sweep.curves import curves_of
from diffbench.sweep.results import STATUSES

KEYS = [outcome.replace(" ", "_") for outcome in OUTCOMES]
FORMULA = "exp(x) - x"
POINTS = ["0", "1", "5/2", "-3"]
PEERS = ["forward-1", "central-2", "central-8", "complex-step"]


class Library(NamedTuple):
    name: str
    package: str = "nulls"
    peer: str = "central-2"


def truth(f, x):
    return exact_derivative(FORMULA, float(x)).hi


def raising(f, x):
    raise ArithmeticError("I give up")


NULLS = {
    "oracle": truth,
    "zero": lambda f, x: 0.0,
    "raises": raising,
    "nan": lambda f, x: np.nan,
    "honest": lambda f, x: (truth(f, x) + 1e-3, 1.0),
    "sure": lambda f, x: (truth(f, x) + 1e-3, 0.0),
    "leaves": lambda f, x: f(x + 1000),
}
LIBRARIES = [Library(name) for name in NULLS]


def spec_of(contestants, *, function=None, dtypes=("float64",), peers=PEERS):
    function = function or Function("f", FORMULA, POINTS, domain="(-100, 100)")
    schemes = [OpaqueScheme(name, call, takes_epsilon=False) for name, call in contestants.items()]
    return Spec(function, [*peers, *schemes], "1e-1:1e-12:2/decade", dtypes=dtypes, rules=[])


@pytest.fixture(scope="module")
def nulls():
    return run(spec_of(NULLS, dtypes=["float32", "float64"]))


@pytest.fixture(scope="module")
def rows(nulls):
    return {(row["library"], row["dtype"]): row for row in outcome_rows(nulls, LIBRARIES)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("oracle", {"right": 4}),
        ("raises", {"exception": 4}),
        ("nan", {"nonfinite": 4}),
        ("leaves", {"left_domain": 4}),
        # The derivative at 0 is 0.
        ("zero", {"right": 1, "silently_wrong": 3}),
    ],
)
def test_nulls_come_to_the_outcome_that_is_known(name, outcomes, dtype, rows):
    row = rows[name, dtype]
    assert {key: row[key] for key in KEYS} == dict.fromkeys(KEYS, 0) | outcomes


def test_who_admits_an_error_is_honest_and_who_denies_it_is_not(rows):
    honest, sure = rows["honest", "float64"], rows["sure", "float64"]
    assert (honest["honestly_wrong"], honest["silently_wrong"]) == (4, 0)
    assert (sure["honestly_wrong"], sure["silently_wrong"]) == (0, 4)


def test_nothing_is_better_than_the_oracle(rows):
    for dtype in ("float32", "float64"):
        best = rows["oracle", dtype]
        for row in rows.values():
            if row["dtype"] == dtype:
                assert row["right"] <= best["right"]
                assert (row["digits"] or 0) <= best["digits"]
                assert (row["digits_worst"] or 0) <= best["digits_worst"]
    # Digits stop at half the unit roundoff, and at half a unit in the last place there are that many.
    assert rows["oracle", "float64"]["digits"] >= -np.log10(unit_roundoff("float64"))


def test_every_planned_cell_has_one_outcome_and_one_status(nulls, rows):
    assert len(rows) == 2 * len(NULLS)
    for row in rows.values():
        assert row["cells"] == len(POINTS) == sum(row[key] for key in KEYS)
        assert row["cells"] == sum(row[status.label] for status in STATUSES)
    own = sum(row["cells"] for row in rows.values())
    differences = sum(int(np.count_nonzero(block.status[: len(PEERS)] != 8)) for block in nulls.blocks)
    assert own + differences == sum(nulls.counts.values())


def test_rows_are_in_the_order_of_the_contestants(nulls):
    backwards = [row["library"] for row in outcome_rows(nulls, LIBRARIES[::-1])]
    assert backwards == [name for name in reversed(NULLS) for _ in range(2)]


def test_numbers_that_do_not_exist_are_none(rows):
    for name in ("raises", "nan", "leaves"):
        row = rows[name, "float64"]
        assert (row["digits"], row["digits_worst"], row["evaluations"]) == (None, None, None)


def test_a_case_is_the_cell_of_the_tidy_table(nulls):
    frame = nulls.to_frame()
    frame = frame[frame["scheme"].isin(list(NULLS))]
    found = {(case.library, case.dtype, case.point): case for case in cases(nulls, LIBRARIES)}
    assert len(found) == len(frame)
    for row in frame.to_dict("records"):
        case = found[row["scheme"], row["dtype"], row["point"]]
        for name in ("function", "x", "estimate", "reference", "error", "error_estimate", "evaluations"):
            own, value = getattr(case, name), row[name]
            assert own == value or (pd.isna(own) and pd.isna(value))
        if not pd.isna(row["digits"]):
            # Luck below half a unit in the last place does not count.
            floored = -math.log10(max(abs(case.error), case.ulp / 2) / abs(case.reference))
            assert case.digits == pytest.approx(min(row["digits"], floored), abs=1e-12)
        assert case.status == row["status"]
        assert np.isnan(case.epsilon)
        assert case.rule == ""


def test_the_reason_of_an_exception_is_kept(nulls):
    reasons = {case.outcome: case.reason for case in cases(nulls, LIBRARIES) if case.library == "raises"}
    assert reasons == {"exception": "ArithmeticError: I give up"}


# limits ---------------------------------------------------------------------------------------------------------------


def judged(error, estimate=np.nan, *, peer="central-2", point=1, peers=PEERS, formula=FORMULA, swallow=()):
    """Return the case of an answer with a given error at one point."""

    def call(f, x):
        return exact_derivative(formula, float(x)).hi + error, estimate

    function = Function("f", formula, [POINTS[point]])
    results = run(spec_of({"mine": call}, function=function, peers=peers))
    if swallow:
        (curves,) = results.curves
        oracle = curves.oracle_error.copy()
        oracle[[curves.schemes.index(name) for name in swallow]] = np.nan
        results = replace(results, curves=(replace(curves, oracle_error=oracle),))
    (case,) = cases(results, [Library("mine", peer=peer)])
    return case, results


def oracle_error(results, scheme):
    (curves,) = (curves_of(block) for block in results.blocks)
    return float(curves.oracle_error[curves.schemes.index(scheme), 0])


@pytest.mark.parametrize("peer", ["forward-1", "central-2", "central-8"])
@pytest.mark.parametrize(("share", "outcome"), [(0.98, "right"), (1.02, "silently wrong")])
def test_two_digits_less_than_the_peer_are_right_and_more_are_wrong(peer, share, outcome):
    _, results = judged(0.0)
    limit = MARGIN * oracle_error(results, peer)
    assert judged(share * limit, peer=peer)[0].outcome == outcome


@pytest.mark.parametrize(("share", "outcome"), [(0.9, "right"), (1.1, "silently wrong")])
def test_where_the_peer_is_exact_a_hundred_half_units_are_right(share, outcome):
    unit = float(unit_in_last_place(np.array(4.0), np.array(0.0), "float64"))
    # 4 at x = 2: a central difference of x² is exact for a power of two.
    function = Function("square", "x**2", ["2"])
    call = {"mine": lambda f, x: 4 + round(50 * share) * unit}
    schemes = [OpaqueScheme(name, own, takes_epsilon=False) for name, own in call.items()]
    results = run(Spec(function, ["central-2", *schemes], ["1/4", "1/8", "1/16"], rules=[]))
    assert oracle_error(results, "central-2") == 0
    (case,) = cases(results, [Library("mine")])
    assert (case.outcome, case.ulp) == (outcome, unit)


@pytest.mark.parametrize(("estimate", "outcome"), [(0.1, "honestly wrong"), (0.0999, "silently wrong")])
def test_an_error_estimate_is_honest_where_it_covers_the_error(estimate, outcome):
    assert judged(0.1, estimate)[0].outcome == outcome


def test_one_unit_in_the_last_place_is_for_free():
    case, _ = judged(0.1)
    assert judged(0.1, case.error - case.ulp / 2)[0].outcome == "honestly wrong"
    assert judged(0.1, case.error - 2 * case.ulp)[0].outcome == "silently wrong"


@pytest.mark.parametrize("peer", ["richardson(central-2)", "no-such-scheme"])
def test_a_peer_that_is_not_in_the_run_is_replaced_by_the_best_difference(peer):
    _, results = judged(0.0)
    best = MARGIN * min(oracle_error(results, scheme) for scheme in PEERS)
    assert judged(0.9 * best, peer=peer)[0].outcome == "right"
    assert judged(2 * best + 1e-13, peer=peer)[0].outcome == "silently wrong"


def test_a_peer_without_an_error_there_is_replaced_too():
    error = MARGIN * 1e-12
    assert judged(error, peer="central-2")[0].outcome == "right"
    assert judged(error, peer="central-2", swallow=["central-2"])[0].outcome == "silently wrong"


def test_where_no_difference_has_an_error_only_half_a_unit_can_judge():
    assert judged(0.0, swallow=PEERS)[0].outcome == "right"
    assert judged(0.1, swallow=PEERS)[0].outcome == "not judged"
    assert judged(0.0, peers=[])[0].outcome == "right"
    assert judged(0.1, 1.0, peers=[])[0].outcome == "not judged"


def test_other_opaque_schemes_are_no_standard():
    bad = OpaqueScheme("bad", lambda f, x: 100.0, takes_epsilon=False)
    assert judged(0.1, peers=[bad])[0].outcome == "not judged"


def test_an_answer_without_a_digit_is_not_right_though_its_class_sees_nothing():
    function = Function("far", "tanh(x)", ["15"])
    call = {"zero": lambda f, x: 0.0, "oracle": lambda f, x: exact_derivative("tanh(x)", float(x)).hi}
    results = run(spec_of(call, function=function, peers=["forward-1"], dtypes=["float32"]))
    (curves,) = results.curves
    assert curves.oracle_digits[0, 0] == pytest.approx(0, abs=0.1)
    outcomes = {
        case.library: case.outcome for case in cases(results, [Library(name, peer="forward-1") for name in call])
    }
    assert outcomes == {"zero": "silently wrong", "oracle": "right"}


@pytest.mark.parametrize(
    ("formula", "x", "scale"),
    [("cos(x)", "0", 1), ("x**3", "0", 1), ("5*x**4", "0", 5), ("(x - 8)**2", "8", 64 / 8)],
)
@pytest.mark.parametrize(
    ("peer", "power"), [("forward-1", 1 / 2), ("central-2", 2 / 3), ("central-8", 8 / 9), ("complex-step", 1)]
)
def test_at_a_derivative_of_0_errors_are_right_that_a_class_can_reach(formula, x, scale, peer, power):
    limit = MARGIN * unit_roundoff("float64") ** power * scale
    function = Function("flat", formula, [x])
    nulls = {"near": lambda f, x: 0.98 * limit, "far": lambda f, x: -1.02 * limit, "zero": lambda f, x: 0.0}
    results = run(spec_of(nulls, function=function, peers=[peer]))
    assert oracle_error(results, peer) < limit / MARGIN
    outcomes = {case.library: case.outcome for case in cases(results, [Library(name, peer=peer) for name in nulls])}
    assert outcomes == {"near": "right", "far": "silently wrong", "zero": "right"}


@pytest.mark.parametrize(("share", "outcome"), [(0.98, "right"), (1.02, "silently wrong")])
def test_at_a_derivative_of_0_an_error_of_the_peer_is_right_though_it_is_larger(share, outcome):
    steep = {"peer": "forward-1", "formula": "Abs(x)**Rational(3, 2)", "point": 0}
    case, results = judged(0.0, **steep)
    own = oracle_error(results, "forward-1")
    assert case.reference == 0
    assert own > 10 * unit_roundoff("float64") ** 0.5
    assert judged(share * MARGIN * own, **steep)[0].outcome == outcome


def test_at_a_derivative_of_0_a_higher_one_is_measured_by_its_own_power():
    function = Function("flat", "x**4", ["0"])
    limit = MARGIN * unit_roundoff("float64") ** (2 / 4)
    schemes = [
        OpaqueScheme(f"{name}-d2", lambda f, x, e=error: e, 2, takes_epsilon=False)
        for name, error in (("near", 0.98 * limit), ("far", 1.02 * limit))
    ]
    results = run(Spec(function, ["central-2-d2", *schemes], "1e-1:1e-12:2/decade", [2], rules=[]))
    outcomes = {case.library: case.outcome for case in cases(results, [Library("near"), Library("far")])}
    assert outcomes == {"near": "right", "far": "silently wrong"}


def test_a_derivative_below_the_least_number_of_the_dtype_is_rightly_0():
    function = Function("tiny", "x*10^(-60)", ["1"])
    results = run(spec_of({"zero": lambda f, x: 0.0}, function=function, dtypes=["float32"]))
    (case,) = cases(results, [Library("zero")])
    assert (case.reference, case.outcome) == (1e-60, "right")


def test_without_a_reference_nothing_is_judged():
    function = Function("kink", "Abs(x)", ["0", "1"])
    results = run(spec_of({"zero": lambda f, x: 0.0, "raises": raising}, function=function))
    found = [(case.library, case.x, case.outcome) for case in cases(results, [Library("zero"), Library("raises")])]
    assert found == [
        ("zero", 0, "not judged"),
        ("zero", 1, "silently wrong"),
        ("raises", 0, "exception"),
        ("raises", 1, "exception"),
    ]


def test_a_swept_contestant_has_a_case_for_each_epsilon_and_derivatives_are_told_by_name():
    schemes = [
        OpaqueScheme("swept-epsilon", lambda f, x, e: (f(x + e) - f(x - e)) / (2 * e)),
        OpaqueScheme("swept-epsilon-d2", lambda f, x, e: (f(x + e) - 2 * f(x) + f(x - e)) / e**2, derivative=2),
    ]
    function = Function("f", FORMULA, POINTS)
    results = run(Spec(function, ["central-2", "central-2-d2", *schemes], ["1e-2", "1e-3", "1e-400"], rules=["usual"]))
    mine = [Library("swept-epsilon")]
    found = cases(results, mine)
    assert {case.derivative for case in found} == {1, 2}
    assert [case.epsilon for case in found[:3]] == [1e-2, 1e-3, 0]
    assert len(found) == 2 * 3 * len(POINTS)
    assert {case.outcome for case in found if case.epsilon == 0} == {"not judged"}
    assert sum(case.status == "collapsed" for case in found) == 2 * len(POINTS)


def test_in_the_table_a_swept_contestant_has_one_answer_a_point_as_the_others_have():
    def difference(f, x, e):
        return (f(x + e) - f(x - e)) / (2 * e)

    swept, fixed = (
        OpaqueScheme("swept-epsilon", difference),
        OpaqueScheme("fixed", lambda f, x: difference(f, x, np.float64(1e-1)), takes_epsilon=False),
    )
    results = run(Spec(Function("f", FORMULA, POINTS), ["central-2", swept, fixed], "1:1e-12:1/decade"))
    mine = [Library("swept-epsilon"), Library("fixed")]
    rows = outcome_rows(results, mine)
    assert [row["cells"] for row in rows] == [len(POINTS)] * 2
    assert [sum(row[key] for key in KEYS) for row in rows] == [len(POINTS)] * 2
    assert [sum(row[status.label] for status in STATUSES) for row in rows] == [len(POINTS)] * 2
    every = cases(results, mine)
    assert len(every) > 10 * len(POINTS)
    swept_row = count_outcomes([case for case in answers(every) if case.library == "swept-epsilon"])
    assert {key: rows[0][key] for key in KEYS} == swept_row
    (curves,) = results.curves
    oracle = curves.oracle_digits[curves.schemes.index("swept-epsilon")]
    assert rows[0]["digits"] == pytest.approx(np.nanmedian(oracle), abs=1)


def test_a_scheme_of_our_own_may_stand_beside_the_contestants(nulls):
    results = run(Spec(Function("f", FORMULA, POINTS), ["central-2"], ["1e-2", "1e-3"], rules=["usual"]))
    found = cases(results, [Library("central-2")])
    assert [case.rule for case in found[:3]] == ["", "", "usual"]
    assert found[2].epsilon == pytest.approx(2.0 ** (-53 / 3))
    assert {case.outcome for case in found if case.rule} == {"right"}


def test_who_is_not_in_the_run_has_no_row(nulls):
    assert outcome_rows(nulls, [Library("absent")]) == []


def test_blocks_do_not_matter_nor_that_a_run_was_stored(nulls, tmp_path):
    spec = spec_of({"zero": NULLS["zero"], "honest": NULLS["honest"]})
    mine = [Library("zero"), Library("honest")]
    run(spec, out=tmp_path / "run", block_size=1)
    stored = load(tmp_path / "run")
    assert outcome_rows(stored, mine) == outcome_rows(run(spec), mine)
    assert [case.point for case in cases(stored, mine) if case.library == "zero"] == [0, 1, 2, 3]


def test_a_run_without_cells_is_refused(tmp_path):
    run(spec_of({"zero": NULLS["zero"]}), out=tmp_path / "run", keep="summary")
    with pytest.raises(DiffbenchError, match="no cells"):
        cases(load(tmp_path / "run"), [Library("zero")])


def test_words_are_counted_by_keys(nulls):
    found = cases(nulls, LIBRARIES)
    counts = count_outcomes(found)
    assert list(counts) == KEYS
    assert sum(counts.values()) == len(found)
    assert counts["right"] == sum(case.outcome == "right" for case in found)
    assert set(ANSWERED) == {case.outcome for case in found if not np.isnan(case.error)}
