"""The command line in this process: verbs, options, formats, and every mistake as one line with its exit code."""

import errno
import json
import os
import re
import sys
from fractions import Fraction

import pytest

from diffbench import Spec, load, run
from diffbench.cli import VERBS, main
from diffbench.cli.catalogue import LONGEST
from diffbench.errors import StoreError
from diffbench.functions.frameworks import FRAMEWORKS, why_not
from diffbench.reference.balls import Ball
from diffbench.reference.exact import references
from diffbench.schemes.step_rules import RULES
from diffbench.sweep.files import sealed


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "lab"
    run(Spec("lab"), out=path)
    return str(path)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "large"
    run(Spec(["exp", "abs", "sqrt"], ["forward-1", "central-4", "complex-step"]), out=path)
    return str(path)


def one_line(outcome, code):
    """Return the one line on stderr of a command that found a mistake."""
    assert outcome.code == code, outcome.err
    assert outcome.err.count("\n") == 1, outcome.err
    assert outcome.err.startswith("diffbench: ")
    assert "Traceback" not in outcome.err
    assert "internal error" not in outcome.err
    return outcome.err


# run ------------------------------------------------------------------------------------------------------------------


def test_run_leaves_a_run_folder_with_its_report(diffbench, tmp_path):
    outcome = diffbench("run", "--suite", "lab", "--out", "new")
    assert outcome.code == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        *("manifest.json", "plan.json", "spec.toml", "cells", "curves", "references.parquet"),
        *("summary.parquet", "tables", "figures", "report.html"),
    }
    assert outcome.out.splitlines()[-1] == "report: new/report.html"
    assert "21 cells planned: 21 ok" in outcome.out
    assert "7 references: 7 certified" in outcome.out
    assert load(tmp_path / "new").spec == Spec("lab", anatomy=True).to_toml()


def test_without_out_the_folder_is_below_results(diffbench, tmp_path):
    asked = ("run", "--suite", "lab", "-s", "forward-1", "--quiet", "--epsilon", "1e-3")
    outcome = diffbench(*asked)
    assert (tmp_path / outcome.out.splitlines()[-1].removeprefix("report: ")).is_file()
    assert (outcome.code, diffbench(*asked, "--no-report").code) == (0, 0)
    folders = list((tmp_path / "results").iterdir())
    assert len(folders) == 2
    assert all(folder.name.startswith("lab-") for folder in folders)


def test_progress_goes_to_stderr_and_quiet_shows_none(diffbench):
    small = ("-f", "w**2", "--at", "3", "-s", "forward-1", "--epsilon", "1e-3,1e-9")
    shown = diffbench("run", *small, "--out", "shown")
    assert "sweep: 3/3 cells" in shown.err
    assert "report: 1/1 figures" in shown.err
    quiet = diffbench("run", *small, "--out", "quiet", "--quiet")
    assert quiet.err == ""
    assert quiet.out == shown.out.replace("shown", "quiet")


def test_options_are_those_of_the_spec(diffbench, tmp_path, monkeypatch):
    monkeypatch.setattr("diffbench.report.folder.write_report", lambda *_, **__: "elsewhere")
    outcome = diffbench(
        *("run", "-f", "x**3", "-f", "exp", "--at", "2", "--at", "1/3", "-s", "central-4", "-s", "stencil(-1,0,2)"),
        *("--epsilon", "1e-2,1e-3", "--epsilon", "1e-5:1e-6:1/decade", "--derivative", "1", "--derivative", "2"),
        *("--dtype", "float32", "--dtype", "float64", "--out", "run", "--quiet"),
    )
    assert outcome.code == 0
    frame = load(tmp_path / "run").to_frame()
    assert set(frame["function"]) == {"x**3", "exp"}
    assert sorted(set(frame.loc[frame["dtype"] == "float64", "x"])) == [1 / 3, 2]
    assert set(frame["scheme"]) == {"central-4", "central-4-d2", "stencil(-1,0,2)", "stencil(-1,0,2)-d2"}
    assert set(frame["dtype"]) == {"float32", "float64"}
    assert frame["epsilon_index"].max() == 3


