"""Whether nothing is known of a value because there is none, or because rounding hides on which side of an edge it is.

sqrt(acos(x) − acos(x)) is 0 wherever acos is real, but the ball under the root reaches below 0 at every precision.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import sympy

from diffbench.reference.program import Arithmetic, Operation, Program


class EdgeProgram:
    """An expression evaluated on real balls to see where, and why, it has no value.

    Parameters
    ----------
    expression, symbol : SymPy expression and symbol
        What is evaluated, of which variable.
    arithmetic : Arithmetic
        Of real balls.
    """

    def __init__(self, expression: sympy.Expr, symbol: sympy.Symbol, arithmetic: Arithmetic) -> None:
        self._is_hidden = False
        watching = replace(
            arithmetic,
            heads={name: self._watched(operation) for name, operation in arithmetic.heads.items()},
            raise_to=lambda exponent: self._watched(arithmetic.raise_to(exponent)),
            parametric=partial(self._parametric, arithmetic),
            divide=self._watched(arithmetic.divide),
        )
        self._program = Program(expression, symbol, watching)

    def is_hidden(self, x: Any) -> bool:
        """Return whether an operation has no value on a ball, but has one inside it, or is a comparison in doubt."""
        self._is_hidden = False
        self._program.at_present_precision()(x)
        return self._is_hidden

    def _parametric(self, arithmetic: Arithmetic, name: str, parameters: tuple[Any, ...]) -> Operation | None:
        operation = arithmetic.parametric(name, parameters)
        return None if operation is None else self._watched(operation)

    def _watched(self, operation: Operation) -> Operation:
        def checked(*arguments: Any) -> Any:
            result = operation(*arguments)
            self._is_hidden |= result is None or (
                not isinstance(result, bool) and _has_edge(operation, arguments, result)
            )
            return result

        return checked


def _has_edge(operation: Callable[..., Any], arguments: tuple[Any, ...], result: Any) -> bool:
    if result.is_finite() or not all(argument.is_finite() for argument in arguments):
        return False
    if all(argument.is_exact() for argument in arguments):
        return False
    inner = [(argument.lower(), argument.mid(), argument.upper()) for argument in arguments]
    return any(operation(*each).is_finite() for each in product(*inner))
