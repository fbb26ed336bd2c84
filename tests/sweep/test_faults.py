"""What a machine can do to a run: each fault on real files and in real processes, a line of one table each.

After every fault the same holds: one line on stderr that names the file or what to do, its exit code, and a run that
goes on to the bytes of one that was never harmed. Elsewhere is tested: a run that is killed at random moments
(test_kill.py), damage and interruption through the Python interface (test_resume.py), the lock and the workers of a
process that is killed (test_lock.py), damage while it is read (test_store.py), signals (cli/test_process.py).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from folders import contents, differences, manifest_of, put_manifest
from forks import Forks

from diffbench.errors import StoreError
from diffbench.report.overview import elapsed_of
from diffbench.sweep.store import JOURNAL, read_manifest

COMMAND = (sys.executable, "-m", "diffbench")
SPEC = """
functions = ["exp", "sqrt"]
schemes = ["forward-1", "central-2"]
epsilons = "1e-1:1e-4:1/decade"
dtypes = ["float32", "float64"]
anatomy = false
"""
BLOCKS = 4
RENAMES = 1 + 2 * BLOCKS + 2
"""The folder's own, two files a block, the references, the manifest."""

QUIET = ("--quiet", "--no-report")
BEGIN = ("run", "spec.toml", "--out", "run", "--jobs", "1", *QUIET)
RESUME = ("run", "--resume", "run", "--jobs", "1", *QUIET)

STOP = """
import os, signal
from diffbench.sweep import store
add, count = store.RunFolder.add, []
def stop(folder, packed):
    if len(count) == {blocks}:
        os.kill(os.getpid(), signal.SIGKILL)
    count.append(add(folder, packed))
store.RunFolder.add = stop
"""
"""Ends a process after some blocks."""


def mostly_slow(values, *quick):
    """Return parameters of which a few are tried in the quick suite."""
    return [pytest.param(value, marks=() if value in quick else pytest.mark.slow) for value in values]


@pytest.fixture(scope="module")
def unharmed(fork, tmp_path_factory):
    """Return the folder of a run that nothing happened to."""
    folder = prepared(tmp_path_factory.mktemp("unharmed"))
    assert fork(*BEGIN, cwd=folder).code == 0
    assert len(manifest_of(folder / "run")["blocks"]) == BLOCKS
    return folder / "run"


@pytest.fixture
def complete(unharmed, tmp_path):
    """Return a complete run that may be harmed; its parent holds the spec."""
    return shutil.copytree(unharmed, prepared(tmp_path) / "run")


@pytest.fixture
def interrupted(fork, tmp_path):
    """Return a run whose process was killed after two blocks."""
    assert fork(*BEGIN, cwd=prepared(tmp_path), fault=STOP.format(blocks=2)).code == -signal.SIGKILL
    return tmp_path / "run"


def prepared(folder):
    (folder / "spec.toml").write_text(SPEC, "utf-8")
    return folder


def one_line(outcome, code, *says):
    assert (outcome.code, outcome.out) == (code, ""), outcome
    assert outcome.err.startswith("diffbench: ")
    assert outcome.err.count("\n") == 1
    for text in says:
        assert text in outcome.err


def goes_on(fork, folder, unharmed):
    """Begin a run that was not born, or finish one that was; it is then as if nothing had happened."""
    is_born = (folder / "run").exists()
    outcome = fork(*(RESUME if is_born else BEGIN), cwd=folder)
    assert (outcome.code, outcome.err) == (0, "")
    assert differences(contents(folder / "run"), contents(unharmed)) == []


@contextmanager
def mounted(folder, *options):
    """Mount memory at a folder, or skip the test where that is not allowed."""
    folder.mkdir()
    done = mount("-t", "tmpfs", "-o", ",".join(("nodev", *options)), "none", str(folder))
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def mount(*arguments):
    if shutil.which("mount") is None:
        pytest.skip("there is no mount")
    return subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)


