"""Ratios of times, their limits, the table of all of them, and which are beyond."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

HEADINGS = ("ratio of times", "measured", "rounds", "recorded", "reach", "fail at")


class Row(NamedTuple):
    """A ratio of times with its limits, if any; under ≤ ours is the numerator, under ≥ the denominator."""

    name: str
    sign: Literal["≤", "≥"]
    reach: float | None = None
    fail: float | None = None


class Ratio(NamedTuple):
    """A row that was measured: the median of its rounds, the least and the most."""

    row: Row
    group: str
    median: float
    least: float
    most: float

    @property
    def is_beyond(self) -> bool:
        """Whether it is beyond its fail line."""
        if self.row.fail is None:
            return False
        return self.median > self.row.fail if self.row.sign == "≤" else self.median < self.row.fail

    @property
    def sentence(self) -> str:
        """What is wrong where it is beyond."""
        side = {"≤": "above", "≥": "below"}[self.row.sign]
        return f"{self.row.name}: the ratio {self.median:.4g} is {side} its fail line {self.row.fail:g}"


def table(ratios: Iterable[Ratio], recorded: Mapping[str, str]) -> list[str]:
    """Return the lines of the table, the ratio that was last recorded of a row beside what was measured."""
    lines = [HEADINGS, *(_cells(each, recorded.get(each.row.name, "")) for each in ratios)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join((name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:]))) for name, *numbers in lines]


def _cells(ratio: Ratio, recorded: str) -> tuple[str, ...]:
    row, beyond = ratio.row, {"≤": ">", "≥": "<"}[ratio.row.sign]
    limits = (
        "" if limit is None else f"{sign} {limit:g}" for sign, limit in ((row.sign, row.reach), (beyond, row.fail))
    )
    return row.name, short(ratio.median), f"{short(ratio.least)}–{short(ratio.most)}", recorded, *limits


def short(ratio: float) -> str:
    """Return a ratio to three digits."""
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.3g}"
