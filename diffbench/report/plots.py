"""One figure a function; the only module that knows matplotlib, and only its object interface."""

import html
import io
import re
from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import Any, final

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes as Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D as Line2D
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.text import Text as Text
from matplotlib.ticker import FixedLocator, MaxNLocator
from matplotlib.ticker import NullLocator as NullLocator
from matplotlib.transforms import ScaledTranslation, Transform, blended_transform_factory
from PIL import Image

from diffbench.analysis.recommend import Recommendation
from diffbench.analysis.summary import along_points, summary_columns
from diffbench.errors import EmptySelectionError, InputError
from diffbench.reference.parts import PARTS
from diffbench.report.table import ordinal
from diffbench.rounding import unit_roundoff
from diffbench.schemes.scheme import split_derivative
from diffbench.sweep.curves import Curves, curves_of
from diffbench.sweep.results import STATUSES, Block, Results, Status, where

Array = npt.NDArray[Any]

# Eight colours that stay apart for colour-blind readers as far as Okabe and Ito's do, and have a contrast of 3 or more
# with white and with nearly black, so that a figure can lie on a page of either kind; shape says the same again.
STYLES: dict[str, tuple[str, str]] = {
    "forward-1": ("#DC7D1E", ">"),
    "forward-2": ("#E70E00", "^"),
    "forward-4": ("#9D4D7A", "v"),
    "central-2": ("#0098FF", "o"),
    "central-4": ("#4E5ABF", "s"),
    "central-6": ("#1B9B71", "D"),
    "central-8": ("#5E750B", "P"),
    "complex-step": ("#8934FF", "*"),
}
"""Colour and marker of the schemes that a crowded figure emphasises, by family."""

PART_COLORS = dict(zip(PARTS, ("#0072B2", "#E69F00", "#D55E00", "#999999"), strict=True))

BACKGROUND = "#808080"
FADED = 0.45
"""Colour of a crowd, and how much of it there is, on a light and on a dark ground."""

MAX_EMPHASISED = 8

INK = "#767676"
"""Grey of text and ticks on a ground that is not known: a contrast of 4.5 with white, of 3.9 with nearly black."""

MOST_DECADES = 40
"""How many decades an axis of errors has at most, from the least error upwards; the page's explorer has as many."""

SCHEME_LENGTH = 24
"""Letters of a scheme's name that have room beside a panel."""

TITLE_LENGTH = 110
MOST_TICKS = 6

COLORMAP = "cividis"
FULL_DIGITS = 16
EQUAL_CONTRAST = 0.179
"""Relative luminance at which black and white text have the same contrast (WCAG 2)."""

_STYLE = Lock()
"""matplotlib's settings are global to the process; who changes them for a moment holds this."""


def plot(
    results: Results,
    function: str | None = None,
    derivative: int = 1,
    dtype: str = "float64",
    *,
    scheme: str | None = None,
) -> Figure:
    """Return a figure of a run.

    Parameters
    ----------
    results : Results
        The run.
    function : str, optional
        Error against epsilon for this function with all schemes; by default the heat map of all functions.
    derivative, dtype : int, str
        Which block.
    scheme : str, optional
        The error of this scheme alone with its four parts, of a run with anatomy.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from diffbench import Spec, run
    >>> figure = plot(run(Spec("exp", ["forward-1", "central-2"])), "exp")
    >>> figure.savefig("exp.svg")
    """
    if function is None:
        if scheme is not None:
            raise InputError(f"scheme: {scheme!r} needs a function")
        return heat_map(results, derivative, dtype)
    block = results.block(function, derivative, dtype)
    return error_curves(block) if scheme is None else part_curves(block, scheme)


