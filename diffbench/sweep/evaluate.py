"""Measuring units: every scheme × point × epsilon from shared values of f, each cell with its status.

Units that differ in the function only are measured together: one array operation then serves some ten thousand cells,
however few points each function has. No bit of a unit depends on what is measured beside it.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import PLAIN, find_dtype
from diffbench.rounding import round_array
from diffbench.schemes.scheme import DifferenceScheme, OpaqueScheme, Scheme
from diffbench.schemes.searches import Choice
from diffbench.schemes.step_rules import AdaptiveRule
from diffbench.sweep.anatomy import Subject
from diffbench.sweep.cells import COINCIDE, NO_ESTIMATE, NO_VALUE, UNDEFINED, Cells, Part
from diffbench.sweep.directions import of_lines
from diffbench.sweep.multiple import multiple_blocks
from diffbench.sweep.nodes import Chosen, NodeTable, Panel, Section
from diffbench.sweep.opaque import call_opaque
from diffbench.sweep.results import Block, Status
from diffbench.sweep.spec import Unit
from diffbench.sweep.truth import Truths, block_references
from diffbench.sweep.unavailable import unavailable_blocks
from diffbench.sweep.wide import as_doubles, wide_of

Array = npt.NDArray[Any]


def measure(unit: Unit) -> tuple[Block, ...]:
    """Return the blocks of a unit, one for each derivative."""
    return measure_together([unit])[0]


def measure_together(units: Sequence[Unit]) -> list[tuple[Block, ...]]:
    """Return the blocks of each of several units that have schemes, epsilons, rules and dtype in common."""
    if not any(unit.has_directions for unit in units):
        return _measure(units)
    lines = [unit.along_lines() for unit in units]
    measured = iter(_measure([line for each in lines for line in each]))
    return [of_lines(unit, list(islice(measured, len(each)))) for unit, each in zip(units, lines, strict=True)]


def _measure(units: Sequence[Unit]) -> list[tuple[Block, ...]]:
    """Return the blocks of each of several units of functions of one variable."""
    first = units[0]
    if first.unavailable or find_dtype(first.dtype).is_multiple:
        blocks_of = unavailable_blocks if first.unavailable else multiple_blocks
        return [blocks_of(unit) for unit in units]
    # Unlike those of numpy, comparisons of ml_dtypes warn of NaN.
    with np.errstate(invalid="ignore") if first.dtype == "bfloat16" else nullcontext():
        return _measured(units)


def _measured(units: Sequence[Unit]) -> list[tuple[Block, ...]]:
    first = units[0]
    points = [round_array(unit.function.points, unit.dtype) for unit in units]
    ends = np.cumsum([each.size for each in points]).tolist()
    sections = [
        Section(unit.function, slice(end - each.size, end)) for unit, each, end in zip(units, points, ends, strict=True)
    ]
    differences = [s for _, schemes in first.schemes for s in schemes if isinstance(s, DifferenceScheme)]
    epsilons = np.array(first.epsilons, dtype=first.dtype)
    table = NodeTable(sections, np.concatenate(points), epsilons, first.rules, differences)
    derivatives = [_blocks(units, sections, table, derivative, schemes) for derivative, schemes in first.schemes]
    return list(zip(*derivatives, strict=True))


def _blocks(
    units: Sequence[Unit], sections: list[Section], table: NodeTable, derivative: int, schemes: tuple[Scheme, ...]
) -> list[Block]:
    """Return the blocks of one derivative, one for each unit."""
    x, grid = table.grid.x[:, 0], table.grid.epsilon[0]
    opaque = [scheme for scheme in schemes if isinstance(scheme, OpaqueScheme)]
    others = len(units[0].rules) + any(not scheme.takes_epsilon for scheme in opaque)
    answers = bool(opaque) or any(isinstance(rule, AdaptiveRule) for rule in units[0].rules)
    records = units[0].has_opaque
    widest = np.result_type(x.dtype, np.float64)
    cells = Cells(len(schemes), x.size, grid.size, others, answers=answers, records=records, dtype=widest)
    truths = [
        Truths(block_references(unit.function, x[section.rows], derivative, unit.time_limit))
        for unit, section in zip(units, sections, strict=True)
    ]
    bench = _Bench(units[0], x, table, sections, truths, cells, [cells.reasons_of_a_section() for _ in sections])
    for row, scheme in enumerate(schemes):
        if isinstance(scheme, DifferenceScheme):
            bench.measure_difference(row, scheme)
        else:
            bench.measure_opaque(row, scheme)
    cells.leave_out()
    return [bench.block(i, unit, derivative, schemes) for i, unit in enumerate(units)]


@dataclass(frozen=True)
class _Bench:
    """What the cells of some blocks are measured with and judged by; truths and reasons are those of each section."""

    unit: Unit
    x: Array
    table: NodeTable
    sections: list[Section]
    truths: list[Truths]
    cells: Cells
    reasons: list[list[str]]

    def block(self, i: int, unit: Unit, derivative: int, schemes: tuple[Scheme, ...]) -> Block:
        """Return the block of a section."""
        rows, grid, cells = self.sections[i].rows, self.table.grid.epsilon[0], self.cells
        x, estimate = self.x[rows], cells.estimate[:, rows]
        block = Block(
            **unit.facts(derivative, schemes),
            grid=as_doubles(grid),
            x=as_doubles(x),
            references=self.truths[i].references,
            chosen=as_doubles(cells.chosen[:, rows]),
            estimate=estimate.astype(np.float64, copy=False),
            error_estimate=np.broadcast_to(cells.error_estimate[:, rows], estimate.shape),
            evaluations=np.broadcast_to(cells.evaluations[:, rows], estimate.shape),
            status=cells.status[:, rows],
            reason=cells.reason[:, rows],
            reasons=tuple(self.reasons[i]),
            parts=self._parts(i, schemes, estimate) if unit.anatomy else None,
            records=None if cells.records is None else cells.records[:, :, rows],
        )
        if not unit.has_wide:
            return block
        return replace(block, wide=wide_of(block.references, x, grid, cells.chosen[:, rows], estimate))

    def _parts(self, i: int, schemes: tuple[Scheme, ...], estimate: Array) -> Array:
        subject = Subject(self.sections[i], self.truths[i].references)
        return subject.parts(self.table, schemes, self.unit.rules, estimate)

    def measure_difference(self, row: int, scheme: DifferenceScheme) -> None:
        """Fill the cells of a difference scheme, marks in rising precedence."""
        refused = {i: reason for i in range(len(self.sections)) if (reason := self.table.unsupported_reason(scheme, i))}
        for columns, rule, chosen in self._chosen(scheme, is_unusable=len(refused) == len(self.sections)):
            part = self.cells.begin(row, columns, scheme.evaluations)
            if chosen is not None and chosen.panel is not None:
                self.cells.choose(row, columns, chosen.panel.epsilon)
                self._measure_panel(part, chosen.panel, scheme)
            if chosen is not None and chosen.choice is not None:
                self._judge_choice(part, rule, chosen.choice)
            for i, reason in refused.items():
                own = self._own(part, i)
                own.mark(True, Status.UNSUPPORTED, reason)
                own.evaluations[...] = 0
                self.cells.choose(row, columns, np.nan, self.sections[i].rows)

    def measure_opaque(self, row: int, scheme: OpaqueScheme) -> None:
        """Fill the cells of an opaque scheme, marks in rising precedence."""
        epsilons = self.table.grid.epsilon[0]
        columns = slice(0, epsilons.size) if scheme.takes_epsilon else slice(epsilons.size + len(self.unit.rules), None)
        part = self.cells.begin(row, columns, 0)
        for i, section in enumerate(self.sections):
            own = self._own(part, i)
            if self.unit.dtype in PLAIN:
                self._measure_section(own, scheme, section, self.truths[i])
            else:
                own.mark(True, Status.UNSUPPORTED, f"it is called in {', '.join(PLAIN)} only")

    def _measure_section(self, part: Part, scheme: OpaqueScheme, section: Section, truths: Truths) -> None:
        epsilons = self.table.grid.epsilon[0]
        x, limit = self.x[section.rows], self.unit.time_limit
        outcomes = call_opaque(part, scheme, section.function, x, epsilons, time_limit=limit)
        lost = epsilons == 0 if scheme.takes_epsilon else np.zeros(1, dtype=bool)
        nonfinite = ~np.isfinite(part.estimate)
        part.estimate[nonfinite] = np.nan
        # Whoever says that the error may be anything has said so: the largest number stands for it in every file.
        part.error_estimate[np.isposinf(part.error_estimate)] = np.finfo(np.float64).max
        part.error_estimate[~np.isfinite(part.error_estimate)] = np.nan
        part.mark(lost, Status.COLLAPSED, "epsilon rounds to 0")
        truths.judge_references(part)
        part.mark(nonfinite & ~lost, Status.NONFINITE, NO_ESTIMATE)
        part.mark_some(outcomes, Status.FAILED)
        part.mark_some(outcomes, Status.DOMAIN)
        truths.judge_points(part)
        part.mark_some(outcomes, Status.UNSUPPORTED)
        part.error_estimate[np.isnan(part.estimate)] = np.nan

    def _chosen(self, scheme: DifferenceScheme, *, is_unusable: bool) -> Iterator[tuple[slice, str, Chosen | None]]:
        """Yield columns, the name of the rule that chose their epsilons, and these."""
        grid_size = len(self.unit.epsilons)
        yield slice(0, grid_size), "", None if is_unusable else Chosen(self.table.grid)
        for column, rule in enumerate(self.unit.rules, grid_size):
            yield slice(column, column + 1), rule.name, None if is_unusable else self.table.chosen(rule, scheme)

    def _judge_choice(self, part: Part, rule: str, choice: Choice) -> None:
        """Count what a rule evaluated; mark where it has no epsilon, and note where it failed but has one."""
        missing = np.isnan(choice.epsilon)[:, None]
        part.evaluations[...] = choice.evaluations[:, None] + np.where(missing, 0, part.evaluations)
        told = np.array(choice.failures, dtype=object)[:, None]
        for i, section in enumerate(self.sections):
            own = self._own(part, i)
            for text in sorted(set(choice.failures[section.rows]) - {""}):
                failed = told[section.rows] == text
                own.mark(failed & missing[section.rows], Status.UNSUPPORTED, f"{rule}: {text}")
                own.note(failed, f"{rule}: {text}")

    def _own(self, part: Part, i: int) -> Part:
        return part.of_section(self.sections[i].rows, self.reasons[i])

    def _measure_panel(self, part: Part, panel: Panel, scheme: DifferenceScheme) -> None:
        with np.errstate(all="ignore"):
            part.estimate[...] = scheme.combine(panel.values, panel.step)
            # Tables hold wider estimates as float64 too.
            finite = np.isfinite(part.estimate.astype(np.float64, copy=False))
        part.mark(panel.zero, Status.COLLAPSED, COINCIDE)
        part.mark(panel.collapsed(scheme), Status.COLLAPSED, COINCIDE)
        is_whole = bool(finite.all())
        if not is_whole:
            part.estimate[~finite] = np.nan
        for i, truths in enumerate(self.truths):
            if truths.has_judgements:
                truths.judge_references(self._own(part, i))
        if not is_whole:
            # An epsilon that is 0 gives no estimate, and the cell stays collapsed.
            part.mark(~finite & (panel.epsilon != 0), Status.NONFINITE, NO_ESTIMATE)
        # A real value that is not finite never leaves an estimate that is.
        if not is_whole or scheme.needs_complex:
            self._judge_values(part, panel, scheme)
        self._judge_domain(part, panel, scheme)

    def _judge_values(self, part: Part, panel: Panel, scheme: DifferenceScheme) -> None:
        """Mark where f has no finite value at a node: because it failed, because it is not defined, or so."""
        for offset in scheme.offsets:
            part.mark(panel.nonfinite(offset), Status.NONFINITE, NO_VALUE)
        for i, section in enumerate(self.sections):
            for where, failure in panel.failed(scheme, i):
                self._own(part, i).mark(where, Status.FAILED, failure)
            for offset in scheme.offsets:
                undefined = panel.undefined(section, offset)
                if undefined is not None:
                    self._own(part, i).mark(undefined, Status.DOMAIN, UNDEFINED)

    def _judge_domain(self, part: Part, panel: Panel, scheme: DifferenceScheme) -> None:
        """Mark cells with a node, or the hull of nodes and x, outside the domain."""
        for i, section in enumerate(self.sections):
            domain = section.function.domain
            if domain.has_ends or not panel.is_finite:
                own = self._own(part, i)
                for offset in scheme.offsets:
                    own.mark(panel.away(section, offset), Status.DOMAIN, f"a node leaves {domain}")
            if panel.infinite is not None:
                reason = f"epsilon overflows in {self.unit.dtype}"
                self._own(part, i).mark(_rows(panel.infinite, section), Status.DOMAIN, reason)
            if self.truths[i].has_judgements:
                self.truths[i].judge_points(self._own(part, i))


def _rows(mask: Array, section: Section) -> Array:
    """Return the rows of a section of a mask over all points, or over one row that stands for all."""
    return mask if mask.shape[0] == 1 else mask[section.rows]
