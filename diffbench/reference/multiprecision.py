"""mpmath as a witness: two precisions, the second double the first, that agree. Heuristic, never a certificate."""

from fractions import Fraction
from math import log2

import mpmath
import sympy

from diffbench.multiple import LOCK
from diffbench.reference.balls import Ball
from diffbench.rounding import exact_mpf

MAX_BITS = 4096

_MODULES = [
    {
        "airyaiprime": lambda x: mpmath.airyai(x, derivative=1),
        "airybiprime": lambda x: mpmath.airybi(x, derivative=1),
    },
    "mpmath",
]
"""mpmath, with what SymPy prints under names that it does not have."""


def agreed_value(expression: sympy.Expr, symbol: sympy.Symbol, x: Fraction, digits: int) -> Ball | None:
    """Return the value of an expression on which two precisions agree, within their difference, or None.

    Two zeros are no agreement: both may have cancelled.
    """
    magnitude = abs(x.numerator.bit_length() - x.denominator.bit_length())
    bits, wanted = 160 + 4 * magnitude, int(max(digits + 3, 36) * log2(10))
    previous = None
    while bits <= MAX_BITS:
        value = _value(expression, symbol, x, bits)
        if value and previous is not None and abs(value - previous) * 2**wanted <= abs(value):
            return Ball.around(value, abs(value - previous) or abs(value) / 2 ** (bits // 2), bits)
        previous, bits = value, 2 * bits
    return None


def _value(expression: sympy.Expr, symbol: sympy.Symbol, x: Fraction, bits: int) -> Fraction | None:
    """Return the value as mpmath computes it with a fixed precision, or None where it is not finite and real."""
    with LOCK, mpmath.workprec(bits):
        try:
            function = sympy.lambdify(symbol, expression, _MODULES)
            value = mpmath.mpmathify(function(mpmath.mpf(x.numerator) / x.denominator))
        except Exception:  # noqa: BLE001  (what SymPy cannot print or mpmath not compute raises anything)
            return None
        if isinstance(value, mpmath.mpc) and value.imag == 0:
            value = value.real
        return exact_mpf(value) if isinstance(value, mpmath.mpf) and mpmath.isfinite(value) else None
