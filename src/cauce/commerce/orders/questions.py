"""What doors ask of orders: what is committed, in pages and whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from cauce.commerce.orders import rules
from cauce.commerce.orders.store import (
    ALLOCATIONS,
    FOREIGN,
    HISTORY,
    LINES,
    NUMBERS,
    ORDERS,
    OWNERS,
    PAYMENTS,
    Allocation,
    Line,
    Order,
)
from cauce.commerce.transact.asking import marks
from cauce.engines.api import Row
from cauce.errors import DefinitionInvalid, NotFound

HISTORY_MAX = 5_000
COUNTED_MAX = 10_000
"""More orders of a state than this are "10,000 and more"."""
CARDS_MAX = 50


class Rows(Protocol):
    """What can be asked in SQL: a `Reader`, or an installation's `Commerce`."""

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...


class PartShown(msgspec.Struct, frozen=True):
    """The part of a place in a line: amounts (thousandths) by state, those that are not 0."""

    place: str
    amounts: dict[str, int]
    held: int


class LineShown(msgspec.Struct, frozen=True):
    """A line with its amounts (thousandths of `unit`) by state, those that are not 0; money in minor units."""

    line: int
    ref: str
    sku: str
    name: str
    unit: str
    amount: int
    price: int
    discount: int
    tax: int
    total: int
    amounts: dict[str, int]
    parts: tuple[PartShown, ...]


class PaymentShown(msgspec.Struct, frozen=True):
    """A fact of a payment; `occurred` in microseconds, `counted` of `amount` counts for the order."""

    provider: str
    reference: str
    fact: str
    amount: int
    counted: int
    currency: str
    method: str
    occurred: int


class EntryShown(msgspec.Struct, frozen=True):
    """One entry of the history; `line` 0 is about the order itself."""

    id: int
    at: int
    line: int
    was: str
    became: str
    amount: int
    place: str
    origin: str
    channel: str
    actor: str
    why: str


class Head(msgspec.Struct, frozen=True):
    """An order as it stands in lists. Moments in microseconds (0: none), money in minor units."""

    id: int
    number: str
    at: int
    changed: int
    state: str
    kind: str
    channel: str
    place: str
    currency: str
    total: int
    line_count: int
    owners: tuple[str, ...]
    promised: int
    due: int
    confirmed: int
    authorised: int
    captured: int
    refunded: int
    source: str


class Whole(msgspec.Struct, frozen=True):
    """An order with everything but its history. `to_refund` was paid for goods that were given up or brought back."""

    head: Head
    contact: dict[str, str]
    shipping: int
    adjustment: int
    tax_included: bool
    backorder: bool
    source_id: str
    basket: int
    note: str
    lines: tuple[LineShown, ...]
    payments: tuple[PaymentShown, ...]
    to_refund: int


class Which(msgspec.Struct, frozen=True):
    """Which orders: each word that is not empty narrows the choice.

    `place` is where the customer wants them, or a place that has a part in them; `owners` any of these identifiers;
    `text` a number, whole or its beginning.
    """

    state: str = ""
    kind: str = ""
    channel: str = ""
    place: str = ""
    source: str = ""
    owners: tuple[str, ...] = ()
    text: str = ""
    unconfirmed: bool = False


class Column(msgspec.Struct, frozen=True):
    """Orders of one state on the board: how many (at most `COUNTED_MAX`), the oldest's moment, and the first ones."""

    state: str
    count: int
    oldest: int
    orders: tuple[Head, ...]


def located(rows: Rows, text: str) -> int:
    """The id of an order by its number; NotFound."""
    found = rows.select(NUMBERS.by_key, (text,))
    if not found:
        raise NotFound(f"there is no order {text[:80]!r}")
    return int(found[0][1])


def of_platform(rows: Rows, source: str, source_id: str) -> int:
    """The id of an order by its id at another platform; NotFound."""
    found = rows.select(FOREIGN.by_key, (source, source_id))
    if not found:
        raise NotFound(f"there is no order {source_id[:80]!r} of {source[:80]!r}")
    return int(found[0][2])


def head(rows: Rows, id_: int) -> Head:
    return _head(_order(rows, id_))


def whole(rows: Rows, id_: int) -> Whole:
    """Everything of an order but its history; NotFound."""
    order = _order(rows, id_)
    parts: dict[int, list[Allocation]] = {}
    for row in rows.select(f"select {ALLOCATIONS.columns} from {ALLOCATIONS.name} where order_id = ?", (id_,)):
        part = ALLOCATIONS.of(row)
        parts.setdefault(part.line, []).append(part)
    found = rows.select(f"select {LINES.columns} from {LINES.name} where order_id = ? order by line", (id_,))
    lines = [LINES.of(row) for row in found]
    paid = rows.select(f"select {PAYMENTS.columns} from {PAYMENTS.name} where order_id = ? order by at", (id_,))
    return Whole(
        head=_head(order),
        contact=msgspec.json.decode(order.contact, type=dict[str, str]),
        shipping=order.shipping,
        adjustment=order.adjustment,
        tax_included=bool(order.tax_included),
        backorder=bool(order.backorder),
        source_id=order.source_id,
        basket=order.basket,
        note=order.note,
        lines=tuple(_line(line, parts.get(line.line, [])) for line in lines),
        payments=tuple(
            PaymentShown(
                one.provider, one.reference, one.fact, one.amount, one.counted, one.currency, one.method, one.occurred
            )
            for one in map(PAYMENTS.of, paid)
        ),
        to_refund=rules.to_refund(
            order.captured - order.refunded,
            order.shipping + order.adjustment,
            ((line.total, line.amount, line.cancelled, line.returned) for line in lines),
        ),
    )


