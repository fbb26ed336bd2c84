"""What the numbers of a run depend on beside its spec: versions, processor, code."""

import ast
import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib import resources
from importlib.metadata import version
from typing import Any

import numpy as np

from diffbench import __version__
from diffbench.errors import UnsupportedError
from diffbench.functions.compile import compile_formula
from diffbench.functions.frameworks import NUMPY, packages_of
from diffbench.functions.function import Function
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


def versions_for(schemes: Iterable[Scheme], evaluator: str = NUMPY) -> dict[str, str]:
    """Return the versions of everything that the numbers of some schemes depend on: their packages too.

    Parameters
    ----------
    schemes : iterable of Scheme
        What differentiates.
    evaluator : str
        What computes the functions.
    """
    chosen = tuple(schemes)
    packages = {scheme.package for scheme in chosen if isinstance(scheme, OpaqueScheme) and scheme.package}
    packages |= {scheme.plugin.package for scheme in chosen if scheme.plugin is not None}
    packages |= {*packages_of(evaluator)}
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
    """Return a hash of many float64 and float32 values of functions: machines with equal ones compute alike.

    Two versions of a library may differ at one argument in a hundred only, so there are about as many of each function.
    """
    points = np.arange(1, 97) * 0.0931
    digest = hashlib.sha256()
    for text in _PROBED:
        for dtype in ("float64", "float32"):
            with suppress(UnsupportedError):
                digest.update(compile_formula(parse_formula(text), dtype)(points.astype(dtype)).tobytes())
    return digest.hexdigest()


@cache
def evaluator(name: str = NUMPY, further: tuple[str, ...] = ()) -> str:
    """Return a hash of the code that computes functions: with equal ones f takes the same operations.

    Comments, docstrings and layout do not count. The versions of a framework do: its values depend on more than code
    here.

    Parameters
    ----------
    name : str
        What computes the functions.
    further : tuple of str
        Modules that more than formulas of one variable go through, :func:`further_modules`.
    """
    parts = [_code(module) for module in ("compile.py", *further)]
    if name != NUMPY:
        packages = [f"{package} {installed_version(package)}" for package in packages_of(name)]
        parts = [name, *packages, *parts, _code("namespaces.py"), _code("frameworks.py")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def further_modules(functions: Iterable[Function]) -> tuple[str, ...]:
    """Return the modules that the values of some functions depend on, beside what computes formulas of one variable."""
    chosen = tuple(functions)
    lines = ("lines.py",) if any(function.lines for function in chosen) else ()
    return (*lines, *(("models.py", "tape.py") if any(function.model is not None for function in chosen) else ()))


def _code(module: str) -> str:
    """Return the code of a module of functions without comments, docstrings and layout."""
    tree = ast.parse((resources.files("diffbench.functions") / module).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = ""
    return ast.unparse(tree)


def current_provenance(computed_by: str = NUMPY, functions: Iterable[Function] = ()) -> dict[str, Any]:
    """Return what the numbers of built-in schemes depend on, here and now, as manifests have it.

    Parameters
    ----------
    computed_by : str
        What computes the functions.
    functions : iterable of Function
        Which functions, if there may be others than formulas of one variable.
    """
    return {
        "versions": versions(),
        "fingerprint": fingerprint(),
        "machine": machine(),
        "evaluator": evaluator(computed_by, further_modules(functions)),
    }


def platform_key(known: Mapping[str, Any]) -> str:
    """Return the name of the platform that a provenance speaks of: on one platform the same spec has the same bits.

    It has the operating system, the architecture, major and minor version of numpy and scipy, and the beginning of the
    fingerprint, such as ``linux-x86_64-numpy2.3-scipy1.16-0123456789``.
    """
    where, versions_there = known["machine"], known["versions"]
    packages = [f"{name}{'.'.join(versions_there[name].split('.')[:2])}" for name in ("numpy", "scipy")]
    return "-".join([where["system"].lower(), where["architecture"].lower(), *packages, known["fingerprint"][:10]])


def git_state() -> dict[str, Any] | None:
    """Return the commit of the working directory and whether it was changed since; None outside a repository."""
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return None if commit is None or changes is None else {"commit": commit, "changed": bool(changes)}


def git_user() -> str:
    """Return what git calls its user here; an empty text if it does not know."""
    return _git("config", "user.name") or ""


def _git(*words: str) -> str | None:
    """Return what git answers; None if it fails."""
    try:
        # Our own words, no shell; git is found where the user's PATH has it.
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=10)  # noqa: S603, S607  # nosec B603, B607
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
