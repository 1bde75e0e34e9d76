"""What stands under the world's channels: its catalogue, stock, programme and orders, put in through commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from cauce.testing.world import bookings, catalogue, fulfilment, loyalty, orders, stock

if TYPE_CHECKING:
    from cauce.app import Platform
    from cauce.testing.world.generator import World

OWNERS = 40
"""People of the world who have ordered something."""


def furnish(platform: Platform, world: World, on_step: Callable[[str], None] = lambda _what: None) -> None:
    """Sets the shop up; done twice it changes nothing. `on_step` is told what is being put in."""
    people = tuple(islice(owners(world), OWNERS))
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("products and places", lambda: catalogue.furnish(platform)),
        ("the loyalty programme", lambda: loyalty.furnish(platform)),
        ("stock", lambda: stock.furnish(platform)),
        ("orders", lambda: orders.furnish(platform, people)),
        ("pick-ups", lambda: fulfilment.furnish(platform, people)),
        ("bookings", lambda: bookings.furnish(platform, people)),
    )
    for what, step in steps:
        on_step(what)
        step()


def owners(world: World) -> Iterator[str]:
    """Identifiers by which people of the world order: their e-mail addresses, of those who have one alone."""
    for number in range(world.people.count):
        person = world.people.person(number)
        if person.email and not person.email_is_shared:
            yield f"email:{person.email}"
