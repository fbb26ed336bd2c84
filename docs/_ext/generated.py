"""Fences ``{generated} NAME`` in a page stand for what a function of `pages` returns when the page is read."""

import re
from typing import Any

import pages
from sphinx.application import Sphinx

_END = re.compile(r"\n\n```$", re.M)
"""The empty line that an example needs before the end of its fence."""

_FENCE = re.compile(r"^```\{generated\} (.+)\n```$", re.M)


def fill(app: Sphinx, page: str, source: list[str]) -> None:
    """Put Markdown in place of the fences; a directive could not make sections."""
    del app, page
    source[0] = _END.sub("\n```", _FENCE.sub(lambda match: pages.part(match[1]), source[0]))


def setup(app: Sphinx) -> dict[str, Any]:
    """Look at each page as it is read."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
