"""Large runs on the command line: planned, cut, interrupted, resumed, by any executor."""

import builtins
import json
import random
import signal
import socket
import subprocess
import sys
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import pytest

from diffbench import Function, Spec, load, resume, run
from diffbench.cli import run as run_module
from diffbench.cli.plan import _duration, _size
from diffbench.errors import InterruptedRunError
from diffbench.sweep.estimate import estimate
from diffbench.sweep.store import Plan

COMMAND = (sys.executable, "-m", "diffbench")


def one_line(outcome, code, *says):
    assert outcome[:2] == (code, "")
    assert outcome[2].startswith("diffbench: ")
    assert outcome[2].count("\n") == 1
    for text in says:
        assert text in outcome[2]


# plan -----------------------------------------------------------------------------------------------------------------

SMALL = ("-f", "x**2", "--at", "1", "--at", "2", "-s", "forward-1", "-s", "central-2", "--epsilon", "1e-1,1e-3")
SMALL_EVALUATIONS = 2 * ((1 + 2 * 2) + 2 + 2)
"""At each point: x and x ± ε on the grid; for the rule x, x + ε of one scheme and x ± ε of the other."""


def test_a_plan_counts_what_would_be_done(diffbench):
    code, out, err = diffbench("plan", *SMALL, "--format", "json")
    found = json.loads(out, parse_constant=pytest.fail)
    assert (code, err) == (0, "")
    assert (found["functions"], found["cells"], found["blocks"]) == (1, 2 * 2 * (2 + 1), 1)
    assert found["evaluations"] == SMALL_EVALUATIONS
    assert found["has_opaque"] is False
    assert 0 < found["seconds"] < 60
    assert found["bytes"] > 0


def test_a_plan_in_text_says_the_same(diffbench, tmp_path):
    code, out, err = diffbench("plan", *SMALL)
    assert (code, err) == (0, "")
    fields = {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines()}
    assert list(fields) == ["functions", "cells", "blocks", "evaluations", "time", "disk"]
    assert (fields["cells"], fields["evaluations"]) == ("12", str(SMALL_EVALUATIONS))
    assert fields["time"].startswith("about ")
    assert fields["time"].endswith("with one worker")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("seconds", "size", "says"),
    [
        (0.0123, 0, ("0.012 seconds", "0 kB")),
        (89, 999_999, ("89 seconds", "1000 kB")),
        (90, 1e6, ("1.5 minutes", "1.0 MB")),
        (5400, 2.5e9, ("1.5 hours", "2.5 GB")),
        (129_600, 3e12, ("1.5 days", "3.0 TB")),
    ],
)
def test_times_and_sizes_are_told_as_people_do(seconds, size, says):
    assert (_duration(seconds), _size(size)) == says


def test_a_plan_counts_derivatives_and_dtypes(diffbench):
    options = ("--suite", "lab", "--derivative", "1", "--derivative", "2", "--dtype", "float32")
    code, out, _ = diffbench("plan", *options, "--dtype", "float64", "--format", "json")
    spec = Spec("lab", derivatives=[1, 2], dtypes=["float32", "float64"])
    found = json.loads(out)
    assert code == 0
    assert found["functions"] == len(spec.functions)
    assert found["cells"] == spec.planned
    assert found["blocks"] == len(spec.functions) * 4


@pytest.mark.parametrize("points", [1, 3, 50])
def test_a_plan_counts_as_many_evaluations_as_there_are(points):
    asked = []

    def square(x):
        asked.append(x.size)
        return x * x

    function = Function("square", "x**2", [str(i) for i in range(1, points + 1)], evaluate=square)
    spec = Spec(function, ["central-4", "forward-2", "complex-step"], "2^-1:2^-30")
    found = estimate(spec, Plan(block_size=300))
    asked.clear()
    results = run(spec, jobs=1, block_size=300)
    assert found.evaluations == sum(asked)
    assert found.blocks == len(results.blocks)
    assert found.cells == sum(results.counts.values()) == spec.planned


