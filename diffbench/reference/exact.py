"""The exact derivative at a point, with the verdict of what is known of it."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import takewhile
from math import factorial

from diffbench.errors import InputError
from diffbench.functions.function import Function
from diffbench.functions.grammar import Formula, parse_formula
from diffbench.reference.balls import Ball, HardError
from diffbench.reference.hard import TIME_LIMIT, Expendable
from diffbench.reference.verdict import Reference
from diffbench.reference.ways import Ways, ways_to
from diffbench.rounding import exact_number, round_to

MAX_DERIVATIVE = 10
MAX_DIGITS = 1000
WORKING_DIGITS = 32
"""Two words of float64 have at most as many."""

ENOUGH_DIGITS = 12
"""How many digits of a Taylor coefficient are certain, at least."""


def exact_derivative(
    formula: str | Formula | Function,
    x: object,
    derivative: int = 1,
    digits: int = 50,
    time_limit: float = TIME_LIMIT,
) -> Reference:
    """Return the exact derivative of a formula at an exact point.

    Parameters
    ----------
    formula : str, Formula or Function
        Of one variable.
    x : str, int, Fraction or float
        Text is an exact decimal or rational; a float, of any width, means its binary value.
    derivative : int
        0 for the value itself, up to 10.
    digits : int
        How many decimal digits are wanted.
    time_limit : float
        Seconds after which an evaluation that might never end is given up.

    Raises
    ------
    InputError
        If an argument is wrong or the formula is not defined at x.

    Examples
    --------
    >>> exact_derivative("1/w**2", 4).hi
    -0.03125
    """
    check_derivative(derivative)
    if not isinstance(digits, int) or not 1 <= digits <= MAX_DIGITS:
        raise InputError(f"digits: {digits!r} is not a whole number from 1 to {MAX_DIGITS}")
    parsed = as_formula(formula)
    reference = references(parsed, [exact_number(x, "x")], derivative, digits, check_time_limit(time_limit))[0]
    if reference is None:
        raise InputError(f"x: {parsed} is not defined, or not real, at {x}")
    return reference


def check_derivative(derivative: object) -> int:
    """Return which derivative is meant, or refuse it."""
    if not isinstance(derivative, int) or isinstance(derivative, bool) or not 0 <= derivative <= MAX_DERIVATIVE:
        raise InputError(f"derivative: {derivative!r} is not a whole number from 0 to {MAX_DERIVATIVE}")
    return derivative


def check_time_limit(seconds: object) -> float:
    """Return a time limit as a number, or refuse it."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= 86400:
        raise InputError(f"time_limit: {seconds!r} is not a number of seconds, above 0 and up to 86400")
    return float(seconds)


def references(
    formula: Formula,
    points: Sequence[Fraction | float],
    derivative: int,
    digits: int = WORKING_DIGITS,
    time_limit: float = TIME_LIMIT,
) -> list[Reference | None]:
    """Return the references at many exact points; None where the formula is not defined.

    Parameters
    ----------
    formula : Formula
        What to differentiate.
    points : sequence of Fraction or float
        Where, exactly.
    derivative, digits : int
        Which derivative, and how many decimal digits must be certain.
    time_limit : float
        Seconds for all the points that might take without end; they are worked out in a process that is ended then.
    """
    ways = ways_to(formula, derivative)
    try:
        return ways.references(points, digits)
    except HardError:
        expendable = Expendable(formula, derivative, digits, time_limit)
    return [_alone(ways, x, digits, expendable) for x in points]


def taylor_coefficients(formula: Formula, x: Fraction | float, length: int) -> list[float]:
    """Return f^(j)(x)/j! for j below a length, rounded to float64; fewer where no more are known.

    They come from the jet of f, whose balls are proved; where f is not found analytic, as Max(0, x)**3 at 0, from the
    derivatives up to :data:`MAX_DERIVATIVE` that are settled.

    Examples
    --------
    >>> taylor_coefficients(parse_formula("1/(1 - x)"), 0.0, 4)
    [1.0, 1.0, 1.0, 1.0]
    """
    jet = ways_to(formula, 0).taylor(x, length)
    if jet:
        return [_rounded(ball.midpoint) for ball in takewhile(_is_accurate, jet)]
    settled = (references(formula, [x], j)[0] for j in range(min(length, MAX_DERIVATIVE + 1)))
    known = takewhile(lambda each: each is not None and each.is_settled, settled)
    return [_rounded(each.ball.midpoint / factorial(j)) for j, each in enumerate(known) if each is not None]


def _is_accurate(ball: Ball) -> bool:
    return ball.has_vanished or ball.certified_digits >= ENOUGH_DIGITS


def _rounded(value: Fraction) -> float:
    return round_to(value, "float64")


def _alone(ways: Ways, x: Fraction | float, digits: int, expendable: Expendable) -> Reference | None:
    try:
        return ways.references([x], digits)[0]
    except HardError:
        return expendable.reference(Fraction(x))


def are_defined(formula: Formula, points: Iterable[Fraction | float], time_limit: float = TIME_LIMIT) -> list[bool]:
    """Return at which points the formula, as it is written, has a finite real value.

    A point at which that is not settled, or not within the time limit, counts as one at which it has.
    """
    wanted = list(points)
    known = ways_to(formula, 0).surely_defined(wanted)
    expendable = Expendable(formula, 0, 1, time_limit)
    return [sure or _is_defined(formula, Fraction(x), expendable) for x, sure in zip(wanted, known, strict=True)]


def _is_defined(formula: Formula, x: Fraction, expendable: Expendable) -> bool:
    try:
        return not ways_to(formula, 0).is_undefined(x)
    except HardError:
        return expendable.reference(x) is not None


def as_formula(given: object) -> Formula:
    """Return the formula of a function, or that a text is."""
    if isinstance(given, Function):
        return given.formula
    if isinstance(given, Formula):
        return given
    if not isinstance(given, str):
        raise InputError(f"formula: {given!r} is neither a text nor a Formula or Function")
    return parse_formula(given)
