"""What the page's explorer draws: one point of every function as compressed columns, and the library that draws it.

Python makes no chart and no object of the charting library: the page's own script does, from the columns, so that the
same data give the same bytes. Columns and library are deflated and in base64; the browser inflates them.
"""

import json
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from diffbench.analysis.model import PointModel, power_sums
from diffbench.analysis.predict import AS_GOOD, digits_of, function_at, is_modelled, measured_curve, model_at, optimum
from diffbench.dtypes import find_dtype
from diffbench.errors import DiffbenchError, InputError, UnsupportedError
from diffbench.functions.function import Function
from diffbench.reference.pair import unit_in_last_place
from diffbench.reference.parts import PARTS
from diffbench.reference.verdict import enclosing_text
from diffbench.report.plots import MOST_DECADES, emphasised_schemes
from diffbench.rounding import finite, unit_roundoff
from diffbench.schemes.scheme import DifferenceScheme, parse_scheme
from diffbench.sweep.curves import NEIGHBOURS
from diffbench.sweep.results import STATUSES, Block, Status, where

Array = npt.NDArray[Any]

MAX_CELLS = 400_000
"""How many cells a page embeds, about 10 bytes each; functions beyond that are in the files beside it."""

COLUMNS = (
    dict.fromkeys(("estimate", "error", "chosen"), "<f8")
    | {"curve": "<f4", "rounding": "<i2", "predicted": "<i2"}
    | dict.fromkeys(("status", "shares"), "<u1")
)
"""The embedded columns and their types, the widest first, so that each begins at a multiple of its size.

estimate, status
    (S, C) as in the block.
error
    (S, C) as in the block; only in dtypes of more than 64 bits, where the estimate does not say it.
chosen
    (S, C − E) the epsilons that step rules chose.
curve
    (S, 7) the values named in :data:`CURVE`.
rounding, predicted
    (S, E) the bound of the rounding errors and the predicted error, as log10 of the relative error in units of
    1/:data:`STEPS`, :data:`NONE` where there is none; only where there is a model.
shares
    (S, 4, E) how much each part is of the sum of their magnitudes, in units of 1/:data:`WHOLE`, 255 where there are no
    parts; only of runs with anatomy.
"""

CURVE = ("coefficient", "order", "observed", "predicted", "optimum", "least", "digits")
"""What is known of a curve: log10 of the truncation at ε = 1 and formal order; observed order; places of the predicted
and the optimal epsilon in the grid; log10 of the error at the latter, and its digits. NaN where there is none."""

STEPS = 500
NONE = -32768
WHOLE = 250
NO_SHARE = 255
DIGITS = 25
"""Digits of a reference that the page shows."""

TRUNCATED = 0.9
"""The order is observed where truncation is at least this share of the parts …"""

SLOPE_CELLS = 9
SLOPE_LEAST = 4
"""… over so many of the smallest such epsilons at most, and at least."""

SHARED = ("schemes", "looks", "why", "rules", "grid")
"""What is the same for many blocks, and embedded once."""

LIBRARIES = ("bokeh.min.js", "bokeh-api.min.js")


@dataclass(frozen=True)
class Explored:
    """A function, derivative and dtype at one point.

    Attributes
    ----------
    about : dict
        What is written in words and single numbers.
    columns : dict
        The bytes of its part of each of :data:`COLUMNS`.
    """

    about: dict[str, Any]
    columns: dict[str, bytes]

    @property
    def key(self) -> tuple[str, int, str]:
        """Function, derivative and dtype."""
        return self.about["function"], self.about["derivative"], self.about["dtype"]


class Packed(NamedTuple):
    """Bytes that the browser inflates, and the hash by which a policy knows them where they are a script."""

    data: str
    sha256: str


def view(function: str, derivative: int, dtype: str, scheme: str = "") -> str:
    """Return the fragment of an address that opens a curve in the explorer."""
    parts = [function, str(derivative), dtype, *([scheme] if scheme else [])]
    return "#" + "/".join(quote(part, safe="()*") for part in parts)


