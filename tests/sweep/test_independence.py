"""No bit of a result depends on what it is measured beside, on how the work is cut, or on who does it."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
from folders import bits, contents
from hypothesis import given, settings
from hypothesis import strategies as st

from diffbench import Function, OpaqueScheme, Spec, run
from diffbench.rounding import round_array
from diffbench.schemes.step_rules import ADAPTIVE_RULES
from diffbench.sweep.evaluate import measure, measure_together
from diffbench.sweep.executors import executor_called
from diffbench.sweep.nodes import nodes_per_point
from diffbench.sweep.results import Status

SCHEMES = (
    *("forward-1", "backward-2", "central-2", "central-4", "stencil(-1,0,2)", "richardson(central-2)"),
    *("complex-step", "complex-step-45-d2", "forward-1-d2", "central-4-d2"),
)
FIRST = tuple(name for name in SCHEMES if not name.endswith("-d2"))
GRIDS = {"decimal": "1:1e-12:2/decade", "dyadic": "2^-1:2^-40"}
DTYPES = ("float16", "float32", "float64")
FUNCTIONS = ("exp", "abs", "log-near-0", "sin-100x", "gamma", "noisy-sin")
BLOCK_SIZES = (1, 7, 100, 40_000)


def spec(grid="decimal", functions=FUNCTIONS, schemes=SCHEMES, **options):
    return Spec(functions, list(schemes), GRIDS[grid], **({"dtypes": DTYPES} | options))


def mostly_slow(values, *quick):
    """Return every value with every grid, of which a few pairs are tried in the quick suite."""
    pairs = [(value, grid) for value in values for grid in GRIDS]
    return [pytest.param(*pair, marks=() if pair in quick else pytest.mark.slow) for pair in pairs]


RULES = ("usual", *(rule.name for rule in ADAPTIVE_RULES))
SOME = {"functions": FUNCTIONS, "schemes": ("forward-1", "central-2", "central-4", "complex-step"), "rules": RULES}
"""Less of everything else, since an adaptive rule takes its time."""


def by_key(results):
    return {key: results.block(*key) for key in results.keys}


def of_schemes(block, schemes):
    """Return the cells of some schemes of a block, as bits."""
    rows = [block.schemes.index(name) for name in schemes]
    arrays = ("chosen", "estimate", "error_estimate", "evaluations", "status", "reason")
    return bits(replace(block, schemes=tuple(schemes), **{name: getattr(block, name)[rows] for name in arrays}))


@pytest.fixture(scope="module")
def alone():
    """Return what is measured in one block and one thread, by grid."""
    return {grid: by_key(run(spec(grid), jobs=1)) for grid in GRIDS}


def same(results, expected):
    found = by_key(results)
    assert list(found) == list(expected)
    for key, block in found.items():
        assert bits(block) == bits(expected[key]), key


@pytest.mark.parametrize(("block_size", "grid"), mostly_slow(BLOCK_SIZES, (1, "decimal"), (7, "dyadic")))
def test_results_do_not_depend_on_the_size_of_blocks(block_size, grid, alone):
    same(run(spec(grid), jobs=1, block_size=block_size), alone[grid])


@pytest.mark.parametrize("grid", GRIDS)
@settings(max_examples=8)
@given(chosen=st.sets(st.sampled_from(SCHEMES), min_size=1))
def test_results_do_not_depend_on_the_other_schemes(grid, alone, chosen):
    names = [name for name in SCHEMES if name in chosen]
    functions = ("exp", "log-near-0")
    results = run(spec(grid, functions, names, dtypes=["float32", "float64"]), jobs=1)
    for key, block in by_key(results).items():
        assert bits(block) == of_schemes(alone[grid][key], block.schemes), key


@pytest.mark.parametrize("grid", GRIDS)
def test_results_do_not_depend_on_the_order_of_schemes(grid, alone):
    results = run(spec(grid, schemes=SCHEMES[::-1], dtypes=["float64"]), jobs=1)
    for key, block in by_key(results).items():
        assert bits(block) == of_schemes(alone[grid][key], block.schemes), key


@pytest.mark.parametrize("grid", GRIDS)
def test_results_do_not_depend_on_an_opaque_scheme_beside(grid, alone):
    beside = OpaqueScheme("beside", lambda f, x, e: ((f(x + e) - f(x)) / e, 0.5))
    once = OpaqueScheme("once", lambda f, x: float(f(x)), takes_epsilon=False)
    results = run(spec(grid, ["exp", "abs"], [beside, *FIRST, once]), jobs=1)
    for key, block in by_key(results).items():
        width = alone[grid][key].status.shape[-1]
        arrays = ("estimate", "error_estimate", "evaluations", "status", "reason")
        cut = replace(block, chosen=block.chosen[..., :-1], **{a: getattr(block, a)[..., :width] for a in arrays})
        assert of_schemes(cut, FIRST) == bits(alone[grid][key]), key


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_results_do_not_depend_on_the_functions_that_are_measured_beside(dtype, grid):
    units = spec(grid, dtypes=[dtype]).plan()
    separately = [measure(unit) for unit in units]
    for chosen in (units, units[::-1], units[1:4]):
        for unit, blocks in zip(chosen, measure_together(chosen), strict=True):
            expected = separately[units.index(unit)]
            assert [bits(block) for block in blocks] == [bits(block) for block in expected], unit.function.name


def test_functions_that_fail_harm_none_beside_them():
    def fail(x):
        raise ZeroDivisionError("no")

    def promote(x):
        return x.astype(np.complex128)

    broken = [
        Function("failing", "x", ["1", "2"], evaluate=fail),
        Function("promoting", "x", ["1"], evaluate=promote),
        Function("wrong-shape", "x", ["1"], evaluate=lambda x: 0.0),
        Function("narrow", "log(x)", ["0.001"], domain="(0, oo)"),
    ]
    together = run(spec(functions=[broken[0], "exp", *broken[1:3], "abs", broken[3]], dtypes=["float64"]), jobs=1)
    separately = run(spec(functions=["exp", "abs"], dtypes=["float64"]), jobs=1)
    for key, block in by_key(separately).items():
        assert bits(together.block(*key)) == bits(block)
    assert (together.block("failing").status == Status.FAILED).any()


@pytest.mark.parametrize(("threads", "grid"), mostly_slow([1, 2, 5], (2, "decimal")))
def test_results_do_not_depend_on_threads(threads, grid, alone):
    with ThreadPoolExecutor(threads) as executor:
        same(run(spec(grid), executor, jobs=threads, block_size=50), alone[grid])
    same(run(spec(grid), jobs=threads, block_size=50), alone[grid])


@pytest.mark.slow
def test_results_do_not_depend_on_processes(alone, tmp_path):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        same(run(spec("decimal"), executor, jobs=2, block_size=100), alone["decimal"])
    with executor_called("processes", 2) as (executor, jobs):
        same(run(spec("dyadic"), executor, tmp_path / "processes", jobs=jobs, block_size=100), alone["dyadic"])
    run(spec("dyadic"), None, tmp_path / "one", jobs=1, block_size=100)
    assert contents(tmp_path / "processes") == contents(tmp_path / "one")


def test_points_do_not_depend_on_the_points_beside_them():
    points = ["0.1", "1", "3.7", "1e-3", "20"]
    together = run(Spec(Function("f", "exp(x)", points), list(FIRST), GRIDS["dyadic"])).block("f")
    for i, point in enumerate(points):
        block = run(Spec(Function("f", "exp(x)", [point]), list(FIRST), GRIDS["dyadic"])).block("f")
        arrays = ("estimate", "status", "chosen")
        for name in arrays:
            np.testing.assert_array_equal(getattr(together, name)[:, i], getattr(block, name)[:, 0])


# what adaptive rules choose -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chosen_alone():
    return by_key(run(spec(**SOME), jobs=1))


@pytest.mark.parametrize("block_size", [pytest.param(1, marks=pytest.mark.slow), 60, 40_000])
def test_choices_do_not_depend_on_blocks_and_threads(block_size, chosen_alone):
    same(run(spec(**SOME), jobs=2, block_size=block_size), chosen_alone)


@pytest.mark.slow
def test_choices_do_not_depend_on_processes(chosen_alone):
    with executor_called("processes", 2) as (executor, jobs):
        same(run(spec(**SOME), executor, jobs=jobs, block_size=100), chosen_alone)


@pytest.mark.parametrize("schemes", [("central-2",), ("complex-step", "forward-1")])
def test_choices_do_not_depend_on_the_other_schemes(schemes, chosen_alone):
    for key, block in by_key(run(spec(**SOME | {"schemes": schemes}), jobs=1)).items():
        assert bits(block) == of_schemes(chosen_alone[key], schemes), key


@pytest.mark.parametrize("rule", RULES)
def test_choices_do_not_depend_on_the_other_rules(rule, chosen_alone):
    for key, block in by_key(run(spec(**SOME | {"rules": [rule]}), jobs=1)).items():
        column, other = block.rule_column(rule), chosen_alone[key].rule_column(rule)
        for name in ("epsilon", "estimate", "evaluations", "status"):
            np.testing.assert_array_equal(
                getattr(block, name)[..., column], getattr(chosen_alone[key], name)[..., other]
            )


@pytest.mark.parametrize("dtype", DTYPES)
def test_choices_do_not_depend_on_the_functions_that_are_measured_beside(dtype):
    units = spec(**SOME | {"dtypes": [dtype]}).plan()
    separately = [measure(unit) for unit in units]
    for unit, blocks in zip(units[::-1], measure_together(units[::-1]), strict=True):
        expected = separately[units.index(unit)]
        assert [bits(block) for block in blocks] == [bits(block) for block in expected], unit.function.name


# each node once -------------------------------------------------------------------------------------------------------


class Counting:
    """x³ that notes every value it is asked for."""

    def __init__(self):
        self.nodes = []

    def __call__(self, x):
        self.nodes.extend(x.tolist())
        return x * x * x


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("points", [["1"], ["1", "0.3", "-2", "7"]])
@pytest.mark.parametrize("rules", [[], ["usual"]])
def test_f_is_asked_for_as_many_values_as_the_plan_counts(rules, points, grid):
    counting = Counting()
    chosen = spec(grid, [Function("cube", "x**3", points, evaluate=counting)], dtypes=["float64"], rules=rules)
    (unit,) = chosen.plan()
    measure(unit)
    schemes = [scheme for _, schemes in unit.schemes for scheme in schemes]
    x, epsilons = round_array(unit.function.points[:1], "float64"), np.array(unit.epsilons)
    assert len(counting.nodes) == len(points) * nodes_per_point(x, epsilons, unit.rules, schemes)


def test_nodes_that_epsilons_of_a_dyadic_grid_share_are_evaluated_once():
    counting = Counting()
    schemes = ["forward-1", "forward-2", "central-2", "central-4"]
    function = Function("cube", "x**3", ["0"], evaluate=counting)
    (unit,) = Spec(function, schemes, GRIDS["dyadic"], rules=[]).plan()
    (block,) = measure(unit)
    epsilons = 40
    # The centre, ±ε for each, and ±2ε for the largest alone: the others' are their neighbours' ±ε.
    assert len(counting.nodes) == len(set(counting.nodes)) == 1 + 2 * epsilons + 2
    # Without sharing it would be the centre, ±ε and ±2ε.
    assert len(counting.nodes) < 1 + 4 * epsilons
    assert block.estimate.shape == (4, 1, epsilons)


def test_on_a_decimal_grid_every_node_is_evaluated_once_too():
    counting = Counting()
    function = Function("cube", "x**3", ["0"], evaluate=counting)
    (unit,) = Spec(function, ["forward-1", "forward-2", "central-2", "central-4"], "1e-1,1e-2", rules=[]).plan()
    measure(unit)
    assert sorted(counting.nodes) == sorted({0.0, *(k * e for k in (-2, -1, 1, 2) for e in (0.1, 0.01))})


@pytest.mark.parametrize("dtype", DTYPES)
def test_shared_nodes_give_what_each_epsilon_gives_alone(dtype):
    schemes = ["forward-1", "forward-2", "central-4", "richardson(central-2)"]
    function = Function("f", "exp(x)*sin(x)", ["1", "0.3", "100"])
    together = run(Spec(function, schemes, GRIDS["dyadic"], dtypes=[dtype], rules=[])).block("f", 1, dtype)
    for k in (1, 2, 3, 17, 40):
        block = run(Spec(function, schemes, f"2^-{k}", dtypes=[dtype], rules=[])).block("f", 1, dtype)
        np.testing.assert_array_equal(together.estimate[:, :, k - 1], block.estimate[:, :, 0])
        np.testing.assert_array_equal(together.status[:, :, k - 1], block.status[:, :, 0])
