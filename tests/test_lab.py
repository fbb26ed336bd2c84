"""The course notebook that this project began from: its numbers, bit for bit, and the derivatives exactly."""

import json
import math
import sys
from fractions import Fraction

import numpy as np
import pytest
import sympy

from diffbench import Function, OpaqueScheme, Spec, Stencil, exact_derivative, parse_formula, run
from diffbench.cli import main
from diffbench.functions.suites import load_suite
from diffbench.functions.symbolic import to_sympy, variable_symbol

FORWARD = [
    ("w**2", "3", "0.001", 6.000999999999479),
    ("w**2", "3", "1e-9", 6.000000496442226),
    ("2*w", "3", "0.001", 1.9999999999997797),
    ("w**3", "2", "0.001", 12.006000999997823),
    ("1/w", "2", "0.001", -0.2498750624687629),
    ("1/w**2", "4", "0.001", -0.031238285155041345),
]
NEAR_TWO = 2.0 + 0.001
CUBE = float(Fraction(NEAR_TWO) ** 3)
POW_ROUNDS = [math.pow(NEAR_TWO, 3.0), *np.power(np.full(64, NEAR_TWO), 3.0)] == [CUBE] * 65
"""Whether pow rounds this cube correctly, as it did for the notebook. No standard asks that of a libm, nor of numpy's
kernels for vectors; all other numbers of the notebook take only operations that IEEE 754 rounds."""
EXACT = [
    ("w**2", "2", Fraction(4)),
    ("w**2", "3", Fraction(6)),
    ("w**2", "-3", Fraction(-6)),
    ("2*w", "3", Fraction(2)),
    ("w**3", "2", Fraction(12)),
    ("1/w", "2", Fraction(-1, 4)),
    ("1/w**2", "4", Fraction(-1, 32)),
]
SYMBOLIC = [("w**2", "2*w"), ("2*w", "2"), ("w**3", "3*w**2"), ("1/w", "-1/w**2"), ("1/w**2", "-2/w**3")]
each_forward = pytest.mark.parametrize(("formula", "x", "epsilon", "printed"), FORWARD)


def is_printed(formula, estimates, printed):
    """Return whether all are the printed number: bit for bit, and for the cube to 2 ulp of f where pow misrounds it."""
    slack = 0.0 if formula != "w**3" or POW_ROUNDS else 2 * math.ulp(8.0) / 0.001
    return all(abs(estimate - printed) <= slack for estimate in estimates)


