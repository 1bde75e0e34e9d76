"""Many changes of the catalogue in one transaction, for files and for programs that bring a whole catalogue."""

from __future__ import annotations

import msgspec

from cauce.commerce.catalogue import items, places, prices, products
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Action, Command
from cauce.errors import CauceError, DefinitionInvalid

CHANGES_MAX = 1_000

Change = products.PutProduct | prices.SetPrices | places.PutPlace | items.MapItem


class PutMany(Command, frozen=True, kw_only=True):
    """Changes that are carried out one after the other; one that is refused leaves the others alone."""

    changes: tuple[Change, ...]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one of them: *added*, *changed*, *unchanged*, or *refused* with the error's code."""

    id: str
    change: str
    code: str = ""
    message: str = ""


def put_many(work: Work, command: PutMany) -> tuple[Outcome, ...]:
    """Each checks everything before it changes anything, so what is refused has left no trace."""
    if len(command.changes) > CHANGES_MAX:
        raise DefinitionInvalid(f"expected at most {CHANGES_MAX} changes at once, got {len(command.changes)}")
    return tuple(_outcome(work, change) for change in command.changes)


def _outcome(work: Work, change: Change) -> Outcome:
    try:
        match change:
            case products.PutProduct():
                put = products.put_product(work, change)
            case prices.SetPrices():
                put = prices.set_prices(work, change)
            case places.PutPlace():
                put = places.put_place(work, change)
            case items.MapItem():
                return Outcome(id=change.id, change=items.map_item(work, change).change)
    except CauceError as fault:
        return Outcome(id=_id(change), change="refused", code=fault.code, message=str(fault))
    return Outcome(id=put.id, change=put.change)


def _id(change: Change) -> str:
    match change:
        case products.PutProduct():
            return change.product.sku
        case prices.SetPrices():
            return change.sku
        case places.PutPlace():
            return change.place.id
        case items.MapItem():
            return change.id


ACTIONS = (Action(PutMany, put_many, tuple[Outcome, ...]),)
