"""What the headline figures of a run are drawn from: how near schemes come to the best, at what price, and where.

A problem is a function at a point. It is judged where its reference is settled and its derivative is not 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.analysis.profiles import UNTAGGED
from diffbench.analysis.summary import ranking_rows, summary_columns
from diffbench.sweep.curves import Curves

Array = npt.NDArray[Any]

FACTORS = 10.0 ** (np.arange(49) / 3)
"""Multiples of the least error of any scheme, 1 to 10¹⁶."""

USUAL = "usual"

SETTLED = ("certified", "agreed")
"""Verdicts of references that errors are measured against."""

MAX_CLASSES = 20
"""How many classes, or functions, a figure has room for."""

LEAST_WINDOW = 5

MAX_PLACES = 50
"""At how many x a median along x is taken at most."""


@dataclass(frozen=True)
class Pool:
    """The problems of one derivative and dtype, over the axes S schemes, N problems.

    Attributes
    ----------
    derivative, dtype : int, str
        Which.
    schemes : tuple of str
        S names.
    curves : tuple of Curves
        Where all of it comes from.
    x : array
        (N,) points of the problems that could be judged.
    optimal : array
        (S, N) digits at the optimal epsilon; NaN where there is no answer.
    usual : array or None
        (S, N) digits at the usual epsilon; None where the run does not have that rule.
    zero, unsettled : int
        Problems left out: their derivative is 0, or their reference is not settled.
    """

    derivative: int
    dtype: str
    schemes: tuple[str, ...]
    curves: tuple[Curves, ...]
    x: Array
    optimal: Array
    usual: Array | None
    zero: int
    unsettled: int

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions, in the order in which they come."""
        return tuple(dict.fromkeys(part.function for part in self.curves))


def pools(curves: Iterable[Curves]) -> list[Pool]:
    """Return the problems of each derivative and dtype, in the order in which these come."""
    groups: dict[tuple[int, str], list[Curves]] = {}
    for part in curves:
        groups.setdefault((part.derivative, part.dtype), []).append(part)
    return [_pool(tuple(own)) for own in groups.values()]


def _pool(curves: tuple[Curves, ...]) -> Pool:
    schemes = tuple(dict.fromkeys(scheme for part in curves for scheme in part.schemes))
    settled = np.concatenate([[verdict in SETTLED for verdict in part.verdicts] for part in curves]).astype(bool)
    error = _aligned(curves, schemes, [part.oracle_error for part in curves])
    optimal = _aligned(curves, schemes, [part.oracle_digits for part in curves])
    # An error that has no digits is one of a derivative that is 0.
    zero = settled & (~np.isnan(error) & np.isnan(optimal)).any(axis=0)
    judged = settled & ~zero
    return Pool(
        curves[0].derivative,
        curves[0].dtype,
        schemes,
        curves,
        np.concatenate([part.x for part in curves])[judged],
        optimal[:, judged],
        _at_usual(curves, schemes, judged),
        int(zero.sum()),
        int((~settled).sum()),
    )


def _at_usual(curves: tuple[Curves, ...], schemes: tuple[str, ...], judged: Array) -> Array | None:
    if any(USUAL not in part.rules for part in curves):
        return None
    digits = [part.rule_digits[:, :, part.rules.index(USUAL)] for part in curves]
    return _aligned(curves, schemes, digits)[:, judged]


def _aligned(curves: Sequence[Curves], schemes: tuple[str, ...], values: Sequence[Array]) -> Array:
    """Return values of the curves, (schemes, points) each, beside each other; NaN for schemes that some lack."""
    columns = []
    for part, own in zip(curves, values, strict=True):
        column = np.full((len(schemes), own.shape[1]), np.nan)
        column[[schemes.index(scheme) for scheme in part.schemes]] = own
        columns.append(column)
    return np.concatenate(columns, axis=1)


def profile(digits: Array) -> Array:
    """Return the share of problems that each scheme solves to within :data:`FACTORS` of the least error of any.

    Parameters
    ----------
    digits : array
        (S, N), NaN where a scheme has no answer: it is within no factor. An error below half a unit roundoff has the
        digits of that half, so that luck beyond the precision of the dtype does not count.

    Returns
    -------
    array
        (S, F).

    References
    ----------
    E. D. Dolan, J. J. Moré, Benchmarking optimization software with performance profiles, Math. Program. 91 (2002)
    201-213.
    """
    known = np.where(np.isnan(digits), -np.inf, digits)
    with np.errstate(invalid="ignore"):
        # Where nobody has an answer this is ∞ − ∞, and nobody solves the problem.
        behind = known.max(axis=0, initial=-np.inf) - known
    within = behind[:, None, :] <= np.log10(FACTORS)[:, None]
    return np.asarray(within.sum(axis=-1) / max(digits.shape[1], 1))


class Work(NamedTuple):
    """What a scheme spends on an estimate, and its digits, as they are ranked; None where it has none."""

    scheme: str
    evaluations: int
    optimal: float | None
    usual: float | None


def work_and_digits(pool: Pool) -> list[Work]:
    """Return the evaluations and digits of each scheme, the best first: those of the ranking of the run."""
    return [
        Work(row["scheme"], row["evaluations"], row["optimal_digits"], row["usual_digits"])
        for row in ranking_rows(pool.curves)
    ]


