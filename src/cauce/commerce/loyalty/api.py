"""Loyalty as doors and other parts of commerce see it: what purchases earn, and what members have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty import adjusting, earning, following, programmes, redeeming
from cauce.commerce.loyalty.calendar import day_of
from cauce.commerce.loyalty.definition import PURCHASE, Programme, Reward, decimals_of, read_programme, stored_programme
from cauce.commerce.loyalty.earning import ClawBack, Earn, Points
from cauce.commerce.loyalty.lots import place_of
from cauce.commerce.loyalty.members import COUNTED_MAX, standing_of
from cauce.commerce.loyalty.programmes import programmes as programmes_of
from cauce.commerce.loyalty.programmes import unknown_programme, versions
from cauce.commerce.loyalty.reading import document_of
from cauce.commerce.loyalty.redeeming import OWNER, Redeemed, expired, shown
from cauce.commerce.loyalty.rules import Line, ReturnedLine
from cauce.commerce.loyalty.statement import Movement, Statement, moved, statement_of
from cauce.commerce.loyalty.store import (
    ADJUSTMENTS,
    BOOK,
    COMPLETED,
    COUNTERS,
    FOREVER,
    HELD,
    LOTS,
    MEMBERS,
    PURCHASES,
    REDEMPTIONS,
    TABLES,
    Head,
    Lot,
    Purchase,
    Version,
    adjustment_word,
    counter,
    debt_place,
    reward_place,
)
from cauce.commerce.loyalty.tiers import scale_of
from cauce.commerce.transact.asking import marks
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader

__all__ = [
    "ACTIONS", "COMPLETED", "FOREVER", "HELD", "OWNER", "PURCHASE", "TABLES", "Balance", "Figures", "Line", "LotLeft",
    "Movement", "Offer", "Points", "Programme", "Progress", "Purchase", "Redeemed", "ReturnedLine", "Reward",
    "Statement", "Version", "balance", "claw_back", "decimals_of", "document_of", "earn", "expired", "figures",
    "forget_return",
    "found_programme", "members_of", "offers", "pieces_left", "programmes_of", "purchases", "read_programme",
    "redemption", "redemptions", "statement", "stored_programme", "versions",
]  # fmt: skip

ACTIONS = (*programmes.ACTIONS, *earning.ACTIONS, *redeeming.ACTIONS, *adjusting.ACTIONS, *following.ACTIONS)
SHOWN_MAX = 1_000


class LotLeft(msgspec.Struct, frozen=True):
    """What is left of a lot: `points`, of which `held` are promised. `expires` FOREVER when never."""

    id: int
    member: str
    source: str
    at: int
    starts: int
    expires: int
    points: int
    held: int


class Progress(msgspec.Struct, frozen=True):
    """The tier held ("" for none) and the way to the next; what is counted is in the unit of the tiers' `by`.

    `falls` is when the tier is lost unless more comes (0: not in sight); `next_tier` "" at the top.
    """

    tier: str
    name: str
    since: int
    by: str
    counted: int
    keep: int
    falls: int
    next_tier: str
    next_name: str
    next_entry: int


class Balance(msgspec.Struct, frozen=True):
    """What somebody has in a programme: `points` is the sum of their lots less what they owe, as the ledger has it.

    `available` can be spent now; `held` is promised, `coming` starts later, `overdue` has run out and waits for the
    sweep, `owed` was taken back after it was spent.
    """

    programme: str
    name: str
    members: tuple[str, ...]
    since: int
    points: int
    available: int
    held: int
    coming: int
    overdue: int
    owed: int
    lots: tuple[LotLeft, ...]
    progress: Progress | None


class Figures(msgspec.Struct, frozen=True):
    """A whole programme: points by where they went, and what is outstanding, which is what the company owes."""

    programme: str
    members: int
    issued: int
    spent: int
    expired: int
    clawed: int
    adjusted: int
    outstanding: int


class Offer(msgspec.Struct, frozen=True):
    """A reward and whether somebody can have it now; `why_not` is *points, stock, tier, day* or *limit*, "" when yes.

    `left` is how many pieces can be promised, -1 when they are not counted.
    """

    reward: Reward
    left: int
    why_not: str
    missing: int


# -- in a unit of work ------------------------------------------------------------------------------------------


def earn(
    work: Work,
    programme: str,
    who: Sequence[str],
    documents: Sequence[str],
    lines: Sequence[Line],
    channel: str,
    at: int,
    *,
    place: str = "",
    currency: str = "",
    event: str = PURCHASE,
) -> tuple[Points, ...]:
    """What a purchase earns, in one programme or ("") in all; nothing more when it is known by one of its names.

    `who`: all identifiers of the person (`kind:value`). `documents`: all names of the purchase (order, receipt).
    `at`: when it happened. Safe to repeat, in any order with `claw_back`.
    """
    return earning.earn(work, Earn(
        documents=tuple(documents), who=tuple(who), at=at, lines=tuple(lines), channel=channel, place=place,
        currency=currency, event=event, programme=programme,
    ))  # fmt: skip


def claw_back(
    work: Work,
    document: str,
    return_id: str,
    at: int,
    *,
    lines: Sequence[ReturnedLine] = (),
    amount: int = 0,
    whole: bool = False,
    channel: str = "",
) -> tuple[Points, ...]:
    """Takes back what the returned part of a purchase earned: by lines, by an amount (minor units), or all of it.

    `return_id` names the return: the same one counts once. It may come before its purchase.
    """
    return earning.claw_back(work, ClawBack(
        document=document, id=return_id, at=at, lines=tuple(lines), amount=amount, whole=whole, channel=channel,
    ))  # fmt: skip


def forget_return(work: Work, document: str, return_id: str, goods: Mapping[str, int]) -> None:
    """So much of a return (thousandths by article) counts no more: something else takes back what it earned."""
    earning.forget_return(work, document, return_id, goods)


# -- as committed -----------------------------------------------------------------------------------------------


def balance(reader: Reader, identifiers: Sequence[str], now: int, programme: str = "") -> tuple[Balance, ...]:
    """What somebody known by these identifiers has, in each programme that knows one of them."""
    with reader.snapshot():
        known = programmes_of(reader)
        found = []
        for code, (_head, definition) in known.items():
            if programme in ("", code):
                members = _members(reader, code, identifiers)
                if members:
                    found.append(_balance(reader, definition, identifiers, members, now))
        return tuple(found)


def statement(
    reader: Reader, identifiers: Sequence[str], since: int, until: int, programme: str = ""
) -> tuple[Statement, ...]:
    """The statement of a period (microseconds, `until` exclusive), one for each programme with one of the members."""
    with reader.snapshot():
        found = []
        for code in programmes_of(reader):
            if programme in ("", code) and _members(reader, code, identifiers):
                own = _accounts(reader, code, identifiers)
                counters = {ledger.id_of(counter(code, name)): name for name in COUNTERS}
                history = moved(_transfers(reader, own), own, counters, _words(reader, identifiers))
                found.append(statement_of(code, history, since, until))
        return tuple(found)


def purchases(reader: Reader, identifiers: Sequence[str], programme: str, limit: int = 50) -> list[Purchase]:
    """What earned points, the latest first."""
    rows = reader.select(
        f"select {PURCHASES.columns} from loyalty_purchase where programme = ? and member in ({marks(identifiers)}) "
        "and same_as = 0 order by at desc, id desc limit ?",
        (programme, *identifiers, min(limit, COUNTED_MAX)),
    )
    return [PURCHASES.of(row) for row in rows]


def redemptions(reader: Reader, identifiers: Sequence[str], limit: int = 50) -> list[Redeemed]:
    """Redemptions of these members, the latest first."""
    rows = reader.select(
        f"select {REDEMPTIONS.columns} from loyalty_redemption where id in (select redemption from loyalty_redeemer "
        f"where member in ({marks(identifiers)})) order by at desc, id desc limit ?",
        (*identifiers, min(limit, SHOWN_MAX)),
    )
    return [shown(REDEMPTIONS.of(row)) for row in rows]


def redemption(reader: Reader, id_: int) -> Redeemed | None:
    rows = reader.select(REDEMPTIONS.by_key, (id_,))
    return shown(REDEMPTIONS.of(rows[0])) if rows else None


def offers(reader: Reader, identifiers: Sequence[str], programme: str, now: int) -> list[Offer]:
    """The rewards of a programme, and which of them somebody can have now."""
    _head, definition = found_programme(reader, programme)
    have = balance(reader, identifiers, now, programme) if identifiers else ()
    available = have[0].available if have else 0
    tier = have[0].progress.tier if have and have[0].progress else ""
    today = day_of(now, definition.zone).isoformat()
    had: dict[str, int] = {}
    if any(each.each_member for each in definition.rewards) and identifiers:
        rows = reader.select(
            "select reward, count(*) from loyalty_redemption where programme = ? and state in (?, ?) and id in "
            f"(select redemption from loyalty_redeemer where member in ({marks(identifiers)})) group by reward",
            (programme, HELD, COMPLETED, *identifiers),
        )
        had = dict(rows)
    found = []
    for reward in definition.rewards:
        left = pieces_left(reader, programme, reward)
        why = (
            "day" if (reward.first and today < reward.first) or (reward.last and today > reward.last)
            else "stock" if left == 0
            else "tier" if reward.tiers and tier not in reward.tiers
            else "limit" if reward.each_member and had.get(reward.reward, 0) >= reward.each_member
            else "points" if available < reward.points
            else ""
        )  # fmt: skip
        found.append(Offer(reward, left, why, max(0, reward.points - available)))
    return found


def pieces_left(reader: Reader, programme: str, reward: Reward) -> int:
    """How many pieces of a reward can be promised, -1 when they are not counted."""
    if reward.stock < 0:
        return -1
    place = reward_place(programme, reward.reward, "stock")
    account = ledger.balances(reader, place.book, place.subject).get("stock")
    return account.available if account else 0


def figures(reader: Reader, programme: str) -> Figures:
    """What a programme has issued, and what became of it."""
    accounts = ledger.balances(reader, BOOK, programme)
    issued, spent, expired, clawed, adjusted = (accounts[name].posted if name in accounts else 0 for name in COUNTERS)
    members = reader.select("select count(*) from loyalty_member where programme = ?", (programme,))[0][0]
    return Figures(
        programme=programme, members=members, issued=-issued, spent=spent, expired=expired, clawed=clawed,
        adjusted=-adjusted, outstanding=-(issued + spent + expired + clawed + adjusted),
    )  # fmt: skip


def members_of(reader: Reader, programme: str, *, tier: str | None = None, after: str = "", limit: int = 50) -> list[
    tuple[str, int, str]
]:  # fmt: skip
    """Members (identifier, since, tier as it was last noted) in order of their identifiers."""
    wanted, more = ("", ()) if tier is None else (" and tier = ?", (tier,))
    rows = reader.select(
        "select member, since, tier from loyalty_member where programme = ? and member > ?"
        f"{wanted} order by member limit ?",
        (programme, after, *more, min(limit, SHOWN_MAX)),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def found_programme(reader: Reader, programme: str) -> tuple[Head, Programme]:
    """The programme of that name; NotFound with the nearest name when there is none."""
    known = programmes_of(reader)
    if programme not in known:
        raise unknown_programme(programme, list(known))
    return known[programme]


# -- parts ------------------------------------------------------------------------------------------------------


def _members(reader: Reader, programme: str, identifiers: Sequence[str]) -> list[tuple[str, int, int]]:
    """Those of the identifiers that are members, since when, and by which number."""
    if not identifiers:
        return []
    rows = reader.select(
        f"select member, since, number from {MEMBERS.name} where programme = ? and member in ({marks(identifiers)})",
        (programme, *identifiers),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _words(reader: Reader, identifiers: Sequence[str]) -> dict[str, str]:
    """Why points were given or taken by hand, by what the ledger says of it."""
    rows = reader.select(
        f"select {ADJUSTMENTS.columns} from {ADJUSTMENTS.name} where member in ({marks(identifiers)})", identifiers
    )
    return {adjustment_word(row.id): f"{row.why} ({row.by})" for row in map(ADJUSTMENTS.of, rows)}


def _lots(reader: Reader, programme: str, identifiers: Sequence[str], more: str = "") -> list[Lot]:
    rows = reader.select(
        f"select {LOTS.columns} from loyalty_lot where programme = ? and member in ({marks(identifiers)}){more} "
        "order by expires, at, id",
        (programme, *identifiers),
    )
    return [LOTS.of(row) for row in rows]


def _accounts(reader: Reader, programme: str, identifiers: Sequence[str]) -> frozenset[int]:
    """The ledger's accounts of these members."""
    held = {ledger.id_of(place_of(lot)) for lot in _lots(reader, programme, identifiers)}
    members = _members(reader, programme, identifiers)
    return frozenset(held | {ledger.id_of(debt_place(programme, number)) for _, _, number in members})


