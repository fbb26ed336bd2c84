"""``diffbench exact``."""

import click

from diffbench.cli.output import format_option, print_object, time_limit_option
from diffbench.errors import UncertainError
from diffbench.reference.exact import exact_derivative
from diffbench.reference.hard import TIME_LIMIT
from diffbench.reference.verdict import Reference, enclosing_text
from diffbench.rounding import decimal_text, finite


@click.command(
    short_help="Print the exact derivative of a formula, with its certificate.",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
@click.argument("formula")
@click.option("--at", "x", required=True, help="The point, as exact decimal or rational.")
@click.option("--derivative", default=1, show_default=True, help="Which derivative; 0 for the formula itself.")
@click.option("--digits", default=50, show_default=True, help="How many digits.")
@time_limit_option
@format_option
def command(formula: str, x: str, *, derivative: int, digits: int, time_limit: float | None, style: str) -> None:
    """Print the exact derivative of FORMULA at a point, with its verdict and the radius of the certificate.

    The formula may begin with a minus sign. Exit code 6 where the derivative does not exist or is not settled.
    """
    reference = exact_derivative(formula, x, derivative, digits, TIME_LIMIT if time_limit is None else time_limit)
    print_object(_fields(reference, digits), style)
    if not reference.is_settled:
        raise UncertainError(f"{reference.verdict}: {reference.reason}")


def _fields(reference: Reference, digits: int) -> dict[str, object]:
    def text(value: object) -> str | None:
        return None if value is None else decimal_text(value, digits)

    enclosure = enclosing_text(reference, digits)
    return {
        "value": enclosure["value"],
        "verdict": reference.verdict,
        "certified_digits": reference.certified_digits,
        "radius": enclosure["radius"],
        "method": reference.method,
        "hi": finite(reference.hi),
        "lo": finite(reference.lo),
        "left": text(reference.left),
        "right": text(reference.right),
        "second_opinion": reference.second_opinion,
        "reason": reference.reason,
    }
