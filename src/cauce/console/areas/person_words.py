"""How the page of a person says things: names of traits, definitions in words, why a value won, what an event means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cauce.console.frame import marked
from cauce.console.words import Words, plain
from cauce.identity.api import Evidence, Why
from cauce.model import Event
from cauce.profiles.definitions import Condition, Definition
from cauce.profiles.golden import GoldenTrait

TRAITS = {
    "address": marked("address"),
    "age": marked("age"),
    "birthday": marked("birthday"),
    "city": marked("city"),
    "company": marked("company"),
    "country": marked("country"),
    "createdAt": marked("customer since"),
    "email": marked("e-mail"),
    "firstName": marked("first name"),
    "gender": marked("gender"),
    "language": marked("language"),
    "loyalty_number": marked("loyalty number"),
    "title": marked("title"),
    "website": marked("website"),
    "lastName": marked("last name"),
    "name": marked("name"),
    "nationalId": marked("national id"),
    "phone": marked("phone"),
    "plan": marked("plan"),
    "points": marked("points"),
    "postalCode": marked("postal code"),
    "segment": marked("segment"),
    "store": marked("store"),
    "username": marked("user name"),
}
GENDERS = {
    "female": marked("female"),
    "f": marked("female"),
    "male": marked("male"),
    "m": marked("male"),
    "nonbinary": marked("non-binary"),
    "non-binary": marked("non-binary"),
    "other": marked("another"),
    "unknown": marked("unknown"),
}
COMPUTED = {
    "orders_count": marked("purchases"),
    "revenue_total": marked("spent in all"),
    "revenue_365_days": marked("spent within a year"),
    "order_value_average": marked("mean purchase"),
    "order_value_max": marked("largest purchase"),
    "first_order_channel": marked("first bought in"),
    "last_order_channel": marked("last bought in"),
    "days_since_order": marked("days since the last purchase"),
    "products_bought": marked("different products bought"),
    "favourite_category": marked("favourite category"),
    "favourite_store": marked("favourite store"),
    "coupons_used": marked("coupons used"),
    "returns_count": marked("returns"),
    "products_viewed_recently": marked("looked at last"),
    "views_30_days": marked("products looked at in 30 days"),
    "favourite_category_viewed": marked("category looked at most"),
    "carts_7_days": marked("put into a basket in 7 days"),
    "last_campaign": marked("last campaign"),
    "store_visits_90_days": marked("store visits in 90 days"),
    "cases_opened": marked("service cases"),
    "satisfaction_last": marked("last satisfaction score"),
    "days_since_seen": marked("days since last heard of"),
}
"""Names of the computed traits that come with Cauce, in the order in which they are shown."""
PROPERTIES = {
    "context.campaign.name": marked("campaign"),
    "category": marked("category"),
    "channel": marked("channel"),
    "price": marked("price"),
    "product_id": marked("product"),
    "score": marked("score"),
    "store_id": marked("store"),
    "total": marked("total"),
}
"""Properties that the packaged computed traits read."""
COMPUTES = {
    "count": marked("how many times: %(what)s"),
    "sum": marked("sum of %(property)s: %(what)s"),
    "average": marked("mean of %(property)s: %(what)s"),
    "min": marked("smallest %(property)s: %(what)s"),
    "max": marked("largest %(property)s: %(what)s"),
    "first": marked("first %(property)s: %(what)s"),
    "last": marked("latest %(property)s: %(what)s"),
    "most_frequent": marked("most frequent %(property)s: %(what)s"),
    "unique_count": marked("how many different %(property)s: %(what)s"),
    "list": marked("the latest %(limit)s %(property)s: %(what)s"),
    "days_since": marked("days since the latest: %(what)s"),
}
OPERATORS = {
    "eq": marked("is"),
    "ne": marked("is not"),
    "gt": marked("is more than"),
    "gte": marked("is at least"),
    "lt": marked("is less than"),
    "lte": marked("is at most"),
    "in": marked("is one of"),
    "not_in": marked("is none of"),
    "exists": marked("is there"),
    "contains": marked("contains"),
}
RULES = {
    "steward": marked("decided by hand"),
    "latest": marked("the latest of several"),
    "source_order": marked("from the source that is trusted most"),
    "most_frequent": marked("told most often"),
    "longest": marked("the longest of several"),
    "only": marked("the only value"),
}
ONLY = "only"
REASONS = {
    Why.LIMIT: marked("there would be more of this kind than one person has: %(detail)s"),
    Why.UNIQUE: marked("a person has only one of this kind: %(detail)s"),
    Why.REFUSAL: marked("somebody decided that they are two people"),
    Why.SHARED: marked("several people share it: %(detail)s"),
    Why.KIND: marked("this kind joins nobody: %(detail)s"),
    Why.OVERSIZE: marked("too many identifiers hang together"),
    Why.RETRACTED: marked("somebody decided that this evidence does not count"),
}
DECISIONS = {
    "refused": marked("are not the same person"),
    "joined": marked("are the same person"),
    "retracted": marked("the evidence between them does not count"),
}
PURPOSES = {
    "marketing": marked("marketing"),
    "analytics": marked("analytics"),
    "personalisation": marked("personalisation"),
    "profiling": marked("profiling"),
    "newsletter": marked("newsletter"),
}
ICONS = (
    ("bag", ("order completed", "receipt issued", "order picked up", "purchase")),
    ("back", ("returned", "refunded", "cancelled")),
    ("cart", ("product added", "product removed", "cart", "checkout", "coupon")),
    ("eye", ("viewed", "clicked", "searched", "tried", "wishlist")),
    ("consent", ("consent",)),
    ("card", ("loyalty", "points")),
    ("call", ("call", "case", "lead")),
    ("mail", ("email",)),
    ("chat", ("message", "conversation")),
    ("star", ("survey", "review", "rating")),
    ("store", ("store", "till")),
    ("key", ("signed", "logged", "registered", "application", "installed")),
)
"""Symbol by what the name of an event contains, the first that fits."""
ICONS_BY_TYPE = {"page": "page", "screen": "page", "identify": "person", "alias": "person", "decision": "key"}
TOLD = (
    "query", "text", "title", "path", "store_name", "store_id", "subject", "topic", "reason", "resolution", "campaign",
    "purpose", "rating", "score", "comment", "step", "points", "outcome", "name",
)  # fmt: skip
"""Properties that say most about an event, in the order in which they are shown."""
FREE_TEXT = frozenset(
    ("text", "comment", "subject", "title", "path", "query", "name", "reason", "resolution", "topic", "outcome")
)
"""Properties in which anybody may have written anything: not for those who see no personal data."""
DETAILS_CHARACTERS_MAX = 240


def icon_of(event: Event) -> str:
    """The symbol of an event: by its type, else by what its name says."""
    name = event.name.casefold()
    by_name = next((icon for icon, parts in ICONS if event.type == "track" and any(part in name for part in parts)), "")
    return by_name or ICONS_BY_TYPE.get(event.type, "dot")


def trait_name(words: Words, name: str) -> str:
    return words.say(TRAITS[name]) if name in TRAITS else plain(name)


def computed_name(words: Words, name: str) -> str:
    return words.say(COMPUTED[name]) if name in COMPUTED else plain(name)


def computed_rank(name: str) -> tuple[int, str]:
    """Where a computed trait stands: ours in their own order, then the others by name."""
    known = list(COMPUTED)
    return (known.index(name) if name in COMPUTED else len(known), name)


def purpose_name(words: Words, name: str) -> str:
    return words.say(PURPOSES[name]) if name in PURPOSES else plain(name)


def event_name(words: Words, event: Event) -> str:
    """What an event is called: pages and screens by their own names, which the company gave them."""
    if event.name:
        return words.event(event.name) if event.type == "track" else event.name
    return words.event(event.type)


def trait_value(words: Words, name: str, value: Any) -> str:
    """The value of a trait in words: countries, languages and genders by their names."""
    if isinstance(value, str):
        text = value.strip()
        if name == "gender" and text.casefold() in GENDERS:
            return words.say(GENDERS[text.casefold()])
        if name == "country" and len(text) == 2:
            return str(words.locale.territories.get(text.upper(), value))
        if name in ("language", "locale") and len(text) == 2:
            return str(words.locale.languages.get(text.lower(), value))
    return words.value(value)


def definition_in_words(words: Words, definition: Definition) -> str:
    """What a computed trait computes, in one sentence without its full stop."""
    sentence = words.say(
        COMPUTES[definition.compute],
        property=_property(words, definition.property),
        limit=words.number(definition.limit),
        what=_over(words, definition),
    )
    parts = [sentence, *(_condition(words, condition) for condition in definition.where)]
    if definition.window_days:
        parts.append(words.count("within the last day", "within the last %(num)s days", definition.window_days))
    return ", ".join(parts)


def _property(words: Words, path: str) -> str:
    """What a path reads in words: `products[].category` is the category."""
    last = path.rpartition(".")[2].removesuffix("[]")
    known = PROPERTIES.get(path) or PROPERTIES.get(last)
    return words.say(known) if known else plain(last)


def _over(words: Words, definition: Definition) -> str:
    named = [words.event(each) for each in (*definition.events, *definition.types)]
    text = words.list(named) if named else words.say(marked("any event"))
    if definition.channels:
        channels = words.list([words.channel(channel) for channel in definition.channels])
        return words.say(marked("%(events)s in %(channels)s"), events=text, channels=channels)
    return text


def _condition(words: Words, condition: Condition) -> str:
    operator = words.say(OPERATORS[condition.op])
    if condition.op == "exists":
        text = operator if condition.value else words.say(marked("is not there"))
        return words.say(
            marked("where %(property)s %(rest)s"), property=_property(words, condition.property), rest=text
        )
    rest = f"{operator} {words.value(condition.value)}"
    return words.say(marked("where %(property)s %(rest)s"), property=_property(words, condition.property), rest=rest)


def why_it_won(words: Words, trait: GoldenTrait, *, personal: bool) -> str:
    """Why a value of the golden record survived; what somebody wrote freely only for those who see personal data."""
    if trait.rule == "steward":
        by, _, reason = trait.why.partition(" decided it")
        said = words.say(marked("decided by %(who)s"), who=by)
        return f"{said}{reason}" if reason and personal else said
    rule = trait.rule if trait.others else ONLY
    return words.say(RULES[rule])


def evidence_in_words(words: Words, evidence: Evidence) -> str:
    """What was seen that names two identifiers together."""
    if evidence.rule == "steward":
        return words.say(
            marked("%(who)s decided it on %(day)s"), who=evidence.source, day=words.short_day(evidence.occurred)
        )
    return words.say(
        marked("%(times)s, first on %(day)s by %(source)s"),
        times=times_in_words(words, evidence.support),
        day=words.short_day(evidence.occurred),
        source=evidence.source,
    )


def times_in_words(words: Words, support: int) -> str:
    """How often evidence was seen: counted up to 4."""
    if support >= 4:
        return words.say(marked("4 events or more"))
    return words.count("%(num)s event", "%(num)s events", support)


def kept_apart(words: Words, evidence: Evidence, shared: str) -> str:
    """Why a link joins nobody, `shared` naming an identifier of several people as it may be shown; "" when it joins."""
    if evidence.joined:
        return ""
    detail = words.kind(evidence.detail) if ":" not in evidence.detail else shared
    return words.say(REASONS[evidence.why], detail=detail)


def details_of(words: Words, event: Event, *, personal: bool) -> str:
    """The few properties that say most about an event, in one line."""
    properties = event.properties
    parts = _named_products(properties.get("products"))
    known = {event.name.casefold()}
    for key in TOLD:
        value = properties.get(key)
        if not isinstance(value, str | int | float) or isinstance(value, bool) or len(parts) >= 4:
            continue
        if key in FREE_TEXT and not personal:
            continue
        text = words.value(value)
        # A page's title mostly repeats its name.
        if text.casefold() in known or (event.name and text.casefold().startswith(event.name.casefold())):
            continue
        known.add(text.casefold())
        parts.append(text)
    amount = next((properties[key] for key in ("total", "revenue", "value", "price") if key in properties), None)
    if isinstance(amount, int | float) and not isinstance(amount, bool) and abs(amount) < 1e15:
        parts.append(words.money(float(amount), currency_of(properties)))
    if event.type == "identify" and personal:
        told = [
            f"{trait_name(words, name)}: {trait_value(words, name, value)}"
            for name, value in list(event.traits.items())[:4]
        ]
        parts.append(", ".join(told))
    return " · ".join(part for part in parts if part)[:DETAILS_CHARACTERS_MAX]


def currency_of(properties: dict[str, Any]) -> str:
    currency = properties.get("currency")
    return currency.upper()[:8] if isinstance(currency, str) else ""


def _named_products(products: Any) -> list[str]:
    if not isinstance(products, list):
        return []
    listed: Sequence[Any] = [each for each in products[:4] if isinstance(each, dict)]
    named = [str(each.get("name") or each.get("sku") or each.get("product_id") or "") for each in listed]
    text = ", ".join(name for name in named[:3] if name)
    return [text + (" …" if len(products) > 3 else "")] if text else []
