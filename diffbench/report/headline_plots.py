"""The figures that a report begins with: how near schemes come to the best, at what price, and where.

They have no ground of their own and one grey for all text, so that they can lie on light and on dark pages; colour and
marker of a scheme are those of every other figure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.analysis.scheme_profiles import (
    FACTORS,
    ClassDigits,
    Pool,
    Work,
    digits_along,
    digits_by_class,
    ordinals,
    pareto_fronts,
    pools,
    profile,
    work_and_digits,
)
from diffbench.dtypes import file_label
from diffbench.report.captions import (
    classes_caption,
    over_x_caption,
    profile_caption,
    scope_of,
    work_precision_caption,
)
from diffbench.report.plots import (
    BACKGROUND,
    FADED,
    INK,
    Axes,
    Figure,
    NullLocator,
    beside_panel,
    drawn_name,
    emphasised_schemes,
    power_of_ten,
    see_through,
    spread,
    stacked_panels,
    whole_ticks,
)
from diffbench.report.table import ordinal
from diffbench.sweep.results import Results

Array = npt.NDArray[Any]
Styles = dict[str, tuple[str, str]]

WIDTH = 5.2
HEIGHT = 4.0
LETTER = 0.057
LINE = 0.135
"""Inches: of a figure, and what a letter and a line of its labels take."""

LABEL_LENGTH = 24
FONT = 7.0

FINE, COARSE = 2.0, 4.0
"""Points that steps of a curve are apart where it is emphasised, and where it is not."""

CROWD: dict[str, Any] = {"color": BACKGROUND, "alpha": FADED, "linewidth": 0.7, "zorder": 1}
"""How schemes are drawn that are not emphasised."""

OPTIMAL, USUAL = "at the optimal ε", "at the usual ε"

NEVER = 0.5
"""Where those stand that never evaluate f, on a logarithmic axis."""

FLOOR = -2.0
"""What fewer digits are drawn as: how far a useless estimate is off matters to nobody."""


@dataclass(frozen=True)
class Headline:
    """A figure that a report begins with.

    Attributes
    ----------
    name : str
        Of its file, without a suffix.
    title : str
        What it shows, in a few words.
    figure : matplotlib.figure.Figure
        Without a ground of its own.
    caption : str
        Plain text, which :mod:`diffbench.report.captions` renders.
    """

    name: str
    title: str
    figure: Figure
    caption: str


def headline_figures(results: Results) -> list[Headline]:
    """Return performance profile, work and precision, and digits by class of each derivative and dtype of a run."""
    return [headline for pool in pools(results.curves) for headline in _of_pool(pool, results.spec)]


def accuracy_over_x(results: Results) -> Headline | None:
    """Return the digits along x of the first derivative and dtype of a run; None where there are fewer than 3 x.

    The coordinates of functions of several variables are no x to compare along.
    """
    pool = next(iter(pools(results.curves)), None)
    if pool is None or any(part.directions for part in pool.curves) or np.unique(pool.x).size < 3:
        return None
    scope = scope_of(pool, results.spec, len(emphasised_schemes(pool.schemes)))
    return Headline(f"over-x-{_where(pool)}", "Digits along x", over_x_figure(pool), over_x_caption(scope))


def _of_pool(pool: Pool, spec: str) -> list[Headline]:
    scope = scope_of(pool, spec, len(emphasised_schemes(pool.schemes)))
    works, classes = answered(pool), digits_by_class(pool)
    price = "What an estimate costs, and its digits"
    profile = Headline(f"profile-{_where(pool)}", "How near the best", profile_figure(pool), profile_caption(scope))
    return [
        # One scheme is always the best of all, and one problem has no distribution.
        *((profile,) if min(len(pool.schemes), pool.x.size) > 1 else ()),
        Headline(
            f"work-precision-{_where(pool)}",
            price,
            work_precision_figure(pool, works),
            work_precision_caption(
                scope,
                [[work.scheme for work in front] for front in pareto_fronts(works)],
                len(pool.schemes) - len(works),
            ),
        ),
        Headline(
            f"classes-{_where(pool)}",
            f"Digits by {_of_what(classes)}",
            classes_figure(pool, classes),
            classes_caption(scope, classes.what, len(classes.names), classes.left_out, len(pool.schemes) - len(works)),
        ),
    ]


def _where(pool: Pool) -> str:
    return f"d{pool.derivative}-{file_label(pool.dtype)}"


def _of_what(classes: ClassDigits) -> str:
    return "function" if classes.what == "function" else "class of function"


def answered(pool: Pool) -> list[Work]:
    """Return what the schemes spend that have an answer at some problem, and their digits, the best first."""
    mute = {scheme for scheme, own in zip(pool.schemes, pool.optimal, strict=True) if np.isnan(own).all()}
    return [work for work in work_and_digits(pool) if work.scheme not in mute]


def profile_figure(pool: Pool) -> Figure:
    """Return the performance profiles of the schemes, at the optimal and at the usual epsilon."""
    styles, panels = emphasised_schemes(pool.schemes), _criteria(pool)
    figure, axes_of = stacked_panels(WIDTH, HEIGHT, len(panels), right=_label_room(styles))
    shares = {words: profile(digits) for words, digits in panels.items()}
    end = _last_change(list(shares.values()))
    for axes, (words, own) in zip(axes_of, shares.items(), strict=True):
        axes.set_xscale("log")
        axes.set_xlim(1, FACTORS[end - 1])
        axes.set_ylim(-0.02, 1.02)
        _draw_steps(axes, panels[words], pool.schemes, styles)
        axes.xaxis.set_major_formatter(power_of_ten)
        _finish(axes, words, "share of problems", bool(pool.x.size))
        _label_ends(axes, _ends(own[:, :end], pool.schemes, styles))
    subtitle = f"{_group(pool)}  ·  ↖ up and left is better"
    _title(axes_of, "How near the best scheme", subtitle, "factor of the least error of any scheme")
    return see_through(figure)


def _draw_steps(axes: Axes, digits: Array, schemes: Sequence[str], styles: Styles) -> None:
    """Draw the share of problems of each scheme, in steps at its own factors, with a few markers on each curve."""
    known = np.where(np.isnan(digits), -np.inf, digits)
    with np.errstate(invalid="ignore"):
        behind = known.max(axis=0, initial=-np.inf) - known
    decades = float(np.log10(axes.get_xlim()[1]))
    size = np.array([decades, 1.04]) / np.multiply(_inches(axes), 72)
    for s, scheme in enumerate(schemes):
        corners = profile_steps(behind[s], decades)
        if scheme not in styles:
            x, y = sparse(corners, size * COARSE).T
            axes.plot(10**x, y, **CROWD)
            continue
        (color, marker), i = styles[scheme], list(styles).index(scheme)
        x, y = sparse(corners, size * FINE).T
        places = decades * (np.arange(3) + (i + 1) / (len(styles) + 1)) / 3
        x, y, marked = _with_places(x, y, places)
        look: dict[str, Any] = {"color": color, "marker": marker, "markersize": 3.2, "linewidth": 1.2, "zorder": 3}
        axes.plot(10**x, y, markevery=marked, **look)


def profile_steps(behind: Array, decades: float) -> Array:
    """Return the corners of a performance profile, the exact distribution of the problems, log10 of factor and share.

    Parameters
    ----------
    behind : array
        (N,) digits behind the best scheme at each problem; infinite or NaN where there is no answer.
    decades : float
        How far the profile is drawn.

    Examples
    --------
    >>> profile_steps(np.array([0.0, 2.0, np.inf, 0.0]), 3.0).tolist()
    [[0.0, 0.5], [2.0, 0.5], [2.0, 0.75], [3.0, 0.75]]
    """
    at, count = np.unique(behind[behind <= decades], return_counts=True)
    share = np.cumsum(count) / max(behind.size, 1)
    if not at.size or at[0] > 0:
        at, share = np.insert(at, 0, 0.0), np.insert(share, 0, 0.0)
    x = np.append(np.repeat(at, 2)[1:], decades)
    return np.column_stack([x, np.repeat(share, 2)])


def sparse(corners: Array, size: Array) -> Array:
    """Return the corners of a line without those that are nearer to the one before than a size, in both directions."""
    kept = [0]
    for i in range(1, len(corners) - 1):
        if (np.abs(corners[i] - corners[kept[-1]]) >= size).any():
            # Else a long level stretch would become a slope.
            is_long = (np.abs(corners[i] - corners[i - 1]) >= 2 * size).any()
            kept += [i - 1] * bool(is_long and kept[-1] < i - 1) + [i]
    return np.asarray(corners[[*kept, len(corners) - 1]])


def _with_places(x: Array, y: Array, places: Array) -> tuple[Array, Array, list[int]]:
    """Return a line of steps with further points on its level stretches, and where these are."""
    after = np.searchsorted(x, places, side="right")
    heights = np.array([np.interp(place, x, y) for place in places])
    marked = (after + np.arange(places.size)).tolist()
    return np.insert(x, after, places), np.insert(y, after, heights), marked


def _criteria(pool: Pool) -> dict[str, Array]:
    """Return the digits at each epsilon that a panel is drawn for."""
    return {OPTIMAL: pool.optimal} | ({} if pool.usual is None else {USUAL: pool.usual})


def _last_change(shares: Sequence[Array]) -> int:
    """Return how many factors are drawn: a few beyond the last at which a share rises, at least a decade and a half."""
    rising = [np.flatnonzero((np.diff(own, axis=1) > 0).any(axis=0)) for own in shares]
    last = max((int(places[-1]) for places in rising if places.size), default=0)
    return min(max(last + 4, 7), FACTORS.size)


def work_precision_figure(pool: Pool, works: Sequence[Work]) -> Figure:
    """Return digits against evaluations: filled at the optimal epsilon, hollow at the usual one, and the front."""
    styles = emphasised_schemes(pool.schemes)
    figure, (axes,) = stacked_panels(WIDTH, HEIGHT, 1, right=0.2)
    axes.set_xscale("log")
    measured = [work for work in works if work.optimal is not None]
    places, fronts = stand_beside(measured), pareto_fronts(measured)
    for work in measured:
        _draw_work(axes, places[work.scheme], work, styles.get(work.scheme))
    for front, dashes in zip(fronts, ((4, 2), (1, 2)), strict=False):
        if len(front) == 1:
            continue
        x, y = [places[work.scheme] for work in front], [work.optimal or 0.0 for work in front]
        axes.step(x, y, where="post", color=INK, linewidth=1.0, linestyle=(0, dashes), zorder=2)
    _label_evaluations(axes, list(places.values()), measured, styles)
    axes.set_ylim(*_limits(value for work in measured for value in (work.optimal, work.usual) if value is not None))
    whole_ticks(axes.yaxis, 8)
    _finish(axes, "", "correct digits, median over functions", bool(measured))
    on_front = [work for front in fronts for work in front]
    named = [work for work in measured if work.scheme in styles or work in on_front]
    lines = [[(places[work.scheme], work.optimal or 0.0) for work in front] for front in fronts]
    marks = [
        (places[work.scheme], value) for work in measured for value in (work.optimal, work.usual) if value is not None
    ]
    _label_points(axes, [(places[work.scheme], work.optimal or 0.0, work.scheme) for work in named], lines, marks)
    signs = ("-- front", "·· next front")
    drawn = "".join(f"  {sign}" for front, sign in zip(fronts, signs, strict=False) if len(front) > 1)
    has_usual = any(work.usual is not None for work in measured)
    subtitle = f"{_group(pool)}  ·  {_markers(has_usual)}{drawn}  ·  ↖ up and left is better"
    _title([axes], "What an estimate costs, and its digits", subtitle, "evaluations of f for one estimate")
    return see_through(figure)


def _draw_work(axes: Axes, x: float, work: Work, style: tuple[str, str] | None) -> None:
    color, marker = style or (CROWD["color"], ".")
    look: dict[str, Any] = {"color": color, "marker": marker, "linestyle": "", "markersize": 5.5, "zorder": 3}
    if style is None:
        look |= {"alpha": CROWD["alpha"], "zorder": 1}
    optimal = max(work.optimal or 0.0, FLOOR)
    if work.usual is not None:
        usual = max(work.usual, FLOOR)
        axes.plot([x, x], [usual, optimal], color=color, linewidth=0.8, alpha=0.5, zorder=1)
        axes.plot([x], [usual], fillstyle="none", **look)
    axes.plot([x], [optimal], **look)


def stand_beside(works: Iterable[Work]) -> dict[str, float]:
    """Return where schemes stand on a logarithmic axis, those of one number of evaluations beside each other."""
    level: dict[int, list[str]] = {}
    for work in works:
        level.setdefault(work.evaluations, []).append(work.scheme)
    return {
        scheme: max(evaluations, NEVER) * 1.035 ** (i - (len(own) - 1) / 2)
        for evaluations, own in level.items()
        for i, scheme in enumerate(own)
    }


def _markers(has_usual: bool) -> str:
    """Return what the markers of a figure stand for."""
    return "● optimal ε" + "  ○ usual ε" * has_usual


def _label_evaluations(axes: Axes, places: Sequence[float], works: Sequence[Work], styles: Styles) -> None:
    """Label a logarithmic axis with the numbers of evaluations that occur, as far as they have room.

    Those of schemes that are named come before the others.
    """
    low, high = min(places, default=1.0) / 1.25, max(places, default=2.0) * 1.25
    axes.set_xlim(low, high)
    inches = _inches(axes)[0] / np.log(high / low)
    named = {work.evaluations for work in works if work.scheme in styles}
    kept: list[int] = []
    for number in sorted({work.evaluations for work in works}, key=lambda number: (number not in named, number)):
        away = [abs(np.log(max(number, NEVER) / max(other, NEVER))) * inches for other in kept]
        if min(away, default=1.0) > LETTER * len(str(number)) + 0.06:
            kept.append(number)
    kept.sort()
    axes.set_xticks([max(number, NEVER) for number in kept], [str(number) for number in kept])


def classes_figure(pool: Pool, classes: ClassDigits) -> Figure:
    """Return the digits of the schemes on each class: filled at the optimal epsilon, hollow at the usual one."""
    rows, shown = len(classes.names), {work.scheme for work in answered(pool)}
    styles = {scheme: style for scheme, style in emphasised_schemes(pool.schemes).items() if scheme in shown}
    names = [drawn_name(name, LABEL_LENGTH) for name in classes.names]
    height = 1.3 + max(0.26 * rows, 1.3 * LINE * len(styles), 1.0)
    left = max(0.62, 0.2 + LETTER * max(map(len, names), default=0))
    figure, (axes,) = stacked_panels(WIDTH + left - 0.62, height, 1, right=_label_room(styles), left=left)
    optimal, usual = (np.maximum(digits, FLOOR) for digits in (classes.optimal, classes.usual))
    lanes = {scheme: (i - (len(styles) - 1) / 2) * 0.78 / len(styles) for i, scheme in enumerate(styles)}
    for s, scheme in enumerate(pool.schemes):
        if scheme not in shown:
            continue
        place = np.arange(rows) + lanes.get(scheme, 0.0)
        _draw_dots(axes, place, optimal[:, s], usual[:, s], styles.get(scheme))
    for row in range(1, rows):
        axes.axhline(row - 0.5, color=INK, alpha=0.22, linewidth=0.6, zorder=0)
    axes.set_ylim(max(rows, 1) - 0.5, -0.5)
    axes.set_xlim(*_limits([*optimal.flat, *usual.flat]))
    whole_ticks(axes.xaxis, 9)
    axes.set_yticks(range(rows), names, parse_math=False)
    axes.tick_params(axis="y", length=0)
    _finish(axes, "", "", rows > 0)
    if rows:
        _name_beside(axes, styles)
    title = f"Digits by {_of_what(classes)}, the hardest at the foot"
    _title(
        [axes],
        title,
        f"{_group(pool)}  ·  {_markers(not np.isnan(usual).all())}  ·  → further right is better",
        "correct digits, median",
    )
    axes.grid(visible=False, axis="y")
    return see_through(figure)


def _draw_dots(axes: Axes, place: Array, optimal: Array, usual: Array, style: tuple[str, str] | None) -> None:
    if style is None:
        axes.plot(*_strokes(optimal, place - 0.2, place + 0.2), **CROWD)
        return
    color, marker = style
    axes.plot(*_strokes(place, usual, optimal)[::-1], color=color, linewidth=0.7, alpha=0.6, zorder=2)
    axes.plot(usual, place, marker, color=color, fillstyle="none", markersize=3.2, markeredgewidth=0.6, zorder=3)
    axes.plot(optimal, place, marker, color=color, markersize=3.6, zorder=3)


def _strokes(at: Array, start: Array, end: Array) -> tuple[Array, Array]:
    """Return one line with gaps that goes from start to end at each place; hundreds of markers would take more room."""
    nothing = np.full(at.size, np.nan)
    return np.repeat(at, 3), np.stack([start, end, nothing], axis=1).ravel()


def _name_beside(axes: Axes, styles: Styles) -> None:
    """Name the schemes at the right of the panel, in the order of their lanes."""
    height = _inches(axes)[1]
    for i, (scheme, (color, marker)) in enumerate(styles.items()):
        _name(axes, 1 - (i + 0.5) * 1.3 * LINE / height, scheme, color, marker)


def over_x_figure(pool: Pool) -> Figure:
    """Return the digits along x, on an axis on which floating-point numbers are evenly spread."""
    styles, panels = emphasised_schemes(pool.schemes), _criteria(pool)
    figure, axes_of = stacked_panels(WIDTH * 1.4, HEIGHT, len(panels), right=_label_room(styles))
    axis = FloatAxis.of(pool.x)
    ticks, places = axis.ticks(), axis.place(digits_along(pool.x, pool.optimal)[0])
    for axes, (words, digits) in zip(axes_of, panels.items(), strict=True):
        along = np.maximum(digits_along(pool.x, digits)[1], FLOOR)
        _draw_schemes(axes, places, along, pool.schemes, styles)
        rug = _strokes(places, np.zeros(places.size), np.full(places.size, 0.03))
        axes.plot(*rug, color=INK, linewidth=0.7, transform=axes.get_xaxis_transform())
        axes.set_xlim(*axis.place(axis.ends))
        axes.set_xticks(axis.place(np.array(list(ticks))), list(ticks.values()))
        axes.set_ylim(*_limits(along.flat))
        whole_ticks(axes.yaxis, 5)
        _finish(axes, words, "digits, running median", has_data=True)
        _label_ends(axes, _ends(along, pool.schemes, styles))
    subtitle = f"{_group(pool)}  ·  ↑ up is better  ·  | points"
    _title(axes_of, "Digits along x", subtitle, "x, floating-point numbers evenly spread")
    return see_through(figure)


@dataclass(frozen=True)
class FloatAxis:
    """An axis on which floating-point numbers are evenly spread, but for those nearer to 0 than any point.

    Attributes
    ----------
    least : float
        The least magnitude of the points that are not 0, at most 1.
    ends : array
        (2,) the least and the largest point.
    """

    least: float
    ends: Array

    @classmethod
    def of(cls, x: Array) -> "FloatAxis":
        """Return the axis of some points."""
        sizes = np.abs(x[x != 0])
        return cls(float(sizes.min(initial=1.0)), np.array([x.min(), x.max()]))

    def place(self, x: Array) -> Array:
        """Return where numbers stand: in ordinals, the stretch around 0 without any point cut to a twentieth."""
        far = ordinals(np.abs(self.ends)).max()
        first = ordinals(np.array(self.least))
        cut = min(int(first), max(int(far - first) // 20, 1))
        return np.asarray(np.sign(x) * np.maximum(ordinals(np.abs(x)) - first + cut, 0))

    def ticks(self) -> dict[float, str]:
        """Return the numbers that have a tick, with their labels: the ends, −1, 0, 1, and powers of ten between."""
        low, high = self.ends.tolist()
        width = float(np.diff(self.place(self.ends))[0]) or 1.0
        kept: list[float] = []
        for number in (low, high, *(each for each in (0.0, 1.0, -1.0) if low < each < high), *self._powers()):
            beside = [abs(float(self.place(np.array(number)) - self.place(np.array(other)))) for other in kept]
            if min(beside, default=width) > 0.07 * width:
                kept.append(number)
        return {number: number_text(number) for number in sorted(kept)}

    def _powers(self) -> list[float]:
        """Return powers of ten between the ends, the coarsest steps first."""
        low, high = self.ends.tolist()
        exponents = np.arange(-320, 309)
        sizes = [float(f"1e{k}") for step in (100, 20, 4, 2, 1) for k in exponents[exponents % step == 0]]
        return [
            sign * size for size, sign in product(sizes, (1.0, -1.0)) if size >= self.least and low < sign * size < high
        ]


def number_text(value: float) -> str:
    """Return a number as a tick shows it: in short, or as a power of ten."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4g}".replace("-", "−")
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    factor = mantissa.removesuffix(".0").replace("-", "−")
    return {"1": power, "−1": f"−{power}"}.get(factor, f"{factor}·{power}")


