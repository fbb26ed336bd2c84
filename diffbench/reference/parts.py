"""The four parts of an error, in balls: what the formula, its nodes, f and the arithmetic contribute.

With D0 the exact derivative, D1 the exact difference formula, D2 the same at the nodes that were used, D3 the same
with the computed f, and D4 the estimate: truncation is D1 − D0, node D2 − D1, evaluation D3 − D2, arithmetic D4 − D3.
Each is worked out on its own, so that they add up to the error is a test of all of them.

The truncation follows from the Taylor series of f at x, where what the series leaves out is negligible: by Cauchy's
inequality |f^(j)(x)/j!| ≤ M/ρ^j if f is analytic with |f| ≤ M on the disc of radius ρ around x. Elsewhere it is
D1 − D0.
"""

import cmath
import math
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sympy
from flint import acb, arb, arb_poly, ctx

from diffbench.functions.grammar import Formula
from diffbench.functions.symbolic import SYMPY, to_sympy, to_unevaluated_sympy, variable_symbol
from diffbench.reference.balls import REAL, Ball, HardError, exact_ball, precision
from diffbench.reference.circles import CircleProgram
from diffbench.reference.jets import JetProgram
from diffbench.reference.program import Operation, Program, if_covered
from diffbench.schemes.scheme import DifferenceScheme, Offset, Share

Array = npt.NDArray[Any]

PARTS = ("truncation", "node", "evaluation", "arithmetic")

TERMS = 32
"""Taylor terms of the truncation."""

_BITS = (192, 384, 768, 1536, 3072)
_CERTAIN = 51
"""Bits of a part, or as much as this of the largest one's:"""
_NEGLIGIBLE = 1e-14
_ROOM = 92
"""So many bits less than the working precision a part must fall below the values it is a sum of to be taken for 0."""

_DEGREE_BITS = 256
_DISC_BITS = 64
_LARGEST_DISC = 16
_TRIALS = 60


Number = float | Fraction
"""A number that was computed: a rational where float64 does not hold those of its dtype."""


class Complex(NamedTuple):
    """A complex number of a dtype whose numbers float64 does not hold."""

    real: Fraction
    imag: Fraction


class Measured(NamedTuple):
    """What was computed at one point.

    Attributes
    ----------
    epsilons : sequence of float or Fraction
        E epsilons, none of them 0 where there is an estimate.
    known : mapping
        By offset, E nodes that were used and f at them, real or complex; None for a rational that is not finite.
    estimates : array
        (S, E); NaN where there is none.
    precision : int
        Bits of a significand, at most.
    """

    epsilons: Sequence[Number]
    known: Mapping[Offset, tuple[Sequence[Any], Sequence[Any]]]
    estimates: Array
    precision: int = 53

    @property
    def bits(self) -> list[int]:
        """The precisions that may show a part: fewer bits do not tell one number from the next."""
        return [bits for bits in _BITS if bits >= self.precision + _CERTAIN]


class Form:
    """A scheme as a sum over nodes with whole numbers: Σ n_k Re f_k, or Im f_k, over d ε^m."""

    def __init__(self, scheme: DifferenceScheme) -> None:
        shares = scheme.shares
        self.derivative = scheme.derivative
        self.order = scheme.order
        self.denominator = math.lcm(*(share.weight.denominator for share in shares))
        self.terms = tuple((_place(share), int(share.weight * self.denominator)) for share in shares)
        self.log_weight = math.log2(sum(abs(share.weight) for share in shares))
        self.log_reach = max(_log_size(share.offset) for share in shares)
        first = self.derivative + self.order
        self._exact_moments = [scheme.moment(j) for j in range(first, TERMS)]
        self._moments: dict[int, list[arb]] = {}

    def truncation(self, coefficients: Sequence[arb]) -> arb_poly:
        """Return the truncation over ε^p as a polynomial in ε, at the present precision."""
        if ctx.prec not in self._moments:
            self._moments[ctx.prec] = [exact_ball(moment) for moment in self._exact_moments]
        first = self.derivative + self.order
        pairs = zip(coefficients[first:], self._moments[ctx.prec], strict=False)
        return arb_poly([a * moment for a, moment in pairs])


