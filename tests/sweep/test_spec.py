"""What to run: one validated model, its canonical form and its plan."""

import tomllib
from fractions import Fraction

import pytest

from diffbench import DiffbenchError, Function, OpaqueScheme, Spec, Stencil, parse_formula
from diffbench.errors import EmptySelectionError, InputError
from diffbench.functions.suites import load_suite
from diffbench.rounding import round_to
from diffbench.schemes.scheme import catalogue

SQUARE = Function("square", "x**2", ["3"])


def scheme_names(spec):
    return [scheme.name for scheme in spec.schemes]


def test_alone_it_is_the_standard_suite_with_the_catalogue():
    spec = Spec()
    assert spec.functions == load_suite("standard").functions
    assert spec.derivatives == (1,)
    assert spec.dtypes == ("float64",)
    assert scheme_names(spec) == [scheme.name for scheme in catalogue(1)]


def test_planned_is_the_sum_over_the_units():
    spec = Spec(["lab", SQUARE], ["forward-1", "central-2-d2"], "1e-1:1e-3", dtypes=["float32", "float64"])
    points = sum(len(function.points) for function in spec.functions)
    schemes, columns, dtypes = 2, 9 + 1, 2
    assert scheme_names(spec) == ["forward-1", "central-2-d2"]
    assert spec.planned == points * schemes * columns * dtypes
    assert spec.planned == sum(unit.planned(m) for unit in spec.plan() for m, _ in unit.schemes)


def test_a_scheme_without_epsilon_is_planned_once_a_point():
    alone = OpaqueScheme("alone", lambda f, x: 0.0, takes_epsilon=False)
    swept = OpaqueScheme("swept", lambda f, x, epsilon: 0.0)
    assert Spec(SQUARE, [alone], ["1e-1", "1e-2", "1e-3"]).planned == 1
    assert Spec(SQUARE, [swept], ["1e-1", "1e-2", "1e-3"]).planned == 3
    assert Spec(SQUARE, ["forward-1"], ["1e-1", "1e-2", "1e-3"]).planned == 4
    assert Spec(SQUARE, ["forward-1"], ["1e-1", "1e-2", "1e-3"], rules=[]).planned == 3


def test_units_come_in_the_order_of_functions_then_dtypes():
    spec = Spec(["lab"], dtypes=["float64", "float16"])
    order = [(unit.function.name, unit.dtype) for unit in spec.plan()]
    names = [function.name for function in load_suite("lab").functions]
    assert order == [(name, dtype) for name in names for dtype in ("float64", "float16")]


def test_a_suite_brings_its_own_schemes_and_epsilons():
    spec = Spec("lab")
    assert scheme_names(spec) == ["forward-1"]
    assert spec.epsilons == ("0.001", "1e-9")


def test_what_the_user_says_replaces_what_the_suite_brings():
    spec = Spec("lab", ["central-2"], "1e-5")
    assert scheme_names(spec) == ["central-2"]
    assert spec.epsilons == ("1e-5",)


def test_derivatives_follow_from_the_names_of_schemes():
    assert Spec(SQUARE, ["forward-1-d3"]).derivatives == (3,)
    assert Spec(SQUARE, [Stencil.central(2)]).derivatives == (2,)
    assert Spec(SQUARE, [{"offsets": [-1, 0, 1], "derivative": 2}]).derivatives == (2,)


def test_names_without_a_suffix_stand_for_every_derivative():
    assert scheme_names(Spec(SQUARE, ["central-4"], derivatives=[1, 2])) == ["central-4", "central-4-d2"]


def test_functions_may_be_objects_names_tables_and_suites():
    spec = Spec([SQUARE, "exp", {"name": "mine", "formula": "x + 1", "points": ["1/3"]}, "lab"])
    names = [function.name for function in spec.functions]
    assert names[:3] == ["square", "exp", "mine"]
    assert spec.functions[2].points == (Fraction(1, 3),)
    assert len(names) == 3 + 5


def test_equal_names_of_two_suites_get_the_suite_in_front():
    spec = Spec(["published", "ml", "standard"])
    names = [function.name for function in spec.functions]
    total = sum(len(load_suite(name).functions) for name in ("published", "ml", "standard"))
    assert len(set(names)) == len(names)
    assert len(names) <= total
    assert any("/" in name for name in names)


