"""Figures: what they show, checked on matplotlib's objects."""

import io
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from diffbench import DiffbenchError, Function, OpaqueScheme, Spec, plot, run
from diffbench.reference.parts import PARTS
from diffbench.report.plots import (
    BACKGROUND,
    cell_colors,
    error_curves,
    figure_bytes,
    heat_map,
    png_bytes,
    power_of_ten,
    typical_point,
)
from diffbench.rounding import unit_roundoff
from diffbench.sweep.curves import curves_of
from diffbench.sweep.results import Status

FEW = ("forward-1", "central-2", "central-4", "complex-step")


@pytest.fixture(scope="module")
def few():
    return run(Spec(["exp", "abs", "cubic"], FEW))


@pytest.fixture(scope="module")
def many():
    return run(Spec(["exp"]))


def texts(axes):
    return {text.get_text() for text in axes.texts}


def test_the_public_plot_is_a_figure_of_the_object_interface(few):
    assert isinstance(plot(few, "exp"), Figure)
    assert isinstance(plot(few), Figure)


def test_axes_are_logarithmic_and_labelled(few):
    (axes,) = plot(few, "exp").axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert "epsilon" in axes.get_xlabel()
    assert axes.get_ylabel() == "relative error"
    assert "exp" in axes.get_title(loc="left")


def test_every_scheme_is_named_at_its_end_in_its_own_colour(few):
    (axes,) = plot(few, "exp").axes
    assert set(FEW) <= texts(axes)
    colors = {text.get_text(): text.get_color() for text in axes.texts if text.get_text() in FEW}
    assert len(set(colors.values())) == len(FEW)
    markers = {line.get_marker() for line in axes.lines} - {"None", "x", ""}
    assert len(markers) == len(FEW)


def test_names_at_the_ends_do_not_overlap(many):
    (axes,) = plot(many, "exp").axes
    heights = sorted(text.get_position()[1] for text in axes.texts if text.get_text() in many.blocks[0].schemes)
    assert len(heights) > 4
    assert np.diff(heights).min() >= 0.05


def test_all_schemes_are_drawn_and_the_crowd_is_grey(many):
    (axes,) = plot(many, "exp").axes
    curves = [line for line in axes.lines if len(line.get_xdata()) > 20]
    crowd = [each for each in axes.collections if to_hex(each.get_colors()[0]) == BACKGROUND]
    assert len(curves) == 8
    assert sum(len(each.get_segments()) for each in crowd) == len(many.blocks[0].schemes) - 8


def test_the_line_of_the_unit_roundoff_is_drawn_and_named(few):
    (axes,) = plot(few, "exp").axes
    u = unit_roundoff("float64")
    assert any(list(line.get_ydata()) == [u, u] for line in axes.lines)
    (label,) = [text for text in axes.texts if text.get_text() == "unit roundoff u"]
    assert label.get_position()[0] > 1
    (axes,) = error_curves(few.block("exp"), 0).axes
    assert axes.get_ylim()[0] < u < axes.get_ylim()[1]
    assert any("u = 1.1e-16" in text for text in texts(axes))


def test_errors_that_overflow_do_not_press_the_others_flat():
    block = run(Spec(Function("f", "exp(500*x)", ["0.1"]), ["forward-1", "central-8"], anatomy=True)).blocks[0]
    axes, strip = error_curves(block).axes
    low, high = axes.get_ylim()
    assert np.nanmax(block.relative_error) > 1e100
    assert low < np.nanmin(block.relative_error) < 1e40 < high * 1e17 < 1e60
    assert not any(label.get_visible() for label in axes.get_xticklabels())
    assert strip.get_xlim() == axes.get_xlim()
    for end in axes.collections[-1].get_segments():
        assert (end[:, 1] <= 1).all()


@pytest.mark.parametrize("scheme", ["forward-1", "central-4"])
def test_ticks_are_few(few, scheme):
    (axes,) = error_curves(few.block("exp"), list(FEW).index(scheme) % 2).axes
    for axis in (axes.xaxis, axes.yaxis):
        powers = np.log10(axis.get_ticklocs())
        assert 3 <= powers.size <= 6
        assert len(set(np.diff(powers).round(6))) == 1


