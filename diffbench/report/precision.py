"""The dtypes of a run side by side, for people: digits against the model, exponents, and steps that are lost in x."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.analysis.precision import (
    FAR,
    NEAR,
    REASONS,
    SOME_DIGITS,
    TOLERANCE,
    Case,
    Mapping,
    cases,
    exponents,
    gaps,
    outliers,
)
from diffbench.analysis.summary import summary_columns
from diffbench.report.captions import computed, counted
from diffbench.report.headline_plots import Headline
from diffbench.report.plots import (
    INK,
    STYLES,
    Axes,
    Figure,
    drawn_name,
    label_panel,
    see_through,
    stacked_panels,
    whole_ticks,
)
from diffbench.report.table import Column, Row, Table, ordinal
from diffbench.report.tables import PRECISION
from diffbench.sweep.results import Results, Status

Array = npt.NDArray[Any]

MAX_MODELLED = 12_000
"""How many curves a report asks the error model for; it takes some milliseconds each."""

MAX_OUTLIERS = 500

LETTER = 0.057
"""Inches that a letter of a label takes."""


class Precision:
    """The dtypes of a run, judged once for all tables and figures.

    Parameters
    ----------
    results : Results
        The run.
    mapping : callable
        What takes the place of ``map``, such as that of an executor.
    most : int
        For more curves than these the model is not asked.
    """

    def __init__(self, results: Results, mapping: Mapping = map, most: float = MAX_MODELLED) -> None:
        self._results = results
        self._mapping = mapping
        self._most = most
        self.dtypes = tuple(dict.fromkeys(part.dtype for part in results.curves))

    @cached_property
    def cases(self) -> list[Case]:
        """The optima that the error model covers."""
        curves = sum(part.oracle_digits.size for part in self._results.curves)
        return cases(self._results, mapping=self._mapping) if self._results.blocks and curves <= self._most else []

    def tables(self) -> dict[str, Table]:
        """Return the tables by file name; those of the model only where it has been asked."""
        found = {"dtypes": self._dtypes()}
        if self.cases:
            made = (exponents_table(self.cases), gaps_table(self.cases), outliers_table(self.cases))
            found |= dict(zip(PRECISION[1:], made, strict=True))
        return found

    def reported(self) -> dict[str, Table]:
        """Return the tables that a report has: none for a run with one dtype."""
        return self.tables() if len(self.dtypes) > 1 else {}

    def figures(self) -> list[Headline]:
        """Return digits by scheme and dtype, and lost steps along epsilon, of each derivative; none for one dtype."""
        if len(self.dtypes) < 2:
            return []
        derivatives = dict.fromkeys(part.derivative for part in self._results.curves)
        return [figure for m in derivatives for figure in self._of_derivative(m)]

    def _of_derivative(self, m: int) -> Iterator[Headline]:
        rows = [row for row in self._rows if row["derivative"] == m]
        caption = (
            f"digits at the optimal ε in each dtype, {ordinal(m)} derivative, "
            f"{counted(len({row['scheme'] for row in rows}), 'scheme')}; for each function the median over its points, "
            "then the median over functions; further to the right is better"
        )
        if any(row["modelled"] is not None for row in rows):
            caption += "; filled markers observed, hollow ones by the error model"
        caption += computed(self._results.spec)
        name = f"d{m}"
        yield Headline(f"dtypes-{name}", "Digits in each dtype", digits_figure(rows, self.dtypes, m), caption)
        lost = lost_shares(self._results, m)
        if lost:
            shown = (
                f"share of all cells of the grid whose step is lost in x, {ordinal(m)} derivative: nodes coincide, as "
                "fl(x + kε) = x; ε that round to 0 have no place on the axis"
            )
            yield Headline(f"lost-{name}", "Steps lost in x", lost_figure(lost, m), shown)

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        """One row for each derivative, scheme and dtype, in the order of the run's schemes."""
        return list(_dtype_rows(self._results, self.cases))

    def _dtypes(self) -> Table:
        columns = (
            Column("scheme", "scheme"),
            Column("derivative", "derivative", "count"),
            Column("dtype", "dtype"),
            Column("functions", "functions", "count"),
            Column("observed", "digits at optimal ε", "digits"),
            Column("modelled", "modelled digits", "digits"),
            Column("optimal_epsilon", "optimal ε", "rounded"),
            Column("lost", "steps lost in x", "count"),
            Column("cells", "cells", "count"),
        )
        caption = (
            "digits: for each function the median over its points, then the median over functions; where the error "
            "model was asked, over the curves that it covers; step lost in x: cells in which nodes coincide, as "
            "fl(x + kε) = x, or ε rounds to 0"
        )
        return Table("What does each dtype allow?", caption, columns, self._rows)


