"""An erased person is taken out of commerce too: what they bought stays for the books, nobody's from now on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.app import Platform
from cauce.commerce.api import ALL_TABLES
from cauce.commerce.baskets import changing as baskets
from cauce.commerce.bookings import booking, resources
from cauce.commerce.bookings.nouns import Resource
from cauce.commerce.catalogue.nouns import Opening
from cauce.commerce.loyalty import api as loyalty
from cauce.commerce.loyalty.adjusting import Adjust, SweepPoints
from cauce.commerce.loyalty.earning import ClawBack, Earn
from cauce.commerce.loyalty.programmes import ApplyProgramme
from cauce.commerce.loyalty.redeeming import BeginRedemption, CompleteRedemption
from cauce.commerce.loyalty.rules import Line
from cauce.commerce.loyalty.value import api as value
from cauce.commerce.loyalty.value.cards import BlockCard, IssueCard
from cauce.commerce.loyalty.value.paying import Authorise, Capture
from cauce.commerce.orders import placing
from cauce.commerce.parts import erasing
from cauce.commerce.proof import broken
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.commerce.stock.reserving import Line as Wanted
from cauce.commerce.stock.reserving import Reserve
from cauce.commerce.tills.habits import SetHabit
from cauce.errors import CauceError, Ended
from cauce.events.erasure import proof
from cauce.model.time import DAY, HOUR
from tests.commerce.tills.river import NOW, River, receipt
from tests.furnished import FurnishedTables

EVA = "email:eva@tienda.es"
QUOTED = 'user_id:ana "la\\" 100%_!'
CLUB = """
programme: club
name: Club
currency: EUR
timezone: Europe/Madrid
earn:
  - {name: Every euro, points: 1, per: 1.00}
rewards:
  - {reward: coffee, name: Coffee, points: 50}
  - {reward: mug, name: Mug, points: 100, stock: 5}
"""
LETTERS = st.characters(codec="utf-8", exclude_characters=":", exclude_categories=("Cs", "Cc"))
WORDS = st.text(LETTERS | st.sampled_from("\"'\\%_!.*"), min_size=4, max_size=12)
NAMED_IN = {
    "basket", "basket_home", "booking", "booking_owner", "booking_waiting", "command", "customer_order",
    "loyalty_adjustment", "loyalty_lot", "loyalty_member", "loyalty_purchase", "loyalty_redeemer",
    "loyalty_redemption", "order_owner", "outbox", "reservation", "till_order_told", "till_pending", "value_card",
}  # fmt: skip
"""Tables that name a person who does everything; and never one of the ledger's."""
PEOPLE = st.lists(WORDS, min_size=2, max_size=2, unique_by=str.casefold).map(
    lambda words: (f"loyalty:{words[0]}·9", f"user_id:{words[1]}·8")
)
"""Two identifiers of one person, hard to search for and unlike anything else that stands in commerce."""


def everything(river: River) -> str:
    """All that stands in any column of any table, once as it is and once as JSON tells it."""
    found = []
    for table in ALL_TABLES:
        for row in river.commerce.select(f"select * from {table.name}"):
            for cell in row:
                text = bytes(cell).decode() if isinstance(cell, bytes | memoryview) else str(cell)
                found.append(f"{text}\n{unescaped(text)}")
    return "\n".join(found)


def naming(river: River, word: str) -> set[str]:
    """The tables in which a word stands."""
    return {
        table.name
        for table in ALL_TABLES
        for row in river.commerce.select(f"select * from {table.name}")
        if word in unescaped(" ".join(bytes(cell).decode() if isinstance(cell, bytes) else str(cell) for cell in row))
    }


def unescaped(text: str) -> str:
    """A text without the escapes of JSON."""
    return text.replace('\\"', '"').replace("\\\\", "\\")


def shop() -> River:
    """A shop with everything in which somebody can be named."""
    river = River(FurnishedTables())
    do = river.commerce.do
    do(SetHabit(source="web", orders=True))
    do(ApplyProgramme(document=CLUB, by="tests"))
    do(Receive(lines=(Entry("A", "S1", 900_000),)))
    hours = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
    do(resources.PutResource(resource=Resource(id="bench", name="Bench", hours=hours, minutes=60)))
    river.follower = river.fresh()
    return river


