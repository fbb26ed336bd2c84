"""Exact numbers and their one rounding, to nearest even, into a floating-point dtype.

Every point, epsilon, weight and constant of a sweep is an exact rational first and becomes a
floating-point number here, so that no other rounding stands between the specification and the sweep.
"""

import math
import re
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt

from diffbench.dtypes import Dtype, find_dtype
from diffbench.errors import InputError

FloatArray = npt.NDArray[np.floating]

MAX_DIGITS = 1000
MAX_EXPONENT = 400
MAX_POWER_BITS = 2500
MAX_BITS = 3300
"""Of numerator and denominator together: what is exact is written in under MAX_DIGITS digits, and read back."""
MAX_SCALE = 16_500
"""Of the power of two in a point: longdouble and float128 have numbers from 2^-16494 to below 2^16384."""
MANTISSA_BITS = 10_000
"""What numbers are rounded to before they are written; Python refuses whole numbers of over 4300 digits."""

RANGE_BITS = 131072
"""Magnitudes beyond 2 to this power, or below 2 to its negative, are told by their sign alone."""

WIDE = mpmath.MPContext()
"""The context in which irrational constants are computed: 400 bits, far more than any dtype has."""
WIDE.prec = 400

_NUMBER = re.compile(r"([+-]?)(?:(\d+)/(\d+)|(\d+)\^([+-]?\d+)|(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?)", re.ASCII)
_SCALED = re.compile(r"([+-]?\d+)\*2\^([+-]?\d{1,5})", re.ASCII)


def exact_number(value: object, name: str = "number") -> Fraction:
    """Return the exact rational that a text, integer, fraction or float stands for.

    Parameters
    ----------
    value : str, int, Fraction or float
        Text may be a decimal (``"1e-3"``), a rational (``"1/3"``) or a power (``"2^-52"``); a float means
        its binary value.
    name : str
        How the error message calls the argument.

    Raises
    ------
    InputError
        If it is no finite number, or longer than the bounds allow.

    Examples
    --------
    >>> exact_number("0.1")
    Fraction(1, 10)
    """
    if isinstance(value, str):
        exact = _parse_number(value, name)
    elif isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        exact = Fraction(int(value))
    elif isinstance(value, Fraction):
        exact = value
    elif isinstance(value, (float, np.floating)) and np.isfinite(value):
        exact = Fraction(*value.as_integer_ratio())
    else:
        raise InputError(f"{name}: {value!r} is not a finite number")
    if exact.numerator.bit_length() + exact.denominator.bit_length() > MAX_BITS:
        given = repr(value[:60]) if isinstance(value, str) else "a number"
        raise InputError(f"{name}: {given} has over {MAX_BITS} bits, numerator and denominator together")
    return exact


def _parse_number(text: str, name: str) -> Fraction:
    stripped = text.strip()
    match = _NUMBER.fullmatch(stripped) if len(stripped) <= MAX_DIGITS else None
    if match is None:
        raise InputError(
            f"{name}: {text[:60]!r} is not a decimal, rational (1/3) or power (2^-52) of at most {MAX_DIGITS} digits"
        )
    sign, numerator, denominator, base, power, decimal, exponent = match.groups()
    if abs(int(exponent or 0)) > MAX_EXPONENT:
        raise InputError(f"{name}: {text[:60]!r} has an exponent beyond ±{MAX_EXPONENT}")
    if numerator is not None:
        if int(denominator) == 0:
            raise InputError(f"{name}: {text[:60]!r} divides by 0")
        magnitude = Fraction(int(numerator), int(denominator))
    elif base is not None:
        if int(base) == 0 or abs(int(power)) * int(base).bit_length() > MAX_POWER_BITS:
            raise InputError(f"{name}: {text[:60]!r} is 0 or longer than {MAX_POWER_BITS} bits")
        magnitude = Fraction(int(base)) ** int(power)
    else:
        magnitude = Fraction(decimal) * Fraction(10) ** int(exponent or 0)
    return -magnitude if sign == "-" else magnitude


