"""diffbench: numerical accuracy benchmarks of difference schemes against certified exact derivatives.

A library of difference schemes is swept over epsilon values and test functions, compared with exact reference
derivatives, analysed, and reported in tables and error plots. The public names, imported when first used:
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "DiffbenchError": "errors",
    "EmptySelectionError": "errors",
    "Function": "functions.function",
    "Library": "schemes.library",
    "NotComparableError": "errors",
    "OpaqueScheme": "schemes.scheme",
    "Reference": "reference.verdict",
    "Results": "sweep.results",
    "Spec": "sweep.spec",
    "Stencil": "schemes.stencil",
    "accept": "analysis.accepted",
    "check": "analysis.gate",
    "compare": "analysis.compare",
    "conformance": "sweep.conformance",
    "exact_derivative": "reference.exact",
    "find_baseline": "analysis.accepted",
    "gradient_check": "analysis.gradient_checks",
    "gradients": "analysis.gradients",
    "load": "sweep.stored",
    "measure_derivative": "analysis.accuracy",
    "measure_gradient": "analysis.accuracy",
    "merge": "sweep.store",
    "noise_level": "analysis.noise",
    "observed_order": "analysis.order",
    "observed_orders": "analysis.order",
    "parse_formula": "functions.grammar",
    "plot": "report.plots",
    "predict": "analysis.predict",
    "rank": "analysis.summary",
    "recommend": "analysis.recommend",
    "regret": "analysis.regret",
    "resume": "sweep.run",
    "richardson": "schemes.stencil",
    "run": "sweep.run",
    "summarize": "analysis.summary",
    "taylor_test": "analysis.taylor",
    "write_report": "report.folder",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'diffbench' has no attribute {name!r}")
    return getattr(import_module(f"diffbench.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
