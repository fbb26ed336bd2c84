"""Plug-ins: what installed packages offer by entry points, looked up late, and loaded nowhere but in a child."""

import json
import os
import pickle
import pickletools
import subprocess
import sys
from functools import cache
from importlib import metadata

import pyarrow.parquet as pq
import pytest

from diffbench import Spec, Stencil, run
from diffbench.children import LateError, LostError
from diffbench.errors import InputError
from diffbench.schemes import plugins
from diffbench.schemes.libraries import LIBRARIES, find_library, libraries, scheme_of_others
from diffbench.schemes.scheme import Plugin, StencilScheme
from diffbench.sweep.provenance import versions_for

GOOD = """
from diffbench import Library, OpaqueScheme, Stencil
from diffbench.schemes.scheme import as_scheme

WIDE = Stencil.fit([-2, -1, 1, 2])
BOTH = (Stencil.fit([-2, 0, 2]), as_scheme(Stencil.fit([-2, 0, 2], 2), "both-d2"))

def forward(f, x, epsilon):
    return (f(x + epsilon) - f(x)) / epsilon

def told(f, x, derivative, epsilon):
    return forward(f, x, epsilon)

CALLED = OpaqueScheme("called-forward", forward)
LIBRARY = (Library("good-a", "good", "forward-1", told, takes_epsilon=True, description="a difference"),)
"""

BAD = """
import os, sys, time
import numpy as np
from diffbench import OpaqueScheme, Stencil
from diffbench.schemes.scheme import ComplexStepScheme

print("noise on import")

def difference(f, x, epsilon):
    return (f(x + epsilon) - f(x - epsilon)) / (epsilon + epsilon)

def raises(f, x, epsilon):
    raise ZeroDivisionError("not today")

def hangs(f, x, epsilon):
    while True:
        time.sleep(1)

def ends(f, x, epsilon):
    os._exit(0)

def interrupts(f, x, epsilon):
    raise KeyboardInterrupt

def shape(f, x, epsilon):
    return np.array([1.0, 2.0])

def dtype(f, x, epsilon):
    return "1.0"

def mutates(f, x, epsilon):
    nodes = np.array([x - epsilon, x + epsilon])
    values = f(nodes)
    estimate = (values[1] - values[0]) / (epsilon + epsilon)
    nodes[:] = values[:] = 7
    object.__setattr__(f._function, "points", ())
    sys.modules["diffbench.sweep.opaque"]._numbers = lambda answer: (7.0, 0.0)
    x[...] = 7
    return estimate

def prints(f, x, epsilon):
    print("noise on stdout")
    sys.stderr.write("noise on stderr")
    os.write(1, b"noise on the descriptor")
    return difference(f, x, epsilon)

OWN_CLASS = ComplexStepScheme("own", 1)
NUMBER = 7
TWICE = (Stencil.fit([-2, 2]), Stencil.fit([-1, 3]))
TAKEN = OpaqueScheme("central-2", difference)
WRONG_END = OpaqueScheme("wrong", difference, derivative=2)
FOREIGN = OpaqueScheme("another", difference)
"""

CALLS = ("raises", "hangs", "ends", "interrupts", "shape", "dtype", "prints", "mutates")


def offered(group, name):
    return next(each for each in plugins.installed(f"diffbench.{group}") if each.name == name)


@pytest.fixture
def good(install):
    points = {"schemes": {"wide": "good:WIDE", "both": "good:BOTH", "called": "good:CALLED"}}
    return install("good", GOOD, "1.2", **points, libraries={"good": "good:LIBRARY"})


