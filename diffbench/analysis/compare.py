"""Two runs, cell by cell: what is the same, better, worse, and what cannot be compared, because.

Cells are paired by name: function, derivative, dtype, scheme, rule, point and index of epsilon. What stands behind the
names is compared first, so that a formula that was changed is no regression.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.errors import EmptySelectionError
from diffbench.rounding import finite
from diffbench.sweep.results import NO_CELLS, Block, Key, Results, Status

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

_ABSENT = Status.ABSENT


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
    """

    counts: dict[str, int]
    schemes: dict[str, dict[str, int]]
    changes: list[Change]
    reasons: tuple[str, ...]

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
    pairs = [_paired(before, after, key) for key in dict.fromkeys((*before.keys, *after.keys))]
    schemes: dict[str, dict[str, int]] = {}
    for pair in pairs:
        for scheme, transition, count in pair.counted():
            own = schemes.setdefault(scheme, dict.fromkeys(TRANSITIONS, 0))
            own[transition] += count
    counts = {transition: sum(own[transition] for own in schemes.values()) for transition in TRANSITIONS}
    changes = sorted((change for pair in pairs for change in pair.changes(most)), key=_weight)[:most]
    return Comparison(counts, schemes, changes, tuple(dict.fromkeys(why for pair in pairs for why in pair.reasons)))


def _weight(change: Change) -> tuple[int, float]:
    """Return what sorts changes, the gravest first."""
    order = ("ok to not ok", "worse", "not ok to ok", "better", "moved", "other status").index(change.transition)
    both = change.ulp_before is not None and change.ulp_after is not None
    return order, -_factor(change.ulp_before, change.ulp_after) if both else 0.0


def _factor(a: float | None, b: float | None) -> float:
    low, high = sorted((max(a or 0.0, 0.5), max(b or 0.0, 0.5)))
    return high / low


