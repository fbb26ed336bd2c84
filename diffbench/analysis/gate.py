"""The gate: a run against a baseline. Every cell is accounted for, and every broken rule is a sentence.

Curves are paired by name, and what stands behind the names is compared first. On the platform that a baseline was
accepted on, with the same code that evaluates f, estimates must have the same bits. Elsewhere no curve may lose more
than a part of a digit at its optimal epsilon or at the epsilons of step rules, and no cell may rise above the scatter
of its curve. Everywhere curves keep their truncation and stay under the ceiling that the error model gives them, orders
stay as they were observed, and f is not evaluated more often.
"""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.analysis.baseline import HALF_AN_ULP, MEANINGS, Baseline, CurveName, baseline_of
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
from diffbench.errors import EmptySelectionError, InputError, NotComparableError
from diffbench.rounding import unit_roundoff
from diffbench.sweep.bounds import Override
from diffbench.sweep.results import Results, Status, shortened

Array = npt.NDArray[Any]

ACCEPT = "if that is meant, accept the run as the new baseline"
MEND = "mend it or, if it is meant, accept the run as the new baseline"

_UNSETTLED = ("", "uncertain")

ONE_DIGIT = 0.05
"""An error of so much over u units in the last place, half a tenth of 1/u, leaves one correct digit."""


def without_advice(sentence: str) -> str:
    """Return what a finding says without what to do about it, for where that has been done.

    Examples
    --------
    >>> without_advice(f"the scheme forward-1 is not in the run any more (3 cells); {ACCEPT}")
    'the scheme forward-1 is not in the run any more (3 cells)'
    """
    return sentence.removesuffix(f"; {MEND}").removesuffix(f"; {ACCEPT}")


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
    before, after = (_selected(each, only) for each in (before, after))
    for glob in only:
        if not any(_is_meant(name, glob) for name in (*before.names, *after.names)):
            raise EmptySelectionError(f"only: nothing is selected, no function or scheme is called {glob}")
    _check_suites(before, after)
    pairs = Pairs(before, after, after.gate if overrides is None else overrides)
    notes = _notes(pairs)
    if pairs.names and pairs.is_ignored.all():
        raise EmptySelectionError("gate: every curve is ignored, nothing is judged")
    findings = [*_missing(pairs), *_redefined(pairs), *_failing(pairs)]
    findings += [each for rule in RULES for each in _summed(rule, pairs)]
    called = before.about["name"] or "a run"
    return Judgement(
        subject=after.about["name"] or called,
        baseline=f"{called}, {pairs.method}",
        groups=pairs.groups,
        findings=gravest_first(findings),
        properties={
            "curves": len(after.names),
            "cells": after.cells_of(after.names),
            "platform": after.about["platform"],
            "baseline platform": before.about["platform"],
            **{name: after.about["versions"][name] for name in ("diffbench", "numpy", "scipy")},
        },
        notes=notes,
    )


def _selected(found: Baseline, only: Sequence[str]) -> Baseline:
    if not only:
        return found
    return found.some([row for row, name in enumerate(found.names) if any(_is_meant(name, glob) for glob in only)])


def _is_meant(name: CurveName, glob: str) -> bool:
    return fnmatchcase(name.function, glob) or fnmatchcase(name.scheme, glob)


def _check_suites(before: Baseline, after: Baseline) -> None:
    suites = before.about["suite"], after.about["suite"]
    ours, theirs = (({name.function for name in each.names}, {*each.definition}) for each in (before, after))
    is_related = bool(ours[0] & theirs[0]) or bool(ours[1] & theirs[1])
    if all(suites) and suites[0] != suites[1]:
        raise NotComparableError(f"baseline: it is of the suite {suites[0]}, the run is of the suite {suites[1]}")
    if before.names and after.names and not is_related:
        raise NotComparableError(f"baseline: {before.about['name'] or 'it'} has none of the functions of the run")


def _notes(pairs: Pairs) -> tuple[str, ...]:
    """Return what is good to know beside broken rules: other bounds, with their reasons, and what was not looked at.

    Raises
    ------
    InputError
        If other bounds are stated for curves that do not exist.
    """
    notes = []
    for override in pairs.overrides:
        meant = sum(override.matches(*name[:4]) for name in pairs.names)
        if not meant:
            raise InputError(f"gate: no curve matches {override.globs}; its reason was: {override.reason}")
        notes.append(f"other bounds for {meant} curves, {override.globs}: {override.reason}")
    if pairs.overrides != pairs.before.gate:
        notes.append("the bounds of the spec are not those that the baseline was accepted with")
    then, now = pairs.computed_by
    if then != now:
        notes.append(f"f was computed by {then} for the baseline, and by {now} here")
    if np.isnan(pairs.after.truncation).all() and not np.isnan(pairs.before.truncation).all():
        notes.append("errors were not taken apart: truncation was not looked at")
    return tuple(notes)