def test_rules_are_named_one_by_one_or_all_together(diffbench, tmp_path):
    common = ("run", "-f", "exp", "-s", "central-2", "--epsilon", "1e-1:1e-9", "--quiet", "--no-report")
    assert diffbench(*common, "--rule", "mathur", "--rule", "fixed(1/8)", "--out", "two").code == 0
    assert set(load(tmp_path / "two").to_frame()["rule"].dropna()) == {"mathur", "fixed(1/8)"}
    assert diffbench(*common, "--rule", "all", "--out", "every").code == 0
    assert set(load(tmp_path / "every").to_frame()["rule"].dropna()) == {rule.name for rule in RULES}
    rows = diffbench("show", "every", "--table", "regret", "--format", "json").json
    assert {row["rule"]: row["evaluations"] for row in rows}["stepleman-winarsky"] > 5
    assert rows == sorted(rows, key=lambda row: (row["lost_median"], row["lost_worst"]))
    assert "and those of adaptive rules" in diffbench("plan", "-f", "exp", "--rule", "mathur").out
    assert "rule: 'best' is not one of all, published, usual" in diffbench("plan", "-f", "exp", "--rule", "best").err


def test_a_spec_file_with_options_in_place_of_its_keys(diffbench, tmp_path):
    (tmp_path / "my.toml").write_text('functions = ["exp"]\nschemes = ["forward-1"]\nepsilons = ["1e-3"]\n')
    assert diffbench("run", "my.toml", "-s", "central-2", "--no-report").code == 0
    (folder,) = (tmp_path / "results").iterdir()
    assert folder.name.startswith("my-")
    frame = load(folder).to_frame()
    assert set(frame["scheme"]) == {"central-2"}
    assert set(frame["function"]) == {"exp"}
    assert set(frame["epsilon"].where(frame["rule"].isna()).dropna()) == {1e-3}


def test_a_suite_file_of_ones_own(diffbench, tmp_path):
    (tmp_path / "own.toml").write_text(
        'schemes = ["forward-1"]\nepsilons = ["1e-3"]\n[[functions]]\nname = "mine"\nformula = "x^2"\npoints = ["3"]\n'
    )
    outcome = diffbench("run", "--suite", "own.toml", "--out", "run", "--quiet", "--format", "json")
    assert [row["estimate"] for row in outcome.json if not row["rule"]] == [6.000999999999479]


@pytest.mark.parametrize("formula", ["-x**2", "-sin(x)", "-x", "--x", "-(x + 1)/x", "-1*x"])
def test_a_formula_may_begin_with_a_minus(formula, diffbench):
    measured = ("run", "-f", formula, "--at", "-2", "-s", "central-2", "--epsilon", "1e-3", "--no-report")
    outcome = diffbench(*measured, "--out", "r")
    assert outcome.code == 0
    assert diffbench("exact", formula, "--at", "-2").code == 0
    assert diffbench("exact", "--at", "-2", formula, "--format", "json").json["verdict"] == "certified"


def test_points_that_nobody_chose(diffbench, tmp_path):
    common = (
        "run",
        "-f",
        "log(x)",
        "-s",
        "central-2",
        "--epsilon",
        "1e-3",
        "--rule",
        "usual",
        "--quiet",
        "--no-report",
    )
    given = ("--points", "ordinals:4", "--points", "ends:3 in (0, 1]", "--seed", "5")
    assert diffbench(*common, *given, "--out", "run").code == 0
    frame = load(tmp_path / "run").to_frame()
    assert frame["x"].nunique() == 7
    assert set(frame.loc[frame["x"] < 0, "status"]) == {"domain"}
    assert "needs a point" in diffbench(*common, "--points", "own", "--out", "other").err


