"""Results: the measured cells on named axes, and their export as tables. No analysis, no plots."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from fractions import Fraction
from functools import reduce
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.errors import EmptySelectionError
from diffbench.functions.suites import parse_toml
from diffbench.reference.metrics import Metric, References
from diffbench.reference.pair import correct_digits, relative_error, signed_error, ulp_error
from diffbench.reference.verdict import Reference
from diffbench.sweep.wide import Wide, exact_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import xarray as xr

    from diffbench.sweep.curves import Curves

Array = npt.NDArray[Any]


class Status(IntEnum):
    """What became of a cell; where several apply, the smallest does."""

    UNSUPPORTED = 0
    DOMAIN = 1
    FAILED = 2
    NONFINITE = 3
    NONDIFFERENTIABLE = 4
    UNCERTAIN = 5
    COLLAPSED = 6
    OK = 7
    ABSENT = 8
    """Not planned: the scheme has no cell in this column."""

    @property
    def label(self) -> str:
        """The word that tables show."""
        return self.name.lower()


Key = tuple[str, int, str]
"""Function, derivative and dtype."""

SHOWN_SCHEMES = 10
"""How many a notebook shows."""

NO_CELLS = "results: the run kept summaries only, no cells"

STATUSES = tuple(status for status in Status if status is not Status.ABSENT)


class Record(NamedTuple):
    """What is written down of the calls of f for one estimate.

    Attributes
    ----------
    distinct_nodes : int
        At how many different nodes f was evaluated.
    outside : int
        How many evaluations lay outside the domain.
    nearest_node : float
        The least distance of a node from x that is not 0: the epsilon that was really used; NaN where there is none.
    """

    distinct_nodes: float = np.nan
    outside: float = np.nan
    nearest_node: float = np.nan


LONGEST_PLACE = 40
"""Of a point of several variables in a title."""

RECORDED = Record._fields
"""What is written down, by name."""


def shortened(at: str) -> str:
    """Return a point of several variables as titles and sentences have it."""
    return at if len(at) <= LONGEST_PLACE else f"{at[:LONGEST_PLACE]}…"


def where(part: "Block | Curves", point: int, digits: int) -> str:
    """Return where the derivative of a row is taken, as titles have it: ``x = 0.1``, or ``x=1, y=2, along y``."""
    if part.directions:
        direction, at = part.directions[point]
        return f"{shortened(at)}, along {direction}"
    return f"x = {part.x[point]:.{digits}g}"


class Direction(NamedTuple):
    """Along which variable, or variables, of which point a derivative is taken.

    Attributes
    ----------
    direction : str
        The variable's name; two with a comma for a mixed partial derivative.
    at : str
        The whole point, exact.
    """

    direction: str
    at: str


@dataclass(frozen=True)
class Block:
    """Cells of one function × derivative × dtype at some points, as arrays over S schemes, P points, C columns.

    The columns are the E epsilons of the grid, then one for each step rule, then one for schemes without an epsilon
    if there are any.

    Attributes
    ----------
    function, formula, tags : str, str, tuple of str
        What was differentiated.
    derivative, dtype : int, str
        Which derivative, in what arithmetic.
    schemes : tuple of str
        S names.
    rules : tuple of str
        Names of the step rules, in the order of their columns.
    first : int
        Index of its first point among the function's.
    grid : array
        E epsilons; NaN where one overflows in the dtype.
    x : array
        P points as they are in the dtype, widened to float64.
    references : tuple of Reference
        P references.
    chosen : array
        The epsilons of the columns beyond the grid, (S, P, C − E); NaN where there is none.
    estimate, error_estimate : array
        (S, P, C) float64; NaN where there is none.
    evaluations : array
        (S, P, C) how often f was evaluated.
    status, reason : array
        (S, P, C) a Status, and an index into `reasons`.
    reasons : tuple of str
        Why cells are not ok, or why a step rule failed that chose the epsilon of one that is; the first is empty.
    noise : str
        What is stated of the noise of the function; empty where it has none.
    parts : array or None
        (4, S, P, C) truncation, node, evaluation and arithmetic of the errors, NaN where there are none; None where
        errors were not taken apart.
    records : array or None
        (3, S, P, C) what a `Record` says of opaque schemes, NaN for the others; None where there are only these.
    directions : tuple of Direction
        P directions of a run with functions of several variables; else none.
    wide : Wide or None
        What float64 does not hold of it; None in runs without a dtype of more than 64 bits.
    """

    function: str
    formula: str
    tags: tuple[str, ...]
    derivative: int
    dtype: str
    schemes: tuple[str, ...]
    rules: tuple[str, ...]
    first: int
    grid: Array
    x: Array
    references: tuple[Reference, ...]
    chosen: Array
    estimate: Array
    error_estimate: Array
    evaluations: Array
    status: Array
    reason: Array
    reasons: tuple[str, ...]
    noise: str = ""
    parts: Array | None = None
    records: Array | None = None
    directions: tuple[Direction, ...] = ()
    wide: Wide | None = None

    @property
    def grid_size(self) -> int:
        """E."""
        return self.grid.size

    @property
    def epsilon(self) -> Array:
        """The step of each cell, (S, P, C); NaN where there is none."""
        grid = np.broadcast_to(self.grid, (*self.chosen.shape[:2], self.grid.size))
        epsilon = np.concatenate([grid, self.chosen], axis=-1) if self.chosen.shape[-1] else grid
        return np.where(self.status == Status.ABSENT, np.nan, epsilon)

    def exact_point(self, p: int) -> Fraction | None:
        """Return a point of a dtype of more than 64 bits; None where float64 holds it, or it is not finite."""
        text = self.wide.x[p] if self.wide is not None else None
        return None if text is None else exact_of(text, self.dtype)

    @property
    def exact_grid(self) -> Array:
        """The E epsilons: rationals in dtypes of more than 64 bits, 0 for one that overflows; else those of `grid`."""
        if self.wide is None or self.wide.error is None:
            return self.grid
        found = np.full(self.grid.size, Fraction(0), dtype=object)
        for place, column in enumerate(self.wide.epsilon[..., : self.grid.size].reshape(-1, self.grid.size).T):
            text = next((text for text in column if text is not None), None)
            found[place] = Fraction(0) if text is None else exact_of(text, self.dtype)
        return found

    @property
    def hi(self) -> Array:
        """First words of the references, (P, 1); NaN where there is none."""
        return _words(reference.hi for reference in self.references)

    @property
    def lo(self) -> Array:
        """Second words of the references, (P, 1)."""
        return _words(reference.lo for reference in self.references)

    @property
    def error(self) -> Array:
        """Estimate − reference, signed, (S, P, C); NaN where either does not exist."""
        if self.wide is not None and self.wide.error is not None:
            return self.wide.error
        return signed_error(self.estimate, self.hi, self.lo)

    @property
    def relative_error(self) -> Array:
        """|error| / |reference|, (S, P, C)."""
        return relative_error(self.error, self.hi)

    @property
    def ulp_error(self) -> Array:
        """|error| in units of the last place of the reference, (S, P, C); infinite where that overflows."""
        return ulp_error(self.error, self.hi, self.lo, self.dtype)

    @property
    def digits(self) -> Array:
        """Correct decimal digits, (S, P, C)."""
        return correct_digits(self.relative_error, self.dtype)

    def measured(self, metric: Metric) -> Array:
        """Return a metric of the errors, (S, P, C)."""
        return metric.values(self.error, References(self.hi, self.lo, self.dtype))

    @property
    def key(self) -> tuple[str, int, str]:
        """Function, derivative and dtype."""
        return self.function, self.derivative, self.dtype

    @property
    def counts(self) -> dict[str, int]:
        """How many cells have each status."""
        return {status.label: int(np.count_nonzero(self.status == status)) for status in STATUSES}

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What is known of each reference."""
        return tuple(reference.verdict for reference in self.references)

    def rule_column(self, rule: str) -> int:
        """Return the index of a rule's column."""
        return self.grid_size + self.rules.index(rule)

    def joined(self, *others: "Block") -> "Block":
        """Return this block with the points of the next ones of the same function added."""
        blocks = (self, *others)
        reasons = tuple(dict.fromkeys(reason for block in blocks for reason in block.reasons))
        places = {reason: place for place, reason in enumerate(reasons)}
        renumbered = [np.array([places[reason] for reason in block.reasons], self.reason.dtype) for block in blocks]
        along_points = ("chosen", "estimate", "error_estimate", "evaluations", "status")
        merged: dict[str, Any] = {
            name: np.concatenate([getattr(block, name) for block in blocks], axis=1) for name in along_points
        }
        reason = [numbers[block.reason] for numbers, block in zip(renumbered, blocks, strict=True)]
        return replace(
            self,
            x=np.concatenate([block.x for block in blocks]),
            references=tuple(reference for block in blocks for reference in block.references),
            reason=np.concatenate(reason, axis=1),
            reasons=reasons,
            parts=_along_points([block.parts for block in blocks]),
            records=_along_points([block.records for block in blocks]),
            directions=tuple(direction for block in blocks for direction in block.directions),
            wide=self.wide and self.wide.joined(*(block.wide for block in others if block.wide is not None)),
            **merged,
        )


