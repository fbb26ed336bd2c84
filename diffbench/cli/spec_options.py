"""The options that say what to sweep, common to the verbs that do or plan it."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import click

from diffbench.cli.output import time_limit_option
from diffbench.errors import FormulaError, InputError
from diffbench.functions.function import Function
from diffbench.functions.grammar import parse_formula
from diffbench.functions.points import OWN
from diffbench.functions.suites import find_function, load_suite
from diffbench.sweep.spec import Spec, read_spec_table

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.argument("spec_file", metavar="[SPEC.toml]", required=False, type=click.Path(path_type=Path)),
    click.option("--suite", "suites", multiple=True, help="A suite by name, or a TOML file. Default: standard."),
    click.option("-f", "--function", "formulas", multiple=True, help="A formula with --at, or a function of a suite."),
    click.option(
        *("--at", "points"),
        multiple=True,
        help="A point, as exact decimal or rational, for every formula given; x=1,y=2 of several variables.",
    ),
    click.option(
        "--points",
        "sources",
        multiple=True,
        help="In place of the functions' own points: own, ordinals:N, powers-of-two:N or ends:N; ' in [-10, 10]' may "
        "follow.",
    ),
    click.option("--seed", type=int, help="Another seed is other points of --points. Default: 0."),
    click.option("--noise", help="Noise of every function given by -f, such as 'relative 1e-6 seed 7'."),
    click.option(
        "-s",
        "--scheme",
        "schemes",
        multiple=True,
        help="A scheme by name, such as central-4. Default: the catalogue.",
    ),
    click.option("--epsilon", "epsilons", multiple=True, help="A number or range, such as 1e-1:1e-12:4/decade."),
    click.option("--derivative", "derivatives", multiple=True, type=int, help="Which derivative. Default: 1."),
    click.option(
        "--dtype",
        "dtypes",
        multiple=True,
        help="float16, bfloat16, float32, float64, longdouble or mp:D (D decimal digits). Default: float64.",
    ),
    click.option("--evaluator", help="What computes the functions: numpy, jax or torch. Default: numpy."),
    click.option("--rule", "rules", multiple=True, help="A step rule by name, all, or published. Default: usual."),
    click.option(
        "--anatomy/--no-anatomy",
        default=None,
        help="Whether errors are taken apart. Default: as the spec says, else up to a million cells that are kept.",
    ),
    time_limit_option,
)

FEW_CELLS = 1_000_000
"""So many take some 20 seconds to take apart."""


def spec_options(command: F) -> F:
    """Give a command the options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_SEVERAL = ("suites", "formulas", "points", "sources", "schemes", "epsilons", "derivatives", "dtypes", "rules")
_ONCE = ("spec_file", "seed", "noise", "evaluator", "time_limit", "anatomy")
_NOTHING: dict[str, Any] = dict.fromkeys(_SEVERAL, ()) | dict.fromkeys(_ONCE)
"""What is chosen by a verb that does not offer an option."""


def chosen_spec(options: dict[str, Any]) -> Spec:
    """Return the spec of the file, with what the options say in its place."""
    chosen = _NOTHING | options
    table = read_spec_table(chosen["spec_file"]) if chosen["spec_file"] is not None else {}
    formulas, points = chosen["formulas"], chosen["points"]
    if points and not formulas:
        raise InputError("at: a point needs a formula, -f FORMULA")
    if chosen["noise"] is not None and not formulas:
        raise InputError("noise: it needs a function, -f FORMULA")
    if len(formulas) > 1 and len({"=" in point for point in points}) > 1:
        raise InputError(
            "at: it is for every formula given; functions of one and of several variables need runs, or a "
            "spec, of their own"
        )
    unchosen = ("0",) if chosen["sources"] and OWN not in chosen["sources"] else ()
    lists = {
        "functions": [
            *(_suite(name) for name in chosen["suites"]),
            *(_function(formula, points or unchosen, chosen["noise"]) for formula in formulas),
        ],
        "schemes": chosen["schemes"],
        "epsilons": [item for text in chosen["epsilons"] for item in text.split(",")],
        "derivatives": chosen["derivatives"],
        "dtypes": chosen["dtypes"],
        "rules": chosen["rules"],
        "points": chosen["sources"],
    }
    once = ("evaluator", "time_limit", "anatomy", "seed")
    given_once = {key: chosen[key] for key in once if chosen[key] is not None}
    wanted = table | {key: list(value) for key, value in lists.items() if value} | given_once
    if "anatomy" in wanted or chosen["spec_file"] is not None or chosen.get("keep") == "summary":
        return Spec(**wanted)
    spec = Spec(**(wanted | {"anatomy": True}))
    return spec if spec.planned <= FEW_CELLS else Spec(**wanted)


def run_name(chosen: dict[str, Any]) -> str:
    """Return what a run is called after."""
    if chosen["spec_file"] is not None:
        return str(chosen["spec_file"].stem)
    suites = "-".join(Path(suite).stem for suite in chosen["suites"])
    return suites or ("formula" if chosen["formulas"] else "standard")


def given(chosen: dict[str, Any]) -> list[str]:
    """Return the names of the options that were given."""
    return [name for name in _NOTHING if chosen[name] not in (None, ())]


def _suite(name: str) -> str:
    load_suite(name)
    return name


def _function(formula: str, points: tuple[str, ...], noise: str | None) -> Function | str:
    known = None
    try:
        known = find_function(formula)
    except InputError:
        _check_variables(formula, _points(points))
        if not points:
            raise InputError(f"function: the formula {formula[:60]!r} needs a point, --at X") from None
    if known is None:
        return Function(_formula_name(formula), formula, _points(points), noise=noise)
    if not points and noise is None:
        return known
    stated = known.noise if noise is None else noise
    places = _points(points) or known.vectors or known.points
    return Function(known.name, known.formula, places, domain=known.domain, tags=known.tags, noise=stated)


def _check_variables(formula: str, points: list[str | dict[str, str]]) -> None:
    """Refuse points that have not a number for each variable of a formula of several."""
    try:
        parse_formula(formula)
    except FormulaError as error:
        names = set(error.variables)
        if not names and points:
            return
        if not names:
            raise
        if points and all(isinstance(point, dict) and not set(point) < names for point in points):
            return
        example = ",".join(f"{name}={number}" for number, name in enumerate(error.variables, 1))
        listed = ", ".join(error.variables)
        message = f"at: {formula[:60]!r} has the variables {listed}: give a number for each, such as --at {example}"
        raise InputError(message) from error


def _points(texts: tuple[str, ...]) -> list[str | dict[str, str]]:
    """Return points as they are given to a function: numbers, or numbers by variable."""
    return [_by_variable(text) if "=" in text else text for text in texts]


def _by_variable(text: str) -> dict[str, str]:
    """Return the numbers of a point such as ``x=1,y=2`` by variable."""
    pairs = [part.partition("=") for part in text.split(",")]
    point = {name.strip(): number.strip() for name, _, number in pairs}
    if len(point) < len(pairs) or not all(sign for _, sign, _ in pairs):
        raise InputError(f"at: {text[:60]!r} is not a number for each variable, such as x=1,y=2")
    return point


def _formula_name(formula: str) -> str:
    """Return the formula, or its beginning with a mark that tells long ones apart."""
    mark = sha256(formula.encode()).hexdigest()[:6]
    return formula if len(formula) <= 60 else f"{formula[:50]}… {mark}"
