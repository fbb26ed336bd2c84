"""A run that was interrupted, at any moment and in any way, is finished to the bytes of one that never was."""

import json
import shutil

import numpy as np
import pytest
from folders import contents, manifest_of

from diffbench import Function, OpaqueScheme, Spec, load, resume, run
from diffbench.errors import DiffbenchError, InputError
from diffbench.sweep import store

BLOCK_SIZE = 12
"""Two points a unit at six epsilons."""


def spec(**options):
    schemes = ["forward-1", "central-2", "complex-step", "central-2-d2"]
    chosen = {"derivatives": [1, 2], "dtypes": ["float32", "float64"]} | options
    return Spec(["exp", "abs", "sqrt"], schemes, "1e-1:1e-6:1/decade", **chosen)


UNITS = 12
MORE_INTERRUPTIONS = [(2, 1), (5, 1), (11, 1), (1, 2), (2, 2), (11, 2), (12, 2)]


def stop_after(units):
    """Return a progress that interrupts a run after some units."""
    left = units

    def progress(unit, cells):
        nonlocal left
        left -= 1
        if left <= 0:
            raise KeyboardInterrupt

    return progress


def interrupted(folder, units, *, jobs=1, keep="cells", of=None):
    with pytest.raises(KeyboardInterrupt):
        run(of or spec(), out=folder, progress=stop_after(units), jobs=jobs, keep=keep, block_size=BLOCK_SIZE)
    return folder


def refuses_to_load(folder):
    with pytest.raises(DiffbenchError) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return run folders that were never interrupted, by what they keep."""
    base = tmp_path_factory.mktemp("whole")
    for keep in store.KEPT:
        run(spec(), out=base / keep, keep=keep, block_size=BLOCK_SIZE)
    return {keep: base / keep for keep in store.KEPT}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Return a function that copies the folder of a run that was interrupted after some units, which runs once."""
    base = tmp_path_factory.mktemp("stopped")

    def copied(folder, units):
        if not (base / str(units)).exists():
            interrupted(base / str(units), units)
        return shutil.copytree(base / str(units), folder)

    return copied


@pytest.fixture
def complete(whole, tmp_path):
    """Return a complete run that a test may damage."""
    return shutil.copytree(whole["cells"], tmp_path / "complete")


def test_the_spec_of_these_tests_has_that_many_units(whole):
    assert len(spec().plan(BLOCK_SIZE)) == UNITS
    assert len(manifest_of(whole["cells"])["blocks"]) == 2 * UNITS


@pytest.mark.parametrize(
    ("units", "jobs"),
    [(1, 1), (12, 1), (5, 2), *(pytest.param(*each, marks=pytest.mark.slow) for each in MORE_INTERRUPTIONS)],
)
def test_a_run_interrupted_after_some_units_is_finished_to_the_same_bytes(units, jobs, whole, tmp_path):
    folder = interrupted(tmp_path / "run", units, jobs=jobs)
    assert "not a complete run" in refuses_to_load(folder)
    assert manifest_of(folder)["state"] == "running"
    resume(folder, jobs=jobs)
    assert contents(folder) == contents(whole["cells"])


@pytest.mark.parametrize("units", [6, *(pytest.param(units, marks=pytest.mark.slow) for units in (1, 12))])
def test_a_run_that_keeps_summaries_is_finished_to_the_same_bytes(units, whole, tmp_path):
    folder = interrupted(tmp_path / "run", units, keep="summary")
    refuses_to_load(folder)
    results = resume(folder)
    assert len(results.blocks) == 0
    assert contents(folder) == contents(whole["summary"])
    assert not list((folder / "cells").iterdir())


def test_a_run_interrupted_again_and_again_is_finished_to_the_same_bytes(stopped, whole, tmp_path):
    folder = stopped(tmp_path / "run", 1)
    for units in range(2, UNITS + 1):
        with pytest.raises(KeyboardInterrupt):
            resume(folder, progress=stop_after(units), jobs=1)
        refuses_to_load(folder)
    resume(folder)
    assert contents(folder) == contents(whole["cells"])


