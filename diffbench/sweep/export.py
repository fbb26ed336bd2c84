"""Blocks and curves as Arrow tables, one row each cell or curve, and back."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diffbench.dtypes import find_dtype
from diffbench.errors import StoreError
from diffbench.reference import metrics
from diffbench.reference.balls import Ball
from diffbench.reference.pair import correct_digits, relative_error, ulp_error
from diffbench.reference.parts import PARTS
from diffbench.reference.verdict import Reference, enclosing_text
from diffbench.reference.wide import word_digits
from diffbench.rounding import decimal_text, finite
from diffbench.sweep.checked import check_about, check_shape, decimal, schema_problem
from diffbench.sweep.curves import Curves, Loss
from diffbench.sweep.results import RECORDED, STATUSES, Block, Direction, Status
from diffbench.sweep.wide import TEXTS, WORDS, Wide

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

SCHEMA_VERSION = 6
VALUE_DIGITS = 40


def _always(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


_KEY = [_always("function", pa.string()), _always("derivative", pa.int64()), _always("dtype", pa.string())]

CELL_SCHEMA = pa.schema(
    [
        *_KEY,
        _always("scheme", pa.string()),
        ("rule", pa.string()),
        _always("point", pa.int64()),
        ("x", pa.float64()),
        ("epsilon_index", pa.int64()),
        ("epsilon", pa.float64()),
        ("estimate", pa.float64()),
        ("reference", pa.float64()),
        ("reference_lo", pa.float64()),
        ("error", pa.float64()),
        ("relative_error", pa.float64()),
        ("ulp_error", pa.float64()),
        ("digits", pa.float64()),
        _always("evaluations", pa.int64()),
        ("error_estimate", pa.float64()),
        _always("status", pa.string()),
        ("reason", pa.string()),
    ]
)
"""One row a cell. Key: function, derivative, dtype, scheme, rule, point, epsilon_index."""

CURVE_SCHEMA = pa.schema(
    [
        *_KEY,
        _always("scheme", pa.string()),
        _always("point", pa.int64()),
        ("x", pa.float64()),
        _always("evaluations", pa.int64()),
        ("optimal_epsilon", pa.float64()),
        ("oracle_error", pa.float64()),
        ("oracle_digits", pa.float64()),
        ("flat_decades", pa.float64()),
        *(_always(status.label, pa.int64()) for status in STATUSES),
    ]
)
"""One row a curve, followed by columns ``RULE_digits``, ``RULE_evaluations`` and ``RULE_failures`` for each rule."""

REFERENCE_SCHEMA = pa.schema(
    [
        ("function", pa.string()),
        ("derivative", pa.int64()),
        ("dtype", pa.string()),
        ("point", pa.int64()),
        ("x", pa.float64()),
        ("value", pa.string()),
        ("certified_digits", pa.int64()),
        ("radius", pa.string()),
        ("verdict", pa.string()),
        ("method", pa.string()),
        ("hi", pa.float64()),
        ("lo", pa.float64()),
        ("second_opinion", pa.string()),
        ("left", pa.string()),
        ("right", pa.string()),
        ("reason", pa.string()),
    ]
)
"""One row a reference; value and radius are decimal text, because they may lie outside the range of float64."""


_MEASURED = ("evaluations", "optimal_epsilon", "oracle_error", "oracle_digits", "flat_decades")
"""What is kept of a curve in arrays of schemes and points."""

_OF_RULES = ("digits", "evaluations", "failures")
"""What is kept of a curve for every step rule, ``rule_…`` there."""

STRINGS = ("function", "dtype", "scheme", "rule", "status", "reason", "x_text", "epsilon_text")


def cells_table(block: Block) -> pa.Table:
    """Return the tidy table of a block, texts as dictionaries; its metadata hold what the rows do not say."""
    about = {
        **_about(block),
        "shape": block.status.shape,
        "grid": [finite(value) for value in block.grid.tolist()],
        **({} if block.wide is None else {"words": block.wide.words}),
    }
    return _table(_cell_columns(block), cell_schema(block), about)


def cell_schema(block: Block) -> pa.Schema:
    """Return the columns of a block's cells: the common ones, parts of errors, what was written down."""
    more = (() if block.parts is None else PARTS) + (() if block.records is None else RECORDED)
    texts = () if block.wide is None else TEXTS
    where = [_always(name, pa.string()) for name in (Direction._fields if block.directions else ())]
    numbers = [(name, pa.float64()) for name in more]
    return pa.schema([*CELL_SCHEMA, *numbers, *((name, pa.string()) for name in texts), *where])