def _along_points(arrays: Sequence[Array | None]) -> Array | None:
    """Return arrays, (…, S, P, C), as one with all points; None where there are none."""
    known = [array for array in arrays if array is not None]
    return np.concatenate(known, axis=2) if known else None


@dataclass(frozen=True)
class Results:
    """What a run measured.

    Attributes
    ----------
    spec : str
        What was asked for, in its canonical form.
    blocks : sequence of Block
        In the order of the plan, several of a function with many points. Those of a stored run are read when they are
        looked at; a run that kept summaries only has none.
    curves : sequence of Curves
        What is kept of every curve, block by block.
    part_keys : tuple
        Function, derivative and dtype of each of these.
    manifest : dict
        Versions, machine, times, counts.
    """

    spec: str
    blocks: Sequence[Block]
    curves: Sequence["Curves"]
    part_keys: tuple[Key, ...]
    manifest: dict[str, Any]
    reference_tables: Callable[[], Iterator["pa.Table"]] = field(repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """How many cells have each status, over all blocks."""
        counted = self.manifest["status"]
        return {status.label: counted.get(status.label, 0) for status in STATUSES}

    @property
    def verdicts(self) -> dict[str, int]:
        """How many references have each verdict."""
        verdicts: dict[str, int] = self.manifest["verdicts"]
        return verdicts

    @property
    def keys(self) -> tuple[tuple[str, int, str], ...]:
        """Function, derivative and dtype of all blocks, in the order of the plan."""
        return tuple(dict.fromkeys(self.part_keys))

    def parts(self, key: tuple[str, int, str]) -> list[int]:
        """Return the places of the blocks, and curves, of a function, derivative and dtype."""
        return [i for i, each in enumerate(self.part_keys) if each == key]

    def block(self, function: str, derivative: int = 1, dtype: str = "float64") -> Block:
        """Return all cells of a function, derivative and dtype in one block."""
        places = self.parts((function, derivative, dtype))
        if not places:
            raise EmptySelectionError(f"results: no block {function}, derivative {derivative}, {dtype}")
        if not self.blocks:
            raise EmptySelectionError(NO_CELLS)
        return reduce(Block.joined, (self.blocks[i] for i in places))

    def plot(
        self,
        function: str | None = None,
        derivative: int = 1,
        dtype: str = "float64",
        *,
        scheme: str | None = None,
    ) -> Any:
        """Return a matplotlib figure, that of :func:`diffbench.plot`.

        Parameters
        ----------
        function : str, optional
            Error against epsilon for this function; by default the heat map of all functions.
        derivative, dtype : int, str
            Which block.
        scheme : str, optional
            The error of this scheme alone with its four parts, of a run with anatomy.
        """
        # By its public name: what the package offers is known at its door, and this room knows no figures.
        return import_module("diffbench").plot(self, function, derivative, dtype, scheme=scheme)

    def __repr__(self) -> str:
        return f"<Results: {self._size()}, {_listed(dict(reversed(self.counts.items())))}>"

    def _size(self) -> str:
        """Return how many functions and schemes there are."""
        functions = len({function for function, *_ in self.part_keys})
        schemes = len({scheme for part in self.curves for scheme in part.schemes})
        return f"{functions} function{'s' * (functions != 1)} × {schemes} scheme{'s' * (schemes != 1)}"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: cells by status, references by verdict, and the schemes that come first."""
        ranking = import_module("diffbench").rank(self)
        more = f", the first {SHOWN_SCHEMES} of {len(ranking)}" if len(ranking) > SHOWN_SCHEMES else ""
        table = ranking.head(SHOWN_SCHEMES).to_html(index=False, float_format="{:.1f}".format, na_rep="", border=0)
        counts = f"cells: {_listed(dict(reversed(self.counts.items())))}<br>references: {_listed(self.verdicts)}"
        return (
            f"<p><strong>{self._size()}</strong><br>{counts}</p><p>schemes by digits at the optimal ε{more}:</p>{table}"
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return the tidy table, one row a cell, null where a value is not defined."""
        from diffbench.sweep.export import tidy_schema, tidy_table, to_pandas

        if not self.blocks:
            raise EmptySelectionError(NO_CELLS)
        return to_pandas(map(tidy_table, self.blocks), tidy_schema(self.blocks[0]))

    def to_xarray(self) -> "xr.Dataset":
        """Return the cells on named axes, as one xarray Dataset.

        Returns
        -------
        xarray.Dataset
            ``epsilon, estimate, error, relative_error, ulp_error, digits, error_estimate, evaluations, status``, with
            the anatomy its four parts too, on the axes function, derivative, dtype, scheme, point and column;
            ``x, reference, reference_lo``, with functions of several variables also ``direction, at``, on function,
            derivative, dtype and point. The coordinates
            ``epsilon_index`` (−1 beyond the grid) and ``rule`` say what a column is. Functions have different numbers
            of points, and derivatives different schemes: what is not planned has the status absent, and NaN in place
            of numbers.

        Raises
        ------
        InputError
            If xarray is not installed.
        EmptySelectionError
            If the run kept summaries only.
        """
        # The module knows results, which therefore cannot know it before it is asked for.
        from diffbench.sweep.arrays import dataset

        return dataset(self)

    def references(self) -> "pd.DataFrame":
        """Return the references, one row each; with point and direction where a function has several variables."""
        from diffbench.sweep.export import to_pandas

        tables = list(self.placed_references())
        return to_pandas(tables, tables[0].schema.remove_metadata())

    def placed_references(self) -> Iterator["pa.Table"]:
        """Yield the references, with the columns direction and at in runs of functions of several variables."""
        known = self._directions()
        for table in self.reference_tables():
            keys = zip(*(table[name].to_pylist() for name in ("function", "derivative", "dtype", "point")), strict=True)
            own = [known[key] for key in keys] if known else []
            columns = {name: [getattr(each, name) for each in own] for name in Direction._fields if known}
            yield reduce(lambda placed, name: placed.append_column(name, [columns[name]]), columns, table)

    def _directions(self) -> dict[tuple[str, int, str, int], "Direction"]:
        """Return the direction of each row, by function, derivative, dtype and point; if one has it, all rows have."""
        # What the spec says costs no file of curves.
        functions = parse_toml(self.spec, "spec").get("functions", [])
        if not any({"variables", "model"} & set(each) for each in functions if isinstance(each, dict)):
            return {}
        return {
            (*part.key, point): direction
            for part in self.curves
            for point, direction in enumerate(part.directions, part.first)
        }


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing"


def _words(values: Iterator[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values])[:, None]


def by_first_appearance(keys: Iterable[Key]) -> Callable[[Any], int]:
    """Return a sorting key that brings together what has the same key, in the order in which the keys come."""
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    return lambda part: places[part.key]
