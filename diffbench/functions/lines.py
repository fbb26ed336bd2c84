"""Lines through points of functions of several variables; along each of them f is a function of one variable.

A partial derivative along a coordinate is a derivative of f with the other coordinates as constants. A mixed one is a
second derivative at t = 0 too, whatever scheme it is taken by: that of (f(x + t, y + t) − f(x + t, y − t))/4, in which
what does not belong to ∂²f/∂x∂y cancels. With the three nodes of the second central difference this is the textbook's
(f₊₊ − f₊₋ − f₋₊ + f₋₋)/(4ε²), the product of two first central differences.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.errors import InputError
from diffbench.functions.grammar import Binary, Formula, Name, Node, Number, replaced
from diffbench.rounding import exact_number, exact_text, round_array

Array = npt.NDArray[Any]
PARAMETER = "t"
"""What the variable of a mixed partial derivative is called."""


class Line(NamedTuple):
    """A point and the coordinates that vary.

    Attributes
    ----------
    at : tuple of Fraction
        The point.
    along : tuple of int
        The place of the coordinate that varies; two places for a mixed partial derivative.
    """

    at: tuple[Fraction, ...]
    along: tuple[int, ...]

    @property
    def x(self) -> Fraction:
        """Where the derivative is taken: the coordinate, or t = 0."""
        return self.at[self.along[0]] if len(self.along) == 1 else Fraction(0)

    def direction(self, variables: Sequence[str]) -> str:
        """Return the variables that the derivative is taken in."""
        return ",".join(variables[i] for i in self.along)

    def place(self, variables: Sequence[str]) -> str:
        """Return the point as text that is read back."""
        return ", ".join(f"{name}={exact_text(value)}" for name, value in zip(variables, self.at, strict=True))


def axes(vectors: Sequence[tuple[Fraction, ...]]) -> tuple[Line, ...]:
    """Return the lines along all coordinates, point by point."""
    return tuple(Line(at, (i,)) for at in vectors for i in range(len(at)))


def pairs(vectors: Sequence[tuple[Fraction, ...]]) -> tuple[Line, ...]:
    """Return the lines of all mixed partial derivatives, point by point."""
    return tuple(Line(at, along) for at in vectors for along in combinations(range(len(at)), 2))


def read_vectors(points: Sequence[object], variables: Sequence[str], name: str) -> tuple[tuple[Fraction, ...], ...]:
    """Return points of a function of several variables as exact numbers.

    Raises
    ------
    InputError
        If one is no list or table with a number for each variable, or is given twice.
    """
    vectors = tuple(_vector(point, variables, name) for point in points)
    if len(set(vectors)) < len(vectors):
        raise InputError(f"points: one of {name} is given twice")
    return vectors


def _vector(point: object, variables: Sequence[str], name: str) -> tuple[Fraction, ...]:
    listed = ", ".join(variables)
    if isinstance(point, Mapping):
        if set(point) != set(variables):
            shown = ", ".join(f"{variable}={number}" for variable, number in point.items())
            raise InputError(f"point: {shown[:60]} of {name} has not the variables {listed}")
        numbers: Sequence[object] = [point[variable] for variable in variables]
    elif isinstance(point, (list, tuple, np.ndarray)) and len(point) == len(variables):
        numbers = list(point)
    else:
        raise InputError(f"point: {str(point)[:60]!r} of {name} is no list of a number for each of {listed}")
    return tuple(exact_number(value, f"point of {name}") for value in numbers)


def formula_along(formula: Formula, line: Line) -> Formula:
    """Return what a formula of several variables is along a line, as a formula of one."""
    numbers: dict[str, Node] = {name: Number(value) for name, value in zip(formula.variables, line.at, strict=True)}
    where = line.place(formula.variables)
    first, *second = (formula.variables[i] for i in line.along)
    if not second:
        return replaced(formula, numbers | {first: Name(first)}, first, f"{formula.text} along {first} at {where}")
    t = Name(PARAMETER)
    ahead: dict[str, Node] = {name: Binary("+", numbers[name], t) for name in (first, second[0])}
    across = ahead | {second[0]: Binary("-", numbers[second[0]], t)}
    up, down = (replaced(formula, numbers | each, PARAMETER, "").tree for each in (ahead, across))
    text = f"{formula.text} along {first} and {second[0]} at {where}"
    return Formula(text, Binary("/", Binary("-", up, down), Number(Fraction(4))), (PARAMETER,))


def evaluate_along(evaluate: Callable[..., Array], line: Line, dtype: str) -> Callable[[Array], Array]:
    """Return what a function of as many arrays as there are variables is along a line."""
    return partial(_one if len(line.along) == 1 else _two, evaluate, round_array(line.at, dtype), line.along)


def _one(evaluate: Callable[..., Array], at: Array, along: tuple[int, ...], x: Array) -> Array:
    return evaluate(*(x if i in along else np.full(x.shape, value, x.dtype) for i, value in enumerate(at)))


def _two(evaluate: Callable[..., Array], at: Array, along: tuple[int, ...], t: Array) -> Array:
    first, second = along
    coordinates = [np.full(t.shape, value, t.dtype) for value in at]
    coordinates[first] = coordinates[first] + t
    up, down = (
        [*coordinates[:second], end, *coordinates[second + 1 :]]
        for end in (coordinates[second] + t, coordinates[second] - t)
    )
    quarter: Array = (evaluate(*up) - evaluate(*down)) / np.array([4], dtype=t.real.dtype)
    return quarter
