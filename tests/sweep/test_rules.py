"""Cells of step rules: what they cost, what a rule says of its own failure, and where it has no epsilon."""

import numpy as np
import pytest

from diffbench import Function, Spec, load, run
from diffbench.schemes.scheme import parse_scheme
from diffbench.schemes.step_rules import ADAPTIVE_RULES, RULES, StepRule, find_rule
from diffbench.sweep.curves import curves_of
from diffbench.sweep.evaluate import measure
from diffbench.sweep.spec import Spec as SpecModel

ADAPTIVE = [rule.name for rule in ADAPTIVE_RULES]
SCHEMES = ["forward-1", "central-2", "complex-step"]


def of_rules(functions, rules, schemes=SCHEMES, **options):
    """Return the cells of rules."""
    frame = run(Spec(functions, schemes, "1e-1:1e-12:2/decade", rules=rules, **options)).to_frame()
    return frame[frame["rule"].notna()].reset_index(drop=True)


class Counting:
    """exp that counts the values it is asked for."""

    def __init__(self):
        self.values = 0

    def __call__(self, x):
        self.values += x.size
        return np.exp(x)


@pytest.mark.parametrize("rule", ADAPTIVE)
def test_evaluations_are_the_schemes_and_the_rules(rule):
    frame = of_rules("exp", [rule])
    points = run(Spec("exp", ["forward-1"], "1e-3")).to_frame()["x"].unique().astype(float)
    for scheme in SCHEMES:
        cells = frame[frame["scheme"] == scheme]
        chosen = find_rule(rule).choose(parse_scheme(scheme), points, np.exp)
        served = ~np.isnan(chosen.epsilon)
        own = np.where(served, parse_scheme(scheme).evaluations, 0)
        assert cells["evaluations"].tolist() == (chosen.evaluations + own).tolist()
        assert cells.loc[served, "epsilon"].tolist() == chosen.epsilon[served].tolist()


def test_f_is_called_for_what_is_counted_and_no_more():
    counting = Counting()
    spec = Spec(Function("f", "exp(x)", ["1", "2.5"], evaluate=counting), ["forward-1"], "1e-3", rules=ADAPTIVE)
    (block,) = measure(spec.plan()[0])
    grid = 2 * (1 + 1)
    assert counting.values == grid + block.evaluations[0, :, 1:].sum()


