"""Figures of a leaderboard: what they show, checked on matplotlib's objects."""

import re
from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.text import Text

from diffbench.analysis.outcomes import Case
from diffbench.analysis.profiles import ecdf, performance_profile, reliability, work_precision
from diffbench.report.leaderboard_plots import (
    COLORS,
    NEVER,
    contestant_styles,
    ecdf_caption,
    ecdf_figure,
    profile_caption,
    profile_figure,
    reliability_caption,
    reliability_figure,
    work_precision_caption,
    work_precision_figure,
    work_time_caption,
    work_time_figure,
)
from diffbench.report.plots import BACKGROUND, INK, figure_bytes
from diffbench.report.print_pages import fitted
from diffbench.sweep.contest import Timing

FIGURES = {
    work_precision_figure: work_precision_caption,
    profile_figure: profile_caption,
    ecdf_figure: ecdf_caption,
    reliability_figure: reliability_caption,
}
CURVES = {profile_figure: performance_profile, ecdf_figure: ecdf, reliability_figure: reliability}
PACKAGES = 8
MANY = 40


def made(i, point, rng):
    """Return a case of the contestant i, the better the larger i is; every seventh has no answer at some points."""
    error, failed = 10 ** rng.uniform(-3 - i / 4, -2 - i / 4), i % 7 == 3 and point % 2 == 0
    return Case(
        library=f"library-{i}-with-a-long-name",
        package=f"package-{i % PACKAGES}",
        function="f",
        tags=("smooth",),
        noise="",
        derivative=1,
        dtype=("float32", "float64")[point % 2],
        point=point,
        x=1.0,
        epsilon=np.nan,
        rule="",
        estimate=1.0,
        reference=1.0,
        error=np.nan if failed else error,
        ulp=2.0**-52,
        error_estimate=np.nan if failed else error * 10 ** rng.uniform(-2, 2),
        digits=np.nan if failed else -np.log10(error),
        evaluations=(0, 2, 5, 10, 20, 50, 100)[i // 6],
        status="failed" if failed else "ok",
        outcome="exception" if failed else "silently wrong",
        reason="",
    )


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(1)
    return [made(i, point, rng) for i in range(MANY) for point in range(20)]


def legend_texts(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def curve_of(figure, name):
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == name]
    return line


@pytest.mark.parametrize("draw", CURVES)
def test_curves_are_those_of_the_analysis(draw, many):
    figure, curves = draw(many), CURVES[draw](many)
    assert len(curves) == MANY
    for curve in curves:
        line = curve_of(figure, curve.library)
        np.testing.assert_array_equal(line.get_xdata(), curve.at)
        np.testing.assert_array_equal(line.get_ydata(), curve.share)
    assert figure.axes[0].get_xscale() == ("linear" if draw is ecdf_figure else "log")


@pytest.mark.parametrize("draw", FIGURES)
def test_forty_contestants_are_named_and_no_two_look_alike(draw, many):
    figure = draw(many)
    names = legend_texts(figure)
    assert sorted(names) == sorted({case.library for case in many})
    lines = [curve_of(figure, name) for name in names]
    looks = {(line.get_color(), line.get_marker(), line.get_fillstyle(), line.get_linestyle()) for line in lines}
    assert len(looks) == (MANY if draw in CURVES else 8 + 24)
    vivid = [line for line in lines if line.get_color() != BACKGROUND]
    assert len(vivid) == len({line.get_color() for line in vivid}) == len({line.get_marker() for line in vivid}) == 8
    assert min(line.get_zorder() for line in vivid) > max(line.get_zorder() for line in lines if line not in vivid)


@pytest.mark.parametrize("draw", FIGURES)
def test_figures_lie_on_any_ground_and_say_which_way_is_better(draw, many):
    figure = draw(many)
    assert {text.get_color() for text in figure.findobj(Text)} == {INK}
    assert not figure.patch.get_visible()
    assert not any(axes.patch.get_visible() for axes in figure.axes)
    assert "is better" in figure.axes[0].texts[0].get_text()
    assert "is better" in FIGURES[draw](many)
    assert "the 8 of most digits in colour" in FIGURES[draw](many)
    assert "in colour" not in FIGURES[draw]([case for case in many if case.library.startswith("library-3-")])


@pytest.mark.parametrize(("micro", "ticks"), [(120.0, {"50", "100", "200"}), (30_000.0, {"10,000", "20,000"})])
def test_the_axis_of_time_has_plain_numbers(micro, ticks, many):
    names = list(dict.fromkeys(case.library for case in many))[:5]
    times = [1e-6 * micro * (i + 1) / 2 for i in range(5)]
    timings = [Timing(name, "p", 2, 3, time, time / 1.1, time * 1.1) for name, time in zip(names, times, strict=True)]
    (axes,) = work_time_figure(many, timings).axes
    assert "µs" in axes.get_xlabel()
    assert "time" in axes.get_xlabel()
    shown = {label.get_text() for label in axes.get_xticklabels()}
    assert ticks <= shown
    assert len(shown) <= 10
    assert "is better" in work_time_caption(many, timings)
    narrow = [label.get_text() for label in fitted(axes.figure, 84 / 25.4).axes[0].get_xticklabels()]
    assert narrow[0]
    assert set(narrow) - {""} <= shown


def test_few_cases_are_drawn_in_steps_and_many_are_not(many):
    (axes,) = profile_figure(many).axes
    assert {line.get_drawstyle() for line in axes.lines} == {"steps-post"}
    (axes,) = profile_figure([case._replace(point=case.point + k) for case in many for k in (0, 100, 200, 300)]).axes
    assert {line.get_drawstyle() for line in axes.lines} == {"default"}


def test_letters_that_the_font_has_not_stand_as_their_numbers(many):
    figure = ecdf_figure([case._replace(library="差分") for case in many[:20]])
    assert legend_texts(figure) == ["[U+5DEE][U+5206]"]
    assert figure_bytes(figure, "svg")


@pytest.mark.parametrize("draw", FIGURES)
def test_a_package_may_have_more_contestants_than_there_are_markers(draw, many):
    figure = draw([case._replace(package="one") for case in many if int(case.library.split("-")[1]) < 24])
    lines = [curve_of(figure, name) for name in legend_texts(figure)]
    assert len({(line.get_marker(), line.get_fillstyle()) for line in lines}) == len(lines) == 24


@pytest.mark.parametrize(
    "draw",
    [profile_figure, *(pytest.param(each, marks=pytest.mark.slow) for each in FIGURES if each != profile_figure)],
)
@pytest.mark.parametrize("letters", [pytest.param("-", marks=pytest.mark.slow), "n"])
def test_the_names_lie_on_the_figure_beside_the_panel_and_apart(draw, letters, many):
    figure = draw([case._replace(library=case.library + 20 * letters) for case in many])
    figure.canvas.draw()
    (axes,) = figure.axes
    boxes = [text.get_window_extent() for text in axes.get_legend().get_texts()]
    width, height = figure.canvas.get_width_height()
    assert min(box.x0 for box in boxes) > axes.get_window_extent().x1
    assert max(box.x1 for box in boxes) < width
    assert min(box.y0 for box in boxes) > 0
    assert max(box.y1 for box in boxes) < height
    assert all(above.y0 >= below.y1 - 1 for above, below in pairwise(boxes))


def test_the_title_stands_above_the_subtitle_however_tall_the_figure_is(many):
    figure = ecdf_figure(many)
    figure.canvas.draw()
    (axes,) = figure.axes
    (subtitle,) = axes.texts
    (title,) = [text for text in axes.get_children() if getattr(text, "get_text", str)() == "How many digits"]
    assert title.get_window_extent().y0 >= subtitle.get_window_extent().y1


def test_the_legend_begins_with_the_best(many):
    assert legend_texts(ecdf_figure(many))[0] == f"library-{MANY - 1}-with-a-long-name"
    assert legend_texts(work_precision_figure(many))[0] == f"library-{MANY - 1}-with-a-long-name"


def test_markers_stand_at_the_medians_and_bars_between_the_quartiles(many):
    (axes,) = work_precision_figure(many).axes
    bars = [line for line in axes.lines if len(line.get_xdata()) == 2]
    for row in work_precision(many):
        marker = curve_of(axes.figure, row["library"])
        (x,), (y,) = marker.get_xdata(), marker.get_ydata()
        assert y == row["digits"]
        assert x == pytest.approx(max(row["evaluations"], NEVER), rel=0.11)
        assert any(
            list(bar.get_ydata()) == [row["digits_low"], row["digits_high"]] and bar.get_xdata()[0] == x for bar in bars
        )


def test_contestants_of_equal_evaluations_stand_beside_each_other(many):
    (axes,) = work_precision_figure(many).axes
    places = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1]
    assert all(abs(a / b - 1) > 0.03 for a, b in combinations(places, 2))


