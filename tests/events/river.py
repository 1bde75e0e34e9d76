"""A small river for the tests of the archive: a gate in place of quality and identity, and the archive stage."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cauce.engines.api import Table
from cauce.engines.memory import MemoryLog
from cauce.events import decisions
from cauce.events.api import Archive
from cauce.events.erasure import Tools, blank_record
from cauce.events.history import Options
from cauce.events.rules import erased_ids, mentioned
from cauce.events.stage import ArchiveStage
from cauce.model import (
    DAY,
    DECISION,
    DECISIONS,
    SECOND,
    Event,
    Fate,
    Identifier,
    Passage,
    Reason,
    Received,
    Record,
    position_of,
)
from cauce.runner import Runner
from tests.furnished import FurnishedTables

NOON = 20_000 * DAY + DAY // 2


def id_of(identifier: Identifier) -> int:
    text = f"{identifier.kind}:{identifier.value.lower()}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1 | 1


def identify(event: Event) -> tuple[int, ...]:
    return tuple(id_of(identifier) for identifier in event.identifiers)


def item(number: int, user: str = "", **extra: Any) -> dict[str, Any]:
    """A call as a client sends it; `fate` says what the gate makes of it."""
    return {"messageId": f"m-{number}", "event": f"Event {number % 3}", "user": user, **extra}


def body(items: Iterable[Mapping[str, Any]]) -> bytes:
    return json.dumps({"batch": list(items), "sentAt": "2024-10-04T12:00:00Z"}).encode()


def decode(record: Record) -> list[Received]:
    if record.connector == DECISIONS:
        return decisions.decode(record)
    calls = json.loads(record.body)["batch"]
    return [_received(record, position_of(record.offset, index), call) for index, call in enumerate(calls)]


def _received(record: Record, position: int, call: dict[str, Any]) -> Received:
    if "_erased" in call:
        return Received(position, record.source, "web", record.received, call, erased=call["_erased"])
    if "event" not in call:
        return Received(position, record.source, "web", record.received, call, None, (Reason("no_event"),))
    identifiers = tuple(Identifier("email", user) for user in call["user"].split() if user)
    event = Event(
        call["messageId"],
        record.source,
        "web",
        "track",
        call["event"],
        call.get("occurred", record.received - position % 7 * SECOND),
        record.received,
        position,
        identifiers,
        call.get("traits", {}),
        call.get("properties", {}),
        {"ip": "10.0.0.1"},
    )
    return Received(position, record.source, "web", record.received, call, event)


class Gate:
    """Judges by what the item says of itself, and ascribes by a plain hash."""

    name = "gate"
    tables: tuple[Table, ...] = ()

    def prefetch(self, passages: Sequence[Passage]) -> None:
        pass

    def apply(self, passage: Passage) -> bool:
        call, event = passage.item.raw, passage.event
        if passage.item.erased:
            passage.fate = Fate(passage.item.erased) if passage.item.erased != "decision" else None
            return False
        if event is None:
            passage.fate = Fate.QUARANTINED
            return False
        if event.type == DECISION:
            named = event.properties.get("identifiers", [])
            ids = {id_of(identifier) for identifier in mentioned(named)} | erased_ids(event.properties)
            passage.identifier_ids = tuple(sorted(ids))
            return True
        if call.get("fate"):
            passage.fate = Fate(call["fate"])
            return False
        passage.identifier_ids = identify(event)
        passage.subject = passage.identifier_ids[0] if passage.identifier_ids else 0
        return True

    def flush(self) -> None:
        pass

    def committed(self) -> None:
        pass

    def rolled_back(self) -> None:
        pass


class River:
    """Log, tables and runner over a folder; `open` again after a crash with the same log and tables."""

    def __init__(self, folder: Path, *, log: Any = None, tables: Any = None, batch_records: int = 10, **options: Any):
        self.folder = folder
        self.history = folder / "history"
        self.log = MemoryLog() if log is None else log
        self.tables = FurnishedTables() if tables is None else tables
        limits = {name: options.pop(name) for name in list(options) if name.startswith("history_")}
        tools = Tools(self.log, decode, identify, options.pop("blank", blank_record))
        self.stage = ArchiveStage(
            self.tables,
            self.history,
            Options(**({"history_rows": 10**6} | limits)),
            tools=tools,
            **({"background": False} | options),
        )
        self.runner = Runner(self.log, self.tables, decode, [Gate(), self.stage], batch_records=batch_records)

    def send(self, *bodies: bytes, received: int = NOON, source: str = "shop") -> None:
        for number, one in enumerate(bodies):
            self.log.append([(source, "tracking", received + number * SECOND, one)])

    def decide(self, name: str, properties: dict[str, Any]) -> int:
        offset = self.log.append([(DECISIONS, DECISIONS, NOON, decisions.encode(name, properties, "ana", NOON))])
        return position_of(offset, 0)

    def drain(self) -> None:
        """Everything in the log, and then every history file that is due."""
        self.runner.drain()
        self.settle()

    def settle(self) -> None:
        while self.stage.due():
            self.runner.idle()

    @property
    def archive(self) -> Archive:
        return Archive(self.tables)

    def positions(self) -> list[int]:
        return [stored.event.position for chunk in self.archive.scan() for stored in chunk]

    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.history / "manifest.json").read_bytes())
        return found

    def files(self) -> list[Path]:
        return sorted(self.history.glob("day=*/*.parquet"))

    def file_rows(self) -> list[dict[str, Any]]:
        """Rows of all files that the manifest lists, by position."""
        rows = [
            row
            for file in self.manifest()["files"]
            for row in pq.ParquetFile(self.history / file["path"]).read().to_pylist()
        ]
        return sorted(rows, key=lambda row: row["position"])


def calls(count: int, *, per_request: int = 3, first: int = 0, users: int = 5) -> list[bytes]:
    """Bodies of `count` calls by a few users."""
    items = [item(first + number, f"user{number % users}@example.com") for number in range(count)]
    return [body(items[start : start + per_request]) for start in range(0, count, per_request)]
