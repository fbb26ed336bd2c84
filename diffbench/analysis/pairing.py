"""Two baselines side by side: which curves have the same name, mean the same, and what became of each cell."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.analysis.baseline import ANY, NO_ERROR, OPEN, Baseline, CurveName
from diffbench.functions.frameworks import NUMPY
from diffbench.sweep.bounds import Bounds, Override, bounds_for
from diffbench.sweep.curves import NEIGHBOURS, running_median
from diffbench.sweep.results import Status

Array = npt.NDArray[Any]

TRANSITIONS = (
    "unchanged",
    "better",
    "worse",
    "ok to not ok",
    "not ok to ok",
    "other status",
    "uncertain",
    "ignored",
    "new",
    "vanished",
    "not comparable",
)

QUARTERS_OF_A_DIGIT = float(4 * np.log2(10))


@dataclass(frozen=True)
class Pairs:
    """The curves of a baseline and of a run; N of them are in both, on C columns that both have.

    Attributes
    ----------
    before, after : Baseline
        The baseline, and what is kept of the run.
    overrides : tuple of Override
        Other bounds than the default ones.
    """

    before: Baseline
    after: Baseline
    overrides: tuple[Override, ...] = ()

    @cached_property
    def is_same_platform(self) -> bool:
        """Whether the same spec must give the same values of f on both."""
        return all(self.before.about[key] == self.after.about[key] for key in ("platform", "evaluator"))

    @cached_property
    def is_exact(self) -> Array:
        """Whether the bits of a curve must be the same, (N,).

        Those of other packages depend on more than their platform, so they have bounds everywhere.
        """
        others = {*self.before.about["opaque"], *self.after.about["opaque"]}
        return np.array([self.is_same_platform and name.scheme not in others for name in self.names], dtype=bool)

    @property
    def computed_by(self) -> tuple[str, str]:
        """What computed f before and after."""
        before, after = (each.about.get("computed_by", NUMPY) for each in (self.before, self.after))
        return before, after

    @property
    def method(self) -> str:
        """How they are compared, in words."""
        if self.is_same_platform:
            return "the same platform: bits"
        if self.before.about["platform"] == ANY:
            return "any platform: bounds"
        same = self.before.about["platform"] == self.after.about["platform"]
        return f"{'other code that evaluates f' if same else 'another platform'}: bounds"

    @cached_property
    def names(self) -> list[CurveName]:
        """N names that both have."""
        return [name for name in self.before.names if name in self.after.rows]

    @cached_property
    def labels(self) -> list[int | str | None]:
        """C columns that both have."""
        return [column for column in self.before.columns if column in self.after.columns]

    @cached_property
    def bounds(self) -> list[Bounds]:
        """What is allowed to each curve, N."""
        return [bounds_for(self.overrides, name[:4]) for name in self.names]

    @cached_property
    def is_judged(self) -> Array:
        """Whether a curve means the same in both and is not to be ignored, (N,)."""
        return np.asarray(~self.is_ignored & self.has_same_definition)

    @cached_property
    def is_ignored(self) -> Array:
        """Whether a curve is not to be judged, (N,)."""
        return np.array([bounds.ignore for bounds in self.bounds], dtype=bool)

    @property
    def rules(self) -> list[str]:
        """The step rules that both have."""
        return [rule for rule in self.before.rules if rule in self.after.rules]

    def changed_meanings(self, row: int) -> set[str]:
        """Return which of the meanings of a curve differ."""
        first, second = (each.meanings(each.rows[self.names[row]]) for each in (self.before, self.after))
        return {meaning for meaning in first if first[meaning] != second[meaning]}

    @cached_property
    def has_same_definition(self) -> Array:
        """Whether a curve has the same definition in both, (N,)."""
        return self._is_same(self.before.definition, self.after.definition)

    @cached_property
    def has_same_bits(self) -> Array:
        """Whether the estimates of a curve are the same in both, on the columns that both have, (N,)."""
        return self._is_same(self.before.bits_of(self.rules), self.after.bits_of(self.rules))

    def _is_same(self, first: list[bytes], second: list[bytes]) -> Array:
        return np.array([first[i] == second[j] for i, j in zip(*self._rows, strict=True)], dtype=bool)

    def numbers(self, what: str) -> tuple[Array, Array]:
        """Return some numbers of each curve, before and after."""
        values = (np.asarray(getattr(each, what)) for each in (self.before, self.after))
        first, second = (own[rows] for own, rows in zip(values, self._rows, strict=True))
        return first, second

    def cells(self, what: str) -> tuple[Array, Array]:
        """Return some numbers of each cell, before and after, (N, C)."""
        columns = ([each.columns.index(label) for label in self.labels] for each in (self.before, self.after))
        first, second = (own[:, place] for own, place in zip(self.numbers(what), columns, strict=True))
        return first, second

    @cached_property
    def _rows(self) -> tuple[list[int], list[int]]:
        first, second = ([each.rows[name] for name in self.names] for each in (self.before, self.after))
        return first, second

    def bound(self, which: str) -> Array:
        """Return a bound of each curve, (N,)."""
        return np.array([getattr(bounds, which) for bounds in self.bounds], dtype=float)

    @cached_property
    def highest(self) -> Array:
        """The quarter-binade above which a cell counts as worse, (N, C).

        On another platform that is the worst of 5 neighbours, or the bound of the rounding errors, and something more.
        A rule that looks at f may choose another epsilon there; what it gives is not judged.
        """
        base, rounding = (self.cells(what)[0].astype(float) for what in ("quarters", "rounding"))
        around = np.maximum(_running_maximum(base[:, self._in_grid]), rounding[:, self._in_grid])
        highest = base + self.bound("quarters")[:, None]
        highest[:, self._in_grid] = around + self.bound("quarters")[:, None]
        for column, label in enumerate(self.labels):
            if isinstance(label, str):
                nearest = self.numbers("places")[0][:, self.before.rules.index(label)]
                scatter = np.maximum(base[:, column], _at(around, nearest))
                highest[:, column] = scatter + self.bound("usual") * QUARTERS_OF_A_DIGIT
                highest[self._searches(label), column] = np.inf
        return np.where(self.is_exact[:, None], base, np.floor(highest))

    def _searches(self, rule: str) -> Array:
        """Return for which curves a rule evaluates f itself, (N,)."""
        evaluations = self.numbers("evaluations")[0]
        return np.asarray(evaluations[:, 1 + self.before.rules.index(rule)] > evaluations[:, 0])

    @cached_property
    def least_bound(self) -> Array:
        """The optimum in quarter-binades if rounding errors were at their bound, (N,); NaN where it is not known.

        A curve that was luckier than that, with values of f that happened to be exact, need not be so elsewhere.
        """
        measured, rounding = (self.cells(what)[0][:, self._in_grid] for what in ("quarters", "rounding"))
        ok = self.cells("status")[0][:, self._in_grid] == Status.OK
        known = ok & (measured != NO_ERROR) & (rounding != NO_ERROR)
        smooth = running_median(np.where(known, np.maximum(measured, rounding).astype(float), np.nan))
        least = np.where(np.isnan(smooth), np.inf, smooth).min(axis=1, initial=np.inf)
        return np.where(np.isinf(least), np.nan, least)

    @cached_property
    def _in_grid(self) -> Array:
        return np.array([isinstance(label, int) for label in self.labels], dtype=bool)

    @cached_property
    def lowest(self) -> Array:
        """The quarter-binade below which a cell counts as better, (N, C)."""
        base = self.cells("quarters")[0].astype(float)
        return np.where(self.is_exact[:, None], base, base - self.bound("quarters")[:, None])

    @cached_property
    def transition(self) -> Array:
        """An index into the transitions for each cell in common, (N, C); -1 where neither has one."""
        (old, new), (before, after) = self.cells("status"), self.cells("quarters")
        ok, ok_after = old == Status.OK, new == Status.OK
        both_ok, has_error = ok & ok_after & (before != NO_ERROR), after != NO_ERROR
        same = self.has_same_definition[:, None]
        found = [
            ((old == Status.ABSENT) & (new == Status.ABSENT), None),
            (old == Status.ABSENT, "new"),
            (new == Status.ABSENT, "vanished"),
            (~same, "not comparable"),
            (self.is_ignored[:, None], "ignored"),
            ((old == OPEN) | (new == OPEN), "unchanged"),
            ((new == Status.UNCERTAIN) & (old != new), "uncertain"),
            (ok & ~ok_after, "ok to not ok"),
            (~ok & ok_after, "not ok to ok"),
            (old != new, "other status"),
            (both_ok & (~has_error | (after > self.highest)), "worse"),
            (both_ok & (after < self.lowest), "better"),
        ]
        codes = [-1 if word is None else TRANSITIONS.index(word) for _, word in found]
        return np.select([np.broadcast_to(where, old.shape) for where, _ in found], codes, 0)

    @cached_property
    def groups(self) -> dict[str, dict[str, int]]:
        """Cells by transition for each scheme."""
        schemes = np.array([name.scheme for name in self.names], dtype=object)
        groups: dict[str, dict[str, int]] = {}
        for scheme in dict.fromkeys(name.scheme for name in (*self.before.names, *self.after.names)):
            own = self.transition[schemes == scheme]
            groups[scheme] = {word: int(np.count_nonzero(own == code)) for code, word in enumerate(TRANSITIONS)}
        for found, other, word in ((self.before, self.after, "vanished"), (self.after, self.before, "new")):
            lost = [column for column, label in enumerate(found.columns) if label not in self.labels]
            for name in found.names:
                groups[name.scheme][word] += found.cells_of([name], None if name not in other.rows else lost)
        return groups


def by(names: Iterable[CurveName], key: Callable[[CurveName], Any]) -> dict[Any, list[CurveName]]:
    """Return names by what they have in common."""
    groups: dict[Any, list[CurveName]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return groups


def _running_maximum(values: Array) -> Array:
    """Return the largest of 5 neighbours along the last axis."""
    half = NEIGHBOURS // 2
    padded = np.pad(values, ((0, 0), (half, half)), constant_values=NO_ERROR)
    shifted: Sequence[Array] = [padded[:, i : i + values.shape[1]] for i in range(NEIGHBOURS)]
    return np.asarray(np.maximum.reduce(shifted))


def _at(values: Array, places: Array) -> Array:
    """Return the value at a place of each row; that of a null where the place is −1."""
    if not values.shape[1]:
        return np.full(len(places), float(NO_ERROR))
    known = np.clip(places, 0, values.shape[1] - 1).astype(np.intp)
    found = np.take_along_axis(values, known[:, None], axis=1)[:, 0]
    return np.where(places < 0, float(NO_ERROR), found)
