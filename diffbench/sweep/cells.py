"""The cells of one block while they are filled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.sweep.results import RECORDED, Record, Status

Array = npt.NDArray[Any]
Mask = Array | bool | None
"""Which cells; None is none of them."""

_HIDDEN = (Status.UNSUPPORTED, Status.DOMAIN, Status.FAILED, Status.NONFINITE)

COINCIDE = "nodes coincide or epsilon rounds to 0"
NO_ESTIMATE = "the estimate is not finite"
NO_VALUE = "f is not finite at a node"
UNDEFINED = "f is not defined or not real at a node"

_COMMON = ("", COINCIDE, NO_ESTIMATE, NO_VALUE, UNDEFINED)
"""Reasons that every block has room for, so that blocks measured together share their numbers."""


class Cells:
    """Arrays over schemes, points and columns, absent until a part of them is begun.

    Parameters
    ----------
    schemes, points, grid_size, others : int
        S, P, E and how many columns follow the grid's.
    answers : bool
        Whether a scheme or rule answers for itself how often it evaluated f, and how large its error is.
    records : bool
        Whether it is written down where some scheme evaluates f.
    dtype : dtype
        Of epsilons and estimates.
    """

    def __init__(
        self,
        schemes: int,
        points: int,
        grid_size: int,
        others: int,
        *,
        answers: bool,
        records: bool = False,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        shape = (schemes, points, grid_size + others)
        own = shape if answers else (schemes, points, 1)
        self._grid_size = grid_size
        self._answers = answers
        self._begun = 0
        self.chosen = np.full((schemes, points, others), np.nan, dtype)
        self.estimate = np.full(shape, np.nan, dtype) if answers else np.empty(shape, dtype)
        self.error_estimate = np.full(own, np.nan)
        self.evaluations = np.zeros(own, dtype=np.int32)
        self.records = np.full((len(RECORDED), *shape), np.nan) if records else None
        self.status = np.full(shape, Status.ABSENT, dtype=np.uint8)
        self.reason = np.zeros(shape, dtype=np.uint16)

    def reasons_of_a_section(self) -> list[str]:
        """Return the list that the reasons of a section are added to."""
        return list(_COMMON)

    def begin(self, row: int, columns: slice, evaluations: int) -> "Part":
        """Return the cells of one scheme in some columns, all ok so far."""
        place = (row, slice(None), columns)
        own = place if self._answers else (row,)
        self.evaluations[own] = evaluations
        status = self.status[place]
        status[...] = Status.OK
        self._begun += status.size
        reason = self.reason[place]
        records = None if self.records is None else self.records[(slice(None), *place)]
        return Part(
            self.estimate[place],
            self.error_estimate[own],
            self.evaluations[own],
            status,
            reason,
            list(_COMMON),
            records,
        )

    def choose(self, row: int, columns: slice, epsilon: Array | float, rows: slice = slice(None)) -> None:
        """Note the epsilons that a rule chose; those of the grid are known."""
        if columns.start >= self._grid_size:
            beyond = slice(columns.start - self._grid_size, columns.stop - self._grid_size)
            self.chosen[row, rows, beyond] = np.where(np.isfinite(epsilon), epsilon, np.nan)

    def leave_out(self) -> None:
        """Give cells that were never begun no estimate."""
        if self._begun < self.status.size:
            self.estimate[self.status == Status.ABSENT] = np.nan


@dataclass(frozen=True)
class Part:
    """Views, (P, C), of the cells of one scheme. Marks must come in rising precedence: the last one stands."""

    estimate: Array
    error_estimate: Array
    evaluations: Array
    status: Array
    reason: Array
    reasons: list[str]
    records: Array | None = None

    def fill(
        self, place: tuple[int, ...], estimate: float, error_estimate: float, evaluations: int, record: Record
    ) -> None:
        """Put an answer in its place."""
        self.estimate[place], self.error_estimate[place] = estimate, error_estimate
        self.evaluations[place] = evaluations
        if self.records is not None:
            for values, number in zip(self.records, record, strict=True):
                values[place] = number

    def of_section(self, rows: slice, reasons: list[str]) -> "Part":
        """Return the cells of some points, with reasons of their own."""
        estimates = (self.estimate[rows], self.error_estimate[rows], self.evaluations[rows])
        records = None if self.records is None else self.records[:, rows]
        return Part(*estimates, self.status[rows], self.reason[rows], reasons, records)

    def mark(self, where: Mask, status: Status, reason: str) -> None:
        """Give cells a status with its reason."""
        if where is None:
            return
        is_whole = isinstance(where, np.ndarray) and where.shape == self.status.shape
        mask: Array = np.asarray(where) if is_whole else np.broadcast_to(where, self.status.shape)
        if not mask.any():
            return
        if reason not in self.reasons:
            self.reasons.append(reason)
        self.status[mask] = status
        self.reason[mask] = self.reasons.index(reason)
        if status in _HIDDEN:
            self.estimate[mask] = np.nan

    def note(self, where: Array, reason: str) -> None:
        """Give cells that are ok a reason to know of."""
        mask = where & (self.status == Status.OK)
        if not mask.any():
            return
        if reason not in self.reasons:
            self.reasons.append(reason)
        self.reason[mask] = self.reasons.index(reason)

    def mark_some(self, outcomes: Mapping[tuple[int, ...], tuple[Status, str]], status: Status) -> None:
        """Give the cells with a status among some outcomes that status and their own reasons."""
        for place, (found, reason) in outcomes.items():
            if found is status:
                mask = np.zeros(self.status.shape, dtype=bool)
                mask[place] = True
                self.mark(mask, status, reason)
