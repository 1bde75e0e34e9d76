"""Tills and a river, without the rest: stored events as the archive gives them, commerce over any engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import msgspec

from cauce.commerce.api import ALL_TABLES
from cauce.commerce.catalogue.nouns import Place, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.ledger.api import ACCOUNTS
from cauce.commerce.parts import ACTIONS
from cauce.commerce.tills.follower import Follower, Sight
from cauce.commerce.transact.store import TABLES
from cauce.commerce.transact.writer import Command, Writer
from cauce.engines.api import Row, Tables
from cauce.events.api import StoredEvent, Trace
from cauce.identity.api import Member
from cauce.model import Event, Identifier

NOW = 1_790_000_000_000_000
SECOND = 1_000_000


class Commerce:
    """Commands over tables that are read in the same thread, one after the other."""

    def __init__(self, tables: Tables, *, now: int = NOW) -> None:
        self.now = now
        self.tables = tables
        self.writer = Writer(tables, ACTIONS, ALL_TABLES, clock=lambda: self.now)

    def do(self, command: Command) -> Any:
        return self.writer.do(command)

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self.tables.select(sql, parameters)


class Archive:
    """What the river has stored, as a follower reads it."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: Event) -> Event:
        position = len(self.events) + 1
        self.events.append(msgspec.structs.replace(event, position=position))
        return self.events[-1]

    def traces(self, after: int, batch: int) -> Iterable[list[Trace]]:
        found = self.events[after : after + batch]
        return iter([[Trace(one.position, (), one.type, one.name, False) for one in found]] if found else [])

    def bodies(self, positions: Iterable[int]) -> dict[int, StoredEvent]:
        found = (self.events[position - 1] for position in positions)
        return {one.position: StoredEvent(1, (one.position,) if one.identifiers else (), one) for one in found}

    def last_position(self) -> int:
        return len(self.events)


class River:
    """A river in memory, and commerce that follows it."""

    def __init__(
        self, tables: Tables, *, skus: Iterable[str] = ("A", "B"), places: Iterable[str] = ("S1", "S2")
    ) -> None:
        self.commerce = Commerce(tables)
        self.archive = Archive()
        for sku in skus:
            self.commerce.do(PutProduct(product=Product(sku=sku, names={"en": sku})))
        for place in places:
            self.commerce.do(PutPlace(place=Place(id=place)))
        self.follower = self.fresh()

    def fresh(self) -> Follower:
        """A follower that knows nothing yet, as after a crash."""
        return Follower(self.commerce, lambda: Sight(nullcontext, self.archive, self._identifiers))  # type: ignore[arg-type]

    def _identifiers(self, ids: Iterable[int]) -> list[Member]:
        """The identifiers of events, which are known here by their events' positions."""
        named = {id_: self.archive.events[id_ - 1].identifiers[0] for id_ in ids}
        return [Member(id_, one.kind, one.value, 0, 0, False) for id_, one in named.items()]

    def tell(
        self, name: str, *, source: str = "pos", occurred: int = NOW, id: str = "", who: str = "", **properties: Any
    ) -> Event:
        number = len(self.archive.events)
        named = (Identifier(*who.split(":")),) if who else ()
        event = Event(id or f"e{number}", source, "store", "track", name, occurred, NOW, 0, named, {}, properties)
        return self.archive.tell(event)

    def follow(self) -> None:
        while self.follower.step():
            pass

    def shelf(self) -> dict[tuple[str, str, str], int]:
        """What every account of the stock comes to, without those that are empty."""
        rows = self.commerce.select(f"select {ACCOUNTS.columns} from account where book = 'stock'")
        found = {}
        for row in map(ACCOUNTS.of, rows):
            sku, place = row.subject.split("\x1f")
            if row.posted:
                found[sku, place, row.name] = row.posted
        return found

    def close(self) -> None:
        self.commerce.writer.close()


def receipt(number: int, *, store: str = "S1", till: str = "1", **more: Any) -> dict[str, Any]:
    """Properties of a receipt of two pieces of A."""
    return {
        "store_id": store,
        "till_id": till,
        "receipt_id": f"R{number}",
        "sequence_number": str(number),
        "business_day": "2026-09-21",
        "currency": "EUR",
        "total": 20.0,
        "products": [{"sku": "A", "quantity": 2, "price": 10.0}],
        **more,
    }


__all__ = ["NOW", "SECOND", "TABLES", "Commerce", "River", "receipt"]
