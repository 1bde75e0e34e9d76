"""Counts add up and neighbours are safe: full disks, garbage, a stage that stumbles, sources that change."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.app import Platform, decoder
from cauce.app.verify import verified
from cauce.engines.api import Table
from cauce.engines.sqlite import SqliteLog, SqliteTables
from cauce.errors import StorageBroken
from cauce.events import decisions
from cauce.model import DECISION, DECISIONS, Passage, Record, position_of
from cauce.runner import Runner, contents
from cauce.settings import Settings
from cauce.testing.simulate import SECRET, SOURCES, Entry, River, traffic
from tests.river.test_promises import NOW, SEEDS, examples, known

pytestmark = pytest.mark.soak

CONNECTORS = ("tracking", "posthog", "rows", "files", "sql")


def received_in(entries: Sequence[Entry]) -> int:
    """Items that decoders find in entries, decisions aside."""
    decode = decoder(SOURCES.get, SECRET)
    return sum(
        len(decode(Record(number, source, connector, received, body)))
        for number, (source, connector, received, body) in enumerate(entries, start=1)
        if connector != DECISIONS
    )


def balanced(river: River) -> int:
    """Items received in all; fails when a source's counts do not add up to them."""
    rows = river.views().quality.balance()
    assert all(row.adds_up for row in rows), rows
    return sum(row.received for row in rows)


# --- the disk is full ------------------------------------------------------------------------------------------------


@examples(5)
@given(seed=SEEDS, pages=st.integers(6, 14))
def test_what_a_full_disk_refuses_is_not_half_there(folder: Any, seed: int, pages: int) -> None:
    path = folder()
    log = SqliteLog(path / "log.db")
    log._connection.execute(f"pragma max_page_count = {pages}")  # as SQLite meets a full disk
    accepted: list[Entry] = []
    refused: list[str] = []
    entries = traffic(seed, 400, with_garbage=True)
    for entry in entries:
        try:
            log.append([entry])
            accepted.append(entry)
        except StorageBroken as fault:
            refused.append(str(fault))
    assert refused
    assert all("full" in text for text in refused)
    log._connection.execute("pragma max_page_count = 1000000")  # somebody has made room
    offset = log.append([entries[-1]])
    assert offset == log.end() == len(accepted) + 1
    river = River([], log=log, tables=lambda: SqliteTables(path / "state.db"), history=path / "history")
    assert balanced(river.drain()) == received_in([*accepted, entries[-1]])
    assert river.contents() == River([*accepted, entries[-1]], history=folder()).drain().contents()
    river.tables.close()
    log.close()


# --- garbage ---------------------------------------------------------------------------------------------------------

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["\ud800", "\x00", "null", "track", "identify", "2026-06-01", "9" * 400, "a" * 300, "user-1"])
)  # fmt: skip
FIELDS = st.sampled_from(
    ["messageId", "type", "event", "userId", "anonymousId", "timestamp", "sentAt", "traits", "properties", "context",
     "email", "externalIds", "id", "uuid", "distinct_id", "api_key", "identifiers", "occurred", "_erased", "line",
     "reasons", "row", "replay_of", "previousId", "groupId", "name", "products", "total", "currency", "$set"]
)  # fmt: skip
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=6), max_leaves=12
)
BODIES = (
    st.binary(max_size=60)
    | DOCUMENTS.map(lambda found: json.dumps(found).encode())
    | st.lists(DOCUMENTS, max_size=5).map(lambda found: json.dumps({"batch": found, "sentAt": "2026-06-01"}).encode())
    | st.lists(DOCUMENTS, max_size=5).map(lambda found: json.dumps({"events": found, "file": "f.csv"}).encode())
    | st.sampled_from([b"", b"\x1f\x8b", b"\x28\xb5\x2f\xfd\x00", b"[1e999]", b"\xff"])
)


@examples(25)
@given(bodies=st.lists(st.tuples(st.sampled_from(CONNECTORS), BODIES), min_size=1, max_size=8), batch=st.integers(1, 9))
def test_garbage_never_stops_the_river(folder: Any, bodies: list[tuple[str, bytes]], batch: int) -> None:
    good = msgspec.json.encode({"batch": [{"type": "track", "event": "Good", "messageId": "good", "userId": "u-good"}]})
    entries: list[Entry] = [("web", connector, NOW, body) for connector, body in bodies]
    entries.append(("app", "tracking", NOW, good))
    river = River(entries, history=folder()).drain(batch_records=batch)
    assert balanced(river) == received_in(entries)
    assert [row.stored for row in river.views().quality.balance() if row.source == "app"] == [1]
    assert river.contents() == River(entries, history=folder()).drain().contents()


@pytest.mark.parametrize("connector", ["tracking", "posthog", "rows"])
@pytest.mark.parametrize("body", [b'{"batch": [' + b"[" * 5_000, b"[" * 5_000 + b"]" * 5_000, b'{"a":' * 5_000])
def test_deep_nesting_is_one_bad_item(folder: Any, connector: str, body: bytes) -> None:
    river = River([("web", connector, NOW, body)], history=folder()).drain()
    (row,) = river.views().quality.balance()
    assert (row.received, row.quarantined) == (1, 1)