def test_an_evaluator_that_is_not_installed_makes_rows_and_one_that_there_is_not_a_mistake(diffbench, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    asked = ("run", "-f", "exp(x)", "--at", "1", "-s", "central-2", "--epsilon", "1e-3", "--out", "r", "--evaluator")
    outcome = diffbench(*asked, "torch")
    assert outcome.code == 0
    assert "2 cells planned: 2 unsupported" in outcome.out
    assert set(load("r").to_frame()["reason"]) == {"torch is not installed"}
    assert one_line(diffbench(*asked, "torhc"), 2).endswith("not one of numpy, jax, torch; did you mean 'torch'?\n")


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_cost_of_a_model_is_computed_by_a_framework(framework, diffbench):
    if why_not(framework):
        pytest.skip(why_not(framework))
    asked = ("run", "-f", "network-11", "-s", "central-2", "--epsilon", "1e-2", "--dtype", "float32", "--out", "r")
    assert diffbench(*asked, "--evaluator", framework).code == 0
    assert diffbench("show", "r", "--table", "gradients", "--format", "json").json[0]["norm_error"] < 1e-2
    assert framework in load("r").manifest["versions"]


def test_json_of_run_is_on_stdout_alone(diffbench):
    few = ("-f", "w**2", "--at", "3", "-s", "forward-1", "--epsilon", "1e-3")
    outcome = diffbench("run", *few, "--out", "run", "--format", "json", "--quiet")
    assert len(outcome.json) == 2
    assert outcome.json[0]["estimate"] == 6.000999999999479
    assert "report: run/report.html" in outcome.err


# show and report ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["ranking", "summary", "digits", "estimates", "references", "status", "regret"])
@pytest.mark.parametrize("folder", ["lab", "large"])
def test_show_prints_every_table_in_both_formats(table, folder, diffbench, lab, large):
    path = {"lab": lab, "large": large}[folder]
    text = diffbench("show", path, "--table", table)
    rows = diffbench("show", path, "--table", table, "--format", "json")
    assert (text.code, rows.code, text.err, rows.err) == (0, 0, "", "")
    assert len(text.out.splitlines()) == 5 + len(rows.json)
    assert len({tuple(row) for row in rows.json}) <= 1


def test_show_chooses_estimates_for_small_runs_and_the_ranking_for_large_ones(diffbench, lab, large):
    assert diffbench("show", lab).out.startswith("Estimates\n")
    assert diffbench("show", large).out.startswith("Which scheme?\n")


def test_show_prints_numbers_in_full(diffbench, lab):
    assert "-0.031238285155041345" in diffbench("show", lab).out


def test_show_prints_the_exact_derivatives(diffbench, large):
    rows = diffbench("show", large, "--table", "references", "-f", "exp", "--format", "json").json
    assert {row["function"] for row in rows} == {"exp"}
    assert {(row["x"], row["verdict"]) for row in rows} == {(x, "certified") for x in (-1, 0, 0.5, 2)}


def test_show_selects_functions_and_schemes(diffbench, large):
    rows = diffbench(
        "show", large, "--table", "summary", "-f", "exp", "-f", "abs", "-s", "central-4", "--format", "json"
    ).json
    assert [(row["function"], row["scheme"]) for row in rows] == [("exp", "central-4"), ("abs", "central-4")]
    assert "'nosuch'" in one_line(diffbench("show", large, "--table", "summary", "-f", "nosuch"), 5)


# exact, weights, list -------------------------------------------------------------------------------------------------


def test_references_verify_prints_a_table_and_no_disagreement(diffbench):
    outcome = diffbench("references", "verify", "lab", "--derivative", "1", "--derivative", "3", "--format", "json")
    assert outcome.code == 0
    names = [f"{name}" for name in outcome.json[0]]
    assert names == [
        *("suite", "function", "derivative", "certified", "agreed", "uncertain", "nondifferentiable"),
        *("second_opinions", "third_opinions", "disagreements", "remarks"),
    ]
    assert [row["derivative"] for row in outcome.json] == [1, 3] * 5
    assert {row["suite"] for row in outcome.json} == {"lab"}
    assert outcome.err == "14 certified, 14 with a second opinion, 0 disagreements\n"
    assert diffbench("references", "verify", "lab").out.splitlines()[-1].endswith(" 0 disagreements")


def test_a_disagreement_of_the_ways_exits_with_1(diffbench, monkeypatch):
    from diffbench.reference import verify

    def wrong(*arguments):
        return [reference._replace(ball=Ball.around(Fraction(17), 0)) for reference in references(*arguments)]

    monkeypatch.setattr(verify, "references", wrong)
    assert diffbench("references", "verify", "lab", "--derivative", "1").code == 1


def test_references_verify_names_what_is_wrong(diffbench):
    assert "'nosuch' is not one of" in one_line(diffbench("references", "verify", "nosuch"), 2)
    assert "derivative: 11" in one_line(diffbench("references", "verify", "lab", "--derivative", "11"), 2)
    assert "No such command" in one_line(diffbench("references", "check"), 2)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "1e9"])
