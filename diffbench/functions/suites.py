"""Load and select suites of functions; a suite is a TOML file."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from diffbench.errors import InputError
from diffbench.functions.function import Function, Printed

BUILT_IN = ("lab", "standard", "published", "ml")
"""Suites that come with the package, in the order in which names of functions are looked up."""


@dataclass(frozen=True)
class Suite:
    """A named list of functions, with the schemes and epsilons that belong to it, if any.

    Attributes
    ----------
    name, description : str
        What it is called and what for.
    functions : tuple of Function
        In the order of the file.
    schemes, epsilons : tuple of str
        What is swept where the user says nothing; empty means the program's defaults.
    """

    name: str
    description: str
    functions: tuple[Function, ...]
    schemes: tuple[str, ...] = ()
    epsilons: tuple[str, ...] = ()


@cache
def load_suite(name: str) -> Suite:
    """Return a built-in suite by name, or one from a TOML file by its path.

    Raises
    ------
    InputError
        If there is no such suite or the file says something that is no suite.
    """
    if name in BUILT_IN:
        text = (resources.files("diffbench.functions") / "suites" / f"{name}.toml").read_text("utf-8")
        return parse_suite(text, name)
    path = Path(name)
    if path.suffix != ".toml":
        raise InputError(
            f"suite: {name!r} is not one of {', '.join(BUILT_IN)}, nor a .toml file{nearest(name, BUILT_IN)}"
        )
    try:
        return parse_suite(path.read_text("utf-8"), path.stem)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"suite: {name!r} cannot be read: {error}") from error


def parse_suite(text: str, name: str) -> Suite:
    """Make a suite from the text of a TOML file."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"suite {name}: no TOML: {error}") from error
    check_keys(data, ("description", "schemes", "epsilons", "functions"), f"suite {name}")
    functions = tuple(function_from_table(table) for table in data.get("functions", ()))
    names = [function.name for function in functions]
    doubled = {each for each in names if names.count(each) > 1}
    if doubled or not functions:
        raise InputError(
            f"suite {name}: " + (f"two functions are called {min(doubled)!r}" if doubled else "no functions")
        )
    return Suite(
        name,
        data.get("description", ""),
        functions,
        tuple(data.get("schemes", ())),
        tuple(data.get("epsilons", ())),
    )


def function_from_table(table: Mapping[str, Any]) -> Function:
    """Make a function from a TOML table or a JSON object."""
    name = str(table.get("name", table.get("formula", "")))
    check_keys(table, ("name", "formula", "points", "domain", "tags", "source", "printed"), f"function {name!r}")
    for key in ("formula", "points"):
        if key not in table:
            raise InputError(f"function {name!r}: the key {key!r} is missing")
    rest = {key: table[key] for key in ("domain", "tags", "source") if key in table}
    printed = tuple(_printed(entry, name) for entry in table.get("printed", ()))
    return Function(name, table["formula"], table["points"], printed=printed, **rest)


def _printed(table: Mapping[str, Any], name: str) -> Printed:
    check_keys(table, tuple(field.name for field in fields(Printed)), f"printed number of {name!r}")
    return Printed(**table)


def find_function(name: str) -> Function:
    """Return a function of the built-in suites by name, or by ``suite/name``.

    Raises
    ------
    InputError
        If no suite has it.
    """
    names: list[str] = []
    for suite in BUILT_IN:
        for function in load_suite(suite).functions:
            if name in {function.name, f"{suite}/{function.name}"}:
                return function
            names.append(function.name)
    raise InputError(f"function: {name[:60]!r} is in no suite{nearest(name, names)}")


def check_keys(table: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    """Refuse keys that are not known, naming the nearest that is."""
    for key in table:
        if key not in allowed:
            raise InputError(f"{where}: unknown key {key!r}{nearest(key, allowed)}")


def nearest(name: str, known: Sequence[str]) -> str:
    """Return "; did you mean …?" or nothing."""
    matches = get_close_matches(name[:60], known, n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""
