"""The world itself: visits of each day become facts, facts get dirt on them, and leave in batches in order of time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

import msgspec

from cauce.model import DAY, HOUR, SECOND, Source
from cauce.model.time import from_iso
from cauce.testing.world.acts import ACTIONS, Journey, stores_of
from cauce.testing.world.campaigns import Treatments, plan
from cauce.testing.world.chance import Dice, draw, key, share
from cauce.testing.world.channels import SOURCES, Fact, Message, Scribe, iso_milliseconds
from cauce.testing.world.dirt import Dirt, skew_of, soil
from cauce.testing.world.journeys import ALL_ACTS, KINDS, Calendar, Visit
from cauce.testing.world.people import People, Person
from cauce.testing.world.products import Assortment, Product
from cauce.testing.world.truth import SOURCE_NAMES, EventFate, EventTruth, Totals, Truth

ENDPOINT = "/v1/batch"
BATCH_AGE_MAX = 6 * HOUR
"""A batch leaves at the latest this long after its first event, full or not."""
_DAYS_MAX = 3_650


class Batch(NamedTuple):
    """One request: `body` is ready to be sent to `endpoint` with the key of `source`.

    `sent` is the true moment of sending in the world's time (microseconds UTC); `body["sentAt"]` says the same by the
    sender's clock, which is off by `skew`. `truth` stands in the order of `body["batch"]`.
    """

    source: str
    endpoint: str
    body: Message
    truth: list[EventTruth]
    sent: int
    skew: int = 0

    def sent_at(self, moment: int) -> Message:
        """The body as if it were sent at `moment`: only `sentAt` is another, so all true times stay as they are."""
        return {**self.body, "sentAt": iso_milliseconds(moment + self.skew)}

    def encode(self) -> bytes:
        """The body as JSON."""
        return msgspec.json.encode(self.body)


class World:
    """A retailer and its customers, from `start` (a date, UTC) for `days` days; the same arguments, the same bytes.

    Raises ValueError when an argument is out of its range.
    """

    def __init__(
        self, people: int = 1_000, seed: int = 7, days: int = 60, start: str = "2026-06-01", *, dirt: Dirt | None = None
    ) -> None:
        if not 1 <= days <= _DAYS_MAX:
            raise ValueError(f"expected days to be 1–{_DAYS_MAX}, got {days}")
        self.seed = seed
        self.days = days
        self.start = from_iso(start) // DAY * DAY
        self.dirt = Dirt() if dirt is None else dirt
        self.people = People(seed, people, days)
        first_date = date.fromisoformat(start[:10])
        self._months = [(first_date + timedelta(days=day)).month for day in range(days)]
        self._treatments = Treatments(seed, self.people, plan(days))
        self.calendar = Calendar(seed, self.people, self._treatments, days, first_date.weekday())
        self.truth = Truth(self.people, self.calendar, self._treatments, days)
        self.assortment = Assortment(seed)
        self._keys = {name: key(seed, name) for name in ("session", "journey", "clock")}
        self._expected: Totals | None = None

    def sources(self) -> list[Source]:
        """The senders of this world; to be opened before its events are sent."""
        return list(SOURCES)

    def expected(self) -> Totals:
        """What must be counted when everything has been sent; runs through the world once."""
        if self._expected is None:
            totals = Totals()
            totals.add(self._truth_of(fact) for fact in self.facts())
            self._expected = totals
        return self._expected

    def batches(self, events_per_batch: int = 100) -> Iterator[Batch]:
        """All events in requests of one source each, in order of sending."""
        if events_per_batch < 1:
            raise ValueError(f"expected events_per_batch to be 1 or more, got {events_per_batch}")
        waiting: list[list[Fact]] = [[] for _ in SOURCES]
        look_again = 0
        for fact in self.facts():
            if fact.sent >= look_again:
                look_again = fact.sent + BATCH_AGE_MAX // 12
                for facts in waiting:
                    if facts and fact.sent - facts[0].sent >= BATCH_AGE_MAX:
                        yield self._batch(facts, fact.sent)
                        facts.clear()
            if fact.skew:
                yield self._batch([fact], fact.sent)
                continue
            facts = waiting[fact.source]
            if (
                fact.duplicate
                and facts
                and any(fact.message["messageId"] == other.message["messageId"] for other in facts)
            ):
                yield self._batch(facts, fact.sent)
                facts.clear()
            facts.append(fact)
            if len(facts) >= events_per_batch:
                yield self._batch(facts, fact.sent)
                facts.clear()
        end = self.start + self.days * DAY
        for facts in waiting:
            if facts:
                end = max(end, facts[-1].sent)
        for facts in waiting:
            if facts:
                yield self._batch(facts, end)

    def _batch(self, facts: list[Fact], sent: int) -> Batch:
        first = facts[0]
        body = {"batch": [fact.message for fact in facts], "sentAt": iso_milliseconds(sent + first.skew)}
        return Batch(
            SOURCE_NAMES[first.source], ENDPOINT, body, [self._truth_of(fact) for fact in facts], sent, first.skew
        )

    @staticmethod
    def _truth_of(fact: Fact) -> EventTruth:
        fate: EventFate = "duplicate" if fact.duplicate else "quarantined" if fact.reason else "stored"
        return EventTruth(
            fact.message["messageId"],
            SOURCE_NAMES[fact.source],
            fact.person,
            fact.occurred,
            fact.sent,
            fate,
            fact.reason,
            fact.late,
            fact.skew,
        )

    def facts(self) -> Iterator[Fact]:
        """All facts in order of sending, dirt included."""
        waiting: list[tuple[int, int, Fact]] = []
        serial = 0
        scribe = Scribe(self.people, self._keys["session"], Dice())
        for day in range(self.days):
            visits = self.calendar.visits(day)
            midnight = self.start + day * DAY
            for visit in visits.each():
                clock = midnight + visit.second * SECOND
                while waiting and waiting[0][0] <= clock:
                    yield heapq.heappop(waiting)[2]
                self._visit(scribe, visit, day)
                if not scribe.facts:
                    continue
                for fact in soil(scribe.facts, self.dirt, scribe.dice):
                    heapq.heappush(waiting, (fact.sent, serial, fact))
                    serial += 1
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _visit(self, scribe: Scribe, visit: Visit, day: int) -> None:
        """Lets one visit happen; its facts stand in `scribe.facts`."""
        person = self.people.person(visit.person)
        act = ALL_ACTS[visit.act]
        skew = skew_of(self.dirt, share(self._keys["clock"], visit.person))
        scribe.begin(person, day, self.start + day * DAY + visit.second * SECOND, _visit_number(visit, day), skew)
        word = draw(self._keys["journey"], visit.person, visit.began)
        store, other_store = stores_of(person, word)
        journey = Journey(
            person,
            f"{visit.person}-{visit.began}",
            word,
            bool(visit.bought),
            KINDS[visit.kind].name if visit.kind >= 0 else "",
            self._products(word, visit.began),
            store,
            other_store,
            self.truth.campaigns[visit.detail] if act == "campaign_message" else None,
            self._relative(person) if act == "family_tablet" else None,
        )
        ACTIONS[act](scribe, journey)

    def _products(self, word: int, day: int) -> tuple[Product, ...]:
        """One to three articles, more often of what is in season."""
        pool = self.assortment.pools[self._months[day]]
        count = (1, 1, 2, 1, 2, 3, 1, 2)[word & 7]
        return tuple(pool[(word >> 3 + 17 * place) % len(pool)] for place in range(count))

    def _relative(self, person: Person) -> Person | None:
        """Somebody else of the household, always the same."""
        members = self.people.members(person.number)
        if len(members) < 2:
            return None
        return self.people.person(members[(person.number - members.start + 1) % len(members)])


def _visit_number(visit: Visit, day: int) -> int:
    """A number that is unique among the visits of one person."""
    return ((visit.began * 16 + day - visit.began) * len(ALL_ACTS) + visit.act) * 16 + visit.detail
