"""Metamorphic tests: what a change of the function that changes nothing essential does to the digits of a step rule.

With g(x) = f(cx) at x/c, g = k f or g = f + c, the derivative of g is that of f times a known factor. A rule that
chooses a good epsilon for f ought to choose one for g. One that takes an absolute step for a relative one, or the other
way round, loses digits; the oracle, the best epsilon of a wide grid, says what the change itself costs.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diffbench.analysis.summary import along_points, by_function
from diffbench.errors import InputError
from diffbench.functions.domain import Domain, parse_domain
from diffbench.functions.function import Function
from diffbench.functions.grammar import parse_formula
from diffbench.rounding import exact_number, exact_text
from diffbench.schemes.step_rules import StepRule
from diffbench.sweep.curves import Curves
from diffbench.sweep.run import run
from diffbench.sweep.spec import Spec

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
Row = dict[str, Any]

HOLDS = 0.5
"""A relation holds where it costs at most so many digits."""

WIDE_GRID = "1e7:1e-23:4/decade"
"""The epsilons of the oracle: those that are good for f(10^6 x) and f(10^-6 x) too."""

KINDS = ("x", "f", "shift")


@dataclass(frozen=True)
class Relation:
    """A change of a function.

    Attributes
    ----------
    kind : str
        ``x`` for f(cx) at x/c, ``f`` for c f(x), ``shift`` for f(x) + c.
    number : str
        c, an exact decimal, rational or power such as 2^-20; above 0 for x, not 0 for f.
    """

    kind: str
    number: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"relation: the kind {self.kind!r} is not one of {', '.join(KINDS)}")
        number = self.exact
        if (self.kind == "x" and number <= 0) or (self.kind == "f" and number == 0):
            raise InputError(f"relation: {self.number} cannot scale {self.kind}")

    @property
    def exact(self) -> Fraction:
        """The number c."""
        return exact_number(self.number, "relation")

    def __str__(self) -> str:
        return {"x": f"f({self.number} x)", "f": f"{self.number} f(x)", "shift": f"f(x) + {self.number}"}[self.kind]


_SCALES = ("2^20", "2^-20", "10^6", "10^-6")

RELATIONS = (
    *(Relation("x", number) for number in _SCALES),
    *(Relation("f", number) for number in _SCALES),
    *(Relation("shift", number) for number in ("1", "10^6")),
)
"""The catalogue."""


def transformed(function: Function, relation: Relation) -> Function:
    """Return a function changed by a relation, its formula as text, its points and domain moved with it.

    Raises
    ------
    InputError
        If an argument is wrong, or the function has its own code or noise, which no formula can say.

    Examples
    --------
    >>> print(transformed(Function("f", "exp(x)", ["1"]), Relation("x", "2^20")).formula)
    exp((1048576*x))
    """
    if not isinstance(function, Function) or not isinstance(relation, Relation):
        raise InputError(f"relation: {relation!r} and {function!r} are not a Relation and a Function")
    if function.evaluate is not None or function.noise is not None:
        raise InputError(f"function: {function.name} has its own code or noise, which no relation can change")
    number, formula = exact_text(relation.exact), function.formula
    text, points, domain = formula.text, list(function.points), function.domain
    if relation.kind == "x":
        variable = rf"(?<![A-Za-z0-9_.]){re.escape(formula.variable)}(?![A-Za-z0-9_])"
        text = re.sub(variable, f"({number}*{formula.variable})", text)
        points, domain = [point / relation.exact for point in points], _divided(domain, number)
    else:
        text = f"({number})*({text})" if relation.kind == "f" else f"({text}) + ({number})"
    return Function(function.name, parse_formula(text, formula.variable), points, domain=domain, tags=function.tags)


def _divided(domain: Domain, number: str) -> Domain:
    """Return a domain whose ends are divided by a number above 0."""

    def end(text: str) -> str:
        return text.strip() if text.strip() in {"-oo", "oo"} else f"({text.strip()})/({number})"

    parts = [part.strip() for part in domain.text.split("|")]
    ends = [part[1:-1].split(",") for part in parts]
    moved = [f"{part[0]}{end(low)}, {end(high)}{part[-1]}" for part, (low, high) in zip(parts, ends, strict=True)]
    return parse_domain(" | ".join(moved))


def metamorphic(
    functions: object,
    schemes: object = None,
    rules: Sequence[str | StepRule] = ("usual",),
    relations: Sequence[Relation] = RELATIONS,
    dtype: str = "float64",
) -> "pd.DataFrame":
    """Return the digits that each relation costs each rule: a row for rule × relation.

    Parameters
    ----------
    functions, schemes
        As for :class:`diffbench.Spec`.
    rules : sequence of str or StepRule
        Rules of the catalogue, or such as ``fixed(1e-6)``.
    relations : sequence of Relation
        By default f(cx) and c f(x) for c = 2^±20 and 10^±6, f + 1 and f + 10^6.
    dtype : str
        The arithmetic.

    Returns
    -------
    DataFrame
        ``rule``, ``relation``, ``curves`` (function × scheme), ``digits_lost`` and ``digits_lost_worst`` (median and
        most over the curves), ``oracle_lost`` (the median of what the oracle loses), ``share_held`` (the part of the
        curves that lose at most 0.5 digits) and ``holds`` (whether the median does).

    Raises
    ------
    InputError
        If an argument is wrong.
    """
    import pandas as pd

    rows = relation_rows(metamorphic_rows(functions, schemes, rules, relations, dtype))
    return pd.DataFrame(rows).convert_dtypes(dtype_backend="pyarrow")


def metamorphic_rows(
    functions: object,
    schemes: object = None,
    rules: Sequence[str | StepRule] = ("usual",),
    relations: Sequence[Relation] = RELATIONS,
    dtype: str = "float64",
) -> list[Row]:
    """Return a row for each rule × relation × function × scheme: digits without and with it, and what the oracle loses.

    All are medians over the points at which the rule has digits without the relation; where it has none with it,
    because a cell is not ok, it has 0.
    """
    chosen = Spec(functions).functions

    def curves(changed: Sequence[Function]) -> list[list[Curves]]:
        spec = Spec(list(changed), schemes, WIDE_GRID, dtypes=[dtype], rules=list(rules))
        return list(by_function(run(spec).curves))

    base = curves(chosen)
    return [
        row
        for relation in relations
        for before, after in zip(base, curves([transformed(each, relation) for each in chosen]), strict=True)
        for row in _rows_of(str(relation), before, after)
    ]


def _rows_of(relation: str, before: list[Curves], after: list[Curves]) -> Iterator[Row]:
    oracle = [along_points(parts, "oracle_digits") for parts in (before, after)]
    digits = [along_points(parts, "rule_digits") for parts in (before, after)]
    about = before[0]
    for r, rule in enumerate(about.rules):
        for s, scheme in enumerate(about.schemes):
            old, new = _compared(*(each[s, :, r] for each in digits))
            best, best_after = _compared(*(each[s] for each in oracle))
            yield {
                "rule": rule,
                "relation": relation,
                "function": about.function,
                "derivative": about.derivative,
                "scheme": scheme,
                "base_digits": _median(old),
                "digits": _median(new),
                "digits_lost": _median(old - new),
                "oracle_lost": _median(best - best_after),
            }


def _compared(before: Array, after: Array) -> tuple[Array, Array]:
    """Return digits at the points: after a change 0 where there were some, and NaN where there were none before."""
    return before, np.where(np.isnan(before), np.nan, np.where(np.isnan(after), 0.0, after))


def relation_rows(rows: Sequence[Row]) -> list[Row]:
    """Return a row for each rule × relation."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["digits_lost"] is not None:
            groups.setdefault((row["rule"], row["relation"]), []).append(row)
    return [_relation_row(key, group) for key, group in sorted(groups.items(), key=lambda item: item[0][0])]


def _relation_row(key: tuple[str, str], group: list[Row]) -> Row:
    lost = np.array([row["digits_lost"] for row in group])
    return {
        "rule": key[0],
        "relation": key[1],
        "curves": lost.size,
        "digits_lost": float(np.median(lost)) + 0.0,
        "digits_lost_worst": float(lost.max()),
        "oracle_lost": _median(np.array([row["oracle_lost"] for row in group], dtype=float)),
        "share_held": float(np.mean(lost <= HOLDS)),
        "holds": bool(np.median(lost) <= HOLDS),
    }


def _median(values: Array) -> float | None:
    known = values[~np.isnan(values)]
    # Adding 0 makes -0 a plain 0.
    return float(np.median(known)) + 0.0 if known.size else None
