"""Regret, recomputed from the tidy table and from what is kept of each curve."""

import numpy as np
import pytest

from diffbench import Function, Spec, load, regret, run
from diffbench.analysis.regret import EVERY, regret_rows
from diffbench.schemes.step_rules import RULES

FUNCTIONS = ["exp", "sin", "runge", "linear", "sqrt", "abs", "sin-100x"]
SCHEMES = ["forward-1", "central-2", "central-4", "complex-step"]
KEY = ["derivative", "dtype", "scheme", "class", "rule"]


@pytest.fixture(scope="module")
def swept():
    return run(Spec(FUNCTIONS, SCHEMES, rules="all", dtypes=["float32", "float64"]))


@pytest.fixture(scope="module")
def frame(swept):
    return regret(swept)


def one(frame, **wanted):
    chosen = frame
    for name, value in ({"dtype": "float64", "scheme": EVERY, "class": EVERY} | wanted).items():
        chosen = chosen[chosen[name] == value]
    (row,) = chosen.to_dict("records")
    return row


def test_rows_have_one_key_each(frame):
    assert not frame[KEY].duplicated().any()
    assert set(frame["rule"]) == {rule.name for rule in RULES}
    assert set(frame["scheme"]) == {EVERY, *SCHEMES}
    assert {"all", "smooth", "kinked", "oscillating"} <= set(frame["class"])


@pytest.mark.parametrize("rule", ["usual", "fixed(1e-6)", "mathur", "stepleman-winarsky", "dumontet-vignes"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_digits_lost_are_those_between_the_oracle_and_the_cell(rule, dtype, swept, frame):
    cells = swept.to_frame()
    cells = cells[(cells["rule"] == rule) & (cells["dtype"] == dtype) & (cells["evaluations"] > 0)]
    oracle = {
        (part.function, scheme, part.first + p): part.oracle_digits[s, p]
        for part in swept.curves
        if part.dtype == dtype
        for s, scheme in enumerate(part.schemes)
        for p in range(len(part.x))
    }
    keys = zip(cells["function"], cells["scheme"], cells["point"], strict=True)
    at_oracle = np.array([oracle[key] for key in keys])
    has_oracle = ~np.isnan(at_oracle)
    lost = at_oracle - cells["digits"].astype(float).to_numpy(na_value=np.nan)
    known = lost[~np.isnan(lost)]
    row = one(frame, rule=rule, dtype=dtype)
    assert row["curves"] == has_oracle.sum() > 0
    assert row["lost_median"] == pytest.approx(np.median(known))
    assert row["lost_90"] == pytest.approx(np.quantile(known, 0.9))
    assert row["lost_worst"] == pytest.approx(known.max())
    assert row["without_digits"] == has_oracle.sum() - known.size


def test_a_rule_that_chooses_the_optimal_epsilon_loses_what_the_median_smooths():
    function = Function("f", "exp(x)", ["1"])
    first = run(Spec(function, ["central-2"], "1e-1:1e-12:2/decade", rules=[])).curves[0]
    epsilon = f"fixed({float(first.optimal_epsilon[0, 0])!r})"
    results = run(Spec(function, ["central-2"], "1e-1:1e-12:2/decade", rules=[epsilon, "fixed(0.1)"]))
    block = results.blocks[0]
    best = int(np.flatnonzero(block.grid == first.optimal_epsilon[0, 0])[0])
    rows = {row["rule"]: row for row in regret_rows(results.curves) if row["scheme"] == row["class"] == EVERY}
    assert rows[epsilon]["lost_median"] == first.oracle_digits[0, 0] - block.digits[0, 0, best]
    assert abs(rows[epsilon]["lost_median"]) < 1
    assert rows["fixed(0.1)"]["lost_median"] > 6


def test_static_rules_cost_nothing_and_adaptive_ones_what_they_asked_for(swept, frame):
    assert one(frame, rule="sqrt-u")["evaluations"] == 0
    cells = swept.to_frame()
    own = cells[(cells["rule"] == "curtis-reid") & (cells["scheme"] == "forward-1") & (cells["dtype"] == "float64")]
    digits = {(part.function, p) for part in swept.curves for p in np.flatnonzero(~np.isnan(part.oracle_digits[0]))}
    counted = own[[key in digits for key in zip(own["function"], own["point"], strict=True)]]
    row = one(frame, rule="curtis-reid", scheme="forward-1")
    assert row["evaluations"] == np.median(counted["evaluations"].astype(int) - 2)


def test_failures_are_a_rules_own_and_refusals_are_none(frame, swept):
    assert "central-4" not in set(frame.loc[frame["rule"] == "curtis-reid", "scheme"])
    assert "complex-step" not in set(frame.loc[frame["rule"] == "mathur", "scheme"])
    row = one(frame, rule="gill-murray-saunders-wright")
    cells = swept.to_frame()
    told = cells["reason"].str.startswith("gill-murray-saunders-wright: f appears to be odd").fillna(False)
    assert 0 < (told & (cells["dtype"] == "float64")).sum() <= row["failed"] < row["curves"]
    assert one(frame, rule="usual")["failed"] == 0


def test_classes_are_tags_and_all_is_their_union(frame):
    everything = one(frame, rule="usual")
    smooth, kinked = one(frame, rule="usual", **{"class": "smooth"}), one(frame, rule="usual", **{"class": "kinked"})
    root = one(frame, rule="usual", **{"class": "root"})
    assert everything["curves"] == smooth["curves"] + kinked["curves"] + root["curves"]
    assert everything["lost_worst"] == max(smooth["lost_worst"], kinked["lost_worst"], root["lost_worst"])


@pytest.mark.slow
def test_regret_of_a_run_that_kept_summaries_only(swept, frame, tmp_path):
    spec = Spec(FUNCTIONS, SCHEMES, rules="all", dtypes=["float32", "float64"])
    run(spec, out=tmp_path / "run", keep="summary", block_size=200)
    again = regret(load(tmp_path / "run"))
    assert again.equals(frame)


def test_a_run_without_rules_has_no_regret():
    assert regret(run(Spec("exp", ["forward-1"], "1e-3", rules=[]))).empty
