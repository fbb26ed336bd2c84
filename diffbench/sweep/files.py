"""Files of a run folder: each is whole or not there, and every failure names the file."""

import hashlib
import json
import os
import re
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from diffbench.dtypes import file_label
from diffbench.errors import InputError, StoreError
from diffbench.reading import MAX_FILE_BYTES, read_regular
from diffbench.reference.parts import PARTS
from diffbench.sweep.checked import check_table
from diffbench.sweep.export import STRINGS

try:
    import fcntl
except ImportError:  # pragma: no cover  (Windows has no such locks)
    fcntl = None  # type: ignore[assignment]  # a module elsewhere

MAX_JSON_BYTES = 2**28

_CHECK = "check"

_NOISE = ("estimate", "error", "relative_error", "ulp_error", "digits", *PARTS)
"""Columns that no compression makes smaller."""


_DAMAGE = (
    *(OSError, pa.ArrowException, ArithmeticError, AttributeError, LookupError),
    *(RecursionError, TypeError, ValueError),
)
"""What reading a file raises that is not what it should be."""


@contextmanager
def io_errors(path: Path) -> Iterator[None]:
    """Turn what the file system or a damaged file raises into a StoreError that names the file."""
    try:
        yield
    except StoreError as error:
        if str(path) in str(error):
            raise
        raise StoreError(f"{path}: {error}") from error
    except _DAMAGE as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise StoreError(f"{path}: {' '.join(str(reason).split())[:200]}") from error


@contextmanager
def renamed(path: Path) -> Iterator[Path]:
    """Give a temporary name beside a file that is renamed at the end, so that the file is whole or not there."""
    # Two processes may make the same report.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with io_errors(path):
        # Whatever lies there was left by a process that ended, or is a link to somewhere else.
        partial.unlink(missing_ok=True)
        try:
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def write_file(path: Path, data: bytes | str, *, lasting: bool = False) -> None:
    """Write a file that is whole or not there; a lasting one also after the machine has crashed."""
    content = data if isinstance(data, bytes) else data.encode()
    with renamed(path) as partial:
        if lasting:
            write_lasting(partial, content)
        else:
            with partial.open("xb") as stream:
                stream.write(content)
    if lasting:
        keep_names(path.parent)


