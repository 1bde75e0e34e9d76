"""Somebody who means no good, and has a text for every field that others will read."""

from __future__ import annotations

from typing import Any

from cauce.app import Platform
from cauce.commerce.baskets.api import Put
from cauce.commerce.bookings import api as bookings
from cauce.commerce.bookings.booking import Book, Wait
from cauce.commerce.bookings.nouns import Resource
from cauce.commerce.bookings.resources import PutResource
from cauce.commerce.catalogue.items import SeeItem
from cauce.commerce.catalogue.nouns import Address, Opening, Place, Position, Price, Product, Span, SpecialDay
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.prices import SetPrices
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.fulfilment.api import Arrive, Pick, PlaceSourced, Send, Taken, order_id
from cauce.commerce.loyalty.adjusting import Adjust
from cauce.commerce.loyalty.programmes import ApplyProgramme
from cauce.commerce.loyalty.value.cards import BlockCard, IssueCard
from cauce.commerce.orders.api import NewLine, PlaceOrder
from cauce.commerce.stock.api import Entry, Goods, Move
from cauce.commerce.stock.counting import Count, Counted
from cauce.commerce.stock.keeping import Damage, Receive, Sell
from cauce.commerce.stock.supply import Expect
from cauce.commerce.transact.carrier import Command
from cauce.http.api.fulfilment import counter_of
from cauce.model.time import DAY

MARK = "xss-mark"
HOSTILE = f'"\'><{MARK} {MARK}="1" onload=alert(1)><script>alert(1)</script>{{{{7*7}}}}%(x)s</textarea></title>\u202e'
BRIEF = f"\"'><{MARK} onload=x()>{{{{7*7}}}}"
"""For what must be short."""
OWNER = "user_id:u-1"
SKU, PLACE, OTHER, ROOM = f"{BRIEF}sku", "S01", "S02", "R1"
ALWAYS = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
PROGRAMME = """\
programme: club
name: {text}
description: {text}
currency: EUR
members: [user_id]
earn: [{{name: {text}, points: 1, per: 1}}, {{name: {text}, event: Survey, points: 25}}]
multipliers: [{{name: {text}, times: 2, weekdays: [tue]}}]
tiers:
  by: amount
  window: {{months: 12}}
  levels: [{{tier: low, name: {text}, entry: 0}}, {{tier: high, name: {text}, entry: 150, benefits: [{text}]}}]
rewards: [{{reward: coffee, name: {text}, points: 5, description: {text}}}]
"""


def furnish(platform: Platform) -> None:
    """A shop in which everything is named so, by people who order, book and collect under such names."""
    do = platform.commerce.do
    for command in (*_catalogue(), *_stock(), *_loyalty()):
        do(command)
    orders = [_ordered(platform, delivery) for delivery in ("curbside", "pick_up", "ship")]
    do(Put(owners=(OWNER,), line=BRIEF, sku=SKU, amount=1_000, kind="basket", channel=BRIEF))
    _collected(platform, orders[0])
    do(_picked(platform, orders[2]))
    do(Send(order=orders[2], place=PLACE, carrier=HOSTILE, tracking=HOSTILE, by=HOSTILE))
    _booked(platform)


def _catalogue() -> list[Command]:
    spans = (Span(opens="10:00", closes="12:00"),)
    found: list[Command] = [
        PutPlace(
            place=Place(
                id=id_,
                name=HOSTILE,
                zone="Europe/Madrid",
                address=Address(street=HOSTILE, postal_code=BRIEF[:20], city=HOSTILE, region=HOSTILE, country="ES"),
                position=Position(40.0, -3.0),
                hours=ALWAYS,
                special_days=(SpecialDay(date="12-25", name=HOSTILE[:100], spans=spans),),
                roles=("sells", "picks_up", "ships"),
                bays=(BRIEF[:20],),
            ),
            by=HOSTILE,
        )
        for id_ in (PLACE, OTHER)
    ]
    product = Product(
        sku=SKU, product=BRIEF, names={"es": HOSTILE, "en": HOSTILE}, brand=HOSTILE,
        category=(HOSTILE.replace(">", "/"),), options={BRIEF: HOSTILE}, image=f"https://{HOSTILE}",
    )  # fmt: skip
    prices = (Price(currency="EUR", amount=100), Price(currency="EUR", amount=90, channel="web"))
    return [
        *found,
        PutProduct(product=product, by=HOSTILE),
        SetPrices(sku=SKU, prices=prices),
        SeeItem(channel="web", id=HOSTILE, name=HOSTILE),
    ]


