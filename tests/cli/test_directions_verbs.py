"""Functions of several variables on the command line: what works, and what refuses them in one line."""

import pytest

SADDLE = ("-f", "x**2*y + sin(y)", "--at", "x=1,y=2")
FEW = ("-s", "central-2", "--epsilon", "1e-2:1e-5:1/decade", "--quiet")


@pytest.mark.slow
def test_a_run_is_stored_reported_shown_and_compared(diffbench, tmp_path):
    assert diffbench("run", *SADDLE, *FEW, "--derivative", "1", "--derivative", "2", "--out", "one").code == 0
    page = (tmp_path / "one" / "report.html").read_text("utf-8")
    assert "x=1, y=2, along" in page
    assert 'id="gradients"' in page
    assert 'id="along-x"' not in page
    table = diffbench("show", "one", "--table", "gradients", "--format", "json").json
    assert [(row["derivative"], row["components"], row["certified"]) for row in table] == [(1, 2, 2), (2, 3, 3)]
    cells = diffbench("show", "one", "--table", "estimates", "--format", "json").json
    assert {(row["direction"], row["at"]) for row in cells} == {(name, "x=1, y=2") for name in ("x", "y", "x,y")}
    assert diffbench("report", "one", "--format", "md", "--out", "paper", "--quiet").code == 0
    assert diffbench("run", "--resume", "one", "--quiet").code == 0
    assert diffbench("run", *SADDLE, *FEW, "--derivative", "1", "--out", "two", "--no-report").code == 0
    assert diffbench("compare", "two", "two").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "-f", "x*y", "--at", "x=1,y"), "at: 'x=1,y' is not a number for each variable, such as x=1,y=2"),
        (("run", "-f", "x*y", "--at", "x=1,y=2,x=3"), "at: 'x=1,y=2,x=3' is not a number for each variable"),
        (("run", "-f", "x*y", "--at", "x=1,y=2", "--at", "3"), "'x*y' has the variables x, y: give a number for each"),
        (("run", "-f", "x*y"), "at: 'x*y' has the variables x, y: give a number for each, such as --at x=1,y=2"),
        (("run", "-f", "x*y", "--at", "1"), "'x*y' has the variables x, y: give a number for each"),
        (("run", "-f", "x*y", "--at", "1,2"), "'x*y' has the variables x, y: give a number for each"),
        (("run", "-f", "x*y", "--at", "x=1"), "'x*y' has the variables x, y: give a number for each"),
        (("run", "-f", "x*y", "--at", "x=1,y=2,z=3"), "point: 'z' is no variable of 'x*y'"),
        (
            ("run", "-f", "x*y", "--at", "x=1,y=2", "--at", "x=1,z=2"),
            "point: x=1, z=2 of x*y has not the variables x, y",
        ),
        (
            ("run", "-f", "x*y", "--at", "x=1,y=2", "-f", "sin(x)", "--at", "1"),
            "at: it is for every formula given; functions of one and of several variables need runs, or a spec, of",
        ),
        (("run", "-f", "x*z", "--at", "x=1,y=2"), "variable 'z' is none of x, y"),
        (("run", "-f", "x/y", "--at", "x=1,y=0"), "x/y is not defined, or not real, at x=1, y=0"),
        (
            ("run", *SADDLE, "--noise", "relative 1e-6"),
            "several variables can have no domain, printed numbers or noise",
        ),
        (("orders", "--suite", "multivariate"), "has the variables x1, x2; only one can be had here"),
        (("exact", "x*y", "--at", "x=1,y=2"), "'y' beside 'x'; a formula of one is expected here"),
        (("recommend", "x*y", "--at", "1"), "second variable 'y' beside 'x'; a formula of one is expected here"),
    ],
)
def test_what_cannot_be_done_is_one_line(diffbench, arguments, message):
    outcome = diffbench(*arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_gradients_have_a_baseline_and_a_gate(diffbench):
    assert diffbench("run", *SADDLE, *FEW, "--out", "one", "--no-report").code == 0
    assert diffbench("baseline", "accept", "one", "--reason", "first", "--name", "saddle").code == 0
    outcome = diffbench("check", "one", "--baseline", "saddle")
    assert (outcome.code, "passed: 10 cells compared with saddle" in outcome.out) == (0, True)
    other = ("-f", "x**2*y + sin(y)", "--at", "x=1,y=3")
    outcome = diffbench("check", *other, *FEW, "--baseline", "saddle")
    assert outcome.code == 7
    assert "the curve x**2*y + sin(y) at x=1, y=2 along x of central-2, and 1 more, is not in the run" in outcome.out
