"""Stated noise: what its text says, how it is distributed, and that it depends on x and the seed only."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffbench import Function
from diffbench.errors import InputError, UnsupportedError
from diffbench.functions.noise import UNIFORM_DEVIATION, Noise, parse_noise, uniform
from diffbench.functions.suites import load_suite, parse_suite

X = np.linspace(1, 2, 100_001)
finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("relative 1e-6", Noise("relative", 1e-6)),
        ("absolute 1e-9", Noise("absolute", 1e-9)),
        (" relative  2^-20 seed 7 ", Noise("relative", 2.0**-20, 7)),
        ("absolute 1/3 seed 18446744073709551615", Noise("absolute", 1 / 3, 2**64 - 1)),
        ("absolute 100", Noise("absolute", 100.0)),
    ],
)
def test_a_text_states_noise(text, noise):
    assert parse_noise(text) == noise
    assert parse_noise(str(noise)) == noise


@pytest.mark.parametrize(
    "text",
    [
        *("", "1e-6", "relative", "gaussian 1e-6", "relative 1e-6 7", "relative 1e-6 seed", "relative 1e-6 seed 7 8"),
        *("relative 0", "relative -1e-6", "absolute 0", "relative 2", "relative nan", "relative inf", "absolute x"),
        *(
            "relative 1e-6 seed -1",
            "relative 1e-6 seed 1.5",
            "relative 1e-6 seed 18446744073709551616",
            "absolute 1e-390",
        ),
        *("Relative 1e-6", 7, 1e-6, ["relative", "1e-6"]),
    ],
)
def test_what_states_none_is_refused_in_one_line(text):
    with pytest.raises(InputError, match=r"^noise: ") as caught:
        Function("f", "x", ["1"], noise=text)
    assert "\n" not in str(caught.value)


def test_it_is_uniform():
    r = uniform(X)
    assert np.abs(r).max() < 1
    assert r.std() == pytest.approx(UNIFORM_DEVIATION, rel=0.01)
    counts, _ = np.histogram(r, 20, (-1, 1))
    expected = X.size / 20
    # Pearson's sum has 19 degrees of freedom; it is above 44 once in a thousand times.
    assert np.sum((counts - expected) ** 2 / expected) < 44


@pytest.mark.parametrize("x", [X, np.arange(1.0, 1e5), X * 1e-300, -X, np.nextafter(X, 2)], ids=range(5))
def test_neighbours_and_seeds_are_not_correlated(x):
    r = uniform(x)
    bound = 4 / math.sqrt(x.size)
    assert abs(r.mean()) < bound
    assert abs(np.corrcoef(r[1:], r[:-1])[0, 1]) < bound
    assert abs(np.corrcoef(r, uniform(x, 1))[0, 1]) < bound
    assert np.unique(r).size == x.size


@given(x=st.lists(finite, min_size=1, max_size=30), seed=st.integers(0, 2**64 - 1))
def test_the_noise_of_a_value_does_not_depend_on_the_values_beside_it(x, seed):
    together = uniform(np.array(x), seed)
    assert together.tolist() == [uniform(np.array([value]), seed)[0] for value in x]
    assert together[::-1].tolist() == uniform(np.array(x)[::-1], seed).tolist()
    assert (together != 0).all()
    assert (np.abs(together) < 1).all()


def test_known_bits_stay_known():
    known = ["0x1.26e8dcb197c60p-5", "0x1.1fc55c3e7eea6p-1", "0x1.b8b0ff0e7ce5cp-2"]
    assert [value.hex() for value in uniform(np.array([0.0, 1.0, math.pi]), 7)] == known
    assert uniform(np.array([-0.0]), 7)[0].hex() == known[0]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("kind", ["relative", "absolute"])
def test_values_are_disturbed_within_the_level_and_keep_their_dtype(kind, dtype):
    level = 2.0**-6
    x = np.linspace(1, 3, 500).astype(dtype)
    plain = Function("f", "x**2", ["1"]).compile(dtype)(x)
    noisy = Function("f", "x**2", ["1"], noise=f"{kind} {level}").compile(dtype)(x)
    assert noisy.dtype == plain.dtype == np.dtype(dtype)
    exact = plain.astype(float)
    expected = exact * (1 + level * uniform(x)) if kind == "relative" else exact + level * uniform(x)
    np.testing.assert_allclose(noisy.astype(float), expected, rtol=np.finfo(dtype).eps)
    assert (noisy != plain).any()


def test_the_deviation_is_that_of_the_values():
    x = np.linspace(2, 2.001, 20_001)
    for text, expected in (("relative 1e-6", 1e-6 * 4 / math.sqrt(3)), ("absolute 1e-6", 1e-6 / math.sqrt(3))):
        noisy, plain = (Function("f", "x**2", ["1"], noise=noise).compile("float64")(x) for noise in (text, None))
        assert (noisy - plain).std() == pytest.approx(expected, rel=0.02)
        assert parse_noise(text).deviation(-4.0) == pytest.approx(expected)


def test_noise_below_the_dtype_changes_nothing():
    x = np.linspace(1, 3, 50, dtype="float32")
    plain, noisy = (Function("f", "exp(x)", ["1"], noise=n).compile("float32")(x) for n in (None, "relative 1e-12"))
    assert plain.tolist() == noisy.tolist()


def test_complex_values_have_no_noise():
    with pytest.raises(UnsupportedError, match="noise"):
        Function("f", "x", ["1"], noise="relative 1e-6").compile("complex128")


def test_the_users_own_code_gets_noise_too_unless_its_answer_is_none():
    x = np.array([1.0, 2.0])
    assert Function("f", "x", ["1"], evaluate=lambda x: x, noise="absolute 1e-3").compile("float64")(x).tolist() != [
        1,
        2,
    ]
    assert Function("f", "x", ["1"], evaluate=lambda x: None, noise="absolute 1e-3").compile("float64")(x) is None


def test_other_points_and_names_keep_the_noise():
    function = Function("f", "x", ["1"], noise="absolute 1e-3 seed 5")
    assert function.at(function.points).noise == parse_noise("absolute 1e-3 seed 5")
    assert function != Function("f", "x", ["1"], noise="absolute 1e-3 seed 6")


def test_a_suite_states_noise():
    text = '[[functions]]\nformula = "x"\npoints = ["1"]\nnoise = {}'
    assert parse_suite(text.format('"relative 1e-3"'), "own").functions[0].noise == Noise("relative", 1e-3)
    for wrong in ('"much"', "1e-3"):
        with pytest.raises(InputError, match="noise"):
            parse_suite(text.format(wrong), "own")


def test_the_noisy_suite_states_noise_of_many_levels_and_one_seed_each():
    functions = load_suite("noisy").functions
    assert len(functions) == 10
    assert {function.noise.kind for function in functions} == {"relative", "absolute"}
    assert len({function.noise.seed for function in functions}) == len(functions)
    levels = [function.noise.level for function in functions]
    assert max(levels) / min(levels) > 1e8
    assert all(function.tags[1] == f"{function.noise.kind}-noise" for function in functions)