Place = tuple[Offset, bool]
"""An offset, and whether the imaginary part of f counts there."""


def _place(share: Share) -> Place:
    return share.offset, share.is_imaginary


def _log_size(offset: Offset) -> float:
    size = math.hypot(float(offset.real), float(offset.imaginary))
    return math.log2(size) if size else -math.inf


class _Disc(NamedTuple):
    """A disc around x on which f is analytic, and a bound of |f| there, as binary logarithms."""

    radius: float
    bound: float

    @property
    def cost(self) -> float:
        """The logarithm of what M/ρ^N has to do with the rest of a series."""
        return self.bound - TERMS * self.radius

    def log_rest(self, form: Form, epsilon: float) -> float:
        """Return the logarithm of a bound of what a series leaves out: W M/ε^m q^N/(1 − q), q = κε/ρ ≤ 1/2."""
        ratio = form.log_reach + epsilon - self.radius
        if ratio > -1:
            return math.inf
        return form.log_weight + self.bound + TERMS * ratio - form.derivative * epsilon + 1


class _Terms(NamedTuple):
    """What one node contributes to the parts: f̂, f̂ − f and f at the node − f at the ideal one, and the last."""

    computed: arb
    evaluation: arb
    node: arb | None
    ideal: arb


@lru_cache(maxsize=64)
def parts_of(formula: Formula) -> "PartsProgram":
    """Return the program for a formula.

    Raises
    ------
    NoBallError
        If balls do not cover it.
    """
    return PartsProgram(to_unevaluated_sympy(formula), to_sympy(formula), variable_symbol(formula))


class PartsProgram:
    """A formula whose errors are taken apart.

    Parameters
    ----------
    written, expression : SymPy expression
        The formula as it is written, and as SymPy simplifies it.
    symbol : Symbol
        Its variable.
    """

    def __init__(self, written: sympy.Expr, expression: sympy.Expr, symbol: sympy.Symbol) -> None:
        self._written, self._expression, self._symbol = written, expression, symbol
        self._real = Program(expression, symbol, REAL)

    @cached_property
    def _jet(self) -> JetProgram | None:
        return if_covered(JetProgram, self._written, self._symbol)

    @cached_property
    def _circle(self) -> CircleProgram | None:
        return if_covered(CircleProgram, self._expression, self._symbol)

    @cached_property
    def _degree(self) -> int | None:
        """The degree of a polynomial, None for everything else."""
        bound = _degree_bound(self._expression, self._symbol)
        if bound is None or bound >= TERMS:
            return bound
        # Coefficients such as exp(1/5) take SymPy minutes to multiply out.
        if _has_bound_as_degree(self._expression, self._symbol):
            return bound
        with SYMPY:
            polynomial = sympy.Poly(self._expression, self._symbol)
        return 0 if polynomial.is_zero else int(polynomial.degree())

    def at(self, x: Number) -> "Centre":
        """Return what is known of f around a point."""
        return Centre(self, x)

    def coefficients(self, x: Number) -> list[arb]:
        """Return Taylor coefficients at x at the present precision, none where f is not found to be analytic."""
        if self._jet is None:
            return []
        highest = TERMS - 1 if self._degree is None else min(TERMS - 1, self._degree)
        try:
            return [ball.value for ball in self._jet.coefficients(x, highest, ctx.prec) or ()]
        except HardError:
            return []

    def function(self, *, is_complex: bool) -> Operation | None:
        """Return f on balls at the present precision."""
        if not is_complex:
            return self._real.at_present_precision()
        return None if self._circle is None else self._circle.at_present_precision()

    @property
    def is_finite_series(self) -> bool:
        """Whether the Taylor series has no more than :data:`TERMS` terms."""
        return self._degree is not None and self._degree < TERMS

    def disc(self, x: Number) -> _Disc | None:
        """Return the disc on which f is analytic that leaves the least rest of the series."""
        if self._circle is None or self.is_finite_series:
            return None
        with precision(_DISC_BITS):
            f = self._circle.at_present_precision()
            exact = abs(Fraction(x))
            size = float(exact) if exact <= sys.float_info.max else sys.float_info.max
            for largest in (max(1.0, size) * _LARGEST_DISC, float(_LARGEST_DISC), size):
                disc = _best_disc(f, x, largest)
                if disc is not None:
                    return disc
        return None


