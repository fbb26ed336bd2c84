"""The figure of a comparison, checked on what it draws."""

from dataclasses import replace

import numpy as np
import pytest

from diffbench import Function, OpaqueScheme, Spec, compare, run
from diffbench.analysis.compare import BINS, LEAST, MOST, NO_ERROR, TRANSITIONS, bin_centres, error_bins
from diffbench.report.compare_plots import STYLES, changed_schemes, comparison_figure, comparison_marks
from diffbench.report.plots import figure_bytes
from diffbench.sweep.results import Status

GRID = "1e-1:1e-4:1/decade"


@pytest.fixture(scope="module")
def base():
    return run(Spec("exp", ["forward-1", "central-2"], GRID))


def changed(results, factor, place=(0, 0, 1)):
    """Return the run with one estimate that is off by a factor, or lost."""
    block = results.blocks[0]
    estimate, status = block.estimate.copy(), block.status.copy()
    estimate[place] *= factor
    status[place] = Status.NONFINITE if np.isnan(factor) else Status.OK
    return replace(results, blocks=(replace(block, estimate=estimate, status=status), *results.blocks[1:]))


def drawn(figure):
    """Return the offsets of the marks of each transition, in the large panel."""
    return {each.get_gid(): np.asarray(each.get_offsets()) for each in figure.axes[0].collections}


def texts(figure):
    axes = figure.axes[0]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    return [*(text.get_text() for text in axes.texts), *legend, axes.get_title("left"), axes.get_xlabel()]


def test_letters_that_the_font_has_not_stand_as_their_numbers():
    mine = [OpaqueScheme("差", lambda f, x, e, k=k: 2.0 + k * e, derivative=1) for k in (1, 9)]
    before, after = (run(Spec("exp", [each], GRID)) for each in mine)
    figure = comparison_figure(compare(before, after), "前", "後")
    assert any("[U+524D] → [U+5F8C]" in text for text in texts(figure))
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["[U+5DEE]"]
    assert figure_bytes(figure, "svg")


def test_errors_are_in_the_bin_that_is_nearest_to_them():
    centres = bin_centres()
    assert centres.size == BINS
    assert (centres[0], centres[-1]) == (LEAST, pytest.approx(MOST))
    assert error_bins(centres).tolist() == list(range(BINS))
    assert error_bins(1.1 * centres).tolist() == list(range(BINS))
    assert error_bins(np.array([0.0, 1e-30, np.nan, np.inf, 1e300])).tolist() == [0, 0, NO_ERROR, BINS - 1, BINS - 1]


def test_a_run_and_itself_have_marks_on_the_diagonal_only(base):
    found = compare(base, base)
    figure = comparison_figure(found, "monday", "tuesday")
    (marks,) = comparison_marks(found)
    assert marks.transition == "unchanged"
    assert marks.cells.sum() == base.counts["ok"]
    ((word, offsets),) = drawn(figure).items()
    assert word == "unchanged"
    assert np.array_equal(offsets[:, 0], offsets[:, 1])
    assert len(figure.axes) == 1
    assert changed_schemes(found) == []
    assert texts(figure)[-2:] == [
        "monday → tuesday: what became of the errors",
        "error in monday, units of the last place",
    ]


@pytest.mark.parametrize(("factor", "word", "side"), [(1.1, "worse", 1), (0.999, "better", -1)])
def test_what_is_worse_lies_above_the_diagonal_and_what_is_better_below(base, factor, word, side):
    figure = comparison_figure(compare(base, changed(base, factor)), "old", "new")
    ((before, after),) = drawn(figure)[word]
    assert np.sign(after - before) == side
    places = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert places["new is worse"][1] > places["new is worse"][0]
    assert places["new is better"][1] < places["new is better"][0]


