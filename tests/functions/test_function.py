"""Functions: exact points inside a domain, and whose code is measured."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from diffbench import Function, parse_formula
from diffbench.errors import FormulaError, InputError
from diffbench.functions.domain import REAL_LINE, parse_domain
from diffbench.functions.function import is_array_of


def test_points_are_exact():
    function = Function("f", "x", points=["0.1", "1/3", 2, Fraction(1, 7), 0.1, np.float32(0.1)])
    assert function.points[:4] == (Fraction(1, 10), Fraction(1, 3), 2, Fraction(1, 7))
    assert function.points[4] == Fraction(0.1) != Fraction(1, 10)
    assert function.points[5] == Fraction(float(np.float32(0.1)))
    assert Function("f", "x", points=np.array([0.5, 0.25])).points == (Fraction(1, 2), Fraction(1, 4))


def test_what_is_not_said_has_defaults():
    function = Function("f", "w**2", ["3"])
    assert (function.domain, function.tags, function.source, function.printed) == (REAL_LINE, (), "", ())
    assert function.formula == parse_formula("w**2")
    assert str(function) == "f: w**2"


def test_parsed_formulas_and_domains_are_taken_as_they_are():
    formula, domain = parse_formula("1/x"), parse_domain("(0, oo)")
    function = Function("f", formula, [1], domain=domain)
    assert function.formula is formula
    assert function.domain is domain


def test_a_function_is_frozen_and_compares_by_value():
    one, two = (Function("f", "x", ["1"], tags=["a"]) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != Function("f", "x", ["2"], tags=["a"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "g"


def test_pytest_does_not_collect_it():
    assert not Function.__name__.startswith("Test")


@pytest.mark.parametrize(
    ("point", "domain"), [("0", "(0, oo)"), ("-1", "[0, 1]"), (1, "(0, 1)"), ("1.58", "(0, pi/2)")]
)
def test_a_point_outside_the_domain_is_named(point, domain):
    with pytest.raises(InputError, match=f"point: {point} is outside the domain .* of f"):
        Function("f", "x", ["0.5" if domain != "(0, oo)" else "1", point], domain=domain)


@pytest.mark.parametrize("points", [[], (), "3", None, 3, iter(["1"])])
def test_points_must_be_a_list_that_is_not_empty(points):
    with pytest.raises(InputError, match=r"^points: "):
        Function("f", "x", points)


@pytest.mark.parametrize("point", ["x", "nan", float("nan"), float("inf"), None, [1], "1/0"])
def test_points_must_be_finite_numbers(point):
    with pytest.raises(InputError, match=r"^point of f: "):
        Function("f", "x", [point])


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[31m", "n" * 201])
def test_names_must_be_printable(name):
    with pytest.raises(InputError, match="the name"):
        Function(name, "x", ["1"])


def test_a_formula_that_does_not_parse_is_refused():
    with pytest.raises(FormulaError, match="position 2"):
        Function("f", "x+", ["1"])


def test_the_users_own_code_is_measured_in_place_of_the_formula():
    def own(x):
        return x * x

    function = Function("f", "x**2", ["3"], evaluate=own)
    assert function.compile("float32") is own
    assert function.compile("complex128") is own


def test_without_own_code_the_formula_is_compiled():
    x = np.array([1e-10])
    assert Function("f", "(1 + x) - 1", ["1"]).compile("float64")(x)[0] == (1 + 1e-10) - 1


def test_an_answer_must_be_an_array_of_shape_and_dtype():
    assert is_array_of(np.ones(3), (3,), "float64")
    assert not is_array_of(np.ones(3), (3,), "float32")
    assert not is_array_of(np.ones((3, 1)), (3,), "float64")
    assert not is_array_of([1.0, 1.0, 1.0], (3,), "float64")
    assert not is_array_of(np.float64(1), (), "float64")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"evaluate": 7}, "evaluate: 7 of f cannot be called"),
        ({"tags": "smooth"}, "tags: 'smooth' of f is not a list"),
        ({"printed": {1, 2}}, "printed: {1, 2} of f is not a list"),
    ],
)
def test_what_is_no_part_of_a_function_is_refused_by_name(options, says):
    with pytest.raises(InputError) as found:
        Function("f", "x", ["1"], **options)
    assert str(found.value) == says
