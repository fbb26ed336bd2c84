"""Other bounds in a spec: which curves they are for, what they must say, and that a run keeps them."""

import pytest

from diffbench import Spec
from diffbench.errors import InputError
from diffbench.sweep.bounds import Bounds, Override, bounds_for

TABLE = {"function": "exp*", "scheme": "central-*", "quarters": 12, "reason": "measured 11 on another platform"}


def test_a_curve_has_the_default_bounds_unless_an_override_matches_in_every_glob():
    overrides = (Override.from_table(TABLE),)
    assert bounds_for(overrides, ("exp", 1, "float64", "central-2")) == Bounds(quarters=12.0)
    for other in (("sin", 1, "float64", "central-2"), ("exp", 1, "float64", "forward-1")):
        assert bounds_for(overrides, other) == Bounds()


def test_the_last_match_wins_field_by_field():
    tables = (TABLE, TABLE | {"quarters": 3, "optimum": 1}, {"optimum": 2, "reason": "x"})
    found = bounds_for(tuple(map(Override.from_table, tables)), ("exp", 1, "float64", "central-2"))
    assert found == Bounds(quarters=3.0, optimum=2.0)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({**TABLE, "reason": ""}, "need a reason"),
        ({"quarters": 3}, "need a reason"),
        ({"reason": "x"}, "none of optimum, usual, truncation, ceiling, quarters, ignore is given"),
        ({**TABLE, "quarters": -1}, "quarters = -1 is no number from 0 on"),
        ({**TABLE, "quarters": float("nan")}, "quarters = nan is no number"),
        ({**TABLE, "quarters": True}, "quarters = True is no number"),
        ({**TABLE, "ignore": 1}, "ignore = 1 is neither true nor false"),
        ({**TABLE, "function": 1.5}, "function = 1.5 is no glob"),
        ({**TABLE, "functions": "x"}, "functions"),
        ("x", "'x' is no table"),
    ],
)
def test_what_an_override_must_say(table, words):
    with pytest.raises(InputError, match="gate") as error:
        Spec("lab", gate=[table])
    assert words in str(error.value)


def test_a_spec_keeps_its_overrides():
    spec = Spec("lab", gate=[TABLE, {"derivative": 2, "ignore": True, "reason": 'a "quoted" one'}])
    again = Spec.from_text(spec.to_toml())
    assert again.gate == spec.gate
    assert again.sha256 == spec.sha256 != Spec("lab").sha256
