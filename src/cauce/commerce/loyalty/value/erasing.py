"""Takes a person out of stored value: what is on their cards stays on them, and nobody's name.

Money is not the company's because somebody was erased: it stays what the company owes. Store credit was known by its
holder alone, so it is blocked, until somebody who has seen a proof unblocks it with a reason. A gift card with a number
belongs to whoever holds it, and names nobody anyway.
"""

from __future__ import annotations

from cauce.commerce.loyalty.value.store import BLOCKED, CARDS
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work

NOBODY = ""


class EraseFromValue(Command, frozen=True, kw_only=True):
    """`owners` are all identifiers of the person (`kind:value`)."""

    owners: tuple[str, ...]


def erase(work: Work, command: EraseFromValue) -> int:
    """How many cards it was. What was authorised before can still be captured: it is promised to an order."""
    found = [row for owner in dict.fromkeys(command.owners) for row in work.select(CARDS, "member = ?", owner)]
    for card in found:
        work.put(CARDS, card._replace(member=NOBODY, state=BLOCKED))
    return len(found)


ACTIONS = (Action(EraseFromValue, erase, int),)
