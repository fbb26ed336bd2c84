"""The dtypes of a run side by side: digits at the optimum against the model, and how they grow with the precision.

The least error of a scheme that cancels is where a truncation error of order ε^p meets a rounding error u/ε^m, and so
it goes like u^(p/(m+p)). That exponent is fitted, scheme by scheme, to the least errors in the dtypes of a run. For
fourth derivatives float64 is hardly asymptotic, so that longdouble and ``mp:D`` are worth their time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import comb, log10
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.analysis.model import PointModel
from diffbench.analysis.predict import (
    AS_GOOD,
    Optimum,
    digits_of,
    functions_of,
    measured_curve,
    modelled_curves,
    note,
    optimum,
)
from diffbench.dtypes import find_dtype
from diffbench.functions.function import Function
from diffbench.rounding import unit_roundoff
from diffbench.schemes.scheme import CENTRE, DifferenceScheme, parse_scheme
from diffbench.sweep.curves import NEIGHBOURS
from diffbench.sweep.results import Block, Results

Array = npt.NDArray[Any]
Mapping = Callable[..., Iterable[Any]]

SMOOTH = "smooth"
"""The tag of functions that the exponent is fitted to; all are taken where none has it."""

TOLERANCE = 0.05
"""How far the fitted exponent may be from the proved one."""

NEAR, FAR = 0.5, 1.5
"""Digits: what the median of observed and modelled digits may differ by, and what nine in ten may."""

SOME_DIGITS = 0.5
"""With fewer digits than these an error says nothing of an order."""

MANY_ULPS = 16.0
"""A function that is wrong by so many u |f| loses digits."""

AS_DENSE = 1.1
"""Grids whose epsilons are this much farther apart have larger least errors: their running medians span more of ε."""

SAME_ERROR, SAME_ERRORS = 0.02, 3
"""So many errors of the five of a running median that are the same, to this part of themselves, are no noise."""

REASONS = (
    "complex values of f are more or less accurate than the real ones that the model knows",
    "all rounding errors happen to cancel: the estimate is right to the last bit",
    "f or its derivative is below the normal numbers of the dtype",
    "a term of the truncation vanishes at the point",
    "f loses digits: its rounding errors are few different numbers, not noise",
    "the optimum is at an end of the grid",
    "sums of f can be few different numbers, one of which is nearly right at several epsilons",
    "f loses digits at a node, as near a zero of it, and the model takes it to do so around there too",
    "none of these",
)
"""Why observed and modelled digits may differ by more than :data:`FAR`, in the order in which they are asked for."""


class Case(NamedTuple):
    """The optimum of a curve that the error model covers, observed and modelled.

    Attributes
    ----------
    function, derivative, dtype, scheme, point, x
        Which curve.
    is_smooth : bool
        Whether the function is tagged as smooth.
    observed, modelled : float
        Digits at the optimum, of the running median; below 0 where there are none.
    has_law : bool
        Whether the model has a minimum inside the grid, where a truncation error meets a rounding error.
    reason : str
        Why both differ by more than :data:`FAR` digits; empty where they do not.
    spacing : float
        How many decades the epsilons of the grid are apart.
    """

    function: str
    derivative: int
    dtype: str
    scheme: str
    point: int
    x: float
    is_smooth: bool
    observed: float
    modelled: float
    has_law: bool
    reason: str
    spacing: float = 0.25

    @property
    def gap(self) -> float:
        """Observed less modelled digits; fewer than 0 are none, as an estimate of 0 has, however large errors are."""
        return max(self.observed, 0.0) - max(self.modelled, 0.0)

    @property
    def has_digits(self) -> bool:
        """Whether there are enough of them to say something of an order, observed and modelled ones."""
        return min(self.observed, self.modelled) > SOME_DIGITS


class Exponent(NamedTuple):
    """How the least error of a scheme goes with u.

    Attributes
    ----------
    scheme, derivative, order : str, int, int
        Which, and its proved order.
    proved : float
        The exponent by theory.
    fitted, low, high : float
        The median over functions of the slopes of log error against log u, for each the median over its points, and a
        distribution-free interval that holds it in 19 of 20 cases.
    modelled : float
        The same of the modelled errors.
    curves, functions : int
        How many slopes there are, and of how many functions.
    """

    scheme: str
    derivative: int
    order: int
    proved: float
    fitted: float
    low: float
    high: float
    modelled: float
    curves: int
    functions: int

    @property
    def is_as_proved(self) -> bool:
        """Whether it is within :data:`TOLERANCE` of the proved one."""
        return abs(self.fitted - self.proved) <= TOLERANCE

    @property
    def reason(self) -> str:
        """Why it is not as proved; empty where it is."""
        if self.is_as_proved:
            return ""
        if abs(self.fitted - self.modelled) <= TOLERANCE:
            return "the model has the same: at the optimum ε is too large for the first term of the truncation alone"
        return "too few curves to tell" if self.low <= self.proved <= self.high else "none is known"


def cases(results: Results, functions: Sequence[Function] = (), mapping: Mapping = map) -> list[Case]:
    """Return the optimum of every curve that the error model covers and that has digits.

    Parameters
    ----------
    results : Results
        A run with cells.
    functions : sequence of Function
        Those of the run that have their own implementation, which a run does not keep.
    mapping : callable
        What takes the place of ``map``, such as that of an executor.
    """
    known = functions_of(results) | {function.name: function for function in functions}
    own = [known.get(block.function) for block in results.blocks]
    return [case for found in mapping(_cases_of, results.blocks, own) for case in found]


def _cases_of(block: Block, function: Function | None) -> list[Case]:
    return list(_each_case(block, function))


def _spacing(grid: Array) -> float:
    """Return how many decades the epsilons of a grid are apart in the median; 0 where there are not two."""
    used = grid[grid > 0].astype(float)
    return float(np.median(-np.diff(np.log10(used)))) if used.size > 1 else 0.0


def _each_case(block: Block, function: Function | None) -> Iterator[Case]:
    for s, p, scheme, model in modelled_curves(block, function):
        parts = model.parts(scheme)
        expected, best = optimum(parts.smooth_error, AS_GOOD), optimum(measured_curve(block, s, p))
        if expected is None or best is None:
            continue
        observed, modelled = digits_of(best.error, block, p), digits_of(expected.error, block, p)
        if observed is None or modelled is None:
            continue
        has_law = not scheme.cancels or (expected.is_inside and bool(np.any(parts.truncation[parts.usable])))
        case = Case(
            *(block.function, block.derivative, block.dtype, block.schemes[s], block.first + p, float(block.x[p])),
            is_smooth=SMOOTH in block.tags,
            observed=observed,
            modelled=modelled,
            has_law=has_law,
            reason="",
            spacing=_spacing(block.grid),
        )
        if abs(case.gap) > FAR:
            case = case._replace(reason=_reason(case, scheme, model, (expected, best), block))
        yield case


def _reason(
    case: Case, scheme: DifferenceScheme, model: PointModel, optima: tuple[Optimum, Optimum], block: Block
) -> str:
    """Return the first of the reasons that holds."""
    expected, best = optima
    u = unit_roundoff(case.dtype)
    steps = [float(k.real) * float(block.grid[best.place]) for k in scheme.offsets if k.real and not k.imaginary]
    value = float(np.abs(model.near.rough(np.array([case.x])))[0])
    tiny = 2.0 ** find_dtype(case.dtype).least_exponent
    is_better = case.gap > 0
    holds = (
        scheme.needs_complex,
        is_better and 10.0**-case.observed <= u,
        value < tiny or abs(model.derivative) < tiny,
        "= 0" in note(scheme, model.parts(scheme), expected, model),
        _ulps_lost(model, [u]) > MANY_ULPS,
        best.place == 0 or not best.is_inside,
        is_better and _has_same_errors(block.error[block.schemes.index(case.scheme), case.point - block.first], best),
        is_better and _ulps_lost(model, steps) > MANY_ULPS,
        True,
    )
    return REASONS[holds.index(True)]


def _ulps_lost(model: PointModel, steps: Sequence[float]) -> float:
    """Return how wrong f is at most, by the model, some steps from x, in u |f|."""
    apart = np.array(steps)
    values = np.abs(model.near.rough(model.near.x + apart))
    with np.errstate(all="ignore"):
        lost = model.near.noise(apart, values) / (unit_roundoff(model.near.dtype) * values)
    return float(np.max(lost, where=np.isfinite(lost), initial=0.0))


def _has_same_errors(error: Array, best: Optimum) -> bool:
    """Return whether the errors that the least running median is of are the same at several epsilons."""
    half = NEIGHBOURS // 2
    around = np.abs(error[max(best.place - half, 0) : best.place + half + 1])
    return bool(np.count_nonzero(np.abs(around - best.error) <= SAME_ERROR * best.error) >= SAME_ERRORS)


# exponents ------------------------------------------------------------------------------------------------------------


def exponents(found: Sequence[Case]) -> list[Exponent]:
    """Return the exponent of every scheme whose least errors are known in several dtypes at the same points.

    Only curves count that the law is about: of smooth functions, with a minimum inside the grid, and with digits, each
    in the dtypes in which that is so. Grids must be as dense as the densest.
    """
    has_tags = any(case.is_smooth for case in found)
    widest = AS_DENSE * min((case.spacing for case in found), default=0.0)
    groups: dict[tuple[int, str], dict[tuple[str, int], list[Case]]] = {}
    for case in found:
        curves = groups.setdefault((case.derivative, case.scheme), {})
        is_meant = (case.is_smooth or not has_tags) and case.spacing <= widest
        if is_meant and case.has_law and case.has_digits:
            curves.setdefault((case.function, case.point), []).append(case)
    fits = (_exponent(derivative, scheme, list(curves.values())) for (derivative, scheme), curves in groups.items())
    return sorted((fit for fit in fits if fit is not None), key=lambda fit: fit.derivative)


def _exponent(derivative: int, name: str, curves: list[list[Case]]) -> Exponent | None:
    several = [own for own in curves if len({case.dtype for case in own}) > 1]
    if not several:
        return None
    scheme = parse_scheme(name, derivative)
    fitted, modelled = (_slopes(several, what) for what in ("observed", "modelled"))
    low, high = median_interval(fitted)
    return Exponent(
        *(name, derivative, scheme.order, proved_exponent(scheme)),
        *(float(np.median(fitted)), low, high, float(np.median(modelled))),
        *(len(several), len(fitted)),
    )


def _slopes(curves: Sequence[Sequence[Case]], what: str) -> Array:
    """Return the median slope of each function, rising, of observed or modelled digits."""
    slopes = [(own[0].function, _slope({case.dtype: getattr(case, what) for case in own})) for own in curves]
    return _by_function(slopes)


def _slope(digits: dict[str, float]) -> float:
    """Return the slope of log error against log u over dtypes, by least squares."""
    x = np.array([-log10(unit_roundoff(dtype)) for dtype in digits])
    return float(np.dot(x - x.mean(), list(digits.values())) / np.dot(x - x.mean(), x - x.mean()))


def _by_function(slopes: Sequence[tuple[str, float]]) -> Array:
    """Return the median of the slopes of each function, rising."""
    functions: dict[str, list[float]] = {}
    for function, slope in slopes:
        functions.setdefault(function, []).append(slope)
    return np.sort([np.median(own) for own in functions.values()])


def median_interval(rising: Array) -> tuple[float, float]:
    """Return two of some rising values between which the median of what they are drawn from is in 19 of 20 cases.

    By the signs alone, whatever the distribution; of five and fewer values it is the whole range.

    Examples
    --------
    >>> median_interval(np.arange(20.0))
    (5.0, 14.0)
    """
    size = len(rising)
    below = max(0, _largest_tail(size))
    return float(rising[below]), float(rising[size - 1 - below])


def _largest_tail(size: int) -> int:
    """Return the largest k for which fewer than k + 1 of so many fair coins show heads in one of 40 cases at most."""
    left, k = 2**size // 40, -1
    while left >= comb(size, k + 1):
        k += 1
        left -= comb(size, k)
    return k


def proved_exponent(scheme: DifferenceScheme) -> float:
    """Return the exponent of the least error by theory: p/(m+p), or 1 where nothing cancels.

    A scheme that takes imaginary parts beside x, and not f(x) itself, cancels values of size ε: there it is p/(m−1+p).

    Examples
    --------
    >>> proved_exponent(parse_scheme("central-4-d2", 2)), proved_exponent(parse_scheme("complex-step", 1))
    (0.6666666666666666, 1.0)
    """
    if not scheme.cancels:
        return 1.0
    power = scheme.derivative - (scheme.needs_complex and CENTRE not in scheme.offsets)
    return scheme.order / (power + scheme.order)


# digits ---------------------------------------------------------------------------------------------------------------


class Gap(NamedTuple):
    """How far observed digits are from modelled ones, over the curves of one derivative and dtype.

    Attributes
    ----------
    derivative, dtype : int, str
        Which.
    curves : int
        How many there are.
    median, nine_in_ten : float
        Of the sizes of the differences.
    near : float
        The share that differs by at most :data:`FAR`.
    far : int
        How many differ by more.
    """

    derivative: int
    dtype: str
    curves: int
    median: float
    nine_in_ten: float
    near: float
    far: int


def gaps(found: Iterable[Case]) -> list[Gap]:
    """Return how far observed digits are from modelled ones, by derivative and dtype."""
    groups: dict[tuple[int, str], list[float]] = {}
    for case in found:
        groups.setdefault((case.derivative, case.dtype), []).append(abs(case.gap))
    return [_gap(*key, np.array(own)) for key, own in sorted(groups.items(), key=lambda group: group[0][0])]


def _gap(derivative: int, dtype: str, sizes: Array) -> Gap:
    is_near = sizes <= FAR
    quantiles = float(np.median(sizes)), float(np.quantile(sizes, 0.9))
    return Gap(derivative, dtype, sizes.size, *quantiles, float(is_near.mean()), int(np.count_nonzero(~is_near)))


def outliers(found: Iterable[Case]) -> list[Case]:
    """Return the curves whose observed and modelled digits differ by more than :data:`FAR`, reason by reason."""
    far = [case for case in found if case.reason]
    return sorted(far, key=lambda case: (REASONS.index(case.reason), -abs(case.gap)))
