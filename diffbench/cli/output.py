"""Printing tables: rich on a terminal, aligned text elsewhere, JSON on request."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from diffbench.errors import InputError, defused
from diffbench.report.table import Column, Table, ascii_controls, sentence, to_json, to_text

HEADER_WIDTH = 11
_FIGURES = ("svg", "png", "pdf")

format_option = click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How to print; JSON is the same table.",
)

time_limit_option = click.option(
    "--time-limit",
    type=float,
    help="Seconds for the references of a formula and derivative that might take without end. Default: 30.",
)


def figure_kind(path: Path) -> str:
    """Return what a figure is written as, by the ending of its file."""
    kind = path.suffix.removeprefix(".").lower()
    if kind not in _FIGURES:
        raise InputError(f"figure: {path.name!r} is not an svg, png or pdf file")
    return kind


def say(text: str, *, err: bool = False) -> None:
    """Print lines in which nothing commands a terminal, wherever their words come from."""
    click.echo("\n".join(map(defused, text.split("\n"))), err=err)


def print_table(table: Table, style: str) -> None:
    """Print a table to stdout. Numbers are rounded on a terminal only."""
    if style == "json":
        say(to_json(table))
    elif sys.stdout.isatty():
        _print_rich(table)
    else:
        say(to_text(table))


def print_object(fields: dict[str, Any], style: str) -> None:
    """Print one object: as JSON, or a line a field."""
    if style == "json":
        say(ascii_controls(json.dumps(fields, indent=1, allow_nan=False, ensure_ascii=False)))
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        if value not in (None, ""):
            say(f"{name.replace('_', ' ').ljust(width)}  {defused(str(value))}")


def _print_rich(table: Table) -> None:
    """Print a table that fits the terminal, if need be without optional columns, or else aligned text."""
    from rich.console import Console

    console, unbounded = Console(), Console(width=10_000)
    for fitting in _narrower(_without_constants(table)):
        shown = _rich_table(fitting)
        size = unbounded.measure(shown)
        last = not any(column.optional for column in fitting.columns)
        if (size.minimum if last else size.maximum) <= console.width:
            console.print(shown)
            return
    say(to_text(table, exact=False))


def _narrower(table: Table) -> Iterator[Table]:
    """Yield the table, and then with ever more of its optional columns left out, which the caption says."""
    yield table
    caption = table.caption
    dropped: list[str] = []
    while optional := [column for column in table.columns if column.optional]:
        dropped.insert(0, optional[-1].header)
        columns = tuple(column for column in table.columns if column is not optional[-1])
        note = f"{caption}; left out on this narrow terminal: {', '.join(dropped)}"
        table = replace(table, columns=columns, caption=note)
        yield table


def _rich_table(table: Table) -> Any:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    title, caption = Text(defused(table.title)), Text(defused(sentence(table.caption)))
    shown = RichTable(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.title_justify = shown.caption_justify = "left"
    cells = table.cells()
    for i, column in enumerate(table.columns):
        header = "\n".join(wrap(column.header, HEADER_WIDTH, break_long_words=False))
        # Names may fold on a narrow terminal; numbers and words of headers may not.
        least = max([len(row[i]) for row in cells if column.kind != "text"] + [len(word) for word in header.split()])
        shown.add_column(Text(header), justify=_side(column), vertical="bottom", overflow="fold", min_width=least)
    for row in cells:
        shown.add_row(*(Text(cell) for cell in row))
    return shown


def _without_constants(table: Table) -> Table:
    """Say derivative and dtype once, in the title, where all rows have the same."""
    same = {
        column.key: table.rows[0][column.key]
        for column in table.columns
        if column.key in {"derivative", "dtype"} and len({row[column.key] for row in table.rows}) == 1
    }
    words = [f"{key} {value}" if key == "derivative" else str(value) for key, value in same.items()]
    columns = tuple(column for column in table.columns if column.key not in same)
    return replace(table, title=" · ".join([table.title, *words]), columns=columns)


def _side(column: Column) -> Any:
    return "left" if column.kind == "text" else "right"
