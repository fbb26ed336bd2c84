"""The parts of errors against an implementation in mpmath, rationals, and each other."""

import random
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from folders import contents

from diffbench import DiffbenchError, Function, OpaqueScheme, Spec, Stencil, load, run
from diffbench.analysis.wide import computed
from diffbench.dtypes import find_dtype
from diffbench.functions.symbolic import to_sympy, variable_symbol
from diffbench.reference.parts import PARTS
from diffbench.rounding import round_exactly
from diffbench.schemes.scheme import catalogue, parse_scheme
from diffbench.sweep.results import Block, Status
from diffbench.sweep.wide import exact_of

LONGDOUBLE = pytest.mark.skipif(not find_dtype("longdouble").is_wide, reason="longdouble is double here")

BITS = 1000
"""Enough for the truncation of order 8 at 1e-16, to 50 bits of itself."""


def parts_and_errors(results):
    """Yield each block's parts and errors where there is an error."""
    for block in results.blocks:
        known = np.isfinite(block.error)
        yield block, block.parts[:, known], block.error[known]


def add_up(results, tolerance=1e-12):
    """Return how many errors have parts and how many have none, and check that the parts add up."""
    counted = [0, 0]
    for block, parts, error in parts_and_errors(results):
        has_parts = np.isfinite(parts).all(axis=0)
        assert not np.isfinite(parts[:, ~has_parts]).any()
        rest = np.abs(parts.sum(axis=0) - error)
        assert (rest <= tolerance * np.abs(parts).max(axis=0))[has_parts].all(), block.key
        counted[0] += int(has_parts.sum())
        counted[1] += int((~has_parts).sum())
    return counted


# the sum --------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_parts_of_every_cell_of_the_standard_suite_add_up_to_its_error():
    with_parts, without = add_up(run(Spec("standard", anatomy=True)))
    assert with_parts > 243_000
    # At the edge of asin an ideal node lies beyond 1 where the one that was used does not.
    assert without == 2


@pytest.mark.slow
def test_so_do_those_of_other_dtypes_and_derivatives():
    spec = Spec("standard", dtypes=["float16", "float32"], derivatives=[1, 2, 3], anatomy=True)
    with_parts, without = add_up(run(spec))
    assert with_parts > 450_000
    assert without < 40


@pytest.mark.parametrize(
    ("dtype", "derivative"),
    [
        ("float16", 1),
        pytest.param("float64", 1, marks=pytest.mark.slow),
        pytest.param("float64", 2, marks=pytest.mark.slow),
        pytest.param("float32", 2, marks=pytest.mark.slow),
        pytest.param("float64", 3, marks=pytest.mark.slow),
    ],
)
def test_the_parts_add_up(dtype, derivative):
    functions = ["exp", "sin", "runge", "cubic", "log-near-0", "sin-over-x", "abs-3-2", "bessel-j0"]
    spec = Spec(functions, dtypes=[dtype], derivatives=[derivative], epsilons="1:1e-16:1/decade", anatomy=True)
    with_parts, without = add_up(run(spec))
    assert with_parts > 1000
    assert without == 0


# each part, by mpmath -------------------------------------------------------------------------------------------------


def mp(value):
    fraction = Fraction(value)
    return mpmath.mpf(fraction.numerator) / fraction.denominator


MODULES = [{"airyaiprime": lambda x: mpmath.airyai(x, derivative=1)}, "mpmath"]
"""What SymPy writes for mpmath without knowing its name."""


