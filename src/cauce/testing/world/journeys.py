"""Which journeys people begin, on which day each step of them falls, and who buys in the end.

A journey begins with a chance per person and day; its kind and variant are drawn, and with them the days of its steps.
All of it belongs to (person, day of beginning), so that the visits of any day are found for all people at once by
looking back over the last REACH_DAYS days; nothing is remembered from one day to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy
from numpy.typing import NDArray

from cauce.testing.world.campaigns import Treatments
from cauce.testing.world.chance import Integers, draws, key, shares
from cauce.testing.world.people import JOURNEYS_PER_DAY, People


class Step(NamedTuple):
    """A visit of a journey: `days` after its beginning, between two hours of the day (UTC); `act` is what happens."""

    days: int
    act: str
    hours: tuple[int, int]


class Kind(NamedTuple):
    """A kind of journey. `purchase` is the base chance that it ends in one; each variant is a tuple of steps."""

    name: str
    weight: int
    purchase: float
    variants: tuple[tuple[Step, ...], ...]


_MORNING, _MIDDAY, _AFTERNOON, _EVENING, _ANY = (6, 10), (10, 13), (14, 17), (17, 21), (6, 22)


def _buying(act: str, days: tuple[int, ...], after_sale: int = 0) -> tuple[tuple[Step, ...], ...]:
    """Variants: browse first, buy or break off after `days`, a reminder of the basket next day, perhaps a survey."""
    return tuple(
        (
            Step(0, "app_browse" if act == "app_buy" else "browse", _MORNING if wait == 0 else _ANY),
            Step(wait, act, _EVENING),
            Step(wait + 1, "basket_reminder", _MORNING),
            *((Step(wait + after_sale, "after_sale", _MIDDAY),) if after_sale else ()),
        )
        for wait in days
    )


KINDS: tuple[Kind, ...] = (
    Kind("look_only", 24, 0.0, ((Step(0, "browse", _ANY),), (Step(0, "app_browse", _ANY),))),
    Kind("web_purchase", 20, 0.40, _buying("web_buy", (0, 0, 1, 3), 7)),
    Kind("app_purchase", 9, 0.40, _buying("app_buy", (0, 1, 2), 6)),
    Kind(
        "online_to_store",
        13,
        0.45,
        tuple(
            (
                Step(0, "browse", _MORNING),
                Step(wait, "try_on", _AFTERNOON),
                Step(wait, "till", _EVENING),
                Step(wait + 5, "after_sale", _MIDDAY),
            )
            for wait in (0, 1, 2, 4)
        ),
    ),
    Kind(
        "lead_call_store",
        8,
        0.35,
        tuple(
            (
                Step(0, "lead", _EVENING),
                Step(1, "lead_call", _MIDDAY),
                Step(wait, "lead_visit", _AFTERNOON),
                Step(wait, "till", _EVENING),
                Step(wait + 1, "lead_end", _MORNING),
            )
            for wait in (3, 6, 9)
        ),
    ),
    Kind(
        "click_and_collect",
        7,
        0.70,
        tuple(
            (Step(0, "pickup_buy", _ANY), Step(wait, "pick_up", _EVENING), Step(back, "return_elsewhere", _MIDDAY))
            for wait, back in ((1, 6), (2, 12), (1, 9))
        ),
    ),
    Kind("store_only", 12, 0.75, ((Step(0, "till", (9, 19)),),)),
    Kind(
        "whatsapp_question",
        5,
        0.50,
        (
            (Step(0, "browse", _MORNING), Step(0, "chat", _MIDDAY), Step(1, "till", _EVENING)),
            (Step(0, "browse", _MORNING), Step(0, "chat", _MIDDAY), Step(0, "web_buy", _EVENING)),
        ),
    ),
    Kind(
        "complaint",
        4,
        0.80,
        tuple(
            (Step(0, "web_buy", _ANY), Step(wait, "case_opened", _MIDDAY), Step(wait + 2, "case_closed", _AFTERNOON))
            for wait in (3, 5)
        ),
    ),
    Kind("broken_form", 4, 0.0, ((Step(0, "broken_form", _ANY),),)),
    Kind("family_tablet", 4, 0.30, ((Step(0, "family_tablet", _EVENING),),)),
)
ONLY_IF_BOUGHT = {
    **dict.fromkeys(("till", "pick_up", "return_elsewhere", "case_opened", "case_closed", "after_sale"), True),
    "basket_reminder": False,
}
"""Acts that happen only when the journey ends in a purchase (True), or only when it does not (False)."""
ACTS: tuple[str, ...] = tuple(
    dict.fromkeys(step.act for kind in KINDS for variant in kind.variants for step in variant)
)
STANDING_ACTS = ("crm_record", "campaign_message", "consent_given", "consent_withdrawn")
"""What happens without a journey: the nightly records of the CRM, the messages of campaigns, consent."""
ALL_ACTS = ACTS + STANDING_ACTS
_STEPS_MAX = 8
VARIANTS = 12
"""Divisible by the number of variants of every kind, so that each variant is equally likely."""
REACH_DAYS = max(step.days for kind in KINDS for variant in kind.variants for step in variant)
_KIND_BOUNDS = numpy.cumsum([kind.weight for kind in KINDS]) / sum(kind.weight for kind in KINDS)
_PURCHASE = numpy.array([kind.purchase for kind in KINDS])
_SEGMENT_PURCHASE = numpy.array([1.2, 1.0, 0.85, 0.7])
_ENDING = numpy.array([int(ONLY_IF_BOUGHT.get(act, -1)) for act in ALL_ACTS])
_RATES = numpy.array(JOURNEYS_PER_DAY)
_CRM_EVERY_DAYS = 15
_CONSENTING = 0.4
BLOCK_PEOPLE = 65_536
_VISITS_TOGETHER = 256


class _StepTable(NamedTuple):
    """For each days-after-beginning and step number: what (kind × VARIANTS + variant) does then, −1 for nothing."""

    act: NDArray[numpy.int64]
    hour_from: NDArray[numpy.int64]
    hours: NDArray[numpy.int64]


def _step_table() -> _StepTable:
    shape = (REACH_DAYS + 1, _STEPS_MAX, len(KINDS) * VARIANTS)
    act, hour_from, hours = numpy.full(shape, -1), numpy.zeros(shape, int), numpy.zeros(shape, int)
    for number, kind in enumerate(KINDS):
        assert VARIANTS % len(kind.variants) == 0, f"{kind.name} must have a number of variants that divides {VARIANTS}"
        for drawn in range(VARIANTS):
            for place, step in enumerate(kind.variants[drawn % len(kind.variants)]):
                where = (step.days, place, number * VARIANTS + drawn)
                act[where] = ALL_ACTS.index(step.act)
                hour_from[where] = step.hours[0]
                hours[where] = step.hours[1] - step.hours[0]
    return _StepTable(act, hour_from, hours)


_TABLE = _step_table()


class Beginnings(NamedTuple):
    """Journeys that begin on one day: who, which (kind × VARIANTS + variant), and whether they end in a purchase."""

    people: Integers
    codes: Integers
    bought: NDArray[numpy.bool_]


class Visit(NamedTuple):
    """One visit at a `second` of the day (UTC).

    `began` is the day on which the journey began, `kind` its kind (−1 without a journey, then `detail` may be the
    number of a campaign), `act` an index into ALL_ACTS, `bought` 1 when the journey ends in a purchase.
    """

    second: int
    person: int
    began: int
    kind: int
    act: int
    bought: int
    detail: int


class Visits(NamedTuple):
    """What happens on one day, as columns of `Visit`, in order of time."""

    second: Integers
    person: Integers
    began: Integers
    kind: Integers
    act: Integers
    bought: Integers
    detail: Integers

    def each(self) -> Iterator[Visit]:
        """The visits one by one; only some of them exist as Python objects at a time."""
        for first in range(0, len(self.second), _VISITS_TOGETHER):
            columns = [column[first : first + _VISITS_TOGETHER].tolist() for column in self]
            yield from map(Visit._make, zip(*columns, strict=True))


class Calendar:
    """Journeys and visits, day by day, for all people at once, in blocks of BLOCK_PEOPLE to bound the memory."""

    def __init__(self, seed: int, people: People, treatments: Treatments, days: int, first_weekday: int) -> None:
        self._people = people
        self._treatments = treatments
        self._days = days
        self._first_weekday = first_weekday
        names = ("begin", "kind", "variant", "buy", "second", "crm", "consent", "standing")
        self._keys = {name: key(seed, name) for name in names}

    def blocks(self) -> Iterator[Integers]:
        """All people, in arrays of at most BLOCK_PEOPLE."""
        for first in range(0, self._people.count, BLOCK_PEOPLE):
            yield numpy.arange(first, min(first + BLOCK_PEOPLE, self._people.count), dtype=numpy.int64)

    def begin(self, day: int, *, without: int = -1) -> Beginnings:
        """Journeys that begin on `day`; `without` the influence of one campaign: what would have been."""
        parts = [self._begin_block(day, block, without) for block in self.blocks()]
        return Beginnings(*(numpy.concatenate(column) for column in zip(*parts, strict=True)))

    def _begin_block(self, day: int, block: Integers, without: int) -> Beginnings:
        rate = _RATES[self._people.segment_codes(block)]
        rate = rate * (1.25 if (day + self._first_weekday) % 7 >= 5 else 0.9)
        chosen = block[shares(self._keys["begin"], block, day) < rate]
        kinds = numpy.searchsorted(_KIND_BOUNDS, shares(self._keys["kind"], chosen, day), side="right")
        kinds = numpy.minimum(kinds, len(KINDS) - 1)
        variants = (draws(self._keys["variant"], chosen, day) >> numpy.uint64(20)).astype(numpy.int64) % VARIANTS
        chance = _PURCHASE[kinds] * _SEGMENT_PURCHASE[self._people.segment_codes(chosen)]
        chance *= self._treatments.factors(day, chosen, without=without)
        bought = shares(self._keys["buy"], chosen, day) < chance
        return Beginnings(chosen, kinds * VARIANTS + variants, bought)

    def visits(self, day: int) -> Visits:
        """Everything that happens on `day`, in order of time."""
        parts = self._journey_visits(day)
        for block in self.blocks():
            parts += self._standing_visits(day, block)
        columns = [numpy.concatenate(column) for column in zip(*parts, strict=True)]
        order = numpy.lexsort((columns[4], columns[1], columns[0]))
        return Visits(*(column[order] for column in columns))

    def _journey_visits(self, day: int) -> list[Visits]:
        parts = []
        for back in range(min(REACH_DAYS, day) + 1):
            if (_TABLE.act[back] < 0).all():
                continue
            began = self.begin(day - back)
            for place in range(_STEPS_MAX):
                acts = _TABLE.act[back, place][began.codes]
                here = (acts >= 0) & ((_ENDING[acts] < 0) | (_ENDING[acts] == began.bought))
                if here.any():
                    parts.append(self._step_visits(day - back, place, back, began, here))
        return parts

    def _step_visits(
        self, began_on: int, place: int, back: int, began: Beginnings, here: NDArray[numpy.bool_]
    ) -> Visits:
        people, codes = began.people[here], began.codes[here]
        chance = shares(self._keys["second"], people, began_on * _STEPS_MAX + place)
        second = _TABLE.hour_from[back, place][codes] * 3600 + (chance * _TABLE.hours[back, place][codes] * 3600)
        return Visits(
            second.astype(numpy.int64),
            people,
            numpy.full(len(people), began_on),
            codes // VARIANTS,
            _TABLE.act[back, place][codes],
            began.bought[here].astype(numpy.int64),
            numpy.zeros(len(people), numpy.int64),
        )

    def _standing_visits(self, day: int, block: Integers) -> list[Visits]:
        turn = draws(self._keys["crm"], block) % numpy.uint64(_CRM_EVERY_DAYS) == day % _CRM_EVERY_DAYS
        known = block[turn & self._people.which_have(block, "crm_id")]
        given_on, withdrawn_on = self._consent_days(block)
        parts = [
            self._standing(day, known, "crm_record", (1, 3)),
            self._standing(day, block[given_on == day], "consent_given", (8, 18)),
            self._standing(day, block[withdrawn_on == day], "consent_withdrawn", (8, 18)),
        ]
        for number, campaign in enumerate(self._treatments.campaigns):
            if campaign.day == day:
                treated = block[self._treatments.treated(number, block)]
                parts.append(self._standing(day, treated, "campaign_message", (7, 17), number))
        return parts

    def _consent_days(self, block: Integers) -> tuple[Integers, Integers]:
        """Days on which consent is given, in the first half of the world, and taken back, in the second; −1 never."""
        chance = shares(self._keys["consent"], block)
        half = max(1, self._days // 2)
        withdrawn = self._people.which_have(block, "withdrawn")
        given = numpy.where((chance < _CONSENTING) | withdrawn, (chance * 1e6).astype(numpy.int64) % half, -1)
        return given, numpy.where(withdrawn, half + (chance * 1e7).astype(numpy.int64) % half, -1)

    def _standing(self, day: int, people: Integers, act: str, hours: tuple[int, int], detail: int = 0) -> Visits:
        """Visits outside journeys, between two hours of the day."""
        count = len(people)
        number = ALL_ACTS.index(act)
        chance = shares(self._keys["standing"], people, day * len(ALL_ACTS) + number)
        return Visits(
            ((hours[0] + chance * (hours[1] - hours[0])) * 3600).astype(numpy.int64),
            people,
            numpy.full(count, day),
            numpy.full(count, -1),
            numpy.full(count, number),
            numpy.zeros(count, numpy.int64),
            numpy.full(count, detail),
        )
