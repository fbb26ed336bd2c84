"""What was measured before: a line of JSON a run, with versions and kind of processor, never whose machine it was."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ratios import Ratio, short

from diffbench.sweep.provenance import machine, versions

PATH = Path(__file__).parents[1] / "results" / "benchmarks" / "history.jsonl"

ELSEWHERE = "*"
"""Stands beside a ratio that was recorded on another kind of machine."""


def record(path: Path, ratios: Sequence[Ratio], note: str = "", day: str | None = None) -> None:
    """Add a run to a history, by default under today's date."""
    run = {
        "date": day or datetime.now(UTC).date().isoformat(),
        "versions": versions(),
        "machine": machine(),
        "note": note,
        "rows": [_row(each) for each in ratios],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(json.dumps(run, ensure_ascii=False, allow_nan=False) + "\n")


def _row(ratio: Ratio) -> dict[str, Any]:
    """Return a row to four digits: more than any two runs agree in."""
    measured = {name: float(f"{getattr(ratio, name):.4g}") for name in ("median", "least", "most")}
    name, sign, reach, fail = ratio.row
    return {"group": ratio.group, "row": name, **measured, "sign": sign, "reach": reach, "fail": fail}


def last_recorded(path: Path) -> dict[str, str]:
    """Return what was last recorded of each row, on a machine of this kind if ever, else on another one.

    Raises
    ------
    ValueError
        If a line is damaged.
    """
    here: dict[str, str] = {}
    elsewhere: dict[str, str] = {}
    for where, ratios in _runs(path):
        found, mark = (here, "") if where == machine() else (elsewhere, ELSEWHERE)
        found.update({row: short(ratio) + mark for row, ratio in ratios.items()})
    return elsewhere | here


def _runs(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """Yield the machine of each run, and the ratio of each row."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            run = json.loads(line)
            yield run["machine"], {row["row"]: row["median"] for row in run["rows"]}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: not a run of the benchmarks") from error
