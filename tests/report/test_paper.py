"""The report on paper: the same content as Markdown, LaTeX and PDF, the same bytes every time, and data stay data."""

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from diffbench import DiffbenchError, Function, Spec, run
from diffbench.errors import defused
from diffbench.report.captions import glossary
from diffbench.report.escape import breakable, escape_latex, escape_markdown, markdown_paragraph
from diffbench.report.paper import length, write_curves, write_paper
from diffbench.report.plots import Figure, error_curves
from diffbench.report.print_pages import HEIGHT, Pages, fitted, pdf_bytes, printable, untitled, wrapped
from diffbench.report.table import Column, Table, to_latex, to_markdown

NASTY = r"\input{x} <script>alert('&')</script> 100% $x_{_}^~ #$ | `*[a](b)* --- ,, κ → ½ \\"
COMMONMARK = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ACTIVE = re.compile(r"(?<!\\)[&%$#_~^]")


def spec():
    functions = ["exp", "abs", Function(NASTY, "x**2", ["3"], tags=["own"])]
    return Spec(functions, ["forward-1", "central-4", "complex-step"], "1e-1:1e-9:2/decade", rules=["usual", "sqrt-u"])


@pytest.fixture(scope="module")
def results():
    return run(spec())


@pytest.fixture(scope="module")
def papers(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    return {kind: write_paper(results, kind, folder / kind) for kind in ("md", "tex")}


@pytest.fixture(scope="module")
def pdf(results, tmp_path_factory):
    return write_paper(results, "pdf", tmp_path_factory.mktemp("paper"))


def rendered(text):
    """Return the text that a reader of Markdown sees."""
    found = []
    for token in COMMONMARK.parse(text):
        for child in token.children or ():
            assert child.type in {"text", "softbreak", "text_special"}, child
            found.append(child.content or " ")
    return "".join(found)


# escaping -------------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(
    str.strip
)
TRICKY = st.text(st.sampled_from("\\`*_{}[]()<>#+-.!|~$&%^'\",:;=/ 1a"), min_size=1, max_size=30).filter(str.strip)


MARKUP = ("# x", "- x", "+ x", "1. x", "12) x", "===", "---", "> x", "```", "&lt;&#60;&amp;", "<b>", "![a](b)", "\\")


@given(TEXTS | TRICKY | st.sampled_from(MARKUP))
def test_markdown_shows_every_text_as_it_is(text):
    assert rendered(markdown_paragraph(text)) == defused(" ".join(text.split()))


@given(TEXTS | TRICKY | st.sampled_from(MARKUP))
def test_markdown_tables_show_every_text_as_it_is(text):
    table = Table("Title", "caption", (Column("a", "A"), Column("b", "B", "count")), [{"a": text, "b": 1}])
    cells = [token for token in COMMONMARK.parse(to_markdown(table)) if token.type == "inline"][1:]
    assert [cell.content for cell in cells[:2]] == ["A", "B"]
    assert len(cells) == 4
    assert "".join(child.content for child in cells[2].children) == defused(" ".join(text.split()))


@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_text(text):
    assert rendered(markdown_paragraph(text)) == text


def test_dollars_are_no_mathematics_where_a_forge_would_read_them_so():
    assert escape_markdown("$x$ and $y$") == r"\$x\$ and \$y\$"


def latex_text(latex):
    """Return what LaTeX would print: commands taken for what they stand for; anything that is active is an error."""
    braces = 0
    for token in re.findall(r"\\.|[{}]", latex):
        braces += {"{": 1, "}": -1}.get(token, 0)
        assert braces >= 0
    assert braces == 0
    plain = re.sub(r"\$[^$]*\$", "", latex.replace(r"\$", ""))
    assert ACTIVE.search(re.sub(r"\\[`'^~=u.\"rHvck]\{[A-Za-z]\}", "", plain)) is None, latex
    return latex