@pytest.mark.slow
def test_a_plan_is_not_far_from_the_bytes_that_are_written(tmp_path):
    spec = Spec("standard", ["central-4", "forward-1"])
    for keep in ("cells", "summary"):
        found = estimate(spec, Plan(keep))
        run(spec, out=tmp_path / keep, keep=keep)
        parquet = [path for path in (tmp_path / keep).rglob("*.parquet") if path.parent.name in ("cells", "curves")]
        written = sum(path.stat().st_size for path in parquet)
        assert 0.5 * written < found.bytes < 2 * written


def test_a_plan_of_a_spec_that_cannot_be_run_is_refused(diffbench):
    one_line(diffbench("plan", "--suite", "nosuch"), 2, "nosuch")


# status ---------------------------------------------------------------------------------------------------------------


def test_the_status_of_a_complete_run(diffbench, tmp_path):
    run(Spec("lab"), out=tmp_path / "lab")
    code, out, err = diffbench("status", "lab")
    assert (code, err) == (0, "")
    assert "the run is complete" in out.splitlines()[1]
    assert out.splitlines()[-1] == "complete: 21 of 21 cells in 5 of 5 blocks done, 0 failed"
    code, out, err = diffbench("status", "lab", "--format", "json")
    rows = json.loads(out)
    assert (code, len(rows)) == (0, 5)
    expected = {"function", "derivative", "dtype", "blocks", "blocks_done", "planned", "done", "failed", "reasons"}
    assert set(rows[0]) == expected
    assert err == "complete: 21 of 21 cells in 5 of 5 blocks done, 0 failed\n"


def fail(x):
    raise ZeroDivisionError("never defined")


def test_the_status_says_what_failed_and_why(diffbench, tmp_path):
    broken = Function("broken", "x", ["1", "2"], evaluate=fail)
    run(Spec([broken, "exp"], ["forward-1"], "1e-3"), out=tmp_path / "run")
    code, out, err = diffbench("status", "run", "--format", "json")
    first, second = json.loads(out)
    assert code == 0
    assert (first["failed"], first["reasons"]) == (4, "f raised ZeroDivisionError: never defined (4)")
    assert (second["failed"], second["reasons"]) == (0, "")
    assert err == "complete: 12 of 12 cells in 2 of 2 blocks done, 4 failed\n"


def test_the_status_of_an_interrupted_run_gives_a_command_that_a_shell_understands(diffbench, tmp_path):
    interrupted(tmp_path / "my run")
    said = diffbench("status", "my run")[1].splitlines()[-1]
    assert said.startswith("interrupted: ")
    assert said.endswith("; diffbench run --resume 'my run' goes on")


def test_the_status_of_what_is_no_run_is_refused(diffbench):
    one_line(diffbench("status", "absent"), 2, "absent", "not a run folder")


def interrupted(folder, **options):
    def stop(unit, cells):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Spec("lab"), out=folder, progress=stop, jobs=1, block_size=2, **options)


# options of run -------------------------------------------------------------------------------------------------------

LAB = ("run", "--suite", "lab", "--quiet", "--no-report", "--out", "new")


@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize("jobs", ["0", "-1"])
def test_no_workers_are_refused(jobs, executor, diffbench, tmp_path):
    one_line(diffbench(*LAB, "--jobs", jobs, "--executor", executor), 2, "jobs", jobs)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["nonsense", "", "dask", "Threads", "mpi://there", "x" * 500])
def test_an_executor_that_there_is_not_is_refused(name, diffbench, tmp_path):
    outcome = diffbench(*LAB, "--executor", name)
    one_line(outcome, 2, "executor", "threads, processes or dask://HOST:PORT")
    assert len(outcome[2]) < 200
    assert list(tmp_path.iterdir()) == []


