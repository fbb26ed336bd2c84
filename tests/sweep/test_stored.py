"""Stored runs: read no more than is looked at, checked when it is, and readable by other programs."""

import numpy as np
import pytest
from folders import bits

from diffbench import Function, Spec, load, run, summarize
from diffbench.analysis.summary import rank
from diffbench.errors import DiffbenchError, StoreError
from diffbench.sweep import stored


def spec():
    odd = Function("a/b: <é>", "tan(x)", ["1.57", "0", "1"], domain="(-pi/2, pi/2)")
    return Spec(["exp", "abs", odd], ["forward-1", "complex-step", "central-2-d2"], "1e-1:1e-16:1/decade")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "run"
    run(spec(), out=path, block_size=32)
    return path


@pytest.fixture(scope="module")
def measured():
    return run(spec(), block_size=32)


@pytest.fixture
def own(tmp_path):
    """Return a run that a test may damage."""
    run(spec(), out=tmp_path / "own", block_size=32)
    return tmp_path / "own"


@pytest.fixture
def reads(monkeypatch):
    """Return the list of the files that are read."""
    found = []
    read = stored.read_parquet

    def note(path, *checks):
        found.append(f"{path.parent.name}/{path.name}")
        return read(path, *checks)

    monkeypatch.setattr(stored, "read_parquet", note)
    return found


def test_loading_reads_no_block(folder, reads):
    results = load(folder)
    assert (len(results.blocks), len(results.curves)) == (12, 12)
    assert results.counts["ok"] > 0
    assert results.verdicts["certified"] > 0
    assert reads == []


@pytest.mark.parametrize("ask", [summarize, rank])
def test_a_summary_reads_no_cells(ask, folder, reads):
    ask(load(folder))
    assert reads
    assert {name.partition("/")[0] for name in reads} == {"curves"}


def test_references_read_neither_cells_nor_curves(folder, reads):
    assert len(load(folder).references()) == sum(load(folder).verdicts.values())
    assert reads == []


def test_a_summary_needs_no_cells_but_their_sizes(own, measured):
    for path in (own / "cells").iterdir():
        path.write_bytes(bytes(path.stat().st_size))
    results = load(own)
    assert summarize(results).equals(summarize(measured))
    with pytest.raises(StoreError, match="checksum"):
        results.to_frame()


def test_one_block_reads_one_file_of_cells(folder, reads):
    blocks = load(folder).blocks
    assert bits(blocks[5])
    assert len([name for name in reads if name.startswith("cells/")]) == 1
    reads.clear()
    assert len(blocks[3:5]) == 2
    assert len([name for name in reads if name.startswith("cells/")]) == 2


def test_blocks_are_those_that_were_measured(folder, measured):
    blocks = load(folder).blocks
    assert bits(blocks[-1]) == bits(measured.blocks[-1])
    assert list(map(bits, blocks)) == list(map(bits, measured.blocks))
    with pytest.raises(IndexError):
        blocks[len(blocks)]


@pytest.mark.parametrize("kind", ["cells", "curves"])
@pytest.mark.parametrize("place", [0, 0.3, 0.7, 1])
def test_one_changed_bit_is_found_when_the_file_is_read(place, kind, own):
    path = sorted((own / kind).iterdir())[2]
    data = bytearray(path.read_bytes())
    data[round(place * (len(data) - 1))] ^= 4
    path.write_bytes(data)
    results = load(own)
    with pytest.raises(StoreError, match=f"{path.name}.*checksum") as caught:
        list(results.blocks if kind == "cells" else results.curves)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", [0, 0.2, 0.4, 0.6, 0.8, 1])
def test_one_changed_bit_in_the_references_is_found_when_they_are_read(place, own):
    path = own / "references.parquet"
    data = bytearray(path.read_bytes())
    data[round(place * (len(data) - 1))] ^= 4
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"references\.parquet"):
        load(own).references()


