"""SQL statements that people keep, and those that they asked lately: each sees their own only."""

from __future__ import annotations

import time
from hashlib import blake2b

import msgspec

from cauce.access.control import Control
from cauce.engines.api import Table
from cauce.errors import DefinitionInvalid, NotFound
from cauce.model import DAY

QUERY = Table(
    "sql_query",
    (("id", "integer"), ("owner", "text"), ("name", "text"), ("statement", "text"), ("asked", "integer")),
    ("id",),
    indexes=(("owner", "asked"),),
)
"""Statements by owner; `name` is empty for those that were only asked. `asked` is the last time, microseconds UTC."""

STATEMENT_CHARACTERS_MAX = 20_000
NAME_CHARACTERS_MAX = 100
SAVED_MAX = 200
RECENT_MAX = 30
RECENT_DAYS = 30
"""A statement may hold personal values, so one that nobody saved is forgotten."""


class Query(msgspec.Struct, frozen=True):
    """A statement of somebody."""

    id: int
    name: str
    statement: str
    asked: int


class Queries:
    """Statements in the control database; any number of threads."""

    def __init__(self, control: Control) -> None:
        self._control = control
        control.create((QUERY,))

    def saved(self, owner: str) -> list[Query]:
        """What somebody saved, by name."""
        rows = self._control.select(
            "select id, name, statement, asked from sql_query where owner = ? and name <> '' order by name, id", owner
        )
        return [Query(*row) for row in rows]

    def recent(self, owner: str) -> list[Query]:
        """What somebody asked lately and did not save, the latest first."""
        rows = self._control.select(
            "select id, name, statement, asked from sql_query where owner = ? and name = '' and asked > ? "
            f"order by asked desc limit {RECENT_MAX}",
            owner,
            _now() - RECENT_DAYS * DAY,
        )
        return [Query(*row) for row in rows]

    def remember(self, owner: str, statement: str) -> None:
        """Puts a statement on top of what somebody asked lately; the oldest fall out."""
        id = _id_of(owner, "", statement)
        with self._control.changing():
            self._control.upsert(QUERY, [(id, owner, "", statement, _now())])
            self._control.execute(
                "delete from sql_query where owner = ? and name = '' and (asked <= ? or id not in "
                f"(select id from sql_query where owner = ? and name = '' order by asked desc limit {RECENT_MAX}))",
                owner,
                _now() - RECENT_DAYS * DAY,
                owner,
            )

    def save(self, owner: str, name: str, statement: str) -> Query:
        """Keeps a statement under a name; another one of the same name is replaced."""
        name = " ".join(name.split())
        if not 1 <= len(name) <= NAME_CHARACTERS_MAX:
            raise DefinitionInvalid(f"expected a name of 1–{NAME_CHARACTERS_MAX} characters, got {len(name)}")
        if not 1 <= len(statement.strip()) <= STATEMENT_CHARACTERS_MAX:
            raise DefinitionInvalid(f"expected a statement of 1–{STATEMENT_CHARACTERS_MAX} characters")
        held = {query.name for query in self.saved(owner)}
        if name not in held and len(held) >= SAVED_MAX:
            raise DefinitionInvalid(f"expected at most {SAVED_MAX} saved statements", hint="Delete one first")
        query = Query(_id_of(owner, name, ""), name, statement, _now())
        with self._control.changing():
            self._control.upsert(QUERY, [(query.id, owner, name, statement, query.asked)])
        return query

    def get(self, owner: str, id: int) -> Query:
        """A statement of somebody; NotFound when it is not theirs."""
        rows = self._control.select(
            "select id, name, statement, asked from sql_query where id = ? and owner = ?", id, owner
        )
        if not rows:
            raise NotFound("there is no such statement", hint="It may have been deleted")
        return Query(*rows[0])

    def delete(self, owner: str, id: int) -> None:
        """Forgets a statement of somebody; NotFound when it is not theirs."""
        self.get(owner, id)
        with self._control.changing():
            self._control.execute("delete from sql_query where id = ? and owner = ?", id, owner)


def _id_of(owner: str, name: str, statement: str) -> int:
    told = "\0".join((owner, name, statement)).encode()
    return int.from_bytes(blake2b(told, digest_size=8).digest()) >> 1


def _now() -> int:
    return time.time_ns() // 1_000
