"""The first stage of the river: gives every received item its fate, or lets it pass.

Items come in order of position. Decisions about contracts and quarantined entries are applied where they stand in that
order. Later stages may still suppress what passed here, so fates are counted when the batch is flushed.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from cauce.engines.api import Table, Tables
from cauce.errors import DefinitionInvalid
from cauce.model import DAY, DECISION, DECISIONS, HOUR, Event, Fate, Passage, Reason, Received, Source
from cauce.quality import store
from cauce.quality.contract import Book, Compiled, Contract, parse, parse_unknown
from cauce.quality.rules import CLEAN, Limits, Verdict, judged, mentions, place, raw_text
from cauce.quality.seen import SeenSet, keys_of, name_of
from cauce.quality.starter import starter_compiled
from cauce.quality.store import Entry, Tally

__all__ = ["Limits", "QualityStage"]

NAME_CHARACTERS_MAX = 200
_VIEWS = frozenset(("page", "screen"))
ANY_TIME = Limits.of(2**62, 2**40, 2**20)
_FATES = {fate.value: fate for fate in Fate}
_NO_REASON = Reason("undecoded", "", "an event, or the reason why there is none", "neither")
_log = logging.getLogger(__name__)


class QualityStage:
    """Contracts, dedupe and quarantine for one item after the other.

    `source_of` gives a source by its name (None when it is not known): its mode may soften contracts.
    `starter` are the contracts to begin with; default: those that come with Cauce.
    `is_suppressed` tells events of persons whose erasure forbids them for good: those are never judged or kept.
    """

    name = "quality"
    tables: tuple[Table, ...] = store.TABLES

    def __init__(
        self,
        tables: Tables,
        source_of: Callable[[str], Source | None] | None = None,
        limits: Limits | None = None,
        *,
        starter: Iterable[Contract] | None = None,
        is_suppressed: Callable[[Event], bool] | None = None,
    ) -> None:
        tables.create(self.tables)
        self._tables = tables
        self._source_of = source_of
        self._limits = limits or Limits.of()
        self._is_suppressed = is_suppressed
        self._starter = Book(starter_compiled() if starter is None else map(Compiled, starter))
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray(64 * 1024)
        self._seen = SeenSet(store.seen_blocks(tables))
        self._counts = Tally(store.COUNT)
        self._names = Tally(store.NAME)
        self._contracts = _Contracts(self._starter, tables.select(f"select * from {store.CONTRACT.name}"))
        self._contracts_committed = self._contracts
        self._forget()

    def refresh(self, *, decided: bool) -> None:
        """Another runner has committed: what it saw is seen, and its contracts hold here too."""
        self._seen.extend(store.seen_blocks(self._tables, self._seen.next_block))
        if decided:
            self._contracts = _Contracts(self._starter, self._tables.select(f"select * from {store.CONTRACT.name}"))
            self._contracts_committed = self._contracts

    def _forget(self) -> None:
        """Empties the working set of a batch."""
        self._limits_by_source: dict[str, Limits] = {}
        self._keys: dict[int, int] = {}
        self._taken: set[int] = set()
        self._new: list[int] = []
        self._received: Counter[tuple[str, int]] = Counter()
        self._counted: list[Passage] = []
        self._replayed: list[tuple[Passage, Entry]] = []
        self._observed: list[tuple[Passage, Verdict]] = []
        self._entries: dict[int, Entry] = {}
        self._changed: set[int] = set()

    def prefetch(self, passages: Sequence[Passage]) -> None:
        positions: list[int] = []
        names: list[str] = []
        wanted: list[int] = []
        erased: list[str] = []
        for passage in passages:
            item = passage.item
            event = item.event
            if event is None:
                event_id = _id_in_raw(item)
            elif event.type == DECISION and event.source == DECISIONS:
                wanted += _positions_in(event)
                erased += _erased_by(event)
                continue
            else:
                event_id = event.id
            if item.replay_of:
                wanted.append(item.replay_of)
            if event_id:
                positions.append(item.position)
                names.append(name_of(item.source, event_id))
        keys = keys_of(names)
        self._keys = dict(zip(positions, keys, strict=True))
        self._taken = self._seen.known(keys)
        if wanted:
            self._entries = {entry.position: entry for entry in store.entries_at(self._tables, wanted)}
        if erased:
            for entry in store.all_entries(self._tables):
                if mentions(entry.form, entry.raw, erased):
                    self._entries[entry.position] = entry

    def apply(self, passage: Passage) -> bool:
        item = passage.item
        event = item.event
        # Only Cauce blanks items, with a fate it knows; what else calls itself erased is judged like any item.
        if item.erased and (item.erased in _FATES or item.source == DECISIONS):
            return self._settle(passage, _FATES.get(item.erased))
        if event is not None and event.type == DECISION and event.source == DECISIONS:
            self._decide(event)
            return True
        if event is not None and self._is_suppressed is not None and self._is_suppressed(event):
            # Judged first, it could stay in quarantine with its content, and a repeated one in the log.
            return self._settle(passage, Fate.SUPPRESSED)
        if item.replay_of:
            return self._pass_replayed(passage)
        self._received[item.source, item.received] += 1
        self._counted.append(passage)
        key = self._keys.get(item.position)
        if key is not None:
            if key in self._taken:
                passage.fate = Fate.DUPLICATE
                return False
            self._taken.add(key)
            self._new.append(key)
        if event is None:
            return self._quarantine(passage, item.reasons or (_NO_REASON,))
        verdict = judged(event, self._size_bytes(item), self._contracts.book, self._limits_of(item.source))
        return verdict is CLEAN or self._judge(passage, verdict)

    def flush(self) -> None:
        tables = self._tables
        self._count()
        self._counts.flush(tables)
        self._names.flush(tables)
        if self._observed:
            store.add_breaches(tables, self._breaches)
        if self._changed:
            tables.upsert(store.QUARANTINE, [store.row_of(self._entries[at]) for at in sorted(self._changed)])
        if self._contracts is not self._contracts_committed:
            tables.upsert(store.CONTRACT, self._contracts.rows())
        self._seen.add(self._new)
        self._new = []
        tables.upsert(store.SEEN, self._seen.changed_blocks())

    def committed(self) -> None:
        self._seen.committed()
        self._counts.committed()
        self._names.committed()
        self._contracts_committed = self._contracts
        self._forget()

    def rolled_back(self) -> None:
        self._seen.rolled_back()
        self._counts.rolled_back()
        self._names.rolled_back()
        self._contracts = self._contracts_committed
        self._forget()

    def erase(self, positions: Iterable[int]) -> None:
        """Blanks the entries at some positions, at once: for whoever blanks the same items in the log.

        Call it inside the transaction, after `flush`. Positions without an entry do nothing.
        """
        erase_entries(self._tables, positions)

    def _is_taken(self, item: Received) -> bool:
        """Whether an item's id was seen before; an item without id is always new."""
        return self._keys.get(item.position) in self._taken

    def _limits_of(self, source: str) -> Limits:
        """The bounds of a source's events; looked up once a batch."""
        found = self._limits_by_source.get(source)
        if found is None:
            known = None if self._source_of is None else self._source_of(source)
            found = self._limits
            if known is not None and known.event_bytes_max:
                found = msgspec.structs.replace(found, event_bytes_max=known.event_bytes_max)
            self._limits_by_source[source] = found
        return found

    def _take(self, item: Received) -> None:
        """Marks an item's id as seen."""
        key = self._keys.get(item.position)
        if key is not None and key not in self._taken:
            self._taken.add(key)
            self._new.append(key)

    def _size_bytes(self, item: Received) -> int:
        """Size of an item as sent, or a bound of it that is small enough."""
        if 0 < item.bytes_max <= self._limits.event_bytes_max:
            return item.bytes_max
        raw = item.raw
        if isinstance(raw, bytes | str):
            return len(raw)
        if isinstance(raw, msgspec.Raw):
            return len(memoryview(raw))
        try:
            self._encoder.encode_into(raw, self._buffer)
        except (TypeError, ValueError, OverflowError, RecursionError):
            return len(raw_text(raw)[1])
        return len(self._buffer)

    def _judge(self, passage: Passage, verdict: Verdict) -> bool:
        """Quarantines, or lets pass with a note of the breach."""
        if verdict.hard or (verdict.quarantines and not self._observes(passage.item.source)):
            return self._quarantine(passage, verdict.hard + verdict.contract)
        self._observed.append((passage, verdict))
        return True

    def _observes(self, source: str) -> bool:
        found = self._source_of(source) if self._source_of else None
        return found is not None and found.mode == "observe"

    def _quarantine(self, passage: Passage, reasons: tuple[Reason, ...]) -> bool:
        passage.fate = Fate.QUARANTINED
        item = passage.item
        self._put(_entry_of(item, item.position, reasons))
        return False

    def _put(self, entry: Entry) -> None:
        self._entries[entry.position] = entry
        self._changed.add(entry.position)

    def _settle(self, passage: Passage, fate: Fate | None) -> bool:
        """An item that an erasure blanked, or is about to, keeps its place in the counts, and does nothing else."""
        item = passage.item
        if fate is None:  # a blanked decision was never counted
            return False
        passage.fate = fate
        self._take(item)
        if item.replay_of:
            entry = self._entries.get(item.replay_of)
            if entry is not None and entry.state in ("open", "erased"):
                if fate is Fate.QUARANTINED:
                    self._put(_blanked(entry))
                else:
                    self._put(msgspec.structs.replace(entry, state="replayed"))
                    self._replayed.append((passage, entry))
            return False
        self._received[item.source, item.received] += 1
        self._counted.append(passage)
        if fate is Fate.QUARANTINED:
            self._put(_blanked(_entry_of(item, item.position, ())))
        return False

    def _pass_replayed(self, passage: Passage) -> bool:
        """A mended entry: it takes the place of the quarantined item in the counts, or stays open with new reasons.

        The id of the entry is its own; another id must be new, and is taken only when the event enters.
        """
        item = passage.item
        entry = self._entries.get(item.replay_of)
        # An erased entry is as good as an open one: a rebuild finds it erased where it was open when this came.
        if entry is None or entry.state not in ("open", "erased"):
            passage.fate = Fate.DUPLICATE
            return False
        event = item.event
        event_id = id_of_item(item)
        another = entry.state == "open" and (item.source, event_id) != (entry.source, entry.event_id)
        if another and self._is_taken(item):
            passage.fate = Fate.DUPLICATE
            self._put(msgspec.structs.replace(entry, state="replayed"))
            self._replayed.append((passage, entry))
            return False
        if event is None:
            return self._keep_open(passage, entry, item.reasons or (_NO_REASON,))
        verdict = judged(event, self._size_bytes(item), self._contracts.book, self._limits_of(item.source))
        if verdict.hard or (verdict.quarantines and not self._observes(item.source)):
            return self._keep_open(passage, entry, verdict.hard + verdict.contract)
        if verdict is not CLEAN:
            self._observed.append((passage, verdict))
        if another:
            self._take(item)
        self._put(msgspec.structs.replace(entry, state="replayed"))
        self._replayed.append((passage, entry))
        return True

    def _keep_open(self, passage: Passage, entry: Entry, reasons: tuple[Reason, ...]) -> bool:
        passage.fate = Fate.QUARANTINED
        if entry.state == "erased":
            return False
        judged_again = _entry_of(passage.item, entry.position, reasons)
        self._put(
            msgspec.structs.replace(
                judged_again,
                event_id=entry.event_id,
                received=entry.received,
                decided=entry.decided,
                decided_by=entry.decided_by,
            )
        )
        return False

    def _decide(self, event: Event) -> None:
        match event.name:
            case "contract.applied" | "contract.removed":
                self._contracts = self._contracts.decided(event)
            case "quarantine.dropped":
                self._drop(event)
            case "quarantine.replayed":
                for position in _positions_in(event):
                    entry = self._entries.get(position)
                    if entry is not None and entry.state in ("open", "erased"):
                        self._put(_decided(entry, event))
            case "person.erased":
                identifiers = _erased_by(event)
                for entry in list(self._entries.values()):
                    if mentions(entry.form, entry.raw, identifiers):
                        self._put(_blanked(entry))

    def _drop(self, event: Event) -> None:
        why = str(event.properties.get("why", ""))[:1_000]
        for position in _positions_in(event):
            entry = self._entries.get(position)
            if entry is not None and entry.state in ("open", "erased"):
                self._put(msgspec.structs.replace(_decided(entry, event), state="dropped", why=why))
                hour = entry.received // HOUR
                self._counts.changes[entry.source, hour, Fate.QUARANTINED.value] -= 1
                self._counts.changes[entry.source, hour, Fate.SUPPRESSED.value] += 1

    def _count(self) -> None:
        """Adds the final fates of the batch to the counters."""
        counts = self._counts.changes
        names = self._names.changes
        stored: Counter[tuple[str, str, str, int]] = Counter()
        for passage in self._counted:
            item = passage.item
            event = item.event
            if passage.fate is None and event is not None:
                stored[item.source, event.channel, _counted_as(event), item.received] += 1
            else:
                counts[item.source, item.received // HOUR, (passage.fate or Fate.STORED).value] += 1
        for (source, channel, name, received), count in stored.items():
            counts[source, received // HOUR, Fate.STORED.value] += count
            names[channel, name[:NAME_CHARACTERS_MAX], received // DAY] += count
        for (source, received), count in self._received.items():
            counts[source, received // HOUR, store.RECEIVED] += count
        for passage, entry in self._replayed:
            hour = entry.received // HOUR
            counts[entry.source, hour, Fate.QUARANTINED.value] -= 1
            counts[entry.source, hour, (passage.fate or Fate.STORED).value] += 1
            event = passage.item.event
            if passage.fate is None and event is not None:
                name = _counted_as(event)[:NAME_CHARACTERS_MAX]
                names[event.channel, name, event.received // DAY] += 1

    def _breaches(self) -> Iterator[tuple[tuple[Any, ...], str, int]]:
        for passage, verdict in self._observed:
            if passage.fate is None and passage.item.event is not None:
                yield from _breaches_of(passage.item.event, verdict)


class _Contracts:
    """The contracts in force and the decisions that made them; immutable."""

    def __init__(self, starter: Book, rows: Iterable[Sequence[Any]]) -> None:
        self._starter = starter
        self._rows: dict[str, tuple[Any, ...]] = {row[0]: tuple(row) for row in rows}
        self.book = book_of(starter, self._rows.values())

    def rows(self) -> list[tuple[Any, ...]]:
        return [self._rows[key] for key in sorted(self._rows)]

    def decided(self, event: Event) -> _Contracts:
        """With a decision applied; definitions that make no sense were refused at the door and are left out here."""
        changes: list[tuple[str, str, str]] = []
        if event.name == "contract.removed":
            keys = event.properties.get("contracts", ())
            changes = [(key, "removed", "") for key in keys if isinstance(key, str)]
        else:
            for definition in event.properties.get("contracts", ()):
                try:
                    contract = parse(definition)
                except DefinitionInvalid as fault:
                    _log.warning("a contract in the log is left out: %s", fault)
                    continue
                changes.append((contract.key, "applied", msgspec.json.encode(definition).decode()))
            for key, setting in unknown_settings(event.properties).items():
                changes.append((key, "applied", setting))
        rows = dict(self._rows)
        for key, state, definition in changes:
            version = rows[key][3] + 1 if key in rows else 1
            rows[key] = (key, state, definition, version, event.occurred, _by(event))
        return _Contracts(self._starter, rows.values())


def unknown_settings(properties: dict[str, Any]) -> dict[str, str]:
    """`unknown` of a decision by the key it is kept under: a word for all sources, or a mapping by source."""
    given = properties.get("unknown")
    by_source = given if isinstance(given, dict) else {"": given} if given is not None else {}
    settings: dict[str, str] = {}
    for source, setting in by_source.items():
        try:
            settings[f"unknown@{source}" if source else "unknown"] = parse_unknown(setting)
        except DefinitionInvalid as fault:
            _log.warning("a contract setting in the log is left out: %s", fault)
    return settings


def book_of(starter: Book, rows: Iterable[Sequence[Any]]) -> Book:
    """The starter contracts, changed by what was decided (rows of the table of contracts)."""
    put: list[Compiled] = []
    removed: list[str] = []
    unknown: dict[str, str] = {}
    for key, state, definition, *_ in rows:
        if key == "unknown" or key.startswith("unknown@"):
            if state == "applied":
                unknown[key.removeprefix("unknown").removeprefix("@")] = definition
        elif state == "removed":
            removed.append(key)
        else:
            try:
                put.append(Compiled(parse(msgspec.json.decode(definition))))
            except DefinitionInvalid as fault:
                _log.warning("contract %s is left out: %s", key, fault)
    return starter.changed(put, removed, unknown)


def _breaches_of(event: Event, verdict: Verdict) -> Iterator[tuple[tuple[Any, ...], str, int]]:
    """(key, expected, position) of every reason of a stored event, equal ones once."""
    found = {(reason.code, place(reason.path), reason.expected) for reason in verdict.contract}
    for code, path, expected in sorted(found):
        yield (event.source, verdict.key, code, path, event.received // DAY), expected, event.position


def erase_entries(tables: Tables, positions: Iterable[int]) -> None:
    """Blanks the quarantine entries at some positions, at once, inside a transaction; the others do not matter."""
    blanked = [_blanked(entry) for entry in store.entries_at(tables, positions)]
    tables.upsert(store.QUARANTINE, [store.row_of(entry) for entry in blanked])


def recount(tables: Tables, history: Iterable[Iterable[Any]]) -> None:
    """Counts names and breaches of stored events anew, inside a transaction: for when an erasure took some away.

    `history` gives what is left (`Archive.scan()`), decisions included: each event is held against the contracts that
    were in force when it came. What was received and what became of it stays counted (`quality_count`).
    """
    contracts = _Contracts(Book(starter_compiled()), ())
    names: Counter[tuple[str, str, int]] = Counter()
    breaches: dict[tuple[Any, ...], tuple[int, str, int]] = {}
    counts_breaches = bool(tables.select(f"select count(*) from {store.BREACH.name}")[0][0])
    for chunk in history:
        for stored in chunk:
            event: Event = stored.event
            if event.type == DECISION:
                if event.name in ("contract.applied", "contract.removed"):
                    contracts = contracts.decided(event)
                continue
            names[event.channel, _counted_as(event)[:NAME_CHARACTERS_MAX], event.received // DAY] += 1
            if counts_breaches:
                verdict = judged(event, 0, contracts.book, ANY_TIME)
                for key, expected, position in _breaches_of(event, verdict):
                    count, told, example = breaches.get(key, (0, "", 0))
                    breaches[key] = (count + 1, max(told, expected), max(example, position))
    for table in (store.NAME, store.BREACH):
        tables.execute(f"delete from {table.name}")
    tables.upsert(store.NAME, [(*key, count) for key, count in sorted(names.items())])
    tables.upsert(store.BREACH, [(*key, *found) for key, found in sorted(breaches.items())])


def _counted_as(event: Event) -> str:
    """The name under which an event is counted; views under their type, because every page has a title of its own."""
    return event.type if event.type in _VIEWS else event.name or event.type


def _entry_of(item: Received, position: int, reasons: tuple[Reason, ...]) -> Entry:
    form, raw = raw_text(item.raw)
    event = item.event
    if event is None:
        name = _text_in_raw(item, "event") or _text_in_raw(item, "type")
        return Entry(position, item.source, item.channel, _id_in_raw(item), name, item.received, 0, reasons, form, raw)
    name = (event.name or event.type)[:NAME_CHARACTERS_MAX]
    return Entry(position, item.source, item.channel, event.id, name, item.received, event.occurred, reasons, form, raw)


def _blanked(entry: Entry) -> Entry:
    """An entry after a person's erasure: where and when it came, and what became of it; nothing of its content."""
    state = "erased" if entry.state == "open" else entry.state
    return msgspec.structs.replace(
        entry, event_id="", name="", occurred=0, reasons=(), form="json", raw="null", state=state
    )


def _decided(entry: Entry, event: Event) -> Entry:
    return msgspec.structs.replace(entry, decided=event.occurred, decided_by=_by(event))


def _by(event: Event) -> str:
    return str(event.context.get("by", ""))


def id_of_item(item: Received) -> str:
    """The id that an item is known by, also one that is no event; empty when it has none."""
    return item.event.id if item.event is not None else _id_in_raw(item)


def _id_in_raw(item: Received) -> str:
    """The id of an item that is no event, as far as the protocol's own field gives one."""
    return _text_in_raw(item, "messageId")


def _text_in_raw(item: Received, field: str) -> str:
    raw = item.raw
    if isinstance(raw, bytes | msgspec.Raw):
        try:
            raw = msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            return ""
    value = raw.get(field) if isinstance(raw, dict) else None
    if not isinstance(value, str):
        return ""
    return value if item.erased else value[:NAME_CHARACTERS_MAX]  # a blank keeps the id as it was counted


def _positions_in(event: Event) -> list[int]:
    """Positions of quarantine entries that a decision is about."""
    if event.name == "quarantine.dropped":
        found = event.properties.get("positions", ())
    elif event.name == "quarantine.replayed":
        items = event.properties.get("items", ())
        found = [item.get("position") for item in items if isinstance(item, dict)] if isinstance(items, list) else ()
    else:
        return []
    return [position for position in found if type(position) is int] if isinstance(found, list) else []


def _erased_by(event: Event) -> list[str]:
    """Identifiers (`kind:value`) of the person whom a decision erases."""
    if event.name != "person.erased":
        return []
    found = event.properties.get("identifiers", ())
    return [identifier for identifier in found if isinstance(identifier, str)] if isinstance(found, list) else []
