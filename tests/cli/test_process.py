"""The command line as a user meets it: real processes, their streams, codes and signals."""

import json
import os
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from diffbench import load
from diffbench.errors import StoreError

COMMAND = (sys.executable, "-m", "diffbench")


def diffbench(*arguments, cwd, **options):
    return subprocess.run([*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return a folder in which the lab was run, and what that printed."""
    folder = tmp_path_factory.mktemp("process")
    return folder, diffbench("run", "--suite", "lab", "--out", "lab", cwd=folder)


def test_help_needs_nothing(tmp_path):
    outcome = diffbench("--help", cwd=tmp_path)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith("Usage: ")


def test_no_arguments_are_a_usage_error_that_helps(tmp_path):
    outcome = diffbench(cwd=tmp_path)
    assert outcome.returncode == 2
    assert "Usage: " in outcome.stdout + outcome.stderr


def test_the_lab_end_to_end(done):
    folder, outcome = done
    assert outcome.returncode == 0
    assert "6.000999999999479" in outcome.stdout
    assert "-0.031238285155041345" in outcome.stdout
    assert outcome.stdout.splitlines()[-1] == "report: lab/report.html"
    assert (folder / "lab" / "report.html").stat().st_size > 10_000
    assert "\x1b" not in outcome.stdout + outcome.stderr
    assert [path.name for path in folder.iterdir()] == ["lab"]


@pytest.mark.slow
def test_warnings_are_errors_and_there_are_none(tmp_path):
    outcome = diffbench(
        *("run", "-f", "abs", "-f", "exp-100x", "--epsilon", "1:1e-30:1/decade", "--out", "run", "--quiet"),
        cwd=tmp_path,
        env=os.environ | {"PYTHONWARNINGS": "error::RuntimeWarning"},
    )
    assert (outcome.returncode, outcome.stderr) == (0, "")


@pytest.mark.slow
def test_show_prints_what_run_printed(done):
    folder, outcome = done
    first = diffbench("show", "lab", cwd=folder)
    assert first.returncode == 0
    assert outcome.stdout.startswith(first.stdout)


@pytest.mark.slow
def test_json_can_be_piped(done):
    folder, _ = done
    outcome = diffbench("show", "lab", "--format", "json", cwd=folder)
    assert len(json.loads(outcome.stdout, parse_constant=pytest.fail)) == 21


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(["run", "-f", "sin(x", "--at", "1", "--out", "new"], 2, "position 5", marks=pytest.mark.slow),
        pytest.param(["run", "--suite", "lab", "--out", "file/below"], 74, "file/below", marks=pytest.mark.slow),
        (["exact", "Abs(x)", "--at", "0", "--format", "json"], 6, "nondifferentiable"),
    ],
)
def test_mistakes_are_one_line_without_traceback(arguments, code, says, tmp_path):
    (tmp_path / "file").write_text("here")
    outcome = diffbench(*arguments, cwd=tmp_path)
    assert outcome.returncode == code
    assert outcome.stderr.count("\n") == 1
    assert says in outcome.stderr
    assert "Traceback" not in outcome.stdout + outcome.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
def test_numbers_are_printed_in_utf8_whatever_the_locale(done):
    folder, _ = done
    outcome = subprocess.run(
        [*COMMAND, "show", "lab"],
        cwd=folder,
        capture_output=True,
        check=False,
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "1"},
    )
    assert outcome.returncode == 0
    assert "ε" in outcome.stdout.decode("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_leaves_whole_files(number, tmp_path):
    # The standard suite is one piece of work, and nearly done when its first line is read; this is several.
    several = ("--dtype", "float32", "--dtype", "float64", "--epsilon", "1:1e-16:40/decade")
    with subprocess.Popen(
        [*COMMAND, "run", *several, "--out", "run"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        first = process.stderr.readline()
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.stdout.read() == ""
    assert first.startswith("sweep: ")
    assert process.returncode == 130
    assert rest.splitlines()[-1] == "diffbench: interrupted; diffbench run --resume run goes on"
    assert "Traceback" not in rest
    assert json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))["state"] == "running"
    assert not (tmp_path / "run" / "report.html").exists()
    with pytest.raises(StoreError, match="not a complete run"):
        load(tmp_path / "run")
    for path in (tmp_path / "run" / "cells").iterdir():
        assert pq.read_table(path).num_rows > 0


@pytest.mark.slow
def test_the_main_job_takes_seconds_and_leaves_the_report(tmp_path):
    outcome = diffbench("run", cwd=tmp_path, timeout=300)
    assert outcome.returncode == 0
    page = tmp_path / outcome.stdout.splitlines()[-1].removeprefix("report: ")
    assert page.is_file()
    assert page.relative_to(tmp_path).parts[0] == "results"
    assert page.parent.name.startswith("standard-")
    manifest = json.loads((page.parent / "manifest.json").read_text("utf-8"))
    assert manifest["planned"] == sum(manifest["status"].values()) > 250_000
    assert manifest["status"]["failed"] == 0
    # One figure a function; and the headline figures, the accuracy along x, the heat map.
    figures = {path.stem for path in (page.parent / "figures").glob("*.svg")}
    whole = {f"{name}-d1-float64" for name in ("profile", "work-precision", "classes", "over-x", "digits")}
    assert whole <= figures
    assert len(figures - whole) == len(list((page.parent / "cells").iterdir()))
    assert page.stat().st_size < 3_000_000


def test_a_reader_that_goes_away_is_no_error(done):
    folder, _ = done
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*COMMAND, "show", "lab"], cwd=folder, **streams) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
