"""Points are spent in two phases: promised for a reward, then spent when it is given, or free again.

Points of several identifiers are taken together, oldest expiry first; the ledger lets nobody promise them twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty import lots, programmes
from cauce.commerce.loyalty.calendar import day_of
from cauce.commerce.loyalty.definition import Programme, Reward
from cauce.commerce.loyalty.members import COUNTED_MAX, standing_of
from cauce.commerce.loyalty.store import (
    CANCELLED,
    COMPLETED,
    HELD,
    PURCHASES,
    RAN_OUT,
    REDEEMERS,
    REDEMPTIONS,
    SPENT,
    Lot,
    Redeemer,
    Redemption,
    counter,
    reward_place,
)
from cauce.commerce.transact.asking import marks
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid, Ended, NotFound, Shortage
from cauce.model.time import MINUTE
from cauce.registry import nearest

OWNER = "points"


class BeginRedemption(Command, frozen=True, kw_only=True):
    """Promises points for a reward. `who` are all identifiers of the person (`kind:value`); `document` the order or
    receipt that it belongs to; `by` who does it, at a till."""

    programme: str
    who: tuple[str, ...]
    reward: str
    channel: str = ""
    document: str = ""
    by: str = ""
    minutes: int = 0


class CompleteRedemption(Command, frozen=True, kw_only=True):
    """The reward was given: the points are spent."""

    redemption: int


class CancelRedemption(Command, frozen=True, kw_only=True):
    """The reward was not given: the points are free again."""

    redemption: int


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """Points promised out of one lot; `lot` 0 is the piece of the reward."""

    hold: int
    lot: int
    member: str
    points: int


class Redeemed(msgspec.Struct, frozen=True):
    """A redemption as it stands: *held*, *completed*, *cancelled* or *expired*; `due` in microseconds."""

    id: int
    programme: str
    reward: str
    name: str
    points: int
    state: str
    at: int
    due: int
    ended: int
    channel: str
    document: str
    members: tuple[str, ...]


def begin(work: Work, command: BeginRedemption) -> Redeemed:
    """Shortage when the points or the pieces of the reward do not suffice; then nothing is promised."""
    programme = programmes.latest(work, command.programme)
    members = tuple(dict.fromkeys(command.who))
    if not 0 < len(members) <= lots.CIRCLE_MAX or len(command.document) > 200 or len(command.by) > 200:
        raise DefinitionInvalid(f"who: expected 1 to {lots.CIRCLE_MAX} identifiers such as loyalty:9001")
    if not 0 <= command.minutes <= 1_440:
        raise DefinitionInvalid(f"minutes: expected 1 to 1440, got {command.minutes}")
    reward = _reward(work, programme, command.reward, members)
    taken = _plan(work, programme, reward, members)
    id_ = work.number("loyalty_redemption")
    due = work.now + (command.minutes or programme.redemption_minutes) * MINUTE
    owner, spent = f"{OWNER}:{id_}", counter(programme.programme, SPENT)
    holds = [
        Taken(ledger.hold(work, lots.place_of(lot), spent, part, due=due, owner=owner).id, lot.id, lot.member, part)
        for lot, part in taken
    ]
    if reward.stock >= 0:
        stock, given = (reward_place(programme.programme, reward.reward, name) for name in ("stock", "given"))
        holds.append(Taken(ledger.hold(work, stock, given, 1, due=due, owner=owner).id, 0, "", 1))
    for member in members:
        work.put(REDEEMERS, Redeemer(member, id_))
    return shown(work.append(REDEMPTIONS, Redemption(
        id=id_, programme=programme.programme, reward=reward.reward, name=reward.name, points=reward.points,
        at=work.now, due=due, state=HELD, ended=0, channel=command.channel, document=command.document, by=command.by,
        holds=msgspec.json.encode(holds).decode(),
    )))  # fmt: skip


def complete(work: Work, command: CompleteRedemption) -> Redeemed:
    """Ended when it is no longer open: then begin anew."""
    found = _open(work, command.redemption)
    for each in taken_of(found):
        ledger.post(work, each.hold, why=found.name)
        if each.lot:
            lots.close_if_empty(work, each.lot)
    found = work.put(REDEMPTIONS, found._replace(state=COMPLETED, ended=work.now))
    members = shown(found).members
    free = sum(free for _, free in lots.spendable(work, found.programme, members))
    work.tell(Told(
        name="Loyalty Points Redeemed", at=work.now, channel=found.channel, who=members,
        properties={
            "programme": found.programme, "points": found.points, "reward": found.reward, "balance": free,
            "redemption": found.id, **({"document": found.document} if found.document else {}),
        },
    ))  # fmt: skip
    return shown(found)


def cancel(work: Work, command: CancelRedemption) -> Redeemed:
    """Ended when it was completed, cancelled, or its time was over."""
    found = work.need(REDEMPTIONS, command.redemption)
    if found.state != HELD:
        raise Ended(f"redemption {found.id} is no longer open: it was {found.state}")
    for each in taken_of(found):
        if work.need(ledger.HOLDS, each.hold).state == ledger.OPEN:
            ledger.void(work, each.hold)
        if each.lot:
            lots.settle(work, each.lot)
    return shown(work.put(REDEMPTIONS, found._replace(state=CANCELLED, ended=work.now)))


def expired(work: Work, hold: ledger.Hold) -> None:
    """A hold of a redemption ran out and was given back: so the redemption is over."""
    found = work.need(REDEMPTIONS, int(hold.owner.partition(":")[2]))
    if found.state == HELD:
        work.put(REDEMPTIONS, found._replace(state=RAN_OUT, ended=work.now))
    for each in taken_of(found):
        if each.hold == hold.id and each.lot:
            lots.settle(work, each.lot)


def taken_of(redemption: Redemption) -> tuple[Taken, ...]:
    return msgspec.json.decode(redemption.holds, type=tuple[Taken, ...])


def shown(found: Redemption) -> Redeemed:
    members = tuple(dict.fromkeys(each.member for each in taken_of(found) if each.member))
    return Redeemed(
        found.id, found.programme, found.reward, found.name, found.points, found.state, found.at, found.due,
        found.ended, found.channel, found.document, members,
    )  # fmt: skip


def _open(work: Work, id_: int) -> Redemption:
    found = work.need(REDEMPTIONS, id_)
    if found.state != HELD or found.due <= work.now:
        state = found.state if found.state != HELD else RAN_OUT
        raise Ended(f"redemption {id_} is no longer open: it was {state}")
    return found


def _reward(work: Work, programme: Programme, code: str, members: Sequence[str]) -> Reward:
    """The reward, when it can be had today by these members."""
    reward = programme.reward(code)
    if reward is None:
        known = [each.reward for each in programme.rewards]
        raise NotFound(
            f"there is no reward {code[:80]!r} in {programme.programme}",
            hint=nearest(code[:80], known) if known else "",
        )
    today = day_of(work.now, programme.zone).isoformat()
    if (reward.first and today < reward.first) or (reward.last and today > reward.last):
        raise Ended(f"{reward.name} can be had {reward.first or '…'} to {reward.last or '…'}, today is {today}")
    if reward.tiers:
        rows = work.select(
            PURCHASES,
            f"programme = ? and member in ({marks(members)}) and same_as = 0 order by at desc limit ?",
            programme.programme,
            *members,
            COUNTED_MAX,
        )
        tier = standing_of(programme, rows, work.now).tier
        if tier not in reward.tiers:
            raise Ended(f"{reward.name} is for {', '.join(reward.tiers)}, the member's tier is {tier or 'none'}")
    if reward.each_member:
        had = _had(work, programme.programme, code, members)
        if had >= reward.each_member:
            raise Ended(f"{reward.name} can be had {reward.each_member} times by each member, this is one more")
    return reward


def _had(work: Work, programme: str, reward: str, members: Sequence[str]) -> int:
    row = work.ask(
        "select count(*) from loyalty_redemption where programme = ? and reward = ? and state in (?, ?) and id in "
        f"(select redemption from loyalty_redeemer where member in ({marks(members)}))",
        programme,
        reward,
        HELD,
        COMPLETED,
        *members,
    )
    return int(row[0][0])


def _plan(work: Work, programme: Programme, reward: Reward, members: Sequence[str]) -> list[tuple[Lot, int]]:
    """From which lots the points come. What members owe is not theirs to spend."""
    free = lots.spendable(work, programme.programme, members)
    had = sum(part for _, part in free) - lots.owed(work, programme.programme, members)
    if had < reward.points:
        raise Shortage(
            f"{reward.name} costs {reward.points} points, {max(0, had)} can be spent",
            details={"programme": programme.programme, "wanted": reward.points, "available": max(0, had)},
        )
    plan, left = [], reward.points
    for lot, part in free:
        if left:
            plan.append((lot, min(part, left)))
            left -= plan[-1][1]
    return plan


ACTIONS = (
    Action(BeginRedemption, begin, Redeemed),
    Action(CompleteRedemption, complete, Redeemed),
    Action(CancelRedemption, cancel, Redeemed),
)
