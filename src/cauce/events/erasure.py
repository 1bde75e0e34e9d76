"""Erasure of a person: what must vanish from log, blocks and files, and the proof that it did.

`person.erased` names identifiers. Every item of an earlier position that carries one of them goes: stored events
out of blocks and files, and every item, stored or not, out of the log, where `{"_erased": "<fate>"}` takes its place.
So positions and counts stay; the message id stays too, so that a later copy is still known as one.
A seal stays with them (`sealing`), so that nobody can send what looks like a blank.
The decision's own record is rewritten last, to keyed hashes.

The state changes in the batch's transaction, which also lists the log items still to blank; the log follows after the
commit, and a restart goes on with the list. Each step can be done twice without harm.
"""

from __future__ import annotations

import gzip
import json
import logging
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from cauce.engines.api import Log, Reader, Tables
from cauce.errors import Unsupported
from cauce.events import decisions, store
from cauce.events.api import Archive
from cauce.events.rules import (
    PERSON_ERASED,
    QUARANTINE_REPLAYED,
    OpenedBlock,
    concerned,
    erased_ids,
    mentioned,
    pack_block,
)
from cauce.model import DECISIONS, Event, Fate, Identifier, Received, Record, index_of, offset_of, position_of
from cauce.quality.api import QUALITY_TABLES, erase_entries, id_of_item, mentions, raw_text, recount

ITEM_LISTS = ("batch", "events", "rows")
"""Names under which a request's JSON body holds its list of items."""

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
RECORDS_PER_READ = 500
NEEDLES_MAX = 16
DECOMPRESSED_BYTES_MAX = 2**30

IMPERSONAL_DECISIONS = frozenset(
    (
        "contract.applied",
        "contract.removed",
        "identity.rules_applied",
        "survivorship.applied",
        "trait.applied",
        "trait.removed",
        PERSON_ERASED,
        QUARANTINE_REPLAYED,
    )
)
"""Definitions, which concern nobody, and decisions that the archive keeps without values."""

DECISION_FATE = "decision"
"""What a blanked decision leaves: it never was in the counts."""

Replacements = Mapping[int, dict[str, str]]
"""What takes the place of an item, by the item's index in its record."""

Blank = Callable[[Record, Replacements], bytes]
"""The body of a record without the items that are replaced; Unsupported when its form is not known."""

Decode = Callable[[Record], list[Received]]
Identify = Callable[[Event], tuple[int, ...]]
"""Ids of the usable identifiers of an event that identity has not seen (a duplicate, a quarantined one)."""


class Erasure(msgspec.Struct, frozen=True):
    """One decision at work: ids of what is erased, and the identifiers as the decision named them."""

    position: int
    identifier_ids: tuple[int, ...]
    identifiers: tuple[Identifier, ...] = ()

    @classmethod
    def of(cls, event: Event, identifier_ids: Iterable[int]) -> Erasure:
        """The erasure that a `person.erased` decision asks for; `identifier_ids` are those that identity worked out."""
        ids = erased_ids(event.properties) | set(identifier_ids)
        return cls(event.position, tuple(sorted(ids)), tuple(mentioned(event.properties.get("identifiers", []))))

    def is_in(self, content: Any) -> bool:
        """Whether a raw item or a text names one of the identifiers, by the one rule that quality has for it."""
        return mentions(*raw_text(content), [f"{kind}:{value}" for kind, value in self.identifiers])

    def names(self, identifiers: Iterable[Identifier]) -> bool:
        """Whether one of the identifiers is an erased one, as written."""
        wanted = {(kind, value.casefold()) for kind, value in self.identifiers}
        return any((kind, value.casefold()) in wanted for kind, value in identifiers)


class Target(msgspec.Struct, frozen=True, array_like=True):
    """One item of the log to blank; `event_id` is kept so that a later copy is still a duplicate."""

    position: int
    fate: str
    event_id: str = ""


