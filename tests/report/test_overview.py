"""What a report says first."""

import numpy as np
import pytest

from diffbench import Function, Spec, run
from diffbench.analysis.judgement import Finding, Judgement
from diffbench.report.contest import Contest
from diffbench.report.overview import digits_of, elapsed_of, gate_of, size_of, verdict_of
from diffbench.report.tables import run_tables
from diffbench.sweep.contest import contest_spec


@pytest.fixture(scope="module")
def several():
    """Two derivatives and two dtypes."""
    schemes, grid = ["forward-1", "central-2", "complex-step"], "1e-1:1e-8"
    return run(Spec(["exp", "sin"], schemes, grid, derivatives=[1, 2], dtypes=["float64", "float32"]))


def test_a_scheme_counts_once_whatever_its_derivatives(several):
    assert {scheme for part in several.curves for scheme in part.schemes} >= {"central-2", "central-2-d2"}
    assert size_of(several) == "3 schemes on 2 functions"


def test_the_sentence_is_of_the_first_derivative_and_dtype(several):
    ranking = run_tables(several)["ranking"]
    first = ranking.rows[0]
    assert (first["derivative"], first["dtype"], first["scheme"]) == (1, "float64", "complex-step")
    assert "complex-step comes first with 15.9 digits" in verdict_of(several, {"ranking": ranking})
    assert "(derivative 1, float64, median)" in verdict_of(several, {"ranking": ranking})


def test_digits_are_not_pooled_over_dtypes(several):
    found = digits_of(several)
    own = [part for part in several.curves if part.key[1:] == (1, "float64")]
    digits = np.concatenate([part.oracle_digits.ravel() for part in own])
    assert (found.median, found.least) == (np.nanmedian(digits), np.nanmin(digits))
    assert found.where == "first, float64"
    scheme, function, x = found.least_at.split(", ")
    place = next(part for part in own if part.function == function)
    at = [f"x = {value:.4g}" for value in place.x].index(x)
    assert place.oracle_digits[place.schemes.index(scheme), at] == found.least


def test_one_derivative_and_dtype_need_no_name_and_no_digits_are_none():
    assert digits_of(run(Spec(["exp"], ["central-2"], "1e-1:1e-4"))).where == ""
    assert digits_of(run(Spec(Function("kink", "Abs(x)", ["0"]), ["central-2"], "1e-1:1e-4"))) is None


@pytest.mark.slow
def test_a_contest_says_who_is_right_and_who_is_silently_wrong():
    results = run(contest_spec(["lab"], ["scipy-2-point", "mpmath-diff"], dtypes=["float64"]))
    tables = run_tables(results) | Contest(results).tables()
    said = verdict_of(results, tables)
    rows = [row for row in tables["leaderboard"].rows if row["package"] and row["dtype"] == "float64"]
    best = max(rows, key=lambda row: row["right"])
    assert f"of other packages {best['library']} is right most often, {best['right']} of {best['cells']}" in said
    wrong = sum(row["silently_wrong"] > 0 for row in rows)
    assert f" of {len(rows)} are wrong somewhere without a word" in said
    assert said.split("; ")[-1].startswith(str(wrong))


@pytest.mark.parametrize(("code", "word"), [(1, "regression"), (7, "baseline stale"), (9, "exit code 9")])
def test_a_gate_in_a_word(code, word):
    assert gate_of(Judgement("run", "baseline", {}, (Finding(code, "cell", "central-2", "worse"),))) == word


def test_elapsed_is_that_of_the_manifest():
    begun = {"started": "2026-01-01T00:00:00+00:00"}
    assert elapsed_of(begun | {"finished": "2026-01-01T00:00:07+00:00"}) == "7 s"
    assert elapsed_of(begun | {"finished": "2026-01-01T00:02:05+00:00"}) == "2 min 5 s"
    assert elapsed_of(begun) == ""
