"""A run needs no more memory for having more cells."""

import resource
import subprocess
import sys

import pytest

SWEEP = """
import resource, sys
from diffbench import Function, Spec, run

points = [f"{100 + i}/{int(sys.argv[1])}" for i in range(int(sys.argv[1]))]
formulas = ("exp(x)", "sin(x)", "tanh(x)", "atan(x)", "x*exp(-x)", "1/(1 + 25*x**2)", "cos(x)", "asinh(x)")
schemes = ["forward-1", "forward-2", "backward-1", "central-2", "central-4", "central-6", "central-8", "complex-step"]
spec = Spec([Function(text, text, points) for text in formulas], schemes, "1:1e-16:10/decade", rules=[])
results = run(spec, out=sys.argv[2], keep="summary", jobs=2)  # as many on every machine
assert sum(results.counts.values()) == spec.planned
print(spec.planned, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(points, out):
    """Return cells and peak memory of a run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, str(points), str(out)], capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "getrusage"), reason="the system does not tell")
def test_a_hundred_million_cells_take_hardly_more_memory_than_ten_million(tmp_path):
    cells, memory = peak(970, tmp_path / "small")
    more_cells, more_memory = peak(9_705, tmp_path / "large")
    assert cells > 9_990_000
    assert more_cells >= 99_990_000
    assert more_memory <= 1.2 * memory
