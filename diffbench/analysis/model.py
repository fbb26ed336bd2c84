"""The error model: what the error of a scheme ought to be at every epsilon, without looking at any.

Four parts, as those of the measured error (design rule 5.6):

truncation
    Σ_{j>m} S_j f^(j)(x)/j! ε^(j−m), S_j = Σ w_k k^j: the whole series and not its first term C ε^p f^(m+p)(x) alone, so
    that it holds where epsilon is large. Where the series does not hold, the formula is applied to the exact f instead.
node
    Σ w_k f′(x + kε) δ_k / ε^m, with the displacement δ_k = fl(x + fl(kε)) − (x + kε), which needs no f and is known
    exactly. Its bound is u Σ|w_k x_k f′(x_k)| / ε^m.
evaluation
    c_f u (Σ w_k² f(x + kε)²)^½ / ε^m: the root mean square of errors that are independent of each other. Its bound has
    Σ|w_k f(x_k)|. c_f is measured around x, where f in the dtype is compared with the exact f.
arithmetic
    The root mean square of the roundings of the combination: each is taken as uniform in half a unit in the last place
    of the intermediate result, and the scheme's own combination is followed (:mod:`diffbench.analysis.arithmetic`).

truncation and node are signed numbers, the other two standard deviations. The *predicted error* is the median that
these make of |error|: |truncation + node| and 0.6745 standard deviations, added as squares.

References
----------
P. E. Gill, W. Murray, M. H. Wright, Practical Optimization, Academic Press 1981, section 8.6.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.analysis.arithmetic import Traced, rounding_variance
from diffbench.analysis.near import LENGTH, Near
from diffbench.analysis.nodes import nodes_near
from diffbench.dtypes import find_dtype, why_not_complex
from diffbench.errors import UnsupportedError
from diffbench.reference.verdict import Reference
from diffbench.reference.wide import middle_of
from diffbench.rounding import round_to, unit_roundoff
from diffbench.schemes.scheme import CENTRE, DifferenceScheme, Offset
from diffbench.schemes.stencil import Stencil
from diffbench.sweep.curves import running_median

Array = npt.NDArray[Any]

MEDIAN_OF_NORMAL = 0.6745
"""The median of |z| for a normal z of standard deviation 1."""

REAL_STEP = Offset(Fraction(1))
"""The real node at the distance of the imaginary one."""

TINY_STEPS = (0.31, 0.13, 0.057, 0.021)
"""In units of u: imaginary steps at which nothing is truncated."""

BESIDE = Fraction(81, 100)
"""In units of ε: where the imaginary part is sampled in dtypes of more than 64 bits, at no node of any grid."""


@dataclass(frozen=True)
class Parts:
    """The parts of the error that the model expects of one scheme at one point, each (E,) in the derivative's unit.

    Attributes
    ----------
    truncation, node : array
        Signed.
    evaluation, arithmetic : array
        Standard deviations.
    usable : array
        Whether the scheme can be used: no two nodes coincide, all lie in the domain, and f is finite there.
    """

    truncation: Array
    node: Array
    evaluation: Array
    arithmetic: Array
    usable: Array

    @property
    def rounding(self) -> Array:
        """What does not come from the formula: the median of node, evaluation and arithmetic part together."""
        with np.errstate(all="ignore"):
            return np.asarray(np.hypot(self.node, MEDIAN_OF_NORMAL * np.hypot(self.evaluation, self.arithmetic)))

    def quantile(self, deviations: float) -> Array:
        """Return the size of the error, (E,), if the random parts are so many standard deviations away from 0."""
        with np.errstate(all="ignore"):
            known = np.abs(self.truncation + self.node)
            error = np.hypot(known, deviations * np.hypot(self.evaluation, self.arithmetic))
        return np.asarray(np.where(self.usable & np.isfinite(error), error, np.nan))

    @property
    def error(self) -> Array:
        """The predicted |error|, (E,): its median; NaN where the scheme cannot be used."""
        return self.quantile(MEDIAN_OF_NORMAL)

    @property
    def smooth_error(self) -> Array:
        """The running median of the predicted error, as that of measured ones: no lucky zero of it counts."""
        return running_median(self.error)


@dataclass(frozen=True)
class Lines:
    """The theory lines of a scheme, (E,) each: the first term of the truncation, and the bound of the rounding errors.

    The bound is (u Σ|w_k x_k f′(x_k)| + c_f u Σ|w_k f(x_k)|) / ε^m, for nodes and values of f.
    """

    truncation: Array
    rounding: Array


class PointModel:
    """The error model of all schemes at one point.

    Parameters
    ----------
    near : Near
        f around the point.
    reference : Reference
        The exact derivative there.
    epsilons : array
        E epsilons of the dtype, falling; rationals where it has more than 64 bits.
    """

    def __init__(self, near: Near, reference: Reference, epsilons: Array) -> None:
        self.near = near
        self._nodes = nodes_near(near, epsilons)
        self._epsilon = self._nodes.epsilon
        words = Fraction(reference.hi or 0.0) + Fraction(reference.lo or 0.0)
        self._exact = words if near.exact is None else middle_of(reference)
        self._values: dict[Offset, Array] = {}
        self._errors: dict[Offset, Array] = {}
        self._exact_values: dict[Fraction, Fraction | None] = {}

    @property
    def derivative(self) -> float:
        """The exact derivative at the point, rounded."""
        return float(self._exact)

    def parts(self, scheme: DifferenceScheme) -> Parts:
        """Return what is expected of a scheme."""
        with np.errstate(all="ignore"):
            usable = self._usable(scheme)
            truncation = self._truncation(scheme, usable)
            if scheme.needs_complex:
                node, (evaluation, arithmetic) = np.zeros_like(truncation), self._complex_rounding(scheme)
            else:
                stencil = equivalent_stencil(scheme)
                node, evaluation = self._node(stencil), self._evaluation(stencil)
                arithmetic = self._arithmetic(scheme)
        usable &= np.isfinite(truncation) & np.isfinite(evaluation) & np.isfinite(arithmetic)
        return Parts(truncation, node, evaluation, arithmetic, usable)

    def lines(self, scheme: DifferenceScheme, least: float = 0.0) -> Lines:
        """Return the theory lines of a scheme; those of one off the real line are its parts.

        Parameters
        ----------
        scheme : DifferenceScheme
            Which.
        least : float
            What c_f counts as where it is less: values of f that happen to be exact are not so everywhere.
        """
        if scheme.needs_complex:
            parts = self.parts(scheme)
            floor = least * unit_roundoff(self.near.dtype) * self._complex_scale(scheme)
            return Lines(np.abs(parts.truncation), np.fmax(parts.rounding, floor))
        stencil, m, u = equivalent_stencil(scheme), scheme.derivative, unit_roundoff(self.near.dtype)
        j = m + scheme.order
        term = power_sums(scheme)[j] * self.near.series[j] if j < self.near.series.size else np.nan
        bound = np.zeros_like(self._epsilon)
        for k, weight in zip(stencil.offsets, stencil.weights, strict=True):
            step = float(k) * self._epsilon
            node = u * np.abs((self.near.x + step) * self.near.slope(step))
            value = np.maximum(self._error_at(Offset(k)), least * u * np.abs(self._value(Offset(k))))
            bound += abs(float(weight)) * (node * bool(k) + value)
        with np.errstate(all="ignore"):
            return Lines(abs(term) * self._epsilon**scheme.order, bound / self._epsilon**m)

    def _usable(self, scheme: DifferenceScheme) -> Array:
        usable = np.isfinite(self._epsilon) & (self._epsilon > 0) & ~self._nodes.lost(scheme)
        if scheme.needs_complex and why_not_complex(self.near.dtype):
            usable[:] = False
        known = find_dtype(self.near.dtype)
        largest = np.inf if known.is_wide else float(known.largest or 0)
        for offset in scheme.offsets:
            if not offset.imaginary:
                usable &= np.abs(self._value(offset)) <= largest
        return usable

    def _value(self, offset: Offset) -> Array:
        """Return about what f is at a real node, (E,)."""
        if offset not in self._values:
            self._values[offset] = self.near.size(float(offset.real) * self._epsilon, self._nodes.values(offset))
        return self._values[offset]

    def _series_truncation(self, scheme: DifferenceScheme, epsilon: Array) -> Array:
        """Return the truncation at some epsilons as the series has it, wherever it holds."""
        sums, m = power_sums(scheme), scheme.derivative
        series = self.near.series[m:]
        terms = np.concatenate([[0.0], sums[m + 1 : m + series.size] * series[1:]])
        return np.asarray(np.polynomial.polynomial.polyval(epsilon, terms))

    def _is_beyond(self, scheme: DifferenceScheme) -> Array:
        """Return where the nodes lie beyond what the series is known to hold for, (E,)."""
        left, right = self.near.reach
        low, high = (float(end(k.real for k in scheme.offsets)) for end in (min, max))
        if scheme.needs_complex:
            low, high = -1.0, 1.0
        beyond = (high * self._epsilon > right) | (-low * self._epsilon > left)
        return np.asarray(beyond | (self.near.series.size < scheme.derivative + 2))

    def _truncation(self, scheme: DifferenceScheme, usable: Array) -> Array:
        truncation, beyond = self._series_truncation(scheme, self._epsilon), self._is_beyond(scheme)
        if scheme.needs_complex:
            return np.asarray(np.where(beyond, np.nan, truncation))
        stencil = equivalent_stencil(scheme)
        for place in np.flatnonzero(beyond & usable):
            truncation[place] = self._exact_truncation(stencil, self._nodes.step(int(place)))
        return np.asarray(truncation)

    def _exact_truncation(self, stencil: Stencil, step: Fraction) -> float:
        """Return the formula at the ideal nodes less the derivative, in fractions; NaN where f has no value."""
        nodes = [self.near.point + k * step for k in stencil.offsets]
        new = [node for node in nodes if node not in self._exact_values]
        self._exact_values |= zip(new, self.near.values(new), strict=True)
        total = Fraction(0)
        for node, weight in zip(nodes, stencil.weights, strict=True):
            value = self._exact_values[node]
            if value is None:
                return np.nan
            total += weight * value
        return round_to(total / step**stencil.derivative - self._exact, "float64")

    def _node(self, stencil: Stencil) -> Array:
        total = np.zeros_like(self._epsilon)
        for k, weight in zip(stencil.offsets, stencil.weights, strict=True):
            if k:
                displacement = self._nodes.displacement(Offset(k))
                total += float(weight) * displacement * self.near.slope(float(k) * self._epsilon)
        return np.asarray(total / self._epsilon**stencil.derivative)

    def _error_at(self, offset: Offset) -> Array:
        """Return the standard deviation of the evaluation error of f at a real node, (E,)."""
        if self.near.is_difference and not offset.real:
            return np.zeros_like(self._epsilon)
        if offset not in self._errors:
            place = float(offset.real or 1) * self._epsilon
            self._errors[offset] = self.near.noise(place, self._value(offset))
        return self._errors[offset]

    def _evaluation(self, stencil: Stencil) -> Array:
        pairs = zip(stencil.offsets, stencil.weights, strict=True)
        unit = self.near.unit
        squared = sum((float(weight) * self._error_at(Offset(k)) / unit) ** 2 for k, weight in pairs)
        return np.asarray(np.sqrt(squared) * unit / self._epsilon**stencil.derivative)

    def _arithmetic(self, scheme: DifferenceScheme) -> Array:
        """Return the standard deviation of what the operations of a real scheme round away, (E,)."""
        values: Any = {k: Traced.exact(self._value(k), self.near.dtype) for k in scheme.offsets}
        combined: Any = scheme.combine(values, self._epsilon)
        return np.asarray(np.sqrt(combined.variance) * self.near.unit)

    def _complex_rounding(self, scheme: DifferenceScheme) -> tuple[Array, Array]:
        """Return evaluation and arithmetic part of a scheme off the real line."""
        derivative = abs(float(self._exact))
        # It divides by ε, m times.
        rounded = np.sqrt(scheme.derivative * rounding_variance(np.array([derivative]), self.near.dtype))
        arithmetic = rounded * self.near.unit * np.ones_like(self._epsilon)
        if not scheme.cancels:
            return self._imaginary_noise(scheme) * derivative, arithmetic
        if CENTRE in scheme.offsets:
            return self._real_noise() / self._epsilon**2, arithmetic
        slope = np.abs(self.near.slope(np.zeros_like(self._epsilon)))
        return unit_roundoff(self.near.dtype) * slope / self._epsilon, arithmetic

    def _real_noise(self) -> Array:
        """Return the standard deviation of the error of 2 (f(x) − Re f(x + iε)), (E,)."""
        if self.near.is_difference:
            # f(x) is exactly 0, while Re f(x + iε) is a difference of rounded values as f is at x + ε.
            return 2 * self._error_at(REAL_STEP)
        return 2**1.5 * self._error_at(CENTRE)

    def _complex_scale(self, scheme: DifferenceScheme) -> Array:
        """Return what the complex values are rounded relative to, as the estimate shows it, (E,)."""
        if not scheme.cancels:
            return np.full_like(self._epsilon, abs(float(self._exact)))
        if CENTRE in scheme.offsets:
            return np.asarray(4 * np.abs(self._value(CENTRE)) / self._epsilon**scheme.derivative)
        slope = np.abs(self.near.slope(np.zeros_like(self._epsilon)))
        return np.asarray(2 * slope / self._epsilon ** (scheme.derivative - 1))

    def _imaginary_noise(self, scheme: DifferenceScheme) -> Array:
        """Return the relative error of Im f(x + iε)/ε beside what is truncated, (E,); NaN where f has no values."""
        u, shape = unit_roundoff(self.near.dtype), self._epsilon.shape
        if find_dtype(self.near.dtype).complex is None:
            return np.full(shape, np.nan)
        if self.near.function.evaluate is not None or not self._exact:
            return np.full(shape, u)
        if self.near.exact is not None:
            return self._wide_imaginary_noise(scheme)
        errors = self._nodes.imaginary_errors(self._exact, [Fraction(u) * Fraction(step) for step in TINY_STEPS])
        if errors.size == 0:
            return np.full(shape, np.nan)
        squares = np.square(errors, where=np.isfinite(errors), out=np.zeros(errors.size))
        return np.full(shape, np.sqrt(np.mean(squares)) + u / 4)

    def _wide_imaginary_noise(self, scheme: DifferenceScheme) -> Array:
        """Return the same where mpmath may give Im f no more digits than f, so that it depends on ε."""
        steps = [BESIDE * self._nodes.step(place) for place in range(self._epsilon.size)]
        errors = self._nodes.imaginary_errors(self._exact, steps)
        truncation = self._series_truncation(scheme, float(BESIDE) * self._epsilon) / float(self._exact)
        errors = np.where(self._is_beyond(scheme), np.nan, errors - truncation)
        return running_median(np.abs(errors)) / MEDIAN_OF_NORMAL + unit_roundoff(self.near.dtype) / 4


@cache
def power_sums(scheme: DifferenceScheme) -> Array:
    """Return S_j for j below :data:`diffbench.analysis.near.LENGTH`: the scheme applied to t^j at x = 0 with ε = 1."""
    return np.array([float(scheme.moment(j)) for j in range(LENGTH)])


def equivalent_stencil(scheme: DifferenceScheme) -> Stencil:
    """Return the stencil that a real scheme is in exact arithmetic."""
    stencil = scheme.equivalent_stencil
    if stencil is None:
        raise UnsupportedError(f"scheme: {scheme.name} has no real weights")
    return stencil
