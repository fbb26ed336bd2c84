"""Published searches for epsilon: what their papers promise, recomputed from f; and what they ask of f."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbench.dtypes import PLAIN
from diffbench.rounding import unit_roundoff
from diffbench.schemes.scheme import catalogue, parse_scheme
from diffbench.schemes.searches import noise_test
from diffbench.schemes.stencil import Stencil
from diffbench.schemes.step_rules import ADAPTIVE_RULES, find_rule

U = unit_roundoff("float64")
POINTS = (0.1, 1.0, -1.7, 3.0, 20.0)

EXAMPLES = {
    "exp": (np.exp, mpmath.exp),
    "sin": (lambda x: np.sin(x + 0.3), lambda x: mpmath.sin(x + mpmath.mpf(0.3))),
    "quartic": (lambda x: (x * x + 1) * (x * x + 1), lambda x: (x * x + 1) ** 2),
    "runge": (lambda x: 1 / (1 + x * x), lambda x: 1 / (1 + x * x)),
    "scaled": (lambda x: np.exp(-x / 1024), lambda x: mpmath.exp(-x / 1024)),
}

SERVED = {
    "curtis-reid": ("forward-1", "central-2"),
    "gill-murray-saunders-wright": ("forward-1",),
    "dumontet-vignes": ("central-2",),
    "stepleman-winarsky": ("central-2",),
    "shi-xie-xuan-nocedal": ("forward-1", "backward-1", "central-2", "central-4", "forward-2", "central-2-d2"),
    "mathur": ("forward-1", "backward-1", "central-2", "central-4", "richardson(central-2)"),
}
PAIRS = [(rule, scheme) for rule, schemes in SERVED.items() for scheme in schemes]
RELATIVE = ("curtis-reid", "dumontet-vignes", "stepleman-winarsky", "mathur")
"""Rules that are told the precision of f as a relative one."""


class Counting:
    """f that counts the values it is asked for."""

    def __init__(self, f):
        self.f, self.values = f, 0

    def __call__(self, nodes):
        self.values += nodes.size
        return self.f(nodes)


def choose(rule, scheme, f, points=POINTS, dtype="float64"):
    return find_rule(rule).choose(parse_scheme(scheme), np.array(points, dtype=dtype), f)


def one(rule, scheme, f, x=1.0):
    choice = choose(rule, scheme, f, [x])
    return float(choice.epsilon[0]), choice.failures[0]


def derivative(exact, x, n):
    with mpmath.workdps(60):
        return float(mpmath.diff(exact, mpmath.mpf(x), n))


# what they ask of f ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "scheme"), PAIRS)
@pytest.mark.parametrize("dtype", PLAIN)
def test_evaluations_are_what_f_was_asked_for(rule, scheme, dtype):
    for name, (f, _) in EXAMPLES.items():
        counting = Counting(f)
        choice = choose(rule, scheme, counting, dtype=dtype)
        assert choice.evaluations.sum() == counting.values, name
        assert (choice.evaluations > 0).all()
        assert choice.epsilon.dtype == dtype


@pytest.mark.parametrize(("rule", "scheme"), PAIRS)
def test_points_do_not_depend_on_each_other(rule, scheme):
    for f, _ in EXAMPLES.values():
        together = choose(rule, scheme, f)
        for i, point in enumerate(POINTS):
            alone = choose(rule, scheme, f, [point])
            assert together.epsilon[i].tobytes() == alone.epsilon[0].tobytes()
            assert together.evaluations[i] == alone.evaluations[0]
            assert together.failures[i] == alone.failures[0]


@pytest.mark.parametrize("rule", ADAPTIVE_RULES, ids=lambda rule: rule.name)
def test_schemes_that_a_rule_does_not_serve_are_refused_without_a_look(rule):
    counting = Counting(np.exp)
    for m in (1, 2):
        for scheme in catalogue(m):
            choice = rule.choose(scheme, np.ones(2), counting)
            if scheme.name in SERVED[rule.name]:
                assert not rule.refuse(scheme)
            if rule.refuse(scheme):
                assert choice.failures == (rule.refuse(scheme),) * 2
                assert np.isnan(choice.epsilon).all()
                assert not choice.evaluations.any()
    assert rule.refuse(parse_scheme("complex-step"))


@pytest.mark.parametrize(("rule", "scheme"), PAIRS)
def test_where_f_has_no_value_a_rule_says_that_it_failed(rule, scheme):
    epsilon, failure = one(rule, scheme, lambda x: np.full_like(x, np.nan))
    assert np.isnan(epsilon)
    assert failure


@pytest.mark.parametrize(("rule", "scheme"), PAIRS)
def test_constants_are_failures_by_the_rules_own_account(rule, scheme):
    for value in (0.0, 1.0):
        # Of a function that is 0 no digits can be lost.
        if value or rule != "stepleman-winarsky":
            assert one(rule, scheme, lambda x, value=value: np.full_like(x, value))[1]


@pytest.mark.parametrize(
    ("rule", "scheme"), [pair for pair in PAIRS if pair[0] not in {"stepleman-winarsky", "shi-xie-xuan-nocedal"}]
)
def test_straight_lines_are_failures_by_the_rules_own_account(rule, scheme):
    """The other two are content: of a straight line the changes of the quotient, and noise at a large step, rise."""
    assert one(rule, scheme, lambda x: 3 * x + 1)[1]


@pytest.mark.parametrize(("rule", "scheme"), PAIRS)
def test_f_need_not_exist_beyond_a_point_nearby(rule, scheme):
    """On (0, oo) near its end: the first step of every rule leads outside."""
    choice = choose(rule, scheme, lambda x: np.where(x > 0, np.log(np.maximum(x, 1e-300)), np.nan), [1e-3])
    if not choice.failures[0]:
        assert choice.epsilon[0] < 1e-3


# what their papers promise --------------------------------------------------------------------------------------------


def size_of_optimum(scheme, exact, x):
    """Return the epsilon with the least |C f^(m+p)| ε^p + u |f| Σ|w| / ε^m."""
    stencil = parse_scheme(scheme).equivalent_stencil
    m, p = stencil.derivative, int(stencil.order)
    truncation = abs(float(stencil.error_constant) * derivative(exact, x, m + p))
    rounding = U * abs(float(exact(mpmath.mpf(x)))) * float(sum(map(abs, stencil.weights)))
    return (m * rounding / (p * truncation)) ** (1 / (m + p))


@pytest.mark.parametrize(("rule", "scheme"), PAIRS)
def test_exp_at_1_gets_about_the_epsilon_of_the_error_model(rule, scheme):
    epsilon, failure = one(rule, scheme, np.exp)
    # Curtis and Reid aim at the forward quotient's truncation; Dumontet and Vignes take a quarter of the digits away.
    factor = {"curtis-reid": 60, "dumontet-vignes": 20}.get(rule, 8)
    assert not failure
    assert 1 / factor < epsilon / size_of_optimum(scheme, mpmath.exp, 1.0) < factor


@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_curtis_and_reid_keep_the_ratio_between_10_and_1000(name, x):
    f = EXAMPLES[name][0]
    h, failure = one("curtis-reid", "central-2", f, x)
    low, centre, high = f(np.array([x - h, x, x + h]))
    truncation = abs((high - centre) / h - (high - low) / (2 * h))
    rounding = U * max(abs(low), abs(high)) / h
    # Differences of quotients round, by no more than a part of the rounding that is compared with.
    assert bool(failure) == (not 9 < truncation / rounding < 1010)


@pytest.mark.parametrize("x", POINTS)
def test_curtis_and_reid_reach_the_ratio_100_by_one_step(x):
    """Truncation |f″| h/2 is 100 times rounding u |f|/h at h² = 200 u |f/f″|."""
    h, failure = one("curtis-reid", "forward-1", np.exp, x)
    assert not failure
    assert h == pytest.approx((200 * U) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize("name", ["exp", "quartic", "sin"])
def test_gill_murray_saunders_and_wright_find_f2_to_a_tenth(name, x):
    f, exact = EXAMPLES[name]
    h, _ = one("gill-murray-saunders-wright", "forward-1", f, x)
    noise = U * (1 + abs(float(f(np.array([x]))[0])))
    wanted = 2 * np.sqrt(noise / abs(derivative(exact, x, 2)))
    assert h == pytest.approx(wanted, rel=0.15)


@pytest.mark.parametrize("x", POINTS[:4])
def test_gill_murray_saunders_and_wright_bound_their_error(x):
    f, exact = EXAMPLES["exp"]
    h, failure = one("gill-murray-saunders-wright", "forward-1", f, x)
    values = f(np.array([x, x + h]))
    estimate, noise = (values[1] - values[0]) / h, U * (1 + abs(values[0]))
    bound = h * abs(derivative(exact, x, 2)) / 2 + 2 * noise / h
    assert not failure
    assert abs(estimate - derivative(exact, x, 1)) < 1.2 * bound < abs(estimate)


@pytest.mark.parametrize(
    ("f", "x", "failure"),
    [
        (np.ones_like, 1.0, "f appears to be nearly constant"),
        (lambda x: 3 * x, 1.0, "f appears to be odd or nearly linear"),
        (np.sin, 0.0, "f appears to be odd or nearly linear"),
        (lambda x: np.abs(x - 1), 1.0, "the second derivative seems to grow as the step falls"),
        (lambda x: x * x, 0.0, "the error bound exceeds half of the estimate"),
    ],
)
def test_gill_murray_saunders_and_wright_name_what_they_cannot_do(f, x, failure):
    h, said = one("gill-murray-saunders-wright", "forward-1", f, x)
    assert said == failure
    assert h > 0


def test_gill_murray_saunders_and_wright_take_the_first_sound_step_for_a_line():
    """That is 10 · 2 (1 + |x|) √(ε_A / (1 + |f|)) = 20 (1 + |x|) √u."""
    h, _ = one("gill-murray-saunders-wright", "forward-1", lambda x: 3 * x, 3.0)
    assert h == pytest.approx(80 * U**0.5)


def test_gill_murray_saunders_and_wright_want_both_first_differences_to_be_sound():
    """A jump of 60 u at 1, where ε_A is 2 u: condition errors are 4/60 ahead, infinite behind, 8/60 of the second."""
    h, failure = one("gill-murray-saunders-wright", "forward-1", lambda x: np.where(x > 1, 1 + 60 * U, 1.0))
    assert failure == "f appears to be nearly constant"
    assert h == pytest.approx(4 * U**0.5)


@pytest.mark.parametrize("x", [0.1, 1.3, -1.7, 3.0, 20.0])
@pytest.mark.parametrize("name", EXAMPLES)
def test_dumontet_and_vignes_know_f3_within_their_bounds(name, x):
    """Bounds of a ratio from 2 to 15 are at most 7/8 off their middle: f‴ is then 8/15 to 8 times that."""
    f, exact = EXAMPLES[name]
    h, failure = one("dumontet-vignes", "central-2", f, x)
    value, third = float(exact(mpmath.mpf(x))), derivative(exact, x, 3)
    wanted = (1.67 * U**0.75 * abs(value / third)) ** (1 / 3)
    assert not failure
    assert 0.75 < h / wanted < 2.1


def test_dumontet_and_vignes_have_no_epsilon_without_a_third_derivative():
    for f in (lambda x: x * x + 1, lambda x: 0 * x):
        epsilon, failure = one("dumontet-vignes", "central-2", f)
        assert np.isnan(epsilon)
        assert failure


@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_stepleman_and_winarsky_stop_where_the_changes_rise(name, x):
    f = EXAMPLES[name][0]
    h, failure = one("stepleman-winarsky", "central-2", f, x)
    steps = h * np.array([4.0, 1.0, 0.25])
    quotients = (f(x + steps) - f(x - steps)) / (2 * steps)
    before, after = np.abs(np.diff(quotients))
    assert not failure
    assert after > before or after == 0


@pytest.mark.parametrize("x", POINTS[:4])
@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize(
    ("scheme", "nodes", "weights"),
    [("forward-1", [4, 1, 0], [1, -4, 3]), ("central-2", [3, 1, -1, -3], [1, -3, 3, -1])],
)
def test_shi_and_others_keep_the_published_ratio_between_three_halves_and_6(scheme, nodes, weights, name, x):
    """The ratios of the paper are |f(x+4h) − 4f(x+h) + 3f(x)| / 8ε and |f(x+3h) − 3f(x+h) + …| / 8ε."""
    f = EXAMPLES[name][0]
    h, failure = one("shi-xie-xuan-nocedal", scheme, f, x)
    noise = U * (1 + abs(f(np.array([x]))[0]))
    ratio = abs(f(x + h * np.array(nodes)) @ np.array(weights, float)) / (8 * noise)
    assert not failure
    assert 1.4 < ratio < 6.1


def test_the_published_alphas_follow_from_the_ratio_3_at_the_best_step():
    forward, central = noise_test(Stencil.forward()), noise_test(Stencil.central())
    assert forward.alpha == pytest.approx(4)
    assert forward.first == pytest.approx(2 / 3**0.5)
    assert central.alpha == pytest.approx(3)
    assert noise_test(Stencil.backward()).alpha == pytest.approx(4)


@pytest.mark.parametrize("scheme", ["forward-1", "central-2", "forward-3", "central-8", "central-2-d2", "central-4-d4"])
def test_the_numerator_of_the_ratio_vanishes_as_the_truncation_error(scheme):
    """Σ w (kh)^j is 0 below m + p: the ratio sees the leading error and noise, nothing else."""
    stencil = parse_scheme(scheme).equivalent_stencil
    test = noise_test(stencil)
    total = stencil.derivative + int(stencil.order)
    for power in range(total):
        moment = (test.weights * test.offsets**power).sum()
        assert abs(moment) < 1e-12 * (np.abs(test.weights) * np.abs(test.offsets) ** power).sum()
    assert abs((test.weights * test.offsets**total).sum()) > 1e-3


@pytest.mark.parametrize("scheme", SERVED["mathur"])
@pytest.mark.parametrize("name", ["exp", "sin"])
@pytest.mark.parametrize("x", POINTS[:4])
def test_mathur_finds_the_foot_of_the_truncation_error(x, name, scheme):
    f, exact = EXAMPLES[name]
    epsilon, failure = one("mathur", scheme, f, x)
    assert not failure
    # The last valid step is a power of 2 above the foot, and noise is not always as large as its bound.
    assert 1 / 5 < epsilon / size_of_optimum(scheme, exact, x) < 8


def test_mathur_wants_more_than_one_valid_slope():
    """(x − 1)² down to 0.2 beyond 1, a straight line before: the quotients are 1, 1/2, 1/4, 1/5, 1/5."""
    _, failure = one("mathur", "forward-1", lambda x: (x - 1) * np.maximum(x - 1, 0.2))
    assert failure


def test_mathur_does_not_believe_a_kink():
    _, failure = one("mathur", "central-4", lambda x: np.abs(x - 1))
    assert failure == "the truncation error nowhere falls as the power 4 of the step"


# laws -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "scheme"), [pair for pair in PAIRS if pair[0] in RELATIVE])
@given(power=st.integers(-40, 40), x=st.sampled_from(POINTS), name=st.sampled_from(sorted(EXAMPLES)))
def test_f_in_another_binary_unit_gets_the_same_epsilon(rule, scheme, power, x, name):
    f = EXAMPLES[name][0]
    assert one(rule, scheme, f, x) == one(rule, scheme, lambda nodes: f(nodes) * 2.0**power, x)


@pytest.mark.parametrize(("rule", "scheme"), [pair for pair in PAIRS if pair[0] in RELATIVE])
@given(power=st.integers(1, 20), x=st.sampled_from([1.0, 1.7, -3.0]), name=st.sampled_from(sorted(EXAMPLES)))
def test_x_in_another_binary_unit_gets_the_same_epsilon_in_that_unit(rule, scheme, power, x, name):
    f, unit = EXAMPLES[name][0], 2.0**power
    epsilon, failure = one(rule, scheme, f, x)
    there, also = one(rule, scheme, lambda nodes: f(nodes / unit), x * unit)
    # A cube root of 8 a is twice that of a to a rounding.
    assert (there / unit, also) == (pytest.approx(epsilon, rel=4 * U), failure)


@pytest.mark.parametrize("rule", RELATIVE)
@given(x=st.floats(0.1, 30), name=st.sampled_from(["exp", "runge", "quartic"]))
def test_a_mirror_changes_nothing_for_a_central_scheme(rule, x, name):
    f = EXAMPLES[name][0]
    here, there = one(rule, "central-2", f, x), one(rule, "central-2", lambda nodes: f(-nodes), -x)
    assert here[0] == pytest.approx(there[0], rel=1e-9, nan_ok=True)
    assert here[1] == there[1]
