"""What starting up costs: processes against processes."""

import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from ratios import Row

pytestmark = pytest.mark.benchmark(group="startup")

ARGPARSE = """
import argparse
parser = argparse.ArgumentParser(description="Measure something.")
parser.add_argument("--out", help="Where.")
parser.parse_args()
"""
IMPORTS = "import sympy, numpy, scipy, pyarrow"


@pytest.fixture
def diffbench():
    """Return the installed command."""
    return str(Path(sys.executable).with_name("diffbench"))


def call(*words):
    subprocess.run(words, check=True, capture_output=True)


def test_help(contest, diffbench, tmp_path):
    """Measure ``diffbench --help`` against that of a script of four lines."""
    script = tmp_path / "script.py"
    script.write_text(ARGPARSE)
    row = Row("diffbench --help / bare argparse script", "≤", 2, 3)
    contest(row, lambda: call(diffbench, "--help"), lambda: call(sys.executable, str(script), "--help"), rounds=15)


def test_standard_suite(contest, diffbench, tmp_path):
    """Measure a cold ``diffbench run``, run folder written, report left out, against importing what it stands on."""
    numbers = count()

    def ours():
        options = ("--no-anatomy", "--no-report", "--quiet")
        call(diffbench, "run", *options, "--out", str(tmp_path / str(next(numbers))))

    row = Row("diffbench run, cold, no anatomy, no report / imports of sympy, numpy, scipy, pyarrow", "≤", 3, 6)
    contest(row, ours, lambda: call(sys.executable, "-c", IMPORTS))
