"""``diffbench references verify``."""

from typing import Any

import click

from diffbench.cli.output import format_option, print_table, say
from diffbench.functions.suites import BUILT_IN, load_suite
from diffbench.reference.exact import check_derivative
from diffbench.reference.verify import Verification, verify
from diffbench.report.table import Column, Table

DISAGREEMENT = 1

_CAPTION = "verified at the doubles nearest to the suites' points; mpmath is not asked where the derivative is 0"

_COLUMNS = (
    Column("suite", "suite"),
    Column("function", "function"),
    Column("derivative", "derivative", "count"),
    Column("certified", "certified", "count"),
    Column("agreed", "agreed", "count"),
    Column("uncertain", "uncertain", "count"),
    Column("nondifferentiable", "nondifferentiable", "count"),
    Column("second_opinions", "second opinions", "count"),
    Column("third_opinions", "mpmath agrees", "count"),
    Column("disagreements", "disagreements", "count"),
    Column("remarks", "remarks", optional=True),
)


@click.group(short_help="Verify the references of suites by every way there is.")
def command() -> None:
    """Check the truth that errors are measured against."""


@command.command("verify", short_help="Verify the references of suites by every way there is.")
@click.argument("suites", metavar="[SUITE]...", nargs=-1)
@click.option("--derivative", "derivatives", multiple=True, type=int, help="Which derivative. Default: 1 and 2.")
@format_option
def verify_command(suites: tuple[str, ...], derivatives: tuple[int, ...], style: str) -> int:
    """Work out every reference of suites, by default all, in independent ways, with mpmath as a third.

    Exit code 1 where two ways disagree: then the truth is wrong somewhere.
    """
    wanted = [check_derivative(each) for each in derivatives] or [1, 2]
    rows = [
        {"suite": suite, **_row(each)}
        for suite in suites or BUILT_IN
        for each in verify(load_suite(suite).functions, wanted)
    ]
    print_table(Table("References", _CAPTION, _COLUMNS, rows), style)
    total = {key: sum(row[key] for row in rows) for key in ("certified", "second_opinions", "disagreements")}
    say(
        f"{total['certified']} certified, {total['second_opinions']} with a second opinion, "
        f"{total['disagreements']} disagreements",
        err=style == "json",
    )
    return DISAGREEMENT if total["disagreements"] else 0


def _row(found: Verification) -> dict[str, Any]:
    return {
        "function": found.function,
        "derivative": found.derivative,
        **{verdict: found.verdicts[verdict] for verdict in ("certified", "agreed", "uncertain", "nondifferentiable")},
        "second_opinions": found.second_opinions,
        "third_opinions": found.third_opinions,
        "disagreements": found.disagreements,
        "remarks": "; ".join(found.remarks),
    }
