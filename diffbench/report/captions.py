"""Captions: plain text made from what made the figure or table, rendered for HTML, Markdown and LaTeX from one source.

Numbers have their units, and the words of the glossary are linked where they are first mentioned.
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import resources
from math import isfinite
from typing import NamedTuple

from markupsafe import Markup, escape

from diffbench.analysis.scheme_profiles import Pool, window_of
from diffbench.dtypes import DEFAULT_EPSILONS
from diffbench.functions.frameworks import NUMPY
from diffbench.functions.suites import parse_toml
from diffbench.report.escape import escape_latex, escape_markdown
from diffbench.report.table import ordinal
from diffbench.rounding import shown, unit_roundoff
from diffbench.sweep.epsilons import grid_of
from diffbench.sweep.spec import evaluator_of
from diffbench.sweep.wide import as_double

USUAL_EPSILON = "usual ε: u^(1/(m+p)) · max(1, |x|), for the complex step u · max(1, |x|)"
NO_ANSWER = "no answer counts as 0 digits, fewer than −2 are drawn as −2"


@dataclass(frozen=True)
class Scope:
    """What a figure of a derivative and dtype was drawn from.

    Attributes
    ----------
    derivative, dtype : int, str
        Which.
    functions, problems, schemes : int
        How many functions there are, problems that could be judged, and schemes.
    emphasised : int
        How many schemes are named.
    zero, unsettled : int
        Problems left out, since their derivative is 0 or their reference is not settled.
    has_usual : bool
        Whether the usual step rule was run.
    epsilons : int
        How many there are on the grid.
    largest, smallest : Fraction
        Its ends.
    evaluator : str
        What computed the functions.
    """

    derivative: int
    dtype: str
    functions: int
    problems: int
    schemes: int
    emphasised: int
    zero: int
    unsettled: int
    has_usual: bool
    epsilons: int
    largest: Fraction
    smallest: Fraction
    evaluator: str = NUMPY


def computed(spec: str) -> str:
    """Return what a caption adds where it is not numpy that computed the functions of a run.

    Parameters
    ----------
    spec : str
        That of the run, in its canonical form.

    Examples
    --------
    >>> computed('evaluator = "torch"')
    '; f computed by torch'
    """
    evaluator = evaluator_of(spec)
    return "" if evaluator == NUMPY else f"; f computed by {evaluator}"


def scope_of(pool: Pool, spec: str, emphasised: int) -> Scope:
    """Return what the figures of a pool are drawn from.

    Parameters
    ----------
    pool : Pool
        The problems.
    spec : str
        That of the run, in its canonical form.
    emphasised : int
        How many schemes the figures name.
    """
    grid = grid_of(parse_toml(spec, "spec of the run").get("epsilons", DEFAULT_EPSILONS), pool.dtype)
    return Scope(
        pool.derivative,
        pool.dtype,
        len(pool.functions),
        pool.x.size,
        len(pool.schemes),
        emphasised,
        pool.zero,
        pool.unsettled,
        pool.usual is not None,
        len(grid),
        grid[0],
        grid[-1],
        evaluator_of(spec),
    )


def profile_caption(scope: Scope) -> str:
    """Return what the performance profiles show."""
    return _joined(
        f"performance profiles (Dolan and Moré 2002) of {_what(scope)}",
        "the share of problems on which the error of a scheme is within a factor of the least error of any scheme; up "
        "and to the left is better",
        f"errors below half the unit roundoff, u = {unit_roundoff(scope.dtype):.2g}, count as that half",
        "who has no answer is within no factor",
        _left_out(scope),
        _epsilons(scope),
    )


def work_precision_caption(scope: Scope, fronts: Sequence[Sequence[str]], mute: int = 0) -> str:
    """Return what the figure of work and precision shows, and which schemes are on the front, or on the next one.

    Parameters
    ----------
    scope : Scope
        What it was drawn from.
    fronts : sequence of sequence of str
        The schemes on the front; where that is a single one, those on the front of the others too.
    mute : int
        How many schemes are left out, since they have no answer.
    """
    return _joined(
        f"evaluations of f for one estimate, and digits, of {_what(scope)}",
        _mute(mute),
        "digits: for each function the median over its points, then the median over functions; up and to the left is "
        f"better; {NO_ANSWER}",
        "filled markers at the optimal ε" + (", hollow ones at the usual ε" if scope.has_usual else ""),
        *_fronts(fronts),
        _epsilons(scope),
    )


def _fronts(fronts: Sequence[Sequence[str]]) -> list[str]:
    """Return which schemes are on the fronts; a front of one is the best of all, and no line."""
    alone = [front[0] for front in fronts[:1] if len(front) == 1]
    lines = zip(("on the front, dashed", "on the next front, dotted"), fronts, strict=False)
    best = [f"most digits and fewest evaluations: {scheme}" for scheme in alone]
    return best + [f"{words}, from cheap to dear: {', '.join(front)}" for words, front in lines if len(front) > 1]


def classes_caption(scope: Scope, what: str, shown: int, left_out: int, mute: int = 0) -> str:
    """Return what the figure of digits by class shows.

    Parameters
    ----------
    scope : Scope
        What it was drawn from.
    what : str
        ``class`` or ``function``.
    shown, left_out : int
        How many of these are shown, and have no room.
    mute : int
        How many schemes are left out, since they have no answer.
    """
    by = "by class of function, its first tag" if what == "class" else "by function"
    over = "for each function the median over its points, then the median over the class"
    return _joined(
        f"digits {by}, of {_what(scope)}",
        _mute(mute),
        f"{over if what == 'class' else 'the median over the points'}; {NO_ANSWER}; further to the right is better",
        "filled markers at the optimal ε" + (", hollow ones at the usual ε" if scope.has_usual else ""),
        f"{shown} shown, {left_out} of the fewest functions left out" if left_out else "",
        _epsilons(scope),
    )


def over_x_caption(scope: Scope) -> str:
    """Return what the figure of digits along x shows."""
    return _joined(
        f"digits along x, all functions together, of {_what(scope)}",
        f"running median over the {counted(window_of(scope.problems), 'problem')} nearest in the order of x, and all "
        f"at the same x; {NO_ANSWER}; up is better",
        "floating-point numbers are evenly spread on the axis, but for those nearer to 0 than any point",
        _left_out(scope),
        _epsilons(scope),
    )


def _what(scope: Scope) -> str:
    """Return how many schemes and problems there are, of which derivative and dtype."""
    named = f" ({scope.emphasised} named, the others grey)" if scope.emphasised < scope.schemes else ""
    problems = f"{counted(scope.problems, 'problem')} ({counted(scope.functions, 'function')} at their points)"
    which = f"{ordinal(scope.derivative)} derivative, {scope.dtype}"
    which += f", f computed by {scope.evaluator}" if scope.evaluator != NUMPY else ""
    return f"{counted(scope.schemes, 'scheme')}{named} on {problems}, {which}"


def _mute(schemes: int) -> str:
    return f"{counted(schemes, 'scheme')} without any answer left out" if schemes else ""


def _left_out(scope: Scope) -> str:
    why = ((scope.zero, "whose derivative is 0"), (scope.unsettled, "whose reference is not settled"))
    said = [f"{counted(number, 'problem')} {words}" for number, words in why if number]
    return f"left out: {' and '.join(said)}" if said else ""


def _epsilons(scope: Scope) -> str:
    ends = f"from {_short(scope.largest)} to {_short(scope.smallest)}"
    grid = f"optimal ε: the best of {scope.epsilons} {ends}, by the running median"
    return f"{grid}; {USUAL_EPSILON}" if scope.has_usual else grid


def _short(value: Fraction) -> str:
    double = as_double(value)
    return f"{double:.3g}" if double and isfinite(double) else shown(value)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def counted(number: int, what: str, several: str = "") -> str:
    """Return so many of something, in words."""
    return f"{number:,} {what if number == 1 else several or what + 's'}"


class Term(NamedTuple):
    """A word of the glossary.

    Attributes
    ----------
    term, id : str
        The word, and what a link to it ends in, after ``term-``.
    definition : str
        A sentence or two.
    symbol : str
        How formulas write it; may be empty.
    words : tuple of str
        What mentions it.
    """

    term: str
    id: str
    definition: str
    symbol: str
    words: tuple[str, ...]


@cache
def glossary() -> tuple[Term, ...]:
    """Return the words of the glossary in the order in which they are explained."""
    text = resources.files("diffbench.report").joinpath("glossary.toml").read_text("utf-8")
    return tuple(
        Term(row["term"], row["id"], row["definition"], row.get("symbol", ""), (*row["words"], *row.get("plural", ())))
        for row in tomllib.loads(text)["terms"]
    )


def glossary_entries() -> list[tuple[str, str, str]]:
    """Return term, id and definition of each word of the glossary."""
    return [(each.term, each.id, each.definition) for each in glossary()]


def to_html(text: str, glossary_page: str = "") -> Markup:
    """Return a caption for a page, the first mention of each word of the glossary linked to it.

    Parameters
    ----------
    text : str
        Plain: what looks like markup is shown as it is.
    glossary_page : str
        Where the glossary is, if not on the same page.

    Examples
    --------
    >>> print(to_html("f < g on 3 cells"))
    f &lt; g on 3 <a href="#term-cell">cells</a>
    """
    link = Markup('<a href="{}#term-{}">{}</a>')
    return Markup("").join(_linked(text, escape, lambda word, term: link.format(glossary_page, term.id, word)))


def to_markdown(text: str, glossary_page: str | None = None) -> str:
    r"""Return a caption for Markdown, with links to the glossary if there is a page of it.

    Examples
    --------
    >>> to_markdown("a_b in 3 cells", "glossary.md")
    'a\\_b in 3 [cells](glossary.md#term-cell)'
    """
    if glossary_page is None:
        return escape_markdown(text)
    plain = " ".join(text.split())
    link = f"({glossary_page}#term-"
    return "".join(_linked(plain, _spaced_markdown, lambda word, term: f"[{escape_markdown(word)}]{link}{term.id})"))


def to_latex(text: str) -> str:
    r"""Return a caption for LaTeX, which prints it as it is.

    Examples
    --------
    >>> print(to_latex("50 % of x_1"))
    50 \% of x\_1
    """
    return escape_latex(text)


def _spaced_markdown(text: str) -> str:
    """Escape a piece of a text, with the spaces at its ends."""
    start, end = (" " * (text[:1].isspace())), (" " * (text[-1:].isspace()))
    return f"{start}{escape_markdown(text)}{end}" if text.strip() else text


def _linked(text: str, plain: Callable[[str], str], link: Callable[[str, Term], str]) -> list[str]:
    """Return the pieces of a text, the first mention of each term as a link and all else as it is in plain."""
    pieces, done, seen = [], 0, set()
    for found in _mentions().finditer(text):
        term = _by_word()[found[0].lower()]
        if term.id not in seen:
            seen.add(term.id)
            pieces += [plain(text[done : found.start()]), link(found[0], term)]
            done = found.end()
    return [*pieces, plain(text[done:])]


@cache
def _by_word() -> dict[str, Term]:
    """Return the terms by all that mentions them, plurals too."""
    words = {word.lower(): term for term in glossary() for word in term.words}
    return {f"{word}s": term for word, term in words.items() if word[-1] != "s"} | words


@cache
def _mentions() -> re.Pattern[str]:
    """Return what finds the words, the longest first; parts of words and of names with hyphens are none."""
    words = sorted(_by_word(), key=lambda word: (-len(word), word))
    return re.compile(rf"(?<![\w/-])(?:{'|'.join(map(re.escape, words))})(?![\w/-])", re.IGNORECASE)


def glossary_markdown() -> str:
    """Return the glossary as a page beside a report in Markdown."""
    lines = ["# Glossary", "", "One word for each thing. Captions of figures and tables link to them.", ""]
    for each in glossary():
        symbol = f" ({escape_markdown(each.symbol)})" if each.symbol else ""
        definition = escape_markdown(each.definition)
        lines.append(f'- <a id="term-{each.id}"></a>**{escape_markdown(each.term)}**{symbol}: {definition}')
    return "\n".join(lines) + "\n"
