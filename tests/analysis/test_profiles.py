"""Profiles of made-up cases, counted by hand, and of contestants that are known beforehand."""

from typing import NamedTuple

import numpy as np
import pytest

from diffbench import Function, OpaqueScheme, Spec, exact_derivative, run
from diffbench.analysis.outcomes import Case, cases
from diffbench.analysis.profiles import (
    DIGITS,
    GROUPS,
    LEVELS,
    RATIOS,
    answers,
    calibration_rows,
    ecdf,
    performance_profile,
    ranking_rows,
    reliability,
    work_precision,
)
from diffbench.sweep.curves import curves_of

ULP = 2.0**-52
NOTHING = {"estimate": np.nan, "error": np.nan, "digits": np.nan, "error_estimate": np.nan}


class Library(NamedTuple):
    name: str
    package: str = "nulls"
    peer: str = "central-2"


def made(library="a", error=0.0, outcome="right", **given):
    """Return a case with a derivative of 1, by default without an error estimate."""
    size = abs(error)
    case = Case(
        library=library,
        package="p",
        function="f",
        tags=("smooth", "even"),
        noise="",
        derivative=1,
        dtype="float64",
        point=0,
        x=1.0,
        epsilon=np.nan,
        rule="",
        estimate=1 + error,
        reference=1.0,
        error=error,
        ulp=ULP,
        error_estimate=np.nan,
        digits=-np.log10(max(size, ULP / 4)),
        evaluations=2,
        status="ok",
        outcome=outcome,
        reason="",
    )
    failed = outcome in {"exception", "nonfinite", "left domain", "unsupported", "not judged"}
    return case._replace(**(NOTHING if failed else {}), **given)


# calibration ----------------------------------------------------------------------------------------------------------


def test_calibration_counted_by_hand():
    (row,) = calibration_rows(
        [
            made(error=1e-3, error_estimate=2e-3),
            made(error=-1e-3, error_estimate=1e-4),
            made(error=1e-3, error_estimate=1e-6),
            made(error=1e-3, error_estimate=0.0),
            # Less than an ulp is for free.
            made(error=ULP / 4, error_estimate=0.0),
            made(error=1e-3),
            made(outcome="exception"),
            made(outcome="not judged"),
        ]
    )
    assert row == {
        "library": "a",
        "package": "p",
        "cells": 6,
        "estimates": 5,
        "missing": 1,
        "coverage": 2 / 5,
        # The ratios are 2, 1/10, 1/1000, 0 and 0.
        "sharpness": pytest.approx(1e-3),
        "worst_understatement": pytest.approx(1e3),
        "zero_estimates": 1,
    }


@pytest.mark.parametrize(("factor", "coverage"), [(1.0, 1.0), (0.1, 0.0), (10.0, 1.0)])
def test_true_errors_cover_themselves_and_a_tenth_of_them_nothing(factor, coverage):
    rng = np.random.default_rng(1)
    errors = 10 ** rng.uniform(-12, 2, 50)
    (row,) = calibration_rows([made(error=e, error_estimate=factor * e) for e in errors])
    assert row["coverage"] == coverage
    assert row["sharpness"] == pytest.approx(factor)
    assert row["worst_understatement"] == pytest.approx(1 / factor)


def test_sharpness_takes_no_error_for_less_than_half_an_ulp():
    (row,) = calibration_rows([made(error=0.0, error_estimate=ULP)])
    assert row["sharpness"] == 2


def test_an_error_and_an_estimate_of_0_at_a_derivative_of_0_are_no_warning():
    (row,) = calibration_rows([made(error=0.0, ulp=5e-324, reference=0.0, error_estimate=0.0)])
    assert (row["coverage"], row["sharpness"], row["zero_estimates"]) == (1, 0, 0)


def test_quantities_of_no_estimates_are_none():
    (row,) = calibration_rows([made(error=1e-3)])
    assert (row["estimates"], row["missing"]) == (0, 1)
    assert row["coverage"] is row["sharpness"] is row["worst_understatement"] is None


