"""`cauce export`: views as files for other programs, and everything known of one person."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cauce.app import Platform
from cauce.cli.main import errors, json_option, output, pass_platform
from cauce.events import export as exports
from cauce.events.sql import Limits
from cauce.model import to_iso

VIEWS = ("events", "people", "identifiers", "traits", "links")
MOMENTS = ("occurred", "received", "known_since", "first_seen", "last_seen")
"""Names of fields that hold microseconds."""

LIMITS = Limits(seconds=24 * 3_600.0, memory_mb=2_048)


def readable(value: Any, name: str = "") -> Any:
    """A document with moments as ISO 8601, for people to read."""
    if isinstance(value, dict):
        return {key: readable(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [readable(inner, name) for inner in value]
    is_moment = isinstance(value, int) and name.endswith(MOMENTS) and value > 0
    return to_iso(value) if is_moment else value


@click.group()
def export() -> None:
    """Write everything of one kind to a file, or everything about one person."""


def _view_command(view: str) -> click.Command:
    @click.command(name=view, help=f"Write all {view} to FILE.")
    @click.option(
        "--to",
        "path",
        required=True,
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File to write; it is there only when it is whole.",
    )
    @click.option("--format", "format_", type=click.Choice(list(exports.FORMATS)), help="Default: by FILE's ending.")
    @json_option
    @pass_platform
    def command(platform: Platform, path: Path, format_: Any, as_json: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=errors, transient=True, disable=as_json) as progress:
            task = progress.add_task(f"{view} → {path.name}", total=1.0)
            written = exports.export_view(
                platform.sql_engine(LIMITS),
                view,
                path,
                format_ or exports.format_of(path),
                lambda fraction: progress.update(task, completed=fraction),
            )
        output(as_json, written, lambda _: f"{written.rows:,} {view} in {written.path} ({written.bytes:,} bytes)")

    return command


for _view in VIEWS:
    export.add_command(_view_command(_view))


@export.command()
@click.argument("key")
@click.option(
    "--to", "path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Default: print it."
)
@json_option
@pass_platform
def person(platform: Platform, key: str, path: Path | None, as_json: bool) -> None:
    """Write all that is stored about a person as JSON, to answer a request for access. KEY is kind:value or an id."""
    found = platform.people.locate(key)
    known = {
        "profile": readable(msgspec.to_builtins(platform.profiles.profile(found.id))),
        "links": readable(msgspec.to_builtins(platform.people.links(found.id))),
    }
    events = exports.events_of(platform.sql_engine(LIMITS), [member.id for member in found.identifiers])
    document = exports.person_document(found.text, known, events)
    text = msgspec.json.format(msgspec.json.encode(document), indent=2)
    if path is None:
        sys.stdout.write(text.decode() + "\n")
        return
    path.write_bytes(text + b"\n")
    summary = {"path": str(path), "person": found.text, "events": len(events), "bytes": len(text) + 1}
    output(as_json, summary, lambda _: f"{found.text}: {len(events)} events in {path}")
