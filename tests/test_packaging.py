"""What is packed, and what surrounds the package: each thing is said in one place, or alike in all."""

import email
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
import types
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from diffbench import __version__
from diffbench.functions.suites import load_suite

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")

OF_MAKE_ALONE = {"clean"}
"""Targets that no session needs: nox has folders of its own."""


# metadata -------------------------------------------------------------------------------------------------------------


def test_the_version_stands_in_one_place():
    assert PROJECT["dynamic"] == ["version"]
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "diffbench/__init__.py"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["license"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## \[{re.escape(__version__)}\]|^Everything, as {re.escape(__version__)}:", changelog, re.M)


def test_all_is_every_extra_but_four():
    (all_of_it,) = map(Requirement, EXTRAS["all"])
    assert all_of_it.name == "diffbench"
    assert all_of_it.extras == EXTRAS.keys() - {"all", "jax", "torch", "docs", "dev"}


def test_a_package_has_the_same_bound_wherever_it_is_named():
    texts = [*PROJECT["dependencies"], *(each for extra in EXTRAS.values() for each in extra)]
    bounds = {}
    for requirement in map(Requirement, texts):
        bounds.setdefault(requirement.name, set()).add(str(requirement.specifier))
    assert {name: found for name, found in bounds.items() if len(found) > 1} == {}


def test_oldest_versions_are_the_lower_bounds():
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "oldest.py"), "all"], capture_output=True, text=True, check=True
    )
    pins = {requirement.name: requirement for requirement in map(Requirement, done.stdout.splitlines())}
    for text in (*PROJECT["dependencies"], *EXTRAS["test"], *EXTRAS["cluster"]):
        requirement = Requirement(text)
        assert str(pins[requirement.name].specifier) == str(requirement.specifier).replace(">=", "==")
    assert "diffbench" not in pins


# make and nox ---------------------------------------------------------------------------------------------------------


GIVEN = {"JOBS": "2", "INPUTS": "1000000", "SEED": "1"}
"""What the variables of the Makefile are by themselves."""


def rules():
    """Return the prerequisites and the recipe of each target."""
    found = re.findall(r"^([^\s:#=][^:=\n]*):(?!=)([^\n]*)\n((?:\t.*\n?)*)", MAKEFILE, re.M)
    return {name.strip(): (before.split("|")[0].split(), recipe.splitlines()) for name, before, recipe in found}


def made(target):
    """Return what a target installs, and the programs that it runs, as words, files and folders one by one."""
    before, recipe = rules()[target]
    installed = [
        re.search(r"--editable (\S+)", line)[1].strip("'")
        for stamp in before
        for line in rules()[stamp][1]
        if "--editable" in line
    ]
    lines = [re.sub(r"\$\(if .*\)|; test .*", "", line) for line in recipe]
    lines = [re.sub(r"\$\((\w+)\)", lambda name: GIVEN.get(name[1], name[0]), line) for line in lines]
    return installed, [words for line in lines for words in one_by_one(shlex.split(line.replace("$(BIN)/", "")))]


def one_by_one(words):
    match words:
        case "rm", "-rf", *folders:
            return [["rm", folder] for folder in folders]
        case "cp", *files, target:
            return [["cp", file, target] for file in files]
    return [words]


@pytest.fixture
def sessions(monkeypatch):
    """Return what the sessions of the noxfile install, run and ask for, without nox."""
    nox = types.ModuleType("nox")
    found, now = {}, []

    class Session:
        posargs = ()

        def __init__(self):
            self.installed, self.ran, self.asked = [], [], []
            now[:] = [self]

        def install(self, flag, what):
            assert flag == "-e"
            self.installed.append(what)

        def run(self, *words, success_codes=(0,)):
            self.ran.append((list(words), tuple(success_codes)))

        def notify(self, name):
            self.asked.append(name)

    def session(function=None, *, name=None, **_):
        if function is None:
            return lambda decorated: session(decorated, name=name)
        found[name or function.__name__] = Session()
        function(found[name or function.__name__])
        return function

    nox.session, nox.Session, nox.options = session, Session, types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "nox", nox)
    monkeypatch.setattr(shutil, "rmtree", lambda folder, **_: now[0].run("rm", folder))
    monkeypatch.setattr(shutil, "copy", lambda file, target: now[0].run("cp", file, target))
    monkeypatch.setenv("JOBS", "2")
    exec(compile((ROOT / "noxfile.py").read_text("utf-8"), "noxfile.py", "exec"), {"__name__": "noxfile"})  # noqa: S102
    return found


def test_nox_has_the_targets_of_make(sessions):
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.M)
    assert sessions.keys() == set(phony.split()) - OF_MAKE_ALONE


