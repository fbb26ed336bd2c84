"""Numbers of D decimal digits: the arithmetic of mpmath at a fixed precision, and its numbers in arrays of objects."""

from fractions import Fraction
from functools import cache
from threading import RLock
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
from mpmath import libmp

from diffbench.dtypes import find_dtype
from diffbench.rounding import round_to

Array = npt.NDArray[Any]

LOCK = RLock()
"""mpmath keeps constants and precisions where threads would meet: whoever computes with it holds this."""


class Arithmetic(mpmath.MPContext):  # type: ignore[misc]  # mpmath is untyped
    """mpmath at the precision of a dtype, whose numbers know in which they are.

    Attributes
    ----------
    dtype : str
        Its name.
    bits : int
        Its precision; that of the context is raised for a moment while a function is worked out.
    """

    dtype: str = ""
    bits: int = 0

    def rounded(self, value: Fraction) -> Any:
        """Return a rational as a number, rounded once to nearest even."""
        return self.make_mpf(libmp.from_rational(value.numerator, value.denominator, self.bits, "n"))

    def text(self, value: Any) -> str:
        """Return a finite number in so many decimals that it can be read back."""
        return str(libmp.to_str(value._mpf_, libmp.repr_dps(self.bits)))

    def read(self, text: str) -> Any:
        """Return the number that a text of it stands for."""
        return self.make_mpf(libmp.from_str(text, self.bits, "n"))

    def array(self, values: list[Any]) -> Array:
        """Return numbers, or rationals that are rounded, as an array of objects."""
        found = np.empty(len(values), dtype=object)
        found[:] = [self.rounded(value) if isinstance(value, Fraction) else value for value in values]
        return found


@cache
def arithmetic(dtype: str) -> Arithmetic:
    """Return the arithmetic of a dtype such as ``mp:50``.

    Examples
    --------
    >>> ten = arithmetic("mp:10")
    >>> ten.text(ten.rounded(Fraction(1, 3)))
    '0.3333333333321'
    """
    context = Arithmetic()
    context.dtype, context.bits = dtype, find_dtype(dtype).precision
    context.prec = context.bits
    return context


def one_rounded(value: Fraction, like: Array) -> Array:
    """Return a rational, rounded once into the dtype of an array, as an array of one number."""
    if like.dtype == object:
        return arithmetic_of(like).array([value])
    return np.array([round_to(value, like.dtype.name)], dtype=like.dtype)


def arithmetic_of(numbers: Array) -> Arithmetic:
    """Return the arithmetic that the numbers of an array are of."""
    found: Arithmetic = numbers.flat[0].context
    return found


def dtype_name(numbers: Array) -> str:
    """Return the name of the dtype of an array, also of one of mpmath's numbers."""
    return arithmetic_of(numbers).dtype if numbers.dtype == object else numbers.dtype.name