# disk full ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", mostly_slow(range(4, 128, 4), 52))
def test_disk_full(size, fork, unharmed, tmp_path):
    with mounted(tmp_path / "disk", f"size={size}k") as disk:
        (tmp_path / "spec.toml").write_text(SPEC, "utf-8")
        outcome = fork("run", "../spec.toml", *BEGIN[2:], cwd=disk)
        if outcome.code != 0:
            is_born = (disk / "run").exists()
            says = ("diffbench run --resume run goes on",) if is_born else ()
            one_line(outcome, 74, "diffbench: run", "No space left on device", *says)
            assert not list(disk.rglob("*.partial"))
            done = finished(disk / "run")
            again = fork(*(RESUME if is_born else ("run", "../spec.toml", *BEGIN[2:])), cwd=disk)
            one_line(again, 74, "No space left on device")
            assert done <= finished(disk / "run")
            assert mount("-o", "remount,size=1m", str(disk)).returncode == 0
        else:
            # KiB, more than the cells alone.
            assert size > 52
        prepared(disk)
        goes_on(fork, disk, unharmed)


def finished(folder):
    """Return the blocks that are finished."""
    lines = (folder / JOURNAL).read_bytes().splitlines() if (folder / JOURNAL).exists() else []
    return {json.loads(line)["name"] for line in lines if line.endswith(b"}")}


@pytest.mark.parametrize("size", mostly_slow([100, 900, 3000, 5300], 3000))
def test_files_that_may_not_be_that_large(size, fork, unharmed, tmp_path):
    pytest.importorskip("resource")
    fault = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    outcome = fork(*BEGIN, cwd=prepared(tmp_path), fault=fault)
    one_line(outcome, 74, "diffbench: run", "File too large")
    assert not list(tmp_path.rglob("*.partial"))
    goes_on(fork, tmp_path, unharmed)


@pytest.mark.slow
def test_disk_full_while_the_report_is_written(fork, unharmed, tmp_path):
    size = sum(len(data) + 4096 for data in files(unharmed).values()) + 100_000
    with mounted(tmp_path / "disk", f"size={size}") as disk:
        shutil.copytree(unharmed, disk / "run")
        outcome = fork("run", "--resume", "run", "--quiet", cwd=disk)
        one_line(outcome, 74, "diffbench: run/", "No space left on device", "run --resume run goes on")
        assert fork("show", "run", cwd=disk).code == 0
        found = contents(disk / "run")
        assert differences({name: found[name] for name in contents(unharmed)}, contents(unharmed)) == []
        assert not list(disk.rglob("*.partial"))


@pytest.mark.parametrize("verb", [("show",), ("status",), ("show", "--format", "json")])
def test_the_disk_that_is_printed_to_is_full(verb, fork, complete):
    fault = 'import os; os.dup2(os.open("/dev/full", os.O_WRONLY), 1)'
    outcome = fork(*verb, "run", cwd=complete.parent, fault=fault)
    one_line(outcome, 74, "stdout: No space left on device")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_streams_that_are_closed(stream, fork, complete):
    outcome = fork("show", "run", cwd=complete.parent, fault=f"import sys; sys.{stream} = None")
    assert (outcome.code, outcome.err) == (0, "")
    missing = fork("show", "absent", cwd=complete.parent, fault=f"import sys; sys.{stream} = None")
    assert missing.code == 2


# read-only folder -----------------------------------------------------------------------------------------------------


@contextmanager
def read_only(folder, *, holds):
    """Give a read-only copy of a run and its spec."""
    with mounted(folder, "size=4m") as disk:
        shutil.copytree(holds, prepared(disk) / "run")
        assert mount("-o", "remount,ro", str(disk)).returncode == 0
        yield disk


