"""Which orders does a till's receipt speak of?

Noted where somebody says so: the till, or the desk that was shown it. With an empty place it is the id by which another
platform knows an order, from whatever source it is told.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cauce.commerce.orders.store import ORDERS, RECEIPTS, Order, OrderReceipt
from cauce.commerce.transact.asking import number_of
from cauce.commerce.transact.records import Records
from cauce.commerce.transact.work import Work

ORDERS_MAX = 50
"""Orders of one receipt that are remembered; more than anybody collects at once."""


def paid_with(work: Work, place: str, receipt: str, order_id: int) -> None:
    """From now on the receipt that a place has given out under this number is known to be (also) of the order."""
    row = _row(work, place, receipt)
    ids = msgspec.json.decode(row.orders, type=list[int])
    if row.receipt and order_id not in ids:
        written = msgspec.json.encode([*ids, order_id][-ORDERS_MAX:]).decode()
        work.put(RECEIPTS, row._replace(orders=written))


def of_receipt(work: Work, place: str, receipt: str) -> list[Order]:
    """The orders that a receipt of a place speaks of, in the order in which that became known."""
    row = _row(work, place, receipt)
    return [work.need(ORDERS, id_) for id_ in msgspec.json.decode(row.orders, type=list[int])]


def receipt_needs(place: str, receipt: str) -> tuple[Records[Any], int]:
    """The row that `of_receipt` will ask for."""
    return RECEIPTS, _id_of(place, receipt_number(receipt))


def _row(work: Work, place: str, receipt: str) -> OrderReceipt:
    """What is known of a receipt; a row without orders when nothing is."""
    number = receipt_number(receipt)
    id_, known = work.hashed(RECEIPTS, _id_of(place, number), lambda row: (row.place, row.receipt) == (place, number))
    return known or OrderReceipt(id_, place, number, "[]")


def _id_of(place: str, number: str) -> int:
    return number_of(f"{place}\x1f{number}".encode("utf-8", "surrogatepass"))


def receipt_number(receipt: str) -> str:
    """A receipt's number as it is compared: without the zeros in front, which one system prints and another does not.

    >>> receipt_number(" 00042 ")
    '42'
    """
    number = receipt.strip()[:200]
    return number.lstrip("0") or "0" if number.isascii() and number.isdigit() else number
