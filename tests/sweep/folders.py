"""What a run folder holds, for comparing two of them byte for byte."""

import json

from diffbench.sweep.files import sealed

OUTSIDE = ("started", "finished", "git", "check")
"""What a manifest says of the moment and of the working directory, and its checksum."""


def contents(folder):
    """Return every file's bytes by path; the manifest without what no two runs have in common."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    manifest = json.loads(found.pop("manifest.json"))
    return found | {"manifest.json": {key: value for key, value in manifest.items() if key not in OUTSIDE}}


def differences(found, expected):
    """Return the paths whose contents differ."""
    return sorted(path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path))


def manifest_of(folder):
    """Return the manifest of a run folder."""
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def put_manifest(folder, manifest):
    """Write a manifest as whoever wants to could write it."""
    (folder / "manifest.json").write_text(json.dumps(sealed(manifest)), "utf-8")


def bits(block):
    """Return everything that a block says, as values that are equal only where every bit is."""
    about = (block.function, block.formula, block.tags, block.derivative, block.dtype, block.schemes, block.rules)
    arrays = (block.grid, block.x, block.chosen, block.estimate, block.error_estimate, block.status)
    reasons = [block.reasons[code] for code in block.reason.ravel()]
    references = [(reference.hi, reference.lo, reference.verdict) for reference in block.references]
    return about, [hexadecimal(array) for array in arrays], block.evaluations.tolist(), reasons, repr(references)


def hexadecimal(array):
    """Return the bits of numbers; those of a NaN do not count."""
    return [float(value).hex() for value in array.ravel()]
