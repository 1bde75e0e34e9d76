"""Moments between microseconds, which Cauce reckons with, and datetimes, which answers hold."""

from __future__ import annotations

from datetime import datetime
from typing import overload

from cauce.errors import DefinitionInvalid
from cauce.model import DAY, from_iso
from cauce.model.time import to_datetime


@overload
def told(microseconds: int) -> datetime: ...
@overload
def told(microseconds: None) -> None: ...
def told(microseconds: int | None) -> datetime | None:
    """A moment as answers hold it."""
    return None if microseconds is None else to_datetime(microseconds)


def told_if_any(microseconds: int) -> datetime | None:
    """A moment, None for 0, which means that it never came."""
    return to_datetime(microseconds) if microseconds else None


def read(text: str, name: str, *, end_of_day: bool = False) -> int:
    """Microseconds of an ISO moment or day (its beginning, or its end); DefinitionInvalid when it is none."""
    # A plus sign that was not encoded arrives as a blank.
    text = text.strip().replace(" ", "+") if "T" in text else text.strip()
    try:
        if "T" in text or " " in text:
            return from_iso(text)
        return from_iso(f"{text}T00:00:00") + (DAY - 1 if end_of_day else 0)
    except (ValueError, OverflowError):
        raise DefinitionInvalid(
            f"expected {name} to be an ISO date or time such as 2026-11-21, got {text[:80]!r}"
        ) from None
