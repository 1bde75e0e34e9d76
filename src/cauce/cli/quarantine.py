"""`cauce quarantine`: look at what was refused, mend it, let it in again, or drop it."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec
from rich.table import Table
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import json_option, output, pass_platform, user
from cauce.errors import Conflict, DefinitionInvalid
from cauce.model import to_iso
from cauce.quality.api import STATES, Entry, Group


def filters(function: Any) -> Any:
    """Options that choose entries: `source`, `reason`, `name`."""
    for name, help_text in (
        ("name", "Only events of this name."),
        ("reason", "Only entries with this reason code."),
        ("source", "Only entries of this source."),
    ):
        function = click.option(f"--{name}", metavar="TEXT", help=help_text)(function)
    return function


def by_option(function: Any) -> Any:
    return click.option("--by", default=user, show_default="your user name", help="Who decides.")(function)


@click.group()
def quarantine() -> None:
    """Events that broke their contract: list, mend, replay, drop."""


@quarantine.command("list")
@filters
@click.option("--state", default="open", show_default=True, type=click.Choice([*STATES, "any"]), help="Which entries.")
@click.option("--groups", is_flag=True, help="Count open entries by reason instead.")
@click.option("--after", default=0, metavar="POSITION", help="Go on behind this position.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000), help="Most entries to show.")
@json_option
@pass_platform
def list_entries(platform: Platform, /, *, as_json: bool, groups: bool, state: str, **chosen: Any) -> None:
    """List quarantined events, oldest first."""
    if groups:
        if chosen["reason"] or chosen["name"]:
            raise click.UsageError("--groups can be narrowed by --source only")
        output(as_json, platform.quality.groups(chosen["source"]), _groups)
        return
    entries = platform.quality.entries(state="" if state == "any" else state, **chosen)
    output(as_json, [_brief(entry) for entry in entries], _entries)


@quarantine.command()
@click.argument("position", type=int)
@json_option
@pass_platform
def show(platform: Platform, position: int, as_json: bool) -> None:
    """Show one quarantined event: its reasons, and the event as it was sent."""
    entry = platform.quality.entry(position)
    output(as_json, {**_brief(entry), "raw": entry.document()}, _shown)


@quarantine.command()
@click.argument("position", type=int)
@click.option("--raw", metavar="FILE", type=click.File(encoding="utf-8"), help="The mended event (JSON); - for stdin.")
@by_option
@json_option
@pass_platform
def edit(platform: Platform, position: int, raw: Any, by: str, as_json: bool) -> None:
    """Mend one event in your editor (or from a file) and replay it."""
    entry = platform.quality.entry(position)
    if entry.state != "open":
        raise Conflict(f"entry {position} was already {entry.state}")
    before = json.dumps(entry.document(), indent=2, ensure_ascii=False)
    text = raw.read() if raw else click.edit(before + "\n", extension=".json")
    if text is None or text.strip() == before:
        raise click.ClickException("Nothing was changed.")
    _replay(platform, [position], by=by, as_json=as_json, raw=_json(text, "the mended event"))


@quarantine.command()
@click.argument("positions", type=int, nargs=-1)
@filters
@click.option("--patch", required=True, metavar="JSON", help="JSON merge patch (RFC 7386): null removes a field.")
@by_option
@json_option
@pass_platform
def patch(
    platform: Platform, /, *, positions: tuple[int, ...], patch: str, by: str, as_json: bool, **chosen: Any
) -> None:
    """Patch many events alike and replay them, by position or by filter."""
    _replay(platform, _which(positions, chosen, every=False), by=by, as_json=as_json, patch=_json(patch, "--patch"))


@quarantine.command()
@click.argument("positions", type=int, nargs=-1)
@filters
@click.option("--all", "every", is_flag=True, help="All open entries.")
@by_option
@json_option
@pass_platform
def replay(
    platform: Platform, /, *, positions: tuple[int, ...], every: bool, by: str, as_json: bool, **chosen: Any
) -> None:
    """Replay events as they are, by position or by filter: useful once a contract was changed."""
    _replay(platform, _which(positions, chosen, every=every), by=by, as_json=as_json)


@quarantine.command()
@click.argument("positions", type=int, nargs=-1)
@filters
@click.option("--all", "every", is_flag=True, help="All open entries.")
@click.option("--why", required=True, help="The reason, for the audit trail.")
@by_option
@json_option
@pass_platform
def drop(
    platform: Platform, /, *, positions: tuple[int, ...], every: bool, why: str, by: str, as_json: bool, **chosen: Any
) -> None:
    """Give events up, by position or by filter; they count as suppressed from then on."""
    request = platform.quality.drop_request(_which(positions, chosen, every=every), why)
    platform.decide("quarantine.dropped", request, by)
    dropped = request["positions"]
    output(as_json, {"dropped": dropped}, lambda _: f"{len(dropped)} dropped.")


def _replay(platform: Platform, which: Any, *, by: str, as_json: bool, **mended: Any) -> None:
    request = platform.quality.replay_request(which, **mended)
    positions = [item["position"] for item in request["items"]]
    platform.replay_quarantined(request, by)
    entries = [platform.quality.entry(position) for position in positions]
    still = [_brief(entry) for entry in entries if entry.state == "open"]
    result = {"replayed": [entry.position for entry in entries if entry.state == "replayed"], "still_open": still}
    output(as_json, result, _outcome)


def _which(positions: tuple[int, ...], chosen: dict[str, Any], *, every: bool) -> Any:
    """Positions, or a filter; choosing everything must be said."""
    given = {name: value for name, value in chosen.items() if value is not None}
    if positions and (given or every):
        raise click.UsageError("give positions, or a filter, not both")
    if not positions and not given and not every:
        raise click.UsageError("give positions, or one of --source, --reason, --name")
    return list(positions) if positions else given


def _json(text: str, what: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as fault:
        raise DefinitionInvalid(f"{what} is not JSON: {fault}") from fault


def _brief(entry: Entry) -> dict[str, Any]:
    """An entry without its raw event."""
    return {
        "position": entry.position,
        "source": entry.source,
        "channel": entry.channel,
        "name": entry.name,
        "id": entry.event_id,
        "received": to_iso(entry.received),
        "occurred": to_iso(entry.occurred) if entry.occurred else None,
        "reasons": msgspec.to_builtins(entry.reasons),
        "state": entry.state,
        "decided": to_iso(entry.decided) if entry.decided else None,
        "decided_by": entry.decided_by or None,
        "why": entry.why or None,
    }


def _reason(reason: dict[str, str]) -> str:
    return f"{reason['code']} {reason.get('path', '')}".strip()


def _table(*columns: str) -> Table:
    """Codes and positions stay whole, since they are typed again; the rest is folded."""
    table = Table(box=None, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("position", "reason", "example"))
    return table


def _entries(entries: list[dict[str, Any]]) -> Any:
    if not entries:
        return "Nothing is in quarantine here."
    table = _table("position", "source", "event", "received", "reasons", "state")
    for entry in entries:
        reasons = "\n".join(map(_reason, entry["reasons"]))
        texts = (
            str(entry["position"]),
            entry["source"],
            entry["name"],
            entry["received"][:19],
            reasons,
            entry["state"],
        )
        table.add_row(*map(Text, texts))
    return table


def _groups(groups: list[Group]) -> Any:
    if not groups:
        return "Nothing is in quarantine."
    table = _table("events", "reason", "at", "source", "event", "example")
    for group in groups:
        texts = (str(group.count), group.code, group.path, group.source, group.name, str(group.example))
        table.add_row(*map(Text, texts))
    return table


def _shown(entry: dict[str, Any]) -> None:
    """Plain lines: a table or a console would break the event's long lines."""
    decided = f"{entry['state']} by {entry['decided_by']}" if entry["decided_by"] else entry["state"]
    click.echo(f"{entry['name'] or 'item'} of {entry['source']}, received {entry['received']}, {decided}")
    for reason in entry["reasons"]:
        click.echo(f"  {_reason(reason)}: expected {reason.get('expected', '')}, found {reason.get('found', '')}")
    click.echo(json.dumps(entry["raw"], indent=2, ensure_ascii=False))


def _outcome(result: dict[str, Any]) -> str:
    lines = [f"{len(result['replayed'])} replayed."]
    if result["still_open"]:
        lines.append(f"{len(result['still_open'])} still break their contract:")
        lines += [
            f"  {entry['position']}: {', '.join(map(_reason, entry['reasons']))}" for entry in result["still_open"][:20]
        ]
    return "\n".join(lines)