class Independent:
    """The parts of one function's errors in mpmath, node by node."""

    def __init__(self, function, derivative):
        expression, symbol = to_sympy(function.formula), variable_symbol(function.formula)
        self.f = sympy.lambdify(symbol, expression, MODULES)
        self.slope = sympy.lambdify(symbol, sympy.diff(expression, symbol, derivative), MODULES)
        self.function = function

    def knows(self, x):
        """Whether the derivative as SymPy writes it has a value at x: it may have none where the limit exists."""
        try:
            self.slope(mp(x))
        except ZeroDivisionError:
            return False
        return True

    def parts(self, scheme, x, epsilon, estimate):
        sums = [mpmath.mpf(0)] * 3
        for offset, is_imaginary, weight in scheme.shares:
            used, value = self.computed(offset, x, epsilon, is_complex=scheme.needs_complex)
            ideal = mpmath.mpc(mp(x) + mp(offset.real) * mp(epsilon), mp(offset.imaginary) * mp(epsilon))
            exact = [self.f(node if offset.imaginary else node.real) for node in (ideal, used)] + [value]
            for i, each in enumerate(exact):
                sums[i] += mp(weight) * (mpmath.im(each) if is_imaginary else mpmath.re(each))
        d0 = self.slope(mp(x))
        d1, d2, d3 = (total / mp(epsilon) ** scheme.derivative for total in sums)
        return d1 - d0, d2 - d1, d3 - d2, mp(estimate) - d3

    def computed(self, offset, x, epsilon, *, is_complex):
        """Return a node and f there as the sweep computes them."""
        real = np.array([x]) + np.array([float(offset.real * Fraction(epsilon))]) if offset.real else np.array([x])
        if not offset.imaginary:
            value = self.function.compile("float64")(real)[0]
            return mpmath.mpc(mp(float(real[0]))), mp(float(value))
        imaginary = float(offset.imaginary * Fraction(epsilon))
        value = self.function.compile("complex128")(real + 1j * np.array([imaginary]))[0]
        node = mpmath.mpc(mp(float(real[0])), mp(imaginary))
        return node, mpmath.mpc(mp(float(value.real)), mp(float(value.imag)))


def sampled(block, independent, count, seed):
    """Return indices of cells of the grid that have parts."""
    known = np.isfinite(block.parts).all(axis=0)
    known[:, :, block.grid_size :] = False
    known[:, [not independent.knows(x) for x in block.x]] = False
    places = np.argwhere(known).tolist()
    return random.Random(seed).sample(places, min(count, len(places)))  # noqa: S311  (no secret)


def compare(function, derivative, count):
    """Hold a sample of the parts of one function against mpmath, and return how many cells that was."""
    schemes = catalogue(derivative)
    block = run(Spec(function, schemes, derivatives=[derivative], anatomy=True, rules=[])).blocks[0]
    independent = Independent(function, derivative)
    cells = sampled(block, independent, count, function.name)
    for s, p, c in cells:
        with mpmath.workprec(BITS):
            exact = independent.parts(schemes[s], block.x[p], block.grid[c], block.estimate[s, p, c])
            largest = max(map(abs, exact))
            noise = mpmath.mpf(2) ** (80 - BITS) / mp(block.grid[c]) ** derivative
            for name, part, truth in zip(PARTS, block.parts[:, s, p, c], exact, strict=True):
                bound = max(abs(truth) * mpmath.mpf(2) ** -50, 1e-13 * largest, noise)
                assert abs(mp(part) - truth) <= bound, (function.name, schemes[s].name, block.x[p], c, name)
    return len(cells)


def standard_function(name):
    return next(function for function in Spec("standard").functions if function.name == name)


@pytest.mark.parametrize(
    ("name", "derivative"),
    [("abs-3-2", 1), ("runge", 1), ("exp", 2), ("sin-over-x", 2), ("log-near-0", 2)]
    + [
        pytest.param(*each, marks=pytest.mark.slow)
        for each in [
            *(("exp", 1), ("sin-over-x", 1), ("log-near-0", 1), ("expanded-20", 1), ("runge", 2), ("expanded-20", 2)),
        ]
    ],
)
def test_each_part_is_what_mpmath_says(name, derivative):
    assert compare(standard_function(name), derivative, 40) == 40


@pytest.mark.slow
def test_each_part_of_ten_thousand_cells_is_what_mpmath_says():
    functions = Spec("standard").functions
    assert sum(compare(function, 1, 200) for function in functions) >= 10_000


