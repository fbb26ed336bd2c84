"""The dtypes of a run side by side: exponents of the least error in u, and observed against modelled digits."""

import sys
from dataclasses import replace
from math import comb, log10

import numpy as np
import pytest

from diffbench import Function, Spec, exact_derivative, load, run
from diffbench.analysis.model import PointModel
from diffbench.analysis.near import Near
from diffbench.analysis.precision import (
    FAR,
    MANY_ULPS,
    NEAR,
    REASONS,
    Case,
    _has_same_errors,
    _ulps_lost,
    cases,
    exponents,
    gaps,
    median_interval,
    outliers,
    proved_exponent,
)
from diffbench.analysis.predict import Optimum, modelled_curves
from diffbench.dtypes import find_dtype
from diffbench.functions.suites import load_suite
from diffbench.rounding import unit_roundoff
from diffbench.schemes.scheme import parse_scheme

LONGDOUBLE = pytest.mark.skipif(not find_dtype("longdouble").is_wide, reason="longdouble is double here")
SCHEMES = ["forward-1", "central-2", "central-4", "complex-step"]


@pytest.fixture(scope="module")
def found():
    return cases(run(Spec(["exp", "sin"], SCHEMES, dtypes=["float16", "float32", "float64"])))


def case(digits, dtype="float64", function="f", scheme="central-2", point=0, **other):
    values = {"derivative": 1, "x": 1.0, "is_smooth": True, "modelled": digits, "has_law": True, "reason": ""}
    return Case(function=function, dtype=dtype, scheme=scheme, point=point, observed=digits, **(values | other))


def test_the_median_lies_in_its_interval_in_19_of_20_cases_and_in_no_narrower_one():
    for size in range(6, 60):
        low, high = median_interval(np.arange(float(size)))
        outside = sum(comb(size, k) for k in range(int(low) + 1)) / 2**size
        assert low + high == size - 1
        assert (
            2 * (outside - comb(size, int(low)) / 2**size) <= 0.05 < 2 * (outside + comb(size, int(low) + 1) / 2**size)
        )


@pytest.mark.parametrize(
    ("scheme", "derivative", "exponent"),
    [
        ("forward-1", 1, 1 / 2),
        ("central-2", 1, 2 / 3),
        ("central-4-d2", 2, 4 / 6),
        ("richardson(central-2)", 1, 4 / 5),
        ("backward-3-d4", 4, 3 / 7),
        ("complex-step", 1, 1),
        ("complex-step-d2", 2, 2 / 4),
        ("complex-step-45-d2", 2, 4 / 5),
    ],
)
def test_the_exponent_is_p_over_m_plus_p(scheme, derivative, exponent):
    assert proved_exponent(parse_scheme(scheme, derivative)) == pytest.approx(exponent)


def test_a_slope_that_is_there_is_fitted_whatever_the_level_of_each_curve():
    dtypes = ("float16", "float32", "float64")
    levels = {("f", 0): 0.5, ("f", 1): -0.3, ("g", 0): 0.1, ("h", 0): 1.0}
    made = [
        case(level - 0.7 * log10(unit_roundoff(dtype)), dtype, function, point=point)
        for (function, point), level in levels.items()
        for dtype in dtypes
    ]
    (fit,) = exponents([*made, case(5.0, "float64", "alone")])
    assert (fit.fitted, fit.low, fit.high) == pytest.approx((0.7, 0.7, 0.7))
    assert (fit.curves, fit.functions, fit.order) == (4, 3, 2)
    assert fit.is_as_proved
    assert fit.reason == ""
    far = fit._replace(fitted=0.8, low=0.75, high=0.9)
    assert not far.is_as_proved
    assert far.reason == "none is known"
    assert far._replace(low=0.6).reason == "too few curves to tell"
    assert far._replace(modelled=0.79).reason.startswith("the model has the same")


def test_coarser_grids_do_not_count():
    good = [case(-0.66 * log10(unit_roundoff(dtype)), dtype) for dtype in ("float32", "float64")]
    wide = case(-0.66 * log10(unit_roundoff("mp:30")), "mp:30")
    (fit,) = exponents([*good, wide])
    assert (fit.fitted, fit.modelled) == pytest.approx((0.66, 0.66))
    (fit,) = exponents([*good, wide._replace(observed=10.0)])
    assert fit.fitted < 0.5
    assert fit.modelled == pytest.approx(0.66)
    (fit,) = exponents([*good, wide._replace(observed=10.0, spacing=0.5)])
    assert fit.fitted == pytest.approx(0.66)


