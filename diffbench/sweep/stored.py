"""Reading a run folder: only what is looked at, and only what is whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, overload

import pyarrow as pa
import pyarrow.parquet as pq

from diffbench.errors import InputError, StoreError
from diffbench.sweep.checked import Entry, check_table, entry_from
from diffbench.sweep.curves import Curves
from diffbench.sweep.export import (
    block_from_table,
    curves_from_table,
    read_about,
    reference_from_row,
)
from diffbench.sweep.files import (
    block_name,
    damage,
    io_errors,
    is_locked,
    parsed_object,
    read_object,
    read_parquet,
    read_whole,
    resume_command,
    run_path,
)
from diffbench.sweep.results import Block, Results
from diffbench.sweep.store import JOURNAL, KEPT, read_journal, read_manifest

T = TypeVar("T")

MAX_RECENT = 100_000
"""How many curves of a folder stay in memory at most, of some hundred bytes each."""


@dataclass(frozen=True)
class _Stored(Sequence[T], Generic[T]):
    """Parts of a run that are read from its folder when they are looked at."""

    folder: Path
    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        if isinstance(place, slice):
            return [self._read(entry) for entry in self.entries[place]]
        return self._read(self.entries[place])

    def _read(self, entry: Entry) -> T:
        raise NotImplementedError

    def _table(self, kind: str, entry: Entry) -> pa.Table:
        path = f"{kind}/{entry.name}.parquet"
        with io_errors(self.folder / path):
            sha256 = entry.files[path][0]
        return read_parquet(self.folder / path, sha256)


class _StoredCurves(_Stored[Curves]):
    """Curves; those of a run of usual size are read once, since every table and figure looks at all of them."""

    @cached_property
    def _recent(self) -> dict[str, Curves]:
        return {}

    def _read(self, entry: Entry) -> Curves:
        if entry.name in self._recent:
            return self._recent[entry.name]
        with io_errors(self.folder / "curves" / f"{entry.name}.parquet"):
            curves = curves_from_table(self._table("curves", entry))
            _check_key(curves, entry)
        if sum(each.evaluations.size for each in self._recent.values()) + curves.evaluations.size > MAX_RECENT:
            self._recent.clear()
        self._recent[entry.name] = curves
        return curves


class _StoredBlocks(_Stored[Block]):
    def _read(self, entry: Entry) -> Block:
        with io_errors(self.folder / "curves" / f"{entry.name}.parquet"):
            rows = read_about(self._table("curves", entry).schema)["references"]
        with io_errors(self.folder / "cells" / f"{entry.name}.parquet"):
            block = block_from_table(self._table("cells", entry), [reference_from_row(row) for row in rows])
            _check_key(block, entry)
        return block


def _check_key(found: Block | Curves, entry: Entry) -> None:
    if (*found.key, found.first) != (*entry.key, entry.first):
        raise StoreError(f"holds another block than {entry.name}")


def load(path: str | Path) -> Results:
    """Return the results of a run folder; what they hold is read when it is looked at.

    Raises
    ------
    InputError
        If it is no run folder, not complete, or a shard.
    StoreError
        If a file is missing or damaged; the message names it. Files that are looked at later are checked then.

    Examples
    --------
    >>> from diffbench import Spec, run
    >>> _ = run(Spec("lab", "forward-1", ["1e-3"], rules=[]), out="my-run")
    >>> load("my-run").counts["ok"]
    7
    """
    folder = run_path(path)
    manifest = read_manifest(folder)
    if manifest.get("state") != "complete":
        raise StoreError(f"{folder}: not a complete run; {resume_command(folder)} finishes it")
    if manifest.get("shard") != "1/1":
        raise InputError(f"run: {str(path)!r} is shard {manifest.get('shard')}; diffbench merge puts all together")
    return results_of(folder, manifest)


def results_of(folder: Path, manifest: dict[str, Any]) -> Results:
    """Return the results of a folder with its manifest; it may be a shard."""
    with io_errors(folder / "manifest.json"):
        entries = tuple(entry_from(row) for row in manifest["blocks"])
        sizes = {name: size for entry in entries for name, (_, size) in entry.files.items()}
        sizes |= {name: size for name, (_, size) in manifest["files"].items()}
    measured = sum(sum(entry.status.values()) for entry in entries)
    if measured != manifest["planned"]:
        raise StoreError(f"{folder / 'manifest.json'}: damaged, it has {measured} cells of {manifest['planned']}")
    missing = [name for name in ("spec.toml", "plan.json", "references.parquet") if name not in manifest["files"]]
    if missing:
        raise StoreError(f"{folder / 'manifest.json'}: damaged, it knows of no {missing[0]}")
    for name, size in sizes.items():
        _check_size(folder / name, size)
    spec, plan = (read_whole(folder / name, manifest["files"][name][0]) for name in ("spec.toml", "plan.json"))
    keep = parsed_object(folder / "plan.json", plan).get("keep")
    if keep not in KEPT:
        raise damage(folder / "plan.json", f"it keeps {str(keep)[:60]!r}")
    kept = entries if keep == "cells" else ()
    curves = _StoredCurves(folder, entries)
    keys = tuple(entry.key for entry in entries)
    sealed = manifest["files"]["references.parquet"][0]
    references = partial(_reference_tables, folder / "references.parquet", sealed)
    with io_errors(folder / "spec.toml"):
        text = spec.decode()
    return Results(text, _StoredBlocks(folder, kept), curves, keys, manifest, references)


def _check_size(path: Path, size: int) -> None:
    with io_errors(path):
        found = path.stat().st_size if path.exists() else None
    if found is None:
        raise damage(path, "it is missing")
    if found != size:
        raise damage(path, f"it has {found} bytes instead of {size}")


def _reference_tables(path: Path, sha256: str) -> Iterator[pa.Table]:
    with io_errors(path), pq.ParquetFile(pa.BufferReader(read_whole(path, sha256))) as file:
        check_table(file.metadata)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, use_threads=False)


class Standing(NamedTuple):
    """How far one function, derivative and dtype of a run is.

    Attributes
    ----------
    function, derivative, dtype
        Which.
    blocks, blocks_done, planned, done, failed : int
        Blocks and cells.
    reasons : str
        Why cells failed.
    """

    function: str
    derivative: int
    dtype: str
    blocks: int
    blocks_done: int
    planned: int
    done: int
    failed: int
    reasons: str


def status(path: str | Path) -> tuple[str, list[Standing]]:
    """Return the state of a run and how far each of its functions is.

    Returns
    -------
    str
        ``complete``, ``running`` or ``interrupted``.
    list of Standing
        In the order of the plan.
    """
    folder = run_path(path)
    # The journal first: a run that finishes now makes a manifest of it.
    journal = read_journal(folder / JOURNAL)
    manifest, plan = read_manifest(folder), read_object(folder / "plan.json")
    with io_errors(folder / "plan.json"):
        rows = [*manifest.get("blocks", []), *journal]
        entries = {entry.name: entry for entry in map(entry_from, rows)}
        standings: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
        for block in plan["blocks"]:
            standings.setdefault((block["function"], block["derivative"], block["dtype"]), []).append(block)
        found = [_standing(key, blocks, entries) for key, blocks in standings.items()]
    if manifest.get("state") == "complete":
        return "complete", found
    return ("running" if is_locked(folder) else "interrupted"), found


def _standing(key: tuple[str, int, str], blocks: list[dict[str, Any]], entries: dict[str, Entry]) -> Standing:
    names = [block_name(*key, block["first"], is_alone=block["is_alone"]) for block in blocks]
    done = [entries[name] for name in names if name in entries]
    reasons: dict[str, int] = {}
    for entry in done:
        for reason, cells in entry.failures:
            reasons[reason] = reasons.get(reason, 0) + cells
    return Standing(
        *key,
        len(blocks),
        len(done),
        sum(block["planned"] for block in blocks),
        sum(sum(entry.status.values()) for entry in done),
        sum(entry.status.get("failed", 0) for entry in done),
        "; ".join(f"{reason} ({cells})" for reason, cells in sorted(reasons.items())),
    )