def test_nox_does_what_make_does(sessions):
    for name, session in sessions.items():
        if session.asked:
            assert (session.asked, []) == rules()[name]
        else:
            assert (session.installed, [words for words, _ in session.ran]) == made(name), name


def test_the_gate_must_notice_a_weight_that_is_wrong(sessions):
    assert [codes for _, codes in sessions["gate"].ran] == [(0,), (1,)]
    assert "check --self-test; test $$? -eq 1" in MAKEFILE


# the wheel and the sdist ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """Return the folder of sdist and wheel, the wheel made from the sdist, from a copy of what is committed."""
    for name in ("build", "hatchling", "twine", "check_wheel_contents"):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("dist")
    unpacked = folder / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", ".nox", "build", "dist", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, unpacked, ignore=ignored)
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "made"), str(unpacked)]
    subprocess.run(words, capture_output=True, check=True)
    return folder / "made"


@pytest.mark.slow
def test_twine_and_check_wheel_contents_have_nothing_to_say(dist):
    made = sorted(map(str, dist.iterdir()))
    assert [Path(name).name for name in made] == [
        f"diffbench-{__version__}-py3-none-any.whl",
        f"diffbench-{__version__}.tar.gz",
    ]
    for words in (["twine", "check", "--strict", *made], ["check_wheel_contents", made[0]]):
        done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    with zipfile.ZipFile(made[0]) as wheel:
        names = wheel.namelist()
        about = email.message_from_bytes(wheel.read(f"diffbench-{__version__}.dist-info/METADATA"))
    assert {"diffbench/py.typed", "diffbench/functions/suites/standard.toml"} <= set(names)
    assert {name.split("/")[0] for name in names} == {"diffbench", f"diffbench-{__version__}.dist-info"}
    assert about["License-Expression"] == "BSD-3-Clause"
    assert set(about.get_all("Provides-Extra")) == set(EXTRAS)


@pytest.mark.slow
def test_the_sdist_has_what_its_tests_need(dist, tmp_path):
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        # Python has the filter since 3.11.4; what is unpacked was packed here.
        archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # noqa: S202
    (folder,) = tmp_path.iterdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    committed = [name for name in listed.split("\0") if name] or ["README.md", "noxfile.py", "CITATION.cff"]
    assert [name for name in committed if (ROOT / name).exists() and not (folder / name).exists()] == []
    words = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:randomly"]
    tests = ["tests/test_packaging.py", "tests/test_workflows.py", "tests/test_lab.py"]
    done = subprocess.run(
        [*words, *tests],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


def required(text, found):
    """Add to what is found the installed packages that a requirement needs, and all that they need."""
    requirement = Requirement(text)
    extras = {"", *requirement.extras}
    if requirement.name not in found:
        found[requirement.name] = metadata.distribution(requirement.name)
        for each in found[requirement.name].requires or []:
            marker = Requirement(each).marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
                required(each, found)
    return found


def link(distribution, packages):
    """Put the files of an installed package into another environment."""
    for top in {file.parts[0] for file in distribution.files or () if file.parts[0] not in {"..", "__pycache__"}}:
        if not (packages / top).exists():
            (packages / top).symlink_to(Path(distribution.locate_file(top)))


@pytest.fixture(scope="module")
def empty(dist, tmp_path_factory):
    """Return the programs of an environment with the wheel, and with what the wheel says that it needs: no more."""
    if sys.platform == "win32":
        pytest.skip("links need rights on Windows")
    folder = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--no-index", "--no-deps", next(dist.glob("*.whl"))]
    subprocess.run(pip, capture_output=True, check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (about,) = packages.glob("diffbench-*.dist-info")
    found = {}
    for text in metadata.PathDistribution(about).requires:
        if Requirement(text).marker is None:
            required(text, found)
    for distribution in found.values():
        link(distribution, packages)
    return folder / "bin"


@pytest.mark.slow
def test_the_wheel_runs_the_main_job_in_an_empty_environment(empty, tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    def call(program, *words):
        line = [str(empty / program), *words]
        done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = call("python", "-c", "import diffbench; print(diffbench.__file__)")
    assert Path(where.strip()).is_relative_to(empty.parent)
    assert call("diffbench", "--version") == call("python", "-m", "diffbench", "--version")
    call("diffbench", "run", "--rule", "all", "--quiet", "--out", "run")
    assert (tmp_path / "run" / "report.html").stat().st_size > 500_000
    assert len(list((tmp_path / "run" / "figures").glob("*-d1-float64.svg"))) >= len(load_suite("standard").functions)
    states = {
        row["package"]: row["state"] for row in json.loads(call("diffbench", "doctor", "--format", "json"))["packages"]
    }
    assert states["numpy"] == "ok"
    assert states["hypothesis"] == "not installed"
