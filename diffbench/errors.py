"""Errors that a user can meet, each with the exit code of the command line."""

from collections.abc import Iterable
from difflib import get_close_matches
from unicodedata import category

MAX_NAME = 200
MAX_MESSAGE = 1000


class DiffbenchError(Exception):
    """Base of all errors of this package; its message is one line that no terminal takes for commands."""

    exit_code = 70

    def __init__(self, message: str = "") -> None:
        super().__init__(defused(message)[:MAX_MESSAGE])


class InputError(DiffbenchError, ValueError):
    """An argument, formula or file says something that cannot be done; the message names it and the rule."""

    exit_code = 2


class FormulaError(InputError):
    """A formula that does not parse or passes a bound.

    Attributes
    ----------
    position : int
        Index of the first character that is wrong, from 0.
    variables : tuple of str
        Those of a formula of several where one is expected; else none.
    """

    def __init__(self, message: str, text: str, position: int, variables: tuple[str, ...] = ()) -> None:
        self.position = position
        self.variables = variables
        super().__init__(f"{message} at position {position} of {_excerpt(text, position)}")


class UnsupportedError(InputError):
    """A scheme cannot treat a function or dtype; in a sweep a status, not a mistake."""


class NotComparableError(DiffbenchError):
    """What should be compared has no common ground: another suite or schema, no baseline, an incomplete run."""

    exit_code = 4


class EmptySelectionError(InputError):
    """Nothing is left to do after selecting."""

    exit_code = 5


class UncertainError(DiffbenchError):
    """The exact derivative is not settled, or does not exist, where an answer was needed."""

    exit_code = 6


class InterruptedRunError(DiffbenchError):
    """A run that was interrupted and can be resumed; the message says how."""

    exit_code = 130


class StoreError(DiffbenchError):
    """Reading or writing a run failed."""

    exit_code = 74


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return "; did you mean …?" with the most similar name that is known, or nothing."""
    matches = get_close_matches(name[:60], list(known), n=1, cutoff=cutoff)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def defused(text: str) -> str:
    r"""Return a text with what is no letter, sign or blank as an escape sequence of Python.

    Control characters command a terminal, and marks of direction show a text as another one.

    Examples
    --------
    >>> defused("a" + chr(27) + "[2J")
    'a\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or category(c) == "Zs" else c.encode("unicode_escape").decode() for c in text)


def check_name(name: object, what: str) -> None:
    """Refuse a name that no table or file could show."""
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise InputError(f"{what}: the name {str(name)[:60]!r} is not a printable text of 1 to {MAX_NAME} characters")


def _excerpt(text: str, position: int, width: int = 40) -> str:
    """Return the formula, or its neighbourhood of the position, quoted and free of control characters."""
    start = max(0, position - width)
    end = position + width
    return ("…" if start else "") + ascii(text[start:end]) + ("…" if end < len(text) else "")
