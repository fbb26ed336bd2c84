"""``diffbench report``: one run, four formats."""

import pytest

from diffbench import Function, Spec, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "run"
    functions = [Function("exp", "exp(x)", ["0", "1"]), Function("linear", "3*x", ["1"])]
    run(Spec(functions, ["central-2", "complex-step"], "1e-1:1e-9:1/decade"), out=path)
    return path


def test_the_page_is_the_default(diffbench, folder):
    done = diffbench("report", str(folder), "--quiet")
    assert (done.code, done.out, done.err) == (0, f"report: {folder / 'report.html'}\n", "")
    assert {path.name for path in folder.iterdir()} >= {"summary.parquet", "tables", "figures", "report.html"}


@pytest.mark.parametrize("kind", ["md", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("tex", "pdf"))])
def test_every_format_has_its_file(diffbench, folder, tmp_path, kind):
    done = diffbench("report", str(folder), "--format", kind, "--out", str(tmp_path / "out"), "--quiet")
    path = tmp_path / "out" / f"report.{kind}"
    assert (done.code, done.out) == (0, f"report: {path}\n")
    assert path.stat().st_size > 1000
    assert not list(folder.glob(f"report.{kind}"))


def test_functions_are_chosen(diffbench, folder, tmp_path):
    diffbench("report", str(folder), "--format", "md", "-f", "linear", "--out", str(tmp_path), "--quiet")
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert "linear-d1-float64.svg" in names
    assert "exp-d1-float64.svg" not in names


@pytest.mark.slow
def test_all_figures_are_every_point_three_ways(diffbench, folder, tmp_path):
    arguments = ("--format", "md", "-f", "exp", "--figures", "all", "--out", str(tmp_path))
    done = diffbench("report", str(folder), *arguments)
    assert done.code == 0
    assert "points" in done.err
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    for suffix in ("svg", "pdf", "png"):
        assert {f"exp-d1-float64-x{i}.{suffix}" for i in range(1, 3)} <= names


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--format", "docx"), 2, "is not one of 'html', 'tex', 'md', 'pdf'"),
        (("--width", "3in"), 2, "width: '3in' is for --format tex only"),
        (("--format", "tex", "--width", "wide"), 2, "width: 'wide' is no length such as 3.4in"),
        (("--format", "tex", "--width", "1mm"), 2, "width: '1mm' is not between 2 and 20 inches"),
        (("-f", "exp"), 2, "function: 'exp' is not for --format html"),
        (("--format", "md", "-f", "nosuch"), 5, "function: the run has none called 'nosuch'"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(diffbench, folder, tmp_path, *, arguments, code, message):
    done = diffbench("report", str(folder), "--out", str(tmp_path / "out"), *arguments)
    assert done.code == code
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_line(diffbench, folder, tmp_path):
    (tmp_path / "file").write_text("here")
    done = diffbench("report", str(folder), "--format", "pdf", "--out", str(tmp_path / "file" / "below"), "--quiet")
    assert done.code == 74
    assert "file/below" in done.err
    assert len(done.err.splitlines()) == 1