def test_calibration_by_class_dtype_and_noise():
    some = [
        made(error=1e-3, error_estimate=1.0),
        made(error=1e-3, error_estimate=0.0, tags=()),
        made(error=1e-3, error_estimate=0.0, dtype="float32", noise="1e-6"),
    ]
    rows = calibration_rows(some, by=list(GROUPS))
    assert [(row["class"], row["dtype"], row["noise"], row["coverage"]) for row in rows] == [
        ("smooth", "float64", "", 1),
        ("untagged", "float64", "", 0),
        ("smooth", "float32", "1e-6", 0),
    ]
    assert {row["derivative"] for row in rows} == {1}


def test_reliability_is_the_share_of_errors_within_a_multiple_and_at_1_the_coverage():
    some = [made(error=1e-3, error_estimate=estimate) for estimate in (1e-3, 3e-5, 2e-1, 0.0)] + [made(error=1.0)]
    (curve,) = reliability(some)
    assert (curve.cases, curve.at.tolist()) == (4, LEVELS.tolist())
    shares = dict(zip(curve.at, curve.share, strict=True))
    assert [shares[t] for t in (1e-4, 1e-2, 1.0, 10.0, 100.0, 1e8)] == [0, 1 / 4, 2 / 4, 2 / 4, 3 / 4, 3 / 4]
    assert shares[1.0] == calibration_rows(some)[0]["coverage"]


# profiles -------------------------------------------------------------------------------------------------------------


def problems(**by_library):
    """Return cases of some contestants at the points 0, 1, …, with these errors, or outcomes."""
    return [
        made(library, **({"outcome": given} if isinstance(given, str) else {"error": given}), point=point)
        for library, all_given in by_library.items()
        for point, given in enumerate(all_given)
    ]


def at(curve, place):
    return curve.share[np.argmin(np.abs(curve.at - place))]


def test_a_performance_profile_counted_by_hand():
    some = problems(
        a=[1e-9, 1e-6, "exception", 1e-3, "exception", 1e-3],
        b=[3e-9, 1e-8, 1e-5, "unsupported", "nonfinite", "not judged"],
    )
    a, b = performance_profile(some)
    assert a.cases == b.cases == 5
    assert [at(a, ratio) for ratio in (1, 10, 70, 1000, 1e16)] == [2 / 5, 2 / 5, 2 / 5, 3 / 5, 3 / 5]
    assert [at(b, ratio) for ratio in (1, 2, 10, 1e16)] == [2 / 5, 2 / 5, 3 / 5, 3 / 5]


def test_errors_below_half_an_ulp_are_level():
    a, b = performance_profile(problems(a=[0.0], b=[ULP / 3]))
    assert at(a, 1) == at(b, 1) == 1


def test_an_exact_0_is_level_with_an_exact_0_and_nothing_else_is():
    exact = [made(name, error, ulp=5e-324, reference=0.0) for name, error in {"a": 0.0, "b": 0.0, "c": 1e-200}.items()]
    a, b, c = performance_profile(exact)
    assert (at(a, 1), at(b, 1), at(c, 1e16)) == (1, 1, 0)


def test_problems_that_one_of_them_has_not_are_left_out():
    a, _ = performance_profile([*problems(a=[1e-3, 1e-3]), *problems(b=[1e-3])])
    assert a.cases == 1
    a, _ = performance_profile([*problems(a=[1e-3]), *(case._replace(dtype="float32") for case in problems(b=[1e-3]))])
    assert (a.cases, a.share.max()) == (0, 0)


def test_digits_counted_by_hand():
    (curve,) = ecdf([*problems(a=[1e-3, 1e-9, 0.0, 20.0, "exception", "not judged"]), made(reference=0.0, point=9)])
    assert (curve.cases, curve.at.tolist()) == (5, list(range(17)))
    assert [at(curve, d) for d in (0, 2, 4, 8, 10, 15, 16)] == [3 / 5, 3 / 5, 2 / 5, 2 / 5, 1 / 5, 1 / 5, 1 / 5]


