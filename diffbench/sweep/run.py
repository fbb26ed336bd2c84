"""Run a spec: its units through any executor, the results in memory or in a run folder."""

import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import closing
from functools import cached_property, partial
from pathlib import Path
from pickle import PicklingError
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

from diffbench.dtypes import find_dtype
from diffbench.errors import InputError
from diffbench.functions.function import Function
from diffbench.functions.lines import axes, formula_along
from diffbench.reference.exact import are_defined
from diffbench.rounding import exact_text
from diffbench.sweep.curves import Curves, curves_of
from diffbench.sweep.evaluate import measure_together
from diffbench.sweep.results import Block, Key, Results, by_first_appearance
from diffbench.sweep.spec import BLOCK_SIZE, Spec, Unit

if TYPE_CHECKING:
    import pyarrow as pa

    from diffbench.sweep.store import Packed, RunFolder

Progress = Callable[[Unit, int], None]
R = TypeVar("R")
P = TypeVar("P", Block, "_Summary")

AHEAD = 2
"""Pieces of work under way for each worker, so that none waits and finished ones do not pile up."""


def run(
    spec: Spec,
    executor: Executor | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    *,
    jobs: int | None = None,
    keep: str = "cells",
    shard: str = "1/1",
    block_size: int = BLOCK_SIZE,
) -> Results:
    """Measure every cell of a spec.

    Parameters
    ----------
    spec : Spec
        What to run.
    executor : concurrent.futures.Executor, optional
        Where the work is done; by default in threads on the cores at hand.
    out : path, optional
        A new or empty folder that becomes the run folder; by default nothing is written.
    progress : callable, optional
        Called with each finished unit and its number of cells.
    jobs : int, optional
        How many workers there are; by default as many as cores. Twice as many pieces of work are under way.
    keep : str
        ``cells``, or ``summary`` to keep the curves' summaries only, for runs whose cells nobody will read.
    shard : str
        ``I/N`` measures part I of N; :func:`merge` puts the folders of all together.
    block_size : int
        About how many nodes one offset has in a block. No result depends on it.

    Raises
    ------
    InputError
        If an argument is wrong or a function is not defined at one of its points; nothing has been written then.
    StoreError
        If the run folder cannot be written.

    Examples
    --------
    >>> results = run(Spec("lab"))
    >>> float(results.block("w**2").estimate[0, 0, 0])
    6.000999999999479
    """
    from diffbench.sweep.store import Plan, RunFolder

    if not isinstance(spec, Spec):
        raise InputError(f"spec: {spec!r} is not a Spec")
    plan = Plan(keep, block_size, *parts_of(shard))
    if spec.anatomy and keep != "cells":
        raise InputError("anatomy: a run that keeps no cells has no errors to take apart")
    workers = _Workers(executor, jobs)
    _check_points(spec)
    if out is not None:
        folder = RunFolder.create(Path(out), spec, plan)
        with folder.locked():
            return _write(folder, workers, progress)
    units = plan.units(spec)
    tasks = _together(units, block_size)
    if keep == "cells":
        return _in_memory(spec, _in_order(workers.results(measure_together, tasks), units, progress))
    return _kept(spec, _in_order(workers.results(_summaries, tasks), units, progress))


def resume(
    path: str | Path,
    spec: Spec | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    *,
    jobs: int | None = None,
    on_damage: Callable[[str], None] | None = None,
) -> Results:
    """Finish a run that was interrupted, whenever that was; a complete one is checked for damage.

    Parameters
    ----------
    path : path
        The run folder.
    spec : Spec, optional
        The one it was begun with, needed only where it holds Python objects.
    executor, progress, jobs
        As for :func:`run`; units that were finished before count as progress at once.
    on_damage : callable, optional
        Called with the path of each damaged file; its block is measured again.

    Raises
    ------
    InputError
        If it is no run folder, or was begun with another spec or other versions.
    StoreError
        If another process is writing it, or it cannot be written.
    """
    from diffbench.sweep.store import RunFolder

    workers = _Workers(executor, jobs)
    folder = RunFolder.open(path, spec)
    with folder.locked():
        for damaged in folder.go_on():
            if on_damage is not None:
                on_damage(damaged)
        return _write(folder, workers, progress)


