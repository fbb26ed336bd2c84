"""The page: one file that needs nothing else, every name shown as it is, every link with a target."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from diffbench import Function, Spec, load, run, write_report
from diffbench.analysis.judgement import Finding, Judgement
from diffbench.report.explorer import view
from diffbench.report.html import PageFigure, PageParts, inline_svg, render_page

NASTY = "<script>x()</script>&\"'<b><!--"
VOID = {"meta", "img", "br", "link", "hr", "input"}
DATA = {"application/json", "application/octet-stream"}


class Page(HTMLParser):
    """A page taken apart; complains about tags that do not nest."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts, self.scripts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], "tags are left open"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append((self.tags[-1][1], data))
        elif self.open and self.open[-1] != "style":
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return "".join(self.texts)

    @property
    def policy(self):
        (policy,) = [tag["content"] for tag in self.all("meta") if tag.get("http-equiv") == "Content-Security-Policy"]
        return dict(rule.strip().split(" ", 1) for rule in policy.split(";"))


@pytest.fixture(scope="module")
def results():
    functions = ["exp", "abs", Function(NASTY, "x**2", ["3"], source="</pre><script>")]
    spec = Spec(functions, ["forward-1", "central-4", "complex-step"], "1e-1:1e-9", dtypes=["float32", "float64"])
    return run(spec)


@pytest.fixture(scope="module")
def source(results, tmp_path_factory):
    return write_report(results, tmp_path_factory.mktemp("page")).read_text("utf-8")


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def test_the_page_is_one_document_with_language_title_and_landmarks(source, page):
    assert source.startswith("<!DOCTYPE html>\n<html lang=")
    names = [tag for tag, _ in page.tags]
    assert [names.count(tag) for tag in ("h1", "main", "header", "nav", "footer")] == [1] * 5
    assert "Accuracy report: 3 schemes on 3 functions" in page.text
    assert all("aria-labelledby" in tag or "aria-label" in tag for tag in page.all("section"))


def test_sections_come_in_the_order_of_what_people_ask(tmp_path):
    results = run(Spec(["exp", "sin"], ["forward-1", "central-2"], "1e-1:1e-9", rules=["usual", "mathur"]))
    text = write_report(results, tmp_path).read_text("utf-8")
    found = re.findall(r'<h2 id="([a-z-]+)"', text)
    order = ["which-scheme", "figures", "matrix", "error-against-epsilon", "along-x", "step-rules", "differences"]
    assert found == [*order, "not-ok", "reproduce", "words"]
    linked = re.findall(r'<li><a href="#([a-z-]+)">', text)
    assert linked == found[:-1]


def test_nothing_comes_from_elsewhere(source, page):
    assert {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "form", "base", "img"} == set()
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            assert re.match(r"#|figures/|tables/|[a-z]+\.", attributes.get(name, "#")), (tag, name, attributes[name])
    text = re.sub(r"<script.*?</script>|<svg.*?</svg>", "", source, flags=re.DOTALL)
    assert re.search(r"url\(|@import|https?://", text) is None
    for svg in re.findall(r"<svg.*?</svg>", source, re.DOTALL):
        assert re.search(r"url\((?!#)|@import|href=\"(?!#)", svg) is None


def test_a_policy_allows_the_page_its_own_scripts_and_no_request(page):
    policy = page.policy
    assert policy["default-src"] == "'none'"
    assert "unsafe-eval" not in " ".join(policy.values())
    assert "unsafe-inline" not in policy["script-src"]
    assert set(policy) == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}
    own = [text for attributes, text in page.scripts if attributes.get("type") not in DATA]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in own]
    assert len(own) == 2
    assert all(f"'sha256-{each}'" in policy["script-src"] for each in hashes)
    assert policy["script-src"].count("sha256") == 2 + 2


