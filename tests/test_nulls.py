"""The harness tested with contestants whose results are known: an oracle, and broken ones."""

from asyncio import CancelledError
from fractions import Fraction

import numpy as np
import pytest

from diffbench import Function, OpaqueScheme, Spec, exact_derivative, load, run
from diffbench.analysis.summary import ranking_rows
from diffbench.report.tables import run_tables

FUNCTIONS = ("exp", "sin", "log", "gamma", "runge", "x-log-x", "tanh-far", "huge-values", "tiny-values")
GOOD = OpaqueScheme("good", lambda f, x, e: (f(x + e) - f(x - e)) / (2 * e))


class Oracle:
    """Answers the exact derivative, rounded once to float64."""

    def __init__(self, formula):
        self._formula = formula

    def __call__(self, f, x, *epsilon):
        return exact_derivative(self._formula, float(x)).hi


def oracle(name, **options):
    (function,) = Spec(name).functions
    return OpaqueScheme("oracle", Oracle(function.formula), **options)


def one(scheme, **options):
    """Return the frame of one scheme on x² at 3, for two epsilons."""
    return run(Spec(Function("square", "x**2", ["3"], **options), [scheme], ["1e-2", "1e-3"])).to_frame()


# oracle ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_oracles_error_is_exactly_minus_lo(name):
    (block,) = run(Spec(name, [oracle(name)], ["1e-3", "1e-8"])).blocks
    expected = np.broadcast_to(0 - block.lo[None], block.error.shape)
    known = ~np.isnan(block.error)
    assert known[:, :, :2].all()
    assert (block.error[known] == expected[known]).all()
    assert set(block.status[known]) == {7}


def test_the_oracles_error_is_that_of_the_true_value():
    frame = run(Spec("exp", [oracle("exp")], ["1e-3"])).to_frame()
    truths = [exact_derivative("exp(x)", x, digits=60) for x in frame["x"]]
    for error, estimate, truth in zip(frame["error"], frame["estimate"], truths, strict=True):
        exact = Fraction(estimate) - Fraction(int(truth.value.man)) * Fraction(2) ** int(truth.value.exp)
        assert abs(Fraction(error) - exact) <= abs(exact) * Fraction(4, 2**53)


def test_the_oracles_error_is_at_most_half_a_unit_in_the_last_place():
    for name in FUNCTIONS:
        (block,) = run(Spec(name, [oracle(name)], ["1e-3"])).blocks
        assert np.nanmax(block.ulp_error) <= 0.5
        known = block.digits[~np.isnan(block.digits)]
        assert (known > 15.9).all()


@pytest.mark.parametrize("takes_epsilon", [True, False])
@pytest.mark.parametrize("name", ["exp", "log", "runge"])
def test_nothing_ranks_above_the_oracle(name, takes_epsilon):
    schemes = [*(scheme.name for scheme in Spec(name).schemes), oracle(name, takes_epsilon=takes_epsilon)]
    results = run(Spec(name, schemes))
    (block,) = results.blocks
    mine = block.schemes.index("oracle")
    # Digits stop at half the unit roundoff for everyone, so that the best estimates may tie with the oracle.
    digits = block.digits[:, block.hi[:, 0] != 0]
    assert np.nanmin(digits[mine], axis=1).tolist() == pytest.approx(np.nanmax(digits, axis=(0, 2)).tolist(), abs=0.302)
    if takes_epsilon:
        rows = {row["scheme"]: row for row in ranking_rows(results.curves)}
        assert rows["oracle"]["rank"] == 1
        assert rows["oracle"]["optimal_digits"] == max(row["optimal_digits"] for row in rows.values())


@pytest.mark.parametrize("name", ["exp", "log", "gamma", "tanh-100x"])
def test_no_estimate_is_closer_than_the_oracles(name):
    schemes = [*(scheme.name for scheme in Spec(name).schemes), oracle(name)]
    (block,) = run(Spec(name, schemes)).blocks
    error = np.abs(block.error)
    best = error[block.schemes.index("oracle"), :, :1]
    assert (np.nanmin(error, axis=(0, 2)) == best[:, 0]).all()


# broken schemes -------------------------------------------------------------------------------------------------------


def raising(f, x, epsilon):
    raise ArithmeticError("I give\nup")


