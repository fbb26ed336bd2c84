"""SymPy expression to straight-line program on FLINT balls.

A ball is a midpoint and a radius that encloses the true value, whatever was rounded on the way. This is the
only module that knows FLINT; the others see rationals.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from operator import eq, ge, gt, le, lt, ne
from threading import RLock
from typing import Any

import sympy
from flint import acb, arb, ctx, fmpq, fmpz

_LOCK = RLock()

_RANGE_BITS = 131072
_LARGEST = arb((1, _RANGE_BITS))
_SMALLEST = Fraction(1, 2**_RANGE_BITS)
"""Values are taken over into rationals only within this range: exp(exp(25)) has 10¹⁰ bits."""

_CONSTANTS: dict[Any, Callable[[], arb]] = {
    sympy.pi: arb.pi,
    sympy.E: arb.const_e,
    sympy.EulerGamma: arb.const_euler,
    sympy.Catalan: arb.const_catalan,
    sympy.GoldenRatio: lambda: (1 + arb(5).sqrt()) / 2,
}

_SAME_NAME = (
    *("exp", "log", "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
    *("coth", "sech", "csch", "asinh", "acosh", "atanh", "gamma", "digamma", "erf", "erfc", "erfi", "zeta"),
)


@dataclass(frozen=True)
class Ball:
    """An enclosure in rationals: the true value lies within radius of midpoint.

    The radius is infinite where the program found no finite real value. A value of magnitude above 2^131072 is not
    enclosed but has its sign as `overflow`; one below 2^-131072 is enclosed around 0.
    """

    midpoint: Fraction
    radius: Fraction | float
    bits: int
    overflow: int = 0

    @property
    def is_finite(self) -> bool:
        """Whether it encloses anything."""
        return self.radius != inf

    @property
    def contains_zero(self) -> bool:
        """Whether 0 lies in the ball."""
        return abs(self.midpoint) <= self.radius


class NoBallError(Exception):
    """An expression with a function that has no ball arithmetic here."""


@contextmanager
def _precision(bits: int) -> Iterator[None]:
    """Own FLINT's precision, which is global to the process, for the time of one evaluation."""
    with _LOCK:
        before = ctx.prec
        ctx.prec = bits
        try:
            yield
        finally:
            ctx.prec = before


class BallProgram:
    """A SymPy expression of one symbol as a list of instructions on balls; equal subexpressions run once.

    Raises
    ------
    NoBallError
        If a function in it is not covered.
    """

    def __init__(self, expression: sympy.Expr, symbol: sympy.Symbol) -> None:
        self._slots: dict[Any, int] = {symbol: 0}
        self._instructions: list[tuple[Callable[..., Any], tuple[int, ...]]] = []
        self._result = self._compile(expression)

    def __call__(self, x: Fraction, bits: int) -> Ball:
        """Return the ball of the value at an exact x, computed with the given precision."""
        with _precision(bits):
            return _to_rationals(self._run(x), bits)

    def is_finite(self, x: Fraction, bits: int) -> bool:
        """Return whether the value at an exact x is found to be finite and real."""
        with _precision(bits):
            value = self._run(x)
            return isinstance(value, arb) and bool(value.is_finite())

    def _run(self, x: Fraction) -> Any:
        slots: list[Any] = [arb(fmpq(x.numerator, x.denominator))]
        for operation, arguments in self._instructions:
            slots.append(operation(*(slots[i] for i in arguments)))
        return slots[self._result]

    def _compile(self, node: Any) -> int:
        if node not in self._slots:
            operation, arguments = _instruction(node)
            places = tuple(self._compile(argument) for argument in arguments)
            self._instructions.append((operation, places))
            self._slots[node] = len(self._instructions)
        return self._slots[node]


def _to_rationals(value: Any, bits: int) -> Ball:
    if not isinstance(value, arb) or not value.is_finite():
        return Ball(Fraction(0), inf, bits)
    if value.abs_lower() > _LARGEST:
        return Ball(Fraction(0), inf, bits, overflow=1 if value > 0 else -1)
    if not value.abs_upper() < _LARGEST:
        return Ball(Fraction(0), inf, bits)
    middle, radius = _rational(value.mid()), _rational(value.rad())
    slack = _SMALLEST * ((middle is None) + (radius is None))
    return Ball(middle or Fraction(0), (radius or Fraction(0)) + slack, bits)


def _rational(exact: arb) -> Fraction | None:
    """Return a number without a radius, or None where it is below the range."""
    mantissa, exponent = (int(part) for part in exact.man_exp())
    if mantissa and mantissa.bit_length() + exponent < -_RANGE_BITS:
        return None
    return Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)