def test_work_and_precision_counted_by_hand():
    digits = [made("a", digits=d, point=p, evaluations=n) for p, (d, n) in enumerate([(4.0, 2), (8.0, 6), (12.0, 10)])]
    (row,) = work_precision([*digits, made("a", outcome="exception", point=3, evaluations=99)])
    assert row == {
        "library": "a",
        "package": "p",
        "cells": 4,
        "failed": 1,
        "evaluations": 6,
        # Quartiles of 0, 4, 8 and 12.
        "digits_low": 3,
        "digits": 6,
        "digits_high": 9,
    }


def test_work_of_nothing_is_none():
    (row,) = work_precision([made(outcome="not judged")])
    assert (row["cells"], row["evaluations"], row["digits"], row["digits_low"]) == (0, None, None, None)


def test_ranks_within_a_class_derivative_and_dtype():
    some = problems(
        a=[1e-9, "exception", "not judged"], b=[1e-9, 1e-5, 1e-5], c=[1e-9, 1e-5, 1e-5], d=["exception"], e=[1e-5, 1e-5]
    )
    some.append(made("a", 1e-3, tags=(), function="g"))
    rows = [row for row in ranking_rows(some) if row["class"] == "smooth"]
    assert [(row["rank"], row["library"]) for row in rows] == [(1, "b"), (1, "c"), (1, "e"), (4, "a"), (5, "d")]
    ranked = {row["library"]: row for row in rows}
    assert (ranked["a"]["cells"], ranked["a"]["right"], ranked["a"]["exception"]) == (2, 1, 1)
    assert (ranked["a"]["right_share"], ranked["d"]["right_share"], ranked["d"]["digits"]) == (0.5, 0, None)


def test_digits_decide_between_equal_shares():
    rows = ranking_rows(problems(a=[1e-3], b=[1e-9]))
    assert [row["library"] for row in rows] == ["b", "a"]


def test_ranks_begin_anew_in_every_class():
    some = [made("a", dtype=dtype, derivative=m) for dtype in ("float32", "float64") for m in (1, 2)]
    rows = ranking_rows(some)
    assert [(row["derivative"], row["dtype"], row["rank"]) for row in rows] == [
        (1, "float32", 1),
        (1, "float64", 1),
        (2, "float32", 1),
        (2, "float64", 1),
    ]


@pytest.mark.parametrize("of", [reliability, performance_profile, ecdf, work_precision, ranking_rows, calibration_rows])
def test_of_no_cases_there_is_nothing(of):
    assert of([]) == []


# laws of a run --------------------------------------------------------------------------------------------------------

FORMULA = "exp(x) - x"


def truth(x):
    return exact_derivative(FORMULA, float(x)).hi


def difference(f, x, e):
    return (f(x + e) - f(x - e)) / (2 * e)


NULLS = {
    "oracle": lambda f, x: truth(x),
    "zero": lambda f, x: 0.0,
    "raises": lambda f, x: 1 // 0,
    "nan": lambda f, x: np.nan,
    "honest": lambda f, x: (difference(f, x, 2.0**-10), 1.0),
    "sure": lambda f, x: (difference(f, x, 2.0**-20), 0.0),
    "leaves": lambda f, x: f(x + 1000),
}


@pytest.fixture(scope="module")
def swept():
    schemes = [OpaqueScheme(name, call, takes_epsilon=False) for name, call in NULLS.items()]
    function = Function("f", FORMULA, ["0", "1", "5/2", "-3"], domain="(-100, 100)", tags=["smooth"])
    return run(
        Spec(
            function,
            ["forward-1", "central-2", *schemes, OpaqueScheme("swept-epsilon", difference)],
            "1e-1:1e-12:2/decade",
            dtypes=["float32", "float64"],
            rules=["usual"],
        )
    )


@pytest.fixture(scope="module")
def found(swept):
    return cases(swept, [Library(name) for name in (*NULLS, "swept-epsilon", "central-2")])


