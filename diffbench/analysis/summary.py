"""Summaries over the points of each function, and a ranking of the schemes over the functions."""

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diffbench.reference import metrics
from diffbench.sweep.curves import Curves
from diffbench.sweep.results import STATUSES, Results

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

RANKING_CRITERION = (
    "ranked by digits at the optimal epsilon: for each function the median over its points, then the median over "
    "functions; a function without any counts as 0 digits; the optimal epsilon has the least running median of "
    "5 errors, so a luckier one may have more"
)


def summary_columns(curves: Iterable[Curves]) -> dict[str, list[Any]]:
    """Return the summary as columns: one row for each function × derivative × dtype × scheme; None for null."""
    rows = [row for parts in by_function(curves) for row in _summary_rows(parts)]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def by_function(curves: Iterable[Curves]) -> Iterator[list[Curves]]:
    """Yield the curves of each function, derivative and dtype; those of many points come in parts."""
    for _, parts in groupby(curves, key=lambda part: part.key):
        yield list(parts)


def along_points(parts: list[Curves], name: str) -> Array:
    """Return an array of several parts as one, (S, P, …)."""
    return np.concatenate([getattr(part, name) for part in parts], axis=1)


def _summary_rows(parts: list[Curves]) -> list[dict[str, Any]]:
    first = parts[0]
    digits, usual = along_points(parts, "oracle_digits"), _usual_digits(parts)
    counts = along_points(parts, "cells").sum(axis=1)
    middle_digits, worst_digits = _median_and_least(digits)
    middle_usual, worst_usual = _median_and_least(usual)
    columns = {
        "evaluations": along_points(parts, "evaluations").max(axis=1),
        "points": np.full(len(first.schemes), digits.shape[1]),
        "optimal_epsilon": _middle(along_points(parts, "optimal_epsilon")),
        "optimal_digits": middle_digits,
        "optimal_digits_worst": worst_digits,
        "flat_decades": _median_and_least(along_points(parts, "flat_decades"))[0],
        "usual_digits": middle_usual,
        "usual_digits_worst": worst_usual,
        **dict(_further_columns(parts)),
        "planned": counts.sum(axis=-1),
        **{status.label: counts[:, i] for i, status in enumerate(STATUSES)},
    }
    values = {
        name: [None if math.isnan(value) else value for value in column.tolist()] for name, column in columns.items()
    }
    about = {"function": first.function, "derivative": first.derivative, "dtype": first.dtype}
    return [
        {**about, "scheme": scheme, **{name: column[s] for name, column in values.items()}}
        for s, scheme in enumerate(first.schemes)
    ]


def _further_columns(parts: list[Curves]) -> Iterator[tuple[str, Array]]:
    """Yield median and worst of the metrics that are not stored, over the points."""
    for metric in metrics.FURTHER:
        values = np.concatenate([part.measured(metric) for part in parts], axis=1)
        middle, worst = _median_and_least(values if metric.better == "larger" else -values)
        yield metric.optimal, middle if metric.better == "larger" else -middle
        yield metric.optimal_worst, worst if metric.better == "larger" else -worst


def _usual_digits(parts: list[Curves]) -> Array:
    rules = parts[0].rules
    if "usual" not in rules:
        return np.full((len(parts[0].schemes), 1), np.nan)
    return along_points(parts, "rule_digits")[:, :, rules.index("usual")]


def summarize(results: Results) -> "pd.DataFrame":
    """Return one row for each function × derivative × dtype × scheme.

    Columns: the optimal epsilon (the middle one of the points'), digits there and at the usual rule (median and worst
    over the points whose reference is not 0), the width of the flat region in decades, further metrics, and the cells
    by status.

    Examples
    --------
    >>> from diffbench import Spec, run
    >>> table = summarize(run(Spec("exp", ["forward-1", "central-2", "complex-step"])))
    >>> table.set_index("scheme").optimal_digits.round().astype(int).to_dict()
    {'forward-1': 8, 'central-2': 11, 'complex-step': 16}
    """
    import pandas as pd

    return pd.DataFrame(summary_columns(results.curves)).convert_dtypes(dtype_backend="pyarrow")


def rank(results: Results) -> "pd.DataFrame":
    """Return the schemes of each derivative and dtype, best first, by ``RANKING_CRITERION``.

    Examples
    --------
    >>> from diffbench import Spec, run
    >>> rank(run(Spec("exp", ["forward-1", "central-2", "complex-step"]))).scheme.to_list()
    ['complex-step', 'central-2', 'forward-1']
    """
    import pandas as pd

    return pd.DataFrame(ranking_rows(results.curves)).convert_dtypes(dtype_backend="pyarrow")


def ranking_rows(curves: Iterable[Curves]) -> list[dict[str, Any]]:
    """Return the ranking as rows."""
    groups: dict[tuple[int, str, str], list[dict[str, Any]]] = {}
    for parts in by_function(curves):
        for row in _summary_rows(parts):
            groups.setdefault((row["derivative"], row["dtype"], row["scheme"]), []).append(row)
    come = {key: place for place, key in enumerate(dict.fromkeys(key[:2] for key in groups))}
    rows = [_rank_row(key, own) for key, own in groups.items()]
    ranked = sorted(rows, key=lambda row: (come[row["derivative"], row["dtype"]], *_rank_order(row)))
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
        "flat_decades": _median(_known(rows, "flat_decades")),
        **{key: value for metric in metrics.FURTHER for key, value in _further_over(metric, rows)},
        "ok": total["ok"],
        "not_ok": sum(total.values()) - total["ok"],
    }


def _further_over(metric: metrics.Metric, rows: list[dict[str, Any]]) -> Iterator[tuple[str, float | None]]:
    """Yield median and worst of a metric over the functions that have it."""
    yield metric.optimal, _median(_known(rows, metric.optimal))
    worst = _known(rows, metric.optimal_worst)
    known = worst[~np.isnan(worst)]
    yield metric.optimal_worst, float((known.min if metric.better == "larger" else known.max)()) if known.size else None


def _known(rows: list[dict[str, Any]], column: str) -> Array:
    return np.array([row[column] for row in rows], dtype=float)


def _rank_order(row: dict[str, Any]) -> tuple[Any, ...]:
    digits = row["optimal_digits"]
    return -(digits if digits is not None else -np.inf), row["evaluations"], row["scheme"]


def _or_zero(rows: list[dict[str, Any]], column: str) -> list[float]:
    """Return a column with 0 digits for functions that have none."""
    return [row[column] or 0.0 for row in rows]


def _median(values: Array) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else None


def _median_and_least(values: Array) -> tuple[Array, Array]:
    """Return the median and the least of the values in each row, by one sort; NaN where there is none."""
    rows = np.sort(values, axis=1)
    count = np.count_nonzero(~np.isnan(rows), axis=1)
    low, high = (_at(rows, place) for place in ((count - 1) // 2, count // 2))
    return np.where(low == high, low, low / 2 + high / 2), rows[:, 0]


def _middle(values: Array) -> Array:
    """Return the middle one of the values in each row, the smaller of two, so that it is one of them."""
    rows = np.sort(values, axis=1)
    return _at(rows, (np.count_nonzero(~np.isnan(rows), axis=1) - 1) // 2)


def _at(rows: Array, place: Array) -> Array:
    return np.take_along_axis(rows, np.maximum(place, 0)[:, None], axis=1)[:, 0]
