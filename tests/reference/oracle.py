"""Another way to the truth: the parse tree in mpmath, and differences on either side at doubling precision.

It shares nothing with the package but the parse tree: no SymPy, no FLINT, no symbolic derivative. It is heuristic, so
it may only contradict: what it does not settle says nothing.
"""

import operator
import signal
from contextlib import contextmanager
from fractions import Fraction
from functools import cache

import mpmath

from diffbench import Stencil
from diffbench.functions.grammar import Binary, Call, List, Name, Negative, Number

NODES = 9
PATIENCE = 10
"""Seconds that mpmath has for a value."""


class NotRealError(Exception):
    """The formula has no finite real value there."""


class UndecidedError(Exception):
    """mpmath would take too long."""


def _real(value):
    if isinstance(value, mpmath.mpc):
        # Rounding may leave an imaginary part where the value is real; one that is not small is none of rounding.
        if abs(value.imag) > abs(value) * mpmath.mpf(2) ** (-mpmath.mp.prec // 2):
            raise NotRealError
        value = value.real
    if not mpmath.isfinite(value):
        raise NotRealError
    return value


def _acot(x):
    return mpmath.pi / 2 if x == 0 else mpmath.acot(x)


def _root(x):
    if x < 0:
        raise NotRealError
    return mpmath.mpf(x) ** (mpmath.mpf(1) / 3)


def _heaviside(x):
    return (1 + mpmath.sign(x)) / 2


def _not_tiny(x):
    """Refuse what mpmath's incomplete gamma functions take minutes for."""
    if abs(x) < 1e-10:
        raise UndecidedError
    return x


def _atan2(y, x):
    # What should be 0 may have either sign: an x beside y = 0, and a y beside the cut.
    least = mpmath.mpf(2) ** (-mpmath.mp.prec // 2)
    if (y == 0 and abs(x) < least) or (x < 0 and y != 0 and abs(y) < least * max(1, -x)):
        raise UndecidedError
    return mpmath.atan2(y, x)


def _power(base, exponent):
    if base == 0 and exponent < 0:
        raise NotRealError
    if base and abs(exponent) * abs(mpmath.mag(base)) > 10**6:
        raise UndecidedError
    return base**exponent


_RENAMED = {
    "Abs": abs,
    "sign": mpmath.sign,
    "Heaviside": _heaviside,
    "cbrt": _root,
    "acot": _acot,
    "atan2": _atan2,
    "Ei": mpmath.ei,
    "Si": mpmath.si,
    "Ci": mpmath.ci,
    "Shi": mpmath.shi,
    "Chi": mpmath.chi,
    "log1p": mpmath.log1p,
    "expm1": mpmath.expm1,
    "airyaiprime": lambda x: mpmath.airyai(x, derivative=1),
    "airybiprime": lambda x: mpmath.airybi(x, derivative=1),
    "LambertW": mpmath.lambertw,
    "elliptic_k": mpmath.ellipk,
    "elliptic_e": mpmath.ellipe,
    "chebyshevt": mpmath.chebyt,
    "chebyshevu": mpmath.chebyu,
    "Max": max,
    "Min": min,
    "erfcinv": lambda x: mpmath.erfinv(1 - x),
    "Rational": lambda p, q: p / q,
    "uppergamma": lambda s, x: mpmath.gammainc(s, _not_tiny(x)),
    "lowergamma": lambda s, x: mpmath.gammainc(s, 0, _not_tiny(x)),
    "log": lambda x, base=None: mpmath.log(x) if base is None else mpmath.log(x) / _real(mpmath.log(base)),
}
_CONSTANTS = {"pi": mpmath.pi, "E": mpmath.e, "EulerGamma": mpmath.euler, "Catalan": mpmath.catalan}
_CONSTANTS["GoldenRatio"] = mpmath.phi
_HARMLESS = frozenset(
    ("Abs", "sign", "Heaviside", "Max", "Min", "sqrt", "cbrt", "log", "log1p", "atan", "acot", "asinh", "atan2")
)
_HARMLESS |= {"sin", "cos", "tan", "acosh", "acsch", "asec", "acsc", "acoth", "Rational"}
_ELEMENTARY = _HARMLESS.union(("exp", "expm1", "sinh", "cosh", "tanh", "coth", "sech", "csch"))
_ELEMENTARY |= {"asin", "acos", "atanh", "asech", "cot", "sec", "csc"}
_LARGEST, _MOST_BITS = 3000, 1500
_COMPARED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}
_COMPARED["!="] = operator.ne


def evaluate(node, x):
    """Return the value of a parse tree at an mpmath number, at the present precision."""
    match node:
        case Number(value):
            return mpmath.mpf(value.numerator) / value.denominator
        case Name(name):
            return +_CONSTANTS[name] if name in _CONSTANTS else name == "True" if name in ("True", "False") else x
        case Negative(operand):
            return -evaluate(operand, x)
        case Binary(sign, left, right):
            return _binary(sign, evaluate(left, x), evaluate(right, x))
        case List(items):
            return [evaluate(item, x) for item in items]
        case Call("Piecewise", arguments):
            for value, condition in zip(arguments[::2], arguments[1::2], strict=True):
                if evaluate(condition, x):
                    return evaluate(value, x)
            raise NotRealError
        case Call(name, arguments):
            return _call(name, [evaluate(argument, x) for argument in arguments])


def _binary(sign, a, b):
    if sign in _COMPARED:
        return _COMPARED[sign](a, b)
    if sign == "**":
        return _real(_power(a, b))
    if sign == "/":
        if b == 0:
            raise NotRealError
        return a / b
    return a + b if sign == "+" else a - b if sign == "-" else a * b


def _call(name, arguments):
    if name not in _HARMLESS and any(abs(value) > _LARGEST for value in arguments if not isinstance(value, list)):
        raise UndecidedError
    if name in ("airyai", "airybi", "airyaiprime", "airybiprime", "zeta", "erfi") and abs(arguments[0]) > 100:
        raise UndecidedError
    if name == "polylog" and arguments[1] == 1:
        raise UndecidedError
    if name not in _ELEMENTARY and mpmath.mp.prec > _MOST_BITS:
        raise UndecidedError
    try:
        return _real(mpmath.mpmathify((_RENAMED.get(name) or getattr(mpmath, name))(*arguments)))
    except ZeroDivisionError as error:
        raise NotRealError from error
    except ValueError as error:
        # mpmath says so of poles, and of series that do not converge.
        raise (NotRealError if "pole" in str(error) else UndecidedError) from error
    except (mpmath.libmp.NoConvergence, NotImplementedError, OverflowError, TypeError, RecursionError) as error:
        raise UndecidedError from error


@contextmanager
def patience():
    """Be silent about what mpmath takes more than some seconds for."""

    def give_up(*_):
        raise UndecidedError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def value_at(formula, x, bits):
    with patience(), mpmath.workprec(bits):
        return evaluate(formula.tree, mpmath.mpf(x.numerator) / x.denominator)


@cache
def _weights(derivative, side):
    stencil = Stencil.fit(sorted(side * k for k in range(NODES)), derivative)
    return dict(zip(map(int, stencil.offsets), stencil.weights, strict=True))


def differences(formula, x, derivative, side, bits):
    """Return a derivative by nine nodes on one side of x."""
    with patience(), mpmath.workprec(bits):
        here = mpmath.mpf(x.numerator) / x.denominator
        step = min(abs(here) or mpmath.mpf(1), mpmath.mpf(1)) * mpmath.mpf(2) ** -(bits // (NODES + 1))
        total = mpmath.mpf(0)
        for k, weight in _weights(derivative, side).items():
            total += mpmath.mpf(weight.numerator) / weight.denominator * evaluate(formula.tree, here + k * step)
        return total / step**derivative


def one_sided(formula, x, derivative, side, *, digits=25, most=1600):
    """Return the limit on which two precisions agree, NotRealError's class where f is not real there, or None."""
    exponent = abs(x.numerator.bit_length() - x.denominator.bit_length())
    bits, before = 200 + 4 * exponent, None
    while bits <= most + 8 * exponent:
        try:
            value = differences(formula, x, derivative, side, bits)
        except NotRealError:
            value = NotRealError
        except UndecidedError:
            return None
        with mpmath.workprec(bits):
            if _agree(before, value, digits):
                return value
        before, bits = value, 2 * bits
    return None


def _agree(before, value, digits):
    if before in (None, NotRealError) or value is NotRealError:
        return before is value
    return abs(value - before) <= max(abs(value), abs(before)) * mpmath.mpf(10) ** -digits


def as_fraction(value):
    return Fraction(*mpmath.libmp.to_rational(value._mpf_))
