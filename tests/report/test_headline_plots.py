"""The figures that a report begins with: what they show, checked on matplotlib's objects and on pure functions."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import numpy as np
import pytest
from matplotlib.text import Text

from diffbench import Function, Spec, run
from diffbench.analysis.scheme_profiles import Work, pools, work_and_digits
from diffbench.report.headline_plots import (
    FLOOR,
    LINE,
    FloatAxis,
    accuracy_over_x,
    headline_figures,
    number_text,
    place_labels,
    profile_steps,
    sparse,
    stand_beside,
)
from diffbench.report.plots import INK, STYLES, emphasised_schemes, error_curves, figure_bytes, inline_svg, see_through
from diffbench.report.print_pages import fitted
from diffbench.schemes.scheme import catalogue

FEW = ("forward-1", "central-2", "complex-step")
KINDS = ("profile", "work-precision", "classes")


@pytest.fixture(scope="module")
def few():
    return run(Spec(["exp", "sin", "abs", "cubic"], FEW))


@pytest.fixture(scope="module")
def standard():
    return run(Spec("standard"))


def by_name(results):
    found = {headline.name.rpartition("-d")[0]: headline for headline in headline_figures(results)}
    return found | {"over-x": accuracy_over_x(results)}


@pytest.fixture(scope="module")
def headlines(standard):
    """Return the figures of the standard suite, for tests that change nothing of them."""
    return by_name(standard)


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def luminance(color):
    parts = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def contrast(color, ground):
    low, high = sorted((luminance(color), luminance(ground)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.slow
def test_every_derivative_and_dtype_has_three_figures():
    schemes, both = ["central-2", "central-4"], {"derivatives": [1, 2], "dtypes": ["float64", "float32"]}
    results = run(Spec(["exp"], schemes, "1e-1:1e-9", **both))
    names = [headline.name for headline in headline_figures(results)]
    assert names[:3] == [f"{kind}-d1-float64" for kind in KINDS]
    assert sorted(names) == sorted(f"{k}-d{m}-{t}" for k in KINDS for m in (1, 2) for t in ("float32", "float64"))
    assert accuracy_over_x(results).name == "over-x-d1-float64"


def test_one_scheme_has_no_profile():
    names = [headline.name for headline in headline_figures(run(Spec("lab", ["central-2"])))]
    assert names == ["work-precision-d1-float64", "classes-d1-float64"]


def test_figures_say_what_they_show_and_which_way_is_better(few):
    for headline in by_name(few).values():
        said = " ".join(texts(headline.figure))
        assert "is better" in said
        assert "first derivative, float64" in said
        assert headline.title
        assert "3 schemes" in headline.caption


def test_every_scheme_is_named_in_the_grey_of_all_text(few):
    for headline in by_name(few).values():
        assert set(FEW) <= set(texts(headline.figure))
        assert {text.get_color() for text in headline.figure.findobj(Text)} == {INK}
        assert not headline.figure.patch.get_visible()


def test_profiles_are_drawn_as_they_are_computed(few):
    first, second = by_name(few)["profile"].figure.axes
    curves = {line.get_color(): line for line in first.lines if len(line.get_xdata()) > 2}
    (pool,) = pools(few.curves)
    behind = np.nanmax(pool.optimal, axis=0) - pool.optimal
    for scheme, own in zip(FEW, behind, strict=True):
        x, y = curves[STYLES[scheme][0]].get_data()
        assert y[0] == pytest.approx((own == 0).mean())
        # Of so few problems each step is at its own factor, and is a step.
        rises = np.flatnonzero(np.diff(y))
        assert (np.diff(x)[rises] == 0).all()
        np.testing.assert_allclose(np.log10(x[rises]), np.unique(own[own > 0]), atol=1e-9)
    assert (first.get_xscale(), first.get_xlim()) == ("log", second.get_xlim())


def test_a_profile_is_the_exact_distribution():
    behind = np.array([3.0, 0.5, np.inf, 0.5, np.nan])
    assert profile_steps(behind, 4.0).tolist() == [[0, 0], [0.5, 0], [0.5, 0.4], [3, 0.4], [3, 0.6], [4, 0.6]]
    assert profile_steps(np.full(3, np.inf), 4.0).tolist() == [[0, 0], [4, 0]]


def test_a_line_of_many_steps_is_thinned_and_stays_where_it_is():
    corners = profile_steps(np.append(np.linspace(0, 1, 400), 3.0), 4.0)
    size = np.array([0.05, 0.02])
    thin = sparse(corners, size)
    assert len(thin) < len(corners) / 4
    assert thin[[0, -1]].tolist() == corners[[0, -1]].tolist()
    away = np.abs(corners[:, None, :] - thin[None, :, :]) / size
    ramp = corners[:, 0] <= 1
    assert away[ramp].max(axis=2).min(axis=1).max() <= 1
    assert [3.0, corners[-3, 1]] in thin.tolist()


def test_one_problem_has_no_profile():
    names = [headline.name for headline in headline_figures(run(Spec(Function("f", "exp(x)", ["1"]), FEW)))]
    assert names == ["work-precision-d1-float64", "classes-d1-float64"]


def test_schemes_without_any_answer_are_left_out_and_what_is_not_drawn_is_not_named():
    results = run(Spec(["exp", "sin"], ["central-2", "complex-step"], "1e-1:1e-4", dtypes=["float16"], rules=[]))
    assert results.counts["unsupported"] > 0
    for kind in ("work-precision", "classes"):
        headline = by_name(results)[kind]
        said = " ".join(texts(headline.figure))
        assert "central-2" in said
        assert "complex-step" not in said
        assert "○" not in said
        assert "front" not in said
        assert "1 scheme without any answer left out" in headline.caption


def test_the_front_that_is_drawn_is_named(few):
    headline = by_name(few)["work-precision"]
    assert "-- front" not in " ".join(texts(headline.figure))
    assert "dashed" not in headline.caption
    headline = by_name(run(Spec(["exp", "sin"], ["forward-1", "central-2", "central-4"])))["work-precision"]
    assert "○ usual ε  -- front  ·" in " ".join(texts(headline.figure))
    assert "on the front, dashed, from cheap to dear: " in headline.caption


def test_every_number_of_evaluations_has_a_tick(standard, headlines):
    (axes,) = headlines["work-precision"].figure.axes
    evaluations = {work.evaluations for work in work_and_digits(pools(standard.curves)[0])}
    assert {7, 8} < evaluations
    assert {label.get_text() for label in axes.get_xticklabels()} == {str(number) for number in evaluations}


@pytest.mark.slow
def test_names_stay_beside_the_panel_when_it_becomes_narrow(standard):
    for kind in ("classes", "profile"):
        figure = fitted(by_name(standard)[kind].figure, 84 / 25.4)
        axes = figure.axes[0]
        right = axes.get_window_extent().x1
        marks = [line for line in axes.lines if not line.get_clip_on() and len(line.get_xdata()) == 1]
        assert len(marks) == 8
        for mark in marks:
            (place,) = mark.get_transform().transform(mark.get_xydata())
            assert place[0] - right == pytest.approx(0.17 * figure.dpi)


def test_work_and_precision_stand_at_their_medians(few):
    (axes,) = by_name(few)["work-precision"].figure.axes
    works = work_and_digits(pools(few.curves)[0])
    places = stand_beside(works)
    drawn = {(line.get_color(), float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in axes.lines}
    for work in works:
        for digits in (work.optimal, work.usual):
            assert (STYLES[work.scheme][0], places[work.scheme], max(digits, FLOOR)) in drawn


def test_schemes_of_equal_price_stand_beside_each_other():
    works = [Work("a", 2, 1.0, None), Work("b", 2, 1.0, None), Work("c", 0, 1.0, None)]
    places = stand_beside(works)
    assert places["a"] < 2 < places["b"]
    assert places["a"] * places["b"] == pytest.approx(4)
    assert 0 < places["c"] < 1


def test_a_crowd_is_grey_and_eight_are_named_and_who_is_on_the_front(standard, headlines):
    for headline in headlines.values():
        named = [text for text in texts(headline.figure) if text in standard.curves[0].schemes]
        assert 8 <= len(set(named)) <= 10
    lines = headlines["profile"].figure.axes[0].lines
    curves = [line for line in lines if len(line.get_xdata()) > 10]
    assert len(curves) == len(standard.curves[0].schemes)
    assert sum(line.get_color() == "#808080" for line in curves) == len(curves) - 8


def test_names_do_not_overlap(standard, headlines):
    for headline in headlines.values():
        renderer = headline.figure.canvas.get_renderer()
        named = [t for t in headline.figure.findobj(Text) if t.get_text() in standard.curves[0].schemes]
        boxes = [text.get_window_extent(renderer) for text in named]
        width, height = headline.figure.bbox.size
        for box in boxes:
            assert box.x0 >= 0
            assert box.x1 <= width
            assert box.y0 >= 0
            assert box.y1 <= height
        for a, b in combinations(boxes, 2):
            rows = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert rows < 0.35 * a.height or min(a.x1, b.x1) <= max(a.x0, b.x0)


def test_labels_find_room_beside_points():
    points = [(1.0, 1.0), (1.1, 1.0), (1.05, 1.1), (1.0, 0.9), (2.9, 1.0)]
    boxes = place_labels(points, [0.5] * 5, (0, 0, 3, 2), LINE)
    for (left, low, right, top), (other_left, other_low, other_right, other_top) in combinations(boxes, 2):
        assert min(right, other_right) <= max(left, other_left) or min(top, other_top) <= max(low, other_low)
    for left, low, right, top in boxes:
        assert 0 <= left <= right <= 3
        assert 0 <= low <= top <= 2
        for x, y in points:
            assert not (left < x < right and low < y < top)


def test_labels_keep_off_what_is_taken():
    taken = (1.0, 0.9, 2.0, 1.1)
    ((_, low, right, top),) = place_labels([(1.0, 1.0)], [0.5], (0, 0, 3, 2), LINE, [taken])
    assert right <= taken[0] or low >= taken[3] or top <= taken[1]


def test_the_axis_of_x_spreads_floating_point_numbers_evenly():
    axis = FloatAxis.of(np.array([-8.0, 0.0, 0.5, 1.0, 2.0, 16.0]))
    steps = np.diff(axis.place(np.array([0.5, 1.0, 2.0, 4.0, 8.0])))
    assert len(set(steps.tolist())) == 1
    places = axis.place(np.array([-8.0, -1.0, -0.5, 0.0, 0.5, 1.0, 16.0]))
    assert (np.diff(places) > 0).all()
    assert axis.place(np.array(0.0)) == 0
    assert axis.place(np.array(0.5)) < steps[0], "where no point is, there is little room"


@pytest.mark.slow
def test_ticks_are_the_ends_zero_and_one_and_do_not_crowd():
    axis = FloatAxis.of(np.array([-1e300, 0.0, 1e-300, 1e300]))
    ticks = axis.ticks()
    assert {-1e300, -1.0, 0.0, 1.0, 1e300} <= set(ticks)
    places = axis.place(np.array(sorted(ticks)))
    assert np.diff(places).min() > 0.06 * (places[-1] - places[0])
    assert 7 <= len(ticks) <= 15


def test_an_axis_of_positive_x_has_no_negative_tick():
    assert set(FloatAxis.of(np.array([1.0, 2.0, 3.0])).ticks()) == {1.0, 2.0, 3.0} - {2.0}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1.0, "1"), (-0.5, "−0.5"), (1e-5, "10⁻⁵"), (-1e300, "−10³⁰⁰"), (2.5e-6, "2.5·10⁻⁶"), (1234.5, "1234")],
)
def test_numbers_on_the_axis(value, text):
    assert number_text(value) == text


def test_fewer_than_three_x_are_no_axis():
    assert accuracy_over_x(run(Spec(Function("f", "sin(x)", ["1", "2"]), ["forward-1"], "1e-1:1e-3"))) is None


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (Function("f", "Abs(x)", ["0"]), 2),
        (Function("f", "x**2", ["0"]), 2),
        (Function("f", "x**2", ["1", "2", "3"], evaluate=lambda x: x * np.nan), 3),
    ],
)
def test_runs_without_any_digits_have_figures(function, count):
    results = run(Spec([function], ["forward-1", "central-2"], "1e-1:1e-3"))
    assert len(headline_figures(results)) == count
    for headline in (*headline_figures(results), accuracy_over_x(results)):
        if headline is not None:
            assert figure_bytes(headline.figure, "svg").startswith(b"<?xml")


def test_letters_that_the_font_has_not_stand_as_their_numbers():
    functions = [Function("日本", "x**2", ["3"], tags=["関数"]), Function("g", "x", ["1"], tags=["🙂"])]
    results = run(Spec(functions, ["forward-1", "central-2"], ["1e-3", "1e-4"]))
    figure = by_name(results)["classes"].figure
    assert {"[U+95A2][U+6570]", "[U+1F642]"} <= set(texts(figure))
    assert figure_bytes(figure, "svg")


@pytest.mark.parametrize("name", ["$x^2$", "<script>&", "x" * 200, "%d"])
def test_odd_names_are_drawn_as_they_are(name):
    results = run(Spec([Function(name, "x**2", ["3"]), Function("g", "x", ["1"])], ["forward-1"], ["1e-3", "1e-4"]))
    figure = by_name(results)["classes"].figure
    assert any(text.startswith(name[:20]) for text in texts(figure))
    ET.fromstring(inline_svg(figure, "classes", name))  # noqa: S314  (our own)


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes(few):
    for first, second in zip(by_name(few).values(), by_name(few).values(), strict=True):
        assert first.caption == second.caption
        for kind in ("svg", "pdf", "png"):
            assert figure_bytes(first.figure, kind) == figure_bytes(second.figure, kind)
        assert inline_svg(first.figure, "a", "b") == inline_svg(second.figure, "a", "b")


def test_figures_for_pages_are_small_and_their_text_is_text(standard):
    for headline in by_name(standard).values():
        svg = inline_svg(headline.figure, headline.name, headline.title)
        assert len(svg) < 3_200 * len(catalogue(1))  # a row each
        root = ET.fromstring(svg)  # noqa: S314  (our own)
        said = [element.text for element in root.iter() if element.tag.endswith("}text")]
        assert {"central-2", "complex-step"} <= set(said)
        assert (root.get("role"), root.get("aria-label")) == ("img", headline.title)
        assert INK.lower() not in svg
        assert "currentColor" in svg


def test_figures_on_a_page_share_no_names(few):
    found = [set(re.findall(r'id="([^"]*)"', inline_svg(h.figure, h.name, ""))) for h in by_name(few).values()]
    for a, b in combinations(found, 2):
        assert not a & b
    assert all(found)


def test_rounding_leaves_texts_alone(few):
    figure = by_name(few)["profile"].figure
    figure.text(0.5, 0.5, "3.14159265 #767676")
    assert ">3.14159265 #767676<" in inline_svg(figure, "a", "b")


@pytest.mark.parametrize("ground", ["#ffffff", "#14171c"])
def test_colours_have_contrast_on_light_and_dark_pages(ground):
    for color, _ in STYLES.values():
        assert contrast(color, ground) >= 3
    assert contrast(INK, ground) >= 3.9


def test_no_two_emphasised_schemes_look_alike():
    assert len({color for color, _ in STYLES.values()}) == len({marker for _, marker in STYLES.values()}) == 8
    unknown = tuple(f"mine-{i}" for i in range(12))
    styles = emphasised_schemes((*unknown, "central-2"))
    assert len(styles) == len(set(styles.values())) == 8
    assert styles["central-2"] == STYLES["central-2"]
    assert list(styles) == [*unknown[:7], "central-2"]


def test_a_figure_may_be_made_see_through_twice(few):
    for headline in by_name(few).values():
        before = figure_bytes(headline.figure, "svg")
        assert figure_bytes(see_through(headline.figure), "svg") == before


def test_other_figures_can_be_made_see_through(few):
    figure = see_through(error_curves(few.blocks[0]))
    svg = inline_svg(figure, "exp", "exp").lower()
    assert "unit roundoff" in svg
    assert "#ffffff" not in svg
