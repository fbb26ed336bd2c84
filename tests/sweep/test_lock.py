"""One writer at a time: the second is refused, and the lock dies with its process."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
from folders import contents, manifest_of

from diffbench import Spec, load, merge, resume, run
from diffbench.errors import StoreError
from diffbench.sweep.files import is_locked, locked
from diffbench.sweep.stored import status

WRITER = """
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from diffbench import Spec, run
from diffbench.sweep.executors import executor_called

def wait(unit, cells):
    print("running", flush=True)
    sys.stdin.readline()

spec = Spec(["exp", "abs"], ["forward-1"], "1e-1:1e-3:1/decade")

def called(kind):
    if kind in ("fork", "spawn"):
        return nullcontext((ProcessPoolExecutor(1, mp_context=get_context(kind)), 1))
    return executor_called(kind, 1)

if __name__ == "__main__":
    with called(sys.argv[2]) as (executor, jobs):
        run(spec, executor, sys.argv[1], wait, jobs=jobs, block_size=3)
"""
"""Runs a spec, and after each unit waits for a line."""


def spec():
    return Spec(["exp", "abs"], ["forward-1"], "1e-1:1e-3:1/decade")


@pytest.fixture
def writer(tmp_path):
    """Return a function that starts a process that is in the middle of a run."""
    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    processes = []

    def start(kind="threads"):
        arguments = [sys.executable, str(script), "run", kind]
        process = subprocess.Popen(
            arguments, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        processes.append(process)
        assert process.stdout.readline() == "running\n"
        return process

    yield start
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def finish(process):
    process.communicate("\n" * 1000, timeout=60)
    return process.returncode


def test_a_second_writer_is_refused_and_the_first_goes_on(fork, writer, tmp_path):
    process = writer()
    second = fork("run", "--resume", "run", "--no-report", "--quiet", cwd=tmp_path)
    assert (second.code, second.out) == (74, "")
    assert second.err == "diffbench: run: another process is writing this run\n"
    with pytest.raises(StoreError, match="another process"):
        resume(tmp_path / "run")
    assert finish(process) == 0
    run(spec(), out=tmp_path / "whole", block_size=3)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_a_run_that_is_being_written_says_running_then_complete(writer, tmp_path):
    process = writer()
    assert status(tmp_path / "run")[0] == "running"
    with pytest.raises(StoreError, match="not a complete run"):
        load(tmp_path / "run")
    assert finish(process) == 0
    assert status(tmp_path / "run")[0] == "complete"


@pytest.mark.slow
def test_the_lock_dies_with_its_process_and_the_run_goes_on(fork, writer, tmp_path):
    process = writer()
    process.kill()
    process.wait()
    state, standings = status(tmp_path / "run")
    assert state == "interrupted"
    assert (sum(each.blocks_done for each in standings), sum(each.blocks for each in standings)) == (1, 8)
    done = fork("run", "--resume", "run", "--no-report", "--quiet", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    run(spec(), out=tmp_path / "whole", block_size=3)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fork", "spawn"])
def test_the_lock_dies_with_its_process_whatever_workers_it_had(kind, writer, tmp_path):
    process = writer(kind)
    process.kill()
    process.wait()
    assert status(tmp_path / "run")[0] == "interrupted"
    resume(tmp_path / "run")
    assert status(tmp_path / "run")[0] == "complete"


@pytest.mark.slow
def test_the_workers_of_a_process_that_is_killed_end_with_it(writer):
    process = writer("processes")
    process.kill()
    # They have its end of the pipe too, which is at its end when the last of them is gone.
    process.communicate(timeout=20)


def test_a_complete_run_that_is_checked_is_locked_too(tmp_path):
    run(spec(), out=tmp_path / "run")
    assert not is_locked(tmp_path / "run")
    seen = []
    resume(tmp_path / "run", progress=lambda unit, cells: seen.append(is_locked(tmp_path / "run")))
    assert set(seen) == {True}
    assert not is_locked(tmp_path / "run")


def test_the_lock_is_given_back_where_a_run_fails(tmp_path):
    def fail(unit, cells):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(spec(), out=tmp_path / "run", progress=fail)
    assert not is_locked(tmp_path / "run")


def test_two_writers_in_one_process_are_one_too_many(tmp_path):
    run(spec(), out=tmp_path / "run")
    with locked(tmp_path / "run"), pytest.raises(StoreError, match="another process"):
        resume(tmp_path / "run")


def test_who_looks_whether_a_run_is_locked_keeps_no_writer_away(tmp_path):
    run(spec(), out=tmp_path / "run")
    is_done = threading.Event()

    def look():
        while not is_done.is_set():
            is_locked(tmp_path / "run")

    looking = [threading.Thread(target=look) for _ in range(2)]
    for thread in looking:
        thread.start()
    refused = 0
    try:
        for _ in range(300):
            try:
                with locked(tmp_path / "run"):
                    pass
            except StoreError:
                refused += 1
    finally:
        is_done.set()
        for thread in looking:
            thread.join()
    assert refused == 0


def test_a_run_that_is_finished_while_another_waits_for_it_is_not_begun_again(tmp_path, monkeypatch):
    from diffbench.sweep.store import RunFolder

    def stop(unit, cells):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(spec(), out=tmp_path / "run", progress=stop, jobs=1, block_size=3)
    lock = RunFolder.locked

    def finished_meanwhile(folder):
        monkeypatch.setattr(RunFolder, "locked", lock)
        resume(tmp_path / "run")
        return lock(folder)

    monkeypatch.setattr(RunFolder, "locked", finished_meanwhile)
    states = []
    resume(tmp_path / "run", progress=lambda unit, cells: states.append(manifest_of(tmp_path / "run")["state"]))
    assert set(states) == {"complete"}


def test_a_merged_run_is_not_locked(tmp_path):
    shards = [tmp_path / "a", tmp_path / "b"]
    for i, shard in enumerate(shards, 1):
        run(spec(), out=shard, shard=f"{i}/2")
    assert not is_locked(merge(shards, tmp_path / "c"))
    assert status(tmp_path / "c")[0] == "complete"


@pytest.mark.slow
def test_status_in_text_and_json(fork, writer, tmp_path):
    process = writer()
    running = fork("status", "run", cwd=tmp_path)
    assert (running.code, running.err) == (0, "")
    assert running.out.splitlines()[-1] == "running: 4 of 32 cells in 1 of 8 blocks done, 0 failed"
    process.kill()
    process.wait()
    stopped = fork("status", "run", "--format", "json", cwd=tmp_path)
    assert stopped.code == 0
    exp, absolute = json.loads(stopped.out)
    assert (exp["function"], exp["blocks"], exp["blocks_done"], exp["planned"], exp["done"]) == ("exp", 4, 1, 16, 4)
    assert (absolute["function"], absolute["blocks_done"], absolute["failed"]) == ("abs", 0, 0)
    said = "interrupted: 4 of 32 cells in 1 of 8 blocks done, 0 failed; diffbench run --resume run goes on\n"
    assert stopped.err == said
