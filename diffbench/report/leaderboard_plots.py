"""Figures of a leaderboard: what contestants spend, how near they come to the best, and whether their errors hold."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from diffbench.analysis.outcomes import Case
from diffbench.analysis.profiles import Curve, ecdf, performance_profile, reliability, work_precision
from diffbench.report.plots import Axes, Figure, label_panel, panel
from diffbench.sweep.contest import TIMINGS_CRITERION, Timing

# Okabe and Ito's colours without the yellow, then some of Paul Tol's muted ones.
COLORS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9"),
    *("#882255", "#332288", "#999933", "#661100", "#777777"),
)
"""One for each package, in the order in which they come; shape says the same again."""

MARKERS = "osD^vP*X<>pd"
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))
"""Markers and dashes tell the contestants of a package apart; from the thirteenth on markers are hollow."""

PANEL_WIDTH = 5.25
LINE_HEIGHT = 0.135
LETTER_WIDTH = 0.058
"""Inches that a contestant, and a letter of its name, take in the legend."""

NEVER = 0.5
"""Where those are drawn that never evaluate f, on a logarithmic axis."""


class Style(NamedTuple):
    """How a contestant is drawn."""

    color: str
    marker: str
    fill: str
    dashes: Any


def contestant_styles(named: Iterable[tuple[str, str]]) -> dict[str, Style]:
    """Return the style of each contestant, given with its package: no two of a colour have the same marker and fill."""
    packages: dict[str, str] = {}
    used = dict.fromkeys(COLORS, 0)
    styles = {}
    for library, package in dict.fromkeys(named):
        color = packages.setdefault(package, COLORS[len(packages) % len(COLORS)])
        round_, place = divmod(used[color], len(MARKERS))
        fill, dashes = ("full", "none")[round_ % 2], DASHES[(place + round_) % len(DASHES)]
        styles[library] = Style(color, MARKERS[place], fill, dashes)
        used[color] += 1
    return styles


def work_precision_figure(cases: Sequence[Case]) -> Figure:
    """Return digits against evaluations: a marker at the medians of each contestant, a bar between the quartiles."""
    rows = sorted(_with_answers(cases), key=lambda row: (-row["digits"], row["library"]))
    styles, places = _styles(cases), _places(rows)
    figure, axes = _panel(places, log_x=True)
    for row in rows:
        x, style = places[row["library"]], styles[row["library"]]
        axes.plot([x, x], [row["digits_low"], row["digits_high"]], color=style.color, linewidth=0.9, alpha=0.6)
        look = {"color": style.color, "fillstyle": style.fill, "label": row["library"]}
        axes.plot([x], [row["digits"]], style.marker, markersize=4.5, **look)
    label_panel(
        axes,
        "What an answer costs, and its digits",
        _scope(cases, places),
        "evaluations of f, median",
        "correct digits",
    )
    _label_counts(axes, [row["evaluations"] for row in rows])
    # A quartile may lie thirty digits below 0, which would leave the others no room.
    axes.set_ylim(bottom=max(axes.get_ylim()[0], min((row["digits"] for row in rows), default=0.0) - 1))
    _legend(axes)
    return figure


def work_time_figure(cases: Sequence[Case], timings: Sequence[Timing]) -> Figure:
    """Return digits against time: a marker at the medians of each contestant, bars between the quartiles of both."""
    rows = _timed(cases, timings)
    drawn = [row["library"] for row, _ in rows]
    figure, axes = _panel(drawn, log_x=True)
    styles = _styles(cases)
    for row, timing in rows:
        style, micro = styles[row["library"]], [1e6 * (value or 0) for value in timing[4:]]
        axes.plot(micro[:1] * 2, [row["digits_low"], row["digits_high"]], color=style.color, linewidth=0.9, alpha=0.6)
        axes.plot(micro[1:], [row["digits"]] * 2, color=style.color, linewidth=0.9, alpha=0.6)
        axes.plot(micro[:1], [row["digits"]], style.marker, color=style.color, markersize=4.5, label=row["library"])
    label_panel(axes, "How long an answer takes, and its digits", _scope(cases, drawn), "µs", "correct digits")
    axes.set_ylim(bottom=max(axes.get_ylim()[0], min((row["digits"] for row, _ in rows), default=0.0) - 1))
    _legend(axes)
    return figure


def _timed(cases: Sequence[Case], timings: Sequence[Timing]) -> list[tuple[dict[str, Any], Timing]]:
    """Return the work and precision of those that have been timed, the most digits first."""
    known = {timing.library: timing for timing in timings if timing.seconds is not None}
    rows = sorted(_with_answers(cases), key=lambda row: (-row["digits"], row["library"]))
    return [(row, known[row["library"]]) for row in rows if row["library"] in known]


def work_time_caption(cases: Sequence[Case], timings: Sequence[Timing]) -> str:
    """Return what the figure of time and precision shows."""
    drawn = [row["library"] for row, _ in _timed(cases, timings)]
    return f"{_scope(cases, drawn)}; bars between the quartiles; {TIMINGS_CRITERION}"


def _with_answers(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Return the work and precision of the contestants that have an answer to draw."""
    return [row for row in work_precision(cases) if row["evaluations"] is not None]


