"""Functions of several variables, and what they are along their lines."""

from fractions import Fraction

import numpy as np
import pytest

from diffbench import Function, exact_derivative, parse_formula
from diffbench.errors import FormulaError, InputError
from diffbench.functions.lines import Line, formula_along
from diffbench.functions.symbolic import to_sympy

TEXT = "x**2*y + sin(y)"
SADDLE = Function("saddle", TEXT, [{"x": "0.1", "y": 2}, {"y": -3, "x": "1/3"}])


def test_points_are_lists_or_tables_and_give_a_row_for_each_variable() -> None:
    same = Function("saddle", TEXT, [["0.1", 2], ["1/3", -3]], variables=("x", "y"))
    assert same == SADDLE
    assert SADDLE.points == (Fraction(1, 10), 2, Fraction(1, 3), -3)
    assert [line.direction(("x", "y")) for line in SADDLE.lines] == ["x", "y", "x", "y"]
    assert SADDLE.vectors == ((Fraction(1, 10), 2), (Fraction(1, 3), -3))


def test_a_line_has_the_other_coordinates_as_numbers_of_the_dtype() -> None:
    along = SADDLE.line(1, "float32")
    assert along.points == (2,)
    assert along.formula.variable == "y"
    tenth = Fraction(float(np.float32(0.1)))
    y = np.array([2.0, 0.5], dtype=np.float32)
    expected = np.float32(tenth) ** 2 * y + np.sin(y)
    np.testing.assert_array_equal(along.compile("float32")(y), expected)
    assert exact_derivative(along, 2).value == pytest.approx(float(tenth) ** 2 + np.cos(2.0), rel=1e-15)


def test_a_mixed_partial_derivative_is_a_second_one_along_its_line() -> None:
    mixed = SADDLE.mixed
    assert [line.direction(("x", "y")) for line in mixed.lines] == ["x,y", "x,y"]
    assert mixed.points == (0, 0)
    third = float(Fraction(1 / 3))
    assert exact_derivative(mixed.line(1, "float64"), 0, 2).hi == 2 * third


def test_own_code_is_given_an_array_for_each_variable() -> None:
    own = Function("saddle", TEXT, [["0.1", "2"]], variables="xy", evaluate=lambda x, y: x**2 * y + np.sin(y))
    t = np.array([0.25, -0.5, 0.0])
    for function, row in ((own, 0), (own, 1), (own.mixed, 0)):
        twin = (SADDLE.mixed if function is not own else SADDLE).line(row, "float64")
        np.testing.assert_array_equal(function.line(row, "float64").compile("float64")(t), twin.compile("float64")(t))


def test_where_a_coordinate_overflows_so_does_the_point() -> None:
    (far,) = Function("far", "x*y", [[1, 10**6]], variables=("x", "y")).line(0, "float16").points
    assert far > 10**1000


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        ([["1"]], {"variables": ("x", "y")}, "no list of a number for each of x, y"),
        (["1"], {"variables": ("x", "y")}, "no list of a number for each of x, y"),
        ([{"x": 1, "y": 2}, {"x": 1}], {}, "has not the variables x, y"),
        ([[1, 2], ["1", "2.0"]], {"variables": ("x", "y")}, "given twice"),
        ([[1, 2]], {"variables": ("x", "x")}, "names none, or one twice"),
        ([[1, 2]], {"variables": ("x", "sin")}, "reserved"),
        ([[1, 2]], {"variables": ("x", "y"), "domain": "[0, 3]"}, "can have no domain"),
        ([[1, 2]], {"variables": ("x", "y"), "noise": "relative 1e-6"}, "can have no domain, printed numbers or noise"),
    ],
)
def test_what_is_no_point_is_refused(points: list[object], options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Function("f", "x*y", points, **options)


def test_a_variable_that_is_not_declared_is_refused() -> None:
    with pytest.raises(FormulaError, match="'z' is none of x, y"):
        parse_formula("x*z", ("x", "y"))


def test_what_needs_one_variable_refuses_several() -> None:
    for ask in (lambda: exact_derivative(SADDLE, 1), lambda: to_sympy(SADDLE.formula)):
        with pytest.raises(InputError, match="has the variables x, y; only one"):
            ask()
    with pytest.raises(InputError, match="only its lines can be computed"):
        SADDLE.compile("float64")


def test_numbers_in_the_place_of_variables_pass_no_bound() -> None:
    tower = parse_formula("x*2**y", ("x", "y"))
    with pytest.raises(FormulaError, match="exponent beyond"):
        formula_along(tower, Line((Fraction(1), Fraction(10) ** 9), (0,)))


def test_python_is_told_of_variables_without_numbers_and_of_numbers_without_variables():
    with pytest.raises(
        InputError, match="'x\\*y' has the variables x, y; a point needs a number for each, by variable"
    ):
        Function("f", "x*y", ["1"])
    with pytest.raises(InputError, match="point: 'z' is no variable of 'x\\*y'"):
        Function("f", "x*y", [{"x": 1, "y": 2, "z": 3}])
    assert Function("f", "x*y", [[1, 2, 3]], variables=("x", "y", "z")).formula.variables == ("x", "y", "z")