def _failing(pairs: Pairs) -> Iterator[Finding]:
    """Yield the schemes whose cells fail where the baseline has none."""
    fails = (pairs.after.status == Status.FAILED).any(axis=1)
    new = [name for row, name in enumerate(pairs.after.names) if fails[row] and name not in pairs.before.rows]
    for scheme, own in by(new, lambda name: name.scheme).items():
        sentence = f"{scheme}: cells that are new and fail, in {_many(len(own), 'curve')}, as {own[0].function}; {MEND}"
        yield Finding(REGRESSION, "status", scheme, sentence, len(own))


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
        value = f"{_place(before, gone[0])} of {gone[0].scheme}"
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
        if definition == meaning and name not in before.rows and name[4:] == names[0][4:]
    ]
    if twins and what != "curve":
        new = dict(_KINDS)[what](twins[0])
        sentence = f"the {what} {value} is called {new} now, with the same definition; {ACCEPT}"
        return Finding(STALE, "renamed", group, sentence, cells)
    return Finding(
        STALE,
        "vanished",
        group,
        f"the {what} {value} is not in the run any more ({_many(cells, 'cell')}); {ACCEPT}",
        cells,
    )


def _redefined(pairs: Pairs) -> Iterator[Finding]:
    """Yield what has the name of another thing in the baseline, by what it is that differs."""
    changed: dict[str, list[CurveName]] = {}
    for row in np.flatnonzero(~pairs.has_same_definition):
        meanings = pairs.changed_meanings(int(row))
        first = next(meaning for meaning in MEANINGS if meaning in meanings)
        changed.setdefault(first, []).append(pairs.names[row])
    for function, own in by(changed.get("formula", ()), lambda name: name.function).items():
        yield _not_comparable(pairs, f"the function {function} has another formula or noise", own, "")
    for scheme, own in by(changed.get("scheme", ()), lambda name: name.scheme).items():
        yield _not_comparable(pairs, f"the scheme {scheme} has other nodes or weights", own, scheme)
    if "epsilons" in changed:
        yield _not_comparable(pairs, "the run has other epsilons", changed["epsilons"], "")
    for function, own in by(changed.get("x", ()), lambda name: name.function).items():
        yield _not_comparable(pairs, f"the function {function} has other points", own, "")


def _not_comparable(pairs: Pairs, what: str, names: list[CurveName], group: str) -> Finding:
    cells = pairs.after.cells_of(names)
    sentence = f"{what} than in the baseline, {_many(cells, 'cell')} cannot be compared; {ACCEPT}"
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
        ``cell`` or ``curve``.
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
        number = sum(each.cells for each in own) if rule.unit == "cell" else len(own)
        where = f"{'most of all' if number > 1 else 'it is'} {_place(pairs.after, pairs.names[worst.row])}"
        sentence = f"{scheme}, derivative {derivative}, {dtype}: {rule.what} in {_many(number, rule.unit)}; {where}, "
        advice = {REGRESSION: f"; {MEND}", STALE: f"; {ACCEPT}", UNCERTAIN: "; diffbench exact tells why"}
        yield Finding(rule.exit_code, rule.name, scheme, sentence + worst.detail + advice[rule.exit_code], number)


def _place(found: Baseline, name: CurveName) -> str:
    if name.direction:
        return f"{name.function} at {shortened(name.at)} along {name.direction}"
    return f"{name.function} at point {name.point} (x = {found.x[found.rows[name]]:.6g})"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _other_bits(pairs: Pairs) -> Iterator[Broken]:
    for row in np.flatnonzero(pairs.is_exact & pairs.is_judged & ~pairs.has_same_bits):
        counts = [np.count_nonzero(pairs.transition[row] == TRANSITIONS.index(word)) for word in ("worse", "better")]
        detail = f"where {counts[0]} cells are worse and {counts[1]} better by a quarter-binade or more"
        yield Broken(int(row), float(counts[0]), detail)


def _worse_cells(pairs: Pairs) -> Iterator[Broken]:
    yield from _worse(pairs, lambda label: not isinstance(label, str), "quarters")


def _worse_at_rules(pairs: Pairs) -> Iterator[Broken]:
    yield from _worse(pairs, lambda label: isinstance(label, str), "usual")


