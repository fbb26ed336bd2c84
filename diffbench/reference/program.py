"""SymPy expression of one symbol to straight-line program, over any kind of number.

A kind of number (real balls, complex balls, jets, one-sided expansions) is an :class:`Arithmetic`; the program is the
same. Equal subexpressions run once, and what does not depend on the symbol runs once for many points.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import factorial
from operator import add, mul, neg, truediv
from typing import Any, NamedTuple, Optional, TypeVar

import sympy

MAX_FACTORS = 100

Operation = Callable[..., Any]
P = TypeVar("P")

_PI_VERSIONS = {"sin": "sin_pi", "cos": "cos_pi", "tan": "tan_pi", "cot": "cot_pi"}
_RELATIONS = {
    "StrictLessThan": "lt",
    "LessThan": "le",
    "StrictGreaterThan": "gt",
    "GreaterThan": "ge",
    "Equality": "eq",
    "Unequality": "ne",
}


class NoBallError(Exception):
    """An expression with a function that has no such arithmetic here."""


def if_covered(program: Callable[[Any, Any], P], expression: Any, symbol: Any) -> P | None:
    """Return the program of an expression, None where a function in it has no such arithmetic."""
    try:
        return program(expression, symbol)
    except NoBallError:
        return None


@dataclass(frozen=True)
class Arithmetic:
    """One kind of number.

    Attributes
    ----------
    rational : callable
        The number of a numerator and a denominator.
    constants : mapping
        SymPy's named constants to functions without arguments.
    heads : mapping
        Names of functions to operations on one or two numbers, and of the six relations (``lt``, ``le`` …), which
        answer True, False or None where it is not decided.
    raise_to : callable
        Takes a rational exponent, returns the operation that raises to it.
    parametric : callable
        Takes the name of a function and its rational parameters, returns the operation on its argument, or None.
    undefined : callable
        The number of which nothing is known.
    multiply, divide : callable
        Multiplication and division.
    constants_in : Arithmetic, optional
        The arithmetic of what does not depend on the symbol; by default this one.
    lift : callable, optional
        A constant to a number of this kind; a number of this kind to itself.
    """

    rational: Callable[[int, int], Any]
    constants: Mapping[Any, Callable[[], Any]]
    heads: Mapping[str, Operation]
    raise_to: Callable[[sympy.Rational], Operation]
    parametric: Callable[[str, tuple[Any, ...]], Operation | None]
    undefined: Callable[[], Any]
    multiply: Operation = mul
    divide: Operation = truediv
    constants_in: Optional["Arithmetic"] = None
    lift: Operation | None = None


class _Step(NamedTuple):
    target: int
    operation: Operation
    first: int
    second: int
    """−1 for an operation on one number."""


@dataclass(frozen=True)
class _Place:
    slot: int
    varies: bool


class Program:
    """An expression as a list of operations on one or two numbers.

    Parameters
    ----------
    expression, symbol : SymPy expression and symbol
        What to compute, of which variable.
    arithmetic : Arithmetic
        With which numbers.

    Raises
    ------
    NoBallError
        If a function in it is not covered.
    """

    def __init__(self, expression: sympy.Expr, symbol: sympy.Symbol, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        self._places: dict[Any, _Place] = {symbol: _Place(0, varies=True)}
        self._lifted: dict[int, _Place] = {}
        self._numbers: list[tuple[int, Callable[[], Any]]] = []
        self._constant_steps: list[_Step] = []
        self._steps: list[_Step] = []
        self._size = 1
        self._result = self._as_number(self._compile(sympy.sympify(expression)), varies=True)
        self._straight = _straight_line(self._steps, self._result.slot)

    @property
    def size(self) -> int:
        """How many operations a point takes."""
        return len(self._steps)

    def at_present_precision(self) -> Callable[[Any], Any]:
        """Return the function of x, everything that does not depend on x worked out at the present precision."""
        slots: list[Any] = [None] * self._size
        for target, number in self._numbers:
            slots[target] = number()
        for target, operation, first, second in self._constant_steps:
            slots[target] = operation(slots[first]) if second < 0 else operation(slots[first], slots[second])
        function: Callable[[Any], Any] = self._straight(slots, [step.operation for step in self._steps])
        return function

    def _new(self) -> int:
        self._size += 1
        return self._size - 1

    def _number(self, make: Callable[[], Any]) -> _Place:
        slot = self._new()
        self._numbers.append((slot, make))
        return _Place(slot, varies=False)

    def _kind(self, *, varies: bool) -> Arithmetic:
        return self._arithmetic if varies else self._arithmetic.constants_in or self._arithmetic

    def _apply(self, operation: Operation, *operands: _Place) -> _Place:
        varies = any(operand.varies for operand in operands)
        step = _Step(self._new(), operation, operands[0].slot, operands[1].slot if len(operands) > 1 else -1)
        (self._steps if varies else self._constant_steps).append(step)
        return _Place(step.target, varies)

    def _as_number(self, place: _Place, *, varies: bool) -> _Place:
        """Lift a constant into the arithmetic of what varies, where it stands beside something that does."""
        lift = self._arithmetic.lift
        if place.varies or not varies or lift is None:
            return place
        if place.slot not in self._lifted:
            self._lifted[place.slot] = self._apply(lift, place)
        return self._lifted[place.slot]

    def _combine(self, operation: Operation, places: Iterable[_Place]) -> _Place:
        """Fold an operation over places, the constant ones first."""
        ordered = sorted(places, key=lambda place: place.varies)

        return reduce(lambda first, second: self._combine_two(operation, first, second), ordered)

    def _compile(self, node: Any) -> _Place:
        if node not in self._places:
            self._places[node] = self._translate(node)
        return self._places[node]

    def _translate(self, node: Any) -> _Place:
        kind = self._kind(varies=False)
        if node in kind.constants:
            return self._number(kind.constants[node])
        if node.is_Rational:
            return self._number(lambda: kind.rational(int(node.p), int(node.q)))
        if node.is_Add:
            return self._combine(add, [self._compile(term) for term in node.args])
        if node.is_Mul:
            return self._product(node)
        if node.is_Pow:
            return self._power(*node.args)
        if node in (sympy.true, sympy.false):
            return self._number(lambda: bool(node))
        if isinstance(node, sympy.Piecewise):
            return self._piecewise(node)
        return self._call(node)

    def _product(self, node: sympy.Mul) -> _Place:
        """Multiply the numerators, divide by the denominators; a rational is divided by, not multiplied as a ball."""
        above, below, ratio = [], [], sympy.S.One
        for factor in _factors(node):
            if factor.is_Rational:
                ratio *= factor
            elif factor.is_Pow and (exponent := simplest(factor.exp)).is_Rational and exponent < 0:
                below.append(self._power(factor.base, -exponent))
            else:
                above.append(self._compile(factor))
        if not ratio:
            # 0 times what may not be finite: only the product itself can tell.
            above.append(self._compile(sympy.S.Zero))
            ratio = sympy.S.One
        if abs(ratio.p) != 1 or not above:
            above.append(self._compile(sympy.Integer(abs(ratio.p))))
        if ratio.q != 1:
            below.append(self._compile(sympy.Integer(ratio.q)))
        value = self._multiply(above)
        if below:
            divisor = self._multiply(below)
            divide = self._kind(varies=value.varies or divisor.varies).divide
            value = self._combine_two(divide, value, divisor)
        return self._apply(neg, value) if ratio < 0 else value

    def _multiply(self, factors: list[_Place]) -> _Place:
        """Multiply, the constant ones first."""
        constant = [factor for factor in factors if not factor.varies]
        varying = [factor for factor in factors if factor.varies]
        own = [self._combine(self._kind(varies=False).multiply, constant)] if constant else []
        return self._combine(self._arithmetic.multiply, own + varying)

    def _combine_two(self, operation: Operation, first: _Place, second: _Place) -> _Place:
        varies = first.varies or second.varies
        return self._apply(operation, self._as_number(first, varies=varies), self._as_number(second, varies=varies))

    def _power(self, base: Any, exponent: Any) -> _Place:
        place, exponent = self._compile(base), simplest(exponent)
        if exponent.is_Rational:
            if exponent == 1:
                return place
            return self._apply(self._kind(varies=place.varies).raise_to(exponent), place)
        return self._call_head("pow", [place, self._compile(exponent)])

    def _piecewise(self, node: sympy.Piecewise) -> _Place:
        pieces = [(self._compile(value), self._compile(condition)) for value, condition in node.args]
        varies = any(place.varies for piece in pieces for place in piece)
        undefined = self._kind(varies=varies).undefined

        def first_that_holds(option: tuple[bool | None, Any], rest: Any) -> Any:
            condition, value = option
            return undefined() if condition is None else value if condition else rest

        rest = self._number(undefined)
        for value, condition in reversed(pieces):
            # A value is lifted even beside constants: which one holds may vary.
            option = self._apply(_option, condition, self._as_number(value, varies=varies))
            rest = self._apply(first_that_holds, option, rest)
        return rest

    def _call(self, node: Any) -> _Place:
        name = type(node).__name__
        if name in ("And", "Or"):
            return self._combine(_both if name == "And" else _either, [self._compile(part) for part in node.args])
        if name in _RELATIONS:
            return self._call_head(_RELATIONS[name], [self._compile(side) for side in node.args])
        if name in ("Max", "Min"):
            places = [self._compile(argument) for argument in node.args]
            return reduce(lambda first, second: self._call_head(name, [first, second]), places)
        return self._function(name, node.args)

    def _function(self, name: str, arguments: tuple[Any, ...]) -> _Place:
        if name == "Heaviside":
            arguments = arguments[:1]
        if name == "binomial" and (order := simplest(arguments[1])).is_Integer and 0 <= order <= MAX_FACTORS:
            return self._compile(_falling(arguments[0], int(order)))
        if name in _PI_VERSIONS and (rest := _without_pi(arguments[0])) is not None:
            return self._call_head(_PI_VERSIONS[name], [self._compile(rest)])
        if name not in self._kind(varies=False).heads and name != "hyper":
            raise NoBallError(name)
        *parameters, last = arguments
        parameters = [simplest(parameter) for parameter in parameters]
        if all(_is_rational(parameter) for parameter in parameters):
            place = self._compile(last)
            kind = self._kind(varies=place.varies)
            operation = kind.parametric(name, tuple(parameters))
            if operation is not None:
                return self._apply(operation, place)
        return self._call_head(name, [self._compile(argument) for argument in arguments])

    def _call_head(self, name: str, places: list[_Place]) -> _Place:
        varies = any(place.varies for place in places)
        operation = self._kind(varies=varies).heads.get(name)
        if operation is None or len(places) > 2:
            raise NoBallError(name)
        return self._apply(operation, *(self._as_number(place, varies=varies) for place in places))


_INFIX = {add: "{} + {}", mul: "{} * {}", truediv: "{} / {}"}


def _straight_line(steps: list[_Step], result: int) -> Callable[[list[Any], list[Operation]], Callable[[Any], Any]]:
    """Compile steps to a Python function of the constants and the operations, which returns the function of x.

    Local names in place of a list of slots halve what an operation costs beside FLINT's own work. The source is made
    of the steps' numbers alone.
    """
    varying = {0, *(step.target for step in steps)}
    used = {slot for step in steps for slot in (step.first, step.second)} | {result}
    outside = [f"    v{slot} = slots[{slot}]" for slot in sorted(used - varying) if slot >= 0]
    outside += [f"    o{index} = operations[{index}]" for index in range(len(steps))]
    inside = [f"        v{step.target} = {_call(step, index)}" for index, step in enumerate(steps)]
    lines = [
        "def bind(slots, operations):",
        *outside,
        "    def at(v0):",
        *inside,
        f"        return v{result}",
        "    return at",
    ]
    space: dict[str, Any] = {}
    exec("\n".join(lines), space)  # no text of the user's is in it  # noqa: S102  # nosec B102
    bind: Callable[[list[Any], list[Operation]], Callable[[Any], Any]] = space["bind"]
    return bind


def _call(step: _Step, index: int) -> str:
    names = [f"v{slot}" for slot in (step.first, step.second) if slot >= 0]
    return _INFIX[step.operation].format(*names) if step.operation in _INFIX else f"o{index}({', '.join(names)})"


def _factors(node: Any) -> Iterable[Any]:
    for factor in node.args:
        if factor.is_Mul:
            yield from _factors(factor)
        else:
            yield factor


def _falling(n: Any, order: int) -> Any:
    """Return n (n − 1) … / order!, which gamma functions do not tell where n is a negative whole number."""
    if order == 0:
        return sympy.Add(1, sympy.Mul(0, n, evaluate=False), evaluate=False)
    factors = [n, *(sympy.Add(n, -i, evaluate=False) for i in range(1, order))]
    return sympy.Mul(*factors, sympy.Rational(1, factorial(order)), evaluate=False)


def _without_pi(argument: Any) -> Any:
    """Return u of an argument π·u, or None: sin(π·u) is exact at whole u."""
    if argument is sympy.pi:
        return sympy.S.One
    if not argument.is_Mul:
        return None
    factors = list(_factors(argument))
    if sympy.pi not in factors:
        return None
    factors.remove(sympy.pi)
    return sympy.Mul(*factors, evaluate=False) if len(factors) > 1 else factors[0]


def simplest(parameter: Any) -> Any:
    """Return a constant as SymPy writes it: an unevaluated 1/3 is no Rational yet."""
    return parameter if parameter.free_symbols else parameter.doit()


def _is_rational(parameter: Any) -> bool:
    if isinstance(parameter, (sympy.Tuple, tuple)):
        return all(_is_rational(part) for part in parameter)
    return bool(parameter.is_Rational)


def _option(condition: bool | None, value: Any) -> tuple[bool | None, Any]:
    return condition, value


def _both(first: bool | None, second: bool | None) -> bool | None:
    if first is False or second is False:
        return False
    return None if first is None or second is None else True


def _either(first: bool | None, second: bool | None) -> bool | None:
    if first or second:
        return True
    return None if first is None or second is None else False
