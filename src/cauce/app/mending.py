"""Mending what is in quarantine, over an open installation: try, replay in portions, and see where an entry landed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.app.assembly import decoder
from cauce.errors import Conflict
from cauce.events import decisions
from cauce.model import DECISIONS, Event, Received, Record, offset_of, position_of
from cauce.quality.api import Entry, Which, mended
from cauce.quality.mending import Mend, Outcome, Trial
from cauce.quality.stage import Limits

if TYPE_CHECKING:
    from cauce.app.platform import Platform

PORTION_ENTRIES = 1_000
"""Entries in one decision: a minute's work for nobody, and a body that is read in one piece."""
PREVIEW_ENTRIES = 20
TRIED_ENTRIES_MAX = 5_000
DECISIONS_LOOKED_THROUGH = 50
REPLAYED, DROPPED = "quarantine.replayed", "quarantine.dropped"


class Tried(msgspec.Struct, frozen=True):
    """An entry, its item after the changes, and what would become of it; `refused` says why it cannot be changed."""

    entry: Entry
    after: Any
    outcome: Outcome
    refused: str = ""


class Preview(msgspec.Struct, frozen=True):
    """What changes would do to the chosen entries: the first of them in full, and the count of all that were tried.

    `failing` counts the reasons that would be left, by code and place. `tried` is less than `chosen` when there are
    more than `TRIED_ENTRIES_MAX`.
    """

    chosen: int
    tried: int
    passing: int
    shown: tuple[Tried, ...]
    failing: tuple[tuple[str, str, int], ...]


class Portion(msgspec.Struct, frozen=True):
    """What one portion of a mass replay did; `after` continues it, 0 at the end."""

    looked_at: int
    replayed: int
    left: int
    after: int


class Step(msgspec.Struct, frozen=True):
    """One moment in the life of an entry: *received*, *kept* (replayed, and still broken), *replayed*, *dropped* or
    *erased*; `by` whom and `why`, as far as anybody said."""

    what: str
    moment: int
    by: str = ""
    why: str = ""


class Landing(msgspec.Struct, frozen=True):
    """Where a replayed entry is now: the stored event and the id of its person, 0 when it belongs to nobody."""

    event: Event
    person: int


