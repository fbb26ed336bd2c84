"""Balls: numbers with a midpoint and a radius that enclose the true value, whatever was rounded on the way.

FLINT's precision is global to the process; :func:`precision` owns it under one lock. Some of FLINT's functions of
several parameters take without end, or end the process, where an argument is huge: :func:`guarded` keeps them to
arguments that are known to be harmless, unless the process may be lost.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property
from math import frexp, inf, ulp
from operator import eq, ge, gt, le, lt, ne
from threading import RLock
from typing import Any, NamedTuple

import sympy
from flint import acb, arb, ctx, fmpq, fmpz

from diffbench.reference.definedness import EdgeProgram
from diffbench.reference.program import Arithmetic, Operation, Program
from diffbench.rounding import RANGE_BITS

_LOCK = RLock()

SERIES_LENGTH = 400
"""More terms than any jet asks for."""

VANISHED = arb((1, -1200))
"""A ball inside ± this is taken for 0, certified absolutely."""

_LARGEST = arb((1, RANGE_BITS))
_LEAST = arb((1, -RANGE_BITS))
_SMALLEST = Fraction(1, 2**RANGE_BITS)
"""Values are taken over into rationals only within this range: exp(exp(25)) has 10¹⁰ bits."""

_SMALLEST_PLAIN = 2.0**-900
"""Above it the rest beside a float64 does not underflow."""

_HARMLESS = arb(500)
_HARMLESS_BITS = 4096
_LOG10_2 = math.log10(2)


class HardError(Exception):
    """An evaluation that might take without end, and is left to a process that can be ended."""


class _Guard:
    """Whether this process may be lost to an evaluation."""

    expendable = False


def make_expendable() -> None:
    """Let this process evaluate what might never end; whoever started it watches the clock."""
    _Guard.expendable = True


def is_expendable() -> bool:
    """Return whether this process may evaluate what might never end."""
    return _Guard.expendable


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Own FLINT's precision for the time of some evaluations."""
    with _LOCK:
        before = ctx.prec, ctx.cap
        ctx.prec, ctx.cap = bits, SERIES_LENGTH
        try:
            yield
        finally:
            ctx.prec, ctx.cap = before


def exact_ball(x: Fraction | float) -> arb:
    """Return the ball of a rational or a float: a point where it is binary and short enough for the precision."""
    return arb(x) if isinstance(x, float) else arb(fmpq(x.numerator, x.denominator))


def guarded(function: Operation) -> Operation:
    """Return a function that refuses huge arguments and precisions in a process that must not be lost."""

    def checked(*arguments: Any) -> Any:
        if not _Guard.expendable:
            harmless = all(_magnitude(argument) < _HARMLESS for argument in arguments)
            if ctx.prec > _HARMLESS_BITS or not harmless:
                raise HardError
        return function(*arguments)

    return checked


def _magnitude(argument: Any) -> arb:
    upper: arb = (argument if isinstance(argument, (arb, acb)) else argument[0]).abs_upper()
    return upper


