"""What it costs to write a run folder."""

from itertools import count

import pytest
from common import blocks_of, sweep
from problems import mixed_spec
from ratios import Row

from diffbench.sweep.store import Plan, RunFolder, pack

pytestmark = pytest.mark.benchmark(group="store")


def write(path, spec, measured):
    """Write blocks that are measured already, as a run does."""
    folder = RunFolder.create(path, spec, Plan())
    with folder.locked():
        for unit, block in measured:
            folder.add(pack(block, unit, "cells"))
        folder.finish()


def test_writing(contest, mix, tmp_path):
    """Measure the writing of 3.5 million cells, summaries and checksums included, against the sweep."""
    spec, numbers = mixed_spec(), count()
    measured = list(blocks_of(mix))
    row = Row("writing the store / sweep, 3.5 million cells", "≤", 1.2, 2.5)
    contest(row, lambda: write(tmp_path / str(next(numbers)), spec, measured), lambda: sweep(mix))