def test_read_only_folder(fork, complete, tmp_path):
    with read_only(tmp_path / "disk", holds=complete) as disk:
        for verb in ("show", "status"):
            assert fork(verb, "run", cwd=disk).code == 0
        one_line(fork("run", "spec.toml", "--out", "new", *QUIET, cwd=disk), 74, "new: Read-only file system")
        one_line(fork("run", "spec.toml", *QUIET, cwd=disk), 74, "results/", "Read-only file system")
        one_line(fork("report", "run", "--quiet", cwd=disk), 74, "run", "Read-only file system")
        one_line(fork(*RESUME, cwd=disk), 74, "run/plan.json: Read-only file system")


@pytest.mark.slow
def test_an_interrupted_run_in_a_read_only_folder(fork, interrupted, unharmed, tmp_path):
    with read_only(tmp_path / "disk", holds=interrupted) as disk:
        one_line(fork(*RESUME, cwd=disk), 74, "run/plan.json: Read-only file system")
        assert "interrupted: " in fork("status", "run", cwd=disk).out
        assert mount("-o", "remount,rw", str(disk)).returncode == 0
        goes_on(fork, disk, unharmed)


# a file removed, truncated or bit-flipped -----------------------------------------------------------------------------


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


HARMS = {
    "removed": Path.unlink,
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "flipped": flip,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}
CELLS, CURVES = "cells/exp-d1-float64.parquet", "curves/sqrt-d1-float32.parquet"


@pytest.mark.parametrize("harm", mostly_slow(HARMS, "flipped"))
@pytest.mark.parametrize("name", [CELLS, CURVES, "references.parquet", "plan.json"])
def test_a_harmed_file_of_a_complete_run_is_named_and_mended(name, harm, fork, complete, unharmed):
    HARMS[harm](complete / name)
    if name in (CURVES, "plan.json"):
        outcome = fork("show", "run", cwd=complete.parent)
        one_line(outcome, 74, f"run/{name}: damaged, ", "; diffbench run --resume run mends it")
    outcome = fork(*RESUME, cwd=complete.parent)
    assert outcome.code == 0
    assert outcome.err.count("\n") == (name != "references.parquet")
    assert name == "references.parquet" or f"{name} was damaged or missing, " in outcome.err
    goes_on(fork, complete.parent, unharmed)


@pytest.mark.parametrize("harm", mostly_slow(HARMS, "truncated"))
@pytest.mark.parametrize("name", ["manifest.json", "spec.toml"])
def test_a_harmed_file_that_nothing_tells_again_is_named_and_everything_else_is_kept(
    name, harm, fork, complete, unharmed
):
    HARMS[harm](complete / name)
    kept = files(complete)
    for command in (("show", "run"), RESUME):
        outcome = fork(*command, cwd=complete.parent)
        one_line(outcome, 74, f"run/{name}: damaged, ", "; put back a copy of it, or make it again")
    assert files(complete) == kept
    shutil.copy(unharmed / name, complete / name)
    goes_on(fork, complete.parent, unharmed)