class Ball(NamedTuple):
    """An enclosure of a real number.

    Attributes
    ----------
    value : arb or None
        The ball; None where no finite real one was found.
    bits : int
        The working precision it was computed with.
    spread : tuple of int, optional
        Mantissa and exponent of the exact radius where FLINT, which can only round one up, has a larger one.
    is_unbounded : bool
        Whether nothing is enclosed because the value is too large, not because there is none.
    """

    value: Any
    bits: int = 0
    spread: tuple[int, int] | None = None
    is_unbounded: bool = False

    @classmethod
    def of(cls, value: Any, bits: int) -> "Ball":
        """Return the ball of what a program has answered."""
        if value.is_finite():
            return cls(value, bits)
        return cls(None, bits, is_unbounded=not value.is_nan())

    @classmethod
    def around(cls, midpoint: Fraction, radius: Fraction | float, bits: int = 512) -> "Ball":
        """Return a ball that holds every number within the radius of a rational; the radius may be infinite."""
        if radius == inf:
            return cls(None, bits)
        with precision(bits):
            spread = exact_ball(Fraction(radius))
            return cls(exact_ball(midpoint) + arb(0, 1) * spread, bits)

    @classmethod
    def beyond_range(cls, sign: int) -> "Ball":
        """Return a ball of which no more is told than that it overflows."""
        return cls(arb((sign, RANGE_BITS + 1)))

    @property
    def is_finite(self) -> bool:
        """Whether it encloses anything."""
        return self.value is not None

    @property
    def is_zero(self) -> bool:
        """Whether it is the point 0."""
        return self.value is not None and bool(self.value.is_zero())

    @property
    def contains_zero(self) -> bool:
        """Whether 0 may be the value."""
        return self.value is None or bool(self.value.contains(0))

    @property
    def sign(self) -> int:
        """−1, 0 or 1; 0 where it is not settled too."""
        return 0 if self.contains_zero else 1 if self.value > 0 else -1

    @property
    def has_vanished(self) -> bool:
        """Whether it lies so close around 0 that it is taken for 0."""
        return self.contains_zero and self.value is not None and bool(self.value.abs_upper() <= VANISHED)

    @property
    def is_below_range(self) -> bool:
        """Whether it is no 0, but its magnitude is certainly below 2^-131072."""
        return self.value is not None and not self.is_zero and bool(self.value.abs_upper() < _LEAST)

    @property
    def overflow(self) -> int:
        """The sign of a value whose magnitude is certainly above 2^131072, else 0."""
        is_beyond = self.value is not None and bool(self.value.abs_lower() > _LARGEST)
        return self.sign if is_beyond else 0

    @property
    def midpoint(self) -> Fraction:
        """The middle, exactly; 0 where the magnitude is below 2^-131072, with a radius that covers it."""
        return Fraction(0) if self.value is None else _rational(self.value.mid()) or Fraction(0)

    @property
    def radius(self) -> Fraction | float:
        """The radius, exactly; infinite where nothing is enclosed."""
        if self.value is None or not self.value.abs_upper() < _LARGEST:
            return inf
        middle, spread = _rational(self.value.mid()), _rational_of(*self._radius_parts())
        if middle is not None and spread is not None:
            return spread
        return (spread or Fraction(0)) + _SMALLEST * ((middle is None) + (spread is None))

    @property
    def certified_digits(self) -> int:
        """Decimal digits that are certain: of the relative radius, or of an absolute one where the value is 0."""
        if self.value is None:
            return 0
        if self.is_below_range:
            return math.floor(RANGE_BITS * _LOG10_2)
        if self.has_vanished:
            return math.floor((self.bits if self.is_zero else 1200) * _LOG10_2)
        accurate: int = min(self.bits, self.value.rel_accuracy_bits() - 1)
        return max(0, math.floor(accurate * _LOG10_2))

    def minus(self, other: "Ball") -> "Ball":
        """Return the difference of two finite balls."""
        bits = max(self.bits, other.bits)
        with precision(bits):
            return Ball(self.value - other.value, bits)

    def agrees_with(self, other: "Ball") -> bool:
        """Return whether both may enclose the same number."""
        return bool(self.value.overlaps(other.value))

    def words(self) -> tuple[float, float] | None:
        """Return hi and lo if every number of the ball rounds to the same ones, else None.

        A rest that has vanished counts as 0; where hi overflows, lo is 0.
        """
        hi = float(self.value)
        with precision(max(self.bits, 128)):
            if not self._rounds_to(hi):
                return None
            if math.isinf(hi):
                return hi, 0.0
            rest = Ball(self.value - hi, self.bits)
            if rest.has_vanished:
                return hi, 0.0
            lo = float(rest.value)
            return (hi, lo) if rest._rounds_to(lo) else None

    def _rounds_to(self, word: float) -> bool:
        return float(self.value.lower()) == word == float(self.value.upper())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ball) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _radius_parts(self) -> tuple[int, int]:
        if self.spread is not None:
            return self.spread
        mantissa, exponent = self.value.rad().man_exp()
        return int(mantissa), int(exponent)

    def _key(self) -> tuple[int, ...]:
        if self.value is None:
            return (self.bits,)
        mantissa, exponent = self.value.mid().man_exp()
        return (self.bits, int(mantissa), int(exponent), *self._radius_parts())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, self._key()


