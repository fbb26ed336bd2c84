"""Costs of models: the tape, its data, and what is measured along one parameter."""

from fractions import Fraction

import numpy as np
import pytest

from diffbench import Spec
from diffbench.errors import InputError
from diffbench.functions.function import Function
from diffbench.functions.models import NUMPY, Model, cost_along, cost_in_context
from diffbench.functions.suites import function_from_table, load_suite
from diffbench.multiple import LOCK, arithmetic
from diffbench.rounding import exact_mpf, round_array

REGRESSION = Model("logistic-regression", (5,), samples=7, seed=3)
NETWORK = Model("two-layer-network", (3, 4), samples=5, seed=2)


def by_hand(model: Model, parameters: np.ndarray) -> float:
    """Return the cost as matrices give it."""
    steps = model.tape.steps
    data = [np.array(step.data, dtype=float) for step in steps if step.operation == "data"]
    inputs, labels = np.array(data[:-1]).T, data[-1]
    d = model.sizes[0]
    if model.kind == "logistic-regression":
        score = inputs @ parameters[:d] + parameters[d]
    else:
        h = model.sizes[1]
        weights, biases = parameters[: h * d].reshape(h, d), parameters[h * d : h * d + h]
        score = np.tanh(inputs @ weights.T + biases) @ parameters[h * d + h : -1] + parameters[-1]
    return float(np.mean(np.log1p(np.exp(score)) - labels * score))


@pytest.mark.parametrize("model", [REGRESSION, NETWORK], ids=["regression", "network"])
def test_the_tape_is_the_model(model: Model) -> None:
    at = np.array(model.parameters, dtype=float)
    for i in range(at.size):
        moved = at.copy()
        moved[i] += 0.25
        assert cost_along(model, i, "float64", moved[i : i + 1])[0] == pytest.approx(by_hand(model, moved), rel=1e-13)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("model", [REGRESSION, NETWORK], ids=["regression", "network"])
def test_what_does_not_depend_on_a_parameter_is_not_computed_again_and_no_bit_changes(model: Model, dtype: str) -> None:
    at = round_array(model.parameters, dtype)
    for i in range(at.size):
        nodes = at[i] + np.array([-0.5, 0.0, 0.125], dtype=dtype)
        columns = [np.broadcast_to(nodes if j == i else at[j], (1, 3)).astype(dtype) for j in range(at.size)]
        whole = model.tape.values(columns, lambda step: round_array(step.data, dtype)[:, None], NUMPY)[-1]
        along = cost_along(model, i, dtype, nodes)
        assert along.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(along, whole.ravel())


def test_data_and_parameters_are_short_binary_fractions_of_the_seed() -> None:
    for model in (REGRESSION, NETWORK, Model("logistic-regression", (999,))):
        numbers = [*model.parameters, *(x for step in model.tape.steps for x in step.data)]
        assert all(x.denominator & (x.denominator - 1) == 0 and abs(x) <= 1 for x in numbers)
        assert all(Fraction(float(np.float16(float(x)))) == x for x in numbers)
    assert Model("logistic-regression", (5,), samples=7, seed=4).parameters != REGRESSION.parameters
    assert [str(x) for x in REGRESSION.parameters[:3]] == FIRST


FIRST = ["-1/8", "-37/256", "199/512"]


def test_the_complex_continuation_is_that_of_the_cost() -> None:
    x = np.array([complex(REGRESSION.parameters[0], 1e-30)])
    slope = cost_along(REGRESSION, 0, "float64", x).imag[0] / 1e-30
    up, down = (cost_along(REGRESSION, 0, "float64", x.real + step)[0] for step in (1e-5, -1e-5))
    assert slope == pytest.approx((up - down) / 2e-5, rel=1e-8)


def test_a_spec_keeps_the_description() -> None:
    spec = Spec([Function.of_model("net", NETWORK, tags=["network"])], ["central-2"], ["1e-5"])
    assert Spec.from_text(spec.to_toml()).functions == spec.functions
    table = {"model": "two-layer-network", "sizes": [3, 4], "samples": 5, "seed": 2}
    assert function_from_table(table).model == NETWORK
    assert [len(each.points) for each in load_suite("models").functions] == [10, 100, 1000, 11, 100, 1000]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"model": "logistic"}, "'logistic' is not one of logistic-regression"),
        ({"model": "logistic-regression", "sizes": [3, 4]}, "are not inputs of logistic-regression"),
        ({"model": "two-layer-network", "sizes": [0, 4]}, "are not inputs, hidden of two-layer-network"),
        ({"model": "two-layer-network", "sizes": [200, 200]}, "over 10000 parameters"),
        ({"model": "logistic-regression", "sizes": [3], "samples": 0}, "samples: 0 is not a whole number"),
        ({"model": "logistic-regression", "sizes": [3], "seed": "x"}, "seed: 'x' is not a whole number"),
        ({"model": "logistic-regression", "sizes": [3], "formula": "x"}, "unknown key 'formula'"),
    ],
)
def test_what_is_no_model_is_refused(table: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        function_from_table(table)


@pytest.mark.parametrize("model", [REGRESSION, NETWORK], ids=["regression", "network"])
def test_in_mpmath_the_cost_has_as_many_digits_as_the_dtype(model: Model) -> None:
    few, many = arithmetic("mp:30"), arithmetic("mp:60")
    at = np.array(model.parameters, dtype=float)
    for i in (0, at.size - 1):
        at[i] += 0.25
        with LOCK:
            rough, fine = (exact_mpf(cost_in_context(model, i, each)(each.mpf(float(at[i])))) for each in (few, many))
        assert float(fine) == pytest.approx(by_hand(model, at), rel=1e-13)
        assert 0 < abs(rough - fine) < fine / 10**28
        at[i] -= 0.25
