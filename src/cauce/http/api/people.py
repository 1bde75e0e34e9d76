"""People: who somebody is, what they did, what they allow; taking it all out, and erasing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.access.api import require
from cauce.app.questions import NUMBERS
from cauce.client.types import people as types
from cauce.client.types.basics import Decided, Nothing, Page
from cauce.errors import DefinitionInvalid, Forbidden, NotFound, TooLarge
from cauce.events.export import events_of
from cauce.events.sql import Limits
from cauce.http.api import moments
from cauce.http.api.fitting import Fitting
from cauce.http.api.moments import told
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.sight import PERSONAL, PLAIN, Sight, sight_of
from cauce.identity.api import Evidence, Member, Person, text_of
from cauce.profiles.api import PAGE_EVENTS_MAX, Filter, Profile, TimelineEvent, TimelinePage
from cauce.profiles.consent import Consent, ConsentWord
from cauce.profiles.golden import STEWARD, GoldenTrait
from cauce.profiles.shopping import NAMES, Basket, Look, Product, Sale, shopping_of
from cauce.search.api import Hit

if TYPE_CHECKING:
    from cauce.app import Platform

EXPORT_LIMITS = Limits(seconds=120.0, memory_mb=1_024)
EXPORTED_EVENTS_MAX = 100_000
SHOPPING_EVENTS = PAGE_EVENTS_MAX

Names = dict[int, str]
"""Identifiers of a person as `kind:value`, by id."""


def person_of(call: AnyCall) -> Person:
    """The person whom the path names; NotFound when there is none."""
    return call.platform.people.locate(call.path["key"])


def names_of(members: tuple[Member, ...]) -> Names:
    return {member.id: str(member) for member in members}


# --- telling -------------------------------------------------------------------------------------------------------


def identifier_of(member: Member, sight: Sight) -> types.Identifier:
    return types.Identifier(
        kind=member.kind,
        value=sight.value(member.value),
        first_occurred=told(member.first_occurred),
        known_since=told(member.known_since),
        shared=member.shared,
    )


def trait_of(name: str, trait: GoldenTrait, names: Names, sight: Sight) -> types.Trait:
    return types.Trait(
        value=sight.trait(name, trait.value),
        why=sight.why(trait.why, free=trait.rule == STEWARD),
        rule=trait.rule,
        source=trait.source,
        occurred=told(trait.occurred),
        event=trait.event,
        identifier=sight.key(names.get(trait.identifier, "")),
        others=[
            types.Claim(
                value=sight.trait(name, other.value),
                source=other.source,
                occurred=told(other.occurred),
                times=other.times,
            )
            for other in trait.others
        ],
    )


def word_of(word: ConsentWord, names: Names, sight: Sight) -> types.ConsentWord:
    return types.ConsentWord(
        granted=word.granted,
        occurred=told(word.occurred),
        source=word.source,
        said=word.said,
        identifier=sight.key(names.get(word.identifier, "")),
    )


def consent_of(consent: Consent, names: Names, sight: Sight) -> types.Consent:
    return types.Consent(
        purpose=consent.purpose,
        channel=consent.channel,
        granted=consent.granted,
        decided_by=word_of(consent.word, names, sight),
        history=[word_of(word, names, sight) for word in consent.history],
    )


def profile_of(profile: Profile, sight: Sight = PLAIN) -> types.Profile:
    """A profile as it is told: ids as text, moments as datetimes."""
    names = names_of(profile.identifiers)
    return types.Profile(
        id=text_of(profile.person),
        identifiers=[identifier_of(member, sight) for member in profile.identifiers],
        traits={name: trait_of(name, trait, names, sight) for name, trait in profile.traits.items()},
        computed=profile.computed,
        consents=[consent_of(consent, names, sight) for consent in profile.consents],
        channels=profile.channels,
        first_seen=told(profile.first_seen),
        last_seen=told(profile.last_seen),
        events=profile.events,
        as_of=told(profile.as_of),
    )


def event_of(entry: TimelineEvent, sight: Sight = PLAIN) -> types.TimelineEvent:
    """One event of a timeline."""
    event = entry.event
    return types.TimelineEvent(
        id=event.id,
        type=event.type,
        name=event.name if sight.personal or event.type == "track" else "",
        channel=event.channel,
        source=event.source,
        occurred=told(event.occurred),
        received=told(event.received),
        identifiers=[sight.key(str(identifier)) for identifier in event.identifiers],
        traits=sight.traits(event.traits),
        properties=sight.traits(event.properties),
        context=sight.traits(event.context),
        device=sight.key(entry.device),
    )


def page_of(person: int, page: TimelinePage, sight: Sight = PLAIN) -> types.Timeline:
    """A page of the timeline, with the cursor of the profiles' own."""
    return types.Timeline(
        id=text_of(person), events=[event_of(entry, sight) for entry in page.events], cursor=page.cursor
    )


