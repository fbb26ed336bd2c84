"""What an adapter says of another package's differentiator."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from diffbench.errors import InputError
from diffbench.schemes.scheme import OpaqueScheme, Plugin, is_scheme_name, scheme_name, split_derivative

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*", re.ASCII)


@dataclass(frozen=True)
class Library:
    """Another package's differentiator.

    Attributes
    ----------
    name : str
        Begins with the package, in small letters, digits, ``.`` and ``-``; ends in ``-epsilon`` where it is swept.
    package : str
        The distribution that must be installed.
    peer : str
        The scheme of our catalogue whose best it should be able to reach: one of the same order, or complex-step.
    call : callable
        Takes f, x and the derivative, and ε where `takes_epsilon`; f is what an opaque scheme is given. Returns the
        estimate, or the estimate and an estimate of its error.
    derivatives : tuple of int
        Which derivatives it offers.
    takes_epsilon : bool
        Whether it is swept over ε or called once a point.
    description : str
        In one line, which function it is and what its defaults are, or what ε is to it.
    plugin : Plugin or None
        Where it comes from, if not from here.
    """

    name: str
    package: str
    peer: str
    call: Callable[..., Any] = field(compare=False)
    derivatives: tuple[int, ...] = (1,)
    takes_epsilon: bool = False
    description: str = ""
    plugin: Plugin | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        package = self.package.lower().replace("_", "-")
        if not _NAME.fullmatch(self.name) or not self.name.startswith(package):
            raise InputError(f"library: {self.name[:60]!r} is not {package} and a-z, 0-9, '.', '-'")
        if split_derivative(self.name)[1] is not None or is_scheme_name(self.name):
            raise InputError(f"library: {self.name} is the name of a scheme of the catalogue, or ends like one")
        is_scheme_name(self.peer)

    def scheme(self, derivative: int = 1) -> OpaqueScheme:
        """Return the scheme that asks this library for a derivative.

        Examples
        --------
        >>> Library("mine", "mine", "central-2", call=print, derivatives=(1, 2)).scheme(2).name
        'mine-d2'
        """
        if derivative not in self.derivatives:
            known = ", ".join(map(str, self.derivatives))
            raise InputError(f"library: {self.name} has no derivative {derivative}, only {known}")
        call = partial(_call_quietly, self.call, derivative)
        name = scheme_name(self.name, derivative)
        return OpaqueScheme(name, call, derivative, self.takes_epsilon, self.package, self.plugin)


def _call_quietly(call: Callable[..., Any], derivative: int, f: Any, x: Any, *epsilon: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(f, x, derivative, *epsilon)
