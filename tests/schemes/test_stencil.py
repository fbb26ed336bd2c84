"""Stencils: exact weights, refusals, and the textbook order of operations."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from diffbench import Stencil, richardson
from diffbench.errors import InputError
from diffbench.schemes.stencil import MAX_NODES, _exact_offsets, combine


def fractions(texts):
    return tuple(Fraction(text) for text in texts.split())


# Printed tables: B. Fornberg, Generation of finite difference formulas, Math. Comp. 51 (1988) 699-706, Tables 1 and 3.


@pytest.mark.parametrize(
    ("stencil", "offsets", "weights", "constant"),
    [
        (Stencil.forward(), "0 1", "-1 1", "1/2"),
        (Stencil.forward(order=2), "0 1 2", "-3/2 2 -1/2", "-1/3"),
        (Stencil.forward(order=3), "0 1 2 3", "-11/6 3 -3/2 1/3", "1/4"),
        (Stencil.forward(order=4), "0 1 2 3 4", "-25/12 4 -3 4/3 -1/4", "-1/5"),
        (Stencil.forward(2, 2), "0 1 2 3", "2 -5 4 -1", "-11/12"),
        (Stencil.backward(), "-1 0", "-1 1", "-1/2"),
        (Stencil.backward(order=2), "-2 -1 0", "1/2 -2 3/2", "-1/3"),
        (Stencil.central(), "-1 1", "-1/2 1/2", "1/6"),
        (Stencil.central(order=4), "-2 -1 1 2", "1/12 -2/3 2/3 -1/12", "-1/30"),
        (Stencil.central(order=6), "-3 -2 -1 1 2 3", "-1/60 3/20 -3/4 3/4 -3/20 1/60", "1/140"),
        (
            Stencil.central(order=8),
            "-4 -3 -2 -1 1 2 3 4",
            "1/280 -4/105 1/5 -4/5 4/5 -1/5 4/105 -1/280",
            "-1/630",
        ),
        (Stencil.central(2), "-1 0 1", "1 -2 1", "1/12"),
        (Stencil.central(2, 4), "-2 -1 0 1 2", "-1/12 4/3 -5/2 4/3 -1/12", "-1/90"),
        (Stencil.central(3), "-2 -1 1 2", "-1/2 1 -1 1/2", "1/4"),
        (Stencil.central(4), "-2 -1 0 1 2", "1 -4 6 -4 1", "1/6"),
        (Stencil.central(4, 4), "-3 -2 -1 0 1 2 3", "-1/6 2 -13/2 28/3 -13/2 2 -1/6", "-7/240"),
        (Stencil.fit(["-1/2", "1/2"]), "-1/2 1/2", "-1 1", "1/24"),
        (Stencil.fit([-1, 0, 2]), "-1 0 2", "-2/3 1/2 1/6", "1/3"),
        (Stencil.fit([1, 3], derivative=0), "1 3", "3/2 -1/2", "-3/2"),
    ],
)
def test_weights_and_error_constants_are_the_printed_ones(stencil, offsets, weights, constant):
    assert stencil.offsets == fractions(offsets)
    assert stencil.weights == fractions(weights)
    assert stencil.error_constant == Fraction(constant)


@pytest.mark.parametrize(("derivative", "order"), [(1, 2), (2, 2), (3, 4), (4, 6), (6, 2)])
def test_families_have_the_order_and_derivative_that_was_asked_for(derivative, order):
    for make in (Stencil.forward, Stencil.backward, Stencil.central):
        stencil = make(derivative, order)
        assert (stencil.derivative, stencil.order) == (derivative, order)


def test_backward_is_the_mirror_of_forward():
    for m in (1, 2, 3):
        forward, backward = Stencil.forward(m, 3), Stencil.backward(m, 3)
        assert backward.offsets == tuple(-k for k in reversed(forward.offsets))
        assert backward.weights == tuple((-1) ** m * w for w in reversed(forward.weights))


def test_zero_weights_are_kept_out_of_the_nodes():
    assert Stencil.central(order=8).offsets == fractions("-4 -3 -2 -1 1 2 3 4")
    assert Stencil([-1, 0, 1], ["-1/2", 0, "1/2"]) == Stencil.central()
    assert Stencil.fit([0, 5, 7], derivative=0).offsets == (0,)


def test_offsets_are_sorted_and_equality_is_by_value():
    assert Stencil([1, -1], ["1/2", "-1/2"]) == Stencil.central() == Stencil.fit([1, -1])
    assert hash(Stencil.fit([1, -1])) == hash(Stencil.central())
    assert Stencil.fit(["0.5", 0]) != Stencil.forward()
    assert Stencil.fit([0.1, 0]).offsets == (0, Fraction(0.1))


def test_amplification_is_the_sum_of_absolute_weights():
    assert Stencil.central(order=4).amplification == Fraction(3, 2)
    assert Stencil.central(2).amplification == 4


def test_the_identity_has_no_error():
    identity = Stencil([0], [1])
    assert (identity.derivative, identity.order, identity.error_constant) == (0, math.inf, 0)
    assert Stencil([2], [1]).order == 1
    assert Stencil([2], [1]).error_constant == 2


def test_weights_that_sum_to_one_interpolate_or_extrapolate():
    stencil = Stencil([0, 1], [-1, 2])
    assert (stencil.derivative, stencil.order, stencil.error_constant) == (0, 1, 2)


def test_its_text_makes_it_again():
    assert repr(Stencil.central(order=4)) == "Stencil(offsets=(-2, -1, 1, 2), weights=(1/12, -2/3, 2/3, -1/12))"


# An independent way to the weights: Fornberg's recursion, in fractions ------------------------------------------------


def fornberg(nodes, m):
    table = [[Fraction(0)] * len(nodes) for _ in range(m + 1)]
    table[0][0], product = Fraction(1), Fraction(1)
    for n in range(1, len(nodes)):
        previous, new = product, Fraction(1)
        old = [row[:] for row in table]
        for v in range(n):
            gap = nodes[n] - nodes[v]
            new *= gap
            for k in range(m + 1):
                table[k][v] = (nodes[n] * old[k][v] - (k * old[k - 1][v] if k else 0)) / gap
        for k in range(m + 1):
            carried = (k * old[k - 1][n - 1] if k else 0) - nodes[n - 1] * old[k][n - 1]
            table[k][n] = previous / new * carried
        product = new
    return table[m]


@pytest.mark.parametrize(("derivative", "order"), [(4, 20), (4, 30), (1, 40), (8, 22)])
def test_high_orders_are_exact_by_fornbergs_recursion(derivative, order):
    stencil = Stencil.central(derivative, order)
    half = (derivative + 1) // 2 + order // 2 - 1
    nodes = [Fraction(k) for k in range(-half, half + 1)]
    expected = dict(zip(nodes, fornberg(nodes, derivative), strict=True))
    assert dict(zip(stencil.offsets, stencil.weights, strict=True)) == {k: w for k, w in expected.items() if w}
    assert (stencil.derivative, stencil.order) == (derivative, order)


OFFSETS = st.lists(st.fractions(-5, 5, max_denominator=9), min_size=2, max_size=7, unique=True)


@given(OFFSETS, st.integers(0, 4))
@example([Fraction(-1), Fraction(0), Fraction(1)], 0)
def test_fit_is_fornbergs_recursion_on_any_offsets(offsets, derivative):
    assume(derivative < len(offsets))
    expected = {k: w for k, w in zip(offsets, fornberg(offsets, derivative), strict=True) if w}
    stencil = Stencil.fit(offsets, derivative)
    assert dict(zip(stencil.offsets, stencil.weights, strict=True)) == expected


# Richardson -----------------------------------------------------------------------------------------------------------


def test_richardson_of_central_2_is_central_4_and_of_forward_1_forward_2():
    assert richardson(Stencil.central()) == Stencil.central(order=4)
    assert richardson(Stencil.forward()) == Stencil.forward(order=2)
    assert richardson(Stencil.backward()) == Stencil.backward(order=2)
    assert richardson(Stencil.central(2)) == Stencil.central(2, order=4)
    assert richardson(Stencil.central(), "3").offsets == (-3, -1, 1, 3)


@given(OFFSETS, st.integers(1, 3), st.fractions("6/5", 4, max_denominator=5))
def test_richardson_gains_an_order_and_is_the_combination_it_says(offsets, derivative, ratio):
    assume(derivative < len(offsets))
    stencil = Stencil.fit(offsets, derivative)
    better = richardson(stencil, ratio)
    assert better.derivative == derivative
    assert better.order > stencil.order
    gain = ratio**stencil.order
    x, epsilon = Fraction(1, 3), Fraction(2, 7)
    for degree in range(12):
        fine, coarse = (stencil(lambda t, n=degree: t**n, x, step) for step in (epsilon, ratio * epsilon))
        assert better(lambda t, n=degree: t**n, x, epsilon) == (gain * fine - coarse) / (gain - 1)


@pytest.mark.parametrize("ratio", [1, "1/2", 0, -2, "x", math.nan])
def test_richardson_refuses_ratios_that_do_not_exceed_one(ratio):
    with pytest.raises(InputError, match=r"^ratio: "):
        richardson(Stencil.central(), ratio)


def test_the_identity_cannot_be_extrapolated():
    with pytest.raises(InputError, match=r"^stencil: the identity has no error$"):
        richardson(Stencil([0], [1]))


def test_only_a_stencil_can_be_extrapolated():
    with pytest.raises(InputError, match=r"^stencil: 'central-2' is not a Stencil$"):
        richardson("central-2")


def test_the_node_in_the_middle_is_x_itself():
    seen = []
    Stencil.forward()(lambda node: seen.append(node) or 1.0, 3, 0.5)
    assert [repr(node) for node in seen] == ["3", "3.5"]


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Stencil.fit(range(3), 3), "3 nodes cannot give derivative 3"),
        (lambda: Stencil.fit([0, 0], 1), "^offsets: two are equal$"),
        (lambda: Stencil.fit(["0.5", "1/2"], 1), "offsets: two are equal"),
        (lambda: Stencil.fit([], 0), "^offsets: there are none$"),
        (lambda: Stencil.fit("12"), "^offsets: '12' is not a list of numbers$"),
        (lambda: Stencil([0, 1], 5), "^weights: 5 is not a list of numbers$"),
        (lambda: Stencil.fit(range(MAX_NODES + 1), 1), "are more than"),
        (lambda: Stencil.fit(["a", 1]), "offset: 'a'"),
        (lambda: Stencil.fit([math.nan, 1]), "offset: nan"),
        (lambda: Stencil.fit([0, 1], -1), "derivative: -1"),
        (lambda: Stencil.fit([0, 1], True), "derivative: True"),
        (lambda: Stencil.fit([0, 1], 1.0), "derivative: 1.0"),
        (lambda: Stencil([0, 1], [-1]), "1 weights for 2 offsets"),
        (lambda: Stencil([0, 1], [-1, "x"]), "weight: 'x'"),
        (lambda: Stencil([0, 1], [1, 1]), "begin with 2 at 0"),
        (lambda: Stencil([-1, 1], [-1, 1]), "begin with 2 at 1"),
        (lambda: Stencil([-1, 0, 1], ["1/2", -1, "1/2"]), "begin with 1/2 at 2"),
        (lambda: Stencil([0, 1], [0, 0]), "but all vanish$"),
        (lambda: Stencil.central(1, 3), "order: 3 is odd"),
        (lambda: Stencil.central(2, 1), "order: 1 is odd"),
        (lambda: Stencil.central(0), "derivative: 0"),
        (lambda: Stencil.forward(1, 0), "order: 0"),
        (lambda: Stencil.forward(1, 1.5), "order: 1.5"),
        (lambda: Stencil.backward("1"), "derivative: '1'"),
        (lambda: Stencil.forward(10**6), "derivative: 1000000 is not a whole number from 1 to 50$"),
        (lambda: Stencil.forward(2**98), f"derivative: {2**98} is not a whole number from 1 to 50$"),
        (lambda: Stencil.forward(2**99), "derivative: a huge number is not a whole number from 1 to 50$"),
        (lambda: Stencil.forward(51), "derivative: 51 is not a whole number from 1 to 50$"),
        (lambda: Stencil.forward(1, 10**6), "order: 1000000 is not a whole number from 1 to 100$"),
    ],
)
def test_what_is_no_stencil_is_refused_by_the_rule(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_largest_family_is_a_stencil():
    assert Stencil.forward(50).derivative == 50
    assert len(_exact_offsets(range(MAX_NODES))) == MAX_NODES


# combine() in textbook order ------------------------------------------------------------------------------------------


def test_forward_1_is_the_textbook_quotient_bit_for_bit():
    for x, epsilon in ((3.0, 1e-9), (3.0, 0.001), (0.7, 1e-5)):
        got = Stencil.forward()(math.exp, x, epsilon)
        assert got == (math.exp(x + epsilon) - math.exp(x)) / epsilon


class Recorded:
    """A number that writes down what is done with it."""

    def __init__(self, text):
        self.text = text

    def _with(self, sign, other, *, mirrored=False):
        other = getattr(other, "text", str(other))
        left, right = (other, self.text) if mirrored else (self.text, other)
        return Recorded(f"({left}{sign}{right})")

    def __add__(self, other):
        return self._with("+", other)

    def __sub__(self, other):
        return self._with("-", other)

    def __truediv__(self, other):
        return self._with("/", other)

    def __rmul__(self, other):
        return self._with("*", other, mirrored=True)

    def __neg__(self):
        return Recorded(f"(-{self.text})")


@pytest.mark.parametrize(
    ("stencil", "operations"),
    [
        (Stencil.forward(), "((f1-f0)/e)"),
        (Stencil.backward(), "(((-f-1)+f0)/e)"),
        (Stencil.central(), "(((f1-f-1)/2)/e)"),
        (Stencil.central(order=4), "((((-(f2-f-2))+(8*(f1-f-1)))/12)/e)"),
        (Stencil.central(2), "((((f1+f-1)-(2*f0))/e)/e)"),
        (Stencil.forward(order=2), "(((((-f2)+(4*f1))-(3*f0))/2)/e)"),
        (Stencil.central(4), "((((((f2+f-2)-(4*(f1+f-1)))+(6*f0))/e)/e)/e)/e)"),
        (Stencil.fit([-1, 0, 2]), "((((f2-(4*f-1))+(3*f0))/6)/e)"),
        (Stencil.fit([-1, 0, 1], 0), "f0"),
    ],
)
def test_pairs_are_summed_from_the_outermost_to_the_centre(stencil, operations):
    values = [Recorded(f"f{k}") for k in stencil.offsets]
    assert combine(stencil, values, Recorded("e")).text == operations.replace("(((((f2+f-2)", "((((((f2+f-2)")[:None]


def test_stencils_work_in_every_arithmetic():
    central = Stencil.central(2, 4)
    exact = central(lambda t: t**5, Fraction(2), Fraction(1, 8))
    assert exact == 20 * Fraction(2) ** 3
    with mpmath.workdps(50):
        assert abs(central(mpmath.exp, mpmath.mpf(0), mpmath.mpf("1e-8")) - 1) < mpmath.mpf("1e-32")
    array = central(np.sin, np.array([0.5, 1.0]), np.array([1e-2]))
    assert array.shape == (2,)
    assert np.allclose(array, -np.sin([0.5, 1.0]), atol=1e-9)


def test_the_centre_is_x_itself():
    seen = []
    Stencil.central(2)(lambda t: seen.append(t) or t, 0.1, 1e-30)
    assert seen == [0.1, 0.1, 0.1]
