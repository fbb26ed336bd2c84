"""The guides say what the program does: their Python runs, their command lines parse."""

import doctest
import re
import shlex
from pathlib import Path

import click
import pytest

from diffbench.cli import VERBS, cli

GUIDES = sorted((Path(__file__).parents[1] / "docs" / "guides").glob("*.md"))


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_python_examples_are_true(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testfile(str(path), module_relative=False)
    assert attempted >= 3
    assert failed == 0


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_command_lines_parse(path):
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text("utf-8"), re.S)
    lines = [line.partition(" #")[0] for block in blocks for line in block.splitlines()]
    assert lines
    for line in lines:
        program, verb, *arguments = shlex.split(line)
        assert program == "diffbench"
        assert verb in VERBS
        parent = click.Context(cli, **cli.context_settings)
        cli.get_command(parent, verb).make_context(verb, arguments, parent=parent)
