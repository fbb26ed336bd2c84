"""One table, rendered for terminal, plain text, Markdown, CSV, LaTeX and JSON."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from textwrap import wrap
from typing import Any

import numpy as np

from diffbench.errors import defused
from diffbench.report.escape import breakable, escape_latex, escape_markdown

Row = Mapping[str, Any]

LATEX_PAGE = 110.0
"""How many characters in LATEX_SIZE a line of an A4 page with margins of 2 cm holds."""

PRINTED_LINE = 36
"""Longer texts are broken into lines."""

LATEX_GAP = 1.4
"""What the space between two columns has of it."""

LATEX_ROWS = 38
"""Longer tables break over pages."""

LATEX_SIZE = r"\footnotesize\setlength{\tabcolsep}{3pt}"

NAMING = frozenset({"rank", "function", "derivative", "dtype", "scheme", "rule", "library", "package", "class", "x"})
"""Columns that name a row, if a table begins with them."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    key : str
        Name in the rows, and in JSON and CSV.
    header : str
        What people read.
    kind : str
        ``text``, ``count``, ``number`` (exact), ``digits`` (one decimal) or ``rounded`` (three significant digits); the
        last two are rounded where people read, and exact where programs do.
    optional : bool
        Whether a narrow terminal may leave it out, and say so.
    """

    key: str
    header: str
    kind: str = "text"
    optional: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under named columns, with a title and a caption that says what is shown."""

    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]

    def records(self) -> list[dict[str, Any]]:
        """Return the rows as plain objects with the columns' keys."""
        return [{column.key: _plain(row[column.key]) for column in self.columns} for row in self.rows]

    def cells(self, *, exact: bool = False) -> list[list[str]]:
        """Return the texts of the cells, row by row."""
        return [
            [_text(row[c.key], "number" if exact and c.kind != "text" else c.kind) for c in self.columns]
            for row in self.rows
        ]


def to_json(table: Table) -> str:
    """Return the rows as a JSON list of objects; numbers in full."""
    return ascii_controls(json.dumps(table.records(), indent=1, allow_nan=False, ensure_ascii=False))


def ascii_controls(text: str) -> str:
    """Return JSON with the characters escaped that a terminal might take for commands, or show out of order."""
    return re.sub(r"[^\n -~]", lambda found: _json_escaped(found[0]), text)


def _json_escaped(character: str) -> str:
    return character if defused(character) == character else json.dumps(character)[1:-1]