def lives(river: River, who: Sequence[str], name: str, slot: int) -> None:
    """Somebody does everything there is to do, under keys, so that each answer is remembered."""
    numbers = iter(range(1_000))
    start = (NOW // DAY + 1) * DAY + slot * HOUR
    owners = tuple(who)

    def do(command: Any) -> Any:
        fields = {field: getattr(command, field) for field in command.__struct_fields__}
        return river.commerce.do(type(command)(**{**fields, "key": f"{name}-{next(numbers)}"}))

    for each in owners:
        do(baskets.Put(line="l1", sku="A", amount=1_000, owners=(each,), note=f"for {each}"))
        line = placing.NewLine(sku="A", amount=1_000, price=4_000)
        contact = (("name", each),)
        do(placing.PlaceOrder(lines=(line,), currency="EUR", place="S1", owners=owners, contact=contact, note=each))
        do(placing.PlaceOrder(lines=(line,), currency="EUR", place="S1", contact=(("email", each.partition(":")[2]),)))
        do(Reserve(lines=(Wanted("A", "S1", 1_000),), seconds=600, owner=each))
    do(booking.Book(resource="bench", start=start, owners=owners, note=f"{who[0]} comes by bicycle"))
    do(booking.Wait(resource="bench", start=start, owners=owners))
    bought = (Line("A", 40_000, 1_000),)
    for number, each in enumerate(owners):
        names = (f"T-{name}-{number}",)
        do(Earn(documents=names, who=(each, *owners), at=NOW, lines=bought, currency="EUR", channel="store"))
        do(Adjust(programme="club", member=each, points=30, why=f"for {each}", by="ana"))
        with pytest.raises(CauceError):
            do(Adjust(programme="club", member=each, points=-100_000, why="too much", by="ana"))
        card = do(IssueCard(amount=5_000, currency="EUR", member=each, by="ana"))
        do(Authorise(card=card.id, amount=1_000, currency="EUR", document="O-1"))
    done = do(BeginRedemption(programme="club", who=owners, reward="mug"))
    do(CompleteRedemption(redemption=done.id))
    do(BeginRedemption(programme="club", who=owners, reward="mug"))
    kind, _, said = who[0].partition(":")
    products = [{"sku": "A", "quantity": 1, "price": 10.0}]
    order = {"order_id": f"W-{name}", "store_id": "S1", "currency": "EUR", "total": 10.0, "products": products}
    for number, (event, told) in enumerate((
        ("Order Completed", order),
        ("Receipt Issued", receipt(slot + 1, products=[{"sku": "unheard of", "quantity": 1, "price": 1.0}])),
        ("Receipt Issued", {**receipt(slot + 50), "products": "no list"}),
    )):  # fmt: skip
        river.tell(event, source="web", id=f"{name}-e{number}", who=f"{kind}:{said}", **told)
    river.follow()


def erase(river: River, owners: Sequence[str]) -> None:
    for command in erasing(river.commerce.tables, tuple(owners)):
        river.commerce.do(command)


@given(who=PEOPLE)
@settings(max_examples=15, deadline=None)
def test_no_column_of_any_table_names_who_was_erased(who: tuple[str, str]) -> None:
    river = shop()
    lives(river, who, "first", 0)
    lives(river, (EVA,), "second", 1)
    counts = [river.commerce.select(f"select count(*) from {name}") for name in ("till_unfit", "till_pending")]
    assert counts == [[(2,)], [(2,)]]
    assert river.commerce.select("select count(*) from till_order_told") == [(2,)]
    before = loyalty.balance(river.commerce.tables, [EVA], NOW), loyalty.figures(river.commerce.tables, "club")
    assert naming(river, who[0]) >= NAMED_IN

    erase(river, who)
    said = everything(river)
    for each in who:
        assert each not in said
        assert each.partition(":")[2] not in said
    assert broken(river.commerce.tables, NOW) == []

    # Nobody else has lost anything, and the programme's sums are as they were but for what lapsed.
    assert loyalty.balance(river.commerce.tables, [EVA], NOW) == before[0]
    after = loyalty.figures(river.commerce.tables, "club")
    lapsed = before[1].outstanding - after.outstanding
    assert (after.outstanding, after.expired - before[1].expired) == (before[0][0].points, lapsed)
    assert (after.issued, after.spent, after.members) == (before[1].issued, before[1].spent, 1)
    assert EVA in said
    assert len(loyalty.redemptions(river.commerce.tables, [EVA])) == 2

    # Done twice it changes nothing; a command that is repeated has no second effect.
    erase(river, who)
    assert everything(river) == said
    river.commerce.writer.close()


# -- what points and money come to -------------------------------------------------------------------------------


@pytest.fixture
def river() -> Iterator[River]:
    found = shop()
    yield found
    found.commerce.writer.close()


def earn(river: River, document: str, who: str, euros: int) -> None:
    lines = (Line("A", euros * 100, 1_000),)
    river.commerce.do(Earn(documents=(document,), who=(who,), at=NOW, lines=lines, currency="EUR"))


def test_points_lapse_and_debts_are_waived(river: River) -> None:
    earn(river, "T-1", QUOTED, 100)
    done = river.commerce.do(BeginRedemption(programme="club", who=(QUOTED,), reward="mug"))
    river.commerce.do(CompleteRedemption(redemption=done.id))
    river.commerce.do(ClawBack(document="T-1", id="B-1", at=NOW, whole=True))
    earn(river, "T-2", EVA, 70)
    assert loyalty.figures(river.commerce.tables, "club").outstanding == -100 + 70
    erase(river, (QUOTED,))
    assert loyalty.figures(river.commerce.tables, "club").outstanding == 70
    assert loyalty.balance(river.commerce.tables, [QUOTED], NOW) == ()
    assert loyalty.statement(river.commerce.tables, [QUOTED], 0, 2**62) == ()
    why = river.commerce.select("select distinct why from transfer where why like '%erased%'")
    assert why == [("member erased",)]


def test_what_becomes_known_later_brings_nothing_back(river: River) -> None:
    earn(river, "T-1", QUOTED, 100)
    erase(river, (QUOTED,))
    before = loyalty.figures(river.commerce.tables, "club")
    earn(river, "T-1", QUOTED, 100)
    assert river.commerce.do(ClawBack(document="T-1", id="B-1", at=NOW, whole=True)) == ()
    assert loyalty.figures(river.commerce.tables, "club") == before
    # Who comes back is a new member, with nothing of the old one.
    earn(river, "T-2", QUOTED, 20)
    (found,) = loyalty.balance(river.commerce.tables, [QUOTED], NOW)
    assert (found.points, found.owed) == (20, 0)
    river.commerce.now += 800 * DAY
    assert river.commerce.do(SweepPoints()).points in (0, 20)
    assert broken(river.commerce.tables, river.commerce.now) == []


def test_members_who_were_counted_together_are_counted_without_them(river: River) -> None:
    lines = (Line("A", 10_000, 1_000),)
    who = ("loyalty:9001", QUOTED)
    river.commerce.do(Earn(documents=("T-1",), who=who, at=NOW, lines=lines, currency="EUR"))
    assert naming(river, QUOTED) == {"loyalty_member", "outbox"}
    erase(river, (QUOTED,))
    assert naming(river, QUOTED) == set()
    assert loyalty.balance(river.commerce.tables, ["loyalty:9001"], NOW)[0].points == 100


def test_money_stays_owed_and_nobody_spends_it_unseen(river: River) -> None:
    do, tables = river.commerce.do, river.commerce.tables
    credit = do(IssueCard(amount=5_000, currency="EUR", member=QUOTED, by="ana")).id
    gift = do(IssueCard(amount=2_000, currency="EUR", number="hash", pin="", last="4417", by="ana")).id
    promised = do(Authorise(card=credit, amount=1_500, currency="EUR", document="O-1"))
    erase(river, (QUOTED,))
    assert value.outstanding(tables) == {"EUR": 7_000}
    assert value.cards_of(tables, [QUOTED]) == []
    with pytest.raises(Ended, match="blocked"):
        do(Authorise(card=credit, amount=100, currency="EUR"))
    do(Capture(authorisation=promised.id))  # an order that is under way is paid
    do(Authorise(card=gift, amount=2_000, currency="EUR"))
    do(BlockCard(card=credit, blocked=False, why="came with the letter of 3 May", by="eva"))
    do(Authorise(card=credit, amount=3_500, currency="EUR"))
    assert broken(tables, NOW) == []


def test_a_guest_is_found_by_what_they_typed(river: River) -> None:
    line = placing.NewLine(sku="A", amount=1_000, price=4_000)
    for contact in (("email", " Ana@Tienda.es"), ("phone", "600 11 22 33"), ("email", "banana@tienda.es")):
        river.commerce.do(placing.PlaceOrder(lines=(line,), currency="EUR", place="S1", contact=(contact,), note="n"))
    erase(river, ("email:ana@tienda.es", "phone:+34600112233"))
    left = river.commerce.select("select contact, note from customer_order order by id")
    assert left == [("{}", ""), ("{}", ""), ('{"email":"banana@tienda.es"}', "n")]


def test_the_decision_erases_from_commerce_and_whoever_stays_is_whole(tmp_path: Path) -> None:
    with Platform.open(tmp_path) as platform:
        commerce = platform.commerce
        commerce.do(ApplyProgramme(document=CLUB, by="tests"))
        for number, who in enumerate((QUOTED, EVA)):
            lines = (Line("A", 6_000, 1_000),)
            commerce.do(Earn(documents=(f"T-{number}",), who=(who,), at=commerce.now, lines=lines, currency="EUR"))
            commerce.do(BeginRedemption(key=f"k{number}", programme="club", who=(who,), reward="coffee"))
            commerce.do(baskets.Put(line="l1", sku="A", amount=1_000, owners=(who,)))
        for _ in range(2):
            platform.decide("person.erased", {"identifiers": [QUOTED], "suppress": True}, by="tests")
        rows = [row for table in ALL_TABLES for row in commerce.select(f"select * from {table.name}")]
        assert not [row for row in rows if 'ana "la' in unescaped(repr(row)).replace("\\", "")]
        assert proof(tmp_path, [QUOTED.partition(":")[2]]) == []
        (found,) = loyalty.balance(commerce.reader, [EVA], commerce.now)
        assert (found.points, found.available) == (60, 10)
        assert broken(commerce.reader, commerce.now) == []
