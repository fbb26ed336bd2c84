"""``diffbench compare``."""

from pathlib import Path

import click

from diffbench.analysis.compare import Comparison, compare
from diffbench.cli.measuring import complete_run
from diffbench.cli.output import figure_kind, format_option, print_table, say
from diffbench.report.table import to_csv
from diffbench.report.tables import changes_table, transitions_table
from diffbench.sweep.files import write_file

WORSE = 1
NOT_COMPARABLE = 4


@click.command(short_help="Compare two runs, cell by cell.")
@click.argument("before", metavar="BEFORE", type=click.Path(path_type=Path))
@click.argument("after", metavar="AFTER", type=click.Path(path_type=Path))
@click.option(
    "--table", "name", type=click.Choice(["transitions", "changes"]), help="Which table. Default: both, as text."
)
@click.option("--most", type=click.IntRange(1), default=20, help="How many changes are listed. Default: 20.")
@click.option("--csv", "path", type=click.Path(path_type=Path), help="Write the changes that are listed to a file too.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw errors against errors: an svg, png or pdf file.")
@click.option("--exit-code", "judges", is_flag=True, help="End with 1 if cells are worse, with 4 if none compares.")
@format_option
def command(
    before: Path,
    after: Path,
    *,
    name: str | None,
    most: int,
    path: Path | None,
    figure: Path | None,
    judges: bool,
    style: str,
) -> int:
    """Compare two runs: cells are paired by name, and what stands behind the names is compared first.

    Prints how many cells of each scheme are the same, better, worse or in one run only, and those that changed most.
    """
    kind = "" if figure is None else figure_kind(figure)
    found = compare(complete_run(before), complete_run(after), most)
    if name != "changes":
        print_table(transitions_table(found), style)
    if name == "changes" or (name is None and style == "text" and found.changes):
        print_table(changes_table(found), style)
    for reason in found.reasons:
        say(reason, err=style == "json")
    if path is not None:
        write_file(path, to_csv(changes_table(found)))
    if figure is not None:
        _draw(found, before, after, figure, kind)
    return _judged(found) if judges else 0


def _draw(found: Comparison, before: Path, after: Path, figure: Path, kind: str) -> None:
    """Draw what was found; runs are called by their folders, by whole paths where these have the same name."""
    from diffbench.report.compare_plots import comparison_figure
    from diffbench.report.plots import figure_bytes

    names = before.resolve().name, after.resolve().name
    if names[0] == names[1]:
        names = str(before), str(after)
    write_file(figure, figure_bytes(comparison_figure(found, *names), kind))


def _judged(found: Comparison) -> int:
    if found.counts["worse"] or found.counts["ok to not ok"]:
        return WORSE
    apart = ("new", "vanished", "not comparable")
    return NOT_COMPARABLE if sum(found.counts.values()) == sum(found.counts[word] for word in apart) else 0
