"""Tables of a leaderboard: every count in its column, and nothing lost on the way."""

import json
from typing import NamedTuple

import pytest

from diffbench import Function, OpaqueScheme, Spec, run
from diffbench.analysis.outcomes import OUTCOMES, cases, outcome_rows
from diffbench.report.leaderboard_tables import calibration_table, class_ranking_table, leaderboard_table
from diffbench.report.table import to_csv, to_json, to_latex, to_markdown, to_text
from diffbench.sweep.results import STATUSES


class Library(NamedTuple):
    name: str
    package: str
    peer: str = "central-2"


CALLS = {
    "raises": lambda f, x: 1 // 0,
    "good": lambda f, x: ((f(x + 1e-5) - f(x - 1e-5)) / 2e-5, 1e-9),
    "poor": lambda f, x: ((f(x + 1e-2) - f(x)) / 1e-2, 1e-9),
    "mute": lambda f, x: (f(x + 1e-4) - f(x - 1e-4)) / 2e-4,
    "leaves": lambda f, x: f(x + 1000),
}
LIBRARIES = [Library(name, f"pack_{name}") for name in CALLS]


@pytest.fixture(scope="module")
def swept():
    functions = [
        Function("f", "exp(x)", ["1", "2"], domain="(-10, 10)", tags=["smooth"]),
        Function("g", "Abs(x)", ["0", "1"], domain="(-10, 10)", tags=["kinked"]),
    ]
    schemes = [OpaqueScheme(name, call, takes_epsilon=False) for name, call in CALLS.items()]
    return run(Spec(functions, ["central-2", *schemes], "1e-1:1e-12:2/decade", rules=[]))


@pytest.fixture(scope="module")
def found(swept):
    return cases(swept, LIBRARIES)


def test_a_leaderboard_has_all_outcomes_and_statuses_and_the_best_first(swept):
    table = leaderboard_table(swept, LIBRARIES)
    keys = [column.key for column in table.columns]
    assert len(set(keys)) == len(keys)
    assert {outcome.replace(" ", "_") for outcome in OUTCOMES} | {status.label for status in STATUSES} <= set(keys)
    records = table.records()
    assert [row["library"] for row in records] == ["good", "mute", "poor", "leaves", "raises"]
    assert sorted(records, key=str) == sorted(
        ({key: row[key] for key in keys} for row in outcome_rows(swept, LIBRARIES)), key=str
    )
    for row in records:
        assert row["cells"] == sum(row[status.label] for status in STATUSES) == 4
        assert row["package"] == f"pack_{row['library']}"


def test_what_a_narrow_terminal_keeps_says_who_is_right(swept):
    kept = [column.key for column in leaderboard_table(swept, LIBRARIES).columns if not column.optional]
    assert {"library", "cells", "right", "honestly_wrong", "silently_wrong", "exception", "digits"} <= set(kept)
    assert len(kept) <= 11


def test_calibration_is_of_those_who_give_estimates(found):
    table = calibration_table(found)
    assert [row["library"] for row in table.records()] == ["good", "poor"]
    assert [row["coverage"] for row in table.records()] == [1.0, pytest.approx(1 / 3)]


def test_calibration_by_class_has_a_column_for_it(found):
    table = calibration_table(found, by=["class", "derivative"])
    assert [(row["library"], row["class"], row["derivative"]) for row in table.records()] == [
        ("good", "smooth", 1),
        ("poor", "smooth", 1),
        ("good", "kinked", 1),
        ("poor", "kinked", 1),
    ]


def test_a_class_ranking_has_counts_and_no_mean_over_classes(found):
    rows = class_ranking_table(found).records()
    assert {row["class"] for row in rows} == {"smooth", "kinked"}
    smooth = [(row["rank"], row["library"], row["cells"], row["right"]) for row in rows if row["class"] == "smooth"]
    assert smooth == [(1, "good", 2, 2), (2, "mute", 2, 2), (3, "poor", 2, 0), (4, "leaves", 2, 0), (4, "raises", 2, 0)]


@pytest.mark.parametrize("render", [to_text, to_csv, to_json, to_latex, to_markdown])
def test_all_of_them_can_be_rendered(render, swept, found):
    for table in (leaderboard_table(swept, LIBRARIES), calibration_table(found), class_ranking_table(found)):
        text = render(table)
        assert "good" in text
        assert render is not to_json or len(json.loads(text)) == len(table.rows)


def test_captions_say_what_is_counted(swept, found):
    assert "100 × the error of its peer" in leaderboard_table(swept, LIBRARIES).caption
    assert "coverage" in calibration_table(found).caption
    assert "ranked by the share of right answers" in class_ranking_table(found).caption


def test_of_no_contestants_tables_are_empty(swept):
    assert leaderboard_table(swept, []).records() == calibration_table([]).records() == []
    assert class_ranking_table([]).records() == []
