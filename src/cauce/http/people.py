"""`GET /v1/people/{kind:value}`: the profile, its parts, and the timeline, for any tool that asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cauce.errors import DefinitionInvalid, Unreadable
from cauce.http.guard import permitted
from cauce.http.readers import Readers
from cauce.identity.api import text_of
from cauce.model import from_iso, to_iso

if TYPE_CHECKING:
    from cauce.app import Platform
    from cauce.profiles.api import Profile, TimelineEvent, TimelinePage

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


Answer = Callable[["Platform", Request, int], dict[str, Any]]


def routes(platform: Platform, readers: Readers) -> list[Route]:
    """The routes of the people API; every one wants an access key (`Authorization: Bearer …`)."""

    async def endpoint(request: Request) -> Response:
        permitted(request, "people.personal")
        key, part = named(request)
        found = await readers.ask(lambda: answered(platform, request, key, part))
        return Response(msgspec.json.encode(found), media_type="application/json", headers=HEADERS)

    # One route: only the path as it was sent tells a slash of the value (%2F) from one of the address.
    return [Route("/v1/people/{key:path}", endpoint, methods=["GET"])]


def named(request: Request) -> tuple[str, str]:
    """(key, part) that the address names: `own:a%2Fb/traits` is (*own:a/b*, *traits*)."""
    raw = request.scope.get("raw_path") or quote(request.url.path).encode()
    *rest, last = raw.partition(b"?")[0].decode("latin-1").split("/v1/people/", 1)[-1].split("/")
    if rest and last in PARTS:
        return unquote("/".join(rest)), last
    return unquote("/".join([*rest, last])), ""


def answered(platform: Platform, request: Request, key: str, part: str) -> dict[str, Any]:
    """What is known of the person whom `key` names; NotFound when there is none, Unreadable for wrong parameters."""
    try:
        return PARTS[part](platform, request, platform.people.locate(key).id)
    except DefinitionInvalid as fault:
        raise Unreadable(fault.message, hint=fault.hint) from None


def person(platform: Platform, request: Request, found: int) -> dict[str, Any]:
    """The whole profile, today or `?as_of=` an ISO moment."""
    as_of = request.query_params.get("as_of")
    return described(platform.profiles.profile(found, as_of=moment(as_of) if as_of else None))


def moment(text: str) -> int:
    """Microseconds of an ISO moment or day (its end); DefinitionInvalid otherwise."""
    # A plus sign that was not encoded arrives as a blank.
    text = text.strip().replace(" ", "+") if "T" in text else text.strip()
    try:
        return from_iso(text) if "T" in text or " " in text else from_iso(f"{text}T23:59:59.999999")
    except ValueError:
        raise DefinitionInvalid(f"expected as_of to be an ISO date or time such as 2026-11-21, got {text!r}") from None


def described(profile: Profile) -> dict[str, Any]:
    """A profile as plain values: ids as text, times in ISO."""
    names = {member.id: str(member) for member in profile.identifiers}
    return {
        "id": text_of(profile.person),
        "identifiers": [identifier_described(member) for member in profile.identifiers],
        "traits": golden_described(profile.traits, names),
        "computed": profile.computed,
        "consents": [consent_described(consent, names) for consent in profile.consents],
        "channels": profile.channels,
        "first_seen": iso(profile.first_seen),
        "last_seen": iso(profile.last_seen),
        "events": profile.events,
        "as_of": iso(profile.as_of),
    }


def traits(platform: Platform, _request: Request, found: int) -> dict[str, Any]:
    """The golden record and the computed traits."""
    return {
        "id": text_of(found),
        "traits": golden_described(platform.profiles.traits(found), names_of(platform, found)),
        "computed": platform.profiles.values_of(found),
    }


def identifiers(platform: Platform, _request: Request, found: int) -> dict[str, Any]:
    """Everything that the person is known by."""
    return {
        "id": text_of(found),
        "identifiers": [identifier_described(member) for member in platform.people.members(found)],
    }


def timeline(platform: Platform, request: Request, found: int) -> dict[str, Any]:
    """A page of events, newest first: `?limit=`, `?cursor=` of the page before, repeatable `?channel=`, `?event=`."""
    query = request.query_params
    limit = query.get("limit", "50")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 10):
        raise DefinitionInvalid(f"expected limit to be a whole number, got {limit!r}")
    wanted = {"channels": query.getlist("channel"), "events": query.getlist("event")}
    page = platform.profiles.timeline(found, cursor=query.get("cursor", ""), limit=int(limit), **wanted)
    return {"id": text_of(found), **page_described(page)}


def page_described(page: TimelinePage) -> dict[str, Any]:
    """A page of the timeline as plain values."""
    return {"events": [entry_described(entry) for entry in page.events], "cursor": page.cursor}


def consents(platform: Platform, _request: Request, found: int) -> dict[str, Any]:
    """What the person allows, per purpose and channel, and who said so when."""
    names = names_of(platform, found)
    return {
        "id": text_of(found),
        "consents": [consent_described(consent, names) for consent in platform.profiles.consents(found)],
    }


PARTS: dict[str, Answer] = {
    "": person,
    "traits": traits,
    "identifiers": identifiers,
    "timeline": timeline,
    "consents": consents,
}
"""What may be asked of a person, by the last part of the address."""


def names_of(platform: Platform, found: int) -> dict[int, str]:
    """The identifiers of a person as `kind:value`, by id."""
    return {member.id: str(member) for member in platform.people.members(found)}


def iso(microseconds: int | None) -> str | None:
    return None if microseconds is None else to_iso(microseconds)


def identifier_described(member: Any) -> dict[str, Any]:
    return {
        "kind": member.kind,
        "value": member.value,
        "first_occurred": iso(member.first_occurred),
        "known_since": iso(member.known_since),
        "shared": member.shared,
    }


def golden_described(golden: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    return {
        name: {
            "value": trait.value,
            "why": trait.why,
            "rule": trait.rule,
            "source": trait.source,
            "occurred": iso(trait.occurred),
            "event": trait.event,
            "identifier": names.get(trait.identifier, ""),
            "others": [
                {"value": other.value, "source": other.source, "occurred": iso(other.occurred), "times": other.times}
                for other in trait.others
            ],
        }
        for name, trait in golden.items()
    }


def consent_described(consent: Any, names: dict[int, str]) -> dict[str, Any]:
    def word(said: Any) -> dict[str, Any]:
        return {
            "granted": said.granted,
            "occurred": iso(said.occurred),
            "source": said.source,
            "said": said.said,
            "identifier": names.get(said.identifier, ""),
        }

    return {
        "purpose": consent.purpose,
        "channel": consent.channel,
        "granted": consent.granted,
        "decided_by": word(consent.word),
        "history": [word(said) for said in consent.history],
    }


def entry_described(entry: TimelineEvent) -> dict[str, Any]:
    """One event of a timeline; `device` is there only when a shared device lent it."""
    event = entry.event
    found = {
        "id": event.id,
        "type": event.type,
        "name": event.name,
        "channel": event.channel,
        "source": event.source,
        "occurred": iso(event.occurred),
        "received": iso(event.received),
        "identifiers": [f"{kind}:{value}" for kind, value in event.identifiers],
        "traits": event.traits,
        "properties": event.properties,
        "context": event.context,
    }
    return found | {"device": entry.device} if entry.device else found
