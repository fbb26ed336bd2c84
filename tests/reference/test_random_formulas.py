"""Random formulas at random points: what is certified is so by another way too, and nothing else ever happens.

The other way is mpmath on the parse tree, with differences on either side at doubling precision (oracle.py): no SymPy,
no FLINT, no symbolic derivative. The jet of the formula is compared on its own.
"""

from collections import Counter
from fractions import Fraction

import doubles
import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import NotRealError, one_sided

from diffbench import exact_derivative, parse_formula
from diffbench.errors import FormulaError, InputError
from diffbench.functions.symbolic import to_unevaluated_sympy, variable_symbol
from diffbench.reference.balls import HardError
from diffbench.reference.jets import JetProgram
from diffbench.rounding import exact_mpf

UNARY = (
    *("exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    *("sqrt", "cbrt", "Abs", "sign", "Heaviside", "erf", "erfc", "gamma", "loggamma", "digamma", "sinc", "LambertW"),
    *("Ei", "Si", "airyai", "acot", "sec", "expm1", "log1p", "fresnels", "elliptic_k"),
)
LEADING = ("besselj(0, ", "besselk(1, ", "legendre(3, ", "polylog(2, ", "uppergamma(1/2, ", "hyper([1/2], [3/2], ")
LEAVES = st.sampled_from(["x"] * 6 + ["2", "1/3", "0.1", "pi"])
POINTS = st.one_of(
    st.sampled_from([Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(2)]),
    doubles.between(-3, 3),
    doubles.between(1e-3, 10),
)


def grown(inner):
    compared = st.sampled_from(["<", "<=", "!=", ">"])
    return st.one_of(
        st.builds("{}({})".format, st.sampled_from(UNARY), inner),
        st.builds("{}{})".format, st.sampled_from(LEADING), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
        st.builds("({})**{}".format, inner, st.sampled_from(["2", "3", "(-1)", "(1/2)", "(3/2)", "x"])),
        st.builds("{}({}, {})".format, st.sampled_from(["Max", "Min"]), inner, inner),
        st.builds("Piecewise(({}, x {} {}), ({}, True))".format, inner, compared, st.sampled_from("01"), inner),
    )


FORMULAS = st.recursive(LEAVES, grown, max_leaves=5)


def check(text, x, derivative):
    try:
        formula = parse_formula(text)
        reference = exact_derivative(formula, x, derivative, digits=25, time_limit=5)
    except FormulaError:
        return "no formula"
    except InputError:
        return "not defined"
    assert reference.verdict in {"certified", "agreed", "uncertain", "nondifferentiable"}
    assert (reference.value is None) == (reference.hi is None) == (not reference.is_settled)
    if not reference.is_settled or not mpmath.isfinite(reference.value):
        assert reference.reason
        return reference.verdict
    agrees_with_jet(formula, x, derivative, reference)
    return f"{reference.verdict}, {agrees_with_oracle(formula, x, derivative, reference)}"


def agrees_with_jet(formula, x, derivative, reference):
    try:
        jet = JetProgram(to_unevaluated_sympy(formula), variable_symbol(formula))(x, derivative, 256)
    except HardError:
        return
    assert not jet.is_finite or jet.agrees_with(reference.ball)


def agrees_with_oracle(formula, x, derivative, reference):
    witnessed = "not witnessed"
    for side in (-1, 1):
        value = one_sided(formula, x, derivative, side)
        if value is None or value is NotRealError:
            continue
        gap = abs(exact_mpf(value) - exact_mpf(reference.value))
        assert gap <= exact_mpf(reference.radius) + abs(exact_mpf(value)) / 10**18, (side, value)
        witnessed = "witnessed"
    return witnessed


@pytest.mark.slow
def test_what_is_certified_is_true():
    seen = Counter()

    @given(FORMULAS, POINTS, st.integers(0, 3))
    @settings(max_examples=150)
    def check_and_count(text, x, derivative):
        seen[check(text, x, derivative)] += 1

    check_and_count()
    assert seen["certified, witnessed"] > sum(seen.values()) / 4, "the property was worth checking"


@pytest.mark.slow
@given(FORMULAS, POINTS, st.integers(0, 4))
@settings(max_examples=2500)
def test_what_is_certified_is_true_of_many(text, x, derivative):
    check(text, x, derivative)