def test_a_time_limit_is_a_number_of_seconds(diffbench, seconds):
    for verb in (["exact", "x", "--at", "1"], ["run", "-f", "x", "--at", "1", "--quiet"]):
        assert "time_limit: " in one_line(diffbench(*verb, "--time-limit", seconds), 2)


def test_a_formula_that_is_not_real_is_a_mistake(diffbench):
    message = one_line(diffbench("exact", "Max(acos(2), x)", "--at", "1"), 2)
    assert "'Max(acos(2), x)' has no real meaning" in message


def test_exact_prints_value_and_certificate(diffbench):
    fields = diffbench("exact", "sin(x)", "--at", "1", "--format", "json").json
    assert list(fields) == [
        *("value", "verdict", "certified_digits", "radius", "method", "hi", "lo", "left", "right"),
        *("second_opinion", "reason"),
    ]
    assert fields["value"] == "0.54030230586813971740093660744297660373231042061792"
    assert (fields["hi"], fields["verdict"], fields["method"]) == (0.5403023058681398, "certified", "ball")
    text = diffbench("exact", "sin(x)", "--at", "1").out
    assert fields["value"] in text


def test_exact_prints_as_many_digits_as_wanted(diffbench):
    value = diffbench("exact", "exp(x)", "--at", "1", "--digits", "120", "--format", "json").json["value"]
    assert len(value.replace(".", "")) == 120
    assert value.startswith("2.71828182845904523536028747135266249775724709369995")


def test_exact_takes_the_point_exactly(diffbench):
    assert diffbench("exact", "x**2", "--at", "1/3", "--derivative", "2", "--format", "json").json["value"] == "2.0"
    assert diffbench("exact", "x", "--derivative", "0", "--at", "0.1", "--format", "json").json["value"] == "0.1"


@pytest.mark.parametrize(("formula", "left", "right"), [("Abs(x)", "-1.0", "1.0"), ("relu", None, None)])
def test_exact_at_a_kink_is_exit_code_6_with_both_sides(formula, left, right, diffbench):
    text = "Max(x, 0)" if formula == "relu" else formula
    outcome = diffbench("exact", text, "--at", "0", "--format", "json")
    assert "nondifferentiable" in one_line(outcome, 6)
    assert outcome.json["value"] is None
    assert (outcome.json["left"], outcome.json["right"]) == ((left, right) if left else ("0.0", "1.0"))


def test_exact_that_is_not_settled_is_exit_code_6(diffbench):
    assert "uncertain" in one_line(diffbench("exact", "Max(sin(x)**2 + cos(x)**2, 1)", "--at", "1"), 6)


def test_weights_are_those_of_a_plug_in_too(install, diffbench):
    code = "from diffbench import Stencil\nWIDE = Stencil.fit([-2, -1, 1, 2])\n"
    install("wide", code, schemes={"wide": "wide:WIDE"})
    fields = diffbench("weights", "wide", "--format", "json").json
    assert (fields["scheme"], fields["offsets"]) == ("wide", ["-2", "-1", "1", "2"])


def test_a_word_that_is_none_of_a_list_is_answered_in_one_line(diffbench):
    found = diffbench("list", "metric")
    assert found.code == 2
    assert found.err.startswith("diffbench: Invalid value for")
    assert "\\n" not in found.err
    assert found.err.endswith(". See diffbench list --help.\n")


@pytest.mark.parametrize(
    ("arguments", "verb"),
    [
        (("exact", "x**2", "--at"), "exact"),
        (("show", "--format=json=x", "run", "--table"), "show"),
        (("run", "--quiet=2"), "run"),
        (("baseline", "accept", "run", "--name"), "baseline"),
        (("--version=2",), None),
    ],
)
def test_who_leaves_out_a_value_is_sent_to_the_help_of_the_verb(arguments, verb, diffbench):
    found = diffbench(*arguments)
    assert one_line(found, 2).endswith(f". See diffbench {f'{verb} ' if verb else ''}--help.\n")


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["frobnicate"], "diffbench"),
        (["--frobnicate"], "diffbench"),
        (["exact", "x**2"], "diffbench exact"),
        (["references", "verify", "--frobnicate"], "diffbench references verify"),
    ],
)
def test_who_mistypes_is_sent_to_the_help_that_knows(arguments, path, diffbench):
    assert one_line(diffbench(*arguments), 2).endswith(f". See {path} --help.\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", "absent.toml"], os.strerror(errno.ENOENT)),
        (["run", "--suite", "absent.toml"], os.strerror(errno.ENOENT)),
        (["run", "pipe.toml"], "it is no regular file"),
        (["run", "binary.toml"], "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_once(arguments, reason, diffbench, tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff")
    if "pipe.toml" in arguments:
        if not hasattr(os, "mkfifo"):
            pytest.skip("there are no pipes with a name")
        os.mkfifo(tmp_path / "pipe.toml")
    assert one_line(diffbench(*arguments), 2).endswith(f"{arguments[-1]!r} cannot be read: {reason}\n")


