"""Commands as a store meets them, drawn by chance: few products, many who want them, and much of it twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from cauce.commerce.baskets import changing as baskets
from cauce.commerce.bookings import booking as bookings
from cauce.commerce.bookings import resources
from cauce.commerce.bookings.ahead import OrderAhead, OrderedAhead
from cauce.commerce.bookings.nouns import Booking, Resource
from cauce.commerce.catalogue.nouns import Opening
from cauce.commerce.fulfilment.desk import HandOver, Ready
from cauce.commerce.loyalty import earning, programmes, redeeming
from cauce.commerce.loyalty import rules as purchases
from cauce.commerce.loyalty.value import cards, paying
from cauce.commerce.orders import changing, placing
from cauce.commerce.orders import paying as payments
from cauce.commerce.stock import counting, keeping, moving, reserving
from cauce.commerce.stock.facts import Entry
from cauce.commerce.transact.carrier import Command
from cauce.model.time import DAY, MINUTE

PRODUCTS, PLACES, PEOPLE = 4, 3, 6
TABLE = Resource(
    id="table", name="Table", capacity=3, most=2, confirms=False,
    hours=tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8)),
)  # fmt: skip
SLOTS = 6
REMEMBERED_MAX = 100
REPEATED = 0.1
MISUSED = 0.02
"""Shares of commands that are sent once more, and of keys that are used for something else."""
LATEST = 0.7

PROGRAMME = """
programme: storm
name: Storm
currency: EUR
timezone: UTC
earn:
  - {name: Every euro, points: 1, per: 1.00}
rewards:
  - {reward: mug, name: A mug, points: 20, stock: 30}
