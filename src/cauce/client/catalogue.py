"""Products, the ids that channels use for them, and places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from cauce.client.resource import PAGE_ITEMS, Resource, part
from cauce.client.types import catalogue as types
from cauce.client.types.basics import Page


class Products(Resource):
    """What is sold, and for how much. What is changed must have been read with this client, or be overwritten."""

    def list(
        self, text: str = "", *, brand: str = "", category: str = "", retired: bool = False
    ) -> Iterator[types.CatalogueProduct]:
        """Products in order of SKU; `text` are words of them, `category` a path with all below it."""
        query = {"q": text, "brand": brand, "category": category, "retired": _flag(retired), "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/products", Page[types.CatalogueProduct], query)

    def get(self, sku: str) -> types.CatalogueProduct:
        return self._transport.ask("GET", _product(sku), types.CatalogueProduct)

    def put(self, sku: str, *, overwrite: bool = False, **fields: Any) -> types.CatalogueProduct:
        """A product as it is from now on; `fields` as in `ProductFields`."""
        return self._transport.change("PUT", _product(sku), types.CatalogueProduct, body=fields, overwrite=overwrite)

    def change(self, sku: str, *, overwrite: bool = False, **changes: Any) -> types.CatalogueProduct:
        """A product with some fields changed, as in `ProductChange`."""
        return self._transport.change("PATCH", _product(sku), types.CatalogueProduct, body=changes, overwrite=overwrite)

    def retire(self, sku: str, *, overwrite: bool = False) -> None:
        """A product is not sold any more; its ids are still understood."""
        self._transport.remove(_product(sku), overwrite=overwrite)

    def put_many(self, products: Iterable[types.NewProduct]) -> Sequence[types.PutOutcome]:
        """At most 1,000 products; one that is refused leaves the others alone."""
        body = types.ManyProducts(products=list(products))
        return self._transport.ask("POST", "/v1/products", types.PutOutcomes, body=body).items

    def prices(self, sku: str) -> Sequence[types.Price]:
        return self._transport.ask("GET", _product(sku, "prices"), types.Prices).prices

    def set_prices(
        self, sku: str, prices: Iterable[types.NewPrice], *, add: bool = False, overwrite: bool = False
    ) -> Sequence[types.Price]:
        """Prices in the place of those that were read, or (`add`) beside them."""
        body = types.NewPrices(prices=list(prices), add=add)
        path = _product(sku, "prices")
        return self._transport.change("PUT", path, types.Prices, body=body, overwrite=overwrite).prices

    def price(self, sku: str, currency: str, *, channel: str = "", at: str | datetime = "") -> types.Price:
        """The price in force, now or `at` a moment."""
        query = {"currency": currency, "channel": channel, "at": _moment(at)}
        return self._transport.ask("GET", _product(sku, "price"), types.Price, query=query)

    def items(self, sku: str) -> Sequence[types.ChannelItem]:
        """The ids that channels use for it."""
        return self._transport.ask("GET", _product(sku, "items"), types.ChannelItems).items


class Items(Resource):
    """Ids that channels use for products."""

    def resolve(self, id: str, channel: str = "") -> types.CatalogueProduct:
        """The product that an id of a channel means; a SKU and a GTIN mean themselves."""
        return self._transport.ask(
            "GET", "/v1/items/resolve", types.CatalogueProduct, query={"id": id, "channel": channel}
        )

    def unknown(self, channel: str = "", *, ignored: bool = False) -> Iterator[types.UnknownItem]:
        """Ids that nobody has resolved yet."""
        query = {"channel": channel, "ignored": _flag(ignored), "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/items/unknown", Page[types.UnknownItem], query)

    def see(self, id: str, channel: str = "", *, name: str = "") -> str:
        """The SKU that an id means; "" when nobody knows it yet: then it waits in the queue."""
        body = types.ItemToSee(id=id, channel=channel, name=name)
        return self._transport.ask("POST", "/v1/items/seen", types.SeenItem, body=body).sku

    def map(self, id: str, sku: str, channel: str = "") -> types.MappedItem:
        """An id means a product from now on; what waited under it is resolved."""
        body = types.NewItem(id=id, sku=sku, channel=channel)
        return self._transport.ask("POST", "/v1/items", types.MappedItem, body=body)

    def unmap(self, id: str, channel: str = "") -> types.ChannelItems:
        """An id means nothing of its own any more; answers what the product is still called."""
        body = types.ItemToForget(id=id, channel=channel)
        return self._transport.ask("POST", "/v1/items/unmap", types.ChannelItems, body=body)

    def ignore(self, id: str, channel: str = "", *, ignored: bool = True) -> types.UnknownItem:
        """An unknown id is no goods, or waits again."""
        body = types.ItemToIgnore(id=id, channel=channel, ignored=ignored)
        return self._transport.ask("POST", "/v1/items/ignore", types.UnknownItem, body=body)


class Places(Resource):
    """Stores, warehouses, counters. What is changed must have been read with this client, or be overwritten."""

    def list(
        self, role: str = "", *, kind: str = "", near: tuple[float, float] | None = None, retired: bool = False
    ) -> Iterator[types.Place]:
        """Places in order of id; `near` a (latitude, longitude) the nearest first, 200 at most."""
        position = f"{near[0]},{near[1]}" if near else ""
        query = {"role": role, "kind": kind, "near": position, "retired": _flag(retired), "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/places", Page[types.Place], query)

    def get(self, id: str) -> types.Place:
        return self._transport.ask("GET", _place(id), types.Place)

    def put(self, id: str, *, overwrite: bool = False, **fields: Any) -> types.Place:
        """A place as it is from now on; `fields` as in `PlaceFields`."""
        return self._transport.change("PUT", _place(id), types.Place, body=fields, overwrite=overwrite)

    def change(self, id: str, *, overwrite: bool = False, **changes: Any) -> types.Place:
        """A place with some fields changed, as in `PlaceChange`."""
        return self._transport.change("PATCH", _place(id), types.Place, body=changes, overwrite=overwrite)

    def retire(self, id: str, *, overwrite: bool = False) -> None:
        """A place is closed for good."""
        self._transport.remove(_place(id), overwrite=overwrite)

    def hours(self, id: str, *, at: str | datetime = "", minutes: int = 0, days: int = 7) -> types.Hours:
        """Whether it is open, when it closes and opens, and when so many minutes of opening hours have passed."""
        query = {"at": _moment(at), "minutes": minutes, "days": days}
        return self._transport.ask("GET", f"{_place(id)}/hours", types.Hours, query=query)


def _product(sku: str, step: str = "") -> str:
    return f"/v1/products/{part(sku)}" + (f"/{step}" if step else "")


def _place(id: str) -> str:
    return f"/v1/places/{part(id)}"


def _moment(at: str | datetime) -> str:
    return at.isoformat() if isinstance(at, datetime) else at


def _flag(wanted: bool) -> str:
    """A flag as a parameter; left out when it is not wanted."""
    return "true" if wanted else ""
