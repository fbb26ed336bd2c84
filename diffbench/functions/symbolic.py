"""Parse tree to SymPy, in exact rationals: what the formula means.

No float reaches SymPy, which would fold constants at 53 bits. What SymPy rewrites on the way, such as
``(1 + x) - 1``, concerns the truth only; the measured function is compiled from the tree itself.
"""

import operator
from collections.abc import Callable
from typing import Any

import sympy

from diffbench.functions.grammar import Binary, Call, Formula, Name, Negative, Node, Number

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

_OWN: dict[str, Callable[..., Any]] = {
    "expm1": lambda x: sympy.exp(x) - 1,
    "log1p": lambda x: sympy.log(1 + x),
}


def variable_symbol(formula: Formula) -> sympy.Symbol:
    """Return the real SymPy symbol of the formula's variable."""
    return sympy.Symbol(formula.variable, real=True)


def to_sympy(formula: Formula) -> sympy.Expr:
    """Return the formula as a SymPy expression of one real variable, all numbers rational.

    Examples
    --------
    >>> from diffbench.functions.grammar import parse_formula
    >>> to_sympy(parse_formula("0.1*x"))
    x/10
    """
    return _convert(formula.tree, variable_symbol(formula))


def to_unevaluated_sympy(formula: Formula) -> sympy.Expr:
    """Return the formula as SymPy would write it down, not rewritten: x/x stays, and is not defined at 0."""
    with sympy.evaluate(False):
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
        case Call(name, arguments):
            return _call(name, [_convert(argument, symbol) for argument in arguments])


def _constant(name: str) -> Any:
    return sympy.S.false if name == "False" else getattr(sympy.S, {"pi": "Pi", "E": "Exp1"}.get(name, name))


def _call(name: str, arguments: list[Any]) -> Any:
    if name == "Piecewise":
        return sympy.Piecewise(*zip(arguments[::2], arguments[1::2], strict=True))
    function = _OWN[name] if name in _OWN else getattr(sympy, name)
    return function(*arguments)
