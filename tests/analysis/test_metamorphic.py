"""Changes of a function that change nothing essential: what is exact, what holds, and which rules fail."""

import numpy as np
import pytest

from diffbench import Function, Spec, exact_derivative, parse_formula, run
from diffbench.analysis.metamorphic import (
    RELATIONS,
    Relation,
    metamorphic,
    metamorphic_rows,
    relation_rows,
    transformed,
)
from diffbench.errors import InputError
from diffbench.functions.suites import load_suite
from diffbench.rounding import unit_roundoff
from diffbench.schemes.step_rules import StepRule

POINTS = ["0.5", "0.7", "0.9", "1.1", "1.3", "1.7", "2.1"]
SMOOTH = [
    Function("exp", "exp(x)", POINTS),
    Function("wave", "sin(x) + 2*cos(2*x)", POINTS),
    Function("ratio", "1/(1 + x**2)", POINTS),
]
SCHEMES = ["forward-1", "central-2", "central-4"]
X_UP, X_DOWN = Relation("x", "2^20"), Relation("x", "2^-20")
LAST = {relation.kind: relation for relation in RELATIONS}
ONE_OF_A_KIND_QUICK = [
    pytest.param(relation, marks=() if relation in LAST.values() else pytest.mark.slow) for relation in RELATIONS
]


# the functions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("relation", RELATIONS, ids=str)
@pytest.mark.parametrize(
    ("formula", "domain", "points"),
    [
        ("exp(x)*sin(x)/x", "(0, oo)", ["1/3", "2"]),
        ("2e5*e**2 - e", None, ["0.1", "-3"]),
        ("Piecewise((0, x <= 0), (x**3, True))", None, ["1", "-2"]),
        ("x1*Max(x1, 2)", "(-oo, 1) | (1, 3*pi]", ["-1", "3"]),
        ("besselj(1, x) + Rational(1, 2)*log(x, 2)", "(0, 5)", ["1", "9/2"]),
    ],
)
def test_the_derivative_is_that_of_f_times_a_known_factor(formula, domain, points, relation):
    function = Function("f", formula, points, domain=domain)
    changed = transformed(function, relation)
    c = relation.exact
    for derivative in (0, 1, 2):
        for x, moved in zip(function.points, changed.points, strict=True):
            before, after = (exact_derivative(g, at, derivative) for g, at in ((function, x), (changed, moved)))
            factor = {"x": c**derivative, "f": c, "shift": 1}[relation.kind]
            shift = c if relation.kind == "shift" and derivative == 0 else 0
            expected = before.value * factor.numerator / factor.denominator + shift.numerator / shift.denominator
            assert abs(after.value - expected) <= 1e-15 * abs(expected)


@pytest.mark.parametrize("relation", ONE_OF_A_KIND_QUICK, ids=str)
def test_every_function_of_the_standard_suite_can_be_changed(relation):
    for function in load_suite("standard").functions:
        changed = transformed(function, relation)
        assert changed.name == function.name
        assert changed.formula.variable == function.formula.variable
        (again,) = Spec(changed).functions
        assert again.domain.intervals == changed.domain.intervals


def test_the_domain_moves_with_the_points():
    function = Function("f", "sqrt(x)", ["2", "3"], domain="[0, pi] | (4, oo)")
    changed = transformed(function, Relation("x", "1/2"))
    assert [str(point) for point in changed.points] == ["4", "6"]
    first, second = changed.domain.intervals
    assert (first.low, first.high, first.includes_low) == (0, 2 * function.domain.intervals[0].high, True)
    assert (second.low, second.high, second.includes_low) == (8, None, False)
    assert transformed(function, Relation("f", "7")).domain == function.domain


@pytest.mark.parametrize("options", [{"evaluate": np.exp}, {"noise": "relative 1e-6"}])
def test_what_no_formula_says_cannot_be_changed(options):
    with pytest.raises(InputError, match="own code or noise"):
        transformed(Function("f", "exp(x)", ["1"], **options), X_UP)


