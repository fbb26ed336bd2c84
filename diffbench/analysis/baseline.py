"""Baselines: what is kept of an accepted run, small enough to be committed, one row a curve.

Of every cell there are the status and the error in units of the last place, rounded up to whole quarter-binades, which
are factors of 2^(1/4). Of every curve there are hashes of what it means and of the bits of its estimates, its error at
the optimal epsilon, and what theory says of it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diffbench.analysis.order import order_rows
from diffbench.analysis.predict import expected_errors
from diffbench.errors import EmptySelectionError, InputError, NotComparableError
from diffbench.functions.frameworks import NUMPY
from diffbench.functions.function import Function
from diffbench.functions.grammar import Formula, parse_formula
from diffbench.functions.suites import BUILT_IN, load_suite, parse_toml
from diffbench.reference.pair import ulp_error, unit_in_last_place
from diffbench.rounding import finite
from diffbench.schemes.scheme import DifferenceScheme, parse_scheme
from diffbench.sweep.bounds import Override
from diffbench.sweep.curves import curves_of
from diffbench.sweep.provenance import current_provenance, platform_key
from diffbench.sweep.results import NO_CELLS, Block, Direction, Results, Status
from diffbench.sweep.spec import PYTHON_OBJECTS, Spec

Array = npt.NDArray[Any]

SCHEMA_VERSION = 1
ANY = "any"
"""What the platform of a baseline is called that serves where none of the right one is there."""

OPEN = 9
"""The status of a cell that platforms differ in."""

NO_ERROR = np.iinfo(np.int16).min
"""What stands for null among quarter-binades in memory."""

MEANINGS = ("formula", "scheme", "epsilons", "x")
"""What a curve means, in the order of its hashes."""

HALF_AN_ULP = 0.5
"""Errors below it are luck: they count as half a unit in the last place."""

_MANY_ULPS = 2.0**16
_LEAST = -4
_LARGEST = 4 * 2200
_ARRAYS = ("x", "status", "quarters", "rounding", "evaluations", "places", "optimum", "truncation", "expected")
_LADDER = np.array([2**-1.0, 2**-0.75, 2**-0.5, 2**-0.25])


class CurveName(NamedTuple):
    """What a curve is paired by; direction and whole point are empty for functions of one variable."""

    function: str
    derivative: int
    dtype: str
    scheme: str
    point: int
    direction: str = ""
    at: str = ""


@dataclass(frozen=True)
class Baseline:
    """Curves of a run with what is known of it; N curves, C = E + R + 1 columns: epsilons, rules, no epsilon.

    Attributes
    ----------
    about : dict
        Suite, platform, rules, number of epsilons, provenance; who accepted it when and why, once it is accepted.
    names : list of CurveName
        N names.
    definition, bits : list of bytes
        N times hashes of the `MEANINGS`; and of the estimates, those beside the step rules and that of each rule; 8
        bytes each.
    x : array
        (N,) the point in the dtype, widened.
    status : array
        (N, C) as in a block, or `OPEN`.
    quarters : array
        (N, C) int16: |error| ≤ 2^(quarters/4) ulp, or `NO_ERROR`.
    rounding : array
        (N, C) the same for the bound of the rounding errors by the error model, which is known in the grid.
    evaluations : array
        (N, 1 + R) how often f was evaluated for a cell at most, and by each rule for its cell.
    places : array
        (N, R) index of the epsilon of the grid that is nearest to the one that a rule chose; −1 where there is none.
    optimum, truncation, expected : array
        (N,) running-median error at the optimal epsilon in ulp; the mean of log2 |truncation part| in ulp where it is
        large; the first as the error model expects it. NaN where there is none, and but for the last where the
        reference is 0, as for digits.
    order : list of str
        N verdicts on the observed order; empty where it was not looked at.
    """

    about: dict[str, Any]
    names: list[CurveName]
    definition: list[bytes]
    bits: list[bytes]
    x: Array
    status: Array
    quarters: Array
    rounding: Array
    evaluations: Array
    places: Array
    optimum: Array
    truncation: Array
    expected: Array
    order: list[str]

    @cached_property
    def rows(self) -> dict[CurveName, int]:
        """Where each curve stands."""
        return {name: row for row, name in enumerate(self.names)}

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the step rules, in the order of their columns."""
        return tuple(self.about["rules"])

    @property
    def grid_size(self) -> int:
        """E."""
        return max(map(len, self.about["epsilons"].values()))

    @property
    def columns(self) -> list[int | str | None]:
        """What each column is called: index of an epsilon, rule, or None."""
        return [*range(self.grid_size), *self.rules, None]

    def meanings(self, row: int) -> dict[str, bytes]:
        """Return the hashes of what a curve means, by name."""
        whole = self.definition[row]
        return {meaning: whole[8 * i : 8 * i + 8] for i, meaning in enumerate(MEANINGS)}

    def bits_of(self, rules: Sequence[str]) -> list[bytes]:
        """Return the hashes of the estimates beside step rules and at some of these, for each curve."""
        places = [0, *(1 + self.rules.index(rule) for rule in rules)]
        return [b"".join(bits[8 * place : 8 * place + 8] for place in places) for bits in self.bits]

    @property
    def gate(self) -> tuple[Override, ...]:
        """Other bounds than the default ones, as the spec says."""
        return tuple(Override.from_table(each) for each in self.about["gate"])

    def cells_of(self, names: Sequence[CurveName], columns: Sequence[int] | None = None) -> int:
        """Return how many cells some curves have, in some columns."""
        status = self.status[[self.rows[name] for name in names]]
        return int(np.count_nonzero((status if columns is None else status[:, list(columns)]) != Status.ABSENT))

    def some(self, rows: Sequence[int]) -> "Baseline":
        """Return this with some of its curves only."""
        lists: dict[str, Any] = {
            name: [getattr(self, name)[row] for row in rows] for name in ("names", "definition", "bits", "order")
        }
        arrays: dict[str, Any] = {name: getattr(self, name)[list(rows)] for name in _ARRAYS}
        return replace(self, **lists, **arrays)


