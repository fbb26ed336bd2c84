"""A report as pages of A4: text, tables in a typewriter's letters, and figures below each other."""

import io
from collections.abc import Iterable, Sequence
from functools import cache
from textwrap import wrap
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.colors import to_hex
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Bbox

from diffbench.report.plots import _STYLE, INK, Axes, Figure, Line2D, Text, font, power_of_ten, printable
from diffbench.report.table import PrintedColumn, Table, compact, ended, printed_parts, sentence

WIDTH, HEIGHT = 8.27, 11.69
SIDE, TOP, BOTTOM = 0.6, 0.65, 0.75
ROOM = WIDTH - 2 * SIDE
"""Inches: of a page, and between its margins."""

SIZES = (7.5, 6.6, 5.8)
"""Of a table's letters, in points: the first at which it fits."""

TYPEWRITER = 0.60206
"""Width of a letter of DejaVu Sans Mono, as a share of its size."""

GAP = 2
"""Letters between two columns."""

LEADING = 1.35

HALF, CAPTION = 4.1, 0.9
"""Inches: of a figure of which two stand on a page, and of its caption."""

TALLEST_LABELS = 2.3
"""Inches that axes need so that eight labels beside them stay apart."""

LEAST_MARKER = 0.7
"""How much smaller markers become at most."""

MANY_POINTS = 12
MARKERS_APART = 2.5
"""On a curve of so many points markers are so many times their size apart."""

GREY = "#444444"


def pdf_bytes(figures: Iterable[Figure]) -> bytes:
    """Return figures as the pages of a PDF whose letters are those of fonts; the same figures give the same bytes."""
    out = io.BytesIO()
    stable = {"CreationDate": None, "Creator": None, "Producer": None}
    with _STYLE, mpl.rc_context({"pdf.fonttype": 42}), PdfPages(out, metadata=stable) as pages:
        for figure in figures:
            pages.savefig(figure)
    return out.getvalue()


def fitted(figure: Figure, width: float, height: float | None = None) -> Figure:
    """Change a figure to a width in inches, its letters as large as before, and everything inside it; return it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    width, height : float
        In inches. By default the height is what the shape asks for, or more if labels need it.
    """
    old_width, old_height = figure.get_size_inches()
    if figure.get_layout_engine() is not None or not figure.axes:
        figure.set_size_inches(width, height or old_height * width / old_width)
        return figure
    FigureCanvasAgg(figure)
    figure.set_size_inches(width, height or old_height)
    _pull_inside(figure)
    if height is None:
        tallest = max(axes.get_position().height * old_height for axes in figure.axes)
        least = old_height * min(TALLEST_LABELS, 0.6 * old_height) / tallest
        figure.set_size_inches(width, max(old_height * width / old_width, min(least, old_height)))
    _pull_inside(figure)
    _pull_inside(figure)
    for axes in figure.axes:
        _thin_out(axes)
        _thin_markers(axes, min(width / old_width, 1.0))
    return figure


def _thin_out(axes: Axes) -> None:
    """Leave out labels below an axis that would lie on others, where their places are given.

    Powers of ten stay evenly spaced: every second one has a label, or every third.
    """
    axis = axes.xaxis
    labels = axis.get_ticklabels()
    if not isinstance(axis.get_major_locator(), FixedLocator) or not any(label.get_visible() for label in labels):
        return
    boxes = [label.get_window_extent() if label.get_text() else None for label in labels]
    if getattr(axis.get_major_formatter(), "func", None) is power_of_ten:
        steps = (list(range(len(labels)))[::-step] for step in range(1, len(labels) + 1))
        kept = next((step for step in steps if _free(boxes, step[::-1]) == step[::-1]), [])
    else:
        kept = _free(boxes, range(len(labels)))
    texts = [label.get_text() if i in kept else "" for i, label in enumerate(labels)]
    axis.set_ticks([label.get_position()[0] for label in labels], labels=texts)


def _free(boxes: Sequence[Any], order: Iterable[int]) -> list[int]:
    """Return which labels, from left to right, do not lie on the one before of them."""
    kept: list[int] = []
    for i in order:
        if boxes[i] is not None and (not kept or boxes[i].x0 > boxes[kept[-1]].x1 + 4):
            kept.append(i)
    return kept


def _thin_markers(axes: Axes, share: float) -> None:
    """Make markers smaller on a figure that became narrower, and give fewer points of a long curve one."""
    for line in axes.lines:
        if line.get_marker() in {"None", "", None} or line.get_transform() != axes.transData:
            continue
        line.set_markersize(line.get_markersize() * max(share**0.5, LEAST_MARKER))
        x = np.asarray(line.get_xdata())
        if axes.get_xscale() != "log" or x.size < MANY_POINTS or line.get_markevery() is not None:
            continue
        ends = axes.transData.transform([(x[0], 1.0), (x[-1], 1.0)])[:, 0] * 72 / axes.figure.dpi
        between = float(abs(ends[1] - ends[0])) / (x.size - 1)
        line.set_markevery(max(1, round(MARKERS_APART * line.get_markersize() / max(between, 0.01))))


