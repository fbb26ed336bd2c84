"""Baselines: what is kept of an accepted run, small enough to be committed, one row a curve.

Of every cell there are the status and the error in units of the last place, rounded up to whole quarter-binades, which
are factors of 2^(1/4). Of every curve there are hashes of what it means and of the bits of its estimates, its error at
the optimal epsilon, and what theory says of it.
"""

import json
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
from diffbench.functions.suites import BUILT_IN, load_suite
from diffbench.reference.pair import ulp_error
from diffbench.schemes.scheme import DifferenceScheme, parse_scheme
from diffbench.sweep.bounds import Override
from diffbench.sweep.curves import curves_of
from diffbench.sweep.provenance import current_provenance, platform_key
from diffbench.sweep.results import NO_CELLS, Block, Results, Status
from diffbench.sweep.spec import Spec

Array = npt.NDArray[Any]

SCHEMA_VERSION = 1
ANY = "any"
"""What the platform of a baseline is called that serves where none of the right one is there."""

OPEN = 9
"""The status of a cell that platforms differ in."""

NO_ERROR = np.iinfo(np.int16).min
"""What stands for null among quarter-binades in memory."""

HALF_AN_ULP = 0.5
"""Errors below it are luck: they count as half a unit in the last place."""

_LARGEST = 8 * 1100
_ARRAYS = ("status", "quarters", "rounding", "evaluations", "places", "optimum", "truncation", "expected")
_LADDER = np.array([2**-1.0, 2**-0.75, 2**-0.5, 2**-0.25])


class CurveName(NamedTuple):
    """What a curve is paired by."""

    function: str
    derivative: int
    dtype: str
    scheme: str
    point: int


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
        N hashes of formula, noise, x, scheme and epsilons; and of the estimates, those beside the step rules and that
        of each rule, 8 bytes each.
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
        (N,) running-median error at the optimal epsilon in ulp; the mean of log2 |truncation part| in ulp; the first as
        the error model expects it. NaN where there is none; an optimum is null where the reference is 0, as digits are.
    order : list of str
        N verdicts on the observed order; empty where it was not looked at.
    """

    about: dict[str, Any]
    names: list[CurveName]
    definition: list[bytes]
    bits: list[bytes]
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
        return int(self.about["epsilons"])

    @property
    def columns(self) -> list[int | str | None]:
        """What each column is called: index of an epsilon, rule, or None."""
        return [*range(self.grid_size), *self.rules, None]

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


def quarter_binades(ulps: Array) -> Array:
    """Return the least whole q with ulps ≤ 2^(q/4), int16; −4 for half an ulp and less.

    Examples
    --------
    >>> quarter_binades(np.array([0.0, 0.5, 1.0, 1.1, 4.0]))
    array([-4, -4,  0,  1,  8], dtype=int16)
    """
    known = np.where(np.isnan(ulps), HALF_AN_ULP, ulps)
    mantissa, exponent = np.frexp(np.clip(known, HALF_AN_ULP, 2.0**1023))
    quarters = 4 * exponent - 4 + np.searchsorted(_LADDER, mantissa)
    return np.where(np.isnan(ulps), NO_ERROR, np.where(np.isinf(known), _LARGEST, quarters)).astype(np.int16)


def baseline_of(results: Results, suite: str = "", *, with_theory: bool = False, with_orders: bool = True) -> Baseline:
    """Return what a baseline keeps of a run.

    Parameters
    ----------
    results : Results
        A run that kept its cells.
    suite : str
        What it is called; by default the built-in suite whose functions it has, or nothing.
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
    schemes = {} if spec is None else {scheme.name: scheme for scheme in spec.schemes}
    orders = _orders(results, spec) if spec is not None and with_orders else {}
    parts = [_rows_of(block, schemes, orders) for block in results.blocks]
    first = results.blocks[0]
    known = results.manifest if "fingerprint" in results.manifest else current_provenance()
    about = {
        "schema_version": SCHEMA_VERSION,
        "suite": suite or suite_of(spec),
        "platform": platform_key(known),
        "rules": list(first.rules),
        "epsilons": first.grid_size,
        "gate": [] if spec is None else [each.to_table() for each in spec.gate],
        **{key: known[key] for key in ("versions", "fingerprint", "evaluator", "machine")},
    }
    joined = {name: _joined([part[name] for part in parts]) for name in parts[0]}
    expected = np.full(len(joined["names"]), np.nan)
    found = Baseline(about, expected=expected, rounding=np.full_like(joined["quarters"], NO_ERROR), **joined)
    if with_theory:
        _add_theory(found, results)
    return found


