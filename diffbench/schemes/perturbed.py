"""A scheme with one weight that is slightly wrong, to see whether a gate notices."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from diffbench.rounding import unit_roundoff
from diffbench.schemes.scheme import DifferenceScheme, Offset, Share, Values
from diffbench.schemes.stencil import Stencil

Array = npt.NDArray[np.inexact]


@dataclass(frozen=True)
class PerturbedScheme(DifferenceScheme):
    """A scheme whose first weight is multiplied by 1 + 2u when it is evaluated; it says that it is the scheme itself.

    Attributes
    ----------
    name, derivative : str, int
        Those of the scheme.
    scheme : DifferenceScheme
        Which.
    """

    scheme: DifferenceScheme

    @property
    def offsets(self) -> tuple[Offset, ...]:
        """Those of the scheme."""
        return self.scheme.offsets

    @property
    def order(self) -> int:
        """That of the scheme."""
        return self.scheme.order

    @property
    def numbers(self) -> tuple[int, ...]:
        """Those of the scheme."""
        return self.scheme.numbers

    @property
    def equivalent_stencil(self) -> Stencil | None:
        """That of the scheme."""
        return self.scheme.equivalent_stencil

    @property
    def shares(self) -> tuple[Share, ...]:
        """Those of the scheme."""
        return self.scheme.shares

    @property
    def cancels(self) -> bool:
        """That of the scheme."""
        return self.scheme.cancels

    def moment(self, j: int) -> Fraction:
        """Return that of the scheme."""
        return self.scheme.moment(j)

    def combine(self, values: Values, epsilon: Array) -> Array:
        """Return the estimate, the value at the first node multiplied by 1 + 2u."""
        first = self.offsets[0]
        value = values[first]
        number = value.real.dtype.type
        perturbed = value * (number(1) + number(2 * unit_roundoff(value.real.dtype.name)))
        return self.scheme.combine({k: perturbed if k == first else values[k] for k in self.offsets}, epsilon)


def perturbed(scheme: DifferenceScheme) -> PerturbedScheme:
    """Return a scheme with a weight that is slightly wrong."""
    return PerturbedScheme(scheme.name, scheme.derivative, scheme)
