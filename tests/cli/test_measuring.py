"""What the verbs that measure have in common: an interrupt is told from a failure, wherever it strikes."""

import threading

import pytest

from diffbench.cli.measuring import is_interrupt, resumable
from diffbench.errors import InterruptedRunError, StoreError


def interrupted(*_):
    raise KeyboardInterrupt


def failing(*_):
    raise OSError("disk full")


def caught(call):
    """Return what a call raises."""
    with pytest.raises((KeyboardInterrupt, Exception)) as found:
        call()
    return found.value


def in_a_handler():
    try:
        failing()
    except OSError:
        interrupted()


def before_a_failure():
    try:
        interrupted()
    finally:
        failing()


def before_a_failure_that_hides_it():
    try:
        interrupted()
    except KeyboardInterrupt:
        raise StoreError("damaged") from None


def in_an_exit():
    class Resource:
        def __enter__(self):
            return self

        __exit__ = failing

    with Resource():
        interrupted()


def as_the_cause_only():
    raise StoreError("damaged") from caught(interrupted)


def behind_other_failures():
    try:
        try:
            before_a_failure()
        except OSError as error:
            raise StoreError("damaged") from error
    finally:
        failing()


def in_a_lock():
    lock = threading.Lock()
    try:
        with lock:
            interrupted()
    finally:
        lock.release()


def in_a_group():
    raise StoreError("damaged") from BaseExceptionGroup("tasks", [OSError("disk full"), caught(before_a_failure)])


@pytest.mark.parametrize(
    "call",
    [
        interrupted,
        in_a_handler,
        before_a_failure,
        before_a_failure_that_hides_it,
        in_an_exit,
        as_the_cause_only,
        behind_other_failures,
        in_a_lock,
        in_a_group,
    ],
)
def test_an_interrupt_is_one_wherever_it_strikes(call, tmp_path):
    assert is_interrupt(caught(call))
    (tmp_path / "manifest.json").touch()
    with pytest.raises(InterruptedRunError) as found, resumable(tmp_path, ", without timings"):
        call()
    assert str(found.value) == f"interrupted; diffbench run --resume {tmp_path} goes on, without timings"
    assert found.value.exit_code == 130


def after_an_interrupt_that_was_dealt_with():
    caught(interrupted)
    failing()


def in_a_circle():
    first, second = OSError("one"), StoreError("two")
    first.__context__, second.__cause__ = second, first
    raise first


@pytest.mark.parametrize("call", [failing, after_an_interrupt_that_was_dealt_with, in_a_circle])
def test_a_failure_stays_one(call, tmp_path):
    (tmp_path / "manifest.json").touch()
    with pytest.raises(OSError, match=r"disk full|one"), resumable(tmp_path):
        call()


def test_without_a_run_there_is_nothing_to_go_on_from(tmp_path):
    with pytest.raises(KeyboardInterrupt), resumable(tmp_path):
        interrupted()
