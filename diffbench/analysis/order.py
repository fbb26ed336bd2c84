"""Observed orders: the slope of the truncation in log ε, against the order that a scheme's moments prove.

The truncation is computed in balls, so that the slope has an interval and no floor from rounding. It is measured over
a window of epsilons small enough for the leading term of the truncation's own series to stand alone, and the window
counts only if the truncation there is that leading term, constant included, to :data:`TOLERANCE`.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from diffbench.errors import InputError
from diffbench.functions.function import Function
from diffbench.functions.suites import BUILT_IN, find_function, load_suite
from diffbench.reference.balls import Ball, HardError
from diffbench.reference.exact import as_formula, check_derivative
from diffbench.reference.expansions import NotRealError, UnknownError
from diffbench.reference.program import NoBallError
from diffbench.reference.truncation import (
    Combination,
    ErrorSeries,
    ExactValue,
    Neighbourhood,
    NotApplicableError,
    combination_of,
    gap_to_leading,
    log2_bound,
    neighbourhood,
    slope,
)
from diffbench.rounding import exact_number, exact_text, shown
from diffbench.schemes.scheme import (
    DifferenceScheme,
    OpaqueScheme,
    Scheme,
    as_scheme,
    catalogue,
    parse_scheme,
    states_derivative,
)
from diffbench.schemes.stencil import Stencil
from diffbench.sweep.results import Results
from diffbench.sweep.spec import Spec

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-3
"""How far the observed order may be from the proved one, and the truncation from its leading term, relative to it."""

NEXT_TERM = 1e-4
"""How large the further terms of the series may be in the window, relative to the leading one."""

VERDICTS = ("verified", "higher", "reduced", "none", "nondifferentiable", "uncertain", "not applicable")

_LARGEST_EXPONENT = -4
_EPSILONS = 3
_APART = 2
"""A window is three epsilons, powers of two that are a factor of 4 apart, the largest at most 1/16."""

_SMALLER = (0, 6, 18, 42, 90, 186, 378, 762, 1530, 3066)
"""By how many octaves a window is moved, in turn, in which f has a kink or an end."""


@dataclass(frozen=True)
class Observed:
    """The order of a scheme at a point, as proved and as observed.

    Attributes
    ----------
    scheme, function : str
        Names.
    point : str
        Where, exactly.
    derivative : int
        Which derivative.
    proved : int or None
        The order p by the moments; None for an opaque scheme.
    observed : float or None
        The slope of log |truncation| in log ε over the whole window; None where there is none.
    low, high : float or None
        An interval that holds the slopes of all steps of the window, rigorously.
    verdict : str
        ``verified``: the proved order. ``higher``: f^(m+p)(x) = 0. ``reduced``: f is not smooth enough at x. ``none``:
        the truncation is identically 0. ``nondifferentiable``: there is no derivative to be near. ``uncertain``: not
        settled. ``not applicable``: the scheme has no formula, or f cannot be evaluated at its nodes.
    reason : str
        One line.
    window : tuple of float
        The smallest and the largest epsilon that were looked at; empty without a window.
    """

    scheme: str
    function: str
    point: str
    derivative: int
    proved: int | None
    observed: float | None
    low: float | None
    high: float | None
    verdict: str
    reason: str
    window: tuple[float, ...] = ()

    @property
    def deviation(self) -> float | None:
        """The largest distance of the interval from the proved order; None without a slope."""
        if self.low is None or self.high is None or self.proved is None:
            return None
        return max(abs(self.low - self.proved), abs(self.high - self.proved))


@dataclass(frozen=True)
class Slope:
    """The slope over a window, with the interval that holds those of its steps."""

    observed: float
    low: float
    high: float
    window: tuple[float, float]


def observed_order(
    function: object, scheme: str | Stencil | Scheme, x: object, derivative: int = 1, name: str = ""
) -> Observed:
    """Return the order of a scheme that is observed at a point, with a verdict.

    Parameters
    ----------
    function : str, Formula or Function
        What is differentiated; a text is a formula.
    scheme : str, Stencil or scheme
        A name as `diffbench list schemes` prints it, or an object.
    x : str, int, Fraction or float
        The point; text is exact.
    derivative : int
        Which derivative, where the scheme's name does not say.
    name : str
        What the result calls the function; by default its name, or the formula.

    Raises
    ------
    InputError
        If an argument is wrong or f is not defined at x.

    Examples
    --------
    >>> observed_order("exp(x)", "central-4", 1).verdict
    'verified'
    >>> round(observed_order("Abs(x)**Rational(3, 2)", "forward-1", 0).observed, 3)
    0.5
    """
    check_derivative(derivative)
    formula = as_formula(function)
    near = neighbourhood(formula, exact_number(x, "x"))
    title = name or (function.name if isinstance(function, Function) else formula.text)
    return _observed(near, _as_scheme(scheme, derivative), title)


def observed_orders(
    functions: object = "standard", schemes: object = None, derivatives: Sequence[int] = (1,)
) -> "pd.DataFrame":
    """Return the observed orders of schemes at all points of functions, one row each, with the fields of `Observed`.

    Parameters
    ----------
    functions : str, Function, sequence of them, or Results
        Suites by name, functions of suites by name, or objects; or a run, whose functions, schemes and derivatives
        are those of its spec.
    schemes : str, Stencil, scheme or sequence of them, optional
        By default the catalogue for the derivatives.
    derivatives : sequence of int
        Which derivatives, for names of schemes that do not say.

    Examples
    --------
    >>> set(observed_orders("exp", ["forward-1", "central-2"]).verdict)
    {'verified'}
    """
    import pandas as pd

    rows = [asdict(each) | {"deviation": each.deviation} for each in order_rows(functions, schemes, derivatives)]
    return pd.DataFrame(rows)


def order_rows(
    functions: object = "standard", schemes: object = None, derivatives: Sequence[int] = (1,)
) -> Iterator[Observed]:
    """Yield the observed orders: functions in order, points within them, schemes within these.

    Raises
    ------
    InputError
        If a function, scheme or derivative is none.
    """
    if isinstance(functions, Results):
        spec = Spec.from_text(functions.spec)
        functions, derivatives = spec.functions, spec.derivatives
        schemes = spec.schemes if schemes is None else schemes
    chosen = _schemes(schemes, [check_derivative(each) for each in derivatives])
    for function in _functions(functions):
        for x in function.points:
            near = neighbourhood(function.formula, x)
            for scheme in chosen:
                yield _observed(near, scheme, function.name)


def _functions(given: object) -> list[Function]:
    items = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    return [function for item in items for function in _functions_of(item)]


def _functions_of(item: object) -> Iterable[Function]:
    if isinstance(item, Function):
        return [item]
    if not isinstance(item, str):
        raise InputError(f"functions: {item!r} is neither a name nor a Function")
    return load_suite(item).functions if item in BUILT_IN or item.endswith(".toml") else [find_function(item)]


def _schemes(given: object, derivatives: list[int]) -> list[Scheme]:
    if given is None:
        return [scheme for m in derivatives for scheme in catalogue(m)]
    items = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    return list(dict.fromkeys(each for item in items for each in _schemes_of(item, derivatives)))


def _schemes_of(item: Any, derivatives: list[int]) -> Iterator[Scheme]:
    if isinstance(item, str) and not states_derivative(item):
        yield from (parse_scheme(item, m) for m in derivatives)
    else:
        yield _as_scheme(item, 1)


def _as_scheme(scheme: object, derivative: int) -> Scheme:
    if isinstance(scheme, str):
        return parse_scheme(scheme, derivative)
    if isinstance(scheme, Stencil):
        return as_scheme(scheme) if scheme == Stencil.fit(scheme.offsets, scheme.derivative) else _unfitted(scheme)
    if isinstance(scheme, (DifferenceScheme, OpaqueScheme)):
        return scheme
    raise InputError(f"scheme: {scheme!r} is neither a name, a stencil nor a scheme")


def _unfitted(stencil: Stencil) -> Scheme:
    """Name a stencil whose weights are not fitted by its offsets and weights."""
    pairs = zip(stencil.offsets, stencil.weights, strict=True)
    return as_scheme(stencil, "weights(" + ",".join(f"{k}:{w}" for k, w in pairs)[:150] + ")")


# one case -------------------------------------------------------------------------------------------------------------


def _observed(near: Neighbourhood, scheme: Scheme, function: str) -> Observed:
    def judged(verdict: str, reason: str, found: Slope | None = None) -> Observed:
        parts = (None, None, None, ()) if found is None else (found.observed, found.low, found.high, found.window)
        observed, low, high, window = parts
        point, proved = exact_text(near.x), None if isinstance(scheme, OpaqueScheme) else scheme.order
        return Observed(
            scheme.name, function, point, scheme.derivative, proved, observed, low, high, verdict, reason, window
        )

    if isinstance(scheme, OpaqueScheme):
        return judged("not applicable", "an opaque scheme has no formula")
    try:
        return judged(*_judgement(near, scheme))
    except NotApplicableError as error:
        return judged("not applicable", str(error))
    except NoBallError as error:
        return judged("uncertain", f"no ball arithmetic for {error}")
    except (HardError, NotRealError, UnknownError):
        return judged("uncertain", "f has no expansion at x that is settled")


def _judgement(near: Neighbourhood, scheme: DifferenceScheme) -> tuple[str, str, Slope | None]:
    """Return verdict, reason and slope of a scheme with a formula."""
    formula = combination_of(scheme)
    if not near.is_analytic:
        reference = near.reference(scheme.derivative)
        if reference is None:
            raise InputError(f"x: {near.formula} is not defined, or not real, at {shown(near.x)}")
        if not reference.is_settled:
            verdict = "nondifferentiable" if reference.verdict == "nondifferentiable" else "uncertain"
            return verdict, reference.reason, None
    series = near.series(formula)
    if series is None:
        return "uncertain", "the leading term of the truncation is not settled", None
    if not series.terms:
        return _without_terms(near, formula, series)
    found = find_slope(near, formula, series)
    if found is None:
        return "uncertain", "no window of epsilons shows the leading term alone", None
    return (*_compared(near, formula, series), found)


def _compared(near: Neighbourhood, formula: Combination, series: ErrorSeries) -> tuple[str, str]:
    """Return the verdict on the exponent of the leading term, which has been observed."""
    power, proved = series.terms[0][0], formula.order
    degree = formula.derivative + proved
    if power == proved:
        note = "" if near.is_analytic else f", though f^({degree}) need not exist there"
        return "verified", f"the truncation is C ε^{proved} f^({degree})(x)" + note
    if power < proved:
        return "reduced", f"f is not smooth enough at x: the truncation begins with {_epsilon_to(power)}"
    how = "" if series.vanished.get(Fraction(proved), True) else " to ±2^-1200"
    return "higher", f"f^({degree})(x) = 0{how}: the truncation begins with {_epsilon_to(power)}"


def _epsilon_to(power: Fraction) -> str:
    return f"ε^{power}" if power.denominator == 1 else f"ε^({power})"


def _without_terms(near: Neighbourhood, formula: Combination, series: ErrorSeries) -> tuple[str, str, Slope | None]:
    """Return the verdict where every known term vanishes: none if that is proved, and seen in balls too."""
    if not series.proof:
        return "uncertain", "every known term of the truncation vanishes, but nothing proves that all do", None
    for smaller in _SMALLER:
        ball = near.truncation_with(formula, _power_of_two(_LARGEST_EXPONENT - smaller), 512)
        if ball.is_finite and ball.contains_zero:
            return "none", f"the truncation is 0: {series.proof}", None
    return "uncertain", f"the truncation should be 0, as {series.proof}, but its balls are not", None


def find_slope(
    near: Neighbourhood, formula: Combination, series: ErrorSeries, exact: ExactValue | None = None
) -> Slope | None:
    """Return the slope over the first window in which the truncation is its leading term.

    Parameters
    ----------
    near : Neighbourhood
        f around the point.
    formula : Combination
        The formula.
    series : ErrorSeries
        What its truncation begins with.
    exact : ExactValue, optional
        What stands in place of the derivative.

    Returns
    -------
    Slope or None
        None where no window was found.
    """
    largest = window_exponent(series)
    for smaller in _SMALLER:
        epsilons = [_power_of_two(largest - smaller - _APART * i) for i in range(_EPSILONS)]
        balls = [near.truncation(formula, epsilon, exact) for epsilon in epsilons]
        if all(ball.sign for ball in balls):
            found = _measured(balls, epsilons, series)
            if found is not None:
                return found
    return None


def _measured(balls: list[Ball], epsilons: list[Fraction], series: ErrorSeries) -> Slope | None:
    """Return the slope, or None where the truncation is not the leading term."""
    leading = series.terms[0]
    gaps = [gap_to_leading(ball, leading, epsilon) for ball, epsilon in zip(balls, epsilons, strict=True)]
    ratio = Fraction(2**_APART)
    steps = [slope(first, second, ratio) for first, second in pairwise(balls)]
    low, high = min(step[0] for step in steps), max(step[1] for step in steps)
    if max(gaps) > TOLERANCE or max(abs(low - leading[0]), abs(high - leading[0])) > TOLERANCE:
        return None
    whole = slope(balls[0], balls[-1], ratio ** (len(balls) - 1))
    return Slope(sum(whole) / 2, low, high, (float(epsilons[-1]), float(epsilons[0])))


def window_exponent(series: ErrorSeries) -> int:
    """Return the exponent of the largest power of two at which the further terms are together small enough."""
    (power, coefficient), *further = series.terms
    bound = log2_bound(coefficient) + math.log2(NEXT_TERM / 2)
    exponent = float(_LARGEST_EXPONENT)
    # Each of n terms is given its share: 2^-i of the bound to the i-th, so that their sum stays below it.
    for place, (higher, ball) in enumerate(further):
        size = log2_bound(ball)
        if size > -math.inf:
            exponent = min(exponent, (bound - place - size) / float(higher - power))
    return math.floor(exponent)


def _power_of_two(exponent: int) -> Fraction:
    return Fraction(2) ** exponent
