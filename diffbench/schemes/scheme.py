"""Schemes: what is measured, by name.

A difference scheme offers nodes and a combination of the values at them, so that a sweep can evaluate f once on
the nodes of all its schemes. An opaque scheme is called with f, x and ε and answers for itself.

One rule makes every name, and parses it back::

    forward-P  backward-P  central-P      a family and its order of accuracy
    stencil(-1,0,2)                       the stencil of highest order on these offsets
    richardson(B)  richardson-L(B)        B extrapolated, in a table of two or of L levels
    complex-step  complex-step-45         no subtraction: along i, or along ±e^(iπ/4)

followed by ``-dM`` for the derivative M where it is not the first.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple, final

import numpy as np
import numpy.typing as npt

from diffbench.errors import InputError, check_name, nearest
from diffbench.multiple import arithmetic_of
from diffbench.rounding import exact_number, real_power, round_to
from diffbench.schemes.stencil import MAX_NODES, Stencil, combine, richardson

Array = npt.NDArray[Any]
Values = Mapping["Offset", Array]

MAX_LEVELS = 6
MAX_DERIVATIVE = 20


class Offset:
    """A node relative to x, in units of ε: x + (real + i·imaginary) ε.

    Equal ones are one object, so that looking one up costs no arithmetic on fractions.
    """

    __slots__ = ("imaginary", "real")

    real: Fraction
    imaginary: Fraction

    _known: ClassVar[dict[tuple[Fraction, Fraction], "Offset"]] = {}

    def __new__(cls, real: Fraction, imaginary: Fraction = Fraction(0)) -> "Offset":  # noqa: PYI034  (the only one of its parts)
        """Return the one offset of these parts."""
        fresh = super().__new__(cls)
        fresh.real, fresh.imaginary = real, imaginary
        return cls._known.setdefault((real, imaginary), fresh)

    def __lt__(self, other: "Offset") -> bool:
        return (self.real, self.imaginary) < (other.real, other.imaginary)

    def __reduce__(self) -> tuple[Any, ...]:
        return Offset, (self.real, self.imaginary)

    def __repr__(self) -> str:
        return f"Offset({self.real}, {self.imaginary})"


class Share(NamedTuple):
    """What a node adds to an estimate: weight × the real, or the imaginary, part of f there, over ε^m."""

    offset: Offset
    is_imaginary: bool
    weight: Fraction


class Plugin(NamedTuple):
    """An entry point of a package that is installed, where somebody else's schemes come from."""

    group: str
    name: str
    value: str
    package: str


CENTRE = Offset(Fraction(0))
UPWARDS = Offset(Fraction(0), Fraction(1))
_ROOT_HALF = real_power(2, Fraction(-1, 2))
DIAGONAL = (Offset(_ROOT_HALF, _ROOT_HALF), Offset(-_ROOT_HALF, -_ROOT_HALF))


@dataclass(frozen=True)
class DifferenceScheme(ABC):
    """A scheme that combines the values of f at nodes x + kε.

    Attributes
    ----------
    name : str
        By the rule of this module, or your own.
    derivative : int
        Which derivative it estimates.
    plugin : Plugin or None
        Where it comes from, if not from here.
    """

    name: str
    derivative: int
    plugin: Plugin | None = field(default=None, kw_only=True, repr=False)

    @property
    @abstractmethod
    def offsets(self) -> tuple[Offset, ...]:
        """The nodes that are evaluated."""

    @property
    @abstractmethod
    def order(self) -> int:
        """Order of accuracy p."""

    @property
    @abstractmethod
    def numbers(self) -> tuple[int, ...]:
        """Whole numbers that the combination multiplies or divides by."""

    @property
    def equivalent_stencil(self) -> Stencil | None:
        """The stencil that the scheme is in exact arithmetic, None off the real line."""
        return None

    @property
    def shares(self) -> tuple[Share, ...]:
        """The estimate as a sum over the nodes in exact weights, by default those of the equivalent stencil."""
        stencil = self.equivalent_stencil
        pairs = () if stencil is None else zip(stencil.offsets, stencil.weights, strict=True)
        return tuple(Share(Offset(k), False, weight) for k, weight in pairs)

    @abstractmethod
    def combine(self, values: Values, epsilon: Array) -> Array:
        """Return the estimates from f at the offsets; all arrays of one dtype, shapes that broadcast."""

    def moment(self, j: int) -> Fraction:
        """Return Σ w_k Re k^j, or Im k^j: what f^(j)(x) ε^(j−m) / j! is multiplied by in the estimate."""
        return sum((share.weight * _power_part(share, j) for share in self.shares), Fraction(0))

    @cached_property
    def evaluations(self) -> int:
        """How many values of f one estimate takes."""
        return len(self.offsets)

    @cached_property
    def needs_complex(self) -> bool:
        """Whether f is evaluated off the real line."""
        return any(offset.imaginary for offset in self.offsets)

    @property
    def cancels(self) -> bool:
        """Whether nearly equal values are subtracted, so that a small ε loses digits."""
        return True

    def unsupported_reason(self, dtype: str) -> str:
        """Return why the scheme cannot run in a dtype, or nothing."""
        return _out_of_range(self._largest_number, dtype)

    @cached_property
    def _largest_number(self) -> int:
        return max(map(abs, self.numbers), default=0)


