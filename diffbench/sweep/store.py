"""The run folder: it appears by one rename with plan and spec, and fills with one Parquet file a block."""

import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from diffbench import __version__
from diffbench.errors import InputError, StoreError
from diffbench.sweep.export import (
    REFERENCE_SCHEMA,
    SCHEMA_VERSION,
    block_from_table,
    cells_table,
    reference_from_row,
    references_table,
)
from diffbench.sweep.results import Block, Results
from diffbench.sweep.spec import Spec

_PACKAGES = ("numpy", "scipy", "sympy", "mpmath", "python-flint", "pyarrow", "pandas", "matplotlib")


@contextmanager
def io_errors(path: Path) -> Iterator[None]:
    """Turn what the file system or a damaged file raises into a StoreError that names the file."""
    try:
        yield
    except (OSError, pa.ArrowException, ValueError, TypeError, KeyError) as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise StoreError(f"{path}: {' '.join(str(reason).split())[:200]}") from error


def write_file(path: Path, data: bytes | str) -> None:
    """Write a file under a temporary name beside it and rename it, so that it is whole or not there."""
    partial = path.with_name(f".{path.name}.partial")
    with io_errors(path):
        try:
            partial.write_bytes(data if isinstance(data, bytes) else data.encode())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as Parquet, with settings that give the same bytes every time."""
    stream = pa.BufferOutputStream()
    pq.write_table(table, stream, compression="zstd", compression_level=1)
    return bytes(stream.getvalue().to_pybytes())


class RunFolder:
    """A run folder that is being written.

    Parameters
    ----------
    path : Path
        Must not exist, or be empty.
    spec : Spec
        What is run.

    Raises
    ------
    InputError
        If the folder exists and is not empty.
    StoreError
        If it cannot be written.
    """

    def __init__(self, path: Path, spec: Spec) -> None:
        self.path = path
        self._spec = spec
        self._started = _now()
        self._counts: dict[str, int] = {}
        self._verdicts: dict[str, int] = {}
        self._create()

    def _create(self) -> None:
        with io_errors(self.path):
            occupied = self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()))
        if occupied:
            raise InputError(f"out: {str(self.path)!r} exists and is not an empty folder")
        newborn = self.path.with_name(f".{self.path.name}.newborn-{os.getpid()}")
        with io_errors(self.path):
            try:
                (newborn / "cells").mkdir(parents=True)
                (newborn / "spec.toml").write_text(self._spec.to_toml(), "utf-8")
                (newborn / "plan.json").write_text(_json(_plan(self._spec)), "utf-8")
                (newborn / "manifest.json").write_text(_json(self.manifest("running")), "utf-8")
                if self.path.exists():
                    self.path.rmdir()
                newborn.rename(self.path)
            finally:
                shutil.rmtree(newborn, ignore_errors=True)

    def manifest(self, state: str) -> dict[str, Any]:
        """Return the manifest as it stands."""
        return {
            "schema_version": SCHEMA_VERSION,
            "state": state,
            "started": self._started,
            "finished": _now() if state == "complete" else None,
            "spec_sha256": self._spec.sha256,
            "planned": self._spec.planned,
            "status": self._counts,
            "verdicts": self._verdicts,
            "versions": versions(),
            "machine": {
                "system": platform.system(),
                "architecture": platform.machine(),
                "cores": os.cpu_count(),
            },
        }

    def write_block(self, block: Block) -> None:
        """Add a finished block."""
        path = self.path / "cells" / block_file(block.function, block.derivative, block.dtype)
        write_file(path, parquet_bytes(cells_table(block)))
        for label, count in block.counts.items():
            self._counts[label] = self._counts.get(label, 0) + count
        for reference in block.references:
            self._verdicts[reference.verdict] = self._verdicts.get(reference.verdict, 0) + 1

    def finish(self, blocks: tuple[Block, ...]) -> Results:
        """Write the references and the final manifest, and return everything as results."""
        results = Results(self._spec.to_toml(), blocks, self.manifest("complete"))
        write_file(self.path / "references.parquet", parquet_bytes(references_table(results)))
        write_file(self.path / "manifest.json", _json(results.manifest))
        return results


def load(path: str | Path) -> Results:
    """Return the results of a run folder.

    Raises
    ------
    StoreError
        If the folder is no complete run, or a file in it is damaged; the message names the file.
    """
    if not isinstance(path, (str, Path)):
        raise InputError(f"run: {path!r} is not a path")
    folder = Path(path)
    plan_file, manifest_file = folder / "plan.json", folder / "manifest.json"
    with io_errors(manifest_file):
        found = manifest_file.is_file()
    if not found:
        raise InputError(f"run: {str(path)!r} is not a run folder, it has no manifest.json")
    manifest, plan = _read_object(manifest_file), _read_object(plan_file)
    if manifest.get("schema_version") != SCHEMA_VERSION or manifest.get("state") != "complete":
        raise StoreError(f"{manifest_file}: not a complete run of schema {SCHEMA_VERSION}")
    with io_errors(plan_file):
        names = [(block["function"], block["derivative"], block["dtype"]) for block in plan["blocks"]]
    with io_errors(folder / "references.parquet"):
        rows = pq.read_table(folder / "references.parquet", schema=REFERENCE_SCHEMA).to_pylist()
    references: dict[tuple[str, int, str], list[Any]] = {}
    for row in rows:
        references.setdefault((row["function"], row["derivative"], row["dtype"]), []).append(reference_from_row(row))
    blocks = tuple(_read_block(folder, name, references.get(name, [])) for name in names)
    with io_errors(folder / "spec.toml"):
        return Results((folder / "spec.toml").read_text("utf-8"), blocks, manifest, rows)


def _read_object(path: Path) -> dict[str, Any]:
    with io_errors(path):
        data = json.loads(path.read_text("utf-8"))
    if not isinstance(data, dict):
        raise StoreError(f"{path}: not a JSON object")
    return data


def _read_block(folder: Path, name: tuple[str, int, str], references: list[Any]) -> Block:
    path = folder / "cells" / block_file(*name)
    with io_errors(path):
        block = block_from_table(pq.read_table(path), references)
    if (block.function, block.derivative, block.dtype) != name:
        raise StoreError(f"{path}: holds the cells of {block.function}, derivative {block.derivative}, {block.dtype}")
    return block


def block_file(function: str, derivative: int, dtype: str) -> str:
    """Return the name of a block's file: the function's where every file system takes it, else a mark is added."""
    readable = function
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", function):
        mark = hashlib.sha256(function.encode()).hexdigest()[:8]
        readable = re.sub(r"[^a-z0-9]+", "-", function.lower())[:40] + f"-{mark}"
    return f"{readable.strip('-')}-d{derivative}-{dtype}.parquet"


def versions() -> dict[str, str]:
    """Return the versions of everything that the numbers depend on."""
    return {"diffbench": __version__, "python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def _plan(spec: Spec) -> dict[str, Any]:
    blocks = [
        {
            "function": unit.function.name,
            "derivative": derivative,
            "dtype": unit.dtype,
            "schemes": [scheme.name for scheme in schemes],
            "planned": unit.planned(derivative),
        }
        for unit in spec.plan()
        for derivative, schemes in unit.schemes
    ]
    return {"schema_version": SCHEMA_VERSION, "planned": spec.planned, "blocks": blocks}


def _json(data: object) -> str:
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