def quarter_binades(error: Array, unit: Array) -> Array:
    """Return the least whole q with |error| ≤ 2^(q/4) units, int16; −4 for half a unit and less.

    Parameters
    ----------
    error : array
        Errors; NaN gives `NO_ERROR`.
    unit : array
        Powers of two, such as units in the last place: however small they are, the quotient does not overflow.

    Examples
    --------
    >>> quarter_binades(np.array([0.0, 0.5, 1.0, 1.1, 4.0]), np.array(1.0))
    array([-4, -4,  0,  1,  8], dtype=int16)
    """
    missing = np.isnan(error)
    mantissa, exponent = np.frexp(np.where(missing | np.isinf(error), 1.0, np.abs(error)))
    quarters = 4 * (exponent - np.frexp(unit)[1]) + np.searchsorted(_LADDER, mantissa)
    quarters = np.where(np.isinf(error), _LARGEST, np.where(mantissa == 0, _LEAST, np.maximum(quarters, _LEAST)))
    return np.asarray(np.where(missing, NO_ERROR, quarters).astype(np.int16))


def baseline_of(results: Results, name: str = "", *, with_theory: bool = False, with_orders: bool = True) -> Baseline:
    """Return what a baseline keeps of a run.

    Parameters
    ----------
    results : Results
        A run that kept its cells.
    name : str
        What it is called; by default the built-in suite that was swept, or nothing.
    with_theory : bool
        Whether the error model says what to expect of each curve, which takes longer than the run.
    with_orders : bool
        Whether orders are observed, which takes about as long as the run.

    Raises
    ------
    EmptySelectionError
        If there are no cells.
    """
    if not results.blocks:
        raise EmptySelectionError(NO_CELLS)
    spec = spec_of(results)
    schemes = {scheme.name: scheme for scheme in spec.schemes}
    orders = _orders(spec) if with_orders else {}
    longest = max(block.grid_size for block in results.blocks)
    several = _of_several(spec)
    parts = [_rows_of(block, schemes, orders, longest, several.get(block.function)) for block in results.blocks]
    first = results.blocks[0]
    known = results.manifest if "evaluator" in results.manifest else current_provenance(spec.evaluator, spec.functions)
    suite = suite_of(spec)
    about = {
        "schema_version": SCHEMA_VERSION,
        "name": name or suite,
        "suite": suite,
        "platform": platform_key(known),
        "rules": list(first.rules),
        "epsilons": {block.dtype: [finite(epsilon) for epsilon in block.grid] for block in results.blocks},
        "gate": [each.to_table() for each in spec.gate],
        "opaque": sorted({scheme for block in results.blocks for scheme in block.schemes} - _difference(schemes)),
        **({} if spec.evaluator == NUMPY else {"computed_by": spec.evaluator}),
        **{key: known[key] for key in ("versions", "fingerprint", "evaluator", "machine")},
    }
    joined = {column: _joined([part[column] for part in parts]) for column in parts[0]}
    expected = np.full(len(joined["names"]), np.nan)
    found = Baseline(about, expected=expected, rounding=np.full_like(joined["quarters"], NO_ERROR), **joined)
    if with_theory:
        _add_theory(found, results)
    return found