def _transfers(reader: Reader, own: frozenset[int]) -> list[ledger.Transfer]:
    found: dict[int, ledger.Transfer] = {}
    for side in ("debit", "credit"):
        rows = reader.select_keys(
            f"select {ledger.TRANSFERS.columns} from transfer where {side} in {{keys}}", sorted(own)
        )
        found.update((row[0], ledger.TRANSFERS.of(row)) for row in rows)
    return list(found.values())


def _balance(
    reader: Reader,
    programme: Programme,
    identifiers: Sequence[str],
    members: Sequence[tuple[str, int, int]],
    now: int,
) -> Balance:
    code = programme.programme
    lots = _lots(reader, code, identifiers, " and open <> 0")
    ids = {lot.id: ledger.id_of(place_of(lot)) for lot in lots}
    debts = [ledger.id_of(debt_place(code, number)) for _, _, number in members]
    rows = reader.select_keys(
        f"select {ledger.ACCOUNTS.columns} from account where id in {{keys}}", [*ids.values(), *debts]
    )
    accounts = {row[0]: ledger.ACCOUNTS.of(row) for row in rows}
    left = [
        LotLeft(lot.id, lot.member, lot.source, lot.at, lot.starts, lot.expires, account.posted, account.pending)
        for lot in lots
        if (account := accounts.get(ids[lot.id])) and account.posted
    ]
    owed = -sum(accounts[debt].posted for debt in debts if debt in accounts)
    live = [each for each in left if each.expires > now]
    free = sum(each.points - each.held for each in live if each.starts <= now)
    bought = purchases(reader, identifiers, code, COUNTED_MAX) if programme.tiers.levels else []
    return Balance(
        programme=code, name=programme.name, members=tuple(member for member, _, _ in members),
        since=min(since for _, since, _ in members), points=sum(each.points for each in left) - owed,
        available=max(0, free - owed), held=sum(each.held for each in left),
        coming=sum(each.points - each.held for each in live if each.starts > now),
        overdue=sum(each.points - each.held for each in left if each.expires <= now), owed=owed, lots=tuple(left),
        progress=_progress(programme, bought, now),
    )  # fmt: skip


def _progress(programme: Programme, bought: Sequence[Purchase], now: int) -> Progress | None:
    if not programme.tiers.levels:
        return None
    standing = standing_of(programme, bought, now)
    codes = [level.tier for level in programme.tiers.levels]
    held = programme.level(standing.tier)
    following = codes.index(standing.tier) + 1 if standing.tier else 0
    upper = programme.tiers.levels[following] if following < len(codes) else None
    return Progress(
        tier=standing.tier, name=held.name if held else "", since=standing.since, by=programme.tiers.by,
        counted=standing.counted // scale_of(programme.tiers), keep=held.keep if held else 0, falls=standing.falls,
        next_tier=upper.tier if upper else "", next_name=upper.name if upper else "",
        next_entry=upper.entry if upper else 0,
    )  # fmt: skip
