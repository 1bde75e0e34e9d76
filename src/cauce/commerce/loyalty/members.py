"""Members of a programme: since when, in which tier, and when that may change by itself."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cauce.commerce.loyalty import programmes
from cauce.commerce.loyalty.definition import MICRO, PURCHASE, Programme
from cauce.commerce.loyalty.rules import Returned
from cauce.commerce.loyalty.store import FOREVER, MEMBERS, PURCHASES, Head, Member, Purchase
from cauce.commerce.loyalty.tiers import Entry, Standing, standings
from cauce.commerce.transact.asking import marks
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work

COUNTED_MAX = 5_000


def enrolled(work: Work, programme: str, member: str, at: int, circle: Sequence[str]) -> Member:
    """The member, new when it was none; since its earliest purchase, whichever becomes known first."""
    found = work.get(MEMBERS, programme, member)
    told = msgspec.json.encode(list(circle)).decode()
    if found is None:
        number = work.number("loyalty_member")
        return work.put(MEMBERS, Member(programme, member, at, "", 0, FOREVER, told, number))
    return work.put(MEMBERS, found._replace(since=min(found.since, at), circle=told))


def entries_of(programme: Programme, purchase: Purchase) -> list[Entry]:
    """What a purchase counts towards tiers, and what its returns take away again."""
    if purchase.event != PURCHASE and programme.tiers.by != "points":
        return []
    by = programme.tiers.by
    whole = {"amount": purchase.amount, "points": purchase.base, "purchases": 1}[by]
    entries, left = [Entry(purchase.at, purchase.at, whole)], whole
    for each in msgspec.json.decode(purchase.returned, type=tuple[Returned, ...]):
        share = each.of_points if by == "points" else each.of_amount
        now = whole - whole * share // MICRO
        if now != left:
            entries.append(Entry(max(each.at, purchase.at), purchase.at, now - left))
            left = now
    return entries


def standing_of(programme: Programme, purchases: Sequence[Purchase], at: int) -> Standing:
    """The tier that somebody with these purchases holds at `at`, counting what happened then."""
    if not programme.tiers.levels:
        return Standing("", 0, 0, 0, 0)
    entries = [entry for row in purchases if not row.same_as for entry in entries_of(programme, row)]
    return standings(programme.tiers, programme.zone, entries, [at + 1])[0]


def reviewed(work: Work, head: Head, member: str, circle: Sequence[str], channel: str) -> None:
    """Notes the tier that a member holds now; the river is told when it is another one."""
    programme = programmes.latest(work, head.programme)
    found = work.get(MEMBERS, head.programme, member)
    if found is None or (not programme.tiers.levels and found.review == FOREVER):
        return
    rows = work.select(
        PURCHASES,
        f"programme = ? and member in ({marks(circle)}) and same_as = 0 order by at desc limit ?",
        head.programme,
        *circle,
        COUNTED_MAX,
    )
    now = standing_of(programme, rows, work.now)
    told = msgspec.json.encode(list(circle)).decode()
    work.put(MEMBERS, found._replace(
        tier=now.tier, tier_since=now.since, review=now.review or FOREVER, circle=told,
    ))  # fmt: skip
    if now.tier != found.tier:
        work.tell(Told(
            name="Loyalty Tier Changed", at=work.now, channel=channel, who=tuple(circle),
            properties={"programme": head.programme, "tier": now.tier, "tier_before": found.tier},
        ))  # fmt: skip
