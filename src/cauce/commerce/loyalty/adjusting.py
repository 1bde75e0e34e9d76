"""What people correct by hand, and what time does by itself: expiry, and tiers that are lost."""

from __future__ import annotations

import msgspec

from cauce.commerce.loyalty import lots, programmes
from cauce.commerce.loyalty.members import enrolled, reviewed
from cauce.commerce.loyalty.store import (
    ADJUSTED,
    ADJUSTMENTS,
    HEADS,
    LOTS,
    MEMBERS,
    Adjustment,
    Lot,
    adjustment_word,
    counter,
)
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid, Shortage

POINTS_MAX = 10_000_000
SWEEP_MAX = 500


class Adjust(Command, frozen=True, kw_only=True):
    """Points given (or, below 0, taken) by hand, with the reason and who did it."""

    programme: str
    member: str
    points: int
    why: str
    by: str
    channel: str = ""


class SweepPoints(Command, frozen=True, kw_only=True):
    """Lets points expire whose time is over, and looks again at tiers that may be lost; `limit` of each."""

    limit: int = SWEEP_MAX


class Adjusted(msgspec.Struct, frozen=True):
    programme: str
    member: str
    points: int


class Swept(msgspec.Struct, frozen=True):
    """How many lots expired with how many points, and how many members' tiers were looked at."""

    lots: int
    points: int
    members: int


def adjust(work: Work, command: Adjust) -> Adjusted:
    """Shortage when more is to be taken than there is: nobody gets into debt by hand."""
    if not 0 < abs(command.points) <= POINTS_MAX:
        raise DefinitionInvalid(f"points: expected 1 to {POINTS_MAX}, or as many below 0, got {command.points}")
    if not 0 < len(command.why.strip()) <= 500 or not 0 < len(command.by) <= 200:
        raise DefinitionInvalid("why, by: expected a reason of 1 to 500 characters and who gives it")
    programme = programmes.latest(work, command.programme)
    kind, _, value = command.member.partition(":")
    if not value or len(command.member) > 600:
        raise DefinitionInvalid(f"member: expected an identifier such as loyalty:9001, got {command.member[:80]!r}")
    if kind not in programme.members:
        raise DefinitionInvalid(
            f"member: expected one of {', '.join(programme.members)}, as {programme.programme} wants, got {kind[:40]!r}"
        )
    id_ = work.number("loyalty_adjustment")
    work.append(ADJUSTMENTS, Adjustment(id_, programme.programme, command.member, command.why.strip(), command.by))
    other, why = counter(programme.programme, ADJUSTED), adjustment_word(id_)
    if command.points > 0:
        enrolled(work, programme.programme, command.member, work.now, _circle(work, command))
        lot = lots.new_lot(work, programme, command.member, "by hand", work.now)
        lots.deposit(work, lot.id, command.points, other, why)
    else:
        _taken(work, command, why)
    work.tell(Told(
        name="Loyalty Points Adjusted", at=work.now, channel=command.channel, who=(command.member,),
        properties={"programme": programme.programme, "points": command.points, "why": command.why.strip()},
    ))  # fmt: skip
    return Adjusted(programme.programme, command.member, command.points)


def sweep(work: Work, command: SweepPoints) -> Swept:
    limit = max(1, min(command.limit, SWEEP_MAX))
    gone = work.select(LOTS, "open = 1 and expires <= ? order by expires, id limit ?", work.now, limit)
    points = 0
    for lot in gone:
        lapsed = lots.lapse(work, lot.id)
        points += lapsed
        if lapsed:
            _tell_expired(work, lot, lapsed)
    members = work.select(MEMBERS, "review <= ? order by review, programme, member limit ?", work.now, limit)
    for each in members:
        circle = msgspec.json.decode(each.circle, type=list[str])
        reviewed(work, work.need(HEADS, each.programme), each.member, circle, "")
    return Swept(len(gone), points, len(members))


def _taken(work: Work, command: Adjust, why: str) -> None:
    other, left = counter(command.programme, ADJUSTED), -command.points
    found = lots.open_lots(work, command.programme, [command.member])
    free = [(lot, lots.available(work, lot)) for lot in found if lot.expires > work.now]
    if sum(part for _, part in free) < left:
        raise Shortage(
            f"{left} points are to be taken from {command.member}, {sum(part for _, part in free)} can be",
            details={"wanted": left, "available": sum(part for _, part in free)},
        )
    for lot, _part in free:
        left -= lots.take(work, lot, left, other, why)


def _tell_expired(work: Work, lot: Lot, points: int) -> None:
    work.tell(Told(
        name="Loyalty Points Expired", at=work.now, channel="", who=(lot.member,),
        properties={"programme": lot.programme, "points": points, "document": lot.source},
    ))  # fmt: skip


def _circle(work: Work, command: Adjust) -> list[str]:
    found = work.get(MEMBERS, command.programme, command.member)
    return msgspec.json.decode(found.circle, type=list[str]) if found else [command.member]


ACTIONS = (Action(Adjust, adjust, Adjusted), Action(SweepPoints, sweep, Swept))
