"""What a user's project might hold: some of it is right, some is not, see tests/test_pytest_plugin.py."""

import math

import numpy as np


def test_right(accuracy):
    accuracy.check(lambda x: 2 * x, "x**2", at=["1/3", 2, 1e100], digits=15)


def test_forward_difference_in_float32(accuracy):
    h = np.float32(2**-9)
    (found,) = accuracy.check(lambda x: (np.exp(x + h) - np.exp(x)) / h, "exp(x)", at=1, digits=2.5, dtype="float32")
    assert 2.5 < found.digits < 5


def test_wrong(accuracy):
    accuracy.check(lambda x: math.cos(x) + 1e-6, "sin(x)", at=["1", "2"], digits=8)


def test_gradient(accuracy):
    accuracy.check_gradient(
        lambda x, y: [y * math.exp(x * y), x * math.exp(x * y)], "exp(x*y)", at={"x": 1, "y": 2}, digits=14
    )


def test_wrong_gradient(accuracy):
    accuracy.check_gradient(lambda x, y: [2 * x * y, x], "x**2*y", at={"x": 3, "y": "1/2"}, digits=10)


def test_no_derivative(accuracy):
    accuracy.check(lambda x: 0.0, "Abs(x)", at=0, digits=1)


def test_timed(accuracy, benchmark):
    benchmark(lambda: accuracy.check(lambda x: 1 / x, "log(x)", at=3, digits=15))
