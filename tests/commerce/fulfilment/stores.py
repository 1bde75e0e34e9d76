"""Three stores and a warehouse in Spain, with stock, orders and a desk, and what always holds of pick-ups."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cauce.commerce.catalogue.api import Opening, Place, Position, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.fulfilment import api as fulfilment
from cauce.commerce.fulfilment.api import HandedOver, HandOver, Keys, Pick, PlaceSourced, Ready, Taken
from cauce.commerce.fulfilment.store import CODES, HANDED, PICKUPS
from cauce.commerce.orders.api import NewLine, PlaceOrder
from cauce.commerce.orders.store import LINES
from cauce.engines.api import Tables
from tests.commerce.orders.shop import SECOND, Shop

ZONE = ZoneInfo("Europe/Madrid")
WEEK = tuple(Opening(weekday=day, opens="10:00", closes="20:00") for day in range(1, 7))
POSITIONS = {
    "MAD": Position(40.42, -3.70),
    "TOL": Position(39.86, -4.02),
    "BCN": Position(41.39, 2.17),
    "WH": Position(40.30, -3.44),
}
KEYS = Keys(b"a secret of thirty-two bytes ....")


def moment(text: str) -> int:
    """Microseconds of a time as clocks in Madrid show it."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * SECOND


MONDAY_11 = moment("2026-11-23T11:00")


class Stores(Shop):
    """MAD, TOL and BCN sell, hand over and send; WH only sends, day and night."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self.now = MONDAY_11
        for id_ in ("MAD", "TOL", "BCN"):
            self.put_place(id_, roles=("sells", "picks_up", "ships"), hours=WEEK)
        night = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
        self.put_place("WH", kind="warehouse", roles=("ships",), hours=night)

    def put_place(self, id_: str, **fields: Any) -> None:
        place = Place(id=id_, name=id_, zone="Europe/Madrid", position=POSITIONS.get(id_), **fields)
        self.do(PutPlace(place=place))

    def put_product(self, sku: str, **fields: Any) -> None:
        self.do(PutProduct(product=Product(sku=sku, **fields)))

    def order(self, *lines: tuple[str, int], kind: str = "pick_up", place: str = "MAD", **fields: Any) -> str:
        """The number of an order that is sourced and paid."""
        wanted = tuple(NewLine(sku=sku, amount=amount, price=1_000) for sku, amount in lines)
        order = PlaceOrder(
            lines=wanted,
            currency="EUR",
            kind=kind,
            place=place,
            channel="web",
            pays_first=False,
            hold_seconds=fields.pop("hold_seconds", 0),
            contact=(("name", "Ana Ruiz"),),
            owners=("email:ana@tienda.es",),
        )
        return str(self.do(PlaceSourced(order=order, **fields)).order.number)

    def pick(self, number: str, place: str = "MAD", **fields: Any) -> Any:
        """All that a place has to pick of an order is taken."""
        task = next(task for task in fulfilment.pick_list(self, place) if task.order == number)
        taken = tuple(Taken(line=line.line, picked=line.to_pick) for line in task.lines if line.to_pick)
        return self.do(Pick(order=number, place=place, lines=taken, by="luis", **fields))

    def ready(self, number: str, **fields: Any) -> str:
        """The code of an order that is ready now."""
        seen = fulfilment.pickup(self, number)
        self.do(Ready(order=number, codes=KEYS.hashes(seen.order_id), link="/collect/x", by="luis", **fields))
        return self.code(number)

    def code(self, number: str) -> str:
        seen = fulfilment.pickup(self, number)
        return KEYS.code(seen.order_id, seen.round)

    def hand_over(self, code: str = "", desk: str = "MAD", by: str = "luis", **fields: Any) -> HandedOver:
        hash_ = KEYS.hash(code) if code else ""
        return self.do(HandOver(desk=desk, code=hash_, by=by, **fields))

    def collected(self, *lines: tuple[str, int], **fields: Any) -> tuple[str, str]:
        """An order from its placing to the desk: its number and its code."""
        number = self.order(*lines, **fields)
        self.pick(number)
        return number, self.ready(number)

    def check(self) -> None:
        super().check()
        self.check_pickups()

    def check_pickups(self) -> None:
        """Collected is what was handed over, a code is used once, and what has ended has no open code."""
        handed: dict[int, int] = {}
        for row in self.rows(HANDED):
            taken = fulfilment.hand_overs(self, row.order_id)
            handed[row.order_id] = sum(amount for one in taken for _, amount in one.lines)
        for line_order in {line.order_id for line in self.rows(LINES)}:
            lines = self.rows(LINES, f"where order_id = {line_order}")
            assert sum(line.collected + line.returned for line in lines) == handed.get(line_order, 0)
        open_codes = {row.hash: row.order_id for row in self.rows(CODES, "where state = 'open'")}
        assert open_codes == {row.code: row.order_id for row in self.rows(PICKUPS) if row.code}
        used = self.rows(CODES, "where state = 'used'")
        by_code = [row for row in self.rows(HANDED) if row.proof == "code"]
        assert len(used) >= len(by_code)
