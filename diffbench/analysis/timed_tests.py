"""The digits of timed tests, from the file that pytest-benchmark writes: enough of them, and no fewer than before.

The fixture ``accuracy`` puts them there, in the ``extra_info`` of a test. Times stand beside them and are never judged.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.analysis.judgement import REGRESSION, STALE, Finding, Judgement, gravest_first
from diffbench.analysis.pairing import TRANSITIONS
from diffbench.errors import EmptySelectionError, InputError, StoreError
from diffbench.rounding import finite
from diffbench.sweep.files import read_object

LOST_DIGITS = 0.1
"""What a test may lose against its baseline before it counts as worse, in digits."""

ANEW = "or take this file as the new baseline"


@dataclass(frozen=True)
class TimedTest:
    """What the file of a benchmark says of a test that checked a derivative.

    Attributes
    ----------
    name : str
        pytest-benchmark's ``fullname``, parameters included.
    digits : float or None
        Correct digits of the check with least to spare; None where a point had none.
    asked : float or None
        Digits that this check asked for; None where the file does not say.
    evaluations : int or None
        The most values of f that were needed at a point; None where they were not counted.
    checked : int or None
        How many different derivatives and points were checked; None where the file does not say.
    """

    name: str
    digits: float | None
    asked: float | None
    evaluations: int | None
    checked: int | None

    @property
    def is_checked(self) -> bool:
        """Whether the test has digits, or asked for some."""
        return self.digits is not None or self.asked is not None

    @property
    def spare(self) -> float:
        """Digits beyond those that were asked for."""
        return -math.inf if self.digits is None else self.digits - (self.asked or 0.0)


def judge_timed_tests(path: str | Path, baseline: str | Path | None = None) -> Judgement:
    """Judge the digits of timed tests.

    Parameters
    ----------
    path : str or Path
        What ``pytest --benchmark-json=PATH`` wrote.
    baseline : str or Path, optional
        Such a file of an earlier run; without it the digits that the tests ask for are the only rule.

    Returns
    -------
    Judgement
        Its groups are the tests, each with one transition; without a baseline all are new. The rules of its findings
        are ``asked`` (fewer digits than asked for), ``digits`` (more than :data:`LOST_DIGITS` lost), ``evaluations``
        (more of them), all regressions; ``vanished``, ``weakened`` (asks for fewer digits, or checks less) and
        ``uncounted`` say that the baseline is stale. Its properties are ``tests`` (with digits), ``unchecked``
        (without), ``platform`` and ``baseline_platform``.

    Raises
    ------
    StoreError
        If a file is not there or damaged.
    InputError
        If a file is not pytest-benchmark's, or digits in it are no numbers.
    EmptySelectionError
        If no test in a file has digits.

    Examples
    --------
    >>> import json, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bench = Path(folder) / "bench.json"
    ...     test = {"fullname": "test_f.py::test_slope", "extra_info": {"digits": 7.5, "digits_asked": 8}}
    ...     _ = bench.write_text(json.dumps({"benchmarks": [test]}))
    ...     print(judge_timed_tests(bench).reason)
    test_f.py::test_slope: 7.50 digits, fewer than the 8 asked for: correct the derivative, or ask for fewer
    """
    after = _File(path)
    before = None if baseline is None else _File(baseline)
    earlier = {} if before is None else before.tests
    findings: list[Finding] = []
    groups = {}
    for name in dict.fromkeys((*earlier, *after.tests)):
        old, new = earlier.get(name), after.tests.get(name)
        groups[name] = dict.fromkeys(TRANSITIONS, 0) | {_transition(old, new): 1}
        findings += _findings(old, new, after)
    properties = {"tests": len(after.tests), "unchecked": after.unchecked, "platform": after.platform}
    if before is not None:
        properties["baseline_platform"] = before.platform
    return Judgement(after.path, _compared(after, before), groups, gravest_first(findings), properties)


class _File:
    """What pytest-benchmark wrote.

    Attributes
    ----------
    path, platform : str
        Where it is; on what system and architecture it was measured, as far as the file says.
    tests : dict of str to TimedTest
        Those that checked a derivative, by name; where one was run again, its worst.
    unchecked : int
        How many did not.
    """

    def __init__(self, path: str | Path) -> None:
        if not isinstance(path, (str, Path)):
            raise InputError(f"benchmark file: {path!r} is not a path")
        data = _read(Path(path))
        self.path = str(path)
        self.tests: dict[str, TimedTest] = {}
        self.unchecked = 0
        for entry in data["benchmarks"]:
            self._add(_timed_test(self.path, entry))
        if not self.tests:
            raise EmptySelectionError(
                f"{path}: none of its {self.unchecked} tests has digits: use the fixture accuracy beside benchmark"
            )
        machine = data.get("machine_info")
        about = machine if isinstance(machine, dict) else {}
        self.platform = " ".join(str(about[key]) for key in ("system", "machine") if about.get(key))

    def _add(self, test: TimedTest) -> None:
        if not test.is_checked:
            self.unchecked += 1
            return
        known = self.tests.get(test.name, test)
        self.tests[test.name] = min(known, test, key=lambda each: each.spare)


def _read(path: Path) -> dict[str, Any]:
    """Return what a file of pytest-benchmark holds."""
    try:
        data = read_object(path)
    except RecursionError as error:
        raise StoreError(f"{path}: nested too deeply") from error
    if not isinstance(data.get("benchmarks"), list):
        raise InputError(f"{path}: not written by pytest --benchmark-json: it has no list of benchmarks")
    return data


def _timed_test(path: str, entry: Any) -> TimedTest:
    """Return what a file says of a test."""
    name = entry.get("fullname") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name:
        raise InputError(f"{path}: not written by pytest --benchmark-json: a benchmark has no fullname")
    # The sentence about it shall be one line.
    name = name if name.isprintable() else ascii(name)
    extra = entry.get("extra_info") or {}
    if not isinstance(extra, dict):
        raise InputError(f"{path}: extra_info of {name} is not an object")
    values = [_number(path, name, key, extra.get(key)) for key in ("digits", "digits_asked", "evaluations", "checked")]
    counts = [None if value is None else int(value) for value in values[2:]]
    return TimedTest(name, values[0], values[1], counts[0], counts[1])


def _number(path: str, name: str, key: str, value: Any) -> float | None:
    """Return a number, or None where it is absent or not finite."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise InputError(f"{path}: {key} of {name}, {str(value)[:60]!r}, is not a number")
    try:
        return finite(value)
    except OverflowError:
        raise InputError(f"{path}: {key} of {name} is beyond the range of a float") from None


