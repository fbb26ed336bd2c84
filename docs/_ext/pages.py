"""Parts of pages, as Markdown, from what the program itself says: no fact of it is written down twice."""

import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

import diffbench
from diffbench.cli import VERBS, cli
from diffbench.functions import grammar
from diffbench.functions.function import Function, Printed
from diffbench.functions.suites import BUILT_IN, load_suite
from diffbench.reference.metrics import METRICS
from diffbench.reference.parts import PARTS as PARTS_OF_ERRORS
from diffbench.report.captions import glossary as terms
from diffbench.schemes.libraries import LIBRARIES
from diffbench.schemes.scheme import DifferenceScheme, StencilScheme, catalogue
from diffbench.schemes.step_rules import RULES
from diffbench.sweep import export
from diffbench.sweep.bounds import Bounds
from diffbench.sweep.results import RECORDED, STATUSES, Direction, Record
from diffbench.sweep.spec import Spec
from diffbench.sweep.wide import TEXTS, WORDS

DERIVATIVES = (1, 2, 3, 4)
COLUMNS = tomllib.loads((Path(__file__).parent / "columns.toml").read_text("utf-8"))
"""What the columns of the store mean, by table."""


# Markdown -------------------------------------------------------------------------------------------------------------


def code(text: str) -> str:
    """Return a text as code."""
    return f"`{text}`" if text else ""


def prose(text: str) -> str:
    """Return a text in which backquotes mark code, as Markdown in one line that shows the rest as it is."""
    line = " ".join(text.split()).replace("``", "`")
    line = re.sub(r":\w+:`(?:[\w.]*\.)?(\w+)`", r"`\1`", line)
    parts = re.split(r"`([^`]*)`", line)
    return "".join(
        code(part) if i % 2 else re.sub(r"([\\*_<>\[\]&~$#])", r"\\\1", part) for i, part in enumerate(parts)
    )


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [headers, ["---"] * len(headers), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def fields(thing: type, section: str = "Attributes") -> dict[str, tuple[str, str]]:
    """Return what a docstring says of each parameter or attribute: its type, and what it is."""
    doc = inspect.getdoc(thing) or ""
    (body,) = re.findall(rf"^{section}\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", doc, re.M | re.S)
    found = re.findall(r"^(\S[^:\n]*) : ([^\n]*)\n((?:    [^\n]*\n?)+)", body, re.M)
    return {name: (kind, " ".join(text.split())) for names, kind, text in found for name in names.split(", ")}


# the command line -----------------------------------------------------------------------------------------------------


def command_line() -> str:
    """Return all verbs with their options."""
    context = click.Context(cli, info_name="diffbench", **cli.context_settings)
    index = table(
        ("verb", "what it does"), ((f"[{verb}](#cli-{verb})", prose(text)) for verb, (_, text) in VERBS.items())
    )
    return "\n\n".join([index, *(part for verb in VERBS for part in _verb(verb, cli, context, 2))])


def _verb(name: str, group: click.Group, parent: click.Context, level: int) -> Iterator[str]:
    command = group.get_command(parent, name)
    if command is None:
        raise LookupError(name)
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    words = context.command_path.split()[1:]
    yield f"(cli-{'-'.join(words)})=\n{'#' * level} {' '.join(words)}"
    yield from (prose(part) for part in inspect.cleandoc(command.help or "").split("\n\n"))
    if not isinstance(command, click.Group):
        yield f"```text\n{context.get_usage().removeprefix('Usage: ')}\n```"
    records = [param.get_help_record(context) for param in command.params]
    yield "\n\n".join(f"{code(names)}\n: {prose(text)}" for names, text in filter(None, records) if text)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            yield from _verb(each, command, context, level + 1)


def exit_codes() -> str:
    """Return what every exit code says, as the help of the command line tells it."""
    (told,) = re.findall(r"^Exit codes: (.*?)\.$", inspect.cleandoc(cli.help or ""), re.M | re.S)
    rows = (each.split(maxsplit=1) for each in re.split(r",\s+(?=\d)", told))
    return table(("code", "what it says"), ((number, prose(said)) for number, said in rows))


# files ----------------------------------------------------------------------------------------------------------------


def spec_keys() -> str:
    """Return the keys of a spec, with their defaults."""
    said = fields(Spec, "Parameters")
    rows = ((code(key), prose(said[key][0]), _default(key), prose(said[key][1])) for key in said)
    return table(("key", "type", "default", "what it is"), rows)


def _default(key: str) -> str:
    given = {"functions": "standard", "schemes": "the catalogue"}
    value = Spec.model_fields[key].get_default()
    text = given.get(key) or ", ".join(str(getattr(each, "name", each)) for each in _listed(value))
    return text if key == "schemes" else code(text)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, tuple) else (str(value).lower(),)


def function_keys() -> str:
    """Return the keys of a function in a spec or suite file."""
    return _keys(fields(Function, "Parameters"), leave_out=("evaluate",))