def exact_point(value: object, name: str) -> Fraction:
    """Return the rational of :func:`exact_number`, or that of a text such as ``"3*2^-16000"``.

    Every number of every dtype can be written so, however far from 1 it is.

    Raises
    ------
    InputError
        If it is neither.

    Examples
    --------
    >>> exact_point("-3*2^-2", "point")
    Fraction(-3, 4)
    """
    match = _SCALED.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= MAX_DIGITS else None
    if match is None:
        return exact_number(value, name)
    factor, power = map(int, match.groups())
    if abs(power) > MAX_SCALE:
        raise InputError(f"{name}: {match[0][:60]!r} has a power of two beyond ±{MAX_SCALE}")
    return factor * Fraction(2) ** power


def check_dtype(name: str) -> str:
    """Return the name of a dtype that a sweep can be asked for, or refuse it."""
    known = find_dtype(name)
    if known.name != name:
        raise InputError(f"dtype: {name!r} is called {known.name!r}, which machines have in several widths")
    return known.name


def check_narrow_dtype(name: str) -> str:
    """Return the name of a dtype of at most 64 bits that is here, or refuse it."""
    known = find_dtype(name)
    if not known.is_narrow:
        raise InputError(
            f"dtype: {known.unavailable or f'{known.name!r} is not of at most 64 bits, as it must be here'}"
        )
    return known.name


def unit_roundoff(dtype: str) -> float:
    """Return u = 2**-p, half the distance from 1 to the next number, for a precision of p bits."""
    return find_dtype(dtype).unit_roundoff


def round_to(value: Fraction, dtype: str) -> float:
    """Round an exact rational once, to nearest even, into a dtype.

    The result is a Python float that has the value exactly, for longdouble a number of numpy, for ``mp:D`` a fraction;
    beyond the range it is infinite.

    Examples
    --------
    >>> round_to(Fraction(1, 10), "float32")
    0.10000000149011612
    """
    if dtype == "float64":
        return _round_to_double(value)
    known = find_dtype(dtype)
    precision, lowest = known.precision, known.lowest
    if known.is_wide:
        wide: float = _wide(value, known)
        return wide
    if value == 0:
        return 0.0
    mantissa, exponent = _rounded_parts(abs(value), precision, lowest)
    try:
        rounded = math.ldexp(mantissa, exponent)
    except OverflowError:
        rounded = math.inf
    if known.largest is not None and rounded > known.largest:
        rounded = math.inf
    return -rounded if value < 0 else rounded


def round_exactly(value: Fraction, dtype: str) -> Fraction:
    """Round an exact rational once, to nearest even, into a dtype, and return the rational that the number is.

    There is no largest number: what is beyond the range is rounded as if there were none.

    Examples
    --------
    >>> round_exactly(Fraction(1, 3), "float16")
    Fraction(1365, 4096)
    """
    if value == 0:
        return Fraction(0)
    known = find_dtype(dtype)
    mantissa, exponent = _rounded_parts(abs(value), known.precision, known.lowest)
    return Fraction(mantissa if value > 0 else -mantissa) * Fraction(2) ** exponent


def _rounded_parts(value: Fraction, precision: int, lowest: int) -> tuple[int, int]:
    """Return mantissa and exponent of a positive rational, rounded to a number of bits above 2**lowest."""
    numerator, denominator = value.numerator, value.denominator
    magnitude = numerator.bit_length() - denominator.bit_length()
    # 2**(magnitude-1) < |value| < 2**(magnitude+1): one step down at the most gives `precision` bits.
    exponent = max(magnitude - precision, lowest)
    if _divide(numerator, denominator, exponent) >> precision:
        exponent += 1
    return _divide(numerator, denominator, exponent), exponent


def _wide(value: Fraction, known: Dtype) -> Any:
    """Return a number of more than 64 bits: a fraction, or a longdouble put together of pieces that float64 holds."""
    rounded = round_exactly(value, known.name)
    if known.largest is None:
        return rounded
    if abs(rounded) > known.largest:
        return np.longdouble(math.inf if value > 0 else -math.inf)
    mantissa, exponent = abs(rounded.numerator), 1 - rounded.denominator.bit_length()
    total = np.longdouble(0)
    while mantissa:
        total += np.ldexp(np.longdouble(mantissa & 0xFFFFFFFF), exponent)
        mantissa, exponent = mantissa >> 32, exponent + 32
    return -total if value < 0 else total


def _round_to_double(value: Fraction) -> float:
    # Python divides whole numbers with one rounding, to nearest even, subnormals included.
    try:
        return value.numerator / value.denominator
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def finite(value: float | None) -> float | None:
    """Return a number as a Python float, or None where it is not finite: what tables and JSON call null."""
    return float(value) if value is not None and math.isfinite(value) else None


