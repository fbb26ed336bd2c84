"""Costs of models as tapes: operations on one number for each sample, in the order in which they are done.

A tape is computed in any arithmetic: in numpy arrays, where it is what is measured, in balls and in series of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property, partial
from typing import Any, NamedTuple

Vector = list[Any]
"""Numbers of an arithmetic without arrays: one for each sample, or one for all."""

Table = Mapping[str, Callable[..., Any]]
"""Operations of an arithmetic by name."""

OPERATIONS = ("add", "subtract", "multiply", "tanh", "softplus", "mean")
"""Beside parameters and data; softplus is log(1 + exp(u)), the mean is that over the samples."""


class Step(NamedTuple):
    """An operation and the places of what it is done to.

    Attributes
    ----------
    operation : str
        ``parameter``, ``data`` or one of :data:`OPERATIONS`.
    operands : tuple of int
        The steps that it takes.
    data : tuple of Fraction
        A number for each sample.
    """

    operation: str
    operands: tuple[int, ...] = ()
    data: tuple[Fraction, ...] = ()


class Tape:
    """A cost as a list of operations; the last one gives it."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.parameters: list[int] = []
        """The places of the parameters."""

    def parameter(self) -> int:
        """Add the next parameter."""
        self.parameters.append(self.apply("parameter"))
        return self.parameters[-1]

    def data(self, numbers: Iterable[Fraction]) -> int:
        """Add a number for each sample."""
        self.steps.append(Step("data", data=tuple(numbers)))
        return len(self.steps) - 1

    def apply(self, operation: str, *operands: int) -> int:
        """Add an operation."""
        self.steps.append(Step(operation, operands))
        return len(self.steps) - 1

    def sum(self, terms: Sequence[int]) -> int:
        """Add up pairs, pairs of pairs and so on, so that few sums depend on each term."""
        while len(terms) > 1:
            odd = terms[-1:] if len(terms) % 2 else []
            terms = [*(self.apply("add", *pair) for pair in zip(terms[::2], terms[1::2], strict=False)), *odd]
        return terms[0]

    @cached_property
    def _users(self) -> list[list[int]]:
        users: list[list[int]] = [[] for _ in self.steps]
        for place, step in enumerate(self.steps):
            for operand in step.operands:
                users[operand].append(place)
        return users

    def depending_on(self, parameter: int) -> list[int]:
        """Return the places of the operations that a parameter has an influence on, in order."""
        waiting, found = [self.parameters[parameter]], set[int]()
        while waiting:
            new = [user for user in self._users[waiting.pop()] if user not in found]
            found.update(new)
            waiting += new
        return sorted(found)

    def values(self, parameters: Sequence[Any], constant: Callable[[Step], Any], table: Table) -> list[Any]:
        """Return what all steps give in an arithmetic.

        Parameters
        ----------
        parameters : sequence
            Numbers of the arithmetic.
        constant : callable
            Makes numbers of a step with data.
        table : mapping
            The operations by name.
        """
        given = dict(zip(self.parameters, parameters, strict=True))
        values: list[Any] = []
        for place, step in enumerate(self.steps):
            if place in given:
                values.append(given[place])
            elif step.operation == "data":
                values.append(constant(step))
            else:
                values.append(table[step.operation](*(values[operand] for operand in step.operands)))
        return values

    def along(self, parameter: int, number: Any, values: Sequence[Any], table: Table, places: Sequence[int]) -> Any:
        """Return the cost where one parameter is another number, from the values of all steps without that."""
        return self.varied(parameter, number, values, table, places)[len(self.steps) - 1]

    def varied(
        self, parameter: int, number: Any, values: Sequence[Any], table: Table, places: Sequence[int]
    ) -> dict[int, Any]:
        """Return what the parameter and the steps at some places give where it is another number, by place."""
        varied = {self.parameters[parameter]: number}
        for place in places:
            step = self.steps[place]
            operands = [varied[k] if k in varied else values[k] for k in step.operands]
            varied[place] = table[step.operation](*operands)
        return varied


def each_sample(operation: Callable[..., Any], *vectors: Vector) -> Vector:
    """Apply an operation for each sample; a vector of one number has it for all."""
    length = max(map(len, vectors))
    rows = (each if len(each) == length else each * length for each in vectors)
    return [operation(*row) for row in zip(*rows, strict=True)]


def by_sample(operation: Callable[..., Any]) -> Callable[..., Vector]:
    """Return an operation on numbers as one on vectors."""
    return partial(each_sample, operation)