def tidy_table(block: Block) -> pa.Table:
    """Return the rows of a block's cells with the metrics that are not stored."""
    table = cells_table(block)
    present = block.status != Status.ABSENT
    for metric in metrics.FURTHER:
        values = block.measured(metric)[present]
        table = table.append_column(pa.field(metric.name, pa.float64()), _numbers(values, np.isfinite(values)))
    return table


def tidy_schema(block: Block) -> pa.Schema:
    """Return the columns of these rows."""
    return pa.schema([*cell_schema(block), *((metric.name, pa.float64()) for metric in metrics.FURTHER)])


def block_from_table(table: pa.Table, references: Iterable[Reference]) -> Block:
    """Return the block that a tidy table was made from."""
    about = read_about(table.schema)
    known = tuple(references)
    lengths = len(about["schemes"]), len(known), len(about["grid"]) + len(about["rules"])
    shape = check_shape(about["shape"], lengths)
    grid = _known(about["grid"])
    schemes, points = _codes(table, "scheme", about["schemes"]), _values(table, "point") - about["first"]
    beyond = grid.size + _codes(table, "rule", [*about["rules"], None])
    index = _values(table, "epsilon_index")
    columns = np.where(np.isnan(index), beyond, index).astype(np.intp)
    reasons = ["", *sorted(set(table.column("reason").unique().to_pylist()) - {None})]
    where = np.ravel_multi_index((schemes, points, columns), shape)

    def spread(values: Any, fill: Any, dtype: Any) -> Array:
        array = np.full(shape, fill, dtype=dtype)
        array.reshape(-1)[where] = values
        return array

    def numbers(name: str) -> Array:
        return spread(_values(table, name), np.nan, np.float64)

    x = np.full(shape[1], np.nan)
    x[points] = _values(table, "x")
    return Block(
        **_common(about),
        grid=grid,
        x=x,
        references=known,
        chosen=numbers("epsilon")[:, :, grid.size :],
        estimate=numbers("estimate"),
        error_estimate=numbers("error_estimate"),
        evaluations=spread(_values(table, "evaluations"), 0, np.int32),
        status=spread(_codes(table, "status", [status.label for status in STATUSES]), Status.ABSENT, np.uint8),
        reason=spread(_codes(table, "reason", [None, *reasons[1:]]), 0, np.uint16),
        reasons=tuple(reasons),
        parts=np.stack([numbers(name) for name in PARTS]) if PARTS[0] in table.column_names else None,
        records=np.stack([numbers(name) for name in RECORDED]) if RECORDED[0] in table.column_names else None,
        wide=_wide_from(table, about, spread, points) if TEXTS[0] in table.column_names else None,
    )


def _wide_from(table: pa.Table, about: dict[str, Any], spread: Callable[..., Array], points: Array) -> Wide:
    """Return what float64 does not hold of a block, from the texts and errors of its rows."""
    x_text, epsilon, estimate = (np.array(table.column(name).to_pylist(), dtype=object) for name in TEXTS)
    x = np.full(len(about["words"]), None, dtype=object)
    x[points] = x_text
    is_wide = find_dtype(about["dtype"]).is_wide
    return Wide(
        x,
        spread(epsilon, None, object),
        spread(estimate, None, object),
        spread(_values(table, "error"), np.nan, np.float64) if is_wide else None,
        tuple((hi, lo) for hi, lo in about["words"]),
    )


def curves_table(curves: Curves, references: Sequence[dict[str, Any]]) -> pa.Table:
    """Return one row each curve; the references are in the metadata."""
    size, points = curves.optimal_epsilon.size, len(curves.x)
    columns: dict[str, Any] = {
        "function": _constant(curves.function, size),
        "derivative": np.full(size, curves.derivative),
        "dtype": _constant(curves.dtype, size),
        "scheme": _texts(np.repeat(np.arange(len(curves.schemes)), points), curves.schemes),
        "point": np.tile(curves.first + np.arange(points), len(curves.schemes)),
        "x": np.tile(curves.x, len(curves.schemes)),
    }
    columns |= {name: getattr(curves, name).ravel() for name in _MEASURED}
    columns |= {status.label: curves.cells[..., i].ravel() for i, status in enumerate(STATUSES)}
    rules = {f"{rule}_{name}": values for rule, name, values in _rule_columns(curves)}
    schema = pa.schema([*CURVE_SCHEMA, *((name, pa.float64()) for name in rules)])
    about = {**_about(curves), "losses": curves.losses, "references": list(references)}
    return _table(columns | rules, schema, about)