def _places(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return where contestants stand on a logarithmic axis, those of one number of evaluations beside each other."""
    places = {}
    level: dict[float, list[str]] = {}
    for row in rows:
        level.setdefault(row["evaluations"], []).append(row["library"])
    for evaluations, libraries in level.items():
        for i, library in enumerate(libraries):
            places[library] = max(evaluations, NEVER) * 1.04 ** (i - (len(libraries) - 1) / 2)
    return places


def _label_counts(axes: Axes, evaluations: list[float]) -> None:
    """Label a logarithmic axis with plain numbers, and 0 where it stands."""
    most = max(evaluations, default=1)
    ticks = [step * 10.0**decade for decade in range(9) for step in (1, 2, 5) if step * 10**decade <= 2 * most]
    zero = [NEVER] if min(evaluations, default=1) < NEVER else []
    axes.set_xticks([*zero, *ticks], ["0" for _ in zero] + [f"{tick:.0f}" for tick in ticks])


def profile_figure(cases: Sequence[Case]) -> Figure:
    """Return the performance profiles: the share of problems within a factor of the best contestant's error."""
    return _curves_figure(
        cases,
        performance_profile(cases),
        ("How near the best", "factor of the least error of any contestant", "share of problems within it"),
        log_x=True,
    )


def ecdf_figure(cases: Sequence[Case]) -> Figure:
    """Return the share of answers with at least so many digits."""
    labels = ("How many digits", "correct digits", "share of problems with at least so many")
    return _curves_figure(cases, ecdf(cases), labels)


def reliability_figure(cases: Sequence[Case]) -> Figure:
    """Return the share of errors within a multiple of their estimates; at 1 it is the coverage."""
    labels = ("Do error estimates hold", "multiple of the error estimate", "share of errors within it")
    figure = _curves_figure(cases, reliability(cases), labels, log_x=True)
    (axes,) = figure.axes
    axes.axvline(1, color="#555555", linewidth=0.9, linestyle=(0, (4, 3)))
    axes.annotate("coverage", (1, 0), xytext=(3, 0), textcoords="offset points", fontsize=6.5, color="#555555")
    return figure


def _curves_figure(
    cases: Sequence[Case], curves: list[Curve], labels: tuple[str, str, str], *, log_x: bool = False
) -> Figure:
    """Return a figure of shares, those with the largest first in the legend."""
    figure, axes = _panel(_names(curves), log_x=log_x)
    styles = _styles(cases)
    ordered = sorted(curves, key=lambda curve: (-curve.share.sum(), curve.library))
    for i, curve in enumerate(ordered):
        _draw_curve(axes, curve, styles[curve.library], i)
    axes.set_ylim(-0.02, 1.02)
    title, x, y = labels
    label_panel(axes, title, _scope(cases, _names(curves)), x, y)
    _legend(axes)
    return figure


def _draw_curve(axes: Axes, curve: Curve, style: Style, place: int) -> None:
    axes.plot(
        curve.at,
        curve.share,
        color=style.color,
        marker=style.marker,
        fillstyle=style.fill,
        linestyle=style.dashes,
        markevery=_marked(curve, place),
        markersize=3.5,
        linewidth=1.1,
        label=curve.library,
    )


def _marked(curve: Curve, place: int) -> list[int]:
    """Return where a curve has its markers: on its way, at other heights than its neighbours in the legend."""
    low, high = float(curve.share.min()), float(curve.share.max())
    if low == high:
        return [place * 3 % len(curve.share)]
    levels = [low + (high - low) * (share + 0.04 * (place % 5)) for share in (0.15, 0.4, 0.65)]
    return sorted({int(np.argmin(np.abs(curve.share - level))) for level in levels})


def _panel(names: Collection[str], *, log_x: bool) -> tuple[Figure, Axes]:
    """Return a figure with a panel and room for these names in the legend."""
    legend = 0.55 + LETTER_WIDTH * max(map(len, names), default=0)
    height = max(4.4, 0.8 + LINE_HEIGHT * len(names))
    return panel(PANEL_WIDTH + legend, height, right=legend, log_x=log_x)


def _styles(cases: Sequence[Case]) -> dict[str, Style]:
    return contestant_styles((case.library, case.package) for case in cases)


def _legend(axes: Axes) -> None:
    """Name the contestants beside the panel, in the order in which they were drawn."""
    handles, names = axes.get_legend_handles_labels()
    legend = axes.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        frameon=False,
        fontsize=6.8,
        handlelength=2.4,
        labelspacing=0.25,
        borderaxespad=0,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def work_precision_caption(cases: Sequence[Case]) -> str:
    """Return what the figure of work and precision shows."""
    rows = _with_answers(cases)
    failed = sum(row["failed"] for row in rows)
    mute = len({case.library for case in cases}) - len(rows)
    never = f"; {_counted(mute, 'contestant')} without any answer left out" if mute else ""
    return (
        f"{_scope(cases, [row['library'] for row in rows])}{never}; markers at the medians, bars between the "
        f"quartiles of the digits; {_counted(failed, 'time')} there was no answer, which counts as 0 digits; "
        f"contestants of equal evaluations stand beside each other{_at_optimum(cases)}"
    )


def profile_caption(cases: Sequence[Case]) -> str:
    """Return what the performance profiles show."""
    curves = performance_profile(cases)
    common = curves[0].cases if curves else 0
    return (
        f"{_scope(cases, _names(curves))}; performance profiles (Dolan and Moré 2002) of the absolute error, not below "
        f"half a unit in the last place, over {_counted(common, 'problem')} that could be judged for all; who has no "
        f"answer is within no factor{_at_optimum(cases)}"
    )


def ecdf_caption(cases: Sequence[Case]) -> str:
    """Return what the distribution of digits shows."""
    curves = ecdf(cases)
    most = max((curve.cases for curve in curves), default=0)
    return (
        f"{_scope(cases, _names(curves))}; share with at least so many correct digits, of up to "
        f"{_counted(most, 'problem')} a contestant whose derivative is not 0; no answer has fewer digits than any "
        f"number{_at_optimum(cases)}"
    )


def reliability_caption(cases: Sequence[Case]) -> str:
    """Return what the reliability of error estimates shows."""
    curves = reliability(cases)
    given = sum(curve.cases for curve in curves)
    return (
        f"{_scope(cases, _names(curves))}; share with |error| ≤ t × estimate + 1 ulp, a unit in the last place of the "
        f"exact derivative, of {_counted(given, 'error estimate')}; at t = 1, the line, it is the coverage, and of an "
        "estimate that always holds it is 1 from there on"
    )


def _scope(cases: Sequence[Case], drawn: Collection[str]) -> str:
    """Return how many contestants are drawn, and how many problems they had, in which dtypes."""
    shown = [case for case in cases if case.library in drawn]
    problems = len({(case.function, case.derivative, case.dtype, case.point) for case in shown})
    dtypes = ", ".join(sorted({case.dtype for case in shown})) or "no dtype"
    return f"{_counted(len(drawn), 'contestant')}, {_counted(problems, 'problem')}, {dtypes}"


def _names(curves: Iterable[Curve]) -> set[str]:
    return {curve.library for curve in curves}


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _at_optimum(cases: Sequence[Case]) -> str:
    """Return what to know of contestants that were swept over epsilon, if there are any."""
    swept = {case.library for case in cases if case.epsilon > 0}
    return f"; {_counted(len(swept), 'contestant')} swept over ε, at the optimal one of each problem" if swept else ""