def history(rows: Rows, id_: int) -> tuple[EntryShown, ...]:
    """All that happened to an order, in any channel, oldest first."""
    columns = ", ".join(EntryShown.__struct_fields__)
    asked = f"select {columns} from {HISTORY.name} where order_id = ? order by id limit {HISTORY_MAX}"
    return tuple(EntryShown(*row) for row in rows.select(asked, (id_,)))


def page(rows: Rows, which: Which, *, before: int = 0, limit: int = 50) -> list[Head]:
    """Orders, newest first; `before` is the id of the last one of the page before."""
    conditions, parameters = _narrowed(which)
    if before:
        conditions.append("id < ?")
        parameters.append(before)
    where = f" where {' and '.join(conditions)}" if conditions else ""
    asked = f"select {ORDERS.columns} from {ORDERS.name}{where} order by id desc limit ?"
    return [_head(ORDERS.of(row)) for row in rows.select(asked, (*parameters, limit))]


def board(rows: Rows, which: Which, states: Sequence[str] = rules.OPEN, cards: int = 20) -> tuple[Column, ...]:
    """Orders by state, those that wait longest first."""
    return tuple(_column(rows, which, state, min(cards, CARDS_MAX)) for state in states)


def channels(rows: Rows) -> list[str]:
    """Channels through which orders came, of those that are still open."""
    listed = marks(rules.OPEN)
    asked = f"select distinct channel from {ORDERS.name} where state in ({listed}) order by channel limit 200"
    return [str(channel) for (channel,) in rows.select(asked, rules.OPEN)]


def _column(rows: Rows, which: Which, state: str, cards: int) -> Column:
    conditions, parameters = _narrowed(msgspec.structs.replace(which, state=state))
    where = " and ".join(conditions)
    counted = rows.select(
        f"select count(*), min(at) from (select at from {ORDERS.name} where {where} limit {COUNTED_MAX}) counted",
        parameters,
    )[0]
    asked = f"select {ORDERS.columns} from {ORDERS.name} where {where} order by at, id limit ?"
    found = rows.select(asked, (*parameters, cards))
    return Column(state, int(counted[0]), int(counted[1] or 0), tuple(_head(ORDERS.of(row)) for row in found))


def _narrowed(which: Which) -> tuple[list[str], list[Any]]:
    if which.state and which.state not in rules.STATES:
        raise DefinitionInvalid(f"expected state to be one of {', '.join(rules.STATES)}, got {which.state[:40]!r}")
    if which.kind and which.kind not in rules.DELIVERIES:
        raise DefinitionInvalid(f"expected kind to be one of {', '.join(rules.DELIVERIES)}, got {which.kind[:40]!r}")
    conditions: list[str] = []
    parameters: list[Any] = []
    for name in ("state", "kind", "channel", "source"):
        value = getattr(which, name)
        if value:
            conditions.append(f"{name} = ?")
            parameters.append(value)
    if which.place:
        parts = f"select 1 from {ALLOCATIONS.name} where place = ? and order_id = {ORDERS.name}.id"
        conditions.append(f"(place = ? or exists ({parts}))")
        parameters += (which.place, which.place)
    if which.owners:
        listed = marks(which.owners)
        conditions.append(f"id in (select order_id from {OWNERS.name} where owner in ({listed}))")
        parameters += which.owners
    if which.text:
        conditions.append(f"id in (select order_id from {NUMBERS.name} where number >= ? and number < ?)")
        parameters += (which.text, which.text + "\U0010ffff")
    if which.unconfirmed:
        conditions.append("confirmed = 0")
    return conditions, parameters


def _order(rows: Rows, id_: int) -> Order:
    found = rows.select(ORDERS.by_key, (id_,))
    if not found:
        raise NotFound(f"there is no order {id_}")
    return ORDERS.of(found[0])


def _head(order: Order) -> Head:
    said = order._asdict()
    said["owners"] = msgspec.json.decode(order.owners, type=tuple[str, ...])
    return Head(**{name: said[name] for name in Head.__struct_fields__})


def _line(line: Line, parts: Sequence[Allocation]) -> LineShown:
    return LineShown(
        line=line.line,
        ref=line.ref,
        sku=line.sku,
        name=line.name,
        unit=line.unit,
        amount=line.amount,
        price=line.price,
        discount=line.discount,
        tax=line.tax,
        total=line.total,
        amounts=_present(line.amounts),
        parts=tuple(PartShown(part.place, _present(part.amounts), part.held) for part in parts),
    )


def _present(amounts: dict[str, int]) -> dict[str, int]:
    return {state: amount for state, amount in amounts.items() if amount}
