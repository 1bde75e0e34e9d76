"""All people at once, from the stored events: the rebuild under new rules, and the reference for the live stage."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from cauce.identity.evidence import Ledger, Resolved, Resolver, SourceOf
from cauce.identity.partition import SHARED, Frame, Known, Link, solve
from cauce.identity.rules import Rules
from cauce.identity.rulings import Decision, settle, text_of
from cauce.model import DECISION, Event

RESOLVED_MAX = 100_000
IDENTIFIERS_SHOWN = 50

History = Callable[[], Iterator[list[Any]]]
"""Gives all stored events in order, in lists; each has `subject`, `identifier_ids` and `event`."""

Erasures = Mapping[int, tuple[int, int]]


class Rebuilt(NamedTuple):
    """Identifiers, placed, and links."""

    known: dict[int, Known]
    links: dict[int, Link]


def gather(
    batches: Iterable[Iterable[Any]],
    resolver: Resolver,
    erasures: Erasures | None = None,
    only: Collection[int] | None = None,
    into: Ledger | None = None,
) -> Ledger:
    """The evidence of stored events; of those that name one of the identifiers `only`, when given.

    `into` is a ledger to go on with.
    Events before an erasure of one of their identifiers tell nothing, later ones are ignored when it suppresses.
    """
    ledger = Ledger() if into is None else into
    resolved: dict[tuple[Any, str], Resolved] = {}
    for batch in batches:
        for stored in batch:
            event: Event = stored.event
            if event.type == DECISION:
                continue
            key = (event.identifiers, event.source)
            found = resolved.get(key)
            if found is None:
                if len(resolved) >= RESOLVED_MAX:
                    resolved.clear()
                found = resolved[key] = resolver.resolve(event.identifiers, event.source)
            if only is not None and not touches(found.ids, only):
                continue
            # The ids as stored may come from older rules, under which the erasure was decided.
            if erasures and is_erased((*found.ids, *stored.identifier_ids), event.position, erasures):
                continue
            if event.occurred < found.settled_occurred or event.received < found.settled_received:
                ledger.observe(found, event)
    return ledger


def touches(ids: Iterable[int], wanted: Collection[int]) -> bool:
    return any(id in wanted for id in ids)


def is_erased(ids: Iterable[int], position: int, erasures: Erasures) -> bool:
    """Whether an event at `position` that names `ids` is erased or suppressed."""
    return any(id in erasures and (position < erasures[id][0] or erasures[id][1]) for id in ids)


def place(ledger: Ledger, frame: Frame) -> Rebuilt:
    """Solves all components of a ledger."""
    for id, placement in solve(ledger.known, list(ledger.links.values()), frame).items():
        known = ledger.known[id]
        known.component, known.person, known.flags = placement
    return Rebuilt(ledger.known, ledger.links)


def rebuild(
    batches: Iterable[Iterable[Any]],
    rules: Rules,
    decisions: Iterable[Decision],
    secret: bytes,
    *,
    source_of: SourceOf | None = None,
    erasures: Erasures | None = None,
    component_identifiers_max: int = 2_000,
) -> Rebuilt:
    """Identifiers, links and people of all stored events under `rules`; `decisions` are read under the same rules."""
    ledger = gather(batches, Resolver(rules, secret, source_of), erasures)
    return place(ledger, Frame(rules, settle(decisions), component_identifiers_max))


class Difference(msgspec.Struct, frozen=True):
    """One person that would merge or split: person ids before and after, and some of the identifiers concerned."""

    change: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    identifiers: tuple[str, ...]
    identifiers_total: int


class DryRun(msgspec.Struct, frozen=True):
    """What changed rules would do: `people_merged` would find company, `people_split` would fall apart."""

    people_before: int
    people_after: int
    people_merged: int
    people_split: int
    largest_before: int
    largest_after: int
    shared_before: int
    shared_after: int
    worst: tuple[Difference, ...]

    def __str__(self) -> str:
        return (
            f"would merge {self.people_merged:,} people, would split {self.people_split:,}; "
            f"largest cluster {self.largest_after:,} identifiers (now {self.largest_before:,}); "
            f"{self.people_after:,} people (now {self.people_before:,})"
        )


class Side(NamedTuple):
    """One set of rules in a dry run, with the decisions as read under it."""

    rules: Rules
    decisions: Iterable[Decision]


def dry_run(
    batches: Iterable[Iterable[Any]],
    now: Side,
    then: Side,
    secret: bytes,
    *,
    source_of: SourceOf | None = None,
    erasures: Erasures | None = None,
    component_identifiers_max: int = 2_000,
    worst: int = 20,
) -> DryRun:
    """Compares the people of all stored events under two sets of rules, in memory; changes nothing."""
    resolvers = [Resolver(side.rules, secret, source_of) for side in (now, then)]
    translated: set[tuple[int, int]] = set()
    ledgers = _gather_both(batches, resolvers, translated, erasures or {})
    built = [
        place(ledger, Frame(side.rules, settle(side.decisions), component_identifiers_max))
        for ledger, side in zip(ledgers, (now, then), strict=True)
    ]
    return _compare(built[0], built[1], translated, worst)


def _gather_both(
    batches: Iterable[Iterable[Any]],
    resolvers: Sequence[Resolver],
    translated: set[tuple[int, int]],
    erasures: Erasures,
) -> tuple[Ledger, Ledger]:
    ledgers = (Ledger(), Ledger())
    seen: set[tuple[Any, str]] = set()
    for batch in batches:
        kept = []
        for stored in batch:
            event: Event = stored.event
            if event.type == DECISION or is_erased(stored.identifier_ids, event.position, erasures):
                continue
            kept.append(stored)
            key = (event.identifiers, event.source)
            if key not in seen:
                if len(seen) >= RESOLVED_MAX:
                    seen.clear()
                seen.add(key)
                for identifier in event.identifiers:
                    before, after = (resolver.identify(identifier, event.source) for resolver in resolvers)
                    translated.add((before, after))
        for ledger, resolver in zip(ledgers, resolvers, strict=True):
            gather([kept], resolver, into=ledger)
    return ledgers


def _compare(before: Rebuilt, after: Rebuilt, translated: set[tuple[int, int]], worst: int) -> DryRun:
    after_of: dict[int, set[int]] = {}
    before_of: dict[int, set[int]] = {}
    for old_id, new_id in translated:
        if old_id in before.known and new_id in after.known:
            old, new = before.known[old_id].person, after.known[new_id].person
            after_of.setdefault(old, set()).add(new)
            before_of.setdefault(new, set()).add(old)
    merges = {new: olds for new, olds in before_of.items() if len(olds) > 1}
    splits = {old: news for old, news in after_of.items() if len(news) > 1}
    groups = [_groups(built) for built in (before, after)]
    ranked = [(len(olds), len(groups[1][new]), "merge", new) for new, olds in merges.items()]
    ranked += [(len(news), len(groups[0][old]), "split", old) for old, news in splits.items()]
    ranked.sort(key=lambda entry: (-entry[0], -entry[1], entry[2], entry[3]))
    differences = []
    for _, _, change, person in ranked[:worst]:
        one = (text_of(person),)
        others = tuple(text_of(other) for other in sorted(merges[person] if change == "merge" else splits[person]))
        members = groups[1][person] if change == "merge" else groups[0][person]
        differences.append(
            Difference(
                change,
                others if change == "merge" else one,
                one if change == "merge" else others,
                tuple(f"{member.kind}:{member.value}" for member in members[:IDENTIFIERS_SHOWN]),
                len(members),
            )
        )
    shared = [sum(1 for known in built.known.values() if known.flags & SHARED) for built in (before, after)]
    return DryRun(
        people_before=len(groups[0]),
        people_after=len(groups[1]),
        people_merged=sum(map(len, merges.values())),
        people_split=len(splits),
        largest_before=max(map(len, groups[0].values()), default=0),
        largest_after=max(map(len, groups[1].values()), default=0),
        shared_before=shared[0],
        shared_after=shared[1],
        worst=tuple(differences),
    )


def _groups(built: Rebuilt) -> dict[int, list[Known]]:
    groups: dict[int, list[Known]] = {}
    for known in sorted(built.known.values(), key=lambda known: (known.first_occurred, known.id)):
        groups.setdefault(known.person, []).append(known)
    return groups
