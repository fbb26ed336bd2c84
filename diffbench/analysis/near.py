"""What is known of f near a point: its Taylor series, how far that holds, and how inaccurately f is evaluated there."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import takewhile
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.analysis.wide import computed
from diffbench.dtypes import find_dtype
from diffbench.errors import UnsupportedError
from diffbench.functions.frameworks import NUMPY
from diffbench.functions.function import Function
from diffbench.reference.exact import references, taylor_coefficients
from diffbench.reference.pair import signed_error
from diffbench.reference.wide import middle_of, word_digits
from diffbench.rounding import check_narrow_dtype, round_exactly, unit_roundoff
from diffbench.sweep.wide import as_double

Array = npt.NDArray[Any]

LENGTH = 32
"""Taylor coefficients that are asked for."""

TAIL = 6
"""The last terms of a series: where all of them are negligible, so is what follows."""

NEGLIGIBLE = 2.0**-52
AGREEMENT = 2.0**-49
"""How closely a series summed in float64 must agree with f, relative to its largest term."""

MAX_REACH = 2.0**10
MIN_REACH = 2.0**-60
SAMPLE_STEPS = (1.0, 0.63, 0.4, 0.25, 0.16)
"""The distances of the samples in each decade."""

FARTHEST_SAMPLE = 3.7
"""Samples lie between the nodes of any decimal grid, so that no node is looked at."""

WINDOW = 4.0
"""Samples within this factor of a distance, on the same side, tell how inaccurately f is evaluated there."""

ENOUGH_SAMPLES = 6

MAX_DECADES = 20
"""Decades of samples; in dtypes that span more of them the samples lie farther apart."""


@dataclass(frozen=True)
class Near:
    """A function near one point.

    Attributes
    ----------
    function : Function
        What is differentiated.
    x : float
        Where: a number of the dtype, widened; in dtypes of more than 64 bits the nearest float64.
    dtype : str
        In what arithmetic.
    exact : Fraction, optional
        The number itself, which dtypes of more than 64 bits need.
    is_difference : bool
        Whether f is the difference of two values that are equal at x, as along the line of a mixed partial derivative:
        its rounding errors are those of the values, however small it is, and at x there are none.
    """

    function: Function
    x: float
    dtype: str
    exact: Fraction | None = None
    is_difference: bool = False

    def __post_init__(self) -> None:
        if self.exact is None:
            check_narrow_dtype(self.dtype)

    @property
    def point(self) -> Fraction:
        """Where, exactly."""
        return Fraction(self.x) if self.exact is None else self.exact

    @cached_property
    def unit(self) -> float:
        """What rounding errors are counted in before they are squared: u where its square may be too small, else 1."""
        return unit_roundoff(self.dtype) if find_dtype(self.dtype).is_wide else 1.0

    @cached_property
    def is_computable(self) -> bool:
        """Whether what computes f is here, and has f in the dtype and in float64."""
        if self.function.evaluator == NUMPY:
            return True
        try:
            for dtype in (self.dtype, "float64"):
                self._computed(np.array([self.x]), dtype)
        except UnsupportedError:
            return False
        return True

    @cached_property
    def series(self) -> Array:
        """The Taylor coefficients at x, at most :data:`LENGTH`, as far as they do not overflow."""
        x = self.x if self.exact is None else self.exact
        return np.array(list(takewhile(isfinite, taylor_coefficients(self.function.formula, x, LENGTH))))

    @cached_property
    def reach(self) -> tuple[float, float]:
        """How far the series is f, to the left and to the right; 0 where it is not known to be f at all.

        It is summed where its last terms are negligible and it agrees there with the exact f. So neither a singularity
        nor a seam of branches, which no coefficient tells of, is passed over.
        """
        largest = self._summable()
        if largest == 0:
            return 0.0, 0.0
        distances = [largest / 4**i for i in range(60) if largest / 4**i >= MIN_REACH]
        return self._reach(distances, -1), self._reach(distances, 1)

    def _summable(self) -> float:
        """Return the largest distance, a power of 2, at which the last terms of the series are negligible."""
        if self.series.size < 2:
            return 0.0
        distance = MAX_REACH
        places = np.arange(self.series.size)
        while distance >= MIN_REACH:
            with np.errstate(all="ignore"):
                terms = np.abs(self.series) * distance**places
            if np.isfinite(terms).all() and terms[-TAIL:].max() <= NEGLIGIBLE * terms.max():
                return distance
            distance /= 2
        return 0.0

    def _reach(self, distances: list[float], side: int) -> float:
        for distance in distances:
            t = side * distance
            exact = self.values([self.point + Fraction(t)])[0]
            if exact is not None:
                terms = self.series * t ** np.arange(self.series.size)
                if abs(as_double(exact) - terms.sum()) <= AGREEMENT * np.abs(terms).max():
                    return distance
        return 0.0

    def values(self, points: Iterable[Fraction]) -> list[Fraction | None]:
        """Return the exact f at some points, to two words at least; None where it is not defined or not settled."""
        if self.exact is not None:
            found = references(self.function.formula, list(points), 0, word_digits(self.dtype))
            return [
                middle_of(each) if each and each.is_settled and each.ball.is_finite and not each.ball.overflow else None
                for each in found
            ]
        found = references(self.function.formula, list(points), 0)
        return [
            Fraction(each.hi) + Fraction(each.lo or 0.0)
            if each is not None and each.is_settled and each.hi is not None and np.isfinite(each.hi)
            else None
            for each in found
        ]

    @cached_property
    def _samples(self) -> tuple[Array, Array, Array]:
        """Offset from x, value and absolute evaluation error of f in the dtype at samples around x, each (N,)."""
        if self.exact is not None:
            return self._wide_samples(self.exact)
        nodes = self._sample_nodes()
        found = references(self.function.formula, nodes.astype(np.float64).tolist(), 0)
        settled = np.array([each is not None and each.is_settled and each.hi is not None for each in found], dtype=bool)
        known = [each for each in found if each is not None and each.is_settled and each.hi is not None]
        hi, lo = np.array([each.hi for each in known], dtype=float), np.array([each.lo for each in known], dtype=float)
        nodes = nodes[settled]
        error = np.abs(signed_error(self._computed(nodes, self.dtype), hi, lo))
        usable = np.isfinite(error) & np.isfinite(hi)
        return (nodes.astype(np.float64) - self.x)[usable], np.abs(hi)[usable], error[usable]

    def _sample_nodes(self) -> Array:
        """Return numbers of the dtype around x, inside the interval of the domain that x lies in, each once."""
        decades = int(np.ceil(-np.log10(unit_roundoff(self.dtype)))) + 1
        distances = FARTHEST_SAMPLE * np.outer(10.0 ** -np.arange(decades), SAMPLE_STEPS).ravel()
        with np.errstate(over="ignore"):
            nodes = np.unique((self.x + np.concatenate([-distances, distances])).astype(self.dtype))
        interval = self.function.domain.interval_of(Fraction(self.x))
        inside = np.isfinite(nodes) & (nodes.astype(np.float64) != self.x)
        chosen: Array = nodes[inside if interval is None else inside & interval.contains_array(nodes)]
        return chosen

    def _wide_samples(self, x: Fraction) -> tuple[Array, Array, Array]:
        """Return the samples of a dtype of more than 64 bits, worked out in rationals."""
        decades = int(np.ceil(-np.log10(unit_roundoff(self.dtype)))) + 1
        count = len(SAMPLE_STEPS) * min(decades, MAX_DECADES)
        distances = [Fraction(float(each)) for each in FARTHEST_SAMPLE * 10.0 ** -np.linspace(0, decades, count)]
        nodes = {round_exactly(x + side * each, self.dtype) for each in distances for side in (-1, 1)} - {x}
        interval = self.function.domain.interval_of(x)
        inside = sorted(node for node in nodes if interval is None or node in interval)
        pairs = zip(inside, self.values(inside), computed(self.function, inside, self.dtype), strict=True)
        known = [(node - x, abs(f), abs(own - f)) for node, f, own in pairs if f is not None and own is not None]
        offsets, values, errors = np.array([list(map(as_double, row)) for row in known]).reshape(-1, 3).T
        usable = np.isfinite(values) & np.isfinite(errors)
        return offsets[usable], values[usable], errors[usable]

    def _computed(self, nodes: Array, dtype: str) -> Array:
        if nodes.size == 0:
            return nodes
        with np.errstate(all="ignore"):
            return np.asarray(self.function.compile(dtype)(nodes.astype(dtype)))

    def noise(self, offset: Array, value: Array) -> Array:
        """Return the standard deviation of the evaluation error of f at x + offset, where f is about `value`.

        It is c_f u |f|, and c_f the root mean square over samples within a factor :data:`WINDOW` on the same side, or
        over the nearest few. Where the errors themselves vary less than the relative ones, they do not come from the
        last operation but from large intermediate results, and their own root mean square is taken.
        """
        places, values, errors = self._samples
        if places.size == 0:
            return np.asarray(unit_roundoff(self.dtype) * np.abs(value))
        near = self._window(places, offset)
        with np.errstate(all="ignore"):
            relative = errors / values
            relative[~np.isfinite(relative)] = 0.0
            is_absolute = _spread(errors, near) < _spread(relative, near)
            expected = _mean_square(relative / self.unit, near) * self.unit * np.abs(value)
            absolute = _mean_square(errors / self.unit, near) * self.unit
            return np.asarray(np.where(is_absolute, absolute, expected))

    @staticmethod
    def _window(places: Array, offset: Array) -> Array:
        """Return which samples tell of which offsets, (E, N)."""
        gaps = np.abs(np.log(np.abs(places)) - np.log(np.abs(offset))[..., None])
        gaps = gaps + np.where(np.sign(places) == np.sign(offset)[..., None], 0.0, np.log(WINDOW))
        nearest = np.sort(gaps, axis=-1)[..., min(ENOUGH_SAMPLES, places.size) - 1]
        return np.asarray(gaps <= np.maximum(np.log(WINDOW), nearest)[..., None])

    def rough(self, nodes: Array) -> Array:
        """Return f computed in float64, to know how large it is; NaN where it has no value."""
        return self._computed(nodes, "float64").astype(np.float64)

    def size(self, offset: Array, value: Array) -> Array:
        """Return about what f is at x + offset: as it was computed, or where that may have lost all, by the series."""
        if not self.is_difference or self.series.size == 0:
            return value
        with np.errstate(all="ignore"):
            summed = np.polynomial.polynomial.polyval(offset, self.series)
        return np.where(self._is_reached(offset), summed, value)

    def _is_reached(self, offset: Array) -> Array:
        left, right = self.reach
        return np.asarray((offset >= -left) & (offset <= right))

    def slope(self, offset: Array) -> Array:
        """Return f′(x + offset) from the series, and f′(x) beyond its reach."""
        if self.series.size < 2:
            return np.zeros(offset.shape)
        inside = np.where(self._is_reached(offset), offset, 0.0)
        return np.polynomial.polynomial.polyval(inside, self.series[1:] * np.arange(1, self.series.size))


def _mean_square(values: Array, near: Array) -> Array:
    """Return the root of the mean square of the values in each window, (E,)."""
    return np.asarray(np.sqrt(np.where(near, values**2, 0.0).sum(axis=-1) / near.sum(axis=-1)))


def _spread(values: Array, near: Array) -> Array:
    """Return the variance of the logarithms of the values in each window, (E,), those that are 0 left out."""
    near = near & (values > 0)
    logarithms = np.where(near, np.log(np.where(values > 0, values, 1.0)), 0.0)
    count = np.maximum(near.sum(axis=-1), 1)
    mean = logarithms.sum(axis=-1) / count
    return np.asarray(np.where(near, (logarithms - mean[..., None]) ** 2, 0.0).sum(axis=-1) / count)
