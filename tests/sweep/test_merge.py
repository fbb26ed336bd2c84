"""Shards of a run, put together, are the run; anything else is refused in one line."""

import itertools
import re
import shutil

import pytest
from folders import contents, manifest_of, put_manifest

from diffbench import Function, Spec, load, merge, resume, run
from diffbench.errors import DiffbenchError, InputError, StoreError

OPTIONS = {"block_size": 12, "jobs": 1}


def spec(**options):
    odd = Function("a/b", "tan(x)", ["1.57", "0", "1", "1.2"], domain="(-pi/2, pi/2)")
    chosen = {"derivatives": [1, 2], "dtypes": ["float32", "float64"]} | options
    return Spec(["exp", "abs", odd], ["forward-1", "complex-step", "central-2-d2"], "1e-1:1e-6:1/decade", **chosen)


def shards_of(base, count, **options):
    folders = [base / f"part-{i}" for i in range(1, count + 1)]
    for i, folder in enumerate(folders, 1):
        run(spec(), out=folder, shard=f"{i}/{count}", **(OPTIONS | options))
    return folders


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(spec(), out=folder, **OPTIONS)
    return folder


@pytest.fixture(scope="module")
def thirds(tmp_path_factory):
    return shards_of(tmp_path_factory.mktemp("thirds"), 3)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_shards_merged_in_any_order_are_the_run_byte_for_byte(order, thirds, whole, tmp_path):
    merged = merge([thirds[i] for i in order], tmp_path / "merged")
    assert merged == tmp_path / "merged"
    assert contents(merged) == contents(whole)


@pytest.mark.parametrize("count", [1, 2, 5, *(pytest.param(each, marks=pytest.mark.slow) for each in (12, 20))])
def test_a_run_can_be_cut_into_any_number_of_shards(count, whole, tmp_path):
    merged = merge(shards_of(tmp_path, count), tmp_path / "merged")
    assert contents(merged) == contents(whole)


def test_shards_share_the_blocks_of_the_run_among_them(thirds, whole):
    names = [[block["name"] for block in manifest_of(folder)["blocks"]] for folder in thirds]
    assert sorted(itertools.chain(*names)) == sorted(block["name"] for block in manifest_of(whole)["blocks"])
    assert max(map(len, names)) - min(map(len, names)) <= 2
    assert sum(manifest_of(folder)["planned"] for folder in thirds) == spec().planned


def test_shards_that_keep_summaries_are_merged_too(tmp_path):
    run(spec(), out=tmp_path / "whole", keep="summary", **OPTIONS)
    merged = merge(shards_of(tmp_path, 2, keep="summary"), tmp_path / "merged")
    assert contents(merged) == contents(tmp_path / "whole")


def test_a_merged_run_was_started_when_its_first_shard_was_and_is_finished_later(thirds, tmp_path):
    merged = manifest_of(merge(thirds, tmp_path / "merged"))
    assert merged["started"] == manifest_of(thirds[0])["started"]
    assert merged["finished"] >= merged["started"]


def test_a_shard_that_was_interrupted_is_resumed_and_merged(whole, tmp_path):
    def stop(unit, cells):
        raise KeyboardInterrupt

    first, second = shards_of(tmp_path, 2)
    shutil.rmtree(second)
    path = re.escape(str(second))
    with pytest.raises(KeyboardInterrupt):
        run(spec(), out=second, shard="2/2", progress=stop, **OPTIONS)
    with pytest.raises(InputError, match=rf"{path}.*not complete.*diffbench run --resume {path}"):
        merge([first, second], tmp_path / "merged")
    resume(second)
    assert contents(merge([first, second], tmp_path / "merged")) == contents(whole)


def test_a_shard_is_not_loaded_as_if_it_were_the_run(thirds):
    with pytest.raises(InputError, match="is shard 2/3; diffbench merge"):
        load(thirds[1])


# what is refused ------------------------------------------------------------------------------------------------------


def refused(shards, out, *says, kind=InputError):
    with pytest.raises(kind) as caught:
        merge(shards, out)
    assert "\n" not in str(caught.value)
    for text in says:
        assert str(text) in str(caught.value)
    assert not out.exists()


def other(folder, **options):
    chosen = OPTIONS | {"shard": "2/3"} | options
    run(chosen.pop("of", None) or spec(), out=folder, **chosen)
    return folder


def test_a_missing_shard_is_refused(thirds, tmp_path):
    refused(thirds[:2], tmp_path / "merged", "1/3, 2/3")


def test_a_shard_given_twice_is_refused(thirds, tmp_path):
    refused([*thirds, thirds[0]], tmp_path / "merged", "1/3, 1/3, 2/3, 3/3")


