"""One unit measured: shared nodes, textbook arithmetic, a status for every cell."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from diffbench import Function, OpaqueScheme, Spec, run
from diffbench.sweep.evaluate import measure
from diffbench.sweep.results import Status

ONE_OF_EACH = ("forward-1", "backward-3", "central-2", "central-8", "richardson(central-2)", "complex-step")
SOME = ("exp", "sin", "tanh-100x", "x-log-x", "gamma", "expanded-20", "sqrt", "bessel-j0")


def cells(formula, point, schemes, epsilons, *, dtype="float64", **options):
    """Return the frame of one function at one point, without step rules, in the order of schemes and epsilons."""
    function = Function("f", formula, [point] if isinstance(point, str) else point, **options)
    return run(Spec(function, schemes, epsilons, dtypes=[dtype], rules=[])).to_frame()


def statuses(*args, **options):
    return cells(*args, **options)["status"].tolist()


def reasons(*args, **options):
    return cells(*args, **options)["reason"].tolist()


def by_scheme(block):
    """Return everything measured of each scheme, as bytes."""
    return {
        scheme: tuple(
            array[s].tobytes()
            for array in (block.epsilon, block.estimate, block.error_estimate, block.evaluations, block.status)
        )
        for s, scheme in enumerate(block.schemes)
    }


# statuses -------------------------------------------------------------------------------------------------------------


def test_a_node_beyond_a_pole_is_domain_although_f_has_a_value_there():
    frame = cells(
        "1/x", "0.01", ["backward-1", "forward-1", "central-2"], ["0.1", "0.001"], domain="(-oo, 0) | (0, oo)"
    )
    assert frame["status"].tolist() == ["domain", "ok", "ok", "ok", "domain", "ok"]
    assert frame["reason"][0] == "a node leaves (-oo, 0) | (0, oo)"
    assert frame["estimate"].isna().tolist() == [True, False, False, False, True, False]


def test_a_hull_that_crosses_a_pole_is_domain_although_no_node_does_more_than_leave():
    # Both nodes of the stencil lie beyond the pole, on one side of it: only the hull with x tells.
    assert statuses("1/x", "0.01", ["stencil(-2,-1)"], ["0.1"], domain="(-oo, 0) | (0, oo)") == ["domain"]


def test_a_node_on_the_pole_is_domain_without_a_stated_domain():
    frame = cells("1/x", "1", ["backward-1", "forward-1"], ["1", "0.5"])
    assert frame["status"].tolist() == ["domain", "ok", "ok", "ok"]
    assert frame["reason"][0] == "f is not defined or not real at a node"


def test_left_of_zero_the_square_root_is_not_real():
    assert statuses("sqrt(x)", "0.01", ["forward-1", "central-2"], ["0.1", "0.001"]) == ["ok", "ok", "domain", "ok"]
    stated = statuses("sqrt(x)", "0.01", ["forward-1", "central-2"], ["0.1", "0.001"], domain="[0, oo)")
    assert stated == ["ok", "ok", "domain", "ok"]


def test_a_closed_end_belongs_to_the_domain_and_an_open_one_does_not():
    assert statuses("x**2", "1", ["backward-1"], ["1"], domain="[0, 2]") == ["ok"]
    assert statuses("x**2", "1", ["backward-1"], ["1"], domain="(0, 2]") == ["domain"]


def test_overflow_of_f_is_nonfinite():
    frame = cells("exp(x)", "709", ["forward-1", "backward-1"], ["1", "0.5"])
    assert frame["status"].tolist() == ["nonfinite", "ok", "ok", "ok"]
    assert frame["reason"][0] == "f is not finite at a node"


def test_overflow_of_the_estimate_alone_is_nonfinite():
    frame = cells("exp(x)", "709.7", ["forward-3-d2"], ["1e-3", "1e-4"])
    assert frame["status"].tolist() == ["nonfinite", "nonfinite"]
    assert set(frame["reason"]) == {"the estimate is not finite"}


def test_overflow_of_the_reference_is_nonfinite_though_f_is_finite():
    results = run(Spec(Function("f", "exp(100*x)", ["7.09"]), ["backward-1"], ["1"], rules=[]))
    frame = results.to_frame()
    assert frame["status"].tolist() == ["nonfinite"]
    assert frame["reason"].tolist() == ["the reference overflows"]
    assert frame["error"].isna().all()
    reference = results.references().iloc[0]
    assert reference["verdict"] == "certified"
    assert pd.isna(reference["hi"])
    assert reference["value"].endswith("e+309")


@pytest.mark.parametrize("epsilon", ["1e-20", "1e-350"])
def test_coinciding_nodes_collapse_and_keep_estimate_and_error_where_they_exist(epsilon):
    frame = cells("x**2", "3", ["forward-1"], [epsilon, "1e-3"])
    assert frame["status"].tolist() == ["ok", "collapsed"]
    if epsilon == "1e-20":
        assert frame["estimate"][1] == 0
        assert frame["error"][1] == -6
    else:
        assert frame["epsilon"][1] == 0
        assert frame["estimate"].isna().tolist() == [False, True]


def test_half_a_spacing_collapses_by_rounding_to_even_and_a_whole_one_does_not():
    u = Fraction(1, 2**53)
    frame = cells("x**2", "1", ["forward-1"], [u, 2 * u])
    assert frame["status"].tolist() == ["ok", "collapsed"]
    assert statuses("x**2", "1", ["backward-1"], [u]) == ["ok"]


def test_nodes_collapse_only_where_they_do_in_the_dtype():
    assert statuses("x**2", "1", ["forward-1"], ["1e-9"]) == ["ok"]
    assert statuses("x**2", "1", ["forward-1"], ["1e-9"], dtype="float32") == ["collapsed"]


def test_complex_step_does_not_collapse_as_long_as_epsilon_is_not_zero():
    frame = cells("x**2", "3", ["complex-step"], ["1e-300", "1e-350"])
    assert frame["status"].tolist() == ["ok", "collapsed"]
    assert frame["estimate"][0] == 6


@pytest.mark.parametrize(
    ("formula", "left", "right"),
    [("Abs(x)", "-1.0", "1.0"), ("Max(x, 0)", "0.0", "1.0"), ("Piecewise((0, x < 0), (x, True))", "0.0", "1.0")],
)
def test_at_a_kink_every_cell_is_nondifferentiable_and_both_sides_are_kept(formula, left, right):
    results = run(Spec(Function("kink", formula, ["0", "1"]), ["forward-1", "central-2"], ["1e-3"]))
    frame = results.to_frame()
    assert set(frame.loc[frame["point"] == 0, "status"]) == {"nondifferentiable"}
    assert set(frame.loc[frame["point"] == 1, "status"]) == {"ok"}
    at_zero = frame[frame["point"] == 0]
    assert at_zero["estimate"].notna().all()
    assert at_zero["error"].isna().all()
    reference = results.references().iloc[0]
    assert (reference["verdict"], reference["left"], reference["right"]) == ("nondifferentiable", left, right)


def test_a_jump_has_no_derivative_either():
    assert statuses("sign(x)", "0", ["forward-1"], ["1e-3"]) == ["nondifferentiable"]


def test_an_unsettled_reference_makes_uncertain_cells_that_keep_their_estimates():
    frame = cells("Max(sin(x)**2 + cos(x)**2, 1)", "1", ["forward-1"], ["1e-3", "1e-30"])
    assert frame["status"].tolist() == ["uncertain", "uncertain"]
    assert frame["reason"].str.contains("nor its expansions on both sides").all()
    assert frame["estimate"].notna().all()
    assert frame[["reference", "error", "digits"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("formula", "dtype", "scheme", "reason"),
    [
        ("besselj(1, x)", "float16", "forward-1", "f promotes float16 to float32"),
        ("Abs(x)", "float64", "complex-step", "needs complex values, which Abs does not take"),
        ("Piecewise((0, x < 0), (x, True))", "float64", "complex-step", "which Piecewise does not take"),
        ("sin(x)", "float16", "complex-step", "float16 has no complex dtype"),
        ("sin(x)", "float16", "forward-12", "out of range of float16"),
        ("polylog(3, x/2)", "float64", "forward-1", "no numerical implementation of polylog of order 3"),
        ("polylog(3, x/2)", "float32", "complex-step", "no numerical implementation of polylog of order 3"),
        ("hyper([1, 1, 1], [2, 2], x/2)", "float64", "forward-1", "no numerical implementation of hyper of type 3F2"),
    ],
)
def test_what_a_scheme_cannot_treat_is_unsupported_with_the_reason(formula, dtype, scheme, reason):
    frame = cells(formula, "1", [scheme, "central-2"], ["1e-2"], dtype=dtype)
    assert frame["status"][0] == "unsupported"
    assert reason in frame["reason"][0]
    assert frame["estimate"].isna()[0]
    assert frame["evaluations"][0] == 0


def test_a_function_without_code_costs_every_scheme_its_cells_and_not_the_run():
    opaque = OpaqueScheme("mine", lambda f, x, epsilon: (f(x + epsilon) - f(x)) / epsilon)
    lacking, other = Function("lacking", "polylog(3, x)", ["1/2"]), Function("other", "x**2", ["1/2"])
    frame = run(Spec([lacking, other], [*ONE_OF_EACH, opaque], ["1e-2", "1e-4"])).to_frame()
    without = frame[frame["function"] == "lacking"]
    assert set(without["status"]) == {"unsupported"}
    assert set(without["reason"]) == {"no numerical implementation of polylog of order 3"}
    assert set(without["scheme"]) == {*ONE_OF_EACH, "mine"}
    assert set(frame[frame["function"] == "other"]["status"]) == {"ok"}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_an_f_that_promotes_is_unsupported_and_says_to_what(dtype):
    frame = cells("x**2", "3", ["forward-1"], ["1e-2"], dtype=dtype, evaluate=lambda x: x.astype("float64") ** 2)
    assert frame["status"].tolist() == ["unsupported"]
    assert frame["reason"].tolist() == [f"f promotes {dtype} to float64"]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_constants_do_not_promote(dtype):
    frame = cells("sqrt(2)*x + pi/3 + 0.1", "1", ["forward-1", "central-4"], ["0.1"], dtype=dtype)
    assert frame["status"].tolist() == ["ok", "ok"]


# precedence -----------------------------------------------------------------------------------------------------------


def test_unsupported_stands_before_domain():
    frame = cells("sqrt(Abs(x))", "0.01", ["complex-step"], ["0.1"], domain="(0, oo)")
    assert frame["status"].tolist() == ["unsupported"]
    promoted = {"dtype": "float32", "evaluate": lambda x: x.astype("float64"), "domain": "(0, 2)"}
    assert statuses("x", "1", ["forward-1"], ["4", "0.1"], **promoted) == ["unsupported", "unsupported"]


def test_domain_stands_before_failed():
    def broken(x):
        raise RuntimeError("no")

    frame = cells("x", "1", ["forward-1"], ["4", "0.1"], domain="(0, 2)", evaluate=broken)
    assert frame["status"].tolist() == ["domain", "failed"]
    assert frame["reason"].tolist() == ["a node leaves (0, 2)", "f raised RuntimeError: no"]


def test_failed_stands_before_nondifferentiable():
    def broken(x):
        raise RuntimeError("no")

    assert statuses("Abs(x)", "0", ["forward-1"], ["0.1"], evaluate=broken) == ["failed"]


def test_nonfinite_stands_before_nondifferentiable():
    frame = cells("Abs(x)", "0", ["forward-1"], ["0.1"], evaluate=lambda x: x * np.float64("nan"))
    assert frame["status"].tolist() == ["nonfinite"]


def test_nondifferentiable_and_uncertain_stand_before_collapsed():
    assert statuses("Abs(x - 1)", "1", ["forward-1"], ["1e-20"]) == ["nondifferentiable"]
    assert statuses("Max(sin(x)**2 + cos(x)**2, 1)", "1", ["forward-1"], ["1e-20"]) == ["uncertain"]


def test_domain_stands_before_nonfinite_and_collapsed():
    assert statuses("log(x)", "1", ["backward-1"], ["1", "2", "1e-30"], domain="(0, oo)") == [
        "domain",
        "domain",
        "collapsed",
    ]


def test_a_point_that_leaves_the_domain_by_rounding_is_a_row_and_in_a_wider_dtype_it_is_ok():
    function = Function("asin", "asin(x)", ["0.99999"], domain="(-1, 1)")
    frame = run(Spec(function, ["backward-1"], ["1e-1"], dtypes=["float16", "float64"])).to_frame()
    assert frame["status"].tolist() == ["domain", "domain", "ok", "ok"]
    assert frame["reason"][0] == "x leaves the domain by rounding to the dtype"
    assert frame["x"].tolist() == [1.0, 1.0, 0.99999, 0.99999]


def test_every_cell_that_is_not_ok_has_a_reason_and_no_other_has():
    results = run(Spec(["abs", "sqrt", "log-near-0", "exp-100x"], epsilons="1:1e-18:1/decade"))
    frame = results.to_frame()
    not_ok = frame["status"] != "ok"
    assert 0 < not_ok.sum() < len(frame)
    assert (frame["reason"].notna() == not_ok).all()


# arithmetic -----------------------------------------------------------------------------------------------------------


def f(x):
    return np.divide(np.sin(x), np.add(x, np.ones(1, x.dtype)))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_forward_1_is_bit_for_bit_the_textbooks_line(dtype):
    epsilons = [Fraction(1, 10**k) for k in range(1, 9)]
    frame = cells("sin(x)/(x + 1)", "0.7", ["forward-1"], epsilons, dtype=dtype)
    x = np.array([0.7], dtype=dtype)
    for row in frame.itertuples():
        epsilon = np.array([row.epsilon], dtype=dtype)
        assert row.epsilon == np.array([float(epsilons[row.epsilon_index])], dtype=dtype)[0]
        if row.status == "ok":
            assert row.estimate == ((f(x + epsilon) - f(x)) / epsilon)[0]


@pytest.mark.parametrize(
    ("scheme", "line"),
    [
        ("central-2", lambda x, e: (f(x + e) - f(x - e)) / 2 / e),
        ("central-4", lambda x, e: (-(f(x + 2 * e) - f(x - 2 * e)) + 8 * (f(x + e) - f(x - e))) / 12 / e),
        ("central-2-d2", lambda x, e: ((f(x + e) + f(x - e)) - 2 * f(x)) / e / e),
        ("forward-2", lambda x, e: (-f(x + 2 * e) + 4 * f(x + e) - 3 * f(x)) / 2 / e),
        ("richardson(forward-1)", lambda x, e: 2 * ((f(x + e) - f(x)) / e) - (f(x + 2 * e) - f(x)) / (2 * e)),
    ],
)
def test_schemes_are_combined_as_written_in_textbooks(scheme, line):
    frame = cells("sin(x)/(x + 1)", "0.7", [scheme], "1e-1:1e-8:1/decade")
    x = np.array([0.7])
    for row in frame.itertuples():
        assert row.estimate == line(x, np.array([row.epsilon]))[0], row.epsilon


def test_points_and_epsilons_are_rounded_once_into_the_dtype():
    frame = cells("x", "0.1", ["forward-1"], ["0.3"], dtype="float16")
    assert frame["x"].tolist() == [float(np.float16(0.1))]
    assert frame["epsilon"].tolist() == [float(np.float16(0.3))]


def test_the_usual_rule_is_representable_and_as_documented():
    frame = run(
        Spec(Function("f", "x**2", ["3", "0.1"]), ["forward-1", "central-2", "complex-step"], ["1e-3"])
    ).to_frame()
    usual = frame[frame["rule"] == "usual"]
    assert usual["epsilon_index"].isna().all()
    assert len(usual) == 2 * 3
    for row in usual.itertuples():
        power = {"forward-1": 1 / 2, "central-2": 1 / 3, "complex-step": 1}[row.scheme]
        ideal = 2.0 ** (-53 * power) * max(1.0, row.x)
        assert abs(row.epsilon / ideal - 1) < 1e-4
        if row.scheme != "complex-step":
            assert (row.x + row.epsilon) - row.x == row.epsilon


# sharing --------------------------------------------------------------------------------------------------------------


def test_f_is_called_once_on_the_union_of_all_real_nodes():
    calls = []

    def evaluate(x):
        calls.append(x.copy())
        return x * x

    spec = Spec(
        Function("f", "x**2", ["3", "4"], evaluate=evaluate),
        ["forward-1", "central-2", "central-4", "central-2-d2"],
        ["1e-2", "1e-3"],
        derivatives=[1, 2],
        rules=[],
    )
    results = run(spec)
    assert len(calls) == 1
    # Two points; x itself once each, and x ± ε, x ± 2ε for each of two epsilons.
    assert calls[0].size == 2 * (1 + 4 * 2)
    assert results.counts["ok"] == spec.planned


def test_complex_nodes_cost_one_more_call():
    kinds = []

    def evaluate(x):
        kinds.append(x.dtype.name)
        return x * x

    function = Function("f", "x**2", ["3"], evaluate=evaluate)
    run(Spec(function, ["forward-1", "central-2", "complex-step"], ["1e-2", "1e-3"]))
    assert sorted(kinds) == ["complex128", "float64"]


def test_evaluations_are_those_of_the_scheme():
    frame = cells("x**2", "3", ["forward-1", "forward-6", "central-4", "central-4-d2", "complex-step"], ["1e-2"])
    evaluations = dict(zip(frame["scheme"], frame["evaluations"], strict=True))
    assert evaluations == {
        "forward-1": 2,
        "forward-6": 7,
        "central-4": 4,
        "complex-step": 1,
        "central-4-d2": 5,
    }


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_bits_do_not_depend_on_the_other_schemes(dtype):
    together = {b.function: by_scheme(b) for b in run(Spec(SOME, dtypes=[dtype])).blocks}
    for scheme in ONE_OF_EACH:
        for block in run(Spec(SOME, [scheme], dtypes=[dtype])).blocks:
            assert by_scheme(block)[scheme] == together[block.function][scheme], (block.function, scheme)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_the_other_schemes_in_the_whole_standard_suite(dtype):
    spec = Spec(dtypes=[dtype])
    together = {b.function: by_scheme(b) for b in run(spec).blocks}
    for scheme in spec.schemes:
        for block in run(Spec(schemes=[scheme.name], dtypes=[dtype])).blocks:
            assert by_scheme(block)[scheme.name] == together[block.function][scheme.name], (block.function, scheme.name)


def test_bits_do_not_depend_on_the_other_epsilons_points_or_derivatives():
    function = Function("f", "sin(x)/(x + 1)", ["0.7", "11", "-0.3"])
    alone = run(Spec(Function("f", "sin(x)/(x + 1)", ["11"]), ["central-4"], ["1e-3"]))
    among = run(Spec(function, ["central-4", "forward-6"], derivatives=[1, 2, 3]))
    frame = among.to_frame()
    same = frame[(frame["point"] == 1) & (frame["scheme"] == "central-4") & (frame["epsilon"] == 1e-3)]
    assert same["estimate"].tolist() == [alone.blocks[0].estimate[0, 0, 0]]


def test_measuring_a_unit_twice_gives_the_same_bits():
    (unit,) = Spec("gamma", dtypes=["float32"]).plan()
    first, second = ({m: by_scheme(block) for m, block in enumerate(measure(unit))} for _ in range(2))
    assert first == second


def test_each_derivative_of_a_unit_has_its_block():
    (unit,) = Spec("exp", ["central-2", "forward-1"], ["1e-3"], derivatives=[2, 1]).plan()
    assert [block.derivative for block in measure(unit)] == [2, 1]


# opaque schemes -------------------------------------------------------------------------------------------------------


def opaque_cells(call, **options):
    return run(Spec(Function("f", "x**2", ["3"]), [OpaqueScheme("mine", call, **options)], ["1e-2", "1e-3"])).to_frame()


def test_an_opaque_scheme_may_estimate_its_error_and_its_evaluations_are_counted():
    frame = opaque_cells(lambda f, x, e: ((f(x + e) - f(x - e)) / (2 * e), 0.25))
    assert frame["estimate"].tolist() == pytest.approx([6, 6])
    assert frame["error_estimate"].tolist() == [0.25, 0.25]
    assert frame["evaluations"].tolist() == [2, 2]
    assert frame["rule"].isna().all()


def test_an_opaque_scheme_counts_arrays_by_their_size():
    frame = opaque_cells(lambda f, x, e: float(f(np.array([x, x + e, x - e])).sum()))
    assert frame["evaluations"].tolist() == [3, 3]


def test_an_opaque_scheme_without_epsilon_has_one_cell_a_point():
    frame = opaque_cells(lambda f, x: f(x) * 2 / x, takes_epsilon=False)
    assert frame["estimate"].tolist() == [6]
    assert frame["epsilon"].isna().all()
    assert frame["epsilon_index"].isna().all()
    assert frame["rule"].isna().all()


def test_opaque_and_difference_schemes_stand_side_by_side():
    alone = OpaqueScheme("alone", lambda f, x: 6.0, takes_epsilon=False)
    swept = OpaqueScheme("swept", lambda f, x, e: (f(x + e) - f(x)) / e)
    results = run(Spec(Function("f", "x**2", ["3"]), [alone, "forward-1", swept], ["1e-2", "1e-3"]))
    (block,) = results.blocks
    assert np.count_nonzero(block.status != Status.ABSENT) == 1 + 3 + 2
    assert block.estimate[2, 0, :2].tobytes() == block.estimate[1, 0, :2].tobytes()
    assert results.counts["ok"] == 6


def test_a_point_beyond_the_range_of_a_dtype_is_a_row():
    function = Function("far", "x**2", ["1e6"])
    results = run(Spec(function, ["forward-1"], ["1e-3"], dtypes=["float16"]))
    frame = results.to_frame()
    assert set(frame["status"]) == {"domain"}
    assert frame["x"].isna().all()
    assert results.references()["x"].isna().all()


def test_f_costs_only_the_schemes_whose_nodes_it_raises_at():
    def picky(x):
        if (x.real < 1).any():
            raise ValueError("too small")
        return x * x

    function = Function("picky", "x**2", ["1"], evaluate=picky)
    frame = run(Spec(function, ["forward-1", "backward-1", "complex-step"], ["1e-3"], rules=[])).to_frame()
    assert dict(zip(frame["scheme"], frame["status"], strict=True)) == {
        "forward-1": "ok",
        "backward-1": "failed",
        "complex-step": "ok",
    }


def test_f_is_not_called_outside_its_domain():
    def strict(x):
        assert (x.real > 0).all()
        return np.log(x)

    function = Function("log", "log(x)", ["0.1"], domain="(0, oo)", evaluate=strict)
    forward = OpaqueScheme("quotient", lambda f, x, e: (f(x) - f(x - e)) / e)
    frame = run(Spec(function, ["central-2", "complex-step", forward], ["0.5", "1e-3"], rules=[])).to_frame()
    found = {(row.scheme, row.epsilon): row.status for row in frame.itertuples()}
    assert found == {
        ("central-2", 0.5): "domain",
        ("central-2", 0.001): "ok",
        ("complex-step", 0.5): "ok",
        ("complex-step", 0.001): "ok",
        ("quotient", 0.5): "domain",
        ("quotient", 0.001): "ok",
    }


def test_an_opaque_scheme_meets_f_in_the_dtype_and_in_complex_as_it_is():
    central = OpaqueScheme("quotient", lambda f, x, e: (f(x + e) - f(x - e)) / (2 * e))
    imaginary = OpaqueScheme("imaginary", lambda f, x, e: f(x + 1j * e).imag / e)
    frame = run(Spec(Function("j", "besselj(1, x)", ["1"]), [central], ["1e-2"], dtypes=["float16"])).to_frame()
    assert set(frame["status"]) == {"unsupported"}
    frame = run(Spec(Function("a", "Abs(x) + x", ["1/2"]), [imaginary], ["1e-9"])).to_frame()
    assert frame["reason"].tolist() == ["needs complex values, which Abs does not take"]
    frame = run(Spec(Function("s", "sin(x)", ["1/2"]), [imaginary], ["1e-9"])).to_frame()
    assert frame["digits"].iloc[0] > 15


def test_an_epsilon_that_rounds_to_0_is_no_failure_of_an_opaque_scheme():
    def quotient(f, x, e):
        return (float(f(x + e)) - float(f(x))) / float(e)

    frame = run(
        Spec(Function("square", "x**2", ["3"]), [OpaqueScheme("quotient", quotient)], ["1e-3", "1e-350"])
    ).to_frame()
    assert frame["status"].tolist() == ["ok", "collapsed"]
    assert frame["evaluations"].tolist() == [2, 0]


def test_nodes_of_a_rational_offset_are_rounded_once():
    """fl(x + fl(kε)), not fl(x + fl(fl(k) ε)): a third of ε, not ε times the double next to a third."""
    seen = []

    def recording(x):
        seen.extend(x.tolist())
        return x * x

    epsilons = [f"1/{n}" for n in (3, 7, 10, 11, 13, 49, 1000)]
    run(Spec(Function("f", "x**2", ["0"], evaluate=recording), ["stencil(0,1/3)"], epsilons, rules=[]))
    rounded = [Fraction(float(Fraction(text))) for text in epsilons]
    assert set(seen) == {0.0, *(float(epsilon / 3) for epsilon in rounded)}
    assert {float(epsilon) * (1 / 3) for epsilon in rounded} != {float(epsilon / 3) for epsilon in rounded}


def test_any_two_nodes_that_coincide_collapse_a_cell():
    """Below 1 the doubles lie twice as dense as above: the nodes at −2ε and −ε coincide, no others do."""
    function = Function("f", "x**2", ["1"])
    epsilon = Fraction(3, 5) / 2**53
    assert 1 - 2 * float(epsilon) == 1 - float(epsilon) != 1 + float(epsilon)
    frame = run(Spec(function, ["stencil(-2,-1,1,3)"], [epsilon, "1e-3"], rules=[])).to_frame()
    assert frame["status"].tolist() == ["ok", "collapsed"]


def test_an_epsilon_beyond_the_range_of_a_dtype_says_so():
    frame = run(Spec(Function("f", "atan(x)", ["1"]), ["forward-1"], ["1e6"], dtypes=["float16"], rules=[])).to_frame()
    assert frame["reason"].tolist() == ["epsilon overflows in float16"]


def test_where_f_is_not_real_is_domain_for_opaque_schemes_too():
    quotient = OpaqueScheme("quotient", lambda f, x, e: (f(x) - f(x - e)) / e)
    frame = run(Spec(Function("f", "log(x)", ["5e-4"]), ["backward-1", quotient], ["1e-3"], rules=[])).to_frame()
    assert frame["status"].tolist() == ["domain", "domain"]


# noise ----------------------------------------------------------------------------------------------------------------


def test_noise_is_measured_against_the_truth_without_it_and_refused_off_the_real_line():
    once = OpaqueScheme("once", lambda f, x: complex(f(x + 1e-30j)).imag / 1e-30, takes_epsilon=False)
    schemes = ["forward-1", "complex-step", once]
    plain, noisy = (
        run(Spec(Function("f", "exp(x)", ["1"], noise=noise), schemes, "1e-1,1e-5")).block("f")
        for noise in (None, "absolute 1e-3 seed 3")
    )
    assert (noisy.references[0].hi, noisy.noise) == (plain.references[0].hi, "absolute 0.001 seed 3")
    assert (plain.status[1] == Status.OK).any()
    assert set(noisy.status[1:].ravel().tolist()) == {Status.UNSUPPORTED, Status.ABSENT}
    assert {noisy.reasons[code] for code in noisy.reason[1][noisy.status[1] == Status.UNSUPPORTED]} == {NO_COMPLEX}
    size = np.abs(noisy.estimate[0, 0, :2] - plain.estimate[0, 0, :2])
    assert (size * [1e-1, 1e-5] <= 2e-3).all()
    assert 0 < size[0] < 0.03
    assert size[1] > 1


NO_COMPLEX = "needs complex values, and the noise is stated for real ones"


def test_noise_is_part_of_the_evaluation_of_f():
    plain, noisy = (
        run(Spec(Function("f", "exp(x)", ["0.7", "2"], noise=noise), ["forward-1", "central-4"], anatomy=True)).blocks[
            0
        ]
        for noise in (None, "relative 1e-6")
    )
    np.testing.assert_array_equal(noisy.parts[:2], plain.parts[:2])
    np.testing.assert_allclose(noisy.parts.sum(axis=0), noisy.error, rtol=1e-12, atol=1e-13 * np.abs(noisy.parts).max())
    assert np.median(np.abs(noisy.parts[2])) > 1e6 * np.median(np.abs(plain.parts[2]))