def _add_theory(found: Baseline, results: Results) -> None:
    """Fill in what the error model expects of the curves that it covers."""
    several = _of_several(spec_of(results))
    for block, s, p, least, rounding in expected_errors(results):
        row = found.rows[_curve_name(block, s, p, is_of_several=block.function in several)]
        hi, lo = block.hi[p], block.lo[p]
        found.rounding[row, : block.grid_size] = quarter_binades(rounding, unit_in_last_place(hi, lo, block.dtype))
        # Where it sees no error at all, or none that could be counted, it has nothing to say.
        ulps = float(ulp_error(np.array([least]), hi, lo, block.dtype)[0])
        if 0 < ulps < np.inf:
            found.expected[row] = ulps


def spec_of(results: Results) -> Spec:
    """Return the spec of a run, without schemes that exist only in Python and with functions by their formulas."""
    table = parse_toml(results.spec, "spec of the run")
    table.pop(PYTHON_OBJECTS, None)
    return Spec(**table)


def suite_of(spec: Spec) -> str:
    """Return the built-in suite that a spec sweeps as it is; an empty text if it has anything else."""
    names = (name for name in BUILT_IN if _swept(load_suite(name).functions) == _swept(spec.functions))
    return next((name for name in names if _columns(Spec(name)) == _columns(spec)), "")


def _swept(functions: Sequence[Function]) -> set[tuple[str, str, tuple[Any, ...]]]:
    return {(each.name, each.formula.text, tuple(each.points)) for each in functions}


def _columns(spec: Spec) -> tuple[object, ...]:
    return spec.epsilons, spec.derivatives, spec.schemes, spec.dtypes


def _of_several(spec: Spec) -> dict[str, Function]:
    """Return the functions of several variables by name."""
    return {function.name: function for function in spec.functions if function.lines}


def _orders(spec: Spec) -> dict[tuple[str, str, int], str]:
    """Return the verdict on the observed order by function, scheme and point, of functions of one variable.

    Along every coordinate of every point of functions of several it would take many times as long as the run.
    """
    functions = [function for function in spec.functions if not function.lines]
    keys = (
        (function.name, scheme.name, point)
        for function in functions
        for point in range(len(function.points))
        for scheme in spec.schemes
    )
    rows = order_rows(functions, spec.schemes, spec.derivatives)
    return {key: each.verdict for key, each in zip(keys, rows, strict=True)}


def _difference(schemes: Mapping[str, Any]) -> set[str]:
    """Return the names of the schemes whose bits depend on the values of f alone."""
    return {name for name, scheme in schemes.items() if isinstance(scheme, DifferenceScheme)}


def _joined(parts: Sequence[Any]) -> Any:
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else list(chain.from_iterable(parts))


def _curve_name(block: Block, s: int, p: int, *, is_of_several: bool) -> CurveName:
    """Return the name of a curve; a function of one variable is called the same in whatever run it is."""
    direction = block.directions[p] if is_of_several else ()
    return CurveName(*block.key, block.schemes[s], block.first + p, *direction)


def _rows_of(
    block: Block,
    schemes: Mapping[str, Any],
    orders: Mapping[tuple[str, str, int], str],
    longest: int,
    several: Function | None,
) -> dict[str, Any]:
    """Return the columns of the curves of a block, schemes in order, points within them, as wide as the longest."""
    names = [
        _curve_name(block, s, p, is_of_several=several is not None)
        for s in range(len(block.schemes))
        for p in range(block.x.size)
    ]
    status, error = (
        _whole(block, values, missing, longest)
        for values, missing in ((block.status, Status.ABSENT), (block.error, np.nan))
    )
    unit = unit_in_last_place(block.hi, block.lo, block.dtype)
    rows = len(names)
    at_rules = slice(block.grid_size, block.grid_size + len(block.rules))
    rest = np.delete(block.evaluations, at_rules, axis=-1).max(axis=-1, keepdims=True, initial=0)
    evaluations = np.concatenate([rest, block.evaluations[:, :, at_rules]], axis=-1)
    best = ulp_error(curves_of(block).oracle_error, block.hi[:, 0], block.lo[:, 0], block.dtype)
    best[:, block.hi[:, 0] == 0] = np.nan
    return {
        "names": names,
        "definition": _definitions(block, schemes, several),
        "x": np.tile(block.x, len(block.schemes)),
        "bits": _bits(block),
        "status": status.reshape(rows, -1).astype(np.uint8),
        "quarters": quarter_binades(error, unit).reshape(rows, -1),
        "evaluations": evaluations.reshape(rows, -1).astype(np.int32),
        "places": _places(block).reshape(rows, -1),
        "optimum": np.maximum(best, HALF_AN_ULP).reshape(rows),
        "truncation": _truncation(block).reshape(rows),
        "order": [orders.get((name.function, name.scheme, name.point), "") for name in names],
    }


