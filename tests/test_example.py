"""The committed example is what the program makes of the standard suite.

Where arithmetic and packages are those that it was made with, byte for byte. Elsewhere another libm moves digits by a
little: all but the numbers must be the same, and medians nearly.
"""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from diffbench import Spec, load, run
from diffbench.cli.measuring import judgement_of
from diffbench.functions.suites import load_suite
from diffbench.report.paper import write_paper
from diffbench.schemes.scheme import catalogue

EXAMPLE = Path(__file__).parents[1] / "docs" / "example"
COMMITTED = (EXAMPLE / "report.md").read_text("utf-8")
pytestmark = pytest.mark.slow
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    run(Spec("standard", anatomy=True), out=folder / "run")
    judgement = judgement_of(load(folder / "run"))
    return write_paper(folder / "run", "md", folder / "paper", functions=["exp"], judgement=judgement)


def tables(text):
    """Return the head of every table, and its rows by their texts."""
    found = []
    for head, body in re.findall(r"^(\|.*\|)\n\|[-:| ]+\|\n((?:\|.*\|\n)+)", text, re.M):
        rows = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in body.splitlines()]
        found.append((head, rows))
    return found


def frame(text):
    """Return the report without tables, numbers, names of what happened to be best, and versions."""
    kept = [line for line in text.splitlines() if not line.startswith(("|", "Made with "))]
    plain = NUMBER.sub("N", "\n".join(kept))
    plain = re.sub(
        r"[\w()-]+ comes first|best is [\w()-]+|(?<=from cheap to dear: )[^;]*|(?<=fewest evaluations: )[^;]*",
        "…",
        plain,
    )
    return plain.replace("NN", "N")


def test_headings_captions_and_links_are_those_of_the_program(made):
    assert frame(COMMITTED) == frame(made.read_text("utf-8"))


def test_tables_have_the_same_heads_rows_and_nearly_the_same_medians(made):
    committed, again = tables(COMMITTED), tables(made.read_text("utf-8"))
    assert [head for head, _ in committed] == [head for head, _ in again]
    (ranking, digits, _), (ranking_again, digits_again, _) = committed, again
    assert len(ranking[1]) == len(catalogue(1))
    assert len(digits[1]) == len(load_suite("standard").functions)
    by_scheme = {row[1]: row for row in ranking_again[1]}
    for row in ranking[1]:
        other = by_scheme.pop(row[1])
        assert row[2:4] == other[2:4], row[1]
        for place in (4, 6):
            assert float(row[place]) == pytest.approx(float(other[place]), abs=0.5), row[1]
    assert not by_scheme
    assert [row[0] for row in digits[1]] == [row[0] for row in digits_again[1]]
    pairs = [
        (a, b)
        for one, two in zip(digits[1], digits_again[1], strict=True)
        for a, b in zip(one[1:], two[1:], strict=True)
    ]
    near = [abs(float(a) - float(b)) < 1 for a, b in pairs if a and b]
    assert sum(near) > 0.95 * len(near)
    assert [bool(a) for a, _ in pairs] == [bool(b) for _, b in pairs]


def test_where_the_arithmetic_is_the_same_every_byte_is(made):
    (said,), (here,) = (re.findall(r"^Made with .*$", text, re.M) for text in (COMMITTED, made.read_text("utf-8")))
    if said != here:
        pytest.skip("the example was made with other versions or another arithmetic")
    for path in made.parent.rglob("*.*"):
        assert path.read_bytes() == (EXAMPLE / path.relative_to(made.parent)).read_bytes(), path.name


def test_nothing_of_it_is_left_over_or_large(made):
    names = {str(path.relative_to(made.parent)) for path in made.parent.rglob("*.*")}
    assert {f"figures/{path.name}" for path in (EXAMPLE / "figures").iterdir()} | {
        "report.md",
        "glossary.md",
        "spec.toml",
    } == names
    assert sum((EXAMPLE / name).stat().st_size for name in names) < 300_000
    for path in (EXAMPLE / "figures").iterdir():
        assert ET.parse(path).getroot().tag.endswith("svg")  # noqa: S314  (our own)
