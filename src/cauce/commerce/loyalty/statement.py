"""A member's statement out of the ledger: what points were, what came and went, what they are; it sums up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from cauce.commerce.ledger.api import Transfer
from cauce.commerce.loyalty.store import ADJUSTED, CLAWED, EXPIRED, ISSUED, SPENT

Sort = Literal["earned", "spent", "expired", "clawed", "adjusted"]
SORTS: dict[str, Sort] = {
    ISSUED: "earned", SPENT: "spent", EXPIRED: "expired", CLAWED: "clawed", ADJUSTED: "adjusted",
}  # fmt: skip


class Movement(msgspec.Struct, frozen=True):
    """Points that came (or, below 0, went) at one moment for one reason; `balance` is what they were after it."""

    at: int
    sort: Sort
    points: int
    why: str
    balance: int


class Statement(msgspec.Struct, frozen=True):
    """A period of a member, `since` to `until` (exclusive) in microseconds.

    `opening + earned - spent - expired - clawed + adjusted == closing`, and the movements sum to the same.
    """

    programme: str
    since: int
    until: int
    opening: int
    earned: int
    spent: int
    expired: int
    clawed: int
    adjusted: int
    closing: int
    movements: tuple[Movement, ...]


class Moved(NamedTuple):
    """One transfer as a member sees it."""

    at: int
    sort: Sort
    points: int
    why: str
    cause: str


def moved(
    transfers: Iterable[Transfer], own: frozenset[int], counters: Mapping[int, str], words: Mapping[str, str]
) -> list[Moved]:
    """What transfers did to a member whose accounts are `own`, oldest first; what stays with them is left out.

    `words` are reasons for people, by what the ledger says instead of them.
    """
    found = []
    for each in sorted(transfers, key=lambda each: each.id):
        if (each.debit in own) == (each.credit in own):
            continue
        other = each.credit if each.debit in own else each.debit
        points = -each.amount if each.debit in own else each.amount
        found.append(Moved(each.at, SORTS[counters[other]], points, words.get(each.why, each.why), each.cause))
    return found


def statement_of(programme: str, history: Iterable[Moved], since: int, until: int) -> Statement:
    """The statement of a period; what happened in one command for one reason is one movement."""
    opening = 0
    grouped: dict[tuple[int, str, Sort, str], int] = {}
    for each in history:
        if each.at < since:
            opening += each.points
        elif each.at < until:
            key = (each.at, each.cause, each.sort, each.why)
            grouped[key] = grouped.get(key, 0) + each.points
    movements, balance = [], opening
    sums = dict.fromkeys(SORTS.values(), 0)
    for (at, _cause, sort, why), points in grouped.items():
        if points:
            balance += points
            sums[sort] += points
            movements.append(Movement(at, sort, points, why, balance))
    return Statement(
        programme=programme, since=since, until=until, opening=opening, earned=sums["earned"], spent=-sums["spent"],
        expired=-sums["expired"], clawed=-sums["clawed"], adjusted=sums["adjusted"], closing=balance,
        movements=tuple(movements),
    )  # fmt: skip
