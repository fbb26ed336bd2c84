"""What a program prints where it believes in a terminal."""

import os
import pty
import subprocess


def printed(command, columns):
    """Return the bytes that a command prints to a terminal so wide; it must end well."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm"}
    process = subprocess.Popen(command, stdout=theirs, env=environment)
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    assert process.wait() == 0
    return b"".join(parts)
