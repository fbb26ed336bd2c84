"""The gate: a run against a baseline. Every cell is accounted for, and every broken rule is a sentence.

Curves are paired by name, and what stands behind the names is compared first. On the platform that a baseline was
accepted on, with the same code that evaluates f, estimates must have the same bits. Elsewhere no curve may lose more
than a part of a digit at its optimal epsilon or at the epsilons of step rules, and no cell may rise above the scatter
of its curve. Everywhere curves keep their truncation and stay under the ceiling that the error model gives them, orders
stay as they were observed, and f is not evaluated more often.
"""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.analysis.baseline import HALF_AN_ULP, Baseline, CurveName, baseline_of
from diffbench.analysis.judgement import (
    NOT_COMPARABLE,
    REGRESSION,
    STALE,
    UNCERTAIN,
    Finding,
    Judgement,
    gravest_first,
)
from diffbench.analysis.pairing import TRANSITIONS, Pairs, by
from diffbench.errors import EmptySelectionError, NotComparableError
from diffbench.rounding import unit_roundoff
from diffbench.sweep.bounds import Override
from diffbench.sweep.results import Results, Status

Array = npt.NDArray[Any]

ACCEPT = "if that is meant, accept the run as the new baseline"

_UNSETTLED = ("", "uncertain")

ONE_DIGIT = 0.05
"""An error of so much over u units in the last place, half a tenth of 1/u, leaves one correct digit."""


def check(
    results: Results, baseline: Baseline, only: Sequence[str] = (), overrides: tuple[Override, ...] | None = None
) -> Judgement:
    """Judge a run by a baseline.

    Parameters
    ----------
    results : Results
        A run that kept its cells.
    baseline : Baseline
        What it must not fall behind.
    only : sequence of str
        Globs; where there are any, only curves are judged whose function or scheme one of them matches.
    overrides : tuple of Override, optional
        Other bounds than the default ones; by default those of the spec of the run.

    Raises
    ------
    EmptySelectionError
        If nothing is left to judge.
    NotComparableError
        If the baseline is of another suite.

    Examples
    --------
    >>> from diffbench import Spec, run
    >>> results = run(Spec("lab"))
    >>> check(results, baseline_of(results)).reason
    'passed: 21 cells compared with lab, the same platform: bits, no rule broken'
    """
    return judge(baseline, baseline_of(results), only, overrides)


def judge(
    before: Baseline, after: Baseline, only: Sequence[str] = (), overrides: tuple[Override, ...] | None = None
) -> Judgement:
    """Judge what is kept of a run by a baseline; parameters and errors as for `check`."""
    _check_suites(before, after)
    before, after = (_selected(each, only) for each in (before, after))
    if not after.names and not before.names:
        raise EmptySelectionError(f"only: nothing is selected, no function or scheme is called {', '.join(only)}")
    pairs = Pairs(before, after, after.gate if overrides is None else overrides)
    findings = [*_missing(pairs), *_redefined(pairs), *(each for rule in RULES for each in _summed(rule, pairs))]
    suite = before.about["suite"] or "a run"
    return Judgement(
        subject=after.about["suite"] or suite,
        baseline=f"{suite}, {pairs.method}",
        groups=pairs.groups,
        findings=gravest_first(findings),
        properties={
            "curves": len(after.names),
            "cells": after.cells_of(after.names),
            "platform": after.about["platform"],
            "baseline platform": before.about["platform"],
            **{name: after.about["versions"][name] for name in ("diffbench", "numpy", "scipy")},
        },
    )


def _selected(found: Baseline, only: Sequence[str]) -> Baseline:
    if not only:
        return found
    return found.some(
        [
            row
            for row, name in enumerate(found.names)
            if any(fnmatchcase(called, glob) for called in (name.function, name.scheme) for glob in only)
        ]
    )


def _check_suites(before: Baseline, after: Baseline) -> None:
    suites = before.about["suite"], after.about["suite"]
    common = {name.function for name in before.names} & {name.function for name in after.names}
    if (all(suites) and suites[0] != suites[1]) or not common:
        ours = f"of the suite {suites[1]}" if suites[1] else "of other functions"
        raise NotComparableError(f"baseline: it is of the suite {suites[0] or '(none)'}, the run is {ours}")


