"""Hypothesis draws the same examples every time, so that a red test is red for everybody.

It also draws numbers from the source of the modules that are imported so far. All of them are, so that examples do not
depend on which tests ran before in the same process. Modules below a folder called ``test`` or ``tests`` are not drawn
from, so that a checkout there has other examples.
"""

from importlib import import_module
from pkgutil import walk_packages

from hypothesis import HealthCheck, settings

import diffbench

# A project of its own, which test_pytest_plugin.py runs.
collect_ignore = ["sample"]

for module in walk_packages(diffbench.__path__, "diffbench."):
    if not module.name.endswith("__main__"):
        import_module(module.name)

settings.register_profile(
    "diffbench",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("diffbench")
