"""``diffbench doctor``."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import click

from diffbench.cli.output import format_option, print_object, print_table
from diffbench.dtypes import MAX_DIGITS, find_dtype
from diffbench.report.table import Column, Table
from diffbench.rounding import round_to
from diffbench.sweep.doctor import examine

_DTYPES = (
    Column("dtype", "dtype"),
    Column("bits", "bits", "count"),
    Column("precision", "precision", "count"),
    Column("unit_roundoff", "unit roundoff", "rounded"),
    Column("smallest_normal", "smallest normal", "rounded"),
    Column("largest", "largest", "rounded"),
    Column("subnormals", "subnormals"),
    Column("complex", "complex"),
    Column("unavailable", "unavailable"),
)
_BESIDE = f"that a sweep can run in, beside mp:D, mpmath's numbers of D = 2 to {MAX_DIGITS} decimal digits"
_PACKAGES = (
    Column("package", "package"),
    Column("extra", "extra"),
    Column("needed", "needed"),
    Column("installed", "installed"),
    Column("state", "state"),
)


@click.command(short_help="Say what is here: versions, threads, dtypes, packages.")
@format_option
def command(style: str) -> None:
    """Say what is here: versions, threads, dtypes, the fingerprint of the mathematical library, packages.

    Machines with the same fingerprint compute the same bits. What this prints belongs into every report of a bug.
    """
    found = examine()
    if style == "json":
        print_object(found, style)
        return
    dtypes, packages = found.pop("dtypes"), found.pop("packages")
    print_object(found | _texts(found), style)
    click.echo()
    print_table(Table("Dtypes", _BESIDE, _DTYPES, [row | _yes_or_no(row) | _ends(row) for row in dtypes]), style)
    click.echo()
    shown = [{key: value or "" for key, value in row.items()} for row in packages]
    print_table(Table("Packages", "extra: who asks for it, such as diffbench[cluster]", _PACKAGES, shown), style)


def _texts(found: dict[str, Any]) -> dict[str, str]:
    asked = [f"{name} {value}" for name, value in found["threads"].items() if value is not None]
    return {"processor_features": " ".join(found["processor_features"]), "threads": ", ".join(asked)}


def _yes_or_no(row: dict[str, Any]) -> dict[str, str]:
    subnormals = {None: "", True: "kept", False: "dropped"}[row["subnormals"]]
    return {"subnormals": subnormals, "complex": row["complex"] or "", "unavailable": row["unavailable"] or ""}


def _ends(row: dict[str, Any]) -> dict[str, Any]:
    """Return the ends of a range that float64, and so JSON, has no numbers for."""
    known = find_dtype(row["dtype"])
    ends = {"smallest_normal": Fraction(2) ** known.least_exponent, "largest": known.largest}
    return {name: Decimal(str(round_to(end, known.name))) for name, end in ends.items() if end and row[name] is None}
