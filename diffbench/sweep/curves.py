"""What is kept of every curve, the cells of one scheme at one point along epsilon: its optimum and its counts.

The optimal epsilon is robust on purpose: it is the largest epsilon whose running-median error, over 5 neighbours on the
grid, is least. The luckiest single cell is no oracle.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.reference.metrics import Metric, References
from diffbench.reference.pair import correct_digits, relative_error
from diffbench.sweep.results import STATUSES, Block, Direction, Status

Array = npt.NDArray[Any]

NEIGHBOURS = 5
"""How many neighbours on the grid, the cell itself included, a running median takes."""

FLAT_FACTOR = 10.0
"""The flat region holds every epsilon whose running-median error is at most this times the least."""


class Loss(NamedTuple):
    """Cells of a block that are not ok, for one reason."""

    status: str
    reason: str
    cells: int
    scheme: str
    """One of those that have such cells."""


@dataclass(frozen=True)
class Curves:
    """The curves of a block, as arrays over the axes S schemes, P points; NaN where a curve has no ok cell.

    Attributes
    ----------
    function, formula, tags, derivative, dtype, schemes, rules, first, x, noise, directions
        As in the block.
    evaluations : array
        (S, P) how often f was evaluated for a cell, at most; not counting what rules evaluated to choose epsilon.
    optimal_epsilon : array
        (S, P) largest epsilon with the least running-median error.
    oracle_error : array
        (S, P) that error, absolute; for a scheme without an epsilon the error of its one cell.
    oracle_digits : array
        (S, P) its digits; NaN where the reference is 0.
    flat_decades : array
        (S, P) width of the flat region in decades of epsilon.
    rule_digits : array
        (S, P, R) digits at the epsilon that each rule chose.
    rule_evaluations : array
        (S, P, R) how often each rule evaluated f to choose it; NaN where it does not serve the scheme.
    rule_failures : array
        (S, P, R) whether it failed by its own account.
    cells : array
        (S, P, 8) cells by status.
    verdicts : tuple of str
        P verdicts of the references.
    hi, lo : array
        The references in two words, (P,).
    losses : tuple of Loss
        Why cells are not ok.
    """

    function: str
    formula: str
    tags: tuple[str, ...]
    derivative: int
    dtype: str
    schemes: tuple[str, ...]
    rules: tuple[str, ...]
    first: int
    x: Array
    evaluations: Array
    optimal_epsilon: Array
    oracle_error: Array
    oracle_digits: Array
    flat_decades: Array
    rule_digits: Array
    rule_evaluations: Array
    rule_failures: Array
    cells: Array
    verdicts: tuple[str, ...]
    hi: Array
    lo: Array
    losses: tuple[Loss, ...]
    noise: str = ""
    directions: tuple[Direction, ...] = ()

    @property
    def key(self) -> tuple[str, int, str]:
        """Function, derivative and dtype."""
        return self.function, self.derivative, self.dtype

    @property
    def counts(self) -> dict[str, int]:
        """How many cells have each status."""
        return {status.label: int(n) for status, n in zip(STATUSES, self.cells.sum(axis=(0, 1)), strict=True)}

    def measured(self, metric: Metric) -> Array:
        """Return a metric of the oracle errors, (S, P)."""
        return metric.values(self.oracle_error, References(self.hi, self.lo, self.dtype))


def curves_of(block: Block) -> Curves:
    """Return the curves of a block."""
    error = np.abs(block.error)
    optimal_epsilon, oracle_error, flat_decades = _optima(block, error)
    digits = correct_digits(relative_error(oracle_error, block.hi[:, 0]), block.dtype)
    at_rules = slice(block.grid_size, block.grid_size + len(block.rules))
    relative = relative_error(error[:, :, at_rules], block.hi)
    evaluations = np.delete(block.evaluations, at_rules, axis=-1).max(axis=-1, initial=0)
    spent, failures = _spent(block, at_rules, evaluations)
    return Curves(
        block.function,
        block.formula,
        block.tags,
        block.derivative,
        block.dtype,
        block.schemes,
        block.rules,
        block.first,
        block.x,
        evaluations,
        optimal_epsilon,
        oracle_error,
        digits,
        flat_decades,
        correct_digits(relative, block.dtype),
        spent,
        failures,
        np.stack([np.count_nonzero(block.status == status, axis=-1) for status in STATUSES], axis=-1),
        tuple(reference.verdict for reference in block.references),
        block.hi[:, 0],
        block.lo[:, 0],
        tuple(_losses(block)),
        block.noise,
        block.directions,
    )


def running_median(error: Array) -> Array:
    """Return the median over 5 neighbours along the last axis; NaN cells are left out, and stay NaN.

    Windows are cut off at the ends. A window with fewer than 3 values has no median, unless the curve has no more.
    """
    if error.shape[-1] == 0:
        return error
    half = NEIGHBOURS // 2
    padding = np.full((*error.shape[:-1], half), np.nan)
    padded = np.concatenate([padding, error, padding], axis=-1)
    shifted = [padded[..., i : i + error.shape[-1]] for i in range(NEIGHBOURS)]
    median = _median_of_five(*shifted)
    # np.minimum and np.maximum hand a NaN on, so it marks the windows that are not full.
    partial = np.isnan(median)
    if partial.any():
        windows = np.stack([neighbour[partial] for neighbour in shifted], axis=-1)
        total = np.count_nonzero(~np.isnan(error), axis=-1, keepdims=True)
        median[partial] = _median_of_some(windows, np.broadcast_to(total, error.shape)[partial])
    median[np.isnan(error)] = np.nan
    return median


def _median_of_five(a: Array, b: Array, c: Array, d: Array, e: Array) -> Array:
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    median: Array = np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e))
    return median


def _median_of_some(windows: Array, total: Array) -> Array:
    """Return the medians of windows, (N, 5), with NaN for what they lack; NaN where too few are left of a total."""
    windows = np.sort(windows, axis=-1)
    count = np.count_nonzero(~np.isnan(windows), axis=-1)
    low, high = (
        np.take_along_axis(windows, np.maximum(place, 0)[:, None], axis=-1)[:, 0]
        for place in ((count - 1) // 2, count // 2)
    )
    # Half of each before the sum, which could overflow.
    median = np.where(low == high, low, low / 2 + high / 2)
    return np.where(count < np.minimum(3, total), np.nan, median)


def _optima(block: Block, error: Array) -> tuple[Array, Array, Array]:
    """Return optimal epsilon, oracle error and width of the flat region, each (S, P)."""
    grid = block.grid_size
    usable = error[:, :, :grid]
    if (block.status[:, :, :grid] != Status.OK).any():
        usable = np.where(block.status[:, :, :grid] == Status.OK, usable, np.nan)
    alone = _single_errors(block, error)
    if grid == 0:
        empty = np.full(alone.shape, np.nan)
        return empty, alone, empty
    smooth = running_median(usable)
    ranked = np.where(np.isnan(smooth), np.inf, smooth)
    best = np.argmin(ranked, axis=-1)[..., None]
    oracle = np.take_along_axis(smooth, best, axis=-1)
    empty = np.isnan(oracle[..., 0])
    with np.errstate(all="ignore"):
        flat = ranked <= FLAT_FACTOR * oracle
        # The grid falls: the first flat epsilon is the largest.
        first, last = flat.argmax(axis=-1), grid - 1 - flat[..., ::-1].argmax(axis=-1)
        decades = np.log10(block.grid[first] / block.grid[last])
    return (
        np.where(empty, np.nan, block.grid[best[..., 0]]),
        np.where(empty, alone, oracle[..., 0]),
        np.where(empty, np.nan, decades),
    )


def _single_errors(block: Block, error: Array) -> Array:
    """Return |error| of schemes without an epsilon, which have one cell a point, (S, P); NaN for the others."""
    alone = block.grid_size + len(block.rules)
    if alone == block.status.shape[-1]:
        return np.full(block.status.shape[:2], np.nan)
    return np.where(block.status[:, :, alone] == Status.OK, error[:, :, alone], np.nan)


def _spent(block: Block, at_rules: slice, evaluations: Array) -> tuple[Array, Array]:
    """Return how often rules evaluated f for themselves, NaN where they do not serve, and whether they failed."""
    cells, reasons = block.evaluations[:, :, at_rules], block.reason[:, :, at_rules]
    # A rule that found no epsilon leaves the scheme nothing to evaluate.
    has_estimate = block.status[:, :, at_rules] != Status.UNSUPPORTED
    spent = np.where(cells > 0, cells - np.where(has_estimate, evaluations[..., None], 0), np.nan)
    told = [[reason.startswith(f"{rule}: ") for reason in block.reasons] for rule in block.rules]
    failed = np.zeros(cells.shape, dtype=bool)
    for i, own in enumerate(told):
        failed[..., i] = np.array(own)[reasons[..., i]] & (cells[..., i] > 0)
    return spent, failed


def _losses(block: Block) -> list[Loss]:
    lost = np.nonzero((block.status != Status.OK) & (block.status != Status.ABSENT))
    if lost[0].size == 0:
        return []
    codes = block.status[lost].astype(np.int64) * len(block.reasons) + block.reason[lost]
    found, first, cells = np.unique(codes, return_index=True, return_counts=True)
    losses = [
        Loss(
            Status(int(code) // len(block.reasons)).label,
            block.reasons[int(code) % len(block.reasons)],
            int(count),
            block.schemes[int(lost[0][place])],
        )
        for code, place, count in zip(found, first, cells, strict=True)
    ]
    return sorted(losses)
