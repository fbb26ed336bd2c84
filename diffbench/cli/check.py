"""``diffbench check``: the gate."""

import os
from pathlib import Path
from typing import Any

import click

from diffbench.analysis.accepted import find_baseline
from diffbench.analysis.baseline import Baseline, suite_of
from diffbench.analysis.gate import check
from diffbench.analysis.judgement import Judgement
from diffbench.analysis.self_test import self_test
from diffbench.analysis.summary import ranking_rows
from diffbench.analysis.timed_tests import judge_timed_tests
from diffbench.cli.measuring import progress_of
from diffbench.cli.output import format_option, print_table
from diffbench.cli.progress import Meter
from diffbench.cli.spec_options import chosen_spec, given, run_name, spec_options
from diffbench.errors import DiffbenchError, InputError, NotComparableError
from diffbench.report.continuous_integration import annotations, to_junit, to_metrics, to_step_summary
from diffbench.report.tables import judgement_table
from diffbench.sweep.export import SCHEMA_VERSION
from diffbench.sweep.files import read_object, resume_command, run_path, write_file
from diffbench.sweep.provenance import platform_key
from diffbench.sweep.results import Results
from diffbench.sweep.run import run
from diffbench.sweep.spec import Spec
from diffbench.sweep.stored import load

_FILE = click.Path(path_type=Path)


@click.command(short_help="Judge a run, or a spec, by a baseline.")
@spec_options
@click.option("--baseline", help="A suite with baselines below results/baselines, a folder of them, or a file.")
@click.option("--only", multiple=True, help="Judge only functions or schemes that match this glob.")
@click.option("--self-test", "tests_itself", is_flag=True, help="Perturb a weight by 1 + 2u, which must end in 1.")
@click.option("--junit", type=_FILE, help="Write the judgement as JUnit XML to this file.")
@click.option("--summary", type=_FILE, help="Write it as Markdown to this file.")
@click.option("--metrics", type=_FILE, help="Write errors as JSON for github-action-benchmark to this file.")
@click.option("--github", is_flag=True, help="Print annotations, and add to the step summary, of GitHub Actions.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@format_option
def command(
    baseline: str | None, only: tuple[str, ...], *, tests_itself: bool, quiet: bool, style: str, **chosen: Any
) -> int:
    """Judge a run folder, or what a spec measures now, or the JSON file of pytest-benchmark, by a baseline.

    Without an argument the standard suite is measured. Every broken rule is one sentence, and the last line is the
    gravest of them or says that there is none.

    Exit codes: 0 passed, 1 worse, 4 not comparable, 5 nothing selected, 6 uncertain, 7 the baseline is stale.
    """
    subject = chosen["spec_file"]
    with Meter(enabled=not quiet) as meter:
        if subject is not None and subject.suffix == ".json":
            _refuse(
                chosen, {"only": only, "self-test": tests_itself, "metrics": chosen["metrics"]}, "a file of timed tests"
            )
            results, found = None, judge_timed_tests(subject, baseline)
        elif tests_itself:
            return _test_itself(_spec(subject, chosen), baseline, meter, chosen)
        elif subject is not None and subject.is_dir():
            _refuse(chosen, {}, "a run")
            results = _stored(subject)
            found = check(results, _baseline(baseline, results, platform_key(results.manifest)), only)
        else:
            spec = _spec(subject, chosen)
            held = find_baseline(baseline or suite_of(spec) or run_name(chosen))
            results = run(spec, progress=progress_of(meter, spec))
            found = check(results, held, only)
    _write(found, results, chosen)
    return _say(found, style, chosen)


def _refuse(chosen: dict[str, Any], others: dict[str, Any], subject: str) -> None:
    """Refuse options that say what to measure where something measured is given."""
    names = [
        *(name for name in given(chosen) if name != "spec_file"),
        *(name for name, value in others.items() if value),
    ]
    if names:
        raise InputError(f"check: {subject} is judged as it is, {', '.join(names)} cannot be given")


def _spec(subject: Path | None, chosen: dict[str, Any]) -> Spec:
    if subject is not None and subject.is_dir():
        raise InputError("self-test: it measures anew, so it needs a spec or a suite, not a run")
    return chosen_spec(chosen)


def _stored(path: Path) -> Results:
    """Return the results of a run folder; one that is not complete, or of another schema, is not comparable."""
    manifest = read_object(run_path(path) / "manifest.json")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise NotComparableError(f"run: {path} is of schema {manifest.get('schema_version')!r}, not {SCHEMA_VERSION}")
    if manifest.get("state") != "complete":
        raise NotComparableError(f"run: {path} is not complete; {resume_command(path)} finishes it")
    return load(path)


def _baseline(name: str | None, results: Results, platform: str) -> Baseline:
    suite = name or suite_of(Spec.from_text(results.spec))
    if not suite:
        raise NotComparableError("baseline: the run has the functions of no built-in suite; say --baseline NAME")
    return find_baseline(suite, platform)


def _test_itself(spec: Spec, baseline: str | None, meter: Meter, chosen: dict[str, Any]) -> int:
    held = find_baseline(baseline or suite_of(spec) or run_name(chosen))
    name, found = self_test(spec, held, lambda each: run(each, progress=progress_of(meter, each)))
    if found.exit_code != 1:
        raise DiffbenchError(f"self-test: {name} with a weight times 1 + 2u passed; this gate sees nothing")
    click.echo(f"self-test: {name} with a weight times 1 + 2u is noticed, as it must be: {found.reason}")
    return found.exit_code


def _write(found: Judgement, results: Results | None, chosen: dict[str, Any]) -> None:
    if chosen["junit"] is not None:
        write_file(chosen["junit"], to_junit(found))
    if chosen["summary"] is not None:
        write_file(chosen["summary"], to_step_summary(found))
    if chosen["metrics"] is not None:
        write_file(chosen["metrics"], to_metrics([] if results is None else ranking_rows(results.curves), found))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if chosen["github"] and summary:
        path = Path(summary)
        before = path.read_text("utf-8") if path.is_file() else ""
        write_file(path, before + to_step_summary(found))


def _say(found: Judgement, style: str, chosen: dict[str, Any]) -> int:
    is_json = style == "json"
    print_table(judgement_table(found), style)
    if chosen["github"]:
        for line in annotations(found):
            click.echo(line, err=is_json)
    for each in found.findings[1:]:
        click.echo(each.sentence, err=is_json)
    click.echo(f"{found.reason}", err=is_json)
    return found.exit_code
