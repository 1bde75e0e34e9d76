"""`cauce sql`: questions in SQL over all events and everything that follows from them."""

from __future__ import annotations

import csv
import sys
from typing import Any

import click
import msgspec
from rich.table import Table as Shown

from cauce.app import Platform
from cauce.cli.main import errors, json_option, output, pass_platform
from cauce.events.sql import Limits, Result

CELL_CHARACTERS_MAX = 60


@click.command()
@click.argument("statement")
@click.option("--limit", "rows_max", default=100, show_default=True, help="Most rows to show; 0 for all.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header.")
@click.option("--seconds", default=60.0, show_default=True, help="Most seconds the statement may run.")
@click.option("--memory-mb", default=1_024, show_default=True, help="Most memory the statement may use.")
@json_option
@pass_platform
def sql(
    platform: Platform, statement: str, rows_max: int, as_csv: bool, seconds: float, memory_mb: int, as_json: bool
) -> None:
    """Ask in SQL (DuckDB). STATEMENT reads the views events, people, identifiers, links, traits, decisions.

    \b
    cauce sql "select channel, count(*) from events group by all"
    cauce sql "select person, sum((properties->>'$.total')::decimal(18,2)) from events group by all"
    cauce sql "describe events"
    """
    asked = platform.sql_engine(Limits(seconds, memory_mb))
    found = asked.query(statement, rows_max=rows_max or 2**62)
    if as_csv:
        _print_csv(found)
    else:
        output(as_json, _described(found), lambda _: _shown(found))
    if found.truncated:
        errors.print(f"[dim]the first {rows_max} rows; --limit 0 shows all[/dim]")


def _described(found: Result) -> dict[str, Any]:
    return {"columns": found.columns, "rows": [list(row) for row in found.rows], "truncated": found.truncated}


def _print_csv(found: Result) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(found.columns)
    for row in found.rows:
        writer.writerow([_plain(value) for value in row])


def _plain(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else value


def _shown(found: Result) -> Shown:
    table = Shown(*found.columns)
    for row in found.rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "[dim]null[/dim]"
    text = str(_plain(value)).replace("[", "\\[")
    return text if len(text) <= CELL_CHARACTERS_MAX else f"{text[: CELL_CHARACTERS_MAX - 1]}…"
