"""The way of commerce's facts into the river: read in order, made durable there, then forgotten here.

A crash between the two tells a fact twice under the same id, and the river knows it again.
"""

from __future__ import annotations

from collections.abc import Iterator

from cauce.commerce.transact.records import Records
from cauce.commerce.transact.store import OUTBOX, Fact
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Action, Command
from cauce.engines.api import Reader

FACTS_MAX = 2_000
BYTES_MAX = 4 * 2**20
"""Bytes of facts told at once; at least one fact is."""


class Relayed(Command, frozen=True, kw_only=True):
    """These facts of the outbox stand in the river."""

    facts: tuple[int, ...]


def waiting(reader: Reader, *, facts_max: int = FACTS_MAX, bytes_max: int = BYTES_MAX) -> list[Fact]:
    """The next facts to be told, in order."""
    found: list[Fact] = []
    size = 0
    for row in reader.select(f"select {OUTBOX.columns} from outbox order by id limit ?", (facts_max,)):
        fact = OUTBOX.of(row)._replace(body=bytes(row[2]))
        size += len(fact.body)
        if found and size > bytes_max:
            break
        found.append(fact)
    return found


def relayed(work: Work, command: Relayed) -> int:
    """Forgets facts that were told; how many of them were still there."""
    present = [id_ for id_ in command.facts if work.get(OUTBOX, id_) is not None]
    for id_ in present:
        work.drop(OUTBOX, id_)
    return len(present)


def relayed_needs(command: Relayed) -> Iterator[tuple[Records[Fact], int]]:
    for id_ in command.facts:
        yield OUTBOX, id_


ACTIONS = (Action(Relayed, relayed, int, relayed_needs),)