def _has_bound_as_degree(expression: sympy.Expr, symbol: sympy.Symbol) -> bool:
    """Return whether a polynomial is seen to have the degree that its bound allows: its first coefficient is not 0."""
    with SYMPY:
        first = Program(_first_coefficient(expression, symbol), symbol, REAL)
    try:
        with precision(_DEGREE_BITS):
            ball = first.at_present_precision()(arb(0))
            return bool(ball.is_finite() and not ball.contains(0))
    except HardError:
        return False


def _first_coefficient(node: Any, symbol: sympy.Symbol) -> Any:
    """Return the coefficient of the power that is the bound of the degree, without expanding anything."""
    if symbol not in node.free_symbols:
        return node
    if node.is_Pow:
        return _first_coefficient(node.base, symbol) ** node.exp
    bounds = [_degree_bound(part, symbol) or 0 for part in node.args]
    parts = [
        _first_coefficient(part, symbol)
        for part, bound in zip(node.args, bounds, strict=True)
        if node.is_Mul or bound == max(bounds)
    ]
    return node.func(*parts) if parts else sympy.S.One


def _degree_bound(node: sympy.Basic, symbol: sympy.Symbol) -> int | None:
    """Return what the degree of a polynomial is at most, without expanding it; None if it may be none."""
    if symbol not in node.free_symbols:
        return 0
    bounds = [_degree_bound(part, symbol) for part in node.args[: 1 if node.is_Pow else None]]
    known = [bound for bound in bounds if bound is not None]
    if len(known) < len(bounds):
        return None
    if node.is_Pow:
        return known[0] * int(node.exp) if node.exp.is_Integer and node.exp > 0 else None
    return 1 if node == symbol else max(known) if node.is_Add else sum(known) if node.is_Mul else None


def _best_disc(f: Operation, x: Number, largest: float) -> _Disc | None:
    """Return the best disc from a radius downwards: half of it costs a bit a term, and may gain in the bound."""
    best = None
    for halvings in range(_TRIALS):
        radius = math.ldexp(largest, -halvings)
        bound = _bound(f, x, radius) if radius else None
        if bound is None:
            continue
        disc = _Disc(math.log2(radius), bound)
        if best is not None and disc.cost >= best.cost:
            break
        best = disc
    return best


def _bound(f: Operation, x: Number, radius: float) -> float | None:
    """Return the logarithm of a bound of |f| on a disc, or None where f is not found to be analytic there."""
    spread = arb(0, radius)
    try:
        value = f(acb(exact_ball(x) + spread, spread))
    except HardError:
        return None
    if not value.is_finite():
        return None
    upper = value.abs_upper()
    return float(upper.log()) / math.log(2) + 1e-6 if upper > 0 else -1e6


class Centre:
    """A point with what is known of f around it, which serves every epsilon and scheme.

    Parameters
    ----------
    program : PartsProgram
        The formula.
    x : float or Fraction
        The point.
    """

    def __init__(self, program: PartsProgram, x: Number) -> None:
        self.program, self.x = program, x
        self._coefficients: dict[int, list[arb]] = {}
        self._series: dict[tuple[Form, int], arb_poly | None] = {}

    def parts(self, measured: Measured, forms: Sequence[Form], truth: Ball) -> Array:
        """Return the parts of all errors at a point.

        Parameters
        ----------
        measured : Measured
            What was computed here.
        forms : sequence of Form
            The S schemes.
        truth : Ball
            The exact derivative.

        Returns
        -------
        array
            (4, S, E) in the order of :data:`PARTS`; NaN where there is no estimate or f is not settled.
        """
        found = np.full((len(PARTS), *measured.estimates.shape), np.nan)
        known = np.isfinite(measured.estimates.astype(np.float64, copy=False))
        waiting = np.flatnonzero(known.any(axis=0)).tolist()
        for bits in measured.bits:
            if not waiting:
                break
            try:
                with precision(bits):
                    work = _Work(self, measured, forms, truth)
                    waiting = [column for column in waiting if not work.fill(found, column)]
            except HardError:
                break
        return found

    @cached_property
    def disc(self) -> _Disc | None:
        """The disc on which f is analytic that leaves the least rest of the series."""
        return self.program.disc(self.x)

    def series(self, form: Form) -> arb_poly | None:
        """Return the truncation of a scheme over ε^p as a polynomial in ε, at the present precision; None without."""
        bits = ctx.prec
        if (form, bits) not in self._series:
            if bits not in self._coefficients:
                has_series = self.program.is_finite_series or self.disc is not None
                self._coefficients[bits] = self.program.coefficients(self.x) if has_series else []
            known = self._coefficients[bits]
            self._series[form, bits] = form.truncation(known) if known else None
        return self._series[form, bits]