@pytest.mark.parametrize("wrong", [("y", "2"), ("x", "0"), ("x", "-2"), ("f", "0"), ("shift", "much")])
def test_relations_that_are_none_are_refused(wrong):
    with pytest.raises(InputError, match=r"^relation: "):
        Relation(*wrong)


def test_only_relations_change_functions():
    for arguments in ((SMOOTH[0], "f(2 x)"), ("exp(x)", X_UP)):
        with pytest.raises(InputError, match=r"^relation: "):
            transformed(*arguments)


def test_relations_say_what_they_do():
    assert [str(Relation(*about)) for about in (("x", "2^20"), ("f", "10^-6"), ("shift", "1"))] == [
        *("f(2^20 x)", "10^-6 f(x)", "f(x) + 1")
    ]


# exact laws -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [20, -20])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scaling_f_by_a_power_of_two_scales_every_estimate_exactly(dtype, power):
    schemes = [*SCHEMES, "richardson(central-2)", "stencil(-1,0,2)", "complex-step"]
    changed = [transformed(each, Relation("f", f"2^{power}")) for each in SMOOTH]
    plain, scaled = (run(Spec(each, schemes, dtypes=[dtype])) for each in (SMOOTH, changed))
    for one, other in zip(plain.blocks, scaled.blocks, strict=True):
        np.testing.assert_array_equal(one.estimate * 2.0**power, other.estimate)
        np.testing.assert_array_equal(one.epsilon, other.epsilon)
        np.testing.assert_array_equal(one.digits, other.digits)


@pytest.mark.parametrize("power", [20, -20])
def test_scaling_x_and_epsilon_by_a_power_of_two_scales_every_estimate_exactly(power):
    changed = [transformed(each, Relation("x", f"2^{power}")) for each in SMOOTH]
    plain = run(Spec(SMOOTH, SCHEMES, "2^-3:2^-40", rules=[]))
    scaled = run(Spec(changed, SCHEMES, f"2^{-3 - power}:2^{-40 - power}", rules=[]))
    for one, other in zip(plain.blocks, scaled.blocks, strict=True):
        np.testing.assert_array_equal(one.estimate * 2.0**power, other.estimate)
        np.testing.assert_array_equal(one.x, other.x * 2.0**power)


# rules ----------------------------------------------------------------------------------------------------------------


def relative(scheme, x):
    """Return u^(1/(m+p)) |x|, which is relative everywhere."""
    return unit_roundoff(x.dtype.name) ** (1 / (scheme.derivative + scheme.order)) * np.abs(x)


@pytest.fixture(scope="module")
def table():
    rules = ["usual", StepRule("relative", "", relative), "fixed(1e-5)"]
    return metamorphic(SMOOTH, SCHEMES, rules).set_index(["rule", "relation"])


def lost(table, rule, kind):
    return [table.loc[(rule, str(each)), "digits_lost"] for each in RELATIONS if each.kind == kind]


def holds(table, rule, kind):
    return [bool(table.loc[(rule, str(each)), "holds"]) for each in RELATIONS if each.kind == kind]


def test_the_usual_rule_is_absolute_below_1_and_relative_above(table):
    """The epsilon of a point below 1 is that of 1: too large for a function that varies over shorter distances."""
    assert holds(table, "usual", "x") == [False, True, False, True]
    assert min(lost(table, "usual", "x")[::2]) > 5
    assert max(lost(table, "usual", "x")[1::2]) < 0.3


def test_a_relative_rule_holds_wherever_x_is_scaled(table):
    assert holds(table, "relative", "x") == [True] * 4
    assert max(lost(table, "relative", "x")) < 0.3


def test_a_fixed_epsilon_holds_nowhere_where_x_is_scaled(table):
    assert holds(table, "fixed(1e-5)", "x") == [False] * 4
    assert min(lost(table, "fixed(1e-5)", "x")) > 1


