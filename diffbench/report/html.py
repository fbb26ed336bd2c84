"""The page: one file that asks for nothing, its charts drawn by its own script from columns that it holds."""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import count, groupby
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import escape

from diffbench.analysis.judgement import Judgement
from diffbench.report.captions import glossary_entries, to_html
from diffbench.report.explorer import Explored, chart_version, embedded, libraries, view
from diffbench.report.leaderboard_tables import CONTEST
from diffbench.report.overview import digits_of, elapsed_of, gate_of, provenance_of, size_of, verdict_of
from diffbench.report.plots import FULL_DIGITS, INK, cell_colors
from diffbench.report.table import Table, ordinal, sentence
from diffbench.report.tables import PRECISION, judgement_table, run_tables
from diffbench.sweep.results import Results, Status

MAX_SENTENCES = 50
"""How many sentences of a judgement the page holds; the gate prints all."""

SCRIPTS = ("page.js", "explorer.js")

RULE_TABLES = ("published-steps", "regret", "regret-classes")


@dataclass(frozen=True)
class PageFigure:
    """A figure for the page.

    Attributes
    ----------
    name, title : str
        Of its file, and what it shows in a few words.
    caption : str
        Plain text, which is its alternative text too.
    svg : bytes
        The figure.
    pool : str
        Which derivative and dtype it is of, in words.
    """

    name: str
    title: str
    caption: str
    svg: bytes
    pool: str = ""


@dataclass(frozen=True)
class PageParts:
    """What is drawn for a page, and what lies beside it.

    Attributes
    ----------
    headlines : sequence of PageFigure
        Those that the page begins with.
    over_x : PageFigure or None
        Accuracy along x.
    by_dtype : sequence of PageFigure
        The dtypes side by side.
    contest : sequence of PageFigure
        Those of other packages.
    explored : sequence of Explored
        What the explorer shows.
    files : sequence of str
        What can be downloaded, as paths relative to the page.
    """

    headlines: Sequence[PageFigure] = ()
    over_x: PageFigure | None = None
    by_dtype: Sequence[PageFigure] = ()
    contest: Sequence[PageFigure] = ()
    explored: Sequence[Explored] = ()
    files: Sequence[str] = ()


def render_page(
    results: Results,
    parts: PageParts | None = None,
    tables: Mapping[str, Table] | None = None,
    judgement: Judgement | None = None,
) -> str:
    """Return the page of a run; the same data give the same bytes.

    Parameters
    ----------
    results : Results
        The run.
    parts : PageParts, optional
        What is drawn; by default nothing is.
    tables : mapping of str to Table, optional
        From :func:`diffbench.report.tables.run_tables`, where they have been made already.
    judgement : Judgement, optional
        What a gate says of the run.
    """
    made = run_tables(results) if tables is None else tables
    drawn = parts or PageParts()
    scripts = [_asset(name) for name in SCRIPTS]
    explorer = _explorer(drawn.explored)
    packages = explorer["libraries"] if explorer else ()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            headline=size_of(results),
            sentence=verdict_of(results, made),
            strip=_strip(results),
            gate=_gate(judgement),
            policy=_policy([*(package.sha256 for package in packages), *map(_hash, scripts)]),
            style=_asset("page.css"),
            scripts=scripts,
            **_grouped(made),
            figures=_inlined_figures(drawn),
            matrices=_matrices(results, made, drawn),
            leads=_leads(drawn.explored),
            ramp=", ".join(cell_colors(FULL_DIGITS * i / 8)[0] for i in range(9)),
            full_digits=FULL_DIGITS,
            explorer=explorer,
            failures=_failures(made["status"]),
            reproduce=_reproduce(results),
            downloads=_downloads(drawn.files),
            glossary=glossary_entries(),
            as_sentence=sentence,
            caption=to_html,
        )
    )


def _grouped(made: Mapping[str, Table]) -> dict[str, Any]:
    """Return all tables, and those that have a section of their own."""
    return {
        "tables": made,
        "contest": [made[name] for name in CONTEST if name in made],
        "precision": [made[name] for name in PRECISION if name in made and made[name].rows],
        "gradients": made.get("gradients"),
        "regrets": [made[name] for name in RULE_TABLES if name in made],
    }


