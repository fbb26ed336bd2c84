"""A formula computed by JAX or torch on the CPU, arrays of numpy in and out: what their gradient checkers see.

f is called with arrays of one size only. JAX compiles every operation anew for each size, and torch takes other code
for what is left behind the last whole vector of an array, with other bits: no value may depend on its neighbours.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import InputError, UnsupportedError, nearest
from diffbench.functions.grammar import Formula
from diffbench.functions.namespaces import check_analytic, evaluate_in, modules

Array = npt.NDArray[Any]

NUMPY = "numpy"
FRAMEWORKS = ("jax", "torch")
EVALUATORS = (NUMPY, *FRAMEWORKS)
"""What can compute f."""

PIECE = 4096
"""So many numbers at once: whole vectors of any processor, and too few for torch to share them between threads."""


def check_evaluator(name: object) -> str:
    """Return the name of an evaluator, or refuse it."""
    if name not in EVALUATORS:
        hint = nearest(str(name), EVALUATORS)
        raise InputError(f"evaluator: {str(name)[:60]!r} is not one of {', '.join(EVALUATORS)}{hint}")
    return str(name)


def why_not(evaluator: str) -> str:
    """Return why an evaluator cannot compute anything in here, or nothing."""
    try:
        for package in packages_of(evaluator):
            modules(package.replace("-", "_"))
    except UnsupportedError as error:
        return str(error)
    return ""


def packages_of(evaluator: str) -> tuple[str, ...]:
    """Return the packages whose versions the values of an evaluator depend on, beside numpy and SciPy.

    Examples
    --------
    >>> packages_of("jax")
    ('jax', 'jaxlib')
    """
    return {"jax": ("jax", "jaxlib"), "torch": ("torch", "array-api-compat")}.get(evaluator, ())


@lru_cache(maxsize=512)
def compile_in(formula: Formula, evaluator: str, dtype: str) -> Callable[[Array], Array]:
    """Return a formula as a function of arrays of numpy that a framework computes, operation by operation as written.

    Parameters
    ----------
    formula : Formula
        What to compute.
    evaluator : str
        One of :data:`FRAMEWORKS`.
    dtype : str
        Of the values, as for numpy: real, or complex for complex steps.

    Returns
    -------
    callable
        Takes an array of the dtype and returns one of its shape, in the dtype that the framework has made of it.

    Raises
    ------
    UnsupportedError
        If the framework is not installed, or has not all functions of the formula; what it has not in the dtype shows
        when it is called.
    """
    is_complex = np.dtype(dtype).kind == "c"
    if is_complex:
        check_analytic(formula)
    return _RUNNERS[evaluator](formula, {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype))


def _jax(formula: Formula, dtype: str) -> Callable[[Array], Array]:
    jax, xp = modules("jax", "numpy")
    is_wide = dtype == "float64"
    with jax.enable_x64(is_wide):
        evaluate = evaluate_in(formula, "jax", dtype)

    def piece(x: Array) -> Array:
        # Both belong to this thread, and end with the block.
        with jax.enable_x64(is_wide), jax.default_device(jax.devices("cpu")[0]):
            return np.asarray(evaluate(xp.asarray(x)))

    return _in_pieces("jax", piece)


def _torch(formula: Formula, dtype: str) -> Callable[[Array], Array]:
    (torch,) = modules("torch")
    evaluate = evaluate_in(formula, "torch", dtype)

    def piece(x: Array) -> Array:
        # numpy has its bfloat16 from ml_dtypes, of which torch knows nothing but the bits.
        if x.dtype.name != "bfloat16":
            return np.asarray(_to_numpy(torch, evaluate(torch.from_numpy(x))))
        return _to_numpy(torch, evaluate(torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)))

    return _in_pieces("torch", piece)


def _to_numpy(torch: Any, tensor: Any) -> Array:
    if tensor.dtype == torch.bfloat16:
        values: Array = tensor.contiguous().view(torch.int16).numpy().view("bfloat16")
        return values
    return np.asarray(tensor.resolve_conj().numpy())


def _in_pieces(framework: str, piece: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return a function of arrays of any size from one of arrays of PIECE numbers."""

    def function(x: Array) -> Array:
        count = max(1, -(-x.size // PIECE))
        filled = np.ones(count * PIECE, dtype=x.dtype)
        filled[: x.size] = x.ravel()
        try:
            values = [np.broadcast_to(piece(part), PIECE) for part in filled.reshape(count, PIECE)]
        except (TypeError, ValueError, RuntimeError) as error:
            raise UnsupportedError(_missing(framework, str(error), x.dtype.name)) from error
        joined: Array = np.concatenate(values)[: x.size].reshape(x.shape)
        # Without its variable a formula is real.
        return joined if joined.dtype.kind == x.dtype.kind else joined.astype(np.result_type(joined, x))

    return function


def _missing(framework: str, problem: str, dtype: str) -> str:
    """Return what a framework has not in a dtype, from what it says."""
    found = _KERNEL.search(problem)
    if found:
        return f"{framework} has no {(found[1] or found[2]).removesuffix('_cpu').removesuffix('_vml')} in {dtype}"
    return f"{framework} refuses {dtype}: {problem.partition(chr(10))[0][:200]}"


_KERNEL = re.compile(r'"(\w+)" not implemented for|^(\w+) does not accept dtype')

_RUNNERS: Mapping[str, Callable[[Formula, str], Callable[[Array], Array]]] = {"jax": _jax, "torch": _torch}
