"""The truth as two words hi + lo, and errors measured against it.

hi is the truth rounded to float64, lo the rest rounded to float64. Close to hi the difference estimate − hi is exact
(Sterbenz), and it is a multiple of the unit in the last place, of which lo is at most half; so
``(estimate − hi) − lo`` is right to a few units of 2^-53 *relative to the error itself*, which no single word can give.
Where lo underflows (truths below 1e-291) the bound is absolute.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import find_dtype
from diffbench.rounding import unit_roundoff

Array = npt.NDArray[Any]


def signed_error(estimate: Array, hi: Array, lo: Array) -> Array:
    """Return estimate − truth in float64.

    Parameters
    ----------
    estimate : array
        Of a dtype of at most 64 bits; shape (S, P, E), or any that broadcasts with the pair.
    hi, lo : array
        The truth, float64.

    Notes
    -----
    Within 4 × 2^-53 of the exact error, relative to the error itself.
    """
    with np.errstate(all="ignore"):
        wide = estimate.astype(np.float64, copy=False)
        error: Array = np.asarray(wide - hi)
        # In place: a second array of this size would cost more than the subtraction.
        return np.subtract(error, lo, out=error) if np.shape(lo) != () or error.ndim else error - lo


def wide_error(estimate: Array, hi: Array, lo: Array) -> Array:
    """Return estimate − truth, worked out in the dtype of all three and rounded to float64."""
    with np.errstate(all="ignore"):
        error: Array = ((estimate - hi) - lo).astype(np.float64)
    return error


def relative_error(error: Array, hi: Array) -> Array:
    """Return |error| / |truth|; NaN where the truth is 0."""
    with np.errstate(all="ignore"):
        return np.where(hi == 0, np.nan, np.abs(error) / np.abs(hi))


def unit_in_last_place(hi: Array, lo: Array, dtype: str) -> Array:
    """Return the spacing of the dtype's numbers in the binade of the exact truth, subnormals included.

    Where the truth lies just inside a power of two to which hi was rounded, the binade is the one below.
    """
    known = find_dtype(dtype)
    mantissa, exponent = np.frexp(np.abs(hi))
    below = (mantissa == 0.5) & (np.sign(lo) * np.sign(hi) < 0)
    lowest = known.lowest
    spacing = np.maximum(exponent - below - known.precision, lowest)
    return np.ldexp(np.ones_like(hi), np.where(hi == 0, lowest, spacing).astype(np.int32))


def ulp_error(error: Array, hi: Array, lo: Array, dtype: str) -> Array:
    """Return |error| in units of the last place of the exact truth."""
    with np.errstate(all="ignore"):
        return np.abs(error) / unit_in_last_place(hi, lo, dtype)


def correct_digits(relative: Array, dtype: str) -> Array:
    """Return −log10 max(relative error, u/2), finite; NaN where there is no relative error."""
    with np.errstate(all="ignore"):
        digits: Array = -np.log10(np.maximum(relative, unit_roundoff(dtype) / 2))
    # Adding 0 turns -0.0 into 0.0.
    return np.where(np.isinf(digits), np.nan, digits + 0.0)
