"""Whose points: all identifiers of a person, as the river knows them now."""

from __future__ import annotations

from collections.abc import Iterable

from cauce.commerce.loyalty.lots import CIRCLE_MAX
from cauce.errors import DefinitionInvalid, NotFound
from cauce.identity.api import People
from cauce.model import Identifier


def identifiers_of(people: People, key: str) -> tuple[str, ...]:
    """Identifiers (`kind:value`, normalised) of whom a person's id or one identifier names, that one first.

    An identifier that the river never saw stands for itself: a card may be handed out before it is shown anywhere.
    NotFound for an id that names nobody, DefinitionInvalid for what is neither.
    """
    kind, colon, value = key.partition(":")
    if not colon:
        return _named(str(each) for each in people.locate(key).identifiers)
    normalised = people.rules.normalise(Identifier(kind, value))
    if normalised is None:
        raise DefinitionInvalid(
            f"expected an identifier such as loyalty:9001, got {kind[:40]!r} with a value that it cannot have"
        )
    own = f"{kind}:{normalised}"
    try:
        found = people.locate(own)
    except NotFound:
        return (own,)
    return _named((own, *(str(each) for each in found.identifiers)))


def circle_of(people: People, who: Iterable[str]) -> tuple[str, ...]:
    """All identifiers of whom any of these names, in their order first; what cannot be one is left out."""
    found: list[str] = []
    for key in who:
        try:
            found += identifiers_of(people, key)
        except (DefinitionInvalid, NotFound):
            continue
    return _named(found)


def _named(identifiers: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(identifiers))[:CIRCLE_MAX]
