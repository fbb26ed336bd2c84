"""Every code cell of the tutorials runs, in order, and says what the text says."""

import contextlib
import io
import math
import os
import re
import sys
from pathlib import Path

import pytest
from test_lab import is_printed

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
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


def execute(name, folder):
    """Run all cells of a tutorial in one namespace and return what they print and leave."""
    text = (FOLDER / f"{name}.md").read_text("utf-8")
    cells = re.findall(r"```\{code-cell\}[^\n]*\n(.*?)```", text, re.S)
    namespace, out = {}, io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.chdir(folder):
        for cell in cells:
            run_cell(cell, namespace)
    assert len(cells) >= 4
    return out.getvalue(), namespace


def run_cell(cell, namespace):
    """Do what a notebook does: write a file, or run Python."""
    first, _, rest = cell.partition("\n")
    if first.startswith("%%writefile "):
        Path(first.split()[1]).write_text(rest, "utf-8")
    else:
        exec(compile(re.sub("^:tags:.*", "", cell), "cell", "exec"), namespace)  # noqa: S102  (our own documentation)


def test_all_of_them_are_tested():
    source = Path(__file__).read_text("utf-8")
    assert all(f'execute("{path.stem}", tmp_path)' in source for path in FOLDER.glob("*.md"))


def test_noise_is_found_and_the_epsilon_under_it_predicted(tmp_path):
    printed, names = execute("noise", tmp_path)
    assert "the noise is stated for real ones" in printed
    assert 0.5 < names["found"].relative / names["noisy"].noise.deviation(1) < 2
    assert names["exact"].relative < 2**-52
    assert names["epsilon"] == pytest.approx(8**0.25 * (names["found"].level / names["second"]) ** 0.5, rel=1e-14)
    assert names["figures"].share_flat > 0.95


def test_robustness_shows_which_rule_survives_which_scale(tmp_path):
    printed, names = execute("robustness", tmp_path)
    assert printed.endswith("True\n")
    held = names["table"].set_index(["rule", "relation"])["holds"]
    assert held["usual", "f(10^-6 x)"]
    assert not held["usual", "f(10^6 x)"]
    assert not held["fixed(1e-5)", "f(10^-6 x)"]
    assert names["brittle"].get("forward-1", 0) < names["brittle"]["central-8"] / 3


def test_lab_prints_the_notebook_and_draws_the_v(tmp_path):
    printed, names = execute("lab", tmp_path)
    assert [number for number in NOTEBOOK if number not in printed] == []
    assert is_printed("w**3", [CUBE_HERE], CUBE)
    digits = names["summary"].set_index("scheme").optimal_digits.to_dict()
    assert 7 < digits["forward-1"] < 9 < digits["central-2"] < 11.6 < digits["central-4"] < 14 < digits["complex-step"]
    assert len(names["figure"].axes[0].lines) >= 4


@pytest.mark.slow
def test_the_advice_is_as_good_as_the_sweep(tmp_path):
    _, names = execute("which-epsilon", tmp_path)
    assert [each.scheme for each in names["advice"]] == ["central-2", "central-4", "central-6"]
    assert names["check"].digits[0] > names["best"] - 0.5
    assert {"usual", "mathur"} <= set(names["table"]["rule"])


@pytest.mark.slow
def test_an_own_scheme_is_ranked_between_the_two_of_its_order(tmp_path):
    printed, names = execute("own-scheme", tmp_path)
    assert "observed 2.0000: verified" in printed
    order = names["rank"](names["results"]).scheme.tolist()
    assert order == ["central-4", "central-2", "stencil(-1,0,2)", "forward-2"]
    noisy = names["rank"](names["noisy"]).set_index("scheme").optimal_digits
    assert noisy["central-4"] > noisy["least-squares-5"] > noisy["central-2"] - 0.1


@pytest.mark.slow
def test_the_guard_notices_what_the_tutorial_says(tmp_path, monkeypatch):
    pytest.importorskip("IPython")
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    printed, _ = execute("gradients", tmp_path)
    assert printed.count("2 passed") == 2
    assert "2 failed" in printed
    assert "fewer than 14 correct digits" in printed
    assert re.findall("^exit code .$", printed, re.M) == ["exit code 0", "exit code 1", "exit code 0", "exit code 1"]
    assert "the baseline has" in (tmp_path / "summary.md").read_text("utf-8")
