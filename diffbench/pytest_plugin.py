"""The ``accuracy`` fixture: a test fails where a derivative has fewer correct digits than it should.

Nothing but pytest is imported until a test uses it.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from diffbench.analysis.accuracy import Accuracy

_CHECKS = pytest.StashKey[list[tuple[str, float, float]]]()
"""What was checked: test, digits that were asked for, digits that were there."""


class AccuracyChecks:
    """What the fixture ``accuracy`` is.

    Parameters
    ----------
    request : pytest.FixtureRequest
        The test that uses it.
    """

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request

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

        return self._judged(measure_derivative(call, formula, at, derivative, dtype), digits)

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

        found = measure_gradient(call, formula, at, dtype)
        self._judged(list(found.values()), digits)
        return found

    def _judged(self, found: "list[Accuracy]", digits: float) -> "list[Accuracy]":
        __tracebackhide__ = True
        least = min((each.digits for each in found if each.digits is not None), default=float("inf"))
        self._request.config.stash[_CHECKS].append((self._request.node.nodeid, digits, least))
        self._note_beside_the_time(least)
        wrong = [str(each) for each in found if each.digits is None or each.digits < digits]
        if wrong:
            pytest.fail("\n".join([f"fewer than {digits:g} correct digits", *wrong]), pytrace=False)
        return found

    def _note_beside_the_time(self, digits: float) -> None:
        """Add the digits to what pytest-benchmark stores of this test, if it is timed."""
        if "benchmark" in self._request.fixturenames:
            self._request.getfixturevalue("benchmark").extra_info["digits"] = round(digits, 2)


@pytest.fixture
def accuracy(request: pytest.FixtureRequest) -> AccuracyChecks:
    """Return what checks derivatives against certified exact ones."""
    return AccuracyChecks(request)


def pytest_configure(config: pytest.Config) -> None:
    """Begin a list of checks."""
    config.stash[_CHECKS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the digits of every check, if anybody asked for more than the dots."""
    checks = config.stash[_CHECKS]
    if checks and config.get_verbosity() > 0:
        terminalreporter.section("accuracy")
        for test, asked, digits in checks:
            terminalreporter.write_line(f"{digits:6.2f} digits, {asked:g} asked for  {test}")