def _bits(block: Block) -> list[bytes]:
    """Return hashes of the estimates of each curve: of those beside step rules, and of that of each rule."""
    # As texts where float64 does not hold them.
    is_wide = block.wide is not None and block.wide.error is not None
    estimate = block.wide.estimate if block.wide is not None and is_wide else block.estimate
    columns = np.arange(block.status.shape[-1])
    is_rule = (columns >= block.grid_size) & (columns < block.grid_size + len(block.rules))
    found = []
    for s in range(len(block.schemes)):
        for p in range(block.x.size):
            beside = ~is_rule & (block.status[s, p] != Status.ABSENT)
            at_rules = (_hash(estimate[s, p, column]) for column in columns[is_rule])
            found.append(b"".join([_hash(estimate[s, p, beside]), *at_rules]))
    return found


def _whole(block: Block, values: Array, missing: Any, longest: int) -> Array:
    """Return values with columns that a block may lack: up to the longest grid, and one for schemes without epsilon."""
    size, alone = block.grid_size, block.grid_size + len(block.rules)
    between, behind = (
        np.full((*values.shape[:2], width), missing) for width in (longest - size, alone + 1 - values.shape[-1])
    )
    if not between.size and not behind.size:
        return values
    return np.concatenate([values[..., :size], between, values[..., size:], behind], axis=-1)


def _places(block: Block) -> Array:
    """Return the index of the grid's epsilon that is nearest to the one of each rule, (S, P, R)."""
    chosen = block.chosen[:, :, : len(block.rules)]
    with np.errstate(all="ignore"):
        apart = np.abs(np.log(chosen)[..., None] - np.log(block.grid))
    missing = ~np.isfinite(apart).any(axis=-1)
    return np.where(missing, -1, np.argmin(np.where(np.isfinite(apart), apart, np.inf), axis=-1)).astype(np.int16)


def _truncation(block: Block) -> Array:
    """Return the mean of log2 |truncation part| in ulp over the grid, (S, P); NaN where there is none.

    Parts that are small are left out: how exactly they are known depends on the other parts, and so on the platform.
    """
    if block.parts is None:
        return np.full(block.status.shape[:2], np.nan)
    ulps = ulp_error(block.parts[0, :, :, : block.grid_size], block.hi, block.lo, block.dtype)
    known = np.isfinite(ulps) & (ulps > _MANY_ULPS) & (block.hi != 0)[None]
    with np.errstate(all="ignore"):
        logs = np.where(known, np.log2(np.where(known, ulps, 1.0)), 0.0)
        return np.asarray(logs.sum(axis=-1) / np.where(known.any(axis=-1), known.sum(axis=-1), np.nan))


def _definitions(block: Block, schemes: Mapping[str, Any], several: Function | None) -> list[bytes]:
    """Return what each curve means, whatever it is called: a hash each of formula, scheme, epsilons and x."""
    operations = _operations(parse_formula(block.formula)) if several is None else _operations_of_several(several)
    formula = json.dumps([operations, block.noise, block.derivative, block.dtype])
    grid = json.dumps([float(epsilon).hex() for epsilon in block.grid])
    return [
        b"".join(
            map(_hash, (formula, json.dumps(_meaning(name, schemes.get(name), block.derivative)), grid, float(x).hex()))
        )
        for name in block.schemes
        for x in block.x
    ]


def _operations(formula: Formula) -> str:
    """Return the operations of a formula, whatever its variable is called and wherever blanks stand."""
    return _written(formula).replace(f"name='{formula.variable}'", "name='x'")


