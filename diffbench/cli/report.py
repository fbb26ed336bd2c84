"""``diffbench report``."""

from pathlib import Path
from typing import Any

import click

from diffbench.cli.measuring import figure_executor, judgement_of, report_of
from diffbench.cli.output import say
from diffbench.cli.progress import Meter
from diffbench.errors import InputError
from diffbench.sweep.results import Results
from diffbench.sweep.stored import load

KINDS = ("html", "tex", "md", "pdf")


@click.command(short_help="Make the tables, figures and page of a run again.")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(KINDS), default="html", help="What is written. Default: html.")
@click.option(
    "--figures",
    type=click.Choice(("some", "all")),
    default="some",
    help="all adds the curves at every point, each as SVG, PDF and PNG. Default: some.",
)
@click.option("-f", "--function", "functions", multiple=True, help="Whose curves are in the report; not for html.")
@click.option("--width", help="Of a figure in LaTeX, such as 3.4in or 84mm; only for tex. Default: 345pt.")
@click.option("--out", type=click.Path(path_type=Path), help="Where it is written. Default: into the run's folder.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(
    run_folder: Path,
    kind: str,
    *,
    figures: str,
    functions: tuple[str, ...],
    width: str | None,
    out: Path | None,
    quiet: bool,
) -> None:
    r"""Make the report of a run again, from its cells.

    html: the page, with tables and figures beside it. md: report.md, with figures as SVG. tex: report.tex, which
    pdflatex compiles, with tables to be read with \input and figures in the width of a column. pdf: pages for print.
    """
    if width is not None and kind != "tex":
        raise InputError(f"width: {width!r} is for --format tex only")
    if functions and kind == "html":
        raise InputError(f"function: {functions[0]!r} is not for --format html, whose page holds all")
    results, folder = load(run_folder), out or run_folder
    with Meter(enabled=not quiet) as meter:
        if kind == "html":
            path = report_of(results, folder, meter, run_folder)
        else:
            path = _write(results, kind, folder, width=width, functions=functions, run_folder=run_folder)
        if figures == "all":
            _draw_all(results, folder, meter)
    say(f"report: {path}")


def _write(results: Results, kind: str, folder: Path, *, width: str | None, **chosen: Any) -> Path:
    from diffbench.report.paper import WIDTH, write_paper

    return write_paper(results, kind, folder, width=width or WIDTH, judgement=judgement_of(results), **chosen)


def _draw_all(results: Results, folder: Path, meter: Meter) -> None:
    """Draw the curves at every point."""
    from diffbench.report.paper import write_curves

    total = sum(len(part.x) for part in results.curves) if results.blocks else 0
    draw = meter.begin("figures", total, "points")
    with figure_executor(total) as executor:
        write_curves(results, folder / "figures", executor, lambda _, __: draw(1, ""))
