"""Executors by name: what each name gives, and which are refused; what they compute is in test_independence.py."""

import os
import sys
from concurrent.futures import BrokenExecutor, Executor
from multiprocessing import get_context, process
from threading import Event

import pytest

from diffbench.errors import InputError, StoreError
from diffbench.sweep import executors
from diffbench.sweep.executors import executor_called, process_pool
from diffbench.sweep.run import cores


class Client:
    """What Dask offers, for as many workers as there are."""

    def __init__(self, workers):
        self._workers = workers
        self.is_closed = False

    def __call__(self, address, timeout):
        self.address = address
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_closed = True

    def nthreads(self):
        return self._workers

    def get_executor(self):
        return Executor()


@pytest.fixture
def cluster(monkeypatch):
    """Return a function that lets a scheduler have workers."""

    def having(workers):
        client = Client(workers)
        monkeypatch.setitem(sys.modules, "distributed", type(sys)("distributed"))
        sys.modules["distributed"].Client = client
        return client

    return having


@pytest.fixture
def stranger():
    """Return a child of this process that is none of a pool, and the connection that it waits for."""
    context = get_context("spawn")
    ours, its = context.Pipe()
    child = context.Process(target=its.recv)
    child.start()
    its.close()
    yield child, ours
    child.kill()
    child.join()


def refused(name, jobs=None):
    with executor_called(name, jobs):
        pytest.fail("it is to be refused")


def test_threads_are_what_a_run_does_by_itself():
    with executor_called("threads", None) as given:
        assert given == (None, cores())
    with executor_called("threads", 3) as given:
        assert given == (None, 3)


@pytest.mark.slow
def test_processes_are_as_many_as_asked_for_and_one_that_dies_breaks_them():
    with executor_called("processes", 1) as (pool, jobs):
        assert jobs == 1
        assert pool.submit(os.getpid).result() != os.getpid()
        with pytest.raises(BrokenExecutor):
            pool.submit(os._exit, 1).result()


def test_workers_of_a_cluster_are_counted_unless_jobs_are_given(cluster):
    client = cluster({"tcp://a:1": 2, "tcp://b:1": 3})
    with executor_called("dask://[::1]:8786", None) as (executor, jobs):
        assert (isinstance(executor, Executor), jobs) == (True, 5)
        assert client.address == "tcp://[::1]:8786"
    assert client.is_closed
    with executor_called("dask://host:8786", 9) as (_, jobs):
        assert jobs == 9


def test_a_cluster_without_workers_is_refused_and_left(cluster):
    client = cluster({})
    with pytest.raises(StoreError, match=r"^executor: the scheduler at host:8786 has no workers$"):
        refused("dask://host:8786")
    assert client.is_closed


def test_a_scheduler_that_does_not_answer_is_named(cluster, monkeypatch):
    cluster({})

    def silent(*_, **__):
        raise OSError("timed out")

    monkeypatch.setattr(sys.modules["distributed"], "Client", silent)
    with pytest.raises(StoreError, match=r"^executor: no scheduler answers at host:8786: timed out$"):
        refused("dask://host:8786")


def test_dask_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"^executor: Dask is not installed; pip install 'diffbench\[cluster\]'$"):
        refused("dask://host:8786")


@pytest.mark.parametrize("name", ["dask://", "dask://host", "dask://host:0", "dask://host:65536", "dask://a b:1"])
def test_an_address_is_a_host_and_a_port(name):
    with pytest.raises(InputError, match=r"^executor: '.*' is not HOST:PORT$"):
        refused(name)


def test_other_names_are_refused():
    with pytest.raises(InputError, match=r"^executor: 'fibres' is not threads, processes or dask://HOST:PORT$"):
        refused("fibres")


def interrupted_in(pool):
    assert pool.submit(os.getpid).result(60) != os.getpid()
    raise KeyboardInterrupt


def test_what_ends_a_pool_leaves_other_children_alone(stranger):
    child, connection = stranger
    with pytest.raises(KeyboardInterrupt), process_pool(1) as pool:
        interrupted_in(pool)
    connection.send("go on")
    child.join(60)
    assert child.exitcode == 0


@pytest.mark.parametrize("error", [ImportError("no sem_open"), OSError(38, "Function not implemented")])
def test_without_locks_that_processes_share_there_is_no_pool(error, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(executors, "ProcessPoolExecutor", fail)
    with pytest.raises(StoreError, match="no processes, is there a /dev/shm") as found, process_pool(2):
        pytest.fail("there is none")
    assert str(found.value).endswith("; threads do without")
    assert found.value.exit_code == 74


def test_a_worker_ends_with_its_parent(monkeypatch):
    ended, gone = [], Event()

    class Parent:
        def join(self):
            gone.set()

    monkeypatch.setattr(os, "_exit", ended.append)
    executors._end_with_the_parent()
    assert ended == [], "nobody has started this process as a worker"
    monkeypatch.setattr(process, "_parent_process", Parent())
    executors._end_with_the_parent()
    assert (gone.is_set(), ended) == (True, [1])
