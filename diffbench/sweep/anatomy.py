"""The four parts of the error of every cell: reference/parts.py knows what is exact, here is what was computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.reference.parts import PARTS, Form, Measured, PartsProgram, parts_of
from diffbench.reference.program import NoBallError
from diffbench.reference.verdict import Reference
from diffbench.schemes.scheme import DifferenceScheme, Scheme
from diffbench.schemes.step_rules import Rule
from diffbench.sweep.nodes import NodeTable, Panel, Section

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Subject:
    """A function at some points, whose errors are taken apart.

    Attributes
    ----------
    section : Section
        The function, and the rows of its points among those of several.
    references : tuple of Reference
        P references.
    """

    section: Section
    references: tuple[Reference, ...]

    def parts(self, table: NodeTable, schemes: Sequence[Scheme], rules: Sequence[Rule], estimate: Array) -> Array:
        """Return the parts of the errors of all cells.

        Parameters
        ----------
        table : NodeTable
            The nodes and f at them.
        schemes : sequence of Scheme
            S schemes; the errors of opaque ones have no parts.
        rules : sequence of Rule
            Those of the columns that follow the grid's.
        estimate : array
            (S, P, C) estimates; NaN where there is none.

        Returns
        -------
        array
            (4, S, P, C) in the order of :data:`diffbench.reference.parts.PARTS`; NaN where there are none.
        """
        found = _none(estimate.shape)
        try:
            program = parts_of(self.section.function.formula)
        except NoBallError:
            return found
        own = [(s, each) for s, each in enumerate(schemes) if isinstance(each, DifferenceScheme)]
        rows, forms, grid = [s for s, _ in own], [_form(each) for _, each in own], table.grid.epsilon.size
        found[:, rows, :, :grid] = self._in_panel(program, table.grid, forms, estimate[rows, :, :grid])
        for column, rule in enumerate(rules, grid):
            for s, scheme in own:
                panel = table.chosen_panel(rule, scheme)
                if panel is not None:
                    there = [s], slice(None), slice(column, column + 1)
                    found[:, *there] = self._in_panel(program, panel, [_form(scheme)], estimate[there])
        return found

    def _in_panel(self, program: PartsProgram, panel: Panel, forms: Sequence[Form], estimate: Array) -> Array:
        """Return the parts at the epsilons of a panel, (4, S, P, E)."""
        found = _none(estimate.shape)
        offsets = {offset for form in forms for (offset, _), _ in form.terms if offset in panel.values}
        shape = estimate.shape[1:]
        nodes, values = ({k: self._own(by[k], shape) for k in offsets} for by in (panel.nodes, panel.values))
        epsilons, x = self._own(panel.epsilon, shape), panel.x[self.section.rows, 0].tolist()
        for point, reference in enumerate(self.references):
            if reference.hi is not None and reference.ball.is_finite:
                known = {k: (nodes[k][point].tolist(), values[k][point].tolist()) for k in offsets}
                measured = Measured(x[point], epsilons[point].tolist(), known, estimate[:, point])
                found[:, :, point] = program.parts(measured, forms, reference.ball)
        return found

    def _own(self, values: Array, shape: tuple[int, ...]) -> Array:
        """Return a panel's values at these points, repeated where points or epsilons share them."""
        return np.broadcast_to(values if values.shape[0] == 1 else values[self.section.rows], shape)


@lru_cache(maxsize=256)
def _form(scheme: DifferenceScheme) -> Form:
    return Form(scheme)


def _none(shape: tuple[int, ...]) -> Array:
    return np.full((len(PARTS), *shape), np.nan)
