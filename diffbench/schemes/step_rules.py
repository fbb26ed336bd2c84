"""Rules that choose epsilon from the point, the dtype and the scheme."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import InputError
from diffbench.rounding import real_power, round_to
from diffbench.schemes.scheme import DifferenceScheme

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class StepRule:
    """A named way of choosing epsilon.

    Attributes
    ----------
    name : str
        As in the column ``rule``.
    description : str
        The rule in one line.
    choose : callable
        Takes the scheme and the points, P values of one dtype; returns P epsilons of that dtype.
    """

    name: str
    description: str
    choose: Callable[[DifferenceScheme, Array], Array]


def usual_epsilon(scheme: DifferenceScheme, x: Array) -> Array:
    """Return u^(1/(m+p)) · max(1, |x|), made representable as a difference of nodes.

    It balances a truncation error of order ε^p with a rounding error u/ε^m where f and its derivatives are all
    of size 1. A scheme that does not cancel has nothing to balance and gets u · max(1, |x|).
    """
    precision = np.finfo(x.dtype).nmant + 1
    exponent = Fraction(-precision, scheme.derivative + scheme.order) if scheme.cancels else Fraction(-precision)
    factor = np.array([round_to(real_power(2, exponent), x.dtype.name)], dtype=x.dtype)
    with np.errstate(all="ignore"):
        epsilon = factor * np.maximum(np.abs(x), np.ones(1, dtype=x.dtype))
        return (x + epsilon) - x if scheme.cancels else epsilon


USUAL = StepRule("usual", "u^(1/(m+p)) max(1, |x|), representable; u max(1, |x|) for complex step", usual_epsilon)

RULES = (USUAL,)
"""The catalogue."""


def find_rule(name: str) -> StepRule:
    """Return a rule of the catalogue by name."""
    for rule in RULES:
        if rule.name == name:
            return rule
    raise InputError(f"rule: {name[:60]!r} is not one of {', '.join(rule.name for rule in RULES)}")