def test_no_shards_are_refused(tmp_path):
    refused([], tmp_path / "merged", "no shard")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"of": spec(dtypes=["float64"])}, "not shards of one run"),
        ({"shard": "2/4"}, "not shards of one run"),
        ({"keep": "summary"}, "not cut alike"),
        ({"block_size": 24}, "not cut alike"),
    ],
)
def test_a_shard_that_is_not_of_the_run_is_refused_and_named(options, says, thirds, tmp_path):
    stranger = other(tmp_path / "stranger", **options)
    refused([thirds[0], stranger, thirds[2]], tmp_path / "merged", says, stranger)


@pytest.mark.parametrize("key", ["fingerprint", "versions"])
def test_a_shard_of_other_versions_or_functions_is_refused_and_named(key, thirds, tmp_path):
    stranger = shutil.copytree(thirds[1], tmp_path / "stranger")
    manifest = manifest_of(stranger)
    manifest[key] = "0" * 64 if key == "fingerprint" else manifest[key] | {"numpy": "99.0"}
    put_manifest(stranger, manifest)
    refused([thirds[0], stranger, thirds[2]], tmp_path / "merged", "other versions or functions", stranger)


def test_shards_of_other_machines_with_the_same_functions_are_merged(thirds, tmp_path):
    stranger = shutil.copytree(thirds[1], tmp_path / "stranger")
    manifest = manifest_of(stranger)
    manifest["machine"] = {"system": "elsewhere", "architecture": "another"}
    put_manifest(stranger, manifest)
    assert load(merge([thirds[0], stranger, thirds[2]], tmp_path / "merged")).counts["ok"] > 0


@pytest.mark.parametrize("kind", ["cells", "curves"])
@pytest.mark.parametrize("harm", ["changed", "deleted"])
def test_a_damaged_file_is_named_and_nothing_is_left_behind(harm, kind, thirds, tmp_path):
    damaged = shutil.copytree(thirds[1], tmp_path / "damaged")
    path = max((damaged / kind).iterdir())
    if harm == "deleted":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    refused([thirds[0], damaged, thirds[2]], tmp_path / "merged", path, kind=StoreError)


def test_a_folder_that_is_no_run_is_refused_and_named(thirds, tmp_path):
    (tmp_path / "empty").mkdir()
    refused([thirds[0], tmp_path / "empty", thirds[2]], tmp_path / "merged", "empty", "not a run folder")


def test_what_exists_is_never_overwritten(thirds, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"):
        merge(thirds, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/2/3", "a/b", "-1/2", "1/0", "", "½/1", "1.0/2", (1, 2), None])
def test_a_shard_that_is_none_is_an_input_error_and_nothing_is_written(shard, tmp_path):
    with pytest.raises(InputError, match="shard"):
        run(spec(), out=tmp_path / "run", shard=shard)
    assert list(tmp_path.iterdir()) == []


def test_in_memory_a_shard_holds_its_part_only():
    parts = [run(spec(), shard=f"{i}/2", **OPTIONS) for i in (1, 2)]
    total = run(spec(), **OPTIONS)
    found = [[(*curves.key, curves.first) for curves in part.curves] for part in parts]
    assert sorted(found[0] + found[1]) == sorted((*curves.key, curves.first) for curves in total.curves)
    for part in parts:
        assert part.manifest["planned"] == sum(part.counts.values())


# the command line -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_line_measures_shards_and_merges_them(fork, tmp_path):
    what = ("--suite", "lab", "--epsilon", "1e-2,1e-4", "--quiet")
    for i, name in enumerate("ab", 1):
        done = fork("run", *what, "--shard", f"{i}/2", "--no-report", "--out", name, cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[-1] == f"run: {name}"
    done = fork("merge", "b", "a", "--out", "c", "--no-report", cwd=tmp_path)
    assert done == (0, "run: c\n", "")
    run(Spec("lab", epsilons="1e-2,1e-4", anatomy=True), out=tmp_path / "whole")
    assert contents(tmp_path / "c") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_a_merged_run_has_its_report(fork, thirds, tmp_path):
    done = fork("merge", *map(str, thirds), "--out", "merged", cwd=tmp_path)
    assert (done.code, done.out) == (0, "report: merged/report.html\n")
    assert (tmp_path / "merged" / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("wrong", [3, None, [None], [3], "text"])
def test_every_refusal_is_an_error_of_this_package(wrong, tmp_path):
    with pytest.raises(DiffbenchError):
        merge(wrong, tmp_path / "merged")


def test_shards_of_python_objects_are_merged_with_their_spec(tmp_path):
    spec = Spec(Function("own", "x**2", ["1", "2", "3"], evaluate=lambda x: x * x), ["forward-1"], ["1e-3"])
    shards = [tmp_path / name for name in "ab"]
    for i, shard in enumerate(shards, 1):
        run(spec, out=shard, shard=f"{i}/2", block_size=1)
    with pytest.raises(InputError, match="Python objects"):
        merge(shards, tmp_path / "refused")
    merge(shards, tmp_path / "merged", spec)
    run(spec, out=tmp_path / "plain", block_size=1)
    assert contents(tmp_path / "merged") == contents(tmp_path / "plain")
