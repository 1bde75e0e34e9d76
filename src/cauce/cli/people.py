"""`cauce people`: who somebody is, what they did, what they allow; and erasing somebody."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import json_option, output, pass_platform, user
from cauce.http import people as described
from cauce.identity.api import text_of


@click.group()
def people() -> None:
    """Look at a person: KEY is kind:value, such as email:ana@example.com, or a person id."""


@people.command()
@click.argument("key")
@click.option("--as-of", metavar="MOMENT", help="The profile as it was known then (ISO date or time).")
@json_option
@pass_platform
def show(platform: Platform, key: str, as_of: str | None, as_json: bool) -> None:
    """Show the golden record, identifiers, computed traits and consents of a person."""
    person = platform.people.locate(key).id
    profile = (
        platform.profiles.profile(person, as_of=described.moment(as_of)) if as_of else platform.profiles.profile(person)
    )
    output(as_json, described.described(profile), _shown)


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
    page = platform.profiles.timeline(
        platform.people.locate(key).id, cursor=cursor, limit=limit, channels=channels, events=events
    )
    found = {"events": [described.event_described(entry.event) for entry in page.events], "cursor": page.cursor}
    output(as_json, found, _timeline)


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
    position = platform.decide("person.erased", {"identifiers": identifiers, "suppress": suppress}, user())
    found = {"person": text_of(person), "identifiers": len(identifiers), "decision": position}
    output(as_json, found, lambda _: f"erased: {len(identifiers)} identifiers and everything stored by them")


def _shown(found: dict[str, Any]) -> Group:
    identifiers = Table("kind", "value", "first seen", "shared", title="identifiers")
    for one in found["identifiers"]:
        identifiers.add_row(one["kind"], one["value"], one["first_occurred"], "yes" if one["shared"] else "")
    golden = Table("trait", "value", "why", "others", title="golden record")
    for name, trait in found["traits"].items():
        golden.add_row(name, _text(trait["value"]), trait["why"], ", ".join(_text(o["value"]) for o in trait["others"]))
    computed = Table("trait", "value", title="computed traits")
    for name, value in found["computed"].items():
        computed.add_row(name, _text(value))
    consents = Table("purpose", "channel", "granted", "by", title="consents")
    for consent in found["consents"]:
        consents.add_row(
            consent["purpose"], consent["channel"], str(consent["granted"]), consent["decided_by"]["source"]
        )
    head = Text(
        f"{found['id']} · {found['events']:,} events in {', '.join(found['channels']) or 'no channel'} · "
        f"{found['first_seen']} – {found['last_seen']} · as of {found['as_of']}"
    )
    return Group(head, identifiers, golden, computed, consents)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _timeline(found: dict[str, Any]) -> Group:
    table = Table("occurred", "channel", "event", "identifiers", "properties")
    for event in found["events"]:
        table.add_row(
            event["occurred"],
            event["channel"],
            event["name"] or event["type"],
            ", ".join(event["identifiers"]),
            _text(event["properties"])[:160],
        )
    return Group(table, Text(f"next: --cursor {found['cursor']}" if found["cursor"] else "that is all"))