def _power_part(share: Share, j: int) -> Fraction:
    """Return the real or imaginary part of the j-th power of an offset."""
    k = share.offset
    if not k.imaginary:
        return Fraction(0) if share.is_imaginary else k.real**j
    real, imaginary = Fraction(1), Fraction(0)
    for _ in range(j):
        real, imaginary = real * k.real - imaginary * k.imaginary, real * k.imaginary + imaginary * k.real
    return imaginary if share.is_imaginary else real


@cache
def _out_of_range(weight: int, dtype: str) -> str:
    return f"weight {weight} is out of range of {dtype}" if np.isinf(round_to(Fraction(weight), dtype)) else ""


@final
@dataclass(frozen=True)
class StencilScheme(DifferenceScheme):
    """A stencil, combined as design rule 5.5 says: pairs from the outermost to the centre."""

    stencil: Stencil

    @cached_property
    def offsets(self) -> tuple[Offset, ...]:
        """One real node for each weight."""
        return tuple(Offset(k) for k in self.stencil.offsets)

    @cached_property
    def order(self) -> int:
        """The stencil's order."""
        return int(self.stencil.order)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Numerators of the weights over their common denominator, and the denominator."""
        return _numbers(self.stencil)

    @property
    def equivalent_stencil(self) -> Stencil:
        """The stencil itself."""
        return self.stencil

    def combine(self, values: Values, epsilon: Array) -> Array:
        """Sum the weighted values and divide by ε, m times."""
        return _combine_stencil(self.stencil, [values[k] for k in self.offsets], epsilon)


@final
@dataclass(frozen=True)
class RichardsonScheme(DifferenceScheme):
    """A stencil extrapolated in a table of L levels over the steps ε, rε, …, r^(L−1) ε.

    Each entry is (r^p D(ε) − D(rε)) / (r^p − 1) of the two before it. The same nodes and weights as the
    extrapolated stencil, but evaluated as an extrapolation, which rounds differently.
    """

    base: Stencil
    levels: int = 2
    ratio: int = 2

    @cached_property
    def tableau(self) -> tuple[Stencil, ...]:
        """The base and its extrapolations, one more order term gone in each."""
        stencils = [self.base]
        for _ in range(self.levels - 1):
            stencils.append(richardson(stencils[-1], self.ratio))
        return tuple(stencils)

    @cached_property
    def _steps(self) -> tuple[tuple[int, tuple[Offset, ...]], ...]:
        """The factor of ε in each row of the table, and the base's nodes at that step."""
        scales = [self.ratio**level for level in range(self.levels)]
        return tuple((scale, tuple(Offset(scale * k) for k in self.base.offsets)) for scale in scales)

    @cached_property
    def offsets(self) -> tuple[Offset, ...]:
        """The base's nodes at every step."""
        return tuple(sorted({k for _, nodes in self._steps for k in nodes}))

    @cached_property
    def order(self) -> int:
        """Order of the last entry of the table."""
        return int(self.equivalent_stencil.order)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Those of the base, and r^p of every level."""
        return (*_numbers(self.base), *(self.ratio ** int(stencil.order) for stencil in self.tableau[:-1]))

    @property
    def equivalent_stencil(self) -> Stencil:
        """The last entry of the table."""
        return self.tableau[-1]

    def combine(self, values: Values, epsilon: Array) -> Array:
        """Fill the table column by column."""
        column = [
            _combine_stencil(self.base, [values[k] for k in nodes], _number(scale, epsilon) * epsilon)
            for scale, nodes in self._steps
        ]
        for stencil in self.tableau[:-1]:
            gain = self.ratio ** int(stencil.order)
            column = [
                (_number(gain, epsilon) * fine - coarse) / _number(gain - 1, epsilon)
                for fine, coarse in pairwise(column)
            ]
        return column[0]


@final
@dataclass(frozen=True)
class ComplexStepScheme(DifferenceScheme):
    """Im f(x + iε)/ε for the first derivative, 2 (f(x) − Re f(x + iε))/ε² for the second.

    References
    ----------
    W. Squire, G. Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review 40 (1998)
    110-112; J. R. R. A. Martins, P. Sturdza, J. J. Alonso, The complex-step derivative approximation, ACM TOMS 29
    (2003) 245-262.
    """

    @property
    def offsets(self) -> tuple[Offset, ...]:
        """One node above x, and x itself for the second derivative."""
        return (UPWARDS,) if self.derivative == 1 else (CENTRE, UPWARDS)

    @property
    def order(self) -> int:
        """Both have the error of order 2 of the even Taylor terms."""
        return 2

    @property
    def numbers(self) -> tuple[int, ...]:
        """The 2 of the second derivative."""
        return (2,)

    @property
    def cancels(self) -> bool:
        """Only the second derivative subtracts."""
        return self.derivative == 2

    @property
    def shares(self) -> tuple[Share, ...]:
        """The imaginary part above x, or the real parts at x and above it."""
        if self.derivative == 1:
            return (Share(UPWARDS, True, Fraction(1)),)
        return (Share(CENTRE, False, Fraction(2)), Share(UPWARDS, False, Fraction(-2)))

    def combine(self, values: Values, epsilon: Array) -> Array:
        """Take the imaginary part, or twice the difference of real parts."""
        above = values[UPWARDS]
        estimate: Array
        if self.derivative == 1:
            estimate = above.imag / epsilon
        else:
            estimate = _number(2, epsilon) * (values[CENTRE] - above.real) / epsilon / epsilon
        return estimate


@final
@dataclass(frozen=True)
class DiagonalStepScheme(DifferenceScheme):
    """Im (f(x + e^(iπ/4) ε) + f(x − e^(iπ/4) ε)) / ε², for the second derivative.

    References
    ----------
    K.-L. Lai, J. L. Crassidis, Extensions of the first and second complex-step derivative approximations,
    J. Comput. Appl. Math. 219 (2008) 276-293.
    """

    @property
    def offsets(self) -> tuple[Offset, ...]:
        """Two nodes on the diagonal through x."""
        return DIAGONAL

    @property
    def order(self) -> int:
        """Fourth: the first term left is −ε⁴ f⁽⁶⁾/360."""
        return 4

    @property
    def numbers(self) -> tuple[int, ...]:
        """None."""
        return ()

    @property
    def shares(self) -> tuple[Share, ...]:
        """Both imaginary parts."""
        return tuple(Share(offset, True, Fraction(1)) for offset in DIAGONAL)

    def combine(self, values: Values, epsilon: Array) -> Array:
        """Add the imaginary parts, in which f′ cancels."""
        estimate: Array = (values[DIAGONAL[0]].imag + values[DIAGONAL[1]].imag) / epsilon / epsilon
        return estimate


@final
@dataclass(frozen=True)
class OpaqueScheme:
    """Anything that can be called for a derivative: another package, an automatic differentiator, your own.

    Attributes
    ----------
    name : str
        What tables call it.
    call : callable
        Takes f, x and ε, or f and x where `takes_epsilon` is false; f accepts scalars and arrays. Returns the
        estimate, or the estimate and an estimate of its error.
    derivative : int
        Which derivative it estimates.
    takes_epsilon : bool
        Whether it is swept over ε or called once a point.
    package : str
        The package that it belongs to; what comes from one is called in a process of its own, for a limited time.
    plugin : Plugin or None
        Where it comes from, if not from here.
    """

    name: str
    call: Callable[..., Any] = field(compare=False)
    derivative: int = 1
    takes_epsilon: bool = True
    package: str = ""
    plugin: Plugin | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_name(self.name, "scheme")
        if not callable(self.call):
            raise InputError(f"scheme: {self.name} needs something that can be called")


Scheme = DifferenceScheme | OpaqueScheme


@dataclass(frozen=True)
class Family:
    """A scheme of the catalogue, for every derivative that it estimates.

    Attributes
    ----------
    name : str
        By the rule of this module, or its own where it says how it is made.
    derivatives : tuple of int
        Which these are; empty means every one.
    make : callable or None
        Takes the name of a scheme and a derivative, and returns the scheme; None where the rule does that.
    """

    name: str
    derivatives: tuple[int, ...] = ()
    make: Callable[[str, int], DifferenceScheme] | None = None


def on_offsets(*offsets: int | str) -> Callable[[str, int], DifferenceScheme]:
    """Return what makes the schemes of highest order on some offsets.

    Examples
    --------
    >>> on_offsets(-1, 0, 2)("lopsided", 1).order
    2
    """
    return lambda name, derivative: StencilScheme(name, derivative, Stencil.fit(offsets, derivative))


CATALOGUE = (
    *(Family(f"forward-{order}") for order in (1, 2, 3, 4, 6)),
    *(Family(f"backward-{order}") for order in (1, 2, 3, 4, 6)),
    *(Family(f"central-{order}") for order in (2, 4, 6, 8)),
    Family("richardson(forward-1)"),
    Family("richardson-3(forward-1)"),
    Family("richardson(central-2)"),
    Family("richardson-3(central-2)"),
    Family("complex-step", (1, 2), ComplexStepScheme),
    Family("complex-step-45", (2,), DiagonalStepScheme),
)
"""What is swept where nobody says what."""

FAMILIES = tuple(family.name for family in CATALOGUE)

_MAKERS = {family.name: family.make for family in CATALOGUE if family.make is not None}
_DERIVATIVES = {family.name: family.derivatives for family in CATALOGUE}
_SUFFIX = re.compile(r"(.+)-d(\d{1,3})", re.ASCII)
_FAMILY = re.compile(r"(forward|backward|central)-(\d{1,3})", re.ASCII)
_STENCIL = re.compile(r"stencil\(([-+0-9./,eE^]+)\)", re.ASCII)
_RICHARDSON = re.compile(r"richardson(?:-(\d))?\((.+)\)", re.ASCII)


def catalogue(derivative: int) -> tuple[DifferenceScheme, ...]:
    """Return the schemes of the catalogue for a derivative."""
    return tuple(
        parse_scheme(scheme_name(family.name, derivative))
        for family in CATALOGUE
        if not family.derivatives or derivative in family.derivatives
    )


def split_derivative(name: str) -> tuple[str, int | None]:
    """Split ``central-4-d2`` into ``central-4`` and 2; the second is None without a suffix."""
    match = _SUFFIX.fullmatch(name)
    return (match[1], int(match[2])) if match else (name, None)


def states_derivative(name: str) -> bool:
    """Return whether a name says which derivative it is for, also inside a Richardson table."""
    family, stated = split_derivative(name)
    inner = _RICHARDSON.fullmatch(family)
    return stated is not None or (inner is not None and states_derivative(inner[2]))


@cache
def is_scheme_name(name: str) -> bool:
    """Return whether a name means a scheme of the catalogue, or another one by the rule of names."""
    try:
        parse_scheme(name)
    except InputError:
        return False
    return True


def parse_scheme(name: str, derivative: int = 1) -> DifferenceScheme:
    """Return the scheme that a name means.

    Parameters
    ----------
    name : str
        By the rule at the head of this module.
    derivative : int
        Which derivative, where the name has no suffix ``-dM``.

    Raises
    ------
    InputError
        If there is no such scheme.

    Examples
    --------
    >>> parse_scheme("central-4-d2").evaluations
    5
    """
    family, stated = split_derivative("".join(name.split()))
    m = derivative if stated is None else stated
    if not 1 <= m <= MAX_DERIVATIVE:
        raise InputError(f"scheme: derivative {m} of {name[:60]!r} is not from 1 to {MAX_DERIVATIVE}")
    return _member(family, m, stated)


@lru_cache(maxsize=1024, typed=True)
def _member(family: str, m: int, stated: int | None) -> DifferenceScheme:
    """Return a family's member for a derivative; one object for each, since fractions are slow to fit."""
    if (make := _MAKERS.get(family)) is not None:
        _check_derivative(family, m)
        return make(scheme_name(family, m), m)
    if match := _RICHARDSON.fullmatch(family):
        return _parse_richardson(match, m, stated)
    family, stencil = _parse_stencil(family, m)
    return StencilScheme(scheme_name(family, m), m, stencil)


