"""What contestants make of the epsilon that they are told."""

from types import SimpleNamespace

import pytest

from diffbench import Function, OpaqueScheme, Spec, run
from diffbench.analysis.told import told_rows
from diffbench.errors import EmptySelectionError
from diffbench.sweep.results import NO_CELLS


def at_epsilon(f, x, e):
    return (f(x + e) - f(x)) / e


def at_half(f, x, e):
    return (f(x + e / 2) - f(x - e / 2)) / e


def deaf(f, x, e):
    return (f(x + 1e-3) - f(x)) / 1e-3


def nothing(f, x, e):
    return 0.0


@pytest.fixture(scope="module")
def rows():
    calls = {"mine-at": at_epsilon, "mine-half": at_half, "mine-deaf": deaf, "mine-none": nothing}
    schemes = [OpaqueScheme(name, call) for name, call in calls.items()]
    functions = [Function("f", "exp(x)", ["0.25", "0.5"]), Function("g", "sin(x)", ["0.5", "0"])]
    results = run(Spec(functions, ["forward-1", *schemes], "1e-2:1e-8:2/decade", dtypes=["float64"]))
    who = [SimpleNamespace(name=name, package="mine", peer="forward-1") for name in calls]
    return {row["library"]: row for row in told_rows(results, who)}


def test_who_evaluates_nothing_was_told_nothing(rows):
    assert set(rows) == {"mine-at", "mine-half", "mine-deaf"}


@pytest.mark.parametrize(
    ("name", "at", "moved"), [("mine-at", 1.0, 1.0), ("mine-half", 0.0, 1.0), ("mine-deaf", 1 / 13, 0.0)]
)
def test_nodes_say_whether_epsilon_was_heard(rows, name, at, moved):
    assert rows[name]["at_epsilon"] == pytest.approx(at)
    assert rows[name]["moved"] == moved


def test_digits_stand_beside_those_of_the_peer(rows):
    assert rows["mine-at"]["digits"] == rows["mine-at"]["peer_digits"]
    assert rows["mine-half"]["digits"] > rows["mine-half"]["peer_digits"] + 1
    assert rows["mine-deaf"]["digits"] < 4
    assert rows["mine-at"]["peer"] == "forward-1"


def test_a_peer_that_is_not_in_the_run_has_no_digits():
    results = run(Spec("exp", [OpaqueScheme("mine", at_epsilon), "central-2"], "1e-3,1e-4,1e-5"))
    (row,) = told_rows(results, [SimpleNamespace(name="mine", package="m", peer="central-8")])
    assert row["peer_digits"] is None


def test_a_run_of_summaries_has_no_cells_to_tell_it_by(tmp_path):
    results = run(Spec("exp", OpaqueScheme("mine", at_epsilon), "1e-3"), out=tmp_path / "run", keep="summary")
    with pytest.raises(EmptySelectionError) as found:
        told_rows(results, [])
    assert str(found.value) == NO_CELLS


def test_a_block_in_which_nobody_was_watched_has_no_rows():
    results = run(Spec("exp", "forward-1", "1e-3"))
    assert told_rows(results, [SimpleNamespace(name="forward-1", package="m", peer="forward-1")]) == []


def test_one_epsilon_shows_no_movement():
    results = run(Spec("exp", OpaqueScheme("mine", at_epsilon), "1e-3"))
    (row,) = told_rows(results, [SimpleNamespace(name="mine", package="m", peer="forward-1")])
    assert (row["at_epsilon"], row["moved"]) == (1.0, None)
