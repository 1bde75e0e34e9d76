"""An address for every page with a parameter: the path of the route → what finds one in the small world."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from cauce.app import Platform
from cauce.commerce.catalogue.api import products
from cauce.console.guide import somebody_met
from cauce.identity.api import text_of


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
    "/definitions/new": lambda _platform: "/definitions/new?sort=trait",
}
WITHOUT = {
    "/pickups/orders/{order}": "an order that is collected is needed; tests of pick-ups place some",
    "/bookings/slot": "a resource is needed; tests of bookings make one",
    "/bookings/at/{id}": "a booking is needed; tests of bookings make some",
    "/bookings/resources/edit": "a resource is needed; tests of bookings make one",
    "/calendar/{link}": "a signed link is needed; tests of bookings make one",
    "/414/{gln}": "leads to the desk with the code of a QR; tests of pick-ups scan one",
    "/collect/{link}": "a signed link is needed; tests of pick-ups make one",
    "/collect/{link}/{file}": "the same",
    "/fulfilment/choices/{id}": "an order that was sourced is needed; tests of pick-ups place some",
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
