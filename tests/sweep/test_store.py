"""The run folder: layout, bytes, and what happens when it is damaged."""

import json
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from folders import contents, differences, manifest_of, put_manifest

from diffbench import Function, OpaqueScheme, Spec, load, run
from diffbench.errors import DiffbenchError, InputError, StoreError
from diffbench.sweep import store
from diffbench.sweep.export import block_from_table, cells_table
from diffbench.sweep.files import block_name, write_file
from diffbench.sweep.results import Status
from diffbench.sweep.store import RunFolder


def guess(f, x, epsilon):
    return (f(x + epsilon) - f(x)) / epsilon, 0.5


def spec():
    alone = OpaqueScheme("alone", lambda f, x: float(f(x)), takes_epsilon=False)
    odd = Function("a/b: <é>", "tan(x)", ["1.57", "0"], domain="(-pi/2, pi/2)", tags=["x", "y"])
    unsure = Function("unsure", "Max(sin(x)**2 + cos(x)**2, 1)", ["1"])
    schemes = ["forward-1", "central-4", "complex-step", alone, OpaqueScheme("guess", guess)]
    return Spec(
        ["abs", "exp", odd, unsure], schemes, "1:1e-18:1/decade", dtypes=["float32", "float64"], derivatives=[1]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("store") / "run"


@pytest.fixture(scope="module")
def measured(folder):
    return run(spec(), out=folder)


@pytest.fixture
def damaged(folder, measured, tmp_path):
    """Return a copy of the run folder that a test may damage."""
    return shutil.copytree(folder, tmp_path / "copy")


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} stands in JSON")

    return json.loads(text, parse_constant=refuse)


def test_layout(folder, measured):
    assert {path.name for path in folder.iterdir()} == {
        *("manifest.json", "plan.json", "spec.toml", "cells", "curves", "references.parquet")
    }
    assert len(list((folder / "cells").iterdir())) == len(measured.blocks)
    assert not [path for path in folder.rglob("*") if "partial" in path.name or "newborn" in path.name]
    assert [path.name for path in folder.parent.iterdir()] == ["run"]


def test_manifest(folder, measured):
    manifest = strict((folder / "manifest.json").read_text("utf-8"))
    assert manifest == measured.manifest
    assert manifest["state"] == "complete"
    assert manifest["planned"] == sum(manifest["status"].values()) == spec().planned
    assert manifest["spec_sha256"] == spec().sha256
    assert manifest["started"] <= manifest["finished"]
    assert {"diffbench", "python", "numpy", "scipy", "sympy", "mpmath", "python-flint", "pyarrow"} <= set(
        manifest["versions"]
    )
    assert sum(manifest["verdicts"].values()) == sum(len(block.x) for block in measured.blocks)
    assert isinstance(manifest["schema_version"], int)


def test_plan(folder, measured):
    plan = strict((folder / "plan.json").read_text("utf-8"))
    assert plan["planned"] == sum(block["planned"] for block in plan["blocks"]) == spec().planned
    assert [(block["function"], block["dtype"]) for block in plan["blocks"]] == [
        (block.function, block.dtype) for block in measured.blocks
    ]


def test_the_spec_of_the_folder_is_the_canonical_form(folder, measured):
    assert (folder / "spec.toml").read_text("utf-8") == spec().to_toml() == measured.spec


def test_the_spec_of_the_folder_runs_again(tmp_path):
    run(Spec("lab"), out=tmp_path / "first")
    run(Spec.from_toml(tmp_path / "first" / "spec.toml"), out=tmp_path / "second")
    assert measured_files(tmp_path / "first") == measured_files(tmp_path / "second")


def measured_files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def test_the_same_spec_twice_gives_the_same_bytes(folder, measured, tmp_path):
    run(spec(), out=tmp_path / "again")
    assert differences(contents(tmp_path / "again"), contents(folder)) == []


def test_what_is_loaded_is_what_was_measured(folder, measured):
    loaded = load(folder)
    assert loaded.to_frame().equals(measured.to_frame())
    columns = ["function", "dtype", "point", "x", "certified_digits", "verdict", "method", "hi", "lo", "left", "right"]
    assert loaded.references()[columns].equals(measured.references()[columns])
    assert loaded.spec == measured.spec
    assert loaded.manifest == measured.manifest
    assert loaded.counts == measured.counts


def test_loaded_blocks_are_the_measured_ones_bit_for_bit(folder, measured):
    loaded = load(str(folder))
    assert len(loaded.blocks) == len(measured.blocks)
    for one, other in zip(loaded.blocks, measured.blocks, strict=True):
        for name in ("function", "formula", "tags", "derivative", "dtype", "schemes", "rules", "grid_size"):
            assert getattr(one, name) == getattr(other, name)
        for name in (
            "x",
            "hi",
            "lo",
            "epsilon",
            "estimate",
            "error",
            "digits",
            "error_estimate",
            "evaluations",
            "status",
        ):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        planned = other.status != Status.ABSENT
        texts = [np.array(block.reasons, dtype=object)[block.reason] for block in (one, other)]
        assert (texts[0][planned] == texts[1][planned]).all()


def test_the_sign_of_zero_survives(tmp_path):
    negative = OpaqueScheme("negative", lambda f, x, e: -0.0)
    measured = run(Spec(Function("f", "x**2", ["0"]), [negative], ["1e-3"]), out=tmp_path / "run")
    assert np.signbit(measured.blocks[0].estimate[0, 0, 0])
    assert np.signbit(load(tmp_path / "run").blocks[0].estimate[0, 0, 0])


