"""What continuous integration reads: every text survives in it, and nothing is longer than its reader takes."""

import json
import math
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from diffbench import Spec, run
from diffbench.analysis.judgement import (
    GRAVEST_FIRST,
    NOT_COMPARABLE,
    REGRESSION,
    STALE,
    UNCERTAIN,
    Finding,
    Judgement,
    gravest_first,
)
from diffbench.analysis.summary import ranking_rows
from diffbench.errors import InputError, defused
from diffbench.report.continuous_integration import (
    ANNOTATIONS,
    KINDS,
    LEAST_SUMMARY_BYTES,
    SENTENCES,
    SUMMARY_BYTES,
    annotations,
    to_junit,
    to_metrics,
    to_step_summary,
)

TRANSITIONS = (
    "unchanged", "better", "worse", "moved", "ok to not ok", "not ok to ok", "other status", "new", "vanished",
    "not comparable", "uncertain",
)  # fmt: skip
NASTY = "<script>alert('&amp;')</script> 100% \\x{_}^~~#~~ $a$ | `*[a](b)* ::error:: a, b\x1b\x00\ud800\ufffe\uffff"
SHOWN = NASTY.replace("\x1b\x00\ud800\ufffe\uffff", r"\x1b\x00\ud800\ufffe\uffff")
ILLEGAL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def counts(**some):
    return {word: some.get(word.replace(" ", "_"), 0) for word in TRANSITIONS}


def judged(*findings, **more):
    groups = {"forward-1": counts(unchanged=8, worse=2), "central-2": counts(unchanged=9, ok_to_not_ok=1)}
    fields = {"subject": "standard", "baseline": "linux-x86_64, bits", "groups": groups, "properties": {"cells": 20}}
    return Judgement(**fields | more, findings=gravest_first(findings))


def shown(text):
    """Return a text as it is printed where some of its characters cannot stand."""
    return re.sub(ILLEGAL, lambda found: ascii(found[0])[1:-1], text)


def regressions(count):
    return [Finding(REGRESSION, "cell", f"scheme-{i}", f"sentence {i}.") for i in range(count)]


def nasty():
    finding = Finding(REGRESSION, NASTY, NASTY, NASTY)
    return Judgement(NASTY, NASTY, {NASTY: counts(worse=1)}, (finding,), {NASTY: NASTY})


TEXTS = st.text(st.characters() | st.sampled_from(sorted(set(NASTY + "\r\n\t\x85\u2028-+=1.!:"))), max_size=30)
COUNTS = st.dictionaries(st.sampled_from(TRANSITIONS), st.integers(0, 10**6)).map(lambda some: counts() | some)
FINDINGS = st.builds(Finding, st.sampled_from(GRAVEST_FIRST), TEXTS, TEXTS, TEXTS, st.integers(0, 10**9))
JUDGEMENTS = st.builds(
    Judgement,
    TEXTS,
    TEXTS,
    st.dictionaries(TEXTS, COUNTS, max_size=4),
    st.lists(FINDINGS, max_size=24).map(gravest_first),
    st.dictionaries(TEXTS, TEXTS | st.integers() | st.floats(), max_size=3),
)


# JUnit ----------------------------------------------------------------------------------------------------------------


def suite_of(judgement):
    return ET.fromstring(to_junit(judgement).encode()).find("testsuite")  # noqa: S314  # it is our own


def properties_of(element):
    return {each.get("name"): each.get("value") for each in element.iterfind("properties/property")}


def test_junit_has_a_case_for_each_group_and_one_for_the_whole_run():
    found = judged(
        Finding(REGRESSION, "cell", "forward-1", "forward-1 lost 3 digits."),
        Finding(STALE, "vanished", "central-2", "central-2 lost a cell."),
        Finding(UNCERTAIN, "uncertain", "complex-step", "nothing is known."),
        Finding(NOT_COMPARABLE, "suite", "", "another suite."),
    )
    suite = suite_of(found)
    assert {key: suite.get(key) for key in ("name", "tests", "failures", "errors", "time")} == {
        "name": "standard", "tests": "4", "failures": "2", "errors": "2", "time": "0",
    }  # fmt: skip
    assert properties_of(suite) == {"baseline": "linux-x86_64, bits", "cells": "20"}
    results = {case.get("name"): [(each.tag, each.get("type")) for each in case][-1] for case in suite.iter("testcase")}
    assert results == {
        "run": ("error", "not comparable"),
        "forward-1": ("failure", "regression"),
        "central-2": ("failure", "baseline stale"),
        "complex-step": ("error", "uncertain"),
    }
    forward = suite.find("testcase[@name='forward-1']")
    assert properties_of(forward)["worse"] == "2"
    assert len(properties_of(forward)) == len(TRANSITIONS)
    assert forward.find("failure").text == forward.find("failure").get("message") == "forward-1 lost 3 digits."


