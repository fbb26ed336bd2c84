"""A real Dask scheduler with two worker processes on loopback."""

import os
import signal
import sys

import pytest
from folders import contents

from diffbench import Spec, run
from diffbench.sweep.executors import executor_called
from diffbench.sweep.run import resume

distributed = pytest.importorskip("distributed")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

FUNCTIONS = ("exp", "abs", "sqrt", "gamma", "sin", "cos", "log", "erf")


def spec():
    schemes = ["forward-1", "central-4", "complex-step", "central-2-d2"]
    return Spec(FUNCTIONS, schemes, "1:1e-16:2/decade", dtypes=["float32", "float64"])


@pytest.fixture
def cluster():
    options = {"processes": True, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with distributed.LocalCluster(n_workers=2, **options) as found:
        yield found


@pytest.fixture
def name(cluster):
    return "dask://" + cluster.scheduler_address.removeprefix("tcp://")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(spec(), out=folder, block_size=40)
    return contents(folder)


def pids(cluster):
    return [worker.pid for worker in cluster.workers.values()]


def test_a_cluster_gives_the_bytes_of_threads(name, whole, tmp_path):
    with executor_called(name, None) as (executor, jobs):
        assert jobs == 2
        run(spec(), executor, tmp_path / "run", jobs=jobs, block_size=40)
    assert contents(tmp_path / "run") == whole


def test_a_worker_that_is_killed_costs_a_retry_not_the_run(name, cluster, whole, tmp_path):
    killed = []

    def kill_one(unit, cells):
        if not killed:
            killed.append(pids(cluster)[0])
            os.kill(killed[0], signal.SIGKILL)

    with executor_called(name, None) as (executor, jobs):
        run(spec(), executor, tmp_path / "run", kill_one, jobs=jobs, block_size=40)
    assert len(killed) == 1
    assert contents(tmp_path / "run") == whole


def test_a_run_that_was_interrupted_on_a_cluster_is_finished_there(name, whole, tmp_path):
    def stop(unit, cells):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), executor_called(name, None) as (executor, jobs):
        run(spec(), executor, tmp_path / "run", stop, jobs=jobs, block_size=40)
    with executor_called(name, None) as (executor, jobs):
        resume(tmp_path / "run", executor=executor, jobs=jobs)
    assert contents(tmp_path / "run") == whole


def test_more_jobs_than_workers_may_be_under_way(name, tmp_path):
    with executor_called(name, 5) as (executor, jobs):
        assert jobs == 5
        results = run(spec(), executor, jobs=jobs)
    assert results.counts == run(spec()).counts


def test_a_cluster_from_the_command_line(name, tmp_path):
    import subprocess

    command = [sys.executable, "-m", "diffbench", "run", "--suite", "lab", "--no-report", "--out", "run"]
    options = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run([*command, "--quiet", "--executor", name], check=False, **options)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "run: run"
    run(Spec("lab", anatomy=True), out=tmp_path / "threads")
    assert contents(tmp_path / "run") == contents(tmp_path / "threads")
