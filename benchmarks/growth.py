"""How the cost of a run grows: time per cell against cells, functions, points and schemes, from 10⁴ to 10⁸ cells.

Runs in one thread, symbolic work and references included, only summaries kept; writes growth.csv and growth.svg to
docs/performance. The time is the processor's, which other programs on the machine disturb least.
"""

import csv
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from common import forget
from problems import DOMAINS, EPSILONS, MIXED, TWELVE, points_in

from diffbench import Function, Spec, run

FOLDER = Path(__file__).parents[1] / "docs" / "performance"
COLUMNS = ("grows", "functions", "points", "schemes", "epsilons", "cells", "seconds", "ns_per_cell")

MANY_SCHEMES = (*TWELVE, *(f"stencil({-k},{k})" for k in range(3, 80)))
"""Central differences of ever wider steps: schemes enough that most nodes belong to one of them alone."""


class Size(NamedTuple):
    """How many functions, points of each and schemes."""

    functions: int
    points: int
    schemes: int


GROWTH = {
    "cells": [Size(n, n, 12) for n in (3, 9, 29, 93, 293)],
    "functions": [Size(n, 100, 12) for n in (1, 3, 10, 30, 100, 300, 860)],
    "points": [Size(30, n, 12) for n in (1, 3, 10, 30, 100, 300, 1000, 2864)],
    "schemes": [Size(30, 100, n) for n in (1, 2, 4, 8, 12, 24, 48, 89)],
}
"""What each panel varies; the first has functions and points grow alike."""


def spec_of(size: Size) -> Spec:
    """Return a spec of the mix, whose formulas come back with factors when there are not enough of them."""
    functions = [
        Function(f"f{i}", text, points_in(interval, size.points, i), domain=domain)
        for i, (text, interval, domain) in enumerate(islice(formulas(), size.functions))
    ]
    return Spec(functions, MANY_SCHEMES[: size.schemes], EPSILONS, rules=[])


def formulas() -> Iterator[tuple[str, tuple[float, float], str | None]]:
    """Yield formulas without end, no two alike, with the interval of their points and their domain."""
    for i, (text, interval) in enumerate(cycle(MIXED.items())):
        factor = i // len(MIXED) + 1
        yield text if factor == 1 else f"{factor}*({text})", interval, DOMAINS.get(text)


def measure(size: Size) -> tuple[int, int, float]:
    """Return epsilons, cells and processor seconds of a run, nothing known before."""
    spec = spec_of(size)
    forget()
    start = time.process_time()
    run(spec, jobs=1, keep="summary")
    taken = time.process_time() - start
    sys.stdout.write(f"{size} {spec.planned} cells: {taken:.2f} s\n")
    return len(spec.plan()[0].epsilons), spec.planned, taken


def rows() -> Iterator[tuple[str | int | float, ...]]:
    """Measure all sizes, each once; yield lines of the table."""
    # Once uncounted, so that the first does not pay for what is done once a process.
    measure(Size(3, 3, 12))
    found = {size: measure(size) for size in dict.fromkeys(size for sizes in GROWTH.values() for size in sizes)}
    for grows, sizes in GROWTH.items():
        for size in sizes:
            epsilons, cells, taken = found[size]
            yield grows, *size, epsilons, cells, round(taken, 4), round(taken / cells * 1e9, 1)


def draw(table: list[dict[str, str]], path: Path) -> None:
    """Draw a panel for each thing that grows; they share the axis of time per cell."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    mpl.rcParams.update({"svg.hashsalt": "diffbench", "font.size": 8, "axes.spines.top": False})
    mpl.rcParams["axes.spines.right"] = False
    figure = Figure(figsize=(7.2, 2.5), layout="constrained")
    panels = figure.subplots(1, len(GROWTH), sharey=True)
    for axes, grows in zip(panels, GROWTH, strict=True):
        lines = [row for row in table if row["grows"] == grows]
        axes.loglog([int(row[grows]) for row in lines], [float(row["ns_per_cell"]) for row in lines], "o-", ms=3, lw=1)
        axes.set_xlabel(grows)
        axes.set_title(panel_title(lines[0], grows), fontsize=7, color="0.35")
        axes.grid(visible=True, color="0.9", lw=0.6)
        axes.set_axisbelow(True)
    panels[0].set_ylabel("ns per cell")
    panels[0].set_yticks([100, 200, 500, 1000, 2000, 5000], ["100", "200", "500", "1000", "2000", "5000"])
    panels[0].yaxis.set_minor_locator(NullLocator())
    figure.savefig(path, metadata={"Date": None})


def panel_title(line: dict[str, str], grows: str) -> str:
    """Return what stays the same in a panel."""
    if grows == "cells":
        return "functions = points"
    return ", ".join(f"{line[other]} {other}" for other in GROWTH if other not in {"cells", grows})


def main() -> None:
    """Measure, write the table, draw it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    table = FOLDER / "growth.csv"
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows())
    with table.open(newline="") as stream:
        draw(list(csv.DictReader(stream)), FOLDER / "growth.svg")


if __name__ == "__main__":
    main()
