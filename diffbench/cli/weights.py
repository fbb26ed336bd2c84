"""``diffbench weights``."""

import click

from diffbench.cli.output import format_option, print_object, say
from diffbench.errors import InputError
from diffbench.schemes.scheme import DifferenceScheme
from diffbench.sweep.spec import named_scheme


@click.command(short_help="Print offsets, weights, order and error constant of a scheme.")
@click.argument("scheme")
@click.option("--derivative", default=1, show_default=True, help="Which derivative, where the name does not say.")
@format_option
def command(scheme: str, derivative: int, style: str) -> None:
    """Print offsets, weights, order and error constant of SCHEME in exact fractions.

    SCHEME is a name such as central-4, forward-2-d3, stencil(-1,0,2) or richardson(central-2).
    """
    found = named_scheme(scheme, derivative)
    stencil = found.equivalent_stencil if isinstance(found, DifferenceScheme) else None
    if stencil is None:
        raise InputError(f"scheme: {found.name} has no real weights")
    fields = {
        "scheme": found.name,
        "derivative": stencil.derivative,
        "order": stencil.order,
        "error_constant": str(stencil.error_constant),
        "amplification": str(stencil.amplification),
    }
    rows = [{"offset": str(k), "weight": str(w)} for k, w in zip(stencil.offsets, stencil.weights, strict=True)]
    if style == "json":
        print_object(
            {
                **fields,
                "offsets": [row["offset"] for row in rows],
                "weights": [row["weight"] for row in rows],
            },
            style,
        )
        return
    print_object(fields, style)
    width = max(len(row["offset"]) for row in rows)
    say("\n" + "offset".rjust(max(width, 6)) + "  weight")
    for row in rows:
        say(f"{row['offset'].rjust(max(width, 6))}  {row['weight']}")
