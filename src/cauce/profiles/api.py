"""Profiles for doors and for what is downstream: a person as the sum of its identifiers' strands."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from cauce.engines.api import Reader, Row
from cauce.errors import DefinitionInvalid, NotFound
from cauce.identity.api import Member
from cauce.model import DECISION, Event
from cauce.profiles import store, strand
from cauce.profiles.computed import Traits
from cauce.profiles.consent import Consent, consents_of
from cauce.profiles.definitions import Definition, SurvivorshipRules
from cauce.profiles.devices import Devices, Shared
from cauce.profiles.golden import GoldenTrait, golden_traits, texts_by_source
from cauce.profiles.past import Grounds, Known, Memory, Neighbours, Past
from cauce.profiles.stage import DEFINITIONS_REMOVED, TRAIT_SET, removed_names, validate
from cauce.registry import nearest

PAGE_EVENTS_MAX = 1_000
FILTERED_ROWS = 500
"""Timeline rows that are looked through at once when a page is filtered."""
LAST_AUTHENTICATED = "last_authenticated"
FILTERED_ROWS_MAX = 20_000
"""Rows that one filtered page looks through; then it ends early, with a cursor to go on."""


class People(Neighbours, Protocol):
    """What profiles ask identity."""

    def members(self, person_id: int) -> Sequence[Member]: ...


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of a person at one moment. Times are microseconds UTC, None when nothing ever happened."""

    person: int
    identifiers: tuple[Member, ...]
    traits: dict[str, GoldenTrait]
    computed: dict[str, Any]
    consents: tuple[Consent, ...]
    channels: dict[str, int]
    first_seen: int | None
    last_seen: int | None
    events: int
    as_of: int


