"""f as a contestant sees it: it is called with whatever that one likes, and every node is written down."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import find_dtype
from diffbench.errors import UnsupportedError
from diffbench.functions.function import Evaluate, Function
from diffbench.sweep.nodes import check_answer, undefined
from diffbench.sweep.results import Record

Array = npt.NDArray[Any]


_NOTHING = {"f": np.nan, "c": complex(np.nan, np.nan)}
"""What f is outside its domain: whoever looks at the imaginary part only must see it too."""


class Watched:
    """f for scalars and arrays alike, real or complex; NaN outside the domain.

    Attributes
    ----------
    evaluations : int
        How many values were asked for.
    left : str
        The sentence that says that one of them was outside the domain, or nothing.
    """

    def __init__(self, function: Function, dtype: str) -> None:
        self._function = function
        self._dtypes = {"f": dtype, "c": find_dtype(dtype).complex or ""}
        self._compiled: dict[str, Evaluate] = {}
        self._nodes: list[Array] = []
        self._outside = 0
        self.evaluations = 0
        self.left = ""

    def __call__(self, x: Any) -> Any:
        """Return f at a number or an array of them, and write down where that was."""
        kind = "c" if np.iscomplexobj(x) else "f"
        nodes = np.array(x, dtype=self._dtype(kind))
        flat = nodes.reshape(-1)
        self.evaluations += flat.size
        self._nodes.append(flat)
        values = self._values(flat, kind)
        return values.reshape(nodes.shape) if nodes.ndim else values[0]

    def _values(self, nodes: Array, kind: str) -> Array:
        domain = self._function.domain
        if not domain.has_ends and np.isfinite(nodes).all():
            values = self._evaluate(nodes, kind)
        else:
            values = self._values_inside(nodes, kind)
        if kind == "f" and not self.left and not np.isfinite(values).all():
            self._ask_why(nodes, values)
        return values

    def _ask_why(self, nodes: Array, values: Array) -> None:
        """Find out whether f is defined where it has no value; that takes exact arithmetic, so one node is enough."""
        if undefined(self._function, nodes, values).any():
            self.left = "f is not defined or not real at a node"

    def _values_inside(self, nodes: Array, kind: str) -> Array:
        inside = self._function.domain.contains_array(nodes.real)
        if inside.all():
            return self._evaluate(nodes, kind)
        self._leave(int(np.count_nonzero(~inside)))
        values = np.full(nodes.shape, _NOTHING[kind], dtype=nodes.dtype)
        if inside.any():
            values[inside] = self._evaluate(nodes[inside], kind)
        return values

    def in_namespace(self, namespace: str) -> Callable[[Any], Any]:
        """Return f in the operations of another package, for automatic differentiation or its own arithmetic.

        Raises
        ------
        UnsupportedError
            If the package lacks a function or is not installed, or f is more than its formula.
        """
        function = self._function
        if any(more is not None for more in (function.evaluate, function.noise, function.model)):
            raise UnsupportedError(f"{namespace} needs the formula, and f is more than that")
        from diffbench.functions.namespaces import evaluate_in

        f = evaluate_in(self._function.formula, namespace, self._dtypes["f"])

        def counted(x: Any) -> Any:
            self.evaluations += 1
            if namespace == "mpmath" and not self._note(np.array([complex(x)])):
                return f(x) * float("nan")
            return f(x)

        return counted

    def _note(self, nodes: Array) -> bool:
        """Write down nodes at which f is evaluated in numbers of another kind; return whether all are in the domain."""
        self._nodes.append(nodes)
        outside = int(np.count_nonzero(~self._function.domain.contains_array(nodes.real)))
        if outside:
            self._leave(outside)
        return not outside

    def _leave(self, nodes: int) -> None:
        self._outside += nodes
        self.left = f"a node leaves {self._function.domain}"

    def record(self, x: Any) -> Record:
        """Return what was written down, for an estimate at x."""
        if not self._nodes:
            return Record(outside=0)
        nodes = np.unique(np.concatenate(self._nodes))
        away = np.abs(nodes[np.isfinite(nodes)] - x)
        nearest = away[away > 0].min(initial=np.inf)
        return Record(nodes.size, self._outside, float(nearest) if np.isfinite(nearest) else np.nan)

    def _dtype(self, kind: str) -> str:
        if not self._dtypes[kind]:
            raise UnsupportedError(f"needs complex values, and {self._dtypes['f']} has no complex dtype")
        return self._dtypes[kind]

    def _evaluate(self, nodes: Array, kind: str) -> Array:
        if kind not in self._compiled:
            self._compiled[kind] = self._function.compile(self._dtype(kind))
        values = self._compiled[kind](nodes)
        check_answer(values, nodes.shape, self._dtype(kind))
        return values