def _compared(after: _File, before: _File | None) -> str:
    """Return with what a file is compared, in words."""
    if before is None:
        return "the digits that the tests ask for"
    is_same = bool(before.platform) and before.platform == after.platform
    where = "the same platform" if is_same else before.platform or "an unknown platform"
    return f"{before.path} ({where}), digits within {LOST_DIGITS:g}"


def _transition(old: TimedTest | None, new: TimedTest | None) -> str:
    """Return what became of a test."""
    if old is None:
        return "new"
    if new is None:
        return "vanished"
    if old.digits is None or new.digits is None:
        status = {(True, True): "unchanged", (True, False): "not ok to ok", (False, True): "ok to not ok"}
        return status[old.digits is None, new.digits is None]
    lost, more = _lost(old.digits, new.digits), _more_evaluations(old, new)
    if lost > LOST_DIGITS or more > 0:
        return "worse"
    return "better" if lost < -LOST_DIGITS or more < 0 else "unchanged"


def _lost(before: float, after: float) -> float:
    # Numbers in a file are decimals: 1.1 − 1.0 shall not be more than 0.1.
    return round(before - after, 9)


def _more_evaluations(old: TimedTest, new: TimedTest) -> int:
    return 0 if old.evaluations is None or new.evaluations is None else new.evaluations - old.evaluations


def _findings(old: TimedTest | None, new: TimedTest | None, after: _File) -> Iterator[Finding]:
    """Yield the rules that a test breaks."""
    if new is not None:
        yield from _against_itself(new)
    if old is not None and new is not None:
        yield from _regressions(old, new)
        yield from _weakened(old, new)
    if old is not None and new is None:
        had = "no digits" if old.digits is None else f"{_cut(old.digits)} digits"
        sentence = f"{old.name}: {had} in the baseline, no check in {after.path}: restore it, {ANEW}"
        yield Finding(STALE, "vanished", old.name, sentence)


def _against_itself(new: TimedTest) -> Iterator[Finding]:
    if new.asked is None or new.spare >= 0:
        return
    if new.digits is None:
        what = f"no digits where {new.asked:g} are asked for: its answer is not finite, or there is no exact one"
    else:
        there = f"{_cut(new.digits)} digits, fewer than the {new.asked:g} asked for"
        what = f"{there}: correct the derivative, or ask for fewer"
    yield Finding(REGRESSION, "asked", new.name, f"{new.name}: {what}")


def _regressions(old: TimedTest, new: TimedTest) -> Iterator[Finding]:
    if old.digits is not None and new.digits is not None and _lost(old.digits, new.digits) > LOST_DIGITS:
        what = f"{_cut(new.digits)} digits, the baseline has {_cut(old.digits)} and {LOST_DIGITS:g} may be lost"
        sentence = f"{new.name}: {what}: undo what cost them, {ANEW}"
        yield Finding(REGRESSION, "digits", new.name, sentence)
    if _more_evaluations(old, new) > 0:
        what = f"{new.evaluations} evaluations a point, more than the {old.evaluations} of the baseline"
        sentence = f"{new.name}: {what}: undo what asks for them, {ANEW}"
        yield Finding(REGRESSION, "evaluations", new.name, sentence)


def _weakened(old: TimedTest, new: TimedTest) -> Iterator[Finding]:
    """Yield what a test measures less strictly than it did, so that its baseline no longer says what is wanted."""
    if old.asked is not None and (new.asked is None or new.asked < old.asked):
        now = "no digits" if new.asked is None else f"{new.asked:g} digits"
        sentence = f"{new.name}: asks for {now}, the baseline for {old.asked:g}: ask for as many, {ANEW}"
        yield Finding(STALE, "weakened", new.name, sentence)
    if old.checked is not None and new.checked is not None and new.checked < old.checked:
        sentence = f"{new.name}: checks {new.checked} values, the baseline {old.checked}: restore them, {ANEW}"
        yield Finding(STALE, "weakened", new.name, sentence)
    if old.evaluations is not None and new.evaluations is None:
        sentence = f"{new.name}: does not count evaluations, the baseline has {old.evaluations}: count them, {ANEW}"
        yield Finding(STALE, "uncounted", new.name, sentence)


def _cut(value: float) -> str:
    """Return digits cut to two decimals, not rounded: 7.999 is less than 8."""
    return f"{math.floor(value * 100) / 100:.2f}"
