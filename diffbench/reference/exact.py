"""The exact derivative at a point, with the verdict of what is known of it.

*certified*: a ball of the symbolic derivative, precision doubled until the whole ball rounds to one number.
*agreed*: FLINT does not cover the function; two mpmath precisions, the second double the first, agree.
*nondifferentiable*: the one-sided limits differ or are infinite. *uncertain*: none of these.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import floor, inf, log10
from threading import RLock
from typing import Any

import mpmath
import sympy

from diffbench.errors import InputError, UncertainError
from diffbench.functions.function import Function
from diffbench.functions.grammar import Formula, parse_formula
from diffbench.functions.symbolic import to_sympy, to_unevaluated_sympy, variable_symbol
from diffbench.reference.balls import Ball, BallProgram, NoBallError
from diffbench.reference.branches import branch, has_switches, is_seam
from diffbench.reference.pair import rounded_pair
from diffbench.rounding import exact_mpf, exact_number, shown

MAX_BITS = 16384
MAX_DERIVATIVE = 10
MAX_DIGITS = 1000
VANISHED = Fraction(1, 2**1200)
"""A ball inside ± this is taken for 0, certified absolutely."""

_LOG10_2 = log10(2)
_MPMATH = RLock()
"""mpmath's precision is global to the process; who changes it for an evaluation holds this."""


