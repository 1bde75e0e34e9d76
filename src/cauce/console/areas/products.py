"""Products: find one, see what it costs, what channels call it, where it lies and what happened to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from msgspec.structs import replace

from cauce.commerce.catalogue import api
from cauce.commerce.catalogue.items import IgnoreItem, MapItem, UnmapItem
from cauce.commerce.catalogue.nouns import Price, Product, Unknown
from cauce.commerce.catalogue.prices import SetPrices
from cauce.commerce.catalogue.products import PutProduct, RetireProduct
from cauce.commerce.stock import api as stock
from cauce.console.areas.products_words import (
    account_said,
    amount_said,
    listed,
    pairs_of,
    tax_said,
    unit_said,
    units,
    why_said,
    written_lines,
)
from cauce.console.charts import color_of
from cauce.console.frame import Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, DefinitionInvalid
from cauce.model import DAY, from_iso
from cauce.model.time import from_datetime, to_datetime

NAME = "products"
SHOWN = 50
MOVEMENTS_SHOWN = 25
CHARACTERS_MAX = 200
PATH = " > "
NEW = Product(sku="")
NO_PRICE = {"amount": "", "currency": "", "channel": "", "start": "", "until": ""}


# -- looking ----------------------------------------------------------------------------------------------------------


def products(visit: Visit) -> Answer:
    """The whole page; who writes exactly what a product is known by is led to it."""
    text = _text(visit)
    if text:
        sku = api.resolve(visit.platform.commerce, "", text)
        if sku is not None and not visit.query.get("after"):
            return Led(_address(sku))
    return {"waiting": api.unknown_count(visit.platform.commerce), **found(visit)}


def found(visit: Visit) -> dict[str, Any]:
    """Products that fit what was written, in order of SKU."""
    text, category = _text(visit), visit.query.get("category", "")[:600]
    retired, after = "retired" in visit.query, visit.query.get("after", "")[:CHARACTERS_MAX]
    rows = visit.platform.commerce
    listed_products = api.products(rows, text=text, category=category, retired=retired, after=after, limit=SHOWN + 1)
    shown = listed_products[:SHOWN]
    asked = {
        "q": text,
        "category": category,
        "retired": "yes" if retired else "",
        "after": shown[-1].sku if shown else "",
    }
    more = len(listed_products) > SHOWN
    return {
        "text": text,
        "category": category,
        "retired": retired,
        "rows": [_row(visit, product) for product in shown],
        "more": "/products?" + urlencode({name: told for name, told in asked.items() if told}) if more else "",
        "anything": bool(text or category or after),
    }


def product(visit: Visit) -> Answer:
    """Everything about one product."""
    return _page(visit, api.need_product(visit.platform.commerce, visit.path["sku"]))


def unknown(visit: Visit) -> Answer:
    """Ids that nobody has resolved yet, or those that are no goods."""
    return _queue(visit)


def new(visit: Visit) -> Answer:
    return _form(visit, NEW, _written(NEW), "")


def edit(visit: Visit) -> Answer:
    present = api.need_product(visit.platform.commerce, visit.query.get("sku", ""))
    return _form(visit, present, _written(present), "")


# -- changing ---------------------------------------------------------------------------------------------------------


def save(visit: Visit) -> Answer:
    """Puts a product in, new or as it was read; what is wrong is said above the form as it was written."""
    form, is_new = visit.form, "is_new" in visit.form
    sku = form.get("sku", "").strip()
    version = form.get("version", "0")
    present = NEW if is_new else api.need_product(visit.platform.commerce, sku)
    written = {name: form.get(name, "") for name in _written(NEW)}
    try:
        wanted = replace(
            present,
            sku=sku,
            product=written["product"].strip(),
            names=pairs_of(written["names"]),
            gtins=tuple(listed(written["gtins"])),
            brand=written["brand"],
            category=tuple(step.strip() for step in written["category"].split(PATH.strip()) if step.strip()),
            options=pairs_of(written["options"]),
            tax_class=written["tax_class"].strip(),
            unit=written["unit"],
            image=written["image"].strip(),
        )
        expected = int(version) if version.isascii() and version.isdigit() and len(version) < 18 else -1
        visit.platform.commerce.do(PutProduct(product=wanted, by=visit.actor.name, expected=expected))
    except CauceError as fault:
        shown = replace(present, sku=sku)
        return Shown("products/edit.html", _form(visit, shown, written, visit.said(str(fault)), is_new=is_new), 422)
    visit.note("catalogue.product_put", sku)
    return Led(_address(sku), visit.say("The product has been saved."))


def retire(visit: Visit) -> Answer:
    sku, retired = visit.form.get("sku", ""), visit.form.get("retired") == "yes"
    visit.platform.commerce.do(RetireProduct(sku=sku, retired=retired, by=visit.actor.name))
    visit.note("catalogue.product_retired", sku, retired=retired)
    said = marked("It is not sold any more; its ids are still understood.") if retired else marked("It is sold again.")
    return Led(_address(sku), visit.say(said))


def add_price(visit: Visit) -> Answer:
    """A price beside the others; one of the same channel, currency and start is replaced."""
    form, sku = visit.form, visit.form.get("sku", "")
    try:
        price = _price_of(visit)
        visit.platform.commerce.do(SetPrices(sku=sku, prices=(price,), add=True))
    except DefinitionInvalid as fault:
        given = {name: form.get(name, "") for name in NO_PRICE}
        values = _page(visit, api.need_product(visit.platform.commerce, sku), visit.said(str(fault)), given)
        return Shown("products/product.html", values, 422)
    visit.note("catalogue.prices_set", sku)
    return Led(_address(sku) + "#prices", visit.say("The price has been saved."))


def remove_price(visit: Visit) -> Answer:
    form, sku = visit.form, visit.form.get("sku", "")
    gone = (form.get("channel", ""), form.get("currency", ""), form.get("start", ""))
    present = api.price_list(visit.platform.commerce, sku)
    kept = tuple(price for price in present if (price.channel, price.currency, str(price.start)) != gone)
    visit.platform.commerce.do(SetPrices(sku=sku, prices=kept))
    visit.note("catalogue.prices_set", sku)
    return Led(_address(sku) + "#prices", visit.say("The price has been removed."))


def add_item(visit: Visit) -> Answer:
    """What a channel calls a product."""
    form, sku = visit.form, visit.form.get("sku", "")
    told = _map(visit, form.get("whose", "").strip(), form.get("id", ""), sku)
    return Led(_address(sku) + "#items", told)


def remove_item(visit: Visit) -> Answer:
    form, sku = visit.form, visit.form.get("sku", "")
    visit.platform.commerce.do(UnmapItem(channel=form.get("channel", ""), id=form.get("id", "")))
    visit.note("catalogue.item_unmapped", sku)
    return Led(_address(sku) + "#items", visit.say("The id means nothing of its own any more."))


def resolve(visit: Visit) -> Answer:
    """Says what an unknown id means: a SKU, or anything else a product is known by."""
    form = visit.form
    wanted = form.get("sku", "").strip()
    sku = api.resolve(visit.platform.commerce, "", wanted) if wanted else None
    if sku is None:
        said = visit.say("No product is known by %(id)s. Write its SKU or GTIN.", id=wanted or "–")
        return Shown("products/unknown.html", {**_queue(visit), "fault": said}, 422)
    return Led("/products/unknown", _map(visit, form.get("channel", ""), form.get("id", ""), sku))


def ignore(visit: Visit) -> Answer:
    form = visit.form
    ignored = form.get("ignored") == "yes"
    visit.platform.commerce.do(IgnoreItem(channel=form.get("channel", ""), id=form.get("id", ""), ignored=ignored))
    visit.note("catalogue.item_ignored", form.get("id", ""), ignored=ignored)
    said = marked("It is no goods and waits for nobody.") if ignored else marked("It waits to be resolved again.")
    return Led("/products/unknown", visit.say(said))


def _map(visit: Visit, channel: str, id_: str, sku: str) -> str:
    """Maps an id, and says what that did."""
    mapped = visit.platform.commerce.do(MapItem(channel=channel, id=id_, sku=sku, by=visit.actor.name))
    visit.note("catalogue.item_mapped", sku)
    if not mapped.waited:
        return visit.say("%(id)s means %(sku)s from now on.", id=mapped.item.id, sku=sku)
    return visit.count(
        "%(id)s means %(sku)s from now on; it had come once.",
        "%(id)s means %(sku)s from now on; it had come %(num)s times.",
        mapped.waited,
        id=mapped.item.id,
        sku=sku,
    )


# -- as it is shown ---------------------------------------------------------------------------------------------------


def _row(visit: Visit, one: Product) -> dict[str, Any]:
    return {
        "sku": one.sku,
        "address": _address(one.sku),
        "name": one.name(visit.words.language),
        "brand": one.brand,
        "category": one.category,
        "gtin": one.gtins[0] if one.gtins else "",
        "options": list(one.options.values()),
        "retired": one.retired,
        "price": _now(visit, one.sku),
    }


def _now(visit: Visit, sku: str) -> str:
    """What it costs in any channel now, in the first currency that it has."""
    now = visit.platform.commerce.now
    for price in api.price_list(visit.platform.commerce, sku):
        found_price = api.price(visit.platform.commerce, sku, "", price.currency, now)
        if found_price is not None:
            return _money(visit, found_price)
    return ""


def _money(visit: Visit, price: Price) -> str:
    return visit.words.money(price.amount / 10 ** api.exponent(price.currency), price.currency)


def _page(visit: Visit, one: Product, fault: str = "", given: dict[str, str] | None = None) -> dict[str, Any]:
    rows, language = visit.platform.commerce, visit.words.language
    priced = api.price_list(rows, one.sku)
    siblings = [other for other in api.variants(rows, one.product) if other.sku != one.sku]
    return {
        "product": one,
        "name": one.name(language),
        "names": [(tag, name) for tag, name in one.names.items() if name != one.name(language)],
        "unit": unit_said(visit, one.unit),
        "tax_class": tax_said(visit, one.tax_class),
        "changed": visit.words.moment(one.changed),
        "category_address": "/products?" + urlencode({"category": PATH.join(one.category)}),
        "prices": _prices(visit, one.sku),
        "items": [
            {"channel": visit.words.channel(item.channel) if item.channel else "", "code": item.channel, "id": item.id}
            for item in api.items(rows, one.sku)
        ],
        "variants": [_row(visit, other) for other in siblings],
        "stock": _stock(visit, one),
        "movements": _movements(visit, one),
        "channels": _channels(visit),
        "fault": fault,
        "given": given or {**NO_PRICE, "currency": next((price.currency for price in priced), "")},
    }


def _prices(visit: Visit, sku: str) -> list[dict[str, Any]]:
    """Prices with their state: one that holds is the one in force in its channel."""
    words, now = visit.words, visit.platform.commerce.now
    told = []
    for price in api.price_list(visit.platform.commerce, sku):
        holds = api.price(visit.platform.commerce, sku, price.channel, price.currency, now) == price
        is_over, is_to_come = 0 < price.until <= now, price.start > now
        state = (
            visit.say("holds now") if holds
            else visit.say("is over") if is_over
            else visit.say("to come") if is_to_come
            else visit.say("hidden by another")
        )  # fmt: skip
        told.append(
            {
                "amount": _money(visit, price),
                "channel": words.channel(price.channel) if price.channel else "",
                "color": color_of(price.channel) if price.channel else 7,
                "since": words.short_day(price.start) if price.start else "",
                "until": words.short_day(price.until - 1) if price.until else "",
                "state": state,
                "kind": "good" if holds else "",
                "code": price.channel,
                "currency": price.currency,
                "start": str(price.start),
            }
        )
    return told


def _stock(visit: Visit, one: Product) -> list[dict[str, Any]]:
    names = {place.id: place.name for place in api.places(visit.platform.commerce, retired=True)}
    kinds = {"in": "good", "low": "warn", "out": "bad"}
    states = {"in": visit.say("in stock"), "low": visit.say("low"), "out": visit.say("out")}
    return [
        {
            "place": names.get(row.place, row.place),
            "address": f"/places/at/{quote(row.place, safe='')}",
            "is_known": row.place in names,
            "available": amount_said(visit, row.available, one.unit),
            "free": amount_said(visit, row.free, one.unit),
            "held": amount_said(visit, row.held, one.unit),
            "safety": amount_said(visit, row.safety, one.unit),
            "state": states.get(row.state, row.state),
            "kind": kinds.get(row.state, ""),
        }
        for row in stock.availability(visit.platform.commerce.reader, one.sku)
    ]


def _movements(visit: Visit, one: Product) -> list[dict[str, Any]]:
    names = {place.id: place.name for place in api.places(visit.platform.commerce, retired=True)}
    moved = stock.movements(visit.platform.commerce.reader, one.sku, limit=MOVEMENTS_SHOWN)
    return [
        {
            "when": f"{visit.words.short_day(row.occurred)}, {visit.words.hour(row.occurred)}",
            "iso": visit.words.iso(row.occurred),
            "amount": amount_said(visit, row.amount, one.unit),
            "why": why_said(visit, row.why),
            "origin": account_said(visit, row.origin),
            "target": account_said(visit, row.target),
            "place": names.get(row.origin_place, row.origin_place),
            "other_place": names.get(row.target_place, row.target_place)
            if row.target_place != row.origin_place
            else "",
            "channel": visit.words.channel(row.channel) if row.channel else "",
            "color": color_of(row.channel) if row.channel else 7,
            "reference": row.reference,
        }
        for row in moved
    ]


def _queue(visit: Visit) -> dict[str, Any]:
    ignored = "ignored" in visit.query
    after = (visit.query.get("channel", ""), visit.query.get("after", ""))
    found_ids = api.unknown(visit.platform.commerce, ignored=ignored, after=after, limit=SHOWN + 1)
    shown = found_ids[:SHOWN]
    more = ""
    if len(found_ids) > SHOWN:
        place = {"channel": shown[-1].channel, "after": shown[-1].id, **({"ignored": "yes"} if ignored else {})}
        more = f"/products/unknown?{urlencode(place)}"
    return {"ignored": ignored, "rows": [_waiting(visit, one) for one in shown], "more": more, "fault": ""}


def _waiting(visit: Visit, one: Unknown) -> dict[str, Any]:
    return {
        "channel": visit.words.channel(one.channel) if one.channel else visit.say("any channel"),
        "color": color_of(one.channel),
        "code": one.channel,
        "id": one.id,
        "name": one.name,
        "count": visit.words.number(one.count),
        "number": one.count,
        "first": visit.words.ago(one.first),
        "last": visit.words.ago(one.last),
    }


def _channels(visit: Visit) -> list[tuple[str, str]]:
    """Channels that prices and ids may be of: any, and those that sources have."""
    names = sorted({source.channel for source in visit.platform.sources.list()})
    return [("", visit.say("any channel")), *((name, visit.words.channel(name)) for name in names)]


# -- forms ------------------------------------------------------------------------------------------------------------


def _written(one: Product) -> dict[str, str]:
    """A product as its form holds it."""
    return {
        "product": one.product if one.product != one.sku else "",
        "names": written_lines(one.names),
        "gtins": " ".join(one.gtins),
        "brand": one.brand,
        "category": PATH.join(one.category),
        "options": written_lines(one.options),
        "tax_class": one.tax_class,
        "unit": one.unit,
        "image": one.image,
    }


def _form(
    visit: Visit, one: Product, written: dict[str, str], fault: str, *, is_new: bool | None = None
) -> dict[str, Any]:
    return {
        "product": one,
        "name": one.name(visit.words.language),
        "is_new": not one.sku if is_new is None else is_new,
        "version": one.version,
        "given": written,
        "units": units(visit, written["unit"]),
        "fault": fault,
        "address": _address(one.sku) if one.sku else "/products",
    }


def _price_of(visit: Visit) -> Price:
    form = visit.form
    currency = form.get("currency", "").strip().upper()
    return Price(
        currency=currency,
        amount=api.minor(form.get("amount", "").replace(",", "."), currency),
        channel=form.get("channel", "").strip(),
        start=_day(visit, form.get("start", ""), after_days=0),
        until=_day(visit, form.get("until", ""), after_days=1),
    )


def _day(visit: Visit, text: str, *, after_days: int) -> int:
    """The beginning of a day as the visitor's calendar has it, so many days later; 0 for none."""
    if not text.strip():
        return 0
    try:
        midnight = to_datetime(from_iso(f"{text.strip()[:10]}T00:00:00") + after_days * DAY)
    except (ValueError, OverflowError):
        raise DefinitionInvalid(f"expected a day such as 2026-11-27, got {text[:40]!r}") from None
    return from_datetime(midnight.replace(tzinfo=visit.words.zone))