def files(folder):
    """Return every file of a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("harm", mostly_slow(HARMS, "flipped"))
@pytest.mark.parametrize("name", mostly_slow([CELLS.replace("64", "32"), JOURNAL, "plan.json"], JOURNAL))
def test_a_harmed_file_of_an_interrupted_run_is_mended(name, harm, fork, interrupted, unharmed):
    before = {path: path.stat().st_mtime_ns for path in (interrupted / "curves").iterdir()}
    HARMS[harm](interrupted / name)
    assert fork(*RESUME, cwd=interrupted.parent).code == 0
    assert differences(contents(interrupted), contents(unharmed)) == []
    if name == "plan.json":
        assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.parametrize("bit", mostly_slow(range(0, 5600, 331), 993))
def test_a_bit_of_the_journal_that_is_flipped_costs_at_most_its_own_block(bit, fork, interrupted, unharmed):
    path = interrupted / JOURNAL
    data = bytearray(path.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    path.write_bytes(data)
    goes_on(fork, interrupted.parent, unharmed)


@pytest.mark.parametrize("change", mostly_slow(['"planned": 16', '"block_size": 4', '"shards": 1'], '"planned": 16'))
def test_a_plan_that_still_reads_is_told_from_what_it_was(change, fork, complete, unharmed):
    path = complete / "plan.json"
    text = path.read_text("utf-8")
    assert change in text
    path.write_text(text.replace(change, f"{change[:-1]}3", 1), "utf-8")
    one_line(fork("show", "run", cwd=complete.parent), 74, "run/plan.json: damaged")
    assert fork(*RESUME, cwd=complete.parent).code == 0
    assert differences(contents(complete), contents(unharmed)) == []


CHANGES = {
    "planned": ('"planned": ', '"planned": 1'),
    "counts": ('"ok": 1', '"ok": 3'),
    "moment": ('"started": "2', '"started": "3'),
    "state": ('"state": "complete"', '"state": "comqlete"'),
    "processor": ('"cores": ', '"cores": 1'),
    "seal": ('"check": "', '"check": "0'),
}


@pytest.mark.parametrize("change", mostly_slow(CHANGES, "moment"))
def test_a_manifest_that_still_reads_is_told_from_what_it_was(change, fork, complete):
    path = complete / "manifest.json"
    text = path.read_text("utf-8")
    assert CHANGES[change][0] in text
    path.write_text(text.replace(*CHANGES[change], 1), "utf-8")
    kept = files(complete)
    says = "run/manifest.json: damaged, its own checksum", "; put back a copy of it, or make it again"
    for command in (("show", "run"), ("status", "run"), RESUME):
        one_line(fork(*command, cwd=complete.parent), 74, *says)
    assert files(complete) == kept


@pytest.mark.parametrize("first", mostly_slow(range(17), 0))
def test_whatever_bit_of_a_manifest_is_flipped_nothing_else_is_read(first, complete):
    path = complete / "manifest.json"
    data, whole = path.read_bytes(), read_manifest(complete)
    refused = []
    for bit in range(first, 8 * len(data), 119):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            found = read_manifest(complete)
        except StoreError as error:
            refused.append(str(error))
        else:
            # One that has lost its seal.
            assert {**found, "check": whole["check"]}.items() >= whole.items()
    assert len(refused) > 50
    assert all("manifest.json: " in each for each in refused)


def test_a_manifest_of_before_there_were_seals_is_read(fork, complete, unharmed):
    manifest = manifest_of(complete)
    del manifest["check"]
    (complete / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert fork("show", "run", cwd=complete.parent).code == 0
    goes_on(fork, complete.parent, unharmed)


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_summary_is_made_again_by_the_report(harm, fork, complete):
    report = ("report", "run", "--quiet")
    assert fork(*report, cwd=complete.parent).code == 0
    whole = files(complete)
    HARMS[harm](complete / "summary.parquet")
    assert fork(*report, cwd=complete.parent).code == 0
    assert files(complete) == whole


# two writers ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("command", [BEGIN, RESUME])
def test_two_writers(command, unharmed, fork, tmp_path):
    if command is RESUME:
        fork(*BEGIN, cwd=prepared(tmp_path), fault=STOP.format(blocks=1))
    prepared(tmp_path)
    with Forks() as other, ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda each: each(*command, cwd=tmp_path), (fork, other)))
    assert 0 in [outcome.code for outcome in outcomes]
    for outcome in outcomes:
        if outcome.code != 0:
            assert outcome.code == (74 if "another process" in outcome.err or "not empty" in outcome.err else 2)
            one_line(outcome, outcome.code, "run")
    assert differences(contents(tmp_path / "run"), contents(unharmed)) == []


@pytest.mark.slow
def test_two_reports_at_once(fork, complete):
    report = ("report", "run", "--quiet")
    assert fork(*report, cwd=complete.parent).code == 0
    whole = files(complete)
    # The other one is made whole between the writing of a file and its renaming.
    other = f"import subprocess; subprocess.run({[*COMMAND, *report]!r}, check=True)"
    outcome = fork(*report, cwd=complete.parent, fault=INTERRUPTED.format(number=1, harm=other))
    assert (outcome.code, outcome.err) == (0, "")
    assert files(complete) == whole


# killed workers, killed parent ----------------------------------------------------------------------------------------

MANY = ("run", "--suite", "standard", "-s", "forward-1", "--dtype", "float32", "--dtype", "float64", "--no-anatomy")
MANY = (*MANY, "--epsilon", "1:1e-16:40/decade", "--out", "run", "--jobs", "2")


@contextmanager
def started(*arguments, cwd):
    """Start a command line, which is in a session of its own."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def workers_of(process):
    """Return the processes that are workers of another one."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("there is no /proc")
    found = []
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def line_with(stream, text):
    """Read until a line says something."""
    return next(line for line in stream if text in line)


@pytest.mark.slow
def test_killed_workers(tmp_path):
    with started(*MANY, "--executor", "processes", "--no-report", cwd=tmp_path) as process:
        line_with(process.stderr, "sweep: ")
        os.kill(workers_of(process)[0], signal.SIGKILL)
        _, err = process.communicate(timeout=240)
    assert process.returncode == 0
    assert "diffbench: a worker process died; what it had not finished is done again\n" in err
    assert "Traceback" not in err
    whole = subprocess.run([*COMMAND, *MANY[:-3], "whole", *QUIET], cwd=tmp_path, capture_output=True, check=False)
    assert whole.returncode == 0
    assert differences(contents(tmp_path / "run"), contents(tmp_path / "whole")) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 11, 5), reason="a pool may wait for ever for a worker that died (gh-94777)")
def test_killed_workers_that_draw(tmp_path):
    with started(*MANY, cwd=tmp_path) as process:
        line_with(process.stderr, "report: ")
        if not (workers := workers_of(process)):
            pytest.skip("one core draws without workers")
        os.kill(workers[0], signal.SIGKILL)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0
    assert "diffbench: a worker process died; the figures are drawn again, one after the other\n" in err
    assert "Traceback" not in err
    assert out.splitlines()[-1] == "report: run/report.html"


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sweep: ", "report: "])
def test_killed_parent(stage, tmp_path):
    with started(*MANY, "--executor", "processes", cwd=tmp_path) as process:
        line_with(process.stderr, stage)
        process.kill()
        # Whoever is left of the family has the other end of the pipes.
        process.communicate(timeout=30)


@pytest.mark.slow
def test_a_child_that_somebody_kills_is_asked_again(fork, tmp_path):
    asked = ("exact", "besselk(1, x)", "--at", "1000", "--format", "json")
    fault = """