@dataclass(frozen=True)
class Reference:
    """An exact derivative.

    Attributes
    ----------
    value : mpmath.mpf or None
        The derivative, to at least the digits asked for; infinite where it is above 2^131072, None where it does not
        exist or is not settled.
    certified_digits : int
        Decimal digits of the value that are certain: −log10(radius/|value|), at most those of the working precision.
    radius : mpmath.mpf or None
        The true value lies within it of `value`; infinite where nothing is known.
    verdict : str
        ``certified``, ``agreed``, ``uncertain`` or ``nondifferentiable``.
    method : str
        ``ball`` or ``mpmath``.
    left, right : mpmath.mpf or None
        The one-sided derivatives where the verdict is nondifferentiable, possibly infinite.
    hi, lo : float or None
        The value rounded to float64, and the rest rounded to float64.
    reason : str
        Why it is not certified.
    """

    value: Any
    certified_digits: int
    radius: Any
    verdict: str
    method: str
    left: Any = None
    right: Any = None
    hi: float | None = None
    lo: float | None = None
    reason: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether there is a value to measure against."""
        return self.verdict in {"certified", "agreed"}


def exact_derivative(formula: str | Formula | Function, x: object, derivative: int = 1, digits: int = 50) -> Reference:
    """Return the exact derivative of a formula at an exact point.

    Parameters
    ----------
    formula : str, Formula or Function
        Of one variable.
    x : str, int, Fraction or float
        Text is an exact decimal or rational; a float means its binary value.
    derivative : int
        0 for the value itself, up to 10.
    digits : int
        How many decimal digits are wanted.

    Raises
    ------
    InputError
        If an argument is wrong or the formula is not defined at x.

    Examples
    --------
    >>> exact_derivative("1/w**2", 4).hi
    -0.03125
    """
    if not isinstance(derivative, int) or isinstance(derivative, bool) or not 0 <= derivative <= MAX_DERIVATIVE:
        raise InputError(f"derivative: {derivative!r} is not a whole number from 0 to {MAX_DERIVATIVE}")
    if not isinstance(digits, int) or not 1 <= digits <= MAX_DIGITS:
        raise InputError(f"digits: {digits!r} is not a whole number from 1 to {MAX_DIGITS}")
    parsed = _as_formula(formula)
    point = exact_number(x, "x")
    if not is_defined(parsed, point):
        raise InputError(f"x: {parsed} is not defined, or not real, at {x}")
    return reference_at(parsed, point, derivative, digits)


def enclosing_text(reference: Reference, digits: int) -> dict[str, str | None]:
    """Return value and radius of a reference as decimal texts; the radius covers the rounding of the value's text too.

    Parameters
    ----------
    reference : Reference
        Settled or not.
    digits : int
        Significant digits of the value; fewer where fewer are certain.
    """
    value = reference.value
    if value is None or not mpmath.isfinite(value):
        return {"value": None if value is None else str(value), "radius": mpmath.nstr(reference.radius, 3)}
    text = str(mpmath.nstr(value, max(1, min(digits, reference.certified_digits))))
    radius = exact_mpf(reference.radius) + abs(exact_mpf(value) - Fraction(text))
    return {"value": text, "radius": _rounded_up(radius)}


def _rounded_up(radius: Fraction) -> str:
    """Return three digits that are not below the radius: 1 % is more than they are rounded by."""
    widened = radius * Fraction(101, 100)
    short = mpmath.mp.make_mpf(mpmath.libmp.from_rational(widened.numerator, widened.denominator, 64))
    return str(mpmath.nstr(short, 3)) if radius else "0.0"


def _as_formula(formula: str | Formula | Function) -> Formula:
    if isinstance(formula, Function):
        return formula.formula
    return formula if isinstance(formula, Formula) else parse_formula(formula)


def is_defined(formula: Formula, x: Fraction) -> bool:
    """Return whether the formula, as it is written, has a finite real value at x."""
    expression, symbol = _expression(formula)
    try:
        program = _value_program(formula)
        if any(program.is_finite(x, bits) for bits in (256, 1024, 4096)):
            return True
    except NoBallError:
        return _mpmath_value(expression, symbol, x, 256) is not None
    return not _is_binary(x) and _has_exact_value(expression, symbol, x)


def _is_binary(x: Fraction) -> bool:
    return x.denominator & (x.denominator - 1) == 0


def _has_exact_value(expression: sympy.Expr, symbol: sympy.Symbol, x: Fraction) -> bool:
    """Ask SymPy for asin(3*x) at 1/3, where every ball around x reaches over the end of the domain."""
    value = expression.subs(symbol, sympy.Rational(x.numerator, x.denominator))
    return bool(value.is_real and value.is_finite)


@lru_cache(maxsize=1024)
def _value_program(formula: Formula) -> BallProgram:
    return BallProgram(to_unevaluated_sympy(formula), variable_symbol(formula))


def reference_at(formula: Formula, x: Fraction, derivative: int, digits: int = 34) -> Reference:
    """Return the reference at a point where the formula is defined."""
    expression, symbol = _expression(formula)
    try:
        if has_switches(expression) and is_seam(expression, symbol, x):
            return _seam(expression, symbol, x, derivative, digits)
        smooth = _at_side(expression, symbol, x, 0)
    except UncertainError as error:
        return _uncertain(str(error))
    except NoBallError as error:
        return _uncertain(f"which branch holds at {shown(x)} is not settled: no ball arithmetic for {error}")
    try:
        return _ball_reference(smooth, symbol, x, derivative, digits)
    except NoBallError as error:
        derived = _differentiate(smooth, symbol, derivative)
        return _mpmath_reference(derived, symbol, x, digits, f"no ball arithmetic for {error}")


@lru_cache(maxsize=1024)
def _expression(formula: Formula) -> tuple[sympy.Expr, sympy.Symbol]:
    """Return the expression with sinc as a hypergeometric function, which is smooth at 0 as it stands."""
    half = sympy.Rational(3, 2)
    expression = to_sympy(formula).replace(sympy.sinc, lambda u: sympy.hyper((), (half,), -(u**2) / 4))
    return expression, variable_symbol(formula)


@lru_cache(maxsize=4096)
def _program(smooth: sympy.Expr, symbol: sympy.Symbol, derivative: int) -> BallProgram:
    return BallProgram(_differentiate(smooth, symbol, derivative), symbol)


@lru_cache(maxsize=4096)
def _differentiate(smooth: sympy.Expr, symbol: sympy.Symbol, derivative: int) -> sympy.Expr:
    return smooth if derivative == 0 else sympy.diff(_differentiate(smooth, symbol, derivative - 1), symbol)


def _at_side(expression: sympy.Expr, symbol: sympy.Symbol, x: Fraction, side: int) -> sympy.Expr:
    return branch(expression, symbol, x, side) if has_switches(expression) else expression


def _uncertain(reason: str, ball: Ball | None = None, method: str = "ball") -> Reference:
    radius = mpmath.inf
    if ball is not None and ball.is_finite:
        bound = abs(ball.midpoint) + ball.radius
        reason += f"; its absolute value is below {mpmath.nstr(_mpf(bound), 3)}"
        radius = _mpf(bound)
    return Reference(None, 0, radius, "uncertain", method, reason=reason)


def _ball_reference(smooth: sympy.Expr, symbol: sympy.Symbol, x: Fraction, derivative: int, digits: int) -> Reference:
    return _settled_value(_program(smooth, symbol, derivative), x, digits)


def _settled_value(program: BallProgram, x: Fraction, digits: int) -> Reference:
    ball, bits = None, 128
    while bits <= MAX_BITS:
        ball = program(x, bits)
        if ball.overflow:
            return _overflowing(ball.overflow)
        if ball.is_finite and (settled := _settle(ball, digits)):
            return settled
        bits *= 2
    return _uncertain(f"not settled with {MAX_BITS} bits", ball)


def _overflowing(sign: int) -> Reference:
    value = sign * mpmath.inf
    reason = "its absolute value is above 2^131072"
    return Reference(value, 0, mpmath.inf, "certified", "ball", hi=sign * inf, lo=0.0, reason=reason)


def _settle(ball: Ball, digits: int) -> Reference | None:
    """Return the reference if the ball is small enough, else None."""
    if ball.contains_zero and abs(ball.midpoint) + ball.radius <= VANISHED:
        radius = abs(ball.midpoint) + ball.radius
        digits = _digits_of(Ball(Fraction(0), radius, ball.bits))
        return Reference(mpmath.mpf(0), digits, _mpf(radius), "certified", "ball", hi=0.0, lo=0.0)
    certain = _digits_of(ball)
    pair = rounded_pair(ball.midpoint, Fraction(ball.radius), VANISHED)
    if pair is None or certain < digits:
        return None
    return Reference(_mpf(ball.midpoint), certain, _mpf(ball.radius), "certified", "ball", hi=pair[0], lo=pair[1])


def _digits_of(ball: Ball) -> int:
    """Return the certain decimal digits: of the relative radius, or of an absolute one where the value is 0."""
    working = floor(ball.bits * _LOG10_2)
    if ball.radius == 0:
        return working
    ratio = Fraction(ball.radius) / (abs(ball.midpoint) or 1)
    return max(0, min(working, floor((ratio.denominator.bit_length() - ratio.numerator.bit_length() - 1) * _LOG10_2)))


def _mpf(value: Fraction | float) -> Any:
    """Return a rational as an mpmath number, exactly where its denominator is a power of two."""
    if value == inf:
        return mpmath.inf
    exact = Fraction(value)
    bits = max(64, exact.numerator.bit_length())
    return mpmath.mp.make_mpf(mpmath.libmp.from_rational(exact.numerator, exact.denominator, bits))


def _seam(expression: sympy.Expr, symbol: sympy.Symbol, x: Fraction, derivative: int, digits: int) -> Reference:
    """Decide where branches meet: all derivatives up to the wanted one must agree from both sides."""
    here, left, right = (_at_side(expression, symbol, x, side) for side in (0, -1, 1))
    if derivative == 0:
        return _ball_reference(here, symbol, x, 0, digits)
    for m in range(derivative + 1):
        below, above = _left_derivative(left, symbol, m), _differentiate(right, symbol, m)
        gaps = [above - below] if m else [above - below, here - below, above - here]
        jumps = [_settled_value(BallProgram(gap, symbol), x, 1) for gap in gaps]
        if not all(jump.is_settled for jump in jumps):
            return _uncertain(f"whether derivative {m} has a jump at {shown(x)} is not settled")
        if any(jump.value != 0 for jump in jumps):
            ends = [_left_derivative(left, symbol, derivative), _differentiate(right, symbol, derivative)]
            return _nondifferentiable(jumps, [BallProgram(end, symbol) for end in ends], x, m, derivative)
    return _ball_reference(right, symbol, x, derivative, digits)


def _left_derivative(smooth: sympy.Expr, symbol: sympy.Symbol, derivative: int) -> sympy.Expr:
    """Differentiate in −x: SymPy leaves (−x)^(3/2)/x as it is, which is 0/0 at 0, but simplifies x^(3/2)/x."""
    mirrored = _differentiate(smooth.subs(symbol, -symbol), symbol, derivative)
    return (-1) ** derivative * mirrored.subs(symbol, -symbol)


def _nondifferentiable(
    jumps: list[Reference], ends: list[BallProgram], x: Fraction, jumping: int, derivative: int
) -> Reference:
    """Return both one-sided limits of the difference quotient of derivative m − 1, where that one exists at x."""
    reason = f"derivative {jumping} has a jump at {shown(x)}"
    limits: list[Any] = [None, None]
    if jumping == derivative or (jumping == 0 and derivative == 1):
        limits = [_settled_value(end, x, 17).value for end in ends]
    if jumping == 0 and derivative == 1:
        infinite = [mpmath.sign(jump.value) * mpmath.inf if jump.value else None for jump in jumps[1:]]
        limits = [limit if end is None else end for end, limit in zip(infinite, limits, strict=True)]
    return Reference(None, 0, mpmath.inf, "nondifferentiable", "ball", left=limits[0], right=limits[1], reason=reason)


def _mpmath_reference(derived: sympy.Expr, symbol: sympy.Symbol, x: Fraction, digits: int, reason: str) -> Reference:
    """Double the precision of mpmath until two values agree; heuristic, so no more than "agreed"."""
    magnitude = abs(x.numerator.bit_length() - x.denominator.bit_length())
    bits, wanted = 160 + 4 * magnitude, max(digits + 3, 36) / _LOG10_2
    previous = None
    while bits <= MAX_BITS:
        value = _mpmath_value(derived, symbol, x, bits)
        if value is not None and previous is not None:
            radius = abs(value - previous)
            if radius * 2 ** int(wanted) <= abs(value):
                return _agreed(value, radius, bits, reason)
        previous, bits = value, 2 * bits
    return _uncertain(f"two precisions of mpmath do not agree up to {MAX_BITS} bits", method="mpmath")


def _agreed(value: Fraction, radius: Fraction, bits: int, reason: str) -> Reference:
    ball = Ball(value, radius or abs(value) / 2 ** (bits // 2), bits)
    hi_lo = rounded_pair(ball.midpoint, Fraction(0), VANISHED)
    hi, lo = hi_lo if hi_lo is not None else (None, None)
    return Reference(_mpf(value), _digits_of(ball), _mpf(ball.radius), "agreed", "mpmath", hi=hi, lo=lo, reason=reason)


def _mpmath_value(smooth: sympy.Expr, symbol: sympy.Symbol, x: Fraction, bits: int) -> Fraction | None:
    """Return the value as mpmath computes it with a fixed precision, or None where it is not finite and real."""
    with _MPMATH, mpmath.workprec(bits):
        try:
            function = sympy.lambdify(symbol, smooth, "mpmath")
            value = mpmath.mpmathify(function(mpmath.mpf(x.numerator) / x.denominator))
        except Exception:  # noqa: BLE001  (what SymPy cannot print or mpmath not compute raises anything)
            return None
        if isinstance(value, mpmath.mpc) and value.imag == 0:
            value = value.real
        return exact_mpf(value) if isinstance(value, mpmath.mpf) and mpmath.isfinite(value) else None
