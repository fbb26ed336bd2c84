"""Measuring one unit: every scheme × point × epsilon from shared values of f, each cell with its status."""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.functions.function import Evaluate, Function
from diffbench.reference.exact import Reference, is_defined, reference_at
from diffbench.rounding import round_array
from diffbench.schemes.scheme import DifferenceScheme, OpaqueScheme
from diffbench.sweep.cells import Cells, Part
from diffbench.sweep.nodes import NodeTable, Panel, describe
from diffbench.sweep.results import Block, Status
from diffbench.sweep.spec import Unit

Array = npt.NDArray[Any]

_OUTSIDE = "x leaves the domain by rounding to the dtype"


def measure(unit: Unit) -> tuple[Block, ...]:
    """Return the blocks of a unit, one for each derivative.

    The same unit gives the same bits whatever else is measured beside it.
    """
    x = round_array(unit.function.points, unit.dtype)
    epsilons = round_array(unit.epsilons, unit.dtype)
    differences = [s for _, schemes in unit.schemes for s in schemes if isinstance(s, DifferenceScheme)]
    table = NodeTable(unit.function, x, epsilons, unit.rules, differences)
    return tuple(_block(unit, x, table, derivative) for derivative, _ in unit.schemes)


def _block(unit: Unit, x: Array, table: NodeTable, derivative: int) -> Block:
    schemes = dict(unit.schemes)[derivative]
    references = tuple(_reference(unit.function, float(point), derivative) for point in x)
    grid_size = len(unit.epsilons)
    alone = any(unit.cells_per_point(scheme) == 1 for scheme in schemes if isinstance(scheme, OpaqueScheme))
    cells = Cells(len(schemes), x.size, grid_size + len(unit.rules) + alone)
    for row, scheme in enumerate(schemes):
        if isinstance(scheme, DifferenceScheme):
            _difference_cells(unit, x, table, scheme, references, cells, row)
        else:
            _opaque_cells(unit, x, table.grid.epsilon[0], scheme, references, cells, row)
    return Block(
        unit.function.name,
        unit.function.formula.text,
        unit.function.tags,
        derivative,
        unit.dtype,
        tuple(scheme.name for scheme in schemes),
        tuple(rule.name for rule in unit.rules),
        grid_size,
        x.astype(np.float64),
        references,
        cells.epsilon,
        cells.estimate,
        cells.error_estimate,
        cells.evaluations,
        cells.status,
        cells.reason,
        tuple(cells.reasons),
    )


def _reference(function: Function, x: float, derivative: int) -> Reference:
    point = Fraction(x)
    if function.domain.interval_of(point) is None or not is_defined(function.formula, point):
        return Reference(None, 0, float("inf"), "uncertain", "ball", reason=_OUTSIDE)
    return reference_at(function.formula, point, derivative)


def _difference_cells(
    unit: Unit,
    x: Array,
    table: NodeTable,
    scheme: DifferenceScheme,
    references: tuple[Reference, ...],
    cells: Cells,
    row: int,
) -> None:
    grid_size = len(unit.epsilons)
    unusable = table.unsupported_reason(scheme)
    panels = [(slice(0, grid_size), table.grid)]
    for column, rule in enumerate(unit.rules, grid_size):
        nowhere = Panel(np.full((x.size, 1), np.nan))
        panels.append((slice(column, column + 1), nowhere if unusable else table.chosen(rule, scheme)))
    for columns, panel in panels:
        part = cells.begin(row, columns, panel.epsilon, 0 if unusable else scheme.evaluations)
        if not unusable and not table.failure:
            _combine(part, panel, scheme)
            part.mark(_collapsed(panel, scheme), Status.COLLAPSED, "nodes coincide or epsilon rounds to 0")
            _judge_references(part, references)
            _judge_values(part, panel, scheme)
        part.mark(bool(table.failure), Status.FAILED, f"f raised {table.failure}")
        _judge_domain(part, panel, scheme, unit.function, x, references)
        part.mark(bool(unusable), Status.UNSUPPORTED, unusable)
        part.finish()


def _combine(part: Part, panel: Panel, scheme: DifferenceScheme) -> None:
    values = {offset: panel.values[offset] for offset in scheme.offsets}
    with np.errstate(all="ignore"):
        part.estimate[...] = scheme.combine(values, panel.epsilon)


def _collapsed(panel: Panel, scheme: DifferenceScheme) -> Array:
    """Return where two nodes coincide, or epsilon is 0; offsets rise, and so do the nodes."""
    collapsed: Array = panel.epsilon == 0
    nodes = [panel.nodes[offset] for offset in sorted(scheme.offsets)]
    for low, high in zip(nodes, nodes[1:], strict=False):
        collapsed = collapsed | (low == high)
    return collapsed