def test_the_points_are_the_errors_of_the_ok_cells(few):
    block = few.block("exp")
    p = list(block.x).index(2)
    (axes,) = error_curves(block, p).axes
    s = block.schemes.index("central-2")
    color = next(text.get_color() for text in axes.texts if text.get_text() == "central-2")
    (line,) = [line for line in axes.lines if line.get_color() == color and line.get_marker() not in {"x", "None"}]
    grid = slice(0, block.grid_size)
    ok = block.status[s, p, grid] == Status.OK
    np.testing.assert_array_equal(line.get_xdata(), block.epsilon[s, p, grid][ok])
    np.testing.assert_array_equal(line.get_ydata(), np.maximum(block.relative_error[s, p, grid][ok], 2.0**-54))
    (lost,) = [line for line in axes.lines if line.get_color() == color and line.get_marker() == "x"]
    assert len(lost.get_xdata()) == np.count_nonzero(block.status[s, p, grid] == Status.COLLAPSED) > 0


@pytest.fixture(scope="module")
def taken_apart():
    return run(Spec(["exp", "abs"], ["forward-1", "central-2", "complex-step"], anatomy=True))


def test_a_strip_shows_the_shares_of_the_parts(taken_apart):
    block = taken_apart.block("exp")
    _, strip = error_curves(block, 1).axes
    sizes = np.abs(block.parts[:, 1, 1, : block.grid_size])
    tops = np.cumsum(sizes / sizes.sum(axis=0), axis=0)
    drawn = {patch.get_label(): patch.get_data() for patch in strip.patches}
    assert set(drawn) == set(PARTS)
    for name, top in zip(PARTS, tops, strict=True):
        np.testing.assert_allclose(drawn[name].values, top[::-1])
    edges = drawn["node"].edges
    assert ((edges[:-1] < block.grid[::-1]) & (block.grid[::-1] < edges[1:])).all()
    assert strip.get_legend().get_title().get_text() == "parts of central-2"


def test_one_scheme_is_drawn_with_its_parts(taken_apart):
    block = taken_apart.block("exp")
    axes, strip = plot(taken_apart, "exp", scheme="complex-step").axes
    assert {"error", "truncation", "evaluation", "arithmetic"} < texts(axes)
    # The nodes of a complex step are ideal.
    assert "node" not in texts(axes)
    (error,) = [line for line in axes.lines if line.get_color() == "#000000" and len(line.get_xdata()) > 2]
    p = typical_point([curves_of(block)])
    np.testing.assert_array_equal(error.get_ydata(), np.abs(block.error[2, p, : block.grid_size]))
    assert axes.get_ylabel() == "absolute error of complex-step"
    assert strip.get_legend().get_title().get_text() == "parts of complex-step"


def test_where_no_error_has_parts_there_is_no_strip(taken_apart):
    kink = list(taken_apart.block("abs").x).index(0)
    assert len(error_curves(taken_apart.block("abs"), kink).axes) == 1


def test_what_cannot_be_taken_apart_is_refused(few, taken_apart):
    for results, options, reason in (
        (few, {"function": "exp", "scheme": "central-2"}, "no anatomy"),
        (taken_apart, {"function": "exp", "scheme": "central-9"}, "'central-9' is not one of"),
        (taken_apart, {"scheme": "central-2"}, "needs a function"),
    ):
        with pytest.raises(DiffbenchError, match=reason):
            plot(results, **options)


def test_where_the_derivative_is_zero_absolute_errors_are_drawn():
    block = run(Spec(Function("f", "x**2", ["0"]), ["forward-1", "central-2"])).blocks[0]
    (axes,) = error_curves(block).axes
    assert axes.get_ylabel() == "absolute error (the derivative is 0)"
    assert not any("unit roundoff" in text for text in texts(axes))


