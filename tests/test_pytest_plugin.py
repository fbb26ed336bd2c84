"""The accuracy fixture in a project of its own: a real pytest in another process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from diffbench.analysis.timed_tests import judge_timed_tests

SAMPLE = Path(__file__).parent / "sample"
QUICKLY = ("--benchmark-warmup=off", "--benchmark-min-rounds=1", "--benchmark-max-time=0.001")
WRONG = {"test_wrong", "test_not_finite", "test_wrong_gradient", "test_no_derivative"}
WRONG_TIMED = {"test_timed_wrong", "test_timed_not_finite"}


def in_a_project(tmp_path, *arguments, files=("",)):
    # This test may run in a worker of pytest-xdist, where pytest-benchmark would not measure, and in continuous
    # integration, where pytest prints every failure once more, whole, in its summary.
    ours = ("CI", "BUILD_NUMBER")
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_") and key not in ours}
    paths = [str(SAMPLE / name) for name in files]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *paths, *arguments],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def table(out):
    """Return the section about accuracy: its headings, and its cells by name of test."""
    _, _, section = out.partition("= accuracy =")
    lines = [line for line in re.split(r"\n=+ ", section)[0].splitlines()[1:] if line]
    if not lines:
        return "", {}
    # Numbers end where their headings end, and the test begins where its heading does.
    headings, *rows = lines
    ends = [match.end() for match in re.finditer(r"digits|asked for|evaluations|median time", headings)]
    found = {}
    for row in rows:
        cells = [row[start:end].strip() for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        found[row[headings.index("test") :].rpartition("::")[2]] = cells
    return headings, found


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    path = tmp_path_factory.mktemp("project")
    done = in_a_project(path, "-v", "--benchmark-json=bench.json", "--junitxml=junit.xml", *QUICKLY)
    return done.returncode, done.stdout, path


@pytest.fixture(scope="module")
def benchmarks(outcome):
    entries = json.loads((outcome[2] / "bench.json").read_text("utf-8"))["benchmarks"]
    return {entry["name"]: entry["extra_info"] for entry in entries}


def test_what_is_right_passes_and_what_is_wrong_fails(outcome):
    code, out, _ = outcome
    assert code == 1
    results = dict(re.findall(r"::(\S+) (PASSED|FAILED)", out))
    assert {name for name, result in results.items() if result == "FAILED"} == WRONG | WRONG_TIMED
    assert len(results) >= 26


def test_a_failure_names_function_point_both_values_ulps_and_verdict(outcome):
    _, out, _ = outcome
    (line,) = [line for line in out.splitlines() if line.startswith("derivative 1 of sin(x) at x = 2.0")]
    assert "-0.4161458" in line
    assert "exact -0.4161468365471423869975682 (certified" in line
    assert re.search(r": 5\.62 digits, 1\.8e\+10 ulp", line)
    assert "fewer than 8 correct digits" in out
    assert "derivative 1 of x**2*(1/2)" not in out
    assert "derivative 1 of (3)**2*y at y = 0.5 (float64): 3.0" in out
    assert "there is no exact one: nondifferentiable" in out
    assert "derivative 1 of x**2 at x = 2.0 (float64): nan, exact 4.0 (certified" in out


def test_digits_and_evaluations_stand_beside_the_time(benchmarks):
    assert benchmarks["test_timed_only"] == {}
    for name in ("test_timed[1]", "test_timed[2]"):
        found = benchmarks[name]
        assert found.pop("digits") == pytest.approx(6.797, abs=0.01)
        assert found == {"digits_asked": 6.0, "evaluations": 2, "checked": 1}
    # However often it was checked.
    assert benchmarks["test_checked_while_timed"].keys() == {"digits", "digits_asked", "checked"}
    assert benchmarks["test_checked_while_timed"]["checked"] == 1


def test_no_digits_are_null_and_never_infinite(outcome, benchmarks):
    assert benchmarks["test_timed_not_finite"] == {"digits": None, "digits_asked": 8.0, "checked": 1}
    assert "Infinity" not in (outcome[2] / "bench.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("test", "evaluations"),
    [
        ("test_right", ""),
        ("test_counted_one_by_one", "2"),
        ("test_counted_in_an_array", "5"),
        ("test_complex_step_of_numpy", "1"),
        ("test_counted_gradient_of_a_function_of_a_vector", "4"),
        ("test_the_point_that_needs_most_is_counted", "8"),
        ("test_several_counted_functions_are_added", "4"),
        ("test_counted_but_not_needed", "0"),
    ],
)
def test_evaluations_are_those_of_a_point(outcome, test, evaluations):
    assert table(outcome[1])[1][test][2] == evaluations


def test_of_several_checks_the_one_with_least_to_spare_is_shown(outcome):
    digits, asked, _, _ = table(outcome[1])[1]["test_several_checks"]
    assert (digits[:3], asked) == ("6.7", "6.5")


def test_the_table_has_times_where_there_are_some(outcome):
    headings, rows = table(outcome[1])
    assert headings.split("  ") == ["digits", "asked for", "evaluations", "median time", "test"]
    times = {name: cells[3] for name, cells in rows.items() if cells[3]}
    assert times.keys() == {"test_timed[1]", "test_timed[2]", "test_checked_while_timed"} | WRONG_TIMED
    assert all(re.fullmatch(r"\d+\.\d\d (ns|us|ms|s)", time) for time in times.values())
    assert rows["test_timed_wrong"][:3] == ["5.73", "8", ""]
    assert rows["test_timed_not_finite"][:3] == rows["test_not_finite"][:3] == ["none", "8", ""]


def test_the_numbers_of_the_table_stand_below_each_other(outcome):
    _, _, section = outcome[1].partition("= accuracy =")
    starts = {line.index("test_") for line in section.splitlines() if re.match(r" +(none|\d+\.\d\d) ", line)}
    assert len(starts) == 1


def test_a_report_for_machines_says_it_too(outcome):
    cases = ET.parse(outcome[2] / "junit.xml").getroot().iter("testcase")  # noqa: S314
    (case,) = [case for case in cases if case.get("name") == "test_counted_one_by_one"]
    (found,) = case.iter("property")
    assert found.get("name") == "accuracy"
    assert "'evaluations': 2" in found.get("value")


@pytest.mark.slow
def test_workers_tell_their_controller(tmp_path, outcome):
    done = in_a_project(tmp_path, "-v", "-n", "2", "--benchmark-disable", "-k", "timed or counted or wrong")
    _, rows = table(done.stdout)
    assert done.returncode == 1
    assert len(rows) >= 13
    without_times = {name: cells[:3] for name, cells in table(outcome[1])[1].items() if name in rows}
    assert {name: cells[:3] for name, cells in rows.items()} == without_times
    assert {cells[3] for cells in rows.values()} == {""}


@pytest.mark.slow
def test_untimed_checks_are_shown_to_those_who_ask(tmp_path):
    done = in_a_project(tmp_path, "--benchmark-disable", files=["test_timed.py"])
    assert table(done.stdout)[1].keys() == {"test_timed[1]", "test_timed[2]", "test_checked_while_timed"} | WRONG_TIMED
    done = in_a_project(tmp_path, "--benchmark-disable", "-k", "test_right or test_gradient")
    assert done.returncode == 0
    assert "accuracy" not in done.stdout


@pytest.mark.slow
def test_a_project_without_pytest_benchmark(tmp_path):
    done = in_a_project(tmp_path, "-v", "-p", "no:benchmark", files=["test_derivatives.py"])
    results = dict(re.findall(r"::(\S+) (PASSED|FAILED|ERROR)", done.stdout))
    assert {name for name, result in results.items() if result != "PASSED"} == WRONG
    assert table(done.stdout)[1]["test_counted_one_by_one"][1:] == ["6", "2", ""]


def test_what_was_stored_can_be_judged(outcome):
    found = judge_timed_tests(outcome[2] / "bench.json", outcome[2] / "bench.json")
    assert {each.group.rpartition("::")[2] for each in found.findings} == WRONG_TIMED
    assert found.exit_code == 1
    assert found.counts["unchanged"] == len(found.groups) == 5
    assert found.properties["unchecked"] == 1


def test_nobody_who_does_not_use_it_pays_for_it(tmp_path):
    code = (
        "import sys, diffbench.pytest_plugin; print(sorted({'numpy', 'sympy', 'mpmath', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
