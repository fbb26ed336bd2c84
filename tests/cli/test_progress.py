"""What the meter shows: bars in a terminal, here a real pseudo-terminal; elsewhere a line now and then."""

import os
import re
import signal
import sys
from contextlib import suppress
from threading import Thread

import pytest

from diffbench.cli.progress import Meter, raise_on_sigterm


@pytest.fixture
def terminal(monkeypatch):
    """Give a stream that is a terminal, and a function that closes it and tells what it was sent but for colours."""
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    ours, theirs = pty.openpty()
    stream = os.fdopen(theirs, "w", encoding="utf-8")
    parts = []
    reader = Thread(target=read_all, args=(ours, parts.append))
    reader.start()

    def sent():
        stream.close()
        reader.join()
        return re.sub(r"\x1b\[[0-9;]*m", "", b"".join(parts).decode())

    yield stream, sent
    sent()
    os.close(ours)


def read_all(descriptor, receive):
    """Read until nobody writes any more, which some systems call an error."""
    with suppress(OSError):
        while part := os.read(descriptor, 65536):
            receive(part)


def test_a_terminal_sees_the_stage_and_the_part_that_is_worked_on(terminal, monkeypatch):
    stream, sent = terminal
    monkeypatch.setattr(sys, "stderr", stream)
    with Meter(enabled=True) as meter:
        advance = meter.begin("sweep", 300, "cells", parts={"[red]sine": 100, "a name that is too long": 200})
        advance(40, "[red]sine")
        meter._bars.refresh()
        advance(60, "[red]sine")
        advance(200, "a name that is too long")
        advance(0, "nobody's")
    _, _, ended = sent().rpartition("40/300 cells")
    assert "[red]sine" in ended, "a name is no markup"
    assert "40/100 cells" in ended
    assert "300/300 cells" in ended
    assert "/s" in ended, "how fast it was"
    assert "too long" not in ended, "a part that is done needs no bar"


def test_a_terminal_is_left_as_it_was_found_after_an_error(terminal, monkeypatch):
    stream, sent = terminal
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(TypeError), Meter(enabled=True) as meter:
        meter.begin("report", 7, "figures")("no amount", "")
    shown = sent()
    assert "0/7 figures" in shown
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l") >= 0, "the cursor is there again"


def test_elsewhere_there_is_a_line_for_each_quarter(capsys):
    with Meter(enabled=True) as meter:
        advance = meter.begin("sweep", 8, "cells", parts={"sine": 8})
        for _ in range(9):
            advance(1, "sine")
    lines = ["sweep: 2/8 cells", "sweep: 4/8 cells", "sweep: 6/8 cells", "sweep: 8/8 cells"]
    assert capsys.readouterr().err.splitlines() == lines


def test_who_wants_none_sees_none(capsys):
    with Meter(enabled=False) as meter:
        meter.begin("sweep", 1, "cells")(1, "sine")
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_the_signal_to_end_is_an_interrupt():
    before = signal.getsignal(signal.SIGTERM)
    try:
        raise_on_sigterm()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
