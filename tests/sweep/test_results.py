"""The tidy table and the references: contracts that others rely on."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from diffbench import Function, OpaqueScheme, Spec, run
from diffbench.errors import EmptySelectionError
from diffbench.sweep.results import STATUSES, Status

COLUMNS = (
    *("function", "derivative", "dtype", "scheme", "rule", "point", "x", "epsilon_index", "epsilon", "estimate"),
    *("reference", "reference_lo", "error", "relative_error", "ulp_error", "digits", "evaluations", "error_estimate"),
    *("status", "reason", "distinct_nodes", "outside", "nearest_node"),
)
KEY = ["function", "derivative", "dtype", "scheme", "rule", "point", "epsilon_index"]
REFERENCES = (
    *("function", "derivative", "dtype", "point", "x", "value", "certified_digits", "radius", "verdict", "method"),
    *("hi", "lo"),
)
NUMBERS = (
    *("x", "epsilon", "estimate", "reference", "reference_lo", "error", "relative_error", "ulp_error", "digits"),
    *("error_estimate", "distinct_nodes", "outside", "nearest_node"),
)


def guess(f, x, epsilon):
    if epsilon < 1e-5:
        raise RuntimeError("too small")
    with np.errstate(all="ignore"):
        return (f(x + epsilon) - f(x)) / epsilon, 1e-3


@pytest.fixture(scope="module")
def results():
    """Return a run with every status that the program can give in a few cells."""
    tan = Function("tan", "tan(x)", ["1.57", "0"], domain="(-pi/2, pi/2)")
    unsure = Function("unsure", "Max(sin(x)**2 + cos(x)**2, 1)", ["1"])
    functions = ["abs", "sqrt", "exp-100x", "exp", tan, unsure, Function("huge", "exp(x)", ["709"])]
    schemes = ["forward-1", "central-4", "complex-step", OpaqueScheme("mine", guess)]
    alone = OpaqueScheme("alone", lambda f, x: float(f(x)), takes_epsilon=False)
    return run(
        Spec(
            functions,
            [*schemes, alone, OpaqueScheme("mine-d2", guess, 2)],
            "10:1e-18:1/decade",
            dtypes=["float32", "float64"],
        )
    )


@pytest.fixture(scope="module")
def frame(results):
    return results.to_frame()


def test_columns_and_their_order(frame):
    assert tuple(frame.columns) == COLUMNS


def test_the_key_is_unique(frame):
    assert not frame[KEY].fillna({"rule": "", "epsilon_index": -1}).duplicated().any()


def test_all_statuses_appear_and_their_sum_is_what_was_planned(results, frame):
    counts = frame["status"].value_counts().to_dict()
    assert set(counts) == {status.label for status in STATUSES}
    assert counts == results.counts
    planned = sum(np.count_nonzero(block.status != Status.ABSENT) for block in results.blocks)
    assert planned == len(frame) == sum(results.counts.values())


def test_rows_are_as_many_as_the_spec_planned():
    spec = Spec(["abs", "sqrt"], dtypes=["float16", "float64"], derivatives=[1, 3])
    results = run(spec)
    assert len(results.to_frame()) == spec.planned == sum(results.counts.values())


def test_null_is_never_nan_and_never_infinite(frame):
    for column in NUMBERS:
        values = frame[column].dropna().to_numpy(dtype=float)
        assert np.isfinite(values).all(), column


def test_types_are_nullable_and_exact(frame):
    kinds = {column: str(frame[column].dtype).partition("[")[0] for column in COLUMNS}
    integers = {"derivative", "point", "epsilon_index", "evaluations"}
    assert {c for c, kind in kinds.items() if kind == "int64"} == integers
    assert {c for c, kind in kinds.items() if kind == "double"} == set(NUMBERS)


def test_rule_and_index_say_what_kind_of_cell_it_is(frame):
    by_rule, in_grid = frame["rule"].notna(), frame["epsilon_index"].notna()
    assert not (by_rule & in_grid).any()
    neither = frame[~by_rule & ~in_grid]
    assert set(neither["scheme"]) == {"alone"}
    assert neither["epsilon"].isna().all()
    assert set(frame.loc[by_rule, "rule"]) == {"usual"}
    assert not set(frame.loc[by_rule, "scheme"]) & {"mine", "alone"}


def test_the_index_is_that_of_the_epsilon(frame):
    grid = frame[frame["epsilon_index"].notna() & (frame["dtype"] == "float64")]
    assert (grid.groupby("epsilon_index")["epsilon"].nunique() == 1).all()
    first = grid.drop_duplicates("epsilon_index").set_index("epsilon_index")["epsilon"]
    assert first.loc[0] == 10
    assert first.sort_index().is_monotonic_decreasing


def test_no_reason_without_a_status_and_no_status_without_a_reason(frame):
    assert (frame["reason"].isna() == (frame["status"] == "ok")).all()


def test_ok_cells_have_all_numbers_but_those_that_make_no_sense(frame):
    ok = frame[frame["status"] == "ok"]
    assert ok[["estimate", "reference", "reference_lo", "error"]].notna().all(axis=None)
    # In units of the last place of 0, or of the smallest numbers, an error may lie beyond the range of float64.
    assert (ok["ulp_error"].notna() | (ok["reference"].abs() < 1e-30)).all()
    zero = ok["reference"] == 0
    assert (ok["relative_error"].isna() == zero).all()
    assert (ok["digits"].isna() == zero).all()
    assert (ok["error_estimate"].notna() == ok["scheme"].str.startswith("mine")).all()


def test_cells_that_were_not_measured_have_no_numbers(frame):
    hidden = frame[frame["status"].isin(["unsupported", "domain", "failed", "nonfinite"])]
    assert len(hidden)
    assert (
        hidden[["estimate", "error", "relative_error", "ulp_error", "digits", "error_estimate"]].isna().all(axis=None)
    )


def test_collapsed_cells_keep_what_exists(frame):
    collapsed = frame[(frame["status"] == "collapsed") & (frame["scheme"] == "forward-1") & (frame["epsilon"] > 0)]
    assert len(collapsed)
    assert collapsed[["estimate", "error"]].notna().all(axis=None)


def test_numbers_of_a_row_follow_from_each_other(frame):
    ok = frame[frame["status"] == "ok"].sample(200, random_state=1)
    for row in ok.itertuples():
        error = Fraction(row.estimate) - Fraction(row.reference) - Fraction(row.reference_lo)
        assert abs(Fraction(row.error) - error) <= abs(error) * Fraction(4, 2**53)
        if row.reference:
            assert row.relative_error == pytest.approx(abs(row.error) / abs(row.reference), rel=1e-15)
            half_u = np.finfo(row.dtype).eps / 4
            assert row.digits == pytest.approx(-math.log10(max(row.relative_error, half_u)), abs=1e-12)


def test_float32_numbers_are_exact_in_float64(frame):
    narrow = frame[
        (frame["dtype"] == "float32") & frame["estimate"].notna() & frame["scheme"].str.startswith("forward")
    ]
    for column in ("x", "epsilon", "estimate"):
        values = narrow[column].to_numpy(dtype=np.float64)
        assert (values.astype(np.float32).astype(np.float64) == values).all()


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("float16", 2.0**-10), ("float32", 2.0**-23), ("float64", 2.0**-52)],
)
def test_ulps_are_of_the_references_binade_in_the_dtype_of_the_cell(dtype, expected):
    results = run(
        Spec(Function("line", "x", ["1"]), [OpaqueScheme("off", lambda f, x, e: 1.5)], ["1e-2"], dtypes=[dtype])
    )
    row = results.to_frame().iloc[0]
    assert row["error"] == 0.5
    assert row["ulp_error"] == 0.5 / expected


def test_ulps_are_of_the_exact_references_binade_where_it_is_rounded_up_to_a_power_of_two():
    off = OpaqueScheme("off", lambda f, x, e: 1.5)
    below, above = (
        run(Spec(Function("f", f"x*(1 {sign} 1e-30)", ["1"]), [off], ["1e-2"])).to_frame().iloc[0] for sign in "-+"
    )
    assert below["reference"] == above["reference"] == 1
    assert below["ulp_error"] == 2 * above["ulp_error"] == 2.0**52


def test_digits_are_finite_and_bounded_by_half_the_unit_roundoff():
    exact = OpaqueScheme("exact", lambda f, x, e: 2.0)
    for dtype, u in (("float16", 2.0**-11), ("float32", 2.0**-24), ("float64", 2.0**-53)):
        row = run(Spec(Function("line", "2*x", ["1"]), [exact], ["1e-2"], dtypes=[dtype])).to_frame().iloc[0]
        assert row["error"] == 0
        assert row["digits"] == pytest.approx(-math.log10(u / 2))


def test_references_have_the_columns_of_the_contract_first(results):
    references = results.references()
    assert tuple(references.columns)[: len(REFERENCES)] == REFERENCES
    assert not references[["function", "derivative", "dtype", "point"]].duplicated().any()
    assert len(references) == sum(len(block.x) for block in results.blocks)


def test_references_are_decimal_texts_that_agree_with_their_words(results):
    references = results.references()
    settled = references[references["hi"].notna()]
    assert set(settled["verdict"]) == {"certified"}
    for row in settled.itertuples():
        value = Fraction(row.value)
        assert abs(value - Fraction(row.hi) - Fraction(row.lo)) <= abs(value) * Fraction(1, 2**105)
        assert row.certified_digits >= 34


def test_references_that_are_none_have_no_value_and_a_reason(results):
    references = results.references()
    rest = references[references["verdict"] != "certified"]
    assert set(rest["verdict"]) == {"nondifferentiable", "uncertain"}
    assert rest[["value", "hi", "lo"]].isna().all(axis=None)
    assert rest["reason"].notna().all()


def test_rows_carry_the_reference_of_their_point(results, frame):
    key = ["function", "derivative", "dtype", "point"]
    joined = frame.merge(results.references(), on=key, suffixes=("", "_of_point"))
    assert len(joined) == len(frame)
    assert (joined["x"] == joined["x_of_point"]).all()
    assert joined["reference"].equals(joined["hi"].rename("reference"))
    assert joined["reference_lo"].equals(joined["lo"].rename("reference_lo"))


def test_a_block_is_found_by_its_names(results):
    block = results.block("exp", 2, "float32")
    assert (block.function, block.derivative, block.dtype) == ("exp", 2, "float32")
    with pytest.raises(EmptySelectionError, match="no block nosuch"):
        results.block("nosuch")


def test_the_frame_does_what_a_user_expects_of_pandas(frame):
    best = frame[frame["status"] == "ok"].groupby(["function", "scheme"])["digits"].max()
    assert best.loc["exp", "complex-step"] > 15
    assert isinstance(frame, pd.DataFrame)