def test_names_are_shown_as_they_are_and_never_run(source, page):
    assert "<script>x" not in source
    assert '<b>"' not in source
    assert "<!--" not in source
    assert "x()&lt;/script&gt;" in source
    assert NASTY in page.text
    (index,) = [json.loads(text) for attributes, text in page.scripts if attributes.get("id") == "index"]
    assert NASTY in {block["function"] for block in index["blocks"]}


def test_every_link_has_its_target(results, source, page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    views = {view(*block.key, scheme) for block in results.blocks for scheme in block.schemes}
    anchors = {link["href"] for link in page.all("a") if link["href"].startswith("#")}
    assert views < anchors
    assert {target.removeprefix("#") for target in anchors - views} <= set(ids)


@pytest.mark.slow
def test_downloads_and_figures_are_there(results, tmp_path):
    path = write_report(results, tmp_path)
    links = {link["href"] for link in Page(path.read_text("utf-8")).all("a") if not link["href"].startswith("#")}
    assert len(links) > 20
    for link in links:
        assert (tmp_path / link).is_file(), link


def test_cells_of_the_matrix_lead_to_their_curves_and_say_what_they_are(results, page):
    cells = {link["href"]: link["aria-label"] for link in page.all("a") if "aria-label" in link}
    assert len(cells) == 2 * 3 * 3
    assert re.fullmatch(r"central-4, exp: \d+\.\d digits", cells[view("exp", 1, "float64", "central-4")])
    assert cells[view("abs", 1, "float64", "complex-step")] == "complex-step, abs: not measured"


def test_figures_are_inlined_with_names_and_ids_of_their_own(source):
    figures = re.findall(r'<figure id="figure-([^"]+)".*?(<svg.*?</svg>)', source, re.DOTALL)
    assert len(figures) >= 6
    ids = [found for _, svg in figures for found in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for _, svg in figures:
        assert re.match(r'<svg role="img" aria-label="[^"]{40,}"', svg)
        uses = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
        assert uses <= set(re.findall(r'\bid="([^"]+)"', svg))


def test_an_inlined_figure_follows_the_page(tmp_path):
    svg = (
        b'<?xml version="1.0"?>\n<svg width="10pt" height="5pt" viewBox="0 0 10 5"><metadata>x</metadata><!-- 1 -->'
        b'<path id="a" style="fill: #000000"/><use xlink:href="#a" clip-path="url(#a)" fill="#123456"/></svg>'
    )
    text = inline_svg(svg, "f1-", 'a "b" <c>')
    assert text == (
        '<svg role="img" aria-label="a &#34;b&#34; &lt;c&gt;" viewBox="0 0 10 5"><path id="f1-a" '
        'style="fill: var(--ink)"/><use xlink:href="#f1-a" clip-path="url(#f1-a)" fill="#123456"/></svg>'
    )


def test_the_page_tells_the_counts_the_winner_and_how_to_reproduce(results, page):
    assert f"{sum(results.counts.values()):,} cells are ok" in page.text
    assert "complex-step comes first" in page.text
    assert "diffbench run spec.toml" in page.text
    assert results.spec.strip() in page.text.replace("\r", "")


def test_there_is_a_matrix_for_each_dtype(source):
    matrices = re.findall(r'<table class="matrix">.*?</table>', source, re.DOTALL)
    assert len(matrices) == 2
    for matrix in matrices:
        rows = re.findall(r"<tr[ >].*?</tr>", matrix, re.DOTALL)
        assert len(rows) == 1 + 3
        assert {len(re.findall(r"<t[hd]\b", row)) for row in rows} == {1 + 3}
        assert matrix.count('<td class="none">') == 1


def test_cells_without_digits_say_why():
    functions = [Function("kink", "Abs(x)", ["0"]), Function("flat", "x**2 + 1", ["0"]), "abs"]
    source = render_page(run(Spec(functions, ["central-2", "complex-step"], "1e-1:1e-3")))
    signs = dict(re.findall(r'<b>(.)</b><span class="unseen">central-2, (\w+): [^<]*</span>', source))
    assert signs == {"∧": "kink", "0": "flat"}
    assert "complex-step, abs: not measured" in source


def test_tables_have_headers_with_a_scope(page):
    assert page.all("th")
    assert {th.get("scope") for th in page.all("th")} == {"col", "row"}


def test_small_runs_show_every_estimate_and_large_ones_do_not(page):
    small = Page(render_page(run(Spec("lab"))))
    assert "-0.031238285155041345" in small.text
    assert "Estimates" in small.text
    assert "Estimates" not in page.text


def test_a_run_without_any_ok_cell_has_a_page(tmp_path):
    results = run(Spec(Function("kink", "Abs(x)", ["0"]), ["forward-1"], "1e-1:1e-3"))
    page = Page(write_report(results, tmp_path).read_text("utf-8"))
    assert "0 of 10 cells are ok" in page.text
    assert "nondifferentiable: 10 cells" in page.text


def test_one_is_singular():
    page = Page(render_page(run(Spec(Function("f", "x", ["1"]), ["forward-1"], "1e-1:1e-3"))))
    assert "1 scheme on 1 function:" in page.text


def test_a_page_without_figures_has_tables_and_no_charts():
    page = Page(render_page(run(Spec("lab"))))
    assert page.all("svg") == []
    assert page.all("noscript") == []
    assert all(link["href"].startswith("#") for link in page.all("a"))
    assert page.policy["script-src"].count("sha256") == 2
    assert "w**3" in page.text


@pytest.mark.slow
def test_the_same_results_give_the_same_page(results, source, tmp_path):
    assert write_report(results, tmp_path).read_text("utf-8") == source


def test_the_page_of_a_stored_run_names_versions_machine_and_time(tmp_path):
    run(Spec("lab"), out=tmp_path / "run")
    results = load(tmp_path / "run")
    page = Page(render_page(results))
    for key in ("fingerprint", "started"):
        assert results.manifest[key] in page.text
    assert re.search(r"\d+ s\s*$|elapsed", page.text)
    assert results.manifest["versions"]["numpy"] in page.text


def test_regret_is_on_the_page_where_there_are_several_rules():
    spec = Spec(["exp", "abs"], ["forward-1", "central-2"], "1e-1:1e-9", rules=["usual", "mathur"])
    page, plain = Page(render_page(run(spec))), Page(render_page(run(Spec("exp", ["forward-1"], "1e-1:1e-9"))))
    for title in ("What does each step rule cost?", "Step rules by class of function"):
        assert title in page.text
        assert title not in plain.text
    assert "mathur" in page.text


def judged(*sentences):
    findings = tuple(Finding(1, "cell", "central-2", sentence) for sentence in sentences)
    groups = {"central-2": {"same": 5, "worse": len(sentences)}}
    return Judgement("standard", "linux x86_64", groups, findings)


def test_a_judgement_is_a_table_and_then_its_sentences(results):
    source = render_page(results, judgement=judged(*(f"cell {i} of <f> lost 3 digits" for i in range(60))))
    page = Page(source)
    assert "Regression." in page.text
    assert source.index("What became of the cells?") < source.index("cell 0 of &lt;f&gt; lost 3 digits</li>")
    assert source.count("lost 3 digits</li>") == 50
    assert "And 10 more" in page.text
    assert "regression</dd>" in source


def test_a_run_that_passes_says_so_and_one_without_a_baseline_how_to_get_one(results, page):
    passed = Page(render_page(results, judgement=judged()))
    assert "Passed: 5 cells compared with linux x86_64, no rule broken" in " ".join(passed.text.split())
    assert "What is broken" not in passed.text
    assert "diffbench baseline accept" in page.text
    assert "no baseline" in page.text


def test_figures_of_a_contest_have_a_section(results):
    figure = PageFigure("leaderboard-x", "", "who is right", b"<svg></svg>")
    source = render_page(results, PageParts(contest=[figure]))
    assert '<h2 id="libraries">' in source
    assert "Who is right." in source