class TimelineEvent(msgspec.Struct, frozen=True):
    """One event of a person, and the identifier through which it is theirs.

    `device` (`kind:value`) is set when it happened without log-in on a shared device: then `identifier` is who
    authenticated there last.
    """

    identifier: int
    event: Event
    device: str = ""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of a timeline are shown; what is empty or None lets everything pass.

    `text` is found anywhere in the name, the properties and the traits, whatever the case. `since` and `until` are
    moments of occurrence in microseconds: `since` belongs to the span, `until` does not.
    """

    channels: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    text: str = ""
    since: int | None = None
    until: int | None = None


class TimelinePage(msgspec.Struct, frozen=True):
    """Events newest first; `cursor` continues the page, empty at the end."""

    events: tuple[TimelineEvent, ...]
    cursor: str = ""


def clock() -> int:
    """Now, in microseconds."""
    return time.time_ns() // 1_000


class Profiles:
    """Reads profiles. Members come from identity, bodies from the archive; one thread at a time.

    `grounds` are what identity was made with: needed for profiles of past moments.
    """

    def __init__(
        self,
        reader: Reader,
        people: People,
        archive: Memory,
        *,
        grounds: Grounds = Grounds(),  # noqa: B008  (frozen)
        now: Callable[[], int] = clock,
    ) -> None:
        self._reader = reader
        self._people = people
        self._archive = archive
        self._grounds = grounds
        self._compiled: tuple[list[Row], Traits] | None = None
        self._now = now

    def profile(self, person: int, *, as_of: int | None = None, now: int | None = None) -> Profile:
        """The profile of a person: as it is, or `as_of` a past moment (microseconds), from what was known then.

        Definitions are today's in both cases; windows end at `now`, or at the past moment.
        Raises NotFound when there is (or was) no such person, TooLarge when the past of very many events is asked.
        """
        if as_of is not None:
            return self._past(person, as_of)
        now = self._now() if now is None else now
        with self._reader.snapshot():
            members = self._members(person)
            traits, rules = self._traits(), store.survivorship(self._reader)
            known = self._known([member.id for member in members])
            self._lend(self._shared(members), members, known.pulses, traits)
        # Members come oldest first, and the oldest gives a person its id: an id that was merged away leads to it.
        return summed(members[0].id, tuple(members), known, Scale(traits, rules, now))

    def _past(self, person: int, moment: int) -> Profile:
        with self._reader.snapshot():
            traits, rules = self._traits(), store.survivorship(self._reader)
            past = Past(self._reader, self._people, self._archive, self._grounds, moment)
            was, members, known = past.known(person, traits)
        return summed(was, members, known, Scale(traits, rules, moment))

    def traits(self, person: int) -> dict[str, GoldenTrait]:
        """The golden record: per trait the surviving value, why it won and what lost."""
        with self._reader.snapshot():
            ids = [member.id for member in self._members(person)]
            ledgers = store.strands(self._reader, store.LEDGERS, ids)
            words = store.strands(self._reader, store.WORDS, ids)
            rules = store.survivorship(self._reader)
        return golden_traits(_registers(ledgers), sorted(words.items()), rules)

    def told(self, ids: Iterable[int], names: Iterable[str]) -> dict[int, list[dict[str, list[str]]]]:
        """What each identifier was told of some traits: per source (and steward) texts by trait, the latest first.

        What was taken back is left out, and so is what is no text. Whose the identifiers are does not matter.
        """
        wanted, known = tuple(names), set(ids)
        ledgers = store.strands(self._reader, store.LEDGERS, known)
        words = store.strands(self._reader, store.WORDS, known)
        found = {}
        for identifier in sorted(ledgers.keys() | words.keys()):
            registers = ledgers[identifier][0] if identifier in ledgers else {}
            if texts := texts_by_source(registers, words.get(identifier, {}), wanted):
                found[identifier] = texts
        return found

    def consents(self, person: int) -> tuple[Consent, ...]:
        """Consents per purpose and channel, with who said what when."""
        with self._reader.snapshot():
            ids = [member.id for member in self._members(person)]
            ledgers = store.strands(self._reader, store.LEDGERS, ids)
        return consents_of((identifier, ledger[1]) for identifier, ledger in sorted(ledgers.items()))

    def values_of(self, person: int, names: Iterable[str] = (), *, now: int | None = None) -> dict[str, Any]:
        """Computed traits of a person by name; all of them unless `names` says which. Unknown names: NotFound."""
        wanted = tuple(names)
        now = self._now() if now is None else now
        with self._reader.snapshot():
            members = self._members(person)
            traits = self._traits()
            pulses = store.strands(self._reader, store.PULSES, [member.id for member in members])
            self._lend(self._shared(members), members, pulses, traits)
        values = values_in(added_up(pulses.values(), traits), traits, now)
        for name in wanted:
            if name not in values:
                raise NotFound(f"no computed trait is named {name!r}", hint=nearest(name, list(values)))
        return {name: values[name] for name in wanted} if wanted else values

    def definitions(self) -> tuple[Definition, ...]:
        """The computed traits that are in force, by name."""
        return tuple(sorted((trait.definition for trait in self._traits()), key=lambda each: each.name))

    def survivorship(self) -> SurvivorshipRules:
        """The survivorship rules that are in force."""
        return store.survivorship(self._reader)

    def validate(self, name: str, properties: Mapping[str, Any]) -> None:
        """DefinitionInvalid when a decision of this name and properties would do nothing; doors ask before deciding."""
        validate(Event("", "", "", DECISION, name, 0, 0, 0, properties=dict(properties)))
        if name == DEFINITIONS_REMOVED:
            known = [each.name for each in self.definitions()]
            for gone in removed_names(properties):
                if gone not in known:
                    raise DefinitionInvalid(f"no computed trait is named {gone!r}", hint=nearest(gone, known))
        if name == TRAIT_SET and not isinstance(properties.get("identifier"), str):
            raise DefinitionInvalid(f"expected identifier to be kind:value, got {properties.get('identifier')!r}")

    def live_values(self, person_of: Mapping[int, int], now: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """(person, computed traits) of everybody in `person_of` (identifier → person); for comparing with `bulk`.

        Keeps one sum per person in memory.
        """
        traits = self._traits()
        sums: dict[int, strand.Pulse | None] = dict.fromkeys(person_of.values())
        for pulses in store.all_strands(self._reader, store.PULSES):
            for subject, pulse in pulses:
                person = person_of.get(subject)
                if person is not None:
                    sums[person] = strand.merge_pulses(sums[person], pulse, traits)
        for person, total in sums.items():
            yield person, values_in(total, traits, now)

    def timeline_entries(self) -> Iterator[tuple[int, int, int]]:
        """(identifier, occurred, position) of every event that stands in somebody's timeline."""
        for rows in self._reader.scan_all(store.TIMELINE):
            for subject, occurred, position, *_ in rows:
                yield subject, occurred, position

    def timeline(
        self,
        person: int,
        *,
        cursor: str = "",
        limit: int = 50,
        channels: Iterable[str] = (),
        events: Iterable[str] = (),
        only: Filter | None = None,
        as_of: int | None = None,
    ) -> TimelinePage:
        """Events of all channels, newest first, optionally of some channels or event names, or what `only` lets pass.

        `as_of` shows the timeline as it was known at a past moment. A page that had to look through very many others
        ends early; its cursor goes on. DefinitionInvalid when the cursor or the limit is none; for a past moment
        errors are those of `profile`.
        """
        if not 1 <= limit <= PAGE_EVENTS_MAX:
            raise DefinitionInvalid(f"expected limit to be 1–{PAGE_EVENTS_MAX} events, got {limit}")
        place = _read_cursor(cursor)
        wanted = Wanted(only or Filter(channels=frozenset(channels), events=frozenset(events)))
        if as_of is not None:
            return self._past_page(self._remembered(person, as_of), place, limit, wanted)
        with self._reader.snapshot():
            members = self._members(person)
            return self._page(Lane(members, self._shared(members)), wanted.start(place), limit, wanted)

    def _remembered(self, person: int, moment: int) -> list[TimelineEvent]:
        """Every event that was known of a person at a past moment, newest first."""
        with self._reader.snapshot():
            past = Past(self._reader, self._people, self._archive, self._grounds, moment)
            found = [TimelineEvent(subject, event) for subject, event in past.events(person)]
        return sorted(found, key=lambda each: (each.event.occurred, each.event.position), reverse=True)

    @staticmethod
    def _past_page(known: Sequence[TimelineEvent], place: tuple[int, ...], limit: int, wanted: Wanted) -> TimelinePage:
        found = [
            each
            for each in known
            if wanted.fits(each.event) and (not place or (each.event.occurred, each.event.position) < place)
        ]
        if len(found) <= limit:
            return TimelinePage(tuple(found))
        last = found[limit - 1].event
        return TimelinePage(tuple(found[:limit]), _write_cursor((last.occurred, last.position)))

    def supposing(self, people: People) -> Profiles:
        """Profiles of other people over the same strands: of those that a decision would make, say."""
        return Profiles(self._reader, people, self._archive, grounds=self._grounds, now=self._now)

    def _shared(self, members: Sequence[Member]) -> list[Shared]:
        """The shared devices whose anonymous events are to be told apart; none unless the rules say so."""
        rules = getattr(self._people, "rules", None)
        if rules is None or rules.shared_device.policy != LAST_AUTHENTICATED:
            return []
        devices = Devices(self._reader, self._people, self._archive, rules)
        return devices.around(members[0].id, members, self._grounds.secret, self._grounds.source_of)

    def _lend(
        self, shared: Sequence[Shared], members: Sequence[Member], pulses: dict[int, strand.Pulse], traits: Traits
    ) -> None:
        """Makes the pulses of shared devices those of the events that belong to the members."""
        lane = Lane(members, shared)
        for device in shared:
            pulses.pop(device.device.id, None)
            rows = lane.lent[device.device.id]
            for stored in self._archive.bodies(row[1] for row in rows).values():
                event = stored.event
                pulse = pulses.get(device.device.id)
                observed = traits.observe(event)
                pulses[device.device.id] = strand.fold_pulse(
                    pulse, event.occurred, event.channel, observed, traits.slots
                )

    def _page(self, lane: Lane, place: tuple[int, ...], limit: int, wanted: Wanted) -> TimelinePage:
        found: list[TimelineEvent] = []
        looked_through = 0
        while looked_through < FILTERED_ROWS_MAX:
            size = limit - len(found) + 1 if wanted.everything else FILTERED_ROWS
            rows = self._rows(lane, place, size)
            candidates = [row for row in rows if wanted.label_fits(row[3])]
            bodies = self._archive.bodies(row[1] for row in candidates)
            for _, position, subject, _ in candidates:
                stored = bodies.get(position)
                if stored is None or not wanted.fits(stored.event):
                    continue
                if len(found) == limit:
                    last = found[-1].event
                    return TimelinePage(tuple(found), _write_cursor((last.occurred, last.position)))
                found.append(TimelineEvent(*lane.explained(subject, position, stored.event)))
            if len(rows) < size or wanted.ends_before(rows[-1][0]):
                return TimelinePage(tuple(found))
            looked_through += len(rows)
            place = rows[-1][:2]
        return TimelinePage(tuple(found), _write_cursor(place))

    def _rows(self, lane: Lane, before: tuple[int, ...], size: int) -> list[tuple[int, int, int, int]]:
        """The newest (occurred, position, subject, label) of all identifiers before a moment, newest first."""
        rows = [row for lent in lane.lent.values() for row in lent if not before or row[:2] < before]
        for id in lane.ids:
            scanned = self._reader.scan(store.TIMELINE, id, before=before, descending=True, limit=size)
            rows += [(occurred, position, subject, label) for subject, occurred, position, label in scanned]
        rows.sort(reverse=True)
        return rows[:size]

    def _members(self, person: int) -> Sequence[Member]:
        members = self._people.members(person)
        if not members:
            raise NotFound(f"there is no person {person}")
        return members

    def _traits(self) -> Traits:
        """The compiled traits; compiled again only when definitions changed."""
        rows = store.definition_rows(self._reader)
        if self._compiled is None or self._compiled[0] != rows:
            self._compiled = rows, Traits(store.decoded_definitions(rows).items())
        return self._compiled[1]

    def _known(self, ids: Sequence[int]) -> Known:
        return Known(*(store.strands(self._reader, table, ids) for table in (store.PULSES, store.LEDGERS, store.WORDS)))