def test_the_typical_point_is_neither_best_nor_worst():
    easy, middle, hard = "1", "30", "300"
    block = run(Spec(Function("f", "sin(x)", [hard, easy, middle]), ["forward-1"])).blocks[0]
    assert typical_point([curves_of(block)]) == 2


def test_a_point_with_a_derivative_of_0_is_rather_typical_than_one_without_any():
    block = run(Spec(Function("f", "Abs(x)", ["0", "1"]), ["forward-1-d2"], "1e-1:1e-3")).blocks[0]
    assert typical_point([curves_of(block)]) == 1
    (axes,) = error_curves(block).axes
    assert axes.get_ylabel() == "absolute error (the derivative is 0)"


def test_where_every_cell_fails_the_figure_counts_them():
    function = Function("f", "x**2", ["3"], evaluate=lambda x: x * np.nan)
    (axes,) = error_curves(run(Spec(function, ["forward-1"], "1e-1:1e-3")).blocks[0]).axes
    assert "no cell is ok:\n9 nonfinite" in texts(axes)


def test_a_point_without_digits_is_not_typical():
    block = run(Spec(Function("f", "Abs(x)*x", ["0", "1"]), ["forward-1"])).blocks[0]
    assert typical_point([curves_of(block)]) == 1


@pytest.mark.parametrize("formula", ["Abs(x - 1)", "Max(sin(x)**2 + cos(x)**2, 1)"])
def test_a_function_without_any_ok_cell_has_a_figure_that_says_why(formula):
    results = run(Spec(Function("f", formula, ["1"]), ["forward-1"], "1e-1:1e-3"))
    assert results.counts["ok"] == 0
    block = results.blocks[0]
    (axes,) = error_curves(block).axes
    (said,) = [text for text in texts(axes) if text.startswith("no error to measure")]
    words = {"nondifferentiable": "there is no derivative here", "uncertain": "the exact derivative is uncertain"}
    assert words[block.references[0].verdict] in said
    assert ("-1 from the left, 1 from the right" in said) == (formula == "Abs(x - 1)")
    assert axes.get_ylabel() == "error"
    assert not axes.get_yticks().size
    assert figure_bytes(plot(results, "f"), "svg").startswith(b"<?xml")
    assert figure_bytes(plot(results), "svg").startswith(b"<?xml")


@pytest.mark.parametrize("name", ["$x^2$", "$\\frac{$", "a_b^c $", "<script>&", "x" * 200, "%d"])
def test_odd_names_are_drawn_as_they_are(name):
    results = run(Spec(Function(name, "x**2", ["3"]), ["forward-1"], ["1e-3", "1e-4"]))
    (axes,) = plot(results, name).axes
    assert name[:29] in axes.get_title(loc="left")
    (title,) = [text for text in axes.findobj(Text) if text.get_text() == axes.get_title(loc="left")]
    assert not title.get_parse_math()
    ET.fromstring(figure_bytes(axes.figure, "svg"))  # noqa: S314  (our own)


@pytest.mark.parametrize("name", ["a_b^c $", "<script>&", "x" * 200, "%d"])
def test_odd_names_stand_in_heat_maps(name):
    results = run(Spec(Function(name, "x**2", ["3"]), ["forward-1"], ["1e-3", "1e-4"]))
    figure = plot(results)
    (label,) = figure.axes[0].get_yticklabels()
    assert label.get_text().startswith(name[:20])
    ET.fromstring(figure_bytes(figure, "svg"))  # noqa: S314  (our own)


def test_letters_that_the_font_has_not_stand_as_their_numbers():
    mine = OpaqueScheme("差", lambda f, x, e: 6.01)
    results = run(Spec(Function("日本/x", "x**2", ["3"], tags=["🙂"]), [mine, "forward-1"], ["1e-3", "1e-4"]))
    for figure in (error_curves(results.blocks[0]), heat_map(results)):
        assert figure_bytes(figure, "svg")
        said = {text.get_text() for text in figure.findobj(Text)}
        assert any(text.startswith("[U+65E5][U+672C]/x") for text in said)
        assert "[U+5DEE]" in said


