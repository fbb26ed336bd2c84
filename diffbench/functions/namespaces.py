"""Parse tree to the operations of another package, in the order in which they are written.

What comes out is what a user of that package would have written by hand: autograd's boxes, JAX's tracers, tensors and
mpmath's numbers pass through, so that the package's own derivatives can be measured. A function that the package has
neither itself nor as compile.py makes it of SciPy's is missing, not emulated.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np

from diffbench.errors import InputError, UnsupportedError, nearest
from diffbench.functions.compile import named_constant
from diffbench.functions.grammar import (
    COMPARISONS,
    CONSTANTS,
    INTEGER_FIRST,
    RATIONAL_FIRST,
    Binary,
    Call,
    Formula,
    List,
    Name,
    Negative,
    Node,
    Number,
    constants_only,
    rational_value,
    walk,
)
from diffbench.rounding import check_narrow_dtype, round_to

NAMESPACES = ("autograd", "jax", "mpmath", "torch")
"""Packages in whose operations a formula can be computed."""

_NOT_ANALYTIC = frozenset({"Abs", "sign", "Heaviside", "Max", "Min", "atan2", "Piecewise"})

Evaluator = Callable[[Any], Any]
Table = Mapping[str, Callable[..., Any]]

_ORDERED = INTEGER_FIRST.union(RATIONAL_FIRST, ("besselj", "bessely", "besseli", "besselk"))


@dataclass(frozen=True)
class _Namespace:
    """How a package computes: a rational number, a named constant, operators and functions by name, Piecewise."""

    name: str
    rational: Callable[[Fraction], Evaluator]
    constant: Callable[[str], Evaluator]
    operators: Table
    functions: Table
    piecewise: Callable[[list[tuple[Evaluator, Evaluator]]], Evaluator]


def evaluate_in(formula: Formula, namespace: str, dtype: str = "float64") -> Evaluator:
    """Return the formula as a function of one variable, computed with another package's own operations, as written.

    Parameters
    ----------
    formula : Formula
        What to compute.
    namespace : str
        One of :data:`NAMESPACES`.
    dtype : str
        The real dtype into which constants are rounded once. In mpmath they are rounded to its precision of the moment.

    Returns
    -------
    callable
        Takes a number of the package (for autograd and JAX also an array, for torch a tensor that has a dimension) of
        the dtype. A formula without its variable gives a single number. The package's warnings and exceptions are let
        through. In mpmath a value that is not real at a real number is NaN.

    Raises
    ------
    UnsupportedError
        If the package is not installed, or lacks a function of the formula or its derivative.
    InputError
        If there is no such namespace or dtype.

    Examples
    --------
    >>> from diffbench import parse_formula
    >>> import mpmath
    >>> with mpmath.workdps(30):
    ...     print(mpmath.diff(evaluate_in(parse_formula("sin(x)/x"), "mpmath"), 2))
    -0.435397774979991617347789081228
    """
    if namespace not in NAMESPACES:
        hint = nearest(str(namespace), NAMESPACES)
        raise InputError(f"namespace: {namespace!r} is not one of {', '.join(NAMESPACES)}{hint}")
    package = _BUILDERS[namespace](check_narrow_dtype(dtype))
    evaluate = _compile(formula.tree, package)
    return _real_in(import_module("mpmath"), evaluate) if namespace == "mpmath" else evaluate


def check_analytic(formula: Formula) -> None:
    """Refuse a formula that is not continued from the real line.

    Raises
    ------
    UnsupportedError
        If it has a function or comparison that takes real numbers only.
    """
    for node in walk(formula.tree):
        if isinstance(node, Call) and node.name in _NOT_ANALYTIC:
            raise UnsupportedError(f"needs complex values, which {node.name} does not take")
        if isinstance(node, Binary) and node.operator in COMPARISONS:
            raise UnsupportedError("needs complex values, which comparisons do not take")


def _compile(node: Node, package: _Namespace) -> Evaluator:
    match node:
        case Number(value):
            return package.rational(value)
        case Name("True" | "False" as name):
            return lambda _: name == "True"
        case Name(name):
            return package.constant(name) if name in CONSTANTS else lambda x: x
        case Negative(operand):
            return _composed(package.operators["-x"], [_compile(operand, package)])
        case Binary(sign, left, right):
            return _binary(sign, left, right, package)
        case List(items):
            rows = [_compile(item, package) for item in items]
            return lambda x: [row(x) for row in rows]
        case Call("Rational"):
            return package.rational(_known(rational_value(node)))
        case Call("Piecewise", arguments):
            parts = [_compile(argument, package) for argument in arguments]
            return package.piecewise(list(zip(parts[::2], parts[1::2], strict=True)))
        case Call():
            return _call(node, package)


def _composed(function: Callable[..., Any], parts: list[Evaluator]) -> Evaluator:
    return lambda x: function(*(part(x) for part in parts))


def _binary(sign: str, left: Node, right: Node, package: _Namespace) -> Evaluator:
    first = _compile(left, package)
    if sign == "**" and rational_value(right) == 2:
        # As in compile.py, where the square is what pow(x, 2) rounds to.
        return _composed(package.operators["square"], [first])
    return _composed(package.operators[sign], [first, _compile(right, package)])


def _call(call: Call, package: _Namespace) -> Evaluator:
    parts = [_compile(argument, package) for argument in call.arguments]
    order = rational_value(call.arguments[0]) if call.name in _ORDERED else None
    if order is not None and order.denominator == 1:
        # JAX would trace the arithmetic of an order that is written as 1 + 1, and then not know its value.
        parts[0] = package.rational(order)
    return _composed(_implementation(call, package), parts)


def _known(value: Fraction | None) -> Fraction:
    """Return a value of which the grammar has made sure."""
    return cast("Fraction", value)


def _implementation(call: Call, package: _Namespace) -> Callable[..., Any]:
    kinds = _kinds(call)
    for kind in kinds:
        if kind in package.functions:
            return package.functions[kind]
    some = any(known.startswith(f"{call.name} of ") for known in package.functions)
    raise UnsupportedError(f"{package.name} has no {kinds[0] if some else call.name}")


def _kinds(call: Call) -> list[str]:
    """Return the keys under which a table may have a call, the most particular one first."""
    if call.name == "hyper":
        upper, lower = (len(part.items) for part in call.arguments[:2] if isinstance(part, List))
        return [f"hyper of type {upper}F{lower}", "hyper"]
    if call.name not in _ORDERED:
        return [call.name]
    order = rational_value(call.arguments[0])
    if order is None:
        word = "constant" if constants_only(call.arguments[0]) else "variable"
        return [f"{call.name} of {word} order", call.name]
    words = [f"order {order}", "constant order"]
    words += ["positive order"] * (order > 0) + ["natural order"] * (order >= 0 and order.denominator == 1)
    return [*(f"{call.name} of {word}" for word in words), call.name]


def modules(package: str, *parts: str) -> list[ModuleType]:
    """Return a package and parts of it.

    Raises
    ------
    UnsupportedError
        If it is not installed.
    """
    try:
        return [import_module(name) for name in (package, *(f"{package}.{part}" for part in parts))]
    except ImportError as error:
        raise UnsupportedError(f"{package} is not installed") from error


# Packages that follow numpy -------------------------------------------------------------------------------------------


def _autograd(dtype: str) -> _Namespace:
    _, xp, special = modules("autograd", "numpy", "scipy.special")
    return _array_namespace("autograd", partial(_scalar, dtype), xp, _autograd_functions(xp, special))


def _jax(dtype: str) -> _Namespace:
    package, xp, special = modules("jax", "numpy", "scipy.special")
    if dtype == "float64" and not package.config.jax_enable_x64:
        raise UnsupportedError("jax has float64 only after jax.config.update('jax_enable_x64', True)")
    return _array_namespace("jax", partial(_scalar, dtype), xp, _jax_functions(xp, special))


def _torch(dtype: str) -> _Namespace:
    package, special = modules("torch", "special")
    _, standard = modules("array_api_compat", "torch")

    def where(condition: Any, value: Any, otherwise: Any) -> Any:
        return standard.where(package.as_tensor(condition), value, otherwise)

    # The standard calls pow what numpy calls power; the other names of numpy are torch's too.
    xp = SimpleNamespace(**{**vars(standard), "power": standard.pow, "where": where})

    def number(value: Fraction) -> Any:
        # A tensor without a dimension would not take part in promotion.
        return package.tensor([round_to(value, dtype)], dtype=getattr(package, dtype))

    return _array_namespace("torch", number, xp, _torch_functions(xp, special))


def _scalar(dtype: str, value: Fraction) -> Any:
    return np.dtype(dtype).type(round_to(value, dtype))


def _array_namespace(name: str, number: Callable[[Fraction], Any], xp: Any, special: Table) -> _Namespace:
    def rational(value: Fraction) -> Evaluator:
        rounded = number(value)
        return lambda _: rounded

    def piecewise(pairs: list[tuple[Evaluator, Evaluator]]) -> Evaluator:
        def function(x: Any) -> Any:
            result = xp.nan
            for value, condition in reversed(pairs):
                result = xp.where(condition(x), value(x), result)
            return result

        return function

    return _Namespace(
        name=name,
        rational=rational,
        constant=lambda constant: rational(_known(named_constant(constant))),
        operators=_array_operators(xp),
        functions={**_array_functions(xp), **special},
        piecewise=piecewise,
    )


def _array_operators(xp: Any) -> Table:
    comparisons = {"<": xp.less, "<=": xp.less_equal, ">": xp.greater, ">=": xp.greater_equal}
    comparisons |= {"==": xp.equal, "!=": xp.not_equal}
    arithmetic = {"+": xp.add, "-": xp.subtract, "*": xp.multiply, "/": xp.divide, "**": xp.power}
    return {**comparisons, **arithmetic, "-x": xp.negative, "square": xp.square}


def _array_functions(xp: Any) -> Table:
    def reciprocal(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: xp.divide(1, function(x))

    def of_reciprocal(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: function(xp.divide(1, x))

    functions = {name: getattr(xp, name) for name in ("exp", "expm1", "log1p", "sqrt", "sign")}
    for sine, cosecant in (("sin", "csc"), ("cos", "sec"), ("tan", "cot")):
        for h in ("", "h"):
            function, inverse = getattr(xp, sine + h), getattr(xp, f"arc{sine}{h}")
            functions |= {sine + h: function, f"a{sine}{h}": inverse}
            functions |= {cosecant + h: reciprocal(function), f"a{cosecant}{h}": of_reciprocal(inverse)}
    return functions | {
        "log": lambda x, base=None: xp.log(x) if base is None else xp.divide(xp.log(x), xp.log(base)),
        "sinc": lambda x: _sinc(xp, x),
        "Abs": xp.abs,
        "Heaviside": lambda x: xp.divide(xp.add(xp.sign(x), 1), 2),
        "Max": lambda *parts: reduce(xp.maximum, parts),
        "Min": lambda *parts: reduce(xp.minimum, parts),
        "atan2": xp.arctan2,
        "polylog of order 1": lambda _, x: xp.negative(xp.log1p(xp.negative(x))),
        "hyper of type 0F0": lambda _upper, _lower, x: xp.exp(x),
        "hyper of type 1F0": lambda upper, _, x: xp.power(xp.subtract(1, x), xp.negative(upper[0])),
    }


def _sinc(xp: Any, x: Any) -> Any:
    """Return sin(x)/x, at 0 its Taylor polynomial: derivatives of a mere 1 would all be 0.

    The branch that is not taken must be finite too, since its derivative is multiplied by 0.
    """
    square = xp.square(x)
    return xp.where(
        xp.equal(x, 0), 1 - square / 6 * (1 - square / 20), xp.divide(xp.sin(x), xp.where(xp.equal(x, 0), 1, x))
    )


def _where_positive(xp: Any, x: Any, value: Any) -> Any:
    return xp.where(xp.less(x, 0), xp.nan, value)


def _common_functions(xp: Any, special: Any) -> Table:
    """Return what autograd and JAX have both taken from SciPy, under its names."""
    names = ("gamma", "digamma", "beta", "erf", "erfc", "erfinv")
    return {name: getattr(special, name) for name in names} | {
        "factorial": lambda x: special.gamma(xp.add(x, 1)),
        "loggamma": lambda x: _where_positive(xp, x, special.gammaln(x)),
        "uppergamma of positive order": lambda order, x: xp.multiply(special.gammaincc(order, x), special.gamma(order)),
        "lowergamma of positive order": lambda order, x: xp.multiply(special.gammainc(order, x), special.gamma(order)),
    }


def _autograd_functions(xp: Any, special: Any) -> Table:
    return {
        **_common_functions(xp, special),
        "polygamma": special.polygamma,
        # autograd has a cbrt, but no derivative of it.
        "cbrt": lambda x: xp.power(x, xp.result_type(x).type(1 / 3)),
        "erfcinv": special.erfcinv,
        # SciPy's jn takes any order, its yn whole ones only.
        "besselj of constant order": special.jn,
        "bessely of natural order": special.yn,
        "besseli of constant order": special.iv,
    }


def _jax_functions(xp: Any, special: Any) -> Table:
    # Left out: bessel_jn, NaN at 0 and wrong beyond 25, and comb, which is 0 outside 0 ≤ k ≤ n.
    return {
        **_common_functions(xp, special),
        "cbrt": lambda x: _where_positive(xp, x, xp.cbrt(x)),
        "polygamma": lambda order, x: special.polygamma(int(order), x),
        "Ei": special.expi,
        "li": lambda x: special.expi(xp.log(x)),
        "expint": special.expn,
        "Si": lambda x: special.sici(x)[0],
        "Ci": lambda x: _where_positive(xp, x, special.sici(x)[1]),
        "fresnels": lambda x: special.fresnel(x)[0],
        "fresnelc": lambda x: special.fresnel(x)[1],
        "zeta": lambda x: special.zeta(x, 1),
        "besseli of order 0": lambda _, x: special.i0(x),
        "besseli of order 1": lambda _, x: special.i1(x),
        "hyper of type 1F1": lambda upper, lower, x: special.hyp1f1(*upper, *lower, x),
        "hyper of type 2F1": lambda upper, lower, x: special.hyp2f1(*upper, *lower, x),
    }


def _torch_functions(xp: Any, special: Any) -> Table:
    return {
        **{name: getattr(special, name) for name in ("digamma", "erf", "erfc", "erfinv")},
        "loggamma": lambda x: _where_positive(xp, x, special.gammaln(x)),
        "polygamma": lambda order, x: special.polygamma(int(order), x),
        "zeta": lambda x: special.zeta(x, 1),
        "airyai": special.airy_ai,
        "besselj of order 0": lambda _, x: special.bessel_j0(x),
        "besselj of order 1": lambda _, x: special.bessel_j1(x),
        "bessely of order 0": lambda _, x: special.bessel_y0(x),
        "bessely of order 1": lambda _, x: special.bessel_y1(x),
        "besseli of order 0": lambda _, x: special.i0(x),
        "besseli of order 1": lambda _, x: special.i1(x),
        "besselk of order 0": lambda _, x: special.modified_bessel_k0(x),
        "besselk of order 1": lambda _, x: special.modified_bessel_k1(x),
        "chebyshevt": lambda order, x: special.chebyshev_polynomial_t(x, order),
        "chebyshevu": lambda order, x: special.chebyshev_polynomial_u(x, order),
        "hermite": lambda order, x: special.hermite_polynomial_h(x, order),
        "legendre": lambda order, x: special.legendre_polynomial_p(x, order),
    }


# mpmath ---------------------------------------------------------------------------------------------------------------


def evaluate_in_context(formula: Formula, context: Any) -> Evaluator:
    """Return the formula as a function of a number of one of mpmath's contexts, computed at its precision.

    Parameters
    ----------
    formula : Formula
        What to compute.
    context : mpmath.MPContext
        Whose numbers are taken; a value that is not real at a real number is NaN.

    Raises
    ------
    UnsupportedError
        If mpmath lacks a function of the formula.
    """
    return _real_in(context, _compile(formula.tree, _of_context(context)))


def _mpmath(_: str) -> _Namespace:
    (mp,) = modules("mpmath")
    return _of_context(mp)


def _of_context(mp: Any) -> _Namespace:
    """Return how mpmath computes in a context, the package's own or another one."""
    names = {"pi": "pi", "E": "e", "EulerGamma": "euler", "Catalan": "catalan", "GoldenRatio": "phi"}

    def constant(name: str) -> Evaluator:
        return lambda _: +getattr(mp, names[name])

    def piecewise(pairs: list[tuple[Evaluator, Evaluator]]) -> Evaluator:
        return lambda x: next((value(x) for value, condition in pairs if condition(x)), mp.nan)

    return _Namespace(
        name="mpmath",
        # mpmathify would truncate a fraction.
        rational=lambda value: lambda _: mp.fdiv(value.numerator, value.denominator),
        constant=constant,
        operators=_PYTHONS,
        functions=_mpmath_functions(mp),
        piecewise=piecewise,
    )