def test_no_rule_minds_the_size_of_f(table):
    for rule in ("usual", "relative", "fixed(1e-5)"):
        assert holds(table, rule, "f") == [True] * 4
        assert max(np.abs(lost(table, rule, "f"))) < 0.3
        assert lost(table, rule, "f")[:2] == [0, 0]


def test_a_shift_costs_the_oracle_too(table):
    """u grows to u (1 + c/|f|), and the oracle's error with its power p/(m + p)."""
    rows = metamorphic_rows(SMOOTH, SCHEMES, relations=[Relation("shift", "10^6")])
    for scheme, order in (("forward-1", 1), ("central-2", 2), ("central-4", 4)):
        found = [row["oracle_lost"] for row in rows if row["scheme"] == scheme]
        assert np.median(found) == pytest.approx(6 * order / (1 + order), abs=1)
        assert np.median([row["digits_lost"] for row in rows if row["scheme"] == scheme]) > np.median(found) + 0.5
    assert holds(table, "usual", "shift") == [True, False]


def test_the_oracle_loses_nothing_by_scales(table):
    scales = [str(each) for each in RELATIONS if each.kind != "shift"]
    assert table.loc[[("usual", each) for each in scales], "oracle_lost"].abs().max() < 0.3


# rows -----------------------------------------------------------------------------------------------------------------


def test_a_cell_that_is_not_ok_counts_as_no_digits():
    near = Function("near", "sqrt(x)", ["1", "2", "3"], domain="(0, oo)")
    (row,) = metamorphic_rows(near, ["central-2"], ["fixed(0.01)"], [Relation("x", "10^4")])
    assert row["digits"] == 0
    assert row["digits_lost"] == row["base_digits"] > 4
    assert row["oracle_lost"] < 0.5


def test_a_rule_that_never_served_has_lost_nothing():
    near = Function("near", "sqrt(x)", ["1", "2", "3"], domain="(0, oo)")
    rows = metamorphic_rows(near, ["central-2"], ["fixed(4)"], [Relation("f", "2")])
    assert [rows[0][name] for name in ("base_digits", "digits", "digits_lost")] == [None] * 3
    assert rows[0]["oracle_lost"] == 0
    assert relation_rows(rows) == []


def test_where_the_derivative_is_0_nothing_is_said():
    flat = Function("flat", "x**2", ["0"])
    rows = metamorphic_rows(flat, ["forward-1"], relations=[Relation("shift", "1")])
    assert rows[0]["digits_lost"] is None
    assert relation_rows(rows) == []


def test_the_table_has_a_row_for_each_rule_and_relation(table):
    assert len(table) == 3 * len(RELATIONS)
    assert set(table["curves"]) == {len(SMOOTH) * len(SCHEMES)}
    assert table["share_held"].between(0, 1).all()
    assert (table["digits_lost"] <= table["digits_lost_worst"]).all()


def test_the_variable_alone_is_replaced():
    function = Function("f", parse_formula("exp(x)*Max(x, 2e1)", "x"), ["1"])
    assert str(transformed(function, Relation("x", "2")).formula) == "exp((2*x))*Max((2*x), 2e1)"


def test_a_relation_holds_where_it_costs_half_a_digit_at_most():
    about = {"rule": "usual", "relation": "f(x) + 1", "oracle_lost": None}
    rows = [about | {"digits_lost": lost} for lost in (-1.0, 0.5, 0.6, 3.0, None)]
    (row,) = relation_rows(rows)
    assert (row["curves"], row["share_held"], row["digits_lost_worst"], row["oracle_lost"]) == (4, 0.5, 3.0, None)
    assert (row["digits_lost"], row["holds"]) == (pytest.approx(0.55), False)
    assert relation_rows(rows[:2])[0]["holds"]
