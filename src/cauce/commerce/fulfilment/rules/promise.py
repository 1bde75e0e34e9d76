"""When something can be ready: lead time runs while a place is open, and begins the next day after its cut-off."""

from __future__ import annotations

from datetime import datetime, timedelta

from cauce.commerce.catalogue.nouns import Place
from cauce.commerce.catalogue.rules import hours
from cauce.commerce.catalogue.rules.codes import zone_info
from cauce.commerce.fulfilment.rules.definition import Promise
from cauce.model.time import HOUR, SECOND


def begins(place: Place, now: int, cut_off_minutes: int | None) -> int:
    """From when on the work for an order that comes `now` may be done: at once, or on the next day after the cut-off.

    `cut_off_minutes` counts from midnight as clocks there show it; an order in that very minute is still of today.
    """
    if cut_off_minutes is None:
        return now
    local = datetime.fromtimestamp(now // SECOND, zone_info(place.zone))
    if local.hour * 60 + local.minute <= cut_off_minutes:
        return now
    return hours.midnight(place, local.date() + timedelta(days=1))


def packed_at(place: Place, now: int, promise: Promise) -> int | None:
    """When a place can have it packed: a moment at which it is open; None when it never is."""
    return hours.promised(place, begins(place, now, promise.cut_off_minutes), promise.lead_minutes)


def ready_at(place: Place, desk: Place | None, now: int, promise: Promise) -> int | None:
    """When it can be collected at `desk`, which is open then; or when it can leave `place`, when nobody collects it."""
    packed = packed_at(place, now, promise)
    if packed is None or desk is None or desk.id == place.id:
        return packed
    return hours.next_opening(desk, packed + promise.transfer_hours * HOUR)
