"""Schemes: one naming rule, and combinations in textbook arithmetic bit for bit."""

import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diffbench import Stencil, richardson
from diffbench.dtypes import PLAIN
from diffbench.errors import InputError
from diffbench.rounding import real_power, round_to
from diffbench.schemes.scheme import (
    CENTRE,
    DIAGONAL,
    FAMILIES,
    MAX_LEVELS,
    UPWARDS,
    ComplexStepScheme,
    DiagonalStepScheme,
    Offset,
    OpaqueScheme,
    RichardsonScheme,
    StencilScheme,
    as_scheme,
    catalogue,
    parse_scheme,
    scheme_name,
    split_derivative,
)

CATALOGUE = [scheme for m in (1, 2, 3, 4) for scheme in catalogue(m)]
NAMES = [scheme.name for scheme in CATALOGUE]
REAL = [scheme for scheme in CATALOGUE if not scheme.needs_complex]


# Names ----------------------------------------------------------------------------------------------------------------


def test_the_catalogue_is_what_the_issue_asks_for():
    families = {f"{side}-{p}" for side in ("forward", "backward") for p in (1, 2, 3, 4, 6)}
    families |= {f"central-{p}" for p in (2, 4, 6, 8)}
    families |= {f"richardson{table}({base})" for table in ("", "-3") for base in ("forward-1", "central-2")}
    for m in (1, 2, 3, 4):
        names = {scheme_name(family, m) for family in families}
        complex_names = {1: {"complex-step"}, 2: {"complex-step-d2", "complex-step-45-d2"}}.get(m, set())
        assert {scheme.name for scheme in catalogue(m)} >= names | complex_names


def test_names_are_distinct():
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("scheme", CATALOGUE, ids=NAMES)
def test_every_name_of_the_catalogue_parses_back(scheme):
    assert parse_scheme(scheme.name) == scheme
    if scheme.derivative > 1:
        assert parse_scheme(scheme.name, derivative=1) == scheme, "the suffix prevails"
    family, stated = split_derivative(scheme.name)
    assert (family in FAMILIES, stated or 1) == (True, scheme.derivative)
    assert parse_scheme(family, scheme.derivative) == scheme
    assert parse_scheme(f" {scheme.name} ") == scheme


@pytest.mark.parametrize("scheme", CATALOGUE, ids=NAMES)
def test_what_a_name_says_is_true(scheme):
    family, _ = split_derivative(scheme.name)
    assert scheme.evaluations == len(scheme.offsets) == len(set(scheme.offsets))
    assert scheme.needs_complex == family.startswith("complex")
    if family.startswith(("forward", "backward", "central")):
        side, order = family.split("-")
        assert scheme.order == int(order) == scheme.stencil.order
        assert scheme.stencil.derivative == scheme.derivative
        reals = [offset.real for offset in scheme.offsets]
        assert {"forward": min(reals) == 0, "backward": max(reals) == 0, "central": min(reals) == -max(reals)}[side]


