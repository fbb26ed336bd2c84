"""The ``accuracy`` fixture: a test fails where a derivative has fewer correct digits than it should.

Nothing but pytest is imported until a test uses it.
"""

import math
from collections.abc import Callable, Mapping
from functools import wraps
from threading import Lock
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from diffbench.analysis.accuracy import Accuracy

PROPERTY = "accuracy"
"""Under this name a test's report says what was found, also from a worker of pytest-xdist to its controller."""

HEADINGS = ("digits", "asked for", "evaluations", "median time", "test")

_TIMED = pytest.StashKey[tuple[dict[str, Any], Any]]()
"""What was noted of a test, and the fixture that times it."""


class AccuracyChecks:
    """What the fixture ``accuracy`` is.

    Parameters
    ----------
    request : pytest.FixtureRequest
        The test that uses it.

    Notes
    -----
    What is found is noted of the test, and in ``benchmark.extra_info`` where the test is timed by pytest-benchmark:
    ``digits``, the worst, or None where a point has none, and ``digits_asked``; of several checks in a test, those of
    the check with least to spare; ``checked``, how many different derivatives and points were; and ``evaluations``, the
    most at one point, where functions are counted.
    """

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self._noted: dict[str, Any] = {}
        self._checked: set[tuple[str, int, str, float]] = set()
        self._lock = Lock()
        self._is_counting = False
        self._evaluations = self._most_evaluations = 0

    def counted(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that behaves as f, and counts how many values of f are asked for.

        Checks in the same test then note the most that a derivative, or a gradient, asks for at one point. What is
        asked of several counted functions is added.

        Parameters
        ----------
        f : callable
            Each call counts as many values as it returns: an array of them its size, a list its length; anything
            else, such as the one value at a vector of variables, one. Compiled code calls f only while it is traced.

        Returns
        -------
        callable
            To differentiate in the place of f.
        """
        if not callable(f):
            from diffbench.errors import InputError

            raise InputError(f"counted: {f!r} is not callable")
        self._is_counting = True

        @wraps(f)
        def counting(*args: Any, **kwargs: Any) -> Any:
            answer = f(*args, **kwargs)
            with self._lock:
                self._evaluations += _size(answer)
            return answer

        return counting

    def check(
        self,
        call: Callable[[Any], Any],
        formula: Any,
        *,
        at: object,
        digits: float,
        derivative: int = 1,
        dtype: str = "float64",
    ) -> "list[Accuracy]":
        """Fail unless a derivative has so many correct digits at every point.

        Parameters
        ----------
        call, formula, at, derivative, dtype
            As for :func:`diffbench.analysis.accuracy.measure_derivative`.
        digits : float
            How many digits must be right at every point; where the derivative is 0, digits behind the point.

        Returns
        -------
        list of Accuracy
            One a point.
        """
        __tracebackhide__ = True
        from diffbench.analysis.accuracy import measure_derivative

        asked = _asked(digits)
        return self._judged(measure_derivative(self._watched(call), formula, at, derivative, dtype), asked)

    def check_gradient(
        self,
        call: Callable[..., Any],
        formula: str,
        *,
        at: Mapping[str, object],
        digits: float,
        dtype: str = "float64",
    ) -> "dict[str, Accuracy]":
        """Fail unless every partial derivative has so many correct digits.

        Parameters
        ----------
        call, formula, at, dtype
            As for :func:`diffbench.analysis.accuracy.measure_gradient`.
        digits : float
            How many digits must be right.

        Returns
        -------
        dict
            By variable.
        """
        __tracebackhide__ = True
        from diffbench.analysis.accuracy import measure_gradient

        asked = _asked(digits)
        found = measure_gradient(self._watched(call), formula, at, dtype)
        self._judged(list(found.values()), asked)
        return found

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a derivative, the most evaluations of its calls kept."""

        def watched(*point: Any) -> Any:
            before = self._evaluations
            answer = call(*point)
            self._most_evaluations = max(self._most_evaluations, self._evaluations - before)
            return answer

        return watched

    def _judged(self, found: "list[Accuracy]", asked: float) -> "list[Accuracy]":
        __tracebackhide__ = True
        self._note(found, asked)
        wrong = [str(each) for each in found if each.digits is None or each.digits < asked]
        if wrong:
            pytest.fail("\n".join([f"fewer than {asked:g} correct digits", *wrong]), pytrace=False)
        return found

    def _note(self, found: "list[Accuracy]", asked: float) -> None:
        worst = min((each.digits for each in found), key=lambda digits: _spare(digits, asked))
        noted = self._noted
        if not noted or _spare(worst, asked) < _spare(noted["digits"], noted["digits_asked"]):
            noted.update(digits=worst, digits_asked=asked)
        # A timed function may check the same thing a thousand times.
        self._checked.update((each.formula, each.derivative, each.dtype, each.x) for each in found)
        noted["checked"] = len(self._checked)
        if self._is_counting:
            noted["evaluations"] = self._most_evaluations
        self._publish(dict(noted))

    def _publish(self, noted: dict[str, Any]) -> None:
        """Put what was noted where reports, and pytest-benchmark if it times the test, take it from."""
        node = self._request.node
        node.user_properties[:] = [each for each in node.user_properties if each[0] != PROPERTY]
        node.user_properties.append((PROPERTY, noted))
        if "benchmark" in self._request.fixturenames:
            timer = self._request.getfixturevalue("benchmark")
            if isinstance(getattr(timer, "extra_info", None), dict):
                timer.extra_info.update(noted)
            node.stash[_TIMED] = noted, timer


def _asked(digits: float) -> float:
    """Return how many digits are asked for, as a number that compares and that every report can carry."""
    from diffbench.errors import InputError

    try:
        asked = float(digits)
    except (TypeError, ValueError):
        asked = math.nan
    if not math.isfinite(asked):
        raise InputError(f"digits: {digits!r} is not a finite number")
    return asked


def _spare(digits: float | None, asked: float) -> float:
    """Return how many digits are there beyond those that are asked for."""
    return -math.inf if digits is None else digits - asked


def _size(answer: Any) -> int:
    """Return how many values an answer of numpy, JAX, torch or plain Python is."""
    if isinstance(answer, (list, tuple)):
        return sum(_size(each) for each in answer)
    shape = getattr(answer, "shape", None)
    return math.prod(shape) if isinstance(shape, tuple) else 1


@pytest.fixture
def accuracy(request: pytest.FixtureRequest) -> AccuracyChecks:
    """Return what checks derivatives against certified exact ones."""
    return AccuracyChecks(request)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> None:
    """Add the median time, which is known when the test has ended."""
    if _TIMED in item.stash:
        noted, timer = item.stash[_TIMED]
        stats: Any = getattr(getattr(timer, "stats", None), "stats", None)
        noted["median"] = stats.median if getattr(stats, "data", None) else None


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    """Show digits beside times, after the table of times; of tests that are not timed with ``-v``."""
    is_verbose = terminalreporter.config.get_verbosity() > 0
    noted = {test: each for test, each in _by_test(terminalreporter) if is_verbose or "median" in each}
    if not noted:
        return
    lines = [HEADINGS, *(_cells(test, each) for test, each in sorted(noted.items()))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    terminalreporter.write_sep("=", "accuracy")
    for test, cells in zip((None, *sorted(noted)), lines, strict=True):
        is_wrong = test is not None and _spare(noted[test]["digits"], noted[test]["digits_asked"]) < 0
        shown = [cell.rjust(width) for cell, width in zip(cells[:-1], widths, strict=False)]
        terminalreporter.write_line("  ".join((*shown, cells[-1])), red=is_wrong)


def _by_test(terminalreporter: "pytest.TerminalReporter") -> list[tuple[str, dict[str, Any]]]:
    """Return what was noted of each test, that of its last report last."""
    reports = [each for kind in terminalreporter.stats.values() for each in kind if isinstance(each, pytest.TestReport)]
    reports.sort(key=lambda report: ("setup", "call", "teardown").index(report.when or "setup"))
    properties: list[tuple[str, str, Any]] = [(each.nodeid, *own) for each in reports for own in each.user_properties]
    return [(test, value) for test, key, value in properties if key == PROPERTY]


def _cells(test: str, noted: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a line of the table; digits are cut, not rounded, so that none below what is asked for looks like it."""
    digits, median = noted["digits"], noted.get("median")
    return (
        "none" if digits is None else f"{math.floor(digits * 100) / 100:.2f}",
        f"{noted['digits_asked']:g}",
        str(noted.get("evaluations", "")),
        "" if median is None else _time_text(median),
        test,
    )


def _time_text(seconds: float) -> str:
    """Return a time in the units of pytest-benchmark's table."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds / 1e-9:.2f} ns"
