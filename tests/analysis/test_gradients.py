"""The error of gradients as a whole, and the gradient check."""

import numpy as np
import pytest

from diffbench import EmptySelectionError, Function, Spec, gradients, run
from diffbench.errors import InputError
from diffbench.functions.models import Model
from diffbench.report.tables import run_tables

NETWORK = Function.of_model("net", Model("two-layer-network", (3, 4), samples=5, seed=2))
SADDLE = Function("saddle", "x**2*y + sin(y)", [["0.5", "2"], ["1", "-3"]], variables=("x", "y"))


def test_the_gradient_check_is_that_of_the_textbook() -> None:
    results = run(Spec([NETWORK], ["central-2"], ["1e-3:1e-9:1/decade"], rules=[]))
    (row,) = gradients(results).to_dict("records")
    block = results.block("net")
    column = int(np.flatnonzero(block.grid == 1e-7)[0])
    numerical, exact = block.estimate[0, :, column], block.hi[:, 0]
    expected = np.linalg.norm(numerical - exact) / (np.linalg.norm(numerical) + np.linalg.norm(exact))
    assert row["check"] == pytest.approx(expected, rel=1e-6)
    assert 1e-11 < row["check"] < 1e-7
    assert (row["components"], row["certified"], row["evaluations"]) == (21, 21, 42)
    errors = np.linalg.norm(block.error[0], axis=0) / np.linalg.norm(exact)
    assert errors.min() <= row["norm_error"] <= np.median(errors)
    best = int(np.flatnonzero(block.grid == row["optimal_epsilon"])[0])
    assert row["norm_error"] == pytest.approx(errors[best])
    assert row["least_digits"] == pytest.approx(block.digits[0, :, best].min())


def test_in_float32_the_textbooks_check_refuses_an_exact_gradient() -> None:
    (row,) = gradients(run(Spec([NETWORK], ["central-2"], ["1e-7"], dtypes="float32", rules=[]))).to_dict("records")
    assert row["check"] > 0.1


def test_mixed_derivatives_stand_in_the_hessian_twice() -> None:
    results = run(Spec([SADDLE], ["central-2"], ["1e-2"], derivatives=[2], rules=[]))
    first, second = gradients(results).to_dict("records")
    assert (first["at"], second["at"]) == ("x=0.5, y=2", "x=1, y=-3")
    exact = np.array([[4.0, 1.0], [1.0, -np.sin(2.0)]])
    block = results.block("saddle", 2)
    found = [block.estimate[0, p, 0] for p in (0, 1, 4)]
    missed = np.array([[found[0], found[2]], [found[2], found[1]]]) - exact
    assert first["norm_error"] == pytest.approx(np.linalg.norm(missed) / np.linalg.norm(exact), rel=1e-6)
    assert first["check"] is None or np.isnan(first["check"])


def test_the_jacobian_is_that_of_all_components() -> None:
    table = {
        "name": "valley",
        "formulas": ["10*(y - x**2)", "1 - x", "exp(x*y)"],
        "variables": ["x", "y"],
        "points": [["-1.25", "1"]],
    }
    results = run(Spec([table], ["forward-1"], ["2^-20"], rules=[]))
    assert [key[0] for key in results.keys] == ["valley[1]", "valley[2]", "valley[3]"]
    rows = gradients(results).to_dict("records")
    assert [(row["function"], row["components"]) for row in rows][-1] == ("valley", 6)
    exact = np.array([[25.0, 10.0], [-1.0, 0.0], [np.exp(-1.25), -1.25 * np.exp(-1.25)]])
    found = np.array([results.block(*key).estimate[0, :, 0] for key in results.keys])
    missed = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    assert rows[-1]["norm_error"] == pytest.approx(missed, rel=1e-4)
    assert rows[-1]["evaluations"] == 12


@pytest.mark.parametrize("table", [{"formulas": ["x"]}, {"name": "f", "formulas": []}, {"name": "f", "formulas": "x"}])
def test_components_without_a_name_or_formulas_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(InputError, match="formulas"):
        Spec([{**table, "variables": ["x", "y"], "points": [["1", "2"]]}])


def test_a_component_that_is_lost_loses_the_norm() -> None:
    root = Function("root", "sqrt(x)*y", [["1e-3", "2"]], variables=("x", "y"))
    results = run(Spec([root], ["backward-1"], ["1e-1:1e-8:1/decade"], rules=[]))
    (row,) = gradients(results).to_dict("records")
    assert row["optimal_epsilon"] < 1e-3


def test_a_run_without_several_variables_has_no_gradients() -> None:
    results = run(Spec([Function("f", "exp(x)", [1])], ["central-2"], ["1e-3"]))
    with pytest.raises(EmptySelectionError, match="no functions of several variables"):
        gradients(results)
    assert "gradients" not in run_tables(results)
    assert len(run_tables(run(Spec([SADDLE], ["central-2"], ["1e-3"])))["gradients"].rows) == 2
