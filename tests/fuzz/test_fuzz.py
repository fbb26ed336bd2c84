"""The short version of the fuzzing that ``make fuzz`` does at length: the same generators, some hundreds of inputs."""

import time
from random import Random

import generators
import pytest
from fuzz import problem_of, targets, work

COUNTS = {"formula": 150, "spec": 100, "epsilons": 80, "run": 80}


@pytest.mark.parametrize("name", COUNTS)
def test_whatever_is_generated_is_read_or_refused_in_one_line(name):
    failures, outcomes, _ = work(name, 0, range(COUNTS[name]))
    # How long they take is measured at length, where nothing else runs.
    assert [each for each in failures if not each.why.startswith("takes ")] == []
    assert sum(outcomes.values()) == COUNTS[name]
    assert min(outcomes["accepted"], sum(outcomes.values()) - outcomes["accepted"]) >= COUNTS[name] // 20


def test_the_same_number_gives_the_same_input():
    first, again = ([generators.spec(Random(i)) for i in range(50)] for _ in range(2))  # noqa: S311  (no secret)
    assert first == again
    assert len(set(first)) > 40


def burn(_value):
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    return 0.0


def test_what_is_not_refused_as_it_should_be_is_found():
    with targets(("formula",)) as found:
        target = found["formula"]
        assert problem_of(target, "sni(x)")[:2] == ("", "FormulaError")
        assert problem_of(target._replace(read=lambda value: 1 / 0), "x")[0].startswith("ZeroDivisionError")
        assert problem_of(target._replace(read=burn), "x")[0][:5] == "takes"
