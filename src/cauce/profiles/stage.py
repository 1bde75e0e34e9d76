"""Folds each event into the strand of its subject, and carries out what people decided about profiles.

While events pass, only what each says is noted (`apply` alone touches data from outside, so a bad event can be told
apart from the rest of its batch); `flush` reads the strands of all touched subjects at once, folds, and writes back.
A decision comes in a batch of its own, so that what it changes does not depend on where batches are cut.
Folding may be done apart, by whoever is free: `parcels` gives what was noted, by lanes of subjects, to be `fold`ed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from cauce.engines.api import Table, Tables
from cauce.errors import DefinitionInvalid
from cauce.identity.api import id_from_text, parse_identifier
from cauce.model import DECISION, Event, Passage
from cauce.profiles import parcels, store, strand
from cauce.profiles.computed import Observed, Traits
from cauce.profiles.definitions import Definition, SurvivorshipRules, read_definitions, read_survivorship
from cauce.profiles.parcels import Batch, Note

CHUNK_EVENTS = 20_000
"""Events of the history that a refold keeps in memory at once."""
WORDS_MAX = 100
"""Words of stewards that are kept per identifier and trait: the latest."""
LABELS_MAX = 8_192

DEFINITIONS_APPLIED = "trait.applied"
DEFINITIONS_REMOVED = "trait.removed"
SURVIVORSHIP_APPLIED = "survivorship.applied"
TRAIT_SET = "trait.set"
PERSON_ERASED = "person.erased"
RULES_APPLIED = "identity.rules_applied"


class Stored(Protocol):
    """What the history gives back of an event: whose it was, and what it said."""

    @property
    def subject(self) -> int: ...
    @property
    def identifier_ids(self) -> tuple[int, ...]: ...
    @property
    def event(self) -> Event: ...


History = Callable[[], Iterator[Sequence[Stored]]]
"""All stored events that were committed, some at a time, in order of position."""
Identify = Callable[[Event], tuple[int, ...]]
"""Ids of the usable identifiers of an event under the present identity rules, the subject's first."""

Held = dict[Table, dict[int, bytes]]
"""Stored strands, by table and subject."""


