"""What always holds of stock, whatever is done in whatever order (invariants 1–4, 10 and 12 of the design)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cauce.commerce.stock import feed, rules
from cauce.commerce.stock.api import Entry
from cauce.commerce.stock.counting import Count, Counted
from cauce.commerce.stock.keeping import Adjust, Damage, Receive, Return, Sell
from cauce.commerce.stock.limits import SetCap, SetLow, SetSafety
from cauce.commerce.stock.moving import Arrive, Came, Goods, Move
from cauce.commerce.stock.reserving import Confirm, Line, Release, Reserve
from cauce.commerce.transact.carrier import Command
from cauce.engines.api import Tables
from cauce.engines.memory import MemoryTables
from cauce.errors import Ended, NotFound, Shortage
from tests.commerce.stock.desk import SECOND, Desk

SKUS, PLACES, CHANNEL = ("A", "B"), ("north", "south"), "web"
skus, places, amounts = st.sampled_from(SKUS), st.sampled_from(PLACES), st.integers(1, 12)
HELD_SECONDS = 60


class Shelves(RuleBasedStateMachine):
    make: Callable[[], Tables] = MemoryTables

    @initialize()
    def begins(self) -> None:
        self.desk = Desk(type(self).make())
        self.reservations: list[int] = []
        self.shipments: list[int] = []
        self.states: dict[tuple[str, str], str] = {}
        self.crossings: list[tuple[str, str, str]] = []
        self.copy: dict[tuple[str, str], int] = {}
        self.cursor: feed.Cursor | None = None

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.tables.close()

    def does(self, command: Command) -> Any:
        """The answer, None when it was refused; notes every crossing of a threshold."""
        try:
            answer = self.desk.do(command)
        except (Shortage, Ended, NotFound):
            answer = None
        for sku in SKUS:
            for place in PLACES:
                state = self.state(sku, place)
                before = self.states.get((sku, place), "")
                name = rules.crossing(before, state) if before and state else ""
                self.crossings += [(name, sku, place)] if name else []
                self.states[sku, place] = state
        return answer

    @rule(sku=skus, place=places, amount=amounts, ago=st.integers(0, 20))
    def receive(self, sku: str, place: str, amount: int, ago: int) -> None:
        assert self.does(Receive(lines=(self.entry(sku, place, amount, ago),)))

    @rule(sku=skus, place=places, amount=amounts, ago=st.integers(0, 20))
    def sell(self, sku: str, place: str, amount: int, ago: int) -> None:
        assert self.does(Sell(lines=(self.entry(sku, place, amount, ago),))), "a fact is never refused"

    @rule(sku=skus, place=places, amount=amounts, ago=st.integers(0, 20), broken=st.booleans(), sold_at=places)
    def return_(self, sku: str, place: str, amount: int, ago: int, broken: bool, sold_at: str) -> None:
        lines = (self.entry(sku, place, amount, ago),)
        assert self.does(Return(lines=lines, is_damaged=broken, sold_at=sold_at)), "a fact is never refused"

    @rule(sku=skus, place=places, amount=amounts, less=st.booleans())
    def adjust(self, sku: str, place: str, amount: int, less: bool) -> None:
        assert self.does(Adjust(lines=(Entry(sku, place, -amount if less else amount),), why="found"))

    @rule(sku=skus, place=places, amount=amounts, then=st.sampled_from(["kept", "repaired", "disposed"]))
    def damage(self, sku: str, place: str, amount: int, then: str) -> None:
        self.does(Damage(lines=(Entry(sku, place, amount),), then=then))

    @rule(sku=skus, place=places, amount=st.integers(0, 12), ago=st.integers(0, 20))
    def count(self, sku: str, place: str, amount: int, ago: int) -> None:
        occurred = self.desk.now - ago * SECOND
        assert self.does(Count(place=place, lines=(Counted(sku, amount),), occurred=occurred))

    @rule(sku=skus, place=places, amount=amounts, at_once=st.booleans(), fact=st.booleans())
    def move(self, sku: str, place: str, amount: int, at_once: bool, fact: bool) -> None:
        other = PLACES[1 - PLACES.index(place)]
        goods = (Goods(sku, amount),)
        sent = self.does(Move(origin=place, destination=other, lines=goods, at_once=at_once, is_fact=fact))
        if sent and sent.id:
            self.shipments.append(sent.id)

    @rule(number=st.integers(0, 5), amount=st.integers(0, 6), broken=st.integers(0, 3), last=st.booleans())
    def arrive(self, number: int, amount: int, broken: int, last: bool) -> None:
        if self.shipments:
            shipment = self.shipments[number % len(self.shipments)]
            sent = self.desk.tables.select("select lines from stock_shipment where id = ?", (shipment,))
            sku = "A" if '"A"' in sent[0][0] else "B"
            self.does(Arrive(shipment=shipment, lines=(Came(sku, amount, broken),), is_last=last))

    @rule(
        lines=st.lists(st.tuples(skus, places, amounts), min_size=1, max_size=3), channel=st.sampled_from(["", CHANNEL])
    )
    def reserve(self, lines: list[tuple[str, str, int]], channel: str) -> None:
        needs: dict[tuple[str, str], int] = {}
        for sku, place, amount in lines:
            needs[sku, place] = needs.get((sku, place), 0) + amount
        before = {key: self.desk.available(*key, channel) for key in needs}
        wanted = tuple(Line(*line) for line in lines)
        held = self.does(Reserve(lines=wanted, seconds=HELD_SECONDS, channel=channel))
        if held:
            self.reservations.append(held.id)
            for (sku, place), amount in needs.items():
                assert amount <= self.cap_of(sku, place, channel), "no channel takes more at once than it may see"
        else:
            short = [key for key, amount in needs.items() if (found := before[key]) is None or found.available < amount]
            assert short, "what is shown can be had"

    @rule(number=st.integers(0, 5), confirms=st.booleans())
    def end(self, number: int, confirms: bool) -> None:
        if self.reservations:
            id_ = self.reservations[number % len(self.reservations)]
            self.does(Confirm(reservation=id_) if confirms else Release(reservation=id_))

    @rule(seconds=st.sampled_from([1, HELD_SECONDS // 2, HELD_SECONDS]))
    def wait(self, seconds: int) -> None:
        self.desk.now += seconds * SECOND

    @rule(place=places, sku=st.sampled_from(["", *SKUS]), amount=st.none() | st.integers(0, 5))
    def keep_back(self, place: str, sku: str, amount: int | None) -> None:
        self.does(SetSafety(place=place, sku=sku, amount=amount))

    @rule(place=places, sku=st.sampled_from(["", *SKUS]), amount=st.none() | st.integers(0, 8))
    def call_low(self, place: str, sku: str, amount: int | None) -> None:
        self.does(SetLow(place=place, sku=sku, amount=amount))

    @rule(place=st.sampled_from(["", *PLACES]), sku=st.sampled_from(["", *SKUS]), amount=st.none() | st.integers(0, 5))
    def cap(self, place: str, sku: str, amount: int | None) -> None:
        self.does(SetCap(channel=CHANNEL, place=place, sku=sku, amount=amount))

    def cap_of(self, sku: str, place: str, channel: str) -> float:
        """The most particular cap, as it stands in the table."""
        rows = self.desk.tables.select("select sku, place, most from stock_cap where channel = ?", (channel,))
        caps = {(of, there): most for of, there, most in rows}
        own = ((sku, place), (sku, ""), ("", place), ("", ""))
        return next((caps[each] for each in own if each in caps), float("inf"))

    def entry(self, sku: str, place: str, amount: int, ago: int) -> Entry:
        return Entry(sku, place, amount, self.desk.now - ago * SECOND)

    def state(self, sku: str, place: str) -> str:
        """The state as it is shown, empty while there never was any."""
        found = self.desk.available(sku, place)
        was_there = self.desk.tables.select(
            "select 1 from account where book = 'stock' and name = 'free' and subject = ?", (f"{sku}\x1f{place}",)
        )
        return found.state if found and was_there else ""

    # -- what always holds --------------------------------------------------------------------------------------

    @invariant()
    def who_is_bounded_is_known(self) -> None:
        told = self.desk.tables.select("select channel, count(*) from stock_cap group by channel")
        assert self.desk.tables.select("select channel, caps from stock_bounded") == told

    @invariant()
    def nothing_is_negative_that_must_not_be(self) -> None:
        rows = self.desk.tables.select(
            "select name, posted, pending from account where book = 'stock' and floor = 1 and posted - pending < 0"
        )
        assert not rows

    @invariant()
    def balances_are_the_sums_of_their_entries(self) -> None:
        wrong = self.desk.tables.select(
            "select a.id from account a where a.posted <> "
            "(select coalesce(sum(case when t.credit = a.id then t.amount else -t.amount end), 0) from transfer t "
            "where t.debit = a.id or t.credit = a.id)"
        )
        assert not wrong
        assert sum(self.desk.balances().values()) == 0

    @invariant()
    def what_is_held_are_the_open_holds(self) -> None:
        wrong = self.desk.tables.select(
            "select a.id from account a where a.pending <> "
            "(select coalesce(sum(h.remaining), 0) from hold h where h.debit = a.id)"
        )
        assert not wrong

    @invariant()
    def a_debt_stands_only_where_nothing_is_free_and_somebody_knows(self) -> None:
        for sku in SKUS:
            for place in PLACES:
                debt = -self.desk.balance(sku, place, "oversold")
                assert debt >= 0
                rows = self.desk.tables.select(
                    "select t.amount from stock_level l join stock s on s.id = l.id join stock_task t on t.id = l.task "
                    "where s.sku = ? and s.place = ?",
                    (sku, place),
                )
                assert [amount for (amount,) in rows] == ([debt] if debt else [])
                if debt:
                    found = self.desk.available(sku, place)
                    assert found is not None
                    assert found.free == found.held

    @invariant()
    def no_channel_sees_more_than_can_be_sold(self) -> None:
        for sku in SKUS:
            for place in PLACES:
                all_, some = self.desk.available(sku, place), self.desk.available(sku, place, CHANNEL)
                if all_ is not None and some is not None:
                    assert 0 <= some.available <= all_.available == max(0, all_.free - all_.held - all_.safety)

    @invariant()
    def thresholds_are_told_once_for_each_crossing(self) -> None:
        assert sorted(self.desk.told()) == sorted(self.crossings)

    @invariant()
    def who_follows_the_feed_knows_what_is_there(self) -> None:
        found = feed.changes(self.desk.tables, self.cursor, limit=2)
        self.copy |= {(one.sku, one.place): one.available for one in found.items}
        self.cursor = feed.Cursor.read(found.cursor.text)
        if not found.more and found.cursor.stock < 0:
            for sku in SKUS:
                for place in PLACES:
                    shown = self.desk.available(sku, place)
                    assert self.copy.get((sku, place)) == (shown.available if shown else None)


TestShelves = Shelves.TestCase
TestShelves.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
