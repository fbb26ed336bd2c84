"""What is left of the default steps of packages in each dtype: how often they are all wrong, and how many digits."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import EmptySelectionError
from diffbench.schemes.published_steps import PUBLISHED_RULES, PUBLISHED_STEPS, PublishedStep
from diffbench.sweep.curves import Curves
from diffbench.sweep.results import Results

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

PUBLISHED_CRITERION = (
    "over the functions and points at which the scheme has digits at its optimal ε at all; 100 % wrong: the error is "
    "as large as the derivative, or there is no estimate, since ε rounds to 0; wholly wrong: so at every point of the "
    "function; digits: median, fewer than 0 are none"
)


def published_steps(results: Results) -> "pd.DataFrame":
    """Return what is left of the default steps of packages, a row for each default and dtype.

    Parameters
    ----------
    results : Results
        A run with the rules of :data:`diffbench.schemes.published_steps.PUBLISHED_RULES`, or some of them.

    Examples
    --------
    >>> from diffbench import Spec, run
    >>> spec = Spec(["exp", "sin"], ["forward-1"], rules="published", dtypes=["float32", "float64"])
    >>> frame = published_steps(run(spec)).query("rule == 'fixed(2^-26)'")
    >>> frame[["dtype", "wrong", "problems"]].values.tolist()
    [['float32', 6, 8], ['float64', 0, 8]]
    """
    import pandas as pd

    return pd.DataFrame(published_step_rows(results)).convert_dtypes(dtype_backend="pyarrow")


def published_step_rows(results: Results) -> list[dict[str, Any]]:
    """Return the same as rows: the dtypes of a default one after the other.

    Raises
    ------
    EmptySelectionError
        If the run has none of the defaults.
    """
    dtypes = dict.fromkeys(part.dtype for part in results.curves)
    rows = [row for step in PUBLISHED_STEPS for dtype in dtypes for row in _rows(step, dtype, results)]
    if not rows:
        raise EmptySelectionError("table: the run has no default step of a package; --rule published measures them")
    return rows


def has_published_steps(results: Results) -> bool:
    """Return whether a run has all of the defaults' rules."""
    known = {rule for part in results.curves for rule in part.rules}
    return {rule.name for rule in PUBLISHED_RULES} <= known


def _rows(step: PublishedStep, dtype: str, results: Results) -> Iterator[dict[str, Any]]:
    name = step.rule.name
    own = [
        part
        for part in results.curves
        if (part.dtype, part.derivative) == (dtype, 1) and name in part.rules and step.scheme in part.schemes
    ]
    if not own:
        return
    found = [(part.function, *_digits(part, step.scheme, name)) for part in own]
    best, digits = (np.concatenate([each[i] for each in found]) for i in (1, 2))
    functions: dict[str, list[Array]] = {}
    for function, _, values in found:
        functions.setdefault(function, []).append(values)
    judged = [np.concatenate(values) for values in functions.values() if sum(map(len, values))]
    yield {
        "step": step.name,
        "scheme": step.scheme,
        "rule": name,
        "dtype": dtype,
        "functions": len(judged),
        "wholly_wrong": sum(bool((values <= 0).all()) for values in judged),
        "problems": digits.size,
        "wrong": int(np.count_nonzero(digits <= 0)),
        "digits": float(np.median(digits)) if digits.size else None,
        "optimal_digits": float(np.median(best)) if best.size else None,
        "source": step.source,
    }


def _digits(part: Curves, scheme: str, rule: str) -> tuple[Array, Array]:
    """Return the digits of a scheme at its optimum and at a rule's epsilon, 0 where there are none."""
    s = part.schemes.index(scheme)
    best, chosen = part.oracle_digits[s], part.rule_digits[s, :, part.rules.index(rule)]
    judged = best > 0
    return best[judged], np.maximum(np.where(np.isnan(chosen), 0.0, chosen), 0.0)[judged]
