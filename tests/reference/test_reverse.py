"""Derivatives of costs by reverse-mode differentiation in balls, against SymPy and against directions."""

import random
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from flint import arb

from diffbench import Spec, run
from diffbench.dtypes import find_dtype
from diffbench.functions.function import Function
from diffbench.functions.models import Model
from diffbench.functions.tape import by_sample, each_sample
from diffbench.multiple import arithmetic
from diffbench.reference import reverse
from diffbench.reference.balls import exact_ball, precision
from diffbench.reference.reverse import adjoint_jets, cost_references, gradient, jets, slope_along
from diffbench.reference.verdict import to_mpf
from diffbench.reference.wide import word_digits
from diffbench.rounding import exact_mpf

REGRESSION = Model("logistic-regression", (19,), samples=8, seed=3)
NETWORK = Model("two-layer-network", (3, 5), samples=6, seed=2)
DIGITS = 80

MPMATH = {
    "add": lambda u, v: _pairs(mpmath.fadd, u, v),
    "subtract": lambda u, v: _pairs(mpmath.fsub, u, v),
    "multiply": lambda u, v: _pairs(mpmath.fmul, u, v),
    "tanh": lambda u: [mpmath.tanh(a) for a in u],
    "softplus": lambda u: [mpmath.log(1 + mpmath.exp(a)) for a in u],
    "mean": lambda u: [mpmath.fsum(u) / len(u)],
}
SYMPY = {
    "add": lambda u, v: u + v,
    "subtract": lambda u, v: u - v,
    "multiply": lambda u, v: u * v,
    "tanh": sympy.tanh,
    "softplus": lambda u: sympy.log(1 + sympy.exp(u)),
}


