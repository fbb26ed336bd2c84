"""The noise of a function: its level from a table of differences, and the epsilon that is best under it.

A smooth function's differences of order k fall with spacing^k, those of its noise do not fall at all: at a small
spacing the table shows the noise. Under noise of standard deviation σ a stencil with weights w has the expected squared
error::

    (C ε^p f^(m+p)(x))² + (σ/ε^m)² Σ w_k²

whose minimiser is the predicted epsilon.

References
----------
J. J. Moré, S. M. Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011) 1292-1314; Estimating derivatives
of noisy simulations, ACM TOMS 38 (2012) 19:1-19:21.
"""

import math
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import find_dtype
from diffbench.errors import InputError
from diffbench.functions.compile import compile_formula
from diffbench.functions.function import Function, is_array_of
from diffbench.functions.noise import Noise
from diffbench.reference.exact import references
from diffbench.reference.pair import correct_digits, relative_error
from diffbench.rounding import check_narrow_dtype, exact_number, finite, round_to, unit_roundoff
from diffbench.schemes.scheme import DifferenceScheme, Scheme
from diffbench.schemes.stencil import Stencil
from diffbench.sweep.curves import FLAT_FACTOR, running_median
from diffbench.sweep.results import Block, Results, Status
from diffbench.sweep.spec import PYTHON_OBJECTS, Spec

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
Row = dict[str, Any]

VALUES = 7
"""How many values of f make a table."""

ALIKE = 4.0
"""Three estimates in a row are of the noise where the largest is at most this times the least."""

VARIES = 0.1
"""Values that vary by more than this part of the largest show the function, not its noise."""

RETRY = 100.0
"""The spacing is multiplied or divided by this where it was too small or too large."""

ATTEMPTS = 5


@dataclass(frozen=True)
class NoiseLevel:
    """What a table of differences says of the noise of a function at a point.

    Attributes
    ----------
    level : float or None
        Standard deviation of the noise, absolute; None where none is detected.
    relative : float or None
        The level in units of abs(f(x)); None also where f(x) is 0.
    spacing : float
        Distance of the values of the last table.
    evaluations : int
        How often f was evaluated in all.
    verdict : str
        ``detected``, or whether the spacing was ``too small`` or ``too large`` to tell.
    reason : str
        Why, in words.
    estimates : tuple of float
        The estimate from each column of differences, k = 1, 2, …
    table : tuple of tuple of float
        The values and their differences of order 1, 2, …
    """

    level: float | None
    relative: float | None
    spacing: float
    evaluations: int
    verdict: str
    reason: str
    estimates: tuple[float, ...] = ()
    table: tuple[tuple[float, ...], ...] = ()


def noise_level(
    f: Function | Callable[[float], float],
    x: object,
    spacing: float | None = None,
    *,
    values: int = VALUES,
    dtype: str = "float64",
) -> NoiseLevel:
    """Estimate the noise of a function around a point by the difference table of Moré and Wild (ECnoise).

    Differences of order k of independent noise have the mean square σ² (2k)!/(k!)². The estimate is that of the lowest
    order whose differences change sign and whose two successors agree with it within a factor 4.

    Parameters
    ----------
    f : Function or callable
        A callable takes and returns a float.
    x : str, int, Fraction or float
        The middle of the table.
    spacing : float, optional
        Distance of the values; by default ``√u · max(1, |x|)``. Where it does not serve, a hundred times or a hundredth
        of it is tried, five spacings at most.
    values : int
        How many make a table, 4 to 50.
    dtype : str
        In which a Function is evaluated.

    Returns
    -------
    NoiseLevel

    Raises
    ------
    InputError
        If an argument is wrong, or f raises.

    References
    ----------
    Moré and Wild (2011), sections 3 and 5.

    Examples
    --------
    >>> noisy = Function("noisy", "exp(x)", ["1"], noise="relative 1e-6")
    >>> found = noise_level(noisy, 1)
    >>> found.verdict, 0.3 < found.relative / (1e-6 / 3**0.5) < 3
    ('detected', True)
    """
    if not isinstance(values, int) or not 4 <= values <= 50:
        raise InputError(f"values: {values!r} is not a whole number from 4 to 50")
    middle = np.array([round_to(exact_number(x, "x"), check_narrow_dtype(dtype))], dtype=dtype)
    evaluate = _evaluator(f, dtype)
    step, power = _first_spacing(spacing, middle), 0
    tried: dict[int, NoiseLevel] = {}
    while power not in tried and len(tried) < ATTEMPTS:
        distance = _representable(step * RETRY**power, middle)
        if any(before.spacing == float(distance[0]) for before in tried.values()):
            break
        found = tried[power] = _from_values(evaluate, middle, distance, values)
        if found.verdict == "detected":
            break
        power += 1 if found.verdict == "too small" else -1
    return replace(found, evaluations=values * len(tried))


