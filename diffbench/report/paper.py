"""The report of a run on paper: Markdown, a LaTeX document with its tables and figures, and a PDF.

All three are made of the same sections, in the order of the page.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.analysis.judgement import Judgement
from diffbench.errors import EmptySelectionError, InputError
from diffbench.report.captions import computed, counted, glossary_markdown, to_latex, to_markdown
from diffbench.report.contest import Contest
from diffbench.report.escape import escape_latex, escape_markdown, markdown_paragraph
from diffbench.report.headline_plots import accuracy_over_x, headline_figures
from diffbench.report.overview import digits_of, gate_of, provenance_of, verdict_of
from diffbench.report.plots import (
    INK,
    Figure,
    block_title,
    digits_heat_map,
    error_curves,
    figure_bytes,
    inline_svg,
    png_bytes,
    point_title,
    see_through,
    typical_point,
)
from diffbench.report.precision import Precision
from diffbench.report.print_pages import Pages, fitted, inked, pdf_bytes, untitled
from diffbench.report.table import FORMATS, Table, compact, sentence
from diffbench.report.table import to_markdown as table_to_markdown
from diffbench.report.tables import PRECISION, run_tables
from diffbench.sweep.contest import read_timings
from diffbench.sweep.curves import Curves, curves_of
from diffbench.sweep.files import block_name, io_errors, write_file
from diffbench.sweep.results import NO_CELLS, Block, Results
from diffbench.sweep.stored import load

WIDTH = "345pt"
"""Of a figure in LaTeX, unless another is asked for: that of the text of an article."""

NARROWEST, WIDEST = 2.0, 20.0

PER_INCH = {
    "in": Fraction(1),
    "cm": Fraction("2.54"),
    "mm": Fraction("25.4"),
    "pt": Fraction("72.27"),
    "bp": Fraction(72),
}
"""How many of LaTeX's units are an inch."""

MAX_CURVES = 6
"""How many functions get a figure, the first ones of their classes, unless some are asked for."""

HEAT_MAP_ROWS = 55
"""How many functions a page holds."""


