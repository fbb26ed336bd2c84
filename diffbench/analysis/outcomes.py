"""What became of the cells of other libraries' differentiators: right, wrong and said so, wrong in silence, or none.

A contestant is an opaque scheme of a run that also holds its *peer*, the scheme of our own of the same class.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from diffbench.errors import EmptySelectionError, InputError, UnsupportedError
from diffbench.functions.compile import compile_formula
from diffbench.functions.grammar import parse_formula
from diffbench.reference.pair import correct_digits, relative_error, unit_in_last_place
from diffbench.rounding import unit_roundoff
from diffbench.schemes.scheme import DifferenceScheme, Scheme, parse_scheme, split_derivative
from diffbench.sweep.curves import Curves, running_median
from diffbench.sweep.results import NO_CELLS, STATUSES, Block, Results, Status

Array = npt.NDArray[Any]

OUTCOMES = (
    "right",
    "honestly wrong",
    "silently wrong",
    "nonfinite",
    "exception",
    "left domain",
    "unsupported",
    "not judged",
)

ANSWERED = OUTCOMES[:3]
"""Outcomes of cells with an estimate that is measured against a reference."""

FAILURES = OUTCOMES[3:7]
"""Outcomes of cells without an estimate."""

MARGIN = 100.0
"""A right answer may lose two digits against what its class can reach."""

OUTCOME_CRITERION = (
    f"right: |error| ≤ {MARGIN:g} × the error of its peer at that scheme's optimal ε there (where it has none, the "
    f"least of the difference schemes'), but at least {MARGIN:g} × half a unit in the last place, where the derivative "
    "is 0 at least as much of what its peer can reach on functions of the size of f there, and |error| < |derivative| "
    "unless the derivative is 0 or the error at most a unit in the last place; honestly wrong: not right, "
    "but its own error estimate plus one unit in the last place covers the error; silently wrong: neither"
)

_OF_STATUS = {
    Status.NONFINITE: "nonfinite",
    Status.FAILED: "exception",
    Status.DOMAIN: "left domain",
    Status.UNSUPPORTED: "unsupported",
}


class Contestant(Protocol):
    """Another library's differentiator, a scheme of the run.

    Attributes
    ----------
    name : str
        Of the scheme, without ``-dM``.
    package : str
        Where it comes from.
    peer : str
        The scheme of the catalogue of the same class.
    """

    @property
    def name(self) -> str:
        """Of the scheme."""

    @property
    def package(self) -> str:
        """Where it comes from."""

    @property
    def peer(self) -> str:
        """The scheme of the same class."""


class Case(NamedTuple):
    """A cell of a contestant; numbers that do not exist are NaN.

    Attributes
    ----------
    library, package : str
        The contestant.
    function, tags, noise : str, tuple of str, str
        What was differentiated.
    derivative, dtype, point, x : int, str, int, float
        Which derivative, in what arithmetic, and where: the index of the point among the function's, and its value.
    epsilon, rule : float, str
        The step it was given, and the step rule that chose it; NaN and empty where there is none.
    estimate, reference, error, ulp : float
        What it answered, the truth, the signed difference, and the unit in the last place of the truth.
    error_estimate : float
        How large the contestant says its error is.
    digits, evaluations : float, int
        Correct digits, of an error that is not below half a unit in the last place, NaN where the truth is 0; and how
        often f was evaluated.
    status, outcome, reason : str
        What became of the cell, and why.
    """

    library: str
    package: str
    function: str
    tags: tuple[str, ...]
    noise: str
    derivative: int
    dtype: str
    point: int
    x: float
    epsilon: float
    rule: str
    estimate: float
    reference: float
    error: float
    ulp: float
    error_estimate: float
    digits: float
    evaluations: int
    status: str
    outcome: str
    reason: str


def outcome_rows(results: Results, contestants: Sequence[Contestant]) -> list[dict[str, Any]]:
    """Return how often each contestant came to each outcome, one row for each library × derivative × dtype.

    One answer a point counts, of a contestant that was swept over epsilon the one at its optimal epsilon, so that rows
    can be compared.

    Columns: cells, one count for each outcome (``honestly_wrong``) and one for each status (the two words that are
    both, *nonfinite* and *unsupported*, mean the same cells), the digits of the answers (median and worst, over those
    whose derivative is not 0), and the evaluations (median over the answers).
    """
    key = _row_order(contestants)
    found = sorted(answers(cases(results, contestants)), key=key)
    return [_outcome_row(list(group)) for _, group in groupby(found, key=key)]


def _row_order(contestants: Sequence[Contestant]) -> Any:
    places = {contestant.name: place for place, contestant in enumerate(contestants)}
    return lambda case: (places[case.library], case.derivative, case.dtype)


def _outcome_row(group: Sequence[Case]) -> dict[str, Any]:
    first = group[0]
    answered = [case for case in group if case.outcome in ANSWERED]
    digits = known(case.digits for case in answered)
    return {
        "library": first.library,
        "package": first.package,
        "derivative": first.derivative,
        "dtype": first.dtype,
        "cells": len(group),
        **count_outcomes(group),
        **_count([case.status for case in group], [status.label for status in STATUSES]),
        "digits": median(digits),
        "digits_worst": float(digits.min()) if digits.size else None,
        "evaluations": median(np.array([case.evaluations for case in answered])),
    }


def count_outcomes(group: Sequence[Case]) -> dict[str, int]:
    """Return how many cases have each outcome; keys are words joined by underscores."""
    return _count([case.outcome for case in group], OUTCOMES)


def _count(found: list[str], words: Iterable[str]) -> dict[str, int]:
    return {word.replace(" ", "_"): found.count(word) for word in words}


def known(values: Iterable[float]) -> Array:
    """Return the values that are not NaN."""
    array = np.fromiter(values, dtype=np.float64)
    return array[~np.isnan(array)]


def median(values: Array) -> float | None:
    """Return the median, None where there are no values."""
    return float(np.median(values)) if values.size else None


def cases(results: Results, contestants: Sequence[Contestant]) -> list[Case]:
    """Return every cell of the contestants, judged by :data:`OUTCOME_CRITERION`.

    Parameters
    ----------
    results : Results
        A run that kept its cells.
    contestants : sequence of Contestant
        The libraries, or whatever else of the run is to be judged with them.

    Notes
    -----
    Cells that collapsed are judged where they have an estimate. A cell is *not judged* where there is no reference, or
    where no difference scheme has an error to compare with and half a unit in the last place does not settle it.
    """
    if not results.blocks:
        raise EmptySelectionError(NO_CELLS)
    parts = zip(results.blocks, results.curves, strict=True)
    return [case for block, curves in parts for case in _cases_of_block(block, curves, contestants)]


def answers(cases: Iterable[Case]) -> list[Case]:
    """Return one case for each contestant and problem: the only one, or the one at its optimal epsilon."""
    groups: dict[Any, list[Case]] = {}
    for case in cases:
        groups.setdefault((case.library, *problem_of(case)), []).append(case)
    return [group[0] if len(group) == 1 else _at_optimum(group) for group in groups.values()]


def problem_of(case: Case) -> tuple[str, int, str, int]:
    """Return what a case asks: function, derivative, dtype and point."""
    return case.function, case.derivative, case.dtype, case.point


def _at_optimum(group: list[Case]) -> Case:
    """Return the case at the optimal epsilon, as curves have it, or the first where none is ok; the grid falls."""
    grid = [case for case in group if not case.rule] or group
    smooth = running_median(np.array([abs(case.error) if case.status == "ok" else np.nan for case in grid]))
    return grid[int(np.argmin(np.where(np.isnan(smooth), np.inf, smooth)))]


def _cases_of_block(block: Block, curves: Curves, contestants: Sequence[Contestant]) -> Iterator[Case]:
    families = [split_derivative(scheme)[0] for scheme in block.schemes]
    present = [contestant for contestant in contestants if contestant.name in families]
    if present:
        own = _only(block, [families.index(contestant.name) for contestant in present])
        yield from _cases(own, present, _outcomes(own, _standards(block, curves, present)))


def _only(block: Block, rows: list[int]) -> Block:
    """Return a block of some of its schemes; work on the many cells of the others would be for nothing."""
    along_schemes = ("chosen", "estimate", "error_estimate", "evaluations", "status", "reason")
    chosen: dict[str, Any] = {name: getattr(block, name)[rows] for name in along_schemes}
    points, columns = (range(size) for size in block.status.shape[1:])
    chosen["wide"] = None if block.wide is None else block.wide.cut(rows, points, columns)
    return replace(block, schemes=tuple(block.schemes[row] for row in rows), parts=None, records=None, **chosen)


def _standards(block: Block, curves: Curves, contestants: Sequence[Contestant]) -> Array:
    """Return the least error that the class of each contestant reaches at each point, (S, P); NaN where it has none.

    Where the derivative is 0 it is not less than :func:`_reachable`: a difference is often exactly 0 there, because f
    is even, or rounds to the same number at all nodes, and that is no merit that others could be held to.
    """
    sizes = _sizes_where_flat(block)
    differences = [row for row, scheme in enumerate(curves.schemes) if peer_name(scheme, curves.derivative)]
    best = np.fmin.reduce(curves.oracle_error[differences], axis=0, initial=np.nan)
    standards = []
    for contestant in contestants:
        peer = peer_name(contestant.peer, curves.derivative)
        own = curves.oracle_error[curves.schemes.index(peer)] if peer in curves.schemes else best
        standards.append(np.fmax(np.where(np.isnan(own), best, own), _reachable(contestant.peer, block, sizes)))
    return np.array(standards)


def _reachable(peer: str, block: Block, sizes: Array) -> Array:
    """Return the error that a class can reach on a function of such a size, (P,); NaN where the derivative is not 0.

    A difference of order p for derivative m leaves about F (ε/s)^p of truncation and u F (s/ε)^m of rounding, in units
    of s^-m, where f is of size F and changes over a length s; the two are equal at u^(p/(p + m)) F s^-m. A complex step
    subtracts nothing and reaches u F s^-m. s is max(1, |x|), as for step rules that know x only.
    """
    u, m = unit_roundoff(block.dtype), block.derivative
    scheme = _scheme_of(peer)
    share = 1.0
    if isinstance(scheme, DifferenceScheme) and not scheme.needs_complex:
        share = scheme.order / (scheme.order + m)
    return np.asarray(u**share * sizes / np.maximum(1.0, np.abs(block.x)) ** m)


def _sizes_where_flat(block: Block) -> Array:
    """Return the largest |f| at x − s, x and x + s where the derivative is 0, (P,); NaN elsewhere, or if f has none.

    f itself may be 0 where it is flat, as x³ is.
    """
    sizes, flat = np.full(block.x.size, np.nan), block.hi[:, 0] == 0
    if flat.any():
        x = block.x[flat]
        nodes = x + np.multiply.outer([-1.0, 0.0, 1.0], np.maximum(1.0, np.abs(x)))
        with suppress(UnsupportedError):
            values = np.abs(compile_formula(parse_formula(block.formula), "float64")(nodes))
            sizes[flat] = np.fmax.reduce(np.where(np.isfinite(values), values, np.nan), axis=0)
    return sizes


@cache
def _scheme_of(peer: str) -> Scheme | None:
    try:
        return parse_scheme(peer)
    except InputError:
        return None


@cache
def peer_name(name: str, derivative: int) -> str:
    """Return the name that a scheme of the catalogue has for a derivative, or nothing where there is none."""
    try:
        return parse_scheme(name, derivative).name
    except InputError:
        return ""


def _outcomes(block: Block, standards: Array) -> Array:
    """Return an index into the outcomes for each cell, (S, P, C)."""
    error, unit, standard = np.abs(block.error), _units(block), standards[..., None]
    # Where a class sees nothing of a derivative, a margin above its error would make answers right without a digit.
    size = np.where(block.hi == 0, np.inf, np.abs(block.hi))
    with np.errstate(all="ignore"):
        right = (error <= np.fmax(MARGIN * standard, MARGIN / 2 * unit)) & ((error < size) | (error <= unit))
        admitted = error <= block.error_estimate + unit
    judged = ~np.isnan(error) & (right | ~np.isnan(standard))
    outcomes = [
        *((block.status == status, word) for status, word in _OF_STATUS.items()),
        (judged & right, "right"),
        (judged & admitted, "honestly wrong"),
        (judged, "silently wrong"),
    ]
    indices = [OUTCOMES.index(word) for _, word in outcomes]
    return np.select([where for where, _ in outcomes], indices, OUTCOMES.index("not judged"))


def _units(block: Block) -> Array:
    """Return the unit in the last place of each reference, (P, 1); NaN where there is none."""
    hi = block.hi
    return np.where(np.isnan(hi), np.nan, unit_in_last_place(np.nan_to_num(hi), block.lo, block.dtype))


def _digits(block: Block) -> Array:
    """Return correct digits; an error below half a unit in the last place counts as that, so nobody wins by luck."""
    error = np.maximum(np.abs(block.error), _units(block) / 2)
    return correct_digits(relative_error(error, block.hi), block.dtype)


def _cases(block: Block, contestants: Sequence[Contestant], outcomes: Array) -> Iterator[Case]:
    planned = np.nonzero(block.status != Status.ABSENT)
    rows, points, columns = (each.tolist() for each in planned)
    rules = ("",) * block.grid_size + block.rules + ("",)
    labels = [status.label for status in Status]
    by_case = (
        [contestants[row].name for row in rows],
        [contestants[row].package for row in rows],
        *([value] * len(rows) for value in (block.function, block.tags, block.noise, block.derivative, block.dtype)),
        [block.first + point for point in points],
        block.x[planned[1]].tolist(),
        block.epsilon[planned].tolist(),
        [rules[column] for column in columns],
        block.estimate[planned].tolist(),
        block.hi[planned[1], 0].tolist(),
        block.error[planned].tolist(),
        _units(block)[planned[1], 0].tolist(),
        block.error_estimate[planned].tolist(),
        _digits(block)[planned].tolist(),
        block.evaluations[planned].tolist(),
        [labels[status] for status in block.status[planned].tolist()],
        [OUTCOMES[outcome] for outcome in outcomes[planned].tolist()],
        [block.reasons[reason] for reason in block.reason[planned].tolist()],
    )
    return map(Case._make, zip(*by_case, strict=True))
