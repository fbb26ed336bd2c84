"""What a notebook and a prompt show: short, escaped, and never all of it."""

import html
import re
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

import diffbench
from diffbench import Function, Spec, parse_formula, plot, run
from diffbench.functions.function import formula_html
from diffbench.functions.suites import load_suite
from diffbench.schemes.scheme import catalogue

NASTY = "<script>alert(1)</script> & `x`"


@pytest.fixture(scope="module")
def results():
    functions = ["exp", "abs", "sqrt", Function(NASTY, "x**2", ["3"])]
    return run(Spec(functions, None, "1e-2:1e-8:1/decade"))


class Tags(HTMLParser):
    """Checks that tags are closed in turn, and keeps them and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.names, self.text = [], set(), ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.names.add(tag)
        self.open += [tag] if tag != "br" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_results_show_counts_verdicts_and_the_first_ten(results):
    shown = Tags(results._repr_html_())
    assert shown.names <= {"p", "strong", "br", "table", "thead", "tbody", "tr", "th", "td"}
    schemes = len(catalogue(1))
    assert f"4 functions × {schemes} schemes" in shown.text
    for count, name in ((results.counts["ok"], "ok"), (results.verdicts["certified"], "certified")):
        assert f"{count:,} {name}" in shown.text
    assert results._repr_html_().count("<tr") == 1 + 10
    assert f"the first 10 of {schemes}" in shown.text
    assert str(diffbench.rank(results).scheme[0]) in shown.text


def test_a_prompt_never_prints_arrays(results):
    text = repr(results)
    assert text.startswith(f"<Results: 4 functions × {len(catalogue(1))} schemes, ")
    assert f"{results.counts['ok']:,} ok" in text
    assert len(text) < 300
    assert "\n" not in text


def test_results_draw_themselves(results):
    figure = results.plot("exp")
    assert isinstance(figure, Figure)
    assert figure.axes[0].get_title(loc="left") == diffbench.plot(results, "exp").axes[0].get_title(loc="left")
    assert isinstance(results.plot(), Figure)
    with pytest.raises(diffbench.DiffbenchError, match="needs a function"):
        results.plot(scheme="central-2")


def test_a_function_shows_formula_points_domain_and_tags():
    function = Function("a", "sqrt(x)/x**2", ["1/3", 2], domain="(0, oo)", tags=["root", "odd"], source="A & B")
    shown = Tags(function._repr_html_())
    for text in ("sqrt(x)/x**2", "1/3, 2", "(0, oo)", "root, odd", "A & B", "points (2)"):
        assert text in shown.text
    assert "<sup>2</sup>" in function._repr_html_()
    assert repr(function) == "<Function 'a': sqrt(x)/x**2, points=['1/3', '2'], domain='(0, oo)'>"


def test_large_functions_are_short():
    function = Function("x" * 200, "+".join(["x"] * 190), [str(i) for i in range(5000)])
    assert len(repr(function)) < 400
    assert "5000 in all" in repr(function)
    assert len(function._repr_html_()) < 3000


def test_names_are_text_in_html():
    shown = Tags(Function(NASTY, "x", ["1"], tags=["<b>"])._repr_html_())
    assert "script" not in shown.names
    assert "b" not in shown.names
    assert NASTY in shown.text


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("1-(x-2)", "1 − (x − 2)"),
        ("1-(x+2)", "1 − (x + 2)"),
        ("-x**2", "−x^{2}"),
        ("(-x)**2", "(−x)^{2}"),
        ("x**-2", "x^{−2}"),
        ("0.5**x", "(1/2)^{x}"),
        ("x**2**3", "x^{2^{3}}"),
        ("(x**2)**3", "(x^{2})^{3}"),
        ("x/(2*x)", "x/(2·x)"),
        ("x/2*3", "x/2·3"),
        ("(x+1)*pi", "(x + 1)·π"),
        ("-(x+1)", "−(x + 1)"),
        ("Piecewise((0, x < 0), (x, True))", "Piecewise(0, x < 0, x, True)"),
        ("hyper([1/2], [], x)", "hyper([1/2], [], x)"),
    ],
)
def test_formulas_mean_the_same_by_hand(formula, text):
    shown = formula_html(parse_formula(formula).tree)
    raised = shown.replace("<sup>", "^{").replace("</sup>", "}").replace("<i>", "").replace("</i>", "")
    assert html.unescape(raised) == text


def test_every_function_of_the_suites_has_a_picture():
    for name in ("standard", "published", "lab"):
        for function in load_suite(name).functions:
            shown = Tags(function._repr_html_())
            assert shown.names <= {"p", "strong", "i", "sup", "table", "tr", "th", "td", "code"}
            assert re.search(r"object at 0x|Fraction\(", repr(function)) is None


def test_figures_show_themselves_in_a_notebook_that_has_not_imported_pyplot():
    figure = plot(run(Spec("exp", ["central-2"])), "exp")
    assert figure._repr_png_().startswith(b"\x89PNG")
