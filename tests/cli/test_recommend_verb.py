"""``diffbench recommend``: a formula, a class of functions, and every mistake."""

import sys

import pytest

from diffbench import load
from diffbench.analysis.gradient_checks import CHECKERS, Checker

FIELDS = {"scheme", "epsilon", "digits", "digits_low", "digits_high", "flat_decades", "robustness", "evaluations"}


def mistake(outcome, code, words):
    assert outcome.code == code, outcome.err
    assert outcome.err.count("\n") == 1
    assert words in outcome.err
    assert not outcome.out


def test_json_is_one_object_with_the_contract_s_keys(diffbench):
    advice = diffbench("recommend", "exp(sin(x))", "--at", "1.3", "--format", "json").json
    assert advice.keys() >= FIELDS | {"runner_up", "reason", "formula", "x", "derivative", "dtype"}
    assert (advice["scheme"], advice["formula"], advice["x"]) == ("central-8", "exp(sin(x))", 1.3)
    assert advice["runner_up"].keys() == {"scheme", "epsilon", "digits"}
    assert 13 < advice["digits"] < 15


def test_text_says_the_same_in_lines(diffbench):
    outcome = diffbench("recommend", "exp(sin(x))", "--at", "1.3")
    lines = dict(line.split("  ", 1) for line in outcome.out.splitlines())
    assert lines["scheme"].strip() == "central-8"
    assert lines["reason"].strip().startswith("At ε = ")
    assert "runner up" in lines


@pytest.mark.parametrize(
    ("options", "scheme"),
    [
        (("--evaluations", "2"), "central-2"),
        (("--allow", "complex"), "complex-step"),
        (("--derivative", "2", "--evaluations", "3"), "central-2-d2"),
    ],
)
def test_options_choose_what_is_allowed(diffbench, options, scheme):
    assert diffbench("recommend", "exp(x)", "--at", "1", *options, "--format", "json").json["scheme"] == scheme


def test_a_formula_may_begin_with_a_minus_sign(diffbench):
    assert diffbench("recommend", "-x**3", "--at", "-2", "--format", "json").json["x"] == -2


def test_dtype(diffbench):
    wide, narrow = (
        diffbench("recommend", "exp(x)", "--at", "1", "--dtype", dtype, "--format", "json").json
        for dtype in ("float64", "float32")
    )
    assert narrow["digits"] < 7.6 < wide["digits"]


@pytest.mark.parametrize(
    ("kind", "head"),
    [("svg", b"<?xml"), *(pytest.param(*e, marks=pytest.mark.slow) for e in [("png", b"\x89PNG"), ("pdf", b"%PDF")])],
)
def test_a_figure_is_drawn(diffbench, tmp_path, kind, head):
    assert diffbench("recommend", "exp(x)", "--at", "1", "--figure", f"f.{kind}").code == 0
    assert (tmp_path / f"f.{kind}").read_bytes().startswith(head)


@pytest.mark.parametrize(
    "formula", ["cos(x)", *(pytest.param(each, marks=pytest.mark.slow) for each in ("3*x", "Abs(x) + 1"))]
)
def test_a_figure_of_what_no_logarithm_shows(diffbench, tmp_path, formula):
    x = "0" if formula == "cos(x)" else "1"
    assert diffbench("recommend", formula, "--at", x, "--allow", "complex", "--figure", "f.png").code == 0
    assert (tmp_path / "f.png").stat().st_size > 2000


def test_a_class_of_functions_is_swept_and_the_advice_judged(diffbench):
    advice = diffbench("recommend", "--class", "oscillating", "--format", "json").json
    assert advice["scheme"] == "central-8"
    assert advice["functions"] == 2
    assert advice["lost_worst"] >= advice["lost_median"] >= 0
    assert {"epsilon", "rule", "digits", "runner_up", "worst_function", "reason"} <= advice.keys()


def test_a_class_in_text(diffbench):
    outcome = diffbench("recommend", "--class", "exponential", "--dtype", "float32", "--evaluations", "2")
    assert outcome.code == 0
    assert "lost median" in outcome.out


def test_a_gradient_check_has_its_epsilon_and_tolerance_beside_the_defaults(diffbench, monkeypatch):
    stub = Checker("torch.autograd.gradcheck", "numpy", "1e-6", {"float16": (1e-5, 1e-3)})
    monkeypatch.setitem(CHECKERS, "torch", stub)
    asked = ("recommend", "sin(x)", "--at", "1", "--framework", "torch", "--dtype", "float16")
    advice = diffbench(*asked, "--format", "json").json
    assert advice.keys() >= {"scheme", "epsilon", "digits", "atol", "rtol", "reason"}
    assert (advice["scheme"], advice["check"], advice["default_epsilon"]) == ("central-2", stub.name, 1e-6)
    assert (advice["default_step"], advice["default_accepts"]) == (0, False)
    lines = dict(line.split("  ", 1) for line in diffbench(*asked).out.splitlines())
    assert lines["default rtol"].strip() == "0.001"
    assert float(lines["epsilon"]) == advice["epsilon"]
    assert "is lost in x" in lines["reason"]


@pytest.mark.parametrize(
    "more",
    [("--evaluations", "2"), ("--allow", "complex"), ("--derivative", "2"), ("--suite", "lab"), ("--class", "smooth")],
)
def test_a_gradient_check_takes_no_other_options(diffbench, more):
    mistake(
        diffbench("recommend", "sin(x)", "--at", "1", "--framework", "jax", *more), 2, "framework: it takes a formula"
    )


def test_a_framework_that_is_not_installed_is_a_mistake(diffbench, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    asked = ("recommend", "sin(x)", "--framework", "jax")
    mistake(diffbench(*asked, "--at", "1"), 2, "recommend: jax is not installed")
    mistake(diffbench(*asked), 2, "a formula needs a point")
    mistake(diffbench("recommend", "--framework", "jax"), 2, "it takes a formula")


@pytest.mark.parametrize(
    ("code", "words", "arguments"),
    [
        (2, "a formula needs a point", ["exp(x)"]),
        (2, "give one with --at", []),
        (2, "need one", ["--class", "smooth", "--at", "1"]),
        (2, "without a formula", ["exp(x)", "--at", "1", "--class", "smooth"]),
        (2, "not defined", ["log(x)", "--at", "-1"]),
        (2, "position", ["exp(", "--at", "1"]),
        (2, "not an svg, png or pdf", ["exp(x)", "--at", "1", "--figure", "f.gif"]),
        (2, "dtype", ["exp(x)", "--at", "1", "--dtype", "int8"]),
        (2, "suite", ["--suite", "standart"]),
        (5, "no function of standard is tagged 'wobbly'", ["--class", "wobbly"]),
        (5, "evaluations: 1 is too few", ["exp(x)", "--at", "1", "--evaluations", "1"]),
        (6, "nondifferentiable", ["Abs(x)", "--at", "0"]),
        (74, "f.png", ["exp(x)", "--at", "1", "--figure", "missing/f.png"]),
    ],
)
def test_every_mistake_is_one_line_with_its_code(diffbench, code, words, arguments):
    mistake(diffbench("recommend", *arguments), code, words)


def test_show_prints_the_model_and_the_printed_optima(diffbench):
    assert diffbench("run", "-f", "exp(x)", "--at", "1", "-s", "central-2", "--out", "r", "--no-report").code == 0
    (row,) = diffbench("show", "r", "--table", "model", "--format", "json").json
    assert row["in_flat_region"] is True
    assert row["scheme"] == "central-2"
    assert len(diffbench("show", "r", "--table", "published", "--format", "json").json) > 25
    assert load("r").counts["ok"]
