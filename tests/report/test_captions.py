"""Captions say what was drawn, in three languages that show names as they are; the glossary is one file."""

import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction

import pytest
from markdown_it import MarkdownIt
from markupsafe import Markup

from diffbench import Spec, run
from diffbench.analysis.scheme_profiles import pools
from diffbench.report.captions import (
    Scope,
    classes_caption,
    computed,
    glossary,
    glossary_entries,
    over_x_caption,
    profile_caption,
    scope_of,
    to_html,
    to_latex,
    to_markdown,
    work_precision_caption,
)
from diffbench.report.overview import verdict_of
from diffbench.report.precision import Precision
from diffbench.report.tables import run_tables
from diffbench.sweep.results import STATUSES

SCOPE = Scope(
    1, "float32", 3, 12, 19, 8, 2, 1, has_usual=True, epsilons=65, largest=Fraction(1), smallest=Fraction("1e-16")
)
CAPTIONS = {
    "profile": profile_caption(SCOPE),
    "work": work_precision_caption(SCOPE, [["complex-step"], ["central-2", "central-4"]]),
    "classes": classes_caption(SCOPE, "class", 20, 3),
    "over x": over_x_caption(SCOPE),
}
ODD = ["<script>alert(1)</script>", r"\input{/etc/passwd}", "50 % of x_1^2", "a & b", "ε − σ ≤ 1", 'say "x"', "[a](b)"]


def shown(html):
    """Return what a browser shows of a piece of HTML."""
    return "".join(ET.fromstring(f"<p>{html}</p>").itertext())  # noqa: S314  (our own)


@pytest.mark.parametrize("caption", CAPTIONS.values(), ids=CAPTIONS)
def test_captions_say_how_much_was_drawn_and_which_way_is_better(caption):
    for words in ("19 schemes (8 named, the others grey)", "12 problems", "3 functions", "first derivative", "float32"):
        assert words in caption
    assert "is better" in caption
    assert "optimal ε: the best of 65 from 1 to 1e-16" in caption
    assert "usual ε: u^(1/(m+p))" in caption


def test_captions_follow_what_they_are_made_from():
    other = replace(SCOPE, has_usual=False, schemes=1, emphasised=1, problems=1, zero=0, unsettled=0, dtype="float64")
    caption = profile_caption(other)
    assert "1 scheme on 1 problem (" in caption
    assert "usual" not in caption
    assert "left out" not in caption
    assert "u = 1.1e-16" in caption
    assert "u = 6e-08" in CAPTIONS["profile"]


def test_what_is_left_out_is_said():
    assert (
        "left out: 2 problems whose derivative is 0 and 1 problem whose reference is not settled" in CAPTIONS["profile"]
    )
    assert "20 shown, 3 of the fewest functions left out" in CAPTIONS["classes"]
    fronts = "dotted, from cheap to dear: central-2, central-4"
    assert f"most digits and fewest evaluations: complex-step; on the next front, {fronts}" in CAPTIONS["work"]


def test_the_scope_is_that_of_the_run():
    results = run(Spec(["exp", "abs"], ["forward-1", "central-2"], "1e-1:1e-3:1/decade"))
    (pool,) = pools(results.curves)
    scope = scope_of(pool, results.spec, 2)
    assert (scope.functions, scope.schemes, scope.epsilons) == (2, 2, 3)
    assert (scope.largest, scope.smallest) == (Fraction("0.1"), Fraction("0.001"))
    points = len(results.references())
    assert (scope.problems + scope.zero + scope.unsettled, scope.unsettled, scope.has_usual) == (points, 1, True)


def test_captions_say_what_computed_f_where_that_is_not_numpy():
    assert all("computed by" not in caption for caption in CAPTIONS.values())
    other = replace(SCOPE, evaluator="torch")
    made = (profile_caption(other), work_precision_caption(other, []), classes_caption(other, "class", 20, 3))
    for caption in (*made, over_x_caption(other)):
        assert "first derivative, float32, f computed by torch;" in caption


@pytest.mark.parametrize("evaluator", ["numpy", "torch"])
def test_reports_say_what_computed_f_where_that_is_not_numpy(evaluator, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    dtypes = ["float32", "float64"]
    results = run(Spec("exp", ["forward-1", "central-2"], "1e-1:1e-3:1/decade", dtypes=dtypes, evaluator=evaluator))
    said = computed(results.spec)
    assert said == ("; f computed by torch" if evaluator == "torch" else "")
    assert scope_of(pools(results.curves)[0], results.spec, 2).evaluator == evaluator
    assert ("f computed by" in verdict_of(results, run_tables(results))) == bool(said)
    assert ("f computed by" in Precision(results).figures()[0].caption) == bool(said)


@pytest.mark.parametrize("text", ODD)
def test_html_shows_the_text_as_it_is(text):
    html = to_html(text)
    assert isinstance(html, Markup)
    assert shown(html) == text
    assert "<script" not in html


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("page", [None, "glossary.md"])
def test_markdown_shows_the_text_as_it_is(text, page):
    html = MarkdownIt("commonmark").renderInline(to_markdown(f"{text} and cells", page))
    assert shown(html) == f"{text} and cells"
    assert ("glossary.md#term-cell" in html) == (page is not None)


@pytest.mark.parametrize("text", ODD)
def test_latex_is_shielded(text):
    latex = to_latex(text)
    assert r"\input" not in latex
    assert latex.isascii()
    assert not re.search(r"(?<!\\)[%&#_]", latex)


def test_the_first_mention_of_a_word_is_linked_and_no_other():
    html = to_html("Digits and digits of every cell, at the optimal epsilon and at another epsilon")
    assert html.count('href="#term-digits"') == 1
    assert html.startswith('<a href="#term-digits">Digits</a> and digits')
    assert '<a href="#term-optimal-epsilon">optimal epsilon</a>' in html
    assert 'another <a href="#term-epsilon">epsilon</a>' in html


@pytest.mark.parametrize("text", ["subcell", "cell-like", "per-cell", "cells/s"])
def test_parts_of_words_are_not_linked(text):
    assert to_html(text) == text


def test_links_can_lead_to_another_page():
    assert 'href="glossary.html#term-cell"' in to_html("cells", "glossary.html")


def test_captions_of_all_tables_are_rendered():
    results = run(Spec(["exp", "sin"], ["forward-1", "central-2"], rules="all"))
    linked = 0
    for table in run_tables(results).values():
        html = to_html(table.caption)
        assert shown(html) == table.caption
        assert to_latex(table.caption).isascii()
        linked += html.count("#term-")
    assert linked > 10


def test_entries_are_unique_and_links_lead_to_them():
    ids = [each.id for each in glossary()]
    assert len(set(ids)) == len(ids)
    assert [(each.term, each.id, each.definition) for each in glossary()] == glossary_entries()
    words = [word for each in glossary() for word in each.words]
    assert len(set(words)) == len(words)
    for each in glossary():
        assert re.fullmatch(r"[a-z-]+", each.id)
        assert each.definition.endswith(".")
        for word in each.words:
            assert f"#term-{each.id}" in to_html(word)


def test_every_status_and_verdict_is_explained():
    ids = {each.id for each in glossary()}
    assert {status.label for status in STATUSES} <= ids
    assert {"certified", "agreed", "uncertain", "nondifferentiable"} <= ids