@pytest.mark.slow
@pytest.mark.skipif(bool(find_dtype("longdouble").unavailable), reason="longdouble is double here")
def test_longdouble_and_multiprecision_take_part_in_the_fit():
    grid = "1:1e-20:4/decade"
    results = run(Spec("exp", ["forward-1", "complex-step"], grid, dtypes=["float64", "longdouble", "mp:20"]))
    found = cases(results)
    assert {each.dtype for each in found if each.scheme == "forward-1" and each.has_law and each.has_digits} == {
        *("float64", "longdouble", "mp:20"),
    }
    assert all(fit.is_as_proved for fit in exponents(found)), exponents(found)


def test_curves_that_the_law_is_not_about_do_not_count():
    dtypes = ("float32", "float64")
    good = [case(-0.66 * log10(unit_roundoff(dtype)), dtype) for dtype in dtypes]
    for other in ({"has_law": False}, {"is_smooth": False}):
        bad = [case(3.0, dtype, "bad", **other) for dtype in dtypes]
        assert exponents([*good, *bad])[0].curves == 1
    assert exponents([*good, case(0.2, "float32", "few"), case(8.0, "float64", "few")])[0].curves == 1
    assert exponents([each._replace(is_smooth=False) for each in good])[0].curves == 1
    assert exponents(good[:1]) == []


def test_measured_exponents_are_the_proved_ones(found):
    fits = {fit.scheme: fit for fit in exponents(found)}
    assert list(fits) == SCHEMES
    assert all(fit.is_as_proved for fit in fits.values()), fits


def test_the_model_knows_the_digits(found):
    assert [(gap.derivative, gap.dtype) for gap in gaps(found)] == [(1, d) for d in ("float16", "float32", "float64")]
    assert all(gap.median < NEAR and gap.near >= 0.9 for gap in gaps(found))
    assert outliers(found) == []


def test_fewer_than_no_digits_are_none():
    assert case(-30.0, modelled=-2.0).gap == 0
    assert case(1.0, modelled=-2.0).gap == 1
    (gap,) = gaps([case(float(k), modelled=0.0) for k in range(11)])
    assert (gap.curves, gap.median, gap.nine_in_ten, gap.far) == (11, 5.0, 9.0, 9)


def test_far_digits_have_a_reason():
    found = cases(
        run(Spec(["quartic-minimum", "sinc", "log-one-plus-x"], ["complex-step", "forward-4"], dtypes="float32"))
    )
    far = outliers(found)
    assert far
    assert {each.reason for each in far} <= set(REASONS)
    assert all(abs(each.gap) > FAR for each in far)
    assert all(each.reason == "" for each in found if abs(each.gap) <= FAR)
    assert {each.reason for each in far if each.scheme == "complex-step"} <= {REASONS[0]}


def test_errors_that_are_the_same_at_several_epsilons_are_no_noise():
    curve = np.array([9.0, 4.0, 1.0, -1.01, 0.2, 1.0, 7.0])
    assert _has_same_errors(curve, Optimum(3, 1.0, is_inside=True))
    assert not _has_same_errors(curve * [1, 1, 1, 1, 1, 1.1, 1], Optimum(3, 1.0, is_inside=True))
    assert not _has_same_errors(curve[:4], Optimum(0, 9.0, is_inside=False))


def test_f_loses_digits_near_its_zeros():
    function = Function("f", "32*x**6 - 48*x**4 + 18*x**2 - 1", ["1/8"])
    model = PointModel(Near(function, 0.125, "float64"), exact_derivative(function.formula, 0.125), np.array([0.1]))
    zero = np.cos(np.pi / 4) - 0.125
    assert _ulps_lost(model, [2.0**-53]) < MANY_ULPS < _ulps_lost(model, [0.01, zero + 0.001])
    assert _ulps_lost(model, []) == 0


def test_an_executor_may_do_the_work(found):
    from concurrent.futures import ThreadPoolExecutor

    results = run(Spec(["exp", "sin"], SCHEMES, dtypes=["float16", "float32", "float64"]))
    with ThreadPoolExecutor(2) as executor:
        assert cases(results, mapping=executor.map) == found