@dataclass(frozen=True)
class Drawing:
    """A figure with the name of its file, and its caption as plain text."""

    name: str
    title: str
    figure: Figure
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes
    ----------
    title : str
        Its heading.
    tables : dict of str to Table
        By file name.
    figures : sequence of Drawing
        Which stand before the tables.
    maps : sequence of sequence of Curves
        Of which a PDF shows a heat map each in place of the tables.
    """

    title: str
    tables: dict[str, Table] = field(default_factory=dict)
    figures: Sequence[Drawing] = ()
    maps: Sequence[Sequence[Curves]] = ()


@dataclass(frozen=True)
class Paper:
    """What a report says, whatever it is written as."""

    verdict: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    spec: str
    provenance: str
    tables: dict[str, Table]


def write_paper(
    results: Results | str | Path,
    kind: str,
    path: str | Path | None = None,
    *,
    width: str = WIDTH,
    functions: Sequence[str] = (),
    run_folder: str | Path | None = None,
    judgement: Judgement | None = None,
) -> Path:
    r"""Write the report of a run for print, and return the path of its main file.

    Parameters
    ----------
    results : Results or path
        A run, or the folder of one.
    kind : str
        ``md``: ``report.md`` and figures as SVG. ``tex``: ``report.tex``, which pdflatex compiles on its own, tables to
        be read with ``\input`` and figures as PDF. ``pdf``: ``report.pdf``.
    path : path, optional
        The folder to write into; by default the run folder that was given.
    width : str
        That of a figure in LaTeX, such as ``"3.4in"`` or ``"84mm"``.
    functions : sequence of str
        Of which to draw the error against epsilon; by default of the first of each class, but not of more than 6.
    run_folder : path, optional
        Where results that were loaded come from, and how long other packages take may be known.
    judgement : Judgement, optional
        What a gate says of the run.

    Raises
    ------
    InputError
        If there is no such kind, or the width is none.
    EmptySelectionError
        If the run has no such function.
    StoreError
        If the run cannot be read or the folder not be written.
    """
    if kind not in WRITERS:
        raise InputError(f"format: {kind!r} is none of {', '.join(WRITERS)}")
    inches = length(width)
    if isinstance(results, Results) and path is None:
        raise InputError("path: results in memory need a folder to be reported in")
    folder = Path(path if path is not None else str(results))
    run = results if isinstance(results, Results) else load(results)
    source = results if isinstance(results, (str, Path)) else run_folder or folder
    paper = paper_of(run, Contest(run, read_timings(Path(source))), functions, judgement)
    with io_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return WRITERS[kind](paper, folder, inches)


def length(text: str) -> float:
    """Return a length such as ``"3.4in"`` or ``"84mm"`` in inches.

    Examples
    --------
    >>> length("50.8mm")
    2.0
    """
    found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]{2})\s*", text)
    if found is None or found[2] not in PER_INCH:
        raise InputError(f"width: {text!r} is no length such as 3.4in, 84mm, 8.4cm or 240pt")
    inches = float(Fraction(found[1]) / PER_INCH[found[2]])
    if not NARROWEST <= inches <= WIDEST:
        raise InputError(f"width: {text!r} is not between {NARROWEST:g} and {WIDEST:g} inches")
    return inches


def paper_of(
    results: Results, contest: Contest, functions: Sequence[str] = (), judgement: Judgement | None = None
) -> Paper:
    """Return the sections of a report."""
    precision = Precision(results)
    tables = run_tables(results) | precision.reported() | contest.tables()
    figures = [Drawing(each.name, each.title, each.figure, each.caption) for each in headline_figures(results)]
    along = accuracy_over_x(results)
    figures += [Drawing(along.name, along.title, along.figure, along.caption)] if along is not None else []
    by_dtype = [Drawing(each.name, each.title, each.figure, each.caption) for each in precision.figures()]
    contested = [Drawing(each.name, each.name, each.figure, each.caption) for each in contest.figures()]
    sections = (
        Section("Ranking", _some(tables, "ranking")),
        Section("Every scheme at a glance", figures=figures),
        Section("Error against epsilon", figures=list(_curve_figures(results, functions))),
        Section("Function by function", _some(tables, "digits"), maps=_heat_maps(results.curves)),
        Section("Dtypes side by side", _some(tables, *PRECISION), by_dtype),
        Section("Step rules", _some(tables, "published-steps", "regret", "regret-classes")),
        Section("Other packages", contest.tables(), contested),
        Section("Noise", _some(tables, "noise")),
        Section("Printed optima", _some(tables, "published")),
        Section("Estimates", _some(tables, "estimates")),
        Section("Failures", _some(tables, "status")),
    )
    shown = [each for each in sections if each.figures or any(table.rows for table in each.tables.values())]
    made = _provenance(results.manifest)
    return Paper(verdict_of(results, tables), facts_of(results, judgement), shown, results.spec, made, tables)


def _some(tables: dict[str, Table], *names: str) -> dict[str, Table]:
    return {name: tables[name] for name in names if name in tables}


def facts_of(results: Results, judgement: Judgement | None = None) -> list[tuple[str, str]]:
    """Return cells and references by status and verdict, the digits, median and worst, and what a gate says."""
    counts = results.counts
    facts = [("cells planned", f"{sum(counts.values()):,}")]
    facts += [(label, f"{count:,}") for label, count in reversed(counts.items()) if count]
    facts += [(f"references {verdict}", f"{count:,}") for verdict, count in results.verdicts.items()]
    digits = digits_of(results)
    if digits is not None:
        where = f", {digits.where}" if digits.where else ""
        facts += [(f"median digits{where}", f"{digits.median:.1f}")]
        facts += [(f"worst digits ({digits.least_at})", f"{digits.least:.1f}")]
    return facts + ([("gate", gate_of(judgement))] if judgement else [])


def _provenance(manifest: Mapping[str, Any]) -> str:
    facts = [(name, value[:12] if name == "fingerprint of f" else value) for name, value in provenance_of(manifest)]
    return f"Made with {', '.join(f'{name} {value}' for name, value in facts)}." if facts else ""


# Figures of functions -------------------------------------------------------------------------------------------------


def _curve_figures(results: Results, functions: Sequence[str]) -> Iterator[Drawing]:
    """Yield the error against epsilon of some functions at their typical points."""
    if not results.blocks:
        if functions:
            raise EmptySelectionError(NO_CELLS)
        return
    unknown = set(functions) - {function for function, *_ in results.keys}
    if unknown:
        raise EmptySelectionError(f"function: the run has none called {', '.join(map(repr, sorted(unknown)))}")
    wanted = functions or _examples(results.curves)
    for key in results.keys:
        block = results.block(*key)
        if key[0] in wanted and block.grid_size > 1:
            point = typical_point([results.curves[i] for i in results.parts(key)])
            caption = _caption(block, point) + computed(results.spec)
            yield Drawing(block_name(*key), block_title(block), error_curves(block, point), caption)


def _caption(block: Block, point: int) -> str:
    return (
        f"error of every scheme against ε, both logarithmic, for {block_title(block)}; {point_title(block, point)}; "
        f"down is better{_best(block, point)}"
    )


def _best(block: Block, point: int) -> str:
    """Return which scheme has most digits at a point, how many and at which epsilon; nothing if none has any."""
    curves = curves_of(block)
    digits = curves.oracle_digits[:, point]
    if np.all(np.isnan(digits)):
        return ""
    s = int(np.nanargmax(digits))
    return f"; best is {block.schemes[s]} with {digits[s]:.1f} digits at ε = {curves.optimal_epsilon[s, point]:.2g}"


def _examples(curves: Sequence[Curves]) -> list[str]:
    """Return the first function of each class, its class being its first tag, evenly chosen where there are many."""
    first: dict[str, str] = {}
    for part in curves:
        first.setdefault(part.tags[0] if part.tags else part.function, part.function)
    names = list(first.values())
    step = max(1, -(-len(names) // MAX_CURVES))
    return names[step - 1 :: step]


def _heat_maps(curves: Sequence[Curves]) -> list[list[Curves]]:
    """Return the curves of each heat map: those of one derivative and dtype, of as many functions as a page holds."""
    groups: dict[tuple[int, str], dict[str, list[Curves]]] = {}
    for part in curves:
        groups.setdefault((part.derivative, part.dtype), {}).setdefault(part.function, []).append(part)
    return [
        [part for function in functions[start : start + HEAT_MAP_ROWS] for part in function]
        for functions in map(list, (group.values() for group in groups.values()))
        for start in range(0, len(functions), HEAT_MAP_ROWS)
    ]


def write_curves(
    results: Results | str | Path,
    path: str | Path,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the error against epsilon at every point of every function as SVG, PDF and PNG; return how many there are.

    Parameters
    ----------
    results : Results or path
        A run with cells, or the folder of one.
    path : path
        The folder to write them into.
    executor : concurrent.futures.Executor, optional
        Draws them; by default they are drawn one after the other.
    progress : callable, optional
        Called with the number of points drawn so far and in all.
    """
    run = results if isinstance(results, Results) else load(results)
    if not run.blocks:
        raise EmptySelectionError(NO_CELLS)
    folder = Path(path)
    with io_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    total = sum(part.x.size for part in run.curves)
    points = ((block, p) for block in run.blocks if block.grid_size > 1 for p in range(len(block.x)))
    done = 0
    for done, (name, files) in enumerate((map if executor is None else executor.map)(_drawn_point, points), 1):
        for suffix, data in files.items():
            write_file(folder / f"{name}.{suffix}", data)
        if progress is not None:
            progress(done, total)
    return done


