"""What a gate says: which rules are broken, a sentence each, and the exit code that follows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

REGRESSION = 1
NOT_COMPARABLE = 4
NOTHING_SELECTED = 5
UNCERTAIN = 6
STALE = 7

GRAVEST_FIRST = (REGRESSION, NOT_COMPARABLE, NOTHING_SELECTED, UNCERTAIN, STALE)
"""Exit codes by how much they weigh: the gravest of all findings is the gate's."""


@dataclass(frozen=True)
class Finding:
    """A rule that is broken.

    Attributes
    ----------
    exit_code : int
        1 regression, 4 not comparable, 5 nothing selected, 6 uncertain, 7 baseline stale.
    rule : str
        Which rule, in a word or two: ``bits``, ``cell``, ``status``, ``optimum`` …
    group : str
        The scheme, or the test, it belongs to; empty where it concerns the whole run.
    sentence : str
        What happened, where, by how much, and what to do about it, in one line.
    cells : int
        How many cells it concerns.
    """

    exit_code: int
    rule: str
    group: str
    sentence: str
    cells: int = 1


@dataclass(frozen=True)
class Judgement:
    """What a gate found.

    Attributes
    ----------
    subject : str
        What was judged: the suite, or the file of a benchmark.
    baseline : str
        What it was compared with, in words: which platform, and whether bits or bounds are compared.
    groups : dict
        For each scheme (or test) how many cells (or checks) each transition has; all transitions have a key.
    findings : tuple of Finding
        What is broken, the gravest first.
    properties : dict
        What is good to know beside them: cells, curves, versions, platform.
    notes : tuple of str
        Sentences about how it was judged: other bounds with their reasons, what was not looked at.
    """

    subject: str
    baseline: str
    groups: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]
    properties: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Cells by transition, over all groups."""
        total: dict[str, int] = {}
        for own in self.groups.values():
            for transition, count in own.items():
                total[transition] = total.get(transition, 0) + count
        return total

    @property
    def exit_code(self) -> int:
        """0 where nothing is broken, else that of the gravest finding."""
        return self.findings[0].exit_code if self.findings else 0

    @property
    def reason(self) -> str:
        """The last line of the gate: the first sentence, and how many more there are."""
        if not self.findings:
            unit = "tests" if "tests" in self.properties else "cells"
            return f"passed: {sum(self.counts.values())} {unit} compared with {self.baseline}, no rule broken"
        more = len(self.findings) - 1
        return self.findings[0].sentence + (f" (and {more} more)" if more else "")


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order in which they weigh: by exit code, then by how many cells they concern."""
    return tuple(sorted(findings, key=lambda each: (GRAVEST_FIRST.index(each.exit_code), -each.cells)))
