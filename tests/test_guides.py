"""Guides and explanations say what the program does: their files load, their commands and their Python run."""

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from diffbench import Spec, __version__
from diffbench.cli import VERBS, cli
from diffbench.functions.suites import load_suite
from diffbench.schemes import plugins

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDES = [
    DOCS / "index.md",
    *sorted(path for part in ("guides", "explanation") for path in (DOCS / part).glob("*.md")),
]
PAGES = [*GUIDES, *sorted((DOCS / "tutorials").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"# ([\w-]+\.(?:toml|py))\n")
"""The first line of a block that is a file, or one more piece of a file that the page has begun."""

RUN = "results/my-run"
"""What the pages call a run that the reader has made."""
SMALL = {"standard": "exp", "ml": "softplus", "multivariate": "beale", "models": "logistic-10"}
"""Suites that are swept for long, and the function that is swept in the place of each."""
NOT_RUN = {
    "pip install .": "installs; the workflow of the tests does that",
    "diffbench run --executor dask://127.0.0.1:8786": "needs a cluster; tests/sweep/test_executors.py has one",
    "diffbench references verify": "takes minutes; make verify does that",
}
NEEDS = {
    'diffbench recommend "sin(x)" --at 1 --framework torch --dtype float32': "torch",
    'diffbench recommend "log(1 + exp(x))" --at 3 --framework jax --dtype bfloat16 --format json': "jax",
    "diffbench run --suite models --evaluator torch --dtype float32 --dtype bfloat16 --out narrow": "torch",
    "diffbench show narrow --table gradients": "torch",
}
"""What runs only where a package is that is not among the extras of the tests."""
SLOW = {"libraries", "papers", "reading-results"}
"""Pages whose Python takes seconds; it runs with the rest of the page."""


def blocks(path, *kinds):
    return [(kind, block) for kind, block in BLOCK.findall(path.read_text("utf-8")) if kind in kinds]


def pages_with(*kinds, among=PAGES):
    return [pytest.param(path, id=path.stem) for path in among if blocks(path, *kinds)]


def commands(block):
    return [line.partition(" #")[0].strip() for line in block.splitlines()]


def write(block):
    """Write a block into the file that its first line names, behind what is there, and return the file."""
    path = Path(FILE.match(block)[1])
    with path.open("a", encoding="utf-8") as file:
        file.write(block)
    return path


# quick ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path in pages_with("python", among=GUIDES) if path.id not in SLOW])
def test_python_examples_are_true(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testfile(str(path), module_relative=False)
    assert attempted >= 3
    assert failed == 0


def parse(line):
    program, verb, *arguments = shlex.split(line)
    assert program == "diffbench"
    assert verb in VERBS
    parent = click.Context(cli, **cli.context_settings)
    cli.get_command(parent, verb).make_context(verb, arguments, parent=parent)


@pytest.mark.parametrize("path", pages_with("sh", "yaml"))
def test_command_lines_parse(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"\b(\w+/)?(\w+\.(?:toml|json))\b", path.read_text("utf-8")):
        Path(name[0]).mkdir(exist_ok=True)
        Path(*name).touch()
    lines = [line for _, block in blocks(path, "sh") for line in commands(block)]
    for _, block in blocks(path, "yaml"):
        assert yaml.safe_load(block)
        lines += re.findall(r"^\s*- (?:run: )?(diffbench .*)$", block, re.M)
    assert lines
    for line in lines:
        if line.split()[0] not in {"pip", "pytest"}:
            parse(line)


def load(path):
    """Read a file as what it is: the entry points of a package, a suite, or a spec with or without bounds."""
    table = tomllib.loads(path.read_text("utf-8"))
    if "project" in table:
        assert set(table["project"]["entry-points"]) == {plugins.LIBRARIES, plugins.SCHEMES}
    elif all(isinstance(each, dict) for each in table["functions"]):
        assert load_suite(str(path)).functions
    else:
        assert Spec.from_toml(path).functions


@pytest.mark.parametrize("path", pages_with("toml"))
def test_files_are_specs_suites_or_entry_points(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _, block in blocks(path, "toml"):
        load(write(block))


def test_every_guide_has_an_example():
    assert [path.stem for path in GUIDES if not blocks(path, "sh") and ">>> " not in path.read_text("utf-8")] == []


def test_what_is_not_run_is_still_told():
    told = [line for path in PAGES for _, block in blocks(path, "sh") for line in commands(block)]
    assert NOT_RUN.keys() | NEEDS.keys() <= set(told)
    kinds = {kind for path in PAGES for kind, _ in BLOCK.findall(path.read_text("utf-8"))}
    assert kinds == {"python", "sh", "toml", "yaml", "text"}
    plain = [line for path in PAGES for _, block in blocks(path, "text") for line in block.splitlines()]
    # The script of a job array is for Slurm alone.
    assert [line.split()[:3] for line in plain if line.startswith("diffbench")] == [["diffbench", "run", "sweep.toml"]]


# slow -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of two functions and two schemes in two dtypes."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    options = "-f exp -f runge -s forward-1 -s central-2 --dtype float32 --dtype float64 --no-report"
    run_program(["run", *options.split(), "--out", str(folder)])
    return folder


def run_program(words):
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, f"{shlex.join(words)}\n{done.output}{done.exception!r}"


def run_pytest(words):
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def small(words):
    """Return a command that sweeps one function and one scheme where the reader's names a large suite or none."""
    verb, first, *_ = [*words, ""]
    if verb == "leaderboard":
        return [*words, "--suite", "lab"]
    if verb not in {"run", "plan"} or first == "--resume" or first.endswith(".toml") or "lab" in words:
        return words
    if "--suite" in words:
        place = words.index("--suite")
        suite = words[place + 1]
        words = [*words[:place], "-f", SMALL[suite], *words[place + 2 :]] if suite in SMALL else words
    elif "-f" not in words:
        words = [*words, "-f", SMALL["standard"]]
    return words if "-s" in words else [*words, "-s", "central-2"]


def run_shell(block):
    for line in commands(block):
        program, *words = shlex.split(line)
        if line in NOT_RUN or (line in NEEDS and find_spec(NEEDS[line]) is None):
            continue
        if program == "pytest":
            run_pytest(words)
        else:
            run_program(small(words))


def run_python(block, names):
    """Run examples, with the names of those before them, or a file of tests."""
    if ">>> " not in block:
        run_pytest([write(block).name])
        return
    said = []
    test = doctest.DocTestParser().get_doctest(block, names, "page", None, 0)
    doctest.DocTestRunner().run(test, out=said.append, clear_globs=False)
    assert said == []
    names.update(test.globs)


@pytest.mark.slow
@pytest.mark.parametrize("path", pages_with("sh", "toml", "python"))
def test_a_page_does_what_it_says_from_top_to_bottom(path, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, RUN)
    names = {}
    for kind, block in blocks(path, "sh", "toml", "python"):
        if kind == "sh":
            run_shell(block)
        elif kind == "python":
            run_python(block, names)
        else:
            load(write(re.sub(r'"(\w+)"', lambda name: f'"{SMALL.get(name[1], name[1])}"', block)))


# what is installed ----------------------------------------------------------------------------------------------------

UNRELEASED = "Nothing has been released yet; until then a path to a clone stands in the place of the name"
ADVISERS = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "example" not in path.parts)]


def test_versions_are_that_of_the_program():
    action = ROOT / ".github" / "actions" / "diffbench" / "action.yml"
    text = "".join(path.read_text("utf-8") for path in [*ADVISERS, action])
    named = re.findall(r"diffbench(?:==|@v)([\d.]*\d)", text)
    assert len(named) >= 5
    assert set(named) == {__version__}


def test_who_is_told_to_install_is_told_whether_anything_has_been_released():
    texts = {path.relative_to(ROOT).as_posix(): " ".join(path.read_text("utf-8").split()) for path in ADVISERS}
    told = {name for name, text in texts.items() if re.search(r"pip install [^`]*?\bdiffbench\b(?! run)", text)}
    assert told >= {"README.md", "docs/guides/testing-derivatives.md", "docs/tutorials/gradients.md"}
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    released = re.search(r"^## \[\d", changelog, re.M) is not None
    assert {name for name in told if (UNRELEASED in texts[name].replace("nothing", "Nothing")) is released} == set()
    assert ("Nothing has been released yet" in changelog) is not released