def evidence_of(evidence: Evidence, sight: Sight) -> types.Evidence:
    shown = msgspec.structs.replace(evidence, a=sight.key(evidence.a), b=sight.key(evidence.b))
    return types.Evidence(
        a=shown.a,
        b=shown.b,
        rule=shown.rule,
        support=shown.support,
        occurred=told(shown.occurred),
        source=shown.source,
        event=sight.why(shown.event, free=shown.rule == STEWARD),
        joined=shown.joined,
        why=str(shown.why),
        in_words=shown.in_words,
    )


# --- asking --------------------------------------------------------------------------------------------------------


def get(call: Call[types.ProfileQuery, None]) -> types.Profile:
    said = call.query.as_of
    as_of = moments.read(said, "as_of", end_of_day=True) if said else None
    found = call.platform.profiles.profile(person_of(call).id, as_of=as_of)
    shown = profile_of(found, sight_of(call.actor))
    return msgspec.structs.replace(shown, computed=computed_of(call, found.computed))


def computed_of(call: AnyCall, values: dict[str, Any]) -> dict[str, Any]:
    """Computed traits as the caller may see them: numbers lead to nobody, values of events may."""
    sight = sight_of(call.actor)
    if sight.personal:
        return values
    numbers = {each.name for each in call.platform.profiles.definitions() if each.compute in NUMBERS}
    return {name: value if name in numbers else sight.trait(name, value) for name, value in values.items()}


def traits(call: Call[Nothing, None]) -> types.Traits:
    person, sight = person_of(call), sight_of(call.actor)
    names = names_of(person.identifiers)
    golden = call.platform.profiles.traits(person.id)
    return types.Traits(
        id=person.text,
        traits={name: trait_of(name, trait, names, sight) for name, trait in golden.items()},
        computed=computed_of(call, call.platform.profiles.values_of(person.id)),
    )


def identifiers(call: Call[Nothing, None]) -> types.Identifiers:
    person, sight = person_of(call), sight_of(call.actor)
    return types.Identifiers(
        id=person.text, identifiers=[identifier_of(member, sight) for member in person.identifiers]
    )


def consents(call: Call[Nothing, None]) -> types.Consents:
    person, sight = person_of(call), sight_of(call.actor)
    names = names_of(person.identifiers)
    found = call.platform.profiles.consents(person.id)
    return types.Consents(id=person.text, consents=[consent_of(consent, names, sight) for consent in found])


def timeline(call: Call[types.TimelineQuery, None]) -> types.Timeline:
    query, person = call.query, person_of(call)
    if query.text:
        # It would tell a value letter by letter to those who do not see it.
        require(call.actor, PERSONAL)
    page = call.platform.profiles.timeline(
        person.id,
        cursor=str(call.place[0]) if call.place else "",
        limit=query.limit,
        only=Filter(
            channels=frozenset(query.channel),
            events=frozenset(query.event),
            text=query.text,
            since=moments.read(query.since, "since") if query.since else None,
            until=moments.read(query.until, "until", end_of_day=True) if query.until else None,
        ),
        as_of=moments.read(query.as_of, "as_of", end_of_day=True) if query.as_of else None,
    )
    shown = page_of(person.id, page, sight_of(call.actor))
    return msgspec.structs.replace(shown, cursor=call.cursor_at((page.cursor,)) if page.cursor else "")


def links(call: Call[Nothing, None]) -> types.Links:
    person, sight = person_of(call), sight_of(call.actor)
    found = call.platform.people.links(person.id)
    return types.Links(id=person.text, links=[evidence_of(evidence, sight) for evidence in found])


def shopping(call: Call[Nothing, None]) -> types.Shopping:
    person = person_of(call)
    page = call.platform.profiles.timeline(person.id, limit=SHOPPING_EVENTS, only=Filter(events=NAMES))
    found = shopping_of(entry.event for entry in page.events)
    return types.Shopping(
        id=person.text,
        looked_at=[look_of(look) for look in found.looked_at],
        baskets=[basket_of(basket) for basket in found.baskets],
        purchases=[sale_of(sale) for sale in found.purchases],
        returns=[sale_of(sale) for sale in found.returns],
        by_channel=[
            types.ChannelSum(
                channel=each.channel, currency=each.currency, count=each.count, amount_millionths=each.amount
            )
            for each in found.by_channel
        ],
        whole=not page.cursor,
    )