def test_what_an_entry_point_offers_is_data(good):
    wide, *both = (each for name in ("wide", "both") for each in plugins._answer(offered("schemes", name)))
    assert wide == StencilScheme("wide", 1, Stencil.fit([-2, -1, 1, 2]), plugin=offered("schemes", "wide"))
    assert [(each.name, each.derivative) for each in both] == [("both", 1), ("both-d2", 2)]
    (called,) = plugins._answer(offered("schemes", "called"))
    (library,) = plugins._answer(offered("libraries", "good"))
    for each in (wide, *both, called, library):
        assert not [kind for _, kind, _ in pickletools.genops(pickle.dumps(each)) if str(kind).startswith("good ")]
    assert (called.package, library.plugin.package) == ("good", "good")
    assert called.call == plugins.PluginCall(called.plugin, "called-forward")
    assert called.call(lambda x: x * x, 1.0, 0.5) == 2.5
    assert library.scheme().call(lambda x: x * x, 1.0, 0.5) == 2.5


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("bad:OWN_CLASS", "own is a class of its own, which nothing could stop; offer an OpaqueScheme"),
        ("bad:NUMBER", "7 is neither a Stencil nor an OpaqueScheme"),
        ("bad:TWICE", "it offers it twice"),
        ("bad:TAKEN", "central-2 does not begin with it"),
        ("bad:WRONG_END", "wrong does not end like a scheme for derivative 2"),
        ("bad:FOREIGN", "another does not begin with it"),
        ("bad:NOTHING", "AttributeError: module 'bad' has no attribute 'NOTHING'"),
        ("no_such_module:X", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("leaving:X", "SystemExit: bye ?[2J"),
    ],
)
def test_what_cannot_be_used_says_why(install, value, why):
    site = install("bad", BAD)
    (site / "leaving.py").write_text("raise SystemExit('bye\\n\\x1b[2J')", "utf-8")
    assert plugins._answer(Plugin(plugins.SCHEMES, "it", value, "bad")) == why


def test_a_name_of_the_catalogue_is_taken(install):
    install("bad", BAD)
    why = "central-2 is the name of a scheme of the catalogue"
    assert plugins._answer(Plugin(plugins.SCHEMES, "central", "bad:TAKEN", "bad")) == why


def test_a_library_is_wanted_where_libraries_are(good):
    why = plugins._answer(Plugin(plugins.LIBRARIES, "wide", "good:WIDE", "good"))
    assert why.startswith("Stencil(offsets=")
    assert why.endswith("is not a Library")


def test_entry_points_have_their_packages_and_nothing_is_loaded(good):
    assert [(each.name, each.package) for each in plugins.installed(plugins.SCHEMES)] == [
        ("both", "good"),
        ("called", "good"),
        ("wide", "good"),
    ]
    assert "good" not in sys.modules


def test_metadata_are_read_again_only_when_a_package_came_or_went(good, install, monkeypatch):
    before, looks, look = sys.path[:], [], metadata.entry_points
    monkeypatch.setattr(metadata, "entry_points", lambda **options: looks.append(options) or look(**options))
    for number in range(20):
        with pytest.raises(InputError, match="not a name by the rule"):
            Spec("lab", [f"unknown-{number}"])
    assert len(looks) == 2
    site = install("more", "", schemes={"more": "more:MORE"})
    monkeypatch.setattr(sys, "path", before)
    # The clock of a file system may stand still for some milliseconds.
    os.utime(site, ns=(0, 0))
    assert "more" in [each.name for each in plugins.installed(plugins.SCHEMES)]


def test_nobody_looks_for_plugins_where_names_are_known(monkeypatch):
    def refuse(**_):
        raise AssertionError

    monkeypatch.setattr(metadata, "entry_points", refuse)
    assert len(Spec("lab", ["central-2", "richardson(forward-1)", "jacobi"]).schemes) == 3
    assert run(Spec("lab")).counts["ok"]
    assert find_library("jacobi") in LIBRARIES


class Here:
    """What stands for a child, without the time that a process takes to begin."""

    def __init__(self, module):
        assert module == plugins.__name__

    def ask(self, plugin, seconds):
        assert seconds == plugins.LOAD_LIMIT
        return plugins._answer(plugin), 0.0

    def end(self):
        pass


@pytest.fixture
def here(monkeypatch):
    """Let entry points be loaded in this process, and let nothing be remembered of it."""
    monkeypatch.setattr(plugins, "Child", Here)
    monkeypatch.setattr(plugins, "offers_of", cache(plugins.offers_of.__wrapped__))


def test_a_name_is_looked_for_where_it_belongs(good, here):
    assert scheme_of_others("wide") == StencilScheme(
        "wide", 1, Stencil.fit([-2, -1, 1, 2]), plugin=offered("schemes", "wide")
    )
    assert scheme_of_others("both", 2).name == scheme_of_others("both-d2").name == "both-d2"
    assert scheme_of_others("called-forward").package == "good"
    assert scheme_of_others("called-backward") is None
    with pytest.raises(InputError, match=r"^scheme: both has no derivative 3, only 1, 2$"):
        scheme_of_others("both", 3)
    assert find_library("good-a").description == "a difference"
    assert scheme_of_others("good-a").plugin == offered("libraries", "good")
    assert scheme_of_others("good-b") is None
    assert {each.name for each in plugins.everything(plugins.SCHEMES)} == {"wide", "both", "both-d2", "called-forward"}
    assert [each.name for each in libraries()[len(LIBRARIES) :]] == ["good-a"]
    assert plugins.broken(plugins.SCHEMES) == plugins.broken(plugins.LIBRARIES) == []


