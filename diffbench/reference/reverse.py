"""Derivatives of the costs of models in balls: one pass over the tape and back gives the whole gradient.

Each component is confirmed by the jet of the cost along its own parameter, in FLINT's power series: other rules of
differentiation, applied forwards. For higher derivatives along a parameter the pass back is one of series.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from math import factorial
from typing import Any

from flint import arb, arb_series

from diffbench.dtypes import find_dtype
from diffbench.functions.models import Model
from diffbench.functions.tape import Step, Tape, Vector, by_sample, each_sample
from diffbench.reference.balls import Ball, exact_ball, precision, settled
from diffbench.reference.exact import WORKING_DIGITS
from diffbench.reference.verdict import Reference, uncertain
from diffbench.reference.ways import MAX_BITS, is_tight, judged
from diffbench.reference.wide import is_open, word_digits
from diffbench.rounding import exact_float, round_to

FIRST_BITS = 192


@lru_cache(maxsize=16)
def cost_references(model: Model, dtype: str, derivative: int = 1) -> tuple[Reference, ...]:
    """Return the references of a derivative along each parameter, at the parameters as they are in a dtype."""
    at = [exact_float(round_to(value, dtype)) for value in model.parameters]
    is_wide = find_dtype(dtype).is_wide
    digits = word_digits(dtype) if is_wide else WORKING_DIGITS
    found: dict[int, Reference] = {}
    bits = FIRST_BITS
    while len(found) < len(at) and bits <= MAX_BITS:
        waiting = [i for i in range(len(at)) if i not in found]
        balls = _backwards(model, at, waiting, bits, derivative)
        opinions = jets(model, at, waiting, bits, derivative)
        for i, ball, own, opinion in zip(waiting, balls, settled(balls, digits), opinions, strict=True):
            if own is None or not is_tight(opinion, ball):
                continue
            reference = Reference("agreed", "ball", ball, *own)
            if not (is_wide and is_open(reference, dtype)):
                found[i] = judged(reference, opinion, "jet")
        bits *= 2
    return tuple(found.get(i, uncertain(f"not settled with {MAX_BITS} bits")) for i in range(len(at)))


def _backwards(
    model: Model, at: Sequence[Fraction], parameters: Sequence[int], bits: int, derivative: int
) -> list[Ball]:
    """Return the balls of a derivative along some parameters, found by going back."""
    if derivative > 1:
        return adjoint_jets(model, at, parameters, bits, derivative)
    balls = gradient(model, at, bits)
    return [balls[i] for i in parameters]


def gradient(model: Model, at: Sequence[Fraction], bits: int) -> list[Ball]:
    """Return the balls of all components of the gradient, by one pass forwards and one backwards.

    Parameters
    ----------
    model : Model
        Whose cost it is.
    at : sequence of Fraction
        The parameters.
    bits : int
        The working precision.
    """
    tape = model.tape
    with precision(bits):
        values = _values(tape, at, BALLS)
        adjoints: list[Vector | None] = [None] * len(tape.steps)
        adjoints[-1] = [arb(1)]
        for place in range(len(tape.steps) - 1, -1, -1):
            step, own = tape.steps[place], adjoints[place]
            if own is None or not step.operands:
                continue
            shares = _BACKWARDS[step.operation](own, values[place], *(values[k] for k in step.operands))
            for operand, share in zip(step.operands, shares, strict=True):
                before = adjoints[operand]
                adjoints[operand] = share if before is None else each_sample(_add, before, share)
        found = [adjoints[place] for place in tape.parameters]
        return [Ball.of(sum(each or [], arb(0)), bits) for each in found]


def jets(model: Model, at: Sequence[Fraction], parameters: Sequence[int], bits: int, derivative: int = 1) -> list[Ball]:
    """Return the balls of a derivative along some parameters, each by the series of the cost along it."""
    tape, length = model.tape, derivative + 1
    with precision(bits):
        values = _constant_values(tape, at, length)
        found = []
        for i in parameters:
            line = [arb_series([exact_ball(at[i]), 1], length)]
            cost = tape.along(i, line, values, SERIES, tape.depending_on(i))
            found.append(Ball.of(cost[0][derivative] * factorial(derivative), bits))
    return found


def adjoint_jets(
    model: Model, at: Sequence[Fraction], parameters: Sequence[int], bits: int, derivative: int
) -> list[Ball]:
    """Return the balls of a derivative along some parameters, each by the series of its component of the gradient.

    The pass back is that of :func:`gradient`, along what the parameter has an influence on. Functions are the solutions
    of their differential equations, so that but for sums and products this has no rule in common with :func:`jets`.
    """
    tape, length = model.tape, derivative
    with precision(bits):
        values = _constant_values(tape, at, length)
        found = []
        for i in parameters:
            places = tape.depending_on(i)
            line = [arb_series([exact_ball(at[i]), 1], length)]
            varied = tape.varied(i, line, values, SOLVED, places)
            slope = _component(tape, i, varied, values, places)
            found.append(Ball.of(slope[derivative - 1] * factorial(derivative - 1), bits))
    return found


def _component(
    tape: Tape, parameter: int, varied: Mapping[int, Vector], values: Sequence[Vector], places: Sequence[int]
) -> arb_series:
    """Return the component of the gradient where the steps that depend on its parameter have other values."""
    adjoints: dict[int, Vector] = {places[-1]: [arb_series([1], varied[places[-1]][0].prec)]}
    for place in reversed(places):
        step, own = tape.steps[place], adjoints[place]
        operands = [varied.get(k, values[k]) for k in step.operands]
        shares = (_BACKWARDS | _SOLVED_BACKWARDS)[step.operation](own, varied[place], *operands)
        for operand, share in zip(step.operands, shares, strict=True):
            if operand in varied:
                adjoints[operand] = each_sample(_add, adjoints[operand], share) if operand in adjoints else share
    found = adjoints[tape.parameters[parameter]]
    return sum(found[1:], found[0])


def _constant_values(tape: Tape, at: Sequence[Fraction], length: int) -> list[Vector]:
    """Return what all steps give at the parameters, as series of a length."""
    return [[arb_series([each], length) for each in value] for value in _values(tape, at, BALLS)]


def slope_along(model: Model, at: Sequence[Fraction], direction: Sequence[Fraction], bits: int) -> Ball:
    """Return the ball of the derivative of the cost along a direction, by the series of the whole tape."""
    with precision(bits):
        lines = [[arb_series([exact_ball(x), exact_ball(v)], 2)] for x, v in zip(at, direction, strict=True)]
        return Ball.of(model.tape.values(lines, _constant_series, SERIES)[-1][0][1], bits)


def _constant_series(step: Step) -> Vector:
    return [arb_series([exact_ball(x)], 2) for x in step.data]


def _values(tape: Tape, at: Sequence[Fraction], table: dict[str, Callable[..., Vector]]) -> list[Vector]:
    return tape.values([[exact_ball(x)] for x in at], lambda step: [exact_ball(x) for x in step.data], table)


def _add(u: Any, v: Any) -> Any:
    return u + v


def _mean(u: Vector) -> Vector:
    return [sum(u[1:], u[0]) / len(u)]


def _table(tanh: Callable[[Any], Any]) -> dict[str, Callable[..., Vector]]:
    return {
        "add": by_sample(_add),
        "subtract": by_sample(lambda u, v: u - v),
        "multiply": by_sample(lambda u, v: u * v),
        "tanh": by_sample(tanh),
        "softplus": by_sample(lambda u: (1 + u.exp()).log()),
        "mean": _mean,
    }


def _tanh_series(u: arb_series) -> arb_series:
    """Return tanh as 1 − 2/(exp(2u) + 1), which is another way to its derivative than 1 − tanh²."""
    return 1 - 2 / ((2 * u).exp() + 1)


def _solved(start: arb, slope: Callable[[arb_series], arb_series], u: arb_series) -> arb_series:
    """Return y(u) with y' = slope(y) and a value to start with; each pass makes one more coefficient right."""
    y = arb_series([start], u.prec)
    for _ in range(u.prec - 1):
        y = start + (slope(y) * u.derivative()).integral()
    return y