class Outstanding(msgspec.Struct, frozen=True, array_like=True):
    """Log items to blank, and the decision's own record to scrub, at `decision`, 0 for none."""

    targets: tuple[Target, ...]
    decision: int = 0
    identifier_ids: tuple[int, ...] = ()


class Tools(msgspec.Struct, frozen=True):
    """What an erasure needs from outside: the log, and how its records are read and blanked."""

    log: Log
    decode: Decode
    identify: Identify
    blank: Blank


_logger = logging.getLogger(__name__)


def no_identifiers(_event: Event) -> tuple[int, ...]:
    """An `Identify` that knows nobody: items that identity has not seen are then found by their values only."""
    return ()


# --- finding -------------------------------------------------------------------------------------------------------


def find_stored(tables: Reader, erasure: Erasure, identify: Identify) -> list[Target]:
    """The stored events that the erasure concerns; reads every block before the decision."""
    decompressor = zstandard.ZstdDecompressor()
    needles = [msgspec.msgpack.encode(number) for number in erasure.identifier_ids]
    found: list[Target] = []
    for row in store.blocks(tables, 0, erasure.position - 1):
        opened = OpenedBlock(row[3], decompressor)
        if len(needles) <= NEEDLES_MAX and not opened.contains(needles):
            continue
        heads = (
            (position, opened.head(index))
            for index, position in enumerate(opened.positions)
            if position < erasure.position
        )
        for position in concerned(heads, erasure.identifier_ids):
            stored = opened.get(position)
            assert stored is not None
            found.append(_target(erasure, position, Fate.STORED, stored.event.id))
    return found + find_decisions(tables, erasure, identify)


def find_decisions(tables: Reader, erasure: Erasure, identify: Identify) -> list[Target]:
    """The decisions that name an erased identifier: a join, a refusal, a steward's word about a trait."""
    rows = tables.select("select position from event_decision where position < ?", (erasure.position,))
    archived = Archive(tables).bodies(position for (position,) in rows)
    return [
        Target(position, DECISION_FATE)
        for position, stored in archived.items()
        if _is_about(stored.event, erasure, identify)
    ]


def _is_about(event: Event, erasure: Erasure, identify: Identify) -> bool:
    if event.name in IMPERSONAL_DECISIONS:
        return False
    names = tuple(mentioned(event.properties))
    if erasure.names(names) or erasure.is_in(event.properties):
        return True
    ids = identify(msgspec.structs.replace(event, identifiers=names)) if names else ()
    return not set(ids).isdisjoint(erasure.identifier_ids)


def find_aside(tables: Reader, tools: Tools, erasure: Erasure) -> tuple[list[Target], list[int]]:
    """The items that were not stored and concern the erased person, and the quarantine entries that show them.

    Reads their records of the log. An entry that was mended in vain shows the mended item, which came later.
    """
    rows = tables.select("select position, fate from event_aside where position < ?", (erasure.position,))
    fates: dict[int, str] = dict(rows)
    offsets = sorted({offset_of(position) for position in fates})
    found: list[Target] = []
    entries: list[int] = []
    for start in range(0, len(offsets), RECORDS_PER_READ):
        for record in tools.log.get(offsets[start : start + RECORDS_PER_READ]):
            for item in tools.decode(record):
                fate = fates.get(item.position)
                if fate is None or item.erased or not _is_of(item, erasure, tools.identify):
                    continue
                found.append(_target(erasure, item.position, fate, id_of_item(item)))
                if fate == Fate.QUARANTINED:
                    entries.append(item.replay_of or item.position)
    return found, entries


def _is_of(item: Received, erasure: Erasure, identify: Identify) -> bool:
    if item.event is not None and not set(identify(item.event)).isdisjoint(erasure.identifier_ids):
        return True
    return erasure.is_in(item.raw)


def _target(erasure: Erasure, position: int, fate: str, event_id: str) -> Target:
    return Target(position, str(fate), "" if erasure.is_in(event_id) else event_id)


# --- taking away ---------------------------------------------------------------------------------------------------


