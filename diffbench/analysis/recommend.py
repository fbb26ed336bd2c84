"""Which scheme, which epsilon, how many digits to expect: from a formula by the model, from a run by what was measured.

For a formula nothing is swept. The error model gives the predicted error of every scheme of the catalogue at x and at
points close by, on epsilons that are 1 or 1.5 times a power of 2: with these x + kε is exact unless ε is small beside
the last place of x, so that no node is rounded. The median over the points decides, so that a lucky zero of f^(m+p) at
x alone does not.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.analysis.advice import ClassAdvice, advise
from diffbench.analysis.model import PointModel
from diffbench.analysis.near import Near
from diffbench.analysis.predict import AS_GOOD, optimum
from diffbench.dtypes import find_dtype
from diffbench.errors import EmptySelectionError, InputError, UncertainError
from diffbench.functions.function import Function
from diffbench.functions.grammar import Formula, parse_formula
from diffbench.reference.exact import check_derivative, references
from diffbench.reference.pair import correct_digits
from diffbench.reference.verdict import Reference
from diffbench.rounding import check_narrow_dtype, exact_number, finite, round_to, unit_roundoff
from diffbench.schemes.scheme import DifferenceScheme, catalogue
from diffbench.sweep.curves import FLAT_FACTOR
from diffbench.sweep.results import Results

Array = npt.NDArray[Any]

NEIGHBOURS = (-2, -1, 0, 1, 2)
NEIGHBOURHOOD = 0.005
"""The neighbours of x stand so far apart, relative to |x| or to the reach of the Taylor series if that is shorter."""

WORTH_AN_EVALUATION = 0.1
"""So many digits more do not justify a dearer scheme, or one with a narrower optimum."""

MAX_DERIVATIVE = 4
"""The catalogue has schemes up to it."""

LOW, HIGH = 1.96, 0.063
"""95 % of normal errors are below the first times their standard deviation, 5 % below the second."""


@dataclass(frozen=True)
class Curve:
    """What the recommendation was read off: the recommended scheme at x, arrays (E,).

    Attributes
    ----------
    epsilon, error : array
        The predicted error at the epsilons that were compared.
    truncation, rounding : array
        Its theory lines.
    derivative : float
        The exact derivative.
    """

    epsilon: Array
    error: Array
    truncation: Array
    rounding: Array
    derivative: float


@dataclass(frozen=True)
class Choice:
    """A scheme with the epsilon at which its predicted error is least.

    Attributes
    ----------
    scheme : str
        By name.
    epsilon : float
        A number of the dtype.
    digits : float or None
        Digits to expect: of the median error over the neighbours; None where the derivative is 0.
    """

    scheme: str
    epsilon: float
    digits: float | None


@dataclass(frozen=True)
class Recommendation:
    """Advice for a formula at a point.

    Attributes
    ----------
    scheme, epsilon, digits : str, float, float or None
        As in :class:`Choice`.
    digits_low, digits_high : float or None
        Between them 8 of 10 errors are expected, at x and its neighbours.
    error : float
        The predicted error, in the unit of the derivative.
    flat_decades : float
        How flat the optimum is: the decades of epsilon in which the predicted error is at most 10 times the least.
    robustness : float
        Digits lost at worst over the neighbours against each one's own best epsilon.
    evaluations : int
        Values of f that one estimate takes.
    runner_up : Choice or None
        The best other scheme.
    reason : str
        Why, in two sentences.
    formula, x, derivative, dtype : str, float, int, str
        What was asked.
    curve : Curve
        What a figure shows.
    """

    scheme: str
    epsilon: float
    digits: float | None
    digits_low: float | None
    digits_high: float | None
    error: float
    flat_decades: float
    robustness: float
    evaluations: int
    runner_up: Choice | None
    reason: str
    formula: str
    x: float
    derivative: int
    dtype: str
    curve: Curve = field(repr=False, compare=False)

    def fields(self) -> dict[str, Any]:
        """Return what can be printed, under the names above; numbers that are not finite are None."""
        shown = {key: value for key, value in asdict(self).items() if key != "curve"}
        return {key: finite(value) if isinstance(value, float) else value for key, value in shown.items()}


def recommend(
    formula: str | Formula | Function | Results,
    at: object = None,
    derivative: int = 1,
    dtype: str = "float64",
    evaluations: int | None = None,
    *,
    allow_complex: bool = False,
) -> Recommendation | ClassAdvice:
    """Return which scheme and epsilon to take, and what to expect of them.

    Parameters
    ----------
    formula : str, Formula, Function or Results
        What is differentiated; of a run, what is best over all its functions.
    at : str, int, Fraction or float
        The point; of a Function with one point that one may be meant.
    derivative, dtype : int, str
        Which derivative, 1 to 4, in what arithmetic.
    evaluations : int, optional
        How many values of f an estimate may take.
    allow_complex : bool
        Whether schemes may evaluate f off the real line.

    Raises
    ------
    InputError
        If an argument is wrong or the formula is not defined at the point.
    UncertainError
        If the derivative does not exist there, or is not settled.
    EmptySelectionError
        If no scheme is left.

    Examples
    --------
    >>> advice = recommend("sin(x)", at="1", evaluations=2)
    >>> advice.scheme, 1e-6 < advice.epsilon < 1e-5, round(advice.digits)
    ('central-2', True, 11)
    """
    if isinstance(formula, Results):
        return advise(formula, derivative, check_narrow_dtype(dtype), evaluations, allow_complex=allow_complex)
    _check(derivative, evaluations)
    function, x = function_at(formula, at, dtype)
    schemes = _schemes(derivative, evaluations, allow_complex=allow_complex)
    return _Bench(function, x, derivative, dtype).recommendation(schemes)


def function_at(formula: str | Formula | Function, at: object, dtype: str) -> tuple[Function, float]:
    """Return what is differentiated, and the point as a number of the dtype.

    Raises
    ------
    InputError
        If the function is not defined there, or the dtype is not here.
    """
    function = _as_function(formula, at)
    x = round_to(function.points[0], check_narrow_dtype(dtype))
    if not np.isfinite(x) or function.domain.interval_of(Fraction(x)) is None:
        raise InputError(f"at: {function.points[0]} cannot be evaluated in {dtype}, where it is {x!r}")
    return function, x


def _as_function(formula: str | Formula | Function, at: object) -> Function:
    if isinstance(formula, Function):
        if at is None and len(formula.points) > 1:
            raise InputError(f"at: {formula.name} has several points, one must be given")
        return formula if at is None else formula.at([_inside(formula, at)])
    if at is None:
        raise InputError("at: a formula needs a point")
    if not isinstance(formula, (str, Formula)):
        raise InputError(f"formula: {formula!r} is no formula, Function or Results")
    parsed = formula if isinstance(formula, Formula) else parse_formula(formula)
    return Function("f", parsed, [at])


def _inside(function: Function, at: object) -> Fraction:
    point = exact_number(at, "at")
    if function.domain.interval_of(point) is None:
        raise InputError(f"at: {at} is outside the domain {function.domain} of {function.name}")
    return point


def _check(derivative: object, evaluations: object) -> None:
    if not 1 <= check_derivative(derivative) <= MAX_DERIVATIVE:
        raise InputError(f"derivative: {derivative} is not from 1 to {MAX_DERIVATIVE}")
    is_whole = isinstance(evaluations, int) and not isinstance(evaluations, bool)
    if evaluations is not None and not (is_whole and evaluations >= 1):  # type: ignore[operator]  # an int by then
        raise InputError(f"evaluations: {evaluations!r} is not a whole number above 0")


def _schemes(derivative: int, evaluations: int | None, *, allow_complex: bool) -> list[DifferenceScheme]:
    allowed = [scheme for scheme in catalogue(derivative) if allow_complex or not scheme.needs_complex]
    found = [scheme for scheme in allowed if evaluations is None or scheme.evaluations <= evaluations]
    if not found:
        least = min(scheme.evaluations for scheme in allowed)
        raise EmptySelectionError(f"evaluations: {evaluations} is too few, derivative {derivative} takes {least}")
    return found


@dataclass(frozen=True)
class _Candidate:
    """A scheme with its predicted errors, (P, E), their medians, (E,), and the place of the best."""

    scheme: DifferenceScheme
    errors: Array
    median: Array
    place: int
    digits: float

    @property
    def flat(self) -> Array:
        """Places of the flat region."""
        return np.flatnonzero(self.median <= FLAT_FACTOR * np.nanmin(self.median))


class _Bench:
    """The models at x and its neighbours."""

    def __init__(self, function: Function, x: float, derivative: int, dtype: str) -> None:
        self.function, self.x, self.derivative, self.dtype = function, x, derivative, dtype
        self.reference = settled(function, x, derivative)
        here = Near(function, x, dtype)
        self.epsilons = binary_epsilons(x, dtype)
        points = [point for point in neighbours(here) if point != x]
        found = references(function.formula, points, derivative)
        known = [(point, each) for point, each in zip(points, found, strict=True) if _has_value(each)]
        self.models = [PointModel(here, self.reference, self.epsilons)]
        self.models += [
            PointModel(Near(function, point, dtype), each, self.epsilons) for point, each in known if each is not None
        ]

    def recommendation(self, schemes: Sequence[DifferenceScheme]) -> Recommendation:
        """Return the advice."""
        found = [each for each in map(self._candidate, schemes) if each is not None]
        if not found:
            raise EmptySelectionError(f"recommend: no scheme can be used for {self.function.formula} at {self.x!r}")
        best = self._best(found)
        rest = [each for each in found if each is not best]
        second = self._best(rest) if rest else None
        low, high = self._range(best)
        own, lines = self.models[0].parts(best.scheme), self.models[0].lines(best.scheme)
        runner_up = None if second is None else self._choice(second)
        return Recommendation(
            **asdict(self._choice(best)),
            digits_low=low,
            digits_high=high,
            error=float(best.median[best.place]),
            flat_decades=float(np.log10(self.epsilons[best.flat[0]] / self.epsilons[best.flat[-1]])),
            robustness=_worst_loss(best),
            evaluations=best.scheme.evaluations,
            runner_up=runner_up,
            reason=self._reason(best, second),
            formula=self.function.formula.text,
            x=self.x,
            derivative=self.derivative,
            dtype=self.dtype,
            curve=Curve(self.epsilons, own.error, lines.truncation, lines.rounding, self.reference.hi or 0.0),
        )

    def _candidate(self, scheme: DifferenceScheme) -> _Candidate | None:
        errors = np.array([model.parts(scheme).error for model in self.models])
        # Where x itself, or half of the neighbours, cannot be treated the scheme is of no use.
        usable = ~np.isnan(errors[0]) & (np.count_nonzero(~np.isnan(errors), axis=0) * 2 > len(errors))
        median = np.full(errors.shape[1], np.nan)
        median[usable] = np.nanmedian(errors[:, usable], axis=0)
        found = optimum(median, AS_GOOD)
        if found is None:
            return None
        return _Candidate(scheme, errors, median, found.place, self._rank(found.error))

    def _digits(self, error: float) -> float | None:
        exact = abs(self.reference.hi or 0.0)
        return finite(float(correct_digits(np.array(error / exact), self.dtype))) if exact else None

    def _rank(self, error: float) -> float:
        """Return the digits of an error, of the absolute one where the derivative is 0."""
        digits = self._digits(error)
        return float(-np.log10(max(error, np.finfo(float).tiny))) if digits is None else digits

    @staticmethod
    def _best(found: Sequence[_Candidate]) -> _Candidate:
        """Return the cheapest, then the flattest, of those that are as good as the best."""
        most = max(each.digits for each in found)
        close = [each for each in found if each.digits >= most - WORTH_AN_EVALUATION]
        return min(close, key=lambda each: (each.scheme.evaluations, -each.flat.size))

    def _choice(self, candidate: _Candidate) -> Choice:
        error = float(candidate.median[candidate.place])
        return Choice(candidate.scheme.name, float(self.epsilons[candidate.place]), self._digits(error))

    def _range(self, candidate: _Candidate) -> tuple[float | None, float | None]:
        """Return the digits of the largest and the least error to be expected at x and its neighbours."""
        ends = []
        for model in self.models:
            low, high = (model.parts(candidate.scheme).quantile(z)[candidate.place] for z in (LOW, HIGH))
            ends.append((low, high))
        worst, least = np.nanmax([low for low, _ in ends]), np.nanmin([high for _, high in ends])
        return self._digits(float(worst)), self._digits(float(least))

    def _reason(self, best: _Candidate, second: _Candidate | None) -> str:
        parts, place, scheme = self.models[0].parts(best.scheme), best.place, best.scheme
        truncation, rounding = abs(float(parts.truncation[place])), float(parts.rounding[place])
        first = (
            f"At ε = {self.epsilons[place]:.3g} the truncation of {scheme.name}, order {scheme.order}, is "
            f"{truncation:.1e} and its rounding error {rounding:.1e}, and no epsilon makes their sum much smaller."
        )
        if second is None:
            return f"{first} It is the only scheme that can be used."
        gain = best.digits - second.digits
        cost = scheme.evaluations - second.scheme.evaluations
        words = f"{abs(gain):.1f} digits {'more' if gain > 0 else 'fewer'}" if abs(gain) >= 0.05 else "as many digits"
        spent = f"{abs(cost)} evaluations {'more' if cost > 0 else 'fewer'}" if cost else "as many evaluations"
        return f"{first} The runner-up is {second.scheme.name}, against which it has {words} with {spent}."


def binary_epsilons(x: float, dtype: str) -> Array:
    """Return falling epsilons of a dtype, 1 and 1.5 times powers of 2, from twice max(1, |x|) to u min(1, |x|)."""
    u = unit_roundoff(dtype)
    size = abs(x) or 1.0
    top = int(np.ceil(np.log2(max(1.0, size)))) + 1
    bottom = max(int(np.floor(np.log2(u * min(1.0, size)))), find_dtype(dtype).least_exponent)
    powers = np.ldexp(1.0, np.arange(top, bottom - 1, -1))
    return np.stack([powers, 0.75 * powers], axis=-1).ravel().astype(dtype)


def neighbours(near: Near) -> list[float]:
    """Return x and the points of the dtype close to it that lie inside the domain."""
    reach = max(near.reach)
    width = NEIGHBOURHOOD * min(abs(near.x) or 1.0, reach or 1.0)
    points = np.array([near.x + width * j for j in NEIGHBOURS], dtype=near.dtype).astype(np.float64)
    interval = near.function.domain.interval_of(Fraction(near.x))
    inside = [float(point) for point in np.unique(points) if np.isfinite(point)]
    return [point for point in inside if interval is None or Fraction(point) in interval]


def settled(function: Function, x: float, derivative: int) -> Reference:
    """Return the exact derivative, or refuse what has none or no known one."""
    reference = references(function.formula, [x], derivative)[0]
    if reference is None:
        raise InputError(f"at: {function.formula} is not defined, or not real, at {x!r}")
    if not _has_value(reference):
        raise UncertainError(f"{reference.verdict}: {reference.reason or 'the derivative overflows'}")
    return reference


def _has_value(reference: Reference | None) -> bool:
    return reference is not None and reference.is_settled and reference.hi is not None and np.isfinite(reference.hi)


def _worst_loss(candidate: _Candidate) -> float:
    """Return the digits lost at worst over the points against each one's own best epsilon."""
    with np.errstate(all="ignore"):
        losses = np.log10(candidate.errors[:, candidate.place] / np.nanmin(candidate.errors, axis=1))
    known = losses[np.isfinite(losses)]
    return float(known.max()) if known.size else 0.0