_PYTHONS: Table = {
    "-x": operator.neg,
    "square": lambda x: x * x,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}

_SAME_IN_MPMATH = (
    *("exp", "expm1", "log1p", "sqrt", "cbrt", "sign", "sinc", "atan2", "gamma", "loggamma", "digamma", "factorial"),
    *("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "acot", "asec", "acsc", "sinh", "cosh", "tanh"),
    *("coth", "sech", "csch", "asinh", "acosh", "atanh", "acoth", "asech", "acsch", "erf", "erfc", "erfi", "erfinv"),
    *("airyai", "airybi", "fresnels", "fresnelc", "li", "zeta", "besselj", "bessely", "besseli", "besselk"),
    *("polygamma", "expint", "legendre", "hermite", "beta", "binomial", "polylog", "hyper"),
)


def _mpmath_functions(mp: Any) -> Table:
    return {name: getattr(mp, name) for name in _SAME_IN_MPMATH} | {
        "log": lambda x, base=None: mp.log(x) if base is None else mp.log(x) / mp.log(base),
        "Abs": abs,
        "Heaviside": lambda x: (mp.sign(x) + 1) / 2,
        "Max": max,
        "Min": min,
        "airyaiprime": lambda x: mp.airyai(x, derivative=1),
        "airybiprime": lambda x: mp.airybi(x, derivative=1),
        "Ei": mp.ei,
        "Si": mp.si,
        "Ci": mp.ci,
        "Shi": mp.shi,
        "Chi": mp.chi,
        "LambertW": mp.lambertw,
        "elliptic_k": mp.ellipk,
        "elliptic_e": mp.ellipe,
        "chebyshevt": mp.chebyt,
        "chebyshevu": mp.chebyu,
        "uppergamma": mp.gammainc,
        "lowergamma": lambda order, x: mp.gammainc(order, 0, x),
    }


def _real_in(mp: Any, evaluate: Evaluator) -> Evaluator:
    def function(x: Any) -> Any:
        # A float would be computed with in float64.
        number = mp.mpmathify(x)
        value = evaluate(number)
        if isinstance(number, mp.mpc) or not isinstance(value, mp.mpc):
            return value
        return value.real if value.imag == 0 else mp.nan

    return function


_BUILDERS: Mapping[str, Callable[[str], _Namespace]] = {
    "autograd": _autograd,
    "jax": _jax,
    "mpmath": _mpmath,
    "torch": _torch,
}
