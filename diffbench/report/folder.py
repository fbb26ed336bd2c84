"""Everything that is made from a run for people: tables, figures and the page."""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from diffbench.analysis.judgement import Judgement
from diffbench.analysis.predict import functions_of
from diffbench.analysis.summary import summary_columns
from diffbench.dtypes import file_label
from diffbench.errors import InputError
from diffbench.functions.function import Function
from diffbench.report.contest import Contest
from diffbench.report.explorer import MAX_CELLS, Explored, explore
from diffbench.report.headline_plots import Headline, accuracy_over_x, headline_figures
from diffbench.report.html import PageFigure, PageParts, render_page
from diffbench.report.plots import digits_heat_map, error_curves, figure_bytes, typical_point
from diffbench.report.precision import Precision
from diffbench.report.table import FORMATS, Table, ordinal
from diffbench.report.tables import run_tables
from diffbench.sweep.contest import TIMINGS, read_timings
from diffbench.sweep.curves import Curves
from diffbench.sweep.files import block_name, make_folder, parquet_bytes, write_file
from diffbench.sweep.results import Block, Results
from diffbench.sweep.stored import load

MAX_FIGURES = 100
"""How many blocks get a figure each; the tables and the page's matrix hold all."""

MAX_POOLS = 4
"""Of how many pairs of derivative and dtype the page holds the headline figures; the folder has all."""

RUN_FILES = ("spec.toml", "manifest.json", "plan.json", "references.parquet", "summary.parquet", TIMINGS)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Task:
    """A block at the point that is shown of its function, for a worker.

    Attributes
    ----------
    block, point : Block, int
        The block that holds the point, and where it is in it.
    points : int
        How many points the function has.
    function : Function or None
        The block's, where the run says more of it than its formula.
    is_drawn, is_explored : bool
        Whether it gets a figure, and a place in the explorer.
    """

    block: Block
    point: int
    points: int
    function: Function | None
    is_drawn: bool
    is_explored: bool


def write_report(
    results: Results | str | Path,
    path: str | Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    judgement: Judgement | None = None,
    *,
    run_folder: Path | None = None,
) -> Path:
    """Write summary, tables, figures and the page of a run, and return the page's path.

    Parameters
    ----------
    results : Results or path
        A run, or the folder of one.
    path : path, optional
        The folder to write into; by default the run folder that was given.
    executor : concurrent.futures.Executor, optional
        Draws the figures; by default they are drawn one after the other.
    progress : callable, optional
        Called with the number of functions drawn so far and in all.
    judgement : Judgement, optional
        What a gate says of the run, for the page.
    run_folder : path, optional
        Where results that were loaded come from, and how long other packages take may be known.

    Raises
    ------
    StoreError
        If the run cannot be read or the folder not be written.

    Examples
    --------
    >>> from diffbench import Spec, run
    >>> results = run(Spec("lab", "forward-1", ["1e-3"], rules=[], anatomy=False))
    >>> write_report(results, "my-report").name
    'report.html'
    """
    if isinstance(results, Results) and path is None:
        raise InputError("path: results in memory need a folder to be reported in")
    if not isinstance(results, (Results, str, Path)):
        raise InputError(f"results: {results!r} are neither Results nor a run folder")
    folder = Path(path if path is not None else str(results))
    run = results if isinstance(results, Results) else load(results)
    for name in ("tables", "figures"):
        make_folder(folder / name)
    summary = pa.table(summary_columns(run.curves))
    write_file(folder / "summary.parquet", parquet_bytes(summary))
    source = results if isinstance(results, (str, Path)) else run_folder or folder
    contest = Contest(run, read_timings(Path(source)))
    mapping = map if executor is None else executor.map
    precision = Precision(run, mapping)
    tables = run_tables(run) | precision.reported() | contest.tables()
    _write_tables(tables, folder / "tables")
    parts = _draw_all(run, (contest, precision), folder, mapping, progress)
    page = render_page(run, parts, tables, judgement)
    write_file(folder / "report.html", page)
    return folder / "report.html"


