"""The error model beside what was measured: predicted epsilon and digits of every curve of a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.analysis.model import Parts, PointModel, power_sums
from diffbench.analysis.near import Near
from diffbench.dtypes import find_dtype, why_not_complex
from diffbench.errors import EmptySelectionError, InputError
from diffbench.functions.function import Function, Printed
from diffbench.functions.suites import load_suite
from diffbench.reference.pair import correct_digits, relative_error
from diffbench.reference.verdict import Reference
from diffbench.rounding import exact_number, finite
from diffbench.schemes.scheme import DifferenceScheme, parse_scheme
from diffbench.sweep.curves import FLAT_FACTOR, running_median
from diffbench.sweep.results import NO_CELLS, Block, Results, Status
from diffbench.sweep.run import run
from diffbench.sweep.spec import Spec

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

INSIDE = 2.0
"""A minimum is inside the grid where the model's error at both of its ends is more than this times the least."""


AS_GOOD = 1.1
"""A predicted error is as good as the least up to this factor: on a plateau the largest epsilon is taken."""


TWO_ULPS = 4.0
"""Two units in the last place in units of u |f|, at most: so much may good libraries differ by."""


RANGE = 1e300
"""A larger ratio of errors is none."""


@dataclass(frozen=True)
class Optimum:
    """The least of a curve along epsilon.

    Attributes
    ----------
    place : int
        Index of the largest epsilon whose running-median error is the least, or as good as it.
    error : float
        The error there.
    is_inside : bool
        Whether the error is larger at both ends, so that there is something to be found.
    """

    place: int
    error: float
    is_inside: bool


def optimum(smooth: Array, tolerance: float = 1.0) -> Optimum | None:
    """Return the least of a curve over falling epsilons, or None if it has no value.

    Parameters
    ----------
    smooth : array
        (E,) running-median errors, NaN where there is none.
    tolerance : float
        What is not this times larger is as good as the least.
    """
    known = np.flatnonzero(~np.isnan(smooth))
    if known.size == 0:
        return None
    least = float(smooth[known].min())
    place = int(known[smooth[known] <= tolerance * least][0])
    ends = min(float(smooth[known[0]]), float(smooth[known[-1]]))
    return Optimum(place, float(smooth[place]), bool(ends > INSIDE * least))


def predict(results: Results, functions: Sequence[Function] = ()) -> "pd.DataFrame":
    """Return what the model says of every curve of a run, beside what was measured.

    Parameters
    ----------
    results : Results
        The run, with its cells.
    functions : sequence of Function
        Those of the run that have their own implementation, which a run does not keep.

    Returns
    -------
    DataFrame
        One row a curve.

    Notes
    -----
    Columns: predicted epsilon and digits; the measured digits at that epsilon (of its running-median error) and at the
    optimal one; measured error / predicted error; whether the predicted epsilon lies in the flat region, null where the
    model has no minimum inside the grid; and a note.

    Examples
    --------
    >>> from diffbench import Function, Spec, run
    >>> table = predict(run(Spec(Function("f", "exp(x)", ["1"]), "central-2")))
    >>> bool(table.in_flat_region.iloc[0]), round(table.predicted_digits.iloc[0])
    (True, 11)
    """
    import pandas as pd

    return pd.DataFrame(list(prediction_rows(results, functions))).convert_dtypes(dtype_backend="pyarrow")


def prediction_rows(results: Results, functions: Sequence[Function] = ()) -> Iterator[dict[str, Any]]:
    """Yield one row for each curve of a run whose scheme the model covers."""
    for curve in _modelled(results, functions):
        yield _row(*curve)


class Expected(NamedTuple):
    """What the error model expects of a curve.

    Attributes
    ----------
    block, scheme, point : Block, int, int
        Which curve.
    least : float
        The least |error| along epsilon; NaN where the model does not know it well.
    rounding : array
        (E,) bound of the rounding errors, if f is wrong by two ulps at least; NaN where the scheme cannot be used.
    """

    block: Block
    scheme: int
    point: int
    least: float
    rounding: Array


