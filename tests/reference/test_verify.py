"""All the ways to a reference, for whole suites, and that a wrong one would be seen."""

from fractions import Fraction

import pytest
import sympy

from diffbench import Function
from diffbench.errors import UncertainError
from diffbench.functions.suites import BUILT_IN, load_suite
from diffbench.reference import verify as module
from diffbench.reference.balls import Ball
from diffbench.reference.exact import references
from diffbench.reference.multiprecision import agreed_value
from diffbench.reference.verify import verify


@pytest.mark.parametrize(
    "suite",
    [
        pytest.param(each, marks=[pytest.mark.slow] * (each in {"standard", "multivariate", "ml"}))
        for each in BUILT_IN
        if each != "models"
    ],
)
def test_every_reference_of_the_suites_is_certified_by_a_second_way(suite):
    functions = load_suite(suite).functions
    found = list(verify(functions, [1, 2]))
    assert [(each.function, each.derivative) for each in found] == [(f.name, m) for f in functions for m in (1, 2)]
    for each in found:
        assert set(each.verdicts) <= {"certified", "nondifferentiable"}, each
        assert each.second_opinions == each.verdicts["certified"]
        assert each.third_opinions <= each.second_opinions
        assert each.disagreements == 0
        assert len(each.remarks) == each.verdicts["nondifferentiable"]


def test_the_costs_of_models_are_verified_along_every_parameter():
    small = [function for function in load_suite("models").functions if len(function.points) <= 11]
    found = list(verify(small, [1, 2]))
    pairs = [(function, derivative) for function in small for derivative in (1, 2)]
    assert [(each.function, each.derivative) for each in found] == [(function.name, m) for function, m in pairs]
    for each, (function, _) in zip(found, pairs, strict=True):
        assert each.verdicts == {"certified": len(function.points)}
        assert (each.second_opinions, each.disagreements) == (len(function.points), 0)


def test_mpmath_confirms_nearly_everything_that_is_not_0():
    found = list(verify(load_suite("standard").functions, [1]))
    assert sum(each.third_opinions for each in found) > 0.9 * sum(each.second_opinions for each in found)


def test_a_reference_that_is_wrong_is_a_disagreement(monkeypatch):
    def wrong(formula, points, derivative):
        good = references(formula, points, derivative)
        return [each._replace(ball=Ball.around(each.ball.midpoint * 2, 0)) for each in good]

    monkeypatch.setattr(module, "references", wrong)
    found = next(verify([Function("sine", "sin(x)", ["1", "2"])], [1]))
    assert (found.disagreements, found.third_opinions) == (2, 0)


def test_ways_that_disagree_are_a_disagreement(monkeypatch):
    def torn(formula, points, derivative):
        good = references(formula, points, derivative)
        return [each._replace(verdict="uncertain", reason="two ways disagree: jet gives 1.0") for each in good]

    monkeypatch.setattr(module, "references", torn)
    found = next(verify([Function("sine", "sin(x)", ["1"])], [1]))
    assert found.disagreements == 1
    assert found.remarks == ("1: uncertain, two ways disagree: jet gives 1.0",)


def test_where_branches_meet_the_right_one_is_witnessed():
    found = next(verify([Function("smooth kink", "Max(x, 0) - 0.3*x + log(1 + exp(-Abs(x)))", ["0"])], [1]))
    assert (found.verdicts["certified"], found.third_opinions, found.disagreements) == (1, 1, 0)


def test_a_witness_that_cannot_tell_the_branch_says_nothing(monkeypatch):
    def undecided(*_):
        raise UncertainError("which branch holds is not settled")

    monkeypatch.setattr(module, "branch", undecided)
    found = next(verify([Function("sine", "sin(x)", ["1"])], [1]))
    assert (found.verdicts["certified"], found.third_opinions, found.disagreements) == (1, 0, 0)


X = sympy.Symbol("x", real=True)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (sympy.Pow(sympy.sqrt(X), 2, evaluate=False), -4),
        (sympy.sqrt(X), None),
        (sympy.Function("unheard_of")(X), None),
        (X + 4, None),
    ],
    ids=["real on the way through complex numbers", "not real", "not in mpmath", "two zeros are no agreement"],
)
def test_two_precisions_agree_on_a_real_number_or_say_nothing(expression, value):
    found = agreed_value(expression, X, Fraction(-4), 20)
    assert (found if found is None else found.midpoint) == value