def _rule_columns(curves: Curves) -> Iterator[tuple[str, str, Array]]:
    for name in _OF_RULES:
        values = getattr(curves, f"rule_{name}").astype(np.float64)
        for i, rule in enumerate(curves.rules):
            yield rule, name, values[..., i].ravel()


def curves_from_table(table: pa.Table) -> Curves:
    """Return the curves that a table was made from."""
    about = read_about(table.schema)
    shape = (len(about["schemes"]), len(about["references"]))

    def numbers(name: str) -> Array:
        return _values(table, name).reshape(shape)

    by_rule = {name: [numbers(f"{rule}_{name}") for rule in about["rules"]] for name in _OF_RULES}
    rules = {name: np.stack(each, axis=-1) if each else np.empty((*shape, 0)) for name, each in by_rule.items()}
    own: dict[str, Any] = {name: numbers(name) for name in _MEASURED}
    return Curves(
        **_common(about),
        **own,
        x=numbers("x")[0],
        rule_digits=rules["digits"],
        rule_evaluations=rules["evaluations"],
        rule_failures=rules["failures"] == 1,
        cells=np.stack([numbers(status.label) for status in STATUSES], axis=-1),
        verdicts=tuple(row["verdict"] for row in about["references"]),
        hi=_known(row["hi"] for row in about["references"]),
        lo=_known(row["lo"] for row in about["references"]),
        losses=tuple(Loss(*loss) for loss in about["losses"]),
    )


def _known(values: Iterable[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values])


def read_about(schema: pa.Schema) -> dict[str, Any]:
    """Return what the metadata of a table say.

    Raises
    ------
    StoreError
        If they are of another version.
    """
    about: object = json.loads((schema.metadata or {}).get(b"diffbench", b"{}"))
    if not isinstance(about, dict):
        raise StoreError("its metadata are no table")
    problem = schema_problem(about.get("schema_version"), SCHEMA_VERSION)
    if problem:
        raise StoreError(problem)
    check_about(about)
    return about


_COMMON = ("function", "formula", "tags", "derivative", "dtype", "schemes", "rules", "first", "noise")


def _about(part: Block | Curves) -> dict[str, Any]:
    directions = {"directions": part.directions} if part.directions else {}
    return {"schema_version": SCHEMA_VERSION, **{name: getattr(part, name) for name in _COMMON}, **directions}


def _common(about: dict[str, Any]) -> dict[str, Any]:
    known = [name for name in _COMMON if name in about]
    own = {name: tuple(about[name]) if isinstance(about[name], list) else about[name] for name in known}
    return own | {"directions": tuple(Direction(*each) for each in about.get("directions", ()))}


