"""The oracle of recommendations: the least median error over 21 neighbouring points, of any scheme and epsilon."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from diffbench import Function, Spec, recommend, run
from diffbench.schemes.scheme import catalogue

HALF_WIDTH = Fraction(1, 100)
POINTS = 21


@dataclass(frozen=True)
class Verdict:
    """A recommendation against the oracle; errors in units of the last place of the reference, at least half a one."""

    function: str
    formula: str
    advised: str
    epsilon: float
    error: float
    oracle: str
    oracle_epsilon: float
    oracle_error: float
    is_in_range: bool
    reason: str

    @property
    def lost(self):
        """Digits lost against the oracle."""
        return float(np.log10(self.error / self.oracle_error))


def around(function: Function) -> Function:
    """Return the function at 21 points, evenly from 1 % below to 1 % above its own."""
    x = function.points[0]
    half = POINTS // 2
    return function.at([x * (1 + HALF_WIDTH * j / half) for j in range(-half, half + 1)])


def median_errors(spec):
    """Return schemes, epsilons and the median error, (S, E), floored at half a unit in the last place."""
    block = run(spec).blocks[0]
    grid = slice(0, block.grid_size)
    errors = np.where(block.status[..., grid] == 7, block.ulp_error[..., grid], np.inf)
    return block.schemes, block.grid, np.maximum(np.median(errors, axis=1), 0.5)


def judge(function, dtype="float64", *, allow_complex=False):
    """Return how the recommendation for a function does."""
    advice = recommend(function, dtype=dtype, allow_complex=allow_complex)
    points = around(function)
    schemes = [scheme for scheme in catalogue(1) if allow_complex or not scheme.needs_complex]
    names, grid, errors = median_errors(Spec(points, schemes, dtypes=dtype))
    s, e = np.unravel_index(errors.argmin(), errors.shape)
    _, _, own = median_errors(Spec(points, advice.scheme, Fraction(advice.epsilon), dtypes=dtype))
    block = run(Spec(function, advice.scheme, Fraction(advice.epsilon), dtypes=dtype)).blocks[0]
    digits = float(block.digits[0, 0, 0])
    is_in_range = advice.digits_low - 1e-9 <= digits <= advice.digits_high + 1e-9
    return Verdict(
        function.name,
        function.formula.text,
        advice.scheme,
        advice.epsilon,
        float(own[0, 0]),
        names[s],
        float(grid[e]),
        float(errors[s, e]),
        is_in_range,
        advice.reason,
    )
