"""Rules that choose epsilon."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbench.dtypes import PLAIN
from diffbench.errors import InputError
from diffbench.rounding import unit_roundoff
from diffbench.schemes.scheme import catalogue, parse_scheme
from diffbench.schemes.step_rules import RULES, USUAL, find_rule

SCHEMES = [scheme for m in (1, 2, 3, 4) for scheme in catalogue(m)]


@given(st.sampled_from(SCHEMES), st.sampled_from(PLAIN), st.floats(-60, 60, width=16))
def test_the_usual_epsilon_is_that_power_of_u_and_representable(scheme, dtype, point):
    x = np.array([point], dtype=dtype)
    epsilon = USUAL.choose(scheme, x)
    assert epsilon.dtype == dtype
    assert epsilon.shape == x.shape
    u = unit_roundoff(dtype)
    power = 1 / (scheme.derivative + scheme.order) if scheme.cancels else 1
    wanted = u**power * max(1, abs(point))
    spacing = float(np.spacing(np.abs(x) + np.array([wanted], dtype=dtype))[0]) if scheme.cancels else 2 * u * wanted
    assert abs(float(epsilon[0]) - wanted) <= spacing + (4 * u + 1e-14) * wanted
    if scheme.cancels:
        assert (x + epsilon - x).tolist() == epsilon.tolist()
        assert x + epsilon != x


def test_known_values():
    one = np.array([1.0])
    assert USUAL.choose(parse_scheme("forward-1"), one)[0] == pytest.approx(2**-26.5, rel=1e-7)
    assert USUAL.choose(parse_scheme("central-2"), one)[0] == pytest.approx(2 ** (-53 / 3), rel=1e-10)
    assert USUAL.choose(parse_scheme("complex-step"), one)[0] == 2.0**-53
    assert USUAL.choose(parse_scheme("complex-step"), np.array([-1e6]))[0] == 1e6 * 2.0**-53


def test_points_are_judged_one_by_one():
    x = np.array([0.0, 1.0, -3.0, 1e6])
    together = USUAL.choose(parse_scheme("central-4"), x)
    assert together.tolist() == [USUAL.choose(parse_scheme("central-4"), x[i : i + 1])[0] for i in range(4)]
    assert math.isclose(together[3] / together[1], 1e6, rel_tol=1e-6)


def test_rules_are_found_by_name():
    assert find_rule("usual") is USUAL
    assert len({rule.name for rule in RULES}) == len(RULES)
    with pytest.raises(InputError, match="rule: 'best' is not one of usual"):
        find_rule("best")


def test_fixed_epsilons_are_read_from_their_names():
    rule = find_rule("fixed(2^-20)")
    assert rule.name == "fixed(2^-20)"
    assert rule is find_rule(" fixed( 2^-20 ) ")
    x = np.array([0.0, 5.0, -1e6], dtype=np.float32)
    assert rule.choose(parse_scheme("central-4"), x).tolist() == [2.0**-20] * 3
    assert rule.choose(parse_scheme("central-4"), x).dtype == np.float32
    third = find_rule("fixed(1/3)").choose(parse_scheme("forward-1"), np.zeros(1))
    assert Fraction(third[0]) != Fraction(1, 3)
    assert third[0] == 1 / 3


@pytest.mark.parametrize("name", ["fixed(0)", "fixed(-1e-3)", "fixed(x)", "fixed()", "fixed(1e-3", "cube-u"])
def test_what_is_no_rule_is_refused(name):
    with pytest.raises(InputError, match=r"^rule: "):
        find_rule(name)


@pytest.mark.parametrize(("name", "degree"), [("sqrt-u", 2), ("cbrt-u", 3)])
@pytest.mark.parametrize("dtype", PLAIN)
def test_roots_of_u_and_what_they_are_multiplied_by(name, degree, dtype):
    x = np.array([0.0, 0.25, -3.0, 77.0], dtype=dtype)
    root, scheme = unit_roundoff(dtype) ** (1 / degree), parse_scheme("forward-1")
    close = {"rtol": 4 * float(np.finfo(dtype).eps)}
    chosen = {
        suffix: find_rule(name + suffix).choose(scheme, x).astype(float)
        for suffix in ("", "-relative", "-max1", "-max1-representable")
    }
    np.testing.assert_allclose(chosen[""], root, **close)
    np.testing.assert_allclose(chosen["-relative"], root * np.abs(x.astype(float)), **close)
    np.testing.assert_allclose(chosen["-max1"], root * np.maximum(np.abs(x.astype(float)), 1), **close)
    rounded = find_rule(f"{name}-max1-representable").choose(scheme, x)
    assert ((x + rounded) - x).tolist() == rounded.tolist()
    np.testing.assert_allclose(rounded.astype(float), chosen["-max1"], atol=float(np.spacing(x).max()))


def test_the_usual_rule_is_a_power_of_u_made_representable():
    x = np.array([0.3, 4.0])
    scheme = parse_scheme("central-4")
    plain = find_rule("power-u-max1").choose(scheme, x)
    assert USUAL.choose(scheme, x).tolist() == ((x + plain) - x).tolist()
    np.testing.assert_allclose(find_rule("power-u").choose(scheme, x), 2.0 ** (-53 / 5), rtol=1e-14)
