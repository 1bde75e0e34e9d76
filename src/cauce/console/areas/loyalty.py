"""Loyalty: programmes in words and as text, members with their points, gift cards."""

from __future__ import annotations

import secrets
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from cauce.app.definitions import as_yaml, difference
from cauce.commerce.loyalty import api
from cauce.commerce.loyalty.adjusting import Adjust
from cauce.commerce.loyalty.calendar import day_of, midnight
from cauce.commerce.loyalty.programmes import ApplyProgramme, RetireProgramme
from cauce.commerce.loyalty.redeeming import BeginRedemption, CancelRedemption, CompleteRedemption
from cauce.commerce.loyalty.value import api as value
from cauce.commerce.loyalty.value.cards import BlockCard, IssueCard
from cauce.commerce.loyalty.value.numbers import fresh, number_hash, pin_hash
from cauce.commerce.loyalty.who import identifiers_of
from cauce.console.areas import loyalty_parts as parts
from cauce.console.areas import loyalty_words as told
from cauce.console.frame import Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, DefinitionInvalid, NotFound
from cauce.model.time import DAY

NAME = "loyalty"
READ, WRITE, SERVE = "loyalty.read", "loyalty.write", "commerce.serve"
CARDS_SHOWN = 50
START = """programme: club
name: Club
currency: EUR
timezone: Europe/Madrid
earn:
  - {name: Every euro, points: 1, per: 1}
exclude: {categories: [gift cards]}
lots: {expire: {months: 12}}
tiers:
  by: amount
  window: {months: 12}
  grace_days: 30
  levels:
    - {tier: silver, name: Silver, entry: 300, keep: 200, bonus: 1.25}
    - {tier: gold, name: Gold, entry: 1000, keep: 700, bonus: 1.5}
rewards:
  - {reward: voucher, name: 5 € voucher, points: 250, value: 5}
"""


# -- programmes -------------------------------------------------------------------------------------------------


def overview(visit: Visit) -> Answer:
    """All programmes, and the way to a member and to cards."""
    reader, words = visit.platform.commerce.reader, visit.words
    # Counts over all cards and members are kept for a while: there may be a million of them.
    outstanding = visit.kept("loyalty.value", lambda platform: value.outstanding(platform.commerce.reader), 30.0)
    return {
        "programmes": [_programme_row(visit, code, *found) for code, found in api.programmes_of(reader).items()],
        "value": [parts.amount(minor, currency, words) for currency, minor in outstanding.items()],
        "q": visit.query.get("q", "")[:200],
    }


def show(visit: Visit) -> Answer:
    """One programme: in words, with figures and versions; older versions as they were."""
    code = visit.path["code"]
    reader, words = visit.platform.commerce.reader, visit.words
    head, programme = api.found_programme(reader, code)
    versions = api.versions(reader, code)
    wanted = visit.query.get("version", "")
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 else head.version
    shown = next((each for each in versions if each.version == number), None)
    if shown is None:
        raise NotFound(f"{code} has no version {number}")
    before = next((each for each in versions if each.version == number - 1), None)
    programme = api.stored_programme(shown.document)
    text = _text_of(shown)
    return {
        **_programme_row(visit, code, head, programme),
        "told": told.told(programme, words),
        "stock": _stock(visit, programme),
        "is_present": number == head.version,
        "number": number,
        "text": text,
        "difference": difference(_text_of(before), text) if before else [],
        "versions": [
            {"number": each.version, "moment": each.at, "by": each.by, "is_shown": each.version == number}
            for each in reversed(versions)
        ],
        "members": [
            {
                "key": key,
                "shown": parts.masked(visit, key),
                "since": words.day(since),
                "tier": _tier_name(programme, tier),
            }
            for key, since, tier in api.members_of(reader, code, limit=20)
        ]
        if visit.may("people.personal")
        else [],
    }