def product_of(product: Product) -> types.Product:
    return types.Product(
        key=product.key,
        name=product.name,
        category=product.category,
        price_millionths=product.price,
        currency=product.currency,
        quantity_thousandths=product.quantity,
    )


def look_of(look: Look) -> types.Look:
    return types.Look(
        product=product_of(look.product),
        times=look.times,
        last=told(look.last),
        channel=look.channel,
        bought_before=told(look.bought_before),
    )


def basket_of(basket: Basket) -> types.Basket:
    return types.Basket(
        id=basket.id,
        channel=basket.channel,
        changed=told(basket.changed),
        checkout=told(basket.checkout),
        lines=[
            types.BasketLine(product=product_of(line.product), bought_since=told(line.bought_since))
            for line in basket.lines
        ],
    )


def sale_of(sale: Sale) -> types.Sale:
    return types.Sale(
        id=sale.id,
        channel=sale.channel,
        place=sale.place,
        occurred=told(sale.occurred),
        amount_millionths=sale.amount,
        currency=sale.currency,
        products=[product_of(product) for product in sale.products],
        event=sale.event,
    )


def export(call: Call[Nothing, None]) -> types.Export:
    platform, person = call.platform, person_of(call)
    ids = [member.id for member in person.identifiers]
    rows = events_of(platform.sql_engine(EXPORT_LIMITS), ids, events_max=EXPORTED_EVENTS_MAX + 1)
    if len(rows) > EXPORTED_EVENTS_MAX:
        raise TooLarge(
            f"this person has more than {EXPORTED_EVENTS_MAX} events", hint="Use `cauce export person` on the machine"
        )
    sources: dict[str, int] = {}
    for row in rows:
        sources[row["source"]] = sources.get(row["source"], 0) + 1
    return types.Export(
        person=person.text,
        profile=profile_of(platform.profiles.profile(person.id)),
        links=[evidence_of(evidence, PLAIN) for evidence in platform.people.links(person.id)],
        sources=dict(sorted(sources.items())),
        events=[exported(row) for row in rows],
    )


def exported(row: dict[str, Any]) -> types.TimelineEvent:
    """A row of the view `events` as it is told."""
    identifiers = [f"{each['kind']}:{each['value']}" for each in row["identifiers"]]
    return msgspec.convert({**row, "identifiers": identifiers}, types.TimelineEvent)


def search(call: Call[types.SearchQuery, None]) -> Page[types.Hit]:
    sight = sight_of(call.actor)
    start = str(call.place[0]) if call.place else ""
    # A beginning that fits would tell a value letter by letter.
    query = call.query
    found = call.platform.search.find(query.q, query.limit, start, exact=not sight.personal)
    not_before = moments.read(query.since, "since") if query.since else 0
    wanted = Fitting(query.channel, not_before, query.kind)
    hits = [
        types.Hit(person=hit.text, why=hit.why, kind=hit.kind, matched=matched_of(hit, sight))
        for hit in found.hits
        if wanted.lets_all_pass or fits(call.platform, hit, wanted)
    ]
    return Page(items=hits, cursor=call.cursor_at((found.cursor,)) if found.cursor else "")


def fits(platform: Platform, hit: Hit, wanted: Fitting) -> bool:
    """Whether somebody who was found is wanted; not who was erased meanwhile."""
    try:
        return wanted.lets_pass(platform.profiles.profile(hit.person))
    except NotFound:
        return False


def matched_of(hit: Hit, sight: Sight) -> str:
    return (
        hit.matched
        if hit.kind == "person"
        else sight.name(hit.matched)
        if hit.kind == "name"
        else sight.value(hit.matched)
    )


# --- deciding ------------------------------------------------------------------------------------------------------


def erase(call: Call[Nothing, types.Erase]) -> types.Erased:
    platform, body, person = call.platform, call.body, person_of(call)
    named = {
        "identifiers": [str(member) for member in person.identifiers],
        "suppress": body.suppress,
        "why": body.why,
    }
    platform.people.validate("person.erased", named)
    events = platform.profiles.profile(person.id).events
    if not body.dry_run:
        platform.decide("person.erased", named, call.actor.name)
    return types.Erased(dry_run=body.dry_run, person=person.text, identifiers=len(person.identifiers), events=events)


def set_trait(call: Call[Nothing, types.TraitWord]) -> Decided:
    platform, person = call.platform, person_of(call)
    key = call.path["key"]
    word = {
        # A person's id names its oldest identifier: the word is about the person, whoever was merged into it.
        "identifier": key if ":" in key else str(person.identifiers[0]),
        "trait": call.path["trait"],
        "value": call.body.value,
        "why": call.body.why,
    }
    platform.profiles.validate("trait.set", word)
    return Decided(decision="trait.set", position=platform.decide("trait.set", word, call.actor.name))


