"""Truncation: what a difference formula leaves at ideal nodes, D1 − D0, in balls at any epsilon.

Nothing is rounded to a dtype, so there is no floor and no underflow: at ε = 10^-300 only the precision is higher.
Beside the ball stands the series of the truncation in powers of ε, which the Taylor coefficients of f at x give, or
where f is not analytic its expansions on both sides. One evaluates f at nodes, the other at x alone.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import sympy

from diffbench.errors import InputError, UncertainError
from diffbench.functions.grammar import Formula
from diffbench.functions.symbolic import SYMPY, to_sympy, to_unevaluated_sympy, variable_symbol
from diffbench.reference.balls import Ball, BallProgram, HardError, exact_ball, precision
from diffbench.reference.branches import branch, has_switches
from diffbench.reference.circles import CircleProgram
from diffbench.reference.exact import as_formula, references
from diffbench.reference.expansions import NotRealError, SideProgram, UnknownError
from diffbench.reference.jets import JetProgram
from diffbench.reference.program import NoBallError
from diffbench.reference.recentring import recentred
from diffbench.reference.verdict import Reference
from diffbench.rounding import exact_number, shown
from diffbench.schemes.scheme import (
    ComplexStepScheme,
    DiagonalStepScheme,
    DifferenceScheme,
)
from diffbench.schemes.stencil import Stencil

TIGHT_BITS = 60
"""Relative accuracy at which a ball of a truncation is small enough."""

LEADING_BITS = 30
"""Relative accuracy that the leading coefficient of a series must have."""

MAX_BITS = 1 << 17
_SIDE_NAMES = {-1: "left", 1: "right"}
_LADDER = (128, 512, 2048)
_MORE_TERMS = (8, 48)
"""How many powers beyond the leading one are asked for; if all of these vanish, how many at the second attempt."""


class NotApplicableError(Exception):
    """The formula cannot be evaluated on f around the point, whatever the epsilon."""


class Node(NamedTuple):
    """A weight times the real, or imaginary, part of f at x + distance · e^(iπ eighths/4) · ε."""

    weight: Fraction
    distance: Fraction
    eighths: int = 0
    imaginary: bool = False


@dataclass(frozen=True)
class Combination:
    """A difference formula ε^-m Σ w Re or Im f(x + kε), k real or along a diagonal.

    Nodes on a diagonal come in pairs of opposite ones, so that all moments are rational.
    """

    derivative: int
    nodes: tuple[Node, ...]

    @property
    def is_real(self) -> bool:
        """Whether f is evaluated on the real line only."""
        return not any(node.eighths for node in self.nodes)

    @cached_property
    def order(self) -> int:
        """Order of accuracy p."""
        above = range(self.derivative + 1, self.derivative + len(self.nodes) + 10)
        return next(j for j in above if self.moment(j)) - self.derivative

    def moment(self, j: int) -> Fraction:
        """Return the factor of f⁽ʲ⁾(x)/j! in Σ w f(x + kε)."""
        return sum((node.weight * node.distance**j * _part(node, j) for node in self.nodes), Fraction(0))

    @cached_property
    def parity(self) -> int | None:
        """0 if all odd moments vanish, 1 if all even ones do, else None.

        As many moments as decide it: the odd, or even, part of the weights vanishes with as many of its moments as it
        has nodes, and the directions repeat after eight.
        """
        count = max(16, 2 * len(self.nodes) + 2)
        present = {j % 2 for j in range(count) if self.moment(j)}
        return present.pop() if len(present) == 1 else None


_COSINES = (1, 0, 0, 0, -1, 0, 0, 0)
"""cos(πn/4), but 0 for the irrational ones, which cancel in pairs of opposite nodes."""


def _part(node: Node, j: int) -> int:
    return _COSINES[(node.eighths * j - 2 * node.imaginary) % 8]


def combination_of(scheme: Stencil | DifferenceScheme) -> Combination:
    """Return the formula of a stencil or scheme; an extrapolated one is its equivalent stencil."""
    one = Fraction(1)
    if isinstance(scheme, ComplexStepScheme):
        if scheme.derivative == 1:
            return Combination(1, (Node(one, one, 2, imaginary=True),))
        return Combination(2, (Node(2 * one, 0 * one), Node(-2 * one, one, 2)))
    if isinstance(scheme, DiagonalStepScheme):
        return Combination(2, (Node(one, one, 1, imaginary=True), Node(one, -one, 1, imaginary=True)))
    stencil = scheme if isinstance(scheme, Stencil) else getattr(scheme, "equivalent_stencil", None)
    if stencil is None:
        raise InputError(f"scheme: {scheme!r} has no formula")
    if stencil.order == math.inf:
        raise InputError("scheme: the identity has no truncation")
    nodes = (Node(weight, offset) for offset, weight in zip(stencil.offsets, stencil.weights, strict=True))
    return Combination(stencil.derivative, tuple(nodes))


@dataclass(frozen=True)
class ErrorSeries:
    """The truncation as Σ c ε^q for small ε.

    Attributes
    ----------
    terms : tuple of (Fraction, Ball)
        Exponents q, rising, and coefficients c; that of the first is certainly not 0. Empty where all vanish.
    vanished : dict
        Exponents below the first whose coefficient is 0 though the formula does not make it so: whether it is 0
        exactly, or only certified to lie within ±2^-1200.
    proof : str
        Why all vanish, where they are known to; what `terms` leaves out is otherwise of higher power.
    """

    terms: tuple[tuple[Fraction, Ball], ...]
    vanished: dict[Fraction, bool]
    proof: str = ""


class Neighbourhood:
    """A formula around a point: its values at nodes, and its expansions in powers of the distance.

    Everything is worked out for f(x + t) with exact coefficients around t = 0, where nothing of x is rounded.

    Parameters
    ----------
    formula : Formula
        Of one variable.
    x : Fraction
        The point.
    """

    def __init__(self, formula: Formula, x: Fraction) -> None:
        self.formula, self.x = formula, x
        self._symbol = variable_symbol(formula)
        self._written = recentred(to_unevaluated_sympy(formula), self._symbol, x)
        self._values: dict[tuple[Fraction, int], Ball] = {}
        self._complex_values: dict[tuple[Fraction, int, int], tuple[Ball, Ball]] = {}
        self._coefficients: dict[tuple[int, int], list[Ball] | None] = {}

    @cached_property
    def _expression(self) -> sympy.Expr:
        with SYMPY:
            return recentred(to_sympy(self.formula), self._symbol, self.x).doit()

    @cached_property
    def _program(self) -> BallProgram:
        return BallProgram(self._written, self._symbol)

    @cached_property
    def _complex_program(self) -> CircleProgram:
        try:
            return CircleProgram(self._written, self._symbol)
        except NoBallError:
            if not has_switches(self._written):
                raise
            raise NotApplicableError("f switches between branches, which do not continue off the real line") from None

    @cached_property
    def _jet(self) -> JetProgram:
        return JetProgram(self._written, self._symbol)

    @cached_property
    def _side(self) -> SideProgram:
        return SideProgram(self._written, self._symbol)

    @cached_property
    def is_analytic(self) -> bool:
        """Whether some precision shows that f is analytic at x."""
        return any(self.taylor(1, bits) is not None for bits in _LADDER)

    def reference(self, derivative: int) -> Reference | None:
        """Return what is known of a derivative at x; None where f is not defined."""
        return references(self.formula, [self.x], derivative)[0]

    def taylor(self, highest: int, bits: int) -> list[Ball] | None:
        """Return the Taylor coefficients at x; None where f is not found to be analytic with these bits."""
        key = highest, bits
        if key not in self._coefficients:
            self._coefficients[key] = self._jet.coefficients(Fraction(0), highest, bits)
        return self._coefficients[key]

    def exact(self, derivative: int, bits: int) -> Ball:
        """Return D0; where f is not analytic, the one-sided limit, the same on both sides where the derivative exists.

        Raises
        ------
        NotRealError, UnknownError
            If neither side tells it.
        """
        coefficients = self.taylor(derivative, bits) if self.is_analytic else None
        if coefficients is not None:
            return _scaled(coefficients[derivative], Fraction(math.factorial(derivative)), bits)
        if self.is_analytic:
            return Ball(None, bits)
        side = 1 if self._is_real_at(1) else -1
        limit = self._side.derivatives(Fraction(0), side, derivative, bits)[derivative]
        return limit if isinstance(limit, Ball) else Ball(None, bits)

    def _is_real_at(self, side: int) -> bool:
        try:
            self._side.coefficients(Fraction(0), side, 1, _LADDER[0])
        except NotRealError:
            return False
        except UnknownError:
            return True
        return True

    # values ------------------------------------------------------------------------------------------------------

    def _value(self, node: Node, epsilon: Fraction, bits: int) -> Ball:
        """Return the part of f at a node that counts."""
        distance = node.distance * epsilon
        if not node.eighths:
            if (distance, bits) not in self._values:
                self._values[distance, bits] = self._program(distance, bits)
            return self._values[distance, bits]
        key = distance, node.eighths, bits
        if key not in self._complex_values:
            self._complex_values[key] = self._complex_program.at_node(Fraction(0), distance, node.eighths, bits)
        return self._complex_values[key][node.imaginary]

    def truncation_with(
        self, formula: Combination, epsilon: Fraction, bits: int, exact: "ExactValue | None" = None
    ) -> Ball:
        """Return the ball of the truncation, computed with a given precision."""
        values = [self._value(node, epsilon, bits) for node in formula.nodes]
        truth = self.exact(formula.derivative, bits) if exact is None else exact(bits)
        if not (truth.is_finite and all(value.is_finite for value in values)):
            return Ball(None, bits)
        with precision(bits):
            weighted = (exact_ball(n.weight) * v.value for n, v in zip(formula.nodes, values, strict=True))
            total = sum(weighted, exact_ball(0.0)) / exact_ball(epsilon**formula.derivative)
            return Ball.of(total - truth.value, bits)

    def truncation(self, formula: Combination, epsilon: Fraction, exact: "ExactValue | None" = None) -> Ball:
        """Return the ball of the truncation, the precision doubled until it is small relative to itself.

        Where it still contains 0 the truncation is 0, or not settled with as many bits as ε^(m+p+48) would need.
        """
        small = max(0, _bit_length(1 / epsilon))
        degree = formula.derivative + formula.order
        bits = 64 * -(-(128 + degree * (small + 1)) // 64)
        last = min(MAX_BITS, max(4 * bits, 1280 + (degree + _MORE_TERMS[1]) * small))
        while True:
            ball = self.truncation_with(formula, epsilon, bits, exact)
            if bits >= last or ball.is_zero or _accuracy(ball) >= TIGHT_BITS:
                return ball
            bits = min(2 * bits, last)

    # series ------------------------------------------------------------------------------------------------------

    def series(self, formula: Combination, exact: "ExactValue | None" = None) -> ErrorSeries | None:
        """Return the series of the truncation in powers of ε, or None where its leading term is not settled.

        Raises
        ------
        NotApplicableError
            If f is not real at the nodes however small ε is, or is no analytic function that a complex step needs.
        NotRealError, UnknownError
            If f has no expansion at x.
        """
        if not formula.is_real:
            self._refuse_real_functions()
        few, many = (formula.derivative + formula.order + more for more in _MORE_TERMS)
        found = self._settled(formula, few, exact)
        if found is not None and not found.terms:
            found = self._settled(formula, many, exact)
        if found is not None and not found.terms:
            return replace(found, proof=self._proof(formula, many))
        return found

    def _settled(self, formula: Combination, highest: int, exact: "ExactValue | None") -> ErrorSeries | None:
        """Return the series with the fewest bits that tell its leading term."""
        attempts = (_sorted_out(self._terms(formula, highest, bits, exact)) for bits in _LADDER)
        return next((found for found in attempts if found is not None), None)

    def _refuse_real_functions(self) -> None:
        if not self.is_analytic:
            raise NotApplicableError("f is not analytic at x, which a complex step needs")
        _ = self._complex_program

    def _terms(
        self, formula: Combination, highest: int, bits: int, exact: "ExactValue | None"
    ) -> list[tuple[Fraction, Ball]] | None:
        """Return exponents and coefficients of the truncation; those that the formula makes 0 are left out."""
        m = formula.derivative
        if self.is_analytic:
            coefficients = self.taylor(highest, bits)
            if coefficients is None:
                return None
            terms = [
                (Fraction(j - m), _scaled(ball, formula.moment(j), bits))
                for j, ball in enumerate(coefficients)
                if j != m and formula.moment(j)
            ]
            if exact is not None:
                gap = _scaled(coefficients[m], formula.moment(m), bits).minus(exact(bits))
                terms.append((Fraction(0), gap))
            return sorted(terms, key=lambda term: term[0])
        truth = self.exact(m, bits) if exact is None else exact(bits)
        return list(self._side_terms(formula, highest, bits, truth)) if truth.is_finite else None

    def _side_terms(
        self, formula: Combination, highest: int, bits: int, truth: Ball
    ) -> Iterator[tuple[Fraction, Ball]]:
        """Yield the terms that both sides give together, with the value at x and the derivative taken off."""
        here = self._program(Fraction(0), bits)
        sums: dict[Fraction, Any] = {}
        with precision(bits):
            for node in formula.nodes:
                for power, value in self._expanded(node, highest, bits, here):
                    sums[power] = sums.get(power, 0) + exact_ball(node.weight) * value
            sums[Fraction(formula.derivative)] = sums.get(Fraction(formula.derivative), 0) - truth.value
            for power in sorted(sums):
                yield power - formula.derivative, Ball.of(sums[power], bits)

    def _expanded(self, node: Node, highest: int, bits: int, here: Ball) -> Iterable[tuple[Fraction, Any]]:
        if not node.distance:
            return [(Fraction(0), here.value)]
        side = 1 if node.distance > 0 else -1
        try:
            coefficients = self._side.coefficients(Fraction(0), side, highest, bits)
        except NotRealError:
            raise NotApplicableError(f"f is not real {_SIDE_NAMES[side]} of {shown(self.x)}") from None
        distance = exact_ball(abs(node.distance))
        return [(q, ball.value * distance ** exact_ball(q)) for q, ball in coefficients.items() if ball.is_finite]

    # proofs ------------------------------------------------------------------------------------------------------

    def _proof(self, formula: Combination, highest: int) -> str:
        """Return why a series of which all known terms vanish is 0, or nothing."""
        sides = (0,) if self.is_analytic else _sides(formula)
        degrees = [self._degree(side) for side in sides]
        known = [degree for degree in degrees if degree is not None]
        if len(known) == len(degrees) and max(known) <= highest:
            where = "around x" if self.is_analytic else f"{' and '.join(_SIDE_NAMES[side] for side in sides)} of x"
            exact = max(known) < formula.derivative + formula.order and self.is_analytic
            return f"f is a polynomial of degree {max(known)} {where}" + ("" if exact else ", whose terms all cancel")
        return "" if formula.parity is None else self._symmetry(formula.parity, highest)

    def _symmetry(self, parity: int, highest: int) -> str:
        """Return how f is symmetric, if the half of it that such a formula sees is a polynomial; or nothing."""
        left, right = (self._branch(side) for side in ((0, 0) if self.is_analytic else (-1, 1)))
        if left is None or right is None:
            return ""
        mirrored = left.subs(self._symbol, -self._symbol)
        degree = _degree_of(right - mirrored if parity else right + mirrored, self._symbol)
        if degree is None or degree > highest:
            return ""
        rest = {-1: "", 0: ", up to a constant"}.get(degree, ", up to a polynomial whose terms all cancel")
        return f"f is {'even' if parity else 'odd'} about x{rest}"

    def _branch(self, side: int) -> sympy.Expr | None:
        try:
            return branch(self._expression, self._symbol, Fraction(0), side)
        except (NoBallError, UncertainError):
            return None

    def _degree(self, side: int) -> int | None:
        """Return the degree of the polynomial that f is around x, or on a side of it; None if it is none."""
        smooth = self._branch(side)
        if smooth is None or not smooth.is_polynomial(self._symbol):
            return None
        return max(0, int(sympy.degree(smooth, self._symbol))) if smooth else 0


class ExactValue:
    """A formula's value at a point, in balls at any precision, in place of the derivative."""

    def __init__(self, formula: Formula, x: Fraction) -> None:
        symbol = variable_symbol(formula)
        self._program = BallProgram(recentred(to_unevaluated_sympy(formula), symbol, x), symbol)

    def __call__(self, bits: int) -> Ball:
        """Return the ball of the value."""
        return self._program(Fraction(0), bits)


