"""Erasing a person from the whole river: nothing of them is left, everybody else is as if they had never been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cauce.app import Platform, decoder
from cauce.app.verify import verified
from cauce.engines.sqlite import SqliteLog, SqliteTables
from cauce.events import decisions, erasure
from cauce.identity.evidence import Resolver
from cauce.identity.rules import Rules
from cauce.model import DECISIONS, Identifier, Record, position_of
from cauce.settings import Settings
from cauce.testing.simulate import MAIL_DOMAIN, SECRET, SOURCES, Entry, River, traffic
from tests.river.test_promises import NOW, SEEDS, examples, known

pytestmark = pytest.mark.soak


def identifiers_of(who: int) -> list[str]:
    """Everything by which traffic may name one of its people."""
    accounts = [f"user_id:user-{who}", f"pos_customer:user-{who}", f"loyalty:L-{who}"]
    return [*accounts, f"email:person{who}@{MAIL_DOMAIN}", f"phone:+3461234567{who}"]


def values_of(who: int) -> list[str]:
    return [name.partition(":")[2] for name in identifiers_of(who)]


def erased(who: int, *, suppress: bool = False) -> Entry:
    """The decision to erase somebody, as a log entry."""
    properties = {"identifiers": identifiers_of(who), "suppress": suppress, "note": f"asked by user-{who}"}
    return (DECISIONS, DECISIONS, NOW, decisions.encode("person.erased", properties, "steward", NOW))


def on_disk(path: Path, entries: list[Entry]) -> River:
    return River(
        entries,
        log=SqliteLog(path / "log.db"),
        tables=lambda: SqliteTables(path / "state.db"),
        history=path / "history",
        history_rows=20,
    )


def shut(river: River) -> None:
    river.tables.close()
    river.log.close()


@examples(5)
@given(seed=SEEDS, who=st.integers(0, 4), batch=st.integers(1, 60))
def test_nothing_is_left_and_a_replay_is_equal(folder: Any, seed: int, who: int, batch: int) -> None:
    path = folder()
    entries = traffic(seed, 90, with_garbage=True)
    river = on_disk(path, entries).drain(batch_records=batch)
    assert erasure.proof(path, values_of(who)), "there is something to erase"
    balance = river.views().quality.balance()
    river.log.append([erased(who)])
    river.drain(batch_records=batch)
    assert river.views().quality.balance() == balance
    assert all(row.adds_up for row in balance)
    state = river.contents()
    assert River([], log=river.log, history=folder()).drain().contents() == state
    shut(river)
    assert erasure.proof(path, values_of(who)) == []


@examples(5)
@given(seed=SEEDS, who=st.integers(0, 4))
def test_neighbours_are_as_if_the_person_had_never_been(folder: Any, seed: int, who: int) -> None:
    entries = traffic(seed, 90, with_decisions=False)
    after = River([*entries, erased(who)], history=folder()).drain()
    never = River(without(entries, who), history=folder()).drain()
    assert known(after) == known(never)


@examples(5)
@given(seed=SEEDS, who=st.integers(0, 4))
def test_later_events_are_suppressed_and_everybody_else_goes_on(folder: Any, seed: int, who: int) -> None:
    entries = traffic(seed, 60, with_decisions=False)
    later = [
        (source, name, NOW, renamed(body)) for source, name, _, body in traffic(seed + 1, 60, with_decisions=False)
    ]
    assume(_items(without(later, who)) < _items(later))  # somebody may have nothing to say any more
    river = River([*entries, erased(who, suppress=True), *later], history=folder()).drain(batch_records=7)
    assert sum(row.suppressed for row in river.views().quality.balance()) > 0
    assert all(row.adds_up for row in river.views().quality.balance())
    names = set(identifiers_of(who))
    assert all(names.isdisjoint(person["identifiers"]) for person in known(river).values())
    assert known(river) == known(River(without([*entries, *later], who), history=folder()).drain())
    assert River([], log=river.log, history=folder()).drain().contents() == river.contents()


def test_a_suppressed_person_is_neither_quarantined_nor_kept_as_a_repeat(folder: Any) -> None:
    def sent(id_: str, user: str, **more: Any) -> dict[str, Any]:
        return {"type": "track", "event": "Shown", "messageId": id_, "userId": user, **more}

    breaking = {"event": "Order Completed", "properties": {"total": "user-1 owes nothing"}}
    batches = [
        [sent("a", "user-2"), sent("b", "user-1", **breaking)],
        [*(sent(name, "user-1") for name in ("a", "long" * 99, "c", "c")), sent("d", "user-1", **breaking)],
        [sent("d", "user-2"), sent("e", "user-2", event="Order Completed")],
    ]
    before, *later = [("web", "tracking", NOW, msgspec.json.encode({"batch": batch})) for batch in batches]
    path = folder()
    river = on_disk(path, [before, erased(1, suppress=True), *later]).drain()
    (row,) = river.views().quality.balance()
    assert (row.stored, row.quarantined, row.duplicate, row.suppressed) == (1, 2, 1, 5)
    assert row.adds_up
    assert [entry.state for entry in river.views().quality.entries(state="", limit=10)] == ["erased", "open"]
    mended = {"position": position_of(1, 1), "source": "web", "connector": "tracking", "received": NOW}
    for item in (sent("b", "user-1", **breaking), sent("b", "user-1")):
        properties = {"items": [{**mended, "raw": item}]}
        body = decisions.encode("quarantine.replayed", properties, "steward", NOW)
        river.log.append([(DECISIONS, DECISIONS, NOW, body)])
    river.drain(batch_records=1)
    (row,) = river.views().quality.balance()
    assert (row.stored, row.quarantined, row.duplicate, row.suppressed) == (1, 1, 1, 6)
    assert River([], log=river.log, history=folder()).drain().contents() == river.contents()
    shut(river)
    assert erasure.proof(path, ["user-1"]) == []


def test_a_blank_that_no_erasure_wrote_is_quarantined(folder: Any) -> None:
    batch = [{"type": "track", "event": "Shown", "messageId": name, "userId": f"user-{name}"} for name in ("1", "2")]
    river = River([("web", "tracking", NOW, msgspec.json.encode({"batch": batch})), erased(1)], history=folder())
    river.drain()
    (record,) = river.log.get([1])
    real = msgspec.json.decode(record.body)["batch"][0]
    assert real.keys() == {"_erased", "messageId", "_seal"}
    assert River([], log=river.log, history=folder()).drain().contents() == river.contents()
    forged = [{"_erased": "stored"}, real, {**real, "messageId": "9"}, {**real, "_seal": 5}, {**real, "_seal": "ñ"}]
    unread = [{"_erased": "anything"}, {"_erased": "suppressed"}]
    river.log.append([("web", "tracking", NOW, msgspec.json.encode({"batch": forged}))])
    river.log.append([("crm", "files", NOW, msgspec.json.encode({"events": unread}))])
    river.drain()
    entries = river.views().quality.entries(state="", limit=20)
    assert {reason.code for entry in entries for reason in entry.reasons} == {"forged_blank"}
    rows = {row.source: row for row in river.views().quality.balance()}
    # One repeats the message id of the person's event, two those of the other forged blanks.
    assert (rows["web"].stored, rows["web"].quarantined, rows["web"].duplicate) == (2, 2, 3)
    assert (rows["crm"].stored, rows["crm"].quarantined, rows["crm"].suppressed) == (0, 2, 0)
    again = River([], log=river.log, history=folder()).drain()
    assert again.contents() == river.contents()


def test_a_mended_item_cannot_be_a_forged_blank(folder: Any) -> None:
    bad = {"type": "track", "messageId": "m1", "userId": "user-1"}
    properties = {"items": [{"position": position_of(1, 0), "source": "web", "connector": "tracking", "received": NOW,
                             "raw": {"_erased": "stored"}}]}  # fmt: skip
    body = decisions.encode("quarantine.replayed", properties, "steward", NOW)
    entries = [("web", "tracking", NOW, msgspec.json.encode({"batch": [bad]})), (DECISIONS, DECISIONS, NOW, body)]
    river = River(entries, history=folder()).drain()
    (row,) = river.views().quality.balance()
    assert (row.stored, row.quarantined) == (0, 1)
    (entry,) = river.views().quality.entries(state="", limit=5)
    assert [reason.code for reason in entry.reasons] == ["forged_blank"]
    river.log.append([erased(1)])
    river.drain()
    assert River([], log=river.log, history=folder()).drain().contents() == river.contents()


def test_counters_of_names_and_breaches_forget_the_person(folder: Any) -> None:
    def order(number: int, user: str, currency: str) -> dict[str, Any]:
        properties = {"order_id": f"o{number}", "total": 5, "currency": currency}
        return {"type": "track", "event": "Order Completed", "messageId": f"m{number}", "userId": user,
                "properties": properties}  # fmt: skip

    sources = {**SOURCES, "web": msgspec.structs.replace(SOURCES["web"], mode="observe")}
    batch = [order(1, "user-1", "XXQ"), order(2, "user-2", "XXQ"), order(3, "user-1", "EUR")]
    entry = ("web", "tracking", NOW, msgspec.json.encode({"batch": batch}))
    river = River([entry], history=folder(), sources=sources).drain()
    assert [breach.count for breach in river.views().quality.breaches()] == [2]
    river.log.append([erased(1)])
    river.drain()
    assert [row["stored"] for row in river.views().quality.events()] == [1]
    assert [breach.count for breach in river.views().quality.breaches()] == [1]
    again = River([], log=river.log, history=folder(), sources=sources).drain()
    assert again.contents() == river.contents()


def test_short_values_take_nobody_else_along(folder: Any) -> None:
    items = [
        {"type": "track", "event": "Bought", "messageId": "a", "userId": "7", "timestamp": "never"},
        {"type": "track", "messageId": "b", "userId": "17", "properties": {"quantity": "7", "note": "7"}},
        {"type": "greet", "messageId": "c", "userId": "user-12"},
        {"type": "greet", "messageId": "d", "userId": "user-1"},
        {"type": "greet", "messageId": "e", "userId": "x", "note": "ask user-1, please"},
    ]
    river = River([("web", "tracking", NOW, msgspec.json.encode({"batch": items}))], history=folder())
    body = decisions.encode("person.erased", {"identifiers": ["user_id:7", "user_id:user-1"]}, "steward", NOW)
    river.log.append([(DECISIONS, DECISIONS, NOW, body)])
    river.drain()
    (record,) = river.log.get([1])
    left = [item.get("messageId") for item in msgspec.json.decode(record.body)["batch"] if "_erased" not in item]
    assert left == ["b", "c"]
    states = [entry.state for entry in river.views().quality.entries(state="", limit=10)]
    assert states == ["open", "open", "erased", "erased"], "the first one is an event and was stored"
    assert River([], log=river.log, history=folder()).drain().contents() == river.contents()


def test_a_real_installation_erases_verifies_and_replays(tmp_path: Path) -> None:
    with Platform.open(Settings({"data": str(tmp_path), "history_rows": 20})) as platform:
        for source in SOURCES.values():
            platform.sources.add(source)
        entries = traffic(11, 120, with_garbage=True, with_decisions=False)
        for name, connector, _, body in entries:
            platform.append(name, connector, [body])
        platform.drain()
        for who in (1, 3):
            platform.decide("person.erased", {"identifiers": identifiers_of(who)}, "steward")
        assert platform.status()["adds_up"]
        report = platform.replay()
        assert [table for table in report.tables if not table.equal] == []
        assert [check for check in verified(platform) if not check.good] == []
    assert erasure.proof(tmp_path, [*values_of(1), *values_of(3)]) == []


def renamed(body: bytes) -> bytes:
    """Events of another day: the same people, other ids."""
    return body.replace(b'"messageId":"', b'"messageId":"later-')


def _items(entries: list[Entry]) -> int:
    return sum(len(msgspec.json.decode(body)["batch"]) for *_, body in entries)


def without(entries: list[Entry], who: int) -> list[Entry]:
    """The entries without every item that names somebody."""
    resolver = Resolver(Rules.default(), SECRET, SOURCES.get)
    gone = set(resolver.resolve(tuple(map(_identifier, identifiers_of(who))), "web").ids)
    decode = decoder(SOURCES.get, SECRET)
    left = []
    for source, connector, received, body in entries:
        items = decode(Record(1, source, connector, received, body))
        document = msgspec.json.decode(body)
        document["batch"] = [
            raw
            for raw, item in zip(document["batch"], items, strict=True)
            if item.event is None or gone.isdisjoint(resolver.resolve(item.event.identifiers, source).ids)
        ]
        left.append((source, connector, received, msgspec.json.encode(document)))
    return left


def _identifier(text: str) -> Identifier:
    kind, _, value = text.partition(":")
    return Identifier(kind, value)
