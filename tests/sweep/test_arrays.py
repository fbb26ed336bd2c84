"""Results as an xarray Dataset: the same cells as in the tidy table, on named axes."""

import sys

import numpy as np
import pytest

from diffbench import Function, OpaqueScheme, Spec, load, run
from diffbench.errors import EmptySelectionError, InputError
from diffbench.reference.metrics import Metric
from diffbench.reference.pair import relative_error

KEY = ("function", "derivative", "dtype", "scheme", "point", "column")
NUMBERS = (
    *("x", "epsilon", "estimate", "reference", "reference_lo", "error", "relative_error", "ulp_error", "digits"),
    *("error_estimate", "truncation", "node", "evaluation", "arithmetic"),
)


@pytest.fixture(scope="module")
def results():
    """Return a run whose functions have different points, and its derivatives different schemes."""
    functions = [Function("few", "exp(x)", ["1"]), Function("many", "sin(x)/x", ["1/3", "1", "2"])]
    alone = OpaqueScheme("alone", lambda f, x: float(f(x + 1e-6) - f(x)) / 1e-6, takes_epsilon=False)
    spec = Spec(
        functions,
        ["central-2", "forward-1", "central-2-d2", alone],
        "1:1e-9:1/decade",
        derivatives=(1, 2),
        dtypes=["float32", "float64"],
        rules=["usual"],
        anatomy=True,
    )
    return run(spec)


@pytest.fixture(scope="module")
def cells(results):
    return results.to_xarray()


def test_axes_have_the_names_of_what_was_measured(cells):
    assert dict(cells.sizes) == dict(zip(KEY, (2, 2, 2, 5, 3, 12), strict=True))
    assert list(cells.function.values) == ["few", "many"]
    assert list(cells.derivative.values) == [1, 2]
    assert {"central-2", "central-2-d2", "forward-1-d2", "alone"} < set(cells.scheme.values)
    assert list(cells["rule"].values) == [""] * 10 + ["usual", ""]
    assert list(cells.epsilon_index.values) == [*range(10), -1, -1]


def test_every_cell_is_that_of_the_tidy_table(results, cells):
    frame = results.to_frame()
    by_rule = frame["rule"].eq("usual").fillna(value=False)
    frame["column"] = frame["epsilon_index"].fillna(11).where(~by_rule, 10).astype(int)
    frame = frame.set_index(list(KEY)).sort_index()
    meanings = np.array(cells.status.flag_meanings.split())
    long = cells.to_dataframe()
    long["status"] = meanings[long["status"]]
    long = long[long["status"] != "absent"].sort_index()
    assert list(long.index) == list(frame.index)
    assert list(long["status"]) == list(frame["status"])
    assert list(long["evaluations"]) == list(frame["evaluations"])
    for name in NUMBERS:
        # The table has null in the place of what is not finite.
        values = long[name].to_numpy(float)
        stored = frame[name].to_numpy(float, na_value=np.nan)
        assert np.array_equal(np.where(np.isfinite(values), values, np.nan), stored, equal_nan=True), name


def test_what_is_not_planned_is_absent(cells):
    nowhere = cells.sel(function="few").isel(point=2)
    assert set(nowhere.status.values.ravel()) == {cells.status.flag_meanings.split().index("absent")}
    assert np.isnan(nowhere.estimate.values).all()
    assert not nowhere.evaluations.values.any()
    assert np.isnan(float(nowhere["reference"].sel(derivative=1, dtype="float64")))


def test_summaries_alone_have_no_cells(tmp_path):
    run(Spec("exp", ["central-2"], "1e-3"), out=tmp_path / "run", keep="summary")
    with pytest.raises(EmptySelectionError, match="kept summaries only"):
        load(tmp_path / "run").to_xarray()


def test_without_xarray_it_says_what_to_install(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(InputError, match=r"pip install 'diffbench\[xarray\]'"):
        results.to_xarray()


def test_a_further_metric_is_a_variable(results, monkeypatch):
    bits = Metric("bits", "bits", "bit", "larger", "-log2 of the relative error", _bits)
    monkeypatch.setattr("diffbench.reference.metrics.FURTHER", (bits,))
    cells = results.to_xarray()
    np.testing.assert_allclose(cells.bits, -np.log2(cells.relative_error), rtol=1e-12)


def _bits(errors, references):
    return -np.log2(relative_error(errors, references.hi))
