"""The workflows and the action call what is there, may do no more than they need, and pass on what the gate says."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from diffbench.cli import VERBS, cli

ROOT = Path(__file__).parents[1]
ACTION = ROOT / ".github" / "actions" / "diffbench" / "action.yml"
GUIDE = ROOT / "docs" / "guides" / "continuous-integration.md"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WRITERS = {
    ("leaderboard.yml", "leaderboard"): {"contents": "write"},
    ("release.yml", "publish"): {"id-token": "write"},
}

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
each_file = pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.stem)


def parsed(path):
    return yaml.safe_load(path.read_text("utf-8"))


def steps_of(path):
    """Return the steps of a workflow's jobs, or of an action."""
    content = parsed(path)
    jobs = content["jobs"].values() if "jobs" in content else [content["runs"]]
    return [step for job in jobs for step in job["steps"]]


def lines_of(path):
    """Return the lines of all scripts."""
    return [line.strip() for step in steps_of(path) for line in step.get("run", "").splitlines()]


def action_step(name):
    return next(step for step in steps_of(ACTION) if step.get("name") == name)


# what they may do -----------------------------------------------------------------------------------------------------


def test_there_is_a_workflow_for_each_task():
    assert {path.stem for path in WORKFLOWS} >= {"tests", "accuracy", "benchmarks", "docs", "leaderboard", "release"}


@each_workflow
def test_workflows_may_read_and_end(path):
    content = parsed(path)
    assert content["permissions"] == {"contents": "read"}
    assert content["concurrency"]["group"].startswith("${{ github.workflow }}")
    for name, job in content["jobs"].items():
        assert 0 < job["timeout-minutes"] <= 90
        assert job.get("permissions") == WRITERS.get((path.name, name))


@each_workflow
def test_workflows_run_on_forks(path):
    # YAML 1.1 reads "on" as true.
    triggers = parsed(path)[True]
    assert "pull_request_target" not in triggers
    assert "secrets." not in path.read_text("utf-8")


@each_workflow
def test_what_writes_runs_no_code_of_a_pull_request(path):
    if any(where == path.name for where, _ in WRITERS):
        assert set(parsed(path)[True]) <= {"schedule", "workflow_dispatch", "release"}
    else:
        checkouts = [step for step in steps_of(path) if step.get("uses", "").startswith("actions/checkout@")]
        assert checkouts
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_actions_of_others_are_pinned_to_one_major_version():
    used = {step["uses"] for path in [*WORKFLOWS, ACTION] for step in steps_of(path) if "uses" in step}
    others = sorted(name for name in used if not name.startswith("./"))
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+|pypa/[\w-]+@release/v\d+", name) for name in others)
    assert len({name.split("@")[0] for name in others}) == len(others)
    assert {name for name in used if name.startswith("./")} == {"./.github/actions/diffbench"}


@each_file
def test_no_script_is_put_together_from_what_others_write(path):
    assert not any("${{" in line for line in lines_of(path))


# what they call -------------------------------------------------------------------------------------------------------


def test_what_is_made_can_be_made():
    text = (ROOT / "Makefile").read_text("utf-8")
    targets = {name for line in re.findall(r"^([\w -]+):(?!=)", text, re.M) for name in line.split()}
    made = {name for path in WORKFLOWS for line in lines_of(path) for name in re.findall(r"\bmake ([\w-]+)", line)}
    assert made >= {"test", "test-slow", "check", "gate", "bench", "leaderboard"}
    assert made <= targets


def test_what_is_tested_is_there():
    tested = [name for path in WORKFLOWS for line in lines_of(path) for name in re.findall(r"tests/\S+", line)]
    assert {"tests/test_readme.py", "tests/test_guides.py", "tests/test_tutorials.py"} <= set(tested)
    assert all((ROOT / name).is_file() for name in tested)


