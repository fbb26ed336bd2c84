"""Jets: the Taylor coefficients of f itself at a point, in balls, without any symbolic derivative.

The second opinion of every reference. FLINT has the power series of most functions; those of the others follow from
their differential equation, from an integral of what is known, or from a composition with their own expansion.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from math import factorial
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import sympy
from flint import acb, acb_series, arb, arb_series

from diffbench.reference.balls import (
    REAL,
    Ball,
    exact_ball,
    guarded,
    precision,
    rational_ball,
    rational_fmpq,
)
from diffbench.reference.program import Arithmetic, Operation, Program


class JetProgram:
    """A SymPy expression of one symbol, evaluated on truncated power series.

    Raises
    ------
    NoBallError
        If a function in it is not covered.
    """

    def __init__(self, expression: sympy.Expr, symbol: sympy.Symbol) -> None:
        self._program = Program(expression, symbol, JETS)

    @property
    def size(self) -> int:
        """How many operations a point takes."""
        return self._program.size

    def __call__(self, x: Fraction | float, derivative: int, bits: int) -> Ball:
        """Return the ball of a derivative at an exact x, computed with the given precision."""
        return self.at_points([x], derivative, bits)[0]

    def at_points(self, points: list[Fraction | float], derivative: int, bits: int) -> list[Ball]:
        """Return the balls of a derivative at many points; nothing is enclosed where f is not found to be analytic."""
        length = derivative + 1
        with precision(bits):
            jet, scale = self._program.at_present_precision(), factorial(derivative)
            return [_last(jet(arb_series([exact_ball(x), 1], length)), length, scale, bits) for x in points]

    def coefficients(self, x: Fraction | float, highest: int, bits: int) -> list[Ball] | None:
        """Return the Taylor coefficients f⁽ʲ⁾(x)/j!, j = 0 … highest; None where f is not found to be analytic."""
        with precision(bits):
            jet = self._program.at_present_precision()(arb_series([exact_ball(x), 1], highest + 1))
            balls = [Ball.of(jet[j], bits) for j in range(min(jet.prec, highest + 1))]
        return balls if len(balls) > highest and all(ball.is_finite for ball in balls) else None


def _last(jet: arb_series, length: int, scale: int, bits: int) -> Ball:
    """Return the last derivative of a jet that is finite and complete: one that lost terms divided by 0."""
    if jet.prec < length or not all(jet[k].is_finite() for k in range(length - 1)):
        return Ball(None, bits)
    last = jet[length - 1]
    return Ball.of(last if scale == 1 else last * scale, bits)


def nothing() -> arb_series:
    """Return the series of which nothing is known."""
    return arb_series([arb.nan()])


def lifted(constant: Any) -> Any:
    """Return a number as the series of a constant; what a comparison answers stays."""
    return arb_series([constant]) if isinstance(constant, arb) else constant


def _is_known(coefficients: Iterable[arb]) -> bool:
    return all(value.is_finite() for value in coefficients)


def composed(outer: list[arb], inner: arb_series) -> arb_series:
    """Return Σ outer[k] (inner − inner[0])^k; nothing is known where some outer[k] is not, though inner be constant."""
    length = inner.prec
    if not _is_known(outer[:length]):
        return nothing()
    if length <= 2:
        return arb_series([outer[0], *(outer[1] * inner[1] for _ in range(length - 1))], length)
    rest = arb_series([arb(0), *(inner[k] for k in range(1, length))], length)
    # FLINT refuses to compose with the series 0.
    return arb_series(outer, length)(rest) if rest.length() else arb_series([outer[0]], length)


def multiplied(u: arb_series, v: arb_series) -> arb_series:
    """Multiply; 0 times what is not known is not known, but 0 for FLINT."""
    product = u * v
    return product if product.length() or (_is_known(u.coeffs()) and _is_known(v.coeffs())) else nothing()


def divided(above: arb_series, below: arb_series) -> arb_series:
    """Divide; where the divisor may be 0, or is not known, nothing is known."""
    if below[0].contains(0):
        return nothing()
    quotient = above / below
    return quotient if quotient.length() or _is_known(below.coeffs()) else nothing()


def _integrated(start: arb, slope: Callable[[arb_series], arb_series], inner: arb_series) -> arb_series:
    """Return the function with a value and a derivative along a series: start + ∫ slope(u) u′."""
    if inner.prec == 1:
        return arb_series([start], 1)
    return multiplied(slope(inner), inner.derivative()).integral() + start


def _raise_to(exponent: sympy.Rational) -> Operation:
    numerator, root = int(exponent.p), int(exponent.q)
    if root == 1:
        return _WHOLE_POWERS.get(numerator) or (lambda u: _whole_power(u, numerator))
    if root == 2 and numerator == 1:
        return lambda u: u.sqrt()
    number = rational_fmpq(exponent)
    return lambda u: u ** arb(number) if not u[0].contains(0) else nothing()


def _whole_power(u: arb_series, exponent: int) -> arb_series:
    if exponent == 0:
        return arb_series([1]) if _is_known(u.coeffs()) else nothing()
    return u**exponent if exponent > 0 else divided(arb_series([1]), u**-exponent)


_WHOLE_POWERS: dict[int, Operation] = {
    2: lambda u: u * u,
    3: lambda u: u * u * u,
    -1: lambda u: divided(arb_series([1]), u),
}


def _power(u: arb_series, exponent: arb_series) -> arb_series:
    return multiplied(exponent, u.log()).exp()


def _strictly(holds: Callable[[Any, Any], bool]) -> Callable[[arb_series, arb_series], bool | None]:
    """Return a comparison that is decided only where the same one holds all around the point."""
    return lambda u, v: None if u[0].overlaps(v[0]) else holds(u[0], v[0])


def _with_sign(u: arb_series, positive: arb_series, negative: arb_series) -> arb_series:
    if u[0].contains(0) or not _is_known(u.coeffs()):
        return nothing()
    return positive if u[0] > 0 else negative


def _larger(u: arb_series, v: arb_series) -> arb_series:
    return _with_sign(u - v, u, v)


def _reciprocal(u: arb_series) -> arb_series:
    return divided(arb_series([1]), u)


def _of_reciprocal(function: Operation) -> Operation:
    return lambda u: function(_reciprocal(u))


def _hyperbolic(u: arb_series, sine: arb, cosine: arb) -> arb_series:
    """Return the series whose value is the first and whose derivatives alternate, as those of sinh and cosh do."""
    pair = (sine, cosine)
    return composed([pair[k % 2] / factorial(k) for k in range(u.prec)], u)


def _sinh(u: arb_series) -> arb_series:
    return _hyperbolic(u, u[0].sinh(), u[0].cosh())


def _cosh(u: arb_series) -> arb_series:
    return _hyperbolic(u, u[0].cosh(), u[0].sinh())


def _tanh(u: arb_series) -> arb_series:
    """Return tanh by t′ = 1 − t², the first of them as sech², which does not cancel where tanh is nearly 1."""
    terms = [u[0].tanh(), u[0].sech() ** 2]
    for k in range(1, u.prec - 1):
        terms.append(-sum((terms[i] * terms[k - i] for i in range(k + 1)), arb(0)) / (k + 1))
    return composed(terms[: max(2, u.prec)], u)


def _inverse_root(radicand: Callable[[arb_series], arb_series]) -> Operation:
    return lambda u: radicand(u).rsqrt()


def _asinh(u: arb_series) -> arb_series:
    return _integrated(u[0].asinh(), _inverse_root(lambda v: v * v + 1), u)


def _acosh(u: arb_series) -> arb_series:
    return _integrated(u[0].acosh(), _inverse_root(lambda v: v * v - 1), u)


def _atanh(u: arb_series) -> arb_series:
    return _integrated(u[0].atanh(), lambda v: divided(arb_series([1]), 1 - v * v), u)


def _off_ends(function: Operation) -> Operation:
    """Return asin or acos off ±1, where FLINT takes a series that is constant as far as it goes for a constant."""
    return lambda u: function(u) if u.prec == 1 or abs(u[0]) < 1 else nothing()


def _erfinv(u: arb_series) -> arb_series:
    """Solve y′ = √π/2 exp(y²) u′; each round gives one more coefficient."""
    start = u[0].erfinv()
    if not start.is_finite():
        return nothing()
    y = arb_series([start], 1)
    for length in range(2, u.prec + 1):
        longer = arb_series([y[k] for k in range(length - 1)], length)
        slope = (longer * longer).exp() * (arb.const_sqrt_pi() / 2)
        y = (slope * u.derivative()).integral() + start
    return y


def _sinc(u: arb_series) -> arb_series:
    if not u[0].is_zero():
        return divided(u.sin(), u)
    t = arb_series([0, 1], u.prec + 1)
    return composed([*(t.sin() / t).coeffs(), arb(0)], u)


def _digamma(u: arb_series) -> arb_series:
    return _polygamma(0)(u)


def _polygamma(order: int) -> Operation:
    """Return ψ⁽ⁿ⁾ as the derivatives of −R′/R, R = 1/Γ, which is entire."""

    def polygamma(u: arb_series) -> arb_series:
        reciprocal = arb_series([u[0], 1], u.prec + order + 1).rgamma()
        values = divided(-reciprocal.derivative(), reciprocal)
        if not values[0].is_finite():
            return nothing()
        for _ in range(order):
            values = values.derivative()
        return composed([values[k] for k in range(u.prec)], u)

    return polygamma


def _bessel(
    order: sympy.Rational, value: Callable[[arb, arb], arb], sign: int, step: int, *, first_kind: bool = False
) -> Operation:
    """Return a Bessel function by z²w″ + zw′ + (±z² − ν²)w = 0 from w(z₀) and w′(z₀) = (ν/z₀)w ± w_{ν+1}.

    Parameters
    ----------
    order : Rational
        ν.
    value : callable
        The function of argument and order.
    sign : int
        1 for J and Y, −1 for I and K.
    step : int
        The sign before w_{ν+1} in w′.
    first_kind : bool
        Whether it is J or I, which have a power series at 0 where ν is whole.
    """
    number = rational_fmpq(order)

    def bessel(u: arb_series) -> arb_series:
        z, nu = u[0], arb(number)
        first = value(z, nu)
        terms = [first, nu / z * first + step * value(z, nu + 1)]
        for k in range(u.prec - 2):
            known = (k * k + sign * z * z - nu * nu) * terms[k] + z * (k + 1) * (2 * k + 1) * terms[k + 1]
            if k >= 1:
                known = known + 2 * sign * z * terms[k - 1]
            if k >= 2:
                known = known + sign * terms[k - 2]
            terms.append(-known / (z * z * (k + 1) * (k + 2)))
        return composed(terms[: u.prec], u)

    if not (first_kind and order.is_Integer and order >= 0):
        return bessel
    return lambda u: composed(_bessel_at_zero(int(order), sign, u.prec), u) if u[0].is_zero() else bessel(u)


def _bessel_at_zero(order: int, sign: int, length: int) -> list[arb]:
    """Return the coefficients of J or I at 0: (∓1)^k / (k! (k+n)! 2^(2k+n)) at the powers n + 2k."""
    terms = [arb(0)] * length
    for k, power in enumerate(range(order, length, 2)):
        terms[power] = arb((-sign) ** k) / (factorial(k) * factorial(k + order) * 2**power)
    return terms


def _bessel_k(z: arb, order: arb) -> arb:
    return z.bessel_k(order)


def _elliptic_k(u: arb_series) -> arb_series:
    coefficients = acb_series([acb(u[0]), 1], u.prec).elliptic_k()
    return composed([_real(coefficients[k]) for k in range(u.prec)], u)


def _real(value: acb) -> arb:
    return value.real if value.imag.contains(0) else arb.nan()


def _elliptic_e(u: arb_series) -> arb_series:
    """Return E = (1 − m)(2m K′ + K)."""
    m = arb_series([u[0], 1], u.prec + 1)
    k = _elliptic_k(m)
    values = (1 - m) * (2 * m * k.derivative() + k)
    return composed([values[i] for i in range(u.prec)], u)


def _three_terms(
    first: Operation, step: Callable[[int, arb_series, arb_series, arb_series], arb_series]
) -> Callable[[int], Operation]:
    """Return orthogonal polynomials by their recurrence: P₀ = 1, P₁ and P_{n+1} from P_n and P_{n−1}."""

    def of_order(order: int) -> Operation:
        def polynomial(u: arb_series) -> arb_series:
            before, value = arb_series([1], u.prec), first(u)
            for n in range(1, order):
                before, value = value, step(n, u, value, before)
            return value if order else arb_series([1], u.prec)

        return polynomial

    return of_order


_POLYNOMIALS: dict[str, Callable[[int], Operation]] = {
    "chebyshevt": _three_terms(lambda u: u, lambda _, u, p, q: 2 * u * p - q),
    "chebyshevu": _three_terms(lambda u: 2 * u, lambda _, u, p, q: 2 * u * p - q),
    "legendre": _three_terms(lambda u: u, lambda n, u, p, q: ((2 * n + 1) * u * p - n * q) / (n + 1)),
    "hermite": _three_terms(lambda u: 2 * u, lambda n, u, p, q: 2 * u * p - 2 * n * q),
}


def _expint(order: int) -> Operation:
    """Return E_n by n E_{n+1} = exp(−z) − z E_n from E₁ = −Ei(−z)."""

    def expint(u: arb_series) -> arb_series:
        decay = (-u).exp()
        value = -((-u).ei()) if order else divided(decay, u)
        for n in range(1, order):
            value = (decay - u * value) / n
        return value if not order or u[0] > 0 else nothing()

    return expint


def _polylog(order: int) -> Operation:
    """Return Li_s by z Li_s′ = Li_{s−1} upwards from Li₁ = −log(1 − z), downwards from Li₀ = z/(1 − z)."""

    def polylog(u: arb_series) -> arb_series:
        if u[0].is_zero():
            return composed([arb(0), *(arb(k) ** -order for k in range(1, u.prec))], u)
        if not u[0] < 1 and (order > 0 or not u[0] > 1):
            return nothing()
        z = arb_series([u[0], 1], u.prec + max(0, -order))
        value = -((1 - z).log()) if order > 0 else divided(z, 1 - z)
        for s in range(2, order + 1):
            value = divided(value, z).integral() + REAL.heads["polylog"](arb(s), u[0])
        for _ in range(order, 0):
            value = z * value.derivative()
        return composed([value[k] for k in range(u.prec)], u)

    return polylog


def _parametric(name: str, parameters: tuple[Any, ...]) -> Operation | None:
    """Return the operation of a function whose parameters are rational, or None."""
    if not parameters:
        return None
    if name == "hyper":
        return _hypergeometric(*parameters)
    order = parameters[0]
    if name in _OF_WHOLE_ORDER:
        return guarded(_OF_WHOLE_ORDER[name](int(order))) if order.is_Integer else None
    if name in _OF_ORDER:
        return guarded(_OF_ORDER[name](order))
    return None


def _incomplete_gamma(order: sympy.Rational, name: str, sign: int) -> Operation:
    """Return Γ(s, z) or γ(s, z), whose derivatives are ∓z^(s−1) exp(−z)."""
    number, power, head = rational_fmpq(order), _raise_to(order - 1), REAL.heads[name]

    def slope(u: arb_series) -> arb_series:
        return sign * (-u).exp() * power(u)

    return lambda u: _integrated(head(arb(number), u[0]), slope, u)


def _hypergeometric(upper: Any, lower: Any) -> Operation:
    """Return pFq by F⁽ᵏ⁾ = (a)ₖ/(b)ₖ F(a + k; b + k), which holds beyond the circle of convergence too."""
    ends = any(value.is_Integer and value <= 0 for value in upper)

    def hypergeometric(u: arb_series) -> arb_series:
        if not (ends or len(upper) <= len(lower) or (len(upper) == len(lower) + 1 and u[0] < 1)):
            # At a branch point the first coefficients may be finite.
            return nothing()
        terms, scale = [], sympy.S.One
        for k in range(u.prec):
            if not scale:
                terms.append(arb(0))
                continue
            raised = (sympy.Tuple(*(value + k for value in values)) for values in (upper, lower))
            value: Any = REAL.parametric("hyper", tuple(raised))
            terms.append(rational_ball(int(scale.p), int(scale.q)) * value(u[0]))
            scale = scale * sympy.prod(a + k for a in upper) / sympy.prod(b + k for b in lower) / (k + 1)
        return composed(terms, u)

    return hypergeometric


_OF_WHOLE_ORDER: dict[str, Callable[[int], Operation]] = {
    **_POLYNOMIALS,
    "polygamma": _polygamma,
    "expint": _expint,
    "polylog": _polylog,
}

_OF_ORDER: dict[str, Callable[[sympy.Rational], Operation]] = {
    "besselj": lambda order: _bessel(order, arb.bessel_j, 1, -1, first_kind=True),
    "bessely": lambda order: _bessel(order, arb.bessel_y, 1, -1),
    "besseli": lambda order: _bessel(order, arb.bessel_i, -1, 1, first_kind=True),
    "besselk": lambda order: _bessel(order, _bessel_k, -1, -1),
    "uppergamma": lambda order: _incomplete_gamma(order, "uppergamma", -1),
    "lowergamma": lambda order: _incomplete_gamma(order, "lowergamma", 1),
}


def _arctangent2(y: arb_series, x: arb_series) -> arb_series:
    """Return the angle of (x, y), off the cut."""
    if x[0] > 0:
        return (y / x).atan()
    if not y[0].contains(0):
        quarter = arb.pi() / 2
        return (quarter if y[0] > 0 else -quarter) - (x / y).atan()
    return nothing()


_HEADS: dict[str, Operation] = {
    **{name: _strictly(holds) for name, holds in zip(("lt", "le", "gt", "ge"), (lt, le, gt, ge), strict=True)},
    **{name: _strictly(holds) for name, holds in (("eq", eq), ("ne", ne))},
    **{name: getattr(arb_series, name) for name in ("exp", "sin", "cos", "tan", "atan")},
    **{
        name: getattr(arb_series, name) for name in ("sin_pi", "cos_pi", "cot_pi", "gamma", "erf", "erfc", "erfi", "li")
    },
    "log": lambda u, base=None: u.log() if base is None else divided(u.log(), base.log()),
    "pow": _power,
    "tan_pi": lambda u: divided(u.sin_pi(), u.cos_pi()),
    "cot": lambda u: divided(u.cos(), u.sin()),
    "sec": lambda u: _reciprocal(u.cos()),
    "csc": lambda u: _reciprocal(u.sin()),
    "sinh": _sinh,
    "cosh": _cosh,
    "tanh": _tanh,
    "coth": lambda u: divided(_cosh(u), _sinh(u)),
    "sech": lambda u: _reciprocal(_cosh(u)),
    "csch": lambda u: _reciprocal(_sinh(u)),
    "asinh": _asinh,
    "acosh": _acosh,
    "atanh": _atanh,
    "acot": _of_reciprocal(arb_series.atan),
    "asin": _off_ends(arb_series.asin),
    "acos": _off_ends(arb_series.acos),
    "asec": _of_reciprocal(_off_ends(arb_series.acos)),
    "acsc": _of_reciprocal(_off_ends(arb_series.asin)),
    "acoth": _of_reciprocal(_atanh),
    "asech": _of_reciprocal(_acosh),
    "acsch": _of_reciprocal(_asinh),
    "atan2": _arctangent2,
    "sinc": _sinc,
    "Abs": lambda u: _with_sign(u, u, -u),
    "sign": lambda u: _with_sign(u, arb_series([1]), arb_series([-1])),
    "Heaviside": lambda u: _with_sign(u, arb_series([1]), arb_series([0])),
    "Max": _larger,
    "Min": lambda u, v: _larger(-u, -v) * -1,
    "factorial": lambda u: (u + 1).gamma(),
    "loggamma": arb_series.lgamma,
    "digamma": _digamma,
    "erfinv": _erfinv,
    "erfcinv": lambda u: _erfinv(1 - u),
    "zeta": guarded(arb_series.zeta),
    "airyai": arb_series.airy_ai,
    "airybi": arb_series.airy_bi,
    "airyaiprime": arb_series.airy_ai_prime,
    "airybiprime": arb_series.airy_bi_prime,
    "Ei": arb_series.ei,
    "Si": arb_series.si,
    "Ci": arb_series.ci,
    "Shi": arb_series.shi,
    "Chi": arb_series.chi,
    "fresnels": arb_series.fresnel_s,
    "fresnelc": arb_series.fresnel_c,
    "LambertW": arb_series.lambertw,
    "elliptic_k": _elliptic_k,
    "elliptic_e": _elliptic_e,
    "beta": lambda u, v: multiplied(multiplied(u.gamma(), v.gamma()), (u + v).rgamma()),
    "binomial": lambda n, k: multiplied((n + 1).gamma(), multiplied((k + 1).rgamma(), (n - k + 1).rgamma())),
}

JETS = Arithmetic(
    rational=rational_ball,
    constants=REAL.constants,
    heads=_HEADS,
    raise_to=_raise_to,
    parametric=_parametric,
    undefined=nothing,
    multiply=multiplied,
    divide=divided,
    constants_in=REAL,
    lift=lifted,
)
