"""``diffbench baseline``: accept a run, show what is accepted, compare two baselines."""

from pathlib import Path
from typing import Any

import click

from diffbench.analysis.accepted import BASELINES, accept, find_baseline, platforms, read_baseline
from diffbench.analysis.baseline import ANY, Baseline, baseline_of
from diffbench.analysis.gate import judge
from diffbench.cli.measuring import complete_run
from diffbench.cli.output import format_option, print_table, say
from diffbench.errors import NotComparableError
from diffbench.report.table import Column, Table
from diffbench.report.tables import judgement_table
from diffbench.sweep.provenance import git_user

_COLUMNS = (
    Column("name", "name"),
    Column("platform", "platform"),
    Column("curves", "curves", "count"),
    Column("cells", "cells", "count"),
    Column("when", "accepted"),
    Column("by", "by"),
    Column("why", "why"),
    Column("diffbench", "diffbench", optional=True),
)


@click.group(short_help="Accept a run as a baseline, show what is accepted, compare.")
def command() -> None:
    """Accept a run as a baseline, show what is accepted, compare two baselines.

    Baselines are files below results/baselines, one pair for each suite and platform, small enough to be committed.
    """


@command.command("accept")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--reason", required=True, help="Why this run is right: it stands in the file.")
@click.option(
    "--name", default="", help="What the baseline is called. Default: the built-in suite that was run as it is."
)
@click.option("--by", default="", help="Who accepts it. Default: the user that git knows.")
def accept_run(run_folder: Path, reason: str, name: str, by: str) -> None:
    """Make a run the baseline of its platform, and renew the one for any platform.

    It is refused if cells failed or curves are worse than theory lets them be.
    """
    path, found = accept(complete_run(run_folder), reason, by or git_user() or "unknown", name)
    for sentence in found.about["largest_changes"]:
        say(sentence)
    say(f"baseline: {path} ({found.about['curves']} curves, {found.about['cells']} cells), and {ANY} beside it")


@command.command("show")
@click.argument("name", required=False)
@format_option
def show(name: str | None, style: str) -> None:
    """Show which baselines there are, or those of a suite: of which platform, who accepted them, when and why."""
    folders = [BASELINES / name] if name else sorted(path for path in BASELINES.glob("*") if path.is_dir())
    found = [each for folder in folders for each in _all(folder)]
    if not found:
        called = f" called {name!r}" if name else ""
        raise NotComparableError(f"baseline: there is none{called} in {BASELINES}; diffbench baseline accept makes one")
    print_table(Table("Baselines", "of results/baselines", _COLUMNS, [_row(each) for each in found]), style)
    for each in found if name else ():
        for sentence in each.about["largest_changes"]:
            say(f"{each.about['platform']}: {sentence}", err=style == "json")


def _all(folder: Path) -> list[Baseline]:
    return [*platforms(folder), *(read_baseline(path) for path in folder.glob(f"{ANY}.parquet"))]


def _row(found: Baseline) -> dict[str, Any]:
    about = found.about
    row: dict[str, Any] = {key: about[key] for key in ("name", "platform", "curves", "cells")}
    row |= about["accepted"]
    return row | {"diffbench": about["versions"]["diffbench"]}


@command.command("diff")
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@format_option
def diff(before: str, after: str, style: str) -> None:
    """Compare two baselines, or a baseline and a run: the table and the sentences of the gate, without its verdict.

    Each is a suite of results/baselines, a folder, a Parquet file, or a run folder.
    """
    found = judge(_named(before), _named(after))
    print_table(judgement_table(found), style)
    for each in found.findings:
        say(each.sentence, err=style == "json")


def _named(name: str) -> Baseline:
    path = Path(name)
    return baseline_of(complete_run(path)) if (path / "manifest.json").is_file() else find_baseline(name)
