"""Places: roles, hours, codes; how far they are from one another; and the same on engines that store."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.commerce.catalogue.api import distance, nearest_first, need_place, place, places, price, resolve
from cauce.commerce.catalogue.items import MapItem
from cauce.commerce.catalogue.nouns import Address, Opening, Place, Position, Price
from cauce.commerce.catalogue.places import PutPlace, RetirePlace
from cauce.commerce.catalogue.prices import SetPrices
from cauce.errors import Conflict, DefinitionInvalid, NotFound
from cauce.testing.world.products import check_digit, gtin
from tests.commerce.catalogue.conftest import Shop

MADRID, BARCELONA = Position(40.4168, -3.7038), Position(41.3874, 2.1686)
GLN = "841234500001" + check_digit("841234500001")
positions = st.builds(Position, st.floats(-90, 90), st.floats(-180, 180))


def test_places_are_found_by_role_and_kind(shop: Shop) -> None:
    shop.place("S01", roles=("picks_up", "sells"), zone="Europe/Madrid", bays=("B1", "B1", "B2"))
    shop.place("W01", kind="warehouse", roles=("ships",))
    assert [one.id for one in places(shop)] == ["S01", "W01"]
    assert [one.id for one in places(shop, "ships")] == ["W01"]
    assert [one.id for one in places(shop, kind="store")] == ["S01"]
    found = need_place(shop, "S01")
    assert (found.name, found.roles, found.bays) == ("S01", ("sells", "picks_up"), ("B1", "B2"))


def test_a_place_that_closed_for_good_is_not_listed(shop: Shop) -> None:
    shop.place("S01")
    assert shop.do(RetirePlace(id="S01")).change == "changed"
    assert shop.do(RetirePlace(id="S01")).change == "unchanged"
    assert places(shop) == []
    assert place(shop, "S01") == places(shop, retired=True)[0]
    with pytest.raises(NotFound):
        shop.do(RetirePlace(id="S02"))
    with pytest.raises(NotFound):
        need_place(shop, "S02")


def test_a_gln_belongs_to_one_place(shop: Shop) -> None:
    shop.place("S01", gln=GLN)
    shop.place("S01", gln=GLN, name="Gran Vía")
    with pytest.raises(Conflict, match="S01"):
        shop.place("S02", gln=GLN)


def test_who_saw_another_version_is_refused(shop: Shop) -> None:
    shop.place("S01")
    with pytest.raises(Conflict, match="changed since"):
        shop.do(PutPlace(place=Place(id="S01", name="x"), expected=0))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": " "}, "id of 1"),
        ({"kind": "shop"}, "kind"),
        ({"roles": ("sell",)}, "roles"),
        ({"zone": "Madrid"}, "time zone"),
        ({"gln": "1234567890123"}, "check digit"),
        ({"address": Address(country="Spain")}, "ISO 3166"),
        ({"position": Position(91, 0)}, "latitude"),
        ({"position": Position(float("nan"), 0)}, "latitude"),
        ({"hours": (Opening(weekday=1, opens="x", closes="y"),)}, "time such as"),
        ({"bays": tuple(map(str, range(201)))}, "bays"),
    ],
)
def test_places_that_make_no_sense_are_refused(shop: Shop, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionInvalid, match=said):
        shop.do(PutPlace(place=Place(**{"id": "S01", **fields})))
    assert places(shop, retired=True) == []


def test_from_madrid_to_barcelona_it_is_five_hundred_kilometres() -> None:
    assert distance(MADRID, BARCELONA) == pytest.approx(505_000, rel=0.005)


@given(positions, positions, positions)
def test_distances_are_the_same_both_ways_and_no_detour_is_shorter(a: Position, b: Position, c: Position) -> None:
    assert distance(a, b) == distance(b, a)
    assert distance(a, a) == 0
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 2  # metres that were rounded


def test_the_nearest_place_comes_first_and_one_without_position_not_at_all() -> None:
    near, far = Place(id="S02", position=MADRID), Place(id="S01", position=BARCELONA)
    found = nearest_first([far, Place(id="S03"), near], Position(40.0, -3.0))
    assert [one.id for _, one in found] == ["S02", "S01"]


def test_every_engine_keeps_what_it_is_told(stored: Shop) -> None:
    stored.product("A-1", gtins=(gtin(1),), category=("Mujer", "Abrigos"))
    stored.do(MapItem(channel="shopify", id="1", sku="A-1", by="ana"))
    stored.do(SetPrices(sku="A-1", prices=(Price(currency="EUR", amount=1295),)))
    stored.place("S01", gln=GLN, position=MADRID)
    stored.do(RetirePlace(id="S01"))
    stored.product("A-1", brand="Duna")
    assert resolve(stored, "shopify", "1") == "A-1"
    assert resolve(stored, "", gtin(1)) is None
    assert price(stored, "A-1", "web", "EUR", 1) == Price(currency="EUR", amount=1295)
    assert need_place(stored, "S01").retired
    with pytest.raises(Conflict):
        stored.place("S02", gln=GLN)
