"""The suite of several variables against its residuals, written a second time, and what the paper prints of it."""

import math
import re
from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest
from scipy.optimize import least_squares

from diffbench.functions.lines import Line, formula_along
from diffbench.functions.suites import load_suite
from diffbench.reference.exact import references

Residuals = Callable[..., list[float]]
SUITE = {function.name: function for function in load_suite("multivariate").functions}

BARD = [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
GAUSSIAN = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989]
MEYER = [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872]
KOWALIK = [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
PLACES = [4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]


def helical(a: float, b: float, c: float) -> list[float]:
    angle = math.atan(b / a) / (2 * math.pi) + (0.5 if a < 0 else 0)
    return [10 * (c - 10 * angle), 10 * (math.hypot(a, b) - 1), c]


def bard(a: float, b: float, c: float) -> list[float]:
    return [y - (a + i / ((16 - i) * b + min(i, 16 - i) * c)) for i, y in enumerate(BARD, 1)]


def gaussian(a: float, b: float, c: float) -> list[float]:
    values = [*GAUSSIAN, *GAUSSIAN[-2::-1]]
    return [a * math.exp(-b * ((8 - i) / 2 - c) ** 2 / 2) - y for i, y in enumerate(values, 1)]


def box(a: float, b: float, c: float) -> list[float]:
    times = [i / 10 for i in range(1, 11)]
    return [math.exp(-t * a) - math.exp(-t * b) - c * (math.exp(-t) - math.exp(-10 * t)) for t in times]


def wood(a: float, b: float, c: float, d: float) -> list[float]:
    first = [10 * (b - a**2), 1 - a, math.sqrt(90) * (d - c**2), 1 - c]
    return [*first, math.sqrt(10) * (b + d - 2), (b - d) / math.sqrt(10)]


def brown_dennis(a: float, b: float, c: float, d: float) -> list[float]:
    times = [i / 5 for i in range(1, 21)]
    return [(a + t * b - math.exp(t)) ** 2 + (c + d * math.sin(t) - math.cos(t)) ** 2 for t in times]


def biggs(*x: float) -> list[float]:
    found = []
    for i in range(1, 14):
        t = i / 10
        y = math.exp(-t) - 5 * math.exp(-10 * t) + 3 * math.exp(-4 * t)
        found.append(x[2] * math.exp(-t * x[0]) - x[3] * math.exp(-t * x[1]) + x[5] * math.exp(-t * x[4]) - y)
    return found


def variably_dimensioned(*x: float) -> list[float]:
    line = sum(j * (each - 1) for j, each in enumerate(x, 1))
    return [*(each - 1 for each in x), line, line**2]


def trigonometric(*x: float) -> list[float]:
    cosines = sum(map(math.cos, x))
    return [len(x) - cosines + i * (1 - math.cos(each)) - math.sin(each) for i, each in enumerate(x, 1)]


def almost_linear(*x: float) -> list[float]:
    return [*(each + sum(x) - len(x) - 1 for each in x[:-1]), math.prod(x) - 1]


def boundary_value(*x: float) -> list[float]:
    h, padded = 1 / (len(x) + 1), [0, *x, 0]
    return [
        2 * padded[i] - padded[i - 1] - padded[i + 1] + h**2 * (padded[i] + i * h + 1) ** 3 / 2
        for i in range(1, len(x) + 1)
    ]


def tridiagonal(*x: float) -> list[float]:
    padded = [0, *x, 0]
    return [(3 - 2 * padded[i]) * padded[i] - padded[i - 1] - 2 * padded[i + 1] + 1 for i in range(1, len(x) + 1)]


RESIDUALS: dict[str, Residuals] = {
    "rosenbrock": lambda a, b: [10 * (b - a**2), 1 - a],
    "freudenstein-roth": lambda a, b: [-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b],
    "powell-badly-scaled": lambda a, b: [1e4 * a * b - 1, math.exp(-a) + math.exp(-b) - 1.0001],
    "brown-badly-scaled": lambda a, b: [a - 1e6, b - 2e-6, a * b - 2],
    "beale": lambda a, b: [y - a * (1 - b**i) for i, y in enumerate((1.5, 2.25, 2.625), 1)],
    "jennrich-sampson": lambda a, b: [2 + 2 * i - math.exp(i * a) - math.exp(i * b) for i in range(1, 11)],
    "helical-valley": helical,
    "bard": bard,
    "gaussian": gaussian,
    "meyer": lambda a, b, c: [a * math.exp(b / (45 + 5 * i + c)) - y for i, y in enumerate(MEYER, 1)],
    "box-three-dimensional": box,
    "powell-singular": lambda a, b, c, d: [
        *(a + 10 * b, math.sqrt(5) * (c - d), (b - 2 * c) ** 2, math.sqrt(10) * (a - d) ** 2)
    ],
    "wood": wood,
    "kowalik-osborne": lambda a, b, c, d: [
        y - a * (u**2 + u * b) / (u**2 + u * c + d) for y, u in zip(KOWALIK, PLACES, strict=True)
    ],
    "brown-dennis": brown_dennis,
    "biggs-exp6": biggs,
    "penalty-1": lambda *x: [*(math.sqrt(1e-5) * (each - 1) for each in x), sum(each**2 for each in x) - 0.25],
    "variably-dimensioned": variably_dimensioned,
    "trigonometric": trigonometric,
    "brown-almost-linear": almost_linear,
    "discrete-boundary-value": boundary_value,
    "broyden-tridiagonal": tridiagonal,
}

MINIMA: dict[str, tuple[list[float], float]] = {
    "rosenbrock": ([1, 1], 0),
    "freudenstein-roth": ([5, 4], 0),
    "powell-badly-scaled": ([1.098e-5, 9.106], 0),
    "brown-badly-scaled": ([1e6, 2e-6], 0),
    "beale": ([3, 0.5], 0),
    "jennrich-sampson": ([0.2578, 0.2578], 124.362),
    "helical-valley": ([1, 0, 0], 0),
    "box-three-dimensional": ([1, 10, 1], 0),
    "powell-singular": ([0, 0, 0, 0], 0),
    "wood": ([1, 1, 1, 1], 0),
    "biggs-exp6": ([1, 10, 1, 5, 4, 3], 0),
    "variably-dimensioned": ([1] * 6, 0),
    "brown-almost-linear": ([1] * 5, 0),
}
"""Minimisers and minima that the paper prints, those with few digits as well."""

SMALLEST = {
    "bard": 8.21487e-3,
    "gaussian": 1.12793e-8,
    "meyer": 87.9458,
    "kowalik-osborne": 3.07505e-4,
    "brown-dennis": 85822.2,
    "penalty-1": 2.24997e-5,
}
"""Minima that it prints without where they are."""


def squares(name: str, point: Sequence[float]) -> float:
    return sum(each**2 for each in RESIDUALS[name](*point))


def value(name: str, point: Sequence[float | Fraction]) -> float:
    """Return the exact value of the formula."""
    at = tuple(map(Fraction, point))
    (reference,) = references(formula_along(SUITE[name].formula, Line(at, (0,))), [at[0]], 0)
    return float(reference.value)


def test_all_problems_are_here() -> None:
    assert list(SUITE) == list(RESIDUALS)
    assert MINIMA.keys() | SMALLEST.keys() | {"trigonometric", "discrete-boundary-value", "broyden-tridiagonal"} == set(
        SUITE
    )
    numbers = [int(re.search(r"problem (\d+)", function.source)[1]) for function in SUITE.values()]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("name", RESIDUALS)
def test_the_formula_is_the_sum_of_the_squares_of_the_residuals(name: str) -> None:
    (start,) = SUITE[name].vectors
    assert value(name, start) == pytest.approx(squares(name, list(map(float, start))), rel=1e-12)
    moved = [float(each) + 0.01 * i for i, each in enumerate(start, 1)]
    assert value(name, moved) == pytest.approx(squares(name, moved), rel=1e-9)


@pytest.mark.parametrize("name", MINIMA)
def test_the_minimum_is_where_the_paper_has_it(name: str) -> None:
    point, least = MINIMA[name]
    assert value(name, point) == pytest.approx(least, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", SMALLEST)
def test_the_minimum_is_the_one_that_the_paper_prints(name: str) -> None:
    start = [float(each) for each in SUITE[name].vectors[0]]
    found = least_squares(lambda x: RESIDUALS[name](*x), start, method="lm", xtol=1e-12, ftol=1e-12, max_nfev=20_000)
    assert squares(name, found.x) == pytest.approx(SMALLEST[name], rel=1e-5)
