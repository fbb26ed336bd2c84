"""What is kept of curves is the same in parts and whole, with and without the cells, in memory and stored."""

from collections import Counter
from functools import reduce

import numpy as np
import pytest
from folders import bits

from diffbench import Function, OpaqueScheme, Spec, load, run, summarize
from diffbench.analysis.summary import along_points, by_function, rank
from diffbench.errors import EmptySelectionError
from diffbench.sweep.curves import curves_of, running_median
from diffbench.sweep.results import STATUSES, Block

ARRAYS = (*("evaluations", "optimal_epsilon", "oracle_error", "oracle_digits", "flat_decades", "rule_digits", "cells"),)
BLOCK_SIZES = (1, 37, 60, 100)


def spec():
    points = ["0.1", "0.5", "1", "1.5", "1.57", "0"]
    odd = Function("a/b", "tan(x)", points, domain="(-pi/2, pi/2)")
    failing = OpaqueScheme("failing", fails_above_one)
    alone = OpaqueScheme("alone", lambda f, x: float(f(x)), takes_epsilon=False)
    schemes = ["forward-1", "central-4", "complex-step", "central-2-d2", failing, alone]
    return Spec(
        ["exp", "abs", "sqrt", "narrow-gaussian", odd], schemes, "1:1e-18:1/decade", dtypes=["float32", "float64"]
    )


def fails_above_one(f, x, epsilon):
    if x > 1:
        raise ZeroDivisionError("above one")
    return (f(x + epsilon) - f(x)) / epsilon


@pytest.fixture(scope="module")
def whole():
    return run(spec(), jobs=1)


def parts_of(results, key):
    return [results.blocks[i] for i in results.parts(key)]


def equal_curves(one, other):
    assert one.key == other.key
    assert (one.schemes, one.rules, one.verdicts) == (other.schemes, other.rules, other.verdicts)
    for name in (*ARRAYS, "x"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.fixture(scope="module", params=BLOCK_SIZES)
def cut(request):
    return run(spec(), jobs=1, block_size=request.param)


def test_parts_of_a_block_joined_are_the_block(cut, whole):
    assert len(cut.blocks) > len(whole.blocks)
    for key in whole.keys:
        parts = parts_of(cut, key)
        assert [part.first for part in parts] == np.cumsum([0, *(len(part.x) for part in parts[:-1])]).tolist()
        assert bits(reduce(Block.joined, parts)) == bits(whole.block(*key)) == bits(cut.block(*key))
        assert cut.block(*key).references == whole.block(*key).references


def test_curves_of_parts_of_the_points_are_the_curves_of_all(cut, whole):
    found = {parts[0].key: parts for parts in by_function(cut.curves)}
    assert len(found) == len(list(by_function(cut.curves))) == len(whole.curves)
    for expected in whole.curves:
        parts = found[expected.key]
        for name in ARRAYS:
            np.testing.assert_array_equal(along_points(parts, name), getattr(expected, name), err_msg=name)
        np.testing.assert_array_equal(np.concatenate([part.x for part in parts]), expected.x)
        assert sum((part.verdicts for part in parts), ()) == expected.verdicts


def test_losses_of_parts_add_up(cut, whole):
    assert losses_of(cut) == losses_of(whole)


def losses_of(results):
    found = Counter()
    for curves in results.curves:
        for loss in curves.losses:
            found[(*curves.key, loss.status, loss.reason)] += loss.cells
    return found


def test_losses_are_the_cells_that_are_not_ok(whole):
    by_status = Counter()
    for (*_, status, _), cells in losses_of(whole).items():
        by_status[status] += cells
    assert by_status["failed"] > 0
    assert dict(by_status) == {status: n for status, n in whole.counts.items() if n and status != "ok"}


def test_losses_name_a_scheme_that_has_them(whole):
    for curves, block in zip(whole.curves, whole.blocks, strict=True):
        for loss in curves.losses:
            row = curves.schemes.index(loss.scheme)
            reasons = {block.reasons[code] for code in block.reason[row].ravel()}
            assert loss.reason in reasons
            assert curves.cells[row, :, [status.label for status in STATUSES].index(loss.status)].any()


def test_cells_are_counted_by_curve_and_status(whole):
    for curves, block in zip(whole.curves, whole.blocks, strict=True):
        assert curves.counts == block.counts
        for i, status in enumerate(STATUSES):
            np.testing.assert_array_equal(curves.cells[..., i], (block.status == status).sum(axis=-1))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return the results of the same spec that keep summaries only or cells, in memory and stored."""
    base = tmp_path_factory.mktemp("kept")
    return {
        "memory": run(spec(), jobs=1, keep="summary", block_size=60),
        "stored": run(spec(), out=base / "summary", keep="summary", block_size=60),
        "loaded": load(base / "summary"),
        "stored cells": run(spec(), out=base / "cells", block_size=60),
        "in one block": run(spec(), keep="summary"),
    }


KINDS = ("memory", "stored", "loaded", "stored cells", "in one block")


@pytest.mark.parametrize("kind", KINDS)
def test_a_summary_is_the_same_whatever_is_kept(kind, kept, whole):
    assert summarize(kept[kind]).equals(summarize(whole))


@pytest.mark.parametrize("kind", KINDS)
def test_the_ranking_is_the_same_whatever_is_kept(kind, kept, whole):
    assert rank(kept[kind]).equals(rank(whole))


def sorted_references(results):
    key = ["function", "derivative", "dtype", "point"]
    return results.references().sort_values(key, ignore_index=True)


@pytest.mark.parametrize("kind", KINDS)
def test_references_and_counts_are_the_same_whatever_is_kept(kind, kept, whole):
    assert sorted_references(kept[kind]).equals(sorted_references(whole))
    assert kept[kind].counts == whole.counts
    assert kept[kind].verdicts == whole.verdicts
    assert kept[kind].manifest["planned"] == whole.manifest["planned"]
    assert kept[kind].keys == whole.keys
    assert losses_of(kept[kind]) == losses_of(whole)


@pytest.mark.parametrize("kind", ["stored", "loaded", "stored cells"])
def test_stored_curves_are_those_of_memory_bit_for_bit(kind, kept):
    memory, stored = list(kept["memory"].curves), list(kept[kind].curves)
    assert len(memory) == len(stored)
    for one, other in zip(memory, stored, strict=True):
        equal_curves(one, other)
        assert one.losses == other.losses


def test_curves_of_stored_cells_are_the_stored_curves(kept):
    results = kept["stored cells"]
    for block, curves in zip(results.blocks, results.curves, strict=True):
        equal_curves(curves_of(block), curves)


@pytest.mark.parametrize("kind", ["memory", "stored", "loaded"])
def test_cells_that_were_not_kept_cannot_be_asked_for(kind, kept):
    assert len(kept[kind].blocks) == 0
    for call in (kept[kind].to_frame, lambda: kept[kind].block("exp")):
        with pytest.raises(EmptySelectionError, match="summaries only"):
            call()


def test_a_curve_without_epsilons_has_no_median():
    assert running_median(np.empty((2, 0))).shape == (2, 0)