def test_who_never_evaluates_stands_at_0(many):
    (axes,) = work_precision_figure(many).axes
    ticks = dict(zip(axes.get_xticks(), [label.get_text() for label in axes.get_xticklabels()], strict=True))
    assert ticks[NEVER] == "0"
    assert ticks[10] == "10"
    (axes,) = work_precision_figure([case for case in many if case.evaluations]).axes
    assert NEVER not in axes.get_xticks()


def test_medians_are_on_the_panel_though_a_quartile_is_far_below(many):
    far = [case._replace(library="far", digits=-40.0 + 40 * (case.point > 4)) for case in many[:20]]
    (axes,) = work_precision_figure([*many, *far]).axes
    assert axes.get_ylim()[0] == pytest.approx(-1)


def test_the_line_of_the_coverage_is_drawn(many):
    (axes,) = reliability_figure(many).axes
    assert any(list(line.get_xdata()) == [1, 1] for line in axes.lines)
    assert "coverage" in {text.get_text() for text in axes.texts}


def test_who_gives_no_estimate_has_no_curve_of_reliability(many):
    some = [case._replace(error_estimate=np.nan) if case.library.startswith("library-1") else case for case in many]
    figure = reliability_figure(some)
    assert not any(name.startswith("library-1") for name in legend_texts(figure))
    assert any(text.get_text().startswith("29 contestants, 20 problems") for text in figure.axes[0].texts)
    assert reliability_caption(some).startswith("29 contestants, 20 problems")
    alone = [case._replace(library="mute", dtype="float16", error_estimate=np.nan) for case in many[:20]]
    assert reliability_caption([*many, *alone]).startswith("40 contestants, 20 problems, float32, float64;")


