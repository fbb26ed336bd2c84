"""The site: its generated parts say what the program says, and all of it is built without a warning."""

import importlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

import diffbench
from diffbench import errors
from diffbench.analysis.judgement import GRAVEST_FIRST
from diffbench.cli import INTERNAL, INTERRUPTED, VERBS, cli
from diffbench.cli.run import FAILED_CELLS
from diffbench.functions import grammar
from diffbench.functions.suites import BUILT_IN, function_from_table, load_suite
from diffbench.report.captions import glossary
from diffbench.schemes.libraries import LIBRARIES
from diffbench.schemes.scheme import catalogue
from diffbench.schemes.step_rules import RULES
from diffbench.sweep import export
from diffbench.sweep.bounds import Bounds
from diffbench.sweep.results import STATUSES
from diffbench.sweep.spec import Spec

DOCS = Path(__file__).parents[1] / "docs"
FENCE = re.compile(r"^```\{generated\} (.+)$", re.M)


@pytest.fixture
def pages(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_ext")
    return importlib.import_module("pages")


def sources():
    return [path for path in DOCS.rglob("*.md") if "example" not in path.parts]


def asked_for():
    """Return the generated parts that pages ask for."""
    return [words for path in sources() for words in FENCE.findall(path.read_text("utf-8"))]


# what is generated ----------------------------------------------------------------------------------------------------


def test_pages_ask_for_every_part_and_for_nothing_else(pages):
    assert {words.split()[0] for words in asked_for()} == set(pages.PARTS)
    assert all(pages.part(words) for words in asked_for())


def inside(command, name, parent):
    """Return the context of a command as a real call makes it: it remembers its help option from the first it meets."""
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


def options(command, context):
    """Yield all options of a command and of those below it, with the path that calls it."""
    yield from ((context.command_path, name) for each in command.params for name in each.opts if name[0] == "-")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            yield from options(inner, inside(inner, name, context))


def test_every_verb_and_every_option_of_it_is_told(pages):
    text = pages.part("command-line")
    sections = dict(re.findall(r"\(cli-[\w-]+\)=\n#+ ([\w ]+)\n\n(.*?)(?=\n\n\(cli-|\Z)", text, re.S))
    assert set(VERBS) < set(sections)
    context = inside(cli, "diffbench", None)
    told = 0
    for verb in VERBS:
        command = cli.get_command(context, verb)
        for path, option in options(command, inside(command, verb, context)):
            section = sections[path.removeprefix("diffbench ")]
            assert re.search(rf"^`[^`\n]*{option}\b[^`\n]*`\n: \S", section, re.M), (path, option)
            told += 1
    assert told > 80


def test_a_page_of_the_verbs_leaves_them_their_own_help_options(pages):
    pages.part("command-line")
    context = inside(cli, "diffbench", None)
    for verb in VERBS:
        command = cli.get_command(context, verb)
        own = command.context_settings.get("help_option_names", ["-h", "--help"])
        assert command.get_help_option(inside(command, verb, context)).opts == own, verb


def test_every_exit_code_is_told(pages):
    rows = dict(re.findall(r"^\| (\d+) \| (\S.*) \|$", pages.part("exit-codes"), re.M))
    raised = [each.exit_code for each in vars(errors).values() if hasattr(each, "exit_code")]
    codes = {0, FAILED_CELLS, *raised, *GRAVEST_FIRST, INTERNAL, INTERRUPTED, click.UsageError.exit_code}
    assert [int(code) for code in rows] == sorted(codes)
    assert "failed cells" in rows[str(FAILED_CELLS)]
    assert not any(said.endswith(".") for said in rows.values())


def test_every_public_name_is_on_one_page():
    names = [name for words in asked_for() for name in words.split()[1:] if words.startswith("api ")]
    assert sorted(names) == sorted(diffbench.__all__)


def test_every_word_and_status_is_explained(pages):
    text = pages.part("glossary")
    assert all(f"\n{each.term}\n  " in text for each in glossary())
    rows = re.findall(r"^\| \{term\}`(\w+)` \| (.+) \|$", pages.part("statuses"), re.M)
    assert [label for label, _ in rows] == [each.label for each in STATUSES]
    assert all(said.endswith(".") for _, said in rows)


def names_in(text):
    """Return what stands in the first column of tables."""
    return re.findall(r"^\| `([^`]+)`", text, re.M)


def test_keys_are_those_of_the_models(pages):
    assert set(names_in(pages.part("spec-keys"))) == set(Spec.model_fields)
    assert set(names_in(pages.part("gate-keys"))) == set(vars(Bounds()))
    keys = set(names_in(pages.part("function-keys")))
    with pytest.raises(diffbench.DiffbenchError, match="unknown key 'nosuch'"):
        function_from_table({"nosuch": ""})
    for key in keys - {"formula"}:
        with pytest.raises(diffbench.DiffbenchError, match="the key 'formula' is missing"):
            function_from_table({key: ""})


@pytest.mark.parametrize("table", ["cells", "curves", "references"])
def test_columns_are_those_of_the_files(pages, table):
    schema = getattr(export, f"{table.removesuffix('s').upper()}_SCHEMA")
    text = pages.part(f"columns {table}")
    names = names_in(text)
    assert names[: len(schema)] == schema.names
    assert set(pages.COLUMNS[table]) <= set(names)
    assert all(re.search(rf"^\| `{name}` \| \w+ \| (yes)? ?\| \S.* \|$", text, re.M) for name in names)
    assert str(export.SCHEMA_VERSION) in pages.part("schema-version")


def test_the_catalogue_is_that_of_the_program(pages):
    functions = [each.name for suite in BUILT_IN for each in load_suite(suite).functions]
    text = pages.part("suites")
    assert names_in(text) == functions
    assert all(f"(suite-{suite})=" in text for suite in BUILT_IN)
    schemes = [each.name for derivative in pages.DERIVATIVES for each in catalogue(derivative)]
    assert names_in(pages.part("schemes")) == schemes
    assert names_in(pages.part("step-rules")) == [rule.name for rule in RULES]
    assert names_in(pages.part("packages")) == [each.name for each in LIBRARIES]


def test_formulas_are_those_of_the_grammar(pages):
    text = pages.part("formulas")
    told = re.findall(r"`(\w+)`", text)
    assert sorted(told) == sorted([*grammar.ARITIES, *grammar.ALIASES, *grammar.CONSTANTS])
    assert pages.part("grammar").count(" = ") >= 8


def test_a_cell_of_a_table_stays_in_its_column(pages):
    assert pages.table(["a", "b"], [["`x | y`", "1"]]).splitlines()[-1] == r"| `x \| y` | 1 |"
    assert pages.prose("a_b ``c_d`` and :func:`diffbench.run`") == r"a\_b `c_d` and `run`"


# links ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(DOCS).with_suffix("").as_posix())
def test_links_of_the_sources_lead_somewhere(path):
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.M | re.S)
    targets = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [target for target in targets if target and not (path.parent / target).exists()] == []


