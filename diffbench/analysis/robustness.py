"""How robust an optimum is: what the epsilons beside it and the points beside it would have given.

For each curve the digits of single cells around the optimal epsilon are compared with the digits of the oracle, which
is the running-median error there. A neighbour is the next epsilon of the grid, by default a quarter of a decade away. A
cell that is not ok counts as 0 digits; beyond the ends of the grid there is no neighbour. A curve is brittle where the
optimum's own cell or one neighbour to either side is more than 1 digit worse than the oracle.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diffbench.reference.pair import correct_digits, relative_error
from diffbench.rounding import finite
from diffbench.sweep.curves import running_median
from diffbench.sweep.results import Block, Results, Status

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
Row = dict[str, Any]

NEIGHBOURS = 2
"""How many neighbours to either side the spread is taken over."""

BRITTLE = 1.0
"""Digits that one neighbour may cost."""


@dataclass(frozen=True)
class Brittleness:
    """The neighbourhood of the optima of a block, arrays (S, P); NaN where the reference is 0 or no cell is ok.

    Attributes
    ----------
    optimal_epsilon : array
        The optimal epsilon.
    digits : array
        Digits of the running-median error there.
    luck : array
        How many more the luckiest single cell of the curve has.
    spread : array
        Most less least digits of the single cells at the optimum and its two neighbours to either side.
    digits_lost : array
        Digits less those of the worst of three cells, the optimum's own and the two beside it; 0 where none is worse.
    """

    optimal_epsilon: Array
    digits: Array
    luck: Array
    spread: Array
    digits_lost: Array


def brittleness(block: Block) -> Brittleness:
    """Return the neighbourhood of the optima of a block that has a grid."""
    is_ok = block.status[:, :, : block.grid_size] == Status.OK
    error = np.where(is_ok, np.abs(block.error[:, :, : block.grid_size]), np.nan)
    smooth = running_median(error)
    best = np.argmin(np.where(np.isnan(smooth), np.inf, smooth), axis=-1)[..., None]
    single, medians = (correct_digits(relative_error(each, block.hi), block.dtype) for each in (error, smooth))
    oracle = np.take_along_axis(medians, best, axis=-1)
    around = _around(np.where(is_ok, single, 0.0), best)
    beside = around[..., NEIGHBOURS - 1 : NEIGHBOURS + 2]
    known = ~np.isnan(oracle[..., 0])
    luckiest = np.max(np.where(np.isnan(single), -np.inf, single), axis=-1)
    lost = oracle[..., 0] - np.min(np.where(np.isnan(beside), np.inf, beside), axis=-1)
    return Brittleness(
        np.where(known, block.grid[best[..., 0]], np.nan),
        oracle[..., 0],
        np.where(known, luckiest - oracle[..., 0], np.nan),
        np.where(known, _range(around), np.nan),
        np.where(known, np.maximum(lost, 0.0), np.nan),
    )


def _around(digits: Array, best: Array) -> Array:
    """Return the digits at the optimum and its neighbours, (S, P, 5), NaN beyond the ends of the grid."""
    places = best + np.arange(-NEIGHBOURS, NEIGHBOURS + 1)
    inside = (places >= 0) & (places < digits.shape[-1])
    taken = np.take_along_axis(digits, np.where(inside, places, 0), axis=-1)
    return np.where(inside, taken, np.nan)


def _range(values: Array) -> Array:
    """Return the largest less the least along the last axis; NaN are left out, and stay where there is nothing else."""
    unknown = np.isnan(values)
    largest, least = (np.where(unknown, end, values) for end in (-np.inf, np.inf))
    found: Array = np.where(unknown.all(axis=-1), np.nan, largest.max(axis=-1) - least.min(axis=-1))
    return found


def robustness(results: Results) -> "pd.DataFrame":
    """Return one row for each function × derivative × dtype × scheme that is swept over epsilon.

    Columns, over the points whose derivative is not 0: the median digits at the optimum; by how much the luckiest cell
    promises more (`luck`); the `spread` of the digits within two neighbours; the digits that one neighbour costs,
    median and worst; how many points are brittle; the range of the digits and of log10 of the optimal epsilon over the
    points; the verdict, ``brittle`` where the median of the digits that one neighbour costs is above 1, else
    ``steady``.

    Raises
    ------
    EmptySelectionError
        If the results have no cells.

    Examples
    --------
    >>> from diffbench import Spec, run
    >>> frame = robustness(run(Spec(["exp", "sin-100x"], ["central-2"])))
    >>> frame["verdict"].tolist()
    ['steady', 'steady']
    """
    import pandas as pd

    return pd.DataFrame(robustness_rows(results)).convert_dtypes(dtype_backend="pyarrow")


def robustness_rows(results: Results) -> list[Row]:
    """Return the table as rows; None for what is not known."""
    return [row for block in _blocks(results) for row in _rows_of(block)]


def curve_rows(results: Results) -> list[Row]:
    """Return one row for each curve, with its optimum, the digits around it, and the verdict."""
    return [row for block in _blocks(results) for row in _curves_of(block)]


def _blocks(results: Results) -> Iterator[Block]:
    for key in results.keys:
        block = results.block(*key)
        if block.grid_size:
            yield block


def _curves_of(block: Block) -> Iterator[Row]:
    found = brittleness(block)
    for s, p in np.ndindex(found.digits.shape):
        if _is_swept(block, s):
            numbers = {name: finite(getattr(found, name)[s, p]) for name in Brittleness.__dataclass_fields__}
            yield _key(block, s) | {
                "point": block.first + p,
                "x": float(block.x[p]),
                **numbers,
                "verdict": _verdict(numbers["digits_lost"]),
            }


def _rows_of(block: Block) -> Iterator[Row]:
    found = brittleness(block)
    ranges = _range(found.digits), _range(np.log10(found.optimal_epsilon))
    for s in range(len(block.schemes)):
        if _is_swept(block, s):
            lost = found.digits_lost[s][~np.isnan(found.digits_lost[s])]
            yield _key(block, s) | {
                "points": lost.size,
                "digits": _median(found.digits[s]),
                "luck": _median(found.luck[s]),
                "spread": _median(found.spread[s]),
                "digits_lost": _median(lost),
                "digits_lost_worst": finite(lost.max()) if lost.size else None,
                "brittle_points": int(np.count_nonzero(lost > BRITTLE)),
                "range_over_points": finite(ranges[0][s]),
                "epsilon_decades_over_points": finite(ranges[1][s]),
                "verdict": _verdict(_median(lost)),
            }


def _is_swept(block: Block, s: int) -> bool:
    return bool((block.status[s, :, : block.grid_size] != Status.ABSENT).any())


def _key(block: Block, s: int) -> Row:
    return {
        "function": block.function,
        "derivative": block.derivative,
        "dtype": block.dtype,
        "scheme": block.schemes[s],
    }


def _median(values: Array) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else None


def _verdict(lost: float | None) -> str | None:
    if lost is None:
        return None
    return "brittle" if lost > BRITTLE else "steady"
