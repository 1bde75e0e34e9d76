"""Tables of the ledger."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from cauce.commerce.transact.asking import number_of
from cauce.commerce.transact.records import records
from cauce.engines.api import Table

OPEN, POSTED, VOIDED, EXPIRED = "open", "posted", "voided", "expired"


class Account(NamedTuple):
    """One account: `book` (stock, slots, points, value), `subject` within it and the account's `name` there.

    `posted` is what all transfers come to (credits less debits), `pending` what open holds want to take away.
    With `floor` 1 nothing that is not there can be taken or promised.
    """

    id: int
    book: str
    subject: str
    name: str
    floor: int
    posted: int
    pending: int

    @property
    def available(self) -> int:
        return self.posted - self.pending


class Transfer(NamedTuple):
    """An amount that went from one account (`debit`) to another (`credit`), for good.

    `hold` is the hold it kept, 0 for none; `cause` the key of the command, `why` a word for people.
    """

    id: int
    at: int
    book: str
    debit: int
    credit: int
    amount: int
    hold: int
    why: str
    cause: str


class Hold(NamedTuple):
    """An amount promised from `debit` to `credit`; `remaining` of it still is.

    `due` is when an open one runs out (microseconds, 0 for never), and 0 again once it has ended.

    `owner` says what it is for: a word for the part of commerce, a colon, and an id of its own.
    """

    id: int
    at: int
    debit: int
    credit: int
    amount: int
    remaining: int
    due: int
    state: str
    owner: str
    cause: str
    ended: int


ACCOUNTS = records(
    "account",
    Account,
    indexes=(("book", "subject"),),
    fixed=("book", "subject", "name", "floor"),
    checks=("pending >= 0", "floor = 0 or posted - pending >= 0"),
)
TRANSFERS = records(
    "transfer", Transfer, indexes=(("debit",), ("credit",)), checks=("amount > 0", "debit <> credit"), sealed=True
)
HOLDS = records(
    "hold",
    Hold,
    indexes=(("due",),),
    checks=("amount > 0", "remaining >= 0", "remaining <= amount", f"state = '{OPEN}' or remaining = 0"),
)
TABLES: tuple[Table, ...] = (ACCOUNTS.table, TRANSFERS.table, HOLDS.table)


class Place(NamedTuple):
    """Where an account stands: book, subject, name, and whether it has a floor."""

    book: str
    subject: str
    name: str
    floor: bool = True


@lru_cache(maxsize=100_000)
def id_of(place: Place) -> int:
    """The account's id: 63 bits of its place's hash, never 0."""
    text = "\x1f".join((place.book, place.subject, place.name)).encode("utf-8", "surrogatepass")
    return number_of(text)
