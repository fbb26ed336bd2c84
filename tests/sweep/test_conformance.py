"""An adapter that does not do what it must is found out."""

import contestants
import pytest

from diffbench.schemes.libraries import LIBRARIES, Library, find_library, installed_version
from diffbench.sweep.conformance import conformance


def failing(library, **options):
    return {check.check for check in conformance(library, **options) if not check.passed}


@pytest.mark.parametrize("name", ["scipy-2-point", "scipy-3-point", "scipy-cs", "scipy-cs-epsilon", "mpmath-diff"])
def test_adapters_that_need_nothing_else_conform(name):
    assert failing(find_library(name)) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    "library", [each for each in LIBRARIES if each.package not in ("jax", "GSL")], ids=lambda each: each.name
)
def test_every_adapter_conforms(library):
    assert installed_version(library.package)
    # Its own default bracket is empty for most functions, and it says so.
    assert failing(library) == ({"answers"} if library.name == "numericalderivative-dumontet-vignes" else set())


@pytest.mark.parametrize("library", [contestants.FORWARD, contestants.SWEPT, contestants.IN_ONE_BATCH])
def test_a_simple_one_conforms(library):
    assert failing(library) == set()


@pytest.mark.parametrize(
    ("library", "checks"),
    [
        (contestants.ZERO, {"x**1, derivative 1", "evaluations"}),
        (contestants.NOTHING, {"signature"}),
        (contestants.DEAF, {"epsilon"}),
        (contestants.RANDOM, {"determinism", "points", "x**1, derivative 1", "constant"}),
        (contestants.REMEMBERS, {"points"}),
        (contestants.FILLS_IN, {"NaN"}),
        (contestants.ENDS, {"signature"}),
        (contestants.TWICE, {"x**2, derivative 2"}),
    ],
    ids=lambda value: value.name if isinstance(value, Library) else "",
)
def test_what_is_wrong_is_found(library, checks):
    assert failing(library, time_limit=2) == checks


def test_one_that_hangs_fails_at_once():
    library = contestants.library("hangs", contestants.hangs)
    (check,) = conformance(library, 1.0)
    assert (check.check, check.passed, check.detail) == ("signature", False, "no answer within 1 s")


@pytest.mark.slow
def test_one_that_searches_in_vain_and_says_so_conforms():
    assert failing(contestants.SEARCHES) == set()


@pytest.mark.slow
def test_one_that_always_searches_in_vain_does_not():
    assert failing(contestants.RAISES) == {"evaluations", "answers"}


def test_what_cannot_be_sent_to_another_process_says_so():
    library = contestants.library("local", lambda f, x, derivative: 0.0)
    (check,) = conformance(library)
    assert not check.passed
    assert "it cannot be sent to another process" in check.detail