def _drawn_point(block_and_point: tuple[Block, int]) -> tuple[str, dict[str, bytes]]:
    block, point = block_and_point
    figure = error_curves(block, point)
    files = {"svg": figure_bytes(figure, "svg"), "pdf": pdf_bytes([figure]), "png": png_bytes(figure, dpi=150)}
    return f"{block_name(*block.key)}-x{block.first + point + 1}", files


# Markdown -------------------------------------------------------------------------------------------------------------


def write_markdown(paper: Paper, folder: Path, _: float = 0.0) -> Path:
    """Write ``report.md``, the glossary and spec that it links to, and its figures as SVG."""
    for section in paper.sections:
        for each in section.figures:
            _write_below(folder, "figures", f"{each.name}.svg", _svg(each))
    write_file(folder / "glossary.md", glossary_markdown())
    write_file(folder / "spec.toml", paper.spec)
    write_file(folder / "report.md", markdown_of(paper))
    return folder / "report.md"


def markdown_of(paper: Paper) -> str:
    """Return the text of ``report.md``."""
    facts = " · ".join(f"{name} {value}" for name, value in paper.facts)
    lines = ["# Accuracy report", "", f"**{escape_markdown(paper.verdict)}**", "", markdown_paragraph(facts), ""]
    for section in paper.sections:
        lines += [f"## {escape_markdown(section.title)}", ""]
        for each in section.figures:
            lines += [f"![{escape_markdown(each.title)}](figures/{each.name}.svg)", "", _markdown_caption(each), ""]
        for table in section.tables.values():
            lines += [table_to_markdown(compact(table))] if table.rows else []
    lines += ["## How to reproduce", "", "```sh", REPRODUCE, "```", ""]
    lines += ["with the [spec](spec.toml) beside this file.", "", markdown_paragraph(paper.provenance)]
    return "\n".join(lines).rstrip() + "\n"


REPRODUCE = "diffbench run spec.toml"


def _markdown_caption(drawing: Drawing) -> str:
    linked = to_markdown(sentence(drawing.caption), "glossary.md")
    return linked if linked.startswith("[") else re.sub(r"^(\d*)([-+=#.)])", r"\1\\\2", linked)