def _write(folder: "RunFolder", workers: "_Workers", progress: Progress | None) -> Results:
    """Measure what is missing in a run folder, write it, and return what the folder holds."""
    from diffbench.sweep.store import read_manifest
    from diffbench.sweep.stored import results_of

    missing = folder.missing()
    if progress is not None:
        for unit in folder.finished():
            progress(unit, unit.cells)
    work = partial(_packed, keep=folder.plan.keep)
    with closing(workers.results(work, _together(missing, folder.plan.block_size))) as results:
        for places, measured in results:
            for place, blocks in zip(places, measured, strict=True):
                for packed in blocks:
                    folder.add(packed)
                if progress is not None:
                    progress(missing[place], missing[place].cells)
    folder.finish()
    return results_of(folder.path, read_manifest(folder.path))


def _in_order(
    results: Generator[tuple[list[int], list[tuple[P, ...]]], None, None],
    units: Sequence[Unit],
    progress: Progress | None,
) -> list[P]:
    """Return the parts of all units in the order of the plan, in whatever order they come."""
    found: dict[int, tuple[P, ...]] = {}
    with closing(results):
        for places, measured in results:
            found.update(zip(places, measured, strict=True))
            if progress is not None:
                for place in places:
                    progress(units[place], units[place].cells)
    parts = [part for place in range(len(units)) for part in found[place]]
    return sorted(parts, key=by_first_appearance(part.key for part in parts))


class _Summary(NamedTuple):
    """What is kept of a block without its cells."""

    curves: Curves
    references: list[dict[str, Any]]

    @property
    def key(self) -> Key:
        """Function, derivative and dtype."""
        return self.curves.key


def _summaries(units: Sequence[Unit]) -> list[tuple[_Summary, ...]]:
    from diffbench.sweep.export import reference_rows

    return [
        tuple(_Summary(curves_of(block), reference_rows(block)) for block in blocks)
        for blocks in measure_together(units)
    ]


def _packed(units: Sequence[Unit], keep: str) -> "list[list[Packed]]":
    from diffbench.sweep.store import pack

    return [
        [pack(block, unit, keep) for block in blocks]
        for unit, blocks in zip(units, measure_together(units), strict=True)
    ]


def _together(units: Sequence[Unit], block_size: int) -> Iterator[tuple[list[int], list[Unit]]]:
    """Yield runs of units that differ in the function only and fill a block together, and where they stand."""
    for dtype in dict.fromkeys(unit.dtype for unit in units):
        places: list[int] = []
        size = 0
        for place, unit in enumerate(units):
            if unit.dtype != dtype:
                continue
            # A contestant that is called, or a number of mpmath, costs more than a call of f shares.
            alone = unit.has_opaque or find_dtype(dtype).is_multiple
            nodes = block_size if alone else len(unit.function.points) * len(unit.epsilons)
            if places and (size + nodes > block_size or unit.schemes != units[places[0]].schemes):
                yield places, [units[i] for i in places]
                places, size = [], 0
            places.append(place)
            size += nodes
        yield places, [units[i] for i in places]


class _Workers:
    """Where work is done, some of it at a time."""

    def __init__(self, executor: Executor | None, jobs: int | None) -> None:
        if executor is not None and not isinstance(executor, Executor):
            raise InputError(f"executor: {executor!r} is not a concurrent.futures.Executor")
        self._executor = executor
        self._jobs = check_jobs(jobs)

    def results(
        self, work: Callable[[list[Unit]], R], tasks: Iterable[tuple[list[int], list[Unit]]]
    ) -> Generator[tuple[list[int], R], None, None]:
        """Yield what becomes of each task as it is done, with the places of its units."""
        if self._executor is None and self._jobs == 1:
            for places, units in tasks:
                yield places, work(units)
            return
        executor = self._executor or ThreadPoolExecutor(self._jobs)
        waiting: dict[Future[R], list[int]] = {}
        ahead = deque(tasks)
        try:
            while ahead or waiting:
                while ahead and len(waiting) < AHEAD * self._jobs:
                    places, units = ahead.popleft()
                    waiting[executor.submit(work, units)] = places
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), _result(future)
        finally:
            for future in waiting:
                future.cancel()
            if self._executor is None:
                # After an interrupt nobody waits for what is under way: in mpmath's arithmetic it may take minutes.
                executor.shutdown(wait=False)


