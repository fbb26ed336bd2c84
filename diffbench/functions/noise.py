"""Stated noise: what is added to a function so that its values are uncertain by a known amount.

The noise of a value depends on the bits of x and a seed and on nothing else, so that the same x has the same noise in
any order, array, thread and process.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import InputError
from diffbench.rounding import exact_number, round_to

Array = npt.NDArray[Any]

KINDS = ("relative", "absolute")
MAX_SEED = 2**64 - 1

UNIFORM_DEVIATION = 1 / math.sqrt(3)
"""Standard deviation of a number that is uniform in [−1, 1]."""

_RULE = "'relative LEVEL' or 'absolute LEVEL', where ' seed N' may follow"
_GOLDEN = np.array([0x9E3779B97F4A7C15], dtype=np.uint64)
_MULTIPLIERS = tuple(np.array([m], dtype=np.uint64) for m in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass(frozen=True)
class Noise:
    """Noise of a known level, uniform in f(x) (1 ± level) or in f(x) ± level.

    Its standard deviation is level/√3, times abs(f(x)) where it is relative.

    Attributes
    ----------
    kind : str
        ``relative`` or ``absolute``.
    level : float
        Half the width of the distribution.
    seed : int
        Another seed is another noise of the same level.
    """

    kind: str
    level: float
    seed: int = 0

    def deviation(self, value: float) -> float:
        """Return the standard deviation where f has a value."""
        return self.level * UNIFORM_DEVIATION * (abs(value) if self.kind == "relative" else 1.0)

    def disturb(self, x: Array, values: Array) -> Array:
        """Return values of f at x with the noise, computed in float64 and rounded once into their dtype."""
        exact = values.astype(np.float64)
        with np.errstate(all="ignore"):
            noise = self.level * uniform(x, self.seed)
            disturbed: Array = (exact + (exact * noise if self.kind == "relative" else noise)).astype(values.dtype)
        return disturbed

    def __str__(self) -> str:
        return f"{self.kind} {self.level!r}" + (f" seed {self.seed}" if self.seed else "")


def parse_noise(text: object) -> Noise:
    """Return the noise that a text states.

    Parameters
    ----------
    text : str
        Such as ``"relative 1e-6"``, ``"absolute 1e-9"`` or ``"relative 1e-6 seed 7"``.

    Raises
    ------
    InputError
        If it states none.

    Examples
    --------
    >>> parse_noise("relative 1e-6 seed 7")
    Noise(kind='relative', level=1e-06, seed=7)
    """
    words = text.split() if isinstance(text, str) else []
    if len(words) not in {2, 4} or words[0] not in KINDS or words[2:3] not in ([], ["seed"]):
        raise InputError(f"noise: {str(text)[:60]!r} is not {_RULE}")
    level = round_to(exact_number(words[1], "noise"), "float64")
    if not 0 < level < math.inf or (words[0] == "relative" and level > 1):
        raise InputError(f"noise: the level {words[1]} is not above 0" + (" and up to 1" * (words[0] == "relative")))
    return Noise(words[0], level, _seed(words[3]) if len(words) == 4 else 0)


def _seed(word: str) -> int:
    seed = int(word) if word.isascii() and word.isdigit() and len(word) <= 20 else -1
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"noise: the seed {word[:60]!r} is not a whole number from 0 to 2^64 − 1")
    return seed


def uniform(x: Array, seed: int = 0) -> Array:
    """Return numbers uniform in (−1, 1) that depend on the bits of x, widened to float64, and the seed only.

    The two zeros have the same. None is 0 and each is as likely as its negative: odd multiples of 2^−52.

    References
    ----------
    G. L. Steele, D. Lea, C. H. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014, 453-472 (the mixing
    function).
    """
    key = _mixed(np.array([seed], dtype=np.uint64) + _GOLDEN)
    # Adding +0 turns the negative zero into the positive one.
    bits = (np.asarray(x, dtype=np.float64) + 0.0).view(np.uint64)
    odd = (_mixed(_mixed(bits + _GOLDEN) + key) >> np.uint64(12)) * np.uint64(2) + np.uint64(1)
    numbers: Array = odd.astype(np.float64) * 2.0**-52 - 1.0
    return numbers


def _mixed(bits: Array) -> Array:
    """Return 64 bits of which each depends on all that are given."""
    bits = (bits ^ (bits >> np.uint64(30))) * _MULTIPLIERS[0]
    bits = (bits ^ (bits >> np.uint64(27))) * _MULTIPLIERS[1]
    mixed: Array = bits ^ (bits >> np.uint64(31))
    return mixed
