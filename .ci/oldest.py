"""Print the oldest versions that pyproject.toml allows, as constraints for pip: ``oldest.py [EXTRA]…``."""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BOUND = re.compile(r"([\w.-]+)(?:\[.*\])?>=([\w.]+)")
_OWN = re.compile(r"diffbench\[(.*)\]")


def required(project: dict[str, Any], extras: list[str]) -> Iterator[str]:
    """Yield what the package requires, and what its extras do."""
    yield from project["dependencies"]
    for extra in extras:
        for each in project["optional-dependencies"][extra]:
            own = _OWN.fullmatch(each)
            yield from required(project, own[1].split(",")) if own else [each]


def pin(requirement: str) -> str:
    """Return the oldest version that a requirement allows."""
    bound = _BOUND.fullmatch(requirement)
    if bound is None:
        raise SystemExit(f"not a lower bound alone: {requirement}")
    return f"{bound[1]}=={bound[2]}"


if __name__ == "__main__":
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8")
    pins = sorted({pin(each) for each in required(tomllib.loads(text)["project"], sys.argv[1:])})
    sys.stdout.write("\n".join(pins) + "\n")
