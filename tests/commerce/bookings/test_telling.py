"""Whatever bookings tell the river is an event of the vocabulary, and keeps its contract."""

from __future__ import annotations

import msgspec

from cauce.commerce.bookings import booking
from cauce.commerce.bookings.erasing import EraseFromBookings
from cauce.commerce.parts import CHORES
from cauce.commerce.transact.facts import Told
from cauce.engines.api import Tables
from cauce.model.time import DAY, HOUR
from cauce.quality.starter import starter_compiled, starter_sets
from tests.commerce.bookings.test_bookings import ANA, EVA, LUIS, ROOM, TEN, Desk

BENCH = msgspec.structs.replace(ROOM, id="bench", name="Bench", capacity=1, most=1, place="S01", confirms=False)
CONTRACTS = {one.contract.event: one for one in starter_compiled()}
BOOKINGS = next({one.event for one in contracts} for title, _, contracts in starter_sets() if title == "Bookings")


def facts(desk: Desk) -> list[Told]:
    return [
        msgspec.json.decode(body, type=Told) for (body,) in desk.tables.select("select body from outbox order by id")
    ]


def test_all_that_bookings_tell_keeps_its_contract(memory: Tables) -> None:
    desk = Desk(memory, BENCH)
    booked = desk.do(booking.Book(resource="bench", start=TEN, owners=(ANA,), document="C-000917", note="a puncture"))
    desk.do(booking.ConfirmBooking(booking=booked.id))
    desk.do(booking.MoveBooking(booking=booked.id, start=TEN + HOUR))
    desk.do(booking.Wait(resource="bench", start=TEN + HOUR, owners=(EVA,)))
    desk.do(booking.CancelBooking(booking=booked.id, why="it is repaired already"))
    kept = [desk.do(booking.Book(resource="bench", start=TEN + n * HOUR, owners=(LUIS,))) for n in (2, 3)]
    for each in kept:
        desk.do(booking.ConfirmBooking(booking=each.id))
    desk.do(booking.Book(resource="bench", start=TEN))
    desk.do(EraseFromBookings(owners=(EVA,)))
    desk.now += DAY
    for chore in CHORES:
        desk.do(chore)
    for each, came in zip(kept, (True, False), strict=True):
        desk.do(booking.Attend(booking=each.id, came=came))

    told = facts(desk)
    assert {fact.name for fact in told} == BOOKINGS
    assert len(BOOKINGS) == 8
    for fact in told:
        contract = CONTRACTS[fact.name]
        assert contract.properties
        assert contract.contract.properties
        assert list(contract.properties.iter_errors(fact.properties)) == []
        assert set(fact.properties) <= set(contract.contract.properties["properties"])
        assert fact.who or not contract.any_identifier
    assert [fact.name for fact in told if not fact.who].count("Booking Expired") == 2  # a guest's, an erased person's