def explore(block: Block, point: int, points: int, figure: str = "", function: Function | None = None) -> Explored:
    """Return what the page holds of a block's curves at a point.

    Parameters
    ----------
    block : Block
        Which block.
    point : int
        Index of the point in the block.
    points : int
        How many points the function has in all.
    figure : str
        The file of its figure, relative to the page.
    function : Function, optional
        The block's; by default it is made from the formula, without a domain.
    """
    expected = _expected(block, point, function)
    is_wide = find_dtype(block.dtype).is_wide
    columns = {
        "estimate": block.estimate[:, point],
        "chosen": block.chosen[:, point],
        "status": block.status[:, point],
        "curve": _curves(block, point, expected),
    }
    if expected:
        nothing = np.full(block.grid_size, np.nan)
        for name in ("rounding", "predicted"):
            lines = [expected[s][name] if s in expected else nothing for s in range(len(block.schemes))]
            columns[name] = _logarithms(np.array(lines), _scale(block, point))
    if is_wide:
        columns["error"] = block.error[:, point]
    if block.parts is not None:
        columns["shares"] = _shares(block.parts[:, :, point, : block.grid_size])
    about = _about(block, point, points, figure) | {"modelled": bool(expected), "parted": block.parts is not None}
    about |= {"wide": True} if is_wide else {}
    return Explored(about, {name: values.astype(COLUMNS[name]).tobytes() for name, values in columns.items()})


def _about(block: Block, point: int, points: int, figure: str) -> dict[str, Any]:
    reference, hi, lo = block.references[point], block.hi[point, 0], block.lo[point, 0]
    return {
        "function": block.function,
        "formula": block.formula,
        "noise": block.noise,
        "derivative": block.derivative,
        "dtype": block.dtype,
        "schemes": block.schemes,
        "looks": _looks(block.schemes),
        "why": tuple(_why(block, s, point) for s in range(len(block.schemes))),
        "rules": block.rules,
        "grid": tuple(finite(value) for value in block.grid.tolist()),
        "columns": block.status.shape[-1],
        "x": finite(float(block.x[point])),
        **({"along": where(block, point, 6)} if block.directions else {}),
        "point": block.first + point + 1,
        "points": points,
        "hi": finite(hi),
        "lo": finite(lo),
        "ulp": finite(float(unit_in_last_place(hi, lo, block.dtype))) if np.isfinite(hi) else None,
        "u": unit_roundoff(block.dtype),
        "verdict": reference.verdict,
        "exact": enclosing_text(reference, DIGITS)["value"],
        "figure": figure,
    }


def _looks(schemes: tuple[str, ...]) -> tuple[tuple[str, str] | None, ...]:
    """Return colour and marker of each scheme, those of the figures; None for one of the crowd."""
    looks = emphasised_schemes(schemes)
    return tuple(looks.get(scheme) for scheme in schemes)


def _why(block: Block, s: int, point: int) -> str:
    """Return what keeps most cells of a curve from being ok, where none is; else nothing."""
    status, reasons = block.status[s, point], block.reason[s, point]
    if (status == Status.OK).any() or (status == Status.ABSENT).all():
        return ""
    counts = Counter(zip(status.tolist(), reasons.tolist(), strict=True))
    (code, reason), _ = max(counts.items(), key=lambda item: (item[0][0] != Status.ABSENT, item[1]))
    return ": ".join(text for text in (Status(code).label, block.reasons[reason]) if text)


def _expected(block: Block, point: int, function: Function | None) -> dict[int, dict[str, Any]]:
    """Return what the error model says of each scheme that it covers, by its place; nothing where it has no model."""
    if not is_modelled(block, point) or not block.grid_size:
        return {}
    own = function_at(block, point, function)
    if own is None:
        return {}
    found = {}
    try:
        model = model_at(block, point, own)
        for s, name in enumerate(block.schemes):
            scheme = _difference_scheme(name, block.derivative)
            if scheme is not None:
                with np.errstate(all="ignore"):
                    found[s] = _lines(model, scheme)
    except DiffbenchError:
        return {}
    return found


def _difference_scheme(name: str, derivative: int) -> DifferenceScheme | None:
    try:
        return parse_scheme(name, derivative)
    except InputError:
        return None


def _lines(model: PointModel, scheme: DifferenceScheme) -> dict[str, Any]:
    parts = model.parts(scheme)
    best = optimum(parts.smooth_error, AS_GOOD)
    series, j = model.near.series, scheme.derivative + scheme.order
    return {
        "rounding": parts.rounding if scheme.needs_complex else model.lines(scheme).rounding,
        "predicted": parts.error,
        "coefficient": abs(power_sums(scheme)[j] * series[j]) if j < series.size else 0.0,
        "order": scheme.order,
        "place": np.nan if best is None else best.place,
    }


