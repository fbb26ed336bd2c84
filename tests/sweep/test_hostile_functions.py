"""Functions that misbehave, numbers at the ends of a dtype: a status and a reason each, and nothing else changes."""

import warnings
from asyncio import CancelledError

import numpy as np
import pytest

from diffbench import Function, Spec, run
from diffbench.errors import InputError
from diffbench.sweep.results import Status

GRID = ["1e-2", "1e-3", "1e-4"]


def block_of(function, schemes=("central-2", "forward-1"), epsilons=GRID, **options):
    """Return what was measured of a function, beside one that behaves, which is the same as alone."""
    other = Function("other", "exp(x)", ["1"])
    results = run(Spec([function, other], list(schemes), list(epsilons), **options))
    alone = run(Spec([other], list(schemes), list(epsilons), **options))
    dtype = results.blocks[0].dtype
    found, expected = results.block("other", dtype=dtype), alone.block("other", dtype=dtype)
    assert found.estimate.tobytes() == expected.estimate.tobytes()
    assert (found.status == expected.status).all()
    return results.block(function.name, dtype=dtype)


def own(f, points=("1",)):
    return Function("own", "x", list(points), evaluate=f)


def outcomes(block):
    """Return status and reason of all cells, each once."""
    return {
        (Status(status).label, block.reasons[code])
        for status, code in zip(block.status.ravel(), block.reason.ravel(), strict=True)
        if status != Status.ABSENT
    }


def raiser(error):
    def f(x):
        raise error

    return f


def add_in_place(x):
    x += 0
    return x


def fill(x):
    x[:] = np.nan
    return x.copy()


class Odd(np.ndarray):
    """An array that is no array."""


@pytest.mark.parametrize(
    ("f", "status", "reason"),
    [
        (lambda x: 1.0, "failed", "f answered float for an array of shape"),
        (lambda x: np.float64(1), "failed", "f answered float64 for an array of shape"),
        (list, "failed", "f answered list for an array of shape"),
        (lambda x: None, "failed", "f answered NoneType for an array of shape"),
        (lambda x: x[:-1], "failed", "f answered shape ("),
        (lambda x: x[None], "failed", "f answered shape (1, "),
        (lambda x: np.array(1.0), "failed", "f answered shape () for an array of shape"),
        (lambda x: np.ma.array(x, mask=True), "failed", "f answered MaskedArray for an array of shape"),
        (lambda x: np.array(x).view(Odd), "failed", "f answered Odd for an array of shape"),
        (lambda x: x.astype("f4"), "unsupported", "f demotes float64 to float32"),
        (lambda x: x.astype(int), "unsupported", "f demotes float64 to int64"),
        (lambda x: x > 0, "unsupported", "f demotes float64 to bool"),
        (lambda x: x + 0j, "unsupported", "f promotes float64 to complex128"),
        (lambda x: x.astype(object), "unsupported", "f promotes float64 to object"),
        (lambda x: x * np.nan, "nonfinite", "f is not finite at a node"),
        (lambda x: x * np.inf, "nonfinite", "f is not finite at a node"),
        (raiser(ValueError("no\nsuch\tx")), "failed", "f raised ValueError: no such x"),
        (raiser(SystemExit(3)), "failed", "f raised SystemExit: 3"),
        (raiser(GeneratorExit("over")), "failed", "f raised GeneratorExit: over"),
        (raiser(CancelledError()), "failed", "f raised CancelledError"),
        (raiser(BaseExceptionGroup("both", [SystemExit()])), "failed", "f raised BaseExceptionGroup: both"),
        (raiser(MemoryError()), "failed", "f raised MemoryError"),
        (raiser(RecursionError("deep")), "failed", "f raised RecursionError: deep"),
        (raiser(ZeroDivisionError()), "failed", "f raised ZeroDivisionError"),
        (add_in_place, "failed", "f raised ValueError: output array is read-only"),
        (fill, "failed", "f raised ValueError: assignment destination is read-only"),
    ],
)
@pytest.mark.parametrize("rule", ["usual", "gill-murray-saunders-wright"])
def test_what_a_function_does_is_said_of_its_own_cells(f, status, reason, rule):
    block = block_of(own(f), rules=[rule])
    grid = block.status[..., : len(GRID)]
    assert {Status(each).label for each in grid.ravel()} == {status}
    assert all(block.reasons[code].startswith(reason) for code in block.reason[..., : len(GRID)].ravel())


@pytest.mark.parametrize("rule", ["usual", "gill-murray-saunders-wright"])
def test_an_interrupt_stops_the_run(rule):
    with pytest.raises(KeyboardInterrupt):
        run(Spec([own(raiser(KeyboardInterrupt()))], ["central-2"], "1e-1:1e-3", rules=[rule]))


