"""Results as one xarray Dataset: the blocks of a run side by side on named axes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import EmptySelectionError, InputError
from diffbench.reference import metrics
from diffbench.reference.parts import PARTS
from diffbench.sweep.results import NO_CELLS, Block, Direction, Results, Status

if TYPE_CHECKING:
    import xarray as xr

Array = npt.NDArray[Any]

CELL = ("function", "derivative", "dtype", "scheme", "point", "column")
REFERENCE = ("function", "derivative", "dtype", "point")

_MEASURED = (
    *("epsilon", "estimate", "error", "relative_error", "ulp_error", "digits", "error_estimate"),
    *("evaluations", "status"),
)


def dataset(results: Results) -> "xr.Dataset":
    """Return the cells of a run as :meth:`Results.to_xarray` promises."""
    try:
        import xarray as xr
    except ImportError:
        raise InputError("xarray: not installed; pip install 'diffbench[xarray]'") from None
    if not results.blocks:
        raise EmptySelectionError(NO_CELLS)
    blocks = [results.block(*key) for key in results.keys]
    labels = _labels(blocks)
    sizes = {axis: len(names) for axis, names in labels.items()} | _extents(blocks)
    variables: dict[str, tuple[tuple[str, ...], Array]] = {}
    for block in blocks:
        for axes, name, values in _values(block):
            if name not in variables:
                variables[name] = axes, _nothing([sizes[axis] for axis in axes], values.dtype)
            _put(variables[name][1], block, values, labels, sizes["grid"])
    found = xr.Dataset(variables, {**labels, **_columns(blocks[0], sizes["grid"], sizes["column"])})
    meanings = " ".join(status.label for status in Status)
    found["status"].attrs = {"flag_values": [int(status) for status in Status], "flag_meanings": meanings}
    return found


def _put(whole: Array, block: Block, values: Array, labels: dict[str, list[Any]], grid: int) -> None:
    """Put the values of a block where its labels are; what is beyond its own grid stands beyond the longest one."""
    function, derivative, dtype = (labels[axis].index(name) for axis, name in zip(REFERENCE, block.key, strict=False))
    if values.ndim == 1:
        whole[function, derivative, dtype, : values.size] = values
    else:
        schemes = [labels["scheme"].index(name) for name in block.schemes]
        own = whole[function, derivative, dtype]
        points, size = values.shape[1], block.grid_size
        own[schemes, :points, :size] = values[..., :size]
        own[schemes, :points, grid : grid + values.shape[2] - size] = values[..., size:]


def _nothing(shape: Sequence[int], dtype: Any) -> Array:
    """Return what stands where no cell is: NaN, no evaluations, absent, no text."""
    if dtype.kind == "O":
        return np.full(shape, "", dtype)
    return np.full(shape, np.nan if dtype.kind == "f" else int(Status.ABSENT) if dtype == np.int8 else 0, dtype)


def _labels(blocks: Sequence[Block]) -> dict[str, list[Any]]:
    """Return the labels of the axes that have names, in the order of the plan."""
    keys = zip(*(block.key for block in blocks), strict=True)
    labels = {axis: list(dict.fromkeys(names)) for axis, names in zip(REFERENCE, keys, strict=False)}
    return labels | {"scheme": list(dict.fromkeys(scheme for block in blocks for scheme in block.schemes))}


def _extents(blocks: Sequence[Block]) -> dict[str, int]:
    """Return how long the axes are that only count."""
    grid = max(block.grid_size for block in blocks)
    beyond = max(block.status.shape[2] - block.grid_size for block in blocks)
    return {"point": max(block.x.size for block in blocks), "grid": grid, "column": grid + beyond}


def _values(block: Block) -> Iterator[tuple[tuple[str, ...], str, Array]]:
    """Yield the variables of a block: axes, name, values."""
    for name in _MEASURED:
        values = getattr(block, name)
        yield CELL, name, values.astype(np.int8) if name == "status" else values
    for metric in metrics.FURTHER:
        yield CELL, metric.name, block.measured(metric)
    for name, values in zip(PARTS, () if block.parts is None else block.parts, strict=False):
        yield CELL, name, values
    for name in Direction._fields if block.directions else ():
        yield REFERENCE, name, np.array([getattr(each, name) for each in block.directions], dtype=object)
    yield REFERENCE, "x", block.x
    yield REFERENCE, "reference", block.hi[:, 0]
    yield REFERENCE, "reference_lo", block.lo[:, 0]


def _columns(first: Block, grid: int, size: int) -> dict[str, tuple[str, Array]]:
    """Return what the columns are: an epsilon of the grid by its index, or the one that a rule chose."""
    index, rule = np.arange(size), np.full(size, "", dtype=object)
    index[grid:] = -1
    rule[grid : grid + len(first.rules)] = first.rules
    return {"epsilon_index": ("column", index), "rule": ("column", rule.astype(str))}