def inked(figure: Figure) -> Figure:
    """Give a figure that is made for pages of any ground the ink of paper; return it."""
    for text in figure.findobj(Text):
        if to_hex(text.get_color()) == INK.lower():
            text.set_color("black")
    for axes in figure.axes:
        axes.tick_params(which="both", color="black")
        for spine in axes.spines.values():
            spine.set_color("black")
    return figure


def untitled(figure: Figure) -> Figure:
    """Take the titles out of a figure, where a caption says the same; return it."""
    for axes in figure.axes:
        axes.set_title("", loc="left")
        for text in [text for text in axes.texts if _is_subtitle(axes, text)]:
            text.remove()
    return figure


def _is_subtitle(axes: Axes, text: Any) -> bool:
    if getattr(text, "xycoords", None) == "axes fraction":
        return bool(text.xy == (0, 1))
    return bool(text.get_transform() == axes.transAxes and text.get_position() == (0, 1.015))


def _pull_inside(figure: Figure, margin: float = 0.03) -> None:
    """Move all axes together so that their labels reach to the edges of the figure and not beyond."""
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()
    axes = Bbox.union([each.get_position() for each in figure.axes])
    left, right = axes.x0 * width - drawn.x0, drawn.x1 - axes.x1 * width
    below, above = axes.y0 * height - drawn.y0, drawn.y1 - axes.y1 * height
    x, y = (left + margin) / width, (below + margin) / height
    wide = (1 - (right + margin) / width - x) / axes.width
    high = (1 - (above + margin) / height - y) / axes.height
    for each in figure.axes:
        old = each.get_position()
        place = (x + (old.x0 - axes.x0) * wide, y + (old.y0 - axes.y0) * high, old.width * wide, old.height * high)
        each.set_position(place)


class Pages:
    """Pages that are filled from the top.

    Parameters
    ----------
    footer : str
        What stands at the foot of every page, before its number.
    """

    def __init__(self, footer: str) -> None:
        self._footer = footer
        self.figures: list[Figure] = []
        self._y = 0.0

    def heading(self, text: str, figure: Figure | None = None) -> None:
        """Begin a section, on a new page where there is no room for what it begins with: its figure, or some rows."""
        self._need(2.0 if figure is None else self._height(figure) + CAPTION + 0.5)
        if self._y < HEIGHT - TOP:
            self._y -= 0.2
        self.paragraph(text, 12.5, weight="bold")

    def paragraph(self, text: str, size: float, *, color: str = "black", weight: str = "normal") -> None:
        """Add a text that is broken into lines."""
        line = size * LEADING / 72
        for part in wrapped(text, size, ROOM, weight):
            self._need(line)
            self._write(SIDE, part, size, color=color, weight=weight)
            self._y -= line
        self._y -= 0.06

    def listing(self, lines: Sequence[str], size: float = 7.5) -> None:
        """Add lines that are shown letter by letter."""
        letters = int(72 * ROOM / (TYPEWRITER * size))
        for line in lines:
            for part in wrap(printable(line), letters, drop_whitespace=False) or [""]:
                self._need(size * LEADING / 72)
                self._write(SIDE, part, size, family="DejaVu Sans Mono")
                self._y -= size * LEADING / 72
        self._y -= 0.08

    def table(self, table: Table) -> None:
        """Add a table, in as many parts as its columns and rows need, each with its header."""
        shown = compact(table)
        shown = Table(shown.title, shown.caption, shown.columns, [_printable_row(row) for row in shown.rows])
        for size in SIZES:
            parts = printed_parts(shown, 72 * ROOM / (TYPEWRITER * size), GAP)
            if len(parts) == 1:
                break
        for number, columns in enumerate(parts, 1):
            counted = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
            self._need(1.6)
            self.paragraph(f"{ended(shown.title)} {sentence(shown.caption)}{counted}", 8.5, color=GREY)
            self._table_part(columns, size, len(shown.rows))
            self._y -= 0.15

    def figure(self, figure: Figure, caption: str) -> None:
        """Add a figure and its caption, on one page."""
        old_width, old_height = figure.get_size_inches()
        width, height = min(old_width, ROOM), self._height(figure)
        if figure.get_layout_engine() is not None:
            figure.set_size_inches(width, height)
        elif (width, height) != (old_width, old_height):
            fitted(figure, width, height)
        self._need(height + 8 * LEADING / 72 * len(wrapped(caption, 8, ROOM)) + 0.04)
        inked(figure).set_dpi(72)
        figure.bbox_inches.p0 = (SIDE, self._y - height)
        figure.bbox_inches.p1 = (SIDE + width, self._y)
        self.figures[-1].add_artist(_Placed(figure))
        self._y -= height + 0.04
        self.paragraph(caption, 8, color=GREY)
        self._y -= 0.1

    def _height(self, figure: Figure) -> float:
        """Return how high a figure is made: half a page, if that is not much less than it would be."""
        height = float(figure.get_figheight())
        return max(min(height, HALF), min(0.8 * height, HEIGHT - TOP - BOTTOM - CAPTION))

    def _need(self, inches: float) -> None:
        if self.figures and self._y - inches >= BOTTOM:
            return
        page = Figure(figsize=(WIDTH, HEIGHT), dpi=72)
        FigureCanvasAgg(page)
        self.figures.append(page)
        self._y = BOTTOM - 0.3
        self._write(SIDE, self._footer, 7, color=GREY)
        self._write(WIDTH - SIDE - 0.3, f"{len(self.figures)}", 7, color=GREY)
        self._y = HEIGHT - TOP

    def _write(self, x: float, text: str, size: float, **style: Any) -> None:
        options: dict[str, Any] = {"family": "DejaVu Sans", "va": "top", "parse_math": False} | style
        self.figures[-1].text(x / WIDTH, self._y / HEIGHT, printable(text), fontsize=size, **options)

    def _rule(self, inches: float, weight: float) -> None:
        ends = [SIDE / WIDTH, (SIDE + inches) / WIDTH]
        line = Line2D(ends, [self._y / HEIGHT] * 2, color="black", linewidth=weight)
        self.figures[-1].add_artist(line)
        self._y -= 0.03

    def _table_part(self, columns: Sequence[PrintedColumn], size: float, rows: int) -> None:
        line = size * LEADING / 72
        width = (sum(column.width + GAP for column in columns) - GAP) * TYPEWRITER * size / 72
        lines = [_row_lines(columns, i) for i in range(rows)]
        self._table_head(columns, size, width)
        for texts in lines:
            if self._y - len(texts) * line < BOTTOM:
                self._rule(width, 0.4)
                self._need(HEIGHT)
                self._table_head(columns, size, width)
            for text in texts:
                self._write(SIDE, text, size, family="DejaVu Sans Mono")
                self._y -= line
        self._rule(width, 0.8)

    def _table_head(self, columns: Sequence[PrintedColumn], size: float, width: float) -> None:
        letter, line = TYPEWRITER * size / 72, size * LEADING / 72
        self._rule(width, 0.8)
        turned = max((len(column.column.header) for column in columns if column.turns), default=0) * letter
        lines = max(len(column.lines) for column in columns if not column.turns or len(columns) == 1) * line
        height = max(turned, lines)
        x, top = SIDE, self._y
        for column in columns:
            if column.turns:
                self._y = top - height
                right = x + column.width * letter - line
                style = {"rotation": 90, "va": "bottom", "family": "DejaVu Sans Mono"}
                self._write(right, column.column.header, size, **style)
            else:
                self._y = top - height + len(column.lines) * line
                for text in column.lines:
                    self._write(x, _padded(text, column), size, family="DejaVu Sans Mono")
                    self._y -= line
            x += (column.width + GAP) * letter
        self._y = top - height - 0.03
        self._rule(width, 0.4)


