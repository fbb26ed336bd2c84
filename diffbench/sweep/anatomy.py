"""The four parts of the error of every cell: reference/parts.py knows what is exact, here is what was computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import find_dtype
from diffbench.reference.parts import PARTS, Form, Measured, parts_of
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
            (4, S, P, C) in the order of :data:`diffbench.reference.parts.PARTS`; NaN where there are none, as in dtypes
            of more than 64 bits.
        """
        found = _none(estimate.shape)
        # A tape has no branches and no series beyond the first derivative.
        if self.section.function.model is not None or find_dtype(table.grid.x.dtype.name).is_wide:
            return found
        try:
            program = parts_of(self.section.function.formula)
        except NoBallError:
            return found
        wanted = _wanted(table, schemes, rules)
        places = range(*self.section.rows.indices(len(table.grid.x)))
        for point, (place, reference) in enumerate(zip(places, self.references, strict=True)):
            if reference.hi is None or not reference.ball.is_finite:
                continue
            centre = program.at(float(table.grid.x[place, 0]))
            for panel, rows, forms, columns in wanted:
                cells = rows, point, columns
                measured = _measured(panel, forms, place, estimate[cells])
                found[:, *cells] = centre.parts(measured, forms, reference.ball)
        return found


class _Wanted(NamedTuple):
    """Whose errors are taken apart at the epsilons of a panel: rows of schemes with their forms, and the columns."""

    panel: Panel
    rows: list[int]
    forms: list[Form]
    columns: slice


def _wanted(table: NodeTable, schemes: Sequence[Scheme], rules: Sequence[Rule]) -> list[_Wanted]:
    own = [(row, each) for row, each in enumerate(schemes) if isinstance(each, DifferenceScheme)]
    grid = table.grid.epsilon.size
    wanted = [_Wanted(table.grid, [row for row, _ in own], [_form(each) for _, each in own], slice(grid))]
    for column, rule in enumerate(rules, grid):
        alike: dict[int, _Wanted] = {}
        for row, scheme in own:
            panel = table.chosen_panel(rule, scheme)
            if panel is not None:
                some = alike.setdefault(id(panel), _Wanted(panel, [], [], slice(column, column + 1)))
                some.rows.append(row)
                some.forms.append(_form(scheme))
        wanted += alike.values()
    return wanted


def _measured(panel: Panel, forms: Sequence[Form], place: int, estimates: Array) -> Measured:
    """Return what was computed at one point with the epsilons of a panel."""

    def own(values: Array) -> list[Any]:
        row: list[Any] = values[place if len(values) > 1 else 0].tolist()
        return row if len(row) == estimates.shape[1] else row * estimates.shape[1]

    offsets = {offset for form in forms for (offset, _), _ in form.terms if offset in panel.values}
    known = {k: (own(panel.nodes[k]), own(panel.values[k])) for k in offsets}
    return Measured(own(panel.epsilon), known, estimates)


@lru_cache(maxsize=256)
def _form(scheme: DifferenceScheme) -> Form:
    return Form(scheme)


def _none(shape: tuple[int, ...]) -> Array:
    return np.full((len(PARTS), *shape), np.nan)
