"""Timed tests of a user's project, which check what they time."""

import numpy as np
import pytest
from test_derivatives import central


@pytest.mark.parametrize("scale", [1, 2])
def test_timed(accuracy, benchmark, scale):
    slope = central(np.exp)
    benchmark(slope, scale)
    accuracy.check(central(accuracy.counted(np.exp)), "exp(x)", at=scale, digits=6)


def test_checked_while_timed(accuracy, benchmark):
    benchmark(lambda: accuracy.check(lambda x: 1 / x, "log(x)", at=3, digits=15))


def test_timed_wrong(accuracy, benchmark):
    benchmark(np.cos, 1.0)
    accuracy.check(lambda x: np.cos(x) + 1e-6, "sin(x)", at=1, digits=8)


def test_timed_not_finite(accuracy, benchmark):
    benchmark(np.cos, 1.0)
    accuracy.check(lambda x: np.nan, "sin(x)", at=1, digits=8)


def test_timed_only(benchmark):
    benchmark(np.cos, 1.0)
