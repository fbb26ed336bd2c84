"""The README says what the program does: every block of it runs."""

import doctest
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from diffbench import Spec, run
from diffbench.cli import VERBS, cli
from diffbench.report.table import to_markdown
from diffbench.report.tables import ranking_table, regret_table
from diffbench.schemes.step_rules import RULES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
REGRET = (ROOT / "docs" / "example" / "regret.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def lines_of(block):
    return [line.partition("#")[0].strip() for line in block.splitlines()]


SHELL_BLOCKS = [lines_of(block) for block in blocks("sh")]
SHELL_LINES = [line for lines in SHELL_BLOCKS for line in lines]
PROGRAM_BLOCKS = [lines for lines in SHELL_BLOCKS if lines[0].startswith("diffbench")]
PROGRAM_LINES = [line for lines in PROGRAM_BLOCKS for line in lines]


def test_every_block_is_of_a_kind_that_is_run():
    kinds = re.findall(r"^```(\w*)$", README, re.M)[::2]
    assert set(kinds) == {"sh", "python", "toml", "yaml"}
    assert len(kinds) == 7


def test_python_examples_are_true():
    failed, attempted = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert attempted >= 6
    assert failed == 0


def test_leads_with_the_two_commands():
    assert [line for line in SHELL_LINES if line][:2] == ["make report", "make test"]


def test_what_installs_it_elsewhere_runs_in_ci():
    steps = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8"))["jobs"]["make"]["steps"]
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    (told,) = re.findall(r"from a clone: `([^`]+)`", README)
    assert told in lines
    assert lines.index('python -m venv "$RUNNER_TEMP/own"') < lines.index(told)


def parse(line):
    verb, *arguments = shlex.split(line)[1:]
    assert verb in VERBS
    # As in a real call: a command remembers the names of its help option from the first context that it meets.
    parent = click.Context(cli, **cli.context_settings)
    cli.get_command(parent, verb).make_context(verb, arguments, parent=parent)


@pytest.mark.parametrize("line", PROGRAM_LINES)
def test_command_lines_parse(line):
    parse(line)


@pytest.mark.slow
@pytest.mark.parametrize("lines", PROGRAM_BLOCKS)
def test_command_lines_run(lines, tmp_path):
    (tmp_path / "mine.toml").write_text(blocks("toml")[0], "utf-8")
    for line in lines:
        words = [sys.executable, "-m", "diffbench", *shlex.split(line)[1:]]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout, line


@pytest.mark.slow
def test_the_test_of_a_derivative_passes_and_would_fail(tmp_path):
    (block,) = (block for block in blocks("python") if "def test_" in block)
    wrong = block.replace("sin(x) + cos(x)", "sin(x) - cos(x)")
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    for name, text in {"test_right.py": block, "test_wrong.py": wrong}.items():
        (tmp_path / name).write_text(text, "utf-8")
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "."]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert re.findall(r"^(PASSED|FAILED) (\S+)", done.stdout, re.M) == [
        ("PASSED", "test_right.py::test_slope"),
        ("FAILED", "test_wrong.py::test_slope"),
    ]


def test_the_gate_of_the_workflow_parses(tmp_path, monkeypatch):
    (block,) = blocks("yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("", "utf-8")
    scripts = [step["run"] for step in yaml.safe_load(block)["jobs"]["accuracy"]["steps"] if "run" in step]
    assert scripts[:-1] == ["pip install pytest diffbench", "pytest"]
    parse(scripts[-1])


def test_the_spec_file_can_be_run():
    (block,) = blocks("toml")
    results = run(Spec(**tomllib.loads(block)))
    assert len(results.blocks) == 6
    assert {scheme for block in results.blocks for scheme in block.schemes} == {"stencil(-1,0,2)", "wide-central"}
    assert results.counts["ok"] > 1000


def columns(markdown, *names):
    rows = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")]
    places = [rows[0].index(name) for name in ("scheme", *names)]
    return {scheme: [float(cell) for cell in rest] for scheme, *rest in ([row[i] for i in places] for row in rows[2:])}


def test_table_is_what_the_program_measures():
    names = ("evaluations", "digits at optimal ε", "digits at usual ε", "flat decades")
    measured = columns(to_markdown(ranking_table(run(Spec("standard")))), *names)
    printed = columns(README.split("<!-- ranking -->")[1].split("<!-- /ranking -->")[0], *names)
    assert printed.keys() == measured.keys()
    assert len(printed) >= 19
    for scheme, (evaluations, *digits) in printed.items():
        # Another libm may move a median by a little.
        assert evaluations == measured[scheme][0], scheme
        assert digits == pytest.approx(measured[scheme][1:], abs=0.5), scheme


def regrets(markdown):
    rows = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")][2:]
    return {(row[0], row[1]): [float(cell) for cell in row[5:]] for row in rows}


@pytest.mark.slow
def test_regret_is_what_the_program_measures():
    results = run(Spec("standard", ["forward-1", "central-2"], rules="all"))
    measured, printed = regrets(to_markdown(regret_table(results))), regrets(REGRET)
    assert printed.keys() == measured.keys()
    assert {rule for _, rule in printed} == {rule.name for rule in RULES}
    for key, values in printed.items():
        (lost, ninth), (lost_here, ninth_here) = values[:2], measured[key][:2]
        assert lost == pytest.approx(lost_here, abs=0.5), key
        assert ninth == pytest.approx(ninth_here, abs=1.5), key


def test_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(targets) >= 3
    assert [target for target in targets if not (ROOT / target).exists()] == []
