"""The truth side of a formula: exact rationals, SymPy's functions by name."""

import time
from fractions import Fraction
from threading import Thread

import mpmath
import pytest
import sympy

from diffbench import parse_formula
from diffbench.errors import InputError
from diffbench.functions import symbolic
from diffbench.functions.grammar import ARITIES, INTEGER_FIRST, RATIONAL_FIRST
from diffbench.functions.suites import BUILT_IN, load_suite
from diffbench.functions.symbolic import SYMPY, polylog, to_sympy, to_unevaluated_sympy, variable_symbol
from diffbench.reference.recentring import recentred
from diffbench.reference.ways import derived

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
        ("li(2*x)", sympy.li(2 * X)),
        ("polylog(0.3, x)", polylog(sympy.Rational(3, 10), X)),
        ("polylog(0, x)", X / (1 - X)),
        ("polylog(-1, x)", X / (1 - X) ** 2),
        ("polylog(3, 1)*x", sympy.zeta(3) * X),
        ("uppergamma(1, x)", sympy.exp(-X)),
        ("lowergamma(2, x)", 1 - (X + 1) * sympy.exp(-X)),
        ("uppergamma(1/2, x)", sympy.sqrt(sympy.pi) * sympy.erfc(sympy.sqrt(X))),
        ("lowergamma(Rational(1, 2), x)", sympy.sqrt(sympy.pi) * sympy.erf(sympy.sqrt(X))),
        ("hyper([], [], x)", sympy.hyper((), (), X)),
        ("hyper([-1/3, 2], (0.5,), x**2)", sympy.hyper((-sympy.Rational(1, 3), 2), (sympy.Rational(1, 2),), X**2)),
        ("hyper([1, 2], [2], x)", sympy.hyper((1,), (), X)),
    ],
)
def test_formulas_mean_these_expressions(text, expected):
    assert meaning(text) == expected


def test_the_variable_is_real_and_keeps_its_name():
    assert variable_symbol(parse_formula("w**2")) == sympy.Symbol("w", real=True)
    assert meaning("w + 1").free_symbols == {sympy.Symbol("w", real=True)}


OTHER_NAMES = {"cbrt": "Pow", "sqrt": "Pow", "expm1": "Add", "log1p": "log", "digamma": "polygamma", "Rational": "Mul"}
POLYNOMIALS = {"chebyshevt", "chebyshevu", "legendre", "hermite"}


@pytest.mark.parametrize("name", sorted(set(ARITIES) - {"Piecewise", "hyper", *POLYNOMIALS}))
def test_every_function_is_sympys_of_that_name(name):
    count = ARITIES[name][0]
    order = "1/3" if name in RATIONAL_FIRST else "3"
    arguments = "1, 3" if name == "Rational" else "x" if count == 1 else f"{order}, x"
    head = type(meaning(f"{name}({arguments})" + ("*x" if name == "Rational" else ""))).__name__
    assert head == OTHER_NAMES.get(name, name)


@pytest.mark.parametrize("name", sorted(POLYNOMIALS))
def test_orthogonal_polynomials_are_expanded(name):
    assert name in INTEGER_FIRST
    assert meaning(f"{name}(3, x)") == getattr(sympy, name)(3, X)
    assert sympy.degree(meaning(f"{name}(3, x)"), X) == 3


@pytest.mark.parametrize("suite", [each for each in BUILT_IN if each != "models"])
def test_no_float_reaches_sympy(suite):
    lines = [line for function in load_suite(suite).functions for line in function.along_lines("float64")[:1]]
    for function in lines:
        expression = to_sympy(function.formula)
        assert not expression.atoms(sympy.Float), function.name
        assert expression.free_symbols <= {variable_symbol(function.formula)}, function.name


