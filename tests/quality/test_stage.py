from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.engines.memory import Broken, Faults, MemoryTables
from cauce.engines.sqlite import SqliteTables
from cauce.model import DAY, DECISION, DECISIONS, HOUR, Fate, Passage, Received, to_iso
from cauce.quality.stage import Limits, QualityStage
from tests.quality.river import NOW, River, broken, decision, event, item, observing, replayed

ORDER = {"order_id": "o1", "total": 10, "currency": "EUR"}
STORED, QUARANTINED, DUPLICATE = None, Fate.QUARANTINED, Fate.DUPLICATE


def order(number: int = 1, properties: Any = ORDER, **values: Any) -> Received:
    return item(event(number, name="Order Completed", properties=properties, **values))


def balance(river: River, source: str = "web") -> dict[str, int]:
    """Fates that are not zero; the sum is checked."""
    (found,) = (found for found in river.quality.balance() if found.source == source)
    assert found.adds_up
    fates = ("received", "stored", "quarantined", "duplicate", "suppressed")
    return {fate: getattr(found, fate) for fate in fates if getattr(found, fate)}


def test_one_bad_event_of_five_leaves_four_untouched() -> None:
    river = River()
    items = [order(number) for number in range(1, 6)]
    items[2] = order(3, {"total": 10})
    assert river.send(*items) == [STORED, STORED, QUARANTINED, STORED, STORED]
    assert [event.position for event in river.passed] == [1, 2, 4, 5]
    assert balance(river) == {"received": 5, "stored": 4, "quarantined": 1}
    (entry,) = river.quality.entries()
    assert (entry.position, entry.source, entry.event_id, entry.received) == (3, "web", "m3", NOW)
    assert [(reason.code, reason.path) for reason in entry.reasons] == [("property_missing", "/properties/order_id")]
    assert entry.document()["properties"] == {"total": 10}


def test_a_repetition_is_a_duplicate_in_the_same_batch_and_ever_after() -> None:
    river = River()
    again = event(4, id="m1", occurred=NOW + HOUR)
    assert river.send(item(event(1)), item(event(2, id="m1")), item(event(3, id="m1", source="app"))) == [
        *(STORED, DUPLICATE, STORED)
    ]
    river.reopen()
    assert river.send(item(again)) == [DUPLICATE]
    assert [event.position for event in river.passed] == [1, 3]
    assert balance(river) == {"received": 3, "stored": 1, "duplicate": 2}


def test_quarantined_events_count_as_seen() -> None:
    river = River()
    assert river.send(order(1, {}), order(2, {}, id="m1"), broken(3, message_id="x"), broken(4, message_id="x")) == [
        *(QUARANTINED, DUPLICATE, QUARANTINED, DUPLICATE)
    ]
    assert river.send(broken(5), broken(6), order(7, id="x")) == [QUARANTINED, QUARANTINED, DUPLICATE]
    raws = [msgspec.Raw(b'{"messageId":"x"}'), b'{"messageId":"y"}', b"{", {"messageId": 3}]
    items = [msgspec.structs.replace(broken(number), raw=raw) for number, raw in enumerate(raws, 8)]
    assert river.send(*items) == [DUPLICATE, QUARANTINED, QUARANTINED, QUARANTINED]


def test_an_item_without_event_keeps_its_reasons_and_its_raw_text() -> None:
    river = River()
    river.send(broken(1), msgspec.structs.replace(broken(2), reasons=(), raw=b"\xff"))
    first, second = river.quality.entries()
    assert (first.reasons[0].code, first.document()) == ("type_unknown", "not even JSON")
    assert (second.reasons[0].code, second.form, second.document()) == ("undecoded", "base64", "/w==")


