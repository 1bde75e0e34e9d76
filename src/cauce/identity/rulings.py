"""Stewards' decisions about pairs of identifiers, and what they come to together: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

from cauce.errors import DefinitionInvalid
from cauce.identity.partition import Pair, Rulings, UnionFind
from cauce.identity.rules import ID_MASK, Rules, identifier_id, parse_identifier
from cauce.model import Event, Identifier

REFUSED, JOINED, RETRACTED = "refused", "joined", "retracted"

PAIR_DECISIONS: dict[str, tuple[str, bool]] = {
    "identity.refused": (REFUSED, True),
    "identity.unrefused": (REFUSED, False),
    "identity.joined": (JOINED, True),
    "identity.unjoined": (JOINED, False),
    "link.retracted": (RETRACTED, True),
    "link.restored": (RETRACTED, False),
}
RULES_APPLIED = "identity.rules_applied"
ERASED = "person.erased"

PERSON_PREFIX = "p_"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGIT = {character: number for number, character in enumerate(_ALPHABET)} | {"i": 1, "l": 1, "o": 0}


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """The latest word of its sort (`what`) about a pair; `a` and `b` as written, the times those of the word."""

    id: int
    low: int
    high: int
    what: str
    active: int
    a: str
    b: str
    position: int
    occurred: int
    author: str
    why: str


def text_of(person_id: int) -> str:
    """A person's (or identifier's) id as `p_` and 13 characters of Crockford's base 32."""
    return PERSON_PREFIX + "".join(_ALPHABET[person_id >> shift & 31] for shift in range(60, -1, -5))


def id_from_text(text: str) -> int | None:
    """The id that `text_of` wrote, in upper or lower case; None when the text is no person id."""
    text = text.strip().lower()
    digits = text.removeprefix(PERSON_PREFIX)
    if not text.startswith(PERSON_PREFIX) or len(digits) != 13 or any(digit not in _DIGIT for digit in digits):
        return None
    number = 0
    for digit in digits:
        number = number << 5 | _DIGIT[digit]
    return number if 0 < number <= ID_MASK else None


def id_of(named: object, rules: Rules, secret: bytes) -> int | None:
    """The identifier that `kind:value`, [kind, value], {kind, value}, a person id or an id names; None when none is."""
    if isinstance(named, int) and not isinstance(named, bool):
        return named if 0 < named <= ID_MASK else None
    if isinstance(named, Mapping):
        named = [named.get("kind"), named.get("value")]
    if isinstance(named, list | tuple) and len(named) == 2 and all(isinstance(part, str) for part in named):
        identifier = Identifier(*named)
    elif isinstance(named, str):
        number = id_from_text(named)
        if number is not None:
            return number
        try:
            identifier = parse_identifier(named)
        except DefinitionInvalid:
            return None
    else:
        return None
    value = rules.normalise(identifier)
    return None if value is None else identifier_id(identifier.kind, value, secret)


def named_in(event: Event, rules: Rules, secret: bytes) -> tuple[int, ...]:
    """Ids of the identifiers that a decision names under `identifier`, `identifiers` or `identifier_ids`."""
    named: list[object] = [event.properties.get("identifier")]
    for field in ("identifiers", "identifier_ids"):
        several = event.properties.get(field)
        if isinstance(several, list | tuple):
            named += several
    found = (id_of(each, rules, secret) for each in named)
    return tuple(dict.fromkeys(id for id in found if id is not None))


def decision_of(event: Event, rules: Rules, secret: bytes) -> Decision | None:
    """The decision about a pair that an event carries; None when it names no two identifiers."""
    what, active = PAIR_DECISIONS[event.name]
    draft = Decision(
        id=0,
        low=0,
        high=0,
        what=what,
        active=int(active),
        a=str(event.properties.get("a", "")),
        b=str(event.properties.get("b", "")),
        position=event.position,
        occurred=event.occurred,
        author=str(event.context.get("by", "")),
        why=str(event.properties.get("why", "")),
    )
    return renewed(draft, rules, secret)


def key_of(what: str, low: int, high: int) -> int:
    """Key of the latest word of one sort about a pair."""
    digest = blake2b(f"{what} {low} {high}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & ID_MASK


def renewed(decision: Decision, rules: Rules, secret: bytes) -> Decision | None:
    """The same decision, its identifiers read under `rules`; None when they are no two."""
    one, other = id_of(decision.a, rules, secret), id_of(decision.b, rules, secret)
    if one is None or other is None or one == other:
        return None
    low, high = (one, other) if one < other else (other, one)
    return msgspec.structs.replace(decision, id=key_of(decision.what, low, high), low=low, high=high)


def settle(decisions: Iterable[Decision]) -> Rulings:
    """What decisions come to: of a join and a refusal of one pair the later counts, and a join never breaks a refusal.

    Where joins together would break a refusal, the later joins hold.
    """
    latest: dict[Pair, Decision] = {}
    retracted: set[Pair] = set()
    for decision in decisions:
        pair = (decision.low, decision.high)
        if not decision.active:
            continue
        if decision.what == RETRACTED:
            retracted.add(pair)
        elif pair not in latest or latest[pair].position < decision.position:
            latest[pair] = decision
    apart: dict[int, set[int]] = {}
    for (low, high), decision in latest.items():
        if decision.what == REFUSED:
            apart.setdefault(low, set()).add(high)
            apart.setdefault(high, set()).add(low)
    joins = [decision for decision in latest.values() if decision.what == JOINED]
    joins.sort(key=lambda decision: (-decision.position, decision.low, decision.high))
    together, overruled = _joined(joins, apart)
    return Rulings(together, {id: frozenset(others) for id, others in apart.items()}, retracted, overruled)


def _joined(joins: Iterable[Decision], apart: Mapping[int, set[int]]) -> tuple[dict[int, int], set[Pair]]:
    sets = UnionFind()
    members: dict[int, set[int]] = {}
    overruled: set[Pair] = set()
    for decision in joins:
        low, high = sets.root(decision.low), sets.root(decision.high)
        ours, theirs = members.get(low, {low}), members.get(high, {high})
        if low != high and any(not theirs.isdisjoint(apart.get(id, ())) for id in ours):
            overruled.add((decision.low, decision.high))
            continue
        sets.union(low, high)
        members[sets.root(low)] = ours | theirs
    return {id: sets.root(id) for root, group in members.items() if sets.root(root) == root for id in group}, overruled
