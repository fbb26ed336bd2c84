"""Guides and explanations say what the program does: their Python runs, their command lines parse."""

import doctest
import re
import shlex
from pathlib import Path

import click
import pytest

from diffbench.cli import VERBS, cli

DOCS = Path(__file__).parents[1] / "docs"
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