class _Work:
    """The parts at one point with one precision, which must be the present one."""

    def __init__(self, centre: Centre, measured: Measured, forms: Sequence[Form], truth: Ball) -> None:
        self._centre = centre
        self._measured = measured
        self._forms = forms
        self._truth = truth.value
        self._real = centre.program.function(is_complex=False)
        self._complex = centre.program.function(is_complex=True)
        self._x = _dyadic(centre.x)

    def fill(self, found: Array, column: int) -> bool:
        """Fill in the parts of all schemes at one epsilon; return whether all of them are settled."""
        epsilon = _dyadic(self._measured.epsilons[column])
        terms: dict[Place, _Terms | None] = {}
        settled = True
        for s, form in enumerate(self._forms):
            estimate = self._measured.estimates[s, column]
            # What fewer bits have settled stays: no bit of a cell depends on what is measured beside it.
            if not math.isfinite(estimate) or not math.isnan(found[0, s, column]):
                continue
            for place, _ in form.terms:
                if place not in terms:
                    terms[place] = self._terms(place, column, epsilon)
            own = [(n, known) for place, n in form.terms if (known := terms[place]) is not None]
            words = self._words(form, own, epsilon, estimate) if len(own) == len(form.terms) else None
            if words is None:
                settled = False
            else:
                found[:, s, column] = words
        return settled

    def _terms(self, place: Place, column: int, epsilon: arb) -> _Terms | None:
        """Return what a node contributes, or None where f has no value there."""
        offset, is_imaginary = place
        if offset not in self._measured.known:
            return None
        node, value = (row[column] for row in self._measured.known[offset])
        if not (_is_finite(node) and _is_finite(value)):
            return None
        if offset.imaginary:
            used, ideal, f = self._complex_nodes(offset, node, epsilon)
        else:
            used, ideal, f = _dyadic(node), self._x + epsilon * exact_ball(offset.real), self._real
        if f is None:
            return None
        is_ideal = used == ideal or self._is_ideal(offset, node, column)
        try:
            at_used = f(used)
            at_ideal = at_used if is_ideal else f(ideal)
        except HardError:
            return None
        if isinstance(at_used, acb):
            at_used, at_ideal = (v.imag if is_imaginary else v.real for v in (at_used, at_ideal))
            value = value.imag if is_imaginary else value.real
        if not (at_used.is_finite() and at_ideal.is_finite()):
            return None
        computed = _dyadic(value)
        return _Terms(computed, computed - at_used, None if is_ideal else at_used - at_ideal, at_ideal)

    def _is_ideal(self, offset: Offset, node: Any, column: int) -> bool:
        """Whether a real node is where it ought to be, though kε is no binary number."""
        if offset.imaginary:
            return False
        if isinstance(node, float) and offset.real.denominator & (offset.real.denominator - 1) == 0:
            return False
        x, epsilon = (Fraction(value) for value in (self._centre.x, self._measured.epsilons[column]))
        return Fraction(node) == x + offset.real * epsilon

    def _complex_nodes(
        self, offset: Offset, node: complex | Complex, epsilon: arb
    ) -> tuple[acb, acb, Operation | None]:
        used = acb(_dyadic(node.real), _dyadic(node.imag))
        if not offset.real:
            return used, acb(self._x, epsilon * exact_ball(offset.imaginary)), self._complex
        ideal = acb(self._x + epsilon * exact_ball(offset.real), epsilon * exact_ball(offset.imaginary))
        return used, ideal, self._complex

    def _parts(
        self, form: Form, own: Sequence[tuple[int, _Terms]], epsilon: arb, estimate: Number
    ) -> tuple[arb, arb, arb, arb]:
        scale = epsilon**form.derivative * form.denominator
        node, evaluation, computed = arb(0), arb(0), arb(0)
        for n, terms in own:
            computed += terms.computed * n
            evaluation += terms.evaluation * n
            if terms.node is not None:
                node += terms.node * n
        truncation = self._truncation(form, epsilon)
        if truncation is None:
            truncation = sum((terms.ideal * n for n, terms in own), arb(0)) / scale - self._truth
        return truncation, node / scale, evaluation / scale, _dyadic(estimate) - computed / scale

    def _words(
        self, form: Form, own: Sequence[tuple[int, _Terms]], epsilon: arb, estimate: Number
    ) -> list[float] | None:
        """Return the parts as floats, or None where one of them is not settled."""
        parts = self._parts(form, own, epsilon, estimate)
        words = [float(part.mid()) for part in parts]
        if not all(map(math.isfinite, words)):
            return None
        bound = _NEGLIGIBLE * max(map(abs, words))
        unclear = [part for part in parts if not part.is_zero() and part.rel_accuracy_bits() < _CERTAIN]
        if all(part.is_finite() and float(part.rad()) <= bound for part in unclear):
            return words
        # Where nothing is left but what may be 0, as by symmetry, no precision would tell more.
        is_rest = len(unclear) + sum(part.is_zero() for part in parts) == len(parts)
        if not is_rest or not self._error(estimate).contains(0) or not _could_tell(form, epsilon):
            return None
        tiny = _size(form, own, epsilon) * arb((1, _ROOM - ctx.prec))
        return [0.0] * len(parts) if all(part.contains(0) and abs(part) < tiny for part in unclear) else None

    def _error(self, estimate: Number) -> arb:
        return _dyadic(estimate) - self._truth

    def _truncation(self, form: Form, epsilon: arb) -> arb | None:
        """Return the truncation from the Taylor series, or None where that is not settled."""
        series, disc = self._centre.series(form), self._centre.disc
        if series is None:
            return None
        value = series(epsilon) * epsilon**form.order
        if disc is not None:
            value += arb(0, 1) * _power_of_two(disc.log_rest(form, _log2(epsilon)))
        return value if value.is_zero() or value.rel_accuracy_bits() >= _CERTAIN else None


