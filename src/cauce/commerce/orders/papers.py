"""Which orders does a till's receipt speak of?

Noted where somebody says so: the till, or the desk that was shown it. With an empty place it is the id by which another
platform knows an order, from whatever source it is told.
"""

from __future__ import annotations

import msgspec

from cauce.commerce.orders.store import ORDERS, RECEIPTS, Order, OrderReceipt
from cauce.commerce.transact.work import Work

ORDERS_MAX = 50
"""Orders of one receipt that are remembered; more than anybody collects at once."""


def paid_with(work: Work, place: str, receipt: str, order_id: int) -> None:
    """From now on the receipt that a place has given out under this number is known to be (also) of the order."""
    number = receipt_number(receipt)
    known = work.get(RECEIPTS, place, number)
    ids = msgspec.json.decode(known.orders, type=list[int]) if known else []
    if number and order_id not in ids:
        written = msgspec.json.encode([*ids, order_id][-ORDERS_MAX:]).decode()
        work.put(RECEIPTS, OrderReceipt(place, number, written))


def of_receipt(work: Work, place: str, receipt: str) -> list[Order]:
    """The orders that a receipt of a place speaks of, in the order in which that became known."""
    known = work.get(RECEIPTS, place, receipt_number(receipt)) if receipt else None
    return [work.need(ORDERS, id_) for id_ in msgspec.json.decode(known.orders, type=list[int])] if known else []


def receipt_number(receipt: str) -> str:
    """A receipt's number as it is compared: without the zeros in front, which one system prints and another does not.

    >>> receipt_number(" 00042 ")
    '42'
    """
    number = receipt.strip()[:200]
    return number.lstrip("0") or "0" if number.isascii() and number.isdigit() else number