def test_schemes_may_be_stencils_tables_and_opaque():
    mine = OpaqueScheme("mine", lambda f, x, epsilon: 0.0)
    spec = Spec(SQUARE, [Stencil([0, 1], [-1, 1]), {"name": "third", "offsets": ["-1/3", "1/3"]}, mine, "stencil(0,2)"])
    assert scheme_names(spec) == ["stencil(0,1)", "third", "mine", "stencil(0,2)"]


def test_the_same_scheme_twice_is_one():
    assert scheme_names(Spec(SQUARE, ["forward-1", "forward-1", "central-2"])) == ["forward-1", "central-2"]


ODD_CHARACTERS = Function(
    'q"\\<é>', "w**2", ["1e-30", "1/3"], domain="(0, oo)", tags=["a", 'b"'], source="p. 1\n\t2\x7f"
)
HEAVY = {"name": "heavy", "offsets": [-1, 0, 1], "weights": ["-1/4", "-1/2", "3/4"]}


@pytest.mark.parametrize(
    "options",
    [
        {"functions": "lab"},
        {"functions": "standard", "dtypes": ["float32", "float64"], "allow_failed": 3},
        {"schemes": ["richardson-3(forward-1)", Stencil.central(order=4)], "epsilons": ["2^-1:2^-52", "1/3"]},
        {"schemes": [HEAVY], "rules": []},
        {"functions": ODD_CHARACTERS},
    ],
    ids=["lab", "standard", "named", "weights", "odd-characters"],
)
def test_the_canonical_form_reads_back_to_itself(options, tmp_path):
    spec = Spec(**({"functions": SQUARE} | options))
    path = tmp_path / "spec.toml"
    path.write_text(spec.to_toml(), "utf-8")
    again = Spec.from_toml(path)
    assert again.to_toml() == spec.to_toml()
    assert again.sha256 == spec.sha256
    assert again.planned == spec.planned
    assert again.functions == spec.functions
    assert again.schemes == spec.schemes


def test_the_canonical_form_is_toml_with_the_documented_keys():
    data = tomllib.loads(Spec("lab").to_toml())
    options = {"rules", "allow_failed", "time_limit", "anatomy"}
    assert set(data) == {"functions", "epsilons", "derivatives", "schemes", "dtypes"} | options
    assert data["schemes"] == ["forward-1"]


def test_what_is_a_python_object_is_named_and_cannot_be_run_from_a_file():
    spec = Spec(
        Function("own", "x**2", ["3"], evaluate=lambda x: x * x),
        [OpaqueScheme("mine", lambda f, x, e: 0.0), "forward-1"],
    )
    text = spec.to_toml()
    assert tomllib.loads(text)["python_objects"] == ["mine", "own"]
    assert tomllib.loads(text)["schemes"] == ["forward-1"]
    with pytest.raises(InputError, match="mine, own exist as Python objects only"):
        Spec(**tomllib.loads(text))


@pytest.mark.parametrize(
    "spec",
    [
        Spec(SQUARE, derivatives=[1, 2]),
        Spec(SQUARE, derivatives=[1, 3]),
        Spec(SQUARE, [Stencil.forward(), Stencil.central(2)]),
        Spec(SQUARE, [Stencil.fit([-1, 0, 2])], "1e-3", (1, 2)),
        Spec(SQUARE, ["central-2-d1", "central-4-d2"]),
        Spec(Function("smile \N{GRINNING FACE}", parse_formula("theta**2", variable="theta"), ["1/3"])),
        Spec("published"),
        Spec("noisy"),
    ],
    ids=["two", "one-and-three", "objects", "object", "stated", "odd-name", "published", "noisy"],
)
def test_derivatives_and_odd_names_read_back(spec):
    again = Spec(**tomllib.loads(spec.to_toml()))
    assert (again.to_toml(), again.planned) == (spec.to_toml(), spec.planned)