# what is missing or means something else ------------------------------------------------------------------------------


def _missing(pairs: Pairs) -> Iterator[Finding]:
    """Yield what the baseline has and the run has not: step rules, functions, schemes, and curves besides."""
    before, after = pairs.before, pairs.after
    for rule in before.rules:
        if rule not in after.rules:
            yield Finding(STALE, "vanished", "", f"the step rule {rule} is not in the run any more; {ACCEPT}")
    gone = [name for name in before.names if name not in after.rows]
    for what, key in _KINDS:
        there = {key(name) for name in after.names}
        for value, own in by(gone, key).items():
            if value not in there:
                gone = [name for name in gone if key(name) != value]
                yield _vanished(pairs, what, value, own)
    if gone:
        value = f"{_place(gone[0])} of {gone[0].scheme}"
        yield _vanished(pairs, "curve", value if len(gone) == 1 else f"{value}, and {len(gone) - 1} more,", gone)


_KINDS: tuple[tuple[str, Callable[[CurveName], str]], ...] = (
    ("function", lambda name: name.function),
    ("scheme", lambda name: name.scheme),
)


def _vanished(pairs: Pairs, what: str, value: str, names: list[CurveName]) -> Finding:
    """Return what is said of a function, scheme or curve that is gone, or has another name."""
    before, after = pairs.before, pairs.after
    cells, group = before.cells_of(names), "" if what == "function" else names[0].scheme
    meaning = before.definition[before.rows[names[0]]]
    twins = [
        name
        for name, definition in zip(after.names, after.definition, strict=True)
        if definition == meaning and name not in before.rows and name.point == names[0].point
    ]
    if twins and what != "curve":
        new = dict(_KINDS)[what](twins[0])
        sentence = f"the {what} {value} is called {new} now, with the same definition; {ACCEPT}"
        return Finding(STALE, "renamed", group, sentence, cells)
    return Finding(
        STALE, "vanished", group, f"the {what} {value} is not in the run any more ({cells} cells); {ACCEPT}", cells
    )


def _redefined(pairs: Pairs) -> Iterator[Finding]:
    """Yield what has the name of another thing in the baseline: a function in all its curves, or else schemes."""
    same = pairs.has_same_definition
    changed = [name for name, is_same in zip(pairs.names, same, strict=True) if not is_same]
    every = by(pairs.names, lambda name: name.function)
    for function, own in by(changed, lambda name: name.function).items():
        if len(own) == len(every[function]):
            changed = [name for name in changed if name.function != function]
            yield _not_comparable(pairs, f"the function {function} has another formula, noise, x or epsilon", own, "")
    for scheme, own in by(changed, lambda name: name.scheme).items():
        what = f"{scheme} has other nodes or weights, or {own[0].function} another x,"
        yield _not_comparable(pairs, what, own, scheme)


def _not_comparable(pairs: Pairs, what: str, names: list[CurveName], group: str) -> Finding:
    cells = pairs.after.cells_of(names)
    sentence = f"{what} than in the baseline, {cells} cells cannot be compared; {ACCEPT}"
    return Finding(NOT_COMPARABLE, "definition", group, sentence, cells)


# the rules ------------------------------------------------------------------------------------------------------------


class Broken(NamedTuple):
    """A curve that breaks a rule.

    Attributes
    ----------
    row : int
        Which curve of those in common.
    size : float
        By how much, to find the worst one.
    detail : str
        Both values.
    cells : int
        How many of its cells do.
    """

    row: int
    size: float
    detail: str
    cells: int = 1


class Rule(NamedTuple):
    """What must be true of every curve.

    Attributes
    ----------
    name : str
        In a word or two.
    exit_code : int
        What it means where it is broken.
    what : str
        What is wrong then, in words that "in 3 cells" may follow.
    unit : str
        ``cells`` or ``curves``.
    broken : callable
        Yields the curves that break it.
    """

    name: str
    exit_code: int
    what: str
    unit: str
    broken: Callable[[Pairs], Iterator[Broken]]


