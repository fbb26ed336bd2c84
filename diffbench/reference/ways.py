"""The ways to an exact derivative, and the verdict that two of them give.

Where f is analytic: the *symbolic* derivative in balls, confirmed by the *jet* of f itself. Where the symbolic way ends
(no derivative known, or one that swells) the jet of a lower derivative, or of f, takes its place. Where f is not found
analytic at the point: one-sided expansions, confirmed by the symbolic derivatives of the branches. A *circle* confirms
what the others leave alone.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from math import inf
from typing import Any

import mpmath
import sympy

from diffbench.errors import UncertainError
from diffbench.functions.grammar import Formula
from diffbench.functions.symbolic import SYMPY, to_sympy, to_unevaluated_sympy, variable_symbol
from diffbench.reference.balls import Ball, BallProgram, HardError, is_expendable, settled
from diffbench.reference.branches import branch, has_switches
from diffbench.reference.circles import CircleProgram
from diffbench.reference.expansions import NotRealError, SideProgram, UnknownError
from diffbench.reference.jets import JetProgram
from diffbench.reference.multiprecision import agreed_value
from diffbench.reference.program import NoBallError, if_covered
from diffbench.reference.recentring import recentred
from diffbench.reference.verdict import Reference, to_mpf, uncertain
from diffbench.rounding import decimal_text, shown

MAX_BITS = 16384
MAX_SIDE_BITS = 4096
MAX_WEIGHT = 2_000
MAX_FIRST_WEIGHT = 20_000
"""Up to which an expression is differentiated again, or for the first time; beyond it jets take over."""

MAX_WORK = 4_000_000
"""Bits times operations that an evaluation may take in a process that must not be lost."""

CONFIRMING_BITS = 30
"""Relative accuracy that a second opinion must have."""

MAX_KNOWN = 2_000
"""How many references are remembered, so that a long run needs no more memory than a short one."""

_FEW_BITS = 128
_CIRCLE_BITS = 192
_ZERO_BITS = 1300
"""As many as a circle needs to enclose a 0 in ±2^-1200; a ring, whose nodes count half, would need too many."""

_SERIES_BITS = 1600
"""Enough for a coefficient that is 0 to be enclosed in ±2^-1200, and for those that cancel."""

_UNCHECKED = "derivative unchecked: "


@dataclass(frozen=True)
class Primary:
    """The way that gives the value: the jet of length `rest` of a symbolic derivative, or its ball where rest is 0."""

    program: BallProgram | JetProgram
    rest: int
    is_symbolic: bool

    def at_points(self, points: list[Fraction | float], bits: int) -> list[Ball]:
        """Return the balls of the derivative at many points."""
        if bits * self.program.size > MAX_WORK and not is_expendable():
            raise HardError
        if isinstance(self.program, BallProgram):
            return self.program.at_points(points, bits)
        return self.program.at_points(points, self.rest, bits)

    def ladder(self, x: Fraction, digits: int) -> tuple[Ball, tuple[int, float, float] | None]:
        """Double the precision until the ball at a point is small enough; return the last one, and what it gives."""
        bits = 128
        while True:
            ball = self.at_points([x], bits)[0]
            parts = settled([ball], digits)[0]
            if parts is not None or bits >= MAX_BITS:
                return ball, parts
            bits *= 2


@lru_cache(maxsize=4096)
def derived(smooth: sympy.Expr, symbol: sympy.Symbol, derivative: int) -> sympy.Expr | None:
    """Return a symbolic derivative, or None where it or one before it swells."""
    if derivative == 0:
        return smooth
    before = derived(smooth, symbol, derivative - 1)
    bound = MAX_FIRST_WEIGHT if derivative == 1 else MAX_WEIGHT
    if before is None or not _is_light(before, bound):
        return None
    with SYMPY:
        return sympy.diff(before, symbol)


def _is_light(expression: sympy.Expr, bound: int) -> bool:
    """Return whether a derivative stays small: a product of n factors becomes a sum of n products."""
    seen, waiting, weight = {expression}, [expression], 0
    while waiting and weight <= bound:
        node = waiting.pop()
        weight += len(node.args) ** 2 if node.is_Mul else len(node.args)
        new = set(node.args) - seen
        seen |= new
        waiting += new
    return weight <= bound


@lru_cache(maxsize=4096)
def primary(smooth: sympy.Expr, symbol: sympy.Symbol, derivative: int) -> Primary:
    """Return the best program for a derivative of a smooth expression.

    Raises
    ------
    NoBallError
        If a function in it is not covered by balls at all.
    """
    for known in range(derivative, 0, -1):
        expression = derived(smooth, symbol, known)
        if expression is None:
            continue
        try:
            if known == derivative:
                return Primary(BallProgram(expression, symbol), 0, is_symbolic=True)
            return Primary(JetProgram(expression, symbol), derivative - known, is_symbolic=True)
        except NoBallError:
            continue
    if derivative == 0:
        return Primary(BallProgram(smooth, symbol), 0, is_symbolic=True)
    return Primary(JetProgram(smooth, symbol), derivative, is_symbolic=False)


class Ways:
    """All that is known of one derivative of one formula, worked out when it is first needed.

    Parameters
    ----------
    written : SymPy expression
        The formula as it is written, nothing rewritten: what is defined where.
    expression : SymPy expression
        The same as SymPy simplifies it.
    symbol : Symbol
        Its variable.
    derivative : int
        Which derivative.
    origin : Fraction, optional
        Where the user's x is if t = 0, if the formula has been moved.
    """

    def __init__(
        self,
        written: sympy.Expr,
        expression: sympy.Expr,
        symbol: sympy.Symbol,
        derivative: int,
        origin: Fraction | None = None,
    ) -> None:
        half = sympy.Rational(3, 2)
        self._written = written
        # As a hypergeometric function sinc is smooth at 0 as it stands, and so are its derivatives.
        self._expression = expression.replace(sympy.sinc, lambda u: sympy.hyper((), (half,), -(u**2) / 4))
        self._symbol = symbol
        self._derivative = derivative
        self._origin = origin
        self._known: dict[int, dict[Fraction | float, Reference | None]] = {}

    @cached_property
    def _jet(self) -> JetProgram | None:
        return if_covered(JetProgram, self._written, self._symbol)

    @cached_property
    def _value(self) -> BallProgram:
        return BallProgram(self._written, self._symbol)

    def references(self, points: Iterable[Fraction | float], digits: int) -> list[Reference | None]:
        """Return the references at many points; None where the formula is not defined.

        Raises
        ------
        HardError
            If one of them might take without end.
        """
        wanted = list(points)
        known = self._known.setdefault(digits, {})
        if len(known) > MAX_KNOWN:
            known.clear()
        new = [x for x in dict.fromkeys(wanted) if x not in known]
        if new and self._jet is not None and not has_switches(self._expression):
            known |= self._fast(new, digits, self._jet)
            new = [x for x in new if x not in known]
        for x in new:
            known[x] = self.reference(Fraction(x), digits)
        return [known[x] for x in wanted]

    def taylor(self, x: Fraction | float, length: int) -> list[Ball]:
        """Return the first Taylor coefficients at a point from the jet of f, or none where it does not exist."""
        try:
            return [] if self._jet is None else self._jet.coefficients(x, length - 1, _SERIES_BITS) or []
        except HardError:
            return []

    def forget(self) -> None:
        """Forget the references found so far."""
        self._known.clear()

    def _fast(self, points: list[Fraction | float], digits: int, jet: JetProgram) -> dict[Fraction | float, Reference]:
        """Settle the points at which few bits of both ways are enough."""
        try:
            way = primary(self._expression, self._symbol, self._derivative)
        except NoBallError:
            return {}
        waiting = points if way.is_symbolic else []
        opinions: dict[Fraction | float, Ball] = {}
        found: dict[Fraction | float, Reference] = {}
        for bits in (128, 256, 512):
            unclear = [x for x in waiting if x not in opinions]
            opinions |= zip(unclear, jet.at_points(unclear, self._derivative, bits), strict=True)
            balls = way.at_points(waiting, bits)
            for x, ball, parts in zip(waiting, balls, settled(balls, digits), strict=True):
                if not is_tight(opinions[x], ball):
                    del opinions[x]
                elif parts is not None and ball.agrees_with(opinions[x]):
                    found[x] = Reference(
                        "certified", "ball", ball, *parts, None, None, _beyond_range(ball, parts), "jet"
                    )
            waiting = [x for x in waiting if x not in found]
        return found

    def reference(self, x: Fraction, digits: int) -> Reference | None:
        """Return the reference at one point, by whatever ways there are."""
        analytic = self._is_analytic(x)
        if not analytic and not self.is_defined(x):
            return uncertain(f"not settled whether f is defined at {self._shown(x)}") if self.is_hidden(x) else None
        try:
            if analytic or self._jet is None:
                smooth = branch(self._expression, self._symbol, x, 0)
                if not analytic and self._derivative:
                    self._refuse_seam(smooth, x)
                return self._smooth(smooth, x, digits)
            return self._singular(x, digits)
        except UncertainError as error:
            return uncertain(str(error))
        except NoBallError as error:
            return self._without_balls(x, digits, str(error))

    def _refuse_seam(self, smooth: sympy.Expr, x: Fraction) -> None:
        """Refuse a point where branches meet: without a jet nothing else would notice."""
        if any(branch(self._expression, self._symbol, x, side) != smooth for side in (-1, 1)):
            raise UncertainError(f"branches meet at {self._shown(x)}, and f has no expansion")

    def _is_analytic(self, x: Fraction) -> bool:
        """Return whether some precision shows that the jet exists, so that f is analytic at x."""
        if self._jet is None:
            return False
        return any(self._jet(x, self._derivative, bits).is_finite for bits in (128, 512, 2048))

    def is_defined(self, x: Fraction) -> bool:
        """Return whether the formula as it is written has a finite real value at x, or one too large to enclose."""
        try:
            balls = (self._value(x, bits) for bits in (128, 512, 2048, 4096))
            if any(ball.is_finite or ball.is_unbounded for ball in balls):
                return True
        except NoBallError:
            return _witnessed(self._written, self._symbol, x, 15) is not None
        return self._origin is None and self._recentred(x, 0).is_defined(Fraction(0))

    def surely_defined(self, points: list[Fraction | float]) -> list[bool]:
        """Return at which of many points few bits show that the formula has a finite real value."""
        try:
            return [ball.is_finite for ball in self._value.at_points(points, _FEW_BITS)]
        except (NoBallError, HardError):
            return [False] * len(points)

    def is_undefined(self, x: Fraction) -> bool:
        """Return whether the formula as it is written certainly has no finite real value at x."""
        with suppress(NoBallError):
            ball = self._value(x, _FEW_BITS)
            if ball.is_finite or not (ball.is_unbounded or self._value.is_hidden(x, _FEW_BITS)):
                return not ball.is_finite
        return not (self.is_defined(x) or self.is_hidden(x))

    def is_hidden(self, x: Fraction) -> bool:
        """Return whether only rounding keeps a formula without a value from having one."""
        if self._origin is None:
            return self._recentred(x, 0).is_hidden(Fraction(0))
        return self._value.is_hidden(x, MAX_SIDE_BITS)

    def _recentred(self, x: Fraction, derivative: int) -> "Ways":
        """Return the same function of x + t: at t = 0 nothing of a rational like 1/3 has been rounded."""
        written, expression = (recentred(each, self._symbol, x) for each in (self._written, self._expression))
        with SYMPY:
            evaluated = expression.doit()
        return Ways(written, evaluated, self._symbol, derivative, x)

    def _smooth(self, smooth: sympy.Expr, x: Fraction, digits: int) -> Reference:
        """Settle a point at which f equals a smooth expression."""
        try:
            way = primary(smooth, self._symbol, self._derivative)
        except NoBallError:
            return self._circle_alone(smooth, x, digits)
        ball, parts = way.ladder(x, digits)
        if parts is None and self._jet is not None:
            # What SymPy makes of f, or its derivative, may be 0/0 where f itself is analytic.
            way = Primary(self._jet, self._derivative, is_symbolic=False)
            ball, parts = way.ladder(x, digits)
        if parts is None:
            return uncertain(f"not settled with {MAX_BITS} bits", ball)
        found = Reference("agreed", "ball", ball, *parts, reason=_beyond_range(ball, parts))
        return self._confirmed(found, smooth, x, is_symbolic=way.is_symbolic)

    def _confirmed(self, found: Reference, smooth: sympy.Expr, x: Fraction, *, is_symbolic: bool) -> Reference:
        """Return the reference with its verdict, by the jet of f or by a circle."""
        if is_symbolic and self._jet is not None:
            bits = max(128, found.ball.bits // 2)
            while bits <= 2 * max(found.ball.bits, MAX_SIDE_BITS):
                jet = self._jet(x, self._derivative, bits)
                if is_tight(jet, found.ball):
                    return judged(found, jet, "jet")
                bits *= 2
        return self._by_circle(found, smooth, x, hole=False)

    def _by_circle(self, found: Reference, smooth: sympy.Expr, x: Fraction, *, hole: bool) -> Reference:
        try:
            program = CircleProgram(smooth, self._symbol)
        except NoBallError as error:
            return _unchecked(found, f"no second way for {error}")
        bits = _ZERO_BITS if found.ball.has_vanished and not hole else _CIRCLE_BITS
        for circle in program.derivatives(x, self._derivative, bits, hole=hole):
            if is_tight(circle, found.ball):
                return judged(found, circle, "circle")
        return _unchecked(found, f"no second way settles it at {self._shown(x)}")

    def _circle_alone(self, smooth: sympy.Expr, x: Fraction, digits: int) -> Reference:
        """Settle by circles what has neither a symbolic derivative nor a jet: besselj(x, 2)."""
        program = CircleProgram(smooth, self._symbol)
        for bits in (256, 512, 1024):
            for circle in program.derivatives(x, self._derivative, bits):
                parts = settled([circle], digits)[0]
                if parts is not None:
                    reason = f"{_UNCHECKED}neither a symbolic derivative nor a jet"
                    return Reference("agreed", "ball", circle, *parts, reason=reason)
        return uncertain(f"no circle around {self._shown(x)} settles it")

    def _singular(self, x: Fraction, digits: int) -> Reference:
        """Settle a point at which f is not found analytic, by its expansions on both sides."""
        if self._origin is None:
            return self._recentred(x, self._derivative).reference(Fraction(0), digits) or self._not_expanded(x)
        program = SideProgram(self._written, self._symbol)
        bits = 128
        while bits <= MAX_SIDE_BITS:
            seam = _Seam(self._value(x, bits), program, x, self._derivative, bits, self._shown(x))
            try:
                found = seam.reference(digits)
            except UnknownError:
                found = None
            if found is not None:
                return self._confirmed_seam(found, x, seam.sides) if found.is_settled else found
            bits *= 2
        return self._not_expanded(x)

    def _shown(self, x: Fraction) -> str:
        return shown(x + (self._origin or 0))

    def _not_expanded(self, x: Fraction) -> Reference:
        if self._value(x, MAX_SIDE_BITS).is_unbounded:
            return uncertain(f"f cannot be enclosed at {self._shown(x)}: too large, or at a branch point")
        return uncertain(f"f is not found analytic at {self._shown(x)}, nor its expansions on both sides")

    def _confirmed_seam(self, found: Reference, x: Fraction, sides: tuple[int, ...]) -> Reference:
        """Confirm a derivative that exists where branches meet, by those of the branches or by a ring around x."""
        try:
            ends = [branch(self._expression, self._symbol, x, side) for side in sides]
            balls = [self._branch_ball(end, side or 1, x, found) for end, side in zip(ends, sides, strict=True)]
        except (NoBallError, UncertainError) as error:
            return _unchecked(found, str(error))
        known = [ball for ball in balls if ball is not None]
        if len(known) == len(balls):
            return min((judged(found, ball, "symbolic") for ball in known), key=lambda each: each.is_settled)
        if len(ends) == 2 and ends[0] == ends[1]:
            return self._by_circle(found, ends[0], x, hole=True)
        return _unchecked(found, f"the branches that meet at {self._shown(x)} have no symbolic derivative")

    def _branch_ball(self, smooth: sympy.Expr, side: int, x: Fraction, found: Reference) -> Ball | None:
        """Return the symbolic derivative of a branch, of −t to the left: SymPy leaves (−x)^(3/2)/x as it is, 0/0."""
        symbol = self._symbol
        with SYMPY:
            mirrored = smooth.subs(symbol, side * symbol)
        expression = derived(mirrored, symbol, self._derivative)
        if expression is None:
            return None
        ball = BallProgram(side**self._derivative * expression, symbol)(side * x, max(256, found.ball.bits))
        return ball if is_tight(ball, found.ball) else None

    def _without_balls(self, x: Fraction, digits: int, function: str) -> Reference:
        """Return what two precisions of mpmath agree on; heuristic, so no more than "agreed"."""
        smooth = self._expression
        expression = None if has_switches(smooth) else derived(smooth, self._symbol, self._derivative)
        ball = None if expression is None else _witnessed(expression, self._symbol, x, digits)
        parts = None if ball is None else settled([ball], digits)[0]
        reason = f"no ball arithmetic for {function}"
        if ball is None or parts is None:
            return uncertain(f"{reason}, and two precisions of mpmath do not agree", method="mpmath")
        return Reference("agreed", "mpmath", ball, *parts, reason=reason)


@dataclass(frozen=True)
class _Seam:
    """A point where f is not found analytic: its value there and its expansions on both sides."""

    here: Ball
    program: SideProgram
    x: Fraction
    derivative: int
    bits: int
    shown: str

    @cached_property
    def left(self) -> list[Ball | float] | None:
        """The limits of f, f′, … from the left; None where f is not real there."""
        return self._limits(-1)

    @cached_property
    def right(self) -> list[Ball | float] | None:
        """The same from the right."""
        return self._limits(1)

    def _limits(self, side: int) -> list[Ball | float] | None:
        try:
            return self.program.derivatives(self.x, side, self.derivative, self.bits)
        except NotRealError:
            return None

    @property
    def sides(self) -> tuple[int, ...]:
        """The sides whose branches tell the derivative; 0 for the value at x itself."""
        if self.derivative == 0:
            return (0,)
        return tuple(side for side, limits in ((-1, self.left), (1, self.right)) if limits is not None)

    def reference(self, digits: int) -> Reference | None:
        """Return the reference, or None where more bits are needed."""
        if self.derivative == 0:
            parts = settled([self.here], digits)[0]
            return None if parts is None else Reference("agreed", "ball", self.here, *parts)
        known = [limits for limits in (self.left, self.right) if limits is not None]
        if not known:
            return _nondifferentiable(f"f is not real on either side of {self.shown}", None, None)
        for m in range(self.derivative + 1):
            values = [self.here] * (m == 0) + [limits[m] for limits in known]
            if any(isinstance(value, float) for value in values):
                return self._parted(m, "is infinite")
            if not all(_are_equal(values[0], value) for value in values[1:]):
                return self._parted(m, "has a jump")
        ball: Any = known[-1][self.derivative]
        parts = settled([ball], digits)[0]
        if parts is None:
            return None
        absent = (
            ""
            if len(known) == 2
            else f"one-sided: f is not real {'left' if self.left is None else 'right'} of {self.shown}"
        )
        return Reference("agreed", "ball", ball, *parts, reason=absent)

    def _parted(self, m: int, how: str) -> Reference:
        """Return both one-sided limits of the difference quotient of derivative m − 1, where that one exists at x."""
        reason = f"{'derivative ' + str(m) if m else 'f'} {how} at {self.shown}"
        sides = ((self.left, -1), (self.right, 1))
        if m == self.derivative:
            return _nondifferentiable(reason, *(None if limits is None else limits[m] for limits, _ in sides))
        if m == 0 and self.derivative == 1:
            return _nondifferentiable(
                reason, *(None if limits is None else self._quotient(limits, side) for limits, side in sides)
            )
        return _nondifferentiable(reason, None, None)

    def _quotient(self, limits: list[Any], side: int) -> Any:
        """Return the limit of (f(x ± t) − f(x))/±t: infinite where f jumps."""
        if isinstance(limits[0], float):
            return limits[0] * side
        if _are_equal(self.here, limits[0]):
            return limits[1]
        return inf if (limits[0].minus(self.here).sign > 0) == (side > 0) else -inf


def _nondifferentiable(reason: str, left: Any, right: Any) -> Reference:
    return Reference("nondifferentiable", left=_shown_limit(left), right=_shown_limit(right), reason=reason)


def _shown_limit(limit: Any) -> Any:
    return to_mpf(limit.midpoint) if isinstance(limit, Ball) else None if limit is None else mpmath.mpf(limit)


def _witnessed(expression: sympy.Expr, symbol: sympy.Symbol, x: Fraction, digits: int) -> Ball | None:
    """Ask mpmath, which may take without end, in a process that may be lost."""
    if not is_expendable():
        raise HardError
    return agreed_value(expression, symbol, x, digits)


def _are_equal(first: Any, second: Any) -> bool:
    """Decide whether two balls are the same number, certified absolutely; an undecided one needs more bits."""
    if not (first.is_finite and second.is_finite):
        raise UnknownError
    gap = first.minus(second)
    if gap.has_vanished:
        return True
    if gap.contains_zero:
        raise UnknownError
    return False


def _beyond_range(ball: Ball, parts: tuple[int, float, float]) -> str:
    """Return what is to be said of a value that no number is printed for."""
    if parts[0] == 0 and ball.overflow:
        return "its absolute value is above 2^131072"
    return "its absolute value is below 2^-131072" if parts[1] == 0 and ball.is_below_range else ""


def is_tight(opinion: Ball, ball: Ball) -> bool:
    """Return whether a second opinion says enough to confirm or to contradict."""
    if opinion.value is None or ball.value is None:
        return False
    if opinion.value.rel_accuracy_bits() >= CONFIRMING_BITS:
        return True
    if ball.has_vanished:
        return opinion.has_vanished or not opinion.contains_zero
    return False


def _unchecked(found: Reference, why: str) -> Reference:
    return found._replace(reason="; ".join(filter(None, (found.reason, f"{_UNCHECKED}{why}"))))


def judged(found: Reference, opinion: Ball, name: str) -> Reference:
    """Return a reference with the verdict that a second opinion gives it."""
    if found.ball.agrees_with(opinion):
        return found._replace(verdict="certified", second_opinion=name)
    return uncertain(f"two ways disagree: {name} gives {decimal_text(to_mpf(opinion.midpoint), 17)}", found.ball)


@lru_cache(maxsize=1024)
def ways_to(formula: Formula, derivative: int) -> Ways:
    """Return the ways to a derivative of a formula; what they have found is kept with them."""
    return Ways(to_unevaluated_sympy(formula), to_sympy(formula), variable_symbol(formula), derivative)
