"""Recommendations against an oracle that measures, and what is refused."""

import sys
from collections import Counter

import numpy as np
import pytest
from best_choice import judge
from smooth_formulas import smooth_functions

from diffbench import Function, OpaqueScheme, Spec, recommend, run
from diffbench.analysis.near import Near
from diffbench.analysis.recommend import _Bench, _Candidate, binary_epsilons, neighbours
from diffbench.errors import EmptySelectionError, InputError, UncertainError
from diffbench.functions.suites import BUILT_IN, load_suite
from diffbench.schemes.scheme import parse_scheme
from diffbench.sweep.results import NO_CELLS


def check_verdicts(verdicts, label):
    """Demand what the recommendation promises, and print it; those that lose more than a digit are named."""
    lost = np.array([each.lost for each in verdicts])
    in_range = np.mean([each.is_in_range for each in verdicts])
    within = np.mean(lost <= 1)
    lines = [
        f"\n{label}: {len(lost)} formulas, digits lost: median {np.median(lost):.3f}, worst {lost.max():.2f}",
        f"at most 1 lost: {within:.3f}; measured digits in the range at x: {in_range:.3f}",
        str(Counter(each.advised for each in verdicts).most_common()),
    ]
    lines.extend(
        f"  {each.formula}: {each.lost:.2f} lost, {each.advised} against {each.oracle}; {each.reason}"
        for each in verdicts
        if each.lost > 1
    )
    sys.stdout.write("\n".join(lines))
    assert np.median(lost) <= 0.3
    assert within >= 0.95
    return in_range


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "allow_complex"), [("float64", False), ("float32", False), ("float64", True), ("float32", True)]
)
def test_200_random_formulas_against_the_oracle(dtype, allow_complex):
    verdicts = [judge(each, dtype, allow_complex=allow_complex) for each in smooth_functions(200)]
    label = f"{dtype}, complex step {'allowed' if allow_complex else 'not allowed'}"
    assert check_verdicts(verdicts, label) >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_few_random_formulas_against_the_oracle(dtype):
    check_verdicts([judge(each, dtype) for each in smooth_functions(2, seed=7)], dtype)


@pytest.mark.slow
def test_the_random_formulas_are_the_same_every_time_and_in_no_suite():
    first, second = ([(each.formula.text, each.points) for each in smooth_functions(30)] for _ in range(2))
    assert first == second
    known = {each.formula.text for suite in BUILT_IN for each in load_suite(suite).functions}
    assert not known & {text for text, _ in first}
    assert len({text for text, _ in first}) == 30


# what is recommended --------------------------------------------------------------------------------------------------


def test_the_advice_is_as_good_as_it_says():
    advice = recommend("exp(x)/(1 + x**2)", at="2")
    cell = run(Spec(Function("f", advice.formula, ["2"]), advice.scheme, advice.epsilon)).blocks[0]
    assert advice.digits_low <= float(cell.digits[0, 0, 0]) <= advice.digits_high
    assert advice.digits_low <= advice.digits <= advice.digits_high
    assert advice.runner_up.digits <= advice.digits + 0.1
    assert advice.runner_up.scheme != advice.scheme
    assert advice.flat_decades > 0.3
    assert 0 <= advice.robustness < 1


@pytest.mark.parametrize(
    ("evaluations", "best"), [(2, "central-2"), (3, "central-2"), (4, "central-4"), (6, "central-6")]
)
def test_fewer_evaluations_give_a_lower_order(evaluations, best):
    advice = recommend("exp(x)", at="1", evaluations=evaluations)
    assert advice.scheme == best
    assert advice.evaluations <= evaluations


def test_complex_step_needs_leave():
    assert recommend("exp(x)", at="1").scheme == "central-8"
    assert recommend("exp(x)", at="1", allow_complex=True).scheme == "complex-step"
    assert recommend("Abs(x)**3", at="1", allow_complex=True).scheme != "complex-step"


def test_of_equals_the_cheapest_is_taken():
    advice = recommend("x**2", at="3")
    assert (advice.scheme, advice.evaluations) == ("central-2", 2)


def candidate(name, digits, flat):
    median = np.full(9, 100.0)
    median[:flat] = 1.0
    return _Candidate(parse_scheme(name), median[None, :], median, 0, digits)


def test_a_tenth_of_a_digit_is_not_worth_an_evaluation():
    cheap, dear = candidate("central-4", 12.0, 3), candidate("central-6", 12.05, 3)
    assert _Bench._best([dear, cheap]) is cheap
    assert _Bench._best([dear, candidate("central-4", 11.9, 3)]) is dear


def test_of_equally_dear_ones_the_flatter_is_taken():
    narrow, flat = candidate("central-4", 12.05, 3), candidate("richardson(central-2)", 12.0, 5)
    assert _Bench._best([narrow, flat]) is flat


def test_a_lucky_zero_of_the_leading_term_does_not_mislead():
    """At 0 sin has no second derivative, so that forward-1 is of order 2 there, and there alone."""
    at_zero, beside = (recommend("sin(x)", at=x, evaluations=2) for x in ("0", "0.003"))
    assert at_zero.scheme == beside.scheme == "central-2"


