"""Sweeps of functions that JAX or torch computes, and of those that nobody here can compute."""

import sys
import tomllib
from fractions import Fraction

import numpy as np
import pytest

from diffbench import Function, OpaqueScheme, Spec, compare, load, run
from diffbench.analysis.baseline import baseline_of
from diffbench.analysis.gate import judge
from diffbench.analysis.pairing import Pairs
from diffbench.errors import InputError
from diffbench.functions.frameworks import FRAMEWORKS, why_not
from diffbench.functions.models import Model
from diffbench.reference.reverse import gradient
from diffbench.schemes.libraries import installed_version
from diffbench.sweep.provenance import versions, versions_for
from diffbench.sweep.run import resume

SINE = Function("sine", "sin(x)", ["1", "2"])
NETWORK = Model("two-layer-network", (3, 2), samples=5, seed=4)
COST = Function.of_model("cost", NETWORK)


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    """Give the name of a framework that is installed."""
    reason = why_not(request.param)
    if reason:
        pytest.skip(reason)
    return request.param


def test_the_canonical_form_names_what_is_not_numpy():
    plain, other = Spec(SINE, ["forward-1"]), Spec(SINE, ["forward-1"], evaluator="torch")
    assert "evaluator" not in tomllib.loads(plain.to_toml())
    assert plain.sha256 == Spec(SINE, ["forward-1"], evaluator="numpy").sha256
    assert tomllib.loads(other.to_toml())["evaluator"] == "torch"
    assert Spec.from_text(other.to_toml()) == other != plain
    assert [each.evaluator for each in other.functions] == ["torch"]
    assert other.only(["sine"]) == other


@pytest.mark.parametrize("wrong", ["torhc", 3, ["jax"]])
def test_an_evaluator_that_there_is_not_is_refused(wrong):
    with pytest.raises(InputError, match=r"^evaluator: .* is not one of numpy, jax, torch"):
        Spec(SINE, evaluator=wrong)


