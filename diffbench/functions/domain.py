"""Intervals of the real line on which a function is stated to be defined."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import InputError
from diffbench.functions.compile import named_constant
from diffbench.functions.grammar import (
    Binary,
    Name,
    Negative,
    Node,
    constants_only,
    parse_formula,
    rational_value,
)
from diffbench.rounding import FloatArray, exact_float, round_to


@dataclass(frozen=True)
class Interval:
    """One interval; an end that is None is infinite.

    Attributes
    ----------
    low, high : Fraction or None
        The ends, exact or to 400 bits.
    includes_low, includes_high : bool
        Whether the ends belong to it.
    """

    low: Fraction | None = None
    high: Fraction | None = None
    includes_low: bool = False
    includes_high: bool = False

    def __contains__(self, x: Fraction) -> bool:
        above = self.low is None or x > self.low or (self.includes_low and x == self.low)
        below = self.high is None or x < self.high or (self.includes_high and x == self.high)
        return above and below

    def contains_array(self, x: FloatArray) -> npt.NDArray[np.bool_]:
        """Return which elements belong to the interval, exactly.

        Each end is replaced by the nearest number of the dtype, and whether that one belongs is decided
        in rationals, so that no element is judged by a rounded end.
        """
        (low, takes_low), (high, takes_high) = _edges(self, x.dtype)
        inside = x >= low if takes_low else x > low
        inside &= x <= high if takes_high else x < high
        return inside


@lru_cache(maxsize=1024)
def _edges(interval: Interval, dtype: np.dtype[Any]) -> tuple[tuple[float, bool], tuple[float, bool]]:
    """Return the ends of an interval rounded to a dtype, and whether these belong to it."""
    low = -math.inf if interval.low is None else round_to(interval.low, dtype.name)
    high = math.inf if interval.high is None else round_to(interval.high, dtype.name)
    return (low, _belongs(low, interval)), (high, _belongs(high, interval))


def _belongs(edge: float, interval: Interval) -> bool:
    return math.isfinite(edge) and exact_float(edge) in interval


@dataclass(frozen=True)
class Domain:
    """A union of intervals, as text and as numbers."""

    text: str
    intervals: tuple[Interval, ...]

    @property
    def has_ends(self) -> bool:
        """Whether it is not the whole real line."""
        return self.intervals != REAL_LINE.intervals

    def interval_of(self, x: Fraction) -> Interval | None:
        """Return the interval that a point lies in, or None."""
        return next((interval for interval in self.intervals if x in interval), None)

    def contains_array(self, x: FloatArray) -> npt.NDArray[np.bool_]:
        """Return which elements belong to one of the intervals, exactly."""
        inside = self.intervals[0].contains_array(x)
        for interval in self.intervals[1:]:
            inside |= interval.contains_array(x)
        return inside

    def __str__(self) -> str:
        return self.text


REAL_LINE = Domain("(-oo, oo)", (Interval(),))


def parse_domain(text: str) -> Domain:
    """Parse intervals such as ``"(-oo, 0) | (0, pi/2]"``.

    Raises
    ------
    InputError
        If the text is no union of intervals with rising ends.
    """
    if not isinstance(text, str):
        raise InputError(f"domain: {text!r} is not a text such as '(0, oo)'")
    intervals = tuple(_parse_interval(part.strip(), text) for part in text.split("|"))
    return Domain(text.strip(), intervals)


def _parse_interval(part: str, text: str) -> Interval:
    if len(part) < 5 or part[0] not in "([" or part[-1] not in ")]" or part.count(",") != 1:
        raise InputError(f"domain: {text[:60]!r} is not a union of intervals such as '(-oo, 0) | (0, 1]'")
    low_text, high_text = part[1:-1].split(",")
    low, high = _parse_end(low_text.strip(), "-oo"), _parse_end(high_text.strip(), "oo")
    if low is not None and high is not None and low >= high:
        raise InputError(f"domain: the ends of {part[:60]!r} do not rise")
    return Interval(low, high, part[0] == "[", part[-1] == "]")


def _parse_end(text: str, infinity: str) -> Fraction | None:
    if text == infinity:
        return None
    tree = parse_formula(text).tree
    if not constants_only(tree):
        raise InputError(f"domain: the end {text[:60]!r} is not a constant")
    return _constant_value(tree, text)


def _constant_value(node: Node, text: str) -> Fraction:
    """Evaluate an end: rational arithmetic over numbers and the named constants."""
    value = rational_value(node)
    if value is not None:
        return value
    match node:
        case Name(name):
            constant = named_constant(name)
        case Negative(operand):
            constant = -_constant_value(operand, text)
        case Binary("+", left, right):
            constant = _constant_value(left, text) + _constant_value(right, text)
        case Binary("-", left, right):
            constant = _constant_value(left, text) - _constant_value(right, text)
        case Binary("*", left, right):
            constant = _constant_value(left, text) * _constant_value(right, text)
        case Binary("/", left, right):
            constant = _constant_value(left, text) / _constant_value(right, text)
        case _:
            constant = None
    if constant is None:
        raise InputError(f"domain: the end {text[:60]!r} uses more than + - * / of numbers and constants")
    return constant
