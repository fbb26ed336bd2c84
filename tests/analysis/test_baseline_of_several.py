"""Baselines and the gate for functions of several variables: each direction of each point is a curve of its own."""

import json
from functools import cache
from math import isnan

import pyarrow.parquet as pq
import pytest
from gates import EXP, with_errors

from diffbench import Function, Spec, run
from diffbench.analysis.accepted import accept, find_baseline
from diffbench.analysis.baseline import baseline_of, from_table, to_table
from diffbench.analysis.gate import check, judge
from diffbench.analysis.self_test import self_test
from diffbench.functions.models import Model

POINTS = ({"x": 1, "y": 2}, {"x": "0.5", "y": 3})
SADDLE = Function("saddle", "x**2*y + sin(y)", POINTS)
SCHEMES = ("forward-1", "central-2")


def spec(*functions, **options):
    return Spec(list(functions), SCHEMES, "1:1e-10:2/decade", **options)


@cache
def gradients():
    return run(spec(SADDLE, EXP, derivatives=[1, 2]))


@cache
def base():
    return baseline_of(gradients(), "gradients")


def test_a_curve_has_point_and_direction_and_those_of_one_variable_have_none():
    names = [name for name in base().names if name.scheme == "central-2-d2"]
    assert [(name.point, name.direction, name.at) for name in names if name.function == "saddle"] == [
        *((0, "x", "x=1, y=2"), (1, "y", "x=1, y=2"), (2, "x", "x=0.5, y=3"), (3, "y", "x=0.5, y=3")),
        *((4, "x,y", "x=1, y=2"), (5, "x,y", "x=0.5, y=3")),
    ]
    assert {(name.direction, name.at) for name in names if name.function == "exp"} == {("", "")}
    assert len(set(base().names)) == len(base().names) == 2 * (4 + 6 + 2 + 2)


def test_the_same_gradients_pass_bit_for_bit():
    found = check(run(spec(SADDLE, EXP, derivatives=[1, 2])), base())
    assert (found.exit_code, found.counts["unchanged"]) == (0, base().cells_of(base().names))


def test_a_worse_component_is_named_by_its_point_and_direction():
    found = check(with_errors(gradients(), 1e6, (1, 1, slice(None))), base())
    assert found.exit_code == 1
    assert "in 1 curve; it is saddle at x=1, y=2 along y, where " in found.reason


def test_a_weight_that_is_wrong_by_two_units_is_noticed_in_a_gradient():
    name, found = self_test(spec(SADDLE, EXP, derivatives=[1, 2]), base(), run)
    assert (name, found.exit_code) == ("forward-1", 1)
    assert "saddle at x=" in found.reason


def test_a_function_that_is_added_passes_and_leaves_the_others_paired():
    alone = baseline_of(run(spec(EXP)))
    found = check(run(spec(SADDLE, EXP)), alone)
    assert found.exit_code == 0
    assert (found.counts["unchanged"], found.counts["new"]) == (2 * 2 * 22, 4 * 2 * 22)
    assert not judge(baseline_of(run(spec(EXP))), baseline_of(run(spec(SADDLE, EXP)))).findings


def test_what_is_gone_or_means_something_else_is_said():
    moved = Function("saddle", "x**2*y + sin(y)", [POINTS[0], {"x": "0.5", "y": 4}])
    found = check(run(spec(moved, EXP, derivatives=[1, 2])), base())
    assert found.exit_code == 7
    assert "the curve saddle at x=0.5, y=3 along x of forward-1, and 9 more, is not in the run" in found.reason
    other = Function("saddle", "x**2*y - sin(y)", POINTS)
    found = check(run(spec(other, EXP, derivatives=[1, 2])), base())
    assert found.exit_code == 4
    assert "the function saddle has another formula or noise than in the baseline" in found.reason
    found = check(run(spec(SADDLE.named("saddle-2"), EXP, derivatives=[1, 2])), base())
    assert "the function saddle is called saddle-2 now, with the same definition" in found.reason


def test_the_files_of_one_variable_are_those_they_have_always_been(tmp_path):
    path, _ = accept(run(spec(EXP)), "first", "me", "one", tmp_path)
    assert pq.read_schema(path).names[-1] == "order"
    path, accepted = accept(gradients(), "first", "me", "several", tmp_path)
    assert pq.read_schema(path).names[-2:] == ["direction", "at"]
    assert json.loads(path.with_suffix(".json").read_text("utf-8"))["schema_version"] == 1
    read = find_baseline("several", folder=tmp_path)
    assert read.names == accepted.names
    assert check(gradients(), read).exit_code == 0
    assert check(gradients(), find_baseline("several", "elsewhere", tmp_path)).exit_code == 0
    assert from_table(accepted.about, to_table(accepted)).names == accepted.names


def test_a_gradient_of_a_model_has_a_baseline():
    model = Function.of_model("cost", Model("logistic-regression", (2,), 8, 1))
    results = run(spec(model))
    found = baseline_of(results)
    assert [(name.direction, name.at) for name in found.names[:3]] == [
        (name, f"seed {model.model.seed}") for name in ("w1", "w2", "b")
    ]
    assert check(results, found).exit_code == 0
    other = Function.of_model("cost", Model("logistic-regression", (2,), 9, 1))
    assert check(run(spec(other)), found).exit_code == 4


@pytest.mark.parametrize("with_theory", [False, True])
def test_theory_is_held_along_coordinates_but_not_for_mixed_derivatives(with_theory):
    found = baseline_of(gradients(), with_theory=with_theory)
    known = {name.direction for name, each in zip(found.names, found.expected, strict=True) if not isnan(each)}
    assert known == ({"", "x", "y"} if with_theory else set())
