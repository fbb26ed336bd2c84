"""The gate over the file that pytest-benchmark writes."""

import json
import math

import pytest

from diffbench.analysis.pairing import TRANSITIONS
from diffbench.analysis.timed_tests import LOST_DIGITS, judge_timed_tests
from diffbench.errors import EmptySelectionError, InputError, StoreError

MACHINE = {"system": "Linux", "machine": "x86_64", "node": "somewhere"}
SLOPE = "tests/test_f.py::test_slope[2]"


@pytest.fixture
def bench(tmp_path):
    """Return a function that writes a file as pytest-benchmark does: tests by name, with their extra_info."""

    def write(tests, name="bench.json", machine=MACHINE, time=1e-6):
        entries = [
            {"name": test.rpartition("::")[2], "fullname": test, "extra_info": extra, "stats": {"median": time}}
            for test, extra in (tests.items() if isinstance(tests, dict) else tests)
        ]
        path = tmp_path / name
        path.write_text(json.dumps({"machine_info": machine, "benchmarks": entries, "version": "5.1.0"}), "utf-8")
        return path

    return write


@pytest.fixture
def judged(bench):
    """Return a function that judges a test against what it was."""

    def judge(before, after):
        old, new = ({} if extra is None else {SLOPE: extra} for extra in (before, after))
        # Beside a test that stays, so that a file never is without one.
        stays = {"test_g.py::test_other": {"digits": 15.9, "digits_asked": 15}}
        return judge_timed_tests(bench(new | stays), bench(old | stays, "old.json"))

    return judge


def extra(digits, asked=8.0, **more):
    return {"digits": digits, "digits_asked": asked, **more}


