"""Blocks as Arrow tables: the tidy table of cells, one row each, and back."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diffbench.errors import StoreError
from diffbench.reference.exact import Reference, enclosing_text
from diffbench.rounding import finite
from diffbench.sweep.results import STATUSES, Block, Results, Status

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

SCHEMA_VERSION = 1
VALUE_DIGITS = 40

CELL_SCHEMA = pa.schema(
    [
        ("function", pa.string()),
        ("derivative", pa.int64()),
        ("dtype", pa.string()),
        ("scheme", pa.string()),
        ("rule", pa.string()),
        ("point", pa.int64()),
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
        ("evaluations", pa.int64()),
        ("error_estimate", pa.float64()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)
"""One row a cell. Key: function, derivative, dtype, scheme, rule, point, epsilon_index."""

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
        ("left", pa.string()),
        ("right", pa.string()),
        ("reason", pa.string()),
    ]
)
"""One row a reference; value and radius are decimal text, because they may lie outside the range of float64."""


def cells_table(block: Block) -> pa.Table:
    """Return the tidy table of a block; its metadata hold what the rows do not say."""
    columns = _cell_columns(block)
    arrays = [pa.array(_nullable(columns[field.name]), field.type, from_pandas=True) for field in CELL_SCHEMA]
    about = {
        "schema_version": SCHEMA_VERSION,
        "formula": block.formula,
        "tags": block.tags,
        "schemes": block.schemes,
        "rules": block.rules,
        "shape": block.status.shape,
        "grid_size": block.grid_size,
    }
    return pa.Table.from_arrays(arrays, schema=CELL_SCHEMA.with_metadata({"diffbench": json.dumps(about)}))


def block_from_table(table: pa.Table, references: Iterable[Reference]) -> Block:
    """Return the block that a tidy table was made from."""
    about = json.loads((table.schema.metadata or {}).get(b"diffbench", b"{}"))
    if about.get("schema_version") != SCHEMA_VERSION:
        raise StoreError(f"cells: schema version {about.get('schema_version')!r} is not {SCHEMA_VERSION}")
    rows = {name: table.column(name) for name in table.column_names}
    where = _places(rows, about)
    reasons = ["", *sorted({reason for reason in rows["reason"].to_pylist() if reason})]
    labels = {status.label: int(status) for status in STATUSES}
    shape = tuple(about["shape"])

    def spread(values: Any, fill: Any, dtype: Any) -> Array:
        array = np.full(shape, fill, dtype=dtype)
        array[where] = values
        return array

    x = np.full(shape[1], np.nan)
    x[where[1]] = rows["x"].to_numpy()
    return Block(
        rows["function"][0].as_py(),
        about["formula"],
        tuple(about["tags"]),
        rows["derivative"][0].as_py(),
        rows["dtype"][0].as_py(),
        tuple(about["schemes"]),
        tuple(about["rules"]),
        about["grid_size"],
        x,
        tuple(references),
        spread(rows["epsilon"].to_numpy(), np.nan, np.float64),
        spread(rows["estimate"].to_numpy(), np.nan, np.float64),
        spread(rows["error_estimate"].to_numpy(), np.nan, np.float64),
        spread(rows["evaluations"].to_numpy(), 0, np.int32),
        spread([labels[label] for label in rows["status"].to_pylist()], Status.ABSENT, np.uint8),
        spread([reasons.index(reason or "") for reason in rows["reason"].to_pylist()], 0, np.uint16),
        tuple(reasons),
    )


def references_table(results: Results) -> pa.Table:
    """Return the references of a run, one row each."""
    rows = results.stored_references
    if rows is None:
        rows = [row for block in results.blocks for row in _reference_rows(block)]
    return pa.Table.from_pylist(rows, schema=REFERENCE_SCHEMA)


def reference_from_row(row: dict[str, Any]) -> Reference:
    """Return a reference as it stands in a row of the references, its value to 40 digits."""
    with mpmath.workdps(2 * VALUE_DIGITS):
        value, radius, left, right = (
            None if row[name] is None else mpmath.mpf(row[name]) for name in ("value", "radius", "left", "right")
        )
    rest = {name: row[name] for name in ("certified_digits", "verdict", "method", "hi", "lo")}
    return Reference(value=value, radius=radius, left=left, right=right, reason=row["reason"] or "", **rest)


def to_pandas(tables: list[pa.Table]) -> "pd.DataFrame":
    """Return Arrow tables as one frame whose columns keep null apart from NaN."""
    import pandas as pd

    joined = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    frame: pd.DataFrame = joined.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _decimal_text(value: Any) -> str | None:
    return None if value is None else str(mpmath.nstr(value, 17))


def _cell_columns(block: Block) -> dict[str, Array]:
    cells = np.nonzero(block.status != Status.ABSENT)
    scheme, point, column = cells
    in_grid = column < block.grid_size
    rules = np.array([None, *block.rules, None], dtype=object)
    measured = (
        "epsilon",
        "estimate",
        "error",
        "relative_error",
        "ulp_error",
        "digits",
        "evaluations",
        "error_estimate",
    )
    labels = np.array([status.label for status in STATUSES], dtype=object)
    indices = np.array([*range(block.grid_size), None], dtype=object)
    return {
        "function": np.full(scheme.size, block.function, dtype=object),
        "derivative": np.full(scheme.size, block.derivative),
        "dtype": np.full(scheme.size, block.dtype, dtype=object),
        "scheme": np.array(block.schemes, dtype=object)[scheme],
        "rule": rules[np.maximum(column - block.grid_size + 1, 0)],
        "point": point,
        "x": block.x[point],
        "epsilon_index": indices[np.where(in_grid, column, -1)],
        "reference": block.hi[point, 0],
        "reference_lo": block.lo[point, 0],
        **{name: getattr(block, name)[cells] for name in measured},
        "status": labels[block.status[cells]],
        "reason": np.array([text or None for text in block.reasons], dtype=object)[block.reason[cells]],
    }


def _nullable(values: Array) -> Array:
    """Return the values with everything that is not finite as NaN, which Arrow reads as null."""
    return np.where(np.isfinite(values), values, np.nan) if values.dtype.kind == "f" else values


def _places(rows: dict[str, Any], about: dict[str, Any]) -> tuple[Array, Array, Array]:
    """Return the indices of every row on the axes of the block."""
    scheme = {name: i for i, name in enumerate(about["schemes"])}
    extra = {rule: about["grid_size"] + i for i, rule in enumerate([*about["rules"], None])}
    columns = [
        extra[rule] if index is None else index
        for rule, index in zip(rows["rule"].to_pylist(), rows["epsilon_index"].to_pylist(), strict=True)
    ]
    schemes = [scheme[name] for name in rows["scheme"].to_pylist()]
    return np.array(schemes), rows["point"].to_numpy(), np.array(columns)


def _reference_rows(block: Block) -> Iterator[dict[str, Any]]:
    for point, (x, reference) in enumerate(zip(block.x, block.references, strict=True)):
        yield {
            "function": block.function,
            "derivative": block.derivative,
            "dtype": block.dtype,
            "point": point,
            "x": finite(x),
            **enclosing_text(reference, VALUE_DIGITS),
            "certified_digits": reference.certified_digits,
            "verdict": reference.verdict,
            "method": reference.method,
            "hi": finite(reference.hi),
            "lo": reference.lo,
            "left": _decimal_text(reference.left),
            "right": _decimal_text(reference.right),
            "reason": reference.reason or None,
        }
