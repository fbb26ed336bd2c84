"""Load and select suites of functions; a suite is a TOML file."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from diffbench.errors import InputError, nearest
from diffbench.functions.function import Function, Printed
from diffbench.functions.grammar import parse_formula
from diffbench.functions.models import Model
from diffbench.reading import read_regular
from diffbench.rounding import MAX_BITS

MAX_TOML_BYTES = 2**26

BUILT_IN = ("lab", "standard", "published", "ml", "noisy", "multivariate", "models")
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
    return parse_suite(read_text(path, "suite"), path.stem)


def read_text(path: Path, what: str) -> str:
    """Return the text of a file of moderate size.

    Raises
    ------
    InputError
        If it cannot be read, is too large, or is no text.
    """
    try:
        return read_regular(path, MAX_TOML_BYTES).decode()
    except (OSError, ValueError) as error:
        # The system's own text of an error names the file again.
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{what}: {str(path)!r} cannot be read: {reason}") from error


def parse_toml(text: str, what: str) -> dict[str, Any]:
    """Return what a text in TOML says, or refuse what is none."""
    try:
        table = tomllib.loads(text)
        _refuse_long(table)
    except (RecursionError, ValueError) as error:  # deep nesting, numbers that Python refuses
        raise InputError(f"{what}: no TOML: {' '.join(str(error).split())[:200]}") from error
    return table


def _refuse_long(value: object) -> None:
    """Refuse whole numbers that Python would not write: hexadecimal ones it reads at any length; raises ValueError."""
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ValueError(f"a whole number of over {MAX_BITS} bits")
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            _refuse_long(each)


def parse_suite(text: str, name: str) -> Suite:
    """Make a suite from the text of a TOML file."""
    data = parse_toml(text, f"suite {name}")
    check_keys(data, ("description", "schemes", "epsilons", "functions"), f"suite {name}")
    tables = _list_of(data, "functions", dict, f"suite {name}")
    functions = tuple(function for table in tables for function in functions_from_table(table))
    names = [function.name for function in functions]
    doubled = {each for each in names if names.count(each) > 1}
    if doubled or not functions:
        raise InputError(
            f"suite {name}: " + (f"two functions are called {min(doubled)!r}" if doubled else "no functions")
        )
    schemes, epsilons = (tuple(_list_of(data, key, str, f"suite {name}")) for key in ("schemes", "epsilons"))
    return Suite(name, _text(data, "description", f"suite {name}"), functions, schemes, epsilons)


_KEYS = ("name", "formula", "variable", "variables", "points", "domain", "tags", "source", "printed", "noise")


def functions_from_table(table: Mapping[str, Any]) -> tuple[Function, ...]:
    """Make the function of a table, or the components of a vector-valued one, called ``name[1]`` and so on."""
    if "formulas" not in table:
        return (function_from_table(table),)
    name = _text(table, "name", "function")
    where = f"function {name[:60]!r}"
    formulas = _list_of(table, "formulas", str, where)
    if not (name and formulas) or "formula" in table:
        raise InputError(f"{where}: formulas are those of the components, beside a name and no formula")
    common = {key: value for key, value in table.items() if key != "formulas"}
    components = ({**common, "name": f"{name}[{i}]", "formula": formula} for i, formula in enumerate(formulas, 1))
    return tuple(map(function_from_table, components))


def function_from_table(table: Mapping[str, Any]) -> Function:
    """Make a function from a TOML table or a JSON object."""
    if "model" in table:
        return _model_from_table(table)
    name = _text(table, "name", "function") or _text(table, "formula", "function")
    where = f"function {name[:60]!r}"
    check_keys(table, _KEYS, where)
    for key in ("formula", "points"):
        if key not in table:
            raise InputError(f"{where}: the key {key!r} is missing")
    variables = _list_of(table, "variables", str, where)
    return Function(
        name,
        parse_formula(_text(table, "formula", where), variables or _text(table, "variable", where) or None),
        _list_of(table, "points", (list, dict) if variables else (str, int, float), where),
        domain=_text(table, "domain", where) or None,
        tags=_list_of(table, "tags", str, where),
        source=_text(table, "source", where),
        printed=[_printed(entry, where) for entry in _list_of(table, "printed", dict, where)],
        noise=_text(table, "noise", where) or None,
        variables=variables or None,
    )


def _model_from_table(table: Mapping[str, Any]) -> Function:
    """Make the cost of a model from a table with its kind and sizes."""
    name = _text(table, "name", "function") or _text(table, "model", "function")
    where = f"function {name[:60]!r}"
    check_keys(table, ("name", "model", "sizes", "samples", "seed", "tags", "source"), where)
    model = Model(
        _text(table, "model", where),
        tuple(_list_of(table, "sizes", int, where)),
        **{key: table[key] for key in ("samples", "seed") if key in table},
    )
    return Function.of_model(
        name, model, tags=_list_of(table, "tags", str, where), source=_text(table, "source", where)
    )


def _printed(table: Mapping[str, Any], where: str) -> Printed:
    known = {field.name: field for field in fields(Printed)}
    check_keys(table, tuple(known), f"printed number of {where}")
    for name, field in known.items():
        if field.default is MISSING and name not in table:
            raise InputError(f"printed number of {where}: the key {name!r} is missing")
    return Printed(**table)


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise InputError(f"{where}: {key} = {value!r} is not a text")
    return value


_KINDS = {
    str: "texts",
    dict: "tables",
    int: "whole numbers",
    (str, int, float): "numbers",
    (list, dict): "lists of numbers",
}


def _list_of(table: Mapping[str, Any], key: str, kind: type | tuple[type, ...], where: str) -> list[Any]:
    value = table.get(key, ())
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, kind) for item in value):
        raise InputError(f"{where}: {key} = {str(value)[:60]!r} is not a list of {_KINDS[kind]}")
    return list(value)


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
    raise InputError(f"function: {name[:60]!r} is in no suite{nearest(name, [*BUILT_IN, *names])}")


def check_keys(table: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    """Refuse keys that are not known, naming the nearest that is."""
    for key in table:
        if key not in allowed:
            raise InputError(f"{where}: unknown key {key!r}{nearest(key, allowed)}")