def test_what_is_printed_or_warned_of_costs_nothing(capsys):
    def f(x):
        print("loud")  # noqa: T201  (that is the point)
        np.seterr(all="raise")
        return x

    before = np.geterr()
    assert {status for status, _ in outcomes(block_of(own(f)))} == {"ok"}
    assert np.geterr() == before

    def warned(x):
        warnings.warn("hm", stacklevel=1)
        return x

    assert outcomes(block_of(own(warned))) == {("failed", "f raised UserWarning: hm")}  # warnings are errors in tests


def above_one(x):
    if np.any(x > 1):
        raise ValueError("above 1")
    return x.copy()


def test_a_function_that_raises_at_some_nodes_costs_the_cells_that_use_them():
    block = block_of(own(above_one, ["0.5", "0.995", "1"]), ["central-2", "backward-1"])
    failed = block.status[..., : len(GRID)] == Status.FAILED
    central, backward = failed
    assert not backward.any()
    assert central.tolist() == [[False] * 3, [True, False, False], [True] * 3]
    assert {block.reasons[code] for code in block.reason[block.status == Status.FAILED]} == {
        "f raised ValueError: above 1"
    }
    exact = block_of(own(lambda x: x.copy(), ["0.5", "0.995", "1"]), ["central-2", "backward-1"])
    kept = ~failed
    assert block.estimate[..., : len(GRID)][kept].tobytes() == exact.estimate[..., : len(GRID)][kept].tobytes()


def test_a_complex_step_that_raises_at_some_points_costs_these():
    def f(x):
        if np.any(x.real > 1):
            raise ArithmeticError("too large")
        return x * 1

    block = block_of(own(f, ["0.5", "2"]), ["complex-step"])
    assert (block.status[0, 0] == Status.OK).all()
    assert (block.status[0, 1] == Status.FAILED).all()


def test_an_answer_that_is_changed_later_has_been_kept():
    answers = []

    def f(x):
        for each in answers:
            each[:] = np.nan
        answers.append(x.copy())
        return answers[-1]

    assert {status for status, _ in outcomes(block_of(own(f)))} == {"ok"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("formula", "point", "domain", "allowed"),
    [
        ("x", "0", None, {"ok", "collapsed"}),
        ("x", "-0.0", None, {"ok", "collapsed"}),
        ("x", "5e-324", None, {"ok", "collapsed", "uncertain"}),
        ("x**2", "1e-320", None, {"ok", "collapsed", "uncertain"}),
        ("1/x", "1e-310", None, {"ok", "collapsed", "nonfinite", "domain", "uncertain"}),
        ("exp(x)", "800", None, {"nonfinite"}),
        ("exp(-x)", "1000", None, {"ok", "collapsed", "uncertain"}),
        ("x*1e300", "1e30", None, {"nonfinite", "collapsed", "ok"}),
        ("exp(exp(x))", "700", None, {"nonfinite", "uncertain"}),
        ("sqrt(x)", "0", "[0, oo)", {"domain", "nondifferentiable", "collapsed"}),
        ("acos(x)", "1", "[-1, 1]", {"domain", "nondifferentiable", "collapsed"}),
        ("0/x", "1", None, {"ok", "collapsed"}),
    ],
)
def test_the_ends_of_a_dtype_have_their_statuses(formula, point, domain, allowed, dtype):
    epsilons = ["1e-3", "1e-300", "5e-324", "1e300", "2^-1074"]
    block = block_of(Function("f", formula, [point], domain=domain), epsilons=epsilons, dtypes=[dtype])
    found = {status for status, _ in outcomes(block)}
    assert found <= allowed | {"nonfinite", "domain", "collapsed"}
    assert all(reason.isprintable() for _, reason in outcomes(block))
    settled = block.status == Status.OK
    assert np.isfinite(block.estimate[settled]).all()
    assert np.isfinite(block.error[settled]).all()
    hidden = (block.status == Status.DOMAIN) | (block.status == Status.NONFINITE) | (block.status == Status.FAILED)
    assert not np.isfinite(block.estimate[hidden]).any() or formula == "x*1e300"


@pytest.mark.parametrize(("formula", "point"), [("sqrt(x)", "-1"), ("log(x)", "0"), ("acos(x)", "2"), ("1/x", "0")])
def test_points_where_a_formula_is_not_real_are_refused_by_name(formula, point):
    with pytest.raises(InputError, match=f"is not defined, or not real, at {point} "):
        run(Spec([Function("f", formula, [point])], ["central-2"], GRID))
