"""``diffbench conformance``."""

import click

from diffbench.cli.output import format_option, print_table
from diffbench.report.table import Column, Table
from diffbench.schemes.libraries import find_library
from diffbench.sweep.conformance import conformance

NOT_CONFORMING = 1

_COLUMNS = (Column("check", "check"), Column("passed", "passed"), Column("detail", "what was seen"))


@click.command(short_help="Check the adapter of a library.")
@click.argument("name")
@click.option("--time-limit", type=float, default=10.0, help="Seconds for a call. Default: 10.")
@format_option
def command(name: str, time_limit: float, style: str) -> int:
    """Check the adapter of a library: signature, polynomials, NaN, determinism, counts, and the epsilon it is told.

    Exit code 1 where a check fails.
    """
    library = find_library(name)
    checks = conformance(library, time_limit)
    rows = [{"check": each.check, "passed": "yes" if each.passed else "no", "detail": each.detail} for each in checks]
    print_table(Table(f"Conformance of {library.name}", library.description, _COLUMNS, rows), style)
    return 0 if all(each.passed for each in checks) else NOT_CONFORMING
