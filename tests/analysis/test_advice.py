"""Advice for a class of functions, and the error of the advice itself."""

import numpy as np
import pytest

from diffbench import Function, Spec, recommend, run
from diffbench.analysis.advice import _Candidates
from diffbench.errors import EmptySelectionError

SMOOTH = [
    Function(f"f{i}", formula, ["0.7", "1.2"]) for i, formula in enumerate(("exp(x)", "sin(x)", "log(x)", "atan(x)"))
]


@pytest.fixture(scope="module")
def results():
    schemes = ["forward-1", "central-2", "central-4", "complex-step"]
    return run(Spec(SMOOTH, schemes, dtypes=["float32", "float64"], rules=[]))


def test_the_advice_is_the_best_over_all_functions(results):
    advice = recommend(results)
    frame = results.to_frame().query("dtype == 'float64' and scheme == 'central-4' and rule.isna()")
    digits = frame.groupby(["epsilon", "function"]).digits.median().groupby("epsilon").median()
    assert (advice.scheme, advice.rule) == ("central-4", None)
    # Single cells here, running medians in the advice; another libm moves single cells.
    assert digits[advice.epsilon] > digits.max() - 1
    assert advice.functions == 4
    assert advice.runner_up["scheme"] == "central-2"
    assert advice.digits_low <= advice.digits


def test_complex_step_needs_leave_and_evaluations_are_counted(results):
    assert recommend(results, allow_complex=True).scheme == "complex-step"
    assert recommend(results, evaluations=2).scheme == "central-2"
    with pytest.raises(EmptySelectionError, match="no scheme"):
        recommend(results, evaluations=1)


def test_dtype_and_derivative_are_chosen(results):
    assert recommend(results, dtype="float32").epsilon > recommend(results).epsilon
    with pytest.raises(EmptySelectionError, match="no derivative 2"):
        recommend(results, derivative=2)


def test_digits_lost_are_those_of_advice_from_the_others():
    """Three functions like the first candidate, one the second: it alone is given wrong advice, and loses 4 digits."""
    labels = (("forward-1", 0.1, None), ("central-2", 0.1, None))
    digits = np.array([[5.0, 1.0], [6.0, 1.0], [7.0, 1.0], [2.0, 6.0]])
    found = _Candidates(("a", "b", "c", "d"), labels, digits)
    assert found.best(np.arange(4)) == 0
    assert found.losses().tolist() == [0.0, 0.0, 0.0, 4.0]


def test_no_function_has_a_say_in_its_own_advice():
    labels = (("forward-1", 0.1, None), ("central-2", 0.1, None))
    assert _Candidates(("a", "b"), labels, np.array([[5.0, 1.0], [1.0, 6.0]])).losses().tolist() == [4.0, 5.0]


def test_one_function_says_nothing_of_others():
    advice = recommend(run(Spec(SMOOTH[0], ["forward-1", "central-2"])))
    assert advice.lost_median is None
    assert advice.reason.endswith("From one function nothing can be said of others.")


def test_a_rule_may_be_best():
    """Over points of very different size no epsilon serves all, the rule u^(1/3) |x| does."""
    functions = [Function("a", "x**3", ["1000000", "3000"]), Function("b", "log(x)", ["1000000", "0.5"])]
    functions.append(Function("c", "sqrt(x)", ["1000000", "2000"]))
    advice = recommend(run(Spec(functions, ["forward-1", "central-2"], epsilons="1e-1:1e-12")))
    assert (advice.epsilon, advice.rule) == (None, "usual")


def test_derivatives_that_are_0_say_nothing():
    with pytest.raises(EmptySelectionError, match="only derivatives that are 0"):
        recommend(run(Spec(Function("f", "cos(x)", ["0"]), "central-2")))