def printed_keys() -> str:
    """Return the keys of a printed number."""
    return _keys(fields(Printed))


def gate_keys() -> str:
    """Return the bounds of a gate, with their defaults."""
    default = Bounds()
    said = fields(Bounds)
    rows = ((code(key), code(str(getattr(default, key)).lower()), prose(text)) for key, (_, text) in said.items())
    return table(("key", "default", "what it is"), rows)


def _keys(said: dict[str, tuple[str, str]], leave_out: Sequence[str] = ()) -> str:
    rows = ((code(key), prose(kind), prose(text)) for key, (kind, text) in said.items() if key not in leave_out)
    return table(("key", "type", "what it is"), rows)


def columns_of(name: str) -> str:
    """Return the columns of a table of the store: cells, curves or references."""
    schema = {"cells": export.CELL_SCHEMA, "curves": export.CURVE_SCHEMA, "references": export.REFERENCE_SCHEMA}[name]
    rows = [
        (code(each.name), str(each.type), "" if not each.nullable else "yes", meaning(name, each.name))
        for each in schema
    ]
    if name == "cells":
        rows += [(code(each), "double", "yes", meaning(name, each)) for each in (*PARTS_OF_ERRORS, *RECORDED)]
        rows += [(code(each), "string", "", meaning(name, each)) for each in Direction._fields]
    texts = {"cells": TEXTS, "references": WORDS}.get(name, ())
    rows += [(code(each), "string", "yes", meaning(name, each)) for each in texts]
    return table(("column", "type", "may be null", "what it is"), rows)


def meaning(name: str, column: str) -> str:
    """Return what a column is: in its table, in all of them, or by what the program or the glossary says."""
    said = COLUMNS[name] | {label: _definition(label) for label in (each.label for each in STATUSES)}
    common = COLUMNS["all"] | {key: text[0].lower() + text[1:-1] for key, (_, text) in fields(Record).items()}
    if name == "curves" and column in {each.label for each in STATUSES}:
        return f"how many of its cells are {{term}}`{column}`"
    return prose(said.get(column) or common[column])


def schema_version() -> str:
    """Return which version of the store is described."""
    return f"This is version {export.SCHEMA_VERSION} of the schema. Files of another version are refused, by name."


# the catalogue --------------------------------------------------------------------------------------------------------


def suites() -> str:
    """Return the suites, and the functions of each."""
    found = [load_suite(name) for name in BUILT_IN]
    rows = [
        (f"[{suite.name}](#suite-{suite.name})", str(len(suite.functions)), prose(suite.description)) for suite in found
    ]
    parts = [table(("suite", "functions", "what it is for"), rows)]
    for suite in found:
        parts += [f"(suite-{suite.name})=\n### {suite.name}", f"{prose(suite.description)}."]
        parts += [_functions(suite.functions), *_sources(suite.functions)]
    return "\n\n".join(parts)


def _functions(functions: Iterable[Function]) -> str:
    rows = (
        (
            code(each.name),
            code(each.formula.text),
            ("; " if each.lines else ", ").join(each.places).replace("-", "−"),
            code(each.domain.text) if each.domain.has_ends else "",
            ", ".join([*map(prose, each.tags), *([code(str(each.noise))] if each.noise else [])]),
        )
        for each in functions
    )
    return table(("function", "formula", "points", "domain", "tags, noise"), rows)


def _sources(functions: Iterable[Function]) -> list[str]:
    """Return where functions come from, each source once."""
    by_source: dict[str, list[str]] = {}
    for each in functions:
        by_source.setdefault(each.source, []).append(code(each.name))
    return ["\n".join(f"- {prose(source)}: {', '.join(names)}" for source, names in by_source.items() if source)]


def schemes() -> str:
    """Return the schemes of the catalogue, by derivative."""
    headers = ("scheme", "order", "evaluations", "error constant", "offsets", "weights")
    parts = []
    for derivative in DERIVATIVES:
        rows = (_scheme(each) for each in catalogue(derivative))
        parts += [f"### Derivative {derivative}", table(headers, rows)]
    return "\n\n".join(parts)


def _scheme(scheme: DifferenceScheme) -> tuple[str, ...]:
    known = (code(scheme.name), str(scheme.order), str(scheme.evaluations))
    if not isinstance(scheme, StencilScheme):
        return (*known, "", "", "")
    stencil = scheme.stencil
    lists = (", ".join(map(str, each)).replace("-", "−") for each in (stencil.offsets, stencil.weights))
    return (*known, str(stencil.error_constant).replace("-", "−"), *lists)


def metrics() -> str:
    """Return the measures of an error."""
    rows = ((code(each.name), each.unit, each.better, prose(each.description)) for each in METRICS)
    return table(("metric", "unit", "better", "what it is"), rows)


def step_rules() -> str:
    """Return the step rules."""
    return table(("rule", "how it chooses epsilon"), ((code(rule.name), prose(rule.description)) for rule in RULES))


