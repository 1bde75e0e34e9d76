"""`cauce sources`: who may send events."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.table import Table

from cauce.app import Platform
from cauce.cli.main import json_option, output, pass_platform, user
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
    """Show the source NAME and its keys by their last characters."""
    value = {"source": platform.sources.get(name), "keys": platform.sources.keys(name)}
    output(as_json, value, _shown)


def _shown(value: dict[str, Any]) -> str:
    fields = msgspec.structs.asdict(value["source"])
    lines = [f"{field}: {text}" for field, text in fields.items()]
    for key in value["keys"]:
        ended = f", revoked {to_iso(key.revoked)}" if key.revoked else ""
        lines.append(f"key …{key.hint}: made {to_iso(key.created)}{ended}")
    return "\n".join(lines)


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
