"""Takes a person out of loyalty: their points lapse, and what they bought and redeemed is nobody's from now on.

The ledger keeps every movement; its accounts are named by numbers, which from then on lead to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty import lots, redeeming
from cauce.commerce.loyalty.redeeming import CancelRedemption, taken_of
from cauce.commerce.loyalty.store import (
    ADJUSTMENTS,
    EXPIRED,
    HELD,
    LOTS,
    MEMBERS,
    PURCHASES,
    REDEEMERS,
    REDEMPTIONS,
    Member,
    counter,
    debt_place,
)
from cauce.commerce.transact.asking import plain
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader

NOBODY = ""
WHY = "member erased"
AT_ONCE_MAX = 50
"""Identifiers that are looked for in one question."""


class EraseFromLoyalty(Command, frozen=True, kw_only=True):
    """`owners` are all identifiers of the person (`kind:value`); `beside` are members, as (programme, identifier), who
    were counted together with one of them."""

    owners: tuple[str, ...]
    beside: tuple[tuple[str, str], ...] = ()


def erase(work: Work, command: EraseFromLoyalty) -> int:
    """How many memberships it was."""
    owners = tuple(dict.fromkeys(command.owners))
    members = [row for owner in owners for row in work.select(MEMBERS, "member = ?", owner)]
    for owner in owners:
        _forget_redemptions(work, owner)
        _forget_lots(work, owner)
        for purchase in work.select(PURCHASES, "member = ?", owner):
            work.put(PURCHASES, purchase._replace(member=NOBODY))
        for adjustment in work.select(ADJUSTMENTS, "member = ?", owner):
            work.put(ADJUSTMENTS, adjustment._replace(member=NOBODY, why=""))
    for member in members:
        _waive_debt(work, member)
        work.drop(MEMBERS, member.programme, member.member)
    for key in command.beside:
        _count_without(work, work.get(MEMBERS, *key), frozenset(owners))
    return len(members)


def beside(reader: Reader, owners: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Members who were counted together with one of these identifiers."""
    found: dict[tuple[str, str], None] = {}
    for first in range(0, len(owners), AT_ONCE_MAX):
        named = [f"%{plain(msgspec.json.encode(owner).decode())}%" for owner in owners[first : first + AT_ONCE_MAX]]
        condition = " or ".join(["circle like ? escape '!'"] * len(named))
        rows = reader.select(f"select programme, member from {MEMBERS.name} where {condition}", named)
        found.update(((programme, member), None) for programme, member in rows)
    return tuple(found)


def _forget_redemptions(work: Work, owner: str) -> None:
    """What is promised to them is free again, and lapses with the rest; what they were given stays given."""
    for row in work.select(REDEEMERS, "member = ?", owner):
        if work.need(REDEMPTIONS, row.redemption).state == HELD:
            redeeming.cancel(work, CancelRedemption(redemption=row.redemption))
        found = work.need(REDEMPTIONS, row.redemption)
        holds = [
            msgspec.structs.replace(each, member=NOBODY) if each.member == owner else each for each in taken_of(found)
        ]
        work.put(REDEMPTIONS, found._replace(holds=msgspec.json.encode(holds).decode()))
        work.drop(REDEEMERS, row.member, row.redemption)


def _forget_lots(work: Work, owner: str) -> None:
    for row in work.select(LOTS, "member = ?", owner):
        if row.open:
            lots.lapse(work, row.id, WHY)
        work.put(LOTS, work.need(LOTS, row.id)._replace(member=NOBODY))


def _waive_debt(work: Work, member: Member) -> None:
    """Nobody is left to owe it."""
    debt = debt_place(member.programme, member.number)
    owed = -ledger.account(work, debt).posted
    if owed > 0:
        ledger.move(work, counter(member.programme, EXPIRED), debt, owed, WHY)


def _count_without(work: Work, member: Member | None, owners: frozenset[str]) -> None:
    if member is None:
        return
    circle = [each for each in msgspec.json.decode(member.circle, type=list[str]) if each not in owners]
    work.put(MEMBERS, member._replace(circle=msgspec.json.encode(circle).decode()))


ACTIONS = (Action(EraseFromLoyalty, erase, int),)
