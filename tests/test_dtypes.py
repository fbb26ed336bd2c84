"""The dtypes beside those that numpy has everywhere: what is known of them, and a sweep in each."""

import sys
from fractions import Fraction

import numpy as np
import pytest

from diffbench import Function, OpaqueScheme, Spec, load, run
from diffbench.dtypes import NAMES, PLAIN, find_dtype
from diffbench.errors import InputError
from diffbench.rounding import round_array, round_to
from diffbench.sweep.results import Status

KEY = ("function", "derivative", "dtype", "scheme", "rule", "point", "epsilon_index")
FUNCTIONS = ("exp", "sin", "log", "runge", "cbrt")


@pytest.fixture
def without_ml_dtypes(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    find_dtype.cache_clear()
    yield
    monkeypatch.undo()
    find_dtype.cache_clear()


def lost(results):
    """Return the reasons of the cells of some status, by scheme."""
    frame = results.to_frame()
    return {(row.scheme, row.status, row.reason) for row in frame[frame["status"] != "ok"].itertuples()}


def rows(results):
    """Return the tidy table, its rows in the order of their key."""
    frame = results.to_frame()
    return frame.sort_values(list(KEY), ignore_index=True)


@pytest.mark.parametrize("dtype", PLAIN)
def test_what_is_known_is_what_numpy_says(dtype):
    known, info = find_dtype(dtype), np.finfo(dtype)
    assert 2.0**known.lowest == info.smallest_subnormal
    assert 2.0**known.least_exponent == info.smallest_normal
    assert (known.unit_roundoff, known.largest, known.bits) == (info.eps / 2, Fraction(float(info.max)), info.bits)


def test_an_unknown_dtype_is_refused():
    with pytest.raises(InputError, match="'float8' is not one of float16, bfloat16"):
        Spec("exp", dtypes=["float8"])


# bfloat16 -------------------------------------------------------------------------------------------------------------


def test_bfloat16_is_what_its_package_says():
    info = pytest.importorskip("ml_dtypes").finfo("bfloat16")
    known = find_dtype("bfloat16")
    assert 2.0**known.lowest == float(info.smallest_subnormal)
    assert 2.0**known.least_exponent == float(info.smallest_normal)
    assert (known.unit_roundoff, known.largest) == (float(info.eps) / 2, Fraction(float(info.max)))


def test_numbers_are_rounded_once_into_bfloat16():
    pytest.importorskip("ml_dtypes")
    tie = 1 + Fraction(1, 2**8)
    exact = [tie, tie + Fraction(1, 2**60), tie - Fraction(1, 2**60), Fraction(10) ** -45, Fraction(10) ** 39]
    assert round_array(exact, "bfloat16").astype(float).tolist() == [1, 1 + 2**-7, 1, 0, np.inf]


def test_what_bfloat16_cannot_do_is_told():
    pytest.importorskip("ml_dtypes")
    scheme = OpaqueScheme("mine", lambda f, x, e: f(x))
    erf = Function("erf", "1 + erf(x)", ["1"])
    told = lost(run(Spec([erf], ["central-2", scheme], ["1/8", "1e-45"], dtypes=["bfloat16"])))
    assert ("central-2", "unsupported", "f promotes bfloat16 to float64") in told
    assert ("mine", "unsupported", "it is called in float16, float32, float64 only") in told
    told = lost(run(Spec("exp", ["central-2", "complex-step"], ["1/8", "1e-45"], dtypes=["bfloat16"], rules=[])))
    assert {each for each in told if each[0] == "complex-step"} == {
        ("complex-step", "unsupported", "needs complex values, and bfloat16 has no complex dtype")
    }
    assert {status for scheme, status, _ in told if scheme == "central-2"} == {"collapsed"}


def test_estimates_in_bfloat16_are_those_of_exact_arithmetic_rounded_at_each_operation():
    pytest.importorskip("ml_dtypes")

    def fl(value):
        return Fraction(round_to(value, "bfloat16"))

    (block,) = run(Spec(Function("square", "x**2", ["1.1"]), ["forward-1"], dtypes=["bfloat16"], rules=[])).blocks
    x = fl(Fraction("1.1"))
    for epsilon, estimate in zip(block.grid.tolist(), block.estimate[0, 0].tolist(), strict=True):
        step = Fraction(epsilon)
        assert Fraction(estimate) == fl(fl(fl(fl(x + step) ** 2) - fl(x * x)) / step)


def test_a_dtype_that_is_not_here_is_rows_with_the_reason(without_ml_dtypes, tmp_path):
    once = OpaqueScheme("once", lambda f, x: x, takes_epsilon=False)
    spec = Spec(["exp", "abs"], ["central-2", once], dtypes=["bfloat16", "float32"], anatomy=True)
    results = run(spec, out=tmp_path / "run")
    assert sum(results.counts.values()) == spec.planned
    frame = results.to_frame().query("dtype == 'bfloat16'")
    assert set(frame["status"]) == {"unsupported"}
    assert set(frame["reason"]) == {"bfloat16 needs the package ml_dtypes, which is not installed"}
    points = sum(len(function.points) for function in spec.functions)
    assert len(frame) == points * (17 + 2)
    assert set(load(tmp_path / "run").to_frame().query("dtype == 'float32'")["status"]) >= {"ok"}


# every dtype ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [name for name in NAMES if name not in PLAIN])
def test_a_dtype_gives_the_same_bytes_however_it_is_measured(dtype, tmp_path):
    spec = Spec(FUNCTIONS, dtypes=[dtype], derivatives=[1, 2], epsilons="1:1e-3:1/decade")
    expected = rows(run(spec, jobs=1))
    for options in ({"jobs": 2}, {"block_size": 3}, {"out": tmp_path / "run"}):
        assert rows(run(spec, **options)).equals(expected), options
    assert rows(load(tmp_path / "run")).equals(expected)


def test_each_dtype_has_its_own_grid_where_none_is_asked_for():
    results = run(Spec("exp", ["central-2"], dtypes=["float32", "bfloat16"]))
    assert [block.grid_size for block in results.blocks] == [65, 17]
    cells = results.to_xarray()
    rules = cells.sel(column=cells["rule"] == "usual").squeeze()
    assert cells.sizes["column"] == 66
    for block in results.blocks:
        own = rules.sel(dtype=block.dtype)
        assert own["status"].values.tolist() == block.status[0, :, -1].tolist()
        assert (cells["status"].sel(dtype=block.dtype) != Status.ABSENT).sum() == block.status.size
    asked = run(Spec("exp", ["central-2"], ["1/2", "1/4"], dtypes=["float32", "bfloat16"]))
    assert [block.grid_size for block in asked.blocks] == [2, 2]
