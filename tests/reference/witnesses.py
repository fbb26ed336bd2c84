"""Every function of the grammar beside the same one in mpmath, where it is analytic, and where it is not."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import mpmath
import pytest
import sympy

from diffbench import Stencil, parse_formula
from diffbench.functions.symbolic import to_sympy, to_unevaluated_sympy
from diffbench.reference.branches import branch

X = sympy.Symbol("x", real=True)

DERIVATIVES = (0, 1, 2, 4)
_STEP_DIGITS, _WORKING_DIGITS, RIGHT_DIGITS = 12, 130, 60
"""Differences over nine nodes, 1e-12 apart: their error is 1e-72 times a tenth derivative, and 48 digits cancel."""


@dataclass(frozen=True)
class Witness:
    """A formula, what mpmath calls it, points where it is analytic and points where it has no derivative."""

    text: str
    function: object
    points: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()

    def __str__(self):
        return self.text.replace(" ", "")

    @property
    def written(self):
        return to_unevaluated_sympy(parse_formula(self.text, "x"))

    @property
    def expression(self):
        return to_sympy(parse_formula(self.text, "x"))

    def truth(self, point, derivative):
        return truth(self, point, derivative)

    def smooth(self, point):
        """The branch that holds at a point of analyticity."""
        return branch(self.expression, X, Fraction(point), 0)


def truth(witness, point, derivative):
    """Return a derivative by exact differences of mpmath's values."""
    weights = central_weights(derivative)
    with mpmath.workdps(_WORKING_DIGITS):
        terms = [
            mpmath.mpf(w.numerator) / w.denominator * node
            for w, node in zip(weights, _nodes(witness, point), strict=True)
        ]
        return mpmath.fsum(terms) * mpmath.mpf(10) ** (_STEP_DIGITS * derivative)


@cache
def _nodes(witness, point):
    with mpmath.workdps(_WORKING_DIGITS):
        x, step = mpmath.mpf(Fraction(point).numerator) / Fraction(point).denominator, mpmath.mpf(10) ** -_STEP_DIGITS
        values = [mpmath.mpmathify(witness.function(x + k * step)) for k in range(-4, 5)]
        assert all(abs(mpmath.im(value)) < mpmath.mpf(10) ** -120 for value in values)
        return [mpmath.re(value) for value in values]


@cache
def central_weights(derivative):
    stencil = Stencil.fit(range(-4, 5), derivative)
    weights = dict(zip(stencil.offsets, stencil.weights, strict=True))
    return [weights.get(k, Fraction(0)) for k in range(-4, 5)]


def enclosed(ball, value, digits):
    """Return whether a ball holds an mpmath number, up to an error of so many digits of the number itself."""
    with mpmath.workprec(2000):
        midpoint = mpmath.mpf(ball.midpoint.numerator) / ball.midpoint.denominator
        radius = mpmath.mpf(ball.radius.numerator) / ball.radius.denominator
        return abs(midpoint - value) <= radius + max(abs(value), 1) * mpmath.mpf(10) ** -digits


def relative_radius(ball):
    return ball.radius / max(abs(ball.midpoint), Fraction(1))


def _step(x):
    return mpmath.mpf(x > 0)


def _hyper(upper, lower):
    return lambda x: mpmath.hyper([mpmath.mpf(a) for a in upper], [mpmath.mpf(b) for b in lower], x)


def _erfcinv(x):
    return mpmath.erfinv(1 - x)


_HALF = mpmath.mpf("0.5")
_BOTH, _RIGHT = ("-3/2", "1/3", "4"), ("1/3", "1", "17/4")

