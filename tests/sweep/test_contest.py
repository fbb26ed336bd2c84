"""Libraries in a sweep: isolated, limited in time, recorded; null models of them."""

import pickle
import subprocess
import sys
import tomllib
from time import monotonic

import contestants
import numpy as np
import pandas as pd
import pytest

from diffbench import Function, OpaqueScheme, Spec, load, run
from diffbench.children import LateError, LostError
from diffbench.errors import EmptySelectionError, InputError, StoreError
from diffbench.schemes import libraries as catalogue
from diffbench.sweep import contest, opaque
from diffbench.sweep.contest import (
    PEERS,
    chosen_libraries,
    contest_spec,
    contestants_of,
    read_timings,
    timings,
    write_timings,
)
from diffbench.sweep.results import Status


def measured(*libraries, formula="exp(x)", points=("-1", "1", "-2"), time_limit=2.0, **options):
    function = Function("f", formula, points, **options)
    schemes = [each.scheme() for each in libraries]
    return run(Spec(function, schemes, "1e-3,1e-5", rules=[], time_limit=time_limit)).blocks[0]


def outcome(block, row=0):
    """Return status and reason of each point."""
    column = -1 if np.any(block.status[row, :, -1] != Status.ABSENT) else 0
    return [
        (Status(s).label, block.reasons[r])
        for s, r in zip(block.status[row, :, column], block.reason[row, :, column], strict=True)
    ]


def test_a_library_in_a_process_of_its_own_has_the_bits_of_one_in_this():
    block = measured(contestants.FORWARD)
    mine = OpaqueScheme("mine", lambda f, x: contestants.forward(f, x, 1), takes_epsilon=False)
    own = run(Spec(Function("f", "exp(x)", ["-1", "1", "-2"]), mine, rules=[])).blocks[0]
    assert block.estimate[0, :, -1].tolist() == own.estimate[0, :, -1].tolist()
    assert block.evaluations[0, :, -1].tolist() == [2, 2, 2]


def test_one_that_is_told_an_epsilon_is_swept():
    block = measured(contestants.SWEPT)
    assert block.records[2, 0, 1] == pytest.approx([1e-3, 1e-5], rel=1e-9)


@pytest.mark.slow
def test_one_that_hangs_is_stopped_and_costs_its_cells_only():
    block = measured(contestants.HANGS, contestants.FORWARD)
    late, untried = "no answer within 2 s", "not tried, since another call gave no answer in time"
    assert outcome(block, 0) == [("failed", late), ("failed", untried), ("failed", untried)]
    assert outcome(block, 1) == [("ok", "")] * 3


@pytest.mark.slow
def test_one_that_ends_its_process_is_said_to():
    assert outcome(measured(contestants.ENDS)) == [("failed", "it ended its process")] * 3


@pytest.mark.slow
def test_one_that_hangs_with_processes_of_its_own_is_stopped_with_them():
    start = monotonic()
    assert outcome(measured(contestants.FORKS))[0] == ("failed", "no answer within 2 s")
    assert monotonic() - start < 50


def test_what_cannot_be_sent_to_another_process_has_the_reason():
    library = contestants.library("local", lambda f, x, derivative: 0.0)
    (status, reason), *_ = outcome(measured(library))
    assert status == "failed"
    assert reason.startswith("it cannot be sent to another process: ")


