"""Advice for a class of functions, from what a run has measured, and what it loses on a function it has not seen."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from diffbench.errors import EmptySelectionError, InputError
from diffbench.reference.pair import correct_digits, relative_error
from diffbench.schemes.scheme import DifferenceScheme, parse_scheme
from diffbench.sweep.curves import running_median
from diffbench.sweep.results import NO_CELLS, Block, Results, Status

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ClassAdvice:
    """What is best over the functions of a run.

    Attributes
    ----------
    scheme : str
        By name.
    epsilon : float or None
        The same for all functions and points; None where a rule chooses it.
    rule : str or None
        That rule.
    digits : float
        Median over the functions of the median over the points of each.
    digits_low : float
        The worst function's.
    evaluations : int
        Values of f that one estimate takes.
    functions : int
        How many it was derived from.
    lost_median, lost_worst : float or None
        The error of the advice itself: digits lost on a function against the best for it, when the advice is derived
        from all the others; None where there is only one.
    worst_function : str
        The one on which most are lost.
    runner_up : dict or None
        Scheme, epsilon, rule and digits of the best with another scheme.
    reason : str
        Why, in two sentences.
    derivative, dtype : int, str
        Of what.
    """

    scheme: str
    epsilon: float | None
    rule: str | None
    digits: float
    digits_low: float
    evaluations: int
    functions: int
    lost_median: float | None
    lost_worst: float | None
    worst_function: str
    runner_up: dict[str, Any] | None
    reason: str
    derivative: int
    dtype: str

    def fields(self) -> dict[str, Any]:
        """Return what can be printed."""
        return asdict(self)


@dataclass(frozen=True)
class _Candidates:
    """Digits of F functions with C candidates: every scheme with every epsilon of the grid and every rule."""

    functions: tuple[str, ...]
    labels: tuple[tuple[str, float | None, str | None], ...]
    digits: Array

    def best(self, rows: Array) -> int:
        """Return the candidate with the most digits in the median over some functions, then in the mean."""
        median, mean = np.median(self.digits[rows], axis=0), self.digits[rows].mean(axis=0)
        return int(np.lexsort((mean, median))[-1])

    def losses(self) -> Array:
        """Return the digits lost on each function by the advice of all the others, (F,)."""
        places = np.arange(len(self.functions))
        given = [self.best(np.delete(places, row)) for row in places]
        return np.asarray(self.digits.max(axis=1) - self.digits[places, given])


def advise(
    results: Results, derivative: int, dtype: str, evaluations: int | None, *, allow_complex: bool
) -> ClassAdvice:
    """Return the scheme, and the epsilon or rule, with the most digits in the median over the functions of a run.

    Raises
    ------
    EmptySelectionError
        If the run has no such cells, or no scheme is left.
    """
    if not results.blocks:
        raise EmptySelectionError(NO_CELLS)
    keys = [key for key in results.keys if key[1:] == (derivative, dtype)]
    if not keys:
        raise EmptySelectionError(f"recommend: the run has no derivative {derivative} in {dtype}")
    blocks = [results.block(*key) for key in keys]
    found = _candidates(blocks, _allowed(blocks[0], evaluations, allow_complex=allow_complex))
    if found.digits.size == 0:
        raise EmptySelectionError("recommend: the run has no scheme that may be used, or only derivatives that are 0")
    return _advice(found, derivative, dtype)


def _allowed(block: Block, evaluations: int | None, *, allow_complex: bool) -> list[int]:
    """Return the rows of the schemes that may be used; opaque ones are no formulas to take away."""
    rows = []
    for row, name in enumerate(block.schemes):
        scheme = _known(name, block.derivative)
        if scheme is not None and (allow_complex or not scheme.needs_complex):
            rows += [row] if evaluations is None or scheme.evaluations <= evaluations else []
    return rows


def _known(name: str, derivative: int) -> DifferenceScheme | None:
    try:
        return parse_scheme(name, derivative)
    except InputError:
        return None


def _candidates(blocks: Sequence[Block], rows: list[int]) -> _Candidates:
    first = blocks[0]
    labels = tuple((first.schemes[row], *column) for row in rows for column in _columns(first))
    measured = [(block.function, digits) for block in blocks for digits in _function_digits(block, rows)]
    return _Candidates(
        tuple(function for function, _ in measured),
        labels,
        np.array([digits for _, digits in measured]).reshape(len(measured), len(labels)),
    )


def _columns(block: Block) -> Iterator[tuple[float | None, str | None]]:
    yield from ((float(epsilon), None) for epsilon in block.grid)
    yield from ((None, rule) for rule in block.rules)


def _function_digits(block: Block, rows: list[int]) -> Iterator[Array]:
    """Yield the median digits over the points, (C,), if any has a reference other than 0; 0 where a cell fails."""
    points = [p for p, each in enumerate(block.references) if each.verdict == "certified" and each.hi]
    if not points:
        return
    width = block.grid_size + len(block.rules)
    cells = np.ix_(rows, points, range(width))
    error = np.where(block.status[cells] == Status.OK, np.abs(block.error[cells]), np.nan)
    error[..., : block.grid_size] = running_median(error[..., : block.grid_size])
    digits = correct_digits(relative_error(error, block.hi[points]), block.dtype)
    yield np.median(np.where(np.isnan(digits), 0.0, np.maximum(digits, 0.0)), axis=1).ravel()


def _advice(found: _Candidates, derivative: int, dtype: str) -> ClassAdvice:
    everything = np.arange(len(found.functions))
    best = found.best(everything)
    scheme, epsilon, rule = found.labels[best]
    own = found.digits[:, best]
    losses = found.losses() if len(everything) > 1 else None
    parsed = parse_scheme(scheme, derivative)
    runner_up = _runner_up(found, scheme)
    return ClassAdvice(
        scheme,
        epsilon,
        rule,
        digits=float(np.median(own)),
        digits_low=float(own.min()),
        evaluations=parsed.evaluations,
        functions=len(everything),
        lost_median=None if losses is None else float(np.median(losses)),
        lost_worst=None if losses is None else float(losses.max()),
        worst_function="" if losses is None else found.functions[int(losses.argmax())],
        runner_up=runner_up,
        reason=_reason(found, best, losses),
        derivative=derivative,
        dtype=dtype,
    )


def _runner_up(found: _Candidates, scheme: str) -> dict[str, Any] | None:
    others = [c for c, label in enumerate(found.labels) if label[0] != scheme]
    if not others:
        return None
    rest = _Candidates(found.functions, tuple(found.labels[c] for c in others), found.digits[:, others])
    best = rest.best(np.arange(len(found.functions)))
    name, epsilon, rule = rest.labels[best]
    return {"scheme": name, "epsilon": epsilon, "rule": rule, "digits": float(np.median(rest.digits[:, best]))}


def _reason(found: _Candidates, best: int, losses: Array | None) -> str:
    scheme, epsilon, rule = found.labels[best]
    where = f"ε = {epsilon:.3g}" if epsilon is not None else f"the rule {rule!r}"
    first = (
        f"Of {len(found.labels)} pairs of scheme and epsilon {scheme} with {where} has the most digits in the median "
        f"over {len(found.functions)} functions."
    )
    if losses is None:
        return f"{first} From one function nothing can be said of others."
    return (
        f"{first} Derived without the function it is applied to, such advice loses {np.median(losses):.1f} digits in "
        f"the median and {losses.max():.1f} at worst against the best for that function."
    )
