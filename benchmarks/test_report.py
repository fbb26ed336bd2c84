"""What a report costs, against the sweep that it tells of and against bare figures of the same curves."""

from io import BytesIO
from itertools import count

import pytest
from common import groups_of, known_references, sweep
from matplotlib.figure import Figure
from ratios import Row

from diffbench import Spec, run, write_report

pytestmark = pytest.mark.benchmark(group="report")

EVERY = 10
"""The report is of one function of so many of the standard suite: it takes as long for each of them."""

ROUNDS = 3


@pytest.fixture(scope="module")
def standard():
    return Spec("standard")


@pytest.fixture(scope="module")
def results(standard):
    """Return functions of several classes, with all schemes and epsilons of the standard suite."""
    return run(Spec(standard.functions[::EVERY], standard.schemes))


@pytest.fixture
def report(results, tmp_path):
    """Return what writes a report into a new folder, which must have a figure of every function."""
    numbers = count()

    def write():
        page = write_report(results, tmp_path / str(next(numbers)))
        figures = {path.name for path in (page.parent / "figures").iterdir()}
        assert {f"{block.function}-d1-float64.svg" for block in results.blocks} <= figures

    return write


def bare_figures(results):
    """Draw each function's errors at its first point as one draws them by hand, and save them."""
    for block in results.blocks:
        figure = Figure(figsize=(7, 5))
        axes = figure.add_subplot()
        for scheme, error in zip(block.schemes, abs(block.error[:, 0, : block.grid_size]), strict=True):
            axes.loglog(block.grid, error, label=scheme)
        axes.legend()
        figure.savefig(BytesIO(), format="svg")


def test_against_the_sweep(contest, standard, results, report):
    """Measure tables, figures and the page, times all functions over those of the report, against the sweep of all."""
    share = len(standard.functions) / len(results.keys)
    with known_references():
        groups = groups_of(standard)
        row = Row("report / sweep, standard suite", "≤", 100, 230)
        contest(row, report, lambda: sweep(groups), share=share, rounds=ROUNDS)


def test_against_bare_figures(contest, results, report):
    """Measure the same against matplotlib's figures alone, one a function."""
    row = Row("report / bare matplotlib figures", "≤", 1.5, 3)
    contest(row, report, lambda: bare_figures(results), rounds=ROUNDS)
