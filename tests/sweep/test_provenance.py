"""What the numbers depend on is written down, and told apart."""

import subprocess

import numpy as np
import pytest

from diffbench.functions.suites import load_suite
from diffbench.sweep import provenance
from diffbench.sweep.provenance import evaluator, fingerprint, further_modules, git_state, machine, versions


def test_versions_are_those_of_everything_that_computes():
    names = {"diffbench", "python", "numpy", "scipy", "sympy", "mpmath", "python-flint", "pyarrow"}
    assert names <= versions().keys()
    assert versions()["numpy"] == np.__version__


def test_the_machine_tells_what_numpy_may_use_of_the_processor():
    assert machine()["processor_features"] == sorted(machine()["processor_features"])
    assert machine()["cores"] >= 1


def test_the_fingerprint_covers_a_few_hundred_values_and_notices_one_bit(monkeypatch):
    values = []

    def recording(formula, dtype):
        f = provenance_compile(formula, dtype)

        def evaluate(x):
            values.append(f(x))
            return values[-1]

        return evaluate

    provenance_compile = provenance.compile_formula
    monkeypatch.setattr(provenance, "compile_formula", recording)
    assert fingerprint.__wrapped__() == fingerprint()
    assert sum(each.size for each in values) > 300
    assert all(np.isfinite(each).any() for each in values)

    def one_bit_off(formula, dtype):
        f = provenance_compile(formula, dtype)
        return (lambda x: np.nextafter(f(x), np.inf)) if formula.text == "erf(x)" else f

    monkeypatch.setattr(provenance, "compile_formula", one_bit_off)
    assert fingerprint.__wrapped__() != fingerprint()


def test_what_computes_f_is_told_apart_by_its_name_and_its_version(monkeypatch):
    assert len({evaluator(), evaluator("jax"), evaluator("torch")}) == 3
    before = evaluator("torch")
    monkeypatch.setattr(provenance, "installed_version", lambda package: f"newer {package}")
    assert evaluator.__wrapped__("torch") != before
    assert evaluator.__wrapped__() == evaluator()


def test_costs_and_lines_go_through_further_code():
    plain = load_suite("lab").functions
    several, models = load_suite("multivariate").functions, load_suite("models").functions
    further = [further_modules(functions) for functions in (plain, several, models, (*several, *models))]
    assert further[:2] == [(), ("lines.py",)]
    assert set(further[3]) == {"lines.py", "models.py", "tape.py"}
    assert {"models.py", "tape.py"} <= set(further[2])
    assert len({evaluator("numpy", each) for each in further}) >= 3


def without_git_variables(monkeypatch):
    """Inside a git hook they name the repository that is being committed to, wherever git is called."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    without_git_variables(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for key, value in {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}.items():
        monkeypatch.setenv(key, value)
    (tmp_path / "mine.py").write_text("1\n")
    author = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    for words in (("init", "-q"), ("add", "."), (*author, "commit", "-qm", "first")):
        subprocess.run(["git", *words], check=True)
    return tmp_path


def test_the_commit_of_the_working_directory_is_told_and_whether_it_was_changed(repository):
    state = git_state()
    assert len(state["commit"]) == 40
    assert state["changed"] is False
    (repository / "mine.py").write_text("2\n")
    assert git_state() == {"commit": state["commit"], "changed": True}


def test_outside_a_repository_there_is_none(tmp_path, monkeypatch):
    without_git_variables(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state() is None


def test_without_git_there_is_none(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_state() is None
