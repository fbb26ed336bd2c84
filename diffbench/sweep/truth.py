"""The references of a block, and what they say of its cells."""

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt

from diffbench.functions.function import Function
from diffbench.reference.exact import Reference, is_defined, reference_at
from diffbench.sweep.cells import Part
from diffbench.sweep.results import Status

Array = npt.NDArray[Any]

_OUTSIDE = "x leaves the domain by rounding to the dtype"


def block_references(function: Function, x: Array, derivative: int) -> tuple[Reference, ...]:
    """Return the references at points of the working dtype."""
    return tuple(_reference(function, float(point), derivative) for point in x)


def _reference(function: Function, x: float, derivative: int) -> Reference:
    point = Fraction(x) if np.isfinite(x) else None
    if point is None or function.domain.interval_of(point) is None or not is_defined(function.formula, point):
        return Reference(None, 0, mpmath.inf, "uncertain", "ball", reason=_OUTSIDE)
    return reference_at(function.formula, point, derivative)


def judge_references(part: Part, references: tuple[Reference, ...]) -> None:
    """Mark the points whose reference is no number to measure against."""
    for point, reference in enumerate(references):
        here = np.arange(len(references))[:, None] == point
        if reference.verdict == "nondifferentiable":
            part.mark(here, Status.NONDIFFERENTIABLE, reference.reason)
        elif not reference.is_settled or reference.hi is None:
            part.mark(here, Status.UNCERTAIN, reference.reason)
        elif np.isinf(reference.hi):
            part.mark(here, Status.NONFINITE, "the reference overflows")


def judge_points(part: Part, references: tuple[Reference, ...]) -> None:
    """Mark the points that are outside the domain in this dtype."""
    outside = np.array([reference.reason == _OUTSIDE for reference in references])
    part.mark(outside[:, None], Status.DOMAIN, _OUTSIDE)
