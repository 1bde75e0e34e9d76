"""How the installation stands: the sum that adds up, who is known, how far the river has come."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from cauce.client.types.basics import Answer, Moment, Request


class Balance(Answer, frozen=True, kw_only=True):
    """Items of one source by what became of them: received = stored + quarantined + duplicate + suppressed."""

    source: str
    received: int
    stored: int
    quarantined: int
    duplicate: int
    suppressed: int
    adds_up: bool


class Totals(Answer, frozen=True, kw_only=True):
    """The same for all sources together."""

    received: int
    stored: int
    quarantined: int
    duplicate: int
    suppressed: int


class Status(Answer, frozen=True, kw_only=True):
    """How the installation stands; `lag_records` wait in the log for the runner."""

    sources: list[Balance]
    totals: Totals
    adds_up: bool
    last_stored: Moment | None
    identifiers: int
    people: int
    links: int
    log_end: int
    offset: int
    lag_records: int
    lag_bytes: int
    runner: bool


class CountsQuery(Request, frozen=True, kw_only=True):
    """What to count by."""

    by: Annotated[
        Literal["source", "hour", "channel", "name", "day"],
        Meta(description="*source*, *hour*: items by fate; *channel*, *name*, *day*: stored events; by receipt, UTC."),
    ] = "source"


class Count(Answer, omit_defaults=True, frozen=True, kw_only=True):
    """One counter: `value` is the source, hour, channel, name or day. Fates are told by source and by hour only."""

    value: str
    stored: int
    received: int | None = None
    quarantined: int | None = None
    duplicate: int | None = None
    suppressed: int | None = None


class Counts(Answer, frozen=True, kw_only=True):
    """All counters of one sort."""

    by: str
    items: list[Count]


class Me(Answer, frozen=True, kw_only=True):
    """Whose token this is, and what it may do."""

    name: str
    role: str
    kind: str
    permissions: list[str]
