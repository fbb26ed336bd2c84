"""Measuring one unit: every scheme × point × epsilon from shared values of f, each cell with its status."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.reference.exact import Reference
from diffbench.rounding import round_array
from diffbench.schemes.scheme import DifferenceScheme, OpaqueScheme, Scheme
from diffbench.sweep.cells import Cells, Part
from diffbench.sweep.nodes import NodeTable, Panel
from diffbench.sweep.opaque import call_opaque
from diffbench.sweep.results import Block, Status
from diffbench.sweep.spec import Unit
from diffbench.sweep.truth import block_references, judge_points, judge_references

Array = npt.NDArray[Any]


def measure(unit: Unit) -> tuple[Block, ...]:
    """Return the blocks of a unit, one for each derivative.

    The same unit gives the same bits whatever else is measured beside it.
    """
    x = round_array(unit.function.points, unit.dtype)
    epsilons = round_array(unit.epsilons, unit.dtype)
    differences = [s for _, schemes in unit.schemes for s in schemes if isinstance(s, DifferenceScheme)]
    table = NodeTable(unit.function, x, epsilons, unit.rules, differences)
    return tuple(_block(unit, x, table, derivative, schemes) for derivative, schemes in unit.schemes)


def _block(unit: Unit, x: Array, table: NodeTable, derivative: int, schemes: tuple[Scheme, ...]) -> Block:
    references = block_references(unit.function, x, derivative)
    grid_size = len(unit.epsilons)
    alone = any(isinstance(scheme, OpaqueScheme) and not scheme.takes_epsilon for scheme in schemes)
    cells = Cells(len(schemes), x.size, grid_size + len(unit.rules) + alone)
    bench = _Bench(unit, x, table, references, cells)
    for row, scheme in enumerate(schemes):
        if isinstance(scheme, DifferenceScheme):
            bench.measure_difference(row, scheme)
        else:
            bench.measure_opaque(row, scheme)
    return Block(
        function=unit.function.name,
        formula=unit.function.formula.text,
        tags=unit.function.tags,
        derivative=derivative,
        dtype=unit.dtype,
        schemes=tuple(scheme.name for scheme in schemes),
        rules=tuple(rule.name for rule in unit.rules),
        grid_size=grid_size,
        x=np.where(np.isfinite(x), x, np.nan).astype(np.float64),
        references=references,
        epsilon=cells.epsilon,
        estimate=cells.estimate,
        error_estimate=cells.error_estimate,
        evaluations=cells.evaluations,
        status=cells.status,
        reason=cells.reason,
        reasons=tuple(cells.reasons),
    )


@dataclass(frozen=True)
class _Bench:
    """What the cells of a block are measured with and judged by."""

    unit: Unit
    x: Array
    table: NodeTable
    references: tuple[Reference, ...]
    cells: Cells

    def measure_difference(self, row: int, scheme: DifferenceScheme) -> None:
        """Fill the cells of a difference scheme, marks in rising precedence."""
        unusable = self.table.unsupported_reason(scheme)
        if unusable:
            self._refuse(row, unusable)
            return
        for columns, panel in self._panels(scheme):
            failure = panel.failure(scheme)
            part = self.cells.begin(row, columns, panel.epsilon, scheme.evaluations)
            if not failure:
                _combine(part, panel, scheme)
                part.mark(_collapsed(panel, scheme), Status.COLLAPSED, "nodes coincide or epsilon rounds to 0")
                judge_references(part, self.references)
                _judge_values(part, panel, scheme)
            part.mark(bool(failure), Status.FAILED, failure)
            self._judge_domain(part, panel, scheme)
            part.finish()

    def measure_opaque(self, row: int, scheme: OpaqueScheme) -> None:
        """Fill the cells of an opaque scheme, marks in rising precedence."""
        epsilons = self.table.grid.epsilon[0]
        if scheme.takes_epsilon:
            part = self.cells.begin(row, slice(0, epsilons.size), epsilons, 0)
        else:
            part = self.cells.begin(row, slice(epsilons.size + len(self.unit.rules), None), np.nan, 0)
        outcomes = call_opaque(part, scheme, self.unit.function, self.x, epsilons)
        lost = epsilons == 0 if scheme.takes_epsilon else np.zeros(1, dtype=bool)
        part.mark(lost, Status.COLLAPSED, "epsilon rounds to 0")
        judge_references(part, self.references)
        part.mark(~np.isfinite(part.estimate) & ~lost, Status.NONFINITE, "the estimate is not finite")
        part.mark_some(outcomes, Status.FAILED)
        part.mark_some(outcomes, Status.DOMAIN)
        judge_points(part, self.references)
        part.mark_some(outcomes, Status.UNSUPPORTED)
        part.finish()

    def _panels(self, scheme: DifferenceScheme) -> Iterator[tuple[slice, Panel]]:
        grid_size = len(self.unit.epsilons)
        yield slice(0, grid_size), self.table.grid
        for column, rule in enumerate(self.unit.rules, grid_size):
            yield slice(column, column + 1), self.table.chosen(rule, scheme)

    def _refuse(self, row: int, reason: str) -> None:
        grid_size, rules = len(self.unit.epsilons), len(self.unit.rules)
        for columns, epsilon in (
            (slice(0, grid_size), self.table.grid.epsilon),
            (slice(grid_size, grid_size + rules), np.nan),
        ):
            self.cells.begin(row, columns, epsilon, 0).mark(True, Status.UNSUPPORTED, reason)

    def _judge_domain(self, part: Part, panel: Panel, scheme: DifferenceScheme) -> None:
        """Mark cells with a node, or the hull of nodes and x, outside the domain, or where f is not real."""
        domain = self.unit.function.domain
        for offset in scheme.offsets:
            if offset in panel.undefined:
                part.mark(panel.undefined[offset], Status.DOMAIN, "f is not defined or not real at a node")
        for interval in domain.intervals:
            at_home = interval.contains_array(self.x)[:, None]
            for offset in scheme.offsets:
                away = at_home & ~interval.contains_array(panel.nodes[offset].real)
                part.mark(away, Status.DOMAIN, f"a node leaves {domain}")
        part.mark(np.isinf(panel.epsilon), Status.DOMAIN, f"epsilon overflows in {self.unit.dtype}")
        judge_points(part, self.references)


def _combine(part: Part, panel: Panel, scheme: DifferenceScheme) -> None:
    values = {offset: panel.values[offset] for offset in scheme.offsets}
    with np.errstate(all="ignore"):
        part.estimate[...] = scheme.combine(values, panel.epsilon)


def _collapsed(panel: Panel, scheme: DifferenceScheme) -> Array:
    """Return where two nodes coincide, or epsilon is 0; offsets rise, and so do the nodes."""
    collapsed: Array = panel.epsilon == 0
    for low, high in pairwise(panel.nodes[offset] for offset in sorted(scheme.offsets)):
        collapsed = collapsed | (low == high)
    return collapsed


def _judge_values(part: Part, panel: Panel, scheme: DifferenceScheme) -> None:
    """Mark what is not finite; an epsilon that is 0 gives no estimate and stays collapsed."""
    positive = panel.epsilon != 0
    part.mark(~np.isfinite(part.estimate) & positive, Status.NONFINITE, "the estimate is not finite")
    for offset in scheme.offsets:
        part.mark(~np.isfinite(panel.values[offset]), Status.NONFINITE, "f is not finite at a node")