def erase_from_blocks(tables: Tables, positions: Iterable[int]) -> None:
    """Rewrites the blocks that hold the positions; a block that becomes empty goes."""
    decompressor, compressor = zstandard.ZstdDecompressor(), zstandard.ZstdCompressor(level=1)
    remaining = sorted(positions)
    gone = frozenset(remaining)
    row = None
    for position in remaining:
        if row is not None and position <= row[1]:
            continue
        row = store.block_before(tables, position)
        if row is None or position > row[1]:
            continue
        opened = OpenedBlock(row[3], decompressor)
        kept = [(place, opened.item(index)) for index, place in enumerate(opened.positions) if place not in gone]
        tables.delete(store.EVENT_BLOCK, [row[0]])
        if kept:
            places = [place for place, _ in kept]
            items = [item for _, item in kept]
            body = pack_block(places, map(len, items), b"".join(items), compressor)
            tables.upsert(store.EVENT_BLOCK, [(row[0], row[1], len(kept), body)])
    tables.delete(store.EVENT_DECISION, remaining)


def blank_log(tools: Tools, outstanding: Outstanding) -> tuple[int, list[int]]:
    """Blanks the items in the log, then scrubs the decision's own record; doing it again changes nothing.

    Returns how many records it rewrote, and the offsets of those that cannot be blanked; the program's log names them.
    """
    rewritten = 0
    places: dict[int, dict[int, dict[str, str]]] = defaultdict(dict)
    for target in outstanding.targets:
        places[offset_of(target.position)][index_of(target.position)] = replacement(target)
    refused: list[int] = []
    offsets = sorted(places)
    for start in range(0, len(offsets), RECORDS_PER_READ):
        for record in tools.log.get(offsets[start : start + RECORDS_PER_READ]):
            try:
                rewritten += _rewrite(tools.log, record, tools.blank(record, places[record.offset]))
            except Unsupported as fault:
                refused.append(record.offset)
                _logger.error("erasure: record %d of connector %s: %s", record.offset, record.connector, fault)
    if outstanding.decision:
        for record in tools.log.get([offset_of(outstanding.decision)]):
            rewritten += _rewrite(tools.log, record, decisions.scrub(record.body, outstanding.identifier_ids))
    return rewritten, refused


def replacement(target: Target) -> dict[str, str]:
    """What takes the place of an erased item in the log."""
    return {"_erased": target.fate} | ({"messageId": target.event_id} if target.event_id else {})


def sealing(secret: bytes) -> Blank:
    """`blank_record` whose blanks carry a seal of the installation's `secret`, by which decoding knows them again."""

    def blank(record: Record, replacements: Replacements) -> bytes:
        sealed = {
            index: {**left, "_seal": _seal(secret, position_of(record.offset, index), left)}
            for index, left in replacements.items()
        }
        return blank_record(record, sealed)

    return blank


def is_sealed(secret: bytes, item: Received) -> bool:
    """Whether the seal of a blanked item is that of its position, its fate and its message id."""
    raw = item.raw
    found = raw.get("_seal") if isinstance(raw, dict) else None
    if not isinstance(found, str):
        return False
    return compare_digest(found.encode("utf-8", "replace"), _seal(secret, item.position, raw).encode())


def _seal(secret: bytes, position: int, left: Mapping[str, Any]) -> str:
    signed = f"{position}\x1f{left['_erased']}\x1f{left.get('messageId', '')}"
    return blake2b(
        signed.encode("utf-8", "surrogatepass"), digest_size=16, key=secret, person=b"cauce erasure"
    ).hexdigest()


def _rewrite(log: Log, record: Record, body: bytes) -> bool:
    if body == record.body:
        return False
    log.rewrite(record.offset, body)
    return True


