"""What the verbs that measure have in common: where to, how far, the report, and the last lines."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

import click

from diffbench.cli.progress import Meter
from diffbench.sweep.results import Results
from diffbench.sweep.run import cores, parts_of
from diffbench.sweep.spec import BLOCK_SIZE, Spec, Unit
from diffbench.sweep.store import Plan

MANY_FIGURES = 12


def new_folder(name: str) -> Path:
    """Return a folder below results/ that is not there yet."""
    stem = f"{name}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    candidates = (Path("results") / (stem if i == 0 else f"{stem}-{i}") for i in range(1000))
    return next(path for path in candidates if not path.exists())


def progress_of(meter: Meter, spec: Spec, shard: str = "1/1") -> Callable[[Unit, int], None]:
    """Return a function that shows how far the sweep is, and the function that it is at."""
    planned: dict[str, int] = {}
    for unit in Plan("cells", BLOCK_SIZE, *parts_of(shard)).units(spec):
        planned[unit.function.name] = planned.get(unit.function.name, 0) + unit.cells
    advance = meter.begin("sweep", sum(planned.values()), "cells", parts=planned)
    return lambda unit, cells: advance(cells, unit.function.name)


def report_of(results: Results, folder: Path, meter: Meter) -> Path:
    """Write the report of a run and return the page's path."""
    from diffbench.report.folder import write_report

    figures = len(results.keys) if results.blocks else 0
    draw = meter.begin("report", figures, "figures")
    with _figure_executor(figures) as executor:
        return write_report(results, folder, executor, lambda _, __: draw(1, ""))


@contextmanager
def _figure_executor(figures: int) -> Iterator[Executor | None]:
    """Draw many figures in processes: matplotlib holds the interpreter's lock, so threads would not help."""
    workers = min(cores(), 4)
    if figures < MANY_FIGURES or workers == 1:
        yield None
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        yield executor


def print_counts(results: Results, *, err: bool) -> None:
    """Print how many cells and references there are, by status and verdict."""
    counts = ", ".join(f"{count} {label}" for label, count in reversed(results.counts.items()) if count)
    click.echo(f"{results.manifest['planned']} cells planned: {counts}", err=err)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in results.verdicts.items())
    click.echo(f"{sum(results.verdicts.values())} references: {verdicts}", err=err)