class Lane:
    """Where the events of somebody stand: identifiers whose whole timeline is theirs, and rows lent by devices."""

    __slots__ = ("_shared", "ids", "lent")

    def __init__(self, members: Sequence[Member], shared: Sequence[Shared]) -> None:
        self._shared = {each.device.id: each for each in shared}
        own = frozenset(member.id for member in members)
        self.ids = [member.id for member in members if member.id not in self._shared]
        self.lent = {id: each.nobodys() if id in own else each.of(own) for id, each in self._shared.items()}

    def explained(self, subject: int, position: int, event: Event) -> tuple[int, Event, str]:
        """Identifier through which an event is theirs, the event, and the device that lent it."""
        shared = self._shared.get(subject)
        owner = None if shared is None else shared.owners.get(position)
        return (subject, event, "") if shared is None or owner is None else (owner, event, str(shared.device))


class Scale(msgspec.Struct, frozen=True):
    """What strands are read with: compiled traits, survivorship rules, and the moment."""

    traits: Traits
    rules: SurvivorshipRules
    now: int


def summed(person: int, members: tuple[Member, ...], known: Known, scale: Scale) -> Profile:
    """The profile of somebody from the strands of their identifiers."""
    pulse = added_up(known.pulses.values(), scale.traits)
    first, last, events, channels = pulse[:4] if pulse is not None else (None, None, 0, {})
    return Profile(
        person=person,
        identifiers=members,
        traits=golden_traits(_registers(known.ledgers), sorted(known.words.items()), scale.rules),
        computed=values_in(pulse, scale.traits, scale.now),
        consents=consents_of((identifier, ledger[1]) for identifier, ledger in sorted(known.ledgers.items())),
        channels=channels,
        first_seen=first,
        last_seen=last,
        events=events,
        as_of=scale.now,
    )


