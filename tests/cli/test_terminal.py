"""What a person sees in a terminal: a real pseudo-terminal of a given width."""

import re
import sys
from functools import cache

import pytest
from terminals import printed

from diffbench import Spec, run
from diffbench.cli.output import _print_rich
from diffbench.report.table import Column, Table, to_text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("terminal") / "run"
    run(Spec(["exp", "sin"], epsilons="1e-1:1e-9"), out=path)
    return path


@cache
def screen(columns, *arguments):
    """Return what the program prints to a terminal that is so wide; the same call is made once."""
    seen = printed([sys.executable, "-m", "diffbench", *arguments], columns)
    return re.sub(r"\x1b\[[0-9;]*m", "", seen.decode()).splitlines()


@pytest.mark.parametrize("columns", [80, *(pytest.param(each, marks=pytest.mark.slow) for each in (100, 160))])
def test_a_table_fits_and_nothing_in_it_is_cut(folder, columns):
    lines = screen(columns, "show", str(folder))
    assert max(map(len, lines)) <= columns
    assert "…" not in "".join(lines)
    assert any("richardson-3(central-2)" in line for line in lines)
    words = " ".join(" ".join(lines).split())
    assert ("left out on this narrow terminal" in words) == (columns < 130)


@pytest.mark.slow
def test_constant_columns_are_said_once(folder):
    lines = screen(160, "show", str(folder))
    assert lines[0].strip() == "Which scheme? · derivative 1 · float64"
    assert "float64" not in "".join(lines[1:])


@pytest.mark.slow
def test_numbers_are_rounded_for_people_only(folder, diffbench):
    person = " ".join(screen(160, "show", str(folder)))
    assert re.search(r"complex-step +1 +2 +1\d\.\d +1\d\.\d ", person)
    assert re.search(r"central-4 .* \d+\.\d{9,}", diffbench("show", str(folder)).out)


def test_what_no_terminal_is_wide_enough_for_is_aligned_text(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "6")
    table = Table("T", "caption", (Column("name", "name"), Column("size", "size")), [{"name": "forward", "size": "2"}])
    _print_rich(table)
    assert capsys.readouterr().out == to_text(table, exact=False) + "\n"