class Eraser:
    """Carries erasures out, for the archive stage. Without `tools` the log is left as it is (tests of the state)."""

    def __init__(self, tables: Tables, tools: Tools | None) -> None:
        self._tables = tables
        self._tools = tools
        if tools is not None:
            tables.create(QUALITY_TABLES)  # their counters forget the person too
        self._waiting: dict[int, Outstanding] = {}
        self._added: dict[int, Outstanding] = {}
        self._done: list[int] = []
        self._scrub = False

    def recover(self) -> None:
        """Goes on with what a crash interrupted between the commit and the log."""
        rows = self._tables.select("select position, body from event_erasure order by position")
        self._waiting = {position: msgspec.msgpack.decode(body, type=Outstanding) for position, body in rows}
        self._added, self._done, self._scrub = {}, [], bool(rows)
        self._blank()

    def flush(self, erasures: Sequence[Erasure], suppressed: Sequence[Target]) -> list[int]:
        """Inside the transaction: erases from the blocks and notes what the log still holds; the stored positions.

        `suppressed` are items of persons who were erased before: they leave the log at once.
        """
        if self._done:
            self._tables.delete(store.EVENT_ERASURE, self._done)
        self._added = {}
        erased: set[int] = set()
        for erasure in erasures:
            stored = find_stored(self._tables, erasure, self._tools.identify if self._tools else no_identifiers)
            aside, entries = find_aside(self._tables, self._tools, erasure) if self._tools else ([], [])
            positions = [target.position for target in stored]
            erase_from_blocks(self._tables, positions)
            erase_entries(self._tables, entries)
            erased.update(positions)
            self._tables.delete(store.EVENT_ASIDE, [target.position for target in aside])
            targets = sorted(stored + aside, key=lambda target: target.position)
            self._added[erasure.position] = Outstanding(tuple(targets), erasure.position, erasure.identifier_ids)
        if erased and self._tools:
            recount(self._tables, Archive(self._tables).scan())
        if suppressed:
            self._added[suppressed[0].position] = Outstanding(tuple(suppressed))
        if self._tools:
            rows = [(position, msgspec.msgpack.encode(one)) for position, one in sorted(self._added.items())]
            self._tables.upsert(store.EVENT_ERASURE, rows)
        self._scrub = bool(erasures)
        return sorted(erased)

    def committed(self) -> None:
        """After the commit: blanks the log, and wipes the disk of what was deleted."""
        self._done = []
        if self._added:
            self._waiting.update(self._added)
            self._added = {}
            self._blank()

    def rolled_back(self) -> None:
        self._added = {}
        self._scrub = False

    def due(self) -> bool:
        """Whether blanked items wait for a commit to be struck off the list."""
        return bool(self._done)

    def _blank(self) -> None:
        if self._tools is None:
            self._waiting = {}
            return
        news = False
        for position in sorted(self._waiting):
            rewritten, refused = blank_log(self._tools, self._waiting.pop(position))
            news = news or rewritten > 0
            if not refused:
                self._done.append(position)
        if self._scrub and news:  # a replay of a log that was blanked before leaves nothing to wipe
            self._tables.scrub()
            self._tools.log.scrub()
        self._scrub = False


def blank_record(record: Record, replacements: Replacements) -> bytes:
    """The body of a decision or of a JSON request with items replaced."""
    if record.connector == DECISIONS:
        return decisions.blank(record.body, replacements)
    return blank(record.body, replacements)


