"""The four parts of the error of every cell: reference/parts.py knows what is exact, here is what was computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import find_dtype
from diffbench.functions.function import Function
from diffbench.multiple import arithmetic_of
from diffbench.reference.parts import PARTS, Complex, Form, Measured, parts_of
from diffbench.reference.program import NoBallError
from diffbench.reference.verdict import Reference
from diffbench.rounding import exact_float, exact_mpf, is_moderate
from diffbench.schemes.scheme import DifferenceScheme, Offset, Scheme
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
        # A tape has no branches and no series beyond the first derivative.
        if self.section.function.model is not None:
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
            (x,) = plain(table.grid.x[place])
            centre = program.at(x)
            for panel, rows, forms, columns in wanted:
                cells = rows, point, columns
                measured = _measured(panel, forms, place, estimate[cells])
                found[:, *cells] = centre.parts(measured, forms, reference.ball)
        return found


class Seen(NamedTuple):
    """What schemes saw with the same epsilons, in mpmath's numbers.

    Attributes
    ----------
    columns : slice
        The columns of these epsilons.
    epsilon : array
        (P, E).
    nodes, values : dict
        Nodes by offset and f there, (P, E); the text of what f raised.
    schemes : dict
        The schemes by row.
    """

    columns: slice
    epsilon: Array
    nodes: dict[Offset, Array]
    values: dict[Offset, Array]
    schemes: dict[int, DifferenceScheme]

    def at(self, point: int, estimate: Array, precision: int) -> Measured:
        """Return what was computed at a point, where the schemes' estimates are those of (S, E)."""
        rows = {k: (_rationals(self.nodes[k][point]), _rationals(self.values[k][point])) for k in self.nodes}
        exact = [[np.nan if number is None else number for number in _rationals(row)] for row in estimate]
        return Measured(_rationals(self.epsilon[point]), rows, np.array(exact, dtype=object), precision)


def multiple_parts(
    function: Function,
    points: Sequence[Fraction],
    references: Sequence[Reference],
    seen: Sequence[Seen],
    estimate: Array,
) -> Array:
    """Return the parts of the errors of cells in ``mp:D``.

    Parameters
    ----------
    function : Function
        What was differentiated.
    points, references : sequence
        P points and references.
    seen : sequence of Seen
        What the schemes saw.
    estimate : array
        (S, P, C) mpmath's numbers; None where there is none.

    Returns
    -------
    array
        (4, S, P, C) in the order of :data:`diffbench.reference.parts.PARTS`; NaN where there are none.
    """
    found = _none(estimate.shape)
    if function.model is not None:
        return found
    try:
        program = parts_of(function.formula)
    except NoBallError:
        return found
    for point, (x, reference) in enumerate(zip(points, references, strict=True)):
        if reference.hi is None or not reference.ball.is_finite:
            continue
        centre = program.at(x)
        for own in seen:
            cells = list(own.schemes), point, own.columns
            measured = own.at(point, estimate[cells], arithmetic_of(own.epsilon).bits)
            found[:, *cells] = centre.parts(measured, [_form(each) for each in own.schemes.values()], reference.ball)
    return found


def _rationals(numbers: Array) -> list[Any]:
    """Return mpmath's numbers as rationals; None for what is none, not finite, or too large or small to be held."""
    return [None if number is None or isinstance(number, str) else _rational(number) for number in numbers]


def _rational(number: Any) -> Any:
    if not number.context.isfinite(number):
        return None
    if isinstance(number, number.context.mpc):
        real, imag = number.real, number.imag
        return Complex(exact_mpf(real), exact_mpf(imag)) if is_moderate(real) and is_moderate(imag) else None
    return exact_mpf(number) if is_moderate(number) else None


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
        row = plain(values[place if len(values) > 1 else 0])
        return row if len(row) == estimates.shape[1] else row * estimates.shape[1]

    offsets = {offset for form in forms for (offset, _), _ in form.terms if offset in panel.values}
    known = {k: (own(panel.nodes[k]), own(panel.values[k])) for k in offsets}
    dtype = find_dtype(panel.x.dtype.name)
    if not dtype.is_wide:
        return Measured(own(panel.epsilon), known, estimates)
    exact = [[np.nan if number is None else number for number in plain(row)] for row in estimates]
    return Measured(own(panel.epsilon), known, np.array(exact, dtype=object), dtype.precision)


def plain(values: Array) -> list[Any]:
    """Return numbers as float and complex where float64 holds those of the dtype, else as rationals.

    A rational that is not finite is None.
    """
    numbers: list[Any] = values.tolist()
    return [_exactly(number) for number in numbers] if values.real.dtype.itemsize > 8 else numbers


def _exactly(number: Any) -> Any:
    if not np.isfinite(number):
        return None
    if isinstance(number, np.complexfloating):
        return Complex(exact_float(number.real), exact_float(number.imag))
    return exact_float(number)


@lru_cache(maxsize=256)
def _form(scheme: DifferenceScheme) -> Form:
    return Form(scheme)


def _none(shape: tuple[int, ...]) -> Array:
    return np.full((len(PARTS), *shape), np.nan)
