"""Figures of a leaderboard: what contestants spend, how near they come to the best, and whether their errors hold."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from diffbench.analysis.outcomes import Case
from diffbench.analysis.profiles import Curve, ecdf, performance_profile, reliability, work_precision
from diffbench.report.plots import BACKGROUND, FADED, INK, Axes, Figure, drawn_name, label_panel, panel, see_through
from diffbench.report.plots import STYLES as SCHEME_STYLES
from diffbench.sweep.contest import TIMINGS_CRITERION, Timing

COLORS = tuple(color for color, _ in SCHEME_STYLES.values())
"""Those of the contestants that a figure emphasises, the best ones."""

MARKERS = "osD^vP*X<>pd"
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))
"""Markers, and then dashes, tell contestants apart; from the thirteenth on markers are hollow."""

PANEL_WIDTH = 5.25
LINE_HEIGHT = 0.135
LETTER_WIDTH = 0.058
"""Inches that a contestant, and a letter of its name, take in the legend."""

NAME_LENGTH = 60

MANY_DECADES = 3.3
"""On an axis that is longer only powers of ten have a tick."""

FEW_CASES = 60
"""Of so many cases a share is drawn in steps; of more the steps are too small to be seen."""

UP_AND_LEFT = "↖ up and left is better"

NEVER = 0.5
"""Where those are drawn that never evaluate f, on a logarithmic axis."""


class Style(NamedTuple):
    """How a contestant is drawn."""

    color: str
    marker: str
    fill: str
    dashes: Any

    @property
    def line(self) -> dict[str, Any]:
        """Colour of its lines, and how strong they are."""
        if self.color == BACKGROUND:
            return {"color": BACKGROUND, "alpha": FADED, "linewidth": 0.7, "zorder": 1}
        return {"color": self.color, "linewidth": 1.1, "zorder": 3}

    @property
    def mark(self) -> dict[str, Any]:
        """How its markers look."""
        size, alpha = (3.5, 0.6) if self.color == BACKGROUND else (4.8, 1.0)
        look: dict[str, Any] = {"color": self.color, "marker": self.marker, "fillstyle": self.fill}
        return look | {"markersize": size, "alpha": alpha, "zorder": 2 if self.color == BACKGROUND else 4}


def contestant_styles(ranked: Iterable[str]) -> dict[str, Style]:
    """Return the style of each contestant, the best first: a colour of their own for the first ones, no two alike."""
    styles = {}
    for place, library in enumerate(dict.fromkeys(ranked)):
        round_, shape = divmod(place, len(MARKERS))
        color = COLORS[place] if place < len(COLORS) else BACKGROUND
        fill, dashes = ("full", "none")[round_ % 2], DASHES[round_ // 2 % len(DASHES)]
        styles[library] = Style(color, MARKERS[shape], fill, dashes)
    return styles


def work_precision_figure(cases: Sequence[Case]) -> Figure:
    """Return digits against evaluations: a marker at the medians of each contestant, a bar between the quartiles."""
    rows = sorted(_with_answers(cases), key=lambda row: (-row["digits"], row["library"]))
    styles, places = _styles(cases), _places(rows)
    figure, axes = _panel(places, log_x=True)
    for row in rows:
        x, style = places[row["library"]], styles[row["library"]]
        axes.plot([x, x], [row["digits_low"], row["digits_high"]], **style.line)
        axes.plot([x], [row["digits"]], linestyle="", label=row["library"], **style.mark)
    labels = ("What an answer costs, and its digits", "evaluations of f, median", "correct digits")
    _label(axes, labels, _scope(cases, places), UP_AND_LEFT)
    evaluations = [row["evaluations"] for row in rows]
    zero = [NEVER] if min(evaluations, default=1) < NEVER else []
    _label_numbers(axes, 1.0, 2 * max([*evaluations, 1.0]), zero)
    _end_below(axes, rows)
    _legend(axes)
    return see_through(figure)


def work_time_figure(cases: Sequence[Case], timings: Sequence[Timing]) -> Figure:
    """Return digits against time: a marker at the medians of each contestant, bars between the quartiles of both."""
    rows = _timed(cases, timings)
    drawn = [row["library"] for row, _ in rows]
    figure, axes = _panel(drawn, log_x=True)
    styles, ends = _styles(cases), []
    for row, timing in rows:
        style, micro = styles[row["library"]], [1e6 * (value or 0) for value in timing[4:]]
        axes.plot(micro[:1] * 2, [row["digits_low"], row["digits_high"]], **style.line)
        axes.plot(micro[1:], [row["digits"]] * 2, **style.line)
        axes.plot(micro[:1], [row["digits"]], linestyle="", label=row["library"], **style.mark)
        ends += [value for value in micro if value > 0]
    labels = ("How long an answer takes, and its digits", "time of an answer in µs, median", "correct digits")
    _label(axes, labels, _scope(cases, drawn), UP_AND_LEFT)
    low, high = min(ends, default=1.0), max(ends, default=10.0)
    _label_numbers(axes, low / 1.3, high * 1.3)
    _end_below(axes, [row for row, _ in rows])
    _legend(axes)
    return see_through(figure)


def _end_below(axes: Axes, rows: Sequence[dict[str, Any]]) -> None:
    """End the axis below the least median: a quartile thirty digits below 0 would leave the others no room."""
    axes.set_ylim(bottom=max(axes.get_ylim()[0], min((row["digits"] for row in rows), default=0.0) - 1))


def _timed(cases: Sequence[Case], timings: Sequence[Timing]) -> list[tuple[dict[str, Any], Timing]]:
    """Return the work and precision of those that have been timed, the most digits first."""
    known = {timing.library: timing for timing in timings if timing.seconds is not None}
    rows = sorted(_with_answers(cases), key=lambda row: (-row["digits"], row["library"]))
    return [(row, known[row["library"]]) for row in rows if row["library"] in known]


def work_time_caption(cases: Sequence[Case], timings: Sequence[Timing]) -> str:
    """Return what the figure of time and precision shows."""
    drawn = [row["library"] for row, _ in _timed(cases, timings)]
    return (
        f"{_scope(cases, drawn)}; up and to the left is better; bars between the quartiles"
        f"{_faint(cases, drawn)}; "
        f"{TIMINGS_CRITERION}"
    )


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


def _label_numbers(axes: Axes, low: float, high: float, zero: Sequence[float] = ()) -> None:
    """Label a logarithmic axis with plain numbers, and 0 where it stands; with fewer of them where it is long."""
    axes.set_xlim(min([low, *zero]) / 1.15 if zero else low / 1.1, high)
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if np.log10(high / low) < MANY_DECADES else (1,)
    every = [step * 10.0**decade for decade in decades for step in steps]
    ticks = [tick for tick in every if low / 1.05 <= tick <= high]
    axes.set_xticks([*zero, *ticks], ["0" for _ in zero] + [f"{tick:,.10g}" for tick in ticks])


def profile_figure(cases: Sequence[Case]) -> Figure:
    """Return the performance profiles: the share of problems within a factor of the best contestant's error."""
    return _curves_figure(
        cases,
        performance_profile(cases),
        ("How near the best", "factor of the least error of any contestant", "share of problems within it"),
        UP_AND_LEFT,
        log_x=True,
    )


