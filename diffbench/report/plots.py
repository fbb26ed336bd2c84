"""One figure a function; the only module that knows matplotlib, and only its object interface."""

import io
from threading import Lock
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator
from PIL import Image

from diffbench.analysis.summary import CurveSummary, summarize_curves, summary_columns
from diffbench.errors import EmptySelectionError, InputError
from diffbench.rounding import unit_roundoff
from diffbench.schemes.scheme import split_derivative
from diffbench.sweep.results import Block, Results, Status

Array = npt.NDArray[Any]

# Okabe and Ito's eight colours, which stay apart for colour-blind readers; shape says the same again.
STYLES: dict[str, tuple[str, str]] = {
    "forward-1": ("#E69F00", ">"),
    "forward-2": ("#D55E00", "^"),
    "forward-4": ("#CC79A7", "v"),
    "central-2": ("#56B4E9", "o"),
    "central-4": ("#0072B2", "s"),
    "central-6": ("#009E73", "D"),
    "central-8": ("#004D40", "P"),
    "complex-step": ("#000000", "*"),
}
"""Colour and marker of the schemes that a crowded figure emphasises, by family."""

BACKGROUND = "#BBBBBB"
MAX_EMPHASISED = 8
COLORMAP = "cividis"
FULL_DIGITS = 16
EQUAL_CONTRAST = 0.179
"""Relative luminance at which black and white text have the same contrast (WCAG 2)."""

_STYLE = Lock()
"""matplotlib's settings are global to the process; who changes them for a moment holds this."""


