"""Points in lots: put in, taken out, expired. Every movement is one of the ledger; nothing is counted beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cauce.commerce.ledger import api as ledger
from cauce.commerce.ledger.api import Place
from cauce.commerce.loyalty.definition import Programme
from cauce.commerce.loyalty.rules import lot_span
from cauce.commerce.loyalty.store import EXPIRED, LOTS, MEMBERS, RUN_OUT, Lot, counter, debt_place, lot_place
from cauce.commerce.transact.asking import marks
from cauce.commerce.transact.work import Work

CIRCLE_MAX = 200
"""Identifiers of one person that are counted together."""


def new_lot(work: Work, programme: Programme, member: str, source: str, at: int) -> Lot:
    """An empty lot that lasts as the programme says of what is earned at `at`."""
    starts, expires = lot_span(programme.lots, at, programme.zone)
    id_ = work.number("loyalty_lot")
    return work.append(LOTS, Lot(id_, programme.programme, member, source, at, starts, expires, 0, 0))


def place_of(lot: Lot) -> Place:
    return lot_place(lot.programme, lot.id)


def available(work: Work, lot: Lot) -> int:
    return ledger.account(work, place_of(lot)).available


def open_lots(work: Work, programme: str, members: Sequence[str]) -> list[Lot]:
    """Lots with something in them, oldest expiry first."""
    return work.select(
        LOTS,
        f"programme = ? and member in ({marks(members)}) and open = 1 order by expires, at, id",
        programme,
        *members,
    )


def spendable(work: Work, programme: str, members: Sequence[str]) -> list[tuple[Lot, int]]:
    """Lots that can be spent now, oldest expiry first, each with how much of it is free."""
    return [
        (lot, free)
        for lot in open_lots(work, programme, members)
        if lot.starts <= work.now < lot.expires and (free := available(work, lot))
    ]


def owed(work: Work, programme: str, members: Iterable[str]) -> int:
    """Points that members owe, because a return took them back after they were spent."""
    debts = (debt_of(work, programme, member) for member in members)
    return -sum(ledger.account(work, debt).posted for debt in debts if debt)


def debt_of(work: Work, programme: str, member: str) -> Place | None:
    """Where stands what somebody owes; None for whoever is no member."""
    found = work.get(MEMBERS, programme, member)
    return debt_place(programme, found.number) if found else None


def deposit(work: Work, lot_id: int, amount: int, giver: Place, why: str) -> None:
    """Puts points into a lot; what its member owes is paid first."""
    lot = work.need(LOTS, lot_id)
    debt = debt_of(work, lot.programme, lot.member)
    repaid = min(amount, -ledger.account(work, debt).posted) if debt and lot.expires > work.now else 0
    if debt and repaid > 0:
        ledger.move(work, giver, debt, repaid, why)
    if amount > repaid:
        ledger.move(work, giver, place_of(lot), amount - repaid, why)
        if not lot.open:
            work.put(LOTS, lot._replace(open=1))


def withdraw(work: Work, lot_id: int, amount: int, taker: Place, why: str) -> None:
    """Takes points back that a lot was given: from it, from what expired of it, from its member's others, or as debt.

    It takes always: what a return takes back is no question of what is left.
    """
    lot = work.need(LOTS, lot_id)
    amount -= take(work, lot, amount, taker, why)
    if amount and lot.lapsed:
        # Somebody who lost points by expiry does not lose them once more: they are put back and taken from there.
        back = min(amount, lot.lapsed)
        ledger.move(work, counter(lot.programme, EXPIRED), place_of(lot), back, "put back")
        work.put(LOTS, work.need(LOTS, lot_id)._replace(lapsed=lot.lapsed - back))
        amount -= take(work, work.need(LOTS, lot_id), back, taker, why)
    for other in open_lots(work, lot.programme, [lot.member]) if amount else ():
        if other.id != lot_id and other.expires > work.now:
            amount -= take(work, other, amount, taker, why)
    if amount:
        number = work.need(MEMBERS, lot.programme, lot.member).number
        ledger.move(work, debt_place(lot.programme, number), taker, amount, why)


def take(work: Work, lot: Lot, amount: int, taker: Place, why: str) -> int:
    """Takes as much as is free in a lot, at most `amount`; how much it was."""
    taken = min(amount, available(work, lot))
    if taken > 0:
        ledger.move(work, place_of(lot), taker, taken, why)
        close_if_empty(work, lot.id)
    return max(0, taken)


def close_if_empty(work: Work, lot_id: int) -> None:
    lot = work.need(LOTS, lot_id)
    account = ledger.account(work, place_of(lot))
    if lot.open and not account.posted:
        work.put(LOTS, lot._replace(open=0))


def lapse(work: Work, lot_id: int, why: str = "") -> int:
    """What is free in a lot that ran out expires; how much it was. What is promised to somebody may still be spent."""
    lot = work.need(LOTS, lot_id)
    amount = available(work, lot)
    if amount:
        ledger.move(work, place_of(lot), counter(lot.programme, EXPIRED), amount, why or lot.source)
    is_promised = ledger.account(work, place_of(lot)).pending > 0
    work.put(LOTS, work.need(LOTS, lot_id)._replace(lapsed=lot.lapsed + amount, open=RUN_OUT if is_promised else 0))
    return amount


def settle(work: Work, lot_id: int) -> None:
    """Points came back into a lot: they expire when its time is over, and pay what its member owes."""
    lot = work.need(LOTS, lot_id)
    if lot.expires <= work.now:
        lapse(work, lot_id)
        return
    debt = debt_of(work, lot.programme, lot.member)
    paid = min(available(work, lot), -ledger.account(work, debt).posted) if debt else 0
    if debt and paid > 0:
        ledger.move(work, place_of(lot), debt, paid, "debt paid")
        close_if_empty(work, lot_id)
