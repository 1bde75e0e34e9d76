"""The ledger as a state machine: whatever is moved, promised, kept, taken back or runs out, the sums hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cauce.commerce.ledger import api as ledger
from cauce.commerce.ledger.api import Place
from cauce.commerce.transact.carrier import Action, Carrier, Command
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader, Tables
from cauce.errors import CauceError, Conflict, Ended, Shortage, StorageBroken
from tests.furnished import FurnishedTables

WORLD = Place("test", "w", "world", floor=False)
PLACES = (WORLD, Place("test", "a", "free"), Place("test", "b", "free"), Place("test", "c", "free"))
SECOND = 1_000_000


class Move(Command, frozen=True, kw_only=True):
    debit: int
    credit: int
    amount: int


class Promise(Command, frozen=True, kw_only=True):
    debit: int
    credit: int
    amount: int
    seconds: int


class Keep(Command, frozen=True, kw_only=True):
    hold: int
    amount: int | None


class TakeBack(Command, frozen=True, kw_only=True):
    hold: int


class Sweep(Command, frozen=True, kw_only=True):
    pass


class Done(msgspec.Struct, frozen=True):
    number: int = 0


def move(work: Work, command: Move) -> Done:
    return Done(ledger.move(work, PLACES[command.debit], PLACES[command.credit], command.amount, "test").id)


def promise(work: Work, command: Promise) -> Done:
    due = work.now + command.seconds * SECOND if command.seconds else 0
    giver, taker = PLACES[command.debit], PLACES[command.credit]
    return Done(ledger.hold(work, giver, taker, command.amount, due=due, owner="test:1").id)


def keep(work: Work, command: Keep) -> Done:
    return Done(ledger.post(work, command.hold, command.amount, why="kept").id)


def take_back(work: Work, command: TakeBack) -> Done:
    return Done(ledger.void(work, command.hold).id)


def sweep(work: Work, command: Sweep) -> Done:
    holds = ledger.past_due(work, 100)
    for one in holds:
        ledger.void(work, one.id, state=ledger.EXPIRED)
    return Done(len(holds))


ACTIONS = tuple(
    Action(command, handle, Done)
    for command, handle in ((Move, move), (Promise, promise), (Keep, keep), (TakeBack, take_back), (Sweep, sweep))
)
ENDS = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda ends: ends[0] != ends[1])
AMOUNTS = st.integers(1, 9)
COMMANDS = st.one_of(
    st.builds(lambda ends, amount: Move(debit=ends[0], credit=ends[1], amount=amount), ENDS, AMOUNTS),
    st.builds(
        lambda ends, amount, seconds: Promise(debit=ends[0], credit=ends[1], amount=amount, seconds=seconds),
        ENDS, AMOUNTS, st.integers(0, 4),
    ),
    st.builds(Keep, hold=st.integers(1, 6), amount=st.none() | AMOUNTS),
    st.builds(TakeBack, hold=st.integers(1, 6)),
    st.just(Sweep()),
)  # fmt: skip


class Model:
    """The least that can be meant by all this: a few dictionaries."""

    def __init__(self) -> None:
        self.balance = [0, 0, 0, 0]
        self.holds: dict[int, list[int]] = {}  # number -> debit, credit, left, due
        self.numbers = 0

    def available(self, place: int) -> float:
        pending = sum(left for debit, _, left, _ in self.holds.values() if debit == place)
        return self.balance[place] - pending if PLACES[place].floor else float("inf")

    def do(self, command: Command, now: int) -> type:
        match command:
            case Move():
                if command.amount > self.available(command.debit):
                    return Shortage
                self._carry(command.debit, command.credit, command.amount)
            case Promise():
                if command.amount > self.available(command.debit):
                    return Shortage
                self.numbers += 1
                due = now + command.seconds * SECOND if command.seconds else 0
                self.holds[self.numbers] = [command.debit, command.credit, command.amount, due]
            case Keep():
                found = self.holds.get(command.hold)
                if found is None or (found[3] and found[3] <= now):
                    return Ended if command.hold <= self.numbers else CauceError
                amount = found[2] if command.amount is None else command.amount
                if amount > found[2]:
                    return Ended
                self._carry(found[0], found[1], amount)
                found[2] -= amount
                if not found[2]:
                    del self.holds[command.hold]
            case TakeBack():
                if self.holds.pop(command.hold, None) is None:
                    return Ended if command.hold <= self.numbers else CauceError
            case Sweep():
                self.holds = {number: one for number, one in self.holds.items() if not (one[3] and one[3] <= now)}
        return Done

    def _carry(self, debit: int, credit: int, amount: int) -> None:
        self.balance[debit] -= amount
        self.balance[credit] += amount


def balances(tables: Reader) -> list[tuple[int, int]]:
    found = {
        row.subject: row for place in PLACES for row in ledger.balances(tables, place.book, place.subject).values()
    }
    return [
        (found[place.subject].posted, found[place.subject].pending) if place.subject in found else (0, 0)
        for place in PLACES
    ]


def recomputed(tables: Reader) -> list[tuple[int, int]]:
    """Balances from the entries and the open holds alone."""
    answers = []
    for place in PLACES:
        id_ = ledger.id_of(place)
        (posted,) = tables.select(
            "select coalesce(sum(case when credit = ? then amount else -amount end), 0) from transfer "
            "where credit = ? or debit = ?",
            (id_, id_, id_),
        )[0]
        (pending,) = tables.select(
            "select coalesce(sum(remaining), 0) from hold where debit = ? and state = 'open'", (id_,)
        )[0]
        answers.append((int(posted), int(pending)))
    return answers


def judge(tables: Tables, batches: Sequence[Sequence[Command]]) -> None:
    """Carries batches out, a second apart, and compares with the model after each."""
    now = 0
    each, model = Carrier(tables, ACTIONS, ledger.TABLES, lambda: now), Model()
    for batch in batches:
        now += SECOND
        answers = each.carry_out(batch)
        for command, answer in zip(batch, answers, strict=True):
            assert isinstance(answer, model.do(command, now)), (command, answer)
        pending = [sum(one[2] for one in model.holds.values() if one[0] == place) for place in range(4)]
        assert balances(tables) == recomputed(tables) == list(zip(model.balance, pending, strict=True))
        assert sum(model.balance) == 0
        assert {row[0] for row in tables.select("select id from hold where due > 0")} == {
            number for number, one in model.holds.items() if one[3]
        }


BATCHES = st.lists(st.lists(COMMANDS, max_size=8), max_size=8)


@given(batches=BATCHES)
def test_sums_hold_whatever_happens(batches: list[list[Command]]) -> None:
    judge(FurnishedTables(), [[Move(debit=0, credit=1, amount=9), Move(debit=0, credit=2, amount=9)], *batches])


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_sums_hold_on_every_engine(fresh: Any, batches: list[list[Command]]) -> None:
    tables = fresh()()
    judge(tables, [[Move(debit=0, credit=1, amount=9), Move(debit=0, credit=2, amount=9)], *batches])
    tables.close()


def test_an_entry_is_never_changed_and_a_floor_never_broken_by_anybody(fresh: Any) -> None:
    tables: Tables = fresh()()
    each = Carrier(tables, ACTIONS, ledger.TABLES, lambda: 1)
    each.carry_out([Move(debit=0, credit=1, amount=5), Promise(debit=1, credit=2, amount=3, seconds=0)])
    for statement in (
        "update transfer set amount = 1",
        "delete from transfer",
        "update account set posted = 2 where subject = 'a'",
        "update account set pending = 6 where subject = 'a'",
        "update hold set remaining = 4",
    ):
        with pytest.raises(StorageBroken), tables.transaction():
            tables.execute(statement)
    assert balances(tables)[1] == (5, 3)
    tables.close()


def test_a_shortage_says_what_can_be_had(memory: Tables) -> None:
    each = Carrier(memory, ACTIONS, ledger.TABLES, lambda: 1)
    done, short = each.carry_out([Move(debit=0, credit=1, amount=5), Promise(debit=1, credit=2, amount=6, seconds=0)])
    assert done == Done(1)
    assert isinstance(short, Conflict)
    assert short.details == {"book": "test", "subject": "a", "wanted": 6, "available": 5}
