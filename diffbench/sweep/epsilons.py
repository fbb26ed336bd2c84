"""Epsilon grids: exact numbers from texts such as ``1e-1:1e-12:4/decade``."""

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from diffbench.dtypes import DEFAULT_EPSILONS, find_dtype
from diffbench.errors import InputError
from diffbench.rounding import exact_number, exact_text, real_power

MAX_EPSILONS = 2_000

MAX_NAMED = 10_000
"""As many values may all ranges have together, however often one is in several of them."""

_DENSITY = re.compile(r"(\d{1,4})/(decade|octave)", re.ASCII)


def epsilon_texts(value: object) -> tuple[str, ...]:
    """Return the items of a grid as texts: of a text with commas, one number, or a list of both."""
    if isinstance(value, str):
        items: Sequence[object] = value.split(",")
    elif isinstance(value, Sequence):
        items = value
    else:
        listed = getattr(value, "tolist", lambda: value)()
        items = listed if isinstance(listed, list) else [listed]
    texts = tuple(
        item.strip() if isinstance(item, str) else exact_text(exact_number(item, "epsilon")) for item in items
    )
    expand_epsilons(texts)
    return texts


def expand_epsilons(texts: Sequence[str]) -> tuple[Fraction, ...]:
    """Return the exact values of a grid, largest first, each once.

    Parameters
    ----------
    texts : sequence of str
        Numbers (``0.001``, ``2^-10``) and ranges ``start:end[:N/decade|N/octave]``; without a density 4 a decade, or
        1 an octave where both ends are powers of 2.

    Raises
    ------
    InputError
        If an item is no number or range, or a value is not positive.
    """
    return _expanded(tuple(texts))


def grid_of(texts: Sequence[str], dtype: str) -> tuple[Fraction, ...]:
    """Return the exact values of a grid in a dtype, which has its own where the default one is asked for."""
    asked = tuple(texts)
    return _expanded(find_dtype(dtype).epsilons if asked == DEFAULT_EPSILONS else asked)


@lru_cache(maxsize=64)
def _expanded(texts: tuple[str, ...]) -> tuple[Fraction, ...]:
    if len(texts) == 1:
        return tuple(_expand(texts[0]))
    values: dict[tuple[int, int], Fraction] = {}
    named = 0
    for text in dict.fromkeys(texts):
        own = _expand(text)
        named += len(own)
        # To hash a fraction, Python inverts its denominator, which takes longer than all else here.
        values |= {(value.numerator, value.denominator): value for value in own}
        if len(values) > MAX_EPSILONS:
            raise InputError(f"epsilon: more than {MAX_EPSILONS} values")
        if named > MAX_NAMED:
            raise InputError(f"epsilon: more than {MAX_NAMED} values in ranges that overlap")
    if not values:
        raise InputError("epsilon: there is none")
    return tuple(sorted(values.values(), reverse=True))


def _expand(text: str) -> list[Fraction]:
    """Return the values of an item, largest first."""
    parts = text.split(":")
    if len(parts) > 3:
        raise InputError(f"epsilon: {text[:60]!r} is not a number or start:end:N/decade")
    ends = [exact_number(part, "epsilon") for part in parts[:2]]
    for end, part in zip(ends, parts, strict=False):
        if end <= 0:
            raise InputError(f"epsilon: {part.strip()[:60]} is not positive")
    if len(ends) == 1:
        return ends
    count, base = _density(parts)
    return _geometric(ends[0], ends[1], count, base)


def _density(parts: list[str]) -> tuple[int, int]:
    if len(parts) == 2:
        return (1, 2) if all("^" in part for part in parts) else (4, 10)
    match = _DENSITY.fullmatch(parts[2].strip())
    if match is None or int(match[1]) == 0:
        raise InputError(f"epsilon: the density {parts[2][:40]!r} is not N/decade or N/octave")
    return int(match[1]), 10 if match[2] == "decade" else 2


def _geometric(start: Fraction, end: Fraction, count: int, base: int) -> list[Fraction]:
    """Return start · base^(∓k/count) as far as the end, which is included if it is met exactly."""
    ratio = max(start / end, end / start)
    size = math.floor(count * _log(ratio, base)) + 1
    if size > MAX_EPSILONS:
        raise InputError(f"epsilon: more than {MAX_EPSILONS} values")
    while Fraction(base) ** size > ratio**count:
        size -= 1
    if start > end:
        return [start * _power(base, -k, count) for k in range(size + 1)]
    return [start * _power(base, k, count) for k in range(size, -1, -1)]


@lru_cache(maxsize=2 * MAX_EPSILONS)
def _power(base: int, k: int, count: int) -> Fraction:
    return real_power(base, Fraction(k, count))


def _log(ratio: Fraction, base: int) -> float:
    return (math.log(ratio.numerator) - math.log(ratio.denominator)) / math.log(base)
