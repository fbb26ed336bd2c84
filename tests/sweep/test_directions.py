"""Gradients and Hessians: the rows of functions of several variables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diffbench import Function, Results, Spec, load, run
from diffbench.analysis.precision import cases
from diffbench.report.tables import estimates_table, model_table, references_table
from diffbench.sweep.estimate import estimate
from diffbench.sweep.evaluate import measure
from diffbench.sweep.run import resume

DYADIC = ["2^-3", "2^-8", "2^-13"]
TEXT = "x**2*y + sin(y)"
SADDLE = Function("saddle", TEXT, [{"x": "0.1", "y": 2}, {"x": "1/3", "y": -3}])


def form(*points: list[str]) -> Function:
    return Function("form", "3*x**2 + 2*x*y - y**2/2 + z*(x - 1)", list(points), variables=("x", "y", "z"))


def values(results: Results, derivative: int, scheme: str) -> dict[str, list[float]]:
    block = results.block("form", derivative)
    row = block.schemes.index(scheme)
    return {each.direction: block.estimate[row, p].tolist() for p, each in enumerate(block.directions)}


def test_gradient_and_hessian_of_a_quadratic_form_are_exact() -> None:
    spec = Spec([form(["1.5", "-2", "0.25"])], ["central-2", "central-4"], DYADIC, derivatives=[1, 2], rules=[])
    results = run(spec)
    gradient = {"x": 5.25, "y": 5.0, "z": 0.5}
    hessian = {"x": 6.0, "y": -1.0, "z": 0.0, "x,y": 2.0, "x,z": 1.0, "y,z": 0.0}
    assert values(results, 1, "central-2") == {name: [value] * 3 for name, value in gradient.items()}
    assert values(results, 2, "central-2-d2") == {name: [value] * 3 for name, value in hessian.items()}
    for derivative, exact in ((1, gradient), (2, hessian)):
        assert [each.hi for each in results.block("form", derivative).references] == list(exact.values())
    assert results.verdicts == {"certified": 9}


def test_the_mixed_one_by_central_2_is_the_product_of_two_first_differences() -> None:
    results = run(Spec([SADDLE], ["central-2"], ["1e-3"], derivatives=[2], rules=[]))
    block = results.block("saddle", 2)
    f = lambda x, y: x * x * y + np.sin(y)  # noqa: E731
    x, y, e = np.array([0.1]), np.array([2.0]), np.array([1e-3])
    up, down = f(x + e, y + e) - f(x + e, y - e), f(x - e, y - e) - f(x - e, y + e)
    assert block.estimate[0, 4] == (up / 4 + down / 4) / e / e
    assert block.evaluations[0].ravel().tolist() == [3, 3, 3, 3, 4, 4]


def test_the_hessian_does_not_know_in_which_order_variables_are_named() -> None:
    spec = {"schemes": ["central-4", "forward-2"], "derivatives": [2], "rules": []}
    there = run(Spec([Function("f", TEXT, [["0.1", "2"]], variables=("x", "y"))], **spec)).block("f", 2)
    back = run(Spec([Function("f", TEXT, [["2", "0.1"]], variables=("y", "x"))], **spec)).block("f", 2)
    assert [each.hi for each in there.references] == [back.references[i].hi for i in (1, 0, 2)]
    central = there.schemes.index("central-4-d2")
    np.testing.assert_allclose(there.error[central, 2], back.error[central, 2], rtol=0, atol=1e-3)
    np.testing.assert_array_equal(there.estimate[:, 0], back.estimate[:, 1])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_variable_that_does_not_occur_changes_no_bit(dtype: str) -> None:
    schemes = ["central-2", "forward-1", "richardson(central-2)"]
    options = {
        "schemes": schemes,
        "derivatives": [1, 2, 3],
        "dtypes": [dtype],
        "rules": ["usual", "curtis-reid"],
        "anatomy": True,
    }
    alone = run(Spec([Function("f", "sin(x)/x", ["0.3", "7"])], **options)).to_frame()
    beside = Function("f", "sin(x)/x", [["0.3", "5"], ["7", "5"]], variables=("x", "y"))
    both = run(Spec([beside], **options)).to_frame()
    rows = both[both.direction == "x"].drop(columns=["direction", "at", "point"]).reset_index(drop=True)
    assert rows.equals(alone.drop(columns="point"))
    idle = both[(both.direction != "x") & (both.status == "ok")]
    assert len(idle)
    assert (idle.reference == 0).all()


def test_cells_say_along_which_variable_of_which_point() -> None:
    plain = Function("plain", "exp(x)", ["1/3"])
    frame = run(Spec([SADDLE, plain], ["central-2"], ["1e-3"], rules=[])).to_frame()
    assert list(zip(frame.direction, frame["at"], frame.x, strict=True)) == [
        ("x", "x=0.1, y=2", 0.1),
        ("y", "x=0.1, y=2", 2.0),
        ("x", "x=1/3, y=-3", 1 / 3),
        ("y", "x=1/3, y=-3", -3.0),
        ("x", "x=1/3", 1 / 3),
    ]
    assert "direction" not in run(Spec([plain], ["central-2"], ["1e-3"])).to_frame().columns


def test_own_code_is_measured_as_the_formula_is() -> None:
    own = Function("saddle", TEXT, SADDLE.vectors, variables="xy", evaluate=lambda x, y: np.square(x) * y + np.sin(y))
    spec = {"derivatives": [1, 2], "dtypes": ["float32"], "rules": ["usual"]}
    assert run(Spec([own], **spec)).to_frame().equals(run(Spec([SADDLE], **spec)).to_frame())


def test_a_coordinate_beyond_the_dtype_is_a_row() -> None:
    far = Function("far", "x*y", [[1, 10**6]], variables=("x", "y"))
    block = run(Spec([far], ["central-2"], dtypes=["float16"])).block("far", 1, "float16")
    assert block.counts["domain"] == block.status.size
    assert np.isnan(block.x).all()


def in_order(results: Results) -> pd.DataFrame:
    """Return the cells in an order that does not depend on how blocks were cut."""
    keys = ["function", "derivative", "scheme", "rule", "point", "epsilon_index"]
    return results.to_frame().sort_values(keys).reset_index(drop=True)


def damaged(folder: Path) -> str:
    """Return the name of a file with mixed derivatives."""
    return next(path.name for path in sorted((folder / "cells").iterdir()) if "-d2-" in path.name)


@pytest.mark.parametrize("keep", ["cells", "summary"])
def test_a_stored_run_is_what_was_measured(tmp_path: Path, keep: str) -> None:
    schemes = ["central-2", "forward-1"]
    spec = Spec([SADDLE, Function("plain", "exp(x)", [1])], schemes, derivatives=[1, 2], rules=["usual"])
    stored = run(spec, out=tmp_path / "run", keep=keep, block_size=100, jobs=1)
    measured = run(spec, jobs=2)
    assert stored.counts == measured.counts
    assert spec.planned == sum(measured.counts.values())
    assert Spec.from_text(stored.spec).sha256 == spec.sha256
    assert load(tmp_path / "run").references().equals(measured.references())
    for part in stored.curves:
        whole = measured.block(*part.key)
        assert part.directions == whole.directions[part.first : part.first + part.x.size]
    if keep == "cells":
        assert in_order(stored).equals(in_order(measured))
        (tmp_path / "run" / "cells" / damaged(tmp_path / "run")).unlink()
        assert in_order(resume(tmp_path / "run", spec)).equals(in_order(measured))


def test_a_sweep_is_foreseen() -> None:
    spec = Spec([SADDLE], derivatives=[1, 2])
    assert estimate(spec).cells == spec.planned == sum(run(spec).counts.values())


def test_a_sweep_is_foreseen_from_single_lines_and_one_anatomy(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        "diffbench.sweep.estimate.measure",
        lambda unit: seen.append((len(unit.function.lines), unit.anatomy)) or measure(unit),
    )
    functions = [SADDLE.named(name) for name in ("one", "two", "three")]
    assert estimate(Spec(functions, ["central-2"], "1e-3", anatomy=True)).seconds > 0
    assert {lines for lines, _ in seen} == {1}
    assert sum(anatomy for _, anatomy in seen) == 1


def test_two_values_are_foreseen_for_a_node_of_a_mixed_derivative() -> None:
    spec = Spec([SADDLE], ["central-2"], "1e-3", derivatives=[2], rules=[])
    assert estimate(spec).evaluations == run(spec).block("saddle", 2).evaluations.sum()


def test_tables_of_references_and_of_the_model_say_where_and_along_what() -> None:
    results = run(Spec([SADDLE.part(0, 2)], ["central-2"], "1e-1:1e-3:4/decade", derivatives=[2], rules=[]))
    directions = ["x", "y", "x,y"]
    assert results.references()[["direction", "at"]].to_numpy().tolist() == [[d, "x=0.1, y=2"] for d in directions]
    known, model = references_table(results), model_table(results)
    assert [row["direction"] for row in known.rows] == directions
    assert [(row["direction"], row["at"]) for row in model.rows] == [(d, "x=0.1, y=2") for d in directions]
    for table in (known, model):
        assert {"direction", "at"} <= {column.key for column in table.columns}


def test_tables_of_one_variable_have_no_columns_for_several() -> None:
    results = run(Spec(Function("f", "exp(x)", ["1"]), "central-2", "1e-3", rules=[]))
    for table in (references_table(results), model_table(results), estimates_table(results)):
        assert not {"direction", "at"} & {column.key for column in table.columns}
    assert "direction" not in results.references()


def test_every_dtype_has_its_own_lines_and_the_error_model_knows_them():
    function = Function("wave", "x*sin(y)", [{"x": "1/3", "y": 2}])
    results = run(Spec([function], ["central-2"], "1e-2", dtypes=["float32", "longdouble"]))
    blocks = {block.dtype: block for block in results.blocks}
    assert {block.x.tolist()[1] for block in results.blocks} == {2.0}
    assert blocks["float32"].x[0] == np.float32(1 / 3) != blocks["longdouble"].x[0]
    assert {case.dtype for case in cases(results)} == {"float32", "longdouble"}
