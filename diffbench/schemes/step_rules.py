"""Rules that choose epsilon: from the point and the dtype alone, or from values of f as well."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, partial
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import find_dtype
from diffbench.errors import InputError
from diffbench.multiple import dtype_name, one_rounded
from diffbench.rounding import exact_number, real_power, unit_roundoff
from diffbench.schemes import searches
from diffbench.schemes.scheme import DifferenceScheme
from diffbench.schemes.searches import Choice, Search, Values

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class StepRule:
    """A named way of choosing epsilon without a look at f.

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
    choose: Callable[[DifferenceScheme, Array], Array] = field(compare=False)


@dataclass(frozen=True)
class AdaptiveRule:
    """A named way of choosing epsilon that looks at values of f.

    Attributes
    ----------
    name : str
        As in the column ``rule``.
    description : str
        The rule and its source in one line.
    search : callable
        The search at one point: :mod:`diffbench.schemes.searches`.
    refuse : callable
        Takes a scheme; returns why the rule cannot serve it, or nothing.
    """

    name: str
    description: str
    search: Callable[[DifferenceScheme, float, float], Search] = field(compare=False)
    refuse: Callable[[DifferenceScheme], str] = field(compare=False)

    def choose(self, scheme: DifferenceScheme, x: Array, f: Values) -> Choice:
        """Return what the rule chooses for a scheme at P points.

        Parameters
        ----------
        scheme : DifferenceScheme
            For which an epsilon is wanted.
        x : array
            P points of the working dtype.
        f : callable
            Takes an array of nodes of the dtype, returns f at them, NaN outside its domain.

        Examples
        --------
        >>> from diffbench.schemes.scheme import parse_scheme
        >>> rule = find_rule("shi-xie-xuan-nocedal")
        >>> float(rule.choose(parse_scheme("forward-1"), np.ones(1), np.exp).epsilon[0].round(10))
        2.35e-08
        """
        return choose_together([(self, scheme)], x, f)[0]


Rule = StepRule | AdaptiveRule

MAX_SEARCHES = 5000
"""About how many searches are under way at a time: each is a generator of some hundred bytes."""


