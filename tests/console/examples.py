"""An address for every page with a parameter: the path of the route → what finds one in the small world."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from cauce.app import Platform
from cauce.commerce.bookings import api as bookings
from cauce.commerce.bookings.nouns import Booking
from cauce.commerce.catalogue.api import products
from cauce.commerce.fulfilment import api as fulfilment
from cauce.console.guide import somebody_met
from cauce.http.api.bookings import link_of
from cauce.http.api.fulfilment import counter_of
from cauce.identity.api import text_of
from cauce.model.time import DAY


def person(platform: Platform) -> str:
    """Somebody who was met in several channels."""
    return somebody_met(platform) or text_of(platform.people.clusters(1)[0][0])


def identifiers(platform: Platform) -> tuple[str, str]:
    """Two identifiers of that person, as `kind:value`."""
    first, second, *_ = map(str, platform.people.locate(person(platform)).identifiers)
    return first, second


def rules(platform: Platform) -> int:
    """Position of the decision that applied the present rules."""
    return int(platform.reader.select("select max(position) from identity_rules")[0][0])


def quarantined(platform: Platform) -> int:
    return platform.quality.entries(limit=1)[0].position


def account(platform: Platform) -> int:
    """An account's number, also before anybody has one."""
    return next((account.id for account in platform.access.accounts.list()), 1)


def explained(platform: Platform, page: str) -> str:
    """The address of a page about two identifiers of one person."""
    a, b = map(quote, identifiers(platform))
    return f"/people/{person(platform)}/{page}?a={a}&b={b}"


def definition(platform: Platform) -> str:
    """The address of a definition that every installation begins with."""
    return f"/definitions/trait/{quote(platform.profiles.definitions()[0].name)}"


def sku(platform: Platform) -> str:
    """Some product of the catalogue, encoded; one that nobody knows where there is none."""
    found = products(platform.commerce, limit=1)
    return quote(found[0].sku) if found else "unknown"


def shelf(platform: Platform) -> str:
    """Some stock, in a place that has it."""
    found = platform.commerce.select("select sku, place from stock order by sku, place limit 1")
    product, place = found[0] if found else ("unknown", "S01")
    return f"/stock/shelf?sku={quote(product)}&place={quote(place)}"


def booking(platform: Platform) -> Booking | None:
    """Somebody's booking on days to come."""
    now = platform.commerce.now
    found = bookings.bookings(platform.commerce.reader, now - DAY, now + 7 * DAY)
    return next((each for each in found if each.owners), None)


def slot(platform: Platform) -> str:
    """A slot that somebody has booked."""
    found = booking(platform)
    return f"/bookings/slot?resource={quote(found.resource)}&start={found.start}" if found else "/bookings/slot"


def calendar(platform: Platform) -> str:
    """The signed address of a person's calendar."""
    found = booking(platform)
    return link_of(platform, found.owners).rpartition("/")[2] if found else "unknown"


def resource(platform: Platform) -> str:
    """Something that can be booked."""
    found = bookings.resources_of(platform.commerce.reader)
    return quote(found[0].id) if found else "unknown"


def waiting_order(platform: Platform) -> fulfilment.PickupSeen | None:
    """An order that lies at a desk and has a code."""
    found = fulfilment.pickups(platform.commerce, state="ready")
    return next((each for each in found if each.has_code), None)


def collected(platform: Platform) -> str:
    """The signed address of the page of who comes for an order."""
    found = waiting_order(platform)
    return counter_of(platform).link(found).rpartition("/")[2] if found else "unknown"


def choice(platform: Platform) -> int:
    """A decision about where the goods of an order come from."""
    return next((each.id for each in fulfilment.choices(platform.commerce, limit=1)), 1)


