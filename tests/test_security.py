"""SECURITY.md says the numbers that hold, and names tests that are there."""

import re
from pathlib import Path

from diffbench.functions import grammar, suites
from diffbench.sweep import epsilons, spec

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")


def test_the_bounds_are_those_of_the_code():
    flat = " ".join(TEXT.split())
    for number, unit in (
        (grammar.MAX_LENGTH, "characters"),
        (grammar.MAX_NODES, "operations and numbers"),
        (grammar.MAX_DEPTH, "levels"),
        (grammar.MAX_BITS, "bits in a formula"),
        (epsilons.MAX_EPSILONS, "epsilons"),
    ):
        assert f"{number:,} {unit}".replace(",", " ") in flat
    assert spec.MAX_CELLS == 10**10
    assert "10¹⁰ cells" in flat
    assert f"{suites.MAX_TOML_BYTES // 2**20} MiB of TOML" in flat


def test_the_tests_that_are_named_are_there():
    named = re.findall(r"`(tests/[\w/.]+)`", TEXT)
    assert len(named) == 5
    assert all((ROOT / path).exists() for path in named)