# --- a stage that stumbles -------------------------------------------------------------------------------------------


class Stumbling:
    """A stage that cannot digest some events, placed before the others have finished with them."""

    name = "stumbling"
    tables: tuple[Table, ...] = ()

    def __init__(self, ids: frozenset[str]) -> None:
        self._ids = ids

    def prefetch(self, passages: Sequence[Passage]) -> None:
        pass

    def apply(self, passage: Passage) -> bool:
        if passage.event is not None and passage.event.id in self._ids:
            raise ZeroDivisionError("cannot digest it")
        return True

    def flush(self) -> None:
        pass

    def committed(self) -> None:
        pass

    def rolled_back(self) -> None:
        pass


def stumbling(river: River, ids: frozenset[str], place: int, **settings: Any) -> Runner:
    runner = river.runner(**settings)
    stages = list(runner.stages)
    stages.insert(place, Stumbling(ids))
    runner.stages = tuple(stages)
    return runner


def picked(entries: Sequence[Entry], seed: int) -> frozenset[str]:
    """Ids of a few events."""
    decode = decoder(SOURCES.get, SECRET)
    ids = {
        item.event.id
        for number, (source, connector, received, body) in enumerate(entries, start=1)
        for item in decode(Record(number, source, connector, received, body))
        if item.event is not None and item.event.type != DECISION
    }
    return frozenset(random.Random(seed).sample(sorted(ids), 4))


@examples(10)
@given(seed=SEEDS, place=st.integers(1, 4), batch=st.integers(1, 60))
def test_a_poisoned_event_is_quarantined_and_its_neighbours_are_stored(
    folder: Any, seed: int, place: int, batch: int
) -> None:
    entries = traffic(seed, 60)
    poison = picked(entries, seed)
    river = River(entries, history=folder())
    runner = stumbling(river, poison, place, batch_records=batch)
    runner.drain()
    runner.close()
    assert balanced(river) == received_in(entries)
    quality = river.views().quality
    entries_found = quality.entries(reason="internal_error", limit=100)
    assert {entry.event_id for entry in entries_found} <= poison
    ids = {one.event.id for chunk in river.views().archive.scan() for one in chunk}
    assert ids.isdisjoint(poison)
    healthy = River(without(entries, poison), history=folder()).drain()
    assert known(river) == known(healthy)

    again = River(entries, history=folder())
    whole = stumbling(again, poison, place)
    whole.drain()
    whole.close()
    assert state_of(river) == state_of(again)


def state_of(river: River) -> dict[str, list[Any]]:
    return {name: list(rows) for name, rows in contents(river.runner(), river.tables).items()}


def without(entries: Sequence[Entry], ids: frozenset[str]) -> list[Entry]:
    left = []
    for source, connector, received, body in entries:
        if connector != DECISIONS:
            document = msgspec.json.decode(body)
            document["batch"] = [item for item in document["batch"] if item.get("messageId") not in ids]
            left.append((source, connector, received, msgspec.json.encode(document)))
        else:
            left.append((source, connector, received, body))
    return left


def test_a_mended_stage_takes_the_poisoned_event_in(folder: Any) -> None:
    batch = [{"type": "track", "event": "E", "messageId": f"m{number}", "userId": f"u{number}"} for number in range(3)]
    river = River([("web", "tracking", NOW, msgspec.json.encode({"batch": batch}))], history=folder())
    broken = stumbling(river, frozenset({"m1"}), 2)
    broken.drain()
    broken.close()
    (entry,) = river.views().quality.entries()
    assert (entry.position, entry.reasons[0].code) == (position_of(1, 1), "internal_error")
    request = river.views().quality.replay_request([entry.position])
    river.log.append([(DECISIONS, DECISIONS, NOW, decisions.encode("quarantine.replayed", request, "s", NOW))])
    river.drain()
    (row,) = river.views().quality.balance()
    assert (row.received, row.stored, row.quarantined) == (3, 3, 0)
    assert river.views().people.locate("user_id:u1").identifiers


# --- what people change meanwhile ------------------------------------------------------------------------------------


def test_sources_and_settings_change_in_the_middle(tmp_path: Path) -> None:
    entries = [entry for entry in traffic(3, 150, with_garbage=True) if entry[1] != DECISIONS]
    cut = len(entries) // 3
    expected = received_in(entries)
    with Platform.open(Settings({"data": str(tmp_path), "batch_records": 2, "history_rows": 15})) as platform:
        for source in SOURCES.values():
            platform.sources.add(source)
        platform.log.append(entries[:cut])
        platform.drain()
        platform.sources.disable("web")
        platform.sources.rotate("app")
        platform.sources.change("pos", mode="observe")
        platform.log.append(entries[cut : 2 * cut])  # what was acknowledged before counts
        platform.drain()
    changed = {"data": str(tmp_path), "batch_records": 500, "history_rows": 1_000, "cache_identifiers": 1_000}
    with Platform.open(Settings(changed)) as platform:
        platform.log.append(entries[2 * cut :])
        platform.drain()
        assert platform.status()["adds_up"]
        assert platform.status()["totals"]["received"] == expected
        assert [check for check in verified(platform) if not check.good] == []
