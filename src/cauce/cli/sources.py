"""`cauce sources`: who may send events."""

from __future__ import annotations

import sys
from typing import Any, TextIO

import click
import msgspec
from rich.table import Table

from cauce import registry
from cauce.app import Platform
from cauce.cli.main import json_option, output, pass_platform, user
from cauce.events.connections import CHARACTERS_MAX, PURPOSES, Secret
from cauce.events.sources import MODES
from cauce.http.snippets import snippets
from cauce.model import Source, to_iso


def _url(platform: Platform) -> str:
    return f"http://{platform.settings.host}:{platform.settings.port}"


@click.group()
def sources() -> None:
    """Who may send events: sources and their write keys."""


@sources.command("add")
@click.argument("name")
@click.option("--channel", required=True, help="Channel of its events: web, app, store, call_centre, e-mail …")
@click.option("--region", default="ES", show_default=True, help="Country whose national phone numbers it sends.")
@click.option("--user-id-kind", default="user_id", show_default=True, help="Kind of identifier that its userId is.")
@click.option("--shared-device", is_flag=True, help="A till, tablet or kiosk that many people use.")
@click.option("--mode", type=click.Choice(MODES), default="quarantine", show_default=True, help="On broken contracts.")
@click.option("--event-bytes-max", type=int, default=0, help="Bound of one event in bytes; 0 for the installation's.")
@json_option
@pass_platform
def add(platform: Platform, /, name: str, as_json: bool, **habits: Any) -> None:
    """Add the source NAME and print its write key, once."""
    source = Source(name, **habits)
    key = platform.sources.add(source, by=user())
    output(as_json, {"source": source, "key": key, "snippets": snippets(_url(platform), key)}, _added)


def _added(value: dict[str, Any]) -> str:
    pasted = "\n\n".join(f"{name}:\n\n{text}" for name, text in value["snippets"].items())
    return f"Write key of {value['source'].name} (shown only now): {value['key']}\n\n{pasted}"


@sources.command("list")
@json_option
@pass_platform
def list_(platform: Platform, as_json: bool) -> None:
    """List all sources."""
    output(as_json, platform.sources.list(), _table)


def _table(found: list[Source]) -> Table | str:
    if not found:
        return "There are no sources yet; `cauce sources add NAME --channel web` adds one."
    table = Table("source", "channel", "region", "userId is", "shared device", "broken contract", "enabled")
    for source in found:
        table.add_row(
            source.name, source.channel, source.region, source.user_id_kind, "yes" if source.shared_device else "no",
            source.mode, "yes" if source.enabled else "no",
        )  # fmt: skip
    return table


@sources.command("show")
@click.argument("name")
@json_option
@pass_platform
def show(platform: Platform, name: str, as_json: bool) -> None:
    """Show the source NAME, its keys by their last characters, and its secrets by the digits they are known by."""
    connections = platform.sources.connections
    value = {
        "source": platform.sources.get(name),
        "keys": platform.sources.keys(name),
        "secrets": connections.secrets(name),
        "connections": connections.connections(name),
    }
    output(as_json, value, _shown)


def _shown(value: dict[str, Any]) -> str:
    fields = msgspec.structs.asdict(value["source"])
    lines = [f"{field}: {text}" for field, text in fields.items()]
    for key in value["keys"]:
        ended = f", revoked {to_iso(key.revoked)}" if key.revoked else ""
        lines.append(f"key …{key.hint}: made {to_iso(key.created)}{ended}")
    lines += [_told(secret) for secret in value["secrets"]]
    for connection in value["connections"]:
        known = {"webhooks to": connection.public_url, "API at": connection.api_url}
        said = ", ".join(f"{word} {url}" for word, url in known.items() if url)
        fetched = f"fetched until {to_iso(connection.reconciled)}" if connection.reconciled else "never fetched"
        lines.append(f"{connection.connector}: {', '.join(filter(None, (said, fetched)))}")
    return "\n".join(lines)


def _told(secret: Secret) -> str:
    ended = f", revoked {to_iso(secret.revoked)}" if secret.revoked else ""
    return f"secret {secret.hint} ({secret.connector}, {secret.purpose}): since {to_iso(secret.created)}{ended}"


@sources.command("rotate")
@click.argument("name")
@json_option
@pass_platform
def rotate(platform: Platform, name: str, as_json: bool) -> None:
    """Make a further write key for NAME; the older ones work until they are revoked."""
    key = platform.sources.rotate(name, by=user())
    output(as_json, {"source": name, "key": key}, lambda value: f"Write key of {name} (shown only now): {value['key']}")


