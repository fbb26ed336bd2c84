"""f in a dtype of more than 64 bits, nodes and values as the rationals that they are, for the error model."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from diffbench.dtypes import find_dtype
from diffbench.errors import UnsupportedError
from diffbench.functions.function import Function
from diffbench.functions.namespaces import check_analytic, evaluate_in_context
from diffbench.multiple import LOCK, arithmetic
from diffbench.rounding import exact_float, exact_mpf, is_moderate, round_array

Values = list[Fraction | None]


def computed(function: Function, nodes: Sequence[Fraction], dtype: str) -> Values:
    """Return f computed in the dtype at some of its numbers; None where it is not finite or moderate, or cannot be."""
    try:
        values = _of_context(function, nodes, dtype) if _is_multiple(dtype) else _of_numpy(function, nodes, dtype)
    except UnsupportedError:
        return [None] * len(nodes)
    return [_exact(value) for value in values]


def imaginary_parts(function: Function, x: Fraction, steps: Sequence[Fraction], dtype: str) -> Values:
    """Return Im f(x + it) computed in the dtype's complex numbers; None where f has no value there.

    Parameters
    ----------
    function : Function
        What is computed.
    x : Fraction
        A number of the dtype.
    steps : sequence of Fraction
        The t, numbers of it too.
    dtype : str
        The real one.
    """
    try:
        check_analytic(function.formula)
        inside = _of_context if _is_multiple(dtype) else _of_numpy
        values = inside(function, [x] * len(steps), dtype, steps)
    except UnsupportedError:
        return [None] * len(steps)
    return [_exact(value.imag) for value in values]


def _is_multiple(dtype: str) -> bool:
    return find_dtype(dtype).is_multiple


def _of_numpy(
    function: Function, nodes: Sequence[Fraction], dtype: str, imaginary: Sequence[Fraction] = ()
) -> list[Any]:
    real = round_array(list(nodes), dtype)
    with np.errstate(all="ignore"):
        if not imaginary:
            return list(np.asarray(function.compile(dtype)(real)))
        name = find_dtype(dtype).complex
        if name is None:
            raise UnsupportedError(f"{dtype} has no complex dtype")
        at = np.empty(real.shape, dtype=name)
        at.real, at.imag = real, round_array(list(imaginary), dtype)
        return list(np.asarray(function.compile(name)(at)))


def _of_context(
    function: Function, nodes: Sequence[Fraction], dtype: str, imaginary: Sequence[Fraction] = ()
) -> list[Any]:
    if function.evaluate is not None or function.noise is not None:
        raise UnsupportedError(f"f is called with arrays of numpy, which has no {dtype}")
    numbers = arithmetic(dtype)
    with LOCK:
        numbers.prec = numbers.bits
        f = evaluate_in_context(function.formula, numbers)
        real = [numbers.rounded(node) for node in nodes]
        at = [numbers.mpc(a, numbers.rounded(b)) for a, b in zip(real, imaginary, strict=True)] if imaginary else real
        return [_called(f, node) for node in at]


def _called(f: Any, node: Any) -> Any:
    try:
        return +node.context.convert(f(node))
    except Exception:  # noqa: BLE001  (mpmath raises anything where f has no value)
        return node.context.nan


def _exact(value: Any) -> Fraction | None:
    if isinstance(value, np.floating):
        return exact_float(value) if np.isfinite(value) else None
    return exact_mpf(value) if value.context.isfinite(value) and is_moderate(value) else None
