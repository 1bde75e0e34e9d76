"""Products, prices and places as they are stored, out of what people and files say; or DefinitionInvalid."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from msgspec.structs import replace

from cauce.commerce.catalogue.nouns import Address, Place, Position, Price, Product
from cauce.commerce.catalogue.rules import codes, hours, money
from cauce.errors import DefinitionInvalid
from cauce.model import SECOND

ID_CHARACTERS_MAX = 80
ITEM_CHARACTERS_MAX = 200
NAME_CHARACTERS_MAX = 300
NAMES_MAX = 50
GTINS_MAX = 20
CATEGORY_STEPS_MAX = 10
OPTIONS_MAX = 20
PRICES_MAX = 1_000
AMOUNT_MAX = 2**53
MOMENT_MAX = 253_402_300_800 * SECOND
"""The end of the year 9999."""
BAYS_MAX = 200
KINDS = ("store", "warehouse", "counter", "dark_store")
ROLES = ("sells", "picks_up", "ships")
STEP = ">"
"""Stands between the steps of a category, and so in none."""


def product(told: Product) -> Product:
    """A product as it is stored, without version and time."""
    sku = ident(told.sku, "sku")
    if not 0 < len(told.names) <= NAMES_MAX:
        raise DefinitionInvalid(f"expected 1 to {NAMES_MAX} names of {sku}, got {len(told.names)}")
    gtins = tuple(dict.fromkeys(map(codes.gtin14, told.gtins)))
    _at_most(gtins, GTINS_MAX, f"GTINs of {sku}")
    _at_most(told.category, CATEGORY_STEPS_MAX, f"steps of the category of {sku}")
    _at_most(told.options, OPTIONS_MAX, f"options of {sku}")
    for step in told.category:
        if STEP in step:
            raise DefinitionInvalid(f"expected a category's steps to be without {STEP!r}, got {step[:80]!r}")
    if told.image and not told.image.startswith(("https://", "http://")):
        raise DefinitionInvalid(f"expected image of {sku} to be an address that begins with https://")
    return Product(
        sku=sku,
        product=ident(told.product, "product") if told.product else sku,
        names={codes.language(tag): text(name, f"the name of {sku}") for tag, name in told.names.items()},
        gtins=gtins,
        brand=text(told.brand, "brand", empty=True),
        category=tuple(text(step, "a step of category") for step in told.category),
        options={text(name, "an option"): text(value, "an option") for name, value in told.options.items()},
        tax_class=codes.code(told.tax_class, "tax_class"),
        unit=codes.unit(told.unit),
        image=text(told.image, "image", empty=True, characters_max=2_000),
        retired=told.retired,
    )


def price(told: Price) -> Price:
    currency = money.currency(told.currency)
    if not 0 <= told.amount <= AMOUNT_MAX:
        raise DefinitionInvalid(f"expected an amount from 0 to {AMOUNT_MAX} minor units, got {told.amount}")
    if not (0 <= told.start <= MOMENT_MAX and 0 <= told.until <= MOMENT_MAX):
        raise DefinitionInvalid("expected a price to begin and end between 1970 and 9999")
    if told.until and told.until <= told.start:
        raise DefinitionInvalid("expected a price to end after it begins")
    return replace(told, currency=currency, channel=channel(told.channel))


def prices(told: Sequence[Price], sku: str) -> tuple[Price, ...]:
    """Prices in order; each channel, currency and start once."""
    found = sorted(map(price, told), key=lambda one: (one.channel, one.currency, one.start))
    _at_most(found, PRICES_MAX, f"prices of {sku}")
    places = {(one.channel, one.currency, one.start) for one in found}
    if len(places) < len(found):
        raise DefinitionInvalid(
            f"expected one price of {sku} for each channel, currency and start, got two",
            hint="Give the later one a start of its own",
        )
    return tuple(found)


def place(told: Place) -> Place:
    """A place as it is stored, without version and time."""
    hours.week_of(told.hours, told.special_days)
    if told.kind not in KINDS:
        raise DefinitionInvalid(f"expected kind to be one of {', '.join(KINDS)}, got {told.kind[:40]!r}")
    for role in told.roles:
        if role not in ROLES:
            raise DefinitionInvalid(f"expected roles of {', '.join(ROLES)}, got {role[:40]!r}")
    _at_most(told.bays, BAYS_MAX, "bays")
    return Place(
        id=ident(told.id, "id"),
        name=text(told.name or told.id, "name"),
        kind=told.kind,
        gln=codes.gln(told.gln) if told.gln else "",
        address=_address(told.address),
        position=_position(told.position),
        zone=codes.zone(told.zone),
        hours=tuple(sorted(told.hours, key=lambda one: (one.weekday, one.opens))),
        special_days=tuple(sorted(told.special_days, key=lambda one: one.date)),
        roles=tuple(role for role in ROLES if role in told.roles),
        bays=tuple(dict.fromkeys(text(bay, "a bay") for bay in told.bays)),
        retired=told.retired,
    )


def ident(told: str, what: str) -> str:
    """An id of our own: what can be shown, spoken of and put into an address."""
    found = told.strip()
    if not 0 < len(found) <= ID_CHARACTERS_MAX or not found.isprintable():
        raise DefinitionInvalid(
            f"expected {what} of 1 to {ID_CHARACTERS_MAX} printable characters, got {told[:ID_CHARACTERS_MAX]!r}"
        )
    return found


def channel(told: str) -> str:
    """The name of a channel, "" for any."""
    return ident(told, "channel") if told else ""


def item(told: str) -> str:
    """An id of a channel."""
    found = told.strip()
    if not 0 < len(found) <= ITEM_CHARACTERS_MAX or "\0" in found:
        raise DefinitionInvalid(f"expected an id of 1 to {ITEM_CHARACTERS_MAX} characters, got {told[:80]!r}")
    return found


def text(told: str, what: str, *, empty: bool = False, characters_max: int = NAME_CHARACTERS_MAX) -> str:
    found = " ".join(told.split())
    if len(found) > characters_max or "\0" in found or not (found or empty):
        raise DefinitionInvalid(f"expected {what} of {0 if empty else 1} to {characters_max} characters")
    return found


def folded(told: str) -> str:
    """A text without capitals and accents, as it is searched."""
    plain = unicodedata.normalize("NFKD", told.casefold())
    return "".join(character for character in plain if not unicodedata.combining(character))


def _address(told: Address) -> Address:
    return Address(
        street=text(told.street, "street", empty=True),
        postal_code=text(told.postal_code, "postal_code", empty=True),
        city=text(told.city, "city", empty=True),
        region=text(told.region, "region", empty=True),
        country=codes.country(told.country) if told.country else "",
    )


def _position(told: Position | None) -> Position | None:
    if told is not None and not (-90 <= told.latitude <= 90 and -180 <= told.longitude <= 180):
        raise DefinitionInvalid(
            f"expected latitude from -90 to 90 and longitude from -180 to 180, got {told.latitude} and {told.longitude}"
        )
    return told


def _at_most(told: Sequence[object] | dict[str, str], most: int, what: str) -> None:
    if len(told) > most:
        raise DefinitionInvalid(f"expected at most {most} {what}, got {len(told)}")