def error_curves(block: Block, point: int | None = None) -> Figure:
    """Return the error of every scheme against epsilon at one point, log–log.

    Parameters
    ----------
    block : Block
        The function's.
    point : int, optional
        Index of the point; by default :func:`typical_point`.
    """
    if not block.grid_size:
        raise InputError("plot: the block has no epsilons")
    p = typical_point([curves_of(block)]) if point is None else point
    figure, axes = _curve_figure()
    _limit_epsilons(axes, block)
    if not (block.status[:, p, : block.grid_size] == Status.OK).any():
        _say_why_empty(axes, block, p)
        return figure
    relative = bool(block.references[p].hi)
    errors = _plotted_errors(block, p, relative=relative)
    drawn, u = errors[block.status[:, p, : block.grid_size] == Status.OK], unit_roundoff(block.dtype)
    _limit_errors(axes, np.append(drawn, u) if relative else drawn, max(MOST_DECADES, -1.2 * np.log10(u)))
    ends = _draw_curves(axes, block, p, errors)
    if relative:
        axes.axhline(u, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        ends.append((axes.get_xlim()[1], u, "unit roundoff u", INK))
    _label_curve_axes(axes, block, p, "relative error" if relative else "absolute error (the derivative is 0)")
    _label_ends(axes, ends)
    shown = _scheme_with_parts(block, p)
    if shown is not None:
        _draw_shares(figure, axes, block, shown, p)
    return figure


def part_curves(block: Block, scheme: str, point: int | None = None) -> Figure:
    """Return the error of one scheme against epsilon at one point, and the magnitudes of its four parts.

    Parameters
    ----------
    block : Block
        The function's, of a run with anatomy.
    scheme : str
        Which scheme.
    point : int, optional
        Index of the point; by default :func:`typical_point`.
    """
    if scheme not in block.schemes:
        raise InputError(f"scheme: {scheme!r} is not one of the run's: {', '.join(block.schemes)}")
    if block.parts is None or not block.grid_size:
        raise InputError("plot: the run has no anatomy, or no epsilons")
    p = typical_point([curves_of(block)]) if point is None else point
    s = block.schemes.index(scheme)
    figure, axes = _curve_figure()
    epsilon = block.epsilon[s, p, : block.grid_size]
    ends = []
    for name, values in {"error": block.error, **dict(zip(PARTS, block.parts, strict=True))}.items():
        size = np.abs(values[s, p, : block.grid_size])
        drawn = np.asarray(size > 0)
        color, width = (PART_COLORS[name], 1.1) if name in PART_COLORS else ("#000000", 2.0)
        axes.plot(epsilon[drawn], size[drawn], color=color, linewidth=width, marker=".", markersize=2.5)
        if drawn.any():
            ends.append((float(epsilon[drawn][0]), float(size[drawn][0]), name, color))
    _label_curve_axes(axes, block, p, f"absolute error of {drawn_name(scheme, SCHEME_LENGTH)}")
    _leave_out_what_is_negligible(axes, np.abs(block.error[s, p, : block.grid_size]))
    _label_ends(axes, ends)
    _draw_shares(figure, axes, block, s, p)
    return figure


def _leave_out_what_is_negligible(axes: Axes, error: Array) -> None:
    """End the axis some decades below the least error, though the truncation may fall for fifty more."""
    known = error[np.nonzero(error > 0)]
    if known.size:
        axes.set_ylim(bottom=max(axes.get_ylim()[0], float(known.min()) * 1e-4))


def _curve_figure() -> tuple[Figure, Axes]:
    figure = _figure(7.2, 4.4)
    axes = figure.add_axes((0.1, 0.13, 0.66, 0.75))
    axes.set_xscale("log")
    axes.set_yscale("log")
    return figure, axes


def _scheme_with_parts(block: Block, p: int) -> int | None:
    """Return the scheme whose parts are shown under the curves: central-2 where it is there, else the first."""
    if block.parts is None:
        return None
    has_parts = np.isfinite(block.parts[0][:, p, : block.grid_size])
    known = [s for s in range(len(block.schemes)) if has_parts[s].any()]
    return next((s for s in known if _family(block.schemes[s]) == "central-2"), known[0] if known else None)


def _draw_shares(figure: Figure, above: Axes, block: Block, s: int, p: int) -> None:
    """Add a strip with the share of each part in the sum of their magnitudes, stacked, on the same epsilons."""
    epsilon = block.epsilon[s, p, : block.grid_size]
    usable = np.isfinite(epsilon) & (epsilon > 0)
    sizes = np.abs(block.parts[:, s, p, : block.grid_size][:, usable]) if block.parts is not None else np.empty((4, 0))
    if sizes.shape[1] < 2:
        return
    figure.set_size_inches(7.2, 5.5)
    above.set_position((0.1, 0.33, 0.66, 0.58))
    above.set_xlabel("")
    above.tick_params(bottom=False, labelbottom=False)
    axes = figure.add_axes((0.1, 0.1, 0.66, 0.17), sharex=above)
    with np.errstate(all="ignore"):
        tops = np.cumsum(sizes / sizes.sum(axis=0), axis=0)
    edges = _edges(epsilon[usable])
    for i, name in reversed(list(enumerate(PARTS))):
        # Axes.stairs would measure every corner for limits that are known.
        axes.add_artist(StepPatch(tops[i][::-1], edges[::-1], fill=True, color=PART_COLORS[name], label=name))
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "", "1"])
    axes.set_ylabel("share", fontsize=8)
    axes.set_xlabel("epsilon ε", fontsize=8)
    axes.xaxis.set_major_formatter(power_of_ten)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=7.5)
    axes.legend(
        title=f"parts of {drawn_name(block.schemes[s], SCHEME_LENGTH)}",
        loc="upper left",
        bbox_to_anchor=(1.03, 1.15),
        frameon=False,
        alignment="left",
        fontsize=7.5,
        title_fontsize=7.5,
        handlelength=0.9,
        labelspacing=0.25,
    )


