"""Reservations: all lines or none, for a while; confirmed, released, or given back when their time is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from cauce.commerce.ledger import api as ledger
from cauce.commerce.stock import limits, rules
from cauce.commerce.stock.availability import within_caps
from cauce.commerce.stock.store import FREE, RESERVATIONS, SOLD, STOCKS, Reservation, place_of, stock_id
from cauce.commerce.transact.carrier import Need
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Action, Command
from cauce.errors import DefinitionInvalid, Ended, Shortage

OWNER = "stock"
SECONDS_DEFAULT = 900
SECONDS_MAX = 30 * 86_400
LINES_MAX = 500
SWEEP_MAX = 1_000


class Line(msgspec.Struct, frozen=True, gc=False):
    """So much of a product in a place; `amount` in thousandths of its unit."""

    sku: str
    place: str
    amount: int


class Held(msgspec.Struct, frozen=True, gc=False):
    """A line with the hold of the ledger that keeps it."""

    sku: str
    place: str
    amount: int
    hold: int


class Reserve(Command, frozen=True, kw_only=True):
    """Holds all lines for `seconds`, or none. `owner` says what for (an order, a basket); `channel` who asks."""

    lines: tuple[Line, ...]
    seconds: int = SECONDS_DEFAULT
    channel: str = ""
    owner: str = ""


class Confirm(Command, frozen=True, kw_only=True):
    """What a reservation holds is sold."""

    reservation: int


class Release(Command, frozen=True, kw_only=True):
    """What a reservation holds is free again."""

    reservation: int


class SweepHolds(Command, frozen=True, kw_only=True):
    """Whatever was held too long is free again; at most `limit` holds, oldest first."""

    limit: int = SWEEP_MAX


class SweptHolds(msgspec.Struct, frozen=True):
    """How many holds ran out."""

    holds: int


class Reserved(msgspec.Struct, frozen=True):
    """A reservation as it stands: *open*, *confirmed*, *released* or *expired*; `due` in microseconds."""

    id: int
    state: str
    due: int
    lines: tuple[Held, ...]


def reserve(work: Work, command: Reserve) -> Reserved:
    """Shortage when one line cannot be had, or its channel may not take so much at once; then none is held."""
    needs = _summed(command)
    if command.channel:
        within_caps(work, needs, command.channel)
    try:
        return _held(work, command, needs)
    except Shortage:
        # What ran out and was not swept yet is given back first; then once more.
        accounts = [stock_id(sku, place) for sku, place in needs]
        if not sweep(work, accounts):
            raise
        return _held(work, command, needs)


def reserve_needs(command: Reserve) -> Iterable[Need]:
    channel = command.channel
    if len(command.lines) == 1:
        return _needed(command.lines[0].sku, command.lines[0].place, channel)
    return chain.from_iterable(_needed(line.sku, line.place, channel) for line in command.lines)


@lru_cache(maxsize=200_000)
def _needed(sku: str, place: str, channel: str) -> tuple[Need, ...]:
    """The rows that a reservation of a product in a place for a channel asks for."""
    id_, sold = stock_id(sku, place), ledger.id_of(place_of(sku, place, SOLD))
    return ((ledger.ACCOUNTS, id_), (STOCKS, id_), (ledger.ACCOUNTS, sold), *limits.bounded_needs(channel))


def confirm(work: Work, command: Confirm) -> Reserved:
    """Ended when the reservation is not open any more: then reserve anew, or give the money back."""
    found = open_reservation(work, command.reservation)
    for line in lines_of(found):
        ledger.post(work, line.hold, why="sold")
    return shown(work.put(RESERVATIONS, found._replace(state="confirmed")))


def release(work: Work, command: Release) -> Reserved:
    """Ended when the reservation is not open any more."""
    found = open_reservation(work, command.reservation)
    for line in lines_of(found):
        ledger.void(work, line.hold)
    return shown(work.put(RESERVATIONS, found._replace(state="released")))


def sweep_holds(work: Work, command: SweepHolds) -> SweptHolds:
    return SweptHolds(sweep(work, limit=max(1, min(command.limit, SWEEP_MAX))))


def sweep(work: Work, accounts: Iterable[int] = (), *, limit: int = SWEEP_MAX) -> int:
    """Gives back what ran out, of some accounts or of all; how many holds it was."""
    holds = ledger.past_due(work, limit, debits=accounts)
    for one in holds:
        ledger.void(work, one.id, state=ledger.EXPIRED)
        owner, _, id_ = one.owner.partition(":")
        if owner == OWNER:
            found = work.need(RESERVATIONS, int(id_))
            if found.state == "open":
                work.put(RESERVATIONS, found._replace(state="expired"))
    return len(holds)


def ensure(work: Work, needs: Mapping[tuple[str, str], int]) -> None:
    """Shortage unless all of it, by product and place, can be promised; what ran out is given back before."""
    short = _missing(work, needs)
    if short and sweep(work, [stock_id(sku, place) for sku, place in needs]):
        short = _missing(work, needs)
    if short:
        raise _shortage(short)


def promisable(work: Work, sku: str, place: str) -> int:
    """Thousandths of a product that can be promised in a place now."""
    id_ = stock_id(sku, place)
    stock, free = work.get(STOCKS, id_), work.get(ledger.ACCOUNTS, id_)
    return rules.promised(free.posted, free.pending, stock.safety if stock else 0) if free else 0


def open_reservation(work: Work, id_: int) -> Reservation:
    """The reservation; Ended when it is not open any more."""
    found = work.need(RESERVATIONS, id_)
    if found.state != "open" or found.due <= work.now:
        state = found.state if found.state != "open" else "expired"
        raise Ended(f"reservation {id_} is no longer open: it was {state}")
    return found


def lines_of(reservation: Reservation) -> tuple[Held, ...]:
    return msgspec.json.decode(reservation.lines, type=tuple[Held, ...])


def shown(reservation: Reservation) -> Reserved:
    return Reserved(reservation.id, reservation.state, reservation.due, lines_of(reservation))


def _summed(command: Reserve) -> dict[tuple[str, str], int]:
    """The need per product and place, in one order for everybody."""
    if not 0 < len(command.lines) <= LINES_MAX:
        raise DefinitionInvalid(f"expected 1 to {LINES_MAX} lines, got {len(command.lines)}")
    if not 0 < command.seconds <= SECONDS_MAX:
        raise DefinitionInvalid(f"expected seconds from 1 to {SECONDS_MAX}, got {command.seconds}")
    needs: dict[tuple[str, str], int] = {}
    for line in command.lines:
        if line.amount <= 0:
            raise DefinitionInvalid(f"expected an amount above 0 of {line.sku} at {line.place}, got {line.amount}")
        needs[line.sku, line.place] = needs.get((line.sku, line.place), 0) + line.amount
    return dict(sorted(needs.items())) if len(needs) > 1 else needs


def _held(work: Work, command: Reserve, needs: dict[tuple[str, str], int]) -> Reserved:
    short = _missing(work, needs)
    if short:
        raise _shortage(short)
    id_ = work.number("reservation")
    due = work.now + command.seconds * 1_000_000
    owner = f"{OWNER}:{id_}"
    held = tuple([
        Held(sku, place, amount, _hold(work, sku, place, amount, due, owner)) for (sku, place), amount in needs.items()
    ])  # fmt: skip
    lines = msgspec.json.encode(held).decode()
    work.append(RESERVATIONS, Reservation(id_, work.now, due, "open", command.channel, command.owner, lines))
    return Reserved(id_, "open", due, held)


def _missing(work: Work, needs: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    """The lines of which less can be promised than is wanted."""
    found = []
    for (sku, place), amount in needs.items():
        available = promisable(work, sku, place)
        if amount > available:
            found.append({"sku": sku, "place": place, "wanted": amount, "available": available})
    return found


def _shortage(short: list[dict[str, Any]]) -> Shortage:
    first = short[0]
    return Shortage(
        f"{first['wanted']} thousandths of {first['sku']} at {first['place']} are wanted, "
        f"{first['available']} can be promised",
        details={"lines": short},
    )


def _hold(work: Work, sku: str, place: str, amount: int, due: int, owner: str) -> int:
    giver, taker = place_of(sku, place, FREE), place_of(sku, place, SOLD)
    return ledger.hold(work, giver, taker, amount, due=due, owner=owner).id


ACTIONS = (
    Action(Reserve, reserve, Reserved, reserve_needs),
    Action(Confirm, confirm, Reserved),
    Action(Release, release, Reserved),
    Action(SweepHolds, sweep_holds, SweptHolds),
)
