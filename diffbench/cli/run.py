"""``diffbench run``: the main job."""

import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from typing import Any

import click

from diffbench.cli.output import format_option, print_table
from diffbench.cli.progress import Meter
from diffbench.errors import InputError
from diffbench.functions.function import Function
from diffbench.functions.grammar import parse_formula
from diffbench.functions.suites import find_function, load_suite
from diffbench.report.folder import write_report
from diffbench.report.tables import estimates_table, is_small, ranking_table
from diffbench.sweep.results import Results
from diffbench.sweep.run import run
from diffbench.sweep.spec import Spec, read_spec_table

MANY_FIGURES = 12
FAILED_CELLS = 3


@click.command(short_help="Sweep schemes over epsilons and functions, and write the report.")
@click.argument("spec_file", metavar="[SPEC.toml]", required=False, type=click.Path(path_type=Path))
@click.option("--suite", "suites", multiple=True, help="A suite by name, or a TOML file. Default: standard.")
@click.option("-f", "--function", "formulas", multiple=True, help="A formula with --at, or a function of a suite.")
@click.option("--at", "points", multiple=True, help="A point, as exact decimal or rational, for every formula given.")
@click.option(
    "-s",
    "--scheme",
    "schemes",
    multiple=True,
    help="A scheme by name, such as central-4. Default: the catalogue.",
)
@click.option("--epsilon", "epsilons", multiple=True, help="A number or range, such as 1e-1:1e-12:4/decade.")
@click.option("--derivative", "derivatives", multiple=True, type=int, help="Which derivative. Default: 1.")
@click.option("--dtype", "dtypes", multiple=True, help="float16, float32 or float64. Default: float64.")
@click.option("--out", type=click.Path(path_type=Path), help="A new or empty folder. Default: one below results/.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@format_option
def command(spec_file: Path | None, out: Path | None, *, quiet: bool, style: str, **chosen: Any) -> int:
    """Sweep schemes over epsilons and functions, and write the report.

    Without arguments the standard suite is run. Everything that is swept, and the report, goes to a new folder; the
    last line says where.
    """
    _stop_on_sigterm()
    spec = _spec(spec_file, chosen)
    folder = out if out is not None else _new_folder(_run_name(spec_file, chosen))
    with Meter(enabled=not quiet) as meter:
        sweep = meter.begin("sweep", spec.planned, "cells")
        results = run(spec, out=folder, progress=lambda unit, cells: sweep(cells, unit.function.name))
        draw = meter.begin("report", len(results.blocks), "figures")
        with _figure_executor(len(results.blocks)) as executor:
            page = write_report(results, folder, executor, lambda _, __: draw(1, ""))
    print_table(estimates_table(results) if is_small(results) else ranking_table(results), style)
    _print_counts(results, spec, err=style == "json")
    click.echo(f"report: {page}", err=style == "json")
    return FAILED_CELLS if results.counts["failed"] > spec.allow_failed else 0


def _spec(spec_file: Path | None, chosen: dict[str, Any]) -> Spec:
    """Return the spec of the file, with what the options say in its place."""
    table = read_spec_table(spec_file) if spec_file is not None else {}
    formulas, points = chosen["formulas"], chosen["points"]
    if points and not formulas:
        raise InputError("at: a point needs a formula, -f FORMULA")
    options = {
        "functions": [
            *(_suite(name) for name in chosen["suites"]),
            *(_function(formula, points) for formula in formulas),
        ],
        "schemes": chosen["schemes"],
        "epsilons": [item for text in chosen["epsilons"] for item in text.split(",")],
        "derivatives": chosen["derivatives"],
        "dtypes": chosen["dtypes"],
    }
    return Spec(**(table | {key: list(value) for key, value in options.items() if value}))


def _suite(name: str) -> str:
    load_suite(name)
    return name


def _function(formula: str, points: tuple[str, ...]) -> Function | str:
    known = None
    try:
        known = find_function(formula)
    except InputError:
        if not points:
            parse_formula(formula)
            raise InputError(f"function: the formula {formula[:60]!r} needs a point, --at X") from None
    if known is None:
        return Function(_formula_name(formula), formula, points)
    return known if not points else Function(known.name, known.formula, points, domain=known.domain, tags=known.tags)


def _formula_name(formula: str) -> str:
    """Return the formula, or its beginning with a mark that tells long ones apart."""
    mark = sha256(formula.encode()).hexdigest()[:6]
    return formula if len(formula) <= 60 else f"{formula[:50]}… {mark}"


def _run_name(spec_file: Path | None, chosen: dict[str, Any]) -> str:
    if spec_file is not None:
        return spec_file.stem
    suites = "-".join(Path(suite).stem for suite in chosen["suites"])
    return suites or ("formula" if chosen["formulas"] else "standard")


def _new_folder(name: str) -> Path:
    stem = f"{name}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    candidates = (Path("results") / (stem if i == 0 else f"{stem}-{i}") for i in range(1000))
    return next(path for path in candidates if not path.exists())


@contextmanager
def _figure_executor(figures: int) -> Iterator[Executor | None]:
    """Draw many figures in processes: matplotlib holds the interpreter's lock, so threads would not help."""
    workers = min(cpu_count() or 1, 4)
    if figures < MANY_FIGURES or workers == 1:
        yield None
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        yield executor


def _print_counts(results: Results, spec: Spec, *, err: bool) -> None:
    counts = ", ".join(f"{count} {label}" for label, count in reversed(results.counts.items()) if count)
    click.echo(f"{spec.planned} cells planned: {counts}", err=err)
    certified = [reference.verdict for block in results.blocks for reference in block.references]
    verdicts = ", ".join(f"{certified.count(verdict)} {verdict}" for verdict in sorted(set(certified)))
    click.echo(f"{len(certified)} references: {verdicts}", err=err)


def _stop_on_sigterm() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    if sys.platform != "win32":
        signal.signal(signal.SIGTERM, stop)