# dtypes of more than 64 bits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "derivative", "functions"),
    [
        pytest.param("longdouble", 1, ["exp", "sin-over-x", "abs-3-2"], marks=LONGDOUBLE),
        pytest.param("mp:20", 2, ["exp"], marks=pytest.mark.slow),
        *(
            pytest.param(dtype, m, ["exp", "runge", "cubic", "sin-over-x", "abs-3-2"], marks=[*mark, pytest.mark.slow])
            for dtype, m, mark in (
                ("longdouble", 2, [LONGDOUBLE]),
                ("mp:5", 1, []),
                ("mp:30", 2, []),
                ("mp:100", 1, []),
            )
        ),
    ],
)
def test_the_parts_add_up_in_wide_dtypes(dtype, derivative, functions):
    spec = Spec(functions, dtypes=[dtype], derivatives=[derivative], epsilons="1:1e-20:1/decade", anatomy=True)
    with_parts, without = add_up(run(spec))
    assert with_parts > 1000
    assert without == 0


@pytest.mark.slow
@LONGDOUBLE
def test_the_parts_of_longdouble_add_up_all_over_the_standard_suite():
    with_parts, without = add_up(
        run(Spec("standard", dtypes=["longdouble"], epsilons="1:1e-20:1/decade", anatomy=True))
    )
    assert with_parts > 70_000
    assert without <= 4


def wide_parts(function, scheme, at, estimate, dtype):
    """Return the parts in mpmath, f computed in the dtype at the nodes that were used; `at` is x and epsilon."""
    x, epsilon = at
    expression, symbol = to_sympy(function.formula), variable_symbol(function.formula)
    f, slope = (sympy.lambdify(symbol, each, MODULES) for each in (expression, sympy.diff(expression, symbol)))
    ideal = [x + share.offset.real * epsilon for share in scheme.shares]
    used = [round_exactly(x + round_exactly(s.offset.real * epsilon, dtype), dtype) for s in scheme.shares]
    values = [[f(mp(node)) for node in nodes] for nodes in (ideal, used)] + [map(mp, computed(function, used, dtype))]
    weights = [mp(share.weight) for share in scheme.shares]
    d1, d2, d3 = (sum(w * v for w, v in zip(weights, own, strict=True)) / mp(epsilon) for own in values)
    return d1 - slope(mp(x)), d2 - d1, d3 - d2, mp(estimate) - d3


@pytest.mark.parametrize(
    "dtype", [pytest.param("longdouble", marks=LONGDOUBLE), "mp:30", pytest.param("mp:100", marks=pytest.mark.slow)]
)
def test_each_part_in_wide_dtypes_is_what_mpmath_says(dtype):
    function = Function("f", "exp(x)/(1 + x**2)", ["1/3"])
    names = ["forward-1", "central-4", "richardson(central-2)", "stencil(-1/3,0,1/3)"]
    block = run(Spec(function, names, "1e-1:1e-17:4/decade", dtypes=dtype, anatomy=True, rules=[])).blocks[0]
    x = block.exact_point(0)
    for s, name in enumerate(block.schemes):
        for column in range(s, block.grid_size, 7):
            epsilon, estimate = block.exact_grid[column], exact_of(block.wide.estimate[s, 0, column], dtype)
            with mpmath.workprec(4 * BITS):
                truths = wide_parts(function, parse_scheme(name), (x, epsilon), estimate, dtype)
                largest = max(map(abs, truths))
                for part, truth in zip(block.parts[:, s, 0, column], truths, strict=True):
                    assert abs(mp(part) - truth) <= max(abs(truth) * mpmath.mpf(2) ** -50, 1e-13 * largest), (
                        name,
                        column,
                    )


