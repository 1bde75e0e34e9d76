"""The parts of commerce, each with its commands and its tables: a new part is one line in each list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cauce.commerce.baskets import api as baskets
from cauce.commerce.baskets.changing import EraseBaskets
from cauce.commerce.bookings import api as bookings
from cauce.commerce.bookings import erasing as booked
from cauce.commerce.bookings.ahead import OrderAhead
from cauce.commerce.bookings.store import BOOKINGS
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment import api as fulfilment
from cauce.commerce.fulfilment import erasing as collected
from cauce.commerce.fulfilment.store import DESK_BACKS, HANDED
from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty import adjusting
from cauce.commerce.loyalty import api as loyalty
from cauce.commerce.loyalty import erasing as earned
from cauce.commerce.loyalty import ordering as rewarding
from cauce.commerce.loyalty.value import api as value
from cauce.commerce.loyalty.value import cards
from cauce.commerce.loyalty.value import erasing as stored
from cauce.commerce.orders import api as orders
from cauce.commerce.orders import commands as ordering
from cauce.commerce.orders import erasing as ordered
from cauce.commerce.stock import commands, limits, reserving
from cauce.commerce.stock import store as stock
from cauce.commerce.stock.levels import watched
from cauce.commerce.tills import applying, comparing, habits, relay, watching
from cauce.commerce.tills import erasing as told
from cauce.commerce.tills import store as tills
from cauce.commerce.transact import forgetting
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.records import Records
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader, Table

_ACTIONS: tuple[Action, ...] = (
    *catalogue.ACTIONS,
    *reserving.ACTIONS,
    *commands.ACTIONS,
    *baskets.ACTIONS,
    *fulfilment.following(ordering.ACTIONS),
    *fulfilment.ACTIONS,
    *collected.ACTIONS,
    *relay.ACTIONS,
    *habits.ACTIONS,
    *applying.ACTIONS,
    *comparing.ACTIONS,
    *told.ACTIONS,
    *loyalty.ACTIONS,
    *rewarding.ACTIONS,
    *earned.ACTIONS,
    *value.ACTIONS,
    *stored.ACTIONS,
    *bookings.ACTIONS,
    *forgetting.ACTIONS,
)
ON_EXPIRED: dict[str, Callable[[Work, ledger.Hold], None]] = {
    orders.OWNER: orders.expired,
    loyalty.OWNER: loyalty.expired,
    value.OWNER: value.expired,
    bookings.OWNER: bookings.expired,
}
"""Who is told when a hold runs out, by the word before the colon of its owner."""

CHORES: tuple[Command, ...] = (
    reserving.SweepHolds(),
    fulfilment.PutBack(),
    fulfilment.ServeWaiting(),
    fulfilment.DateWaiting(),
    rewarding.EarnOrders(),
    adjusting.SweepPoints(),
    cards.SweepCards(),
    baskets.ForgetBaskets(),
    forgetting.Forget(),
)
"""What passes with time: done again and again by the clerk, a bounded piece each."""


def erasing(reader: Reader, owners: tuple[str, ...]) -> Iterator[Command]:
    """What takes a person, known by these identifiers (`kind:value`), out of commerce; done twice it changes nothing.

    Each command is to be carried out before the next one is asked for. What they were promised and owe stays in the
    ledger, which names nobody.
    """
    yield EraseBaskets(owners=owners)
    yield collected.EraseFromPickups(owners=owners)
    yield ordered.EraseFromOrders(owners=owners, orders=ordered.contacted(reader, owners))
    yield booked.EraseFromBookings(owners=owners)
    yield earned.EraseFromLoyalty(owners=owners, beside=earned.beside(reader, owners))
    yield stored.EraseFromValue(owners=owners)
    yield from told.found(reader, owners)


WANTING: dict[type[Command], Callable[[Work, Any], tuple[Iterable[str], int]]] = {
    orders.PlaceOrder: lambda _, command: (_skus(command), 0),
    fulfilment.PlaceSourced: lambda _, command: (_skus(command.order), 0),
    OrderAhead: lambda _, command: (_skus(command.order), 0),
    fulfilment.SourceOrder: fulfilment.wanted_by,
    reserving.Reserve: lambda _, command: (_skus(command), 0),
}
"""Who wants goods: of which products, and the order whose turn it is (0: a new one, whose turn is the last)."""


def _skus(command: Any) -> Iterable[str]:
    return (line.sku for line in command.lines)


FOLLOWED: frozenset[Records[Any]] = frozenset({BOOKINGS, DESK_BACKS, HANDED, *orders.CHANGED})
"""Tables whose changes others follow, so that a command that touches none of them (a reservation) asks nobody."""


def whole(action: Action) -> Action:
    """The same action with what comes before and after it, whoever does it.

    Before it: nobody has what those who wait longer could have. After it: the owners of holds that ran out are told,
    bookings follow their orders, what tills say came back of orders comes back to them, those who wait for a change
    of stock are served, and those who wait for goods are told.
    """
    carry_out, wanting = action.handle, WANTING.get(action.command)

    def handle(work: Work, command: Any) -> Any:
        kept: Mapping[int, int] = {}
        if wanting is not None and fulfilment.has_risen(work):
            kept = fulfilment.first_served(work, *wanting(work, command))
        answer = carry_out(work, command)
        for hold in work.changed(ledger.HOLDS):
            if hold.state == ledger.EXPIRED and (told := ON_EXPIRED.get(hold.owner.partition(":")[0])):
                told(work, hold)
        if work.touches(FOLLOWED):
            bookings.followed(work)
            watching.followed(work)
        if kept:
            fulfilment.given_back(work, kept)
        watched(work)
        fulfilment.noted(work)
        return answer

    return action._replace(handle=handle, always=(*action.always, *fulfilment.NOTED_NEEDS))


ACTIONS: tuple[Action, ...] = tuple(map(whole, _ACTIONS))
"""Whatever a command does, those whom it concerns hear of it."""
SHAPES: tuple[Table, ...] = (
    *ledger.TABLES,
    *catalogue.TABLES,
    *stock.TABLES,
    *limits.TABLES,
    *baskets.TABLES,
    *orders.TABLES,
    *fulfilment.TABLES,
    *loyalty.TABLES,
    *value.TABLES,
    *bookings.TABLES,
    *tills.TABLES,
)
