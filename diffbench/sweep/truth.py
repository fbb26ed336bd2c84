"""The references of a block, and what they say of its cells."""

from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.functions.function import Function
from diffbench.reference.exact import references
from diffbench.reference.verdict import Reference, uncertain
from diffbench.sweep.cells import Part
from diffbench.sweep.results import Status

Array = npt.NDArray[Any]

_OUTSIDE = "x leaves the domain by rounding to the dtype"


def block_references(function: Function, x: Array, derivative: int, time_limit: float) -> tuple[Reference, ...]:
    """Return the references at points of the working dtype."""
    inside = x[function.domain.contains_array(x)].astype(np.float64).tolist()
    found = dict(zip(inside, references(function.formula, inside, derivative, time_limit=time_limit), strict=True))
    known = [found.get(point) for point in x.astype(np.float64).tolist()]
    return tuple(uncertain(_OUTSIDE) if reference is None else reference for reference in known)


class Truths:
    """What the references of a block say of its cells.

    Parameters
    ----------
    references : tuple of Reference
        One a point.
    """

    def __init__(self, references: tuple[Reference, ...]) -> None:
        self.references = references
        self._judged: dict[tuple[Status, str], Array] = {}
        for point, reference in enumerate(references):
            found = _judgement(reference)
            if found is not None:
                self._judged.setdefault(found, np.zeros((len(references), 1), dtype=bool))[point] = True
        self._outside = self._judged.get((Status.UNCERTAIN, _OUTSIDE))

    @property
    def has_judgements(self) -> bool:
        """Whether some point cannot be measured at."""
        return bool(self._judged)

    def judge_references(self, part: Part) -> None:
        """Mark the points whose reference is no number to measure against."""
        for (status, reason), points in self._judged.items():
            part.mark(points, status, reason)

    def judge_points(self, part: Part) -> None:
        """Mark the points that are outside the domain in this dtype."""
        part.mark(self._outside, Status.DOMAIN, _OUTSIDE)


def _judgement(reference: Reference) -> tuple[Status, str] | None:
    if reference.verdict == "certified" and reference.hi is not None and isfinite(reference.hi):
        return None
    if reference.verdict == "nondifferentiable":
        return Status.NONDIFFERENTIABLE, reference.reason
    if not reference.is_settled or reference.hi is None:
        return Status.UNCERTAIN, reference.reason
    return (Status.NONFINITE, "the reference overflows") if np.isinf(reference.hi) else None
