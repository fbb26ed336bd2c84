"""``diffbench doctor``: what is here, as it is."""

import os
import platform
from importlib import metadata

import numpy as np
import pytest

from diffbench import __version__
from diffbench.dtypes import NAMES, PLAIN, find_dtype
from diffbench.sweep import doctor
from diffbench.sweep.provenance import fingerprint


@pytest.fixture
def found(diffbench):
    outcome = diffbench("doctor", "--format", "json")
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.json


def test_it_says_what_a_manifest_says(found):
    assert found["diffbench"] == __version__
    assert found["python"].split()[1] == platform.python_version()
    assert found["fingerprint"] == fingerprint()
    assert found["platform"].endswith(f"-{fingerprint()[:10]}")
    assert platform.system().lower() == found["platform"].partition("-")[0]


def test_threads_are_those_of_the_environment(diffbench, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    threads = diffbench("doctor", "--format", "json").json["threads"]
    assert threads["OMP_NUM_THREADS"] == "3"
    assert threads["MKL_NUM_THREADS"] is None
    assert threads["cores"] == os.cpu_count()
    assert 1 <= threads["workers"] <= threads["cores"]
    assert "OMP_NUM_THREADS 3" in diffbench("doctor").out


def test_dtypes_are_those_of_numpy(found):
    assert [row["dtype"] for row in found["dtypes"]] == list(NAMES)
    rows = [row for row in found["dtypes"] if row["unavailable"] is None]
    assert {row["dtype"] for row in rows} >= set(PLAIN)
    for row in rows:
        one, u = (np.array([value], row["dtype"]) for value in (1, row["unit_roundoff"]))
        assert one + 2 * u > one
        assert one + u == one
        assert 2.0 ** -row["precision"] == row["unit_roundoff"]
        assert row["dtype"] == "longdouble" or np.isfinite(np.array(row["largest"], row["dtype"]))
        assert row["subnormals"] is True
    assert [row["complex"] for row in rows if row["dtype"] in PLAIN] == [None, "complex64", "complex128"]


@pytest.mark.skipif(not find_dtype("longdouble").is_wide, reason="longdouble is double here")
def test_text_has_the_ends_of_a_range_beyond_float64(diffbench, found):
    info, row = np.finfo(np.longdouble), found["dtypes"][-1]
    assert (row["dtype"], row["smallest_normal"], row["largest"]) == ("longdouble", None, None)
    (line,) = (line for line in diffbench("doctor").out.splitlines() if line.startswith("longdouble"))
    assert [np.longdouble(text) for text in line.split()[4:6]] == [info.smallest_normal, info.max]


def test_packages_have_their_versions(found):
    rows = {row["package"]: row for row in found["packages"]}
    assert len(rows) == len(found["packages"])
    assert rows["numpy"] == {
        "package": "numpy",
        "extra": None,
        "needed": ">=2.0",
        "installed": np.__version__,
        "state": "ok",
    }
    assert rows["hypothesis"]["extra"] == "test"
    assert rows["distributed"]["extra"] == "cluster"
    assert "mypy" not in rows


def test_old_and_missing_packages_are_told_apart(diffbench, monkeypatch):
    monkeypatch.setattr(doctor, "installed_version", {"numpy": "1.26.4", "scipy": "99.0rc1"}.get)
    rows = {row["package"]: row for row in diffbench("doctor", "--format", "json").json["packages"]}
    assert (rows["numpy"]["installed"], rows["numpy"]["state"]) == ("1.26.4", "too old")
    assert rows["scipy"]["state"] == "ok"
    assert (rows["pandas"]["installed"], rows["pandas"]["state"]) == (None, "not installed")


def test_a_bare_source_requires_nothing_that_is_known(diffbench, monkeypatch):
    def nothing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "distribution", nothing)
    outcome = diffbench("doctor", "--format", "json")
    assert outcome.code == 0
    assert "bokeh" not in {row["package"] for row in outcome.json["packages"]}


def test_text_says_the_same(diffbench, found):
    text = diffbench("doctor").out
    for key in ("diffbench", "fingerprint", "platform"):
        assert found[key] in text
    for row in (*found["dtypes"], *found["packages"]):
        assert any(line.startswith(row.get("dtype") or row["package"]) for line in text.splitlines())
    assert "None" not in text