import os, signal
from diffbench import children
sent, send = [], children._send
def kill(stream, content):
    if not sent:
        child = hard.CHILD.process
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    sent.append(content)
    send(stream, content)
from diffbench.reference import hard
children._send = kill
"""
    whole, harmed = fork(*asked, cwd=tmp_path), fork(*asked, cwd=tmp_path, fault=fault)
    assert (whole.code, harmed.code) == (0, 0)
    assert harmed.out == whole.out


# the clock ------------------------------------------------------------------------------------------------------------

BACKWARDS = """
from datetime import datetime, timedelta
from diffbench.cli import measuring
from diffbench.sweep import store
calls = []
class Backwards(datetime):
    @classmethod
    def now(cls, tz=None):
        calls.append(tz)
        return datetime.now(tz) - timedelta(hours=len(calls))
store.datetime = measuring.datetime = Backwards
import time
clock = time.time
time.time = lambda: clock() - 3600 * len(calls)
"""


@pytest.mark.slow
def test_the_clock_goes_backwards(fork, unharmed, tmp_path):
    outcome = fork("run", "spec.toml", *BEGIN[2:-1], cwd=prepared(tmp_path), fault=BACKWARDS)
    assert (outcome.code, outcome.err) == (0, "")
    manifest = manifest_of(tmp_path / "run")
    assert manifest["finished"] < manifest["started"]
    assert elapsed_of(manifest) == ""
    found = contents(tmp_path / "run")
    assert differences({name: found[name] for name in contents(unharmed)}, contents(unharmed)) == []
    goes_on_from_the_future(fork, tmp_path)


def goes_on_from_the_future(fork, folder):
    """Files that are newer than the clock are no reason to do anything."""
    before = files(folder / "run")
    for path in before:
        os.utime(path, (2**32, 2**32))
    assert fork(*RESUME, cwd=folder).code == 0
    assert files(folder / "run") == before


# interrupted renames --------------------------------------------------------------------------------------------------

INTERRUPTED = """
import os, signal
count = []
def harmed(rename):
    def call(source, target, **options):
        count.append(source)
        if len(count) == {number}:
            {harm}
        return rename(source, target, **options)
    return call