def references_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Return rows of references as a table."""
    schema = reference_schema(has_wide=all(WORDS[0] in row for row in rows))
    columns = [_listed([row[field.name] for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def reference_schema(*, has_wide: bool) -> pa.Schema:
    """Return the columns of the references, with texts of both words in runs with a dtype of more than 64 bits."""
    return pa.schema([*REFERENCE_SCHEMA, *((name, pa.string()) for name in WORDS)]) if has_wide else REFERENCE_SCHEMA


def reference_from_row(row: dict[str, Any]) -> Reference:
    """Return a reference as it stands in a row of the references, its value to 40 digits."""
    left, right = (None if row[name] is None else mpmath.mpf(row[name]) for name in ("left", "right"))
    names = ("certified_digits", "verdict", "method", "hi", "lo", "second_opinion")
    reason = row["reason"] or ""
    return Reference(ball=_ball(row), left=left, right=right, reason=reason, **{name: row[name] for name in names})


def _ball(row: dict[str, Any]) -> Ball:
    """Return the enclosure that a row tells of; an uncertain one has no value but may have a bound."""
    if row["value"] in {"+inf", "-inf"}:
        return Ball.beyond_range(1 if row["value"] == "+inf" else -1)
    radius = inf if row["radius"] == "+inf" else Fraction(decimal(row["radius"]))
    return Ball.around(Fraction(decimal(row["value"] or "0")), radius)


def to_pandas(tables: Iterable[pa.Table], schema: pa.Schema) -> "pd.DataFrame":
    """Return Arrow tables as one frame whose columns keep null apart from NaN."""
    import pandas as pd

    joined = pa.concat_tables([table.replace_schema_metadata(None).cast(schema) for table in tables])
    frame: pd.DataFrame = joined.to_pandas(types_mapper=pd.ArrowDtype, use_threads=False)
    return frame


def _decimal_text(value: Any) -> str | None:
    return None if value is None else decimal_text(value, 17)


def _table(columns: dict[str, Any], schema: pa.Schema, about: dict[str, Any]) -> pa.Table:
    arrays = [_arrow(columns[field.name], field) for field in schema]
    fields = [field.with_type(array.type) for field, array in zip(schema, arrays, strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, {"diffbench": json.dumps(about)}))


def _arrow(values: Any, field: pa.Field) -> pa.Array:
    """Return a column; what is not finite becomes null."""
    if isinstance(values, pa.Array):
        return values
    if values.dtype.kind == "f":
        return _numbers(values, np.isfinite(values))
    return _numbers(values.astype(_numpy_name(field.type), copy=False))


def _numpy_name(kind: pa.DataType) -> str:
    """Return what numpy calls numbers of a type; Arrow's to_pandas_dtype imports pandas in some versions."""
    letter = "f" if pa.types.is_floating(kind) else "i" if pa.types.is_signed_integer(kind) else "u"
    return f"{letter}{kind.bit_width // 8}"


def _numbers(values: Array, known: Array | None = None) -> pa.Array:
    """Return numbers as they lie in memory, null where one is not known.

    pa.array would import pandas first, which takes longer than many a run.
    """
    validity = None if known is None or known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    buffers = [validity, pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), values.size, buffers)


def _strings(texts: Sequence[str | None]) -> pa.Array:
    """Return texts, null where one is missing, without pandas too."""
    encoded = [b"" if text is None else text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    known = np.array([text is not None for text in texts], dtype=bool)
    validity = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)), validity)


