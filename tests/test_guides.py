"""Guides and explanations say what the program does: their Python runs, their command lines parse."""

import doctest
import re
import shlex
from pathlib import Path

import click
import pytest

from diffbench import __version__
from diffbench.cli import VERBS, cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [DOCS / "index.md", *sorted(path for part in ("guides", "explanation") for path in (DOCS / part).glob("*.md"))]
SHELL = re.compile(r"```sh\n(.*?)```", re.S)


def pages_with(text):
    return [pytest.param(path, id=path.stem) for path in PAGES if text in path.read_text("utf-8")]


@pytest.mark.parametrize("path", pages_with(">>> "))
def test_python_examples_are_true(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testfile(str(path), module_relative=False)
    assert attempted >= 3
    assert failed == 0


@pytest.mark.parametrize("path", pages_with("```sh\n"))
def test_command_lines_parse(path):
    blocks = SHELL.findall(path.read_text("utf-8"))
    lines = [line.partition(" #")[0] for block in blocks for line in block.splitlines()]
    for line in lines:
        program, verb, *arguments = shlex.split(line)
        if line.split() == ["pip", "install", "."]:
            continue
        assert program == "diffbench"
        assert verb in VERBS
        parent = click.Context(cli, **cli.context_settings)
        cli.get_command(parent, verb).make_context(verb, arguments, parent=parent)


def test_every_guide_has_an_example():
    found = {path.stem for path in PAGES if re.search("^(>>> |```sh$)", path.read_text("utf-8"), re.M)}
    assert {path.stem for path in PAGES} == found


# what is installed ----------------------------------------------------------------------------------------------------

UNRELEASED = "Nothing has been released yet; until then a path to a clone stands in the place of the name"
ADVISERS = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "example" not in path.parts)]


def test_versions_are_that_of_the_program():
    action = ROOT / ".github" / "actions" / "diffbench" / "action.yml"
    text = "".join(path.read_text("utf-8") for path in [*ADVISERS, action])
    named = re.findall(r"diffbench(?:==|@v)([\d.]*\d)", text)
    assert len(named) >= 5
    assert set(named) == {__version__}


def test_who_is_told_to_install_is_told_that_nothing_has_been_released():
    texts = {path.relative_to(ROOT).as_posix(): " ".join(path.read_text("utf-8").split()) for path in ADVISERS}
    told = {name for name, text in texts.items() if re.search(r"pip install [^`]*?\bdiffbench\b(?! run)", text)}
    assert told >= {"README.md", "docs/guides/testing-derivatives.md", "docs/tutorials/gradients.md"}
    assert {name for name in told if UNRELEASED not in texts[name]} == set()