class ProfilesStage:
    """Implements `cauce.runner.Stage`.

    `history` gives the stored events when a new definition must know the past; `identify` says whose they are under
    the present identity rules (without it they are whose they were when they were stored).
    """

    name = "profiles"
    tables: tuple[Table, ...] = store.TABLES

    def __init__(self, tables: Tables, history: History | None = None, identify: Identify | None = None) -> None:
        self._tables = tables
        self._history: History = history or (lambda: iter(()))
        self._identify = identify
        self._batch = Batch()
        self._held: Held | None = None
        self._decisions: list[tuple[str, Any]] = []
        self._labels: dict[tuple[str, str], int] = {}
        tables.create(self.tables)
        self._load()

    def _load(self) -> None:
        self._definitions = store.definitions(self._tables)
        self._traits = Traits(self._definitions.items())

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The computed traits that are in force."""
        return tuple(self._definitions.values())

    def refresh(self, *, decided: bool) -> None:
        """Another runner has committed; its definitions hold here too."""
        if decided:
            self.rolled_back()

    def prefetch(self, passages: Sequence[Passage]) -> None:
        """Nothing: subjects are known only when `identity` has let the events pass."""

    def apply(self, passage: Passage) -> bool:
        """Notes what one event says; goes on to the archive."""
        event = passage.event
        if event is None:
            return True
        if event.type == DECISION:
            self._note_decision(passage, event)
        elif passage.subject:
            self._note(passage.subject, event)
        return True

    def _note(self, subject: int, event: Event) -> None:
        batch = self._batch
        told = strand.told_by(event)
        note = (event.occurred, event.channel, self._traits.observe(event))
        label = self._labels.get((event.channel, event.name))
        if label is None:
            label = self._label(event)
        notes = batch.notes.get(subject)
        if notes is None:
            batch.notes[subject] = [note]
        else:
            notes.append(note)
        if told is not None:
            batch.told.setdefault(subject, []).append(told)
        batch.timeline.append((subject, event.occurred, event.position, label))

    def _note_decision(self, passage: Passage, event: Event) -> None:
        read = _DECISIONS.get(event.name)
        if read is None:
            return
        try:
            self._decisions.append((event.name, read(event, self._owned(passage, event))))
        except DefinitionInvalid as fault:
            # A door refuses bad decisions; one that is in the log all the same is set aside like any bad event.
            raise ValueError(str(fault)) from fault

    def _owned(self, passage: Passage, event: Event) -> tuple[int, ...]:
        """Ids of the identifiers that a decision names: as identity left them, or as the decision writes one."""
        text = event.properties.get("identifier")
        if passage.identifier_ids or not isinstance(text, str):
            return passage.identifier_ids
        number = id_from_text(text)
        if number is not None:
            return (number,)
        named = msgspec.structs.replace(event, identifiers=(parse_identifier(text),))
        return self._identify(named) if self._identify is not None else ()

    def _subject_of(self, stored: Stored) -> int:
        """Whose a stored event is; 0 for nobody's, and for decisions."""
        if stored.event.type == DECISION:
            return 0
        if self._identify is None:
            return stored.subject
        ids = self._identify(stored.event)
        return ids[0] if ids else 0

    def _label(self, event: Event) -> int:
        if len(self._labels) >= LABELS_MAX:
            self._labels.clear()
        label = self._labels[event.channel, event.name] = store.label_of(event.channel, event.name)
        return label

    def fetch(self) -> None:
        """Reads ahead the strands that the batch touches; what was not read ahead is read when it is folded."""
        self._held = self._bodies(self._batch)

    def flush(self) -> None:
        """Folds what was noted into the strands, then carries out decisions."""
        self._fold(self._batch, self._held)
        for name, content in self._decisions:
            self._decide(name, content)

    def parcels(self) -> dict[int, bytes]:
        """What was noted, by lane."""
        return parcels.packed(self._batch)

    def fold(self, bodies: Sequence[bytes]) -> None:
        """Folds what parcels say into the strands."""
        self._fold(parcels.unpacked(bodies, self._traits))

    def committed(self) -> None:
        """Forgets the working set."""
        self._batch = Batch()
        self._held = None
        self._decisions = []

    def rolled_back(self) -> None:
        """Forgets the working set, and definitions that did not come to stay."""
        self.committed()
        self._load()

    # ── Folding ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _bodies(self, batch: Batch) -> Held:
        """What is stored of the subjects of a batch."""
        return store.bodies(self._tables, {store.PULSES: batch.notes, store.LEDGERS: batch.told})

    def _fold(self, batch: Batch, held: Held | None = None) -> None:
        held = held or self._bodies(batch)
        if batch.notes:
            # The longest first: a remote engine is at work on it while pulses are folded here.
            self._tables.upsert(store.TIMELINE, sorted(batch.timeline))
            self._tables.upsert(store.PULSES, self._folded_pulses(batch.notes, held[store.PULSES]))
        if batch.told:
            self._tables.upsert(store.LEDGERS, self._folded_ledgers(batch.told, held[store.LEDGERS]))

    def _folded_pulses(self, notes: dict[int, list[Note]], bodies: dict[int, bytes]) -> list[tuple[int, bytes]]:
        slots = self._traits.slots
        decode, encode, fold = strand.decode, strand.encode_pulse, strand.fold_pulse
        rows = []
        for subject in sorted(notes):
            body = bodies.get(subject)
            pulse = None if body is None else decode(body)
            for occurred, channel, observed in notes[subject]:
                pulse = fold(pulse, occurred, channel, observed, slots)
            rows.append((subject, encode(pulse)))  # type: ignore[arg-type]
        return rows

    def _folded_ledgers(self, told: dict[int, list[strand.Told]], bodies: dict[int, bytes]) -> list[tuple[int, bytes]]:
        rows = []
        for subject in sorted(told):
            body = bodies.get(subject)
            ledger = None if body is None else strand.decode(body)
            for each in told[subject]:
                ledger = strand.fold_ledger(ledger, each)
            rows.append((subject, strand.encode_ledger(ledger)))  # type: ignore[arg-type]
        return rows

    # ── Decisions ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _decide(self, name: str, content: Any) -> None:
        if name == DEFINITIONS_APPLIED:
            self._apply_definitions(content)
        elif name == DEFINITIONS_REMOVED:
            self._define({slot: each for slot, each in self._definitions.items() if each.name not in content})
        elif name == SURVIVORSHIP_APPLIED:
            store.save_survivorship(self._tables, content)
        elif name == TRAIT_SET:
            self._set_trait(content)
        elif name == PERSON_ERASED:
            self._erase(frozenset(content))
        elif name == RULES_APPLIED:
            self.rebuild()

    def _apply_definitions(self, applied: tuple[Definition, ...]) -> None:
        """Definitions of the same name are replaced; each takes the smallest free slot."""
        wanted = {each.name: each for each in applied}
        kept = {slot: each for slot, each in self._definitions.items() if wanted.get(each.name, each) == each}
        have = {each.name for each in kept.values()}
        free = (slot for slot in range(len(kept) + len(wanted)) if slot not in kept)
        new = {next(free): each for each in applied if each.name not in have}
        self._define({**kept, **new})

    def _define(self, definitions: dict[int, Definition]) -> None:
        """Makes these the definitions, as if they had always been there."""
        before = self._definitions
        gone = [slot for slot, each in before.items() if definitions.get(slot) != each]
        new = {slot: each for slot, each in definitions.items() if before.get(slot) != each}
        if gone:
            self._clear(gone)
        store.save_definitions(self._tables, definitions)
        self._definitions = definitions
        self._traits = Traits(definitions.items())
        if new:
            self._backfill(Traits(new.items()))

    def _clear(self, slots: Sequence[int]) -> None:
        """Empties slots in all strands; at once, because stored strands must not depend on when they are next read."""
        for pulses in store.all_strands(self._tables, store.PULSES):
            rows = []
            for subject, pulse in pulses:
                partials = pulse[4]
                held = [slot for slot in slots if slot < len(partials) and partials[slot] is not None]
                for slot in held:
                    partials[slot] = None
                if held:
                    rows.append((subject, strand.encode_pulse(pulse)))
            self._tables.upsert(store.PULSES, rows)

    def _backfill(self, traits: Traits) -> None:
        """Folds all stored events into new traits."""
        for events in _chunks(self._history()):
            observed: dict[int, list[tuple[int, Observed]]] = {}
            for stored in events:
                subject = self._subject_of(stored)
                found = traits.observe(stored.event) if subject else None
                if found:
                    observed.setdefault(subject, []).append((stored.event.occurred, found))
            rows = []
            for subject, pulse in sorted(store.strands(self._tables, store.PULSES, observed).items()):
                for occurred, found in observed[subject]:
                    strand.fold_partials(pulse, occurred, found, self._traits.slots)
                rows.append((subject, strand.encode_pulse(pulse)))
            self._tables.upsert(store.PULSES, rows)

    def rebuild(self) -> None:
        """Folds the whole history anew, for when identity rules changed whose events are; inside a transaction."""
        subjects = [int(subject) for (subject,) in self._tables.select("select subject from pulse")]
        for table in (store.PULSES, store.LEDGERS, store.TIMELINE):
            self._tables.delete(table, subjects)
        self._refold(lambda subject, _stored: subject > 0)

    def _refold(self, wanted: Callable[[int, Stored], bool]) -> None:
        """Folds the wanted events of the history into strands."""
        for events in _chunks(self._history()):
            self._batch = Batch()
            for stored in events:
                subject = self._subject_of(stored)
                if subject and wanted(subject, stored):
                    self._note(subject, stored.event)
            self._fold(self._batch)
        self._batch = Batch()

    def _erase(self, erased: frozenset[int]) -> None:
        """Deletes the strands of erased identifiers, and what others learnt from events that name one of them."""
        bereaved = set()
        for events in self._history():
            for stored in events:
                if not erased.isdisjoint(stored.identifier_ids):
                    bereaved.add(self._subject_of(stored))
        bereaved -= {0, *erased}
        self._tables.delete(store.WORDS, sorted(erased))
        for table in (store.PULSES, store.LEDGERS, store.TIMELINE):
            self._tables.delete(table, sorted(erased | bereaved))
        if bereaved:
            self._refold(lambda subject, stored: subject in bereaved and erased.isdisjoint(stored.identifier_ids))

    def _set_trait(self, words: dict[int, tuple[str, list[Any]]]) -> None:
        held = store.strands(self._tables, store.WORDS, words)
        rows = []
        for subject, (trait, word) in sorted(words.items()):
            traits = held.get(subject, {})
            traits[trait] = sorted([*traits.get(trait, ()), word], key=lambda each: each[:2], reverse=True)[:WORDS_MAX]
            rows.append((subject, strand.encode_ledger(traits)))
        self._tables.upsert(store.WORDS, rows)


