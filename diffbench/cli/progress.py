"""Progress on stderr: bars on a terminal, a line now and then elsewhere."""

import signal
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import click

Advance = Callable[[int, str], None]

PLAIN_STEPS = 4
"""How many lines a stage prints where there is no terminal."""


def _speed_column() -> Any:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f}/s" if speed else "")

    return Speed()


class Meter:
    """Shows how far the stages of a run are; a context manager.

    Parameters
    ----------
    enabled : bool
        Whether anything is shown.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._bars: Any = None

    def __enter__(self) -> Self:
        if self._enabled and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            name = TextColumn("{task.description:<16.16}", markup=False)
            columns = (name, BarColumn(), MofNCompleteColumn(), "{task.fields[unit]}", _speed_column())
            self._bars = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, stage: str, total: int, unit: str, parts: Mapping[str, int] | None = None) -> Advance:
        """Return a function that takes how much of a stage was done, and on what.

        Parameters
        ----------
        stage, total, unit : str, int, str
            What is done, how much of it, and in what unit.
        parts : mapping of str to int, optional
            How much of it belongs to what; the part that was last worked on gets a bar of its own.
        """
        if not self._enabled:
            return lambda _, __: None
        if self._bars is None:
            return _plain(stage, total, unit)
        return _Bars(self._bars, stage, total, unit, parts or {})


class _Bars:
    """The bar of a stage, and below it that of the part that is worked on."""

    def __init__(self, bars: Any, stage: str, total: int, unit: str, parts: Mapping[str, int]) -> None:
        self._bars = bars
        self._parts = parts
        self._done = dict.fromkeys(parts, 0)
        self._whole = bars.add_task(stage, total=total, unit=unit)
        self._part = bars.add_task("", total=1, unit=unit, visible=False)

    def __call__(self, amount: int, part: str) -> None:
        self._bars.update(self._whole, advance=amount)
        if part in self._parts:
            self._done[part] += amount
            done, total = self._done[part], self._parts[part]
            self._bars.update(self._part, description=part, completed=done, total=total, visible=done < total)


def _plain(stage: str, total: int, unit: str) -> Advance:
    done = 0

    def advance(amount: int, _: str) -> None:
        nonlocal done
        before, done = done, done + amount
        if done * PLAIN_STEPS // max(total, 1) > before * PLAIN_STEPS // max(total, 1):
            click.echo(f"{stage}: {min(done, total)}/{total} {unit}", err=True)

    return advance


def raise_on_sigterm() -> None:
    """Let the signal that asks a process to end interrupt it as Ctrl-C does."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    if sys.platform != "win32":  # pragma: no branch  (Windows ends a process without asking it)
        signal.signal(signal.SIGTERM, stop)
