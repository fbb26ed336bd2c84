"""What run folders say of themselves, checked before it is used: anybody may have written it."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import pyarrow.parquet as pq
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from diffbench.errors import MAX_NAME, StoreError

MAX_TABLE_BYTES = 2**32
"""What a table may need in memory."""

MAX_BLOCK_CELLS = 2**26

_ROOT_FILES = frozenset({"spec.toml", "plan.json", "references.parquet"})

Count = Annotated[int, Field(ge=0, le=2**62)]
Label = Annotated[str, StringConstraints(max_length=MAX_NAME)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Moment = Annotated[str, AfterValidator(lambda text: datetime.fromisoformat(text) and text)]
Seal = tuple[Digest, Count]
Key = tuple[str, int, str]


class Entry(NamedTuple):
    """A line of the journal, and of the manifest: a block that is finished."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,199}$")]
    function: Label
    derivative: Count
    dtype: Label
    first: Count
    files: dict[str, Seal]
    """SHA-256 and size of each file, by path."""
    status: dict[Label, Count]
    verdicts: dict[Label, Count]
    failures: list[tuple[str, Count]]
    """Reasons why cells failed, and how many."""

    @property
    def key(self) -> Key:
        """Function, derivative and dtype."""
        return self.function, self.derivative, self.dtype


class _Machine(BaseModel):
    system: Label
    architecture: Label
    cores: Count | None = None
    processor_features: list[Label] = []


class _Git(BaseModel):
    commit: Label
    changed: bool


class _Manifest(BaseModel):
    """What others read in a manifest; it may say more."""

    state: Label
    shard: Label
    started: Moment
    finished: Moment | None
    spec_sha256: Digest
    planned: Count
    status: dict[Label, Count]
    verdicts: dict[Label, Count]
    versions: dict[Label, Label]
    fingerprint: Label
    evaluator: Label
    machine: _Machine
    git: _Git | None = None
    files: dict[str, Seal]


class _About(BaseModel):
    """What tables say of their block."""

    function: Label
    formula: str
    tags: list[str]
    derivative: Count
    dtype: Label
    schemes: list[str]
    rules: list[str]
    first: Count
    noise: str = ""
    directions: list[tuple[str, str]] = []


_ENTRY, _MANIFEST, _ABOUT = TypeAdapter(Entry), TypeAdapter(_Manifest), TypeAdapter(_About)


def _validated(kind: TypeAdapter[Any], value: object) -> Any:
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))[:80]}: {first['msg']}") from None


def schema_problem(found: object, own: int) -> str:
    """Return why something of a schema version cannot be read by this program; nothing where it can."""
    if isinstance(found, bool) or not isinstance(found, int):
        return f"of no schema version, but {str(found)[:40]!r}"
    if found > own:
        return f"of schema {found}, which is newer than {own}, the one that this diffbench reads; a newer one reads it"
    return f"of schema {found}, older than {own}, which this diffbench reads; run it again" if found < own else ""


def entry_from(row: object) -> Entry:
    """Return an entry as it stands in a journal or manifest.

    Raises
    ------
    ValueError
        If it is none, or names other files than the two of its block.
    """
    entry: Entry = _validated(_ENTRY, row)
    allowed = {f"curves/{entry.name}.parquet", f"cells/{entry.name}.parquet"}
    strange = sorted(entry.files.keys() - allowed)
    if strange:
        raise ValueError(f"{strange[0][:80]!r} is no file of block {entry.name}")
    return entry


def check_manifest(manifest: Mapping[str, Any]) -> None:
    """Refuse a manifest that has anything else than it should where others read.

    Raises
    ------
    ValueError
        If it has.
    """
    known: _Manifest = _validated(_MANIFEST, manifest)
    strange = sorted(known.files.keys() - _ROOT_FILES)
    if strange:
        raise ValueError(f"{strange[0][:80]!r} is no file of a run")


def check_about(about: Mapping[str, Any]) -> None:
    """Refuse what a table says of its block where it is of other kinds than it should be; raises ValueError."""
    _validated(_ABOUT, about)


def check_table(metadata: pq.FileMetaData) -> None:
    """Refuse a Parquet file that would need too much memory, before any of it is read.

    Raises
    ------
    StoreError
        If it would.
    """
    # Nothing is asked of single columns: Arrow ends the process where what is said of one is damaged.
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    rows = [metadata.num_rows, *(group.num_rows for group in groups)]
    packed = [group.total_byte_size for group in groups]
    largest = max(sum(rows) * metadata.num_columns * 8, sum(packed))
    if largest > MAX_TABLE_BYTES or min(rows + packed) < 0:
        raise StoreError(f"needs more than {MAX_TABLE_BYTES} bytes of memory")


def check_shape(shape: object, lengths: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape of a block: schemes, points, and the epsilons and rules with or without a column for neither.

    Raises
    ------
    StoreError
        If it is another one than the lengths say, or of too many cells.
    """
    schemes, points, columns = lengths
    if shape not in ([schemes, points, columns], [schemes, points, columns + 1]):
        raise StoreError(f"shape {str(shape)[:60]} is not that of its schemes, points and epsilons")
    if schemes * points * (columns + 1) > MAX_BLOCK_CELLS:
        raise StoreError(f"more than {MAX_BLOCK_CELLS} cells in a block")
    return schemes, points, int(shape[2])


_DECIMAL = re.compile(r"[-+]?\d{1,2000}(\.\d{0,2000})?(e[-+]?\d{1,5})?|[-+]?\d{1,4000}/\d{1,4000}", re.ASCII)


def decimal(text: object) -> str:
    """Return a text that is a number of moderate length; `Fraction` would work out 1e999999999 to its last digit."""
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise StoreError(f"{str(text)[:40]!r} is no number")
    return text
