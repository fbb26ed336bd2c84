"""Summaries of curves: the optimal epsilon of each, its digits, and a ranking of the schemes over the functions.

The optimal epsilon is robust on purpose: it is the largest epsilon whose running-median error, over 5 neighbours on the
grid, is least. The luckiest single cell is no oracle.
"""

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diffbench.reference.pair import correct_digits, relative_error
from diffbench.sweep.results import STATUSES, Block, Results, Status

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

NEIGHBOURS = 5
"""How many neighbours on the grid, the cell itself included, a running median takes."""

FLAT_FACTOR = 10.0
"""The flat region holds every epsilon whose running-median error is at most this times the least."""

RANKING_CRITERION = (
    "ranked by digits at the optimal epsilon: for each function the median over its points, then the median over "
    "functions; a function without any counts as 0 digits"
)


@dataclass(frozen=True)
class CurveSummary:
    """Per scheme and point, (S, P); NaN where a curve has no ok cell.

    Attributes
    ----------
    optimal_epsilon : array
        Largest epsilon with the least running-median error.
    oracle_error : array
        That error, absolute; for a scheme without an epsilon the error of its one cell.
    oracle_digits : array
        Its digits; NaN where the reference is 0.
    flat_decades : array
        Width of the flat region in decades of epsilon.
    """

    optimal_epsilon: Array
    oracle_error: Array
    oracle_digits: Array
    flat_decades: Array