os.rename, os.replace = harmed(os.rename), harmed(os.replace)
"""
AT_RENAME = {
    "killed before": "os.kill(os.getpid(), signal.SIGKILL)",
    "killed after": "rename(source, target, **options); os.kill(os.getpid(), signal.SIGKILL)",
    "refused": "raise OSError(5, 'Input/output error', str(source))",
}


@pytest.mark.parametrize("harm", mostly_slow(AT_RENAME, "killed after"))
@pytest.mark.parametrize("number", mostly_slow(range(1, RENAMES + 1), 4))
def test_an_interrupted_rename(number, harm, fork, unharmed, tmp_path):
    fault = INTERRUPTED.format(number=number, harm=AT_RENAME[harm])
    outcome = fork(*BEGIN, cwd=prepared(tmp_path), fault=fault)
    if harm == "refused":
        one_line(outcome, 74, "diffbench: run", "Input/output error")
        assert not list(tmp_path.rglob(".*"))
    else:
        assert (outcome.code, outcome.err) == (-signal.SIGKILL, "")
    goes_on(fork, tmp_path, unharmed)
    assert not list(tmp_path.rglob("*.partial"))


# the machine crashes --------------------------------------------------------------------------------------------------

RECORDED = """
import json, os
sync, synced = os.fsync, {{}}
def recorded(descriptor):
    sync(descriptor)
    found = os.fstat(descriptor)
    synced[found.st_ino] = found.st_size
    with open({log!r}, "w") as stream:
        json.dump(synced, stream)