def test_code_of_its_own_is_computed_by_nobody_else():
    with pytest.raises(InputError, match="sine has code of its own"):
        Spec(Function("sine", "sin(x)", ["1"], evaluate=np.sin), evaluator="jax")


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_without_its_package_every_cell_is_unsupported_with_the_reason(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    several = Function("product", "x*y", [{"x": 1, "y": 2}])
    for functions in (SINE, several, COST):
        spec = Spec(functions, ["central-2", "complex-step"], "1e-2", evaluator=name, anatomy=True)
        frame = run(spec).to_frame()
        assert len(frame) == spec.planned
        assert set(frame["status"]) == {"unsupported"}
        assert set(frame["reason"]) == {f"{name} is not installed"}
        assert frame["reference"].notna().all()


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_wide_dtypes_are_unsupported_by_frameworks_with_the_reason(name, tmp_path):
    schemes = ["central-2", OpaqueScheme("once", lambda f, x: x, takes_epsilon=False)]
    spec = Spec("exp", schemes, "1e-3,1e-400", dtypes=["longdouble", "mp:20", "float32"], evaluator=name)
    results = run(spec, out=tmp_path / "run")
    assert run(spec).to_frame().equals(results.to_frame())
    assert load(tmp_path / "run").to_frame().equals(results.to_frame())
    frame = results.to_frame()
    assert len(frame) == spec.planned
    for dtype in ("longdouble", "mp:20"):
        rows = frame[frame["dtype"] == dtype]
        assert set(rows["status"]) == {"unsupported"}
        assert set(rows["reason"]) == {f"{name} has no {dtype}"}
        assert rows["reference"].notna().all()
        assert rows["error"].isna().all()


def test_a_gate_knows_that_numpy_computed_the_baseline(tmp_path):
    """Bits are not compared then, whether the framework is here or not."""
    runs = [run(Spec(SINE, ["central-2"], evaluator=name), out=tmp_path / name) for name in ("numpy", "torch")]
    before, after = map(baseline_of, runs)
    assert Pairs(before, before).is_same_platform
    assert Pairs(before, after).method == "other code that evaluates f: bounds"
    assert "f was computed by numpy for the baseline, and by torch here" in judge(before, after).notes
    assert compare(*runs).reasons[0] == "f was computed by numpy, and then by torch"
    assert not any("computed by" in each for each in (*judge(after, after).notes, *compare(runs[1], runs[1]).reasons))


def test_versions_are_those_of_the_framework_too():
    assert versions_for(()) == versions()
    for name in FRAMEWORKS:
        found = versions_for((), name)
        assert found[name] == (installed_version(name) or "not installed")
        assert found.keys() - versions().keys() == {
            "jax": {"jax", "jaxlib"},
            "torch": {"torch", "array-api-compat"},
        }.get(name)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_a_sweep_measures_what_the_framework_computes(framework, dtype):
    function = Function("f", "exp(sin(x))/x", ["1.25"])
    choice = {"schemes": ["forward-1", "central-4"], "epsilons": ["2^-4", "2^-6"], "dtypes": dtype, "rules": []}
    ours, theirs = (run(Spec(function, evaluator=name, **choice)).block("f", 1, dtype) for name in ("numpy", framework))
    assert theirs.counts == ours.counts
    u = {"bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}[dtype]
    np.testing.assert_allclose(theirs.estimate, ours.estimate, atol=400 * u)
    assert theirs.references == ours.references


@pytest.mark.slow
def test_the_same_spec_has_the_same_bits_whatever_is_measured_beside_it(framework, tmp_path):
    sinh = Function("f", "sinh(x)**2.5", ["0.5", "2", "3.5"])
    alone = run(Spec(sinh, ["central-2"], dtypes="float32", evaluator=framework))
    beside = run(Spec([SINE, sinh], ["central-2"], dtypes="float32", evaluator=framework), jobs=2, out=tmp_path / "r")
    pieces = run(Spec(sinh, ["central-2"], dtypes="float32", evaluator=framework), block_size=70)
    expected = alone.to_frame()
    for other in (beside, pieces):
        frame = other.to_frame()
        mine = frame[frame["function"] == "f"].reset_index(drop=True)
        assert mine["estimate"].equals(expected["estimate"])
    manifest = load(tmp_path / "r").manifest
    assert manifest["versions"][framework] == installed_version(framework)
    assert resume(tmp_path / "r").counts == beside.counts


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_errors_of_a_cost_are_those_of_what_the_framework_computes(framework, dtype):
    spec = Spec(COST, ["central-2"], ["2^-3", "2^-5"], dtypes=dtype, evaluator=framework, rules=[])
    (block,) = run(spec).blocks
    assert block.counts["ok"] == spec.planned
    exact = [Fraction(ball.midpoint) for ball in gradient(NETWORK, NETWORK.parameters, 400)]
    for row, x in enumerate(block.x):
        f = COST.computed_by(framework).line(row, dtype).compile(dtype)
        for column, epsilon in enumerate(block.grid):
            upper, lower = (f(np.array([x + sign * epsilon], dtype)) for sign in (1, -1))
            estimate = (upper - lower) / np.array([2], dtype) / np.array([epsilon], dtype)
            assert block.estimate[0, row, column] == estimate[0]
            error = Fraction(float(estimate[0])) - exact[row]
            assert abs(Fraction(float(block.error[0, row, column])) - error) <= abs(error) * Fraction(4, 2**53)


@pytest.mark.slow
def test_complex_steps_of_a_cost_where_there_are_complex_numbers(framework):
    frame = run(Spec(COST, "complex-step", "1e-3", dtypes=["bfloat16", "float32"], evaluator=framework)).to_frame()
    wide, narrow = (frame[frame["dtype"] == dtype] for dtype in ("float32", "bfloat16"))
    assert set(wide["status"]) == {"ok"}
    assert wide["digits"].min() > 5
    assert set(narrow["status"]) == {"unsupported"}
    assert set(narrow["reason"]) == {"needs complex values, and bfloat16 has no complex dtype"}
