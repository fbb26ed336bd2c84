"""Everything that is made from a run for people: tables, figures and the page."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pyarrow as pa

from diffbench.analysis.summary import summary_columns
from diffbench.errors import InputError
from diffbench.report.contest import Contest
from diffbench.report.html import contest_figure, page_figure, render_page
from diffbench.report.plots import digits_heat_map, error_curves, figure_bytes, typical_point
from diffbench.report.table import FORMATS, Table
from diffbench.report.tables import run_tables
from diffbench.sweep.contest import read_timings
from diffbench.sweep.curves import Curves
from diffbench.sweep.files import block_name, io_errors, parquet_bytes, write_file
from diffbench.sweep.results import Block, Results
from diffbench.sweep.stored import load

MAX_FIGURES = 100
"""How many blocks get a figure each; the tables and the page's matrix hold all."""

Progress = Callable[[int, int], None]


def write_report(
    results: Results | str | Path,
    path: str | Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
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
        Called with the number of figures drawn so far and in all.

    Raises
    ------
    StoreError
        If the run cannot be read or the folder not be written.
    """
    if isinstance(results, Results) and path is None:
        raise InputError("path: results in memory need a folder to be reported in")
    if not isinstance(results, (Results, str, Path)):
        raise InputError(f"results: {results!r} are neither Results nor a run folder")
    folder = Path(path if path is not None else str(results))
    run = results if isinstance(results, Results) else load(results)
    with io_errors(folder):
        for name in ("tables", "figures"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    summary = pa.table(summary_columns(run.curves))
    write_file(folder / "summary.parquet", parquet_bytes(summary))
    contest = Contest(run, read_timings(folder))
    tables = run_tables(run) | contest.tables()
    _write_tables(tables, folder / "tables")
    drawn = contest.figures()
    for each in drawn:
        write_file(folder / "figures" / f"{each.name}.svg", figure_bytes(each.figure, "svg"))
    mapping = map if executor is None else executor.map
    heat_maps = mapping(_draw_heat_map, _heat_map_curves(run))
    figures = list(_draw(run, folder / "figures", mapping, progress))
    page = render_page(run, figures, tables, [contest_figure(each) for each in drawn])
    for name, data in heat_maps:
        write_file(folder / "figures" / name, data)
    write_file(folder / "report.html", page)
    return folder / "report.html"


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
    return f"digits-d{curves[0].derivative}-{curves[0].dtype}.svg", figure_bytes(digits_heat_map(curves), "svg")


def _draw(
    results: Results, folder: Path, mapping: Callable[..., Iterable[Any]], progress: Progress | None
) -> Iterator[dict[str, Any]]:
    """Write the figure of every function and yield what the page shows of it."""
    drawable = list(_drawable(results))
    for done, (name, vector, figure) in enumerate(mapping(_draw_block, drawable), 1):
        write_file(folder / name, vector)
        if progress is not None:
            progress(done, len(drawable))
        yield figure


def _drawable(results: Results) -> Iterator[tuple[int, Block, int]]:
    """Yield the number of each figure, the block that holds the function's typical point, and where it is in it."""
    for number, key in enumerate(results.keys[:MAX_FIGURES] if results.blocks else ()):
        places = results.parts(key)
        curves = [results.curves[place] for place in places]
        point = typical_point(curves)
        part = next(i for i, each in enumerate(curves) if point < each.first + len(each.x))
        block = results.blocks[places[part]]
        if block.grid_size > 1:
            yield number, block, point - block.first


def _draw_block(numbered: tuple[int, Block, int]) -> tuple[str, bytes, dict[str, Any]]:
    number, block, point = numbered
    name = f"{block_name(*block.key)}.svg"
    return name, figure_bytes(error_curves(block, point), "svg"), page_figure(block, point, number)
