"""Every reference of a suite by every way there is: two in balls, and mpmath as a third."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from diffbench.errors import UncertainError
from diffbench.functions.function import Function
from diffbench.functions.symbolic import to_sympy, variable_symbol
from diffbench.reference.balls import Ball
from diffbench.reference.branches import branch
from diffbench.reference.exact import WORKING_DIGITS, references
from diffbench.reference.multiprecision import agreed_value
from diffbench.reference.program import NoBallError
from diffbench.reference.reverse import cost_references
from diffbench.reference.verdict import Reference
from diffbench.reference.ways import derived
from diffbench.rounding import exact_text, round_array

DISAGREE = "two ways disagree"


@dataclass(frozen=True)
class Verification:
    """What the ways say of one derivative of one function at all its points, as doubles.

    Attributes
    ----------
    function : str
        Its name.
    derivative : int
        Which derivative.
    verdicts : Counter
        How many references have each verdict.
    second_opinions, third_opinions : int
        How many settled references another way, and mpmath, confirm.
    disagreements : int
        How many references two ways contradict.
    remarks : tuple of str
        Every reference that is not certified, or not confirmed, with the point and the reason.
    """

    function: str
    derivative: int
    verdicts: Counter[str]
    second_opinions: int
    third_opinions: int
    disagreements: int
    remarks: tuple[str, ...]


def verify(functions: Sequence[Function], derivatives: Sequence[int]) -> Iterator[Verification]:
    """Yield the verification of each derivative of each function."""
    for function in functions:
        for derivative in derivatives:
            yield _verify(function, derivative)


def _verify(function: Function, derivative: int) -> Verification:
    if not function.lines:
        return _verify_line(function, derivative)
    found = [_verify_line(line, derivative) for line in function.along_lines("float64")]
    names = [line.direction(function.formula.variables) for line in function.lines]
    return Verification(
        function.name,
        derivative,
        sum((each.verdicts for each in found), Counter()),
        sum(each.second_opinions for each in found),
        sum(each.third_opinions for each in found),
        sum(each.disagreements for each in found),
        tuple(f"{name} = {remark}" for name, each in zip(names, found, strict=True) for remark in each.remarks),
    )


def _verify_line(function: Function, derivative: int) -> Verification:
    points = [float(x) for x in round_array(function.points, "float64")]
    found = zip(points, _references(function, points, derivative), strict=True)
    known = [(x, reference) for x, reference in found if reference is not None]
    witnesses = [_witness(function, Fraction(x), derivative, each) for x, each in known]
    agreeing = [each.ball.agrees_with(w) for (_, each), w in zip(known, witnesses, strict=True) if w is not None]
    remarks = [f"{exact_text(Fraction(x))}: {each.verdict}, {each.reason}" for x, each in known if each.reason]
    return Verification(
        function.name,
        derivative,
        Counter(each.verdict for _, each in known),
        sum(bool(each.second_opinion) for _, each in known),
        sum(agreeing),
        agreeing.count(False) + sum(DISAGREE in each.reason for _, each in known),
        tuple(remarks),
    )


def _references(function: Function, points: list[float], derivative: int) -> list[Reference | None]:
    if function.model is not None and function.parameter is not None:
        return [cost_references(function.model, "float64", derivative)[function.parameter]]
    return references(function.formula, points, derivative)


def _witness(function: Function, x: Fraction, derivative: int, reference: Reference) -> Ball | None:
    """Return what mpmath says of the symbolic derivative, or None where it says nothing.

    Where branches meet it is asked about the right one; what is 0 two precisions of mpmath cannot tell.
    """
    if not reference.is_settled or reference.ball.has_vanished or function.model is not None:
        return None
    symbol = variable_symbol(function.formula)
    meets = reference.second_opinion == "symbolic" and derivative > 0
    try:
        smooth = branch(to_sympy(function.formula), symbol, x, 1 if meets else 0)
    except (NoBallError, UncertainError):
        return None
    expression = derived(smooth, symbol, derivative)
    return None if expression is None else agreed_value(expression, symbol, x, WORKING_DIGITS)
