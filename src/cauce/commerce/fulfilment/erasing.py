"""Takes a person out of the pick-up desk: what they came with is told to nobody any more."""

from __future__ import annotations

from cauce.commerce.fulfilment.store import PICKUPS
from cauce.commerce.orders.store import OWNERS
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work


class EraseFromPickups(Command, frozen=True, kw_only=True):
    """`owners` are all identifiers of the person (`kind:value`). Comes before the orders themselves forget them."""

    owners: tuple[str, ...]


def erase(work: Work, command: EraseFromPickups) -> int:
    """How many pick-ups it was."""
    found = 0
    for owner in dict.fromkeys(command.owners):
        for row in work.select(OWNERS, "owner = ?", owner):
            pickup = work.get(PICKUPS, row.order_id)
            if pickup is not None:
                work.put(PICKUPS, pickup._replace(bay="", vehicle=""))
                found += 1
    return found


ACTIONS = (Action(EraseFromPickups, erase, int),)
