"""What a report says first, on the page and on paper: a sentence, and the numbers of the whole run."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from diffbench.analysis.judgement import Judgement
from diffbench.report.captions import computed, counted
from diffbench.report.table import Table, ordinal
from diffbench.schemes.scheme import split_derivative
from diffbench.sweep.curves import Curves
from diffbench.sweep.results import Results, where

VERDICTS = {0: "passed", 1: "regression", 4: "not comparable", 6: "uncertain", 7: "baseline stale"}


def size_of(results: Results) -> str:
    """Return how many schemes and functions a run has, in words."""
    functions = {part.function for part in results.curves}
    schemes = {split_derivative(scheme)[0] for part in results.curves for scheme in part.schemes}
    return f"{counted(len(schemes), 'scheme')} on {counted(len(functions), 'function')}"


def verdict_of(results: Results, tables: Mapping[str, Table]) -> str:
    """Return what a run says, in a sentence; of several derivatives and dtypes, what it says of the first."""
    counts = results.counts
    cells = f"{counts['ok']:,} of {sum(counts.values()):,} cells are ok and {counts['failed'] or 'none'} failed"
    said = [cells, *_first_rank(tables["ranking"]), *_most_right(tables)]
    return f"{size_of(results)}: {'; '.join(said)}{computed(results.spec)}."


def _first_rank(ranking: Table) -> list[str]:
    measured = [row for row in ranking.rows if row["optimal_digits"] is not None]
    if not measured:
        return []
    first = measured[0]
    best = f"{first['scheme']} comes first with {first['optimal_digits']:.1f} digits at its optimal ε"
    return [f"{best} (derivative {first['derivative']}, {first['dtype']}, median)"]


def _most_right(tables: Mapping[str, Table]) -> list[str]:
    """Return which package is right most often, and how many are wrong without a word."""
    rows = tables["leaderboard"].rows if "leaderboard" in tables else ()
    own = [row for row in rows if (row["derivative"], row["dtype"]) == (rows[0]["derivative"], rows[0]["dtype"])]
    others = [row for row in own if row["package"]]
    if not others:
        return []
    best = f"of other packages {others[0]['library']} is right most often, {others[0]['right']} of {others[0]['cells']}"
    silent = [row for row in others if row["silently_wrong"]]
    return [f"{best}; {counted(len(silent), 'entry', 'entries')} of {len(others)} are wrong somewhere without a word"]


class Digits(NamedTuple):
    """Digits at the optimal epsilon over the curves of one derivative and dtype: median, least, and where that is."""

    where: str
    median: float
    least: float
    least_at: str


def digits_of(results: Results) -> Digits | None:
    """Return the digits of the first derivative and dtype of a run; None where no curve has any."""
    parts = [part for part in results.curves if not np.isnan(part.oracle_digits).all()]
    own = [part for part in parts if part.key[1:] == parts[0].key[1:]]
    if not own:
        return None
    least = min(own, key=lambda part: float(np.nanmin(part.oracle_digits)))
    digits = np.concatenate([part.oracle_digits.ravel() for part in own])
    where = "" if len({part.key[1:] for part in parts}) == 1 else f"{ordinal(own[0].derivative)}, {own[0].dtype}"
    return Digits(where, float(np.nanmedian(digits)), float(np.nanmin(digits)) + 0.0, _least_at(least))


def _least_at(part: Curves) -> str:
    scheme, point = np.unravel_index(np.nanargmin(part.oracle_digits), part.oracle_digits.shape)
    return f"{part.schemes[scheme]}, {part.function}, {where(part, int(point), 4)}"


def gate_of(judgement: Judgement) -> str:
    """Return what a gate says, in a word or two."""
    return VERDICTS.get(judgement.exit_code, f"exit code {judgement.exit_code}")


def elapsed_of(manifest: Mapping[str, Any]) -> str:
    """Return how long a run took, by its manifest; nothing where that does not say."""
    if not (manifest.get("started") and manifest.get("finished")):
        return ""
    started, finished = (datetime.fromisoformat(manifest[name]) for name in ("started", "finished"))
    seconds = round((finished - started).total_seconds())
    if seconds < 0:
        # The clock was set back meanwhile.
        return ""
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s"


def provenance_of(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the numbers of a run were made with: packages, machine, arithmetic."""
    facts = [(name, str(number)) for name, number in manifest.get("versions", {}).items()]
    machine = manifest.get("machine", {})
    if machine:
        where = f"{machine.get('system')} {machine.get('architecture')}, {counted(machine.get('cores') or 1, 'core')}"
        facts.append(("machine", ", ".join([where, *map(str, machine.get("processor_features", ()))])))
    return facts + ([("fingerprint of f", manifest["fingerprint"])] if manifest.get("fingerprint") else [])
