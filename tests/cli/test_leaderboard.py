"""diffbench leaderboard, conformance and list libraries."""

import pytest

from diffbench import Library
from diffbench.cli import leaderboard
from diffbench.schemes.libraries import LIBRARIES, installed_version
from diffbench.sweep.conformance import Check
from diffbench.sweep.contest import ROUNDS, read_timings

QUICK = ("--suite", "lab", "--libraries", "scipy-2-point,mpmath", "--libraries", "jax-grad", "--quiet", "--no-timings")
BARE = (*QUICK, "--no-report")
STATUSES = {"ok", "collapsed", "uncertain", "nondifferentiable", "nonfinite", "failed", "domain", "unsupported"}


@pytest.mark.slow
def test_the_table_and_where_the_report_is(diffbench, tmp_path):
    outcome = diffbench("leaderboard", *QUICK, "--out", "board")
    assert outcome.code == 0
    assert outcome.out.startswith("Who is right")
    assert (tmp_path / "board" / "report.html").is_file()
    assert (tmp_path / "board" / "tables" / "leaderboard.csv").is_file()
    assert outcome.out.rstrip().endswith("report.html")


def test_json_has_library_package_and_status_counts(diffbench):
    rows = diffbench("leaderboard", *BARE, "--format", "json").json
    names = [row["library"] for row in rows if row["dtype"] == "float64"]
    assert set(names) == {"mpmath-diff", "scipy-2-point", "jax-grad"}
    assert names.index("mpmath-diff") < names.index("scipy-2-point")
    for row in rows:
        assert row.keys() >= STATUSES
        assert sum(row[status] for status in STATUSES) == row["cells"] == 7
        if row["library"] == "jax-grad" and installed_version("jax") is None:
            assert row["unsupported"] == 7


def test_another_table(diffbench):
    options = (
        "--suite",
        "lab",
        "--libraries",
        "scipy-derivative",
        "--quiet",
        "--dtype",
        "float64",
        "--no-timings",
        "--no-report",
    )
    (row,) = diffbench("leaderboard", *options, "--table", "calibration", "--format", "json", "--out", "board").json
    assert row["library"] == "scipy-derivative"
    assert 0 <= row["coverage"] <= 1
    shown = diffbench("show", "board", "--table", "calibration", "--format", "json").json
    assert shown == [row]
    assert diffbench("show", "board", "--table", "told").code == 5


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--libraries", "nobody"), 2, "library: 'nobody' is not known"),
        (("--suite", "nothing"), 2, "nothing"),
        (("--derivative", "0"), 2, "derivative: 0"),
        (("--derivative", "9"), 2, "derivative: 9"),
        (("--libraries", "jacobi", "--derivative", "2"), 5, "libraries: none is left"),
        (("--dtype", "float8"), 2, "float8"),
        (("--time-limit", "-1"), 2, "time_limit"),
        (("--table", "podium"), 2, "podium"),
    ],
)
def test_bad_input_gets_one_line(diffbench, options, code, message, tmp_path):
    outcome = diffbench("leaderboard", *options, "--quiet")
    assert outcome.code == code
    assert message in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()


def test_a_table_with_nothing_to_show_is_empty(diffbench):
    outcome = diffbench("leaderboard", *BARE, "--table", "told")
    assert outcome.code == 5
    assert "told has nothing to show" in outcome.err


def test_conformance_says_what_was_seen(diffbench):
    rows = diffbench("conformance", "scipy-3-point", "--format", "json").json
    assert {row["passed"] for row in rows} == {"yes"}
    assert {"signature", "NaN", "determinism", "evaluations", "x**2, derivative 1"} <= {row["check"] for row in rows}


def test_what_is_not_installed_does_not_conform(diffbench):
    absent = next((each for each in LIBRARIES if installed_version(each.package) is None), None)
    if absent is None:
        pytest.skip("every package is installed")
    outcome = diffbench("conformance", absent.name)
    assert outcome.code == 1
    assert f"{absent.package} is not installed" in outcome.out


def test_what_nobody_knows_is_no_library_to_check(diffbench):
    assert diffbench("conformance", "nobody").code == 2


def test_libraries_are_listed_with_their_versions(diffbench):
    rows = {row["library"]: row for row in diffbench("list", "libraries", "--format", "json").json}
    assert len({row["package"] for row in rows.values()}) >= 13
    assert rows["mpmath-diff"]["installed"][0].isdigit()
    assert rows["jax-grad"]["installed"] == (installed_version("jax") or "no")


