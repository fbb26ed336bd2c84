"""What the gradient checkers of JAX and torch can see: epsilon and tolerance for a function, beside their defaults.

Both compare automatic derivatives with central differences, (f(x + ε) − f(x − ε))/(2ε), in the dtype of x. The function
is swept as the framework computes it, at x and at points close by, over the epsilons that recommend compares; what is
best in the median over the points is the epsilon, and the largest error there what no tolerance may be below.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.analysis.model import PointModel
from diffbench.analysis.near import Near
from diffbench.analysis.predict import AS_GOOD, optimum
from diffbench.analysis.recommend import binary_epsilons, function_at, neighbours, settled
from diffbench.errors import EmptySelectionError, InputError, UnsupportedError, nearest
from diffbench.functions.function import Function
from diffbench.functions.grammar import Formula
from diffbench.reference.pair import correct_digits
from diffbench.rounding import exact_text, finite, round_to, unit_roundoff
from diffbench.schemes.scheme import DifferenceScheme, parse_scheme
from diffbench.sweep.results import Block, Status
from diffbench.sweep.run import run
from diffbench.sweep.spec import Spec

Array = npt.NDArray[Any]

MARGIN = 4
"""A tolerance is so many times the largest error of the difference: the gradient that is checked has errors too."""


@dataclass(frozen=True)
class Checker:
    """A gradient check of a framework, with its defaults.

    Attributes
    ----------
    name : str
        What is called.
    evaluator : str
        What computes f for it.
    epsilon : str
        Its step, an exact decimal.
    tolerances : mapping of str to (float, float)
        Its absolute and its relative tolerance in each dtype; the latter is relative to the difference.
    """

    name: str
    evaluator: str
    epsilon: str
    tolerances: Mapping[str, tuple[float, float]]


CHECKERS: Mapping[str, Checker] = {
    "jax": Checker(
        "jax.test_util.check_grads",
        "jax",
        "1e-4",
        {"float16": (1e-2, 1e-2), "bfloat16": (1e-1, 1e-1), "float32": (2e-3, 2e-3), "float64": (1e-5, 1e-5)},
    ),
    "torch": Checker(
        "torch.autograd.gradcheck",
        "torch",
        "1e-6",
        dict.fromkeys(("float16", "bfloat16", "float32", "float64"), (1e-5, 1e-3)),
    ),
}
"""As jax 0.10 and torch 2.13 have them."""


@dataclass(frozen=True)
class CheckAdvice:
    """Advice for a gradient check.

    Attributes
    ----------
    scheme, epsilon : str, float
        Central differences, and the best epsilon for them.
    digits : float or None
        Observed digits there: of the median error at x and close to it; None where the derivative at x is 0.
    modelled_digits : float or None
        What the error model expects at x; None also where numpy has no f in the dtype to model.
    atol, rtol : float, float or None
        The tightest tolerance that a check can justify, absolute and relative to the derivative: :data:`MARGIN` times
        the largest of the observed errors, the modelled one and the rounding of the derivative. Either is enough.
    check, default_epsilon, default_atol, default_rtol : str, float
        The framework's check and its defaults.
    default_step : float
        Half the distance of the nodes that its default step really has at x; 0 where it is lost in x.
    default_digits : float or None
        As `digits`, with its default step.
    default_accepts : bool
        Whether its defaults let the exact derivative at x pass.
    reason : str
        What that means, in words.
    formula, x, derivative, dtype, framework : str, float, int, str, str
        What was asked.
    """

    scheme: str
    epsilon: float
    digits: float | None
    modelled_digits: float | None
    atol: float
    rtol: float | None
    check: str
    default_epsilon: float
    default_step: float
    default_digits: float | None
    default_atol: float
    default_rtol: float
    default_accepts: bool
    reason: str
    formula: str
    x: float
    derivative: int
    dtype: str
    framework: str

    def fields(self) -> dict[str, Any]:
        """Return what can be printed, under the names above."""
        return asdict(self)


def gradient_check(
    formula: str | Formula | Function, at: object = None, framework: str = "torch", dtype: str = "float32"
) -> CheckAdvice:
    """Return which epsilon and tolerance a gradient check by differences can have, beside the framework's defaults.

    Parameters
    ----------
    formula : str, Formula or Function
        What is differentiated.
    at : str, int, Fraction or float
        The point; of a Function with one point that one may be meant.
    framework : str
        ``jax`` or ``torch``. It computes f, and must be installed.
    dtype : str
        In what arithmetic.

    Raises
    ------
    UnsupportedError
        If the framework is not installed, or cannot compute f in the dtype.
    InputError
        If an argument is wrong or the formula is not defined at the point.
    UncertainError
        If the derivative does not exist there, or is not settled.
    EmptySelectionError
        If no epsilon gives an estimate at x.
    """
    if framework not in CHECKERS:
        hint = nearest(str(framework), CHECKERS)
        raise InputError(f"framework: {str(framework)[:60]!r} is not one of {', '.join(CHECKERS)}{hint}")
    function, x = function_at(formula, at, dtype)
    return _Sweep(function, x, dtype, framework).advice()


class _Sweep:
    """Central differences of a function as a framework computes it, at x and close to it."""

    def __init__(self, function: Function, x: float, dtype: str, framework: str) -> None:
        self.function, self.x, self.dtype, self.framework = function, x, dtype, framework
        self.checker = CHECKERS[framework]
        self.reference = settled(function, x, 1)
        self.near = Near(function, x, dtype)
        self.epsilons = binary_epsilons(x, dtype)
        self.default = round_to(Fraction(self.checker.epsilon), dtype)
        self.block = self._measured()
        ok = self.block.status[0] == Status.OK
        collapsed = self.block.status[0] == Status.COLLAPSED
        self.errors = np.where(ok | collapsed, np.abs(self.block.error[0]), np.nan)
        self.exact = abs(self.reference.hi or 0.0)

    def _measured(self) -> Block:
        points = [self.x, *(point for point in neighbours(self.near) if point != self.x)]
        grid = sorted({*self.epsilons.astype(np.float64).tolist(), self.default}, reverse=True)
        spec = Spec(
            self.function.at([Fraction(point) for point in points]),
            ["central-2"],
            [exact_text(Fraction(epsilon)) for epsilon in grid],
            dtypes=self.dtype,
            rules=[],
            evaluator=self.checker.evaluator,
        )
        (block,) = run(spec, jobs=1).blocks
        if (block.status == Status.UNSUPPORTED).all():
            raise UnsupportedError(f"recommend: {block.reasons[int(block.reason[0, 0, 0])]}")
        return block

    def advice(self) -> CheckAdvice:
        """Return the advice."""
        place = self._best()
        there = self.block.grid.tolist().index(self.default)
        epsilon = float(self.block.grid[place])
        modelled = self._modelled(epsilon)
        rounding = unit_roundoff(self.dtype) * self.exact
        atol = MARGIN * float(np.nanmax([*self.errors[:, place], modelled, rounding]))
        default_atol, default_rtol = self.checker.tolerances[self.dtype]
        rtol = finite(atol / self.exact) if self.exact else None
        default_digits, accepts = self._digits(self._relative(there)), self._accepts(there)
        return CheckAdvice(
            scheme="central-2",
            epsilon=epsilon,
            digits=self._digits(self._relative(place)),
            modelled_digits=self._digits(modelled / self.exact) if self.exact else None,
            atol=atol,
            rtol=rtol,
            check=self.checker.name,
            default_epsilon=float(self.checker.epsilon),
            default_step=self._step(),
            default_digits=default_digits,
            default_atol=default_atol,
            default_rtol=default_rtol,
            default_accepts=accepts,
            reason=self._reason(rtol, default_digits, accepts=accepts),
            formula=self.function.formula.text,
            x=self.x,
            derivative=1,
            dtype=self.dtype,
            framework=self.framework,
        )

    def _best(self) -> int:
        """Return the column with the least median error, among those of the grid that have an estimate at x."""
        usable = (self.block.status[0, 0] == Status.OK) & (self.block.grid != self.default)
        found = optimum(np.where(usable, _medians(self.errors), np.nan), AS_GOOD)
        if found is None:
            raise EmptySelectionError(
                f"recommend: no epsilon gives a difference of {self.function.formula} at {self.x!r} in {self.dtype}"
            )
        return found.place

    def _relative(self, column: int) -> float:
        """Return the median relative error of a column, NaN where the derivative at x is 0 or there is no estimate."""
        exact = np.abs(self.block.hi).reshape(-1, 1)
        relative = np.divide(self.errors, exact, out=np.full_like(self.errors, np.nan), where=exact != 0)
        return np.nan if np.isnan(relative[0, column]) else float(_medians(relative)[column])

    def _modelled(self, epsilon: float) -> float:
        try:
            model = PointModel(self.near, self.reference, np.array([epsilon]))
            return float(model.parts(_central()).error[0])
        except UnsupportedError:
            # The model asks numpy for f, which has not all that the frameworks have in every dtype.
            return np.nan

    def _digits(self, relative: float) -> float | None:
        return finite(float(correct_digits(np.array(relative), self.dtype)))

    def _step(self) -> float:
        x, epsilon = (np.array([value]).astype(self.dtype) for value in (self.x, self.default))
        upper, lower = ((x + sign * epsilon).astype(np.float64)[0] for sign in (1, -1))
        return float((upper - lower) / 2)

    def _accepts(self, column: int) -> bool:
        """Return whether the default tolerances let the exact derivative pass, at x."""
        atol, rtol = self.checker.tolerances[self.dtype]
        error, estimate = self.errors[0, column], self.block.estimate[0, 0, column]
        return bool(error <= atol + rtol * abs(estimate))

    def _reason(self, rtol: float | None, digits: float | None, *, accepts: bool) -> str:
        step = f"The default step {self.checker.epsilon}"
        if self._step() == 0:
            what = f"is lost in x: x + ε = x − ε = x in {self.dtype}, and the difference is 0 whatever f is."
        elif digits is not None:
            what = "leaves no digit." if digits < 1 else f"leaves {digits:.1f} digits."
        else:
            what = "is not lost in x." if self.exact == 0 else "gives no estimate."
        verdict = "accept" if accepts else "refuse"
        said = f"{step} {what} The default tolerances {verdict} the exact derivative."
        hopeless = rtol is not None and rtol >= 1
        return f"{said} No step tells a right derivative from a wrong one in {self.dtype}." if hopeless else said


def _medians(errors: Array) -> Array:
    """Return the medians of what is known in each column, NaN where nothing is."""
    medians = np.full(errors.shape[1], np.nan)
    known = np.isfinite(errors).any(axis=0)
    medians[known] = np.nanmedian(np.where(np.isfinite(errors), errors, np.nan)[:, known], axis=0)
    return medians


def _central() -> DifferenceScheme:
    return parse_scheme("central-2", 1)
