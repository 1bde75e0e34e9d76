from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cauce.errors import Conflict, DefinitionInvalid, NotFound
from cauce.model import DAY, HOUR, Received, to_iso
from cauce.quality.api import Balance, Quality, contract_request
from tests.quality.river import NOW, River, broken, decision, event, item, observing, replayed

GOOD = {"order_id": "o1"}


def order(number: int, properties: Any = GOOD, **values: Any) -> Received:
    return item(event(number, name="Order Completed", properties=properties, **values))


def filled() -> River:
    """Three sources; web has two kinds of breaches, the till one."""
    river = River()
    river.send(
        order(1),
        order(2, {}),
        order(3, {"order_id": "o", "products": [{"sku": "a"}, {}]}, received=NOW + DAY),
        order(4, {"order_id": "o", "products": [{}]}),
        item(event(5, source="till", channel="store", name="Receipt Issued")),
        broken(6, source="app"),
        order(7, id="m1"),
        item(event(8, type="page", name="", channel="app")),
    )
    return river


def test_the_balance_of_every_source() -> None:
    assert filled().quality.balance() == [
        Balance("app", 1, 0, 1, 0, 0, True),
        Balance("till", 1, 0, 1, 0, 0, True),
        Balance("web", 6, 2, 3, 1, 0, True),
    ]


def test_a_balance_that_does_not_add_up_says_so() -> None:
    river = filled()
    with river.tables.transaction():
        river.tables.execute("update quality_count set count = count + 1 where fate = 'received' and source = 'web'")
    assert [found.adds_up for found in river.quality.balance()] == [True, True, False]


def test_counts_by_anything() -> None:
    quality = filled().quality
    assert quality.counts()[2] == {
        "source": "web",
        "received": 6,
        "stored": 2,
        "quarantined": 3,
        "duplicate": 1,
        "suppressed": 0,
    }
    hours = quality.counts("hour")
    assert [row["hour"] for row in hours] == [to_iso(moment // HOUR * HOUR) for moment in (NOW, NOW + DAY)]
    assert [row["received"] for row in hours] == [7, 1]
    assert quality.counts("channel") == [{"channel": "app", "stored": 1}, {"channel": "web", "stored": 1}]
    assert quality.counts("name") == [{"name": "Order Completed", "stored": 1}, {"name": "page", "stored": 1}]
    assert quality.counts("day") == [{"day": to_iso(NOW)[:10], "stored": 2}]
    assert quality.events("app") == [{"channel": "app", "name": "page", "day": to_iso(NOW)[:10], "stored": 1}]
    with pytest.raises(NotFound, match="Known: source"):
        quality.counts("moon")


def test_entries_can_be_filtered_and_turned_over() -> None:
    quality = filled().quality

    def positions(**chosen: Any) -> list[int]:
        return [entry.position for entry in quality.entries(**chosen)]

    assert positions() == [2, 3, 4, 5, 6]
    assert positions(source="web", limit=2) == [2, 3]
    assert positions(source="web", after=3) == [4]
    assert positions(reason="property_missing") == [2, 5]
    assert positions(reason="property_missin_") == []
    assert positions(name="Receipt Issued") == [5]
    assert positions(state="dropped") == []
    assert positions(state="") == [2, 3, 4, 5, 6]
    for wrong in ({"reason": "%"}, {"limit": 0}):
        with pytest.raises(DefinitionInvalid):
            quality.entries(**wrong)  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="Known: open"):
        quality.entries(state="lost")
    with pytest.raises(NotFound, match="position 1 "):
        quality.entry(1)


def test_groups_count_equal_reasons_wherever_in_a_list_they_are() -> None:
    groups = filled().quality.groups()
    assert (groups[0].code, groups[0].path, groups[0].count, groups[0].example) == (
        "alternatives_unmet",
        "/properties/products/*",
        2,
        3,
    )
    assert sum(group.count for group in groups) == 5
    assert [group.source for group in filled().quality.groups("till")] == ["till"]


def test_a_request_to_replay_carries_what_the_decoder_needs() -> None:
    river = filled()
    quality = Quality(river.tables, connector_of=lambda positions: dict.fromkeys(positions, "tracking"))
    (first, second) = quality.replay_request({"reason": "property_missing"})["items"]
    assert {**first, "raw": None} == {
        "position": 2,
        "source": "web",
        "channel": "web",
        "connector": "tracking",
        "received": NOW,
        "form": "json",
        "raw": None,
    }
    assert second["raw"]["event"] == "Receipt Issued"


def test_one_patch_mends_many() -> None:
    river = River()
    river.send(*[order(number, {"total": number}) for number in range(1, 6)])
    patch = {"properties": {"order_id": "known", "total": None}, "email": None}
    items = river.quality.replay_request({"source": "web"}, patch=patch)["items"]
    assert [item["raw"]["properties"] for item in items] == [{"order_id": "known"}] * 5
    assert "email" not in items[0]["raw"]
    again = [
        replayed(10 + at, item["position"], event(item["position"], properties=item["raw"]["properties"]))
        for at, item in enumerate(items)
    ]
    assert river.send(*again) == [None] * 5
    assert river.quality.balance() == [Balance("web", 5, 5, 0, 0, 0, True)]


def test_requests_that_cannot_be_met_are_refused() -> None:
    river = filled()
    quality = river.quality
    assert quality.replay_request([2], raw={"a": 1})["items"][0]["raw"] == {"a": 1}
    with pytest.raises(Conflict, match="for 2 entries"):
        quality.replay_request([2, 3], raw={})
    with pytest.raises(NotFound):
        quality.replay_request({"source": "moon"})
    with pytest.raises(NotFound):
        quality.replay_request([1])
    river.send(decision(20, "quarantine.dropped", **quality.drop_request([2], "why")))
    with pytest.raises(Conflict, match="already dropped by sara"):
        quality.drop_request([2], "again")
    river.send(msgspec.structs.replace(broken(21), raw=b"a;b"))
    assert quality.replay_request([21])["items"][0]["form"] == "text"
    with pytest.raises(Conflict, match="no JSON"):
        quality.replay_request([21], patch={})


def test_contracts_tell_where_they_come_from() -> None:
    river = River()
    request = contract_request(
        {"contracts": [{"event": "Sold"}, {"event": "Order Completed"}], "unknown": "quarantine"}
    )
    river.send(decision(1, "contract.applied", **request), decision(2, "contract.applied", **request))
    by_key = {contract.key: contract for contract in river.quality.contracts()}
    assert (by_key["track:Sold"].version, by_key["track:Sold"].decided_by) == (2, "sara")
    assert by_key["track:Order Completed"].contract.properties is None
    assert (by_key["track:Cart Viewed"].version, by_key["track:Cart Viewed"].decided_by) == (0, "")
    assert river.quality.unknown() == {"": "quarantine"}
    assert River().quality.unknown() == {"": "accept"}


@pytest.mark.parametrize(
    "document", [[], {"contracts": 3}, {"contracts": [{"evnt": "x"}]}, {"unknown": "maybe"}, {"unknown": {"web": 1}}]
)
def test_a_senseless_contract_set_is_refused_at_the_door(document: Any) -> None:
    with pytest.raises(DefinitionInvalid):
        contract_request(document)


def test_breaches_are_summed_over_days() -> None:
    river = River(source_of=observing)
    river.send(order(1, {}), order(2, {}, received=NOW + DAY))
    (breach,) = river.quality.breaches()
    days = (to_iso(NOW)[:10], to_iso(NOW + DAY)[:10])
    assert (breach.count, breach.first_day, breach.last_day, breach.example) == (2, *days, 2)
