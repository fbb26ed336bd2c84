"""Put what is committed of a leaderboard where it is committed."""

import json
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE, KEPT = ROOT / "build" / "leaderboard", ROOT / "results" / "leaderboard"
COPIES = {
    "tables/leaderboard.csv": "leaderboard.csv",
    "tables/calibration.csv": "calibration.csv",
    "figures/leaderboard-work-precision-d1-float64.svg": "work-precision.svg",
}

KEPT.mkdir(parents=True, exist_ok=True)
for made, kept in COPIES.items():
    shutil.copyfile(MADE / made, KEPT / kept)
versions = json.loads((MADE / "manifest.json").read_text("utf-8"))["versions"]
(KEPT / "versions.json").write_text(json.dumps(versions, indent=1) + "\n", "utf-8", newline="\n")
