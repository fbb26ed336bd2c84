"""The truth side of a formula: exact rationals, SymPy's functions by name."""

from fractions import Fraction

import pytest
import sympy

from diffbench import parse_formula
from diffbench.functions.grammar import ARITIES, INTEGER_FIRST
from diffbench.functions.suites import BUILT_IN, load_suite
from diffbench.functions.symbolic import to_sympy, variable_symbol

X = sympy.Symbol("x", real=True)


def meaning(text):
    return to_sympy(parse_formula(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1*x**3", X**3 / 10),
        ("0.2*0.7", sympy.Rational(14, 100)),
        ("(1 + x) - 1", X),
        ("-x**2", -(X**2)),
        ("x**Rational(3, 2)", X ** sympy.Rational(3, 2)),
        ("x**0.5", sympy.sqrt(X)),
        ("expm1(x)", sympy.exp(X) - 1),
        ("log1p(x)", sympy.log(1 + X)),
        ("log(x, 10)", sympy.log(X, 10)),
        ("cbrt(x)", X ** sympy.Rational(1, 3)),
        ("E**x", sympy.exp(X)),
        ("pi + EulerGamma", sympy.pi + sympy.EulerGamma),
        ("Catalan*GoldenRatio", sympy.Catalan * sympy.GoldenRatio),
        ("sqrt(x**2)", sympy.Abs(X)),
        ("Piecewise((0, x < 0), (x, True))", sympy.Piecewise((0, X < 0), (X, True))),
        (
            "Piecewise((1, x == 0), (2, x != 1), (3, True))",
            sympy.Piecewise((1, sympy.Eq(X, 0)), (2, sympy.Ne(X, 1)), (3, True)),
        ),
        ("Piecewise((1, False), (x, x >= 2))", sympy.Piecewise((X, X >= 2))),
    ],
)
def test_formulas_mean_these_expressions(text, expected):
    assert meaning(text) == expected


def test_the_variable_is_real_and_keeps_its_name():
    assert variable_symbol(parse_formula("w**2")) == sympy.Symbol("w", real=True)
    assert meaning("w + 1").free_symbols == {sympy.Symbol("w", real=True)}


OTHER_NAMES = {"cbrt": "Pow", "sqrt": "Pow", "expm1": "Add", "log1p": "log", "digamma": "polygamma", "Rational": "Mul"}
POLYNOMIALS = {"chebyshevt", "chebyshevu", "legendre", "hermite"}


@pytest.mark.parametrize("name", sorted(set(ARITIES) - {"Piecewise", *POLYNOMIALS}))
def test_every_function_is_sympys_of_that_name(name):
    count = ARITIES[name][0]
    arguments = "1, 3" if name == "Rational" else "x" if count == 1 else "3, x"
    head = type(meaning(f"{name}({arguments})" + ("*x" if name == "Rational" else ""))).__name__
    assert head == OTHER_NAMES.get(name, name)


@pytest.mark.parametrize("name", sorted(POLYNOMIALS))
def test_orthogonal_polynomials_are_expanded(name):
    assert name in INTEGER_FIRST
    assert meaning(f"{name}(3, x)") == getattr(sympy, name)(3, X)
    assert sympy.degree(meaning(f"{name}(3, x)"), X) == 3


@pytest.mark.parametrize("suite", BUILT_IN)
def test_no_float_reaches_sympy(suite):
    for function in load_suite(suite).functions:
        expression = to_sympy(function.formula)
        assert not expression.atoms(sympy.Float), function.name
        assert expression.free_symbols <= {variable_symbol(function.formula)}, function.name


def test_long_decimals_stay_exact():
    text = "0." + "123456789" * 5
    assert Fraction(str(meaning(text))) == Fraction(text)