def _curves(block: Block, point: int, expected: dict[int, dict[str, Any]]) -> Array:
    """Return the values of :data:`CURVE` for each scheme."""
    values = np.full((len(block.schemes), len(CURVE)), np.nan)
    scale = _scale(block, point)
    for s in range(len(block.schemes)):
        if s in expected:
            own = expected[s]
            values[s, 0] = _log10(own["coefficient"] / scale)
            values[s, [1, 3]] = own["order"], own["place"]
        values[s, 2] = _observed_order(block, s, point)
        best = optimum(measured_curve(block, s, point)) if block.grid_size else None
        if best is not None:
            digits = digits_of(best.error, block, point)
            values[s, 4:] = best.place, _log10(best.error / scale), np.nan if digits is None else digits
    return values


def _observed_order(block: Block, s: int, point: int) -> float:
    """Return the slope of log |error| in log ε at the smallest epsilons where nearly all of it is truncation."""
    if block.parts is None:
        return np.nan
    grid = slice(0, block.grid_size)
    error = np.abs(block.error[s, point, grid])
    with np.errstate(all="ignore"):
        sizes = np.abs(block.parts[:, s, point, grid])
        usable = (sizes[0] >= TRUNCATED * sizes.sum(axis=0)) & (error > 0) & (block.status[s, point, grid] == Status.OK)
    # Epsilons beyond the range of float64 have no place on the axis.
    usable &= np.isfinite(block.grid) & (block.grid > 0)
    # The grid falls.
    places = np.flatnonzero(usable)[-SLOPE_CELLS:]
    if places.size < SLOPE_LEAST:
        return np.nan
    return float(
        np.polynomial.Polynomial.fit(np.log10(block.grid[places]), np.log10(error[places]), 1).convert().coef[1]
    )


def _scale(block: Block, point: int) -> float:
    """Return what errors are divided by: the derivative, or 1 where it is 0 or there is none."""
    hi = abs(float(block.hi[point, 0]))
    return hi if hi and np.isfinite(hi) else 1.0


def _logarithms(values: Array, scale: float) -> Array:
    with np.errstate(all="ignore"):
        steps = np.round(STEPS * np.log10(np.where(values > 0, values / scale, np.nan)))
    return np.where(np.isfinite(steps), np.clip(steps, NONE + 1, -NONE - 1), NONE)


def _log10(value: float) -> float:
    return float(np.log10(value)) if value > 0 else np.nan


def _shares(parts: Array) -> Array:
    """Return the parts of the errors, (4, S, E), as shares, (S, 4, E)."""
    sizes = np.abs(parts)
    with np.errstate(all="ignore"):
        shares = np.round(WHOLE * sizes / sizes.sum(axis=0))
    return np.moveaxis(np.where(np.isfinite(shares), shares, NO_SHARE), 0, 1)


def embedded(explored: Sequence[Explored]) -> tuple[str, str]:
    """Return the index of the embedded columns as JSON that may stand in a script element, and the columns."""
    shared: dict[tuple[Any, ...], int] = {}
    blocks = [
        each.about | {name: shared.setdefault(tuple(each.about[name]), len(shared)) for name in SHARED}
        for each in explored
    ]
    index = {
        "blocks": blocks,
        "shared": list(shared),
        "of_shared": SHARED,
        "columns": list(COLUMNS.items()),
        "curve": CURVE,
        "parts": PARTS,
        "window": NEIGHBOURS,
        "decades": MOST_DECADES,
        "status": [*(status.label for status in STATUSES), Status.ABSENT.label],
        "steps": STEPS,
        "none": NONE,
        "whole": WHOLE,
        "no_share": NO_SHARE,
    }
    text = json.dumps(index, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    data = b"".join(each.columns.get(name, b"") for name in COLUMNS for each in explored)
    # In a script element only these can end or open anything.
    return text.replace("<", "\\u003c").replace(">", "\\u003e"), packed(data).data


def packed(data: bytes) -> Packed:
    """Return bytes deflated, in base64."""
    return Packed(b64encode(zlib.compress(data, 9)).decode(), b64encode(sha256(data).digest()).decode())


def chart_version() -> str:
    """Return name and version of the charting library."""
    return f"Bokeh {version('bokeh')}"


@cache
def libraries() -> tuple[Packed, ...]:
    """Return the scripts of the charting library, which comes with its Python package, in the order they need."""
    spec = find_spec("bokeh")
    if spec is None or not spec.submodule_search_locations:
        raise UnsupportedError("report: the package bokeh is not installed, and the page's charts need its scripts")
    folder = Path(spec.submodule_search_locations[0]) / "server" / "static" / "js"
    return tuple(packed((folder / name).read_bytes()) for name in LIBRARIES)