def _dyadic(value: Number) -> arb:
    """Return the point that a number of a dtype is, whatever the present precision."""
    if isinstance(value, Fraction):
        return arb((value.numerator, 1 - value.denominator.bit_length()))
    return arb(float(value))


def _log2(epsilon: arb) -> float:
    """Return the binary logarithm of a positive number, which float64 need not hold."""
    size = float(epsilon)
    return math.log2(size) if sys.float_info.min <= size < math.inf else float(epsilon.log() / arb.const_log2())


def _is_finite(value: Any) -> bool:
    return value is not None and (isinstance(value, (Fraction, Complex)) or cmath.isfinite(value))


def _could_tell(form: Form, epsilon: arb) -> bool:
    """Whether the present precision, or the highest one, would tell a truncation of ε^p from 0."""
    needed = _ROOM + _CERTAIN - (form.derivative + form.order) * _log2(epsilon)
    return bool(ctx.prec >= min(needed, _BITS[-1]))


def _size(form: Form, own: Sequence[tuple[int, _Terms]], epsilon: arb) -> arb:
    """Return the sum of the magnitudes that an estimate is made of."""
    total = sum((abs(terms.computed) * abs(n) for n, terms in own), arb(0))
    return total / (epsilon**form.derivative * form.denominator)


def _power_of_two(exponent: float) -> arb:
    return arb.pos_inf() if exponent == math.inf else arb((1, math.ceil(exponent)))
