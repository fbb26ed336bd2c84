"""The examples ``>>>`` of a page run when it is read; one that is not true is a warning, and warnings are errors."""

import subprocess
import sys
import tempfile
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

LOG = logging.getLogger(__name__)


def check(app: Sphinx, page: str, source: list[str]) -> None:
    """Run all examples of a page in a process and a folder of their own."""
    if ">>> " not in source[0]:
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "doctest", str(app.env.doc2path(page))]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  (our own)
    if done.returncode:
        LOG.warning("%s", done.stdout or done.stderr, location=page, type="examples")


def setup(app: Sphinx) -> dict[str, Any]:
    """Look at each page as it is read."""
    app.connect("source-read", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
