"""Which smooth branch holds at a point and on either side of it."""

from fractions import Fraction

import pytest
import sympy

from diffbench import parse_formula
from diffbench.errors import UncertainError
from diffbench.functions.symbolic import to_sympy
from diffbench.reference.branches import branch, has_switches

X = sympy.Symbol("x", real=True)
HALF = sympy.Rational(1, 2)


def at(text, x, side):
    return branch(to_sympy(parse_formula(text)), X, Fraction(x), side)


@pytest.mark.parametrize(
    ("text", "x", "left", "here", "right"),
    [
        ("Abs(x)", 0, -X, 0, X),
        ("Abs(x)", 1, X, X, X),
        ("Abs(x)", -1, -X, -X, -X),
        ("sign(x)", 0, -1, 0, 1),
        ("Heaviside(x)", 0, 0, HALF, 1),
        ("Heaviside(x - 1)", 1, 0, HALF, 1),
        ("Max(0, x)", 0, 0, None, X),
        ("Min(x, x**2)", 1, X**2, None, X),
        ("Min(x, x**2)", 0, X, None, X**2),
        ("x*Abs(x)", 0, -(X**2), 0, X**2),
        ("Abs(x**3)", 0, -(X**3), 0, X**3),
        ("Abs(x - 0.25)", "0.25", sympy.Rational(1, 4) - X, 0, X - sympy.Rational(1, 4)),
        ("Abs(sin(x))", 0, -sympy.sin(X), 0, sympy.sin(X)),
        ("Abs(Abs(x) - 1)", 0, 1 + X, 1, 1 - X),
        ("Abs(Abs(x) - 1)", -1, -1 - X, 0, 1 + X),
        ("Piecewise((0, x < 0), (x, True))", 0, 0, X, X),
        ("Piecewise((0, x <= 0), (x, True))", 0, 0, 0, X),
        ("Piecewise((1, x == 0), (sin(x)/x, True))", 0, sympy.sin(X) / X, 1, sympy.sin(X) / X),
        ("Piecewise((2, x != 1), (3, True))", 1, 2, 3, 2),
        ("Piecewise((1, x > 2), (2, x >= 1), (3, True))", 1, 3, 2, 2),
        ("exp(-Abs(x))", 0, sympy.exp(X), 1, sympy.exp(-X)),
    ],
)
def test_branches_of_switching_functions(text, x, left, here, right):
    assert sympy.expand(at(text, x, -1) - left) == 0
    assert sympy.expand(at(text, x, 1) - right) == 0
    if here is not None:
        value = at(text, x, 0)
        assert sympy.simplify(value - here) == 0 or value.subs(X, sympy.Rational(str(x))) == here
    else:
        assert at(text, x, 0).subs(X, x) == at(text, x, 1).subs(X, x)


def test_even_contact_is_no_change_of_sign():
    assert at("Piecewise((1, x**2*(x - 1) < 0), (2, True))", 0, -1) == 1
    assert at("Piecewise((1, x**2*(x - 1) < 0), (2, True))", 0, 0) == 2
    assert at("Piecewise((1, x**2*(x - 1) < 0), (2, True))", 0, 1) == 1


def test_smooth_expressions_are_their_own_branch():
    smooth = to_sympy(parse_formula("sin(x)/x"))
    assert not has_switches(smooth)
    assert branch(smooth, X, Fraction(0), 0) is smooth


def test_an_undecidable_branch_is_uncertain_and_never_guessed():
    hidden_zero = "Abs(sin(2*x) - 2*sin(x)*cos(x))"
    for side in (-1, 0, 1):
        with pytest.raises(UncertainError, match="not settled"):
            at(hidden_zero, 1, side)


def test_where_no_piece_holds_there_is_no_value():
    assert at("Piecewise((x, x < 0))", 1, 0) is sympy.nan
