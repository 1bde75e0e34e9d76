"""`cauce status`: does the count add up, how far has the river come, who is known."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Group
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import json_option, output, pass_platform, table

FATES = ("received", "stored", "quarantined", "duplicate", "suppressed")


@click.command()
@json_option
@pass_platform
def status(platform: Platform, as_json: bool) -> None:
    """Show for every source: received = stored + quarantined + duplicate + suppressed; and how far the river is."""
    found = platform.status()
    output(as_json, found, _shown)
    if not found["adds_up"]:
        raise SystemExit(1)


def _shown(found: dict[str, Any]) -> Group:
    rows = table("source", *FATES, "adds up")
    for column in rows.columns[1:-1]:
        column.justify = "right"
    for row in found["sources"]:
        rows.add_row(row["source"], *(f"{row[fate]:,}" for fate in FATES), _mark(row["adds_up"]))
    rows.add_section()
    rows.add_row("all", *(f"{found['totals'][fate]:,}" for fate in FATES), _mark(found["adds_up"]))
    return Group(
        rows,
        Text(
            f"{found['people']:,} people · {found['identifiers']:,} identifiers · {found['links']:,} links · "
            f"{found['lag_records']:,} records waiting · runner {'running' if found['runner'] else 'not running'}"
        ),
    )


def _mark(good: bool) -> Text:
    return Text("✓", style="green") if good else Text("✗ no", style="red")