def test_who_never_answers_is_counted_beside_the_figure(many):
    some = [case._replace(library="mute", outcome="exception") for case in many[:20]]
    caption = work_precision_caption([*many, *some])
    assert caption.startswith(
        "40 contestants, 20 problems, float32, float64; 1 contestant without any answer left out; "
    )
    assert "mute" not in legend_texts(work_precision_figure([*many, *some]))


def test_the_best_have_a_colour_of_their_own_and_no_style_stands_twice():
    named = [f"contestant-{i}" for i in range(90)]
    styles = contestant_styles([*named, *named])
    assert list(styles) == named
    assert len(set(styles.values())) == len(named)
    assert [styles[name].color for name in named[:8]] == list(COLORS)
    assert {styles[name].color for name in named[8:]} == {BACKGROUND}


@pytest.mark.parametrize("draw", FIGURES)
def test_captions_count_what_is_shown(draw, many):
    caption = FIGURES[draw](many)
    assert caption.startswith("40 contestants, 20 problems, float32, float64; ")
    assert "ε" not in caption.replace("swept over ε", "")
    assert "swept" not in caption


def test_captions_give_the_numbers_of_the_analysis(many):
    failures = sum(case.outcome == "exception" for case in many)
    assert f"{failures} times there was no answer" in work_precision_caption(many)
    assert "left out" not in work_precision_caption(many)
    assert "over 20 problems that could be judged" in profile_caption(many)
    assert f"{len(many) - failures} error estimates;" in reliability_caption(many)
    assert "of up to 20 problems" in ecdf_caption(many)


def test_captions_of_one_are_singular(many):
    for caption in FIGURES.values():
        text = caption(many[:1])
        assert text.startswith("1 contestant, 1 problem, float32; ")
        assert not re.search(r"\b1 (contestants|problems|times|error estimates)\b", text)


def test_a_caption_says_who_was_swept(many):
    some = [case._replace(epsilon=1e-3) if case.library.startswith("library-2-") else case for case in many]
    assert "1 contestant swept over ε, at the optimal one of each problem" in profile_caption(some)


@pytest.mark.parametrize("draw", FIGURES)
def test_figures_of_nobody_and_of_failures_alone_can_be_drawn(draw, many):
    failed = [case for case in many if case.outcome == "exception"]
    for some in ([], failed):
        assert figure_bytes(draw(some), "svg").startswith(b"<?xml")
        assert FIGURES[draw](some)


@pytest.mark.parametrize("draw", FIGURES)
def test_names_are_no_mathematics(draw, many):
    odd = [case._replace(library="a$b^$") for case in many[:20]]
    assert figure_bytes(draw(odd), "svg") == figure_bytes(draw(odd), "svg")