def _judge_references(part: Part, references: tuple[Reference, ...]) -> None:
    """Mark the points whose reference is no number to measure against."""
    for point, reference in enumerate(references):
        here = np.arange(len(references))[:, None] == point
        if reference.verdict == "nondifferentiable":
            part.mark(here, Status.NONDIFFERENTIABLE, reference.reason)
        elif not reference.is_settled or reference.hi is None:
            part.mark(here, Status.UNCERTAIN, reference.reason)
        elif np.isinf(reference.hi):
            part.mark(here, Status.NONFINITE, "the reference overflows")


def _judge_values(part: Part, panel: Panel, scheme: DifferenceScheme) -> None:
    positive = panel.epsilon != 0
    part.mark(~np.isfinite(part.estimate) & positive, Status.NONFINITE, "the estimate is not finite")
    for offset in scheme.offsets:
        part.mark(~np.isfinite(panel.values[offset]), Status.NONFINITE, "f is not finite at a node")


def _judge_domain(
    part: Part,
    panel: Panel,
    scheme: DifferenceScheme,
    function: Function,
    x: Array,
    references: tuple[Reference, ...],
) -> None:
    """Mark cells with a node, or the hull of nodes and x, outside the domain, or where f is not real."""
    for offset in scheme.offsets:
        if offset in panel.undefined:
            part.mark(panel.undefined[offset], Status.DOMAIN, "f is not defined or not real at a node")
    reals = [panel.nodes[offset].real for offset in scheme.offsets if offset in panel.nodes]
    for interval in function.domain.intervals:
        at_home = interval.contains_array(x)[:, None]
        for nodes in reals:
            part.mark(at_home & ~interval.contains_array(nodes), Status.DOMAIN, f"a node leaves {function.domain}")
    outside = np.array([reference.reason == _OUTSIDE for reference in references])
    part.mark(outside[:, None], Status.DOMAIN, _OUTSIDE)


def _opaque_cells(
    unit: Unit,
    x: Array,
    epsilons: Array,
    scheme: OpaqueScheme,
    references: tuple[Reference, ...],
    cells: Cells,
    row: int,
) -> None:
    """Call an opaque scheme once a cell; whatever it raises costs that cell only."""
    columns = slice(0, epsilons.size) if scheme.takes_epsilon else slice(epsilons.size + len(unit.rules), None)
    steps: list[tuple[Any, ...]] = [(epsilon,) for epsilon in epsilons] if scheme.takes_epsilon else [()]
    part = cells.begin(row, columns, epsilons if scheme.takes_epsilon else np.nan, 0)
    failures = {}
    for point in range(x.size):
        for column, step in enumerate(steps):
            counted = _Counted(unit.function.compile(unit.dtype), unit.dtype)
            try:
                estimate, error_estimate = _answer(scheme.call(counted, x[point], *step))
                part.estimate[point, column], part.error_estimate[point, column] = estimate, error_estimate
            except Exception as error:  # noqa: BLE001  (whatever a contestant raises is its result)
                failures[point, column] = describe(error)
            part.evaluations[point, column] = counted.evaluations
    part.mark(False if not scheme.takes_epsilon else epsilons == 0, Status.COLLAPSED, "epsilon rounds to 0")
    _judge_references(part, references)
    part.mark(~np.isfinite(part.estimate), Status.NONFINITE, "the estimate is not finite")
    for place, reason in failures.items():
        here = np.zeros(part.status.shape, dtype=bool)
        here[place] = True
        part.mark(here, Status.FAILED, reason)
    outside = np.array([reference.reason == _OUTSIDE for reference in references])
    part.mark(outside[:, None], Status.DOMAIN, _OUTSIDE)
    part.finish()


def _answer(answer: Any) -> tuple[float, float]:
    """Return the estimate and the error estimate (NaN if there is none) of an opaque scheme."""
    estimate, error = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, np.nan)
    if np.size(estimate) != 1 or np.size(error) != 1 or np.iscomplexobj(estimate):
        raise TypeError(
            f"the scheme answered {np.shape(estimate)} values of {np.asarray(estimate).dtype}, not a real number"
        )
    return float(np.asarray(estimate).item()), float(np.asarray(error).item())


class _Counted:
    """f for scalars and arrays alike, counting the values it is asked for."""

    def __init__(self, f: Evaluate, dtype: str) -> None:
        self._f = f
        self._dtype = dtype
        self.evaluations = 0

    def __call__(self, x: Any) -> Any:
        nodes = np.asarray(x)
        nodes = nodes if np.iscomplexobj(nodes) else nodes.astype(self._dtype)
        self.evaluations += nodes.size
        values = self._f(np.atleast_1d(nodes).ravel())
        return values.reshape(nodes.shape) if nodes.ndim else values[0]
