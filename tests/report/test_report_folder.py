"""What a report leaves behind, and that it leaves the same every time."""

import csv
import json
import re
import shutil
import xml.etree.ElementTree as ET
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pyarrow.parquet as pq
import pytest

from diffbench import DiffbenchError, Function, Spec, load, run, summarize, write_report
from diffbench.analysis.judgement import Judgement

FUNCTIONS = ("exp", "abs", "sqrt")


def spec():
    return Spec([*FUNCTIONS, Function("a/b", "x**2", ["3"])], ["forward-1", "central-4", "complex-step"], "1e-1:1e-9")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "run"
    run(spec(), out=path)
    assert write_report(str(path)) == path / "report.html"
    return path


HEADLINES = {f"{name}-d1-float64.svg" for name in ("profile", "work-precision", "classes", "digits")}


def contents(folder):
    """Return all files but the manifest, the times of the run taken out of the page."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    stated = [re.escape(manifest[name].encode()) for name in ("started", "finished")]
    # Nothing is said of a run that ended before it began, by a clock that was set back.
    times = re.compile(b"|".join([*stated, rb"<div><dt>elapsed</dt><dd>[\w ]+</dd></div>\n?"]))
    return {
        str(path.relative_to(folder)): times.sub(b"", path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def test_layout_is_that_of_the_contract(folder):
    assert {path.name for path in folder.iterdir()} == {
        *("manifest.json", "plan.json", "spec.toml", "cells", "curves", "references.parquet"),
        *("summary.parquet", "tables", "figures", "report.html"),
    }
    tables = {path.name for path in (folder / "tables").iterdir()}
    names = ("ranking", "summary", "digits", "status")
    assert {f"{name}.{kind}" for name in names for kind in ("md", "csv", "tex")} <= tables
    figures = {path.name for path in (folder / "figures").iterdir()}
    assert figures >= HEADLINES | {"over-x-d1-float64.svg"}
    assert len(figures) == 4 + 5
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_figures_are_svg_and_named_like_the_cells(folder):
    cells = {path.stem for path in (folder / "cells").iterdir()}
    figures = {path.stem for path in (folder / "figures").iterdir()}
    assert cells < figures
    for path in (folder / "figures").iterdir():
        assert ET.parse(path).getroot().tag.endswith("svg")  # noqa: S314  (our own)


def test_summary_parquet_is_the_summary(folder):
    frame = pq.read_table(folder / "summary.parquet").to_pandas()
    expected = summarize(load(folder))
    assert list(frame.columns) == list(expected.columns)
    assert frame["planned"].sum() == spec().planned
    assert frame["optimal_digits"].dropna().tolist() == expected["optimal_digits"].dropna().tolist()
    for column in pq.read_table(folder / "summary.parquet").columns:
        if str(column.type) == "double":
            assert not any(value != value for value in column.drop_null().to_pylist())  # noqa: PLR0124  (NaN)


def test_tables_on_disk_agree_with_each_other(folder):
    with (folder / "tables" / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    frame = pq.read_table(folder / "summary.parquet").to_pylist()
    assert len(rows) == len(frame)
    for text, row in zip(rows, frame, strict=True):
        assert text["function"] == row["function"]
        assert (float(text["optimal_digits"]) if text["optimal_digits"] else None) == row["optimal_digits"]


@pytest.mark.slow
def test_the_same_run_reported_again_gives_the_same_bytes(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    for name in ("tables", "figures"):
        shutil.rmtree(copy / name)
    (copy / "report.html").unlink()
    (copy / "summary.parquet").unlink()
    write_report(copy)
    assert contents(copy) == contents(folder)


@pytest.mark.slow
def test_the_same_spec_run_and_reported_twice_gives_the_same_bytes(folder, tmp_path):
    path = tmp_path / "again"
    run(spec(), out=path)
    write_report(path)
    first, second = contents(folder), contents(path)
    assert set(first) == set(second)
    assert [name for name in first if first[name] != second[name]] == []
    assert {"references.parquet", "summary.parquet", "report.html", "tables/ranking.tex"} <= set(first)


@pytest.mark.slow
def test_reports_do_not_depend_on_the_executor(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        write_report(load(folder), copy, executor)
    assert contents(copy) == contents(folder)


def test_results_from_memory_give_the_tables_of_those_from_disk(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("diffbench.report.folder.MAX_FIGURES", 1)
    write_report(run(spec()), tmp_path / "new")
    for path in (tmp_path / "new" / "tables").iterdir():
        assert path.read_bytes() == (folder / "tables" / path.name).read_bytes()
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "tables",
        "figures",
        "report.html",
        "summary.parquet",
    }


def test_progress_counts_the_figures_and_the_gate_is_on_the_page_where_there_is_one(folder, tmp_path):
    told, passed = [], Judgement("suite", "linux", {"forward-1": {"same": 3}}, ())
    page = write_report(
        run(Spec("lab")), tmp_path / "lab", progress=lambda done, total: told.append((done, total)), judgement=passed
    )
    assert told == [(i, 5) for i in range(1, 6)]
    assert "no rule broken" in page.read_text("utf-8")
    assert "no rule broken" not in (folder / "report.html").read_text("utf-8")


def test_a_single_epsilon_has_no_curve_and_no_explorer(tmp_path):
    page = write_report(run(Spec(Function("f", "x**2", ["3"]), ["forward-1"], ["1e-3"])), tmp_path / "one")
    assert {path.name for path in (tmp_path / "one" / "figures").iterdir()} == HEADLINES - {"profile-d1-float64.svg"}
    text = page.read_text("utf-8")
    assert 'id="explorer"' not in text
    assert 'class="matrix"' in text
    assert '<a href="#f/' not in text


@pytest.mark.slow
@pytest.mark.parametrize("dtypes", [["float32"], ["float32", "float64"]])
def test_every_derivative_and_dtype_has_its_heat_map(dtypes, tmp_path):
    results = run(Spec("exp", ["central-2"], ["1e-3"], derivatives=[1, 2], dtypes=dtypes))
    write_report(results, tmp_path / "r")
    maps = {path.name for path in (tmp_path / "r" / "figures").glob("digits-*")}
    assert maps == {f"digits-d{m}-{dtype}.svg" for m in (1, 2) for dtype in dtypes}


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(DiffbenchError) as caught:
        write_report(run(Spec("lab")), tmp_path / "file" / "below")
    assert caught.value.exit_code == 74
    assert "file/below" in str(caught.value)


def test_no_run_no_report(tmp_path):
    with pytest.raises(DiffbenchError, match="not a run folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_report_holds_no_times_but_those_of_its_run(folder):
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    stamp = re.compile(rb"20\d\d-\d\d-\d\dT\d\d:\d\d")
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in {".html", ".svg", ".md", ".csv", ".tex", ".toml"}:
            data = path.read_bytes()
            for name in ("started", "finished"):
                data = data.replace(manifest[name].encode(), b"")
            assert stamp.search(data) is None, path


@pytest.mark.slow
def test_functions_beyond_what_a_page_holds_are_in_the_matrix_but_not_in_the_explorer(tmp_path, monkeypatch):
    results = run(spec())
    size = results.blocks[0].status[:, 0].size
    monkeypatch.setattr("diffbench.report.folder.MAX_CELLS", 2 * size)
    text = write_report(results, tmp_path / "two").read_text("utf-8")
    index = json.loads(re.search(r'id="index">(.*?)</script>', text)[1])
    assert [block["function"] for block in index["blocks"]] == ["exp", "abs"]
    assert '<a href="#exp/1/float64/' in text
    assert '<a href="#sqrt/1/float64/' not in text
    assert '<th scope="row" title="sqrt">sqrt</th>' in text
    assert (tmp_path / "two" / "figures" / "sqrt-d1-float64.svg").is_file()


def test_functions_beyond_the_figures_are_in_the_explorer(tmp_path, monkeypatch):
    monkeypatch.setattr("diffbench.report.folder.MAX_FIGURES", 1)
    text = write_report(run(spec()), tmp_path / "one").read_text("utf-8")
    index = json.loads(re.search(r'id="index">(.*?)</script>', text)[1])
    assert [block["figure"] for block in index["blocks"]] == ["figures/exp-d1-float64.svg", "", "", ""]
    assert not (tmp_path / "one" / "figures" / "sqrt-d1-float64.svg").exists()


@pytest.mark.slow
def test_runs_that_kept_summaries_have_a_page_without_charts(tmp_path):
    run(spec(), out=tmp_path / "run", keep="summary")
    text = write_report(tmp_path / "run").read_text("utf-8")
    assert 'id="explorer"' not in text
    assert 'class="matrix"' in text


def test_results_in_memory_need_a_folder_and_other_things_are_no_results():
    with pytest.raises(DiffbenchError, match=r"^path: results in memory need a folder to be reported in$"):
        write_report(run(Spec("exp", "forward-1", "1e-3")))
    with pytest.raises(DiffbenchError, match=r"^results: 7 are neither Results nor a run folder$"):
        write_report(7)
