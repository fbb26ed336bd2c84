"""Metrics: the stored ones are the columns of cells; a further one gets columns wherever metrics stand."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from diffbench import Function, Spec, load, run, summarize
from diffbench.reference import metrics
from diffbench.reference.metrics import METRICS, Metric, References
from diffbench.report.tables import estimates_table, ranking_table, summary_table
from diffbench.sweep.export import CELL_SCHEMA

BITS = Metric("bits", "bits", "bits", "larger", "-log2 of it", lambda error, truth: -np.log2(np.abs(error / truth.hi)))
SIZE = Metric("size", "size", "1", "smaller", "|error|", lambda error, truth: np.abs(error))


@pytest.fixture
def further(monkeypatch):
    monkeypatch.setattr(metrics, "FURTHER", (BITS, SIZE))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_finite_or_unknown_and_says_which_way_is_better(metric):
    one, two = np.ones(3), np.zeros(3)
    small, large, nothing = metric.values(np.array([1e-9, -1e-3, np.nan]), References(one, two, "float64"))
    assert np.isnan(nothing)
    assert (large > small) == (metric.better == "smaller")
    assert np.isnan(metric.values(np.array([np.inf]), References(one[:1], two[:1], "float64"))).all()


def test_names_are_distinct_and_no_other_columns():
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    others = set(CELL_SCHEMA.names) - {metric.name for metric in metrics.STORED}
    assert others.isdisjoint(names)


def test_stored_ones_are_what_cells_hold():
    results = run(Spec("lab"))
    frame = results.to_frame()
    for metric in metrics.STORED:
        measured = np.concatenate([block.measured(metric).ravel() for block in results.blocks])
        np.testing.assert_array_equal(frame[metric.name].to_numpy(np.float64, na_value=np.nan), measured)


def test_a_further_one_has_a_column_at_the_end_of_every_cell_and_none_in_files(further, tmp_path):
    results = run(Spec(["exp", "sqrt"], ["central-2"], ["1e-3", "1e-6"]), out=tmp_path / "run")
    frame = load(tmp_path / "run").to_frame()
    assert list(frame.columns[-2:]) == ["bits", "size"]
    np.testing.assert_array_equal(frame["size"], frame["error"].abs())
    assert frame.equals(results.to_frame())
    for path in (tmp_path / "run").rglob("*.parquet"):
        assert "bits" not in pq.read_schema(path).names, path.name


def test_a_further_one_stands_at_the_optimum_with_its_worst(further, tmp_path):
    spec = Spec(["exp", "sqrt"], ["central-2", "forward-1"])
    results, stored = run(spec, out=tmp_path / "cells"), run(spec, out=tmp_path / "curves", keep="summary")
    summary = summarize(results)
    errors = np.concatenate([part.oracle_error for part in results.curves], axis=1)[0]
    (best,) = summary.query("scheme == 'central-2'")["optimal_size"].groupby(summary["function"]).first()[["exp"]]
    points = len(results.curves[0].x)
    assert best == np.median(errors[:points])
    ranking = ranking_table(results).records()
    for row in ranking:
        own = summary[summary["scheme"] == row["scheme"]]
        assert row["optimal_bits_worst"] == own["optimal_bits_worst"].min()
        assert row["optimal_size_worst"] == own["optimal_size_worst"].max()
        assert row["optimal_size"] == own["optimal_size"].median()
    assert ranking_table(stored).records() == ranking
    assert "bits: -log2 of it, in bits, larger is better; size:" in ranking_table(results).caption
    assert summary_table(results).records()[0]["optimal_bits"] == pytest.approx(summary["optimal_bits"].iloc[0])


def test_where_the_derivative_is_0_a_metric_has_no_value(further):
    results = run(Spec([Function("square", "x**2", ["0", "1", "1.7"])], ["central-2"], ["1e-3", "1e-6"]))
    rows = estimates_table(results).records()
    assert all((row["bits"] is None) == (row["reference"] == 0 or row["error"] in (None, 0)) for row in rows)
    assert all(row["size"] == abs(row["error"]) for row in rows)
