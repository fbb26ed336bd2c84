"""How the benchmarks judge and remember ratios; nothing is timed that a verdict here depends on."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SAMPLE = """
import pytest
from ratios import Row

def work():
    return sum(range(1000))

@pytest.mark.benchmark(group="sample")
@pytest.mark.parametrize(("sign", "fail"), [("≤", 1e9), ("≥", 1e9), ("≤", None)])
def test_row(contest, sign, fail):
    contest(Row(f"{sign} {fail}", sign, 1, fail), work, work)

@pytest.mark.benchmark(group="sample")
def test_fast_because_wrong(contest, accuracy):
    contest(Row("wrong", "≤", 1, 1e-9), work, work)
    accuracy.check(lambda x: 2.0, "x", at=1, digits=1)

def test_no_group(contest):
    contest(Row("no group", "≤"), work, work)
"""
RIGHT = "test_row"


@pytest.fixture
def modules(monkeypatch):
    """Return the benchmarks' modules of ratios and of their history, which are forgotten afterwards."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    for name in ("ratios", "history"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield import_module("ratios"), import_module("history")
    for name in ("ratios", "history"):
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def ratio(modules):
    """Return what makes a ratio of a row called a, measured as 2.004 to three times as much."""
    ratios, _ = modules

    def make(sign, fail, median=2.004, name="a"):
        return ratios.Ratio(ratios.Row(name, sign, 1, fail), "sample", median, median, 3 * median)

    return make


@pytest.fixture
def bench(tmp_path):
    """Return what measures the sample in a pytest of its own, with a history of its own."""
    sample = tmp_path / "test_sample.py"
    sample.write_text(SAMPLE, "utf-8")
    history = tmp_path / "history.jsonl"
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}

    def measure(*words):
        plugins = ("-p", "conftest", "-p", "no:cacheprovider", "-p", "no:randomly", "--benchmark-quiet")
        words = ("-m", "pytest", *plugins, f"--history={history}", "--rootdir", tmp_path, sample, *words)
        path = os.pathsep.join((str(BENCHMARKS), *filter(None, [env.get("PYTHONPATH")])))
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=tmp_path,
            env=env | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return measure, history


@pytest.mark.parametrize(
    ("sign", "fail", "sentence"),
    [
        ("≤", 2, "a: the ratio 2.004 is above its fail line 2"),
        ("≤", 1.5, "a: the ratio 2.004 is above its fail line 1.5"),
        ("≤", 2.5, None),
        ("≤", 2.004, None),
        ("≥", 2.004, None),
        ("≥", 2.5, "a: the ratio 2.004 is below its fail line 2.5"),
        ("≥", 1.5, None),
        ("≤", None, None),
    ],
)
def test_a_ratio_beyond_its_fail_line_is_a_sentence(ratio, sign, fail, sentence):
    found = ratio(sign, fail)
    assert found.is_beyond == (sentence is not None)
    if sentence is not None:
        assert found.sentence == sentence


def test_the_history_is_a_line_a_run_and_names_nobody(modules, ratio, tmp_path):
    _, history = modules
    path, again = tmp_path / "new" / "history.jsonl", tmp_path / "again.jsonl"
    for _ in range(2):
        history.record(path, [ratio("≤", 2.5), ratio("≥", None, name="b")], "busy", "2026-01-02")
    history.record(again, [ratio("≤", 2.5), ratio("≥", None, name="b")], "busy", "2026-01-02")
    first, second = path.read_bytes().splitlines(keepends=True)
    assert first == second == again.read_bytes(), "the same bytes every time"
    run = json.loads(first)
    assert list(run) == ["date", "versions", "machine", "note", "rows"]
    assert (run["date"], run["note"]) == ("2026-01-02", "busy")
    assert set(run["machine"]) == {"system", "architecture", "cores", "processor_features"}
    assert {"diffbench", "python", "numpy"} <= set(run["versions"])
    common = {"group": "sample", "median": 2.004, "least": 2.004, "most": 6.012, "reach": 1}
    assert run["rows"] == [
        {"row": "a", "sign": "≤", "fail": 2.5, **common},
        {"row": "b", "sign": "≥", "fail": None, **common},
    ]


def test_the_last_run_on_such_a_machine_is_told(modules, ratio, tmp_path, monkeypatch):
    _, history = modules
    path = tmp_path / "history.jsonl"
    assert history.last_recorded(path) == {}
    history.record(path, [ratio("≤", 2, 3), ratio("≤", 2, 4, "b")])
    history.record(path, [ratio("≤", 2, 5)])
    monkeypatch.setattr(history, "machine", lambda: {"architecture": "another"})
    history.record(path, [ratio("≤", 2, 6), ratio("≤", 2, 7, "c")])
    monkeypatch.undo()
    assert history.last_recorded(path) == {"a": "5", "b": "4", "c": "7*"}


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"machine": {}, "rows": [{}]}'])
def test_a_damaged_history_is_refused(modules, ratio, tmp_path, line):
    _, history = modules
    path = tmp_path / "history.jsonl"
    history.record(path, [ratio("≤", 2)])
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(ValueError, match=r"history\.jsonl, line 2: not a run of the benchmarks"):
        history.last_recorded(path)


@pytest.mark.slow
def test_all_is_measured_and_recorded_before_a_ratio_fails_the_run(modules, ratio, bench):
    measure, path = bench
    _, history = modules
    history.record(path, [ratio("≤", None, 17.5, "≤ None")])
    code, out = measure("-k", RIGHT, "--record", "--note", "busy")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "3 passed" in out
    assert "1 of 3 ratios beyond their fail lines" in out
    (sentence,) = [line for line in out.splitlines() if line.startswith("≥ 1000000000.0: ")]
    assert sentence.endswith(" is below its fail line 1e+09")
    (row,) = [line for line in out.splitlines() if line.startswith("≤ None ")]
    assert "17.5" in row.split()
    run = json.loads(path.read_bytes().splitlines()[-1])
    assert run["note"] == "busy"
    assert [row["fail"] for row in run["rows"]] == [1e9, 1e9, None]


@pytest.mark.slow
def test_without_such_a_ratio_the_run_passes_and_records_nothing(bench):
    measure, history = bench
    code, out = measure("-k", "None")
    assert code == 0, out
    assert "ratio of times" in out
    assert "beyond" not in out
    assert not history.exists()


@pytest.mark.slow
def test_what_is_fast_because_it_is_wrong_has_no_ratio(bench):
    measure, history = bench
    code, out = measure("-k", "wrong or group", "--record")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "fewer than 1 correct digits" in out
    assert "a benchmark needs @pytest.mark.benchmark(group=…)" in out
    assert "ratio of times" not in out
    assert not history.exists()


@pytest.mark.slow
def test_a_damaged_history_is_told_of_before_anything_is_measured(bench):
    measure, history = bench
    history.write_text("{\n", "utf-8")
    code, out = measure()
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "history.jsonl, line 1: not a run of the benchmarks" in out
