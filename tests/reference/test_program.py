"""Straight-line programs: what is computed once, in which arithmetic, and what is refused."""

from dataclasses import replace
from fractions import Fraction
from operator import add, mul, sub, truediv

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from diffbench import parse_formula
from diffbench.functions.symbolic import to_sympy, to_unevaluated_sympy
from diffbench.reference.program import Arithmetic, NoBallError, Program, simplest

X = sympy.Symbol("x", real=True)


class Counted:
    """Operations on Python's fractions that count how often each has run."""

    def __init__(self):
        self.calls = []

    def named(self, name, function):
        def counted(*arguments):
            self.calls.append(name)
            return function(*arguments)

        return counted


def fractions(counted=None, **changes):
    """Exact rational arithmetic: everything that a program does can be told exactly."""
    counted = counted or Counted()
    heads = {
        "exp": lambda u: 3 * u + 1,
        "sin": lambda u: -u,
        "atan2": lambda y, x: 10 * y + x,
        "log": lambda u, base=Fraction(2): u / base,
        "pow": lambda u, v: u * 1000 + v,
        "sin_pi": lambda u: 100 + u,
        "Max": max,
        "lt": lambda a, b: a < b,
        "le": lambda a, b: a <= b,
        "gt": lambda a, b: a > b,
        "ge": lambda a, b: a >= b,
        "eq": lambda a, b: None if a == b == 7 else a == b,
        "ne": lambda a, b: a != b,
    }
    plain = Arithmetic(
        rational=counted.named("rational", Fraction),
        constants={sympy.pi: counted.named("pi", lambda: Fraction(22, 7))},
        heads={name: counted.named(name, head) for name, head in heads.items()},
        raise_to=lambda exponent: counted.named("power", lambda u: u ** int(exponent)),
        parametric=lambda name, parameters: None,
        undefined=lambda: "nothing",
    )
    return replace(plain, **changes)


def run(text, x, arithmetic=None, *, written=True):
    formula = parse_formula(text, "x")
    expression = to_unevaluated_sympy(formula) if written else to_sympy(formula)
    return Program(expression, X, arithmetic or fractions()).at_present_precision()(Fraction(x))


@given(st.fractions(-20, 20, max_denominator=100))
def test_arithmetic_is_that_of_the_formula(x):
    expected = x**3 - 2 * x / 7 + Fraction(1, 3) - 5 * (x - 1) ** 2 * (2 - x)
    assert run("x**3 - 2*x/7 + 1/3 - 5*(x - 1)**2*(2 - x)", x) == expected
    assert run("x**3 - 2*x/7 + 1/3 - 5*(x - 1)**2*(2 - x)", x, written=False) == expected


@pytest.mark.parametrize(
    ("text", "x", "value"),
    [
        ("x", 3, 3),
        ("5", 3, 5),
        ("-x", 3, -3),
        ("-x/2", 3, Fraction(-3, 2)),
        ("2/x", 3, Fraction(2, 3)),
        ("-2/(3*x)", 3, Fraction(-2, 9)),
        ("x*2/3*x", 3, 6),
        ("x/(x*(x + 1))", 3, Fraction(1, 4)),
        ("(x + 1)**(-2)", 3, Fraction(1, 16)),
        ("x**(1/1)", 3, 3),
        ("exp(x)", 2, 7),
        ("exp(2)", 5, 7),
        ("pi*x", 7, 22),
        ("atan2(x, 4)", 3, 34),
        ("atan2(4, x)", 3, 43),
        ("log(x)", 3, Fraction(3, 2)),
        ("log(x, 10)", 3, Fraction(3, 10)),
        ("x**x", 3, 3003),
        ("sin(pi*x)", 3, 103),
        ("sin(2*x*pi)", 3, 106),
        ("sin(x)", 3, -3),
        ("sin(pi)", 3, 101),
        ("Max(x, 5, 2*x)", 3, 6),
        ("0*x", 3, 0),
        ("x - x", 3, 0),
    ],
)
def test_expressions(text, x, value):
    assert run(text, x) == value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Piecewise((x, x < 1), (10*x, x == 1), (100*x, True))", {0: 0, 1: 10, 2: 200}),
        ("Piecewise((x, x < 1), (2, x > 3))", {0: 0, 2: "nothing", 4: 2}),
        ("Piecewise((1, x == 7), (2, True))", {6: 2, 7: "nothing"}),
        ("Piecewise((5, x < 1), (1, x == 7), (2, True))", {0: 5, 7: "nothing"}),
        ("Piecewise((1, x >= 2), (2, x <= 1), (3, x != 3/2))", {2: 1, 1: 2, "3/2": "nothing", "5/4": 3}),
        ("Piecewise((1, 1 < 2), (2, True)) + x", {3: 4}),
    ],
)
def test_pieces(text, values):
    for x, value in values.items():
        assert run(text, x) == value, x


