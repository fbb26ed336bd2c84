"""Formulas and costs of models computed by JAX or torch on the CPU, arrays of numpy in and out.

This is what their gradient checkers see.

f is called with arrays of one size only. JAX compiles every operation anew for each size, and torch takes other code
for what is left behind the last whole vector of an array, with other bits: no value may depend on its neighbours.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import InputError, UnsupportedError, nearest
from diffbench.functions.grammar import Formula
from diffbench.functions.models import Model, array_operations, places_of
from diffbench.functions.namespaces import check_analytic, evaluate_in, modules
from diffbench.functions.tape import Step
from diffbench.rounding import round_array

Array = npt.NDArray[Any]

NUMPY = "numpy"
FRAMEWORKS = ("jax", "torch")
EVALUATORS = (NUMPY, *FRAMEWORKS)
"""What can compute f."""

PIECE = 4096
"""So many numbers at once: whole vectors of any processor, and too few for torch to share them between threads."""

COLUMNS = 32
"""So many values of a parameter at once: those of all samples are what PIECE numbers are, for 1000 samples too."""


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
    if np.dtype(dtype).kind == "c":
        check_analytic(formula)
    framework = _framework(evaluator, _real(dtype))
    with framework.computing():
        evaluate = evaluate_in(formula, evaluator, _real(dtype))

    def piece(x: Array) -> Array:
        with framework.computing():
            return framework.taken(evaluate(framework.given(x)))

    return _in_pieces(evaluator, piece)


@lru_cache(maxsize=4096)
def compile_cost(model: Model, parameter: int, evaluator: str, dtype: str) -> Callable[[Array], Array]:
    """Return the cost of a model along one parameter, the others being the model's own, as a framework computes it.

    Parameters
    ----------
    model, parameter : Model, int
        Whose cost it is, and which parameter the arrays hold.
    evaluator, dtype : str
        As for :func:`compile_in`.

    Raises
    ------
    UnsupportedError
        If the framework is not installed; what it has not in the dtype shows when it is called.
    """
    framework = _framework(evaluator, _real(dtype))
    table, places = array_operations(framework.xp), places_of(model)[parameter]

    def piece(x: Array) -> Array:
        with framework.computing():
            own = _own_values(model, evaluator, _real(dtype))
            cost = model.tape.along(parameter, framework.given(x.reshape(1, -1)), own, table, places)
            return framework.taken(cost).ravel()

    return _in_pieces(evaluator, piece, COLUMNS)


@lru_cache(maxsize=8)
def _own_values(model: Model, evaluator: str, dtype: str) -> list[Any]:
    """Return what all steps of a tape give at the model's own parameters, (N, 1) or (1, 1)."""
    framework = _framework(evaluator, dtype)
    parameters = [framework.given(number.reshape(1, 1)) for number in round_array(model.parameters, dtype)]

    def constant(step: Step) -> Any:
        return framework.given(round_array(step.data, dtype)[:, None])

    return model.tape.values(parameters, constant, array_operations(framework.xp))


def _real(dtype: str) -> str:
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


@dataclass(frozen=True)
class _Framework:
    """How a framework computes: its operations, arrays of numpy into it and out of it, and within what."""

    xp: Any
    given: Callable[[Array], Any]
    taken: Callable[[Any], Array]
    computing: Callable[[], AbstractContextManager[Any]] = nullcontext


@lru_cache(maxsize=16)
def _framework(evaluator: str, dtype: str) -> _Framework:
    return _FRAMEWORKS[evaluator](dtype)


def _jax(dtype: str) -> _Framework:
    jax, xp = modules("jax", "numpy")

    @contextmanager
    def computing() -> Iterator[None]:
        # Both belong to this thread, and end with the block.
        with jax.enable_x64(dtype == "float64"), jax.default_device(jax.devices("cpu")[0]):
            yield

    return _Framework(xp, xp.asarray, np.asarray, computing)


def _torch(_: str) -> _Framework:
    (torch,) = modules("torch")
    standard = modules("array_api_compat", "torch")[1]

    def given(x: Array) -> Any:
        # numpy has its bfloat16 from ml_dtypes, of which torch knows nothing but the bits.
        is_narrow = x.dtype.name == "bfloat16"
        return torch.from_numpy(x.view(np.int16)).view(torch.bfloat16) if is_narrow else torch.from_numpy(x)

    def taken(tensor: Any) -> Array:
        if tensor.dtype == torch.bfloat16:
            values: Array = tensor.contiguous().view(torch.int16).numpy().view("bfloat16")
            return values
        return np.asarray(tensor.resolve_conj().numpy())

    return _Framework(standard, given, taken)


_FRAMEWORKS: Mapping[str, Callable[[str], _Framework]] = {"jax": _jax, "torch": _torch}


def _in_pieces(framework: str, piece: Callable[[Array], Array], size: int = PIECE) -> Callable[[Array], Array]:
    """Return a function of arrays of any size from one of arrays of one size."""

    def function(x: Array) -> Array:
        count = max(1, -(-x.size // size))
        filled = np.ones(count * size, dtype=x.dtype)
        filled[: x.size] = x.ravel()
        try:
            values = [np.broadcast_to(piece(part), size) for part in filled.reshape(count, size)]
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
