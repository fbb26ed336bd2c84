"""The union of the nodes of all schemes, and f at them, each node once.

A *panel* is a set of epsilons with the schemes that use them: one for the grid, and one for each distinct choice of
epsilons by a step rule. f is called with arrays of some ten thousand nodes: many small ones are joined, so that the
call itself costs nothing, and large ones cut, so that what f computes on the way stays in the cache.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import find_dtype, why_not_complex
from diffbench.errors import UnsupportedError
from diffbench.functions.function import Function, is_array_of
from diffbench.reference.exact import are_defined
from diffbench.rounding import exact_float, exact_values, round_array, round_to
from diffbench.schemes.scheme import DifferenceScheme, Offset
from diffbench.schemes.searches import Choice
from diffbench.schemes.step_rules import AdaptiveRule, Rule, StepRule, choose_together

Array = npt.NDArray[Any]

CALL_SIZE = 40_000
"""Nodes in one call of f, at most."""

WORTH_A_CALL = 4_000
"""An array of as many nodes or more gets a call of its own."""

WORTH_SHARING = 0.75
"""Nodes are shared between epsilons where this part of them, or less, is distinct."""


@dataclass(frozen=True)
class Section:
    """The points of one function among those of several.

    Attributes
    ----------
    function : Function
        What is evaluated at them.
    rows : slice
        Which they are.
    """

    function: Function
    rows: slice


@dataclass
class Panel:
    """Epsilons and what is evaluated at them.

    Attributes
    ----------
    x, epsilon : array
        The points, (P, 1), and the epsilons, (1, E) where all points share them, or (P, 1).
    nodes, values : dict
        Nodes by offset, (P, E) or (P, 1) at the centre, and f at them, (P, E).
    failures : dict
        Where f raised at the nodes of an offset, or answered what is no array, and what, by section and offset.
    """

    x: Array
    epsilon: Array
    nodes: dict[Offset, Array] = field(default_factory=dict)
    values: dict[Offset, Array] = field(default_factory=dict)
    failures: dict[tuple[int, Offset], tuple[Array, str]] = field(default_factory=dict)
    _coincident: dict[tuple[Offset, Offset], Array | None] = field(default_factory=dict)
    _nonfinite: dict[Offset, Array | None] = field(default_factory=dict)
    _away: dict[tuple[int, Offset], Array | None] = field(default_factory=dict)
    _undefined: dict[tuple[int, Offset], Array | None] = field(default_factory=dict)

    @cached_property
    def step(self) -> Array:
        """The epsilons of all points, (P, E): arithmetic is faster where nothing is repeated."""
        return _repeated(self.epsilon, self.shape)

    @cached_property
    def zero(self) -> Array | None:
        """Where epsilon is 0, None where nowhere."""
        return _somewhere(self.epsilon == 0)

    @cached_property
    def infinite(self) -> Array | None:
        """Where epsilon is infinite, None where nowhere."""
        return _somewhere(np.isinf(self.epsilon))

    @property
    def shape(self) -> tuple[int, ...]:
        """(P, E)."""
        return np.broadcast_shapes(self.x.shape, self.epsilon.shape)

    def failed(self, scheme: DifferenceScheme, section: int) -> list[tuple[Array, str]]:
        """Return where f has no values at the nodes of a scheme, of some rows, and why."""
        return [self.failures[section, k] for k in scheme.offsets if (section, k) in self.failures]

    def place(self, offsets: Iterable[Offset]) -> None:
        """Compute fl(x + fl(kε)) for offsets that are not yet there; the centre is x itself."""
        for offset in offsets:
            if offset not in self.nodes:
                self.nodes[offset] = _node(self.x, offset, self.epsilon)

    def collapsed(self, scheme: DifferenceScheme) -> Array | None:
        """Return where two nodes of a scheme are the same number, None where nowhere."""
        found = None
        for pair in pairwise(scheme.offsets):
            if pair not in self._coincident:
                self._coincident[pair] = _somewhere(self.nodes[pair[0]] == self.nodes[pair[1]])
            here = self._coincident[pair]
            found = here if found is None else found if here is None else found | here
        return found

    @cached_property
    def is_finite(self) -> bool:
        """Whether no node overflows."""
        largest = max((abs(k.real) for k in self.nodes), default=Fraction(0))
        with np.errstate(all="ignore"):
            return bool(np.isfinite(np.abs(self.x).max() + _exact_or_more(largest) * self.epsilon.max()))

    def nonfinite(self, offset: Offset) -> Array | None:
        """Return where f is not finite at the nodes of an offset, None where nowhere."""
        if offset not in self._nonfinite:
            self._nonfinite[offset] = _somewhere(~np.isfinite(self.values[offset]))
        return self._nonfinite[offset]

    def undefined(self, section: Section, offset: Offset) -> Array | None:
        """Return where f is not finite because it is not defined or not real, None where nowhere; of some rows."""
        key = (section.rows.start, offset)
        if offset.imaginary or self.nonfinite(offset) is None:
            return None
        if key not in self._undefined:
            nodes = _repeated(self.nodes[offset], self.shape)[section.rows]
            found = undefined(section.function, nodes, self.values[offset][section.rows])
            self._undefined[key] = _somewhere(found)
        return self._undefined[key]

    def away(self, section: Section, offset: Offset) -> Array | None:
        """Return where a node has left the interval of the domain that x lies in, None where nowhere; of some rows."""
        key = (section.rows.start, offset)
        if key not in self._away:
            # The grid falls: where the first nodes stay, so do all that lie between them and x.
            farthest = self._found_away(section, self.nodes[offset][section.rows][:, :1].real)
            if farthest.any():
                farthest = self._found_away(section, self.nodes[offset][section.rows].real)
            self._away[key] = _somewhere(farthest)
        return self._away[key]

    def stays_inside(self, section: Section, offset: Offset) -> bool:
        """Return whether x and all nodes lie inside the domain."""
        domain = section.function.domain
        if not domain.has_ends:
            return self.is_finite
        return self.away(section, offset) is None and bool(domain.contains_array(self.x[section.rows]).all())

    def _found_away(self, section: Section, nodes: Array) -> Array:
        x = self.x[section.rows]
        found = np.zeros(nodes.shape, dtype=bool)
        for interval in section.function.domain.intervals:
            inside = interval.contains_array(nodes)
            if not inside.all():
                found |= interval.contains_array(x) & ~inside
        return found


Place = tuple[Panel, Offset]


@dataclass(frozen=True)
class Chosen:
    """The epsilons that a rule chose for a scheme, if any, and for an adaptive rule what it says of them."""

    panel: Panel | None
    choice: Choice | None = None


Choices = dict[tuple[str, str], Choice]
"""What adaptive rules chose, by the names of rule and scheme."""


def _placed(
    x: Array, epsilons: Array, rules: Sequence[Rule], schemes: Iterable[DifferenceScheme], choices: Choices
) -> tuple[Panel, dict[tuple[str, str], Chosen], list[Panel]]:
    """Return the grid's panel, what rules chose for schemes, and all panels, with their nodes."""
    grid = Panel(x[:, None], epsilons[None, :])
    chosen: dict[tuple[str, str], Chosen] = {}
    panels: dict[bytes, Panel] = {b"": grid}
    for scheme in schemes:
        if scheme.unsupported_reason(x.dtype.name):
            continue
        grid.place(scheme.offsets)
        for rule in rules:
            choice = choices.get((rule.name, scheme.name))
            epsilon = rule.choose(scheme, x) if isinstance(rule, StepRule) else choices[rule.name, scheme.name].epsilon
            panel = None
            if choice is None or not np.isnan(epsilon).all():
                panel = panels.setdefault(epsilon.tobytes(), Panel(x[:, None], epsilon[:, None]))
                panel.place(scheme.offsets)
            chosen[rule.name, scheme.name] = Chosen(panel, choice)
    return grid, chosen, list(panels.values())


