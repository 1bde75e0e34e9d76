"""What is true: whose an event is, whose an identifier is, what a campaign has caused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec
import numpy
from numpy.typing import NDArray

from cauce.testing.world.campaigns import Campaign, Treatments
from cauce.testing.world.chance import Integers
from cauce.testing.world.channels import SOURCES
from cauce.testing.world.dirt import BLOCKED
from cauce.testing.world.journeys import KINDS, VARIANTS, Calendar
from cauce.testing.world.people import SEGMENTS, People
from cauce.testing.world.stores import STORES

Status = Literal["personal", "household", "device", "wrong", "blocked"]
EventFate = Literal["stored", "duplicate", "quarantined"]


class EventTruth(NamedTuple):
    """The truth about one event that was sent.

    `person` has done it (whether or not an identifier says so); `occurred` and `sent` are true microseconds UTC;
    `skew` is how far the sender's clock is off. `fate` is what must become of it, `reason` why it is bad.
    A bad event that is sent twice does not occur.
    """

    message_id: str
    source: str
    person: int
    occurred: int
    sent: int
    fate: EventFate
    reason: str = ""
    late: bool = False
    skew: int = 0


class IdentifierTruth(NamedTuple):
    """Whose an identifier is. Values are normalised: e-mail in lower case, telephone in E.164.

    *personal* belongs to `person`; *household* to several people of one household (`person` −1);
    *device* to a store or till (both −1); *wrong* is a misspelling that stands for `person`; *blocked* is junk.
    """

    kind: str
    value: str
    status: Status
    person: int = -1
    household: int = -1


class Effect(NamedTuple):
    """What a campaign did in one segment: people of each group and their mean purchases in journeys of the window.

    `caused` is by how much the mean of the treated is higher than it would have been without the campaign.
    """

    segment: str
    treated: int
    held_out: int
    mean_treated: float
    mean_held_out: float
    caused: float


class Totals(msgspec.Struct):
    """What must be counted: per source, `received = stored + duplicate + quarantined`."""

    received: Counter[str] = msgspec.field(default_factory=Counter)
    stored: Counter[str] = msgspec.field(default_factory=Counter)
    duplicate: Counter[str] = msgspec.field(default_factory=Counter)
    quarantined: Counter[str] = msgspec.field(default_factory=Counter)
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    late: int = 0
    wrong_clock: int = 0

    def add(self, truths: Iterable[EventTruth]) -> None:
        for truth in truths:
            self.received[truth.source] += 1
            if truth.fate == "stored":
                self.stored[truth.source] += 1
            elif truth.fate == "duplicate":
                self.duplicate[truth.source] += 1
            else:
                self.quarantined[truth.source] += 1
                self.reasons[truth.reason] += 1
            self.late += truth.late
            self.wrong_clock += truth.skew != 0

    @property
    def sent(self) -> int:
        """All events, of whatever fate."""
        return sum(self.received.values())


class JourneyTruth(NamedTuple):
    """A journey: who, from which day on, of which kind, and whether it ends in a purchase."""

    person: int
    day: int
    kind: str
    bought: bool


class Truth:
    """The truth of a world, streamed."""

    def __init__(self, people: People, calendar: Calendar, treatments: Treatments, days: int) -> None:
        self._people = people
        self._calendar = calendar
        self._treatments = treatments
        self._days = days

    def identifiers(self) -> Iterator[IdentifierTruth]:
        """Every identifier that an event may carry; those of a household come once."""
        for source, (kind, values) in BLOCKED.items():
            del source
            yield from (IdentifierTruth(kind, value, "blocked") for value in values)
        for store in STORES:
            yield IdentifierTruth("anonymous_id", store.tablet, "device")
            yield IdentifierTruth("device_id", f"TAB-{store.id}", "device")
            yield from (IdentifierTruth("device_id", till, "device") for till in store.tills)
        for index in range(self._people.count):
            yield from self._of_person(index)

    def _of_person(self, index: int) -> Iterator[IdentifierTruth]:
        person = self._people.person(index)
        house = person.household
        own = {
            "user_id": person.user_id,
            "email": "" if person.email_is_shared else person.email,
            "phone": person.mobile,
            "loyalty": "" if person.loyalty_is_shared else person.loyalty,
            "crm_id": person.crm_id,
            "device_id": person.app_device,
            "push_token": person.push_token,
            "instagram": person.instagram,
        }
        for kind, value in own.items():
            if value:
                yield IdentifierTruth(kind, value, "personal", index, house.id)
        for number in person.pos_numbers:
            if number:
                yield IdentifierTruth("pos_customer", number, "personal", index, house.id)
        anonymous = self._people.anonymous_ids(person)
        if person.app_device:
            anonymous.append(person.app_device.lower())
        for value in anonymous:
            yield IdentifierTruth("anonymous_id", value, "personal", index, house.id)
        for kind, value in self._people.wrong_identifiers(person):
            yield IdentifierTruth(kind, value, "wrong", index, house.id)
        if index == self._people.members(index).start:
            shared = {
                "email": house.family_email,
                "phone": house.landline,
                "loyalty": house.shared_loyalty,
                "anonymous_id": self._people.anonymous_id(person, "tablet", 0) if house.tablet else "",
            }
            for kind, value in shared.items():
                if value:
                    yield IdentifierTruth(kind, value, "household", -1, house.id)

    def households(self) -> Iterator[tuple[int, range]]:
        """(household id, its people)."""
        index = 0
        while index < self._people.count:
            members = self._people.members(index)
            yield self._people.seat(index)[0], members
            index = members.stop

    def journeys(self) -> Iterator[JourneyTruth]:
        """All journeys in order of the day on which they begin, then of person."""
        for day in range(self._days):
            began = self._calendar.begin(day)
            for person, code, bought in zip(
                began.people.tolist(), began.codes.tolist(), began.bought.tolist(), strict=True
            ):
                yield JourneyTruth(person, day, KINDS[code // VARIANTS].name, bought)

    @property
    def campaigns(self) -> tuple[Campaign, ...]:
        return self._treatments.campaigns

    def treated(self, campaign: str, people: Integers) -> NDArray[numpy.bool_]:
        """Who of `people` was treated."""
        return self._treatments.treated(self._number(campaign), people)

    def held_out(self, campaign: str, people: Integers) -> NDArray[numpy.bool_]:
        """Who of `people` could have been treated and was held out."""
        number = self._number(campaign)
        return self._treatments.eligible(number, people) & ~self._treatments.treated(number, people)

    def effects(self, campaign: str) -> list[Effect]:
        """Per segment what the campaign did to these very people: purchases with it, and what would have been without.

        Purchases are those of journeys that begin within the campaign's window.
        """
        number = self._number(campaign)
        plan = self._treatments.campaigns[number]
        days = range(plan.day, min(plan.day + plan.window_days, self._days))
        size = len(SEGMENTS)
        people, buys, buys_without = (numpy.zeros((2, size)) for _ in range(3))
        for block in self._calendar.blocks():
            for group, members in enumerate((self.held_out(campaign, block), self.treated(campaign, block))):
                people[group] += numpy.bincount(self._people.segment_codes(block[members]), minlength=size)
        for day in days:
            for counts, without in ((buys, -1), (buys_without, number)):
                began = self._calendar.begin(day, without=without)
                who = began.people[began.bought]
                for group, members in enumerate((self.held_out(campaign, who), self.treated(campaign, who))):
                    counts[group] += numpy.bincount(self._people.segment_codes(who[members]), minlength=size)
        means, means_without = buys / numpy.maximum(people, 1), buys_without / numpy.maximum(people, 1)
        return [
            Effect(
                segment,
                int(people[1][place]),
                int(people[0][place]),
                float(means[1][place]),
                float(means[0][place]),
                float(means[1][place] - means_without[1][place]),
            )
            for place, segment in enumerate(SEGMENTS)
        ]

    def _number(self, campaign: str) -> int:
        names = [known.name for known in self._treatments.campaigns]
        if campaign not in names:
            raise ValueError(f"expected campaign to be one of {', '.join(names)}, got {campaign!r}")
        return names.index(campaign)


SOURCE_NAMES = tuple(source.name for source in SOURCES)