@pytest.mark.slow
def test_what_another_process_cannot_import_has_the_reason():
    code = (
        "from diffbench import Library, Spec, run\n"
        "def mine(f, x, derivative): return 0.0\n"
        "library = Library('mine-zero', 'mine', 'forward-1', mine)\n"
        "(block,) = run(Spec('exp', library.scheme(), '1e-3')).blocks\n"
        "print({block.reasons[i] for i in block.reason.ravel()})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "it cannot be imported in another process: AttributeError" in done.stdout


@pytest.mark.slow
def test_a_run_knows_the_versions_of_its_packages(tmp_path):
    results = run(Spec("exp", ["mpmath-diff", "jax-grad"], "1e-3"), out=tmp_path / "run")
    assert results.manifest["versions"]["jax"] == (catalogue.installed_version("jax") or "not installed")


@pytest.mark.parametrize(("given", "kept"), [(np.inf, np.finfo(float).max), (np.nan, None), (0.5, 0.5)])
def test_an_error_that_may_be_anything_is_a_large_one(given, kept):
    scheme = OpaqueScheme("sure", lambda f, x: (0.0, given), takes_epsilon=False)
    frame = run(Spec(Function("f", "x", ["1"]), scheme, "1e-3")).to_frame()
    assert [None if pd.isna(value) else value for value in frame["error_estimate"]] == [kept]


def test_one_that_raises_or_answers_nan_has_a_row_with_the_reason():
    block = measured(contestants.RAISES, contestants.NOTHING, contestants.ZERO)
    assert outcome(block, 0) == [("failed", "ArithmeticError: no step suits")] * 3
    assert outcome(block, 1) == [("nonfinite", "the estimate is not finite")] * 3
    assert block.error[2, :, -1] == pytest.approx(-np.exp([-1.0, 1.0, -2.0]))


def test_a_function_of_ones_own_stays_in_this_process():
    calls = []

    def mine(x):
        calls.append(x)
        return np.exp(x)

    block = measured(contestants.FORWARD, evaluate=mine)
    assert outcome(block) == [("ok", "")] * 3
    assert len(calls) == 6


def test_a_package_that_is_not_installed_is_a_row_that_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "jacobi", None)
    block = run(Spec("exp", [OpaqueScheme("j", catalogue.find_library("jacobi").scheme().call, 1, False)])).blocks[0]
    assert set(outcome(block)) == {("unsupported", "jacobi is not installed")}


def test_libraries_are_schemes_by_name_and_come_back_from_a_file(tmp_path):
    spec = Spec("exp", ["forward-1", "scipy-2-point-d1", "mpmath-diff-d2"], derivatives=[1, 2])
    table = tomllib.loads(spec.to_toml())
    assert table["schemes"] == ["forward-1-d1", "forward-1-d2", "scipy-2-point-d1", "mpmath-diff-d2"]
    assert Spec(**table) == spec


def test_a_library_is_chosen_by_its_name():
    spec = Spec("exp", "mpmath-diff", derivatives=[1, 2])
    assert [scheme.name for scheme in spec.schemes] == ["mpmath-diff", "mpmath-diff-d2"]
    with pytest.raises(InputError, match="no derivative 2"):
        Spec("exp", "scipy-2-point", derivatives=[2])
    with pytest.raises(InputError, match="is not a name by the rule"):
        Spec("exp", "scipy-99-point")


def test_a_run_of_libraries_is_stored_resumed_and_read_back(tmp_path):
    spec = Spec("exp", ["forward-1", "scipy-2-point"], "1e-3,1e-5")
    written = run(spec, out=tmp_path / "run")
    again = load(tmp_path / "run")
    for a, b in zip(written.blocks, again.blocks, strict=True):
        assert np.array_equal(a.records, b.records, equal_nan=True)
        assert np.array_equal(a.estimate, b.estimate, equal_nan=True)
    assert [each.name for each in contestants_of(again)] == ["scipy-2-point"]


# what a contest runs --------------------------------------------------------------------------------------------------


def test_a_contest_has_peers_and_every_library_at_its_own_defaults():
    spec = contest_spec(["lab"])
    names = [scheme.name for scheme in spec.schemes]
    assert names[: len(PEERS)] == list(PEERS)
    assert {"jacobi", "numdifftools-central", "jax-grad", "gsl-central"} <= set(names)
    assert not any(name.endswith("-epsilon") for name in names)
    packages = {scheme.package for scheme in spec.schemes if isinstance(scheme, OpaqueScheme)}
    assert len(packages) >= 10


