"""`cauce people`: who somebody is, what they did, what they allow; and erasing somebody."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.console import Group
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import Suggesting, json_option, output, pass_platform, table, user
from cauce.http.api import moments
from cauce.http.api.people import page_of, profile_of
from cauce.identity.api import text_of


@click.group(cls=Suggesting)
def people() -> None:
    """Look at a person: KEY is kind:value, such as email:ana@example.com, or a person id."""


@people.command()
@click.argument("text")
@click.option("--limit", default=20, show_default=True, help="People of the page.")
@click.option("--cursor", default="", help="Go on where the page before ended.")
@json_option
@pass_platform
def search(platform: Platform, text: str, limit: int, cursor: str, as_json: bool) -> None:
    """Find people by an identifier, its beginning, or words of a name; errors in typing are forgiven."""
    platform.search.refresh()
    found = platform.search.find(text, limit, cursor)
    hits = [{"id": hit.text, "why": hit.why, "kind": hit.kind, "matched": hit.matched} for hit in found.hits]
    output(as_json, {"hits": hits, "cursor": found.cursor, "more": found.more}, _hits)


@people.command()
@click.argument("key")
@click.option("--as-of", metavar="MOMENT", help="The profile as it was known then (ISO date or time).")
@json_option
@pass_platform
def show(platform: Platform, key: str, as_of: str | None, as_json: bool) -> None:
    """Show the golden record, identifiers, computed traits and consents of a person."""
    person = platform.people.locate(key).id
    moment = moments.read(as_of, "as_of", end_of_day=True) if as_of else None
    output(as_json, msgspec.to_builtins(profile_of(platform.profiles.profile(person, as_of=moment))), _shown)


@people.command()
@click.argument("key")
@click.option("--limit", default=50, show_default=True, help="Events of the page.")
@click.option("--cursor", default="", help="Go on where the page before ended.")
@click.option("--channel", "channels", multiple=True, help="Only this channel; repeatable.")
@click.option("--event", "events", multiple=True, help="Only this event name; repeatable.")
@json_option
@pass_platform
def timeline(
    platform: Platform,
    key: str,
    limit: int,
    cursor: str,
    channels: tuple[str, ...],
    events: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what a person did in all channels, newest first."""
    person = platform.people.locate(key).id
    page = platform.profiles.timeline(person, cursor=cursor, limit=limit, channels=channels, events=events)
    output(as_json, msgspec.to_builtins(page_of(person, page)), _timeline)


@people.command()
@click.argument("key")
@click.option("--suppress/--no-suppress", default=True, help="Refuse later events of the same identifiers (default).")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_platform
def erase(platform: Platform, key: str, suppress: bool, yes: bool, as_json: bool) -> None:
    """Erase a person everywhere: log, history, state and quarantine. It cannot be undone."""
    person = platform.people.locate(key).id
    identifiers = [f"{member.kind}:{member.value}" for member in platform.people.members(person)]
    if not yes:
        click.confirm(f"Erase the person known by {len(identifiers)} identifiers ({key})?", abort=True, err=True)
    erased = {"identifiers": identifiers, "suppress": suppress}
    platform.people.validate("person.erased", erased)
    position = platform.decide("person.erased", erased, user())
    found = {"person": text_of(person), "identifiers": len(identifiers), "decision": position}
    output(as_json, found, lambda _: f"erased: {len(identifiers)} identifiers and everything stored by them")


def _hits(found: dict[str, Any]) -> Group | str:
    if not found["hits"]:
        return "nobody was found"
    rows = table("person", "why", "matched", "kind")
    for hit in found["hits"]:
        rows.add_row(hit["id"], hit["why"], hit["matched"], hit["kind"])
    on = f"next: --cursor {found['cursor']}" if found["cursor"] else ""
    return Group(rows, Text(on or ("there are more: say more of them" if found["more"] else "that is all")))


def _shown(found: dict[str, Any]) -> Group:
    identifiers = table("kind", "value", "first seen", "shared", title="identifiers")
    for one in found["identifiers"]:
        identifiers.add_row(one["kind"], one["value"], _moment(one["first_occurred"]), "yes" if one["shared"] else "")
    golden = table("trait", "value", "why", "other values", title="golden record")
    for name, trait in found["traits"].items():
        others = {_text(other["value"]) for other in trait["others"]} - {_text(trait["value"])}
        golden.add_row(name, _text(trait["value"]), f"{trait['why']}: {trait['source']}", ", ".join(sorted(others)))
    computed = table("trait", "value", title="computed traits")
    for name, value in found["computed"].items():
        computed.add_row(name, "–" if value is None else _text(value))
    consents = table("purpose", "channel", "granted", "by", "since", title="consents")
    for consent in found["consents"]:
        said = consent["decided_by"]
        granted = "yes" if consent["granted"] else "no"
        consents.add_row(consent["purpose"], consent["channel"], granted, said["source"], _moment(said["occurred"]))
    head = Text(
        f"{found['id']} · {found['events']:,} events in {', '.join(found['channels']) or 'no channel'} · "
        f"{_moment(found['first_seen'])} – {_moment(found['last_seen'])} · as of {_moment(found['as_of'])} UTC\n"
    )
    return Group(head, *(part for part in (identifiers, golden, computed, consents) if part.row_count))


def _moment(iso: str | None) -> str:
    """2026-11-18 19:57 of an ISO moment."""
    return "–" if iso is None else iso[:16].replace("T", " ")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _timeline(found: dict[str, Any]) -> Group:
    rows = table("occurred (UTC)", "channel", "event", "properties")
    for event in found["events"]:
        told = ", ".join(f"{name}: {_text(value)}" for name, value in event["properties"].items())
        rows.add_row(_moment(event["occurred"]), event["channel"], event["name"] or event["type"], _cut(told))
    return Group(rows, Text(f"next: --cursor {found['cursor']}" if found["cursor"] else "that is all"))


def _cut(text: str) -> str:
    return text if len(text) <= 120 else text[:119] + "…"
