"""Files that mean harm: run folders, specs and baselines are data, checked before anything is done with them."""

import ast
import json
import os
import re
import shutil
import time
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import diffbench
from diffbench import Spec, load, run
from diffbench.analysis.accepted import accept, read_baseline
from diffbench.errors import DiffbenchError, InputError, NotComparableError, StoreError
from diffbench.functions.suites import MAX_TOML_BYTES, load_suite
from diffbench.reading import MAX_FILE_BYTES
from diffbench.report.folder import write_report
from diffbench.sweep.checked import MAX_BLOCK_CELLS, MAX_TABLE_BYTES
from diffbench.sweep.export import SCHEMA_VERSION
from diffbench.sweep.files import checksum, sealed, write_file
from diffbench.sweep.spec import MAX_CELLS
from diffbench.sweep.store import RunFolder, merge, own_spec
from diffbench.sweep.stored import status

BYTES = 30_000_000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "run"
    run(Spec(["exp"], ["central-2", "forward-1"], "1e-1:1e-3"), out=path)
    return path


@pytest.fixture
def folder(made, tmp_path):
    """Return a run that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def change(folder, edit, name="manifest.json"):
    path = folder / name
    data = json.loads(path.read_text("utf-8"))
    edit(data)
    path.write_text(json.dumps(sealed(data) if name == "manifest.json" else data), "utf-8")


def seal(folder, name):
    """Let the manifest know a file as it is now."""
    data = (folder / name).read_bytes()

    def edit(manifest):
        for files in (manifest["files"], *(block["files"] for block in manifest["blocks"])):
            if name in files:
                files[name] = [checksum(data), len(data)]

    change(folder, edit)


def the(folder, kind):
    (path,) = (folder / kind).iterdir()
    return path


def everything(folder):
    """Look at all of a run, and return what there was to complain about."""
    said = []
    for look in (
        lambda: [list(load(folder).blocks), list(load(folder).curves), list(load(folder).reference_tables())],
        lambda: status(folder),
        lambda: RunFolder.open(folder).go_on(),
    ):
        try:
            look()
        except DiffbenchError as error:
            said.append(str(error))
    return said


# No pickles, no code --------------------------------------------------------------------------------------------------


PIPES = {"children.py", "opaque.py", "run.py"}
"""Modules that talk to children of this program, through pipes that nobody else has; run.py names an error of it."""


def test_no_file_is_ever_unpickled_or_executed():
    """Pickles go through pipes between a process and its own child; nothing else turns data into code."""
    for path in sorted(Path(diffbench.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        }
        assert not imported & {"marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "xmlrpc"}, path
        assert "pickle" not in imported or path.name in PIPES, path
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert called not in {"eval", "compile", "__import__", "os.system", "os.popen", "np.fromfile"}, path
            assert called not in {"np.load", "numpy.load", "pickle.load", "pd.read_pickle", "os.execv"}, path
            assert called != "exec" or path.name == "program.py", path
            assert called != "pickle.loads" or path.name in PIPES, path
            assert not any(each.arg == "shell" for each in node.keywords), path


# Paths ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../victim", "/etc/victim", "curves/../../victim", "cells/other.parquet", ""])
def test_blocks_of_a_manifest_have_no_other_files(path, folder):
    data = (folder / "spec.toml").read_bytes()
    change(folder, lambda manifest: manifest["blocks"][0]["files"].update({path: [checksum(data), len(data)]}))
    said = everything(folder)
    assert len(said) == 3
    assert all("is no file of block" in each for each in said)


@pytest.mark.parametrize("name", ["../../victim", "/etc/victim", "a/b", ".hidden", "A", "a\n", ""])
def test_names_of_blocks_are_names(name, folder):
    change(folder, lambda manifest: manifest["blocks"][0].update(name=name))
    assert len(everything(folder)) == 3


@pytest.mark.parametrize("name", ["../spec.toml", "/dev/zero", "/etc/passwd", "cells"])
def test_files_of_a_manifest_are_those_of_a_run(name, folder):
    change(folder, lambda manifest: manifest["files"].update({name: ["0" * 64, 0]}))
    said = everything(folder)
    assert len(said) == 3
    assert all("is no file of a run" in each for each in said)


def test_merging_a_shard_that_names_files_elsewhere_writes_nothing(folder, tmp_path):
    victim = tmp_path / "victim"
    data = (folder / "spec.toml").read_bytes()
    change(folder, lambda manifest: manifest["blocks"][0]["files"].update({str(victim): [checksum(data), len(data)]}))
    with pytest.raises(StoreError, match="is no file of block"):
        merge([folder], tmp_path / "merged")
    assert not victim.exists()


def test_the_spec_of_a_run_reads_no_other_file(folder, tmp_path):
    secret = tmp_path / "secret.toml"
    secret.write_text("password = 1", "utf-8")
    with pytest.raises(InputError, match="names another file") as caught:
        Spec.from_text(f'functions = ["{secret.as_posix()}"]')
    assert "password" not in str(caught.value)
    (folder / "spec.toml").write_text(f'functions = ["{secret.as_posix()}"]', "utf-8")
    with pytest.raises(DiffbenchError, match=r"spec\.toml: damaged") as caught:
        RunFolder.open(folder)
    assert "password" not in str(caught.value)


# Links ----------------------------------------------------------------------------------------------------------------


def test_a_link_in_the_place_of_a_file_that_is_written_is_replaced(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious", "utf-8")
    for name in ("report.html", ".report.html.partial"):
        (tmp_path / name).symlink_to(victim)
    write_file(tmp_path / "report.html", "page")
    assert victim.read_text("utf-8") == "precious"
    assert not (tmp_path / "report.html").is_symlink()
    assert (tmp_path / "report.html").read_text("utf-8") == "page"


@pytest.mark.parametrize("name", ["cells", "curves", "journal.jsonl"])
def test_a_run_folder_with_a_link_in_it_is_not_written(name, folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    if name == "journal.jsonl":
        elsewhere.write_text("", "utf-8")
    else:
        (folder / name).rename(elsewhere)
    (folder / name).symlink_to(elsewhere)
    change(folder, lambda manifest: manifest.update(state="running"))
    before = sorted(elsewhere.iterdir()) if elsewhere.is_dir() else elsewhere.read_bytes()
    with pytest.raises(StoreError, match=f"{name}: a symbolic link"):
        RunFolder.open(folder).go_on()
    assert before == (sorted(elsewhere.iterdir()) if elsewhere.is_dir() else elsewhere.read_bytes())


@pytest.mark.parametrize("name", ["tables", "figures"])
def test_a_report_follows_no_link(name, folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=f"{name}: a symbolic link"):
        write_report(folder)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("name", ["manifest.json", "spec.toml", "plan.json", "references.parquet", "curves", "cells"])
def test_what_is_no_regular_file_is_not_read(name, folder):
    """A pipe would block, and /dev/zero never end."""
    path = the(folder, name) if name in {"cells", "curves"} else folder / name
    path.unlink()
    os.mkfifo(path)
    if name != "manifest.json":

        def edit(manifest):
            for files in (manifest["files"], *(block["files"] for block in manifest["blocks"])):
                if path.relative_to(folder).as_posix() in files:
                    files[path.relative_to(folder).as_posix()] = ["0" * 64, 0]

        change(folder, edit)
    said = everything(folder)
    assert any(re.search("no regular file|no manifest.json|it is missing", each) for each in said), said


# Sizes ----------------------------------------------------------------------------------------------------------------


def in_little_memory(call, kind, match):
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(kind, match=match):
            call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < BYTES
    assert time.process_time() - start < 5


def large(path, size):
    """Make a file that has a size and needs no disk."""
    with path.open("wb") as stream:
        stream.truncate(size)
    return path


def test_a_spec_of_a_gigabyte_is_refused_before_it_is_read(tmp_path):
    path = large(tmp_path / "spec.toml", 10**9)
    in_little_memory(lambda: Spec.from_toml(path), InputError, f"has 1000000000 bytes, more than {MAX_TOML_BYTES}")
    in_little_memory(lambda: load_suite(str(path)), InputError, f"has 1000000000 bytes, more than {MAX_TOML_BYTES}")


@pytest.mark.parametrize("name", ["manifest.json", "references.parquet", "cells"])
def test_a_file_of_many_gigabytes_is_refused_before_it_is_read(name, folder):
    path = the(folder, "cells") if name == "cells" else folder / name
    large(path, 2**34)
    if name != "manifest.json":
        place = path.relative_to(folder).as_posix()

        def edit(manifest):
            for files in (manifest["files"], *(block["files"] for block in manifest["blocks"])):
                if place in files:
                    files[place] = ["0" * 64, 2**34]

        change(folder, edit)
    in_little_memory(
        lambda: [list(load(folder).blocks), list(load(folder).reference_tables())], StoreError, "bytes, more than"
    )
    assert MAX_FILE_BYTES < 2**34


def test_a_spec_of_too_many_cells_is_refused_before_any_is_made(monkeypatch):
    """The bound is lowered, so that no list of points has to be as long as a file may hold."""
    assert MAX_CELLS < 10**12
    monkeypatch.setattr("diffbench.sweep.spec.MAX_CELLS", 10**8)
    functions = [{"formula": "x", "points": [str(i) for i in range(1000)]}]
    dtypes = ["float32", "float64"]
    in_little_memory(
        lambda: Spec(functions, None, "1:1e-16:120/decade", [1, 2, 3, 4], dtypes),
        InputError,
        "cells, more than",
    )


@pytest.mark.parametrize("kind", ["cells", "curves"])
def test_a_table_that_would_not_fit_in_memory_is_refused_before_it_is_read(kind, folder, monkeypatch):
    """What repeats takes no room in a file, and all room in memory; the bound is lowered, so that the test has it."""
    assert MAX_TABLE_BYTES <= 2**32
    monkeypatch.setattr("diffbench.sweep.checked.MAX_TABLE_BYTES", 10**6)
    path = the(folder, kind)
    schema = pq.read_schema(path)
    zeros = pa.table({f"c{i}": pa.array([0] * 2000, pa.int8()) for i in range(100)})
    pq.write_table(zeros.replace_schema_metadata(schema.metadata), path)
    assert path.stat().st_size < 10**5
    seal(folder, path.relative_to(folder).as_posix())
    with pytest.raises(StoreError, match="bytes of memory"):
        list(getattr(load(folder), "curves" if kind == "curves" else "blocks"))


@pytest.mark.parametrize("shape", [[10**6, 10**6, 10**6], [-1, 1, 5], [2, 1], "x", None, [2.0, 1.0, 5.0, 5]])
def test_the_shape_of_a_block_is_that_of_its_lists(shape, folder):
    path = the(folder, "cells")
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"diffbench"])
    pq.write_table(table.replace_schema_metadata({"diffbench": json.dumps({**about, "shape": shape})}), path)
    seal(folder, path.relative_to(folder).as_posix())
    in_little_memory(lambda: list(load(folder).blocks), StoreError, "shape")
    assert MAX_BLOCK_CELLS > 1


@pytest.mark.parametrize("text", ["1e999999999", "1e", "nan", "x", "9" * 5000, 3, None, "1/0", []])
@pytest.mark.parametrize("column", ["value", "radius"])
def test_numbers_of_references_are_not_worked_out_to_their_last_digit(text, column, folder):
    path = the(folder, "curves")
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"diffbench"])
    about["references"][0][column] = text
    pq.write_table(table.replace_schema_metadata({"diffbench": json.dumps(about)}), path)
    seal(folder, path.relative_to(folder).as_posix())
    if (text, column) == (None, "value"):
        list(load(folder).blocks)  # an uncertain reference has none
        return
    in_little_memory(lambda: list(load(folder).blocks), StoreError, path.stem)


def test_a_file_with_the_cells_of_another_block_is_refused(folder):
    for kind in ("cells", "curves"):
        path = the(folder, kind)
        table = pq.read_table(path)
        about = json.loads(table.schema.metadata[b"diffbench"])
        pq.write_table(table.replace_schema_metadata({"diffbench": json.dumps({**about, "function": "sin"})}), path)
        seal(folder, path.relative_to(folder).as_posix())
    for kind in ("blocks", "curves"):
        with pytest.raises(StoreError, match="holds another block"):
            list(getattr(load(folder), kind))


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, "9" * 100_000, '{"a": ' + "9" * 5000 + "}", "\ud800"],
    ids=("brackets", "keys", "digits", "number", "surrogate"),
)
def test_json_without_end_is_damage(text, folder):
    for name in ("manifest.json", "plan.json"):
        path = folder / name
        before = path.read_bytes()
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        said = everything(folder)
        assert said
        assert all(name in each for each in said)
        path.write_bytes(before)


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a = " + "9" * 5000, "epsilons = [0x" + "f" * 5000 + "]", "a." * 9]
)
def test_toml_without_end_is_no_spec(text, tmp_path):
    (tmp_path / "s.toml").write_text(text, "utf-8")
    with pytest.raises(InputError, match="no TOML"):
        Spec.from_toml(tmp_path / "s.toml")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("versions", []),
        ("versions", {"numpy": 3}),
        ("machine", None),
        ("started", "yesterday"),
        ("fingerprint", 5),
        ("status", {"ok": "many"}),
        ("planned", -1),
        ("git", "x"),
        ("files", {"spec.toml": "x"}),
        ("blocks", {}),
        ("blocks", [None]),
        ("blocks", "xyz"),
    ],
)
def test_a_manifest_says_what_it_should_and_in_the_right_kinds(key, value, folder):
    change(folder, lambda manifest: manifest.update({key: value}))
    with pytest.raises(StoreError, match=r"manifest\.json"):
        load(folder)


# Schema versions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (SCHEMA_VERSION + 1, "newer"),
        (SCHEMA_VERSION - 1, "older"),
        (None, "no schema version"),
        ("6", "no schema"),
        (True, "no"),
    ],
)
def test_other_schema_versions_are_refused_by_name(version, says, folder, made):
    change(folder, lambda manifest: manifest.update(schema_version=version))
    said = everything(folder)
    assert len(said) == 3
    assert all(says in each and (str(version) in each) for each in said)
    shutil.rmtree(folder)
    shutil.copytree(made, folder)
    path = the(folder, "cells")
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"diffbench"])
    pq.write_table(table.replace_schema_metadata({"diffbench": json.dumps({**about, "schema_version": version})}), path)
    seal(folder, path.relative_to(folder).as_posix())
    with pytest.raises(StoreError, match=says):
        list(load(folder).blocks)


@pytest.mark.parametrize(("version", "says"), [(99, "newer"), (0, "older"), ("x", "no schema version")])
def test_baselines_of_other_schema_versions_are_refused_by_name(version, says, made, tmp_path):
    path, _ = accept(load(made), "test", "test", "mine", tmp_path)
    change(path.parent, lambda about: about.update(schema_version=version), path.with_suffix(".json").name)
    with pytest.raises(NotComparableError, match=says):
        read_baseline(path)


def test_a_manifest_that_says_nothing_is_refused_by_whoever_goes_on(folder):
    (folder / "manifest.json").write_text("{}", "utf-8")
    with pytest.raises(StoreError, match=r"manifest\.json: of no schema version"):
        own_spec(folder)