def edit(visit: Visit) -> Answer:
    """The editor: of a programme, or for a new one."""
    code = visit.query.get("programme", "")
    text, version = START, 0
    if code:
        api.found_programme(visit.platform.commerce.reader, code)
        shown = api.versions(visit.platform.commerce.reader, code)[-1]
        text, version = _text_of(shown), shown.version
    return _editor(visit, code, text, version)


def check(visit: Visit) -> Answer:
    """What a text means, or what is wrong in which line; asked while somebody writes."""
    return _checked(visit, visit.form.get("programme", ""), _text(visit))


def apply(visit: Visit) -> Answer:
    """Applies a programme: its next version."""
    code, text = visit.form.get("programme", ""), _text(visit)
    version = int(told_version) if (told_version := visit.form.get("version", "0")).isdigit() else 0
    values = _editor(visit, code, text, version)
    if values["faults"]:
        return Shown("loyalty/edit.html", values, 422)
    try:
        found = visit.platform.commerce.do(ApplyProgramme(document=text, by=visit.actor.name, expected=version))
    except CauceError as fault:
        fault_row = {"line": 1, "message": visit.said(fault.message), "text": ""}
        return Shown("loyalty/edit.html", {**values, "faults": [fault_row], "told": None, "lines": []}, 422)
    visit.note("loyalty.programme_applied", found.programme, version=found.version)
    note = visit.say("Version %(number)s is in force.", number=found.version)
    return Led(f"/loyalty/programmes/{found.programme}", note)


def retire(visit: Visit) -> Answer:
    code = visit.form.get("programme", "")
    visit.platform.commerce.do(RetireProgramme(programme=code, by=visit.actor.name))
    visit.note("loyalty.programme_retired", code)
    return Led(f"/loyalty/programmes/{code}", visit.say("Nothing is earned in it any more."))


# -- members ----------------------------------------------------------------------------------------------------


def find(visit: Visit) -> Answer:
    """From what somebody typed to the member."""
    typed = visit.query.get("q", "").strip()[:600]
    if not typed:
        return Led("/loyalty")
    key = typed if ":" in typed or typed.startswith("p_") else f"{_guessed(typed)}:{typed}"
    return Led(f"/loyalty/members/{quote(key, safe=':@')}")


def member(visit: Visit) -> Answer:
    """What somebody has, in each programme, and their statement."""
    who = identifiers_of(visit.platform.people, visit.path["key"])
    commerce = visit.platform.commerce
    balances = api.balance(commerce.reader, who, commerce.now)
    person = _person(visit, who)
    visit.look("loyalty.member_seen", person or "nobody")
    if not balances:
        return Shown("loyalty/nobody.html", {
            "key": parts.masked(visit, visit.path["key"]), "person": person,
            "programmes": _programmes_to_give(visit, who), "address": _address(visit),
        })  # fmt: skip
    since, until, period = _period(visit)
    statements = api.statement(commerce.reader, who, since, until)
    names = {each.programme: each.name for each in balances}
    return {
        "key": parts.masked(visit, visit.path["key"]),
        "address": _address(visit),
        "person": person,
        "identifiers": [parts.masked(visit, each) for each in who],
        "memberships": [parts.membership(visit, who, each) for each in balances],
        "redemptions": parts.redemptions(visit, who),
        "cards": [parts.card_told(visit, each) for each in value.cards_of(commerce.reader, who)],
        "statements": [parts.statement(visit, who, each, names[each.programme]) for each in statements],
        "programmes": _programmes_to_give(visit, who),
        "once": secrets.token_hex(8),
        **period,
    }


def panel(visit: Visit) -> Answer:
    """What a person has, on their own page."""
    who = identifiers_of(visit.platform.people, visit.path["person"])
    visit.look("loyalty.member_seen", _person(visit, who) or "nobody")
    commerce = visit.platform.commerce
    balances = api.balance(commerce.reader, who, commerce.now)
    return {
        "address": f"/loyalty/members/{quote(visit.path['person'], safe='')}",
        "memberships": [parts.membership(visit, who, each) for each in balances],
        "cards": [parts.card_told(visit, each) for each in value.cards_of(commerce.reader, who)],
    }