def _draw_schemes(axes: Axes, x: Array, values: Array, schemes: Sequence[str], styles: Styles) -> None:
    """Draw a curve a scheme, those that are not emphasised behind the others, with a few markers each."""
    for scheme, own in zip(schemes, values, strict=True):
        if scheme not in styles:
            axes.plot(x[_corners(own)], own[_corners(own)], **CROWD)
    third = max(x.size // 3, 1)
    for i, (scheme, (color, marker)) in enumerate(styles.items()):
        look: dict[str, Any] = {"color": color, "marker": marker, "markersize": 3.2, "linewidth": 1.2, "zorder": 3}
        start = x.size * (i + 1) // (len(styles) + 1) % third
        axes.plot(x, values[list(schemes).index(scheme)], markevery=(start, third), **look)


def _corners(values: Array) -> Array:
    """Return where a curve is more than the middle of a level stretch."""
    same = values[1:] == values[:-1]
    return np.flatnonzero(~(np.append(same, False) & np.insert(same, 0, False)))


def _ends(values: Array, schemes: Sequence[str], styles: Styles) -> list[tuple[float, str, str, str]]:
    """Return height, name, colour and marker of each emphasised curve at its end, the lowest first.

    Of those that end together the one with the largest values is on top.
    """
    rows = [list(schemes).index(scheme) for scheme in styles]
    order = sorted(range(len(rows)), key=lambda i: (values[rows[i], -1], values[rows[i]].sum(), -i))
    names = list(styles)
    return [(float(values[rows[i], -1]), names[i], *styles[names[i]]) for i in order]


def _label_ends(axes: Axes, ends: Sequence[tuple[float, str, str, str]]) -> None:
    """Name the curves at the right, apart from each other, with a line to each end."""
    if not ends:
        return
    low, high = axes.get_ylim()
    at = [(value - low) / (high - low) for value, *_ in ends]
    for height, end, (_, name, color, marker) in zip(spread(at, LINE / _inches(axes)[1]), at, ends, strict=True):
        axes.plot([0, 0.12], [end, height], transform=beside_panel(axes), color=color, linewidth=0.7, clip_on=False)
        _name(axes, height, name, color, marker)


def _name(axes: Axes, height: float, name: str, color: str, marker: str) -> None:
    """Write a name at the right of a panel, at a height from 0 to 1, after its marker."""
    look: dict[str, Any] = {"color": color, "marker": marker, "markersize": 4, "linestyle": "", "clip_on": False}
    axes.plot([0.17], [height], transform=beside_panel(axes), **look)
    text = drawn_name(name, LABEL_LENGTH)
    axes.text(0.25, height, text, transform=beside_panel(axes), fontsize=FONT, va="center", parse_math=False)


def _label_room(names: Iterable[str]) -> float:
    """Return the inches that names at the right of a panel take."""
    return 0.32 + LETTER * max((len(drawn_name(name, LABEL_LENGTH)) for name in names), default=0)


def _inches(axes: Axes) -> tuple[float, float]:
    """Return width and height of a panel."""
    return axes.bbox.width / axes.figure.dpi, axes.bbox.height / axes.figure.dpi


Point = tuple[float, float]
Box = tuple[float, float, float, float]


def place_labels(
    points: Sequence[Point], widths: Sequence[float], room: Box, line: float, taken: Sequence[Box] = ()
) -> list[Box]:
    """Return a box for the label of each point, beside it, that covers no point and no other label if that can be.

    Parameters
    ----------
    points : sequence of tuple
        x and y, in inches.
    widths : sequence of float
        Of the labels, in inches.
    room : tuple
        Left, bottom, right and top of where labels may stand.
    line : float
        Height of a label.
    taken : sequence of tuple
        Further places that labels had better not cover.

    Returns
    -------
    list of tuple
        Left, bottom, right and top of each.
    """
    marks = [*taken, *(_around(x, y) for x, y in points)]
    placed: list[Box] = []
    for (x, y), width in zip(points, widths, strict=True):
        boxes = [box for box in _beside(x, y, width, line) if _inside(box, room)] or [_beside(x, y, width, line)[0]]
        placed.append(min(boxes, key=lambda box: sum(_overlap(box, other) for other in [*placed, *marks])))
    return placed


def _around(x: float, y: float) -> Box:
    """Return what a marker covers."""
    return x - 0.05, y - 0.05, x + 0.05, y + 0.05


def _beside(x: float, y: float, width: float, line: float) -> list[Box]:
    """Return boxes at the right and left of a point, above and below it, the nearest first."""
    found: list[Box] = []
    for away, rise in product((0.08, 0.25, 0.5), (0, 1, -1, 2, -2, 3, -3)):
        middle = y + rise * line * 0.9
        low, high = middle - line / 2, middle + line / 2
        found += [(x + away, low, x + away + width, high), (x - away - width, low, x - away, high)]
    return found


def _inside(box: Box, room: Box) -> bool:
    return box[0] >= room[0] and box[1] >= room[1] and box[2] <= room[2] and box[3] <= room[3]


def _overlap(a: Box, b: Box) -> float:
    """Return the area that two boxes have in common."""
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0.0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)


