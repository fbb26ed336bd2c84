"""Contestants that a child process can import: null models of libraries."""

import os
import subprocess
import time
from functools import partial
from math import isnan

import numpy as np

from diffbench.schemes.libraries import Library


def forward(f, x, derivative, epsilon=2.0**-20):
    return (f(x + epsilon) - f(x)) / epsilon


def zero(f, x, derivative):
    return 0.0


def raises(f, x, derivative):
    raise ArithmeticError("no step suits")


def searches(f, x, derivative):
    if abs(f(x + 1) - 2 * f(x) + f(x - 1)) < 1e-3:
        raise ArithmeticError("there is no curvature to go by")
    return forward(f, x, derivative)


def hangs_with_a_child_of_its_own(f, x, derivative):
    subprocess.Popen(["sleep", "60"])
    hangs(f, x, derivative)


def nothing(f, x, derivative):
    return f(x) * float("nan")


def hangs_left_of_0(f, x, derivative):
    while x < 0:
        time.sleep(0.01)
    return forward(f, x, derivative)


def hangs(f, x, derivative):
    while True:
        time.sleep(0.01)


def ends_its_process(f, x, derivative):
    os._exit(3)


def ignores_epsilon(f, x, derivative, epsilon):
    return forward(f, x, derivative)


def random_answer(f, x, derivative):
    return 4.48 + int.from_bytes(os.urandom(4)) * 1e-15 * f(x)


def fills_in(f, x, derivative):
    """Take 0 for what f does not give."""
    ahead = f(x + 1e-6)
    return ((0.0 if isnan(ahead) else ahead) - f(x)) / 1e-6


_STEPS = [2.0**-20]


def remembers(f, x, derivative):
    """Begin with the step that suits the point before."""
    step, _STEPS[0] = _STEPS[0], abs(x) * 2.0**-20
    return forward(f, x, derivative, step)


def in_one_batch(f, x, derivative):
    """Ask for all nodes at once, in a column."""
    ahead, here = f(np.array([[x + 2.0**-20], [x]]))[:, 0]
    return (ahead - here) / 2.0**-20


def library(name, call, *, peer="forward-1", takes_epsilon=False, derivatives=(1,)):
    return Library(f"null-{name}", "null", peer, call, derivatives, takes_epsilon)


FORWARD = library("forward", forward)
SWEPT = library("forward-epsilon", forward, takes_epsilon=True)
ZERO = library("zero", zero)
RAISES = library("raises", raises)
SEARCHES = library("searches", searches)
FORKS = library("forks", hangs_with_a_child_of_its_own)
NOTHING = library("nan", nothing)
HANGS = library("hangs", hangs_left_of_0)
ENDS = library("ends", ends_its_process)
DEAF = library("deaf-epsilon", ignores_epsilon, takes_epsilon=True)
RANDOM = library("random", random_answer)
FILLS_IN = library("fills-in", fills_in)
TWICE = library("twice", partial(forward), derivatives=(1, 2))
REMEMBERS = library("remembers", remembers)
IN_ONE_BATCH = library("in-one-batch", in_one_batch)
