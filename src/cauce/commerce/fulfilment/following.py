"""What else may be done to an order than the desk does: its pick-up follows, so that no code outlives its goods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cauce.commerce.fulfilment.desk import USED, WITHDRAWN, emptied
from cauce.commerce.fulfilment.store import PICKUPS
from cauce.commerce.orders import api as orders
from cauce.commerce.orders.outside import RecordOrder
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work

FOLLOWED: Mapping[type[Command], Callable[[Any], int]] = {
    orders.Advance: lambda answer: int(answer.id),
    orders.Cancel: lambda answer: int(answer.id),
    RecordOrder: lambda answer: int(answer.order.id),
}
"""What may take goods away from a desk without its hand-over, and the order in what it is answered with."""


def following(actions: Iterable[Action]) -> tuple[Action, ...]:
    """The same actions of orders, after which pick-ups stand as their orders do."""
    return tuple(_followed(action) if action.command in FOLLOWED else action for action in actions)


def _followed(action: Action) -> Action:
    order_of = FOLLOWED[action.command]

    def handle(work: Work, command: Any) -> Any:
        answer = action.handle(work, command)
        _follow(work, order_of(answer))
        return answer

    return action._replace(handle=handle)


def _follow(work: Work, order_id: int) -> None:
    pickup = work.get(PICKUPS, order_id)
    if pickup is None or not pickup.ready or pickup.ended:
        return
    order = orders.order(work, order_id)
    lines = orders.lines_of(work, order)
    if any(line.ready for line in lines):
        return
    is_fetched = any(line.collected for line in lines)
    emptied(work, order, pickup, "collected" if is_fetched else "cancelled", USED if is_fetched else WITHDRAWN)
