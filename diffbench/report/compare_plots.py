"""The figure of a comparison: where the errors were and where they went, and which schemes have changed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.analysis.compare import LEAST, MOST, NO_ERROR, TRANSITIONS, Comparison, bin_centres
from diffbench.report.plots import Axes, Figure, Line2D, NullLocator, drawn_name, label_panel, panel, printable

Array = npt.NDArray[Any]

# Okabe and Ito's colours again, the greys for what is no news.
STYLES: dict[str, tuple[str, str]] = {
    "unchanged": ("#C8C8C8", "o"),
    "better": ("#0072B2", "v"),
    "worse": ("#D55E00", "^"),
    "moved": ("#56B4E9", "d"),
    "ok to not ok": ("#000000", "X"),
    "not ok to ok": ("#009E73", "P"),
    "other status": ("#CC79A7", "s"),
    "new": ("#E69F00", ">"),
    "vanished": ("#882255", "<"),
    "not comparable": ("#777777", "*"),
}
"""Colour and marker of each transition; the shape says the same again."""

NOT_DRAWN = ("not comparable",)
"""Transitions whose errors are not put beside each other."""

MOST_SCHEMES = 24
LEFT, TOP = 0.78, 0.54
PANEL, BARS = 4.4, 2.2
"""Inches beside and above the panels, and how wide they are."""

LETTER = 0.06
LINE = 0.17
"""Inches that a letter and a line take."""

MANY_MARKS = 1000
"""Above that marks are pixels in figures of lines."""

MARGIN = 0.1
"""Share of the axis that lies beyond the largest error, for cells without one."""


class Marks(NamedTuple):
    """Cells of one transition, as they are drawn.

    Attributes
    ----------
    transition : str
        Which.
    before, after : array
        Errors in units of the last place, NaN where there is none.
    cells : array
        How many cells each mark stands for.
    """

    transition: str
    before: Array
    after: Array
    cells: Array


def comparison_marks(found: Comparison) -> list[Marks]:
    """Return what is drawn: a mark for each bin of errors that has cells with an error in either run."""
    errors = np.append(bin_centres(), np.nan)
    marks = []
    for transition, counts in zip(TRANSITIONS, found.errors, strict=True):
        rows, columns = np.nonzero(counts)
        drawn = (rows != NO_ERROR) | (columns != NO_ERROR)
        rows, columns = rows[drawn], columns[drawn]
        if rows.size and transition not in NOT_DRAWN:
            marks.append(Marks(transition, errors[rows], errors[columns], counts[rows, columns]))
    return marks


def comparison_figure(found: Comparison, before: str = "before", after: str = "after") -> Figure:
    """Return the errors of one run against those of another, and the share of changed cells by scheme.

    Parameters
    ----------
    found : Comparison
        What became of the cells.
    before, after : str
        How the runs are called.
    """
    schemes, marks = changed_schemes(found), comparison_marks(found)
    left = LEFT + PANEL + 0.25 + LETTER * max((len(_bar_name(each)) for each in schemes), default=0)
    width, legend = left + BARS + 0.25, LINE * (1 + sum(count > 0 for count in found.counts.values()))
    height = max(4.9, TOP + LINE * len(schemes) + 0.6 + legend)
    figure, axes = panel(width, height, right=width - LEFT - PANEL, log_x=True)
    axes.set_position((LEFT / width, 0.52 / height, PANEL / width, 1 - (0.52 + TOP) / height))
    _draw_errors(axes, marks, _range(marks))
    names = _short(before), _short(after)
    labels = (f"error in {name}, units of the last place" for name in names)
    label_panel(axes, f"{names[0]} → {names[1]}: what became of the errors", _caption(found, marks), *labels)
    _label_margins(axes, _range(marks), names[1])
    below = _draw_schemes(figure, found, schemes, left) if schemes else height - TOP
    figure.legend(
        handles=_handles(found),
        loc="upper left",
        bbox_to_anchor=(left / width, below / height),
        frameon=False,
        fontsize=7.5,
        labelspacing=0.35,
        borderaxespad=0,
    )
    return figure


def changed_schemes(found: Comparison) -> list[str]:
    """Return the schemes to show, those with the largest share of changed cells first."""
    shares = {scheme: _changed(counts) / max(sum(counts.values()), 1) for scheme, counts in found.schemes.items()}
    return sorted((scheme for scheme, share in shares.items() if share), key=lambda each: -shares[each])[:MOST_SCHEMES]


def _changed(counts: dict[str, int]) -> int:
    return sum(counts.values()) - counts["unchanged"]


def _caption(found: Comparison, marks: Sequence[Marks]) -> str:
    """Return how many cells there are, and what is not drawn of them."""
    cells, drawn = sum(found.counts.values()), sum(int(each.cells.sum()) for each in marks)
    apart = sum(found.counts[transition] for transition in NOT_DRAWN)
    left_out = f"{_number(cells - drawn - apart)} without an error in either run"
    if apart:
        left_out += f", {_number(apart)} {' or '.join(NOT_DRAWN)}"
    return f"{_number(cells)} cells, a larger mark for more of them; not drawn: {left_out}"


def _number(count: int) -> str:
    """Return a count with its digits in threes."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _short(name: str, width: int = 32) -> str:
    """Return the end of a long name, which tells runs apart."""
    text = printable(name)
    return text if len(text) <= width else "…" + text[1 - width :]


