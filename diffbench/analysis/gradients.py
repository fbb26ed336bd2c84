"""Gradients as a whole: the error of all components together, and a textbook's gradient check against the truth."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import EmptySelectionError
from diffbench.rounding import finite, round_to
from diffbench.sweep.curves import running_median
from diffbench.sweep.results import NO_CELLS, Block, Results, Status

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
Row = dict[str, Any]

CHECKED_EPSILON = Fraction(1, 10**7)
"""The epsilon of the gradient check, central-2 as it is taught."""

GRADIENT_CRITERION = (
    "error: the norm of that of all components over that of the exact gradient, at the epsilon at which its running "
    "median is least; for second derivatives Frobenius norms of the Hessian, of costs of models of its diagonal; "
    "evaluations: of f, for all components; check at 1e-7: ‖estimate − exact‖/(‖estimate‖ + ‖exact‖), the relative "
    "difference of a gradient check"
)


def gradients(results: Results) -> "pd.DataFrame":
    """Return one row for each point of a function of several variables, derivative, dtype and scheme.

    Returns
    -------
    pandas.DataFrame
        ``function, at, derivative, dtype, scheme``; ``components``, and how many of them have a ``certified``
        reference; ``optimal_epsilon`` and there ``norm_error``, the norm of the error over that of the exact gradient
        (of the Hessian for second derivatives), ``least_digits`` of a component and ``evaluations`` for all;
        ``check``, the relative difference ‖estimate − exact‖/(‖estimate‖ + ‖exact‖) at epsilon 1e-7, null where that
        is not swept. The components of a vector-valued function have a row each, and then the whole Jacobian has one.

    Raises
    ------
    EmptySelectionError
        If the run has no functions of several variables, or kept summaries only.

    Examples
    --------
    >>> from diffbench import Function, Spec, run
    >>> valley = Function("rosenbrock", "(1 - x)**2 + 100*(y - x**2)**2", [{"x": "-6/5", "y": "1"}])
    >>> table = gradients(run(Spec(valley, ["forward-1", "central-2"])))
    >>> table.set_index("scheme").norm_error.lt(1e-8).to_dict()
    {'forward-1': False, 'central-2': True}
    """
    import pandas as pd

    return pd.DataFrame(gradient_rows(results)).convert_dtypes(dtype_backend="pyarrow")


def has_gradients(results: Results) -> bool:
    """Return whether a run has functions of several variables, and their cells."""
    return bool(results.blocks) and any(_is_vector(part.directions) for part in results.curves)


def gradient_rows(results: Results) -> list[Row]:
    """Return the table as rows; None stands for what does not exist."""
    if not results.blocks:
        raise EmptySelectionError(NO_CELLS)
    if not has_gradients(results):
        raise EmptySelectionError("gradients: the run has no functions of several variables")
    blocks = [block for key in results.keys if _is_vector((block := results.block(*key)).directions)]
    return [row for block in [*blocks, *_jacobians(blocks)] for row in _rows_of(block)]


_COMPONENT = re.compile(r"(.+)\[\d+\]")


def _jacobians(blocks: Sequence[Block]) -> list[Block]:
    """Return the components of each vector-valued function as one block, whose rows are all entries of the Jacobian."""
    groups: dict[tuple[str, int, str], list[Block]] = {}
    for block in blocks:
        component = _COMPONENT.fullmatch(block.function)
        if component:
            groups.setdefault((component[1], block.derivative, block.dtype), []).append(block)
    return [replace(first.joined(*rest), function=name) for (name, _, _), (first, *rest) in groups.items() if rest]


def _is_vector(directions: tuple[Any, ...]) -> bool:
    """Return whether some point has more than one direction."""
    return len({each.at for each in directions}) < len(directions)


def _rows_of(block: Block) -> Iterator[Row]:
    places: dict[str, list[int]] = {}
    for p, each in enumerate(block.directions):
        places.setdefault(each.at, []).append(p)
    error = np.where(block.status == Status.OK, block.error, np.nan)
    for at, points in places.items():
        # A mixed derivative stands in the Hessian twice.
        weights = np.array([2.0 if "," in block.directions[p].direction else 1.0 for p in points])[:, None]
        for s, scheme in enumerate(block.schemes):
            yield {
                "function": block.function,
                "at": at,
                "derivative": block.derivative,
                "dtype": block.dtype,
                "scheme": scheme,
                "components": len(points),
                "certified": sum(block.references[p].verdict == "certified" for p in points),
                **_measured(block, s, points, error[s, points], weights),
            }


def _measured(block: Block, s: int, points: list[int], error: Array, weights: Array) -> Row:
    """Return what a scheme's errors, (P, C), amount to together."""
    exact = block.hi[points]
    size, missed = _norm(exact, weights)[0], _norm(error, weights)
    column = _best(missed, block.grid_size)
    if column is None:
        return dict.fromkeys(("optimal_epsilon", "norm_error", "least_digits", "evaluations", "check"))
    checked = np.flatnonzero(block.grid == float(round_to(CHECKED_EPSILON, block.dtype)))
    found = _norm(exact + error[:, checked], weights) + size
    return {
        "optimal_epsilon": finite(block.epsilon[s, points[0], column]),
        "norm_error": finite(missed[column] / size) if size else None,
        "least_digits": finite(np.nanmin(block.digits[s, points, column], initial=np.inf)),
        "evaluations": int(block.evaluations[s, points, column].sum()),
        "check": finite((missed[checked] / found)[0]) if checked.size and found[0] else None,
    }


def _norm(values: Array, weights: Array) -> Array:
    norm: Array = np.linalg.norm(values * np.sqrt(weights), axis=0)
    return norm


def _best(missed: Array, grid: int) -> int | None:
    """Return the column whose running median is least; that of a scheme without an epsilon is the last one."""
    smooth = running_median(missed[:grid])
    if not np.isnan(smooth).all():
        return int(np.nanargmin(smooth))
    known = np.flatnonzero(~np.isnan(missed))
    return int(known[-1]) if known.size else None
