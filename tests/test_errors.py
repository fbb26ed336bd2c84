"""Errors and their exit codes."""

import pytest

from diffbench import DiffbenchError, errors

CODES = {
    "DiffbenchError": 70,
    "InputError": 2,
    "FormulaError": 2,
    "UnsupportedError": 2,
    "EmptySelectionError": 5,
    "UncertainError": 6,
    "StoreError": 74,
}


@pytest.mark.parametrize("name", CODES)
def test_every_error_knows_its_exit_code(name):
    error = getattr(errors, name)
    assert issubclass(error, DiffbenchError)
    assert error.exit_code == CODES[name]


def test_mistakes_of_the_user_are_value_errors():
    kinds = {name for name in CODES if issubclass(getattr(errors, name), ValueError)}
    assert kinds == {"InputError", "FormulaError", "UnsupportedError", "EmptySelectionError"}


@pytest.mark.parametrize(
    ("text", "position", "quoted"),
    [
        ("x+", 2, "'x+'"),
        ("a" * 100, 50, "…'" + "a" * 80 + "'…"),
        ("a" * 100, 0, "'" + "a" * 40 + "'…"),
        ("é\n\x1b", 1, r"'\xe9\n\x1b'"),
    ],
)
def test_a_formula_error_quotes_the_neighbourhood_without_control_characters(text, position, quoted):
    error = errors.FormulaError("wrong", text, position)
    assert str(error) == f"wrong at position {position} of {quoted}"
    assert error.position == position