def _svg(drawing: Drawing) -> str:
    """Return a figure as a small file that can lie on light and dark pages."""
    label = " ".join(drawing.caption.split())
    text = inline_svg(see_through(drawing.figure), drawing.name, label).replace("currentColor", INK)
    return re.sub(r'(?<= style=")[^"]*', lambda style: re.sub(r"([:;,]) ", r"\1", style[0]), text)


# LaTeX ----------------------------------------------------------------------------------------------------------------

PREAMBLE = r"""\documentclass[a4paper]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{textcomp}
\usepackage{lmodern}
\usepackage[margin=2cm]{geometry}
\usepackage{amssymb}
\usepackage{array}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage{longtable}
\emergencystretch=3em
\title{Accuracy report}
\date{}
\begin{document}
\maketitle
"""


def write_latex(paper: Paper, folder: Path, width: float) -> Path:
    r"""Write ``report.tex``, each table as a file to be read with ``\input``, and figures of a width in inches."""
    for name, table in paper.tables.items():
        _write_below(folder, "tables", f"{name}.tex", FORMATS["tex"](table))
    for section in paper.sections:
        for each in section.figures:
            _write_below(
                folder, "figures", f"{each.name}.pdf", pdf_bytes([fitted(inked(untitled(each.figure)), width)])
            )
    write_file(folder / "spec.toml", paper.spec)
    write_file(folder / "report.tex", latex_of(paper))
    return folder / "report.tex"


def latex_of(paper: Paper) -> str:
    """Return the text of ``report.tex``."""
    facts = r" \\".join(f"\n{escape_latex(name)} & {escape_latex(value)}" for name, value in paper.facts)
    lines = [PREAMBLE.rstrip(), escape_latex(paper.verdict), ""]
    lines += [r"\begin{center}", rf"\begin{{tabular}}{{lr}}{facts}", r"\end{tabular}", r"\end{center}", ""]
    for section in paper.sections:
        lines += [rf"\section{{{escape_latex(section.title)}}}", ""]
        for each in section.figures:
            lines += [r"\begin{figure}[htbp]", r"\centering", rf"\includegraphics{{figures/{each.name}.pdf}}"]
            caption = to_latex(sentence(each.caption))
            lines += [rf"\caption{{{caption}}}\label{{fig:{each.name}}}", r"\end{figure}", ""]
        lines += [rf"\input{{tables/{name}}}" for name, table in section.tables.items() if table.rows]
        lines += [r"\clearpage", ""]
    lines += [
        r"\section{How to reproduce}",
        "",
        rf"\texttt{{{escape_latex(REPRODUCE)}}} with the spec beside this file.",
        "",
    ]
    return "\n".join([*lines, escape_latex(paper.provenance), r"\end{document}"]) + "\n"


# PDF ------------------------------------------------------------------------------------------------------------------


def write_pdf(paper: Paper, folder: Path, _: float = 0.0) -> Path:
    """Write ``report.pdf``."""
    write_file(folder / "report.pdf", pdf_bytes(pages_of(paper)))
    return folder / "report.pdf"


def pages_of(paper: Paper) -> list[Figure]:
    """Return the pages of ``report.pdf``."""
    pages = Pages("Accuracy report of diffbench")
    pages.paragraph("Accuracy report", 20, weight="bold")
    pages.paragraph(paper.verdict, 11)
    pages.paragraph(" · ".join(f"{name} {value}" for name, value in paper.facts), 8.5, color="#444444")
    for section in paper.sections:
        maps = [digits_heat_map(curves) for curves in section.maps]
        pages.heading(section.title, next(iter([*(each.figure for each in section.figures), *maps]), None))
        for each in section.figures:
            pages.figure(each.figure, sentence(each.caption))
        for each_map in maps:
            pages.figure(each_map, "Correct digits at the optimal ε, median over the points of each function.")
        for table in () if maps else section.tables.values():
            if table.rows:
                pages.table(table)
    pages.heading("How to reproduce")
    pages.listing([REPRODUCE])
    settings, _, functions = paper.spec.partition("[[functions]]")
    pages.listing(settings.rstrip().splitlines())
    if functions:
        pages.paragraph(f"and {counted(functions.count('[[functions]]') + 1, 'function')}, all in spec.toml.", 8.5)
    pages.paragraph(paper.provenance, 8.5, color="#444444")
    return pages.figures


def _write_below(folder: Path, below: str, name: str, data: bytes | str) -> None:
    with io_errors(folder):
        (folder / below).mkdir(parents=True, exist_ok=True)
    write_file(folder / below / name, data)


WRITERS: dict[str, Callable[[Paper, Path, float], Path]] = {"md": write_markdown, "tex": write_latex, "pdf": write_pdf}
"""What a report for print is written as."""
