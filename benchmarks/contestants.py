"""What one would write without this project: scalar loops, numpy over epsilons, numdifftools, errors apart in mpmath.

Their symbolic work and exact derivatives are done beforehand and not timed. Each takes a part of the mix.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import scipy.special
import sympy
from common import DIGITS

from diffbench import Spec, Stencil
from diffbench.functions.symbolic import to_sympy, variable_symbol
from diffbench.schemes.scheme import ComplexStepScheme, RichardsonScheme

NO_VALUE = (ArithmeticError, ValueError, TypeError)
"""What Python's functions raise outside their domain, or where a number grows too large."""

Weights = tuple[tuple[float, float], ...]
Parts = tuple[Any, Any, Any, Any]
"""Truncation, node, evaluation and arithmetic."""


@dataclass(frozen=True)
class Problem:
    """A function as lambdify gives it for math, numpy and mpmath, with some points and the exact derivative there."""

    scalar: Callable[[float], float]
    array: Callable[[Any], Any]
    exact: Callable[[Any], Any]
    points: tuple[float, ...]
    truths: tuple[mpmath.mpf, ...]


def problems_of(spec: Spec, points: int) -> list[Problem]:
    """Return the functions of a spec with some of their points each."""
    return list(_problems(spec, points))


def _problems(spec: Spec, count: int) -> Iterator[Problem]:
    for function in spec.functions:
        symbol, expression = variable_symbol(function.formula), to_sympy(function.formula)
        derivative = sympy.lambdify(symbol, sympy.diff(expression, symbol), "mpmath")
        points = tuple(map(float, function.points[:count]))
        with mpmath.workdps(DIGITS):
            truths = tuple(derivative(mpmath.mpf(x)) for x in points)
        modules = [{"besselj": scipy.special.jv}, "math"], "scipy", "mpmath"
        yield Problem(*(sympy.lambdify(symbol, expression, each) for each in modules), points, truths)


def weights_of(spec: Spec) -> list[Weights]:
    """Return offsets and weights of the schemes as doubles; none for the complex step."""
    return [_weights(scheme) for scheme in spec.schemes]


def _weights(scheme: Any) -> Weights:
    if isinstance(scheme, ComplexStepScheme):
        return ()
    stencil = stencil_of(scheme)
    return tuple((float(k), float(w)) for k, w in zip(stencil.offsets, stencil.weights, strict=True))


def stencil_of(scheme: Any) -> Stencil:
    """Return what a scheme of real nodes comes to."""
    return scheme.tableau[-1] if isinstance(scheme, RichardsonScheme) else scheme.stencil


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


def errors_apart(
    problems: Sequence[Problem], stencils: Sequence[Stencil], epsilons: Sequence[float], bits: int
) -> list[list[Parts | None]]:
    """Take errors apart in mpmath at so many bits, f once at each node of a point and epsilon.

    Returns the parts by stencil, for each point and epsilon; None where f has no value.
    """
    with mpmath.workprec(bits):
        forms = [
            [
                (k, float(w), mpmath.mpf(w.numerator) / w.denominator)
                for k, w in zip(each.offsets, each.weights, strict=True)
            ]
            for each in stencils
        ]
        return [
            _apart(problem, forms, x, truth, epsilon)
            for problem in problems
            for x, truth in zip(problem.points, problem.truths, strict=True)
            for epsilon in epsilons
        ]


def _apart(problem: Problem, forms: Sequence[Any], x: float, truth: mpmath.mpf, epsilon: float) -> list[Parts | None]:
    values = {k: _values(problem, x, k, epsilon) for k in {k for form in forms for k, _, _ in form}}
    return [_parts(form, values, truth, epsilon) for form in forms]


def _values(problem: Problem, x: float, k: Fraction, epsilon: float) -> tuple[float, Any, Any] | None:
    """Return the computed f at a node, f there, and f at the ideal node."""
    node = x + float(k) * epsilon
    ideal = mpmath.mpf(x) + mpmath.mpf(epsilon) * k.numerator / k.denominator
    try:
        computed = float(problem.scalar(node))
        return (computed, problem.exact(mpmath.mpf(node)), problem.exact(ideal)) if math.isfinite(computed) else None
    except NO_VALUE:
        return None


def _parts(form: Any, values: dict[Fraction, Any], truth: mpmath.mpf, epsilon: float) -> Parts | None:
    if any(values[k] is None for k, _, _ in form):
        return None
    estimate = sum(w * values[k][0] for k, w, _ in form) / epsilon
    # D3, D2 and D1: with the computed f, with f at the nodes that were used, and at the ideal ones.
    computed, used, ideal = (sum(w * values[k][i] for k, _, w in form) / epsilon for i in range(3))
    return ideal - truth, used - ideal, computed - used, estimate - computed
