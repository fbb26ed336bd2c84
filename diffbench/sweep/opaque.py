"""Calling opaque schemes, once a cell; whatever one of them raises, or however long it takes, costs that cell only."""

import pickle
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from importlib import import_module
from time import perf_counter
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from diffbench.children import Child, LateError, LostError, answer_all
from diffbench.errors import UnsupportedError
from diffbench.functions.compile import compile_formula
from diffbench.functions.function import Function
from diffbench.functions.grammar import parse_formula
from diffbench.schemes.plugins import Unusable
from diffbench.schemes.scheme import OpaqueScheme, Plugin
from diffbench.sweep.cells import Part
from diffbench.sweep.nodes import describe
from diffbench.sweep.results import Record, Status
from diffbench.sweep.watched import Watched

Array = npt.NDArray[Any]
Outcomes = dict[tuple[int, ...], tuple[Status, str]]


class Answer(NamedTuple):
    """What a contestant answered in one cell, what was written down meanwhile, and the seconds that it took."""

    estimate: float = np.nan
    error_estimate: float = np.nan
    evaluations: int = 0
    record: Record = Record()
    status: Status = Status.OK
    reason: str = ""
    seconds: float = np.nan


def call_opaque(
    part: Part, scheme: OpaqueScheme, function: Function, x: Array, epsilons: Array, *, time_limit: float
) -> Outcomes:
    """Fill a part with the answers of a scheme, and return what became of the cells that have none.

    Parameters
    ----------
    part : Part
        (P, E), or (P, 1) for a scheme without an epsilon. Where epsilon is 0 nothing is called.
    scheme, function : OpaqueScheme, Function
        What is called, and on what.
    x, epsilons : array
        P points and E epsilons of the working dtype.
    time_limit : float
        Seconds for a call of another package. Where one is late, the rest of the part is not tried.

    Returns
    -------
    dict
        Status and reason by cell: unsupported, domain or failed.
    """
    steps: list[tuple[Any, ...]] = [(epsilon,) for epsilon in epsilons] if scheme.takes_epsilon else [()]
    outcomes: Outcomes = {}
    with asking(scheme, function, time_limit) as ask:
        for place in np.ndindex(*part.status.shape):
            step = steps[place[1]]
            if step and step[0] == 0:
                continue
            answer = ask(x[place[0]], step)
            part.fill(place, answer.estimate, answer.error_estimate, answer.evaluations, answer.record)
            if answer.status is not Status.OK:
                outcomes[place] = answer.status, answer.reason
    return outcomes


def answer_to(scheme: OpaqueScheme, function: Function, x: Any, step: tuple[Any, ...]) -> Answer:
    """Call a contestant at a point, with an epsilon if it takes one; return its answer, or what became of it."""
    f = Watched(function, x.dtype.name)
    estimate, error_estimate, status, reason = np.nan, np.nan, Status.OK, ""
    start = perf_counter()
    try:
        with np.errstate(all="ignore"):
            estimate, error_estimate = _numbers(scheme.call(f, x, *step))
    except UnsupportedError as error:
        status, reason = Status.UNSUPPORTED, str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  (whatever a contestant raises is its result)
        status, reason = Status.FAILED, describe(error)
    seconds = perf_counter() - start
    if f.left and status is not Status.UNSUPPORTED:
        status, reason = Status.DOMAIN, f.left
    return Answer(estimate, error_estimate, f.evaluations, f.record(x), status, reason, seconds)


def _numbers(answer: Any) -> tuple[float, float]:
    """Return the estimate and the error estimate (NaN if there is none)."""
    estimate, error = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, np.nan)
    if np.size(estimate) != 1 or np.size(error) != 1 or np.asarray(estimate).dtype.kind not in _REAL:
        array = f"an array of shape {np.shape(estimate)}, {np.asarray(estimate).dtype}"
        raise TypeError(f"it answered {f'{estimate!r:.60}' if isinstance(estimate, str) else array}, not a real number")
    return float(np.asarray(estimate).item()), float(np.asarray(error).item())