@pytest.mark.slow
@pytest.mark.parametrize("derivative", [1, 2, 3, 4])
def test_the_smooth_functions_of_the_standard_suite_obey_the_law(derivative):
    smooth = [function for function in load_suite("standard").functions if "smooth" in function.tags]
    schemes = ["forward-1", "backward-2", "central-2", "central-4"]
    dtypes = ["float16", "float32", "float64"]
    if not find_dtype("longdouble").unavailable:
        schemes += ["forward-4", "forward-6"]
        dtypes += ["longdouble"]
    found = cases(run(Spec(smooth, schemes, derivatives=[derivative], dtypes=dtypes, rules=[])))
    assert len(exponents(found)) == len(schemes)
    assert all(fit.is_as_proved for fit in exponents(found)), exponents(found)
    assert all(gap.median < NEAR and gap.near >= 0.9 for gap in gaps(found)), gaps(found)


def test_what_nobody_here_can_compute_has_no_model(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cases(run(Spec("exp", ["central-2"], "1e-1:1e-4:1/decade", evaluator="torch"))) == []


def test_the_model_knows_the_digits_of_wide_dtypes():
    dtypes = ["float32", *(["longdouble"] if find_dtype("longdouble").is_wide else []), "mp:30"]
    found = cases(run(Spec(["exp"], SCHEMES, dtypes=dtypes, rules=[])))
    assert [gap.dtype for gap in gaps(found)] == dtypes
    assert all(gap.median < NEAR and gap.near >= 0.9 for gap in gaps(found))
    assert all(fit.is_as_proved for fit in exponents(found)), exponents(found)
    assert outliers(found) == []


def test_a_stored_run_has_the_same_cases(tmp_path):
    wave = Function("wave", "sin(10*x)", ["0.7"])
    results = run(Spec(wave, ["central-2"], dtypes=["float32", "mp:20"], rules=[]), out=tmp_path / "run")
    assert {case.dtype for case in cases(results)} == {"float32", "mp:20"}
    assert cases(load(tmp_path / "run")) == cases(results)


def test_the_model_knows_the_digits_of_mixed_derivatives():
    """Where x + t is x the difference is 0, and all of the derivative is lost."""
    bilinear = Function("f", "exp(x*y) + 1000*x", [{"x": "1/3", "y": "0.7"}, {"x": "-1.1", "y": "0.6"}])
    results = run(Spec(bilinear, ["central-2", "central-4"], dtypes=["float32", "float64"], derivatives=[2], rules=[]))
    mixed = [place for block in results.blocks for place in block.directions if place.direction == "x,y"]
    assert len(mixed) == 4
    blocks = [block for block in results.blocks if "," in block.directions[0].direction]
    found = cases(replace(results, blocks=blocks))
    assert len(found) == 8
    assert all(gap.median < NEAR and gap.far == 0 for gap in gaps(found)), gaps(found)
    for block in blocks:
        for s, p, scheme, model in modelled_curves(block, bilinear):
            lost, slope = model.parts(scheme).error[-4:], abs(block.hi[p, 0])
            assert (lost > slope / 10).all(), (block.dtype, block.schemes[s])


@pytest.mark.slow
def test_mixed_derivatives_of_the_multivariate_suite_obey_the_law():
    functions = [f for f in load_suite("multivariate").functions if len(f.formula.variables) <= 6][::3]
    schemes = ["central-2", "central-4", "forward-2"]
    results = run(Spec(functions, schemes, dtypes=["float32", "float64"], derivatives=[2], rules=[]))
    blocks = [block for block in results.blocks if "," in block.directions[0].direction]
    found = gaps(cases(replace(results, blocks=blocks)))
    assert [gap.curves > 100 for gap in found] == [True, True]
    assert all(gap.median < NEAR and gap.near >= 0.9 for gap in found), found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "derivative", "every"),
    [
        pytest.param("longdouble", 1, 1, marks=LONGDOUBLE),
        pytest.param("longdouble", 3, 2, marks=LONGDOUBLE),
        ("mp:30", 1, 4),
        ("mp:30", 2, 4),
        ("mp:100", 1, 12),
    ],
)
def test_the_smooth_functions_obey_the_law_in_wide_dtypes(dtype, derivative, every):
    smooth = [function for function in load_suite("standard").functions if "smooth" in function.tags][::every]
    schemes = ["forward-1", "backward-2", "central-2", "central-4"]
    found = cases(run(Spec(smooth, schemes, derivatives=[derivative], dtypes=[dtype], rules=[])))
    # Special functions have no code in longdouble.
    assert len({case.function for case in found}) >= 0.75 * len(smooth)
    (gap,) = gaps(found)
    assert gap.median < NEAR
    assert gap.near >= 0.9
