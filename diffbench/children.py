"""What might never end, or end its process, is asked of a child process that is ended after its time.

A child is started when it is first needed, serves one request after the other, and is lost with the one that hangs. A
module that has something to ask offers ``serve(answers)``, which the child calls.
"""

import atexit
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from queue import Empty, Queue
from threading import Lock, Thread
from time import monotonic, sleep
from typing import IO, Any, cast

try:
    import resource
except ImportError:  # pragma: no cover  (Windows has no such limits)
    resource = None  # type: ignore[assignment]  # a module elsewhere

_SIZE_BYTES = 8
_READY = b"diffbench is ready\n"
_STARTING = 60.0
"""Seconds that a child may take to import itself; they do not count."""

_PROGRAM = """
import os
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
from {module} import serve
serve(answers)
"""
"""What the child runs: nothing that an import prints may get between the answers."""


class LateError(Exception):
    """The answer did not come in time; the process has been ended."""


class LostError(Exception):
    """The process has ended itself."""


class Child:
    """One process that answers requests, started when it is needed and again after it was lost.

    Parameters
    ----------
    module : str
        The module whose ``serve`` it calls.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._be_without()
        atexit.register(self.end)
        if hasattr(os, "register_at_fork"):  # pragma: no branch  (Windows does not fork)
            # After a fork the process still belongs to the parent, and so may the lock.
            os.register_at_fork(after_in_child=self._be_without)

    def _be_without(self) -> None:
        self._lock = Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self._answers: Queue[bytes | None] = Queue()

    def ask(self, request: Any, seconds: float) -> tuple[Any, float]:
        """Return the answer, and the seconds that it took; neither its start nor other threads' requests count.

        Raises
        ------
        LateError
            If it does not come in time.
        LostError
            If the process has ended itself.
        """
        with self._lock:
            try:
                process = self._running()
                start = monotonic()
                _send(_pipe(process.stdin), pickle.dumps((request, seconds)))
                answer = self._answers.get(timeout=seconds)
            except Empty as error:
                self.end()
                raise LateError from error
            except OSError:
                answer = None
            except BaseException:
                # Whoever interrupts the waiting leaves no answer behind that the next request would take for its own.
                self.end()
                raise
            if answer is None:
                self.end()
                raise LostError
            taken = monotonic() - start
        return pickle.loads(answer), taken  # our own child wrote it  # noqa: S301  # nosec B301

    def end(self) -> None:
        """End the process, if there is one."""
        process, self.process = self.process, None
        if process is None:
            return
        _kill_with_its_own(process)
        process.wait()
        # What was not sent yet has nowhere to go. The other end is closed by whoever listens.
        with suppress(OSError):
            _pipe(process.stdin).close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is not None:
            return self.process
        paths = os.pathsep.join(path for path in sys.path if path)
        process = subprocess.Popen(  # this very interpreter, no shell  # noqa: S603  # nosec B603
            [sys.executable, "-P", "-c", _PROGRAM.format(module=self._module)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )
        self.process, self._answers = process, Queue()
        Thread(target=_listen, args=(_pipe(process.stdout), self._answers.put), daemon=True).start()
        self._answers.get(timeout=_STARTING)
        return process


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    """Return a stream of a process that was started with pipes, and so has it."""
    return cast("IO[bytes]", stream)


def _kill_with_its_own(process: "subprocess.Popen[bytes]") -> None:
    """End a process and those that it has started, which might keep its answers open."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:  # pragma: no cover  (Windows has no groups of processes)
        process.kill()


def _listen(stream: IO[bytes], receive: Callable[[bytes | None], None]) -> None:
    """Hand every answer on, and None at the end; what Python prints before it is ready is no answer."""
    with stream:
        while (line := stream.readline()) and not line.endswith(_READY):
            pass
        answer: bytes | None = _READY
        while answer is not None:
            receive(answer)
            answer = _receive(stream)
    receive(None)


def _send(stream: IO[bytes], content: bytes) -> None:
    stream.write(len(content).to_bytes(_SIZE_BYTES, "big") + content)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes | None:
    header = stream.read(_SIZE_BYTES)
    if len(header) < _SIZE_BYTES:
        return None
    content = stream.read(int.from_bytes(header, "big"))
    return content or None


def answer_all(answers: IO[bytes], answer: Callable[[Any], Any]) -> None:
    """Answer the requests on stdin until there are no more, or the parent is gone."""
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answers.write(_READY)
    answers.flush()
    while (content := _receive(sys.stdin.buffer)) is not None:
        request, seconds = pickle.loads(content)  # our own parent wrote it  # noqa: S301  # nosec B301
        _limit_processor_time(seconds)
        _send(answers, pickle.dumps(answer(request)))


def _end_with(parent: int) -> None:
    """End this process soon after its parent, also in the middle of an answer that never comes."""
    while os.getppid() == parent:
        sleep(1)
    os._exit(1)


def _limit_processor_time(seconds: float) -> None:
    """Let the system end this process a little later than the parent would, in case that one has gone."""
    if resource is not None:  # pragma: no branch  (Windows has no such limits)
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard_limit = resource.getrlimit(resource.RLIMIT_CPU)
        limit = ceil(used.ru_utime + used.ru_stime + seconds) + 1
        if hard_limit == resource.RLIM_INFINITY or limit < hard_limit:
            resource.setrlimit(resource.RLIMIT_CPU, (limit, hard_limit))
