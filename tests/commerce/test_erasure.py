"""An erased person is taken out of commerce too: what they bought stays for the books, nobody's from now on."""

from __future__ import annotations

from pathlib import Path

from cauce.app import Platform
from cauce.commerce.baskets import changing as baskets
from cauce.commerce.bookings import booking, resources
from cauce.commerce.bookings import store as bookings
from cauce.commerce.bookings.nouns import Resource
from cauce.commerce.catalogue.nouns import Opening
from cauce.commerce.orders import placing
from cauce.commerce.proof import broken
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.model.time import DAY, HOUR

ANA, EVA = "email:ana@tienda.es", "email:eva@tienda.es"
QUOTED = 'user_id:ana "la\\" 100%'


def test_nothing_in_commerce_names_who_was_erased(tmp_path: Path) -> None:
    with Platform.open(tmp_path) as platform:
        do = platform.commerce.do
        do(Receive(lines=(Entry("jacket", "s1", 9_000),)))
        for who in (ANA, EVA):
            do(baskets.Put(line="l1", sku="jacket", amount=1_000, owners=(who,)))
            line = placing.NewLine(sku="jacket", amount=1_000, price=4_000)
            contact = (("name", who),)
            do(placing.PlaceOrder(lines=(line,), currency="EUR", place="s1", owners=(who,), contact=contact))
        hours = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
        do(resources.PutResource(resource=Resource(id="bench", name="Bench", hours=hours, minutes=60)))
        start = (platform.commerce.now // DAY + 1) * DAY
        do(booking.Book(resource="bench", start=start, owners=(ANA,), note="Ana comes by bicycle"))
        do(booking.Book(resource="bench", start=start + HOUR, owners=(EVA,)))
        do(booking.Wait(resource="bench", start=start + HOUR, owners=(ANA, EVA)))
        do(booking.Wait(resource="bench", start=start + HOUR, owners=(QUOTED,)))
        platform.drain()
        platform.decide("person.erased", {"identifiers": [ANA, QUOTED], "suppress": True}, by="tests")
        held = {
            name: [row for row in platform.commerce.select(f"select * from {name}") if "ana" in repr(row).lower()]
            for name in ("basket", "basket_home", "customer_order", "order_owner", "booking", "booking_owner",
                         "booking_waiting")
        }  # fmt: skip
        assert held == {key: [] for key in held}
        assert platform.commerce.select("select count(*) from booking_owner") == [(1,)]
        assert platform.commerce.select("select count(*) from customer_order") == [(2,)]
        assert bookings.BOOKINGS.name == "booking"
        assert broken(platform.commerce.reader, platform.commerce.now) == []
