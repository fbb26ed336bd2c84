"""``diffbench report``."""

from pathlib import Path

import click

from diffbench.report.folder import write_report


@click.command(short_help="Make the tables, figures and page of a run again.")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
def command(run_folder: Path) -> None:
    """Make the tables, figures and page of a run again, from its cells."""
    click.echo(f"report: {write_report(run_folder)}")
