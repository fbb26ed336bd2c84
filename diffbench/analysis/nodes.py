"""Where schemes look at f around a point, as a dtype rounds it, and about what they find there."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, final

import numpy as np
import numpy.typing as npt

from diffbench.analysis.near import Near
from diffbench.analysis.wide import computed, imaginary_parts
from diffbench.dtypes import find_dtype
from diffbench.errors import UnsupportedError
from diffbench.functions.compile import compile_formula
from diffbench.functions.frameworks import NUMPY
from diffbench.functions.function import Evaluate
from diffbench.rounding import round_exactly
from diffbench.schemes.scheme import DifferenceScheme, Offset
from diffbench.sweep.nodes import Panel, Section
from diffbench.sweep.wide import as_double

Array = npt.NDArray[Any]

SPLITTER = 2.0**27 + 1.0


class Nodes(ABC):
    """The nodes of all schemes around one point, over E epsilons.

    Attributes
    ----------
    epsilon : array
        (E,) float64.
    """

    epsilon: Array

    @abstractmethod
    def step(self, place: int) -> Fraction:
        """Return an epsilon exactly."""

    @abstractmethod
    def lost(self, scheme: DifferenceScheme) -> Array:
        """Return where a scheme has two nodes that coincide or one outside the domain, or weights beyond the range."""

    @abstractmethod
    def displacement(self, offset: Offset) -> Array:
        """Return fl(x + fl(kε)) − (x + kε), (E,)."""

    @abstractmethod
    def values(self, offset: Offset) -> Array:
        """Return about what f is at real nodes, (E,); NaN where it has no value."""

    @abstractmethod
    def imaginary_errors(self, derivative: Fraction, steps: Sequence[Fraction]) -> Array:
        """Return the relative errors of Im f(x + it)/t; none or NaN where f has no code for complex values.

        Parameters
        ----------
        derivative : Fraction
            The exact f′(x), not 0.
        steps : sequence of Fraction
            The t, which are rounded to the dtype.
        """


def nodes_near(near: Near, epsilons: Array) -> Nodes:
    """Return the nodes around a point at epsilons of its dtype, which are rationals where it has more than 64 bits."""
    return NarrowNodes(near, epsilons) if near.exact is None else WideNodes(near, near.exact, epsilons.tolist())


@final
class NarrowNodes(Nodes):
    """Nodes in a dtype whose numbers float64 holds, in arrays of numpy."""

    def __init__(self, near: Near, epsilons: Array) -> None:
        self._near = near
        self._panel = Panel(np.array([[near.x]], dtype=near.dtype), epsilons.astype(near.dtype)[None, :])
        self.epsilon = self._panel.epsilon[0].astype(np.float64)

    def step(self, place: int) -> Fraction:
        """Return an epsilon exactly."""
        return Fraction(float(self.epsilon[place]))

    def lost(self, scheme: DifferenceScheme) -> Array:
        """Return where a scheme has two nodes that coincide or one outside the domain, or weights beyond the range."""
        self._panel.place(scheme.offsets)
        found = np.full(self.epsilon.shape, bool(scheme.unsupported_reason(self._near.dtype)))
        section = Section(self._near.function, slice(0, 1))
        for where in (self._panel.collapsed(scheme), *(self._panel.away(section, k) for k in scheme.offsets)):
            if where is not None:
                found |= np.broadcast_to(where[0], found.shape)
        return found

    def displacement(self, offset: Offset) -> Array:
        """Return fl(x + fl(kε)) − (x + kε), (E,), exact but for its own last rounding."""
        self._panel.place([offset])
        node = self._panel.nodes[offset][0].astype(np.float64)
        k = float(offset.real)
        product = k * self.epsilon
        high = SPLITTER * self.epsilon - (SPLITTER * self.epsilon - self.epsilon)
        left_over = (k * high - product) + k * (self.epsilon - high)
        # Knuth's sum without an error: node − x is exact up to `rest`.
        back = node - self._near.x
        rest = (node - back) - self._near.x
        return np.asarray((back - product) + rest - left_over)

    def values(self, offset: Offset) -> Array:
        """Return about what f is at real nodes, (E,); NaN where it has no value."""
        return self._near.rough(self._near.x + float(offset.real) * self.epsilon)

    def imaginary_errors(self, derivative: Fraction, steps: Sequence[Fraction]) -> Array:
        """Return the relative errors of Im f(x + it)/t; none at all where f has no code for complex values."""
        near, dtype = self._near, str(find_dtype(self._near.dtype).complex)
        t = np.array([float(step) for step in steps]).astype(near.dtype)
        try:
            values = self._complex_code(dtype)((near.x + 1j * t).astype(dtype))
        except UnsupportedError:
            return np.empty(0)
        return np.asarray(values.imag.astype(np.float64) / t / float(derivative) - 1.0)

    def _complex_code(self, dtype: str) -> Evaluate:
        """Return what computes f at complex numbers: without the noise, which is stated for real ones."""
        function = self._near.function
        return compile_formula(function.formula, dtype) if function.evaluator == NUMPY else function.compile(dtype)


@final
class WideNodes(Nodes):
    """Nodes in a dtype of more than 64 bits, as the rationals that they are."""

    def __init__(self, near: Near, x: Fraction, epsilons: Sequence[Fraction]) -> None:
        self._near, self._x, self._steps = near, x, epsilons
        self.epsilon = np.array([as_double(step) for step in epsilons])
        self._placed: dict[Fraction, list[Fraction]] = {}
        self._displaced: dict[Fraction, Array] = {}

    def step(self, place: int) -> Fraction:
        """Return an epsilon exactly."""
        return self._steps[place]

    @cached_property
    def _home(self) -> Any:
        return self._near.function.domain.interval_of(self._x)

    def _round(self, value: Fraction) -> Fraction:
        return round_exactly(value, self._near.dtype)

    def _place(self, k: Fraction) -> list[Fraction]:
        """Return fl(x + fl(kε)) for each epsilon."""
        if k not in self._placed:
            nodes = [self._round(self._x + self._round(k * step)) for step in self._steps]
            self._placed[k] = nodes if k else [self._x] * len(self._steps)
        return self._placed[k]

    def lost(self, scheme: DifferenceScheme) -> Array:
        """Return where a scheme has two nodes that coincide or one outside the domain; no weight is out of range."""
        nodes = [self._place(k.real) for k in scheme.offsets]
        found = np.zeros(self.epsilon.shape, dtype=bool)
        for (k, here), (other, there) in pairwise(zip(scheme.offsets, nodes, strict=True)):
            if k.imaginary == other.imaginary:
                found |= [a == b for a, b in zip(here, there, strict=True)]
        for own in nodes if self._home is not None else ():
            found |= [node not in self._home for node in own]
        return found

    def displacement(self, offset: Offset) -> Array:
        """Return fl(x + fl(kε)) − (x + kε), (E,), rounded once."""
        k = offset.real
        if k not in self._displaced:
            pairs = zip(self._place(k), self._steps, strict=True)
            self._displaced[k] = np.array([as_double(node - self._x - k * step) for node, step in pairs])
        return self._displaced[k]

    def values(self, offset: Offset) -> Array:
        """Return about what f is at real nodes, (E,): f computed there; NaN where it has no value."""
        found = computed(self._near.function, self._place(offset.real), self._near.dtype)
        return np.array([np.nan if value is None else as_double(value) for value in found])

    def imaginary_errors(self, derivative: Fraction, steps: Sequence[Fraction]) -> Array:
        """Return the relative errors of Im f(x + it)/t; NaN where f has no complex value."""
        near = self._near
        t = [self._round(step) for step in steps]
        pairs = zip(imaginary_parts(near.function, self._x, t, near.dtype), t, strict=True)
        found = [None if value is None or not step else value / step / derivative - 1 for value, step in pairs]
        return np.array([np.nan if error is None else as_double(error) for error in found])
