"""States, kinds of delivery and facts of payments, in words for people."""

from __future__ import annotations

from cauce.console.catalogues import marked
from cauce.console.words import Words, plain

STATES: dict[str, str] = {
    "placed": marked("Placed"),
    "allocated": marked("Allocated"),
    "picked": marked("Picked"),
    "ready": marked("Ready"),
    "shipped": marked("Shipped"),
    "delivered": marked("Delivered"),
    "collected": marked("Collected"),
    "returned": marked("Returned"),
    "cancelled": marked("Cancelled"),
}
"""What a state is called."""

MEANINGS: dict[str, str] = {
    "placed": marked("Nothing is held for it yet"),
    "allocated": marked("Held, to be picked"),
    "picked": marked("Taken from the shelf"),
    "ready": marked("Waiting for the customer or the carrier"),
    "shipped": marked("On its way"),
}
"""What waits in a column of the board."""

BADGES = {"delivered": "good", "collected": "good", "ready": "good", "returned": "warn", "cancelled": "bad"}

KINDS: dict[str, str] = {
    "ship": marked("Ship to an address"),
    "pick_up": marked("Pick up in store"),
    "reserve_in_store": marked("Reserve, pay in store"),
    "curbside": marked("Curbside"),
    "ship_to_store": marked("Ship to store"),
    "endless_aisle": marked("Endless aisle"),
    "order_ahead": marked("Order ahead"),
}
ICONS = {
    "ship": "bolt",
    "pick_up": "shop",
    "reserve_in_store": "clock",
    "curbside": "shop",
    "ship_to_store": "shop",
    "endless_aisle": "bolt",
    "order_ahead": "clock",
}

ACTIONS: dict[str, str] = {
    "placed": marked("Give up the place"),
    "allocated": marked("Allocate"),
    "picked": marked("Pick"),
    "ready": marked("Make ready"),
    "shipped": marked("Ship"),
    "delivered": marked("Delivered"),
    "collected": marked("Hand over"),
}
"""What somebody does to bring goods into a state."""

FACTS: dict[str, str] = {
    "authorised": marked("Authorised"),
    "captured": marked("Captured"),
    "refunded": marked("Refunded"),
    "voided": marked("Voided"),
}

ENTRIES: dict[str, str] = {
    "placed": marked("Order placed"),
    "confirmed": marked("Order confirmed"),
    "authorised": marked("Payment authorised"),
    "captured": marked("Payment captured"),
    "refunded": marked("Payment refunded"),
    "voided": marked("Authorisation given up"),
}
"""Entries of the history about the order itself."""

METHODS: dict[str, str] = {
    "card": marked("card"),
    "cash": marked("cash"),
    "transfer": marked("bank transfer"),
    "gift_card": marked("gift card"),
    "store_credit": marked("store credit"),
    "points": marked("points"),
    "invoice": marked("invoice"),
    "cash_on_delivery": marked("cash on delivery"),
}
"""Ways to pay that most systems tell of."""


def method_said(words: Words, method: str) -> str:
    """How something was paid; what nobody has a word for is told as it was said."""
    return words.say(METHODS[method]) if method in METHODS else plain(method)