def _bar_name(scheme: str) -> str:
    return drawn_name(scheme, 40)


def _range(marks: Sequence[Marks]) -> tuple[float, float, float]:
    """Return the decades that hold all errors, and where those are drawn that have none."""
    errors = np.concatenate(
        [np.array([LEAST, 10 * LEAST]), *(end for each in marks for end in (each.before, each.after))]
    )
    high = 10.0 ** np.ceil(np.log10(np.nanmax(errors)))
    return LEAST, high, high * (high / LEAST) ** MARGIN


def _draw_errors(axes: Axes, marks: Sequence[Marks], ends: tuple[float, float, float]) -> None:
    """Draw errors against errors, those without one along the margins."""
    low, high, margin = ends
    axes.set_yscale("log")
    axes.plot([low, high], [low, high], color="#888888", linewidth=0.7, zorder=1, gid="diagonal")
    for each in marks:
        color, marker = STYLES[each.transition]
        axes.scatter(
            np.where(np.isnan(each.before), margin, each.before),
            np.where(np.isnan(each.after), margin, each.after),
            s=6 + 9 * np.log10(each.cells),
            color=color,
            marker=marker,
            linewidths=0,
            zorder=2 + TRANSITIONS.index(each.transition),
            rasterized=each.cells.size > MANY_MARKS,
            gid=each.transition,
        )
    edge = (high * margin) ** 0.5
    for line in (axes.axvline, axes.axhline):
        line(edge, color="#999999", linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
    for limit in (axes.set_xlim, axes.set_ylim):
        limit(low / 2, margin * (margin / high) ** 0.5)


def _label_margins(axes: Axes, ends: tuple[float, float, float], after: str) -> None:
    """Label some decades and the margins, and say which side is better."""
    low, high, margin = ends
    first, last = round(np.log10(low)), round(np.log10(high))
    ticks = [10.0**decade for decade in range(first, last + 1, max(1, -((first - last) // 7)))]
    names = axes.xaxis.get_major_formatter().format_ticks(ticks)
    names[0] = f"≤ {names[0]}"
    if ticks[-1] == MOST:
        names[-1] = f"≥ {names[-1]}"
    axes.set_xticks([*ticks, margin], [*names, "none"])
    axes.set_yticks([*ticks, margin], [*names, "none"])
    axes.yaxis.set_minor_locator(NullLocator())
    for place, side, word in (((0.03, 0.86), "left", "worse"), ((0.88, 0.03), "right", "better")):
        text = f"{after} is {word}"
        axes.text(*place, text, ha=side, transform=axes.transAxes, fontsize=8, color=STYLES[word][0], parse_math=False)


def _draw_schemes(figure: Figure, found: Comparison, schemes: Sequence[str], left: float) -> float:
    """Draw the share of changed cells of each scheme by transition, and return how many inches are left below."""
    width, height = figure.get_size_inches()
    inches = LINE * len(schemes)
    bottom = height - TOP - inches
    axes = figure.add_axes((left / width, bottom / height, BARS / width, inches / height))
    ends = np.zeros(len(schemes))
    for transition in TRANSITIONS[1:]:
        shares = np.array(
            [100 * found.schemes[each][transition] / sum(found.schemes[each].values()) for each in schemes]
        )
        axes.barh(range(len(schemes)), shares, left=ends, color=STYLES[transition][0], height=0.7, gid=transition)
        ends += shares
    axes.set_ylim(len(schemes) - 0.5, -0.5)
    axes.set_yticks(range(len(schemes)), [_bar_name(each) for each in schemes], fontsize=7, parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    others = len([each for each in found.schemes.values() if _changed(each)]) - len(schemes)
    axes.set_xlabel("changed cells, %" + (f"; {others} more schemes have some" if others else ""), fontsize=8)
    return float(bottom - 0.5)


def _handles(found: Comparison) -> list[Line2D]:
    """Return what stands for each transition in the legend, with its cells."""
    return [
        Line2D([], [], color=STYLES[word][0], marker=STYLES[word][1], linestyle="", label=f"{word}: {_number(count)}")
        for word, count in found.counts.items()
        if count
    ]