def decimal_text(value: Any, digits: int) -> str:
    """Return an mpmath number in decimals; one may have more digits than Python turns into a text, or is willing to."""
    bits = max(MANTISSA_BITS, 4 * digits)
    if value._mpf_[3] > bits:
        value = mpmath.mp.make_mpf(mpmath.libmp.mpf_pos(value._mpf_, bits, "n"))
    return str(mpmath.nstr(value, digits))


def exact_mpf(value: Any) -> Fraction:
    """Return the rational that an mpmath number is, whatever the precision of its context."""
    sign, mantissa, exponent, _ = value._mpf_
    magnitude = int(mantissa) << exponent if exponent >= 0 else Fraction(int(mantissa), 1 << -exponent)
    return Fraction(-magnitude if sign else magnitude)


def is_moderate(value: Any) -> bool:
    """Return whether a finite mpmath number is 0 or from 2^-131072 to 2^131072, so that its rational can be held."""
    _, mantissa, exponent, bits = value._mpf_
    return not mantissa or abs(exponent + bits) <= RANGE_BITS


def real_power(base: int, exponent: Fraction) -> Fraction:
    """Return base**exponent, exact where it is rational by inspection and else to 400 bits.

    Independent of the platform's pow, so that every machine has the same epsilons.
    """
    if exponent.denominator == 1:
        return Fraction(base) ** int(exponent)
    return exact_mpf(WIDE.mpf(base) ** (WIDE.mpf(exponent.numerator) / exponent.denominator))


def _divide(numerator: int, denominator: int, exponent: int) -> int:
    """Return numerator / denominator / 2**exponent, rounded to the nearest even integer."""
    if exponent >= 0:
        denominator <<= exponent
    else:
        numerator <<= -exponent
    quotient, remainder = divmod(numerator, denominator)
    return quotient + (2 * remainder > denominator or (2 * remainder == denominator and quotient & 1))


def round_array(values: list[Fraction] | tuple[Fraction, ...], dtype: str) -> FloatArray:
    """Round exact rationals once into an array of the dtype."""
    rounded = [round_to(value, dtype) for value in values]
    if find_dtype(dtype).is_wide:
        return np.array(rounded, dtype=dtype)
    with np.errstate(over="ignore"):
        return np.array(rounded, dtype=np.float64).astype(dtype)


def exact_float(value: Any) -> Fraction:
    """Return the rational that a finite number of Python or numpy is; `Fraction` takes no longdouble."""
    return Fraction(*value.as_integer_ratio())


def exact_values(values: FloatArray) -> list[Any]:
    """Return the finite numbers of an array exactly: as floats where float64 holds them, else as rationals."""
    if values.dtype == np.longdouble and find_dtype("longdouble").is_wide:
        return [exact_float(value) for value in values.tolist()]
    exact: list[Any] = values.astype(np.float64).tolist()
    return exact


def shown(value: Fraction) -> str:
    """Return a number as messages show it: exact where that is short, else to six digits."""
    exact = str(value) if max(value.numerator.bit_length(), value.denominator.bit_length()) < 40 else ""
    return exact if exact and len(exact) < 12 else decimal_text(mpmath.mpf(value.numerator) / value.denominator, 6)


def _scaled(value: Fraction) -> tuple[Fraction, int]:
    """Return a number that is not 0 without its powers of two, and how many these are."""
    power = 0
    for part, sign in ((value.numerator, 1), (value.denominator, -1)):
        power += sign * ((part & -part).bit_length() - 1)
    return value / Fraction(2) ** power, power


def exact_text(value: Fraction) -> str:
    """Return a text that :func:`exact_number` reads back to the same rational; a decimal where one is short.

    A number of a dtype that is too long for that is written as :func:`exact_point` reads it.
    """
    if value.numerator.bit_length() + value.denominator.bit_length() > MAX_BITS:
        odd, power = _scaled(value)
        if odd.denominator == 1:
            return f"{odd}*2^{power}"
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1 or value.denominator > 10**40:
        return str(value)
    digits = 0
    while 10**digits % value.denominator:
        digits += 1
    whole, part = divmod(abs(value.numerator) * 10**digits // value.denominator, 10**digits)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{part:0{digits}d}" if digits else f"{sign}{whole}"