EXAMPLES: dict[str, Callable[[Platform], str]] = {
    "/people/{key:path}": lambda platform: f"/people/{person(platform)}",
    "/people/{key}/timeline": lambda platform: f"/people/{person(platform)}/timeline",
    "/people/{key}/shopping": lambda platform: f"/people/{person(platform)}/shopping",
    "/people/{key}/identifiers": lambda platform: f"/people/{person(platform)}/identifiers",
    "/people/{key}/explain": lambda platform: explained(platform, "explain"),
    "/people/{key}/preview": lambda platform: explained(platform, "preview"),
    "/people/{key}/export": lambda platform: f"/people/{person(platform)}/export",
    "/people/{key}/erase": lambda platform: f"/people/{person(platform)}/erase",
    "/sources/{name}": lambda _platform: "/sources/web",
    "/sources/{name}/events": lambda _platform: "/sources/web/events",
    "/sources/{name}/first": lambda _platform: "/sources/web/first",
    "/sources/{name}/systems": lambda _platform: "/sources/web/systems",
    "/sources/{name}/systems/{system}": lambda _platform: "/sources/web/systems/square",
    "/sources/{name}/connect": lambda _platform: "/sources/web/connect",
    "/sources/{name}/settings": lambda _platform: "/sources/web/settings",
    "/quarantine/{position:int}": lambda platform: f"/quarantine/{quarantined(platform)}",
    "/quarantine/{position:int}/raw": lambda platform: f"/quarantine/{quarantined(platform)}/raw",
    "/accounts/{id:int}": lambda platform: f"/accounts/{account(platform)}",
    "/identity/rules/{position:int}": lambda platform: f"/identity/rules/{rules(platform)}",
    "/definitions/{sort}/{name:path}": definition,
    "/products/sku/{sku:path}": lambda platform: f"/products/sku/{sku(platform)}",
    "/products/edit": lambda platform: f"/products/edit?sku={sku(platform)}",
    "/places/at/{id:path}": lambda _platform: "/places/at/S01",
    "/places/edit": lambda _platform: "/places/edit?id=S01",
    "/orders/{order:int}": lambda _platform: "/orders/1",
    "/orders/of/{key:path}": lambda platform: f"/orders/of/{person(platform)}",
    "/stock/shelf": shelf,
    "/loyalty/programmes/{code}": lambda _platform: "/loyalty/programmes/club",
    "/loyalty/panel/{person}": lambda platform: f"/loyalty/panel/{person(platform)}",
    "/loyalty/cards/{card:int}": lambda _platform: "/loyalty/cards/1",
    "/loyalty/members/{key:path}": lambda platform: f"/loyalty/members/{person(platform)}",
    "/bookings/slot": slot,
    "/bookings/at/{id}": lambda platform: f"/bookings/at/{getattr(booking(platform), 'id', 1)}",
    "/bookings/resources/edit": lambda platform: f"/bookings/resources/edit?id={resource(platform)}",
    "/calendar/{link}": lambda platform: f"/calendar/{calendar(platform)}",
    "/pickups/orders/{order}": lambda platform: f"/pickups/orders/{getattr(waiting_order(platform), 'order', 1)}",
    "/414/{gln}": lambda _platform: "/414/8412345000018?pickup=7K3M2F9C",
    "/collect/{link}": lambda platform: f"/collect/{collected(platform)}",
    "/collect/{link}/{file}": lambda platform: f"/collect/{collected(platform)}/code.svg",
    "/fulfilment/choices/{id}": lambda platform: f"/fulfilment/choices/{choice(platform)}",
    "/definitions/new": lambda _platform: "/definitions/new?sort=trait",
}
WITHOUT = {
    "/identity/trials/{id}": "a trial run of rules lives for a while only; tests of identity start one",
    "/identity/trials/{id}/live": "the same",
    "/data/results/{key}": "a result lives for a while only; tests of data ask for one",
    "/sign-in/link": "a one-time link is needed; tests of access make one",
    "/refused": "only a request that the guard refuses leads there",
    "/sign-in/outside": "leads to an OpenID provider; tests of access run one",
    "/sign-in/outside/back": "the same",
}
"""Pages that have no address of their own in a world at rest, and why."""


def address_of(platform: Platform, path: str) -> str:
    """An address at which a page of the console has something to show."""
    if path in EXAMPLES:
        return EXAMPLES[path](platform)
    assert "{" not in path, f"write an example for {path} into tests/console/examples.py"
    return path