def to_csv(table: Table) -> str:
    """Return comma-separated values with the keys as header; numbers in full."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    writer.writerows(table.cells(exact=True))
    return out.getvalue()


def to_text(table: Table, *, exact: bool = True) -> str:
    """Return aligned columns that are never cut off."""
    body = [
        [column.header for column in table.columns],
        *([defused(cell) for cell in row] for row in table.cells(exact=exact)),
    ]
    widths = [max(len(row[i]) for row in body) for i in range(len(table.columns))]
    lines = [
        "  ".join(
            _pad(cell, width, column) for cell, width, column in zip(row, widths, table.columns, strict=True)
        ).rstrip()
        for row in body
    ]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([defused(table.title), defused(table.caption), "", lines[0], rule, *lines[1:]])


def to_markdown(table: Table) -> str:
    """Return a Markdown table with its title and caption."""
    header = "| " + " | ".join(escape_markdown(column.header) for column in table.columns) + " |"
    rule = "|" + "|".join(" --- " if column.kind == "text" else " ---: " for column in table.columns) + "|"
    rows = ["| " + " | ".join(map(escape_markdown, row)) + " |" for row in table.cells()]
    title = f"**{escape_markdown(ended(table.title))}** {escape_markdown(sentence(table.caption))}"
    return "\n".join([title, "", header, rule, *rows]) + "\n"


def compact(table: Table) -> Table:
    """Return a table without the columns of derivative and dtype where all rows have the same; the caption says it."""
    alike = {
        column.key: {row[column.key] for row in table.rows}
        for column in table.columns
        if column.key in ("derivative", "dtype")
    }
    said = {key: values.pop() for key, values in alike.items() if len(values) == 1}
    if not said:
        return table
    words = {"derivative": f"derivative {said.get('derivative')}", "dtype": str(said.get("dtype"))}
    caption = "; ".join([table.caption, ", ".join(words[key] for key in said)])
    return replace(table, caption=caption, columns=tuple(c for c in table.columns if c.key not in said))


@dataclass(frozen=True)
class PrintedColumn:
    """A column as it is printed, measured in characters.

    Attributes
    ----------
    column : Column
        Its header and kind.
    texts : sequence of str
        Its cells.
    room : int
        How many letters of the header stand in a line, if the cells are not wider and no word is.
    turns : bool
        Whether the header is turned, where the page is too narrow for it.
    """

    column: Column
    texts: Sequence[str]
    room: int = 9
    turns: bool = False

    @cached_property
    def content_width(self) -> int:
        """The length of its longest cell, or of a line of it where long texts are broken."""
        return min(max(map(len, self.texts), default=0), PRINTED_LINE)

    @cached_property
    def lines(self) -> list[str]:
        """The header, broken into lines."""
        return wrap(self.column.header, max(self.content_width, self.room), break_long_words=False) or [""]

    @cached_property
    def header_width(self) -> int:
        """The length of its longest line."""
        return max(map(len, self.lines))

    @cached_property
    def can_turn(self) -> bool:
        """Whether a turned header saves room."""
        return self.header_width > max(self.content_width, 4) + 1

    @cached_property
    def width(self) -> int:
        """What it needs without the gap beside it."""
        return max(self.content_width, 2 if self.turns else self.header_width)

    @cached_property
    def is_broken(self) -> bool:
        """Whether its texts are broken into lines."""
        return self.column.kind == "text" and max(map(len, self.texts), default=0) > PRINTED_LINE


def printed_parts(table: Table, page: float, gap: float) -> list[list[PrintedColumn]]:
    """Return the columns of each part of a table that is no wider than a page; what names the rows is in every part.

    Parameters
    ----------
    table : Table
        The table.
    page : float
        How many characters a line of the page holds; a single column may have more.
    gap : float
        How many are left free beside a column.
    """
    cells = table.cells()
    columns = [PrintedColumn(column, [row[i] for row in cells]) for i, column in enumerate(table.columns)]
    narrow = [replace(column, room=4) for column in columns]
    names = len(list(takewhile(lambda column: column.key in NAMING, table.columns)))
    turned = columns[:names] + [replace(column, turns=column.can_turn) for column in columns[names:]]
    chosen = next((each for each in (columns, narrow) if _width(each, gap) <= page), turned)
    keys, others = chosen[:names], chosen[names:]
    room = page - _width(keys, gap)
    count = len(_filled(others, room, gap))
    # Of all ways to make so few parts the one whose widest part is narrowest.
    widest = next((w for w in range(1, int(max(room, 1))) if len(_filled(others, w, gap)) == count), room)
    return [keys + part for part in _filled(others, widest, gap)]


def _width(columns: Sequence[PrintedColumn], gap: float) -> float:
    return sum(column.width + gap for column in columns)


def _filled(columns: Sequence[PrintedColumn], room: float, gap: float) -> list[list[PrintedColumn]]:
    """Return the columns in parts that are no wider than the room, but for single columns that are."""
    parts: list[list[PrintedColumn]] = [[]]
    for column in columns:
        if parts[-1] and _width([*parts[-1], column], gap) > room:
            parts.append([])
        parts[-1].append(column)
    return parts


def to_latex(table: Table) -> str:
    """Return a table in booktabs style.

    One that is wider than a page is given in several, one that is longer breaks over pages. Needs the packages array,
    booktabs, graphicx and longtable.
    """
    shown = compact(table)
    parts = printed_parts(shown, LATEX_PAGE, LATEX_GAP)
    return "\n".join(_latex_part(shown, columns, part, len(parts)) for part, columns in enumerate(parts, 1))


def _side(column: PrintedColumn) -> str:
    return "l" if column.column.kind == "text" else "r"


def _latex_spec(column: PrintedColumn) -> str:
    if not column.is_broken:
        return _side(column)
    return rf">{{\raggedright\arraybackslash}}p{{{PRINTED_LINE * 4.3:.0f}pt}}"


def _latex_header(column: PrintedColumn) -> str:
    lines = [escape_latex(line) for line in column.lines]
    if column.turns:
        return rf"\rotatebox{{90}}{{{' '.join(lines)}}}"
    if len(lines) == 1:
        return lines[0]
    stacked = r" \\ ".join(map(_guarded, lines))
    return rf"\shortstack[{_side(column)}]{{{stacked}}}"


def _latex_cell(column: PrintedColumn, text: str) -> str:
    if column.column.kind == "text":
        return breakable(text) if column.is_broken else escape_latex(text)
    power = re.fullmatch(r"(-?[0-9.]+)e([-+][0-9]+)", text)
    if power:
        return rf"${power[1]}\times 10^{{{int(power[2])}}}$"
    return f"${text}$" if re.fullmatch(r"-[0-9.]+", text) else escape_latex(text)


def _guarded(row: str) -> str:
    """Return a row that no end of a row takes for its option."""
    return "{}" + row if row.startswith(("[", "*")) else row


def _latex_part(table: Table, columns: Sequence[PrintedColumn], part: int, parts: int) -> str:
    header = _guarded(" & ".join(_latex_header(column) for column in columns)) + r" \\"
    rows = [
        _guarded(" & ".join(_latex_cell(column, column.texts[i]) for column in columns)) + r" \\"
        for i in range(len(table.rows))
    ]
    counted = f" ({part} of {parts})" if parts > 1 else ""
    label = "-".join(re.findall("[a-z0-9]+", table.title.lower())) + (f"-{part}" if parts > 1 else "")
    caption = f"{escape_latex(ended(table.title))} {escape_latex(sentence(table.caption))}{counted}"
    named = rf"\caption{{{caption}}}\label{{tab:{label}}}"
    spec = "@{}" + "".join(map(_latex_spec, columns)) + "@{}"
    if len(rows) > LATEX_ROWS:
        return _long_table(named, spec, header, rows)
    lines = [r"\begin{table}[htbp]", r"\centering", named, LATEX_SIZE, rf"\begin{{tabular}}{{{spec}}}"]
    lines += [r"\toprule", header, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _long_table(named: str, spec: str, header: str, rows: Sequence[str]) -> str:
    head = [r"\toprule", header, r"\midrule"]
    lines = [r"\begingroup", LATEX_SIZE, r"\setlength{\LTcapwidth}{\linewidth}", rf"\begin{{longtable}}{{{spec}}}"]
    lines += [named + r" \\", *head, r"\endfirsthead", *head, r"\endhead", r"\bottomrule", r"\endfoot"]
    return "\n".join([*lines, *rows, r"\end{longtable}", r"\endgroup"]) + "\n"


def sentence(text: str) -> str:
    """Return a caption as a sentence; a unit or symbol at its start stays as it is."""
    return f"{text[:1].upper() if text[:1].isascii() else text[:1]}{text[1:]}."


def ended(title: str) -> str:
    """Return a title with a full stop, unless it is a question."""
    return title if title.endswith("?") else f"{title}."


FORMATS: Mapping[str, Callable[[Table], str]] = {"md": to_markdown, "csv": to_csv, "tex": to_latex}
"""How a table is written to files, by suffix."""


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _text(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "digits":
        return one_decimal(value)
    if kind == "rounded":
        return f"{value:.3g}"
    return "\n".join(map(defused, str(_plain(value)).split("\n")))


def one_decimal(value: float) -> str:
    """Return a number with one decimal, without the sign of what rounds to 0."""
    return f"{round(value, 1) + 0.0:.1f}"


def _pad(cell: str, width: int, column: Column) -> str:
    return cell.ljust(width) if column.kind == "text" else cell.rjust(width)


def ordinal(derivative: int) -> str:
    """Return a derivative in words."""
    return {1: "first", 2: "second", 3: "third", 4: "fourth"}.get(derivative, f"{derivative}th")
