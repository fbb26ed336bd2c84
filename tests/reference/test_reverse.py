"""Gradients of costs by reverse-mode differentiation in balls, against SymPy and against directions."""

import random
from fractions import Fraction

import numpy as np
import pytest
import sympy
from flint import arb

from diffbench import Spec, run
from diffbench.dtypes import find_dtype
from diffbench.functions.function import Function
from diffbench.functions.models import Model
from diffbench.reference import reverse
from diffbench.reference.balls import Ball, BallProgram, exact_ball, precision
from diffbench.reference.reverse import gradient, gradient_references, slope_along
from diffbench.reference.wide import word_digits

REGRESSION = Model("logistic-regression", (19,), samples=8, seed=3)
NETWORK = Model("two-layer-network", (3, 5), samples=6, seed=2)
SYMBOL = sympy.Symbol("t", real=True)

SYMPY = {
    "add": lambda u, v: _pairs(sympy.Add, u, v),
    "subtract": lambda u, v: _pairs(lambda a, b: a - b, u, v),
    "multiply": lambda u, v: _pairs(sympy.Mul, u, v),
    "tanh": lambda u: [sympy.tanh(a) for a in u],
    "softplus": lambda u: [sympy.log(1 + sympy.exp(a)) for a in u],
    "mean": lambda u: [sympy.Add(*u) / len(u)],
}


def _pairs(operation, u, v):
    length = max(len(u), len(v))
    return [operation(a, b) for a, b in zip(u * (length // len(u)), v * (length // len(v)), strict=True)]


def by_sympy(model: Model, i: int, bits: int) -> Ball:
    """Return a component as SymPy differentiates the cost, all other parameters being numbers."""
    numbers = [[sympy.Rational(x.numerator, x.denominator)] for x in model.parameters]
    numbers[i] = [SYMBOL]
    data = lambda step: [sympy.Rational(x.numerator, x.denominator) for x in step.data]  # noqa: E731
    cost = model.tape.values(numbers, data, SYMPY)[-1][0]
    return BallProgram(sympy.diff(cost, SYMBOL), SYMBOL)(model.parameters[i], bits)


def agree(model: Model, components) -> None:
    found = gradient(model, model.parameters, 256)
    for i in components:
        expected = by_sympy(model, i, 256)
        assert expected.value.rel_accuracy_bits() > 180
        assert found[i].agrees_with(expected), i


@pytest.mark.parametrize("model", [REGRESSION, NETWORK], ids=["regression", "network"])
def test_sympy_has_the_same_gradient(model: Model) -> None:
    agree(model, range(0, len(model.parameters), 1 if model is REGRESSION else 3))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [("logistic-regression", (999,)), ("two-layer-network", (7, 111))])
def test_sympy_has_twenty_components_of_a_thousand(kind) -> None:
    agree(Model(*kind), random.Random(1).sample(range(1000), 20))  # noqa: S311  (test data, no secret)


@pytest.mark.parametrize("model", [REGRESSION, NETWORK, Model("logistic-regression", (999,))])
def test_along_directions_the_jet_is_the_product_with_the_gradient(model: Model) -> None:
    chance, found = random.Random(7), gradient(model, model.parameters, 192)  # noqa: S311  (as above)
    for _ in range(3):
        direction = [Fraction(chance.randint(-99, 99), 64) for _ in model.parameters]
        slope = slope_along(model, model.parameters, direction, 192)
        with precision(192):
            product = sum((exact_ball(v) * ball.value for v, ball in zip(direction, found, strict=True)), arb(0))
        assert product.overlaps(slope.value)
        assert product.rel_accuracy_bits() > 150


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_component_of_a_thousand_is_certified(dtype: str) -> None:
    references = gradient_references(Model("logistic-regression", (999,)), dtype)
    assert {(each.verdict, each.second_opinion) for each in references} == {("certified", "jet")}
    assert min(each.certified_digits for each in references) >= 32


def test_a_wrong_rule_is_a_disagreement(monkeypatch) -> None:
    wrong = {
        **reverse._BACKWARDS,
        "softplus": lambda own, _, u: (reverse._each(lambda a, x: a / (2 + (-x).exp()), own, u),),
    }
    monkeypatch.setattr(reverse, "_BACKWARDS", wrong)
    fresh = Model("logistic-regression", (3,), seed=99)
    assert all("two ways disagree" in each.reason for each in gradient_references(fresh, "float64"))


def test_a_gradient_is_measured_as_a_function_of_one_variable_is() -> None:
    results = run(Spec([Function.of_model("net", NETWORK)], ["central-2", "complex-step"], ["1e-4", "1e-20"], rules=[]))
    block = results.block("net")
    assert [each.direction for each in block.directions] == list(NETWORK.names)
    assert {each.at for each in block.directions} == {"seed 2"}
    exact = block.hi[:, 0]
    assert np.linalg.norm(block.error[0, :, 0]) < 1e-7 * np.linalg.norm(exact)
    assert np.linalg.norm(block.error[1, :, 1]) < 1e-15 * np.linalg.norm(exact)
    assert results.verdicts == {"certified": len(NETWORK.names)}


@pytest.mark.skipif(not find_dtype("longdouble").is_wide, reason="longdouble is double here")
def test_a_wider_dtype_gets_more_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverse, "FIRST_BITS", 128)
    model = Model("logistic-regression", (3,), samples=5, seed=128)
    narrow, wide = (
        min(each.certified_digits for each in gradient_references(model, dtype)) for dtype in ("float64", "longdouble")
    )
    assert wide >= word_digits("longdouble") > narrow
