"""``diffbench run``: the main job."""

from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

import click

from diffbench.analysis.published_steps import has_published_steps
from diffbench.cli.measuring import new_folder, print_counts, progress_of, report_of, resumable
from diffbench.cli.output import format_option, print_table, say
from diffbench.cli.progress import Meter, raise_on_sigterm
from diffbench.cli.spec_options import chosen_spec, given, run_name, spec_options
from diffbench.errors import InputError, InterruptedRunError
from diffbench.report.table import Table
from diffbench.report.tables import estimates_table, is_small, published_steps_table, ranking_table
from diffbench.sweep.executors import executor_called
from diffbench.sweep.files import read_object, resume_command, run_path
from diffbench.sweep.results import Results
from diffbench.sweep.run import resume, run
from diffbench.sweep.spec import Spec
from diffbench.sweep.store import KEPT, own_spec

FAILED_CELLS = 3
ATTEMPTS = 3
"""How often a run is tried whose workers die."""


@click.command(short_help="Sweep schemes over epsilons and functions, and write the report.")
@spec_options
@click.option("--out", type=click.Path(path_type=Path), help="A new or empty folder. Default: one below results/.")
@click.option("--resume", "resumed", type=click.Path(path_type=Path), help="Finish this run; it knows its spec.")
@click.option("--jobs", type=int, help="How many workers there are. Default: one a core.")
@click.option("--executor", default="threads", help="threads, processes or dask://HOST:PORT. Default: threads.")
@click.option("--shard", help="I/N measures part I of N; diffbench merge puts the parts together.")
@click.option("--keep", type=click.Choice(KEPT), help="summary keeps no cells, only what is kept of each curve.")
@click.option("--report/--no-report", "reported", default=True, help="Whether the report is written. Default: yes.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@format_option
def command(out: Path | None, resumed: Path | None, *, quiet: bool, style: str, **chosen: Any) -> int:
    """Sweep schemes over epsilons and functions, and write the report.

    Without arguments the standard suite is run. Everything that is swept, and the report, goes to a new folder; the
    last line says where. A run that was interrupted goes on with --resume.
    """
    raise_on_sigterm()
    spec, folder = _begun(resumed, out, chosen)
    with resumable(folder), Meter(enabled=not quiet) as meter:
        results = _measure(spec, folder, meter, chosen, is_old=resumed is not None)
        is_whole = results.manifest["shard"] == "1/1"
        page = report_of(results, folder, meter) if chosen["reported"] and is_whole else None
    if is_whole:
        print_table(_shown(results), style)
    print_counts(results, err=style == "json")
    say(f"run: {folder}" if page is None else f"report: {page}", err=style == "json")
    return FAILED_CELLS if results.counts["failed"] > spec.allow_failed else 0


def _begun(resumed: Path | None, out: Path | None, chosen: dict[str, Any]) -> tuple[Spec, Path]:
    """Return the spec, and the folder to write or to go on with."""
    if resumed is None:
        return chosen_spec(chosen), out if out is not None else new_folder(run_name(chosen))
    others = [*given(chosen), *(name for name in ("shard", "keep") if chosen[name]), *(["out"] if out else [])]
    if others:
        raise InputError(f"resume: the run knows its spec and its place, {', '.join(others)} cannot be given")
    return own_spec(run_path(resumed)), resumed


def _shown(results: Results) -> Table:
    """Return the table that a run is begun for."""
    if is_small(results):
        return estimates_table(results)
    return published_steps_table(results) if has_published_steps(results) else ranking_table(results)


def _measure(spec: Spec, folder: Path, meter: Meter, chosen: dict[str, Any], *, is_old: bool) -> Results:
    """Measure what is to be measured, with a new executor where a worker has died."""
    for attempt in range(1, ATTEMPTS + 1):
        with executor_called(chosen["executor"], chosen["jobs"]) as (executor, jobs):
            goes_on = is_old or attempt > 1
            shard = str(read_object(folder / "manifest.json").get("shard") if goes_on else chosen["shard"] or "1/1")
            options: dict[str, Any] = {"executor": executor, "jobs": jobs, "progress": progress_of(meter, spec, shard)}
            try:
                if goes_on:
                    return resume(folder, spec, on_damage=_say_damaged, **options)
                kept = chosen["keep"] or "cells"
                return run(spec, out=folder, keep=kept, shard=shard, **options)
            except BrokenExecutor:
                say("diffbench: a worker process died; what it had not finished is done again", err=True)
    raise InterruptedRunError(f"worker processes died {ATTEMPTS} times; {resume_command(folder)} goes on")


def _say_damaged(path: str) -> None:
    mended = "its block is measured again" if Path(path).parent.name else "it is written again"
    say(f"diffbench: {path} was damaged or missing, {mended}", err=True)
