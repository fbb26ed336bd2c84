"""Profiles of contestants: do their error estimates hold, how near do they come to the best, at what price.

Everything but calibration takes one answer a contestant and problem. A contestant that was swept over epsilon answers
with the cell at the largest epsilon whose running-median error is least, which its user would not know.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.analysis.outcomes import (
    ANSWERED,
    FAILURES,
    OUTCOMES,
    Case,
    answers,
    count_outcomes,
    known,
    median,
    problem_of,
)
from diffbench.rounding import finite

Array = npt.NDArray[Any]

UNTAGGED = "untagged"

LEVELS = 10.0 ** (np.arange(-32, 65) / 8)
"""Multiples of an error estimate, 10⁻⁴ to 10⁸."""

RATIOS = 10.0 ** (np.arange(129) / 8)
"""Multiples of the least error of any contestant, 1 to 10¹⁶."""

DIGITS = np.arange(17.0)

CALIBRATION_CRITERION = (
    "over the answers that could be judged; coverage: share of the error estimates with |error| ≤ estimate + 1 ulp, a "
    "unit in the last place of the exact derivative; sharpness: median of estimate / |error|, errors below half an ulp "
    "count as half an ulp; worst understatement: largest |error| / estimate, and estimates of 0: both of errors "
    "above 1 ulp only"
)

CLASS_CRITERION = (
    "by class of functions, derivative and dtype; ranked by the share of right answers, then by their median digits; "
    "who is level on both shares a rank; problems that could not be judged are left out"
)


class Curve(NamedTuple):
    """A share of a contestant's cases that rises or falls with something.

    Attributes
    ----------
    library, package : str
        The contestant.
    at, share : array
        Where, and the share there, from 0 to 1.
    cases : int
        Of how many.
    """

    library: str
    package: str
    at: Array
    share: Array
    cases: int


def class_of(case: Case) -> str:
    """Return the class of a case's function: its first tag."""
    return case.tags[0] if case.tags else UNTAGGED


GROUPS: dict[str, Callable[[Case], Any]] = {
    "class": class_of,
    "derivative": lambda case: case.derivative,
    "dtype": lambda case: case.dtype,
    "noise": lambda case: case.noise,
}
"""What calibration can be told apart by."""


def _by_library(cases: Iterable[Case]) -> dict[tuple[str, str], list[Case]]:
    """Return the cases of each contestant, in the order in which they come."""
    found: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        found.setdefault((case.library, case.package), []).append(case)
    return found


def _sizes(cases: Sequence[Case]) -> tuple[Array, Array]:
    """Return |error| and the unit in the last place of each case."""
    return np.abs([case.error for case in cases]), np.array([case.ulp for case in cases])


def _floored(cases: Sequence[Case]) -> Array:
    """Return |error|, not below half a unit in the last place, and not 0: half the least number is none."""
    error, ulp = _sizes(cases)
    return np.maximum(error, np.maximum(ulp / 2, np.finfo(np.float64).smallest_subnormal))


