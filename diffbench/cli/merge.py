"""``diffbench merge``."""

from pathlib import Path

import click

from diffbench.cli.output import say
from diffbench.sweep.store import merge


@click.command(short_help="Put the shards of a run together.")
@click.argument("shards", metavar="SHARD...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new or empty folder.")
@click.option("--report/--no-report", "reported", default=True, help="Whether the report is written. Default: yes.")
def command(shards: tuple[Path, ...], out: Path, *, reported: bool) -> None:
    """Put the shards of a run together into one run folder, the same as if it had been run in one."""
    folder = merge(shards, out)
    if not reported:
        say(f"run: {folder}")
        return
    from diffbench.report.folder import write_report

    say(f"report: {write_report(folder)}")