def running_median(error: Array) -> Array:
    """Return the median over 5 neighbours along the last axis; NaN cells are left out, and stay NaN.

    Windows are cut off at the ends. A window with fewer than 3 values has no median, unless the curve has no more.
    """
    half = NEIGHBOURS // 2
    padded = np.pad(error, [(0, 0)] * (error.ndim - 1) + [(half, half)], constant_values=np.nan)
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(padded, NEIGHBOURS, axis=-1), axis=-1)
    count = np.count_nonzero(~np.isnan(windows), axis=-1)
    low, high = (
        np.take_along_axis(windows, np.maximum(place, 0)[..., None], axis=-1)[..., 0]
        for place in ((count - 1) // 2, count // 2)
    )
    # Half of each before the sum, which could overflow.
    median = np.where(low == high, low, low / 2 + high / 2)
    total = np.count_nonzero(~np.isnan(error), axis=-1, keepdims=True)
    return np.where(np.isnan(error) | (count < np.minimum(3, total)), np.nan, median)


def summarize_curves(block: Block) -> CurveSummary:
    """Return the summaries of all curves of a block."""
    grid = slice(0, block.grid_size)
    with np.errstate(all="ignore"):
        usable = np.where(block.status[:, :, grid] == Status.OK, np.abs(block.error[:, :, grid]), np.nan)
    smooth = running_median(usable)
    empty = np.all(np.isnan(smooth), axis=-1)
    best = np.argmin(np.where(np.isnan(smooth), np.inf, smooth), axis=-1)[..., None]
    epsilon = block.epsilon[:, :, grid]
    with np.errstate(all="ignore"):
        oracle = np.take_along_axis(smooth, best, axis=-1)
        flat = smooth <= FLAT_FACTOR * oracle
        high, low = (np.where(flat, epsilon, fill) for fill in (0.0, np.inf))
        decades = np.log10(high.max(axis=-1) / low.min(axis=-1))
        oracle = np.where(np.isnan(oracle), _single_errors(block), oracle)
        digits = correct_digits(relative_error(oracle, block.hi), block.dtype)[..., 0]
    return CurveSummary(
        np.where(empty, np.nan, np.take_along_axis(epsilon, best, axis=-1)[..., 0]),
        oracle[..., 0],
        digits,
        np.where(empty, np.nan, decades),
    )


def _single_errors(block: Block) -> Array:
    """Return |error| of schemes without an epsilon, which have one cell a point, (S, P, 1); NaN for the others."""
    alone = block.grid_size + len(block.rules)
    if alone == block.status.shape[-1]:
        return np.full((*block.status.shape[:2], 1), np.nan)
    ok = block.status[:, :, alone:] == Status.OK
    return np.where(ok, np.abs(block.error[:, :, alone:]), np.nan)


def summary_columns(blocks: Iterable[Block]) -> dict[str, list[Any]]:
    """Return the summary as columns: one row for each function × derivative × dtype × scheme; None for null."""
    rows = [row for block in blocks for row in _summary_rows(block)]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _summary_rows(block: Block) -> list[dict[str, Any]]:
    curves = summarize_curves(block)
    usual = np.full(curves.oracle_digits.shape, np.nan)
    if "usual" in block.rules:
        usual = block.digits[:, :, block.rule_column("usual")]
    columns = {
        "evaluations": block.evaluations.max(axis=(1, 2)),
        "points": np.full(len(block.schemes), len(block.x)),
        "optimal_epsilon": _middle(curves.optimal_epsilon),
        "optimal_digits": _over_points(np.nanmedian, curves.oracle_digits),
        "optimal_digits_worst": _over_points(np.nanmin, curves.oracle_digits),
        "flat_decades": _over_points(np.nanmedian, curves.flat_decades),
        "usual_digits": _over_points(np.nanmedian, usual),
        "usual_digits_worst": _over_points(np.nanmin, usual),
        "planned": np.count_nonzero(block.status != Status.ABSENT, axis=(1, 2)),
        **{status.label: np.count_nonzero(block.status == status, axis=(1, 2)) for status in STATUSES},
    }
    values = {
        name: [None if math.isnan(value) else value for value in column.tolist()] for name, column in columns.items()
    }
    about = {"function": block.function, "derivative": block.derivative, "dtype": block.dtype}
    return [
        {**about, "scheme": scheme, **{name: column[s] for name, column in values.items()}}
        for s, scheme in enumerate(block.schemes)
    ]


def summarize(results: Results) -> "pd.DataFrame":
    """Return one row for each function × derivative × dtype × scheme.

    Columns: the optimal epsilon (the middle one of the points'), digits there and at the usual rule (median and worst
    over the points whose reference is not 0), the width of the flat region in decades, and the cells by status.

    Examples
    --------
    >>> from diffbench import Spec, run
    >>> float(summarize(run(Spec("lab"))).query("function == 'w**3'").optimal_digits.iloc[0].round(1))
    7.1
    """
    import pandas as pd

    return pd.DataFrame(summary_columns(results.blocks)).convert_dtypes(dtype_backend="pyarrow")


def rank(results: Results) -> "pd.DataFrame":
    """Return the schemes of each derivative and dtype, best first, by :data:`RANKING_CRITERION`."""
    import pandas as pd

    return pd.DataFrame(ranking_rows(results.blocks)).convert_dtypes(dtype_backend="pyarrow")


def ranking_rows(blocks: Iterable[Block]) -> list[dict[str, Any]]:
    """Return the ranking as rows."""
    groups: dict[tuple[int, str, str], list[dict[str, Any]]] = {}
    for block in blocks:
        for row in _summary_rows(block):
            groups.setdefault((row["derivative"], row["dtype"], row["scheme"]), []).append(row)
    ranked = sorted((_rank_row(key, rows) for key, rows in groups.items()), key=_rank_order)
    places: dict[tuple[int, str], int] = {}
    for row in ranked:
        key = (row["derivative"], row["dtype"])
        places[key] = row["rank"] = places.get(key, 0) + 1
    return ranked


def _rank_row(key: tuple[int, str, str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    derivative, dtype, scheme = key
    total = {status.label: sum(row[status.label] for row in rows) for status in STATUSES}
    measurable = [row for row in rows if row["optimal_digits"] is not None or not row["ok"]]
    usual = measurable if any(row["usual_digits"] is not None for row in rows) else []
    return {
        "rank": 0,
        "scheme": scheme,
        "derivative": derivative,
        "dtype": dtype,
        "evaluations": max(row["evaluations"] for row in rows),
        "functions": len(measurable),
        "optimal_digits": _median(np.array(_or_zero(measurable, "optimal_digits"))),
        "optimal_digits_worst": min(_or_zero(measurable, "optimal_digits_worst"), default=None),
        "usual_digits": _median(np.array(_or_zero(usual, "usual_digits"))),
        "usual_digits_worst": min(_or_zero(usual, "usual_digits_worst"), default=None),
        "flat_decades": _median(np.array([row["flat_decades"] for row in rows], dtype=float)),
        "ok": total["ok"],
        "not_ok": sum(total.values()) - total["ok"],
    }


def _rank_order(row: dict[str, Any]) -> tuple[Any, ...]:
    digits = row["optimal_digits"]
    return (
        row["derivative"],
        row["dtype"],
        -(digits if digits is not None else -np.inf),
        row["evaluations"],
        row["scheme"],
    )


def _or_zero(rows: list[dict[str, Any]], column: str) -> list[float]:
    """Return a column with 0 digits for functions that have none."""
    return [row[column] or 0.0 for row in rows]


def _median(values: Array) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else None


def _over_points(reduce: Callable[..., Array], values: Array) -> Array:
    """Reduce (S, P) over the points that have a value; NaN where none has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(reduce(values, axis=1))


def _middle(values: Array) -> Array:
    """Return the middle one of the values in each row, the smaller of two, so that it is one of them."""
    rows = np.sort(values, axis=1)
    count = np.count_nonzero(~np.isnan(rows), axis=1)
    return np.take_along_axis(rows, np.maximum((count - 1) // 2, 0)[:, None], axis=1)[:, 0]
