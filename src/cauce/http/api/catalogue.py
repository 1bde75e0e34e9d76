"""Products, their prices and the ids that channels use for them; places and when they are open."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict

from cauce.client.types import catalogue as types
from cauce.client.types.basics import Nothing, Page
from cauce.commerce.catalogue import api, nouns
from cauce.commerce.catalogue.items import IgnoreItem, MapItem, SeeItem, UnmapItem
from cauce.commerce.catalogue.many import PutMany
from cauce.commerce.catalogue.places import PutPlace, RetirePlace
from cauce.commerce.catalogue.prices import SetPrices
from cauce.commerce.catalogue.products import PutProduct, RetireProduct
from cauce.commerce.catalogue.rules.money import currency
from cauce.errors import Conflict, DefinitionInvalid, NotFound, Unreadable
from cauce.http.api import moments
from cauce.http.api.moments import told, told_if_any
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.paging import page_after
from cauce.model import DAY
from cauce.model.time import from_datetime

# -- as answers tell them ---------------------------------------------------------------------------------------------


def product_of(product: nouns.Product) -> types.CatalogueProduct:
    fields = asdict(product)
    del fields["changed_by"]
    return msgspec.convert({**fields, "changed": told(product.changed)}, types.CatalogueProduct)


def price_of(price: nouns.Price) -> types.Price:
    return types.Price(
        currency=price.currency,
        amount_minor=price.amount,
        channel=price.channel,
        start=told_if_any(price.start),
        until=told_if_any(price.until),
    )


def place_of(place: nouns.Place, metres: int | None = None) -> types.Place:
    fields = asdict(place)
    del fields["changed_by"]
    return msgspec.convert(
        {**fields, "changed": told(place.changed), "metres": metres}, types.Place, from_attributes=True
    )


def item_of(item: nouns.Item) -> types.ChannelItem:
    return types.ChannelItem(channel=item.channel, id=item.id, sku=item.sku)


def unknown_of(unknown: nouns.Unknown) -> types.UnknownItem:
    fields = asdict(unknown)
    return types.UnknownItem(**{**fields, "first": told(unknown.first), "last": told(unknown.last)})


# -- products ---------------------------------------------------------------------------------------------------------


def list_products(call: Call[types.ProductQuery, None]) -> Page[types.CatalogueProduct]:
    query = call.query
    found = api.products(
        call.platform.commerce,
        text=query.q,
        brand=query.brand,
        category=query.category,
        retired=query.retired,
        after=str(call.place[0]) if call.place else "",
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    cursor = call.cursor_at((shown[-1].sku,)) if len(found) > len(shown) else ""
    return Page(items=[product_of(product) for product in shown], cursor=cursor)


def get_product(call: AnyCall) -> types.CatalogueProduct:
    return product_of(api.need_product(call.platform.commerce, call.path["sku"]))


def put_product(call: Call[Nothing, types.ProductFields]) -> types.CatalogueProduct:
    before = api.product(call.platform.commerce, call.path["sku"])
    product = msgspec.convert({**asdict(call.body), "sku": call.path["sku"]}, nouns.Product)
    expected = before.version if before else 0  # what the ETag was compared with, whichever process changes it now
    call.platform.commerce.do(PutProduct(product=product, by=call.actor.name, expected=expected))
    return get_product(call)


def change_product(call: Call[Nothing, types.ProductChange]) -> types.CatalogueProduct:
    before = api.need_product(call.platform.commerce, call.path["sku"])
    product = msgspec.convert({**asdict(before), **_named(call.body)}, nouns.Product)
    call.platform.commerce.do(PutProduct(product=product, by=call.actor.name, expected=before.version))
    return get_product(call)


def retire_product(call: Call[Nothing, None]) -> None:
    call.platform.commerce.do(RetireProduct(sku=call.path["sku"], by=call.actor.name))


def put_products(call: Call[Nothing, types.ManyProducts]) -> types.PutOutcomes:
    told_products = (msgspec.convert(asdict(product), nouns.Product) for product in call.body.products)
    changes = tuple(PutProduct(product=product, by=call.actor.name) for product in told_products)
    outcomes = call.platform.commerce.do(PutMany(changes=changes))
    return types.PutOutcomes(items=[types.PutOutcome(**asdict(outcome)) for outcome in outcomes])


def get_prices(call: AnyCall) -> types.Prices:
    sku = call.path["sku"]
    api.need_product(call.platform.commerce, sku)
    return types.Prices(sku=sku, prices=[price_of(price) for price in api.price_list(call.platform.commerce, sku)])


def set_prices(call: Call[Nothing, types.NewPrices]) -> types.Prices:
    prices = tuple(
        nouns.Price(
            currency=price.currency,
            amount=price.amount_minor,
            channel=price.channel,
            start=from_datetime(price.start) if price.start else 0,
            until=from_datetime(price.until) if price.until else 0,
        )
        for price in call.body.prices
    )
    call.platform.commerce.do(SetPrices(sku=call.path["sku"], prices=prices, add=call.body.add))
    return get_prices(call)


def get_price(call: Call[types.PriceQuery, None]) -> types.Price:
    query, sku = call.query, call.path["sku"]
    api.need_product(call.platform.commerce, sku)
    wanted = currency(query.currency)
    found = api.price(call.platform.commerce, sku, query.channel, wanted, _moment(call, query.at))
    if found is None:
        where = f"in {query.channel!r}" if query.channel else "in any channel"
        raise NotFound(f"{sku} has no price in {wanted} {where} at that moment")
    return price_of(found)


def get_product_items(call: AnyCall) -> types.ChannelItems:
    sku = call.path["sku"]
    api.need_product(call.platform.commerce, sku)
    return types.ChannelItems(items=[item_of(item) for item in api.items(call.platform.commerce, sku)])


# -- ids of channels --------------------------------------------------------------------------------------------------


def resolve(call: Call[types.ItemQuery, None]) -> types.CatalogueProduct:
    sku = api.resolve(call.platform.commerce, call.query.channel, call.query.id)
    if sku is None:
        raise NotFound(
            f"no product is known by {call.query.id[:80]!r} in {call.query.channel[:80] or 'any channel'!r}",
            hint="POST /v1/items says what it means",
        )
    return product_of(api.need_product(call.platform.commerce, sku))


def unknown_items(call: Call[types.UnknownQuery, None]) -> Page[types.UnknownItem]:
    query = call.query
    after = (str(call.place[0]), str(call.place[1])) if call.place else ("", "")
    found = api.unknown(
        call.platform.commerce, channel=query.channel, ignored=query.ignored, after=after, limit=query.limit + 1
    )
    shown = found[: query.limit]
    cursor = call.cursor_at((shown[-1].channel, shown[-1].id)) if len(found) > len(shown) else ""
    return Page(items=[unknown_of(one) for one in shown], cursor=cursor)


def see_item(call: Call[Nothing, types.ItemToSee]) -> types.SeenItem:
    told_item = call.body
    command = SeeItem(channel=told_item.channel, id=told_item.id, name=told_item.name)
    return types.SeenItem(sku=call.platform.commerce.do(command).sku)


def map_item(call: Call[Nothing, types.NewItem]) -> types.MappedItem:
    told_item = call.body
    command = MapItem(channel=told_item.channel, id=told_item.id, sku=told_item.sku, by=call.actor.name)
    mapped = call.platform.commerce.do(command)
    return types.MappedItem(**asdict(mapped.item), waited=mapped.waited)


def unmap_item(call: Call[Nothing, types.ItemToForget]) -> types.ChannelItems:
    sku = api.resolve(call.platform.commerce, call.body.channel, call.body.id)
    call.platform.commerce.do(UnmapItem(channel=call.body.channel, id=call.body.id))
    return types.ChannelItems(items=[item_of(item) for item in api.items(call.platform.commerce, sku)] if sku else [])


def ignore_item(call: Call[Nothing, types.ItemToIgnore]) -> types.UnknownItem:
    command = IgnoreItem(channel=call.body.channel, id=call.body.id, ignored=call.body.ignored)
    return unknown_of(call.platform.commerce.do(command))


# -- places -----------------------------------------------------------------------------------------------------------


def list_places(call: Call[types.PlaceQuery, None]) -> Page[types.Place]:
    query = call.query
    found = api.places(call.platform.commerce, query.role, kind=query.kind, retired=query.retired)
    if not query.near:
        return page_after(call, found, lambda place: place.id, place_of)
    nearest = api.nearest_first(found, _position(query.near))[: query.limit]
    return Page(items=[place_of(place, metres) for metres, place in nearest], cursor="")


def get_place(call: AnyCall) -> types.Place:
    return place_of(api.need_place(call.platform.commerce, call.path["place"]))


def put_place(call: Call[Nothing, types.PlaceFields]) -> types.Place:
    before = api.place(call.platform.commerce, call.path["place"])
    place = msgspec.convert({**msgspec.to_builtins(call.body), "id": call.path["place"]}, nouns.Place)
    expected = before.version if before else 0
    call.platform.commerce.do(PutPlace(place=place, by=call.actor.name, expected=expected))
    return get_place(call)


def change_place(call: Call[Nothing, types.PlaceChange]) -> types.Place:
    before = api.need_place(call.platform.commerce, call.path["place"])
    fields = {**msgspec.to_builtins(before), **msgspec.to_builtins(_named(call.body))}
    place = msgspec.convert(fields, nouns.Place)
    call.platform.commerce.do(PutPlace(place=place, by=call.actor.name, expected=before.version))
    return get_place(call)


def retire_place(call: Call[Nothing, None]) -> None:
    call.platform.commerce.do(RetirePlace(id=call.path["place"], by=call.actor.name))


def get_hours(call: Call[types.HoursQuery, None]) -> types.Hours:
    place = api.need_place(call.platform.commerce, call.path["place"])
    at = _moment(call, call.query.at)
    names = {day.date: day.name for day in place.special_days}
    days = [api.day_at(place, at + DAY * step) for step in range(call.query.days)]
    return types.Hours(
        place=place.id,
        at=told(at),
        open=api.open_at(place, at),
        closes=told(api.closing(place, at)),
        opens=told(api.next_opening(place, at)),
        promised=told(api.promised(place, at, call.query.minutes)),
        days=[
            types.DayHours(
                date=day.isoformat(),
                spans=[types.OpenSpan(opens=opens, closes=closes) for opens, closes in api.opens_on(place, day)],
                name=names.get(day.isoformat(), names.get(day.isoformat()[5:], "")),
            )
            for day in dict.fromkeys(days)
        ],
    )


# -- what is asked ----------------------------------------------------------------------------------------------------


def _named(change: msgspec.Struct) -> dict[str, Any]:
    """The members that a change names."""
    return {name: value for name, value in asdict(change).items() if value is not UNSET}


def _moment(call: AnyCall, text: str) -> int:
    return moments.read(text, "at") if text else call.platform.commerce.now


def _position(text: str) -> nouns.Position:
    parts = text.split(",")
    try:
        latitude, longitude = map(float, parts)
    except ValueError:
        latitude = longitude = float("nan")
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise Unreadable(f"expected near to be latitude,longitude in degrees such as 40.42,-3.70, got {text!r}")
    return nouns.Position(latitude, longitude)


NEW_PRODUCT = {
    "names": {"es": "Abrigo Duna azul", "en": "Duna coat, blue"},
    "product": "P00001",
    "gtins": ["8430012000071"],
    "brand": "Duna",
    "category": ["Mujer", "Abrigos"],
    "options": {"color": "azul"},
}
NEW_PLACE = {
    "name": "Madrid Gran Vía",
    "kind": "store",
    "address": {"street": "Gran Vía 1", "postal_code": "28013", "city": "Madrid", "country": "ES"},
    "position": {"latitude": 40.4203, "longitude": -3.7058},
    "zone": "Europe/Madrid",
    "hours": [{"weekday": 1, "opens": "10:00", "closes": "21:00"}],
    "special_days": [{"date": "12-25", "name": "Navidad"}],
    "roles": ["sells", "picks_up", "ships"],
    "bays": ["A1", "A2"],
}
NEW_PRICES = {"prices": [{"currency": "EUR", "amount_minor": 12_995}], "add": True}

PRODUCTS = (
    Operation(
        name="products.list",
        method="GET",
        path="/v1/products",
        summary="List or find products",
        permission="commerce.read",
        handle=list_products,
        query=types.ProductQuery,
        answer=Page[types.CatalogueProduct],
        parameters={"q": "abrigo"},
    ),
    Operation(
        name="products.put_many",
        method="POST",
        path="/v1/products",
        summary="Put in many products",
        description="All in one transaction; one that is refused leaves the others alone.",
        permission="commerce.write",
        kept="answer",
        handle=put_products,
        body=types.ManyProducts,
        answer=types.PutOutcomes,
        lane="write",
        audit="catalogue.products_put",
        subject=lambda call, _: str(len(call.body.products)),
        example={"products": [{"sku": "ABR-00002-NE", "names": {"es": "Abrigo Duna negro"}}]},
    ),
    Operation(
        name="products.get",
        method="GET",
        path="/v1/products/{sku}",
        summary="Get a product",
        permission="commerce.read",
        handle=get_product,
        guard=get_product,
        answer=types.CatalogueProduct,
        errors=(NotFound,),
    ),
    Operation(
        name="products.put",
        method="PUT",
        path="/v1/products/{sku}",
        summary="Put a product in",
        permission="commerce.write",
        kept="answer",
        handle=put_product,
        guard=get_product,
        body=types.ProductFields,
        answer=types.CatalogueProduct,
        errors=(Conflict, DefinitionInvalid),
        lane="write",
        audit="catalogue.product_put",
        example=NEW_PRODUCT,
    ),
    Operation(
        name="products.change",
        method="PATCH",
        path="/v1/products/{sku}",
        summary="Change a product",
        description="What is not named stays.",
        permission="commerce.write",
        kept="answer",
        handle=change_product,
        guard=get_product,
        body=types.ProductChange,
        answer=types.CatalogueProduct,
        errors=(NotFound, Conflict, DefinitionInvalid),
        lane="write",
        audit="catalogue.product_put",
        example={"brand": "Duna"},
    ),
    Operation(
        name="products.retire",
        method="DELETE",
        path="/v1/products/{sku}",
        summary="Retire a product",
        description="It is not listed any more. Its ids are still understood, because late receipts name them.",
        permission="commerce.write",
        kept="answer",
        handle=retire_product,
        guard=get_product,
        status=204,
        errors=(NotFound, Conflict),
        lane="write",
        audit="catalogue.product_retired",
    ),
    Operation(
        name="products.prices",
        method="GET",
        path="/v1/products/{sku}/prices",
        summary="List all prices of a product",
        permission="commerce.read",
        handle=get_prices,
        guard=get_prices,
        answer=types.Prices,
        errors=(NotFound,),
    ),
    Operation(
        name="products.set_prices",
        method="PUT",
        path="/v1/products/{sku}/prices",
        summary="Set prices of a product",
        description="In the place of all that it has; with `add` beside them.",
        permission="commerce.write",
        kept="answer",
        handle=set_prices,
        guard=get_prices,
        body=types.NewPrices,
        answer=types.Prices,
        errors=(NotFound, Conflict, DefinitionInvalid),
        lane="write",
        audit="catalogue.prices_set",
        example=NEW_PRICES,
    ),
    Operation(
        name="products.price",
        method="GET",
        path="/v1/products/{sku}/price",
        summary="Get the price in force",
        description="One of the channel comes before one for any channel, then the one that began last.",
        permission="commerce.read",
        handle=get_price,
        query=types.PriceQuery,
        answer=types.Price,
        errors=(NotFound,),
        parameters={"currency": "EUR", "channel": "web"},
    ),
    Operation(
        name="products.items",
        method="GET",
        path="/v1/products/{sku}/items",
        summary="List the ids that channels use for a product",
        permission="commerce.read",
        handle=get_product_items,
        answer=types.ChannelItems,
        errors=(NotFound,),
    ),
)

ITEMS = (
    Operation(
        name="items.resolve",
        method="GET",
        path="/v1/items/resolve",
        summary="Find the product that an id means",
        description="An id that was mapped, a SKU, or a GTIN of 8, 12, 13 or 14 digits.",
        permission="commerce.read",
        handle=resolve,
        query=types.ItemQuery,
        answer=types.CatalogueProduct,
        errors=(NotFound,),
        parameters={"id": "44021", "channel": "shopify"},
    ),
    Operation(
        name="items.unknown",
        method="GET",
        path="/v1/items/unknown",
        summary="List ids that nobody has resolved yet",
        permission="commerce.read",
        handle=unknown_items,
        query=types.UnknownQuery,
        answer=Page[types.UnknownItem],
    ),
    Operation(
        name="items.see",
        method="POST",
        path="/v1/items/seen",
        summary="Resolve an id, or put it into the queue",
        description="What nobody knows waits until somebody says what it means; `sku` is empty until then.",
        permission="commerce.write",
        kept="answer",
        handle=see_item,
        body=types.ItemToSee,
        answer=types.SeenItem,
        errors=(DefinitionInvalid,),
        lane="write",
        audit="catalogue.item_seen",
        subject=lambda call, _: call.body.id,
        example={"id": "9001", "channel": "store", "name": "ABRIGO AZ"},
    ),
    Operation(
        name="items.map",
        method="POST",
        path="/v1/items",
        summary="Say which product an id means",
        description="From now on, for everything that comes with it; what waited in the queue leaves it.",
        permission="commerce.write",
        kept="answer",
        handle=map_item,
        body=types.NewItem,
        answer=types.MappedItem,
        errors=(NotFound, DefinitionInvalid),
        lane="write",
        audit="catalogue.item_mapped",
        subject=lambda call, _: call.body.sku,
        example={"id": "44022", "channel": "shopify", "sku": "ABR-00001-AZ"},
    ),
    Operation(
        name="items.unmap",
        method="POST",
        path="/v1/items/unmap",
        summary="Take back what an id means",
        description="Answers the ids that its product still has.",
        permission="commerce.write",
        kept="answer",
        handle=unmap_item,
        body=types.ItemToForget,
        answer=types.ChannelItems,
        errors=(NotFound,),
        lane="write",
        audit="catalogue.item_unmapped",
        subject=lambda call, _: call.body.id,
        example={"id": "44023", "channel": "shopify"},
    ),
    Operation(
        name="items.ignore",
        method="POST",
        path="/v1/items/ignore",
        summary="Say that an unknown id is no goods",
        description="A bag or a delivery charge: it waits for nobody. With `ignored` false it waits again.",
        permission="commerce.write",
        kept="answer",
        handle=ignore_item,
        body=types.ItemToIgnore,
        answer=types.UnknownItem,
        errors=(NotFound,),
        lane="write",
        audit="catalogue.item_ignored",
        subject=lambda call, _: call.body.id,
        example={"id": "BOLSA", "channel": "store"},
    ),
)

PLACES = (
    Operation(
        name="places.list",
        method="GET",
        path="/v1/places",
        summary="List places, or those near a position",
        permission="commerce.read",
        handle=list_places,
        query=types.PlaceQuery,
        answer=Page[types.Place],
        parameters={"role": "picks_up", "near": "40.42,-3.70"},
    ),
    Operation(
        name="places.get",
        method="GET",
        path="/v1/places/{place}",
        summary="Get a place",
        permission="commerce.read",
        handle=get_place,
        guard=get_place,
        answer=types.Place,
        errors=(NotFound,),
    ),
    Operation(
        name="places.put",
        method="PUT",
        path="/v1/places/{place}",
        summary="Put a place in",
        permission="commerce.write",
        kept="answer",
        handle=put_place,
        guard=get_place,
        body=types.PlaceFields,
        answer=types.Place,
        errors=(Conflict, DefinitionInvalid),
        lane="write",
        audit="catalogue.place_put",
        example=NEW_PLACE,
    ),
    Operation(
        name="places.change",
        method="PATCH",
        path="/v1/places/{place}",
        summary="Change a place",
        description="What is not named stays.",
        permission="commerce.write",
        kept="answer",
        handle=change_place,
        guard=get_place,
        body=types.PlaceChange,
        answer=types.Place,
        errors=(NotFound, Conflict, DefinitionInvalid),
        lane="write",
        audit="catalogue.place_put",
        example={"roles": ["sells", "picks_up"]},
    ),
    Operation(
        name="places.retire",
        method="DELETE",
        path="/v1/places/{place}",
        summary="Retire a place",
        description="It is closed for good and not listed any more.",
        permission="commerce.write",
        kept="answer",
        handle=retire_place,
        guard=get_place,
        status=204,
        errors=(NotFound, Conflict),
        lane="write",
        audit="catalogue.place_retired",
    ),
    Operation(
        name="places.hours",
        method="GET",
        path="/v1/places/{place}/hours",
        summary="Tell when a place is open",
        description="And when something would be ready there that takes so many `minutes` of its opening hours.",
        permission="commerce.read",
        handle=get_hours,
        query=types.HoursQuery,
        answer=types.Hours,
        errors=(NotFound,),
        parameters={"minutes": 90},
    ),
)

OPERATIONS = (*PRODUCTS, *ITEMS, *PLACES)
