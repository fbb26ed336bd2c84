"""``diffbench orders``: its two tables, what it selects, and its mistakes."""

import pytest

from diffbench.analysis.order import VERDICTS, order_rows
from diffbench.report.table import to_markdown
from diffbench.report.tables import orders_table


def test_few_cases_are_shown_one_by_one(diffbench):
    outcome = diffbench("orders", "-f", "Abs(x)**Rational(3, 2)", "--at", "0", "-s", "forward-1", "-s", "central-2")
    assert (outcome.code, outcome.err) == (0, "")
    assert "reduced" in outcome.out
    assert "the truncation is 0: f is even about x" in outcome.out


def test_json_is_the_printed_table(diffbench):
    row, *rest = diffbench("orders", "-f", "exp(x)", "--at", "0.1", "-s", "central-4-d2", "--format", "json").json
    assert rest == []
    assert (row["function"], row["point"], row["scheme"], row["verdict"]) == (
        "exp(x)",
        "0.1",
        "central-4-d2",
        "verified",
    )
    assert (row["derivative"], row["proved"]) == (2, 4)
    assert row["low"] <= row["observed"] <= row["high"]
    assert abs(row["observed"] - 4) < 1e-3


@pytest.mark.slow
def test_many_cases_are_counted_by_scheme(diffbench):
    rows = diffbench("orders", "-s", "central-2", "-s", "forward-1", "--format", "json").json
    assert [row["scheme"] for row in rows] == ["central-2", "forward-1"]
    for row in rows:
        counted = [row[verdict.replace(" ", "_")] for verdict in VERDICTS]
        assert sum(counted) == row["cases"] == 201
        assert row["uncertain"] == 0
        assert row["deviation"] < 1e-3


def test_a_table_may_be_chosen(diffbench):
    arguments = ("orders", "-f", "exp(x)", "--at", "0", "-s", "central-2", "--format", "json")
    assert "cases" in diffbench(*arguments, "--table", "schemes").json[0]
    assert "reason" in diffbench(*arguments, "--table", "cases").json[0]


def test_a_verdict_may_be_chosen(diffbench):
    rows = diffbench(
        "orders",
        "-f",
        "abs-3-2",
        "-f",
        "exp",
        "-f",
        "sqrt",
        "-s",
        "forward-1",
        "--verdict",
        "reduced",
        "--format",
        "json",
    ).json
    assert [(row["function"], row["observed"]) for row in rows] == [("abs-3-2", 0.5)]


def test_nothing_left_is_exit_code_5(diffbench):
    outcome = diffbench("orders", "-f", "exp", "-s", "central-2", "--verdict", "reduced")
    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err == "diffbench: verdict: no case is reduced\n"


def test_mistakes_are_one_line_each(diffbench):
    for arguments in (["--suite", "nosuch"], ["-f", "exp(x)"], ["--at", "0"], ["-s", "centrl-2"]):
        outcome = diffbench("orders", *arguments)
        assert outcome.code == 2
        assert outcome.err.count("\n") == 1


def test_the_table_of_schemes_can_be_written():
    text = to_markdown(orders_table(list(order_rows(["exp"], ["central-2"]))))
    assert "| central-2 | 1 | 2 | 4 | 4 | 0 | 0 | 0 | 0 | 0 | 0 |" in text
