"""Measuring a unit in mpmath's arithmetic: the same cells, one number at a time.

The schemes combine arrays of mpmath's numbers by the code that combines numpy's, in the same order of operations.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.errors import UnsupportedError
from diffbench.functions.function import Function
from diffbench.functions.models import cost_in_context
from diffbench.functions.namespaces import check_analytic, evaluate_in_context
from diffbench.multiple import LOCK, Arithmetic, arithmetic
from diffbench.reference.exact import are_defined
from diffbench.reference.verdict import Reference
from diffbench.reference.wide import middle_of, words_of
from diffbench.rounding import exact_mpf, is_moderate
from diffbench.schemes.scheme import DifferenceScheme, Offset, Scheme
from diffbench.schemes.step_rules import StepRule
from diffbench.sweep.anatomy import Seen, multiple_parts
from diffbench.sweep.cells import COINCIDE, NO_ESTIMATE, NO_VALUE, UNDEFINED, Part
from diffbench.sweep.nodes import describe
from diffbench.sweep.results import Block, Status
from diffbench.sweep.spec import Unit
from diffbench.sweep.truth import Truths, multiple_references
from diffbench.sweep.unavailable import columns_of, empty_block
from diffbench.sweep.wide import Wide, as_double

Array = npt.NDArray[Any]

NO_SEARCH = "its search is made for dtypes of at most 64 bits"
NO_ARRAYS = "it is called with arrays of numpy, which has no numbers of this dtype"
NO_NOISE = "the noise is stated for dtypes of at most 64 bits"


def multiple_blocks(unit: Unit) -> tuple[Block, ...]:
    """Return the blocks of a unit in a dtype ``mp:D``, one for each derivative."""
    numbers = arithmetic(unit.dtype)
    points = [exact_mpf(numbers.rounded(point)) for point in unit.function.points]
    function, limit = unit.function, unit.time_limit
    truths = [multiple_references(function, points, m, unit.dtype, limit) for m, _ in unit.schemes]
    with LOCK:
        numbers.prec = numbers.bits
        values = _Values(function, numbers, points)
        benches = [
            _Bench(unit, values, derivative, schemes, own)
            for (derivative, schemes), own in zip(unit.schemes, truths, strict=True)
        ]
        blocks = [bench.block() for bench in benches]
    return tuple(map(_Bench.taken_apart, benches, blocks) if unit.anatomy else blocks)


def nodes_per_point(unit: Unit) -> int:
    """Return how often f is evaluated at one point, at most."""
    schemes = [s for _, chosen in unit.schemes for s in chosen if isinstance(s, DifferenceScheme)]
    offsets = {offset for scheme in schemes for offset in scheme.offsets}
    centre = Offset(Fraction(0))
    return (centre in offsets) + len(offsets - {centre}) * (len(unit.epsilons) + len(unit.rules))


@dataclass
class _Values:
    """f at the nodes of all schemes, each node once."""

    function: Function
    numbers: Arithmetic
    points: list[Fraction]
    _known: dict[Any, Any] = field(default_factory=dict)
    _defined: dict[Fraction, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.problem = ""
        self._f: Callable[[Any], Any] | None = None
        if self.function.model is not None and self.function.parameter is not None:
            self._f = cost_in_context(self.function.model, self.function.parameter, self.numbers)
            return
        self.problem = NO_ARRAYS if self.function.evaluate else NO_NOISE if self.function.noise else ""
        try:
            self._f = None if self.problem else evaluate_in_context(self.function.formula, self.numbers)
        except UnsupportedError as error:
            self.problem = str(error)

    def problem_of(self, scheme: DifferenceScheme) -> str:
        """Return why a scheme has no values, or nothing."""
        if self.problem or not scheme.needs_complex:
            return self.problem
        try:
            check_analytic(self.function.formula)
        except UnsupportedError as error:
            return str(error)
        return ""

    def at(self, node: Any) -> Any:
        """Return f at a node, NaN where it has no value, or what it raised as a text."""
        # A complex number may equal a real one, and f there is complex all the same.
        key = type(node), node
        if key not in self._known:
            self._known[key] = self._evaluated(node)
        return self._known[key]

    def _evaluated(self, node: Any) -> Any:
        if self._f is None:
            return self.numbers.nan
        try:
            value = self._f(node)
        except (ArithmeticError, ValueError):
            # A pole, or a limit that mpmath does not work out.
            return self.numbers.nan
        except Exception as error:  # noqa: BLE001  (mpmath raises anything; the cells say so)
            return f"f raised {describe(error)}"
        # Some of mpmath's functions give more digits than they were asked for.
        return +self.numbers.convert(value)

    def is_missing(self, value: Any) -> bool:
        """Return whether there is no value, though f raised nothing."""
        return not isinstance(value, str) and not self.numbers.isfinite(value)

    def is_undefined(self, node: Any) -> bool:
        """Return whether f is certainly not defined, or not real, at a real node; the cost of a model always is."""
        if self.function.model is not None:
            return False
        exact = exact_mpf(node)
        if exact not in self._defined:
            self._defined[exact] = are_defined(self.function.formula, [exact])[0]
        return not self._defined[exact]

    def is_away(self, point: Fraction, node: Any) -> bool:
        """Return whether a node has left the interval of the domain that a point lies in."""
        home = self.function.domain.interval_of(point)
        return home is not None and exact_mpf(node.real) not in home


class _Parts(NamedTuple):
    """Real and imaginary parts of values off the real line, as arrays of objects."""

    real: Array
    imag: Array


class _Bench:
    """The cells of one derivative while they are filled, over S schemes, P points, C columns."""

    def __init__(
        self,
        unit: Unit,
        values: _Values,
        derivative: int,
        schemes: tuple[Scheme, ...],
        references: tuple[Reference, ...],
    ) -> None:
        self._unit, self._values, self._schemes = unit, values, schemes
        self._truths = Truths(references)
        self._x, self._grid = (values.numbers.array(exact) for exact in (values.points, list(unit.epsilons)))
        self._block = empty_block(unit, derivative, schemes, values.points)
        shape = self._block.status.shape
        self._exact, self._epsilon = np.full(shape, None, dtype=object), np.full(shape, None, dtype=object)
        self._reasons = [""]
        self._seen: dict[tuple[int, tuple[Any, ...]], Seen] = {}

    def block(self) -> Block:
        """Return the block."""
        for row, scheme in enumerate(self._schemes):
            if not isinstance(scheme, DifferenceScheme):
                self._part(row, columns_of(self._unit, scheme)).mark(True, Status.UNSUPPORTED, NO_ARRAYS)
                continue
            points, size = len(self._x), len(self._grid)
            self._measure(row, slice(0, size), scheme, np.broadcast_to(self._grid, (points, size)))
            for column, rule in enumerate(self._unit.rules, size):
                place = slice(column, column + 1)
                if isinstance(rule, StepRule):
                    self._measure(row, place, scheme, rule.choose(scheme, self._x)[:, None])
                else:
                    reason = self._values.problem_of(scheme) or f"{rule.name}: {NO_SEARCH}"
                    self._part(row, place).mark(True, Status.UNSUPPORTED, reason)
        return self._finished()

    def taken_apart(self, block: Block) -> Block:
        """Return the block with the parts of its errors."""
        function, points = self._values.function, self._values.points
        seen = [] if self._values.problem else list(self._seen.values())
        return replace(block, parts=multiple_parts(function, points, block.references, seen, self._exact))

    def _part(self, row: int, columns: slice) -> Part:
        block, place = self._block, (row, slice(None), columns)
        return Part(
            block.estimate[place],
            block.error_estimate[place],
            block.evaluations[place],
            block.status[place],
            block.reason[place],
            self._reasons,
        )

    def _measure(self, row: int, columns: slice, scheme: DifferenceScheme, epsilon: Array) -> None:
        """Fill the cells of a scheme at some epsilons, (P, E)."""
        part, problem = self._part(row, columns), self._values.problem_of(scheme)
        if problem:
            part.mark(True, Status.UNSUPPORTED, problem)
            return
        part.evaluations[...] = scheme.evaluations
        nodes = {offset: self._nodes(offset, epsilon) for offset in scheme.offsets}
        found = {offset: _mapped(self._values.at, own) for offset, own in nodes.items()}
        estimate = self._combined(scheme, found, epsilon)
        part.estimate[...] = _mapped(as_double, estimate).astype(np.float64)
        self._judge(part, (epsilon == 0).astype(bool), nodes, found)
        self._exact[row, :, columns], self._epsilon[row, :, columns] = estimate, epsilon
        if self._unit.anatomy:
            seen = self._seen.setdefault((columns.start, tuple(epsilon.flat)), Seen(columns, epsilon, {}, {}, {}))
            seen.nodes.update(nodes)
            seen.values.update(found)
            seen.schemes[row] = scheme
        if columns.start >= len(self._grid):
            self._block.chosen[row, :, columns.start - len(self._grid)] = epsilon[:, 0]

    def _nodes(self, offset: Offset, epsilon: Array) -> Array:
        """Return fl(x + fl(kε)), (P, E)."""
        numbers = self._values.numbers
        x = np.broadcast_to(self._x[:, None], epsilon.shape)
        real = x + _mapped(lambda step: numbers.rounded(offset.real * exact_mpf(step)), epsilon) if offset.real else x
        if not offset.imaginary:
            return np.asarray(real)
        imaginary = _mapped(lambda step: numbers.rounded(offset.imaginary * exact_mpf(step)), epsilon)
        return np.asarray(np.frompyfunc(numbers.mpc, 2, 1)(real, imaginary))

    def _combined(self, scheme: DifferenceScheme, found: dict[Offset, Array], epsilon: Array) -> Array:
        """Return the estimates; NaN where f has no value, or epsilon is 0."""
        nan = self._values.numbers.nan
        values: dict[Offset, Any] = {}
        for offset, own in found.items():
            known = _mapped(lambda value: nan if isinstance(value, str) else value, own)
            parts = _mapped(lambda value: value.real, known), _mapped(lambda value: value.imag, known)
            values[offset] = _Parts(*parts) if offset.imaginary else known
        return scheme.combine(values, np.where((epsilon == 0).astype(bool), nan, epsilon))

    def _judge(self, part: Part, is_zero: Array, nodes: dict[Offset, Array], found: dict[Offset, Array]) -> None:
        """Give the cells their statuses, in rising precedence."""
        part.mark(is_zero, Status.COLLAPSED, COINCIDE)
        for first, second in pairwise(nodes.values()):
            part.mark((first == second).astype(bool), Status.COLLAPSED, COINCIDE)
        self._truths.judge_references(part)
        part.mark(np.isnan(part.estimate) & ~is_zero, Status.NONFINITE, NO_ESTIMATE)
        missing = {offset: _mapped(self._values.is_missing, own).astype(bool) for offset, own in found.items()}
        for where in missing.values():
            part.mark(where, Status.NONFINITE, NO_VALUE)
        for values in found.values():
            for text in sorted({value for value in values.ravel() if isinstance(value, str)}):
                part.mark((values == text).astype(bool), Status.FAILED, text)
        for offset, where in missing.items():
            if not offset.imaginary:
                undefined = [tuple(place) for place in np.argwhere(where)]
                undefined = [place for place in undefined if self._values.is_undefined(nodes[offset][place])]
                part.mark_some(dict.fromkeys(undefined, (Status.DOMAIN, UNDEFINED)), Status.DOMAIN)
        self._judge_domain(part, nodes)

    def _judge_domain(self, part: Part, nodes: dict[Offset, Array]) -> None:
        domain = self._unit.function.domain
        if domain.has_ends:
            for own in nodes.values():
                pairs = zip(self._values.points, own, strict=True)
                away = [[self._values.is_away(x, node) for node in row] for x, row in pairs]
                part.mark(
                    np.array(away, dtype=bool).reshape(part.status.shape), Status.DOMAIN, f"a node leaves {domain}"
                )
        self._truths.judge_points(part)

    def _finished(self) -> Block:
        """Return the block with errors and texts."""
        block, numbers, references = self._block, self._values.numbers, self._truths.references
        words = [words_of(each, self._unit.dtype) for each in references]
        # Two words of few digits would be too short for the error.
        middles = [middle_of(each) for each in references]
        error = np.full(block.status.shape, np.nan)
        self._exact[np.isnan(block.estimate)] = None
        for place in map(tuple, np.argwhere(~np.isnan(block.estimate))):
            if words[place[1]] is not None:
                estimate = self._exact[place]
                # One that is too large is not finite in float64 either, and has no error: what is left is too small.
                exact = exact_mpf(estimate) if is_moderate(estimate) else 0
                error[place] = as_double(exact - middles[place[1]])
        # The epsilons of cells that were not measured are known too.
        grid = slice(0, len(self._grid))
        self._epsilon[..., grid] = np.where(
            block.status[..., grid] == Status.ABSENT, self._epsilon[..., grid], self._grid
        )

        def text(value: Any) -> str | None:
            return None if value is None else numbers.text(value)

        x, epsilon, estimate = (_mapped(text, each) for each in (self._x, self._epsilon, self._exact))
        both = tuple((None, None) if pair is None else _both(pair, numbers) for pair in words)
        wide = Wide(x, epsilon, estimate, error, both)
        return replace(block, references=references, reasons=tuple(self._reasons), wide=wide)


def _both(words: tuple[Fraction, Fraction], numbers: Arithmetic) -> tuple[str, str]:
    hi, lo = (numbers.text(numbers.rounded(word)) for word in words)
    return hi, lo


def _mapped(call: Callable[[Any], Any], values: Array) -> Array:
    """Return what is made of each element, as an array of objects."""
    found = np.empty(values.shape, dtype=object)
    for place in np.ndindex(values.shape):
        found[place] = call(values[place])
    return found
