"""What the benchmarks measure on."""

import time
from math import comb

import numpy as np

from diffbench import Function, Spec

ROUNDS = 5

WILKINSON = "*".join(f"(x - {k})" for k in range(1, 21))
EXPANDED = " + ".join(f"({comb(20, k) * (-1) ** k})*x**{k}" for k in range(21))
MIXED = {
    "exp(x)": (-5, 5),
    "log(x)": (0.1, 10),
    "sin(x)": (-10, 10),
    "tan(x)": (-1.5, 1.5),
    "atan(x)": (-10, 10),
    "tanh(x)": (-3, 3),
    "asinh(x)": (-10, 10),
    "1/(1 + 25*x**2)": (-1, 1),
    "x**5 - 3*x**3 + x": (-2, 2),
    "(x**3 + 2*x + 1)/(x**4 + x**2 + 3)": (-5, 5),
    "x*exp(-x)": (0, 10),
    "exp(-x**2)*sin(10*x)": (-2, 2),
    "exp(x)/(sin(x)**3 + cos(x)**3)": (0, 1.5),
    "sin(1/x)": (0.01, 1),
    "log(1 + exp(x))": (-10, 10),
    "x/2*(1 + erf(x/sqrt(2)))": (-4, 4),
    "x**x": (0.1, 10),
    "(1 + x)**(1/x)": (1e-6, 1),
    "gamma(x)": (0.1, 10),
    "loggamma(x)": (0.1, 10),
    "erf(x)": (-3, 3),
    "besselj(1, x)": (0.1, 30),
    "sin(pi*x)": (1, 1e6),
    "tanh(20*x)": (0.1, 3),
    WILKINSON: (0.5, 20.5),
    EXPANDED: (0.1, 0.999),
    "(1 - cos(x))/x**2": (1e-10, 1),
    "(log(1 + x) - x)/x**2": (1e-10, 1),
    "(sinh(x) - x)/x**3": (1e-10, 1),
    "sqrt(x**2 + 1) - x": (1, 1e10),
}
"""Thirty formulas, each with the interval of its points: elementary, composed, special, and those that cancel."""

CHEAP = dict.fromkeys(
    (
        *("exp(x)", "sin(x)", "cos(x)", "tan(x/3)", "atan(x)", "sinh(x)", "tanh(x)"),
        *("log(1 + x**2)", "sqrt(1 + x**2)", "1/(1 + 25*x**2)"),
    ),
    (0.1, 3),
)
"""Ten functions that cost next to nothing."""

DOMAINS = {
    **dict.fromkeys(("log(x)", "x**x", "gamma(x)", "loggamma(x)", "(1 + x)**(1/x)", "sin(1/x)"), "(0, oo)"),
    "tan(x)": "(-pi/2, pi/2)",
    "(log(1 + x) - x)/x**2": "(-1, 0) | (0, oo)",
}
REAL_SCHEMES = (
    *("forward-1", "forward-2", "forward-4", "backward-1", "backward-2", "central-2", "central-4", "central-6"),
    *("central-8", "richardson(forward-1)", "richardson(central-2)"),
)
TWELVE = (*REAL_SCHEMES, "complex-step")
TWELVE_REAL = (*REAL_SCHEMES, "backward-4")
EPSILONS = "1:1e-16:6/decade"
"""97 of them."""


def points_in(interval, count, seed=20260101):
    """Return doubles spread evenly, or by decades over a wide interval."""
    low, high = interval
    is_wide = low > 0 and high / low > 50
    generator = np.random.default_rng(seed)
    even = generator.uniform(*(np.log([low, high]) if is_wide else (low, high)), count)
    return (np.exp(even) if is_wide else even).tolist()


def functions_of(formulas, count):
    """Return formulas as functions with so many points."""
    return [
        Function(f"f{i}", text, points_in(interval, count, i), domain=DOMAINS.get(text))
        for i, (text, interval) in enumerate(formulas.items())
    ]


def mixed_spec(points=100, schemes=TWELVE, **options):
    """Return the sweep of 3.5 million cells: 30 functions × 100 points × 12 schemes × 97 epsilons."""
    return Spec(functions_of(MIXED, points), schemes, EPSILONS, rules=[], **options)


def cheap_spec():
    """Return the same for ten cheap functions and real schemes only."""
    return Spec(functions_of(CHEAP, 100), TWELVE_REAL, EPSILONS, rules=[])


def seconds(work, *arguments):
    """Return how long a piece of work takes."""
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start
