"""Tables of a leaderboard: what became of other libraries' answers, and whether their error estimates hold."""

from collections.abc import Iterable, Sequence
from typing import Any

from diffbench.analysis.outcomes import OUTCOME_CRITERION, OUTCOMES, Case, Contestant, outcome_rows
from diffbench.analysis.profiles import CALIBRATION_CRITERION, CLASS_CRITERION, calibration_rows, ranking_rows
from diffbench.analysis.told import TOLD_CRITERION, told_rows
from diffbench.dtypes import find_dtype
from diffbench.report.table import Column, Table
from diffbench.sweep.contest import TIMINGS_CRITERION, Timing
from diffbench.sweep.results import STATUSES, Results

CONTEST = ("leaderboard", "calibration", "calibration-classes", "told", "timings", "classes")
"""The tables of a run of libraries by file name, in the order of the page."""

_OUTCOME_KEYS = {word.replace(" ", "_"): word for word in OUTCOMES}

_MINOR = ("nonfinite", "left_domain", "unsupported", "not_judged")
"""Outcomes that a narrow terminal may leave out."""


def leaderboard_table(results: Results, contestants: Sequence[Contestant]) -> Table:
    """Return every contestant in each derivative and dtype, those with the largest share of right cells first."""
    columns = (
        Column("library", "library"),
        Column("package", "package", optional=True),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("cells", "cells", "count"),
        *_outcome_columns(OUTCOMES),
        Column("digits", "digits", "digits"),
        Column("digits_worst", "worst", "digits", optional=True),
        Column("evaluations", "evaluations", "rounded"),
        *(Column(label, label, "count", optional=True) for label in _other_statuses()),
    )
    caption = (
        f"{OUTCOME_CRITERION}; sorted by the share of right cells, then by digits: median and worst of the answers "
        "whose derivative is not 0; evaluations: median of the answers; one cell a point, of a scheme that is swept "
        "over ε the one at its optimal ε, which its user would not know; the last columns are the cells by status"
    )
    rows = sorted(outcome_rows(results, contestants), key=_order)
    return Table("Who is right, and who says so when wrong?", caption, columns, rows)


def _outcome_columns(outcomes: Iterable[str]) -> list[Column]:
    keys = [word.replace(" ", "_") for word in outcomes]
    return [Column(key, _OUTCOME_KEYS[key], "count", optional=key in _MINOR) for key in keys]


def _other_statuses() -> list[str]:
    """Return the statuses that are not outcomes of the same name."""
    return [status.label for status in STATUSES if status.label not in _OUTCOME_KEYS]


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    digits = float("inf") if row["digits"] is None else -row["digits"]
    return row["derivative"], -find_dtype(row["dtype"]).bits, -row["right"] / row["cells"], digits, row["library"]


def calibration_table(cases: Iterable[Case], by: Sequence[str] = ()) -> Table:
    """Return how well the error estimates of each contestant that gives any hold.

    Parameters
    ----------
    cases : iterable of Case
        The cells of the contestants.
    by : sequence of str
        What rows are told apart by beside the library: ``class``, ``derivative``, ``dtype``, ``noise``.
    """
    columns = (
        Column("library", "library"),
        Column("package", "package", optional=True),
        *(Column(name, name, "count" if name == "derivative" else "text") for name in by),
        Column("cells", "answers", "count", optional=True),
        Column("estimates", "estimates", "count"),
        Column("missing", "missing", "count", optional=True),
        Column("coverage", "coverage", "rounded"),
        Column("sharpness", "sharpness", "rounded"),
        Column("worst_understatement", "worst understatement", "rounded"),
        Column("zero_estimates", "estimates of 0", "count"),
    )
    rows = [row for row in calibration_rows(cases, by) if row["estimates"]]
    title = "Do error estimates hold?" if "class" not in by else "Do they hold by class of functions?"
    return Table(title, CALIBRATION_CRITERION, columns, rows)


def class_ranking_table(cases: Iterable[Case]) -> Table:
    """Return the contestants in each class of functions, derivative and dtype, best first."""
    columns = (
        Column("class", "class"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("rank", "#", "count"),
        Column("library", "library"),
        Column("package", "package", optional=True),
        Column("cells", "problems", "count"),
        Column("right_share", "share right", "rounded"),
        Column("digits", "digits", "digits"),
        *_outcome_columns(OUTCOMES[:-1]),
    )
    return Table("Who is good at what?", CLASS_CRITERION, columns, ranking_rows(cases))


def told_table(results: Results, contestants: Sequence[Contestant]) -> Table:
    """Return the libraries that were swept over epsilon: what they make of it, and their digits beside their peers'."""
    columns = (
        Column("library", "library"),
        Column("package", "package", optional=True),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("digits", "digits", "digits"),
        Column("peer", "peer"),
        Column("peer_digits", "digits of the peer", "digits"),
        Column("at_epsilon", "at ε", "rounded"),
        Column("moved", "moved", "rounded"),
    )
    return Table("Told an epsilon", TOLD_CRITERION, columns, told_rows(results, contestants))


def timings_table(timings: Iterable[Timing]) -> Table:
    """Return how long an answer takes, the quickest first."""
    columns = (
        Column("library", "library"),
        Column("package", "package", optional=True),
        Column("microseconds", "µs", "rounded"),
        Column("low", "lower quartile", "rounded"),
        Column("high", "upper quartile", "rounded"),
        Column("problems", "functions", "count", optional=True),
        Column("rounds", "rounds", "count", optional=True),
    )
    rows = [
        {"library": each.library, "package": each.package, "problems": each.problems, "rounds": each.rounds}
        | {"microseconds": _micro(each.seconds), "low": _micro(each.low), "high": _micro(each.high)}
        for each in sorted(timings, key=lambda each: (each.seconds is None, each.seconds or 0.0))
    ]
    return Table("How long does an answer take?", TIMINGS_CRITERION, columns, rows)


def _micro(seconds: float | None) -> float | None:
    return None if seconds is None else 1e6 * seconds
