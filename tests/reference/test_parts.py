"""What the parts of an error stand on: the rest of a Taylor series, the discs, the degrees of polynomials."""

import math

import mpmath
import numpy as np
import pytest
import sympy

from diffbench import exact_derivative
from diffbench.functions.grammar import parse_formula
from diffbench.functions.symbolic import to_sympy, variable_symbol
from diffbench.reference.parts import PARTS, TERMS, Form, Measured, PartsProgram, _degree_bound, _Disc, parts_of
from diffbench.schemes.scheme import as_scheme, parse_scheme
from diffbench.schemes.stencil import Stencil

WIDE = as_scheme(Stencil(["-1", "0", "1/2", "1"], ["499", "1", "-2000", "1500"]), "wide")
"""Large weights that nearly cancel."""


def exact_rest(scheme, radius, epsilon):
    """Return what the first terms of the series of 1/(1 − t/ρ) leave out of a scheme's estimate, in mpmath."""
    total = mpmath.mpf(0)
    for offset, is_imaginary, weight in scheme.shares:
        t = mpmath.mpc(offset.real.numerator, 0) / offset.real.denominator + 1j * mpmath.mpf(int(offset.imaginary))
        q = t * epsilon / radius
        left_out = q**TERMS / (1 - q)
        total += mpmath.mpf(weight.numerator) / weight.denominator * (left_out.imag if is_imaginary else left_out.real)
    return abs(total) / epsilon**scheme.derivative


@pytest.mark.parametrize(
    "scheme", [*map(parse_scheme, ("forward-1", "central-8", "forward-6", "complex-step"))], ids=str
)
@pytest.mark.parametrize("share", [0.5, 0.25, 1e-3])
def test_the_bound_of_the_rest_covers_it(scheme, share):
    bounds(scheme, share)


@pytest.mark.parametrize("share", [0.5, 0.25, 1e-3])
def test_it_covers_large_weights(share):
    bounds(WIDE, share)


def bounds(scheme, share):
    """Hold the bound against the function whose coefficients are as large as Cauchy's inequality allows."""
    form, radius = Form(scheme), 0.75
    epsilon = share * radius / 2**form.log_reach
    # On the disc |f| has no bound, but all coefficients are those of M = 1.
    bound = _Disc(math.log2(radius), 0.0).log_rest(form, math.log2(epsilon))
    with mpmath.workprec(400):
        rest = exact_rest(scheme, radius, mpmath.mpf(epsilon))
        assert rest <= mpmath.mpf(2) ** bound
        assert rest > 0


def test_it_is_not_wasteful():
    form = Form(WIDE)
    with mpmath.workprec(400):
        rest = exact_rest(WIDE, 1.0, mpmath.mpf(0.5))
        assert mpmath.log(rest, 2) > _Disc(0.0, 0.0).log_rest(form, -1.0) - 6


def test_there_is_no_bound_beyond_half_the_radius():
    form = Form(parse_scheme("central-2"))
    assert _Disc(0.0, 0.0).log_rest(form, -0.99) == math.inf
    assert math.isfinite(_Disc(0.0, 0.0).log_rest(form, -1.0))


@pytest.mark.parametrize(
    ("formula", "x", "distance"),
    [("log(x)", 0.5, 0.5), ("1/x", 1e-3, 1e-3), ("tan(x)", 1.0, 0.58), ("sqrt(x)", 2.0, 2.0), ("atan(x)", 0.0, 1.0)],
)
def test_discs_stay_clear_of_poles_and_cuts(formula, x, distance):
    disc = parts_of(parse_formula(formula)).disc(x)
    assert disc is not None
    assert 2**disc.radius < distance


@pytest.mark.parametrize(("formula", "x"), [("exp(x)", 100.0), ("sin(x)", 1e300), ("log(x)", 1e-300), ("cos(x)", 0.0)])
def test_a_disc_bounds_f_and_is_of_use(formula, x):
    disc = parts_of(parse_formula(formula)).disc(x)
    f = sympy.lambdify(sympy.Symbol("x"), sympy.sympify(formula), "mpmath")
    with mpmath.workprec(1200):
        radius = mpmath.mpf(2) ** disc.radius
        around = [abs(f(mpmath.mpf(x) + radius * mpmath.expjpi(k / 8))) for k in range(16)]
        assert max(around) <= mpmath.mpf(2) ** disc.bound
        # At a thousandth of its radius the terms that are left out are below 2^-128 of f.
        assert disc.bound - 10 * TERMS < mpmath.log(max(around), 2) - 128


@pytest.mark.parametrize("formula", ["Abs(x)", "Max(x, 1)", "Piecewise((0, x < 0), (x, True))"])
def test_what_switches_has_no_disc(formula):
    assert parts_of(parse_formula(formula)).disc(0.5) is None


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        *(("7", 0), ("x", 1), ("x**3 - x", 3), ("(x + 1)**5*(x - 1)**2", 7), ("pi*x**2", 2), ("sqrt(2)*x", 1)),
        *(("1/x", None), ("sin(x)", None), ("x**(1/2)", None), ("2**x", None), ("x*sin(1)", 1), ("x**2*sin(x)", None)),
    ],
)
def test_degrees_are_bounded_without_expanding(text, bound):
    x = sympy.Symbol("x", real=True)
    assert _degree_bound(sympy.sympify(text, locals={"x": x}), x) == bound


def test_a_polynomial_that_expands_to_0_is_one():
    x = sympy.Symbol("x", real=True)
    zero = (x + 1) ** 2 - x**2 - 2 * x - 1
    assert PartsProgram(zero, zero, x)._degree == 0


@pytest.mark.parametrize("epsilon", [1e-5, 1e-13, 1e-16, 1e-30])
@pytest.mark.parametrize("name", ["central-2-d3", "central-8-d3", "richardson-3(central-2)-d3"])
def test_where_no_node_moves_the_error_is_all_in_the_nodes(name, epsilon):
    """All sums over the nodes are 0 then, but not because of symmetry: more precision must tell."""
    formula, x, scheme = "(1 - cos(x))/x**2", 0.0010000000474974513, parse_scheme(name)
    reference = exact_derivative(formula, x, 3)
    known = {share.offset: ([x], [0.5]) for share in scheme.shares}
    measured = Measured([epsilon], known, np.zeros((1, 1)))
    found = parts_of(parse_formula(formula)).at(x).parts(measured, [Form(scheme)], reference.ball)
    parts = dict(zip(PARTS, found, strict=True))
    assert parts["node"] + parts["truncation"] == pytest.approx(-reference.hi, rel=1e-13)
    assert parts["evaluation"] == parts["arithmetic"] == 0


@pytest.mark.parametrize(
    ("formula", "degree"),
    [
        ("(x + 1)**3 - x**3", 2),
        ("(x*exp(1/5) + 1)*x*exp(1/5) - exp(2/5)*x**2", 1),
        ("(x + 1)**2 - x**2 - 2*x", 0),
        ("pi*x**4 - x**4", 4),
        ("x**x", None),
    ],
)
def test_the_degree_of_a_polynomial_is_that_which_is_left(formula, degree):
    assert parts_of(parse_formula(formula))._degree == degree


def test_a_degree_that_is_its_bound_is_seen_without_multiplying_out(monkeypatch):
    monkeypatch.delattr(sympy, "Poly")
    formula = parse_formula(" + ".join(f"((x + {i}/5 - exp({i}/5))**2 + (x - cos({i}/5))**2)**2" for i in range(1, 9)))
    assert PartsProgram(to_sympy(formula), to_sympy(formula), variable_symbol(formula))._degree == 4
