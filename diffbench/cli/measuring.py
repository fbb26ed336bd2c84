"""What the verbs that measure have in common: where to, how far, the report, and the last lines."""

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from diffbench.analysis.accepted import BASELINES, find_baseline
from diffbench.analysis.baseline import ANY, baseline_of, spec_of, suite_of
from diffbench.analysis.gate import judge
from diffbench.analysis.judgement import Judgement
from diffbench.cli.output import say
from diffbench.cli.progress import Meter
from diffbench.errors import InterruptedRunError, NotComparableError, StoreError
from diffbench.sweep.checked import schema_problem
from diffbench.sweep.executors import process_pool
from diffbench.sweep.export import SCHEMA_VERSION
from diffbench.sweep.files import read_object, resume_command, run_path
from diffbench.sweep.provenance import platform_key
from diffbench.sweep.results import Results
from diffbench.sweep.run import cores, parts_of
from diffbench.sweep.spec import BLOCK_SIZE, Spec, Unit
from diffbench.sweep.store import Plan, read_manifest
from diffbench.sweep.stored import load

MANY_FIGURES = 12


def new_folder(name: str) -> Path:
    """Return a folder below results/ that is not there yet."""
    stem = f"{name}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    candidates = (Path("results") / (stem if i == 0 else f"{stem}-{i}") for i in range(1000))
    return next(path for path in candidates if not path.exists())


def complete_run(path: Path) -> Results:
    """Return the results of a run folder that others are compared with.

    Raises
    ------
    NotComparableError
        If the run is not complete, or of another schema.
    """
    manifest = read_object(run_path(path) / "manifest.json")
    problem = schema_problem(manifest.get("schema_version"), SCHEMA_VERSION)
    if problem:
        raise NotComparableError(f"run: {path} is {problem}")
    if read_manifest(Path(path)).get("state") != "complete":
        raise NotComparableError(f"run: {path} is not complete; {resume_command(path)} finishes it")
    return load(path)


def progress_of(meter: Meter, spec: Spec, shard: str = "1/1") -> Callable[[Unit, int], None]:
    """Return a function that shows how far the sweep is, and the function that it is at."""
    planned: dict[str, int] = {}
    for unit in Plan("cells", BLOCK_SIZE, *parts_of(shard)).units(spec):
        planned[unit.function.name] = planned.get(unit.function.name, 0) + unit.cells
    advance = meter.begin("sweep", sum(planned.values()), "cells", parts=planned)
    return lambda unit, cells: advance(cells, unit.function.name)


def report_of(results: Results, folder: Path, meter: Meter, run_folder: Path | None = None) -> Path:
    """Write the report of a run and return the page's path."""
    from diffbench.report.folder import write_report

    judgement = judgement_of(results)
    figures = len(results.keys) if results.blocks else 0
    draw = meter.begin("report", figures, "figures")
    with figure_executor(figures) as executor:
        try:
            return write_report(results, folder, executor, lambda _, __: draw(1, ""), judgement, run_folder=run_folder)
        except BrokenExecutor:
            say("diffbench: a worker process died; the figures are drawn again, one after the other", err=True)
    return write_report(results, folder, None, None, judgement, run_folder=run_folder)


def judgement_of(results: Results) -> Judgement | None:
    """Return what the gate says of a run, but for orders; None where no baseline of its suite is accepted here."""
    suite = suite_of(spec_of(results)) if results.blocks else ""
    if not (BASELINES / suite / f"{ANY}.parquet").is_file():
        return None
    baseline = find_baseline(suite, platform_key(results.manifest))
    return judge(baseline, baseline_of(results, with_orders=False))


@contextmanager
def figure_executor(figures: int) -> Iterator[Executor | None]:
    """Draw many figures in processes: matplotlib holds the interpreter's lock, so threads would not help."""
    workers = min(cores(), 4)
    if figures < MANY_FIGURES or workers == 1:
        yield None
        return
    with ExitStack() as stack:
        try:
            executor = stack.enter_context(process_pool(workers))
        except StoreError:
            executor = None
        yield executor


@contextmanager
def resumable(folder: Path, note: str = "") -> Iterator[None]:
    """Turn an interrupt into an error that says how the run of a folder goes on, once there is anything to go on from.

    Raises
    ------
    InterruptedRunError
        With the command, and the note after it.
    StoreError
        With the command too, where the system could not read or write.
    """
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        if not (folder / "manifest.json").is_file():
            raise
        if is_interrupt(error):
            raise InterruptedRunError(f"interrupted; {resume_command(folder)} goes on{note}") from None
        if isinstance(error, StoreError) and isinstance(error.__cause__, OSError):
            raise StoreError(f"{error}; {resume_command(folder)} goes on once that is mended{note}") from error
        raise


def is_interrupt(error: BaseException) -> bool:
    """Return whether an error is an interrupt, came up while one was on its way, or was made from one.

    The signal is raised wherever the main thread happens to be, be it in a lock, a file or an import, and whoever is
    cut off there may fail in a way of its own. The interrupt is then among what that error came from, and further back
    if several clean up in turn. That there was a signal would not be enough: a failure long after one that was lost (in
    a ``__del__``, where no error gets out) is a failure.
    """
    seen: list[BaseException] = []
    found: list[BaseException | None] = [error]
    while found:
        each = found.pop()
        if isinstance(each, KeyboardInterrupt):
            return True
        if each is not None and each not in seen:
            seen.append(each)
            found += (each.__context__, each.__cause__)
            found += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
    return False


def print_counts(results: Results, *, err: bool) -> None:
    """Print how many cells and references there are, by status and verdict."""
    counts = ", ".join(f"{count} {label}" for label, count in reversed(results.counts.items()) if count)
    say(f"{results.manifest['planned']} cells planned: {counts}", err=err)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in results.verdicts.items())
    say(f"{sum(results.verdicts.values())} references: {verdicts}", err=err)
