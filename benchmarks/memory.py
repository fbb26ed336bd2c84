"""Peak memory of a run that keeps summaries only, 10⁷ cells against 10⁸, each in a process of its own."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from growth import Size, spec_of

from diffbench import run

SIZES = {"1e7": Size(21, 412, 12), "1e8": Size(21, 4120, 12)}
"""With 412 points of a function a block is full, so both runs have blocks alike."""

PLACES = ("folder", "memory")


def peak(size: str, place: str) -> float:
    """Return the peak memory of this process in MB after a run, written to a folder or held in memory."""
    spec = spec_of(SIZES[size])
    if place == "folder":
        with tempfile.TemporaryDirectory() as folder:
            run(spec, out=Path(folder) / "run", keep="summary")
    else:
        run(spec, keep="summary")
    # Linux counts in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def peak_elsewhere(size: str, place: str) -> float:
    """Return the same of a new process."""
    words = [sys.executable, __file__, size, place]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print both peaks and their ratio, for runs written to a folder and for runs held in memory."""
    if len(sys.argv) == 3:
        sys.stdout.write(f"{peak(*sys.argv[1:])}\n")
        return
    for place in PLACES:
        small, large = (peak_elsewhere(size, place) for size in SIZES)
        sys.stdout.write(f"{place}: {small:.0f} MB, {large:.0f} MB, ratio {large / small:.2f}\n")


if __name__ == "__main__":
    main()
