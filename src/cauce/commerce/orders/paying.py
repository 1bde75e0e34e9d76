"""Facts of payments, as their provider tells them: no card is ever seen here."""

from __future__ import annotations

import msgspec

from cauce.commerce.orders import moves, placing, telling
from cauce.commerce.orders.moves import Note
from cauce.commerce.orders.placing import Standing, standing
from cauce.commerce.orders.store import ORDERS, PAYMENTS, Order, Payment
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, DefinitionInvalid, Ended

AUTHORISED, CAPTURED, REFUNDED, VOIDED = "authorised", "captured", "refunded", "voided"
FACTS: dict[str, str] = {
    AUTHORISED: "The customer's bank promises the amount.",
    CAPTURED: "The amount was taken.",
    REFUNDED: "The amount was given back.",
    VOIDED: "A promise of the bank was given up.",
}
"""What a provider can tell of a payment."""
TEXT_MAX = 200


class RecordPayment(Command, frozen=True, kw_only=True):
    """A fact of a payment; `reference` is the provider's own id of it, which makes it count once.

    `amount` is in minor units, `occurred` in microseconds (0: now). With `waits`, a refund that is told before its
    capture waits for it, because the messages of providers come in any order; without, it is refused.
    """

    order: int
    provider: str
    reference: str
    fact: str
    amount: int
    currency: str
    method: str = ""
    occurred: int = 0
    waits: bool = False
    by: str = ""
    channel: str = ""
    tells: bool = True


class Pay(RecordPayment, frozen=True, kw_only=True):
    """A fact of a payment that confirms its order when enough is authorised or captured."""


class Paid(msgspec.Struct, frozen=True):
    """How the order stands; `counted` of the fact counts. `refund`: it was paid and cannot be had: give it back."""

    order: Standing
    counted: int
    refund: bool = False
    why: str = ""


def record(work: Work, command: RecordPayment) -> Paid:
    """Conflict when the same reference was told otherwise before, or more would be refunded than was captured."""
    order = work.need(ORDERS, command.order)
    _check(order, command)
    before = work.get(PAYMENTS, command.provider, command.reference)
    if before is not None:
        return _again(order, before, command)
    counted = _counted(order, command)
    payment = Payment(
        provider=command.provider,
        reference=command.reference,
        order_id=order.id,
        fact=command.fact,
        amount=command.amount,
        counted=counted,
        currency=command.currency,
        at=work.now,
        occurred=command.occurred or work.now,
        method=command.method,
    )
    work.append(PAYMENTS, payment)
    order = _applied(work, order, payment, counted, command)
    if command.fact == CAPTURED:
        order = _refund_what_waited(work, order, command)
    return Paid(standing(work.put(ORDERS, order._replace(changed=work.now))), counted)


def pay(work: Work, command: Pay) -> Paid:
    """The fact stands in any case. When it pays for the order, that is confirmed; `refund` when its goods are gone."""
    paid = record(work, command)
    order = work.need(ORDERS, command.order)
    if order.confirmed or command.fact not in (AUTHORISED, CAPTURED):
        return paid
    if _covered(work, order) < order.total:
        return paid
    confirm = placing.Confirm(order=order.id, by=command.by, channel=command.channel, why=f"paid by {command.provider}")
    try:
        placing.could_confirm(work, order)
    except Ended as gone:
        return Paid(paid.order, paid.counted, refund=True, why=gone.message)
    return Paid(placing.confirm(work, confirm), paid.counted)


def _check(order: Order, command: RecordPayment) -> None:
    if command.fact not in FACTS:
        raise DefinitionInvalid(f"expected fact to be one of {', '.join(FACTS)}, got {command.fact!r}")
    if not command.provider or not command.reference or len(command.provider + command.reference) > TEXT_MAX:
        raise DefinitionInvalid(f"expected a provider and its reference, together at most {TEXT_MAX} characters")
    if not 0 < command.amount <= placing.MONEY_MAX:
        raise DefinitionInvalid(f"expected an amount from 1 to {placing.MONEY_MAX} minor units, got {command.amount}")
    if command.currency != order.currency:
        raise Conflict(f"order {order.number} is in {order.currency}, the payment in {command.currency}")


def _again(order: Order, before: Payment, command: RecordPayment) -> Paid:
    said = (command.order, command.fact, command.amount, command.currency)
    if (before.order_id, before.fact, before.amount, before.currency) != said:
        raise Conflict(
            f"{command.provider} {command.reference} was told before: {before.fact} {before.amount} "
            f"{before.currency} for another order or amount",
            hint="Each fact has a reference of its own",
        )
    return Paid(standing(order), before.counted)


def _counted(order: Order, command: RecordPayment) -> int:
    if command.fact == VOIDED:
        return min(command.amount, order.authorised)
    if command.fact != REFUNDED:
        return command.amount
    left = order.captured - order.refunded
    if command.amount <= left:
        return command.amount
    if command.waits:
        return left
    raise Conflict(
        f"{command.amount} minor units of order {order.number} are to be refunded, {left} can be: "
        f"{order.captured} were captured and {order.refunded} refunded",
        hint="Record the capture first",
    )


def _covered(work: Work, order: Order) -> int:
    """What is promised or taken: of each provider the more of both, because it takes what it was promised before."""
    sums: dict[tuple[str, str], int] = {}
    for payment in work.select(PAYMENTS, "order_id = ?", order.id):
        key = payment.provider, payment.fact
        sums[key] = sums.get(key, 0) + payment.counted
    providers = {provider for provider, _ in sums}
    return sum(
        max(sums.get((one, AUTHORISED), 0) - sums.get((one, VOIDED), 0), sums.get((one, CAPTURED), 0))
        for one in providers
    )


def _applied(work: Work, order: Order, payment: Payment, counted: int, command: RecordPayment) -> Order:
    """The order with a fact counted, in its history and told."""
    note = Note(command.by, command.channel, f"{payment.provider} {payment.reference}")
    moves.entered(work, order, became=payment.fact, note=note, amount=counted)
    if command.tells and counted:
        _tell(work, order, payment, counted, command.channel)
    if payment.fact == CAPTURED:
        return work.put(ORDERS, order._replace(captured=order.captured + counted))
    if payment.fact == REFUNDED:
        return work.put(ORDERS, order._replace(refunded=order.refunded + counted))
    change = counted if payment.fact == AUTHORISED else -counted
    return work.put(ORDERS, order._replace(authorised=order.authorised + change))


def _refund_what_waited(work: Work, order: Order, command: RecordPayment) -> Order:
    """Refunds that were told before this capture count now, oldest first."""
    if not command.waits:
        return order
    waiting = work.select(PAYMENTS, "order_id = ? and fact = ? and counted < amount order by at", order.id, REFUNDED)
    for payment in waiting:
        more = min(payment.amount - payment.counted, order.captured - order.refunded)
        if more:
            work.put(PAYMENTS, payment._replace(counted=payment.counted + more))
            order = _applied(work, order, payment, more, command)
    return order


def _tell(work: Work, order: Order, payment: Payment, counted: int, channel: str) -> None:
    amount = telling.money(counted, order.currency)
    if payment.fact == CAPTURED:
        telling.tell(
            work,
            order,
            telling.PAID,
            channel,
            payment_id=payment.reference,
            method=payment.method or payment.provider,
            amount=amount,
            currency=order.currency,
        )
    elif payment.fact == REFUNDED:
        telling.tell(work, order, telling.REFUNDED, channel, total=amount, currency=order.currency)


ACTIONS = (Action(RecordPayment, record, Paid), Action(Pay, pay, Paid))
