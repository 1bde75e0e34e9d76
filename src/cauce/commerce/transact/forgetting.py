"""Answers are remembered for a while only: after it, a command that is repeated is a new one."""

from __future__ import annotations

import msgspec

from cauce.commerce.transact.asking import marks
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.keys import KEYS
from cauce.commerce.transact.store import ANSWERED
from cauce.commerce.transact.work import Work

DAYS_REMEMBERED = 90
ROWS_MAX = 1_000
_MICROSECONDS_PER_DAY = 86_400_000_000


class Forget(Command, frozen=True, kw_only=True):
    """Forgets the oldest answers, `limit` at most, when they are older than `DAYS_REMEMBERED`."""

    limit: int = ROWS_MAX


class Forgotten(msgspec.Struct, frozen=True):
    """How many answers were forgotten."""

    answers: int


def forget(work: Work, command: Forget) -> Forgotten:
    before = work.now - DAYS_REMEMBERED * _MICROSECONDS_PER_DAY
    # By number, which is the order of time: nothing is searched through while the oldest is young enough.
    oldest = work.select(ANSWERED, "1 = 1 order by id limit 1")
    if not oldest or oldest[0].at >= before:
        return Forgotten(0)
    gone = [
        row
        for row in work.select(ANSWERED, "1 = 1 order by id limit ?", min(command.limit, ROWS_MAX))
        if row.at < before
    ]
    for row in gone:
        work.drop(ANSWERED, row.id)
    if gone:
        work.change(
            f"delete from {KEYS.name} where hash in ({marks(gone)}) and id <= ?",
            *(row.hash for row in gone),
            gone[-1].id,
        )
    return Forgotten(len(gone))


ACTIONS = (Action(Forget, forget, Forgotten),)