def settled(balls: Iterable[Ball], digits: int) -> list[tuple[int, float, float] | None]:
    """Return the certain digits, hi and lo of each ball that is small enough, else None.

    Parameters
    ----------
    balls : iterable of Ball
        Enclosures.
    digits : int
        How many decimal digits must be certain.
    """
    with precision(128):
        return [_settled(ball, digits) for ball in balls]


def _settled(ball: Ball, digits: int) -> tuple[int, float, float] | None:
    value, bits, *_ = ball
    if value is None:
        return None
    accurate = value.rel_accuracy_bits() - 1
    certain = int(min(accurate, bits) * _LOG10_2)
    hi = float(value)
    if certain >= digits and abs(hi) > _SMALLEST_PLAIN:
        rest = value - hi
        lo = float(rest)
        # Clear of half a unit of hi, a quarter below a power of two, lo leaves no doubt about hi.
        share = abs(lo) / ulp(hi)
        is_clear = share < 0.2499 or (share < 0.4999 and abs(frexp(hi)[0]) != 0.5)
        if is_clear and float(rest.lower()) == lo == float(rest.upper()):
            return certain, hi, lo
    return _settled_at_an_end(ball, digits)


def _settled_at_an_end(ball: Ball, digits: int) -> tuple[int, float, float] | None:
    """Settle what is no ordinary number: 0, a tie, a power of two, what overflows."""
    certain = ball.certified_digits
    if ball.has_vanished or ball.is_below_range:
        return certain, 0.0, 0.0
    if ball.overflow:
        return 0, ball.overflow * inf, 0.0
    words = ball.words() if certain >= digits else None
    return None if words is None else (certain, *words)


def _restored(bits: int, *parts: int) -> Ball:
    if not parts:
        return Ball(None, bits)
    middle, power, spread, scale = parts
    return Ball(arb((middle, power), (spread, scale)), bits, (spread, scale))


def _rational(exact: arb) -> Fraction | None:
    """Return a number without a radius, or None where it is below the range."""
    return _rational_of(*(int(part) for part in exact.man_exp()))


def _rational_of(mantissa: int, exponent: int) -> Fraction | None:
    if mantissa and mantissa.bit_length() + exponent < -RANGE_BITS:
        return None
    return Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)


class BallProgram:
    """A SymPy expression of one symbol, evaluated on real balls.

    Raises
    ------
    NoBallError
        If a function in it is not covered.
    """

    def __init__(self, expression: sympy.Expr, symbol: sympy.Symbol) -> None:
        self._expression, self._symbol = expression, symbol
        self._program = Program(expression, symbol, REAL)

    @cached_property
    def size(self) -> int:
        """How many operations a point takes."""
        return self._program.size

    def __call__(self, x: Fraction | float, bits: int) -> Ball:
        """Return the ball of the value at an exact x, computed with the given precision."""
        return self.at_points([x], bits)[0]

    def at_points(self, points: list[Fraction | float], bits: int) -> list[Ball]:
        """Return the balls at many points."""
        with precision(bits):
            function = self._program.at_present_precision()
            values = [function(exact_ball(x)) for x in points]
            return [Ball(value, bits) if value.is_finite() else Ball.of(value, bits) for value in values]

    @cached_property
    def _edges(self) -> EdgeProgram:
        return EdgeProgram(self._expression, self._symbol, REAL)

    def is_hidden(self, x: Fraction | float, bits: int) -> bool:
        """Return whether the value at x may be missing for no other reason than rounding."""
        with precision(bits):
            return self._edges.is_hidden(exact_ball(x))


