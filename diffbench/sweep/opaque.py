"""Calling opaque schemes, once a cell; whatever one of them raises costs that cell only."""

from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import UnsupportedError
from diffbench.functions.function import Evaluate, Function
from diffbench.schemes.scheme import OpaqueScheme
from diffbench.sweep.cells import Part
from diffbench.sweep.nodes import COMPLEX_DTYPES, check_answer, describe, undefined
from diffbench.sweep.results import Status

Array = npt.NDArray[Any]
Outcomes = dict[tuple[int, ...], tuple[Status, str]]


def call_opaque(part: Part, scheme: OpaqueScheme, function: Function, x: Array, epsilons: Array) -> Outcomes:
    """Fill a part with the answers of a scheme, and return what became of the cells that have none.

    Parameters
    ----------
    part : Part
        (P, E), or (P, 1) for a scheme without an epsilon. Where epsilon is 0 nothing is called.
    scheme, function : OpaqueScheme, Function
        What is called, and on what.
    x, epsilons : array
        P points and E epsilons of the working dtype.

    Returns
    -------
    dict
        Status and reason by cell: unsupported, domain or failed.
    """
    steps: list[tuple[Any, ...]] = [(epsilon,) for epsilon in epsilons] if scheme.takes_epsilon else [()]
    outcomes: Outcomes = {}
    for place in np.ndindex(*part.status.shape):
        step = steps[place[1]]
        if step and step[0] == 0:
            continue
        f = _Watched(function, x.dtype.name)
        outcome = _call(part, place, scheme, f, (x[place[0]], *step))
        if outcome is not None:
            outcomes[place] = outcome
        part.evaluations[place] = f.evaluations
    return outcomes


def _call(
    part: Part, place: tuple[int, ...], scheme: OpaqueScheme, f: "_Watched", arguments: tuple[Any, ...]
) -> tuple[Status, str] | None:
    try:
        with np.errstate(all="ignore"):
            part.estimate[place], part.error_estimate[place] = _answer(scheme.call(f, *arguments))
    except UnsupportedError as error:
        return Status.UNSUPPORTED, str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever a contestant raises is its result)
        return (Status.DOMAIN, f.left) if f.left else (Status.FAILED, describe(error))
    return (Status.DOMAIN, f.left) if f.left else None


def _answer(answer: Any) -> tuple[float, float]:
    """Return the estimate and the error estimate (NaN if there is none)."""
    estimate, error = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, np.nan)
    if np.size(estimate) != 1 or np.size(error) != 1 or np.iscomplexobj(estimate):
        kind = f"an array of shape {np.shape(estimate)}, {np.asarray(estimate).dtype}"
        raise TypeError(f"it answered {kind}, not a real number")
    return float(np.asarray(estimate).item()), float(np.asarray(error).item())


class _Watched:
    """f for scalars and arrays alike, real or complex; it counts its values and is NaN outside the domain.

    Attributes
    ----------
    evaluations : int
        How many values were asked for.
    left : str
        The sentence that says that one of them was outside the domain, or nothing.
    """

    def __init__(self, function: Function, dtype: str) -> None:
        self._function = function
        self._dtypes = {"f": dtype, "c": COMPLEX_DTYPES.get(dtype, "")}
        self._compiled: dict[str, Evaluate] = {}
        self.evaluations = 0
        self.left = ""

    def __call__(self, x: Any) -> Any:
        kind = "c" if np.iscomplexobj(x) else "f"
        nodes = np.asarray(x).astype(self._dtype(kind))
        flat = np.atleast_1d(nodes).ravel()
        self.evaluations += flat.size
        inside = self._function.domain.contains_array(flat.real)
        values = np.full(flat.shape, np.nan, dtype=flat.dtype)
        if not inside.all():
            self.left = f"a node leaves {self._function.domain}"
        if inside.any():
            values[inside] = self._evaluate(flat[inside], kind)
        if kind == "f" and undefined(self._function, flat, values).any():
            self.left = "f is not defined or not real at a node"
        return values.reshape(nodes.shape) if nodes.ndim else values[0]

    def _dtype(self, kind: str) -> str:
        if not self._dtypes[kind]:
            raise UnsupportedError(f"needs complex values, and {self._dtypes['f']} has no complex dtype")
        return self._dtypes[kind]

    def _evaluate(self, nodes: Array, kind: str) -> Array:
        if kind not in self._compiled:
            self._compiled[kind] = self._function.compile(self._dtype(kind))
        values = self._compiled[kind](nodes)
        check_answer(values, nodes.shape, self._dtype(kind))
        return values
