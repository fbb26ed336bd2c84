"""A function to measure on: formula, points, domain and where it comes from."""

import re
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import PLAIN
from diffbench.errors import InputError, UnsupportedError, check_name
from diffbench.functions.compile import compile_formula
from diffbench.functions.domain import REAL_LINE, Domain, parse_domain
from diffbench.functions.grammar import (
    Binary,
    Call,
    Formula,
    Name,
    Negative,
    Node,
    Number,
    children,
    parse_formula,
)
from diffbench.functions.noise import Noise, parse_noise
from diffbench.rounding import exact_number

SHOWN_POINTS = 6
"""How many points a Function shows of itself."""

Evaluate = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


@dataclass(frozen=True)
class Printed:
    """A number printed in the literature, with which the program's own is compared.

    Attributes
    ----------
    quantity : str
        ``derivative``, ``estimate``, ``error`` or ``absolute_error``.
    derivative : int
        Which derivative.
    point : str
        Where, as exact text.
    value : str
        The digits as printed.
    scheme, epsilon : str
        For an estimate or error: of what.
    source, note : str
        Where it stands, and what is known about it.
    misprint : bool
        Whether the printed number is known to be wrong.
    """

    quantity: str
    derivative: int
    point: str
    value: str
    scheme: str = ""
    epsilon: str = ""
    source: str = ""
    note: str = ""
    misprint: bool = False


@dataclass(frozen=True, init=False)
class Function:
    """A test function with the points at which its derivatives are measured.

    Parameters
    ----------
    name : str
        How tables and figures call it.
    formula : str or Formula
        What it computes, in the grammar of :func:`diffbench.parse_formula`.
    points : sequence of str, int, Fraction or float
        Text and fractions are exact; a float means its binary value.
    domain : str or Domain, optional
        Where it is defined and its schemes may evaluate it; by default the real line.
    tags : sequence of str
        Classes it belongs to.
    source : str
        Paper or book that it comes from.
    evaluate : callable, optional
        Your own implementation: takes an array, returns an array of its shape and dtype. The formula then says
        what it ought to compute.
    printed : sequence of Printed
        Numbers from the literature.
    noise : str or Noise, optional
        What is added to every value that is measured, such as ``"relative 1e-6"``; the formula without it is the truth.

    Raises
    ------
    InputError
        If the formula or the noise does not parse or a point lies outside the domain.

    Examples
    --------
    >>> Function("square", "w**2", points=["3"]).formula.variable
    'w'
    """

    name: str
    formula: Formula
    points: tuple[Fraction, ...]
    domain: Domain
    tags: tuple[str, ...]
    source: str
    evaluate: Evaluate | None
    printed: tuple[Printed, ...]
    noise: Noise | None

    def __init__(
        self,
        name: str,
        formula: str | Formula,
        points: Sequence[object],
        *,
        domain: str | Domain | None = None,
        tags: Sequence[str] = (),
        source: str = "",
        evaluate: Evaluate | None = None,
        printed: Sequence[Printed] = (),
        noise: str | Noise | None = None,
    ) -> None:
        check_name(name, "function")
        if evaluate is not None and not callable(evaluate):
            raise InputError(f"evaluate: {evaluate!r} of {name} cannot be called")
        parsed = formula if isinstance(formula, Formula) else parse_formula(formula)
        region = domain if isinstance(domain, Domain) else REAL_LINE if domain is None else parse_domain(domain)
        for key, texts in (("tags", tags), ("printed", printed)):
            if isinstance(texts, str) or not isinstance(texts, Sequence):
                raise InputError(f"{key}: {texts!r} of {name} is not a list")
        exact = tuple(exact_number(point, f"point of {name}") for point in _sequence(points, name))
        outside = [str(point) for point, value in zip(points, exact, strict=True) if not region.interval_of(value)]
        if outside:
            raise InputError(f"point: {outside[0]} is outside the domain {region} of {name}")
        if len(set(exact)) < len(exact):
            raise InputError(f"points: one of {name} is given twice")
        stated = noise if noise is None or isinstance(noise, Noise) else parse_noise(noise)
        values = (name, parsed, exact, region, tuple(tags), source, evaluate, tuple(printed), stated)
        for field, value in zip(self.__dataclass_fields__, values, strict=True):
            object.__setattr__(self, field, value)

    def compile(self, dtype: str) -> Evaluate:
        """Return the numpy code that is measured, in a real or complex dtype.

        Raises
        ------
        UnsupportedError
            If there is no implementation for the dtype, or the function has noise and the dtype is complex.
        """
        code = self.evaluate or _compiled(self.formula, dtype)
        if self.noise is None:
            return code
        if np.dtype(dtype).kind == "c":
            raise UnsupportedError("needs complex values, and the noise is stated for real ones")
        return _noisy(code, self.noise)

    def at(self, points: Sequence[Fraction]) -> "Function":
        """Return the same function with other points of its domain."""
        other = copy(self)
        object.__setattr__(other, "points", tuple(points))
        return other

    def __str__(self) -> str:
        return f"{self.name}: {self.formula}"

    def __repr__(self) -> str:
        points = ", ".join(repr(str(point)) for point in self.points[:SHOWN_POINTS])
        more = f", … {len(self.points)} in all" if len(self.points) > SHOWN_POINTS else ""
        where = "" if self.domain == REAL_LINE else f", domain={self.domain.text!r}"
        return f"<Function {_shortened(self.name)!r}: {_shortened(self.formula.text)}, points=[{points}{more}]{where}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the formula as text and as it is written by hand, points, domain and tags."""
        points = ", ".join(map(str, self.points[:SHOWN_POINTS])) + (" …" if len(self.points) > SHOWN_POINTS else "")
        rows = {
            "written": f"<code>{escape(_shortened(self.formula.text, 1000))}</code>",
            f"points ({len(self.points)})": escape(points),
            "domain": escape(self.domain.text),
            "tags": escape(", ".join(self.tags)),
            "noise": escape(str(self.noise or "")),
            "source": escape(self.source),
        }
        written = "".join(f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in rows.items() if text)
        body = formula_html(self.formula.tree) if len(self.formula.text) <= 1000 else ""
        return f"<p><strong>{escape(self.name)}</strong></p><p>{body}</p><table>{written}</table>"


