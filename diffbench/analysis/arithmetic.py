"""What the operations of a scheme round away: numbers that carry the variance of their rounding errors.

A scheme combines whatever can be added and multiplied. Combining :class:`Traced` numbers follows it operation by
operation: each result adds the variance of its own rounding, uniform in half a unit in the last place of the dtype, to
what its operands bring along.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import find_dtype

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Traced:
    """Numbers of a dtype with the variance of their rounding errors.

    Attributes
    ----------
    value, variance : array
        (E,) float64; in dtypes of more than 64 bits the variance is in units of u², which float64 might not hold.
    dtype : str
        In whose arithmetic they are rounded.

    References
    ----------
    N. J. Higham, Accuracy and Stability of Numerical Algorithms, SIAM 2002, section 2.8 (rounding errors as random) and
    theorem 2.5 (Sterbenz: a difference of numbers within a factor 2 is exact).
    """

    value: Array
    variance: Array
    dtype: str

    __array_ufunc__ = None
    """So that an array times a traced number is a traced number, too."""

    @classmethod
    def exact(cls, value: Array, dtype: str) -> Self:
        """Return numbers that nothing has been rounded away from."""
        return cls(value, np.zeros_like(value), dtype)

    def __add__(self, other: "Traced") -> "Traced":
        return self._sum(self.value + other.value, other)

    def __sub__(self, other: "Traced") -> "Traced":
        return self._sum(self.value - other.value, other)

    def __neg__(self) -> "Traced":
        return Traced(-self.value, self.variance, self.dtype)

    def __rmul__(self, number: Array) -> "Traced":
        return self._scaled(self.value * number, self.variance * number**2, number)

    def __truediv__(self, number: Array) -> "Traced":
        return self._scaled(self.value / number, self.variance / number**2, number)

    def _sum(self, total: Array, other: "Traced") -> "Traced":
        smaller = np.minimum(np.abs(self.value), np.abs(other.value))
        cancels = np.abs(total) <= smaller
        own = np.where(cancels, 0.0, rounding_variance(total, self.dtype))
        return Traced(total, self.variance + other.variance + own, self.dtype)

    def _scaled(self, value: Array, variance: Array, number: Array) -> "Traced":
        is_exact = np.abs(np.frexp(number)[0]) == 0.5
        return Traced(value, variance + np.where(is_exact, 0.0, rounding_variance(value, self.dtype)), self.dtype)


def rounding_variance(value: Array, dtype: str) -> Array:
    """Return the variance of rounding to the dtype: a twelfth of the squared spacing of its numbers.

    In dtypes of more than 64 bits it is in units of u².
    """
    if find_dtype(dtype).is_wide:
        spacing = np.where(value == 0, 0.0, np.ldexp(1.0, np.frexp(value)[1]))
    else:
        spacing = np.spacing(np.abs(value).astype(dtype)).astype(np.float64)
    return np.asarray(spacing**2 / 12)