@cache
def _environment() -> Environment:
    loader = PackageLoader("diffbench.report")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@cache
def _asset(name: str) -> str:
    return (files("diffbench.report") / "templates" / name).read_text("utf-8")


def _hash(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()


def _policy(hashes: Iterable[str]) -> str:
    """Return a policy under which nothing is fetched or evaluated, and no script runs but those of the page."""
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    # The charting library writes the style of its charts into them.
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


# words ----------------------------------------------------------------------------------------------------------------


def _strip(results: Results) -> list[tuple[str, str]]:
    """Return the numbers that the page begins with: label and value."""
    counts, verdicts = results.counts, results.verdicts
    planned, other = sum(counts.values()), sum(counts.values()) - counts["ok"]
    digits, elapsed = digits_of(results), elapsed_of(results.manifest)
    certified = f"{verdicts.get('certified', 0):,} of {sum(verdicts.values()):,}"
    strip = [("cells planned", f"{planned:,}"), ("ok", f"{counts['ok']:,}"), ("not ok", f"{other:,}")]
    strip += [("failed", f"{counts['failed']:,}"), ("references certified", certified)]
    if digits is not None:
        where = f", {digits.where}" if digits.where else ""
        strip += [(f"median digits, optimal ε{where}", f"{digits.median:.1f}")]
        strip += [(f"worst: {digits.least_at}", f"{digits.least:.1f}")]
    return strip + ([("elapsed", elapsed)] if elapsed else [])


def _gate(judgement: Judgement | None) -> dict[str, Any] | None:
    if judgement is None:
        return None
    sentences = [each.sentence for each in judgement.findings]
    return {
        "word": gate_of(judgement),
        "passed": not judgement.exit_code,
        "subject": judgement.subject,
        "baseline": judgement.baseline,
        "reason": judgement.reason,
        "table": judgement_table(judgement),
        "sentences": sentences[:MAX_SENTENCES],
        "more": max(0, len(sentences) - MAX_SENTENCES),
    }


def _failures(status: Table) -> list[dict[str, Any]]:
    """Return the cells that are not ok, status by status."""
    columns = tuple(column for column in status.columns if column.key != "status")
    groups = []
    for label, rows in groupby(status.rows, key=lambda row: row["status"]):
        own = list(rows)
        groups.append(
            {
                "status": label,
                "cells": sum(row["cells"] for row in own),
                "table": Table(f"Cells that are {label}", f"cells that are {label}, by reason", columns, own),
            }
        )
    return groups


def _reproduce(results: Results) -> dict[str, Any]:
    manifest = results.manifest
    facts = provenance_of(manifest)
    facts += [(name, str(manifest[name])) for name in ("started", "finished") if manifest.get(name)]
    commit = manifest.get("git", {}).get("commit") if isinstance(manifest.get("git"), dict) else None
    return {"facts": facts + ([("commit", commit)] if commit else []), "spec": results.spec}


def _downloads(paths: Iterable[str]) -> list[dict[str, Any]]:
    """Return what lies beside the page, folder by folder."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        groups.setdefault(folder, []).append((quote(path), name))
    return [{"folder": folder, "links": links} for folder, links in groups.items()]


# the matrix -----------------------------------------------------------------------------------------------------------


def _matrices(results: Results, made: Mapping[str, Table], drawn: PageParts) -> list[dict[str, Any]]:
    """Return function × scheme of each derivative and dtype."""
    explored = {each.key: each for each in drawn.explored}
    tags = {part.key: part.tags for part in results.curves}
    groups: dict[tuple[int, str], dict[str, dict[str, Any]]] = {}
    for row in made["summary"].rows:
        functions = groups.setdefault((row["derivative"], row["dtype"]), {})
        functions.setdefault(row["function"], {})[row["scheme"]] = row
    matrices = []
    for (derivative, dtype), functions in groups.items():
        schemes = tuple(dict.fromkeys(scheme for cells in functions.values() for scheme in cells))
        lines = []
        for function, cells in functions.items():
            own = explored.get((function, derivative, dtype))
            lines.append(
                {
                    "function": function,
                    "figure": quote(own.about["figure"]) if own else "",
                    "tags": " ".join(tags[function, derivative, dtype]),
                    "cells": [_matrix_cell(cells.get(scheme), linked=own is not None) for scheme in schemes],
                }
            )
        title = f"{ordinal(derivative)} derivative, {dtype}"
        matrices.append({"title": title, "schemes": schemes, "rows": lines})
    return matrices


def _matrix_cell(row: Mapping[str, Any] | None, *, linked: bool) -> dict[str, Any]:
    """Return text, colours, link and name of a cell; without digits it says why in a sign."""
    if row is None:
        return {"text": "", "style": "", "href": "", "name": "not run"}
    about = (row["function"], row["derivative"], row["dtype"], row["scheme"])
    digits = row["optimal_digits"]
    reason = "" if digits is not None else _without_digits(row)
    cell = {"href": view(*about) if linked else "", "style": "", "text": SIGNS.get(reason, "")}
    if digits is not None:
        background, color = cell_colors(digits)
        cell |= {"text": f"{digits + 0.0:.1f}", "style": f"background:{background};color:{color}"}
        reason = f"{digits:.1f} digits" + (", some references uncertain" if row["uncertain"] else "")
        cell["text"] += "·" if row["uncertain"] else ""
    return cell | {"name": f"{row['scheme']}, {row['function']}: {reason}"}


def _leads(explored: Sequence[Explored]) -> str:
    """Return which names of the matrix are links to figures, in words."""
    drawn = sum(bool(each.about["figure"]) for each in explored)
    return "a function's name opens" if drawn == len(explored) else f"each of the first {drawn} names opens"


SIGNS = {"the derivative is 0": "0", "nondifferentiable": "∧", "uncertain": "?", "not measured": "×"}
"""What stands in a cell without digits."""


def _without_digits(row: Mapping[str, Any]) -> str:
    if row["ok"]:
        return "the derivative is 0"
    counts = {label: row[label] for label in (Status.NONDIFFERENTIABLE.label, Status.UNCERTAIN.label) if row[label]}
    return max(counts, key=lambda label: counts[label]) if counts else "not measured"


# figures and charts ---------------------------------------------------------------------------------------------------


def _explorer(explored: Sequence[Explored]) -> dict[str, Any] | None:
    if not explored:
        return None
    index, columns = embedded(explored)
    return {
        "index": index,
        "columns": columns,
        "libraries": libraries(),
        "version": chart_version(),
    }


def _inlined_figures(drawn: PageParts) -> dict[str, Any]:
    numbered = count()

    def inlined(figure: PageFigure) -> dict[str, Any]:
        picture = inline_svg(figure.svg, f"f{next(numbered)}-", f"{figure.title}. {figure.caption}")
        return {"name": figure.name, "title": figure.title, "caption": figure.caption, "picture": picture}

    return {
        "headlines": [
            {"title": pool, "figures": [inlined(figure) for figure in own]}
            for pool, own in groupby(drawn.headlines, key=lambda figure: figure.pool)
        ],
        "over_x": inlined(drawn.over_x) if drawn.over_x else None,
        "by_dtype": [inlined(figure) for figure in drawn.by_dtype],
        "contest": [inlined(figure) for figure in drawn.contest],
    }


_THEMED = {
    "#ffffff": "var(--ground)",
    "#000000": "var(--ink)",
    "#333333": "var(--ink)",
    "#444444": "var(--soft)",
    "#555555": "var(--soft)",
    "#e5e5e5": "var(--line)",
    INK.lower(): "var(--soft)",
}
"""Colours of figures that follow the page's light or dark theme."""


def inline_svg(svg: bytes, prefix: str, label: str) -> str:
    """Return a figure for a page that holds several: with its own ids, a name, and the page's colours.

    Parameters
    ----------
    svg : bytes
        As it is written to a file.
    prefix : str
        What its ids begin with.
    label : str
        What is read aloud in its place.
    """
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{prefix}", text)
    text = re.sub(r"#[0-9a-fA-F]{6}\b", lambda found: _THEMED.get(found[0].lower(), found[0]), text)
    # The size is that of the place it is shown in.
    text = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", text, count=1)
    return f'<svg role="img" aria-label="{escape(label)}"{text.removeprefix("<svg")}'