def write_lasting(path: Path, data: bytes) -> None:
    """Write a new file whose bytes are on the disk before anything else is done."""
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def keep_names(folder: Path) -> None:
    """Have what files of a folder are called on the disk."""
    # Windows, and some file systems, cannot be asked for it.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder where there is none, and refuse a link to another one.

    Raises
    ------
    StoreError
        If it cannot be made, or is a link.
    """
    with io_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        refuse_link(path)


def refuse_link(path: Path) -> None:
    """Refuse a symbolic link: what is written would land somewhere else."""
    if path.is_symlink():
        raise StoreError(f"{path}: a symbolic link, which no run makes and diffbench does not follow")


def damage(path: Path, what: str) -> StoreError:
    """Return the error for a file of a run folder, or beside a baseline, that is not as it was written.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What is wrong with it.
    """
    folder = next((each for each in path.parents if (each / "manifest.json").is_file()), None)
    if folder is None or path.name in ("manifest.json", "spec.toml"):
        return StoreError(f"{path}: damaged, {what}; put back a copy of it, or make it again")
    return StoreError(f"{path}: damaged, {what}; {resume_command(folder)} mends it")


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as Parquet, with settings that give the same bytes every time.

    Texts are stored by number, and what does not repeat as it is: encoding costs more than the disk.
    """
    names = table.column_names
    stream = pa.BufferOutputStream()
    with pq.ParquetWriter(
        stream,
        table.schema,
        compression={name: "none" if name in _NOISE else "lz4" for name in names},
        use_dictionary=[name for name in STRINGS if name in names],
        write_statistics=[name for name in ("function", "derivative", "dtype") if name in names],
        store_schema=False,
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(
            {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        )
    return bytes(stream.getvalue().to_pybytes())


def read_whole(path: Path, sha256: str) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    StoreError
        If it is not there, or has another checksum than it was written with.
    """
    data = _read(path)
    if checksum(data) != sha256:
        raise damage(path, "its checksum is not the one it was written with")
    return data


def read_parquet(path: Path, sha256: str) -> pa.Table:
    """Return a table that was written by :func:`parquet_bytes`, texts as dictionaries.

    Raises
    ------
    StoreError
        If the file is not there, is no Parquet file, or has another checksum than it was written with.
    """
    data = read_whole(path, sha256)
    with io_errors(path):
        # Not read_table, which imports pandas.
        metadata = pq.read_metadata(pa.BufferReader(data))
        check_table(metadata)
        names = [name for name in STRINGS if name in metadata.schema.names]
        with pq.ParquetFile(pa.BufferReader(data), metadata=metadata, read_dictionary=names) as file:
            return file.read(use_threads=False)


def checksum(data: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def json_text(data: object) -> str:
    """Return JSON without numbers that are not finite."""
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """Return what a JSON file is to hold with a checksum of all that it says, in whatever order."""
    own = {key: value for key, value in content.items() if key != _CHECK}
    return {**own, _CHECK: checksum(json.dumps(own, sort_keys=True).encode())}


def check_seal(path: Path, content: dict[str, Any]) -> None:
    """Refuse what a JSON file holds if its own checksum is another one; older files have none."""
    if _CHECK in content and content[_CHECK] != sealed(content)[_CHECK]:
        raise damage(path, "its own checksum is not the one it was written with")


def read_object(path: Path) -> dict[str, Any]:
    """Return a JSON object."""
    return parsed_object(path, _read(path, MAX_JSON_BYTES))


def _read(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    with io_errors(path):
        if path.exists():
            return read_regular(path, limit)
    raise damage(path, "it is missing")


def parsed_object(path: Path, data: bytes) -> dict[str, Any]:
    """Return the JSON object that a file's bytes are."""
    try:
        found = json.loads(data)
    except (RecursionError, ValueError) as error:
        raise damage(path, "it is not JSON") from error
    if not isinstance(found, dict):
        raise damage(path, "it is not a JSON object")
    return found


def run_path(path: str | Path) -> Path:
    """Return the path of a run folder, or refuse what is none."""
    if not isinstance(path, (str, Path)):
        raise InputError(f"run: {path!r} is not a path")
    manifest = Path(path) / "manifest.json"
    with io_errors(manifest):
        found = manifest.is_file()
    if not found and (Path(path) / "plan.json").is_file():
        raise damage(manifest, "it is missing")
    if not found:
        raise InputError(f"run: {str(path)!r} is not a run folder, it has no manifest.json")
    return Path(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other process from writing a run folder; the lock ends with the process that has it.

    It lies on plan.json, which is never replaced. Where the system has no such locks there is none.

    Raises
    ------
    StoreError
        If another one has it.
    """
    path = folder / "plan.json"
    with io_errors(path):
        # A plan that was lost is written again by whoever has the lock.
        stream = path.open("a+b")
    with stream:
        if not _lock(stream):
            raise StoreError(f"{folder}: another process is writing this run")
        _LOCKED.add(stream)
        try:
            yield
        finally:
            _LOCKED.discard(stream)


_LOCKED: set[BinaryIO] = set()
"""The files that this process has locks on; a child that is forked gives them back, or a lock would outlive it."""

LOCK_ATTEMPTS = 10
LOCK_PAUSE = 0.02
"""Seconds; whoever looks whether a run is locked keeps others away for a moment."""


def _give_back() -> None:
    for stream in _LOCKED:
        stream.close()
    _LOCKED.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_give_back)


def _lock(stream: BinaryIO) -> bool:
    for _ in range(LOCK_ATTEMPTS if fcntl is not None else 0):
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(LOCK_PAUSE)
        else:
            return True
    return fcntl is None


def is_locked(folder: Path) -> bool:
    """Return whether a process is writing a run folder."""
    path = folder / "plan.json"
    with io_errors(path), path.open("rb") as stream:
        if fcntl is None:
            return False
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def resume_command(folder: Path) -> str:
    """Return the command that finishes a run."""
    return f"diffbench run --resume {shlex.quote(str(folder))}"


def block_name(function: str, derivative: int, dtype: str, first: int = 0, *, is_alone: bool = True) -> str:
    """Return a block's name in file names: the function's where every file system takes it, else a mark is added.

    Blocks of a function that has several are told apart by the index of their first points.
    """
    readable = function
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", function):
        mark = hashlib.sha256(function.encode()).hexdigest()[:8]
        readable = re.sub(r"[^a-z0-9]+", "-", function.lower())[:40] + f"-{mark}"
    name = f"{readable.strip('-')}-d{derivative}-{file_label(dtype)}"
    return name if is_alone else f"{name}-from-{first:08d}"
