"""Opening hours: whether a place is open at an instant, when it opens, and when some minutes of opening have passed.

Hours are what clocks on the wall show. An hour that a clock skips in spring is not there; of one that it shows twice in
autumn, the first is meant. Instants are microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, Protocol

from cauce.commerce.catalogue.nouns import Opening, Span, SpecialDay
from cauce.commerce.catalogue.rules.codes import zone_info
from cauce.errors import DefinitionInvalid
from cauce.model.time import MINUTE, SECOND

DAY_MINUTES = 24 * 60
DAYS_MAX = 400
"""How far ahead an opening is looked for: a place that opens once a year is found."""
SPANS_MAX = 70
SPECIAL_DAYS_MAX = 1_000
WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")

_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_DATE = re.compile(r"(\d{4}-)?\d{2}-\d{2}")


class Hours(Protocol):
    """What has opening hours: a place."""

    @property
    def zone(self) -> str: ...
    @property
    def hours(self) -> tuple[Opening, ...]: ...
    @property
    def special_days(self) -> tuple[SpecialDay, ...]: ...


Minutes = tuple[int, int]
"""A span in minutes since midnight of the day on which it begins; the end may lie in the next day."""


class Week(NamedTuple):
    """Opening hours, reckoned out: spans by weekday (0 Monday), of single dates, and of days of every year."""

    weekdays: tuple[tuple[Minutes, ...], ...]
    dates: dict[str, tuple[Minutes, ...]]
    yearly: dict[str, tuple[Minutes, ...]]

    def on(self, day: date) -> tuple[Minutes, ...]:
        """Spans that begin on a day, the earliest first."""
        text = day.isoformat()
        special = self.dates.get(text)
        if special is None:
            special = self.yearly.get(text[5:])
        return self.weekdays[day.weekday()] if special is None else special


@lru_cache(maxsize=4_096)
def week_of(hours: tuple[Opening, ...], special_days: tuple[SpecialDay, ...]) -> Week:
    """DefinitionInvalid for hours that make no sense."""
    if len(hours) > SPANS_MAX or len(special_days) > SPECIAL_DAYS_MAX:
        raise DefinitionInvalid(f"expected at most {SPANS_MAX} spans of weekdays and {SPECIAL_DAYS_MAX} special days")
    weekdays: list[list[Minutes]] = [[] for _ in WEEKDAYS]
    for opening in hours:
        if not 1 <= opening.weekday <= len(WEEKDAYS):
            raise DefinitionInvalid(f"expected weekday to be 1 (Monday) to 7 (Sunday), got {opening.weekday}")
        weekdays[opening.weekday - 1].append(_minutes(opening.opens, opening.closes))
    dates: dict[str, tuple[Minutes, ...]] = {}
    yearly: dict[str, tuple[Minutes, ...]] = {}
    for special in special_days:
        chosen = dates if len(checked_date(special.date)) > len("12-25") else yearly
        if special.date in chosen:
            raise DefinitionInvalid(f"expected each special day once, got {special.date} twice")
        chosen[special.date] = _in_order([_minutes(span.opens, span.closes) for span in special.spans], special.date)
    names = zip(WEEKDAYS, weekdays, strict=True)
    return Week(tuple(_in_order(spans, name) for name, spans in names), dates, yearly)


def is_open(place: Hours, at: int) -> bool:
    return any(start <= at < end for start, end in _spans(place, at, days=1))


def next_opening(place: Hours, at: int) -> int | None:
    """When it is open next: at once when it is open, None when it will not be within 400 days."""
    return promised(place, at, 0)


def closing(place: Hours, at: int) -> int | None:
    """When it closes that is open at an instant; None when it is not open, or does not close within 400 days."""
    until = at
    for start, end in _spans(place, at, days=DAYS_MAX):
        if start > until:
            return until if until > at else None
        if end > until and (until > at or start <= at):
            until = end
    return None


def promised(place: Hours, after: int, minutes: int) -> int | None:
    """The instant when a place has been open for so many minutes after an instant; it is open then.

    What would be ready as it closes is ready as it opens next. None when that is not within 400 days.
    """
    left, since = minutes * MINUTE, after
    for start, end in _spans(place, after, days=DAYS_MAX):
        begin = max(start, since)
        if begin >= end:
            continue
        if left < end - begin:
            return begin + left
        left -= end - begin
        since = end
    return None


def opens_on(place: Hours, day: date) -> tuple[tuple[str, str], ...]:
    """The spans that begin on a day, as clocks there show them."""
    return tuple((clock(opens), clock(closes)) for opens, closes in week_of(place.hours, place.special_days).on(day))


def day_at(place: Hours, at: int) -> date:
    """The date that a calendar in the place shows at an instant."""
    return datetime.fromtimestamp(at // SECOND, zone_info(place.zone)).date()


def midnight(place: Hours, day: date) -> int:
    """When a day begins in the place, in microseconds."""
    return int(datetime.combine(day, time(), zone_info(place.zone)).timestamp()) * SECOND


def clock_at(place: Hours, at: int) -> str:
    """What a clock in the place shows at an instant."""
    return datetime.fromtimestamp(at // SECOND, zone_info(place.zone)).strftime("%H:%M")


def clock(minutes: int) -> str:
    """Minutes since midnight as a clock shows them; 24:00 for the end of the day."""
    if minutes > DAY_MINUTES:
        minutes -= DAY_MINUTES
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def checked_date(text: str) -> str:
    """A date, or a day of every year; DefinitionInvalid for any other text."""
    if _DATE.fullmatch(text):
        try:
            date.fromisoformat(text if len(text) > len("12-25") else f"2024-{text}")  # a year with a 29 February
        except ValueError:
            pass
        else:
            return text
    raise DefinitionInvalid(f"expected a date such as 2026-12-25, or 12-25 for every year, got {text[:40]!r}")


def _spans(place: Hours, at: int, *, days: int) -> Iterator[tuple[int, int]]:
    """Spans that end after an instant, in order of their days, from those of two days before it."""
    week, zone = week_of(place.hours, place.special_days), zone_info(place.zone)
    if not any(week.weekdays) and not week.dates and not week.yearly:
        return
    try:
        # What began yesterday may last until today; near the end of a clock change one more day is safe.
        day = day_at(place, at) - timedelta(days=2)
        for _ in range(days + 3):
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (as clocks there show it)
            for opens, closes in week.on(day):
                start = (midnight + timedelta(minutes=opens)).replace(tzinfo=zone)
                end = (midnight + timedelta(minutes=closes)).replace(tzinfo=zone)
                first, last = int(start.timestamp()) * SECOND, int(end.timestamp()) * SECOND
                if last > max(at, first):
                    yield first, last
            day += timedelta(days=1)
    except (OverflowError, ValueError, OSError):  # before the first or after the last year of the calendar
        return


def _minutes(opens: str, closes: str) -> Minutes:
    begin, end = _clock(opens), _clock(closes)
    if begin >= DAY_MINUTES:
        raise DefinitionInvalid(f"expected an opening before 24:00, got {opens[:40]!r}")
    if begin == end:
        raise DefinitionInvalid(
            f"expected a span to end at another time than it begins, got {opens}–{closes}",
            hint="A whole day is 00:00–24:00; a day without spans is closed",
        )
    return begin, end if end > begin else end + DAY_MINUTES


def _clock(text: str) -> int:
    match = _CLOCK.fullmatch(text)
    minutes = int(match[1]) * 60 + int(match[2]) if match else DAY_MINUTES + 1
    if minutes > DAY_MINUTES:
        raise DefinitionInvalid(f"expected a time such as 09:30, or 24:00 for the end of a day, got {text[:40]!r}")
    return minutes


def _in_order(spans: list[Minutes], where: str) -> tuple[Minutes, ...]:
    """Spans in order; DefinitionInvalid when two of one day overlap."""
    ordered = sorted(spans)
    for (_, ends), (begins, _) in pairwise(ordered):
        if begins < ends:
            raise DefinitionInvalid(
                f"expected the spans of {where} not to overlap: one ends {clock(ends)}, one begins {clock(begins)}"
            )
    return tuple(ordered)


# -- in one line, as OpenStreetMap's opening_hours has them -----------------------------------------------------------


def written_hours(hours: tuple[Opening, ...]) -> str:
    """`Mo-Fr 10:00-14:00,17:00-21:00; Sa 10:00-24:00` (the part of OpenStreetMap's `opening_hours` that is needed)."""
    week = week_of(hours, ()).weekdays
    rules: list[str] = []
    first = 0
    for day in range(1, len(week) + 1):
        if day < len(week) and week[day] == week[first]:
            continue
        if week[first]:
            days = WEEKDAYS[first] if day == first + 1 else f"{WEEKDAYS[first]}-{WEEKDAYS[day - 1]}"
            rules.append(f"{days} {_written_spans(week[first])}")
        first = day
    return "; ".join(rules)


def read_hours(text: str) -> tuple[Opening, ...]:
    """Hours as `written_hours` writes them, and `24/7`; a later rule replaces an earlier one for its days."""
    if text.strip() == "24/7":
        return tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
    week: list[tuple[Span, ...]] = [()] * len(WEEKDAYS)
    for rule in filter(None, map(str.strip, text.split(";"))):
        days, _, spans = rule.partition(" ")
        for day in _days(days, rule):
            week[day] = _read_spans(spans, rule)
    return tuple(
        Opening(weekday=day, opens=span.opens, closes=span.closes)
        for day, spans in enumerate(week, start=1)
        for span in spans
    )


def written_special_days(days: tuple[SpecialDay, ...]) -> str:
    """`2026-12-25 off (Navidad); 12-24 10:00-14:00`."""
    return "; ".join(
        f"{day.date} {_written_spans(week_of((), (day,)).on(_any_date(day.date))) or 'off'}"
        + (f" ({day.name})" if day.name else "")
        for day in days
    )


def read_special_days(text: str) -> tuple[SpecialDay, ...]:
    found = []
    for rule in filter(None, map(str.strip, text.split(";"))):
        said, _, name = rule.partition("(")
        day, _, spans = said.strip().partition(" ")
        found.append(SpecialDay(date=checked_date(day), name=name.rstrip(" )"), spans=_read_spans(spans, rule)))
    return tuple(found)


def _any_date(text: str) -> date:
    return date.fromisoformat(text if len(text) > len("12-25") else f"2024-{text}")


def _written_spans(spans: tuple[Minutes, ...]) -> str:
    return ",".join(f"{clock(opens)}-{clock(closes)}" for opens, closes in spans)


def _read_spans(text: str, rule: str) -> tuple[Span, ...]:
    if text.strip() in ("off", "closed"):
        return ()
    found = []
    for part in text.split(","):
        opens, dash, closes = part.strip().partition("-")
        if not dash:
            raise DefinitionInvalid(
                f"expected spans such as 10:00-14:00,17:00-21:00 or off, got {text.strip()[:40]!r} in {rule[:80]!r}"
            )
        _minutes(opens.strip(), closes.strip())
        found.append(Span(opens=opens.strip(), closes=closes.strip()))
    return tuple(found)


def _days(text: str, rule: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in WEEKDAYS or (dash and last not in WEEKDAYS):
            raise DefinitionInvalid(
                f"expected days such as Mo-Fr or Sa,Su, got {part[:40]!r} in {rule[:80]!r}",
                hint=f"Days are {', '.join(WEEKDAYS)}; hours of single dates are special days",
            )
        start = WEEKDAYS.index(first)
        count = (WEEKDAYS.index(last) - start) % len(WEEKDAYS) + 1 if dash else 1
        found.extend((start + step) % len(WEEKDAYS) for step in range(count))
    return found