class _Placed(Artist):
    """A figure as a part of a page."""

    def __init__(self, figure: Figure) -> None:
        super().__init__()
        self._placed = figure

    def draw(self, renderer: Any) -> None:
        self._placed.draw(renderer)


def _row_lines(columns: Sequence[PrintedColumn], row: int) -> list[str]:
    """Return the lines of a row, of which there are several where a text is broken."""
    cells = [
        wrap(column.texts[row], column.width) or [""] if column.is_broken else [column.texts[row]] for column in columns
    ]
    return [
        (" " * GAP)
        .join(_padded(cell[i] if i < len(cell) else "", column) for cell, column in zip(cells, columns, strict=True))
        .rstrip()
        for i in range(max(map(len, cells)))
    ]


def _padded(text: str, column: PrintedColumn) -> str:
    return text.ljust(column.width) if column.column.kind == "text" else text.rjust(column.width)


def _printable_row(row: Any) -> dict[str, Any]:
    return {key: printable(value) if isinstance(value, str) else value for key, value in row.items()}


@cache
def _advance(letter: str, weight: str) -> float:
    """Return the width of a letter as a share of its size."""
    face = font(weight)
    face.set_size(100, 72)
    return float(face.load_char(ord(letter)).linearHoriAdvance / 65536 / 100)


def wrapped(text: str, size: float, inches: float, weight: str = "normal") -> list[str]:
    """Return the lines of a text that are no longer than so many inches; longer words are broken."""
    room = 72 * inches / size
    lines, used = [""], 0.0
    for word in printable(text).split():
        length = sum(_advance(letter, weight) for letter in word)
        space = _advance(" ", weight) if lines[-1] else 0.0
        if lines[-1] and used + space + length > room:
            lines.append("")
            used = space = 0.0
        lines[-1] += " " * bool(space)
        used += space
        for letter in word:
            if used + _advance(letter, weight) > room:
                lines.append("")
                used = 0.0
            lines[-1] += letter
            used += _advance(letter, weight)
    return lines