def _stock() -> list[Command]:
    said: dict[str, Any] = {"channel": BRIEF, "reference": HOSTILE, "by": HOSTILE}
    return [
        Receive(lines=(Entry(SKU, PLACE, 50_000, 0, BRIEF, HOSTILE, HOSTILE),)),
        Sell(lines=(Entry(SKU, OTHER, 3_000, **said), Entry(SKU, PLACE, 1_000, **said))),
        Damage(lines=(Entry(SKU, PLACE, 1_000, **said),)),
        Count(place=PLACE, lines=(Counted(SKU, 47_000),), by=HOSTILE),
        Move(origin=PLACE, destination=OTHER, lines=(Goods(SKU, 2_000),), by=HOSTILE),
        Expect(sku=SKU, place=PLACE, amount=9_000, on="2030-01-01", reference=HOSTILE),
    ]


def _loyalty() -> list[Command]:
    text = '"' + BRIEF.replace('"', '\\"') + '"'
    return [
        ApplyProgramme(document=PROGRAMME.format(text=text), by=HOSTILE),
        Adjust(programme="club", member=OWNER, points=30, why=HOSTILE, by=HOSTILE),
        IssueCard(amount=500, currency="EUR", last="1234", member=OWNER, channel=BRIEF, document=HOSTILE, by=HOSTILE),
        BlockCard(card=1, blocked=True, why=HOSTILE, by=HOSTILE),
    ]


def _ordered(platform: Platform, delivery: str) -> str:
    order = PlaceOrder(
        lines=(NewLine(sku=SKU, amount=1_000, price=100, name=HOSTILE, ref=BRIEF),),
        currency="EUR",
        kind=delivery,
        place=PLACE if delivery != "ship" else "",
        channel=BRIEF,
        owners=(OWNER,),
        contact=(("name", HOSTILE), ("address", HOSTILE)),
        pays_first=False,
        note=HOSTILE,
        by=HOSTILE,
    )
    return str(platform.commerce.do(PlaceSourced(order=order)).order.number)


def _picked(platform: Platform, number: str) -> Pick:
    return Pick(order=number, place=PLACE, lines=(Taken(line=1, picked=1_000),), by=HOSTILE, channel=BRIEF)


def _collected(platform: Platform, number: str) -> None:
    """Ready, and somebody waits in a vehicle of that name."""
    platform.commerce.do(_picked(platform, number))
    counter_of(platform).ready(number, by=HOSTILE)
    platform.commerce.do(Arrive(order=order_id(platform.commerce, number), bay=BRIEF[:20], vehicle=HOSTILE))


def _booked(platform: Platform) -> None:
    commerce = platform.commerce
    room = Resource(id=ROOM, name=BRIEF, kind=BRIEF, place=PLACE, zone="Europe/Madrid", minutes=60, hours=ALWAYS)
    commerce.do(PutResource(resource=room))
    slot = bookings.free_slots(commerce.reader, room, commerce.now, commerce.now + DAY, commerce.now)[0]
    commerce.do(Book(resource=ROOM, start=slot.start, owners=(OWNER,), channel=BRIEF, note=HOSTILE, document=BRIEF))
    commerce.do(Wait(resource=ROOM, start=slot.start, owners=(f"email:{BRIEF}",), channel=BRIEF))