def _raise_to(exponent: sympy.Rational) -> Callable[[arb], arb]:
    numerator, root = int(exponent.p), int(exponent.q)
    if root == 1:
        whole = fmpz(numerator)
        return _WHOLE_POWERS.get(numerator) or (lambda value: value**whole)
    if root == 2 and abs(numerator) == 1:
        square_root: Operation = arb.sqrt if numerator == 1 else arb.rsqrt
        return square_root
    if root <= 1000:
        whole = fmpz(numerator)
        # FLINT has no roots of 0.
        return lambda value: value if numerator > 0 and value.is_zero() else value.root(root) ** whole
    return lambda value: value ** arb(fmpq(numerator, root))


def _square(value: Any) -> Any:
    return value * value


_WHOLE_POWERS: dict[int, Callable[[Any], Any]] = {
    0: lambda value: arb.nan() if value.is_nan() else arb(1),
    2: _square,
    3: lambda value: value * value * value,
    4: lambda value: _square(_square(value)),
    -1: lambda value: 1 / value,
    -2: lambda value: 1 / (value * value),
}


def real_of(function: Callable[[acb], acb]) -> Callable[[arb], arb]:
    """Return a real function from a complex one; a value that is not real has no ball."""

    def real(x: arb) -> arb:
        value = function(acb(x))
        return value.real if value.imag.contains(0) else arb.nan()

    return real


def _unless_nan(function: Callable[..., arb]) -> Callable[..., arb]:
    """Return a bounded function that has no value where an argument has none; FLINT gives the bounds."""
    return lambda *arguments: arb.nan() if any(x.is_nan() for x in arguments) else function(*arguments)


def _off_poles(function: Callable[[arb], arb]) -> Callable[[arb], arb]:
    """Return a function that has no value where FLINT gives infinity, of which another function may be finite."""
    return lambda x: value if (value := function(x)).is_finite() else arb.nan()


def decided(holds: Callable[[Any, Any], bool], fails: Callable[[Any, Any], bool]) -> Callable[[arb, arb], bool | None]:
    """Return a comparison of balls that answers None where they overlap."""
    return lambda a, b: True if holds(a, b) else False if fails(a, b) else None


COMPARISONS = {
    "lt": decided(lt, ge),
    "le": decided(le, gt),
    "gt": decided(gt, le),
    "ge": decided(ge, lt),
    "eq": decided(eq, ne),
    "ne": decided(ne, eq),
}

CONSTANTS: dict[Any, Callable[[], arb]] = {
    sympy.pi: arb.pi,
    sympy.E: arb.const_e,
    sympy.EulerGamma: arb.const_euler,
    sympy.Catalan: arb.const_catalan,
    sympy.GoldenRatio: lambda: (1 + arb(5).sqrt()) / 2,
}