@pytest.mark.parametrize(
    "text", ["polylog(-1/2, x)", "uppergamma(1/3, x)", "lowergamma(2 - 1/3, x)", "hyper([-1/2], [1/3, 2*3], x)"]
)
def test_parameters_are_rational_numbers_even_if_nothing_is_evaluated(text):
    written = to_unevaluated_sympy(parse_formula(text))
    assert written.atoms(sympy.Add, sympy.Mul, sympy.Pow) == set()
    assert written == meaning(text)


@pytest.mark.parametrize("order", ["-3", "-1", "0", "1/2", "1", "2", "3"])
def test_polylog_has_sympys_values_and_derivatives(order):
    mine, theirs = meaning(f"polylog({order}, x**2)"), sympy.polylog(sympy.Rational(order), X**2)
    for derivative in range(3):
        with mpmath.workdps(30):
            got, expected = (
                sympy.lambdify(X, sympy.diff(each, X, derivative), "mpmath")(mpmath.mpf(0.5)) for each in (mine, theirs)
            )
            assert mpmath.almosteq(got, expected, 1e-25)


def test_polylog_does_not_simplify_its_argument():
    argument = "+".join(f"sin({i}*x)/(1 + x**{i})" for i in range(1, 7))
    start = time.process_time()
    sympy.diff(meaning(f"polylog(3, {argument})"), X, 2)
    assert time.process_time() - start < 5


def test_incomplete_gammas_that_sympy_writes_out_have_their_values():
    for s in (Fraction(1), Fraction(3), Fraction(5, 2), Fraction(13, 2)):
        upper, lower = meaning(f"uppergamma({s}, x)"), meaning(f"lowergamma({s}, x)")
        assert not upper.has(sympy.uppergamma)
        assert not lower.has(sympy.lowergamma)
        order, x = mpmath.mpf(s.numerator) / s.denominator, mpmath.mpf("0.75")
        with mpmath.workdps(40):
            assert mpmath.almosteq(sympy.lambdify(X, upper, "mpmath")(x), mpmath.gammainc(order, x), 1e-35)
            assert mpmath.almosteq(
                sympy.lambdify(X, lower, "mpmath")(x), mpmath.gamma(order) - mpmath.gammainc(order, x), 1e-35
            )


def test_long_decimals_stay_exact():
    text = "0." + "123456789" * 5
    assert Fraction(str(meaning(text))) == Fraction(text)


def test_a_formula_that_is_too_deep_is_told_from_a_sympy_without_an_end(monkeypatch):
    def endless(x):
        return endless(x)

    monkeypatch.setitem(symbolic._OWN, "log1p", endless)
    with pytest.raises(RecursionError):
        to_sympy(parse_formula("log1p(x)"))
    with pytest.raises(InputError, match=r"'sin\(sin\(.*' has 33 levels, too many for SymPy"):
        to_sympy(parse_formula("sin(" * 31 + "log1p(x)" + ")" * 31))


def test_what_compares_complex_numbers_has_no_meaning():
    with pytest.raises(InputError, match=r"'Max\(acos\(2\), x\)' has no real meaning"):
        to_sympy(parse_formula("Max(acos(2), x)"))


@pytest.mark.parametrize(
    ("build", "owner", "name"),
    [
        (lambda: meaning("x**2 + 1"), symbolic, "_convert"),
        (lambda: to_unevaluated_sympy(parse_formula("x/x")), sympy, "evaluate"),
        (lambda: recentred(X**2, X, Fraction(1)), sympy, "evaluate"),
        (lambda: derived(X**2 + sympy.sin(X) / 17, X, 1), sympy, "diff"),
    ],
    ids=["evaluated", "as written", "recentred", "derived"],
)
def test_no_thread_reads_from_the_cache_what_another_has_not_evaluated(monkeypatch, build, owner, name):
    free = []
    own = getattr(owner, name)

    def try_it():
        free.append(SYMPY.acquire(blocking=False))
        if free[-1]:
            SYMPY.release()

    def watched(*arguments):
        other = Thread(target=try_it)
        other.start()
        other.join()
        return own(*arguments)

    monkeypatch.setattr(owner, name, watched)
    build()
    assert free
    assert not any(free)
