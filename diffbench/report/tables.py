"""One table, rendered for terminal, plain text, Markdown, CSV, LaTeX and JSON."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from diffbench.analysis.summary import RANKING_CRITERION, ranking_rows, summary_columns
from diffbench.rounding import finite
from diffbench.sweep import export
from diffbench.sweep.results import STATUSES, Block, Results, Status

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


def ranking_table(results: Results) -> Table:
    """Return the schemes of each derivative and dtype, best first."""
    columns = (
        Column("rank", "#", "count"),
        Column("scheme", "scheme"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("evaluations", "evaluations", "count"),
        Column("functions", "functions", "count", optional=True),
        Column("optimal_digits", "digits at optimal ε", "digits"),
        Column("optimal_digits_worst", "worst at optimal ε", "digits", optional=True),
        Column("usual_digits", "digits at usual ε", "digits"),
        Column("usual_digits_worst", "worst at usual ε", "digits", optional=True),
        Column("flat_decades", "flat decades", "digits", optional=True),
        Column("ok", "ok cells", "count", optional=True),
        Column("not_ok", "other cells", "count", optional=True),
    )
    return Table("Which scheme?", RANKING_CRITERION, columns, ranking_rows(results.blocks))


def summary_table(results: Results) -> Table:
    """Return one row for each function × derivative × dtype × scheme."""
    data = summary_columns(results.blocks)
    rows = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    columns = (
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("scheme", "scheme"),
        Column("evaluations", "evaluations", "count"),
        Column("points", "points", "count"),
        Column("optimal_epsilon", "optimal ε", "rounded"),
        Column("optimal_digits", "digits there", "digits"),
        Column("optimal_digits_worst", "worst", "digits"),
        Column("flat_decades", "flat decades", "digits"),
        Column("usual_digits", "digits at usual ε", "digits"),
        Column("usual_digits_worst", "worst", "digits"),
        *(Column(status.label, status.label, "count", optional=True) for status in STATUSES),
    )
    return Table(
        "Every function and scheme",
        "optimal ε: the largest with the least running-median error, the middle one of the points'; digits: median and "
        "worst over the points whose derivative is not 0; usual ε: u^(1/(m+p)) max(1, |x|), and u max(1, |x|) for the "
        "complex step, which does not cancel; cells by status",
        columns,
        rows,
    )


def digits_table(results: Results) -> Table:
    """Return the matrix of digits at the optimal epsilon: a row a function, a column a scheme."""
    data = summary_columns(results.blocks)
    schemes = tuple(dict.fromkeys(data["scheme"]))
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    keys = zip(
        data["function"],
        data["derivative"],
        data["dtype"],
        data["scheme"],
        data["optimal_digits"],
        strict=True,
    )
    for function, derivative, dtype, scheme, digits in keys:
        start = {"function": function, "derivative": derivative, "dtype": dtype} | dict.fromkeys(schemes)
        rows.setdefault((function, derivative, dtype), start)[scheme] = digits
    columns = (
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        *(Column(scheme, scheme, "digits") for scheme in schemes),
    )
    return Table("Digits at the optimal ε", "median over the points of each function", columns, list(rows.values()))


def estimates_table(results: Results) -> Table:
    """Return every cell with its estimate in full beside the exact value."""
    columns = (
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("scheme", "scheme"),
        Column("x", "x", "number"),
        Column("epsilon", "ε", "number"),
        Column("rule", "rule"),
        Column("estimate", "estimate", "number"),
        Column("reference", "exact", "number"),
        Column("error", "error", "number"),
        Column("digits", "digits", "digits"),
        Column("status", "status"),
    )
    rows = [row for block in results.blocks for row in _estimate_rows(block)]
    return Table("Estimates", "every cell of the run, and the exact derivative at the same binary x", columns, rows)


def status_table(results: Results) -> Table:
    """Return what became of the cells that are not ok, with their reasons."""
    columns = (
        Column("status", "status"),
        Column("reason", "reason"),
        Column("cells", "cells", "count"),
        Column("functions", "functions", "count"),
        Column("example", "for example"),
    )
    found: dict[tuple[int, str], tuple[list[int], set[str], str]] = {}
    for block in results.blocks:
        for status in STATUSES[:-1]:
            for number in np.unique(block.reason[block.status == status]):
                cells = np.argwhere((block.status == status) & (block.reason == number))
                example = f"{block.function}, {block.schemes[cells[0][0]]}"
                counts, functions, _ = found.setdefault((int(status), block.reasons[number]), ([], set(), example))
                counts.append(len(cells))
                functions.add(block.function)
    rows = [
        {
            "status": Status(status).label,
            "reason": reason,
            "cells": sum(counts),
            "functions": len(functions),
            "example": example,
        }
        for (status, reason), (counts, functions, example) in sorted(found.items())
    ]
    return Table("Cells that are not ok", "every planned cell is ok or stands here", columns, rows)


def references_table(results: Results) -> Table:
    """Return the references with their certificates."""
    columns = (
        Column("function", "function"),
        Column("derivative", "derivative", "count"),
        Column("dtype", "dtype"),
        Column("x", "x", "number"),
        Column("value", "exact derivative"),
        Column("certified_digits", "certain digits", "count"),
        Column("radius", "radius"),
        Column("verdict", "verdict"),
        Column("method", "method"),
        Column("reason", "reason"),
    )
    rows = export.references_table(results).to_pylist()
    return Table("References", "the exact derivative at the binary x, and what is known of it", columns, rows)


def run_tables(results: Results) -> dict[str, Table]:
    """Return the tables that a run folder holds, by file name."""
    tables = {
        "ranking": ranking_table(results),
        "summary": summary_table(results),
        "digits": digits_table(results),
        "status": status_table(results),
    }
    return tables | ({"estimates": estimates_table(results)} if is_small(results) else {})


def is_small(results: Results) -> bool:
    """Return whether a run has so few cells that every one of them can be read."""
    return sum(results.counts.values()) <= 200


def _estimate_rows(block: Block) -> Iterable[dict[str, Any]]:
    error, digits = block.error, block.digits
    for s, p, c in np.argwhere(block.status != Status.ABSENT):
        place = (s, p, c)
        yield {
            "function": block.function,
            "derivative": block.derivative,
            "dtype": block.dtype,
            "scheme": block.schemes[s],
            "x": float(block.x[p]),
            "epsilon": finite(block.epsilon[place]),
            "rule": None if c < block.grid_size else (*block.rules, None)[c - block.grid_size],
            "estimate": finite(block.estimate[place]),
            "reference": finite(block.hi[p, 0]),
            "error": finite(error[place]),
            "digits": finite(digits[place]),
            "status": Status(int(block.status[place])).label,
        }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _text(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "digits":
        return f"{value:.1f}"
    if kind == "rounded":
        return f"{value:.3g}"
    return str(_plain(value))


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
    "×": r"$\times$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


def escape_latex(text: str) -> str:
    """Return a text that LaTeX prints as it is."""
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))