def calibration_rows(cases: Iterable[Case], by: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return how well the error estimates of each contestant hold, by :data:`CALIBRATION_CRITERION`.

    Parameters
    ----------
    cases : iterable of Case
        Every cell counts, at all epsilons.
    by : sequence of str
        Names among :data:`GROUPS` that rows are told apart by, beside the library.
    """
    groups: dict[Any, list[Case]] = {}
    for case in cases:
        if case.outcome in ANSWERED:
            groups.setdefault((case.library, case.package, *(GROUPS[name](case) for name in by)), []).append(case)
    return [
        dict(zip(("library", "package", *by), key, strict=True)) | _calibration(group) for key, group in groups.items()
    ]


def _calibration(group: list[Case]) -> dict[str, Any]:
    given = _with_estimate(group)
    estimate = np.array([case.error_estimate for case in given])
    error, ulp = _sizes(given)
    wrong = error > ulp
    stated = wrong & (estimate > 0)
    with np.errstate(over="ignore"):
        covered = error <= estimate + ulp
        ratio, understatement = estimate / _floored(given), error[stated] / estimate[stated]
    return {
        "cells": len(group),
        "estimates": len(given),
        "missing": len(group) - len(given),
        "coverage": float(covered.mean()) if given else None,
        "sharpness": finite(median(ratio)),
        "worst_understatement": finite(understatement.max()) if understatement.size else None,
        "zero_estimates": int(np.count_nonzero(wrong & (estimate == 0))),
    }


def _with_estimate(cases: Iterable[Case]) -> list[Case]:
    return [case for case in cases if case.outcome in ANSWERED and case.error_estimate >= 0]


def reliability(cases: Iterable[Case]) -> list[Curve]:
    """Return the share of each contestant's error estimates with |error| ≤ t × estimate + 1 ulp, at :data:`LEVELS` t.

    At 1 it is the coverage. Contestants without estimates have no curve.
    """
    return [_reliability(*key, group) for key, group in _by_library(_with_estimate(cases)).items()]


def _reliability(library: str, package: str, cases: list[Case]) -> Curve:
    error, ulp = _sizes(cases)
    estimate = np.array([case.error_estimate for case in cases])
    with np.errstate(over="ignore"):
        covered = error <= LEVELS[:, None] * estimate + ulp
    return Curve(library, package, LEVELS, covered.mean(axis=1), len(cases))


def performance_profile(cases: Iterable[Case]) -> list[Curve]:
    """Return the share of problems that each contestant solves to within :data:`RATIOS` of the least error of any.

    A problem is a function, derivative, dtype and point that could be judged for all contestants. Errors below half a
    unit in the last place count as that half; a contestant without an answer is infinitely far away.

    References
    ----------
    E. D. Dolan, J. J. Moré, Benchmarking optimization software with performance profiles, Math. Program. 91 (2002)
    201-213.
    """
    groups = _by_library(answers(cases))
    errors = _common_errors(list(groups.values()))
    with np.errstate(invalid="ignore", over="ignore"):
        ratios = errors / errors.min(axis=0, initial=np.inf)
    # Where nobody has an answer the ratio is ∞/∞, and nobody solves the problem.
    return [
        Curve(*key, RATIOS, _share(own <= RATIOS[:, None]), own.size) for key, own in zip(groups, ratios, strict=True)
    ]


def _common_errors(groups: list[list[Case]]) -> Array:
    """Return the errors of each contestant on the problems that could be judged for all, (S, problems)."""
    judged = [{problem_of(case): case for case in group if case.outcome != "not judged"} for group in groups]
    common = [problem for problem in judged[0] if all(problem in own for own in judged)] if judged else []
    errors = [_floored([own[problem] for problem in common]) for own in judged]
    return np.array([np.where(np.isnan(own), np.inf, own) for own in errors]).reshape(len(groups), len(common))


def _share(met: Array) -> Array:
    """Return the share of true values in each row; 0 of none."""
    return np.asarray(met.sum(axis=1) / max(met.shape[1], 1))


def ecdf(cases: Iterable[Case]) -> list[Curve]:
    """Return the share of each contestant's answers with at least 0 … 16 digits.

    A contestant without an answer has fewer digits than any number; what could not be judged and derivatives that are
    0, which have no digits, are left out.
    """
    found = {key: _digits(group, missing=-np.inf) for key, group in _by_library(answers(cases)).items()}
    return [Curve(*key, DIGITS, _share(digits >= DIGITS[:, None]), digits.size) for key, digits in found.items()]


def _digits(cases: Iterable[Case], *, missing: float) -> Array:
    """Return the digits of cases whose derivative is not 0, with a number for those without an answer."""
    judged = [case for case in cases if case.outcome in ANSWERED + FAILURES and case.reference != 0]
    return known(missing if case.outcome in FAILURES else case.digits for case in judged)


def work_precision(cases: Iterable[Case]) -> list[dict[str, Any]]:
    """Return what each contestant spends and what it gets for it.

    Columns: cases whose derivative is not 0, how many of them have no answer, evaluations (median over the answers),
    and the quartiles of the digits, where no answer counts as 0 digits.
    """
    return [_work(*key, group) for key, group in _by_library(answers(cases)).items()]


def _work(library: str, package: str, group: list[Case]) -> dict[str, Any]:
    judged = [case for case in group if case.outcome in ANSWERED + FAILURES and case.reference != 0]
    digits = _digits(group, missing=0.0)
    low, middle, high = np.quantile(digits, (0.25, 0.5, 0.75)).tolist() if digits.size else (None, None, None)
    return {
        "library": library,
        "package": package,
        "cells": len(judged),
        "failed": sum(case.outcome in FAILURES for case in judged),
        "evaluations": median(known(case.evaluations for case in judged if case.outcome in ANSWERED)),
        "digits_low": low,
        "digits": middle,
        "digits_high": high,
    }


def ranking_rows(cases: Iterable[Case]) -> list[dict[str, Any]]:
    """Return the contestants in each class of functions, derivative and dtype, by :data:`CLASS_CRITERION`."""
    groups: dict[Any, list[Case]] = {}
    for case in answers(cases):
        if case.outcome != OUTCOMES[-1]:
            key = class_of(case), case.derivative, case.dtype, case.library
            groups.setdefault(key, []).append(case)
    rows = sorted((_class_row(group) for group in groups.values()), key=_class_order)
    for _, ranked in groupby(rows, key=_field):
        _give_ranks(list(ranked))
    return rows


def _class_row(group: list[Case]) -> dict[str, Any]:
    counts = count_outcomes(group)
    del counts["not_judged"]
    return {
        "rank": 0,
        "class": class_of(group[0]),
        "derivative": group[0].derivative,
        "dtype": group[0].dtype,
        "library": group[0].library,
        "package": group[0].package,
        "cells": len(group),
        "right_share": counts["right"] / len(group),
        "digits": median(known(case.digits for case in group if case.outcome in ANSWERED)),
        **counts,
    }


def _field(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["class"], row["derivative"], row["dtype"]


def _merit(row: dict[str, Any]) -> tuple[float, float]:
    """Return what contestants are ranked by, less is better."""
    return -row["right_share"], np.inf if row["digits"] is None else -row["digits"]


def _class_order(row: dict[str, Any]) -> tuple[Any, ...]:
    return *_field(row), *_merit(row), row["library"]


def _give_ranks(rows: list[dict[str, Any]]) -> None:
    """Give rows that are in order their ranks, those of equal merit the same."""
    merits = [_merit(row) for row in rows]
    for row, merit in zip(rows, merits, strict=True):
        row["rank"] = merits.index(merit) + 1