def expected_errors(results: Results) -> Iterator[Expected]:
    """Yield what the model expects of every curve that it covers.

    Off the real line it knows the least error well only where nothing cancels and f^(m) is not 0. Mixed partial
    derivatives are left out: it does not know how large the values are that two ulps would be of.
    """
    for block, s, p, scheme, model in _modelled(results, ()):
        if model.near.is_difference:
            continue
        parts = model.parts(scheme)
        best = optimum(parts.smooth_error)
        is_known = not scheme.needs_complex or bool(model.derivative and not scheme.cancels)
        with np.errstate(all="ignore"):
            rounding = np.where(parts.usable, model.lines(scheme, least=TWO_ULPS).rounding, np.nan)
        yield Expected(block, s, p, best.error if best is not None and is_known else np.nan, rounding)


def _modelled(
    results: Results, functions: Sequence[Function]
) -> Iterator[tuple[Block, int, int, DifferenceScheme, PointModel]]:
    """Yield every curve that the model covers."""
    if not results.blocks:
        raise EmptySelectionError(NO_CELLS)
    known = functions_of(results) | {function.name: function for function in functions}
    for block in results.blocks:
        for s, p, scheme, model in modelled_curves(block, known.get(block.function)):
            yield block, s, p, scheme, model


def modelled_curves(
    block: Block, function: Function | None = None
) -> Iterator[tuple[int, int, DifferenceScheme, PointModel]]:
    """Yield scheme and point of every curve of a block that the model covers, with the model.

    It covers what has a formula and can be computed here, where the derivative is certified and in float64's range.

    Parameters
    ----------
    block : Block
        Some of a run.
    function : Function, optional
        The block's, where more is known of it than its formula.
    """
    schemes = [scheme_of(name, block.derivative) for name in block.schemes]
    known = find_dtype(block.dtype)
    for p in range(len(block.references)):
        # Where nothing could be measured in a wide dtype, its numbers are not kept.
        is_kept = not known.is_wide or block.exact_point(p) is not None
        if known.unavailable or not is_kept or not is_modelled(block, p):
            continue
        own = function_at(block, p, function)
        if own is None:
            continue
        model = model_at(block, p, own)
        if not model.near.is_computable:
            continue
        for s, scheme in enumerate(schemes):
            if scheme is not None:
                yield s, p, scheme, model


def is_modelled(block: Block, point: int) -> bool:
    """Return whether a derivative is certified and float64 has both it and the point in its range."""
    reference = block.references[point]
    has_value = reference.hi is not None and isfinite(reference.hi)
    return reference.verdict == "certified" and has_value and isfinite(block.x[point])


def model_at(block: Block, point: int, function: Function) -> PointModel:
    """Return the error model at a point of a block, of the function of one variable that it belongs to."""
    is_mixed = bool(block.directions) and "," in block.directions[point].direction
    near = Near(function, float(block.x[point]), block.dtype, block.exact_point(point), is_mixed)
    return PointModel(near, block.references[point], block.exact_grid)


def function_at(block: Block, point: int, known: Function | None) -> Function | None:
    """Return the function of one variable that a point of a block belongs to, None where there is no formula of it."""
    if known is not None:
        along = known.along(block.first + point, block.dtype)
        return along if along.model is None else None
    return None if block.directions else Function(block.function, block.formula, [float(block.x[point])])


def functions_of(results: Results) -> dict[str, Function]:
    """Return the functions that a run measured by name; those that exist as Python objects only are missing."""
    try:
        spec = Spec.from_text(results.spec)
    except InputError:
        return {}
    return {function.name: function for function in spec.functions}


def scheme_of(name: str, derivative: int) -> DifferenceScheme | None:
    """Return the scheme of a name, None where it is no difference scheme of the catalogue's families."""
    try:
        return parse_scheme(name, derivative)
    except InputError:
        return None


def _row(block: Block, s: int, p: int, scheme: DifferenceScheme, model: PointModel) -> dict[str, Any]:
    parts = model.parts(scheme)
    measured = measured_curve(block, s, p)
    expected, best = optimum(parts.smooth_error, AS_GOOD), optimum(measured)
    row: dict[str, Any] = {
        "function": block.function,
        "derivative": block.derivative,
        "dtype": block.dtype,
        "scheme": block.schemes[s],
        "point": block.first + p,
        **(block.directions[p]._asdict() if block.directions else {}),
        "x": float(block.x[p]),
        "predicted_epsilon": None if expected is None else finite(block.grid[expected.place]),
        "predicted_digits": None if expected is None else digits_of(expected.error, block, p),
        "digits_there": None if expected is None else digits_of(measured[expected.place], block, p),
        "optimal_epsilon": None if best is None else finite(block.grid[best.place]),
        "optimal_digits": None if best is None else digits_of(best.error, block, p),
        "ratio": None,
        "in_flat_region": None,
        "note": note(scheme, parts, expected, model),
    }
    if expected is not None and best is not None:
        there = float(measured[expected.place])
        row["ratio"] = finite(there / expected.error) if expected.error > there / RANGE else None
        if expected.is_inside and scheme.cancels:
            row["in_flat_region"] = there <= FLAT_FACTOR * best.error
    return row