def _edges(epsilon: Array) -> Array:
    """Return the ends of a bar around each epsilon, halfway on a logarithmic axis."""
    steps = np.log(epsilon)
    between = (steps[1:] + steps[:-1]) / 2
    return np.asarray(np.exp(np.concatenate([[2 * steps[0] - between[0]], between, [2 * steps[-1] - between[-1]]])))


def recommendation_figure(advice: Recommendation) -> Figure:
    """Return the predicted error of a recommended scheme against epsilon, with its parts and the epsilon marked."""
    curve = advice.curve
    scale = abs(curve.derivative) or 1.0
    figure = _figure(7.2, 4.4)
    axes = figure.add_axes((0.1, 0.13, 0.86, 0.75))
    axes.set_xscale("log")
    axes.set_yscale("log")
    error = np.where(curve.error > 0, curve.error, np.nan) / scale
    axes.plot(curve.epsilon, error, label="predicted error", color=STYLES["central-4"][0], linewidth=1.6, zorder=3)
    for line, label, color in ((curve.truncation, "truncation", "#D55E00"), (curve.rounding, "rounding", "#555555")):
        shown = np.where(line > 0, line, np.nan) / scale
        axes.plot(curve.epsilon, shown, label=f"{label}, theory", color=color, linestyle="--", linewidth=0.9)
    if not np.isnan(error).all():
        axes.set_ylim(np.nanmin(error) / 100, 10 * np.nanmax(error))
    axes.axvline(advice.epsilon, color="#009E73", linewidth=1.0)
    label = f"{advice.scheme}, ε = {advice.epsilon:.3g}"
    axes.plot([advice.epsilon], [advice.error / scale], "o", color="#009E73", markersize=6, zorder=4, label=label)
    axes.legend(fontsize=7.5, frameon=False)
    _label_recommendation(axes, advice)
    return figure


def _label_recommendation(axes: Axes, advice: Recommendation) -> None:
    axes.set_title(drawn_name(advice.formula, 80), fontsize=9.5, loc="left", pad=18, parse_math=False)
    title = f"{ordinal(advice.derivative)} derivative at x = {advice.x:.6g}, {advice.dtype}"
    axes.text(0, 1.015, title, transform=axes.transAxes, va="bottom", fontsize=7.5, color="#444444")
    _label_axes(axes, "relative error" if advice.digits is not None else "absolute error (the derivative is 0)")


