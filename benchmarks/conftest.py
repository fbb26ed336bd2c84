"""How a ratio is measured; after the run the table of all ratios, and the verdict on them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import history
import numpy as np
import pytest
from common import Group, Work, groups_of, known_references
from problems import ROUNDS, mixed_spec, seconds
from ratios import Ratio, Row, table

Contest = Callable[..., None]

RECORDED = pytest.StashKey[dict[str, str]]()
"""What was last recorded of each row."""

MEASURED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
"""How a run ends that was not cut short."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what the history needs to be told."""
    group = parser.getgroup("ratios")
    group.addoption("--record", action="store_true", help="add the ratios to the history")
    group.addoption("--note", default="", help="what the history should say of the run, such as a busy machine")
    group.addoption("--history", type=Path, default=history.PATH, help="the history, a line of JSON a run")


def pytest_configure(config: pytest.Config) -> None:
    """Read the history now: it is too late to hear of a damaged one when everything is measured."""
    try:
        config.stash[RECORDED] = history.last_recorded(config.getoption("history"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture
def mix() -> Iterator[list[Group]]:
    """Yield the groups of the mix, their references known, for one test only: a whole run works them out."""
    with known_references():
        yield groups_of(mixed_spec())


@pytest.fixture
def contest(benchmark, record_property) -> Contest:
    """Return a function that measures a row of the table."""
    if benchmark.group is None:
        pytest.fail("a benchmark needs @pytest.mark.benchmark(group=…)", pytrace=False)

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
            By which our time is multiplied, where theirs, or ours, is that of a part of the work.
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
        found = Ratio(row, benchmark.group, float(np.median(ratios)), min(ratios), max(ratios))
        benchmark.extra_info.update(row=row.name, ratio=found.median, reach=row.reach, fail=row.fail, rounds=ratios)
        record_property("contest", found)
        benchmark.pedantic(ours, setup=fresh, rounds=1)

    return measure


def ratios_of(reporter: pytest.TerminalReporter) -> list[Ratio]:
    """Return the ratios of the tests that passed: where one fails, what it timed was wrong."""
    properties = (each for report in reporter.getreports("passed") for each in report.user_properties)
    return [value for key, value in properties if key == "contest"]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Record all ratios if asked to; fail if one of them is beyond its fail line."""
    config = session.config
    ratios = ratios_of(config.pluginmanager.get_plugin("terminalreporter"))
    if config.getoption("record") and ratios and exitstatus in MEASURED:
        history.record(config.getoption("history"), ratios, config.getoption("note"))
    if exitstatus == pytest.ExitCode.OK and any(each.is_beyond for each in ratios):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print all ratios as one table, and a sentence for each that is beyond its fail line."""
    ratios = ratios_of(terminalreporter)
    if not ratios:
        return
    terminalreporter.section("ratios")
    for line in table(ratios, config.stash[RECORDED]):
        terminalreporter.line(line)
    beyond = [each for each in ratios if each.is_beyond]
    if beyond:
        terminalreporter.section(f"{len(beyond)} of {len(ratios)} ratios beyond their fail lines", red=True)
    for each in beyond:
        terminalreporter.line(each.sentence)
