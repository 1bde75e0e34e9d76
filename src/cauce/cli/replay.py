"""`cauce replay`: rebuilds all state from the log and compares it with what is there."""

from __future__ import annotations

from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cauce.app import Platform
from cauce.cli.main import errors, json_option, output, pass_platform, table


@click.command()
@click.option(
    "--apply", is_flag=True, help="Put the rebuilt state in the place of the old one (Cauce must be stopped)."
)
@json_option
@pass_platform
def replay(platform: Platform, apply: bool, as_json: bool) -> None:
    """Rebuild all state from the log beside the present one, and compare the two."""
    with Progress(
        TextColumn("rebuilding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=errors,
        disable=as_json,
    ) as progress:  # fmt: skip
        task = progress.add_task("records", total=None)
        report = platform.replay(
            apply=apply, on_progress=lambda done, total: progress.update(task, completed=done, total=total)
        )
    output(as_json, report, _table)
    if not report.equal:
        raise SystemExit(1)


def _table(report: Any) -> Table:
    title = f"{report.records:,} records replayed: {'equal' if report.equal else 'not equal'}"
    rows = table("table", "rows", "equal", "first differences", title=title)
    for each in report.tables:
        rows.add_row(each.name, f"{each.rows:,}", "✓" if each.equal else "✗", "\n".join(each.differences))
    return rows