def test_every_page_is_in_the_contents():
    listed = {DOCS / "index.md"}
    for path in sources():
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", path.read_text("utf-8"), re.S):
            names = [line.rpartition("<")[2].removesuffix(">") for line in tree.splitlines() if line and line[0] != ":"]
            listed |= {(path.parent / f"{name}.md").resolve() for name in names}
    assert listed == set(sources())


# the site -------------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page can be linked by, and what it asks for."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.assets = set(), [], []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag in {"img", "script", "link"} and found.get("rel") not in {"index", "search", "next", "prev"}:
            self.assets += [found[key] for key in ("src", "href") if found.get(key)]


def build(folder):
    """Build the site as ``make docs`` does."""
    missing = [name for name in ("sphinx", "furo", "myst_nb", "numpydoc", "sphinx_design") if find_spec(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    options = (
        "--fail-on-warning",
        "--keep-going",
        "--nitpicky",
        "--fresh-env",
        "--quiet",
        "-w",
        str(folder / "warnings"),
    )
    here = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder / "html")]
    done = subprocess.run(command, env=here, capture_output=True, text=True, check=False)
    assert (folder / "warnings").read_text("utf-8") == ""
    assert done.returncode == 0, done.stderr
    return folder / "html"


def check_links(site):
    """Links between pages lead to pages and places in them."""
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 30
    broken = []
    for path, page in pages.items():
        for link in page.links:
            to = urlsplit(link)
            if to.scheme:
                continue
            target = (path.parent / unquote(to.path)).resolve() if to.path else path
            if not target.exists() or (
                to.fragment and target in pages and unquote(to.fragment) not in pages[target].ids
            ):
                broken.append((path.name, link))
    assert broken == []


def check_assets(site):
    """Pages ask for nothing from elsewhere."""
    for path in site.rglob("*.html"):
        for asset in Page(path).assets:
            if not asset.startswith("data:"):
                assert not urlsplit(asset).scheme, (path.name, asset)
                assert (path.parent / unquote(urlsplit(asset).path)).exists(), (path.name, asset)


def check_notebooks(site):
    """Notebooks have the outputs that their sources have not."""
    for path in (DOCS / "tutorials").glob("*.md"):
        text = (site / "tutorials" / f"{path.stem}.html").read_text("utf-8")
        cells = len(re.findall(r"^```\{code-cell\}", path.read_text("utf-8"), re.M))
        assert text.count("cell_output") >= 0.7 * cells, path.stem
        assert ("<img" in text) == ("plot(" in path.read_text("utf-8")), path.stem
    assert "6.000999999999479" in (site / "tutorials" / "lab.html").read_text("utf-8")
    assert not list(DOCS.rglob("*.ipynb"))


def check_targets(site):
    """Public names, words and verbs can be linked."""
    inside = Page(site / "genindex.html").links
    assert {link.partition("#")[2] for link in inside} >= {f"diffbench.{name}" for name in diffbench.__all__}
    assert Page(site / "reference" / "glossary.html").ids >= {f"term-{each.id}" for each in glossary()}
    assert Page(site / "reference" / "cli.html").ids >= {f"cli-{verb}" for verb in VERBS}
    assert (site / "searchindex.js").exists()


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_is_whole(tmp_path):
    site = build(tmp_path)
    for check in (check_links, check_assets, check_notebooks, check_targets):
        check(site)