def test_only_what_is_missing_is_measured_and_all_of_it_counts_as_progress(stopped, tmp_path, monkeypatch):
    folder = stopped(tmp_path / "run", 7)
    done = {path.name: path.stat().st_mtime_ns for path in (folder / "cells").iterdir()}
    told = []
    resume(folder, progress=lambda unit, cells: told.append(((unit.function.name, unit.dtype, unit.first), cells)))
    assert done == {name: (folder / "cells" / name).stat().st_mtime_ns for name in done}
    assert len({key for key, _ in told}) == len(told) == UNITS
    assert sum(cells for _, cells in told) == spec().planned


@pytest.mark.parametrize("kept", [1, 0.5, 0])
def test_a_torn_last_line_of_the_journal_counts_for_nothing(stopped, kept, whole, tmp_path):
    folder = stopped(tmp_path / "run", 5)
    journal = folder / store.JOURNAL
    *lines, last = journal.read_text("utf-8").splitlines(keepends=True)
    torn = last[: int(kept * (len(last) - 2))]
    journal.write_text("".join(lines) + torn, "utf-8")
    resume(folder)
    assert contents(folder) == contents(whole["cells"])


def test_lines_after_a_torn_one_count(stopped, whole, tmp_path):
    folder = stopped(tmp_path / "run", 3)
    with (folder / store.JOURNAL).open("a", encoding="utf-8") as stream:
        stream.write('{"name": "exp-d1-flo')
    with pytest.raises(KeyboardInterrupt):
        resume(folder, progress=stop_after(6), jobs=1)
    rows = [json.loads(line) for line in (folder / store.JOURNAL).read_text("utf-8").splitlines()]
    assert len(rows) == 2 * 6
    resume(folder)
    assert contents(folder) == contents(whole["cells"])


def test_without_its_journal_a_run_begins_again(stopped, whole, tmp_path):
    folder = stopped(tmp_path / "run", 5)
    (folder / store.JOURNAL).unlink()
    resume(folder)
    assert contents(folder) == contents(whole["cells"])


def test_leftovers_of_writes_that_never_ended_are_removed(stopped, whole, tmp_path):
    folder = stopped(tmp_path / "run", 5)
    for name in ("cells/.exp-d1-float64.parquet.partial", ".manifest.json.partial", ".journal.jsonl.partial"):
        (folder / name).write_bytes(b"half")
    (folder / "curves" / ".x.partial").write_bytes(b"")
    resume(folder)
    assert contents(folder) == contents(whole["cells"])


HARMS = {
    "deleted": lambda path: path.unlink(),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "changed": lambda path: path.write_bytes(bytes(byte ^ (i == 100) for i, byte in enumerate(path.read_bytes()))),
    "other": lambda path: path.write_bytes(max(path.parent.iterdir()).read_bytes()),
}


@pytest.mark.parametrize("kind", ["cells", "curves"])
@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_file_of_a_complete_run_is_named_and_made_again(harm, kind, complete, whole):
    path = sorted((complete / kind).iterdir())[3]
    HARMS[harm](path)
    told = []
    resume(complete, on_damage=told.append)
    assert [str(name).endswith(f"{kind}/{path.name}") for name in told] == [True]
    assert contents(complete) == contents(whole["cells"])


@pytest.mark.parametrize("kind", ["cells", pytest.param("curves", marks=pytest.mark.slow)])
@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_file_of_an_interrupted_run_is_made_again(stopped, harm, kind, whole, tmp_path):
    folder = stopped(tmp_path / "run", 6)
    HARMS[harm](sorted((folder / kind).iterdir())[3])
    resume(folder)
    assert contents(folder) == contents(whole["cells"])


