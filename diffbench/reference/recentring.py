"""A formula of x₀ + t instead of x, with exact rational coefficients: at t = 0 a zero is 0, not a ball around it.

Only polynomials are expanded, which are defined everywhere; x/x stays what it is.
"""

from fractions import Fraction
from typing import Any

import sympy

from diffbench.functions.symbolic import SYMPY
from diffbench.reference.program import simplest

_MAX_DEGREE = 60


def recentred(expression: Any, symbol: sympy.Symbol, x: Fraction) -> Any:
    """Return an expression of t that equals the given one at x + t, as it is written.

    Parameters
    ----------
    expression, symbol : SymPy expression and symbol
        Evaluated or not; what it is built of stays, but for polynomials, and for comparisons, of differences with 0.
    x : Fraction
        The new origin.
    """
    with SYMPY:
        moved = symbol + sympy.Rational(x.numerator, x.denominator)
        with sympy.evaluate(False):
            return _rebuilt(expression, symbol, moved)


def _rebuilt(node: Any, symbol: sympy.Symbol, moved: sympy.Expr) -> Any:
    polynomial = _polynomial(node, symbol, moved)
    if polynomial is not None:
        return polynomial
    if isinstance(node, sympy.core.relational.Relational):
        left, right = node.args
        return node.func(_difference(left, right, symbol, moved), sympy.S.Zero)
    arguments = [_rebuilt(argument, symbol, moved) for argument in node.args]
    if isinstance(node, (sympy.Max, sympy.Min)):
        differences = [_difference(argument, node.args[-1], symbol, moved) for argument in node.args[:-1]]
        return arguments[-1] + node.func(*differences, sympy.S.Zero)
    # What SymPy makes of tan(∞) does not bear being built again.
    return node.func(*arguments) if arguments and not isinstance(node, sympy.AccumBounds) else node


def _difference(left: Any, right: Any, symbol: sympy.Symbol, moved: sympy.Expr) -> Any:
    return _rebuilt(sympy.Add(left, sympy.Mul(-1, right)), symbol, moved)


def _polynomial(node: Any, symbol: sympy.Symbol, moved: sympy.Expr) -> Any:
    """Return a rational polynomial expanded around the new origin, or None of what is none."""
    if not 0 <= _degree(node, symbol) <= _MAX_DEGREE:
        return None
    with sympy.evaluate(True):
        return sympy.Poly(node.subs(symbol, moved).doit(), symbol, domain="QQ").as_expr()


def _degree(node: Any, symbol: sympy.Symbol) -> int:
    """Return a bound of the degree, or −1 of what is no polynomial with rational coefficients."""
    if node == symbol:
        return 1
    if node.is_Rational:
        return 0
    if node.is_Add or node.is_Mul:
        degrees = [_degree(argument, symbol) for argument in node.args]
        return -1 if min(degrees) < 0 else max(degrees) if node.is_Add else sum(degrees)
    if node.is_Pow and node.base.is_Rational and node.base:
        return 0 if simplest(node.exp).is_Integer else -1
    if node.is_Pow and (exponent := simplest(node.exp)).is_Integer and exponent >= 0:
        degree = _degree(node.base, symbol)
        return -1 if degree < 0 else degree * int(exponent)
    return -1
