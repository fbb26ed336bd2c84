"""The gate for runs in several dtypes, of which some have more than 64 bits and each has a grid of its own."""

from dataclasses import replace

import numpy as np

from diffbench import Spec, run
from diffbench.analysis.baseline import _bits, baseline_of
from diffbench.analysis.gate import judge

SPEC = Spec(["exp"], ["central-2", "complex-step"], dtypes=["float64", "mp:20"])


def test_a_run_passes_by_itself_and_is_judged_in_every_dtype():
    results = run(SPEC)
    found = baseline_of(results, with_orders=False)
    sizes = {dtype: len(grid) for dtype, grid in found.about["epsilons"].items()}
    assert sizes == {"float64": 65, "mp:20": 41}
    assert found.status.shape[1] == 65 + 1 + 1
    judgement = judge(found, found)
    assert (judgement.exit_code, judgement.findings) == (0, ())


def test_another_digit_beyond_float64_is_another_result():
    (block,) = run(Spec("exp", ["complex-step"], ["1e-10"], dtypes=["mp:20"])).blocks
    texts = block.wide.estimate.copy()
    texts[0, 0, 0] = texts[0, 0, 0][:-1] + ("1" if texts[0, 0, 0][-1] != "1" else "2")
    changed = replace(block, wide=replace(block.wide, estimate=texts))
    assert np.array_equal(changed.estimate, block.estimate, equal_nan=True)
    assert _bits(changed)[1:] == _bits(block)[1:]
    assert _bits(changed)[0] != _bits(block)[0]
