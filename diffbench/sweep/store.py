"""Writing a run folder: it appears by one rename with plan and spec, and fills with two Parquet files a block.

What is finished stands in a journal, a line each block with the checksums of its files. A run that was interrupted at
any moment goes on from there; when nothing is missing, the journal becomes the manifest.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from diffbench.errors import InputError, StoreError
from diffbench.reading import read_regular
from diffbench.sweep.checked import Entry, check_manifest, entry_from, schema_problem
from diffbench.sweep.curves import Curves, curves_of
from diffbench.sweep.export import (
    SCHEMA_VERSION,
    cells_table,
    curves_table,
    read_about,
    reference_rows,
    reference_schema,
    references_table,
)
from diffbench.sweep.files import (
    block_name,
    check_seal,
    checksum,
    damage,
    io_errors,
    json_text,
    keep_names,
    locked,
    parquet_bytes,
    read_object,
    read_whole,
    refuse_link,
    renamed,
    resume_command,
    run_path,
    sealed,
    write_file,
    write_lasting,
)
from diffbench.sweep.provenance import current_provenance, fingerprint, git_state, versions_for
from diffbench.sweep.results import Block, Key, by_first_appearance
from diffbench.sweep.spec import BLOCK_SIZE, Spec, Unit

JOURNAL = "journal.jsonl"
KEPT = ("cells", "summary")


@dataclass(frozen=True)
class Plan:
    """How a spec is cut into blocks, and which of these a folder holds.

    Attributes
    ----------
    keep : str
        ``cells``, or ``summary`` for the curves alone.
    block_size : int
        About how many nodes one offset has in a block.
    shard, shards : int
        This is part `shard` of `shards`, counted from 1.
    """

    keep: str = "cells"
    block_size: int = BLOCK_SIZE
    shard: int = 1
    shards: int = 1

    def __post_init__(self) -> None:
        if self.keep not in KEPT:
            raise InputError(f"keep: {self.keep!r} is neither 'cells' nor 'summary'")
        if not _is_whole(self.block_size) or self.block_size < 1:
            raise InputError(f"block_size: {self.block_size!r} is not a whole number above 0")
        if not (_is_whole(self.shard) and _is_whole(self.shards) and 1 <= self.shard <= self.shards):
            raise InputError(f"shard: {self.shard}/{self.shards} is not I/N with 1 ≤ I ≤ N")

    def units(self, spec: Spec) -> tuple[Unit, ...]:
        """Return the units of this part, every n-th of all."""
        return spec.plan(self.block_size)[self.shard - 1 :: self.shards]

    def planned(self, spec: Spec) -> int:
        """Return the number of cells of this part."""
        return sum(unit.cells for unit in self.units(spec))

    def pieces(self, spec: Spec) -> list["Piece"]:
        """Return the blocks of this part, those of one function, derivative and dtype together."""
        pieces = [Piece(unit, derivative) for unit in self.units(spec) for derivative, _ in unit.schemes]
        return sorted(pieces, key=by_first_appearance(piece.key for piece in pieces))


class Piece(NamedTuple):
    """A planned block."""

    unit: Unit
    derivative: int

    @property
    def key(self) -> Key:
        """Function, derivative and dtype."""
        return self.unit.function.name, self.derivative, self.unit.dtype

    @property
    def name(self) -> str:
        """Its name in file names."""
        return block_name(*self.key, self.unit.first, is_alone=self.unit.is_alone)


class Packed(NamedTuple):
    """The files of a finished block, by path, and what the journal says of them."""

    entry: Entry
    data: dict[str, bytes]


def pack(block: Block, unit: Unit, keep: str) -> Packed:
    """Return a finished block of a unit as the files that hold it."""
    name = Piece(unit, block.derivative).name
    curves = curves_of(block)
    data = {f"curves/{name}.parquet": parquet_bytes(curves_table(curves, reference_rows(block)))}
    if keep == "cells":
        data[f"cells/{name}.parquet"] = parquet_bytes(cells_table(block))
    return Packed(_entry(curves, block, name, data), data)


def _entry(curves: Curves, block: Block, name: str, data: dict[str, bytes]) -> Entry:
    failed = [(loss.reason, loss.cells) for loss in curves.losses if loss.status == "failed"]
    files = {path: (checksum(content), len(content)) for path, content in data.items()}
    return Entry(name, *curves.key, curves.first, files, block.counts, dict(Counter(curves.verdicts)), failed)


class RunFolder:
    """A run folder that is being written by this process alone.

    Parameters
    ----------
    path : Path
        The folder, which exists.
    spec : Spec
        What is run.
    plan : Plan
        How it is cut.
    provenance : dict
        When the run was begun, with which versions, on what machine, with which code.
    """

    def __init__(self, path: Path, spec: Spec, plan: Plan, provenance: dict[str, Any]) -> None:
        self.path = path
        self.spec = spec
        self.plan = plan
        self.provenance = provenance
        self._entries: dict[str, Entry] = {}
        self._is_finished = False

    @classmethod
    def create(cls, path: Path, spec: Spec, plan: Plan, provenance: dict[str, Any] | None = None) -> Self:
        """Make a new run folder, by default of this machine.

        Raises
        ------
        InputError
            If the folder exists and is not empty.
        StoreError
            If it cannot be written.
        """
        with io_errors(path):
            occupied = path.exists() and (not path.is_dir() or any(path.iterdir()))
        if occupied:
            raise InputError(f"out: {str(path)!r} exists and is not an empty folder")
        folder = cls(path, spec, plan, provenance or _provenance(spec))
        newborn = path.with_name(f".{path.name}.newborn-{os.getpid()}")
        with io_errors(path):
            try:
                newborn.mkdir(parents=True)
                for kind in ("cells", "curves"):
                    (newborn / kind).mkdir()
                born = folder.texts | {"manifest.json": json_text(sealed(folder.manifest("running"))).encode()}
                for name, text in born.items():
                    write_lasting(newborn / name, text)
                keep_names(newborn)
                if path.exists():
                    path.rmdir()
                newborn.rename(path)
                keep_names(path.parent)
            finally:
                shutil.rmtree(newborn, ignore_errors=True)
        return folder

    @classmethod
    def open(cls, path: str | Path, spec: Spec | None = None) -> Self:
        """Return a run folder to go on with.

        Parameters
        ----------
        path : path
            The folder.
        spec : Spec, optional
            The one it was begun with, needed only where it holds Python objects.

        Raises
        ------
        InputError
            If it is no run folder, was begun with another spec, or with other versions.
        StoreError
            If a file of it is damaged.
        """
        folder = run_path(path)
        manifest = read_manifest(folder)
        own = _spec_of(folder, manifest) if spec is None else spec
        if not isinstance(own, Spec):
            raise InputError(f"spec: {own!r} is not a Spec")
        if own.sha256 != manifest.get("spec_sha256"):
            raise InputError(f"run: {str(path)!r} was begun with another spec")
        with io_errors(folder / "manifest.json"):
            plan = _own_plan(folder, own, manifest)
            provenance = {key: manifest[key] for key in _PROVENANCE}
        found = cls(folder, own, plan, provenance)
        found._read_finished(manifest)
        return found

    def _refuse_links(self) -> None:
        """Refuse a folder that would have files written elsewhere."""
        for name in ("cells", "curves", JOURNAL):
            refuse_link(self.path / name)

    def _read_finished(self, manifest: dict[str, Any]) -> None:
        journal = read_journal(self.path / JOURNAL)
        with io_errors(self.path / JOURNAL):
            for row in [*manifest.get("blocks", []), *journal]:
                entry = entry_from(row)
                self._entries[entry.name] = entry

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from writing; the lock ends with the process that has it.

        Raises
        ------
        StoreError
            If another one has it.
        """
        with locked(self.path):
            yield

    def go_on(self) -> list[str]:
        """Get ready to finish what is missing, and return the paths of damaged files, whose blocks are missing again.

        From here on the run does not look complete until it is. One that is complete stays untouched.
        """
        # Another process may have gone on since the folder was opened.
        self._refuse_links()
        self._entries.clear()
        self._read_finished(read_manifest(self.path))
        damaged = self._forget_damaged() + self._mend_texts()
        for partial in self.path.rglob(".*.partial"):
            partial.unlink(missing_ok=True)
        self._is_finished = self._is_complete()
        if self._is_finished:
            return damaged
        write_file(self.path / JOURNAL, "".join(map(journal_line, self._entries.values())), lasting=True)
        if self.missing():
            _check_provenance(self.path, self.spec, self.provenance)
        text = json_text(sealed({**self.manifest("running"), "blocks": []}))
        write_file(self.path / "manifest.json", text, lasting=True)
        return damaged

    def _is_complete(self) -> bool:
        """Whether the manifest says so and every file is whole."""
        path = self.path / "manifest.json"
        manifest = read_object(path)
        with io_errors(path):
            if manifest["state"] != "complete" or self.missing():
                return False
            return all(_is_whole_file(self.path / name, sha256) for name, (sha256, _) in manifest["files"].items())

    def _forget_damaged(self) -> list[str]:
        found = []
        for entry in list(self._entries.values()):
            for path, (sha256, _) in entry.files.items():
                if not _is_whole_file(self.path / path, sha256):
                    found.append(path)
                    self._entries.pop(entry.name, None)
        return found

    def _mend_texts(self) -> list[str]:
        """Write spec and plan again where they are not what they were, and return their names."""
        found = []
        for name, text in self.texts.items():
            path = self.path / name
            with io_errors(path):
                if not path.exists() or read_regular(path) != text:
                    # In its place: the lock lies on the plan.
                    path.write_bytes(text)
                    found.append(name)
        return found

    @cached_property
    def texts(self) -> dict[str, bytes]:
        """The files that the folder is born with and keeps, by name."""
        plan = json_text(_plan(self.spec, self.plan))
        return {"spec.toml": self.spec.to_toml().encode(), "plan.json": plan.encode()}

    def missing(self) -> list[Unit]:
        """Return the units of which a block is not finished."""
        units = self.plan.units(self.spec)
        return [unit for unit in units if any(name not in self._entries for name in self.names(unit))]

    def names(self, unit: Unit) -> list[str]:
        """Return the names of a unit's blocks."""
        return [Piece(unit, derivative).name for derivative, _ in unit.schemes]

    def finished(self) -> list[Unit]:
        """Return the units of which all blocks are finished."""
        units = self.plan.units(self.spec)
        return [unit for unit in units if all(name in self._entries for name in self.names(unit))]

    def add(self, packed: Packed) -> None:
        """Write a finished block, and then its line in the journal."""
        for path, data in packed.data.items():
            write_file(self.path / path, data)
        journal = self.path / JOURNAL
        with io_errors(journal), journal.open("a", encoding="utf-8") as stream:
            stream.write(journal_line(packed.entry))
        self._entries[packed.entry.name] = packed.entry

    def contents(self) -> Iterator[Packed]:
        """Yield the finished blocks as they stand in the folder.

        Raises
        ------
        StoreError
            If a file is damaged.
        """
        for entry in self._entries.values():
            data = {}
            for path, (sha256, _) in entry.files.items():
                data[path] = read_whole(self.path / path, sha256)
            yield Packed(entry, data)

    def check(self) -> None:
        """Refuse a folder with a damaged file."""
        for _ in self.contents():
            pass

    def finish(self) -> None:
        """Write the references and the final manifest, where they are not there yet."""
        if not self._is_finished:
            # Arrow takes no path that is not UTF-8, but it takes an open file.
            with (
                renamed(self.path / "references.parquet") as partial,
                partial.open("wb") as stream,
                pq.ParquetWriter(stream, reference_schema(has_wide=self.spec.has_wide), compression="zstd") as writer,
            ):
                for table in self._reference_tables():
                    writer.write_table(table)
            write_file(self.path / "manifest.json", json_text(sealed(self.manifest("complete"))), lasting=True)
        (self.path / JOURNAL).unlink(missing_ok=True)

    def _reference_tables(self) -> Iterator[pa.Table]:
        for name in self._planned_names():
            path = self.path / "curves" / f"{name}.parquet"
            with io_errors(path), path.open("rb") as stream:
                yield references_table(read_about(pq.read_schema(stream))["references"])

    def _planned_names(self) -> list[str]:
        return [piece.name for piece in self.plan.pieces(self.spec)]

    def manifest(self, state: str) -> dict[str, Any]:
        """Return the manifest: what was run, with what, where, and what became of it."""
        entries = [self._entries[name] for name in self._planned_names() if name in self._entries]
        files = {name: (checksum(text), len(text)) for name, text in self.texts.items()}
        if state == "complete":
            files["references.parquet"] = _seal(self.path / "references.parquet")
        return {
            "schema_version": SCHEMA_VERSION,
            "state": state,
            "shard": f"{self.plan.shard}/{self.plan.shards}",
            "finished": _now() if state == "complete" else None,
            "spec_sha256": self.spec.sha256,
            "planned": self.plan.planned(self.spec),
            "status": _added(entry.status for entry in entries),
            "verdicts": _added(entry.verdicts for entry in entries),
            **self.provenance,
            "files": files,
            "blocks": [entry._asdict() for entry in entries],
        }