def test_oldest_and_newest_python_are_tested_and_those_between_at_night():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    known = [re.findall(r"Python :: (3\.\d+)$", line) for line in project["classifiers"]]
    versions = [version for found in known for version in found]
    workflows = ROOT / ".github" / "workflows"
    matrix = parsed(workflows / "tests.yml")["jobs"]["quick"]["strategy"]["matrix"]
    assert matrix["python"] == [project["requires-python"].removeprefix(">="), versions[-1]]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert parsed(workflows / "nightly.yml")["jobs"]["pythons"]["strategy"]["matrix"]["python"] == versions[1:-1]
    named = {name for path in WORKFLOWS for name in re.findall(r'"(3\.\d+)"', path.read_text("utf-8"))}
    assert named == set(versions)


def test_times_fail_no_build():
    path = ROOT / ".github" / "workflows" / "benchmarks.yml"
    (step,) = (step for step in steps_of(path) if re.search(r"^make bench\b", step.get("run", ""), re.M))
    assert step["continue-on-error"] is True
    assert not any(line.startswith("make bench") for other in WORKFLOWS if other != path for line in lines_of(other))


def test_inputs_are_declared_and_used_and_steps_have_their_names():
    text, content = ACTION.read_text("utf-8"), parsed(ACTION)
    assert set(re.findall(r"\binputs\.([\w-]+)", text)) == set(content["inputs"])
    assert all({"description", "default"} <= set(each) for each in content["inputs"].values())
    written = set(re.findall(r'echo "([\w-]+)=', action_step("Check")["run"]))
    assert {each["value"] for each in content["outputs"].values()} == {
        f"${{{{ steps.check.outputs.{name} }}}}" for name in ("exit-code", "reason")
    }
    assert set(re.findall(r"\bsteps\.check\.outputs\.([\w-]+)", text)) == written
    assert all(step["shell"] == "bash" for step in steps_of(ACTION) if "run" in step)


def test_callers_of_the_action_name_its_inputs():
    blocks = [yaml.safe_load(block) for block in yaml_blocks()]
    examples = [job for block in blocks for job in block.get("jobs", {}).values()]
    jobs = [job for path in WORKFLOWS for job in parsed(path)["jobs"].values()]
    calls = [step for job in [*examples, *jobs] for step in job["steps"] if "actions/diffbench" in step.get("uses", "")]
    assert len(calls) >= 3
    for step in calls:
        assert set(step.get("with", {})) <= set(parsed(ACTION)["inputs"])


# what the guide tells others ------------------------------------------------------------------------------------------


def yaml_blocks():
    return re.findall(r"```yaml\n(.*?)```", GUIDE.read_text("utf-8"), re.S)


def parse(words):
    """Let the command line read words without doing what they say."""
    verb, *arguments = words
    assert verb in VERBS
    parent = click.Context(cli, **cli.context_settings)
    cli.get_command(parent, verb).make_context(verb, arguments, parent=parent)


def test_workflows_in_the_guide_may_only_read():
    workflows = [block for block in map(yaml.safe_load, yaml_blocks()) if "jobs" in block]
    assert workflows
    assert all(block["permissions"] == {"contents": "read"} for block in workflows)


