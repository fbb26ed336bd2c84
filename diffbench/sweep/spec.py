"""What to run: one validated model for Python, TOML and the command line."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from diffbench.dtypes import DEFAULT_EPSILONS, find_dtype
from diffbench.errors import DiffbenchError, EmptySelectionError, InputError
from diffbench.functions.frameworks import NUMPY, check_evaluator, why_not
from diffbench.functions.function import Function
from diffbench.functions.points import MAX_SEED, OWN, PointSource, parse_points, with_points
from diffbench.functions.suites import (
    BUILT_IN,
    Suite,
    check_keys,
    find_function,
    functions_from_table,
    load_suite,
    parse_toml,
    read_text,
)
from diffbench.reference.exact import check_time_limit
from diffbench.reference.hard import TIME_LIMIT
from diffbench.rounding import check_dtype, exact_text, round_to, unit_roundoff
from diffbench.schemes.published_steps import PUBLISHED_RULES
from diffbench.schemes.scheme import (
    DifferenceScheme,
    OpaqueScheme,
    Scheme,
    StencilScheme,
    as_scheme,
    catalogue,
    parse_scheme,
    states_derivative,
)
from diffbench.schemes.stencil import Stencil
from diffbench.schemes.step_rules import RULES, AdaptiveRule, Rule, StepRule, find_rule
from diffbench.sweep.bounds import Override
from diffbench.sweep.epsilons import epsilon_texts, grid_of

MAX_SWEPT_DERIVATIVE = 8
MAX_CELLS = 10**10
BLOCK_SIZE = 40_000
"""Arrays of this many numbers amortise a call and still fit the cache."""

PYTHON_OBJECTS = "python_objects"
"""Key of a canonical form that says what it cannot hold; a file with it cannot be run."""


@dataclass(frozen=True)
class Unit:
    """One function in one dtype with all its derivatives: f is called once for all of them.

    Attributes
    ----------
    function, dtype : Function, str
        What is evaluated, at some of its points.
    first, total : int
        Index of the first of these among all points of the function, and how many these are.
    schemes : tuple of (int, tuple of Scheme)
        The schemes by derivative.
    epsilons, rules : tuple
        The columns of every block; the epsilons as they are in the dtype.
    time_limit : float
        Seconds for the hard references of each derivative.
    anatomy : bool
        Whether errors are taken apart.
    has_wide : bool
        Whether the run has a dtype of more than 64 bits.
    """

    function: Function
    dtype: str
    first: int
    total: int
    schemes: tuple[tuple[int, tuple[Scheme, ...]], ...]
    epsilons: tuple[Any, ...]
    rules: tuple[Rule, ...]
    time_limit: float
    anatomy: bool = False
    has_directions: bool = False
    """Whether some function of the run has several variables, so that all cells say along which one they are."""
    has_wide: bool = False

    @property
    def has_opaque(self) -> bool:
        """Whether some scheme is called for every cell."""
        return any(isinstance(scheme, OpaqueScheme) for _, schemes in self.schemes for scheme in schemes)

    @property
    def unavailable(self) -> str:
        """Why nothing of it can be computed in here, or nothing."""
        known, evaluator = find_dtype(self.dtype), self.function.evaluator
        if evaluator != NUMPY and not known.is_narrow:
            return f"{evaluator} has no {self.dtype}"
        return known.unavailable or why_not(evaluator)

    @property
    def is_alone(self) -> bool:
        """Whether all points of the function are in it."""
        return len(self.function.points) == self.total

    @property
    def cells(self) -> int:
        """The number of cells of all its blocks."""
        return sum(self.planned(derivative) for derivative, _ in self.schemes)

    def along_lines(self) -> tuple["Unit", ...]:
        """Return units of one variable: one for each line of a function of several, or the unit itself."""
        lines = self.function.along_lines(self.dtype)
        return tuple(replace(self, function=line, first=self.first + row) for row, line in enumerate(lines))

    def facts(self, derivative: int, schemes: tuple[Scheme, ...]) -> dict[str, Any]:
        """Return what a block of it says of itself, whatever is measured."""
        return {
            "function": self.function.name,
            "formula": self.function.formula.text,
            "tags": self.function.tags,
            "derivative": derivative,
            "dtype": self.dtype,
            "schemes": tuple(scheme.name for scheme in schemes),
            "rules": tuple(rule.name for rule in self.rules),
            "first": self.first,
            "noise": str(self.function.noise or ""),
        }

    def planned(self, derivative: int) -> int:
        """Return the number of cells of the block of a derivative."""
        schemes = dict(self.schemes)[derivative]
        return len(self.function.points) * sum(self.cells_per_point(scheme) for scheme in schemes)

    def cells_per_point(self, scheme: Scheme) -> int:
        """Return how many cells a scheme has at each point."""
        return _columns(scheme, len(self.epsilons), len(self.rules))


class Spec(BaseModel):
    """What to run.

    Parameters
    ----------
    functions : str, Function or sequence of them
        Suites by name, functions by name or as objects, or tables as in a suite file.
    schemes : str, Stencil, scheme or sequence of them, optional
        Names without ``-dM`` stand for every derivative asked for. By default the catalogue.
    epsilons : str, number or sequence of them, optional
        Numbers and ranges such as ``1e-1:1e-12:4/decade``; by default 10^(−k/4), k = 0 … 64 in float64.
    derivatives : sequence of int
        By default those that the schemes' names state, else the first.
    dtypes : sequence of str
        float16, bfloat16, float32, float64, longdouble, or mp:D with D decimal digits. Where the default epsilons are
        asked for, each has its own.
    rules : sequence of str
        Step rules that are measured beside the grid; ``all`` is the whole catalogue, ``published`` what packages take
        where nobody says otherwise.
    allow_failed : int
        How many cells may fail before a run counts as failed.
    time_limit : float
        Seconds for those references of one formula and derivative that might take without end; what is not settled
        then is uncertain.
    anatomy : bool
        Whether every error is taken apart into truncation, node, evaluation and arithmetic.
    points : sequence of str
        Where the functions are differentiated: ``own``, at the points that they have; ``ordinals:N``, at N numbers of a
        dtype, each as likely as any other; ``powers-of-two:N``, beside these; ``ends:N``, at the ends of the domain.
        The numbers are those of the dtype of the run with the fewest bits; ``" in [-10, 10]"`` may follow.
    seed : int
        Another seed is other points.
    evaluator : str
        What computes the functions: ``numpy``, or ``jax`` or ``torch`` on the CPU, whose package must be installed.
    gate : sequence of mappings
        Other bounds than the default ones for some curves, when the run is checked against a baseline: the keys of
        `Bounds`, globs ``function, derivative, dtype, scheme``, and a ``reason``.

    Raises
    ------
    InputError
        If anything in it cannot be done; the message names the key, the value and the rule.

    Examples
    --------
    >>> Spec(functions="lab").planned
    21
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    functions: tuple[Function, ...]
    epsilons: tuple[str, ...] = DEFAULT_EPSILONS
    derivatives: tuple[int, ...] = (1,)
    schemes: tuple[Any, ...] = ()
    dtypes: tuple[str, ...] = ("float64",)
    rules: tuple[Rule, ...] = Field(default=(find_rule("usual"),))
    allow_failed: int = Field(default=0, ge=0)
    time_limit: float = TIME_LIMIT
    anatomy: bool = Field(default=False, strict=True)
    points: tuple[PointSource, ...] = (PointSource(OWN),)
    seed: int = Field(default=0, ge=0, le=MAX_SEED, strict=True)
    evaluator: str = NUMPY
    gate: tuple[Override, ...] = ()

    def __init__(
        self,
        functions: object = "standard",
        schemes: object = None,
        epsilons: object = None,
        derivatives: object = None,
        dtypes: object = None,
        **options: Any,
    ) -> None:
        given = {"schemes": schemes, "epsilons": epsilons, "derivatives": derivatives, "dtypes": dtypes, **options}
        if PYTHON_OBJECTS in given:
            listed = ", ".join(map(str, _as_list(given[PYTHON_OBJECTS])))
            raise InputError(f"spec: {listed} exist as Python objects only; run it from Python")
        check_keys(given, tuple(Spec.model_fields), "spec")
        own, selected = _select(functions)
        given = _with_defaults({key: value for key, value in given.items() if value is not None}, own)
        try:
            super().__init__(functions=selected, **given)
        except ValidationError as error:
            raise _first_error(error) from None

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read a spec from a TOML file."""
        return cls(**read_spec_table(path))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a spec from its canonical form, which a run keeps.

        Raises
        ------
        InputError
            If it cannot be run again, as it has objects that exist only in Python, or names other files.
        """
        table = parse_toml(text, "spec of the run")
        _refuse_paths(table)
        return cls(**table)

    @field_validator("epsilons", mode="before")
    @classmethod
    def _read_epsilons(cls, value: object) -> tuple[str, ...]:
        return epsilon_texts(value)

    @field_validator("derivatives", mode="before")
    @classmethod
    def _read_derivatives(cls, value: object) -> tuple[int, ...]:
        items = [value] if isinstance(value, int) else list(value) if isinstance(value, Sequence) else [value]
        for item in items:
            if not isinstance(item, int) or isinstance(item, bool) or not 1 <= item <= MAX_SWEPT_DERIVATIVE:
                raise InputError(f"derivative: {item!r} is not a whole number from 1 to {MAX_SWEPT_DERIVATIVE}")
        return tuple(dict.fromkeys(items))

    @field_validator("schemes", mode="before")
    @classmethod
    def _read_schemes(cls, value: object, info: ValidationInfo) -> tuple[Scheme, ...]:
        derivatives: tuple[int, ...] = info.data.get("derivatives", (1,))
        items = _as_list(value)
        schemes = [each for item in items for each in _schemes_of(item, derivatives)]
        return tuple(dict.fromkeys(schemes))

    @field_validator("dtypes", mode="before")
    @classmethod
    def _read_dtypes(cls, value: object) -> tuple[str, ...]:
        return tuple(dict.fromkeys(check_dtype(str(item)) for item in _as_list(value)))

    @field_validator("rules", mode="before")
    @classmethod
    def _read_rules(cls, value: object) -> tuple[Rule, ...]:
        return tuple(dict.fromkeys(rule for item in _as_list(value) for rule in _rules_of(item)))

    @field_validator("time_limit", mode="before")
    @classmethod
    def _read_time_limit(cls, value: object) -> float:
        return check_time_limit(value)

    @field_validator("points", mode="before")
    @classmethod
    def _read_points(cls, value: object) -> tuple[PointSource, ...]:
        sources = (each if isinstance(each, PointSource) else parse_points(each) for each in _as_list(value))
        return tuple(dict.fromkeys(sources)) or (PointSource(OWN),)

    @field_validator("evaluator", mode="before")
    @classmethod
    def _read_evaluator(cls, value: object) -> str:
        return check_evaluator(value)

    @field_validator("gate", mode="before")
    @classmethod
    def _read_gate(cls, value: object) -> tuple[Override, ...]:
        return tuple(each if isinstance(each, Override) else Override.from_table(each) for each in _as_list(value))

    @model_validator(mode="after")
    def _fill(self) -> Self:
        if not self.schemes:
            chosen = tuple(scheme for m in self.derivatives for scheme in catalogue(m))
            object.__setattr__(self, "schemes", chosen)
        names = [scheme.name for scheme in self.schemes]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled:
            raise InputError(f"schemes: two different ones are called {doubled!r}")
        if not (self.functions and self.dtypes and self.derivatives):
            raise EmptySelectionError("spec: nothing is selected")
        if self.has_generated_points:
            dtype = max(self.dtypes, key=unit_roundoff)
            moved = tuple(with_points(each, self.points, dtype, self.seed) for each in self.functions)
            object.__setattr__(self, "functions", moved)
        computed = tuple(function.computed_by(self.evaluator) for function in self.functions)
        object.__setattr__(self, "functions", computed)
        if self.planned > MAX_CELLS:
            raise InputError(f"spec: it asks for {self.planned} cells, more than {MAX_CELLS}")
        return self

    def plan(self, block_size: int = BLOCK_SIZE) -> tuple[Unit, ...]:
        """Return the units of work: functions in order, dtypes within them, points within these.

        Parameters
        ----------
        block_size : int
            About how many nodes one offset has in a block: points times epsilons.
        """
        by_derivative = tuple((m, self._schemes_for(m)) for m in self.derivatives)
        schemes = tuple((m, chosen) for m, chosen in by_derivative if chosen)
        rounded = {
            dtype: tuple(round_to(value, dtype) for value in grid_of(self.epsilons, dtype)) for dtype in self.dtypes
        }
        length = {dtype: max(1, block_size // len(grid)) for dtype, grid in rounded.items()}
        has_directions = any(function.lines for function in self.functions)
        return tuple(
            Unit(
                *(part, dtype, first, _total(function, own), own, rounded[dtype]),
                *(self.rules, self.time_limit, self.anatomy, has_directions, self.has_wide),
            )
            for function in self.functions
            for dtype in self.dtypes
            for first, part, own in _pieces(function, schemes, length[dtype])
        )

    @property
    def has_wide(self) -> bool:
        """Whether some dtype has more than 64 bits, so that tables have columns of texts."""
        return any(find_dtype(dtype).is_wide for dtype in self.dtypes)

    def _schemes_for(self, derivative: int) -> tuple[Scheme, ...]:
        return tuple(scheme for scheme in self.schemes if scheme.derivative == derivative)

    def only(self, globs: Sequence[str]) -> "Spec":
        """Return what of it has functions or schemes that globs match; all of it where they match both, or nothing."""
        functions, schemes = (
            [each for each in items if any(fnmatchcase(each.name, glob) for glob in globs)]
            for items in (self.functions, self.schemes)
        )
        if bool(functions) == bool(schemes):
            return self
        values = {name: getattr(self, name) for name in type(self).model_fields}
        chosen = {"functions": functions} if functions else {"schemes": schemes, "derivatives": None}
        return Spec(**(values | chosen))

    @property
    def has_generated_points(self) -> bool:
        """Whether there are points that nobody chose."""
        return self.points != (PointSource(OWN),)

    @property
    def planned(self) -> int:
        """How many cells a run has."""
        rows = {m: sum(_rows(function, m) for function in self.functions) for m in self.derivatives}
        sizes = [(len(grid_of(self.epsilons, dtype)), len(self.rules)) for dtype in self.dtypes]
        return sum(rows[each.derivative] * _columns(each, *size) for size in sizes for each in self.schemes)

    def to_toml(self) -> str:
        """Return the canonical form; with objects that exist only in Python it cannot be run again, and says so."""
        return self._canonical

    @cached_property
    def _canonical(self) -> str:
        return "\n".join(_toml_lines(self)) + "\n"

    @property
    def sha256(self) -> str:
        """Hash of the canonical form."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()


def _columns(scheme: Scheme, epsilons: int, rules: int) -> int:
    """Return how many cells a scheme has at a point."""
    if isinstance(scheme, DifferenceScheme):
        return epsilons + rules
    return epsilons if scheme.takes_epsilon else 1


def _rows(function: Function, derivative: int) -> int:
    """Return at how many points a derivative is taken; second ones along two variables too."""
    return len(function.points) + (len(function.mixed.points) if derivative == 2 else 0)


Schemes = tuple[tuple[int, tuple[Scheme, ...]], ...]


def _total(function: Function, schemes: Schemes) -> int:
    """Return how many rows the longest block of a function has."""
    return max((_rows(function, m) for m, _ in schemes), default=len(function.points))


def _pieces(function: Function, schemes: Schemes, length: int) -> Iterator[tuple[int, Function, Schemes]]:
    """Yield a function with some of its points, the index of the first, and the schemes by derivative."""
    for first, part in _parts(function, length):
        yield first, part, schemes
    second = tuple(each for each in schemes if each[0] == 2)
    if second and function.mixed.points:
        for first, part in _parts(function.mixed, length):
            yield len(function.points) + first, part, second


def _parts(function: Function, length: int) -> Iterator[tuple[int, Function]]:
    """Yield a function with some of its points, and the index of the first."""
    points = function.points
    if len(points) <= length:
        yield 0, function
        return
    for first in range(0, len(points), length):
        yield first, function.part(first, first + length)


def read_spec_table(path: str | Path) -> dict[str, Any]:
    """Return the keys of a spec file, not yet checked."""
    return parse_toml(read_text(Path(path), "spec"), f"spec: {str(path)!r} cannot be read")


def _refuse_paths(table: Mapping[str, Any]) -> None:
    """Refuse suites of other files in what a run keeps: it holds all functions itself."""
    for item in _as_list(table.get("functions", ())):
        if isinstance(item, str) and item.endswith(".toml"):
            raise InputError(f"spec of the run: it names another file, {item[:60]!r}")


def _as_list(value: object) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return [value]
    return list(value)


def _with_defaults(given: dict[str, Any], suite: Suite | None) -> dict[str, Any]:
    """Fill in what a suite sweeps where the user says nothing, and the derivatives that scheme names state."""
    if suite is not None:
        given = {key: getattr(suite, key) for key in ("schemes", "epsilons") if getattr(suite, key)} | given
    if "derivatives" not in given and "schemes" in given:
        schemes = [_alone(item) for item in _as_list(given["schemes"])]
        given |= {"schemes": schemes, "derivatives": sorted({scheme.derivative for scheme in schemes})}
    return given


def _alone(item: Any) -> Scheme:
    """Return the one scheme that an item means where no derivatives are asked for: a bare name gives the first."""
    (scheme,) = _schemes_of(item, None)
    return scheme


def _schemes_of(item: Any, derivatives: tuple[int, ...] | None) -> Iterator[Scheme]:
    """Yield the schemes that an item means; a bare name gives one for each derivative asked for."""
    if isinstance(item, (DifferenceScheme, OpaqueScheme)):
        chosen: list[Scheme] = [item]
    elif isinstance(item, Stencil):
        chosen = [as_scheme(item)]
    elif isinstance(item, Mapping):
        chosen = [_scheme_from_table(item)]
    elif not isinstance(item, str):
        raise InputError(f"scheme: {item!r} is neither a name, a stencil nor a scheme")
    elif derivatives is None or states_derivative(item):
        chosen = [named_scheme(item, 1)]
    else:
        chosen = [named_scheme(item, m) for m in derivatives]
    for scheme in chosen:
        if derivatives is not None and scheme.derivative not in derivatives:
            listed = ", ".join(map(str, derivatives))
            raise InputError(f"scheme: {scheme.name} gives derivative {scheme.derivative}, asked for is {listed}")
        yield scheme


def named_scheme(name: str, derivative: int) -> Scheme:
    """Return the scheme that a name means: one by the rule of names, or another package's."""
    try:
        return parse_scheme(name, derivative)
    except InputError:
        from diffbench.schemes.libraries import scheme_of_others

        found = scheme_of_others(name, derivative)
        if found is None:
            raise
        return found


def _rules_of(item: object) -> tuple[Rule, ...]:
    if isinstance(item, (StepRule, AdaptiveRule)):
        return (item,)
    several = {"all": RULES, "published": PUBLISHED_RULES}
    return several.get(str(item)) or (find_rule(str(item), also=several),)


def _scheme_from_table(table: Mapping[str, Any]) -> Scheme:
    check_keys(table, ("name", "offsets", "weights", "derivative"), "scheme")
    if "offsets" not in table:
        raise InputError("scheme: the key 'offsets' is missing")
    derivative, weights, name = table.get("derivative", 1), table.get("weights"), table.get("name", "")
    if not isinstance(name, str):
        raise InputError(f"scheme: name = {name!r} is not a text")
    stencil = Stencil.fit(table["offsets"], derivative) if weights is None else Stencil(table["offsets"], weights)
    if stencil.derivative != table.get("derivative", stencil.derivative):
        raise InputError(f"scheme: the weights give derivative {stencil.derivative}, not {derivative}")
    return as_scheme(stencil, name)


def _select(functions: object) -> tuple[Suite | None, tuple[Function, ...]]:
    """Return the suite that all functions are of, if any, and the functions.

    Where two suites have different functions of one name, the later gets its suite's name in front.
    """
    suites: set[Suite | None] = set()
    chosen: dict[str, Function] = {}
    for item in _as_list(functions):
        if isinstance(item, str) and (item in BUILT_IN or item.endswith(".toml")):
            suite = load_suite(item)
            suites.add(suite)
            for function in suite.functions:
                clash = chosen.get(function.name, function) != function
                name = f"{suite.name}/{function.name}" if clash else function.name
                chosen[name] = function.named(name)
            continue
        suites.add(None)
        for function in _functions_of(item):
            if chosen.get(function.name, function) != function:
                raise InputError(f"functions: two different ones are called {function.name!r}")
            chosen[function.name] = function
    if not chosen:
        raise EmptySelectionError("functions: none is selected")
    return suites.pop() if len(suites) == 1 else None, tuple(chosen.values())


def _functions_of(item: object) -> tuple[Function, ...]:
    if isinstance(item, Function):
        return (item,)
    if isinstance(item, Mapping):
        return functions_from_table(item)
    if isinstance(item, str):
        return (find_function(item),)
    raise InputError(f"function: {item!r} is neither a name, a table nor a Function")


def _first_error(error: ValidationError) -> DiffbenchError:
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, DiffbenchError):
        return cause
    return InputError(f"{'.'.join(map(str, first['loc']))}: {first['input']!r}: {first['msg']}")


def _toml_lines(spec: Spec) -> Iterator[str]:
    for key in ("epsilons", "derivatives", "dtypes"):
        yield f"{key} = {_toml(getattr(spec, key))}"
    yield f"rules = {_toml([rule.name for rule in spec.rules])}"
    yield f"allow_failed = {spec.allow_failed}"
    yield f"time_limit = {spec.time_limit}"
    yield f"anatomy = {_toml(spec.anatomy)}"
    if spec.has_generated_points:
        yield f"points = {_toml([str(source) for source in spec.points])}"
        yield f"seed = {spec.seed}"
    if spec.evaluator != NUMPY:
        yield f"evaluator = {_toml(spec.evaluator)}"
    objects = [scheme.name for scheme in spec.schemes if not _has_entry(scheme)]
    objects += [function.name for function in spec.functions if function.evaluate is not None]
    if objects:
        yield f"{PYTHON_OBJECTS} = {_toml(objects)}"
    several = len(spec.derivatives) > 1
    named = [_scheme_entry(each, several=several) for each in spec.schemes if _has_entry(each)]
    yield "schemes = [" + "".join(f"\n  {entry}," for entry in named) + "\n]"
    for function in spec.functions:
        yield ""
        yield from _function_lines(function)
    for override in spec.gate:
        yield ""
        yield "[[gate]]"
        yield from (f"{key} = {_toml(value)}" for key, value in override.to_table().items())


def _has_entry(scheme: Scheme) -> bool:
    """Whether a file can hold a scheme: it has weights, or is called by a name that leads to it."""
    return isinstance(scheme, DifferenceScheme) or (scheme.package != "" and _is_known(scheme))


def _is_known(scheme: Scheme) -> bool:
    try:
        return named_scheme(scheme.name, scheme.derivative) == scheme
    except InputError:
        return False


def _scheme_entry(scheme: Scheme, *, several: bool) -> str:
    """Return a scheme by name where the name says it all, with its derivative where there are several."""
    if _is_known(scheme) or not isinstance(scheme, StencilScheme):
        return _toml(f"{scheme.name}-d1" if several and scheme.derivative == 1 else scheme.name)
    offsets, weights = ([exact_text(k) for k in row] for row in (scheme.stencil.offsets, scheme.stencil.weights))
    return f"{{ name = {_toml(scheme.name)}, offsets = {_toml(offsets)}, weights = {_toml(weights)} }}"


def _function_lines(function: Function) -> Iterator[str]:
    yield "[[functions]]"
    yield f"name = {_toml(function.name)}"
    if function.model is not None:
        for key in ("kind", "sizes", "samples", "seed"):
            yield f"{'model' if key == 'kind' else key} = {_toml(getattr(function.model, key))}"
        yield f"tags = {_toml(function.tags)}"
        yield f"source = {_toml(function.source)}"
        return
    yield f"formula = {_toml(function.formula.text)}"
    if function.lines:
        yield f"variables = {_toml(function.formula.variables)}"
        yield f"points = {_toml([[exact_text(value) for value in vector] for vector in function.vectors])}"
    else:
        yield f"variable = {_toml(function.formula.variable)}"
        yield f"points = {_toml([exact_text(point) for point in function.points])}"
        yield f"domain = {_toml(function.domain.text)}"
    yield f"tags = {_toml(function.tags)}"
    yield f"source = {_toml(function.source)}"
    if function.noise is not None:
        yield f"noise = {_toml(str(function.noise))}"


def _toml(value: object) -> str:
    """Return a text, number or list of them in TOML, whose basic strings escape as JSON's do."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def evaluator_of(spec: str) -> str:
    """Return what computed the functions of a run, from its spec in the canonical form."""
    return str(parse_toml(spec, "spec of the run").get("evaluator", NUMPY))
