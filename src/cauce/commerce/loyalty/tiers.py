"""Which tier somebody holds: a pure function of what counted when, whatever the order in which it became known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cauce.commerce.loyalty.calendar import day_of, instant_months_later, new_year
from cauce.commerce.loyalty.definition import MICRO, Level, Tiers
from cauce.commerce.loyalty.store import FOREVER
from cauce.model.time import DAY


class Entry(NamedTuple):
    """Something that counts from `at` on; `since` is when the purchase was, from which its window is reckoned."""

    at: int
    since: int
    amount: int


class Standing(NamedTuple):
    """A tier ("" for none) held since `since`. `counted` is what counts now, `falls` when the tier is lost unless more
    comes, `review` the next moment at which anything may change by itself (0: never)."""

    tier: str
    since: int
    counted: int
    falls: int
    review: int


def scale_of(tiers: Tiers) -> int:
    """Of entries for one unit of a level's entry: points are counted in millionths."""
    return MICRO if tiers.by == "points" else 1


def standings(tiers: Tiers, zone: str, entries: Iterable[Entry], moments: Sequence[int]) -> list[Standing]:
    """The standing just before each moment; `moments` in order."""
    ladder = _Years(tiers, zone) if tiers.calendar_year else _Window(tiers, zone)
    changes = ladder.changes(entries)
    found, at = [], 0
    for moment in moments:
        while at < len(changes) and changes[at][0] < moment:
            when = changes[at][0]
            ladder.pass_to(when)
            while at < len(changes) and changes[at][0] == when:
                ladder.count(changes[at][1])
                at += 1
            ladder.judge(when)
        ladder.pass_to(moment)
        upcoming = changes[at][0] if at < len(changes) else 0
        found.append(ladder.standing(upcoming))
    return found


class _Ladder:
    """What both sorts of windows have in common: up at once, down when the time of grace is over."""

    def __init__(self, tiers: Tiers, zone: str) -> None:
        self.tiers = tiers
        self.zone = zone
        self.levels: Sequence[Level] = tiers.levels
        self.scale = scale_of(tiers)
        # A tier that costs nothing is everybody's, from the first moment on.
        self.held = 0 if self.levels and not self.levels[0].entry else -1
        self.since = 0
        self.counted = 0
        self.falls = 0

    def changes(self, entries: Iterable[Entry]) -> list[tuple[int, int]]:
        raise NotImplementedError

    def count(self, amount: int) -> None:
        self.counted += amount

    def standing(self, upcoming: int) -> Standing:
        tier = self.levels[self.held].tier if self.held >= 0 else ""
        moments = [each for each in (self.falls, upcoming, self.turn) if each]
        return Standing(tier, self.since, max(0, self.counted), self.falls, min(moments, default=0))

    @property
    def turn(self) -> int:
        """When a year ends, for those who count by years."""
        return 0

    def pass_to(self, moment: int) -> None:
        """Time passes: who was in grace until then falls."""
        if self.falls and self.falls <= moment:
            self._fall(self.falls)

    def judge(self, at: int) -> None:
        """What counts has changed."""
        self._rise(at)
        if self.held >= 0 and self.kept(self.levels[self.held]):
            self.falls = 0
        elif self.held >= 0 and not self.falls:
            self._lose(at)

    def kept(self, level: Level) -> bool:
        return self.counted >= level.keep * self.scale

    def _rise(self, at: int) -> None:
        reached = max(
            (index for index, each in enumerate(self.levels) if self.counted >= each.entry * self.scale), default=-1
        )
        if reached > self.held:
            self.held, self.since, self.falls = reached, at, 0

    def _lose(self, at: int) -> None:
        if self.tiers.grace_days:
            self.falls = at + self.tiers.grace_days * DAY
        else:
            self._fall(at)

    def _fall(self, at: int) -> None:
        self.held = max((index for index in range(self.held) if self.kept(self.levels[index])), default=-1)
        self.since, self.falls = (at if self.held >= 0 else 0), 0


class _Window(_Ladder):
    """The last so many months."""

    def changes(self, entries: Iterable[Entry]) -> list[tuple[int, int]]:
        found = []
        for each in entries:
            leaves = instant_months_later(each.since, self.tiers.window_months, self.zone)
            if each.at < leaves:
                found += [(each.at, each.amount), (leaves, -each.amount)]
        return sorted(found)


class _Years(_Ladder):
    """Calendar years: a tier is held until the end of the next year, and longer when enough counted in it."""

    def __init__(self, tiers: Tiers, zone: str) -> None:
        super().__init__(tiers, zone)
        self.next_year = 0
        self.last = 0

    def changes(self, entries: Iterable[Entry]) -> list[tuple[int, int]]:
        return sorted(
            (each.at, each.amount)
            for each in entries
            if day_of(each.at, self.zone).year == day_of(each.since, self.zone).year
        )

    def pass_to(self, moment: int) -> None:
        if not self.next_year:
            self.next_year = new_year(day_of(moment, self.zone).year + 1, self.zone)
        while self.next_year <= moment:
            super().pass_to(self.next_year)
            self.last, self.counted = self.counted, 0
            if self.held >= 0 and not self.falls and not self.kept(self.levels[self.held]):
                self._lose(self.next_year)
            self.next_year = new_year(day_of(self.next_year, self.zone).year + 1, self.zone)
        super().pass_to(moment)

    def judge(self, at: int) -> None:
        self._rise(at)
        if self.falls and self.counted >= self.levels[self.held].keep * self.scale:
            self.falls = 0

    def kept(self, level: Level) -> bool:
        """By what counted last year, or already counts this year."""
        return max(self.last, self.counted) >= level.keep * self.scale

    @property
    def turn(self) -> int:
        return self.next_year if self.held >= 0 and self.next_year < FOREVER else 0
