"""Tables of stored value, and the accounts that it has in the ledger."""

from __future__ import annotations

from typing import NamedTuple

from cauce.commerce.ledger.api import Place
from cauce.commerce.transact.records import records
from cauce.engines.api import Table

BOOK = "value"
ISSUED, BALANCE, SPENT, EXPIRED = "issued", "balance", "spent", "expired"
ACTIVE, BLOCKED = "active", "blocked"
HELD, CAPTURED, RELEASED, RAN_OUT = "held", "captured", "released", "expired"


class Card(NamedTuple):
    """A card. `number` and `pin` are hashes with the installation's secret ("" for none), `last` the last four digits;
    `member` whose store credit it is ("" for whoever holds it); `expires` FOREVER when never."""

    id: int
    number: str
    pin: str
    last: str
    currency: str
    member: str
    state: str
    issued: int
    expires: int
    swept: int
    wrong_pins: int
    by: str


class Number(NamedTuple):
    """A card by the hash of its number."""

    number: str
    card: int


class Authorisation(NamedTuple):
    """An amount of a card that was promised to a document. `captured` of it was taken, `refunded` of that given back;
    `left` may still be captured while it is held."""

    id: int
    card: int
    hold: int
    at: int
    due: int
    amount: int
    captured: int
    refunded: int
    state: str
    channel: str
    document: str


CARDS = records("value_card", Card, indexes=(("member",), ("last",), ("swept", "expires")))
NUMBERS = records("value_number", Number)
AUTHORISATIONS = records(
    "value_authorisation",
    Authorisation,
    indexes=(("card",), ("document",)),
    checks=("captured >= 0", "captured <= amount", "refunded >= 0", "refunded <= captured"),
)
TABLES: tuple[Table, ...] = (CARDS.table, NUMBERS.table, AUTHORISATIONS.table)


def card_place(card: int, name: str) -> Place:
    """What is on a card (*balance*), or was taken from it (*spent*); neither goes below nothing."""
    return Place(BOOK, str(card), name)


def currency_place(currency: str, name: str) -> Place:
    """Where value comes from (*issued*) and goes when it runs out (*expired*): the world outside."""
    return Place(BOOK, currency, name, floor=False)
