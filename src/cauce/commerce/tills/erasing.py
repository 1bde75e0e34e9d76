"""Takes a person out of what waits and what is remembered: facts of the river, facts on their way there, answers.

What may be much is looked through beside the writer, by `found`; the commands name what was found, a bounded piece
each, so that nobody waits for an erasure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from cauce.commerce.orders.erasing import Sought, sought
from cauce.commerce.stock.store import RESERVATIONS
from cauce.commerce.tills.deeds import AnyDeed, Order
from cauce.commerce.tills.store import ORDERS_TOLD, PENDING, UNFIT
from cauce.commerce.transact.asking import plain
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.store import ANSWERED, OUTBOX
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader
from cauce.model import Event

AT_ONCE = 500
"""Rows that one command changes."""
LOOKED_AT = 2_000
"""Rows that one question reads."""
NAMED_MAX = 50
"""Identifiers that one question names."""
ERASED = "…"
_DEEDS: msgspec.json.Decoder[AnyDeed] = msgspec.json.Decoder(AnyDeed)


class EraseFromTills(Command, frozen=True, kw_only=True):
    """Rows that name one of `owners` (`kind:value`): what sources told of `orders`, `pending` lines, `unfit` facts (by
    position), `facts` for the river, and `answers` of commands, each by its id."""

    owners: tuple[str, ...]
    orders: tuple[int, ...] = ()
    pending: tuple[int, ...] = ()
    unfit: tuple[int, ...] = ()
    facts: tuple[int, ...] = ()
    answers: tuple[int, ...] = ()


def erase(work: Work, command: EraseFromTills) -> int:
    """How many rows it was.

    A fact that waits for somebody who mends it goes, as it does from the river; so does one on its way there. What
    other facts did to the stock stays, and an answer stays an answer: a command that is repeated has no second effect.
    """
    owners = frozenset(command.owners)
    for owner in command.owners:
        for reservation in work.select(RESERVATIONS, "owner = ?", owner):
            work.put(RESERVATIONS, reservation._replace(owner=""))
    for id_ in command.orders:
        if (told := work.get(ORDERS_TOLD, id_)) is not None:
            facts = [_nobodys(fact, owners) for fact in msgspec.json.decode(told.facts, type=list[Order])]
            work.put(ORDERS_TOLD, told._replace(facts=msgspec.json.encode(facts).decode()))
    for id_ in command.pending:
        if (line := work.get(PENDING, id_)) is not None:
            deed = msgspec.json.encode(_nobodys(_DEEDS.decode(line.deed), owners)).decode()
            work.put(PENDING, line._replace(deed=deed))
    for of, ids in ((UNFIT, command.unfit), (OUTBOX, command.facts)):
        for id_ in ids:
            work.drop(of, id_)
    for id_ in command.answers:
        if (answer := work.get(ANSWERED, id_)) is not None:
            work.put(ANSWERED, answer._replace(answer=without(answer.answer, command.owners)))
    return sum(map(len, (command.orders, command.pending, command.unfit, command.facts, command.answers)))


def found(reader: Reader, owners: Sequence[str]) -> Iterator[EraseFromTills]:
    """The commands that take these identifiers out of what waits and is remembered."""
    all_of = tuple(owners)
    searched = {
        "orders": _naming(reader, "till_order_told", "facts", all_of),
        "pending": _naming(reader, "till_pending", "deed", all_of),
        "unfit": _unfit(reader, sought(all_of)),
        "facts": _facts(reader, sought(all_of)),
        "answers": _naming(reader, "command", "answer", all_of),
    }
    yield EraseFromTills(owners=all_of)
    for name, ids in searched.items():
        for first in range(0, len(ids), AT_ONCE):
            piece: dict[str, Any] = {name: tuple(ids[first : first + AT_ONCE])}
            yield EraseFromTills(owners=all_of, **piece)


def without(answer: str, owners: Sequence[str]) -> str:
    """A remembered answer (a letter, then JSON) in which nothing names these identifiers; of the same shape."""
    body = msgspec.json.decode(answer[1:])
    # Those that contain others go first, so that nothing of them is left over.
    return answer[0] + msgspec.json.encode(_without(body, sorted(owners, key=len, reverse=True))).decode()


def _without(value: Any, owners: Sequence[str]) -> Any:
    if isinstance(value, str):
        if value in owners:
            return ""
        for owner in owners:
            value = value.replace(owner, ERASED)
        return value
    if isinstance(value, list):
        return [_without(each, owners) for each in value if each not in owners]
    if isinstance(value, dict):
        return {_without(key, owners): _without(each, owners) for key, each in value.items()}
    return value


def _nobodys(deed: Any, owners: frozenset[str]) -> Any:
    who: tuple[str, ...] = getattr(deed, "who", ())
    return msgspec.structs.replace(deed, who=tuple(each for each in who if each not in owners)) if who else deed


def _naming(reader: Reader, table: str, column: str, owners: Sequence[str]) -> list[int]:
    """Ids of rows with JSON in which one of the identifiers stands, by itself or within another text."""
    ids: dict[int, None] = {}
    for first in range(0, len(owners), NAMED_MAX):
        parts = [f"%{plain(_as_stored(owner))}%" for owner in owners[first : first + NAMED_MAX]]
        condition = " or ".join([f"{column} like ? escape '!'"] * len(parts))
        ids.update((row[0], None) for row in reader.select(f"select id from {table} where {condition}", parts))
    return sorted(ids)


def _facts(reader: Reader, person: Sought) -> list[int]:
    """Facts on their way into the river; of a guest they give what was typed."""
    ids, after = [], 0
    while rows := reader.select(f"select id, body from outbox where id > {after} order by id limit {LOOKED_AT}"):
        after = rows[-1][0]
        for id_, body in rows:
            told = msgspec.json.decode(bytes(body), type=Told)
            if any(person.is_named_by(each.partition(":")[2]) for each in told.who):
                ids.append(id_)
    return ids


def _unfit(reader: Reader, person: Sought) -> list[int]:
    """Positions of facts that were put aside; they stand there as they were sent."""
    positions, after = [], 0
    while rows := reader.select(
        f"select position, event from till_unfit where position > {after} order by position limit {LOOKED_AT}"
    ):
        after = rows[-1][0]
        for position, body in rows:
            event = msgspec.json.decode(bytes(body), type=Event)
            if any(person.is_named_by(one.value) for one in event.identifiers):
                positions.append(position)
    return positions


def _as_stored(owner: str) -> str:
    """An identifier as it stands within a text of JSON."""
    return msgspec.json.encode(owner).decode()[1:-1]


ACTIONS = (Action(EraseFromTills, erase, int),)