@pytest.mark.parametrize(
    ("name", "canonical", "evaluations"),
    [
        ("central-10", "central-10", 10),
        ("central-20-d4", "central-20-d4", 23),
        ("forward-9-d2", "forward-9-d2", 11),
        ("stencil(-1, 0, +2)", "stencil(-1,0,2)", 3),
        ("stencil(-1/2,1/2)", "stencil(-1/2,1/2)", 2),
        ("stencil(-1,0,1)-d2", "stencil(-1,0,1)-d2", 3),
        ("central-2-d1", "central-2", 2),
        ("richardson-2(central-2)", "richardson(central-2)", 4),
        ("richardson(central-2-d2)", "richardson(central-2)-d2", 5),
        ("richardson(stencil(0,1))", "richardson(stencil(0,1))", 3),
        ("richardson-6(forward-1)", "richardson-6(forward-1)", 7),
    ],
)
def test_any_member_of_a_family_can_be_named(name, canonical, evaluations):
    scheme = parse_scheme(name)
    assert scheme.name == canonical
    assert scheme.evaluations == evaluations
    assert parse_scheme(canonical) == scheme


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "not a name"),
        ("centrall-4", "did you mean 'central-4'"),
        ("central", "not a name"),
        ("central-3", "order: 3 is odd"),
        ("central-0", "order: 0"),
        ("central-2-d0", "derivative 0 of"),
        ("forward-999", "order: 999"),
        ("forward-1-d200", "derivative 200 of"),
        (
            "complex-step-d3",
            "complex-step has no formula for derivative 3, only for derivative 1 (complex-step-d1) and",
        ),
        ("complex-step-45", "no formula for derivative 1, only for derivative 2 (complex-step-45-d2)"),
        ("stencil()", "not a name"),
        ("stencil(0)", "1 nodes cannot give derivative 1"),
        ("stencil(0,1)-d2", "2 nodes cannot give derivative 2"),
        ("stencil(0,0)", "two are equal"),
        ("stencil(1,2,)", "offset: ''"),
        ("stencil(1,1/0)", "divides by 0"),
        ("stencil(0,x)", "not a name"),
        ("richardson(complex-step)", "not a name"),
        ("richardson(richardson(central-2))", "not a name"),
        ("richardson-1(central-2)", f"2 to {MAX_LEVELS} levels"),
        ("richardson-7(central-2)", f"2 to {MAX_LEVELS} levels"),
        ("__import__('os')", "not a name"),
        ("x" * 5000, "not a name"),
    ],
)
def test_what_is_no_scheme_is_refused(name, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        parse_scheme(name)
    assert len(str(caught.value)) < 300


def test_the_stencil_of_a_name_is_fitted_once():
    for name in ("central-6-d3", "stencil(-1,1/2,3)"):
        assert parse_scheme(name).stencil is parse_scheme(name).stencil
    assert parse_scheme("richardson(central-6-d3)").base is parse_scheme("central-6-d3").stencil
    with pytest.raises(InputError, match="derivative"):
        parse_scheme("central-6", 1.5)


def test_stencils_are_named_by_their_offsets():
    scheme = as_scheme(Stencil.fit([-1, 0, 2]))
    assert scheme.name == "stencil(-1,0,2)"
    assert parse_scheme(scheme.name) == scheme
    assert as_scheme(Stencil.central(2)).name == "stencil(-1,0,1)-d2"
    assert as_scheme(Stencil.central(), "mine").name == "mine"


def test_weights_that_are_not_fitted_need_a_name():
    smoothing = Stencil([-2, -1, 1, 2], ["-1/5", "-1/10", "1/10", "1/5"])
    with pytest.raises(InputError, match="needs a name"):
        as_scheme(smoothing)
    assert as_scheme(smoothing, "savitzky-golay").order == 2


# Textbook arithmetic, emulated by exact numbers that are rounded after each operation ---------------------------------


class Emulated:
    """IEEE arithmetic from first principles: every operation in fractions, rounded once."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __call__(self, exact):
        rounded = round_to(Fraction(exact), self.dtype)
        if math.isinf(rounded):
            raise OverflowError
        return Fraction(rounded)

    def stencil(self, stencil, values, epsilon):
        d = math.lcm(*(w.denominator for w in stencil.weights))
        n = {k: w * d for k, w in zip(stencil.offsets, stencil.weights, strict=True)}
        terms = []
        for k in sorted({abs(k) for k in n}, reverse=True):
            right, left = n.get(k), n.get(-k)
            if k and right is not None and left is not None and abs(left) == abs(right):
                pair = values[k] + values[-k] if left == right else values[k] - values[-k]
                terms.append((right, self(pair)))
            else:
                terms += [(n[s * k], values[s * k]) for s in ((1, -1) if k else (1,)) if s * k in n]
        total = Fraction(0)
        for weight, term in terms:
            total = self(total + self(self(weight) * term))
        total = self(total / self(d))
        for _ in range(stencil.derivative):
            total = self(total / epsilon)
        return total

    def richardson(self, scheme, values, epsilon):
        column = []
        for level in range(scheme.levels):
            scale = scheme.ratio**level
            at = {k: values[scale * k] for k in scheme.base.offsets}
            column.append(self.stencil(scheme.base, at, self(scale * epsilon)))
        base = scheme.base
        for _ in range(scheme.levels - 1):
            gain = Fraction(scheme.ratio**base.order)
            column = [
                self(self(self(gain * fine) - coarse) / self(gain - 1)) for fine, coarse in itertools.pairwise(column)
            ]
            base = richardson(base, scheme.ratio)
        return column[0]


@given(
    st.sampled_from(REAL),
    st.sampled_from(PLAIN),
    st.lists(st.integers(-(2**60), 2**60), min_size=14, max_size=14),
    st.sampled_from(["0.1", "1/3", "0.001", "2^-3"]),
)
@example(parse_scheme("forward-1"), "float64", list(range(14)), "0.1")
@example(parse_scheme("richardson-3(central-2)-d4"), "float32", [n**7 for n in range(14)], "1/3")
def test_combinations_are_textbook_arithmetic_bit_for_bit(scheme, dtype, drawn, step):
    fl = Emulated(dtype)
    epsilon = fl(Fraction(step) if "^" not in step else Fraction(1, 8))
    exact = {offset: fl(Fraction(n, 2**60)) for offset, n in zip(scheme.offsets, drawn * 2, strict=False)}
    reals = {offset.real: value for offset, value in exact.items()}
    try:
        expected = (
            fl.stencil(scheme.stencil, reals, epsilon)
            if isinstance(scheme, StencilScheme)
            else fl.richardson(scheme, reals, epsilon)
        )
    except OverflowError:
        return
    values = {offset: np.array([float(value)], dtype=dtype) for offset, value in exact.items()}
    got = scheme.combine(values, np.array([float(epsilon)], dtype=dtype))
    assert got.dtype == dtype
    assert Fraction(float(got[0])) == expected


def evaluated(name, f, x, epsilon):
    scheme = parse_scheme(name)
    values = {offset: f(x + float(offset.real) * epsilon if offset.real else x) for offset in scheme.offsets}
    return scheme.combine(values, epsilon)


def test_the_formulas_of_textbooks_bit_for_bit():
    x, e = np.linspace(0.3, 2, 50), np.array([0.001])
    f = np.exp
    textbook = {
        "forward-1": (f(x + e) - f(x)) / e,
        "backward-1": (f(x) - f(x - e)) / e,
        "central-2": (f(x + e) - f(x - e)) / 2 / e,
        "central-4": (8 * (f(x + e) - f(x - e)) - (f(x + 2 * e) - f(x - 2 * e))) / 12 / e,
        "central-2-d2": ((f(x + e) + f(x - e)) - 2 * f(x)) / e / e,
    }
    fine, coarse = textbook["central-2"], (f(x + 2 * e) - f(x - 2 * e)) / 2 / (2 * e)
    textbook["richardson(central-2)"] = (4 * fine - coarse) / 3
    for name, expected in textbook.items():
        assert evaluated(name, f, x, e).tolist() == expected.tolist(), name


@pytest.mark.parametrize("dtype", PLAIN)
@pytest.mark.parametrize("scheme", REAL, ids=[scheme.name for scheme in REAL])
def test_shapes_broadcast_and_the_dtype_stays(scheme, dtype):
    shapes = {offset: (3, 4) if offset.real else (3, 1) for offset in scheme.offsets}
    values = {offset: np.full(shape, 2.0**-10, dtype=dtype) for offset, shape in shapes.items()}
    with np.errstate(all="ignore"):
        got = scheme.combine(values, np.full((1, 4), 1, dtype=dtype))
    assert got.shape == (3, 4)
    assert got.dtype == dtype


# Extrapolation --------------------------------------------------------------------------------------------------------


def test_a_table_of_extrapolations_has_its_stencil_and_order():
    assert parse_scheme("richardson(central-2)").tableau == (Stencil.central(), Stencil.central(order=4))
    assert parse_scheme("richardson(forward-1)").tableau[-1] == Stencil.forward(order=2)
    three = parse_scheme("richardson-3(central-2)")
    assert three.order == 6
    assert [offset.real for offset in three.offsets] == [-4, -2, -1, 1, 2, 4]


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("richardson")])
def test_extrapolation_is_its_equivalent_stencil_in_exact_arithmetic(name):
    scheme = parse_scheme(name)
    assert isinstance(scheme, RichardsonScheme)
    x, epsilon = Fraction(1, 3), Fraction(1, 4)
    equivalent = scheme.tableau[-1]
    assert set(equivalent.offsets) <= {offset.real for offset in scheme.offsets}
    for degree in range(equivalent.derivative + equivalent.order + 1):
        steps = [scheme.base(lambda t, n=degree: t**n, x, epsilon * 2**level) for level in range(scheme.levels)]
        for stencil in scheme.tableau[:-1]:
            gain = Fraction(2**stencil.order)
            steps = [(gain * a - b) / (gain - 1) for a, b in itertools.pairwise(steps)]
        assert steps[0] == equivalent(lambda t, n=degree: t**n, x, epsilon)


# Complex steps on polynomials, exactly --------------------------------------------------------------------------------


class Exact:
    """A complex number of fractions."""

    def __init__(self, real, imag=0):
        self.real, self.imag = Fraction(real), Fraction(imag)

    def __add__(self, other):
        return Exact(self.real + other.real, self.imag + other.imag)

    def __mul__(self, other):
        real = self.real * other.real - self.imag * other.imag
        return Exact(real, self.real * other.imag + self.imag * other.real)


def power(z, n):
    result = Exact(1)
    for _ in range(n):
        result = result * z
    return result


def node(x, offset, epsilon):
    return Exact(x + offset.real * epsilon, offset.imaginary * epsilon)


def falling(n, m):
    return math.perm(n, m)


@pytest.mark.parametrize("degree", range(8))
def test_the_complex_step_has_the_taylor_error_it_says(degree):
    x, epsilon = Fraction(2, 3), Fraction(1, 5)
    estimate = ComplexStepScheme("complex-step", 1).combine(
        {UPWARDS: power(node(x, UPWARDS, epsilon), degree)}, epsilon
    )
    taylor = sum(
        (-1) ** (j // 2) * math.comb(degree, j) * x ** (degree - j) * epsilon ** (j - 1)
        for j in range(1, degree + 1, 2)
    )
    assert estimate == taylor
    if degree < 3:
        assert estimate == degree * x ** (degree - 1)


@pytest.mark.parametrize("degree", range(6))
def test_the_second_complex_step_is_exact_up_to_degree_three(degree):
    scheme = ComplexStepScheme("complex-step-d2", 2)
    x, epsilon = Fraction(3, 2), Fraction(1, 4)
    values = {
        k: np.array([complex(z.real, z.imag)]) for k in (CENTRE, UPWARDS) for z in [power(node(x, k, epsilon), degree)]
    }
    values[CENTRE] = values[CENTRE].real
    estimate = Fraction(float(scheme.combine(values, np.array([float(epsilon)]))[0]))
    exact = falling(degree, 2) * x ** max(0, degree - 2)
    error = -2 * falling(degree, 4) * x ** max(0, degree - 4) * epsilon**2 / 24
    assert estimate == exact + error


@pytest.mark.parametrize("degree", range(9))
def test_the_diagonal_step_is_of_order_four(degree):
    scheme = DiagonalStepScheme("complex-step-45-d2", 2)
    x, epsilon = Fraction(3, 2), Fraction(1, 4)
    estimate = scheme.combine({k: power(node(x, k, epsilon), degree) for k in DIAGONAL}, epsilon)
    exact = falling(degree, 2) * x ** max(0, degree - 2)
    error = -falling(degree, 6) * x ** max(0, degree - 6) * epsilon**4 / 360
    assert abs(estimate - exact - error) < Fraction(1, 2**380), "the root of 1/2 has 400 bits"


def test_the_diagonal_is_the_root_of_i():
    assert DIAGONAL[0] == Offset(real_power(2, Fraction(-1, 2)), real_power(2, Fraction(-1, 2)))
    assert DIAGONAL[1] == Offset(-DIAGONAL[0].real, -DIAGONAL[0].imaginary)
    assert abs(2 * DIAGONAL[0].real ** 2 - 1) < Fraction(1, 2**390)


def test_only_the_first_complex_step_does_not_cancel():
    assert [scheme.name for scheme in CATALOGUE if not scheme.cancels] == ["complex-step"]


# What a dtype cannot hold ---------------------------------------------------------------------------------------------


def test_weights_out_of_range_are_a_reason():
    assert parse_scheme("central-4-d4").unsupported_reason("float16") == ""
    assert parse_scheme("central-8-d4").unsupported_reason("float16") == "weight 192654 is out of range of float16"
    large = parse_scheme("central-20-d4")
    assert large.unsupported_reason("float64") == ""
    assert "out of range of float16" in large.unsupported_reason("float16")
    assert "out of range of float16" in parse_scheme("richardson(central-8-d4)").unsupported_reason("float16")


def test_opaque_schemes_compare_by_name():
    assert OpaqueScheme("mine", call=abs) == OpaqueScheme("mine", call=max)
    assert OpaqueScheme("mine", call=abs) != OpaqueScheme("yours", call=abs)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("central-02", "central-2"),
        ("stencil(1, 0)", "stencil(0,1)"),
        ("stencil(0.5,0)", "stencil(0,1/2)"),
        ("richardson(stencil(0, 1))", "richardson(stencil(0,1))"),
        ("richardson(central-2-d2)", "richardson(central-2)-d2"),
    ],
)
def test_one_scheme_has_one_name(name, canonical):
    assert parse_scheme(name).name == canonical
    assert parse_scheme(name) == parse_scheme(canonical)


def test_two_derivatives_in_one_name_must_agree():
    with pytest.raises(InputError, match="gives derivative 2, not 3"):
        parse_scheme("richardson(central-2-d2)-d3")


@pytest.mark.parametrize("name", ["bad\nname", " ", "x" * 5000])
def test_names_that_no_table_can_show_are_refused(name):
    for make in (lambda: as_scheme(Stencil.forward(), name), lambda: OpaqueScheme(name, abs)):
        with pytest.raises(InputError, match="printable"):
            make()


def test_nothing_goes_by_the_name_of_another_stencil():
    with pytest.raises(InputError, match="name of another"):
        as_scheme(Stencil.fit([-1, 0, 2]), "forward-1")
    assert as_scheme(Stencil.forward(), "forward-1") == parse_scheme("forward-1")


def test_a_table_of_too_many_nodes_is_refused_at_once():
    with pytest.raises(InputError, match=r"richardson-6\(forward-100\) needs .* nodes"):
        parse_scheme("richardson-6(forward-100)")
