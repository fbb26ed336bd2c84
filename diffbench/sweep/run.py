"""Run a spec: its units through any executor, the results in memory or in a run folder."""

from collections.abc import Callable
from concurrent.futures import Executor
from fractions import Fraction
from pathlib import Path

from diffbench.errors import InputError
from diffbench.reference.exact import is_defined
from diffbench.rounding import exact_text
from diffbench.sweep.evaluate import measure
from diffbench.sweep.results import Block, Results
from diffbench.sweep.spec import Spec, Unit
from diffbench.sweep.store import RunFolder

Progress = Callable[[Unit, int], None]


def run(
    spec: Spec,
    executor: Executor | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Results:
    """Measure every cell of a spec.

    Parameters
    ----------
    spec : Spec
        What to run.
    executor : concurrent.futures.Executor, optional
        Maps over the units of work; by default they run one after the other.
    out : path, optional
        A new or empty folder that becomes the run folder; by default nothing is written.
    progress : callable, optional
        Called with each finished unit and its number of cells.

    Raises
    ------
    InputError
        If a function is not defined at one of its points; nothing has been written then.
    StoreError
        If the run folder cannot be written.

    Examples
    --------
    >>> results = run(Spec("lab"))
    >>> float(results.block("w**2").estimate[0, 0, 0])
    6.000999999999479
    """
    if not isinstance(spec, Spec):
        raise InputError(f"spec: {spec!r} is not a Spec")
    _check_points(spec)
    folder = None if out is None else RunFolder(Path(out), spec)
    units = spec.plan()
    mapped = map(measure, units) if executor is None else executor.map(measure, units)
    blocks: list[Block] = []
    for unit, measured in zip(units, mapped, strict=True):
        for block in measured:
            if folder is not None:
                folder.write_block(block)
            blocks.append(block)
        if progress is not None:
            progress(unit, sum(sum(block.counts.values()) for block in measured))
    if folder is not None:
        return folder.finish(tuple(blocks))
    return Results(spec.to_toml(), tuple(blocks), {})


def _check_points(spec: Spec) -> None:
    """Refuse points at which a function has no real value."""
    for function in spec.functions:
        for point in function.points:
            if not is_defined(function.formula, Fraction(point)):
                shown = exact_text(point)
                raise InputError(f"point: {function.formula} is not defined, or not real, at {shown} ({function.name})")