@pytest.mark.parametrize(("of", "sign"), [(reliability, 1), (performance_profile, 1), (ecdf, -1)])
def test_shares_are_from_0_to_1_and_monotone(of, sign, found):
    curves = of(found)
    assert len(curves) >= 2
    for curve in curves:
        assert ((curve.share >= 0) & (curve.share <= 1)).all()
        assert (sign * np.diff(curve.share) >= 0).all()


def test_nothing_is_above_the_oracle(found):
    for of in (performance_profile, ecdf):
        curves = {curve.library: curve for curve in of(found)}
        for curve in curves.values():
            assert (curve.share <= curves["oracle"].share).all()
    profile = {curve.library: curve for curve in performance_profile(found)}
    assert (profile["oracle"].share == 1).all()
    for name in ("raises", "nan", "leaves"):
        assert (profile[name].share == 0).all()
    best = [row["library"] for row in ranking_rows(found) if row["rank"] == 1]
    assert best == ["oracle", "oracle"]


def test_estimates_of_nulls_are_what_they_are_known_to_be(found):
    rows = {row["library"]: row for row in calibration_rows(found)}
    assert "raises" not in rows
    assert rows["honest"]["coverage"] == 1
    assert rows["sure"]["coverage"] < 0.5
    assert rows["sure"]["zero_estimates"] == round((1 - rows["sure"]["coverage"]) * rows["sure"]["estimates"]) > 0
    assert rows["zero"]["missing"] == rows["zero"]["cells"] == 8


def test_who_was_swept_answers_at_the_optimal_epsilon_as_its_curve_has_it(found, swept):
    chosen = answers(found)
    problems_of = [(case.library, case.dtype, case.point) for case in chosen]
    assert len(set(problems_of)) == len(problems_of) == 9 * 2 * 4
    for block in swept.blocks:
        curves = curves_of(block)
        for name in ("swept-epsilon", "central-2"):
            optimal = curves.optimal_epsilon[curves.schemes.index(name)]
            mine = [case.epsilon for case in chosen if (case.library, case.dtype) == (name, block.dtype)]
            assert mine == optimal.tolist()


def test_a_swept_contestant_without_an_ok_cell_has_failed():
    some = [made(outcome="exception", status="failed", epsilon=epsilon) for epsilon in (1e-1, 1e-2, 1e-3)]
    (case,) = answers(some)
    assert (case.outcome, case.epsilon) == ("exception", 1e-1)


def test_a_lucky_collapsed_cell_and_the_steps_of_rules_are_no_optimum():
    lost = [made(error=0.0, status="collapsed", epsilon=10.0**-k) for k in range(15, 20)]
    chosen = [made(error=0.0, rule="usual", epsilon=1e-6) for _ in range(5)]
    (case,) = answers([made(error=1e-3, epsilon=1e-1), made(error=1e-4, epsilon=1e-2), *lost, *chosen])
    assert (case.status, case.rule, case.error) in {("ok", "", 1e-3), ("ok", "", 1e-4)}


def test_a_profile_is_that_of_its_definition(found):
    chosen = [case for case in answers(found) if case.dtype == "float64"]
    size = {
        (case.library, case.point): np.inf if np.isnan(case.error) else max(abs(case.error), case.ulp / 2, 5e-324)
        for case in chosen
    }
    libraries = list(dict.fromkeys(case.library for case in chosen))
    for curve in performance_profile([case for case in found if case.dtype == "float64"]):
        for ratio, share in zip(RATIOS, curve.share, strict=True):
            within = [size[curve.library, p] / min(size[name, p] for name in libraries) <= ratio for p in range(4)]
            assert share == np.mean(within)


def test_ecdf_is_that_of_its_definition(found):
    digits = {}
    for case in answers(found):
        if case.reference:
            digits.setdefault(case.library, []).append(-np.inf if np.isnan(case.error) else case.digits)
    for curve, (library, own) in zip(ecdf(found), digits.items(), strict=True):
        assert curve.library == library
        np.testing.assert_array_equal(curve.share, [np.mean(np.array(own) >= d) for d in DIGITS])
