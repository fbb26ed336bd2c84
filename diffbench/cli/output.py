"""Printing tables: rich on a terminal, aligned text elsewhere, JSON on request."""

import json
import sys
from typing import Any

import click

from diffbench.report.tables import Column, Table, to_json, to_text

format_option = click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How to print; JSON is the same table.",
)


def print_table(table: Table, style: str) -> None:
    """Print a table to stdout. Numbers are rounded on a terminal only."""
    if style == "json":
        click.echo(to_json(table))
    elif sys.stdout.isatty():
        _print_rich(table)
    else:
        click.echo(to_text(table))


def print_object(fields: dict[str, Any], style: str) -> None:
    """Print one object: as JSON, or a line a field."""
    if style == "json":
        click.echo(json.dumps(fields, indent=1, allow_nan=False, ensure_ascii=False))
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        if value not in (None, ""):
            click.echo(f"{name.replace('_', ' ').ljust(width)}  {value}")


def _print_rich(table: Table) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(
        title=table.title,
        caption=table.caption,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    for column in table.columns:
        shown.add_column(Text(column.header), justify=_side(column), no_wrap=column.key != "reason")
    for row in table.cells():
        shown.add_row(*(Text(cell) for cell in row))
    console = Console()
    if console.measure(shown).minimum > console.width:
        click.echo(to_text(table, exact=False))
    else:
        console.print(shown)


def _side(column: Column) -> Any:
    return "left" if column.kind == "text" else "right"