def _label_points(
    axes: Axes, points: Sequence[tuple[float, float, str]], lines: Sequence[Sequence[Point]], marks: Sequence[Point]
) -> None:
    """Name points in a panel whose limits are set, beside lines and marks, with a line to those whose name is away."""
    width, height = _inches(axes)
    at = [_in_inches(axes, x, y) for x, y, _ in points]
    names = [drawn_name(name, LABEL_LENGTH) for *_, name in points]
    taken = [box for line in lines for box in _stairs([_in_inches(axes, *corner) for corner in line])]
    taken += [_around(*_in_inches(axes, *mark)) for mark in marks]
    boxes = place_labels(at, [LETTER * len(name) for name in names], (0, 0, width + 0.1, height), LINE, taken)
    place: dict[str, Any] = {"transform": axes.transAxes, "zorder": 4}
    for (x, y), box, name in zip(at, boxes, names, strict=True):
        middle, is_right = (box[1] + box[3]) / 2, box[0] > x
        start = box[0] if is_right else box[2]
        if abs(middle - y) > LINE / 2 or abs(start - x) > 0.1:
            axes.plot([x / width, start / width], [y / height, middle / height], color=INK, linewidth=0.5, **place)
        side = "left" if is_right else "right"
        axes.text(start / width, middle / height, name, ha=side, va="center", fontsize=FONT, parse_math=False, **place)


