"""diffbench check and diffbench baseline: exit codes, last lines, files for continuous integration."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from diffbench import Spec, run
from diffbench.sweep.files import sealed

FUNCTION = '[[functions]]\nname = "{name}"\nformula = "{formula}"\npoints = ["0.5"]\n'
HEAD = 'schemes = ["forward-1", "central-2"]\nepsilons = ["1e-1:1e-12:2/decade"]\n'


def spec_text(first="exp(x)", name="exp", head=HEAD):
    return head + FUNCTION.format(name=name, formula=first) + FUNCTION.format(name="wave", formula="sin(3*x)/x")


@pytest.fixture
def accepted(diffbench, tmp_path):
    """Accept a run of small.toml as the baseline ``small``."""
    Path("small.toml").write_text(spec_text(), "utf-8")
    assert diffbench("run", "small.toml", "--out", "first", "--no-report", "--quiet").code == 0
    outcome = diffbench("baseline", "accept", "first", "--reason", "the first numbers", "--name", "small", "--by", "me")
    assert outcome.code == 0
    assert outcome.out.startswith("baseline: results/baselines/small/")
    return tmp_path


def judged(diffbench, *arguments):
    """Return exit code and last line."""
    outcome = diffbench("check", *arguments, "--quiet")
    return outcome.code, (outcome.out + outcome.err).splitlines()[-1]


def test_the_spec_and_its_run_pass(diffbench, accepted):
    assert judged(diffbench, "small.toml") == judged(diffbench, "first", "--baseline", "small")
    code, last = judged(diffbench, "small.toml")
    assert code == 0
    assert last == "passed: 96 cells compared with small, the same platform: bits, no rule broken"


def test_a_built_in_suite_needs_no_name(diffbench):
    assert diffbench("run", "--suite", "lab", "--out", "lab", "--no-report", "--quiet").code == 0
    assert diffbench("baseline", "accept", "lab", "--reason", "first").code == 0
    assert judged(diffbench, "--suite", "lab")[0] == 0
    assert judged(diffbench, "lab")[0] == 0


def test_the_self_test_must_end_in_1(diffbench, accepted):
    code, last = judged(diffbench, "small.toml", "--self-test")
    assert code == 1
    assert last.startswith("self-test: forward-1 with a weight times 1 + 2u is noticed, as it must be: forward-1, ")


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        (
            spec_text("exp(x) + 0*x"),
            4,
            "the function exp has another formula or noise than in the baseline",
        ),
        (spec_text(name="exponential"), 7, "the function exp is called exponential now, with the same definition"),
        (spec_text(head=HEAD.replace(', "central-2"', "")), 7, "the scheme central-2 is not in the run any more"),
        (
            HEAD + FUNCTION.format(name="other", formula="x"),
            4,
            "diffbench: baseline: small has none of the functions",
        ),
    ],
)
def test_what_is_another_thing_is_said_on_the_last_line(diffbench, accepted, text, code, sentence):
    Path("small.toml").write_text(text, "utf-8")
    found, last = judged(diffbench, "small.toml")
    assert found == code
    assert last.startswith(sentence)


def test_an_incomplete_run_another_schema_and_a_baseline_that_is_not_there(diffbench, accepted):
    for key, value, sentence in (("state", "running", "not complete"), ("schema_version", 1, "of schema 1")):
        shutil.rmtree("other", ignore_errors=True)
        shutil.copytree("first", "other")
        path = Path("other", "manifest.json")
        path.write_text(json.dumps(sealed(json.loads(path.read_text("utf-8")) | {key: value})), "utf-8")
        code, last = judged(diffbench, "other", "--baseline", "small")
        assert code == 4
        assert sentence in last
    code, last = judged(diffbench, "small.toml", "--baseline", "smal")
    assert code == 4
    assert "did you mean 'small'?" in last
    assert judged(diffbench, "first")[0] == 4


def test_an_empty_selection(diffbench, accepted):
    code, last = judged(diffbench, "small.toml", "--only", "nothing*")
    assert code == 5
    assert last == "diffbench: only: nothing is selected, no function or scheme is called nothing*"


def test_a_run_of_summaries(diffbench, accepted):
    run(Spec("lab"), out="kept", keep="summary")
    assert judged(diffbench, "kept", "--baseline", "small")[0] == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["first", "--suite", "lab"], "a run is judged as it is, suites"),
        (["first", "--self-test"], "self-test: it measures anew"),
        (["bench.json", "--only", "x"], "a file of timed tests is judged as it is, only"),
        (["small.toml", "--self-test", "--junit", "x.xml"], "self-test: nothing is judged by it, junit"),
        (["bench.json", "--self-test"], "self-test: it measures anew"),
        (["nothing.toml"], "'nothing.toml' cannot be read"),
    ],
)
def test_arguments_that_say_nothing_together(diffbench, accepted, arguments, words):
    code, last = judged(diffbench, *arguments)
    assert code == 2
    assert words in last


def test_files_for_continuous_integration(diffbench, accepted, monkeypatch):
    Path("small.toml").write_text(spec_text(name="exponential"), "utf-8")
    Path("summary.md").write_text("before\n", "utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    files = ("--junit", "junit.xml", "--summary", "own.md", "--metrics", "metrics.json", "--github")
    outcome = diffbench("check", "small.toml", *files, "--quiet")
    assert outcome.code == 7
    assert "::warning title=" in outcome.err
    assert outcome.out.splitlines()[-1].startswith("the function exp is called exponential now")
    assert len(ET.parse("junit.xml").findall(".//failure")) == 1  # noqa: S314  (written above)
    assert Path("summary.md").read_text("utf-8") == "before\n" + Path("own.md").read_text("utf-8")
    metrics = json.loads(Path("metrics.json").read_text("utf-8"))
    assert {"forward-1", "central-2"} <= {metric["name"].split(",")[0].split(" ")[0] for metric in metrics}


def test_what_cannot_be_judged_stands_in_the_files_too(diffbench, accepted):
    for arguments, code in ((["--baseline", "nothing"], 4), (["--only", "nothing"], 5)):
        outcome = diffbench("check", "small.toml", *arguments, "--junit", "junit.xml", "--summary", "s.md", "--quiet")
        assert outcome.code == code
        assert ET.parse("junit.xml").find(".//error") is not None  # noqa: S314  (written above)
        assert f"(exit code {code})" in Path("s.md").read_text("utf-8")


def test_a_part_of_a_spec_is_measured_where_only_that_is_judged(diffbench, accepted):
    outcome = diffbench("check", "small.toml", "--only", "central-?", "--format", "json", "--quiet")
    assert [row["scheme"] for row in outcome.json] == ["central-2", "all"]
    assert judged(diffbench, "small.toml", "--only", "wave")[1].startswith("passed: 48 cells")


def test_a_baseline_of_a_suite_by_another_name(diffbench):
    assert diffbench("run", "--suite", "lab", "--out", "lab", "--no-report", "--quiet").code == 0
    assert diffbench("baseline", "accept", "lab", "--reason", "first", "--name", "mine").code == 0
    assert judged(diffbench, "--suite", "lab", "--baseline", "mine")[0] == 0
    assert judged(diffbench, "--suite", "lab")[0] == 4


def test_the_table_as_json(diffbench, accepted):
    outcome = diffbench("check", "small.toml", "--format", "json", "--quiet")
    assert [row["scheme"] for row in outcome.json] == ["forward-1", "central-2", "all"]
    assert outcome.json[-1]["unchanged"] == 96
    assert outcome.err.startswith("passed")


def test_timed_tests(diffbench, tmp_path):
    entry = {"fullname": "test_a.py::test_a", "name": "test_a", "extra_info": {"digits": 9.0, "digits_asked": 8}}
    machine = {"system": "Linux", "machine": "x86_64"}
    Path("bench.json").write_text(json.dumps({"benchmarks": [entry], "machine_info": machine}), "utf-8")
    assert judged(diffbench, "bench.json")[0] == 0
    assert judged(diffbench, "bench.json", "--baseline", "bench.json")[0] == 0
    entry["extra_info"]["digits"] = 7.0
    Path("worse.json").write_text(json.dumps({"benchmarks": [entry], "machine_info": machine}), "utf-8")
    code, last = judged(diffbench, "worse.json", "--baseline", "bench.json")
    assert code == 1
    assert "test_a.py::test_a" in last


def test_show_and_diff(diffbench, accepted):
    outcome = diffbench("baseline", "show")
    assert outcome.code == 0
    assert "the first numbers" in outcome.out
    rows = diffbench("baseline", "show", "small", "--format", "json").json
    assert [row["platform"] for row in rows][1] == "any"
    assert {(row["by"], row["why"], row["cells"]) for row in rows} == {("me", "the first numbers", 96)}
    assert diffbench("baseline", "show", "nothing").code == 4
    Path("small.toml").write_text(spec_text(name="exponential"), "utf-8")
    assert diffbench("run", "small.toml", "--out", "second", "--no-report", "--quiet").code == 0
    outcome = diffbench("baseline", "diff", "small", "second")
    assert outcome.code == 0
    change = "the function exp is called exponential now"
    assert change in outcome.out
    again = diffbench("baseline", "accept", "second", "--reason", "a better name", "--name", "small", "--by", "me")
    assert again.code == 0
    assert again.out.startswith(change)
    shown = diffbench("baseline", "show", "small", "--format", "json")
    assert {row["why"] for row in shown.json} == {"a better name"}
    assert change in shown.err


def test_accepting_needs_a_reason_and_a_run(diffbench, accepted):
    assert diffbench("baseline", "accept", "first").code == 2
    assert diffbench("baseline", "accept", "first", "--reason", " ", "--name", "small").code == 2
    assert diffbench("baseline", "accept", "nothing", "--reason", "x").code == 2
    assert "say what its baseline is called" in diffbench("baseline", "accept", "first", "--reason", "x").err