@pytest.mark.parametrize(
    ("error", "why"),
    [(LateError, "loading it takes more than 30 s"), (LostError, "loading it ends its process")],
)
def test_what_cannot_be_loaded_fails_where_it_is_used_with_the_reason(good, here, monkeypatch, error, why):
    def fail(*_):
        raise error

    monkeypatch.setattr(Here, "ask", fail)
    sentence = f"the entry point called of good cannot be used: {why}"
    scheme = scheme_of_others("called-forward", 2)
    assert (scheme.name, scheme.derivative, scheme.package) == ("called-forward-d2", 2, "good")
    with pytest.raises(plugins.PluginError, match=f"^{sentence}$"):
        scheme.call(None, 1.0, 0.5)
    assert sentence in plugins.broken(plugins.SCHEMES)
    assert list(plugins.everything(plugins.SCHEMES)) == []
    with pytest.raises(InputError, match=rf"^library: the entry point good of good cannot be used: {why}$"):
        find_library("good-a")


@pytest.mark.slow
def test_they_are_found_by_name_and_loaded_in_a_child_only(good, tmp_path):
    assert scheme_of_others("both", 2).name == "both-d2"
    assert scheme_of_others("both-d2").stencil == Stencil.fit([-2, 0, 2], 2)
    assert scheme_of_others("called-forward").package == "good"
    assert scheme_of_others("nobody-knows") is None
    with pytest.raises(InputError, match="wide has no derivative 3, only 1"):
        scheme_of_others("wide", 3)
    assert find_library("good-a").description == "a difference"
    assert [each.name for each in libraries()[len(LIBRARIES) :]] == ["good-a"]
    with pytest.raises(InputError, match="did you mean 'good'"):
        find_library("goood")
    spec = Spec("exp", ["wide", "called-forward", "good-a"], ["1e-3"])
    assert Spec.from_text(spec.to_toml()) == spec
    assert versions_for(spec.schemes)["good"] == "1.2"
    assert "good" not in versions_for(Spec("exp").schemes)
    results = run(spec, out=tmp_path / "run")
    assert results.manifest["versions"]["good"] == "1.2"
    assert results.counts == {**dict.fromkeys(results.counts, 0), "ok": results.counts["ok"]}
    frame = results.to_frame()
    called, library = (frame[frame.scheme == name].estimate.to_list() for name in ("called-forward", "good-a"))
    assert called == library
    assert "good" not in sys.modules


@pytest.mark.slow
def test_of_two_entry_points_the_longest_that_a_name_begins_with_is_asked(install):
    install("good", GOOD, schemes={"called": "good:CALLED", "called-forward": "good:NOTHING"})
    assert "has no attribute 'NOTHING'" in scheme_of_others("called-forward").call.reason


@pytest.mark.slow
def test_one_that_never_stops_loading_is_given_up(install, monkeypatch):
    site = install("good", GOOD, schemes={"endless": "endless:X"}, libraries={"endless": "endless:X"})
    (site / "endless.py").write_text("while True: pass", "utf-8")
    monkeypatch.setattr(plugins, "LOAD_LIMIT", 1.0)
    why = "the entry point endless of good cannot be used: loading it takes more than 1 s"
    assert scheme_of_others("endless-one").call.reason == why
    with pytest.raises(InputError, match=f"library: {why}"):
        find_library("endless-one")
    assert plugins.broken(plugins.SCHEMES) == [why]


def diffbench(site, folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "diffbench", *arguments]
    return subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)


