r"""What a gate says, for continuous integration: JUnit XML, a Markdown summary, annotations, metrics.

Names and sentences are data: whatever they hold, the XML parses, the Markdown shows them as text, an annotation is one
line, and the metrics are JSON. Characters that XML 1.0 has no place for are shown as Python writes them (``\x1b``).
Nothing here depends on a clock: the same judgement gives the same bytes.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import isfinite
from typing import Any
from xml.etree import ElementTree as ET  # written, never read  # nosec B405

from diffbench.analysis.judgement import (
    NOT_COMPARABLE,
    NOTHING_SELECTED,
    REGRESSION,
    STALE,
    UNCERTAIN,
    Finding,
    Judgement,
)
from diffbench.errors import InputError, defused
from diffbench.report.table import Column, Table, to_markdown

KINDS = {
    REGRESSION: "regression",
    NOT_COMPARABLE: "not comparable",
    NOTHING_SELECTED: "nothing selected",
    UNCERTAIN: "uncertain",
    STALE: "baseline stale",
}
"""Exit codes of findings in words."""

SENTENCES = 20
"""How many sentences a test case of the JUnit file holds; the others are counted."""

SUMMARY_BYTES = 1 << 19
"""Half of what GitHub takes a step: over its limit all is lost, and other commands may write there too."""

LEAST_SUMMARY_BYTES = 256
"""Enough for the verdict, and for saying that all the rest is left out."""

ANNOTATIONS = 10
"""How many annotations of a kind GitHub shows a step."""

_WHOLE_RUN = "run"
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MARKUP = re.compile(r"[\\`*_|<>\[\]&~#$]")


# JUnit ----------------------------------------------------------------------------------------------------------------


def to_junit(judgement: Judgement) -> str:
    """Return JUnit XML: a test case a group, and one for the whole run.

    A case whose gravest finding is a regression (1) or a stale baseline (7) has a ``failure``, one that could not be
    judged, since it is not comparable (4) or uncertain (6), an ``error``. The text holds the sentences of all findings
    of the group, gravest first, up to :data:`SENTENCES`. Counts of transitions are properties of the case, what is good
    to know properties of the suite.

    Parameters
    ----------
    judgement : Judgement
        What the gate found.

    Returns
    -------
    str
        The file, to be written in UTF-8.
    """
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", name=_printable(judgement.subject))
    _add_properties(suite, {"baseline": judgement.baseline, **judgement.properties})
    for group, findings in _by_group(judgement).items():
        case = ET.SubElement(
            suite, "testcase", classname=_printable(judgement.subject), name=_printable(group or _WHOLE_RUN), time="0"
        )
        _add_properties(case, judgement.groups.get(group, {}))
        _add_result(case, findings)
    counts = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error"}
    suite.attrib |= {name: str(len(suite.findall(path))) for name, path in counts.items()} | {"time": "0"}
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _by_group(judgement: Judgement) -> dict[str, list[Finding]]:
    """Return the findings of each group, also of groups without any; those of the whole run come first."""
    groups: dict[str, list[Finding]] = {"": [], **{group: [] for group in judgement.groups}}
    for finding in judgement.findings:
        groups.setdefault(finding.group, []).append(finding)
    return groups


def _add_properties(parent: ET.Element, properties: Mapping[str, Any]) -> None:
    if properties:
        listed = ET.SubElement(parent, "properties")
        for name, value in properties.items():
            ET.SubElement(listed, "property", name=_printable(name), value=_printable(value))


def _add_result(case: ET.Element, findings: Sequence[Finding]) -> None:
    if not findings:
        return
    worst = findings[0]
    kind = "error" if worst.exit_code in (NOT_COMPARABLE, NOTHING_SELECTED, UNCERTAIN) else "failure"
    result = ET.SubElement(case, kind, type=KINDS[worst.exit_code], message=_printable(worst.sentence))
    more = len(findings) - SENTENCES
    lines = [_printable(finding.sentence) for finding in findings[:SENTENCES]]
    # GitLab shows the text and not the message.
    result.text = "\n".join([*lines, f"and {more} more"] if more > 0 else lines)


# summary --------------------------------------------------------------------------------------------------------------


def to_step_summary(judgement: Judgement, limit_bytes: int = SUMMARY_BYTES) -> str:
    """Return Markdown: the verdict, the baseline, how many cells have which transition, and every finding.

    Parameters
    ----------
    judgement : Judgement
        What the gate found.
    limit_bytes : int
        How long it may be in UTF-8, at least :data:`LEAST_SUMMARY_BYTES`. What is over it is cut at whole lines, and
        counted; a table that is too long leaves half of the room to the findings.

    Returns
    -------
    str
        The summary.

    Raises
    ------
    InputError
        If the limit leaves no room for the verdict.
    """
    if limit_bytes < LEAST_SUMMARY_BYTES:
        raise InputError(f"limit_bytes: {limit_bytes} is too few, a summary needs at least {LEAST_SUMMARY_BYTES}")
    text, items = _verdict(judgement), _items(judgement)
    room = limit_bytes - len(text.encode())
    text += _cut(_overview(judgement), max(room // 2, room - _size(items)))
    return text + _cut(items, limit_bytes - len(text.encode()))


def _verdict(judgement: Judgement) -> str:
    """Return one sentence whose length does not depend on what was found."""
    if not judgement.findings:
        return "**Passed**: no rule is broken.\n"
    kind, count = KINDS[judgement.exit_code], _many(len(judgement.findings), "finding")
    return f"**Failed**: {kind} (exit code {judgement.exit_code}), {count}.\n"


def _overview(judgement: Judgement) -> list[str]:
    known = "; ".join(f"{_as_text(name)} {_as_text(value)}" for name, value in judgement.properties.items())
    lines = ["", f"{_as_text(judgement.subject)}, compared with {_as_text(judgement.baseline)}."]
    lines += ["", f"Measured: {known}."] if known else []
    return [*lines, "", *to_markdown(_transitions(judgement)).splitlines()] if any(judgement.counts.values()) else lines


def _transitions(judgement: Judgement) -> Table:
    shown = [transition for transition, count in judgement.counts.items() if count]
    rows = [
        {"group": _printable(group or _WHOLE_RUN)} | {transition: own.get(transition, 0) for transition in shown}
        for group, own in judgement.groups.items()
    ]
    columns = (Column("group", "group"), *(Column(each, _printable(each), "count") for each in shown))
    return Table("Against the baseline", "how many cells of each group have which transition", columns, rows)


def _items(judgement: Judgement) -> list[str]:
    items = [
        f"- **{KINDS[each.exit_code]}** ({_as_text(each.group or _WHOLE_RUN)}, {_as_text(each.rule)}): "
        f"{_as_text(each.sentence)}"
        for each in judgement.findings
    ]
    return ["", *items] if items else []


def _cut(lines: Sequence[str], room: int) -> str:
    """Return the lines that fit, and where some do not how many; an empty line ends a table or list before that."""
    if _size(lines) <= room:
        return _joined(lines)
    room -= len(_left_out(len(lines)))
    kept = sum(end <= room for end in accumulate(_size([line]) for line in lines))
    return _joined(lines[:kept]) + _left_out(sum(map(bool, lines[kept:])))


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _size(lines: Sequence[str]) -> int:
    return len(_joined(lines).encode())


def _left_out(count: int) -> str:
    return f"\n{_many(count, 'more line')} left out.\n"


# annotations ----------------------------------------------------------------------------------------------------------


def annotations(judgement: Judgement) -> list[str]:
    """Return GitHub's workflow commands, one a kind of finding and group, gravest first.

    GitHub shows no more than :data:`ANNOTATIONS` a step, so there are no more, and the last says how many are missing.

    Parameters
    ----------
    judgement : Judgement
        What the gate found.

    Returns
    -------
    list of str
        Lines to be printed: ``::warning`` where the baseline is stale, else ``::error``.
    """
    grouped: dict[tuple[int, str], list[str]] = {}
    for finding in judgement.findings:
        grouped.setdefault((finding.exit_code, finding.group), []).append(finding.sentence)
    shown = ANNOTATIONS if len(grouped) <= ANNOTATIONS else ANNOTATIONS - 1
    lines = [
        _command(code, f"{group or _WHOLE_RUN}: {KINDS[code]}", f"{_many(len(found), 'finding')}: {found[0]}")
        for (code, group), found in grouped.items()
    ]
    rest = list(grouped)[shown:]
    if rest:
        lines[shown:] = [_command(rest[0][0], "diffbench", f"{_many(len(rest), 'more annotation')}: see the summary")]
    return lines


def _command(exit_code: int, title: str, message: str) -> str:
    level = "warning" if exit_code == STALE else "error"
    name = _percent(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{_percent(message)}"


def _percent(text: str) -> str:
    return _printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


# metrics --------------------------------------------------------------------------------------------------------------


def to_metrics(ranking_rows: Iterable[Mapping[str, Any]], judgement: Judgement | None = None) -> str:
    """Return JSON that github-action-benchmark reads as ``customSmallerIsBetter``.

    For each scheme, derivative and dtype the relative error at the optimal epsilon and at the usual one (10 to the
    power of minus the median digits), evaluations, and cells that are not ok; for each group of a judgement the cells
    that got worse or stopped being ok. A number that is missing, or that no double holds, has no entry.

    Parameters
    ----------
    ranking_rows : iterable of mapping
        From :func:`diffbench.analysis.summary.ranking_rows`, in any order.
    judgement : Judgement, optional
        What the gate found.

    Returns
    -------
    str
        A list of objects with ``name``, ``unit``, ``value`` and ``extra``, in an order of its own.
    """
    ordered = sorted(ranking_rows, key=lambda row: (row["derivative"], row["dtype"], row["scheme"]))
    found = [metric for row in ordered for metric in _row_metrics(row)]
    if judgement is not None:
        found += [_worse(group, own) for group, own in sorted(judgement.groups.items())]
    return json.dumps([each for each in found if each["value"] is not None], indent=1, allow_nan=False) + "\n"


def _row_metrics(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    name = f"{row['scheme']}, derivative {row['derivative']}, {row['dtype']}"
    for which in ("optimal", "usual"):
        digits = row[f"{which}_digits"]
        extra = f"{digits} digits, median over functions"
        yield _metric(f"{name}: error at {which} epsilon", "relative error", _relative_error(digits), extra)
    yield _metric(f"{name}: evaluations", "evaluations", row["evaluations"], "of f for one derivative at one point")
    yield _metric(f"{name}: cells not ok", "cells", row["not_ok"], "every status but ok")


def _worse(group: str, own: Mapping[str, int]) -> dict[str, Any]:
    worse, lost = own.get("worse", 0), own.get("ok to not ok", 0)
    extra = f"{worse} with a larger error, {lost} that stopped being ok"
    return _metric(f"{group or _WHOLE_RUN}: cells worse than the baseline", "cells", worse + lost, extra)


def _metric(name: str, unit: str, value: float | None, extra: str) -> dict[str, Any]:
    number = None if value is None or not isfinite(value) else float(value)
    return {"name": name, "unit": unit, "value": number, "extra": extra}


def _relative_error(digits: float | None) -> float | None:
    """Return what has so many digits, None where a double cannot: a 0 would claim that there is no error."""
    if digits is None:
        return None
    try:
        return 10.0 ** -float(digits) or None
    except OverflowError:
        return None


# text -----------------------------------------------------------------------------------------------------------------


def _printable(value: object) -> str:
    """Return a text that XML and UTF-8 can hold, the other characters as Python writes them."""
    return _NOT_XML.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(value))


def _as_text(value: object) -> str:
    """Return one line of Markdown that shows a text; character references never are markup, not in tables either."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", defused(" ".join(_printable(value).split())))


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
