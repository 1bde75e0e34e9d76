"""Products, items and places with the client, against a real server."""

from __future__ import annotations

import pytest

from cauce.client import Client
from cauce.client.refusals import PreconditionFailed, PreconditionRequired
from cauce.client.types.catalogue import NewPrice, NewProduct
from cauce.errors import Conflict, NotFound, Unreadable
from cauce.testing.world.products import gtin
from tests.http.api.world import client_of, copied, make, token


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogue")
    make(folder / "world")
    with (
        copied(folder / "world", folder / "data") as platform,
        client_of(platform) as served,
        Client(str(served.base_url), token(platform, "owner")) as opened,
    ):
        yield opened


def test_products_are_put_in_found_and_changed_as_they_were_read(client):
    put = client.products.put("SIL/1 ñ", names={"es": "Silla"}, gtins=[gtin(70)], category=["Hogar", "Sillas"])
    assert (put.gtins, put.product, put.version) == ([gtin(70).zfill(14)], "SIL/1 ñ", 1)
    assert [one.sku for one in client.products.list("silla")] == ["SIL/1 ñ"]
    assert [one.sku for one in client.products.list(category="Hogar")] == ["SIL/1 ñ"]
    assert client.products.change("SIL/1 ñ", brand="Olmo").names == {"es": "Silla"}
    with pytest.raises(PreconditionRequired):
        client.products.put("ABR-00001-AZ", names={"es": "x"})
    client.products.get("ABR-00001-AZ")
    client.products.change("ABR-00001-AZ", brand="A")
    client._transport._tags["/v1/products/ABR-00001-AZ"] = '"stale"'
    with pytest.raises(PreconditionFailed):
        client.products.change("ABR-00001-AZ", brand="B")
    with pytest.raises(Conflict, match="SIL/1"):
        client.products.change("ABR-00001-AZ", gtins=[gtin(70)], overwrite=True)
    client.products.retire("SIL/1 ñ", overwrite=True)
    assert list(client.products.list("silla")) == []
    assert [one.retired for one in client.products.list("silla", retired=True)] == [True]


def test_many_products_go_in_together_and_one_that_is_refused_alone_stays_out(client):
    wrong = NewProduct(sku="M-2", names={"es": "Dos"}, gtins=["8431200000009"])
    told = [NewProduct(sku="M-1", names={"es": "Uno"}), wrong, NewProduct(sku="M-3", names={"es": "Tres"})]
    found = client.products.put_many(told)
    assert [(one.id, one.change, one.code) for one in found] == [
        ("M-1", "added", ""), ("M-2", "refused", "definition_invalid"), ("M-3", "added", ""),
    ]  # fmt: skip
    assert "check digit" in found[1].message
    assert {one.sku for one in client.products.list()} >= {"M-1", "M-3"}


def test_lists_go_through_all_pages(client):
    client.products.put_many([NewProduct(sku=f"P-{number:03}", names={"es": "Página"}) for number in range(450)])
    assert [one.sku for one in client.products.list("página")] == [f"P-{number:03}" for number in range(450)]


def test_prices_are_set_and_the_one_in_force_is_told(client):
    sku = "ABR-00001-AZ"
    client.products.prices(sku)
    prices = client.products.set_prices(sku, [NewPrice(currency="EUR", amount_minor=9_995, channel="web")], add=True)
    assert [(price.channel, price.amount_minor) for price in prices] == [("", 12_995), ("web", 9_995)]
    assert client.products.price(sku, "eur", channel="web").amount_minor == 9_995
    assert client.products.price(sku, "EUR", channel="app", at="2026-01-01").amount_minor == 12_995
    with pytest.raises(NotFound, match="KWD"):
        client.products.price(sku, "KWD")
    with pytest.raises(Unreadable):
        client.products.price(sku, "eur", at="tomorrow")


def test_ids_are_resolved_for_all(client):
    assert client.items.see("T-1", "till", name="Taza") == ""
    assert [(one.id, one.name, one.count) for one in client.items.unknown("till")] == [("T-1", "Taza", 1)]
    with pytest.raises(NotFound):
        client.items.resolve("T-1", "till")
    assert client.items.map("T-1", "ABR-00001-AZ", "till").waited == 1
    assert client.items.resolve("T-1", "till").sku == client.items.see("T-1", "till") == "ABR-00001-AZ"
    assert "T-1" not in [one.id for one in client.items.unmap("T-1", "till").items]
    client.items.see("T-2", "till")
    assert client.items.ignore("T-2", "till").ignored
    assert [one.id for one in client.items.unknown("till", ignored=True)] == ["T-2"]
    assert [one.id for one in client.products.items("ABR-00001-AZ").__iter__()] == ["44021", "44023"]


def test_places_are_found_by_role_and_distance_and_say_when_they_are_open(client):
    hours = [{"weekday": day, "opens": "10:00", "closes": "14:00"} for day in range(1, 6)]
    place = client.places.put(
        "S02", zone="Europe/Madrid", roles=["sells"], hours=hours, position={"latitude": 41.39, "longitude": 2.17}
    )
    assert (place.name, place.version, place.metres) == ("S02", 1, None)
    assert [one.id for one in client.places.list(near=(41.4, 2.2))] == ["S02", "S01"]
    assert [one.id for one in client.places.list("picks_up")] == ["S01"]
    told = client.places.hours("S02", at="2026-11-20T13:30:00+01:00", minutes=60)
    assert (told.open, told.promised.isoformat()) == (True, "2026-11-23T09:30:00+00:00")
    assert [len(day.spans) for day in told.days] == [1, 0, 0, 1, 1, 1, 1]
    assert client.places.change("S02", roles=["ships"]).hours == place.hours
    with pytest.raises(Unreadable, match="latitude"):
        list(client.places.list(near=(100, 0)))
    client.places.retire("S02")
    assert [one.id for one in client.places.list()] == ["S01"]