def _operations_of_several(function: Function) -> str:
    """Return the same of a function of several variables, with their names; a model is what its text says."""
    formula = function.formula
    if function.model is not None:
        return formula.text
    return f"{', '.join(formula.variables)}: {_written(formula)}"


def _written(formula: Formula) -> str:
    return re.sub(r", position=\d+", "", repr(formula.tree))


def _meaning(name: str, scheme: Any, derivative: int) -> object:
    """Return what a scheme computes: its arithmetic by class, its nodes and weights exactly."""
    if scheme is None:
        try:
            scheme = parse_scheme(name, derivative)
        except InputError:
            return name
    if not isinstance(scheme, DifferenceScheme):
        return [name, getattr(scheme, "package", "")]
    shares = [[str(each.offset), each.is_imaginary, str(each.weight)] for each in scheme.shares]
    return [_arithmetic(scheme), scheme.derivative, shares, list(scheme.numbers)]


def _arithmetic(scheme: DifferenceScheme) -> str:
    return type(getattr(scheme, "scheme", scheme)).__name__


def _hash(value: Any) -> bytes:
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = " ".join(map(str, value))
    data = value.encode() if isinstance(value, str) else np.asarray(value).tobytes()
    return blake2b(data, digest_size=8).digest()


# as a table -----------------------------------------------------------------------------------------------------------

_SCHEMA = pa.schema(
    [
        ("function", pa.string()),
        ("derivative", pa.int8()),
        ("dtype", pa.string()),
        ("scheme", pa.string()),
        ("point", pa.int32()),
        ("x", pa.float64()),
        ("definition", pa.binary(8 * len(MEANINGS))),
        ("bits", pa.binary()),
        ("status", pa.list_(pa.uint8())),
        ("quarters", pa.list_(pa.int16())),
        ("rounding", pa.list_(pa.int16())),
        ("evaluations", pa.list_(pa.int32())),
        ("places", pa.list_(pa.int16())),
        ("optimum", pa.float64()),
        ("truncation", pa.float64()),
        ("expected", pa.float64()),
        ("order", pa.string()),
    ]
)
_OF_SEVERAL = pa.schema([*_SCHEMA, *(pa.field(name, pa.string()) for name in Direction._fields)])
"""Where some function has several variables; the other baselines keep the table that they have always had."""


def to_table(found: Baseline) -> pa.Table:
    """Return the curves as a table; null where there is nothing."""
    schema = _OF_SEVERAL if any(name.direction for name in found.names) else _SCHEMA
    columns: dict[str, Any] = {name: [getattr(each, name) for each in found.names] for name in CurveName._fields}
    columns |= {name: getattr(found, name) for name in ("definition", "bits", "order")}
    columns |= {
        name: _lists(getattr(found, name)) for name in ("status", "quarters", "rounding", "evaluations", "places")
    }
    columns |= {
        name: pa.array(getattr(found, name), from_pandas=True) for name in ("x", "optimum", "truncation", "expected")
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def from_table(about: dict[str, Any], table: pa.Table) -> Baseline:
    """Return the baseline that a table holds."""
    if not any(table.schema.equals(schema) for schema in (_SCHEMA, _OF_SEVERAL)):
        raise NotComparableError("baseline: its table has other columns; accept a new one")
    keys = [name for name in CurveName._fields if name in table.schema.names]
    names = [CurveName(*row) for row in zip(*(table[name].to_pylist() for name in keys), strict=True)]
    lists: dict[str, Any] = {name: table[name].to_pylist() for name in ("definition", "bits", "order")}
    arrays: dict[str, Any] = {
        name: _array(table[name], len(names))
        if pa.types.is_list(table.schema.field(name).type)
        else table[name].to_numpy()
        for name in _ARRAYS
    }
    return Baseline(about, names, **lists, **arrays)


def _lists(values: Array) -> pa.Array:
    flat = pa.array(values.ravel(), mask=(values == NO_ERROR).ravel())
    return pa.ListArray.from_arrays(np.arange(values.shape[0] + 1, dtype=np.int32) * values.shape[1], flat)


def _array(column: pa.ChunkedArray, rows: int) -> Array:
    flat = column.combine_chunks().flatten()
    filled = flat.fill_null(NO_ERROR) if flat.null_count else flat
    return np.asarray(filled.to_numpy(zero_copy_only=False).astype(flat.type.to_pandas_dtype()).reshape(rows, -1))
