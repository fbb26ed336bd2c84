"""What float64 does not hold of a block: numbers of wider dtypes as decimal texts that read back to the same bits."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import find_dtype
from diffbench.multiple import arithmetic
from diffbench.reference.pair import wide_error
from diffbench.reference.verdict import Reference
from diffbench.reference.wide import words_of
from diffbench.rounding import exact_float, exact_mpf, round_array

Array = npt.NDArray[Any]

TEXTS = ("x_text", "epsilon_text", "estimate_text")
"""Columns of the cells, in runs that have a dtype of more than 64 bits."""

WORDS = ("hi_text", "lo_text")
"""Columns of the references there."""


@dataclass(frozen=True)
class Wide:
    """Texts and errors of the cells of a block, over S schemes, P points, C columns.

    Attributes
    ----------
    x : array
        P points as texts; None where float64 holds them, or there is none.
    epsilon, estimate : array
        (S, P, C) texts.
    error : array or None
        (S, P, C) errors as float64, worked out in the dtype; None where float64 holds its numbers.
    words : tuple of pairs
        For each point hi and lo in the dtype, as texts.
    """

    x: Array
    epsilon: Array
    estimate: Array
    error: Array | None
    words: tuple[tuple[str | None, str | None], ...]

    @classmethod
    def nothing(cls, shape: tuple[int, ...]) -> "Wide":
        """Return what a block of a dtype of at most 64 bits has beside one of a wider dtype: columns without texts."""
        empty = np.full(shape, None, dtype=object)
        return cls(empty[0, :, 0], empty, empty, None, ((None, None),) * shape[1])

    def cut(self, rows: Sequence[int], points: Sequence[int], columns: Sequence[int]) -> "Wide":
        """Return those of some schemes, points and columns."""
        cells = np.ix_(rows, points, columns)
        error = None if self.error is None else self.error[cells]
        words = tuple(self.words[p] for p in points)
        return Wide(self.x[list(points)], self.epsilon[cells], self.estimate[cells], error, words)

    def joined(self, *others: "Wide") -> "Wide":
        """Return these with the points of the next blocks of the same function added."""
        parts = (self, *others)
        errors = [part.error for part in parts if part.error is not None]
        return Wide(
            np.concatenate([part.x for part in parts]),
            np.concatenate([part.epsilon for part in parts], axis=1),
            np.concatenate([part.estimate for part in parts], axis=1),
            np.concatenate(errors, axis=1) if errors else None,
            tuple(pair for part in parts for pair in part.words),
        )


def as_double(value: Any) -> float:
    """Return a number or rational as the nearest float64, NaN where there is none."""
    try:
        number = float(value)
    except OverflowError:
        return float("nan")
    return number if np.isfinite(number) else float("nan")


def exact_of(text: str, dtype: str) -> Fraction:
    """Return the number of a dtype of more than 64 bits that a text of it reads back to."""
    if find_dtype(dtype).is_multiple:
        return exact_mpf(arithmetic(dtype).read(text))
    return exact_float(np.longdouble(text))


def as_doubles(values: Array) -> Array:
    """Return numbers of numpy as float64, NaN where one is not finite there."""
    with np.errstate(over="ignore"):
        doubles = values.astype(np.float64)
    return np.where(np.isfinite(doubles), doubles, np.nan)


def texts_of(values: Array) -> Array:
    """Return the shortest decimal texts that numpy's widest numbers read back from; None where one is not finite."""
    distinct, places = np.unique(values, return_inverse=True)
    known = [str(value) if np.isfinite(value) else None for value in distinct]
    return np.array(known, dtype=object)[places].reshape(values.shape)


def wide_of(references: Sequence[Reference], x: Array, grid: Array, chosen: Array, estimate: Array) -> Wide:
    """Return what float64 does not hold of cells in a dtype.

    Parameters
    ----------
    references : sequence of Reference
        P references.
    x, grid, chosen, estimate : array
        P points, E epsilons of the grid, (S, P, C − E) others and (S, P, C) estimates, of the dtype or wider.
    """
    dtype = find_dtype(x.dtype.name)
    if not dtype.is_wide:
        return Wide.nothing(estimate.shape)
    known = [words_of(each, dtype.name) for each in references]
    nothing = np.array([np.nan], x.dtype)
    rounded = [nothing.repeat(2) if each is None else round_array(each, dtype.name) for each in known]
    hi, lo = np.array(rounded, x.dtype).reshape(-1, 2).T
    return Wide(
        texts_of(x),
        np.concatenate([np.broadcast_to(texts_of(grid), (*estimate.shape[:2], grid.size)), texts_of(chosen)], axis=-1),
        texts_of(estimate),
        wide_error(estimate, hi[:, None], lo[:, None]),
        tuple(zip(texts_of(hi), texts_of(lo), strict=True)),
    )
