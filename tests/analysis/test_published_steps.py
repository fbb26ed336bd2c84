"""What default steps of packages leave in each dtype: the published failures in single precision come out."""

import inspect
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from diffbench import Spec, run
from diffbench.analysis.published_steps import has_published_steps, published_step_rows
from diffbench.errors import EmptySelectionError, InputError
from diffbench.rounding import exact_number
from diffbench.schemes.published_steps import PUBLISHED_RULES, PUBLISHED_SCHEMES, PUBLISHED_STEPS
from diffbench.schemes.scheme import parse_scheme
from diffbench.schemes.step_rules import RULES, find_rule
from diffbench.sweep.provenance import fingerprint

DTYPES = ("float16", "float32", "float64")
MADE_WITH = "5d0e6ee1bb1b"
"""The fingerprint of the arithmetic that the table of the guide was made with; the same gives the same table."""


@pytest.fixture(scope="module")
def results():
    spec = {"functions": ["exp", "sin", "runge"], "schemes": PUBLISHED_SCHEMES, "rules": "published", "dtypes": DTYPES}
    return run(Spec(**spec))


def number_of(name):
    """Return the number of a default's rule."""
    (step,) = (step for step in PUBLISHED_STEPS if step.name == name)
    return exact_number(step.rule_name.partition("(")[2].rstrip(")").partition(",")[0])


def test_the_defaults_are_those_of_the_packages():
    from scipy import optimize

    default = inspect.signature(optimize.approx_fprime).parameters["epsilon"].default
    assert number_of("scipy approx_fprime, minimize") == Fraction(default) == Fraction(1, 2**26)
    default = inspect.signature(optimize.fmin_l_bfgs_b).parameters["epsilon"].default
    assert float(number_of("scipy L-BFGS-B")) == default
    numdiff = pytest.importorskip("statsmodels.tools.numdiff")
    x = np.array([-3.0, 0.0, 0.01, 0.5, 7.0])
    for name, power in (("statsmodels approx_fprime", 2), ("statsmodels approx_fprime centered", 3)):
        (step,) = (step for step in PUBLISHED_STEPS if step.name == name)
        np.testing.assert_allclose(
            step.rule.choose(parse_scheme(step.scheme), x), numdiff._get_epsilon(x, power, None, x.size), rtol=4e-16
        )
    autograd = pytest.importorskip("autograd.test_util")
    assert 2 * float(number_of("autograd check_grads")) == autograd.EPS


def test_steps_chosen_for_float64_are_wholly_wrong_in_float32(results):
    rows = {(row["step"], row["dtype"]): row for row in published_step_rows(results)}
    assert len(rows) == len(PUBLISHED_STEPS) * len(DTYPES)
    scipy = [rows["scipy approx_fprime, minimize", dtype] for dtype in DTYPES]
    frame = results.to_frame().query("rule == 'fixed(2^-26)' and scheme == 'forward-1' and dtype == 'float32'")
    errors = frame["relative_error"].dropna()
    assert scipy[1]["problems"] == len(errors)
    assert scipy[1]["wrong"] == (errors >= 1).sum() > len(errors) / 2
    assert scipy[0]["wrong"] == scipy[0]["problems"]
    assert scipy[0]["wholly_wrong"] == scipy[0]["functions"] == 3
    assert (scipy[1]["digits"], scipy[2]["wrong"]) == (0, 0)
    assert scipy[1]["optimal_digits"] > 3
    assert scipy[2]["digits"] > 7
    assert rows["R optim", "float32"]["digits"] > 3


def test_a_run_without_them_has_no_table(results):
    assert has_published_steps(results)
    other = run(Spec("exp", "forward-1", "1e-3"))
    assert not has_published_steps(other)
    with pytest.raises(EmptySelectionError, match="--rule published"):
        published_step_rows(other)


def test_published_rules_are_chosen_together_and_are_none_of_the_catalogue():
    spec = Spec("exp", rules=["usual", "published"])
    assert spec.rules == (find_rule("usual"), *PUBLISHED_RULES)
    assert Spec.from_text(spec.to_toml()).sha256 == spec.sha256
    assert {rule.name for rule in PUBLISHED_RULES} & {rule.name for rule in RULES} == {"fixed(1e-6)"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_scaled_step_is_relative_down_to_a_least_x(dtype):
    x = np.array([-4.0, 0.0, 0.25, 1.0, np.inf], dtype=dtype)
    epsilon = find_rule("scaled(1/8, 1/2)").choose(parse_scheme("forward-1"), x)
    assert epsilon.dtype == x.dtype
    assert epsilon.tolist() == [0.5, 0.0625, 0.0625, 0.125, np.inf]


@pytest.mark.parametrize("name", ["scaled(0,1)", "scaled(1,-1)", "scaled(1)", "scaled(a,1)", "scaled(1,2,3)"])
def test_what_is_no_scaled_step_is_refused(name):
    with pytest.raises(InputError, match="rule"):
        find_rule(name)


@pytest.mark.slow
def test_the_guide_says_what_comes_out():
    text = (Path(__file__).parents[2] / "docs" / "guides" / "low-precision.md").read_text("utf-8")
    _, _, table = text.partition("| default of |")
    said = [line.strip("| ").split(" | ") for line in re.findall(r"^\| .*", table, re.M)[1:]]
    rows = published_step_rows(run(Spec("standard", PUBLISHED_SCHEMES, rules="published", dtypes=DTYPES[:2])))
    assert len(said) == len(PUBLISHED_STEPS) == len(rows) / 2
    for cells, half, single in zip(said, rows[::2], rows[1::2], strict=True):
        assert cells[1] == half["scheme"] == single["scheme"]
        counts = [each[key] for each in (single, half) for key in ("wrong", "problems")]
        digits = [round(single[key], 1) for key in ("digits", "optimal_digits")]
        told = [int(number) for cell in (cells[3], cells[6]) for number in cell.split(" of ")]
        is_same = fingerprint().startswith(MADE_WITH)
        # Another mathematics library decides a few of them the other way.
        np.testing.assert_allclose(told, counts, rtol=0, atol=0 if is_same else 3, err_msg=cells[0])
        np.testing.assert_allclose([float(cell) for cell in cells[4:6]], digits, rtol=0, atol=0 if is_same else 0.2)
