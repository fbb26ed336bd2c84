"""The dtypes of a run side by side, for people."""

import numpy as np
import pytest

from diffbench import Spec, run, write_report
from diffbench.report.contest import Contest
from diffbench.report.paper import paper_of
from diffbench.report.precision import Precision, lost_shares
from diffbench.report.tables import PRECISION

SPEC = {"functions": ["exp", "log"], "schemes": ["central-2", "complex-step"], "epsilons": "1:1e-16:2/decade"}


@pytest.fixture(scope="module")
def results():
    return run(Spec(**SPEC, dtypes=["float16", "float32", "float64"]))


def test_every_scheme_has_a_row_in_every_dtype(results):
    tables = Precision(results).tables()
    assert tuple(tables) == PRECISION
    rows = tables["dtypes"].rows
    dtypes = ("float16", "float32", "float64")
    assert [(row["scheme"], row["dtype"]) for row in rows] == [(s, d) for s in SPEC["schemes"] for d in dtypes]
    digits = [row["observed"] for row in rows]
    assert digits[:3] == sorted(digits[:3])
    assert all(abs(row["observed"] - row["modelled"]) < 0.5 for row in rows if row["observed"] is not None)
    assert digits[3] is None  # there is no complex dtype of that precision
    assert [row["fitted"] for row in tables["dtype-exponents"].rows] == pytest.approx([2 / 3, 1], abs=0.05)


def test_lost_steps_are_the_collapsed_cells(results):
    frame = results.to_frame()
    for row in Precision(results).tables()["dtypes"].rows:
        own = frame[(frame["scheme"] == row["scheme"]) & (frame["dtype"] == row["dtype"])]
        assert row["cells"] == len(own)
        assert row["lost"] == (own["status"] == "collapsed").sum()
    for dtype, (grid, share) in lost_shares(results, 1).items():
        own = frame[(frame["dtype"] == dtype) & frame["rule"].isna()]
        lost = own.assign(lost=own["status"] == "collapsed").groupby("epsilon_index")["lost"].mean()
        np.testing.assert_allclose(share, lost.to_numpy()[: grid.size])
        assert grid.size == share.size == (16 if dtype == "float16" else 33)  # the others round to 0
    assert lost_shares(results, 2) == {}


def test_the_model_is_not_asked_for_more_curves_than_wanted(results):
    (table,) = Precision(results, most=1).tables().values()
    assert {row["modelled"] for row in table.rows} == {None}
    assert table.rows[2]["observed"] > 9


def test_a_report_has_them_where_there_are_several_dtypes(tmp_path, monkeypatch):
    dtypes = ["float32", "float64"]
    results = run(Spec(**SPEC, dtypes=dtypes))
    monkeypatch.setattr("diffbench.report.folder.MAX_FIGURES", 1)
    page = write_report(results, tmp_path / "several").read_text("utf-8")
    assert "Dtypes side by side" in page
    assert 'id="figure-lost-d1"' in page
    names = {path.stem for path in (tmp_path / "several" / "tables").iterdir()}
    assert names >= {"dtypes", "dtype-exponents", "dtype-gaps"}
    figures = {path.stem for path in (tmp_path / "several" / "figures").iterdir()}
    assert figures >= {"dtypes-d1", "lost-d1", *(f"digits-d1-{dtype}" for dtype in dtypes)}
    sections = [section.title for section in paper_of(results, Contest(results)).sections]
    assert "Dtypes side by side" in sections


@pytest.mark.slow
def test_a_report_of_one_dtype_has_none_of_it(tmp_path):
    results = run(Spec(**SPEC))
    page = write_report(results, tmp_path).read_text("utf-8")
    assert "Dtypes side by side" not in page
    assert not list(tmp_path.rglob("*dtypes*"))
    assert "Dtypes side by side" not in [each.title for each in paper_of(results, Contest(results)).sections]
    assert tuple(Precision(results).tables()) == PRECISION


@pytest.mark.parametrize("epsilons", ["1e-3", "1e-9", ["1e-9", "1e-10"], "1e-1:1e-9"])
def test_epsilons_that_leave_nothing_to_draw(epsilons):
    found = Precision(run(Spec("exp", ["central-2"], epsilons, dtypes=["float16", "float32"], rules=[])))
    lost = lost_shares(found._results, 1)
    assert all(np.unique(grid).size > 1 and (grid > 0).all() for grid, _ in lost.values())
    names = [figure.name for figure in found.figures()]
    assert names == ["dtypes-d1", *(["lost-d1"] if lost else [])]


def test_functions_of_several_variables_have_digits_and_a_model():
    results = run(Spec(["rosenbrock", "exp"], ["central-2"], dtypes=["float32", "float64"]))
    found = Precision(results)
    assert {case.function for case in found.cases} == {"exp", "rosenbrock"}
    (row, *_) = found.tables()["dtypes"].rows
    assert row["observed"] > 4
    assert abs(row["observed"] - row["modelled"]) < 0.5
