"""``diffbench leaderboard``."""

from pathlib import Path
from typing import Any

import click

from diffbench.cli.measuring import new_folder, print_counts, progress_of, report_of, resumable
from diffbench.cli.output import format_option, print_table, say
from diffbench.cli.progress import Meter, raise_on_sigterm
from diffbench.errors import EmptySelectionError
from diffbench.report.contest import Contest
from diffbench.report.leaderboard_tables import CONTEST
from diffbench.schemes import plugins
from diffbench.schemes.libraries import LIBRARIES
from diffbench.sweep.conformance import conformance
from diffbench.sweep.contest import (
    ROUNDS,
    chosen_libraries,
    contest_spec,
    contestants_of,
    read_timings,
    timings,
    write_timings,
)
from diffbench.sweep.results import Results
from diffbench.sweep.run import run


@click.command(short_help="Compare the differentiators of other packages.")
@click.option("--suite", "suites", multiple=True, help="A suite by name, or a TOML file. Default: standard, published.")
@click.option(
    "--libraries",
    "names",
    multiple=True,
    help="Libraries by name, or packages for all of theirs; several with commas. Default: all that are known.",
)
@click.option("--derivative", "derivatives", multiple=True, type=int, help="Which derivative. Default: 1.")
@click.option("--dtype", "dtypes", multiple=True, help="float16, float32 or float64. Default: float64 and float32.")
@click.option("--swept/--no-swept", help="Whether those that can be told an epsilon are swept too. Default: no.")
@click.option("--table", "name", type=click.Choice(CONTEST), default="leaderboard", help="Which table is printed.")
@click.option("--timings/--no-timings", "timed", default=True, help="Whether calls are timed. Default: yes.")
@click.option("--time-limit", type=float, help="Seconds for a call of a library. Default: 10.")
@click.option("--out", type=click.Path(path_type=Path), help="A new or empty folder. Default: one below results/.")
@click.option("--jobs", type=int, help="How many workers there are. Default: one a core.")
@click.option("--report/--no-report", "reported", default=True, help="Whether the report is written. Default: yes.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@format_option
def command(
    out: Path | None,
    *,
    name: str,
    timed: bool,
    reported: bool,
    jobs: int | None,
    quiet: bool,
    style: str,
    **chosen: Any,
) -> None:
    """Measure what other packages answer, each at its own defaults, beside difference schemes of the same class.

    Every answer is right, honestly wrong, silently wrong, or none, with a reason. The table is sorted by the share that
    is right; calibration, profiles and rankings by class of function are in the report that the last line names.
    """
    raise_on_sigterm()
    chosen |= {"names": _conforming([name.strip() for text in chosen["names"] for name in text.split(",")])}
    spec = contest_spec(**{key: value for key, value in chosen.items() if value not in (None, ())})
    folder = out if out is not None else new_folder("leaderboard")
    with Meter(enabled=not quiet) as meter:
        with resumable(folder, ", without timings"):
            results = run(spec, out=folder, progress=progress_of(meter, spec), jobs=jobs)
        if timed:
            _time(results, folder, meter)
        page = report_of(results, folder, meter) if reported else None
    tables = Contest(results, read_timings(folder)).tables()
    if name not in tables:
        raise EmptySelectionError(f"table: {name} has nothing to show")
    print_table(tables[name], style)
    print_counts(results, err=style == "json")
    say(f"run: {folder}" if page is None else f"report: {page}", err=style == "json")


def _conforming(names: list[str]) -> list[str]:
    """Return the names of those that are to take part; of other people's adapters only those that conform."""
    kept = []
    for sentence in plugins.broken(plugins.LIBRARIES):
        say(f"diffbench: {sentence}", err=True)
    for library in chosen_libraries(names):
        failed = [] if library in LIBRARIES else [each for each in conformance(library) if not each.passed]
        if failed:
            why = f"{failed[0].check}: {failed[0].detail}"
            say(f"diffbench: {library.name} is left out, its adapter does not conform: {why}", err=True)
        else:
            kept.append(library.name)
    if not kept:
        raise EmptySelectionError("libraries: none conforms")
    return kept


def _time(results: Results, folder: Path, meter: Meter) -> None:
    advance = meter.begin("timing", ROUNDS + 1, "rounds")
    write_timings(timings(contestants_of(results), progress=lambda n: advance(n, "")), folder)
