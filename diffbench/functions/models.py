"""Costs of small models with many parameters, from a description: what a gradient check is done on.

All data and parameters are whole numbers over a power of two, made of a seed by a hash: exact in every dtype, and the
same on every machine. The cost of a model is its mean cross-entropy over the samples, log(1 + exp(s)) − y s for the
score s of a sample with the label y.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from hashlib import shake_256
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import InputError, nearest
from diffbench.functions.grammar import Binary, Formula, Number
from diffbench.functions.tape import Tape, Vector, by_sample
from diffbench.multiple import Arithmetic, arithmetic
from diffbench.rounding import round_array

Array = npt.NDArray[Any]

KINDS = {"logistic-regression": ("inputs",), "two-layer-network": ("inputs", "hidden")}
"""Models, and what their sizes are."""

MAX_PARAMETERS = 10_000
MAX_SAMPLES = 1_000


@dataclass(frozen=True)
class Model:
    """A model with the data that it is fitted to.

    Parameters
    ----------
    kind : str
        ``logistic-regression``, or ``two-layer-network`` whose hidden layer is of tanh.
    sizes : tuple of int
        How many inputs, and for the network how many hidden units.
    samples : int
        How many samples the cost is a mean over.
    seed : int
        What data and parameters are made of.

    Raises
    ------
    InputError
        If there is no such model.
    """

    kind: str
    sizes: tuple[int, ...]
    samples: int = 32
    seed: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(
                f"model: {str(self.kind)[:60]!r} is not one of {', '.join(KINDS)}{nearest(str(self.kind), KINDS)}"
            )
        names = KINDS[self.kind]
        if len(self.sizes) != len(names) or not all(_is_whole(size, MAX_PARAMETERS) for size in self.sizes):
            raise InputError(f"sizes: {list(self.sizes)} are not {', '.join(names)} of {self.kind}, from 1")
        if not _is_whole(self.samples, MAX_SAMPLES):
            raise InputError(f"samples: {self.samples!r} is not a whole number from 1 to {MAX_SAMPLES}")
        if not isinstance(self.seed, int) or isinstance(self.seed, bool):
            raise InputError(f"seed: {self.seed!r} is not a whole number")
        if len(self.names) > MAX_PARAMETERS:
            raise InputError(f"sizes: {list(self.sizes)} give over {MAX_PARAMETERS} parameters")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        inputs = range(1, self.sizes[0] + 1)
        if self.kind == "logistic-regression":
            return (*(f"w{j}" for j in inputs), "b")
        units = range(1, self.sizes[1] + 1)
        return (
            *(f"w{k}_{j}" for k in units for j in inputs),
            *(f"b{k}" for k in units),
            *(f"v{k}" for k in units),
            "c",
        )

    @property
    def formula(self) -> Formula:
        """What tables show in the place of a formula; its tree has no meaning, and is refused as having none."""
        sizes = " ".join(f"{size} {name}" for size, name in zip(self.sizes, KINDS[self.kind], strict=True))
        text = f"{self.kind} with {sizes}, {self.samples} samples, seed {self.seed}"
        return Formula(text, Binary("model", Number(Fraction(0)), Number(Fraction(0))), self.names)

    @cached_property
    def parameters(self) -> tuple[Fraction, ...]:
        """The parameters, exact."""
        return tuple(self._numbers("parameters", len(self.names), 256 * isqrt(4 * self.sizes[0]) // 2))

    @cached_property
    def tape(self) -> Tape:
        """The cost as a tape."""
        tape = Tape()
        parameters = iter([tape.parameter() for _ in self.names])
        columns = [tape.data(self._numbers(f"input {j}", self.samples, 256)) for j in range(self.sizes[0])]
        labels = tape.data(Fraction(number > 0) for number in self._numbers("labels", self.samples, 256))
        if self.kind == "logistic-regression":
            score = _neuron(tape, columns, [next(parameters) for _ in columns], next(parameters))
        else:
            score = _network(tape, columns, parameters, self.sizes[1])
        loss = tape.apply("subtract", tape.apply("softplus", score), tape.apply("multiply", labels, score))
        tape.apply("mean", loss)
        return tape

    def _numbers(self, what: str, count: int, divisor: int) -> Iterator[Fraction]:
        """Yield whole numbers from −256 to 256 over a power of two not above a divisor."""
        power = 1 << (divisor.bit_length() - 1)
        digest = shake_256(f"{self.kind} {self.seed} {what}".encode()).digest(2 * count)
        words = (int.from_bytes(digest[i : i + 2], "big") for i in range(0, 2 * count, 2))
        return (Fraction(word % 513 - 256, power) for word in words)


def _is_whole(value: object, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest


def _neuron(tape: Tape, inputs: Sequence[int], weights: Sequence[int], bias: int) -> int:
    products = [tape.apply("multiply", weight, each) for weight, each in zip(weights, inputs, strict=True)]
    return tape.apply("add", tape.sum(products), bias)


def _network(tape: Tape, columns: Sequence[int], parameters: Iterator[int], hidden: int) -> int:
    weights = [[next(parameters) for _ in columns] for _ in range(hidden)]
    biases, outer = ([next(parameters) for _ in range(hidden)] for _ in range(2))
    units = [tape.apply("tanh", _neuron(tape, columns, own, bias)) for own, bias in zip(weights, biases, strict=True)]
    return _neuron(tape, units, outer, next(parameters))


# numpy ----------------------------------------------------------------------------------------------------------------


def cost_along(model: Model, parameter: int, dtype: str, x: Array) -> Array:
    """Return the cost where one parameter has the values of an array, the others being those of the model in a dtype.

    What does not depend on the parameter is computed once for all arrays. Real or complex values are taken.
    """
    values, places = _values(model, dtype), places_of(model)[parameter]
    with np.errstate(all="ignore"):
        cost: Array = model.tape.along(parameter, x.reshape(1, -1), values, NUMPY, places)
    return cost.reshape(x.shape)


@lru_cache(maxsize=8)
def _values(model: Model, dtype: str) -> list[Array]:
    """Return what all steps give at the model's own parameters, (N, 1) or (1, 1)."""
    numbers = round_array(model.parameters, dtype)
    with np.errstate(all="ignore"):
        return model.tape.values(
            [number.reshape(1, 1) for number in numbers[:, None]],
            lambda step: round_array(step.data, dtype)[:, None],
            NUMPY,
        )