@pytest.mark.parametrize("lost_in", ["before", "after"])
def test_answers_that_are_lost_or_gained_lie_in_a_margin(base, lost_in):
    lost = changed(base, np.nan)
    found = compare(lost, base) if lost_in == "before" else compare(base, lost)
    figure = comparison_figure(found)
    offsets = drawn(figure)
    ((before, after),) = offsets["not ok to ok" if lost_in == "before" else "ok to not ok"]
    without, known = (before, after) if lost_in == "before" else (after, before)
    assert without > offsets["unchanged"].max()
    assert known <= offsets["unchanged"].max()
    axis = figure.axes[0].xaxis if lost_in == "before" else figure.axes[0].yaxis
    labels = dict(zip(axis.get_ticklocs(), [each.get_text() for each in axis.get_ticklabels()], strict=True))
    assert labels[without] == "none"
    low, high = axis.get_view_interval()
    assert low < without < high


@pytest.mark.parametrize("swapped", [False, True])
def test_a_scheme_of_one_run_only_lies_in_a_margin_and_has_a_full_bar(base, swapped):
    one = run(Spec("exp", "forward-1", GRID))
    found = compare(one, base) if swapped else compare(base, one)
    word = "new" if swapped else "vanished"
    figure = comparison_figure(found)
    without = drawn(figure)[word][:, 0 if swapped else 1]
    assert set(without) == {without[0]} > set()
    assert without[0] > drawn(figure)["unchanged"].max()
    assert changed_schemes(found) == ["central-2"]
    bars = {each.get_gid(): each.get_width() for each in figure.axes[1].patches}
    assert bars[word] == 100
    assert sum(bars.values()) == 100


def test_every_cell_is_drawn_or_counted_as_not_drawn():
    same = [Function("f", "exp(x)", ["1"]), Function("h", "Abs(x)", ["0", "1"])]
    runs = [[*same, Function("g", formula, ["0", "1"])] for formula in ("cos(x)", "sin(x)")]
    found = compare(*(run(Spec(functions, ["forward-1", "central-2"], GRID)) for functions in runs))
    assert found.errors.sum() == sum(found.counts.values())
    none = sum(counts[NO_ERROR, NO_ERROR] for counts in found.errors[: TRANSITIONS.index("not comparable")])
    apart = found.counts["not comparable"]
    assert none > 0 < apart
    assert sum(each.cells.sum() for each in comparison_marks(found)) + none + apart == sum(found.counts.values())
    subtitle = next(text for text in texts(comparison_figure(found)) if "not drawn" in text)
    assert subtitle.endswith(f"not drawn: {none} without an error in either run, {apart} not comparable")


def test_the_legend_counts_every_transition_that_there_is(base):
    found = compare(base, changed(base, np.nan))
    figure = comparison_figure(found)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [f"unchanged: {found.counts['unchanged']}", "ok to not ok: 1"]
    assert len(set(STYLES.values())) == len({marker for _, marker in STYLES.values()}) == len(TRANSITIONS)


def test_the_schemes_that_changed_most_come_first_and_the_rest_is_counted():
    def scheme(number, factor):
        return OpaqueScheme(f"mine-{number:02}x", lambda f, x, e: (f(x + e) - f(x)) / e * (factor if e < 0.05 else 1))

    def measured(factor):
        ahead = OpaqueScheme("ahead", lambda f, x, e: factor * f(x + e))
        return run(Spec("exp", [*(scheme(k, factor) for k in range(26)), ahead], "1e-1,1e-2"))

    found = compare(measured(1), measured(2))
    assert changed_schemes(found)[0] == "ahead"
    assert len(changed_schemes(found)) == 24
    assert "3 more schemes" in comparison_figure(found).axes[1].get_xlabel()


@pytest.mark.slow
def test_the_same_comparison_gives_the_same_bytes(base):
    found = compare(base, changed(base, 1.1))
    for kind in ("svg", "png", "pdf"):
        first, second = (figure_bytes(comparison_figure(found, "a", "$b_c$"), kind) for _ in range(2))
        assert first == second
