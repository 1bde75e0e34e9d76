"""A programme to try things with, and a small installation of commerce whose clock is set by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty import api
from cauce.commerce.loyalty.adjusting import Adjust, SweepPoints, Swept
from cauce.commerce.loyalty.earning import ClawBack, Earn
from cauce.commerce.loyalty.programmes import ApplyProgramme
from cauce.commerce.loyalty.redeeming import (
    BeginRedemption,
    CancelRedemption,
    CompleteRedemption,
    Redeemed,
)
from cauce.commerce.loyalty.rules import Line
from cauce.commerce.transact.store import TABLES
from cauce.commerce.transact.writer import Writer
from cauce.engines.api import Tables
from cauce.engines.memory import MemoryTables
from cauce.engines.sqlite import SqliteTables
from cauce.model import from_iso
from cauce.model.time import DAY

T0 = from_iso("2026-01-05T10:00:00+00:00")
CARD, MAIL = "loyalty:9001", "email:ana@tienda.es"
CLUB = """
programme: club
name: Club Ribera
currency: EUR
timezone: Europe/Madrid
earn:
  - {name: Every euro, points: 1, per: 1.00}
exclude: {categories: [gift cards]}
lots: {expire: {months: 12}}
rewards:
  - {reward: coffee, name: Coffee, points: 50}
  - {reward: mug, name: Mug, points: 100, stock: 2}
"""


class Club:
    """Commerce with a programme; `now` is set by hand. Close it."""

    def __init__(self, definition: str = CLUB, tables: Callable[[], Tables] = MemoryTables) -> None:
        self.now = T0
        self.tables = tables()
        shapes = (*TABLES, *ledger.TABLES, *api.TABLES)
        self.writer = Writer(self.tables, api.ACTIONS, shapes, clock=lambda: self.now)
        self.reader = self.tables.reader() if isinstance(self.tables, MemoryTables) else None
        self.document = definition
        self.do(ApplyProgramme(document=definition, by="test"))

    def read(self) -> Any:
        """A reader; closed by nobody, because it belongs to the tables."""
        if self.reader is None:
            self.reader = self.tables.reader()
        return self.reader

    def do(self, command: Any) -> Any:
        return self.writer.do(command)

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()
        self.writer.close()

    # -- words for tests ----------------------------------------------------------------------------------------

    def buy(self, document: str, euros: float, *who: str, at: int | None = None, **more: Any) -> Any:
        line = Line(more.pop("sku", "A"), round(euros * 100), category=more.pop("category", ""))
        names = (document, *more.pop("also", ()))
        when = self.now if at is None else at
        return self.do(Earn(documents=names, who=who or (CARD,), at=when, lines=(line,), currency="EUR", **more))

    def bring_back(self, document: str, id_: str, euros: float = 0, *, at: int | None = None) -> Any:
        return self.do(ClawBack(
            document=document, id=id_, at=self.now if at is None else at, amount=round(euros * 100), whole=not euros,
        ))  # fmt: skip

    def begin(self, reward: str, *who: str, key: str = "") -> Redeemed:
        found: Redeemed = self.do(BeginRedemption(key=key, programme="club", who=who or (CARD,), reward=reward))
        return found

    def complete(self, redemption: int) -> Redeemed:
        found: Redeemed = self.do(CompleteRedemption(redemption=redemption))
        return found

    def cancel(self, redemption: int) -> Redeemed:
        found: Redeemed = self.do(CancelRedemption(redemption=redemption))
        return found

    def adjust(self, points: int, member: str = CARD) -> Any:
        return self.do(Adjust(programme="club", member=member, points=points, why="a test", by="test"))

    def sweep(self) -> Swept:
        found: Swept = self.do(SweepPoints())
        return found

    def days(self, days: float) -> None:
        self.now += round(days * DAY)

    def balance(self, *who: str) -> api.Balance:
        return api.balance(self.read(), who or (CARD,), self.now)[0]

    def points(self, *who: str) -> int:
        found = api.balance(self.read(), who or (CARD,), self.now)
        return found[0].available if found else 0

    def statement(self, *who: str, since: int = 0, until: int = 2**62) -> api.Statement:
        return api.statement(self.read(), who or (CARD,), since, until)[0]


def on_disk(folder: Path) -> Callable[[], Tables]:
    return lambda: SqliteTables(folder / "commerce.db", durable=True)


def sums(reader: Any, who: tuple[str, ...], now: int, points: int) -> None:
    """The statement sums up over any period, and periods join."""
    middle = T0 + (now - T0) // 2
    whole = api.statement(reader, who, 0, now + 1)[0]
    halves = [api.statement(reader, who, 0, middle)[0], api.statement(reader, who, middle, now + 1)[0]]
    assert (whole.closing, halves[1].opening) == (points, halves[0].closing)
    for one in (whole, *halves):
        assert one.opening + one.earned - one.spent - one.expired - one.clawed + one.adjusted == one.closing
        assert one.opening + sum(move.points for move in one.movements) == one.closing
