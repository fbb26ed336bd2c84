"""What an adapter must do before its library may stand in a table."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from diffbench.functions.function import Function
from diffbench.schemes.library import Library
from diffbench.schemes.scheme import parse_scheme
from diffbench.sweep.opaque import Answer, asking
from diffbench.sweep.results import Status

TOLERANCE = 1e-4
"""Relative error at a polynomial: more than any scheme of its class needs, less than any mistake leaves."""

EPSILON = 2.0**-4
"""Told to those that take one: large, since polynomials leave nothing to truncate and high derivatives round much."""

X = 1.5
_ONLY_X = f"[{Fraction(X)}, {Fraction(X) + Fraction(1, 2**80)}]"
"""A domain that holds no other double."""


class Check(NamedTuple):
    """One thing that was checked.

    Attributes
    ----------
    check : str
        What.
    passed : bool
        Whether it holds.
    detail : str
        What was seen.
    """

    check: str
    passed: bool
    detail: str


def conformance(library: Library, time_limit: float = 10.0) -> list[Check]:
    """Check an adapter: signature, exactness on polynomials, NaN, determinism, counts, and the epsilon that it is told.

    An adapter is asked for one point a call, so there are no arrays of points to check; that its package calls f with
    arrays of any shape is what f is for. Points may still reach each other through what is kept between calls, so one
    is asked for again after others.

    Parameters
    ----------
    library : Library
        Which.
    time_limit : float
        Seconds for each call.

    Returns
    -------
    list of Check
        Whoever fails one of them has no place in a table; a package that is not installed fails the first.
    """
    bench = _Bench(library, time_limit)
    first = bench.signature()
    if not first.passed:
        return [first]
    return [first, *(check for each in _CHECKS for check in each(bench)), bench.has_answered()]


class _Bench:
    """An adapter, and what it is asked."""

    def __init__(self, library: Library, time_limit: float) -> None:
        self.library = library
        self._time_limit = time_limit
        self._answers = 0

    def ask(self, formula: str, derivative: int, *, domain: str | None = None, epsilon: float = EPSILON) -> Answer:
        """Return the answer at X."""
        return self.ask_in_turn(formula, derivative, (X,), domain=domain, epsilon=epsilon)[0]

    def ask_in_turn(
        self,
        formula: str,
        derivative: int,
        points: Sequence[float],
        *,
        domain: str | None = None,
        epsilon: float = EPSILON,
    ) -> list[Answer]:
        """Return the answers of one process to one point after the other."""
        scheme = self.library.scheme(derivative)
        function = Function("f", formula, [X], domain=domain)
        step = (np.float64(epsilon),) if self.library.takes_epsilon else ()
        with asking(scheme, function, self._time_limit) as ask:
            answers = [ask(np.float64(x), step) for x in points]
        self._answers += sum(bool(np.isfinite(answer.estimate)) for answer in answers)
        return answers

    def has_answered(self) -> Check:
        """Check that it was not in vain every time."""
        return Check("answers", self._answers > 0, f"{self._answers} answers are numbers")

    def signature(self) -> Check:
        """Check that it can be called and answers a number, or refuses on its own account."""
        answer = self.ask("exp(x)", self.library.derivatives[0])
        refuses = answer.status is Status.FAILED and not answer.reason.startswith(_MISTAKES)
        passed = refuses or (answer.status is Status.OK and bool(np.isfinite(answer.estimate)))
        return Check("signature", passed, _seen(answer))


_MISTAKES = ("TypeError", "AttributeError", "NameError", "no answer", "it ended", "it cannot", "importing")
"""What begins the reason where an adapter does not fit its package, or hangs."""


def _seen(answer: Answer) -> str:
    return answer.reason or f"answers {answer.estimate!r}"


def _exact_on_polynomials(bench: _Bench) -> Iterator[Check]:
    """Check x^n up to the degree at which the scheme of its class is exact."""
    for m in bench.library.derivatives:
        order = parse_scheme(bench.library.peer, 1).order
        for degree in range(m, m + min(order, 4)):
            truth = float(np.prod(np.arange(degree, degree - m, -1))) * X ** (degree - m)
            answer = bench.ask(f"x**{degree}", m)
            seen = f"{_seen(answer)}, {truth!r} is right"
            yield Check(f"x**{degree}, derivative {m}", _is_right(answer, truth, _tolerance(bench, m)), seen)


def _is_right(answer: Answer, truth: float, tolerance: float) -> bool:
    """Return whether an answer is near the truth; a search that finds no step and says so is not wrong."""
    return answer.status is Status.FAILED or bool(abs(answer.estimate - truth) <= tolerance * max(truth, 1.0))


def _tolerance(bench: _Bench, derivative: int) -> float:
    """Return what rounding may leave at the epsilon that is told, or at any that a library may choose."""
    return TOLERANCE if derivative == 1 or bench.library.takes_epsilon else TOLERANCE ** (1 / derivative)


def _constants_have_no_derivative(bench: _Bench) -> Iterator[Check]:
    answer = bench.ask("0*x + 3", bench.library.derivatives[0])
    yield Check("constant", _is_right(answer, 0.0, TOLERANCE), f"{_seen(answer)}, 0 is right")


def _nan_stays_nan(bench: _Bench) -> Iterator[Check]:
    """Check that f that is NaN everywhere but at x does not get a derivative."""
    answer = bench.ask("x**2", bench.library.derivatives[0], domain=_ONLY_X)
    if not answer.record.outside:
        yield Check("NaN", True, "evaluates f nowhere else")
    elif np.isfinite(answer.estimate):
        yield Check("NaN", False, f"answers {answer.estimate!r} where f is NaN")
    else:
        yield Check("NaN", True, "answers NaN" if answer.status is Status.DOMAIN else answer.reason)


def _same_answer_twice(bench: _Bench) -> Iterator[Check]:
    answers = [bench.ask("exp(x)", bench.library.derivatives[0]).estimate for _ in range(2)]
    passed = answers[0] == answers[1] or bool(np.isnan(answers).all())
    yield Check("determinism", passed, f"answers {answers[0]!r} and {answers[1]!r}")


def _points_are_apart(bench: _Bench) -> Iterator[Check]:
    """Check that an answer does not depend on the points before it; a sweep asks for them in any order."""
    answers = bench.ask_in_turn("exp(x)", bench.library.derivatives[0], (X, 16 * X, X, X / 16, X))
    first, *others = (answer.estimate for answer in answers[::2])
    passed = all(each == first or (np.isnan(each) and np.isnan(first)) for each in others)
    seen = " and ".join(f"{each!r}" for each in dict.fromkeys(others) if each != first)
    yield Check("points", passed, "answers the same" if passed else f"answers {first!r}, and {seen} after other points")


def _counts(bench: _Bench) -> Iterator[Check]:
    answer = bench.ask("exp(x)", bench.library.derivatives[0])
    yield Check("evaluations", answer.evaluations > 0, f"{answer.evaluations} evaluations are counted")


def _epsilon_is_used(bench: _Bench) -> Iterator[Check]:
    """Check that the nearest node moves with the epsilon that is told, if f is evaluated in numbers at all."""
    if not bench.library.takes_epsilon:
        return
    near, far = (
        bench.ask("exp(x)", bench.library.derivatives[0], epsilon=epsilon).record.nearest_node
        for epsilon in (EPSILON, 4 * EPSILON)
    )
    is_traced = bool(np.isnan(near) and np.isnan(far))
    yield Check("epsilon", is_traced or near != far, f"the nearest nodes are {near:g} and {far:g} away at ε and 4ε")


_CHECKS: tuple[Callable[[_Bench], Iterator[Check]], ...] = (
    _exact_on_polynomials,
    _constants_have_no_derivative,
    _nan_stays_nan,
    _same_answer_twice,
    _points_are_apart,
    _counts,
    _epsilon_is_used,
)