os.fsync = recorded
"""


def crashed(log, *paths):
    """Leave of files what was on the disk for sure."""
    synced = json.loads(log.read_text("utf-8"))
    for path in paths:
        os.truncate(path, min(path.stat().st_size, synced.get(str(path.stat().st_ino), 0)))


@pytest.mark.parametrize("blocks", mostly_slow([0, 2, BLOCKS], 2))
def test_a_crash_of_the_machine_costs_only_what_was_not_on_the_disk(blocks, fork, unharmed, tmp_path):
    log = tmp_path / "synced"
    fault = RECORDED.format(log=str(log)) + STOP.format(blocks=blocks)
    assert fork(*BEGIN, cwd=prepared(tmp_path), fault=fault).code == (-signal.SIGKILL if blocks < BLOCKS else 0)
    crashed(log, *files(tmp_path / "run"))
    state = "complete" if blocks == BLOCKS else "running"
    assert read_manifest(tmp_path / "run")["state"] == state
    if state == "complete":
        one_line(fork("show", "run", cwd=tmp_path), 74, "damaged, ", "diffbench run --resume run mends it")
    assert fork(*RESUME, cwd=tmp_path).code == 0
    goes_on(fork, tmp_path, unharmed)


@pytest.mark.slow
def test_a_crash_while_a_complete_run_is_mended_costs_no_other_block(fork, complete, unharmed, tmp_path):
    log = tmp_path / "synced"
    (complete / CELLS).unlink()
    whole = {path: path.stat().st_mtime_ns for kind in ("cells", "curves") for path in (complete / kind).iterdir()}
    fault = RECORDED.format(log=str(log)) + STOP.format(blocks=0)
    assert fork(*RESUME, cwd=tmp_path, fault=fault).code == -signal.SIGKILL
    crashed(log, complete / JOURNAL, complete / "manifest.json")
    goes_on(fork, tmp_path, unharmed)
    changed = {path for path, moment in whole.items() if path.stat().st_mtime_ns != moment}
    assert {path.stem for path in changed} == {Path(CELLS).stem}


# machines that lack something -----------------------------------------------------------------------------------------


def outside(*arguments, cwd, before="", **variables):
    """Run a command line in a fresh process, with other variables; None takes one away."""
    environment = {name: value for name, value in (os.environ | variables).items() if value is not None}
    command = [*COMMAND, *arguments]
    if before:
        command = ["unshare", "-m", "sh", "-c", f'{before} && exec "$@"', "sh", *command]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, check=False, timeout=240)


def can_unshare():
    done = shutil.which("unshare") and subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True)
    return bool(done) and done.returncode == 0 and Path("/dev/shm").is_dir()  # noqa: S108  (it is what is taken away)


@pytest.mark.slow
@pytest.mark.skipif(not can_unshare(), reason="nothing can be mounted for one process alone, or there is no /dev/shm")
@pytest.mark.parametrize("options", ["ro", "size=4k,nr_inodes=1"])
def test_no_dev_shm(options, unharmed, tmp_path):
    before = f"mount -t tmpfs -o {options} none /dev/shm"
    processes = ("run", "spec.toml", "--out", "p", "--executor", "processes", *QUIET)
    refused = outside(*processes, cwd=prepared(tmp_path), before=before)
    assert (refused.returncode, refused.stdout) == (74, b"")
    assert refused.stderr.startswith(b"diffbench: executor: no processes, is there a /dev/shm?")
    assert refused.stderr.count(b"\n") == 1
    done = outside(*BEGIN, cwd=tmp_path, before=before)
    assert (done.returncode, done.stderr) == (0, b"")
    assert differences(contents(tmp_path / "run"), contents(unharmed)) == []


@pytest.mark.slow
@pytest.mark.skipif(not can_unshare(), reason="nothing can be mounted for one process alone, or there is no /dev/shm")
def test_many_figures_without_dev_shm(tmp_path):
    done = outside(*MANY, "--quiet", cwd=tmp_path, before="mount -t tmpfs -o ro none /dev/shm")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.splitlines()[-1] == b"report: run/report.html"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not bind processes to cores")
def test_one_core(fork, unharmed, tmp_path):
    fault = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    outcome = fork("run", "spec.toml", "--out", "run", *QUIET, cwd=prepared(tmp_path), fault=fault)
    assert (outcome.code, outcome.err) == (0, "")
    assert differences(contents(tmp_path / "run"), contents(unharmed)) == []


# locale and encoding --------------------------------------------------------------------------------------------------

NAMED = '[[functions]]\nname = "é ∂"\nformula = "x**2"\npoints = ["1"]\n'
C_LOCALE = {"LC_ALL": "C", "LANG": None, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.slow
@pytest.mark.parametrize("encoding", [None, "ascii", "latin-1"])
def test_the_locale_is_c(encoding, unharmed, tmp_path):
    locale = C_LOCALE | {"PYTHONIOENCODING": encoding}
    done = outside("run", "spec.toml", "--out", "run", "--quiet", cwd=prepared(tmp_path), **locale)
    assert (done.returncode, done.stderr) == (0, b"")
    found = contents(tmp_path / "run")
    assert differences({name: found[name] for name in contents(unharmed)}, contents(unharmed)) == []
    (tmp_path / "named.toml").write_text('schemes = ["forward-1"]\nepsilons = "1e-3"\n' + NAMED, "utf-8")
    assert outside("run", "named.toml", "--out", "named", *QUIET, cwd=tmp_path, **locale).returncode == 0
    shown = outside("show", "named", "--format", "json", cwd=tmp_path, **locale)
    assert (shown.returncode, shown.stderr) == (0, b"")
    # Where nothing but ASCII is known, UTF-8 is printed.
    rows = json.loads(shown.stdout.decode("latin-1" if encoding == "latin-1" else "utf-8"))
    assert {row["function"] for row in rows} == {"é ∂"}
    refused = outside("show", "ab∂ent", cwd=tmp_path, **locale)
    assert refused.returncode == 2
    assert refused.stderr.count(b"\n") == 1
    assert b"Traceback" not in refused.stderr


@pytest.mark.slow
def test_names_that_are_not_utf8(fork, unharmed, tmp_path):
    name = os.fsdecode(b"run-\xff")
    try:
        (tmp_path / name).mkdir()
    except OSError as error:
        pytest.skip(f"the file system takes no such names: {error}")
    assert fork("run", "spec.toml", "--out", name, *QUIET, cwd=prepared(tmp_path)).code == 0
    assert differences(contents(tmp_path / name), contents(unharmed)) == []
    for arguments in (("show", name), ("status", name), ("run", "--resume", name, *QUIET)):
        outcome = fork(*arguments, cwd=tmp_path)
        assert (outcome.code, outcome.err) == (0, "")
    flip(tmp_path / name / CURVES)
    one_line(fork("show", name, cwd=tmp_path), 74, CURVES, "damaged")


# no home folder -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("home", ["unset", "absent", "read-only", "a file"])
def test_no_home_folder(home, unharmed, tmp_path):
    with ExitStack() as stack:
        where = str(tmp_path / "home" / "none")
        if home == "a file":
            where = str(prepared(tmp_path) / "spec.toml")
        if home in ("absent", "read-only"):
            where = str(stack.enter_context(read_only(tmp_path / "home", holds=unharmed))) + "/x" * (home == "absent")
        variables = {"HOME": None if home == "unset" else where, "XDG_CONFIG_HOME": None, "XDG_CACHE_HOME": None}
        variables |= {"MPLCONFIGDIR": None}
        done = outside("run", "spec.toml", "--out", "run", "--quiet", cwd=prepared(tmp_path), **variables)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.splitlines()[-1] == b"report: run/report.html"
    found = contents(tmp_path / "run")
    assert differences({name: found[name] for name in contents(unharmed)}, contents(unharmed)) == []


# copied to another machine --------------------------------------------------------------------------------------------


def elsewhere(folder, target):
    """Copy a run to other paths, as if it came from a machine with another processor."""
    shutil.copytree(folder, target)
    manifest = manifest_of(target)
    manifest["fingerprint"] = "0" * 64
    manifest["machine"] |= {"system": "Plan9", "cores": 1024}
    put_manifest(target, manifest)
    return target


def test_a_complete_run_is_copied_to_another_machine(fork, complete, tmp_path):
    there = elsewhere(complete, tmp_path / "far away" / "copy")
    before = files(there)
    for verb in ("show", "status"):
        here = fork(verb, "run", cwd=tmp_path)
        assert here.code == 0
        assert fork(verb, "copy", cwd=there.parent) == here
    outcome = fork("run", "--resume", "copy", *QUIET, cwd=there.parent)
    assert (outcome.code, outcome.err) == (0, "")
    assert files(there) == before


@pytest.mark.slow
def test_an_interrupted_run_is_copied_to_another_machine(fork, interrupted, unharmed, tmp_path):
    there = elsewhere(interrupted, tmp_path / "far away" / "copy")
    before = {path: data for path, data in files(there).items() if path.suffix == ".parquet"}
    for _ in range(2):
        outcome = fork("run", "--resume", "copy", *QUIET, cwd=there.parent)
        one_line(outcome, 2, "copy", "was begun where functions have other values")
    assert before.items() <= files(there).items()
    # Back on the machine that it comes from.
    shutil.copy(interrupted / "manifest.json", there / "manifest.json")
    assert fork("run", "--resume", "copy", *QUIET, cwd=there.parent).code == 0
    assert differences(contents(there), contents(unharmed)) == []
