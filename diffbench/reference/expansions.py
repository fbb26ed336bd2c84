"""One-sided expansions: f(x ± t) for t → 0⁺ in rising powers of s = t^(1/q), with coefficients in balls.

They decide what Taylor series cannot: removable singularities, kinks, infinite slopes, the sign next to a zero. Only a
coefficient that is exactly 0 is skipped; one that merely may be 0 leaves the expansion unknown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import factorial, inf, lcm, prod
from typing import Any

import sympy
from flint import arb, arb_series

from diffbench.reference.balls import CONSTANTS, REAL, SERIES_LENGTH, Ball, exact_ball, precision, rational_ball
from diffbench.reference.jets import JETS
from diffbench.reference.program import Arithmetic, Operation, Program, simplest

_MAX_ROOT = 12
_ROOTED = ("asin", "acos", "asec", "acsc", "acosh", "asech")


class NotRealError(Exception):
    """The function is not real on this side."""


class UnknownError(Exception):
    """The expansion has no such form, or a coefficient is not settled."""


_Head = Callable[..., "Expansion"]


def _safe(operation: _Head) -> _Head:
    """Let an expansion that failed pass through: a piece that does not hold may fail."""

    def safe(*arguments: "Expansion") -> "Expansion":
        failed = next((argument for argument in arguments if argument.failure), None)
        if failed is not None:
            return failed
        try:
            return operation(*arguments)
        except (NotRealError, UnknownError) as error:
            return Expansion(0, arb_series([arb.nan()]), type(error))

    return safe


@dataclass(frozen=True)
class Expansion:
    """s^shift (c₀ + c₁ s + …), known to the length of its series; c₀ is not exactly 0 unless all are."""

    shift: int
    series: arb_series
    failure: type[Exception] | None = None

    @classmethod
    def normal(cls, shift: int, series: arb_series) -> "Expansion":
        """Take exact zeros out of the front."""
        zeros: int | None = next((k for k in range(series.length()) if not series[k].is_zero()), None)
        if zeros is None:
            return cls(shift, arb_series([], series.prec))
        rest = [series[k] for k in range(zeros, series.length())]
        return cls(shift + zeros, arb_series(rest, series.prec - zeros))

    @property
    def is_zero(self) -> bool:
        """Whether every known coefficient is exactly 0."""
        return bool(self.series.length() == 0)

    @property
    def end(self) -> int:
        """The first power that is not known."""
        return self.shift + int(self.series.prec)

    def coefficient(self, power: int) -> arb:
        """Return the coefficient of a power of s."""
        if self.failure is not None:
            raise self.failure
        if power >= self.end:
            raise UnknownError
        return arb(0) if power < self.shift else self.series[power - self.shift]

    def from_power(self, power: int) -> arb_series:
        """Return the series that s^power times it is; the power is not above the shift."""
        leading = [arb(0)] * (self.shift - power)
        return arb_series([*leading, *self.series.coeffs()], self.end - power)

    def taylor(self) -> arb_series:
        """Return it as a power series."""
        if self.end < 1 or (self.shift < 0 and not self.is_zero):
            raise UnknownError
        return self.from_power(0) if self.shift >= 0 else arb_series([], self.end)

    def sign(self) -> int:
        """Return the sign next to the point; 0 for the constant 0 only."""
        if self.failure is not None:
            raise self.failure
        if self.is_zero:
            if self.series.prec < SERIES_LENGTH:
                raise UnknownError
            return 0
        leading = self.series[0]
        if leading.contains(0):
            raise UnknownError
        return 1 if leading > 0 else -1

    @_safe
    def __add__(self, other: "Expansion") -> "Expansion":
        power = min(self.shift, other.shift)
        return Expansion.normal(power, self.from_power(power) + other.from_power(power))

    @_safe
    def __sub__(self, other: "Expansion") -> "Expansion":
        return self + -other

    @_safe
    def __neg__(self) -> "Expansion":
        return Expansion(self.shift, -self.series)

    @_safe
    def __mul__(self, other: "Expansion") -> "Expansion":
        return Expansion.normal(self.shift + other.shift, self.series * other.series)

    @_safe
    def __truediv__(self, other: "Expansion") -> "Expansion":
        if other.sign() == 0:
            raise UnknownError
        return Expansion.normal(self.shift - other.shift, self.series / other.series)

    def to_power(self, exponent: Fraction) -> "Expansion":
        """Raise to a rational power, principal value."""
        if exponent.denominator == 1 and exponent > 0:
            return Expansion.normal(self.shift * int(exponent), self.series ** int(exponent))
        sign, shift = self.sign(), self.shift * exponent
        if sign == 0 or shift.denominator != 1:
            raise UnknownError
        if exponent.denominator == 1:
            return Expansion(int(shift), arb_series([1]) / self.series ** -int(exponent))
        if sign < 0:
            raise NotRealError
        return Expansion(int(shift), self.series ** exact_ball(exponent))


def _constant(value: arb) -> Expansion:
    return Expansion.normal(0, arb_series([value]))


def _lifted(value: Any) -> Any:
    """Return a number as the expansion of a constant; what a comparison answers stays."""
    return _constant(value) if isinstance(value, arb) else value


def _one() -> Expansion:
    return Expansion(0, arb_series([1]))


_HALF = Fraction(1, 2)


def _through_series(function: Operation) -> _Head:
    """Return a function on expansions that its power series gives."""

    def expanded(*arguments: Expansion) -> Expansion:
        series = function(*(argument.taylor() for argument in arguments))
        if not all(value.is_finite() for value in series.coeffs()):
            raise UnknownError
        return Expansion.normal(0, series)

    return expanded


def _exp(u: Expansion) -> Expansion:
    """Return exp; where it falls faster than every power it is 0 to all of them."""
    if u.shift < 0 and u.sign() < 0:
        return Expansion(0, arb_series([], u.series.prec))
    return _through_series(arb_series.exp)(u)


def _log(u: Expansion) -> Expansion:
    if u.sign() < 0:
        raise NotRealError
    return _through_series(arb_series.log)(u)


def _atan(u: Expansion) -> Expansion:
    if u.shift >= 0 or u.is_zero:
        return _through_series(arb_series.atan)(u)
    return _constant(u.sign() * arb.pi() / 2) - _through_series(arb_series.atan)(_one() / u)


def _tanh(u: Expansion) -> Expansion:
    if u.shift >= 0 or u.is_zero:
        return _through_series(JETS.heads["tanh"])(u)
    # No more than that is known: it is no constant, and on one side of ±1.
    return Expansion(0, arb_series([u.sign()], u.series.prec))


def _asin(u: Expansion) -> Expansion:
    """Return 2 atan(u / (1 + √(1 − u²))), whose roots show how it ends at ±1."""
    root = (_one() - u * u).to_power(_HALF)
    angle = _atan(u / (_one() + root))
    return angle + angle


def _acos(u: Expansion) -> Expansion:
    """Return 2 atan √((1 − u)/(1 + u)), or π less that of −u left of 0."""
    if u.shift == 0 and u.sign() < 0:
        return _constant(arb.pi()) - _acos(-u)
    angle = _atan(((_one() - u) / (_one() + u)).to_power(_HALF))
    return angle + angle


def _acosh(u: Expansion) -> Expansion:
    return _log(u + (u * u - _one()).to_power(_HALF))


def _raise_to(exponent: sympy.Rational) -> _Head:
    power = Fraction(int(exponent.p), int(exponent.q))
    return _safe(lambda u: u.to_power(power))


def _of_reciprocal(function: _Head) -> _Head:
    return lambda u: function(_one() / u)


def _compared(holds: Callable[[int], bool]) -> Callable[[Expansion, Expansion], bool | None]:
    def compare(u: Expansion, v: Expansion) -> bool | None:
        try:
            return holds((u - v).sign())
        except (NotRealError, UnknownError):
            return None

    return compare


def _times_sign(u: Expansion) -> Expansion:
    return u if u.is_zero or u.sign() > 0 else -u


def _larger(u: Expansion, v: Expansion) -> Expansion:
    """Return the larger one; where they do not differ as far as they are known, no more of it than that."""
    gap = u - v
    return v + gap if gap.is_zero else u if gap.sign() > 0 else v


def _arctangent2(y: Expansion, x: Expansion) -> Expansion:
    """Return the angle of (x, y) next to the point."""
    above = y.sign() >= 0
    if x.sign() == 0:
        return _constant(arb.pi() / 2 if above else -arb.pi() / 2)
    angle = _atan(y / x)
    return angle if x.sign() > 0 else angle + _constant(arb.pi() if above else -arb.pi())


def _parametric(name: str, parameters: tuple[Any, ...]) -> Operation | None:
    operation = JETS.parametric(name, parameters)
    return None if operation is None else _safe(_through_series(operation))


def _undefined() -> Expansion:
    return Expansion(0, arb_series([arb.nan()]), UnknownError)


_OWN: dict[str, _Head] = {
    "exp": _exp,
    "log": lambda u, base=None: _log(u) if base is None else _log(u) / _log(base),
    "pow": lambda u, exponent: _exp(exponent * _log(u)),
    "atan": _atan,
    "acot": _of_reciprocal(_atan),
    "tanh": _tanh,
    "asin": _asin,
    "acos": _acos,
    "atan2": _arctangent2,
    "acosh": _acosh,
    "asec": _of_reciprocal(_acos),
    "acsc": _of_reciprocal(_asin),
    "asech": _of_reciprocal(_acosh),
    "Abs": _times_sign,
    "sign": lambda u: _constant(arb(u.sign())),
    "Heaviside": lambda u: _constant(arb(1 + u.sign()) / 2),
    "Max": _larger,
    "Min": lambda u, v: -_larger(-u, -v),
}

_COMPARED: dict[str, Callable[[int], bool]] = {
    "lt": lambda sign: sign < 0,
    "le": lambda sign: sign <= 0,
    "gt": lambda sign: sign > 0,
    "ge": lambda sign: sign >= 0,
    "eq": lambda sign: sign == 0,
    "ne": lambda sign: sign != 0,
}

_EXPANSIONS = Arithmetic(
    rational=rational_ball,
    constants=CONSTANTS,
    heads={
        **{name: _safe(_through_series(head)) for name, head in JETS.heads.items()},
        **{name: _safe(head) for name, head in _OWN.items()},
        **{name: _compared(holds) for name, holds in _COMPARED.items()},
    },
    raise_to=_raise_to,
    parametric=_parametric,
    undefined=_undefined,
    constants_in=REAL,
    lift=_lifted,
)


class SideProgram:
    """A SymPy expression of one symbol, expanded on one side of a point.

    Raises
    ------
    NoBallError
        If a function in it is not covered.
    """

    def __init__(self, expression: sympy.Expr, symbol: sympy.Symbol) -> None:
        self._program = Program(expression, symbol, _EXPANSIONS)
        self._root = min(_roots(expression), _MAX_ROOT)

    def derivatives(self, x: Fraction, side: int, highest: int, bits: int) -> list[Ball | float]:
        """Return the one-sided limits of f, f′, … at x, each a ball or an infinity.

        Raises
        ------
        NotRealError
            If the function is not real on this side.
        UnknownError
            If there is no such expansion, or the precision does not settle a coefficient.
        """
        with precision(bits):
            expansion = self._expand(x, side, self._root * (highest + 1) + 8)
            return [self._limit(expansion, side, m, bits) for m in range(highest + 1)]

    def coefficients(self, x: Fraction, side: int, highest: int, bits: int) -> dict[Fraction, Ball]:
        """Return the coefficients of t^q in f(x ± t) that are not exactly 0, up to q = highest.

        The errors are those of `derivatives`.
        """
        with precision(bits):
            expansion = self._expand(x, side, self._root * (highest + 1) + 8)
            powers = range(min(expansion.shift, 0), self._root * highest + 1)
            known = ((power, expansion.coefficient(power)) for power in powers)
            return {Fraction(power, self._root): Ball.of(value, bits) for power, value in known if not value.is_zero()}

    def sign(self, x: Fraction, side: int, bits: int, terms: int) -> int:
        """Return the sign of the function next to x; the errors are those of `derivatives`."""
        with precision(bits):
            return self._expand(x, side, terms).sign()

    def _expand(self, x: Fraction, side: int, terms: int) -> Expansion:
        steps = [arb(0)] * (self._root - 1)
        here = Expansion.normal(0, arb_series([exact_ball(x), *steps, arb(side)], terms))
        expansion: Expansion = _lifted(self._program.at_present_precision()(here))
        return expansion

    def _limit(self, expansion: Expansion, side: int, derivative: int, bits: int) -> Ball | float:
        root = self._root
        for power in range(min(expansion.shift, 0), root * derivative):
            coefficient = expansion.coefficient(power)
            if coefficient.is_zero() or (power >= 0 and power % root == 0):
                continue
            if coefficient.contains(0):
                raise UnknownError
            falling = prod(Fraction(power, root) - j for j in range(derivative))
            upwards = bool(coefficient > 0) == (falling > 0)
            return inf if upwards == (side**derivative > 0) else -inf
        last = expansion.coefficient(root * derivative)
        return Ball.of(last * side**derivative * factorial(derivative), bits)


def _roots(node: Any) -> int:
    """Return a q such that the expansion is one in t^(1/q)."""
    inner = lcm(*(_roots(argument) for argument in node.args)) if node.args else 1
    if type(node).__name__ in _ROOTED:
        return 2 * inner
    exponent = simplest(node.exp) if node.is_Pow else sympy.S.One
    return inner * int(exponent.q) if exponent.is_Rational else inner
