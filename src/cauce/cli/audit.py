"""`cauce audit`: who did what, and who looked at whom."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.table import Table

from cauce.access.api import Filter
from cauce.app import Platform
from cauce.cli.main import json_option, output, pass_platform, table
from cauce.errors import DefinitionInvalid
from cauce.model import from_iso, to_iso


@click.command()
@click.option("--actor", default="", help="Only what this account, token or user did.")
@click.option("--action", default="", help="Only this action, or a whole area: source.added, person.")
@click.option("--subject", default="", help="Only what was done to this source, account, person …")
@click.option("--after", default="", help="From this ISO date or moment on.")
@click.option("--before", default="", help="Before this ISO date or moment.")
@click.option("--cursor", type=int, default=0, help="The next page: the cursor that the one before ended with.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="Most entries shown.")
@json_option
@pass_platform
def audit(platform: Platform, /, cursor: int, limit: int, as_json: bool, **wanted: str) -> None:
    """Show the audit trail, newest first: sign-ins, changes, looks at people, exports and erasures.

    \b
    cauce audit --action person --after 2026-11-01
    cauce audit --actor ana --json
    """
    after, before = _moment(wanted.pop("after"), "after"), _moment(wanted.pop("before"), "before")
    page = platform.audit.entries(Filter(**wanted, after=after, before=before), cursor=cursor, limit=limit)
    entries = [{**msgspec.to_builtins(entry), "happened": to_iso(entry.happened)} for entry in page.entries]
    output(as_json, {"entries": entries, "cursor": page.cursor}, _table)


def _moment(text: str, name: str) -> int:
    try:
        return from_iso(text) if text else 0
    except ValueError:
        raise DefinitionInvalid(
            f"expected {name} to be an ISO date or moment such as 2026-11-21, got {text!r}"
        ) from None


def _table(value: dict[str, Any]) -> Table | str:
    if not value["entries"]:
        return "There are no such entries."
    further = f"more: --cursor {value['cursor']}" if value["cursor"] else None
    shown = table("when", "who", "what", "whom", "details", "from")
    shown.caption = further
    for one in value["entries"]:
        details = ", ".join(f"{name}={said}" for name, said in one["details"].items() if said != "")
        shown.add_row(one["happened"], one["actor"] or "–", one["action"], one["subject"], details, one["address"])
    return shown