def _dtype_rows(results: Results, found: Sequence[Case]) -> Iterator[dict[str, Any]]:
    data = summary_columns(results.curves)
    summary = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    own: dict[tuple[int, str, str], list[dict[str, Any]]] = {}
    for row in summary:
        own.setdefault((row["derivative"], row["scheme"], row["dtype"]), []).append(row)
    modelled: dict[tuple[int, str, str], list[Case]] = {}
    for case in found:
        modelled.setdefault((case.derivative, case.scheme, case.dtype), []).append(case)
    order = {key: i for i, key in enumerate(dict.fromkeys(key[:2] for key in own))}
    for key in sorted(own, key=lambda key: order[key[:2]]):
        yield _dtype_row(key, own[key], modelled.get(key, []))


def _dtype_row(key: tuple[int, str, str], rows: list[dict[str, Any]], own: list[Case]) -> dict[str, Any]:
    derivative, scheme, dtype = key
    known = [row["optimal_digits"] for row in rows if row["optimal_digits"] is not None]
    epsilons = sorted(row["optimal_epsilon"] for row in rows if row["optimal_epsilon"] is not None)
    observed = _over_functions([(case.function, case.observed) for case in own])
    return {
        "scheme": scheme,
        "derivative": derivative,
        "dtype": dtype,
        "functions": len({case.function for case in own}) if own else len(known),
        "observed": observed if own else float(np.median(known)) if known else None,
        "modelled": _over_functions([(case.function, case.modelled) for case in own]),
        "optimal_epsilon": epsilons[(len(epsilons) - 1) // 2] if epsilons else None,
        "lost": sum(row[Status.COLLAPSED.label] for row in rows),
        "cells": sum(row["planned"] for row in rows),
    }


def _over_functions(digits: Sequence[tuple[str, float]]) -> float | None:
    """Return the median over functions of the medians over their points; fewer than 0 digits are none."""
    functions: dict[str, list[float]] = {}
    for function, value in digits:
        functions.setdefault(function, []).append(max(value, 0.0))
    return float(np.median([np.median(own) for own in functions.values()])) if functions else None


def exponents_table(found: Sequence[Case]) -> Table:
    """Return how the least error of each scheme goes with the unit roundoff, beside theory."""
    columns = (
        Column("scheme", "scheme"),
        Column("derivative", "derivative", "count"),
        Column("order", "order", "count"),
        Column("proved", "proved exponent", "rounded"),
        Column("fitted", "fitted", "rounded"),
        Column("low", "low", "rounded"),
        Column("high", "high", "rounded"),
        Column("modelled", "modelled", "rounded"),
        Column("curves", "curves", "count"),
        Column("functions", "functions", "count"),
        Column("is_as_proved", f"within {TOLERANCE:g}"),
        Column("reason", "why not", optional=True),
    )
    rows = [
        {**fit._asdict(), "is_as_proved": "yes" if fit.is_as_proved else "no", "reason": fit.reason}
        for fit in exponents(found)
    ]
    caption = (
        "the least error goes like u^(p/(m+p)), and like u where nothing cancels; fitted: the slope of log error "
        "against log u over the dtypes, the median over smooth functions of the median over their points, between low "
        "and high in 19 of 20 cases; each curve in the dtypes, at least two, in which it has more than "
        f"{SOME_DIGITS:g} digits and its modelled least error is inside the grid; dtypes "
        "with a coarser grid than others are left out; modelled: the same of the error model"
    )
    return Table("How do errors grow with the unit roundoff?", caption, columns, rows)


def gaps_table(found: Sequence[Case]) -> Table:
    """Return how far observed digits at the optimum are from modelled ones, by derivative and dtype."""
    columns = (
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("curves", "curves", "count"),
        Column("median", "median difference", "rounded"),
        Column("nine_in_ten", "90 %", "rounded"),
        Column("near", f"share within {FAR:g}", "rounded"),
        Column("far", f"beyond {FAR:g}", "count"),
    )
    caption = (
        "sizes of the differences between observed and modelled digits at the optimal ε; fewer than 0 digits are none; "
        f"good is a median below {NEAR:g}, and 90 % within {FAR:g}"
    )
    return Table("How good is the model?", caption, columns, [each._asdict() for each in gaps(found)])


def outliers_table(found: Sequence[Case]) -> Table:
    """Return the curves whose observed digits are far from the modelled ones, with the reason."""
    columns = (
        Column("reason", "reason"),
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("scheme", "scheme"),
        Column("x", "x", "number"),
        Column("observed", "digits", "digits"),
        Column("modelled", "modelled", "digits"),
    )
    far = outliers(found)
    counts = {reason: sum(case.reason == reason for case in far) for reason in REASONS}
    said = [
        f"{number} because {reason}" if reason != REASONS[-1] else f"{number} for none of these reasons"
        for reason, number in counts.items()
        if number
    ]
    caption = f"observed and modelled digits differ by more than {FAR:g}: {'; '.join(said) or 'none do'}"
    if len(far) > MAX_OUTLIERS:
        caption += f"; the first {MAX_OUTLIERS} of {len(far)} are shown"
    return Table("Where is the model wrong?", caption, columns, [case._asdict() for case in far[:MAX_OUTLIERS]])


# figures --------------------------------------------------------------------------------------------------------------


def digits_figure(rows: Sequence[Row], dtypes: Sequence[str], derivative: int) -> Figure:
    """Return the digits of every scheme in each dtype: filled observed, hollow by the model."""
    schemes = list(dict.fromkeys(row["scheme"] for row in rows))
    names = [drawn_name(scheme, 26) for scheme in schemes]
    left = 0.2 + LETTER * max(map(len, names))
    figure, (axes,) = stacked_panels(5.0 + left, 1.4 + 0.19 * len(schemes), 1, right=1.0, left=left)
    for row in rows:
        color, marker = _style(dtypes.index(row["dtype"]))
        place = schemes.index(row["scheme"])
        look: dict[str, Any] = {"color": color, "marker": marker, "markersize": 4.0}
        if row["modelled"] is not None:
            axes.plot([row["modelled"]], [place], fillstyle="none", markeredgewidth=0.7, **look)
        if row["observed"] is not None:
            axes.plot([row["observed"]], [place], **look)
    axes.set_ylim(len(schemes) - 0.5, -0.5)
    axes.set_yticks(range(len(schemes)), names, parse_math=False)
    whole_ticks(axes.xaxis, 9)
    subtitle = f"{ordinal(derivative)} derivative  ·  ● observed  ○ by the error model  ·  → further right is better"
    label_panel(axes, "Digits at the optimal ε in each dtype", subtitle, "correct digits, median over functions", "")
    axes.tick_params(labelsize=7)
    axes.grid(visible=True, axis="y", alpha=0.3)
    _name_dtypes(axes, dtypes)
    return see_through(figure)


def _style(place: int) -> tuple[str, str]:
    styles = list(STYLES.values())
    return styles[3 * place % len(styles)]


def _name_dtypes(axes: Axes, dtypes: Sequence[str]) -> None:
    for i, dtype in enumerate(dtypes):
        color, marker = _style(i)
        axes.plot([], [], color=color, marker=marker, markersize=4.0, linestyle="", label=dtype)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=7, handlelength=1.0)


