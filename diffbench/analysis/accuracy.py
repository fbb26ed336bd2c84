"""How accurate somebody's derivative is: any callable, in numpy, JAX, torch or plain Python, against the truth."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from diffbench.errors import InputError
from diffbench.functions.function import Function
from diffbench.functions.grammar import Formula
from diffbench.reference.exact import exact_derivative
from diffbench.reference.pair import correct_digits, relative_error, signed_error, ulp_error
from diffbench.reference.verdict import Reference
from diffbench.rounding import check_narrow_dtype, decimal_text, exact_number, exact_text, finite, round_to

SHOWN = 25
"""Digits of the exact derivative in a message."""


@dataclass(frozen=True)
class Accuracy:
    """A derivative beside the exact one.

    Attributes
    ----------
    formula : str
        What was differentiated.
    derivative, dtype : int, str
        Which derivative, in what arithmetic.
    x : float
        Where, as it is in the dtype.
    estimate : float
        What was answered.
    reference : Reference
        The truth, with its verdict.
    error : float or None
        estimate − truth, signed; None where there is no truth.
    ulps : float or None
        |error| in units of the last place of the truth in the dtype.
    digits : float or None
        Correct digits; where the derivative is 0, −log10 |error|, no more than the dtype has.
    variable : str
        What x is called in messages.
    """

    formula: str
    derivative: int
    dtype: str
    x: float
    estimate: float
    reference: Reference
    error: float | None
    ulps: float | None
    digits: float | None
    variable: str = "x"

    def __str__(self) -> str:
        which = f"derivative {self.derivative} of {self.formula} at {self.variable} = {self.x!r} ({self.dtype})"
        truth = self.reference
        if not truth.is_settled or truth.hi is None:
            return f"{which}: {self.estimate!r}, but there is no exact one: {truth.verdict}, {truth.reason}"
        exact = decimal_text(truth.value, min(SHOWN, max(truth.certified_digits, 1)))
        known = f"{exact} ({truth.verdict}, {truth.certified_digits} digits)"
        return f"{which}: {self.estimate!r}, exact {known}: {_rounded(self.digits)} digits, {_rounded(self.ulps)} ulp"


def _rounded(value: float | None) -> str:
    return "no" if value is None else f"{value:.3g}"


def measure_derivative(
    call: Callable[[Any], Any],
    formula: str | Formula | Function,
    at: object,
    derivative: int = 1,
    dtype: str = "float64",
) -> list[Accuracy]:
    """Measure a derivative at some points.

    Parameters
    ----------
    call : callable
        Takes x, a Python float, or a numpy number of another dtype; returns one real number of any kind that becomes a
        float, such as an array of one element or a tensor.
    formula : str, Formula or Function
        What it is the derivative of.
    at : text, number or sequence of them
        Points, as exact text or fractions, each rounded once into the dtype; the truth is that at the rounded one.
    derivative : int
        Which one.
    dtype : str
        float16, float32 or float64.

    Raises
    ------
    InputError
        If an argument is wrong, there are no points, or what is returned is no real number.

    Examples
    --------
    >>> (found,) = measure_derivative(lambda x: 2 * x * (1 + 1e-9), "x**2", at=3)
    >>> round(found.digits, 1)
    9.0
    """
    check_narrow_dtype(dtype)
    points = [_rounded_point(point, "at", dtype) for point in _points(at)]
    if not points:
        raise InputError("at: no points, so that nothing would be checked")
    return [_judged(call(_argument(x, dtype)), formula, x, derivative, dtype) for x in points]


def measure_gradient(
    call: Callable[..., Any], formula: str, at: Mapping[str, object], dtype: str = "float64"
) -> dict[str, Accuracy]:
    """Measure a gradient at a point.

    Parameters
    ----------
    call : callable
        Takes as many numbers as there are variables, in the order of `at`; returns as many partial derivatives.
    formula : str
        Of the variables that `at` names, each a letter with optional digits.
    at : mapping of str to text or number
        The point.
    dtype : str
        float16, float32 or float64.

    Returns
    -------
    dict
        By variable.

    Examples
    --------
    >>> found = measure_gradient(lambda x, y: (2 * x * y, x**2), "x**2*y", at={"x": 3, "y": "1/2"})
    >>> {name: each.error for name, each in found.items()}
    {'x': 0.0, 'y': 0.0}
    """
    check_narrow_dtype(dtype)
    if not isinstance(at, Mapping) or not at:
        raise InputError(f"at: {at!r} does not name the variables")
    here = {name: _rounded_point(value, name, dtype) for name, value in at.items()}
    answers = _numbers(call(*(_argument(value, dtype) for value in here.values())))
    if len(answers) != len(here):
        raise InputError(f"gradient: {len(answers)} partial derivatives were answered for {len(here)} variables")
    return {
        name: replace(_judged(answer, _alone(formula, here, name), value, 1, dtype), variable=name)
        for (name, value), answer in zip(here.items(), answers, strict=True)
    }


def _alone(formula: str, here: Mapping[str, float], name: str) -> str:
    """Return a formula with numbers in the place of all variables but one."""
    for other, value in here.items():
        if other != name:
            formula = re.sub(rf"(?<!\w){re.escape(other)}(?!\w)", f"({exact_text(Fraction(value))})", formula)
    return formula


def _points(at: object) -> Iterable[object]:
    if isinstance(at, (list, tuple, range)):
        return at
    return np.ravel(at) if isinstance(at, np.ndarray) else (at,)


def _rounded_point(value: object, name: str, dtype: str) -> float:
    x = float(round_to(exact_number(value, name), dtype))
    if math.isinf(x):
        raise InputError(f"{name}: {value!r} is beyond the range of {dtype}")
    return x


def _argument(value: float, dtype: str) -> Any:
    return float(value) if dtype == "float64" else np.dtype(dtype).type(value)


def _judged(answer: Any, formula: str | Formula | Function, x: float, derivative: int, dtype: str) -> Accuracy:
    estimate, text = _number(answer), str(getattr(formula, "formula", formula))
    truth = exact_derivative(formula, Fraction(x), derivative)
    about = (text, derivative, dtype, x, estimate, truth)
    if not truth.is_settled or truth.hi is None:
        return Accuracy(*about, None, None, None)
    hi, lo = np.array([truth.hi]), np.array([truth.lo])
    error = signed_error(np.array([estimate]), hi, lo)
    relative = relative_error(error, hi) if truth.hi else np.abs(error)
    digits, ulps = correct_digits(relative, dtype), ulp_error(error, hi, lo, dtype)
    return Accuracy(*about, finite(error[0]), finite(ulps[0]), finite(digits[0]))


def _numbers(answer: Any) -> list[Any]:
    """Return the partial derivatives that were answered."""
    try:
        values: list[Any] = np.ravel(np.asarray(answer)).tolist()
    except (TypeError, ValueError, RuntimeError):
        # Tensors that belong to a graph are no arrays.
        values = list(answer)
    return values


def _number(answer: Any) -> float:
    """Return what was answered as a float."""
    try:
        values = np.ravel(np.asarray(answer))
        if values.size == 1 and not np.iscomplexobj(values):
            return float(values[0])
    except (TypeError, ValueError, RuntimeError):
        # A tensor that belongs to a graph is no array, but it is a number.
        return float(answer)
    raise InputError(f"derivative: {str(answer)[:60]} is not one real number")