def nodes_per_point(x: Array, epsilons: Array, rules: Sequence[Rule], schemes: Iterable[DifferenceScheme]) -> int:
    """Return how often f is evaluated at one point, of an array of one; adaptive rules are not counted."""
    foreseen = [rule for rule in rules if not isinstance(rule, AdaptiveRule)]
    grid, _, panels = _placed(x, epsilons, foreseen, schemes, {})
    steps = _real_steps(grid)
    sharing = _shared_steps(steps, grid.epsilon.tobytes(), x.dtype.name) if steps else None
    saved = 0 if sharing is None else len(steps) * epsilons.size - sharing[0].size
    return sum(panel.nodes[k].size for panel in panels for k in panel.nodes) - saved


class NodeTable:
    """f at the nodes of all difference schemes, for the functions of several units.

    Parameters
    ----------
    sections : list of Section
        The functions, each with the rows of its points.
    x : array
        P points of the working dtype.
    epsilons : array
        E epsilons of the dtype.
    rules : sequence of Rule
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
        sections: list[Section],
        x: Array,
        epsilons: Array,
        rules: Sequence[Rule],
        schemes: Iterable[DifferenceScheme],
    ) -> None:
        self._sections = sections
        self._dtype = find_dtype(x.dtype.name).name
        listed = tuple(schemes)
        choices = self._choices(x, [rule for rule in rules if isinstance(rule, AdaptiveRule)], listed)
        self.grid, self._chosen, panels = _placed(x, epsilons, rules, listed, choices)
        self._problems: dict[tuple[int, bool], str] = {}
        for is_complex in (False, True):
            places = [(panel, k) for panel in panels for k in panel.nodes if bool(k.imaginary) == is_complex]
            if places:
                self._fill(places, is_complex=is_complex)

    def chosen(self, rule: Rule, scheme: DifferenceScheme) -> Chosen:
        """Return what a rule chose for a scheme."""
        return self._chosen[rule.name, scheme.name]

    def chosen_panel(self, rule: Rule, scheme: DifferenceScheme) -> Panel | None:
        """Return its panel, None where it chose nothing or the scheme cannot run in the dtype."""
        chosen = self._chosen.get((rule.name, scheme.name))
        return None if chosen is None else chosen.panel

    def _choices(self, x: Array, rules: list[AdaptiveRule], schemes: Sequence[DifferenceScheme]) -> Choices:
        """Let adaptive rules look at f, at the points of each section."""
        if not rules:
            return {}
        able = [scheme for scheme in schemes if not scheme.unsupported_reason(self._dtype)]
        pairs = [(rule, scheme) for rule in rules for scheme in able]
        found = [
            choose_together(pairs, x[section.rows], _look(section.function, self._dtype)) for section in self._sections
        ]
        return {
            (rule.name, scheme.name): _together(choices)
            for (rule, scheme), choices in zip(pairs, zip(*found, strict=True), strict=True)
        }

    def unsupported_reason(self, scheme: DifferenceScheme, section: int) -> str:
        """Return why the scheme has no values for a section, or nothing."""
        off_the_line = self._problems.get((section, True), "") if scheme.needs_complex else ""
        is_on_it = not all(offset.imaginary for offset in scheme.offsets)
        on_it = self._problems.get((section, False), "") if is_on_it else ""
        return scheme.unsupported_reason(self._dtype) or on_it or off_the_line

    def _fill(self, places: list[Place], *, is_complex: bool) -> None:
        """Evaluate f at all real or all complex nodes; note what keeps any scheme from using them."""
        dtype = find_dtype(self._dtype).complex if is_complex else self._dtype
        for panel, k in places:
            panel.values[k] = np.empty(panel.shape, dtype=dtype or self._dtype)
        for i, section in enumerate(self._sections):
            problem = self._problem(i, dtype, places) if dtype else why_not_complex(self._dtype)
            if problem:
                self._problems[i, is_complex] = problem
                for panel, k in places:
                    panel.values[k][section.rows] = np.nan

    def _problem(self, i: int, dtype: str, places: list[Place]) -> str:
        """Fill in the values of a section; return why it has none, or nothing."""
        try:
            self._evaluate(_Inside(self._sections[i].function, dtype), i, places)
        except UnsupportedError as error:
            return str(error)
        return ""

    def _evaluate(self, f: "_Inside", i: int, places: list[Place]) -> None:
        """Fill in the values; where f raises, offset by offset, so that it costs only the schemes that use them."""
        section = self._sections[i]
        try:
            self._evaluate_together(f, section, places)
        except AnswerError as error:
            _fail(i, section.rows, places, str(error))
        except (KeyboardInterrupt, UnsupportedError):
            raise
        except BaseException:  # noqa: BLE001  (a user's f may raise anything; its cells say so)
            for place in places:
                _evaluate_alone(f, i, section, place)

    def _evaluate_together(self, f: "_Inside", section: Section, places: list[Place]) -> None:
        rows = section.rows
        steps = _real_steps(self.grid) if any(panel is self.grid and not k.imaginary for panel, k in places) else ()
        sharing = _shared_steps(steps, self.grid.epsilon.tobytes(), self._dtype) if steps else None
        if sharing is not None:
            distinct, columns = sharing
            inside = all(self.grid.stays_inside(section, k) for k in steps)
            (values,) = f.at([_sum(self.grid.x[rows], distinct)], inside=inside)
            for k, own in zip(steps, columns, strict=True):
                self.grid.values[k][rows] = values.take(own, axis=1)
            places = [(panel, k) for panel, k in places if panel is not self.grid or k not in steps]
        for inside in (True, False):
            alike = [(panel, k) for panel, k in places if panel.stays_inside(section, k) is inside]
            answers = f.at([panel.nodes[k][rows] for panel, k in alike], inside=inside)
            for (panel, k), values in zip(alike, answers, strict=True):
                panel.values[k][rows] = values


class _Inside:
    """f at the nodes that lie inside its domain, NaN elsewhere."""

    def __init__(self, function: Function, dtype: str) -> None:
        self.dtype = dtype
        self._f = function.compile(dtype)
        self._domain = function.domain
        # The user's own code may give its buffer again and again.
        self._keep: Callable[[Array], Array] = np.copy if function.evaluate is not None else np.asarray

    def at(self, arrays: Sequence[Array], *, inside: bool) -> Iterator[Array]:
        """Yield f at the nodes of each array, small arrays in one call, large ones in several.

        Where all nodes are known to lie inside none is looked at.
        """
        call = self._answer if inside else self._call
        for group in _joined(arrays):
            if len(group) == 1:
                yield _in_pieces(call, group[0].ravel()).reshape(group[0].shape)
                continue
            values = _in_pieces(call, np.concatenate([array.ravel() for array in group]))
            ends = np.cumsum([array.size for array in group])[:-1]
            for array, part in zip(group, np.split(values, ends), strict=True):
                yield part.reshape(array.shape)

    def _call(self, nodes: Array) -> Array:
        inside = self._domain.contains_array(nodes.real)
        if inside.all():
            return self._answer(nodes)
        values = np.full(nodes.shape, np.nan, dtype=self.dtype)
        if inside.any():
            values[inside] = self._answer(nodes[inside])
        return values

    def _answer(self, nodes: Array) -> Array:
        # Other schemes use the same nodes: whoever changes what it was given raises.
        given = nodes.view()
        given.flags.writeable = False
        answer = self._f(given)
        check_answer(answer, nodes.shape, self.dtype)
        return self._keep(answer)


def _look(function: Function, dtype: str) -> Callable[[Array], Array]:
    """Return f as a step rule sees it: NaN outside the domain and where f raises or answers no array."""
    try:
        inside = _Inside(function, dtype)
    except UnsupportedError:
        # Said where its schemes are measured.
        return lambda nodes: np.full_like(nodes, np.nan)

    def alone(node: Array) -> Array:
        try:
            return next(inside.at([node], inside=False))
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001  (what f raises is told where its scheme is measured)
            return np.full_like(node, np.nan)

    def look(nodes: Array) -> Array:
        try:
            return next(inside.at([nodes], inside=False))
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001  (node by node, so that it costs no other point)
            return np.concatenate([alone(nodes[i : i + 1]) for i in range(nodes.size)])

    return look


def _together(choices: Sequence[Choice]) -> Choice:
    """Return the choices at the points of several sections as one."""
    epsilons, evaluations, failures = zip(*choices, strict=True)
    return Choice(np.concatenate(epsilons), np.concatenate(evaluations), sum(failures, ()))


def _in_pieces(call: Callable[[Array], Array], nodes: Array) -> Array:
    if nodes.size <= CALL_SIZE:
        return call(nodes)
    pieces = np.array_split(nodes, -(-nodes.size // CALL_SIZE))
    return np.concatenate([call(piece) for piece in pieces])


def _joined(arrays: Sequence[Array]) -> Iterator[list[Array]]:
    """Yield runs of arrays that are small enough together for one call."""
    group: list[Array] = []
    size = 0
    for array in arrays:
        group.append(array)
        size += array.size
        if size >= WORTH_A_CALL:
            yield group
            group, size = [], 0
    if group:
        yield group


def _real_steps(panel: Panel) -> tuple[Offset, ...]:
    return tuple(k for k in panel.nodes if k.real and not k.imaginary)


def _evaluate_alone(f: _Inside, i: int, section: Section, place: Place) -> None:
    panel, k = place
    rows = section.rows
    try:
        (values,) = f.at([panel.nodes[k][rows]], inside=panel.stays_inside(section, k))
        panel.values[k][rows] = values
    except (KeyboardInterrupt, UnsupportedError):
        raise
    except BaseException as error:  # noqa: BLE001  (as above)
        nodes = panel.nodes[k][rows]
        values, missing = _wherever(lambda part: next(f.at([part], inside=False)), nodes.ravel())
        panel.values[k][rows] = np.where(missing, np.nan, values).reshape(nodes.shape)
        where = np.broadcast_to(missing.reshape(nodes.shape), panel.values[k][rows].shape)
        panel.failures[i, k] = where, f"f raised {describe(error)}"


def _wherever(call: Callable[[Array], Array], nodes: Array) -> tuple[Array, Array]:
    """Return f at ever fewer nodes together, and where it raises even at one alone."""
    try:
        return call(nodes), np.zeros(nodes.shape, dtype=bool)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  (as above)
        if nodes.size == 1:
            return nodes, np.ones(1, dtype=bool)
        halves = [_wherever(call, part) for part in np.array_split(nodes, 2)]
        values, missing = (np.concatenate(parts) for parts in zip(*halves, strict=True))
        return values, missing


def _fail(i: int, rows: slice, places: list[Place], reason: str) -> None:
    for panel, k in places:
        panel.values[k][rows] = np.nan
        panel.failures[i, k] = np.ones(panel.values[k][rows].shape, dtype=bool), reason


@lru_cache(maxsize=64)
def _shared_steps(offsets: tuple[Offset, ...], grid: bytes, dtype: str) -> tuple[Array, list[Array]] | None:
    """Return the distinct kε of a grid and where those of each offset are among them; None where few coincide."""
    epsilon = np.frombuffer(grid, dtype)[None, :]
    rows = np.concatenate([steps(k, epsilon) for k in offsets])
    distinct, columns = np.unique(rows, return_inverse=True)
    if distinct.size > WORTH_SHARING * rows.size:
        return None
    return distinct, list(columns.reshape(rows.shape))


def steps(offset: Offset, epsilon: Array, *, imaginary: bool = False) -> Array:
    """Return kε for the real or imaginary part k of an offset, rounded once."""
    dtype = epsilon.dtype.name
    rounded = _exactly(offset, dtype, imaginary=imaginary)
    if rounded is not None:
        with np.errstate(all="ignore"):
            products: Array = epsilon * rounded
        return products
    exact = _exact_steps(offset, epsilon.tobytes(), dtype, imaginary=imaginary)
    return exact.reshape(epsilon.shape)


@lru_cache(maxsize=1024)
def _exactly(offset: Offset, dtype: str, *, imaginary: bool) -> Array | None:
    """Return the part of an offset as a number of the dtype, None where it is none."""
    k = offset.imaginary if imaginary else offset.real
    rounded = round_to(k, dtype)
    return np.array([rounded], dtype=dtype) if np.isfinite(rounded) and exact_float(rounded) == k else None


@lru_cache(maxsize=256)
def _exact_steps(offset: Offset, epsilons: bytes, dtype: str, *, imaginary: bool) -> Array:
    k = offset.imaginary if imaginary else offset.real
    values = np.frombuffer(epsilons, dtype)
    finite = np.isfinite(values)
    # What has overflowed times an offset, which is not 0, has overflowed too.
    found: Array = values * np.sign([float(k)]).astype(dtype)
    found[finite] = round_array([k * exact_float(value) for value in values[finite].tolist()], dtype)
    return found


def describe(error: BaseException) -> str:
    """Return an exception as one short line, without addresses in memory, which are others every time."""
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(str(error).split()))
    return f"{type(error).__name__}: {text}"[:180].rstrip(": ")


def _exact_or_more(k: Fraction) -> float:
    return float(k) * 2


def _somewhere(found: Array) -> Array | None:
    return found if found.any() else None


def _repeated(values: Array, shape: tuple[int, ...]) -> Array:
    return values if values.shape == shape else np.ascontiguousarray(np.broadcast_to(values, shape))


def _sum(x: Array, step: Array) -> Array:
    with np.errstate(all="ignore"):
        total: Array = x + step
    return total


def _node(x: Array, offset: Offset, epsilon: Array) -> Array:
    real = _sum(x, steps(offset, epsilon)) if offset.real else x
    if not offset.imaginary:
        return real
    imaginary = steps(offset, epsilon, imaginary=True)
    node = np.empty(np.broadcast_shapes(real.shape, imaginary.shape), dtype=np.result_type(x.dtype, np.complex64))
    node.real, node.imag = real, imaginary
    return node


class AnswerError(Exception):
    """f answered something that is no array of the shape it was given."""


def check_answer(values: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Refuse what f answered if it is no array of the shape and dtype that it was given."""
    if is_array_of(values, shape, dtype):
        return
    if type(values) is np.ndarray and values.shape == shape:
        verb = "promotes" if np.promote_types(values.dtype, dtype) == values.dtype else "demotes"
        raise UnsupportedError(f"f {verb} {dtype} to {values.dtype}")
    found = f"shape {values.shape}" if type(values) is np.ndarray else type(values).__name__
    raise AnswerError(f"f answered {found} for an array of shape {shape}")


def undefined(function: Function, nodes: Array, values: Array) -> Array:
    """Return where f is not finite inside its domain because it is not defined, or not real, there.

    The cost of a model is defined everywhere.
    """
    found = np.zeros(values.shape, dtype=bool)
    if function.model is not None:
        return found
    suspects = function.domain.contains_array(nodes) & ~np.isfinite(values)
    if suspects.any():
        distinct, places = np.unique(nodes[suspects], return_inverse=True)
        found[suspects] = np.logical_not(are_defined(function.formula, exact_values(distinct)))[places]
    return found
