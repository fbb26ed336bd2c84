"""What one would write without this project: scalar loops, numpy over epsilons, numdifftools.

Their symbolic work and exact derivatives are done beforehand and not timed. Each takes a part of the mix.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import scipy.special
import sympy
from common import DIGITS

from diffbench import Spec
from diffbench.functions.symbolic import to_sympy, variable_symbol
from diffbench.schemes.scheme import ComplexStepScheme, RichardsonScheme

NO_VALUE = (ArithmeticError, ValueError, TypeError)
"""What Python's functions raise outside their domain, or where a number grows too large."""

Weights = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Problem:
    """A function as lambdify gives it, with some points and the exact derivative there."""

    scalar: Callable[[float], float]
    array: Callable[[Any], Any]
    points: tuple[float, ...]
    truths: tuple[mpmath.mpf, ...]


def problems_of(spec: Spec, points: int) -> list[Problem]:
    """Return the functions of a spec with some of their points each."""
    return list(_problems(spec, points))


def _problems(spec: Spec, count: int) -> Iterator[Problem]:
    for function in spec.functions:
        symbol, expression = variable_symbol(function.formula), to_sympy(function.formula)
        exact = sympy.lambdify(symbol, sympy.diff(expression, symbol), "mpmath")
        points = tuple(map(float, function.points[:count]))
        with mpmath.workdps(DIGITS):
            truths = tuple(exact(mpmath.mpf(x)) for x in points)
        scalar = sympy.lambdify(symbol, expression, [{"besselj": scipy.special.jv}, "math"])
        yield Problem(scalar, sympy.lambdify(symbol, expression, "scipy"), points, truths)


def weights_of(spec: Spec) -> list[Weights]:
    """Return offsets and weights of the schemes as doubles; none for the complex step."""
    return [_weights(scheme) for scheme in spec.schemes]


def _weights(scheme: Any) -> Weights:
    if isinstance(scheme, ComplexStepScheme):
        return ()
    stencil = scheme.tableau[-1] if isinstance(scheme, RichardsonScheme) else scheme.stencil
    return tuple((float(k), float(w)) for k, w in zip(stencil.offsets, stencil.weights, strict=True))


def scalar_loops(problems: Sequence[Problem], schemes: Sequence[Weights], epsilons: Sequence[float]) -> None:
    """Take one difference quotient after the other, with Python's own functions, and its error in mpmath."""
    with mpmath.workdps(DIGITS), np.errstate(all="ignore"):
        for problem in problems:
            for x, truth in zip(problem.points, problem.truths, strict=True):
                for weights in schemes:
                    for epsilon in epsilons:
                        abs(mpmath.mpf(_quotient(problem, weights, x, epsilon)) - truth)


def _quotient(problem: Problem, weights: Weights, x: float, epsilon: float) -> float:
    try:
        if not weights:
            return float(problem.array(complex(x, epsilon)).imag / epsilon)
        return float(sum(w * problem.scalar(x + k * epsilon) for k, w in weights) / epsilon)
    except NO_VALUE:
        return math.nan


def over_epsilons(problems: Sequence[Problem], schemes: Sequence[Weights], epsilons: np.ndarray) -> None:
    """Take the difference quotients of all epsilons in one array, and their errors in mpmath."""
    with mpmath.workdps(DIGITS), np.errstate(all="ignore"):
        for problem in problems:
            for x, truth in zip(problem.points, problem.truths, strict=True):
                for weights in schemes:
                    for estimate in _quotients(problem, weights, x, epsilons).tolist():
                        abs(mpmath.mpf(estimate) - truth)


def _quotients(problem: Problem, weights: Weights, x: float, epsilons: np.ndarray) -> np.ndarray:
    if weights:
        return sum(w * problem.array(x + k * epsilons) for k, w in weights) / epsilons
    try:
        return problem.array(x + 1j * epsilons).imag / epsilons
    except TypeError:
        return np.full(epsilons.shape, math.nan)