def _add_theory(found: Baseline, results: Results) -> None:
    """Fill in what the error model expects of the curves that it covers."""
    for block, s, p, least, rounding in expected_errors(results):
        row = found.rows[CurveName(*block.key, block.schemes[s], block.first + p)]
        errors = np.append(rounding, least)
        ulps = ulp_error(errors, block.hi[p, 0], block.lo[p, 0], block.dtype)
        found.rounding[row, : block.grid_size] = quarter_binades(ulps[:-1])
        # Where it sees no error at all, or none that could be counted, it has nothing to say.
        if 0 < ulps[-1] < np.inf:
            found.expected[row] = ulps[-1]


def spec_of(results: Results) -> Spec | None:
    """Return the spec of a run; None if it has objects that exist only in Python."""
    try:
        return Spec.from_text(results.spec)
    except InputError:
        return None


def suite_of(spec: Spec | None) -> str:
    """Return the built-in suite that has just these functions; an empty text if there is none."""
    if spec is None:
        return ""
    functions = {(each.name, each.formula.text) for each in spec.functions}
    return next((name for name in BUILT_IN if _functions_of(name) == functions), "")


def _functions_of(suite: str) -> set[tuple[str, str]]:
    return {(each.name, each.formula.text) for each in load_suite(suite).functions}


def _orders(results: Results, spec: Spec) -> dict[tuple[str, str, int], str]:
    """Return the verdict on the observed order by function, scheme and point."""
    keys = (
        (function.name, scheme.name, point)
        for function in spec.functions
        for point in range(len(function.points))
        for scheme in spec.schemes
    )
    return {key: each.verdict for key, each in zip(keys, order_rows(results), strict=True)}


def _joined(parts: Sequence[Any]) -> Any:
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else list(chain.from_iterable(parts))


def _rows_of(block: Block, schemes: Mapping[str, Any], orders: Mapping[tuple[str, str, int], str]) -> dict[str, Any]:
    """Return the columns of the curves of a block, schemes in order, points within them."""
    names = [CurveName(*block.key, scheme, block.first + p) for scheme in block.schemes for p in range(block.x.size)]
    definitions = [_definition(block, name, schemes.get(name)) for name in block.schemes]
    status, ulps = _whole(block, block.status, Status.ABSENT), _whole(block, block.ulp_error, np.nan)
    rows = len(names)
    at_rules = slice(block.grid_size, block.grid_size + len(block.rules))
    rest = np.delete(block.evaluations, at_rules, axis=-1).max(axis=-1, keepdims=True, initial=0)
    evaluations = np.concatenate([rest, block.evaluations[:, :, at_rules]], axis=-1)
    best = ulp_error(curves_of(block).oracle_error, block.hi[:, 0], block.lo[:, 0], block.dtype)
    best[:, block.hi[:, 0] == 0] = np.nan
    return {
        "names": names,
        "definition": [_hash(text.encode(), x) for text in definitions for x in block.x],
        "bits": _bits(block),
        "status": status.reshape(rows, -1).astype(np.uint8),
        "quarters": quarter_binades(ulps).reshape(rows, -1),
        "evaluations": evaluations.reshape(rows, -1).astype(np.int32),
        "places": _places(block).reshape(rows, -1),
        "optimum": np.maximum(best, HALF_AN_ULP).reshape(rows),
        "truncation": _truncation(block).reshape(rows),
        "order": [orders.get((name.function, name.scheme, name.point), "") for name in names],
    }


def _bits(block: Block) -> list[bytes]:
    """Return hashes of the estimates of each curve: of those beside step rules, and of that of each rule."""
    columns = np.arange(block.status.shape[-1])
    is_rule = (columns >= block.grid_size) & (columns < block.grid_size + len(block.rules))
    found = []
    for s in range(len(block.schemes)):
        for p in range(block.x.size):
            beside = ~is_rule & (block.status[s, p] != Status.ABSENT)
            at_rules = (_hash(block.estimate[s, p, column]) for column in columns[is_rule])
            found.append(b"".join([_hash(block.estimate[s, p, beside]), *at_rules]))
    return found