_SAME_NAME = (
    *("exp", "log", "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
    *("coth", "sech", "csch", "asinh", "acosh", "atanh", "gamma", "digamma", "erf", "erfc", "erfi", "erfinv"),
    *("erfcinv", "li", "sin_pi", "cos_pi", "tan_pi", "cot_pi"),
)

_HEADS: dict[str, Operation] = {
    **COMPARISONS,
    **{name: getattr(arb, name) for name in _SAME_NAME},
    "log": lambda x, base=None: x.log() if base is None else x.log() / base.log(),
    "pow": _unless_nan(lambda x, y: x**y),
    "Abs": abs,
    "sign": _unless_nan(arb.sgn),
    "Heaviside": _unless_nan(lambda x: (1 + x.sgn()) / 2),
    "sinc": _unless_nan(arb.sinc),
    "erfinv": _off_poles(arb.erfinv),
    "erfcinv": _off_poles(arb.erfcinv),
    "Max": arb.max,
    "Min": arb.min,
    "acot": lambda x: arb.pi() / 2 if x.is_zero() else (1 / x).atan(),
    "asec": lambda x: (1 / x).acos(),
    "acsc": lambda x: (1 / x).asin(),
    "acoth": lambda x: (1 / x).atanh(),
    "asech": lambda x: (1 / x).acosh(),
    "acsch": lambda x: (1 / x).asinh(),
    "atan2": _unless_nan(arb.atan2),
    "factorial": lambda x: (x + 1).gamma(),
    "loggamma": arb.lgamma,
    "zeta": guarded(arb.zeta),
    "besselj": guarded(lambda order, x: x.bessel_j(order)),
    "bessely": guarded(lambda order, x: x.bessel_y(order)),
    "besseli": guarded(lambda order, x: x.bessel_i(order)),
    "besselk": guarded(lambda order, x: x.bessel_k(order)),
    "airyai": arb.airy_ai,
    "airybi": arb.airy_bi,
    "airyaiprime": lambda x: x.airy_ai(derivative=1),
    "airybiprime": lambda x: x.airy_bi(derivative=1),
    "Ei": arb.ei,
    "Si": arb.si,
    "Ci": arb.ci,
    "Shi": arb.shi,
    "Chi": arb.chi,
    "fresnels": arb.fresnel_s,
    "fresnelc": arb.fresnel_c,
    "LambertW": arb.lambertw,
    "elliptic_k": real_of(acb.elliptic_k),
    "elliptic_e": real_of(acb.elliptic_e),
    "polylog": guarded(lambda order, x: real_of(lambda z: z.polylog(acb(order)))(x)),
    "uppergamma": guarded(lambda order, x: x.gamma_upper(order)),
    "lowergamma": guarded(lambda order, x: x.gamma_lower(order)),
    "expint": guarded(lambda order, x: x.expint(order)),
    "polygamma": guarded(lambda order, x: real_of(lambda z: z.polygamma(acb(order)))(x)),
    "chebyshevt": guarded(lambda order, x: x.chebyshev_t(order)),
    "chebyshevu": guarded(lambda order, x: x.chebyshev_u(order)),
    "legendre": guarded(lambda order, x: x.legendre_p(order)),
    "hermite": guarded(lambda order, x: x.hermite_h(order)),
    "beta": lambda x, y: x.gamma() * y.gamma() * (x + y).rgamma(),
    "binomial": lambda n, k: (n + 1).gamma() * (k + 1).rgamma() * (n - k + 1).rgamma(),
}


def rational_ball(numerator: int, denominator: int) -> arb:
    """Return the ball of a quotient of whole numbers."""
    return arb(numerator) if denominator == 1 else arb(fmpq(numerator, denominator))


def _parametric(name: str, parameters: tuple[Any, ...]) -> Operation | None:
    """Return the hypergeometric functions, whose parameters come in lists."""
    if name != "hyper":
        return None
    upper, lower = ([rational_fmpq(value) for value in values] for values in parameters)

    def hypergeometric(x: arb) -> arb:
        a, b = ([arb(value) for value in values] for values in (upper, lower))
        if not a and len(b) == 1:
            return x.hypgeom_0f1(b[0])
        return real_of(lambda z: z.hypgeom([acb(value) for value in a], [acb(value) for value in b]))(x)

    return guarded(hypergeometric)


def rational_fmpq(value: sympy.Rational) -> fmpq:
    """Return a SymPy rational as FLINT's."""
    return fmpq(int(value.p), int(value.q))


REAL = Arithmetic(
    rational=rational_ball,
    constants=CONSTANTS,
    heads=_HEADS,
    raise_to=_raise_to,
    parametric=_parametric,
    undefined=arb.nan,
)