def typical_point(parts: list[Curves]) -> int:
    """Return the point whose digits at the optimal epsilon, averaged over schemes, are the median of the points'.

    Points without digits come after those with some, and points without any ok cell last.
    """
    digits = along_points(parts, "oracle_digits")
    known = np.where(np.isnan(digits), 0.0, digits)
    candidates = np.arange(digits.shape[1])
    for values in (digits, along_points(parts, "oracle_error")):
        usable = np.flatnonzero(~np.all(np.isnan(values), axis=0))
        if usable.size:
            candidates = usable
            break
    order = candidates[np.argsort(known.mean(axis=0)[candidates], kind="stable")]
    return int(order[(order.size - 1) // 2])


def emphasised_schemes(schemes: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Return colour and marker of the schemes to emphasise: all where they are few, else those of :data:`STYLES`.

    Of many schemes of which hardly any is among these, the first ones take the styles that are left.
    """
    styled = [scheme for scheme in schemes if _family(scheme) in STYLES]
    others = [scheme for scheme in schemes if scheme not in styled]
    free = [style for family, style in STYLES.items() if family not in {_family(scheme) for scheme in styled}]
    wanted = len(schemes) <= MAX_EMPHASISED or len(styled) < MAX_EMPHASISED // 2
    taken = dict(zip(others, free, strict=False)) if wanted else {}
    found = {scheme: STYLES[_family(scheme)] for scheme in styled} | taken
    return {scheme: found[scheme] for scheme in schemes if scheme in found}


def heat_map(results: Results, derivative: int = 1, dtype: str = "float64") -> Figure:
    """Return function × scheme, coloured by the digits at the optimal epsilon; hatched where there are none."""
    curves = [part for part in results.curves if (part.derivative, part.dtype) == (derivative, dtype)]
    if not curves:
        raise EmptySelectionError(f"plot: no block of derivative {derivative}, {dtype}")
    return digits_heat_map(curves)


def digits_heat_map(curves: Sequence[Curves]) -> Figure:
    """Return the heat map of the curves of one derivative and dtype."""
    schemes = tuple(dict.fromkeys(scheme for part in curves for scheme in part.schemes))
    functions = tuple(dict.fromkeys(part.function for part in curves))
    digits = _digits_matrix(curves, functions, schemes)
    figure = _figure(2.4 + 0.36 * len(schemes), 1.9 + 0.2 * len(functions))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    image = axes.imshow(digits, aspect="auto", cmap=COLORMAP, vmin=0, vmax=FULL_DIGITS)
    for row, column in np.ndindex(*digits.shape):
        _label_cell(axes, row, column, float(digits[row, column]))
    axes.set_xticks(
        range(len(schemes)),
        list(map(printable, schemes)),
        rotation=60,
        ha="right",
        rotation_mode="anchor",
        fontsize=7,
        parse_math=False,
    )
    axes.set_yticks(
        range(len(functions)), [drawn_name(function, 24) for function in functions], fontsize=7, parse_math=False
    )
    axes.set_title(
        f"Correct digits at the optimal ε: {ordinal(curves[0].derivative)} derivative, {curves[0].dtype}", fontsize=9
    )
    bar = figure.colorbar(image, ax=axes, shrink=0.5, pad=0.02)
    bar.set_label("digits, median over the points (more is better)", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    return figure


def cell_colors(digits: float) -> tuple[str, str]:
    """Return background and text colour of a cell with so many digits."""
    colormap = mpl.colormaps[COLORMAP]
    return _shade(min(int(max(digits / FULL_DIGITS, 0.0) * colormap.N), colormap.N - 1))


@cache
def _shade(step: int) -> tuple[str, str]:
    background = mpl.colormaps[COLORMAP](step)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in background[:3]]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return to_hex(background), "#ffffff" if luminance < EQUAL_CONTRAST else "#000000"


def png_bytes(figure: Figure, dpi: int = 100, colors: int = 64) -> bytes:
    """Return a small PNG of a figure, in a palette, for pages that hold many."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib types only part of its backends
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])  # type: ignore[no-untyped-call]  # as above
    out = io.BytesIO()
    picture.quantize(colors, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(out, "png")
    return out.getvalue()


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """Return a figure as svg, png or pdf; the same figure gives the same bytes."""
    stable = {
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    out = io.BytesIO()
    style = mpl.rc_context({"svg.hashsalt": "diffbench", "svg.fonttype": "path"})
    # Before 3.11 matplotlib looks for ticks at powers beyond the range.
    with _STYLE, style, np.errstate(over="ignore"):
        figure.savefig(out, format=kind, metadata=stable.get(kind, {"Software": None}))
    return out.getvalue()


def see_through(figure: Figure) -> Figure:
    """Return a figure that can lie on a light and on a dark page: without a ground, all text and ticks in one grey."""
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
        axes.tick_params(which="both", color=INK, grid_color=INK, grid_alpha=0.22, grid_linewidth=0.6)
        for spine in axes.spines.values():
            spine.set_color(INK)
    for text in figure.findobj(Text):
        text.set_color(INK)
        text.set_bbox(None)
    return figure


def inline_svg(figure: Figure, name: str, label: str) -> str:
    """Return a figure as an SVG element for a page: small, text as text, in the page's own colour of text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        From :func:`see_through`.
    name : str
        Tells the identifiers of this figure from those of others on the page.
    label : str
        What a screen reader says of it.
    """
    out = io.BytesIO()
    fonts = ["DejaVu Sans", "Verdana", "Arial"]
    with _STYLE, mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "font.sans-serif": fonts}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue().decode()
    body = _TAG.sub(_small_tag, _COMMENT.sub("", text[text.index(">", text.index("<svg")) + 1 :]))
    body = _BETWEEN.sub("><", _MARKERS.sub(_small_markers, body)).strip()
    width, height = (72 * size for size in figure.get_size_inches())
    shown = f'viewBox="0 0 {width:g} {height:g}" width="{4 * width / 3:.0f}" height="{4 * height / 3:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {shown}'
    return f'{head} role="img" aria-label="{html.escape(label)}">{body}\n'


_COMMENT = re.compile(r"\s*<!--.*?-->|\s*<metadata>.*?</metadata>", re.S)
_TAG = re.compile(r"<[^>]*>")
_GROUP = re.compile(r'<g id="[^"]*"')
_BETWEEN = re.compile(r">\s+<")
_MARKERS = re.compile(r'<g clip-path="[^"]*">(?:\s*<use [^>]*/>){2,}\s*</g>|<g>(?:\s*<use [^>]*/>){2,}\s*</g>')
_PATH = re.compile(r'(?<=<path d=")[^"]{200,}')
_DECIMALS = re.compile(r"(?<![\w.#])-?\d+\.\d{2,}")


def _small_tag(found: re.Match[str]) -> str:
    """Return a tag in few letters, in the page's colour, and without the names that groups have in every figure."""
    tag = _GROUP.sub("<g", found[0]).replace(INK.lower(), "currentColor")
    return _rounded(_PATH.sub(_small_path, tag), 2)


def _small_path(found: re.Match[str]) -> str:
    """Return the corners of a long line to a tenth of a point; each after the first is the end of a line anyhow."""
    return re.sub(r"\s+M ", "M", re.sub(r"(?<=\d)\s+L ", " ", _rounded(found[0], 1))).strip()


def _small_markers(found: re.Match[str]) -> str:
    """Return the markers of a curve with the style that they share in their group."""
    styles = set(re.findall(r' style="[^"]*"', found[0]))
    if len(styles) != 1:
        return found[0]
    style = styles.pop()
    return found[0].replace(style, "").replace(">", f"{style}>", 1)


def _rounded(text: str, decimals: int) -> str:
    return _DECIMALS.sub(lambda number: f"{float(number[0]):.{decimals}f}".rstrip("0").rstrip("."), text)


def panel(width: float, height: float, *, right: float, log_x: bool = False) -> tuple[Figure, Axes]:
    """Return a figure with one panel that leaves some inches free at its right, for a legend."""
    figure = _figure(width, height)
    axes = figure.add_axes((0.62 / width, 0.52 / height, 1 - (0.62 + right) / width, 1 - 1.06 / height))
    if log_x:
        axes.set_xscale("log")
    return figure, axes


def stacked_panels(
    width: float, height: float, count: int, *, right: float, left: float = 0.62
) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels below each other on one x axis, the first on top, some inches free beside them."""
    figure = _figure(width, height)
    gap = 0.26
    room = (height - 0.68 - 0.46 - gap * (count - 1)) / count
    found: list[Axes] = []
    for i in range(count):
        bottom = 0.46 + (count - 1 - i) * (room + gap)
        place = (left / width, bottom / height, 1 - (left + right) / width, room / height)
        found.append(figure.add_axes(place, sharex=found[0] if found else None))
        found[i].tick_params(labelbottom=i == count - 1)
    return figure, found


def beside_panel(axes: Axes) -> Transform:
    """Return where things are at the right of a panel: in inches from it, whatever its width, and shares of height."""
    edge = ScaledTranslation(1, 0, axes.transAxes)  # type: ignore[arg-type]  # any transform will do
    return blended_transform_factory(axes.figure.dpi_scale_trans + edge, axes.transAxes)


def whole_ticks(axis: Axis, most: int) -> None:
    """Give an axis of digits some ticks at whole numbers."""
    axis.set_major_locator(MaxNLocator(nbins=most, integer=True, steps=[1, 2, 5, 10]))


def label_panel(axes: Axes, title: str, subtitle: str, x: str, y: str) -> None:
    """Write what a panel shows above it, and what its axes are beside them."""
    axes.set_title(printable(title), fontsize=9.5, loc="left", pad=18, parse_math=False)
    axes.annotate(
        printable(subtitle),
        (0, 1),
        xytext=(0, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=7.5,
        color="#444444",
    )
    axes.set_xlabel(printable(x), fontsize=8)
    axes.set_ylabel(printable(y), fontsize=8)
    if axes.get_xscale() == "log":
        axes.xaxis.set_major_formatter(power_of_ten)
        axes.xaxis.set_minor_locator(NullLocator())
    _quiet(axes)


@final
class Drawing(Figure):
    """A figure that a notebook shows, whether pyplot is imported or not."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def _figure(width: float, height: float) -> Figure:
    figure = Drawing(figsize=(width, height), dpi=120)
    FigureCanvasAgg(figure)
    return figure


def _family(scheme: str) -> str:
    return split_derivative(scheme)[0]


def _limit_epsilons(axes: Axes, block: Block) -> None:
    """End the axis a little beyond the grid."""
    grid = block.grid[block.grid > 0]
    low, high = (float(grid.min()), float(grid.max())) if grid.size else (1e-16, 1.0)
    room = max(high / low, 1e2) ** 0.03
    axes.set_xlim(low / room, high * room)
    axes.xaxis.set_major_locator(FixedLocator(_decades(low, high)))


def _limit_errors(axes: Axes, errors: Array, decades: float) -> None:
    """End the axis a little beyond the errors, but at most so many decades above the least of them."""
    with np.errstate(over="ignore"):
        low, high = np.log10(errors.min()), np.log10(min(errors.max(), errors.min() * 10.0**decades))
    room = 0.04 * max(high - low, 2.0)
    axes.set_ylim(10.0 ** max(low - room, -320.0), 10.0 ** min(high + room, 308.0))
    axes.yaxis.set_major_locator(FixedLocator(_decades(*axes.get_ylim())))


def _decades(low: float, high: float) -> list[float]:
    """Return the powers of ten that have a tick, few of them: each takes longer to draw than a curve."""
    first, last = int(np.ceil(np.log10(low) - 1e-9)), int(np.floor(np.log10(high) + 1e-9))
    step = next(step for step in (1, 2, 3, 5, 10, 20, 50, 100) if (last - first) // step < MOST_TICKS)
    return [10.0**power for power in range(first, last + 1) if power % step == 0]


def _say_why_empty(axes: Axes, block: Block, p: int) -> None:
    """Label a panel for which there is no error to draw."""
    _label_curve_axes(axes, block, p, "error")
    axes.set_yticks([])
    axes.text(0.5, 0.5, _why_empty(block, p), transform=axes.transAxes, ha="center", va="center", fontsize=9)


def _why_empty(block: Block, p: int) -> str:
    reference = block.references[p]
    if not reference.is_settled:
        sides = (("left", reference.left), ("right", reference.right))
        limits = [f"{float(limit):.6g} from the {side}" for side, limit in sides if limit is not None]
        reason = ", ".join(limits) or reference.reason
        known = {"nondifferentiable": "there is no derivative here"}
        words = known.get(reference.verdict, f"the exact derivative is {reference.verdict}")
        return "\n".join(["no error to measure:", words, *([drawn_name(reason, 70)] * bool(reason))])
    status = block.status[:, p, : block.grid_size]
    counts = {each.label: int(np.count_nonzero(status == each)) for each in STATUSES}
    return "\n".join(["no cell is ok:", ", ".join(f"{count} {label}" for label, count in counts.items() if count)])


def _plotted_errors(block: Block, p: int, *, relative: bool) -> Array:
    """Return |error| by scheme along the grid, not below half the unit roundoff of the reference.

    No one can beat that; where the derivative is 0 the least error that is not 0 takes its place.
    """
    grid = slice(0, block.grid_size)
    if relative:
        return np.asarray(np.maximum(block.relative_error[:, p, grid], unit_roundoff(block.dtype) / 2))
    errors = np.abs(block.error[:, p, grid])
    positive = errors[errors > 0]
    floor = positive.min() if positive.size else unit_roundoff(block.dtype)
    return np.asarray(np.maximum(errors, floor))


def _draw_curves(axes: Axes, block: Block, p: int, errors: Array) -> list[tuple[float, float, str, str]]:
    """Draw the schemes, and return right end, name and colour of those that are emphasised."""
    emphasised = emphasised_schemes(block.schemes)
    epsilon, status = block.epsilon[:, p, : block.grid_size], block.status[:, p, : block.grid_size]
    known = ~np.isnan(errors)
    ok, lost = known & (status == Status.OK), known & (status == Status.COLLAPSED)
    crowd, ends = [], []
    for s, scheme in enumerate(block.schemes):
        x, y = epsilon[s, ok[s]], errors[s, ok[s]]
        if scheme not in emphasised:
            crowd.append(np.column_stack([x, y]))
            continue
        if not x.size:
            continue
        color, marker = emphasised[scheme]
        axes.add_line(Line2D(x, y, color=color, marker=marker, markersize=2.8, linewidth=1.2, zorder=3))
        if lost[s].any():
            look: dict[str, Any] = {"marker": "x", "markersize": 3, "linestyle": "", "alpha": 0.5, "zorder": 2}
            axes.add_line(Line2D(epsilon[s, lost[s]], errors[s, lost[s]], color=color, **look))
        ends.append((float(x[0]), float(y[0]), scheme, color))
    axes.add_collection(LineCollection(crowd, colors=BACKGROUND, alpha=FADED, linewidths=0.7, zorder=1), autolim=False)
    return ends


def _label_curve_axes(axes: Axes, block: Block, p: int, error: str) -> None:
    title = shorten(printable(block_title(block)), TITLE_LENGTH)
    # A height that is given need not be found, which takes a look at every label.
    axes.set_title(title, y=1.0, fontsize=9.5, loc="left", pad=18, parse_math=False)
    subtitle = f"{point_title(block, p)}, u = {unit_roundoff(block.dtype):.2g}"
    axes.text(0, 1.015, subtitle, transform=axes.transAxes, va="bottom", fontsize=7.5, color="#444444")
    _label_axes(axes, error)


def _label_axes(axes: Axes, error: str) -> None:
    axes.set_xlabel("epsilon ε", fontsize=8)
    axes.set_ylabel(error, fontsize=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(power_of_ten)
        axis.set_minor_locator(NullLocator())
    _quiet(axes)


def _quiet(axes: Axes) -> None:
    """Leave the ink to the data."""
    axes.tick_params(labelsize=7.5)
    axes.grid(visible=True, which="major", color="#E5E5E5", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def block_title(block: Block) -> str:
    """Return name, formula and noise of a block's function, the formula only where it is the name."""
    name = f"{shorten(block.function, 30)}: " if block.function != block.formula else ""
    noise = f", noise {block.noise}" if block.noise else ""
    return f"{name}{shorten(block.formula, 70)}{noise}"


def point_title(block: Block, point: int) -> str:
    """Return which derivative is taken where, in words."""
    which = f"point {point + 1} of {len(block.x)}"
    return f"{ordinal(block.derivative)} derivative at {where(block, point, 6)} ({which}), {block.dtype}"


def power_of_ten(value: float, position: float | None = None) -> str:
    """Label a tick in plain text; matplotlib's own mathematical labels take half the time of a figure."""
    del position
    return "10" + f"{round(np.log10(value))}".translate(_SUPERSCRIPTS) if 0 < value < np.inf else ""


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _label_ends(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Name the curves at the right, in the order of their ends, apart from each other, with a line to each end."""
    if not ends:
        return
    axes.autoscale_view()
    to_axes = axes.transData + axes.transAxes.inverted()
    placed: list[tuple[float, float, str, str]] = []
    for x, y, name, color in ends:
        right, height = to_axes.transform((x, y))
        placed.append((float(height), float(right), name, color))
    placed.sort()
    heights = spread([height for height, *_ in placed])
    lines = [
        [(right, min(max(height, 0.0), 1.0)), (1.03, label)]
        for label, (height, right, *_) in zip(heights, placed, strict=True)
    ]
    colors = [color for *_, color in placed]
    leaders = LineCollection(lines, colors=colors, linewidths=0.6, transform=axes.transAxes, clip_on=False)
    axes.add_collection(leaders, autolim=False)
    place: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 7.5, "va": "center", "parse_math": False}
    for label, (*_, name, color) in zip(heights, placed, strict=True):
        axes.text(1.04, label, drawn_name(name, SCHEME_LENGTH), color=color, **place)


def spread(heights: list[float], gap: float = 0.052) -> list[float]:
    """Move rising heights apart by a gap, within the axes as long as there is room."""
    spread = [min(max(height, 0.0), 1.0) for height in heights]
    for i in range(1, len(spread)):
        spread[i] = max(spread[i], spread[i - 1] + gap)
    spread[-1] = min(spread[-1], 1.0)
    for i in range(len(spread) - 2, -1, -1):
        spread[i] = min(spread[i], spread[i + 1] - gap)
    return spread


def _digits_matrix(curves: Sequence[Curves], functions: tuple[str, ...], schemes: tuple[str, ...]) -> Array:
    data = summary_columns(curves)
    known = {
        (function, scheme): digits
        for function, scheme, digits in zip(data["function"], data["scheme"], data["optimal_digits"], strict=True)
    }
    return np.array([[known.get((function, scheme)) for scheme in schemes] for function in functions], dtype=float)


def _label_cell(axes: Axes, row: int, column: int, digits: float) -> None:
    if np.isnan(digits):
        axes.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5),
                1,
                1,
                facecolor="#F2F2F2",
                edgecolor="#999999",
                hatch="////",
                linewidth=0,
            )
        )
        return
    label = axes.text(column, row, f"{digits:.0f}", ha="center", va="center", fontsize=6, color=cell_colors(digits)[1])
    # It lies within the axes; the layout need not measure a thousand of them.
    label.set_in_layout(False)


@cache
def font(weight: str = "normal", family: str = "DejaVu Sans") -> FT2Font:
    """Return a font that comes with matplotlib."""
    return get_font(findfont(FontProperties(family=family, weight=weight)))


@cache
def _letters() -> frozenset[int]:
    return frozenset(font(family="DejaVu Sans Mono").get_charmap()) & frozenset(font().get_charmap())


def printable(text: str) -> str:
    """Return a text with every character that the fonts of figures and pages do not have as its number in Unicode."""
    return "".join(c if ord(c) in _letters() else " " if c.isspace() else f"[U+{ord(c):04X}]" for c in text)


def drawn_name(text: str, width: int) -> str:
    """Return a text of at most so many letters that the fonts of figures have."""
    return shorten(printable(text), width)


def shorten(text: str, width: int) -> str:
    """Return a text of at most so many letters."""
    return text if len(text) <= width else text[: width - 1] + "…"
