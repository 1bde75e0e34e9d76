"""`cauce migrate`: from an embedded installation to PostgreSQL, with proof."""

from __future__ import annotations

from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cauce.app.migrate import MigrationReport
from cauce.app.migrate import migrate as migrated
from cauce.cli.main import errors, json_option, output, settings_of, table
from cauce.errors import DefinitionInvalid
from cauce.settings import EMBEDDED


@click.command()
@click.option(
    "--to", "url", metavar="URL", help="Empty database, as postgresql://user@host/name; default: CAUCE_TABLES."
)
@json_option
@click.pass_context
def migrate(context: click.Context, url: str | None, as_json: bool) -> None:
    """Copy an embedded installation into PostgreSQL and prove that both are equal (Cauce must be stopped).

    An interrupted migration goes on when the command is given again.
    """
    settings = settings_of(context)
    target = url or settings.tables
    if target == EMBEDDED:
        raise DefinitionInvalid("expected the database to migrate to", hint="Give --to URL, or set CAUCE_TABLES")
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=errors,
        disable=as_json,
    ) as progress:  # fmt: skip
        tasks: dict[str, Any] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        report = migrated(settings, target, told)
    output(as_json, report, _table)
    if not report.equal:
        raise SystemExit(1)


def _table(report: MigrationReport) -> Table:
    told = "equal" if report.equal else "not equal"
    rows = table("part", "rows", "equal", "first differences", title=f"{report.records:,} records copied: {told}")
    for each in report.tables:
        rows.add_row(each.name, f"{each.rows:,}", "✓" if each.equal else "✗", "\n".join(each.differences))
    if report.equal:
        rows.caption = (
            f"From now on set CAUCE_TABLES to {report.target}, with its user and password, and keep the folder."
        )
    return rows
