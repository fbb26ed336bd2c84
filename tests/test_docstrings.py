"""Examples in docstrings are what the program gives."""

import doctest
from importlib import import_module
from pkgutil import walk_packages

import pytest

import diffbench

MODULES = [each.name for each in walk_packages(diffbench.__path__, "diffbench.") if not each.name.endswith("__main__")]
FOUND = {name: doctest.DocTestFinder(exclude_empty=True).find(import_module(name)) for name in MODULES}
EXAMPLES = [each for found in FOUND.values() for each in found if each.examples]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name.removeprefix("diffbench."))
def test_examples_in_docstrings_are_true(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert doctest.DocTestRunner().run(example).failed == 0