def _worse(pairs: Pairs, is_meant: Callable[[int | str | None], bool], bound: str) -> Iterator[Broken]:
    """Yield the curves that have cells above what is allowed, but for those whose bits differ where they must not."""
    meant = np.array([is_meant(label) for label in pairs.labels])
    said = pairs.is_exact & ~pairs.has_same_bits
    worse = (pairs.transition == TRANSITIONS.index("worse")) & meant & ~said[:, None]
    before, after = pairs.cells("quarters")
    beyond = np.where(worse, after - pairs.highest, -1.0)
    for row in np.flatnonzero(worse.any(axis=1)):
        column = int(beyond[row].argmax())
        limit = getattr(pairs.bounds[row], bound)
        allowed = f"{limit:g} {'quarter-binades' if bound == 'quarters' else 'digits'} above its scatter are allowed"
        if pairs.is_exact[row]:
            allowed = "with the same bits"
        was, became = (_ulps(quarters[row, column]) for quarters in (before, after))
        detail = f"{_label(pairs, int(row), column)}: {was} became {became} ({allowed})"
        yield Broken(int(row), float(beyond[row, column]), detail, int(np.count_nonzero(worse[row])))


def _with(pairs: Pairs, transition: str, is_meant: Callable[[Pairs], Array] | None = None) -> Iterator[Broken]:
    """Yield the curves with cells of a transition, those that are meant."""
    before, after = pairs.cells("status")
    found = pairs.transition == TRANSITIONS.index(transition)
    if is_meant is not None:
        found &= is_meant(pairs)
    for row in np.flatnonzero(found.any(axis=1)):
        column = int(found[row].argmax())
        was, became = (Status(status[row, column]).label for status in (before, after))
        count = int(np.count_nonzero(found[row]))
        yield Broken(int(row), count, f"{_label(pairs, int(row), column)}: {was} became {became}", count)


def _fail_now(pairs: Pairs) -> Array:
    return np.asarray(pairs.cells("status")[1] == Status.FAILED)


def _do_not_fail(pairs: Pairs) -> Array:
    """Return which cells do not fail, on the same platform: elsewhere f may overflow one step earlier or later."""
    return np.asarray((pairs.cells("status")[1] != Status.FAILED) & pairs.is_exact[:, None])


def _worse_optimum(pairs: Pairs) -> Iterator[Broken]:
    before, after = pairs.numbers("optimum")
    with np.errstate(all="ignore"):
        lost = np.log10(after / np.fmax(before, 2.0 ** (pairs.least_bound / 4)))
    for row in np.flatnonzero(
        pairs.is_judged & ~pairs.is_exact & np.isfinite(before) & (lost > pairs.bound("optimum"))
    ):
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
    # A rule that searches may search longer where f is rounded otherwise.
    more[~pairs.is_exact, 1:] = 0
    for row in np.flatnonzero((more > 0).any(axis=1)):
        column = int(more[row].argmax())
        detail = f"{before[row, column]} evaluations became {after[row, column]}"
        yield Broken(int(row), float(more[row, column]), detail)


RULES = (
    Rule("status", REGRESSION, "not ok any more", "cell", partial(_with, transition="ok to not ok")),
    Rule("status", REGRESSION, "failing", "cell", partial(_with, transition="other status", is_meant=_fail_now)),
    Rule("cell", REGRESSION, "worse than the scatter of the curve allows", "cell", _worse_cells),
    Rule("step rule", REGRESSION, "worse at the epsilon of a step rule", "cell", _worse_at_rules),
    Rule("optimum", REGRESSION, "digits lost at the optimal epsilon", "curve", _worse_optimum),
    Rule("truncation", REGRESSION, "digits lost in the truncation", "curve", _worse_truncation),
    Rule("ceiling", REGRESSION, "worse than theory lets it be", "curve", _over_the_ceiling),
    Rule("order", REGRESSION, "another observed order", "curve", partial(_other_order, is_uncertain=False)),
    Rule("evaluations", REGRESSION, "more evaluations of f", "curve", _more_evaluations),
    Rule("bits", REGRESSION, "other bits than those accepted on this platform", "curve", _other_bits),
    Rule(
        "reference",
        UNCERTAIN,
        "an uncertain reference in the place of a settled one",
        "cell",
        partial(_with, transition="uncertain"),
    ),
    Rule("order", UNCERTAIN, "no observed order any more", "curve", partial(_other_order, is_uncertain=True)),
    Rule("status", STALE, "another status", "cell", partial(_with, transition="other status", is_meant=_do_not_fail)),
    Rule("status", STALE, "ok for the first time", "cell", partial(_with, transition="not ok to ok")),
)


def _label(pairs: Pairs, row: int, column: int) -> str:
    label = pairs.labels[column]
    if isinstance(label, int):
        return f"epsilon {pairs.after.about['epsilons'][pairs.names[row].dtype][label]} (number {label})"
    return f"rule {label}" if label else "its own epsilon"


def _ulps(quarters: int) -> str:
    if quarters > _COUNTABLE:
        return "more than 1e77 ulp (of a derivative that is 0, or next to it)"
    return f"{2.0 ** (int(quarters) / 4):.3g} ulp"


_COUNTABLE = 4 * 256
