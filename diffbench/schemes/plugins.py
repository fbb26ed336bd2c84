"""Schemes and libraries of other packages, which these register as entry points.

An entry point ``NAME = module:object`` of the group ``diffbench.schemes`` offers a :class:`Stencil`, an
:class:`OpaqueScheme`, or a tuple of them; one of the group ``diffbench.libraries`` a :class:`Library` or a tuple of
them. What it offers is called NAME, or begins with NAME and a hyphen, so that whoever asks for something else never
loads it.

None of its code runs in this process: an entry point is loaded in a child, which answers what it offers as data, and
what it offers is called in another child. A stencil is data altogether.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from diffbench.children import Child, LateError, LostError, answer_all
from diffbench.errors import MAX_NAME, DiffbenchError, InputError
from diffbench.schemes.library import Library
from diffbench.schemes.scheme import (
    DifferenceScheme,
    OpaqueScheme,
    Plugin,
    Scheme,
    StencilScheme,
    is_scheme_name,
    scheme_name,
    split_derivative,
)
from diffbench.schemes.stencil import Stencil

SCHEMES = "diffbench.schemes"
LIBRARIES = "diffbench.libraries"

LOAD_LIMIT = 30.0
"""Seconds for the loading of one entry point."""

Offer = Library | Scheme


class PluginError(Exception):
    """A plug-in that is asked for a derivative cannot be used."""


@dataclass(frozen=True)
class PluginCall:
    """The call of something that a plug-in offers; the plug-in is loaded where it is called, which is in a child."""

    plugin: Plugin
    name: str

    def __call__(self, *arguments: Any) -> Any:
        """Return what it answers."""
        return _calls(self.plugin)[self.name](*arguments)


@dataclass(frozen=True)
class Unusable:
    """The call of what a plug-in would have offered, had it been possible to load it."""

    reason: str

    def __call__(self, *_: Any) -> Any:
        """Raise the reason."""
        raise PluginError(self.reason)


# looking up -----------------------------------------------------------------------------------------------------------


def installed(group: str) -> tuple[Plugin, ...]:
    """Return the entry points of a group, by name; none of them is loaded."""
    return _installed(group, tuple((place, _changed(place)) for place in sys.path))


@lru_cache(maxsize=4)
def _installed(group: str, _: tuple[tuple[str, int | None], ...]) -> tuple[Plugin, ...]:
    """Return what the metadata of all packages say; they are read again when one has come or gone."""
    found = metadata.entry_points(group=group)
    return tuple(
        sorted(Plugin(group, each.name, each.value, (each.dist and each.dist.name) or each.name) for each in found)
    )


def _changed(place: str) -> int | None:
    try:
        return Path(place).stat().st_mtime_ns
    except (OSError, ValueError):
        return None


def everything(group: str) -> Iterator[Offer]:
    """Yield all that the entry points of a group offer; one that cannot be used offers nothing."""
    for plugin in installed(group):
        yield from _usable(plugin)


def broken(group: str) -> list[str]:
    """Return a sentence for each entry point of a group that cannot be used."""
    return [said for plugin in installed(group) if isinstance(said := offers_of(plugin), str)]


def find_library(name: str) -> Library | None:
    """Return the library that a plug-in offers under a name, None if none does."""
    offers = (each for plugin in _owners(LIBRARIES, name) for each in _usable(plugin))
    return next((each for each in offers if isinstance(each, Library) and each.name == name), None)


def why_not(name: str) -> list[str]:
    """Return a sentence for each plug-in of a name that cannot be used."""
    return [said for plugin in _owners(LIBRARIES, name) if isinstance(said := offers_of(plugin), str)]


def find_scheme(family: str, derivative: int) -> Scheme | None:
    """Return the scheme that a plug-in offers under a name, None if there is no plug-in of that name.

    Raises
    ------
    InputError
        If it is offered for other derivatives only.
    """
    owners = [*_owners(SCHEMES, family), *_owners(LIBRARIES, family)]
    known: list[int] = []
    for each in (each for plugin in owners for each in _usable(plugin)):
        if isinstance(each, Library):
            if each.name == family:
                return each.scheme(derivative)
        elif split_derivative(each.name)[0] == family:
            known.append(each.derivative)
            if each.derivative == derivative:
                return each
    if known:
        raise InputError(f"scheme: {family} has no derivative {derivative}, only {', '.join(map(str, known))}")
    name = scheme_name(family, derivative)
    for plugin in owners:
        if isinstance(why := offers_of(plugin), str):
            return OpaqueScheme(name, Unusable(why), derivative, False, plugin.package, plugin)
    return None


def _owners(group: str, name: str) -> list[Plugin]:
    """Return the entry points to which a name belongs: of those that it begins with the longest, of any package."""
    own = [plugin for plugin in installed(group) if _belongs(name, plugin)]
    longest = max((len(plugin.name) for plugin in own), default=0)
    return [plugin for plugin in own if len(plugin.name) == longest]


def _belongs(name: str, plugin: Plugin) -> bool:
    return name == plugin.name or name.startswith(f"{plugin.name}-")


def _usable(plugin: Plugin) -> tuple[Offer, ...]:
    offers = offers_of(plugin)
    return () if isinstance(offers, str) else offers


@cache
def offers_of(plugin: Plugin) -> tuple[Offer, ...] | str:
    """Return what an entry point offers, or a sentence that says why it cannot be used."""
    child = Child(__name__)
    offers: tuple[Offer, ...] | str
    try:
        offers, _ = child.ask(plugin, LOAD_LIMIT)
    except LateError:
        offers = f"loading it takes more than {LOAD_LIMIT:g} s"
    except LostError:
        offers = "loading it ends its process"
    finally:
        child.end()
    return (
        f"the entry point {plugin.name} of {plugin.package} cannot be used: {offers}"
        if isinstance(offers, str)
        else offers
    )


# in a child -----------------------------------------------------------------------------------------------------------


def serve(answers: IO[bytes]) -> None:
    """Answer what entry points offer."""
    answer_all(answers, _answer)


def _answer(plugin: Plugin) -> tuple[Offer, ...] | str:
    """Return what an entry point offers in words of this package, or what is wrong with it."""
    try:
        offers = tuple(_described(each, plugin) for each in _load(plugin))
        names = [each.name for each in offers]
        if doubled := next((name for name in names if names.count(name) > 1), None):
            return f"it offers {doubled} twice"
    except DiffbenchError as error:
        return _one_line(str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever another package raises is why)
        return _one_line(f"{type(error).__name__}: {error}")
    return offers


def _one_line(text: str) -> str:
    """Return a text that no terminal obeys."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))[:MAX_NAME]