def test_a_library_is_a_scheme_by_name(diffbench):
    rows = diffbench(
        *("run", "-f", "exp(x)", "--at", "1", "-s", "scipy-2-point", "-s", "scipy-2-point-epsilon"),
        *("--epsilon", "1e-3", "--format", "json", "--quiet", "--no-report", "--out", "run"),
    ).json
    assert [(row["scheme"], row["epsilon"]) for row in rows] == [
        ("scipy-2-point", None),
        ("scipy-2-point-epsilon", 1e-3),
    ]


MINE = """
from diffbench import Library

def good(f, x, derivative):
    return (f(x + 2**-26) - f(x)) / 2**-26

def bad(f, x, derivative):
    return 2 * good(f, x, derivative)

BOTH = tuple(Library(f"mine-{call.__name__}", "mine", "forward-1", call) for call in (good, bad))
"""


@pytest.mark.slow
def test_an_adapter_of_other_people_takes_part_only_if_it_conforms(diffbench, install):
    install("mine", MINE, libraries={"mine": "mine:BOTH", "torn": "torn:X"})
    options = ("--suite", "lab", "--libraries", "mine", "--dtype", "float64", "--quiet", "--no-timings", "--no-report")
    outcome = diffbench("leaderboard", *options, "--format", "json")
    assert {row["library"] for row in outcome.json} == {"mine-good"}
    assert "mine-bad is left out, its adapter does not conform: x**1, derivative 1" in outcome.err
    assert "the entry point torn of mine cannot be used: ModuleNotFoundError" in outcome.err


@pytest.fixture
def mine(monkeypatch):
    """Let there be two adapters of other people, of which one is wrong, and one entry point that cannot be loaded."""
    found = [Library(name, "mine", "forward-1", print) for name in ("mine-good", "mine-bad")]
    monkeypatch.setattr(leaderboard.plugins, "broken", lambda group: [f"nothing of {group} is there \x1b[2J"])
    monkeypatch.setattr(leaderboard, "chosen_libraries", lambda names: [each for each in found if each.name in names])
    monkeypatch.setattr(
        leaderboard,
        "conformance",
        lambda library: [Check("signature", True, ""), Check("NaN", library.name == "mine-good", "it is \x1b[2J")],
    )


def test_only_adapters_that_conform_take_part(mine, capsys):
    assert leaderboard._conforming(["mine-good", "mine-bad"]) == ["mine-good"]
    assert capsys.readouterr().err.splitlines() == [
        "diffbench: nothing of diffbench.libraries is there \\x1b[2J",
        "diffbench: mine-bad is left out, its adapter does not conform: NaN: it is \\x1b[2J",
    ]


def test_where_none_conforms_there_is_no_contest(mine, diffbench, tmp_path):
    outcome = diffbench("leaderboard", "--libraries", "mine-bad", "--suite", "lab")
    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err.splitlines()[-1] == "diffbench: libraries: none conforms"
    assert list(tmp_path.iterdir()) == []


def test_calls_are_timed_in_rounds_which_it_says(diffbench, tmp_path):
    options = ("--suite", "lab", "--libraries", "mpmath", "--dtype", "float64", "--no-report", "--format", "json")
    outcome = diffbench("leaderboard", *options, "--table", "timings", "--out", "board")
    (row,) = outcome.json
    assert (row["library"], row["rounds"]) == ("mpmath-diff", ROUNDS)
    assert f"timing: {ROUNDS + 1}/{ROUNDS + 1} rounds" in outcome.err
    (timing,) = read_timings(tmp_path / "board")
    assert 0 < timing.low <= timing.seconds <= timing.high


@pytest.mark.parametrize("failure", [None, OSError("disk full")])
def test_an_interrupt_says_how_to_go_on_whatever_it_brought_about(diffbench, monkeypatch, failure):
    def advance(*_):
        try:
            raise KeyboardInterrupt
        finally:
            if failure is not None:
                raise failure

    monkeypatch.setattr("diffbench.cli.leaderboard.progress_of", lambda *_: advance)
    outcome = diffbench("leaderboard", *BARE, "--out", "board", "--jobs", "1")
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err.splitlines()[-1] == (
        "diffbench: interrupted; diffbench run --resume board goes on, without timings"
    )
