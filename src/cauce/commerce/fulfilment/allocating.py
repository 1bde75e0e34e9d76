"""An order gets its places: chosen by the rules, held and recorded in one transaction, or refused as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cauce.commerce.catalogue.api import Position
from cauce.commerce.fulfilment.sourcing import Sourced, Wanted, Wish, Within, amounts_by_place, sourced
from cauce.commerce.fulfilment.store import CHOICES, PICKUPS, Chosen, Pickup
from cauce.commerce.orders import api as orders
from cauce.commerce.orders.api import Line, Move, Note, Order, Part, PlaceOrder, Standing
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid, Shortage

VERDICTS_TOLD_MAX = 50
"""Verdicts that a refusal tells."""


class PlaceSourced(Command, frozen=True, kw_only=True):
    """Places an order whose lines come from where the rules say.

    `position` is where it is sent, `ready_by` (microseconds) when it must be ready at the latest.
    """

    order: PlaceOrder
    position: Position | None = None
    ready_by: int = 0


class SourceOrder(Command, frozen=True, kw_only=True):
    """Finds places for what nothing is promised for yet of an order, by its number."""

    order: str
    position: Position | None = None
    by: str = ""


class Allocated(msgspec.Struct, frozen=True, kw_only=True):
    """The order as it stands, what the rules said, and the number under which that is recorded."""

    order: Standing
    choice: int
    sourced: Sourced


def place_sourced(work: Work, command: PlaceSourced) -> Allocated:
    """Shortage, with a verdict on every place, when the whole cannot be had."""
    order = command.order
    if any(line.parts for line in order.lines):
        raise DefinitionInvalid("expected lines without parts: the rules say where they come from")
    wish = Wish(
        delivery=order.kind,
        lines=tuple(Wanted(line.sku, line.amount) for line in order.lines),
        channel=order.channel,
        destination=order.place,
        position=command.position,
        by=command.ready_by,
    )
    found = sourced(Within(work), wish, work.now)
    if not found.choice.taken:
        raise shortage(found)
    lines = [(number, line.sku, line.amount) for number, line in enumerate(order.lines, 1)]
    parts: dict[int, list[Part]] = {}
    for place, amounts in amounts_by_place(found.choice, lines).items():
        for number, amount in amounts:
            parts.setdefault(number, []).append(Part(place, amount))
    sourced_lines = tuple(
        msgspec.structs.replace(line, parts=tuple(parts[number])) for number, line in enumerate(order.lines, 1)
    )
    promised = order.promised or found.promised
    standing = orders.place(work, msgspec.structs.replace(order, lines=sourced_lines, promised=promised))
    return Allocated(order=standing, choice=record(work, standing.id, wish, found, order.by), sourced=found)


def source_order(work: Work, command: SourceOrder) -> Allocated:
    """Shortage when what is left cannot be had; then it goes on waiting."""
    order = orders.numbered(work, command.order)
    waiting = [line for line in orders.lines_of(work, order) if line.placed]
    if not waiting:
        raise DefinitionInvalid(f"everything of order {order.number} has its place already")
    wish = wish_of(order, [(line, line.placed) for line in waiting], position=command.position)
    found = sourced(Within(work), wish, work.now)
    if not found.choice.taken:
        raise shortage(found)
    order = allocate(work, order, [(line, line.placed) for line in waiting], found, Note(command.by, why=found.rule))
    number = record(work, order.id, wish, found, command.by)
    return Allocated(order=orders.standing(order), choice=number, sourced=found)


def wish_of(
    order: Order,
    parts: Sequence[tuple[Line, int]],
    *,
    delivery: str = "",
    position: Position | None = None,
    not_places: tuple[str, ...] = (),
) -> Wish:
    """The wish for parts of an order's lines."""
    return Wish(
        delivery=delivery or order.kind,
        lines=tuple(Wanted(line.sku, amount) for line, amount in parts),
        channel=order.channel,
        destination=order.place,
        position=position,
        not_places=not_places,
    )


def allocate(work: Work, order: Order, parts: Sequence[tuple[Line, int]], found: Sourced, note: Note) -> Order:
    """The order with its parts held in the places that were chosen."""
    lines = [(line.line, line.sku, amount) for line, amount in parts]
    moves = [
        Move(number, "allocated", amount, place)
        for place, amounts in amounts_by_place(found.choice, lines).items()
        for number, amount in amounts
    ]
    return orders.change(work, order.id, moves, note)


def record(work: Work, order_id: int, wish: Wish, found: Sourced, by: str) -> int:
    """Keeps a decision with its reasons; its number."""
    id_ = work.number("sourcing_choice")
    told = msgspec.json.encode(wish).decode(), msgspec.json.encode(found).decode()
    work.append(CHOICES, Chosen(id_, order_id, work.now, found.rule, found.version, *told, by))
    return id_


def shortage(found: Sourced) -> Shortage:
    """The refusal of a wish, with what every place lacks."""
    choice = found.choice
    if not found.rule:
        message, hint = "no sourcing rule is for such an order", "Add one whose `when` lets it through"
    else:
        short = ", ".join(f"{amount} thousandths of {sku}" for sku, amount in list(choice.short.items())[:5])
        message = f"by the rule {found.rule!r} the places that may serve it lack {short}"
        hint = "`cauce fulfilment try` says why each place is out of the question"
    verdicts = [msgspec.to_builtins(each) for each in choice.verdicts[:VERDICTS_TOLD_MAX]]
    return Shortage(message, hint=hint, details={"rule": found.rule, "short": choice.short, "places": verdicts})


def pickup_of(work: Work, order: Order) -> Pickup:
    """The pick-up of an order, a fresh one when nobody has touched it yet. DefinitionInvalid for what is sent home."""
    if order.kind not in orders.COLLECTED_KINDS:
        raise DefinitionInvalid(f"order {order.number} is not collected: its delivery is {order.kind}")
    found = work.get(PICKUPS, order.id)
    return found or Pickup(order.id, order.place, 0, 0, "", 0, 0, "", "", 0, "")


ACTIONS = (Action(PlaceSourced, place_sourced, Allocated), Action(SourceOrder, source_order, Allocated))
