"""Orders are theorems: laws of every stencil, on fractions, with ``==`` (design 5.7)."""

import math
from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from diffbench import Stencil, richardson
from diffbench.schemes.scheme import RichardsonScheme, StencilScheme, catalogue

CATALOGUE = {
    scheme.name: scheme.stencil if isinstance(scheme, StencilScheme) else scheme.tableau[-1]
    for m in (1, 2, 3, 4)
    for scheme in catalogue(m)
    if isinstance(scheme, (StencilScheme, RichardsonScheme))
}
HIGH = {
    f"{side}-{order}-d{m}": getattr(Stencil, side)(m, order)
    for side, m, order in [
        ("central", 4, 20),
        ("central", 4, 32),
        ("forward", 4, 20),
        ("backward", 3, 21),
        ("central", 1, 40),
    ]
}
ALL = CATALOGUE | HIGH
every_stencil = pytest.mark.parametrize("stencil", ALL.values(), ids=ALL.keys())

X, EPSILON = Fraction(2, 3), Fraction(-1, 7)


def monomial(n):
    """Return t^n and its derivatives, as a function of t and m."""
    return lambda t, m=0: math.perm(n, m) * t ** (n - m) if n >= m else Fraction(0)


def estimate(stencil, f, x=X, epsilon=EPSILON):
    """Apply the definition, not the stencil's own combination."""
    pairs = zip(stencil.offsets, stencil.weights, strict=True)
    return sum(w * f(x + k * epsilon) for k, w in pairs) / epsilon**stencil.derivative


def check_exactness(stencil):
    m, p = stencil.derivative, stencil.order
    for n in range(m + p):
        f = monomial(n)
        assert estimate(stencil, f) == f(X, m), (n, "exact below degree m + p")


def check_leading_error(stencil):
    m, p, c = stencil.derivative, stencil.order, stencil.error_constant
    f = monomial(m + p)
    assert c != 0
    for epsilon in (EPSILON, Fraction(3), Fraction(1, 10**20)):
        assert estimate(stencil, f, X, epsilon) - f(X, m) == c * math.factorial(m + p) * epsilon**p


def check_invariance(stencil):
    m, p = stencil.derivative, stencil.order
    f = monomial(m + p + 1)
    shift, constant = Fraction(5, 3), Fraction(-17, 4)
    here = estimate(stencil, f)
    assert estimate(stencil, lambda t: f(t - shift), X + shift) == here
    assert estimate(stencil, lambda t: f(t) + constant) == here + (constant if m == 0 else 0)
    assert estimate(stencil, lambda t: f(2 * t), X / 2, EPSILON / 2) == 2**m * here


def check_own_combination(stencil):
    f = monomial(stencil.derivative + stencil.order + 2)
    assert stencil(f, X, EPSILON) == estimate(stencil, f)


@every_stencil
def test_exact_on_all_polynomials_of_degree_below_m_plus_p(stencil):
    check_exactness(stencil)


@every_stencil
def test_the_leading_error_is_the_error_constant(stencil):
    check_leading_error(stencil)


@every_stencil
def test_shifts_scales_and_constants_change_nothing(stencil):
    check_invariance(stencil)


@every_stencil
def test_the_stencils_own_combination_is_the_definition(stencil):
    check_own_combination(stencil)


@pytest.mark.parametrize("scheme", [s for m in (1, 2, 3, 4) for s in catalogue(m)], ids=lambda scheme: scheme.name)
def test_the_catalogue_has_a_law_for_every_scheme(scheme):
    if scheme.needs_complex:
        assert scheme.name not in CATALOGUE, "complex steps: tests/schemes/test_scheme.py"
    else:
        stencil = CATALOGUE[scheme.name]
        assert (stencil.derivative, stencil.order) == (scheme.derivative, scheme.order)


OFFSETS = st.lists(st.fractions(-6, 6, max_denominator=12), min_size=1, max_size=8, unique=True)


@given(OFFSETS, st.integers(0, 4))
@example([Fraction(-1), Fraction(0), Fraction(2)], 1)
@example([Fraction(-1), Fraction(0), Fraction(1)], 2)
@example([Fraction(1, 2)], 0)
@settings(max_examples=120)
def test_the_laws_hold_on_any_rational_offsets(offsets, derivative):
    assume(derivative < len(offsets))
    stencil = Stencil.fit(offsets, derivative)
    assume(stencil.order != math.inf)
    assert stencil.derivative == derivative
    assert stencil.order >= len(offsets) - derivative
    for law in (check_exactness, check_leading_error, check_invariance, check_own_combination):
        law(stencil)


@given(OFFSETS, st.integers(1, 3), st.lists(st.fractions(-9, 9, max_denominator=9), min_size=1, max_size=8))
def test_exact_on_random_polynomials(offsets, derivative, coefficients):
    assume(derivative < len(offsets))
    stencil = Stencil.fit(offsets, derivative)
    terms = [(c, monomial(n)) for n, c in enumerate(coefficients[: len(offsets)])]
    exact = sum(c * f(X, derivative) for c, f in terms)
    assert estimate(stencil, lambda t: sum(c * f(t) for c, f in terms)) == exact


@given(OFFSETS, st.integers(1, 4))
def test_luck_gives_one_order_more_at_most(offsets, derivative):
    """K real nodes promise order K − m; by Newton's inequalities no two further moments vanish together."""
    assume(derivative < len(offsets))
    assert Stencil.fit(offsets, derivative).order - (len(offsets) - derivative) in {0, 1}


def test_richardson_makes_the_next_member_of_the_family():
    assert richardson(Stencil.central(order=2)) == Stencil.central(order=4)
    assert richardson(Stencil.forward(order=1)) == Stencil.forward(order=2)
    assert CATALOGUE["richardson(central-2)"] == CATALOGUE["central-4"]
    assert CATALOGUE["richardson(forward-1)"] == CATALOGUE["forward-2"]
    assert CATALOGUE["richardson(central-2)-d2"] == CATALOGUE["central-4-d2"]


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("central")])
def test_central_stencils_are_symmetric(name):
    stencil = ALL[name]
    mirrored = dict(zip([-k for k in stencil.offsets], stencil.weights, strict=True))
    weights = dict(zip(stencil.offsets, stencil.weights, strict=True))
    assert {k: (-1) ** stencil.derivative * w for k, w in mirrored.items()} == weights
    assert stencil.order % 2 == 0


def test_derivative_4_order_20_has_weights_beyond_int64():
    stencil = Stencil.central(4, 20)
    assert (stencil.derivative, stencil.order) == (4, 20)
    common = math.lcm(*(w.denominator for w in Stencil.central(4, 32).weights))
    assert max(abs(w) * common for w in Stencil.central(4, 32).weights) > 2**63
    assert sum(stencil.weights) == 0