def blank(body: bytes, replacements: Replacements) -> bytes:
    """A JSON body (one item, a list, lines, or an object with a list of items) with items replaced.

    Compression stays as it was. When no other item is left, what the request said about all of them goes too.
    Unsupported when the body is no JSON.
    """
    if body.startswith(GZIP_MAGIC):
        return gzip.compress(blank(gzip.decompress(body), replacements), mtime=0)
    if body.startswith(ZSTD_MAGIC):
        decompressed = zstandard.ZstdDecompressor().decompress(body, max_output_size=DECOMPRESSED_BYTES_MAX)
        return zstandard.ZstdCompressor().compress(blank(decompressed, replacements))
    try:
        return msgspec.json.encode(_blanked(msgspec.json.decode(body), replacements))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    try:  # lenient: a neighbour with NaN or half a surrogate pair stays as it is
        return json.dumps(_blanked(json.loads(body), replacements), separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return _blanked_lines(body, replacements)


def _blanked(document: Any, replacements: Replacements) -> Any:
    if isinstance(document, list):
        return [replacements.get(index, item) for index, item in enumerate(document)]
    for name in ITEM_LISTS:
        items = document.get(name) if isinstance(document, dict) else None
        if isinstance(items, list):
            left = _blanked(items, replacements)
            nobody = all(isinstance(item, dict) and "_erased" in item for item in left)
            return {name: left} if nobody else {**document, name: left}
    return replacements.get(0, document)


def _blanked_lines(body: bytes, replacements: Replacements) -> bytes:
    lines = body.splitlines()
    if replacements.keys() == {0} and len(lines) <= 1:
        return msgspec.json.encode(replacements[0])  # one unreadable item, quarantined as it came
    try:
        for line in lines:
            msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unsupported(
            "a log record that is no JSON holds an item to erase",
            hint="Its connector needs a function `blank(record, replacements)`",
        ) from None
    return b"\n".join(
        msgspec.json.encode(replacements[index]) if index in replacements else line for index, line in enumerate(lines)
    )


# --- proof ---------------------------------------------------------------------------------------------------------


class Trace(msgspec.Struct, frozen=True):
    """A place where an erased value can still be read: file (relative), place inside it, number of the value."""

    file: str
    place: str
    value_number: int


def proof(folder: Path, values: Sequence[str]) -> list[Trace]:
    """Every place under `folder` that still holds one of the values; empty when nothing is left.

    Looks at the raw bytes of every file, at every column of Parquet files, and at every cell of SQLite databases,
    decompressed where it is compressed. It reads the files by itself on purpose: it must not trust what wrote them.
    Upper and lower case are the same.
    """
    needles = [_needles(value) for value in values]
    traces: set[Trace] = set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for place, content in _contents(path):
            lowered = content.lower()
            for number, forms in enumerate(needles):
                if any(form in lowered for form in forms):
                    traces.add(Trace(str(path.relative_to(folder)), place, number))
    return sorted(traces, key=lambda trace: (trace.file, trace.place, trace.value_number))


def _needles(value: str) -> tuple[bytes, ...]:
    """A value as plain UTF-8, and as JSON writes it with and without escapes."""
    forms = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return tuple(sorted(form.encode().lower() for form in forms))


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """(place, bytes) of a file and of what is packed inside it; nothing of one that is gone by now."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return
    yield "bytes", raw
    if raw.startswith(b"SQLite format 3\x00"):
        yield from _database_contents(path)
    elif raw.startswith(b"PAR1") and raw.endswith(b"PAR1"):  # one in the making has no end yet
        with pq.ParquetFile(pa.BufferReader(raw)) as opened:
            for group in range(opened.num_row_groups):
                yield f"row group {group}", _table_bytes(opened.read_row_group(group))
    else:
        yield from (("decompressed", inner) for inner in _unpacked(raw))


def _database_contents(path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        # What a virtual table shows lies in ordinary tables beside it.
        names = connection.execute(
            "select name from sqlite_master where type = 'table' and sql not like 'create virtual%'"
        ).fetchall()
        for (name,) in names:
            for row in connection.execute(f'select * from "{name}"'):
                for cell in row:
                    if isinstance(cell, str):
                        yield f"table {name}", cell.encode()
                    elif isinstance(cell, bytes):
                        yield f"table {name}", cell
                        yield from ((f"table {name}", inner) for inner in _unpacked(cell))


def _unpacked(raw: bytes) -> Iterator[bytes]:
    try:
        if raw.startswith(GZIP_MAGIC):
            yield gzip.decompress(raw)
        elif raw.startswith(ZSTD_MAGIC):
            yield zstandard.ZstdDecompressor().decompress(raw, max_output_size=DECOMPRESSED_BYTES_MAX)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError):
        return


def _table_bytes(table: pa.Table) -> bytes:
    return b"\n".join(
        buffer.to_pybytes()
        for column in table.columns
        for chunk in column.chunks
        for buffer in chunk.buffers()
        if buffer is not None
    )