@lru_cache(maxsize=64)
def neighbourhood(formula: Formula, x: Fraction) -> Neighbourhood:
    """Return a formula's neighbourhood of a point; what it has found is kept with it."""
    return Neighbourhood(formula, x)


def truncation(formula: object, scheme: Stencil | DifferenceScheme, x: object, epsilon: object) -> Ball:
    """Return the truncation of a scheme, D1 − D0, in a ball of at least 60 bits relative to itself.

    Parameters
    ----------
    formula : str, Formula or Function
        Of one variable.
    scheme : Stencil or DifferenceScheme
        The formula with exact weights.
    x, epsilon : str, int, Fraction or float
        Exact; epsilon above 0, as small as you like.

    Returns
    -------
    Ball
        One that contains 0 is 0, or not settled.

    Raises
    ------
    InputError
        If an argument is wrong, or f is not defined at a node.
    UncertainError
        If the derivative does not exist, or is not settled.

    Examples
    --------
    >>> from diffbench import Stencil
    >>> float(truncation("x**3", Stencil.central(order=2), 1, "1e-300").midpoint * 10**300 * 10**300)
    1.0
    """
    step = exact_number(epsilon, "epsilon")
    if step <= 0:
        raise InputError(f"epsilon: {epsilon} is not above 0")
    near = neighbourhood(as_formula(formula), exact_number(x, "x"))
    combination = combination_of(scheme)
    try:
        _refuse_without_derivative(near, combination.derivative)
        ball = near.truncation(combination, step)
    except NotApplicableError as error:
        raise InputError(f"scheme: {error}") from None
    except (HardError, NoBallError, NotRealError, UnknownError) as error:
        reason = str(error) or "no expansion of f"
        raise UncertainError(f"truncation: not settled at {shown(near.x)}: {reason}") from None
    if not ball.is_finite:
        raise InputError(f"epsilon: {near.formula} is not defined, or not real, at a node for {epsilon}")
    return ball