def test_conditions_are_joined_with_three_truth_values():
    less, equal = X < 10, sympy.Eq(X, 7, evaluate=False)
    for condition, outcomes in (
        (sympy.And(less, equal), {7: "nothing", 6: 2, 11: 2}),
        (sympy.Or(X > 10, equal), {7: "nothing", 6: 2, 11: 1}),
        (sympy.Or(less, equal), {7: 1, 6: 1, 11: 2}),
        (sympy.And(X > 10, equal), {7: 2, 6: 2, 11: 2}),
    ):
        expression = sympy.Piecewise((1, condition), (2, True), evaluate=False)
        program = Program(expression, X, fractions()).at_present_precision()
        assert {x: program(Fraction(x)) for x in outcomes} == outcomes, condition


def test_equal_subexpressions_run_once():
    counted = Counted()
    run("exp(sin(x)) + sin(exp(sin(x)))*exp(sin(x))", 2, fractions(counted))
    assert sorted(counted.calls) == ["exp", "sin", "sin"]


def test_what_does_not_depend_on_the_symbol_runs_once_for_many_points():
    counted = Counted()
    program = Program(to_unevaluated_sympy(parse_formula("x*exp(pi*exp(2)) + exp(x)")), X, fractions(counted))
    assert counted.calls == []
    function = program.at_present_precision()
    constants = list(counted.calls)
    assert sorted(constants) == ["exp", "exp", "pi", "rational"]
    factor = 3 * Fraction(22, 7) * 7 + 1
    assert [function(Fraction(n)) for n in (1, 2, 3)] == [factor * n + 3 * n + 1 for n in (1, 2, 3)]
    assert counted.calls[len(constants) :] == ["exp"] * 3


def test_a_program_is_not_changed_by_running():
    program = Program(to_unevaluated_sympy(parse_formula("x**2 + x/3 + pi")), X, fractions())
    first, second = program.at_present_precision(), program.at_present_precision()
    assert first(Fraction(5)) == second(Fraction(5)) == first(Fraction(5)) == 25 + Fraction(5, 3) + Fraction(22, 7)
    assert first(Fraction(1)) != first(Fraction(2))


def test_size_is_the_number_of_operations_a_point_takes():
    assert Program(X, X, fractions()).size == 0
    assert Program(to_sympy(parse_formula("exp(x)")), X, fractions()).size == 1
    assert Program(to_sympy(parse_formula("exp(x) + exp(2)*3")), X, fractions()).size == 2


class Lifted:
    """A number of another kind, made of constants where they meet what varies."""

    def __init__(self, value, *, lifted=False):
        self.value, self.lifted = value, lifted

    def _of(self, operation, other):
        assert isinstance(other, Lifted), "a constant was not lifted"
        return Lifted(operation(self.value, other.value))

    def __add__(self, other):
        return self._of(add, other)

    def __sub__(self, other):
        return self._of(sub, other)

    def __neg__(self):
        return Lifted(-self.value)

    def __pow__(self, exponent):
        return Lifted(self.value**exponent)

    def __lt__(self, other):
        return self.value < other.value


def lifting():
    constant = fractions()

    def other(name, operation):
        def checked(*numbers):
            assert all(isinstance(number, Lifted) for number in numbers), name
            return Lifted(operation(*(number.value for number in numbers)))

        return checked

    return replace(
        constant,
        heads={
            **{name: other(name, head) for name, head in constant.heads.items() if name != "lt"},
            "lt": lambda a, b: a.value < b.value,
        },
        raise_to=lambda exponent: lambda u: u ** int(exponent),
        undefined=lambda: Lifted("nothing"),
        multiply=other("multiply", mul),
        divide=other("divide", truediv),
        constants_in=constant,
        lift=lambda value: Lifted(value, lifted=True) if isinstance(value, Fraction) else value,
    )


