"""The cells of one block while they are filled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.sweep.results import Status

Array = npt.NDArray[Any]

_HIDDEN = (Status.UNSUPPORTED, Status.DOMAIN, Status.FAILED, Status.NONFINITE)


class Cells:
    """Arrays over schemes, points and columns, absent until a part of them is begun."""

    def __init__(self, schemes: int, points: int, columns: int) -> None:
        shape = (schemes, points, columns)
        self.epsilon = np.full(shape, np.nan)
        self.estimate = np.full(shape, np.nan)
        self.error_estimate = np.full(shape, np.nan)
        self.evaluations = np.zeros(shape, dtype=np.int32)
        self.status = np.full(shape, Status.ABSENT, dtype=np.uint8)
        self.reason = np.zeros(shape, dtype=np.uint16)
        self.reasons = [""]

    def begin(self, row: int, columns: slice, epsilon: Array | float, evaluations: int) -> "Part":
        """Return the cells of one scheme in some columns, all ok so far."""
        place = (row, slice(None), columns)
        self.epsilon[place] = np.where(np.isfinite(epsilon), epsilon, np.nan)
        self.evaluations[place] = evaluations
        self.status[place] = Status.OK
        return Part(
            self.estimate[place],
            self.error_estimate[place],
            self.evaluations[place],
            self.status[place],
            self.reason[place],
            self.reasons,
        )


@dataclass(frozen=True)
class Part:
    """Views, (P, C), of the cells of one scheme. Marks must come in rising precedence: the last one stands."""

    estimate: Array
    error_estimate: Array
    evaluations: Array
    status: Array
    reason: Array
    reasons: list[str]

    def mark(self, where: Array | bool, status: Status, reason: str) -> None:
        """Give cells a status with its reason."""
        mask = np.broadcast_to(where, self.status.shape)
        if not mask.any():
            return
        if reason not in self.reasons:
            self.reasons.append(reason)
        self.status[mask] = status
        self.reason[mask] = self.reasons.index(reason)

    def mark_some(self, outcomes: Mapping[tuple[int, ...], tuple[Status, str]], status: Status) -> None:
        """Give the cells with a status among some outcomes that status and their own reasons."""
        for place, (found, reason) in outcomes.items():
            if found is status:
                mask = np.zeros(self.status.shape, dtype=bool)
                mask[place] = True
                self.mark(mask, status, reason)

    def finish(self) -> None:
        """Leave out estimates that do not exist or do not count."""
        hidden = np.isin(self.status, _HIDDEN) | ~np.isfinite(self.estimate)
        self.estimate[hidden] = np.nan
        self.error_estimate[hidden | ~np.isfinite(self.error_estimate)] = np.nan
