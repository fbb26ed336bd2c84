"""Runs, plans and pages in the dtypes beside those that numpy has everywhere."""

import numpy as np
import pytest

from diffbench import load
from diffbench.dtypes import NAMES, find_dtype
from diffbench.sweep.results import Status


def test_help_names_the_dtypes(diffbench):
    text = " ".join(diffbench("run", "--help").out.split())
    assert f"{', '.join(NAMES)} or mp:D (D decimal digits). Default: float64." in text


def test_the_work_in_mpmath_is_known_before(diffbench):
    what = ("-f", "exp(x)", "--at", "1", "-s", "central-2", "-s", "forward-1")
    words = ("plan", *what, "--dtype", "mp:30", "--epsilon", "1")
    found = diffbench(*words, "--format", "json").json
    assert (found["evaluations"], found["cells"]) == (1 + 2 * (1 + 1), 2 * (1 + 1))


MODEL = """
anatomy = true
schemes = ["central-2"]
epsilons = "1e-5"
dtypes = ["mp:20"]
[[functions]]
name = "net"
model = "two-layer-network"
sizes = [2, 1]
samples = 2
"""


def test_errors_of_the_cost_of_a_model_in_mpmath_have_no_parts(diffbench, tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(MODEL, "utf-8")
    assert diffbench("plan", str(path), "--format", "json").json["cells"] == 10
    assert diffbench("run", str(path), "--out", "run", "--no-report").code == 0
    blocks = load("run").blocks
    assert sum(block.counts["ok"] for block in blocks) == 10
    assert all(np.isnan(block.parts).all() for block in blocks)


@pytest.mark.slow
def test_the_cost_of_a_model_in_mpmath(diffbench):
    what = ("-f", "network-11", "-s", "central-2", "--dtype", "mp:30", "--epsilon", "1e-8")
    planned = diffbench("plan", *what, "--format", "json").json
    assert planned["cells"] == 22
    assert planned["seconds"] > 0
    assert diffbench("run", *what, "--out", "run").code == 0
    (row,) = diffbench("show", "run", "--table", "gradients", "--format", "json").json
    assert row["certified"] == 11
    assert row["norm_error"] < 1e-14


@pytest.mark.slow
def test_wide_dtypes_beside_a_framework_that_has_none(diffbench):
    what = ("-f", "exp(sin(x))", "--at", "0.3", "--evaluator", "torch", "-s", "central-2", "--epsilon", "1e-2,1e-3")
    dtypes = ("--dtype", "float32", "--dtype", "longdouble", "--dtype", "mp:20")
    assert diffbench("run", *what, *dtypes, "--out", "run").code == 0
    found = diffbench("show", "run", "--table", "model", "--format", "json")
    assert {row["dtype"] for row in found.json} <= {"float32"}
    assert diffbench("baseline", "accept", "run", "--name", "torch", "--by", "me", "--reason", "none").code == 0


@pytest.mark.parametrize(
    ("formula", "at", "asked", "ok"),
    [
        pytest.param("exp(x)", "1", ("1", "1e-1,1e-350"), 3, id="a small epsilon", marks=pytest.mark.slow),
        pytest.param(
            "exp(-x**2)", "1", ("1", "1e350,1e-1:1e-4:2/decade"), 3, id="a large epsilon", marks=pytest.mark.slow
        ),
        pytest.param("sin(x)", "1e-350", ("1", "1e-1,1e-355"), 4, id="a small x", marks=pytest.mark.slow),
        pytest.param("log(x)", "1e350", ("1", "1e349,1e340"), 4, id="a large x"),
        pytest.param("exp(-1000*x)", "1", ("1", "1e-1,1e-3"), 4, id="a small f", marks=pytest.mark.slow),
        pytest.param("1e370 + x*1e370", "1", ("1", "1e-1,1e-3"), 0, id="a large f", marks=pytest.mark.slow),
        pytest.param(
            "exp(1e200*x)", "1e-200", ("2", "1e-1,1e-205"), 0, id="a large second derivative", marks=pytest.mark.slow
        ),
        pytest.param(
            "log(x)",
            "1e-200",
            ("2", "1e-201,1e-205"),
            0,
            id="a large second derivative of a small x",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "cos(1e-200*x)", "1", ("2", "1e-1,1e150"), 4, id="a small second derivative", marks=pytest.mark.slow
        ),
    ],
)
def test_numbers_beyond_the_range_of_float64(formula, at, asked, ok, diffbench):
    derivative, epsilons = asked
    dtypes = [dtype for dtype in ("longdouble", "mp:20") if not find_dtype(dtype).unavailable]
    what = ("-f", formula, "--at", at, "--derivative", derivative, "--epsilon", epsilons, "--rule", "usual")
    named = [word for dtype in dtypes for word in ("--dtype", dtype)]
    done = diffbench("run", *what, *named, "-s", "central-2", "-s", "complex-step", "--anatomy", "--out", "run")
    assert (done.code, "Warning" in done.err) == (0, False), done.err
    found = {block.dtype: np.count_nonzero(block.status[..., :2] == Status.OK) for block in load("run").blocks}
    assert found == dict.fromkeys(dtypes, ok)
    assert diffbench("show", "run", "--table", "model", "--format", "json").code == 0
    accepted = diffbench("baseline", "accept", "run", "--name", "far", "--by", "me", "--reason", "none")
    assert accepted.code == 0, accepted.err


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "longdouble", "mp:30"])
def test_a_page_of_every_dtype(dtype, diffbench, tmp_path):
    if find_dtype(dtype).unavailable:
        pytest.skip(find_dtype(dtype).unavailable)
    where = str(tmp_path / "run")
    outcome = diffbench("run", "-f", "sin(x)", "--at", "1", "--dtype", dtype, "--out", where)
    assert outcome.code == 0
    assert f"derivative, {dtype}" in (tmp_path / "run" / "report.html").read_text("utf-8")
    assert not [path for path in (tmp_path / "run").rglob("*") if ":" in path.name]
    assert diffbench("show", where, "--table", "references").code == 0
    assert diffbench("compare", where, where).code == 0
