"""Blocks of a dtype or a framework that is not here: every cell is a row that says why."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import find_dtype
from diffbench.reference.parts import PARTS
from diffbench.reference.verdict import Reference
from diffbench.rounding import round_to
from diffbench.schemes.scheme import DifferenceScheme, Scheme
from diffbench.sweep.results import RECORDED, Block, Status
from diffbench.sweep.spec import Unit
from diffbench.sweep.truth import block_references, multiple_references
from diffbench.sweep.wide import Wide, as_double

Array = npt.NDArray[Any]


def unavailable_blocks(unit: Unit) -> tuple[Block, ...]:
    """Return the blocks of a unit, one for each derivative, whose cells are all unsupported."""
    return tuple(_block(unit, derivative, schemes) for derivative, schemes in unit.schemes)


def empty_block(unit: Unit, derivative: int, schemes: tuple[Scheme, ...], points: Sequence[Any]) -> Block:
    """Return a block without references whose planned cells are all ok and have no estimate yet.

    Parameters
    ----------
    unit : Unit
        What is measured.
    derivative, schemes : int, tuple of Scheme
        Of which derivative, by which S schemes.
    points : sequence
        P numbers of the dtype.
    """
    x, grid = (np.array([as_double(value) for value in values]) for values in (points, unit.epsilons))
    alone = any(not isinstance(scheme, DifferenceScheme) and not scheme.takes_epsilon for scheme in schemes)
    shape = len(schemes), x.size, grid.size + len(unit.rules) + alone
    status = np.full(shape, Status.ABSENT, dtype=np.uint8)
    for row, scheme in enumerate(schemes):
        status[row, :, columns_of(unit, scheme)] = Status.OK
    nothing = np.full(shape, np.nan)
    return Block(
        **unit.facts(derivative, schemes),
        grid=grid,
        x=x,
        references=(),
        chosen=nothing[:, :, grid.size :].copy(),
        estimate=nothing,
        error_estimate=nothing.copy(),
        evaluations=np.zeros(shape, dtype=np.int32),
        status=status,
        reason=np.zeros(shape, dtype=np.uint16),
        reasons=("",),
        parts=np.full((len(PARTS), *shape), np.nan) if unit.anatomy else None,
        records=np.full((len(RECORDED), *shape), np.nan) if unit.has_opaque else None,
        wide=Wide.nothing(shape) if unit.has_wide else None,
    )


def columns_of(unit: Unit, scheme: Scheme) -> slice:
    """Return the columns in which a scheme has cells."""
    grid, rules = len(unit.epsilons), len(unit.rules)
    if isinstance(scheme, DifferenceScheme):
        return slice(0, grid + rules)
    return slice(0, grid) if scheme.takes_epsilon else slice(grid + rules, None)


def _block(unit: Unit, derivative: int, schemes: tuple[Scheme, ...]) -> Block:
    points = [round_to(point, unit.dtype) for point in unit.function.points]
    block = empty_block(unit, derivative, schemes, points)
    planned = block.status == Status.OK
    return replace(
        block,
        references=_references(unit, points, derivative),
        status=np.where(planned, Status.UNSUPPORTED, block.status).astype(np.uint8),
        reason=planned.astype(np.uint16),
        reasons=("", unit.unavailable),
    )


def _references(unit: Unit, points: list[Any], derivative: int) -> tuple[Reference, ...]:
    if find_dtype(unit.dtype).is_multiple:
        return multiple_references(unit.function, points, derivative, unit.dtype, unit.time_limit)
    return block_references(unit.function, np.array(points), derivative, unit.time_limit)