BROKEN = {
    "raises": (raising, "failed", "ArithmeticError: I give up"),
    "vector": (lambda f, x, e: np.zeros(3), "failed", "shape (3,)"),
    "empty": (lambda f, x, e: [], "failed", "shape (0,)"),
    "matrix": (lambda f, x, e: np.zeros((2, 2)), "failed", "shape (2, 2)"),
    "nothing": (lambda f, x, e: None, "failed", "NoneType"),
    "text": (lambda f, x, e: "six", "failed", "six"),
    "complex": (lambda f, x, e: 6 + 0j, "failed", "complex"),
    "three": (lambda f, x, e: (6.0, 0.1, 0.2), "failed", "shape (3,)"),
    "arity": (lambda f: 6.0, "failed", "TypeError"),
    "huge": (lambda f, x, e: 10**400, "failed", "OverflowError"),
    "nan": (lambda f, x, e: float("nan"), "nonfinite", "the estimate is not finite"),
    "infinite": (lambda f, x, e: -np.inf, "nonfinite", "the estimate is not finite"),
}


@pytest.mark.parametrize(("call", "status", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_scheme_fills_the_status_column_with_its_reason(call, status, reason):
    frame = one(OpaqueScheme("broken", call))
    assert frame["status"].tolist() == [status, status]
    for text in frame["reason"]:
        assert reason in text
        assert "\n" not in text
    assert frame[["estimate", "error", "digits"]].isna().all(axis=None)


@pytest.mark.parametrize(
    "answer", [6, 6.0, np.float32(6), np.float64(6), np.array(6.0), np.array([6.0]), [6.0], True * 6]
)
def test_answers_that_are_one_real_number_are_taken(answer):
    frame = one(OpaqueScheme("fine", lambda f, x, e: answer))
    assert frame["status"].tolist() == ["ok", "ok"]
    assert frame["estimate"].tolist() == [6.0, 6.0]


def test_an_error_estimate_that_is_not_finite_is_null_and_costs_nothing_else():
    frame = one(OpaqueScheme("unsure", lambda f, x, e: (6.0, float("nan") if e < 5e-3 else 0.5)))
    assert frame["status"].tolist() == ["ok", "ok"]
    assert frame["error_estimate"].isna().tolist() == [False, True]


def test_a_failure_costs_its_cell_only():
    def moody(f, x, e):
        if e < 5e-3:
            raise ValueError("no")
        return 6.0

    frame = run(
        Spec(Function("square", "x**2", ["3"]), [OpaqueScheme("moody", moody), "forward-1"], ["1e-2", "1e-3"])
    ).to_frame()
    assert frame["status"].tolist() == ["ok", "failed", "ok", "ok", "ok"]


def test_a_long_reason_is_one_short_line():
    def verbose(f, x, e):
        raise ValueError("word\n" * 1000)

    (reason,) = set(one(OpaqueScheme("verbose", verbose))["reason"])
    assert len(reason) <= 200
    assert reason.startswith("ValueError: word word")


def test_the_user_stops_the_program_and_a_scheme_does_not():
    def stopped_by(stop):
        def call(f, x, e):
            raise stop

        return OpaqueScheme("quitting", call)

    with pytest.raises(KeyboardInterrupt):
        one(stopped_by(KeyboardInterrupt))
    for stop in (SystemExit, GeneratorExit, CancelledError):
        assert set(one(stopped_by(stop))["status"]) == {"failed"}


def test_broken_schemes_rank_last_and_are_reported():
    schemes = [GOOD, OpaqueScheme("raises", raising), OpaqueScheme("nan", lambda f, x, e: float("nan"))]
    results = run(Spec(["exp", "sin"], schemes, "1e-2:1e-8:1/decade"))
    rows = ranking_rows(results.curves)
    assert rows[0]["scheme"] == "good"
    assert {row["scheme"]: row["optimal_digits"] for row in rows[1:]} == {"raises": 0, "nan": 0}
    assert {row["scheme"]: row["not_ok"] for row in rows} == {"good": 0, "raises": 56, "nan": 56}
    status = {
        (row["status"], row["example"].rpartition(", ")[2]): row["cells"] for row in run_tables(results)["status"].rows
    }
    assert status == {("failed", "raises"): 56, ("nonfinite", "nan"): 56}


def test_a_run_full_of_failures_is_stored_and_read_back(tmp_path):
    schemes = [OpaqueScheme(name, call) for name, (call, _, _) in BROKEN.items()]
    measured = run(Spec("exp", schemes, ["1e-2", "1e-3"]), out=tmp_path / "run")
    assert load(tmp_path / "run").to_frame().equals(measured.to_frame())
    assert load(tmp_path / "run").counts == measured.counts


# broken functions -----------------------------------------------------------------------------------------------------


def explode(x):
    raise OSError("disk on fire")


DIFFERENCES = ("forward-1", "central-4", "complex-step")
EVALUATE = {
    "raises": (explode, "failed", "f raised OSError: disk on fire"),
    "shape": (lambda x: np.zeros(2, x.dtype), "failed", "shape (2,)"),
    "scalar": (lambda x: 9.0, "failed", "float"),
    "nothing": (lambda x: None, "failed", "NoneType"),
    "list": (list, "failed", "list"),
    "narrow": (lambda x: (x * x).astype("float32"), "unsupported", "f demotes float64 to float32"),
    "wide": (lambda x: (x * x).astype("longdouble"), "unsupported", "f promotes float64 to longdouble"),
    "whole": (lambda x: (x * x).astype(int), "unsupported", "f demotes float64 to int64"),
    "complex": (lambda x: x * x + 0j, "unsupported", "f promotes float64 to complex128"),
    "object": (lambda x: (x * x).astype(object), "unsupported", "f promotes float64 to object"),
    "nan": (lambda x: x * np.array(np.nan), "nonfinite", "f is not finite at a node"),
}


@pytest.mark.parametrize(("evaluate", "status", "reason"), EVALUATE.values(), ids=EVALUATE)
def test_a_broken_f_fills_the_status_column_with_its_reason(evaluate, status, reason):
    function = Function("square", "x**2", ["3", "4"], evaluate=evaluate)
    frame = run(Spec(function, ["forward-1", "central-4"], ["1e-2", "1e-3"])).to_frame()
    assert set(frame["status"]) == {status}
    expected = reason.replace("longdouble", np.dtype("longdouble").name)
    assert all(expected in text for text in frame["reason"])
    assert frame["estimate"].isna().all()


def test_a_broken_f_fails_opaque_schemes_too():
    frame = one(GOOD, evaluate=explode)
    assert frame["status"].tolist() == ["failed", "failed"]
    assert all("disk on fire" in reason for reason in frame["reason"])


def test_a_broken_f_leaves_the_other_functions_alone():
    functions = [Function("broken", "x**2", ["3"], evaluate=explode), Function("whole", "x**2", ["3"])]
    results = run(Spec(functions, DIFFERENCES, ["1e-2"]))
    assert [block.counts["failed"] for block in results.blocks] == [6, 0]
    assert results.counts["ok"] == 6


def test_an_f_of_ones_own_is_what_is_measured_and_the_formula_is_the_truth():
    frame = one("central-2", evaluate=lambda x: np.array(5.0) * x)
    grid = frame[frame["rule"].isna()]
    assert grid["estimate"].tolist() == pytest.approx([5, 5])
    assert grid["reference"].tolist() == [6, 6]


def test_a_correct_f_of_ones_own_gives_the_bits_of_the_formula():
    own, formula = (one("central-2", evaluate=evaluate) for evaluate in (lambda x: x * x, None))
    assert own["estimate"].tolist() == formula["estimate"].tolist()


# what failures mean ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("allowed", "code"), [(0, 3), (1, 3), (2, 0), (99, 0)])
def test_failed_cells_beyond_what_is_allowed_end_in_exit_code_3(allowed, code, monkeypatch, tmp_path, capsys):
    from diffbench.cli import run as verb
    from diffbench.cli import spec_options

    failing = OpaqueScheme("raises", raising)
    monkeypatch.setattr(verb, "raise_on_sigterm", lambda: None)
    monkeypatch.setattr(spec_options, "Spec", lambda **options: Spec(**(options | {"schemes": ["forward-1", failing]})))
    (tmp_path / "spec.toml").write_text(f'functions = ["2*w"]\nepsilons = ["1e-2", "1e-3"]\nallow_failed = {allowed}\n')
    arguments = [str(tmp_path / "spec.toml"), "--out", str(tmp_path / "run"), "--quiet"]
    assert verb.command.main(arguments, standalone_mode=False) == code
    assert "2 failed" in capsys.readouterr().out
    assert (tmp_path / "run" / "report.html").is_file()
    assert load(tmp_path / "run").counts["failed"] == 2


def test_only_failed_cells_count_against_a_run(monkeypatch, tmp_path, capsys):
    from diffbench.cli import run as verb

    monkeypatch.setattr(verb, "raise_on_sigterm", lambda: None)
    arguments = [
        "-f",
        "abs",
        "-f",
        "sqrt",
        "--epsilon",
        "1,1e-30",
        "--out",
        str(tmp_path / "run"),
        "--quiet",
        "--no-report",
    ]
    assert not verb.command.main(arguments, standalone_mode=False)
    counts = load(tmp_path / "run").counts
    assert counts["failed"] == 0
    assert all(counts[label] for label in ("unsupported", "domain", "nondifferentiable", "collapsed", "ok"))
