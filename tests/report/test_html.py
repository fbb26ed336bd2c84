"""The page: one file that needs nothing else, every name shown as it is, every link with a target."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from diffbench import Function, Spec, run
from diffbench.report.html import page_figure, render_page
from diffbench.report.plots import typical_point
from diffbench.sweep.curves import curves_of

NASTY = "<script>x()</script>&\"'<b>"
VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """A page taken apart; complains about tags that do not nest."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], "tags are left open"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return "".join(self.texts)


def page_of(results):
    return render_page(
        results, [page_figure(block, typical_point([curves_of(block)]), i) for i, block in enumerate(results.blocks)]
    )


@pytest.fixture(scope="module")
def results():
    functions = ["exp", "abs", Function(NASTY, "x**2", ["3"], source="</pre><script>")]
    spec = Spec(functions, ["forward-1", "central-4", "complex-step"], "1e-1:1e-9", dtypes=["float32", "float64"])
    return run(spec)


@pytest.fixture(scope="module")
def source(results):
    return page_of(results)


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def test_the_page_is_one_document_with_language_title_and_heading(source, page):
    assert source.startswith("<!DOCTYPE html>\n<html lang=")
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert "Accuracy report: 3 schemes on 3 functions" in page.text


def test_nothing_comes_from_elsewhere(source, page):
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "form", "base"} == set()
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/png;base64,")), (tag, name, value)
    assert re.search(r"url\(|@import|https?://|//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", source)) is None


def test_a_policy_forbids_scripts_and_requests(page):
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_names_are_shown_as_they_are_and_never_run(source, page):
    assert "<script>" not in source
    assert "x()&lt;/script&gt;" in source
    assert NASTY in page.text
    assert any(NASTY in image["alt"] for image in page.all("img"))
    assert "<b>" not in source


def test_every_link_has_its_target(page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    targets = [link["href"] for link in page.all("a")]
    assert len(targets) == 3 * 2
    assert {target.removeprefix("#") for target in targets} == set(ids)


def test_links_lead_to_the_figure_of_their_function(results, source):
    links = re.findall(r'<a href="#(block-\d+)">([^<]*)</a>', source)
    captions = dict(re.findall(r'<figure id="(block-\d+)">.*?<figcaption>(.*?)</figcaption>', source))
    dtypes = [block.dtype for block in results.blocks]
    assert len(links) == len(captions) == 6
    for anchor, function in links:
        assert captions[anchor].startswith(f"{function}: ")
        assert dtypes[int(anchor.removeprefix("block-"))] in captions[anchor]


def test_figures_are_pictures_with_numbers_in_their_alternative_text(page):
    images = page.all("img")
    assert len(images) == 6
    for image in images:
        data = base64.b64decode(image["src"].partition("base64,")[2], validate=True)
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (int(image["width"]), int(image["height"]))
        assert re.search(r"is best, \d+\.\d digits at ε = |no cell is ok", image["alt"])


def test_the_page_tells_the_counts_the_winner_and_how_to_reproduce(results, page):
    assert f"{sum(results.counts.values()):,} cells are ok" in page.text
    assert "complex-step comes first" in page.text
    assert "diffbench run spec.toml" in page.text
    assert results.spec.strip() in page.text.replace("\r", "")


def test_there_is_a_matrix_for_each_dtype(source):
    matrices = re.findall(r'<table class="matrix">.*?</table>', source, re.DOTALL)
    assert len(matrices) == 2
    for matrix in matrices:
        rows = re.findall(r"<tr>.*?</tr>", matrix, re.DOTALL)
        assert len(rows) == 1 + 3
        assert {len(re.findall(r"<t[hd]\b", row)) for row in rows} == {1 + 3}
        assert matrix.count('<td class="none">') == 1


def test_tables_have_headers_with_a_scope(page):
    assert page.all("th")
    assert {th.get("scope") for th in page.all("th")} == {"col", "row"}


def test_small_runs_show_every_estimate_and_large_ones_do_not(page):
    small = Page(render_page(run(Spec("lab")), []))
    assert "-0.031238285155041345" in small.text
    assert "Estimates" in small.text
    assert "Estimates" not in page.text


def test_a_run_without_any_ok_cell_has_a_page():
    results = run(Spec(Function("kink", "Abs(x)", ["0"]), ["forward-1"], "1e-1:1e-3"))
    page = Page(page_of(results))
    assert "0 of 10 cells are ok" in page.text
    assert "nondifferentiable" in page.text


def test_one_is_singular():
    page = Page(page_of(run(Spec(Function("f", "x", ["1"]), ["forward-1"], "1e-1:1e-3"))))
    assert "1 scheme on 1 function:" in page.text


def test_a_page_without_figures_has_no_links():
    page = Page(render_page(run(Spec("lab")), []))
    assert page.all("a") == []
    assert page.all("img") == []
    assert "w**3" in page.text


def test_the_same_results_give_the_same_page(results, source):
    assert page_of(results) == source


def test_the_page_of_a_stored_run_names_the_versions_it_was_made_with(tmp_path):
    results = run(Spec("lab"), out=tmp_path / "run")
    text = Page(render_page(results, [])).text
    assert re.search(r"with diffbench \d+\.\d+.*numpy \d+\.\d+", text)


def test_regret_is_on_the_page_where_there_are_several_rules():
    spec = Spec(["exp", "abs"], ["forward-1", "central-2"], "1e-1:1e-9", rules=["usual", "mathur"])
    page, plain = Page(page_of(run(spec))), Page(page_of(run(Spec("exp", ["forward-1"], "1e-1:1e-9"))))
    for title in ("What does each step rule cost?", "Step rules by class of function"):
        assert title in page.text
        assert title not in plain.text
    assert "mathur" in page.text