def test_damaged_curves_of_a_run_that_keeps_summaries_are_made_again(whole, tmp_path):
    folder = shutil.copytree(whole["summary"], tmp_path / "run")
    HARMS["changed"](min((folder / "curves").iterdir()))
    resume(folder)
    assert contents(folder) == contents(whole["summary"])


@pytest.mark.parametrize("harm", HARMS)
def test_damaged_references_of_a_complete_run_are_made_again(harm, complete, whole):
    path = complete / "references.parquet"
    if harm == "other":
        path.write_bytes(min((complete / "curves").iterdir()).read_bytes())
    else:
        HARMS[harm](path)
    resume(complete)
    assert contents(complete) == contents(whole["cells"])


def test_while_something_is_missing_the_manifest_never_says_complete(complete):
    for path in sorted((complete / "cells").iterdir())[::4]:
        path.unlink()
    states = []
    seen = []

    def look(unit, cells):
        seen.append(unit)
        states.append(manifest_of(complete)["state"])
        refuses_to_load(complete)

    resume(complete, progress=look, jobs=1)
    assert len(seen) == UNITS
    assert set(states) == {"running"}
    assert manifest_of(complete)["state"] == "complete"


def test_a_mended_run_that_is_interrupted_is_not_complete(complete, whole):
    min((complete / "cells").iterdir()).unlink()
    with pytest.raises(KeyboardInterrupt):
        resume(complete, progress=stop_after(1), jobs=1)
    assert "not a complete run" in refuses_to_load(complete)
    resume(complete)
    assert contents(complete) == contents(whole["cells"])


