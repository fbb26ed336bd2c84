"""Published searches for epsilon that look at values of f.

A search is written for one point, as its paper tells it: a generator that yields displacements from x and is sent f at
x plus these, as float64. :func:`search_points` lets many searches advance together, so that f is called
with arrays, and counts what each of them asked for. f is NaN outside its domain, of which no paper speaks: a step that
leads there counts as too large.

Every search is told the same of f: its values are correct to a unit roundoff u. What else a paper leaves to its reader
is said in the search that had to choose.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.schemes.scheme import DifferenceScheme
from diffbench.schemes.stencil import Stencil

Array = npt.NDArray[Any]
Values = Callable[[Array], Array]
"""f at an array of nodes of the working dtype."""

Search = Generator[Sequence[float], Array, tuple[float, str]]
"""Yields displacements, is sent values, returns an epsilon (NaN for none) and why it failed by its own account."""

MAX_ROUNDS = 20
"""How often a search whose paper names no bound may change its step."""

NOT_FINITE = "f is not finite at x"

_FORWARD, _CENTRAL = Stencil.forward(), Stencil.central()


class Choice(NamedTuple):
    """What a rule chose at P points.

    Attributes
    ----------
    epsilon : array
        P values of the dtype, NaN where there is none.
    evaluations : array
        How many values of f each took.
    failures : tuple of str
        Why the rule failed at a point by its own account, empty where it did not.
    """

    epsilon: Array
    evaluations: Array
    failures: tuple[str, ...]


def search_points(searches: Sequence[Search], f: Values, x: Array) -> Choice:
    """Run a search at each of P points, all of them together.

    Parameters
    ----------
    searches : sequence of generators
        P searches that have not begun.
    f : callable
        Takes nodes of the dtype of x, returns as many values.
    x : array
        P points of the working dtype.
    """
    found = [(np.nan, "")] * x.size
    evaluations = np.zeros(x.size, dtype=np.int32)
    with np.errstate(all="ignore"):
        asked = {i: next(each) for i, each in enumerate(searches)}
        while asked:
            for i, values in zip(list(asked), _values(f, x, asked), strict=True):
                evaluations[i] += values.size
                try:
                    asked[i] = searches[i].send(values)
                except StopIteration as stop:
                    found[i] = stop.value
                    del asked[i]
        epsilon = np.array([step for step, _ in found]).astype(x.dtype)
    usable = np.isfinite(epsilon) & (epsilon >= 0)
    failures = [text or ("" if ok else "it found no epsilon") for (_, text), ok in zip(found, usable, strict=True)]
    return Choice(np.where(usable, epsilon, np.array(np.nan, x.dtype)), evaluations, tuple(failures))


def _values(f: Values, x: Array, asked: dict[int, Sequence[float]]) -> Iterator[Array]:
    """Yield f at what each point asked for, by one call."""
    sizes = [len(displacements) for displacements in asked.values()]
    displacements = np.array([each for some in asked.values() for each in some]).astype(x.dtype)
    values = f(x[list(asked)].repeat(sizes) + displacements).astype(np.float64)
    for end, size in zip(accumulate(sizes), sizes, strict=True):
        yield values[end - size : end]


# for which schemes ----------------------------------------------------------------------------------------------------


def refuse_but_forward(scheme: DifferenceScheme) -> str:
    """Return why a search for forward-1 cannot serve a scheme, or nothing."""
    return "" if scheme.equivalent_stencil == _FORWARD else "it is for forward-1 only"


def refuse_but_central(scheme: DifferenceScheme) -> str:
    """Return why a search for central-2 cannot serve a scheme, or nothing."""
    return "" if scheme.equivalent_stencil == _CENTRAL else "it is for central-2 only"


def refuse_but_simple(scheme: DifferenceScheme) -> str:
    """Return why a search for forward-1 and central-2 cannot serve a scheme, or nothing."""
    return "" if scheme.equivalent_stencil in {_FORWARD, _CENTRAL} else "it is for forward-1 and central-2 only"


def refuse_complex(scheme: DifferenceScheme) -> str:
    """Return why a search for real stencils cannot serve a scheme, or nothing."""
    return "it is for real stencils only" if scheme.equivalent_stencil is None else ""


def refuse_but_first(scheme: DifferenceScheme) -> str:
    """Return why a search for first derivatives by real stencils cannot serve a scheme, or nothing."""
    return refuse_complex(scheme) or ("" if scheme.derivative == 1 else "it is for first derivatives only")


# the searches ---------------------------------------------------------------------------------------------------------

CURTIS_REID_AIM, CURTIS_REID_LIMITS = 100.0, (10.0, 1000.0)


def curtis_reid(scheme: DifferenceScheme, x: float, u: float) -> Search:  # noqa: ARG001  (the same for all it serves)
    """Bring the ratio of truncation to rounding to 100, anything from 10 to 1000 being good enough.

    Truncation is estimated by the difference between forward and central quotient, too much for the central one on
    purpose; rounding by u max |f(x ± h)| / h. The ratio grows as h², so the next step is h √(100 / max(ratio, 1)). The
    paper has the user bound the step; here it stays from 2 u s to s with s = max(1, |x|), and begins at u^(1/3) s.

    References
    ----------
    A. R. Curtis, J. K. Reid, The choice of step lengths when using differences to approximate Jacobian matrices,
    J. Inst. Maths Applics 13 (1974) 121-126.
    """
    scale = max(1.0, abs(x))
    (centre,) = yield (0.0,)
    if not np.isfinite(centre):
        return np.nan, NOT_FINITE
    h = u ** (1 / 3) * scale
    for _ in range(MAX_ROUNDS):
        low, high = yield (-h, h)
        truncation = abs(high - 2 * centre + low) / 2
        ratio = 0.0 if truncation == 0 else truncation / (u * np.maximum(abs(low), abs(high)))
        if CURTIS_REID_LIMITS[0] <= ratio <= CURTIS_REID_LIMITS[1]:
            return h, ""
        factor = 0.1 if np.isnan(ratio) else np.sqrt(CURTIS_REID_AIM / max(ratio, 1.0))
        following = min(max(h * factor, 2 * u * scale), scale)
        if following == h:
            break
        h = following
    return h, "no step has a ratio of truncation to rounding from 10 to 1000"


class _Seen(NamedTuple):
    """Differences at a step, and their condition errors: bounds of the relative rounding errors."""

    h: float
    second: float
    central: float
    condition: float
    """Of the second difference."""
    first_condition: float
    """Of the forward and backward difference, the larger."""


def gill_murray_saunders_wright(scheme: DifferenceScheme, x: float, u: float) -> Search:  # noqa: ARG001  (forward-1)
    """Find f″ with a condition error from 0.001 to 0.1, by steps of 10, and from it 2 √(ε_A / |f″|): Algorithm FD.

    The bound of the absolute error of f is the authors' own, ε_A = u (1 + |f|), and their η = ω = 1, K = 6.

    References
    ----------
    P. E. Gill, W. Murray, M. A. Saunders, M. H. Wright, Computing forward-difference intervals for numerical
    optimization, SIAM J. Sci. Stat. Comput. 4 (1983) 310-321; ε_A: P. E. Gill, W. Murray, M. H. Wright, Practical
    Optimization (1981), chapter 8.
    """
    (centre,) = yield (0.0,)
    if not np.isfinite(centre):
        return np.nan, NOT_FINITE
    noise = u * (1 + abs(centre))
    usual = 2 * (1 + abs(x)) * np.sqrt(noise / (1 + abs(centre)))
    seen = yield from _difference(10 * usual, centre, noise)
    looks = [seen]
    growth = 10.0 if seen.condition > 0.1 else 0.1
    while not _is_sound(seen, growth=growth):
        if len(looks) > 6:
            return _unsatisfactory(looks, usual)
        previous = seen
        seen = yield from _difference(seen.h * growth, centre, noise)
        looks.append(seen)
        if growth < 1 and seen.condition > 0.1:
            seen = previous
            break
    if not 0 < abs(seen.second) < np.inf:
        return _unsatisfactory(looks, usual)
    h = 2 * np.sqrt(noise / abs(seen.second))
    (high,) = yield (h,)
    estimate = (high - centre) / h
    bound = max(h * abs(seen.second) / 2 + 2 * noise / h, abs(estimate - seen.central))
    return h, "" if bound <= abs(estimate) / 2 else "the error bound exceeds half of the estimate"


def _difference(h: float, centre: float, noise: float) -> Generator[Sequence[float], Array, _Seen]:
    low, high = yield (-h, h)
    second = high - 2 * centre + low
    smaller = np.minimum(abs(high - centre), abs(centre - low))
    return _Seen(h, second / h / h, (high - low) / (2 * h), 4 * noise / abs(second), 2 * noise / smaller)


def _is_sound(seen: _Seen, *, growth: float) -> bool:
    """Return whether the second difference has the condition error that the search is for; a NaN never has."""
    return bool(seen.condition <= 0.1 and (growth > 1 or seen.condition >= 0.001))


def _unsatisfactory(looks: list[_Seen], usual: float) -> tuple[float, str]:
    """Return the step where none gives a sound second difference: step FD6."""
    sound = [seen.h for seen in looks if seen.first_condition <= 0.1]
    if not sound:
        return usual, "f appears to be nearly constant"
    if looks[-1].condition < 0.001:
        return looks[-1].h, "the second derivative seems to grow as the step falls"
    return min(sound), "f appears to be odd or nearly linear"


DUMONTET_VIGNES_ALPHA = 4 / 3
DUMONTET_VIGNES_LIMITS = (2.0, 15.0)


def dumontet_vignes(scheme: DifferenceScheme, x: float, u: float) -> Search:  # noqa: ARG001  (central-2)
    """Find f‴ whose rounding bounds have a ratio L from 1/15 to 1/2 or 2 to 15; then (1.67 P |f/f‴|)^(1/3).

    The precision of f is P = u^(1/α) with the authors' α = 4/3 for common functions. The step k of f‴ is bisected
    between 2 u |x| and |x| / (2 u), geometrically; |x| is 1 at 0.

    References
    ----------
    J. Dumontet, J. Vignes, Détermination du pas optimal dans le calcul des dérivées sur ordinateur, RAIRO Analyse
    numérique 11 (1977) 13-25, equations 26, 30, 34-36.
    """
    (centre,) = yield (0.0,)
    if not np.isfinite(centre) or centre == 0:
        return np.nan, "f is 0 at x" if centre == 0 else NOT_FINITE
    precision = u ** (1 / DUMONTET_VIGNES_ALPHA)
    scale = abs(x) or 1.0
    smallest, largest = 2 * u * scale, scale / (2 * u)
    for _ in range(50):
        k = np.sqrt(smallest) * np.sqrt(largest)
        values = yield (-2 * k, -k, k, 2 * k)
        below, above = _third_difference(values, precision)
        ratio = above / below
        if _is_between(ratio, *DUMONTET_VIGNES_LIMITS):
            third = (below + above) / 2 / k**3
            return (1.67 * precision * abs(centre / third)) ** (1 / 3), ""
        if not np.isfinite(values).all() or 1 / DUMONTET_VIGNES_LIMITS[0] <= ratio <= DUMONTET_VIGNES_LIMITS[0]:
            largest = k
        else:
            smallest = k
    return np.nan, "no step gives a third derivative whose bounds have a ratio from 2 to 15"


def _third_difference(values: Array, precision: float) -> tuple[float, float]:
    """Return the least and the greatest f‴ k³ that values of a relative precision allow."""
    terms = values * np.array([-0.5, 1.0, -1.0, 0.5])
    positive, negative = terms[terms > 0].sum(), terms[terms < 0].sum()
    low, high = 1 - precision, 1 + precision
    return positive / high + negative / low, positive / low + negative / high


def _is_between(ratio: float, low: float, high: float) -> bool:
    """Return whether a ratio, or its reciprocal, lies between two limits."""
    return bool(low < ratio < high or 1 / high < ratio < 1 / low)


STEPLEMAN_WINARSKY_BETA = 4.0


def stepleman_winarsky(scheme: DifferenceScheme, x: float, u: float) -> Search:  # noqa: ARG001  (central-2)
    """Divide the step by β = 4 as long as the changes of the quotient fall; the step before they rise is the best.

    It begins with β u^(1/3) |x|, |x| being 1 at 0, changed by factors of β until the difference loses between 0 and
    log₁₀(u^(−1/3) / β) decimal digits.

    References
    ----------
    R. S. Stepleman, N. D. Winarsky, Adaptive numerical differentiation, Math. Comp. 33 (1979) 1257-1264, equations
    2.3, 3.9-3.11, 3.15.
    """
    beta = STEPLEMAN_WINARSKY_BETA
    (centre,) = yield (0.0,)
    if not np.isfinite(centre):
        return np.nan, NOT_FINITE
    first = beta * u ** (1 / 3) * (abs(x) or 1.0)
    start = (yield from _losing_few_digits(first, centre, u)) if centre else first
    h = first if np.isnan(start) else start
    failure = "no first step loses as few digits as asked for" if np.isnan(start) else ""
    low, high = yield (-h, h)
    quotient, change = (high - low) / (2 * h), np.inf
    for _ in range(2 * MAX_ROUNDS):
        low, high = yield (-h / beta, h / beta)
        finer = (high - low) / (2 * h / beta)
        last, change = change, abs(finer - quotient)
        if change == 0 or change > last:
            return h, failure
        h, quotient = h / beta, finer
    return h, failure or "the changes of the quotient never rise"


def _losing_few_digits(h: float, centre: float, u: float) -> Generator[Sequence[float], Array, float]:
    """Return a step whose difference loses few digits, NaN if none is found."""
    allowed = -np.log10(u) / 3 - np.log10(STEPLEMAN_WINARSKY_BETA)
    for _ in range(MAX_ROUNDS):
        low, high = yield (-h, h)
        lost = np.log10(abs(centre / (high - low)))
        if 0 < lost < allowed:
            return h
        h = h * STEPLEMAN_WINARSKY_BETA if lost >= allowed else h / STEPLEMAN_WINARSKY_BETA
    return np.nan


SHI_LIMITS, SHI_GROWTH = (1.5, 6.0), 4.0


def shi_xie_xuan_nocedal(scheme: DifferenceScheme, x: float, u: float) -> Search:  # noqa: ARG001  (x is in f)
    """Bisect for a step at which the quotients at h and αh differ by 1.5 to 6 times what noise alone could make.

    With T(h) = h^m D(h) the testing ratio is |T(αh) − α^m T(h)| / (ε_f Σ|w|), the weights being those of the numerator.
    At the step that minimises the bound of the error it is 3 for the published α, which is 4 for forward-1 and 3 for
    central-2; for every other stencil α is, here, the number that makes it 3. The search begins where the ratio would
    be 1 if f^(m+p) were 1, as the paper does for forward-1. The noise is that of :func:`gill_murray_saunders_wright`,
    ε_f = u (1 + |f|).

    References
    ----------
    H.-J. M. Shi, Y. Xie, M. Q. Xuan, J. Nocedal, Adaptive finite-difference interval estimation for noisy
    derivative-free optimization, SIAM J. Sci. Comput. 44 (2022) A2302-A2321, sections 2 and 3.
    """
    (centre,) = yield (0.0,)
    if not np.isfinite(centre):
        return np.nan, NOT_FINITE
    noise = u * (1 + abs(centre))
    test = noise_test(_stencil(scheme))
    h, low, high = test.first * noise**test.power, 0.0, np.inf
    for _ in range(MAX_ROUNDS):
        values = yield [h * k for k in test.offsets]
        ratio = abs((values * test.weights).sum()) / (noise * test.noise)
        if SHI_LIMITS[0] <= ratio <= SHI_LIMITS[1]:
            return h, ""
        low, high = (h, high) if ratio < SHI_LIMITS[0] else (low, h)
        h = h * SHI_GROWTH if high == np.inf else h / SHI_GROWTH if low == 0 else (low + high) / 2
    return h, "no step has a testing ratio from 1.5 to 6"


class NoiseTest(NamedTuple):
    """The numerator of the testing ratio of a stencil, Σ w f(x + kh), and the first step noise^power · first."""

    alpha: float
    offsets: Array
    weights: Array
    noise: float
    """Σ|w|."""
    first: float
    power: float


@cache
def noise_test(stencil: Stencil) -> NoiseTest:
    """Return the testing ratio of a stencil, with the α that makes it 3 at the best step."""
    alpha = _alpha(stencil)
    offsets, weights = _numerator(stencil, alpha)
    noise = float(np.abs(weights).sum())
    m, p = stencil.derivative, int(stencil.order)
    slope = alpha**m * (alpha**p - 1) * abs(float(stencil.error_constant))
    power = 1 / (m + p)
    return NoiseTest(alpha, offsets, weights, noise, (noise / slope) ** power, power)


def _numerator(stencil: Stencil, alpha: float) -> tuple[Array, Array]:
    """Return offsets and weights of T(αh) − α^m T(h), those of the centre added up."""
    offsets = np.array([float(k) for k in stencil.offsets])
    weights = np.array([float(w) for w in stencil.weights])
    fine = -(alpha**stencil.derivative) * weights
    away = offsets != 0
    joined = np.concatenate([alpha * offsets[away], offsets[away], offsets[~away]])
    return joined, np.concatenate([weights[away], fine[away], (weights + fine)[~away]])


def _alpha(stencil: Stencil) -> float:
    """Return the α above 1 at which the testing ratio of the best step is 3, by bisection; it grows with α."""
    m, p = stencil.derivative, int(stencil.order)
    total = sum(abs(float(w)) for w in stencil.weights)
    low, high = 1.0, 8.0
    for _ in range(60):
        alpha = (low + high) / 2
        noise = float(np.abs(_numerator(stencil, alpha)[1]).sum())
        ratio = alpha**m * (alpha**p - 1) * m * total / (p * noise)
        low, high = (alpha, high) if ratio < 3 else (low, alpha)
    return high


MATHUR_TOLERANCE, MATHUR_SLOPES = 0.1, 3


def mathur(scheme: DifferenceScheme, x: float, u: float) -> Search:
    """Halve the step until the estimated truncation error stops falling as h^p; correct the last step that was valid.

    Truncation is estimated by |D(h) − D(h/2)| / (1 − 2^(−p)). Where its slope in logarithms has been p to 10 % for
    three steps or more and then is no longer, rounding has reached the *estimate*, in which it is
    t = (1 + 2) / (1 − 2^(−p)) times that of D: the best step is t^(−1/(1+p)) times the last valid one. The 10 %, the
    three steps, the first one, max(1, |x|) as a power of 2, and the step of the least estimate where the slope is never
    valid are choices made here.

    References
    ----------
    R. Mathur, An analytical approach to computing step sizes for finite-difference derivatives, PhD thesis, The
    University of Texas at Austin (2012), chapter 3.
    """
    stencil = _stencil(scheme)
    offsets, weights = (np.array([float(each) for each in row]) for row in (stencil.offsets, stencil.weights))
    order = int(stencil.order)
    shrunk = 1 - 2.0**-order
    h = 2 ** np.floor(np.log2(max(1.0, abs(x))))
    values = yield list(h * offsets)
    quotient, error, run, best, least = (values * weights).sum() / h, np.nan, 0, np.nan, (np.inf, np.nan)
    for _ in range(int(-np.log2(u))):
        values = yield list(h / 2 * offsets)
        finer = (values * weights).sum() / (h / 2)
        last, error = error, abs(quotient - finer) / shrunk
        if abs(np.log2(last / error) - order) <= MATHUR_TOLERANCE * order:
            run, best = run + 1, h
        elif run >= MATHUR_SLOPES:
            return best * (shrunk / 3) ** (1 / (1 + order)), ""
        else:
            run = 0
        least = min(least, (error, h)) if error > 0 else least
        h, quotient = h / 2, finer
    return least[1], f"the truncation error nowhere falls as the power {order} of the step"


def _stencil(scheme: DifferenceScheme) -> Stencil:
    """Return the stencil of a scheme that has not been refused."""
    stencil = scheme.equivalent_stencil
    if stencil is None:
        raise TypeError(f"{scheme.name} is no real stencil")
    return stencil