@pytest.mark.parametrize(
    ("before", "after", "transition", "broken"),
    [
        (extra(10.5), extra(10.5), "unchanged", []),
        (extra(10.5), extra(10.4), "unchanged", []),
        (extra(1.1, 1), extra(1.0, 1), "unchanged", []),
        (extra(10.5), extra(10.6), "unchanged", []),
        (extra(10.5), extra(10.39), "worse", [(1, "digits")]),
        (extra(10.5), extra(10.61), "better", []),
        (extra(10.5), extra(7.999), "worse", [(1, "asked"), (1, "digits")]),
        (extra(7.5), extra(7.5), "unchanged", [(1, "asked")]),
        (extra(7.5), extra(8.5), "better", []),
        (extra(10.5), extra(10.5, 9), "unchanged", []),
        (extra(10.5), extra(10.5, 7.5), "unchanged", [(7, "weakened")]),
        (extra(10.5), extra(9.5, 7.5), "worse", [(1, "digits"), (7, "weakened")]),
        (extra(10.5, checked=3), extra(10.5, checked=2), "unchanged", [(7, "weakened")]),
        (extra(10.5, checked=3), extra(10.5, checked=4), "unchanged", []),
        (extra(10.5, checked=3), extra(10.5), "unchanged", []),
        (extra(10.5, evaluations=2), extra(10.5, evaluations=2), "unchanged", []),
        (extra(10.5, evaluations=2), extra(10.5, evaluations=3), "worse", [(1, "evaluations")]),
        (extra(10.5, evaluations=2), extra(11.5, evaluations=3), "worse", [(1, "evaluations")]),
        (extra(10.5, evaluations=2), extra(10.5, evaluations=1), "better", []),
        (extra(10.5, evaluations=2), extra(10.5), "unchanged", [(7, "uncounted")]),
        (extra(10.5), extra(10.5, evaluations=2), "unchanged", []),
        (None, extra(10.5), "new", []),
        (None, extra(7.5), "new", [(1, "asked")]),
        ({}, extra(10.5), "new", []),
        (extra(10.5), None, "vanished", [(7, "vanished")]),
        (extra(10.5), {}, "vanished", [(7, "vanished")]),
        (extra(10.5), {"rounds": 5}, "vanished", [(7, "vanished")]),
        (extra(10.5), {"digits": math.inf}, "vanished", [(7, "vanished")]),
        (extra(None), None, "vanished", [(7, "vanished")]),
        (extra(10.5), extra(None), "ok to not ok", [(1, "asked")]),
        (extra(10.5), extra(math.nan), "ok to not ok", [(1, "asked")]),
        (extra(None), extra(10.5), "not ok to ok", []),
        (extra(None), extra(None), "unchanged", [(1, "asked")]),
        ({"digits": 10.5}, {"digits": 10.5}, "unchanged", []),
        ({"digits": 10.5}, {"digits": 10.3}, "worse", [(1, "digits")]),
        (extra(10.5), {"digits": 10.5}, "unchanged", [(7, "weakened")]),
    ],
)
def test_every_test_has_one_transition_and_every_broken_rule_a_sentence(judged, before, after, transition, broken):
    found = judged(before, after)
    assert [(each.exit_code, each.rule) for each in found.findings] == broken
    assert found.exit_code == (broken[0][0] if broken else 0)
    assert found.groups[SLOPE] == dict.fromkeys(TRANSITIONS, 0) | {transition: 1}
    assert found.groups["test_g.py::test_other"] == dict.fromkeys(TRANSITIONS, 0) | {"unchanged": 1}
    for finding in found.findings:
        assert finding.group == SLOPE
        assert finding.sentence.startswith(f"{SLOPE}: ")
        assert "\n" not in finding.sentence


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        (extra(10.5), extra(8.999), ("8.99 digits", "10.50", "0.1 may be lost", "undo", "baseline")),
        (None, extra(7.999), ("7.99 digits", "the 8 asked for", "correct the derivative")),
        (None, extra(None), ("no digits", "8 are asked for", "not finite", "no exact one")),
        (extra(9, evaluations=2), extra(9, evaluations=5), ("5 evaluations", "the 2 of", "undo", "baseline")),
        (extra(9, evaluations=2), extra(9), ("does not count", "has 2", "count them")),
        (extra(9, 8), extra(9, 7.5), ("asks for 7.5 digits", "for 8", "ask for as many")),
        (extra(9, checked=4), extra(9, checked=3), ("checks 3 values", "baseline 4", "restore")),
        (extra(9.25), None, ("9.25 digits in the baseline", "no check in", "bench.json", "restore")),
    ],
)
def test_a_sentence_has_both_numbers_and_what_to_do(judged, before, after, parts):
    (finding,) = judged(before, after).findings
    assert [part for part in parts if part not in finding.sentence] == []


def test_without_a_baseline_only_what_is_asked_for_counts(bench):
    path = bench({"a": extra(9.0), "b": extra(7.0), "c": {}, "d": {"digits": 3}})
    found = judge_timed_tests(path)
    assert [(each.group, each.rule) for each in found.findings] == [("b", "asked")]
    assert found.counts["new"] == sum(found.counts.values()) == 3
    assert found.properties == {"tests": 3, "unchecked": 1, "platform": "Linux x86_64"}
    assert found.subject == str(path)
    assert found.reason == "b: 7.00 digits, fewer than the 8 asked for: correct the derivative, or ask for fewer"


def test_time_is_not_judged(bench):
    tests = {"a": extra(9.0), "b": extra(10.0)}
    found = judge_timed_tests(bench(tests, time=100.0), bench(tests, "old.json"))
    assert found.exit_code == 0
    assert found.counts == dict.fromkeys(TRANSITIONS, 0) | {"unchanged": 2}
    assert found.reason.startswith("passed: 2 tests compared with ")


def test_tests_with_parameters_are_apart(bench):
    old = {"f.py::test[1]": extra(9.0), "f.py::test[2]": extra(12.0)}
    new = {"f.py::test[1]": extra(9.0), "f.py::test[2]": extra(9.0)}
    (finding,) = judge_timed_tests(bench(new), bench(old, "old.json")).findings
    assert finding.group == "f.py::test[2]"


