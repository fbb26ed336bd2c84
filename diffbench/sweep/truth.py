"""The references of a block, and what they say of its cells."""

from collections.abc import Sequence
from fractions import Fraction
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import find_dtype
from diffbench.functions.function import Function
from diffbench.reference.exact import references
from diffbench.reference.reverse import cost_references
from diffbench.reference.verdict import Reference, uncertain
from diffbench.reference.wide import wide_references
from diffbench.rounding import exact_values
from diffbench.sweep.cells import Part
from diffbench.sweep.results import Status

Array = npt.NDArray[Any]

_OUTSIDE = "x leaves the domain by rounding to the dtype"


def block_references(function: Function, x: Array, derivative: int, time_limit: float) -> tuple[Reference, ...]:
    """Return the references at points of the working dtype."""
    if function.model is not None and function.parameter is not None:
        return (cost_references(function.model, x.dtype.name, derivative)[function.parameter],)
    inside = exact_values(x[function.domain.contains_array(x)])
    dtype = find_dtype(x.dtype.name)
    if dtype.is_wide:
        own = wide_references(function.formula, inside, derivative, dtype.name, time_limit)
    else:
        own = references(function.formula, inside, derivative, time_limit=time_limit)
    found = dict(zip(inside, own, strict=True))
    finite = np.isfinite(x)
    exact = iter(exact_values(x[finite]))
    known = [found.get(next(exact)) if each else None for each in finite.tolist()]
    return tuple(uncertain(_OUTSIDE) if reference is None else reference for reference in known)


def multiple_references(
    function: Function, x: Sequence[Fraction], derivative: int, dtype: str, time_limit: float
) -> tuple[Reference, ...]:
    """Return the references at exact points of a dtype that has no arrays."""
    if function.model is not None and function.parameter is not None:
        return (cost_references(function.model, dtype, derivative)[function.parameter],)
    inside = [point for point in x if function.domain.interval_of(point) is not None]
    found = dict(zip(inside, wide_references(function.formula, inside, derivative, dtype, time_limit), strict=True))
    known = [found.get(point) for point in x]
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
