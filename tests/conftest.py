"""Hypothesis draws the same examples every time, so that a red test is red for everybody.

It also draws numbers from the source of the modules that are imported so far. All of them are, so that examples do not
depend on which tests ran before in the same process. Modules below a folder called ``test`` or ``tests`` are not drawn
from, so that a checkout there has other examples.
"""

import gc
import os
import sys
from importlib import import_module
from pkgutil import walk_packages

import pytest
from hypothesis import HealthCheck, settings

import diffbench


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that puts a package with entry points on the path, as an installer would."""
    site = tmp_path / "site"

    def installed(name, code, version="1.0", **entry_points):
        information = site / f"{name.replace('-', '_')}-{version}.dist-info"
        information.mkdir(parents=True)
        (site / f"{name.replace('-', '_')}.py").write_text(code, "utf-8")
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
        groups = [
            "\n".join([f"[diffbench.{group}]", *(f"{point} = {value}" for point, value in points.items())])
            for group, points in entry_points.items()
        ]
        (information / "entry_points.txt").write_text("\n".join(groups), "utf-8")
        monkeypatch.syspath_prepend(site)
        return site

    yield installed
    if site.exists():
        for path in site.glob("*.py"):
            sys.modules.pop(path.stem, None)


@pytest.fixture(scope="session", autouse=True)
def _no_disk():
    """Wait for no disk: no machine crashes here, but in test_faults.py, which has processes of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


# A project of its own, which test_pytest_plugin.py runs.
collect_ignore = ["sample"]


def pytest_configure(config):
    """Import all modules where tests run, which is not where they are handed out to workers."""
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        return
    for module in walk_packages(diffbench.__path__, "diffbench."):
        if not module.name.endswith("__main__"):
            import_module(module.name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep the quick tests of a file together, so that what they share is made once.

    Slow ones are few and long, and share less.
    """
    if "not slow" not in config.option.markexpr:
        return None
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


def pytest_collection_finish(session):
    """Leave what was imported and collected out of the garbage collections to come, which go through all of it."""
    gc.collect()
    gc.freeze()


settings.register_profile(
    "diffbench",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("diffbench")