def plot(results: Results, function: str | None = None, derivative: int = 1, dtype: str = "float64") -> Figure:
    """Return a figure of a run.

    Parameters
    ----------
    results : Results
        The run.
    function : str, optional
        Error against epsilon for this function with all schemes; by default the heat map of all functions.
    derivative, dtype : int, str
        Which block.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if function is None:
        return heat_map(results, derivative, dtype)
    return error_curves(results.block(function, derivative, dtype))


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
    p = typical_point(block) if point is None else point
    figure = _figure(7.2, 4.4)
    axes = figure.add_axes((0.1, 0.13, 0.66, 0.75))
    axes.set_xscale("log")
    axes.set_yscale("log")
    relative = bool(block.references[p].hi)
    ends = []
    emphasised = emphasised_schemes(block.schemes)
    for s, scheme in sorted(enumerate(block.schemes), key=lambda item: item[1] in emphasised):
        end = _draw_curve(axes, block, s, p, relative=relative, style=emphasised.get(scheme))
        if end is not None and scheme in emphasised:
            ends.append((*end, scheme, emphasised[scheme][0]))
    _draw_roundoff(axes, block, relative=relative)
    _label_curve_axes(axes, block, p, relative=relative)
    _label_ends(axes, ends)
    return figure


def typical_point(block: Block) -> int:
    """Return the point whose digits at the optimal epsilon, averaged over schemes, are the median of the points'."""
    curves: CurveSummary = summarize_curves(block)
    known = np.where(np.isnan(curves.oracle_digits), 0.0, curves.oracle_digits)
    usable = ~np.all(np.isnan(curves.oracle_digits), axis=0)
    candidates = np.flatnonzero(usable) if usable.any() else np.arange(len(block.x))
    order = candidates[np.argsort(known.mean(axis=0)[candidates], kind="stable")]
    return int(order[(order.size - 1) // 2])


def emphasised_schemes(schemes: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Return colour and marker of the schemes to emphasise: all where they are few, else those of :data:`STYLES`."""
    if len(schemes) <= MAX_EMPHASISED:
        free = [style for family, style in STYLES.items() if family not in {_family(scheme) for scheme in schemes}]
        return {scheme: STYLES.get(_family(scheme)) or free.pop(0) for scheme in schemes}
    return {scheme: STYLES[_family(scheme)] for scheme in schemes if _family(scheme) in STYLES}


def heat_map(results: Results, derivative: int = 1, dtype: str = "float64") -> Figure:
    """Return function × scheme, coloured by the digits at the optimal epsilon; hatched where there are none."""
    blocks = tuple(block for block in results.blocks if (block.derivative, block.dtype) == (derivative, dtype))
    if not blocks:
        raise EmptySelectionError(f"plot: no block of derivative {derivative}, {dtype}")
    return blocks_heat_map(blocks)


def blocks_heat_map(blocks: tuple[Block, ...]) -> Figure:
    """Return the heat map of blocks of one derivative and dtype."""
    schemes = tuple(dict.fromkeys(scheme for block in blocks for scheme in block.schemes))
    digits = _digits_matrix(blocks, schemes)
    figure = _figure(2.4 + 0.36 * len(schemes), 1.9 + 0.2 * len(blocks))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    image = axes.imshow(digits, aspect="auto", cmap=COLORMAP, vmin=0, vmax=FULL_DIGITS)
    for row, column in np.ndindex(*digits.shape):
        _label_cell(axes, row, column, float(digits[row, column]))
    axes.set_xticks(
        range(len(schemes)), schemes, rotation=60, ha="right", rotation_mode="anchor", fontsize=7, parse_math=False
    )
    axes.set_yticks(
        range(len(blocks)), [_shorten(block.function, 24) for block in blocks], fontsize=7, parse_math=False
    )
    axes.set_title(
        f"Correct digits at the optimal ε: {_ordinal(blocks[0].derivative)} derivative, {blocks[0].dtype}", fontsize=9
    )
    bar = figure.colorbar(image, ax=axes, shrink=0.5, pad=0.02)
    bar.set_label("digits, median over the points (more is better)", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    return figure


def cell_colors(digits: float) -> tuple[str, str]:
    """Return background and text colour of a cell with so many digits."""
    background = mpl.colormaps[COLORMAP](min(max(digits / FULL_DIGITS, 0.0), 1.0))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in background[:3]]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return to_hex(background), "#ffffff" if luminance < EQUAL_CONTRAST else "#000000"


def png_bytes(figure: Figure, dpi: int = 100, colors: int = 64) -> bytes:
    """Return a small PNG of a figure, in a palette, for pages that hold many."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib types only part of its backends
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])  # type: ignore[no-untyped-call]
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
    with _STYLE, mpl.rc_context({"svg.hashsalt": "diffbench", "svg.fonttype": "path"}):
        figure.savefig(out, format=kind, metadata=stable.get(kind, {"Software": None}))
    return out.getvalue()


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=120)
    FigureCanvasAgg(figure)
    return figure


def _family(scheme: str) -> str:
    return split_derivative(scheme)[0]


def _plotted_error(block: Block, s: int, p: int, *, relative: bool) -> Array:
    """Return |error| along the grid, not below half the unit roundoff of the reference, which no one can beat."""
    grid = slice(0, block.grid_size)
    if relative:
        return np.asarray(np.maximum(block.relative_error[s, p, grid], unit_roundoff(block.dtype) / 2))
    errors = np.abs(block.error[:, p, grid])
    positive = errors[errors > 0]
    floor = positive.min() if positive.size else unit_roundoff(block.dtype)
    return np.asarray(np.maximum(errors[s], floor))


def _draw_curve(
    axes: Axes, block: Block, s: int, p: int, *, relative: bool, style: tuple[str, str] | None
) -> tuple[float, float] | None:
    """Draw one scheme and return its right end, if it has any point."""
    epsilon = block.epsilon[s, p, : block.grid_size]
    status = block.status[s, p, : block.grid_size]
    error = _plotted_error(block, s, p, relative=relative)
    ok = (status == Status.OK) & ~np.isnan(error)
    if not ok.any():
        return None
    if style is None:
        axes.plot(epsilon[ok], error[ok], color=BACKGROUND, linewidth=0.7, zorder=1)
        return None
    color, marker = style
    axes.plot(epsilon[ok], error[ok], color=color, marker=marker, markersize=2.8, linewidth=1.2, zorder=3)
    lost = (status == Status.COLLAPSED) & ~np.isnan(error)
    axes.plot(epsilon[lost], error[lost], "x", color=color, markersize=3, alpha=0.5, zorder=2)
    right = np.flatnonzero(ok)[0]
    return float(epsilon[right]), float(error[right])


