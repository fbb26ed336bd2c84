"""Stencils: exact offsets and weights, from whose moments everything else follows.

A stencil with offsets k and weights w approximates the derivative m of f at x by::

    D(ε) = 1/ε^m · Σ w_k f(x + k ε) = f^(m)(x) + C ε^p f^(m+p)(x) + …

By Taylor's theorem the moments M_j = Σ w_k k^j / j! must be 0 below m and 1 at m; the first one above m that is
not 0 stands at m + p and is the error constant C.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple, Self

from diffbench.errors import InputError
from diffbench.rounding import exact_number

MAX_NODES = 200


class Term(NamedTuple):
    """A whole number times the value at a node, or times the sum or difference of a pair of nodes."""

    number: int
    node: int
    opposite: int | None
    is_sum: bool


@dataclass(frozen=True, init=False)
class Stencil:
    """A linear difference formula in exact fractions.

    Parameters
    ----------
    offsets : iterable of int, Fraction or str
        K distinct rationals.
    weights : iterable of int, Fraction or str
        K weights; nodes of weight 0 are dropped.

    Raises
    ------
    InputError
        If the weights are no formula for any derivative.

    Examples
    --------
    >>> Stencil([-1, 1], ["-1/2", "1/2"])
    Stencil(offsets=(-1, 1), weights=(-1/2, 1/2))
    >>> Stencil.central(order=2).error_constant
    Fraction(1, 6)
    """

    offsets: tuple[Fraction, ...]
    weights: tuple[Fraction, ...]

    def __init__(self, offsets: Iterable[object], weights: Iterable[object]) -> None:
        nodes = _exact_offsets(offsets)
        values = _exact_list(weights, "weight")
        if len(nodes) != len(values):
            raise InputError(f"weights: {len(values)} weights for {len(nodes)} offsets")
        pairs = sorted((node, weight) for node, weight in zip(nodes, values, strict=True) if weight)
        object.__setattr__(self, "offsets", tuple(node for node, _ in pairs))
        object.__setattr__(self, "weights", tuple(weight for _, weight in pairs))
        self._check_moments()

    def _check_moments(self) -> None:
        moments = (self.moment(j) for j in range(len(self.offsets)))
        first = next(((j, moment) for j, moment in enumerate(moments) if moment), None)
        if first is None or first[1] != 1:
            found = "all vanish" if first is None else f"begin with {first[1]} at {first[0]}"
            raise InputError(f"weights: no derivative formula, its moments must begin with 1 but {found}")

    @classmethod
    def fit(cls, offsets: Iterable[object], derivative: int = 1) -> Self:
        """Return the stencil of highest order on the offsets.

        Parameters
        ----------
        offsets : iterable of int, Fraction or str
            At least derivative + 1 distinct rationals.
        derivative : int
            Which derivative; 0 interpolates.

        Raises
        ------
        InputError
            If there are too few offsets, or two are equal.

        Examples
        --------
        >>> Stencil.fit([-1, 0, 2]).weights
        (Fraction(-2, 3), Fraction(1, 2), Fraction(1, 6))
        """
        nodes = _exact_offsets(offsets)
        _check_whole("derivative", derivative, 0, MAX_NODES)
        if len(nodes) <= derivative:
            raise InputError(f"offsets: {len(nodes)} nodes cannot give derivative {derivative}")
        factorial = math.factorial(derivative)
        return cls(nodes, [factorial * basis[derivative] for basis in _lagrange_bases(nodes)])

    @classmethod
    def forward(cls, derivative: int = 1, order: int = 1) -> Self:
        """Return the forward difference on the offsets 0, 1, …, derivative + order − 1."""
        _check_family(derivative, order)
        return cls.fit(range(derivative + order), derivative)

    @classmethod
    def backward(cls, derivative: int = 1, order: int = 1) -> Self:
        """Return the backward difference on the offsets 0, −1, …, 1 − derivative − order."""
        _check_family(derivative, order)
        return cls.fit(range(1 - derivative - order, 1), derivative)

    @classmethod
    def central(cls, derivative: int = 1, order: int = 2) -> Self:
        """Return the central difference of an even order.

        Raises
        ------
        InputError
            If the order is odd: by symmetry no central difference has one.
        """
        _check_family(derivative, order)
        if order % 2:
            raise InputError(f"order: {order} is odd; central differences have even orders")
        half = (derivative + 1) // 2 + order // 2 - 1
        return cls.fit(range(-half, half + 1), derivative)

    def moment(self, j: int) -> Fraction:
        """Return Σ w_k k^j / j!."""
        pairs = zip(self.offsets, self.weights, strict=True)
        return sum((weight * offset**j for offset, weight in pairs), Fraction(0)) / math.factorial(j)

    @cached_property
    def derivative(self) -> int:
        """Which derivative it approximates: the index of the first moment that is not 0."""
        return next(j for j in count() if self.moment(j))

    @cached_property
    def order(self) -> int | float:
        """Order of accuracy p; infinite for the identity."""
        if self.offsets == (Fraction(0),):
            return math.inf
        return next(j for j in count(self.derivative + 1) if self.moment(j)) - self.derivative

    @cached_property
    def error_constant(self) -> Fraction:
        """C in D(ε) = f^(m)(x) + C ε^p f^(m+p)(x) + …, signed; 0 for the identity."""
        return Fraction(0) if self.order == math.inf else self.moment(self.derivative + int(self.order))

    @cached_property
    def amplification(self) -> Fraction:
        """``Σ |w_k|``: how errors of f, divided by ε^m, are amplified at the worst."""
        return sum((abs(weight) for weight in self.weights), Fraction(0))

    @cached_property
    def terms(self) -> tuple[tuple["Term", ...], int]:
        """The sum over the nodes in textbook order, and the common denominator that it is divided by."""
        denominator = math.lcm(*(weight.denominator for weight in self.weights))
        numerators = {k: int(weight * denominator) for k, weight in zip(self.offsets, self.weights, strict=True)}
        places = {k: place for place, k in enumerate(self.offsets)}
        terms = []
        for k in sorted(numerators, key=lambda k: (-abs(k), -k)):
            n, mirrored = numerators[k], numerators.get(-k) if k else None
            paired = mirrored is not None and abs(mirrored) == abs(n)
            if k > 0 or not paired:
                terms.append(Term(n, places[k], places[-k] if paired else None, mirrored == n))
        return tuple(terms), denominator

    def __call__(self, f: Callable[[Any], Any], x: Any, epsilon: Any) -> Any:
        """Return D(ε) in the arithmetic of x and ε: floats, fractions, mpmath numbers or arrays.

        Examples
        --------
        >>> Stencil.central(order=2)(lambda x: x**2, Fraction(3), Fraction(1, 10))
        Fraction(6, 1)
        """
        values = [f(x if k == 0 else x + _simplest(k) * epsilon) for k in self.offsets]
        return combine(self, values, epsilon)

    def __repr__(self) -> str:
        offsets, weights = (", ".join(map(str, row)) for row in (self.offsets, self.weights))
        return f"Stencil(offsets=({offsets}), weights=({weights}))"


def richardson(stencil: Stencil, ratio: object = 2) -> Stencil:
    """Return the stencil of (r^p D(ε) − D(rε)) / (r^p − 1), whose order is higher; ε is the smallest step.

    Parameters
    ----------
    stencil : Stencil
        D, of order p.
    ratio : int, Fraction or str
        r > 1.

    Examples
    --------
    >>> richardson(Stencil.central(order=2)) == Stencil.central(order=4)
    True
    """
    if not isinstance(stencil, Stencil):
        raise InputError(f"stencil: {stencil!r} is not a Stencil")
    r = exact_number(ratio, "ratio")
    if r <= 1 or stencil.order == math.inf:
        raise InputError(f"ratio: {ratio} is not above 1" if r <= 1 else "stencil: the identity has no error")
    gain = r ** int(stencil.order)
    weights = dict.fromkeys(stencil.offsets, Fraction(0))
    for offset, weight in zip(stencil.offsets, stencil.weights, strict=True):
        weights[offset] += gain * weight / (gain - 1)
        weights[r * offset] = weights.get(r * offset, Fraction(0)) - weight / r**stencil.derivative / (gain - 1)
    return Stencil(weights.keys(), weights.values())


def combine(stencil: Stencil, values: Sequence[Any], epsilon: Any, number: Callable[[int], Any] = lambda n: n) -> Any:
    """Combine the values of f at the nodes as textbooks do.

    With w_k = n_k/d the pairs are summed from the outermost to the centre, f₊ − f₋ or f₊ + f₋ where the n_k are
    equal but for the sign; then the sum is divided by d and m times by ε.

    Parameters
    ----------
    stencil : Stencil
        Offsets and weights.
    values : sequence
        f(x + kε) in the order of the offsets, in any arithmetic.
    epsilon : array or number
        The step, in the same arithmetic.
    number : callable
        Rounds a whole number into the arithmetic; by default it stays exact.
    """
    terms, denominator = stencil.terms
    total = None
    for n, place, opposite, is_sum in terms:
        term = values[place]
        if opposite is not None:
            term = term + values[opposite] if is_sum else term - values[opposite]
        total = _add_multiple(total, n, term, number)
    if denominator != 1:
        total = total / number(denominator)
    for _ in range(stencil.derivative):
        total = total / epsilon
    return total


def _add_multiple(total: Any, n: int, term: Any, number: Callable[[int], Any]) -> Any:
    """Return total + n·term; multiplication by ±1 is left out, as it changes no bit."""
    scaled = term if abs(n) == 1 else number(abs(n)) * term
    if total is None:
        return scaled if n > 0 else -scaled
    return total + scaled if n > 0 else total - scaled


def _simplest(k: Fraction) -> int | Fraction:
    return k.numerator if k.denominator == 1 else k


def _exact_list(values: Iterable[object], name: str) -> list[Fraction]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"{name}s: {values!r} is not a list of numbers")
    return [exact_number(value, name) for value in values]


def _exact_offsets(offsets: Iterable[object]) -> list[Fraction]:
    nodes = _exact_list(offsets, "offset")
    if not nodes or len(set(nodes)) != len(nodes):
        raise InputError("offsets: there are none" if not nodes else "offsets: two are equal")
    if len(nodes) > MAX_NODES:
        raise InputError(f"offsets: {len(nodes)} are more than {MAX_NODES}")
    return nodes


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        shown = repr(value) if not isinstance(value, int) or value.bit_length() < 100 else "a huge number"
        raise InputError(f"{name}: {shown} is not a whole number from {low} to {high}")


def _check_family(derivative: int, order: int) -> None:
    _check_whole("derivative", derivative, 1, MAX_NODES // 4)
    _check_whole("order", order, 1, MAX_NODES // 2)


def _lagrange_bases(nodes: list[Fraction]) -> list[list[Fraction]]:
    """Return the coefficients, lowest first, of the polynomials that are 1 at one node and 0 at the others."""
    product = [Fraction(1)]
    for node in nodes:
        product = _times_linear(product, node)
    return [_normalised_quotient(product, node) for node in nodes]


def _times_linear(polynomial: list[Fraction], root: Fraction) -> list[Fraction]:
    shifted = [Fraction(0), *polynomial]
    return [high - root * low for high, low in zip(shifted, [*polynomial, Fraction(0)], strict=True)]


def _normalised_quotient(product: list[Fraction], root: Fraction) -> list[Fraction]:
    """Divide by (t − root) by Horner's scheme and scale so that the value at the root is 1."""
    quotient: list[Fraction] = []
    for coefficient in reversed(product[1:]):
        quotient.insert(0, coefficient + (root * quotient[0] if quotient else 0))
    value = sum((c * root**j for j, c in enumerate(quotient)), Fraction(0))
    return [coefficient / value for coefficient in quotient]
