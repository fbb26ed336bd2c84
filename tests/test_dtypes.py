"""The dtypes beside those that numpy has everywhere: what is known of them, and a sweep in each."""

import random
import sys
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context

import mpmath
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffbench import Function, OpaqueScheme, Spec, compare, load, parse_formula, resume, run
from diffbench.dtypes import DEFAULT_EPSILONS, PLAIN, find_dtype
from diffbench.errors import InputError
from diffbench.functions.compile import named_constant
from diffbench.multiple import arithmetic
from diffbench.reference.exact import references
from diffbench.rounding import exact_float, exact_mpf, round_array, round_to
from diffbench.sweep.epsilons import grid_of
from diffbench.sweep.multiple import NO_ARRAYS, NO_NOISE
from diffbench.sweep.results import Status
from diffbench.sweep.wide import TEXTS

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
    # To float64 or to float32, as SciPy's version has it.
    assert {reason[:-2] for scheme, status, reason in told if (scheme, status) == ("central-2", "unsupported")} == {
        "f promotes bfloat16 to float"
    }
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


@pytest.mark.parametrize("dtype", ["bfloat16", "longdouble", pytest.param("mp:20", marks=pytest.mark.slow)])
def test_a_dtype_gives_the_same_bytes_however_it_is_measured(dtype, tmp_path):
    schemes = ["central-2", "richardson(forward-1)", "complex-step"]
    spec = Spec(FUNCTIONS, schemes, dtypes=[dtype], derivatives=[1, 2], epsilons="1:1e-3:1/decade")
    expected = rows(run(spec, jobs=1))
    for options in ({"jobs": 2}, {"block_size": 3}, {"out": tmp_path / "run"}):
        assert rows(run(spec, **options)).equals(expected), options
    assert rows(load(tmp_path / "run")).equals(expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "longdouble", "mp:25"])
