"""What libraries make of the epsilon that they are told, and how near their best one brings them to their peer's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.analysis.outcomes import Contestant, median, peer_name
from diffbench.errors import EmptySelectionError
from diffbench.schemes.scheme import split_derivative
from diffbench.sweep.curves import Curves
from diffbench.sweep.results import NO_CELLS, RECORDED, Block, Results

Array = npt.NDArray[Any]

NEAR = 1e-3
"""A node at ε is one within this of it, relatively, and a rounding of x."""

TOLD_CRITERION = (
    "digits at the optimal ε, median over all points whose derivative is not 0, beside those of the peer, the scheme "
    f"of the same class; at ε: share of the cells whose nearest node is ε away (to {NEAR:g}); moved: share of the "
    "curves whose nearest node changes with ε at all"
)


def told_rows(results: Results, contestants: Sequence[Contestant]) -> list[dict[str, Any]]:
    """Return one row for each library that was swept × derivative × dtype, by :data:`TOLD_CRITERION`."""
    if not results.blocks:
        raise EmptySelectionError(NO_CELLS)
    by_name = {each.name: each for each in contestants}
    groups: dict[tuple[str, int, str], list[_Part]] = {}
    for block, curves in zip(results.blocks, results.curves, strict=True):
        for row, scheme in enumerate(block.schemes):
            own = by_name.get(split_derivative(scheme)[0])
            if own is not None and np.isfinite(_nearest(block, row)).any():
                groups.setdefault((own.name, block.derivative, block.dtype), []).append(_Part(block, curves, row, own))
    return [_row(*key, parts) for key, parts in groups.items()]


class _Part:
    """A library in a block."""

    def __init__(self, block: Block, curves: Curves, row: int, contestant: Contestant) -> None:
        self.contestant = contestant
        self.nearest = _nearest(block, row)
        # x + ε is rounded, so a node at ε is a little off.
        room = NEAR * block.grid + np.spacing(np.abs(block.x).astype(block.dtype)).astype(np.float64)[:, None]
        known = np.isfinite(self.nearest)
        self.at_epsilon = (np.abs(self.nearest - block.grid) <= room)[known]
        self.digits = curves.oracle_digits[row]
        peer = peer_name(contestant.peer, block.derivative)
        place = curves.schemes.index(peer) if peer in curves.schemes else None
        self.peer_digits = np.full(self.digits.shape, np.nan) if place is None else curves.oracle_digits[place]


def _nearest(block: Block, row: int) -> Array:
    """Return how near the nearest node is in the cells of a curve, (P, E)."""
    if block.records is None:
        return np.full((block.x.size, block.grid_size), np.nan)
    nearest: Array = block.records[RECORDED.index("nearest_node"), row, :, : block.grid_size]
    return nearest


def _row(library: str, derivative: int, dtype: str, parts: list[_Part]) -> dict[str, Any]:
    return {
        "library": library,
        "package": parts[0].contestant.package,
        "derivative": derivative,
        "dtype": dtype,
        "digits": _median_digits([part.digits for part in parts]),
        "peer": parts[0].contestant.peer,
        "peer_digits": _median_digits([part.peer_digits for part in parts]),
        "at_epsilon": _share(np.concatenate([part.at_epsilon for part in parts])),
        "moved": _share(np.concatenate([_moves(part.nearest) for part in parts])),
    }


def _share(found: Array) -> float | None:
    return float(found.mean()) if found.size else None


def _median_digits(parts: list[Array]) -> float | None:
    digits = np.concatenate(parts)
    return median(digits[~np.isnan(digits)])


def _moves(nearest: Array) -> Array:
    """Return whether the nearest node of each curve is not always the same, for the curves that have two of them."""
    known = nearest[np.isfinite(nearest).sum(axis=1) > 1]
    return np.array(np.nanmin(known, axis=1) < np.nanmax(known, axis=1)) if known.size else np.zeros(0, dtype=bool)