def test_cells_are_readable_without_this_program(folder, measured):
    tables = [pq.read_table(path) for path in sorted((folder / "cells").iterdir())]
    assert sum(table.num_rows for table in tables) == spec().planned
    frame = measured.to_frame()
    for table in tables:
        assert tuple(table.column_names) == tuple(frame.columns)
        for column in table.columns:
            if str(column.type) == "double":
                assert np.isfinite(column.drop_null().to_numpy()).all()


def test_files_of_blocks_have_safe_and_different_names():
    names = [
        "exp",
        "Exp",
        "EXP",
        "a/b",
        "a b",
        "a:b",
        "../x",
        "",
        "con",
        "ä",
        "ö",
        "-",
        "x" * 200,
        "x" * 199,
        "<script>",
    ]
    files = [block_name(name, 1, "float64") for name in names if name]
    assert len({file.lower() for file in files}) == len(files)
    for file in files:
        assert len(file) < 120
        assert set(file) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
        assert not file.startswith((".", "-"))


def test_derivative_and_dtype_are_in_the_name_of_the_file():
    files = {block_name("exp", m, dtype) for m in (1, 2) for dtype in ("float32", "float64")}
    assert len(files) == 4


# damage ---------------------------------------------------------------------------------------------------------------


def cells_of(folder):
    return sorted((folder / "cells").iterdir())


@pytest.mark.parametrize("use", [load, RunFolder.open])
def test_a_manifest_is_read_once(use, tmp_path, monkeypatch):
    run(Spec("lab"), out=tmp_path / "r")
    opened, read = [], store.read_object
    monkeypatch.setattr(store, "read_object", lambda path: opened.append(path.name) or read(path))
    use(tmp_path / "r")
    assert opened.count("manifest.json") == 1


@pytest.mark.parametrize("name", ["references.parquet", "plan.json", "manifest.json", "spec.toml", "cells"])
@pytest.mark.parametrize("harm", ["truncated", "garbage", "absent", "empty"])
def test_a_damaged_file_is_named(name, harm, damaged):
    path = cells_of(damaged)[0] if name == "cells" else damaged / name
    data = path.read_bytes()
    if harm == "absent":
        path.unlink()
    else:
        path.write_bytes({"truncated": data[: len(data) // 2], "garbage": b"\xff\x00" * 99, "empty": b""}[harm])
    with pytest.raises(DiffbenchError) as caught:
        load(damaged)
    assert caught.value.exit_code == 74
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_of_another_schema_is_refused(damaged):
    path = damaged / "manifest.json"
    text = path.read_text("utf-8")
    other = re.sub('"schema_version": [0-9]+', '"schema_version": 999', text)
    assert other != text
    path.write_text(other, "utf-8")
    with pytest.raises(StoreError, match=r"manifest\.json"):
        load(damaged)


@pytest.mark.parametrize("kind", ["cells", "curves"])
def test_a_file_of_the_same_size_with_other_bytes_is_named_when_it_is_read(kind, damaged):
    path = min((damaged / kind).iterdir())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    results = load(damaged)
    with pytest.raises(StoreError, match=f"{path.name}.*checksum"):
        list(results.blocks)


def test_tables_of_another_schema_are_refused(measured):
    table = cells_table(measured.blocks[0])
    about = json.loads(table.schema.metadata[b"diffbench"]) | {"schema_version": 999}
    with pytest.raises(StoreError, match="999"):
        block_from_table(table.replace_schema_metadata({"diffbench": json.dumps(about)}), ())


def test_a_run_that_is_not_complete_is_refused(damaged):
    put_manifest(damaged, manifest_of(damaged) | {"state": "running"})
    with pytest.raises(StoreError, match="not a complete run"):
        load(damaged)


@pytest.mark.parametrize("path", ["absent", "."])
def test_what_is_no_run_folder_is_refused(path, tmp_path):
    with pytest.raises(InputError, match=r"not a run folder.*manifest\.json"):
        load(tmp_path / path)


@pytest.mark.parametrize("name", ["plan.json", "manifest.json"])
@pytest.mark.parametrize("text", ["[]", "null", "3", '{"blocks": 5}'])
def test_json_that_is_no_run_is_damage(name, text, tmp_path):
    run(Spec("lab"), out=tmp_path / "r")
    (tmp_path / "r" / name).write_text(text)
    with pytest.raises(DiffbenchError) as caught:
        load(tmp_path / "r")
    assert caught.value.exit_code == 74


def test_cells_of_another_block_are_damage(tmp_path):
    run(Spec("lab"), out=tmp_path / "r")
    first, second = sorted((tmp_path / "r" / "cells").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    with pytest.raises(StoreError, match="damaged"):
        load(tmp_path / "r")


def test_loaded_references_are_those_that_were_written(tmp_path):
    measured = run(Spec("exp", ["forward-1"], ["1e-3"]), out=tmp_path / "r")
    loaded = load(tmp_path / "r")
    assert loaded.references().equals(measured.references())
    for one, other in zip(loaded.blocks[0].references, measured.blocks[0].references, strict=True):
        assert abs(one.value - other.value) <= one.radius


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(StoreError):
        write_file(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("call", [lambda path: run(Spec("lab"), out=path), load])
def test_a_name_that_no_file_system_takes_is_an_io_error(call, tmp_path):
    with pytest.raises(StoreError):
        call(tmp_path / ("a" * 300))
