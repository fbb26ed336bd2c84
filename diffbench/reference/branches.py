"""Which smooth branch of a function is active at, or on either side of, a point.

Abs, sign, Heaviside, Max, Min and Piecewise switch where the sign of some expression changes. SymPy's derivatives
of them are not believed where that expression is 0 (it says Abs′(0) = 0): every switch is replaced by the branch
that holds, and only smooth branches are differentiated.
"""

from fractions import Fraction
from functools import reduce
from typing import Any

import sympy

from diffbench.errors import UncertainError
from diffbench.reference.balls import BallProgram
from diffbench.reference.expansions import NotRealError, SideProgram, UnknownError
from diffbench.rounding import shown

_SIGNED = (sympy.Abs, sympy.sign, sympy.Heaviside)
_SWITCHING = (*_SIGNED, sympy.Max, sympy.Min, sympy.Piecewise, sympy.atan2, sympy.acot)
_MAX_BITS = 4096


def has_switches(expression: sympy.Expr) -> bool:
    """Return whether any function in the expression switches between branches."""
    return bool(expression.has(*_SWITCHING))


def branch(expression: sympy.Expr, symbol: sympy.Symbol, x: Fraction, side: int) -> sympy.Expr:
    """Return the smooth expression that the function equals next to x.

    Parameters
    ----------
    expression, symbol : SymPy expression and symbol
        The function of one variable.
    x : Fraction
        The point.
    side : int
        −1 to the left of x, 1 to the right, 0 at x itself.

    Raises
    ------
    UncertainError
        If it cannot be decided which branch holds.
    """
    if not has_switches(expression):
        return expression
    if isinstance(expression, sympy.Piecewise):
        return _piece(expression, symbol, x, side)
    arguments = [branch(argument, symbol, x, side) for argument in expression.args]
    if isinstance(expression, (sympy.Max, sympy.Min)):
        toward = 1 if isinstance(expression, sympy.Max) else -1
        return reduce(lambda a, b: a if toward * _sign(a - b, symbol, x, side) >= 0 else b, arguments)
    if isinstance(expression, (sympy.atan2, sympy.acot)):
        _refuse_cut(expression, arguments, symbol, x)
    if isinstance(expression, _SIGNED):
        sign = _sign(arguments[0], symbol, x, side)
        if isinstance(expression, sympy.Abs):
            return sign * arguments[0]
        return sympy.Integer(sign) if isinstance(expression, sympy.sign) else sympy.Rational(1 + sign, 2)
    return expression.func(*arguments)


def _refuse_cut(function: sympy.Expr, arguments: list[sympy.Expr], symbol: sympy.Symbol, x: Fraction) -> None:
    """Refuse points at which a function jumps: atan2(y, x) at y = 0, x ≤ 0, and acot at 0."""
    if _sign_at(arguments[0], symbol, x) == 0 and (len(arguments) == 1 or _sign_at(arguments[1], symbol, x) <= 0):
        raise UncertainError(f"{shown(x)} lies on the branch cut of {type(function).__name__}")


def _piece(expression: sympy.Piecewise, symbol: sympy.Symbol, x: Fraction, side: int) -> sympy.Expr:
    for value, condition in expression.args:
        if _holds(condition, symbol, x, side):
            return branch(value, symbol, x, side)
    return sympy.nan


def _holds(condition: Any, symbol: sympy.Symbol, x: Fraction, side: int) -> bool:
    if condition in (sympy.true, sympy.false):
        return bool(condition)
    if isinstance(condition, (sympy.And, sympy.Or)):
        parts = [_holds(part, symbol, x, side) for part in condition.args]
        return all(parts) if isinstance(condition, sympy.And) else any(parts)
    difference = branch(condition.lhs - condition.rhs, symbol, x, side)
    return bool(condition.func(_sign(difference, symbol, x, side), 0))


def _sign(smooth: sympy.Expr, symbol: sympy.Symbol, x: Fraction, side: int) -> int:
    """Return the sign of a smooth expression at x (side 0) or next to x."""
    if not side or smooth == 0:
        return _sign_at(smooth, symbol, x)
    program = SideProgram(smooth, symbol)
    for terms, bits in ((8, 128), (32, 512), (96, 2048)):
        try:
            return program.sign(x, side, bits, terms)
        except (NotRealError, UnknownError):
            continue
    raise UncertainError(f"which branch holds next to {shown(x)} is not settled")


def _sign_at(smooth: sympy.Expr, symbol: sympy.Symbol, x: Fraction) -> int:
    program, bits = BallProgram(smooth, symbol), 128
    while bits <= _MAX_BITS:
        ball = program(x, bits)
        if ball.is_zero or not ball.contains_zero:
            return ball.sign
        bits *= 2
    raise UncertainError(f"which branch holds at {shown(x)} is not settled with {_MAX_BITS} bits")
