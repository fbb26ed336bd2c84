"""The files of baselines: a Parquet file and a JSON file for each platform of a suite, and for any other.

``results/baselines/<suite>/<platform>.parquet`` holds the curves, the ``.json`` beside it who accepted them when and
why. ``any`` is the envelope of all platforms: of every cell the worst that any of them had.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from diffbench.analysis.baseline import ANY, OPEN, SCHEMA_VERSION, Baseline, baseline_of, from_table, to_table
from diffbench.analysis.gate import judge, without_advice
from diffbench.errors import MAX_NAME, InputError, NotComparableError, nearest
from diffbench.functions.suites import BUILT_IN
from diffbench.sweep.checked import check_table, schema_problem
from diffbench.sweep.files import checksum, io_errors, json_text, read_object, read_whole, write_file
from diffbench.sweep.provenance import current_provenance, git_state, platform_key
from diffbench.sweep.results import Results

BASELINES = Path("results", "baselines")
"""Where baselines are kept, below the working directory."""

LARGEST_CHANGES = 20


def accept(results: Results, reason: str, by: str, name: str = "", folder: Path = BASELINES) -> tuple[Path, Baseline]:
    """Make a run the baseline of its platform, and renew the one for any platform.

    Parameters
    ----------
    results : Results
        A run that kept its cells.
    reason, by : str
        Why it is accepted, and who does.
    name : str
        What the baseline is called; by default the built-in suite that was swept as it is.
    folder : Path
        Where baselines are kept.

    Returns
    -------
    path : Path
        The Parquet file.
    baseline : Baseline
        What it holds.

    Raises
    ------
    InputError
        If there is no reason or no name, cells failed, or curves are worse than theory lets them be: such a run could
        pass no gate.
    StoreError
        If a file cannot be written.
    """
    if not reason.strip() or not reason.isprintable():
        raise InputError(f"reason: {reason!r} says nothing, in one line, of why the run is right")
    found = baseline_of(results, name, with_theory=True)
    _check_name(found.about["name"], found.about["suite"])
    _check_sound(found, results)
    own = folder / found.about["name"]
    path = own / f"{found.about['platform']}.parquet"
    before = read_baseline(path) if path.is_file() else None
    about = found.about | {
        "accepted": {"when": _now(), "by": by, "why": reason},
        "git": git_state(),
        "curves": len(found.names),
        "cells": found.cells_of(found.names),
        "status": {status: count for status, count in results.counts.items() if count},
        "largest_changes": [] if before is None else _changes(before, found),
    }
    accepted = replace(found, about=about)
    with io_errors(own):
        own.mkdir(parents=True, exist_ok=True)
    _write(path, accepted)
    _write(own / f"{ANY}.parquet", envelope(platforms(own)))
    return path, accepted


def _check_name(name: str, suite: str) -> None:
    if not name:
        raise InputError(
            "name: the run is not that of a built-in suite as it is; say what its baseline is called, --name"
        )
    if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII) or len(name) > MAX_NAME:
        raise InputError(f"name: {name[:60]!r} is not made of letters, digits, _, - and . alone")
    if name in BUILT_IN and name != suite:
        raise InputError(f"name: {name} is a built-in suite, and the run is not that of this suite as it is")


def _check_sound(found: Baseline, results: Results) -> None:
    if results.counts["failed"]:
        raise InputError(f"run: {results.counts['failed']} cells failed; what failed is no baseline")
    broken = judge(found, found).findings
    if broken:
        raise InputError(f"run: {broken[0].sentence}; a [[gate]] of its spec may say why that is right")


def _changes(before: Baseline, after: Baseline) -> list[str]:
    try:
        return [without_advice(each.sentence) for each in judge(before, after).findings[:LARGEST_CHANGES]]
    except NotComparableError as error:
        return [str(error)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write(path: Path, found: Baseline) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(to_table(found), sink, compression="zstd", compression_level=19, store_schema=False)
    data = bytes(sink.getvalue().to_pybytes())
    write_file(path, data)
    write_file(path.with_suffix(".json"), json_text(found.about | {"sha256": checksum(data)}))


def read_baseline(path: str | Path) -> Baseline:
    """Return a baseline from its Parquet file and the JSON file beside it.

    Raises
    ------
    NotComparableError
        If it is of another schema.
    StoreError
        If a file is missing or damaged; the message names it.
    """
    path = Path(path)
    about = read_object(path.with_suffix(".json"))
    problem = schema_problem(about.get("schema_version"), SCHEMA_VERSION)
    if problem:
        raise NotComparableError(f"baseline: {path}: {problem}, or accept a new one")
    with io_errors(path.with_suffix(".json")):
        sha256 = str(about["sha256"])
    data = read_whole(path, sha256)
    with io_errors(path), pq.ParquetFile(pa.BufferReader(data)) as file:
        check_table(file.metadata)
        return from_table(about, file.read(use_threads=False))


def platforms(folder: Path) -> list[Baseline]:
    """Return the baselines of all platforms of a suite, sorted by name."""
    with io_errors(folder):
        paths = sorted(path for path in folder.glob("*.parquet") if path.stem != ANY)
    return [read_baseline(path) for path in paths]


def find_baseline(name: str | Path, platform: str = "", folder: Path = BASELINES) -> Baseline:
    """Return the baseline of a platform, or else the one for any.

    Parameters
    ----------
    name : str or Path
        A suite, of which there are baselines in the folder; or a folder of them; or one Parquet file.
    platform : str
        By default the one of this process.
    folder : Path
        Where baselines are kept.

    Raises
    ------
    NotComparableError
        If there is none.
    """
    path = Path(name)
    if path.suffix == ".parquet":
        if not path.is_file():
            raise NotComparableError(f"baseline: there is no file {str(name)!r}")
        return read_baseline(path)
    own = folder / name if (folder / name).is_dir() else path
    for stem in (platform or platform_key(current_provenance()), ANY):
        if (own / f"{stem}.parquet").is_file():
            return read_baseline(own / f"{stem}.parquet")
    known = sorted(each.name for each in folder.glob("*") if each.is_dir())
    raise NotComparableError(
        f"baseline: there is none called {str(name)!r} in {folder}{nearest(str(name), known)};"
        " diffbench baseline accept RUN --reason WHY --name NAME makes one"
    )


def envelope(found: Iterable[Baseline]) -> Baseline:
    """Return the worst that platforms have of every cell; where they differ in more than numbers, the last decides.

    A cell whose status they differ in is open. Where the definition of a curve differs, that of the baseline that was
    accepted last holds.
    """
    first, *others = sorted(
        found, key=lambda each: (each.about["accepted"]["when"], each.about["platform"]), reverse=True
    )
    whole = replace(first, about=first.about | {"platform": ANY, "platforms": [first.about["platform"]]})
    for other in others:
        if other.columns == whole.columns:
            whole = _widened(whole, other)
            whole.about["platforms"].append(other.about["platform"])
    return whole


def _widened(whole: Baseline, other: Baseline) -> Baseline:
    common = [
        name
        for name, row in whole.rows.items()
        if name in other.rows and other.definition[other.rows[name]] == whole.definition[row]
    ]
    ours, theirs = ([each.rows[name] for name in common] for each in (whole, other))
    values: dict[str, Any] = {name: getattr(whole, name).copy() for name in _LARGEST}
    for name, own in values.items():
        own[ours] = np.fmax(own[ours], getattr(other, name)[theirs])
    status = whole.status.copy()
    status[ours] = np.where(status[ours] == other.status[theirs], status[ours], OPEN)
    return replace(whole, status=status, **values)


_LARGEST = ("quarters", "rounding", "evaluations", "optimum", "truncation", "expected")