def _result(future: "Future[R]") -> R:
    try:
        return future.result()
    except (PicklingError, AttributeError, TypeError) as error:
        if "pickle" not in str(error):
            raise
        raise InputError(f"executor: the spec cannot be sent to another process: {error}") from error


def check_jobs(jobs: object) -> int:
    """Return how many workers are meant, or refuse it; by default one a core."""
    if jobs is None:
        return cores()
    if not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1:
        raise InputError(f"jobs: {jobs!r} is not a whole number above 0")
    return jobs


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parts_of(shard: object) -> tuple[int, int]:
    """Return I and N of ``I/N``, or refuse it."""
    words = shard.split("/") if isinstance(shard, str) else []
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        raise InputError(f"shard: {shard!r} is not I/N with 1 ≤ I ≤ N")
    return int(words[0]), int(words[1])


def _check_points(spec: Spec) -> None:
    """Refuse points at which a function has no real value; if nobody chose them, their cells say so."""
    if spec.has_generated_points:
        return
    for function in spec.functions:
        for where, is_defined in _defined(function, spec.time_limit):
            if not is_defined:
                raise InputError(f"point: {function.formula} is not defined, or not real, at {where} ({function.name})")


def _defined(function: Function, time_limit: float) -> Iterator[tuple[str, bool]]:
    """Yield the points of a function, as text, and whether it is defined there."""
    if not function.lines:
        yield from zip(
            map(exact_text, function.points), are_defined(function.formula, function.points, time_limit), strict=True
        )
    if function.model is not None:
        return
    for line in axes(function.vectors)[:: len(function.formula.variables)]:
        along = formula_along(function.formula, line)
        yield line.place(function.formula.variables), are_defined(along, [line.x], time_limit)[0]


class _CurvesOf(Sequence[Curves]):
    """The curves of blocks in memory, worked out when they are first looked at."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks

    @cached_property
    def _curves(self) -> tuple[Curves, ...]:
        return tuple(map(curves_of, self._blocks))

    def __len__(self) -> int:
        return len(self._blocks)

    @overload
    def __getitem__(self, place: int) -> Curves: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Curves]: ...
    def __getitem__(self, place: int | slice) -> Curves | Sequence[Curves]:
        return self._curves[place]


def _in_memory(spec: Spec, blocks: list[Block]) -> Results:
    from diffbench.sweep.export import reference_rows, references_table

    def references() -> "Iterator[pa.Table]":
        return (references_table(reference_rows(block)) for block in blocks)

    keys = tuple(block.key for block in blocks)
    return Results(spec.to_toml(), tuple(blocks), _CurvesOf(blocks), keys, _counted(blocks), references)


def _kept(spec: Spec, parts: list[_Summary]) -> Results:
    from diffbench.sweep.export import references_table

    def references() -> "Iterator[pa.Table]":
        return (references_table(part.references) for part in parts)

    curves = tuple(part.curves for part in parts)
    return Results(spec.to_toml(), (), curves, tuple(part.key for part in curves), _counted(curves), references)


def _counted(parts: Sequence[Block] | Sequence[Curves]) -> dict[str, Any]:
    """Return what a manifest says of results in memory."""
    status, verdicts = Counter[str](), Counter[str]()
    for part in parts:
        status.update(part.counts)
        verdicts.update(part.verdicts)
    return {"planned": status.total(), "status": dict(status), "verdicts": dict(sorted(verdicts.items()))}