def id_of_answer(_call: AnyCall, answer: Any) -> str:
    return str(answer.id)


def id_of_person(call: AnyCall, answer: Any) -> str:
    """The person's id; of an erased one as it was."""
    return str(getattr(answer, "person", "")) or person_of(call).text


def _look(part: str, summary: str, handle: Callable[[Any], Any], answer: Any, **more: Any) -> Operation:
    """An operation that shows somebody."""
    return Operation(
        name=f"people.{part or 'get'}",
        method="GET",
        path="/v1/people/{key}" + (f"/{part}" if part else ""),
        summary=summary,
        permission="people.read",
        handle=handle,
        answer=answer,
        audit="person.seen",
        is_look=True,
        subject=id_of_answer,
        **{"errors": (NotFound,), **more},
    )


OPERATIONS = (
    Operation(
        name="people.search",
        method="GET",
        path="/v1/people",
        summary="Search people",
        description="By any identifier, its beginning or its end, or by name; typing errors are allowed. Without "
        "`people.personal` only what fits exactly is found. With `channel`, `since` or `kind` a page may hold fewer "
        "people than `limit`, and go on all the same.",
        permission="people.read",
        handle=search,
        query=types.SearchQuery,
        answer=Page[types.Hit],
        audit="person.searched",
        is_look=True,
        subject=lambda _call, _answer: "search",
        parameters={"q": "ana garcía"},
    ),
    _look(
        "",
        "Get a person",
        get,
        types.Profile,
        query=types.ProfileQuery,
        description="Golden record, computed traits, identifiers and consents; the events are in the timeline. An id "
        "that was merged away leads to the person that lives on. With `as_of` it is put together anew from the events "
        "that had been received by then, which takes the longer the more there are. Without `people.personal` personal "
        "values are masked, here and in all that follows.",
        errors=(NotFound, TooLarge),
        parameters={"as_of": "2026-11-20"},
    ),
    _look("traits", "Get the golden record and the computed traits", traits, types.Traits),
    _look("identifiers", "Get all that a person is known by", identifiers, types.Identifiers),
    _look("consents", "Get what a person allows", consents, types.Consents),
    _look(
        "timeline",
        "Get the events of a person",
        timeline,
        types.Timeline,
        query=types.TimelineQuery,
        description="All channels, newest first; `as_of` a past moment, as it was known then. A filtered page may hold "
        "fewer events than its limit although more follow: go on until the cursor is empty.",
        errors=(NotFound, TooLarge, Forbidden),
        parameters={"limit": 10, "channel": ["store"]},
    ),
    _look(
        "shopping",
        "Get what a person looked at, left in baskets, bought and gave back",
        shopping,
        types.Shopping,
        description="Worked out of their latest thousand events about products, orders and receipts.",
    ),
    _look("links", "Get why a person's identifiers are together", links, types.Links),
    Operation(
        name="people.export",
        method="GET",
        path="/v1/people/{key}/export",
        summary="Take out everything that is stored about a person",
        description="To hand it to them: profile, evidence, and every event that carries one of their identifiers.",
        permission="people.export",
        handle=export,
        answer=types.Export,
        errors=(NotFound, TooLarge),
        lane="heavy",
        audit="person.exported",
        subject=id_of_person,
    ),
    Operation(
        name="people.erase",
        method="POST",
        path="/v1/people/{key}/erase",
        summary="Erase a person everywhere",
        description="Log, history, state and quarantine. It cannot be undone; `dry_run` says how much it would be.",
        permission="people.erase",
        kept="answer",
        handle=erase,
        body=types.Erase,
        answer=types.Erased,
        errors=(NotFound, DefinitionInvalid),
        lane="write",
        audit="person.erased",
        subject=id_of_person,
        example={"why": "asked for by the customer", "dry_run": True},
    ),
    Operation(
        name="people.set_trait",
        method="PUT",
        path="/v1/people/{key}/traits/{trait}",
        summary="Say as a steward what a trait is",
        description="It wins over every source, until null takes it back.",
        permission="identity.write",
        kept="answer",
        handle=set_trait,
        body=types.TraitWord,
        answer=Decided,
        errors=(NotFound, DefinitionInvalid),
        lane="write",
        audit="trait.set",
        subject=id_of_person,
        example={"value": "Ana María", "why": "said so on the phone"},
    ),
)
