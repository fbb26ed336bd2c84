"""Executors by name; the only module that knows Dask."""

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread

from diffbench.errors import InputError, StoreError
from diffbench.sweep.run import check_jobs

DASK = "dask://"
_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", re.ASCII)


@contextmanager
def executor_called(name: str, jobs: int | None) -> Iterator[tuple[Executor | None, int | None]]:
    """Give an executor and how many workers it has; None stands for what :func:`run` does by itself.

    Parameters
    ----------
    name : str
        ``threads``, ``processes`` or ``dask://HOST:PORT``, the address of a scheduler.
    jobs : int, optional
        How many workers; those of a cluster are counted.

    Raises
    ------
    InputError
        If there is no such executor, or Dask is not installed.
    StoreError
        If the scheduler does not answer.
    """
    workers = check_jobs(jobs)
    if name == "threads":
        yield None, workers
    elif name == "processes":
        with process_pool(workers) as pool:
            yield pool, workers
    elif name.startswith(DASK):
        with _dask(name.removeprefix(DASK)) as (executor, found):
            yield executor, jobs or found
    else:
        raise InputError(f"executor: {name[:60]!r} is not threads, processes or dask://HOST:PORT")


@contextmanager
def process_pool(workers: int) -> Iterator[Executor]:
    """Give an executor of some processes, which leave interrupts to this one and end with it.

    Raises
    ------
    StoreError
        If the system has no locks that processes share, as without /dev/shm.
    """
    try:
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_belong_to_the_parent)
    except (ImportError, OSError) as error:
        raise StoreError(f"executor: no processes, is there a /dev/shm? ({error}); threads do without") from error
    others = set(active_children())
    try:
        yield pool
    except BaseException:
        # Nothing would be kept of what they are at, which may take minutes; other children of the caller go on.
        for child in set(active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _belong_to_the_parent() -> None:
    """Leave it to the parent to be interrupted, as a terminal interrupts the whole family, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _dask(address: str) -> Iterator[tuple[Executor, int]]:
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[1]) < 65536:
        raise InputError(f"executor: {address[:60]!r} is not HOST:PORT")
    try:
        from distributed import Client
    except ImportError:
        raise InputError("executor: Dask is not installed; pip install 'diffbench[cluster]'") from None
    try:
        client = Client(f"tcp://{address}", timeout=10)
    except Exception as error:
        # What comes up on the way to a scheduler depends on the loop and the moment; all of it means that none answers.
        raise StoreError(f"executor: no scheduler answers at {address}: {error}") from error
    with client:
        workers = sum(client.nthreads().values())
        if not workers:
            raise StoreError(f"executor: the scheduler at {address} has no workers")
        executor: Executor = client.get_executor()
        yield executor, workers
