"""Two runs, cell by cell: what is the same, better, worse, and what cannot be compared, because.

Cells are paired by name: function, derivative, dtype, scheme, rule, point and index of epsilon. What stands behind the
names is compared first, so that a formula that was changed is no regression.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.errors import EmptySelectionError
from diffbench.reference.pair import ulp_error
from diffbench.rounding import finite
from diffbench.sweep.results import NO_CELLS, Block, Key, Results, Status
from diffbench.sweep.spec import evaluator_of

Array = npt.NDArray[Any]

TRANSITIONS = (
    "unchanged",
    "better",
    "worse",
    "moved",
    "ok to not ok",
    "not ok to ok",
    "other status",
    "new",
    "vanished",
    "not comparable",
)

TRANSITION_CRITERION = (
    "unchanged: same status and same bits; better, worse: another error; moved: another estimate, equally far from the "
    "truth; not comparable: another formula, noise, x or epsilon behind the same names; new and vanished: in one run "
    "only"
)

_CODES = {transition: code for code, transition in enumerate(TRANSITIONS)}

_NEITHER = -1
"""The code of a cell that neither run has."""

_GRAVEST_FIRST = ("ok to not ok", "worse", "not ok to ok", "better", "moved", "other status")

_ABSENT = Status.ABSENT

BINS_A_DECADE = 8
LEAST, MOST = 0.1, 1e20
"""Errors below and above, in units of the last place, are in the first and the last bin."""

BINS = BINS_A_DECADE * round(np.log10(MOST / LEAST)) + 1
NO_ERROR = BINS
"""The bin of the cells that have none."""


class Change(NamedTuple):
    """A cell that is not the same in both runs.

    Attributes
    ----------
    function, derivative, dtype, scheme, rule, point, epsilon_index
        Its name; rule is empty and the index None where there is none.
    transition : str
        One of :data:`TRANSITIONS`.
    before, after : str
        The statuses.
    digits_before, digits_after : float or None
        Correct digits.
    ulp_before, ulp_after : float or None
        Errors in units of the last place.
    direction, at : str
        Along which variable, and where, of a function of several; empty of one.
    """

    function: str
    derivative: int
    dtype: str
    scheme: str
    rule: str
    point: int
    epsilon_index: int | None
    transition: str
    before: str
    after: str
    digits_before: float | None
    digits_after: float | None
    ulp_before: float | None
    ulp_after: float | None
    direction: str = ""
    at: str = ""


@dataclass(frozen=True)
class Comparison:
    """What two runs have in common and what not.

    Attributes
    ----------
    counts : dict
        Cells by transition, all of :data:`TRANSITIONS`.
    schemes : dict
        The same by scheme.
    changes : list of Change
        The cells that changed most: lost first, then by the factor between their errors.
    reasons : tuple of str
        Why cells are not comparable, new or vanished, a sentence each.
    errors : array
        Cells by transition, :func:`error_bins` of the error before, and of the error after. Its size does not depend
        on the number of cells, as theirs would.
    """

    counts: dict[str, int]
    schemes: dict[str, dict[str, int]]
    changes: list[Change]
    reasons: tuple[str, ...]
    errors: Array = field(repr=False, compare=False)

    @property
    def is_same(self) -> bool:
        """Whether every cell is unchanged."""
        return sum(self.counts.values()) == self.counts["unchanged"]


def compare(before: Results, after: Results, most: int = 50) -> Comparison:
    """Compare two runs.

    Parameters
    ----------
    before, after : Results
        Runs that kept their cells.
    most : int
        How many changes are listed.

    Raises
    ------
    EmptySelectionError
        If one of them has no cells.

    Examples
    --------
    >>> from diffbench import Spec, run
    >>> results = run(Spec("lab"))
    >>> compare(results, results).counts["unchanged"]
    21
    """
    if not (before.blocks and after.blocks):
        raise EmptySelectionError(NO_CELLS)
    tally = _Tally(most)
    for key in dict.fromkeys((*before.keys, *after.keys)):
        in_both = key in before.keys and key in after.keys
        for first, second in _pairs(before, after, key):
            for cells in _judged(first, second, in_both=in_both):
                tally.add(cells)
    found, then, now = tally.comparison(), evaluator_of(before.spec), evaluator_of(after.spec)
    if then == now:
        return found
    return replace(found, reasons=(f"f was computed by {then}, and then by {now}", *found.reasons))


def error_bins(ulps: Array) -> Array:
    """Return the bin of each error, :data:`BINS_A_DECADE` a decade from :data:`LEAST`; :data:`NO_ERROR` for NaN."""
    decades = np.log10(np.clip(ulps, LEAST, MOST) / LEAST)
    bins = np.rint(BINS_A_DECADE * np.nan_to_num(decades))
    return np.asarray(np.where(np.isnan(ulps), NO_ERROR, bins).astype(np.intp))


def bin_centres() -> Array:
    """Return the errors that the bins stand for, in units of the last place."""
    return np.asarray(LEAST * 10 ** (np.arange(BINS) / BINS_A_DECADE))


class _Cells(NamedTuple):
    """Cells of one block on the same axes in both runs, or in one only, and what became of each."""

    before: Block | None
    after: Block | None
    codes: Array
    reasons: tuple[str, ...]

    @property
    def block(self) -> Block:
        """The block of either run, for what they have in common."""
        return next(each for each in (self.before, self.after) if each is not None)


def _pairs(before: Results, after: Results, key: Key) -> Iterator[tuple[Block | None, Block | None]]:
    """Yield the same points of both runs, or those of one, block by block; the runs may be cut up differently."""
    rests = [map(results.blocks.__getitem__, results.parts(key)) for results in (before, after)]
    blocks = [next(rest, None) for rest in rests]
    while any(block is not None for block in blocks):
        points = min(block.x.size for block in blocks if block is not None)
        first, second = (None if block is None else _points(block, 0, points) for block in blocks)
        yield first, second
        blocks = [
            _points(block, points, block.x.size) if block is not None and points < block.x.size else next(rest, None)
            for block, rest in zip(blocks, rests, strict=True)
        ]


def _points(block: Block, start: int, stop: int) -> Block:
    """Return a block of some of its points."""
    return _cut(block, range(len(block.schemes)), range(start, stop), range(block.status.shape[-1]))


def _cut(block: Block, rows: Sequence[int], points: range, columns: Sequence[int]) -> Block:
    """Return a block of some of its schemes, points and columns."""
    if block.status.shape == (len(rows), len(points), len(columns)):
        return block
    size, names = block.grid_size, _columns(block)
    beyond = [column - size for column in columns if column >= size]
    along_cells = ("estimate", "error_estimate", "evaluations", "status", "reason")
    cells: dict[str, Any] = {name: getattr(block, name)[np.ix_(rows, points, columns)] for name in along_cells}
    return replace(
        block,
        schemes=tuple(block.schemes[row] for row in rows),
        rules=tuple(name for name in (names[column] for column in columns) if isinstance(name, str)),
        first=block.first + points.start,
        grid=block.grid[[column for column in columns if column < size]],
        x=block.x[points.start : points.stop],
        references=block.references[points.start : points.stop],
        chosen=block.chosen[np.ix_(rows, points, beyond)],
        parts=None,
        records=None,
        wide=None if block.wide is None else block.wide.cut(rows, points, columns),
        **cells,
    )


def _columns(block: Block) -> list[int | str | None]:
    """Return the names of a block's columns: index in the grid, rule, or None for schemes without an epsilon."""
    alone = [None] * (block.status.shape[-1] - block.grid_size - len(block.rules))
    return [*range(block.grid_size), *block.rules, *alone]


