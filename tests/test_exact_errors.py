"""Design 5.4: the error of every cell agrees with exact arithmetic, relative to the error itself.

The truth here is one number of as many digits as the smallest error at its point needs, not the pair hi + lo that the
program measures with; estimates are rationals, and so are the differences.
"""

import math
import random
from fractions import Fraction

import numpy as np
import pytest

from diffbench import Function, Spec, exact_derivative, run

BOUND = Fraction(4, 2**53)
TINY = Fraction(1, 2**1074)
"""Where lo underflows, errors are right to this absolutely."""


def rational(number):
    """Return an mpmath number as the rational that it is."""
    mantissa, exponent = int(number.man), int(number.exp)
    magnitude = Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)
    return -magnitude if number < 0 and magnitude > 0 else magnitude


class Truth:
    """The derivative at one point and the radius around it, with enough digits for the estimates measured there."""

    def __init__(self, formula, x, derivative, estimates):
        digits = 60
        while True:
            reference = exact_derivative(formula, Fraction(x), derivative, digits)
            self.value, self.radius = rational(reference.value), rational(reference.radius)
            least = min(abs(estimate - self.value) for estimate in estimates)
            if self.radius == 0 or self.radius * 2**60 <= least or digits > 400:
                return
            digits *= 2

    def disagreement(self, estimate, error):
        """Return how much a measured error is off, in units of what is allowed."""
        exact = estimate - self.value
        allowed = BOUND * abs(exact) + self.radius + (TINY if abs(self.value) < Fraction(1, 2**960) else 0)
        off = abs(error - exact)
        return off / allowed if allowed else off


def measured(block):
    """Return the places (scheme, point, column) of a block that have an error."""
    return np.argwhere(~np.isnan(block.error))


def worst_disagreement(block, places):
    """Return the largest disagreement of some cells of a block."""
    worst = Fraction(0)
    error, estimate = block.error, block.estimate
    for p in sorted({int(p) for _, p, _ in places}):
        cells = [tuple(place) for place in places if place[1] == p]
        estimates = {cell: Fraction(float(estimate[cell])) for cell in cells}
        truth = Truth(block.formula, float(block.x[p]), block.derivative, set(estimates.values()))
        for cell in cells:
            worst = max(worst, truth.disagreement(estimates[cell], Fraction(float(error[cell]))))
    return worst


def sample(blocks, count, seed):
    """Return places by block: some at random, some where the estimate equals hi or is next to it."""
    everywhere = [(b, tuple(place)) for b, block in enumerate(blocks) for place in measured(block)]
    close = [(b, tuple(place)) for b, block in enumerate(blocks) for place in np.argwhere(block.ulp_error <= 2)]
    assert len(close) > count
    chooser = random.Random(seed)  # noqa: S311  (no secret)
    chosen = set(chooser.sample(everywhere, count)) | set(chooser.sample(close, count // 2))
    return {b: [place for c, place in chosen if c == b] for b in sorted({b for b, _ in chosen})}


@pytest.fixture(scope="module")
def standard():
    return run(Spec()).blocks


def test_a_sample_of_the_standard_suite(standard):
    chosen = sample(standard, 1000, 2)
    assert len(chosen) > 45
    assert sum(map(len, chosen.values())) > 1400
    for b, places in chosen.items():
        assert worst_disagreement(standard[b], places) <= 1, standard[b].function


@pytest.mark.slow
def test_every_cell_of_the_standard_suite(standard):
    cells = 0
    for block in standard:
        places = measured(block)
        cells += len(places)
        assert worst_disagreement(block, places) <= 1, block.function
    assert cells > 240_000


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_cell_of_higher_derivatives_and_narrow_dtypes(dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    names = ["exp", "sin", "log", "gamma", "runge", "bessel-j0", "huge-values", "tiny-values", "expanded-20"]
    spec = Spec(names, derivatives=[1, 2, 3, 4], dtypes=[dtype], epsilons="1:1e-12:1/decade")
    for block in run(spec).blocks:
        places = measured(block)
        if len(places):
            assert worst_disagreement(block, places) <= 1, (block.function, block.derivative)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_cells_of_narrow_dtypes(dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    for block in run(Spec(["exp", "log", "sin"], dtypes=[dtype], epsilons="1:1e-5:1/decade")).blocks:
        assert len(measured(block)) > 100
        assert worst_disagreement(block, measured(block)) <= 1, block.function


def test_errors_of_underflowing_truths_are_right_absolutely():
    function = Function("bell", "exp(-x**2)", ["27", "26.5", "26"])
    (block,) = run(Spec(function, epsilons="1e-1:1e-9:1/decade")).blocks
    assert 0 < np.abs(block.hi).min() < 2.0**-1022
    assert worst_disagreement(block, measured(block)) <= 1


def test_where_the_estimate_equals_hi_the_error_is_minus_lo_and_not_zero(standard):
    equal = 0
    for block in standard:
        same = (block.estimate == block.hi[None]) & (block.lo[None] != 0)
        equal += np.count_nonzero(same)
        expected = np.broadcast_to(-block.lo[None], same.shape)
        assert (block.error[same] == expected[same]).all()
    assert equal > 1000


def test_a_plain_difference_would_not_do(standard):
    """Null test of this file: errors against hi alone disagree with exact arithmetic."""
    block = next(block for block in standard if block.function == "exp")
    p = list(block.x).index(2)
    s = block.schemes.index("complex-step")
    estimates = [Fraction(float(value)) for value in block.estimate[s, p] if math.isfinite(value)]
    truth = Truth(block.formula, 2.0, 1, estimates)
    hi = Fraction(float(block.hi[p, 0]))
    assert max(truth.disagreement(estimate, estimate - hi) for estimate in estimates) > 1e3
