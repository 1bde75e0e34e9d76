"""What passes with time, done by the clerk: each chore is carried out, and what is held too long is free again."""

from __future__ import annotations

import pytest

from cauce.commerce.ledger import api as ledger
from cauce.commerce.parts import ACTIONS, CHORES, SHAPES
from cauce.commerce.stock import reserving
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.commerce.stock.store import FREE, place_of
from cauce.commerce.transact.carrier import Carrier, Command
from cauce.commerce.transact.forgetting import DAYS_REMEMBERED, Forget, Forgotten
from cauce.engines.api import Tables

DAY = 86_400_000_000


@pytest.mark.parametrize("chore", CHORES, ids=lambda chore: type(chore).__name__)
def test_a_chore_has_nothing_to_do_in_an_empty_store(memory: Tables, chore: Command) -> None:
    (answer,) = Carrier(memory, ACTIONS, SHAPES, lambda: DAY).carry_out([chore])
    assert not isinstance(answer, Exception), answer


def test_what_is_held_too_long_is_free_again(memory: Tables) -> None:
    now = DAY
    each = Carrier(memory, ACTIONS, SHAPES, lambda: now)
    line = reserving.Line("jacket", "s1", 3_000)
    each.carry_out([Receive(lines=(Entry("jacket", "s1", 5_000),))])
    (held,) = each.carry_out([reserving.Reserve(key="a", lines=(line,), seconds=60)])
    (short,) = each.carry_out([reserving.Reserve(key="b", lines=(line,), seconds=60)])
    assert short.details == {"lines": [{"sku": "jacket", "place": "s1", "wanted": 3_000, "available": 2_000}]}
    now += 61_000_000
    assert each.carry_out([reserving.SweepHolds()]) == [reserving.SweptHolds(1)]
    assert each.carry_out([reserving.SweepHolds()]) == [reserving.SweptHolds(0)]
    (late,) = each.carry_out([reserving.Confirm(reservation=held.id)])
    assert "no longer open: it was expired" in str(late)
    place = place_of("jacket", "s1", FREE)
    assert ledger.balances(memory, place.book, place.subject)[FREE].available == 5_000


def test_an_answer_is_forgotten_after_its_time_and_not_before(memory: Tables) -> None:
    now = DAY
    each = Carrier(memory, ACTIONS, SHAPES, lambda: now)
    command = Receive(key="r", lines=(Entry("jacket", "s1", 5_000),))
    first = each.carry_out([command])
    now += DAYS_REMEMBERED * DAY
    assert each.carry_out([Forget(), command]) == [Forgotten(0), *first]
    now += 1
    assert each.carry_out([Forget(), Forget()]) == [Forgotten(1), Forgotten(0)]
    assert memory.select("select count(*) from command") == [(0,)]
