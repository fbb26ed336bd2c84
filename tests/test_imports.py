"""What is imported when, and what can be imported at all."""

import ast
import inspect
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import diffbench

HEAVY = {
    *("numpy", "sympy", "pandas", "scipy", "pyarrow", "pydantic", "rich", "matplotlib", "mpmath", "flint", "jinja2"),
    *("bokeh", "dask", "distributed", "PIL"),
}
CONTRACT = {
    *("parse_formula", "Function", "Stencil", "richardson", "exact_derivative", "Reference", "Spec", "run", "Results"),
    *("load", "summarize", "plot", "write_report"),
}


def modules_after(code):
    """Return the top-level modules that a fresh interpreter has imported after running some code."""
    program = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_package_imports_next_to_nothing():
    loaded = modules_after("import diffbench; diffbench.__version__; dir(diffbench)")
    assert "diffbench" in loaded
    assert loaded & (HEAVY | {"click"}) == set()


@pytest.mark.slow
def test_neither_spec_nor_sweep_looks_for_plugins_or_imports_pandas(tmp_path):
    code = """
import sys
from importlib import metadata
asked, find = [], metadata.entry_points
metadata.entry_points = lambda **by: [asked.append(by), find(**by)][1]
from diffbench import Spec, run
assert list(run(Spec("lab"), out="run").blocks)
assert "diffbench.schemes.plugins" in sys.modules
assert "pandas" not in sys.modules
print([by for by in asked if by.get("group", "").startswith("diffbench")])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_names_of_what_is_heavy_are_those_of_modules():
    from importlib.util import find_spec

    assert {name for name in HEAVY if find_spec(name) is None} <= {"bokeh", "dask", "distributed"}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], [], ["nosuch"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        f"sys.argv = ['diffbench', *{arguments!r}]\n"
        "from diffbench.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code in (0, 2), stop.code"
    )
    loaded = modules_after(code)
    assert {"diffbench", "click"} <= loaded
    assert loaded & HEAVY == set()


def test_who_prints_a_table_draws_nothing():
    assert {"matplotlib", "bokeh"} & modules_after("import diffbench.cli.show") == set()


def test_the_list_of_verbs_is_that_of_the_modules():
    from click import Command, Context

    from diffbench.cli import VERBS, cli

    assert cli.list_commands(Context(cli)) == list(VERBS)
    for verb, (_, text) in VERBS.items():
        command = cli.get_command(Context(cli), verb)
        assert isinstance(command, Command)
        assert command.get_short_help_str(200) == text


@pytest.mark.parametrize("name", diffbench.__all__)
def test_public_names_are_importable_and_documented(name):
    thing = getattr(diffbench, name)
    assert inspect.getdoc(thing)
    assert thing.__module__.startswith("diffbench.")
    assert thing.__name__ == name


def test_public_names_are_those_of_the_contract():
    assert len(set(diffbench.__all__)) == len(diffbench.__all__)
    assert set(diffbench.__all__) >= CONTRACT
    assert set(dir(diffbench)) >= set(diffbench.__all__) | {"__version__"}


def test_star_import_gives_the_public_names():
    names = {}
    exec("from diffbench import *", names)  # noqa: S102  (a star import is allowed at module level only)
    assert set(diffbench.__all__) <= set(names)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nosuch"):
        diffbench.nosuch  # noqa: B018  (it is to raise)
    with pytest.raises(ImportError):
        from diffbench import nosuch  # noqa: F401  (it is to raise)


def test_the_version_is_that_of_the_distribution():
    parts = diffbench.__version__.split(".")
    assert len(parts) >= 2
    assert all(part.isdigit() for part in parts[:2])


def source_files():
    root = Path(diffbench.__file__).parent
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py"))


@cache
def tree_of(path):
    return ast.parse((Path(diffbench.__file__).parent / path).read_text("utf-8"))


@pytest.mark.parametrize("path", source_files())
def test_public_things_of_every_module_are_documented(path):
    tree = tree_of(path)
    assert ast.get_docstring(tree), path
    kinds = (ast.FunctionDef, ast.ClassDef)
    bare = [
        node.name
        for node in tree.body
        if isinstance(node, kinds) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert bare == []
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), "no assert in the package"


def lines_of_code(function, lines):
    """Return how many lines a function has from its def on, without its docstring, comments and blank lines."""
    described = ast.get_docstring(function) is not None
    left_out = range(function.body[0].lineno, function.body[0].end_lineno + 1) if described else ()
    own = (lines[i - 1].strip() for i in range(function.lineno, function.end_lineno + 1) if i not in left_out)
    return sum(bool(line) and not line.startswith("#") for line in own)


def test_functions_have_at_most_40_lines():
    lengths = {}
    for path in source_files():
        lines = (Path(diffbench.__file__).parent / path).read_text("utf-8").splitlines()
        functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef)]
        lengths |= {f"{path}: {each.name}, line {each.lineno}": lines_of_code(each, lines) for each in functions}
    assert len(lengths) > 1000
    assert {where: length for where, length in lengths.items() if length > 40} == {}


def test_matplotlib_is_imported_by_what_draws_only():
    users = {}
    for path in source_files():
        for node in ast.walk(tree_of(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                users.setdefault(name.partition(".")[0], set()).add(path)
    assert users["matplotlib"] == {"report/plots.py", "report/print_pages.py"}
    numbers = ("balls", "circles", "expansions", "jets", "parts", "reverse")
    assert users["flint"] == {f"reference/{kind}.py" for kind in numbers}
    assert all(path.startswith("cli/") for path in users["click"] | users["rich"])
    assert users["distributed"] == {"sweep/executors.py"}
    assert "dask" not in users
