"""`cauce settings`: every setting with its value, default, unit and environment variable."""

from __future__ import annotations

import click
from rich.table import Table

from cauce.cli.main import json_option, output, settings_of, table
from cauce.settings import TABLE


@click.command()
@json_option
@click.pass_context
def settings(context: click.Context, as_json: bool) -> None:
    """Show every setting, its value here, and the environment variable that changes it."""
    values = settings_of(context).as_dict()
    rows = [
        {
            "name": setting.name,
            "value": values[setting.name],
            "default": setting.default,
            "unit": setting.unit,
            "variable": setting.variable,
            "help": setting.help,
        }
        for setting in TABLE
    ]
    output(as_json, rows, _table)


def _table(rows: list[dict[str, object]]) -> Table:
    found = table("variable", "value", "default", "what it does")
    for row in rows:
        help_text = f"{row['help']} ({row['unit']})" if row["unit"] else str(row["help"])
        found.add_row(str(row["variable"]), str(row["value"]), str(row["default"]), help_text)
    return found
