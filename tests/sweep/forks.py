"""Command lines as real processes that cost no import: a server imports everything once, and forks one each.

A fork may be harmed before it begins, by a line or two of Python.
"""

import json
import os
import subprocess
import sys
import tempfile
from typing import NamedTuple

STREAMS = (1, 2)


class Outcome(NamedTuple):
    """What a command line left; a negative code is the signal that ended it."""

    code: int
    out: str
    err: str


class Forks:
    """The server; a context manager."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.communicate(timeout=60)

    def __call__(self, *arguments, cwd, fault=""):
        """Run a command line in a folder, after some lines of Python."""
        self._process.stdin.write(json.dumps([arguments, str(cwd), fault]) + "\n")
        self._process.stdin.flush()
        return Outcome(*json.loads(self._process.stdout.readline()))


def serve():
    """Answer until there are no more requests."""
    from importlib import import_module

    # What the package imports when it is needed, here once for all of them.
    for name in ("scipy.special", "sympy", "pyarrow.compute", "pyarrow.parquet"):
        import_module(name)
    for name in ("diffbench.report.folder", *(f"diffbench.cli.{verb}" for verb in ("run", "show", "report", "status"))):
        import_module(name)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(*json.loads(line))) + "\n")
        sys.stdout.flush()


def answer(arguments, cwd, fault):
    """Return code and output of a command line."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            become(arguments, cwd, fault, out, err)
        _, status = os.waitpid(pid, 0)
        streams = []
        for stream in (out, err):
            stream.seek(0)
            streams.append(stream.read().decode("utf-8", "backslashreplace"))
    return [os.waitstatus_to_exitcode(status), *streams]


def become(arguments, cwd, fault, out, err):
    """Be the command line, and end as it does."""
    from diffbench.cli import main

    os.chdir(cwd)
    for stream, number in zip((out, err), STREAMS, strict=True):
        os.dup2(stream.fileno(), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["diffbench", *arguments]
    code = 99
    try:
        exec(fault, {})  # noqa: S102  (the tests' own)
        main()
    except SystemExit as stop:
        code = stop.code
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001  (whatever it is, the server must not go on in this process)
        os.write(2, f"Traceback {error!r}\n".encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