def _whole(block: Block, values: Array, missing: float) -> Array:
    """Return the cells with a column for schemes without an epsilon, whether there are any or not."""
    width = block.grid_size + len(block.rules) + 1
    if values.shape[-1] == width:
        return values
    return np.concatenate([values, np.full((*values.shape[:2], 1), missing)], axis=-1)


def _places(block: Block) -> Array:
    """Return the index of the grid's epsilon that is nearest to the one of each rule, (S, P, R)."""
    chosen = block.chosen[:, :, : len(block.rules)]
    with np.errstate(all="ignore"):
        apart = np.abs(np.log(chosen)[..., None] - np.log(block.grid))
    missing = ~np.isfinite(apart).any(axis=-1)
    return np.where(missing, -1, np.argmin(np.where(np.isfinite(apart), apart, np.inf), axis=-1)).astype(np.int16)


def _truncation(block: Block) -> Array:
    """Return the mean of log2 |truncation part| in ulp over the grid, (S, P); NaN where there is none."""
    if block.parts is None:
        return np.full(block.status.shape[:2], np.nan)
    ulps = ulp_error(block.parts[0, :, :, : block.grid_size], block.hi, block.lo, block.dtype)
    known = np.isfinite(ulps) & (ulps > 0)
    with np.errstate(all="ignore"):
        logs = np.where(known, np.log2(np.where(known, ulps, 1.0)), 0.0)
        return np.asarray(logs.sum(axis=-1) / np.where(known.any(axis=-1), known.sum(axis=-1), np.nan))


def _definition(block: Block, name: str, scheme: Any) -> str:
    """Return what the estimates of a scheme mean, but for x and for what things are called."""
    grid = [float(epsilon).hex() for epsilon in block.grid]
    return json.dumps([block.formula, block.noise, block.derivative, block.dtype, _meaning(name, scheme), grid])


def _meaning(name: str, scheme: Any) -> object:
    """Return what a scheme computes: its arithmetic by class, its nodes and weights exactly."""
    if scheme is None:
        try:
            scheme = parse_scheme(name)
        except InputError:
            return name
    if not isinstance(scheme, DifferenceScheme):
        return [name, getattr(scheme, "package", "")]
    shares = [[str(each.offset), each.is_imaginary, str(each.weight)] for each in scheme.shares]
    return [_arithmetic(scheme), scheme.derivative, shares, list(scheme.numbers)]


def _arithmetic(scheme: DifferenceScheme) -> str:
    return type(getattr(scheme, "scheme", scheme)).__name__


def _hash(*values: Any) -> bytes:
    digest = blake2b(digest_size=8)
    for value in values:
        digest.update(value if isinstance(value, bytes) else np.asarray(value).tobytes())
    return digest.digest()


# as a table -----------------------------------------------------------------------------------------------------------

_SCHEMA = pa.schema(
    [
        ("function", pa.string()),
        ("derivative", pa.int8()),
        ("dtype", pa.string()),
        ("scheme", pa.string()),
        ("point", pa.int32()),
        ("definition", pa.binary(8)),
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


def to_table(found: Baseline) -> pa.Table:
    """Return the curves as a table; null where there is nothing."""
    columns: dict[str, Any] = {name: [getattr(each, name) for each in found.names] for name in CurveName._fields}
    columns |= {name: getattr(found, name) for name in ("definition", "bits", "order")}
    columns |= {
        name: _lists(getattr(found, name)) for name in ("status", "quarters", "rounding", "evaluations", "places")
    }
    columns |= {
        name: pa.array(getattr(found, name), from_pandas=True) for name in ("optimum", "truncation", "expected")
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in _SCHEMA], schema=_SCHEMA)


def from_table(about: dict[str, Any], table: pa.Table) -> Baseline:
    """Return the baseline that a table holds."""
    if not table.schema.equals(_SCHEMA):
        raise NotComparableError("baseline: its table has other columns; accept a new one")
    names = [CurveName(*row) for row in zip(*(table[name].to_pylist() for name in CurveName._fields), strict=True)]
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
