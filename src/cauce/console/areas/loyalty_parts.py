"""Values of the pages of loyalty: a member with lots, tier and statement; drawings; faults with their lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import yaml
from markupsafe import Markup, escape

from cauce.commerce.loyalty import api
from cauce.commerce.loyalty.calendar import day_of, months_later
from cauce.commerce.loyalty.definition import Programme
from cauce.commerce.loyalty.value import api as value
from cauce.console.areas import loyalty_words as told
from cauce.console.charts import Series, columns
from cauce.console.visit import Visit
from cauce.console.words import Words
from cauce.errors import DefinitionInvalid
from cauce.profiles.masking import masked_text

MOVEMENTS_MAX = 500
LOTS_SHOWN = 24
MONTHS_SHOWN = 14
WIDTH, HEIGHT = 400, 72
_STEP = re.compile(r"([A-Za-z_]+)|\[(\d+)\]")


def masked(visit: Visit, identifier: str) -> str:
    """An identifier as this visitor may see it."""
    return identifier if visit.may("people.personal") else masked_text(identifier)


def membership(visit: Visit, who: Sequence[str], balance: api.Balance) -> dict[str, Any]:
    """One programme of a member, as its card and the panel of a person show it."""
    reader, words = visit.platform.commerce.reader, visit.words
    _head, programme = api.found_programme(reader, balance.programme)
    expiring = next((lot for lot in balance.lots if lot.points > lot.held and lot.expires < api.FOREVER), None)
    return {
        "code": balance.programme,
        "name": balance.name,
        "since": words.day(balance.since),
        "members": [masked(visit, each) for each in balance.members],
        "available": words.number(balance.available),
        "parts": [
            (name, words.number(amount))
            for name, amount in (
                (visit.say("promised for rewards"), balance.held),
                (visit.say("can be spent later"), balance.coming),
                (visit.say("expired, not booked yet"), balance.overdue),
                (visit.say("owed for returns"), balance.owed),
            )
            if amount
        ],
        "expiring": visit.say(
            "%(points)s of them until %(day)s",
            points=words.number(expiring.points - expiring.held),
            day=last_day(expiring.expires, programme, words),
        )
        if expiring and balance.available
        else "",
        "progress": progress(balance.progress, programme, visit) if balance.progress else None,
        "lots": lots(balance, programme, visit),
        "rewards": rewards(visit, who, programme),
    }


def last_day(expires: int, programme: Programme, words: Words) -> str:
    """The last day on which points can be spent: the one before they expire."""
    return "—" if expires >= api.FOREVER else words.written_day(day_of(expires - 1, programme.zone))


def progress(found: api.Progress, programme: Programme, visit: Visit) -> dict[str, Any]:
    """The tier in words, and its drawing."""
    words = visit.words
    missing = max(0, found.next_entry - found.counted)
    return {
        "tier": found.name or visit.say("No tier yet"),
        "since": words.day(found.since) if found.since else "",
        "counted": told.counted(found.counted, programme, words),
        "next": visit.say(
            "%(missing)s more for %(tier)s", missing=told.counted(missing, programme, words), tier=found.next_name
        )
        if found.next_tier
        else visit.say("The highest tier"),
        "falls": visit.say(
            "Lost on %(day)s unless %(missing)s more are counted until then",
            day=words.written_day(day_of(found.falls, programme.zone)),
            missing=told.counted(max(0, found.keep - found.counted), programme, words),
        )
        if found.falls
        else "",
        "drawing": ladder(found, programme, visit),
    }


def ladder(found: api.Progress, programme: Programme, visit: Visit) -> Markup:
    """The way through the tiers: how far somebody is, and where each tier begins."""
    levels = programme.tiers.levels
    # Steps of one length each, because entries grow by multiples and the first ones would lie on one another.
    steps = [0, *(level.entry for level in levels)] if levels[0].entry else [level.entry for level in levels]
    top = max(1, len(steps) - 1) if len(steps) > 1 else 1
    place = float(len(steps) - 1)
    for index in range(len(steps) - 1):
        if found.counted < steps[index + 1]:
            place = index + (found.counted - steps[index]) / (steps[index + 1] - steps[index])
            break
    left, right, middle = 10, WIDTH - 10, 22
    scale = (right - left) / top
    reached = left + min(place, top) * scale
    parts = [
        f'<line class="way" x1="{left}" x2="{right}" y1="{middle}" y2="{middle}"/>',
        f'<line class="gone" x1="{left}" x2="{reached:.1f}" y1="{middle}" y2="{middle}"/>',
    ]
    offset = len(steps) - len(levels)
    for index, level in enumerate(levels):
        x = left + (index + offset) * scale
        anchor = "start" if x < left + 50 else "end" if x > right - 50 else "middle"
        held = ' class="held"' if level.tier == found.tier else ""
        parts += [
            f'<circle{held} cx="{x:.1f}" cy="{middle}" r="8"/>',
            f'<text class="name {anchor}" x="{x:.1f}" y="48">{escape(level.name)}</text>',
            f'<text class="entry {anchor}" x="{x:.1f}" y="66">'
            f"{escape(told.counted(level.entry, programme, visit.words))}</text>",
        ]
    parts.append(f'<circle class="here" cx="{reached:.1f}" cy="{middle}" r="5"/>')
    title = escape(visit.say("Way through the tiers: %(counted)s", counted=told.counted(
        found.counted, programme, visit.words)))  # fmt: skip
    inside = "".join(parts)
    return Markup(  # noqa: S704 - every text is escaped where it is put in
        f'<svg class="ladder" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{inside}</svg>'
    )


def lots(balance: api.Balance, programme: Programme, visit: Visit) -> dict[str, Any]:
    """What is left, by expiry: as a drawing by month, and as rows."""
    words = visit.words
    now = visit.platform.commerce.now
    rows = [
        {
            "source": lot.source if lot.source != "by hand" else visit.say("by hand"),
            "member": masked(visit, lot.member),
            "earned": words.day(lot.at),
            "points": words.number(lot.points),
            "held": words.number(lot.held) if lot.held else "",
            "expires": last_day(lot.expires, programme, words) if lot.expires < api.FOREVER else visit.say("never"),
            "state": visit.say("expired") if lot.expires <= now
            else visit.say("from %(day)s on", day=words.day(lot.starts)) if lot.starts > now else "",
        }
        for lot in balance.lots
    ]  # fmt: skip
    return {
        "rows": rows[:LOTS_SHOWN],
        "more": max(0, len(rows) - LOTS_SHOWN),
        "drawing": _by_month(balance, programme, visit),
    }


def _by_month(balance: api.Balance, programme: Programme, visit: Visit) -> Markup | None:
    now = visit.platform.commerce.now
    first = day_of(now, programme.zone).replace(day=1)
    months = [months_later(first, ahead) for ahead in range(MONTHS_SHOWN)]
    sums: dict[date, int] = {}
    for lot in balance.lots:
        if now < lot.expires < api.FOREVER:
            month = day_of(lot.expires - 1, programme.zone).replace(day=1)
            sums[min(month, months[-1])] = sums.get(min(month, months[-1]), 0) + lot.points
    if len(sums) < 2:
        return None
    last = max(month for month in months if month in sums)
    shown = [month for month in months if month <= last]
    labels = [f"{month.month:02}/{month.year % 100:02}" for month in shown]
    series = [Series(visit.say("points"), 0, [sums.get(month, 0) for month in shown])]
    return columns(labels, series, visit.words, visit.say("Points by the month in which they expire"))


def rewards(visit: Visit, who: Sequence[str], programme: Programme) -> list[dict[str, Any]]:
    commerce = visit.platform.commerce
    return [
        {
            **told.reward_told(offer.reward, programme, visit.words),
            "left": visit.count("%(num)s left", "%(num)s left", offer.left) if offer.left >= 0 else "",
            "why_not": visit.say(told.WHY_NOT[offer.why_not]) if offer.why_not else "",
            "missing": visit.count("%(num)s point missing", "%(num)s points missing", offer.missing)
            if offer.why_not == "points"
            else "",
        }
        for offer in api.offers(commerce.reader, who, programme.programme, commerce.now)
    ]


def statement(visit: Visit, who: Sequence[str], found: api.Statement, name: str) -> dict[str, Any]:
    """A statement as one reads it: the sums, then movement by movement."""
    words = visit.words
    bought = api.purchases(visit.platform.commerce.reader, who, found.programme, MOVEMENTS_MAX)
    days = {each.document: words.day(each.at) for each in bought}
    sums = [
        (visit.say("Earned"), found.earned, "+"),
        (visit.say("Spent"), -found.spent, ""),
        (visit.say("Expired"), -found.expired, ""),
        (visit.say("Taken back for returns"), -found.clawed, ""),
        (visit.say("Corrected by hand"), found.adjusted, "+"),
    ]
    shown = found.movements[-MOVEMENTS_MAX:]
    return {
        "code": found.programme,
        "name": name,
        "opening": words.number(found.opening),
        "closing": words.number(found.closing),
        "sums": [(label, signed(amount, words)) for label, amount, _ in sums if amount],
        "movements": [
            {
                "at": words.moment(move.at),
                "iso": words.iso(move.at),
                "sort": visit.say(told.SORTS[move.sort]),
                "kind": move.sort,
                "why": _why(visit, move),
                "bought": _bought(visit, move, days),
                "points": signed(move.points, words),
                "is_less": move.points < 0,
                "balance": words.number(move.balance),
            }
            for move in reversed(shown)
        ],
        "left_out": len(found.movements) - len(shown),
    }


def _bought(visit: Visit, move: api.Movement, days: Mapping[str, str]) -> str:
    """The day of the purchase, where it was booked on a later one."""
    day = days.get(move.why, "") if move.sort == "earned" else ""
    return visit.say("bought on %(day)s", day=day) if day and day != visit.words.day(move.at) else ""


def _why(visit: Visit, move: api.Movement) -> str:
    if move.sort == "adjusted" and not visit.may("people.personal"):
        return "•••"
    return visit.say("by hand") if move.why == "by hand" else move.why


def signed(amount: int, words: Words) -> str:
    return f"+{words.number(amount)}" if amount > 0 else words.number(amount).replace("-", "−")


def redemptions(visit: Visit, who: Sequence[str]) -> list[dict[str, Any]]:
    """The latest redemptions; those that are open can be completed."""
    commerce, words = visit.platform.commerce, visit.words
    return [
        {
            "id": each.id,
            "name": each.name,
            "points": words.number(each.points),
            "state": visit.say(told.STATES[_state(each, commerce.now)]),
            "is_open": each.state == "held" and each.due > commerce.now,
            "moment": words.moment(each.at),
            "due": words.moment(each.due),
            "channel": words.channel(each.channel) if each.channel else "",
        }
        for each in api.redemptions(commerce.reader, who, 10)
    ]


def _state(found: api.Redeemed, now: int) -> str:
    """The state; one whose time is over has run out, also before it is swept."""
    return "expired" if found.state == "held" and found.due <= now else found.state


def card_told(visit: Visit, card: value.CardShown) -> dict[str, Any]:
    words = visit.words
    now = visit.platform.commerce.now
    state = "blocked" if card.state == "blocked" else "expired" if card.expires <= now else "active"
    return {
        "id": card.id,
        "last": card.last,
        "member": masked(visit, card.member) if card.member else "",
        "balance": amount(card.balance, card.currency, words),
        "held": amount(card.held, card.currency, words) if card.held else "",
        "state": {
            "active": visit.say("can be spent"),
            "blocked": visit.say("blocked"),
            "expired": visit.say("expired"),
        }[state],
        "kind": {"active": "good", "blocked": "bad", "expired": "warn"}[state],
        "is_blocked": card.state == "blocked",
        "issued": words.day(card.issued),
        "expires": words.day(card.expires) if card.expires < api.FOREVER else visit.say("never"),
        "currency": card.currency,
        "has_pin": card.has_pin,
    }


def amount(minor: int, currency: str, words: Words) -> str:
    from_minor = minor / 10 ** decimals_of(currency)
    return words.money(from_minor, currency)


def decimals_of(currency: str) -> int:
    return api.decimals_of(currency)


# -- the editor -------------------------------------------------------------------------------------------------


def faults_of(fault: DefinitionInvalid, text: str) -> list[dict[str, Any]]:
    """The single faults of a definition with the lines that they are in."""
    lines = text.splitlines()
    found = []
    for message in (part for part in fault.message.split("; ") if part):
        line = _line_of(message, text)
        found.append({"line": line, "message": message, "text": lines[line - 1] if 0 < line <= len(lines) else ""})
    return sorted(found, key=lambda each: each["line"])


def _line_of(message: str, text: str) -> int:
    stated = re.match(r"line (\d+): ", message)
    if stated:
        return int(stated[1])
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return 1
    line = 1
    for name, index in _STEP.findall(message.partition(":")[0]):
        if index and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
            node = node.value[int(index)]
            line = node.start_mark.line + 1
        elif name and isinstance(node, yaml.MappingNode):
            child = next(((key, inner) for key, inner in node.value if key.value == name), None)
            if child is None:
                break
            line, node = child[0].start_mark.line + 1, child[1]
        else:
            break
    return line
