"""`cauce export`: views as files for other programs, and everything known of one person."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cauce.app import Platform
from cauce.app.dossier import LIMITS, dossier, json_of
from cauce.cli.main import errors, json_option, output, pass_platform
from cauce.events import export as exports

VIEWS = ("events", "people", "identifiers", "traits", "links")


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
    document = dossier(platform, key)
    text = json_of(document)
    if path is None:
        sys.stdout.write(text.decode())
        return
    path.write_bytes(text)
    summary = {"path": str(path), "person": document["person"], "events": len(document["events"]), "bytes": len(text)}
    output(as_json, summary, lambda found: f"{found['person']}: {found['events']} events in {path}")
