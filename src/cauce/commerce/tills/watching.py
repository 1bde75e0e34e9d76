"""What is done elsewhere in commerce and concerns what tills told: hand-overs against a receipt, orders moved on."""

from __future__ import annotations

from cauce.commerce.fulfilment import api as fulfilment
from cauce.commerce.orders import api as orders
from cauce.commerce.tills import carrying, returning
from cauce.commerce.transact.work import Work


def followed(work: Work) -> None:
    """After any command: receipts give the goods of orders back to them, and returns that waited come back.

    What a desk took back of a receipt of which no order is known is kept like a till's return, for when one is.
    """
    for one in fulfilment.handed_now(work):
        if one.receipt:
            carrying.handed_over(work, one)
            returning.receipt_known(work, one.desk, one.receipt, "", [one.order_id])
    for back in fulfilment.desk_backs_now(work):
        returning.desk_took_back(work, back)
    for order in orders.changed_now(work):
        returning.order_changed(work, order.id)