@given(TEXTS | TRICKY)
def test_latex_has_no_active_character_from_data(text):
    latex = latex_text(escape_latex(text))
    assert latex.isascii() or set(latex) - {chr(i) for i in range(128)} <= set("ÆØÐÞßæøðþ")
    known = r"\\(?:text\w+|allowbreak|ldots|[lLio]|oe|OE|S|[&%$#_{}]|[`'^~=u.\"rHvck]\{)|\$[^$]*\$"
    assert "\\" not in re.sub(known, "", latex)
    assert not re.search(r"--|,,", latex)
    assert breakable(text).replace(r"\allowbreak{}", "").replace("{}", "") == latex.replace("{}", "")


def test_latex_knows_accents_greek_and_says_what_it_does_not_know():
    assert escape_latex("é Å š ő") == r"\'{e} \r{A} \v{s} \H{o}"
    assert escape_latex("ε ≤ 10⁻³") == r"$\varepsilon$ $\leq$ 10$^{-}$$^{3}$"
    assert escape_latex("日") == "[U+65E5]"


def test_markers_on_a_narrow_figure_are_small_and_stay_apart():
    wide, narrow = (error_curves(run(Spec(["exp"], ["forward-1", "central-2"])).blocks[0]) for _ in range(2))
    fitted(untitled(narrow), 84 / 25.4)
    own, other = (next(line for line in f.axes[0].lines if line.get_marker() == "o") for f in (narrow, wide))
    assert own.get_markersize() < other.get_markersize()
    x = narrow.axes[0].transData.transform(own.get_xydata())[:, 0] * 72 / narrow.dpi
    shown = x[:: own.get_markevery()]
    assert 5 < len(shown) <= len(x) / 2 + 1
    assert np.abs(np.diff(shown)).min() > 1.5 * own.get_markersize()
    labels = [label.get_text() for label in narrow.axes[0].get_xticklabels()]
    places = [i for i, label in enumerate(labels) if label]
    assert len(places) > 2
    assert len(set(np.diff(places))) == 1


def test_a_report_shows_names_as_text(papers):
    markdown = papers["md"].read_text("utf-8")
    assert "<script>" not in markdown
    assert NASTY.partition(" | ")[0] in "".join(
        child.content for token in COMMONMARK.parse(markdown) for child in token.children or ()
    )
    for path in papers["tex"].parent.rglob("*.tex"):
        latex = path.read_text("utf-8")
        assert r"\input{x}" not in latex
        assert latex.isascii() or path.name == "report.tex"
    assert r"\textbackslash{}input\{x\}" in (papers["tex"].parent / "tables" / "digits.tex").read_text("utf-8")


# the three of them ----------------------------------------------------------------------------------------------------


def test_markdown_links_to_what_is_there(papers):
    text, folder = papers["md"].read_text("utf-8"), papers["md"].parent
    html = COMMONMARK.render(text)
    images = re.findall(r'<img src="([^"]+)"', html)
    assert len(images) >= 3 + 3
    for image in images:
        root = ET.parse(folder / image).getroot()  # noqa: S314  (our own)
        assert root.tag.endswith("svg")
        assert "currentColor" not in (folder / image).read_text("utf-8")
    anchors = set(re.findall(r'id="(term-[^"]+)"', (folder / "glossary.md").read_text("utf-8")))
    links = re.findall(r'<a href="([^"]+)"', html)
    assert len(links) > 5
    for link in links:
        name, _, anchor = link.partition("#")
        assert (folder / name).is_file()
        assert not anchor or anchor in anchors
    assert len(anchors) == len(glossary())


def test_markdown_begins_with_the_verdict_and_ends_with_how_to_reproduce(papers, results):
    text = papers["md"].read_text("utf-8")
    lines = [line for line in text.splitlines() if line]
    assert lines[0] == "# Accuracy report"
    assert lines[1].startswith("**3 schemes on 3 functions: ")
    headings = re.findall(r"^## (.*)$", text, re.M)
    assert headings == [
        *("Ranking", "Every scheme at a glance", "Error against epsilon", "Function by function", "Step rules"),
        *("Failures", "How to reproduce"),
    ]
    assert (papers["md"].parent / "spec.toml").read_text("utf-8") == results.spec


