"""A small run, and runs that differ from it in one thing."""

from dataclasses import replace
from functools import cache

import numpy as np

from diffbench import Function, Spec, run
from diffbench.analysis.baseline import baseline_of
from diffbench.sweep.results import Status

EXP = Function("exp", "exp(x)", ["0.5", "1"])
WAVE = Function("wave", "sin(3*x)/x", ["0.7"])
SCHEMES = ("forward-1", "central-2", "central-4")


def spec(functions=(EXP, WAVE), schemes=SCHEMES, **options):
    """Return a spec with the default epsilons and the usual rule."""
    return Spec(list(functions), list(schemes), **options)


@cache
def base_results():
    return run(spec(anatomy=True))


@cache
def base():
    """Return what a baseline keeps of the small run."""
    return baseline_of(base_results(), "small", with_theory=True)


def elsewhere(baseline, platform="another"):
    """Return a baseline as if it came from another platform."""
    return replace(baseline, about=baseline.about | {"platform": platform})


def with_block(results, change, place=0):
    """Return results with one of their blocks changed."""
    blocks = list(results.blocks)
    blocks[place] = change(blocks[place])
    return replace(results, blocks=tuple(blocks))


def with_status(results, status, cells=(1, 0, 20)):
    """Return results in which a cell of the first block has another status, and no estimate."""

    def change(block):
        new, estimate = block.status.copy(), block.estimate.copy()
        new[cells], estimate[cells] = status, np.nan
        return replace(block, status=new, estimate=estimate)

    return with_block(results, change)


def with_errors(results, factor, cells=np.s_[1, 0, :]):
    """Return results in which some errors of the first block are so many times as large."""

    def change(block):
        estimate = block.estimate.copy()
        estimate[cells] += (factor - 1) * block.error[cells]
        return replace(block, estimate=estimate)

    return with_block(results, change)


def ok_cells(results):
    """Return how many cells are ok."""
    return sum(int(np.count_nonzero(block.status == Status.OK)) for block in results.blocks)
