"""What pages of orders show, as plain values for their templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from cauce.app import Platform
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.orders import questions, rules
from cauce.commerce.orders.questions import Head, LineShown, Which
from cauce.console import charts
from cauce.console.areas.orders_words import (
    ACTIONS,
    BADGES,
    ENTRIES,
    FACTS,
    ICONS,
    KINDS,
    MEANINGS,
    STATES,
    method_said,
)
from cauce.console.visit import Visit
from cauce.http.api.sight import sight_of

CARDS = 12
PLACES_SHOWN = 500
NEXT = ("allocated", "picked", "ready", "shipped", "delivered")
"""States that the order's page offers to bring goods into; giving up and bringing back are asked for on their own."""
PIECES = ("", "H87", "C62")
"""Units that go without saying."""


def which_of(visit: Visit) -> Which:
    """The choice that an address says; words that mean nothing are left out."""
    query = visit.query
    state, kind = query.get("state", ""), query.get("kind", "")
    return Which(
        state=state if state in rules.STATES else "",
        kind=kind if kind in rules.DELIVERIES else "",
        channel=query.get("channel", "")[:200],
        place=query.get("place", "")[:200],
        text=query.get("number", "").strip()[:200],
        unconfirmed=query.get("unconfirmed", "") == "yes",
    )


def asked(which: Which, **more: Any) -> str:
    """The choice as the part of an address behind the question mark."""
    said = {
        "state": which.state,
        "kind": which.kind,
        "channel": which.channel,
        "place": which.place,
        "number": which.text,
        "unconfirmed": "yes" if which.unconfirmed else "",
        **more,
    }
    return urlencode({name: value for name, value in said.items() if value})


def facets(visit: Visit) -> dict[str, Any]:
    """What can be chosen: places, channels and kinds."""

    channels = visit.kept("orders channels", lambda platform: questions.channels(platform.commerce), 10.0)
    return {
        "places": list(places(visit).items()),
        "channels": [(channel, visit.words.channel(channel)) for channel in channels],
        "kinds": [(code, visit.say(text)) for code, text in KINDS.items()],
        "states": [(code, visit.say(text)) for code, text in STATES.items()],
    }


def columns(visit: Visit, which: Which) -> list[dict[str, Any]]:
    """The board: open orders by state, those that wait longest first."""
    return [
        {
            "state": column.state,
            "name": visit.say(STATES[column.state]),
            "meaning": visit.say(MEANINGS[column.state]),
            "count": count_of(visit, column.count),
            "oldest": visit.words.ago(column.oldest, visit.platform.commerce.now) if column.oldest else "",
            "cards": [card(visit, head) for head in column.orders],
            "more": column.count - len(column.orders),
            "all": "/orders/list?" + asked(which, state=column.state),
        }
        for column in questions.board(visit.platform.commerce, which, cards=CARDS)
    ]


def count_of(visit: Visit, count: int) -> str:
    number = visit.words.number(count)
    return visit.say("%(count)s and more", count=number) if count >= questions.COUNTED_MAX else number


def card(visit: Visit, head: Head) -> dict[str, Any]:
    """An order in a list."""
    now = visit.platform.commerce.now
    sight = sight_of(visit.actor)
    waits = not head.confirmed and head.state in rules.OPEN
    late = bool(head.promised) and head.promised < now and head.state in rules.OPEN
    return {
        "address": f"/orders/{head.id}",
        "number": head.number,
        "state": visit.say(STATES[head.state]),
        "badge": BADGES.get(head.state, ""),
        "kind": visit.say(KINDS[head.kind]),
        "icon": ICONS[head.kind],
        "place": place_name(visit, head.place),
        "channel": visit.words.channel(head.channel) if head.channel else "",
        "color": charts.color_of(head.channel),
        "total": money(visit, head.total, head.currency),
        "lines": visit.count("%(num)s line", "%(num)s lines", head.line_count),
        "at": head.at,
        "ago": visit.words.ago(head.at, now) if head.at < now else visit.say("just now"),
        "waits": waits,
        "ran_out": waits and 0 < head.due <= now,
        "late": late,
        "promised": visit.words.moment(head.promised) if head.promised else "",
        "owner": visit.words.identifier(sight.key(head.owners[0])) if head.owners else "",
        "source": head.source,
    }


