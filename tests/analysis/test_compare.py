"""Two runs, cell by cell: every cell of both has one transition."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbench import Function, OpaqueScheme, Spec, compare, run
from diffbench.analysis.compare import TRANSITIONS, _points, bin_centres
from diffbench.errors import EmptySelectionError
from diffbench.report.tables import changes_table
from diffbench.sweep.results import Status

GRID = "1e-1:1e-4:1/decade"


def measured(functions="exp", schemes=("forward-1", "central-2"), epsilons=GRID, **options):
    return run(Spec(functions, list(schemes), epsilons, **options))


def changed(results, **arrays):
    """Return the run with other arrays in its first block."""
    return replace(results, blocks=(replace(results.blocks[0], **arrays), *results.blocks[1:]))


def kinds(found):
    return {name: count for name, count in found.counts.items() if count}


def test_a_run_is_the_same_as_itself():
    found = compare(*[measured("standard", ["forward-1", "complex-step"], anatomy=False) for _ in range(2)])
    assert found.is_same
    assert kinds(found) == {"unchanged": sum(found.counts.values())}
    assert found.changes == []
    assert found.reasons == ()


@given(st.data())
def test_every_cell_of_both_runs_has_one_transition(data):
    def some(items):
        return data.draw(st.lists(st.sampled_from(items), min_size=1, unique=True))

    runs = [
        measured(
            [Function(name, "exp(x)", some(["0", "1", "2"])) for name in some(["f", "g"])],
            some(["forward-1", "central-2", "complex-step"]),
            ",".join(some(["1e-2", "1e-3", "1e-4"])),
            rules=some(["usual", "sqrt-u"]),
        )
        for _ in range(2)
    ]
    found = compare(*runs)
    before, after = (sum(each.counts.values()) for each in runs)
    in_both = sum(count for name, count in found.counts.items() if name not in ("new", "vanished"))
    assert in_both + found.counts["vanished"] == before
    assert in_both + found.counts["new"] == after
    assert found.counts == {name: sum(own[name] for own in found.schemes.values()) for name in TRANSITIONS}


def test_a_weight_that_is_off_by_a_bit_is_seen():
    def off(f, x, e):
        return (f(x + e) - f(x)) / (e * (1 + 2**-51))

    def right(f, x, e):
        return (f(x + e) - f(x)) / e

    runs = [measured(schemes=[OpaqueScheme("mine", call), "forward-1"]) for call in (right, off)]
    found = compare(*runs)
    assert found.schemes["mine"]["better"] + found.schemes["mine"]["worse"] > 0
    assert found.schemes["forward-1"]["unchanged"] == sum(found.schemes["forward-1"].values())
    assert {change.scheme for change in found.changes} == {"mine"}


@pytest.mark.parametrize(
    ("factor", "transition"), [(2.0, "worse"), (0.5, "better"), (-1.0, "moved"), (np.nan, "ok to not ok")]
)
def test_an_error_that_grows_shrinks_or_turns_round(factor, transition):
    base = measured([Function("f", "x**2", ["0"])])
    block = base.blocks[0]
    estimate, status = block.estimate.copy(), block.status.copy()
    estimate[0, 0, 1] *= factor
    status[0, 0, 1] = Status.NONFINITE if np.isnan(factor) else Status.OK
    found = compare(base, changed(base, estimate=estimate, status=status))
    assert kinds(found) == {"unchanged": base.blocks[0].status.size - 1, transition: 1}
    (change,) = found.changes
    assert (change.scheme, change.epsilon_index, change.rule, change.transition) == ("forward-1", 1, "", transition)
    back = compare(changed(base, estimate=estimate, status=status), base)
    opposite = {"worse": "better", "better": "worse", "ok to not ok": "not ok to ok"}.get(transition, transition)
    assert kinds(back)[opposite] == 1


def test_changes_of_gradients_say_where_and_along_which_variable():
    saddle = Function("saddle", "x**2 - x*y", [{"x": "1", "y": "2"}])
    one, other = (measured(saddle, ["forward-1"]) for _ in range(2))
    estimate = other.blocks[0].estimate.copy()
    estimate[0, 1, 2] *= 1.5
    found = compare(one, changed(other, estimate=estimate))
    assert (found.changes[0].direction, found.changes[0].at) == ("y", "x=1, y=2")
    assert [column.header for column in changes_table(found).columns][5:8] == ["point", "at", "along"]
    plain = compare(measured(), changed(measured(), estimate=measured().blocks[0].estimate * 2))
    assert not {"at", "direction"} & changes_table(plain).rows[0].keys()


def test_the_gravest_change_comes_first():
    base = measured("exp")
    block = base.blocks[0]
    estimate, status = block.estimate.copy(), block.status.copy()
    estimate[0, 0, 0] *= 1.1
    estimate[0, 1, 0] *= 3
    estimate[0, 2, 0], status[0, 2, 0] = np.nan, Status.NONFINITE
    found = compare(base, changed(base, estimate=estimate, status=status), most=2)
    assert [change.transition for change in found.changes] == ["ok to not ok", "worse"]
    assert found.changes[1].point == 1
    assert found.counts["worse"] == 2


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"functions": [Function("f", "x**3", ["1", "2"])]}, "f has another formula: x**2 became x**3"),
        ({"functions": [Function("f", "x**2", ["1", "3"])]}, "f has other points"),
        ({"epsilons": "1e-1,1e-3"}, "f was swept over other epsilons"),
        ({"functions": [Function("f", "x**2", ["1", "2"], noise="relative 1e-6")]}, "f has another noise"),
        ({"functions": [Function("g", "x**2", ["1", "2"])]}, "f, derivative 1, float64 is vanished"),
        ({"schemes": ["forward-1", "central-4"]}, "central-2 is vanished"),
    ],
)
def test_what_cannot_be_compared_has_a_reason_and_is_no_regression(other, reason):
    base = {"functions": [Function("f", "x**2", ["1", "2"])], "epsilons": "1e-1,1e-2"}
    found = compare(measured(**base), measured(**(base | other)))
    assert any(each.startswith(reason) for each in found.reasons)
    assert not {"better", "worse", "moved", "ok to not ok"} & kinds(found).keys()


def test_a_rule_may_choose_another_epsilon():
    base = measured(rules=["usual"])
    chosen = base.blocks[0].chosen * 2
    assert compare(base, changed(base, chosen=chosen)).is_same


def test_summaries_only_cannot_be_compared(tmp_path):
    kept = run(Spec("exp", "forward-1", GRID), keep="summary")
    with pytest.raises(EmptySelectionError):
        compare(kept, kept)


def test_runs_may_be_cut_into_blocks_of_other_sizes():
    function = Function("f", "exp(x)", [str(k) for k in range(7)])
    whole = measured([function])
    block = whole.blocks[0]

    def pieces(*ends):
        cut = [_points(block, start, stop) for start, stop in itertools.pairwise((0, *ends, 7))]
        return replace(whole, blocks=tuple(cut), part_keys=(block.key,) * len(cut))

    assert compare(pieces(2, 5), pieces(3)).is_same
    estimate = block.estimate.copy()
    estimate[1, 6, 0] *= 2
    found = compare(pieces(2, 5), changed(whole, estimate=estimate))
    assert kinds(found) == {"unchanged": block.status.size - 1, "worse": 1}
    assert [(change.scheme, change.point) for change in found.changes] == [("central-2", 6)]


def test_points_that_one_run_has_more_are_new_or_vanished_and_said():
    runs = [measured([Function("f", "exp(x)", points)]) for points in (["0", "1"], ["0", "1", "2"])]
    found = compare(*runs)
    assert kinds(found) == {"unchanged": 20, "new": 10}
    assert found.reasons == ("f, derivative 1, float64 has points that are new",)
    assert kinds(compare(*runs[::-1])) == {"unchanged": 20, "vanished": 10}


def test_no_more_is_kept_than_was_asked_for():
    base = measured("exp")
    worse = changed(base, estimate=base.blocks[0].estimate * 3)
    found = compare(base, worse, most=3)
    every = compare(base, worse, most=1000).changes
    assert found.changes == every[:3]
    assert len(every) == sum(found.counts.values()) > 3
    factors = [max(each.ulp_before, each.ulp_after) / min(each.ulp_before, each.ulp_after) for each in every]
    assert factors == sorted(factors, reverse=True)


def test_every_cell_is_in_a_bin_of_its_errors():
    base = measured("exp", rules=["usual", "sqrt-u"])
    estimate = base.blocks[0].estimate.copy()
    estimate[0, 0, 0] *= 3
    found = compare(base, changed(base, estimate=estimate))
    assert found.errors.sum(axis=(1, 2)).tolist() == list(found.counts.values())
    (change,) = found.changes
    ((before, after),) = np.argwhere(found.errors[TRANSITIONS.index("worse")])
    assert bin_centres()[[before, after]] == pytest.approx([change.ulp_before, change.ulp_after], rel=0.16)