def test_command_lines_in_yaml_of_the_guide_parse(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("accuracy.toml", "bench.json", "baseline.json"):
        (tmp_path / name).write_text("", "utf-8")
    lines = re.findall(r"^\s*- (?:run: )?diffbench (.*)$", "".join(yaml_blocks()), re.M)
    assert lines
    for line in lines:
        parse(shlex.split(line))


# the action's script --------------------------------------------------------------------------------------------------

FAKE = """#!/usr/bin/env bash
printf '%s\\0' "$@" > "$SAID/arguments"
for word in "$@"; do case $word in *.xml|*.md|metrics.json) echo written > "$word";; esac; done
cat "$SAID/stdout"
cat "$SAID/stderr" >&2
exit "$(cat "$SAID/code")"
"""


@pytest.fixture
def check(tmp_path):
    """Return a function that runs the script of the action, with something that only looks like diffbench."""
    bash = shutil.which("bash")
    if bash is None or sys.platform == "win32":
        pytest.skip("there is no bash")
    fake = tmp_path / "bin" / "diffbench"
    fake.parent.mkdir()
    fake.write_text(FAKE, "utf-8")
    fake.chmod(0o755)
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', "utf-8")
    python.chmod(0o755)
    (tmp_path / "script").write_text(action_step("Check")["run"], "utf-8")

    def run(code=0, stdout="", stderr="", **inputs):
        for name, text in {"code": str(code), "stdout": stdout, "stderr": stderr, "outputs": ""}.items():
            (tmp_path / name).write_text(text, "utf-8")
        environment = dict.fromkeys(("SPEC", "BASELINE", "OPTIONS"), "") | inputs | {
            "PATH": os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]]),
            "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "outputs"), "SAID": str(tmp_path),
        }  # fmt: skip
        done = subprocess.run(
            [bash, "--noprofile", "--norc", "-eo", "pipefail", str(tmp_path / "script")],
            env=os.environ | environment, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        outputs = dict(line.split("=", 1) for line in (tmp_path / "outputs").read_text("utf-8").splitlines())
        arguments = (tmp_path / "arguments").read_text("utf-8").split("\0")[:-1]
        return done, outputs, arguments

    return run


@pytest.mark.parametrize("code", [0, 1, 2, 4, 5, 6, 7, 70, 130])
def test_the_action_passes_exit_code_and_reason_on(check, code):
    done, outputs, _ = check(code, "a table\n::error title=a%3A b::c\n$(false) `x` \\n 100% = said.\n::debug::d\n")
    assert done.returncode == code
    assert outputs["exit-code"] == str(code)
    assert outputs["reason"] == "$(false) `x` \\n 100% = said."
    assert "::error title=a%3A b::c" in done.stdout


def test_the_action_gives_the_reason_of_an_error_too(check):
    done, outputs, _ = check(2, "", "diffbench: SPEC: there is no such file\n")
    assert (done.returncode, outputs["reason"]) == (2, "diffbench: SPEC: there is no such file")
    assert check(70)[1]["reason"] == ""


def test_options_that_cannot_be_split_do_not_pass(check, tmp_path):
    (tmp_path / "arguments").write_text("", "utf-8")
    done, outputs, arguments = check(0, OPTIONS="--only 'unbalanced")
    assert done.returncode
    assert (outputs, arguments) == ({}, [])


def test_the_action_keeps_what_the_gate_wrote(check):
    _, outputs, arguments = check(1, "said.\n")
    folder = Path(outputs["folder"])
    files = {option: Path(arguments[arguments.index(option) + 1]) for option in ("--junit", "--summary", "--metrics")}
    assert {path.parent for path in files.values()} == {folder}
    assert {path.name for path in folder.iterdir()} == {"junit.xml", "summary.md", "check.log"}
    assert (folder / "check.log").read_text("utf-8") == "said.\n"
    assert check(1)[1]["folder"] != outputs["folder"]


@pytest.mark.parametrize(
    ("inputs", "last"),
    [
        ({}, []),
        ({"SPEC": "a spec; exit.toml"}, ["a spec; exit.toml"]),
        ({"BASELINE": "$(old)"}, ["--baseline", "$(old)"]),
        ({"OPTIONS": "--scheme 'stencil(-1, 0, 2)'\n  --self-test"}, ["--scheme", "stencil(-1, 0, 2)", "--self-test"]),
        ({"SPEC": "s", "BASELINE": "b", "OPTIONS": '""'}, ["--baseline", "b", "", "s"]),
    ],
)
def test_the_action_passes_its_inputs_on_as_they_are(check, inputs, last):
    _, _, arguments = check(0, **inputs)
    assert arguments[0] == "check"
    assert arguments[8:] == last
    assert "--github" in arguments[:8]


def test_the_command_line_knows_what_the_action_says(check, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("spec.toml", "baseline"):
        (tmp_path / name).write_text("", "utf-8")
    for inputs in ({}, {"SPEC": "spec.toml", "BASELINE": "baseline"}, {"OPTIONS": "--suite lab"}):
        parse(check(0, **inputs)[2])


def test_the_script_is_good_bash():
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    for path in [*WORKFLOWS, ACTION]:
        for step in steps_of(path):
            script = step.get("run", "")
            subprocess.run(["bash", "-n"], input=script.encode(), check=True)
