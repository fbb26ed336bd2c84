"""``diffbench status``."""

from pathlib import Path

import click

from diffbench.cli.output import format_option, print_table, say
from diffbench.report.table import Column, Table
from diffbench.sweep.files import resume_command
from diffbench.sweep.stored import Standing, status

_COLUMNS = (
    Column("function", "function"),
    Column("derivative", "derivative", "count"),
    Column("dtype", "dtype"),
    Column("blocks", "blocks", "count"),
    Column("blocks_done", "blocks done", "count"),
    Column("planned", "cells planned", "count"),
    Column("done", "cells done", "count"),
    Column("failed", "failed", "count"),
    Column("reasons", "why"),
)


@click.command(short_help="Say what of a run is done, what failed, and why.")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@format_option
def command(run_folder: Path, style: str) -> None:
    """Say what of a run is done, what failed, and why."""
    state, standings = status(run_folder)
    print_table(Table("Status", f"the run is {state}", _COLUMNS, [each._asdict() for each in standings]), style)
    say(_sentence(state, standings, run_folder), err=style == "json")


def _sentence(state: str, standings: list[Standing], folder: Path) -> str:
    planned, done, failed = (sum(getattr(each, name) for each in standings) for name in ("planned", "done", "failed"))
    blocks, blocks_done = (sum(getattr(each, name) for each in standings) for name in ("blocks", "blocks_done"))
    said = f"{state}: {done} of {planned} cells in {blocks_done} of {blocks} blocks done, {failed} failed"
    return f"{said}; {resume_command(folder)} goes on" if state == "interrupted" else said