def packages() -> str:
    """Return the differentiators of other packages."""
    headers = ("name", "package", "peer", "derivatives", "told ε", "what it is")
    rows = (
        (
            *(code(each.name), each.package, code(each.peer)),
            *(", ".join(map(str, each.derivatives)), "yes" if each.takes_epsilon else "", prose(each.description)),
        )
        for each in LIBRARIES
    )
    return table(headers, rows)


# words ----------------------------------------------------------------------------------------------------------------


def glossary() -> str:
    """Return the words and what they mean."""
    entries = (
        f"{each.term}\n  {f'({prose(each.symbol)}) ' if each.symbol else ''}{prose(each.definition)}"
        for each in terms()
    )
    return "\n".join(["```{glossary}", "\n\n".join(entries), "```"])


def _definition(term: str) -> str:
    return next(each.definition for each in terms() if each.term == term)


def statuses() -> str:
    """Return the statuses in the order in which the first that applies is taken."""
    said = ((each.label, _definition(each.label).partition(": ")[2]) for each in STATUSES)
    rows = ((f"{{term}}`{label}`", prose(text)) for label, text in said)
    return table(("status", "what it says"), rows)


def formulas() -> str:
    """Return constants, functions of one argument, and the others with what they take."""
    aliases: dict[str, list[str]] = {}
    for alias, name in grammar.ALIASES.items():
        aliases.setdefault(name, []).append(code(alias))
    called = {
        name: code(name) + (f" ({', '.join(aliases[name])})" if name in aliases else "")
        for name in sorted(grammar.ARITIES, key=str.lower)
    }
    single = ", ".join(called[name] for name in called if grammar.ARITIES[name] == (1, 1))
    rows = ((called[name], _arity(name), _note(name)) for name in called if grammar.ARITIES[name] != (1, 1))
    return "\n\n".join(
        [
            f"Constants: {', '.join(map(code, grammar.CONSTANTS))}.",
            f"Functions of one argument, other names in brackets: {single}.",
            table(("function", "arguments", "first argument"), rows),
        ]
    )


def _arity(name: str) -> str:
    least, most = grammar.ARITIES[name]
    return str(least) if least == most else f"{least} to {most}"


def _note(name: str) -> str:
    if name in grammar.INTEGER_FIRST:
        return "a whole number, not negative"
    return "a rational number" if name in grammar.RATIONAL_FIRST else ""


def grammar_rules() -> str:
    """Return the grammar of formulas."""
    (rules,) = re.findall(r"::\n\n(.*?)\n\n\S", grammar.__doc__ or "", re.S)
    return f"```text\n{inspect.cleandoc(rules)}\n```"


# Python ---------------------------------------------------------------------------------------------------------------


def api(*names: str) -> str:
    """Return what public names are, first in a list, then each with all that it says of itself."""
    things = {name: getattr(diffbench, name) for name in names}
    listed = "\n".join(f"   ~diffbench.{name}" for name in names)
    blocks = [f".. autosummary::\n   :nosignatures:\n\n{listed}"]
    for name, thing in things.items():
        kind = (
            "autofunction"
            if inspect.isfunction(thing)
            else "autoexception"
            if issubclass(thing, Exception)
            else "autoclass"
        )
        members = "\n   :members:\n   :exclude-members: model_config" if kind == "autoclass" else ""
        blocks.append(f".. {kind}:: diffbench.{name}{_signature(thing)}{members}")
    return "```{eval-rst}\n" + "\n\n".join(blocks) + "\n```"


def _signature(thing: Any) -> str:
    """Return the signature of a spec, whose step rules are named and not printed; of other things nothing."""
    if thing is not Spec:
        return ""
    parameters = list(inspect.signature(Spec).parameters.values())
    named = [f"{each.name}={_plain(each.default)!r}" for each in parameters]
    first = next(i for i, each in enumerate(parameters) if each.kind is each.KEYWORD_ONLY)
    return f"({', '.join([*named[:first], '*', *named[first:]])})"


def _plain(value: Any) -> Any:
    return [getattr(each, "name", str(each)) for each in value] if isinstance(value, tuple) and value else value


PARTS: dict[str, Callable[..., str]] = {
    "api": api,
    "columns": columns_of,
    "command-line": command_line,
    "exit-codes": exit_codes,
    "formulas": formulas,
    "function-keys": function_keys,
    "gate-keys": gate_keys,
    "glossary": glossary,
    "grammar": grammar_rules,
    "metrics": metrics,
    "packages": packages,
    "printed-keys": printed_keys,
    "schema-version": schema_version,
    "schemes": schemes,
    "spec-keys": spec_keys,
    "statuses": statuses,
    "step-rules": step_rules,
    "suites": suites,
}
"""What a page can ask for by name."""


def part(words: str) -> str:
    """Return a part by its name and arguments."""
    name, *arguments = words.split()
    return PARTS[name](*arguments)