@pytest.mark.parametrize(
    "text",
    [
        "x + 2",
        "2*exp(2)*x*3/7",
        "3/x",
        "x/3",
        "exp(pi)/exp(x)",
        "atan2(2, x)",
        "atan2(x, 2)",
        "log(x, 10)",
        "x**x + 2**x + x**2",
        "Max(2, x, 3)",
        "Piecewise((2, x < 1), (x, x < 5), (3, True))",
        "Piecewise((2, 1 < 2), (3, True))*x",
        "sin(Piecewise((2, 1 < 2), (3, True))) + x",
        "exp(Piecewise((x, 1 < 2), (3, True)))",
        "7",
        "exp(2)",
        "-(1 + exp(2))",
        "0*x + sin(pi*x)",
    ],
)
@pytest.mark.parametrize("x", [Fraction(1, 2), Fraction(4), Fraction(9)])
def test_constants_are_lifted_where_they_meet_what_varies_and_only_there(text, x):
    expression = to_unevaluated_sympy(parse_formula(text, "x"))
    value = Program(expression, X, lifting()).at_present_precision()(Lifted(x))
    assert isinstance(value, Lifted)
    assert value.value == Program(expression, X, fractions()).at_present_precision()(x)


def test_a_constant_is_lifted_once():
    lifts = []
    arithmetic = lifting()
    arithmetic = replace(arithmetic, lift=lambda value: lifts.append(value) or arithmetic_lift(value))
    Program(to_unevaluated_sympy(parse_formula("(x + 2)*(x - 2)*atan2(2, x)")), X, arithmetic).at_present_precision()(
        Lifted(Fraction(3))
    )
    assert [value for value in lifts if value == 2] == [2]


def arithmetic_lift(value):
    return Lifted(value) if isinstance(value, Fraction) else value


def test_parameters_go_to_the_parametric_operation():
    asked = []

    def parametric(name, parameters):
        asked.append((name, parameters))
        return (lambda u: u + 50) if name == "besselj" else None

    arithmetic = fractions(parametric=parametric)
    arithmetic = replace(arithmetic, heads={**arithmetic.heads, "besselj": lambda order, u: order * 100 + u})
    assert run("besselj(1/3, x)", 2, arithmetic) == 52
    assert run("besselj(x, 3)", 2, arithmetic) == 203, "the order varies: no parameter"
    assert run("besselj(pi, 3)", 2, arithmetic) == Fraction(2200, 7) + 3
    assert ("besselj", (sympy.Rational(1, 3),)) in asked
    hypergeometric = fractions(parametric=lambda name, parameters: lambda u: (name, parameters, u))
    assert run("hyper([1, 2], [1/3], x)", 2, hypergeometric) == ("hyper", ((1, 2), (sympy.Rational(1, 3),)), 2)


@pytest.mark.parametrize("order", [1, 2, 3, 50, 100])
def test_a_binomial_of_whole_order_is_a_polynomial(order):
    n = Fraction(-7, 2)
    expected = Fraction(1)
    for i in range(order):
        expected *= (n - i) / Fraction(i + 1)
    assert run(f"binomial(x, {order})", n) == expected
    assert run(f"binomial(x, {order})", 0) == 0


@pytest.mark.parametrize("text", ["cos(x)", "zeta(x)", "binomial(x, x)", "cos(2)", "sqrt(-1)*cos(x)"])
def test_functions_that_are_not_covered_are_named(text):
    with pytest.raises(NoBallError, match=r"cos|zeta|binomial"):
        run(text, 1)


@pytest.mark.parametrize(
    "expression", [sympy.floor(X), sympy.nan, sympy.zoo, sympy.I * X, sympy.Derivative(sympy.zeta(X), X)]
)
def test_what_is_no_real_number_is_named(expression):
    with pytest.raises(NoBallError):
        Program(expression, X, fractions())


def test_an_unevaluated_third_is_one_all_the_same():
    with sympy.evaluate(False):
        third = sympy.Integer(1) / 3
    assert simplest(third) == sympy.Rational(1, 3)
    assert simplest(X / 3) == X / 3


def test_a_long_sum_takes_no_deep_recursion():
    text = "+".join(f"{n}*x**{n}" for n in range(1, 150))
    assert run(text, 1) == sum(range(1, 150))