def _check_derivative(name: str, derivative: int) -> None:
    derivatives = _DERIVATIVES[name]
    if derivatives and derivative not in derivatives:
        known = " and ".join(f"derivative {m} ({name}-d{m})" for m in derivatives)
        raise InputError(f"scheme: {name} has no formula for derivative {derivative}, only for {known}")


def _parse_richardson(match: re.Match[str], derivative: int, stated: int | None) -> DifferenceScheme:
    inner, inner_stated = split_derivative(match[2])
    if inner_stated is not None and stated not in {None, inner_stated}:
        raise InputError(f"scheme: {match[0]} gives derivative {inner_stated}, not {stated}")
    m = derivative if inner_stated is None else inner_stated
    levels = int(match[1] or 2)
    if not 2 <= levels <= MAX_LEVELS:
        raise InputError(f"scheme: a Richardson table has 2 to {MAX_LEVELS} levels, not {levels}")
    family, stencil = _parse_stencil(inner, m)
    table = "richardson" if levels == 2 else f"richardson-{levels}"
    scheme = RichardsonScheme(scheme_name(f"{table}({family})", m), m, stencil, levels)
    if len(scheme.offsets) > MAX_NODES:
        raise InputError(f"scheme: {scheme.name} needs {len(scheme.offsets)} nodes, more than {MAX_NODES}")
    return scheme


