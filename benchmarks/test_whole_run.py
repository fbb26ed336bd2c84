"""What a whole run costs, symbolic work and certified references included, against what one would write without it.

The others do a part of the mix, and their time is multiplied: the time of such loops is proportional to their cells.
Their symbolic work and exact derivatives, on the other hand, are given to them.
"""

import warnings

import numpy as np
import pytest
from common import forget, whole_run
from contestants import over_epsilons, problems_of, scalar_loops, weights_of
from problems import mixed_spec
from ratios import Row

pytestmark = pytest.mark.benchmark(group="whole run")

POINTS = 100
FEW_POINTS = 1
CHECKED = 10


@pytest.fixture(scope="module")
def spec():
    found = mixed_spec(POINTS)
    assert found.planned == 3_492_000
    return found


def epsilons_of(spec):
    return np.array(spec.plan()[0].epsilons)


def test_scalar_loops(contest, spec):
    """Measure scalar loops over 1 point of 100 a function, times 100."""
    arguments = problems_of(spec, FEW_POINTS), weights_of(spec), epsilons_of(spec).tolist()
    row = Row("scalar loops with mpmath errors / whole run", "≥", 100, 40)
    share = FEW_POINTS / POINTS
    contest(row, lambda: whole_run(spec), lambda: scalar_loops(*arguments), share=share, fresh=forget)


def test_numpy_over_epsilons(contest, spec):
    """Measure numpy over the epsilons of 1 point of 100 a function, times 100."""
    arguments = problems_of(spec, FEW_POINTS), weights_of(spec), epsilons_of(spec)
    row = Row("numpy over epsilons with mpmath errors / whole run", "≥", 45, 15)
    share = FEW_POINTS / POINTS
    contest(row, lambda: whole_run(spec), lambda: over_epsilons(*arguments), share=share, fresh=forget)


def test_numdifftools(contest, spec, accuracy):
    """Measure numdifftools, all points of a function in one call, against the whole run: time per value each.

    A value of theirs is a derivative at a point, one of ours a cell with its error. Theirs of exp are checked.
    """
    numdifftools = pytest.importorskip("numdifftools")
    problems = problems_of(spec, POINTS)

    def theirs():
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for problem in problems:
                numdifftools.Derivative(problem.array)(np.array(problem.points))

    row = Row("numdifftools, 100 points a call / whole run, per value", "≥", 100, 30)
    values = len(problems) * POINTS
    contest(row, lambda: whole_run(spec), theirs, share=values / spec.planned, fresh=forget)
    exp = problems[0]
    accuracy.check(numdifftools.Derivative(exp.array), "exp(x)", at=exp.points[:CHECKED], digits=10)