def _draw_roundoff(axes: Axes, block: Block, *, relative: bool) -> None:
    if not relative:
        return
    u = unit_roundoff(block.dtype)
    axes.axhline(u, color="#555555", linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.annotate(
        f"unit roundoff u = {u:.2g}",
        (0.01, u),
        xytext=(0, 5),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        fontsize=6.5,
        color="#555555",
        va="bottom",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.85},
        zorder=4,
    )


def _label_curve_axes(axes: Axes, block: Block, p: int, *, relative: bool) -> None:
    axes.set_title(block_title(block), fontsize=9.5, loc="left", pad=18, parse_math=False)
    axes.text(0, 1.015, point_title(block, p), transform=axes.transAxes, va="bottom", fontsize=7.5, color="#444444")
    axes.set_xlabel("epsilon ε", fontsize=8)
    axes.set_ylabel("relative error" if relative else "absolute error (the derivative is 0)", fontsize=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_power_of_ten)
        axis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=7.5)
    axes.grid(visible=True, which="major", color="#E5E5E5", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def block_title(block: Block) -> str:
    """Return name and formula of a block's function, the formula only where it is the name."""
    name = f"{_shorten(block.function, 30)}: " if block.function != block.formula else ""
    return f"{name}{_shorten(block.formula, 70)}"


def point_title(block: Block, point: int) -> str:
    """Return which derivative is taken where, in words."""
    which = f"point {point + 1} of {len(block.x)}"
    return f"{_ordinal(block.derivative)} derivative at x = {block.x[point]:.6g} ({which}), {block.dtype}"


def _power_of_ten(value: float, position: float | None = None) -> str:
    """Label a tick in plain text; matplotlib's own mathematical labels take half the time of a figure."""
    del position
    return "10" + f"{round(np.log10(value))}".translate(_SUPERSCRIPTS) if value > 0 else ""


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
    heights = _spread([height for height, *_ in placed])
    for label, (height, right, name, color) in zip(heights, placed, strict=True):
        axes.plot([right, 1.03], [height, label], transform=axes.transAxes, color=color, linewidth=0.6, clip_on=False)
        axes.text(1.04, label, name, transform=axes.transAxes, fontsize=7.5, color=color, va="center", parse_math=False)


def _spread(heights: list[float], gap: float = 0.052) -> list[float]:
    """Move rising heights apart by a gap, within the axes as long as there is room."""
    spread = [min(max(height, 0.0), 1.0) for height in heights]
    for i in range(1, len(spread)):
        spread[i] = max(spread[i], spread[i - 1] + gap)
    spread[-1] = min(spread[-1], 1.0)
    for i in range(len(spread) - 2, -1, -1):
        spread[i] = min(spread[i], spread[i + 1] - gap)
    return spread


def _digits_matrix(blocks: tuple[Block, ...], schemes: tuple[str, ...]) -> Array:
    data = summary_columns(blocks)
    known = {
        (function, scheme): digits
        for function, scheme, digits in zip(data["function"], data["scheme"], data["optimal_digits"], strict=True)
    }
    rows = [[known.get((block.function, scheme)) for scheme in schemes] for block in blocks]
    return np.array(rows, dtype=float)


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
    text = cell_colors(digits)[1]
    axes.text(column, row, f"{digits:.0f}", ha="center", va="center", fontsize=6, color=text)


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _ordinal(derivative: int) -> str:
    return {1: "first", 2: "second", 3: "third", 4: "fourth"}.get(derivative, f"{derivative}th")
