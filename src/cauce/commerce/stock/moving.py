"""Goods on their way between two places: sent, in transit, arrived; or moved at once."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cauce.commerce.stock.counting import LINES_MAX
from cauce.commerce.stock.facts import Entry, Side, carried
from cauce.commerce.stock.store import DAMAGED, FREE, SHIPMENTS, SHRINKAGE, TRANSIT, Shipment
from cauce.commerce.stock.supply import Expect, day_of, expected, met
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid, Ended, Shortage

SENT, PARTLY, ARRIVED = "sent", "partly", "arrived"


class Goods(msgspec.Struct, frozen=True):
    """So much of a product, in thousandths of its unit."""

    sku: str
    amount: int


class Move(Command, frozen=True, kw_only=True):
    """Goods go from one place to another: `at_once`, or sent now to arrive later (on a day, if it is known).

    `is_fact`: they are gone already, whatever was known to be there; otherwise Shortage where less is free.
    """

    origin: str
    destination: str
    lines: tuple[Goods, ...]
    at_once: bool = False
    is_fact: bool = False
    on: str = ""
    occurred: int = 0
    reference: str = ""
    by: str = ""


class Came(msgspec.Struct, frozen=True):
    """What came of a product: `amount` that can be sold, and `damaged`."""

    sku: str
    amount: int
    damaged: int = 0


class Arrive(Command, frozen=True, kw_only=True):
    """A shipment came: all of it, or `lines`. `is_last`: what did not come is lost, else it is still on its way."""

    shipment: int
    lines: tuple[Came, ...] = ()
    is_last: bool = True
    occurred: int = 0
    by: str = ""


class OnItsWay(msgspec.Struct, frozen=True):
    """A line of a shipment: so much was sent, so much of it is still on its way."""

    sku: str
    amount: int
    left: int


class Sent(msgspec.Struct, frozen=True):
    """A shipment as it stands: *sent*, *partly* or *arrived*; `id` 0 for a move at once."""

    id: int
    state: str
    origin: str
    destination: str
    lines: tuple[OnItsWay, ...]
    on: str
    reference: str


def move(work: Work, command: Move) -> Sent:
    """All lines or none."""
    goods = summed(command)
    if command.origin == command.destination:
        raise DefinitionInvalid(f"expected two places, got {command.origin!r} twice")
    target = Side(command.destination, FREE if command.at_once else TRANSIT)
    for sku, amount in goods.items():
        entry = Entry(sku, command.origin, amount, command.occurred, reference=command.reference, by=command.by)
        carried(work, entry, Side(command.origin, FREE), target, "moved", is_fact=command.is_fact)
    if command.at_once:
        lines = tuple(OnItsWay(sku, amount, 0) for sku, amount in goods.items())
        return Sent(0, ARRIVED, command.origin, command.destination, lines, "", command.reference)
    id_ = work.number("stock_shipment")
    lines = tuple(OnItsWay(sku, amount, amount) for sku, amount in goods.items())
    day = day_of(command.on) if command.on else ""
    row = Shipment(
        id_, work.now, command.origin, command.destination, SENT, _written(lines), day, command.reference, command.by
    )
    for sku, amount in goods.items() if day else ():
        expected(work, Expect(sku=sku, place=command.destination, amount=amount, on=day, reference=_reference(id_)))
    return shown(work.append(SHIPMENTS, row))


def arrive(work: Work, command: Arrive) -> Sent:
    """Ended when all of it arrived already, Shortage when more came than is on its way."""
    row = work.need(SHIPMENTS, command.shipment)
    if row.state == ARRIVED:
        raise Ended(f"shipment {row.id} has arrived already")
    lines = lines_of(row)
    came = {line.sku: line for line in command.lines}
    if len(came) < len(command.lines):
        raise DefinitionInvalid("expected each product once in an arrival")
    if not came:
        came = {line.sku: Came(line.sku, line.left) for line in lines if line.left}
    strangers = came.keys() - {line.sku for line in lines}
    if strangers:
        raise DefinitionInvalid(f"{min(strangers)} is not in shipment {row.id}", hint="Receive it apart")
    left = tuple(_arrived(work, command, row, line, came.get(line.sku)) for line in lines)
    state = PARTLY if any(line.left for line in left) else ARRIVED
    return shown(work.put(SHIPMENTS, row._replace(state=state, lines=_written(left))))


def _arrived(work: Work, command: Arrive, row: Shipment, line: OnItsWay, came: Came | None) -> OnItsWay:
    whole, broken = (came.amount, came.damaged) if came else (0, 0)
    if min(whole, broken) < 0:
        raise DefinitionInvalid(f"expected amounts of 0 or more of {line.sku}")
    if whole + broken > line.left:
        raise Shortage(
            f"{whole + broken} of {line.sku} came with shipment {row.id}, {line.left} are on their way",
            hint="Receive what was not sent apart",
            details={"sku": line.sku, "wanted": whole + broken, "available": line.left},
        )
    lost = line.left - whole - broken if command.is_last else 0
    for amount, name, why in (
        (whole, FREE, "arrived"),
        (broken, DAMAGED, "broke on its way"),
        (lost, SHRINKAGE, "lost"),
    ):
        if amount:
            entry = Entry(line.sku, row.destination, amount, command.occurred, reference=row.reference, by=command.by)
            carried(work, entry, Side(row.destination, TRANSIT), Side(row.destination, name), why)
    if row.day:
        met(work, _reference(row.id), line.sku, row.destination, whole + broken + lost)
    return OnItsWay(line.sku, line.amount, line.left - whole - broken - lost)


def summed(command: Move) -> dict[str, int]:
    """The amount of each product, in order."""
    if not 0 < len(command.lines) <= LINES_MAX:
        raise DefinitionInvalid(f"expected 1 to {LINES_MAX} lines, got {len(command.lines)}")
    goods: dict[str, int] = {}
    for line in command.lines:
        if line.amount <= 0:
            raise DefinitionInvalid(f"expected an amount above 0 of {line.sku}, got {line.amount}")
        goods[line.sku] = goods.get(line.sku, 0) + line.amount
    return dict(sorted(goods.items()))


def lines_of(row: Shipment) -> tuple[OnItsWay, ...]:
    return msgspec.json.decode(row.lines, type=tuple[OnItsWay, ...])


def shown(row: Shipment) -> Sent:
    return Sent(row.id, row.state, row.origin, row.destination, lines_of(row), row.day, row.reference)


def _written(lines: Iterable[OnItsWay]) -> str:
    return msgspec.json.encode(tuple(lines)).decode()


def _reference(shipment: int) -> str:
    """What a shipment is expected under."""
    return f"shipment:{shipment}"


ACTIONS = (Action(Move, move, Sent), Action(Arrive, arrive, Sent))
