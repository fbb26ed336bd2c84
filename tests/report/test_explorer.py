"""What the page embeds of every curve: the numbers of the cells, in few bytes, and nothing that a browser would run."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zlib
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pytest

from diffbench import Function, Spec, predict, run
from diffbench.errors import UnsupportedError
from diffbench.report import explorer
from diffbench.report.explorer import COLUMNS, CURVE, NO_SHARE, NONE, STEPS, WHOLE, embedded, explore, libraries, view
from diffbench.report.plots import STYLES
from diffbench.sweep.results import Status

NASTY = "</script><!--<b>&\"'"
EXP = Function("exp", "exp(x)", ["-1", "1"])
SCHEMES = ["forward-1", "central-4", "complex-step"]


@pytest.fixture(scope="module")
def results():
    functions = [EXP, Function("abs", "Abs(x)", ["0"]), Function(NASTY, "x**2 + x", ["3"])]
    return run(Spec(functions, SCHEMES, "1:1e-16:4/decade", rules=["usual"], anatomy=True))


@pytest.fixture(scope="module")
def explored(results):
    return [explore(block, len(block.x) - 1, len(block.x), "figures/f.svg") for block in results.blocks]


def column(each, name, *shape):
    return np.frombuffer(each.columns[name], COLUMNS[name]).reshape(shape)


def curve(each, s, name):
    return column(each, "curve", len(SCHEMES), len(CURVE))[s, CURVE.index(name)]


def test_estimates_statuses_and_steps_are_those_of_the_cells(results, explored):
    for block, each in zip(results.blocks, explored, strict=True):
        point, shape = len(block.x) - 1, (3, block.status.shape[-1])
        np.testing.assert_array_equal(column(each, "estimate", *shape), block.estimate[:, point])
        np.testing.assert_array_equal(column(each, "status", *shape), block.status[:, point])
        np.testing.assert_array_equal(column(each, "chosen", 3, 1), block.chosen[:, point])
        assert each.about["point"] == point + 1 == each.about["points"]


def test_the_errors_that_a_browser_computes_are_those_of_the_table(results, explored):
    frame = results.to_frame().query("function == 'exp' and point == 1")
    each, about = explored[0], explored[0].about
    estimate = column(each, "estimate", 3, 66)
    error = np.abs((estimate - about["hi"]) - about["lo"])
    for s, scheme in enumerate(SCHEMES):
        rows = frame[frame.scheme == scheme]
        # A scheme without an epsilon has other cells; all of these are on the grid, and the rule's is the last.
        np.testing.assert_array_equal(error[s], rows.error.abs().to_numpy(dtype=float))
        np.testing.assert_array_equal(error[s] / about["ulp"], rows.ulp_error.to_numpy(dtype=float))
        np.testing.assert_array_equal(error[s] / abs(about["hi"]), rows.relative_error.to_numpy(dtype=float))


def test_predicted_and_optimal_epsilon_are_those_of_the_analysis(results, explored):
    table = predict(results, [EXP]).query("function == 'exp' and point == 1").set_index("scheme")
    for s, scheme in enumerate(SCHEMES):
        row = table.loc[scheme]
        grid = explored[0].about["grid"]
        assert grid[int(curve(explored[0], s, "predicted"))] == row.predicted_epsilon
        assert grid[int(curve(explored[0], s, "optimum"))] == row.optimal_epsilon
        assert curve(explored[0], s, "digits") == pytest.approx(row.optimal_digits, abs=1e-5)


def test_orders_are_formal_and_observed(explored):
    assert [curve(explored[0], s, "order") for s in range(3)] == [1, 4, 2]
    assert [curve(explored[0], s, "observed") for s in range(3)] == pytest.approx([1, 4, 2], abs=0.02)
    # exp is its own derivative: the truncation of forward-1 is ε/2 of it, that of central-4 ε⁴/30.
    assert [10 ** curve(explored[0], s, "coefficient") for s in range(2)] == pytest.approx([1 / 2, 1 / 30], rel=1e-5)


def test_the_rounding_line_falls_with_epsilon_and_bounds_most_errors(results, explored):
    block, each = results.blocks[0], explored[0]
    line = 10 ** (column(each, "rounding", 3, 65)[0] / STEPS)
    assert np.log10(line[64] / line[32]) / np.log10(block.grid[64] / block.grid[32]) == pytest.approx(-1, abs=0.1)
    small = slice(40, 60)
    assert np.mean(block.relative_error[0, 1, small] <= line[small]) > 0.8
    predicted = column(each, "predicted", 3, 65)[0]
    assert (predicted != NONE).sum() > 55


def test_shares_add_up_and_truncation_has_all_of_it_at_large_epsilon(explored):
    shares = column(explored[0], "shares", 3, 4, 65)
    known = (shares != NO_SHARE).all(axis=1)
    assert known.sum() > 150
    assert np.abs(shares.astype(int).sum(axis=1)[known] - WHOLE).max() <= 2
    assert shares[0, 0, 0] == WHOLE


def test_where_there_is_no_derivative_there_is_no_model(explored):
    about = explored[1].about
    assert (about["verdict"], about["hi"], about["exact"], about["modelled"]) == (
        "nondifferentiable",
        None,
        None,
        False,
    )
    assert "rounding" not in explored[1].columns
    assert np.isnan(column(explored[1], "curve", 3, len(CURVE))).all()
    assert set(column(explored[1], "status", 3, 66)[0]) == {Status.NONDIFFERENTIABLE}


def test_a_value_beyond_the_range_costs_no_report():
    results = run(Spec(Function("steep", "exp(x**2)", ["26"]), ["forward-1"], "1:1e-8", derivatives=[2]))
    about = explore(results.blocks[0], 0, 1).about
    assert about["function"] == "steep"
    assert about["modelled"]


def test_looks_are_those_of_the_scheme_whatever_the_derivative():
    looks = [
        dict(zip(each["schemes"], each["looks"], strict=True))
        for each in (explore(block, 0, 1).about for block in second_derivatives().blocks)
    ]
    assert looks == [{"central-2-d2": STYLES["central-2"], "forward-1-d2": STYLES["forward-1"]}]


def second_derivatives():
    return run(Spec(["exp"], ["central-2", "forward-1"], "1e-1:1e-4", derivatives=[2]))


def test_a_curve_without_an_ok_cell_says_why():
    results = run(Spec([Function("kink", "Abs(x)", ["0"]), "loggamma"], ["central-2", "complex-step"], "1e-1:1e-4"))
    why = {block.function: explore(block, 0, 1).about["why"] for block in results.blocks}
    assert why["kink"][0] == "nondifferentiable: derivative 1 has a jump at 0"
    assert why["loggamma"][0] == ""
    assert why["loggamma"][1].startswith("unsupported: needs complex values")


def test_schemes_that_are_no_formula_have_no_lines_but_their_estimates(results):
    block = replace(results.blocks[0], schemes=("forward-1", "somebody's", "complex-step"))
    each = explore(block, 0, 2)
    assert np.isnan(curve(each, 1, "order"))
    assert (column(each, "predicted", 3, 65)[1] == NONE).all()
    assert np.isfinite(column(each, "estimate", 3, 66)[1]).any()


def test_the_index_cannot_end_its_element_and_reads_back(explored):
    text, data = embedded(explored)
    assert "<" not in text
    assert ">" not in text
    index = json.loads(text)
    assert [block["function"] for block in index["blocks"]] == ["exp", "abs", NASTY]
    assert index["shared"][index["blocks"][0]["schemes"]] == SCHEMES
    assert index["blocks"][0]["grid"] == index["blocks"][2]["grid"]
    raw = zlib.decompress(base64.b64decode(data))
    assert len(raw) == sum(len(values) for each in explored for values in each.columns.values())
    first = np.frombuffer(raw[: 3 * 66 * 8], "<f8")
    np.testing.assert_array_equal(first, column(explored[0], "estimate", 3 * 66))


def test_columns_begin_where_their_types_may():
    widths = [np.dtype(kind).itemsize for kind in COLUMNS.values()]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("name", [NASTY, "a/b", "100%", "#", "ε × 2"])
def test_views_name_their_curve_whatever_it_is_called(name):
    fragment = view(name, 2, "float32", "central-2")
    assert [unquote(part) for part in fragment[1:].split("/")] == [name, "2", "float32", "central-2"]
    assert set(fragment[1:]).isdisjoint("<>\"'# &")


def test_libraries_are_those_of_the_package_and_end_no_element():
    for packed in libraries():
        script = zlib.decompress(base64.b64decode(packed.data))
        assert base64.b64encode(hashlib.sha256(script).digest()).decode() == packed.sha256
        assert len(script) > 100_000
    assert sum(len(packed.data) for packed in libraries()) < 700_000


def test_without_the_library_one_line_says_so(monkeypatch):
    libraries.cache_clear()
    monkeypatch.setattr(explorer, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedError, match="bokeh is not installed"):
        libraries()
    monkeypatch.undo()
    libraries.cache_clear()


@pytest.mark.slow
def test_two_processes_embed_the_same_bytes(tmp_path):
    program = (
        "import hashlib, sys; from diffbench import Spec, run, write_report\n"
        "page = write_report(run(Spec(['exp', 'sin'], ['forward-1', 'central-4'], '1:1e-8')), sys.argv[1])\n"
        "print(hashlib.sha256(page.read_bytes()).hexdigest())"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / seed)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("dtype", ["float64", "mp:20"])
def test_errors_are_embedded_where_a_browser_could_not_compute_them(dtype):
    (block,) = run(Spec(EXP, SCHEMES, "1:1e-19:1/decade", dtypes=[dtype])).blocks
    each = explore(block, 0, 2)
    assert each.about.get("wide", False) == ("error" in each.columns) == (dtype == "mp:20")
    if dtype == "mp:20":
        error = column(each, "error", 3, block.status.shape[-1])
        np.testing.assert_array_equal(error, block.error[:, 0])
        assert np.nanmin(np.abs(error)) < 1e-20
