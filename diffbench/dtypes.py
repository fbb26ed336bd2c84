"""The dtypes that a sweep can run in: what is known of each is asked for here."""

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from importlib import import_module

import numpy as np
from mpmath.libmp import dps_to_prec

from diffbench.errors import InputError

DEFAULT_EPSILONS = ("1:1e-16:4/decade",)
"""10^(−k/4) for k = 0 … 64: the grid of float64, in whose place each other dtype has its own."""

PLAIN = ("float16", "float32", "float64")
"""Those that numpy has everywhere."""

NAMES = ("float16", "bfloat16", "float32", "float64", "longdouble")
"""All that have a name, by rising precision; beside them there is ``mp:D``."""

MAX_DIGITS = 100
"""Of ``mp:D``: irrational constants and epsilons are held to 400 bits."""

_MULTIPLE = re.compile(r"mp:([1-9]\d{0,3})", re.ASCII)


@dataclass(frozen=True)
class Dtype:
    """A binary floating-point arithmetic that rounds to nearest, ties to even.

    Attributes
    ----------
    name : str
        As in specs and tables.
    bits : int
        How many a number takes; for mpmath's those of its significand.
    precision : int
        Bits of a significand, the leading one included.
    lowest : int
        2**lowest is the least positive number.
    largest : Fraction or None
        The largest number; None in mpmath, where exponents have no end that a sweep would meet.
    complex : str or None
        The matching complex dtype, None where there is none.
    epsilons : tuple of str
        The grid that it is swept over where a spec leaves that open: from 1 down to about its unit roundoff.
    unavailable : str
        Why it cannot be computed in here, or nothing.
    """

    name: str
    bits: int
    precision: int
    lowest: int
    largest: Fraction | None = field(repr=False)
    complex: str | None = None
    epsilons: tuple[str, ...] = DEFAULT_EPSILONS
    unavailable: str = ""

    @property
    def is_multiple(self) -> bool:
        """Whether its numbers are those of mpmath, not numpy's."""
        return self.largest is None

    @property
    def is_wide(self) -> bool:
        """Whether float64 does not hold all of its numbers."""
        return self.bits > 64 or self.is_multiple

    @property
    def is_narrow(self) -> bool:
        """Whether it can be computed in here and float64 holds all of its numbers."""
        return not (self.is_wide or self.unavailable)

    @property
    def unit_roundoff(self) -> float:
        """U = 2**-p, half the distance from 1 to the next number."""
        return 2.0**-self.precision

    @property
    def least_exponent(self) -> int:
        """2**least_exponent is the least normal number."""
        return self.lowest + self.precision - 1


def file_label(dtype: str) -> str:
    """Return the name of a dtype as names of files have it, which not everywhere may hold a colon.

    Examples
    --------
    >>> file_label("mp:50")
    'mp50'
    """
    return dtype.replace(":", "")


@cache
def find_dtype(name: str) -> Dtype:
    """Return what is known of a dtype.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> find_dtype("float32").precision
    24
    """
    if name in PLAIN:
        return _of_numpy(name)
    if name == "bfloat16":
        return _bfloat16()
    if name == "longdouble":
        return _longdouble()
    if name == np.dtype("longdouble").name:
        return find_dtype("longdouble")
    match = _MULTIPLE.fullmatch(name)
    if match:
        return _multiple(name, int(match[1]))
    raise InputError(f"dtype: {name[:60]!r} is not one of {', '.join(NAMES)}, mp:D")


def why_not_complex(name: str) -> str:
    """Return why a scheme that needs complex values has none in a dtype, or nothing."""
    return "" if find_dtype(name).complex else f"needs complex values, and {name} has no complex dtype"


def _of_numpy(name: str) -> Dtype:
    info = np.finfo(name)
    largest = Fraction(*info.max.as_integer_ratio())
    lowest = int(info.minexp) - int(info.nmant)
    complex_dtype = {"float32": "complex64", "float64": "complex128"}.get(name)
    return Dtype(name, int(info.bits), int(info.nmant) + 1, lowest, largest, complex_dtype, _grid(int(info.nmant) + 1))


def _grid(precision: int, further: int = 0) -> tuple[str, ...]:
    """Return the epsilons from 1 to the power of ten below the unit roundoff, or further decades down."""
    return (f"1:1e-{len(str(2**precision)) + further}:4/decade",)


def _multiple(name: str, digits: int) -> Dtype:
    """Return mpmath's arithmetic of so many decimal digits."""
    if not 2 <= digits <= MAX_DIGITS:
        raise InputError(f"dtype: {name} has not from 2 to {MAX_DIGITS} digits")
    bits = int(dps_to_prec(digits))
    return Dtype(name, bits, bits, -(2**30), None, f"mpc:{digits}", (f"1:1e-{digits}:2/decade",))


def _longdouble() -> Dtype:
    """Return the widest floating-point numbers of the machine, which numpy calls by how many bits they take."""
    info = np.finfo(np.longdouble)
    digits = int(info.nmant) + 1
    reason = "" if digits in {64, 113} else f"longdouble has {digits} bits of precision here, no more than float64"
    if digits > 113 or 53 < digits < 64 or 64 < digits < 113:
        reason = "longdouble is a sum of two float64 here, whose precision is not fixed"
    if reason:
        return replace(_of_numpy("float64"), name="longdouble", unavailable=reason)
    largest = (2 - Fraction(1, 2 ** (digits - 1))) * Fraction(2) ** (int(info.maxexp) - 1)
    lowest = int(info.minexp) - digits + 1
    return Dtype("longdouble", 128, digits, lowest, largest, "clongdouble", _grid(digits))


def _bfloat16() -> Dtype:
    """Return the upper half of a float32; numpy knows it by name once the package is imported."""
    try:
        import_module("ml_dtypes")
        reason = ""
    except ImportError:
        reason = "bfloat16 needs the package ml_dtypes, which is not installed"
    largest = (2 - Fraction(1, 2**7)) * 2**127
    # Down to 1e-3 alone 8 in 100 first derivatives of the standard suite would have their optimum below the grid.
    return Dtype("bfloat16", 16, 8, -133, largest, epsilons=_grid(8, further=1), unavailable=reason)