def _judged(before: Block | None, after: Block | None, *, in_both: bool) -> Iterator[_Cells]:
    """Yield the cells that both runs have, then those that only one has."""
    if before is None or after is None:
        yield from _alone(before, after, in_both=in_both)
        return
    rows = [scheme for scheme in before.schemes if scheme in after.schemes]
    columns = [column for column in _columns(before) if column in _columns(after)]
    places = [
        ([block.schemes.index(scheme) for scheme in rows], [_columns(block).index(column) for column in columns])
        for block in (before, after)
    ]
    first, second = (
        _cut(block, own[0], range(block.x.size), own[1]) for block, own in zip((before, after), places, strict=True)
    )
    same, reasons = _same_meaning(first, second)
    yield _Cells(first, second, _codes(first, second, same), reasons)
    yield from _beyond(before, places[0], "vanished")
    yield from _beyond(after, places[1], "new")


def _alone(before: Block | None, after: Block | None, *, in_both: bool) -> Iterator[_Cells]:
    """Yield the cells of points, or of a function, derivative and dtype, that only one run has."""
    for block, transition in ((before, "vanished"), (after, "new")):
        if block is not None:
            what = f"{block.function}, derivative {block.derivative}, {block.dtype}"
            reason = f"{what} has points that are {transition}" if in_both else f"{what} is {transition}"
            yield _in_one(block, np.asarray(block.status != _ABSENT), transition, (reason,))


