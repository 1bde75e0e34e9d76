"""Products in the console: found, shown, priced, called by channels, and ids that nobody knows resolved."""

from __future__ import annotations

import re

import pytest

from cauce.commerce.catalogue import api
from cauce.commerce.catalogue.items import SeeItem
from cauce.commerce.catalogue.nouns import Product
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.testing.world.products import gtin

HOSTILE = '<script>alert("x")</script>'
SKU = "ABR-00000-VE"
PAGE = f"/products/sku/{SKU}"
NEW = {
    "is_new": "yes", "version": "0", "sku": "NEW/1", "product": "", "names": "es: Silla\nen: Chair",
    "gtins": gtin(9_000),
    "brand": "Olmo", "category": "Hogar > Sillas", "options": "color: rojo", "tax_class": "reduced", "unit": "H87",
    "image": "",
}  # fmt: skip


def test_products_are_listed_and_found_as_they_are_typed(seat):
    client = seat.client("store_staff", language="es")
    assert "Abrigo Duna verde" in client.page("/products")
    found = client.page("/products/found?q=duna+verde+abrigo")
    assert SKU in found
    assert "191,95" in found
    assert "No se ha encontrado nada" in client.page("/products/found?q=nothing-like-it")
    assert "Accesorios" not in client.page("/products/found?category=Moda+>+Abrigos")
    assert "/products?category=" in client.page("/products/found?category=Moda").replace("&amp;", "&")


def test_whoever_writes_what_a_product_is_known_by_is_led_to_it(seat):
    client = seat.client("analyst")
    (product,) = api.products(seat.platform.commerce, text=SKU)
    for text in (SKU, product.gtins[0].lstrip("0"), product.product):
        answer = client.get(f"/products?q={text}", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, PAGE)


def test_a_product_shows_prices_ids_stock_and_movements(own_seat):
    own_seat.platform.commerce.do(
        Receive(lines=(Entry(sku=SKU, place="S01", amount=12_500, channel="store", reference="ALB-77"),))
    )
    text = own_seat.client("analyst").page(PAGE)
    for shown in ("Duna coat, green", "€191.95", "holds now", "P00000", "Madrid Gran Vía", "12.5", "ALB-77"):
        assert shown in text
    assert 'action="/products/prices"' not in text, "who may only look sees no form"
    spanish = own_seat.client("analyst", language="es").page(PAGE)
    for shown in ("Abrigo Duna verde", "vigente", "mercancía recibida", "en el estante"):
        assert shown in spanish


def test_a_product_that_is_not_there_is_404(seat):
    seat.client().page("/products/sku/nothing", 404)
    seat.client().page("/products/edit?sku=nothing", 404)


def test_a_product_is_added_and_changed(own_seat):
    client, rows = own_seat.client("engineer"), own_seat.platform.commerce
    answer = client.send("/products/edit", page="/products/new", **NEW)
    assert (answer.status_code, answer.headers["location"]) == (303, "/products/sku/NEW%2F1")
    found = api.need_product(rows, "NEW/1")
    assert (found.names["en"], found.category, found.tax_class) == ("Chair", ("Hogar", "Sillas"), "reduced")
    assert found.changed_by == "the-engineer"
    assert "Chair" in client.page("/products/sku/NEW%2F1")
    form = {**NEW, "version": str(found.version), "brand": "Duna"}
    del form["is_new"]
    assert client.send("/products/edit", page="/products/edit?sku=NEW%2F1", **form).status_code == 303
    assert api.need_product(rows, "NEW/1").brand == "Duna"
    stale = client.send("/products/edit", page="/products/edit?sku=NEW%2F1", **form)
    assert (stale.status_code, "changed since" in stale.text) == (422, True)
    actions = [entry.action for entry in own_seat.platform.audit.entries().entries]
    assert actions.count("catalogue.product_put") == 2


