"""Facts of tills over HTTP: listed, looked at, mended, dropped."""

from __future__ import annotations

import json

import pytest

from cauce.app.clerk import follower_of
from cauce.client import Client
from cauce.commerce.catalogue.nouns import Place
from cauce.commerce.catalogue.places import PutPlace
from cauce.errors import DefinitionInvalid, Ended, NotFound, Unreadable
from cauce.model import Source
from tests.http.api.world import client_of, copied, token

SKU = "ABR-00001-AZ"


def told(number, **properties):
    common = {"store_id": "S01", "till_id": "3", "receipt_id": f"R{number}", "currency": "EUR", "total": 10.0}
    lines = [{"sku": SKU, "quantity": 1, "price": 10.0}]
    event = {"event": "Receipt Issued", "id": f"r{number}", "properties": {**common, "products": lines, **properties}}
    return json.dumps({**event, "occurred": f"2026-03-01T10:{number:02}:00Z"}).encode()


@pytest.fixture
def platform(world, tmp_path_factory):
    with copied(world, tmp_path_factory.mktemp("facts") / "data") as platform:
        bad = {"products": [{"sku": SKU, "quantity": "two", "name": "for ana@tienda.es"}]}
        lines = [*map(told, range(5)), told(5, **bad), told(6, **bad), told(7, store_id="0042")]
        platform.sources.add(Source("pos", "store", mode="observe"))
        platform.append("pos", "rows", lines)
        platform.drain()
        follower = follower_of(platform)
        while follower.step():
            pass
        yield platform


@pytest.fixture
def client(platform):
    with client_of(platform) as raw, Client(str(raw.base_url), token(platform, "owner")) as opened:
        yield opened


def test_receipts_are_listed_page_by_page_and_by_till(platform, client):
    found = list(client.facts.list(place="S01", kind="sold"))
    assert [one.number for one in found] == ["R4", "R3", "R2", "R1", "R0"]
    assert {(one.till, one.place, one.state, one.source) for one in found} == {("3", "S01", "counts", "pos")}
    assert [(line.sku, line.amount) for line in found[0].lines] == [(SKU, 1_000)]
    assert len(list(client.facts.list(place="S01", till="003"))) == 5
    assert list(client.facts.list(place="S01", till="4")) == []
    with client_of(platform, "commerce.read") as reader:
        seen, cursor = [], ""
        while True:
            page = reader.get("/v1/facts", params={"limit": 2, "cursor": cursor}).json()
            seen += [one["number"] for one in page["items"]]
            cursor = page["cursor"]
            if not cursor:
                break
        assert seen == ["R4", "R3", "R2", "R1", "R0"]
    with pytest.raises(Unreadable, match="expected the place of the till"):
        list(client.facts.list(till="3"))


def test_one_fact_with_what_became_of_it(platform, client):
    (first, *_) = client.facts.list(place="S01")
    detail = client.facts.get(first.position)
    assert (detail.outcome, detail.name, [one.number for one in detail.kept]) == ("done", "Receipt Issued", ["R4"])
    assert detail.properties["receipt_id"] == "R4"
    status = client.facts.status()
    assert (status.unfit, [(one.store, one.facts) for one in status.stores]) == (2, [("0042", 1)])
    assert status.position >= first.position
    with pytest.raises(NotFound, match="there is no event"):
        client.facts.get(2**50)


def test_what_cannot_be_used_is_mended_or_dropped(platform, client):
    to_mend, to_drop = (one.position for one in client.facts.waiting())
    assert client.facts.get(to_mend).outcome == "waits_for_mending"
    with client_of(platform, "commerce.read") as reader:
        text = reader.get(f"/v1/facts/{to_mend}").text + reader.get("/v1/facts/waiting").text
        assert "ana@tienda.es" not in text
        assert reader.post(f"/v1/facts/{to_mend}/mend", json={"changes": {}}).status_code == 403
    with pytest.raises(DefinitionInvalid, match="still cannot be used"):
        client.facts.mend(to_mend)
    with pytest.raises(DefinitionInvalid, match=r"there is no products\.9"):
        client.facts.mend(to_mend, {"products.9.quantity": 1})
    assert client.facts.mend(to_mend, {"products.0.quantity": 2}).new == 1
    assert client.facts.drop(to_drop).state == "dropped"
    assert [client.facts.get(one).outcome for one in (to_mend, to_drop)] == ["applied", "dropped"]
    assert list(client.facts.waiting()) == []
    assert {one.state for one in client.facts.waiting("any")} == {"applied", "dropped"}
    with pytest.raises(Ended):
        client.facts.drop(to_drop)
    with pytest.raises(Ended):
        client.facts.mend(to_drop, {"products.0.quantity": 1})


def test_what_a_source_calls_our_places_and_what_its_facts_do(platform, client):
    platform.commerce.do(PutPlace(place=Place(id="S02")))
    named = client.facts.name_store("pos", "0042", "S02")
    assert named.since > 0
    follower = follower_of(platform)
    while follower.step():
        pass
    assert [one.place for one in client.facts.list(kind="sold", place="S02")] == ["S02"]
    assert [(one.source, one.store, one.place) for one in client.facts.stores().items] == [("pos", "0042", "S02")]
    client.facts.name_store("pos", "0042", "")
    assert client.facts.stores().items == []
    with pytest.raises(NotFound):
        client.facts.name_store("pos", "0042", "nowhere")
    before = {one.source: one for one in client.facts.habits().items}
    assert (before["*"].receipts, before["*"].orders) == (True, False)
    assert client.facts.set_habit("pos", receipts=False, ids="app").ids == "app"
    after = {one.source: one for one in client.facts.habits().items}
    assert (after["pos"].receipts, after["pos"].goods, after["*"].receipts) == (False, True, True)
    with client_of(platform, "commerce.read") as reader:
        assert reader.put("/v1/facts/habits", json={"source": "pos", "receipts": True}).status_code == 403
