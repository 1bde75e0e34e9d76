"""The parts of a person's page as plain values: head, golden record, computed traits, consents, timeline, shopping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from cauce.app.questions import showing_of, shows
from cauce.console.areas import person_words as said
from cauce.console.charts import color_of
from cauce.console.drawings import bar
from cauce.console.visit import Visit
from cauce.errors import DefinitionInvalid
from cauce.identity.api import Evidence, Member, Why
from cauce.model import SECOND, Event
from cauce.profiles.api import Filter, Profile, TimelineEvent
from cauce.profiles.consent import ConsentWord
from cauce.profiles.definitions import Definition
from cauce.profiles.golden import Claim, GoldenTrait
from cauce.profiles.masking import masked, masked_name, masked_text, masked_trait
from cauce.profiles.shopping import NAMES, Basket, Look, Product, Sale, Shopping, shopping_of

EVENTS_SHOWN = 30
SHOPPING_EVENTS = 1_000
PURCHASES_SHOWN = 20
LOOKS_SHOWN = 24
ROWS_MAX = 80
"""Properties of one event that are shown as rows; the raw event holds all."""
HEAD_IDENTIFIERS = 4
MONEY = frozenset({"total", "subtotal", "revenue", "value", "price", "amount"})
ADDING = frozenset({"sum", "average", "min", "max"})
CONTESTING = (Why.LIMIT, Why.UNIQUE)
MICROS = 1_000_000


class Subject(msgspec.Struct, frozen=True):
    """Who is looked at, by whom, as of when: `moment` is microseconds, None for today.

    `personal`: whether personal values are shown; else everything that goes through `hide` is masked.
    """

    visit: Visit
    id: int
    text: str
    as_of: str = ""
    moment: int | None = None
    personal: bool = True

    @property
    def home(self) -> str:
        """The address of the page."""
        return f"/people/{self.text}"

    def address(self, part: str = "", **query: Any) -> str:
        """The address of a part, as of the same moment."""
        kept = {"as_of": self.as_of, **query}
        asked = urlencode({name: value for name, value in kept.items() if value != ""}, doseq=True)
        return self.home + (f"/{part}" if part else "") + (f"?{asked}" if asked else "")

    def value_of(self, member: Member) -> str:
        """An identifier's value, as far as it may be shown."""
        return member.value if self.personal else masked(member.value)

    def shown(self, text: str) -> str:
        """`kind:value` as far as it may be shown, with the name of the kind in words."""
        return self.visit.words.identifier(text if self.personal else masked_text(text))


def opened(visit: Visit) -> Subject:
    """The person that the address names; NotFound when there is none, DefinitionInvalid when `as_of` is no day."""
    person = visit.platform.people.locate(visit.path["key"])
    visit.look("person.seen", person.text)
    as_of = (visit.query.get("as_of") or visit.form.get("as_of") or "").strip()[:32]
    moment = end_of_day(visit, as_of) if as_of else None
    if moment is not None and moment >= _now():
        as_of, moment = "", None
    return Subject(visit, person.id, person.text, as_of, moment, visit.may("people.personal"))


def _now() -> int:
    return int(datetime.now(UTC).timestamp()) * SECOND


def day_of(text: str, name: str) -> date:
    """The day that a form sends; DefinitionInvalid when it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DefinitionInvalid(f"expected {name} to be a day such as 2026-11-21, got {text!r}") from None


def end_of_day(visit: Visit, text: str, name: str = "as_of") -> int:
    """The last microsecond of a day in the visitor's zone."""
    return start_of_day(visit, text, name, days=1) - 1


def start_of_day(visit: Visit, text: str, name: str, days: int = 0) -> int:
    """The first microsecond of a day in the visitor's zone, or of one so many days later."""
    day = day_of(text, name)
    try:
        local = datetime.combine(day + timedelta(days=days), time(), visit.words.zone)
        return int(local.timestamp()) * SECOND
    except (OverflowError, ValueError):
        raise DefinitionInvalid(f"expected {name} to be a day of our times, got {text!r}") from None


