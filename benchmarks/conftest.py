"""How a ratio is measured, and the table of all ratios after the run."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from common import Group, Row, Work, groups_of, known_references
from problems import ROUNDS, mixed_spec, seconds

Contest = Callable[..., None]
HEADINGS = ("ratio of times", "measured", "rounds", "reach", "fail at")


@pytest.fixture
def mix() -> Iterator[list[Group]]:
    """Yield the groups of the mix, their references known, for one test only: a whole run works them out."""
    with known_references():
        yield groups_of(mixed_spec())


@pytest.fixture
def contest(benchmark, record_property) -> Contest:
    """Return a function that measures a row of the table."""

    def measure(
        row: Row, ours: Work, theirs: Work, *, share: float = 1, rounds: int = ROUNDS, fresh: Work | None = None
    ) -> None:
        """Time two contestants in turns, and keep the median of the ratios.

        Parameters
        ----------
        row : Row
            Which ratio, and its limits.
        ours, theirs : callable
            The contestants.
        share : float
            By which our time is multiplied, where theirs is that of a part of the work.
        rounds : int
            How often.
        fresh : callable, optional
            Called before each turn of ours, untimed.
        """
        fresh = fresh or (lambda: None)
        fresh()
        # Once untimed, so that nobody pays for what is done once a process.
        for work in (ours, theirs):
            work()
        ratios = []
        for _ in range(rounds):
            their_time = seconds(theirs)
            fresh()
            ratio = seconds(ours) * share / their_time
            ratios.append(ratio if row.sign == "≤" else 1 / ratio)
        found = float(np.median(ratios))
        benchmark.extra_info.update(row=row.name, ratio=found, reach=row.reach, fail=row.fail, rounds=ratios)
        record_property("contest", (row, found, min(ratios), max(ratios)))
        benchmark.pedantic(ours, setup=fresh, rounds=1)

    return measure


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print all ratios as one table."""
    contests = [
        value
        for report in terminalreporter.getreports("passed")
        for key, value in report.user_properties
        if key == "contest"
    ]
    if not contests:
        return
    lines = [HEADINGS, *(cells(*each) for each in contests)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    terminalreporter.section("ratios")
    for name, *numbers in lines:
        shown = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        terminalreporter.line("  ".join((name.ljust(widths[0]), *shown)))


def cells(row: Row, ratio: float, least: float, most: float) -> tuple[str, ...]:
    """Return a line of the table."""
    beyond = {"≤": ">", "≥": "<"}[row.sign]
    limits = (
        "" if limit is None else f"{sign} {limit:g}" for sign, limit in ((row.sign, row.reach), (beyond, row.fail))
    )
    return row.name, short(ratio), f"{short(least)}–{short(most)}", *limits


def short(ratio: float) -> str:
    """Return a ratio to three digits."""
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.3g}"