def test_junit_of_a_gate_that_passed_has_cases_too():
    suite = suite_of(judged(groups={}))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "0")
    assert [case.get("name") for case in suite_of(judged()).iter("testcase")] == ["run", "forward-1", "central-2"]


def test_junit_holds_the_gravest_sentences_and_counts_the_others():
    found = judged(
        *(Finding(STALE, "new", "forward-1", f"new {i}") for i in range(SENTENCES)),
        *(Finding(REGRESSION, "cell", "forward-1", f"cell {i}", cells=9 - i) for i in range(2)),
    )
    (failure,) = suite_of(found).iter("failure")
    lines = failure.text.splitlines()
    assert failure.get("type") == "regression"
    assert lines[:3] == ["cell 0", "cell 1", "new 0"]
    assert lines[SENTENCES - 1 :] == [f"new {SENTENCES - 3}", "and 2 more"]


def test_junit_is_the_same_every_time_and_knows_no_clock():
    found = judged(*regressions(3))
    assert to_junit(found) == to_junit(replace(found))
    assert set(re.findall(r' time="(.*?)"', to_junit(found))) == {"0"}
    assert "timestamp" not in to_junit(found)


def test_junit_shows_what_xml_cannot_hold():
    suite = suite_of(nasty())
    case = suite.findall("testcase")[1]
    assert {suite.get("name"), case.get("name"), case.find("failure").text, properties_of(suite)[SHOWN]} == {SHOWN}


@given(JUDGEMENTS)
def test_junit_gives_every_text_back(judgement):
    suite = suite_of(judgement)
    assert suite.get("name") == shown(judgement.subject)
    cases = suite.findall("testcase")
    groups = dict.fromkeys(["", *judgement.groups, *(finding.group for finding in judgement.findings)])
    assert [case.get("name") for case in cases] == [shown(group) or "run" for group in groups]
    for group, case in zip(groups, cases, strict=True):
        own = [shown(finding.sentence) for finding in judgement.findings if finding.group == group]
        results = [*case.iter("failure"), *case.iter("error")]
        assert [result.get("message") for result in results] == own[:1]
        for result in results:
            # A parser of XML makes every line end a line feed.
            text = "\n".join(own[:SENTENCES]).replace("\r\n", "\n").replace("\r", "\n")
            assert (result.text or "").startswith(text)
            assert ("more" in (result.text or "").removeprefix(text)) == (len(own) > SENTENCES)


# summary --------------------------------------------------------------------------------------------------------------


def texts_of(markdown):
    """Return what a reader sees of each paragraph, cell and item, and the kinds of elements there are."""
    tokens = MARKDOWN.parse(markdown)
    inline = [token for token in tokens if token.type == "inline"]
    kinds = {token.type for token in tokens} | {child.type for token in inline for child in token.children}
    seen = ("text", "text_special", "code_inline")
    return ["".join(each.content for each in token.children if each.type in seen) for token in inline], kinds


PLAIN = {
    "inline", "text", "text_special", "strong_open", "strong_close",
    *(f"{kind}_{end}" for kind in ("paragraph", "bullet_list", "list_item") for end in ("open", "close")),
    *(f"{kind}_{end}" for kind in ("table", "thead", "tbody", "tr", "th", "td") for end in ("open", "close")),
}  # fmt: skip


def test_summary_says_the_verdict_first_then_the_baseline_the_table_and_the_findings():
    found = judged(
        Finding(STALE, "new", "forward-1", "2 cells are new.", 2), Finding(REGRESSION, "cell", "", "all is lost.", 1)
    )
    assert to_step_summary(found).splitlines() == [
        "**Failed**: regression (exit code 1), 2 findings.",
        "",
        "standard, compared with linux-x86&#95;64, bits.",
        "",
        "Measured: cells 20.",
        "",
        "**Against the baseline.** How many cells of each group have which transition.",
        "",
        "| group | unchanged | worse | ok to not ok |",
        "| --- | ---: | ---: | ---: |",
        "| forward-1 | 8 | 2 | 0 |",
        "| central-2 | 9 | 0 | 1 |",
        "",
        "- **regression** (run, cell): all is lost.",
        "- **baseline stale** (forward-1, new): 2 cells are new.",
    ]
    assert to_step_summary(judged()).startswith("**Passed**: no rule is broken.\n")
    assert "|" not in to_step_summary(judged(groups={"forward-1": counts()}))


