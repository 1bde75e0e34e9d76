"""Tables of answered commands, of numbers given out, and of facts on their way into the river."""

from __future__ import annotations

from typing import NamedTuple

from cauce.commerce.transact.keys import KEYS
from cauce.commerce.transact.records import records
from cauce.engines.api import Table


class Answered(NamedTuple):
    """A command that was answered: `hash` is one of its key, `content` one of what it asked; `at` in microseconds.

    Numbered, so that rows are added at the end of the file: rows in the order of a hash would change a page each.
    They are found by `transact.keys`.
    """

    id: int
    hash: int
    key: str
    content: int
    answer: str
    at: int


class Number(NamedTuple):
    """The last number given out of a series."""

    name: str
    last: int


class Fact(NamedTuple):
    """Something that happened, on its way into the river: JSON of `told`, in order of `id`."""

    id: int
    at: int
    body: bytes


ANSWERED = records("command", Answered)
NUMBERS = records("number", Number)
OUTBOX = records("outbox", Fact)
TURN = Table("turn", (("id", "integer"), ("last", "integer")), ("id",))
"""One row, changed first in every transaction: on an engine with many writers it makes them come one by one."""
TABLES: tuple[Table, ...] = (ANSWERED.table, KEYS.table, NUMBERS.table, OUTBOX.table, TURN)