@pytest.mark.parametrize("name", ["spec.toml", "plan.json"])
def test_a_changed_file_of_the_same_size_is_found(name, own):
    path = own / name
    text = path.read_text("utf-8")
    changed = text.replace("1e-16", "1e-15") if name == "spec.toml" else text.replace('"planned": ', '"planted": ', 1)
    assert changed != text
    path.write_text(changed, "utf-8")
    with pytest.raises(StoreError, match=name):
        load(own)


def test_a_file_that_vanishes_after_loading_is_named(own):
    results = load(own)
    path = min((own / "cells").iterdir())
    path.unlink()
    with pytest.raises(DiffbenchError, match=path.name) as caught:
        list(results.blocks)
    assert caught.value.exit_code == 74


# other programs -------------------------------------------------------------------------------------------------------

NUMBERS = ("x", "epsilon", "estimate", "reference", "reference_lo", "error", "relative_error", "ulp_error", "digits")
TEXTS = ("function", "dtype", "scheme", "rule", "status", "reason")
KEY = ["function", "derivative", "dtype", "scheme", "rule", "point", "epsilon_index"]


def same_rows(found, measured):
    """Compare rows, as lists of tuples, with the tidy table in the order of the key."""
    frame = measured.to_frame()
    names = list(frame.columns)
    expected = [tuple(None if value is None else value for value in row) for row in tuples(frame)]
    order = [names.index(name) for name in KEY]

    def key(row):
        return tuple((row[i] is not None, row[i]) if row[i] is not None else (False, 0) for i in order)

    assert sorted(found, key=lambda row: repr(key(row))) == sorted(expected, key=lambda row: repr(key(row)))


def tuples(frame):
    import pandas as pd

    return [
        tuple(None if pd.isna(value) else value for value in row)
        for row in frame.astype(object).itertuples(index=False)
    ]


def test_pandas_reads_the_cells_as_they_are(folder, measured):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(folder / "cells", dtype_backend="pyarrow")
    assert list(frame.columns) == list(measured.to_frame().columns)
    same_rows(tuples(frame), measured)
    plain = pandas.read_parquet(folder / "cells")
    assert plain.groupby("scheme", observed=True)["digits"].max().notna().all()


def test_duckdb_reads_the_cells_as_they_are(folder, measured):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        cells = f"'{folder}/cells/*.parquet'"
        same_rows(connection.sql(f"select * from {cells}").fetchall(), measured)  # noqa: S608  (our own folder)
        best = connection.sql(f"select scheme, max(digits) from {cells} group by scheme").fetchall()  # noqa: S608  (our own folder)
    expected = measured.to_frame().groupby("scheme")["digits"].max()
    assert dict(best) == expected.to_dict()


def test_polars_reads_the_cells_as_they_are(folder, measured):
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(folder / "cells" / "*.parquet")
    same_rows(frame.rows(), measured)
    lazy = polars.scan_parquet(folder / "cells" / "*.parquet").filter(polars.col("status") == "ok").collect()
    assert len(lazy) == measured.counts["ok"]


@pytest.mark.parametrize("program", ["duckdb", "polars"])
def test_other_programs_read_curves_and_references_too(program, folder, measured):
    library = pytest.importorskip(program)
    if program == "duckdb":
        with library.connect() as connection:
            curves = connection.sql(f"select count(*) from '{folder}/curves/*.parquet'").fetchall()[0][0]  # noqa: S608  (our own folder)
            hi = connection.sql(f"select hi from '{folder}/references.parquet'").fetchall()  # noqa: S608  (our own folder)
    else:
        curves = len(library.read_parquet(folder / "curves" / "*.parquet"))
        hi = library.read_parquet(folder / "references.parquet").select("hi").rows()
    assert curves == sum(part.optimal_epsilon.size for part in measured.curves)
    expected = [None if np.isnan(value) else value for block in measured.blocks for value in block.hi[:, 0]]
    assert [value for (value,) in hi] == expected
