"""The committed baseline of the standard suite: small, true everywhere, blind to no decay.

The null model of another platform is f with random errors in the last places, at every node of every function.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diffbench import Spec, check, find_baseline, run
from diffbench.analysis.accepted import BASELINES, platforms
from diffbench.analysis.baseline import baseline_of
from diffbench.analysis.gate import judge
from diffbench.functions import function
from diffbench.sweep.provenance import machine

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / BASELINES


def test_what_is_committed_is_small_and_whole():
    files = sorted((COMMITTED / "standard").iterdir())
    assert max(path.stat().st_size for path in files) < 500_000
    found = [*platforms(COMMITTED / "standard"), find_baseline("standard", "another", COMMITTED)]
    assert found[-1].about["platform"] == "any"
    for each in found:
        assert each.cells_of(each.names) == Spec("standard").planned
        assert judge(each, each).findings == ()
        assert np.isfinite(each.truncation).mean() > 0.5


def noisy_run(monkeypatch, ulps, seed):
    """Return the standard suite as another platform would measure it, f wrong by up to so many ulps."""
    compile_formula = function.compile_formula

    def compiled(formula, dtype):
        f = compile_formula(formula, dtype)

        def values(x):
            exact = f(x)
            if exact.dtype.kind != "f":
                return exact
            bits = np.ascontiguousarray(x).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(7919 * seed)
            bits = (bits ^ (bits >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            steps = ((bits ^ (bits >> np.uint64(32))) % np.uint64(2 * ulps + 1)).astype(int) - ulps
            with np.errstate(all="ignore"):
                moved = exact + steps * np.spacing(exact)
            return np.where(np.isfinite(moved) & (exact != 0), moved, exact)

        return values

    with monkeypatch.context() as patch:
        patch.setattr(function, "compile_formula", compiled)
        return run(Spec("standard"))


@pytest.mark.slow
@pytest.mark.parametrize("ulps", [1, 2, 4])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_rounding_of_another_library_is_a_regression(monkeypatch, ulps, seed):
    results = noisy_run(monkeypatch, ulps, seed)
    found = judge(find_baseline("standard", "another", COMMITTED), baseline_of(results, with_orders=False))
    assert found.findings == ()
    assert set(np.flatnonzero(list(found.counts.values()))) <= {0, 1}


@pytest.mark.slow
def test_a_library_that_is_wrong_by_sixteen_ulps_is_one(monkeypatch):
    results = noisy_run(monkeypatch, 16, 1)
    found = judge(find_baseline("standard", "another", COMMITTED), baseline_of(results, with_orders=False))
    assert found.exit_code == 1
    assert found.counts["worse"] > 500
    assert len({finding.group for finding in found.findings}) > 15


@pytest.mark.slow
def test_this_machine_passes():
    """With the exact key or with any, whatever machine this is."""
    baseline = find_baseline("standard", folder=COMMITTED)
    assert check(run(Spec("standard", anatomy=True)), baseline).reason.startswith("passed: 252054 cells")


@pytest.mark.slow
def test_numpy_without_its_faster_loops_passes_as_another_platform():
    done = subprocess.run(
        [sys.executable, "-m", "diffbench", "check", "--quiet"],
        cwd=ROOT,
        env=os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(machine()["processor_features"])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("passed")
