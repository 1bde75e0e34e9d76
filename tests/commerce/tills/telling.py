"""Facts in the outbox of a real installation, as any command of commerce puts them there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cauce.app import Platform
from cauce.commerce.api import ALL_TABLES
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Action, Command, Writer


class Tell(Command, frozen=True, kw_only=True):
    """Something happened."""

    facts: tuple[Told, ...]


def tell(work: Work, command: Tell) -> int:
    for fact in command.facts:
        work.tell(fact)
    return len(command.facts)


@contextmanager
def teller(platform: Platform) -> Iterator[Writer]:
    writer = Writer(platform.storage.commerce(), [Action(Tell, tell, int)], ALL_TABLES)
    try:
        yield writer
    finally:
        writer.close()


def fact(number: int, **properties: Any) -> Told:
    return Told(
        name="Order Placed",
        at=1_760_000_000_000_000 + number,
        channel="app",
        who=(f"email:p{number % 7}@example.com",),
        properties={"order_id": f"o{number}", **properties},
    )
