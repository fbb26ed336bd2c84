"""What the verbs that measure have in common: an interrupt is told from a failure, wherever it strikes."""

import threading
from concurrent.futures import BrokenExecutor
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from diffbench.cli import measuring
from diffbench.cli.measuring import figure_executor, is_interrupt, report_of, resumable
from diffbench.cli.progress import Meter
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


def test_figures_are_drawn_again_without_workers_where_one_died(tmp_path, monkeypatch, capsys):
    calls = []

    def write_report(_, folder, executor, progress, *__, run_folder):
        calls.append((executor, run_folder))
        if executor is not None:
            progress(None, None)
            raise BrokenExecutor
        return folder / "report.html"

    monkeypatch.setattr("diffbench.report.folder.write_report", write_report)
    monkeypatch.setattr(measuring, "figure_executor", lambda _: nullcontext("a pool"))
    results = SimpleNamespace(keys=["one"], blocks=[])
    with Meter(enabled=False) as meter:
        assert report_of(results, tmp_path, meter, tmp_path / "run") == tmp_path / "report.html"
    assert calls == [("a pool", tmp_path / "run"), (None, tmp_path / "run")]
    said = "diffbench: a worker process died; the figures are drawn again, one after the other\n"
    assert capsys.readouterr().err == said


def test_many_figures_are_drawn_by_some_processes_where_there_can_be_any(monkeypatch):
    asked = []

    def process_pool(workers):
        asked.append(workers)
        if workers == 2:
            raise StoreError("no /dev/shm")
        return nullcontext("a pool")

    monkeypatch.setattr(measuring, "process_pool", process_pool)
    given = []
    for cores, figures in ((8, 12), (8, 11), (1, 12), (2, 12)):
        monkeypatch.setattr(measuring, "cores", lambda cores=cores: cores)
        with figure_executor(figures) as executor:
            given.append(executor)
    assert given == ["a pool", None, None, None]
    assert asked == [4, 2]