def lost_shares(results: Results, derivative: int) -> dict[str, tuple[Array, Array]]:
    """Return epsilons and the share of cells whose step is lost in x, by dtype; nothing where cells were not kept.

    Epsilons that round to 0 have no place on an axis and are left out, and dtypes with fewer than two others.
    """
    found: dict[str, tuple[Array, Array]] = {}
    totals: dict[str, int] = {}
    for block in results.blocks:
        if block.derivative != derivative or not block.grid_size:
            continue
        lost = block.status[:, :, : block.grid_size] == Status.COLLAPSED
        totals[block.dtype] = totals.get(block.dtype, 0) + lost.shape[0] * lost.shape[1]
        before = found.get(block.dtype, (block.grid, 0.0))[1]
        found[block.dtype] = (block.grid, before + np.count_nonzero(lost, axis=(0, 1)))
    shares = {dtype: (grid.astype(float), count / totals[dtype]) for dtype, (grid, count) in found.items()}
    shown = {dtype: (grid[grid > 0], share[grid > 0]) for dtype, (grid, share) in shares.items()}
    return {dtype: (grid, share) for dtype, (grid, share) in shown.items() if np.unique(grid).size > 1}


def lost_figure(lost: dict[str, tuple[Array, Array]], derivative: int) -> Figure:
    """Return the share of lost steps along epsilon, hatched, a strip for each dtype."""
    figure, strips = stacked_panels(5.2, 1.3 + 0.75 * len(lost), len(lost), right=0.2)
    low, high = (end(end(grid) for grid, _ in lost.values()) for end in (min, max))
    for i, (axes, (dtype, (grid, share))) in enumerate(zip(strips, lost.items(), strict=True)):
        color, _ = _style(i)
        axes.set_xscale("log")
        axes.fill_between(grid, share, step="mid", facecolor="none", edgecolor=color, hatch="////", linewidth=0.8)
        axes.set_xlim(low, high)
        axes.set_ylim(0, 1.04)
        axes.set_yticks([0, 0.5, 1], ["0", "", "1"])
        title = "Share of cells whose step is lost in x" if i == 0 else ""
        label_panel(axes, title, f"{dtype}, {ordinal(derivative)} derivative" if i == 0 else dtype, "", "")
        axes.tick_params(labelsize=7)
    strips[-1].set_xlabel("epsilon ε", fontsize=8, color=INK)
    return see_through(figure)
