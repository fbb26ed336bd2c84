"""What is written down of the calls of f."""

import mpmath
import numpy as np
import pytest

from diffbench import Function, OpaqueScheme, Spec, run
from diffbench.errors import UnsupportedError
from diffbench.functions.frameworks import EVALUATORS
from diffbench.functions.models import Model
from diffbench.sweep.results import RECORDED
from diffbench.sweep.watched import Watched


def watched(formula="x**2", dtype="float64", **options):
    return Watched(Function("f", formula, ["1"], **options), dtype)


def test_scalars_and_arrays_of_any_shape_are_answered_in_kind():
    f = watched()
    assert f(3.0) == 9
    assert f(np.float64(3)).shape == ()
    assert f([1, 2]).tolist() == [1, 4]
    assert f(np.ones((2, 3))).shape == (2, 3)
    assert f(2j) == -4
    assert f.evaluations == 1 + 1 + 2 + 6 + 1


@pytest.mark.parametrize(("dtype", "complex_dtype"), [("float32", "complex64"), ("float64", "complex128")])
def test_what_comes_is_rounded_to_the_working_dtype(dtype, complex_dtype):
    f = watched(dtype=dtype)
    assert f(np.float64(0.1)).dtype == dtype
    assert f(0.1).item() == (np.array([0.1], dtype) ** 2).item()
    assert f(np.array([1j])).dtype == complex_dtype


def test_distinct_nodes_are_counted_once():
    f = watched()
    for node in (1.0, 1.5, 1.5, [1.0, 2.0], 1.0 + 0j):
        f(node)
    assert f.evaluations == 6
    assert f.record(1.0).distinct_nodes == 3


@pytest.mark.parametrize(
    ("nodes", "nearest"), [([1.0, 1.25, 0.5], 0.25), ([1.0], np.nan), ([1 + 1e-20j], 1e-20), ([np.inf, 3.0], 2.0)]
)
def test_the_nearest_node_is_the_epsilon_that_was_used(nodes, nearest):
    f = watched()
    for node in nodes:
        f(node)
    assert f.record(1.0).nearest_node == pytest.approx(nearest, nan_ok=True)


def test_outside_the_domain_f_is_nan_and_counted():
    f = watched("log(x)", domain="(0, oo)")
    assert np.isnan(f([-1.0, -2.0, 1.0])).tolist() == [True, True, False]
    value = f(-1 + 1e-20j)
    assert np.isnan(value.real)
    assert np.isnan(value.imag)
    assert f.record(1.0).outside == 3
    assert f.left == "a node leaves (0, oo)"


def test_where_f_is_not_defined_it_says_so():
    f = watched("sqrt(x)")
    assert np.isnan(f(-1.0))
    assert f.left == "f is not defined or not real at a node"


def test_an_overflow_is_not_undefined():
    f = watched("exp(x)")
    assert f(1000.0) == np.inf
    assert f.left == ""


def test_a_node_that_is_changed_afterwards_was_written_down_before():
    f, node = watched(), np.array([1.5])
    f(node)
    node += 10
    assert f.record(1.0).nearest_node == 0.5


def test_f_in_mpmath_is_watched_too():
    f = watched("exp(x)", domain="(-oo, 2]")
    with mpmath.workdps(30):
        assert f.in_namespace("mpmath")(mpmath.mpf(1)) == mpmath.e
        assert mpmath.isnan(f.in_namespace("mpmath")(mpmath.mpf(3)))
    assert f.evaluations == 2
    assert f.record(1.0) == (2, 1, 2.0)
    assert f.left == "a node leaves (-oo, 2]"


@pytest.mark.parametrize("options", [{"noise": "relative 1e-6"}, {"evaluate": np.square}])
def test_what_is_more_than_its_formula_has_no_other_arithmetic(options):
    with pytest.raises(UnsupportedError, match="more than"):
        watched(**options).in_namespace("mpmath")


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_the_cost_of_a_model_has_no_other_arithmetic(evaluator):
    cost = Function.of_model("cost", Model("logistic-regression", (2,))).computed_by(evaluator)
    with pytest.raises(UnsupportedError, match=r"^mpmath needs the formula, and f is more than that$"):
        Watched(cost.line(0, "float64"), "float64").in_namespace("mpmath")


def test_records_are_columns_beside_opaque_schemes_only():
    central = OpaqueScheme("central", lambda f, x, e: (f(x + e) - f(x - e)) / (2 * e))
    with_it, without = (run(Spec("exp", schemes, "1e-3")) for schemes in (["forward-1", central], "forward-1"))
    frame = with_it.to_frame().set_index("scheme")
    assert tuple(frame.columns[-3:]) == RECORDED
    assert frame.loc["central", "distinct_nodes"].tolist() == [2] * len(frame.loc["central"])
    assert frame.loc["central", "nearest_node"].to_numpy() == pytest.approx(1e-3, rel=1e-9)
    assert frame.loc["forward-1", list(RECORDED)].isna().to_numpy().all()
    assert without.blocks[0].records is None
    assert not set(RECORDED) & set(without.to_frame().columns)


def test_half_precision_has_no_complex_numbers():
    with pytest.raises(UnsupportedError, match=r"^needs complex values, and float16 has no complex dtype$"):
        watched(dtype="float16")(1j)
