"""The process of the command line: ``diffbench`` and ``python -m diffbench``."""

import os
import sys
from contextlib import suppress

from diffbench.cli import INTERRUPTED, main


def process() -> None:
    """Run the command line; after an interrupt, end without waiting for what threads are at.

    The interpreter would join them, and a unit in mpmath's arithmetic may take minutes. Nothing is lost: only the main
    thread writes, and it has returned.
    """
    try:
        main()
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    process()