def merge(shards: Iterable[str | Path], out: str | Path, spec: Spec | None = None) -> Path:
    """Put the shards of a run together into one run folder, the same as if it had been run in one.

    Parameters
    ----------
    shards : iterable of path
        The run folders of all shards, in any order.
    out : path
        A new or empty folder.
    spec : Spec, optional
        The one they were run with, needed only where it holds Python objects.

    Raises
    ------
    InputError
        If a shard is missing, is not complete, is there twice, or they are not of one run.
    StoreError
        If a file is damaged or cannot be written.
    """
    if isinstance(shards, (str, Path)) or not isinstance(shards, Iterable):
        raise InputError(f"merge: {shards!r} is not a list of run folders")
    parts = [RunFolder.open(path, spec) for path in shards]
    if not parts:
        raise InputError("merge: no shard is given")
    first = parts[0]
    for part in parts:
        _check_shard(part, first)
    numbers = sorted(part.plan.shard for part in parts)
    if numbers != list(range(1, first.plan.shards + 1)):
        listed = ", ".join(f"{number}/{first.plan.shards}" for number in numbers)
        raise InputError(f"merge: all shards are needed once each, given are {listed}")
    for part in parts:
        part.check()
    plan = Plan(first.plan.keep, first.plan.block_size)
    folder = RunFolder.create(Path(out), first.spec, plan, first.provenance)
    with folder.locked():
        for part in parts:
            for packed in part.contents():
                folder.add(packed)
        folder.finish()
    return folder.path


