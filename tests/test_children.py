"""What is asked of a child process: answers, an end that is clean, limits; what hangs or dies is in test_hard.py."""

import os
import sys

import pytest

from diffbench import children
from diffbench.children import Child

LIMITED = """
import resource
from diffbench.children import answer_all

resource.setrlimit(resource.RLIMIT_CPU, (600, 600))

def serve(answers):
    answer_all(answers, lambda request: (request, resource.getrlimit(resource.RLIMIT_CPU)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of processor time")
def test_a_child_has_time_for_each_request_at_most_what_it_may_have_and_ends_with_its_questions(tmp_path, monkeypatch):
    (tmp_path / "limited_child.py").write_text(LIMITED, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    child = Child("limited_child")
    try:
        (request, (soft, hard)), _ = child.ask("first", 30.0)
        assert request == "first"
        assert (31 <= soft < 60, hard) == (True, 600)
        assert child.ask("second", 1e6)[0] == ("second", (soft, 600)), "more than the system allows is not asked for"
        child.process.stdin.close()
        assert child.process.wait(timeout=60) == 0
    finally:
        child.end()
    assert child.process is None
    child.end()


def test_a_child_whose_parent_has_gone_ends_itself(monkeypatch):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    children._end_with(os.getppid() + 1)
    assert ended == [1]
