"""Facts of the river take effect: all of a stretch in one transaction with the cursor, each fact once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from cauce.commerce.tills import carrying, ordering, rewarding
from cauce.commerce.tills.deeds import AnyDeed, Cancel, Order, Return, Sale
from cauce.commerce.tills.store import (
    APPLIED,
    CURSORS,
    DROPPED,
    FOLLOWER,
    PENDING,
    STRANGE,
    UNFIT,
    WAITING,
    Cursor,
    Strange,
    Unfit,
)
from cauce.commerce.transact.records import Records
from cauce.commerce.transact.work import AsksTables, Work
from cauce.commerce.transact.writer import Action, Command
from cauce.errors import Busy, CauceError, Ended, StorageBroken

PENDING_AT_ONCE = 500

_logger = logging.getLogger(__name__)


class StrangeStore(msgspec.Struct, frozen=True):
    """A fact that names a store that is no place of ours."""

    position: int
    source: str
    store: str


class Misfit(msgspec.Struct, frozen=True):
    """A fact that cannot have its effect, and why; `event` is its JSON."""

    position: int
    source: str
    name: str
    event_id: str
    reason: str
    message: str
    event: bytes


class Follow(Command, frozen=True, kw_only=True):
    """Everything that the river says after position `after`, up to `until`."""

    after: int
    until: int
    deeds: tuple[AnyDeed, ...] = ()
    unfit: tuple[Misfit, ...] = ()
    strange: tuple[StrangeStore, ...] = ()
    rewards: bool = False
    """Whether there is a programme in which anything could be earned."""


class Rewind(Command, frozen=True, kw_only=True):
    """The river is followed once more from behind this position; what had its effect has it no second time."""

    position: int


class Skip(Command, frozen=True, kw_only=True):
    """Nothing up to this position concerns commerce, as long as there is no place where anything could lie."""

    after: int
    until: int


class Settle(Command, frozen=True, kw_only=True):
    """An id of a channel is known now: what waited for it has its effect."""

    channel: str
    item: str


class Mend(Command, frozen=True, kw_only=True):
    """A fact that could not have its effect has it now, as these deeds."""

    position: int
    deeds: tuple[AnyDeed, ...]
    rewards: bool = False
    by: str = ""


class Drop(Command, frozen=True, kw_only=True):
    """A fact that could not have its effect shall have none."""

    position: int
    by: str = ""


class Faulty(CauceError):
    """One deed of a stretch failed, and with it the stretch; `deed` is its place among them."""

    code = "fact_unfit"

    def __init__(self, deed: int, fault: CauceError) -> None:
        super().__init__(fault.message, hint=fault.hint)
        self.deed = deed
        self.reason = fault.code


class Followed(msgspec.Struct, frozen=True):
    """What a stretch came to: how far the cursor is, how many deeds were new, how many lines wait for their product."""

    position: int
    new: int = 0
    pending: int = 0


def follow(work: Work, command: Follow) -> Followed:
    """Nothing at all when somebody else has followed meanwhile; Faulty names the deed that spoils the stretch."""
    cursor = work.get(CURSORS, FOLLOWER) or Cursor(FOLLOWER, 0)
    if cursor.position != command.after:
        return Followed(cursor.position)
    pending = 0
    fresh: list[tuple[int, AnyDeed]] = []
    for index, deed in enumerate(command.deeds):
        with _blaming(index, deed):
            done, waits = carrying.carry_out(work, deed)
        if done:
            fresh.append((index, deed))
        pending += waits
    for index, deed in fresh if command.rewards else ():  # apart, because points ask the tables and stock does not
        with _blaming(index, deed):
            _reward(work, deed)
    for misfit in command.unfit:
        _put_aside(work, misfit)
    for fact in command.strange:
        _note_strange(work, fact)
    work.put(CURSORS, Cursor(FOLLOWER, command.until))
    return Followed(command.until, len(fresh), pending)


@contextmanager
def _blaming(index: int, deed: AnyDeed) -> Iterator[None]:
    """Says whose fault it is when a deed cannot be carried out."""
    try:
        yield
    except (AsksTables, Busy, StorageBroken):
        raise  # no fault of the deed
    except CauceError as fault:
        raise Faulty(index, fault) from None
    except Exception as fault:  # a fault of ours: it must not keep the rest of the river waiting
        _logger.exception("a fact of %s at %d could not be carried out", deed.where.source, deed.where.position)
        raise Faulty(index, CauceError(f"this failed ({type(fault).__name__}); the log says why")) from None


def _reward(work: Work, deed: AnyDeed) -> None:
    if isinstance(deed, Sale):
        rewarding.earned(work, deed)
    elif isinstance(deed, Return):
        rewarding.clawed_back(work, deed)
    elif isinstance(deed, Cancel):
        rewarding.cancelled(work, deed)
    elif isinstance(deed, Order):
        ordering.rewarded(work, deed)


def follow_needs(command: Follow) -> Iterator[tuple[Records[Any], int]]:
    for deed in command.deeds:
        yield from carrying.needs(deed)


def settle(work: Work, command: Settle) -> int:
    """How many waiting lines had their effect; at most some hundred at once, so that others get their turn."""
    rows = work.select(
        PENDING, "channel = ? and item = ? order by id limit ?", command.channel, command.item, PENDING_AT_ONCE
    )
    return sum(carrying.settled(work, row) for row in rows)


# -- what cannot be done ----------------------------------------------------------------------------------------------


def _put_aside(work: Work, fact: Misfit) -> None:
    if work.get(UNFIT, fact.position) is None:
        row = Unfit(
            fact.position, fact.source, fact.name, fact.event_id, fact.reason, fact.message, fact.event, WAITING,
            work.now, 0, "",
        )  # fmt: skip
        work.put(UNFIT, row)


def _note_strange(work: Work, told: StrangeStore) -> None:
    known = work.get(STRANGE, told.source, told.store)
    if known is None:
        work.put(STRANGE, Strange(told.source, told.store, 1, told.position, told.position))
    elif told.position > known.last:  # followed once more, the same facts are not counted again
        work.put(STRANGE, known._replace(facts=known.facts + 1, last=told.position))


def mend(work: Work, command: Mend) -> Followed:
    """Carries out what a fact was mended to. Ended when it waits no more."""
    row = _waiting(work, command.position)
    new = waits = 0
    for deed in command.deeds:
        done, waiting = carrying.carry_out(work, deed)
        new, waits = new + done, waits + waiting
        if done and command.rewards:
            _reward(work, deed)
    work.put(UNFIT, row._replace(state=APPLIED, ended=work.now, by=command.by))
    return Followed(command.position, new, waits)


def drop(work: Work, command: Drop) -> None:
    row = _waiting(work, command.position)
    work.put(UNFIT, row._replace(state=DROPPED, ended=work.now, by=command.by))


def _waiting(work: Work, position: int) -> Unfit:
    row = work.need(UNFIT, position)
    if row.state != WAITING:
        raise Ended(f"the fact {position} waits no more: it was {row.state}")
    return row


def skip(work: Work, command: Skip) -> Followed:
    """Moves the cursor on; not when there is a place by now, from which on everything counts."""
    cursor = work.get(CURSORS, FOLLOWER) or Cursor(FOLLOWER, 0)
    if cursor.position != command.after or work.ask("select 1 from place limit 1"):
        return Followed(cursor.position)
    work.put(CURSORS, cursor._replace(position=command.until))
    return Followed(command.until)


def rewind(work: Work, command: Rewind) -> Followed:
    """Sets the cursor back, never forward."""
    cursor = work.get(CURSORS, FOLLOWER) or Cursor(FOLLOWER, 0)
    position = min(cursor.position, max(0, command.position))
    work.put(CURSORS, cursor._replace(position=position))
    return Followed(position)


ACTIONS = (
    Action(Follow, follow, Followed, follow_needs),
    Action(Skip, skip, Followed),
    Action(Rewind, rewind, Followed),
    Action(Settle, settle, int),
    Action(Mend, mend, Followed),
    Action(Drop, drop, None),
)
