"""Command lines in processes of their own."""

import os

import pytest
from forks import Forks


@pytest.fixture(scope="session")
def fork():
    """Return a function that runs a command line in a process of its own, after some lines of Python."""
    if not hasattr(os, "fork"):
        pytest.skip("the system has no fork")
    with Forks() as forks:
        yield forks