def cells(folder):
    rows = [row for path in sorted((folder / "cells").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    found = {}
    for row in rows:
        found.setdefault(row["scheme"], []).append(row)
    return found


@pytest.mark.slow
def test_what_a_plugin_does_costs_its_own_cells_only(install, tmp_path):
    offers = "".join(f"OpaqueScheme('bad-{name}', {name}), " for name in CALLS)
    code = f"{BAD}\nALL = ({offers})\nFINE = OpaqueScheme('fine', difference)\n"
    points = {"bad": "bad:ALL", "fine": "bad:FINE", "absent": "no_such_module:X", "leaving": "leaving:X"}
    site = install("bad", code, "0.7", schemes=points)
    (site / "leaving.py").write_text("import os\nos._exit(3)", "utf-8")
    names = (*(f"bad-{name}" for name in CALLS), "fine", "absent-one", "leaving")
    ours = ("-f", "exp(x)", "--at", "1", "-s", "central-2", "--epsilon", "1e-3", "--quiet", "--format", "json")
    theirs = [word for name in names for word in ("-s", name)]
    alone = diffbench(site, tmp_path, "run", *ours, "--out", "alone")
    beside = diffbench(site, tmp_path, "run", *ours, *theirs, "--time-limit", "2", "--out", "beside")
    assert (alone.returncode, beside.returncode) == (0, 3), beside.stderr
    assert {row["scheme"] for row in json.loads(beside.stdout)} == {"central-2", *names}
    assert "noise" not in beside.stdout + beside.stderr
    found, expected = cells(tmp_path / "beside"), cells(tmp_path / "alone")
    for row in found["central-2"]:
        for name in ("distinct_nodes", "outside", "nearest_node"):
            assert row.pop(name) is None
    assert found["central-2"] == expected["central-2"]
    rows = {name: own[0] for name, own in found.items()}
    assert rows["fine"]["estimate"] == rows["bad-prints"]["estimate"] == rows["central-2"]["estimate"]
    reasons = {name: row["reason"] for name, row in rows.items() if row["status"] == "failed"}
    assert reasons.keys() == {*names} - {"bad-prints", "fine"}
    assert reasons["bad-raises"] == "ZeroDivisionError: not today"
    assert reasons["bad-hangs"] == "no answer within 2 s"
    assert reasons["bad-ends"] == reasons["bad-interrupts"] == "it ended its process"
    assert reasons["bad-shape"] == "TypeError: it answered an array of shape (2,), float64, not a real number"
    assert reasons["bad-dtype"] == "TypeError: it answered '1.0', not a real number"
    assert reasons["bad-mutates"] == "TypeError: 'numpy.float64' object does not support item assignment"
    begin = "PluginError: the entry point absent of bad cannot be used: ModuleNotFoundError"
    assert reasons["absent-one"].startswith(begin)
    assert reasons["leaving"].endswith("loading it ends its process")
    versions = [
        json.loads((tmp_path / name / "manifest.json").read_text("utf-8"))["versions"] for name in ("alone", "beside")
    ]
    assert [each.get("bad") for each in versions] == [None, "0.7"]


@pytest.mark.slow
def test_lists_have_what_plugins_offer_and_say_what_cannot_be_used(install, tmp_path):
    points = {"schemes": {"wide": "good:WIDE", "absent": "absent:X"}, "libraries": {"good": "good:LIBRARY"}}
    site = install("good", "print('noise')\n" + GOOD, **points)
    schemes = diffbench(site, tmp_path, "list", "schemes", "--format", "json")
    rows = [row for row in json.loads(schemes.stdout) if row["package"]]
    assert rows == [{"scheme": "wide", "derivative": 1, "order": 4, "evaluations": 4, "package": "good"}]
    assert schemes.stderr.startswith("diffbench: the entry point absent of good cannot be used: ModuleNotFoundError")
    listed = diffbench(site, tmp_path, "list", "libraries", "--format", "json")
    assert {row["library"]: row["installed"] for row in json.loads(listed.stdout)}["good-a"] == "1.0"


@pytest.mark.slow
def test_verbs_that_need_none_load_none_and_names_load_their_own_only(install, tmp_path):
    site = install("good", GOOD, schemes={"wide": "good:WIDE", "trap": "trap:X"})
    (site / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w').close()", "utf-8")
    run_exp = ("run", "-f", "exp", "--epsilon", "1e-3", "--quiet", "--no-report")
    for words in (("list", "rules"), (*run_exp, "-s", "central-2"), (*run_exp, "-s", "wide")):
        out = () if words[0] == "list" else ("--out", words[-1])
        assert diffbench(site, tmp_path, *words, *out).returncode == 0
    assert not (tmp_path / "sprung").exists()
    diffbench(site, tmp_path, "list", "schemes")
    assert (tmp_path / "sprung").exists()
