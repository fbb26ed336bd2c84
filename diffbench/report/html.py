"""The offline page: one file, no script, no request."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from diffbench.report.contest import ContestFigure
from diffbench.report.leaderboard_tables import CONTEST
from diffbench.report.plots import Figure, block_title, cell_colors, error_curves, png_bytes, point_title
from diffbench.report.table import Table, sentence
from diffbench.report.tables import run_tables
from diffbench.sweep.curves import curves_of
from diffbench.sweep.results import Block, Results

_DPI = 100


def render_page(
    results: Results,
    figures: Iterable[dict[str, Any]],
    tables: Mapping[str, Table] | None = None,
    contest: Sequence[dict[str, Any]] = (),
) -> str:
    """Return the page of a run; the same data give the same bytes.

    Parameters
    ----------
    results : Results
        The run.
    figures : iterable of dict
        From :func:`page_figure`.
    tables : mapping of str to Table, optional
        From :func:`diffbench.report.tables.run_tables`, where they have been made already.
    contest : sequence of dict
        From :func:`contest_figure`, where other packages took part.
    """
    made = run_tables(results) if tables is None else tables
    drawn = list(figures)
    template = _environment().get_template("report.html.j2")
    return template.render(
        headline=_headline(results),
        sentence=_sentence(results, made["ranking"]),
        strip=_strip(results),
        ranking=made["ranking"],
        estimates=made.get("estimates"),
        contest=[made[name] for name in CONTEST if name in made],
        contest_figures=contest,
        regrets=[made[name] for name in ("regret", "regret-classes") if name in made],
        matrices=_matrices(results, made["digits"], {figure["anchor"] for figure in drawn}),
        figures=drawn,
        has_anatomy=any(figure["has_parts"] for figure in drawn),
        status=made["status"],
        provenance=_provenance(results),
        spec=results.spec,
        as_sentence=sentence,
    )


def page_figure(block: Block, point: int, number: int) -> dict[str, Any]:
    """Return the figure of a point of a block for the page, with the numbers in its alternative text."""
    return _embedded(error_curves(block, point)) | {
        "anchor": anchor(number),
        "has_parts": block.parts is not None,
        "alt": _alternative(block, point),
        "caption": f"{block_title(block)}; {point_title(block, point)}.",
    }


def contest_figure(drawn: ContestFigure) -> dict[str, Any]:
    """Return a figure of a contest for the page."""
    return _embedded(drawn.figure) | {"name": drawn.name, "alt": drawn.caption, "caption": sentence(drawn.caption)}


def _embedded(figure: Figure) -> dict[str, Any]:
    width, height = figure.get_size_inches()
    return {
        "width": round(width * _DPI),
        "height": round(height * _DPI),
        "data": base64.b64encode(png_bytes(figure, _DPI)).decode(),
    }


def anchor(number: int) -> str:
    """Return the fragment of a block's figure."""
    return f"block-{number}"


@cache
def _environment() -> Environment:
    loader = PackageLoader("diffbench.report")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _headline(results: Results) -> str:
    functions = {part.function for part in results.curves}
    schemes = {scheme for part in results.curves for scheme in part.schemes}
    return f"{_count(len(schemes), 'scheme')} on {_count(len(functions), 'function')}"


def _sentence(results: Results, ranking: Table) -> str:
    counts = results.counts
    failed = counts["failed"] or "none"
    cells = f"{counts['ok']:,} of {sum(counts.values()):,} cells are ok and {failed} failed"
    measured = [row for row in ranking.rows if row["optimal_digits"] is not None]
    if not measured:
        return f"{_headline(results)}: {cells}."
    first = max(measured, key=lambda row: row["optimal_digits"])
    best = f"{first['scheme']} comes first with {first['optimal_digits']:.1f} digits at its optimal ε"
    return f"{_headline(results)}: {cells}; {best} (derivative {first['derivative']}, {first['dtype']}, median)."


def _strip(results: Results) -> list[tuple[str, str]]:
    counts = results.counts
    digits = np.concatenate([part.oracle_digits.ravel() for part in results.curves])
    known = digits[~np.isnan(digits)]
    strip = [("cells planned", f"{sum(counts.values()):,}")]
    strip += [(label, f"{count:,}") for label, count in reversed(counts.items()) if count]
    strip += [(f"references {verdict}", f"{count:,}") for verdict, count in results.verdicts.items()]
    if known.size:
        strip += [("median digits", f"{np.median(known):.1f}"), ("worst digits", f"{known.min():.1f}")]
    return strip


def _matrices(results: Results, digits: Table, anchors: set[str]) -> list[dict[str, Any]]:
    numbers = {key: anchor(i) for i, key in enumerate(results.keys)}
    groups: dict[tuple[int, str], list[Any]] = {}
    for row in digits.rows:
        groups.setdefault((row["derivative"], row["dtype"]), []).append(row)
    matrices = []
    for (derivative, dtype), rows in groups.items():
        schemes = [
            scheme
            for scheme in dict.fromkeys(name for row in rows for name in list(row)[3:])
            if any(scheme in c.schemes for c in results.curves if (c.derivative, c.dtype) == (derivative, dtype))
        ]
        lines = []
        for row in rows:
            place = numbers[row["function"], derivative, dtype]
            cells = [_matrix_cell(row[scheme]) for scheme in schemes]
            lines.append({"function": row["function"], "anchor": place if place in anchors else "", "cells": cells})
        matrices.append({"title": f"derivative {derivative}, {dtype}", "schemes": schemes, "rows": lines})
    return matrices


def _matrix_cell(digits: float | None) -> dict[str, str] | None:
    if digits is None:
        return None
    background, color = cell_colors(digits)
    return {"text": f"{digits:.1f}", "background": background, "color": color}


def _alternative(block: Block, point: int) -> str:
    curves = curves_of(block)
    best = curves.oracle_digits[:, point]
    if np.all(np.isnan(best)):
        return f"Error against epsilon of {block.function}; the derivative is 0 or no cell is ok."
    s = int(np.nanargmax(best))
    step = curves.optimal_epsilon[s, point]
    winner = f"{block.schemes[s]} is best, {best[s]:.1f} digits at ε = {step:.2g}"
    return f"Error against epsilon of {block.function}: {winner}."


def _provenance(results: Results) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in results.manifest.get("versions", {}).items())
    machine = results.manifest.get("machine", {})
    where = " ".join(str(machine.get(name)) for name in ("system", "architecture", "cores"))
    return f"Made with {versions}, on {where} cores." if versions else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
