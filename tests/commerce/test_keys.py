"""The index of keys that is written a slice at a time: a command is found again by its key, whoever answered it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.commerce import proof
from cauce.commerce.shaping import made
from cauce.commerce.transact import carrier as carrying
from cauce.commerce.transact import keys
from cauce.commerce.transact.asking import number_of
from cauce.commerce.transact.carrier import Action, Carrier, Command
from cauce.commerce.transact.forgetting import DAYS_REMEMBERED, Forget, Forgotten, forget
from cauce.commerce.transact.keys import KEYS
from cauce.commerce.transact.store import TABLES
from cauce.commerce.transact.work import Work
from cauce.engines.api import Table, Tables
from cauce.errors import Conflict
from cauce.model import DAY
from tests.furnished import FurnishedTables

HASHES = 7
"""So few that many keys share one."""


class Count(Command, frozen=True, kw_only=True):
    """Answers how many were answered before it; refused when it is `bad`, and fails when it is `broken`."""

    bad: bool = False
    broken: bool = False


def count(work: Work, command: Count) -> int:
    number = work.number("count")
    if command.broken:
        raise ZeroDivisionError
    if command.bad:
        raise Conflict(f"not the {number}th")
    return number


ACTIONS = (Action(Count, count, int), Action(Forget, forget, Forgotten))


class Cut(Exception):
    """The commit fails."""


def carrier(tables: Tables, clock: Callable[[], int] = lambda: 1_000) -> Carrier:
    return Carrier(tables, ACTIONS, (), clock)


@contextmanager
def small() -> Iterator[None]:
    """Slices and spans that a few commands fill, and hashes that collide."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "SLICES", 4)
        patch.setattr(keys, "SPAN", 3)
        patch.setattr(keys, "ROUND", 12)
        patch.setattr(keys, "_SHIFT", 61)
        patch.setattr(carrying, "number_of", lambda content: _few(content) if content in _KEYS else number_of(content))
        yield


def _few(key: bytes) -> int:
    return number_of(key) % HASHES * (2**63 // HASHES) + 1


_KEYS = [f"key-{number}".encode() for number in range(40)]
COMMANDS = st.builds(
    Count, key=st.sampled_from(["", *map(bytes.decode, _KEYS)]), bad=st.booleans(), broken=st.booleans()
)
STEPS = st.tuples(st.sampled_from(["one", "other", "anew", "cut"]), st.lists(COMMANDS, max_size=9))


@given(steps=st.lists(STEPS, max_size=25))
def test_a_key_is_answered_once_whoever_asks_and_whoever_answered(steps: list[tuple[str, list[Count]]]) -> None:
    with small():
        tables = FurnishedTables()
        writers = {"one": carrier(tables), "other": carrier(tables)}
        answered: dict[str, tuple[Count, Any]] = {}
        for who, commands in steps:
            if who == "anew":
                writers["one"] = carrier(tables)
            writer = writers.get(who, writers["one"])
            if who == "cut":
                _cut(writer, commands)
            else:
                _check(answered, commands, writer.carry_out(commands))
        assert list(proof.commands(tables)) == []
        for command, answer in answered.values():
            for writer in (*writers.values(), carrier(tables)):
                assert str(writer.carry_out([command])[0]) == str(answer)


def _check(answered: dict[str, tuple[Count, Any]], commands: list[Count], answers: list[Any]) -> None:
    """What was answered under a key before is answered again, and nothing else under that key."""
    for command, answer in zip(commands, answers, strict=True):
        before, said = answered.get(command.key, (command, answer))
        if before == command:
            assert str(answer) == str(said) or command.broken
        else:
            assert isinstance(answer, Conflict)
            assert "was used for another command" in str(answer)
        if command.key and not command.broken:
            answered.setdefault(command.key, (command, answer))


def _cut(writer: Carrier, commands: list[Count]) -> None:
    """Carries out what is lost before it is committed."""
    finish = Work.finish

    def lost(*arguments: Any) -> None:
        finish(*arguments)
        raise Cut

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Work, "finish", lost)
        assert all(isinstance(answer, Exception) for answer in writer.carry_out(commands))


def test_pages_of_the_index_are_written_slice_by_slice() -> None:
    tables = FurnishedTables()
    writer = carrier(tables)
    spans, batch = 4, 64
    for number in range(0, spans * keys.SPAN, batch):
        writer.carry_out([Count(key=f"key-{number + place}") for place in range(batch)])
    slice_of = {id_: hash_ >> keys._SHIFT for id_, hash_ in tables.select("select id, hash from command")}
    due = {id_ for id_, slice_ in slice_of.items() if 0 < slice_ <= spans and id_ <= slice_ * keys.SPAN}
    assert {id_ for (id_,) in tables.select("select id from command_key")} == due


def test_what_others_have_written_is_not_held_for_ever() -> None:
    with small():
        tables = FurnishedTables()
        busy, quiet = carrier(tables), carrier(tables)
        for number in range(0, 400, 7):
            busy.carry_out([Count(key=f"busy-{number + place}") for place in range(7)])
            quiet.carry_out([Count(key=f"quiet-{number}")])
            for known in (busy._keys, quiet._keys):
                assert sum(map(len, known._slices)) <= 2 * keys.ROUND
                assert len(known._numbers) <= 2 * keys.ROUND


def test_what_is_forgotten_leaves_the_index_too() -> None:
    with small():
        _forgotten()


def _forgotten() -> None:
    now = 1_000
    tables = FurnishedTables()
    writer = carrier(tables, lambda: now)
    for number in range(40):
        writer.carry_out([Count(key=f"key-{number}")])
    assert tables.select("select count(*) from command_key") != [(0,)]
    now += DAYS_REMEMBERED * DAY + 1
    writer.carry_out([Count(key="young")])
    assert writer.carry_out([Forget()]) == [Forgotten(40)]
    assert tables.select("select key from command") == [("young",)]
    assert {id_ for _, id_ in tables.select("select hash, id from command_key")} <= {41}
    assert writer.carry_out([Count(key="key-3"), Count(key="young")]) == [42, 41]


def test_a_store_with_another_index_keeps_its_keys(fresh: Callable[[], Callable[[], Tables]]) -> None:
    """As releases before wrote it: `command` has an index by hash, and there is no table of keys."""
    open_ = fresh()
    tables = open_()
    command = next(table for table in TABLES if table.name == "command")
    old = Table(command.name, command.columns, command.key, indexes=(("hash",),))
    made(tables, [old if table.name == "command" else table for table in TABLES if table.name != KEYS.name])
    rows = [(number, number << 40, f"key-{number}", 1, "A7", 1_000) for number in range(1, 400)]
    with tables.transaction():
        tables.upsert(old, rows)
    tables.close()
    for _ in range(2):
        tables = open_()
        made(tables, TABLES)
        assert sorted(tables.select("select id, hash from command_key")) == [row[:2] for row in rows]
        assert list(proof.commands(tables)) == []
        tables.close()