def test_who_names_no_step_rule_is_offered_what_the_help_offers(diffbench):
    said = one_line(diffbench("run", "--rule", "nosuch"), 2)
    offered = said.removeprefix("diffbench: rule: 'nosuch' is not one of ").split(", ")
    assert offered[:3] == ["all", "published", "usual"]
    for name in offered[:2]:
        assert name in re.split(r"\W+", re.search(r"--rule (.*?)\n *--", diffbench("run", "--help").out, re.S)[1])


def test_weights_are_exact_fractions(diffbench):
    fields = diffbench("weights", "central-4-d2", "--format", "json").json
    assert fields["offsets"] == ["-2", "-1", "0", "1", "2"]
    assert fields["weights"] == ["-1/12", "4/3", "-5/2", "4/3", "-1/12"]
    assert (fields["order"], fields["error_constant"]) == (4, "-1/90")
    text = diffbench("weights", "central-4-d2").out
    assert [line.split() for line in text.splitlines()[-5:]] == [
        [k, w] for k, w in zip(fields["offsets"], fields["weights"], strict=True)
    ]


def test_weights_of_a_derivative_that_the_name_does_not_say(diffbench):
    named, asked = diffbench("weights", "forward-1-d3"), diffbench("weights", "forward-1", "--derivative", "3")
    assert named.out == asked.out
    assert diffbench("weights", "richardson(central-2)", "--format", "json").json["weights"] == [
        "1/12",
        "-2/3",
        "2/3",
        "-1/12",
    ]


@pytest.mark.parametrize(
    ("what", "least", "key"),
    [
        *(("functions", 80, "formula"), ("schemes", 60, "order"), ("suites", 4, "suite"), ("rules", 18, "description")),
        *(("metrics", 3, "better"), ("libraries", 30, "peer")),
    ],
)
def test_lists(what, least, key, diffbench):
    rows = diffbench("list", what, "--format", "json").json
    assert len(rows) >= least
    assert all(row[key] for row in rows)
    text = diffbench("list", what).out
    assert len(text.splitlines()) == 5 + len(rows)


def test_lists_say_what_cannot_be_listed(diffbench, monkeypatch):
    monkeypatch.setattr("diffbench.schemes.plugins.broken", lambda group: [f"{group}: \x1b[2J"])
    outcome = diffbench("list", "libraries", "--format", "json")
    assert (outcome.code, outcome.err) == (0, "diffbench: diffbench.libraries: \\x1b[2J\n")
    assert outcome.json


# mistakes -------------------------------------------------------------------------------------------------------------

