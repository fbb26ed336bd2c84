"""The gate: nothing passes that is worse, nothing is lost without a word, and what is the same passes every time."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
from gates import EXP, SCHEMES, WAVE, base, base_results, elsewhere, spec, with_block, with_errors, with_status

from diffbench import EmptySelectionError, Function, NotComparableError, check, run
from diffbench.analysis.baseline import NO_ERROR, baseline_of
from diffbench.analysis.gate import ACCEPT, _ulps, judge
from diffbench.analysis.judgement import Finding, Judgement, gravest_first
from diffbench.analysis.pairing import TRANSITIONS
from diffbench.analysis.self_test import self_test
from diffbench.errors import DiffbenchError, InputError
from diffbench.schemes.scheme import OpaqueScheme
from diffbench.sweep.bounds import Override
from diffbench.sweep.results import Status


def only(judgement):
    """Return the one finding."""
    (finding,) = judgement.findings
    assert judgement.exit_code == finding.exit_code
    assert judgement.reason == finding.sentence
    return finding


def counted(judgement):
    return {word: count for word, count in judgement.counts.items() if count}


# the same -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2, 3, 4, 5, 6, 7, 8])
def test_the_same_spec_passes_bit_for_bit_with_any_number_of_workers(jobs):
    with ThreadPoolExecutor(jobs) as executor:
        found = check(run(spec(), executor=executor if jobs % 2 else None, jobs=jobs), base())
    assert counted(found) == {"unchanged": base().cells_of(base().names)}
    assert (found.exit_code, found.findings) == (0, ())
    assert found.reason.startswith("passed")


@pytest.mark.slow
def test_the_same_spec_passes_bit_for_bit_in_processes_and_from_a_folder(tmp_path):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        results = run(spec(), executor=executor, out=tmp_path / "run")
    assert counted(check(results, base())) == {"unchanged": base().cells_of(base().names)}


def test_every_cell_is_accounted_for():
    found = check(run(spec([EXP], ["central-2", "forward-2"])), base())
    counts = found.counts
    assert list(counts) == list(TRANSITIONS)
    in_both = sum(counts[word] for word in TRANSITIONS) - counts["new"] - counts["vanished"]
    assert in_both + counts["vanished"] == base().cells_of(base().names)
    assert in_both + counts["new"] == run(spec([EXP], ["central-2", "forward-2"])).manifest["planned"]


# what must not pass ---------------------------------------------------------------------------------------------------


def test_a_truth_that_moved_under_the_same_estimates_ends_in_1():
    """Bits are not all: errors are measured against something."""

    after = replace(base(), quarters=np.where(base().quarters == NO_ERROR, NO_ERROR, base().quarters + 1))
    found = judge(base(), after)
    assert found.exit_code == 1
    assert {finding.rule for finding in found.findings} == {"cell", "step rule"}
    assert "with the same bits" in found.reason


def test_what_is_new_and_fails_ends_in_1():
    failing = Function("new", "x", ["1"], evaluate=lambda x: 1 / 0)
    found = check(run(spec([EXP, WAVE, failing])), base())
    assert {replace(finding, sentence="") for finding in found.findings} == {
        Finding(1, "status", scheme, "", 1) for scheme in SCHEMES
    }
    assert found.reason.startswith("forward-1: cells that are new and fail, in 1 curve, as new")


def test_a_large_error_where_the_derivative_is_0_does_not_pass_anywhere():
    results = run(spec([Function("cos", "cos(x)", ["0"])], ["forward-1"]))
    before = baseline_of(results, with_theory=True)
    wrong = with_block(results, lambda block: replace(block, estimate=np.where(block.estimate == 0, 0.0, 7.0)))
    assert check(wrong, elsewhere(before)).exit_code == 1


def test_a_weight_that_is_wrong_by_two_units_ends_in_1():
    name, found = self_test(spec(), base(), run)
    assert name == "forward-1"
    finding = only(found)
    assert (finding.exit_code, finding.rule, finding.group) == (1, "bits", "forward-1")
    assert finding.cells == 3
    assert "other bits than those accepted on this platform in 3 curves" in finding.sentence


@pytest.mark.parametrize("scheme", [*SCHEMES, "complex-step", "richardson(central-2)", "central-2-d2", "forward-6"])
def test_a_wrong_weight_of_any_kind_of_scheme_is_noticed_elsewhere_too(scheme):
    own = spec(schemes=[scheme])
    name, found = self_test(own, elsewhere(baseline_of(run(own))), run)
    assert (name, found.exit_code) == (scheme, 1)


def test_the_self_test_is_not_content_with_another_finding(monkeypatch):
    monkeypatch.setattr("diffbench.analysis.self_test.perturbed", lambda scheme: scheme)
    with pytest.raises(DiffbenchError, match="forward-1 with a weight times 1 \\+ 2u passed; this gate sees nothing"):
        self_test(spec(), base(), run)
    with pytest.raises(NotComparableError, match="the right weights do not pass either"):
        self_test(spec(), replace(base(), bits=[b"x" * 16] * len(base().bits)), run)


def test_without_a_scheme_that_has_weights_there_is_no_self_test():
    opaque = OpaqueScheme("mine", lambda f, x, e: (f(x + e) - f(x)) / e)
    with pytest.raises(InputError, match="no scheme with weights"):
        self_test(spec(schemes=[opaque]), base(), run)


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [
        (Status.NONFINITE, 1, "ok to not ok"),
        (Status.FAILED, 1, "ok to not ok"),
        (Status.COLLAPSED, 1, "ok to not ok"),
        (Status.UNCERTAIN, 6, "uncertain"),
    ],
)
def test_one_cell_that_is_not_ok_any_more(status, code, word):
    found = check(with_status(base_results(), status), elsewhere(base()))
    finding = only(found)
    assert counted(found)[word] == finding.cells == 1
    assert finding.exit_code == code
    assert f"central-2, derivative 1, float64: {'' if code == 1 else 'an '}" in finding.sentence
    assert f"it is exp at point 0 (x = 0.5), epsilon 1e-05 (number 20): ok became {status.label}" in finding.sentence


@pytest.mark.parametrize(
    ("factor", "counts"), [(4, "3 cells are worse and 0 better"), (0.25, "0 cells are worse and 3 ")]
)
def test_cells_with_other_bits_are_counted_by_their_errors(factor, counts):
    found = check(with_errors(base_results(), factor, np.s_[1, 0, 4:7]), base())
    (finding,) = (each for each in found.findings if each.rule == "bits")
    assert f"it is exp at point 0 (x = 0.5), where {counts}" in finding.sentence


def test_the_worst_of_several_curves_is_named_and_all_cells_are_counted():
    few = with_status(base_results(), Status.NONFINITE)
    after = with_status(few, Status.NONFINITE, np.s_[1, 1, 18:21])
    finding = only(check(after, elsewhere(base())))
    assert finding.cells == 4
    what = "not ok any more in 4 cells; most of all exp at point 1 (x = 1), epsilon 3.1622776601683795e-05"
    assert what in finding.sentence


def test_one_cell_that_turned_nan_is_noticed_on_the_same_platform():
    found = check(with_status(base_results(), Status.NONFINITE), base())
    assert {finding.rule for finding in found.findings} == {"status", "bits"}
    assert found.exit_code == 1


OWN = OpaqueScheme("mine", lambda f, x: float(f(x)), takes_epsilon=False)


@pytest.mark.parametrize(("scheme", "label"), [(OWN, "its own epsilon"), ("forward-1", "rule usual")])
def test_a_cell_that_is_not_of_the_grid_is_named_by_what_chose_its_epsilon(scheme, label):
    results = run(spec([EXP], [scheme], rules=["usual"]))
    finding = only(check(with_status(results, Status.NONFINITE, (0, 0, -1)), elsewhere(baseline_of(results))))
    assert f"{label}: ok became nonfinite" in finding.sentence


def test_a_cell_that_is_ok_for_the_first_time_makes_the_baseline_stale():
    before = baseline_of(with_status(base_results(), Status.NONFINITE))
    finding = only(check(base_results(), elsewhere(before)))
    assert (finding.exit_code, finding.cells) == (7, 1)
    assert (
        "ok for the first time in 1 cell; it is exp at point 0 (x = 0.5), epsilon 1e-05 (number 20): nonfinite "
        in finding.sentence
    )
    assert "accept" in finding.sentence


@pytest.mark.parametrize(("status", "code"), [(Status.DOMAIN, 7), (Status.FAILED, 1)])
def test_a_cell_that_was_not_ok_and_is_not_for_another_reason(status, code):
    before = baseline_of(with_status(base_results(), Status.NONFINITE))
    finding = only(check(with_status(base_results(), status), before))
    assert (finding.exit_code, finding.cells) == (code, 1)
    # Elsewhere f may overflow at another epsilon, but must not fail.
    assert check(with_status(base_results(), status), elsewhere(before)).exit_code == code % 7


def test_another_formula_is_not_comparable():
    wave = Function("wave", "sin(3*x)/x + 1", ["0.7"])
    found = check(run(spec([EXP, wave])), base())
    finding = only(found)
    assert (finding.exit_code, finding.rule, finding.group) == (4, "definition", "")
    what = "the function wave has another formula or noise than in the baseline"
    assert finding.sentence == f"{what}, 198 cells cannot be compared; {ACCEPT}"
    assert counted(found)["not comparable"] == finding.cells == 3 * 66


def test_other_points_and_epsilons_are_not_comparable():
    moved = [Function("exp", "exp(x)", ["0.5", "1.25"]), Function("wave", "sin(3*x)/x", ["0.8"])]
    found = check(run(spec(moved)), base()).findings
    assert [(finding.exit_code, finding.rule, finding.group, finding.cells) for finding in found] == [
        (4, "definition", "", 198)
    ] * 2
    assert found[0].sentence.startswith("the function exp has other points than in the baseline, 198 cells cannot be")
    assert found[1].sentence.startswith("the function wave has other points than in the baseline, 198 cells cannot be")
    finding = only(check(run(spec(epsilons="1e-1:1e-9:1/decade")), base()))
    assert (finding.exit_code, finding.rule, finding.group) == (4, "definition", "")
    assert finding.sentence.startswith("the run has other epsilons than in the baseline")


def test_another_scheme_of_the_same_name_is_not_comparable():
    before, after = (run(spec(schemes=[{"name": "mine", "offsets": k}, "central-2"])) for k in ([-1, 1], [-2, 2]))
    finding = only(check(after, baseline_of(before)))
    assert (finding.exit_code, finding.group) == (4, "mine")
    assert "mine has other nodes or weights" in finding.sentence


def test_a_scheme_that_is_gone():
    found = check(run(spec(schemes=SCHEMES[:2])), base())
    finding = only(found)
    assert (finding.exit_code, finding.rule, finding.group) == (7, "vanished", "central-4")
    assert finding.sentence.startswith("the scheme central-4 is not in the run any more (198 cells)")
    assert counted(found)["vanished"] == finding.cells == 198


def test_a_function_that_is_gone_and_a_point_that_is():
    assert only(check(run(spec([EXP])), base())).sentence.startswith("the function wave is not in the run any more")
    finding = only(check(run(spec([Function("exp", "exp(x)", ["0.5"]), WAVE])), base()))
    assert finding.exit_code == 7
    assert finding.sentence.startswith("the curve exp at point 1 (x = 1) of forward-1, and 2 more, is not in")


@pytest.mark.parametrize(
    ("left", "what"), [(2, "point 2 (x = 2) of forward-1 is"), (1, "point 1 (x = 1) of forward-1, and 1 more, is")]
)
def test_points_that_are_gone_are_named_by_the_first_and_counted(left, what):
    exponential = Function("exp", "exp(x)", ["0.5", "1", "2"])
    before = baseline_of(run(spec([exponential], ["forward-1"])))
    found = check(run(spec([exponential.at(exponential.points[:left])], ["forward-1"])), before)
    assert only(found).sentence.startswith(f"the curve exp at {what} not in the run any more")


def test_errors_that_were_not_taken_apart_are_told():
    assert check(base_results(), base()).notes == ()
    plain = run(spec(anatomy=False))
    assert check(plain, base()).notes == ("errors were not taken apart: truncation was not looked at",)
    assert check(plain, baseline_of(plain)).notes == ()


def test_a_function_that_was_renamed():
    found = check(run(spec([Function("exponential", "exp(x)", ["0.5", "1"]), WAVE])), base())
    finding = only(found)
    assert (finding.exit_code, finding.rule, finding.group) == (7, "renamed", "")
    assert finding.sentence.startswith("the function exp is called exponential now, with the same definition")
    assert counted(found)["new"] == counted(found)["vanished"] == finding.cells == 2 * 198


def test_what_is_gone_where_something_else_is_new_was_not_renamed():
    other = Function("other", "cos(x)", ["0.5", "1"])
    finding = only(check(run(spec([other, WAVE])), base()))
    assert (finding.rule, finding.group, finding.cells) == ("vanished", "", 2 * 198)
    finding = only(check(run(spec(schemes=["forward-1", "central-2", "forward-2"])), base()))
    assert (finding.rule, finding.group, finding.cells) == ("vanished", "central-4", 198)


def test_a_point_that_is_gone_is_not_found_in_another_function_with_that_formula():
    functions = [Function("exp", "exp(x)", ["0.5"]), Function("copy", "exp(x)", ["0.5", "1"]), WAVE]
    finding = only(check(run(spec(functions)), base()))
    assert (finding.rule, finding.group, finding.cells) == ("vanished", "forward-1", 198)


def test_functions_that_were_all_renamed():
    renamed = [Function("exponential", "exp(x)", ["0.5", "1"]), Function("w", "sin(3*x)/x", ["0.7"])]
    found = check(run(spec(renamed)), base())
    assert found.exit_code == 7
    assert {finding.rule for finding in found.findings} == {"renamed"}


def test_a_formula_that_is_written_otherwise_is_the_same():
    assert check(run(spec([Function("exp", " exp( t )", ["0.5", "1"]), WAVE])), base()).exit_code == 0


def test_the_bits_of_other_packages_are_not_compared():
    def scheme(factor):
        return OpaqueScheme("mine", lambda f, x, e: factor * float((f(x + e) - f(x)) / e))

    before = baseline_of(run(spec(schemes=["forward-1", scheme(1.0)])))
    assert check(run(spec(schemes=["forward-1", scheme(1.0 + 2**-52)])), before).exit_code == 0
    assert check(run(spec(schemes=["forward-1", scheme(1.1)])), before).exit_code == 1


def test_searching_rules_may_search_longer_elsewhere():
    before = baseline_of(run(spec(rules=["mathur"])))
    fewer = replace(before, evaluations=before.evaluations - [0, 1])
    assert judge(fewer, before).exit_code == 1
    assert judge(elsewhere(fewer), before).exit_code == 0


def test_a_scheme_that_was_renamed():
    found = check(run(spec(schemes=["forward-1", {"name": "mine", "offsets": [-1, 1]}, "central-4"])), base())
    assert only(found).sentence.startswith("the scheme central-2 is called mine now")
    assert (only(found).group, only(found).cells) == ("central-2", 198)


def test_a_rule_that_is_gone():
    found = check(run(spec(rules=[])), base())
    assert only(found).sentence.startswith("the step rule usual is not in the run any more")
    assert (only(found).rule, only(found).group) == ("vanished", "")
    assert counted(found)["vanished"] == 9


def test_other_step_rules_and_schemes_without_an_epsilon_beside_them_leave_bits_as_they_are():
    scheme = OpaqueScheme("mine", lambda f, x: float(f(x)), takes_epsilon=False)
    found = check(run(spec(schemes=[*SCHEMES, scheme], rules=["power-u", "usual"])), base())
    assert found.exit_code == 0
    assert counted(found) == {"unchanged": 594, "new": 9 + 3}


def test_what_is_new_passes():
    found = check(run(spec(schemes=[*SCHEMES, "central-6"])), base())
    assert found.exit_code == 0
    assert counted(found)["new"] == 198


def test_more_evaluations_end_in_1():
    before = base()
    cheaper = before.evaluations.copy()
    cheaper[before.rows[before.names[0]]] -= 1
    finding = only(check(base_results(), replace(before, evaluations=cheaper)))
    assert (finding.exit_code, finding.rule) == (1, "evaluations")
    assert "1 evaluations became 2" in finding.sentence


@pytest.mark.parametrize(("became", "code"), [("reduced", 1), ("uncertain", 6), ("", 0)])
def test_another_observed_order(became, code):
    after = replace(base(), order=[became, *base().order[1:]])
    assert set(base().order) == {"verified"}
    found = judge(base(), after)
    assert found.exit_code == code
    if code:
        assert only(found).rule == "order"
        assert f"verified became {became}" in found.reason


def test_no_baseline_can_hide_what_theory_forbids():
    """A run that lost its digits is accepted, and still does not pass."""
    worse = with_errors(base_results(), 1e5)
    before = replace(baseline_of(worse), expected=base().expected)
    finding = only(check(worse, before))
    assert (finding.exit_code, finding.rule, finding.group) == (1, "ceiling", "central-2")
    assert "where theory expects" in finding.sentence


def test_a_truncation_that_grew_ends_in_1():
    after = replace(base(), truncation=base().truncation + 0.1)
    found = judge(base(), after)
    assert [finding.rule for finding in found.findings] == ["truncation"] * 3
    assert all("0.0301 digits on average" in finding.sentence for finding in found.findings)
    assert found.exit_code == 1
    assert judge(after, base()).exit_code == 0


# other platforms ------------------------------------------------------------------------------------------------------


def test_rounding_that_differs_passes_on_another_platform_but_not_on_the_same(monkeypatch):
    def otherwise(x):
        return np.nextafter(np.exp(x), np.where(x.view(np.int64) % 3 == 0, np.inf, 0))

    other = Function("exp", "exp(x)", ["0.5", "1"], evaluate=otherwise)
    results = run(spec([other, WAVE]))
    found = check(results, base())
    assert found.exit_code == 1
    assert {finding.rule for finding in found.findings} == {"bits"}
    assert check(results, elsewhere(base())).findings == ()


@pytest.mark.parametrize(("factor", "rules"), [(10.0, {"cell"}), (30.0, {"cell", "optimum"})])
def test_a_digit_that_is_lost_everywhere_does_not_pass_on_another_platform(factor, rules):
    found = check(with_errors(base_results(), factor), elsewhere(base()))
    assert {finding.rule for finding in found.findings} >= rules
    assert {finding.group for finding in found.findings} == {"central-2"}
    assert "exp at point 0" in found.reason


def test_a_digit_that_is_lost_at_the_epsilon_of_a_rule_does_not_pass_on_another_platform():
    grid = base_results().blocks[0].grid_size
    finding = only(check(with_errors(base_results(), 1e3, np.s_[2, 1, grid]), elsewhere(base())))
    assert finding.rule == "step rule"
    assert "exp at point 1 (x = 1), rule usual" in finding.sentence
    assert "digits above its scatter are allowed)" in finding.sentence
    assert finding.cells == 1


def test_one_cell_that_rises_above_the_scatter_does_not_pass_on_another_platform():
    finding = only(check(with_errors(base_results(), 100.0, np.s_[0, 0, 10]), elsewhere(base())))
    assert (finding.rule, finding.cells) == ("cell", 1)
    assert "forward-1, derivative 1, float64: worse than the scatter of the curve allows in 1 cell" in finding.sentence
    assert "quarter-binades above its scatter are allowed)" in finding.sentence


def test_the_cell_that_rises_most_is_named_and_all_of_them_are_counted():
    cells = (np.array([0, 0]), np.array([0, 0]), np.array([8, 12]))
    worse = with_errors(with_errors(base_results(), 100.0, cells), 10.0, tuple(part[1:] for part in cells))
    finding = only(check(worse, elsewhere(base())))
    assert (finding.rule, finding.cells) == ("cell", 2)
    assert "(number 12)" in finding.sentence


def test_a_cell_may_be_as_bad_as_its_neighbours_elsewhere():
    """A lucky cell of the baseline is no promise for other platforms."""
    lucky = with_errors(base_results(), 1e-6, np.s_[0, 0, 10])
    assert check(base_results(), elsewhere(baseline_of(lucky))).exit_code == 0


def test_other_code_that_evaluates_f_is_judged_by_bounds():
    older = replace(base(), about=base().about | {"evaluator": "older"})
    found = check(with_errors(base_results(), 1.01), older)
    assert found.exit_code == 0
    assert "other code that evaluates f: bounds" in found.baseline


# selections and bounds ------------------------------------------------------------------------------------------------


def test_other_bounds_need_a_reason_and_the_last_that_matches_holds():
    worse = with_errors(base_results(), 20.0)

    def judged(*tables):
        return check(worse, elsewhere(base()), overrides=tuple(map(Override.from_table, tables)))

    assert judged().exit_code == 1
    loose = {"scheme": "central-*", "optimum": 2, "usual": 2, "quarters": 30, "reason": "twenty times"}
    assert judged(loose).exit_code == 0
    assert judged(loose, {"function": "exp", "quarters": 1, "reason": "strict"}).exit_code == 1
    assert judged({"function": "e*", "ignore": True, "reason": "known"}).exit_code == 0
    assert judged({"function": "wave", "ignore": True, "reason": "known"}).exit_code == 1
    ignored = judged({"function": "e*", "ignore": True, "reason": "known to be so"})
    assert counted(ignored) == {"unchanged": 198, "ignored": 396}
    assert "other bounds for 6 curves, function e*: known to be so" in ignored.notes
    assert "the bounds of the spec are not those that the baseline was accepted with" in ignored.notes
    with pytest.raises(InputError, match="no curve matches derivative 2"):
        judged({"derivative": "2", "ignore": True, "reason": "known"})
    with pytest.raises(EmptySelectionError, match="every curve is ignored"):
        judged({"ignore": True, "reason": "known"})


def test_the_bounds_of_the_spec_hold():
    own = spec(gate=[{"scheme": "central-2", "ignore": True, "reason": "known"}])
    results = replace(with_errors(base_results(), 20.0), spec=own.to_toml())
    assert check(results, elsewhere(base())).exit_code == 0
    assert check(results, base()).exit_code == 0


def test_only_what_is_selected_is_judged():
    worse = with_errors(base_results(), 20.0)
    assert check(worse, base(), only=["wave"]).exit_code == 0
    assert check(worse, base(), only=["wave"]).counts["unchanged"] == 198
    assert check(worse, base(), only=["central-?"]).exit_code == 1
    with pytest.raises(EmptySelectionError, match="no function or scheme is called nothing"):
        check(worse, base(), only=["nothing"])


def test_a_selection_that_the_run_has_lost_is_no_empty_one():
    assert only(check(run(spec([EXP])), base(), only=["wave"])).rule == "vanished"


def test_a_baseline_of_another_suite_is_not_comparable():
    with pytest.raises(NotComparableError, match="small has none of the functions of the run"):
        check(run(spec([Function("other", "cos(x)", ["1"])])), base())
    with pytest.raises(NotComparableError, match="it is of the suite ml, the run is of the suite lab"):
        judge(*(replace(base(), about=base().about | {"suite": suite}) for suite in ("ml", "lab")))


# sentences ------------------------------------------------------------------------------------------------------------


def test_errors_are_told_in_units_of_the_last_place_as_far_as_these_can_be_counted():
    assert [_ulps(quarters) for quarters in (-4, 0, 10, 1024)] == ["0.5 ulp", "1 ulp", "5.66 ulp", "1.16e+77 ulp"]
    assert _ulps(1025) == "more than 1e77 ulp (of a derivative that is 0, or next to it)"


def test_the_gravest_finding_comes_first_and_decides():
    findings = gravest_first(
        [
            Finding(7, "a", "", "seven"),
            Finding(6, "a", "", "six"),
            Finding(1, "a", "", "one"),
            Finding(4, "a", "", "four"),
        ]
    )
    assert [finding.exit_code for finding in findings] == [1, 4, 6, 7]
    judgement = Judgement("s", "b", {}, findings)
    assert (judgement.exit_code, judgement.reason) == (1, "one (and 3 more)")


def test_of_equal_findings_the_one_with_most_cells_comes_first():
    few, many = Finding(1, "a", "", "few", 2), Finding(1, "a", "", "many", 20)
    assert gravest_first([few, many]) == (many, few)