class Mending:
    """Use cases of the quarantine for doors; belongs to the calling thread like the platform's own views."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._decode = decoder(platform.source_of, platform.secret)

    def trial(self) -> Trial:
        """The judgement that the river would give now."""
        settings = self._platform.settings
        limits = Limits.of(settings.event_bytes_max, settings.future_seconds_max, settings.past_days_max)
        return Trial(self._items, self._platform.quality.book(), self._platform.source_of, limits)

    def try_item(self, entry: Entry, raw: Any) -> Outcome:
        """What would become of an entry with that item; nothing is changed."""
        return self.trial().outcomes(self._platform.quality.request_of([(entry, raw)]))[0]

    def try_many(self, entries: Sequence[Entry], mend: Mend) -> list[Tried]:
        """What would become of entries after changes, in their order."""
        prepared: list[tuple[Entry, Any, str]] = []
        for entry in entries:
            try:
                prepared.append((entry, mended(entry, mend), ""))
            except Conflict as fault:
                prepared.append((entry, entry.document(), fault.message))
        request = self._platform.quality.request_of([(entry, raw) for entry, raw, _ in prepared])
        outcomes = self.trial().outcomes(request)
        return [
            Tried(entry, raw, Outcome(False, entry.reasons) if refused else outcome, refused)
            for (entry, raw, refused), outcome in zip(prepared, outcomes, strict=True)
        ]

    def preview(self, which: Which, mend: Mend) -> Preview:
        """What changes would do to all open entries that are meant."""
        quality = self._platform.quality
        which = msgspec.structs.replace(which, state="open")
        tried, passing, after = 0, 0, 0
        shown: list[Tried] = []
        left: dict[tuple[str, str], int] = {}
        while tried < TRIED_ENTRIES_MAX:
            entries = quality.page(which, after=after, limit=PORTION_ENTRIES)
            found = self.try_many(entries, mend)
            shown += found[: PREVIEW_ENTRIES - len(shown)]
            tried += len(found)
            passing += sum(each.outcome.passes for each in found)
            for each in found:
                if not each.outcome.passes:
                    for place in {(reason.code, reason.path) for reason in each.outcome.reasons}:
                        left[place] = left.get(place, 0) + 1
            if len(entries) < PORTION_ENTRIES:
                break
            after = entries[-1].position
        failing = sorted(((code, path, count) for (code, path), count in left.items()), key=lambda row: (-row[2], row))
        return Preview(max(tried, quality.count(which)), tried, passing, tuple(shown), tuple(failing[:20]))

    def replay_portion(
        self, which: Which, mend: Mend, by: str, *, after: int = 0, also_failing: bool = False
    ) -> Portion:
        """Changes and replays the next open entries that are meant, in one decision.

        Entries that would still break their contract are left as they are, unless `also_failing`.
        """
        which = msgspec.structs.replace(which, state="open")
        entries = self._platform.quality.page(which, after=after, limit=PORTION_ENTRIES)
        tried = [
            each for each in self.try_many(entries, mend)
            if each.outcome.passes or (also_failing and not each.refused)
        ]  # fmt: skip
        if tried:
            request = self._platform.quality.request_of([(each.entry, each.after) for each in tried])
            self._platform.replay_quarantined(request, by)
        more = len(entries) == PORTION_ENTRIES
        return Portion(len(entries), len(tried), len(entries) - len(tried), entries[-1].position if more else 0)

    def drop_portion(self, which: Which, why: str, by: str, *, after: int = 0) -> Portion:
        """Drops the next open entries that are meant, in one decision."""
        which = msgspec.structs.replace(which, state="open")
        entries = self._platform.quality.page(which, after=after, limit=PORTION_ENTRIES)
        if entries:
            self._platform.decide(DROPPED, {"positions": [entry.position for entry in entries], "why": why}, by)
        more = len(entries) == PORTION_ENTRIES
        return Portion(len(entries), len(entries), 0, entries[-1].position if more else 0)

    def history(self, entry: Entry) -> list[Step]:
        """The life of an entry, oldest first, as far as the latest decisions of the log tell it."""
        steps = [Step("received", entry.received)]
        last = entry.state == "replayed"
        for event, _ in self._decisions_about(entry):
            what = "dropped" if event.name == DROPPED else "kept"
            steps.append(Step(what, event.occurred, _by(event), str(event.properties.get("why", ""))))
        if last and steps[-1].what == "kept":
            steps[-1] = msgspec.structs.replace(steps[-1], what="replayed")
        elif entry.decided and steps[-1].moment != entry.decided:
            what = entry.state if entry.state in ("replayed", "dropped") else "kept"
            steps.append(Step(what, entry.decided, entry.decided_by, entry.why))
        if entry.state == "erased":
            steps.append(Step("erased", 0))
        return steps

    def landing(self, entry: Entry) -> Landing | None:
        """Where a replayed entry landed; None when it was not, or its event was a duplicate, or is erased."""
        if entry.state != "replayed":
            return None
        for event, index in reversed(self._decisions_about(entry)):
            if event.name == REPLAYED:
                position = position_of(offset_of(event.position), index)
                stored = self._platform.archive.bodies([position]).get(position)
                if stored is None:
                    return None
                person = self._platform.people.person(stored.subject) if stored.subject else None
                return Landing(stored.event, person.id if person else 0)
        return None

    def _decisions_about(self, entry: Entry) -> list[tuple[Event, int]]:
        """(decision, index of the entry's item in its record) of those that concern an entry, oldest first."""
        if not entry.decided:
            return []
        found: list[tuple[Event, int]] = []
        archive = self._platform.archive
        for name in (REPLAYED, DROPPED):
            for event in archive.audit(after=entry.position, limit=DECISIONS_LOOKED_THROUGH, name=name):
                if event.occurred > entry.decided:
                    continue
                if name == DROPPED:
                    if entry.position in event.properties.get("positions", ()):
                        found.append((event, 0))
                    continue
                items = event.properties.get("items", ())
                found += [
                    (event, index) for index, item in enumerate(items, start=1) if item["position"] == entry.position
                ]
        return sorted(found, key=lambda pair: pair[0].position)

    def _items(self, request: Mapping[str, Any]) -> list[Received]:
        """The items of a replay decision, exactly as the river would decode them."""
        now = time.time_ns() // 1_000
        body = decisions.encode(REPLAYED, dict(request), "nobody", now)
        return self._decode(Record(1, DECISIONS, DECISIONS, now, body))[1:]


def _by(event: Event) -> str:
    return str(event.context.get("by", ""))