def ecdf_figure(cases: Sequence[Case]) -> Figure:
    """Return the share of answers with at least so many digits."""
    labels = ("How many digits", "correct digits", "share of problems with at least so many")
    return _curves_figure(cases, ecdf(cases), labels, "↗ up and right is better")


def reliability_figure(cases: Sequence[Case]) -> Figure:
    """Return the share of errors within a multiple of their estimates; at 1 it is the coverage."""
    labels = ("Do error estimates hold", "multiple of the error estimate", "share of errors within it")
    figure = _curves_figure(cases, reliability(cases), labels, "↑ up is better", log_x=True)
    (axes,) = figure.axes
    axes.axvline(1, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.annotate("coverage", (1, 0), xytext=(3, 0), textcoords="offset points", fontsize=6.5, color=INK)
    return figure


def _curves_figure(
    cases: Sequence[Case], curves: list[Curve], labels: tuple[str, str, str], better: str, *, log_x: bool = False
) -> Figure:
    """Return a figure of shares, those with the largest first in the legend."""
    figure, axes = _panel(_names(curves), log_x=log_x)
    styles = _styles(cases)
    ordered = sorted(curves, key=lambda curve: (-curve.share.sum(), curve.library))
    for i, curve in enumerate(ordered):
        style = styles[curve.library]
        look = style.mark | style.line | {"linestyle": style.dashes, "markersize": 3.6, "label": curve.library}
        steps = "steps-post" if log_x and curve.cases <= FEW_CASES else "default"
        axes.plot(curve.at, curve.share, drawstyle=steps, markevery=_marked(curve, i), **look)
    axes.set_ylim(-0.02, 1.02)
    _label(axes, labels, _scope(cases, _names(curves)), better)
    _legend(axes)
    return see_through(figure)


def _label(axes: Axes, labels: tuple[str, str, str], scope: str, better: str) -> None:
    """Write title, scope, and which way is better above a panel, and what its axes are beside them."""
    title, x, y = labels
    label_panel(axes, title, f"{scope}  ·  {better}", x, y)


def _marked(curve: Curve, place: int) -> list[int]:
    """Return where a curve has its markers: on its way, at other heights than its neighbours in the legend."""
    low, high = float(curve.share.min()), float(curve.share.max())
    if low == high:
        return [place * 3 % len(curve.share)]
    levels = [low + (high - low) * (share + 0.04 * (place % 5)) for share in (0.15, 0.4, 0.65)]
    return sorted({int(np.argmin(np.abs(curve.share - level))) for level in levels})


def _panel(names: Collection[str], *, log_x: bool) -> tuple[Figure, Axes]:
    """Return a figure with a panel and room for these names in the legend."""
    legend = 0.55 + LETTER_WIDTH * max((len(drawn_name(name, NAME_LENGTH)) for name in names), default=0)
    height = max(4.4, 0.8 + LINE_HEIGHT * len(names))
    return panel(PANEL_WIDTH + legend, height, right=legend, log_x=log_x)


def _styles(cases: Sequence[Case]) -> dict[str, Style]:
    """Return the styles, the same in all figures of the cases: the most digits first, who never answers last."""
    rows = sorted(work_precision(cases), key=lambda row: (row["evaluations"] is None, -(row["digits"] or 0.0)))
    return contestant_styles([*(row["library"] for row in rows), *(case.library for case in cases)])


def _faint(cases: Sequence[Case], drawn: Collection[str]) -> str:
    """Return who is emphasised, where not everyone is."""
    styles = _styles(cases)
    has_faint = any(styles[library].color == BACKGROUND for library in drawn)
    return f"; the {len(COLORS)} of most digits in colour, the others grey" if has_faint else ""


def _legend(axes: Axes) -> None:
    """Name the contestants beside the panel, in the order in which they were drawn."""
    handles, labels = axes.get_legend_handles_labels()
    names = [drawn_name(label, NAME_LENGTH) for label in labels]
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
    drawn = [row["library"] for row in rows]
    return (
        f"{_scope(cases, drawn)}{never}; up and to the left is better{_faint(cases, drawn)}; markers at the medians, "
        f"bars between the quartiles of the digits; {_counted(failed, 'time')} there was no answer, which counts as 0 "
        f"digits; contestants of equal evaluations stand beside each other{_at_optimum(cases)}"
    )


def profile_caption(cases: Sequence[Case]) -> str:
    """Return what the performance profiles show."""
    curves = performance_profile(cases)
    common = curves[0].cases if curves else 0
    return (
        f"{_scope(cases, _names(curves))}; performance profiles (Dolan and Moré 2002) of the absolute error, not below "
        f"half a unit in the last place, over {_counted(common, 'problem')} that could be judged for all; up and to "
        f"the left is better{_faint(cases, _names(curves))}; who has no answer is within no factor{_at_optimum(cases)}"
    )


def ecdf_caption(cases: Sequence[Case]) -> str:
    """Return what the distribution of digits shows."""
    curves = ecdf(cases)
    most = max((curve.cases for curve in curves), default=0)
    return (
        f"{_scope(cases, _names(curves))}; share with at least so many correct digits, of up to "
        f"{_counted(most, 'problem')} a contestant whose derivative is not 0; up and to the right is better"
        f"{_faint(cases, _names(curves))}; no answer has fewer digits than any number{_at_optimum(cases)}"
    )


def reliability_caption(cases: Sequence[Case]) -> str:
    """Return what the reliability of error estimates shows."""
    curves = reliability(cases)
    given = sum(curve.cases for curve in curves)
    return (
        f"{_scope(cases, _names(curves))}; share with |error| ≤ t × estimate + 1 ulp, a unit in the last place of the "
        f"exact derivative, of {_counted(given, 'error estimate')}; up is better{_faint(cases, _names(curves))}; at "
        "t = 1, the line, it is the coverage, and of an estimate that always holds it is 1 from there on"
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