def _shortened(text: str, length: int = 80) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
_SIGNS = {"+": " + ", "-": " − ", "*": "·", "/": "/", "<=": " ≤ ", ">=": " ≥ ", "==": " = ", "!=": " ≠ "}
_GREEK = {"pi": "π", "EulerGamma": "γ", "E": "e"}


def formula_html(node: Node, bound: int = 0) -> str:
    """Return a formula in HTML as it is written by hand, powers raised.

    Parameters
    ----------
    node : Node
        Of a parse tree.
    bound : int
        How strongly what stands beside it binds; what binds less is put into parentheses.
    """
    match node:
        case Number(value):
            text, strength = escape(str(value)), 5 if value.denominator == 1 else 2
        case Name(name):
            text, strength = f"<i>{escape(_GREEK.get(name, name))}</i>", 5
        case Negative(operand):
            text, strength = f"−{formula_html(operand, 2)}", 1
        case Binary("**", left, right):
            text, strength = f"{formula_html(left, 5)}<sup>{formula_html(right)}</sup>", 4
        case Binary(operator, left, right):
            strength = _STRENGTH.get(operator, 0)
            right_text = formula_html(right, strength + (operator in "-/"))
            text = formula_html(left, strength) + _SIGNS.get(operator, f" {escape(operator)} ") + right_text
        case Call(name, arguments):
            text, strength = f"{escape(name)}({', '.join(map(formula_html, arguments))})", 5
        case _:
            text, strength = f"[{', '.join(map(formula_html, children(node)))}]", 5
    return f"({text})" if strength < bound else text


def _compiled(formula: Formula, dtype: str) -> Evaluate:
    """Return numpy code that says where numpy or SciPy have a function in dtypes that they know well only."""
    code = compile_formula(formula, dtype)
    if dtype in PLAIN or np.dtype(dtype).kind == "c":
        return code

    def compiled(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        try:
            return code(x)
        except TypeError as error:
            raise UnsupportedError(_missing(str(error), dtype)) from error

    return compiled


def _missing(problem: str, dtype: str) -> str:
    """Return which function has no code in a dtype, from what numpy says."""
    found = _UFUNC.search(problem)
    return f"{found[1] if found else 'f'} has no code in {dtype}"


_UFUNC = re.compile(r"ufunc '(\w+)'")


def _noisy(f: Evaluate, noise: Noise) -> Evaluate:
    def noisy(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        values = f(x)
        # What is no answer to the question is handed on as it is, and refused by whoever asked.
        return noise.disturb(x, values) if is_array_of(values, x.shape, x.dtype.name) else values

    return noisy


def _sequence(points: Sequence[object], name: str) -> Sequence[object]:
    if isinstance(points, str) or not hasattr(points, "__len__"):
        raise InputError(f"points: {points!r} of {name} is not a list of numbers")
    if len(points) == 0:
        raise InputError(f"points: {name} has none")
    return points


def is_array_of(value: object, shape: tuple[int, ...], dtype: str) -> bool:
    """Return whether a function answered with an array of the shape and dtype asked for; masked ones mean less."""
    return type(value) is np.ndarray and value.shape == shape and value.dtype == np.dtype(dtype)