def _text(visit: Visit) -> str:
    return visit.query.get("q", "").strip()[:CHARACTERS_MAX]


def _address(sku: str) -> str:
    return f"/products/sku/{quote(sku, safe='')}"


AREA = Area(
    title=marked("Products"),
    home="/products",
    permission="commerce.read",
    icon="product",
    place=46,
    pages=(
        Page("/products", products, "products/products.html"),
        Page("/products/found", found, "products/found.html"),
        Page("/products/sku/{sku:path}", product, "products/product.html"),
        Page("/products/unknown", unknown, "products/unknown.html"),
        Page("/products/new", new, "products/edit.html", permission="commerce.write"),
        Page("/products/edit", edit, "products/edit.html", permission="commerce.write"),
        Page("/products/edit", save, method="POST", permission="commerce.write"),
        Page("/products/retire", retire, method="POST", permission="commerce.write"),
        Page("/products/prices", add_price, method="POST", permission="commerce.write"),
        Page("/products/prices/remove", remove_price, method="POST", permission="commerce.write"),
        Page("/products/items", add_item, method="POST", permission="commerce.write"),
        Page("/products/items/remove", remove_item, method="POST", permission="commerce.write"),
        Page("/products/unknown/resolve", resolve, method="POST", permission="commerce.write"),
        Page("/products/unknown/ignore", ignore, method="POST", permission="commerce.write"),
    ),
)
