"""One event against the graph: its subject, its evidence, and once per batch the components that it touched."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from cauce.engines.api import Tables
from cauce.errors import DefinitionInvalid
from cauce.events.book import SOURCE_APPLIED
from cauce.identity import bulk, store
from cauce.identity.evidence import Ledger, Resolved, Resolver, SourceOf
from cauce.identity.partition import CONTESTED, DECLARED, SHARED, Frame, Known, Link, find_shared, solve
from cauce.identity.rules import Rules
from cauce.identity.rulings import (
    ERASED,
    PAIR_DECISIONS,
    RULES_APPLIED,
    Decision,
    decision_of,
    named_in,
    renewed,
    settle,
)
from cauce.model import DECISION, Event, Fate, Identifier, Passage


class IdentityStage:
    """Sets `passage.subject` and `passage.identifier_ids`, and keeps identifiers, links and people.

    `rules` hold until a decision applies others. `history` gives all stored events; changed rules and the erasure of
    somebody with neighbours read it. Components above `component_identifiers_max` are not solved: each identifier is
    alone there. About `cache_identifiers` identifiers stay in memory between batches.
    """

    name = "identity"
    tables = store.TABLES

    def __init__(
        self,
        tables: Tables,
        secret: bytes,
        *,
        rules: Rules | None = None,
        history: bulk.History | None = None,
        source_of: SourceOf | None = None,
        component_identifiers_max: int = 2_000,
        cache_identifiers: int = 200_000,
    ) -> None:
        self._store = tables
        self._secret = secret
        self._default_rules = rules or Rules.default()
        self._history = history
        self._source_of = source_of
        self._component_identifiers_max = component_identifiers_max
        self._cache_identifiers = cache_identifiers
        tables.create(self.tables)
        self.rolled_back()

    def rolled_back(self) -> None:
        """Forgets everything that is not in the tables."""
        self._ledger = Ledger()
        self._resolved: dict[tuple[tuple[Identifier, ...], str], Resolved] = {}
        self._rules = store.rules(self._store) or self._default_rules
        self._resolver = Resolver(self._rules, self._secret, self._source_of)
        self._decisions = store.decisions(self._store)
        self._rulings = settle(self._decisions.values())
        self._erasures = store.erasures(self._store)
        self._suppressed = {id for id, (_, suppress) in self._erasures.items() if suppress}
        self._forget_batch()

    def _forget_batch(self) -> None:
        self._passages: Sequence[Passage] = ()
        self._evidence_changed = False
        self._rules_rows: list[tuple[int, int, str, str]] = []
        self._decided: dict[int, Decision] = {}
        self._reviewed: set[int] = set()
        self._erased: dict[int, tuple[int, int]] = {}
        self._bereaved: set[int] = set()
        self._orphaned: set[int] = set()
        self._dropped_decisions: set[int] = set()
        self._ledger.clear_changes()

    def refresh(self, *, decided: bool) -> None:
        """Another runner has committed: only what it cannot have changed stays in memory."""
        if decided:
            self.rolled_back()
        else:
            self._ledger = Ledger()
            self._resolved.clear()

    # -- one batch, one item ------------------------------------------------------------------------------------

    def prefetch(self, passages: Sequence[Passage]) -> None:
        """Normalises what is new, and loads the identifiers and links that the batch names and memory lacks."""
        self._passages = passages
        self._resolver.forget_sources()
        known, links, resolved = self._ledger.known, self._ledger.links, self._resolved
        wanted: set[int] = set()
        pairs: dict[int, tuple[int, int]] = {}
        for passage in passages:
            event = passage.event
            if event is None or (event.identifiers, event.source) in resolved:
                continue
            found = self._resolver.resolve(event.identifiers, event.source)
            resolved[event.identifiers, event.source] = found
            for id in found.ids:
                if id not in known:
                    wanted.add(id)
            for key, low, high in found.pairs:
                if key not in links:
                    pairs[key] = (low, high)
        if wanted:
            for identifier in store.identifiers(self._store, wanted):
                known[identifier.id] = identifier
        keys = [key for key, (low, high) in pairs.items() if low in known and high in known]
        if keys:
            for link in store.links(self._store, keys):
                links[link.id] = link

    def apply(self, passage: Passage) -> bool:
        """Gives the event its subject and records its evidence; False when a suppressed identifier stops it."""
        event = passage.event
        if event is None:
            return False
        if event.type == DECISION:
            self._decide(passage, event)
            return True
        resolved = self._resolved.get((event.identifiers, event.source))
        if resolved is None:
            resolved = self._resolver.resolve(event.identifiers, event.source)
            self._resolved[event.identifiers, event.source] = resolved
        if self._suppressed and not self._suppressed.isdisjoint(resolved.ids):
            passage.fate = Fate.SUPPRESSED
            return False
        passage.subject = resolved.subject
        passage.identifier_ids = resolved.ids
        if event.occurred < resolved.settled_occurred or event.received < resolved.settled_received:
            self._ledger.observe(resolved, event)
        return True

    def identify(self, event: Event) -> tuple[int, ...]:
        """Ids of the usable identifiers of any event under the present rules, the subject's first."""
        return self._resolver.resolve(event.identifiers, event.source).ids

    def is_suppressed(self, event: Event) -> bool:
        """Whether the event belongs to an erased person of whom nothing may be kept any more."""
        if not self._suppressed:
            return False
        resolved = self._resolved.get((event.identifiers, event.source))
        ids = self.identify(event) if resolved is None else resolved.ids
        return not self._suppressed.isdisjoint(ids)

    # -- decisions ----------------------------------------------------------------------------------------------

    def _decide(self, passage: Passage, event: Event) -> None:
        """Applies a decision of this capability. One that cannot be read is kept downstream and does nothing here."""
        if event.name in PAIR_DECISIONS:
            decision = decision_of(event, self._rules, self._secret)
            if decision is not None:
                passage.identifier_ids = (decision.low, decision.high)
                self._rule(decision)
        elif event.name == RULES_APPLIED:
            self._apply_rules(event)
        elif event.name == SOURCE_APPLIED:
            self._resolved.clear()  # its numbers may be of another country now
        else:
            passage.identifier_ids = named_in(event, self._rules, self._secret)
            if event.name == ERASED:
                self._erase(event, passage.identifier_ids)

    def _rule(self, decision: Decision) -> None:
        present = self._decisions.get(decision.id)
        if present is not None and present.position > decision.position:
            return
        self._decisions[decision.id] = self._decided[decision.id] = decision
        self._dropped_decisions.discard(decision.id)
        self._reviewed.update((decision.low, decision.high))

    def _apply_rules(self, event: Event) -> None:
        try:
            rules = Rules.from_dict(event.properties.get("rules"))
        except DefinitionInvalid:
            return
        self._evidence_changed |= not rules.same_evidence(self._rules)
        self._rules = rules
        author = str(event.context.get("by", ""))
        self._rules_rows.append((event.position, event.occurred, author, store.rules_body(rules)))
        self._resolver = Resolver(rules, self._secret, self._source_of)
        self._resolved.clear()

    def _erase(self, event: Event, named: Iterable[int]) -> None:
        """Takes identifiers out of the working set at once, and out of the tables when the batch is written."""
        ids = set(named)
        suppress = bool(event.properties.get("suppress"))
        self._resolved.clear()
        ledger = self._ledger
        for link in store.links_of(self._store, ids):
            self._bereaved.update((link.low, link.high))
        for key in [key for key, link in ledger.links.items() if link.low in ids or link.high in ids]:
            link = ledger.links.pop(key)
            self._bereaved.update((link.low, link.high))
            ledger.new_links.discard(key)
            ledger.changed_links.discard(key)
        for id in ids:
            ledger.known.pop(id, None)
            for changes in (ledger.new, ledger.moved, ledger.changed):
                changes.discard(id)
            suppressed = suppress or id in self._suppressed
            self._erasures[id] = self._erased[id] = (event.position, int(suppressed))
            if suppressed:
                self._suppressed.add(id)
        for key, decision in list(self._decisions.items()):
            if decision.low in ids or decision.high in ids:
                self._reviewed.update((decision.low, decision.high))
                del self._decisions[key]
                self._decided.pop(key, None)
                self._dropped_decisions.add(key)
        self._bereaved -= ids

    # -- the end of a batch -------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Solves what the batch touched and writes what changed."""
        if self._decided or self._dropped_decisions:
            self._rulings = settle(self._decisions.values())
        if self._erased:
            self._write_erasures()
        if self._rules_rows:
            self._store.upsert(store.RULES, self._rules_rows)
            self._renew()
        else:
            self._settle()
            self._write()
        if self._decided:
            self._store.upsert(store.DECISION, _rows(self._decided.values()))

    def committed(self) -> None:
        """Forgets the batch; keeps the younger half of the working set when it has grown too large."""
        self._forget_batch()
        ledger, bound = self._ledger, self._cache_identifiers
        if max(len(ledger.known), len(self._resolved), len(ledger.links) // 2) > bound:
            half = max(1, bound // 2)
            known = {id: ledger.known[id] for id in list(ledger.known)[-half:]}
            links = {key: link for key, link in ledger.links.items() if link.low in known and link.high in known}
            ledger.known, ledger.links = known, links
            recent = list(self._resolved.items())[-half:]
            # An entry may stay only with all that it names: what memory lacks would count as new.
            self._resolved = {key: found for key, found in recent if all(id in known for id in found.ids)}

    def _frame(self) -> Frame:
        return Frame(self._rules, self._rulings, self._component_identifiers_max)

    def _write(self) -> None:
        ledger = self._ledger
        links = ledger.new_links | ledger.changed_links
        if ledger.changed:
            rows = [msgspec.structs.astuple(ledger.known[id]) for id in sorted(ledger.changed)]
            self._store.upsert(store.IDENTIFIER, rows)
        if links:
            self._store.upsert(store.LINK, [msgspec.structs.astuple(ledger.links[key]) for key in sorted(links)])

    def _settle(self) -> None:
        """Places the members of every component whose evidence or rulings changed."""
        touched = self._touched()
        components, fresh = self._neighbourhood()
        components |= self._orphaned
        ledger, frame = self._ledger, self._frame()
        giants = {id: ledger.known[id] for id in touched if ledger.known[id].component == 0}
        if giants and 0 not in components and self._newly_shared(giants, frame):
            components.add(0)
        components |= {ledger.known[id].component for id in touched if id not in giants and id not in ledger.new}
        nodes = {id: ledger.known[id] for id in ledger.new}
        for stored in store.components(self._store, components):
            known = ledger.known.setdefault(stored.id, stored)
            nodes[known.id] = known
        if not nodes:
            return
        sticky = {id for id, node in nodes.items() if node.flags & SHARED and id not in fresh}
        links = self._links_of(id for id in nodes if id not in sticky)
        beyond = {id: giant for id, giant in giants.items() if id not in nodes}
        for id, placement in solve(nodes, links, frame, sticky=sticky, beyond=beyond).items():
            known = nodes[id]
            if (known.component, known.person, known.flags) != placement:
                known.component, known.person, known.flags = placement
                ledger.changed.add(id)

    def _touched(self) -> set[int]:
        """Identifiers whose component may be another one, or be divided otherwise, because of the batch's evidence."""
        ledger, rules = self._ledger, self._rules
        known = ledger.known
        touched = ledger.new | ledger.moved
        for key in ledger.new_links:
            link = ledger.links[key]
            low, high = known[link.low], known[link.high]
            flags = low.flags | high.flags
            if flags & SHARED or not (rules.kind(low.kind).merges and rules.kind(high.kind).merges):
                continue
            if low.component != high.component or flags & CONTESTED:
                touched.update((link.low, link.high))
        for key in ledger.changed_links:
            link = ledger.links[key]
            flags = known[link.low].flags | known[link.high].flags
            if flags & CONTESTED and not flags & SHARED:
                touched.update((link.low, link.high))
        return touched

    def _neighbourhood(self) -> tuple[set[int], set[int]]:
        """(components, identifiers to judge afresh) around what decisions and erasures concern.

        Unlike evidence these can make a shared identifier somebody's again, so its neighbours are looked at too.
        """
        together = self._rulings.together
        ledger = self._ledger
        reviewed = self._reviewed | {id for id in ledger.new if id in together}
        if not reviewed:
            return set(), set()
        heads = {together[id] for id in reviewed if id in together}
        fresh = reviewed | {id for id, head in together.items() if head in heads}
        for link in self._links_of(fresh):
            fresh.update((link.low, link.high))
        around = {known.id: known for known in self._identifiers(fresh)}
        shared = [id for id, known in around.items() if known.flags & SHARED and not self._declared(known)]
        further = {id for link in self._links_of(shared) for id in (link.low, link.high)}
        around.update((known.id, known) for known in self._identifiers(further - fresh))
        return {known.component for known in around.values() if known.id not in ledger.new}, fresh

    def _newly_shared(self, giants: dict[int, Known], frame: Frame) -> bool:
        """Whether the batch makes a member of an oversize component shared, which may take that component apart."""
        ledger, rules = self._ledger, self._rules
        if any(self._declared(known) and not known.flags & SHARED for known in giants.values()):
            return True
        suspects: set[int] = set()
        for key in ledger.new_links:
            link = ledger.links[key]
            for one, other in ((link.low, link.high), (link.high, link.low)):
                if one in giants and rules.kind(ledger.known[other].kind).unique:
                    suspects.add(one)
        links = self._links_of(suspects)
        ends = {id for link in links for id in (link.low, link.high)}
        nodes = {known.id: known for known in self._identifiers(ends)}
        return not suspects.isdisjoint(find_shared(nodes, links, frame))

    def _declared(self, known: Known) -> bool:
        return bool(known.flags & DECLARED) and self._rules.kind(known.kind).device

    def _identifiers(self, ids: Iterable[int]) -> Iterator[Known]:
        """Identifiers as they are now, whether written already or not."""
        known = self._ledger.known
        missing = []
        for id in ids:
            if id in known:
                yield known[id]
            else:
                missing.append(id)
        for stored in store.identifiers(self._store, missing):
            yield known.setdefault(stored.id, stored)

    def _links_of(self, ids: Iterable[int]) -> list[Link]:
        """Links of identifiers as they are now, whether written already or not."""
        wanted = set(ids)
        ledger = self._ledger
        found = {link.id: ledger.links.get(link.id, link) for link in store.links_of(self._store, wanted - ledger.new)}
        for key in ledger.new_links:
            link = ledger.links[key]
            if link.low in wanted or link.high in wanted:
                found[key] = link
        return list(found.values())

    # -- erasure and changed rules ------------------------------------------------------------------------------

    def _write_erasures(self) -> None:
        gone = self._erased.keys()
        self._orphaned = {known.component for known in store.identifiers(self._store, gone)}
        self._store.delete(store.LINK, [link.id for link in store.links_of(self._store, gone)])
        self._store.delete(store.IDENTIFIER, gone)
        self._store.delete(store.DECISION, self._dropped_decisions)
        self._store.upsert(store.ERASURE, [(id, *self._erased[id]) for id in sorted(gone)])
        if self._bereaved and self._history is not None and not self._evidence_changed:
            self._recount(self._bereaved)
        self._reviewed |= self._bereaved

    def _recount(self, bereaved: Collection[int]) -> None:
        """Gathers the evidence of those who shared events with erased identifiers once more, without these events."""
        ledger = self._ledger
        around = set(bereaved)
        for link in self._links_of(bereaved):
            around.update((link.low, link.high))
        around -= self._erased.keys()
        before = {known.id: known for known in self._identifiers(around)}
        links_before = {link.id: link for link in self._links_of(around) if link.low in around and link.high in around}
        after = bulk.gather(self._events(), self._resolver, self._erasures, only=around)
        self._orphaned |= {known.component for id, known in before.items() if id not in ledger.new}
        for id, known in before.items():
            found = after.known.get(id)
            if found is None:
                ledger.known.pop(id)
                for changes in (ledger.new, ledger.moved, ledger.changed):
                    changes.discard(id)
            else:
                known.first_occurred, known.known_since = found.first_occurred, found.known_since
                known.flags = known.flags & ~DECLARED | found.flags & DECLARED
                ledger.changed.add(id)
        for key in links_before:
            if key in ledger.links:
                del ledger.links[key]
            ledger.new_links.discard(key)
            ledger.changed_links.discard(key)
            if key in after.links:
                ledger.links[key] = after.links[key]
                ledger.new_links.add(key)
        self._store.delete(store.IDENTIFIER, [id for id in before if id not in after.known])
        self._store.delete(store.LINK, [key for key in links_before if key not in after.links])
        self._bereaved = {id for id in around if id in after.known}
        self._resolved.clear()

    def _events(self) -> Iterator[Iterable[Any]]:
        """All stored events and those of this batch."""
        if self._history is not None:
            yield from self._history()
        yield [passage for passage in self._passages if passage.event is not None and passage.fate is None]

    def _renew(self) -> None:
        """Everything that depends on the rules, under the new ones."""
        if self._evidence_changed and self._history is not None:
            decisions = [renewed(decision, self._rules, self._secret) for decision in self._decisions.values()]
            self._decisions = {decision.id: decision for decision in decisions if decision is not None}
            self._rulings = settle(self._decisions.values())
            ledger = bulk.gather(self._events(), self._resolver, self._erasures)
            for table in (store.IDENTIFIER, store.LINK, store.DECISION):
                self._store.execute(f"delete from {table.name}")
            self._decided = dict(self._decisions)
        else:
            self._write()
            ledger = Ledger()
            ledger.known = {known.id: known for known in store.all_identifiers(self._store)}
            ledger.links = {link.id: link for link in store.all_links(self._store)}
        people = bulk.place(ledger, self._frame())
        self._store.upsert(store.IDENTIFIER, (msgspec.structs.astuple(people.known[id]) for id in sorted(people.known)))
        self._store.upsert(store.LINK, (msgspec.structs.astuple(people.links[key]) for key in sorted(people.links)))
        self._ledger = Ledger()
        self._resolved.clear()


def _rows(decisions: Iterable[Decision]) -> list[tuple[Any, ...]]:
    return [msgspec.structs.astuple(decision) for decision in sorted(decisions, key=lambda decision: decision.id)]
