"""Stored value as doors see it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty.store import FOREVER
from cauce.commerce.loyalty.value import cards, paying
from cauce.commerce.loyalty.value.cards import CardShown, shown_with
from cauce.commerce.loyalty.value.numbers import number_hash
from cauce.commerce.loyalty.value.paying import OWNER, Authorised, expired
from cauce.commerce.loyalty.value.store import (
    AUTHORISATIONS,
    BALANCE,
    CARDS,
    TABLES,
    Card,
    card_place,
)
from cauce.commerce.transact.asking import marks
from cauce.engines.api import Reader

__all__ = [
    "ACTIONS", "FOREVER", "OWNER", "TABLES", "Authorised", "CardMovement", "CardShown", "authorisations", "card",
    "cards_of", "expired", "find", "latest", "movements", "number_of", "outstanding",
]  # fmt: skip

ACTIONS = (*cards.ACTIONS, *paying.ACTIONS)
SHOWN_MAX = 500


class CardMovement(msgspec.Struct, frozen=True):
    """What came onto a card (or, below 0, went): minor units; `balance` what was on it then."""

    at: int
    amount: int
    why: str
    balance: int


def find(reader: Reader, secret: bytes, number: str) -> CardShown | None:
    """The card with this number."""
    rows = reader.select("select card from value_number where number = ?", (number_hash(secret, number),))
    return card(reader, rows[0][0]) if rows else None


def number_of(reader: Reader, id_: int) -> str:
    """The hash of a card's number."""
    rows = reader.select("select number from value_card where id = ?", (id_,))
    return str(rows[0][0]) if rows else ""


def card(reader: Reader, id_: int) -> CardShown | None:
    rows = reader.select(CARDS.by_key, (id_,))
    return _shown(reader, [CARDS.of(row) for row in rows])[0] if rows else None


def cards_of(reader: Reader, identifiers: Sequence[str]) -> list[CardShown]:
    """Store credit of somebody known by these identifiers, the latest first."""
    if not identifiers:
        return []
    rows = reader.select(
        f"select {CARDS.columns} from value_card where member in ({marks(identifiers)}) order by id desc limit ?",
        (*identifiers, SHOWN_MAX),
    )
    return _shown(reader, [CARDS.of(row) for row in rows])


def latest(reader: Reader, *, last: str = "", before: int = 0, limit: int = 50) -> list[CardShown]:
    """Cards, the latest first; those whose number ends in `last`, and with an id below `before`."""
    rows = reader.select(
        f"select {CARDS.columns} from value_card where (? = '' or last = ?) and (? = 0 or id < ?) "
        "order by id desc limit ?",
        (last, last, before, before, min(limit, SHOWN_MAX)),
    )
    return _shown(reader, [CARDS.of(row) for row in rows])


def authorisations(reader: Reader, card_id: int, limit: int = 50) -> list[Authorised]:
    """What was asked of a card, the latest first."""
    found = card(reader, card_id)
    rows = reader.select(
        f"select {AUTHORISATIONS.columns} from value_authorisation where card = ? order by id desc limit ?",
        (card_id, min(limit, SHOWN_MAX)),
    )
    return [
        Authorised(row.id, row.card, row.state, row.amount, row.captured, row.refunded,
                   found.currency if found else "", row.due)
        for row in map(AUTHORISATIONS.of, rows)
    ]  # fmt: skip


def movements(reader: Reader, card_id: int) -> list[CardMovement]:
    """All that came and went, oldest first; it sums to the card's balance."""
    own = ledger.id_of(card_place(card_id, BALANCE))
    rows = reader.select(
        "select at, debit, amount, why from transfer where debit = ? or credit = ? order by id", (own, own)
    )
    found, balance = [], 0
    for at, debit, amount, why in rows:
        signed = -amount if debit == own else amount
        balance += signed
        found.append(CardMovement(at, signed, why, balance))
    return found


def outstanding(reader: Reader) -> dict[str, int]:
    """What is on all cards together, by currency: what the company owes. Minor units."""
    rows = reader.select(
        "select c.currency, sum(a.posted) from value_card c join account a on a.book = 'value' and a.name = ? "
        "and a.subject = cast(c.id as text) group by c.currency order by c.currency",
        (BALANCE,),
    )
    return {row[0]: int(row[1]) for row in rows}


def _shown(reader: Reader, found: Sequence[Card]) -> list[CardShown]:
    ids = {each.id: ledger.id_of(card_place(each.id, BALANCE)) for each in found}
    rows = reader.select_keys(f"select {ledger.ACCOUNTS.columns} from account where id in {{keys}}", ids.values())
    accounts = {row[0]: ledger.ACCOUNTS.of(row) for row in rows}
    return [shown_with(each, accounts.get(ids[each.id])) for each in found]
