"""Running a spec: any executor, any order, nothing written before the spec is known to be good."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from threading import Event

import pytest

from diffbench import Function, Results, Spec, run
from diffbench.errors import InputError, StoreError

FUNCTIONS = ("exp", "sqrt", "abs", "gamma")


class Backwards(Executor):
    """Does the last piece of work first, of those that have been submitted when there is no room for more."""

    def __init__(self):
        self._waiting = []
        self._one = ThreadPoolExecutor(1)

    def submit(self, fn, /, *args):
        future = Future()
        self._waiting.append((future, fn, args))
        self._one.submit(self._do_last)
        return future

    def _do_last(self):
        future, fn, args = self._waiting.pop()
        future.set_result(fn(*args))

    def shutdown(self, wait=True, *, cancel_futures=False):
        self._one.shutdown()


class Counting(Executor):
    """Counts the pieces of work."""

    def __init__(self):
        self.pieces = 0

    def submit(self, fn, /, *args):
        self.pieces += 1
        future = Future()
        future.set_result(fn(*args))
        return future


def small(**options):
    return Spec(FUNCTIONS, ["forward-1", "central-4", "complex-step"], "1e-1:1e-9:2/decade", **options)


def bits(results):
    """Return everything that was measured, as bytes."""
    return [
        (
            *(block.function, block.derivative, block.dtype, block.schemes, block.rules, block.references),
            *(
                a.tobytes()
                for a in (block.x, block.epsilon, block.estimate, block.error, block.evaluations, block.status)
            ),
        )
        for block in results.blocks
    ]


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def sequential():
    return run(small(dtypes=["float32", "float64"], derivatives=[1, 2]))


@pytest.mark.parametrize(
    "executor", [ThreadPoolExecutor(1), ThreadPoolExecutor(3), Backwards()], ids=["one", "three", "back"]
)
def test_results_do_not_depend_on_the_executor(executor, sequential):
    with executor:
        results = run(small(dtypes=["float32", "float64"], derivatives=[1, 2]), executor)
    assert bits(results) == bits(sequential)


def test_the_files_do_not_depend_on_the_executor(tmp_path):
    run(small(), out=tmp_path / "plain", block_size=1)
    with ThreadPoolExecutor(3) as threads:
        run(small(), threads, tmp_path / "threads", block_size=1)
    with Backwards() as back:
        run(small(), back, tmp_path / "back", jobs=9, block_size=1)
    plain, threads, back = (contents(tmp_path / name) for name in ("plain", "threads", "back"))
    assert set(plain) == set(threads) == set(back)
    differing = {str(name) for name in plain if not plain[name] == threads[name] == back[name]}
    assert differing <= {"manifest.json"}


@pytest.mark.parametrize(("block_size", "pieces"), [(40_000, 2), (200, 4), (1, 2 * 16)])
def test_an_executor_gets_functions_of_one_dtype_together_until_they_fill_a_block(block_size, pieces):
    executor = Counting()
    run(small(dtypes=["float32", "float64"], derivatives=[1, 2]), executor, block_size=block_size)
    assert executor.pieces == pieces


def test_blocks_stand_in_the_order_of_the_plan(sequential):
    order = [(block.function, block.dtype, block.derivative) for block in sequential.blocks]
    assert order == [(f, dtype, m) for f in FUNCTIONS for dtype in ("float32", "float64") for m in (1, 2)]


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = run(Spec("lab"))
    assert isinstance(results, Results)
    assert results.manifest == {"planned": 21, "status": results.counts, "verdicts": {"certified": 7}}
    assert list(tmp_path.iterdir()) == []


def test_results_hold_the_canonical_spec(sequential):
    assert sequential.spec == small(dtypes=["float32", "float64"], derivatives=[1, 2]).to_toml()


def test_progress_is_told_of_every_unit_and_its_cells():
    told = []
    spec = Spec("lab", ["forward-1", "forward-2-d2"], ["1e-3"])
    run(spec, progress=lambda unit, cells: told.append((unit.function.name, cells)))
    assert sorted(name for name, _ in told) == sorted(function.name for function in spec.functions)
    assert sum(cells for _, cells in told) == spec.planned


@pytest.mark.parametrize(
    ("formula", "point"), [("1/x", "0"), ("log(x)", "-1"), ("sqrt(x)", "-0.5"), ("log(x)", "0"), ("gamma(x)", "-2")]
)
def test_a_point_at_which_f_is_undefined_is_the_users_mistake(formula, point, tmp_path):
    spec = Spec(["exp", Function("mine", formula, [point])], ["forward-1"], ["1e-3"])
    with pytest.raises(InputError, match="not defined") as caught:
        run(spec, out=tmp_path / "new")
    assert formula in str(caught.value)
    assert f"at {point}" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(StoreError, match="file/below/run") as caught:
        run(Spec("lab"), out=tmp_path / "file" / "below" / "run")
    assert caught.value.exit_code == 74
    assert contents(tmp_path) == {(tmp_path / "file").relative_to(tmp_path): b"here"}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_exists_is_never_overwritten(kind, tmp_path):
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "notes.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="not an empty folder"):
        run(Spec("lab"), out=out)
    assert contents(tmp_path) == before


def test_an_empty_folder_and_one_below_folders_that_are_not_there_will_do(tmp_path):
    (tmp_path / "empty").mkdir()
    run(Spec("lab"), out=tmp_path / "empty")
    run(Spec("lab"), out=str(tmp_path / "a" / "b" / "c"))
    assert (tmp_path / "empty" / "manifest.json").is_file()
    assert (tmp_path / "a" / "b" / "c" / "manifest.json").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "a"}


def test_an_exception_that_stops_the_run_leaves_a_run_folder_that_says_so(tmp_path):
    def stop(unit, cells):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(small(), out=tmp_path / "run", progress=stop, jobs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert len(list((tmp_path / "run" / "cells").iterdir())) == 1
    assert '"state": "running"' in (tmp_path / "run" / "manifest.json").read_text("utf-8")


class Failing(Executor):
    """Whose workers fail in a way of their own."""

    def __init__(self, error):
        self._error = error

    def submit(self, *_):
        future = Future()
        future.set_exception(self._error)
        return future


def test_an_interrupt_waits_for_no_thread():
    begun, go_on, ended = Event(), Event(), []

    def blocked(x):
        begun.set()
        ended.append(go_on.wait(20))
        return x

    def interrupt(unit, cells):
        begun.wait(20)
        raise KeyboardInterrupt

    functions = [Function("quick", "x", ["1"]), Function("blocked", "x", ["1"], evaluate=blocked)]
    with pytest.raises(KeyboardInterrupt):
        run(Spec(functions, "central-2", ["1e-3"]), jobs=2, block_size=1, progress=interrupt)
    assert (begun.is_set(), ended) == (True, [])
    go_on.set()


def test_a_spec_is_wanted():
    with pytest.raises(InputError, match=r"^spec: 'exp' is not a Spec$"):
        run("exp")


def test_what_cannot_be_sent_to_a_worker_is_the_specs_fault_and_nothing_else_is():
    spec = Spec("exp", "forward-1", "1e-3")
    with pytest.raises(InputError, match=r"^executor: the spec cannot be sent to another process: cannot pickle it$"):
        run(spec, Failing(TypeError("cannot pickle it")), jobs=1)
    with pytest.raises(TypeError, match=r"^a mistake$"):
        run(spec, Failing(TypeError("a mistake")), jobs=1)
