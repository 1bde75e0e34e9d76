"""Takes a person out of their bookings: the places stay taken, nobody's from now on."""

from __future__ import annotations

import msgspec

from cauce.commerce.bookings import rules
from cauce.commerce.bookings.store import BOOKINGS, OWNERS, WAITINGS
from cauce.commerce.transact.asking import plain
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work

NOBODY = "[]"


class EraseFromBookings(Command, frozen=True, kw_only=True):
    """`owners` are all identifiers of the person (`kind:value`). Whoever of them waits does so no longer."""

    owners: tuple[str, ...]


def erase(work: Work, command: EraseFromBookings) -> int:
    """How many bookings it was."""
    found: set[int] = set()
    for owner in dict.fromkeys(command.owners):
        found.update(row.booking for row in work.select(OWNERS, "owner = ?", owner))
        # Who waits is listed by slot; what they are called stands as JSON, so that a part of another name is none.
        for waiting in work.select(WAITINGS, "owners like ? escape '!'", f"%{plain(_as_stored(owner))}%"):
            state = rules.LEFT if waiting.state == rules.WAITING else waiting.state
            work.put(WAITINGS, waiting._replace(owners=NOBODY, state=state))
    for id_ in sorted(found):
        booking = work.need(BOOKINGS, id_)
        work.put(BOOKINGS, booking._replace(owners=NOBODY, note="", changed=work.now))
        for row in work.select(OWNERS, "booking = ?", id_):
            work.drop(OWNERS, *row)
    return len(found)


def _as_stored(owner: str) -> str:
    """An identifier as it stands in JSON, in its quotation marks."""
    return msgspec.json.encode(owner).decode()


ACTIONS = (Action(EraseFromBookings, erase, int),)
