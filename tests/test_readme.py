"""The README says what the program does."""

import doctest
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from diffbench import Spec, run
from diffbench.cli import VERBS, cli
from diffbench.report.table import to_markdown
from diffbench.report.tables import ranking_table, regret_table
from diffbench.schemes.step_rules import RULES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SHELL_LINES = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.S)
    for line in block.splitlines()
]


def test_python_examples_are_true():
    failed, attempted = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert attempted >= 6
    assert failed == 0


def test_leads_with_the_two_commands():
    assert [line for line in SHELL_LINES if line][:2] == ["make report", "make test"]


@pytest.mark.parametrize("line", [line for line in SHELL_LINES if line.startswith("diffbench")])
def test_command_lines_parse(line):
    verb, *arguments = shlex.split(line)[1:]
    assert verb in VERBS
    # As in a real call: a command remembers the names of its help option from the first context that it meets.
    parent = click.Context(cli, **cli.context_settings)
    cli.get_command(parent, verb).make_context(verb, arguments, parent=parent)


def test_the_spec_file_can_be_run():
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    results = run(Spec(**tomllib.loads(block)))
    assert len(results.blocks) == 6
    assert {scheme for block in results.blocks for scheme in block.schemes} == {"stencil(-1,0,2)", "wide-central"}
    assert results.counts["ok"] > 1000


def numbers(markdown):
    rows = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")][1:]
    return {row[1]: [float(cell) for cell in row[4:10]] for row in rows if row[0] != "---:"}


def test_table_is_what_the_program_measures():
    table = README.split("<!-- ranking -->")[1].split("<!-- /ranking -->")[0]
    measured = numbers(to_markdown(ranking_table(run(Spec("standard")))))
    printed = numbers(table)
    assert printed.keys() == measured.keys()
    assert len(printed) >= 19
    for scheme, values in printed.items():
        # Another libm may move a median by a little, the worst cell, where one rounding error decides, by more.
        _, _, digits, worst, usual, usual_worst = zip(values, measured[scheme], strict=True)
        assert values[:2] == measured[scheme][:2], scheme
        for left, right in (digits, usual):
            assert left == pytest.approx(right, abs=0.5), scheme
        for left, right in (worst, usual_worst):
            assert left == pytest.approx(right, abs=4), scheme


def regrets(markdown):
    rows = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")][2:]
    return {(row[0], row[1]): [float(cell) for cell in row[5:]] for row in rows}


def test_regret_is_what_the_program_measures():
    table = README.split("<!-- regret -->")[1].split("<!-- /regret -->")[0]
    results = run(Spec("standard", ["forward-1", "central-2"], rules="all"))
    measured, printed = regrets(to_markdown(regret_table(results))), regrets(table)
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
