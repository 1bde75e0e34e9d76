"""Commands: one effect and one answer for a key, whatever the batches, the faults and the neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise
from threading import Thread
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.commerce.transact.carrier import Action, Carrier, Command
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.records import records
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Writer
from cauce.engines.api import Tables
from cauce.errors import CauceError, Conflict, DefinitionInvalid, NotFound, StorageBroken
from tests.furnished import FurnishedTables


class Purse(NamedTuple):
    name: str
    coins: int


class Gift(NamedTuple):
    giver: str
    taker: str
    coins: int


PURSES = records("purse", Purse, checks=("coins >= 0",))
GIFTS = records("gift", Gift, key_columns=2)
SHAPES = (PURSES.table, GIFTS.table)


class Give(Command, frozen=True, kw_only=True):
    giver: str
    taker: str
    coins: int
    careless: bool = False


class Shut(Command, frozen=True, kw_only=True):
    name: str


class Level(Command, frozen=True, kw_only=True):
    """Takes from the richest what the poorest lacks; asks the tables who that is."""


class Stumble(Command, frozen=True, kw_only=True):
    name: str


class Given(msgspec.Struct, frozen=True):
    left: int
    number: int


def give(work: Work, command: Give) -> Given:
    if command.coins < 0:
        raise DefinitionInvalid("expected coins of 0 or more")
    giver = work.get(PURSES, command.giver) or work.put(PURSES, Purse(command.giver, 10))
    taker = work.get(PURSES, command.taker) or Purse(command.taker, 10)
    work.put(PURSES, giver._replace(coins=giver.coins - command.coins))
    number = work.number("gift")
    if giver.coins < command.coins and not command.careless:
        raise Conflict(f"{command.giver} has {giver.coins}")
    if command.taker != command.giver:
        work.put(PURSES, taker._replace(coins=taker.coins + command.coins))
        before = work.get(GIFTS, command.giver, command.taker)
        work.put(GIFTS, Gift(command.giver, command.taker, (before.coins if before else 0) + command.coins))
    work.tell(Told(name="Given", at=work.now, channel="test", properties={"number": number}))
    return Given(giver.coins - command.coins, number)


def shut(work: Work, command: Shut) -> Given:
    found = work.need(PURSES, command.name)
    work.drop(PURSES, command.name)
    return Given(found.coins, work.number("shut"))


def level(work: Work, command: Level) -> Given:
    number = work.number("level")
    purses = work.select(PURSES, "1 = 1 order by coins, name")
    if len(purses) < 2:
        raise Conflict("there are not two")
    poor, rich = purses[0], purses[-1]
    work.put(PURSES, rich._replace(coins=rich.coins - 1))
    if rich.coins - poor.coins < 2:
        raise Conflict("it is level")
    work.put(PURSES, poor._replace(coins=poor.coins + 1))
    return Given(rich.coins - 1, number)


def stumble(work: Work, command: Stumble) -> Given:
    work.put(PURSES, Purse(command.name, 1_000))
    work.number("gift")
    raise ZeroDivisionError


ACTIONS = tuple(
    Action(command, handle, Given)
    for command, handle in ((Give, give), (Shut, shut), (Level, level), (Stumble, stumble))
)
NAMES = st.sampled_from("abcd")
KEYS = st.sampled_from(["", "", *(f"key-{number}" for number in range(12))])
COMMANDS = st.one_of(
    st.builds(Give, key=KEYS, giver=NAMES, taker=NAMES, coins=st.integers(-1, 8)),
    st.builds(Shut, key=KEYS, name=NAMES),
    st.builds(Level, key=KEYS),
    st.builds(Stumble, key=KEYS, name=NAMES),
)


def carrier(tables: Tables) -> Carrier:
    return Carrier(tables, ACTIONS, SHAPES, clock=lambda: 1_000)


def contents(tables: Tables) -> dict[str, list[Any]]:
    """Everything that is stored; a key that the server made for a command is not told apart."""
    names = ("purse", "gift", "number", "outbox", "command")
    return {name: sorted(tables.select(f"select * from {name}")) for name in names}


def said(answers: Sequence[Any]) -> list[Any]:
    return [str(answer) if isinstance(answer, Exception) else answer for answer in answers]


@given(commands=st.lists(COMMANDS, max_size=30), cuts=st.sets(st.integers(1, 29)))
def test_however_batches_are_cut_answers_and_state_are_the_same(commands: list[Command], cuts: set[int]) -> None:
    one_by_one, batched = FurnishedTables(), FurnishedTables()
    single, several = carrier(one_by_one), carrier(batched)
    expected = [answer for command in commands for answer in single.carry_out([command])]
    bounds = sorted({0, len(commands), *(cut for cut in cuts if cut < len(commands))})
    found = [answer for low, high in pairwise(bounds) for answer in several.carry_out(commands[low:high])]
    assert said(found) == said(expected)
    assert contents(batched) == contents(one_by_one)


@given(commands=st.lists(COMMANDS, max_size=20))
def test_what_is_repeated_changes_nothing_and_is_answered_alike(commands: list[Command]) -> None:
    tables = FurnishedTables()
    each = carrier(tables)
    first = each.carry_out(commands)
    before = contents(tables)
    again = each.carry_out([command for command in commands if command.key])
    remembered = [
        (command, answer)
        for command, answer in zip(commands, first, strict=True)
        if command.key and not isinstance(answer, DefinitionInvalid | NotFound | ZeroDivisionError)
    ]
    after = dict(zip([command for command in commands if command.key], again, strict=True))
    for command, answer in remembered:
        assert said([after[command]]) == said([answer])
    if len(remembered) == len(again):
        assert contents(tables) == before


def test_coins_are_neither_made_nor_lost_by_refusals(fresh: Any) -> None:
    tables = fresh()()
    each = carrier(tables)
    answers = each.carry_out(
        [
            Give(giver="a", taker="b", coins=4),
            Give(giver="a", taker="c", coins=9),
            Stumble(name="a"),
            Give(giver="b", taker="c", coins=1),
        ]
    )
    assert [type(answer) for answer in answers] == [Given, Conflict, ZeroDivisionError, Given]
    assert [answer.number for answer in answers if isinstance(answer, Given)] == [1, 2]
    assert tables.select("select name, coins from purse order by name") == [("a", 6), ("b", 13), ("c", 11)]
    each.close()


def test_what_the_database_refuses_leaves_its_neighbours_alone(fresh: Any) -> None:
    make = fresh()
    each = carrier(make())
    answers = each.carry_out(
        [
            Give(key="1", giver="a", taker="b", coins=4),
            Give(key="2", giver="a", taker="b", coins=50, careless=True),
            Give(key="3", giver="a", taker="b", coins=1),
        ]
    )
    assert [type(answer) for answer in answers] == [Given, StorageBroken, Given], said(answers)
    each.close()
    again = make()
    assert again.select("select name, coins from purse order by name") == [("a", 5), ("b", 15)]
    again.close()


def test_a_key_outlives_the_process(fresh: Any) -> None:
    make = fresh()
    command, refused = Give(key="k", giver="a", taker="b", coins=4), Give(key="r", giver="a", taker="b", coins=40)
    first = carrier(make())
    answer, refusal = first.carry_out([command, refused])
    first.close()
    second = carrier(make())
    repeated, refused_again, other = second.carry_out([command, refused, Give(key="k", giver="a", taker="b", coins=5)])
    second.close()
    assert repeated == answer
    assert str(refused_again) == str(refusal)
    assert refused_again.code == "conflict"
    assert "was used for another command" in str(other)


def test_threads_and_loops_share_one_writer(fresh: Any) -> None:
    make: Callable[[], Tables] = fresh()
    writer = Writer(make(), ACTIONS, SHAPES)
    writer.do(Give(giver="bank", taker="a", coins=0))

    def thread(name: str) -> None:
        for number in range(30):
            try:
                writer.do(Give(key=f"{name}-{number}", giver="bank", taker=name, coins=1))
            except Conflict:
                writer.do(Give(giver=name, taker="bank", coins=1))

    async def tasks() -> list[Any]:
        commands = [Give(key=f"t-{number % 20}", giver="a", taker="t", coins=1) for number in range(40)]
        return await asyncio.gather(*(writer.ask(command) for command in commands), return_exceptions=True)

    answers: list[Any] = []
    threads = [Thread(target=thread, args=(name,)) for name in ("x", "y", "z")]
    # In a thread of its own: a test of a browser may have left a loop in this one.
    threads.append(Thread(target=lambda: answers.extend(asyncio.run(tasks()))))
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    writer.close()
    assert said(answers[:20]) == said(answers[20:])
    tables = make()
    (total,) = tables.select("select sum(coins) from purse")[0]
    (purses,) = tables.select("select count(*) from purse")[0]
    tables.close()
    assert total == 10 * purses


def test_many_commands_at_once_are_answered_in_order(memory: Tables) -> None:
    writer = Writer(memory, ACTIONS, SHAPES)
    answers = writer.do_all([Give(giver="a", taker="b", coins=3) for _ in range(5)])
    assert [getattr(answer, "left", str(answer)) for answer in answers] == [7, 4, 1, "a has 1", "a has 1"]
    writer.close()
    with pytest.raises(CauceError, match="shutting down"):
        writer.do(Level())


def test_two_writers_on_one_store_come_one_after_the_other(fresh: Any) -> None:
    make = fresh()
    writers = [Writer(make(), ACTIONS, SHAPES) for _ in range(3)]
    threads = [
        Thread(target=writer.do_all, args=([Give(giver="a", taker="b", coins=0) for _ in range(40)],))
        for writer in writers
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for writer in writers:
        writer.close()
    tables = make()
    assert tables.select("select last from number where name = 'gift'") == [(120,)]
    assert tables.select("select count(*), max(id) from outbox") == [(120, 120)]
    tables.close()
