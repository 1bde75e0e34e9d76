"""Orders: placed, paid, moved on, given up, brought back, and told by other platforms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cauce.app import Platform
from cauce.client.types import orders as types
from cauce.client.types.basics import Nothing, Page
from cauce.commerce.baskets.api import Asked
from cauce.commerce.bookings.ahead import OrderAhead
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment import api as fulfilment
from cauce.commerce.orders import changing, outside, paying, placing, questions
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, Shortage
from cauce.http.api.baskets import shown
from cauce.http.api.fulfilment import counter_of
from cauce.http.api.moments import told, told_if_any
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.owners import all_normalised, identifiers_of
from cauce.http.api.sight import Sight, sight_of
from cauce.model.time import from_datetime

# -- as answers tell them ---------------------------------------------------------------------------------------------


def head_of(head: questions.Head, sight: Sight) -> types.OrderHead:
    return types.OrderHead(
        number=head.number,
        state=head.state,
        kind=head.kind,
        channel=head.channel,
        place=head.place,
        currency=head.currency,
        total_minor=head.total,
        lines=head.line_count,
        owners=[sight.key(owner) for owner in head.owners],
        placed=told(head.at),
        changed=told(head.changed),
        promised=told_if_any(head.promised),
        confirmed=told_if_any(head.confirmed),
        due=told_if_any(head.due),
        authorised_minor=head.authorised,
        captured_minor=head.captured,
        refunded_minor=head.refunded,
        source=head.source,
    )


def order_of(whole: questions.Whole, sight: Sight, expected: Mapping[int, int]) -> types.Order:
    """An order as it stands; `expected` is when lines of it that wait can be had (`fulfilment.expected_of`)."""
    return types.Order(
        head=head_of(whole.head, sight),
        contact={name: str(sight.trait(name, value)) for name, value in whole.contact.items()},
        shipping_minor=whole.shipping,
        adjustment_minor=whole.adjustment,
        tax_included=whole.tax_included,
        backorder=whole.backorder,
        source_id=whole.source_id,
        note=sight.why(whole.note, free=True) if whole.note else "",
        lines=[line_of(line, expected.get(line.line, 0)) for line in whole.lines],
        payments=[payment_of(payment) for payment in whole.payments],
        to_refund_minor=whole.to_refund,
    )


def line_of(line: questions.LineShown, expected: int) -> types.OrderLine:
    return types.OrderLine(
        line=line.line,
        ref=line.ref,
        sku=line.sku,
        name=line.name,
        unit=line.unit,
        amount=line.amount,
        price_minor=line.price,
        discount_minor=line.discount,
        tax_minor=line.tax,
        total_minor=line.total,
        amounts=line.amounts,
        parts=[types.OrderPart(place=part.place, amounts=part.amounts) for part in line.parts],
        expected=told_if_any(expected),
    )


def payment_of(payment: questions.PaymentShown) -> types.OrderPayment:
    return types.OrderPayment(
        provider=payment.provider,
        reference=payment.reference,
        fact=payment.fact,
        amount_minor=payment.amount,
        counted_minor=payment.counted,
        currency=payment.currency,
        method=payment.method,
        occurred=told(payment.occurred),
    )


def entry_of(entry: questions.EntryShown, sight: Sight) -> types.OrderEntry:
    return types.OrderEntry(
        moment=told(entry.at),
        line=entry.line,
        was=entry.was,
        became=entry.became,
        amount=entry.amount,
        place=entry.place,
        origin=entry.origin,
        channel=entry.channel,
        by=entry.actor,
        why=sight.why(entry.why, free=True) if entry.why else "",
    )


def standing_of(standing: placing.Standing) -> types.OrderStanding:
    return types.OrderStanding(
        number=standing.number,
        state=standing.state,
        currency=standing.currency,
        total_minor=standing.total,
        confirmed=standing.confirmed,
        due=told_if_any(standing.due),
        authorised_minor=standing.authorised,
        captured_minor=standing.captured,
        refunded_minor=standing.refunded,
    )


# -- questions --------------------------------------------------------------------------------------------------------


def list_(call: Call[types.OrdersQuery, None]) -> Page[types.OrderHead]:
    query = call.query
    which = questions.Which(
        state=query.state,
        kind=query.kind,
        channel=query.channel,
        place=query.place,
        source=query.source,
        owners=identifiers_of(call.platform, query.person) if query.person else (),
        text=query.number,
        unconfirmed=query.unconfirmed,
    )
    before = int(call.place[0]) if call.place else 0
    found = questions.page(call.platform.commerce, which, before=before, limit=query.limit + 1)
    kept = found[: query.limit]
    sight = sight_of(call.actor)
    cursor = call.cursor_at((kept[-1].id,)) if len(found) > len(kept) else ""
    return Page(items=[head_of(head, sight) for head in kept], cursor=cursor)


def board(call: Call[types.OrdersBoardQuery, None]) -> types.OrdersBoard:
    which = questions.Which(kind=call.query.kind, channel=call.query.channel, place=call.query.place)
    columns = questions.board(call.platform.commerce, which, cards=0)
    return types.OrdersBoard(
        items=[
            types.OrderStateCount(state=one.state, count=one.count, oldest=told_if_any(one.oldest)) for one in columns
        ]
    )


def get(call: AnyCall) -> types.Order:
    commerce, id_ = call.platform.commerce, _id(call)
    return order_of(questions.whole(commerce, id_), sight_of(call.actor), fulfilment.expected_of(commerce, id_))


def history(call: AnyCall) -> types.OrderHistory:
    found = questions.history(call.platform.commerce, _id(call))
    sight = sight_of(call.actor)
    return types.OrderHistory(number=call.path["order"], entries=[entry_of(entry, sight) for entry in found])


# -- commands ---------------------------------------------------------------------------------------------------------


def place(call: Call[Nothing, types.NewOrder]) -> types.OrderStanding:
    return ordered(call.platform, call.body, call.key, call.actor.name)


def ordered(platform: Platform, body: types.NewOrder, key: str, by: str) -> types.OrderStanding:
    """Places an order as it was asked for, by whatever door; Shortage when its goods or its slot cannot be had."""
    if bool(body.lines) == bool(body.basket):
        raise DefinitionInvalid("expected either lines or a basket", hint='For instance {"basket": "email:a@b.es"}')
    lines, basket = (
        _from_basket(platform, body) if body.basket else (tuple(_line(platform, body, line) for line in body.lines), 0)
    )
    command = placing.PlaceOrder(
        key=key,
        lines=lines,
        currency=body.currency,
        kind=body.kind,
        channel=body.channel,
        place=body.place,
        owners=all_normalised(platform, _owners(body)),
        contact=tuple(sorted(body.contact.items())),
        promised=from_datetime(body.promised) if body.promised else 0,
        shipping=body.shipping_minor,
        tax_included=body.tax_included,
        total=body.total_minor,
        backorder=body.backorder,
        pays_first=body.pays_first,
        hold_seconds=body.hold_seconds,
        number=body.number,
        basket=basket,
        note=body.note,
        by=by,
    )
    if body.slot is None:
        return standing_of(platform.commerce.do(command))
    slot = body.slot
    ahead = OrderAhead(
        key=key,
        order=msgspec.structs.replace(command, key=""),
        resource=slot.resource,
        start=from_datetime(slot.start),
        party=slot.party,
        slots=slot.slots,
    )
    made = platform.commerce.do(ahead)
    return msgspec.structs.replace(standing_of(made.order), booking=made.booking.id)


def confirm(call: Call[Nothing, types.OrderToConfirm]) -> types.OrderStanding:
    body = call.body
    return standing_of(
        call.platform.commerce.do(
            placing.Confirm(key=call.key, order=_id(call), by=call.actor.name, channel=body.channel, why=body.why)
        )
    )


def advance(call: Call[Nothing, types.OrderToAdvance]) -> types.OrderStanding:
    body = call.body
    command = changing.Advance(
        key=call.key,
        order=_id(call),
        to=body.to,
        changes=_changes(body.lines),
        where=body.where,
        by=call.actor.name,
        channel=body.channel,
        why=body.why,
    )
    return standing_of(counter_of(call.platform).advance(command))


def cancel(call: Call[Nothing, types.OrderToCancel]) -> types.OrderStanding:
    body = call.body
    command = changing.Cancel(
        key=call.key,
        order=_id(call),
        changes=_changes(body.lines),
        by=call.actor.name,
        channel=body.channel,
        why=body.why,
    )
    return standing_of(call.platform.commerce.do(command))


def bring_back(call: Call[Nothing, types.OrderReturn]) -> types.OrderStanding:
    body = call.body
    command = changing.Return(
        key=call.key,
        order=_id(call),
        place=body.place,
        changes=_changes(body.lines),
        damaged=body.damaged,
        by=call.actor.name,
        channel=body.channel,
        why=body.why,
    )
    return standing_of(call.platform.commerce.do(command))


def pay(call: Call[Nothing, types.NewOrderPayment]) -> types.OrderPaid:
    body = call.body
    make = paying.Pay if body.confirms else paying.RecordPayment
    paid = call.platform.commerce.do(
        make(
            key=call.key,
            order=_id(call),
            provider=body.provider,
            reference=body.reference,
            fact=body.fact,
            amount=body.amount_minor,
            currency=body.currency,
            method=body.method,
            occurred=from_datetime(body.occurred) if body.occurred else 0,
            waits=body.waits,
            by=call.actor.name,
        )
    )
    return types.OrderPaid(order=standing_of(paid.order), counted_minor=paid.counted, refund=paid.refund, why=paid.why)


def record(call: Call[Nothing, types.RecordedOrder]) -> types.OrderRecorded:
    body = call.body
    command = outside.RecordOrder(
        key=call.key,
        source=body.source,
        source_id=body.source_id,
        updated=from_datetime(body.updated),
        lines=tuple(_fact(line) for line in body.lines),
        currency=body.currency,
        number=body.number,
        kind=body.kind,
        channel=body.channel,
        place=body.place,
        owners=all_normalised(call.platform, body.owners),
        contact=tuple(sorted(body.contact.items())),
        shipping=body.shipping_minor,
        tax_included=body.tax_included,
        total=body.total_minor,
        is_cancelled=body.cancelled,
        tells=body.tell,
        by=call.actor.name,
    )
    found = call.platform.commerce.do(command)
    return types.OrderRecorded(order=standing_of(found.order), new=found.is_new, stale=found.stale)


# -- what is asked ----------------------------------------------------------------------------------------------------


def _id(call: AnyCall) -> int:
    return questions.located(call.platform.commerce, call.path["order"])


def _changes(lines: list[types.LineChange]) -> tuple[changing.Change, ...]:
    return tuple(changing.Change(line=one.line, amount=one.amount or 0, place=one.place) for one in lines)


def _owners(body: types.NewOrder) -> list[str]:
    """Whose the order is; an order of a person's basket is that person's."""
    return [*body.owners, *([body.basket] if ":" in body.basket else [])]


def _line(platform: Platform, body: types.NewOrder, line: types.NewOrderLine) -> placing.NewLine:
    product = catalogue.product(platform.commerce, line.sku)
    return placing.NewLine(
        sku=line.sku,
        amount=line.amount,
        price=line.price_minor if line.price_minor is not None else _price(platform, body, line.sku),
        discount=line.discount_minor,
        tax=line.tax_minor,
        name=line.name or (product.name() if product else ""),
        unit=product.unit if product else "",
        ref=line.ref,
        parts=tuple(placing.Part(part.place, part.amount) for part in line.parts),
    )


def _from_basket(platform: Platform, body: types.NewOrder) -> tuple[tuple[placing.NewLine, ...], int]:
    """All that lies in a basket, at the prices that hold now."""
    asked = Asked(platform.commerce.now, body.currency, body.channel)
    found = shown(platform, body.basket, "basket", asked)
    if not found.lines:
        raise NotFound("there is nothing in the basket")
    if found.unpriced:
        without = next(line.sku for line in found.lines if line.price is None)
        raise DefinitionInvalid(f"expected a price of {without} in {body.currency}", hint="Set it in the catalogue")
    if any(line.basket != found.basket for line in found.lines):
        raise Conflict("the person has several baskets", hint="Merge them first: POST /v1/baskets/{basket}/merge")
    lines = tuple(
        placing.NewLine(
            sku=line.sku, amount=line.amount, price=line.price or 0, name=line.name, unit=line.unit, ref=line.line
        )
        for line in found.lines
    )
    return lines, found.basket


def _price(platform: Platform, body: types.NewOrder, sku: str) -> int:
    found = catalogue.price(platform.commerce, sku, body.channel, body.currency, platform.commerce.now)
    if found is None:
        raise DefinitionInvalid(
            f"expected price_minor of {sku[:80]}, because the catalogue has none in {body.currency}",
            hint="Give price_minor, or set the price in the catalogue",
        )
    return found.amount


def _fact(line: types.RecordedLine) -> outside.FactLine:
    return outside.FactLine(
        ref=line.ref,
        sku=line.sku,
        amount=line.amount,
        price=line.price_minor,
        discount=line.discount_minor,
        tax=line.tax_minor,
        name=line.name,
        fulfilled=line.fulfilled,
        returned=line.returned,
        cancelled=line.cancelled,
        total=line.total_minor,
    )


def _subject(call: AnyCall, _answer: Any) -> str:
    return str(call.path["order"])


NEW_ORDER = {
    "kind": "pick_up",
    "place": "S01",
    "channel": "app",
    "owners": ["email:ana@tienda.es"],
    "lines": [{"sku": "ABR-00001-AZ", "amount": 1_000}],
}
PAYMENT = {"provider": "bank", "reference": "ch_1", "fact": "captured", "amount_minor": 100, "currency": "EUR"}
RECORDED = {
    "source": "shopify",
    "source_id": "5712998801672",
    "number": "#1001",
    "updated": "2026-11-22T10:00:00Z",
    "currency": "EUR",
    "place": "S01",
    "lines": [{"ref": "1", "sku": "ABR-00001-AZ", "amount": 1_000, "price_minor": 12_995}],
}

ASKED = (
    Operation(
        name="orders.list",
        method="GET",
        path="/v1/orders",
        summary="List orders",
        description="Newest first.",
        permission="commerce.read",
        handle=list_,
        query=types.OrdersQuery,
        answer=Page[types.OrderHead],
        errors=(NotFound, DefinitionInvalid),
        parameters={"place": "S01"},
        audit="person.listed",
        is_look=True,
        subject=lambda _call, _answer: "orders",
    ),
    Operation(
        name="orders.board",
        method="GET",
        path="/v1/orders-board",
        summary="Count open orders by state",
        permission="commerce.read",
        handle=board,
        query=types.OrdersBoardQuery,
        answer=types.OrdersBoard,
    ),
    Operation(
        name="orders.get",
        method="GET",
        path="/v1/orders/{order}",
        summary="Get an order",
        permission="commerce.read",
        handle=get,
        answer=types.Order,
        errors=(NotFound,),
        audit="order.seen",
        is_look=True,
        subject=_subject,
    ),
    Operation(
        name="orders.history",
        method="GET",
        path="/v1/orders/{order}/history",
        summary="What happened to an order",
        description="In all channels, oldest first.",
        permission="commerce.read",
        handle=history,
        answer=types.OrderHistory,
        errors=(NotFound,),
        audit="order.seen",
        is_look=True,
    ),
)
DONE = (
    Operation(
        name="orders.place",
        method="POST",
        path="/v1/orders",
        summary="Place an order",
        description="Of lines, or of all that lies in a basket. All goods are held, or none; the answer to a shortage "
        "says what can be had. With a `slot` it is ordered ahead: the goods and the time at which they are collected "
        "are had together, or neither.",
        permission="commerce.serve",
        handle=place,
        body=types.NewOrder,
        answer=types.OrderStanding,
        status=201,
        errors=(NotFound, DefinitionInvalid, Shortage, Conflict, Ended),
        lane="write",
        audit="order.placed",
        subject=lambda _call, answer: answer.number,
        example=NEW_ORDER,
    ),
    Operation(
        name="orders.pay",
        method="POST",
        path="/v1/orders/{order}/payments",
        summary="Record a fact of a payment",
        description="As the provider tells it; no card is ever seen here. What pays for the order confirms it; when "
        "its goods are gone meanwhile, the fact stands and `refund` is true.",
        permission="commerce.serve",
        handle=pay,
        body=types.NewOrderPayment,
        answer=types.OrderPaid,
        errors=(NotFound, DefinitionInvalid, Conflict),
        lane="write",
        audit="order.payment_recorded",
        subject=_subject,
        example=PAYMENT,
    ),
    Operation(
        name="orders.confirm",
        method="POST",
        path="/v1/orders/{order}/confirm",
        summary="Confirm an order",
        description="It need not be paid first. What is held stays held; what ran out meanwhile is held anew.",
        permission="commerce.serve",
        handle=confirm,
        body=types.OrderToConfirm,
        answer=types.OrderStanding,
        errors=(NotFound, Ended),
        lane="write",
        audit="order.confirmed",
        subject=_subject,
        example={"why": "pays on delivery"},
    ),
    Operation(
        name="orders.advance",
        method="POST",
        path="/v1/orders/{order}/advance",
        summary="Move goods of an order on",
        description="To *allocated*, *picked*, *ready*, *shipped* …, as the table of transitions allows. What is "
        "collected and becomes ready lies at its desk: the person gets a code and hears of it, as by `pickups.ready`.",
        permission="commerce.serve",
        handle=advance,
        body=types.OrderToAdvance,
        answer=types.OrderStanding,
        errors=(NotFound, DefinitionInvalid, Conflict, Shortage, Ended),
        lane="write",
        audit="order.advanced",
        subject=_subject,
        example={"to": "picked", "lines": [{"line": 1, "amount": 1_000}]},
    ),
    Operation(
        name="orders.cancel",
        method="POST",
        path="/v1/orders/{order}/cancel",
        summary="Cancel an order, or a part of it",
        description="As far as it has not left; what was held can be sold again.",
        permission="commerce.serve",
        handle=cancel,
        body=types.OrderToCancel,
        answer=types.OrderStanding,
        errors=(NotFound, Conflict),
        lane="write",
        audit="order.cancelled",
        subject=_subject,
        example={"lines": [{"line": 1, "amount": 1_000}], "why": "changed her mind"},
    ),
    Operation(
        name="orders.bring_back",
        method="POST",
        path="/v1/orders/{order}/returns",
        summary="Take goods back",
        description="In any place; never more than was handed over and not brought back before.",
        permission="commerce.serve",
        handle=bring_back,
        body=types.OrderReturn,
        answer=types.OrderStanding,
        errors=(NotFound, DefinitionInvalid, Conflict),
        lane="write",
        audit="order.returned",
        subject=_subject,
        example={"place": "S01", "lines": [{"line": 1, "amount": 1_000}], "why": "too small"},
    ),
    Operation(
        name="orders.record",
        method="POST",
        path="/v1/recorded-orders",
        summary="Record an order that another platform took",
        description="As it stands there. Told again it is the same order, an older version changes nothing, and it is "
        "never refused for a shortage: what is not there is owed.",
        permission="commerce.write",
        handle=record,
        body=types.RecordedOrder,
        answer=types.OrderRecorded,
        errors=(DefinitionInvalid, Conflict),
        lane="write",
        audit="order.recorded",
        subject=lambda call, _answer: f"{call.body.source} {call.body.source_id}",
        example=RECORDED,
    ),
)
OPERATIONS = ASKED + DONE