def scheme_name(family: str, derivative: int) -> str:
    """Return the name of a family's member for a derivative."""
    return family if derivative == 1 else f"{family}-d{derivative}"


@lru_cache(maxsize=1024, typed=True)
def _parse_stencil(body: str, derivative: int) -> tuple[str, Stencil]:
    """Return the canonical name of a family's member, and its stencil."""
    if match := _FAMILY.fullmatch(body):
        make = {"forward": Stencil.forward, "backward": Stencil.backward, "central": Stencil.central}[match[1]]
        return f"{match[1]}-{int(match[2])}", make(derivative, int(match[2]))
    if match := _STENCIL.fullmatch(body):
        offsets = sorted(exact_number(offset, "offset") for offset in match[1].split(","))
        return f"stencil({','.join(map(str, offsets))})", Stencil.fit(offsets, derivative)
    hint = nearest(body, FAMILIES, cutoff=0.75) or "; see diffbench list schemes"
    raise InputError(f"scheme: {body[:60]!r} is not a name by the rule{hint}")


def as_scheme(stencil: Stencil, name: str = "") -> StencilScheme:
    """Name a stencil by its offsets; one whose weights are not fitted to them needs a name of its own."""
    offsets = ",".join(map(str, stencil.offsets))
    if not name and stencil != Stencil.fit(stencil.offsets, stencil.derivative):
        raise InputError(f"scheme: the weights on {offsets} are not fitted, so it needs a name")
    scheme = StencilScheme(name or scheme_name(f"stencil({offsets})", stencil.derivative), stencil.derivative, stencil)
    check_name(scheme.name, "scheme")
    if name and _named_otherwise(scheme):
        raise InputError(f"scheme: {name} is the name of another stencil")
    return scheme


def _named_otherwise(scheme: StencilScheme) -> bool:
    try:
        return parse_scheme(scheme.name, scheme.derivative) != scheme
    except InputError:
        return False


def _numbers(stencil: Stencil) -> tuple[int, ...]:
    denominator = int(np.lcm.reduce([weight.denominator for weight in stencil.weights], dtype=object))
    return (*(int(weight * denominator) for weight in stencil.weights), denominator)


def _combine_stencil(stencil: Stencil, values: Sequence[Array], epsilon: Array) -> Array:
    estimate: Array = combine(stencil, values, epsilon, lambda n: _number(n, epsilon))
    return estimate


def _number(n: int, like: Array) -> Array:
    if like.dtype == object:
        return arithmetic_of(like).array([Fraction(n)])
    return _rounded_number(n, like.dtype)


@cache
def _rounded_number(n: int, dtype: np.dtype[Any]) -> Array:
    """Round a whole number once into the dtype, as an array: numpy's scalars take other code paths."""
    rounded = np.array([round_to(Fraction(n), dtype.name)], dtype=dtype)
    rounded.flags.writeable = False
    return rounded