def _summed(rule: Rule, pairs: Pairs) -> Iterator[Finding]:
    """Yield a finding for each scheme, derivative and dtype that breaks a rule, with the worst curve."""
    groups: dict[tuple[str, int, str], list[Broken]] = {}
    for each in rule.broken(pairs):
        name = pairs.names[each.row]
        groups.setdefault((name.scheme, name.derivative, name.dtype), []).append(each)
    for (scheme, derivative, dtype), own in groups.items():
        worst = max(own, key=lambda each: each.size)
        number = sum(each.cells for each in own) if rule.unit == "cells" else len(own)
        count = f"{number} {rule.unit if number > 1 else rule.unit[:-1]}"
        where = f"{'most of all' if len(own) > 1 or number > 1 else 'it is'} {_place(pairs.names[worst.row])}"
        sentence = f"{scheme}, derivative {derivative}, {dtype}: {rule.what} in {count}; {where}, {worst.detail}"
        if rule.exit_code == STALE:
            sentence += f"; {ACCEPT}"
        yield Finding(rule.exit_code, rule.name, scheme, sentence, number)


def _place(name: CurveName) -> str:
    return f"{name.function} at point {name.point}"


def _other_bits(pairs: Pairs) -> Iterator[Broken]:
    if not pairs.is_exact:
        return
    for row in np.flatnonzero(pairs.is_judged & ~pairs.has_same_bits):
        counts = [np.count_nonzero(pairs.transition[row] == TRANSITIONS.index(word)) for word in ("worse", "better")]
        detail = f"where {counts[0]} cells are worse and {counts[1]} better by a quarter-binade or more"
        yield Broken(int(row), float(counts[0]), detail)


def _worse_cells(pairs: Pairs) -> Iterator[Broken]:
    yield from _worse(pairs, lambda label: not isinstance(label, str), "quarters")


def _worse_at_rules(pairs: Pairs) -> Iterator[Broken]:
    yield from _worse(pairs, lambda label: isinstance(label, str), "usual")


def _worse(pairs: Pairs, is_meant: Callable[[int | str | None], bool], bound: str) -> Iterator[Broken]:
    """Yield the curves that have cells above the scatter, on another platform; on the same one bits are compared."""
    if pairs.is_exact:
        return
    meant = np.array([is_meant(label) for label in pairs.labels])
    worse = (pairs.transition == TRANSITIONS.index("worse")) & meant
    before, after = pairs.cells("quarters")
    beyond = np.where(worse, after - pairs.highest, -1.0)
    for row in np.flatnonzero(worse.any(axis=1)):
        column = int(beyond[row].argmax())
        limit = getattr(pairs.bounds[row], bound)
        allowed = f"{limit:g} {'quarter-binades' if bound == 'quarters' else 'digits'} above its scatter are allowed"
        detail = f"{_label(pairs, column)}: {_ulps(before[row, column])} became {_ulps(after[row, column])} ({allowed})"
        yield Broken(int(row), float(beyond[row, column]), detail, int(np.count_nonzero(worse[row])))


def _with(transition: str, is_meant: Callable[[Array], Array] | None = None) -> Callable[[Pairs], Iterator[Broken]]:
    """Return a function that yields the curves with cells of a transition, whose new status is meant."""

    def broken(pairs: Pairs) -> Iterator[Broken]:
        before, after = pairs.cells("status")
        found = pairs.transition == TRANSITIONS.index(transition)
        if is_meant is not None:
            found &= is_meant(after)
        for row in np.flatnonzero(found.any(axis=1)):
            column = int(found[row].argmax())
            was, became = (Status(status[row, column]).label for status in (before, after))
            count = int(np.count_nonzero(found[row]))
            yield Broken(int(row), count, f"{_label(pairs, column)}: {was} became {became}", count)

    return broken


def _worse_optimum(pairs: Pairs) -> Iterator[Broken]:
    if pairs.is_exact:
        return
    before, after = pairs.numbers("optimum")
    with np.errstate(all="ignore"):
        lost = np.log10(after / np.fmax(before, 2.0 ** (pairs.least_bound / 4)))
    for row in np.flatnonzero(pairs.is_judged & np.isfinite(before) & (lost > pairs.bound("optimum"))):
        limit = pairs.bounds[row].optimum
        detail = f"{before[row]:.3g} ulp became {after[row]:.3g} ulp ({limit:g} digits are allowed)"
        yield Broken(int(row), float(lost[row]), detail)