ELEMENTARY = (
    Witness("exp(x)", mpmath.exp, _BOTH),
    Witness("expm1(x)", mpmath.expm1, _BOTH),
    Witness("log1p(x)", lambda x: mpmath.log(1 + x), _RIGHT, ("-1", "-2")),
    Witness("log(x)", mpmath.log, _RIGHT, ("0", "-1")),
    Witness("log(x, 10)", lambda x: mpmath.log(x) / mpmath.log(10), _RIGHT, ("0", "-1")),
    Witness("log(3, x)", lambda x: mpmath.log(3) / mpmath.log(x), ("1/3", "17/4"), ("1", "0", "-1")),
    Witness("sqrt(x)", mpmath.sqrt, _RIGHT, ("0", "-1")),
    Witness("cbrt(x)", lambda x: x ** (mpmath.mpf(1) / 3), _RIGHT, ("0", "-1")),
    Witness("x**Rational(-5, 2)", lambda x: x ** mpmath.mpf(-2.5), _RIGHT, ("0", "-1")),
    Witness("x**7", lambda x: x**7, ("-3/2", "0", "1/3")),
    Witness("x**(-3)", lambda x: x**-3, ("-3/2", "1/3"), ("0",)),
    Witness("x**x", lambda x: x**x, _RIGHT, ("0", "-1/2")),
    Witness("2**x", lambda x: mpmath.mpf(2) ** x, _BOTH),
    Witness("sin(x)", mpmath.sin, _BOTH),
    Witness("cos(x)", mpmath.cos, _BOTH),
    Witness("tan(x)", mpmath.tan, _BOTH),
    Witness("cot(x)", mpmath.cot, _BOTH, ("0",)),
    Witness("sec(x)", mpmath.sec, _BOTH),
    Witness("csc(x)", mpmath.csc, _BOTH, ("0",)),
    Witness("sin(pi*x)", lambda x: mpmath.sin(mpmath.pi * x), (*_BOTH, "1/2")),
    Witness("cos(pi*x)", lambda x: mpmath.cos(mpmath.pi * x), _BOTH),
    Witness("tan(pi*x)", lambda x: mpmath.tan(mpmath.pi * x), ("1/3", "4"), ("1/2", "-3/2")),
    Witness("cot(pi*x)", lambda x: mpmath.cot(mpmath.pi * x), ("1/3", "3/2"), ("0", "4")),
    Witness("sinc(x)", mpmath.sinc, (*_BOTH, "0")),
    Witness("asin(x)", mpmath.asin, ("-4/5", "0", "1/3"), ("1", "-1", "2")),
    Witness("acos(x)", mpmath.acos, ("-4/5", "0", "1/3"), ("1", "-1", "2")),
    Witness("atan(x)", mpmath.atan, (*_BOTH, "0")),
    Witness("acot(x)", mpmath.acot, _BOTH, ("0",)),
    Witness("asec(x)", mpmath.asec, ("-3/2", "4"), ("1", "-1", "1/2", "0")),
    Witness("acsc(x)", mpmath.acsc, ("-3/2", "4"), ("1", "-1", "1/2", "0")),
    Witness("sinh(x)", mpmath.sinh, _BOTH),
    Witness("cosh(x)", mpmath.cosh, _BOTH),
    Witness("tanh(x)", mpmath.tanh, (*_BOTH, "0")),
    Witness("coth(x)", mpmath.coth, _BOTH, ("0",)),
    Witness("sech(x)", mpmath.sech, _BOTH),
    Witness("csch(x)", mpmath.csch, _BOTH, ("0",)),
    Witness("asinh(x)", mpmath.asinh, (*_BOTH, "0")),
    Witness("acosh(x)", mpmath.acosh, ("3/2", "4"), ("1", "0", "-2")),
    Witness("atanh(x)", mpmath.atanh, ("-4/5", "0", "1/3"), ("1", "-1", "2")),
    Witness("acoth(x)", mpmath.acoth, ("-3/2", "4"), ("1", "-1", "1/3", "0")),
    Witness("asech(x)", mpmath.asech, ("1/3", "4/5"), ("1", "0", "-1/2", "2")),
    Witness("acsch(x)", mpmath.acsch, _BOTH, ("0",)),
    Witness("Rational(2, 3)*x", lambda x: 2 * x / 3, _BOTH),
)