@sources.command("revoke")
@click.argument("name")
@click.argument("ending")
@json_option
@pass_platform
def revoke(platform: Platform, name: str, ending: str, as_json: bool) -> None:
    """Revoke the key of NAME whose last characters are ENDING."""
    platform.sources.revoke(name, ending, by=user())
    output(as_json, {"source": name, "revoked": ending[-4:]}, lambda _: f"The key …{ending[-4:]} of {name} is revoked.")


@sources.command("change")
@click.argument("name")
@click.option("--channel", help="Channel of its events.")
@click.option("--region", help="Country whose national phone numbers it sends.")
@click.option("--mode", type=click.Choice(MODES), help="What a broken contract does.")
@click.option("--shared-device/--own-device", default=None, help="Whether many people use its device.")
@click.option("--event-bytes-max", type=int, help="Bound of one event in bytes; 0 for the installation's.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it may send.")
@json_option
@pass_platform
def change(platform: Platform, /, name: str, as_json: bool, **changes: Any) -> None:
    """Change what is known of the source NAME."""
    told = {field: value for field, value in changes.items() if value is not None}
    output(as_json, platform.sources.change(name, by=user(), **told), lambda source: _table([source]))


@sources.command("secret")
@click.argument("name")
@click.option("--for", "connector", required=True, metavar="SYSTEM", help="shopify, woocommerce, square or stripe.")
@click.option("--purpose", type=click.Choice(PURPOSES), default=PURPOSES[0], show_default=True,
              help="Whether it checks signatures, or opens the system's own API.")  # fmt: skip
@click.option("--file", "file", type=click.File("r"), help="Read it from this file; - for standard input.")
@json_option
@pass_platform
def secret(platform: Platform, name: str, connector: str, purpose: str, file: TextIO | None, as_json: bool) -> None:
    """Take a secret that NAME shares with a system, beside those that hold already.

    It is asked for, or read from a file or from standard input; never from the command line, which others can see.
    """
    _known(connector)
    text = _read(file, f"Secret of {connector} for {name} ({purpose})")
    found = platform.sources.connections.add_secret(name, connector, text, purpose=purpose, by=user())
    output(as_json, found, lambda one: f"{_told(one)}. {_next(platform, name, one)}")


def _read(file: TextIO | None, question: str) -> str:
    """The secret, without its line end; a longer text than any secret is not read to its end."""
    if file is None and sys.stdin.isatty():
        return str(click.prompt(question, hide_input=True, err=True))
    return (file or sys.stdin).read(CHARACTERS_MAX + 2).strip()


def _next(platform: Platform, name: str, one: Secret) -> str:
    if one.purpose != PURPOSES[0]:
        return f"`cauce reconcile {name}` uses it."
    return f"Webhooks go to {_url(platform)}/v1/channels/{one.connector}/{name}, at the address that the world reaches."


def _known(connector: str) -> None:
    """Says which systems there are, when it is none of them."""
    registry.pick(registry.find("cauce.connectors", role="verify"), connector, what="system that signs")


@sources.command("forget")
@click.argument("name")
@click.argument("hint")
@json_option
@pass_platform
def forget(platform: Platform, name: str, hint: str, as_json: bool) -> None:
    """Forget the secret of NAME that is known by the digits HINT; what it signed is refused from now on."""
    platform.sources.connections.revoke_secret(name, hint, by=user())
    output(as_json, {"source": name, "forgotten": hint}, lambda _: f"The secret {hint} of {name} is forgotten.")


@sources.command("connect")
@click.argument("name")
@click.argument("connector", metavar="SYSTEM")
@click.option("--public-url", help="Address that the system sends to, exactly as it is configured there.")
@click.option("--api-url", help="Address of the system's own API, such as https://SHOP.myshopify.com.")
@json_option
@pass_platform
def connect(
    platform: Platform, name: str, connector: str, public_url: str | None, api_url: str | None, as_json: bool
) -> None:
    """Keep the addresses at which NAME and the SYSTEM find each other; an empty one takes it away."""
    _known(connector)
    connections = platform.sources.connections
    found = connections.connect(name, connector, public_url=public_url, api_url=api_url, by=user())
    output(as_json, found, lambda one: f"{name} and {connector}: {one.public_url or '–'}, API at {one.api_url or '–'}")
