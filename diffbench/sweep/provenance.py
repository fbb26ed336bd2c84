"""What the numbers of a run depend on beside its spec: versions, processor, code."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from diffbench import __version__
from diffbench.functions.compile import compile_formula
from diffbench.functions.grammar import parse_formula
from diffbench.schemes.libraries import installed_version
from diffbench.schemes.scheme import OpaqueScheme, Scheme

_PACKAGES = ("numpy", "scipy", "sympy", "mpmath", "python-flint", "pyarrow", "pandas", "matplotlib")

_PROBED = (
    *("exp(x)", "expm1(x)", "log(x)", "log1p(x)", "sqrt(x)", "cbrt(x)", "x**2", "x**7", "x**(1/3)", "x**x", "1/x"),
    *("sin(x)", "cos(x)", "tan(x)", "asin(x/9)", "acos(x/9)", "atan(x)", "sinh(x)", "cosh(x)", "tanh(x)", "asinh(x)"),
    *("erf(x)", "erfc(x)", "gamma(x)", "loggamma(x)", "digamma(x)", "besselj(0, x)", "besselk(1, x)", "airyai(x)"),
    *("Si(x)", "Ei(x)", "zeta(1 + x)", "LambertW(x)"),
)
"""Formulas whose values tell one mathematical library from another."""


@cache
def versions() -> dict[str, str]:
    """Return the versions of everything that the numbers depend on."""
    return {"diffbench": __version__, "python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def versions_for(schemes: Iterable[Scheme]) -> dict[str, str]:
    """Return the versions of everything that the numbers of some schemes depend on: their packages too."""
    packages = {scheme.package for scheme in schemes if isinstance(scheme, OpaqueScheme) and scheme.package}
    return versions() | {name: installed_version(name) or "not installed" for name in sorted(packages - {*_PACKAGES})}


@cache
def machine() -> dict[str, Any]:
    """Return what is known of the machine."""
    extensions: Any = np.show_config(mode="dicts")
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        # numpy leaves the key out where it has found none beyond its baseline.
        "processor_features": sorted(extensions["SIMD Extensions"].get("found", [])),
    }


@cache
def fingerprint() -> str:
    """Return a hash of a few hundred values of functions: machines with equal ones compute alike."""
    points = np.array([0.1, 0.3, 0.5, 0.7, 1.1, 1.7, 2.3, 3.1, 4.7, 6.5, 8.9])
    digest = hashlib.sha256()
    for text in _PROBED:
        digest.update(compile_formula(parse_formula(text), "float64")(points).tobytes())
    return digest.hexdigest()


def git_state() -> dict[str, Any] | None:
    """Return the commit of the working directory and whether it was changed since; None outside a repository."""
    try:
        commit, changes = (
            subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=10).stdout  # noqa: S603, S607  (git, no shell)
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.strip(), "changed": bool(changes.strip())}
