"""Campaigns whose true effect is known: it acts through the chance that a journey ends in a purchase.

Half of those whom a campaign may reach are treated, the other half are held out, by chance.
A journey that a treated person begins within the window after the sending ends in a purchase with a chance that is
`1 + lift` times as high. Because every draw belongs to (person, day), it is also known who would have bought anyway.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy
from numpy.typing import NDArray

from cauce.testing.world.chance import Integers, key, shares
from cauce.testing.world.people import SEGMENTS, People


class Campaign(NamedTuple):
    """`day` is the day of sending (0: the first of the world); `lifts` are relative, in the order of SEGMENTS."""

    name: str
    channel: str
    day: int
    window_days: int
    lifts: tuple[float, float, float, float]
    category: str

    def lift(self, segment: str) -> float:
        return self.lifts[SEGMENTS.index(segment)]

    def open_on(self, day: int) -> bool:
        """Whether a journey that begins on `day` is under this campaign's influence."""
        return self.day <= day < self.day + self.window_days


def plan(days: int) -> tuple[Campaign, ...]:
    """The campaigns of a world of that many days. One of them does nothing, and one does harm to loyal customers."""
    window_days = max(1, days // 6)
    return (
        Campaign("rebajas", "email", days * 15 // 100, window_days, (0.3, 0.6, 0.9, 0.5), "vestidos"),
        Campaign("vuelve", "whatsapp", days * 35 // 100, window_days, (0.2, 0.4, 0.8, 0.6), "zapatos"),
        Campaign("boletín", "email", days * 55 // 100, window_days, (0.0, 0.0, 0.0, 0.0), "hogar"),
        Campaign("cupón", "email", days * 75 // 100, window_days, (-0.2, 0.3, 0.6, 0.4), "accesorios"),
    )


class Treatments:
    """Who is treated by which campaign, and who is held out; one by one or for arrays of people."""

    def __init__(self, seed: int, people: People, campaigns: tuple[Campaign, ...]) -> None:
        self.campaigns = campaigns
        self._people = people
        self._keys = tuple(key(seed, f"campaign {campaign.name}") for campaign in campaigns)
        self._lifts = numpy.array([campaign.lifts for campaign in campaigns]).reshape(-1, len(SEGMENTS))

    def eligible(self, number: int, people: Integers) -> NDArray[numpy.bool_]:
        """Whom campaign `number` may and can reach: consent not taken back, and an address for its channel."""
        reached = ~self._people.which_have(people, "withdrawn")
        if self.campaigns[number].channel == "email":
            reached &= self._people.which_have(people, "email")
        return reached

    def treated(self, number: int, people: Integers) -> NDArray[numpy.bool_]:
        """Who of `people` gets campaign `number`; eligible people who do not are its hold-out."""
        return self.eligible(number, people) & (shares(self._keys[number], people) < 0.5)

    def factors(self, day: int, people: Integers, *, without: int = -1) -> NDArray[numpy.float64]:
        """What the chance of a purchase is multiplied by, in journeys that begin on `day`; `without` one campaign."""
        segments = self._people.segment_codes(people)
        factor = numpy.ones(len(people))
        for number, campaign in enumerate(self.campaigns):
            if number != without and campaign.open_on(day):
                factor *= numpy.where(self.treated(number, people), 1 + self._lifts[number][segments], 1.0)
        return factor