def _over_the_ceiling(pairs: Pairs) -> Iterator[Broken]:
    expected, after = pairs.numbers("expected")[0], pairs.numbers("optimum")[1]
    with np.errstate(all="ignore"):
        behind = np.log10(after / np.maximum(expected, HALF_AN_ULP))
    # Of a curve that has no correct digit by theory nothing more is to be expected.
    hopeful = expected < [ONE_DIGIT / unit_roundoff(name.dtype) for name in pairs.names]
    for row in np.flatnonzero(pairs.is_judged & hopeful & (behind > pairs.bound("ceiling"))):
        limit = pairs.bounds[row].ceiling
        detail = f"{after[row]:.3g} ulp where theory expects {expected[row]:.3g} ulp ({limit:g} digits are allowed)"
        yield Broken(int(row), float(behind[row]), detail)


def _worse_truncation(pairs: Pairs) -> Iterator[Broken]:
    before, after = pairs.numbers("truncation")
    lost = (after - before) * np.log10(2)
    for row in np.flatnonzero(pairs.is_judged & (lost > pairs.bound("truncation"))):
        limit = pairs.bounds[row].truncation
        yield Broken(int(row), float(lost[row]), f"{lost[row]:.3g} digits on average ({limit:g} are allowed)")


def _other_order(pairs: Pairs, *, is_uncertain: bool) -> Iterator[Broken]:
    for row in np.flatnonzero(pairs.is_judged):
        name = pairs.names[row]
        was, became = (each.order[each.rows[name]] for each in (pairs.before, pairs.after))
        if was not in _UNSETTLED and became not in ("", was) and (became == "uncertain") == is_uncertain:
            yield Broken(int(row), 1.0, f"{was} became {became}")


def _more_evaluations(pairs: Pairs) -> Iterator[Broken]:
    columns = [[0, *(1 + each.rules.index(rule) for rule in pairs.rules)] for each in (pairs.before, pairs.after)]
    before, after = (own[:, column] for own, column in zip(pairs.numbers("evaluations"), columns, strict=True))
    more = np.where(pairs.is_judged[:, None], after - before, 0)
    for row in np.flatnonzero((more > 0).any(axis=1)):
        column = int(more[row].argmax())
        detail = f"{before[row, column]} evaluations became {after[row, column]}"
        yield Broken(int(row), float(more[row, column]), detail)


RULES = (
    Rule("bits", REGRESSION, "other bits than those accepted on this platform", "curves", _other_bits),
    Rule("cell", REGRESSION, "worse than the scatter of the curve allows", "cells", _worse_cells),
    Rule("step rule", REGRESSION, "worse at the epsilon of a step rule", "cells", _worse_at_rules),
    Rule("status", REGRESSION, "not ok any more", "cells", _with("ok to not ok")),
    Rule("status", REGRESSION, "failing", "cells", _with("other status", lambda new: new == Status.FAILED)),
    Rule("status", STALE, "another status", "cells", _with("other status", lambda new: new != Status.FAILED)),
    Rule("status", STALE, "ok for the first time", "cells", _with("not ok to ok")),
    Rule("reference", UNCERTAIN, "an uncertain reference in the place of a settled one", "cells", _with("uncertain")),
    Rule("optimum", REGRESSION, "digits lost at the optimal epsilon", "curves", _worse_optimum),
    Rule("truncation", REGRESSION, "digits lost in the truncation", "curves", _worse_truncation),
    Rule("ceiling", REGRESSION, "worse than theory lets it be", "curves", _over_the_ceiling),
    Rule(
        "order", REGRESSION, "another observed order", "curves", lambda pairs: _other_order(pairs, is_uncertain=False)
    ),
    Rule(
        "order", UNCERTAIN, "no observed order any more", "curves", lambda pairs: _other_order(pairs, is_uncertain=True)
    ),
    Rule("evaluations", REGRESSION, "more evaluations of f", "curves", _more_evaluations),
)


def _label(pairs: Pairs, column: int) -> str:
    label = pairs.labels[column]
    return f"epsilon {label}" if isinstance(label, int) else f"rule {label}" if label else "its own epsilon"


def _ulps(quarters: int) -> str:
    if quarters > _COUNTABLE:
        return "more than 1e77 ulp (of a derivative that is 0, or next to it)"
    return f"{2.0 ** (int(quarters) / 4):.3g} ulp"


_COUNTABLE = 4 * 256
