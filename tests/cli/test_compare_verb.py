"""diffbench compare."""

import pytest

from diffbench import OpaqueScheme, Spec, run


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