class _Pair:
    """The cells of a block in both runs, on the axes that they have in common."""

    def __init__(self, before: Block, after: Block) -> None:
        self._before, self._after = before, after
        self.reasons: list[str] = []
        self._schemes = [name for name in before.schemes if name in after.schemes]
        points = min(before.x.size, after.x.size)
        columns = _columns(before), _columns(after)
        self._columns = [column for column in columns[0] if column in columns[1]]
        self._index = [
            np.ix_(
                [block.schemes.index(name) for name in self._schemes],
                range(points),
                [own.index(column) for column in self._columns],
            )
            for block, own in zip((before, after), columns, strict=True)
        ]
        self._transition = self._judge()

    def _both(self, name: str) -> tuple[Array, Array]:
        values = (np.broadcast_to(getattr(b, name), b.status.shape) for b in (self._before, self._after))
        first, second = (own[index] for own, index in zip(values, self._index, strict=True))
        return first, second

    def _judge(self) -> Array:
        """Return an index into the transitions for each cell in common, -1 where neither run has one."""
        (status, status_after), (value, value_after) = self._both("status"), self._both("estimate")
        error, error_after = (np.abs(each) for each in self._both("error"))
        ok, ok_after = status == Status.OK, status_after == Status.OK
        same_value = (value == value_after) | (np.isnan(value) & np.isnan(value_after))
        found = [
            ((status == _ABSENT) & (status_after == _ABSENT), None),
            (status == _ABSENT, "new"),
            (status_after == _ABSENT, "vanished"),
            (~self._has_same_meaning(), "not comparable"),
            ((status == status_after) & same_value, "unchanged"),
            (ok & ~ok_after, "ok to not ok"),
            (~ok & ok_after, "not ok to ok"),
            (status != status_after, "other status"),
            (error_after < error, "better"),
            (error_after > error, "worse"),
        ]
        codes = [-1 if word is None else TRANSITIONS.index(word) for _, word in found]
        return np.select([where for where, _ in found], codes, TRANSITIONS.index("moved"))

    def _has_same_meaning(self) -> Array:
        """Return whether formula, noise, x and the epsilons of the grid are the same, (S, P, C)."""
        shape = self._index[0][0].shape[0], self._index[0][1].shape[1], self._index[0][2].shape[2]
        before, after = self._before, self._after
        for what in ("formula", "noise"):
            if getattr(before, what) != getattr(after, what):
                old, new = (getattr(each, what) or "none" for each in (before, after))
                self.reasons.append(f"{before.function} has another {what}: {old} became {new}")
                return np.zeros(shape, dtype=bool)
        same_x = before.x[: shape[1]] == after.x[: shape[1]]
        same_x |= np.isnan(before.x[: shape[1]]) & np.isnan(after.x[: shape[1]])
        grid, grid_after = self._both("epsilon")
        in_grid = np.array([isinstance(column, int) for column in self._columns], dtype=bool)
        same_epsilon = (grid == grid_after) | (np.isnan(grid) & np.isnan(grid_after)) | ~in_grid
        same_epsilon |= (self._both("status")[0] == _ABSENT) | (self._both("status")[1] == _ABSENT)
        if not same_x.all():
            self.reasons.append(f"{before.function} has other points")
        if not same_epsilon.all():
            self.reasons.append(f"{before.function} was swept over other epsilons")
        return np.asarray(same_x[:, None] & same_epsilon)

    def counted(self) -> Iterator[tuple[str, str, int]]:
        """Yield scheme, transition and number of cells."""
        for row, scheme in enumerate(self._schemes):
            own = self._transition[row]
            for code, transition in enumerate(TRANSITIONS):
                yield scheme, transition, int(np.count_nonzero(own == code))
        yield from self._beyond("vanished", self._before, self._index[0])
        yield from self._beyond("new", self._after, self._index[1])

    def _beyond(self, transition: str, block: Block, index: tuple[Array, ...]) -> Iterator[tuple[str, str, int]]:
        """Yield the cells that are in one run only."""
        there = block.status != _ABSENT
        there[index] = False
        for row, scheme in enumerate(block.schemes):
            if scheme not in self._schemes:
                self.reasons.append(f"{scheme} is {transition}")
            yield scheme, transition, int(np.count_nonzero(there[row]))

    def changes(self, most: int) -> list[Change]:
        """Return the cells that changed most."""
        changed = np.isin(self._transition, [TRANSITIONS.index(word) for word in TRANSITIONS[1:7]])
        places = np.argwhere(changed)
        if not len(places):
            return []
        values = {name: self._both(name) for name in ("status", "digits", "ulp_error")}
        found = [self._change(tuple(place), values) for place in places]
        return sorted(found, key=_weight)[:most]

    def _change(self, place: tuple[int, ...], values: dict[str, tuple[Array, Array]]) -> Change:
        s, p, c = place
        column, block = self._columns[c], self._before
        status, digits, ulps = ([each[place] for each in values[name]] for name in ("status", "digits", "ulp_error"))
        return Change(
            block.function,
            block.derivative,
            block.dtype,
            self._schemes[s],
            column if isinstance(column, str) else "",
            block.first + p,
            column if isinstance(column, int) else None,
            TRANSITIONS[int(self._transition[place])],
            Status(status[0]).label,
            Status(status[1]).label,
            *(finite(digits[0]), finite(digits[1]), finite(ulps[0]), finite(ulps[1])),
        )


class _Alone:
    """The cells of a block that only one run has."""

    def __init__(self, block: Block, transition: str) -> None:
        self._block, self._transition = block, transition
        self.reasons = [f"{block.function}, derivative {block.derivative}, {block.dtype} is {transition}"]

    def counted(self) -> Iterator[tuple[str, str, int]]:
        """Yield scheme, transition and number of cells."""
        for row, scheme in enumerate(self._block.schemes):
            yield scheme, self._transition, int(np.count_nonzero(self._block.status[row] != _ABSENT))

    def changes(self, most: int) -> list[Change]:
        """Return none: there is nothing to compare with."""
        del most
        return []


def _paired(before: Results, after: Results, key: Key) -> _Pair | _Alone:
    if key not in before.keys:
        return _Alone(after.block(*key), "new")
    if key not in after.keys:
        return _Alone(before.block(*key), "vanished")
    return _Pair(before.block(*key), after.block(*key))


def _columns(block: Block) -> Sequence[int | str | None]:
    """Return the names of a block's columns: index in the grid, rule, or None for schemes without an epsilon."""
    alone = [None] * (block.status.shape[-1] - block.grid_size - len(block.rules))
    return [*range(block.grid_size), *block.rules, *alone]
