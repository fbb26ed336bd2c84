"""Metrics: what is made of an error and what it is an error of. The catalogue."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.reference.pair import correct_digits, relative_error, ulp_error

Array = npt.NDArray[Any]


class References(NamedTuple):
    """What errors are measured against.

    Attributes
    ----------
    hi, lo : array
        The truth in two words, in a shape that broadcasts with the errors.
    dtype : str
        In which the estimates were worked out.
    """

    hi: Array
    lo: Array
    dtype: str


@dataclass(frozen=True)
class Metric:
    """A named measure of errors. The size of an error counts, not its sign: at an optimum only the size is known.

    Attributes
    ----------
    name : str
        Its column, and the end of the names of columns at the optimal epsilon.
    header : str
        What tables call it.
    unit : str
        In which it is.
    better : str
        ``smaller`` or ``larger``.
    description : str
        In one line.
    measure : callable
        Takes errors and their references; returns values of the same shape.
    """

    name: str
    header: str
    unit: str
    better: Literal["smaller", "larger"]
    description: str
    measure: Callable[[Array, References], Array] = field(compare=False)

    @property
    def optimal(self) -> str:
        """The column of its median at the optimal epsilon."""
        return f"optimal_{self.name}"

    @property
    def optimal_worst(self) -> str:
        """The column of its worst value there."""
        return f"{self.optimal}_worst"

    def values(self, errors: Array, references: References) -> Array:
        """Return the metric of errors; NaN where it is not finite.

        Examples
        --------
        >>> third = References(np.array([1 / 3]), np.array([2**-54 / 3]), "float64")
        >>> [f"{metric.values(np.array([1e-9]), third)[0]:.10g}" for metric in METRICS[:3]]
        ['3e-09', '18014398.51', '8.522878745']
        """
        with np.errstate(all="ignore"):
            values = self.measure(errors, references)
        return np.where(np.isfinite(values), values, np.nan)


def _relative(errors: Array, references: References) -> Array:
    return relative_error(errors, references.hi)


def _ulps(errors: Array, references: References) -> Array:
    return ulp_error(errors, references.hi, references.lo, references.dtype)


def _digits(errors: Array, references: References) -> Array:
    return correct_digits(relative_error(errors, references.hi), references.dtype)


# the catalogue --------------------------------------------------------------------------------------------------------

STORED = (
    Metric("relative_error", "relative error", "1", "smaller", "|error| / |exact|", _relative),
    Metric("ulp_error", "ulps", "ulp", "smaller", "|error| in units of the last place of the exact value", _ulps),
    Metric("digits", "digits", "decimal digits", "larger", "-log10 of the relative error, at most u/2", _digits),
)
"""Those that stand in the files of a run; schemes are ranked by the last."""

FURTHER: tuple[Metric, ...] = (
    # A line each.
)
"""Those that are worked out when tables are made: at the end of every cell's row, and at the optimal epsilon."""

METRICS = (*STORED, *FURTHER)
