"""``diffbench check``: the gate."""

import os
from pathlib import Path
from typing import Any

import click

from diffbench.analysis.accepted import find_baseline
from diffbench.analysis.baseline import spec_of, suite_of
from diffbench.analysis.gate import check
from diffbench.analysis.judgement import Finding, Judgement
from diffbench.analysis.self_test import self_test
from diffbench.analysis.summary import ranking_rows
from diffbench.analysis.timed_tests import judge_timed_tests
from diffbench.cli.measuring import complete_run, progress_of
from diffbench.cli.output import format_option, print_table, say
from diffbench.cli.progress import Meter, raise_on_sigterm
from diffbench.cli.spec_options import chosen_spec, given, run_name, spec_options
from diffbench.errors import EmptySelectionError, InputError, NotComparableError
from diffbench.report.continuous_integration import annotations, to_junit, to_metrics, to_step_summary
from diffbench.report.tables import judgement_table
from diffbench.sweep.files import io_errors, write_file
from diffbench.sweep.provenance import platform_key
from diffbench.sweep.results import Results
from diffbench.sweep.run import run

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Judge a run, or a spec, by a baseline.")
@spec_options
@click.option("--baseline", help="A baseline below results/baselines by name, a folder of them, or a file.")
@click.option("--only", multiple=True, help="Judge only functions and schemes that match this glob.")
@click.option("--self-test", "tests_itself", is_flag=True, help="Perturb a weight by 1 + 2u, which must end in 1.")
@click.option("--junit", type=_FILE, help="Write the judgement as JUnit XML to this file.")
@click.option("--summary", type=_FILE, help="Write it as Markdown to this file.")
@click.option("--metrics", type=_FILE, help="Write errors as JSON for github-action-benchmark to this file.")
@click.option("--github", is_flag=True, help="Print annotations, and add to the step summary, of GitHub Actions.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@format_option
def command(*, tests_itself: bool, quiet: bool, style: str, **chosen: Any) -> int:
    """Judge a run folder, or what a spec measures now, or the JSON file of pytest-benchmark, by a baseline.

    Without an argument the standard suite is measured. Every broken rule is one sentence, and the last line is the
    gravest of them or says that there is none.

    Exit codes: 0 passed, 1 worse, 4 not comparable, 5 nothing selected, 6 uncertain, 7 the baseline is stale.
    """
    raise_on_sigterm()
    with Meter(enabled=not quiet) as meter:
        if tests_itself:
            return _test_itself(meter, chosen)
        try:
            results, found = _judged(meter, chosen)
        except (NotComparableError, EmptySelectionError) as error:
            # What could not be judged is an answer too, for those who read files.
            finding = Finding(error.exit_code, "selection", "", str(error), 0)
            _write(Judgement("check", chosen["baseline"] or "a baseline", {}, (finding,)), None, chosen)
            raise
    _write(found, results, chosen)
    return _say(found, style)


def _judged(meter: Meter, chosen: dict[str, Any]) -> tuple[Results | None, Judgement]:
    """Return what was judged and how; timed tests have no results."""
    subject, name, only = chosen["spec_file"], chosen["baseline"], chosen["only"]
    if subject is not None and subject.suffix == ".json":
        _refuse(chosen, ("only",), "a file of timed tests")
        return None, judge_timed_tests(subject, name)
    if subject is not None and subject.is_dir():
        _refuse(chosen, (), "a run")
        results = complete_run(subject)
        suite = name or suite_of(spec_of(results))
        if not suite:
            raise NotComparableError("baseline: the run is not that of a built-in suite as it is; say --baseline NAME")
        return results, check(results, find_baseline(suite, platform_key(results.manifest)), only)
    spec = chosen_spec(chosen)
    held = find_baseline(name or run_name(chosen))
    wanted = spec.only(only)
    results = run(wanted, progress=progress_of(meter, wanted))
    return results, check(results, held, only)


def _refuse(chosen: dict[str, Any], others: tuple[str, ...], subject: str) -> None:
    """Refuse options that say what to measure, and others, where something measured is given."""
    names = [*(name for name in given(chosen) if name != "spec_file"), *(name for name in others if chosen[name])]
    if names:
        raise InputError(f"check: {subject} is judged as it is, {', '.join(names)} cannot be given")


def _test_itself(meter: Meter, chosen: dict[str, Any]) -> int:
    subject = chosen["spec_file"]
    if subject is not None and (subject.is_dir() or subject.suffix == ".json"):
        raise InputError("self-test: it measures anew, so it needs a spec or a suite")
    others = [name for name in ("only", "junit", "summary", "metrics", "github") if chosen[name]]
    if others:
        raise InputError(f"self-test: nothing is judged by it, {', '.join(others)} cannot be given")
    spec = chosen_spec(chosen)
    held = find_baseline(chosen["baseline"] or run_name(chosen))
    name, found = self_test(spec, held, lambda each: run(each, progress=progress_of(meter, each)))
    say(f"self-test: {name} with a weight times 1 + 2u is noticed, as it must be: {found.reason}")
    return 1


def _write(found: Judgement, results: Results | None, chosen: dict[str, Any]) -> None:
    if chosen["junit"] is not None:
        write_file(chosen["junit"], to_junit(found))
    if chosen["summary"] is not None:
        write_file(chosen["summary"], to_step_summary(found))
    if chosen["metrics"] is not None:
        write_file(chosen["metrics"], to_metrics([] if results is None else ranking_rows(results.curves), found))
    if chosen["github"]:
        for line in annotations(found):
            say(line, err=True)
        _add_to_step_summary(found)


def _add_to_step_summary(found: Judgement) -> None:
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if name:
        path = Path(name)
        with io_errors(path), path.open("ab") as file:
            file.write(to_step_summary(found).encode())


def _say(found: Judgement, style: str) -> int:
    is_json = style == "json"
    print_table(judgement_table(found), style)
    for sentence in (*found.notes, *(each.sentence for each in found.findings[1:]), found.reason):
        say(sentence, err=is_json)
    return found.exit_code
