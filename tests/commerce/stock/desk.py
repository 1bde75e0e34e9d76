"""Commands of stock carried out one after the other, and the books as a test sees them."""

from __future__ import annotations

from typing import Any

import msgspec

from cauce.commerce.parts import ACTIONS, SHAPES
from cauce.commerce.stock.api import Available, availability
from cauce.commerce.transact.carrier import Carrier, Command
from cauce.engines.api import Tables
from tests.furnished import FurnishedTables

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


class Desk:
    """A store of commerce with a clock that stands still until it is moved."""

    def __init__(self, tables: Tables | None = None) -> None:
        self.tables = tables or FurnishedTables()
        self.now = START
        self.carrier = Carrier(self.tables, ACTIONS, SHAPES, lambda: self.now)

    def do(self, command: Command) -> Any:
        """The answer, or raises what the command was refused for."""
        (answer,) = self.carrier.carry_out([command])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def balance(self, sku: str, place: str, name: str) -> int:
        found = self.tables.select(
            "select posted from account where book = 'stock' and subject = ? and name = ?", (f"{sku}\x1f{place}", name)
        )
        return int(found[0][0]) if found else 0

    def balances(self) -> dict[tuple[str, str], int]:
        """What every account holds, without empty ones."""
        rows = self.tables.select("select subject, name, posted from account where book = 'stock' and posted <> 0")
        return {(subject, name): posted for subject, name, posted in rows}

    def on_hand(self, sku: str, place: str) -> int:
        """What lies on the shelf: what is free, less what is owed."""
        return self.balance(sku, place, "free") + self.balance(sku, place, "oversold")

    def available(self, sku: str, place: str, channel: str = "") -> Available | None:
        return next((one for one in availability(self.tables, sku, channel) if one.place == place), None)

    def told(self) -> list[tuple[str, str, str]]:
        """What the river will hear: name, product and place."""
        bodies = [msgspec.json.decode(body) for (body,) in self.tables.select("select body from outbox order by id")]
        return [(one["name"], one["properties"]["sku"], one["properties"]["place"]) for one in bodies]
