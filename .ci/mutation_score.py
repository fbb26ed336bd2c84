"""Print which changes of the code no test noticed, and what part of all was noticed, after ``mutmut run``."""

import subprocess
import sys
from pathlib import Path

MUTMUT = Path(sys.executable).with_name("mutmut")
NOTICED = {"killed", "timeout", "segfault"}


def outcomes(text: str) -> dict[str, str]:
    """Return what became of each change that was tried."""
    each = (line.strip().split(": ", 1) for line in text.splitlines() if ": " in line)
    return {name: became for name, became in each if became != "not checked"}


def score(found: dict[str, str]) -> str:
    """Return one line: the part that was noticed, and of how many."""
    missed = sum(became not in NOTICED for became in found.values())
    if not found:
        return "no change was tried"
    return f"{100 - 100 * missed / len(found):.1f} % of {len(found)} changes were noticed, {missed} were not"


if __name__ == "__main__":
    done = subprocess.run([MUTMUT, "results", "--all", "true"], capture_output=True, text=True, check=True)  # noqa: S603  (our own tool)
    found = outcomes(done.stdout)
    survivors = [f"{name}: {became}" for name, became in found.items() if became not in NOTICED]
    sys.stdout.write("\n".join([*survivors, score(found)]) + "\n")