def test_dask_that_is_not_installed_is_refused_with_how_to_get_it(diffbench, monkeypatch, tmp_path):
    imported = builtins.__import__

    def without_dask(name, *arguments, **options):
        if name.partition(".")[0] in ("distributed", "dask"):
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_dask)
    one_line(diffbench(*LAB, "--executor", "dask://127.0.0.1:1"), 2, "pip install 'diffbench[cluster]'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_does_not_answer_is_an_io_error(diffbench, tmp_path):
    pytest.importorskip("distributed")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    outcome = diffbench(*LAB, "--executor", f"dask://{address}")
    assert outcome[:2] == (74, "")
    assert outcome[2].splitlines()[-1].startswith(f"diffbench: executor: no scheduler answers at {address}")
    assert "Traceback" not in outcome[2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1", "127.0.0.1:port", ":", "127.0.0.1:99999", "a:0"])
def test_an_address_that_is_none_is_one_line(address, diffbench, tmp_path):
    one_line(diffbench(*LAB, "--executor", f"dask://{address}"), 2, f"executor: {address!r} is not HOST:PORT")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "option",
    [
        *(("--suite", "lab"), ("-s", "forward-1"), ("--epsilon", "1"), ("--derivative", "1"), ("--dtype", "float32")),
        *(("--out", "other"), ("--keep", "cells"), ("--shard", "1/2"), ("--time-limit", "3"), ("spec.toml",)),
    ],
)
def test_a_run_that_is_resumed_takes_no_other_spec(option, diffbench, tmp_path):
    interrupted(tmp_path / "run")
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    one_line(diffbench("run", "--resume", "run", *option), 2, "resume", "cannot be given")
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before


def test_a_run_that_is_resumed_may_have_other_workers(diffbench, tmp_path):
    interrupted(tmp_path / "run")
    outcome = diffbench("run", "--resume", "run", "--jobs", "1", "--quiet", "--no-report")
    assert (outcome[0], outcome[2]) == (0, "")
    assert outcome[1].splitlines()[-1] == "run: run"
    assert load(tmp_path / "run").counts["ok"] == 21


@pytest.mark.parametrize("shard", ["0/2", "3/2", "nonsense", "1", "1/2/3", "-1/2", " "])
def test_a_shard_that_is_none_is_refused(shard, diffbench, tmp_path):
    one_line(diffbench(*LAB, "--shard", shard), 2, "shard", "I/N")
    assert list(tmp_path.iterdir()) == []


def test_a_shard_gets_no_report_and_cannot_be_reported(diffbench):
    code, out, err = diffbench("run", "--suite", "lab", "--quiet", "--out", "a", "--shard", "1/2")
    assert (code, err, out.splitlines()[-1]) == (0, "", "run: a")
    for verb in ("report", "show"):
        one_line(diffbench(verb, "a"), 2, "diffbench merge")


def test_the_progress_of_a_shard_ends_at_all_of_it(diffbench, tmp_path):
    _, _, err = diffbench("run", "--suite", "lab", "--no-report", "--out", "a", "--shard", "1/2", "--jobs", "1")
    planned = json.loads((tmp_path / "a" / "manifest.json").read_text("utf-8"))["planned"]
    assert err.splitlines()[-1] == f"sweep: {planned}/{planned} cells"


@pytest.mark.slow
def test_keeping_summaries_end_to_end(diffbench, tmp_path):
    code, out, err = diffbench("run", "-f", "exp", "-f", "abs", "--keep", "summary", "--quiet", "--out", "run")
    assert (code, err, out.splitlines()[-1]) == (0, "", "report: run/report.html")
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    assert not list((tmp_path / "run" / "cells").iterdir())
    figures = {path.stem for path in (tmp_path / "run" / "figures").glob("*.svg")}
    assert not {name for name in figures if name.startswith(("exp", "abs"))}
    first = diffbench("show", "run", "--format", "json")
    diffbench("run", "-f", "exp", "-f", "abs", "--no-report", "--quiet", "--out", "cells")
    assert first == diffbench("show", "cells", "--format", "json")
    assert first[0] == 0


def test_processes_end_to_end(diffbench, tmp_path):
    code, out, err = diffbench(*LAB, "--executor", "processes", "--jobs", "2")
    assert (code, err, out.splitlines()[-1]) == (0, "", "run: new")
    run(Spec("lab", anatomy=True), out=tmp_path / "threads")
    for path in (tmp_path / "threads" / "cells").iterdir():
        assert path.read_bytes() == (tmp_path / "new" / "cells" / path.name).read_bytes()


# workers that die -----------------------------------------------------------------------------------------------------


def dying(times, monkeypatch):
    """Let the worker processes die a number of times, the first time after one piece of work."""
    calls = []

    class Dying(Executor):
        def __init__(self):
            self.pieces = 0

        def submit(self, work, *arguments):
            future = Future()
            self.pieces += 1
            if len(calls) <= times and (self.pieces > 1 or len(calls) > 1):
                future.set_exception(BrokenProcessPool("a child process terminated abruptly"))
            else:
                future.set_result(work(*arguments))
            return future

    @contextmanager
    def executor_called(name, jobs):
        calls.append(name)
        yield Dying(), 1

    monkeypatch.setattr(run_module, "executor_called", executor_called)
    return calls


MANY = (*("--suite", "standard", "-s", "forward-1", "--dtype", "float32", "--dtype", "float64"), "--no-report")


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_a_worker_that_dies_costs_a_retry_not_the_run(times, diffbench, monkeypatch, tmp_path):
    calls = dying(times, monkeypatch)
    code, out, err = diffbench("run", *MANY, "--no-anatomy", "--quiet", "--out", "run", "--executor", "processes")
    assert (code, out.splitlines()[-1]) == (0, "run: run")
    assert err == "diffbench: a worker process died; what it had not finished is done again\n" * times
    assert len(calls) == times + 1
    whole = run(Spec("standard", ["forward-1"], dtypes=["float32", "float64"], anatomy=False), out=tmp_path / "whole")
    assert load(tmp_path / "run").to_frame().equals(whole.to_frame())


@pytest.mark.slow
def test_workers_that_die_again_and_again_end_the_run_which_can_be_resumed(diffbench, monkeypatch, tmp_path):
    calls = dying(99, monkeypatch)
    code, out, err = diffbench("run", *MANY, "--no-anatomy", "--quiet", "--out", "my run")
    assert (code, out, len(calls)) == (InterruptedRunError.exit_code, "", 3)
    assert err.splitlines()[-1].endswith("diffbench run --resume 'my run' goes on")
    monkeypatch.undo()
    resume(tmp_path / "my run")
    assert load(tmp_path / "my run").counts["ok"] > 0


# interrupted by signals -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_interrupted_after_its_birth_names_the_command_that_finishes_it(number, executor, tmp_path):
    interrupt_and_resume(tmp_path, number, random.Random(f"{number}{executor}"), executor)  # noqa: S311  (no secret)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_run_interrupted_at_a_random_moment_names_the_command_that_finishes_it(seed, tmp_path):
    chance = random.Random(seed)  # noqa: S311  (no secret)
    number, executor = chance.choice([signal.SIGINT, signal.SIGTERM]), chance.choice(["threads", "processes"])
    interrupt_and_resume(tmp_path, number, chance, executor)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_an_interrupt_waits_for_no_unit_that_takes_minutes(executor, tmp_path):
    what = ("-f", "zeta(x)", "--at", "3", "--epsilon", "1:1e-19:100/decade", "--dtype", "float64", "--dtype", "mp:100")
    command = [*COMMAND, "run", *what, "--no-report", "--out", "run", "--executor", executor]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert first.startswith("sweep: ")
    assert (process.returncode, err) == (130, "diffbench: interrupted; diffbench run --resume run goes on\n")


def interrupt_and_resume(folder, number, chance, executor):
    arguments = (*("run", *MANY), "--epsilon", "1:1e-16:40/decade", "--out", "run", "--executor", executor)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": folder}
    with subprocess.Popen([*COMMAND, *arguments], **streams) as process:
        first = process.stderr.readline()
        try:
            process.wait(timeout=chance.uniform(0, 0.2))
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert first.startswith("sweep: ")
    said = err.splitlines()[-1:]
    assert "Traceback" not in err
    if process.returncode == 0:
        assert said == [] or said[0].startswith("sweep: ")
    else:
        assert (process.returncode, out) == (130, "")
        assert said == ["diffbench: interrupted; diffbench run --resume run goes on"]
    command = [*COMMAND, "run", "--resume", "run", "--no-report", "--quiet"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert load(folder / "run").manifest["state"] == "complete"
    assert [path.name for path in folder.iterdir()] == ["run"]