RUN = ("run", "--out", "new", "--quiet")
MISTAKES = [
    (2, [*RUN, "-f", "nosuch"], "nosuch"),
    (2, [*RUN, "-f", "gausian"], "gausian"),
    (2, [*RUN, "-f", "sin(x", "--at", "1"], "position 5"),
    (2, [*RUN, "-f", "x +* 2", "--at", "1"], "position 3"),
    (2, [*RUN, "-f", "foo(x)", "--at", "1"], "foo"),
    (2, [*RUN, "-f", "x*y", "--at", "1"], "y"),
    (2, [*RUN, "-f", "__import__('os')", "--at", "1"], "position"),
    (2, [*RUN, "-f", "x**2"], "--at"),
    (2, [*RUN, "--at", "1"], "-f FORMULA"),
    (2, [*RUN, "-f", "x**2", "--at", "abc"], "'abc'"),
    (2, [*RUN, "-f", "x**2", "--at", "1/0"], "'1/0'"),
    (2, [*RUN, "-f", "x**2", "--at", "nan"], "'nan'"),
    (2, [*RUN, "--suite", "lab", "--epsilon", "0"], "0 is not positive"),
    (2, [*RUN, "--suite", "lab", "--epsilon", "-1"], "-1 is not positive"),
    (2, [*RUN, "--suite", "lab", "--epsilon", "small"], "'small'"),
    (2, [*RUN, "-f", "log(x)", "--at", "-1"], "log(x) is not defined, or not real, at -1"),
    (2, [*RUN, "-f", "1/x", "--at", "0"], "1/x is not defined, or not real, at 0"),
    (2, [*RUN, "-f", "log", "--at", "-1"], "outside the domain (0, oo)"),
    (2, [*RUN, "--suite", "lab", "-s", "nosuch"], "'nosuch'"),
    (2, [*RUN, "--suite", "lab", "-s", "forwrd-1"], "did you mean 'forward-1'?"),
    (2, [*RUN, "--suite", "lab", "-s", "central-3"], "even orders"),
    (2, [*RUN, "--suite", "lab", "--dtype", "float128"], "'float128'"),
    (2, [*RUN, "--suite", "lab", "--derivative", "0"], "0 is not a whole number from 1 to 8"),
    (2, [*RUN, "--suite", "lab", "--derivative", "one"], "'one'"),
    (2, [*RUN, "--suite", "labb"], "did you mean 'lab'?"),
    (2, [*RUN, "--suite", "absent.toml"], "absent.toml"),
    (2, [*RUN, "absent.toml"], "absent.toml"),
    (2, [*RUN, "--schem", "forward-1"], "--schem"),
    (2, [*RUN, "--format", "xml"], "xml"),
    (2, [*RUN, "one.toml", "two.toml"], "two.toml"),
    (2, ["frobnicate"], "frobnicate"),
    (2, ["--frobnicate"], "--frobnicate"),
    (2, ["show"], "RUN"),
    (2, ["show", "absent"], "'absent' is not a run folder"),
    (2, ["show", "."], "not a run folder"),
    (2, ["report", "absent"], "'absent' is not a run folder"),
    (2, ["exact", "x**2"], "--at"),
    (2, ["exact", "sin(x", "--at", "1"], "position 5"),
    (2, ["exact", "log(x)", "--at", "0"], "not defined"),
    (2, ["exact", "x", "--at", "abc"], "'abc'"),
    (2, ["exact", "x", "--at", "1", "--derivative", "11"], "11"),
    (2, ["exact", "x", "--at", "1", "--digits", "0"], "0"),
    (2, ["weights", "nosuch"], "'nosuch'"),
    (2, ["weights", "central-3"], "even orders"),
    (2, ["weights", "complex-step"], "no real weights"),
    (2, ["list", "nosuch"], "nosuch"),
]


