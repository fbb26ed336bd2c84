"""The sweep and the whole run; the sets of functions are in problems.py."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
import pytest
from sympy.core.cache import clear_cache

from diffbench import Function, Results, Spec, run
from diffbench.functions.compile import compile_formula
from diffbench.reference.ways import derived, primary, ways_to
from diffbench.sweep import evaluate
from diffbench.sweep.evaluate import measure_together
from diffbench.sweep.results import Block
from diffbench.sweep.run import _together, _Workers
from diffbench.sweep.spec import BLOCK_SIZE, Unit

Array = npt.NDArray[Any]
Work = Callable[[], object]
Group = list[Unit]

DIGITS = 50
"""What those who use mpmath work with."""


def groups_of(spec: Spec) -> list[Group]:
    """Return the units of a spec in the groups in which run() measures them."""
    return [units for _, units in _together(spec.plan(), BLOCK_SIZE)]


def sweep(groups: Iterable[Group]) -> None:
    """Evaluate f, combine, and take the errors; nothing is kept."""
    for group in groups:
        errors_of(group)


def errors_of(group: Group) -> None:
    for blocks in measure_together(group):
        for block in blocks:
            _ = block.error


def sweep_in_threads(groups: Sequence[Group], jobs: int) -> None:
    """Sweep with the workers of run()."""
    for _ in _Workers(None, jobs).results(errors_of, [([], group) for group in groups]):
        pass


def blocks_of(groups: Iterable[Group]) -> Iterator[tuple[Unit, Block]]:
    for group in groups:
        for unit, blocks in zip(group, measure_together(group), strict=True):
            yield from ((unit, block) for block in blocks)


@contextmanager
def known_references() -> Iterator[None]:
    """Work out each reference once: what is measured inside is the sweep without them."""
    work_out, known = evaluate.block_references, {}

    def look_up(function: Function, x: Array, derivative: int, time_limit: float) -> Any:
        key = (function.formula.text, function.domain.text, x.tobytes(), derivative)
        if key not in known:
            known[key] = work_out(function, x, derivative, time_limit)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "block_references", look_up)
        yield


def forget() -> None:
    """Forget all that is known of any formula: SymPy's results too, so that symbolic work is really done."""
    for cached in (ways_to, primary, derived, compile_formula):
        cached.cache_clear()
    clear_cache()


def whole_run(spec: Spec, jobs: int | None = None) -> Results:
    """Do the symbolic work, the references and the sweep, by default in as many threads as cores; write nothing."""
    results = run(spec, jobs=jobs)
    for block in results.blocks:
        _ = block.error
    return results