def _pairs(operation, u, v):
    length = max(len(u), len(v))
    return [operation(a, b) for a, b in zip(u * (length // len(u)), v * (length // len(v)), strict=True)]


def _exact(x):
    return mpmath.mpf(x.numerator) / x.denominator


def by_sympy(model: Model, i: int, values, order: int = 1):
    """Return a derivative as SymPy differentiates the loss of a sample; what does not depend on it are symbols."""
    steps, t = model.tape.steps, sympy.Symbol("t")
    varied, symbols = {model.tape.parameters[i]: t}, {}
    for place in model.tape.depending_on(i)[:-1]:
        operands = [varied.get(k, symbols.setdefault(k, sympy.Symbol(f"s{k}"))) for k in steps[place].operands]
        varied[place] = SYMPY[steps[place].operation](*operands)
    known = [k for k in symbols if k not in varied]
    slope = sympy.lambdify(
        [t, *(symbols[k] for k in known)], sympy.diff(varied[steps[-1].operands[0]], t, order), "mpmath"
    )
    own = [[values[k][s if len(values[k]) > 1 else 0] for k in known] for s in range(model.samples)]
    return mpmath.fsum(slope(_exact(model.parameters[i]), *each) for each in own) / model.samples


BIG = [Model("logistic-regression", (999,)), Model("two-layer-network", (7, 111))]
CASES = [
    (REGRESSION, range(20)),
    (NETWORK, range(0, 26, 3)),
    *(
        pytest.param(model, random.Random(1).sample(range(1000), 20), marks=pytest.mark.slow)  # noqa: S311  (test data)
        for model in BIG
    ),
]


@pytest.mark.parametrize(
    ("model", "components"), CASES, ids=["regression", "network", "large regression", "large network"]
)
def test_sympy_has_the_same_components(model: Model, components) -> None:
    found = gradient(model, model.parameters, 256)
    with mpmath.workdps(DIGITS):
        data = lambda step: [_exact(x) for x in step.data]  # noqa: E731
        values = model.tape.values([[_exact(x)] for x in model.parameters], data, MPMATH)
        for i in components:
            expected = by_sympy(model, i, values)
            assert found[i].value.rel_accuracy_bits() > 200
            assert abs(to_mpf(found[i].midpoint) - expected) < abs(expected) * mpmath.mpf(10) ** -55, i


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("model", [REGRESSION, NETWORK], ids=["regression", "network"])
def test_sympy_has_the_same_higher_derivatives(model: Model, order: int) -> None:
    components = [0, len(model.parameters) // 2, len(model.parameters) - 1]
    ways = [way(model, model.parameters, components, 256, order) for way in (adjoint_jets, jets)]
    with mpmath.workdps(DIGITS):
        data = lambda step: [_exact(x) for x in step.data]  # noqa: E731
        values = model.tape.values([[_exact(x)] for x in model.parameters], data, MPMATH)
        for i, *balls in zip(components, *ways, strict=True):
            expected = by_sympy(model, i, values, order)
            for ball in balls:
                assert ball.value.rel_accuracy_bits() > 200
                assert abs(to_mpf(ball.midpoint) - expected) < abs(expected) * mpmath.mpf(10) ** -55, i


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


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "float64"])
def test_every_component_of_a_thousand_is_certified(dtype: str) -> None:
    references = cost_references(Model("logistic-regression", (999,)), dtype)
    assert {(each.verdict, each.second_opinion) for each in references} == {("certified", "jet")}
    assert min(each.certified_digits for each in references) >= 32


def test_a_wrong_rule_of_gradients_is_a_disagreement(monkeypatch) -> None:
    wrong = {
        **reverse._BACKWARDS,
        "softplus": lambda own, _, u: (each_sample(lambda a, x: a / (2 + (-x).exp()), own, u),),
    }
    monkeypatch.setattr(reverse, "_BACKWARDS", wrong)
    fresh = Model("logistic-regression", (3,), seed=99)
    assert all("two ways disagree" in each.reason for each in cost_references(fresh, "float64"))


@pytest.mark.parametrize("name", ["_solved_logistic", "_solved_tanh", "_tanh_series"])
def test_a_wrong_rule_of_second_derivatives_is_a_disagreement(name: str, monkeypatch) -> None:
    right = getattr(reverse, name)

    def wrong(u):
        return right(u * u)

    if name == "_solved_logistic":
        monkeypatch.setattr(reverse, name, wrong)
    else:
        table = {"_solved_tanh": "SOLVED", "_tanh_series": "SERIES"}[name]
        monkeypatch.setattr(reverse, table, getattr(reverse, table) | {"tanh": by_sample(wrong)})
    fresh = Model("two-layer-network", (2, 1), samples=4, seed=98)
    references = cost_references.__wrapped__(fresh, "float64", 2)
    # The first parameter is one of the hidden layer, which the rules of both functions are asked about.
    assert "two ways disagree" in references[0].reason


def test_second_derivatives_are_measured_along_every_parameter() -> None:
    results = run(Spec([Function.of_model("net", NETWORK)], ["central-4"], ["2^-6"], derivatives=[1, 2], rules=[]))
    block = results.block("net", 2)
    assert [each.direction for each in block.directions] == list(NETWORK.names)
    assert np.linalg.norm(block.error[0, :, 0]) < 1e-5 * np.linalg.norm(block.hi)
    assert results.verdicts == {"certified": 2 * len(NETWORK.names)}


def test_a_gradient_is_measured_as_a_function_of_one_variable_is() -> None:
    results = run(Spec([Function.of_model("net", NETWORK)], ["central-2", "complex-step"], ["1e-4", "1e-20"], rules=[]))
    block = results.block("net")
    assert [each.direction for each in block.directions] == list(NETWORK.names)
    assert {each.at for each in block.directions} == {"seed 2"}
    exact = block.hi[:, 0]
    assert np.linalg.norm(block.error[0, :, 0]) < 1e-7 * np.linalg.norm(exact)
    assert np.linalg.norm(block.error[1, :, 1]) < 1e-15 * np.linalg.norm(exact)
    assert results.verdicts == {"certified": len(NETWORK.names)}


@pytest.mark.parametrize("dtype", ["mp:5", "mp:40"])
def test_in_mpmath_the_error_is_that_of_the_estimate_to_the_last_digit(dtype: str) -> None:
    model = Model("two-layer-network", (2, 1), samples=3, seed=6)
    spec = Spec([Function.of_model("net", model)], ["central-2", "complex-step"], ["1e-2"], dtypes=dtype, rules=[])
    frame = run(spec).to_frame()
    assert set(frame["status"]) == {"ok"}
    exact = dict(zip(model.names, gradient(model, model.parameters, 800), strict=True))
    numbers = arithmetic(dtype)
    for row in frame.itertuples():
        error = exact_mpf(numbers.read(row.estimate_text)) - exact[row.direction].midpoint
        assert row.error == float(error)
        assert abs(error) < Fraction(1, 1000)


@pytest.mark.skipif(not find_dtype("longdouble").is_wide, reason="longdouble is double here")
def test_a_wider_dtype_gets_more_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverse, "FIRST_BITS", 128)
    model = Model("logistic-regression", (3,), samples=5, seed=128)
    narrow, wide = (
        min(each.certified_digits for each in cost_references(model, dtype)) for dtype in ("float64", "longdouble")
    )
    assert wide >= word_digits("longdouble") > narrow