def test_regressions_come_before_what_is_stale(bench):
    old = {"a": extra(9.0), "b": extra(9.0), "c": extra(9.0)}
    found = judge_timed_tests(bench({"b": extra(8.5), "c": extra(9.0, 7)}), bench(old, "old.json"))
    assert [each.rule for each in found.findings] == ["digits", "vanished", "weakened"]
    assert found.exit_code == 1
    assert found.reason.endswith("(and 2 more)")


def test_of_a_test_that_ran_again_the_worst_counts(bench):
    for runs in ([extra(9.0), extra(7.0)], [extra(7.0), extra(9.0)], [extra(9.0), extra(None)]):
        (finding,) = judge_timed_tests(bench([("a", each) for each in runs])).findings
        assert finding.rule == "asked"


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (MACHINE, "the same platform"),
        ({"system": "Darwin", "machine": "arm64"}, "Darwin arm64"),
        ({}, "an unknown platform"),
        (None, "an unknown platform"),
    ],
)
def test_it_says_where_the_baseline_was_measured(bench, machine, words):
    tests = {"a": extra(9.0)}
    found = judge_timed_tests(bench(tests), bench(tests, "old.json", machine))
    assert f"old.json ({words}), digits within {LOST_DIGITS}" in found.baseline
    assert "somewhere" not in str(found)


def test_two_unknown_platforms_are_not_the_same(bench):
    tests = {"a": extra(9.0)}
    found = judge_timed_tests(bench(tests, machine={}), bench(tests, "old.json", {}))
    assert "(an unknown platform)" in found.baseline


def test_a_name_cannot_break_the_line(bench):
    (finding,) = judge_timed_tests(bench({"a\n::error::b\x1b[31m": extra(7.0)})).findings
    assert finding.sentence.isprintable()


@pytest.mark.parametrize("tests", [{}, {"a": {}}, {"a": {"digits": None}, "b": {"rounds": 3}}])
def test_a_file_without_digits_is_an_empty_selection(bench, tests):
    good = bench({"a": extra(9.0)}, "good.json")
    for arguments in ((bench(tests),), (bench(tests), good), (good, bench(tests))):
        with pytest.raises(EmptySelectionError, match=r"bench\.json: none of its \d tests has digits"):
            judge_timed_tests(*arguments)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, StoreError),
        (b"", StoreError),
        (b'{"benchmarks": [', StoreError),
        (b"\xff\xfe{}", StoreError),
        (b"[]", StoreError),
        (b'{"a":' * 100_000, StoreError),
        (b"{}", InputError),
        (b'{"benchmarks": {}}', InputError),
        (b'{"benchmarks": [3]}', InputError),
        (b'{"benchmarks": [{"name": "a"}]}', InputError),
        (b'{"benchmarks": [{"fullname": ""}]}', InputError),
        (b'{"benchmarks": [{"fullname": "a", "extra_info": [1]}]}', InputError),
        (b'{"benchmarks": [{"fullname": "a", "extra_info": {"digits": "9"}}]}', InputError),
        (b'{"benchmarks": [{"fullname": "a", "extra_info": {"digits": true}}]}', InputError),
        (b'{"benchmarks": [{"fullname": "a", "extra_info": {"digits": 1' + b"0" * 400 + b"}}]}", InputError),
    ],
)
def test_what_is_no_file_of_pytest_benchmark_is_refused(tmp_path, text, error):
    path = tmp_path / "other.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(error, match=r"other\.json") as caught:
        judge_timed_tests(path)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_a_folder_or_no_path_is_refused(tmp_path):
    with pytest.raises(StoreError):
        judge_timed_tests(tmp_path)
    with pytest.raises(InputError, match="3 is not a path"):
        judge_timed_tests(3)
