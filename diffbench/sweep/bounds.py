"""How much worse cells may be than those of a baseline before a gate closes, and where other bounds hold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Self

from diffbench.errors import InputError
from diffbench.functions.suites import check_keys

_GLOBS = ("function", "derivative", "dtype", "scheme")
_NUMBERS = ("optimum", "usual", "truncation", "ceiling", "quarters")


@dataclass(frozen=True)
class Bounds:
    """What a gate allows on a platform that the baseline was not accepted on.

    Attributes
    ----------
    optimum : float
        How many digits a curve may lose at its optimal epsilon.
    usual : float
        How many digits a cell at the epsilon of a step rule may lose, beyond the scatter of the curve there.
    truncation : float
        How many digits the truncation parts of a curve may differ by, on average.
    ceiling : float
        How many digits a curve may stay behind what the error model predicts for its best epsilon; on every platform.
    quarters : float
        By how many quarter-binades (factors 2^(1/4)) a cell may rise above the scatter of its curve.
    ignore : bool
        Whether nothing is judged.
    """

    optimum: float = 0.5
    usual: float = 0.5
    truncation: float = 0.01
    ceiling: float = 2.0
    quarters: float = 8.0
    ignore: bool = False


@dataclass(frozen=True)
class Override:
    """Other bounds for some curves, with the reason.

    Attributes
    ----------
    function, derivative, dtype, scheme : str
        Globs; a curve is meant where all of them match.
    reason : str
        Why. It is printed with what was judged by them.
    values : tuple
        The fields of `Bounds` that differ, in pairs with their values.
    """

    function: str
    derivative: str
    dtype: str
    scheme: str
    reason: str
    values: tuple[tuple[str, float | bool], ...]

    @classmethod
    def from_table(cls, table: object) -> Self:
        """Make an override of a table in a spec.

        Raises
        ------
        InputError
            If a key is unknown or a value none; the message names it.
        """
        if not isinstance(table, Mapping):
            raise InputError(f"gate: {table!r} is no table")
        check_keys(table, (*_GLOBS, *_NUMBERS, "ignore", "reason"), "gate")
        reason = table.get("reason")
        if not isinstance(reason, str) or not reason.strip():
            raise InputError('gate: other bounds need a reason = "…"')
        globs = {name: _glob(table, name) for name in _GLOBS}
        values = tuple((name, _bound(name, table[name])) for name in (*_NUMBERS, "ignore") if name in table)
        if not values:
            raise InputError(f"gate: none of {', '.join((*_NUMBERS, 'ignore'))} is given")
        return cls(**globs, reason=reason, values=values)

    def to_table(self) -> dict[str, Any]:
        """Return the table that this was made of."""
        globs = {name: getattr(self, name) for name in _GLOBS if getattr(self, name) != "*"}
        return globs | dict(self.values) | {"reason": self.reason}

    @property
    def globs(self) -> str:
        """Which curves are meant, in words."""
        given = (f"{name} {getattr(self, name)}" for name in _GLOBS if getattr(self, name) != "*")
        return ", ".join(given) or "all of them"

    def matches(self, function: str, derivative: int, dtype: str, scheme: str) -> bool:
        """Return whether a curve is meant."""
        found = zip((function, str(derivative), dtype, scheme), _GLOBS, strict=True)
        return all(fnmatchcase(name, getattr(self, glob)) for name, glob in found)


def bounds_for(overrides: tuple[Override, ...], curve: tuple[str, int, str, str]) -> Bounds:
    """Return the bounds of a curve: the default ones, with what the last override that matches says of each."""
    found = Bounds()
    for override in overrides:
        if override.matches(*curve):
            values: dict[str, Any] = dict(override.values)
            found = replace(found, **values)
    return found


def _glob(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name, "*")
    if not isinstance(value, (str, int)) or isinstance(value, bool) or not str(value):
        raise InputError(f'gate: {name} = {value!r} is no glob, such as "central-*"')
    return str(value)


def _bound(name: str, value: object) -> float | bool:
    if name == "ignore":
        if not isinstance(value, bool):
            raise InputError(f"gate: ignore = {value!r} is neither true nor false")
        return value
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < float("inf"):
        raise InputError(f"gate: {name} = {value!r} is no number from 0 on")
    return float(value)
