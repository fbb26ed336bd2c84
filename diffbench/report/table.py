"""One table, rendered for terminal, plain text, Markdown, CSV, LaTeX and JSON."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Row = Mapping[str, Any]


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
    return json.dumps(table.records(), indent=1, allow_nan=False, ensure_ascii=False)


def to_csv(table: Table) -> str:
    """Return comma-separated values with the keys as header; numbers in full."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    writer.writerows(table.cells(exact=True))
    return out.getvalue()


def to_text(table: Table, *, exact: bool = True) -> str:
    """Return aligned columns that are never cut off."""
    body = [[column.header for column in table.columns], *table.cells(exact=exact)]
    widths = [max(len(row[i]) for row in body) for i in range(len(table.columns))]
    lines = [
        "  ".join(
            _pad(cell, width, column) for cell, width, column in zip(row, widths, table.columns, strict=True)
        ).rstrip()
        for row in body
    ]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([table.title, table.caption, "", lines[0], rule, *lines[1:]])


def to_markdown(table: Table) -> str:
    """Return a Markdown table with its title and caption."""
    header = "| " + " | ".join(_escape_markdown(column.header) for column in table.columns) + " |"
    rule = "|" + "|".join(" --- " if column.kind == "text" else " ---: " for column in table.columns) + "|"
    rows = ["| " + " | ".join(map(_escape_markdown, row)) + " |" for row in table.cells()]
    title = table.title if table.title.endswith("?") else f"{table.title}."
    return "\n".join([f"**{title}** {_escape_markdown(sentence(table.caption))}", "", header, rule, *rows]) + "\n"


def to_latex(table: Table) -> str:
    """Return a booktabs table environment."""
    spec = "".join("l" if column.kind == "text" else "r" for column in table.columns)
    header = " & ".join(escape_latex(column.header) for column in table.columns)
    rows = [" & ".join(map(escape_latex, row)) + r" \\" for row in table.cells()]
    lines = [
        r"\begin{table}",
        rf"\caption{{{escape_latex(table.title)} {escape_latex(sentence(table.caption))}}}",
        rf"\begin{{tabular}}{{{spec}}}",
        r"\toprule",
        rf"{header} \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def sentence(text: str) -> str:
    """Return a caption as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


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
    return str(_plain(value))


def one_decimal(value: float) -> str:
    """Return a number with one decimal, without the sign of what rounds to 0."""
    return f"{round(value, 1) + 0.0:.1f}"


def _pad(cell: str, width: int, column: Column) -> str:
    return cell.ljust(width) if column.kind == "text" else cell.rjust(width)


def _escape_markdown(text: str) -> str:
    for character in "\\`*_|<>[]":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "ε": r"$\varepsilon$",
    "σ": r"$\sigma$",
    "×": r"$\times$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


def escape_latex(text: str) -> str:
    """Return a text that LaTeX prints as it is."""
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))
