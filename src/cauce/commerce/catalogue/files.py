"""The catalogue as tables that people keep in files: a row is what changes, and what is there is rows again.

What a row does not name stays as it is: a column that is missing leaves its field alone, an empty cell empties it.
The same row once more changes nothing. docs/howto/catalogue.md tells every column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from cauce.commerce.catalogue import api
from cauce.commerce.catalogue.items import MapItem
from cauce.commerce.catalogue.many import Change
from cauce.commerce.catalogue.nouns import Place, Price, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.prices import SetPrices
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.catalogue.rules import hours, money
from cauce.commerce.catalogue.store import PATH, Rows
from cauce.errors import DefinitionInvalid
from cauce.model import from_iso, to_iso
from cauce.registry import nearest

NOTES = ("line", "fault")
"""Columns of a file of rejected rows: they are told, and mean nothing when the mended file is read."""
PAGE_ROWS = 1_000
_LIST = re.compile(r"[\s,;|]+")
_TRUE, _FALSE = frozenset({"true", "yes", "1", "x", "si", "sí"}), frozenset({"false", "no", "0", ""})

Told = Mapping[str, str]
"""A row: texts by column."""

PRODUCT_COLUMNS = (
    "sku", "product", "name", "gtins", "brand", "category", "tax_class", "unit", "image", "retired",
)  # fmt: skip
PRODUCT_PREFIXES = ("name:", "option:", "id:", "price:")
PRICE_COLUMNS = ("sku", "channel", "currency", "amount", "start", "until")
PLACE_COLUMNS = (
    "id", "name", "kind", "gln", "street", "postal_code", "city", "region", "country", "latitude", "longitude",
    "zone", "hours", "special_days", "roles", "bays", "retired",
)  # fmt: skip
ITEM_COLUMNS = ("channel", "id", "sku")
ADDRESS = ("street", "postal_code", "city", "region", "country")


class Sort(msgspec.Struct, frozen=True):
    """A sort of table: the columns it may have, those it must have, and what a row of it changes."""

    name: str
    columns: tuple[str, ...]
    needed: tuple[str, ...]
    changes: Callable[[Told, Rows, str], tuple[Change, ...]]
    prefixes: tuple[str, ...] = ()


# -- in ---------------------------------------------------------------------------------------------------------------


def columns_checked(sort: Sort, columns: Sequence[str], *, language: str = "", lenient: bool = False) -> list[str]:
    """The columns by the names they have here; "" for those that are left out.

    DefinitionInvalid for a column that is not known (unless `lenient`) or one that is missing. `language` is that of a
    column *name* that says none.
    """
    found: list[str] = []
    for column in map(str.strip, columns):
        told = {"gtin": "gtins", "name": f"name:{language}" if language else "name"}.get(column, column)
        if told == "name" and sort.prefixes:
            raise DefinitionInvalid(
                "the column name does not say its language", hint="Call it name:es, or tell the language (--language)"
            )
        known = told in sort.columns or (told.startswith(sort.prefixes) and not told.endswith(":"))
        if not known and column not in NOTES and not lenient:
            raise DefinitionInvalid(
                f"expected columns of {sort.name}, got {column[:80]!r}", hint=nearest(column[:80], _all_columns(sort))
            )
        found.append(told if known else "")
    missing = [column for column in sort.needed if column not in found]
    if missing:
        raise DefinitionInvalid(f"expected a column {missing[0]} in a table of {sort.name}, got {', '.join(columns)}")
    twice = next((column for column in found if column and found.count(column) > 1), "")
    if twice:
        raise DefinitionInvalid(f"expected each column once, got {twice} twice")
    return found


def sort_of(columns: Iterable[str]) -> Sort:
    """What a table is about, by its columns; DefinitionInvalid when they fit nothing."""
    told = {column.strip() for column in columns}
    for sort in (SORTS["prices"], SORTS["items"], SORTS["products"], SORTS["places"]):
        if told >= set(sort.needed):
            return sort
    needed = "; ".join(f"{sort.name}: {', '.join(sort.needed)}" for sort in SORTS.values())
    raise DefinitionInvalid(f"the columns {', '.join(sorted(told))[:200]} fit no table", hint=f"Needed are {needed}")


def _products(told: Told, rows: Rows, by: str) -> tuple[Change, ...]:
    sku = told["sku"].strip()
    fields = _present(api.product(rows, sku), Product, {"sku": sku})
    for name in ("product", "brand", "tax_class", "unit", "image"):
        if name in told:
            fields[name] = told[name].strip()
    if "gtins" in told:
        fields["gtins"] = _listed(told["gtins"])
    if "category" in told:
        fields["category"] = [step.strip() for step in told["category"].split(PATH.strip()) if step.strip()]
    if "retired" in told:
        fields["retired"] = _flag(told["retired"], "retired")
    for prefix, field in (("name:", "names"), ("option:", "options")):
        fields[field] = _by_column(told, prefix, fields.get(field, {}))
    for name in ("tax_class", "unit"):
        if not fields.get(name):
            fields.pop(name, None)
    changes: list[Change] = [PutProduct(product=msgspec.convert(fields, Product), by=by)]
    for column, cell in told.items():
        if column.startswith("id:"):
            channel = "" if column == "id:*" else column.removeprefix("id:")
            changes += [MapItem(channel=channel, id=id_, sku=sku, by=by) for id_ in _listed(cell)]
        elif column.startswith("price:") and cell.strip():
            currency, _, channel = column.removeprefix("price:").partition(":")
            changes.append(SetPrices(sku=sku, prices=(_price(cell, currency, channel),), add=True))
    return tuple(changes)


def _prices(told: Told, rows: Rows, by: str) -> tuple[Change, ...]:  # noqa: ARG001 (as the other sorts)
    price = _price(told["amount"], told["currency"], told.get("channel", ""))
    start, until = (_moment(told.get(name, ""), name) for name in ("start", "until"))
    price = msgspec.structs.replace(price, start=start, until=until)
    return (SetPrices(sku=told["sku"].strip(), prices=(price,), add=True),)


def _places(told: Told, rows: Rows, by: str) -> tuple[Change, ...]:
    id_ = told["id"].strip()
    fields = _present(api.place(rows, id_), Place, {"id": id_})
    for name in ("name", "kind", "gln", "zone"):
        if told.get(name, "").strip() or (name in told and name in ("name", "gln")):
            fields[name] = told[name].strip()
    if any(name in told for name in ADDRESS):
        address = fields.get("address", {})
        fields["address"] = {**address, **{name: told[name].strip() for name in ADDRESS if name in told}}
    if "latitude" in told or "longitude" in told:
        fields["position"] = _position(told.get("latitude", ""), told.get("longitude", ""))
    if "hours" in told:
        fields["hours"] = msgspec.to_builtins(hours.read_hours(told["hours"]))
    if "special_days" in told:
        fields["special_days"] = msgspec.to_builtins(hours.read_special_days(told["special_days"]))
    if "roles" in told:
        fields["roles"] = _listed(told["roles"])
    if "bays" in told:
        fields["bays"] = [bay.strip() for bay in re.split(r"[;|]", told["bays"]) if bay.strip()]
    if "retired" in told:
        fields["retired"] = _flag(told["retired"], "retired")
    return (PutPlace(place=msgspec.convert(fields, Place), by=by),)


def _items(told: Told, rows: Rows, by: str) -> tuple[Change, ...]:  # noqa: ARG001 (as the other sorts)
    return (MapItem(channel=told["channel"].strip(), id=told["id"], sku=told["sku"].strip(), by=by),)


SORTS: dict[str, Sort] = {
    "products": Sort("products", PRODUCT_COLUMNS, ("sku",), _products, PRODUCT_PREFIXES),
    "prices": Sort("prices", PRICE_COLUMNS, ("sku", "currency", "amount"), _prices),
    "places": Sort("places", PLACE_COLUMNS, ("id",), _places),
    "items": Sort("items", ITEM_COLUMNS, ITEM_COLUMNS, _items),
}
"""Sorts of tables by name."""


def _present(found: msgspec.Struct | None, kind: type[msgspec.Struct], key: dict[str, Any]) -> dict[str, Any]:
    """The fields of what is there already, as plain values, or those of something new."""
    fields: dict[str, Any] = msgspec.to_builtins(found) if found is not None else dict(key)
    return {name: value for name, value in fields.items() if name in kind.__struct_fields__}


def _by_column(told: Told, prefix: str, present: dict[str, str]) -> dict[str, str]:
    named = {column.removeprefix(prefix): cell.strip() for column, cell in told.items() if column.startswith(prefix)}
    return {name: value for name, value in {**present, **named}.items() if value}


def _price(amount: str, currency: str, channel: str) -> Price:
    code = money.currency(currency)
    return Price(currency=code, amount=money.minor(amount, code), channel=channel.strip())


def _position(latitude: str, longitude: str) -> dict[str, float] | None:
    if not latitude.strip() and not longitude.strip():
        return None
    try:
        return {"latitude": float(latitude), "longitude": float(longitude)}
    except ValueError:
        raise DefinitionInvalid(
            f"expected latitude and longitude in degrees such as 40.42 and -3.70, got {latitude!r} and {longitude!r}"
        ) from None


def _moment(text: str, name: str) -> int:
    """Microseconds of a day or time in ISO 8601 (without a zone: UTC), 0 for none."""
    if not text.strip():
        return 0
    try:
        return from_iso(text.strip())
    except (ValueError, OverflowError):
        raise DefinitionInvalid(
            f"expected {name} to be a day or time such as 2026-11-27 or 2026-11-27T00:00+01:00, got {text[:40]!r}"
        ) from None


def _listed(text: str) -> list[str]:
    return [part for part in _LIST.split(text.strip()) if part]


def _flag(text: str, name: str) -> bool:
    told = text.strip().lower()
    if told not in _TRUE | _FALSE:
        raise DefinitionInvalid(f"expected {name} to be yes or no, got {text[:40]!r}")
    return told in _TRUE


def _all_columns(sort: Sort) -> list[str]:
    return [column for column in sort.columns if column != "name" or not sort.prefixes] + [
        f"{prefix}…" for prefix in sort.prefixes
    ]


# -- out --------------------------------------------------------------------------------------------------------------


def table_of(sort: str, rows: Rows) -> tuple[list[str], Iterator[list[str]]]:
    """(columns, rows) of everything there is of a sort, retired things too; read in again it changes nothing."""
    match sort:
        case "products":
            return _product_table(rows)
        case "prices":
            return list(PRICE_COLUMNS), _price_rows(rows)
        case "places":
            return list(PLACE_COLUMNS), map(_place_cells, api.places(rows, retired=True))
        case _:
            told = "select channel, id, sku from item order by sku, channel, id"
            return list(ITEM_COLUMNS), ([str(cell) for cell in row] for row in rows.select(told))


def _all_products(rows: Rows) -> Iterator[Product]:
    after = ""
    while page := api.products(rows, retired=True, after=after, limit=PAGE_ROWS):
        yield from page
        after = page[-1].sku


def _product_table(rows: Rows) -> tuple[list[str], Iterator[list[str]]]:
    languages: dict[str, None] = {}
    options: dict[str, None] = {}
    for product in _all_products(rows):
        languages |= dict.fromkeys(product.names)
        options |= dict.fromkeys(product.options)
    plain = [column for column in PRODUCT_COLUMNS if column != "name"]
    columns = [*plain, *(f"name:{language}" for language in languages), *(f"option:{option}" for option in options)]

    def cells(product: Product) -> list[str]:
        fields = {
            "gtins": " ".join(product.gtins),
            "category": PATH.join(product.category),
            "retired": "yes" if product.retired else "no",
        }
        own = [str(fields.get(column, getattr(product, column))) for column in plain]
        named = [product.names.get(language, "") for language in languages]
        return [*own, *named, *(product.options.get(option, "") for option in options)]

    return columns, map(cells, _all_products(rows))


def _price_rows(rows: Rows) -> Iterator[list[str]]:
    for product in _all_products(rows):
        for price in api.price_list(rows, product.sku):
            start, until = (to_iso(moment) if moment else "" for moment in (price.start, price.until))
            amount = money.written(price.amount, price.currency)
            yield [product.sku, price.channel, price.currency, amount, start, until]


def _place_cells(place: Place) -> list[str]:
    position = place.position
    fields = {
        **{name: getattr(place.address, name) for name in ADDRESS},
        "latitude": repr(position.latitude) if position else "",
        "longitude": repr(position.longitude) if position else "",
        "hours": hours.written_hours(place.hours),
        "special_days": hours.written_special_days(place.special_days),
        "roles": " ".join(place.roles),
        "bays": "; ".join(place.bays),
        "retired": "yes" if place.retired else "no",
    }
    return [str(fields[column]) if column in fields else str(getattr(place, column)) for column in PLACE_COLUMNS]