@pytest.mark.parametrize(
    "change",
    [
        {"schemes": ["central-2"]},
        {"epsilons": ["1e-3"]},
        {"derivatives": [2]},
        {"dtypes": ["float32"]},
        {"rules": []},
        {"allow_failed": 1},
        {"time_limit": 2.5},
        {"functions": ["lab", "exp"]},
    ],
)
def test_the_hash_changes_with_every_key(change):
    assert Spec(**({"functions": "lab"} | change)).sha256 != Spec("lab").sha256


def test_noise_is_in_the_canonical_form_and_in_the_hash_where_there_is_any():
    def hash_of(noise):
        return Spec(Function("square", "x**2", ["3"], noise=noise)).sha256

    assert "noise" not in Spec(SQUARE).to_toml()
    noisy = Spec(Function("square", "x**2", ["3"], noise="relative 1e-6 seed 7"))
    assert tomllib.loads(noisy.to_toml())["functions"][0]["noise"] == "relative 1e-06 seed 7"
    assert Spec(**tomllib.loads(noisy.to_toml())).functions == noisy.functions
    texts = (None, "relative 1e-6", "absolute 1e-6", "relative 1e-7", "relative 1e-6 seed 1")
    assert len({hash_of(noise) for noise in texts}) == len(texts)
    assert hash_of("relative 1e-6") == hash_of("relative 0.000001 seed 0")


def test_the_hash_is_of_the_meaning_not_of_the_spelling():
    spelled = Spec(functions=["lab"], schemes="forward-1", epsilons="0.001,1e-9", derivatives=1, dtypes="float64")
    assert spelled.sha256 == Spec("lab").sha256