def test_those_that_are_told_an_epsilon_come_when_asked_for():
    assert "findiff-acc4-epsilon" in {scheme.name for scheme in contest_spec(["lab"], swept=True).schemes}


def test_libraries_are_chosen_by_name_or_package():
    assert [each.name for each in chosen_libraries(["jacobi-forward", "jacobi"])] == ["jacobi-forward", "jacobi"]
    assert {each.package for each in chosen_libraries(["GSL", "fdm"])} == {"GSL", "fdm"}
    with pytest.raises(InputError, match="numdifftools"):
        chosen_libraries(["numdifftool-central"])


def test_a_derivative_that_nobody_has_selects_nothing():
    with pytest.raises(EmptySelectionError):
        contest_spec(["lab"], derivatives=[7])


def test_each_derivative_has_those_that_offer_it():
    names = {scheme.name for scheme in contest_spec(["lab"], ["scipy", "fdm"], derivatives=[1, 2]).schemes}
    assert {"scipy-cs", "fdm-central", "fdm-central-d2", "central-2-d2"} <= names
    assert "scipy-cs-d2" not in names


# time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_timings_have_their_spread_and_leave_out_what_has_no_answer(tmp_path):
    functions = [Function("a", "exp(x)", ["1"]), Function("b", "exp(x)", ["-1"])]
    who = [contestants.FORWARD, contestants.SWEPT, contestants.RAISES, contestants.HANGS]
    rounds = []
    found = timings(who, functions, rounds=2, time_limit=0.5, progress=rounds.append)
    assert [row.library for row in found] == [each.name for each in who]
    assert [row.problems for row in found] == [2, 2, 0, 1]
    assert rounds == [1] * 3
    for row in found:
        if row.problems:
            assert 0 < row.low <= row.seconds <= row.high
        else:
            assert row.seconds is None
    write_timings(found, tmp_path)
    assert read_timings(tmp_path) == found


def test_contestants_take_turns(monkeypatch):
    order = []
    monkeypatch.setattr(contest, "_seconds", lambda library, *_: order.append(library.name) or 1.0)
    timings([contestants.FORWARD, contestants.ZERO], [Function("a", "x", ["1"])], rounds=2)
    assert order == ["null-forward", "null-zero"] * 3


def test_there_are_no_timings_where_nothing_was_timed(tmp_path):
    assert read_timings(tmp_path) == []
    (tmp_path / "timings.json").write_text('[{"library": 1}]')
    with pytest.raises(StoreError, match="no timings"):
        read_timings(tmp_path)


class Deaf:
    """A child that does not answer."""

    def __init__(self, error):
        self._error = error

    def ask(self, *_):
        raise self._error

    def end(self):
        pass


@pytest.mark.parametrize("error", [LateError, LostError])
def test_a_package_whose_import_does_not_end_well_fails_in_every_call(error):
    function = Function("f", "exp(x)", ["1"])
    asked = opaque._Patience(Deaf(error), contestants.FORWARD.scheme(), function, 1.0)
    for _ in range(2):
        answer = asked.ask(1.0, ())
        assert (answer.status, answer.reason) == (
            Status.FAILED,
            "importing the package ends its process, or does not end",
        )


def test_what_another_process_cannot_read_has_the_reason():
    answer = opaque._answer((b"no pickle", 1.0, ()))
    assert answer.status is Status.FAILED
    assert answer.reason.startswith("it cannot be imported in another process: UnpicklingError")


def test_what_a_child_imports_first_may_fail_until_it_is_called():
    assert opaque._answer("no_such_module") == opaque.Answer()
    scheme, function = contestants.FORWARD.scheme(), Function("f", "x**2", ["1"])
    answer = opaque._answer((pickle.dumps((scheme, function)), np.float64(1.0), ()))
    assert answer.status is Status.OK
    assert answer.estimate == pytest.approx(2, abs=1e-4)
