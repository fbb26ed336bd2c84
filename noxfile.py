#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2024.10.9"]
# ///
"""What make does, where there is no make: ``nox -s test``. Each session has the name and the commands of its target."""

import os
import shutil

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True

JOBS = os.environ.get("JOBS", "2")


@nox.session(default=False)
def report(session: nox.Session) -> None:
    """Sweep the standard suite and leave its report in results/."""
    session.install("-e", ".")
    session.run("diffbench", "run", "--rule", "all")


@nox.session
def test(session: nox.Session) -> None:
    """Run the quick test suite."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "-m", "not slow", "-n", JOBS, *session.posargs)


@nox.session(name="test-slow", default=False)
def test_slow(session: nox.Session) -> None:
    """Run the slow tests: the browser, clusters, other packages, the wheel."""
    session.install("-e", ".[all,dev,docs]")
    session.run("python", "-m", "pytest", "-m", "slow", "-n", JOBS, *session.posargs)


@nox.session(name="test-all", venv_backend="none", default=False)
def test_all(session: nox.Session) -> None:
    """Run all tests."""
    session.notify("test")
    session.notify("test-slow")


@nox.session
def check(session: nox.Session) -> None:
    """Check format, lint, types, imports, spelling, workflows, and the repository as a whole."""
    session.install("-e", ".[test,dev]")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")
    session.run("lint-imports")
    session.run("bandit", "--quiet", "--recursive", "--configfile", "pyproject.toml", "diffbench")
    session.run("codespell", ".", ".github")
    session.run("check-jsonschema", "--builtin-schema", "vendor.citation-file-format", "CITATION.cff")
    session.run("check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml")
    session.run("zizmor", "--offline", "--quiet", ".github")
    session.run("repo-review", "--show", "errskip", ".")


@nox.session(default=False)
def verify(session: nox.Session) -> None:
    """Verify every reference of every suite, three ways."""
    session.install("-e", ".")
    session.run("diffbench", "references", "verify")


@nox.session(default=False)
def gate(session: nox.Session) -> None:
    """Judge the standard suite by its baseline, and the gate by a weight that is wrong."""
    session.install("-e", ".")
    session.run("diffbench", "check")
    session.run("diffbench", "check", "--self-test", success_codes=[1])


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure ratios of times; ``-- --record --note "…"`` adds them to the history."""
    session.install("-e", ".[test,bench]")
    session.run("python", "-m", "pytest", "benchmarks", "--benchmark-enable", "--benchmark-quiet", *session.posargs)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Say which lines and branches of the package no quick test runs."""
    session.install("-e", ".[all,dev,docs]")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-m", "not slow", "-n", JOBS)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", "--show-missing", "--skip-covered")


@nox.session(default=False)
def mutation(session: nox.Session) -> None:
    """Change the code a little in many places, each of which a test must notice."""
    session.install("-e", ".[test,dev]")
    session.run("mutmut", "run", "--max-children", JOBS, *session.posargs)
    session.run("python", ".ci/mutation_score.py")


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Give parsers and loaders many inputs that nobody would write."""
    session.install("-e", ".")
    counts = ("--inputs", os.environ.get("INPUTS", "1000000"), "--seed", os.environ.get("SEED", "1"))
    session.run("python", "tests/fuzz/fuzz.py", *counts, "--processes", JOBS)


@nox.session(default=False)
def example(session: nox.Session) -> None:
    """Make the report of the standard suite that the README shows again, and its tables of step rules."""
    session.install("-e", ".")
    for folder in ("build/example", "build/rules", "docs/example/figures"):
        shutil.rmtree(folder, ignore_errors=True)
    session.run("diffbench", "run", "--quiet", "--out", "build/example")
    page = ("--format", "md", "-f", "exp", "--out", "docs/example")
    session.run("diffbench", "report", "build/example", "--quiet", *page)
    shutil.copy("build/example/tables/ranking.md", "docs/example/ranking.md")
    rules = ("--rule", "all", "-s", "forward-1", "-s", "central-2", "--out", "build/rules")
    session.run("diffbench", "run", "--quiet", *rules)
    for name in ("regret.md", "regret-classes.md"):
        shutil.copy(f"build/rules/tables/{name}", "docs/example")
    session.run("python", "docs/example/into_readme.py")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the site; every example of it runs."""
    session.install("-e", ".[test,docs]")
    strict = ("--fail-on-warning", "--keep-going", "--nitpicky", "--fresh-env", "--jobs", JOBS, "--quiet")
    session.run("python", "-m", "sphinx", *strict, "docs", "build/docs")


@nox.session(default=False)
def leaderboard(session: nox.Session) -> None:
    """Measure other packages beside the schemes of their class."""
    session.install("-e", ".[libraries]")
    shutil.rmtree("build/leaderboard", ignore_errors=True)
    session.run("diffbench", "leaderboard", "--out", "build/leaderboard")
    session.run("python", "benchmarks/keep_leaderboard.py")


if __name__ == "__main__":
    nox.main()
