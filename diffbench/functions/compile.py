"""Parse tree to numpy code in a given dtype, operations in the order in which they are written.

This is the function that is measured. Constants are rounded once into the working dtype and kept as arrays
of one element, because numpy's scalars take other code paths than its arrays; nothing is folded or rewritten.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from math import factorial
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import InputError, UnsupportedError
from diffbench.functions.grammar import (
    COMPARISONS,
    Binary,
    Call,
    Formula,
    List,
    Name,
    Negative,
    Node,
    Number,
    rational_value,
    walk,
)
from diffbench.rounding import WIDE, exact_mpf, round_to

Array = npt.NDArray[Any]
Evaluator = Callable[[Array], Array]


@dataclass(frozen=True)
class NumpyFunction:
    """How numpy or SciPy computes one function of the grammar.

    Attributes
    ----------
    evaluate : callable
        Takes arrays, returns an array.
    accepts_complex : bool
        Whether it continues analytically to complex arguments.
    """

    evaluate: Callable[..., Array]
    accepts_complex: bool = True


@lru_cache(maxsize=512)
def compile_formula(formula: Formula, dtype: str) -> Evaluator:
    """Return numpy code for a formula, as it is written.

    Parameters
    ----------
    formula : Formula
        What to compute.
    dtype : str
        A real dtype, or ``"complex64"`` or ``"complex128"`` for the continuation that complex steps need.

    Returns
    -------
    callable
        Takes an array of the dtype, of at least one dimension, and returns an array of its shape.

    Raises
    ------
    UnsupportedError
        If there is no implementation for the dtype.
    """
    is_complex = np.dtype(dtype).kind == "c"
    if is_complex:
        _check_complex(formula)
    real_dtype = str(np.empty(0, dtype).real.dtype)
    evaluate = _compile(formula.tree, real_dtype, is_complex=is_complex)

    def function(x: Array) -> Array:
        with np.errstate(all="ignore"):
            value = evaluate(x)
        if value.shape == x.shape and value.dtype.kind == x.dtype.kind:
            return value
        return np.broadcast_to(value, x.shape).astype(np.result_type(value, x))

    return function


def _check_complex(formula: Formula) -> None:
    for node in walk(formula.tree):
        if isinstance(node, Call) and node.name not in {"Rational"} and not _implementation(node).accepts_complex:  # noqa: FURB171  (no new hash)
            raise UnsupportedError(f"needs complex values, which {node.name} does not take")
        if isinstance(node, Binary) and node.operator in COMPARISONS:
            raise UnsupportedError("needs complex values, which comparisons do not take")


def _compile(node: Node, dtype: str, *, is_complex: bool) -> Evaluator:
    match node:
        case Number(value):
            return _constant(value, dtype)
        case Name("True" | "False" as name):
            truth = np.array([name == "True"])
            return lambda _: truth
        case Name(name):
            constant = named_constant(name)
            return (lambda x: x) if constant is None else _constant(constant, dtype)
        case Call("Rational"):
            return _constant(_known_rational(node), dtype)
        case Negative(operand):
            inner = _compile(operand, dtype, is_complex=is_complex)
            return lambda x: np.negative(inner(x))
        case Binary(operator, left, right):
            return _binary(operator, left, right, dtype, is_complex=is_complex)
        case List(items):
            rows = [_compile(item, dtype, is_complex=is_complex) for item in items]
            return lambda x: np.array([row(x) for row in rows], dtype=dtype)
        case Call(_, arguments):
            function = _implementation(node).evaluate
            parts = [_compile(argument, dtype, is_complex=is_complex) for argument in arguments]
            return lambda x: function(*(part(x) for part in parts))


def _implementation(call: Call) -> NumpyFunction:
    """Return the code of a call; what numpy and SciPy have for some parameters only is listed with these."""
    functions = _functions()
    kind = call.name
    match call:
        case Call("hyper", (List(upper), List(lower), _)):
            kind = f"hyper of type {len(upper)}F{len(lower)}"
        case Call("polylog" | "uppergamma" | "lowergamma", (order, _)):
            value = _known_rational(order)
            if call.name == "polylog" or value <= 0:
                kind = f"{call.name} of order {value}"
    if kind not in functions:
        raise UnsupportedError(f"no numerical implementation of {kind}")
    return functions[kind]


def _known_rational(node: Node) -> Fraction:
    value = rational_value(node)
    if value is None:
        raise InputError("a rational number is made of numbers only")
    return value


def _constant(value: Fraction, dtype: str) -> Evaluator:
    rounded = np.array([round_to(value, dtype)], dtype=dtype)
    return lambda _: rounded


def _binary(operator: str, left: Node, right: Node, dtype: str, *, is_complex: bool) -> Evaluator:
    first = _compile(left, dtype, is_complex=is_complex)
    if operator == "**" and rational_value(right) == 2:
        # The square is what pow(x, 2) rounds to, in every libm and in numpy's own `**`.
        return lambda x: np.square(first(x))
    second = _compile(right, dtype, is_complex=is_complex)
    combine = _UFUNCS[operator]
    return lambda x: combine(first(x), second(x))


_UFUNCS: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        "+": np.add,
        "-": np.subtract,
        "*": np.multiply,
        "/": np.divide,
        "**": np.power,
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
        "==": np.equal,
        "!=": np.not_equal,
    }
)


@cache
def named_constant(name: str) -> Fraction | None:
    """Return a constant of the grammar to 400 bits, or None if the name is a variable."""
    attribute = {"pi": "pi", "E": "e", "EulerGamma": "euler", "Catalan": "catalan", "GoldenRatio": "phi"}.get(name)
    if attribute is None:
        return None
    return exact_mpf(+getattr(WIDE, attribute))


@cache
def _functions() -> Mapping[str, NumpyFunction]:
    """Return the implementations; SciPy is imported here, for those who get as far as evaluating."""
    from scipy import special

    def reciprocal(function: Callable[..., Array]) -> NumpyFunction:
        return NumpyFunction(lambda x: np.divide(_one(x), function(x)))

    def of_reciprocal(function: Callable[..., Array]) -> NumpyFunction:
        return NumpyFunction(lambda x: function(np.divide(_one(x), x)))

    same = ("exp", "expm1", "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")
    arcs = ("sin", "cos", "tan", "sinh", "cosh", "tanh")
    table = {name: NumpyFunction(getattr(np, name)) for name in same}
    table |= {f"a{name}": NumpyFunction(getattr(np, f"arc{name}")) for name in arcs}
    table |= {
        "log": NumpyFunction(lambda x, base=None: np.log(x) if base is None else np.divide(np.log(x), np.log(base))),
        "cbrt": NumpyFunction(_cube_root),
        "cot": reciprocal(np.tan),
        "sec": reciprocal(np.cos),
        "csc": reciprocal(np.sin),
        "coth": reciprocal(np.tanh),
        "sech": reciprocal(np.cosh),
        "csch": reciprocal(np.sinh),
        "acot": of_reciprocal(np.arctan),
        "asec": of_reciprocal(np.arccos),
        "acsc": of_reciprocal(np.arcsin),
        "acoth": of_reciprocal(np.arctanh),
        "asech": of_reciprocal(np.arccosh),
        "acsch": of_reciprocal(np.arcsinh),
        "sinc": NumpyFunction(_sinc),
        "Abs": NumpyFunction(np.abs, accepts_complex=False),
        "sign": NumpyFunction(np.sign, accepts_complex=False),
        "Heaviside": NumpyFunction(lambda x: np.heaviside(x, _one(x) / 2), accepts_complex=False),
        "Max": NumpyFunction(lambda *parts: _fold(np.maximum, parts), accepts_complex=False),
        "Min": NumpyFunction(lambda *parts: _fold(np.minimum, parts), accepts_complex=False),
        "atan2": NumpyFunction(np.arctan2, accepts_complex=False),
        "Piecewise": NumpyFunction(_piecewise, accepts_complex=False),
    }
    return MappingProxyType(table | _special_functions(special))


def _special_functions(special: Any) -> dict[str, NumpyFunction]:
    both = {
        "gamma": special.gamma,
        "digamma": special.digamma,
        "erf": special.erf,
        "erfc": special.erfc,
        "erfi": special.erfi,
        "besselj": special.jv,
        "bessely": special.yv,
        "besseli": special.iv,
        "besselk": special.kv,
        "Ei": lambda x: _exponential_integral(special.expi, special.exp1, x),
        "airyai": lambda x: special.airy(x)[0],
        "airyaiprime": lambda x: special.airy(x)[1],
        "airybi": lambda x: special.airy(x)[2],
        "airybiprime": lambda x: special.airy(x)[3],
        "Si": lambda x: special.sici(x)[0],
        "Ci": lambda x: _where_positive(x, special.sici(x)[1]),
        "Shi": lambda x: special.shichi(x)[0],
        "Chi": lambda x: _where_positive(x, special.shichi(x)[1]),
        "fresnels": lambda x: special.fresnel(x)[0],
        "fresnelc": lambda x: special.fresnel(x)[1],
        "factorial": lambda x: special.gamma(np.add(x, _one(x))),
        "chebyshevt": special.eval_chebyt,
        "chebyshevu": special.eval_chebyu,
        "legendre": special.eval_legendre,
        "polylog of order 1": lambda _, x: -np.log1p(-x),
        "polylog of order 2": lambda _, x: _dilogarithm(special.spence, special.log1p, x),
        "hyper of type 0F0": lambda _upper, _lower, x: np.exp(x),
        "hyper of type 1F0": lambda upper, _, x: np.power(_one(x) - x, -upper[0]),
    }
    table = {name: NumpyFunction(function) for name, function in both.items()}
    real = _real_special_functions(special)
    return table | {name: NumpyFunction(function, accepts_complex=False) for name, function in real.items()}


def _real_special_functions(special: Any) -> dict[str, Callable[..., Array]]:
    return {
        "loggamma": lambda x: _where_positive(x, special.gammaln(x)),
        "polygamma": lambda order, x: special.polygamma(order.astype(int), x),
        "expint": lambda order, x: special.expn(order.astype(int), x),
        "hermite": lambda order, x: special.eval_hermite(order.astype(int), x),
        "zeta": special.zeta,
        "elliptic_k": special.ellipk,
        "elliptic_e": special.ellipe,
        "beta": special.beta,
        "binomial": special.binom,
        "LambertW": lambda x: _real_part(special.lambertw(x)),
        # SciPy takes complex arguments of expi and of the three hypergeometric functions below, but loses imaginary
        # parts as small as those of a complex step.
        "li": lambda x: special.expi(np.log(x)),
        "erfinv": special.erfinv,
        "erfcinv": special.erfcinv,
        "uppergamma": lambda order, x: np.multiply(special.gammaincc(order, x), special.gamma(order)),
        "lowergamma": lambda order, x: np.multiply(special.gammainc(order, x), special.gamma(order)),
        "hyper of type 0F1": lambda _, lower, x: special.hyp0f1(*lower, x),
        "hyper of type 1F1": lambda upper, lower, x: special.hyp1f1(*upper, *lower, x),
        "hyper of type 2F1": lambda upper, lower, x: special.hyp2f1(*upper, *lower, x),
    }


def _one(x: Array) -> Array:
    return np.ones(1, dtype=x.dtype)


def _fold(combine: Callable[..., Array], parts: tuple[Array, ...]) -> Array:
    value = parts[0]
    for part in parts[1:]:
        value = combine(value, part)
    return value


def _cube_root(x: Array) -> Array:
    """Return the principal cube root, which is not real for negative numbers."""
    if x.dtype.kind == "c":
        root: Array = np.power(x, np.array([1 / 3], dtype=x.real.dtype))
        return root
    return _where_positive(x, np.cbrt(x))


def _where_positive(x: Array, value: Array) -> Array:
    """Return the value where SymPy's principal one is real too: at negative numbers SciPy takes another branch."""
    if x.dtype.kind == "c":
        return value
    return np.where(x < 0, np.array([np.nan], dtype=value.dtype), value)