def _in_inches(axes: Axes, x: float, y: float) -> Point:
    """Return where a point is in a panel with a logarithmic x axis."""
    (left, right), (low, high) = np.log(axes.get_xlim()), axes.get_ylim()
    width, height = _inches(axes)
    return width * float((np.log(x) - left) / (right - left)), height * (max(y, FLOOR) - low) / (high - low)


def _stairs(corners: Sequence[Point]) -> list[Box]:
    """Return what a line of steps covers."""
    steps = [((x, y, right), (right, top)) for (x, y), (right, top) in pairwise(corners)]
    level = [(x, y - 0.02, right, y + 0.02) for (x, y, right), _ in steps]
    return level + [(right - 0.02, y, right + 0.02, top) for (_, y, _), (right, top) in steps]


def _limits(digits: Iterable[float]) -> tuple[float, float]:
    """Return the ends of an axis that shows all digits, with some room, two digits at the least."""
    known = [max(value, FLOOR) for value in digits if not np.isnan(value)] or [0.0]
    low, most = min(known), max(known)
    room = 0.05 * (most - low) + max(0.1, 1 - (most - low) / 2)
    return low - room, most + room


def _finish(axes: Axes, words: str, y: str, has_data: bool) -> None:
    """Label a panel, and say so where there is nothing in it."""
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(labelsize=FONT)
    axes.grid(visible=True)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.text(0, 1.02, words, transform=axes.transAxes, fontsize=7.5, va="bottom", weight="bold")
    if not has_data:
        axes.text(0.5, 0.5, "no digits to show", transform=axes.transAxes, ha="center", va="center", fontsize=9)


def _title(axes_of: Sequence[Axes], title: str, subtitle: str, x: str) -> None:
    """Write what a figure shows above it, and what x is below it."""
    for text, up, size in ((title, 31, 9.5), (subtitle, 18, 7.5)):
        place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        axes_of[0].annotate(text, (0, 1), xytext=(0, up), fontsize=size, **place)
    axes_of[-1].set_xlabel(x, fontsize=8)
    if axes_of[-1].get_xscale() == "log":
        axes_of[-1].xaxis.set_minor_locator(NullLocator())


def _group(pool: Pool) -> str:
    return f"{ordinal(pool.derivative)} derivative, {pool.dtype}"
