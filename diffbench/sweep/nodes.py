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
from diffbench.functions.domain import Domain
from diffbench.functions.function import Evaluate, Function, is_array_of
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
    failures : dict
        What f raised at the nodes of an offset, or answered that is no array.
    """

    epsilon: Array
    nodes: dict[Offset, Array] = field(default_factory=dict)
    values: dict[Offset, Array] = field(default_factory=dict)
    undefined: dict[Offset, Array] = field(default_factory=dict)
    failures: dict[Offset, str] = field(default_factory=dict)

    def failure(self, scheme: DifferenceScheme) -> str:
        """Return why f has no values at the nodes of a scheme, or nothing."""
        return next((self.failures[k] for k in scheme.offsets if k in self.failures), "")

    def place(self, x: Array, offsets: Iterable[Offset]) -> None:
        """Compute fl(x + fl(kε)) for offsets that are not yet there; the centre is x itself."""
        for offset in offsets:
            if offset not in self.nodes:
                self.nodes[offset] = _node(x[:, None], offset, self.epsilon)


Place = tuple[Panel, Offset]


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
        kinds = {bool(offset.imaginary) for offset in scheme.offsets}
        problems = [self._problems[is_complex] for is_complex in sorted(kinds)]
        return scheme.unsupported_reason(self._dtype) or next(filter(None, problems), "")

    def _evaluate(self, function: Function, panels: list[Panel]) -> None:
        for is_complex in (False, True):
            places = [(panel, k) for panel in panels for k in panel.nodes if bool(k.imaginary) == is_complex]
            if places:
                self._problems[is_complex] = self._fill(function, places, is_complex=is_complex)

    def _fill(self, function: Function, places: list[Place], *, is_complex: bool) -> str:
        """Evaluate f at all real or all complex nodes; return what keeps any scheme from using them."""
        dtype = COMPLEX_DTYPES.get(self._dtype, "") if is_complex else self._dtype
        if not dtype:
            return f"needs complex values, and {self._dtype} has no complex dtype"
        try:
            f = function.compile(dtype)
            try:
                _evaluate_places(f, function.domain, places, dtype)
            except AnswerError as error:
                _fail(places, str(error), dtype)
            except UnsupportedError:
                raise
            except (Exception, SystemExit):  # noqa: BLE001  (a user's f may raise anything; its cells say so)
                _evaluate_one_by_one(f, function.domain, places, dtype)
        except UnsupportedError as error:
            return str(error)
        if not is_complex:
            for panel, k in places:
                panel.undefined[k] = undefined(function, panel.nodes[k], panel.values[k])
        return ""


def _evaluate_places(f: Evaluate, domain: Domain, places: list[Place], dtype: str) -> None:
    """Evaluate f in one call at the nodes of several panels and offsets that lie inside its domain."""
    flat = np.concatenate([panel.nodes[k].ravel() for panel, k in places])
    inside = domain.contains_array(flat.real)
    values = np.full(flat.shape, np.nan, dtype=dtype)
    if inside.any():
        answer = f(flat[inside])
        check_answer(answer, flat[inside].shape, dtype)
        values[inside] = answer
    parts = np.split(values, np.cumsum([panel.nodes[k].size for panel, k in places])[:-1])
    for (panel, k), part in zip(places, parts, strict=True):
        panel.values[k] = part.reshape(panel.nodes[k].shape)


def _evaluate_one_by_one(f: Evaluate, domain: Domain, places: list[Place], dtype: str) -> None:
    """Evaluate each offset of each panel for itself, so that f costs only the schemes that use nodes it raises at."""
    for place in places:
        try:
            _evaluate_places(f, domain, [place], dtype)
        except UnsupportedError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  (as above)
            _fail([place], f"f raised {describe(error)}", dtype)


def _fail(places: list[Place], reason: str, dtype: str) -> None:
    for panel, k in places:
        panel.failures[k] = reason
        panel.values[k] = np.full(panel.nodes[k].shape, np.nan, dtype=dtype)


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
    return f"{type(error).__name__}: {text}"[:180].rstrip(": ")


def _node(x: Array, offset: Offset, epsilon: Array) -> Array:
    with np.errstate(all="ignore"):
        real = x + steps(offset.real, epsilon) if offset.real else x
    if not offset.imaginary:
        return real
    imaginary = steps(offset.imaginary, epsilon)
    node = np.empty(np.broadcast_shapes(real.shape, imaginary.shape), dtype=np.result_type(x.dtype, np.complex64))
    node.real, node.imag = real, imaginary
    return node


class AnswerError(Exception):
    """f answered something that is no array of the shape it was given."""


def check_answer(values: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Refuse what f answered if it is no array of the shape and dtype that it was given."""
    if is_array_of(values, shape, dtype):
        return
    if isinstance(values, np.ndarray) and values.shape == shape:
        verb = "promotes" if np.promote_types(values.dtype, dtype) == values.dtype else "demotes"
        raise UnsupportedError(f"f {verb} {dtype} to {values.dtype}")
    found = f"shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
    raise AnswerError(f"f answered {found} for an array of shape {shape}")


def undefined(function: Function, nodes: Array, values: Array) -> Array:
    """Return where f is not finite inside its domain because it is not defined, or not real, there."""
    found = np.zeros(values.shape, dtype=bool)
    suspects = function.domain.contains_array(nodes) & ~np.isfinite(values)
    for place in zip(*np.nonzero(suspects), strict=True):
        found[place] = not is_defined(function.formula, Fraction(float(nodes[place])))
    return found