def adjust(visit: Visit) -> Answer:
    """Gives or takes points by hand."""
    key, typed = visit.path["key"], visit.form.get("points", "").strip().replace("−", "-")
    who = identifiers_of(visit.platform.people, key)
    _head, programme = api.found_programme(visit.platform.commerce.reader, visit.form.get("programme", ""))
    chosen = programme.member_of(who)
    if not chosen:
        raise DefinitionInvalid(f"expected somebody known by one of {', '.join(programme.members)}")
    try:
        points = int(typed[:12])
    except ValueError:
        raise DefinitionInvalid(f"points: expected a whole number, got {typed[:40]!r}") from None
    why = visit.form.get("why", "").strip()
    visit.platform.commerce.do(
        Adjust(programme=programme.programme, member=chosen, points=points, why=why, by=visit.actor.name)
    )
    visit.note("loyalty.adjusted", _person(visit, who) or "nobody", programme=programme.programme, points=points)
    return Led(_address(visit), visit.say("Booked: %(points)s", points=parts.signed(points, visit.words)))


def redeem(visit: Visit) -> Answer:
    """Promises points for a reward."""
    who = identifiers_of(visit.platform.people, visit.path["key"])
    found = visit.platform.commerce.do(
        BeginRedemption(
            key=_once(visit),
            programme=visit.form.get("programme", ""),
            who=who,
            reward=visit.form.get("reward", ""),
            channel="console",
            by=visit.actor.name,
        )
    )
    visit.note("loyalty.redemption_begun", str(found.id))
    return Led(
        _address(visit) + "#redemptions", visit.say("Promised: %(reward)s. Give it out to book it.", reward=found.name)
    )


def end(visit: Visit) -> Answer:
    """The reward was given, or was not."""
    typed = visit.form.get("redemption", "")
    if not (typed.isascii() and typed.isdigit() and len(typed) < 16):
        raise DefinitionInvalid(f"expected the number of a redemption, got {typed[:40]!r}")
    if visit.form.get("do") == "complete":
        found = visit.platform.commerce.do(CompleteRedemption(redemption=int(typed)))
        visit.note("loyalty.redemption_completed", typed)
        return Led(_address(visit), visit.say("Given out: %(reward)s.", reward=found.name))
    found = visit.platform.commerce.do(CancelRedemption(redemption=int(typed)))
    visit.note("loyalty.redemption_cancelled", typed)
    return Led(_address(visit), visit.say("Cancelled: %(reward)s. The points are free again.", reward=found.name))


# -- cards ------------------------------------------------------------------------------------------------------


def cards(visit: Visit) -> Answer:
    """Gift cards and store credit, the latest first."""
    last = visit.query.get("last", "").strip()[-4:]
    found = value.latest(visit.platform.commerce.reader, last=last, limit=CARDS_SHOWN)
    return {"cards": [parts.card_told(visit, each) for each in found], "last": last, "once": secrets.token_hex(8)}


def card(visit: Visit) -> Answer:
    """One card with what came and went."""
    found = value.card(visit.platform.commerce.reader, int(visit.path["card"]))
    if found is None:
        raise NotFound(f"there is no card {visit.path['card']}")
    moves = value.movements(visit.platform.commerce.reader, found.id)
    return {
        "card": parts.card_told(visit, found),
        "movements": [
            {
                "at": visit.words.moment(each.at),
                "why": each.why,
                "amount": parts.amount(each.amount, found.currency, visit.words),
                "balance": parts.amount(each.balance, found.currency, visit.words),
                "is_less": each.amount < 0,
            }
            for each in reversed(moves)
        ],
    }


