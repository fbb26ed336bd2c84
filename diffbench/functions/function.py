"""A function to measure on: formula, points, domain and where it comes from."""

import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from html import escape
from math import isinf
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import PLAIN, find_dtype
from diffbench.errors import FormulaError, InputError, UnsupportedError, check_name
from diffbench.functions.compile import compile_formula
from diffbench.functions.domain import REAL_LINE, Domain, parse_domain
from diffbench.functions.frameworks import NUMPY, check_evaluator, compile_cost, compile_in
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
    walk,
)
from diffbench.functions.lines import Line, axes, evaluate_along, formula_along, pairs, read_vectors
from diffbench.functions.models import Model, cost_along
from diffbench.functions.noise import Noise, parse_noise
from diffbench.rounding import exact_float, exact_point, exact_text, round_to

SHOWN_POINTS = 6
"""How many points a Function shows of itself."""

Evaluate = Callable[..., npt.NDArray[Any]]

BEYOND = Fraction(2) ** 20_000
"""No dtype has it."""


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
        Text and fractions are exact; a float means its binary value. With several variables a point is a list of
        such numbers, or a table of them by variable.
    domain : str or Domain, optional
        Where it is defined and its schemes may evaluate it; by default the real line.
    tags : sequence of str
        Classes it belongs to.
    source : str
        Paper or book that it comes from.
    evaluate : callable, optional
        Your own implementation: takes an array, or one for each variable, and returns an array of its shape and dtype.
        The formula then says what it ought to compute.
    printed : sequence of Printed
        Numbers from the literature.
    noise : str or Noise, optional
        What is added to every value that is measured, such as ``"relative 1e-6"``; the formula without it is the truth.
    variables : sequence of str, optional
        The variables of a function of several; by default those of its points, where these are tables.

    Attributes
    ----------
    points : tuple of Fraction
        Where derivatives are taken. Those of a function of several variables are the coordinates that vary, point by
        point.
    lines : tuple of Line
        With several variables the point and the coordinate that each of `points` stands for.
    model : Model, optional
        Of a cost of :meth:`of_model`: what it is the cost of.
    parameter : int, optional
        Of a line of such a cost: the parameter that varies.
    evaluator : str
        What computes the formula or cost: numpy, or a framework that a spec names.

    Raises
    ------
    InputError
        If the formula or the noise does not parse or a point lies outside the domain.

    Examples
    --------
    >>> Function("square", "w**2", points=["3"]).formula.variable
    'w'
    >>> Function("saddle", "x*y", points=[{"x": 1, "y": 2}]).formula.variables
    ('x', 'y')
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
    lines: tuple[Line, ...]
    model: Model | None
    parameter: int | None
    evaluator: str

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
        variables: Sequence[str] | None = None,
    ) -> None:
        check_name(name, "function")
        if evaluate is not None and not callable(evaluate):
            raise InputError(f"evaluate: {evaluate!r} of {name} cannot be called")
        given = _sequence(points, name)
        declared = _several(formula, given, variables)
        parsed = formula if isinstance(formula, Formula) else _parsed(formula, declared)
        if variables is None and declared and isinstance(formula, str):
            _check_used(parsed, declared, name)
        region = domain if isinstance(domain, Domain) else REAL_LINE if domain is None else parse_domain(domain)
        for key, texts in (("tags", tags), ("printed", printed)):
            if isinstance(texts, str) or not isinstance(texts, Sequence):
                raise InputError(f"{key}: {texts!r} of {name} is not a list")
        stated = noise if noise is None or isinstance(noise, Noise) else parse_noise(noise)
        if declared and (region != REAL_LINE or printed or stated is not None):
            raise InputError(f"function: {name} of several variables can have no domain, printed numbers or noise")
        lines = axes(read_vectors(given, parsed.variables, name)) if declared else ()
        exact = tuple(line.x for line in lines) if declared else _exact(given, region, name)
        own = (name, parsed, exact, region, tuple(tags), source, evaluate, tuple(printed), stated, lines)
        values = (*own, None, None, NUMPY)
        for field, value in zip(self.__dataclass_fields__, values, strict=True):
            object.__setattr__(self, field, value)

    @classmethod
    def of_model(cls, name: str, model: Model, *, tags: Sequence[str] = (), source: str = "") -> "Function":
        """Return the cost of a model as a function of all its parameters, at the model's own."""
        function = cls(name, model.formula, [model.parameters], tags=tags, source=source, variables=model.names)
        return function._with(model=model)

    def compile(self, dtype: str) -> Evaluate:
        """Return the code that is measured, arrays of numpy in and out, in a real or complex dtype.

        Raises
        ------
        UnsupportedError
            If there is no implementation for the dtype, or the function has noise and the dtype is complex.
        InputError
            If it has several variables.
        """
        if self.lines:
            raise InputError(f"function: {self.name} has several variables; only its lines can be computed")
        code = self.evaluate or self._code(dtype)
        if self.noise is None:
            return code
        if find_dtype(np.empty(0, dtype).real.dtype.name).is_wide:
            raise UnsupportedError("the noise is stated for dtypes of at most 64 bits")
        if np.dtype(dtype).kind == "c":
            raise UnsupportedError("needs complex values, and the noise is stated for real ones")
        return _noisy(code, self.noise)

    def _code(self, dtype: str) -> Evaluate:
        if self.evaluator == NUMPY:
            return _compiled(self.formula, dtype)
        if self.model is not None and self.parameter is not None:
            return compile_cost(self.model, self.parameter, self.evaluator, dtype)
        return compile_in(self.formula, self.evaluator, dtype)

    def computed_by(self, evaluator: str) -> "Function":
        """Return the same function computed by numpy or by a framework.

        Raises
        ------
        InputError
            If there is no such evaluator, or the function has code of its own.
        """
        if check_evaluator(evaluator) != NUMPY and self.evaluate is not None:
            raise InputError(f"evaluator: {evaluator} computes formulas, and {self.name} has code of its own")
        return self if evaluator == self.evaluator else self._with(evaluator=evaluator)

    def at(self, points: Sequence[Fraction]) -> "Function":
        """Return the same function with other points of its domain."""
        return self._with(points=tuple(points))

    def part(self, first: int, stop: int) -> "Function":
        """Return the same function with some of its points."""
        return self._with(points=self.points[first:stop], lines=self.lines[first:stop])

    def named(self, name: str) -> "Function":
        """Return the same function by another name."""
        check_name(name, "function")
        return self if name == self.name else self._with(name=name)

    @property
    def vectors(self) -> tuple[tuple[Fraction, ...], ...]:
        """The points of a function of several variables."""
        # The lines of a point share it; to compare points of a thousand coordinates would take its time.
        firsts = (k == 0 or line.at is not self.lines[k - 1].at for k, line in enumerate(self.lines))
        return tuple(line.at for line, is_first in zip(self.lines, firsts, strict=True) if is_first)

    @property
    def mixed(self) -> "Function":
        """The same function with the lines of its mixed partial derivatives, whose points are all t = 0."""
        lines = pairs(self.vectors) if self.model is None else ()
        return self._with(points=tuple(line.x for line in lines), lines=lines)

    def along_lines(self, dtype: str) -> tuple["Function", ...]:
        """Return functions of one variable: one for each line of a function of several, or the function itself."""
        return tuple(self.line(row, dtype) for row in range(len(self.lines))) or (self,)

    def line(self, row: int, dtype: str) -> "Function":
        """Return what a function of several variables is along one of its lines, a function of one.

        The other coordinates are numbers of the dtype; where one overflows, so does the point.
        """
        if self.model is not None:
            return self._parameter_line(self.model, row, dtype)
        at, along = self.lines[row]
        rounded = [round_to(value, dtype) for value in at]
        overflows = any(map(isinf, rounded))
        line = Line(at if overflows else tuple(map(exact_float, rounded)), along)
        return self._with(
            formula=formula_along(self.formula, line),
            points=(BEYOND if overflows else self.lines[row].x,),
            evaluate=self.evaluate and evaluate_along(self.evaluate, line, dtype),
            lines=(),
        )

    def _parameter_line(self, model: Model, row: int, dtype: str) -> "Function":
        """Return what the cost of a model is along one parameter; its formula has no meaning but its text."""
        (i,) = self.lines[row].along
        name = self.formula.variables[i]
        return self._with(
            formula=Formula(f"{self.formula.text}, along {name}", self.formula.tree, (name,)),
            points=(self.points[row],),
            evaluate=partial(cost_along, model, i, dtype) if self.evaluator == NUMPY else None,
            lines=(),
            parameter=i,
        )

    def place(self, line: Line) -> str:
        """Return the point of a line as text; that of a model follows from its seed."""
        return line.place(self.formula.variables) if self.model is None else f"seed {self.model.seed}"

    def _with(self, **values: object) -> "Function":
        other = copy(self)
        for field, value in values.items():
            object.__setattr__(other, field, value)
        return other

    def along(self, row: int, dtype: str) -> "Function":
        """Return the function of one variable that a row of a block measures; mixed derivatives follow the others."""
        if not self.lines:
            return self
        beyond = row - len(self.lines)
        return self.line(row, dtype) if beyond < 0 else self.mixed.line(beyond, dtype)

    def __hash__(self) -> int:
        # Equal ones have the same name and formula, and points of a thousand coordinates take their time.
        return hash((self.name, self.formula))

    def __str__(self) -> str:
        return f"{self.name}: {self.formula}"

    @property
    def places(self) -> list[str]:
        """The points as texts."""
        if self.lines:
            return [self.place(Line(at, (0,))) for at in self.vectors]
        return [exact_text(point) for point in self.points]

    def __repr__(self) -> str:
        places = self.places
        points = ", ".join(map(repr, places[:SHOWN_POINTS]))
        more = f", … {len(places)} in all" if len(places) > SHOWN_POINTS else ""
        where = "" if self.domain == REAL_LINE else f", domain={self.domain.text!r}"
        return f"<Function {_shortened(self.name)!r}: {_shortened(self.formula.text)}, points=[{points}{more}]{where}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the formula as text and as it is written by hand, points, domain and tags."""
        places = self.places
        points = ("; " if self.lines else ", ").join(places[:SHOWN_POINTS]) + (
            " …" if len(places) > SHOWN_POINTS else ""
        )
        rows = {
            "written": f"<code>{escape(_shortened(self.formula.text, 1000))}</code>",
            f"points ({len(places)})": escape(points),
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
    if dtype in _KNOWN_WELL:
        return code
    calls = {node.name for node in walk(formula.tree) if isinstance(node, Call)}
    if np.dtype(dtype).kind == "c" and "cbrt" in calls:
        raise UnsupportedError("needs complex values, and the third in the power of cbrt is one of float64")

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


_KNOWN_WELL = (*PLAIN, "complex64", "complex128")
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


def _several(
    formula: str | Formula, points: Sequence[object], variables: Sequence[str] | None
) -> tuple[str, ...] | None:
    """Return the variables of a function of several, None where a point is a number."""
    if variables is not None:
        return tuple(variables)
    if isinstance(formula, Formula) and len(formula.variables) > 1:
        return formula.variables
    first = points[0]
    return tuple(map(str, first)) if isinstance(first, Mapping) else None


def _parsed(text: str, declared: tuple[str, ...] | None) -> Formula:
    """Return a formula of the declared variables, by default of one."""
    try:
        return parse_formula(text, declared or None)
    except FormulaError as error:
        if not error.variables:
            raise
        listed = ", ".join(error.variables)
        message = f"formula: {text[:60]!r} has the variables {listed}; a point needs a number for each, by variable"
        raise InputError(message) from error


def _check_used(formula: Formula, declared: tuple[str, ...], name: str) -> None:
    """Refuse variables that only points have: who means them declares them."""
    used = {node.name for node in walk(formula.tree) if isinstance(node, Name)}
    unused = [variable for variable in declared if variable not in used]
    if unused:
        raise InputError(f"point: {unused[0]!r} is no variable of {formula.text[:60]!r} ({name})")


def _exact(points: Sequence[object], region: Domain, name: str) -> tuple[Fraction, ...]:
    """Return the points of a function of one variable, or refuse them."""
    exact = tuple(exact_point(point, f"point of {name}") for point in points)
    outside = [str(point) for point, value in zip(points, exact, strict=True) if not region.interval_of(value)]
    if outside:
        raise InputError(f"point: {outside[0]} is outside the domain {region} of {name}")
    if len(set(exact)) < len(exact):
        raise InputError(f"points: one of {name} is given twice")
    return exact


def is_array_of(value: object, shape: tuple[int, ...], dtype: str) -> bool:
    """Return whether a function answered with an array of the shape and dtype asked for; masked ones mean less."""
    return type(value) is np.ndarray and value.shape == shape and value.dtype == np.dtype(dtype)
