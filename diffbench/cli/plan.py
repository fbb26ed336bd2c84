"""``diffbench plan``."""

from typing import Any

import click

from diffbench.cli.output import format_option, print_object
from diffbench.cli.spec_options import chosen_spec, spec_options
from diffbench.schemes.step_rules import AdaptiveRule
from diffbench.sweep.estimate import estimate
from diffbench.sweep.store import KEPT, Plan


@click.command(short_help="Say how large a sweep is, before it is begun.")
@spec_options
@click.option("--keep", type=click.Choice(KEPT), default="cells", help="What is kept, as for run. Default: cells.")
@format_option
def command(keep: str, style: str, **chosen: Any) -> None:
    """Say how large a sweep is: cells, blocks, evaluations of f, time and disk.

    The time is that of one worker, from measuring a few points of some functions.
    """
    spec = chosen_spec(chosen)
    found = estimate(spec, Plan(keep))
    if style == "json":
        print_object(found._asdict(), style)
        return
    uncounted = ["opaque schemes"] * found.has_opaque
    uncounted += ["adaptive rules"] * any(isinstance(rule, AdaptiveRule) for rule in spec.rules)
    shown = {
        "functions": f"{found.functions:,}",
        "cells": f"{found.cells:,}",
        "blocks": f"{found.blocks:,}",
        "evaluations": f"{found.evaluations:,}" + "".join(f" and those of {each}" for each in uncounted),
        "time": f"about {_duration(found.seconds)} with one worker",
        "disk": f"about {_size(found.bytes)}",
    }
    print_object(shown, style)


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2g} seconds"


def _size(count: float) -> str:
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB")):
        if count >= 1000**power:
            return f"{count / 1000**power:.1f} {unit}"
    return f"{count / 1000:.0f} kB"