def _exponential_integral(expi: Callable[[Array], Array], exp1: Callable[[Array], Array], x: Array) -> Array:
    """Return Ei, for complex x left of 0 as −E1(−x), which continues it from the real axis."""
    if x.dtype.kind != "c":
        return expi(x)
    value: Array = np.where(x.real < 0, -exp1(-x), expi(x)).astype(x.dtype)
    return value


def _dilogarithm(spence: Callable[[Array], Array], log1p: Callable[[Array], Array], x: Array) -> Array:
    """Return Li2 in u = −log(1 − x) where that is small: SciPy has it as a function of 1 − x, which loses x there."""
    u = -log1p(-x)
    square, series = np.square(u), np.zeros_like(u)
    for coefficient in reversed(_debye_coefficients(u.real.dtype.name)):
        series = (series + coefficient) * square
    return np.where(np.abs(u) <= 0.7, u - square / 4 + u * series, spence(_one(x) - x))


@cache
def _debye_coefficients(dtype: str) -> tuple[Array, ...]:
    """Return B_2k/(2k + 1)! for the terms that float64 has where |u| ≤ 0.7."""
    exact = (Fraction(*WIDE.bernfrac(2 * k)) / factorial(2 * k + 1) for k in range(1, 9))
    return tuple(np.array([round_to(value, dtype)], dtype=dtype) for value in exact)


def _sinc(x: Array) -> Array:
    return np.where(x == 0, _one(x), np.divide(np.sin(x), np.where(x == 0, _one(x), x)))


def _piecewise(*parts: Array) -> Array:
    values, conditions = parts[::2], parts[1::2]
    result = np.array([np.nan], dtype=values[-1].dtype)
    for value, condition in zip(reversed(values), reversed(conditions), strict=True):
        result = np.where(condition, value, result)
    return result


def _real_part(value: Array) -> Array:
    return np.where(value.imag == 0, value.real, np.nan).astype(value.real.dtype)
