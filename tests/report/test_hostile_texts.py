"""Texts that mean harm are shown as texts: on a terminal, in Markdown, LaTeX, JSON, CSV and on the page."""

import json
import os
import re
import sys
from html import unescape

import pytest
from markdown_it import MarkdownIt

from diffbench import Function, Spec, run, write_report
from diffbench.cli.output import print_object, print_table, say
from diffbench.errors import DiffbenchError, InputError, check_name, defused
from diffbench.report.escape import escape_latex, escape_markdown
from diffbench.report.paper import write_paper
from diffbench.report.table import FORMATS, Column, Table, to_json, to_text

COMMANDS = {
    "clear": "\x1b[2J\x1b[H",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://example.org\x1b\\x\x1b]8;;\x1b\\",
    "C1": "\x9b31m",
    "bell": "\x07",
    "backspace": "safe\x08\x08\x08\x08evil",
    "return": "safe\revil",
    "line": "safe\nevil: 0 failed",
    "separator": "safe\u2028evil\x85",
    "direction": "\u202egnp.exe",
    "isolate": "\u2066x\u2069",
    "invisible": "a\u200bb",
    "nul": "\x00",
    "delete": "\x7f",
}
MARKUP = "<script>x()</script> [b](http://c) `d` | $e$ \\input{f} [red]g[/red] %h"
LETTERS = re.compile(r"[\n -~ε−≤…·–×]*")


@pytest.fixture(params=list(COMMANDS))
def text(request):
    return COMMANDS[request.param] + MARKUP


def table_of(text):
    columns = (Column("a", "A"), Column("b", "B", "count"))
    return Table("Title " + text, "caption " + text, columns, [{"a": text, "b": 1}])


def is_harmless(shown):
    return all(character.isprintable() or character == "\n" for character in shown)


def test_what_is_defused_is_one_line_and_what_is_harmless_stays(text):
    assert defused(text).isprintable()
    assert defused(text) != text
    assert MARKUP in defused(text)
    harmless = "x ≤ 2·ε — naïve 導関数\u00a0\u2009½"
    assert defused(harmless) == harmless


def test_an_error_is_one_printable_line(text):
    assert str(InputError(f"function: {text}")).isprintable()
    assert len(str(DiffbenchError("x" * 10**6))) == 1000


@pytest.mark.parametrize("render", [*FORMATS.values(), to_text, to_json])
def test_no_table_commands_a_terminal(render, text):
    assert is_harmless(render(table_of(text)))


def test_json_says_what_the_text_was(text):
    assert json.loads(to_json(table_of(text))) == [{"a": text, "b": 1}]


def test_markdown_and_latex_show_it_as_text(text):
    (inline,) = [token for token in MarkdownIt().parse(escape_markdown(text)) if token.type == "inline"]
    assert {child.type for child in inline.children} == {"text"} or "text_special" in {c.type for c in inline.children}
    assert "".join(child.content for child in inline.children).endswith(MARKUP)
    latex = escape_latex(text)
    assert is_harmless(latex)
    assert "\\input" not in latex
    assert "<" not in latex


def test_lines_and_objects_are_printed_without_commands(text, capsys):
    say(text)
    print_object({"value": text}, "text")
    print_object({"value": text}, "json")
    print_table(table_of(text), "text")
    print_table(table_of(text), "json")
    assert is_harmless(capsys.readouterr().out)


SHOWN = """
import sys
sys.path.insert(0, {folder!r})
from test_hostile_texts import COMMANDS, MARKUP, table_of
from diffbench.cli.output import print_table
for text in COMMANDS.values():
    print_table(table_of(text + MARKUP), "text")
"""


@pytest.mark.slow
def test_a_terminal_sees_no_command_but_those_of_the_frame():
    # Here, since the child imports this module from elsewhere.
    from terminals import printed

    code = SHOWN.format(folder=os.path.dirname(__file__))  # noqa: PTH120  (a text for a program)
    seen = printed([sys.executable, "-c", code], 200)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", seen.decode()).replace("\r\n", "\n")
    assert is_harmless(plain)
    assert plain.count("[red]g[/red]") == 3 * len(COMMANDS)
    assert plain.count("\\x1b[2J") == 3


def hostile(text):
    """Return a run in which everything that may be a text is one that means harm."""

    def f(x):
        raise ValueError(text)

    source = Function("mine", "x", ["1"], evaluate=f, source=text, tags=[text])
    return run(Spec([source, Function("<b>&_%$#", "x**2", ["1"])], ["central-2", "forward-1"], ["1e-3"]))


@pytest.mark.slow
def test_a_report_of_hostile_texts_runs_and_commands_nothing(tmp_path):
    text = "".join(COMMANDS.values()) + MARKUP
    write_report(hostile(text), tmp_path)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "<script>x()" not in page
    assert "owned" in page
    policy = unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1])
    assert "default-src 'none'" in policy
    assert not re.search(r"https?:|unsafe-eval|script-src[^;]*unsafe-inline|\*", policy)
    for name in ("md", "tex"):
        write_paper(hostile(text), name, tmp_path / name)
    for path in [*(tmp_path / "md").rglob("*.md"), *(tmp_path / "tex").rglob("*.tex"), *tmp_path.rglob("*.csv")]:
        assert is_harmless(path.read_text("utf-8").replace("\t", " ")), path.name


@pytest.mark.parametrize("name", COMMANDS.values(), ids=list(COMMANDS))
def test_names_have_no_commands_at_all(name):
    with pytest.raises(InputError, match="not a printable text") as caught:
        check_name(name, "function")
    assert str(caught.value).isprintable()
