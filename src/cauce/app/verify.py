"""Proofs on the user's own data: counts, people, computed traits, timeline, history and search against each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec
import pyarrow as pa

from cauce.app.storage import at_rest
from cauce.model import DECISION
from cauce.profiles import bulk

if TYPE_CHECKING:
    from cauce.app.platform import Platform

DIFFERENCES_SHOWN = 5
Found = tuple[int, list[str]]


class Check(msgspec.Struct, frozen=True):
    """One proof: how many things were compared, and the first differences; good when there are none."""

    name: str
    compared: int
    seconds: float
    differences: tuple[str, ...]

    @property
    def good(self) -> bool:
        return not self.differences


def verified(platform: Platform, *, sample: int = 0) -> Iterator[Check]:
    """Runs every check, those of the state at one moment of it; `sample` people for computed traits, 0 for all."""
    checks: dict[str, Callable[[], Found]] = {
        "received = stored + quarantined + duplicate + suppressed": lambda: _counts(platform),
        "people = all evidence put together at once": lambda: _people(platform),
        "live computed traits = bulk over the history": lambda: _traits(platform, sample),
        "timeline = archive": lambda: _timeline(platform),
        "history = archive": lambda: _history(platform),
    }
    with at_rest(platform.storage, platform.reader):
        for name, check in checks.items():
            yield _checked(name, check)
    # The index follows the state by itself, and may be ahead of that moment.
    yield _checked("search index = identifiers and names", lambda: _search(platform))


def _checked(name: str, check: Callable[[], Found]) -> Check:
    started = time.perf_counter()
    compared, differences = check()
    return Check(name, compared, time.perf_counter() - started, tuple(differences[:DIFFERENCES_SHOWN]))


def _counts(platform: Platform) -> Found:
    balance = platform.quality.balance()
    stored = platform.archive.count()
    wrong = [f"{row.source}: {row.received} received, {row}" for row in balance if not row.adds_up]
    decisions = platform.reader.select("select count(*) from event_decision")[0][0]
    counted = sum(row.stored for row in balance)
    erased = platform.reader.select("select count(*) from identity_erasure")[0][0]
    if counted != stored - decisions and not erased:
        wrong.append(f"{counted} events counted as stored, {stored - decisions} in the archive")
    return len(balance), wrong


def _people(platform: Platform) -> Found:
    live = {id: placed for id, *placed in platform.people.placements()}
    anew = {id: placed for id, *placed in platform.people.recomputed(platform.archive.scan())}
    wrong = [
        f"identifier {id}: person and component are {live.get(id)}, recomputed {anew.get(id)}"
        for id in sorted(live.keys() | anew.keys())
        if live.get(id) != anew.get(id)
    ]
    return len(live), wrong


def _traits(platform: Platform, sample: int) -> Found:
    now = time.time_ns() // 1_000
    person_of = {id: person for id, person, _ in platform.people.placements()}
    if sample:
        kept = set(sorted(set(person_of.values()))[:: max(1, len(set(person_of.values())) // sample)])
        person_of = {id: person for id, person in person_of.items() if person in kept}
    connection = duckdb.connect()
    connection.register("events_arrow", _events(platform, set(person_of)))
    connection.execute("create temp table events as select * from events_arrow")
    identifiers = pa.table(
        {"id": pa.array(person_of.keys(), pa.int64()), "person": pa.array(person_of.values(), pa.int64())}
    )
    connection.register("identifiers", identifiers)
    computed = bulk.compute(connection, platform.profiles.definitions(), now)
    compared = 0
    wrong: list[str] = []
    for person, live in platform.profiles.live_values(person_of, now):
        compared += len(live)
        if live != computed[person] and len(wrong) < DIFFERENCES_SHOWN:
            names = [name for name in live if live[name] != computed[person].get(name)]
            wrong.append(
                f"person {person}: " + "; ".join(f"{n}: live {live[n]}, bulk {computed[person].get(n)}" for n in names)
            )
    connection.close()
    return compared, wrong


def _events(platform: Platform, subjects: set[int]) -> pa.Table:
    """Stored events as the relation that `profiles.bulk` reads."""
    names = ("position", "id", "source", "channel", "type", "name", "occurred", "received", "subject")
    integers = {"position", "occurred", "received", "subject"}
    encode = msgspec.json.Encoder().encode
    schema = pa.schema(
        [(name, pa.int64() if name in integers else pa.string()) for name in names]
        + [(name, pa.string()) for name in ("traits", "properties", "context")]
    )
    batches = []
    for chunk in platform.archive.scan(batch=10_000):
        rows: list[tuple[Any, ...]] = []
        for stored in chunk:
            event = stored.event
            if event.type == DECISION or stored.subject not in subjects:
                continue
            rows.append(
                (
                    event.position, event.id, event.source, event.channel, event.type, event.name, event.occurred,
                    event.received, stored.subject, encode(event.traits).decode(), encode(event.properties).decode(),
                    encode(event.context).decode(),
                )
            )  # fmt: skip
        columns: list[Any] = list(zip(*rows, strict=True)) or [[] for _ in schema]
        batches.append(
            pa.record_batch(
                [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
            )
        )
    return pa.Table.from_batches(batches, schema)


def _timeline(platform: Platform) -> Found:
    expected = {
        (stored.subject, stored.event.occurred, stored.event.position)
        for chunk in platform.archive.scan()
        for stored in chunk
        if stored.subject and stored.event.type != DECISION
    }
    found = set(platform.profiles.timeline_entries())
    wrong = [f"{entry} is in the archive only" for entry in sorted(expected - found)[:DIFFERENCES_SHOWN]]
    wrong += [f"{entry} is in the timeline only" for entry in sorted(found - expected)[:DIFFERENCES_SHOWN]]
    return len(found), wrong


def _history(platform: Platform) -> Found:
    archived = platform.archive.count()
    (row,) = platform.sql("select (select count(*) from events) + (select count(*) from decisions)").rows
    return archived, [] if row[0] == archived else [f"{row[0]} events by SQL, {archived} in the archive"]


def _search(platform: Platform) -> Found:
    compared, differing = platform.search.differing()
    return compared, [f"identifier {id}: the index does not say what the state says" for id in differing]
