"""The union of the nodes of all schemes, and f at them, computed in one call.

A *panel* is a set of epsilons with the schemes that use them: one for the grid, and one for each distinct choice of
epsilons by a step rule.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import UnsupportedError
from diffbench.functions.function import Function, is_array_of
from diffbench.reference.exact import is_defined
from diffbench.rounding import round_array, round_to
from diffbench.schemes.scheme import DifferenceScheme, Offset
from diffbench.schemes.step_rules import StepRule

Array = npt.NDArray[Any]

COMPLEX_DTYPES = {"float32": "complex64", "float64": "complex128"}


@dataclass
class Panel:
    """Epsilons and what is evaluated at them.

    Attributes
    ----------
    epsilon : array
        (1, E) where all points share them, or (P, 1).
    nodes, values : dict
        Nodes and f at them by offset, (P, E), or (P, 1) at the centre.
    undefined : dict
        Where f is not finite because it is not defined or not real, by real offset.
    """

    epsilon: Array
    nodes: dict[Offset, Array] = field(default_factory=dict)
    values: dict[Offset, Array] = field(default_factory=dict)
    undefined: dict[Offset, Array] = field(default_factory=dict)

    def place(self, x: Array, offsets: Iterable[Offset]) -> None:
        """Compute fl(x + fl(kε)) for offsets that are not yet there; the centre is x itself."""
        for offset in offsets:
            if offset not in self.nodes:
                self.nodes[offset] = _node(x[:, None], offset, self.epsilon)


class NodeTable:
    """f at the nodes of all difference schemes of a unit.

    Parameters
    ----------
    function : Function
        What is evaluated.
    x : array
        P points of the working dtype.
    epsilons : array
        E epsilons of the dtype.
    rules : iterable of StepRule
        Rules that choose further epsilons.
    schemes : iterable of DifferenceScheme
        Those whose nodes are wanted.

    Attributes
    ----------
    grid : Panel
        The grid's.
    """

    def __init__(
        self,
        function: Function,
        x: Array,
        epsilons: Array,
        rules: Iterable[StepRule],
        schemes: Iterable[DifferenceScheme],
    ) -> None:
        self._dtype = x.dtype.name
        self.grid = Panel(epsilons[None, :])
        self._failures = {False: "", True: ""}
        self._problems = {False: "", True: ""}
        self._chosen: dict[tuple[str, str], Panel] = {}
        panels: dict[bytes, Panel] = {b"": self.grid}
        usable = [scheme for scheme in schemes if not scheme.unsupported_reason(self._dtype)]
        for scheme in usable:
            self.grid.place(x, scheme.offsets)
            for rule in rules:
                epsilon = rule.choose(scheme, x)[:, None]
                panel = panels.setdefault(epsilon.tobytes(), Panel(epsilon))
                panel.place(x, scheme.offsets)
                self._chosen[rule.name, scheme.name] = panel
        self._evaluate(function, list(panels.values()))

    def chosen(self, rule: StepRule, scheme: DifferenceScheme) -> Panel:
        """Return the panel with the epsilons that a rule chose for a scheme."""
        return self._chosen[rule.name, scheme.name]

    def unsupported_reason(self, scheme: DifferenceScheme) -> str:
        """Return why the scheme has no values here, or nothing."""
        return scheme.unsupported_reason(self._dtype) or self._first(self._problems, scheme)

    def failure(self, scheme: DifferenceScheme) -> str:
        """Return what f raised, or answered that is no array, at the scheme's nodes, or nothing."""
        return self._first(self._failures, scheme)

    @staticmethod
    def _first(texts: dict[bool, str], scheme: DifferenceScheme) -> str:
        return texts[False] or (texts[True] if scheme.needs_complex else "")

    def _evaluate(self, function: Function, panels: list[Panel]) -> None:
        for is_complex in (False, True):
            try:
                self._problems[is_complex] = self._fill(function, panels, is_complex=is_complex)
            except Exception as error:  # noqa: BLE001  (a user's f may raise anything; its cells say so)
                self._failures[is_complex] = (
                    str(error) if isinstance(error, _AnswerError) else f"f raised {describe(error)}"
                )

    def _fill(self, function: Function, panels: list[Panel], *, is_complex: bool) -> str:
        """Evaluate f in one call at all real or all complex nodes inside its domain; return what keeps it from it."""
        places = [(panel, k) for panel in panels for k in panel.nodes if bool(k.imaginary) == is_complex]
        if not places:
            return ""
        dtype = COMPLEX_DTYPES.get(self._dtype, "") if is_complex else self._dtype
        if not dtype:
            return f"needs complex values, and {self._dtype} has no complex dtype"
        try:
            f = function.compile(dtype)
        except UnsupportedError as error:
            return str(error)
        flat = np.concatenate([panel.nodes[k].ravel() for panel, k in places])
        inside = function.domain.contains_array(flat.real)
        values = np.full(flat.shape, np.nan, dtype=dtype)
        if inside.any():
            answer = f(flat[inside])
            if not is_array_of(answer, flat[inside].shape, dtype):
                return _wrong_answer(answer, flat[inside].shape, dtype)
            values[inside] = answer
        parts = np.split(values, np.cumsum([panel.nodes[k].size for panel, k in places])[:-1])
        for (panel, k), part in zip(places, parts, strict=True):
            panel.values[k] = part.reshape(panel.nodes[k].shape)
            if not is_complex:
                panel.undefined[k] = _undefined(function, panel.nodes[k], panel.values[k])
        return ""


def steps(offset: Fraction, epsilon: Array) -> Array:
    """Return kε for a rational k, rounded once."""
    dtype = epsilon.dtype.name
    rounded = round_to(offset, dtype)
    if np.isfinite(rounded) and Fraction(rounded) == offset:
        with np.errstate(all="ignore"):
            products: Array = epsilon * np.array([rounded], dtype=dtype)
        return products
    exact = [offset * Fraction(float(value)) for value in epsilon.ravel()]
    return round_array(exact, dtype).reshape(epsilon.shape)


def describe(error: BaseException) -> str:
    """Return an exception as one short line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200].rstrip(": ")


def _node(x: Array, offset: Offset, epsilon: Array) -> Array:
    with np.errstate(all="ignore"):
        real = x + steps(offset.real, epsilon) if offset.real else x
    if not offset.imaginary:
        return real
    imaginary = steps(offset.imaginary, epsilon)
    node = np.empty(np.broadcast_shapes(real.shape, imaginary.shape), dtype=np.result_type(x.dtype, np.complex64))
    node.real, node.imag = real, imaginary
    return node


class _AnswerError(Exception):
    """f answered something that is no array of the shape it was given."""


def _wrong_answer(values: Any, shape: tuple[int, ...], dtype: str) -> str:
    if isinstance(values, np.ndarray) and values.shape == shape:
        return f"f promotes {dtype} to {values.dtype}"
    found = f"shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
    raise _AnswerError(f"f answered {found} for an array of shape {shape}")


def _undefined(function: Function, nodes: Array, values: Array) -> Array:
    """Return where f is not finite inside its domain because it is not defined, or not real, there."""
    undefined = np.zeros(values.shape, dtype=bool)
    suspects = function.domain.contains_array(nodes) & ~np.isfinite(values)
    for place in zip(*np.nonzero(suspects), strict=True):
        undefined[place] = not is_defined(function.formula, Fraction(float(nodes[place])))
    return undefined