def test_summary_shows_markup_as_text():
    text = to_step_summary(nasty())
    assert not re.search(r"(?<!\\)<|(?<!\\)\$", text)
    seen, kinds = texts_of(text)
    assert kinds <= PLAIN
    assert seen[1:3] == [f"{SHOWN}, compared with {SHOWN}.", f"Measured: {SHOWN} {SHOWN}."]
    assert seen[-3:] == [SHOWN, "1", f"regression ({SHOWN}, {SHOWN}): {SHOWN}"]


@given(JUDGEMENTS)
def test_summary_shows_every_text_as_text(judgement):
    seen, kinds = texts_of(to_step_summary(judgement))
    assert kinds <= PLAIN
    as_shown = [" ".join(defused(shown(text)).split()) for text in ("", *judgement.groups)]
    if any(judgement.counts.values()):
        width = sum(map(bool, judgement.counts.values())) + 1
        heading = next(i for i, text in enumerate(seen) if text.startswith("Against the baseline."))
        first_cells = seen[heading + 1 + width :: width][: len(judgement.groups)]
        assert first_cells == [name if group else "run" for group, name in zip(judgement.groups, as_shown[1:])]  # noqa: B905
    if judgement.findings:
        ends = [defused(" ".join(shown(finding.sentence).split())) for finding in judgement.findings]
        for text, end in zip(seen[-len(ends) :], ends, strict=True):
            assert text.endswith(end)


@given(JUDGEMENTS, st.integers(LEAST_SUMMARY_BYTES, 4000))
def test_summary_is_never_longer_than_its_limit_and_counts_what_is_left_out(judgement, limit):
    whole, cut = to_step_summary(judgement), to_step_summary(judgement, limit)
    assert len(cut.encode()) <= limit
    assert cut.endswith("\n")
    lines = [line for line in cut.splitlines() if line]
    notes = [line for line in lines if re.fullmatch(r"\d+ more lines? left out\.", line)]
    all_lines = [line for line in whole.splitlines() if line]
    assert set(lines) - set(notes) <= set(all_lines)
    assert len(lines) - len(notes) + sum(int(note.split()[0]) for note in notes) == len(all_lines)
    assert bool(notes) == (len(whole.encode()) > limit)


def test_a_long_table_leaves_room_for_the_findings():
    groups = {f"test-{i}": counts(worse=1) for i in range(1000)}
    text = to_step_summary(judged(*regressions(1000), groups=groups), 4000)
    table, items = text.split("more lines left out.", 1)
    assert 1500 < len(table.encode()) < 2100
    assert items.count("**regression**") > 20
    seen, _ = texts_of(text)
    notes = [text for text in seen if re.fullmatch(r"\d+ more lines left out\.", text)]
    assert len(notes) == 2
    assert notes[1] == seen[-1]


def test_the_default_limit_is_safely_below_that_of_github():
    found = judged(*(Finding(REGRESSION, "cell", "forward-1", "ε" * 1000) for _ in range(2000)))
    assert SUMMARY_BYTES - 4000 < len(to_step_summary(found).encode()) <= SUMMARY_BYTES < 2**20


def test_a_limit_without_room_for_the_verdict_is_refused():
    with pytest.raises(InputError, match="limit_bytes: 255 is too few, a summary needs at least 256"):
        to_step_summary(judged(), LEAST_SUMMARY_BYTES - 1)


# annotations ----------------------------------------------------------------------------------------------------------


def decoded(line):
    """Return level, title and message as GitHub reads them."""
    level, title, message = re.fullmatch(r"::(error|warning) title=([^:,]*)::(.*)", line).groups()
    for code, character in (("%3A", ":"), ("%2C", ",")):
        title = title.replace(code, character)
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        title, message = (text.replace(code, character) for text in (title, message))
    return level, title, message


def test_an_annotation_is_a_kind_of_finding_of_a_group():
    found = judged(
        Finding(REGRESSION, "cell", "forward-1", "100% worse: ε, x\nand y.", 1),
        Finding(REGRESSION, "optimum", "forward-1", "the optimum lost 2 digits.", 9),
        Finding(STALE, "new", "forward-1", "1 cell is new."),
        Finding(UNCERTAIN, "uncertain", "", "nothing is known."),
    )
    assert annotations(found) == [
        "::error title=forward-1%3A regression::2 findings: the optimum lost 2 digits.",
        "::error title=run%3A uncertain::1 finding: nothing is known.",
        "::warning title=forward-1%3A baseline stale::1 finding: 1 cell is new.",
    ]
    assert annotations(judged(found.findings[1]))[0].endswith("::1 finding: 100%25 worse: ε, x%0Aand y.")
    assert annotations(judged()) == []


