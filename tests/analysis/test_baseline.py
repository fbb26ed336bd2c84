"""What a baseline keeps, its files, and the envelope of several platforms."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gates import EXP, base, base_results, elsewhere, spec, with_errors, with_status
from hypothesis import given
from hypothesis import strategies as st

from diffbench import Function, Spec, run
from diffbench.analysis.accepted import accept, envelope, find_baseline, platforms, read_baseline
from diffbench.analysis.baseline import (
    NO_ERROR,
    OPEN,
    baseline_of,
    from_table,
    quarter_binades,
    suite_of,
    to_table,
)
from diffbench.analysis.gate import check, judge
from diffbench.errors import EmptySelectionError, InputError, NotComparableError, StoreError
from diffbench.schemes.scheme import OpaqueScheme
from diffbench.sweep.results import Status


@given(st.floats(2.0**-1070, 1e300), st.integers(-1074, 900))
def test_quarter_binades_are_the_least_whole_number_above(error, exponent):
    q = int(quarter_binades(np.array([error]), np.array([2.0**exponent]))[0])
    fourth = (Fraction(error) / Fraction(2) ** exponent) ** 4
    assert fourth <= Fraction(2) ** q
    assert q == -4 or fourth > Fraction(2) ** (q - 1) * Fraction(1 - 1e-15)


def test_half_an_ulp_is_the_least_and_null_stays_null():
    errors = np.array([0.0, 1e-300, 0.5, np.nextafter(0.5, 1), -1.0, 2.0, np.inf, np.nan])
    assert quarter_binades(errors, np.array(1.0)).tolist() == [-4, -4, -4, -3, 0, 4, 8800, NO_ERROR]


def test_errors_of_a_derivative_that_is_0_do_not_overflow():
    found = quarter_binades(np.array([1e-17, 1.0, 1e6, 1e308]), np.array(2.0**-1074))
    assert (np.diff(found.astype(int)) > 60).all()


def same(a, b):
    for name in a.__dataclass_fields__:
        first, second = getattr(a, name), getattr(b, name)
        if isinstance(first, np.ndarray):
            assert first.dtype == second.dtype
            assert np.array_equal(first, second, equal_nan=first.dtype.kind == "f"), name
        else:
            assert first == second, name


def test_a_table_holds_all_of_it(tmp_path):
    pq.write_table(to_table(base()), tmp_path / "b.parquet")
    same(from_table(base().about, pq.read_table(tmp_path / "b.parquet")), base())


def test_a_table_of_other_columns_is_not_comparable():
    with pytest.raises(NotComparableError, match="other columns"):
        from_table(base().about, pa.table({"function": ["f"]}))


def test_cells_of_schemes_without_an_epsilon_and_without_parts():
    scheme = OpaqueScheme("mine", lambda f, x: float((f(x + 1e-6) - f(x - 1e-6)) / 2e-6), takes_epsilon=False)
    results = run(spec(schemes=["forward-1", scheme]))
    found = baseline_of(results)
    assert found.cells_of(found.names) == results.manifest["planned"]
    assert found.columns[-1] is None
    assert check(results, found).exit_code == 0
    assert np.isnan(found.truncation).all()


def test_a_run_of_summaries_cannot_be_a_baseline():
    with pytest.raises(EmptySelectionError, match="summaries only"):
        baseline_of(run(Spec("lab"), keep="summary"))


def test_theory_is_held_for_what_the_model_covers():
    assert np.isfinite(base().expected).all()
    with np.errstate(all="ignore"):
        behind = np.log10(base().optimum / base().expected)
    assert np.abs(behind).max() < 1
    rounding = base().rounding[:, :65].astype(int)
    assert (rounding != NO_ERROR).any(axis=1).all()


def test_an_optimum_where_the_reference_is_0_is_null():
    found = baseline_of(run(spec([Function("cos", "cos(x)", ["0"])])))
    assert np.isnan(found.optimum).all()


def test_hashes_change_with_every_bit_and_with_nothing_else():
    again = baseline_of(run(spec()))
    assert again.bits == base().bits
    assert again.definition == base().definition
    changed = baseline_of(with_errors(base_results(), 1.001, np.s_[1, 1, 30]))
    assert [a == b for a, b in zip(changed.bits, base().bits, strict=True)].count(False) == 1


def test_a_suite_is_known_by_its_functions():
    assert suite_of(Spec("lab")) == "lab"
    assert suite_of(Spec("standard")) == "standard"
    assert suite_of(Spec("standard", anatomy=True, rules="all")) == "standard"
    assert suite_of(Spec(["lab", "ml"])) == ""
    assert suite_of(Spec("lab", "central-2")) == ""
    assert suite_of(Spec("lab", dtypes=["float32"])) == ""


# files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def lab():
    return run(Spec("lab"))


def test_accepting_writes_the_platform_and_any(tmp_path, lab):
    path, found = accept(lab, "the first numbers", "somebody", folder=tmp_path)
    assert path.parent == tmp_path / "lab"
    assert sorted(each.suffix for each in path.parent.iterdir()) == [".json"] * 2 + [".parquet"] * 2
    about = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert about["accepted"]["why"] == "the first numbers"
    assert about["accepted"]["by"] == "somebody"
    assert (about["curves"], about["cells"], about["status"]) == (7, 21, {"ok": 21})
    same(read_baseline(path), replace(found, about=about))
    assert find_baseline("lab", folder=tmp_path).about["platform"] == path.stem
    assert find_baseline("lab", "elsewhere", tmp_path).about["platform"] == "any"
    assert check(lab, find_baseline("lab", "elsewhere", tmp_path)).baseline == "lab, any platform: bounds"
    assert check(lab, find_baseline(path)).exit_code == 0
    assert check(lab, find_baseline(path.parent)).exit_code == 0


def test_accepting_again_says_what_changed_most(tmp_path):
    accept(base_results(), "first", "me", "small", tmp_path)
    _, found = accept(with_errors(base_results(), 3.0), "second", "me", "small", tmp_path)
    (change,) = found.about["largest_changes"]
    assert "central-2" in change
    assert change.endswith("by a quarter-binade or more")
    _, found = accept(run(spec([EXP])), "third", "me", "small", tmp_path)
    assert found.about["largest_changes"][1] == "the function wave is not in the run any more (198 cells)"


@pytest.mark.parametrize("reason", ["", "  ", "a\nb"])
def test_accepting_needs_a_reason(tmp_path, lab, reason):
    with pytest.raises(InputError, match="reason"):
        accept(lab, reason, "me", folder=tmp_path)
    assert not any(tmp_path.iterdir())


def test_what_has_no_name_needs_one(tmp_path):
    with pytest.raises(InputError, match="name"):
        accept(base_results(), "first", "me", folder=tmp_path)
    for name in ("a/../b", "..", "", " "):
        with pytest.raises(InputError, match="name"):
            accept(base_results(), "first", "me", name, tmp_path)


def test_the_name_of_a_suite_is_for_that_suite_as_it_is(tmp_path):
    for results in (base_results(), run(Spec("lab", "central-2"))):
        with pytest.raises(InputError, match="lab is a built-in suite, and the run is not that of this suite as it is"):
            accept(results, "first", "me", "lab", tmp_path)


def test_what_failed_or_lost_its_digits_is_no_baseline(tmp_path):
    failing = run(Spec(Function("f", "x", ["1"], evaluate=lambda x: 1 / 0), "forward-1"))
    with pytest.raises(InputError, match="cells failed"):
        accept(failing, "first", "me", "small", tmp_path)
    with pytest.raises(InputError, match="worse than theory lets it be in 1 curve; it is exp at point 0"):
        accept(with_errors(base_results(), 1e5), "first", "me", "small", tmp_path)
    assert not any(tmp_path.iterdir())


def test_no_baseline_is_not_comparable_and_says_what_to_do(tmp_path, lab):
    with pytest.raises(NotComparableError, match=r"none called 'lab' .* diffbench baseline accept RUN"):
        find_baseline("lab", folder=tmp_path)
    accept(lab, "first", "me", folder=tmp_path)
    with pytest.raises(NotComparableError, match="did you mean 'lab'"):
        find_baseline("lap", folder=tmp_path)
    with pytest.raises(NotComparableError, match="no file"):
        find_baseline(tmp_path / "none.parquet")


def test_another_schema_and_damage(tmp_path, lab):
    path, _ = accept(lab, "first", "me", folder=tmp_path)
    about = json.loads(path.with_suffix(".json").read_text("utf-8"))
    path.with_suffix(".json").write_text(json.dumps(about | {"schema_version": 99}), "utf-8")
    with pytest.raises(NotComparableError, match="schema 99"):
        read_baseline(path)
    path.with_suffix(".json").write_text(json.dumps(about), "utf-8")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match=path.name):
        read_baseline(path)
    path.with_suffix(".json").write_text("[]", "utf-8")
    with pytest.raises(StoreError, match="json"):
        read_baseline(path)


# the envelope ---------------------------------------------------------------------------------------------------------


def accepted(baseline, platform, when):
    about = baseline.about | {"platform": platform, "accepted": {"when": when, "by": "me", "why": "test"}}
    return replace(baseline, about=about)


def test_the_envelope_has_the_worst_of_all_platforms():
    worse = baseline_of(with_errors(base_results(), 8.0), "small")
    whole = envelope([accepted(base(), "a", "2026-01-01"), accepted(worse, "b", "2026-01-02")])
    assert whole.about["platform"] == "any"
    assert sorted(whole.about["platforms"]) == ["a", "b"]
    assert (whole.quarters == np.maximum(base().quarters, worse.quarters)).all()
    assert np.isfinite(whole.expected).all()
    assert judge(whole, baseline_of(with_errors(base_results(), 8.0))).exit_code == 0
    assert judge(elsewhere(base()), baseline_of(with_errors(base_results(), 8.0))).exit_code == 1


def test_a_cell_whose_status_platforms_differ_in_is_open():
    other = baseline_of(with_status(base_results(), Status.NONFINITE), "small")
    whole = envelope([accepted(base(), "a", "2026-01-01"), accepted(other, "b", "2026-01-02")])
    assert np.count_nonzero(whole.status == OPEN) == 1
    assert judge(whole, base()).exit_code == 0
    assert judge(whole, other).exit_code == 0


def test_a_curve_that_was_defined_anew_is_that_of_the_last_baseline():
    other = Function("wave", "sin(4*x)/x", ["0.7"])
    newer = baseline_of(run(spec([EXP, other])), "small")
    whole = envelope([accepted(newer, "b", "2026-01-02"), accepted(base(), "a", "2026-01-01")])
    assert judge(whole, newer).exit_code == 0
    assert judge(whole, base()).exit_code == 4


def test_platforms_are_those_of_the_files(tmp_path):
    accept(base_results(), "first", "me", "small", tmp_path)
    (found,) = platforms(tmp_path / "small")
    assert found.about["platform"] == base().about["platform"]
    assert found.names == base().names
