"""Every code cell of the tutorials runs, in order, and prints what the text says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

TUTORIALS = sorted((Path(__file__).parents[1] / "docs" / "tutorials").glob("*.md"))
NOTEBOOK = (
    "6.000999999999479",
    "6.000000496442226",
    "1.9999999999997797",
    "12.006000999997823",
    "-0.2498750624687629",
    "-0.031238285155041345",
)


def execute(path):
    """Run all cells in one namespace and return what they print and leave."""
    cells = re.findall(r"```\{code-cell\}[^\n]*\n(.*?)```", path.read_text("utf-8"), re.S)
    namespace, out = {}, io.StringIO()
    with contextlib.redirect_stdout(out):
        for cell in cells:
            exec(compile(cell, str(path), "exec"), namespace)  # noqa: S102  (our own documentation)
    return cells, out.getvalue(), namespace


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_cells_run(path):
    cells, printed, _ = execute(path)
    assert len(cells) >= 4
    assert printed.count("\n") > len(cells)


def test_lab_prints_the_notebook_and_draws_the_v():
    _, printed, names = execute(next(path for path in TUTORIALS if path.stem == "lab"))
    assert [number for number in NOTEBOOK if number not in printed] == []
    digits = names["summary"].set_index("scheme").optimal_digits.to_dict()
    assert 7 < digits["forward-1"] < 9 < digits["central-2"] < 11.6 < digits["central-4"] < 14 < digits["complex-step"]
    assert len(names["figure"].axes[0].lines) >= 4