def test_there_are_ten_annotations_and_the_last_says_how_many_are_missing():
    assert annotations(judged(*regressions(ANNOTATIONS)))[-1].endswith("1 finding: sentence 9.")
    lines = annotations(judged(*regressions(ANNOTATIONS + 3)))
    assert len(lines) == ANNOTATIONS == 10
    assert lines[-2].endswith("1 finding: sentence 8.")
    assert lines[-1] == "::error title=diffbench::4 more annotations: see the summary"
    stale = [Finding(STALE, "new", f"scheme-{i}", "new.") for i in range(5)]
    assert decoded(annotations(judged(*regressions(9), *stale))[-1])[::2] == (
        "warning", "5 more annotations: see the summary",
    )  # fmt: skip


@given(JUDGEMENTS)
def test_annotations_are_single_lines_that_decode_back(judgement):
    lines = annotations(judgement)
    grouped = {}
    for finding in judgement.findings:
        grouped.setdefault((finding.exit_code, finding.group), []).append(finding)
    assert len(lines) == min(len(grouped), ANNOTATIONS)
    for line, ((code, group), findings) in list(zip(lines, grouped.items(), strict=False))[: ANNOTATIONS - 1]:
        assert "\n" not in line
        assert "\r" not in line
        assert line.encode()
        level, title, message = decoded(line)
        assert level == ("warning" if code == STALE else "error")
        assert title == f"{shown(group) or 'run'}: {KINDS[code]}"
        assert re.fullmatch(r"(\d+) findings?: ", message.removesuffix(shown(findings[0].sentence)))[1] == str(
            len(findings)
        )


# metrics --------------------------------------------------------------------------------------------------------------


def row(**changed):
    return {
        "scheme": "forward-1", "derivative": 1, "dtype": "float64", "optimal_digits": 7.0, "usual_digits": 6.5,
        "evaluations": 2, "not_ok": 5,
    } | changed  # fmt: skip


def test_metrics_are_what_github_action_benchmark_reads():
    found = json.loads(to_metrics([row()], judged()))
    assert {frozenset(each) for each in found} == {frozenset({"name", "unit", "value", "extra"})}
    assert {each["name"]: (each["value"], each["unit"]) for each in found} == {
        "forward-1, derivative 1, float64: error at optimal epsilon": (pytest.approx(1e-7), "relative error"),
        "forward-1, derivative 1, float64: error at usual epsilon": (pytest.approx(10**-6.5), "relative error"),
        "forward-1, derivative 1, float64: evaluations": (2, "evaluations"),
        "forward-1, derivative 1, float64: cells not ok": (5, "cells"),
        "central-2: cells worse than the baseline": (1, "cells"),
        "forward-1: cells worse than the baseline": (2, "cells"),
    }
    assert not any("baseline" in each["name"] for each in json.loads(to_metrics([row()])))


def test_metrics_of_a_run_do_not_depend_on_the_order_of_rows():
    rows = ranking_rows(run(Spec("lab", dtypes=["float32", "float64"], derivatives=[1])).curves)
    text = to_metrics(rows)
    assert text == to_metrics(reversed(rows)) == to_metrics(iter(rows))
    names = [each["name"] for each in json.loads(text)]
    assert len(names) == len(set(names)) >= 2 * len(rows)


NUMBERS = st.none() | st.floats() | st.integers(-1000, 1000)


@given(st.builds(row, scheme=TEXTS, optimal_digits=NUMBERS, evaluations=NUMBERS), JUDGEMENTS)
def test_metrics_are_finite_numbers_whatever_is_measured(measured, judgement):
    text = to_metrics([measured], judgement)
    found = json.loads(text, parse_constant=pytest.fail)
    assert text.isascii()
    assert all(type(each["value"]) is float and math.isfinite(each["value"]) for each in found)
    assert found[-len(judgement.groups) - 1]["name"] == f"{measured['scheme']}, derivative 1, float64: cells not ok"
    digits = measured["optimal_digits"]
    errors = [each["value"] for each in found if each["name"].endswith("error at optimal epsilon")]
    assert [-math.log10(error) for error in errors] == ([pytest.approx(digits, rel=1e-9, abs=1e-9)] if errors else [])
    assert errors or digits is None or not abs(digits) < 307


def test_what_is_missing_or_no_double_holds_has_no_metric():
    for digits, evaluations in (
        (None, None),
        (-400.0, math.inf),
        (400, math.nan),
        (math.nan, -math.inf),
        (-math.inf, 2),
    ):
        measured = row(optimal_digits=digits, usual_digits=digits, evaluations=evaluations)
        names = [each["name"].split(": ")[1] for each in json.loads(to_metrics([measured]))]
        assert names == ["evaluations"] * (evaluations == 2) + ["cells not ok"]