# -- head -------------------------------------------------------------------------------------------------------


def name_of(subject: Subject, profile: Profile) -> str:
    """What to call a person: full name, first and last name, e-mail, phone, or the most personal identifier."""
    values = {name: trait.value for name, trait in profile.traits.items() if isinstance(trait.value, str)}
    full = values.get("name") or " ".join(part for part in (values.get("firstName"), values.get("lastName")) if part)
    if full:
        return full if subject.personal else masked_name(full)
    by_kind: dict[str, str] = {}
    for member in (*best_members(subject, profile.identifiers), *profile.identifiers):
        by_kind.setdefault(member.kind, subject.value_of(member))
    return by_kind.get("email") or by_kind.get("phone") or next(iter(by_kind.values()), "?")


def head(subject: Subject, profile: Profile, links: Sequence[Evidence], currency: str) -> dict[str, Any]:
    """What an agent wants to see first."""
    words = subject.visit.words
    best = best_members(subject, profile.identifiers)
    return {
        "name": name_of(subject, profile),
        "first_seen": words.short_day(profile.first_seen),
        "last_seen": words.short_day(profile.last_seen),
        "last_ago": words.ago(profile.last_seen, profile.as_of),
        "events": profile.events,
        "channels": [
            {**channel(subject, name), "count": words.number(count)}
            for name, count in sorted(profile.channels.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
        "best": [_best(subject, member) for member in best],
        "more_identifiers": len(profile.identifiers) - len(best),
        "worth": _worth(subject, profile, currency),
        "consents": [
            {
                "purpose": said.purpose_name(words, consent.purpose),
                "channel": words.channel(consent.channel),
                "granted": consent.granted,
            }
            for consent in profile.consents
        ],
        "warnings": _warnings(subject, profile, links),
    }


def best_members(subject: Subject, members: Sequence[Member]) -> list[Member]:
    """The most personal identifiers, one of each kind before a second one of any."""
    rules = subject.visit.platform.people.rules
    seen: dict[str, int] = {}
    ranked = []
    for member in members:
        kind = rules.kind(member.kind)
        if kind.device or member.shared or not kind.merges:
            continue
        place = seen.get(member.kind, 0)
        seen[member.kind] = place + 1
        ranked.append((place, _usefulness(member.kind), -kind.priority, member))
    ranked.sort(key=lambda entry: entry[:3])
    return [entry[3] for entry in ranked[:HEAD_IDENTIFIERS]] or list(members[:1])


def _usefulness(kind: str) -> int:
    """What one can call or write to comes first."""
    return {"phone": 0, "email": 1, "loyalty": 2}.get(kind, 3)


def _best(subject: Subject, member: Member) -> dict[str, Any]:
    scheme = {"phone": "tel:", "email": "mailto:"}.get(member.kind, "")
    return {
        "kind": subject.visit.words.kind(member.kind),
        "value": subject.value_of(member),
        "href": scheme + member.value if scheme and subject.personal else "",
    }


def _worth(subject: Subject, profile: Profile, currency: str) -> list[dict[str, str]]:
    """What they spent and how often they bought, as far as there are computed traits for it."""
    words = subject.visit.words
    tiles = []
    spent = profile.computed.get("revenue_total")
    if isinstance(spent, int | float):
        tiles.append({"value": words.money(spent, currency), "name": words.say("spent")})
    orders = profile.computed.get("orders_count")
    if isinstance(orders, int):
        tiles.append({"value": words.number(orders), "name": words.say("purchases")})
    return tiles


def currency_of(subject: Subject) -> str:
    """The one currency of a person's latest purchases; "" when there are none, or several."""
    only = Filter(events=frozenset(("Order Completed", "Receipt Issued")))
    page = subject.visit.platform.profiles.timeline(subject.id, limit=10, only=only)
    found = {said.currency_of(entry.event.properties) for entry in page.events}
    return found.pop() if len(found) == 1 else ""


def _warnings(subject: Subject, profile: Profile, links: Sequence[Evidence]) -> list[str]:
    visit = subject.visit
    shared = [member for member in profile.identifiers if member.shared]
    found = []
    if shared:
        found.append(
            visit.say(
                "Several people use %(what)s: what happens there is nobody's for certain.",
                what=visit.words.list([visit.words.kind(kind) for kind in sorted({member.kind for member in shared})]),
            )
        )
    own = {str(member) for member in profile.identifiers}
    beyond = {name for link in links if link.why is Why.SHARED for name in (link.a, link.b) if name not in own}
    if beyond:
        found.append(
            visit.count(
                "Shares an identifier with a household or other people.",
                "Shares %(num)s identifiers with a household or other people.",
                len(beyond),
            )
        )
    if any(link.why in CONTESTING for link in links):
        found.append(
            visit.say("Some evidence speaks for more people in here or around: see how the identifiers hang together.")
        )
    return found


def channel(subject: Subject, name: str) -> dict[str, Any]:
    return {"id": name, "name": subject.visit.words.channel(name), "color": color_of(name)}


# -- golden record and computed traits --------------------------------------------------------------------------


def golden(subject: Subject, profile: Profile, today: Profile | None) -> list[dict[str, Any]]:
    """The golden record; with `today`, what differs from it is marked, and what came later is listed too."""
    names = {member.id: str(member) for member in profile.identifiers}
    rows = [_trait(subject, name, trait, names) for name, trait in profile.traits.items()]
    if today is not None:
        for row in rows:
            now = today.traits.get(row["id"])
            row["today"] = _differs(subject, row["id"], profile.traits[row["id"]].value, now)
        for name in today.traits.keys() - profile.traits.keys():
            value = _value(subject, name, today.traits[name].value)
            rows.append({"id": name, "name": said.trait_name(subject.visit.words, name), "later": value})
    return sorted(rows, key=lambda row: ("later" in row, row["name"]))


def _differs(subject: Subject, name: str, then: Any, now: GoldenTrait | None) -> str:
    value = None if now is None else now.value
    return "" if value == then else _value(subject, name, value)


def _value(subject: Subject, name: str, value: Any) -> str:
    if value is None:
        return subject.visit.say("deleted")
    return said.trait_value(subject.visit.words, name, value if subject.personal else masked_trait(name, value))


def _trait(subject: Subject, name: str, trait: GoldenTrait, names: Mapping[int, str]) -> dict[str, Any]:
    words = subject.visit.words
    lost = [other for other in trait.others if other.value != trait.value]
    return {
        "id": name,
        "name": said.trait_name(words, name),
        "value": _value(subject, name, trait.value),
        "plain": "" if trait.value is None or not subject.personal else _plain(trait.value),
        "why": said.why_it_won(words, trait, personal=subject.personal),
        "source": trait.source,
        "by_hand": trait.rule == "steward",
        "day": words.short_day(trait.occurred),
        "identifier": subject.shown(names[trait.identifier]) if trait.identifier in names else "",
        "also": sorted({other.source for other in trait.others if other.value == trait.value} - {trait.source}),
        "lost": [_claim(subject, name, other) for other in lost],
        "today": "",
    }


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _claim(subject: Subject, name: str, claim: Claim) -> dict[str, Any]:
    words = subject.visit.words
    return {
        "value": _value(subject, name, claim.value),
        "source": claim.source,
        "day": words.short_day(claim.occurred),
        "times": words.count("told once", "told %(num)s times", claim.times),
    }


def computed(
    subject: Subject, profile: Profile, today: Profile | None, currency: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """Computed traits that have a value, each with its definition in words; and the names of those that have none."""
    words = subject.visit.words
    definitions = {each.name: each for each in subject.visit.platform.profiles.definitions()}
    rows, without = [], []
    for name in sorted(profile.computed, key=said.computed_rank):
        value, definition = profile.computed[name], definitions.get(name)
        changed = today is not None and today.computed.get(name) != value
        if value in (None, []) and not changed:
            without.append(said.computed_name(words, name))
            continue
        rows.append(
            {
                "id": name,
                "name": said.computed_name(words, name),
                "value": computed_text(subject, value, definition, currency),
                "today": computed_text(subject, today.computed.get(name), definition, currency)
                if changed and today
                else "",
                "definition": said.definition_in_words(words, definition) if definition else "",
            }
        )
    return rows, without


def computed_text(subject: Subject, value: Any, definition: Definition | None, currency: str) -> str:
    """The value of a computed trait in words: money with its currency, channels by name."""
    words = subject.visit.words
    if value is None or definition is None:
        return words.value(value)
    if is_money(definition) and isinstance(value, int | float):
        return words.money(value, currency)
    if definition.property == "event.channel" and isinstance(value, str):
        return words.channel(value)
    harmless = subject.personal or shows(subject.visit.kept("showing", showing_of, seconds=30.0), definition)
    return words.value(value if harmless else masked_trait(f"computed {definition.name}", value))


def is_money(definition: Definition) -> bool:
    return definition.compute in ADDING and (definition.property or "").rpartition(".")[2] in MONEY


# -- consents, memberships, devices -----------------------------------------------------------------------------


def consents(subject: Subject, profile: Profile) -> list[dict[str, Any]]:
    """What they allow, per purpose and channel, with everything that was said."""
    words = subject.visit.words
    names = {member.id: str(member) for member in profile.identifiers}

    def told(word: ConsentWord) -> dict[str, Any]:
        return {
            "granted": word.granted,
            "day": words.moment(word.occurred),
            "source": word.source,
            "said": word.said,
            "identifier": subject.shown(names[word.identifier]) if word.identifier in names else "",
        }

    return [
        {
            "purpose": said.purpose_name(words, consent.purpose),
            "channel": words.channel(consent.channel),
            "granted": consent.granted,
            "word": told(consent.word),
            "history": [told(word) for word in consent.history],
        }
        for consent in profile.consents
    ]


def belongings(subject: Subject, profile: Profile) -> dict[str, list[dict[str, Any]]]:
    """Loyalty cards and devices: identifiers that one holds in the hand."""
    rules, words = subject.visit.platform.people.rules, subject.visit.words

    def row(member: Member) -> dict[str, Any]:
        return {
            "kind": words.kind(member.kind),
            "value": subject.value_of(member),
            "since": words.short_day(member.first_occurred),
            "shared": member.shared,
        }

    cards = [row(member) for member in profile.identifiers if "loyalty" in member.kind or "card" in member.kind]
    devices = [row(member) for member in profile.identifiers if rules.kind(member.kind).device]
    tier = [
        {"name": said.trait_name(words, name), "value": _value(subject, name, profile.traits[name].value)}
        for name in ("plan", "tier", "loyaltyTier", "loyalty_tier", "points", "segment")
        if name in profile.traits
    ]
    return {"cards": cards, "devices": devices, "standing": tier}


# -- timeline ---------------------------------------------------------------------------------------------------


class Wish(msgspec.Struct, frozen=True):
    """What the filters of the timeline ask for, as the form sends it."""

    channel: str = ""
    event: str = ""
    text: str = ""
    since: str = ""
    until: str = ""

    @property
    def asked(self) -> dict[str, str]:
        """The filters that are set."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value}


def wish_of(subject: Subject) -> Wish:
    """The filters of a request. Without personal data no text can be searched: it would tell letter by letter."""
    query = subject.visit.query
    found = {name: query.get(name, "").strip()[:200] for name in Wish.__struct_fields__}
    if not subject.personal:
        found["text"] = ""
    return Wish(**found)


def filter_of(visit: Visit, wish: Wish) -> Filter:
    """The filter; DefinitionInvalid when a day is none."""
    return Filter(
        channels=frozenset((wish.channel,)) if wish.channel else frozenset(),
        events=frozenset((wish.event,)) if wish.event else frozenset(),
        text=wish.text,
        since=start_of_day(visit, wish.since, "since") if wish.since else None,
        until=start_of_day(visit, wish.until, "until", days=1) if wish.until else None,
    )


def timeline(subject: Subject) -> dict[str, Any]:
    """A page of the timeline in groups of days, and where it goes on."""
    visit = subject.visit
    wish = wish_of(subject)
    page = visit.platform.profiles.timeline(
        subject.id,
        cursor=visit.query.get("cursor", "")[:200],
        limit=EVENTS_SHOWN,
        only=filter_of(visit, wish),
        as_of=subject.moment,
    )
    days = _days(subject, page.events)
    going_on = days and days[0]["id"] == visit.query.get("after")
    if going_on:
        days[0]["goes_on"] = True
    more = {**wish.asked, "cursor": page.cursor, "after": days[-1]["id"] if days else visit.query.get("after", "")}
    return {
        "days": days,
        "wish": wish,
        "more": subject.address("timeline", **more) if page.cursor else "",
        "more_plain": subject.address("", **more) + "#timeline" if page.cursor else "",
        "first": not visit.query.get("cursor"),
    }


def _days(subject: Subject, entries: Iterable[TimelineEvent]) -> list[dict[str, Any]]:
    words = subject.visit.words
    days: list[dict[str, Any]] = []
    for entry in entries:
        day = words.local(entry.event.occurred).date()
        if not days or days[-1]["id"] != day.isoformat():
            days.append({"id": day.isoformat(), "name": words.written_day(day), "events": [], "goes_on": False})
        days[-1]["events"].append(_entry(subject, entry))
    return days


def _entry(subject: Subject, entry: TimelineEvent) -> dict[str, Any]:
    event, words = entry.event, subject.visit.words
    return {
        "id": f"e{event.position}",
        "icon": said.icon_of(event),
        "name": said.event_name(words, event) if subject.personal or event.type == "track" else _type(subject, event),
        "code": event.name if event.type == "track" and words.event(event.name) != event.name else "",
        "type": _type(subject, event) if event.name and event.type != "track" and subject.personal else "",
        "channel": channel(subject, event.channel),
        "hour": words.hour(event.occurred),
        "iso": words.iso(event.occurred),
        "details": said.details_of(words, event, personal=subject.personal),
        "occurred": words.moment(event.occurred),
        "received": words.moment(event.received),
        "source": event.source,
        "position": event.position,
        "device": entry.device if subject.personal or not entry.device else masked_text(entry.device),
        "rows": _rows(subject, event),
        "raw": raw(event) if subject.personal else "",
        "hidden": not subject.personal,
    }


def _type(subject: Subject, event: Event) -> str:
    return subject.visit.words.event(event.type)


def _rows(subject: Subject, event: Event) -> list[tuple[str, str]]:
    """What an event says as readable rows; nothing without personal data: properties may hold anything."""
    if not subject.personal:
        return []
    words = subject.visit.words
    rows = [(words.kind(kind), value) for kind, value in event.identifiers]
    rows += [
        (said.trait_name(words, name), said.trait_value(words, name, value)) for name, value in event.traits.items()
    ]
    rows += [(name, words.value(value)) for name, value in _flat(event.properties) if value not in (None, "")]
    return rows[:ROWS_MAX]


def _flat(value: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for name, inner in value.items():
        path = f"{before}{name}"
        if isinstance(inner, Mapping) and inner and before.count(".") < 4:
            yield from _flat(inner, f"{path}.")
        elif isinstance(inner, list) and any(isinstance(each, Mapping) for each in inner) and before.count(".") < 4:
            for index, each in enumerate(inner[:20], start=1):
                if isinstance(each, Mapping):
                    yield from _flat(each, f"{path} {index}.")
                else:
                    yield f"{path} {index}", each
        else:
            yield path, inner


def raw(event: Event) -> str:
    """The event as Cauce keeps it, as JSON to read."""
    told = {name: getattr(event, name) for name in event.__struct_fields__}
    told["identifiers"] = [f"{kind}:{value}" for kind, value in event.identifiers]
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


# -- shopping ---------------------------------------------------------------------------------------------------


def shopping(subject: Subject) -> dict[str, Any]:
    """What they looked at and did not buy, open baskets, purchases by channel, returns."""
    visit, words = subject.visit, subject.visit.words
    page = visit.platform.profiles.timeline(
        subject.id, limit=SHOPPING_EVENTS, only=Filter(events=NAMES), as_of=subject.moment
    )
    found: Shopping = shopping_of(entry.event for entry in page.events)
    most = max((each.amount for each in found.by_channel), default=0) or 1
    return {
        "whole": not page.cursor,
        "events_max": words.number(SHOPPING_EVENTS),
        "looks": [_look(subject, look) for look in found.looked_at[:LOOKS_SHOWN]],
        "looks_more": max(0, len(found.looked_at) - LOOKS_SHOWN),
        "baskets": [_basket(subject, basket) for basket in found.baskets[:5]],
        "sums": [
            {
                **channel(subject, each.channel),
                "count": words.number(each.count),
                "amount": money(subject, each.amount, each.currency),
                "bar": bar(each.amount / most, color_of(each.channel), ""),
            }
            for each in found.by_channel
        ],
        "purchases": [_sale(subject, sale) for sale in found.purchases[:PURCHASES_SHOWN]],
        "purchases_total": len(found.purchases),
        "returns": [_sale(subject, sale) for sale in found.returns[:PURCHASES_SHOWN]],
    }


def money(subject: Subject, micros: int | None, currency: str) -> str:
    """An amount in millionths as money; a dash when there is none."""
    return "–" if micros is None else subject.visit.words.money(micros / MICROS, currency)


def _product(subject: Subject, product: Product) -> dict[str, Any]:
    quantity = "" if product.quantity == 1_000 else f"{subject.visit.words.number(product.quantity / 1_000, 3)} × "
    return {
        "name": product.name,
        "category": product.category,
        "quantity": quantity,
        "price": "" if product.price is None else money(subject, product.price, product.currency),
    }


def _look(subject: Subject, look: Look) -> dict[str, Any]:
    words = subject.visit.words
    return {
        **_product(subject, look.product),
        "times": words.count("looked at once", "looked at %(num)s times", look.times),
        "last": words.short_day(look.last),
        "channel": channel(subject, look.channel),
        "before": words.short_day(look.bought_before) if look.bought_before is not None else "",
    }


def _basket(subject: Subject, basket: Basket) -> dict[str, Any]:
    words = subject.visit.words
    return {
        "channel": channel(subject, basket.channel),
        "changed": words.short_day(basket.changed),
        "ago": words.ago(basket.changed, subject.moment),
        "checkout": basket.checkout is not None,
        "values": [money(subject, amount, currency) for currency, amount in basket.values.items()],
        "lines": [
            {
                **_product(subject, line.product),
                "since": words.short_day(line.bought_since) if line.bought_since is not None else "",
            }
            for line in basket.lines
        ],
    }


def _sale(subject: Subject, sale: Sale) -> dict[str, Any]:
    words = subject.visit.words
    return {
        "id": sale.id,
        "channel": channel(subject, sale.channel),
        "place": sale.place,
        "day": words.short_day(sale.occurred),
        "amount": money(subject, sale.amount, sale.currency),
        "products": ", ".join("{quantity}{name}".format(**_product(subject, product)) for product in sale.products),
        "reason": sale.reason if subject.personal else "",
    }
