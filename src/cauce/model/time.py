"""Time as integers: microseconds since 1970-01-01T00:00:00Z."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def from_datetime(moment: datetime) -> int:
    """Microseconds of an aware datetime; a naive one counts as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _TICK


def to_datetime(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def from_iso(text: str) -> int:
    """Microseconds of an ISO 8601 text (a missing zone counts as UTC); ValueError when it is none."""
    return from_datetime(datetime.fromisoformat(text))


def to_iso(microseconds: int) -> str:
    """ISO 8601 in UTC with a `Z`, microseconds only when there are any."""
    return to_datetime(microseconds).isoformat().replace("+00:00", "Z")


def day_of(microseconds: int) -> int:
    """Days since 1970-01-01 (UTC)."""
    return microseconds // DAY
