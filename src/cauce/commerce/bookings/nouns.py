"""What bookings are about."""

from __future__ import annotations

import msgspec

from cauce.commerce.catalogue.nouns import Opening, SpecialDay


class Resource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that is booked by slots of `minutes`, for at most `capacity` people (or things) at a time.

    `kind` is a word of one's own (fitting, repair, bay, class, table, attraction); `place` where it is; `zone` an IANA
    time zone. `hours` and `special_days` are as those of a place; a slot lies wholly within one of their spans.
    `most` is the largest party; `notice_minutes` how long before its beginning a slot can still be booked,
    `horizon_days` how far ahead. A request is held for `hold_minutes` until it is confirmed; with `confirms` it is
    confirmed at once. Who waits is offered a free place for `offer_minutes`.
    """

    id: str
    name: str
    kind: str = "appointment"
    place: str = ""
    zone: str = "UTC"
    minutes: int = 30
    capacity: int = 1
    most: int = 1
    hours: tuple[Opening, ...] = ()
    special_days: tuple[SpecialDay, ...] = ()
    notice_minutes: int = 0
    horizon_days: int = 90
    hold_minutes: int = 15
    offer_minutes: int = 60
    confirms: bool = True
    retired: bool = False
    version: int = 0


class Slot(msgspec.Struct, frozen=True):
    """A slot of a resource: from `start` until `end` (microseconds), so many of its places are still `free`."""

    resource: str
    start: int
    end: int
    capacity: int
    free: int


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as it stands. Moments in microseconds.

    `state`: *held* or *offered* to somebody who waited (both until `due`), *confirmed*, *attended*, *cancelled*,
    *expired*, *no_show*. `document` is what it belongs to: an order, say.
    """

    id: int
    resource: str
    start: int
    end: int
    party: int
    state: str
    due: int
    owners: tuple[str, ...] = ()
    channel: str = ""
    note: str = ""
    document: str = ""
    at: int = 0
    changed: int = 0


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who waits for a place in a slot; `booking` is what became of it, 0 while waiting."""

    id: int
    resource: str
    start: int
    party: int
    state: str
    owners: tuple[str, ...]
    at: int
    booking: int = 0
