"""``diffbench orders``."""

import click

from diffbench.analysis.order import VERDICTS, order_rows
from diffbench.cli.output import format_option, print_table
from diffbench.cli.spec_options import chosen_spec
from diffbench.errors import EmptySelectionError
from diffbench.report.tables import order_cases_table, orders_table

SMALL = 200
"""Up to how many cases are shown one by one unless the user says otherwise."""


@click.command(short_help="Verify the orders of schemes by the slopes of their truncation.")
@click.option("--suite", "suites", multiple=True, help="A suite by name, or a TOML file. Default: standard.")
@click.option("-f", "--function", "formulas", multiple=True, help="A formula with --at, or a function of a suite.")
@click.option("--at", "points", multiple=True, help="A point, as exact decimal or rational, for every formula given.")
@click.option("-s", "--scheme", "schemes", multiple=True, help="A scheme by name. Default: the catalogue.")
@click.option("--derivative", "derivatives", multiple=True, type=int, help="Which derivative. Default: 1.")
@click.option(
    "--table",
    "name",
    type=click.Choice(["schemes", "cases"]),
    help="A row a scheme, or a row a scheme and point. Default: cases if there are few, or a verdict is chosen.",
)
@click.option("--verdict", "verdicts", multiple=True, type=click.Choice(VERDICTS), help="Only cases of this verdict.")
@format_option
def command(name: str | None, verdicts: tuple[str, ...], style: str, **chosen: tuple[str, ...]) -> None:
    """Compare the order of accuracy that is proved of schemes with the one that their truncation shows.

    The truncation is computed in balls, at epsilons chosen for each case, so that nothing is rounded.
    """
    spec = chosen_spec(chosen)
    observed = [each for each in order_rows(spec.functions, spec.schemes) if not verdicts or each.verdict in verdicts]
    if not observed:
        raise EmptySelectionError(f"verdict: no case is {' or '.join(verdicts)}")
    shows_cases = name == "cases" if name else bool(verdicts) or len(observed) <= SMALL
    print_table(order_cases_table(observed) if shows_cases else orders_table(observed), style)
