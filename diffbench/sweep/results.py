"""Results: the measured cells on named axes, and their export as tables. No analysis, no plots."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import EmptySelectionError
from diffbench.reference.exact import Reference
from diffbench.reference.pair import correct_digits, relative_error, signed_error, ulp_error

if TYPE_CHECKING:
    import pandas as pd

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


STATUSES = tuple(status for status in Status if status is not Status.ABSENT)


@dataclass(frozen=True)
class Block:
    """All cells of one function × derivative × dtype, as arrays over the axes S schemes, P points, C columns.

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
    grid_size : int
        E.
    x : array
        P points as they are in the dtype, widened to float64.
    references : tuple of Reference
        P references.
    epsilon : array
        The step of each cell, (S, P, C); NaN where there is none.
    estimate, error_estimate : array
        (S, P, C) float64; NaN where there is none.
    evaluations : array
        (S, P, C) how often f was evaluated.
    status, reason : array
        (S, P, C) a Status, and an index into `reasons`.
    reasons : tuple of str
        Why cells are not ok; the first is empty.
    """

    function: str
    formula: str
    tags: tuple[str, ...]
    derivative: int
    dtype: str
    schemes: tuple[str, ...]
    rules: tuple[str, ...]
    grid_size: int
    x: Array
    references: tuple[Reference, ...]
    epsilon: Array
    estimate: Array
    error_estimate: Array
    evaluations: Array
    status: Array
    reason: Array
    reasons: tuple[str, ...]

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

    @property
    def counts(self) -> dict[str, int]:
        """How many cells have each status."""
        return {status.label: int(np.count_nonzero(self.status == status)) for status in STATUSES}

    def rule_column(self, rule: str) -> int:
        """Return the index of a rule's column."""
        return self.grid_size + self.rules.index(rule)


@dataclass(frozen=True)
class Results:
    """What a run measured.

    Attributes
    ----------
    spec : str
        What was asked for, in its canonical form.
    blocks : tuple of Block
        In the order of the plan.
    manifest : dict
        Versions, machine, times, counts.
    stored_references : list of dict or None
        The rows of the references of a run that was loaded, as they were written.
    """

    spec: str
    blocks: tuple[Block, ...]
    manifest: dict[str, Any]
    stored_references: list[dict[str, Any]] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many cells have each status, over all blocks."""
        return {status.label: sum(block.counts[status.label] for block in self.blocks) for status in STATUSES}

    def block(self, function: str, derivative: int = 1, dtype: str = "float64") -> Block:
        """Return one block by its names."""
        for block in self.blocks:
            if (block.function, block.derivative, block.dtype) == (function, derivative, dtype):
                return block
        raise EmptySelectionError(f"results: no block {function}, derivative {derivative}, {dtype}")

    def to_frame(self) -> "pd.DataFrame":
        """Return the tidy table, one row a cell, null where a value is not defined."""
        from diffbench.sweep.export import cells_table, to_pandas

        return to_pandas([cells_table(block) for block in self.blocks])

    def references(self) -> "pd.DataFrame":
        """Return the references, one row each."""
        from diffbench.sweep.export import references_table, to_pandas

        return to_pandas([references_table(self)])


def _words(values: Iterator[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values])[:, None]
