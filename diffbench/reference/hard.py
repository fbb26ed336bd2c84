"""Evaluations that might never end, or end their process: in a child process that is ended after its time.

FLINT and SymPy cannot be interrupted, so what the guards of :mod:`diffbench.reference.balls` refuse is asked of a
child.
"""

from fractions import Fraction
from typing import IO, Any

from diffbench.children import Child, LateError, LostError, answer_all
from diffbench.functions.grammar import Formula
from diffbench.reference.balls import make_expendable
from diffbench.reference.verdict import Reference, uncertain
from diffbench.reference.ways import ways_to

TIME_LIMIT = 30.0
"""Seconds for the hard references of one formula and derivative."""

ATTEMPTS = 2
"""How often a reference is asked for: what ends its process does so again, unlike somebody who has ended it."""

Request = tuple[Formula, Fraction, int, int]


class Expendable:
    """The hard references of one formula and derivative, with the time that they have in common."""

    def __init__(self, formula: Formula, derivative: int, digits: int, time_limit: float) -> None:
        self._formula = formula
        self._derivative = derivative
        self._digits = digits
        self._time_limit = time_limit
        self._spent = 0.0

    def reference(self, x: Fraction) -> Reference | None:
        """Return the reference at a point, None where the formula is not defined, uncertain where time has run out."""
        left = self._time_limit - self._spent
        if left <= 0:
            return self._given_up()
        for _ in range(ATTEMPTS):
            try:
                reference: Reference | None
                reference, seconds = CHILD.ask((self._formula, x, self._derivative, self._digits), left)
            except LateError:
                self._spent = self._time_limit
                return self._given_up()
            except LostError:
                continue
            self._spent += seconds
            return reference
        return uncertain("the evaluation ended its process")

    def _given_up(self) -> Reference:
        return uncertain(f"not settled within the time limit of {self._time_limit:g} s")


def serve(answers: IO[bytes]) -> None:
    """Answer the requests of a parent."""
    make_expendable()
    answer_all(answers, _answer)


def _answer(request: Request) -> Any:
    formula, x, derivative, digits = request
    try:
        return ways_to(formula, derivative).references([x], digits)[0]
    except (ArithmeticError, RecursionError, MemoryError, ValueError, TypeError, NotImplementedError) as error:
        return uncertain(f"the evaluation failed: {type(error).__name__}")


CHILD = Child(__name__)
