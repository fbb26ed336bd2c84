"""Points that nobody chose: in the domain, distinct, the same for a seed, and spread as they are said to be."""

from fractions import Fraction

import numpy as np
import pytest

from diffbench import Spec, load, run
from diffbench.dtypes import PLAIN, find_dtype
from diffbench.errors import InputError
from diffbench.functions.function import Function
from diffbench.functions.points import KINDS, Format, parse_points, with_points
from diffbench.functions.suites import load_suite
from diffbench.rounding import MAX_BITS, round_exactly, round_to

LINE = Function("line", "x", ["0"])
BITS = {"float16": np.int16, "float32": np.int32, "float64": np.int64}


def drawn(text, function=LINE, dtype="float64", seed=0):
    return with_points(function, [parse_points(text)], dtype, seed).points


def ordinals_of(points, dtype):
    """Count the numbers of a dtype by their bits, which is another way than that of the package."""
    bits = np.array([float(point) for point in points]).astype(dtype).view(BITS[dtype]).astype(object)
    last = np.iinfo(BITS[dtype]).max
    return [each if each >= 0 else -(each & last) for each in bits.tolist()]


@pytest.mark.parametrize("dtype", PLAIN)
def test_ordinals_are_the_order_of_the_bits(dtype):
    numbers = Format.of(dtype)
    chosen = [0, 1, 2, 3, numbers.last - 1, numbers.last, *(numbers.last * k // 97 for k in range(1, 97))]
    assert ordinals_of(map(numbers.number, chosen), dtype) == chosen
    assert float(numbers.number(numbers.last)) == float(np.finfo(dtype).max)
    assert float(numbers.number(1)) == float(np.finfo(dtype).smallest_subnormal)
    for ordinal in chosen:
        for sign in (1, -1):
            exact = numbers.number(sign * ordinal)
            assert numbers.at_most(exact) == numbers.at_least(exact) == sign * ordinal
            above = exact + Fraction(1, 2**1100)
            assert (numbers.at_most(above), numbers.at_least(above)) == (sign * ordinal, sign * ordinal + 1)


@pytest.mark.parametrize("dtype", PLAIN)
@pytest.mark.parametrize("kind", KINDS)
def test_points_are_numbers_of_the_dtype_in_the_domain_and_distinct(kind, dtype):
    for function in load_suite("standard").functions:
        points = drawn(f"{kind}:7", function, dtype)
        assert len(set(points)) == len(points) == 7
        assert all(function.domain.interval_of(point) for point in points)
        assert all(round_to(point, dtype) == point for point in points)


@pytest.mark.skipif(bool(find_dtype("longdouble").unavailable), reason="longdouble is double here")
@pytest.mark.parametrize("kind", KINDS)
def test_points_of_longdouble_are_run_and_kept(kind, tmp_path):
    spec = Spec(Function("f", "tanh(x)", ["0"]), "central-2", "1e-3", dtypes="longdouble", points=f"{kind}:5", rules=[])
    (function,) = spec.functions
    assert [round_exactly(point, "longdouble") for point in function.points] == list(function.points)
    assert max(point.numerator.bit_length() + point.denominator.bit_length() for point in function.points) > MAX_BITS
    found = run(spec, out=tmp_path / "run")
    again = load(tmp_path / "run")
    assert Spec.from_text(again.spec).functions[0].points == function.points
    assert [found.blocks[0].exact_point(p) for p in range(5)] == list(function.points)


@pytest.mark.parametrize("kind", ["ordinals", "powers-of-two"])
def test_a_seed_gives_the_same_points_and_another_gives_others(kind):
    text = f"{kind}:20"
    assert drawn(text) == drawn(text)
    assert set(drawn(text)) != set(drawn(text, seed=1))
    assert set(drawn(text)) != set(drawn(text, Function("other", "x", ["0"])))


def test_points_are_these_on_every_machine_and_in_every_version():
    assert [float(point) for point in drawn("ordinals:3 in [-1, 1]", seed=7)] == [
        8.020695523975365e-270,
        -2.1533714512009343e-195,
        6.94980227790275e-132,
    ]
    assert [float(point) for point in drawn("powers-of-two:4 in [-1, 1]", seed=7)] == [
        -2.6382945360269855e-228,
        -2.638294536026986e-228,
        -2.6382945360269864e-228,
        -1.5947511921756106e-204,
    ]


def test_more_points_of_a_seed_begin_with_the_fewer():
    for kind in KINDS:
        assert drawn(f"{kind}:9")[:4] == drawn(f"{kind}:4")


def test_ordinals_are_uniform():
    """Chi-square over 32 equal bins of ordinals, for the line and a domain with a gap; 61.1 is passed once in 1000."""
    for domain in ("(-oo, oo)", "(-oo, -1) | (1e-3, 50]"):
        function = Function("f", "x", ["2"], domain=domain)
        ordinals = np.array(ordinals_of(drawn("ordinals:6400", function, "float32"), "float32"))
        ranges = [Format.of("float32").inside(each) for each in function.domain.intervals]
        places = ordinals.copy()
        start = 0
        for first, last in ranges:
            own = (ordinals >= first) & (ordinals <= last)
            places[own] = ordinals[own] - first + start
            start += last - first + 1
        counts = np.bincount(32 * places // start, minlength=32)
        assert counts.size == 32
        assert ((counts - 200.0) ** 2 / 200.0).sum() < 61.1


def test_all_numbers_are_drawn_where_there_are_no_more():
    points = drawn("ordinals:50 in [1, 1.03]", dtype="float16")
    assert sorted(points) == [1 + Fraction(k, 1024) for k in range(31)]


def test_powers_of_two_come_with_their_neighbours():
    ordinals = ordinals_of(drawn("powers-of-two:60 in [0.001, 1000]", dtype="float16"), "float16")
    powers = [2.0**k for k in range(-9, 10)]
    expected = {place + step for place in ordinals_of(powers, "float16") for step in (-1, 0, 1)}
    assert len(ordinals) == 57
    assert set(ordinals) == expected


@pytest.mark.parametrize(
    ("domain", "nearest"),
    [
        ("(0, 1]", [2.0**-1074, 1.0]),
        ("[0, 1)", [0.0, 1 - 2.0**-53]),
        ("(-1, 0) | (0, 2)", [-1 + 2.0**-53, -(2.0**-1074), 2.0**-1074, 2 - 2.0**-52]),
        ("(-oo, pi)", [-np.finfo(float).max, 3.141592653589793]),
    ],
)
def test_ends_are_the_numbers_nearest_to_the_ends_of_the_domain(domain, nearest):
    function = Function("f", "x", ["1/2"], domain=domain)
    points = drawn(f"ends:{4 * len(nearest)}", function)
    assert [float(point) for point in points[: len(nearest)]] == nearest
    ends = ordinals_of(nearest, "float64")
    assert all(min(abs(each - end) for end in ends) < 4 for each in ordinals_of(points, "float64"))


def test_sources_add_up_and_each_point_comes_once():
    function = Function("f", "x", ["0", "0.3"], domain="[0, 1]")
    sources = [parse_points(text) for text in ("own", "ends:2", "ends:4")]
    points = with_points(function, sources, "float16").points
    assert points[:3] == (0, Fraction(3, 10), 1)
    assert len(points) == 5


@pytest.mark.parametrize(
    "text",
    ["", "ordinals", "ordinals:0", "ordinals:-3", "ordinals:1e3", "random:3", "ends:4 in", "own:3", "ends:999999"],
)
def test_what_is_no_source_is_refused(text):
    with pytest.raises(InputError, match="points"):
        parse_points(text)


def test_a_domain_without_numbers_is_refused():
    with pytest.raises(InputError, match="points: line has none by ends:2 in"):
        drawn("ends:2 in (1, 1.0001)", dtype="float16")


def test_every_dtype_has_its_ordinals():
    numbers = Format.of("bfloat16")
    assert (numbers.number(1), numbers.number(numbers.last)) == (Fraction(1, 2**133), Fraction(255 * 2**120))


def test_functions_of_several_variables_keep_their_points():
    with pytest.raises(InputError, match="points: saddle has several variables, and keeps its own points"):
        drawn("ends:2", Function("saddle", "x*y", [{"x": 1, "y": 2}]))


def test_numbers_without_a_largest_one_are_not_drawn_from():
    with pytest.raises(InputError, match="points: mp:20 has no largest number"):
        drawn("ordinals:3", dtype="mp:20")
