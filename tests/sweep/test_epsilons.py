"""Grids of epsilons: exact numbers first, one rounding later."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from diffbench.errors import InputError
from diffbench.rounding import round_to
from diffbench.sweep import epsilons
from diffbench.sweep.epsilons import DEFAULT_EPSILONS, epsilon_texts, expand_epsilons


def test_default_grid_is_the_nearest_doubles_to_quarter_decades():
    values = expand_epsilons(DEFAULT_EPSILONS)
    with localcontext() as context:
        context.prec = 60
        expected = [float(Decimal(10) ** (Decimal(-k) / 4)) for k in range(65)]
    assert [round_to(value, "float64") for value in values] == expected


def test_whole_decades_are_exact():
    values = expand_epsilons(DEFAULT_EPSILONS)
    assert values[::4] == tuple(Fraction(1, 10**k) for k in range(17))


def test_range_of_the_issue_has_both_ends():
    values = expand_epsilons(["1e-1:1e-12:4/decade"])
    assert len(values) == 45
    assert (values[0], values[-1]) == (Fraction(1, 10), Fraction(1, 10**12))


def test_powers_of_two_step_by_octaves_without_being_told():
    assert expand_epsilons(["2^-1:2^-52"]) == tuple(Fraction(1, 2**k) for k in range(1, 53))


def test_two_ends_without_a_density_mean_four_a_decade():
    assert expand_epsilons(["1e-1:1e-3"]) == expand_epsilons(["1e-1:1e-3:4/decade"])


def test_octave_density():
    values = expand_epsilons(["1:1/8:2/octave"])
    assert len(values) == 7
    assert values[::2] == (1, Fraction(1, 2), Fraction(1, 4), Fraction(1, 8))
    assert abs(values[1] ** 2 - Fraction(1, 2)) < Fraction(1, 10**100)


def test_an_end_that_is_not_met_is_left_out():
    assert expand_epsilons(["1:2e-3:1/decade"]) == (1, Fraction(1, 10), Fraction(1, 100))


def test_a_rising_range_starts_exactly_where_it_says():
    assert expand_epsilons(["3e-3:1:1/decade"]) == (Fraction(3, 10), Fraction(3, 100), Fraction(3, 1000))


def test_items_are_sorted_and_counted_once():
    assert expand_epsilons(["1e-5", "1e-3", "0.001", "1e-4:1e-6:1/decade"]) == tuple(
        Fraction(1, 10**k) for k in (3, 4, 5, 6)
    )


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("0.001", ("0.001",)),
        ("1e-3, 1e-4", ("1e-3", "1e-4")),
        (["1e-3", "1:1e-2:1/decade"], ("1e-3", "1:1e-2:1/decade")),
        (Fraction(1, 3), ("1/3",)),
        (0.125, ("0.125",)),
        (1, ("1",)),
        ([0.5, Fraction(1, 7)], ("0.5", "1/7")),
        (np.array([0.5, 0.25]), ("0.5", "0.25")),
    ],
)
def test_everything_becomes_texts(given, texts):
    assert epsilon_texts(given) == texts


def test_a_float_means_its_binary_value():
    (text,) = epsilon_texts(0.1)
    assert expand_epsilons([text]) == (Fraction(0.1),)
    assert Fraction(0.1) != Fraction(1, 10)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0", "0 is not positive"),
        ("0.0", "0.0 is not positive"),
        ("-1e-3", "-1e-3 is not positive"),
        ("1e-3:0", "0 is not positive"),
        ("1:-1:4/decade", "-1 is not positive"),
        ("abc", "'abc'"),
        ("nan", "'nan'"),
        ("inf", "'inf'"),
        ("", "''"),
        ("1e-1:1e-3:4/century", "'4/century' is not N/decade or N/octave"),
        ("1e-1:1e-3:0/decade", "'0/decade' is not N/decade or N/octave"),
        ("1:2:3:4", "is not a number or start:end"),
        ("1e999999", "exponent beyond"),
        ("1:1e-300:9999/decade", "more than 2000 values"),
    ],
)
def test_what_is_no_epsilon_is_refused_with_the_value(text, says):
    with pytest.raises(InputError, match="epsilon") as caught:
        epsilon_texts([text])
    assert says in str(caught.value)


def test_no_epsilons_at_all_are_refused():
    with pytest.raises(InputError, match="there is none"):
        epsilon_texts([])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, {"a": 1}, None])
def test_numbers_that_are_none_are_refused(value):
    with pytest.raises(InputError, match="epsilon"):
        epsilon_texts(value)


def test_upward_downward_and_overlapping_ranges_come_largest_first_and_each_value_once():
    upward, downward = expand_epsilons(["1e-3:1e-1:7/decade"]), expand_epsilons(["1e-1:1e-3:7/decade"])
    for values in (upward, downward, both := expand_epsilons(["1e-3:1e-1:7/decade", "1e-2:1e-4:7/decade"])):
        assert list(values) == sorted(set(values), reverse=True)
    assert len(upward) == len(downward) == 15
    assert set(upward) < set(both)


@pytest.mark.parametrize("items", [["3:2e-16:99/decade"], ["3:2e-3", "3e-1:2e-9", "0.25"]])
def test_no_fraction_is_hashed(items, monkeypatch):
    def refuse(_):
        raise AssertionError("a fraction is hashed, which takes longer than to make it")

    monkeypatch.setattr(Fraction, "__hash__", refuse)
    assert len(expand_epsilons(items)) > 30


def test_a_range_that_is_named_often_is_worked_out_once(monkeypatch):
    asked = []
    expand = epsilons._expand
    monkeypatch.setattr(epsilons, "_expand", lambda text: [asked.append(text), expand(text)][1])
    assert expand_epsilons(["1:1e-20:3/decade", "0.7"] * 500) == expand_epsilons(["1:1e-20:3/decade", "0.7"])
    assert asked == ["1:1e-20:3/decade", "0.7"] * 2


def test_ranges_that_say_the_same_over_and_over_are_refused():
    with pytest.raises(InputError, match="epsilon: more than 10000 values in ranges that overlap"):
        expand_epsilons([f"1:1e-{k}:1/decade" for k in range(1, 200)])