def test_a_source_that_observes_stores_what_breaks_a_contract_and_counts_it() -> None:
    river = River(source_of=observing)
    bad = {"total": [], "products": [{"price": "x", "sku": "a"}, {"price": "y", "sku": "b"}]}
    assert river.send(order(1, bad), order(2, bad)) == [STORED, STORED]
    assert river.send(item(event(3, identifiers=()))) == [QUARANTINED]
    found = {(breach.code, breach.path): (breach.count, breach.example) for breach in river.quality.breaches()}
    assert found == {
        ("property_missing", "/properties/order_id"): (2, 2),
        ("type_wrong", "/properties/total"): (2, 2),
        ("type_wrong", "/properties/products/*/price"): (2, 2),
    }
    assert balance(river) == {"received": 3, "stored": 2, "quarantined": 1}


def test_a_number_as_text_is_stored_and_counted_as_breach() -> None:
    river = River()
    assert river.send(order(1, {**ORDER, "total": "27.50"})) == [STORED]
    (breach,) = river.quality.breaches()
    assert (breach.code, breach.contract, breach.count) == ("number_as_text", "track:Order Completed", 1)


def test_a_breach_of_an_event_that_a_later_stage_suppresses_does_not_count() -> None:
    river = River(later=suppress)
    assert river.send(order(1, {**ORDER, "total": "27.50"})) == [Fate.SUPPRESSED]
    assert river.quality.breaches() == []
    assert balance(river) == {"received": 1, "suppressed": 1}


def suppress(passage: Passage) -> None:
    passage.fate = Fate.SUPPRESSED


def test_decisions_pass_uncounted_and_only_from_their_own_source() -> None:
    river = River()
    forged = item(event(2, type=DECISION, name="person.erased", properties={"identifiers": ["user_id:u1"]}))
    assert river.send(decision(1, "identity.joined"), forged) == [None, QUARANTINED]
    assert [found.source for found in river.quality.balance()] == ["web"]
    assert len(river.passed) == 1


def test_size_counts_whatever_form_the_raw_item_has() -> None:
    river = River(limits=Limits.of(event_bytes_max=299))
    long = "x" * 300
    raws: list[Any] = [{"a": long}, long, long.encode(), msgspec.Raw(long.encode()), {"a": {long}}]
    assert river.send(*[item(event(number), raw=raw) for number, raw in enumerate(raws, 1)]) == [QUARANTINED] * 5
    assert {entry.reasons[0].code for entry in river.quality.entries()} == {"event_too_large"}


def test_contracts_are_applied_in_order_and_survive_a_restart() -> None:
    river = River(starter=())
    strict = {"event": "Sold", "properties": {"type": "object", "required": ["till"]}}
    sold = [item(event(number, name="Sold")) for number in range(10, 17)]
    good = item(event(20, name="Sold", properties={"till": 1}))
    apply = decision(1, "contract.applied", contracts=[strict, {"nonsense": 1}], unknown="quarantine")
    fates = river.send(sold[0], apply, sold[1], good, item(event(21)), decision(2, "contract.applied", unknown="?"))
    assert fates == [STORED, None, QUARANTINED, STORED, QUARANTINED, None]
    river.reopen()
    assert river.send(sold[2], item(event(22))) == [QUARANTINED, QUARANTINED]
    local = decision(3, "contract.applied", contracts=[{**strict, "source": "web", "mode": "observe"}])
    assert river.send(local, sold[3]) == [None, STORED]
    removed = decision(4, "contract.removed", contracts=["track:Sold", "track:Sold@web"])
    fates = river.send(removed, decision(5, "contract.applied", unknown={"": "quarantine", "web": "accept"}), sold[4])
    assert fates == [None, None, STORED]


def test_a_removed_starter_contract_stays_removed() -> None:
    river = River()
    assert river.send(decision(1, "contract.removed", contracts=["track:Order Completed"]), order(2, {})) == [
        None,
        None,
    ]
    river.reopen()
    assert river.send(order(3, {})) == [STORED]
    assert "track:Order Completed" not in [contract.key for contract in river.quality.contracts()]


# Replay and drop


def quarantined(number: int = 3) -> River:
    river = River()
    assert river.send(order(number, {"total": 10}, received=NOW - DAY, occurred=NOW - 2 * DAY)) == [QUARANTINED]
    return river


