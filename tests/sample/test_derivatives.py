"""What a user's project might hold: some of it is right, some is not, see tests/test_pytest_plugin.py."""

import math

import numpy as np
import pytest

H = 2.0**-10


def central(f):
    return lambda x: (f(x + H) - f(x - H)) / (2 * H)


def test_right(accuracy):
    accuracy.check(lambda x: 2 * x, "x**2", at=["1/3", 2, 1e100], digits=15)


def test_forward_difference_in_float32(accuracy):
    h = np.float32(2**-9)
    (found,) = accuracy.check(lambda x: (np.exp(x + h) - np.exp(x)) / h, "exp(x)", at=1, digits=2.5, dtype="float32")
    assert 2.5 < found.digits < 5


def test_polynomial_of_numpy(accuracy):
    slope = np.polynomial.Polynomial([1, -2, 0, 3]).deriv()
    accuracy.check(lambda x: slope(np.array([x])), "1 - 2*x + 3*x**3", at=np.array([0.5, 2.0]), digits=15)


def test_complex_step_of_numpy(accuracy):
    f = accuracy.counted(lambda z: np.exp(z) * np.sin(z))
    accuracy.check(lambda x: f(np.array([x + 1e-30j])).imag / 1e-30, "exp(x)*sin(x)", at=["1/3", 1], digits=14)


def test_wrong(accuracy):
    accuracy.check(lambda x: math.cos(x) + 1e-6, "sin(x)", at=["1", "2"], digits=8)


def test_not_finite(accuracy):
    accuracy.check(lambda x: math.nan if x > 1 else 2 * x, "x**2", at=[1, 2], digits=8)


def test_gradient(accuracy):
    accuracy.check_gradient(
        lambda x, y: [y * math.exp(x * y), x * math.exp(x * y)], "exp(x*y)", at={"x": 1, "y": 2}, digits=14
    )


def test_wrong_gradient(accuracy):
    accuracy.check_gradient(lambda x, y: [2 * x * y, x], "x**2*y", at={"x": 3, "y": "1/2"}, digits=10)


def test_no_derivative(accuracy):
    accuracy.check(lambda x: 0.0, "Abs(x)", at=0, digits=1)


@pytest.mark.parametrize("digits", [math.nan, math.inf, None])
def test_digits_that_nothing_could_miss(accuracy, digits):
    with pytest.raises(ValueError, match=r"digits: .* is not a finite number"):
        accuracy.check(lambda x: 0.0, "x**2", at=1, digits=digits)


def test_counted_one_by_one(accuracy):
    accuracy.check(central(accuracy.counted(math.exp)), "exp(x)", at=1, digits=6)


def test_counted_in_an_array(accuracy):
    f = accuracy.counted(np.exp)
    weights = np.array([1, -8, 0, 8, -1]) / (12 * H)
    accuracy.check(lambda x: weights @ f(x + H * np.arange(-2, 3)), "exp(x)", at=[0, 1], digits=10)


def test_counted_gradient_of_a_function_of_a_vector(accuracy):
    f = accuracy.counted(lambda v: v[0] ** 2 * v[1])

    def gradient(*point):
        return [(f(point + H * row) - f(point - H * row)) / (2 * H) for row in np.eye(2)]

    accuracy.check_gradient(gradient, "x**2*y", at={"x": 3, "y": "1/2"}, digits=10)


def test_the_point_that_needs_most_is_counted(accuracy):
    f = accuracy.counted(math.sqrt)

    def slope(x):
        return [f(x) for _ in range(2 if x < 1 else 7)] and 1 / (2 * f(x))

    accuracy.check(slope, "sqrt(x)", at=["1/4", 4, "1/2"], digits=15)
    f(2.0)
    accuracy.check(lambda x: 0.5 / f(x), "sqrt(x)", at=9, digits=15)


def test_several_counted_functions_are_added(accuracy):
    f, g = accuracy.counted(math.sin), accuracy.counted(lambda xs: [math.cos(x) for x in xs])
    accuracy.check(lambda x: f(x) * -f(x) + g([x, 0.0])[0] ** 2, "sin(x)*cos(x)", at=1, digits=14)


def test_counted_but_not_needed(accuracy):
    accuracy.counted(math.exp)
    accuracy.check(math.exp, "exp(x)", at=1, digits=15)


def test_a_counted_function_is_like_the_other(accuracy):
    def f(x, *, scale=1):
        """Return a multiple."""
        return scale * x

    counted = accuracy.counted(f)
    assert (counted.__name__, counted.__doc__, counted(2, scale=3)) == ("f", "Return a multiple.", 6)
    with pytest.raises(ZeroDivisionError):
        accuracy.counted(lambda x: 1 / x)(0)
    with pytest.raises(ValueError, match="counted: 3 is not callable"):
        accuracy.counted(3)


def test_several_checks(accuracy):
    accuracy.check(lambda x: 2 * x, "x**2", at=[1, 2], digits=15)
    accuracy.check(central(math.exp), "exp(x)", at=1, digits=6.5)
    accuracy.check(central(math.exp), "exp(x)", at=1, digits=3)


def test_jax(accuracy):
    jax = pytest.importorskip("jax")
    slope = jax.grad(lambda x: jax.numpy.sin(x) * x)
    accuracy.check(slope, "x*sin(x)", at=["1/3", 2], digits=6, dtype="float32")
    gradient = jax.grad(accuracy.counted(lambda x, y: x**2 * y), argnums=(0, 1))
    accuracy.check_gradient(gradient, "x**2*y", at={"x": 3, "y": "1/2"}, digits=6, dtype="float32")


def test_torch(accuracy):
    torch = pytest.importorskip("torch")

    def gradient(*point):
        x, y = (torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in point)
        return torch.autograd.grad(torch.exp(x * y), (x, y), create_graph=True)

    accuracy.check_gradient(gradient, "exp(x*y)", at={"x": 1, "y": 2}, digits=14)
