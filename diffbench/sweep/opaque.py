"""Calling opaque schemes, once a cell; whatever one of them raises costs that cell only."""

from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.functions.function import Evaluate, Function
from diffbench.schemes.scheme import OpaqueScheme
from diffbench.sweep.cells import Part
from diffbench.sweep.nodes import describe

Array = npt.NDArray[Any]


def call_opaque(
    part: Part, scheme: OpaqueScheme, function: Function, x: Array, epsilons: Array
) -> dict[tuple[int, int], str]:
    """Fill a part with the answers of a scheme, and return what it raised by cell; no epsilon is 0 in a call.

    Parameters
    ----------
    part : Part
        (P, E), or (P, 1) for a scheme without an epsilon.
    scheme, function : OpaqueScheme, Function
        What is called, and on what.
    x, epsilons : array
        P points and E epsilons of the working dtype.
    """
    steps: list[tuple[Any, ...]] = [(epsilon,) for epsilon in epsilons] if scheme.takes_epsilon else [()]
    failures = {}
    f = function.compile(x.dtype.name)
    for point in range(x.size):
        for column, step in enumerate(steps):
            place = point, column
            if step and step[0] == 0:
                continue
            counted = _Counted(f, x.dtype)
            try:
                part.estimate[place], part.error_estimate[place] = _answer(scheme.call(counted, x[point], *step))
            except Exception as error:  # noqa: BLE001  (whatever a contestant raises is its result)
                failures[place] = describe(error)
            part.evaluations[place] = counted.evaluations
    return failures


def promotes(function: Function, x: Array) -> str:
    """Return the sentence that says that f answers in another dtype, or nothing."""
    try:
        values = function.compile(x.dtype.name)(x)
    except Exception:  # noqa: BLE001  (what f raises is said of the cells in which a scheme meets it)
        return ""
    dtype = getattr(values, "dtype", x.dtype)
    return "" if dtype == x.dtype else f"f promotes {x.dtype} to {dtype}"


def _answer(answer: Any) -> tuple[float, float]:
    """Return the estimate and the error estimate (NaN if there is none)."""
    estimate, error = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, np.nan)
    if np.size(estimate) != 1 or np.size(error) != 1 or np.iscomplexobj(estimate):
        kind = f"an array of shape {np.shape(estimate)}, {np.asarray(estimate).dtype}"
        raise TypeError(f"the scheme answered {kind}, not a real number")
    return float(np.asarray(estimate).item()), float(np.asarray(error).item())


class _Counted:
    """f for scalars and arrays alike, counting the values it is asked for."""

    def __init__(self, f: Evaluate, dtype: np.dtype[Any]) -> None:
        self._f = f
        self._dtype = dtype
        self.evaluations = 0

    def __call__(self, x: Any) -> Any:
        nodes = np.asarray(x)
        nodes = nodes if np.iscomplexobj(nodes) else nodes.astype(self._dtype)
        self.evaluations += nodes.size
        values = self._f(np.atleast_1d(nodes).ravel())
        return values.reshape(nodes.shape) if nodes.ndim else values[0]
