"""The recipes of CONTRIBUTING are followed to the letter, in a copy of the repository."""

import hashlib
import html
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")

LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "__pycache__", "baselines", "leaderboard", "benchmarks")

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
BESIDE = re.compile(r"In `([^`]+)`, (before|after) the line `([^`]+)`:\s*\Z")
AT_THE_END = re.compile(r"At the end of `([^`]+)`:\s*\Z")

RECIPES = {
    "A scheme": ("schemes", "lopsided"),
    "A function": ("functions", "damped"),
    "A metric": ("metrics", "bits"),
    "A step rule": ("rules", "power-of-2"),
    "A library adapter": ("libraries", "scipy-savgol-epsilon"),
}
"""The list and the name that each recipe adds to."""


LISTING = (
    *("test_docstrings.py", "test_reprs.py", "test_docs.py", "reference/test_metrics.py"),
    *("schemes/test_scheme.py", "schemes/test_step_rules.py", "schemes/test_libraries.py"),
)
"""Quick tests that look at whole lists, and so at what a recipe adds to one."""


class Step(NamedTuple):
    """What a block of a recipe says to do: lines to add beside an anchor in a file, or at its end."""

    path: str
    place: str
    anchor: str
    lines: str


def recipe(title):
    (text,) = [part for part in re.split(r"^(?=#+ )", TEXT, flags=re.M) if part.startswith(f"### {title}\n")]
    return text


def steps(text):
    found = []
    for block in BLOCK.finditer(text):
        if block[1] == "sh":
            continue
        before = text[: block.start()]
        beside, at_the_end = BESIDE.search(before), AT_THE_END.search(before)
        assert beside or at_the_end, f"a block does not say where it belongs: {block[2]!r}"
        where = beside.groups() if beside else (at_the_end[1], "end", "")
        found.append(Step(*where, block[2]))
    return found


def commands(text):
    return [line for kind, body in BLOCK.findall(text) if kind == "sh" for line in body.splitlines()]


def follow(step, root):
    path = root / step.path
    lines = path.read_text("utf-8").splitlines(keepends=True)
    if step.place == "end":
        lines.append(step.lines)
    else:
        places = [i for i, line in enumerate(lines) if line.strip().startswith(step.anchor)]
        assert len(places) == 1, f"{step.path} has {len(places)} lines that begin with {step.anchor!r}"
        lines.insert(places[0] + (step.place == "after"), step.lines)
    path.write_text("".join(lines), "utf-8")


def copy_of_the_repository(tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(ROOT, root, ignore=LEFT_OUT)
    return root


def digests(root):
    files = (path for path in root.rglob("*") if path.is_file() and not {"build", "__pycache__"} & {*path.parts})
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(root, line):
    program, *arguments = shlex.split(line)
    assert program == "diffbench", line
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", program, *arguments]
    done = subprocess.run(command, check=False, cwd=root, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def swept(folder, root, kind, name):
    """Return whether something was measured under a name, in its cells."""
    if kind == "metrics":
        rows = json.loads(run(root, f"diffbench show {folder} --table summary --format json"))
        return all(row[f"optimal_{name}"] is not None for row in rows)
    column = {"functions": "function", "rules": "rule"}.get(kind, "scheme")
    tables = [pq.read_table(path) for path in (root / folder / "cells").glob("*.parquet")]
    rows = [row for table in tables for row in table.select([column, "status"]).to_pylist() if row[column] == name]
    return any(row["status"] == "ok" for row in rows) and "failed" not in {row["status"] for row in rows}


@pytest.mark.slow
def test_the_gate_passes_once_new_numbers_are_accepted(tmp_path):
    root = copy_of_the_repository(tmp_path)
    (block,) = re.findall(r"^   ```sh\n(.*?)^   ```$", TEXT, re.M | re.S)
    *lines, last = map(str.strip, block.splitlines())
    assert last == "make example"
    for line in (*lines, "diffbench check"):
        run(root, line)


@pytest.mark.slow
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_followed_to_the_letter_adds_to_list_sweep_and_report(title, tmp_path):
    kind, name = RECIPES[title]
    root, text = copy_of_the_repository(tmp_path), recipe(title)
    before = digests(root)
    for step in steps(text):
        follow(step, root)
    (changed,) = {path for path, digest in digests(root).items() if before.get(path) != digest}
    assert {step.path for step in steps(text)} == {changed}
    lines = commands(text)
    assert lines[0] == f"diffbench list {kind}"
    listed = run(root, lines[0])
    assert re.search(rf"\b{re.escape(name)}\b", listed)
    for line in lines[1:]:
        run(root, line)
    folder = shlex.split(lines[-1])[-1]
    assert swept(folder, root, kind, name)
    header = {"metrics": f"{name} at optimal ε"}.get(kind, name)
    page = html.unescape((root / folder / "report.html").read_text("utf-8"))
    assert re.search(rf"<t[hd][^>]*>(<a [^>]*>|<span>)?{re.escape(header)}<", page)
    assert any(header in path.read_text("utf-8") for path in (root / folder / "tables").glob("*.md"))
    assert {path for path, digest in digests(root).items() if before.get(path) != digest} == {changed}


@pytest.mark.slow
@pytest.mark.parametrize("title", RECIPES)
def test_what_a_recipe_adds_passes_the_checks(title, tmp_path):
    pytest.importorskip("ruff", reason="the checks are not installed")
    root = copy_of_the_repository(tmp_path)
    shutil.copy(ROOT / "pyproject.toml", root)
    for step in steps(recipe(title)):
        follow(step, root)
        for check in (["format", "--check"], ["check"]):
            target = root / step.path if step.path.endswith(".py") else root / "diffbench"
            done = subprocess.run([sys.executable, "-m", "ruff", *check, target], check=False, capture_output=True)
            assert done.returncode == 0, done.stdout.decode()


@pytest.mark.slow
@pytest.mark.parametrize("title", RECIPES)
def test_what_a_recipe_adds_breaks_no_test(title, tmp_path):
    root = copy_of_the_repository(tmp_path)
    for step in steps(recipe(title)):
        follow(step, root)
    # Pages link to results that are not in the copy.
    options = ("-q", "-m", "not slow", "-k", "not links_of_the_sources", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *options, *(root / "tests" / name for name in LISTING)]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, check=False, cwd=root, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_a_recipe_for_each_kind_of_extension_and_no_other():
    _, recipes = TEXT.split("\n## Five recipes\n")
    titles = re.findall(r"^### (.*)$", recipes, re.M)
    assert titles == [*RECIPES, "Without a change here"]


@pytest.mark.parametrize("title", RECIPES)
def test_the_architecture_says_where_each_extension_goes(title):
    section = ARCHITECTURE.split("## Where an extension goes\n")[1].split("\n## ")[0]
    (row,) = [line for line in section.splitlines() if line.startswith(f"| {title.lower().split(' ', 1)[1]} |")]
    (path,) = {step.path for step in steps(recipe(title))}
    assert f"`{path.removeprefix('diffbench/')}`" in row
    assert (ROOT / path).is_file()


def test_make_targets_are_those_of_the_makefile():
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)[1].split()
    assert {*re.findall(r"\bmake ([a-z-]+)\b`", TEXT)} == {*targets}


def test_links_lead_somewhere():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", TEXT)
    assert len(targets) >= 2
    assert [target for target in targets if not (ROOT / target).exists()] == []