def _first_spacing(spacing: object, middle: Array) -> float:
    if spacing is None:
        return math.sqrt(unit_roundoff(middle.dtype.name)) * max(1.0, abs(float(middle[0])))
    step = float(exact_number(spacing, "spacing"))
    if not 0 < step < math.inf:
        raise InputError(f"spacing: {spacing!r} is not above 0")
    return step


def _representable(step: float, middle: Array) -> Array:
    """Return a spacing by which the dtype can step from the middle, at least the distance of its numbers there.

    A smaller one would show the rounding of x as noise of f.
    """
    with np.errstate(all="ignore"):
        spacing = (middle + np.array([step], dtype=middle.dtype)) - middle
        representable: Array = np.maximum(spacing, 2 * np.spacing(np.abs(middle)))
    return representable


def _evaluator(f: object, dtype: str) -> Callable[[Array], Array]:
    """Return f of an array as float64, NaN where one of its elements is outside the domain of a Function."""
    if isinstance(f, Function):
        code, domain = f.compile(dtype), f.domain
        return lambda x: _answer(code, x) if domain.contains_array(x).all() else np.full(x.shape, np.nan)
    if not callable(f):
        raise InputError(f"f: {f!r} is neither a Function nor can it be called")
    return lambda x: np.array([_number(f, float(value)) for value in x])


def _answer(code: Callable[[Array], Any], x: Array) -> Array:
    try:
        values = code(x)
    except Exception as error:
        raise _raised(error, x.tolist()) from error
    if not is_array_of(values, x.shape, x.dtype.name):
        raise InputError(f"f: it answered no array of shape {x.shape} and dtype {x.dtype}")
    answer: Array = values.astype(np.float64)
    return answer


def _raised(error: Exception, x: object) -> InputError:
    return InputError(f"f: at {x} it raised {type(error).__name__}: {' '.join(str(error).split())[:120]}")


def _number(f: Callable[[float], Any], x: float) -> float:
    """Return f(x), NaN where f says that it has no value there as Python's own functions do."""
    try:
        return float(f(x))
    except (ArithmeticError, ValueError):
        return math.nan
    except Exception as error:
        raise _raised(error, x) from error