def _check_shard(part: RunFolder, first: RunFolder) -> None:
    """Refuse a shard that does not belong to another one's run, or is not complete."""
    if (part.spec.sha256, part.plan.shards) != (first.spec.sha256, first.plan.shards):
        raise InputError(f"merge: {part.path} and {first.path} are not shards of one run")
    if any(part.provenance[key] != first.provenance[key] for key in ("versions", "fingerprint")):
        raise InputError(f"merge: {part.path} and {first.path} were made with other versions or functions")
    if replace(part.plan, shard=1) != replace(first.plan, shard=1):
        raise InputError(f"merge: {part.path} and {first.path} were not cut alike")
    if part.missing():
        raise InputError(f"merge: {part.path} is not complete; {resume_command(part.path)} finishes it")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a run folder, or refuse one of another schema version or one that is damaged."""
    manifest = read_object(folder / "manifest.json")
    problem = schema_problem(manifest.get("schema_version"), SCHEMA_VERSION)
    if problem:
        raise StoreError(f"{folder / 'manifest.json'}: {problem}")
    with io_errors(folder / "manifest.json"):
        check_seal(folder / "manifest.json", manifest)
        check_manifest(manifest)
    return manifest


def own_spec(folder: Path) -> Spec:
    """Return the spec that a run folder was begun with.

    Raises
    ------
    InputError
        If it needs objects that exist only in Python.
    StoreError
        If it is damaged.
    """
    return _spec_of(folder, read_manifest(folder))


def _spec_of(folder: Path, manifest: dict[str, Any]) -> Spec:
    path = folder / "spec.toml"
    seal = manifest["files"].get(path.name)
    with io_errors(path):
        text = (read_regular(path) if seal is None else read_whole(path, seal[0])).decode()
    own = Spec.from_text(text)
    if own.sha256 != manifest.get("spec_sha256"):
        raise damage(path, "it is not the spec that the run was begun with")
    return own


def _own_plan(folder: Path, spec: Spec, manifest: dict[str, Any]) -> Plan:
    """Return the plan that a folder was begun with; a damaged one is found by its checksum among the usual ones."""
    path = folder / "plan.json"
    seal = manifest["files"].get(path.name)
    shard = tuple(int(number) for number in manifest["shard"].split("/"))
    try:
        known = read_object(path)
        plans = [Plan(known["keep"], known["block_size"], known["shard"], known["shards"])]
    except (StoreError, InputError, KeyError) as error:
        if seal is None:
            raise damage(path, "it is no plan") from error
        plans = []
    for plan in [*plans, *(Plan(keep, BLOCK_SIZE, *shard) for keep in KEPT)]:
        if seal is None or checksum(json_text(_plan(spec, plan)).encode()) == seal[0]:
            return plan
    raise damage(path, "it is not the plan that the run was begun with")


_PROVENANCE = ("started", "versions", "fingerprint", "evaluator", "machine", "git")


def _provenance(spec: Spec) -> dict[str, Any]:
    return {
        "started": _now(),
        **current_provenance(spec.evaluator, spec.functions),
        "versions": versions_for(spec.schemes, spec.evaluator),
        "git": git_state(),
    }


def _check_provenance(folder: Path, spec: Spec, provenance: dict[str, Any]) -> None:
    """Refuse to mix numbers of different versions or machines in one run."""
    before, now = provenance["versions"], versions_for(spec.schemes, spec.evaluator)
    changed = [f"{name} {before.get(name)} then, {now[name]} now" for name in now if before.get(name) != now[name]]
    if changed:
        raise InputError(f"run: {str(folder)!r} was begun with other versions: {', '.join(changed)}")
    if provenance["fingerprint"] != fingerprint():
        raise InputError(f"run: {str(folder)!r} was begun where functions have other values (fingerprint)")


def _plan(spec: Spec, plan: Plan) -> dict[str, Any]:
    blocks = [
        {
            **dict(zip(("function", "derivative", "dtype"), piece.key, strict=True)),
            "first": piece.unit.first,
            "points": len(piece.unit.function.points),
            "is_alone": piece.unit.is_alone,
            "planned": piece.unit.planned(piece.derivative),
        }
        for piece in plan.pieces(spec)
    ]
    return {"schema_version": SCHEMA_VERSION, **asdict(plan), "planned": plan.planned(spec), "blocks": blocks}


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a journal; one that was damaged, or not written to its end, counts for nothing."""
    with io_errors(path):
        lines = read_regular(path).splitlines() if path.exists() else []
    return [row for line in lines if (row := _whole_or_none(line)) is not None]


def journal_line(entry: Entry) -> str:
    """Return the line of a finished block, which ends with a checksum of the rest."""
    row = entry._asdict()
    return json.dumps({**row, "check": _check_of(row)}) + "\n"


def _check_of(row: dict[str, Any]) -> str:
    return checksum(json.dumps(row).encode())


def _whole_or_none(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (RecursionError, ValueError):
        return None
    return row if isinstance(row, dict) and row.pop("check", None) == _check_of(row) else None


def _seal(path: Path) -> tuple[str, int]:
    """Return checksum and size of a file."""
    with io_errors(path):
        data = read_regular(path)
    return checksum(data), len(data)


def _is_whole_file(path: Path, sha256: str) -> bool:
    if not path.exists():
        return False
    return _seal(path)[0] == sha256


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items()))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
