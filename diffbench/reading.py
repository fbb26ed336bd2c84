"""Bytes of files that anybody may have written: of regular files only, and no more than is sensible."""

import errno
import os
import stat
from pathlib import Path

MAX_FILE_BYTES = 2**30
"""Larger files are refused before they are read."""


def read_regular(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    OSError
        If it cannot be read, is a device, pipe or folder, or has more bytes than the limit.
    """
    # A pipe that nobody writes would block whoever opens it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        if found.st_size > limit:
            raise OSError(errno.EFBIG, f"it has {found.st_size} bytes, more than {limit}", str(path))
        return stream.read()