def _solved_tanh(u: arb_series) -> arb_series:
    return _solved(u[0].tanh(), lambda t: 1 - t * t, u)


def _solved_logistic(u: arb_series) -> arb_series:
    return _solved(1 / (1 + (-u[0]).exp()), lambda s: s * (1 - s), u)


BALLS = _table(arb.tanh)
SERIES = _table(_tanh_series)
SOLVED = _table(_solved_tanh)

_BACKWARDS: dict[str, Callable[..., tuple[Vector, ...]]] = {
    "add": lambda own, _, u, v: (_shared(own, u), _shared(own, v)),
    "subtract": lambda own, _, u, v: (_shared(own, u), _shared(each_sample(lambda a: -a, own), v)),
    "multiply": lambda own, _, u, v: (_shared(each_sample(_times, own, v), u), _shared(each_sample(_times, own, u), v)),
    "tanh": lambda own, value, _: (each_sample(lambda a, t: a * (1 - t * t), own, value),),
    "softplus": lambda own, _, u: (each_sample(lambda a, x: a / (1 + (-x).exp()), own, u),),
    "mean": lambda own, _, u: ([own[0] / len(u)] * len(u),),
}
"""What the operands of an operation get of its adjoint, by the adjoint, its value and theirs."""


def _times(u: Any, v: Any) -> Any:
    return u * v


def _shared(share: Vector, operand: Vector) -> Vector:
    """Return what an operand gets; one number for all samples gets the sum."""
    return [sum(share[1:], share[0])] if len(operand) == 1 < len(share) else share


_SOLVED_BACKWARDS: dict[str, Callable[..., tuple[Vector, ...]]] = {
    "softplus": lambda own, _, u: (each_sample(lambda a, x: a * _solved_logistic(x), own, u),),
}
"""The rule that is another one for series."""