def _refuse_without_derivative(near: Neighbourhood, derivative: int) -> None:
    reference = None if near.is_analytic else near.reference(derivative)
    if reference is not None and not reference.is_settled:
        raise UncertainError(f"{reference.verdict}: {reference.reason}")
    if reference is None and not near.is_analytic:
        raise InputError(f"x: {near.formula} is not defined, or not real, at {shown(near.x)}")


def slope(first: Ball, second: Ball, ratio: Fraction) -> tuple[float, float]:
    """Return an interval that holds log|first/second| / log ratio, for balls without 0."""
    with precision(128):
        value = (abs(first.value) / abs(second.value)).log() / exact_ball(ratio).log()
        low, high = float(value.lower()), float(value.upper())
    return math.nextafter(low, -math.inf), math.nextafter(high, math.inf)


def gap_to_leading(ball: Ball, leading: tuple[Fraction, Ball], epsilon: Fraction) -> float:
    """Return a bound of |truncation / (c ε^q) − 1|."""
    power, coefficient = leading
    with precision(128):
        ratio = ball.value / (coefficient.value * exact_ball(epsilon) ** exact_ball(power))
        return float(abs(ratio - 1).upper())


def log2_bound(ball: Ball) -> float:
    """Return log2 of the largest magnitude in a ball, −∞ for 0."""
    mantissa, exponent = (int(part) for part in ball.value.abs_upper().man_exp())
    return math.log2(mantissa) + exponent if mantissa else -math.inf


