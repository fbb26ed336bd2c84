"""Progress on stderr: bars on a terminal, a line now and then elsewhere."""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import click

Advance = Callable[[int, str], None]

PLAIN_STEPS = 4
"""How many lines a stage prints where there is no terminal."""


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

            columns = ("{task.description:<7}", BarColumn(), MofNCompleteColumn(), "{task.fields[unit]}")
            rest = (TimeRemainingColumn(), TextColumn("{task.fields[now]}", markup=False))
            self._bars = Progress(*columns, *rest, console=Console(stderr=True))
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, stage: str, total: int, unit: str) -> Advance:
        """Return a function that takes how much of a stage was done, and on what."""
        if not self._enabled:
            return lambda _, __: None
        if self._bars is not None:
            task = self._bars.add_task(stage, total=total, unit=unit, now="")
            return lambda amount, now: self._bars.update(task, advance=amount, now=now)
        return _plain(stage, total, unit)


def _plain(stage: str, total: int, unit: str) -> Advance:
    done = 0

    def advance(amount: int, _: str) -> None:
        nonlocal done
        before, done = done, done + amount
        if done * PLAIN_STEPS // max(total, 1) > before * PLAIN_STEPS // max(total, 1):
            click.echo(f"{stage}: {min(done, total)}/{total} {unit}", err=True)

    return advance