def added_up(pulses: Iterable[strand.Pulse], traits: Traits) -> strand.Pulse | None:
    """The sum of pulses; None of none."""
    total: strand.Pulse | None = None
    for pulse in pulses:
        total = strand.merge_pulses(total, pulse, traits)
    return total


def values_in(pulse: strand.Pulse | None, traits: Traits, now: int) -> dict[str, Any]:
    """Values of computed traits by name, sorted."""
    values = {
        trait.definition.name: trait.finish(None if pulse is None else strand.partial_of(pulse, trait.slot), now)
        for trait in traits
    }
    return dict(sorted(values.items()))


def _registers(ledgers: Mapping[int, strand.Ledger]) -> list[tuple[int, Any]]:
    return [(identifier, ledger[0]) for identifier, ledger in sorted(ledgers.items())]


class Wanted:
    """A filter made ready: labels narrow before bodies are read."""

    __slots__ = ("_channel_labels", "_filter", "_name_labels", "_text", "everything")

    def __init__(self, only: Filter) -> None:
        self._filter = only
        self._text = only.text.strip().casefold()
        self._channel_labels = {store.short(channel) for channel in only.channels}
        self._name_labels = {store.short(name) for name in only.events}
        self.everything = not (only.channels or only.events or self._text)

    def start(self, place: tuple[int, ...]) -> tuple[int, ...]:
        """Where a page begins: at its cursor, or where the span ends."""
        if self._filter.until is None or (place and place[0] < self._filter.until):
            return place
        return self._filter.until, -1

    def ends_before(self, occurred: int) -> bool:
        """Whether the span begins later than that moment, so that nothing older is wanted."""
        return self._filter.since is not None and occurred < self._filter.since

    def label_fits(self, label: int) -> bool:
        """Whether an event with that label may be wanted."""
        return (not self._filter.channels or label >> store.SHORT_BITS in self._channel_labels) and (
            not self._filter.events or label & store.SHORT_MASK in self._name_labels
        )

    def fits(self, event: Event) -> bool:
        """Whether that event is wanted."""
        only = self._filter
        return (
            (not only.channels or event.channel in only.channels)
            and (not only.events or event.name in only.events)
            and (only.since is None or event.occurred >= only.since)
            and (only.until is None or event.occurred < only.until)
            and (not self._text or self._says(event))
        )

    def _says(self, event: Event) -> bool:
        told = (event.name, event.channel, event.source, event.properties, event.traits)
        return self._text in strand.canonical(told).casefold()


def _write_cursor(place: tuple[int, ...]) -> str:
    return base64.urlsafe_b64encode(",".join(map(str, place)).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, ...]:
    if not cursor:
        return ()
    try:
        occurred, position = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(",")
        before = int(occurred), int(position)
        if not all(-(2**63) <= number < 2**63 for number in before):
            raise ValueError(cursor)
        return before
    except (binascii.Error, ValueError):
        raise DefinitionInvalid(f"expected a cursor as a page gave it, got {cursor!r}") from None