def _sorted_out(terms: list[tuple[Fraction, Ball]] | None) -> ErrorSeries | None:
    """Return the series from its leading term on, or None where more bits must tell which one that is."""
    if terms is None:
        return None
    vanished: dict[Fraction, bool] = {}
    for place, (power, ball) in enumerate(terms):
        if ball.sign and _accuracy(ball) >= LEADING_BITS:
            return ErrorSeries(tuple(terms[place:]), vanished)
        if not (ball.is_zero or ball.has_vanished):
            return None
        vanished[power] = ball.is_zero
    return ErrorSeries((), vanished)


def _sides(formula: Combination) -> tuple[int, ...]:
    """Return the sides of x on which a formula has nodes; the derivative is the same on both."""
    return tuple(side for side in (-1, 1) if any(node.distance * side > 0 for node in formula.nodes))


def _degree_of(half: sympy.Expr, symbol: sympy.Symbol) -> int | None:
    """Return the degree of a polynomial, −1 for 0, or None of what is not seen to be one."""
    half = sympy.expand(half)
    if half.is_polynomial(symbol):
        return int(sympy.degree(half, symbol)) if half else -1
    # log(1 + exp(t)) − log(1 + exp(−t)) is t, which its derivative shows first.
    slope = sympy.simplify(sympy.diff(half, symbol))
    if not slope:
        return 0
    return int(sympy.degree(slope, symbol)) + 1 if slope.is_polynomial(symbol) else None


def _scaled(ball: Ball, factor: Fraction, bits: int) -> Ball:
    with precision(bits):
        return Ball.of(ball.value * exact_ball(factor), bits)


def _accuracy(ball: Ball) -> int:
    return int(ball.value.rel_accuracy_bits()) if ball.is_finite else -1


def _bit_length(value: Fraction) -> int:
    return value.numerator.bit_length() - value.denominator.bit_length()