@lru_cache(maxsize=8)
def places_of(model: Model) -> list[list[int]]:
    """Return the steps that each parameter has an influence on."""
    return [model.tape.depending_on(i) for i in range(len(model.names))]


def array_operations(xp: Any) -> dict[str, Callable[..., Any]]:
    """Return the operations of a tape in arrays of numpy or of what follows it.

    Arrays are (N, n) with as many columns as there are values of a parameter; N is 1 for what all samples share.
    """

    def softplus(u: Any) -> Any:
        return xp.log1p(xp.exp(u))

    def mean(u: Any) -> Any:
        """Return the mean over the samples, whose halves are added until one number is left."""
        count = len(u)
        while len(u) > 1:
            half = len(u) // 2
            u = xp.concatenate([xp.add(u[:half], u[half : 2 * half]), u[2 * half :]])
        return xp.divide(u, xp.asarray([count], dtype=u.real.dtype))

    plain = {name: getattr(xp, name) for name in ("add", "subtract", "multiply", "tanh")}
    return plain | {"softplus": softplus, "mean": mean}


NUMPY = array_operations(np)


# mpmath ---------------------------------------------------------------------------------------------------------------


def cost_in_context(model: Model, parameter: int, numbers: Arithmetic) -> Callable[[Any], Any]:
    """Return the cost along one parameter as a function of a number of mpmath, in the order of operations of numpy.

    Whoever calls it holds mpmath's lock.
    """
    table, places = _operations_in(numbers), places_of(model)[parameter]

    def cost(x: Any) -> Any:
        return model.tape.along(parameter, [x], _values_in(model, numbers.dtype), table, places)[0]

    return cost


@lru_cache(maxsize=8)
def _values_in(model: Model, dtype: str) -> list[Vector]:
    """Return what all steps give at the model's own parameters in a dtype ``mp:D``."""
    numbers = arithmetic(dtype)
    parameters = [[numbers.rounded(value)] for value in model.parameters]
    return model.tape.values(
        parameters, lambda step: [numbers.rounded(value) for value in step.data], _operations_in(numbers)
    )


def _operations_in(numbers: Arithmetic) -> dict[str, Callable[..., Vector]]:
    def mean(u: Vector) -> Vector:
        """Return the mean over the samples, added as in arrays."""
        count = len(u)
        while len(u) > 1:
            half = len(u) // 2
            u = [a + b for a, b in zip(u[:half], u[half : 2 * half], strict=True)] + u[2 * half :]
        return [u[0] / count]

    return {
        "add": by_sample(operator.add),
        "subtract": by_sample(operator.sub),
        "multiply": by_sample(operator.mul),
        "tanh": by_sample(numbers.tanh),
        "softplus": by_sample(lambda u: numbers.log1p(numbers.exp(u))),
        "mean": mean,
    }