def test_heat_map_has_a_row_a_function_and_a_column_a_scheme(few):
    figure = heat_map(few)
    axes, bar = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["exp", "abs", "cubic"]
    assert [label.get_text() for label in axes.get_xticklabels()] == list(FEW)
    assert axes.images[0].get_array().shape == (3, 4)
    assert "digits" in bar.get_ylabel()


def test_heat_map_is_hatched_where_there_are_no_digits(few):
    axes = heat_map(few).axes[0]
    missing = np.argwhere(np.ma.getmaskarray(np.ma.masked_invalid(axes.images[0].get_array())))
    assert [tuple(place) for place in missing] == [(1, 3)]
    assert len([patch for patch in axes.patches if patch.get_hatch()]) == 1
    assert len(axes.texts) == 3 * 4 - 1


def test_a_block_that_is_not_there_is_refused(few):
    for call in (lambda: plot(few, "nosuch"), lambda: plot(few, derivative=3), lambda: plot(few, dtype="float16")):
        with pytest.raises(DiffbenchError) as caught:
            call()
        assert caught.value.exit_code == 5


@pytest.mark.parametrize("digits", [-30.0, 0.0, 5.0, 7.0, 9.2, 12.0, 16.3])
def test_text_on_a_coloured_cell_is_readable(digits):
    def luminance(color):
        channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    background, text = (luminance(color) for color in cell_colors(digits))
    bright, dark = max(background, text), min(background, text)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_the_same_figure_gives_the_same_bytes(few, kind):
    first, second = (figure_bytes(plot(few, "cubic"), kind) for _ in range(2))
    assert first == second
    assert first.startswith({"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[kind])
    assert b"CreationDate" not in first


def test_svg_holds_no_date_no_script_and_no_address_of_another_place(few):
    root = ET.fromstring(figure_bytes(plot(few, "exp"), "svg"))  # noqa: S314  (our own)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not names & {"script", "image", "foreignObject", "date"}
    for element in root.iter():
        for key, value in element.attrib.items():
            if key.endswith("href"):
                assert value.startswith("#")


def test_small_pngs_are_pictures_of_the_right_size(few):
    data = png_bytes(plot(few, "exp"))
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (720, 440)
        assert len(picture.getcolors(256)) > 5
    assert png_bytes(plot(few, "exp")) == data
    assert len(data) < 60_000


def test_a_block_without_a_grid_has_no_curves():
    alone = OpaqueScheme("alone", lambda f, x: 6.0, takes_epsilon=False)
    results = run(Spec(Function("f", "x**2", ["3"]), [alone], ["1e-3"]))
    assert isinstance(plot(results, "f"), Figure)


@pytest.mark.slow
def test_drawing_leaves_the_state_of_pyplot_alone():
    code = (
        "import sys; from diffbench import Spec, plot, run; plot(run(Spec('lab')), 'w**2');"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_curves_whose_derivative_is_0_can_be_drawn():
    results = run(Spec(Function("line", "3*x - 1", ["2"]), ["central-2-d2", "forward-1-d2"], "1e-1:1e-9"))
    assert figure_bytes(error_curves(results.blocks[0]), "svg")


def test_names_are_no_mathematics():
    mine = OpaqueScheme("a$b^$", lambda f, x, e: 6.01)
    results = run(Spec(Function("cost $x^$", "x**2", ["3"]), [mine, "forward-1"], ["1e-3", "1e-4"]))
    for figure in (error_curves(results.blocks[0]), heat_map(results)):
        assert figure_bytes(figure, "svg")


@pytest.mark.parametrize("digits", [-5, 0, 4, 7, 7.6, 8, 8.5, 9, 9.1, 10, 13, 16])
def test_text_on_cells_has_contrast(digits):
    def luminance(color):
        parts = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    low, high = sorted(map(luminance, cell_colors(digits)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_a_tick_beyond_the_range_has_no_label():
    assert power_of_ten(1e-16) == "10⁻¹⁶"
    # Old versions of matplotlib ask for these.
    assert power_of_ten(float("inf")) == power_of_ten(0.0) == ""