def test_a_spec_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Spec("lab").allow_failed = 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"schems": ["forward-1"]}, "unknown key 'schems'; did you mean 'schemes'?"),
        ({"epsilon": ["1e-3"]}, "did you mean 'epsilons'?"),
        ({"zzz": 1}, "unknown key 'zzz'"),
        ({"schemes": ["forwrd-1"]}, "did you mean 'forward-1'?"),
        ({"schemes": ["central-3"]}, "central differences have even orders"),
        ({"schemes": 3}, "3 is neither a name, a stencil nor a scheme"),
        ({"schemes": ["forward-1-d2"], "derivatives": [1]}, "forward-1-d2 gives derivative 2, asked for is 1"),
        ({"schemes": [{"offset": [0, 1]}]}, "did you mean 'offsets'?"),
        ({"schemes": [{"name": "a"}]}, "the key 'offsets' is missing"),
        ({"schemes": [{"offsets": [0, 1], "weights": [1, 1]}]}, "no derivative formula"),
        ({"schemes": [{"offsets": [-1, 0, 1], "weights": ["-1/4", "-1/2", "3/4"]}]}, "needs a name"),
        ({"epsilons": ["0"]}, "0 is not positive"),
        ({"epsilons": 0}, "0 is not positive"),
        ({"epsilons": float("nan")}, "not a finite number"),
        ({"derivatives": [0]}, "0 is not a whole number from 1 to 8"),
        ({"derivatives": [9]}, "9 is not a whole number from 1 to 8"),
        ({"derivatives": [True]}, "True is not a whole number"),
        ({"derivatives": "1"}, "'1' is not a whole number"),
        ({"dtypes": ["float256"]}, "'float256' is not one of float16, bfloat16, float32, float64"),
        ({"rules": ["usul"]}, "'usul' is not one of all, published, usual"),
        ({"allow_failed": -1}, "allow_failed: -1"),
        ({"time_limit": 0}, "time_limit: 0 is not a number of seconds"),
        ({"time_limit": "9"}, "time_limit: '9'"),
        ({"time_limit": True}, "time_limit: True"),
        ({"time_limit": float("nan")}, "time_limit: nan"),
        ({"functions": 3}, "3 is neither a name, a table nor a Function"),
        ({"functions": "no such"}, "'no such' is in no suite"),
        ({"functions": "gausian"}, "did you mean 'gaussian'?"),
        ({"functions": "absent.toml"}, "'absent.toml' cannot be read"),
        ({"functions": [{"name": "a", "points": ["1"]}]}, "the key 'formula' is missing"),
        ({"functions": [{"name": "a", "formula": "x"}]}, "the key 'points' is missing"),
        ({"functions": [{"formula": "x", "points": ["1"], "domian": "(0, 1)"}]}, "did you mean 'domain'?"),
        ({"functions": [{"formula": "x", "points": ["2"], "domain": "(0, 1)"}]}, "2 is outside the domain (0, 1)"),
        ({"functions": [{"formula": "sin(x", "points": ["2"]}]}, "at position 5"),
        ({"functions": [SQUARE, Function("square", "x**3", ["3"])]}, "two different ones are called 'square'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_key_value_and_rule(options, says):
    with pytest.raises(InputError) as caught:
        Spec(**({"functions": "lab"} | options))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("options", [{"functions": []}, {"dtypes": []}, {"derivatives": []}, {"schemes": []}])
def test_nothing_selected_has_its_own_exit_code(options):
    with pytest.raises(EmptySelectionError) as caught:
        Spec(**({"functions": "lab"} | options))
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    "kind", [OpaqueScheme("mine", lambda f, x: 0.0), OpaqueScheme("forward-1", lambda f, x, e: 0.0)]
)
def test_two_schemes_of_one_name_are_refused(kind):
    other = OpaqueScheme("mine", lambda f, x: 0.0, takes_epsilon=False) if kind.name == "mine" else "forward-1"
    with pytest.raises(InputError, match=f"two different ones are called '{kind.name}'"):
        Spec(SQUARE, [kind, other])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = [", "cannot be read"),
        ("schemez = 'a'", "did you mean 'schemes'?"),
        ("functions = 'lab'\nfunctions = 1", "read"),
    ],
)
def test_a_spec_file_that_is_none(text, says, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(DiffbenchError) as caught:
        Spec.from_toml(path)
    assert says in str(caught.value)


def test_a_spec_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(InputError, match=r"absent\.toml"):
        Spec.from_toml(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.toml"):
        Spec.from_toml(tmp_path / "binary.toml")


@pytest.mark.parametrize("name", ["richardson(central-2-d2)", "richardson(central-2)-d2"])
def test_a_derivative_may_be_stated_inside(name):
    assert Spec(SQUARE, [name]).derivatives == (2,)
    assert scheme_names(Spec(SQUARE, [name], derivatives=[1, 2])) == ["richardson(central-2)-d2"]


def test_a_suite_speaks_only_for_itself():
    """What the lab sweeps by default is not what a function beside it is swept with."""
    assert scheme_names(Spec(["lab", "lab"])) == ["forward-1"]
    assert len(scheme_names(Spec(["lab", SQUARE]))) == len(scheme_names(Spec(SQUARE))) > 1


def test_generated_points_replace_the_functions_own_and_say_so_in_the_canonical_form():
    spec = Spec(SQUARE, ["forward-1"], points=["ordinals:5", "ends:2 in [1, 2]"], seed=3, dtypes=["float64", "float16"])
    (function,) = spec.functions
    assert len(function.points) == 7
    assert all(round_to(point, "float16") == point for point in function.points)
    table = tomllib.loads(spec.to_toml())
    assert (table["points"], table["seed"]) == (["ordinals:5", "ends:2 in [1, 2]"], 3)
    again = Spec.from_text(spec.to_toml())
    assert again == spec
    assert again.sha256 == spec.sha256
    assert Spec(SQUARE, ["forward-1"], points=["ordinals:5"], seed=4).functions != spec.functions


def test_own_points_stand_beside_generated_ones_once():
    spec = Spec(SQUARE, ["forward-1"], points=["own", "powers-of-two:4"])
    assert spec.functions[0].points[0] == 3
    assert len(spec.functions[0].points) == 5
    assert Spec.from_text(spec.to_toml()).functions == spec.functions


def test_a_spec_without_generated_points_says_nothing_of_them():
    assert Spec(SQUARE).to_toml() == Spec(SQUARE, points="own", seed=0).to_toml()
    assert {"points", "seed"}.isdisjoint(tomllib.loads(Spec(SQUARE).to_toml()))


@pytest.mark.parametrize("wrong", [{"points": "random:3"}, {"seed": -1}, {"seed": "x"}, {"seed": 2**64}])
def test_what_gives_no_points_is_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Spec(SQUARE, **wrong)
