"""What may still be promised of a product: in a place, near a point, anywhere, on a day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.ledger import api as ledger
from cauce.commerce.stock import rules
from cauce.commerce.stock.limits import cap_of, is_bounded, particular
from cauce.commerce.stock.store import FREE, STOCKS, place_of, stock_id
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader, Row
from cauce.errors import Shortage

PLACES_MAX = 10_000
STOCK = """
select s.id, s.sku, s.place, s.safety, s.low, coalesce(a.posted, 0), coalesce(a.pending, 0)
from stock s left join account a on a.id = s.id"""
"""One row for each product in a place: its limits, what is free, and what of it is promised."""


Caps = Callable[[str, str], int | None]
"""The most that may be seen of a product in a place."""


class Located(msgspec.Struct):
    """As much of a place as is needed to know how far it is."""

    position: catalogue.Position | None = None


_LOCATED = msgspec.json.Decoder(Located)


class Available(NamedTuple):
    """What may be promised of a product in a place: `available` thousandths, never more than can be sold.

    `free` lies there, `held` of it is promised, `safety` is kept back; `state` is *in*, *low* or *out*.
    `distance_metres` from where it was asked for, None when the place or the point is unknown. `later` is what comes
    until the day that was asked for.
    """

    sku: str
    place: str
    available: int
    state: str
    free: int
    held: int
    safety: int
    low: int
    distance_metres: float | None = None
    later: int = 0


def available(work: Work, sku: str, place: str, channel: str = "") -> int:
    """What may be promised within a unit of work, in thousandths."""
    stock = work.get(STOCKS, stock_id(sku, place))
    free = ledger.account(work, place_of(sku, place, FREE))
    cap = cap_of(work, sku, place, channel) if channel else None
    return rules.promised(free.posted, free.pending, stock.safety if stock else 0, cap)


def within_caps(work: Work, needs: Mapping[tuple[str, str], int], channel: str) -> None:
    """Shortage when a channel wants more at once, by product and place, than it may see of it."""
    if not is_bounded(work, channel):
        return
    short: list[dict[str, Any]] = []
    for (sku, place), amount in needs.items():
        cap = cap_of(work, sku, place, channel)
        if cap is not None and amount > cap:
            seen = available(work, sku, place, channel)
            short.append({"sku": sku, "place": place, "wanted": amount, "available": seen})
    if short:
        first = short[0]
        raise Shortage(
            f"{first['wanted']} thousandths of {first['sku']} at {first['place']} are wanted, "
            f"{first['available']} can be promised to the channel {channel}",
            hint="A cap bounds what this channel may take at once",
            details={"lines": short},
        )


def availability(
    reader: Reader,
    sku: str,
    channel: str = "",
    near: tuple[float, float] | None = None,
    places: Sequence[str] | None = None,
    *,
    on: str = "",
    today: str = "",
) -> list[Available]:
    """What may be promised in each place that has it: nearest first when `near` (degrees of latitude and longitude),
    otherwise most first. `places` narrows it. `on` adds what is to come from `today` until that day (ISO 8601).
    """
    rows = reader.select(f"{STOCK} where s.sku = ? order by s.place limit {PLACES_MAX}", (sku,))
    found = shown(rows, caps_of(reader, channel, sku))
    if places is not None:
        wanted = frozenset(places)
        found = [one for one in found if one.place in wanted]
    if on:
        later = expected_until(reader, sku, today, on)
        found = [Available._make((*one[:-1], later.get(one.place, 0))) for one in found]
    if near is None:
        return sorted(found, key=lambda one: (-one.available - one.later, one.place))
    ways = distances(reader, near)
    found = [Available._make((*one[:-2], ways.get(one.place), one.later)) for one in found]
    return sorted(found, key=lambda one: (one.distance_metres is None, one.distance_metres or 0.0, one.place))


def expected_until(reader: Reader, sku: str, first: str, last: str) -> dict[str, int]:
    """What is to come of a product, by place; what should have come before `first` and did not counts for nothing."""
    rows = reader.select(
        "select place, sum(amount - met) from stock_expected "
        "where sku = ? and day >= ? and day <= ? and amount > met group by place",
        (sku, first, last),
    )
    return {place: int(amount) for place, amount in rows}


def shown(rows: Iterable[Row], cap: Caps | None = None) -> list[Available]:
    """Rows of `STOCK` as what may be promised of them, with what a channel may see at most."""
    found = []
    for _, sku, place, safety, low, posted, pending in rows:
        amount = rules.promised(posted, pending, safety, cap(sku, place) if cap else None)
        found.append(Available(sku, place, amount, rules.state_of(amount, low), posted, pending, safety, low))
    return found


def caps_of(reader: Reader, channel: str, sku: str | None = None) -> Caps | None:
    """How much a channel may see of a product in a place, asked once; None where nothing is bounded."""
    if not channel:
        return None
    told = reader.select(
        "select sku, place, most from stock_cap where channel = ?" + ("" if sku is None else " and sku in (?, '')"),
        (channel,) if sku is None else (channel, sku),
    )
    caps: Mapping[tuple[str, str], int] = {(named, place): most for named, place, most in told}
    if not caps:
        return None

    def most(sku: str, place: str) -> int | None:
        return next((caps[key] for key in particular(sku, place) if key in caps), None)

    return most


def distances(reader: Reader, near: tuple[float, float]) -> dict[str, float]:
    """The way to each place whose position is known, in metres."""
    point = catalogue.Position(*near)
    rows = reader.select(f"select id, body from place limit {PLACES_MAX}")
    located = ((id_, _LOCATED.decode(body).position) for id_, body in rows)
    return {id_: catalogue.distance(point, position) for id_, position in located if position is not None}