def _from_values(evaluate: Callable[[Array], Array], middle: Array, spacing: Array, count: int) -> NoiseLevel:
    """Return what the table of some values around the middle says."""
    with np.errstate(all="ignore"):
        nodes = middle + np.arange(-(count // 2), count - count // 2, dtype=middle.dtype) * spacing
        values = evaluate(nodes)
    found = NoiseLevel(None, None, float(spacing[0]), count, "too large", "f is not finite, or outside its domain")
    if not np.isfinite(values).all():
        return found
    columns = [values, *(np.diff(values, k) for k in range(1, count))]
    estimates = tuple(noise_estimate(column, k) for k, column in enumerate(columns[1:], 1))
    table = tuple(tuple(column.tolist()) for column in columns)
    verdict, reason, level = _judged(columns, estimates)
    size = abs(values[count // 2])
    relative = level / size if level is not None and size else None
    return replace(
        found, level=level, relative=finite(relative), verdict=verdict, reason=reason, estimates=estimates, table=table
    )


def noise_estimate(differences: Array, k: int) -> float:
    """Return the noise level from differences of order k: √((k!)²/(2k)! · mean of their squares)."""
    return math.sqrt(float(np.mean(np.square(differences))) / math.comb(2 * k, k))


def _judged(columns: Sequence[Array], estimates: Sequence[float]) -> tuple[str, str, float | None]:
    """Return verdict, reason and level by the rules of Moré and Wild."""
    values, first = columns[0], columns[1]
    if np.ptp(values) > VARIES * np.abs(values).max():
        return "too large", "the values differ in the first digit", None
    if 2 * np.count_nonzero(first == 0) >= values.size:
        return "too small", "half or more of the values are equal to their neighbours", None
    for k in range(len(estimates) - 2):
        three = estimates[k : k + 3]
        if columns[k + 1].min() < 0 < columns[k + 1].max() and max(three) <= ALIKE * min(three):
            return "detected", f"differences of order {k + 1} to {k + 3} agree within a factor {ALIKE:g}", estimates[k]
    return "too large", f"no three columns of differences agree within a factor {ALIKE:g}", None


def stencil_of(scheme: Scheme | Stencil) -> Stencil | None:
    """Return the stencil that a scheme amounts to, None where there is none; Richardson schemes have one."""
    if isinstance(scheme, Stencil):
        return scheme
    return scheme.equivalent_stencil if isinstance(scheme, DifferenceScheme) else None


def epsilon_under_noise(
    scheme: Scheme | Stencil, level: float, derivative_value: float, criterion: str = "mean"
) -> float:
    """Return the epsilon that is best for a scheme where f has noise.

    Parameters
    ----------
    scheme : stencil or scheme that amounts to one
        Of derivative m, order p, error constant C and weights w.
    level : float
        The noise of f: its standard deviation, or for the criterion ``bound`` the largest that it can be.
    derivative_value : float
        f^(m+p)(x), which the truncation error is made of.
    criterion : str
        ``mean`` minimises the root of the mean squared error, whose noise is level · √(Σ w²)/ε^m; ``bound`` minimises
        the largest possible error, whose noise is level · Σ |w|/ε^m.

    Returns
    -------
    float
        Infinite where there is no truncation error to balance.

    Raises
    ------
    InputError
        If an argument is wrong or the scheme amounts to no stencil.

    References
    ----------
    Moré and Wild (2012), section 2: for forward-1 it is 8^(1/4) √(σ/|f″|).

    Examples
    --------
    >>> epsilon_under_noise(Stencil.forward(), 1e-6, 2.0) == (8**0.5 * 1e-6 / 2) ** 0.5
    True
    """
    stencil = stencil_of(scheme)
    if stencil is None or stencil.order == math.inf:
        raise InputError(f"scheme: {getattr(scheme, 'name', scheme)} amounts to no stencil with an order")
    noise, value = float(exact_number(level, "level")), float(exact_number(derivative_value, "derivative_value"))
    if noise < 0:
        raise InputError(f"level: {level!r} is below 0")
    m, p = stencil.derivative, int(stencil.order)
    truncation = abs(float(stencil.error_constant) * value)
    balance = _amplification(stencil, criterion) * (m / p if criterion == "bound" else math.sqrt(m / p))
    return float((noise * balance / truncation) ** (1 / (m + p))) if truncation else math.inf


def _amplification(stencil: Stencil, criterion: str) -> float:
    """Return how a criterion sees noise amplified, apart from ε^m."""
    if criterion == "bound":
        return float(stencil.amplification)
    if criterion != "mean":
        raise InputError(f"criterion: {criterion!r} is neither 'mean' nor 'bound'")
    return math.sqrt(sum(weight**2 for weight in stencil.weights))


def noise_table(results: Results) -> "pd.DataFrame":
    """Return one row for each curve of a function with stated noise: what is stated, estimated, predicted and measured.

    Columns: the standard deviations of the noise of f(x) as stated and as :func:`noise_level` estimates it; the epsilon
    predicted from the estimate and the one measured as optimal; whether the predicted lies in the flat region; the
    digits of the running-median error at both, the predicted one moved to the grid.

    Raises
    ------
    EmptySelectionError
        If the results have no cells.
    """
    import pandas as pd

    return pd.DataFrame(noise_rows(results)).convert_dtypes(dtype_backend="pyarrow")


def noise_rows(results: Results) -> list[Row]:
    """Return the table as rows; schemes that amount to no stencil are left out, None stands for what is not known."""
    table = tomllib.loads(results.spec)
    own = table.pop(PYTHON_OBJECTS, [])
    spec = Spec(**table)
    noisy = {function.name: function for function in spec.functions if function.noise and function.name not in own}
    stencils = {(scheme.derivative, scheme.name): stencil_of(scheme) for scheme in spec.schemes}
    rows: list[Row] = []
    for key in results.keys:
        block = results.block(*key)
        if key[0] in noisy and block.grid_size and find_dtype(block.dtype).is_narrow:
            known = [stencils.get((block.derivative, name)) for name in block.schemes]
            rows += _rows_of(noisy[key[0]], noisy[key[0]].noise, block, known)
    return rows


def _rows_of(
    function: Function, noise: Noise | None, block: Block, stencils: Sequence[Stencil | None]
) -> Iterator[Row]:
    values = compile_formula(function.formula, block.dtype)(block.x.astype(block.dtype)).tolist()
    found = [noise_level(function, x, dtype=block.dtype) for x in block.x.tolist()]
    error = np.where(block.status == Status.OK, np.abs(block.error), np.nan)[:, :, : block.grid_size]
    smooth = running_median(error)
    for s, stencil in enumerate(stencils):
        if stencil is None:
            continue
        derivatives = _derivatives(function, block, stencil)
        for p, (level, value) in enumerate(zip(found, derivatives, strict=True)):
            yield {
                "function": function.name,
                "noise": str(noise),
                "derivative": block.derivative,
                "dtype": block.dtype,
                "scheme": block.schemes[s],
                "point": block.first + p,
                "x": float(block.x[p]),
                "stated_level": noise.deviation(values[p]) if noise else None,
                "estimated_level": level.level,
                **_epsilons(block, p, smooth[s, p], _predicted(stencil, level, value)),
            }


def _derivatives(function: Function, block: Block, stencil: Stencil) -> list[float | None]:
    """Return f^(m+p) at the points, None where it is not settled."""
    found = references(function.formula, [Fraction(x) for x in block.x.tolist()], block.derivative + int(stencil.order))
    return [None if reference is None else reference.hi for reference in found]


def _predicted(stencil: Stencil, found: NoiseLevel, value: float | None) -> float | None:
    if found.level is None or value is None:
        return None
    return finite(epsilon_under_noise(stencil, found.level, value))


def _epsilons(block: Block, p: int, smooth: Array, predicted: float | None) -> Row:
    """Return the predicted and the measured epsilon of a curve, with the running-median errors, (E,), as digits."""
    known = not np.isnan(smooth).all()
    best = int(np.nanargmin(smooth)) if known else 0
    place = best if predicted is None else _nearest(block.grid, predicted)
    digits = correct_digits(relative_error(smooth, block.hi[p]), block.dtype)
    is_flat = bool(smooth[place] <= FLAT_FACTOR * smooth[best])
    return {
        "predicted_epsilon": predicted,
        "measured_epsilon": float(block.grid[best]) if known else None,
        "predicted_is_flat": None if predicted is None or not known else is_flat,
        "predicted_digits": None if predicted is None else finite(digits[place]),
        "measured_digits": finite(digits[best]),
    }


def _nearest(grid: Array, epsilon: float) -> int:
    with np.errstate(all="ignore"):
        return int(np.nanargmin(np.abs(np.log(grid / epsilon))))


@dataclass(frozen=True)
class NoiseFigures:
    """How well noise is estimated and its optimal epsilon predicted, over the rows of a table.

    Attributes
    ----------
    curves, predicted : int
        How many rows, and how many of them have a predicted epsilon: where f^(m+p) is 0 there is none.
    share_detected : float
        Part of the rows whose noise was detected.
    share_flat : float
        Part of the predicted epsilons that lie in the flat region.
    decades_apart : float
        Median of the distance between predicted and measured optimal epsilon, in decades.
    digits_lost : float
        Median of the digits lost by using the predicted epsilon.
    level_ratio, least_ratio, largest_ratio : float
        Estimated over stated level: median, least, largest, over the points.
    """

    curves: int
    predicted: int
    share_detected: float
    share_flat: float
    decades_apart: float
    digits_lost: float
    level_ratio: float
    least_ratio: float
    largest_ratio: float


def noise_figures(rows: Sequence[Row]) -> NoiseFigures:
    """Return the figures of :func:`noise_rows`.

    Raises
    ------
    InputError
        If noise was detected in none.
    """
    detected = [row for row in rows if row["estimated_level"] is not None]
    both = [row for row in detected if row["predicted_epsilon"] is not None and row["measured_epsilon"] is not None]
    if not both:
        raise InputError("rows: noise was detected in none of them")
    at_points = {(row["function"], row["dtype"], row["point"]): row for row in detected}.values()
    ratios = [row["estimated_level"] / row["stated_level"] for row in at_points]
    apart = [abs(math.log10(row["predicted_epsilon"] / row["measured_epsilon"])) for row in both]
    lost = [
        row["measured_digits"] - row["predicted_digits"]
        for row in both
        if row["predicted_digits"] is not None and row["measured_digits"] is not None
    ]
    return NoiseFigures(
        curves=len(rows),
        predicted=len(both),
        share_detected=len(detected) / len(rows),
        share_flat=sum(row["predicted_is_flat"] for row in both) / len(both),
        decades_apart=float(np.median(apart)),
        digits_lost=float(np.median(lost)),
        level_ratio=float(np.median(ratios)),
        least_ratio=min(ratios),
        largest_ratio=max(ratios),
    )
