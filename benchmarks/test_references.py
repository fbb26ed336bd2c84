"""What a certified reference costs, against mpmath and SymPy, and what its second opinion adds."""

import mpmath
import pytest
import sympy
from problems import MIXED, points_in
from ratios import Row

from diffbench.functions.grammar import parse_formula
from diffbench.functions.symbolic import to_sympy, to_unevaluated_sympy, variable_symbol
from diffbench.reference.balls import settled
from diffbench.reference.exact import WORKING_DIGITS
from diffbench.reference.verdict import Reference
from diffbench.reference.ways import Ways, primary

pytestmark = pytest.mark.benchmark(group="reference")

POINTS = 1000
EVALF_POINTS = 5
STRIDE = POINTS // 2
"""Every so many-th reference is checked against one that is worked out another way too."""

DOUBLE = 15.9
"""Digits of a number that is rounded to nearest."""


@pytest.fixture(scope="module")
def problems():
    """Return the formulas and a thousand doubles for each."""
    return [(parse_formula(text), points_in(interval, POINTS, i)) for i, (text, interval) in enumerate(MIXED.items())]


@pytest.fixture(scope="module")
def ways(problems):
    """Return the ways to each first derivative, their programs compiled; what they find is not kept."""
    found = [Ways(to_unevaluated_sympy(f), to_sympy(f), variable_symbol(f), 1) for f, _ in problems]
    certified(problems, found)
    return found


def certified(problems, ways):
    for (_, points), each in zip(problems, ways, strict=True):
        each.forget()
        assert all(reference.verdict == "certified" for reference in each.references(points, WORKING_DIGITS))


def balls_alone(problems):
    return [from_balls(formula, points) for formula, points in problems]


def from_balls(formula, points):
    way, waiting, bits, found = primary(to_sympy(formula), variable_symbol(formula), 1), points, 128, {}
    while waiting:
        balls = way.at_points(waiting, bits)
        found |= {
            x: Reference("agreed", "ball", ball, *parts)
            for x, ball, parts in zip(waiting, balls, settled(balls, WORKING_DIGITS), strict=True)
            if parts is not None
        }
        waiting, bits = [x for x in waiting if x not in found], 2 * bits
    return found


def derivatives(problems):
    for formula, points in problems:
        symbol = variable_symbol(formula)
        yield sympy.diff(to_sympy(formula), symbol), symbol, points


def by_mpmath(compiled):
    with mpmath.workdps(50):
        for function, points in compiled:
            for point in points:
                function(mpmath.mpf(point))


def by_evalf(expressions):
    for expression, symbol, points in expressions:
        for point in points[:EVALF_POINTS]:
            expression.evalf(50, subs={symbol: sympy.Float(point, 60)})


def test_ball_against_mpmath(contest, problems, accuracy):
    """Measure hi and lo from balls against SymPy's mpmath code at 50 digits, which certifies nothing; check hi."""
    compiled = [(sympy.lambdify(symbol, each, "mpmath"), points) for each, symbol, points in derivatives(problems)]
    row = Row("references: mpmath at 50 digits / balls", "≥", 4)
    contest(row, lambda: balls_alone(problems), lambda: by_mpmath(compiled))
    for (formula, points), found in zip(problems, balls_alone(problems), strict=True):
        accuracy.check(lambda x, found=found: found[x].hi, formula, at=points[::STRIDE], digits=DOUBLE)


def test_ball_against_evalf(contest, problems):
    """Measure the same against SymPy's evalf, of which only a few points are taken."""
    expressions = list(derivatives(problems))
    row = Row("references: SymPy's evalf / balls", "≥", 100)
    contest(row, lambda: balls_alone(problems), lambda: by_evalf(expressions), share=EVALF_POINTS / POINTS)


def test_second_opinion(contest, problems, ways):
    """Measure certified references against those from balls alone."""
    row = Row("references: with second opinion / without", "≤", 2)
    contest(row, lambda: certified(problems, ways), lambda: balls_alone(problems))