"""


def opening(seed: int) -> list[Command]:
    """What is there before the storm: a programme, and a little of everything."""
    lines = tuple(Entry(f"sku-{sku}", f"place-{place}", 40_000) for sku in range(PRODUCTS) for place in range(PLACES))
    return [
        programmes.ApplyProgramme(key=f"open-{seed}", document=PROGRAMME, by="storm"),
        keeping.Receive(key=f"fill-{seed}", lines=lines),
        resources.PutResource(key=f"table-{seed}", resource=TABLE),
    ]


class _Known(NamedTuple):
    """An order that a client has placed."""

    id: int
    total: int
    number: str
    place: str
    kind: str


class Draws:
    """One client's commands: what it asks next depends on what it was answered. Slots lie two days after `today`."""

    def __init__(self, name: str, seed: float, today: int) -> None:
        self._name = name
        self._slots = today // DAY * DAY + 2 * DAY
        self._chance = random.Random(seed)  # noqa: S311 - a simulation's dice
        self._number = 0
        self._sent: list[Command] = []
        self._known: dict[str, list[Any]] = {}

    def next(self) -> Command:
        """A fresh command, or one that was sent before."""
        if self._sent and self._chance.random() < REPEATED:
            return self._chance.choice(self._sent)
        command = self._fresh()
        if self._sent and self._chance.random() < MISUSED:
            return msgspec.structs.replace(command, key=self._chance.choice(self._sent).key)
        self._number += 1
        command = msgspec.structs.replace(command, key=f"{self._name}-{self._number}")
        self._sent = [*self._sent[-REMEMBERED_MAX:], command]
        return command

    def learn(self, command: Command, answer: Any) -> None:
        """Remembers what can be referred to later."""
        match command, answer:
            case reserving.Reserve(), reserving.Reserved():
                self._note("reservation", answer.id)
            case moving.Move(), moving.Sent() if answer.id:
                self._note("shipment", answer.id)
            case baskets.Put(), baskets.Kept():
                self._note("basket", answer.basket)
            case placing.PlaceOrder(), placing.Standing():
                self._note("order", _Known(answer.id, answer.total, answer.number, command.place, command.kind))
            case OrderAhead(), OrderedAhead():
                made, asked = answer.order, command.order
                self._note("order", _Known(made.id, made.total, made.number, asked.place, asked.kind))
                self._note("booking", answer.booking.id)
            case bookings.Book(), Booking():
                self._note("booking", answer.id)
            case cards.IssueCard(), cards.CardShown():
                self._note("card", answer.id)
            case paying.Authorise(), paying.Authorised():
                self._note("authorisation", answer.id)
            case redeeming.BeginRedemption(), redeeming.Redeemed():
                self._note("redemption", answer.id)
            case earning.Earn(), _:
                self._note("document", command.documents[0])

    def _note(self, what: str, value: Any) -> None:
        self._known[what] = [*self._known.get(what, [])[-REMEMBERED_MAX:], value]

    def _some(self, what: str) -> Any:
        """Something that was answered before, or None."""
        known = self._known.get(what)
        return self._chance.choice(known) if known else None

    def _latest(self, what: str) -> Any:
        """The newest of what was answered before, mostly; so that something becomes of it."""
        known = self._known.get(what)
        return known[-1] if known and self._chance.random() < LATEST else self._some(what)

    def _fresh(self) -> Command:
        makers: list[tuple[int, Callable[[], Command | None]]] = [
            (20, self._reserve), (10, self._end_reservation), (8, self._goods), (8, self._sell), (4, self._move),
            (3, self._count), (10, self._basket), (8, self._order), (24, self._order_goes_on), (6, self._pay),
            (8, self._earn), (6, self._redeem), (8, self._card), (8, self._booking),
        ]  # fmt: skip
        weights = [weight for weight, _ in makers]
        while True:
            (maker,) = self._chance.choices([make for _, make in makers], weights)
            command = maker()
            if command is not None:
                return command

    # -- sorts --------------------------------------------------------------------------------------------------

    def _sku(self) -> str:
        return f"sku-{self._chance.randrange(PRODUCTS)}"

    def _place(self) -> str:
        return f"place-{self._chance.randrange(PLACES)}"

    def _amount(self) -> int:
        return self._chance.choice((1_000, 1_000, 2_000, 5_000, 650))

    def _who(self) -> str:
        return f"loyalty:{self._chance.randrange(PEOPLE)}"

    def _entries(self, most: int = 2) -> tuple[Entry, ...]:
        count = self._chance.randint(1, most)
        return tuple(Entry(self._sku(), self._place(), self._amount()) for _ in range(count))

    def _reserve(self) -> Command:
        count = self._chance.randint(1, 3)
        lines = tuple(reserving.Line(self._sku(), self._place(), self._amount()) for _ in range(count))
        return reserving.Reserve(lines=lines, seconds=self._chance.choice((1, 2, 900)), channel="web")

    def _end_reservation(self) -> Command | None:
        id_ = self._some("reservation")
        if id_ is None:
            return None
        if self._chance.random() < 0.5:
            return reserving.Confirm(reservation=id_)
        return reserving.Release(reservation=id_)

    def _goods(self) -> Command:
        if self._chance.random() < 0.6:
            return keeping.Receive(lines=self._entries())
        return keeping.Damage(lines=self._entries(1), then=self._chance.choice(("kept", "disposed")))

    def _sell(self) -> Command:
        if self._chance.random() < 0.7:
            return keeping.Sell(lines=self._entries())
        return keeping.Return(lines=self._entries(1), is_damaged=self._chance.random() < 0.3)

    def _move(self) -> Command | None:
        shipment = self._some("shipment")
        if shipment is not None and self._chance.random() < 0.5:
            return moving.Arrive(shipment=shipment)
        origin, destination = self._place(), self._place()
        if origin == destination:
            return None
        goods = (moving.Goods(self._sku(), self._amount()),)
        return moving.Move(origin=origin, destination=destination, lines=goods, at_once=self._chance.random() < 0.3)

    def _count(self) -> Command:
        counted = counting.Counted(self._sku(), self._chance.randrange(0, 60_000, 1_000))
        return counting.Count(place=self._place(), lines=(counted,))

    def _basket(self) -> Command | None:
        basket = self._some("basket")
        if basket is not None and self._chance.random() < 0.3:
            other = self._some("basket")
            return baskets.Merge(into=basket, baskets=(other,)) if other != basket else None
        line = f"{self._name}-{self._chance.randrange(8)}"
        return baskets.Put(line=line, sku=self._sku(), amount=self._amount(), owners=(self._who(),), channel="app")

    def _order(self) -> placing.PlaceOrder:
        count = self._chance.randint(1, 3)
        lines = tuple(
            placing.NewLine(sku=self._sku(), amount=self._chance.choice((1_000, 2_000)), price=1_999)
            for _ in range(count)
        )
        return placing.PlaceOrder(
            lines=lines, currency="EUR", channel="web", place=self._place(), owners=(self._who(),),
            kind=self._chance.choice(("ship", "pick_up")), backorder=self._chance.random() < 0.2,
            hold_seconds=self._chance.choice((None, 2)),
        )  # fmt: skip

    def _booking(self) -> Command:
        id_ = self._some("booking")
        start = self._slots + self._chance.randrange(SLOTS) * TABLE.minutes * MINUTE
        if id_ is None or self._chance.random() < 0.4:
            party = self._chance.choice((1, 1, 2))
            if self._chance.random() < 0.4:
                order = msgspec.structs.replace(
                    self._order(), kind="order_ahead", pays_first=self._chance.random() < 0.5
                )
                return OrderAhead(order=order, resource="table", start=start, party=party)
            return bookings.Book(
                resource="table", start=start, party=party, slots=self._chance.choice((1, 1, 2)), owners=(self._who(),)
            )
        return self._chance.choice((
            bookings.ConfirmBooking(booking=id_), bookings.CancelBooking(booking=id_),
            bookings.MoveBooking(booking=id_, start=start), bookings.Attend(booking=id_),
        ))  # fmt: skip

    def _order_goes_on(self) -> Command | None:
        order = self._latest("order")
        if order is None:
            return None
        id_ = order.id
        changes = (changing.Change(line=1, amount=self._chance.choice((0, 0, 1_000))),)
        codes = tuple(f"{order.number}-{number}" for number in range(1, 20))
        desk = self._place() if self._chance.random() < 0.1 else order.place
        ways = (
            (3, changing.Advance(order=id_, to="shipped", changes=changes)),
            (3, changing.Advance(order=id_, to="delivered", changes=changes)),
        ) if order.kind == "ship" else (
            (4, Ready(order=order.number, codes=codes, partial=True, by="storm")),
            (4, HandOver(desk=desk, order=order.number, initials="AR", receipt="r", codes=codes, by="storm")),
        )  # fmt: skip
        steps: tuple[tuple[int, Command], ...] = (
            (5, placing.Confirm(order=id_)),
            (9, changing.Advance(order=id_, to="picked", changes=changes)),
            *ways,
            (2, changing.Return(order=id_, place=self._place(), changes=changes)),
            (1, changing.Cancel(order=id_, changes=changes)),
            (1, changing.Cancel(order=id_)),
        )
        (step,) = self._chance.choices([command for _, command in steps], [weight for weight, _ in steps])
        return step

    def _pay(self) -> Command | None:
        order = self._some("order")
        if order is None:
            return None
        id_, total, *_ = order
        fact = self._chance.choice(("authorised", "captured", "captured", "refunded"))
        amount = max(1, self._chance.choice((total, total, total // 2)))
        reference = f"{id_}-{fact}-{self._chance.randrange(3)}"
        return payments.RecordPayment(
            order=id_, provider="bank", reference=reference, fact=fact, amount=amount, currency="EUR"
        )

    def _earn(self) -> Command | None:
        document = self._some("document")
        now = 1_767_225_600_000_000  # the first moment of 2026: what it is matters to nobody here
        if document is not None and self._chance.random() < 0.4:
            name = f"back-{self._chance.randrange(3)}"
            return earning.ClawBack(document=document, id=name, at=now, amount=self._chance.choice((500, 1_999)))
        line = purchases.Line(sku=self._sku(), amount=self._chance.choice((1_999, 4_500)))
        name = f"receipt-{self._name}-{self._chance.randrange(10**6)}"
        if document is not None and self._chance.random() < 0.2:
            name = document  # told by another channel too
        return earning.Earn(documents=(name,), who=(self._who(),), at=now, lines=(line,), currency="EUR")

    def _redeem(self) -> Command | None:
        redemption = self._some("redemption")
        if redemption is not None and self._chance.random() < 0.6:
            if self._chance.random() < 0.6:
                return redeeming.CompleteRedemption(redemption=redemption)
            return redeeming.CancelRedemption(redemption=redemption)
        return redeeming.BeginRedemption(programme="storm", who=(self._who(),), reward="mug", channel="app")

    def _card(self) -> Command | None:
        card, authorisation = self._some("card"), self._some("authorisation")
        if card is None or self._chance.random() < 0.15:
            return cards.IssueCard(amount=self._chance.choice((1_000, 5_000)), currency="EUR", member=self._who())
        if authorisation is not None and self._chance.random() < 0.6:
            return self._chance.choice(
                (
                    paying.Capture(authorisation=authorisation),
                    paying.Capture(authorisation=authorisation, amount=300),
                    paying.ReleaseAuthorisation(authorisation=authorisation),
                    paying.RefundToCard(authorisation=authorisation, amount=200),
                )
            )
        amount = self._chance.choice((400, 900, 3_000))
        return paying.Authorise(card=card, amount=amount, currency="EUR", seconds=self._chance.choice((1, 600)))