def _beyond(block: Block, common: tuple[list[int], list[int]], transition: str) -> Iterator[_Cells]:
    """Yield the cells of schemes and columns that only one run has."""
    there = block.status != _ABSENT
    there[np.ix_(common[0], range(block.x.size), common[1])] = False
    if there.any():
        others = [scheme for row, scheme in enumerate(block.schemes) if row not in common[0]]
        yield _in_one(block, there, transition, tuple(f"{scheme} is {transition}" for scheme in others))


def _in_one(block: Block, there: Array, transition: str, reasons: tuple[str, ...]) -> _Cells:
    before, after = (block, None) if transition == "vanished" else (None, block)
    return _Cells(before, after, np.where(there, _CODES[transition], _NEITHER), reasons)


def _codes(before: Block, after: Block, same_meaning: Array) -> Array:
    """Return an index into the transitions for each cell, -1 where neither run has one."""
    old, new = before.status, after.status
    error, error_after = np.abs(before.error), np.abs(after.error)
    found = [
        ((old == _ABSENT) & (new == _ABSENT), None),
        (old == _ABSENT, "new"),
        (new == _ABSENT, "vanished"),
        (~same_meaning, "not comparable"),
        ((old == new) & _equal(before.estimate, after.estimate), "unchanged"),
        ((old == Status.OK) & (new != Status.OK), "ok to not ok"),
        ((old != Status.OK) & (new == Status.OK), "not ok to ok"),
        (old != new, "other status"),
        (error_after < error, "better"),
        (error_after > error, "worse"),
    ]
    codes = [_NEITHER if word is None else _CODES[word] for _, word in found]
    return np.select([where for where, _ in found], codes, _CODES["moved"])


def _equal(first: Array, second: Array) -> Array:
    """Return where values are the same, NaN and NaN too."""
    return np.asarray((first == second) | (np.isnan(first) & np.isnan(second)))


def _same_meaning(before: Block, after: Block) -> tuple[Array, tuple[str, ...]]:
    """Return where formula, noise, x and the epsilons of the grid are the same, (S, P, C), and why they are not."""
    for what in ("formula", "noise"):
        if getattr(before, what) != getattr(after, what):
            old, new = (getattr(each, what) or "none" for each in (before, after))
            return np.zeros(before.status.shape, dtype=bool), (
                f"{before.function} has another {what}: {old} became {new}",
            )
    # A rule may choose another epsilon, which is its own affair.
    same_epsilon = np.ones(before.status.shape[-1], dtype=bool)
    same_epsilon[: before.grid_size] = _equal(before.grid, after.grid)
    same_x = _equal(before.x, after.x)
    reasons = (
        (same_x, f"{before.function} has other points"),
        (same_epsilon, f"{before.function} was swept over other epsilons"),
    )
    same = np.broadcast_to(same_x[:, None] & same_epsilon, before.status.shape)
    return same, tuple(reason for is_same, reason in reasons if not is_same.all())