@pytest.mark.parametrize(("code", "arguments", "says"), MISTAKES, ids=[" ".join(a[-3:]) for _, a, _ in MISTAKES])
def test_a_mistake_is_one_clear_line_and_leaves_nothing_behind(code, arguments, says, diffbench, tmp_path):
    outcome = diffbench(*arguments)
    assert says in one_line(outcome, code)
    assert outcome.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('epsilonss = ["1e-3"]', "did you mean 'epsilons'?"),
        ('scheme = "forward-1"', "did you mean 'schemes'?"),
        ('[[functions]]\nformula = "x"\npoint = ["1"]', "did you mean 'points'?"),
        ("[[schemes]]\noffset = [0, 1]", "did you mean 'offsets'?"),
        ('epsilons = ["1e-3"', "cannot be read"),
        ('functions = ["lab"]\nepsilons = [0]', "0 is not positive"),
        ('functions = ["nosuch"]', "'nosuch' is in no suite"),
        ('[[functions]]\nformula = "x +"\npoints = ["1"]', "position 3"),
        ('[[functions]]\nformula = "x"\npoints = ["5"]\ndomain = "(0, 1)"', "outside the domain (0, 1)"),
        ('allow_failed = "many"', "allow_failed"),
        ('dtypes = ["double"]', "'double'"),
    ],
)
def test_a_mistake_in_a_spec_file_names_the_key_and_leaves_nothing_behind(text, says, diffbench, tmp_path):
    (tmp_path / "spec.toml").write_text(text, "utf-8")
    outcome = diffbench("run", "spec.toml", "--out", "new")
    assert says in one_line(outcome, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["spec.toml"]


def test_nothing_selected_is_exit_code_5(diffbench, tmp_path):
    (tmp_path / "spec.toml").write_text("functions = []\n")
    one_line(diffbench("run", "spec.toml", "--out", "new"), 5)


def test_a_folder_that_cannot_be_written_is_exit_code_74(diffbench, tmp_path):
    (tmp_path / "file").write_text("here")
    assert "file/below/new" in one_line(diffbench("run", "--suite", "lab", "--out", "file/below/new", "--quiet"), 74)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_exists_is_refused_and_kept(kind, diffbench, tmp_path):
    if kind == "folder":
        (tmp_path / "mine").mkdir()
    kept = tmp_path / "mine" / "notes" if kind == "folder" else tmp_path / "mine"
    kept.write_text("mine")
    assert "'mine' exists and is not an empty folder" in one_line(
        diffbench("run", "--suite", "lab", "--out", "mine"), 2
    )
    assert kept.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("verb", ["show", "report"])
@pytest.mark.parametrize("harm", ["truncated", "absent"])
@pytest.mark.parametrize("part", ["cells", "references.parquet", "plan.json"])
def test_a_damaged_run_is_exit_code_74_and_names_the_file(verb, harm, part, diffbench, tmp_path):
    run(Spec("lab"), out=tmp_path / "run")
    file = next(iter((tmp_path / "run" / "cells").iterdir())) if part == "cells" else tmp_path / "run" / part
    file.unlink() if harm == "absent" else file.write_bytes(file.read_bytes()[:-20])
    assert file.name in one_line(diffbench(verb, "run"), 74)
    assert not (tmp_path / "run" / "report.html").exists()


def test_an_unfinished_run_is_exit_code_74(diffbench, tmp_path):
    run(Spec("lab"), out=tmp_path / "run")
    path = tmp_path / "run" / "manifest.json"
    path.write_text(json.dumps(sealed(json.loads(path.read_text()) | {"state": "running"})))
    assert "not a complete run" in one_line(diffbench("show", "run"), 74)


def test_the_programs_own_fault_is_exit_code_70_in_one_line(diffbench, monkeypatch, lab):
    def broken(*_):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("diffbench.cli.show.load", broken)
    monkeypatch.delenv("DIFFBENCH_DEBUG", raising=False)
    outcome = diffbench("show", lab)
    assert outcome.code == 70
    assert outcome.err == "diffbench: internal error: RuntimeError: two lines; DIFFBENCH_DEBUG=1 shows where\n"


def test_the_programs_own_fault_is_raised_for_those_who_look_for_it(monkeypatch, lab):
    def broken(*_):
        raise RuntimeError("here")

    monkeypatch.setattr("diffbench.cli.show.load", broken)
    monkeypatch.setenv("DIFFBENCH_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["diffbench", "show", lab])
    with pytest.raises(RuntimeError, match="here"):
        main()


@pytest.mark.parametrize(("raised", "code"), [(KeyboardInterrupt(), 130), (StoreError("disk full"), 74)])
def test_what_stops_a_verb_has_its_exit_code(raised, code, diffbench, monkeypatch, lab):
    def stop(*_):
        raise raised

    monkeypatch.setattr("diffbench.cli.show.load", stop)
    outcome = diffbench("show", lab)
    assert outcome.code == code
    assert outcome.err.strip() == {130: "diffbench: interrupted", 74: "diffbench: disk full"}[code]


# help -----------------------------------------------------------------------------------------------------------------


def test_help_lists_the_verbs_and_exit_codes(diffbench):
    outcome = diffbench("--help")
    assert (outcome.code, outcome.err) == (0, "")
    for verb, (_, text) in VERBS.items():
        assert verb in outcome.out
        assert text.split()[0] in outcome.out
    for code in ("0 done", "2 usage or spec", "70 internal", "74 input or output", "130 interrupted"):
        assert code in " ".join(outcome.out.split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_its_options(verb, diffbench):
    outcome = diffbench(verb, "--help")
    assert outcome.code == 0
    assert "Usage:" in outcome.out
    lines = [line.split() for line in outcome.out.splitlines() if line.startswith("  -")]
    assert lines
    if verb not in {"exact", "recommend"}:
        assert diffbench(verb, "-h").out == outcome.out


def test_a_formula_may_begin_with_any_letter_after_its_minus(diffbench):
    outcome = diffbench("exact", "-h**2", "--at", "3")
    assert outcome.code == 0
    assert "-6.0" in outcome.out


def test_the_options_of_run_are_those_of_the_contract(diffbench):
    text = diffbench("run", "--help").out
    for option in ("--suite", "-f", "--function", "--at", "-s", "--scheme", "--epsilon", "--derivative", "--dtype"):
        assert option in text
    for option in ("--out", "--quiet", "--format"):
        assert option in text


# noise ----------------------------------------------------------------------------------------------------------------


def test_noise_of_a_formula_is_an_option(diffbench, tmp_path):
    few = ("-f", "exp(x)", "--at", "1", "-s", "central-2", "--epsilon", "1e-2,1e-3")
    outcome = diffbench("run", *few, "--noise", "relative 1e-6", "--out", "noisy", "--quiet")
    assert outcome.code == 0
    assert 'noise = "relative 1e-06"' in (tmp_path / "noisy" / "spec.toml").read_text("utf-8")
    assert (tmp_path / "noisy" / "report.html").read_text("utf-8").count("relative 1e-06") == 2


def test_noise_of_a_known_function_keeps_its_points_and_its_own_noise_where_none_is_stated(diffbench):
    def planned(*arguments):
        return diffbench("plan", *arguments, "-s", "forward-1", "--format", "json").json["cells"]

    assert planned("-f", "exp", "--noise", "relative 1e-6") == planned("-f", "exp")
    assert diffbench("run", "-f", "noisy-exp", "--at", "2", "--out", "other", "--quiet", "--no-report").code == 0
    assert load("other").curves[0].noise == "relative 1e-06"


@pytest.mark.parametrize("arguments", [("-f", "x", "--at", "1", "--noise", "loud"), ("--noise", "relative 1e-6")])
def test_noise_that_cannot_be_is_refused(diffbench, arguments):
    assert one_line(diffbench("run", *arguments), 2).startswith("diffbench: noise: ")


# default steps of packages --------------------------------------------------------------------------------------------


def test_one_command_shows_what_default_steps_leave(diffbench):
    common = ("-s", "forward-1", "-s", "central-2", "-s", "central-4", "--dtype", "float32", "--rule", "published")
    outcome = diffbench("run", "-f", "exp", *common, "--out", "run", "--quiet", "--no-report", "--format", "json")
    assert outcome.code == 0
    assert outcome.json[0]["step"] == "scipy approx_fprime, minimize"
    assert outcome.json[0]["wrong"] > outcome.json[-1]["wrong"]
    assert diffbench("show", "run", "--table", "published-steps", "--format", "json").json == outcome.json


def test_the_dtypes_of_a_run_are_shown_side_by_side(diffbench):
    given = ("-s", "central-2", "--dtype", "float32", "--dtype", "float64", "--out", "run", "--quiet", "--no-report")
    assert diffbench("run", "-f", "exp", *given).code == 0
    assert [row["dtype"] for row in diffbench("show", "run", "--table", "dtypes", "--format", "json").json] == [
        "float32",
        "float64",
    ]
    (fit,) = diffbench("show", "run", "--table", "dtype-exponents", "--format", "json").json
    assert abs(fit["fitted"] - 2 / 3) < 0.05
    for name in ("dtype-gaps", "dtype-outliers"):
        assert diffbench("show", "run", "--table", name).code == 0


def test_functions_of_one_suite_are_listed_with_formulas_that_leave_room(diffbench):
    whole = diffbench("list", "functions", "--suite", "multivariate", "--format", "json").json
    assert {row["suite"] for row in whole} == {"multivariate"}
    long = [row["formula"] for row in whole if len(row["formula"]) > LONGEST]
    assert long
    text = diffbench("list", "functions", "--suite", "multivariate").out
    assert all(formula[: LONGEST - 1] + "…" in text and formula not in text for formula in long)
    outcome = diffbench("list", "schemes", "--suite", "lab")
    assert (outcome.code, outcome.err) == (2, "diffbench: suite: only functions have one, not schemes\n")
