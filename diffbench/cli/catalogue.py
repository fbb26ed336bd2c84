"""``diffbench list``."""

from collections.abc import Sequence
from dataclasses import replace

import click

from diffbench.cli.output import format_option, print_table, say
from diffbench.errors import InputError
from diffbench.functions.suites import BUILT_IN, load_suite
from diffbench.reference.metrics import METRICS
from diffbench.report.table import Column, Table
from diffbench.schemes import plugins
from diffbench.schemes.libraries import installed_version, libraries
from diffbench.schemes.library import Library
from diffbench.schemes.scheme import DifferenceScheme, catalogue
from diffbench.schemes.step_rules import RULES

LONGEST = 60
"""Letters of a formula in a list for people; JSON has it whole."""


def _functions(suites: Sequence[str] = BUILT_IN) -> Table:
    columns = (Column("suite", "suite"), Column("function", "function"), Column("formula", "formula"))
    rest = (
        Column("points", "points"),
        Column("domain", "domain"),
        Column("noise", "noise"),
        Column("tags", "tags"),
        Column("source", "source"),
    )
    rows = [
        {
            "suite": suite,
            "function": function.name,
            "formula": function.formula.text,
            "points": ("; " if function.lines else ", ").join(function.places),
            "domain": function.domain.text,
            "noise": str(function.noise or ""),
            "tags": ", ".join(function.tags),
            "source": function.source,
        }
        for suite in suites
        for function in load_suite(suite).functions
    ]
    return Table("Functions", "of the built-in suites", (*columns, *rest), rows)


def _shortened(table: Table) -> Table:
    """Return a table whose long formulas are cut, so that the columns beside them can be seen."""
    return replace(table, rows=[{**row, "formula": _cut(row["formula"])} for row in table.rows])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _schemes() -> Table:
    columns = (
        Column("scheme", "scheme"),
        Column("derivative", "derivative", "count"),
        Column("order", "order", "count"),
        Column("evaluations", "evaluations", "count"),
        Column("package", "package"),
    )
    own = [scheme for derivative in (1, 2, 3, 4) for scheme in catalogue(derivative)]
    offered = [each for each in plugins.everything(plugins.SCHEMES) if not isinstance(each, Library)]
    _say_broken(plugins.SCHEMES)
    rows = [
        {
            "scheme": each.name,
            "derivative": each.derivative,
            "order": each.order if isinstance(each, DifferenceScheme) else None,
            "evaluations": each.evaluations if isinstance(each, DifferenceScheme) else None,
            "package": each.plugin.package if each.plugin else "",
        }
        for each in (*own, *offered)
    ]
    return Table("Schemes", "the catalogue; any other order or stencil can be named the same way", columns, rows)


def _say_broken(group: str) -> None:
    for sentence in plugins.broken(group):
        say(f"diffbench: {sentence}", err=True)


def _suites() -> Table:
    columns = (
        Column("suite", "suite"),
        Column("functions", "functions", "count"),
        Column("description", "description"),
    )
    suites = [load_suite(name) for name in BUILT_IN]
    rows = [{"suite": s.name, "functions": len(s.functions), "description": s.description} for s in suites]
    return Table("Suites", "that come with the program; a TOML file of your own serves as well", columns, rows)


def _metrics() -> Table:
    columns = (
        Column("metric", "metric"),
        Column("unit", "unit"),
        Column("better", "better"),
        Column("description", "description"),
    )
    rows = [{"metric": m.name, "unit": m.unit, "better": m.better, "description": m.description} for m in METRICS]
    return Table("Metrics", "columns of every cell; schemes are ranked by digits", columns, rows)


def _rules() -> Table:
    columns = (Column("rule", "rule"), Column("description", "description"))
    return Table(
        "Step rules",
        "choose epsilon",
        columns,
        [{"rule": r.name, "description": r.description} for r in RULES],
    )


def _libraries() -> Table:
    columns = (
        Column("library", "library"),
        Column("package", "package"),
        Column("installed", "installed"),
        Column("peer", "peer"),
        Column("derivatives", "derivatives"),
        Column("swept", "takes ε"),
        Column("description", "description"),
    )
    known = libraries()
    _say_broken(plugins.LIBRARIES)
    versions = {package: installed_version(package) or "no" for package in {each.package for each in known}}
    rows = [
        {
            "library": each.name,
            "package": each.package,
            "installed": versions[each.package],
            "peer": each.peer,
            "derivatives": ", ".join(map(str, each.derivatives)),
            "swept": "yes" if each.takes_epsilon else "no",
            "description": each.description,
        }
        for each in known
    ]
    caption = "differentiators of other packages, by name as schemes; peer: the scheme of the same class"
    return Table("Libraries", caption, columns, rows)


_LISTS = {
    "functions": _functions,
    "schemes": _schemes,
    "suites": _suites,
    "metrics": _metrics,
    "rules": _rules,
    "libraries": _libraries,
}


@click.command(short_help="List functions, schemes, suites, metrics, step rules or libraries.")
@click.argument("what", type=click.Choice(list(_LISTS)))
@click.option("--suite", "suites", multiple=True, help="Only functions of this suite.")
@format_option
def command(what: str, suites: tuple[str, ...], style: str) -> None:
    """List functions, schemes, suites, metrics, step rules or libraries."""
    if suites and what != "functions":
        raise InputError(f"suite: only functions have one, not {what}")
    table = _functions(suites) if suites else _LISTS[what]()
    print_table(_shortened(table) if what == "functions" and style == "text" else table, style)