def choose_together(pairs: Sequence[tuple[AdaptiveRule, DifferenceScheme]], x: Array, f: Values) -> list[Choice]:
    """Return what each rule chooses for its scheme at P points, f being called with what many searches ask for."""
    too_wide = "its search is made for dtypes of at most 64 bits" if find_dtype(x.dtype.name).is_wide else ""
    refusals = [too_wide or rule.refuse(scheme) for rule, scheme in pairs]
    served = [pair for pair, refusal in zip(pairs, refusals, strict=True) if not refusal]
    step = max(1, MAX_SEARCHES // max(1, x.size))
    found = chain.from_iterable(_searched(served[i : i + step], x, f) for i in range(0, len(served), step))
    return [_refused(refusal, x) if refusal else next(found) for refusal in refusals]


def _searched(pairs: Sequence[tuple[AdaptiveRule, DifferenceScheme]], x: Array, f: Values) -> Iterator[Choice]:
    u = unit_roundoff(x.dtype.name)
    points = [np.float64(point) for point in x.astype(np.float64).tolist()]
    begun = [rule.search(scheme, point, u) for rule, scheme in pairs for point in points]
    every = searches.search_points(begun, f, np.tile(x, len(pairs)))
    for own in (slice(i, i + x.size) for i in range(0, len(begun), x.size)):
        yield Choice(every.epsilon[own], every.evaluations[own], every.failures[own])


def _refused(reason: str, x: Array) -> Choice:
    return Choice(np.full_like(x, np.nan), np.zeros(x.size, dtype=np.int32), (reason,) * x.size)


# without a look at f --------------------------------------------------------------------------------------------------


def usual_epsilon(scheme: DifferenceScheme, x: Array) -> Array:
    """Return u^(1/(m+p)) · max(1, |x|), made representable as a difference of nodes.

    It balances a truncation error of order ε^p with a rounding error u/ε^m where f and its derivatives are all
    of size 1. A scheme that does not cancel has nothing to balance and gets u · max(1, |x|).
    """
    return power_epsilon(scheme, x, degree=0, scale="max1", is_representable=scheme.cancels)


def power_epsilon(
    scheme: DifferenceScheme, x: Array, *, degree: int, scale: str = "", is_representable: bool = False
) -> Array:
    """Return u^(1/degree) times a scale.

    Parameters
    ----------
    scheme : DifferenceScheme
        For which an epsilon is wanted.
    x : array
        P points of the working dtype.
    degree : int
        0 stands for m + p, or for 1 where the scheme does not cancel.
    scale : str
        Nothing for 1, ``relative`` for |x|, ``max1`` for max(1, |x|).
    is_representable : bool
        Whether ε is replaced by (x + ε) − x.
    """
    factor = _power_of_u(degree or (scheme.derivative + scheme.order if scheme.cancels else 1), x)
    one = np.ones(1, dtype=x.dtype)
    with np.errstate(all="ignore"):
        size = np.abs(x) if scale == "relative" else np.maximum(np.abs(x), one) if scale else np.ones_like(x)
        epsilon = factor * size
        return (x + epsilon) - x if is_representable else epsilon


def _power_of_u(degree: int, like: Array) -> Array:
    """Return u^(1/degree), rounded once."""
    exact = real_power(2, Fraction(-find_dtype(dtype_name(like)).precision, degree))
    return one_rounded(exact, like)


def fixed_epsilon(_: DifferenceScheme, x: Array, *, value: Fraction) -> Array:
    """Return one epsilon for all points, rounded once."""
    return np.full_like(x, one_rounded(value, x)[0])


USUAL = StepRule("usual", "u^(1/(m+p)) max(1, |x|), representable; u max(1, |x|) for complex step", usual_epsilon)

_SCALES = {
    "": ("", "", False),
    "-relative": (" |x|", "relative", False),
    "-max1": (" max(1, |x|)", "max1", False),
    "-max1-representable": (" max(1, |x|), representable", "max1", True),
}
"""What a power of u is multiplied by, by the end of the rule's name."""


def _powers(name: str, text: str, degree: int, suffixes: Iterable[str] = _SCALES) -> Iterator[StepRule]:
    for suffix in suffixes:
        words, scale, is_representable = _SCALES[suffix]
        choose = partial(power_epsilon, degree=degree, scale=scale, is_representable=is_representable)
        yield StepRule(name + suffix, text + words, choose)


_FIXED = re.compile(r"fixed\(([^()]+)\)", re.ASCII)


@cache
def _fixed(text: str) -> StepRule:
    value = exact_number(text, "rule: epsilon")
    if value <= 0:
        raise InputError(f"rule: epsilon {text[:60]!r} is not above 0")
    return StepRule(f"fixed({text})", f"{text} at every point", partial(fixed_epsilon, value=value))


def scaled_epsilon(_: DifferenceScheme, x: Array, *, value: Fraction, least: Fraction) -> Array:
    """Return value · max(|x|, least), both rounded once."""
    factor, floor = (one_rounded(each, x) for each in (value, least))
    with np.errstate(all="ignore"):
        return np.asarray(factor * np.maximum(np.abs(x), floor))


_SCALED = re.compile(r"scaled\(([^(),]+),([^(),]+)\)", re.ASCII)


@cache
def _scaled(text: str, least_text: str) -> StepRule:
    value, least = exact_number(text, "rule: epsilon"), exact_number(least_text, "rule: the least |x|")
    if value <= 0 or least < 0:
        raise InputError(f"rule: scaled({text[:60]}, {least_text[:60]}) has a number below 0, or is 0")
    choose = partial(scaled_epsilon, value=value, least=least)
    return StepRule(f"scaled({text},{least_text})", f"{text} max(|x|, {least_text})", choose)


# the catalogue --------------------------------------------------------------------------------------------------------

STATIC_RULES = (
    USUAL,
    _fixed("1e-6"),
    *_powers("power-u", "u^(1/(m+p))", 0, ("", "-max1")),
    *_powers("sqrt-u", "u^(1/2)", 2),
    *_powers("cbrt-u", "u^(1/3)", 3),
)

ADAPTIVE_RULES = (
    AdaptiveRule(
        "curtis-reid",
        "truncation over rounding near 100, for forward-1 and central-2 (Curtis, Reid 1974)",
        searches.curtis_reid,
        searches.refuse_but_simple,
    ),
    AdaptiveRule(
        "gill-murray-saunders-wright",
        "second derivative with a sound condition error, for forward-1 (Gill, Murray, Saunders, Wright 1983)",
        searches.gill_murray_saunders_wright,
        searches.refuse_but_forward,
    ),
    AdaptiveRule(
        "dumontet-vignes",
        "third derivative within rounding bounds, for central-2 (Dumontet, Vignes 1977)",
        searches.dumontet_vignes,
        searches.refuse_but_central,
    ),
    AdaptiveRule(
        "stepleman-winarsky",
        "until the changes of the quotient rise, for central-2 (Stepleman, Winarsky 1979)",
        searches.stepleman_winarsky,
        searches.refuse_but_central,
    ),
    AdaptiveRule(
        "shi-xie-xuan-nocedal",
        "quotients at two steps differ by 1.5 to 6 times the noise, for real stencils (Shi, Xie, Xuan, Nocedal 2022)",
        searches.shi_xie_xuan_nocedal,
        searches.refuse_complex,
    ),
    AdaptiveRule(
        "mathur",
        "where the truncation error stops falling as its order, for first derivatives (Mathur 2012)",
        searches.mathur,
        searches.refuse_but_first,
    ),
)

RULES: tuple[Rule, ...] = (*STATIC_RULES, *ADAPTIVE_RULES)
"""The catalogue; any other epsilon can be fixed the same way."""


def find_rule(name: str, also: Iterable[str] = ()) -> Rule:
    """Return a rule of the catalogue by name, or one such as ``fixed(1e-6)`` or ``scaled(1e-8, 0.1)``.

    Parameters
    ----------
    name : str
        Of the rule; blanks do not count.
    also : iterable of str
        Names that the caller takes for several rules, which are offered with the others where this one is none.
    """
    bare = "".join(name.split())
    for rule in RULES:
        if rule.name == bare:
            return rule
    match = _FIXED.fullmatch(bare)
    if match:
        return _fixed(match[1])
    match = _SCALED.fullmatch(bare)
    if match:
        return _scaled(match[1], match[2])
    known = (*also, *(rule.name for rule in RULES), "fixed(NUMBER), scaled(NUMBER, LEAST)")
    raise InputError(f"rule: {name[:60]!r} is not one of {', '.join(known)}")
