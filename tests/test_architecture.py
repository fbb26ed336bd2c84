"""The architecture's table of rooms is true of the modules that are there."""

import re
import tomllib
from pathlib import Path

from diffbench.cli import VERBS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
UNLISTED = {"__init__.py", "__main__.py"}


def listed():
    """Return the modules that the table names, by room."""
    _, _, table = TEXT.partition("| room | module |")
    found, room = {}, ""
    for row in table.splitlines()[2:]:
        if not row.startswith("|"):
            break
        first, modules, _ = (cell.strip() for cell in row.strip("|").split("|", 2))
        room = first.strip("`") or room
        found.setdefault(room, []).extend(re.findall(r"`([\w/]+\.py)`", modules))
    return found


def there():
    """Return the modules of the package, by room; the top of the package is a room too."""
    package = ROOT / "diffbench"
    rooms = {"": package} | {f"{path.parent.name}/": path.parent for path in sorted(package.glob("*/__init__.py"))}
    return {room: {path.name for path in folder.glob("*.py")} - UNLISTED for room, folder in rooms.items()}


def test_every_module_has_its_row_and_every_row_a_module():
    rows, modules = listed(), there()
    modules["cli/"] -= {f"{module}.py" for module, _ in VERBS.values()}
    assert {room: sorted(names) for room, names in rows.items()} == {
        room: sorted(names) for room, names in modules.items()
    }


def test_imports_point_the_way_of_the_contract():
    (arrows,) = re.findall(r"```\n(cli.*?)```", TEXT, re.S)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert [part.strip() for part in arrows.split("→")] == [layer.replace("diffbench.", "") for layer in layers]
