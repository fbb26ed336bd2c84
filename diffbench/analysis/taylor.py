"""The Taylor test of a derivative written by hand: f(x + e) − f(x) − e f′(x) is O(e²), or the derivative is wrong.

Nobody chooses a step. Of formulas the remainder is computed in balls, so that its order is seen where nothing is
rounded. Of Python functions it is computed exactly from their values, and its order is read off the smallest steps at
which it stands clear of the rounding of these values.

References
----------
P. E. Farrell, D. A. Ham, S. W. Funke, M. E. Rognes, Automated derivation of the adjoint of high-level transient finite
element programs, SIAM J. Sci. Comput. 35 (2013) C369-C393, section 6: the test, with steps chosen by hand.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from diffbench.analysis.order import Slope, find_slope
from diffbench.errors import InputError
from diffbench.functions.function import Function
from diffbench.functions.grammar import Formula
from diffbench.reference.balls import HardError
from diffbench.reference.exact import as_formula
from diffbench.reference.expansions import NotRealError, UnknownError
from diffbench.reference.program import NoBallError
from diffbench.reference.truncation import (
    ExactValue,
    Neighbourhood,
    NotApplicableError,
    combination_of,
    neighbourhood,
)
from diffbench.rounding import check_narrow_dtype, exact_number, shown
from diffbench.schemes.stencil import Stencil

SIDES = (1, -1)
_QUOTIENTS = {1: combination_of(Stencil.forward()), -1: combination_of(Stencil.backward())}

OCTAVES = 120
"""How many steps, each half of the one before, are tried at x = 0; elsewhere all that move x."""

CLEAR = 64
"""How many times the rounding of f the remainder must be to count."""

RUN = 4
"""How many steps in a row must be clear of rounding."""

_FIRST_ORDER = (0.85, 1.15)
_SECOND_ORDER = 1.75
_STEADY = 0.08
_STEADY_ENOUGH = 0.25
"""Slopes of a run differ by less than this where one power is behind them, or by more if two compete."""

_COARSEST = 1e-3
"""A remainder that never leaves the rounding proves a derivative only if one this wrong, relatively, would show."""


@dataclass(frozen=True)
class TaylorTest:
    """What the Taylor remainder says of a derivative.

    Attributes
    ----------
    verdict : str
        ``right``: the remainder is of higher than first order in the step. ``wrong``: it is of first order, or f has no
        derivative there. ``undecided``: neither shows.
    order : float or None
        The observed order of the remainder, the lower one of both sides; None where it is 0 or hidden by rounding.
    low, high : float or None
        An interval of the slopes in the window; rigorous where the method is ``balls``.
    window : tuple of float
        The smallest and the largest step that were looked at; empty without a window.
    method : str
        ``balls`` or ``floats``.
    reason : str
        One line.
    """

    verdict: str
    order: float | None
    low: float | None
    high: float | None
    window: tuple[float, ...]
    method: str
    reason: str

    @property
    def is_right(self) -> bool:
        """Whether the verdict is right."""
        return self.verdict == "right"


class _Finding(NamedTuple):
    """What one side says; `error` is the limit of remainder / step as far as it is seen, f′ less what is claimed."""

    verdict: str
    reason: str
    slope: Slope | None = None
    error: float = 0.0


def taylor_test(function: object, derivative: object, x: object) -> TaylorTest:
    """Test a derivative written by hand by the order of the Taylor remainder f(x + e) − f(x) − e f′(x).

    Parameters
    ----------
    function : str, Formula, Function or callable
        f; a text is a formula. A callable takes a number and returns one.
    derivative : str, Formula, callable or number
        What is claimed to be f′.
    x : str, int, Fraction or float
        Where. Between formulas it is exact; a callable is given a float, or a numpy scalar of the type that x has.

    Returns
    -------
    TaylorTest
        With the verdict.

    Raises
    ------
    InputError
        If an argument is wrong, or one of the two is not defined at x.

    Examples
    --------
    >>> taylor_test("sin(x)**2", "2*sin(x)*cos(x)", "0.3").verdict
    'right'
    >>> import math
    >>> taylor_test(math.sin, lambda x: 1.000001 * math.cos(x), 0.3).verdict
    'wrong'
    """
    symbolic = (str, Formula, Function)
    if isinstance(function, symbolic) and isinstance(derivative, (str, Formula)):
        return _test_formulas(as_formula(function), as_formula(derivative), exact_number(x, "x"))
    return _test_floats(_callable(function, "function"), _callable(derivative, "derivative"), x)


def _callable(given: object, name: str) -> Callable[[Any], Any]:
    """Return a function of a number."""
    if isinstance(given, (str, Formula, Function)):
        function = given if isinstance(given, Function) else Function(name, as_formula(given), [0])
        return lambda x: function.compile(np.dtype(type(x)).name)(np.array([x]))[0]
    if callable(given):
        return given
    if name == "derivative":
        number = float(exact_number(given, name))
        return lambda _: number
    raise InputError(f"{name}: {given!r} is neither a formula nor can it be called")


def _joined(findings: dict[int, _Finding], method: str) -> TaylorTest:
    """Return the verdict of both sides: wrong if one says so, right if all that say anything do."""
    kinds = [finding.verdict for finding in findings.values()]
    verdict = next((kind for kind in ("wrong", "undecided") if kind in kinds), "right")
    chosen = [finding for finding in findings.values() if finding.verdict == verdict]
    first = min(chosen, key=lambda finding: math.inf if finding.slope is None else finding.slope.observed)
    slope, reason = first.slope, _kink(findings) or first.reason
    if slope is None:
        return TaylorTest(verdict, None, None, None, (), method, reason)
    return TaylorTest(verdict, slope.observed, slope.low, slope.high, slope.window, method, reason)


def _kink(findings: dict[int, _Finding]) -> str:
    """Return that the two sides contradict each other, if they do: no derivative is right then."""
    wrong = [abs(finding.error) for finding in findings.values() if finding.verdict == "wrong"]
    right = [abs(finding.error) for finding in findings.values() if finding.verdict == "right"]
    first, *rest = (finding.error for finding in findings.values())
    apart = len(wrong) == len(SIDES) and not math.isclose(first, rest[0], rel_tol=0.3)
    if apart or (wrong and right and right[0] < wrong[0] / 100):
        return "the difference quotients tend to different limits from right and left, so that no derivative is right"
    return ""


# formulas -------------------------------------------------------------------------------------------------------------


def _test_formulas(formula: Formula, derivative: Formula, x: Fraction) -> TaylorTest:
    near, claimed = neighbourhood(formula, x), ExactValue(derivative, x)
    try:
        if not any(claimed(bits).is_finite for bits in (128, 2048)):
            raise InputError(f"derivative: {derivative} is not defined, or not real, at {shown(x)}")
        if not near.is_analytic and near.reference(0) is None:
            raise InputError(f"function: {formula} is not defined, or not real, at {shown(x)}")
        sides = (1,) if near.is_analytic else SIDES
        findings = {side: _side_in_balls(near, claimed, side) for side in sides}
    except NoBallError as error:
        findings = {0: _Finding("undecided", f"no ball arithmetic for {error}")}
    except HardError:
        findings = {0: _Finding("undecided", "an evaluation might take without end")}
    known = {side: finding for side, finding in findings.items() if finding.verdict}
    return _joined(known or {0: _Finding("undecided", "f is not real beside x")}, "balls")


def _side_in_balls(near: Neighbourhood, claimed: ExactValue, side: int) -> _Finding:
    """Return what the side says; a verdict that is empty if f is not real there."""
    quotient = _QUOTIENTS[side]
    try:
        series = near.series(quotient, claimed)
        if series is None:
            return _Finding("undecided", "whether the remainder is of first order is not settled")
        if not series.terms:
            return _Finding("right" if series.proof else "undecided", series.proof or "every known term vanishes")
        found = find_slope(near, quotient, series, claimed)
    except NotApplicableError as error:
        return _Finding("", str(error))
    except (NotRealError, UnknownError):
        return _Finding("undecided", "f has no expansion at x that is settled")
    if found is None:
        return _Finding("undecided", "no window of steps shows the leading term alone")
    power, coefficient = series.terms[0]
    slope = Slope(found.observed + 1, found.low + 1, found.high + 1, found.window)
    if power > 0:
        return _Finding("right", f"the remainder is of order {power + 1}", slope, 0.0)
    return _wrong(float(coefficient.midpoint) if power == 0 else math.inf, slope)


def _wrong(error: float, slope: Slope) -> _Finding:
    if math.isinf(error):
        return _Finding("wrong", f"the difference quotients have no limit: order {slope.observed:.3g}", slope, error)
    return _Finding("wrong", f"the remainder is of first order: the derivative is off by {-error:.3g}", slope, error)


# floats ---------------------------------------------------------------------------------------------------------------


class _Sample(NamedTuple):
    """The remainder at a step, exactly from the values that were computed, and what is rounding in it at the least."""

    step: float
    remainder: float
    rounding: float
    is_still: bool


def _test_floats(f: Callable[[Any], Any], derivative: Callable[[Any], Any], x: object) -> TaylorTest:
    point: Any = x if isinstance(x, np.floating) else float(exact_number(x, "x"))
    check_narrow_dtype(np.dtype(type(point)).name)
    here, claimed = _value(f, point, "function"), _value(derivative, point, "derivative")
    sides = {side: list(_samples(f, claimed, point, here, side)) for side in SIDES}
    known = {side: samples for side, samples in sides.items() if len(samples) >= RUN}
    if not known:
        return _joined({0: _Finding("undecided", "f is finite at too few points beside x")}, "floats")
    size = abs(float(claimed)) or abs(float(here)) / max(1.0, abs(float(point)))
    return _joined({side: _side_in_floats(samples, size) for side, samples in known.items()}, "floats")


def _value(f: Callable[[Any], Any], x: Any, name: str) -> Fraction:
    value = _finite(f, x)
    if value is None:
        raise InputError(f"{name}: it gives no finite number at {x}")
    return value


def _finite(f: Callable[[Any], Any], x: Any) -> Fraction | None:
    """Return a value exactly, or None where there is none."""
    try:
        with np.errstate(all="ignore"):
            return Fraction(float(f(x)))
    except Exception:  # noqa: BLE001  (whatever a user's function raises, it has no value there)
        return None


def _samples(f: Callable[[Any], Any], claimed: Fraction, x: Any, here: Fraction, side: int) -> Iterator[_Sample]:
    """Yield the remainders on a side, from the smallest step that moves x to the largest.

    The rounding is never less than the least number of the dtype. A smaller remainder may be 0 as a float, and where
    the steps are subnormal that would prove whatever is claimed.
    """
    largest = math.frexp(max(1.0, abs(float(x))))[1] - 2
    unit, least = Fraction(float(np.finfo(type(x)).eps)) / 2, Fraction(float(np.finfo(type(x)).smallest_subnormal))
    smallest = math.frexp(float(np.spacing(abs(x))))[1] if x else largest - OCTAVES
    for exponent in range(smallest, largest + 1):
        node = x + type(x)(side * 2.0**exponent)
        step, value = Fraction(float(node)) - Fraction(float(x)), _finite(f, node)
        if value is None or not step:
            continue
        rounding = max(unit * max(abs(here), abs(value), abs(step * claimed)), least)
        remainder = value - here - step * claimed
        yield _Sample(float(abs(step)), float(remainder * side), float(rounding), value == here)


def _side_in_floats(samples: list[_Sample], size: float) -> _Finding:
    """Return what the smallest clear steps say, unless others show that it is noise, or far away.

    A derivative that is off by δ leaves about δ in remainder / step at all smaller steps, and at least about δ at
    larger ones. Where much less is left at smaller ones, what is seen lies beyond a kink or jump; where much less is
    left at larger ones, and of second order, δ was noise that grows with the step: a staircase of f, say.
    """
    floor, largest = _noise(samples), max(abs(sample.remainder) for sample in samples)
    first = finding = _read(samples, floor, size)
    if first.verdict != "right" and first.slope:
        closer = [sample for sample in samples if sample.step < first.slope.window[0]]
        if closer and _bound(closer, floor) < abs(first.error) / 4:
            nearby = _hidden(closer, floor, size)
            if nearby.verdict == "right":
                return nearby
    while finding.slope and first.verdict != "right" and floor < largest:
        floor = 4 * max(floor, largest * 2.0**-400)
        finding = _read(samples, floor, size)
        if finding.verdict == "right" and finding.slope and abs(finding.error) < abs(first.error) / 4:
            return finding
    return first


def _read(samples: list[_Sample], floor: float, size: float) -> _Finding:
    """Read the order off the smallest steps at which the remainder is clear of rounding."""
    clear = [abs(sample.remainder) > CLEAR * max(floor, sample.rounding) for sample in samples]
    start = next((i for i in range(len(samples) - RUN + 1) if all(clear[i : i + RUN])), None)
    if start is None:
        return _hidden(samples, floor, size)
    run = samples[start : start + RUN]
    slopes = [
        math.log2(abs(second.remainder / first.remainder)) / math.log2(second.step / first.step)
        for first, second in pairwise(run)
    ]
    whole = Slope(sum(slopes) / len(slopes), min(slopes), max(slopes), (run[0].step, run[-1].step))
    return _judged(whole, run[0].remainder / run[0].step, size)


def _noise(samples: list[_Sample]) -> float:
    """Return how large the remainder is where it can be nothing but rounding.

    At the smallest steps, and wherever a step does not change f though larger ones do: there f is a staircase.
    """
    smallest = [abs(sample.remainder) for sample in samples[: RUN + 1]]
    is_constant = all(sample.is_still for sample in samples)
    still = [] if is_constant else [abs(sample.remainder) for sample in samples if sample.is_still]
    return max(smallest + still)


def _judged(slope: Slope, quotient: float, size: float) -> _Finding:
    """Return the verdict on a run: of one power, and which, or of two that compete."""
    spread, order = slope.high - slope.low, slope.observed
    if spread <= _STEADY_ENOUGH and order >= _SECOND_ORDER:
        reason = f"the remainder is of order {order:.2f}; {_resolution(quotient, size)}"
        return _Finding("right", reason, slope, quotient)
    if spread <= _STEADY_ENOUGH and _FIRST_ORDER[0] <= order <= _FIRST_ORDER[1]:
        return _wrong(quotient, slope)
    if spread <= _STEADY and order > _FIRST_ORDER[1]:
        reason = f"the remainder is of order {order:.2f}: f is not twice differentiable"
        return _Finding("right", reason, slope, quotient)
    if spread <= _STEADY and order < _FIRST_ORDER[0]:
        return _wrong(math.inf, slope)
    reason = f"the remainder has no steady order where it leaves the rounding: {slope.low:.2f} to {slope.high:.2f}"
    return _Finding("undecided", reason, slope, quotient)


def _resolution(error: float, size: float) -> str:
    """Return how wrong a derivative must be to be seen, relative to the claimed one, or to f where that is 0."""
    return f"a relative error above {abs(error) / size:.1g} would show" if size else "there is nothing to compare with"


def _bound(samples: list[_Sample], floor: float) -> float:
    """Return how wrong the derivative is at the most, if the remainder is nothing but rounding."""
    return min((abs(s.remainder) + CLEAR * max(floor, s.rounding)) / s.step for s in samples)


def _hidden(samples: list[_Sample], floor: float, size: float) -> _Finding:
    """Return the verdict on a remainder that never leaves the rounding of f."""
    bound = _bound(samples, floor)
    if bound <= _COARSEST * size:
        return _Finding("right", f"the remainder is rounding at every step; {_resolution(bound, size)}")
    return _Finding("undecided", "the rounding of f hides the remainder at too many steps")
