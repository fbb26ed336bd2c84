"""Blocks of functions of several variables, from those of their lines."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from diffbench.functions.function import Function
from diffbench.rounding import exact_text
from diffbench.schemes.scheme import DifferenceScheme, Offset, Scheme
from diffbench.sweep.results import Block, Direction
from diffbench.sweep.spec import Unit


def of_lines(unit: Unit, lines: Sequence[tuple[Block, ...]]) -> tuple[Block, ...]:
    """Return the blocks of a unit, one for each derivative, from those of its lines."""
    known = directions(unit.function)
    schemes = [chosen for _, chosen in unit.schemes]
    mixed = _mixed(unit.function)
    found = []
    for own, blocks in zip(schemes, zip(*lines, strict=True), strict=True):
        first, *rest = [_counted(each, own) if is_mixed else each for each, is_mixed in zip(blocks, mixed, strict=True)]
        whole = first.joined(*rest) if rest else first
        found.append(replace(whole, formula=unit.function.formula.text, directions=known))
    return tuple(found)


def directions(function: Function) -> tuple[Direction, ...]:
    """Return the directions of a function's rows."""
    names = function.formula.variables
    if not function.lines:
        return tuple(Direction(names[0], f"{names[0]}={exact_text(x)}") for x in function.points)
    return tuple(Direction(line.direction(names), function.place(line)) for line in function.lines)


def _mixed(function: Function) -> list[bool]:
    """Return which lines belong to mixed partial derivatives; a function of one variable is a line of its own."""
    return [len(line.along) > 1 for line in function.lines] or [False]


def _counted(block: Block, schemes: Sequence[Scheme]) -> Block:
    """Count two values of f for each node of a mixed partial derivative; those at its centre are equal, and not asked.

    What a scheme has counted of it is what it asks of (f(x + t, y + t) − f(x + t, y − t))/4.
    """
    centres = [isinstance(each, DifferenceScheme) and Offset(Fraction(0)) in each.offsets for each in schemes]
    counted = 2 * (block.evaluations - np.array(centres)[:, None, None])
    return replace(block, evaluations=np.maximum(counted, 0).astype(block.evaluations.dtype))