def pareto_fronts(works: Iterable[Work]) -> list[list[Work]]:
    """Return the front, the schemes that no other matches in digits with fewer evaluations, the cheapest first.

    Where it is a single scheme, as the complex step often is, the front of the others comes after it.
    """
    measured = [work for work in works if work.optimal is not None]
    front = _front(measured)
    others = [work for work in measured if work not in front]
    return [each for each in (front, _front(others) if len(front) == 1 else []) if each]


def _front(measured: Iterable[Work]) -> list[Work]:
    front: list[Work] = []
    for work in sorted(measured, key=lambda work: (work.evaluations, -(work.optimal or 0.0), work.scheme)):
        if not front or (work.optimal or 0.0) > (front[-1].optimal or 0.0):
            front.append(work)
    return front


@dataclass(frozen=True)
class ClassDigits:
    """Digits of S schemes on the functions of each class.

    Attributes
    ----------
    what : str
        ``class``, or ``function`` where no functions share a class.
    names : tuple of str
        The classes, or functions; the hardest last.
    sizes : tuple of int
        How many functions each has.
    optimal, usual : array
        (classes, S) medians over the functions; NaN where there is nothing to measure.
    left_out : int
        Classes beyond :data:`MAX_CLASSES`, those of the fewest functions.
    """

    what: str
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    optimal: Array
    usual: Array
    left_out: int


def digits_by_class(pool: Pool) -> ClassDigits:
    """Return the digits on each class, the first tag of a function being its class.

    The digits of a function are the median over its points, and 0 where a scheme has none; a function that nobody can
    be measured on is left out.
    """
    classes = {part.function: (part.tags[0] if part.tags else UNTAGGED) for part in pool.curves}
    alone = len(set(classes.values())) == 1
    members: dict[str, list[str]] = {}
    for function, tag in classes.items():
        members.setdefault(function if alone else tag, []).append(function)
    optimal, usual = (_function_digits(pool, column) for column in ("optimal_digits", "usual_digits"))
    found = [
        (name, len(own), _median_over([optimal[each] for each in own]), _median_over([usual[each] for each in own]))
        for name, own in members.items()
    ]
    measured = [each for each in found if not np.isnan(each[2]).all()]
    kept = sorted(measured, key=lambda each: -each[1])[:MAX_CLASSES]
    kept.sort(key=lambda each: -float(np.nanmedian(each[2])))
    empty = np.empty((0, len(pool.schemes)))
    return ClassDigits(
        "function" if alone else "class",
        tuple(name for name, *_ in kept),
        tuple(size for _, size, *_ in kept),
        np.array([each[2] for each in kept]) if kept else empty,
        np.array([each[3] for each in kept]) if kept else empty,
        len(measured) - len(kept),
    )


def _function_digits(pool: Pool, column: str) -> dict[str, Array]:
    """Return the digits of all schemes on each function; NaN throughout where no scheme has any."""
    data = summary_columns(pool.curves)
    digits = {function: np.full(len(pool.schemes), np.nan) for function in pool.functions}
    for function, scheme, value in zip(data["function"], data["scheme"], data[column], strict=True):
        digits[function][pool.schemes.index(scheme)] = np.nan if value is None else value
    return {
        function: own if np.isnan(own).all() else np.where(np.isnan(own), 0.0, own) for function, own in digits.items()
    }


def _median_over(rows: list[Array]) -> Array:
    known = [row for row in rows if not np.isnan(row).all()]
    return np.median(known, axis=0) if known else np.full(rows[0].size, np.nan)


def window_of(problems: int) -> int:
    """Return how many problems a median along x takes: an eighth of them, at least 5."""
    return min(max(LEAST_WINDOW, problems // 8), problems)


def digits_along(x: Array, digits: Array) -> tuple[Array, Array]:
    """Return some x, rising, and the median digits of the problems around each, no answer as 0 digits.

    Parameters
    ----------
    x : array
        (N,).
    digits : array
        (S, N).

    Returns
    -------
    x, digits : array
        (D,) and (S, D). Each x once, the ends among them, at most :data:`MAX_PLACES`. Around an x are all problems at
        it, and as many beside them, in the order of x, as :func:`window_of` allows.
    """
    order = np.argsort(x, kind="stable")
    known = np.where(np.isnan(digits), 0.0, digits)[:, order]
    distinct, first, count = np.unique(x[order], return_index=True, return_counts=True)
    kept = np.unique(np.linspace(0, distinct.size - 1, min(distinct.size, MAX_PLACES)).round().astype(int))
    distinct, first, count = distinct[kept], first[kept], count[kept]
    beside = np.maximum(window_of(x.size) - count, 0)
    low = np.clip(first - beside // 2, 0, None)
    high = np.minimum(first + count + (beside + 1) // 2, x.size)
    medians = [np.median(known[:, a:b], axis=1) for a, b in zip(low, high, strict=True)]
    return distinct, np.array(medians).T.reshape(len(digits), distinct.size)


def ordinals(x: Array) -> Array:
    """Return the place of each float64 among all of them in order, 0 for 0 and negative for negative numbers."""
    bits = np.abs(np.asarray(x, dtype=np.float64)).view(np.int64)
    return np.where(np.asarray(x) < 0, -bits, bits)