def mended(position: int, of: int = 3, properties: Any = ORDER) -> Received:
    again = event(of, name="Order Completed", properties=properties, received=NOW - DAY, occurred=NOW - 2 * DAY)
    return replayed(position, of, again)


def test_a_replayed_event_keeps_its_id_and_its_time_and_moves_in_the_counts() -> None:
    river = quarantined()
    request = river.quality.replay_request([3])
    assert river.send(decision(10, "quarantine.replayed", **request), mended(11)) == [None, STORED]
    (found,) = [event for event in river.passed if event.type != DECISION]
    assert (found.id, found.occurred, found.received, found.replay_of) == ("m3", NOW - 2 * DAY, NOW - DAY, 3)
    assert balance(river) == {"received": 1, "stored": 1}
    assert [row["received"] for row in river.quality.counts("hour")] == [1]
    entry = river.quality.entry(3)
    assert (entry.state, entry.decided_by, entry.decided) == ("replayed", "sara", NOW + HOUR)
    assert river.quality.events() == [{"channel": "web", "name": "Order Completed", "day": day(NOW - DAY), "stored": 1}]


def day(moment: int) -> str:
    return to_iso(moment)[:10]


def test_a_second_replay_changes_nothing() -> None:
    river = quarantined()
    assert river.send(mended(10), mended(11)) == [STORED, DUPLICATE]
    assert river.send(mended(12)) == [DUPLICATE]
    assert river.send(mended(13, of=77)) == [DUPLICATE]
    assert balance(river) == {"received": 1, "stored": 1}


def test_a_replay_that_is_still_bad_stays_open_with_new_reasons() -> None:
    river = quarantined()
    assert river.send(mended(10, properties={"order_id": "o", "currency": "XXL"})) == [QUARANTINED]
    entry = river.quality.entry(3)
    assert (entry.state, [reason.code for reason in entry.reasons]) == ("open", ["currency_unknown"])
    assert entry.document()["properties"] == {"order_id": "o", "currency": "XXL"}
    assert entry.received == NOW - DAY
    assert balance(river) == {"received": 1, "quarantined": 1}
    unread = msgspec.structs.replace(broken(11), replay_of=3)
    assert river.send(unread) == [QUARANTINED]
    assert river.send(mended(12)) == [STORED]
    assert balance(river) == {"received": 1, "stored": 1}


def test_a_replay_that_takes_another_id_may_be_a_duplicate() -> None:
    river = quarantined()
    river.send(order(4), order(5, {}))
    assert river.send(replayed(10, 3, event(4, name="Order Completed", properties=ORDER))) == [DUPLICATE]
    assert river.send(replayed(11, 5, event(99, name="Order Completed", properties=ORDER))) == [STORED]
    assert river.send(item(event(12, id="m99"))) == [DUPLICATE]
    assert balance(river) == {"received": 4, "stored": 2, "duplicate": 2}


def test_a_replay_that_a_later_stage_suppresses_is_suppressed() -> None:
    river = quarantined()
    river.later = suppress
    assert river.send(mended(10)) == [Fate.SUPPRESSED]
    assert balance(river) == {"received": 1, "suppressed": 1}


def test_a_dropped_entry_counts_as_suppressed_once() -> None:
    river = quarantined()
    request = river.quality.drop_request([3], "test data")
    assert river.send(decision(10, "quarantine.dropped", **request)) == [None]
    assert river.send(decision(11, "quarantine.dropped", **request), mended(12)) == [None, DUPLICATE]
    entry = river.quality.entry(3)
    assert (entry.state, entry.decided_by, entry.why) == ("dropped", "sara", "test data")
    assert balance(river) == {"received": 1, "suppressed": 1}


def test_senseless_decisions_do_nothing() -> None:
    river = quarantined()
    before = river.contents()
    river.send(
        decision(10, "quarantine.dropped", positions="all"),
        decision(11, "quarantine.dropped", positions=["3", None, 77, True]),
        decision(12, "quarantine.replayed", items=[1, {"position": "3"}]),
        decision(13, "person.erased", identifiers=[3]),
        decision(14, "contract.applied", contracts=[3], unknown="maybe"),
    )
    assert river.contents() == before


