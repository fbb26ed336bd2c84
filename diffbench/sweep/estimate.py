"""How large a sweep is, before it is begun."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from diffbench.dtypes import find_dtype
from diffbench.rounding import round_array
from diffbench.schemes.scheme import DifferenceScheme, OpaqueScheme
from diffbench.sweep import multiple
from diffbench.sweep.evaluate import measure
from diffbench.sweep.nodes import nodes_per_point
from diffbench.sweep.spec import Spec, Unit
from diffbench.sweep.store import Plan, pack

SAMPLED_UNITS = 10
SAMPLED_CELLS = 20_000


class Estimate(NamedTuple):
    """How large a sweep is.

    Attributes
    ----------
    functions, cells, blocks, evaluations : int
        Evaluations are those of difference schemes, shared nodes counted once; what adaptive rules evaluate nobody
        can foresee.
    has_opaque : bool
        Whether opaque schemes evaluate f besides.
    seconds : float
        With one worker, from a calibration.
    bytes : float
        On disk, without the report.
    """

    functions: int
    cells: int
    blocks: int
    evaluations: int
    has_opaque: bool
    seconds: float
    bytes: float


class _Sample(NamedTuple):
    """What a unit costs: once, and for each point."""

    fixed_seconds: float
    point_seconds: float
    fixed_bytes: float
    point_bytes: float


def estimate(spec: Spec, plan: Plan | None = None) -> Estimate:
    """Return how large a sweep is, from its plan and from measuring a few points of some functions.

    Parameters
    ----------
    spec : Spec
        What would be run.
    plan : Plan, optional
        How it would be cut and kept.
    """
    kept = plan or Plan()
    units = kept.units(spec)
    costs = [_total([unit for unit in units if unit.dtype == dtype], kept.keep) for dtype in spec.dtypes]
    return Estimate(
        len(spec.functions),
        kept.planned(spec),
        sum(len(unit.schemes) for unit in units),
        _evaluations(units),
        any(isinstance(scheme, OpaqueScheme) for scheme in spec.schemes),
        sum(seconds for seconds, _ in costs),
        sum(size for _, size in costs),
    )


def _total(units: Sequence[Unit], keep: str) -> tuple[float, float]:
    """Return the seconds and bytes of the units of one dtype, from measuring some of them."""
    if not units:
        return 0.0, 0.0
    chosen = np.unique(np.linspace(0, len(units) - 1, min(SAMPLED_UNITS, len(units))).astype(int))
    samples = [_sample(units[i], keep) for i in chosen]
    fixed, point, fixed_bytes, point_bytes = (float(np.mean(column)) for column in zip(*samples, strict=True))
    functions = {unit.function.name for unit in units}
    points = sum(len(unit.function.points) for unit in units)
    return fixed * len(functions) + point * points, fixed_bytes * len(units) + point_bytes * points


def _evaluations(units: Sequence[Unit]) -> int:
    """Count the nodes; each dtype has its own for every point, whatever the function."""
    by_dtype: dict[str, int] = {}
    total = 0
    for unit in units:
        if unit.dtype not in by_dtype:
            by_dtype[unit.dtype] = _nodes_per_point(unit)
        total += by_dtype[unit.dtype] * len(unit.function.points)
    return total


def _nodes_per_point(unit: Unit) -> int:
    dtype = find_dtype(unit.dtype)
    if dtype.unavailable:
        return 0
    if dtype.is_multiple:
        return multiple.nodes_per_point(unit)
    schemes = [s for _, chosen in unit.schemes for s in chosen if isinstance(s, DifferenceScheme)]
    x = round_array(unit.function.points[:1], unit.dtype)
    return nodes_per_point(x, np.array(unit.epsilons, dtype=unit.dtype), unit.rules, schemes)


def _sample(unit: Unit, keep: str) -> _Sample:
    """Measure a unit at its first point, and then at a few more."""
    per_point = sum(unit.cells_per_point(scheme) for _, schemes in unit.schemes for scheme in schemes)
    most = 2 if find_dtype(unit.dtype).is_multiple else max(2, SAMPLED_CELLS // per_point)
    points = min(len(unit.function.points), most)
    cold, one_bytes = _cost(unit, 1, keep)
    if points == 1:
        return _Sample(cold, 0.0, one_bytes, 0.0)
    warm, _ = _cost(unit, 1, keep)
    many, many_bytes = _cost(unit, points, keep)
    point, point_bytes = max(0.0, many - warm) / (points - 1), (many_bytes - one_bytes) / (points - 1)
    return _Sample(cold - point, point, one_bytes - point_bytes, point_bytes)


def _cost(unit: Unit, points: int, keep: str) -> tuple[float, float]:
    """Return the seconds and bytes of a unit at its first points."""
    part = replace(unit, function=unit.function.part(0, points))
    start = time.perf_counter()
    packed = [pack(block, part, keep) for block in measure(part)]
    return time.perf_counter() - start, float(sum(len(data) for each in packed for data in each.data.values()))