def test_node_is_exactly_0_where_a_wide_dtype_holds_all_nodes():
    function = Function("f", "exp(x)", ["1"])
    spec = Spec(function, ["central-2", "complex-step"], "2^-1:2^-120", dtypes="mp:30", anatomy=True, rules=[])
    block = run(spec).blocks[0]
    bits = find_dtype("mp:30").precision
    assert (block.parts[1, 0, 0] == 0).tolist() == [k < bits for k in range(1, 121)]
    assert (block.parts[1, 1, 0] == 0).all()
    assert (block.parts[0, 1, 0] != 0).all()


# what is exactly 0 ----------------------------------------------------------------------------------------------------


def exact_parts(stencil, coefficients, x, epsilon, estimate):
    """Return the parts for a polynomial of which every value is computed exactly, in rationals."""
    m = stencil.derivative

    def f(t):
        return sum((c * t**j for j, c in enumerate(coefficients)), Fraction(0))

    def at(nodes):
        return sum(w * f(t) for w, t in zip(stencil.weights, nodes, strict=True)) / epsilon**m

    slope = [c * sympy.ff(j, m) for j, c in enumerate(coefficients)]
    d0 = sum(
        (Fraction(int(c.p), int(c.q)) * x ** (j - m) for j, c in enumerate(map(sympy.Rational, slope)) if j >= m),
        Fraction(0),
    )
    ideal = [x + k * epsilon for k in stencil.offsets]
    used = [Fraction(float(x) + float(k * epsilon)) if k else x for k in stencil.offsets]
    return at(ideal) - d0, at(used) - at(ideal), Fraction(0), Fraction(estimate) - at(used)


@pytest.mark.parametrize("name", ["forward-1", "forward-3", "central-2", "central-4", "richardson(central-2)"])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_parts_of_polynomials_are_those_of_rationals(name, degree):
    scheme = parse_scheme(name)
    formula = {0: "3", 1: "2*x + 3", 2: "x**2", 3: "x**3 + x"}[degree]
    coefficients = {0: [3], 1: [3, 2], 2: [0, 0, 1], 3: [0, 1, 0, 1]}[degree]
    block = run(Spec(Function("p", formula, ["2"]), [name], "2^-1:2^-12", anatomy=True, rules=[])).blocks[0]
    stencil = scheme.stencil if name != "richardson(central-2)" else Stencil.central(order=4)
    for column, epsilon in enumerate(block.grid.tolist()):
        truths = exact_parts(
            stencil, [Fraction(c) for c in coefficients], Fraction(2), Fraction(epsilon), block.estimate[0, 0, column]
        )
        for part, truth in zip(block.parts[:, 0, 0, column].tolist(), truths, strict=True):
            assert (part == 0) == (truth == 0)
            assert abs(Fraction(part) - truth) <= abs(truth) / 2**50


@pytest.mark.parametrize("scheme", catalogue(1), ids=lambda scheme: scheme.name)
def test_truncation_is_exactly_0_below_the_degree_that_a_scheme_is_exact_for(scheme):
    degree = scheme.order
    points = ["1/3", "0.7", "-1.1", "1e5"]
    results = run(Spec(Function("p", f"x**{degree} - x/7", points), [scheme], anatomy=True))
    parts = results.blocks[0].parts[0]
    known = np.isfinite(parts)
    assert known.sum() > 100
    assert (parts[known] == 0).all()


def test_truncation_is_not_0_at_the_degree_of_the_order():
    results = run(
        Spec(Function("p", "x**3 - x/7", ["0.7"]), ["central-2"], "1e-1:1e-3:1/decade", anatomy=True, rules=[])
    )
    block = results.blocks[0]
    assert block.parts[0, 0, 0] == pytest.approx(block.grid**2, rel=2**-50, abs=0)


