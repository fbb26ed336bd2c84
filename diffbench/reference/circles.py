"""Derivatives by Cauchy's integral over a circle, in complex balls.

A way that knows no derivative of anything: f is only evaluated. The trapezoidal rule's error is bounded by the largest
magnitude of f on a disc (or on a ring, where f is not defined at the centre itself) that small boxes cover; a box that
touches a branch cut has no value.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import factorial
from typing import Any

import sympy
from flint import acb, arb, fmpq

from diffbench.reference.balls import CONSTANTS, REAL, Ball, exact_ball, guarded, precision, rational_fmpq
from diffbench.reference.program import Arithmetic, Operation, Program

_GRID = 16
_HOLE = 2
"""Rows and columns of boxes that a ring leaves out on every side of its centre."""

_SHRINK = Fraction(1, 4)
_TRIALS = 24


class CircleProgram:
    """A SymPy expression of one symbol, evaluated on complex balls.

    Raises
    ------
    NoBallError
        If a function in it is not covered.
    """

    def __init__(self, expression: sympy.Expr, symbol: sympy.Symbol) -> None:
        self._program = Program(expression, symbol, _COMPLEX)

    def at_present_precision(self) -> Operation:
        """Return f on complex balls."""
        return self._program.at_present_precision()

    def derivatives(self, x: Fraction, derivative: int, bits: int, *, hole: bool = False) -> Iterator[Ball]:
        """Yield balls of a derivative at an exact x, from smaller and smaller circles.

        Parameters
        ----------
        x : Fraction
            The point.
        derivative : int
            Which derivative.
        bits : int
            Working precision, and how many nodes a circle has.
        hole : bool
            Whether f has a removable singularity at x, so that only a ring around it is looked at.
        """
        radius = abs(x) / 4 if x else Fraction(1)
        for _ in range(_TRIALS):
            yield self._on_circle(x, radius, derivative, bits, hole=hole)
            radius *= _SHRINK

    def at_node(self, x: Fraction, distance: Fraction, eighths: int, bits: int) -> tuple[Ball, Ball]:
        """Return the real and imaginary part of the value at x + distance · e^(iπ eighths/4)."""
        with precision(bits):
            node = exact_ball(x) + exact_ball(distance) * acb(fmpq(eighths, 4)).exp_pi_i()
            value = self._program.at_present_precision()(node)
            return Ball.of(value.real, bits), Ball.of(value.imag, bits)

    def _on_circle(self, x: Fraction, radius: Fraction, derivative: int, bits: int, *, hole: bool) -> Ball:
        with precision(bits):
            function = self._program.at_present_precision()
            largest = self._largest(function, x, radius, hole=hole)
            if largest is None:
                return Ball(None, bits)
            # The circle has half the radius of the disc, and √2 times that of the hole.
            aliased = 3 * largest * arb(1.4 if hole else 2) ** (derivative - bits)
            sums = self._sum(function, x, radius / 2, derivative, bits)
            return Ball.of(
                (sums + arb(0, 1) * aliased) * factorial(derivative) / exact_ball(radius / 2) ** derivative, bits
            )

    def _largest(self, function: Operation, x: Fraction, radius: Fraction, *, hole: bool) -> arb | None:
        """Return a bound of |f| on the disc, or on its ring, or None where f is not found to be analytic there."""
        bound = arb(0)
        for box in _boxes(x, radius, hole=hole):
            value = function(box)
            if not value.is_finite():
                return None
            bound = bound.max(value.abs_upper())
        return bound

    def _sum(self, function: Operation, x: Fraction, radius: Fraction, derivative: int, nodes: int) -> arb:
        """Return 1/N Σ f(x + r ω^j) ω^(−jm); f is real on the real line, so half the circle will do."""
        centre, length = exact_ball(x), exact_ball(radius)
        total = arb(0)
        for j in range(nodes // 2 + 1):
            node = acb(fmpq(2 * j, nodes)).exp_pi_i()
            value = function(centre + length * node)
            weight = 1 if j in {0, nodes // 2} else 2
            total += weight * (value / node**derivative).real
        return total / nodes


def _boxes(x: Fraction, radius: Fraction, *, hole: bool) -> Iterator[acb]:
    """Yield boxes that cover the upper half of a disc, or of a ring: f takes conjugate values below."""
    half = radius / _GRID
    for row in range(_GRID // 2):
        for column in range(-_GRID // 2, _GRID // 2):
            if hole and row < _HOLE and -_HOLE <= column < _HOLE:
                continue
            middle = x + (2 * column + 1) * half
            spread = exact_ball(half) * arb(0, 1)
            yield acb(exact_ball(middle) + spread, exact_ball((2 * row + 1) * half) + spread)


def _off(cut: Callable[[acb], bool]) -> Callable[[Operation], Operation]:
    """Return what leaves a function without a value where its argument may lie on a cut."""

    def restrict(function: Operation) -> Operation:
        return lambda z: acb(arb.nan()) if cut(z) else function(z)

    return restrict


def _real_up_to(z: acb, end: arb | int) -> bool:
    return z.imag.contains(0) and not z.real > end


def _real_from(z: acb, start: int) -> bool:
    return z.imag.contains(0) and not z.real < start


_off_negative = _off(lambda z: _real_up_to(z, 0))
_off_one = _off(lambda z: _real_from(z, 1))
_off_both = _off(lambda z: _real_up_to(z, -1) or _real_from(z, 1))
_off_imaginary = _off(lambda z: z.real.contains(0) and not (z.imag > -1 and z.imag < 1))


def _with_order(function: Callable[[acb, acb], acb], restrict: Callable[[Operation], Operation] | None) -> Operation:
    """Return a function of order and argument, off its cut."""

    def of_order(order: acb, z: acb) -> acb:
        def inner(w: acb) -> acb:
            return function(w, acb(order))

        return (restrict(inner) if restrict else inner)(acb(z))

    return guarded(of_order)


_PLAIN = (
    *("exp", "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "sech", "csch", "gamma"),
    *("digamma", "erf", "erfc", "erfi", "sinc", "si", "shi", "fresnel_s", "fresnel_c", "sin_pi", "cos_pi", "tan_pi"),
    *("cot_pi", "airy_ai", "airy_bi"),
)
_RENAMED = {"si": "Si", "shi": "Shi", "fresnel_s": "fresnels", "fresnel_c": "fresnelc"} | {
    "airy_ai": "airyai",
    "airy_bi": "airybi",
}


def _log(z: acb, base: acb | None = None) -> acb:
    logarithm = _off_negative(acb.log)
    return logarithm(z) if base is None else logarithm(z) / base.log()


def _whole_order(function: Operation) -> Operation:
    """Return a Bessel function of the first kind, which has a cut where its order is not whole."""

    def of_order(order: acb, z: acb) -> acb:
        order, z = acb(order), acb(z)
        whole = order.imag.is_zero() and order.real.is_integer()
        return function(z, order) if whole else _off_negative(lambda w: function(w, order))(z)

    return guarded(of_order)


_acosh = _off(lambda z: _real_up_to(z, 1))(acb.acosh)
_atan, _asinh = _off_imaginary(acb.atan), _off_imaginary(acb.asinh)
_asin, _acos, _atanh = _off_both(acb.asin), _off_both(acb.acos), _off_both(acb.atanh)

_HEADS: dict[str, Operation] = {
    **{_RENAMED.get(name, name): getattr(acb, name) for name in _PLAIN},
    "airyaiprime": lambda z: z.airy_ai(derivative=1),
    "airybiprime": lambda z: z.airy_bi(derivative=1),
    "log": _log,
    "pow": lambda base, exponent: (exponent * _log(acb(base))).exp(),
    "asin": _asin,
    "acos": _acos,
    "atan": _atan,
    "asinh": _asinh,
    "acosh": _acosh,
    "atanh": _atanh,
    "acot": lambda z: _atan(1 / z),
    "asec": lambda z: _acos(1 / z),
    "acsc": lambda z: _asin(1 / z),
    "acoth": lambda z: _atanh(1 / z),
    "asech": lambda z: _acosh(1 / z),
    "acsch": lambda z: _asinh(1 / z),
    "factorial": lambda z: (z + 1).gamma(),
    "loggamma": _off_negative(acb.lgamma),
    "zeta": guarded(acb.zeta),
    "Ei": _off_negative(acb.ei),
    "Ci": _off_negative(acb.ci),
    "Chi": _off_negative(acb.chi),
    "li": _off(lambda z: _real_up_to(z, 1))(acb.li),
    "LambertW": _off(lambda z: _real_up_to(z, -arb(-1).exp()))(acb.lambertw),
    "elliptic_k": _off_one(acb.elliptic_k),
    "elliptic_e": _off_one(acb.elliptic_e),
    "besselj": _whole_order(acb.bessel_j),
    "besseli": _whole_order(acb.bessel_i),
    "bessely": _with_order(acb.bessel_y, _off_negative),
    "besselk": _with_order(acb.bessel_k, _off_negative),
    "expint": _with_order(acb.expint, _off_negative),
    "polylog": _with_order(acb.polylog, _off_one),
    "uppergamma": _with_order(acb.gamma_upper, _off_negative),
    "lowergamma": _with_order(acb.gamma_lower, _off_negative),
    "polygamma": _with_order(lambda z, order: z.polygamma(order), None),
    "chebyshevt": _with_order(acb.chebyshev_t, None),
    "chebyshevu": _with_order(acb.chebyshev_u, None),
    "legendre": _with_order(acb.legendre_p, None),
    "hermite": _with_order(acb.hermite_h, None),
    "beta": lambda x, y: x.gamma() * y.gamma() * (x + y).rgamma(),
    "binomial": lambda n, k: (n + 1).gamma() * (k + 1).rgamma() * (n - k + 1).rgamma(),
}


def _raise_to(exponent: sympy.Rational) -> Operation:
    if exponent.is_Integer:
        whole = int(exponent)
        return lambda z: z**whole
    power = rational_fmpq(exponent)
    return _off_negative(lambda z: z ** acb(arb(power)))


def _parametric(name: str, parameters: tuple[Any, ...]) -> Operation | None:
    """Return the hypergeometric functions off [1, ∞), where some have a cut."""
    if name != "hyper":
        return None
    upper, lower = ([rational_fmpq(value) for value in values] for values in parameters)

    def hypergeometric(z: acb) -> acb:
        a, b = ([acb(arb(value)) for value in values] for values in (upper, lower))
        return z.hypgeom(a, b)

    return guarded(_off_one(hypergeometric) if len(upper) > len(lower) else hypergeometric)


def _complexified(value: object) -> object:
    return acb(value) if isinstance(value, arb) else value


_COMPLEX = Arithmetic(
    rational=lambda p, q: acb(arb(fmpq(p, q))),
    constants=CONSTANTS,
    heads=_HEADS,
    raise_to=_raise_to,
    parametric=_parametric,
    undefined=lambda: acb(arb.nan()),
    constants_in=REAL,
    lift=_complexified,
)