def _draw_all(
    results: Results,
    others: tuple[Contest, Precision],
    folder: Path,
    mapping: Callable[..., Iterable[Any]],
    progress: Progress | None,
) -> PageParts:
    """Write all figures, and return what the page holds of them."""
    figures, (contest, precision) = folder / "figures", others
    tasks = list(_tasks(results))
    # Workers begin with these before the figures of the whole run are drawn here.
    begun = mapping(_draw_task, tasks)
    heat_maps = mapping(_draw_heat_map, _heat_map_curves(results))
    shown = headline_figures(results)
    headlines = [replace(_written(figures, each), pool=_pool_of(each.name)) for each in shown]
    pools = list(dict.fromkeys(figure.pool for figure in headlines))
    along = accuracy_over_x(results)
    over_x = None if along is None else _written(figures, along)
    by_dtype = [_written(figures, each) for each in precision.figures()]
    contested = [_written(figures, Headline(each.name, "", each.figure, each.caption)) for each in contest.figures()]
    explored = list(_collect(begun, len(tasks), figures, progress))
    for name, data in heat_maps:
        write_file(figures / name, data)
    return PageParts(
        [figure for figure in headlines if figure.pool in pools[:MAX_POOLS]],
        over_x,
        by_dtype,
        contested,
        [each for each in explored if each is not None],
        _files(folder),
    )


def _written(folder: Path, drawn: Headline) -> PageFigure:
    data = figure_bytes(drawn.figure, "svg")
    write_file(folder / f"{drawn.name}.svg", data)
    return PageFigure(drawn.name, drawn.title, drawn.caption, data)


def _pool_of(name: str) -> str:
    """Return which derivative and dtype a headline figure is of, by its name."""
    derivative, label = name.rsplit("-", 2)[-2:]
    dtype = re.sub(r"^mp(?=\d)", "mp:", label)
    return f"{ordinal(int(derivative.removeprefix('d')))} derivative, {dtype}"


def _files(folder: Path) -> list[str]:
    """Return what lies in a run folder, the page and what it was written with left out."""
    below = [path for name in ("cells", "curves", "tables", "figures") for path in sorted((folder / name).glob("*.*"))]
    own = [folder / name for name in RUN_FILES if (folder / name).is_file()]
    return [path.relative_to(folder).as_posix() for path in (*own, *below) if not path.name.startswith(".")]


def _write_tables(tables: dict[str, Table], folder: Path) -> None:
    for name, table in tables.items():
        for suffix, render in FORMATS.items():
            write_file(folder / f"{name}.{suffix}", render(table))


def _heat_map_curves(results: Results) -> list[list[Curves]]:
    """Return the curves of each heat map: those of one derivative and dtype."""
    groups: dict[tuple[int, str], list[Curves]] = {}
    for part in results.curves:
        groups.setdefault((part.derivative, part.dtype), []).append(part)
    return list(groups.values())


def _draw_heat_map(curves: list[Curves]) -> tuple[str, bytes]:
    name = f"digits-d{curves[0].derivative}-{file_label(curves[0].dtype)}.svg"
    return name, figure_bytes(digits_heat_map(curves), "svg")


def _tasks(results: Results) -> Iterator[Task]:
    """Yield the blocks that hold the typical points of their functions, as many as are drawn or explored."""
    functions = functions_of(results) if results.blocks else {}
    embedded = 0
    for number, key in enumerate(results.keys if results.blocks else ()):
        places = results.parts(key)
        curves = [results.curves[place] for place in places]
        point = typical_point(curves)
        part = next(i for i, each in enumerate(curves) if point < each.first + len(each.x))
        block = results.blocks[places[part]]
        embedded += block.status[:, 0].size
        is_drawn, is_explored = number < MAX_FIGURES, embedded <= MAX_CELLS
        if not (is_drawn or is_explored):
            return
        if block.grid_size > 1:
            points = sum(len(each.x) for each in curves)
            own = functions.get(block.function)
            yield Task(block, point - block.first, points, own, is_drawn, is_explored)


def _draw_task(task: Task) -> tuple[str, bytes | None, Explored | None]:
    name = f"{block_name(*task.block.key)}.svg"
    vector = figure_bytes(error_curves(task.block, task.point), "svg") if task.is_drawn else None
    if not task.is_explored:
        return name, vector, None
    link = f"figures/{name}" if task.is_drawn else ""
    return name, vector, explore(task.block, task.point, task.points, link, task.function)


def _collect(
    drawn: Iterable[tuple[str, bytes | None, Explored | None]], total: int, folder: Path, progress: Progress | None
) -> Iterator[Explored | None]:
    """Write the figure of every function and yield what the explorer shows of it."""
    for done, (name, vector, explored) in enumerate(drawn, 1):
        if vector is not None:
            write_file(folder / name, vector)
        if progress is not None:
            progress(done, total)
        yield explored