def issue(visit: Visit) -> Answer:
    """Issues a card; its number and PIN stand on this one page and nowhere else."""
    currency = visit.form.get("currency", "").strip().upper()
    minor = _minor(visit.form.get("amount", ""), currency)
    secret = visit.platform.secret
    made = fresh(secret, _once(visit) or secrets.token_hex(16))
    hashed = number_hash(secret, made.number)
    found = visit.platform.commerce.do(
        IssueCard(
            key=_once(visit),
            amount=minor,
            currency=currency,
            number=hashed,
            pin=pin_hash(secret, hashed, made.pin),
            last=made.number[-4:],
            channel="console",
            by=visit.actor.name,
        )
    )
    visit.note("value.issued", str(found.id))
    number = " ".join(made.number[at : at + 4] for at in range(0, len(made.number), 4))
    return Shown("loyalty/issued.html", {"card": parts.card_told(visit, found), "number": number, "pin": made.pin})


def block(visit: Visit) -> Answer:
    id_ = int(visit.path["card"])
    blocked = visit.form.get("do") != "unblock"
    why = visit.form.get("why", "").strip()
    visit.platform.commerce.do(BlockCard(card=id_, blocked=blocked, why=why, by=visit.actor.name))
    visit.note("value.blocked", str(id_), blocked=blocked)
    note = visit.say("The card is blocked.") if blocked else visit.say("The card can be spent again.")
    return Led(f"/loyalty/cards/{id_}", note)


# -- parts ------------------------------------------------------------------------------------------------------


def _programme_row(visit: Visit, code: str, head: Any, programme: api.Programme) -> dict[str, Any]:
    words = visit.words
    found = visit.kept(f"loyalty.{code}", lambda platform: api.figures(platform.commerce.reader, code), 5.0)
    return {
        "code": code,
        "name": programme.name,
        "description": programme.description,
        "is_open": bool(head.is_open),
        "version": head.version,
        "figures": [
            (visit.say("Members"), words.number(found.members)),
            (visit.say("Points earned"), words.number(found.issued - found.clawed)),
            (visit.say("Spent"), words.number(found.spent)),
            (visit.say("Expired"), words.number(found.expired)),
            (visit.say("Outstanding"), words.number(found.outstanding)),
        ],
        "tiers": [level.name for level in programme.tiers.levels],
        "rewards_count": len(programme.rewards),
    }


def _tier_name(programme: api.Programme, code: str) -> str:
    level = programme.level(code)
    return level.name if level else ""


def _stock(visit: Visit, programme: api.Programme) -> dict[str, str]:
    """How many pieces of each reward that is counted are left."""
    reader = visit.platform.commerce.reader
    return {
        each.reward: visit.words.number(api.pieces_left(reader, programme.programme, each))
        for each in programme.rewards
        if each.stock >= 0
    }


def _text_of(version: api.Version) -> str:
    """As it was written; what came as JSON of a program in lines that can be read."""
    written = version.document
    return as_yaml(api.document_of(written)) if written.lstrip().startswith("{") else written


def _text(visit: Visit) -> str:
    return visit.form.get("text", "").replace("\r\n", "\n")


def _editor(visit: Visit, code: str, text: str, version: int) -> dict[str, Any]:
    return {"programme": code, "text": text, "version": version, **_checked(visit, code, text)}


def _checked(visit: Visit, code: str, text: str) -> dict[str, Any]:
    """What a text means: its faults with their lines, or its words and what changes."""
    try:
        found = api.read_programme(text)
        if code and found.programme != code:
            raise DefinitionInvalid(f"programme: expected {code}, got {found.programme!r}: a code stays as it is")
    except DefinitionInvalid as fault:
        rows = parts.faults_of(fault, text)
        return {"faults": [{**row, "message": visit.said(row["message"])} for row in rows], "told": None, "lines": []}
    lines = []
    if code:
        shown = api.versions(visit.platform.commerce.reader, code)
        lines = difference(_text_of(shown[-1]), text)
    return {"faults": [], "told": told.told(found, visit.words), "lines": lines, "name": found.name}