def measured_curve(block: Block, s: int, p: int) -> Array:
    """Return the running-median error of the ok cells along the grid, (E,)."""
    grid = slice(0, block.grid_size)
    error = np.abs(block.error[s, p, grid])
    return running_median(np.where(block.status[s, p, grid] == Status.OK, error, np.nan))


def digits_of(error: float, block: Block, p: int) -> float | None:
    """Return the correct digits of an absolute error; None where the reference is 0."""
    relative = relative_error(np.array(error), block.hi[p, 0])
    return finite(float(correct_digits(relative, block.dtype)))


def note(scheme: DifferenceScheme, parts: Parts, expected: Optimum | None, model: PointModel) -> str:
    """Return what is special about the prediction of a curve."""
    if expected is None:
        no_complex = why_not_complex(model.near.dtype) if scheme.needs_complex else ""
        return no_complex or ("no series and no exact values" if parts.usable.any() else "no epsilon can be used")
    special = [_truncation_note(scheme, model.near.series)]
    if not model.derivative:
        special.append("the derivative is 0, and so is the estimate wherever the rounded values of f cancel")
    if scheme.cancels and not expected.is_inside:
        special.append("no finite minimum inside the grid")
    return "; ".join(filter(None, special))


def _truncation_note(scheme: DifferenceScheme, series: Array) -> str:
    m, first = scheme.derivative, scheme.derivative + scheme.order
    if series.size <= first:
        return "no Taylor series so far, exact values of f instead"
    terms = np.flatnonzero(power_sums(scheme)[: series.size] * series)
    left = [int(j) for j in terms if j > m]
    if not left:
        return "no truncation: every term of it is 0"
    return f"f^({first})(x) = 0, the next term is that of f^({left[0]})" if left[0] > first else ""


def published_rows() -> Iterator[dict[str, Any]]:
    """Yield the steps and errors printed in the literature beside ours, a row for each problem × scheme.

    Of the estimates and errors that the suite ``published`` has for a problem and scheme the least error counts.
    Beside it stand the predicted and the optimal epsilon on the default grid in float64, each with the measured
    running-median error there. All errors are relative; null where the exact derivative is 0.
    """
    for function in load_suite("published").functions:
        groups: dict[tuple[int, str, str], list[Printed]] = {}
        for each in function.printed:
            if each.epsilon and not each.misprint:
                groups.setdefault((each.derivative, each.scheme, each.point), []).append(each)
        for (derivative, scheme, point), printed in groups.items():
            moved = function.at([exact_number(point)])
            results = run(Spec(moved, parse_scheme(scheme, derivative), derivatives=derivative))
            row = next(prediction_rows(results), None)
            if row is not None:
                yield _published_row(
                    row, *min(_printed_error(each, results.blocks[0].references[0]) for each in printed)
                )


def _printed_error(printed: Printed, reference: Reference) -> tuple[float, float]:
    """Return the relative error that a printed estimate or error is, and its epsilon."""
    exact = Fraction(reference.hi or 0.0) + Fraction(reference.lo or 0.0)
    value = exact_number(printed.value)
    error = float(abs(value - exact if printed.quantity == "estimate" else value))
    relative = error / abs(float(exact)) if exact else error
    # The reference has two words; what is below them is no error.
    return (0.0 if relative < 2.0**-100 else relative), float(exact_number(printed.epsilon))


def _published_row(row: dict[str, Any], error: float, epsilon: float) -> dict[str, Any]:
    def relative(digits: float | None) -> float | None:
        return None if digits is None else 10.0**-digits

    return {
        **{key: row[key] for key in ("function", "derivative", "scheme", "x")},
        "printed_epsilon": epsilon,
        "printed_error": error,
        "predicted_epsilon": row["predicted_epsilon"],
        "error_there": relative(row["digits_there"]),
        "optimal_epsilon": row["optimal_epsilon"],
        "optimal_error": relative(row["optimal_digits"]),
    }