SWITCHING = (
    Witness("Abs(x)", abs, _BOTH, ("0",)),
    Witness("sign(x)", mpmath.sign, _BOTH, ("0",)),
    Witness("Heaviside(x)", _step, _BOTH, ("0",)),
    Witness("Max(x, x**2)", lambda x: max(x, x**2), _BOTH, ("0", "1")),
    Witness("Min(x, x**2, 3)", lambda x: min(x, x**2, 3), _BOTH, ("0", "1", "3")),
    Witness("Piecewise((x**3, x < 1), (exp(x), True))", lambda x: x**3 if x < 1 else mpmath.exp(x), _BOTH, ("1",)),
    Witness("atan2(x, -2)", lambda x: mpmath.atan2(x, -2), _BOTH, ("0",)),
    Witness("atan2(x, x**2)", lambda x: mpmath.atan2(x, x**2), _BOTH, ("0",)),
    Witness("atan2(2, x)", lambda x: mpmath.atan2(2, x), (*_BOTH, "0")),
)

SPECIAL = (
    Witness("gamma(x)", mpmath.gamma, _BOTH, ("0", "-2")),
    Witness("loggamma(x)", mpmath.loggamma, _RIGHT, ("0", "-1/2")),
    Witness("digamma(x)", mpmath.digamma, _BOTH, ("0", "-3")),
    Witness("factorial(x)", mpmath.factorial, _BOTH, ("-1",)),
    Witness("polygamma(0, x)", mpmath.digamma, _BOTH, ("0",)),
    Witness("polygamma(3, x)", lambda x: mpmath.polygamma(3, x), _BOTH, ("0", "-1")),
    Witness("beta(x, 5/2)", lambda x: mpmath.beta(x, mpmath.mpf("2.5")), _BOTH, ("0",)),
    Witness("binomial(x, 5/2)", lambda x: mpmath.binomial(x, mpmath.mpf("2.5")), _BOTH, ("-2",)),
    Witness("binomial(6, x)", lambda x: mpmath.binomial(6, x), _BOTH),
    Witness("zeta(x)", mpmath.zeta, ("-3/2", "1/3", "4"), ("1",)),
    Witness("erf(x)", mpmath.erf, _BOTH),
    Witness("erfc(x)", mpmath.erfc, _BOTH),
    Witness("erfi(x)", mpmath.erfi, _BOTH),
    Witness("erfinv(x)", mpmath.erfinv, ("-4/5", "1/3"), ("1", "-1", "2")),
    Witness("erfcinv(x)", _erfcinv, ("1/3", "8/5"), ("0", "2", "-1")),
    Witness("airyai(x)", mpmath.airyai, (*_BOTH, "0")),
    Witness("airybi(x)", mpmath.airybi, _BOTH),
    Witness("airyaiprime(x)", lambda x: mpmath.airyai(x, derivative=1), _BOTH),
    Witness("airybiprime(x)", lambda x: mpmath.airybi(x, derivative=1), _BOTH),
    Witness("Ei(x)", mpmath.ei, _BOTH, ("0",)),
    Witness("li(x)", mpmath.li, ("1/3", "17/4"), ("1", "0", "-1")),
    Witness("Si(x)", mpmath.si, (*_BOTH, "0")),
    Witness("Ci(x)", mpmath.ci, _RIGHT, ("0", "-1")),
    Witness("Shi(x)", mpmath.shi, _BOTH),
    Witness("Chi(x)", mpmath.chi, _RIGHT, ("0", "-1")),
    Witness("fresnels(x)", mpmath.fresnels, _BOTH),
    Witness("fresnelc(x)", mpmath.fresnelc, _BOTH),
    Witness("expint(0, x)", lambda x: mpmath.exp(-x) / x, _BOTH, ("0",)),
    Witness("expint(1, x)", mpmath.e1, _RIGHT, ("0", "-1")),
    Witness("expint(3, x)", lambda x: mpmath.expint(3, x), _RIGHT, ("0", "-1")),
    Witness("LambertW(x)", mpmath.lambertw, ("-1/3", "1/3", "4"), ("-1",)),
    Witness("elliptic_k(x)", mpmath.ellipk, ("-3/2", "1/3"), ("1", "2")),
    Witness("elliptic_e(x)", mpmath.ellipe, ("-3/2", "1/3"), ("1", "2")),
    Witness("besselj(0, x)", lambda x: mpmath.besselj(0, x), (*_BOTH, "0")),
    Witness("besselj(3, x)", lambda x: mpmath.besselj(3, x), (*_BOTH, "0")),
    Witness("besselj(1/3, x)", lambda x: mpmath.besselj(mpmath.mpf(1) / 3, x), _RIGHT, ("0", "-1")),
    Witness("bessely(1, x)", lambda x: mpmath.bessely(1, x), _RIGHT, ("0", "-1")),
    Witness("besseli(2, x)", lambda x: mpmath.besseli(2, x), (*_BOTH, "0")),
    Witness("besselk(2/3, x)", lambda x: mpmath.besselk(mpmath.mpf(2) / 3, x), _RIGHT, ("0", "-1")),
    Witness("chebyshevt(5, x)", lambda x: mpmath.chebyt(5, x), (*_BOTH, "1")),
    Witness("chebyshevu(4, x)", lambda x: mpmath.chebyu(4, x), (*_BOTH, "1")),
    Witness("legendre(5, x)", lambda x: mpmath.legendre(5, x), ("1/3", "-4/5", "0")),
    Witness("hermite(5, x)", lambda x: mpmath.hermite(5, x), _BOTH),
    Witness("polylog(2, x)", lambda x: mpmath.polylog(2, x), ("-3/2", "1/3"), ("1", "2")),
    Witness("polylog(4, x)", lambda x: mpmath.polylog(4, x), ("-3/2", "1/3"), ("1", "2")),
    Witness("polylog(-2, x)", lambda x: x * (1 + x) / (1 - x) ** 3, ("-3/2", "0", "1/3"), ("1",)),
    Witness("uppergamma(1/2, x)", lambda x: mpmath.gammainc(_HALF, x), _RIGHT, ("0", "-1")),
    Witness("uppergamma(-2, x)", lambda x: mpmath.gammainc(-2, x), _RIGHT, ("0", "-1")),
    Witness("lowergamma(7/2, x)", lambda x: mpmath.gammainc(7 * _HALF, 0, x), _RIGHT, ("0", "-1")),
    Witness("hyper([], [3/2], x)", _hyper([], ["1.5"]), (*_BOTH, "0")),
    Witness("hyper([1/2], [3/2], x)", _hyper(["0.5"], ["1.5"]), (*_BOTH, "0")),
    Witness("hyper([1, 2], [3], x)", lambda x: -2 * (x + mpmath.log(1 - x)) / x**2, ("-3/2", "1/3"), ("1", "2")),
    Witness("hyper([], [], x)", mpmath.exp, _BOTH),
    Witness("hyper([1/2, 1/2], [5], x)", _hyper(["0.5", "0.5"], [5]), ("-3/4", "1/3"), ("1", "2")),
    Witness("hyper([-2, 1], [3], x)", lambda x: 1 - 2 * x / 3 + x**2 / 6, ("-3/2", "1", "4")),
    Witness("hyper([1, 1, 1/2], [3/2, 2], x)", _hyper([1, 1, "0.5"], ["1.5", 2]), ("-1/2", "0", "1/3"), ("1",)),
)

ALL = (*ELEMENTARY, *SWITCHING, *SPECIAL)


def special_slow(witnesses):
    """Return the cases of a test, of which the special functions take most of the time."""
    return [pytest.param(each, marks=[pytest.mark.slow] if each in SPECIAL else []) for each in witnesses]