def line(visit: Visit, one: LineShown, currency: str, *, confirmed: bool) -> dict[str, Any]:
    """A line of the order's page, with what can be done to it."""
    return {
        "line": one.line,
        "sku": one.sku,
        "name": one.name or one.sku,
        "amount": amount(visit, one.amount, one.unit),
        "price": money(visit, one.price, currency),
        "discount": money(visit, one.discount, currency) if one.discount else "",
        "total": money(visit, one.total, currency),
        "states": [
            {"name": visit.say(STATES[state]), "amount": amount(visit, many, one.unit), "badge": BADGES.get(state, "")}
            for state, many in one.amounts.items()
        ],
        "shares": [
            {"state": state, "name": visit.say(STATES[state]), "width": 100 * many / one.amount}
            for state, many in one.amounts.items()
        ],
        "parts": [
            {
                "place": place_name(visit, part.place),
                "states": ", ".join(
                    f"{amount(visit, many, one.unit)} {visit.say(STATES[state]).lower()}"
                    for state, many in part.amounts.items()
                ),
            }
            for part in one.parts
        ],
        "waits": bool(confirmed and one.amounts.get("placed")),
        "steps": steps(visit, one) if confirmed else [],
        "given_up": sum(one.amounts.get(state, 0) for state in ("placed", "allocated", "picked", "ready")),
        "brought_back": sum(one.amounts.get(state, 0) for state in ("delivered", "collected")),
        "pieces": one.amount / 1_000,
    }


def steps(visit: Visit, one: LineShown) -> list[dict[str, Any]]:
    """What goods of a line can become next."""
    found = []
    for to in NEXT:
        if to == rules.ALLOCATED:
            continue  # which place serves it is decided by sourcing
        many = sum(one.amounts.get(was, 0) for was in rules.sources_of(to))
        if many:
            found.append({"to": to, "name": visit.say(ACTIONS[to]), "amount": amount(visit, many, one.unit)})
    return found


def history(
    visit: Visit, entries: Sequence[questions.EntryShown], lines: Sequence[LineShown], currency: str
) -> list[tuple[str, list[dict[str, Any]]]]:
    """The history by day, latest first: what, how much, where, by whom. What was done to several lines is one entry."""
    named = {one.line: one for one in lines}
    days: dict[str, list[dict[str, Any]]] = {}
    groups = groupby(reversed(entries), lambda entry: (entry.at, entry.was, entry.became, entry.place, not entry.line))
    for (at, *_), group in groups:
        days.setdefault(visit.words.day(at), []).append(_happened(visit, list(group)[::-1], named, currency))
    return list(days.items())


def _happened(
    visit: Visit, group: Sequence[questions.EntryShown], named: Mapping[int, LineShown], currency: str
) -> dict[str, Any]:
    entry = group[0]
    if entry.line:
        what = f"{visit.say(STATES[entry.was])} → {visit.say(STATES[entry.became])}"
        told = ((one, named[one.line]) for one in group if one.line in named)
        more = [f"{amount(visit, one.amount, line.unit)} × {line.name or line.sku}" for one, line in told]
    else:
        what = visit.say(ENTRIES.get(entry.became, entry.became))
        more = [money(visit, entry.amount, currency)] if entry.amount else []
    why = sight_of(visit.actor).why(entry.why, free=True) if entry.why and entry.why != entry.became else ""
    return {
        "at": entry.at,
        "hour": visit.words.hour(entry.at),
        "what": what,
        "more": more,
        "place": place_name(visit, entry.place),
        "origin": place_name(visit, entry.origin) if entry.origin not in ("", entry.place) else "",
        "channel": visit.words.channel(entry.channel) if entry.channel else "",
        "color": charts.color_of(entry.channel),
        "by": " · ".join(filter(None, (entry.actor, why))),
    }


def payments(visit: Visit, whole: questions.Whole) -> list[dict[str, Any]]:
    return [
        {
            "fact": visit.say(FACTS[one.fact]),
            "badge": {"captured": "good", "refunded": "warn", "voided": "bad"}.get(one.fact, ""),
            "amount": money(visit, one.amount, one.currency),
            "waits": money(visit, one.amount - one.counted, one.currency)
            if one.fact == "refunded" and one.counted < one.amount
            else "",
            "provider": one.provider,
            "reference": one.reference,
            "method": method_said(visit.words, one.method),
            "moment": visit.words.moment(one.occurred),
        }
        for one in whole.payments
    ]


def money(visit: Visit, minor: int, currency: str) -> str:
    return visit.words.money(minor / 10 ** catalogue.exponent(currency), currency)


def amount(visit: Visit, thousandths: int, unit: str) -> str:
    """3, or 0.65 kg."""
    number = visit.words.number(thousandths / 1_000, 3)
    word = "" if unit in PIECES else catalogue.UNITS.get(unit, unit)
    return f"{number}\u00a0{word}" if word else number


def places(visit: Visit) -> dict[str, str]:
    """Names of places by their ids."""

    def ask(platform: Platform) -> dict[str, str]:
        found = catalogue.places(platform.commerce)[:PLACES_SHOWN]
        return {place.id: place.name or place.id for place in found}

    return visit.kept("orders places", ask, 10.0)


def place_name(visit: Visit, id_: str) -> str:
    """What a place is called, its id when the catalogue does not know it."""
    return places(visit).get(id_, id_)
