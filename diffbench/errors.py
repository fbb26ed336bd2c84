"""Errors that a user can meet, each with the exit code of the command line."""


class DiffbenchError(Exception):
    """Base of all errors of this package."""

    exit_code = 70


class InputError(DiffbenchError, ValueError):
    """An argument, formula or file says something that cannot be done; the message names it and the rule."""

    exit_code = 2


class FormulaError(InputError):
    """A formula that does not parse or passes a bound.

    Attributes
    ----------
    position : int
        Index of the first character that is wrong, from 0.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        self.position = position
        super().__init__(f"{message} at position {position} of {_excerpt(text, position)}")


class UnsupportedError(InputError):
    """A scheme cannot treat a function or dtype; in a sweep a status, not a mistake."""


class EmptySelectionError(InputError):
    """Nothing is left to do after selecting."""

    exit_code = 5


class UncertainError(DiffbenchError):
    """The exact derivative is not settled, or does not exist, where an answer was needed."""

    exit_code = 6


class StoreError(DiffbenchError):
    """Reading or writing a run failed."""

    exit_code = 74


def _excerpt(text: str, position: int, width: int = 40) -> str:
    """Return the formula, or its neighbourhood of the position, quoted and free of control characters."""
    start = max(0, position - width)
    end = position + width
    return ("…" if start else "") + ascii(text[start:end]) + ("…" if end < len(text) else "")
