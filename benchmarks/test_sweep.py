"""What the sweep costs above merely evaluating f at its nodes."""

import time

import numpy as np
import pytest

from diffbench import Spec
from diffbench.functions.suites import load_suite
from diffbench.rounding import round_array
from diffbench.schemes.scheme import DifferenceScheme
from diffbench.sweep.evaluate import measure
from diffbench.sweep.nodes import NodeTable

ROUNDS = 5
NAMES = ("exp", "sin", "runge", "erf", "sqrt")


@pytest.fixture(scope="module")
def units():
    functions = [function for function in load_suite("standard").functions if function.name in NAMES]
    return Spec(functions).plan()


def evaluate_only(unit):
    """Compute the nodes and f at them, and nothing else."""
    x, epsilons = (round_array(values, unit.dtype) for values in (unit.function.points, unit.epsilons))
    schemes = [s for _, chosen in unit.schemes for s in chosen if isinstance(s, DifferenceScheme)]
    return NodeTable(unit.function, x, epsilons, unit.rules, schemes)


def seconds(work, units):
    start = time.perf_counter()
    for unit in units:
        work(unit)
    return time.perf_counter() - start


def test_sweep_against_evaluating_f(benchmark, units):
    """Measure whole units against only evaluating f, in turns."""
    for work in (measure, evaluate_only):
        seconds(work, units)
    ratios = [seconds(measure, units) / seconds(evaluate_only, units) for _ in range(ROUNDS)]
    benchmark.extra_info["ratio"] = round(float(np.median(ratios)), 2)
    benchmark.pedantic(seconds, args=(measure, units), rounds=ROUNDS)
