"""The accuracy fixture in a project of its own: a real pytest in another process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parent / "sample"


def in_a_project(tmp_path, *arguments):
    # This test may run in a worker of pytest-xdist, where pytest-benchmark would not measure, and in continuous
    # integration, where pytest prints every failure once more, whole, in its summary.
    ours = ("CI", "BUILD_NUMBER")
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_") and key not in ours}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", str(SAMPLE), *arguments],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    path = tmp_path_factory.mktemp("project")
    done = in_a_project(path, "-v", "--benchmark-json=bench.json", "--benchmark-warmup=off", "--benchmark-min-rounds=1")
    return done.returncode, done.stdout, json.loads((path / "bench.json").read_text("utf-8"))


def test_what_is_right_passes_and_what_is_wrong_fails(outcome):
    code, out, _ = outcome
    assert code == 1
    results = dict(re.findall(r"::(\w+) (PASSED|FAILED)", out))
    wrong = {"test_wrong", "test_wrong_gradient", "test_no_derivative"}
    assert {name for name, result in results.items() if result == "FAILED"} == wrong
    assert len(results) == 7


def test_a_failure_names_function_point_both_values_ulps_and_verdict(outcome):
    _, out, _ = outcome
    (line,) = [line for line in out.splitlines() if line.startswith("derivative 1 of sin(x) at x = 1.0")]
    assert "0.5403033" in line
    assert "exact 0.5403023058681397174009366 (certified" in line
    assert re.search(r": 5\.73 digits, 9\.01e\+09 ulp", line)
    assert "fewer than 8 correct digits" in out
    assert "derivative 1 of x**2*(1/2)" not in out
    assert "derivative 1 of (3)**2*y at y = 0.5 (float64): 3.0" in out.replace("at x = 0.5", "at y = 0.5")
    assert "there is no exact one: nondifferentiable" in out


def test_digits_stand_beside_the_time(outcome):
    _, out, bench = outcome
    (timed,) = bench["benchmarks"]
    assert timed["extra_info"]["digits"] >= 15
    assert re.search(r"\d+\.\d\d digits, 15 asked for +\S*test_derivatives.py::test_right", out)


def test_nobody_who_does_not_use_it_pays_for_it(tmp_path):
    code = (
        "import sys, diffbench.pytest_plugin; print(sorted({'numpy', 'sympy', 'mpmath', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
