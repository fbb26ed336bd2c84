"""Points that nobody chose: uniform among the numbers of a dtype, beside powers of two, at the ends of a domain.

The finite numbers of a dtype are counted from 0, upwards and downwards: the *ordinal* of a number is how many steps
from one number to the next it is away from 0. All is done in whole numbers, so that every machine has the same points.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from itertools import islice

from diffbench.dtypes import find_dtype
from diffbench.errors import InputError
from diffbench.functions.domain import Domain, Interval, parse_domain
from diffbench.functions.function import Function

OWN = "own"
"""The points that a function has by itself."""

KINDS = ("ordinals", "powers-of-two", "ends")

MAX_POINTS = 100_000
MAX_SEED = 2**64 - 1

_RULE = "own, or ordinals:N, powers-of-two:N, ends:N, after which ' in [LOW, HIGH]' may follow"
_SOURCE = re.compile(rf"({'|'.join(KINDS)}):(\d{{1,9}})(?: in (.+))?", re.ASCII)

Range = tuple[int, int]
"""The least and the largest of some ordinals."""


@dataclass(frozen=True)
class Format:
    """How the finite numbers of a dtype are counted.

    Attributes
    ----------
    precision : int
        Bits of a number.
    lowest : int
        The least number above 0 is 2**lowest.
    binades : int
        The largest are from 2**(lowest + binades + precision - 1) on.

    Examples
    --------
    >>> half = Format.of("float16")
    >>> half.number(1), half.number(half.last), half.at_most(Fraction(1, 3)) - half.at_most(Fraction(1, 4))
    (Fraction(1, 16777216), Fraction(65504, 1), 341)
    """

    precision: int
    lowest: int
    binades: int

    @classmethod
    def of(cls, dtype: str) -> "Format":
        """Return that of a dtype."""
        known = find_dtype(dtype)
        if known.largest is None:
            raise InputError(f"points: {dtype} has no largest number, so that its numbers cannot be drawn from")
        binades = int(known.largest).bit_length() - known.precision - known.lowest
        return cls(known.precision, known.lowest, binades)

    @property
    def last(self) -> int:
        """Ordinal of the largest finite number."""
        return ((self.binades + 2) << (self.precision - 1)) - 1

    def number(self, ordinal: int) -> Fraction:
        """Return the number with an ordinal."""
        size = abs(ordinal)
        binade = max((size >> (self.precision - 1)) - 1, 0)
        units = (size - (binade << (self.precision - 1))) << binade
        number = Fraction(units << self.lowest) if self.lowest > 0 else Fraction(units, 1 << -self.lowest)
        return -number if ordinal < 0 else number

    def of_units(self, units: int) -> int:
        """Return the ordinal of the largest number that is not above so many times the least above 0."""
        binade = max(units.bit_length() - self.precision, 0)
        return (binade << (self.precision - 1)) + (units >> binade)

    def at_most(self, value: Fraction) -> int:
        """Return the ordinal of the largest number that is not above a value, as if there were no largest of all."""
        if value < 0:
            return -self.at_least(-value)
        return self.of_units(value // Fraction(2) ** self.lowest)

    def at_least(self, value: Fraction) -> int:
        """Return the ordinal of the least number that is not below a value."""
        if value < 0:
            return -self.at_most(-value)
        below = self.at_most(value)
        return below if self.number(below) == value else below + 1

    def inside(self, interval: Interval) -> Range:
        """Return the ordinals of all finite numbers in an interval; the first is above the last if there is none."""
        first, last = -self.last, self.last
        if interval.low is not None:
            first = max(first, self.at_least(interval.low))
            first += self.number(first) == interval.low and not interval.includes_low
        if interval.high is not None:
            last = min(last, self.at_most(interval.high))
            last -= self.number(last) == interval.high and not interval.includes_high
        return first, last


@dataclass(frozen=True)
class PointSource:
    """A stated way to points of a function.

    Attributes
    ----------
    kind : str
        ``own``; ``ordinals``: each number of the dtype as likely as any other; ``powers-of-two``: the numbers just
        below, at and just above powers of two, each as likely; ``ends``: the numbers nearest to the domain's ends.
    count : int
        How many points, or all that there are; 0 for ``own``.
    region : Domain or None
        What the function's domain is cut down to. Where both have no end it is at the largest finite number.
    """

    kind: str
    count: int = 0
    region: Domain | None = None

    def __str__(self) -> str:
        where = "" if self.region is None else f" in {self.region.text}"
        return self.kind if self.kind == OWN else f"{self.kind}:{self.count}{where}"


def parse_points(text: str) -> PointSource:
    """Parse a way to points.

    Raises
    ------
    InputError
        If it is not in the form ``ordinals:20`` or ``ends:10 in [0, 1]``.

    Examples
    --------
    >>> str(parse_points("ordinals:20  in [-10, 10]"))
    'ordinals:20 in [-10, 10]'
    """
    plain = " ".join(text.split()) if isinstance(text, str) else ""
    if plain == OWN:
        return PointSource(OWN)
    match = _SOURCE.fullmatch(plain)
    if match is None:
        raise InputError(f"points: {str(text)[:60]!r} is not {_RULE}")
    count = int(match[2])
    if not 1 <= count <= MAX_POINTS:
        raise InputError(f"points: {count} is not from 1 to {MAX_POINTS}")
    return PointSource(match[1], count, parse_domain(match[3]) if match[3] else None)


def with_points(function: Function, sources: Sequence[PointSource], dtype: str, seed: int = 0) -> Function:
    """Return a function with the points that sources give, each once, in their order.

    Parameters
    ----------
    function : Function
        Whose domain they lie in.
    sources : sequence of PointSource
        The ways to points.
    dtype : str
        All points but the function's own are numbers of it.
    seed : int
        Another seed gives other points; the same gives the same, whatever else is measured.

    Raises
    ------
    InputError
        If there is no such point, or the function has several variables.

    Examples
    --------
    >>> f = Function("f", "sqrt(x)", ["1"], domain="[0, oo)")
    >>> [str(x) for x in with_points(f, [parse_points("ends:3 in [0, 1]")], "float16").points]
    ['0', '1', '1/16777216']
    """
    if function.lines:
        raise InputError(f"points: {function.name} has several variables, and keeps its own points")
    points: dict[Fraction, None] = {}
    for source in sources:
        points |= dict.fromkeys(function.points if source.kind == OWN else _points(function, source, dtype, seed))
    if not points:
        raise InputError(f"points: {function.name} has none by {', '.join(map(str, sources))} in {dtype}")
    return function.at(tuple(points))


class _Draws:
    """Whole numbers that look random and depend on a text alone, on no generator that another version may change."""

    def __init__(self, text: str) -> None:
        self._text, self._drawn = text, 0

    def below(self, bound: int) -> int:
        """Return a number from 0 to below a bound of at most 256 bits, each as likely as any other."""
        while True:
            self._drawn += 1
            digest = sha256(f"{self._text} {self._drawn}".encode()).digest()
            number = int.from_bytes(digest) >> (256 - (bound - 1).bit_length())
            if number < bound:
                return number


def _points(function: Function, source: PointSource, dtype: str, seed: int) -> Iterator[Fraction]:
    numbers = Format.of(dtype)
    ranges = _ranges(function.domain, source.region, numbers)
    # Not of the count, so that more points begin with the fewer.
    draws = _Draws(f"{seed} {source.kind} {source.region or ''} {dtype} {function.name}")
    ordinals = {"ordinals": _uniform, "powers-of-two": _beside_powers, "ends": _at_ends}[source.kind]
    distinct = _each_once(ordinals(ranges, numbers, draws, source.count))
    return map(numbers.number, islice(distinct, source.count))


def _each_once(ordinals: Iterator[int]) -> Iterator[int]:
    seen: set[int] = set()
    for each in ordinals:
        if each not in seen:
            seen.add(each)
            yield each


def _ranges(domain: Domain, region: Domain | None, numbers: Format) -> list[Range]:
    """Return the ordinals of the numbers in a domain and a region, as ranges that rise and have gaps between them."""
    others = [numbers.inside(each) for each in (region.intervals if region is not None else (Interval(),))]
    both = [
        (max(first, low), min(last, high))
        for first, last in map(numbers.inside, domain.intervals)
        for low, high in others
    ]
    joined: list[Range] = []
    for first, last in sorted(each for each in both if each[0] <= each[1]):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def _uniform(ranges: list[Range], _: Format, draws: _Draws, count: int) -> Iterator[int]:
    """Yield distinct ordinals of the ranges, each as likely as any other."""
    total = sum(last - first + 1 for first, last in ranges)
    seen: set[int] = set()
    while len(seen) < min(count, total):
        place = draws.below(total)
        if place not in seen:
            seen.add(place)
            yield _ordinal_at(place, ranges)


def _ordinal_at(place: int, ranges: list[Range]) -> int:
    for first, last in ranges:
        if place <= last - first:
            break
        place -= last - first + 1
    return first + place


def _beside_powers(ranges: list[Range], numbers: Format, draws: _Draws, _: int) -> Iterator[int]:
    """Yield the numbers below, at and above the powers of two in the ranges, these in a random order."""
    bits = numbers.binades + numbers.precision
    left = list(range(2 * bits))
    while left:
        place = draws.below(len(left))
        left[place], left[-1] = left[-1], left[place]
        sign, bit = divmod(left.pop(), bits)
        size = numbers.of_units(1 << bit)
        power, step = (-size, -1) if sign else (size, 1)
        if _has(power, ranges):
            yield from (each for each in (power - step, power, power + step) if _has(each, ranges))


def _has(ordinal: int, ranges: list[Range]) -> bool:
    return any(first <= ordinal <= last for first, last in ranges)


def _at_ends(ranges: list[Range], _: Format, __: _Draws, count: int) -> Iterator[int]:
    """Yield the numbers at the ends of the ranges, all first ones before the second ones."""
    for away in range(count):
        for first, last in ranges:
            if first + away <= last:
                yield first + away
                yield last - away