@pytest.mark.parametrize(
    ("fields", "said", "spanish"),
    [
        ({"gtins": "8431200000009"}, "check digit", "dígito de control"),
        ({"names": "no colon"}, "lines such as", "líneas como"),
        ({"names": ""}, "names", "nombres"),
        ({"sku": SKU}, "changed since", "ha cambiado"),
        ({"unit": "a handful"}, "UN/ECE", "UN/ECE"),
        ({"image": "javascript:alert(1)"}, "https", "https"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_written_stays(seat, fields, said, spanish):
    form = {**NEW, "brand": HOSTILE, **fields}
    for language, words in (("en", said), ("es", spanish)):
        answer = seat.client(language=language).send("/products/edit", page="/products/new", **form)
        assert answer.status_code == 422
        assert words in answer.text
        assert HOSTILE not in answer.text
        assert "&lt;script&gt;" in answer.text
    assert api.product(seat.platform.commerce, "NEW/1") is None


def test_prices_are_added_and_removed(own_seat):
    client, rows = own_seat.client(), own_seat.platform.commerce
    before = api.price_list(rows, SKU)
    form = {"sku": SKU, "amount": "150,00", "currency": "eur", "channel": "app", "start": "2026-11-27"}
    answer = client.send("/products/prices", page=PAGE, **form, until="2026-11-29")
    assert answer.headers["location"] == f"{PAGE}#prices"
    (added,) = [price for price in api.price_list(rows, SKU) if price.channel == "app"]
    assert (added.amount, added.currency, added.until - added.start) == (15_000, "EUR", 3 * 86_400_000_000)
    assert "€150.00" in client.page(PAGE)
    refused = client.send("/products/prices", page=PAGE, **{**form, "amount": "1.234"})
    assert refused.status_code == 422
    assert "2 decimals" in refused.text
    gone = {"sku": SKU, "channel": "app", "currency": "EUR", "start": str(added.start)}
    client.send("/products/prices/remove", page=PAGE, **gone)
    assert api.price_list(rows, SKU) == before


def test_ids_are_told_and_taken_back(own_seat):
    client, rows = own_seat.client(), own_seat.platform.commerce
    client.send("/products/items", page=PAGE, sku=SKU, whose="shopify", id="4401")
    assert api.resolve(rows, "shopify", "4401") == SKU
    assert "4401" in client.page(PAGE)
    client.send("/products/items/remove", page=PAGE, sku=SKU, channel="shopify", id="4401")
    assert api.resolve(rows, "shopify", "4401") is None


def test_unknown_ids_are_resolved_for_all_or_ignored(own_seat):
    client, rows = own_seat.client(language="es"), own_seat.platform.commerce
    for id_ in ("9001", "9001", "BOLSA"):
        rows.do(SeeItem(channel="store", id=id_, name=HOSTILE))
    page = client.page("/products/unknown")
    assert "2 veces" in page
    assert HOSTILE not in page
    refused = client.send("/products/unknown/resolve", page="/products/unknown", channel="store", id="9001", sku="?")
    assert refused.status_code == 422
    client.send("/products/unknown/resolve", page="/products/unknown", channel="store", id="9001", sku=SKU)
    assert api.resolve(rows, "store", "9001") == SKU
    client.send("/products/unknown/ignore", page="/products/unknown", channel="store", id="BOLSA", ignored="yes")
    assert api.unknown_count(rows) == 0
    assert "BOLSA" in client.page("/products/unknown?ignored=yes")
    client.send("/products/unknown/ignore", page="/products/unknown", channel="store", id="BOLSA", ignored="no")
    assert api.unknown_count(rows) == 1


def test_many_unknown_ids_come_page_by_page(own_seat):
    for number in range(60):
        own_seat.platform.commerce.do(SeeItem(channel="store", id=f"U{number:03d}"))
    client = own_seat.client()
    first = client.page("/products/unknown")
    more = re.search(r'href="(/products/unknown\?channel=[^"]+)"', first)
    assert more
    second = client.page(more[1].replace("&amp;", "&"))
    assert "U049" in first
    assert "U050" in second
    assert "<code>U049</code>" not in second


def test_a_product_is_retired_and_sold_again(own_seat):
    client = own_seat.client()
    client.send("/products/retire", page=PAGE, sku=SKU, retired="yes")
    assert SKU not in client.page("/products/found?q=duna+verde")
    assert SKU in client.page("/products/found?q=duna+verde&retired=yes")
    client.send("/products/retire", page=PAGE, sku=SKU, retired="no")
    assert SKU in client.page("/products/found?q=duna+verde")


@pytest.mark.parametrize("role", ["marketer", "store_staff"])
@pytest.mark.parametrize("path", ["/products/edit", "/products/prices", "/products/items", "/products/unknown/resolve"])
def test_who_may_only_look_changes_nothing(seat, role, path):
    answer = seat.client(role).send(path, page="/products", sku=SKU, channel="", id="x")
    assert answer.status_code == 403


def test_an_empty_installation_says_how_to_begin(empty_seat):
    text = empty_seat.client().page("/products")
    assert "cauce catalogue import products.csv" in text
    empty_seat.platform.commerce.do(PutProduct(product=Product(sku="A", names={"de": HOSTILE})))
    assert HOSTILE not in empty_seat.client().page("/products")
