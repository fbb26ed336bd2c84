"""Regret: digits that a step rule loses against the oracle, by rule and class of function."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.sweep.curves import Curves
from diffbench.sweep.results import Results

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

EVERY = "all"
"""Stands for every scheme that a rule serves, and for every function."""

REGRET_CRITERION = (
    "digits lost: those at the optimal epsilon less those at the epsilon that the rule chose, over the curves of the "
    "schemes that it serves whose optimal epsilon has digits; evaluations: the rule's own, median; failed: by its own "
    "account; without digits: no estimate at its epsilon, or none chosen"
)


class _Key(NamedTuple):
    derivative: int
    dtype: str
    scheme: str
    tag: str
    rule: str


class _Curves(NamedTuple):
    """Some curves at a rule's epsilon, arrays of one axis."""

    lost: Array
    evaluations: Array
    failed: Array


def regret(results: Results) -> "pd.DataFrame":
    """Return the regret of every step rule.

    One row for each derivative × dtype × scheme × class × rule. A class is a tag of functions; scheme and class may be
    ``all``. Columns: curves, digits lost (median, 90 %, worst; below 0 where a rule beats the oracle, which is no lucky
    cell), the rule's own evaluations (median), how often it failed by its own account, and curves without digits.

    Examples
    --------
    >>> from diffbench import Spec, run
    >>> frame = regret(run(Spec(["exp", "sin"], ["forward-1"], rules=["fixed(1e-6)", "fixed(1e-3)"])))
    >>> chosen = frame[(frame["scheme"] == "all") & (frame["class"] == "all")].set_index("rule")
    >>> chosen["lost_median"].astype(float).round().to_dict()
    {'fixed(1e-6)': 2.0, 'fixed(1e-3)': 5.0}
    """
    import pandas as pd

    return pd.DataFrame(regret_rows(results.curves)).convert_dtypes(dtype_backend="pyarrow")


def regret_rows(curves: Iterable[Curves]) -> list[dict[str, Any]]:
    """Return the regret as rows, in the order in which rules, schemes and tags come."""
    found: dict[_Key, list[_Curves]] = {}
    for part in curves:
        for key, some in _of_part(part):
            found.setdefault(key, []).append(some)
    rows = [_row(key, some) for key, some in found.items()]
    return [row for row in rows if row["curves"]]


def _of_part(part: Curves) -> Iterator[tuple[_Key, _Curves]]:
    lost = part.oracle_digits[..., None] - part.rule_digits
    counted = ~np.isnan(part.oracle_digits)[..., None] & ~np.isnan(part.rule_evaluations)
    for i, rule in enumerate(part.rules):
        for s, scheme in enumerate((EVERY, *part.schemes)):
            place = (slice(None), slice(None), i) if scheme == EVERY else (s - 1, slice(None), i)
            where = counted[place]
            some = _Curves(*(each[place][where] for each in (lost, part.rule_evaluations, part.rule_failures)))
            for tag in (EVERY, *part.tags):
                yield _Key(part.derivative, part.dtype, scheme, tag, rule), some


def _row(key: _Key, some: list[_Curves]) -> dict[str, Any]:
    lost, evaluations, failed = (np.concatenate(each) for each in zip(*some, strict=True))
    known = lost[~np.isnan(lost)]
    return {
        "derivative": key.derivative,
        "dtype": key.dtype,
        "scheme": key.scheme,
        "class": key.tag,
        "rule": key.rule,
        "curves": lost.size,
        "lost_median": float(np.median(known)) if known.size else None,
        "lost_90": float(np.quantile(known, 0.9)) if known.size else None,
        "lost_worst": float(known.max()) if known.size else None,
        "evaluations": float(np.median(evaluations)) if evaluations.size else None,
        "failed": int(np.count_nonzero(failed)),
        "without_digits": lost.size - known.size,
    }
