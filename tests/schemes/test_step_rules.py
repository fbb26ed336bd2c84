"""Rules that choose epsilon."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbench.errors import InputError
from diffbench.rounding import DTYPES, unit_roundoff
from diffbench.schemes.scheme import catalogue, parse_scheme
from diffbench.schemes.step_rules import RULES, USUAL, find_rule

SCHEMES = [scheme for m in (1, 2, 3, 4) for scheme in catalogue(m)]


@given(st.sampled_from(SCHEMES), st.sampled_from(DTYPES), st.floats(-60, 60, width=16))
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
