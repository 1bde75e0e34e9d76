"""The golden record: per trait the value that survives, why it won, and every value that lost.

Deterministic: equals are decided by the later time, then source, event and value. A deletion is a word like any other:
it takes away what its own source said before, and under *latest* it wins when it is the latest of all.
A steward's word wins always, until a later one takes it back by saying nothing (null).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cauce.profiles import strand
from cauce.profiles.definitions import Survivorship, SurvivorshipRules

STEWARD = "steward"
OTHERS_MAX = 100

Registers = Mapping[str, Mapping[str, strand.Register]]
"""Registers by trait and source: the first half of a ledger."""
Words = Mapping[str, list[list[Any]]]
"""Stewards' words by trait, latest first: [occurred, event id, text or None, why, by, received]."""


class Claim(msgspec.Struct, frozen=True):
    """A value of one source, told `times` times, last at `occurred` (microseconds) by `event` of `identifier`."""

    value: Any
    source: str
    occurred: int
    event: str
    identifier: int
    times: int = 1


class GoldenTrait(msgspec.Struct, frozen=True):
    """The surviving value of a trait; `others` are all values that lost, latest first.

    `rule` is the survivorship rule that decided, `why` says it in a sentence. A value of None was deleted.
    """

    value: Any
    rule: str
    why: str
    source: str
    occurred: int
    event: str
    identifier: int
    others: tuple[Claim, ...] = ()


def golden_traits(
    ledgers: Iterable[tuple[int, Registers]], words: Iterable[tuple[int, Words]], rules: SurvivorshipRules
) -> dict[str, GoldenTrait]:
    """The golden record of a person from what each of its identifiers knows, by name of trait."""
    registers: dict[str, dict[str, list[tuple[int, strand.Register]]]] = {}
    for identifier, traits in ledgers:
        for trait, sources in traits.items():
            for source, register in sources.items():
                registers.setdefault(trait, {}).setdefault(source, []).append((identifier, register))
    said: dict[str, list[tuple[int, list[Any]]]] = {}
    for identifier, told in words:
        for trait, history in told.items():
            said.setdefault(trait, []).extend((identifier, word) for word in history)
    golden = {}
    for trait in sorted(registers.keys() | said.keys()):
        latest, claims = _claims(registers.get(trait, {}))
        found = _survivor(said.get(trait, ()), latest, claims, rules.of(trait))
        if found is not None:
            golden[trait] = found
    return golden


def texts_by_source(registers: Registers, words: Words, names: Iterable[str]) -> list[dict[str, list[str]]]:
    """Texts that hold of some traits: a mapping per source, in order of name, and one of stewards; the latest first.

    What a source took back is left out, and so is what is no text.
    """
    by_source: dict[str, dict[str, list[str]]] = {}
    stewards: dict[str, list[str]] = {}
    for trait in names:
        for source, (occurred, event, latest, tombstone, values) in registers.get(trait, {}).items():
            held = {**values, **({latest: [1, occurred, event]} if latest is not None else {})}
            told = sorted(held.items(), key=lambda pair: ([pair[1][1], pair[1][2]], pair[0]), reverse=True)
            texts = [_value(text) for text, word in told if tombstone is None or [word[1], word[2]] > tombstone]
            if plain := [text for text in texts if isinstance(text, str)]:
                by_source.setdefault(source, {})[trait] = plain
        if words.get(trait) and isinstance(said := _value(words[trait][0][2]), str):
            stewards[trait] = [said]
    return [by_source[source] for source in sorted(by_source)] + ([stewards] if stewards else [])


def _rank(claim: Claim) -> tuple[int, str, str, str]:
    return claim.occurred, claim.source, claim.event, strand.canonical(claim.value)


def _claims(sources: Mapping[str, list[tuple[int, strand.Register]]]) -> tuple[list[Claim], list[Claim]]:
    """(each source's latest word, deletions as None; all values that no deletion of their source took away)."""
    latest, claims = [], []
    for source, owned in sources.items():
        register = owned[0][1]
        for _, more in owned[1:]:
            register = strand.merge_registers(register, more)
        occurred, event, text, tombstone, values = register
        known = dict(values)
        if text is not None and text not in known:
            known[text] = [1, occurred, event]
        for each, (times, last, told_by) in known.items():
            if tombstone is None or [last, told_by] > tombstone:
                claims.append(Claim(_value(each), source, last, told_by, _owner(owned, last, told_by), times))
        latest.append(Claim(_value(text), source, occurred, event, _owner(owned, occurred, event)))
    return latest, sorted(claims, key=_rank, reverse=True)


def _owner(owned: list[tuple[int, strand.Register]], occurred: int, event: str) -> int:
    """The identifier through which a word was told; the smallest of them when registers cannot tell any more."""
    for identifier, register in sorted(owned, key=lambda pair: pair[0]):
        if (register[0], register[1]) == (occurred, event):
            return identifier
        if any((last, told_by) == (occurred, event) for _, last, told_by in register[4].values()):
            return identifier
    return min(identifier for identifier, _ in owned)


def _value(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _survivor(
    words: Iterable[tuple[int, list[Any]]], latest: list[Claim], claims: list[Claim], rule: Survivorship
) -> GoldenTrait | None:
    word = max(words, key=lambda pair: (pair[1][0], pair[1][1], pair[0]), default=None)
    if word is not None and word[1][2] is not None:
        return _by_steward(word, claims)
    if not latest:
        return None
    chosen, why = _chosen(latest, claims, rule)
    others = tuple(claim for claim in claims if claim is not chosen and not _same(claim, chosen))[:OTHERS_MAX]
    return GoldenTrait(
        chosen.value, rule.rule, why, chosen.source, chosen.occurred, chosen.event, chosen.identifier, others
    )


def _same(one: Claim, other: Claim) -> bool:
    return (one.source, one.occurred, one.event, one.value) == (other.source, other.occurred, other.event, other.value)


def _by_steward(word: tuple[int, list[Any]], claims: list[Claim]) -> GoldenTrait:
    identifier, (occurred, event, text, why, by, _) = word
    sentence = f"{by or 'a steward'} decided it" + (f": {why}" if why else "")
    return GoldenTrait(
        _value(text), STEWARD, sentence, STEWARD, occurred, event, identifier, tuple(claims[:OTHERS_MAX])
    )


def _chosen(latest: list[Claim], claims: list[Claim], rule: Survivorship) -> tuple[Claim, str]:
    newest = max(latest, key=_rank)
    if rule.rule == "source_order":
        by_source = {claim.source: claim for claim in latest if claim.value is not None}
        for source in rule.sources:
            if source in by_source:
                return by_source[source], f"first source with a value, of {', '.join(rule.sources)}"
        return newest, f"none of {', '.join(rule.sources)} has a value; the latest of the other sources"
    if rule.rule == "latest" or not claims:
        return newest, f"latest of {len(latest)} sources" if len(latest) > 1 else "latest value of its only source"
    if rule.rule == "longest":
        return max(claims, key=lambda claim: (_length(claim.value), _rank(claim))), f"longest of {len(claims)} values"
    times: dict[str, int] = {}
    for claim in claims:
        text = strand.canonical(claim.value)
        times[text] = times.get(text, 0) + claim.times
    chosen = max(claims, key=lambda claim: (times[strand.canonical(claim.value)], _rank(claim)))
    return chosen, f"told {times[strand.canonical(chosen.value)]} of {sum(times.values())} times"


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(strand.canonical(value))