def _chunks(history: Iterable[Sequence[Stored]]) -> Iterator[list[Stored]]:
    """The history in pieces of about `CHUNK_EVENTS`."""
    chunk: list[Stored] = []
    for events in history:
        chunk.extend(events)
        if len(chunk) >= CHUNK_EVENTS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def validate(event: Event) -> None:
    """DefinitionInvalid when a decision of profiles would do nothing; its identifier is taken to be usable."""
    read = _DECISIONS.get(event.name)
    if read is not None:
        read(event, (1,))


def _definitions_in(event: Event, _ids: tuple[int, ...]) -> tuple[Definition, ...]:
    properties = event.properties
    return read_definitions(properties.get("definitions", properties.get("definition", properties)))


def removed_names(properties: Mapping[str, Any]) -> frozenset[str]:
    """Names of the computed traits that a `trait.removed` names, as `names` or `name`."""
    names = properties.get("names", properties.get("name", ()))
    return frozenset((names,) if isinstance(names, str) else map(str, names))


def _names_in(event: Event, _ids: tuple[int, ...]) -> frozenset[str]:
    names = removed_names(event.properties)
    if not names:
        raise DefinitionInvalid(f"expected {DEFINITIONS_REMOVED} with names, got {event.properties!r:.200}")
    return names