@pytest.fixture(scope="module")
def lab():
    return run(Spec("lab")).to_frame()


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Return a function that runs the command line in an empty folder and returns what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("diffbench.cli.run.raise_on_sigterm", lambda: None)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["diffbench", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 0
        return capsys.readouterr().out

    return call


def test_the_suite_is_the_notebooks():
    suite = load_suite("lab")
    assert [function.formula.text for function in suite.functions] == ["w**2", "2*w", "w**3", "1/w", "1/w**2"]
    assert suite.schemes == ("forward-1",)
    points = [(function.name, str(point)) for function in suite.functions for point in function.points]
    assert set(points) == {(formula, x) for formula, x, _ in EXACT}


@each_forward
def test_forward_differences_of_the_suite(formula, x, epsilon, printed, lab):
    row = lab[(lab["function"] == formula) & (lab["x"] == float(x)) & (lab["epsilon"] == float(epsilon))]
    assert is_printed(formula, row["estimate"], printed)
    assert row["status"].tolist() == ["ok"]


@each_forward
def test_forward_differences_of_a_function_of_ones_own(formula, x, epsilon, printed):
    frame = run(Spec(Function("mine", formula, [x]), ["forward-1"], [epsilon], rules=[])).to_frame()
    assert is_printed(formula, frame["estimate"], printed)
    assert len(frame) == 1


@each_forward
def test_forward_differences_by_every_other_road(formula, x, epsilon, printed):
    opaque = OpaqueScheme("notebook", lambda f, w, e: (f(w + e) - f(w)) / e)
    frame = run(
        Spec(Function("f", formula, [x]), [opaque, Stencil([0, 1], [-1, 1]), "stencil(0,1,)"[:-2] + ")"], [epsilon])
    )
    estimates = frame.to_frame().query("epsilon_index == 0")["estimate"].tolist()
    assert is_printed(formula, estimates, printed)
    assert len(estimates) == 2


@each_forward
def test_the_stencil_alone_gives_them_too(formula, x, epsilon, printed):
    f = Function("f", formula, [x]).compile("float64")
    estimate = Stencil.forward()(f, np.array([float(x)]), np.array([float(epsilon)]))
    assert is_printed(formula, estimate, printed)
    assert estimate.size == 1


@each_forward
def test_forward_differences_on_the_command_line(formula, x, epsilon, printed, command):
    out = command(
        *("run", "-f", formula, "--at", x, "-s", "forward-1", "--epsilon", epsilon, "--out", "run"),
        *("--quiet", "--no-report", "--format", "json"),
    )
    rows = [row for row in json.loads(out) if not row["rule"]]
    assert is_printed(formula, [row["estimate"] for row in rows], printed)
    assert len(rows) == 1


@pytest.mark.slow
def test_the_suite_on_the_command_line_prints_estimates_in_full_beside_the_exact_values(command):
    lines = command("run", "--suite", "lab", "--out", "run", "--quiet").splitlines()
    for formula, x, epsilon, printed in FORWARD:
        exact = next(value for f, at, value in EXACT if (f, at) == (formula, x))
        place = [formula, "1", "float64", "forward-1", repr(float(x)), repr(float(epsilon))]
        ((estimate, beside),) = [row[6:8] for row in map(str.split, lines) if row[:6] == place]
        assert beside == str(float(exact))
        assert is_printed(formula, [float(estimate)], printed)
        assert estimate == repr(float(estimate))
    assert lines[-1] == "report: run/report.html"


def test_the_printed_six_digits_of_the_notebook(lab):
    row = lab[(lab["function"] == "w**2") & (lab["x"] == 3) & (lab["epsilon"] == 0.001)]
    assert f"{row['estimate'].iloc[0]:f}" == "6.001000"


@pytest.mark.parametrize(("formula", "derivative"), SYMBOLIC)
def test_the_symbolic_derivative(formula, derivative):
    parsed = parse_formula(formula)
    symbol = variable_symbol(parsed)
    assert sympy.diff(to_sympy(parsed), symbol) == sympy.sympify(derivative, locals={"w": symbol})


@pytest.mark.parametrize(("formula", "x", "value"), EXACT)
def test_the_exact_derivative_at_the_notebooks_points(formula, x, value):
    reference = exact_derivative(formula, x)
    assert (reference.verdict, reference.method) == ("certified", "ball")
    assert Fraction(reference.hi) + Fraction(reference.lo) == value
    assert reference.lo == 0
    assert reference.value == value.numerator / value.denominator
    assert reference.radius == 0 or reference.radius < 1e-60


@pytest.mark.parametrize(("formula", "x", "value"), EXACT)
def test_the_exact_derivative_on_the_command_line(formula, x, value, command):
    fields = json.loads(command("exact", formula, "--at", x, "--format", "json"))
    assert Fraction(fields["value"]) == value
    assert fields["verdict"] == "certified"


def test_the_errors_are_exact_to_the_last_bit(lab):
    exact = {(formula, float(x)): value for formula, x, value in EXACT}
    for row in lab.itertuples():
        error = Fraction(row.estimate) - exact[row.function, row.x]
        assert Fraction(row.error) == error or abs(Fraction(row.error) / error - 1) < Fraction(1, 2**52)


def test_the_v_curve_of_the_notebooks_first_function():
    frame = run(Spec("w**2", ["forward-1"], "1e-1:1e-15:1/decade", rules=[])).to_frame()
    errors = frame[frame["x"] == 3]["error"].abs().tolist()
    best = errors.index(min(errors))
    assert errors[:6] == sorted(errors[:6], reverse=True)
    assert 6 <= best <= 9
    # Truncation: half the second derivative times ε.
    assert errors[0] == pytest.approx(0.1, rel=1e-9)
    assert errors[-1] > 1e-2
