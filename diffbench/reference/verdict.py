"""What is known of an exact derivative: its enclosure and the verdict."""

from fractions import Fraction
from math import inf
from typing import Any, NamedTuple

import mpmath
from mpmath import libmp

from diffbench.reference.balls import Ball
from diffbench.rounding import decimal_text

_NOTHING = Ball(None)


class Reference(NamedTuple):
    """An exact derivative.

    Attributes
    ----------
    verdict : str
        ``certified``: two independent ways enclose it, one in a ball that rounds to one hi and lo. ``agreed``: one way
        only, the reason says which is missing. ``nondifferentiable``: the one-sided limits differ or are infinite.
        ``uncertain``: none of these.
    method : str
        ``ball`` or ``mpmath``.
    ball : Ball
        The enclosure.
    certified_digits : int
        Decimal digits of the value that are certain: ``−log10(radius/|value|)``, at most those of the working
        precision.
    hi, lo : float or None
        The value rounded to float64, and the rest rounded to float64.
    left, right : mpmath.mpf or None
        The one-sided derivatives where the verdict is nondifferentiable, possibly infinite.
    reason : str
        Why it is not certified.
    second_opinion : str
        The way that confirms it: ``jet``, ``symbolic``, ``circle``, or nothing.
    """

    verdict: str
    method: str = "ball"
    ball: Ball = _NOTHING
    certified_digits: int = 0
    hi: float | None = None
    lo: float | None = None
    left: Any = None
    right: Any = None
    reason: str = ""
    second_opinion: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether there is a value to measure against."""
        return self.verdict in {"certified", "agreed"}

    @property
    def value(self) -> Any:
        """The derivative as an mpmath.mpf; infinite above 2^131072, None where it does not exist or is not settled."""
        if not self.is_settled:
            return None
        if self.ball.overflow:
            return self.ball.overflow * mpmath.inf
        return mpmath.mpf(0) if self.ball.has_vanished else to_mpf(self.ball.midpoint)

    @property
    def radius(self) -> Any:
        """The true value lies within it of `value`, an mpmath.mpf; infinite where nothing is known."""
        if not self.is_settled and self.verdict != "uncertain":
            return mpmath.inf
        around_zero = self.ball.has_vanished or not self.is_settled
        return to_mpf(self.ball.radius + (abs(self.ball.midpoint) if around_zero else 0), "u")


def uncertain(reason: str, ball: Ball = _NOTHING, method: str = "ball") -> Reference:
    """Return that nothing is settled, with the bound that is known."""
    reference = Reference("uncertain", method, ball, reason=reason)
    if mpmath.isinf(reference.radius):
        return reference
    bound = f"; its absolute value is below {_three_digits(reference.radius._mpf_)}"
    return Reference("uncertain", method, ball, reason=reason + bound)


def to_mpf(value: Fraction | float, rounding: str = "n") -> Any:
    """Return a rational as an mpmath number, exactly where its denominator is a power of two, else rounded."""
    if value == inf:
        return mpmath.inf
    exact = value if isinstance(value, Fraction) else Fraction(value)
    if exact.denominator & (exact.denominator - 1) == 0:
        return mpmath.mp.make_mpf(libmp.from_man_exp(exact.numerator, 1 - exact.denominator.bit_length()))
    bits = max(64, exact.numerator.bit_length())
    return mpmath.mp.make_mpf(libmp.from_rational(exact.numerator, exact.denominator, bits, rounding))


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
        return {"value": None if value is None else str(value), "radius": decimal_text(reference.radius, 3)}
    text = decimal_text(value, max(1, min(digits, reference.certified_digits)))
    return {"value": text, "radius": _three_digits(libmp.mpf_add(reference.radius._mpf_, _apart(value, text), 64, "u"))}


def _apart(value: Any, text: str) -> Any:
    """Return |value − text|, rounded up; in whole numbers, as fractions would be reduced at every step."""
    sign, mantissa, exponent, _ = value._mpf_
    digits, _, power = text.lower().partition("e")
    whole, _, rest = digits.partition(".")
    decimal, ten = int(whole + rest), int(power or 0) - len(rest)
    below = 2 ** max(0, -exponent) * 10 ** max(0, -ten)
    own = (-int(mantissa) if sign else int(mantissa)) * 2 ** max(0, exponent) * 10 ** max(0, -ten)
    other = decimal * 10 ** max(0, ten) * 2 ** max(0, -exponent)
    return libmp.from_rational(abs(own - other), below, 64, "u")


def _three_digits(radius: Any) -> str:
    """Return three digits that are not below the radius: 1 % is more than they are rounded by."""
    widened = libmp.mpf_div(libmp.mpf_mul_int(radius, 101, 64, "u"), libmp.from_int(100), 64, "u")
    return str(mpmath.nstr(mpmath.mp.make_mpf(widened), 3)) if radius != libmp.fzero else "0.0"