def _load(plugin: Plugin) -> tuple[Any, ...]:
    loaded = metadata.EntryPoint(plugin.name, plugin.value, plugin.group).load()
    return loaded if isinstance(loaded, tuple) else (loaded,)


@cache
def _calls(plugin: Plugin) -> dict[str, Callable[..., Any]]:
    return {each.name: each.call for each in _load(plugin) if isinstance(each, (Library, OpaqueScheme))}


def _described(thing: Any, plugin: Plugin) -> Offer:
    """Return something as data that need none of the plug-in's modules."""
    offer = _library(thing, plugin) if plugin.group == LIBRARIES else _scheme(thing, plugin)
    if not _belongs(offer.name, plugin):
        raise InputError(f"{offer.name} does not begin with {plugin.name}")
    if is_scheme_name(offer.name):
        raise InputError(f"{offer.name} is the name of a scheme of the catalogue")
    return offer


def _library(thing: Any, plugin: Plugin) -> Library:
    if not isinstance(thing, Library):
        raise InputError(f"{thing!r:.60} is not a Library")
    texts = (str(thing.name), str(thing.package), str(thing.peer))
    derivatives = tuple(map(int, thing.derivatives))
    call = PluginCall(plugin, texts[0])
    return Library(*texts, call, derivatives, bool(thing.takes_epsilon), str(thing.description), plugin)


def _scheme(thing: Any, plugin: Plugin) -> Scheme:
    if isinstance(thing, OpaqueScheme):
        name, derivative = str(thing.name), int(thing.derivative)
        if scheme_name(split_derivative(name)[0], derivative) != name:
            raise InputError(f"{name} does not end like a scheme for derivative {derivative}")
        call = PluginCall(plugin, name)
        return OpaqueScheme(name, call, derivative, bool(thing.takes_epsilon), plugin.package, plugin)
    if isinstance(thing, (Stencil, StencilScheme)):
        given = thing if isinstance(thing, Stencil) else thing.stencil
        stencil = Stencil(given.offsets, given.weights)
        name = plugin.name if isinstance(thing, Stencil) else split_derivative(str(thing.name))[0]
        return StencilScheme(scheme_name(name, stencil.derivative), stencil.derivative, stencil, plugin=plugin)
    if isinstance(thing, DifferenceScheme):
        raise InputError(f"{thing.name} is a class of its own, which nothing could stop; offer an OpaqueScheme")
    raise InputError(f"{thing!r:.60} is neither a Stencil nor an OpaqueScheme")