def _survivorship_in(event: Event, _ids: tuple[int, ...]) -> SurvivorshipRules:
    return read_survivorship(event.properties.get("survivorship", event.properties))


def _word_in(event: Event, ids: tuple[int, ...]) -> dict[int, tuple[str, list[Any]]]:
    """The steward's word about a trait: [occurred, event id, text or None, why, by, received] by subject."""
    trait, value = event.properties.get("trait"), event.properties.get("value")
    if not isinstance(trait, str) or not trait or not ids:
        raise DefinitionInvalid(
            f"expected {TRAIT_SET} with a usable identifier and a trait, got {event.properties!r:.200}"
        )
    text = None if value is None else strand.canonical(value)
    why, by = str(event.properties.get("why", "")), str(event.context.get("by", ""))
    return {ids[0]: (trait, [event.occurred, event.id, text, why, by, event.received])}


def _ids_in(_event: Event, ids: tuple[int, ...]) -> tuple[int, ...]:
    return ids


_DECISIONS: dict[str, Callable[[Event, tuple[int, ...]], Any]] = {
    DEFINITIONS_APPLIED: _definitions_in,
    DEFINITIONS_REMOVED: _names_in,
    SURVIVORSHIP_APPLIED: _survivorship_in,
    TRAIT_SET: _word_in,
    PERSON_ERASED: _ids_in,
    RULES_APPLIED: _ids_in,
}