def test_the_grid_of_a_dtype_ends_at_the_power_of_ten_beside_its_unit_roundoff(dtype):
    known = find_dtype(dtype)
    grid = grid_of(DEFAULT_EPSILONS, dtype)
    assert grid[0] == 1
    decades = {"bfloat16": 1, "mp:25": -1}.get(dtype, 0)
    assert 1 <= Fraction(known.unit_roundoff) / grid[-1] / Fraction(10) ** decades < 10
    density = 2 if known.is_multiple else 4
    assert [10**k * grid[density * k] for k in range(len(grid) // density + 1)] == [1] * (len(grid) // density + 1)


def test_each_dtype_has_its_own_grid_where_none_is_asked_for():
    results = run(Spec("exp", ["central-2"], dtypes=["float32", "bfloat16"]))
    assert [block.grid_size for block in results.blocks] == [33, 17]
    cells = results.to_xarray()
    rules = cells.sel(column=cells["rule"] == "usual").squeeze()
    assert cells.sizes["column"] == 34
    for block in results.blocks:
        own = rules.sel(dtype=block.dtype)
        assert own["status"].to_numpy().tolist() == block.status[0, :, -1].tolist()
        assert (cells["status"].sel(dtype=block.dtype) != Status.ABSENT).sum() == block.status.size
    asked = run(Spec("exp", ["central-2"], ["1/2", "1/4"], dtypes=["float32", "bfloat16"]))
    assert [block.grid_size for block in asked.blocks] == [2, 2]


# longdouble -----------------------------------------------------------------------------------------------------------

wide = pytest.mark.skipif(bool(find_dtype("longdouble").unavailable), reason="longdouble is no wider than float64")


def as_longdouble(text):
    return Fraction(*np.longdouble(text).as_integer_ratio())


def disagreement(block, places, rational):
    """Return the largest relative difference of errors from those of the texts in exact arithmetic."""
    worst = Fraction(0)
    for p in sorted({int(p) for _, p, _ in places}):
        truth = references(parse_formula(block.formula), [rational(block.wide.x[p])], block.derivative, 400)[0].ball
        for s, _, c in (place for place in places if place[1] == p):
            exact = rational(block.wide.estimate[s, p, c]) - (0 if truth.has_vanished else truth.midpoint)
            off = abs(Fraction(float(block.error[s, p, c])) - exact)
            worst = max(worst, off / abs(exact) if exact else off)
    return worst


def a_few(block, count, seed):
    """Return places with an error, half of them where it is no more than two units in the last place."""
    chooser = random.Random(seed)  # noqa: S311  (no secret)
    chosen = []
    for where in (~np.isnan(block.error), block.ulp_error <= 2):
        places = [tuple(place) for place in np.argwhere(where)]
        chosen += chooser.sample(places, min(count, len(places)))
    return chosen


@wide
def test_longdouble_is_what_numpy_says():
    known, info = find_dtype("longdouble"), np.finfo(np.longdouble)
    assert find_dtype(np.dtype("longdouble").name) is known
    assert known.largest == Fraction(*info.max.as_integer_ratio())
    assert Fraction(2) ** known.lowest == Fraction(*info.smallest_subnormal.as_integer_ratio())
    assert known.unit_roundoff == float(info.eps) / 2


@wide
@given(st.fractions(max_denominator=10**40), st.integers(-16500, 16300))
@settings(max_examples=200, derandomize=True)
def test_rationals_are_rounded_once_into_longdouble(value, power):
    known, exact = find_dtype("longdouble"), value * Fraction(2) ** power
    rounded = round_to(exact, "longdouble")
    assert type(rounded) is np.longdouble
    if abs(exact) > known.largest:
        return
    found = exact_float(rounded)
    below, above = (exact_float(np.nextafter(rounded, np.longdouble(side * np.inf))) for side in (-1, 1))
    assert abs(found - exact) <= min(abs(below - exact), abs(above - exact))


@wide
def test_constants_of_longdouble_are_not_those_of_float64():
    function = Function("constants", "pi*x + x/3 + 0.1", ["1"])
    (block,) = run(Spec(function, ["central-2"], ["1/2"], dtypes=["longdouble"], rules=[])).blocks
    exact = named_constant("pi") + Fraction(1, 3)
    assert abs(as_longdouble(block.wide.estimate[0, 0, 0]) - exact) < Fraction(1, 2**60)
    assert block.wide.estimate[0, 0, 0] != str(np.longdouble(np.pi) + np.longdouble(1 / 3))


@wide
def test_errors_in_longdouble_agree_with_exact_arithmetic():
    spec = Spec(FUNCTIONS, dtypes=["longdouble"], derivatives=[1, 2], epsilons="1:1e-18:1/decade")
    for seed, block in enumerate(run(spec).blocks):
        assert disagreement(block, a_few(block, 60, seed), as_longdouble) <= Fraction(4, 2**53), block.function


@wide
def test_what_longdouble_cannot_do_is_told():
    noisy = Function("noisy", "sin(x)", ["1"], noise="relative 1e-6")
    functions = [Function("gamma", "gamma(x)", ["2"]), Function("root", "cbrt(x)", ["2"]), noisy]
    rules = ["usual", "mathur"]
    spec = Spec(functions, ["central-2", "complex-step"], ["1/8"], dtypes=["longdouble"], rules=rules, anatomy=True)
    frame = run(spec).to_frame()
    found = {(row.function, row.scheme, row.reason) for row in frame.itertuples() if row.status == "unsupported"}
    assert found == {
        ("gamma", "central-2", "gamma has no code in longdouble"),
        ("gamma", "complex-step", "gamma has no code in clongdouble"),
        ("root", "central-2", "mathur: its search is made for dtypes of at most 64 bits"),
        ("root", "complex-step", "needs complex values, and the third in the power of cbrt is one of float64"),
        ("noisy", "central-2", "the noise is stated for dtypes of at most 64 bits"),
        ("noisy", "complex-step", "the noise is stated for dtypes of at most 64 bits"),
    }
    assert (frame["truncation"].isna() == frame["error"].isna()).all()


@wide
def test_texts_are_there_in_runs_with_a_wide_dtype_only(tmp_path):
    spec = Spec(
        ["exp", "log"], ["central-2", "complex-step"], dtypes=["float64", "longdouble"], epsilons="1:1e-18:1/decade"
    )
    results = run(spec, out=tmp_path / "run")
    frame, alone = results.to_frame(), run(Spec("exp", ["central-2"])).to_frame()
    assert list(frame.columns) == [*alone.columns, *TEXTS]
    assert frame.query("dtype == 'float64'")[list(TEXTS)].isna().all(axis=None)
    rows = frame.query("dtype == 'longdouble' and status == 'ok'")
    for text, number in zip(TEXTS, ("x", "epsilon", "estimate"), strict=True):
        assert [float(np.longdouble(each)) for each in rows[text]] == rows[number].tolist()
    assert any(np.longdouble(row.epsilon_text) != row.epsilon for row in rows.itertuples())
    references = load(tmp_path / "run").references()
    assert list(references.columns)[-2:] == ["hi_text", "lo_text"]
    for row in references.query("dtype == 'longdouble'").itertuples():
        assert float(np.longdouble(row.hi_text)) == row.hi
        both = as_longdouble(row.hi_text) + as_longdouble(row.lo_text)
        assert abs(both - Fraction(row.value)) <= Fraction(row.radius) + abs(both) / 2**127
    assert "hi_text" not in run(Spec("exp", ["central-2"])).references().columns


@wide
def test_an_estimate_that_is_hi_has_the_error_minus_lo():
    (block,) = run(Spec("exp", ["complex-step"], dtypes=["longdouble"], rules=[])).blocks
    equal = 0
    for p, (hi, lo) in enumerate(block.wide.words):
        for c in np.flatnonzero(block.wide.estimate[0, p] == hi):
            equal += 1
            assert block.error[0, p, c] == float(-np.longdouble(lo))
    assert equal > 10


@wide
def test_estimates_of_a_wide_dtype_survive_being_cut_and_put_together(tmp_path):
    spec = Spec("exp", ["central-2", "forward-1"], dtypes=["longdouble"])
    whole, parts = run(spec, jobs=1).block("exp", 1, "longdouble"), run(spec, block_size=1, out=tmp_path / "run")
    assert len(parts.blocks) > 1
    joined = load(tmp_path / "run").block("exp", 1, "longdouble")
    assert joined.wide.estimate.tolist() == whole.wide.estimate.tolist()
    assert (joined.wide.words, joined.error.tolist()) == (whole.wide.words, whole.error.tolist())
    counts = compare(parts, run(spec, jobs=1)).counts
    assert counts["unchanged"] == spec.planned


# mp:D -----------------------------------------------------------------------------------------------------------------

FEW = "1:1e-28:1/decade"


def as_thirty(text):
    return exact_mpf(arithmetic("mp:30").read(text))


@pytest.mark.parametrize("name", ["mp:1", "mp:101", "mp:050", "mp:x", "mp:", "mp"])
def test_digits_beyond_the_bounds_are_refused(name):
    with pytest.raises(InputError, match=name):
        Spec("exp", dtypes=[name])


@pytest.mark.parametrize("digits", [2, 15, 50, 100])
def test_precision_and_rounding_are_those_of_mpmath(digits):
    name = f"mp:{digits}"
    numbers = arithmetic(name)
    with mpmath.workdps(digits):
        assert find_dtype(name).precision == mpmath.mp.prec
        third = mpmath.mpf(1) / 3
    assert numbers.rounded(Fraction(1, 3)) == third
    assert round_to(Fraction(1, 3), name) == exact_mpf(third)
    assert numbers.read(numbers.text(third)) == third


def test_numbers_are_rounded_to_the_digits_of_the_dtype_whatever_a_function_needs_meanwhile():
    numbers = arithmetic("mp:20")
    third = numbers.rounded(Fraction(1, 3))
    with numbers.workprec(300):
        assert numbers.rounded(Fraction(1, 3)) == third
        assert numbers.read(numbers.text(third)) == third


def test_estimates_are_textbook_arithmetic_in_so_many_digits():
    (block,) = run(Spec("exp", ["forward-1", "central-4", "complex-step"], FEW, dtypes=["mp:30"], rules=[])).blocks
    numbers = arithmetic("mp:30")
    for p, c in ((0, 5), (2, 20), (3, 28)):
        x, step = (numbers.read(text) for text in (block.wide.x[p], block.wide.epsilon[0, p, c]))
        f = [numbers.exp(x + k * step) for k in (-2, -1, 0, 1, 2)]
        eight, twelve = numbers.mpf(8), numbers.mpf(12)
        found = [numbers.read(block.wide.estimate[s, p, c]) for s in range(3)]
        assert found[0] == (f[3] - f[2]) / step
        assert found[1] == ((f[0] - f[4]) + eight * (f[3] - f[1])) / twelve / step
        assert found[2] == numbers.exp(numbers.mpc(x, step)).imag / step


@pytest.mark.parametrize(
    ("functions", "epsilons"),
    [(["exp"], "1,1e-7,1e-14,1e-21,1e-28"), pytest.param(["exp", "cbrt", "log", "runge"], FEW, marks=pytest.mark.slow)],
    ids=["some", "many"],
)
def test_errors_in_thirty_digits_agree_with_exact_arithmetic(functions, epsilons):
    spec = Spec(functions, dtypes=["mp:30"], derivatives=[1, 2], epsilons=epsilons)
    for seed, block in enumerate(run(spec).blocks):
        assert disagreement(block, a_few(block, 40, seed), as_thirty) <= Fraction(1, 2**53), block.function


@pytest.mark.parametrize("digits", [2, 5, 10])
def test_errors_in_few_digits_agree_with_exact_arithmetic(digits):
    numbers = arithmetic(f"mp:{digits}")
    line = Function("line", "(1 + 2^-166/3)*x", ["1"])
    slopes = {
        "exp": mpmath.exp,
        "sin": mpmath.cos,
        "log": lambda x: 1 / x,
        "line": lambda x: 1 + mpmath.mpf(2) ** -166 / 3,
    }
    schemes = ["forward-1", "central-4", "complex-step"]
    results = run(Spec(["exp", "sin", "log", line], schemes, dtypes=[f"mp:{digits}"], rules=[]))
    references = results.references()
    for block in results.blocks:
        values = references[references["function"] == block.function]["value"].tolist()
        places = np.argwhere(~np.isnan(block.error))
        assert len(places) > 2
        for s, p, c in places:
            x, estimate = (numbers.read(text) for text in (block.wide.x[p], block.wide.estimate[s, p, c]))
            with mpmath.workdps(150):
                slope = slopes[block.function](mpmath.mpf(x))
                assert abs(mpmath.mpf(values[p]) - slope) <= 1e-35 * abs(slope)
                exact = mpmath.mpf(estimate) - slope
                assert abs(block.error[s, p, c] - exact) <= abs(exact) * mpmath.mpf(2) ** -53


def test_what_mpmath_cannot_do_is_told():
    functions = [
        Function("abs", "Abs(x)", ["1"]),
        Function("own", "x", ["1"], evaluate=lambda x: x),
        Function("noisy", "x", ["1"], noise="relative 1e-6"),
        Function("log", "log(x)", ["1"], domain="(0, oo)"),
        Function("pole", "1/(x - 1/2)", ["1"]),
    ]
    mine = OpaqueScheme("mine", lambda f, x, e: f(x))
    rules = ["usual", "mathur"]
    schemes = ["backward-1", "complex-step", mine]
    spec = Spec(functions, schemes, ["1", "1/2"], dtypes=["mp:30"], rules=rules, anatomy=True)
    frame = run(spec).to_frame()
    assert len(frame) == spec.planned
    found = {
        (row.function, row.scheme, row.status, row.reason)
        for row in frame.itertuples()
        if row.status != "ok" and row.scheme != "mine" and row.epsilon_index is not pd.NA
    }
    assert found == {
        ("abs", "complex-step", "unsupported", "needs complex values, which Abs does not take"),
        ("own", "backward-1", "unsupported", NO_ARRAYS),
        ("own", "complex-step", "unsupported", NO_ARRAYS),
        ("noisy", "backward-1", "unsupported", NO_NOISE),
        ("noisy", "complex-step", "unsupported", NO_NOISE),
        ("log", "backward-1", "domain", "a node leaves (0, oo)"),
        ("pole", "backward-1", "domain", "f is not defined or not real at a node"),
    }
    assert set(frame[frame["scheme"] == "mine"]["reason"]) == {NO_ARRAYS}
    assert set(frame[frame["rule"] == "mathur"]["status"]) == {"unsupported"}
    assert (frame["node"].isna() == frame["error"].isna()).all()


def test_statuses_are_those_of_float64_where_nothing_collapses():
    functions = ["sqrt-at-end", "abs", "log", "tan", "bump", "gamma"]
    known = [name for name in functions if name in {function.name for function in Spec("standard").functions}]
    assert len(known) > 3
    spec = Spec(known, ["forward-1", "central-2"], "1:1e-5:1/decade", dtypes=["float64", "mp:30"])
    frame = rows(run(spec))
    found = [frame.query(f"dtype == '{dtype}'").reset_index()[["status", "reason"]] for dtype in spec.dtypes]
    assert found[0].equals(found[1])


@pytest.mark.parametrize("dtype", [pytest.param("longdouble", marks=wide), "mp:20"])
def test_a_point_beyond_the_range_of_float64_has_none_there(dtype):
    results = run(Spec(Function("line", "x", ["1e350"]), ["central-2"], ["1e-3"], dtypes=[dtype], rules=[]))
    frame = results.to_frame()
    assert np.isnan(results.blocks[0].x).all()
    assert frame["x"].isna().all()
    assert float(frame["x_text"][0].replace("e+350", "")) == 1


def test_an_epsilon_of_zero_is_collapsed_in_mpmath():
    rules = ["sqrt-u-relative"]
    spec = Spec(Function("cos", "cos(x)", ["0"]), ["complex-step", "central-2"], ["1"], dtypes=["mp:30"], rules=rules)
    frame = run(spec).to_frame().query("rule == 'sqrt-u-relative'")
    assert frame["status"].tolist() == ["collapsed", "collapsed"]
    assert frame["epsilon"].tolist() == [0.0, 0.0]
    assert frame["error"].isna().all()


@pytest.mark.slow
def test_a_run_in_all_of_them_gives_the_same_bytes_in_processes_and_after_an_interruption(tmp_path):
    dtypes = ["bfloat16", "longdouble", "mp:20", "float64"]
    spec = Spec(["exp", "log"], ["central-2", "complex-step"], "1:1e-16:1/decade", dtypes=dtypes, derivatives=[1, 2])
    run(spec, out=tmp_path / "one", jobs=1)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        run(spec, executor, out=tmp_path / "processes", jobs=2)

    def stop(unit, cells):
        seen.append(unit)
        if len(seen) == 5:
            raise KeyboardInterrupt

    seen = []
    with pytest.raises(KeyboardInterrupt):
        run(spec, out=tmp_path / "interrupted", jobs=1, progress=stop)
    resume(tmp_path / "interrupted")
    expected = files(tmp_path / "one")
    assert files(tmp_path / "processes") == expected
    assert files(tmp_path / "interrupted") == expected


def files(folder):
    """Return the bytes of every file of a run but the manifest, which has the time."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
