"""References for dtypes of more than 64 bits: the truth as two words of the dtype."""

from collections.abc import Sequence
from fractions import Fraction
from math import inf, log10

from diffbench.dtypes import find_dtype
from diffbench.functions.grammar import Formula
from diffbench.reference.balls import Ball
from diffbench.reference.exact import references
from diffbench.reference.verdict import Reference
from diffbench.rounding import round_exactly

VANISHED = Fraction(1, 2**1200)
"""Below which a rest counts as 0, as in the words of float64."""

MORE_DIGITS = 8
"""How many are asked for beyond those of two words."""

LAST_DIGITS = 400
"""With as many, a doubt that is left is smaller than any error: the truth is a tie, or a number of the dtype."""

Words = tuple[Fraction, Fraction]


def word_digits(dtype: str) -> int:
    """Return how many decimal digits a reference in a dtype has at the least: those of two words, and some more."""
    return int(2 * find_dtype(dtype).precision * log10(2)) + MORE_DIGITS


def wide_references(
    formula: Formula, points: Sequence[Fraction], derivative: int, dtype: str, time_limit: float
) -> list[Reference | None]:
    """Return references whose enclosures leave no doubt about either word.

    Parameters
    ----------
    formula : Formula
        What to differentiate.
    points : sequence of Fraction
        Where, exactly.
    derivative, dtype : int, str
        Which derivative, and the dtype of the words.
    time_limit : float
        Seconds for the hard ones.
    """
    digits = word_digits(dtype)
    found = references(formula, points, derivative, digits, time_limit)
    while digits < max(LAST_DIGITS, 2 * word_digits(dtype)):
        digits *= 2
        open_places = [i for i, each in enumerate(found) if each is not None and is_open(each, dtype)]
        again = references(formula, [points[i] for i in open_places], derivative, digits, time_limit)
        for place, reference in zip(open_places, again, strict=True):
            if reference is not None and reference.is_settled:
                found[place] = reference
    return found


def is_open(reference: Reference, dtype: str) -> bool:
    """Return whether a reference leaves a doubt about one of its two words."""
    return reference.is_settled and reference.ball.radius != inf and _certain_words(reference.ball, dtype) is None


def middle_of(reference: Reference) -> Fraction:
    """Return the truth to all digits that are known of it."""
    return Fraction(0) if reference.ball.has_vanished else reference.ball.midpoint


def words_of(reference: Reference, dtype: str) -> Words | None:
    """Return the truth as two numbers of a dtype, None where there is none that float64 has a first word of."""
    if reference.hi is None or abs(reference.hi) == inf or not reference.is_settled:
        return None
    return _certain_words(reference.ball, dtype) or _words(middle_of(reference), dtype)


def _words(value: Fraction, dtype: str) -> Words:
    hi = round_exactly(value, dtype)
    return hi, round_exactly(value - hi, dtype)


def _certain_words(ball: Ball, dtype: str) -> Words | None:
    """Return the words that every number of a ball has, a rest that has vanished being 0; None where they differ."""
    if ball.has_vanished:
        return Fraction(0), Fraction(0)
    low, high = (ball.midpoint + side * Fraction(ball.radius) for side in (-1, 1))
    first, last = _words(low, dtype), _words(high, dtype)
    if first[0] != last[0]:
        return None
    if max(abs(low - first[0]), abs(high - first[0])) <= VANISHED:
        return first[0], Fraction(0)
    return first if first == last else None
