"""How large a sweep is, before it is begun."""

import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from diffbench.dtypes import find_dtype
from diffbench.rounding import round_array
from diffbench.schemes.scheme import DifferenceScheme, Offset, OpaqueScheme
from diffbench.sweep import multiple
from diffbench.sweep.evaluate import measure
from diffbench.sweep.nodes import nodes_per_point
from diffbench.sweep.spec import Spec, Unit
from diffbench.sweep.store import Plan, pack

SAMPLED_UNITS = 10
SAMPLED_CELLS = 20_000
SAMPLED_LINES = 5
"""Each line of a function of several variables has references of its own, which may take a second."""


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
    costs = [
        total([unit for unit in units if unit.dtype == dtype and _has_lines(unit) == has_lines], kept.keep)
        for dtype in spec.dtypes
        for total, has_lines in ((_total, False), (_total_of_lines, True))
    ]
    return Estimate(
        len(spec.functions),
        kept.planned(spec),
        sum(len(unit.schemes) for unit in units),
        _evaluations(units),
        any(isinstance(scheme, OpaqueScheme) for scheme in spec.schemes),
        sum(seconds for seconds, _ in costs),
        sum(size for _, size in costs),
    )


def _has_lines(unit: Unit) -> bool:
    """Return whether it has lines whose references are worked out one by one, unlike the parameters of a model."""
    return bool(unit.function.lines) and unit.function.model is None


def _total(units: Sequence[Unit], keep: str) -> tuple[float, float]:
    """Return the seconds and bytes of the units of one dtype, from measuring some of them."""
    if not units:
        return 0.0, 0.0
    samples = [_sample(unit, keep) for unit in _spread(units, SAMPLED_UNITS)]
    fixed, point, fixed_bytes, point_bytes = (float(np.mean(column)) for column in zip(*samples, strict=True))
    functions = {unit.function.name for unit in units}
    points = sum(len(unit.function.points) for unit in units)
    return fixed * len(functions) + point * points, fixed_bytes * len(units) + point_bytes * points


def _total_of_lines(units: Sequence[Unit], keep: str) -> tuple[float, float]:
    """Return the seconds and bytes of functions of several variables in one dtype, from a line of some of them.

    Anatomy may take ten seconds a line, so that only the line that is measured soonest shows what it adds.
    """
    if not units:
        return 0.0, 0.0
    sampled = [replace(unit, function=unit.function.part(0, 1)) for unit in _spread(units, SAMPLED_LINES)]
    costs = np.array([_cost(replace(unit, anatomy=False), 1, keep) for unit in sampled])
    soonest = sampled[int(costs[:, 0].argmin())]
    cost = costs.mean(axis=0)
    if soonest.anatomy:
        cost += np.array(_cost(soonest, 1, keep)) - _cost(replace(soonest, anatomy=False), 1, keep)
    seconds, size = cost.clip(0) * sum(len(unit.function.lines) for unit in units)
    return float(seconds), float(size)


def _spread(units: Sequence[Unit], most: int) -> list[Unit]:
    """Return some units, from the first to the last."""
    return [units[i] for i in np.unique(np.linspace(0, len(units) - 1, min(most, len(units))).astype(int))]


def _evaluations(units: Sequence[Unit]) -> int:
    """Count the nodes; each dtype has its own for every point, whatever the function, and mixed derivatives theirs."""
    known: dict[tuple[str, bool], int] = {}
    total = 0
    for unit in units:
        key = unit.dtype, _is_mixed(unit)
        if key not in known:
            known[key] = _nodes_of_mixed(unit) if _is_mixed(unit) else _nodes_per_point(unit)
        total += known[key] * len(unit.function.points)
    return total


def _is_mixed(unit: Unit) -> bool:
    return bool(unit.function.lines) and len(unit.function.lines[0].along) > 1


def _nodes_of_mixed(unit: Unit) -> int:
    """Count two values of f for each node but the centre, where they are equal and not asked."""
    schemes = [scheme for _, chosen in unit.schemes for scheme in chosen if isinstance(scheme, DifferenceScheme)]
    has_centre = any(Offset(Fraction(0)) in scheme.offsets for scheme in schemes)
    return max(0, 2 * (_nodes_per_point(unit) - has_centre))


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