def _instruction(node: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the operation of a node and the operands that it takes."""
    if node in _CONSTANTS:
        return _CONSTANTS[node], ()
    if node.is_Rational:
        number = fmpq(int(node.p), int(node.q))
        return lambda: arb(number), ()
    if node.is_Add:
        return _sum, node.args
    if node.is_Mul:
        return _product, node.args
    if node.is_Pow:
        return _power(node)
    if isinstance(node, sympy.hyper):
        return _confluent_limit(node)
    if isinstance(node, sympy.Piecewise):
        return _piecewise, tuple(part for pair in node.args for part in pair.args)
    if node in (sympy.true, sympy.false):
        truth = bool(node)
        return lambda: truth, ()
    operation = _HEADS.get(type(node).__name__)
    if operation is None:
        raise NoBallError(type(node).__name__)
    return operation, node.args


def _sum(first: arb, *rest: arb) -> arb:
    for term in rest:
        first = first + term
    return first


def _product(first: arb, *rest: arb) -> arb:
    for factor in rest:
        first = first * factor
    return first


def _power(node: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    base, exponent = node.args
    if exponent.is_Integer:
        whole = fmpz(int(exponent))
        return lambda value: value**whole, (base,)
    if exponent.is_Rational and exponent.q <= 1000:
        numerator, root = fmpz(int(exponent.p)), int(exponent.q)
        return lambda value: value.root(root) ** numerator, (base,)
    return lambda value, power: value**power, (base, exponent)


def _confluent_limit(node: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    upper, lower, argument = node.args
    if upper or len(lower) != 1:
        raise NoBallError("hyper")
    return lambda parameter, z: z.hypgeom_0f1(parameter), (lower[0], argument)


def _real_of(function: Callable[[acb], acb]) -> Callable[[arb], arb]:
    """Return a real function from a complex one; a value that is not real has no ball."""

    def real(x: arb) -> arb:
        value = function(acb(x))
        return value.real if value.imag.contains(0) else arb.nan()

    return real


def _polygamma(order: arb, x: arb) -> arb:
    return _real_of(lambda z: z.polygamma(acb(order)))(x)


def _log(x: arb, base: arb | None = None) -> arb:
    return x.log() if base is None else x.log() / base.log()


def _heaviside(x: arb) -> arb:
    return (1 + x.sgn()) / 2


def _piecewise(*parts: Any) -> arb:
    """Return the first value whose condition holds; undecided conditions leave nothing known."""
    for value, condition in zip(parts[::2], parts[1::2], strict=True):
        if condition is None:
            break
        if condition:
            return value
    return arb.nan()


def _decided(holds: Callable[[Any, Any], bool], fails: Callable[[Any, Any], bool]) -> Callable[[arb, arb], bool | None]:
    """Return a comparison of balls that answers None where they overlap."""
    return lambda a, b: True if holds(a, b) else False if fails(a, b) else None


_COMPARISONS: dict[str, Callable[[arb, arb], bool | None]] = {
    "StrictLessThan": _decided(lt, ge),
    "LessThan": _decided(le, gt),
    "StrictGreaterThan": _decided(gt, le),
    "GreaterThan": _decided(ge, lt),
    "Equality": _decided(eq, ne),
    "Unequality": _decided(ne, eq),
}

_HEADS: dict[str, Callable[..., Any]] = {
    **_COMPARISONS,
    "Heaviside": lambda x, *_: _heaviside(x),
    **{name: getattr(arb, name) for name in _SAME_NAME},
    "log": _log,
    "Abs": abs,
    "sign": arb.sgn,
    "sinc": arb.sinc,
    "Max": lambda first, *rest: _fold(arb.max, first, rest),
    "Min": lambda first, *rest: _fold(arb.min, first, rest),
    "acot": lambda x: arb.pi() / 2 if x.is_zero() else (1 / x).atan(),
    "asec": lambda x: (1 / x).acos(),
    "acsc": lambda x: (1 / x).asin(),
    "acoth": lambda x: (1 / x).atanh(),
    "asech": lambda x: (1 / x).acosh(),
    "acsch": lambda x: (1 / x).asinh(),
    "atan2": arb.atan2,
    "factorial": lambda x: (x + 1).gamma(),
    "loggamma": arb.lgamma,
    "polygamma": _polygamma,
    "besselj": lambda order, x: x.bessel_j(order),
    "bessely": lambda order, x: x.bessel_y(order),
    "besseli": lambda order, x: x.bessel_i(order),
    "besselk": lambda order, x: x.bessel_k(order),
    "airyai": arb.airy_ai,
    "airybi": arb.airy_bi,
    "airyaiprime": lambda x: x.airy_ai(derivative=1),
    "airybiprime": lambda x: x.airy_bi(derivative=1),
    "Ei": arb.ei,
    "Si": arb.si,
    "Ci": arb.ci,
    "Shi": arb.shi,
    "Chi": arb.chi,
    "expint": lambda order, x: x.expint(order),
    "fresnels": arb.fresnel_s,
    "fresnelc": arb.fresnel_c,
    "LambertW": arb.lambertw,
    "elliptic_k": _real_of(acb.elliptic_k),
    "elliptic_e": _real_of(acb.elliptic_e),
    "chebyshevt": lambda order, x: x.chebyshev_t(order),
    "chebyshevu": lambda order, x: x.chebyshev_u(order),
    "legendre": lambda order, x: x.legendre_p(order),
    "hermite": lambda order, x: x.hermite_h(order),
    "beta": lambda x, y: x.gamma() * y.gamma() * (x + y).rgamma(),
    "binomial": lambda n, k: (n + 1).gamma() * (k + 1).rgamma() * (n - k + 1).rgamma(),
}


def _fold(combine: Callable[[arb, arb], arb], first: arb, rest: tuple[arb, ...]) -> arb:
    for value in rest:
        first = combine(first, value)
    return first
