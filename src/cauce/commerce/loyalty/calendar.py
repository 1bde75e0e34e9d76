"""Days, months and years as they are where a programme runs."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cauce.model.time import from_datetime, to_datetime


@lru_cache(maxsize=1_000)
def zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local(at: int, zone: str) -> datetime:
    return to_datetime(at).astimezone(zone_of(zone))


def day_of(at: int, zone: str) -> date:
    return local(at, zone).date()


def midnight(day: date, zone: str) -> int:
    """The first instant of a day, in microseconds."""
    return from_datetime(datetime.combine(day, time(), zone_of(zone)).astimezone(UTC))


def days_later(at: int, days: int, zone: str) -> int:
    """The first instant of the day that is so many days later."""
    return midnight(day_of(at, zone) + timedelta(days=days), zone)


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def instant_months_later(at: int, months: int, zone: str) -> int:
    moment = local(at, zone)
    day = months_later(moment.date(), months)
    return from_datetime(datetime.combine(day, moment.timetz()).astimezone(UTC))


def new_year(year: int, zone: str) -> int:
    return midnight(date(year, 1, 1), zone)
