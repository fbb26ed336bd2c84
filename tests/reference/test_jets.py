"""Jets: Taylor coefficients of every function of the grammar, and none where there are none."""

import re
from fractions import Fraction

import flint
import pytest
import sympy
from witnesses import ALL, DERIVATIVES, RIGHT_DIGITS, X, enclosed, relative_radius, special_slow

from diffbench import parse_formula
from diffbench.functions.grammar import ARITIES, Call, walk
from diffbench.functions.symbolic import to_unevaluated_sympy
from diffbench.reference.balls import BallProgram, HardError
from diffbench.reference.jets import JetProgram
from diffbench.reference.program import NoBallError


def jet(text):
    return JetProgram(to_unevaluated_sympy(parse_formula(text, "x")), X)


def test_every_function_of_the_grammar_has_a_witness():
    called = {node.name for witness in ALL for node in walk(parse_formula(witness.text).tree) if isinstance(node, Call)}
    assert set(ARITIES) - called == set()


@pytest.mark.parametrize("witness", special_slow(ALL), ids=str)
def test_jets_enclose_what_mpmath_computes_to_sixty_digits(witness):
    run = JetProgram(witness.written, X)
    for point in witness.points:
        for derivative in DERIVATIVES:
            truth = witness.truth(point, derivative)
            for bits in (100, 320):
                ball = run(Fraction(point), derivative, bits)
                assert enclosed(ball, truth, RIGHT_DIGITS), (point, derivative, bits)
                assert relative_radius(ball) < Fraction(1, 2 ** (bits - 60)), (point, derivative, bits)


@pytest.mark.parametrize("witness", ALL, ids=str)
def test_jets_and_symbolic_derivatives_enclose_the_same_numbers(witness):
    run, compared = JetProgram(witness.written, X), 0
    for point in witness.points:
        for derivative in (1, 2):
            try:
                program = BallProgram(sympy.diff(witness.smooth(point), X, derivative), X)
            except NoBallError:
                assert witness.text == "zeta(x)"
                return
            other, ball = program(Fraction(point), 200), run(Fraction(point), derivative, 200)
            if other.is_finite and ball.is_finite:
                compared += 1
                assert ball.agrees_with(other), (point, derivative)
    assert compared >= len(witness.points)


@pytest.mark.parametrize("witness", [witness for witness in ALL if witness.elsewhere], ids=str)
def test_where_f_is_not_analytic_there_is_no_jet(witness):
    run = JetProgram(witness.written, X)
    for point in witness.elsewhere:
        for derivative in (1, 2, 3, 7):
            for bits in (64, 320):
                assert not run(Fraction(point), derivative, bits).is_finite, (point, derivative, bits)


@pytest.mark.parametrize("witness", [witness for witness in ALL if witness.elsewhere], ids=str)
def test_an_argument_that_is_constant_as_far_as_its_series_goes_is_no_constant(witness):
    """asin(1 − x³) has no derivative at 0, though 1 − x³ has the jet 1 + 0 t there; FLINT takes it for asin(1)."""
    for point in witness.elsewhere:
        for inner in (f"({point} + x**3)", f"({point} - x**4)"):
            run = jet(re.sub(r"\bx\b", inner, witness.text))
            for derivative in (1, 2):
                assert not run(Fraction(0), derivative, 128).is_finite, (inner, derivative)


@pytest.mark.parametrize(
    "text",
    [
        "0*log(x - 1)",
        "(x - x)*log(x - 1)",
        "x**3*gamma(x)",
        "x**3/sin(x)",
        "x**(x**2)",
        "x**2*sqrt(x)",
        "(x - x)/log(x)",
    ],
)
def test_nothing_times_what_is_not_known_is_not_known(text):
    assert not jet(text)(Fraction(0), 1, 128).is_finite


@pytest.mark.parametrize(
    ("text", "derivative", "value"),
    [
        ("tanh(x**3)", 2, 0),
        ("tanh(x**3)", 3, 6),
        ("sinh(x**2)", 1, 0),
        ("cosh(x**2)", 4, 12),
        ("besselj(0, x**3)", 2, 0),
        ("besselj(2, x**2)", 4, 3),
        ("polygamma(1, 1 + x**4)", 3, 0),
        ("hyper([], [3/2], x**3)", 3, 4),
        ("x/(1 - x**4)", 2, 0),
        ("polylog(3, x**2)", 4, 3),
        ("erfinv(x**5)", 4, 0),
        ("elliptic_k(x**9)", 8, 0),
    ],
)
def test_jets_of_compositions_at_0(text, derivative, value):
    ball = jet(text)(Fraction(0), derivative, 128)
    assert enclosed(ball, value, 30)
    assert relative_radius(ball) < Fraction(1, 2**100)


def test_a_condition_is_decided_only_where_it_holds_all_around():
    run = jet("Piecewise((x**2, x < 1), (x**3, x == 2), (sin(x), x >= 1))")
    assert run(Fraction(1, 2), 1, 64).midpoint == 1
    assert not run(Fraction(1), 1, 64).is_finite
    assert not run(Fraction(2), 1, 64).is_finite, "at 2 it is another function than beside it"
    assert run(Fraction(3), 1, 64).agrees_with(jet("sin(x)")(Fraction(3), 1, 64))


def test_no_symbolic_derivative_is_taken(monkeypatch):
    """The second opinion must not share its mistakes with the first."""
    monkeypatch.setattr(sympy, "diff", None)
    monkeypatch.setattr(sympy.Expr, "diff", None)
    monkeypatch.setattr(sympy.Basic, "_eval_derivative", None, raising=False)
    assert jet("exp(x)*sin(x)*besselj(1, x)")(Fraction(1, 2), 3, 128).is_finite


def test_many_points_are_the_same_as_one_by_one():
    run, points = jet("exp(sin(x))/x"), [Fraction(n, 7) for n in range(-9, 9)]
    assert run.at_points(points, 2, 128) == [run(x, 2, 128) for x in points]
    assert [ball.is_finite for ball in run.at_points(points, 2, 128)] == [x != 0 for x in points]


def test_more_bits_make_smaller_balls():
    radii = [jet("exp(x)*gamma(x)")(Fraction(7, 3), 5, bits).radius for bits in (64, 128, 512)]
    assert radii == sorted(radii, reverse=True)
    assert radii[-1] < Fraction(1, 2**460)


def test_the_global_precision_is_given_back():
    before = flint.ctx.prec, flint.ctx.cap
    jet("exp(x)")(Fraction(1), 9, 777)
    assert (flint.ctx.prec, flint.ctx.cap) == before


@pytest.mark.parametrize("text", ["besselj(x, 2)", "polylog(3/2, x)", "besselj(sqrt(2), x)"])
def test_what_has_no_jet_is_named(text):
    with pytest.raises(NoBallError, match=text.partition("(")[0]):
        jet(text)


@pytest.mark.parametrize(
    "text", ["besselj(1, x)", "polygamma(2, x)", "zeta(x)", "hyper([1/2], [3/2], x)", "legendre(5, x)"]
)
def test_what_might_take_without_end_is_refused(text):
    assert jet(text)(Fraction(1, 3), 1, 128).is_finite
    with pytest.raises(HardError):
        jet(text)(Fraction(10**6), 1, 128)
    with pytest.raises(HardError):
        jet(text)(Fraction(1, 3), 1, 10**4)
