"""What the sweep costs above merely evaluating f at its nodes, and what sharing, pairs and threads gain."""

from contextlib import suppress
from itertools import islice

import mpmath
import numpy as np
import pytest
from common import (
    DIGITS,
    blocks_of,
    groups_of,
    known_references,
    sweep,
    sweep_in_threads,
)
from problems import TWELVE, cheap_spec, mixed_spec
from ratios import Row

from diffbench.errors import UnsupportedError
from diffbench.rounding import round_array
from diffbench.schemes.scheme import DifferenceScheme
from diffbench.sweep.nodes import NodeTable, Section
from diffbench.sweep.run import cores

pytestmark = pytest.mark.benchmark(group="sweep")

ELEMENTS = 20_000
CHECKED = 20
USUAL = {"forward-1": (1e-8, 7.5), "central-4": (1e-3, 11)}
"""The epsilon that is usual for a scheme, and how many digits of the derivative of exp are correct there at least."""


def calls_of(groups):
    """Return each compiled f with arrays of the distinct nodes, real or complex, that lie inside its domain."""
    return [call for group in groups for unit in group for call in _calls(unit)]


def _calls(unit):
    x = round_array(unit.function.points, unit.dtype)
    schemes = [s for _, chosen in unit.schemes for s in chosen if isinstance(s, DifferenceScheme)]
    section = Section(unit.function, slice(0, x.size))
    nodes = NodeTable([section], x, np.array(unit.epsilons, dtype=unit.dtype), unit.rules, schemes).grid.nodes.values()
    for dtype in ("float64", "complex128"):
        # loggamma does not take complex numbers.
        with suppress(UnsupportedError):
            f = unit.function.compile(dtype)
            yield from ((f, n[unit.function.domain.contains_array(n.real)]) for n in nodes if n.dtype == dtype)


def evaluate_only(calls):
    for f, nodes in calls:
        f(nodes)


def by_mpmath(estimates, truths):
    with mpmath.workdps(DIGITS):
        for estimate, truth in zip(estimates, truths, strict=True):
            abs(mpmath.mpf(estimate) - truth)


def by_pairs(blocks):
    for block in blocks:
        _ = block.error


def estimates_of(block, scheme, epsilon):
    """Return a scheme's estimates by point, at the epsilon of the grid that is nearest by decades."""
    column = np.abs(np.log(block.grid / epsilon)).argmin()
    estimates = block.estimate[block.schemes.index(scheme), :, column]
    return dict(zip(block.x.tolist(), estimates.tolist(), strict=True))


def test_sweep_of_the_mix(contest, mix, accuracy):
    """Measure the sweep against only calling f on the distinct nodes, and check its derivatives of exp."""
    calls = calls_of(mix)
    row = Row("sweep / distinct evaluations of f, mix of 30 functions", "≤", 1.15, 1.5)
    contest(row, lambda: sweep(mix), lambda: evaluate_only(calls))
    block = next(block for _, block in blocks_of(mix) if block.formula == "exp(x)")
    for scheme, (epsilon, digits) in USUAL.items():
        found = estimates_of(block, scheme, epsilon)
        accuracy.check(found.get, block.formula, at=list(found)[:CHECKED], digits=digits)


def test_sweep_of_cheap_functions(contest):
    """Measure the same where f costs next to nothing."""
    with known_references():
        groups = groups_of(cheap_spec())
        calls = calls_of(groups)
        row = Row("sweep / distinct evaluations of f, ten cheap functions, real schemes", "≤", 2.5, 3.5)
        contest(row, lambda: sweep(groups), lambda: evaluate_only(calls), rounds=9)


def test_sharing(contest, mix):
    """Measure a sweep of each scheme alone against one of all: the same code, but every scheme has f to itself."""
    alone = [groups_of(mixed_spec(schemes=[scheme])) for scheme in TWELVE]
    row = Row("no sharing / sharing of nodes, 12 schemes", "≥", 3, 2)
    contest(row, lambda: sweep(mix), lambda: [sweep(groups) for groups in alone])


def test_error_stage(contest, mix):
    """Measure |estimate − truth| in mpmath, truths at hand, against hi + lo; mpmath does 20 000 cells of all."""
    blocks = [block for _, block in blocks_of(mix)]
    cells = sum(block.estimate.size for block in blocks)
    numbers = islice(pairs_of(blocks, cells // ELEMENTS), ELEMENTS)
    estimates, truths = zip(*numbers, strict=True)
    row = Row("errors: mpmath per element / hi + lo", "≥", 2000, 500)
    contest(row, lambda: by_pairs(blocks), lambda: by_mpmath(estimates, truths), share=ELEMENTS / cells)


def pairs_of(blocks, stride):
    """Yield every so many-th estimate, finite or not, with its truth at 50 digits."""
    for block in blocks:
        truths = np.broadcast_to(np.arange(block.x.size)[:, None], block.estimate.shape)
        with mpmath.workdps(DIGITS):
            exact = [mpmath.mpf(hi) + mpmath.mpf(lo) for hi, lo in zip(block.hi[:, 0], block.lo[:, 0], strict=True)]
        for estimate, point in zip(block.estimate.flat[::stride], truths.flat[::stride], strict=True):
            yield float(estimate), exact[point]


@pytest.mark.skipif(cores() < 2, reason="one core")
def test_threads(contest, mix):
    """Measure the sweep with one worker of run() against two."""
    row = Row("1 thread / 2 threads, sweep", "≥", 1.5, 1.2)
    contest(row, lambda: sweep_in_threads(mix, 2), lambda: sweep_in_threads(mix, 1))
