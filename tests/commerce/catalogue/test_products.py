"""Products, the ids that channels use for them, and the queue of those that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.catalogue.api import (
    items,
    need_product,
    product,
    products,
    resolve,
    unknown,
    unknown_count,
    variants,
)
from cauce.commerce.catalogue.items import IgnoreItem, MapItem, SeeItem, UnmapItem
from cauce.commerce.catalogue.nouns import Product, Unknown
from cauce.commerce.catalogue.products import PutProduct, RetireProduct
from cauce.errors import Conflict, DefinitionInvalid, NotFound
from cauce.testing.world.products import gtin
from tests.commerce.catalogue.conftest import NOW, Shop
from tests.furnished import FurnishedTables


def test_a_product_is_found_by_sku_by_any_written_gtin_and_by_the_ids_of_channels(shop: Shop) -> None:
    code = gtin(77)
    shop.product("A-1", gtins=(code,))
    shop.do(MapItem(channel="shopify", id="4401", sku="A-1"))
    for channel, id_ in (("web", "A-1"), ("web", code), ("web", code.zfill(14)), ("shopify", " 4401 ")):
        assert resolve(shop, channel, id_) == "A-1"
    assert resolve(shop, "web", "4401") is None
    shop.do(MapItem(channel="", id="4401", sku="A-1"))
    assert resolve(shop, "web", "4401") == "A-1"


def test_what_a_channel_says_comes_before_what_the_id_looks_like(shop: Shop) -> None:
    shop.product("A-1")
    shop.product("1001")
    shop.do(MapItem(channel="till", id="1001", sku="A-1"))
    assert resolve(shop, "till", "1001") == "A-1"
    assert resolve(shop, "web", "1001") == "1001"
    shop.do(UnmapItem(channel="till", id="1001"))
    assert resolve(shop, "till", "1001") == "1001"


def test_a_gtin_belongs_to_one_product(shop: Shop) -> None:
    shop.product("A-1", gtins=(gtin(1), gtin(2)))
    with pytest.raises(Conflict, match="A-1"):
        shop.product("B-1", gtins=(gtin(2),))
    assert product(shop, "B-1") is None
    shop.product("A-1", gtins=(gtin(1),))
    shop.product("B-1", gtins=(gtin(2),))
    assert resolve(shop, "", gtin(2)) == "B-1"


def test_the_same_product_once_more_changes_nothing(shop: Shop) -> None:
    assert shop.product("A-1", brand="Duna").change == "added"
    shop.now += 1
    assert shop.product("A-1", brand="Duna").change == "unchanged"
    assert need_product(shop, "A-1").changed == NOW
    assert shop.product("A-1", brand="Olmo").version == 2
    assert need_product(shop, "A-1").changed == NOW + 1


def test_who_saw_another_version_is_refused(shop: Shop) -> None:
    shop.product("A-1")
    wanted = Product(sku="A-1", names={"es": "Otra cosa"})
    shop.do(PutProduct(product=wanted, expected=1))
    with pytest.raises(Conflict, match="changed since"):
        shop.do(PutProduct(product=wanted, expected=1))


def test_a_retired_product_is_not_listed_and_still_understood(shop: Shop) -> None:
    shop.product("A-1", gtins=(gtin(1),))
    shop.do(RetireProduct(sku="A-1", by="ana"))
    assert products(shop) == []
    assert [one.sku for one in products(shop, retired=True)] == ["A-1"]
    assert resolve(shop, "till", gtin(1)) == "A-1"
    assert shop.do(RetireProduct(sku="A-1")).change == "unchanged"
    shop.do(RetireProduct(sku="A-1", retired=False))
    assert [one.sku for one in products(shop)] == ["A-1"]


def test_a_product_is_found_by_words_of_it_without_accents_and_by_its_category(shop: Shop) -> None:
    shop.product("A-1", names={"es": "Pantalón 100% lino"}, category=("Mujer", "Pantalones"), brand="Olmo")
    shop.product("A-2", names={"es": "Abrigo"}, category=("Mujer", "Abrigos"), product="AB", options={"color": "azul"})
    shop.product("A-3", names={"es": "Abrigo"}, category=("Mujeres",), product="AB")

    def found(**question: Any) -> list[str]:
        return [one.sku for one in products(shop, **question)]

    assert found(text="pantalon OLMO") == ["A-1"]
    assert found(text="100%") == ["A-1"]
    assert found(text="_") == found(text="%o") == []
    assert found(text="azul") == ["A-2"]
    assert found(category="Mujer") == ["A-1", "A-2"]
    assert found(category="Mujer > Abrigos") == ["A-2"]
    assert found(after="A-1", limit=1) == ["A-2"]
    assert found(brand="Olmo") == ["A-1"]
    assert [one.sku for one in variants(shop, "AB")] == ["A-2", "A-3"]


def test_names_are_by_language_and_there_is_always_one() -> None:
    found = Product(sku="A-1", names={"es": "Abrigo", "en": "Coat"})
    assert [found.name(language) for language in ("en-GB", "es", "de", "")] == ["Coat", "Abrigo", "Abrigo", "Abrigo"]
    assert Product(sku="A-1").name("es") == "A-1"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sku": ""}, "sku"),
        ({"sku": "A\x1fB"}, "printable"),
        ({"names": {}}, "names"),
        ({"names": {"castellano": "x"}}, "language"),
        ({"names": {"es": "  "}}, "name"),
        ({"gtins": ("8431200000009",)}, "check digit"),
        ({"category": ("a > b",)}, "category"),
        ({"unit": "?"}, "UN/ECE"),
        ({"tax_class": "IVA 21 %"}, "tax_class"),
        ({"image": "javascript:alert(1)"}, "https"),
        ({"names": {"es": "x" * 301}}, "300"),
    ],
)
def test_products_that_make_no_sense_are_refused(shop: Shop, fields: dict[str, Any], said: str) -> None:
    told = {"sku": "A-1", "names": {"es": "Artículo"}, **fields}
    with pytest.raises(DefinitionInvalid, match=said):
        shop.do(PutProduct(product=Product(**told)))
    assert products(shop) == []


def test_an_unknown_id_waits_once_and_is_resolved_for_all(shop: Shop) -> None:
    shop.product("A-1")
    for _ in range(3):
        shop.now += 10
        assert shop.do(SeeItem(channel="till", id="9001", name="ABRIGO AZ")).sku == ""
    shop.do(SeeItem(channel="web", id="9001"))
    assert unknown(shop, channel="till") == [
        Unknown(channel="till", id="9001", name="ABRIGO AZ", first=NOW + 10, last=NOW + 30, count=3, ignored=False)
    ]
    assert shop.do(MapItem(channel="till", id="9001", sku="A-1", by="ana")).waited == 3
    assert shop.do(SeeItem(channel="till", id="9001")).sku == "A-1"
    assert [one.channel for one in unknown(shop)] == ["web"]
    assert shop.do(MapItem(channel="", id="9001", sku="A-1")).waited == 1
    assert unknown_count(shop) == 0
    assert {(one.channel, one.id) for one in items(shop, "A-1")} == {("till", "9001"), ("", "9001")}


@pytest.mark.parametrize("digits", [12, 13, 14])
def test_what_waited_under_a_gtin_leaves_the_queue_with_the_product_that_has_it(shop: Shop, digits: int) -> None:
    code = gtin(5, prefix="043").zfill(14)[-digits:] if digits > 12 else gtin(5, prefix="043")[1:]
    assert shop.do(SeeItem(channel="till", id=code)).sku == ""
    shop.do(SeeItem(channel="web", id="B-7"))
    shop.product("A-1", gtins=(code,))
    shop.product("B-7")
    assert unknown_count(shop) == 0


def test_what_is_no_goods_is_ignored_and_stays_so(shop: Shop) -> None:
    shop.do(SeeItem(channel="till", id="BOLSA"))
    shop.do(IgnoreItem(channel="till", id="BOLSA"))
    shop.do(SeeItem(channel="till", id="BOLSA"))
    assert unknown_count(shop) == 0
    assert [one.count for one in unknown(shop, ignored=True)] == [2]
    shop.do(IgnoreItem(channel="till", id="BOLSA", ignored=False))
    assert unknown_count(shop) == 1


def test_ids_of_nothing_are_refused(shop: Shop) -> None:
    with pytest.raises(NotFound, match="Put the product in first"):
        shop.do(MapItem(channel="web", id="1", sku="A-9"))
    with pytest.raises(NotFound):
        shop.do(UnmapItem(channel="web", id="1"))
    with pytest.raises(NotFound):
        shop.do(IgnoreItem(channel="web", id="1"))
    with pytest.raises(NotFound):
        shop.do(RetireProduct(sku="A-9"))
    with pytest.raises(NotFound):
        need_product(shop, "A-9")


acts = st.one_of(
    st.tuples(st.just("see"), st.sampled_from("tw"), st.sampled_from("123")),
    st.tuples(st.just("map"), st.sampled_from(["t", "w", ""]), st.sampled_from("123")),
    st.tuples(st.just("unmap"), st.sampled_from(["t", "w", ""]), st.sampled_from("123")),
    st.tuples(st.just("put"), st.just(""), st.sampled_from("123")),
)


@settings(max_examples=25)
@given(st.lists(acts, max_size=15))
def test_whatever_is_done_nothing_waits_that_could_be_resolved_and_no_sighting_is_lost(
    done: list[tuple[str, str, str]],
) -> None:
    shop = Shop(FurnishedTables())
    shop.product("A-1")
    waiting: dict[tuple[str, str], int] = {}
    for act, channel, id_ in done:
        if act == "see":
            if shop.do(SeeItem(channel=channel, id=id_)).sku == "":
                waiting[channel, id_] = waiting.get((channel, id_), 0) + 1
        elif act == "map":
            shop.do(MapItem(channel=channel, id=id_, sku="A-1"))
        elif act == "put":
            shop.product(id_)
        elif resolve(shop, channel, id_) and any(
            one.id == id_ and one.channel == channel for one in items(shop, "A-1")
        ):
            shop.do(UnmapItem(channel=channel, id=id_))
        waiting = {place: count for place, count in waiting.items() if resolve(shop, *place) is None}
        assert {(one.channel, one.id): one.count for one in unknown(shop)} == waiting
    shop.close()
