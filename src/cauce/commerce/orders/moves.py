"""How goods of an order change their state: by the table of transitions, with their stock, and into the history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from cauce.commerce.ledger.api import Hold
from cauce.commerce.orders import goods, rules, telling
from cauce.commerce.orders.store import ALLOCATIONS, HISTORY, LINES, ORDERS, Allocation, Entry, Line, Order
from cauce.commerce.stock import reserving
from cauce.commerce.stock.api import Entry as Came
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, DefinitionInvalid, Ended


class Move(NamedTuple):
    """So much of a line (thousandths) is to come into a state.

    `place` is the place whose part it is; without one all parts are looked at, in the order in which they were made.
    `was` narrows the states that it may come from; without it, all that the table knows, least advanced first.
    """

    line: int
    to: str
    amount: int
    place: str = ""
    was: tuple[str, ...] = ()


class Note(NamedTuple):
    """Who does it, through which channel, why and where, for the history. `where` "" is the place whose part it is.

    `damaged`: what comes back cannot be sold again. With `is_fact` another platform has promised the goods already, so
    a shortage is owed rather than refused. Without `tells` the river knows of it already. `at` is when goods came back
    (microseconds), 0 for now.
    """

    by: str
    channel: str = ""
    why: str = ""
    where: str = ""
    damaged: bool = False
    is_fact: bool = False
    tells: bool = True
    at: int = 0


def change(work: Work, order_id: int, moves: Sequence[Move], note: Note) -> Order:
    """The order after all moves, or none of them.

    Conflict when the table of transitions has no such way, or less is there to move; Shortage when a place cannot
    promise it; Ended when what was held is not any more.
    """
    order = work.need(ORDERS, order_id)
    for move in moves:
        _check(order, move, work.now)
    if not note.is_fact:
        _ensure(work, order, moves)
    done: dict[str, list[telling.Part]] = {}
    for move in moves:
        for line, amount in _moved(work, order, move, note):
            done.setdefault(move.to, []).append((line, amount))
    order = refreshed(work, order)
    if note.tells:
        for became, parts in done.items():
            place = note.where or next((move.place for move in moves if move.to == became and move.place), order.place)
            telling.tell_change(work, order, became, _joined(parts), channel=note.channel, place=place, why=note.why)
    return order


def refreshed(work: Work, order: Order) -> Order:
    """The order with the state that its lines give it."""
    state = rules.state_of(line.amounts for line in lines_of(work, order))
    return work.put(ORDERS, order._replace(state=state, changed=work.now))


def lines_of(work: Work, order: Order) -> list[Line]:
    return [work.need(LINES, order.id, number) for number in range(1, order.line_count + 1)]


def parts_of(work: Work, line: Line) -> list[Allocation]:
    """What places have a part in a line, in the order in which they got it."""
    return [work.need(ALLOCATIONS, line.order_id, line.line, place) for place in line.place_names]


def expired(work: Work, hold: Hold) -> None:
    """What an order held has run out and is free again.

    Goods of an order that waits for its payment are not promised any more; goods that nobody came for are given up.
    """
    order_id, number, place = goods.named_by(hold.owner)
    part = work.get(ALLOCATIONS, order_id, number, place)
    if part is None or part.hold != hold.id:
        return
    order, line = work.need(ORDERS, order_id), work.need(LINES, order_id, number)
    to = rules.CANCELLED if order.confirmed else rules.PLACED
    ready = part.held - part.allocated - part.picked
    part = part._replace(hold=0, held=0, lost=part.lost if order.confirmed else part.lost + part.allocated)
    given_up = 0
    note = Note("cauce", why="time ran out")
    for was, amount in ((rules.ALLOCATED, part.allocated), (rules.PICKED, part.picked), (rules.READY, ready)):
        if amount:
            line, part = _counted(line, part, was, to, amount)
            _noted(work, line, was, to, amount, place, note)
            given_up += amount
    work.put(LINES, line)
    work.put(ALLOCATIONS, part)
    order = refreshed(work, order)
    if given_up and to == rules.CANCELLED:
        telling.tell_change(work, order, to, [(line, given_up)], channel=order.channel, place=place, why="time ran out")


def entered(work: Work, order: Order, *, became: str, note: Note, was: str = "", amount: int = 0) -> None:
    """An entry about the order itself."""
    _enter(work, Entry(0, order.id, 0, was, became, amount, note.where, "", note.channel, 0, note.by, note.why))


def _check(order: Order, move: Move, now: int) -> None:
    if move.to not in rules.STATES:
        raise DefinitionInvalid(f"expected a state of {', '.join(rules.STATES)}, got {move.to!r}")
    if move.amount <= 0:
        raise DefinitionInvalid(f"expected an amount above 0 of line {move.line}, got {move.amount}")
    for was in move.was:
        if (was, move.to) not in rules.BY_STEP:
            ways = [one.to for one in rules.TRANSITIONS if one.was == was]
            raise Conflict(
                f"what is {was} cannot become {move.to}",
                hint=f"It can become {', '.join(ways)}" if ways else "It has come to its end",
            )
    if not 0 < move.line <= order.line_count:
        raise DefinitionInvalid(
            f"expected a line of order {order.number} from 1 to {order.line_count}, got {move.line}"
        )
    if not order.confirmed and move.to not in rules.BEFORE_WORK:
        raise Conflict(f"order {order.number} waits for its payment", hint="Confirm it first")
    if move.to == rules.ALLOCATED and not move.place and move.was != (rules.PICKED,):
        raise DefinitionInvalid(f"expected a place to allocate line {move.line} to")
    if move.to == rules.ALLOCATED and 0 < order.due <= now:
        raise Ended(f"the time of order {order.number} has run out", hint="Confirm it, or cancel it")


def _ensure(work: Work, order: Order, moves: Iterable[Move]) -> None:
    """Shortage unless all that is to be promised together can be."""
    needs: dict[tuple[str, str], int] = {}
    for move in moves:
        if move.to == rules.ALLOCATED and move.was != (rules.PICKED,):
            at = work.need(LINES, order.id, move.line).sku, move.place
            needs[at] = needs.get(at, 0) + move.amount
    if needs:
        reserving.ensure(work, dict(sorted(needs.items())))


def _moved(work: Work, order: Order, move: Move, note: Note) -> Iterator[telling.Part]:
    """Carries one move out, from as many states and places as it takes."""
    left = move.amount
    states = move.was or ((rules.PLACED,) if move.to == rules.ALLOCATED else rules.sources_of(move.to))
    for was in states:
        line = work.need(LINES, order.id, move.line)
        for place in _places(line, was, move):
            line = work.need(LINES, order.id, move.line)
            part = _part(work, line, place)
            there = line.placed if was == rules.PLACED else getattr(part, was)
            amount = min(left, there)
            if amount:
                yield _carry(work, order, line, part, rules.BY_STEP[was, move.to], amount, note), amount
                left -= amount
    if left:
        at = f" at {move.place}" if move.place else ""
        raise Conflict(
            f"{move.amount} thousandths of line {move.line} of order {order.number}{at} are to become {move.to}, "
            f"{move.amount - left} can",
            hint=f"It must be {' or '.join(states)} before",
        )


def _places(line: Line, was: str, move: Move) -> tuple[str, ...]:
    if was == rules.PLACED:
        return (move.place,) if move.to == rules.ALLOCATED else () if move.place else ("",)
    return (move.place,) if move.place else line.place_names


def _part(work: Work, line: Line, place: str) -> Allocation:
    """The part of a place; an empty one when it has none yet, or there is no place."""
    found = work.get(ALLOCATIONS, line.order_id, line.line, place) if place else None
    return found or Allocation(line.order_id, line.line, place, 0, 0, 0, *(0,) * len(rules.SLICED))


def _carry(
    work: Work, order: Order, line: Line, part: Allocation, step: rules.Transition, amount: int, note: Note
) -> Line:
    """One step of the table: stock, amounts, history."""
    where = note.where or part.place
    why = note.why
    if step.stock == "hold" and note.is_fact:
        part, missing = goods.hold_as_fact(work, part, line.sku, amount)
        why = f"{missing} thousandths of it were not there" if missing else why
    elif step.stock == "hold":
        part = goods.hold(work, part, line.sku, amount, order.due)._replace(lost=max(0, part.lost - amount))
    elif step.stock == "leave":
        held = part.held_of(step.was, amount)
        part = goods.leave(work, part, held, step.to) if held else part
    elif step.stock == "free":
        held = part.held_of(step.was, amount)
        part = goods.free(work, part, line.sku, held) if held else part
        if amount > held:
            entry = Came(line.sku, where, amount - held, note.at, note.channel, order.number, note.by)
            goods.back(work, entry, part.place, is_damaged=note.damaged)
    line, part = _counted(line, part, step.was, step.to, amount)
    if part.place:
        work.put(ALLOCATIONS, part)
    _noted(work, line, step.was, step.to, amount, part.place, note._replace(where=where, why=why))
    return work.put(LINES, line)


def _counted(line: Line, part: Allocation, was: str, to: str, amount: int) -> tuple[Line, Allocation]:
    """Line and part with so much of them in another state."""
    line = line._replace(**{was: getattr(line, was) - amount, to: getattr(line, to) + amount})
    if not part.place:
        return line, part
    if was in rules.SLICED:
        part = part._replace(**{was: getattr(part, was) - amount})
    if to in rules.SLICED:
        part = part._replace(**{to: getattr(part, to) + amount})
    if part.place not in line.place_names:
        line = line._replace(places=msgspec.json.encode((*line.place_names, part.place)).decode())
    return line, part


def _noted(work: Work, line: Line, was: str, became: str, amount: int, origin: str, note: Note) -> None:
    place = note.where or origin
    entry = Entry(0, line.order_id, line.line, was, became, amount, place, origin, note.channel, 0, note.by, note.why)
    _enter(work, entry)


def _enter(work: Work, entry: Entry) -> None:
    work.append(HISTORY, entry._replace(id=work.number("order_history"), at=work.now))


def _joined(parts: Iterable[telling.Part]) -> list[telling.Part]:
    """Each line once, with all that happened to it."""
    found: dict[int, telling.Part] = {}
    for line, amount in parts:
        found[line.line] = line, amount + (found[line.line][1] if line.line in found else 0)
    return list(found.values())