def test_node_is_exactly_0_where_all_nodes_are_ideal_and_only_there():
    function = Function("f", "exp(x)", ["1"])
    block = run(Spec(function, ["central-2", "forward-2"], "2^-1:2^-60", anatomy=True, rules=[])).blocks[0]
    # Below 1 the spacing is 2^-53.
    ideal = np.array([[1 + Fraction(k) * Fraction(e) == Fraction(1 + k * e) for e in block.grid] for k in (-1, 1, 2)])
    for row, is_ideal in enumerate((ideal[0] & ideal[1], ideal[1] & ideal[2])):
        assert (block.parts[1, row, 0] == 0).tolist() == is_ideal.tolist()
        assert 0 < is_ideal.sum() < is_ideal.size


def test_complex_steps_have_ideal_nodes():
    block = run(Spec(["exp", "sin"], ["complex-step"], anatomy=True)).blocks[0]
    known = np.isfinite(block.error)
    assert (block.parts[1][known] == 0).all()
    assert (block.parts[2][known] != 0).any()


def test_nodes_are_ideal_though_their_offsets_are_no_binary_numbers():
    spec = Spec(Function("f", "exp(x)", ["1/2"]), ["stencil(-1/3,0,1/3)"], "3/4,1/5", anatomy=True, rules=[])
    node = run(spec).blocks[0].parts[1, 0, 0]
    assert node[0] == 0
    assert 0 < abs(node[1]) < 1e-15


@pytest.mark.parametrize(
    ("formula", "derivative", "epsilons"),
    [
        ("1e150*cos(x)", 1, None),
        ("1e200*sin(x)", 2, None),
        ("(x + 1)**2 - x**2 - 2*x - 1", 1, None),
        ("cos(x)", 3, "1e-60,1e-70"),
        ("sin(x)**2 + cos(x)**2", 2, "1e-100"),
        ("Abs(x)**Rational(9, 2)", 2, None),
    ],
)
def test_parts_that_cancel_by_symmetry_are_settled(formula, derivative, epsilons):
    spec = Spec(Function("f", formula, ["0"]), None, epsilons, [derivative], anatomy=True)
    with_parts, without = add_up(run(spec))
    assert with_parts > 10
    assert without == 0


@pytest.mark.parametrize(
    ("formula", "x", "derivative", "epsilon"),
    [("exp(x)", "1", 2, "1e-300"), ("atan(x)", "1e16", 4, "1e-100"), ("sin(x)", "1e300", 1, "1e-300")],
)
def test_precision_follows_epsilons_far_below_x(formula, x, derivative, epsilon):
    spec = Spec(Function("f", formula, [x]), None, epsilon, [derivative], anatomy=True, rules=[])
    with_parts, without = add_up(run(spec))
    assert with_parts >= 10
    assert without == 0


@pytest.mark.parametrize("formula", ["((1 + x)**9999 + 1)*(x**2 + x + 1)**999", "((1 + x)**300 - 1)*(x**2 + 1)**200"])
def test_large_polynomials_are_not_expanded(formula, monkeypatch):
    monkeypatch.setattr(sympy, "Poly", None)
    with_parts, _ = add_up(run(Spec(Function("f", formula, ["1/1000"]), anatomy=True)))
    assert with_parts > 1000


# what has no parts ----------------------------------------------------------------------------------------------------


def test_opaque_schemes_have_no_parts():
    slope = OpaqueScheme("slope", lambda f, x, e: (f(x + e) - f(x)) / e)
    block = run(Spec("exp", [slope, "forward-1"], "1e-3", anatomy=True)).blocks[0]
    assert np.isnan(block.parts[:, 0]).all()
    assert np.isfinite(block.parts[:, 1]).all()


def test_cells_without_an_error_have_no_parts():
    for block in run(Spec(["abs", "log-near-0", "tan-near-pole"], anatomy=True)).blocks:
        assert np.isnan(block.parts[:, np.isnan(block.error)]).all()


def test_collapsed_cells_with_an_estimate_have_parts():
    block = run(Spec(Function("f", "x + 1", ["1"]), ["forward-1"], "1e-17", anatomy=True, rules=[])).blocks[0]
    assert block.status[0, 0, 0] == Status.COLLAPSED
    # The node stays at x: all of the error is that it is not where it ought to be.
    assert block.parts[:, 0, 0, 0].tolist() == [0, -1, 0, 0]