class _Tally:
    """What has been found so far; no cells are kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._schemes: dict[str, Array] = {}
        self._errors = np.zeros((len(TRANSITIONS), BINS + 1, BINS + 1), dtype=np.int64)
        self._changes: list[Change] = []
        self._reasons: dict[str, None] = {}

    def add(self, cells: _Cells) -> None:
        """Count some cells, and keep those that changed most."""
        self._reasons |= dict.fromkeys(cells.reasons)
        for scheme, codes in zip(cells.block.schemes, cells.codes, strict=True):
            own = self._schemes.setdefault(scheme, np.zeros(len(TRANSITIONS), dtype=np.int64))
            own += np.bincount(codes[codes != _NEITHER], minlength=len(TRANSITIONS))
        ulps = tuple(_ulps(block, cells.codes.shape) for block in (cells.before, cells.after))
        there = cells.codes != _NEITHER
        place = (cells.codes, *map(error_bins, ulps))
        np.add.at(self._errors, tuple(each[there] for each in place), 1)
        if cells.before is not None and cells.after is not None:
            own_changes = _changes(cells.before, cells.after, cells.codes, ulps, self._most)
            self._changes = nsmallest(self._most, [*self._changes, *own_changes], key=_weight)

    def comparison(self) -> Comparison:
        """Return what was found."""
        schemes = {name: dict(zip(TRANSITIONS, own.tolist(), strict=True)) for name, own in self._schemes.items()}
        counts = {transition: sum(own[transition] for own in schemes.values()) for transition in TRANSITIONS}
        return Comparison(counts, schemes, self._changes, tuple(self._reasons), self._errors)


def _ulps(block: Block | None, shape: tuple[int, ...]) -> Array:
    """Return errors in units of the last place, NaN where there are none."""
    if block is None:
        return np.full(shape, np.nan)
    error = block.error
    return np.where(np.isfinite(error), ulp_error(error, block.hi, block.lo, block.dtype), np.nan)


def _changes(before: Block, after: Block, codes: Array, ulps: Sequence[Array], most: int) -> list[Change]:
    """Return the cells of a block that changed most."""
    order = np.full(len(TRANSITIONS) + 1, -1)
    order[[_CODES[word] for word in _GRAVEST_FIRST]] = range(len(_GRAVEST_FIRST))
    places = np.argwhere(order[codes] >= 0)
    if not len(places):
        return []
    index = tuple(places.T)
    weights = order[codes[index]], -_factor(*(each[index] for each in ulps))
    digits = before.digits, after.digits
    chosen = places[np.lexsort(weights[::-1])[:most]]
    return [_change((before, after), tuple(place), int(codes[tuple(place)]), digits, ulps) for place in chosen]


def _factor(first: Array, second: Array) -> Array:
    """Return how far apart errors are, those below half a unit as half a unit; 0 where one is not known."""
    known = np.isfinite(first) & np.isfinite(second)
    low, high = (side(np.where(known, first, 1), np.where(known, second, 1)) for side in (np.minimum, np.maximum))
    return np.where(known, np.maximum(high, 0.5) / np.maximum(low, 0.5), 0.0)


def _weight(change: Change) -> tuple[int, float]:
    """Return what sorts changes, the gravest first."""
    ulps = (np.array(np.nan if value is None else value) for value in (change.ulp_before, change.ulp_after))
    return _GRAVEST_FIRST.index(change.transition), -float(_factor(*ulps))


def _change(
    blocks: tuple[Block, Block], place: tuple[int, ...], code: int, digits: Sequence[Array], ulps: Sequence[Array]
) -> Change:
    before, after = blocks
    column = _columns(before)[place[2]]
    direction, at = before.directions[place[1]] if before.directions else ("", "")
    digits_before, digits_after, ulp_before, ulp_after = (finite(each[place]) for each in (*digits, *ulps))
    return Change(
        before.function,
        before.derivative,
        before.dtype,
        before.schemes[place[0]],
        column if isinstance(column, str) else "",
        before.first + int(place[1]),
        column if isinstance(column, int) else None,
        TRANSITIONS[code],
        Status(before.status[place]).label,
        Status(after.status[place]).label,
        digits_before,
        digits_after,
        ulp_before,
        ulp_after,
        direction,
        at,
    )