@pytest.mark.parametrize("at", ["references", "manifest", "journal"])
def test_a_run_interrupted_while_it_is_being_finished_is_finished(at, whole, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if at == "references":
            patched.setattr(store.RunFolder, "_reference_tables", stop)
        elif at == "manifest":
            patched.setattr(store.RunFolder, "finish", stop)
        else:
            patched.setattr("pathlib.Path.unlink", stop)
        with pytest.raises(KeyboardInterrupt):
            run(spec(), out=tmp_path / "run", block_size=BLOCK_SIZE)
    resume(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(whole["cells"])


# what is refused ------------------------------------------------------------------------------------------------------


def refused(call, *says):
    with pytest.raises(InputError) as caught:
        call()
    for text in says:
        assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("state", ["interrupted", "complete"])
def test_a_run_of_another_spec_is_refused_and_left_as_it_was(stopped, state, complete, tmp_path):
    folder = complete if state == "complete" else stopped(tmp_path / "run", 5)
    before = contents(folder)
    refused(lambda: resume(folder, spec(dtypes=["float64"])), folder.name, "another spec")
    assert contents(folder) == before


def test_a_run_of_other_versions_is_refused_and_left_as_it_was(stopped, tmp_path, monkeypatch):
    folder = stopped(tmp_path / "run", 5)
    then, manifest = store.versions_for(()), manifest_of(folder)
    names = {path.name for path in (folder / "cells").iterdir()}
    monkeypatch.setattr(store, "versions_for", lambda *_: then | {"numpy": "99.0"})
    refused(lambda: resume(folder), folder.name, f"numpy {then['numpy']} then, 99.0 now")
    assert names == {path.name for path in (folder / "cells").iterdir()}
    assert manifest_of(folder) == manifest


def test_a_run_of_other_functions_is_refused(stopped, tmp_path, monkeypatch):
    folder = stopped(tmp_path / "run", 5)
    monkeypatch.setattr(store, "fingerprint", lambda: "0" * 64)
    refused(lambda: resume(folder), folder.name, "fingerprint")


def test_a_complete_run_of_other_versions_needs_nothing_and_stays_what_it_is(complete, whole, monkeypatch):
    monkeypatch.setattr(store, "versions_for", lambda *_: {"numpy": "99.0"})
    resume(complete)
    assert contents(complete) == contents(whole["cells"])


def test_a_damaged_run_of_other_versions_is_refused_and_does_not_look_complete(complete, monkeypatch):
    min((complete / "cells").iterdir()).unlink()
    monkeypatch.setattr(store, "versions_for", lambda *_: {"numpy": "99.0"})
    refused(lambda: resume(complete), "other versions")
    refuses_to_load(complete)


@pytest.mark.parametrize("path", ["absent", "."])
def test_what_is_no_run_folder_cannot_be_resumed(path, tmp_path):
    refused(lambda: resume(tmp_path / path), "not a run folder")


@pytest.mark.parametrize("given", ["lab", 3, {"functions": "lab"}])
def test_a_spec_that_is_none_is_an_input_error(given, complete):
    refused(lambda: resume(complete, given), "spec")


@pytest.mark.parametrize("options", [{"jobs": 0}, {"jobs": 1.5}, {"executor": "threads"}])
def test_arguments_that_are_wrong_are_input_errors(options, complete):
    before = contents(complete)
    refused(lambda: resume(complete, **options), next(iter(options)))
    assert contents(complete) == before


# Python objects -------------------------------------------------------------------------------------------------------


def with_objects():
    own = Function("own", "x**2", ["1", "2", "3"], evaluate=lambda x: x * x)
    slope = OpaqueScheme("slope", lambda f, x, e: (f(x + e) - f(x)) / e)
    return Spec([own, "exp"], ["forward-1", slope], "1e-1:1e-3:1/decade")


def test_a_run_with_python_objects_is_resumed_with_its_spec_only(tmp_path):
    run(with_objects(), out=tmp_path / "whole", block_size=3)
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(with_objects(), out=folder, progress=stop_after(3), jobs=1, block_size=3)
    refused(lambda: resume(folder), "own", "slope", "Python")
    resume(folder, with_objects())
    assert contents(folder) == contents(tmp_path / "whole")


def test_a_complete_run_with_python_objects_is_loaded_as_any_other(tmp_path):
    measured = run(with_objects(), out=tmp_path / "run")
    assert load(tmp_path / "run").to_frame().equals(measured.to_frame())


# a complete run -------------------------------------------------------------------------------------------------------


def test_resuming_a_complete_run_writes_nothing(complete, whole, monkeypatch):
    def refuse(path, data):
        raise AssertionError(path)

    monkeypatch.setattr(store, "write_file", refuse)
    before = {path: path.stat() for path in complete.rglob("*")}
    results = resume(complete)
    after = {path: path.stat() for path in complete.rglob("*")}
    assert [(path, each.st_ino, each.st_mtime_ns) for path, each in after.items()] == [
        (path, each.st_ino, each.st_mtime_ns) for path, each in before.items()
    ]
    assert results.to_frame().equals(load(whole["cells"]).to_frame())


def test_the_journal_of_a_complete_run_is_removed(complete, whole):
    (complete / store.JOURNAL).write_text("")
    resume(complete)
    assert contents(complete) == contents(whole["cells"])


def test_what_resume_returns_is_what_load_returns(stopped, tmp_path):
    folder = stopped(tmp_path / "run", 5)
    resumed, loaded = resume(folder), load(folder)
    assert resumed.manifest == loaded.manifest
    assert resumed.references().equals(loaded.references())
    for one, other in zip(resumed.blocks, loaded.blocks, strict=True):
        np.testing.assert_array_equal(one.estimate, other.estimate)


@pytest.mark.parametrize("line", [b'{"name": "exp"}', b'{"check": 3}', b"\xff\xfe", b"[]", b"\x00" * 99])
def test_a_line_of_the_journal_that_is_no_block_counts_for_nothing(stopped, line, whole, tmp_path):
    folder = stopped(tmp_path / "run", 2)
    with (folder / store.JOURNAL).open("ab") as stream:
        stream.write(line + b"\n")
    resume(folder)
    assert contents(folder) == contents(whole["cells"])