def _guessed(typed: str) -> str:
    """The kind of identifier that something typed looks like."""
    return "email" if "@" in typed else "phone" if typed.startswith("+") else "loyalty"


def _person(visit: Visit, who: tuple[str, ...]) -> str:
    """The id of the person, "" when the river knows nobody by it."""
    try:
        return visit.platform.people.locate(who[0]).text
    except NotFound:
        return ""


def _address(visit: Visit) -> str:
    return f"/loyalty/members/{quote(visit.path['key'], safe=':@')}"


def _programmes_to_give(visit: Visit, who: tuple[str, ...]) -> list[tuple[str, str]]:
    """Programmes in which this somebody can be a member."""
    found = api.programmes_of(visit.platform.commerce.reader)
    return [
        (code, programme.name) for code, (head, programme) in found.items() if head.is_open and programme.member_of(who)
    ]


def _period(visit: Visit) -> tuple[int, int, dict[str, Any]]:
    """The period of the statement: as asked, else the year up to today."""
    zone = str(visit.words.zone)
    today = day_of(visit.platform.commerce.now, zone)
    first = _day(visit.query.get("from", "")) or today.replace(month=1, day=1)
    last = _day(visit.query.get("until", "")) or today
    values = {"since": first.isoformat(), "until": last.isoformat(), "first_day": visit.words.written_day(first),
              "last_day": visit.words.written_day(last)}  # fmt: skip
    return midnight(first, zone), midnight(last, zone) + DAY, values


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise DefinitionInvalid(f"expected a day such as 2026-11-21, got {text[:40]!r}") from None


def _once(visit: Visit) -> str:
    """The key of a form, so that a button pressed twice does it once."""
    key = visit.form.get("key", "")[:60]
    return f"console:{visit.actor.name}:{key}" if key else ""


def _minor(text: str, currency: str) -> int:
    decimals = parts.decimals_of(currency)
    try:
        scaled = Decimal(text.strip().replace(",", ".")).scaleb(decimals)
        if 0 < scaled < 10**12 and scaled == scaled.to_integral_value():
            return int(scaled)
    except (InvalidOperation, ValueError):
        pass
    raise DefinitionInvalid(f"amount: expected an amount above 0 with at most {decimals} decimals, got {text[:40]!r}")


AREA = Area(
    title=marked("Loyalty"),
    home="/loyalty",
    permission=READ,
    icon="loyalty",
    place=44,
    pages=(
        Page("/loyalty", overview, "loyalty/overview.html"),
        Page("/loyalty/find", find),
        Page("/loyalty/edit", edit, "loyalty/edit.html", permission=WRITE),
        Page("/loyalty/check", check, "loyalty/checked.html", method="POST", permission=WRITE),
        Page("/loyalty/apply", apply, method="POST", permission=WRITE),
        Page("/loyalty/retire", retire, method="POST", permission=WRITE),
        Page("/loyalty/programmes/{code}", show, "loyalty/programme.html"),
        Page("/loyalty/panel/{person}", panel, "loyalty/panel.html"),
        Page("/loyalty/cards", cards, "loyalty/cards.html"),
        Page("/loyalty/cards/issue", issue, method="POST", permission=WRITE),
        Page("/loyalty/cards/{card:int}", card, "loyalty/card.html"),
        Page("/loyalty/cards/{card:int}/block", block, method="POST", permission=WRITE),
        Page("/loyalty/adjust/{key:path}", adjust, method="POST", permission=WRITE),
        Page("/loyalty/redeem/{key:path}", redeem, method="POST", permission=SERVE),
        Page("/loyalty/end/{key:path}", end, method="POST", permission=SERVE),
        Page("/loyalty/members/{key:path}", member, "loyalty/member.html"),
    ),
)
