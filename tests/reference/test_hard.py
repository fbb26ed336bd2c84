"""Evaluations that never end, or end their process: in a child that is ended, and the caller goes on."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from time import monotonic

import pytest

from diffbench import Function, Spec, exact_derivative, parse_formula, run
from diffbench.children import Child, LateError, LostError, _send
from diffbench.reference import hard
from diffbench.reference.balls import HardError, is_expendable
from diffbench.reference.exact import are_defined, references
from diffbench.reference.ways import ways_to

ENDLESS = "zeta(x)"
"""FLINT does not come back from it at 10^100 with the precision that 900 digits ask for."""


@pytest.fixture(scope="module")
def child():
    """Return a child of these tests' own, which starts again after a test that ended it."""
    own = Child(hard.__name__)
    yield own
    own.end()


def ask(child, formula, x, derivative=1, *, digits=20, seconds=30.0):
    return child.ask((parse_formula(formula), Fraction(x), derivative, digits), seconds)[0]


def test_this_process_refuses_what_might_never_end():
    assert not is_expendable()
    with pytest.raises(HardError):
        ways_to(parse_formula(ENDLESS), 1).references([Fraction(10) ** 100], 900)


def test_what_does_not_end_is_given_up_after_its_time_and_the_next_one_works():
    start = monotonic()
    given_up = exact_derivative(ENDLESS, "1e100", digits=900, time_limit=0.25)
    assert monotonic() - start < 30
    assert (given_up.verdict, given_up.reason) == ("uncertain", "not settled within the time limit of 0.25 s")
    assert given_up.value is None
    hard_one = exact_derivative("besselk(1, x)", 1000)
    assert (hard_one.verdict, hard_one.second_opinion) == ("certified", "jet")


def test_the_child_gives_the_references_of_this_process(child):
    formula = parse_formula("exp(x)*sin(x)")
    here = references(formula, [Fraction(1, 3)], 2, 40)[0]
    assert ask(child, formula.text, "1/3", 2, digits=40) == here
    assert ask(child, "log(x)", -1) is None


def test_a_request_that_is_late_ends_the_child(child):
    assert ask(child, "x**2", 3).value == 6
    process = child.process
    with pytest.raises(LateError):
        ask(child, ENDLESS, Fraction(10) ** 100, digits=900, seconds=0.2)
    assert process.returncode is not None, "ended and waited for"
    assert ask(child, "x**2", 3).value == 6
    assert child.process is not process


def test_a_child_that_dies_is_reported_and_replaced(child):
    assert ask(child, "x**2", 3).value == 6
    child.process.kill()
    child.process.wait()
    with pytest.raises(LostError):
        ask(child, "x**2", 3)
    assert ask(child, "x**2", 3).value == 6


def test_a_lost_child_makes_the_reference_uncertain(monkeypatch):
    def lose(*_):
        raise LostError

    monkeypatch.setattr(hard.CHILD, "ask", lose)
    lost = hard.Expendable(parse_formula("x"), 1, 20, 5.0).reference(Fraction(1))
    assert (lost.verdict, lost.reason) == ("uncertain", "the evaluation ended its process")


def test_what_fails_in_the_child_makes_the_reference_uncertain(monkeypatch):
    request = parse_formula("exp(x)"), Fraction(1), 1, 20
    assert hard._answer(request) == references(request[0], [1], 1, 20)[0]

    def fail(*_):
        raise RecursionError("too deep")

    monkeypatch.setattr(hard, "ways_to", fail)
    failed = hard._answer(request)
    assert (failed.verdict, failed.reason) == ("uncertain", "the evaluation failed: RecursionError")


def test_the_points_of_one_call_share_the_time_limit():
    start = monotonic()
    found = references(parse_formula(ENDLESS), [10.0**k for k in range(100, 120)], 1, 900, time_limit=0.25)
    assert monotonic() - start < 20
    assert {reference.reason for reference in found} == {"not settled within the time limit of 0.25 s"}


@pytest.mark.slow
def test_a_sweep_goes_on_without_it():
    functions = [Function("endless", ENDLESS, ["1e100"]), Function("plain", "x**2", ["3"])]
    frame = run(Spec(functions, ["forward-1"], ["1e-3"], rules=[], time_limit=0.25)).to_frame().set_index("function")
    assert frame["status"].to_dict() == {"endless": "uncertain", "plain": "ok"}
    assert frame["reason"]["endless"] == "not settled within the time limit of 0.25 s"


@pytest.mark.slow
def test_what_is_not_settled_in_time_counts_as_defined():
    assert are_defined(parse_formula("1/(zeta(x) - 1)"), [Fraction(10) ** 100], time_limit=0.25) == [True]


def test_threads_share_one_child(child):
    barrier = threading.Barrier(4)

    def work(n):
        barrier.wait(timeout=20)
        return ask(child, "x**3", n).value

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(1, 5))) == [3, 12, 27, 48]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning", "ignore:os.fork:RuntimeWarning")
def test_after_a_fork_the_child_stays_with_its_parent(child):
    assert ask(child, "x**2", 3).value == 6
    before = child.process
    forked = os.fork()
    if forked == 0:
        code = 1
        try:
            code = 0 if ask(child, "x**2", 5).value == 10 and child.process.pid != before.pid else 1
            child.end()
        finally:
            os._exit(code)  # whatever was raised: no second pytest goes on from here
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
    assert ask(child, "x**2", 3).value == 6
    assert child.process is before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of processor time")
def test_a_child_that_nobody_waits_for_ends_with_its_time(child):
    """A parent that was killed leaves no process behind that computes for ever."""
    assert ask(child, "x**2", 3).value == 6
    request = parse_formula(ENDLESS), Fraction(10) ** 100, 1, 900
    _send(child.process.stdin, pickle.dumps((request, 0.1)))
    assert child.process.wait(timeout=60) == -signal.SIGXCPU
    child.end()


@pytest.mark.slow
def test_an_interrupted_wait_leaves_no_answer_for_the_next_request(child, monkeypatch):
    assert ask(child, "x**2", 3).value == 6

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(child._answers, "get", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ask(child, "x**3", 3)
    assert ask(child, "x**4", 3).value == 108


@pytest.mark.slow
def test_waiting_for_other_threads_does_not_count(child, monkeypatch):
    monkeypatch.setattr(hard, "CHILD", child)
    formula = parse_formula("besselk(1, x)")
    slow, quick = hard.Expendable(parse_formula(ENDLESS), 1, 900, 4.0), hard.Expendable(formula, 1, 20, 3.0)
    with ThreadPoolExecutor(2) as pool:
        late = pool.submit(slow.reference, Fraction(10) ** 100)
        found = [quick.reference(Fraction(1000 + k)).verdict for k in range(3)]
        assert late.result().verdict == "uncertain"
    assert found == ["certified"] * 3


@pytest.mark.slow
def test_nothing_is_imported_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "sympy.py").write_text("raise SystemExit", "utf-8")
    monkeypatch.chdir(tmp_path)
    own = Child(hard.__name__)
    try:
        assert ask(own, "x**2", 3).value == 6
    finally:
        own.end()


@pytest.mark.slow
def test_no_child_outlives_its_parent_and_nothing_an_import_prints_disturbs(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('noise', flush=True)\n", "utf-8")
    script = (
        "from diffbench import exact_derivative\n"
        "from diffbench.reference.hard import CHILD\n"
        "assert exact_derivative('besselk(1, x)', 1000).verdict == 'certified'\n"
        "print(CHILD.process.pid)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    pid = int(done.stdout.split()[-1])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