# Erasure


def test_erasure_blanks_what_mentions_the_person_and_keeps_the_counts() -> None:
    river = quarantined()
    other = item(event(4, name="Order Completed"), raw={"email": "bea@example.com"})
    river.send(other, mended(5, properties={}), decision(6, "quarantine.dropped", positions=[4]))
    assert river.quality.mentioning(["email:ana@example.com"]) == [3]
    river.send(decision(10, "person.erased", identifiers=["email:ana@example.com"]))
    entry = river.quality.entry(3)
    assert (entry.state, entry.raw, entry.event_id, entry.reasons) == ("erased", "null", "", ())
    assert river.quality.entry(4).document() == {"email": "bea@example.com"}
    assert balance(river) == {"received": 2, "quarantined": 1, "suppressed": 1}
    assert river.send(mended(11)) == [None], "a rebuild finds the entry erased where it was open: no difference"


def test_whoever_blanks_the_log_blanks_the_same_entries() -> None:
    river = quarantined()
    with river.tables.transaction():
        river.stage.erase([3, 99])
    river.stage.committed()
    entry = river.quality.entry(3)
    assert (entry.state, entry.raw, entry.name, entry.source) == ("erased", "null", "", "web")
    assert balance(river) == {"received": 1, "quarantined": 1}


def blanked(number: int, fate: str, **values: Any) -> Received:
    return Received(number, "web", "web", NOW, {"messageId": f"m{number}"}, erased=fate, **values)


def test_an_erased_item_counts_as_before_and_does_nothing_else() -> None:
    river = River()
    items = [blanked(number, fate) for number, fate in enumerate(["stored", "quarantined", "duplicate", "suppressed"])]
    river.send(*items, msgspec.structs.replace(blanked(7, "decision"), source=DECISIONS))
    assert river.passed == []
    assert balance(river) == dict.fromkeys(("stored", "quarantined", "duplicate", "suppressed"), 1) | {"received": 4}
    assert river.send(item(event(8, id="m0"))) == [DUPLICATE]


@pytest.mark.parametrize(("fate", "now"), [("stored", "stored"), ("quarantined", "quarantined")])
def test_an_erased_replay_moves_its_entry_as_before(fate: str, now: str) -> None:
    river = River()
    river.send(blanked(1, "quarantined"), blanked(2, fate, replay_of=1))
    assert balance(river) == {"received": 1, now: 1}


def test_replay_of_the_log_after_an_erasure_gives_the_state_of_the_erasure() -> None:
    erase = decision(20, "person.erased", identifiers=["email:ana@example.com"])
    live, rebuilt = River(), River()
    live.send(order(1, {}), order(2, {}), mended(10, of=1), decision(11, "quarantine.dropped", positions=[2]), erase)
    blanks = [blanked(1, "quarantined"), blanked(2, "quarantined"), blanked(10, "stored", replay_of=1)]
    rebuilt.send(*blanks, decision(11, "quarantine.dropped", positions=[2]), erase)
    assert live.quality.balance() == rebuilt.quality.balance()
    assert live.contents()["quarantine"] == rebuilt.contents()["quarantine"]


# The whole, under random traffic


def random_items() -> st.SearchStrategy[list[Received]]:
    """Traffic with good, broken, repeated, undecoded, replayed, dropped and erased items; later ones name earlier.

    A replay comes from the source of its entry, as the river makes it.
    """
    kind = st.sampled_from(["good", "good", "bad", "undecoded", "again", "replay", "bad replay", "drop", "blank"])
    return st.lists(st.tuples(kind, st.integers(0, 40), st.sampled_from(["web", "app"])), max_size=40).map(built)


