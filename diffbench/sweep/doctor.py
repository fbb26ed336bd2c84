"""What is here: what somebody else must know to understand why numbers, or the time they take, are others there."""

import os
import platform
from collections.abc import Iterator
from fractions import Fraction
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement

from diffbench import __version__
from diffbench.dtypes import NAMES, Dtype, find_dtype
from diffbench.rounding import round_array
from diffbench.schemes.libraries import installed_version, libraries
from diffbench.sweep.provenance import current_provenance, platform_key
from diffbench.sweep.run import cores

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What tells numerical libraries how many threads to start."""

_OF_DEVELOPERS = ("dev", "docs")
"""Extras that no number depends on."""


def examine() -> dict[str, Any]:
    """Return what is here.

    Returns
    -------
    dict
        ``diffbench``, ``python``, ``system``, ``architecture``, ``processor_features``, ``threads``, ``fingerprint``
        (machines with equal ones compute alike), ``platform`` (the name of the baseline that is for it), ``dtypes`` and
        ``packages``, the last two a row each.
    """
    known = current_provenance()
    return {
        "diffbench": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor_features": known["machine"]["processor_features"],
        "threads": _threads(),
        "fingerprint": known["fingerprint"],
        "platform": platform_key(known),
        "dtypes": [_dtype(name) for name in NAMES],
        "packages": list(_packages()),
    }


def _threads() -> dict[str, Any]:
    """Return the cores, how many workers a run has, and what the environment asks of libraries; None where nothing."""
    asked = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    return {"cores": os.cpu_count(), "workers": cores(), **asked}


def _dtype(name: str) -> dict[str, Any]:
    """Return what arithmetic in a dtype is like here; a library may have told the processor to drop subnormals."""
    known = find_dtype(name)
    return {
        "dtype": name,
        "bits": known.bits,
        "precision": known.precision,
        "unit_roundoff": known.unit_roundoff,
        "smallest_normal": 2.0**known.least_exponent or None,
        "largest": None if known.is_wide else float(known.largest or 0),
        "subnormals": None if known.unavailable else _has_subnormals(known),
        "complex": known.complex,
        "unavailable": known.unavailable or None,
    }


def _has_subnormals(known: Dtype) -> bool:
    halves = round_array([Fraction(2) ** known.least_exponent / 2], known.name)
    return bool((halves + halves).any() and (halves > 0).any())


def _packages() -> Iterator[dict[str, Any]]:
    """Yield what is required, what extras would add, and what adapters would use beside it."""
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for requirement, extra in _requirements():
        _, extras = found.setdefault(requirement.name, (requirement, []))
        extras += [extra] if extra else []
    for name in dict.fromkeys(each.package for each in libraries()):
        found.setdefault(name, (Requirement(name), []))
    for requirement, extras in found.values():
        yield _package(requirement, ", ".join(extras) or None)


def _requirements() -> Iterator[tuple[Requirement, str | None]]:
    """Yield the requirements with their extras, None for what is always needed; nothing of a bare source."""
    try:
        own = metadata.distribution("diffbench")
    except metadata.PackageNotFoundError:
        return
    extras = [name for name in own.metadata.get_all("Provides-Extra") or [] if name != "all"]
    for requirement in map(Requirement, own.requires or []):
        marker = requirement.marker
        extra = next((name for name in extras if marker and marker.evaluate({"extra": name})), None)
        if (extra or not marker) and extra not in _OF_DEVELOPERS:
            yield requirement, extra


def _package(requirement: Requirement, extra: str | None) -> dict[str, Any]:
    version = installed_version(requirement.name)
    if version is None:
        state = "not installed"
    else:
        state = "ok" if requirement.specifier.contains(version, prereleases=True) else "too old"
    return {
        "package": requirement.name,
        "extra": extra,
        "needed": str(requirement.specifier) or None,
        "installed": version,
        "state": state,
    }