def test_one_sided_schemes_where_the_domain_ends():
    function = Function("f", "sqrt(x + 1)", ["-1"], domain="[-1, oo)")
    assert recommend(function, at="-0.9999").epsilon < 1e-4
    edge = Function("f", "exp(x)", ["0"], domain="[0, oo)")
    assert recommend(edge).scheme.startswith(("forward", "richardson"))


@pytest.mark.parametrize(("formula", "x"), [("cos(x)", "0"), ("x - x", "1"), ("5", "1")])
def test_a_derivative_of_0_has_no_digits(formula, x):
    advice = recommend(formula, at=x)
    assert advice.digits is None
    assert advice.digits_low is None


@pytest.mark.parametrize("x", [pytest.param("1e22", marks=pytest.mark.slow), "1e300"])
def test_a_far_point_is_no_error(x):
    assert recommend("sin(x)", at=x).epsilon > 1e5


@pytest.mark.parametrize("derivative", [2, *(pytest.param(each, marks=pytest.mark.slow) for each in (3, 4))])
def test_higher_derivatives(derivative):
    advice = recommend("sin(x)", at="1", derivative=derivative)
    block = run(Spec(Function("f", "sin(x)", ["1"]), advice.scheme, advice.epsilon, derivatives=derivative)).blocks[0]
    assert float(block.digits[0, 0, 0]) == pytest.approx(advice.digits, abs=1.5)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_epsilon_is_a_number_of_the_dtype_that_rounds_no_node(dtype):
    advice = recommend("exp(x)", at="1.1", dtype=dtype)
    assert float(np.array(advice.epsilon, dtype=dtype)) == advice.epsilon
    x = np.array(advice.x, dtype=dtype)
    assert float(x + np.array(advice.epsilon, dtype=dtype)) == advice.x + advice.epsilon


def test_epsilons_follow_the_size_of_x():
    assert binary_epsilons(1.0, "float64")[:3].tolist() == [2.0, 1.5, 1.0]
    assert binary_epsilons(1.0, "float64")[-2] == 2.0**-53
    assert binary_epsilons(3e6, "float64")[0] > 3e6
    assert binary_epsilons(1e-8, "float64")[-1] < 1e-23


def test_neighbours_stay_close_and_inside():
    there = Near(Function("f", "log(x)", ["1"], domain="[1, oo)"), 1.0, "float64")
    assert min(neighbours(there)) == 1.0
    assert max(neighbours(there)) <= 1.01
    fast = Near(Function("f", "sin(100000*x)", ["1"]), 1.0, "float64")
    assert max(neighbours(fast)) - 1 < 1e-5


def test_the_reason_is_two_sentences():
    reason = recommend("exp(x)", at="1").reason
    assert reason.count(". ") == 1
    assert reason.startswith("At ε = ")
    assert "The runner-up is central-6" in reason


def test_the_same_advice_every_time():
    assert recommend("exp(x)", at="1") == recommend("exp(x)", at="1")


# what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (InputError, {"formula": "exp(x)"}),
        (InputError, {"formula": "exp(", "at": "1"}),
        (InputError, {"formula": "log(x)", "at": "-1"}),
        (InputError, {"formula": "exp(x)", "at": "a"}),
        (InputError, {"formula": "exp(x)", "at": "1", "dtype": "float8"}),
        (InputError, {"formula": "exp(x)", "at": "1e300", "dtype": "float32"}),
        (InputError, {"formula": "exp(x)", "at": "1", "derivative": 0}),
        (InputError, {"formula": "exp(x)", "at": "1", "derivative": 5}),
        (InputError, {"formula": "exp(x)", "at": "1", "evaluations": 0}),
        (InputError, {"formula": "exp(x)", "at": "1", "evaluations": True}),
        (InputError, {"formula": 3, "at": "1"}),
        (InputError, {"formula": Function("f", "exp(x)", ["1", "2"])}),
        (InputError, {"formula": Function("f", "exp(x)", ["1"], domain="(0, 2)"), "at": "3"}),
        (EmptySelectionError, {"formula": "exp(x)", "at": "1", "evaluations": 1}),
        (UncertainError, {"formula": "Abs(x)", "at": "0"}),
    ],
)
def test_what_cannot_be_done_is_said(error, arguments):
    with pytest.raises(error):
        recommend(**arguments)


def test_schemes_that_are_no_formulas_are_not_recommended_and_one_has_no_runner_up():
    mine = OpaqueScheme("mine", lambda f, x, e: (f(x + e) - f(x - e)) / (2 * e))
    advice = recommend(run(Spec("exp", ["forward-1", mine], "1e-2:1e-12", rules=[])), None)
    assert (advice.scheme, advice.runner_up) == ("forward-1", None)
    with pytest.raises(EmptySelectionError, match=r"^recommend: the run has no scheme that may be used"):
        recommend(run(Spec("exp", [mine], "1e-2", rules=[])), None)


def test_a_run_of_summaries_gives_no_advice(tmp_path):
    results = run(Spec("exp", "forward-1", "1e-3"), out=tmp_path / "run", keep="summary")
    with pytest.raises(EmptySelectionError) as found:
        recommend(results, None)
    assert str(found.value) == NO_CELLS
