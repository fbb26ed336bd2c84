"""Parse tree to SymPy, in exact rationals: what the formula means.

No float reaches SymPy, which would fold constants at 53 bits. What SymPy rewrites on the way, such as
``(1 + x) - 1``, concerns the truth only; the measured function is compiled from the tree itself.
"""

import operator
from collections.abc import Callable
from threading import RLock
from typing import Any

import sympy

from diffbench.errors import InputError
from diffbench.functions.grammar import (
    RATIONAL_FIRST,
    Binary,
    Call,
    Formula,
    List,
    Name,
    Negative,
    Node,
    Number,
    children,
    rational_value,
)

MANY_LEVELS = 25
"""With so many levels SymPy's own calls, some tens a level, may be more than Python lets be inside each other."""

SYMPY = RLock()
"""Held by what SymPy builds: whether it evaluates is a thread's own, but its cache serves all threads."""

_OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": sympy.Eq,
    "!=": sympy.Ne,
}


class polylog(sympy.polylog):  # type: ignore[misc]  # noqa: N801  (SymPy is untyped; printers go by the name)
    """SymPy's polylogarithm, which does not simplify its argument, perhaps for minutes, to see whether that is 1."""

    @classmethod
    def eval(cls, order: Any, z: Any) -> Any:
        """Return another form where there is one at once."""
        if z.is_number:
            return super().eval(order, z)
        if order == 0:
            return z / (1 - z)
        return z / (1 - z) ** 2 if order == -1 else None

    def fdiff(self, argindex: int = 1) -> Any:
        """Return the derivative, with this class in it."""
        order, z = self.args
        return polylog(order - 1, z) / z if argindex == 2 else super().fdiff(argindex)


_OWN: dict[str, Callable[..., Any]] = {
    "expm1": lambda x: sympy.exp(x) - 1,
    "log1p": lambda x: sympy.log(1 + x),
    "polylog": polylog,
}


def variable_symbol(formula: Formula) -> sympy.Symbol:
    """Return the real SymPy symbol of the formula's variable."""
    return sympy.Symbol(formula.variable, real=True)


def to_sympy(formula: Formula) -> sympy.Expr:
    """Return the formula as a SymPy expression of one real variable, all numbers rational.

    Raises
    ------
    InputError
        If it compares what is not real, such as Max(acos(2), x), or is nested too deeply for SymPy.

    Examples
    --------
    >>> from diffbench.functions.grammar import parse_formula
    >>> to_sympy(parse_formula("0.1*x"))
    x/10
    """
    try:
        with SYMPY:
            expression = _convert(formula.tree, variable_symbol(formula))
    except RecursionError as error:
        levels = _levels(formula.tree)
        # On a shallow formula SymPy itself is at fault, which is no mistake of whoever wrote it.
        if levels < MANY_LEVELS:
            raise
        raise InputError(f"formula: {formula.text[:60]!r} has {levels} levels, too many for SymPy") from error
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"formula: {formula.text[:60]!r} has no real meaning: {error}") from error
    return expression


def _levels(node: Node) -> int:
    return 1 + max(map(_levels, children(node)), default=0)


def to_unevaluated_sympy(formula: Formula) -> sympy.Expr:
    """Return the formula as SymPy would write it down, not rewritten: x/x stays, and is not defined at 0."""
    with SYMPY, sympy.evaluate(False):
        return to_sympy(formula)


def _convert(node: Node, symbol: sympy.Symbol) -> Any:
    match node:
        case Number(value):
            return sympy.Rational(value.numerator, value.denominator)
        case Name(name):
            return symbol if name == symbol.name else sympy.S.true if name == "True" else _constant(name)
        case Negative(operand):
            return -_convert(operand, symbol)
        case Binary(sign, left, right):
            return _OPERATORS[sign](_convert(left, symbol), _convert(right, symbol))
        case List(items):
            return [_parameter(item, symbol) for item in items]
        case Call(name, arguments):
            convert = _parameter if name in RATIONAL_FIRST else _convert
            return _call(name, [convert(argument, symbol) for argument in arguments])


def _parameter(node: Node, symbol: sympy.Symbol) -> Any:
    """Convert with a number made one, even where SymPy would write down 1/2 as a product with a power."""
    value = rational_value(node)
    return _convert(node if value is None else Number(value), symbol)


def _constant(name: str) -> Any:
    return sympy.S.false if name == "False" else getattr(sympy.S, {"pi": "Pi", "E": "Exp1"}.get(name, name))


def _call(name: str, arguments: list[Any]) -> Any:
    if name == "Piecewise":
        return sympy.Piecewise(*zip(arguments[::2], arguments[1::2], strict=True))
    function = _OWN[name] if name in _OWN else getattr(sympy, name)
    return function(*arguments)
