"""Commands on an order that was placed: goods are moved on, given up, or brought back."""

from __future__ import annotations

import msgspec

from cauce.commerce.orders import moves, rules
from cauce.commerce.orders.moves import Move, Note
from cauce.commerce.orders.placing import Standing, standing
from cauce.commerce.orders.store import LINES, ORDERS, Line, Order
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, DefinitionInvalid

CHANGES_MAX = 500
GIVEN_UP_FROM = (rules.PLACED, rules.ALLOCATED, rules.PICKED, rules.READY)
"""What can be cancelled: goods that are on their way are refused at the door, and come back first."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """So much of a line (thousandths; 0: all that can be); `place` narrows it to the part of a place."""

    line: int
    amount: int = 0
    place: str = ""


class Advance(Command, frozen=True, kw_only=True):
    """Goods of an order come into a state; `was` narrows where from, `where` is the place where it happened.

    What is collected becomes ready at its desk instead (fulfilment's `Ready`), so that whoever comes has a code, and
    is handed over there against a proof (`HandOver`).
    """

    order: int
    to: str
    changes: tuple[Change, ...]
    was: tuple[str, ...] = ()
    where: str = ""
    by: str = ""
    channel: str = ""
    why: str = ""


class Cancel(Command, frozen=True, kw_only=True):
    """Gives up what the customer does not have yet: the whole order without `changes`, else some of its lines."""

    order: int
    changes: tuple[Change, ...] = ()
    by: str = ""
    channel: str = ""
    why: str = ""


class Return(Command, frozen=True, kw_only=True):
    """Goods that the customer had come back, to any place; `damaged` ones are not sold again.

    Conflict for more than was handed over and not brought back before.
    """

    order: int
    place: str
    changes: tuple[Change, ...]
    damaged: bool = False
    by: str = ""
    channel: str = ""
    why: str = ""


def advance(work: Work, command: Advance) -> Standing:
    order = work.need(ORDERS, command.order)
    if command.to in (rules.RETURNED, rules.CANCELLED) and not command.where and command.was == (rules.SHIPPED,):
        raise DefinitionInvalid("expected where the goods came back to")
    if command.to == rules.READY and order.kind in rules.COLLECTED_KINDS:
        raise Conflict(
            f"order {order.number} is collected ({order.kind}): it becomes ready at its desk, with a code",
            hint="Say it there: `cauce pickups ready`, POST /v1/pickups/{order}/ready",
        )
    if command.to == rules.COLLECTED:
        _refuse_without_proof(order)
    found = moves_to(work, order, command.to, command.changes, command.was)
    note = Note(command.by, command.channel, command.why, command.where)
    return standing(moves.change(work, order.id, found, note))


def _refuse_without_proof(order: Order) -> None:
    """Goods are given to somebody against a proof, which the desk looks at."""
    if order.kind in rules.COLLECTED_KINDS:
        raise Conflict(
            f"order {order.number} is handed over at its desk, against its code or an id that is shown",
            hint="Say it there: `cauce pickups hand-over`, POST /v1/pickups/hand-overs",
        )
    raise Conflict(f"order {order.number} is sent ({order.kind}): nobody collects it", hint="It can become delivered")


def cancel(work: Work, command: Cancel) -> Standing:
    """Conflict when something that is to be given up has left already."""
    order = work.need(ORDERS, command.order)
    changes = command.changes or tuple(
        Change(line=line.line)
        for line in moves.lines_of(work, order)
        if any(line.amounts[state] for state in GIVEN_UP_FROM)
    )
    if not changes:
        raise Conflict(
            f"nothing of order {order.number} can be cancelled any more: it is {order.state}",
            hint="What was handed over is returned instead",
        )
    found = moves_to(work, order, rules.CANCELLED, changes, GIVEN_UP_FROM)
    return standing(moves.change(work, order.id, found, Note(command.by, command.channel, command.why)))


def bring_back(work: Work, command: Return) -> Standing:
    if not command.place:
        raise DefinitionInvalid("expected the place where the goods are now")
    order = work.need(ORDERS, command.order)
    found = moves_to(work, order, rules.RETURNED, command.changes, (rules.DELIVERED, rules.COLLECTED))
    note = Note(command.by, command.channel, command.why, command.place, damaged=command.damaged)
    return standing(moves.change(work, order.id, found, note))


def moves_to(work: Work, order: Order, to: str, changes: tuple[Change, ...], was: tuple[str, ...] = ()) -> list[Move]:
    """The moves that changes come to. Conflict when nothing of a line can come into that state."""
    if not 0 < len(changes) <= CHANGES_MAX:
        raise DefinitionInvalid(f"expected 1 to {CHANGES_MAX} changes, got {len(changes)}")
    if to not in rules.STATES:
        raise DefinitionInvalid(f"expected a state of {', '.join(rules.STATES)}, got {to!r}")
    states = was or ((rules.PLACED,) if to == rules.ALLOCATED else rules.sources_of(to))
    found = []
    for change in changes:
        line = work.need(LINES, order.id, change.line)
        amount = change.amount or _all_of(work, line, change.place, states)
        if not amount:
            raise Conflict(
                f"nothing of line {change.line} of order {order.number} can become {to}",
                hint=f"It must be {' or '.join(states) or 'somewhere else'} before",
            )
        found.append(Move(change.line, to, amount, change.place, states))
    return found


def _all_of(work: Work, line: Line, place: str, states: tuple[str, ...]) -> int:
    if states == (rules.PLACED,):
        return line.placed
    if not place:
        return sum(line.amounts[state] for state in states)
    parts = [part for part in moves.parts_of(work, line) if part.place == place]
    return sum(part.amounts.get(state, 0) for part in parts for state in states)


ACTIONS = (
    Action(Advance, advance, Standing),
    Action(Cancel, cancel, Standing),
    Action(Return, bring_back, Standing),
)
