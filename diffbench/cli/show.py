"""``diffbench show``."""

from dataclasses import replace
from math import inf
from pathlib import Path

import click

from diffbench.cli.output import format_option, print_table
from diffbench.errors import EmptySelectionError
from diffbench.report.leaderboard_tables import CONTEST
from diffbench.report.table import Table
from diffbench.report.tables import (
    PRECISION,
    estimates_table,
    gradients_table,
    is_small,
    model_table,
    published_steps_table,
    published_table,
    references_table,
    regret_classes_table,
    regret_table,
    run_tables,
)
from diffbench.sweep.contest import read_timings
from diffbench.sweep.results import NO_CELLS, Results
from diffbench.sweep.stored import load

ALONE = {
    "estimates": estimates_table,
    "gradients": gradients_table,
    "model": model_table,
    "published": lambda _: published_table(),
    "published-steps": published_steps_table,
    "references": references_table,
    "regret": regret_table,
    "regret-classes": regret_classes_table,
}
"""Tables that not every run folder holds."""

TABLES = ("ranking", "summary", "digits", "status", *ALONE, *PRECISION, *CONTEST)


@click.command(short_help="Print a table of a run.")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--table",
    "name",
    type=click.Choice(TABLES),
    help="Which table. Default: estimates of small runs, else ranking.",
)
@click.option("-f", "--function", "functions", multiple=True, help="Only these functions.")
@click.option("-s", "--scheme", "schemes", multiple=True, help="Only these schemes.")
@format_option
def command(
    run_folder: Path, name: str | None, functions: tuple[str, ...], schemes: tuple[str, ...], style: str
) -> None:
    """Print a table of a run."""
    results = load(run_folder)
    chosen = name or ("estimates" if is_small(results) else "ranking")
    table = _table(results, run_folder, chosen)
    print_table(_filtered(_filtered(table, "function", functions), "scheme", schemes), style)


def _table(results: Results, folder: Path, name: str) -> Table:
    if name in ALONE:
        return ALONE[name](results)
    if name in PRECISION:
        return _precision(results, name)
    if name not in CONTEST:
        return run_tables(results)[name]
    from diffbench.report.contest import Contest

    tables = Contest(results, read_timings(folder)).tables()
    if name not in tables:
        raise EmptySelectionError(f"table: the run has no {name}" if results.blocks else NO_CELLS)
    return tables[name]


def _precision(results: Results, name: str) -> Table:
    from diffbench.report.precision import Precision

    tables = Precision(results, most=inf).tables()
    if name not in tables:
        raise EmptySelectionError(NO_CELLS if not results.blocks else f"table: the run has no {name}")
    return tables[name]


def _filtered(table: Table, key: str, wanted: tuple[str, ...]) -> Table:
    if not wanted or key not in {column.key for column in table.columns}:
        return table
    rows = [row for row in table.rows if row[key] in wanted]
    if not rows:
        raise EmptySelectionError(f"{key}: the run has none called {', '.join(map(repr, wanted))}")
    return replace(table, rows=rows)
