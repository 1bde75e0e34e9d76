"""Events that earn beside purchases: an answered survey, a first visit; they are read from the river as it goes on.

Purchases and returns come with what moves goods; here are the events that the programmes name. What happened before a
programme named them earns nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from cauce.commerce.loyalty import earning, programmes
from cauce.commerce.loyalty.definition import PURCHASE
from cauce.commerce.loyalty.earning import Earn
from cauce.commerce.loyalty.store import CURSOR, CURSORS, Cursor
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader
from cauce.events.api import Archive
from cauce.identity.api import Member
from cauce.model import DECISION

EVENTS_PER_STEP = 10_000
EARNING_PER_STEP = 500
SOURCE = "commerce"
"""What commerce itself told is no news to it."""


class EarnEvents(Command, frozen=True, kw_only=True):
    """What the river says after position `after`, up to `until`, as far as it may earn."""

    after: int
    until: int
    events: tuple[Earn, ...] = ()


class Commerce(Protocol):
    """The commerce of an installation."""

    @property
    def reader(self) -> Reader: ...

    def do(self, command: Command) -> Any: ...


class Sight(Protocol):
    """The river as one thread reads it; `identifiers` gives identifiers in their normalised form by id."""

    @property
    def snapshot(self) -> Callable[[], AbstractContextManager[None]]: ...
    @property
    def archive(self) -> Archive: ...
    @property
    def identifiers(self) -> Callable[[Iterable[int]], list[Member]]: ...


def earn_events(work: Work, command: EarnEvents) -> int:
    """How many events there were; nothing is done when somebody else has followed meanwhile."""
    cursor = work.get(CURSORS, CURSOR) or Cursor(CURSOR, 0)
    if cursor.position != command.after:
        return 0
    for each in command.events:
        earning.earn(work, each)
    work.put(CURSORS, Cursor(CURSOR, command.until))
    return len(command.events)


def names_of(reader: Reader) -> frozenset[str]:
    """Names of the events that may earn in an open programme."""
    found = programmes.programmes(reader).values()
    return frozenset(way.event for head, each in found if head.is_open for way in each.earn) - {PURCHASE}


def step(commerce: Commerce, sight: Sight) -> bool:
    """Does a bounded piece of what is to be done; False when there was nothing."""
    rows = commerce.reader.select(CURSORS.by_key, (CURSOR,))
    after = int(rows[0][1]) if rows else 0
    names = names_of(commerce.reader)
    with sight.snapshot():
        if not names:
            until = sight.archive.last_position()
            return _skipped(commerce, after, until)
        traces = next(sight.archive.traces(after, batch=EVENTS_PER_STEP), [])
        if not traces:
            return False
        wanted = [trace for trace in traces if trace.name in names and trace.type != DECISION]
        until = traces[-1].position
        if len(wanted) > EARNING_PER_STEP:
            wanted = wanted[:EARNING_PER_STEP]
            until = wanted[-1].position
        events = _events(sight, [trace.position for trace in wanted])
    commerce.do(EarnEvents(after=after, until=until, events=events))
    return True


def _events(sight: Sight, positions: Sequence[int]) -> tuple[Earn, ...]:
    stored = [one for one in sight.archive.bodies(positions).values() if one.event.source != SOURCE]
    ids = {id_ for one in stored for id_ in one.identifier_ids}
    who = {member.id: str(member) for member in sight.identifiers(ids)}
    return tuple(
        Earn(
            documents=(f"{one.event.source}:{one.event.id}"[: earning.TEXT_MAX],),
            who=tuple(who[id_] for id_ in one.identifier_ids if id_ in who),
            at=one.event.occurred,
            channel=one.event.channel,
            event=one.event.name,
        )
        for one in stored
    )


def _skipped(commerce: Commerce, after: int, until: int) -> bool:
    """Where nothing earns by events nothing is read, and the cursor moves on now and then."""
    if until - after > EVENTS_PER_STEP or (after == 0 and until):
        commerce.do(EarnEvents(after=after, until=until))
    return False


ACTIONS = (Action(EarnEvents, earn_events, int),)
