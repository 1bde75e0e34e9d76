"""Follows the river: facts that concern commerce become deeds, and take effect together with the cursor.

A step reads a bounded stretch of stored events and carries it out in one transaction. When one deed spoils it, that
deed is put aside with its reason and the rest is tried again in halves, so that a bad fact holds up nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.tills.applying import Faulty, Follow, Followed, Misfit, Settle, Skip, StrangeStore
from cauce.commerce.tills.deeds import AnyDeed, Line
from cauce.commerce.tills.habits import Recognise
from cauce.commerce.tills.knowledge import Knowledge
from cauce.commerce.tills.reading import NAMES, Known, NoPlace, Unfit, read
from cauce.commerce.tills.store import CURSORS, FOLLOWER, PENDING, STRANGE
from cauce.commerce.transact.writer import Command
from cauce.engines.api import Row
from cauce.events.api import Archive, StoredEvent, Trace
from cauce.identity.api import Member
from cauce.model import DECISION, Event, Identifier

EVENTS_PER_STEP = 10_000
DEEDS_PER_STEP = 500
SOURCE = "commerce"
"""What commerce itself told is no news to it."""
NOTED_SECONDS = 2.0
"""How often the cursor is moved over events that concern nobody here."""
SETTLE_SECONDS = 2.0
SKIP_SECONDS = 5.0
"""How often the cursor of an installation without places moves on."""
PENDING_LOOKED_AT = 500


class Commerce(Protocol):
    """The commerce of an installation."""

    def do(self, command: Command) -> Any: ...

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...


class Sight(NamedTuple):
    """The river as one thread reads it: `identifiers` gives identifiers in their normalised form by id."""

    snapshot: Callable[[], AbstractContextManager[None]]
    archive: Archive
    identifiers: Callable[[Iterable[int]], list[Member]]


class Stretch(NamedTuple):
    """Stored events behind a position, as far as they concern commerce, and how far the stretch goes."""

    after: int
    until: int
    stored: list[StoredEvent]
    who: dict[int, Identifier]


class Follower:
    """Brings commerce up to date with the river, step by step; for one thread."""

    def __init__(self, commerce: Commerce, sight: Callable[[], Sight]) -> None:
        self._commerce = commerce
        self._sight = sight
        self._known = Knowledge(commerce)
        self._seen = (0, 0)
        """Behind which cursor, and up to where, there was nothing to do: that is not worth a transaction each time."""
        self._noted = float("-inf")
        self._skipped = float("-inf")
        self._settled = float("-inf")
        self._pending_after = ("", "")
        self._deeds_max = DEEDS_PER_STEP

    def step(self) -> bool:
        """Does a bounded piece of what is to be done; False when there was nothing."""
        self._known.refresh()
        after = self._cursor()
        if not self._known.has_places:
            return self._skip(after)
        stretch = self._stretch(self._seen[1] if self._seen[0] == after else after)
        if stretch is None:
            if time.monotonic() - self._noted >= NOTED_SECONDS:
                self.note()
            return False
        deeds, unfit, strange = self._read(stretch)
        self._seen = (after, stretch.until)
        now = time.monotonic()
        if deeds or unfit or strange or now - self._noted >= NOTED_SECONDS:
            self._noted = now
            wanted = Follow(after=after, until=stretch.until, deeds=deeds, unfit=unfit, strange=strange)
            self._carry_out(msgspec.structs.replace(wanted, rewards=self.rewards))
        return True

    def note(self) -> None:
        """Moves the cursor to where there was nothing more to do."""
        after, until = self._seen
        if until > after == self._cursor():
            self._noted = time.monotonic()
            self._commerce.do(Follow(after=after, until=until))

    @property
    def rewards(self) -> bool:
        """Whether there is a programme in which anything could be earned."""
        return self._known.rewards

    def _skip(self, after: int) -> bool:
        """Where nothing can lie nothing is sold: an installation without places is not read through."""
        now = time.monotonic()
        if now - self._skipped < SKIP_SECONDS:
            return False
        self._skipped = now
        until = self._sight().archive.last_position()
        if until > after:
            self._commerce.do(Skip(after=after, until=until))
            self._known.forget()  # there may be a place now
        return False

    def settle(self) -> bool:
        """Looks whether ids or stores that facts wait for are known by now; whether one was."""
        now = time.monotonic()
        if now - self._settled < SETTLE_SECONDS:
            return False
        self._settled = now
        self._known.refresh()
        return self._settle_stores() + self._settle_items() > 0

    def _settle_stores(self) -> int:
        rows = self._commerce.select(f"select source, store from {STRANGE.name} order by source, store")
        known = [(source, store) for source, store in rows if self._known.place(source, store)]
        for source, store in known:
            self._commerce.do(Recognise(source=source, store=store))
        return len(known)

    def _settle_items(self) -> int:
        rows = self._commerce.select(
            f"select distinct channel, item from {PENDING.name} where channel > ? or (channel = ? and item > ?) "
            "order by channel, item limit ?",
            (self._pending_after[0], *self._pending_after, PENDING_LOOKED_AT),
        )
        self._pending_after = tuple(rows[-1]) if len(rows) == PENDING_LOOKED_AT else ("", "")
        settled = 0
        for channel, item in rows:
            if catalogue.resolve(self._commerce, channel, item) is not None:
                settled += self._commerce.do(Settle(channel=channel, item=item))
        return settled

    def deeds_of(self, event: Event) -> list[AnyDeed]:
        """What one event asks for now; Unfit or NoPlace as `reading.read`."""
        self._known.forget()
        self._known.refresh()
        return self._deeds(event)

    # -- reading ------------------------------------------------------------------------------------------------------

    def _cursor(self) -> int:
        rows = self._commerce.select(f"select position from {CURSORS.name} where name = ?", (FOLLOWER,))
        return int(rows[0][0]) if rows else 0

    def _stretch(self, after: int) -> Stretch | None:
        sight = self._sight()
        with sight.snapshot():
            traces = next(sight.archive.traces(after, batch=EVENTS_PER_STEP), [])
            if not traces:
                return None
            wanted = [trace for trace in traces if _concerns(trace)]
            until = traces[-1].position
            if len(wanted) > self._deeds_max:
                wanted = wanted[: self._deeds_max]
                until = wanted[-1].position
            stored = list(sight.archive.bodies(trace.position for trace in wanted).values())
            ids = {id_ for one in stored for id_ in one.identifier_ids}
            who = {member.id: Identifier(member.kind, member.value) for member in sight.identifiers(ids)}
        return Stretch(after, until, stored, who)

    def _read(self, stretch: Stretch) -> tuple[tuple[AnyDeed, ...], tuple[Misfit, ...], tuple[StrangeStore, ...]]:
        deeds: list[AnyDeed] = []
        unfit: list[Misfit] = []
        strange: list[StrangeStore] = []
        for one in stretch.stored:
            event = one.event
            if event.source == SOURCE:
                continue
            named = tuple(stretch.who[id_] for id_ in one.identifier_ids if id_ in stretch.who)
            event = msgspec.structs.replace(event, identifiers=named)
            try:
                deeds += self._deeds(event)
            except Unfit as fault:
                unfit.append(misfit(event, fault.reason, fault.message))
            except NoPlace as fault:
                strange.append(StrangeStore(event.position, event.source, fault.store))
        return tuple(deeds), tuple(unfit), tuple(strange)

    def _deeds(self, event: Event) -> list[AnyDeed]:
        known = Known(lambda store: self._known.place(event.source, store), self._known.zone, catalogue.exponent)
        found = read(event, self._known.habit(event.source), known)
        return [self._resolved(deed) for deed in found]

    def _resolved(self, deed: AnyDeed) -> AnyDeed:
        """The deed with the products of its lines, where they are known."""
        lines: tuple[Line, ...] = getattr(deed, "lines", ())
        if not lines:
            return deed
        known = tuple(self._line(deed.ids, line) for line in lines)
        return msgspec.structs.replace(deed, lines=known)

    def _line(self, channel: str, line: Line) -> Line:
        for item in line.items:
            found = self._known.item(channel, item)
            if found:
                sku, unit = found
                if line.unit == unit:  # then there is nothing to convert
                    return msgspec.structs.replace(line, sku=sku, unit="")
                return msgspec.structs.replace(line, sku=sku)
        return line

    # -- carrying out -------------------------------------------------------------------------------------------------

    def _carry_out(self, stretch: Follow) -> Followed:
        """Carries a stretch out; what spoils it is put aside, and the next stretches are shorter for a while."""
        while True:
            try:
                followed: Followed = self._commerce.do(stretch)
            except Faulty as fault:
                stretch = self._without(stretch, fault)
                self._deeds_max = max(1, self._deeds_max // 2)
                continue
            self._deeds_max = min(DEEDS_PER_STEP, self._deeds_max * 2)
            return followed

    def _without(self, stretch: Follow, fault: Faulty) -> Follow:
        """The stretch up to the deed that spoils it; that one is put aside when it comes first."""
        guilty = stretch.deeds[fault.deed]
        first = guilty.where.position
        before = tuple(deed for deed in stretch.deeds if deed.where.position < first)
        if before:
            return _cut(stretch, before, first - 1)
        sight = self._sight()
        found = sight.archive.bodies([first]).get(first)
        aside = (misfit(found.event, fault.reason, str(fault)),) if found else ()
        rest = tuple(deed for deed in stretch.deeds if deed.where.position != first)
        unfit = (*stretch.unfit, *aside)
        return msgspec.structs.replace(stretch, deeds=rest, unfit=unfit)


def misfit(event: Event, reason: str, message: str) -> Misfit:
    return Misfit(
        event.position, event.source, event.name, event.id, reason, message[:1_000], msgspec.json.encode(event)
    )


def _concerns(trace: Trace) -> bool:
    return trace.name in NAMES and trace.type != DECISION


def _cut(stretch: Follow, deeds: tuple[AnyDeed, ...], until: int) -> Follow:
    """The beginning of a stretch, up to a position."""
    unfit = tuple(one for one in stretch.unfit if one.position <= until)
    strange = tuple(one for one in stretch.strange if one.position <= until)
    return msgspec.structs.replace(stretch, deeds=deeds, until=until, unfit=unfit, strange=strange)
