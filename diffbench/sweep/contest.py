"""Other packages in a sweep: what a contest of libraries runs, who took part in one, and how long they take."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.dtypes import DEFAULT_EPSILONS
from diffbench.errors import EmptySelectionError, InputError, StoreError
from diffbench.functions.function import Function
from diffbench.functions.suites import load_suite
from diffbench.rounding import round_array
from diffbench.schemes.libraries import LIBRARIES, find_library, known_library, libraries
from diffbench.schemes.library import Library
from diffbench.schemes.scheme import FAMILIES, Scheme, parse_scheme, split_derivative
from diffbench.sweep.files import write_file
from diffbench.sweep.opaque import asking
from diffbench.sweep.results import Results, Status
from diffbench.sweep.spec import Spec

Array = npt.NDArray[Any]

SUITES = ("standard", "published")
DTYPES = ("float64", "float32")
PEERS = ("forward-1", "central-2", "central-4", "central-8", "complex-step")
"""Schemes of the catalogue that every contest has, so that each library is beside one of its class."""

CALL_LIMIT = 10.0
"""Seconds for a call of a library."""


def contest_spec(
    suites: Sequence[str] = SUITES,
    names: Sequence[str] = (),
    derivatives: Sequence[int] = (1,),
    dtypes: Sequence[str] = DTYPES,
    *,
    swept: bool = False,
    time_limit: float = CALL_LIMIT,
) -> Spec:
    """Return what a contest runs.

    Parameters
    ----------
    suites : sequence of str
        The functions.
    names : sequence of str
        Libraries, or packages for all of theirs; by default all that are known, installed or not.
    derivatives, dtypes : sequence
        As in a spec. A library takes part in those that it has.
    swept : bool
        Whether those take part that are told an epsilon, over the grid; they take many times as long.
    time_limit : float
        Seconds for each call.

    Raises
    ------
    InputError
        If there is no library of a name.
    EmptySelectionError
        If no library is left.
    """
    chosen = [each for each in chosen_libraries(names) if swept or not each.takes_epsilon]
    schemes: list[Scheme] = [peer for m in derivatives for peer in _peers(m)]
    contestants = [each.scheme(m) for m in derivatives for each in chosen if m in each.derivatives]
    options = {"rules": [], "time_limit": time_limit}
    spec = Spec(list(suites), [*schemes, *contestants], DEFAULT_EPSILONS, list(derivatives), list(dtypes), **options)
    if not contestants:
        raise EmptySelectionError("libraries: none is left; some take part only in other derivatives, or swept")
    return spec


def chosen_libraries(names: Iterable[str]) -> tuple[Library, ...]:
    """Return the libraries of these names, or of the packages of these names; without any, all."""
    known, found = libraries(), dict[str, Library]()
    for name in names:
        own = [each for each in known if each.package == name] or [find_library(name)]
        found |= {each.name: each for each in own}
    return tuple(found.values()) or known


def _peers(derivative: int) -> list[Scheme]:
    found: list[Scheme] = []
    for name in PEERS:
        try:
            found.append(parse_scheme(name, derivative))
        except InputError:
            continue
    return found


def contestants_of(results: Results) -> tuple[Library, ...]:
    """Return the libraries that took part in a run."""
    names = {split_derivative(scheme)[0] for part in results.curves for scheme in part.schemes}
    others = map(known_library, sorted(names - {each.name for each in LIBRARIES} - {*PEERS, *FAMILIES}))
    return (*(each for each in LIBRARIES if each.name in names), *(each for each in others if each is not None))


# time -----------------------------------------------------------------------------------------------------------------

ROUNDS = 9
PROBLEMS = 6
EPSILON = 2.0**-20
TIMINGS = "timings.json"
TIMINGS_CRITERION = (
    "µs for one first derivative in float64, evaluations of f included, which are watched and cost some 10 µs each; "
    "medians over functions of the median and the quartiles over rounds in which the libraries take turns; advisory: "
    "another machine, or another load, has other times"
)


class Timing(NamedTuple):
    """How long a library takes for a derivative, as seconds: advisory, since it depends on what else runs.

    Attributes
    ----------
    library, package : str
        Who.
    problems, rounds : int
        At how many functions, and how often at each.
    seconds : float or None
        The median of the functions' medians; None where it answered at none of them.
    low, high : float or None
        The same at the lower and the upper quartile over rounds: how far the clock can be trusted.
    """

    library: str
    package: str
    problems: int
    rounds: int
    seconds: float | None
    low: float | None
    high: float | None


def timings(
    contestants: Sequence[Library],
    functions: Sequence[Function] = (),
    rounds: int = ROUNDS,
    time_limit: float = CALL_LIMIT,
    progress: Callable[[int], None] | None = None,
) -> list[Timing]:
    """Time a derivative by each library, in rounds in which all of them come in turn.

    Parameters
    ----------
    contestants : sequence of Library
        Who; only those that have the first derivative are timed, each at the functions at which it has an answer.
    functions : sequence of Function, optional
        Each at its first point; by default a few from all over the standard suite.
    rounds : int
        How often.
    time_limit : float
        Seconds for a call.
    progress : callable, optional
        Called after each round with 1.
    """
    standard = load_suite("standard").functions
    problems = functions or standard[:: len(standard) // PROBLEMS]
    contestants = [each for each in contestants if 1 in each.derivatives]
    taken = np.full((len(contestants), len(problems), rounds), np.nan)
    for turn in range(rounds + 1):
        for place, function in enumerate(problems):
            for row, library in enumerate(contestants):
                seconds = _seconds(library, function, time_limit)
                # The first round imports the packages.
                if turn:
                    taken[row, place, turn - 1] = seconds
        if progress is not None:
            progress(1)
    return [_timing(library, own) for library, own in zip(contestants, taken, strict=True)]


def write_timings(rows: Sequence[Timing], folder: str | Path) -> None:
    """Write timings into a run folder, beside what is the same every time."""
    text = json.dumps([row._asdict() for row in rows], indent=1, allow_nan=False)
    write_file(Path(folder) / TIMINGS, text + "\n")


def read_timings(folder: str | Path) -> list[Timing]:
    """Return the timings of a run folder; none where it has not been timed."""
    path = Path(folder) / TIMINGS
    if not path.is_file():
        return []
    try:
        return [Timing(**row) for row in json.loads(path.read_text("utf-8"))]
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path}: no timings: {error}") from error


def _seconds(library: Library, function: Function, time_limit: float) -> float:
    x = round_array(function.points[:1], "float64")[0]
    step = (np.float64(EPSILON),) if library.takes_epsilon else ()
    scheme = library.scheme()
    with asking(scheme, function, time_limit) as ask:
        answer = ask(x, step)
    return answer.seconds if answer.status is Status.OK else np.nan


def _timing(library: Library, taken: Array) -> Timing:
    """Return the medians over functions of the quartiles over rounds; (functions, rounds) seconds were taken."""
    known = taken[~np.isnan(taken).any(axis=1)]
    low, middle, high = np.median(np.quantile(known, [0.25, 0.5, 0.75], axis=1), axis=1) if known.size else [None] * 3
    return Timing(library.name, library.package, len(known), taken.shape[1], middle, low, high)
