"""What always holds of points, whatever happens in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cauce.commerce.loyalty import api
from cauce.commerce.loyalty.earning import ClawBack, Earn
from cauce.commerce.loyalty.rules import Line
from cauce.engines.api import Tables
from cauce.engines.memory import MemoryTables
from cauce.errors import Ended, Shortage
from cauce.model.time import DAY, HOUR
from tests.commerce.loyalty.club import CARD, CLUB, MAIL, T0, Club, on_disk, sums

pytestmark = pytest.mark.soak

RICH = """
programme: club
name: Club Ribera
currency: EUR
timezone: Europe/Madrid
earn:
  - {name: Every euro, points: 1, per: 1.00}
  - {name: Shoes, points: 5, per: item, categories: [shoes]}
multipliers:
  - {name: Double in March, times: 2, from: 2026-03-01, until: 2026-03-31}
day_points_max: 250
tiers:
  by: amount
  window: {months: 6}
  grace_days: 20
  levels:
    - {tier: silver, entry: 150, keep: 100, bonus: 1.25}
    - {tier: gold, entry: 400, keep: 300, bonus: 1.5}
lots: {expire: {months: 12}}
rewards: [{reward: coffee, points: 50}]
"""
WHO = ((CARD,), (MAIL,), (CARD, MAIL))
PERSON = (CARD, MAIL)


class Points(RuleBasedStateMachine):
    """A person with a card and a mail address, who are now one and now two."""

    make: Callable[[], Tables] = MemoryTables

    @initialize()
    def begins(self) -> None:
        self.club = Club(CLUB, type(self).make)
        self.bought: dict[str, int] = {}
        self.returns = 0
        self.open: dict[int, int] = {}
        self.spent = 0

    def teardown(self) -> None:
        if hasattr(self, "club"):
            self.club.close()

    @rule(number=st.integers(1, 6), euros=st.integers(0, 120), who=st.sampled_from(WHO), other=st.integers(0, 6))
    def buys(self, number: int, euros: int, who: tuple[str, ...], other: int) -> None:
        also = (f"R-{other}",) if other else ()
        for each in self.club.buy(f"O-{number}", euros, *who, also=also):
            assert 0 <= each.clawed <= each.points

    @rule(number=st.integers(1, 6), euros=st.integers(0, 150), sort=st.sampled_from("OR"))
    def brings_back(self, number: int, euros: int, sort: str) -> None:
        self.returns += 1
        for each in self.club.bring_back(f"{sort}-{number}", f"B{self.returns}", euros):
            assert 0 <= each.clawed <= each.points

    @rule(who=st.sampled_from(WHO), reward=st.sampled_from(("coffee", "mug")))
    def begins_redemption(self, who: tuple[str, ...], reward: str) -> None:
        cost = {"coffee": 50, "mug": 100}[reward]
        before = self.club.points(*who)
        try:
            found = self.club.begin(reward, *who)
        except Shortage:
            assert before < cost or reward == "mug"
            return
        assert before >= cost
        assert self.club.points(*who) == before - cost
        self.open[found.id] = cost

    @precondition(lambda self: self.open)
    @rule(data=st.data(), ends=st.sampled_from(("complete", "cancel")))
    def ends_redemption(self, data: st.DataObject, ends: str) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.open)))
        try:
            getattr(self.club, ends)(id_)
        except Ended:
            assert ends == "complete"  # it ran out
            return
        cost = self.open.pop(id_)
        self.spent += cost if ends == "complete" else 0
        for again in (self.club.complete, self.club.cancel):
            with pytest.raises(Ended):
                again(id_)

    @rule(points=st.integers(-60, 60).filter(bool), member=st.sampled_from(PERSON))
    def adjusts(self, points: int, member: str) -> None:
        try:
            self.club.adjust(points, member)
        except Shortage:
            assert points < 0

    @rule(days=st.sampled_from((0.001, 1, 30, 200)))
    def time_passes(self, days: float) -> None:
        self.club.days(days)

    @rule()
    def sweeps(self) -> None:
        self.club.sweep()

    @invariant()
    def all_sums_up(self) -> None:
        if not hasattr(self, "club"):
            return
        reader, now = self.club.read(), self.club.now
        found = {who: api.balance(reader, who, now) for who in WHO}
        each = {who: (have[0] if have else None) for who, have in found.items()}
        both, card, mail = each[PERSON], each[CARD,], each[MAIL,]
        outstanding = api.figures(reader, "club").outstanding
        assert outstanding == (both.points if both else 0)
        if both is None:
            return
        # Being one or two moves nothing.
        parts = [one for one in (card, mail) if one]
        for name in ("points", "held", "coming", "overdue", "owed"):
            assert getattr(both, name) == sum(getattr(one, name) for one in parts), name
        assert sorted(lot.id for lot in both.lots) == sorted(lot.id for one in parts for lot in one.lots)
        for lot in both.lots:
            assert 0 <= lot.held <= lot.points
        assert sum(lot.points for lot in both.lots) - both.owed == both.points
        free = sum(lot.points - lot.held for lot in both.lots if lot.starts <= now < lot.expires)
        assert both.available == max(0, free - both.owed)
        assert api.figures(reader, "club").spent == self.spent
        for who, one in each.items():
            if one:
                sums(reader, who, now, one.points)


def test_in_memory() -> None:
    run_state_machine_as_test(Points, settings=settings(max_examples=15, stateful_step_count=25, deadline=None))


def test_the_same_on_disk(tmp_path: Path) -> None:
    numbers = iter(range(10_000))

    class OnDisk(Points):
        @staticmethod
        def make() -> Tables:
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            return on_disk(folder)()

    run_state_machine_as_test(OnDisk, settings=settings(max_examples=3, stateful_step_count=15, deadline=None))


# -- any order --------------------------------------------------------------------------------------------------


@st.composite
def facts(draw: st.DrawFn) -> list[Any]:
    """Purchases with their returns over a year, some of them told more than once under other names."""
    found: list[Any] = []
    for number in range(draw(st.integers(1, 6))):
        at = T0 + draw(st.integers(0, 300)) * DAY + number * HOUR
        euros = draw(st.integers(0, 300))
        category = draw(st.sampled_from(("", "shoes")))
        line = Line("A", euros * 100, category=category)
        names = draw(st.lists(st.sampled_from((f"O-{number}", f"R-{number}")), min_size=1, max_size=2, unique=True))
        tellings: list[tuple[str, ...]] = [tuple(names)]
        if draw(st.booleans()):
            tellings += [(f"O-{number}",), (f"O-{number}", f"R-{number}"), (f"R-{number}",)]
        found += [Earn(documents=each, who=PERSON, at=at, lines=(line,), currency="EUR") for each in tellings]
        for back in range(draw(st.integers(0, 2))):
            when, amount = at + draw(st.integers(0, 60)) * DAY, draw(st.integers(1, 100)) * 100
            found += [ClawBack(document=names[0], id=f"B-{number}-{back}", at=when, amount=amount)]
    return found


@given(told=facts(), data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_in_whatever_order_facts_become_known_the_points_are_the_same(told: list[Any], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told), max_size=3))]))
    assert came_to(told) == came_to(shuffled)


def came_to(told: list[Any]) -> Any:
    with closing(Club(RICH)) as club:
        club.now = T0 + 364 * DAY
        for each in told:
            club.do(each)
        found = club.balance(*PERSON)
        lots = sorted((lot.at, lot.points) for lot in found.lots)
        club.days(1_000)
        club.sweep()
        end = club.statement(*PERSON)
        return found.points, lots, found.progress, end.earned - end.clawed, end.expired, end.closing