def _listed(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return a list, with None for null, as a column."""
    if pa.types.is_string(kind):
        return _strings(values)
    known = np.array([value is not None for value in values], dtype=bool)
    numbers = np.array([0 if value is None else value for value in values], dtype=_numpy_name(kind))
    return _numbers(numbers, known)


def _texts(codes: Array, texts: Sequence[str], missing: Array | None = None) -> pa.DictionaryArray:
    """Return texts by their numbers, null where one is missing."""
    kind = np.int8 if len(texts) < 128 else np.int32
    known = None if missing is None else ~missing
    return pa.DictionaryArray.from_arrays(_numbers(codes.astype(kind), known), _strings(texts))


def _constant(text: str, size: int) -> pa.DictionaryArray:
    return _texts(np.zeros(size, np.int8), [text])


def _values(table: pa.Table, name: str) -> Array:
    """Return a column of numbers, NaN for null."""
    column = table.column(name)
    parts = [_array(part) for part in column.chunks]
    return np.concatenate(parts) if len(parts) != 1 else parts[0]


def _array(column: pa.Array) -> Array:
    """Return numbers as they lie in memory, NaN for null; to_numpy would import pandas first."""
    kind = column.type
    if not len(column) or not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    validity, numbers = column.buffers()
    here = slice(column.offset, column.offset + len(column))
    values = np.frombuffer(numbers, _numpy_name(kind))[here]
    if not column.null_count:
        return values
    known = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[here]
    return np.where(known.astype(bool), values, np.nan)


def _codes(table: pa.Table, name: str, texts: Sequence[str | None]) -> Array:
    """Return the numbers of the texts in a column."""
    parts = []
    for part in table.column(name).chunks:
        encoded = part if isinstance(part, pa.DictionaryArray) else part.dictionary_encode()
        # A dictionary may hold texts that no row uses; the last place is that of null.
        places = [texts.index(text) if text in texts else 0 for text in encoded.dictionary.to_pylist()]
        places.append(texts.index(None) if None in texts else 0)
        indices = _array(encoded.indices)
        parts.append(np.array(places)[np.where(np.isnan(indices), -1, indices).astype(np.intp)])
    return np.concatenate(parts)


@lru_cache(maxsize=4)
def _indices(shape: tuple[int, int, int]) -> tuple[Array, Array, Array]:
    """Return scheme, point and column of every cell, in order."""
    s, p, c = shape
    return np.repeat(np.arange(s), p * c), np.tile(np.repeat(np.arange(p), c), s), np.tile(np.arange(c), s * p)


def _cell_columns(block: Block) -> dict[str, Any]:
    present = block.status.ravel() != Status.ABSENT
    chosen = slice(None) if present.all() else np.flatnonzero(present)

    def values(array: Array) -> Array:
        return array.ravel()[chosen]

    scheme, point, column = (values(index) for index in _indices(block.status.shape))
    in_grid = column < block.grid_size
    status, reason = values(block.status), values(block.reason)
    error = block.error
    relative = relative_error(error, block.hi)
    return {
        "function": _constant(block.function, scheme.size),
        "derivative": np.full(scheme.size, block.derivative),
        "dtype": _constant(block.dtype, scheme.size),
        "scheme": _texts(scheme, block.schemes),
        "rule": _rules(block, column),
        "point": block.first + point,
        "x": block.x[point],
        "epsilon_index": _numbers(column, in_grid),
        "epsilon": values(block.epsilon),
        "estimate": values(block.estimate),
        "reference": block.hi[point, 0],
        "reference_lo": block.lo[point, 0],
        "error": values(error),
        "relative_error": values(relative),
        "ulp_error": values(ulp_error(error, block.hi, block.lo, block.dtype)),
        "digits": values(correct_digits(relative, block.dtype)),
        "evaluations": values(block.evaluations),
        "error_estimate": values(block.error_estimate),
        "status": _texts(status, [label.label for label in STATUSES]),
        "reason": _texts(reason, block.reasons, missing=reason == 0),
        **({} if block.parts is None else dict(zip(PARTS, map(values, block.parts), strict=True))),
        **({} if block.records is None else dict(zip(RECORDED, map(values, block.records), strict=True))),
        **({} if block.wide is None else _text_columns(block.wide, point, values)),
        **_direction_columns(block, point),
    }


def _text_columns(wide: Wide, point: Array, values: Callable[[Array], Array]) -> dict[str, pa.Array]:
    x, epsilon, estimate = wide.x[point], values(wide.epsilon), values(wide.estimate)
    return {name: _strings(texts.tolist()) for name, texts in zip(TEXTS, (x, epsilon, estimate), strict=True)}


def _direction_columns(block: Block, point: Array) -> dict[str, pa.Array]:
    """Return along what derivatives are taken; no column where all functions of a run have one variable."""
    if not block.directions:
        return {}
    return {name: _texts(point, [getattr(each, name) for each in block.directions]) for name in Direction._fields}


def _rules(block: Block, column: Array) -> pa.Array:
    """Return the rule of each cell; null in the grid, and for schemes without an epsilon."""
    rule = column - block.grid_size
    missing = (rule < 0) | (rule >= len(block.rules))
    return _texts(np.where(missing, 0, rule), block.rules or ("",), missing=missing)


def reference_rows(block: Block) -> list[dict[str, Any]]:
    """Return the references of a block, one row each."""
    digits = max(VALUE_DIGITS, word_digits(block.dtype)) if find_dtype(block.dtype).is_wide else VALUE_DIGITS
    return [
        {
            "function": block.function,
            "derivative": block.derivative,
            "dtype": block.dtype,
            "point": point,
            "x": finite(x),
            **enclosing_text(reference, digits),
            "certified_digits": reference.certified_digits,
            "verdict": reference.verdict,
            "method": reference.method,
            "second_opinion": reference.second_opinion,
            "hi": finite(reference.hi),
            "lo": reference.lo,
            "left": _decimal_text(reference.left),
            "right": _decimal_text(reference.right),
            "reason": reference.reason or None,
            **({} if block.wide is None else dict(zip(WORDS, block.wide.words[point - block.first], strict=True))),
        }
        for point, (x, reference) in enumerate(zip(block.x, block.references, strict=True), block.first)
    ]