def built(plan: list[tuple[str, int, str]]) -> list[Received]:
    items: list[Received] = []
    for position, (kind, number, source) in enumerate(plan, 1):
        earlier = items[number % len(items)] if items else None
        of = earlier.position if earlier else 99
        values: dict[str, Any] = {"position": position, "source": source, "received": NOW + position % 3 * HOUR}
        if kind == "again" and earlier and earlier.event and earlier.event.type != DECISION:
            items.append(item(msgspec.structs.replace(earlier.event, position=position, replay_of=0)))
        elif kind == "undecoded":
            items.append(broken(position, message_id=f"m{number}" if number % 2 else "", source=source))
        elif kind == "drop":
            items.append(decision(position, "quarantine.dropped", positions=[of], why="random"))
        elif kind == "blank":
            told, fate = {"messageId": f"blank-{position}"}, ("stored", "quarantined")[number % 2]
            items.append(Received(position, source, source, NOW, told, erased=fate))
        elif kind in ("replay", "bad replay"):
            name = earlier.event.id if earlier and earlier.event else f"m{number}"
            if earlier and earlier.erased:
                name = f"blank-{of}"  # a replay keeps its entry's own id, and nobody else has that
            if earlier and earlier.source != DECISIONS:
                values["source"] = earlier.source
            properties = ORDER if kind == "replay" else {}
            items.append(
                replayed(position, of, event(0, id=name, name="Order Completed", properties=properties, **values))
            )
        else:
            properties = ORDER if kind == "good" else {}
            items.append(order(number, properties, **values))
    return items


def suppress_some(passage: Passage) -> None:
    if passage.event is not None and passage.event.id == "m7":
        passage.fate = Fate.SUPPRESSED


@settings(deadline=None, max_examples=40)
@given(random_items(), st.lists(st.integers(1, 39), max_size=6))
def test_counts_add_up_and_do_not_depend_on_where_batches_are_cut(items: list[Received], cuts: list[int]) -> None:
    whole, cut = River(later=suppress_some), River(later=suppress_some)
    assert whole.send(*items) == cut.send(*items, cuts=cuts)
    assert whole.contents() == cut.contents()
    assert whole.passed == cut.passed
    assert all(found.adds_up for found in whole.quality.balance())
    received = Counter(item.source for item in items if counted(item))
    assert {found.source: found.received for found in whole.quality.balance()} == received
    events = [found for found in whole.passed if found.type != DECISION]
    assert sum(found.stored for found in whole.quality.balance()) == len(events) + erased_as(items, "stored")
    ids = [(found.source, found.id) for found in events]
    assert len(set(ids)) == len(ids)
    assert sum(found.quarantined for found in whole.quality.balance()) == len(
        whole.quality.entries(state="open") + whole.quality.entries(state="erased")
    )


def counted(item: Received) -> bool:
    return not item.replay_of and item.source != DECISIONS


def erased_as(items: list[Received], fate: str) -> int:
    return sum(item.erased == fate for item in items)


@settings(deadline=None, max_examples=15)
@given(random_items(), st.integers(1, 40), st.lists(st.integers(1, 39), max_size=3))
def test_a_fault_anywhere_leaves_no_trace(items: list[Received], operations: int, cuts: list[int]) -> None:
    expected = River()
    expected.send(*items)
    tables = MemoryTables()
    QualityStage(tables)
    faults = Faults(10**9)
    river = River(faults.wrap(tables))
    faults.operations_left = operations
    edges = [0, *sorted({cut for cut in cuts if cut < len(items)}), len(items)]
    for start, end in itertools.pairwise(edges):
        before = list(river.passed)
        try:
            river.send(*items[start:end])
        except Broken:
            river.stage.rolled_back()
            river.passed = before
            river.send(*items[start:end])
    assert river.contents() == expected.contents()


def test_on_a_file_the_state_is_the_same(tmp_path: Any) -> None:
    items = built([(kind, number, "web") for number, kind in enumerate(["good", "bad", "again", "drop", "good"] * 30)])
    memory, tables = River(), SqliteTables(tmp_path / "state.db")
    file = River(tables)
    try:
        assert memory.send(*items) == file.send(*items, cuts=range(0, len(items), 7))
        assert memory.contents() == file.contents()
        file.reopen()
        assert file.send(*[item for item in items if counted(item)]) == [DUPLICATE] * 120
    finally:
        tables.close()
