"""What happened to a product, transfer by transfer, as the ledger has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cauce.commerce.ledger import api as ledger
from cauce.commerce.ledger.api import Transfer
from cauce.commerce.stock.store import BOOK, SEPARATOR
from cauce.engines.api import Reader

LIMIT_MAX = 1_000
PLACES_MAX = 60
Account = tuple[str, str]
"""The place and the name of an account."""
Said = tuple[int, str, str, str]
"""When it happened, in which channel, on which paper, and who said so."""


class Movement(NamedTuple):
    """One transfer: `amount` thousandths went from an account in a place to another, `why`.

    `at` is when it was written, `occurred` when it happened (microseconds); `cause` the key of the command.
    """

    id: int
    at: int
    occurred: int
    sku: str
    origin_place: str
    origin: str
    target_place: str
    target: str
    amount: int
    why: str
    channel: str
    reference: str
    by: str
    cause: str


def movements(reader: Reader, sku: str, place: str | None = None, cursor: int = 0, limit: int = 50) -> list[Movement]:
    """Movements of a product (in one place), newest first, behind number `cursor` (0: from the newest).

    Without `place`: in the `PLACES_MAX` places that have most of it.
    """
    accounts = _accounts(reader, sku, [place] if place is not None else _fullest(reader, sku))
    before, size = cursor or 2**63 - 1, min(limit, LIMIT_MAX)
    found: dict[int, Transfer] = {}
    # One question for each account and side, so that each is answered from the end of an index.
    for id_ in accounts:
        for side in ("debit", "credit"):
            rows = reader.select(
                f"select {ledger.TRANSFERS.columns} from transfer where {side} = ? and id < ? "
                f"order by id desc limit {size}",
                (id_, before),
            )
            found.update((row[0], ledger.TRANSFERS.of(row)) for row in rows)
    newest = [found[id_] for id_ in sorted(found, reverse=True)[:size]]
    names = _named(reader, accounts, {end for one in newest for end in (one.debit, one.credit)})
    facts = _facts(reader, [one.id for one in newest])
    return [_movement(sku, one, names, facts.get(one.id)) for one in newest]


def _movement(sku: str, one: Transfer, names: Mapping[int, Account], fact: Said | None) -> Movement:
    occurred, channel, reference, by = fact or (one.at, "", "", "")
    origin, target = names[one.debit], names[one.credit]
    return Movement(
        one.id,
        one.at,
        occurred,
        sku,
        origin[0],
        origin[1],
        target[0],
        target[1],
        one.amount,
        one.why,
        channel,
        reference,
        by,
        one.cause,
    )


def _fullest(reader: Reader, sku: str) -> list[str]:
    """The places that have most of a product."""
    rows = reader.select(
        "select s.place from stock s left join account a on a.id = s.id where s.sku = ? "
        f"order by coalesce(a.posted, 0) desc, s.place limit {PLACES_MAX}",
        (sku,),
    )
    return [place for (place,) in rows]


def _accounts(reader: Reader, sku: str, places: Sequence[str]) -> dict[int, Account]:
    """The accounts of a product by id: the place and the name of each."""
    return {
        account.id: (place, account.name)
        for place in places
        for account in ledger.balances(reader, BOOK, f"{sku}{SEPARATOR}{place}").values()
    }


def _named(reader: Reader, known: Mapping[int, Account], wanted: set[int]) -> dict[int, Account]:
    """Place and name of accounts, also of those in other places that goods went to."""
    missing = wanted - known.keys()
    rows = reader.select_keys("select id, subject, name from account where id in {keys}", missing)
    return {**known, **{id_: (subject.partition(SEPARATOR)[2], name) for id_, subject, name in rows}}


def _facts(reader: Reader, transfers: list[int]) -> dict[int, Said]:
    rows = reader.select_keys(
        "select transfer, occurred, channel, reference, by from stock_fact where transfer in {keys}", transfers
    )
    return {transfer: (occurred, channel, reference, by) for transfer, occurred, channel, reference, by in rows}
