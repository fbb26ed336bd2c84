"""Killed at any moment and resumed, a run ends with the bytes of one that was never interrupted."""

import json
import random
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from folders import contents, differences, manifest_of

from diffbench import load
from diffbench.errors import DiffbenchError
from diffbench.sweep.store import JOURNAL, KEPT

pytestmark = pytest.mark.slow

ROUNDS = 50
BLOCKS = 204
POLL = 0.002
"""Seconds between two looks at the journal, spent waiting for the process."""

FORMULAS = ("exp({k}*x/7)", "sin({k}*x)", "1/(1 + {k}*x**2)", "log({k} + x**2)", "cosh(x)/{k}", "atan({k}*x)")


def spec_text():
    functions = [
        f'[[functions]]\nname = "f{i}"\nformula = "{FORMULAS[i % 6].format(k=i + 1)}"\n'
        f'points = ["0.1", "0.7", "1", "1.9", "2.5", "3", "3.3", "0.01"]\n'
        for i in range(34)
    ]
    head = 'epsilons = "1:1e-12:8/decade"\ndtypes = ["float16", "float32", "float64"]\nderivatives = [1, 2]\n'
    return "\n".join([head + 'schemes = ["central-2", "forward-1"]\n', *functions])


def start(folder, *arguments):
    command = [sys.executable, "-m", "diffbench", "run", *arguments, "--no-report", "--quiet"]
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def begin(folder, keep):
    return start(folder, "spec.toml", "--out", "run", "--keep", keep)


def go_on(folder, keep):
    """Start the run again where it was not yet born, else resume it."""
    is_born = (folder / "run" / "manifest.json").is_file()
    return start(folder, "--resume", "run") if is_born else begin(folder, keep)


def ends(process):
    """Wait for a process that nobody kills."""
    _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, "")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return run folders that were never interrupted, by what they keep, and how many seconds one took."""
    folders = {}
    for keep in KEPT:
        base = tmp_path_factory.mktemp(keep)
        (base / "spec.toml").write_text(spec_text())
        before = time.perf_counter()
        ends(begin(base, keep))
        seconds = time.perf_counter() - before
        folders[keep] = contents(base / "run")
        assert len(folders[keep]["manifest.json"]["blocks"]) == BLOCKS
    return folders, seconds


def kill_after_lines(process, journal, lines):
    while process.poll() is None and (not journal.is_file() or journal.read_bytes().count(b"\n") < lines):
        wait(process, POLL)
    process.kill()
    process.communicate()


def kill_after_seconds(process, seconds):
    wait(process, seconds)
    process.kill()
    process.communicate()


def wait(process, seconds):
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)


def looks_complete_only_if_it_is(folder, expected):
    if not (folder / "manifest.json").is_file():
        assert not folder.exists()
        return
    try:
        load(folder)
    except DiffbenchError as error:
        assert "not a complete run" in str(error)  # noqa: PT017  (a run may as well have been complete)
        assert manifest_of(folder)["state"] == "running"
        return
    found = contents(folder)
    found.pop(JOURNAL, None)
    assert differences(found, expected) == []


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_run_that_is_killed_and_resumed_has_the_bytes_of_one_that_was_not(seed, whole, tmp_path):
    chance = random.Random(seed)  # noqa: S311  (no secret)
    keep = "summary" if seed % 5 == 4 else "cells"
    expected, seconds = whole[0][keep], whole[1]
    (tmp_path / "spec.toml").write_text(spec_text())
    run, journal = tmp_path / "run", tmp_path / "run" / JOURNAL
    for attempt in range(chance.choice((1, 1, 2, 3))):
        process = go_on(tmp_path, keep) if attempt else begin(tmp_path, keep)
        if chance.random() < 0.5:
            kill_after_lines(process, journal, chance.randrange(BLOCKS + 2))
        else:
            kill_after_seconds(process, chance.uniform(0.3, 1) * seconds)
        looks_complete_only_if_it_is(run, expected)
    ends(go_on(tmp_path, keep))
    assert differences(contents(run), expected) == []
    planned = json.loads((run / "plan.json").read_text("utf-8"))["planned"]
    assert planned == sum(manifest_of(run)["status"].values())
    assert not list(tmp_path.rglob("*.partial"))