def test_latex_uses_only_what_is_there(papers):
    folder, text = papers["tex"].parent, papers["tex"].read_text("utf-8")
    for name in re.findall(r"\\input{([^}]+)}", text):
        assert (folder / f"{name}.tex").is_file()
    figures = re.findall(r"\\includegraphics{([^}]+)}", text)
    assert len(figures) >= 6
    for name in figures:
        assert (folder / name).read_bytes().startswith(b"%PDF")
    begun, ended = (sorted(re.findall(rf"\\{word}{{(\w+)}}", text)) for word in ("begin", "end"))
    assert begun == ended
    labels = re.findall(r"\\label{([^}]+)}", text)
    assert len(labels) == len(set(labels))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles(papers, tmp_path):
    shutil.copytree(papers["tex"].parent, tmp_path / "tex")
    # Hostile names that a run would not have: they are in a table of their own.
    rows = [
        {"a": text, "b": -1e-7} for text in (NASTY, "[3pt] x", "* [2pt]", "é Å š ½ ² µ ß 日本", "x" * 190, "%", "~^")
    ]
    hostile = to_latex(Table("Title", NASTY, (Column("a", "[A] long header"), Column("b", "B", "rounded")), rows))
    path = tmp_path / "tex" / "report.tex"
    path.write_text(path.read_text("utf-8").replace(r"\end{document}", hostile + r"\end{document}"), "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "report.tex"]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, check=False)
    log = done.stdout.decode("latin-1")
    assert done.returncode == 0, log[-2000:]
    assert "Missing character" not in log
    assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_figures_have_the_width_of_a_column(results, tmp_path):
    path = write_paper(results, "tex", tmp_path / "narrow", width="84mm", functions=["exp"])
    boxes = [
        re.search(rb"/MediaBox \[ ?0 0 ([0-9.]+) ([0-9.]+) ?\]", figure.read_bytes())
        for figure in (path.parent / "figures").iterdir()
    ]
    assert boxes
    assert {round(float(box[1]), 2) for box in boxes} == {round(84 / 25.4 * 72, 2)}


def test_everything_stays_inside_a_narrow_figure(results):
    figure = fitted(untitled(error_curves(results.block("exp"))), 3.4)
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()
    assert width == pytest.approx(3.4)
    assert -0.01 < drawn.x0 < drawn.x1 < width + 0.01
    assert -0.01 < drawn.y0 < drawn.y1 < height + 0.01
    assert figure.axes[0].get_title(loc="left") == ""


@pytest.mark.slow
def test_fonts_of_a_pdf_are_outlines_that_can_be_edited(papers, pdf):
    for path in [pdf, *(papers["tex"].parent / "figures").iterdir()]:
        data = path.read_bytes()
        assert b"/Type3" not in data
        assert b"/FontFile2" in data
        assert b"/CreationDate" not in data


@pytest.mark.parametrize(
    ("text", "inches"), [("3.4in", 3.4), ("84mm", 84 / 25.4), (" 8.4 cm", 8.4 / 2.54), ("72bp", None)]
)
def test_lengths(text, inches):
    if inches is None:
        with pytest.raises(DiffbenchError, match="between 2 and 20 inches"):
            length(text)
    else:
        assert length(text) == pytest.approx(inches)


@pytest.mark.parametrize("ends", [("2in", "20in"), ("5.08cm", "50.8cm"), ("50.8mm", "508mm"), ("144.54pt", "1445.4pt")])
def test_the_narrowest_and_the_widest_are_allowed_in_every_unit(ends):
    assert [length(text) for text in ends] == [2, 20]


@pytest.mark.parametrize("text", ["", "3.4", "in", "3.4 feet", "-3in", "nanin", "3.4in; x", "1e3in"])
def test_what_is_no_length_is_refused(text):
    with pytest.raises(DiffbenchError, match=r"^width: .* is no length such as 3\.4in"):
        length(text)


# pages ----------------------------------------------------------------------------------------------------------------


def page_texts(pages):
    return [[text.get_text() for text in page.texts] for page in pages.figures]


def test_long_tables_go_on_with_their_header_on_the_next_page():
    rows = [{"a": f"row{i}", "b": i} for i in range(120)]
    pages = Pages("foot")
    pages.table(Table("Title", "caption", (Column("a", "name"), Column("b", "B", "count")), rows))
    texts = page_texts(pages)
    assert len(texts) == 2
    assert all(any(text.startswith("name") for text in page) for page in texts)
    found = [text.split()[0] for page in texts for text in page if text.startswith("row")]
    assert found == [row["a"] for row in rows]
    for page in pages.figures:
        heights = [text.get_position()[1] * HEIGHT for text in page.texts]
        assert min(heights) > 0.3
        assert max(heights) < HEIGHT - 0.3


def test_letters_that_no_font_has_are_shown_by_number():
    assert printable("a日b\tc") == "a[U+65E5]b c"


@given(st.text(min_size=1, max_size=80))
def test_wrapped_lines_hold_all_letters(text):
    lines = wrapped(text, 10, 1.5)
    assert "".join("".join(lines).split()) == "".join(printable(text).split())


@pytest.mark.slow
def test_a_pdf_has_the_figures_and_the_tables(pdf):
    data = pdf.read_bytes()
    assert len(re.findall(rb"/Type /Page\b", data)) >= 4
    assert len(data) < 1_000_000


def test_figures_keep_their_lines_on_a_page(results):
    block = results.block("exp")
    alone, pages = error_curves(block), Pages("foot")
    pages.figure(error_curves(block), "caption")
    assert len(pages.figures) == 1
    assert len(pdf_bytes(pages.figures)) > 0.7 * len(pdf_bytes([alone]))
    assert isinstance(pages.figures[0], Figure)


# every curve, and the same bytes --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_all_curves_are_drawn_three_ways(tmp_path):
    functions = [Function("exp", "exp(x)", ["0", "1"]), Function("linear", "2*x", ["3"])]
    results = run(Spec(functions, ["central-2", "forward-1"], "1e-1:1e-9:1/decade"))
    told = []
    points = 3
    assert write_curves(results, tmp_path / "f", progress=lambda *numbers: told.append(numbers)) == points
    assert told == [(i, points) for i in range(1, points + 1)]
    names = {path.name for path in (tmp_path / "f").iterdir()}
    assert len(names) == 3 * points
    assert {f"exp-d1-float64-x1.{suffix}" for suffix in ("svg", "pdf", "png")} <= names


def test_summaries_have_no_curves_to_draw(tmp_path):
    results = run(Spec(["exp"], ["central-2"]), keep="summary")
    with pytest.raises(DiffbenchError, match="no cells"):
        write_curves(results, tmp_path)
    with pytest.raises(DiffbenchError, match="no cells"):
        write_paper(results, "md", tmp_path, functions=["exp"])
    assert write_paper(results, "md", tmp_path / "md").is_file()


PROGRAM = """
import sys
from diffbench import Spec, run
from diffbench.report.paper import write_paper
results = run(Spec(["exp", "abs"], ["forward-1", "central-4"], "1e-1:1e-9:1/decade"))
for kind in ("md", "tex", "pdf"):
    write_paper(results, kind, f"{sys.argv[1]}/{kind}")
"""


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(tmp_path):
    def contents(seed):
        folder = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(folder)],
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first, second = contents("1"), contents("2")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    assert {"md/report.md", "tex/report.tex", "pdf/report.pdf", "tex/tables/ranking.tex"} <= first.keys()


@pytest.mark.slow
def test_the_same_results_give_the_same_bytes_again(papers, pdf, results, tmp_path):
    for kind, path in {**papers, "pdf": pdf}.items():
        again = write_paper(results, kind, tmp_path / kind)
        for file in path.parent.rglob("*"):
            assert file.is_dir() or file.read_bytes() == (again.parent / file.relative_to(path.parent)).read_bytes()


def test_what_cannot_be_asked_for_is_one_line(results, tmp_path):
    for arguments, match in (
        ((results, "docx", tmp_path), "^format: 'docx' is none of md, tex, pdf$"),
        ((results, "md"), "^path: "),
    ):
        with pytest.raises(DiffbenchError, match=match):
            write_paper(*arguments)
    with pytest.raises(DiffbenchError, match=r"^function: the run has none called 'nosuch'$"):
        write_paper(results, "md", tmp_path, functions=["nosuch"])


def test_escapes_are_what_captions_use():
    assert escape_markdown("a|b") == r"a\|b"
