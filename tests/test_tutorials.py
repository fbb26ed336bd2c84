"""Every code cell of the tutorials runs, in order, and prints what the text says."""

import contextlib
import io
import math
import re
from pathlib import Path

import pytest
from test_lab import is_printed

TUTORIALS = sorted((Path(__file__).parents[1] / "docs" / "tutorials").glob("*.md"))
CUBE = 12.006000999997823
CUBE_HERE = (math.pow(2.0 + 0.001, 3.0) - 8.0) / 0.001
"""The quotient of w**3 in this libm, whose pow may misround by an ulp; the other five take only IEEE operations."""
NOTEBOOK = (
    "6.000999999999479",
    "6.000000496442226",
    "1.9999999999997797",
    repr(CUBE_HERE),
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


def test_noise_is_found_and_the_epsilon_under_it_predicted():
    _, printed, names = execute(next(path for path in TUTORIALS if path.stem == "noise"))
    assert "the noise is stated for real ones" in printed
    assert 0.5 < names["found"].relative / names["noisy"].noise.deviation(1) < 2
    assert names["exact"].relative < 2**-52
    assert names["epsilon"] == pytest.approx(8**0.25 * (names["found"].level / names["second"]) ** 0.5, rel=1e-14)
    assert names["figures"].share_flat > 0.95


def test_robustness_shows_which_rule_survives_which_scale():
    _, printed, names = execute(next(path for path in TUTORIALS if path.stem == "robustness"))
    assert printed.endswith("True\n")
    held = names["table"].set_index(["rule", "relation"])["holds"]
    assert held["usual", "f(10^-6 x)"]
    assert not held["usual", "f(10^6 x)"]
    assert not held["fixed(1e-5)", "f(10^-6 x)"]
    assert names["brittle"].get("forward-1", 0) < names["brittle"]["central-8"] / 3


def test_lab_prints_the_notebook_and_draws_the_v():
    _, printed, names = execute(next(path for path in TUTORIALS if path.stem == "lab"))
    assert [number for number in NOTEBOOK if number not in printed] == []
    assert is_printed("w**3", [CUBE_HERE], CUBE)
    digits = names["summary"].set_index("scheme").optimal_digits.to_dict()
    assert 7 < digits["forward-1"] < 9 < digits["central-2"] < 11.6 < digits["central-4"] < 14 < digits["complex-step"]
    assert len(names["figure"].axes[0].lines) >= 4