_REAL = "fiuO"
"""Kinds of dtypes that may hold a real number; objects are those of packages with an arithmetic of their own."""


# packages, in processes of their own ----------------------------------------------------------------------------------

IMPORT_LIMIT = 60.0
"""Seconds for the import of a package, which is not counted as a call."""

_IDLE: defaultdict[Plugin | None, deque[Child]] = defaultdict(deque)
"""Child processes that nobody is asking, as many as threads have asked at a time; every plug-in has its own."""


Ask = Callable[[Any, tuple[Any, ...]], Answer]
"""Takes x, and the epsilon or nothing."""


@contextmanager
def asking(scheme: OpaqueScheme, function: Function, time_limit: float) -> Iterator[Ask]:
    """Return what answers for a scheme: this process, or for a package one that can be ended.

    Nothing of a plug-in is ever run in this process.
    """
    is_ours = scheme.plugin is None and (not scheme.package or function.evaluate is not None)
    if is_ours or isinstance(scheme.call, Unusable):
        yield partial(answer_to, scheme, function)
        return
    idle = _IDLE[scheme.plugin]
    try:
        child = idle.pop()
    except IndexError:
        child = Child(__name__)
    try:
        yield _Patience(child, scheme, function, time_limit).ask
    finally:
        idle.append(child)


class _Patience:
    """A child that is asked about one scheme and function until an answer is late."""

    def __init__(self, child: Child, scheme: OpaqueScheme, function: Function, seconds: float) -> None:
        self._child = child
        self._seconds = seconds
        self._is_over = False
        self._refusal = ""
        try:
            self._subject = pickle.dumps((scheme, function))
            child.ask(_imported(scheme), IMPORT_LIMIT)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            self._refusal = f"it cannot be sent to another process: {describe(error)}"
        except (LateError, LostError):
            self._refusal = "importing the package ends its process, or does not end"

    def ask(self, x: Any, step: tuple[Any, ...]) -> Answer:
        if self._refusal:
            return Answer(status=Status.FAILED, reason=self._refusal)
        if self._is_over:
            return Answer(status=Status.FAILED, reason="not tried, since another call gave no answer in time")
        try:
            answer: Answer = self._child.ask((self._subject, x, step), self._seconds)[0]
        except LateError:
            self._is_over = True
            return Answer(status=Status.FAILED, reason=f"no answer within {self._seconds:g} s")
        except LostError:
            return Answer(status=Status.FAILED, reason="it ended its process")
        return answer


def _imported(scheme: OpaqueScheme) -> str:
    """Return the name of the module that a scheme needs."""
    if scheme.plugin is not None:
        return scheme.plugin.value.partition(":")[0].strip()
    return scheme.package.lower().replace("-", "_")


def serve(answers: IO[bytes]) -> None:
    """Answer the questions of a parent; what f imports is none of the contestants' time."""
    compile_formula(parse_formula("erf(x)"), "float64")
    answer_all(answers, _answer)


def _answer(request: str | tuple[bytes, Any, tuple[Any, ...]]) -> Answer:
    """Answer a question; a mere name is that of a module, which is imported before the first one."""
    if isinstance(request, str):
        # What it raises is said by the first call, which imports it again.
        with suppress(Exception, SystemExit):
            import_module(request)
        return Answer()
    content, x, step = request
    try:
        scheme, function = _subject(content)
    except Exception as error:  # noqa: BLE001  (whatever importing the adapter raises is its result)
        return Answer(status=Status.FAILED, reason=f"it cannot be imported in another process: {describe(error)}")
    return answer_to(scheme, function, x, step)


@lru_cache(maxsize=1)
def _subject(content: bytes) -> tuple[OpaqueScheme, Function]:
    """Return scheme and function, which many questions in a row have in common."""
    subject: tuple[OpaqueScheme, Function] = pickle.loads(content)  # our own parent wrote it  # noqa: S301  # nosec B301
    return subject
