"""Whose a basket or an order is: commerce keeps things by identifier, people are found when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable

from cauce.app import Platform
from cauce.errors import DefinitionInvalid, NotFound
from cauce.model import Identifier

OWNERS_MAX = 200
"""Identifiers of one person that are asked for."""


def identifiers_of(platform: Platform, key: str) -> tuple[str, ...]:
    """All identifiers of the person that `kind:value` or an id names, as `kind:value`; the named one comes first.

    Somebody of whom nothing is known yet has the identifier that is named. NotFound for an id that nobody has.
    """
    named = (normalised(platform, key),) if ":" in key else ()
    try:
        person = platform.people.locate(key)
    except NotFound:
        if not named:
            raise
        return named
    members = (f"{member.kind}:{member.value}" for member in platform.people.members(person.id))
    return tuple(dict.fromkeys((*named, *members)))[:OWNERS_MAX]


def normalised(platform: Platform, key: str) -> str:
    """An identifier as it is stored. DefinitionInvalid when it is none."""
    kind, _, value = key.partition(":")
    found = platform.people.rules.normalise(Identifier(kind, value))
    if found is None:
        raise DefinitionInvalid(f"expected an identifier as kind:value, such as email:ana@tienda.es, got {key[:80]!r}")
    return f"{kind}:{found}"


def all_normalised(platform: Platform, keys: Iterable[str]) -> tuple[str, ...]:
    """Identifiers as they are stored, each once."""
    return tuple(dict.fromkeys(normalised(platform, key) for key in keys))
