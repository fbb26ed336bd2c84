"""diffbench compare."""

from pathlib import Path

import pytest

from diffbench import OpaqueScheme, Spec, run
from diffbench.report.compare_plots import comparison_figure


@pytest.fixture
def folders(tmp_path):
    def scheme(factor):
        return OpaqueScheme("mine", lambda f, x, e: factor * (f(x + e) - f(x)) / e)

    for name, factor in (("a", 1), ("b", 1), ("worse", 2)):
        run(Spec("exp", [scheme(factor), "forward-1"], "1e-1:1e-3:1/decade"), out=tmp_path / name)
    run(Spec("sin", "forward-1", "1e-1:1e-3:1/decade"), out=tmp_path / "other")


def test_equal_runs(diffbench, folders):
    outcome = diffbench("compare", "a", "b", "--exit-code")
    assert outcome.code == 0
    assert "What changed most?" not in outcome.out


def test_worse_cells_are_shown_and_end_in_1_if_asked(diffbench, folders, tmp_path):
    assert diffbench("compare", "a", "worse").code == 0
    outcome = diffbench("compare", "a", "worse", "--exit-code", "--csv", "changes.csv")
    assert outcome.code == 1
    assert "What changed most?" in outcome.out
    assert (tmp_path / "changes.csv").read_text("utf-8").startswith("function,derivative,dtype,scheme")


def test_tables_as_json(diffbench, folders):
    rows = diffbench("compare", "a", "worse", "--format", "json").json
    assert [row["scheme"] for row in rows] == ["mine", "forward-1", "all"]
    assert rows[0]["worse"] > 0
    assert rows[1]["worse"] == 0
    changes = diffbench("compare", "a", "worse", "--table", "changes", "--most", "2", "--format", "json").json
    assert [(row["scheme"], row["transition"]) for row in changes] == [("mine", "worse")] * 2


def test_runs_that_have_nothing_in_common_end_in_4(diffbench, folders):
    outcome = diffbench("compare", "a", "other", "--exit-code")
    assert outcome.code == 4
    assert "exp, derivative 1, float64 is vanished" in outcome.out


def test_what_is_no_run_is_refused(diffbench, folders):
    outcome = diffbench("compare", "a", "nowhere")
    assert outcome.code == 2
    assert len(outcome.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("changes.PNG", b"\x89PNG"),
        pytest.param("changes.svg", b"<?xml", marks=pytest.mark.slow),
        pytest.param("changes.pdf", b"%PDF", marks=pytest.mark.slow),
    ],
)
def test_a_figure_beside_the_tables(diffbench, folders, tmp_path, name, begins):
    outcome = diffbench("compare", "a", "worse", "--figure", name)
    assert outcome.code == 0
    assert "What became of the cells?" in outcome.out
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_figure_of_another_kind_is_refused_before_anything_is_read(diffbench, tmp_path):
    outcome = diffbench("compare", "nowhere", "nowhere", "--figure", "changes.txt")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "diffbench: figure: 'changes.txt' is not an svg, png or pdf file\n"
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--figure", "--csv"])
def test_what_cannot_be_written_is_one_line(diffbench, folders, tmp_path, option):
    (tmp_path / "file").write_text("here")
    outcome = diffbench("compare", "a", "worse", option, "file/changes.svg")
    assert outcome.code == 74
    assert len(outcome.err.strip().splitlines()) == 1


@pytest.mark.parametrize(("after", "named"), [("b", ("a", "b")), ("later/a", ("a", "later/a"))])
def test_runs_are_called_by_their_folders_and_told_apart(diffbench, folders, monkeypatch, after, named):
    Path("later").mkdir()
    Path("worse").rename("later/a")
    called = []

    def figure(found, *names):
        called.append(names)
        return comparison_figure(found, *names)

    monkeypatch.setattr("diffbench.report.compare_plots.comparison_figure", figure)
    assert diffbench("compare", "a", after, "--figure", "changes.png").code == 0
    assert called == [named]