def test_an_adaptive_rule_changes_no_other_cell():
    functions = ["exp", "abs", "log-near-0", "sin-100x"]
    with_rules = run(Spec(functions, SCHEMES, "1e-1:1e-12", rules=["usual", *ADAPTIVE]))
    without = run(Spec(functions, SCHEMES, "1e-1:1e-12", rules=["usual"]))
    for one, other in zip(with_rules.blocks, without.blocks, strict=True):
        width = other.status.shape[-1]
        for name in ("estimate", "status", "evaluations", "error_estimate"):
            np.testing.assert_array_equal(getattr(one, name)[..., :width], getattr(other, name))
        theirs, ours = curves_of(other), curves_of(one)
        for name in ("evaluations", "optimal_epsilon", "oracle_digits"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_a_rule_that_failed_says_so_beside_an_ok_cell():
    frame = of_rules(Function("line", "3*x + 1", ["1"]), ["gill-murray-saunders-wright"], ["forward-1"])
    assert frame["status"].tolist() == ["ok"]
    assert frame["reason"].tolist() == ["gill-murray-saunders-wright: f appears to be odd or nearly linear"]
    assert frame["digits"][0] > 5
    assert run(Spec("lab", rules="all")).counts["failed"] == 0


def test_a_rule_without_an_epsilon_is_unsupported_and_says_why():
    frame = of_rules(Function("square", "x**2 + 1", ["1"]), ["dumontet-vignes"], ["central-2", "forward-1"])
    by_scheme = frame.set_index("scheme")
    assert set(frame["status"]) == {"unsupported"}
    assert by_scheme["epsilon"].isna().all()
    assert by_scheme["reason"]["forward-1"] == "dumontet-vignes: it is for central-2 only"
    assert by_scheme["reason"]["central-2"].startswith("dumontet-vignes: no step gives a third derivative")
    assert by_scheme["evaluations"].to_dict() == {"central-2": 201, "forward-1": 0}
    spec = Spec(Function("square", "x**2 + 1", ["1"]), ["central-2", "forward-1"], "1e-3", rules=["dumontet-vignes"])
    (curves,) = run(spec).curves
    assert curves.rule_failures.ravel().tolist() == [True, False]
    np.testing.assert_array_equal(curves.rule_evaluations.ravel(), [201, np.nan])


def test_a_reason_beside_ok_is_a_rules_own():
    frame = run(Spec("standard", ["forward-1", "central-2"], "1e-2:1e-8", rules="all")).to_frame()
    told = frame[(frame["status"] == "ok") & frame["reason"].notna()]
    assert len(told) > 20
    assert all(reason.startswith(f"{rule}: ") for rule, reason in zip(told["rule"], told["reason"], strict=True))
    assert frame.loc[frame["status"] != "ok", "reason"].notna().all()


def test_a_rule_looks_at_f_inside_its_domain_only():
    seen = []

    def log(x):
        seen.extend(x.tolist())
        return np.log(x)

    function = Function("log", "log(x)", ["0.001", "1"], domain="(0, oo)", evaluate=log)
    frame = of_rules(function, ADAPTIVE, ["forward-1", "central-2"])
    assert min(seen) > 0
    assert (frame["status"] == "ok").sum() > 10


def test_an_f_that_raises_somewhere_costs_no_other_point():
    def picky(x):
        if (x < 0).any():
            raise ValueError("negative")
        return np.exp(x)

    points = ["1e-9", "2", "3"]
    together = of_rules(Function("f", "exp(x)", points, evaluate=picky), ADAPTIVE, ["forward-1", "central-2"])
    for i, point in enumerate(points):
        alone = of_rules(Function("f", "exp(x)", [point], evaluate=picky), ADAPTIVE, ["forward-1", "central-2"])
        same = together[together["point"] == i].reset_index(drop=True)
        for column in ("epsilon", "evaluations", "status"):
            assert same[column].fillna(-1).tolist() == alone[column].fillna(-1).tolist(), point


def test_an_f_that_always_raises_gives_no_rule_an_epsilon():
    def fail(x):
        raise ZeroDivisionError("no")

    frame = of_rules(Function("f", "exp(x)", ["1"], evaluate=fail), ADAPTIVE, ["forward-1", "central-2"])
    assert set(frame["status"]) <= {"unsupported", "failed"}
    assert frame["reason"].notna().all()


def test_an_f_of_another_dtype_is_unsupported_for_every_rule():
    function = Function("f", "exp(x)", ["1"], evaluate=lambda x: np.exp(x.astype(np.float64)))
    frame = of_rules(function, ["usual", *ADAPTIVE], ["forward-1"], dtypes=["float32"])
    assert set(frame["reason"]) == {"f promotes float32 to float64"}
    assert set(frame["evaluations"]) == {0}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_rules_work_in_small_dtypes(dtype):
    frame = of_rules(["exp", "sin"], "all", ["forward-1", "central-2"], dtypes=[dtype])
    measured = frame[frame["epsilon"].notna()]
    assert len(measured) > 60
    assert (measured["epsilon"].astype(float) == measured["epsilon"].astype(float).astype(dtype)).all()


def test_all_rules_are_asked_for_by_one_word():
    assert Spec("exp", rules="all").rules == RULES
    assert Spec("exp", rules=["all", "fixed(1e-5)", "usual"]).rules == (*RULES, find_rule("fixed(1e-5)"))
    assert [rule.name for rule in Spec("exp").rules] == ["usual"]


def test_rules_survive_the_canonical_form(tmp_path):
    spec = Spec("exp", ["forward-1"], rules=["fixed(2^-20)", "mathur", "usual"])
    path = tmp_path / "spec.toml"
    path.write_text(spec.to_toml(), "utf-8")
    again = SpecModel.from_toml(path)
    assert again.rules == spec.rules
    assert again.sha256 == spec.sha256


def test_your_own_rule_is_measured_like_the_others():
    tenth = StepRule("tenth", "0.1", lambda scheme, x: np.full_like(x, 0.1))
    frame = of_rules("exp", [tenth, "fixed(0.1)"], ["central-2"])
    by_rule = frame.groupby("rule")["estimate"].apply(list)
    assert by_rule["tenth"] == by_rule["fixed(0.1)"]


def test_what_rules_did_survives_the_disk(tmp_path):
    spec = Spec(["exp", "linear"], ["forward-1", "central-2"], "1e-1:1e-9", rules="all")
    stored = load((run(spec, out=tmp_path / "run"), tmp_path / "run")[1])
    for one, other in zip(stored.curves, map(curves_of, stored.blocks), strict=True):
        for name in ("rule_digits", "rule_evaluations", "rule_failures"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype
    assert any(part.rule_failures.any() for part in stored.curves)


def test_points_and_values_at_the_ends_of_the_range_break_no_rule():
    points = ["1e-310", "1e-300", "-1e-5", "0", "700", "1e300", "-1e308"]
    functions = [Function("exp", "exp(x)", points), Function("cube", "x**3", points)]
    schemes = ["forward-1", "central-2", "central-4", "complex-step", "stencil(0,1/3)", "complex-step-45-d2"]
    spec = Spec(functions, schemes, "1e-1,1e-5", rules="all", dtypes=["float16", "float32", "float64"])
    results = run(spec)
    assert sum(results.counts.values()) == spec.planned
    assert results.counts["failed"] == 0


def test_a_function_without_code_is_unsupported_for_adaptive_rules_too():
    missing = Function("missing", "polylog(3, x)", ["1/2"])
    frame = run(Spec([missing, "exp"], ["central-2"], ["1/8"], rules=["mathur", "dumontet-vignes"])).to_frame()
    own = frame.query("function == 'missing'")
    assert set(own["status"]) == {"unsupported"}
    assert set(own["reason"]) == {"no numerical implementation of polylog of order 3"}
    assert "ok" in set(frame.query("function == 'exp'")["status"])