def test_a_users_own_code_is_held_against_its_formula():
    own = Function("own", "x**2", ["3"], evaluate=lambda x: x * x + np.array([2.0**-20], dtype=x.dtype) * (x > 3))
    block = run(Spec(own, ["forward-1"], "2^-4", anatomy=True, rules=[])).blocks[0]
    assert block.parts[:, 0, 0, 0].tolist() == [2**-4, 0, 2**-16, 0]


def test_without_anatomy_there_are_no_parts():
    results = run(Spec("lab"))
    assert all(block.parts is None for block in results.blocks)
    assert not set(PARTS) & set(results.to_frame().columns)


def test_an_epsilon_that_overflows_leaves_a_row_though_the_offset_is_no_number_of_the_dtype():
    spec = Spec(Function("f", "x", ["60000"]), ["complex-step-45-d2", "central-2-d2"], dtypes=["float32", "float16"])
    assert sum(run(spec).counts.values()) == spec.planned


def test_a_node_that_balls_do_not_reach_costs_its_own_cells_only():
    function = Function("f", "besselj(0, x)", ["1"])
    few, more = (run(Spec(function, epsilons=text, anatomy=True)).blocks[0] for text in ("1e-2,1e-3", "1000,1e-2,1e-3"))
    assert np.array_equal(few.parts[:, :, :, :2], more.parts[:, :, :, 1:3], equal_nan=True)
    assert np.isnan(more.parts[:, :, :, 0]).all()
    assert np.isfinite(few.parts).any()


# how it is kept -------------------------------------------------------------------------------------------------------


def spec(**options):
    return Spec(["exp", "log-near-0", "abs"], ["central-2", "complex-step", "central-2-d2"], anatomy=True, **options)


def test_the_table_has_the_parts():
    frame = run(spec()).to_frame()
    assert tuple(frame.columns[-4:]) == PARTS
    known = frame[frame.error.notna()]
    assert known[list(PARTS)].notna().all(axis=None)
    assert frame[frame.error.isna()][list(PARTS)].isna().all(axis=None)


def test_parts_are_stored_and_loaded(tmp_path):
    measured = run(spec(), out=tmp_path / "run")
    again = run(spec())
    assert load(tmp_path / "run").to_frame().equals(again.to_frame())
    for stored, block in zip(measured.blocks, again.blocks, strict=True):
        assert np.array_equal(stored.parts, block.parts, equal_nan=True)


def test_bits_do_not_depend_on_blocks_and_threads(tmp_path):
    run(spec(), out=tmp_path / "a", jobs=1, block_size=70)
    run(spec(), out=tmp_path / "b", jobs=2, block_size=70)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    whole, cut = (run(spec(), block_size=size).block("exp") for size in (40_000, 70))
    assert np.array_equal(whole.parts, cut.parts, equal_nan=True)


def test_what_is_measured_beside_a_scheme_changes_no_bit_of_its_parts():
    function = Function("f", "cos(x)", ["0", "1/3"])
    together = run(Spec(function, anatomy=True)).blocks[0]
    for s, name in enumerate(together.schemes):
        alone = run(Spec(function, [name], anatomy=True)).blocks[0]
        assert alone.parts[:, 0].tobytes() == together.parts[:, s].tobytes()


def test_what_is_measured_beside_it_changes_no_part():
    alone = run(Spec("exp", ["central-2"], anatomy=True)).blocks[0]
    beside: Block = run(spec()).block("exp")
    assert np.array_equal(alone.parts[:, 0], beside.parts[:, 0], equal_nan=True)
    assert run(Spec("exp", ["central-2"])).blocks[0].estimate.tobytes() == alone.estimate.tobytes()


def test_without_cells_there_is_nothing_to_take_apart():
    with pytest.raises(DiffbenchError, match=r"^anatomy: a run that keeps no cells"):
        run(spec(), keep="summary")
